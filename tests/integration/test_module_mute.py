"""MUTE and UNMUTE: a muted category is stored and listed, but not counted nor flagged for alerting."""

import json

import pytest

from module_helpers import badge, call, check_everywhere, digest, error_of, ids, info, pairs, verify

KEY = "inbox:1"


@pytest.fixture
def three(client):
    call(client, "NOTIFY.SEND", KEY, "one", "ID", "1", "CATEGORY", "ci", "LEVEL", "error")
    call(client, "NOTIFY.SEND", KEY, "two", "ID", "2", "CATEGORY", "ops")
    call(client, "NOTIFY.SEND", KEY, "three", "ID", "3")


def test_a_muted_category_is_listed_but_not_counted(client, three):
    assert call(client, "NOTIFY.MUTE", KEY, "ci") == 1
    shown = badge(client, KEY)
    assert (shown["unread"], shown["unseen"], shown["max_level"]) == (2, 2, "info")
    assert shown["by_category"] == {"ops": 1}
    assert call(client, "NOTIFY.UNREAD", KEY, "CATEGORY", "ci") == 0
    assert ids(call(client, "NOTIFY.RANGE", KEY, "-", "+", "UNREAD")) == ["1-0", "2-0", "3-0"]
    categories = pairs(info(client, KEY)["categories"])
    assert pairs(categories["ci"]) == {"length": 1, "unread": 0, "muted": 1}
    verify(client, KEY)


def test_unmuting_makes_the_counts_right_at_once(client, three):
    call(client, "NOTIFY.MUTE", KEY, "ci")
    call(client, "NOTIFY.SEND", KEY, "four", "CATEGORY", "ci")
    call(client, "NOTIFY.READ", KEY, "1")
    assert call(client, "NOTIFY.UNREAD", KEY) == 2
    assert call(client, "NOTIFY.UNMUTE", KEY, "ci") == 1
    assert call(client, "NOTIFY.UNREAD", KEY) == 3
    assert call(client, "NOTIFY.UNREAD", KEY, "CATEGORY", "ci") == 1
    verify(client, KEY)


def test_the_reply_is_how_many_changed(client, three):
    assert call(client, "NOTIFY.MUTE", KEY, "ci", "new", "ci") == 2
    assert call(client, "NOTIFY.MUTE", KEY, "ci", "ops") == 1
    assert call(client, "NOTIFY.UNMUTE", KEY, "ops", "never seen") == 1
    assert call(client, "NOTIFY.UNMUTE", KEY, "ops") == 0


def test_a_change_is_published_once_and_raises_the_revision(client, listen, shared_redis, three):
    listener = listen(shared_redis, KEY)
    call(client, "NOTIFY.MUTE", KEY, "ci", 'a "quoted" one')
    call(client, "NOTIFY.MUTE", KEY, "ci")
    call(client, "NOTIFY.UNMUTE", KEY, "ci")
    call(client, "NOTIFY.UNMUTE", KEY, "ci")
    call(client, "NOTIFY.MUTE", KEY, "ops", "NOPUBLISH")
    assert listener.messages() == [
        {"type": "muted", "key": KEY, "rev": 4, "unread": 2, "categories": ["ci", 'a "quoted" one']},
        {"type": "unmuted", "key": KEY, "rev": 5, "unread": 3, "categories": ["ci"]},
    ]
    assert info(client, KEY)["rev"] == 6


def test_messages_of_a_muted_category_say_so(client, listen, shared_redis, three):
    listener = listen(shared_redis, KEY)
    call(client, "NOTIFY.MUTE", KEY, "ci")
    call(client, "NOTIFY.SEND", KEY, "four", "CATEGORY", "ci")
    call(client, "NOTIFY.EVENT", KEY, "e", "CATEGORY", "ci", "NOSTORE")
    call(client, "NOTIFY.SEND", KEY, "five", "CATEGORY", "ops")
    _, four, event, five = listener.messages()
    assert four["muted"] is event["muted"] is True and "muted" not in five
    assert four["unread"] == 2
    replayed = [json.loads(one) for one in call(client, "NOTIFY.RANGE", KEY, "-", "+", "JSON")]
    assert ["muted" in one for one in replayed] == [True, False, False, True, False]


def test_muting_makes_a_box_and_unmuting_none(client):
    assert call(client, "NOTIFY.UNMUTE", KEY, "ci") == 0
    assert client.exists(KEY) == 0
    assert call(client, "NOTIFY.MUTE", KEY, "ci") == 1
    call(client, "NOTIFY.SEND", KEY, "t", "CATEGORY", "ci")
    assert call(client, "NOTIFY.UNREAD", KEY) == 0


@pytest.mark.parametrize(
    "categories, error",
    [
        ([""], "category must have 1 to 64 bytes of UTF-8 without control characters"),
        (["ok", "x" * 65], "category must have 1 to 64 bytes of UTF-8 without control characters"),
        ([b"\xff"], "category must have 1 to 64 bytes of UTF-8 without control characters"),
        ([f"c{n}" for n in range(65)], "there must be at most 64 categories"),
        (["ok", "NOPUBLISH", "nopublish"], "syntax error: NOPUBLISH is given twice"),
        (["ok", "NOPUBLISH", "more"], "syntax error: unknown option 'more'"),
        (["NOPUBLISH", "ok"], "syntax error: at least one category is needed"),
    ],
)
def test_a_wrong_category_is_refused_and_changes_nothing(client, categories, error):
    assert error_of(client, "NOTIFY.MUTE", KEY, *categories) == error
    assert client.exists(KEY) == 0


def test_a_category_that_has_the_name_of_the_option_is_named_alone(client):
    assert call(client, "NOTIFY.MUTE", KEY, "NOPUBLISH", "NOPUBLISH") == 1
    assert list(pairs(info(client, KEY)["categories"])) == ["NOPUBLISH"]
    assert call(client, "NOTIFY.UNMUTE", KEY, "NOPUBLISH") == 1


def test_no_box_is_made_under_a_name_that_no_message_can_carry(client):
    assert error_of(client, "NOTIFY.MUTE", b"\xff", "ci") == "key must be valid UTF-8"
    assert call(client, "NOTIFY.UNMUTE", b"\xff", "ci") == 0
    assert client.exists(b"\xff") == 0


def test_a_key_of_another_type_is_refused(client):
    client.set(KEY, "text")
    for command in ("NOTIFY.MUTE", "NOTIFY.UNMUTE"):
        assert "WRONGTYPE" in error_of(client, command, KEY, "ci")


def test_mutes_survive_everything(programs):
    primary = programs.redis(name="primary", appendonly="yes", aof_use_rdb_preamble="no")
    replica = programs.replica(primary)
    client = primary.client()
    call(client, "NOTIFY.MUTE", KEY, "ci", "ops", "gone")
    call(client, "NOTIFY.UNMUTE", KEY, "ops")
    for n in range(200):
        call(client, "NOTIFY.SEND", KEY, "t", "CATEGORY", ("ci", "ops")[n % 2])
    wanted = digest(client, KEY)

    def check(one):
        assert digest(one, KEY) == wanted
        assert call(one, "NOTIFY.UNREAD", KEY) == 100
        assert pairs(pairs(info(one, KEY)["categories"])["gone"])["muted"] == 1

    check_everywhere(check, primary, replica)
    call(client, "NOTIFY.UNMUTE", KEY, "gone")
    assert digest(client, KEY) != wanted, "the digest knows what is muted"
