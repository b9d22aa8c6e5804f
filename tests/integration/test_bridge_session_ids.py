"""Ids as UUIDs over the door of sessions: of the inbox and of logs, in requests, messages and pages (docs/protocol.md, "In a session")."""

import itertools
import random
import subprocess

import pytest

from cockpit_helpers import is_uuid4, make_cockpit, shared_stand, tag_of, uuid_of  # noqa: F401  (two are fixtures)
from rest_client import Rest
from servers import bridge_path, wait_until
from tokens import token

LOG = "topic:all"


@pytest.fixture
def tab(stand, user):
    return stand.talk(user)


def sent(stand, tab, key, title, *options):
    """Its id of Redis, and as it is called at this door."""
    id_ = stand.send(key, title, *options)
    return id_, tab.expect(type="notification", id=id_, key=key)["data"]["id"]


def items(tab, **query):
    answer = tab.request("request_notification_history", **query)
    assert answer["type"] == "notification_history", answer
    return answer["items"]


def unread(stand, user):
    return stand.call("NOTIFY.UNREAD", f"inbox:{user}"), stand.call("NOTIFY.UNREAD", f"inbox:{user}", "LOGS", 1, LOG)


# ---- requests

def test_an_entry_of_a_log_is_marked_by_its_uuid_alone(stand, user, tab):
    _, one = sent(stand, tab, LOG, "to everybody")
    steps = [("mark_read", "read", 0), ("mark_unread", "unread_again", 1), ("archive", "archived", 0), ("unarchive", "unarchived", 1), ("delete_notification", "archived", 0)]
    for type_, told, left in steps:
        answer = tab.request(type_, id=one)
        assert (answer["type"], answer["changed"], answer["logs"]) == ("ok", 1, {LOG: left}), (type_, answer)
        message = tab.expect(type=told)
        assert (message["ids"], message["log"], message["key"]) == ([one], LOG, f"inbox:{user}")
    assert tab.request("archive", ids=[one])["changed"] == 0, "it is put away already"
    assert unread(stand, user) == (0, 0)


def test_a_uuid_of_a_log_never_means_the_entry_of_the_inbox_that_has_the_same_number(stand, user, tab):
    id_, log = sent(stand, tab, LOG, "to everybody")
    _, own = sent(stand, tab, f"inbox:{user}", "mine", "ID", id_)
    assert own == uuid_of(id_) and log == uuid_of(id_, tag_of(LOG))
    assert tab.request("mark_read", id=log)["logs"] == {LOG: 0}
    assert unread(stand, user) == (1, 1), "both are counted in the second, of the inbox and its log"
    assert tab.request("mark_unread", id=log)["changed"] == 1
    assert tab.request("mark_read", id=own)["changed"] == 1
    assert unread(stand, user) == (0, 1)
    assert tab.request("delete_notification", id=log)["changed"] == 1
    assert [item["title"] for item in items(tab)] == ["mine"]


@pytest.mark.parametrize("wire", ["session", "canonical", "http"])
def test_every_wire_takes_the_uuid_of_a_log(stand, user, tab, wire):
    _, one = sent(stand, tab, LOG, "to everybody")
    if wire == "http":
        answer = Rest(stand.bridges[1].port, token=token(user)).post("/api/v1/requests", {"type": "mark_read", "ids": [one]}).json
    else:
        door = {"session": "/api/v1/ws/x", "canonical": "/ws/x"}[wire]
        other = stand.tab(f"{door}?token={token(user)}&protocol=notify.v1", port=stand.bridges[1].port)
        answer = other.request("mark_read", ids=[one.upper()])
    assert (answer["type"], answer["changed"], answer["logs"]) == ("ok", 1, {LOG: 0}), answer
    assert tab.expect(type="read")["ids"] == [one]


def test_log_and_uuid_must_agree(stand, user, tab):
    _, of_log = sent(stand, tab, LOG, "to everybody")
    _, own = sent(stand, tab, f"inbox:{user}", "mine")
    for members in ({"id": own, "log": LOG}, {"id": of_log, "log": f"inbox:{user}"}, {"id": of_log, "log": "topic:other"}, {"ids": [of_log], "log": f"session:{user}"}):
        error = tab.request("mark_read", **members)["error"]
        assert (error["code"], error["details"]) == ("INVALID_FIELD", {"member": next(iter(members))}), members
    assert unread(stand, user) == (1, 2)
    assert tab.request("mark_read", id=of_log, log=LOG)["changed"] == 1
    assert tab.request("mark_read", id=own, log=f"inbox:{user}")["changed"] == 1
    assert unread(stand, user) == (0, 0)


@pytest.mark.parametrize("type_", ["mark_read", "archive", "delete_notification", "action_done"])
def test_a_uuid_of_a_log_that_the_inbox_does_not_follow_is_of_nothing(stand, user, tab, type_):
    id_ = stand.send(f"inbox:{user}", "mine")
    error = tab.request(type_, id=uuid_of(id_, tag_of("topic:unheard-of")))["error"]
    assert (error["code"], error["details"]) == ("NOT_FOUND", {"member": "id"})
    assert unread(stand, user) == (1, 1) and [item["is_read"] for item in items(tab)] == [False]


def same_tag():
    """Two names of topics whose ids cannot be told from each other."""
    seen = {}
    for n in itertools.count():
        name = f"t{n}"
        tag = tag_of(f"topic:{name}")
        if tag in seen:
            return seen[tag], name
        seen[tag] = name


def test_of_two_logs_with_one_tag_the_log_must_be_named(make_cockpit, tmp_path, user):
    one, two = same_tag()
    roles = tmp_path / "roles.conf"
    roles.write_text(f"role *\n  categories *\n  follow {one} {two}\n")
    cockpit = make_cockpit("--roles", str(roles))
    tab = cockpit.talk(user)
    id_, as_uuid = sent(cockpit, tab, f"topic:{one}", "which?")
    error = tab.request("mark_read", id=as_uuid)["error"]
    assert (error["code"], error["details"]) == ("INVALID_FIELD", {"member": "id"})
    assert tab.request("request_notification_history", feed=True, before=as_uuid)["error"]["details"] == {"member": "before"}
    assert tab.request("mark_read", id=as_uuid, log=f"topic:{one}")["changed"] == 1
    assert tab.request("mark_unread", id=id_, log=f"topic:{one}")["changed"] == 1


def test_two_broadcast_logs_with_one_tag_are_refused_at_start():
    one, two = same_tag()
    command = [bridge_path(), "--auth", "none", "--check-config", "--broadcast-log", f"topic:{one}", "--broadcast-log"]
    for other, status in (("topic:another", 0), (f"topic:{one}", 0), (f"topic:{two}", 2)):
        done = subprocess.run([*command, other], stderr=subprocess.PIPE, text=True)
        assert done.returncode == status, (other, done.stderr)
    assert f"broadcast-log: topic:{one} and topic:{two} cannot be told apart" in done.stderr


def test_what_was_done_is_told_by_the_same_ids(stand, user, tab):
    for key in (LOG, f"inbox:{user}"):
        _, one = sent(stand, tab, key, "do it", "ACTION", '{"label":"Open","url":"/x"}')
        assert tab.request("action_done", id=one, name="open")["type"] == "ok"
        done = tab.expect(type="action_done")
        assert done["data"]["notification_id"] == one and done["data"].get("log") == (LOG if key == LOG else None)
    assert unread(stand, user) == (0, 0)


@pytest.mark.parametrize("data", ['{"notification_id":7}', '{"notification_id":"x"}', "[]", '"x"', '{"notification_id":"1-1","log":7}', '{"log":"topic:all"}', '{"notification_id":"1-1","notification_id":{}}'])
def test_an_event_of_that_name_by_somebody_else_is_told_whatever_it_holds(stand, user, tab, data):
    stand.call("NOTIFY.EVENT", f"inbox:{user}", "action_done", "DATA", data)
    assert tab.expect(type="action_done")["key"] == f"inbox:{user}"


# ---- pages

def test_all_pages_call_entries_as_they_were_told(stand, user, tab):
    told = {}
    for key, title in ((f"inbox:{user}", "mine"), (LOG, "everybody's"), (f"inbox:{user}", "mine, too")):
        told[title] = sent(stand, tab, key, title)[1]
    pages = {"own": {}, "feed": {"feed": True}, "as the inbox sees it": {"log": LOG}, "as it is": {"topic": "all"}}
    for name, query in pages.items():
        page = [item for item in items(tab, limit=50, **query) if item["title"] in told]
        assert page and all(item["id"] == told[item["title"]] for item in page), name
        assert all((item["content"], item["notification_type"]) == ("", "notification") for item in page), name
        assert [item for item in page if "log" in item and item["title"] != "everybody's"] == []
    assert [item["id"] for item in items(tab, before=told["mine, too"])] == [told["mine"]]


def test_elsewhere_pages_have_ids_of_redis(stand, user):
    id_ = stand.send(f"inbox:{user}", "mine")
    (item,) = items(stand.tab(f"/ws?token={token(user)}"))
    assert (item["id"], item["content"]) == (id_, None)
    (item,) = items(stand.tab(f"/api/v1/ws/x?token={token(user)}&protocol=notify.v1"))
    assert item["id"] == id_
    page = Rest(stand.daemon.port, token=token(user)).post("/api/v1/requests", {"type": "request_notification_history"}).json
    assert page["items"][0]["id"] == id_


def test_an_event_in_a_page_is_as_it_was_told(stand, user, tab):
    id_ = stand.call("NOTIFY.EVENT", f"inbox:{user}", "task_moved", "DATA", '{"id":"1-1","content":null,"notification_type":null}')
    live = tab.expect(type="task_moved")
    (item,) = items(tab)
    assert (item["type"], item["id"], item["data"]) == ("task_moved", id_, live["data"])


def test_titles_and_data_come_as_they_were_sent(stand, user, tab):
    title, data = '"quotes" \\ and é', '{"id":"1-1","content":null,"n":0.10,"deep":{"notification_type":null}}'
    stand.send(f"inbox:{user}", title, "DATA", data, "CONTENT", "null", "TYPE", "null")
    tab.expect(type="notification")
    tab.send({"type": "request_notification_history"})
    assert data in tab.recv_text()
    (item,) = items(tab)
    assert (item["title"], item["content"], item["notification_type"]) == (title, "null", "null")


@pytest.mark.parametrize("seed", range(3))
def test_a_feed_goes_on_behind_any_uuid_without_a_loss_or_a_repetition(make_cockpit, user, seed):
    cockpit = make_cockpit()
    rng = random.Random(seed)
    tab = cockpit.talk(user)
    keys = [f"inbox:{user}", LOG]
    ids = [f"{5_000_000_000_000 + n // 2}-{rng.randrange(2)}" for n in range(60)]
    expected = set()
    for n, id_ in enumerate(sorted(set(ids), key=lambda id_: tuple(map(int, id_.split("-"))))):
        for key in rng.sample(keys, rng.choice([1, 1, 2])):
            cockpit.send(key, f"n{n}", "ID", id_)
            expected.add((key, id_))
    wait_until(lambda: cockpit.call("NOTIFY.UNREAD", f"inbox:{user}", "LOGS", 1, LOG) == len(expected), "all are there")
    seen, before = [], {}
    while page := items(tab, feed=True, limit=rng.randrange(1, 8), **before):
        assert all(is_uuid4(item["id"]) for item in page)
        seen += [(item.get("log", keys[0]), item["id"]) for item in page]
        before = {"before": page[-1]["id"]}
    assert len(seen) == len(set(seen)), "nothing twice"
    assert set(seen) == {(key, uuid_of(id_, 0 if key == keys[0] else tag_of(key))) for key, id_ in expected}
