"""Publishing over HTTP: POST /api/v1/notifications. (POST /api/notifications: tests/contracts.)"""

import json
import threading
import time

import pytest

from bridge_helpers import new_name
from contract_b_client import Backend
from servers import wait_until
from tokens import SECRET, token

PATH = "/api/v1/notifications"


def post(stand, body, port=None, **headers):
    """(status, answer)"""
    text = body if isinstance(body, (str, bytes)) else json.dumps(body)
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    backend = Backend(port or stand.daemon.port)
    status, answer = backend.request("POST", PATH, text, {"Content-Type": "application/json", **headers})
    return status, json.loads(answer)


def created(stand, body, **headers):
    status, answer = post(stand, body, **headers)
    assert status == 201, answer
    return answer


def test_a_user_gets_it_and_the_answer_says_how_many_connections_did(stand, user):
    tabs = [stand.tab(f"/ws/{n}?user={user}") for n in range(3)]
    answer = created(
        stand,
        {
            **{"user_id": user, "title": "New Task", "content": "c", "type": "task_created", "category": "tasks"},
            **{"level": "warning", "action": {"type": "open_task"}, "data": {"n": 0.10}},
            **{"related_entity_type": "task", "related_entity_id": "t-1"},
        },
    )
    assert set(answer) == {"id", "recipients"}
    assert wait_until(lambda: post(stand, {"user_id": user, "title": "again"})[1]["recipients"] == 3, "3 recipients")
    for tab in tabs:
        message = tab.expect(type="notification")
        assert message["id"] == answer["id"]
        assert message["data"].items() >= {
            **{"title": "New Task", "content": "c", "notification_type": "task_created", "category": "tasks"},
            **{"level": "warning", "action": {"type": "open_task"}, "entity": {"type": "task", "id": "t-1"}},
        }.items()


def test_nobody_there_is_0_and_who_is_not_counted_is_null(stand, user, topic):
    assert created(stand, {"user_id": user, "title": "t"})["recipients"] == 0
    assert created(stand, {"topic": topic, "title": "t"})["recipients"] is None
    assert created(stand, {"broadcast": True, "title": "t"})["recipients"] is None


def test_a_session_gets_it(stand, user):
    session = new_name()
    tab = stand.tab(f"/ws/{session}?user={user}")
    tab.request("subscribe_session", session_id=session)
    wait_until(lambda: created(stand, {"session_id": session, "title": "t"})["recipients"] == 1, "a recipient")
    assert tab.expect(type="notification", key=f"session:{session}")


def test_it_may_be_stored_only_and_leave_a_session_out(stand, user):
    left_out, tab = stand.tab(f"/ws/left-out?user={user}"), stand.tab(f"/ws/other?user={user}")
    answer = created(stand, {"user_id": user, "title": "quiet", "send_websocket": False})
    assert answer["recipients"] == 0
    created(stand, {"user_id": user, "title": "loud", "exclude_session": "left-out"})
    assert tab.expect(type="notification", message="loud")
    assert not any(m.get("message") == "loud" for m in stand.drain(left_out))


WRONG = [
    ("", 422, "title"),
    ("[]", 400, None),
    ('{"user_id":"u","title":"t"', 400, None),
    (b'{"user_id":"u","title":"\xff"}', 400, None),
    ({}, 422, "title"),
    ({"title": "t"}, 422, "user_id"),
    ({"user_id": "u"}, 422, "title"),
    ({"user_id": "u", "topic": "t", "title": "t"}, 422, "topic"),
    ({"user_id": "u", "title": ""}, 422, "title"),
    ({"user_id": "u", "title": "x" * 256}, 422, "title"),
    ({"user_id": 7, "title": "t"}, 422, "user_id"),
    ({"user_id": "a\nb", "title": "t"}, 422, "user_id"),
    ({"broadcast": False, "title": "t"}, 422, "broadcast"),
    ({"broadcast": "yes", "title": "t"}, 422, "broadcast"),
    ({"user_id": "u", "title": "t", "level": "loud"}, 422, "level"),
    ({"user_id": "u", "title": "t", "type": "x" * 65}, 422, "type"),
    ({"user_id": "u", "title": "t", "category": ""}, 422, "category"),
    ({"user_id": "u", "title": "t", "related_entity_type": "task"}, 422, "related_entity_id"),
    ({"user_id": "u", "title": "t", "send_websocket": 1}, 422, "send_websocket"),
    ({"user_id": "u", "title": "t", "idempotency_key": "k"}, 422, "idempotency_key"),
    ({"user_id": "u", "title": "t", "titel": "t"}, 422, "titel"),
    ('{"user_id":"u","title":"t","title":"t"}', 422, "title"),
    ('{"user_id":"u","title":"t","data":' + "[" * 2060 + "]" * 2060 + "}", 422, "DATA"),
    ('{"user_id":"u","title":"t","data":' + "[" * 5000 + "]" * 5000 + "}", 400, None),
    ({"user_id": "u", "title": "t", "content": "x" * 70000}, 413, None),
]


@pytest.mark.parametrize("body, status, named", WRONG, ids=range(len(WRONG)))
def test_a_wrong_body_is_refused_by_name_and_nothing_is_stored(stand, body, status, named):
    said, answer = post(stand, body)
    assert (said, "error" in answer) == (status, True), answer
    assert named is None or named in answer["error"]["message"]
    assert stand.client.exists("inbox:u") == 0


# -- rights


ROLES = """
role sender
  publish  news
  send     alice
  send_sessions  s1
"""


def test_each_target_needs_its_right(make_stand, tmp_path):
    file = tmp_path / "roles.conf"
    file.write_text(ROLES)
    stand = make_stand("--auth", "jwt", "--jwt-secret", SECRET, "--roles", str(file))
    bearer = {"Authorization": f"Bearer {token('x', roles=['sender'])}"}
    for target in ({"topic": "news"}, {"user_id": "alice"}, {"session_id": "s1"}):
        created(stand, {**target, "title": "t"}, **bearer)
    for target, right in (
        ({"topic": "other"}, "publish"),
        ({"user_id": "bob"}, "send"),
        ({"user_id": "x"}, "send"),
        ({"session_id": "s2"}, "send_sessions"),
        ({"broadcast": True}, "publish"),
    ):
        status, answer = post(stand, {**target, "title": "t"}, **bearer)
        assert (status, answer["error"]["code"], answer["error"]["details"]["right"]) == (403, "FORBIDDEN", right)
    assert post(stand, {"topic": "news", "title": "t"})[0] == 401
    assert post(stand, {"topic": "news", "title": "t"}, Authorization="Bearer x")[0] == 401


# -- Idempotency-Key


def titles(stand, key):
    return [json.loads(text)["data"]["title"] for text in stand.call("NOTIFY.RANGE", key, "-", "+", "JSON")]


@pytest.mark.parametrize("again", ["%s", '"%s"'])
def test_a_repeat_is_answered_with_the_same_id(stand, user, again):
    body = {"user_id": user, "title": "once", "data": {"a": 1}}
    ids = {created(stand, body, Idempotency_Key=key)["id"] for key in (user, again % user, user)}
    assert len(ids) == 1 and titles(stand, f"inbox:{user}") == ["once"]


def test_over_the_other_bridge_and_after_both_have_died_it_is_the_same(make_stand, user):
    stand = make_stand()
    other = stand.bridge(stand.server, name="other")
    body = {"user_id": user, "title": "once"}
    first = created(stand, body, Idempotency_Key="k")
    assert post(stand, body, port=other.port, Idempotency_Key="k")[1]["id"] == first["id"]
    for bridge in (stand.daemon, other):
        bridge.kill9()
        bridge.start()
    assert created(stand, body, Idempotency_Key="k")["id"] == first["id"]
    assert titles(stand, f"inbox:{user}") == ["once"]


def test_a_crash_between_leaves_nothing_half_done(make_stand, user):
    """Bridges are killed while keys are posted, each until it is answered: each is there once."""
    stand = make_stand()
    other = stand.bridge(stand.server, name="other")
    ids = {}

    def send(first):
        for n in range(first, 60, 2):
            body = {"user_id": user, "title": f"n{n}"}
            for attempt in range(400):
                port = (stand.daemon.port, other.port)[(n + attempt) % 2]
                try:
                    status, answer = post(stand, body, port=port, Idempotency_Key=f"key-{n}")
                except (OSError, ValueError):
                    time.sleep(0.02)
                    continue
                if status == 201:
                    ids[n] = answer["id"]
                    break
                assert status == 503, answer

    senders = [threading.Thread(target=send, args=(first,), daemon=True) for first in (0, 1)]
    for sender in senders:
        sender.start()
    for bridge in (stand.daemon, other, stand.daemon):
        wait_until(lambda: len(ids) > 5 or not any(s.is_alive() for s in senders), "some answers")
        bridge.kill9()
        bridge.start()
    for sender in senders:
        sender.join()
    assert len(ids) == 60
    assert sorted(titles(stand, f"inbox:{user}")) == sorted(f"n{n}" for n in range(60))
    for n, id_ in ids.items():
        assert created(stand, {"user_id": user, "title": f"n{n}"}, Idempotency_Key=f"key-{n}")["id"] == id_


@pytest.mark.parametrize("change", [{"title": "other"}, {"content": "c"}, {"send_websocket": False}, {"level": "error"}])
def test_another_body_with_the_same_key_is_refused(stand, user, change):
    body = {"user_id": user, "title": "t"}
    created(stand, body, Idempotency_Key=user)
    status, answer = post(stand, {**body, **change}, Idempotency_Key=user)
    assert (status, answer["error"]["details"]) == (422, {"member": "idempotency_key"})
    assert titles(stand, f"inbox:{user}") == ["t"]


def test_members_in_another_order_are_the_same_body(stand, user):
    bodies = [f'{{"user_id":"{user}","title":"t","level":"info"}}', f'{{"level" : "info", "title":"\\u0074","user_id":"{user}"}}']
    assert len({created(stand, body, Idempotency_Key=user)["id"] for body in bodies}) == 1


@pytest.mark.parametrize("key", ["", '""', "a b", "ä".encode().decode("latin-1"), "x" * 256, 'a"b', "\x7f"])
def test_a_key_that_is_none_is_refused(stand, user, key):
    status, answer = post(stand, {"user_id": user, "title": "t"}, Idempotency_Key=key)
    assert status in (400, 422) and "error" in answer
    assert stand.client.exists(f"inbox:{user}") == 0
