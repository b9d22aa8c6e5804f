"""NOTIFY.READ, READALL, MARK, SEEN, DEL and TRIM: what changes, what is said, and what is not."""

import time

import pytest

from module_helpers import badge, call, entries, error_of, ids, info, verify

KEY = "inbox:1"


@pytest.fixture
def four(client):
    """1-0 and 2-0 of category ci, 3-0 without one, 4-0 an event."""
    call(client, "NOTIFY.SEND", KEY, "one", "ID", "1", "CATEGORY", "ci")
    call(client, "NOTIFY.SEND", KEY, "two", "ID", "2", "CATEGORY", "ci")
    call(client, "NOTIFY.SEND", KEY, "three", "ID", "3")
    call(client, "NOTIFY.EVENT", KEY, "e", "ID", "4")


def heard(listen, shared_redis, client, *command):
    """The reply, and the messages without the parts that are checked elsewhere."""
    listener = listen(shared_redis, KEY)
    reply = call(client, *command)
    messages = listener.messages()
    listener.close()
    verify(client, KEY)
    return reply, messages


def test_read_counts_what_changed_and_says_so(listen, shared_redis, client, four):
    reply, messages = heard(listen, shared_redis, client, "NOTIFY.READ", KEY, "2", "9-9", "1-0", "2-0")
    assert reply == 2
    assert messages == [
        {"type": "read", "key": KEY, "rev": 5, "unread": 1, "ids": ["2-0", "1-0"]}
    ]
    assert call(client, "NOTIFY.UNREAD", KEY) == 1
    assert badge(client, KEY)["unseen"] == 1, "what has been read has been seen"


def test_reading_again_changes_and_says_nothing(listen, shared_redis, client, four):
    call(client, "NOTIFY.READ", KEY, "1")
    rev = info(client, KEY)["rev"]
    for command in (["NOTIFY.READ", KEY, "1", "9-9", "4"], ["NOTIFY.MARK", KEY, "SEEN", "1"],
                    ["NOTIFY.MARK", KEY, "UNARCHIVED", "1"], ["NOTIFY.MARK", KEY, "UNREAD", "2"],
                    ["NOTIFY.DEL", KEY, "9-9"], ["NOTIFY.TRIM", KEY, "MAXLEN", "4"],
                    ["NOTIFY.TRIM", KEY, "MINID", "1-0"], ["NOTIFY.READALL", KEY, "UPTO", "1"],
                    ["NOTIFY.READALL", KEY, "CATEGORY", "never-heard-of"],
                    ["NOTIFY.SEEN", KEY, "UPTO", "0-1"]):  # fmt: skip
        assert heard(listen, shared_redis, client, *command) == (0, []), command
    assert info(client, KEY)["rev"] == rev


def test_read_at_is_now(client, four):
    before = int(time.time() * 1000) - 1
    call(client, "NOTIFY.READ", KEY, "1")
    found = dict(entries(call(client, "NOTIFY.RANGE", KEY, "-", "+")))
    assert before <= found["1-0"]["read_at"] <= time.time() * 1000 + 1
    assert found["1-0"]["seen_at"] == found["1-0"]["read_at"]


@pytest.mark.parametrize(
    "marks, type_, unread, unseen",
    [
        (["READ"], "read", 2, 2),
        (["READ", "UNREAD"], "unread_again", 3, 2),
        (["SEEN"], "seen", 3, 2),
        (["ARCHIVED"], "archived", 2, 2),
        (["ARCHIVED", "UNARCHIVED"], "unarchived", 3, 3),
        (["archived", "read"], "read", 2, 2),
    ],
)
def test_mark_changes_the_state(listen, shared_redis, client, four, marks, type_, unread, unseen):
    for mark in marks[:-1]:
        call(client, "NOTIFY.MARK", KEY, mark, "1")
    reply, (message,) = heard(listen, shared_redis, client, "NOTIFY.MARK", KEY, marks[-1], "1", "9-9")
    assert reply == 1
    assert message == {
        "type": type_, "key": KEY, "rev": 4 + len(marks), "unread": unread, "ids": ["1-0"]
    }  # fmt: skip
    assert badge(client, KEY)["unseen"] == unseen


def test_an_event_can_be_archived_but_not_read(client, four):
    assert call(client, "NOTIFY.READ", KEY, "4") == 0
    assert call(client, "NOTIFY.MARK", KEY, "SEEN", "4") == 0
    assert call(client, "NOTIFY.MARK", KEY, "ARCHIVED", "4") == 1


def test_readall_reads_up_to_the_last_id_of_this_moment(listen, shared_redis, client, four):
    reply, (message,) = heard(listen, shared_redis, client, "NOTIFY.READALL", KEY)
    assert reply == 3
    assert message == {"type": "read", "key": KEY, "rev": 5, "unread": 0, "upto": "4-0"}
    call(client, "NOTIFY.SEND", KEY, "later")
    assert call(client, "NOTIFY.UNREAD", KEY) == 1


def test_readall_up_to_an_id(listen, shared_redis, client, four):
    reply, (message,) = heard(listen, shared_redis, client, "NOTIFY.READALL", KEY, "UPTO", "2")
    assert (reply, message["upto"], message["unread"]) == (2, "2-18446744073709551615", 1)
    reply, (message,) = heard(listen, shared_redis, client, "NOTIFY.READALL", KEY, "UPTO", "99-0")
    assert (reply, message["upto"]) == (1, "4-0"), "an id to come must not be promised as read"


def test_readall_of_a_category(listen, shared_redis, client, four):
    reply, (message,) = heard(listen, shared_redis, client, "NOTIFY.READALL", KEY, "CATEGORY", "ci")
    assert (reply, message["category"], message["upto"]) == (2, "ci", "4-0")
    assert ids(call(client, "NOTIFY.RANGE", KEY, "-", "+", "UNREAD")) == ["3-0"]


def test_seen_leaves_unread_alone(listen, shared_redis, client, four):
    before = int(time.time() * 1000) - 1
    reply, (message,) = heard(listen, shared_redis, client, "NOTIFY.SEEN", KEY, "UPTO", "2-0")
    assert reply == 2
    assert message == {"type": "seen", "key": KEY, "rev": 5, "unread": 3, "upto": "2-0"}
    assert badge(client, KEY)["unseen"] == 1
    found = dict(entries(call(client, "NOTIFY.RANGE", KEY, "-", "+")))
    assert before <= found["1-0"]["seen_at"] <= time.time() * 1000 + 1 and "read_at" not in found["1-0"]
    assert call(client, "NOTIFY.SEEN", KEY) == 1


def test_del_removes_entries_and_keeps_the_box(listen, shared_redis, client, four):
    reply, messages = heard(listen, shared_redis, client, "NOTIFY.DEL", KEY, "1", "9-9", "4-0", "1")
    assert (reply, messages) == (
        2,
        [{"type": "deleted", "key": KEY, "rev": 5, "unread": 2, "ids": ["1-0", "4-0"]}],
    )
    assert call(client, "NOTIFY.DEL", KEY, "2", "3") == 2
    assert client.exists(KEY) == 1
    assert call(client, "NOTIFY.LEN", KEY) == 0
    assert info(client, KEY)["last"] == "4-0"
    assert error_of(client, "NOTIFY.SEND", KEY, "t", "ID", "4-0").startswith("ID must be greater")


def test_trim_by_length_and_by_id(listen, shared_redis, client, four):
    reply, (message,) = heard(listen, shared_redis, client, "NOTIFY.TRIM", KEY, "MAXLEN", "3")
    assert reply == 1
    assert message["type"] == "deleted" and message["unread"] == 2
    assert gone_before(message, {"1-0"}, {"2-0"})
    reply, (message,) = heard(listen, shared_redis, client, "NOTIFY.TRIM", KEY, "MINID", "4")
    assert reply == 2
    assert gone_before(message, {"2-0", "3-0"}, {"4-0"})
    reply, (message,) = heard(listen, shared_redis, client, "NOTIFY.TRIM", KEY, "MAXLEN", "0")
    assert reply == 1 and gone_before(message, {"4-0"}, set())
    assert client.exists(KEY) == 1
    assert info(client, KEY)["trimmed"] == "4-0"


def gone_before(message, gone, left):
    def order(text):
        return tuple(map(int, text.split("-")))

    before = order(message["before"])
    return all(order(one) < before for one in gone) and all(order(one) >= before for one in left)


def test_many_ids_are_told_in_several_messages_of_one_rev(listen, shared_redis, client):
    for n in range(1, 301):
        call(client, "NOTIFY.SEND", KEY, "t", "ID", n)
    reply, messages = heard(listen, shared_redis, client, "NOTIFY.READ", KEY, *range(1, 301))
    assert reply == 300
    assert [len(message["ids"]) for message in messages] == [128, 128, 44]
    assert {message["rev"] for message in messages} == {301}
    assert sum((message["ids"] for message in messages), []) == [f"{n}-0" for n in range(1, 301)]


def test_nopublish_changes_in_silence(listen, shared_redis, client, four):
    for command in (["NOTIFY.READ", KEY, "1"], ["NOTIFY.MARK", KEY, "UNREAD", "1"],
                    ["NOTIFY.SEEN", KEY], ["NOTIFY.READALL", KEY], ["NOTIFY.DEL", KEY, "1"],
                    ["NOTIFY.TRIM", KEY, "MAXLEN", "1"]):  # fmt: skip
        reply, messages = heard(listen, shared_redis, client, *command, "NOPUBLISH")
        assert reply > 0 and messages == [], command


@pytest.mark.parametrize(
    "command, error",
    [
        (["NOTIFY.READ", KEY, "x"], "id must be an id such as 1795208400123-0, not 'x'"),
        (["NOTIFY.READ", KEY, "LOG", "5"], "syntax error: at least one id is needed"),
        (["NOTIFY.READ", KEY, "1", "NOPUBLISH", "2"], "syntax error: unknown option '2'"),
        (["NOTIFY.READ", KEY, "1", "LOG"], "syntax error: LOG lacks its value"),
        (["NOTIFY.MARK", KEY, "DONE", "1"],
         "state must be READ, UNREAD, SEEN, ARCHIVED or UNARCHIVED, not 'DONE'"),
        (["NOTIFY.READALL", KEY, "UPTO", "x"], "UPTO must be an id such as 1795208400123-0, not 'x'"),
        (["NOTIFY.READALL", KEY, "LOGS", "x"], "the number of logs comes first: LOGS must be an integer from 1 to 256, not 'x'"),
        (["NOTIFY.SEEN", KEY, "CATEGORY", "ci"], "syntax error: unknown option 'CATEGORY'"),
        (["NOTIFY.DEL", KEY, "1", "AT", "5"], "syntax error: unknown option 'AT'"),
        (["NOTIFY.TRIM", KEY, "OLDEST", "5"], "syntax error: MAXLEN n or MINID id is needed"),
        (["NOTIFY.TRIM", KEY, "MAXLEN", "x"],
         "MAXLEN must be an integer from 0 to 16777215, not 'x'"),
        (["NOTIFY.TRIM", KEY, "MINID", "x"], "MINID must be an id such as 1795208400123-0, not 'x'"),
        (["NOTIFY.TRIM", KEY, "MAXLEN", "1", "MINID", "1"], "syntax error: unknown option 'MINID'"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_named_and_changes_nothing(listen, shared_redis, client, four, command, error):
    rev = info(client, KEY)["rev"]
    listener = listen(shared_redis, KEY)
    assert error_of(client, *command) == error
    assert listener.messages() == []
    assert info(client, KEY)["rev"] == rev


def test_a_wrong_id_at_the_end_keeps_the_ones_before_it(client, four):
    error_of(client, "NOTIFY.DEL", KEY, "1", "2", "x")
    assert call(client, "NOTIFY.LEN", KEY) == 4


def test_keyspace_events_tell_of_real_changes_only(listen, shared_redis, client, four):
    client.config_set("notify-keyspace-events", "Kd")
    channel = f"__keyspace@0__:{KEY}"
    listener = listen(shared_redis, channel)
    try:
        call(client, "NOTIFY.SEND", KEY, "t", "ID", "10")
        call(client, "NOTIFY.EVENT", KEY, "e", "ID", "11")
        for command in (["NOTIFY.READ", KEY, "1"], ["NOTIFY.MARK", KEY, "UNREAD", "1"],
                        ["NOTIFY.SEEN", KEY], ["NOTIFY.READALL", KEY],
                        ["NOTIFY.MARK", KEY, "ARCHIVED", "1"],
                        ["NOTIFY.MARK", KEY, "UNARCHIVED", "1"], ["NOTIFY.DEL", KEY, "1"],
                        ["NOTIFY.TRIM", KEY, "MAXLEN", "1"]):  # fmt: skip
            for _ in range(2):
                call(client, *command)
        assert listener.raw() == [
            (channel, f"notify.{event}")
            for event in ("send", "event", "read", "unread", "seen", "read", "archived",
                          "unarchived", "del", "trim")
        ]  # fmt: skip
    finally:
        client.config_set("notify-keyspace-events", "")


def test_watch_notices_real_changes_only(shared_redis, client, four):
    import redis

    other = shared_redis.client()
    for command, changes in (
        (["NOTIFY.SEND", KEY, "t"], True),
        (["NOTIFY.READ", KEY, "1"], True),
        (["NOTIFY.READ", KEY, "1"], False),
        (["NOTIFY.UNREAD", KEY], False),
        (["NOTIFY.DEL", KEY, "9-9"], False),
        (["NOTIFY.SEND", KEY, "t", "NX"], False),
    ):
        with client.pipeline() as pipe:
            pipe.watch(KEY)
            call(other, *command)
            pipe.multi()
            pipe.ping()
            if changes:
                with pytest.raises(redis.WatchError):
                    pipe.execute()
            else:
                pipe.execute()
