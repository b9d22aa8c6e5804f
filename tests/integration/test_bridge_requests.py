"""Every request of a client with its answer, and every way in which it can be wrong."""

import itertools
import json
import os
import random
import threading

import pytest

from bridge_helpers import ISO_TIME, ids_of, new_name, wait_ready
from servers import wait_until


def error_of(answer):
    assert answer["type"] == "error", answer
    assert set(answer["error"]) == {"code", "message", "details"} and answer["error"]["message"]
    return answer["error"]["code"]


def member_of(answer):
    """The member that an error is about."""
    assert error_of(answer) in ("INVALID_FIELD", "MISSING_FIELD"), answer
    return (answer["error"]["details"] or {}).get("member")


def ask(tab, **members):
    """Sends a message as it is and returns the next one that is an answer to it."""
    tab.send(members)
    return tab.recv()


# -- answers in general


@pytest.mark.parametrize("type_, answer", [("ping", "pong"), ("heartbeat", "heartbeat")])
def test_a_sign_of_life_is_answered_with_the_time(tab, type_, answer):
    reply = tab.request(type_)
    assert reply["type"] == answer and ISO_TIME.match(reply["timestamp"])


@pytest.mark.parametrize(
    "id_", ["r-1", "", "ä\"\\\n😀", 0, 7, -1, 2**53, 2**63 - 1, -(2**63)]
)
def test_an_answer_repeats_the_request_id_as_it_was(tab, id_):
    assert ask(tab, type="ping", request_id=id_)["request_id"] == id_
    assert ask(tab, type="nonsense", request_id=id_)["request_id"] == id_
    assert ask(tab, type="mark_read", id="1-1", request_id=id_)["request_id"] == id_
    assert ask(tab, type="request_notification_history", request_id=id_)["request_id"] == id_
    assert ask(tab, type="subscribe", topic=new_name(), request_id=id_)["request_id"] == id_


def test_without_a_request_id_the_answer_has_none(tab):
    for request in (
        {"type": "ping"},
        {"type": "nonsense"},
        {"type": "unread_count"},
        {"type": "request_notification_history"},
        {"type": "subscribe", "topic": new_name()},
        {"type": "resume", "positions": {}},
    ):
        assert "request_id" not in ask(tab, **request)


@pytest.mark.parametrize("id_", [True, 1.5, [1], {"a": 1}])
def test_another_kind_of_request_id_is_refused_and_not_repeated(tab, id_):
    answer = ask(tab, type="ping", request_id=id_)
    assert member_of(answer) == "request_id"
    assert "request_id" not in answer


def test_a_request_id_has_at_most_256_bytes_and_a_longer_one_is_refused_by_itself(tab):
    assert ask(tab, type="ping", request_id="x" * 254)["type"] == "pong"
    answer = ask(tab, type="ping", request_id="x" * 255)
    assert (member_of(answer), answer["request_id"]) == ("request_id", "x" * 255)


def test_null_is_absent_everywhere(stand, tab, user, topic):
    ids = stand.send_many(f"inbox:{user}", 3, "CATEGORY", "a")
    stand.drain(tab)
    answer = ask(tab, type="ping", request_id=None)
    assert answer["type"] == "pong" and "request_id" not in answer
    assert error_of(ask(tab, type=None)) == "MISSING_FIELD"
    everything = {name: None for name in ("before", "after", "limit", "unread_only", "category")}
    page = tab.request("request_notification_history", topic=None, notification_type=None, **everything)
    assert ids_of_items(page["items"]) == ids[::-1]
    assert changed(tab.request("mark_read", id=None, ids=[ids[0]])) == (1, 2)
    assert changed(tab.request("mark_all_read", upto=ids[1], category=None)) == (1, 1)
    assert changed(tab.request("mark_all_read", upto=None)) == (1, 0)
    assert "recovered" not in tab.request("subscribe", topic=topic, last_id=None)
    assert tab.request("resume", positions={f"topic:{topic}": None, "inbox:x": None})["results"] == {}
    for type_, needed in (("mark_read", "ids"), ("subscribe", "topic"), ("resume", "positions")):
        assert error_of(tab.request(type_, **{needed: None})) == "MISSING_FIELD"
    optional = ("content", "notification_type", "category", "level", "action", "data", "user_id")
    id_ = tab.request("publish", topic=topic, title="t", **dict.fromkeys(optional))["id"]
    item = tab.request("request_notification_history", topic=topic)["items"][0]
    assert (item["id"], item["content"], item["data"], item["action"]) == (id_, None, None, None)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "{", "nonsense", "{'type':'ping'}", '{"type":"ping"} x', '{"type":"ping",}'),
        *('"ping"', "[]", "null", "17", '[{"type":"ping"}]', "[" * 5000, '{"a":' * 5000),
        *('{"type":"\\ud8"}', '{"type":"ping" "a":1}', '{"a":01}', '{"a":1e}', '{"a":NaN}'),
    ],
)
def test_what_is_no_json_object_is_told_and_the_connection_stays(tab, text):
    tab.send(text)
    assert error_of(tab.recv()) == "BAD_JSON"
    assert tab.request("ping")["type"] == "pong"


# JSON that no tree can hold, or only with loss; and what is no JSON, but tells its request_id.
HARD_VALUES = [
    *('"\\ud800"', '"\\udc00\\ud800"', '"a\\u0000b"', '{"\\ud800":1}', '{"\\u0000":1}', '["\\ud800"]'),
    *("1e400", "-1e400", "18446744073709551616", "-9223372036854775809", "1" * 400, "0." + "1" * 400),
    *("[" * 2050 + "]" * 2050, "[" * 5000 + "]" * 5000, "[" * 30000, '{"a":' * 2050 + "1" + "}" * 2050),
    *("01", "nul", "'a'", "NaN", "", "1 2", '"\\x"', '"\n"', "[1,]", "{,}", '{"a" 1}'),
]


@pytest.mark.parametrize("value", HARD_VALUES, ids=range(len(HARD_VALUES)))
def test_a_request_is_answered_with_its_id_whatever_a_member_holds(tab, value):
    pairs = {(type_, name) for type_, members in INVALID for name in members}
    pairs |= {(type_, "unknown") for type_, _ in ALL_REQUESTS}
    numbers = itertools.count()
    for type_, name in sorted(pairs):
        before, after = f'"type":"{type_}"', f'"{name}":{value}'
        for order in ("first", "last"):
            if order == "last" and value.count("[") > value.count("]"):
                continue  # it stands within these brackets then
            id_ = f"{order} {next(numbers)}"
            parts = [before, after, f'"request_id":"{id_}"']
            tab.send("{" + ",".join(parts[::-1] if order == "first" else parts) + "}")
            answer = tab.expect(request_id=id_)
            assert answer["type"] == "error" or name != "unknown"


@pytest.mark.parametrize(
    "id_", ['"\\ud800"', '"a\\u0000b"', '"\\u00e9"', "18446744073709551616", "-" + "9" * 200, "-0"]
)
def test_an_id_that_no_tree_can_hold_comes_back_as_it_was_written(tab, id_):
    for request in ('"type":"ping"', '"type":"unread_count"', '"type":"request_notification_history"'):
        tab.send("{" + request + ',"request_id":' + id_ + "}")
        assert tab.recv_text().endswith(',"request_id":' + id_ + "}")


def test_names_of_members_may_be_written_with_escapes(tab, user):
    tab.send('{"t\\u0079pe":"\\u0070ing","request\\u005fid":7}')
    answer = tab.recv()
    assert (answer["type"], answer["request_id"]) == ("pong", 7)
    tab.send('{"type":"mark_all_read","categor\\u0079":""}')
    assert member_of(tab.recv()) == "category"


@pytest.mark.parametrize("type_", ["", "Ping", "ping ", "login", "x" * 60000, "%s%n", "a\0b"])
def test_an_unknown_type_is_told(tab, type_):
    assert error_of(tab.request(type_)) == "UNKNOWN_TYPE"


def test_a_type_is_needed_and_must_be_a_string(tab):
    assert member_of(ask(tab, request_id=1)) == "type"
    assert member_of(ask(tab, type=5)) == "type"
    tab.send('{"type":"\\ud800"}')
    assert member_of(tab.recv()) == "type"


def test_an_unknown_member_is_told_by_its_name_and_changes_nothing(stand, tab, user):
    stand.send_many(f"inbox:{user}", 3, "CATEGORY", "a")
    stand.drain(tab)
    for type_, members in ALL_REQUESTS:
        for name in ("categories", "Category", "category ", "", "ä" * 100, "x" * 5000, "\0", '"%s'):
            answer = tab.request(type_, **{**members, name: "a"})
            assert error_of(answer) == "INVALID_FIELD", (type_, name)
            told = answer["error"]["details"]["member"]
            assert len(name) > 32 or json.loads(f'"{told}"') == name
            assert type_ in answer["error"]["message"] and len(told.encode()) <= 64
    assert stand.call("NOTIFY.UNREAD", f"inbox:{user}") == 3
    assert stand.drain(tab) == []


def test_what_may_be_given_is_told_with_an_unknown_member(tab):
    answer = tab.request("mark_all_read", categories=["a"])
    assert answer["error"]["message"] == (
        "mark_all_read has no member 'categories' (it has: upto, category, log, request_id)"
    )
    assert answer["error"]["details"] == {"member": "categories"}


def test_a_member_that_is_given_twice_is_told(tab, topic):
    for twice in ('"topic":"a","topic":"a"', '"topic":null,"topic":"a"', '"topic":"a","t\\u006fpic":"a"'):
        tab.send('{"type":"subscribe",' + twice + ',"request_id":1}')
        answer = tab.expect(request_id=1)
        assert (member_of(answer), error_of(answer)) == ("topic", "INVALID_FIELD")
    tab.send('{"type":"ping","type":"ping","request_id":2}')
    assert member_of(tab.expect(request_id=2)) == "type"
    tab.send('{"type":"ping","request_id":3,"request_id":4}')
    assert member_of(tab.expect(request_id=3)) == "request_id"
    tab.send('{"type":"resume","positions":{"topic:a":"1-1","topic:a":"2-2"},"request_id":5}')
    assert member_of(tab.expect(request_id=5)) == "positions"


def test_more_members_than_any_request_has_are_refused(tab):
    tab.send(json.dumps({**{f"m{n}": n for n in range(3000)}, "type": "ping", "request_id": 7}))
    assert member_of(tab.expect(request_id=7)) == "m0"


ID = "1795208400123-0"

# Each type of request with members that are good.
ALL_REQUESTS = [
    *(("ping", {}), ("heartbeat", {}), ("unread_count", {}), ("mark_all_read", {}), ("mark_seen", {})),
    *(("subscribe", {"topic": "a"}), ("unsubscribe", {"topic": "a"}), ("resume", {"positions": {}})),
    *(("subscribe_session", {"session_id": "a"}), ("unsubscribe_session", {"session_id": "a"})),
    *(("request_notification_history", {}), ("mark_read", {"id": ID}), ("archive", {"id": ID})),
    *(("delete_notification", {"id": ID}), ("publish", {"topic": "a", "title": "t"})),
]

MISSING = [
    *(("subscribe", {}), ("unsubscribe", {}), ("subscribe_session", {}), ("resume", {})),
    *(("unsubscribe_session", {}), ("mark_read", {}), ("archive", {}), ("delete_notification", {})),
    *(("publish", {}), ("publish", {"topic": "a"}), ("publish", {"user_id": "a"})),
    ("publish", {"title": "no target"}),
    ("subscribe", {"topic": None}),
    ("mark_read", {"ids": None}),
]

BAD_NAMES = (5, "", [], {}, True, "x" * 129, "ä" * 65, "a\nb", "a\0b", "\x7f", "\x1f")
BAD_IDS = (5, "x", "1-1-1", "", "-1", "(1-1", "1-", "-", "99999999999999999999-0", [ID], {}, False)
BAD_WORDS = (5, "", [], {}, False)

INVALID = [
    *(("subscribe", {"topic": name}) for name in BAD_NAMES),
    *(("subscribe", {"topic": "a", "last_id": id_}) for id_ in BAD_IDS),
    *(("unsubscribe", {"topic": name}) for name in BAD_NAMES),
    *(("subscribe_session", {"session_id": name}) for name in BAD_NAMES),
    ("subscribe_session", {"session_id": "a", "last_id": 1}),
    *(("unsubscribe_session", {"session_id": name}) for name in BAD_NAMES),
    *(("resume", {"positions": positions}) for positions in (5, [], "inbox:a", [["a", ID]], False)),
    *(("resume", {"positions": {"topic:a": id_}}) for id_ in BAD_IDS),
    ("resume", {"positions": {"": ID}}),
    ("resume", {"positions": {f"topic:{'x' * 512}": ID}}),
    ("resume", {"positions": {f"topic:{n}": ID for n in range(257)}}),
    *(("request_notification_history", {"limit": n}) for n in (0, 101, -1, "5", 1.5, 2**62, [], True)),
    *(("request_notification_history", {"before": id_}) for id_ in BAD_IDS),
    *(("request_notification_history", {"after": id_}) for id_ in BAD_IDS),
    *(("request_notification_history", {"topic": name}) for name in BAD_NAMES),
    *(("request_notification_history", {"category": word}) for word in BAD_WORDS),
    *(("request_notification_history", {"notification_type": word}) for word in BAD_WORDS),
    *(("request_notification_history", {"unread_only": flag}) for flag in (0, 1, "true", "", [])),
    *(("mark_read", {"id": id_}) for id_ in BAD_IDS),
    *(("mark_read", {"ids": ids}) for ids in ([], ID, 5, [5], [ID, "x"], [ID] * 101, {}, [[ID]])),
    ("mark_read", {"id": ID, "ids": [ID]}),
    ("archive", {"ids": []}),
    ("archive", {"id": ID, "ids": []}),
    ("delete_notification", {"ids": [ID, None]}),
    *(("mark_all_read", {"upto": upto}) for upto in BAD_IDS),
    *(("mark_all_read", {"category": word}) for word in BAD_WORDS),
    *(("mark_seen", {"upto": upto}) for upto in BAD_IDS),
    ("publish", {"topic": "a", "user_id": "b", "title": "t"}),
    *(("publish", {"topic": name, "title": "t"}) for name in BAD_NAMES),
    *(("publish", {"user_id": name, "title": "t"}) for name in BAD_NAMES),
    *(("publish", {"topic": "a", "title": word}) for word in BAD_WORDS),
    ("publish", {"topic": "a", "title": "t", "content": 5}),
    *(("publish", {"topic": "a", "title": "t", "category": word}) for word in BAD_WORDS),
    *(("publish", {"topic": "a", "title": "t", "level": word}) for word in BAD_WORDS),
    *(("publish", {"topic": "a", "title": "t", "notification_type": word}) for word in BAD_WORDS),
]


WANTED = ("topic", "session_id", "positions", "ids", "title", "user_id")


@pytest.mark.parametrize("type_, members", MISSING)
def test_a_missing_member_is_told_by_its_name(tab, type_, members):
    answer = tab.request(type_, **members)
    assert error_of(answer) == "MISSING_FIELD"
    assert member_of(answer) in (None, *WANTED)
    assert any(name in answer["error"]["message"] for name in WANTED)


@pytest.mark.parametrize("type_, members", INVALID)
def test_a_wrong_member_is_told_by_its_name(tab, type_, members):
    answer = tab.request(type_, **members)
    assert error_of(answer) == "INVALID_FIELD"
    assert any(name in answer["error"]["message"] for name in members)
    assert member_of(answer) in (None, *members)


def test_a_wrong_member_changes_nothing(stand, tab, user):
    ids = stand.send_many(f"inbox:{user}", 3, "CATEGORY", "a")
    stand.drain(tab)
    for type_, members in MISSING + INVALID:
        tab.send({"type": type_, **{name: ids[0] if m == ID else m for name, m in members.items()}})
        tab.expect(type="error")
    assert stand.drain(tab) == []
    count = tab.request("unread_count")
    assert (count["unread"], count["unseen"]) == (3, 3)


def test_an_id_may_have_zeros_in_front_and_bounds_all_the_same(stand, tab, user):
    ids = stand.send_many(f"inbox:{user}", 3)
    long = "0" * 50 + ids[1]
    page = tab.request("request_notification_history", before=long)
    assert ids_of_items(page["items"]) == ids[:1]
    page = tab.request("request_notification_history", after=long)
    assert ids_of_items(page["items"]) == ids[2:]
    assert changed(tab.request("mark_all_read", upto=long)) == (2, 1)


def test_random_requests_never_end_the_connection(tab, stand):
    """Members of all kinds in all requests: an answer, or an error, and nothing else happens."""
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    types = sorted({type_ for type_, _ in MISSING + INVALID} | {"unread_count", "ping"})
    names = sorted({name for _, members in INVALID for name in members})
    values = [None, True, 0, 1, -1, 101, 2**70, 1.5, "", "a", "x" * 300, ID, "0-0", "\ud800", "\0"]
    values += ["\x01", "%s", "(", "-"]
    values += [[], [ID], ["a"], {}, {"topic:all": ID}, {"inbox:a": "0-0"}, {"a": {"b": []}}]
    for n in range(1500):
        members = {name: rng.choice(values) for name in rng.sample(names, rng.randrange(4))}
        tab.send({"type": rng.choice(types), "request_id": n, **members})
        answer = tab.expect(request_id=n)
        if answer["type"] == "error":
            assert answer["error"]["code"] in (
                *("MISSING_FIELD", "INVALID_FIELD", "FORBIDDEN", "TOO_MANY_SUBSCRIPTIONS"),
                "PROCESSING_ERROR",
            )
    assert stand.daemon.running()


# -- topics and sessions


def test_a_topic_can_be_followed_and_left(stand, tab, topic):
    answer = tab.request("subscribe", topic=topic)
    assert answer["type"] == "subscription"
    assert (answer["topic"], answer["status"], answer["last"]) == (topic, "subscribed", "0-0")
    assert answer.get("recovered", True) is True
    first = stand.send(f"topic:{topic}")
    assert ids_of([tab.recv()]) == [first]
    answer = tab.request("unsubscribe", topic=topic)
    assert (answer["type"], answer["topic"], answer["status"]) == (
        "subscription",
        topic,
        "unsubscribed",
    )
    stand.send(f"topic:{topic}")
    assert stand.drain(tab) == []


def test_a_topic_is_followed_from_where_it_ends(stand, tab, topic):
    last = stand.send_many(f"topic:{topic}", 3)[-1]
    assert tab.request("subscribe", topic=topic)["last"] == last
    assert stand.drain(tab) == []


def test_subscribing_again_changes_nothing(stand, tab, topic):
    tab.request("subscribe", topic=topic)
    id_ = stand.send(f"topic:{topic}")
    assert ids_of([tab.recv()]) == [id_]
    answer = tab.request("subscribe", topic=topic)
    assert (answer["status"], answer["last"]) == ("subscribed", id_)
    tab.request("unsubscribe", topic=topic)
    stand.send(f"topic:{topic}")
    assert stand.drain(tab) == []


def test_leaving_what_is_not_followed_is_answered_all_the_same(tab, topic):
    assert tab.request("unsubscribe", topic=topic)["status"] == "unsubscribed"


def test_a_broadcast_log_can_be_asked_for_though_it_is_followed(stand, tab):
    last = stand.send("topic:all")
    assert ids_of([tab.recv()]) == [last]
    assert tab.request("subscribe", topic="all")["last"] == last
    live = stand.send("topic:all")
    assert ids_of([tab.recv()]) == [live]
    assert stand.drain(tab) == []


def test_an_inbox_is_not_a_topic(stand, tab):
    """Names are put into the topics' pattern, whatever they look like."""
    other = new_name()
    assert tab.request("subscribe", topic=f"inbox:{other}")["status"] == "subscribed"
    stand.send(f"inbox:{other}")
    assert stand.drain(tab) == []


def test_a_session_can_be_followed_and_left(stand, tab):
    session = new_name("s")
    assert tab.request("subscribe_session", session_id=session).items() >= {
        "type": "subscribed",
        "session_id": session,
    }.items()
    stand.call("NOTIFY.EVENT", f"session:{session}", "session_started", "DATA", '{"model_id":"m"}')
    message = tab.recv()
    assert (message["type"], message["data"]) == ("session_started", {"model_id": "m"})
    assert tab.request("unsubscribe_session", session_id=session).items() >= {
        "type": "unsubscribed",
        "session_id": session,
    }.items()
    stand.call("NOTIFY.EVENT", f"session:{session}", "session_completed")
    assert stand.drain(tab) == []


def test_a_session_is_followed_from_a_position(stand, tab):
    session = new_name("s")
    ids = [stand.call("NOTIFY.EVENT", f"session:{session}", f"step{n}") for n in range(3)]
    tab.send({"type": "subscribe_session", "session_id": session, "last_id": ids[0]})
    assert ids_of([tab.recv(), tab.recv()]) == ids[1:]
    assert tab.recv()["type"] == "subscribed"


def test_a_connection_follows_only_so_many_keys(make_stand):
    stand = make_stand("--max-subscriptions", "8")
    tab = stand.tab("/ws?user=x")  # inbox and broadcast log count
    for n in range(6):
        assert tab.request("subscribe", topic=f"t{n}")["status"] == "subscribed"
    assert error_of(tab.request("subscribe", topic="t6")) == "TOO_MANY_SUBSCRIPTIONS"
    assert error_of(tab.request("subscribe_session", session_id="s")) == "TOO_MANY_SUBSCRIPTIONS"
    answer = tab.request("resume", positions={"topic:t5": "0-0", "topic:t6": "0-0"})
    assert error_of(answer) == "TOO_MANY_SUBSCRIPTIONS"
    assert tab.request("subscribe", topic="t5")["status"] == "subscribed"  # it is one already
    tab.request("unsubscribe", topic="t0")
    assert tab.request("subscribe", topic="t6")["status"] == "subscribed"


# -- the state of the inbox


@pytest.fixture
def five(stand, user):
    """The ids of five notifications, categories a and b by turns."""
    return [
        stand.send(f"inbox:{user}", f"number {n}", "CATEGORY", "ab"[n % 2], "LEVEL", "info")
        for n in range(5)
    ]


def changed(answer):
    assert answer["type"] == "ok", answer
    return answer["changed"], answer["unread"]


def test_mark_read_takes_one_id_or_many(stand, tab, user, five):
    assert changed(tab.request("mark_read", id=five[0])) == (1, 4)
    assert changed(tab.request("mark_read", ids=five[:3])) == (2, 2)
    assert changed(tab.request("mark_read", ids=five[:3])) == (0, 2)
    assert changed(tab.request("mark_read", id="1-1")) == (0, 2)
    assert stand.call("NOTIFY.UNREAD", f"inbox:{user}") == 2


def test_a_hundred_ids_can_be_marked_at_once(stand, user, tab):
    ids = stand.send_many(f"inbox:{user}", 100)
    assert changed(tab.request("mark_read", ids=ids)) == (100, 0)


def test_mark_all_read_takes_a_bound_and_a_category(stand, tab, user, five):
    assert changed(tab.request("mark_all_read", upto=five[1])) == (2, 3)
    assert changed(tab.request("mark_all_read", category="b")) == (1, 2)
    assert changed(tab.request("mark_all_read", category="none like it")) == (0, 2)
    assert changed(tab.request("mark_all_read")) == (2, 0)
    assert changed(tab.request("mark_all_read")) == (0, 0)


def test_mark_seen_leaves_them_unread(stand, tab, user, five):
    assert changed(tab.request("mark_seen", upto=five[2])) == (3, 5)
    assert changed(tab.request("mark_seen")) == (2, 5)
    assert tab.request("unread_count")["unseen"] == 0


def test_archive_takes_them_out_of_list_and_count(stand, tab, user, five):
    assert changed(tab.request("archive", ids=five[:2])) == (2, 3)
    items = tab.request("request_notification_history")["items"]
    assert ids_of_items(items) == five[:1:-1]


def test_delete_notification_removes_them(stand, tab, user, five):
    assert changed(tab.request("delete_notification", id=five[4])) == (1, 4)
    assert changed(tab.request("delete_notification", ids=five[3:])) == (1, 3)
    assert stand.call("NOTIFY.LEN", f"inbox:{user}") == 3


CHANGES = [  # request, its members made of five ids, and what is told of it
    ("mark_read", lambda ids: {"ids": ids[:2]}, "read", lambda ids: {"ids": ids[:2]}, 3),
    ("mark_all_read", lambda ids: {}, "read", lambda ids: {"upto": ids[4]}, 0),
    ("mark_seen", lambda ids: {}, "seen", lambda ids: {"upto": ids[4]}, 5),
    ("archive", lambda ids: {"id": ids[0]}, "archived", lambda ids: {"ids": ids[:1]}, 4),
    ("delete_notification", lambda ids: {"ids": ids[3:]}, "deleted", lambda ids: {"ids": ids[3:]}, 3),
]


@pytest.mark.parametrize("type_, members, told_type, told_members, unread", CHANGES)
def test_every_tab_of_the_user_learns_of_a_change(
    stand, user, five, type_, members, told_type, told_members, unread
):
    tabs = [stand.tab(f"/ws/{n}?user={user}") for n in range(3)]
    answer = tabs[0].request(type_, **members(five))
    assert answer["unread"] == unread
    expected = {"key": f"inbox:{user}", "unread": unread, **told_members(five)}
    revs = set()
    for tab in tabs:
        told = tab.expect(type=told_type)
        assert told.items() >= expected.items()
        revs.add(told["rev"])
        assert stand.drain(tab) == []
    assert len(revs) == 1


def test_tabs_agree_after_many_changes_by_all_of_them(stand, user):
    """Whoever changes what: the greatest rev tells each tab the same count as Redis."""
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    tabs = [stand.tab(f"/ws/{n}?user={user}") for n in range(3)]
    ids = stand.send_many(f"inbox:{user}", 60)
    for _ in range(60):
        tab = rng.choice(tabs)
        type_ = rng.choice(["mark_read", "archive", "delete_notification"])
        tab.send({"type": type_, "ids": rng.sample(ids, 3)})
    for tab in tabs:
        tab.before = stand.drain(tab)
    count = tabs[0].request("unread_count")
    for tab in tabs:
        told = [m for m in tab.before + stand.drain(tab) if m.get("key") == f"inbox:{user}"]
        revs = [m["rev"] for m in told]
        assert revs == sorted(revs), "changes out of order"
        assert (told[-1]["rev"], told[-1]["unread"]) == (count["rev"], count["unread"])
    assert count["unread"] == stand.call("NOTIFY.UNREAD", f"inbox:{user}")


def test_unread_count_tells_all_there_is_to_a_badge(stand, tab, user):
    answer = tab.request("unread_count")
    assert answer == {
        **{"type": "unread_count", "unread": 0, "unseen": 0, "by_category": {}},
        **{"max_level": None, "last": "0-0", "rev": 1, "epoch": answer["epoch"], "next_expiry": 0, "request_id": "t1"},
        **{"logs": answer["logs"], "total": 0, "total_unseen": 0, "muted": []},
    }  # rev: it follows the broadcast log
    stand.send(f"inbox:{user}", "a", "CATEGORY", "ci", "LEVEL", "warning")
    last = stand.send(f"inbox:{user}", "b", "CATEGORY", "ci")
    answer = tab.request("unread_count")
    assert (answer["unread"], answer["unseen"], answer["last"]) == (2, 2, last)
    assert answer["by_category"] == {"ci": 2}
    assert answer["max_level"] == "warning"
    assert answer["rev"] == 3


# -- history


def ids_of_items(items):
    return [item["id"] for item in items]


def test_history_pages_through_the_inbox_newest_first(stand, tab, user):
    ids = stand.send_many(f"inbox:{user}", 25)
    stand.drain(tab)
    got, before = [], None
    for expected in (10, 10, 5):
        page = tab.request(
            "request_notification_history", limit=10, **({"before": before} if before else {})
        )
        assert page["type"] == "notification_history"
        assert (len(page["items"]), page["unread"]) == (expected, 25)
        got += ids_of_items(page["items"])
        before = page["next"]
    assert got == ids[::-1]
    assert before is None


def test_a_page_that_ends_with_the_box_has_no_next(stand, tab, user):
    ids = stand.send_many(f"inbox:{user}", 10)
    page = tab.request("request_notification_history", limit=10)
    assert (ids_of_items(page["items"]), page["next"]) == (ids[::-1], None)


def test_history_after_an_id_goes_forward(stand, tab, user, five):
    page = tab.request("request_notification_history", after=five[0], limit=2)
    assert (ids_of_items(page["items"]), page["next"]) == (five[1:3], five[2])
    page = tab.request("request_notification_history", after=page["next"], limit=2)
    assert (ids_of_items(page["items"]), page["next"]) == (five[3:], None)


def test_history_between_two_ids_excludes_both(stand, tab, user, five):
    page = tab.request("request_notification_history", after=five[0], before=five[4])
    assert ids_of_items(page["items"]) == five[3:0:-1]


def test_history_without_a_limit_has_20_items_and_with_one_at_most_100(stand, tab, user):
    ids = stand.send_many(f"inbox:{user}", 130)
    stand.drain(tab)
    assert len(tab.request("request_notification_history")["items"]) == 20
    page = tab.request("request_notification_history", limit=100)
    assert (ids_of_items(page["items"]), page["next"]) == (ids[:29:-1], ids[30])


def test_history_filters_and_pages_stay_full(stand, tab, user):
    for n in range(40):
        options = ["CATEGORY", "ab"[n % 2], "TYPE", "xyz"[n % 3]]
        stand.send(f"inbox:{user}", f"number {n}", *options)
    stand.drain(tab)
    page = tab.request("request_notification_history", category="a", limit=10)
    assert [item["title"] for item in page["items"]] == [f"number {n}" for n in range(38, 18, -2)]
    page = tab.request("request_notification_history", category="a", limit=10, before=page["next"])
    assert [item["title"] for item in page["items"]] == [f"number {n}" for n in range(18, -2, -2)]
    assert page["next"] is None
    page = tab.request("request_notification_history", category="b", notification_type="x")
    assert [item["title"] for item in page["items"]] == [f"number {n}" for n in range(39, -1, -6)]
    assert tab.request("request_notification_history", category="none")["items"] == []


def test_history_of_the_unread_only(stand, tab, user, five):
    tab.request("mark_read", ids=[five[1], five[3]])
    page = tab.request("request_notification_history", unread_only=True)
    assert ids_of_items(page["items"]) == [five[4], five[2], five[0]]
    assert page["unread"] == 3
    everything = tab.request("request_notification_history", unread_only=False)["items"]
    assert [item["is_read"] for item in everything] == [False, True, False, True, False]
    assert "read_at" in everything[1]


def test_history_of_a_topic(stand, tab, topic):
    ids = stand.send_many(f"topic:{topic}", 3)
    page = tab.request("request_notification_history", topic=topic)
    assert (ids_of_items(page["items"]), page["next"], page["unread"]) == (ids[::-1], None, 3)


def test_history_of_an_empty_inbox(tab):
    page = tab.request("request_notification_history")
    assert page == {
        **{"type": "notification_history", "items": [], "next": None, "unread": 0},
        "request_id": "t1",
    }


def test_history_tells_of_a_notification_its_data_and_of_an_event_the_message(stand, tab, user):
    stand.call("NOTIFY.EVENT", f"inbox:{user}", "progress", "DATA", '{"id":"mine","percent":5}')
    id_ = stand.send(f"inbox:{user}", "done", "CONTENT", "c", "DATA", '{"n":[1,2]}')
    notification, event = tab.request("request_notification_history")["items"]
    assert notification.items() >= {
        **{"id": id_, "title": "done", "content": "c", "data": {"n": [1, 2]}, "is_read": False},
    }.items()
    assert (event["type"], event["data"]) == ("progress", {"id": "mine", "percent": 5})


# -- publish


def test_publish_to_a_topic_reaches_its_followers_and_the_publisher(stand, tab, topic):
    reader = stand.tab(f"/ws?topics={topic}")
    tab.request("subscribe", topic=topic)
    answer = tab.request(
        "publish",
        **{"topic": topic, "title": "Häppy \"day\"", "content": "c", "notification_type": "n"},
        **{"category": "cat", "level": "warning", "action": {"type": "open", "url": "/x"}},
        data={"list": [1, "two", None], "é": {}},
    )
    assert answer["type"] == "ok"
    for follower in (reader, tab):
        message = follower.expect(type="notification")
        assert message["id"] == answer["id"]
        assert message["data"].items() >= {
            **{"title": "Häppy \"day\"", "content": "c", "notification_type": "n", "category": "cat"},
            **{"level": "warning", "action": {"type": "open", "url": "/x"}},
        }.items()
        assert message["data"]["data"] == {"list": [1, "two", None], "é": {}}


def test_publish_to_a_user_reaches_the_inbox(stand, tab):
    name = new_name()
    reader = stand.tab(f"/ws?user={name}")
    answer = tab.request("publish", user_id=name, title="psst")
    assert reader.recv()["id"] == answer["id"]
    assert stand.drain(tab) == []


@pytest.mark.parametrize(
    "members",
    [
        {"level": "deadly"},
        {"title": "x" * 256},
        {"category": "x" * 65},
        {"category": "a\nb"},
        {"notification_type": "x" * 65},
        {"broadcast": False, "topic": None},
        {"related_entity_type": "task"},
        {"related_entity_id": "7"},
        {"exclude_session": "x" * 129},
        {"send_websocket": "no"},
        {"idempotency_key": ""},
        {"idempotency_key": "x" * 129},
    ],
)
def test_what_cannot_be_published_is_told_by_its_name(tab, topic, members):
    answer = tab.request("publish", **{"topic": topic, "title": "t", **members})
    assert error_of(answer) in ("INVALID_FIELD", "MISSING_FIELD")
    assert any(name in answer["error"]["message"] for name in members)


def test_what_redis_refuses_is_told_in_its_words(tab, topic):
    """JSON that no tree can hold, and the module does not take."""
    tab.send('{"type":"publish","topic":"' + topic + '","title":"t","data":' + "[" * 2060 + "]" * 2060 + "}")
    answer = tab.recv()
    assert error_of(answer) == "INVALID_FIELD" and "DATA" in answer["error"]["message"]


def test_publish_to_a_session_and_to_everybody(stand, tab, topic):
    session = new_name()
    tab.request("subscribe_session", session_id=session)
    id_ = tab.request("publish", session_id=session, title="to a session")["id"]
    assert tab.expect(type="notification").items() >= {"key": f"session:{session}", "id": id_}.items()
    id_ = tab.request("publish", broadcast=True, title="to all")["id"]
    assert tab.expect(type="notification").items() >= {"key": "topic:all", "id": id_}.items()


def test_publish_says_what_it_is_about_and_who_does_not_get_it(stand, tab, topic):
    left_out = stand.tab(f"/ws/left-out?topics={topic}")
    reader = stand.tab(f"/ws?topics={topic}")
    tab.request(
        "publish",
        **{"topic": topic, "title": "t", "related_entity_type": "task", "related_entity_id": "7"},
        exclude_session="left-out",
    )
    assert reader.expect(type="notification")["data"]["entity"] == {"type": "task", "id": "7"}
    tab.request("publish", topic=topic, title="stored only", send_websocket=False)
    assert stand.drain(left_out) == [] and stand.drain(reader) == []
    page = tab.request("request_notification_history", topic=topic)["items"]
    assert [item["title"] for item in page] == ["stored only", "t"]


def test_with_an_idempotency_key_something_is_published_once(stand, tab, topic):
    reader = stand.tab(f"/ws?topics={topic}")
    request = {"topic": topic, "title": "t", "data": {"n": 1}, "idempotency_key": "k"}
    answers = [tab.request("publish", **request) for _ in range(3)]
    assert len({answer["id"] for answer in answers}) == 1
    assert len({tab.request("publish", **{**request, "idempotency_key": f"k{n}"})["id"] for n in range(3)}) == 3
    assert len([m for m in stand.drain(reader) if m["type"] == "notification"]) == 4


@pytest.mark.parametrize("members", [{"title": "other"}, {"data": {"n": 2}}, {"content": "c"}, {"user_id": "x", "topic": None}])
def test_an_idempotency_key_stands_for_one_thing(stand, tab, topic, members):
    request = {"topic": topic, "title": "t", "data": {"n": 1}, "idempotency_key": topic}
    tab.request("publish", **request)
    answer = tab.request("publish", **{**request, **members})
    assert error_of(answer) == "INVALID_FIELD" and member_of(answer) == "idempotency_key"
    assert len(tab.request("request_notification_history", topic=topic)["items"]) == 1


def test_an_idempotency_key_is_its_users_own(stand, tab, topic):
    other = stand.tab(f"/ws?user={new_name()}")
    ids = {one.request("publish", topic=topic, title="t", idempotency_key="k")["id"] for one in (tab, other)}
    assert len(ids) == 2


def test_an_idempotency_key_holds_when_the_redis_link_breaks_between(make_stand, topic):
    """Whatever was done of it, asking again does the rest, and no more."""
    stand = make_stand()
    tab = stand.tab("/ws?user=alice")
    sent = {}
    for n in range(40):
        key = f"k{n}"
        tab.send({"type": "publish", "request_id": key, "topic": topic, "title": key, "idempotency_key": key})
        if n % 4 == 0:
            stand.call("CLIENT", "KILL", "TYPE", "normal")
    stand.client.connection_pool.reset()
    for n in range(40):
        answer = tab.expect(request_id=f"k{n}", timeout=30)
        if answer["type"] == "ok":
            sent[f"k{n}"] = answer["id"]
    wait_ready(stand)
    for n in range(40):
        key = f"k{n}"
        answer = tab.request("publish", topic=topic, title=key, idempotency_key=key)
        assert answer["type"] == "ok" and sent.get(key, answer["id"]) == answer["id"]
    items = tab.request("request_notification_history", topic=topic, limit=100)["items"]
    assert sorted(item["title"] for item in items) == sorted(f"k{n}" for n in range(40))


def test_what_redis_holds_of_a_key_is_short_and_has_an_end(stand, tab, topic):
    before = set(stand.client.keys("notify:idempotency:*"))
    tab = stand.tab(f"/ws?user={new_name()}")
    for n in range(3):
        tab.request("publish", topic=topic, title="t" * 200, content="x" * 5000, idempotency_key=f"{topic}-{n}")
    (key,) = set(stand.client.keys("notify:idempotency:*")) - before
    assert stand.call("NOTIFY.LEN", key) == 3 and stand.client.memory_usage(key) < 3000
    assert 0 < stand.client.ttl(key) <= 86400


def test_of_each_user_the_last_thousand_keys_are_remembered_and_the_rest_holds_no_memory(make_stand, topic):
    """The oldest one is free again; a newer one stands for what it was used for."""
    stand = make_stand("--message-rate", "100000", "--message-burst", "100000")
    tab, other = stand.tab("/ws?user=alice"), stand.tab("/ws?user=bob")
    hits = 'notify_limit_hits_total{limit="idempotency-keys"}'
    other.request("publish", topic=topic, title="t", idempotency_key="k")
    for n in range(1000):
        tab.send({"type": "publish", "topic": topic, "title": f"t{n}", "idempotency_key": f"k{n}", "request_id": n})
        if n % 50 == 49:
            assert tab.expect(request_id=n, timeout=60)["type"] == "ok"
    assert stand.daemon.metrics()[hits] == 1
    for n in range(1000, 1020):
        assert tab.request("publish", topic=topic, title=f"t{n}", idempotency_key=f"k{n}")["type"] == "ok"
    assert stand.daemon.metrics()[hits] == 21
    keys = stand.client.keys("notify:idempotency:*")
    assert sorted(stand.call("NOTIFY.LEN", key) for key in keys) == [1, 1000]
    assert error_of(tab.request("publish", topic=topic, title="other", idempotency_key="k20")) == "INVALID_FIELD"
    assert error_of(tab.request("publish", topic=topic, title="other", idempotency_key="k1019")) == "INVALID_FIELD"
    assert tab.request("publish", user_id="x", title="other", idempotency_key="k0")["type"] == "ok"
    assert error_of(other.request("publish", topic=topic, title="other", idempotency_key="k")) == "INVALID_FIELD"


def test_what_somebody_else_has_put_there_is_told(stand, tab, topic):
    before = set(stand.client.keys("notify:idempotency:*"))
    request = {"topic": topic, "title": "t", "idempotency_key": topic}
    tab = stand.tab(f"/ws?user={new_name()}")
    tab.request("publish", **request)
    (key,) = set(stand.client.keys("notify:idempotency:*")) - before
    stand.client.delete(key)
    stand.client.lpush(key, "x")
    assert error_of(tab.request("publish", **request)) == "PROCESSING_ERROR"
    stand.client.delete(key)
    assert tab.request("publish", **request)["type"] == "ok"
    stand.call("NOTIFY.DEL", key, stand.call("NOTIFY.RANGE", key, "-", "+")[0][0])
    assert tab.request("publish", **request)["type"] == "ok", "what it was used for is not kept"


# What a tree of JSON changes: numbers, the order of members and members given twice, escapes.
AS_WRITTEN = [
    *("0.1", "-0", "-0.0", "1e2", "1E+2", "1e400", "1e-400", "18446744073709551616", "1." + "0" * 50),
    *("3.141592653589793238462643383279502884197", "9007199254740993", "1.0", "100000000000000000000.5"),
    *('{"b":1,"a":2,"b":3}', '{"":0,"\\u00e9":"\\u0041\\/\\u0000"}', '"\\ud83d\\ude00"', "[0.1,[0.1],{}]", "true"),
    *('""', "false", "[]", "{}", "[null]", '"null"', "[" * 100 + "]" * 100),
]


@pytest.mark.parametrize("value", AS_WRITTEN, ids=range(len(AS_WRITTEN)))
def test_publish_forwards_what_was_written(stand, tab, topic, value):
    tab.request("subscribe", topic=topic)
    for member, behind in (("data", ',"is_read"'), ("action", ',"entity"')):
        for written in (value, " \n" + value + "\t "):
            tab.send(
                '{"type":"publish","topic":"' + topic + '","title":"t","' + member + '":' + written + "}"
            )
            texts = [tab.recv_text(), tab.recv_text()]
            message = next(text for text in texts if '"ok"' not in text)
            assert f'"{member}":{value}{behind}' in message


def test_words_of_a_request_are_never_taken_for_options(stand, tab, topic):
    """A value that looks like a keyword of the command stays a value."""
    answer = tab.request(
        "publish", topic=topic, title="NOPUBLISH", content="MAXLEN", category="NOSTORE", data="ID"
    )
    item = tab.request("request_notification_history", topic=topic)["items"][0]
    assert (item["id"], item["title"], item["content"]) == (answer["id"], "NOPUBLISH", "MAXLEN")
    assert (item["category"], item["data"]) == ("NOSTORE", "ID")
    page = tab.request("request_notification_history", topic=topic, category="UNREAD")
    assert page["items"] == []


# -- many at once, and Redis away


def test_many_requests_at_once_are_answered_each_once(stand, tab, user):
    """More than the bridge works on at a time for one client: the rest waits."""
    ids = stand.send_many(f"inbox:{user}", 300)
    for n, id_ in enumerate(ids):
        tab.send({"type": "mark_read", "id": id_, "request_id": n})
    answers = [tab.expect(type="ok") for _ in ids]
    assert sorted(answer["request_id"] for answer in answers) == list(range(300))
    assert all(answer["changed"] == 1 for answer in answers)
    assert answers[-1]["unread"] == 0


def test_a_client_that_leaves_before_its_answers_harms_nobody(stand, user):
    for _ in range(20):
        tab = stand.tab(f"/ws?user={user}")
        for _ in range(30):
            tab.send({"type": "unread_count"})
            tab.send({"type": "subscribe", "topic": new_name(), "last_id": "0-0"})
        tab.sock.close()
    assert stand.tab(f"/ws?user={user}").request("ping")["type"] == "pong"


REQUESTS_FOR_REDIS = [
    *(("mark_read", {"id": ID}), ("mark_all_read", {}), ("mark_seen", {}), ("archive", {"id": ID})),
    *(("delete_notification", {"id": ID}), ("unread_count", {}), ("request_notification_history", {})),
    ("publish", {"topic": "a", "title": "t"}),
]


def test_while_redis_is_away_requests_are_unavailable_and_nothing_is_done(make_stand):
    stand = make_stand(redis_options={"appendonly": "yes"})
    tab = stand.tab("/ws?user=alice")
    id_ = stand.send("inbox:alice")
    assert tab.recv()["id"] == id_
    mark = stand.daemon.mark()
    assert stand.server.terminate() == 0
    stand.daemon.wait_links("down", since=mark)
    for type_, members in REQUESTS_FOR_REDIS:
        assert error_of(tab.request(type_, **members)) == "UNAVAILABLE", type_
    assert tab.request("ping")["type"] == "pong"
    mark = stand.daemon.mark()
    stand.server.start()
    stand.daemon.wait_line("redis_link_up link=notify-bridge:commands", since=mark)
    wait_ready(stand)
    assert stand.call("NOTIFY.UNREAD", "inbox:alice") == 1
    assert changed(tab.request("mark_read", id=id_)) == (1, 0)


def test_a_subscription_asked_for_while_redis_is_away_is_answered_when_it_is_back(make_stand):
    stand = make_stand(redis_options={"appendonly": "yes"})
    tab = stand.tab("/ws?user=alice")
    ids = stand.send_many("topic:t", 3)
    mark = stand.daemon.mark()
    assert stand.server.terminate() == 0
    stand.daemon.wait_line("redis_link_down link=notify-bridge:subscriber", since=mark)
    tab.send({"type": "subscribe", "topic": "t", "last_id": ids[0], "request_id": 1})
    tab.send({"type": "resume", "positions": {"topic:u": "0-0"}, "request_id": 2})
    stand.server.start()
    got = [tab.recv() for _ in range(4)]
    assert ids_of(got) == ids[1:]
    assert {m["request_id"] for m in got if "request_id" in m} == {1, 2}
    live = stand.send("topic:t")
    assert tab.recv()["id"] == live


def test_a_server_that_is_still_loading_counts_as_away(make_stand):
    """It accepts connections then, but answers -LOADING."""
    slowly = {"key_load_delay": "20000", "loading_process_events_interval_bytes": "1024"}
    stand = make_stand(redis_options=slowly)
    tab = stand.tab("/ws?user=alice")
    id_ = stand.send("inbox:alice")
    for n in range(100):
        stand.send(f"inbox:other{n}", "x", "CONTENT", os.urandom(1000).hex())
    stand.call("SAVE")
    mark, heard = stand.daemon.mark(), stand.server.mark()
    answers = []

    def ask_meanwhile():
        stand.daemon.wait_line("redis_link_up link=notify-bridge:commands", since=mark)
        for n, (type_, members) in enumerate(REQUESTS_FOR_REDIS):
            tab.send({"type": type_, "request_id": n, **members})
        got = [tab.expect(request_id=n) for n in range(len(REQUESTS_FOR_REDIS))]
        if not stand.server.has_line("[Rr]eady to accept", since=heard):
            answers.extend(got)

    asking = threading.Thread(target=ask_meanwhile, daemon=True)
    stand.server.kill9()
    asking.start()
    stand.server.start()  # returns when it has loaded
    asking.join()
    assert answers, "the server was too fast for this test"
    assert [error_of(answer) for answer in answers] == ["UNAVAILABLE"] * len(answers)
    wait_until(lambda: tab.request("unread_count")["type"] == "unread_count", "an answer")
    live = stand.send("inbox:alice")
    assert [tab.expect(type="notification")["id"] for _ in range(2)] == [id_, live]
