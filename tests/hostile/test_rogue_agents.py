"""Agents that keep no rules: what they say to anybody harms nobody, and who asked gets one answer at most."""

import json
import time
import uuid

import pytest

from agent import Agent
from servers import wait_until
from ws_client import WsClient

pytestmark = pytest.mark.measures

BIG = "x" * 60000


@pytest.fixture
def agent(redis_server):
    return Agent(redis_server)


@pytest.fixture
def talk(connect):
    """A client in a session of its own."""

    def open_client(user="alice", session=None, **options):
        tab = connect(f"/api/v1/ws/{session or uuid.uuid4()}?user={user}", **options)
        tab.expect(type="connection_established")
        return tab

    return open_client


def ask(tab, text="Hi"):
    tab.send({"type": "message", "message": text})


def answers(tab):
    """What has come by now, but for what every inbox gets."""
    return [m for m in tab.drain() if m["type"] in ("message", "error", "token", "start", "end")]


def settle(redis_server, tab):
    """Until tab has had all that was published before."""
    redis_server.client().execute_command("NOTIFY.EVENT", "topic:all", "marker", "NOSTORE")
    tab.expect(type="marker")


def test_an_answer_in_another_session_is_none(redis_server, agent, talk):
    asking, other = talk("alice", "a"), talk("mallory", "b")
    ask(asking)
    request = agent.take()
    agent.say(request, "message", key="session:b", reply="stolen")
    for tab in (asking, other):
        settle(redis_server, tab)
        assert answers(tab) == []
    agent.say(request, "message", reply="mine")
    assert asking.expect(type="message")["data"]["reply"] == "mine"


def test_an_event_of_a_topic_is_an_event_whatever_it_says_of_requests(redis_server, agent, talk):
    asking, other = talk("alice"), talk("bob")
    ask(asking)
    request = agent.take()
    agent.say(request, "message", key="topic:all", reply="shouted")
    for tab in (asking, other):
        assert tab.expect(type="message", key="topic:all")["data"]["reply"] == "shouted"
    agent.say(request, "message", reply="mine")
    assert asking.expect(type="message")["data"]["reply"] == "mine"


def test_who_follows_two_sessions_is_answered_in_its_own_only(redis_server, agent, talk):
    asking = talk("alice", "a")
    asking.request("subscribe_session", session_id="b")
    ask(asking)
    request = agent.take()
    agent.say(request, "message", key="session:b", reply="elsewhere")
    settle(redis_server, asking)
    assert answers(asking) == []
    agent.say(request, "message", reply="here")
    assert asking.expect(type="message")["data"]["reply"] == "here"


@pytest.mark.parametrize("id_", ["", "*", "0" * 36, "x" * 5000, "\u0000", "5a0f3c1e-0000-4000-8000-000000000001"])
def test_the_id_of_no_request_reaches_nobody(redis_server, agent, talk, id_):
    tab = talk()
    ask(tab)
    request = agent.take()
    for event in ("message", "error", "token", "end"):
        agent.say({**request, "request_id": id_}, event, reply="x")
    settle(redis_server, tab)
    assert answers(tab) == []
    agent.say(request, "message", reply="good")
    assert tab.expect(type="message")["data"]["reply"] == "good"


@pytest.mark.parametrize("members", ['"reply":"x","reply":["y"]', '"a":1', '"reply":null', '"reply":{"a":1}', '"reply":7,"id":[]', '"tool_calls":"x"', '"reply":"x","data":{"reply":"y"}'])
def test_whatever_an_answer_holds_it_is_one_answer(redis_server, agent, talk, members):
    tab = talk()
    ask(tab)
    request = agent.take()
    text = '{"request_id":"%s",%s}' % (request["request_id"], members)
    redis_server.client().execute_command("NOTIFY.EVENT", request["reply_to"], "message", "DATA", text)
    settle(redis_server, tab)
    [answer] = answers(tab)
    if answer["type"] == "message":
        assert {"id", "reply", "tool_calls", "tokens_used", "created_at"} <= set(answer["data"]) and isinstance(answer["data"]["reply"], str)
    else:
        assert set(answer["error"]) == {"code", "message", "details"}


def test_an_answer_that_is_too_long_is_an_error_and_counted(bridge, agent, talk, redis_server):
    redis_server.client().config_set("notify.max-entry-bytes", 1000000)
    tab = talk()
    for event in ("message", "error"):
        ask(tab)
        agent.say(agent.take(), event, reply="x" * 70000)
        error = tab.expect(type="error")["error"]
        assert (error["code"], error["message"]) == ("PROCESSING_ERROR", "the agent's answer is too long")
    assert bridge.metrics()['notify_limit_hits_total{limit="max-agent-answer-bytes"}'] == 2
    ask(tab)
    agent.say(agent.take(), "message", reply=BIG)
    assert tab.expect(type="message")["data"]["reply"] == BIG


def test_a_flood_of_answers_reaches_nobody_and_delays_nobody(bridge, agent, talk, redis_server):
    asking, honest = talk("alice"), talk("bob")
    ask(asking)
    request = agent.take()
    agent.say(request, "message", reply="the one")
    words = [request["reply_to"], "message", "DATA", json.dumps({"request_id": request["request_id"], "reply": "more"}), "NOSTORE"]
    pings = []
    for _ in range(20):
        pipe = redis_server.client().pipeline(transaction=False)
        for _ in range(1000):
            pipe.execute_command("NOTIFY.EVENT", *words)
        pipe.execute()
        began = time.monotonic()
        honest.request("ping")
        pings.append(time.monotonic() - began)
    settle(redis_server, asking)
    assert [m["data"]["reply"] for m in answers(asking)] == ["the one"]
    assert sorted(pings)[len(pings) // 2] < 0.5, pings


def test_who_asks_and_does_not_read_holds_no_more_than_it_may(programs, redis_server, agent):
    """Its input waits: what it asks behind that is not even read. What it was promised it gets."""
    bridge = programs.bridge(redis_server, "--message-rate", "0")
    tab = WsClient(bridge.port, "/api/v1/ws/s?user=alice", receive_buffer=4096)
    answered = 0

    def is_held_back():
        return bridge.metrics()["notify_requests_held_back_total"] > 0

    while not is_held_back():
        assert answered < 200, "nothing holds it back"
        ask(tab)
        try:
            wait_until(lambda: is_held_back() or agent.has_next(), "it is asked, or held back", 5)
        except AssertionError:
            break  # several answers came at once: it is not even read
        if agent.has_next():
            agent.say(agent.take(), "message", reply=BIG)
            answered += 1
    assert answered > 8
    for _ in range(20):
        ask(tab, "y" * 1000)
    for _ in range(answered):
        assert tab.expect(type="message")["data"]["reply"] == BIG
    assert agent.take()["message"], "what waited is asked now"
    tab.sock.close()


def test_who_asks_and_goes_at_once_leaves_nothing_behind(bridge, agent, talk, redis_server):
    for n in range(100):
        tab = talk(f"u{n}")
        ask(tab)
        tab.sock.close()
    wait_until(lambda: bridge.metrics()["notify_agent_requests_waiting"] == 0, "nobody waits")
    wait_until(lambda: redis_server.client().xlen("agent:requests") == 0, "all is taken out of the stream")
    assert talk().request("ping")["type"] == "pong"


def test_a_session_with_a_name_like_a_field_is_just_a_name(agent, talk):
    for name in ("message", "reply_to", "deadline"):
        tab = talk("request_id", name)
        ask(tab, "session_id")
        request = agent.take()
        assert (request["session_id"], request["user_id"], request["message"], request["reply_to"]) == (name, "request_id", "session_id", f"session:{name}")
        agent.say(request, "message", reply="x")
        tab.expect(type="message")
