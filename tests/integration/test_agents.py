"""message: what is said to the agent of a session, over two bridges (docs/agents.md)."""

import functools
import json
import time
import uuid

import pytest

from agent import Agent
from bridge_helpers import ISO_TIME, new_name, wait_ready
from cockpit_helpers import Cockpit, is_uuid4
from servers import at_some_pace, wait_until

ANSWER = {"id": "m1", "reply": "It is sunny.", "tool_calls": [{"name": "weather"}], "tokens_used": 450, "created_at": "2026-11-28T17:00:00.000Z"}


class Office(Cockpit):
    """A Cockpit with an agent."""

    def __init__(self, *args):
        super().__init__(*args)
        self.agent = Agent(self.server)

    def metric(self, name, at=0):
        return self.bridges[at].metrics()[name]


@pytest.fixture(scope="module")
def shared_stand():
    group = Office()
    yield group
    group.close()


@pytest.fixture
def make_office(make_stand):
    return functools.partial(make_stand, kind=Office)


def ask(tab, text="Hi", **members):
    tab.send({"type": "message", "message": text, **members})


def silent(stand, *tabs):
    """Nothing of an agent has come to these."""
    for tab in tabs:
        assert [m for m in stand.drain(tab) if m["type"] in ("message", "error", "token", "start", "end")] == []


def test_the_agent_is_asked_with_all_that_it_needs(stand, user):
    session = str(uuid.uuid4())
    before = time.time() * 1000
    ask(stand.talk(user, session), 'What "is"\nthe wéather?')
    request = stand.agent.take()
    assert is_uuid4(request["request_id"])
    assert (request["session_id"], request["user_id"], request["message"]) == (session, user, 'What "is"\nthe wéather?')
    assert (request["answer"], request["reply_to"]) == ("message", f"session:{session}")
    assert before + 59000 < int(request["deadline"]) < before + 120000
    fields = list(stand.client.xrevrange("agent:requests", count=1)[0][1])
    assert fields == ["request_id", "session_id", "user_id", "answer", "reply_to", "deadline", "message"]


def test_the_answer_reaches_the_connection_that_asked_and_no_other(stand, user):
    session = str(uuid.uuid4())
    asking, beside, at_other = (stand.talk(user, session, at=at) for at in (0, 0, 1))
    other_session, other_user = stand.talk(user), stand.talk(new_name(), session)
    follower = stand.tab(f"/ws?token={stand.token(user)}")
    follower.request("subscribe_session", session_id=session)
    ask(asking)
    stand.agent.say(stand.agent.take(), "message", **ANSWER)
    assert asking.expect(type="message") == {"type": "message", "data": ANSWER}
    silent(stand, asking, beside, at_other, other_session, other_user, follower)


def test_an_answer_has_all_members_whatever_the_agent_left_out(stand, user):
    tab = stand.talk(user)
    ask(tab)
    request = stand.agent.take()
    stand.agent.say(request, "message", reply="yes", model="m")
    data = tab.expect(type="message")["data"]
    assert (data["id"], data["reply"], data["tool_calls"], data["tokens_used"], data["model"]) == (request["request_id"], "yes", [], 0, "m")
    assert ISO_TIME.match(data["created_at"]) and "request_id" not in data


def test_the_answer_repeats_the_id_of_the_clients_request(stand, user):
    tab = stand.talk(user)
    ask(tab, request_id="mine")
    stand.agent.say(stand.agent.take(), "message", reply="x")
    assert tab.expect(type="message")["request_id"] == "mine"


def test_an_agents_error_is_an_error(stand, user):
    tab = stand.talk(user)
    ask(tab)
    stand.agent.say(stand.agent.take(), "error", code="NO_MODEL", message="the model is away", details={"retry": 5})
    assert tab.expect(type="error")["error"] == {"code": "NO_MODEL", "message": "the model is away", "details": {"retry": 5}}
    ask(tab)
    stand.agent.say(stand.agent.take(), "error")
    error = tab.expect(type="error")["error"]
    assert (error["code"], error["details"]) == ("PROCESSING_ERROR", None) and error["message"]


def test_an_answer_that_is_not_stored_arrives_too(stand, user):
    tab = stand.talk(user)
    ask(tab)
    stand.agent.say(stand.agent.take(), "message", nostore=True, reply="x")
    assert tab.expect(type="message")["data"]["reply"] == "x"


def test_several_questions_are_answered_each_by_its_own(stand, user):
    tab = stand.talk(user)
    for n in range(5):
        ask(tab, f"question {n}", request_id=n)
    for request in reversed([stand.agent.take() for _ in range(5)]):
        stand.agent.say(request, "message", reply=request["message"])
    assert [(m["request_id"], m["data"]["reply"]) for m in (tab.expect(type="message") for _ in range(5))] == [
        (n, f"question {n}") for n in reversed(range(5))
    ]


def test_events_without_a_request_are_for_all_of_the_session(stand, user):
    session = str(uuid.uuid4())
    tabs = [stand.talk(user, session, at=at) for at in (0, 1)]
    stand.call("NOTIFY.EVENT", f"session:{session}", "message", "DATA", '{"reply":"all hear me"}')
    stand.call("NOTIFY.EVENT", f"session:{session}", "error", "DATA", '{"code":"X","message":"m"}')
    for tab in tabs:
        assert tab.expect(type="message")["data"] == {"reply": "all hear me"}
        assert tab.expect(type="error") == {"type": "error", "error": {"code": "X", "message": "m", "details": None}}


def test_of_two_answers_the_first_counts(stand, user):
    tab = stand.talk(user)
    ask(tab)
    request = stand.agent.take()
    for reply in ("first", "second"):
        stand.agent.say(request, "message", reply=reply)
    stand.agent.say(request, "error")
    assert tab.expect(type="message")["data"]["reply"] == "first"
    silent(stand, tab)


def test_no_answer_in_time_is_one_error_and_the_agent_is_told(make_office, user):
    office = make_office("--agent-timeout", "500ms")
    tab = office.talk(user)
    with office.agent.taking() as request:
        ask(tab)
        request = request()
    error = tab.expect(type="error")["error"]
    assert (error["code"], error["details"]) == ("PROCESSING_ERROR", {"timeout_ms": 500})
    office.agent.wait_cancelled(request)
    assert office.client.xlen("agent:requests") == 0
    office.agent.say(request, "message", reply="too late")
    silent(office, tab)
    assert office.metric('notify_limit_hits_total{limit="agent-timeout"}') == 1


def test_an_agent_that_is_at_it_has_more_time(make_office, user):
    def is_waited_for(timeout_s):
        office = make_office("--agent-timeout", f"{int(timeout_s * 1000)}ms")
        tab = office.talk(user)
        ask(tab)
        request = office.agent.take()
        began = time.monotonic()
        while time.monotonic() - began < 2.2 * timeout_s:
            office.agent.say(request, "token", nostore=True, content="x")
            time.sleep(timeout_s / 5)  # the time that passes is what is tested
        office.agent.say(request, "message", reply="at last")
        assert tab.expect(type="message")["data"]["reply"] == "at last"
        silent(office, tab)

    at_some_pace(is_waited_for, 1.0, doublings=3)


def test_when_the_connection_goes_the_agent_is_told(stand, user):
    session = str(uuid.uuid4())
    tab, beside = stand.talk(user, session), stand.talk(user, session)
    ask(tab)
    request = stand.agent.take()
    tab.sock.close()
    stand.agent.wait_cancelled(request)
    wait_until(lambda: stand.client.xrange("agent:requests", request["entry"], request["entry"]) == [], "it is taken out")
    stand.agent.say(request, "message", reply="nobody there")
    silent(stand, beside)
    assert stand.metric("notify_agent_requests_waiting") == 0


def test_so_many_may_wait_on_one_connection(make_office, user):
    office = make_office("--max-agent-requests-per-client", "2")
    tab = office.talk(user)
    for _ in range(3):
        ask(tab)
    assert tab.expect(type="error")["error"]["code"] == "TOO_MANY_REQUESTS"
    requests = [office.agent.take() for _ in range(2)]
    office.agent.say(requests[0], "message", reply="x")
    tab.expect(type="message")
    ask(tab)
    assert office.agent.take()
    assert office.metric('notify_limit_hits_total{limit="max-agent-requests-per-client"}') == 1


def test_so_many_may_wait_in_all(make_office, user):
    office = make_office("--max-agent-requests", "3", "--max-agent-requests-per-client", "2")
    tabs = [office.talk(user) for _ in range(2)]
    for tab in tabs:
        ask(tab)
        ask(tab)
    assert tabs[1].expect(type="error")["error"]["code"] == "UNAVAILABLE"
    assert office.metric('notify_limit_hits_total{limit="max-agent-requests"}') == 1
    assert office.metric("notify_agent_requests_waiting") == 3
    assert len([office.agent.take() for _ in range(3)]) == 3


PER_USER = 'notify_limit_hits_total{limit="max-agent-requests-per-user"}'


def refused_for_now(tab):
    ask(tab)
    return tab.expect(type="error")["error"]["code"] == "TOO_MANY_REQUESTS"


def test_what_one_user_waits_for_leaves_room_for_others(make_office, user):
    office = make_office("--max-agent-requests-per-user", "3")
    tabs = [office.talk(user) for _ in range(2)]
    for tab in (*tabs, tabs[0]):
        ask(tab)
    requests = [office.agent.take() for _ in range(3)]
    for tab in (*tabs, office.talk(user)):
        assert refused_for_now(tab)
    other = office.talk(new_name())
    ask(other)
    office.agent.say(office.agent.take(), "message", reply="yours")
    assert other.expect(type="message")["data"]["reply"] == "yours"
    assert office.metric(PER_USER) == 3
    for tab in tabs:
        tab.close()
    office.agent.wait_cancelled(requests[-1])
    tab = office.talk(user)
    for _ in range(3):
        ask(tab)
        assert office.agent.take()["user_id"] == user
    assert refused_for_now(tab)


def test_those_who_bring_no_token_share_by_their_address(make_office, tmp_path):
    roles = tmp_path / "roles.conf"
    roles.write_text("role guest\n  sessions *\n  agent *\n")
    office = make_office("--max-agent-requests-per-user", "2", "--roles", str(roles), "--anonymous-role", "guest", "--trusted-proxies", "127.0.0.1")

    def guest(address):
        tab = office.tab(f"/api/v1/ws/{uuid.uuid4()}", greeted=False, headers=[f"X-Forwarded-For: {address}"])
        tab.expect(type="connection_established")
        return tab

    for _ in range(2):
        ask(guest("192.0.2.1"))
        assert office.agent.take()
    assert refused_for_now(guest("192.0.2.1"))
    ask(guest("192.0.2.2"))
    assert office.agent.take()
    assert office.metric(PER_USER) == 1


def test_who_may_ask_is_said_by_the_roles(make_office, tmp_path, user):
    roles = tmp_path / "roles.conf"
    roles.write_text("role *\n  sessions *\n  agent {user}:*\n")
    office = make_office("--roles", str(roles))
    tab = office.talk(user, "elsewhere")
    ask(tab)
    error = tab.expect(type="error")["error"]
    assert (error["code"], error["details"]["right"], error["details"]["name"]) == ("FORBIDDEN", "agent", "elsewhere")
    ask(office.talk(user, f"{user}:1"))
    assert office.agent.take()["session_id"] == f"{user}:1"


def test_outside_of_a_session_there_is_no_agent(stand, user):
    tab = stand.tab(f"/ws?token={stand.token(user)}")
    assert tab.request("message", message="Hi")["error"]["code"] == "NOT_FOUND"


def test_without_a_stream_there_is_no_agent(make_office, user):
    office = make_office("--agent-stream", "")
    ask(office.talk(user))
    tab = office.talk(user)
    assert tab.request("message", message="Hi")["error"]["code"] == "NOT_FOUND"
    assert office.client.keys("*agent*") == []


def test_the_stream_has_the_name_and_the_length_that_were_given(make_office, user):
    office = make_office("--agent-stream", "asked", "--agent-stream-max", "1", "--message-rate", "0", "--max-agent-requests-per-client", "60", "--max-agent-requests-per-user", "300", "--max-agent-answer-bytes", "256")
    office.agent = Agent(office.server, "asked")
    for _ in range(4):
        tab = office.talk(user)
        for _ in range(60):
            ask(tab)
        tab.request("ping")
    wait_until(lambda: office.metric("notify_agent_requests_total") == 240, "all are in the stream")
    assert office.client.xlen("asked") < 240, "about: whole nodes of the stream go"


@pytest.mark.parametrize("message", [{}, {"message": ""}, {"message": None}, {"message": 7}, {"message": ["x"]}, {"message": "x", "to": "y"}])
def test_a_message_must_hold_a_text(stand, user, message):
    answer = stand.talk(user).request("message", **message)
    assert answer["error"]["code"] in ("MISSING_FIELD", "INVALID_FIELD")
    assert answer["error"]["details"]["member"] in ("message", "to")


def test_a_stream_that_is_none_is_told(make_office, user):
    office = make_office()
    office.client.set("agent:requests", "not a stream")
    tab = office.talk(user)
    ask(tab)
    error = tab.expect(type="error")["error"]
    assert error["code"] == "PROCESSING_ERROR" and "WRONGTYPE" in error["message"]
    office.client.delete("agent:requests")
    ask(tab)
    office.agent.last = "0-0"
    office.agent.say(office.agent.take(), "message", reply="x")
    tab.expect(type="message")
    silent(office, tab)


def test_while_redis_is_away_a_message_is_refused_at_once(make_office, user):
    office = make_office()
    tab = office.talk(user)
    office.server.kill9()
    wait_until(lambda: tab.request("unread_count").get("error"), "that it is noticed")
    assert tab.request("message", message="Hi")["error"]["code"] == "UNAVAILABLE"
    assert office.metric("notify_agent_requests_waiting") == 0


def test_an_answer_that_came_while_redis_was_not_heard_is_read_later(make_office, user):
    office = make_office()
    tab = office.talk(user)
    ask(tab)
    request = office.agent.take()
    for one in office.client.client_list(_type="pubsub"):
        office.client.client_kill_filter(_id=one["id"])
    office.agent.db.execute_command("NOTIFY.EVENT", request["reply_to"], "message", "DATA", json.dumps({"request_id": request["request_id"], "reply": "x"}))
    assert tab.expect(type="message")["data"]["reply"] == "x"
    wait_ready(office)


def test_the_end_of_a_bridge_is_told_to_the_agent(make_office, user):
    office = make_office()
    ask(office.talk(user, at=1))
    request = office.agent.take()
    office.bridges[1].terminate()
    office.agent.wait_cancelled(request)
