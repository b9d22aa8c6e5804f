"""POST /api/v1/chat/stream: answers that come piece by piece, over two bridges (docs/agents.md)."""

import functools
import json
import time
import uuid

import pytest

from agent import Agent
from bridge_helpers import new_name
from chat_client import Chat, Refused
from cockpit_helpers import Cockpit, is_uuid4
from servers import at_some_pace, wait_until

POST = "/api/v1/chat/stream"


class Hall(Cockpit):
    """A Cockpit with an agent, and readers of what it says."""

    def __init__(self, *args):
        super().__init__("--agent-grace", "300ms", *args)
        self.agent = Agent(self.server)
        self.readers = []

    def chat(self, user, message="Hello", at=0, session=None, last_id=None, **options):
        body = {"message": message} if session is None else {"message": message, "session_id": session}
        self.readers.append(Chat(self.bridges[at].port, body, token=self.token(user), last_id=last_id, **options))
        return self.readers[-1]

    def started(self, user, **options):
        """A reader that has been told the start, and its request."""
        reader = self.chat(user, **options)
        request = self.agent.take()
        assert reader.next()["type"] == "start"
        return reader, request

    def close_tabs(self):
        super().close_tabs()
        while self.readers:
            self.readers.pop().close()

    def metric(self, name, at=0):
        return self.bridges[at].metrics()[name]


@pytest.fixture(scope="module")
def shared_stand():
    group = Hall()
    yield group
    group.close()


@pytest.fixture(scope="module")
def shared_patient():
    group = Hall("--agent-grace", "1h")
    yield group
    group.close()


@pytest.fixture
def patient(shared_patient):
    """For who comes back: in time, however long that takes."""
    yield shared_patient
    shared_patient.close_tabs()


@pytest.fixture
def make_hall(make_stand):
    return functools.partial(make_stand, kind=Hall)


def say_all(agent, request, words, first=1):
    for seq, word in enumerate(words, first):
        agent.say(request, "token", seq=seq, content=word)
    agent.say(request, "end", seq=first + len(words), message_id="m1", tokens_used=len(words))


def say_much(hall, request, count):
    """As many pieces of 3,000 bytes, at once, and the end."""
    pipe = hall.client.pipeline(transaction=False)
    for seq in range(1, count + 1):
        data = json.dumps({"request_id": request["request_id"], "seq": seq, "content": "x" * 3000})
        pipe.execute_command("NOTIFY.EVENT", request["reply_to"], "token", "DATA", data)
    pipe.execute()
    hall.agent.say(request, "end", seq=count + 1)


def test_an_answer_comes_piece_by_piece_and_ends_once(stand, user):
    reader = stand.chat(user)
    request = stand.agent.take()
    assert (request["answer"], request["message"], request["user_id"]) == ("stream", "Hello", user)
    start = reader.next()
    assert start == {"type": "start", "session_id": request["session_id"]} and is_uuid4(request["session_id"])
    stand.agent.say(request, "start", seq=1)
    stand.agent.say(request, "token", seq=2, content="It is")
    assert reader.next() == {"type": "token", "seq": 2, "content": "It is"}, "before the rest is known"
    stand.agent.say(request, "tool_call", seq=3, tool="weather", arguments={"at": 0.10})
    stand.agent.say(request, "tool_result", seq=4, result=[1, None])
    say_all(stand.agent, request, [" sunny", "."], 5)
    assert reader.all() == [
        {"type": "tool_call", "seq": 3, "tool": "weather", "arguments": {"at": 0.1}},
        {"type": "tool_result", "seq": 4, "result": [1, None]},
        {"type": "token", "seq": 5, "content": " sunny"},
        {"type": "token", "seq": 6, "content": "."},
        {"type": "end", "seq": 7, "message_id": "m1", "tokens_used": 2},
    ]
    assert stand.metric("notify_agent_requests_waiting") == 0


def test_the_answer_is_one_that_nobody_keeps_or_holds_back(stand, user):
    reader, request = stand.started(user)
    headers = reader.headers
    assert headers["Content-Type"] == "text/event-stream" and headers["X-Accel-Buffering"] == "no"
    assert "no-store" in headers["Cache-Control"] and "Content-Length" not in headers
    say_all(stand.agent, request, [])
    reader.all()


def test_blocks_are_data_alone_and_positions_stand_between_them(stand, user):
    reader, request = stand.started(user)
    say_all(stand.agent, request, ["a", "b"])
    reader.all()
    kinds = [block.split(" ", 1)[0] for block in reader.blocks]
    assert kinds == ["data:", "id:", "data:", "id:", "data:", "id:", "data:"], reader.blocks
    for block in reader.blocks:
        assert "\n" not in block
        if block.startswith("data: "):
            json.loads(block[6:])


def test_a_session_may_be_named(stand, user):
    session = str(uuid.uuid4())
    reader, request = stand.started(user, session=session)
    assert request["session_id"] == session
    say_all(stand.agent, request, ["x"])
    assert reader.all()[-1]["type"] == "end"


def test_nobody_else_in_the_session_hears_of_it(stand, user):
    session = str(uuid.uuid4())
    tabs = [stand.talk(user, session, at=at) for at in (0, 1)]
    other = stand.chat(user, "other", session=session)
    other_request = stand.agent.take()
    reader, request = stand.started(user, session=session, at=1)
    say_all(stand.agent, request, ["mine"])
    assert [e["type"] for e in reader.all()] == ["token", "end"]
    for tab in tabs:
        assert stand.drain(tab) == []
    say_all(stand.agent, other_request, ["others"])
    assert [e.get("content") for e in other.all()] == [None, "others", None]


def test_an_agents_error_is_the_last_word(stand, user):
    reader, request = stand.started(user)
    stand.agent.say(request, "token", seq=1, content="x")
    stand.agent.say(request, "error", seq=2, code="NO_MODEL", message="away", details=[1])
    stand.agent.say(request, "end", seq=3)
    assert reader.all()[1:] == [{"type": "error", "code": "NO_MODEL", "message": "away", "details": [1]}]


def test_a_whole_reply_is_one_piece_and_the_end(stand, user):
    reader, request = stand.started(user)
    stand.agent.say(request, "message", reply="all at once", tokens_used=3)
    assert reader.all() == [{"type": "token", "content": "all at once"}, {"type": "end", "message_id": request["request_id"], "tokens_used": 3}]


def test_no_answer_in_time_is_one_error(make_hall, user):
    hall = make_hall("--agent-timeout", "500ms")
    with hall.agent.taking() as request:
        reader = hall.chat(user)
        request = request()
    events = reader.all()
    assert [e["type"] for e in events] == ["start", "error"]
    assert (events[1]["code"], events[1]["details"]) == ("PROCESSING_ERROR", {"timeout_ms": 500})
    hall.agent.wait_cancelled(request)


def test_an_agent_that_falls_silent_is_given_up(make_hall, user):
    def is_given_up(timeout_s):
        hall = make_hall("--agent-timeout", f"{int(timeout_s * 1000)}ms")
        reader, request = hall.started(user)
        hall.agent.say(request, "token", seq=1, content="x")
        assert [e["type"] for e in reader.all()] == ["token", "error"]
        hall.agent.wait_cancelled(request)

    at_some_pace(is_given_up, 0.5)


@pytest.mark.parametrize("at", [0, 1])
def test_who_comes_back_goes_on_where_it_was_and_starts_nothing_new(patient, user, at):
    reader, request = patient.started(user)
    asked = patient.client.xlen("agent:requests")
    for seq, word in enumerate("one two three".split(), 1):
        patient.agent.say(request, "token", seq=seq, content=word)
    assert [reader.next()["content"] for _ in range(2)] == ["one", "two"]
    last_id = reader.last_id
    reader.close()
    again = patient.chat(user, at=at, last_id=last_id)
    assert again.next()["content"] == "three"
    say_all(patient.agent, request, ["four"], 4)
    assert [e.get("content") for e in again.all()] == ["four", None]
    assert patient.client.xlen("agent:requests") == asked


def test_who_comes_back_at_each_place_gets_the_rest_exactly_once(stand, user):
    words = [f"w{n}" for n in range(12)]
    reader, request = stand.started(user)
    marks = [reader.last_id]
    say_all(stand.agent, request, words)
    for _ in words:
        reader.next()
        marks.append(reader.last_id)
    reader.all()
    assert len(set(marks)) == len(words) + 1
    for n, mark in enumerate(marks):
        again = stand.chat(user, at=n % 2, last_id=mark)
        assert [e["content"] for e in again.all()[:-1]] == words[n:], n


def test_a_bridge_that_is_killed_loses_nothing(make_hall, user):
    hall = make_hall()
    reader, request = hall.started(user, at=1)
    hall.agent.say(request, "token", seq=1, content="a")
    assert reader.next()["content"] == "a"
    hall.bridges[1].kill9()
    hall.agent.say(request, "token", seq=2, content="b")
    again = hall.chat(user, at=0, last_id=reader.last_id)
    say_all(hall.agent, request, ["c"], 3)
    assert [e.get("content") for e in again.all()] == ["b", "c", None]


def test_a_bridge_that_ends_cuts_an_answer_off_and_the_other_one_goes_on(make_hall, user):
    hall = make_hall("--agent-grace", "30s")
    reader, request = hall.started(user, at=1)
    hall.agent.say(request, "token", seq=1, content="a")
    assert reader.next()["content"] == "a"
    hall.bridges[1].stop()
    assert reader.all() == [], "no last word"
    assert "event: close" in reader.blocks[-1].splitlines()
    again = hall.chat(user, at=0, last_id=reader.last_id)
    say_all(hall.agent, request, ["b"], 2)
    assert [e.get("content") for e in again.all()] == ["b", None]


def test_a_reader_that_takes_nothing_for_too_long_is_cut_off_and_may_go_on(make_hall, user):
    hall = make_hall("--slow-client-timeout", "2s", "--agent-grace", "30s", "--outbox-bytes", "64K")
    reader, request = hall.started(user, receive_buffer=4096)
    say_much(hall, request, 400)
    wait_until(lambda: hall.metric("notify_agent_requests_waiting") == 0, "it is given up")
    seqs = []
    while True:
        try:
            event = reader.next()
        except (AssertionError, OSError):  # the body breaks off
            break
        if event is None:
            break
        seqs.append(event["seq"])
    assert "end" not in str(reader.blocks[-1]) and seqs == list(range(1, len(seqs) + 1)) and len(seqs) < 401
    again = hall.chat(user, last_id=reader.last_id)
    more = again.all()
    assert [e["seq"] for e in more if e["seq"] > len(seqs)] == list(range(len(seqs) + 1, 402)) and more[-1]["type"] == "end"


def test_what_two_workers_say_is_said_once(stand, user):
    """One that was given up wakes up and says again what the other one has said."""
    reader, request = stand.started(user)
    for seq in (1, 2, 1, 3, 2, 3, 4):
        stand.agent.say(request, "token", seq=seq, content=str(seq))
    stand.agent.say(request, "end", seq=5)
    assert [e.get("content") for e in reader.all()] == ["1", "2", "3", "4", None]


def test_also_for_who_comes_back_in_between(patient, user):
    reader, request = patient.started(user)
    for seq in (1, 2):
        patient.agent.say(request, "token", seq=seq, content=str(seq))
    assert [reader.next()["content"] for _ in range(2)] == ["1", "2"]
    reader.close()
    for seq in (1, 2, 3):
        patient.agent.say(request, "token", seq=seq, content=str(seq))
    again = patient.chat(user, last_id=reader.last_id, at=1)
    patient.agent.say(request, "end", seq=4)
    assert [e.get("content") for e in again.all()] == ["3", None]


def test_who_comes_back_is_answered_at_once_though_nothing_is_said(stand, user):
    reader, request = stand.started(user)
    again = stand.chat(user, last_id=reader.last_id, timeout=10)  # it waits for the head, and a heartbeat comes after 15 s
    assert again.headers["Content-Type"] == "text/event-stream"
    say_all(stand.agent, request, [])
    assert [e["type"] for e in again.all()] == ["end"]


def test_who_leaves_and_does_not_come_back_is_told_to_the_agent(stand, user):
    reader, request = stand.started(user)
    reader.close()
    stand.agent.wait_cancelled(request)
    assert stand.client.xrange("agent:requests", request["entry"], request["entry"]) == []


@pytest.mark.parametrize("at", [0, 1])
def test_who_comes_back_in_time_is_not_told_to_the_agent_until_it_leaves_again(make_hall, user, at):
    def is_not_told(grace_s):
        hall = make_hall("--agent-grace", f"{int(grace_s * 1000)}ms")
        reader, request = hall.started(user)
        reader.close()
        again = hall.chat(user, at=at, last_id=reader.last_id)
        hall.agent.say(request, "token", seq=1, content="x")
        assert again.next()["content"] == "x"
        time.sleep(3 * grace_s)  # it is the silence that is tested
        assert not hall.agent.is_cancelled(request)
        again.close()
        hall.agent.wait_cancelled(request)

    at_some_pace(is_not_told, 0.3)


def test_an_answer_that_is_over_is_not_cancelled(stand, user):
    reader, request = stand.started(user)
    say_all(stand.agent, request, ["x"])
    reader.all()
    reader.close()
    time.sleep(0.6)  # twice the grace
    assert not stand.agent.is_cancelled(request)


def place_of(stand, request):
    """Where it stands in Redis that somebody came back for this answer; None: nowhere."""
    for key in stand.client.keys("agent:requests:resumed:*"):
        value = stand.client.get(key)
        if value and value.startswith(request["request_id"]):
            return key
    return None


def test_that_somebody_came_back_is_kept_for_an_hour_and_is_not_needed_to_leave(stand, user):
    reader, request = stand.started(user)
    reader.close()
    again = stand.chat(user, last_id=reader.last_id)
    wait_until(lambda: place_of(stand, request), "it is told")
    place = place_of(stand, request)
    assert 0 < stand.client.ttl(place) <= 3600
    assert 0 <= int(place.removeprefix("agent:requests:resumed:")) < 16384 and len(stand.client.get(place)) == 60
    stand.client.delete(place)
    again.close()
    stand.agent.wait_cancelled(request)


def test_whose_place_another_request_has_taken_may_be_waited_for_still(make_hall, user):
    """There are so many places for all; an agent then rather works in vain."""

    def is_waited_for(grace_s):
        hall = make_hall("--agent-grace", f"{int(grace_s * 1000)}ms")
        reader, request = hall.started(user)
        reader.close()
        again = hall.chat(user, last_id=reader.last_id)
        place = wait_until(lambda: place_of(hall, request), "it is told")
        hall.client.set(place, "00000000-0000-4000-8000-000000000000" + "f" * 24)
        again.close()
        second, other = hall.started(user)
        second.close()
        hall.agent.wait_cancelled(other)
        assert hall.agent.heard == [other["request_id"]]

    at_some_pace(is_waited_for, 0.3)


def test_so_many_that_have_left_are_waited_for(make_hall, user):
    hall = make_hall("--agent-grace", "1h", "--max-agent-requests", "2")
    requests = []
    for _ in range(3):
        reader, request = hall.started(user)
        reader.close()
        requests.append(request)
        wait_until(lambda: hall.metric("notify_agent_requests_waiting") == 0, "it has left")
    hall.agent.wait_cancelled(requests[0])
    assert hall.agent.heard == [requests[0]["request_id"]], "the one that left first, and no other"
    assert hall.metric('notify_limit_hits_total{limit="max-agent-requests"}') == 1


def test_of_one_user_so_many_that_have_left_are_waited_for_and_of_others_all_the_same(make_hall, user):
    hall = make_hall("--agent-grace", "1h", "--max-agent-requests-per-user", "2")
    requests = []
    for who in (user, new_name(), user, user):
        reader, request = hall.started(who)
        reader.close()
        requests.append(request)
        wait_until(lambda: hall.metric("notify_agent_requests_waiting") == 0, "it has left")
    hall.agent.wait_cancelled(requests[-1])
    assert hall.agent.heard == [requests[-1]["request_id"]], "the last of those that are too many, and no other"
    assert hall.metric('notify_limit_hits_total{limit="max-agent-requests-per-user"}') == 1


def test_one_user_waits_for_so_many_answers_whatever_he_asks_over(make_hall, user):
    hall = make_hall("--max-agent-requests-per-user", "2")
    reader, request = hall.started(user)
    tab = hall.talk(user)
    tab.send({"type": "message", "message": "Hi"})
    hall.agent.take()
    [error] = hall.chat(user).all()
    assert (error["type"], error["code"]) == ("error", "TOO_MANY_REQUESTS")
    other, _ = hall.started(new_name())
    say_all(hall.agent, request, [])
    assert reader.all()[-1]["type"] == "end"
    hall.started(user)
    assert tab.request("message", message="Hi")["error"]["code"] == "TOO_MANY_REQUESTS"


def test_what_is_too_long_is_the_last_word(make_hall, user):
    hall = make_hall("--max-agent-answer-bytes", "1K")
    reader, request = hall.started(user)
    hall.agent.say(request, "token", seq=1, content="a")
    hall.agent.say(request, "token", seq=2, content="x" * 1024)
    say_all(hall.agent, request, ["b"], 3)
    events = reader.all()
    assert [e["type"] for e in events] == ["token", "error"] and "too long" in events[1]["message"]
    assert hall.metric('notify_limit_hits_total{limit="max-agent-answer-bytes"}') == 1


def test_what_comes_behind_the_end_is_nobodys_also_if_the_end_has_not_been_read_yet(make_hall, user):
    hall = make_hall("--max-agent-answer-bytes", "4K", "--outbox-bytes", "8M")
    reader, request = hall.started(user, receive_buffer=4096)
    say_much(hall, request, 1200)
    other, their = hall.started(user)
    hall.agent.say(their, "token", seq=1, content="x")
    assert other.next()["content"] == "x"  # so the bridge has heard what was said before
    assert hall.metric("notify_agent_requests_waiting") == 2, "the end is still to be read"
    hall.agent.say(request, "error", seq=1202, code="LATE", details="x" * 4096)
    hall.agent.say(request, "token", seq=1203, content="x" * 4096)
    say_all(hall.agent, their, [], 2)
    other.all()
    events = reader.all()
    assert [e["seq"] for e in events] == list(range(1, 1202)) and events[-1]["type"] == "end"


def test_what_is_not_kept_any_more_is_told(patient, user):
    reader, request = patient.started(user)
    patient.agent.say(request, "token", seq=1, content="a")
    reader.next()
    reader.close()
    for seq in range(2, 12):
        patient.call("NOTIFY.EVENT", request["reply_to"], "token", "DATA", json.dumps({"request_id": request["request_id"], "seq": seq}), "MAXLEN", "3")
    again = patient.chat(user, last_id=reader.last_id, at=1)  # the first one remembers it itself
    events = again.all()
    assert [e["type"] for e in events] == ["error"] and "not kept" in events[0]["message"]


@pytest.mark.parametrize("body, status, member", [
    ("{", 400, None),
    ("[]", 400, None),
    ("{}", 422, "message"),
    ('{"message":""}', 422, "message"),
    ('{"message":7}', 422, "message"),
    ('{"message":"x","session_id":""}', 422, "session_id"),
    ('{"message":"x","session_id":"a\\u0000b"}', 422, "session_id"),
    ('{"message":"x","nonsense":1}', 422, "nonsense"),
])
def test_what_is_wrong_is_told_before_anything_is_asked(stand, user, body, status, member):
    asked = stand.client.xlen("agent:requests")
    with pytest.raises(Refused) as refused:
        Chat(stand.daemon.port, body, token=stand.token(user))
    assert refused.value.status == status
    error = json.loads(refused.value.body)["error"]
    assert set(error) == {"code", "message", "details"}
    assert error["details"] == (None if member is None else {"member": member})
    assert stand.client.xlen("agent:requests") == asked


@pytest.mark.parametrize("bad", ["x", "1-0", "1-0.1.x.y", "1-0.1.5a0f3c1e-0000-4000-8000-000000000001.", "1-0.1.5a0f3c1e-0000-4000-8000-000000000001.aW5ib3g6eA", "AVp5" * 200])
def test_a_position_of_something_else_is_refused(stand, user, bad):
    with pytest.raises(Refused) as refused:
        stand.chat(user, last_id=bad)
    assert refused.value.status == 422 and json.loads(refused.value.body)["error"]["details"] == {"member": "Last-Event-ID"}


def test_a_position_of_another_session_than_the_one_named_is_refused(stand, user):
    reader, request = stand.started(user, session="a-session")
    with pytest.raises(Refused) as refused:
        stand.chat(user, session="another", last_id=reader.last_id)
    assert refused.value.status == 422
    say_all(stand.agent, request, [])


def test_an_empty_position_is_none(stand, user):
    reader = stand.chat(user, last_id="")
    request = stand.agent.take()
    say_all(stand.agent, request, [])
    assert [e["type"] for e in reader.all()] == ["start", "end"]


def test_without_a_token_nobody_is_asked(stand):
    with pytest.raises(Refused) as refused:
        Chat(stand.daemon.port, {"message": "x"})
    assert refused.value.status == 401


def test_who_may_ask_is_said_by_the_roles(make_hall, tmp_path, user):
    roles = tmp_path / "roles.conf"
    roles.write_text("role *\n  sessions {user}:*\n  agent {user}:* unread\n")
    hall = make_hall("--roles", str(roles))
    for session, right in ((None, "agent"), ("elsewhere", "agent"), ("unread", "sessions")):
        with pytest.raises(Refused) as refused:
            hall.chat(user, session=session)
        assert refused.value.status == 403 and json.loads(refused.value.body)["error"]["details"]["right"] == right
    reader, request = hall.started(user, session=f"{user}:1")
    say_all(hall.agent, request, [])
    reader.all()


def test_so_many_may_wait_in_all(make_hall, user):
    hall = make_hall("--max-agent-requests", "2")
    pairs = [hall.started(user) for _ in range(2)]
    [error] = hall.chat(user).all()
    assert (error["type"], error["code"]) == ("error", "UNAVAILABLE")
    for reader, request in pairs:
        say_all(hall.agent, request, [])
        assert reader.all()[-1]["type"] == "end"


def test_a_stream_that_is_none_is_the_last_word(make_hall, user):
    hall = make_hall()
    hall.client.set("agent:requests", "not a stream")
    [error] = hall.chat(user).all()
    assert (error["type"], error["code"]) == ("error", "PROCESSING_ERROR")


def test_while_redis_is_away_that_is_the_last_word(make_hall, user):
    hall = make_hall("--agent-timeout", "2s")
    hall.server.kill9()
    events = hall.chat(user).all()
    assert [e["type"] for e in events] == ["error"]


def test_who_does_not_read_loses_nothing(make_hall, user):
    """More than its outbox and its socket hold: what was dropped comes from Redis again."""
    hall = make_hall("--outbox-bytes", "64K")
    reader, request = hall.started(user, receive_buffer=4096)
    say_much(hall, request, 400)
    wait_until(lambda: hall.metric('notify_limit_hits_total{limit="outbox-bytes"}') > 0, "it falls behind")
    events = reader.all()
    assert [e["seq"] for e in events] == list(range(1, 402)) and events[-1]["type"] == "end"


def test_head_and_get_are_not_there(stand, user):
    with pytest.raises(Refused) as refused:
        Chat(stand.daemon.port, "", token=stand.token(user), method="GET")
    assert refused.value.status == 405


def test_over_http_1_0_the_stream_ends_with_the_connection(stand, user):
    reader, request = stand.started(user, version="HTTP/1.0")
    assert "Transfer-Encoding" not in reader.headers
    say_all(stand.agent, request, ["x"])
    assert [e["type"] for e in reader.all()] == ["token", "end"]
