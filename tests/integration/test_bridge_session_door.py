"""/api/v1/ws/{session_id}: what is different there (docs/protocol.md, "In a session")."""

import uuid

import pytest

from bridge_helpers import ISO_TIME, new_name, number_of
from cockpit_helpers import is_uuid4, make_cockpit, shared_stand  # noqa: F401  (two are fixtures)
from servers import at_some_pace, wait_until
from tokens import claims, hs, token
from ws_client import Refused


def test_the_greeting_names_the_session_and_the_user_and_nothing_else(stand, user):
    session = str(uuid.uuid4())
    greeting = stand.talk(user, session).greeting
    assert set(greeting) == {"type", "data"}
    assert set(greeting["data"]) == {"session_id", "user_id", "connected_at"}
    assert (greeting["data"]["session_id"], greeting["data"]["user_id"]) == (session, user)
    assert ISO_TIME.match(greeting["data"]["connected_at"])


@pytest.mark.parametrize("path", ["/api/v1/ws", "/api/v1/ws/", "/api/v1/ws/a/b", "/api/v1/ws//", "/api/v1/wsx", "/api/v1"])
def test_without_a_session_there_is_no_such_path(stand, path):
    with pytest.raises(Refused) as refused:
        stand.tab(path)
    assert refused.value.status == 404


def test_ping_is_answered_with_the_time(stand, user):
    tab = stand.talk(user)
    tab.send({"type": "ping"})
    pong = tab.expect(type="pong")
    assert ISO_TIME.match(pong["timestamp"])


def test_a_notification_has_a_uuid_and_no_empty_texts_in_every_session_of_its_user(stand, user):
    tabs = [stand.talk(user, at=0), stand.talk(user, at=1)]
    entity = str(uuid.uuid4())
    id_ = stand.send(f"inbox:{user}", "New Task Created", "TYPE", "task_created", "ENTITY", "task", entity, "ACTION", '{"type":"open_task","url":"/t/1"}')
    stand.send(f"inbox:{user}", "bare")
    for tab in tabs:
        first, second = tab.expect(type="notification"), tab.expect(type="notification")
        data = first["data"]
        assert is_uuid4(data["id"]) and uuid.UUID(data["id"]).version == 4
        assert (data["title"], data["content"], data["notification_type"]) == ("New Task Created", "", "task_created")
        assert data["action"] == {"type": "open_task", "url": "/t/1"}
        assert ISO_TIME.match(data["created_at"]) and ISO_TIME.match(first["timestamp"])
        assert first["id"] == id_, "the position stays what it is"
        assert (second["data"]["content"], second["data"]["notification_type"]) == ("", "notification")
        assert second["data"]["id"] > data["id"], "they sort as they came"


def test_the_log_of_the_session_is_followed_by_itself(stand, user):
    session = str(uuid.uuid4())
    tab, other = stand.talk(user, session), stand.talk(user)
    stand.call("NOTIFY.EVENT", f"session:{session}", "session_progress", "DATA", '{"progress_percentage":40}')
    assert tab.expect(type="session_progress")["data"] == {"progress_percentage": 40}
    assert [m for m in stand.drain(other) if m["type"] == "session_progress"] == []


def test_a_session_that_the_user_may_not_follow_is_told_of_and_the_rest_is_there(make_cockpit, tmp_path, user):
    roles = tmp_path / "roles.conf"
    roles.write_text("role *\n  sessions {user}:*\n")
    cockpit = make_cockpit("--roles", str(roles))
    tab = cockpit.talk(user, "somebody-elses")
    error = tab.expect(type="error")["error"]
    assert error["code"] == "FORBIDDEN" and error["details"] == {"key": "session:somebody-elses"}
    cockpit.send(f"inbox:{user}", "still there")
    assert tab.expect(type="notification")["data"]["title"] == "still there"
    assert [m for m in cockpit.talk(user, f"{user}:1").drain() if m["type"] == "error"] == []


@pytest.mark.parametrize("bad", ["x.y.z", "", "expired", "foreign"])
def test_a_token_that_is_no_good_breaks_the_policy(stand, user, bad):
    made = {"expired": hs(claims(user, -3600)), "foreign": hs(claims(user), secret="another secret of the tests, long enough for it")}
    tab = stand.tab(f"/api/v1/ws/{uuid.uuid4()}?token={made.get(bad, bad)}", greeted=False)
    assert tab.wait_closed().code == 1008
    assert tab.messages == []


def test_a_token_that_expires_breaks_the_policy(make_cockpit, user):
    cockpit = make_cockpit("--jwt-leeway", "0")

    def breaks_it(lasts_s):
        tab = cockpit.talk(user, token_=token(user, seconds=lasts_s))
        assert tab.expect(type="token_expiring")
        assert tab.wait_closed().code == 1008

    at_some_pace(breaks_it, 2)


def test_whoever_is_somebody_else_breaks_the_policy(stand, user):
    assert stand.open(user, query="&user=somebody").wait_closed().code == 1008


def test_elsewhere_the_codes_are_the_canonical_ones(stand):
    assert stand.tab("/ws?token=x", greeted=False).wait_closed().code == 4401
    assert stand.tab(f"/api/v1/ws/{uuid.uuid4()}?token={token('u')}&last_event_id=x", greeted=False).wait_closed().code == 4400


def test_the_sixth_connection_of_a_session_breaks_the_policy_over_both_bridges(stand, user):
    session = str(uuid.uuid4())
    tabs = [stand.talk(user, session, at=n % 2) for n in range(5)]
    closed = stand.open(user, session, at=1).wait_closed()
    assert (closed.code, closed.reason) == (1008, "too many connections of this session")
    assert stand.talk(user) and stand.talk(new_name(), session), "another session, and another user's"
    tabs[0].close()
    wait_until(lambda: stand.call("NOTIFY.SESSION", "COUNT", f"sessions:{user}", "CONNECTIONS") == 5, "its place is free")
    stand.talk(user, session, at=1)


def test_ids_are_taken_in_either_form(stand, user):
    tab = stand.talk(user)
    ids = [stand.send(f"inbox:{user}", f"n{n}") for n in range(4)]
    uuids = [tab.expect(type="notification")["data"]["id"] for _ in ids]
    assert tab.request("mark_read", id=uuids[0])["unread"] == 3
    assert tab.expect(type="read")["ids"] == [uuids[0]], "and told as they are called here"
    assert tab.request("mark_read", ids=[ids[1], uuids[2].upper()])["changed"] == 2
    assert tab.request("delete_notification", id=uuids[3])["changed"] == 1
    assert tab.expect(type="deleted")["ids"] == [uuids[3]]
    assert stand.call("NOTIFY.UNREAD", f"inbox:{user}") == 0
    assert tab.request("request_notification_history", before=uuids[1])["items"][0]["title"] == "n0"


@pytest.mark.parametrize("bad", ["", "x", "00000000-0000-1000-8000-000000000000", "00000000-0000-4000-0000-000000000000", "g0000000-0000-4000-8000-000000000000", "00000000000040008000000000000000", "ffffffff-ffff-4000-8000-000000000000"])
def test_what_is_no_id_is_refused_by_name(stand, user, bad):
    error = stand.talk(user).request("mark_read", id=bad)["error"]
    assert (error["code"], error["details"]) == ("INVALID_FIELD", {"member": "id"})


def test_ids_of_two_boxes_are_not_taken_together(stand, user):
    tab = stand.talk(user)
    stand.send(f"inbox:{user}", "mine")
    stand.send("topic:all", "everybody's")
    mine, all_ = (tab.expect(type="notification", key=key)["data"]["id"] for key in (f"inbox:{user}", "topic:all"))
    assert mine[15:18] == "000" and all_[15:18] != "000", "the tag of the box"
    assert tab.request("mark_read", ids=[mine, all_])["error"]["code"] == "INVALID_FIELD"


def test_an_error_always_has_details(stand, user):
    tab = stand.talk(user)
    for message in ("{", "[]", '{"type":"nonsense"}', '{"type":"mark_read"}', '{"type":"message"}', '{"type":"message","message":7}', '{"no":"type"}'):
        tab.send(message)
        error = tab.expect(type="error")["error"]
        assert set(error) == {"code", "message", "details"} and isinstance(error["message"], str), message
    tab.send({"type": "ping"})
    tab.expect(type="pong")


def test_our_own_protocol_may_be_asked_for_there_too(stand, user):
    tab = stand.open(user, "own", query="&protocol=notify.v1")
    assert tab.expect(type="connection")["client_id"] == "own"
    id_ = stand.send(f"inbox:{user}", "hello")
    message = tab.expect(type="notification")
    assert message["data"]["id"] == id_ and message["data"]["content"] is None
    assert number_of(id_)
