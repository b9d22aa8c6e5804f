"""NOTIFY.GET, RANGE, REVRANGE, SINCE, UNREAD, BADGE, LEN and INFO."""

import json
import time
from datetime import datetime, timezone

import pytest

from module_helpers import badge, call, entries, entry, epoch_of, error_of, ids, info, pairs, since, verify
from resp import Resp

KEY = "inbox:1"


@pytest.fixture
def five(client):
    """Entries 1-0 … 5-0: 2 is read, 3 an event, 4 archived, 5 critical of category ops."""
    call(client, "NOTIFY.SEND", KEY, "one", "ID", "1", "CATEGORY", "ci", "TYPE", "build")
    call(client, "NOTIFY.SEND", KEY, "two", "ID", "2", "CATEGORY", "ci", "LEVEL", "error")
    call(client, "NOTIFY.EVENT", KEY, "progress", "ID", "3", "DATA", "[1]")
    call(client, "NOTIFY.SEND", KEY, "four", "ID", "4", "EVENT", "alert")
    call(client, "NOTIFY.SEND", KEY, "five", "ID", "5", "CATEGORY", "ops", "LEVEL", "critical")
    call(client, "NOTIFY.READ", KEY, "2")
    call(client, "NOTIFY.MARK", KEY, "ARCHIVED", "4")
    return ["1-0", "2-0", "3-0", "4-0", "5-0"]


@pytest.mark.parametrize(
    "start, end, expected",
    [
        ("-", "+", "1235"),
        ("2", "3", "23"),
        ("(2", "5-0", "35"),
        ("2-0", "(5", "235"),
        ("(1-0", "(5-0", "23"),
        ("+", "-", ""),
        ("6", "+", ""),
        ("-", "0-5", ""),
        ("0", "18446744073709551615-18446744073709551615", "1235"),
        ("(2", "(9999999999999999", "35"),
        ("9999999999999999-1", "+", ""),
    ],
)
def test_range_takes_the_ends_of_xrange(client, five, start, end, expected):
    wanted = [f"{digit}-0" for digit in expected]
    assert ids(call(client, "NOTIFY.RANGE", KEY, start, end)) == wanted
    assert ids(call(client, "NOTIFY.REVRANGE", KEY, end, start)) == wanted[::-1]


@pytest.mark.parametrize(
    "options, expected",
    [
        (["ALL"], "12345"),
        (["NOTIFICATIONS"], "125"),
        (["UNREAD"], "15"),
        (["READ"], "2"),
        (["UNSEEN"], "15"),
        (["ARCHIVED"], "4"),
        (["CATEGORY", "ci"], "12"),
        (["CATEGORY", "ci", "ops"], "125"),
        (["CATEGORY", "ci", "CATEGORY", "ops", "UNREAD"], "15"),
        (["CATEGORY", "ci", "ops", "UNREAD"], "15"),
        (["CATEGORY", "never-heard-of"], ""),
        (["TYPE", "build"], "1"),
        (["EVENT", "progress"], "3"),
        (["EVENT", "notification"], "125"),
        (["EVENT", "alert", "ALL"], "4"),
        (["LEVEL", "critical"], "5"),
        (["LEVEL", "Info"], "13"),
        (["COUNT", "2"], "12"),
        (["COUNT", "0"], ""),
        (["COUNT", "1", "CATEGORY", "ops"], "5"),
        (["LEVEL", "error", "CATEGORY", "ci", "READ", "COUNT", "9"], "2"),
    ],
)
def test_range_filters(client, five, options, expected):
    wanted = [f"{digit}-0" for digit in expected]
    assert ids(call(client, "NOTIFY.RANGE", KEY, "-", "+", *options)) == wanted
    if "COUNT" not in options:
        newest_first = call(client, "NOTIFY.REVRANGE", KEY, "+", "-", *options)
        assert ids(newest_first) == wanted[::-1]


def test_revrange_counts_from_the_newest(client, five):
    assert ids(call(client, "NOTIFY.REVRANGE", KEY, "+", "-", "COUNT", 2)) == ["5-0", "3-0"]


def test_range_shows_the_state_of_an_entry(client, five):
    found = dict(entries(call(client, "NOTIFY.RANGE", KEY, "-", "+", "ALL")))
    assert abs(found["2-0"]["read_at"] - time.time() * 1000) < 60_000
    assert found["2-0"]["seen_at"] == found["2-0"]["read_at"]
    assert found["4-0"]["archived"] == 1
    assert not {"read_at", "seen_at", "archived"} & set(found["1-0"])


def test_resp3_shows_entries_as_maps(shared_redis, client, five):
    with Resp(shared_redis.port, protocol=3) as resp3:
        ((found, fields),) = resp3.call("NOTIFY.RANGE", KEY, "1", "1")
        assert (found, fields["title"]) == ("1-0", "one")
        assert resp3.call("NOTIFY.GET", KEY, "9-9") == [None]
        assert resp3.call("NOTIFY.BADGE", KEY)["by_category"] == {"ci": 1, "ops": 1}
        assert resp3.call("NOTIFY.INFO", KEY)["categories"]["ci"] == {"length": 2, "unread": 1, "muted": 0}
        assert resp3.call("NOTIFY.SINCE", KEY, "4-0")[0]["last"] == "5-0"


@pytest.mark.parametrize(
    "options, error",
    [
        (["x", "+"], "start must be -, +, an id or (id, not 'x'"),
        (["-", "x"], "end must be -, +, an id or (id, not 'x'"),
        (["-", "+", "COUNT", "-1"],
         "COUNT must be an integer from 0 to 10000, not '-1'"),
        (["-", "+", "UNREAD", "READ"],
         "syntax error: only one of NOTIFICATIONS, UNREAD, READ, UNSEEN, ARCHIVED and ALL may be given"),
        (["-", "+", "NEWEST"], "syntax error: unknown option 'NEWEST'"),
        (["-", "+", "CATEGORY"], "syntax error: CATEGORY lacks its value"),
        (["-", "+", "LEVEL", "x"],
         "LEVEL must be info, success, warning, error or critical, not 'x'"),
        (["-", "+", "JSON", "JSON"], "syntax error: JSON is given twice"),
    ],
)  # fmt: skip
def test_range_refuses_what_it_does_not_understand(client, options, error):
    assert error_of(client, "NOTIFY.RANGE", KEY, *options) == error


def test_a_category_called_like_an_option_can_be_asked_for(client):
    call(client, "NOTIFY.SEND", KEY, "t", "CATEGORY", "json", "ID", "1")
    call(client, "NOTIFY.SEND", KEY, "t", "CATEGORY", "ops", "ID", "2")
    assert ids(call(client, "NOTIFY.RANGE", KEY, "-", "+", "CATEGORY", "json")) == ["1-0"]
    both = call(client, "NOTIFY.RANGE", KEY, "-", "+", "CATEGORY", "ops", "CATEGORY", "json")
    assert ids(both) == ["1-0", "2-0"]


def test_too_many_categories_are_refused(client):
    names = [f"c{n}" for n in range(65)]
    for name in names:
        call(client, "NOTIFY.SEND", KEY, "t", "CATEGORY", name)
    assert call(client, "NOTIFY.UNREAD", KEY, "CATEGORY", *names[:64]) == 64
    assert error_of(client, "NOTIFY.UNREAD", KEY, "CATEGORY", *names) == (
        "CATEGORY must be at most 64 names"
    )


def test_range_json_is_the_message_with_its_present_state(listen, shared_redis, client):
    listener = listen(shared_redis, KEY)
    call(client, "NOTIFY.SEND", KEY, "one", "ID", "1", "CATEGORY", "ci", "DATA", "{}")
    call(client, "NOTIFY.SEND", KEY, "two", "ID", "2")
    live = listener.messages()
    call(client, "NOTIFY.READ", KEY, "1")
    at = entries(call(client, "NOTIFY.RANGE", KEY, "1", "1"))[0][1]["read_at"]
    read_at = datetime.fromtimestamp(at / 1000, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    first, second = map(json.loads, call(client, "NOTIFY.RANGE", KEY, "-", "+", "JSON"))
    del live[0]["epoch"]  # which began with it
    wanted = dict(live[0], rev=3, unread=1)
    wanted["data"] = dict(wanted["data"], is_read=True, read_at=read_at)
    assert first == wanted
    assert second == dict(live[1], rev=3, unread=1)
    text = call(client, "NOTIFY.RANGE", KEY, "1", "1", "JSON")[0]
    assert f'"is_read":true,"read_at":"{read_at}","created_at":' in text


def test_prev_of_a_replay_is_the_entry_before_that_still_exists(client, five):
    call(client, "NOTIFY.DEL", KEY, "2")
    replay = [json.loads(text) for text in call(client, "NOTIFY.RANGE", KEY, "-", "+", "JSON", "ALL")]
    assert [message["prev"] for message in replay] == ["0-0", "1-0", "3-0", "4-0"]


def test_get_answers_in_the_order_asked(client, five):
    reply = call(client, "NOTIFY.GET", KEY, "4-0", "9-9", "1", "1")
    assert [one and one[0] for one in reply] == ["4-0", None, "1-0", "1-0"]
    assert entry(reply[0])[1]["title"] == "four"
    assert json.loads(call(client, "NOTIFY.GET", KEY, "3", "json")[0])["type"] == "progress"
    assert call(client, "NOTIFY.GET", "inbox:none", "1", "2") == [None, None]
    assert error_of(client, "NOTIFY.GET", KEY, "1", "x") == (
        "id must be an id such as 1795208400123-0, not 'x'"
    )


def test_counts_of_a_box(client, five):
    assert call(client, "NOTIFY.LEN", KEY) == 5
    assert call(client, "NOTIFY.UNREAD", KEY) == 2
    assert call(client, "NOTIFY.UNREAD", KEY, "CATEGORY", "ci") == 1
    assert call(client, "NOTIFY.UNREAD", KEY, "CATEGORY", "ci", "ops", "ci") == 2
    assert call(client, "NOTIFY.UNREAD", KEY, "CATEGORY", "never-heard-of") == 0
    assert error_of(client, "NOTIFY.UNREAD", KEY, "LOG", "x") == "syntax error: unknown option 'LOG'"
    assert badge(client, KEY) == {
        "unread": 2, "unseen": 2, "by_category": {"ci": 1, "ops": 1}, "max_level": "critical",
        "last": "5-0", "rev": 7, "epoch": epoch_of(client), "next_expiry": 0,
    }  # fmt: skip
    facts = info(client, KEY)
    assert facts["bytes"] > 0 and facts["segments"] == 1
    facts["categories"] = {k: pairs(v) for k, v in pairs(facts["categories"]).items()}
    assert facts.items() >= {
        "length": 5, "unread": 2, "unseen": 2, "first": "1-0", "last": "5-0", "trimmed": "0-0",
        "rev": 7, "categories": {
            "ci": {"length": 2, "unread": 1, "muted": 0}, "ops": {"length": 1, "unread": 1, "muted": 0},
        },
    }.items()  # fmt: skip
    verify(client, KEY)


def test_a_missing_box_is_empty(client):
    assert call(client, "NOTIFY.LEN", KEY) == 0
    assert call(client, "NOTIFY.UNREAD", KEY) == 0
    assert call(client, "NOTIFY.UNREAD", KEY, "CATEGORY", "ci") == 0
    assert call(client, "NOTIFY.RANGE", KEY, "-", "+") == []
    assert badge(client, KEY) == {
        "unread": 0, "unseen": 0, "by_category": {}, "max_level": None, "last": "0-0", "rev": 0,
        "epoch": 0, "next_expiry": 0,
    }  # fmt: skip
    assert error_of(client, "NOTIFY.INFO", KEY) == "no such key"
    assert error_of(client, "NOTIFY.VERIFY", KEY) == "no such key"
    assert client.exists(KEY) == 0


def test_since_answers_what_came_after(client, five):
    (reply,) = since(client, KEY, "3-0")
    assert [message["id"] for message in reply["entries"]] == ["4-0", "5-0"]
    assert [message["prev"] for message in reply["entries"]] == ["3-0", "4-0"]
    del reply["entries"]
    assert reply == {
        "key": KEY, "last": "5-0", "rev": 7, "unread": 2, "trimmed": "0-0", "gap": 0, "more": 0,
        "epoch": epoch_of(client), "after": "3-0", "next_expiry": 0,
    }  # fmt: skip


def test_since_looks_each_key_up_once(client, five):
    def lookups():
        stats = client.info("stats")
        return stats["keyspace_hits"], stats["keyspace_misses"]

    hits, misses = lookups()
    call(client, "NOTIFY.SINCE", KEY, "0", "missing", "0")
    assert lookups() == (hits + 1, misses + 1)


def test_what_since_makes_a_listener_hear_never_stands_within_its_reply(programs):
    server = programs.redis(notify_keyspace_events="Em")
    with Resp(server.port, protocol=3) as resp:
        resp.send("SUBSCRIBE", "__keyevent@0__:keymiss")
        resp.read_push()
        reply = resp.call("NOTIFY.SINCE", "missing", "5", "another", "5")
        assert [one["key"] for one in reply] == ["missing", "another"]
        heard = [resp.read_push()[-1] for _ in reply]  # before it, or behind it on newer servers
        assert heard == ["missing", "another"]


def test_since_is_silent_about_keys_without_news(client, five):
    call(client, "NOTIFY.SEND", "inbox:2", "t", "ID", "9")
    assert since(client, KEY, "5-0", "inbox:none", "0-0") == []
    assert [one["key"] for one in since(client, KEY, "5-0", "inbox:2", "8-0")] == ["inbox:2"]


def test_since_from_now_on_always_answers(client, five):
    here, nowhere = since(client, KEY, "$", "inbox:none", "$")
    assert (here["last"], here["gap"], here["entries"]) == ("5-0", 0, [])
    assert (nowhere["last"], nowhere["gap"], nowhere["rev"]) == ("0-0", 0, 0)


def test_since_tells_a_gap_after_a_trim_but_not_after_a_deletion(client, five):
    call(client, "NOTIFY.DEL", KEY, "2")
    assert since(client, KEY, "1-0")[0]["gap"] == 0
    call(client, "NOTIFY.TRIM", KEY, "MAXLEN", 2)
    (reply,) = since(client, KEY, "1-0")
    assert (reply["gap"], reply["trimmed"]) == (1, "3-0")
    assert [message["id"] for message in reply["entries"]] == ["4-0", "5-0"]
    assert since(client, KEY, "3-0")[0]["gap"] == 0


def test_since_tells_a_gap_when_the_box_is_behind_the_client(client, five):
    (reply,) = since(client, KEY, "7-0")
    assert (reply["gap"], reply["last"], reply["entries"]) == (1, "5-0", [])
    (reply,) = since(client, "inbox:none", "7-0")
    assert (reply["gap"], reply["last"]) == (1, "0-0")


def test_since_count_leaves_the_rest_for_the_next_time(client, five):
    (reply,) = since(client, KEY, "0", "COUNT", 2)
    assert [message["id"] for message in reply["entries"]] == ["1-0", "2-0"]
    assert reply["more"] == 1
    (reply,) = since(client, KEY, "2-0", "count", 3)
    assert [message["id"] for message in reply["entries"]] == ["3-0", "4-0", "5-0"]
    assert reply["more"] == 0


def test_since_of_a_long_box_is_bounded_by_default(client):
    for n in range(1, 1002):
        call(client, "NOTIFY.SEND", KEY, "t", "ID", n, "MAXLEN", 2000)
    (reply,) = since(client, KEY, "0")
    assert (len(reply["entries"]), reply["more"]) == (1000, 1)


@pytest.mark.parametrize(
    "arguments, error",
    [
        ([KEY, "0", "inbox:2"], "syntax error: each key needs an id"),
        ([KEY, "x"], "id must be an id such as 1795208400123-0, not 'x'"),
        ([KEY, "0", "COUNT", "0"],
         "COUNT must be an integer from 1 to 9223372036854775807, not '0'"),
    ],
)  # fmt: skip
def test_since_refuses_half_pairs_and_wrong_ids(client, arguments, error):
    assert error_of(client, "NOTIFY.SINCE", *arguments) == error


def test_a_key_called_count_can_be_asked_for(client):
    call(client, "NOTIFY.SEND", "COUNT", "t", "ID", "1")
    assert since(client, "COUNT", "0")[0]["key"] == "COUNT"


def test_reading_never_makes_a_key(client):
    call(client, "NOTIFY.SINCE", KEY, "0")
    call(client, "NOTIFY.GET", KEY, "1")
    call(client, "NOTIFY.READ", KEY, "1")
    call(client, "NOTIFY.READALL", KEY)
    call(client, "NOTIFY.SEEN", KEY)
    call(client, "NOTIFY.DEL", KEY, "1")
    call(client, "NOTIFY.TRIM", KEY, "MAXLEN", 0)
    assert client.dbsize() == 0
