"""POST /api/v1/chat/stream between agents that keep no rules and readers that come and go: one last word, and nothing left behind."""

import contextlib
import json
import random
import signal

import pytest

from agent import Agent
from chat_client import Chat, Refused
from rest_client import Rest
from servers import wait_until
from ws_client import WsClient

LAST = ("end", "error")
LIMIT = 1024  # --max-agent-answer-bytes
WORDS = [
    ("start", {}),
    ("token", {"content": "x"}),
    ("token", {"content": "x\r\n\r\ndata: {}\n\nid: 1\n\n"}),
    ("token", {"content": "x" * LIMIT}),
    ("token", {}),
    ("tool_call", {"type": "end", "arguments": [{"type": "error"}]}),
    ("tool_result", {"result": None, "session_id": "another"}),
    ("end", {}),
    ("end", {"tokens_used": "many", "message_id": None}),
    ("end", {"message_id": "x" * LIMIT}),
    ("error", {}),
    ("error", {"code": "no code", "message": 7, "details": {"type": "end"}}),
    ("message", {"reply": "x"}),
    ("message", {"reply": None}),
    ("notification", {"title": "x"}),
]
SEQS = [None, 0, 1, 2, 3, 2**64 - 1, 2**64, -1, 0.5, "1", [1]]


@pytest.fixture
def hall(programs, redis_server):
    bridge = programs.bridge(redis_server, "--max-agent-answer-bytes", str(LIMIT), "--agent-grace", "100ms", "--message-rate", "1000000", "--request-rate", "1000000", "--connect-rate", "100000")
    return bridge, Agent(redis_server)


def waiting(bridge):
    return bridge.metrics()["notify_agent_requests_waiting"]


def say_nonsense(agent, request, rng):
    event, data = rng.choice(WORDS)
    seq = rng.choice(SEQS)
    agent.say(request, event, nostore=rng.random() < 0.2, **data, **({} if seq is None else {"seq": seq}))


@pytest.mark.parametrize("seed", range(8))
def test_whatever_an_agent_says_one_last_word_comes_and_is_the_last(hall, seed):
    bridge, agent = hall
    rng = random.Random(seed)
    for _ in range(25):
        reader = Chat(bridge.port, {"message": "Hi"}, user="alice")
        request = agent.take()
        for _ in range(rng.randrange(12)):
            say_nonsense(agent, request, rng)
        agent.say(request, "end")
        types = [event["type"] for event in reader.all()]
        assert types[0] == "start" and types[-1] in LAST, types
        assert not set(types[:-1]) & set(LAST), types
        assert all(block.startswith(("data: {", "id: ")) and "\n" not in block for block in reader.blocks)
    assert waiting(bridge) == 0


@pytest.mark.parametrize("seed", range(4))
def test_readers_that_go_at_any_time_leave_nothing_behind(hall, seed):
    """Before the request is in the stream, between pieces, behind the end; some come back, some to a place that never was."""
    bridge, agent = hall
    rng = random.Random(seed)
    for _ in range(60):
        with agent.taking() as request:
            reader = Chat(bridge.port, {"message": "Hi", "session_id": "s"}, user="alice")
            if rng.random() < 0.3:
                reader.close()
            request = request()
        for _ in range(rng.randrange(5)):
            say_nonsense(agent, request, rng)
        if rng.random() < 0.3 and reader.sock.fileno() >= 0:
            reader.next()
        reader.close()
        if reader.last_id is not None and rng.random() < 0.7:
            again = Chat(bridge.port, {"message": "Hi"}, user="alice", last_id=rng.choice([reader.last_id, reader.last_id.replace(reader.last_id[0], "1", 1)]))
            say_nonsense(agent, request, rng)
            again.close()
        agent.say(request, rng.choice(["end", "error", "token"]))
    wait_until(lambda: waiting(bridge) == 0, "nobody is waited for")
    reader = Chat(bridge.port, {"message": "Last"}, user="alice")
    while (request := agent.take())["message"] != "Last":
        pass
    agent.say(request, "end")
    assert [event["type"] for event in reader.all()] == ["start", "end"]


@pytest.mark.parametrize("length", [1, 500, 5000])
def test_a_position_of_any_bytes_is_refused(hall, length):
    bridge, agent = hall
    rng = random.Random(length)
    asked = agent.db.xlen("agent:requests")
    good = "5-1.7.5a0f3c1e-0000-4000-8000-000000000001.c2Vzc2lvbjpz"
    for _ in range(50):
        text = "".join(chr(rng.randrange(0x21, 0x7F)) for _ in range(length)) if rng.random() < 0.5 else good[: rng.randrange(1, len(good))]
        with pytest.raises(Refused) as refused:
            Chat(bridge.port, {"message": "Hi"}, user="alice", last_id=text)
        assert refused.value.status in (422, 431)
    assert agent.db.xlen("agent:requests") == asked and waiting(bridge) == 0


def test_so_many_readers_of_answers_that_never_come_may_wait_and_are_forgotten_when_they_go(programs, redis_server):
    bridge = programs.bridge(redis_server, "--max-agent-requests", "20", "--request-rate", "1000000", "--connect-rate", "100000")
    agent = Agent(redis_server)
    readers = [Chat(bridge.port, {"message": "Hi"}, user="mallory")]
    agent.take()
    readers[0].next()
    made = [readers[0].last_id.replace(readers[0].last_id.split(".")[2], f"5a0f3c1e-0000-4000-8000-{i:012}") for i in range(19)]
    readers += [Chat(bridge.port, {"message": "Hi"}, user="mallory", last_id=text) for text in made]
    assert waiting(bridge) == 20
    [error] = Chat(bridge.port, {"message": "Hi"}, user="bob").all()
    assert error["code"] == "UNAVAILABLE"
    assert bridge.metrics()['notify_limit_hits_total{limit="max-agent-requests"}'] == 1
    for reader in readers:
        reader.close()
    wait_until(lambda: waiting(bridge) == 0, "they have gone")
    reader = Chat(bridge.port, {"message": "Hi"}, user="bob")
    agent.say(agent.take(), "end")
    assert [event["type"] for event in reader.all()] == ["start", "end"]


def test_where_no_more_connections_may_be_no_answer_begins_either(programs, redis_server):
    bridge = programs.bridge(redis_server, "--max-connections", "1")
    agent = Agent(redis_server)
    with contextlib.closing(WsClient(bridge.port, "/ws?user=a")) as tab:
        tab.expect(type="connection")
        with pytest.raises(Refused) as refused:
            Chat(bridge.port, {"message": "Hi"}, user="mallory")
        assert refused.value.status == 503 and b"UNAVAILABLE" in refused.value.body
        assert bridge.metrics()['notify_limit_hits_total{limit="max-connections"}'] == 1
    wait_until(lambda: bridge.metrics()['notify_connections{transport="websocket"}'] == 0, "its end")
    reader = Chat(bridge.port, {"message": "Hi"}, user="mallory")
    agent.say(agent.take(), "end")
    assert [event["type"] for event in reader.all()] == ["start", "end"]


def test_a_bridge_that_is_ending_begins_no_answer(programs, redis_server):
    """Nobody would wait for it. The bridge waits for a client that does not say good bye."""
    bridge = programs.bridge(redis_server, "--restart-spread", "0")
    agent = Agent(redis_server)
    rest = Rest(bridge.port, user="mallory")
    assert rest.get("/healthz").status == 200
    with contextlib.closing(WsClient(bridge.port, "/ws?user=a")) as tab:
        tab.expect(type="connection")
        mark = bridge.mark()
        bridge.proc.send_signal(signal.SIGTERM)
        bridge.wait_line("event=stopping", since=mark)
        answer = rest.post("/api/v1/chat/stream", {"message": "Hi"})
        assert (answer.status, answer.error) == (503, "UNAVAILABLE")
    assert agent.db.xlen("agent:requests") == 0 and bridge.wait() == 0
