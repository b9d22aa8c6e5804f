"""The inbox over HTTP: list, count, one, read, delete, with the logs that it follows as one feed."""

import json
import random
import re
import time
import uuid

import pytest

from bridge_helpers import ISO_TIME, Stand, new_name
from cockpit_helpers import tag_of, uuid_of
from rest_client import Rest
from servers import at_some_pace, change_roles, wait_until
from tokens import SECRET, token

LIST = "/api/v1/notifications"
COUNT = LIST + "/unread/count"
LIMITS = ("--request-rate", "0")


@pytest.fixture(scope="module")
def house():
    stand = Stand(*LIMITS)
    stand.second = stand.bridge(stand.server, *LIMITS)
    yield stand
    stand.close_tabs()
    stand.close()


class Person:
    """A user with his inbox, and two bridges to ask."""

    def __init__(self, house, name=None):
        self.house = house
        self.name = name or new_name()
        self.inbox = f"inbox:{self.name}"
        self.rest = Rest(house.daemon.port, user=self.name)
        self.elsewhere = Rest(house.second.port, user=self.name)

    def send(self, title="hello", *options):
        return self.house.send(self.inbox, title, *options)

    def get(self, path=LIST, **options):
        answer = self.rest.get(path, **options)
        assert answer.status == 200, answer
        return answer.json

    def titles(self, **query):
        return [item["title"] for item in self.get(**query)["items"]]

    def only(self, **query):
        (item,) = self.get(**query)["items"]
        return item


@pytest.fixture
def alice(house):
    person = Person(house)
    person.get()  # her inbox follows its logs from now on
    return person


# ---- items

ITEM = {
    "id", "user_id", "title", "content", "type", "category", "level", "action", "related_entity_type", "related_entity_id",
    "data", "is_read", "read_at", "created_at", "updated_at", "expires_at", "log",
}  # fmt: skip


def test_an_item_has_all_that_was_sent_as_it_was_written(alice):
    id_ = alice.send(
        "New Task Created", "CONTENT", "do it", "TYPE", "task_created", "CATEGORY", "work", "LEVEL", "warning",
        "ENTITY", "task", "5f0c", "ACTION", '{"type":"open_task", "url":"/t/1"}', "DATA", '{"x":0.10,"x":1e400,"long":12345678901234567890}',
    )  # fmt: skip
    body = alice.rest.get(LIST).body.decode()
    assert '"data":{"x":0.10,"x":1e400,"long":12345678901234567890}' in body
    item = alice.only()
    assert set(item) == ITEM
    assert uuid.UUID(item["id"]).version == 4
    assert item["id"] == uuid_of(id_)
    assert (item["user_id"], item["title"], item["content"], item["type"]) == (alice.name, "New Task Created", "do it", "task_created")
    assert (item["related_entity_type"], item["related_entity_id"]) == ("task", "5f0c")
    assert item["action"] == {"type": "open_task", "url": "/t/1"}
    assert (item["category"], item["level"], item["log"]) == ("work", "warning", None)
    assert (item["is_read"], item["read_at"], item["expires_at"]) == (False, None, None)
    assert ISO_TIME.match(item["created_at"]) and item["updated_at"] == item["created_at"]


def test_content_and_type_are_never_null(alice):
    alice.send("plain")
    alice.send("an alert", "EVENT", "alert")
    alert, plain = alice.get()["items"]
    assert (plain["content"], plain["type"]) == ("", "notification")
    assert (alert["content"], alert["type"]) == ("", "alert")
    assert (plain["action"], plain["data"], plain["related_entity_type"], plain["related_entity_id"]) == (None,) * 4


def test_texts_come_as_they_were_sent(alice):
    title = 'ä€😀 "\\/ \u0001\u2028'
    alice.send(title, "CONTENT", "\r\nx", "ENTITY", 'a"b', "c\\d")
    item = alice.only()
    assert (item["title"], item["content"]) == (title, "\r\nx")
    assert (item["related_entity_type"], item["related_entity_id"]) == ('a"b', "c\\d")


def test_an_id_beyond_what_a_uuid_holds_stays_what_it_was(alice):
    alice.send("far", "ID", f"1-{2**62}")
    item = alice.only()
    assert item["id"] == f"1-{2**62}"
    assert alice.get(f"{LIST}/{item['id']}")["title"] == "far"


# ---- lists


def test_pages_by_number(alice):
    alice.house.send_many(alice.inbox, 45)
    first = alice.get()
    assert (first["page"], first["page_size"], first["total"], first["unread"], len(first["items"])) == (1, 20, 45, 45, 20)
    pages = [alice.get(page=n, page_size=20) for n in (1, 2, 3, 4)]
    assert [len(page["items"]) for page in pages] == [20, 20, 5, 0]
    titles = [item["title"] for page in pages for item in page["items"]]
    assert titles == [f"number {n}" for n in range(44, -1, -1)]
    assert [page["next"] is None for page in pages] == [False, False, True, True]
    assert {page["total"] for page in pages} == {45}


def test_pages_by_cursor(alice):
    alice.house.send_many(alice.inbox, 25)
    titles, cursor = [], None
    while True:
        page = alice.get(page_size=10, **({"cursor": cursor} if cursor else {}))
        titles += [item["title"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
        assert re.fullmatch(r"[A-Za-z0-9_-]+", cursor)
    assert titles == [f"number {n}" for n in range(24, -1, -1)]
    assert page["page"] is None


def test_filters_are_combined_and_counted(alice):
    alice.send("1", "TYPE", "a", "CATEGORY", "x")
    alice.send("2", "TYPE", "a", "CATEGORY", "y")
    alice.send("3", "TYPE", "b", "CATEGORY", "x")
    alice.house.call("NOTIFY.READ", alice.inbox, alice.send("4", "TYPE", "a", "CATEGORY", "x"))
    assert alice.titles(notification_type="a") == ["4", "2", "1"]
    assert alice.titles(notification_type="a", category="x") == ["4", "1"]
    assert alice.titles(notification_type="a", category="x", unread_only="true") == ["1"]
    assert alice.titles(notification_type="none") == []
    page = alice.get(notification_type="a", category="x")
    assert (page["total"], page["unread"]) == (2, 3)
    assert alice.titles(unread_only="True") == alice.titles(unread_only="1") == ["3", "2", "1"]
    assert alice.titles(unread_only="false") == ["4", "3", "2", "1"]


def test_events_and_what_was_put_away_and_has_expired_are_not_in_it(alice):
    alice.send("here")
    alice.house.call("NOTIFY.EVENT", alice.inbox, "session_progress", "DATA", '{"id":"1-1","title":"x"}')
    alice.house.call("NOTIFY.MARK", alice.inbox, "ARCHIVED", alice.send("archived"))
    alice.send("short", "PX", "1")
    wait_until(lambda: alice.titles() == ["here"], "expiry")
    assert alice.get()["total"] == 1


def test_a_page_too_far_for_its_number_is_empty_or_refused(alice):
    alice.send("one")
    assert alice.get(page=1000000, page_size=100)["items"] == []
    page = alice.get(page=102, page_size=100)
    assert (page["items"], page["total"], page["next"]) == ([], 1, None)


def test_what_does_not_fit_into_an_answer_is_refused_by_number_and_goes_on_by_cursor(alice):
    ids = [alice.send(f"{n}", "CONTENT", "x" * 60000) for n in range(30)]
    answer = alice.rest.get(LIST, page_size=30)
    assert (answer.status, answer.json["error"]["details"]) == (422, {"member": "page_size"})
    assert len(alice.get(page_size=10)["items"]) == 10
    cursor, seen = alice.get(page_size=1)["next"], 1
    while cursor:
        page = alice.get(cursor=cursor, page_size=100)
        seen += len(page["items"])
        cursor = page["next"]
    assert seen == len(ids)


# ---- logs


@pytest.fixture
def news(house):
    """What is sent to everybody, with a name that tells it from others' tests."""
    name = new_name("n")

    def send(title, *options):
        return house.send("topic:all", f"{name} {title}", *options)

    send.name = name
    return send


def test_a_broadcast_is_in_the_list_of_each_user_with_his_own_state(house, alice, news):
    bob = Person(house)
    bob.get()
    own = alice.send("own")
    id_ = news("for all")
    (item,) = (item for item in alice.get()["items"] if item["log"])
    assert (item["title"], item["log"], item["user_id"]) == (f"{news.name} for all", "topic:all", alice.name)
    assert item["id"] == uuid_of(id_, tag_of("topic:all"))
    assert item["id"] == bob.only()["id"]
    assert {entry["id"] for entry in alice.get()["items"]} == {item["id"], uuid_of(own)}
    assert alice.rest.call("PATCH", f"{LIST}/{item['id']}/read").json["is_read"] is True
    assert {entry["is_read"] for entry in alice.get()["items"] if entry["log"]} == {True}
    assert bob.only()["is_read"] is False
    assert (alice.get(COUNT)["unread"], bob.get(COUNT)["unread"]) == (1, 1)
    assert alice.titles(unread_only="true") == ["own"]


def test_what_was_sent_to_everybody_before_one_came_is_not_in_it(house, news):
    news("before")
    late = Person(house)
    assert late.titles() == []
    news("after")
    assert late.titles() == [f"{news.name} after"]


def test_deleting_a_broadcast_puts_it_away_for_oneself(house, alice, news):
    bob = Person(house)
    bob.get()
    news("for all")
    (id_,) = {item["id"] for person in (alice, bob) for item in person.get()["items"]}
    assert alice.rest.call("DELETE", f"{LIST}/{id_}").status == 204
    assert alice.rest.call("DELETE", f"{LIST}/{id_}").status == 404
    assert alice.rest.get(f"{LIST}/{id_}").status == 404
    assert (alice.titles(), bob.titles()) == ([], [f"{news.name} for all"])


def test_read_all_reads_the_logs_too(alice, news):
    alice.send("own", "CATEGORY", "ci")
    news("for all")
    assert alice.get(COUNT)["unread"] == 2
    answer = alice.rest.post(f"{LIST}/read-all")
    assert (answer.status, answer.json) == (200, {"marked": 2})
    assert alice.get(COUNT) == {"unread": 0, "unseen": 0, "by_category": {}}
    assert alice.rest.post(f"{LIST}/read-all").json == {"marked": 0}


def test_read_all_up_to_an_id_leaves_what_is_newer(alice):
    old = alice.send("old")
    new = alice.send("new")
    for upto in (old, uuid_of(old)):
        assert alice.rest.post(f"{LIST}/read-all", {"upto": upto}).status == 200
        assert alice.titles(unread_only="true") == ["new"]
    assert alice.rest.post(f"{LIST}/read-all", {"upto": "yesterday"}).status == 422
    assert alice.rest.post(f"{LIST}/read-all", {"upto": uuid_of(new)}).json == {"marked": 1}


def test_the_counts_are_of_the_inbox_and_its_logs(alice, news):
    alice.send("1", "CATEGORY", "ci")
    alice.send("2")
    news("3", "CATEGORY", "ci")
    assert alice.get(COUNT) == {"unread": 3, "unseen": 3, "by_category": {"ci": 2}}
    assert alice.get()["unread"] == 3


# ---- one


def test_one_is_shown_and_read_by_either_form_of_its_id(alice):
    id_ = alice.send("one")
    for form in (id_, uuid_of(id_), uuid_of(id_).upper()):
        assert alice.get(f"{LIST}/{form}")["title"] == "one"
    item = alice.rest.call("PATCH", f"{LIST}/{id_}/read").json
    assert set(item) == ITEM
    assert item["is_read"] is True
    assert ISO_TIME.match(item["read_at"]) and item["updated_at"] == item["read_at"]
    assert alice.rest.call("PATCH", f"{LIST}/{id_}/read", {}).json == item
    assert alice.rest.call("DELETE", f"{LIST}/{id_}").body == b""
    assert alice.rest.call("DELETE", f"{LIST}/{id_}").status == 404
    assert alice.rest.call("PATCH", f"{LIST}/{id_}/read").status == 404


def test_of_a_log_the_form_of_redis_is_taken_too(alice, news):
    id_ = news("all")
    assert alice.get(f"{LIST}/{id_}:topic:all")["log"] == "topic:all"
    assert alice.rest.get(f"{LIST}/{id_}").status == 404  # which is none of the inbox


def test_anothers_notification_is_as_one_that_never_was(house, alice):
    mallory = Person(house)
    id_ = alice.send("secret")
    never = mallory.rest.get(f"{LIST}/{uuid_of('5-5')}")
    for method, path in [("GET", ""), ("PATCH", "/read"), ("DELETE", "")]:
        for form in (id_, uuid_of(id_), f"{id_}:{alice.inbox}"):
            answer = mallory.rest.call(method, f"{LIST}/{form}{path}")
            assert (answer.status, answer.body) == (404, never.body), (method, form)
    assert alice.get(f"{LIST}/{id_}")["is_read"] is False


BAD_IDS = ["x", "1-", "-1", "1-1-1", "1--1", "12345678-1234-4234-8234-12345678901", "12345678-1234-4234-8234-12345678901g",
           "99999999999999999999-0", "1-99999999999999999999", "%00", "1-1:", "%FF", "a" * 600, "+1-1", "0x1"]  # fmt: skip


@pytest.mark.parametrize("id_", BAD_IDS)
def test_an_id_that_is_none_is_named(alice, id_):
    for method, path in [("GET", ""), ("PATCH", "/read"), ("DELETE", "")]:
        answer = alice.rest.call(method, f"{LIST}/{id_}{path}")
        assert answer.status in (400, 422), (method, id_, answer)
        assert answer.error


UNKNOWN_IDS = [
    "1-1", "0-0", uuid_of("1-1"), uuid_of("1-1", tag=5), "00000000-0000-0000-0000-000000000000", "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
    "ffffffff-ffff-4fff-bfff-ffffffffffff", "1-1:topic:other", "1-1:inbox:bob",
]  # fmt: skip


@pytest.mark.parametrize("id_", UNKNOWN_IDS)
def test_an_id_of_nothing_is_404(alice, id_):
    answer = alice.rest.get(f"{LIST}/{id_}")
    assert (answer.status, answer.error) == (404, "NOT_FOUND")


def test_an_event_is_no_notification(alice):
    id_ = alice.house.call("NOTIFY.EVENT", alice.inbox, "progress")
    assert alice.rest.get(f"{LIST}/{id_}").status == 404
    assert alice.rest.call("PATCH", f"{LIST}/{id_}/read").status == 404
    assert alice.rest.call("DELETE", f"{LIST}/{id_}").status == 404


# ---- what is wrong

BAD_QUERIES = [
    ("page=0", "page"), ("page=-1", "page"), ("page=x", "page"), ("page=1.5", "page"), ("page=", "page"), ("page=1e3", "page"),
    ("page=99999999999999999999999", "page"), ("page=1000001", "page"), ("page=null", "page"), ("page=1&page=2", "page"),
    ("page_size=0", "page_size"), ("page_size=101", "page_size"), ("page_size=-5", "page_size"), ("page_size=all", "page_size"),
    ("page_size=18446744073709551617", "page_size"), ("unread_only=maybe", "unread_only"), ("unread_only=", "unread_only"),
    ("notification_type=", "notification_type"), ("category=", "category"), ("cursor=", "cursor"), ("cursor=%21", "cursor"),
    ("cursor=AAAA", "cursor"), ("cursor=" + "A" * 2000, "cursor"), ("cursor=MS0x", "cursor"), ("cursor=1-1", "cursor"),
    ("limit=5", "limit"), ("Page=1", "Page"), ("%70age=1&page=1", "page"),
]  # fmt: skip


@pytest.mark.parametrize("query, member", BAD_QUERIES)
def test_a_query_that_is_wrong_is_named_and_nothing_is_done(alice, query, member):
    answer = alice.rest.get(f"{LIST}?{query}")
    assert (answer.status, answer.error) == (422, "INVALID_FIELD"), answer
    assert answer.json["error"]["details"] == {"member": member}


def test_page_and_cursor_exclude_each_other(alice):
    alice.house.send_many(alice.inbox, 3)
    cursor = alice.get(page_size=1)["next"]
    assert alice.rest.get(LIST, page=2, cursor=cursor).status == 422


def test_a_cursor_of_somebody_elses_shows_nothing_of_his(house, alice):
    mallory = Person(house)
    alice.house.send_many(alice.inbox, 3)
    cursor = alice.get(page_size=1)["next"]
    mallory.send("own")
    assert all(item["user_id"] == mallory.name for item in mallory.get(cursor=cursor)["items"])


# ---- entity tags


def test_what_has_not_changed_is_not_sent_again(alice, news):
    alice.send("one")
    for path in (LIST, COUNT):
        first = alice.rest.get(path)
        tag = first.headers["etag"]
        assert first.headers["cache-control"] == "private, no-cache"
        assert "Authorization" in first.headers["vary"]
        again = alice.rest.get(path, headers={"If-None-Match": f'"other", {tag}'})
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
        assert alice.elsewhere.get(path, headers={"If-None-Match": tag.removeprefix("W/")}).status == 304  # on another bridge
        head = alice.rest.call("HEAD", path)
        assert (head.status, head.headers["etag"], head.body) == (200, tag, b"")


CHANGES = {
    "a notification": lambda a, news, ids: a.send("new"),
    "one that is read": lambda a, news, ids: a.house.call("NOTIFY.READ", a.inbox, ids[0]),
    "one that is deleted": lambda a, news, ids: a.house.call("NOTIFY.DEL", a.inbox, ids[0]),
    "one that was read and is deleted": lambda a, news, ids: a.house.call("NOTIFY.DEL", a.inbox, ids[1]),
    "one that is put away": lambda a, news, ids: a.house.call("NOTIFY.MARK", a.inbox, "ARCHIVED", ids[0]),
    "a broadcast": lambda a, news, ids: news("x"),
    "a broadcast that is read": lambda a, news, ids: a.house.call("NOTIFY.READ", a.inbox, ids[2], "LOG", "topic:all"),
    "a broadcast that is withdrawn": lambda a, news, ids: a.house.call("NOTIFY.DEL", "topic:all", ids[2]),
    "a box that is gone": lambda a, news, ids: a.house.call("DEL", a.inbox),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_has_another_tag(alice, news, change):
    ids = [alice.send("one"), alice.send("two"), news("three")]
    alice.house.call("NOTIFY.READ", alice.inbox, ids[1])
    tag = alice.rest.get(LIST).headers["etag"]
    CHANGES[change](alice, news, ids)
    answer = alice.rest.get(LIST, headers={"If-None-Match": tag})
    assert answer.status == 200
    assert answer.headers["etag"] != tag


def test_what_expires_has_another_tag_though_nothing_was_changed(alice):
    alice.send("stays")

    def has_one_tag(lifetime_s):
        alice.send("goes", "PX", int(lifetime_s * 1000))
        tag = alice.rest.get(LIST).headers["etag"]
        assert alice.titles() == ["goes", "stays"]
        assert alice.rest.get(LIST, headers={"If-None-Match": tag}).status == 304
        return tag

    tag = at_some_pace(has_one_tag, 0.7)
    wait_until(lambda: alice.rest.get(LIST, headers={"If-None-Match": tag}).status == 200, "expiry")
    assert alice.titles() == ["stays"]


def test_a_tag_is_of_one_user(house, alice):
    other = Person(house)
    alice.send("x")
    other.send("x")
    tag = alice.rest.get(LIST).headers["etag"]
    assert other.rest.get(LIST, headers={"If-None-Match": tag}).status == 200


# ---- devices


def test_what_is_read_over_http_is_told_to_open_pages_of_every_bridge(house, alice):
    tab = house.tab(f"/ws/tab?user={alice.name}", port=house.second.port)
    id_ = alice.send("one")
    assert tab.expect(type="notification")["id"] == id_
    assert alice.rest.call("PATCH", f"{LIST}/{uuid_of(id_)}/read").status == 200
    assert tab.expect(type="read")["ids"] == [id_]
    assert alice.elsewhere.get(f"{LIST}/{id_}").json["is_read"] is True


# ---- rights


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    roles = tmp_path_factory.mktemp("roles") / "roles"
    change_roles(roles, "role *\n  categories open\nrole ops\n  categories ops\n  follow ops-log\n")
    stand = Stand("--auth", "jwt", "--jwt-secret", SECRET, "--roles", str(roles), *LIMITS)
    yield stand
    stand.close_tabs()
    stand.close()


def test_hidden_categories_of_logs_are_in_no_list_no_count_and_no_path(guarded):
    name, boss = new_name(), new_name()
    rest = Rest(guarded.daemon.port, token=token(name))
    ops = Rest(guarded.daemon.port, token=token(boss, roles=["ops"]))
    rest.get(LIST)
    ops.get(LIST)
    # ids of two boxes may be of one millisecond, so no order between them is asked for
    hidden = guarded.send("topic:all", "hidden", "CATEGORY", "ops")
    shown = guarded.send("topic:all", "shown", "CATEGORY", "open")
    own = guarded.send(f"inbox:{name}", "own", "CATEGORY", "ops")
    page = rest.get(LIST).json
    assert sorted(item["title"] for item in page["items"]) == ["own", "shown"]
    assert (page["total"], page["unread"]) == (2, 2)
    assert rest.get(COUNT).json == {"unread": 2, "unseen": 2, "by_category": {"open": 1, "ops": 1}}
    path = f"{LIST}/{uuid_of(hidden, tag_of('topic:all'))}"
    assert rest.get(path).status == 404
    assert rest.call("PATCH", path + "/read").status == 404
    assert rest.call("DELETE", path).status == 404
    assert rest.get(f"{LIST}/{uuid_of(shown, tag_of('topic:all'))}").status == 200
    assert rest.get(f"{LIST}/{uuid_of(own)}").status == 200
    assert sorted(item["title"] for item in ops.get(LIST).json["items"]) == ["hidden", "shown"]
    tag = rest.get(LIST).headers["etag"]
    assert rest.get(LIST, headers={"If-None-Match": tag}).status == 304
    assert rest.post(f"{LIST}/read-all").json == {"marked": 2}
    assert ops.get(f"{LIST}/{uuid_of(hidden, tag_of('topic:all'))}").json["is_read"] is False


def test_the_logs_of_a_role_are_in_its_users_lists(guarded):
    ops = Rest(guarded.daemon.port, token=token(new_name(), roles=["ops"]))
    other = Rest(guarded.daemon.port, token=token(new_name()))
    ops.get(LIST)
    other.get(LIST)
    guarded.send("topic:ops-log", "for ops")
    assert [item["log"] for item in ops.get(LIST).json["items"]] == ["topic:ops-log"]
    assert other.get(LIST).json["items"] == []


# ---- the feed, at random


def bare(uuid_text):
    """Without the box: what sorts."""
    return uuid_text[:14] + uuid_text[18:]


class FeedModel:
    """Somebody pages by cursor through an inbox and its log while all kinds of things happen to them."""

    def __init__(self, house, rng):
        self.house, self.rng = house, rng
        self.person = Person(house)
        self.person.get()
        self.there = {}  # id -> when it went, or None

    def send(self, log):
        key = "topic:all" if log else self.person.inbox
        id_ = self.house.send(key, "x")
        self.there[uuid_of(id_, tag_of(key) if log else 0)] = None

    def delete(self):
        live = [id_ for id_, gone in self.there.items() if not gone]
        if live:
            id_ = self.rng.choice(live)
            assert self.person.rest.call("DELETE", f"{LIST}/{id_}").status == 204
            self.there[id_] = True

    def disturb(self):
        for _ in range(self.rng.randrange(4)):
            self.rng.choice([lambda: self.send(True), lambda: self.send(False), self.delete])()

    def walk(self):
        """All ids by cursor, the world moving on between two pages."""
        seen, cursor = [], None
        while True:
            rest = self.rng.choice([self.person.rest, self.person.elsewhere])
            query = {"page_size": self.rng.randrange(1, 8), **({"cursor": cursor} if cursor else {})}
            page = rest.get(LIST, **query).json
            seen += [item["id"] for item in page["items"]]
            cursor = page["next"]
            if cursor is None:
                return seen
            self.disturb()


@pytest.mark.parametrize("seed", range(4))
def test_each_entry_is_seen_once_by_cursor_whatever_comes_and_goes(house, seed):
    model = FeedModel(house, random.Random(seed))
    for _ in range(30):
        model.send(model.rng.random() < 0.5)
    for _ in range(6):
        before = {id_ for id_, gone in model.there.items() if not gone}
        seen = model.walk()
        after = {id_ for id_, gone in model.there.items() if not gone}
        assert len(seen) == len(set(seen)), "none twice"
        assert before & after <= set(seen), "none left out"
        assert set(seen) <= before, "what came meanwhile is on no page"
        newest = [item["id"] for item in model.person.get(page_size=100)["items"]]
        assert set(newest) == after
        assert [bare(id_) for id_ in newest] == sorted(map(bare, newest), reverse=True)
        assert model.person.get()["total"] == len(after)
        model.disturb()


# ---- Redis


def test_a_list_is_read_though_redis_takes_nothing_more(make_stand):
    stand = make_stand(*LIMITS)
    rest = Rest(stand.daemon.port, user="alice")
    stand.send("inbox:alice", "one")
    assert rest.get(LIST).status == 200
    stand.call("CONFIG", "SET", "maxmemory", "1")
    assert [item["title"] for item in rest.get(LIST).json["items"]] == ["one"]
    assert rest.get(COUNT).json["unread"] == 1


def test_a_key_that_is_no_box_is_an_error_and_no_crash(house):
    person = Person(house)
    house.call("SET", person.inbox, "x")
    for path in (LIST, COUNT, f"{LIST}/1-1"):
        answer = person.rest.get(path)
        assert (answer.status, answer.error) == (500, "PROCESSING_ERROR")
    assert "WRONGTYPE" in answer.json["error"]["message"]


def test_many_ask_at_once_by_two_bridges(house, alice):
    """A rough measure that nothing waits for anything else."""
    alice.house.send_many(alice.inbox, 100)
    begun = time.monotonic()
    for _ in range(50):
        assert len(alice.rest.get(LIST, page_size=100).json["items"]) == 100
    assert time.monotonic() - begun < 30
    assert json.loads(alice.rest.get(COUNT).body)["unread"] == 100
