"""Inboxes that follow logs: FOLLOW, UNFOLLOW, CURSORS, COUNT, and LOGS/LOG of the other commands."""

import pytest

from module_helpers import badge, call, digest, error_of, info, pairs, verify
from resp import Resp
from servers import wait_until

INBOX, LOG = "inbox:1", "topic:all"


def send(client, key=LOG, *options):
    return call(client, "NOTIFY.SEND", key, "title", *options)


def unread(client, key=INBOX, *logs, categories=()):
    options = ["CATEGORY", *categories] if categories else []
    logs = logs or (LOG,)
    return call(client, "NOTIFY.UNREAD", key, *options, "LOGS", len(logs), *logs)


def cursors(client, key=INBOX):
    found = {log: pairs(fields) for log, fields in pairs(call(client, "NOTIFY.CURSORS", key)).items()}
    for fields in found.values():
        fields["read_categories"] = pairs(fields["read_categories"])
    return found


def test_what_a_log_gets_after_following_counts_for_the_inbox(shared_redis):
    client = shared_redis.client()
    send(client)
    assert call(client, "NOTIFY.FOLLOW", INBOX, LOG) == 1
    assert unread(client) == 0
    send(client)
    send(client, INBOX)
    assert unread(client) == 2
    assert call(client, "NOTIFY.UNREAD", INBOX) == 1


def test_following_again_changes_nothing(shared_redis):
    client = shared_redis.client()
    call(client, "NOTIFY.FOLLOW", INBOX, LOG)
    send(client)
    before = digest(client, INBOX)
    assert call(client, "NOTIFY.FOLLOW", INBOX, LOG, LOG, "FROM", "0") == 0
    assert digest(client, INBOX) == before
    assert unread(client) == 1


def test_following_may_start_anywhere(shared_redis):
    client = shared_redis.client()
    first, second = send(client), send(client)
    assert call(client, "NOTIFY.FOLLOW", "inbox:2", LOG, "FROM", "0") == 1
    assert call(client, "NOTIFY.FOLLOW", "inbox:3", LOG, "from", first, "nopublish") == 1
    assert call(client, "NOTIFY.FOLLOW", "inbox:4", LOG, "NOPUBLISH", "FROM", "$") == 1
    assert [unread(client, f"inbox:{n}") for n in (2, 3, 4)] == [2, 1, 0]
    assert cursors(client, "inbox:4")[LOG]["start"] == second


def test_a_log_that_does_not_exist_yet_can_be_followed(shared_redis):
    client = shared_redis.client()
    assert call(client, "NOTIFY.FOLLOW", INBOX, LOG) == 1
    assert unread(client) == 0
    assert cursors(client)[LOG]["start"] == "0-0"
    send(client)
    assert unread(client) == 1
    client.delete(LOG)
    assert unread(client) == 0


def test_reading_entries_of_a_log(shared_redis):
    client = shared_redis.client()
    call(client, "NOTIFY.FOLLOW", INBOX, LOG)
    ids = [send(client) for _ in range(5)]
    assert call(client, "NOTIFY.READ", INBOX, ids[1], ids[3], "5-5", "LOG", LOG) == 2
    assert call(client, "NOTIFY.READ", INBOX, ids[1], "LOG", LOG) == 0
    assert unread(client) == 3
    assert cursors(client)[LOG]["read_ids"] == [ids[1], ids[3]]
    assert call(client, "NOTIFY.MARK", INBOX, "UNREAD", ids[1], "LOG", LOG) == 1
    assert call(client, "NOTIFY.MARK", INBOX, "ARCHIVED", ids[0], "LOG", LOG) == 1
    assert unread(client) == 3
    assert call(client, "NOTIFY.READALL", INBOX, "UPTO", ids[2], "LOG", LOG) == 3
    assert unread(client) == 1
    assert call(client, "NOTIFY.MARK", INBOX, "UNREAD", ids[0], "LOG", LOG) == 1
    assert unread(client) == 1, "it is archived"
    assert call(client, "NOTIFY.MARK", INBOX, "UNARCHIVED", ids[0], "LOG", LOG) == 1
    assert unread(client) == 2
    assert call(client, "NOTIFY.READALL", INBOX, "LOG", LOG) == 2
    assert cursors(client)[LOG]["read"] == ids[4]
    assert call(client, "NOTIFY.READALL", INBOX, "LOG", LOG) == 0


def test_reading_in_order_leaves_no_exceptions(shared_redis):
    client = shared_redis.client()
    call(client, "NOTIFY.FOLLOW", INBOX, LOG)
    for _ in range(20):
        number = send(client)
        call(client, "NOTIFY.EVENT", LOG, "e")
        assert call(client, "NOTIFY.READ", INBOX, number, "LOG", LOG) == 1
    cursor = cursors(client)[LOG]
    assert not cursor["read_ids"] and not cursor["unread_ids"]
    (last,) = call(client, "NOTIFY.REVRANGE", LOG, "+", "-", "COUNT", 1)
    assert cursor["read"] == last[0]  # the event's: it has nothing to read


def test_seen_marks_of_a_log(shared_redis):
    client = shared_redis.client()
    call(client, "NOTIFY.FOLLOW", INBOX, LOG)
    ids = [send(client) for _ in range(4)]

    def share():
        return pairs(pairs(call(client, "NOTIFY.BADGE", INBOX, "LOGS", 1, LOG))["logs"][1])

    assert (share()["unread"], share()["unseen"], share()["last"]) == (4, 4, ids[3])
    assert call(client, "NOTIFY.SEEN", INBOX, "UPTO", ids[1], "LOG", LOG) == 2
    assert call(client, "NOTIFY.MARK", INBOX, "SEEN", ids[3], "LOG", LOG) == 1
    assert (share()["unread"], share()["unseen"]) == (4, 1)
    assert cursors(client)[LOG]["seen_ids"] == [ids[3]]
    assert call(client, "NOTIFY.SEEN", INBOX, "LOG", LOG) == 1
    assert (share()["unread"], share()["unseen"]) == (4, 0)


def test_muted_categories_of_the_inbox_hold_for_its_logs(shared_redis):
    client = shared_redis.client()
    call(client, "NOTIFY.FOLLOW", INBOX, LOG)
    for category in ("ci", "ci", "ops"):
        send(client, LOG, "CATEGORY", category)
    send(client)
    assert unread(client) == 4
    assert unread(client, categories=["ci"]) == 2
    assert unread(client, categories=["ci", "ops"]) == 3
    assert unread(client, categories=["none"]) == 0
    call(client, "NOTIFY.MUTE", INBOX, "ci")
    assert unread(client) == 2
    assert unread(client, categories=["ci", "ops"]) == 1
    call(client, "NOTIFY.MUTE", LOG, "ops")
    assert unread(client) == 2, "what the log itself has muted is its own affair"


def test_readall_of_one_category_of_a_log(shared_redis):
    client = shared_redis.client()
    call(client, "NOTIFY.FOLLOW", INBOX, LOG)
    ids = [send(client, LOG, "CATEGORY", category) for category in ("ci", "ops", "ci", "ci")]
    assert call(client, "NOTIFY.READALL", INBOX, "UPTO", ids[2], "CATEGORY", "ci", "LOG", LOG) == 2
    assert unread(client) == 2
    assert unread(client, categories=["ci"]) == 1
    assert cursors(client)[LOG]["read"] == ids[0]
    assert call(client, "NOTIFY.READALL", INBOX, "CATEGORY", "none", "LOG", LOG) == 0
    assert cursors(client)[LOG]["read_categories"] == {"ci": ids[2]}


def test_a_category_of_a_log_is_read_in_one_step_whatever_its_size(programs):
    primary = programs.redis(name="primary", appendonly="yes", aof_use_rdb_preamble="no")
    replica = programs.replica(primary)
    client, there = primary.client(), replica.client()
    call(client, "NOTIFY.FOLLOW", INBOX, LOG)
    send(client, LOG, "CATEGORY", "ops")
    for n in range(5000):
        send(client, LOG, "CATEGORY", "ci" if n % 2 else "ops", "MAXLEN", 10000)
    assert call(client, "NOTIFY.READALL", INBOX, "CATEGORY", "ci", "LOG", LOG) == 2500
    assert call(client, "NOTIFY.READALL", INBOX, "CATEGORY", "ci", "LOG", LOG) == 0
    assert (unread(client), unread(client, categories=["ci"])) == (2501, 0)
    last = send(client, LOG, "CATEGORY", "ci", "MAXLEN", 10000)
    assert unread(client, categories=["ci"]) == 1
    assert len(str(cursors(client)[LOG])) < 500
    before = everything(client, [LOG])
    replica.wait_synced()
    assert everything(there, [LOG]) == before
    client.execute_command("DEBUG", "LOADAOF")
    assert everything(client, [LOG]) == before
    assert call(client, "NOTIFY.READALL", INBOX, "LOG", LOG) == 2502
    assert cursors(client)[LOG]["read_categories"] == {}
    assert cursors(client)[LOG]["read"] == last


@pytest.mark.parametrize("level", [1, 2])
def test_a_server_that_writes_for_an_older_one_reads_a_category_entry_by_entry(redis_server, level):
    client = redis_server.client()
    client.config_set("notify.write-version", level)
    call(client, "NOTIFY.FOLLOW", INBOX, LOG)
    ids = [send(client, LOG, "CATEGORY", category) for category in ("ops", "ci", "ops", "ci")]
    assert call(client, "NOTIFY.READALL", INBOX, "CATEGORY", "ci", "LOG", LOG) == 2
    assert unread(client) == 2
    assert cursors(client)[LOG]["read_ids"] == [ids[1], ids[3]]
    assert cursors(client)[LOG]["read_categories"] == {}
    client.config_set("notify.write-version", 3)
    send(client, LOG, "CATEGORY", "ci")
    call(client, "NOTIFY.READALL", INBOX, "CATEGORY", "ci", "LOG", LOG)
    assert (unread(client), len(cursors(client)[LOG]["read_categories"])) == (2, 1)
    client.config_set("notify.write-version", level)
    client.execute_command("DEBUG", "RELOAD")
    assert (unread(client), cursors(client)[LOG]["read_categories"]) == (5, {})


def test_readall_of_a_box_and_its_logs_is_one_command(programs, listen):
    primary = programs.redis(name="primary", appendonly="yes", aof_use_rdb_preamble="no")
    replica = programs.replica(primary)
    client, there = primary.client(), replica.client()
    logs = [LOG, "topic:2", "topic:none", "topic:not-followed"]
    call(client, "NOTIFY.FOLLOW", INBOX, *logs[:3])
    ids = {key: [send(client, key, "CATEGORY", category) for category in ("ci", "ops", "ci")]
           for key in (INBOX, *logs[:2], logs[3])}  # fmt: skip
    heard = listen(primary, INBOX)
    assert call(client, "NOTIFY.SEEN", INBOX, "UPTO", ids[LOG][0], "LOGS", 2, *logs[:2]) >= 2
    rev = info(client, INBOX)["rev"]
    assert call(client, "NOTIFY.READALL", INBOX, "CATEGORY", "ci", "LOGS", 4, *logs) == 6
    assert call(client, "NOTIFY.READALL", INBOX, "CATEGORY", "ci", "LOGS", 4, *logs) == 0
    assert info(client, INBOX)["rev"] == rev + 3
    assert unread(client, INBOX, *logs[:2]) == 3
    assert call(client, "NOTIFY.READALL", INBOX, "LOGS", 2, *logs[:2]) == 3
    told = [one for one in heard.messages() if one["type"] == "read"]
    assert [(one.get("log"), one.get("category")) for one in told] == [
        (None, "ci"), (LOG, "ci"), ("topic:2", "ci"), (None, None), (LOG, None), ("topic:2", None)]  # fmt: skip
    before = everything(client, logs)
    replica.wait_synced()
    assert everything(there, logs) == before
    client.execute_command("DEBUG", "LOADAOF")
    assert everything(client, logs) == before
    assert call(client, "NOTIFY.UNREAD", logs[3]) == 3, "of its own"


def test_readall_of_logs_changes_nothing_if_one_of_them_refuses(programs, redis_server):
    client = redis_server.client()
    call(client, "NOTIFY.FOLLOW", INBOX, LOG, "topic:2")
    client.set("string", "x")
    for key in (INBOX, LOG, "topic:2"):
        for n in range(257):
            send(client, key, *(["CATEGORY", f"c{n}"] if n else []))
    for n in range(1, 257):
        call(client, "NOTIFY.READALL", INBOX, "CATEGORY", f"c{n}", "LOG", "topic:2")
    send(client, "topic:2", "CATEGORY", "one more")
    send(client, INBOX, "CATEGORY", "one more")
    before = digest(client, INBOX)
    words = ["NOTIFY.READALL", INBOX, "CATEGORY", "one more", "LOGS"]
    assert error_of(client, *words, 2, LOG, "topic:2").startswith("LIMIT the read entries of the log")
    assert error_of(client, *words, 2, LOG, "string").startswith("WRONGTYPE")
    assert error_of(client, *words, 2, LOG, INBOX).startswith("LOG must be another box")
    assert error_of(client, "NOTIFY.READALL", INBOX, "LOG", LOG, "LOGS", 1, LOG) == (
        "syntax error: only one of LOG and LOGS may be given")  # fmt: skip
    assert digest(client, INBOX) == before


def test_categories_that_a_log_has_read_alone_are_limited(programs, redis_server):
    client = redis_server.client()
    call(client, "NOTIFY.FOLLOW", INBOX, LOG)
    send(client, LOG)  # stays unread, so that no watermark for all goes over the categories
    for n in range(257):
        send(client, LOG, "CATEGORY", f"c{n}")
    for n in range(256):
        assert call(client, "NOTIFY.READALL", INBOX, "CATEGORY", f"c{n}", "LOG", LOG) == 1
    before = digest(client, INBOX)
    error = error_of(client, "NOTIFY.READALL", INBOX, "CATEGORY", "c256", "LOG", LOG)
    assert "or 256 categories" in error
    assert (digest(client, INBOX), unread(client)) == (before, 2)


def test_the_state_of_the_log_itself_is_its_own(shared_redis):
    client = shared_redis.client()
    call(client, "NOTIFY.FOLLOW", INBOX, LOG)
    ids = [send(client) for _ in range(3)]
    call(client, "NOTIFY.READALL", LOG)
    assert unread(client) == 3
    call(client, "NOTIFY.MARK", LOG, "ARCHIVED", ids[0])
    assert unread(client) == 2, "withdrawn"
    call(client, "NOTIFY.DEL", LOG, ids[1])
    assert unread(client) == 1
    call(client, "NOTIFY.MARK", LOG, "UNARCHIVED", ids[0])
    assert unread(client) == 2


def test_each_change_has_a_message_with_absolute_counts(shared_redis, listen):
    client = shared_redis.client()
    send(client, INBOX)
    listener = listen(shared_redis, INBOX)
    first = send(client)
    call(client, "NOTIFY.FOLLOW", INBOX, LOG, "topic:b", "FROM", "0")
    second = send(client)
    call(client, "NOTIFY.READ", INBOX, first, "LOG", LOG)
    call(client, "NOTIFY.READ", INBOX, first, "LOG", LOG)
    call(client, "NOTIFY.READALL", INBOX, "LOG", LOG)
    call(client, "NOTIFY.MARK", INBOX, "UNREAD", first, "LOG", LOG)
    call(client, "NOTIFY.UNFOLLOW", INBOX, LOG, "topic:c")
    call(client, "NOTIFY.UNFOLLOW", INBOX, "topic:b", "NOPUBLISH")
    same = {"key": INBOX, "unread": 1}
    assert listener.messages() == [
        {"type": "followed", "rev": 2, "log": LOG, "log_unread": 1, "start": "0-0", **same},
        {"type": "followed", "rev": 3, "log": "topic:b", "log_unread": 0, "start": "0-0", **same},
        {"type": "read", "rev": 4, "log": LOG, "log_unread": 1, "ids": [first], **same},
        {"type": "read", "rev": 5, "log": LOG, "log_unread": 0, "upto": second, **same},
        {"type": "unread_again", "rev": 6, "log": LOG, "log_unread": 1, "ids": [first], **same},
        {"type": "unfollowed", "rev": 7, "log": LOG, "log_unread": 0, **same},
    ]
    assert badge(client, INBOX)["rev"] == 8


def test_unfollowing_forgets_what_was_read(shared_redis):
    client = shared_redis.client()
    call(client, "NOTIFY.FOLLOW", INBOX, LOG, "FROM", "0")
    call(client, "NOTIFY.READ", INBOX, send(client), "LOG", LOG)
    assert call(client, "NOTIFY.UNFOLLOW", INBOX, LOG) == 1
    assert call(client, "NOTIFY.UNFOLLOW", INBOX, LOG) == 0
    assert unread(client) == 0
    assert cursors(client) == {}
    assert call(client, "NOTIFY.FOLLOW", INBOX, LOG, "FROM", "0") == 1
    assert unread(client) == 1


def test_what_is_not_followed_is_neither_counted_nor_marked(shared_redis):
    client = shared_redis.client()
    number = send(client)
    assert unread(client) == 0
    assert call(client, "NOTIFY.READ", INBOX, number, "LOG", LOG) == 0
    assert call(client, "NOTIFY.READALL", INBOX, "LOG", LOG) == 0
    assert call(client, "NOTIFY.UNFOLLOW", INBOX, LOG) == 0
    assert not client.exists(INBOX)
    call(client, "NOTIFY.FOLLOW", INBOX, LOG)
    assert call(client, "NOTIFY.READ", INBOX, number, "LOG", LOG) == 0, "it came before"


def test_errors_name_what_is_wrong_and_change_nothing(shared_redis):
    client = shared_redis.client()
    client.set("text", "x")
    number = send(client)
    call(client, "NOTIFY.FOLLOW", INBOX, LOG, "FROM", "0")
    before = digest(client, INBOX, LOG)
    wrong_type = "WRONGTYPE Operation against a key holding the wrong kind of value"
    cases = [
        (["NOTIFY.FOLLOW", INBOX, "topic:b", "text"], wrong_type),
        (["NOTIFY.FOLLOW", "text", LOG], wrong_type),
        (["NOTIFY.UNFOLLOW", "text", LOG], wrong_type),
        (["NOTIFY.READ", INBOX, number, "LOG", "text"], wrong_type),
        (["NOTIFY.READALL", INBOX, "LOG", "text"], wrong_type),
        (["NOTIFY.UNREAD", INBOX, "LOGS", 2, LOG, "text"], wrong_type),
        (["NOTIFY.BADGE", INBOX, "LOGS", 2, LOG, "text"], wrong_type),
        (["NOTIFY.COUNT", "text", "-", "+"], wrong_type),
        (["NOTIFY.CURSORS", "text"], wrong_type),
        (["NOTIFY.FOLLOW", INBOX, INBOX], "log must be another box than the key itself"),
        (["NOTIFY.FOLLOW", INBOX, "x" * 513], "log must be at most 512 bytes"),
        (["NOTIFY.FOLLOW", INBOX, "a", "FROM", "x"], "FROM must be an id"),
        (["NOTIFY.FOLLOW", INBOX, "a", "FROM"], "syntax error: FROM lacks its value"),
        (["NOTIFY.FOLLOW", INBOX, "a", "FROM", 0, "from", 1], "syntax error: FROM is given twice"),
        (["NOTIFY.FOLLOW", INBOX, "a", "FROM", 0, "b"], "syntax error: unknown option 'b'"),
        (["NOTIFY.FOLLOW", INBOX, "FROM", 0], "syntax error: at least one log is needed"),
        (["NOTIFY.FOLLOW", INBOX, "NOPUBLISH", "a"], "syntax error: at least one log is needed"),
        (["NOTIFY.UNFOLLOW", INBOX, "NOPUBLISH", LOG], "syntax error: at least one log is needed"),
        (
            ["NOTIFY.UNFOLLOW", INBOX, LOG, "NOPUBLISH", "NOPUBLISH"],
            "syntax error: NOPUBLISH is given twice",
        ),
        (["NOTIFY.FOLLOW", INBOX, b"\xff"], "log must be valid UTF-8"),
        (["NOTIFY.FOLLOW", b"\xff", LOG], "key must be valid UTF-8"),
        (["NOTIFY.READ", INBOX, number, "LOG", INBOX], "LOG must be another box than the key"),
        (["NOTIFY.READ", INBOX, number, "LOG"], "LOG lacks its value"),
        (["NOTIFY.UNREAD", INBOX, "LOGS"], "LOGS"),
        (["NOTIFY.UNREAD", INBOX, "LOGS", 0], "LOGS must be"),
        (["NOTIFY.UNREAD", INBOX, "LOGS", 2, LOG], "the number of the logs that follow it"),
        (["NOTIFY.UNREAD", INBOX, "LOGS", 2, LOG, LOG], "LOGS must name each log once"),
        (["NOTIFY.BADGE", INBOX, "LOGS", 1, LOG, "x"], "syntax error"),
        (["NOTIFY.COUNT", LOG, "-"], "wrong number of arguments"),
        (["NOTIFY.COUNT", LOG, "-", "x"], "must be"),
    ]
    for command, expected in cases:
        assert expected in error_of(client, *command), command
    assert digest(client, INBOX, LOG) == before
    assert not client.exists("topic:b", "a", b"\xff")


def test_a_log_that_has_the_name_of_an_option_is_named_alone(programs, redis_server):
    replica = programs.redis(name="replica", replica_of=redis_server)
    client = redis_server.client()
    assert call(client, "NOTIFY.FOLLOW", INBOX, "FROM", "FROM", "0") == 1
    assert call(client, "NOTIFY.FOLLOW", INBOX, "NOPUBLISH", "NOPUBLISH") == 1
    assert call(client, "NOTIFY.FOLLOW", INBOX, "x") == 1
    assert sorted(cursors(client)) == ["FROM", "NOPUBLISH", "x"]
    assert call(client, "NOTIFY.UNFOLLOW", INBOX, "NOPUBLISH") == 1
    assert call(client, "NOTIFY.UNFOLLOW", INBOX, "x", "FROM") == 2
    replica.wait_synced()
    assert cursors(replica.client()) == cursors(client) == {}


def test_a_box_that_was_renamed_to_what_it_follows_can_leave_it(shared_redis):
    client = shared_redis.client()
    call(client, "NOTIFY.FOLLOW", INBOX, LOG)
    client.rename(INBOX, LOG)
    assert call(client, "NOTIFY.UNFOLLOW", LOG, LOG) == 1
    assert cursors(client, LOG) == {}


def test_an_inbox_follows_a_limited_number_of_logs(shared_redis):
    client = shared_redis.client()
    logs = [f"topic:{n}" for n in range(1024)]
    assert call(client, "NOTIFY.FOLLOW", INBOX, *logs[:1000]) == 1000
    before = digest(client, INBOX)
    error = error_of(client, "NOTIFY.FOLLOW", INBOX, *logs[990:], "one too many")
    assert error == "LIMIT a box may follow at most 1024 logs"
    assert digest(client, INBOX) == before
    assert call(client, "NOTIFY.FOLLOW", INBOX, *logs[990:]) == 24
    assert badge(client, INBOX)["rev"] == 1024
    verify(client, INBOX)


def test_exceptions_are_limited_and_reading_in_order_makes_room(shared_redis):
    client = shared_redis.client()
    call(client, "NOTIFY.FOLLOW", INBOX, LOG)
    ids = [send(client, LOG, "MAXLEN", 5000) for _ in range(2200)]
    odd = ids[1::2]
    assert call(client, "NOTIFY.READ", INBOX, *odd[:1024], "LOG", LOG) == 1024
    before = digest(client, INBOX)
    error = error_of(client, "NOTIFY.READ", INBOX, odd[1024], "LOG", LOG)
    assert error.startswith("LIMIT the read entries of the log are too scattered")
    assert digest(client, INBOX) == before
    assert unread(client) == 2200 - 1024
    assert call(client, "NOTIFY.READ", INBOX, ids[0], "LOG", LOG) == 1
    assert call(client, "NOTIFY.READ", INBOX, odd[1024], "LOG", LOG) == 1
    assert unread(client) == 2200 - 1026


def test_exceptions_of_entries_that_are_gone_make_room_too(shared_redis):
    client = shared_redis.client()
    call(client, "NOTIFY.FOLLOW", INBOX, LOG)
    ids = [send(client, LOG, "MAXLEN", 5000) for _ in range(2200)]
    assert call(client, "NOTIFY.READ", INBOX, *ids[1:2049:2], "LOG", LOG) == 1024
    call(client, "NOTIFY.DEL", LOG, ids[501])
    assert unread(client) == 2200 - 1024
    assert call(client, "NOTIFY.READ", INBOX, ids[2101], "LOG", LOG) == 1
    call(client, "NOTIFY.TRIM", LOG, "MAXLEN", 100)
    assert unread(client) == 99
    assert call(client, "NOTIFY.READ", INBOX, ids[2111], "LOG", LOG) == 1
    assert cursors(client)[LOG]["read_ids"] == [ids[2101], ids[2111]]


def test_expired_entries_of_a_log_are_not_counted(shared_redis):
    client = shared_redis.client()
    call(client, "NOTIFY.FOLLOW", INBOX, LOG)
    send(client, LOG, "PX", 1)
    number = send(client)
    wait_until(lambda: call(client, "NOTIFY.LEN", LOG) == 1, "the end of the first")
    assert unread(client) == 1
    assert call(client, "NOTIFY.READALL", INBOX, "LOG", LOG) == 1
    assert cursors(client)[LOG]["read"] == number


def test_count_counts_notifications_in_a_range(shared_redis):
    client = shared_redis.client()
    ids = [send(client, LOG, "CATEGORY", f"c{n % 3}") for n in range(300)]
    call(client, "NOTIFY.EVENT", LOG, "e")
    call(client, "NOTIFY.READALL", LOG)
    call(client, "NOTIFY.MUTE", LOG, "c1")
    assert call(client, "NOTIFY.COUNT", LOG, "-", "+") == 300
    assert call(client, "NOTIFY.COUNT", LOG, f"({ids[10]}", "+") == 289
    assert call(client, "NOTIFY.COUNT", LOG, ids[10], ids[99]) == 90
    assert call(client, "NOTIFY.COUNT", LOG, ids[99], ids[10]) == 0
    assert call(client, "NOTIFY.COUNT", LOG, "-", "+", "CATEGORY", "c1") == 100
    assert call(client, "NOTIFY.COUNT", LOG, ids[0], ids[29], "CATEGORY", "c1", "c2") == 20
    assert call(client, "NOTIFY.COUNT", "none", "-", "+") == 0


def test_the_server_knows_the_keys_of_every_form(shared_redis):
    resp = Resp(shared_redis.port)
    cases = [
        ("NOTIFY.UNREAD k", "k"),
        ("NOTIFY.UNREAD k CATEGORY a b", "k"),
        ("NOTIFY.UNREAD k CATEGORY LOGS", "k"),
        ("NOTIFY.UNREAD k CATEGORY LOGS LOGS 2 a b", "k a b"),
        ("NOTIFY.UNREAD k LOGS 1 a CATEGORY x", "k a"),
        ("NOTIFY.BADGE k LOGS 3 a b c", "k a b c"),
        ("NOTIFY.BADGE k", "k"),
        ("NOTIFY.READ k 1 2 LOG a", "k a"),
        ("NOTIFY.READ k 1 AT 5 LOG a NOPUBLISH", "k a"),
        ("NOTIFY.READ k 1", "k"),
        ("NOTIFY.MARK k READ 1 LOG a", "k a"),
        ("NOTIFY.READALL k CATEGORY LOG LOG a", "k a"),
        ("NOTIFY.READALL k CATEGORY LOG", "k"),
        ("NOTIFY.READALL k CATEGORY LOGS LOGS 2 a b UPTO 5", "k a b"),
        ("NOTIFY.SEEN k LOGS 2 a b", "k a b"),
        ("NOTIFY.SEEN k LOG a UPTO 5", "k a"),
        ("NOTIFY.FOLLOW k a b", "k a b"),
        ("NOTIFY.FOLLOW k a b FROM 5 NOPUBLISH", "k a b"),
        ("NOTIFY.UNFOLLOW k a b NOPUBLISH", "k a b"),
        ("NOTIFY.CURSORS k", "k"),
        ("NOTIFY.COUNT k - +", "k"),
    ]
    for command, keys in cases:
        assert resp.call("COMMAND", "GETKEYS", *command.split()) == keys.split(), command


def test_reading_a_log_needs_permission_for_the_log(shared_redis):
    client = shared_redis.client()
    number = send(client)
    call(client, "ACL", "SETUSER", "u", "reset", "on", ">p", "+@all", "~inbox:*", "%R~topic:b", "&*")
    user = shared_redis.client(username="u", password="p")
    for command in (
        ["NOTIFY.FOLLOW", INBOX, LOG],
        ["NOTIFY.UNREAD", INBOX, "LOGS", 1, LOG],
        ["NOTIFY.BADGE", INBOX, "LOGS", 1, LOG],
        ["NOTIFY.READ", INBOX, number, "LOG", LOG],
        ["NOTIFY.READALL", INBOX, "LOG", LOG],
        ["NOTIFY.COUNT", LOG, "-", "+"],
    ):
        assert "permission" in error_of(user, *command), command
    assert call(user, "NOTIFY.FOLLOW", INBOX, "topic:b") == 1
    assert call(user, "NOTIFY.UNREAD", INBOX, "LOGS", 1, "topic:b") == 0
    assert call(user, "NOTIFY.UNREAD", INBOX, "CATEGORY", "LOGS") == 0
    assert call(user, "NOTIFY.READALL", INBOX, "LOG", "topic:b") == 0
    call(client, "ACL", "DELUSER", "u")


# -- it lasts


def many_cursors(client):
    """An inbox with cursors of every kind: (its name, all keys)."""
    logs = [f"topic:{n}" for n in range(70)]
    ids = {log: [send(client, log, *["CATEGORY", f"c{n}"][: n // 9 * 2]) for n in range(12)] for log in logs[:40]}
    for number, log in enumerate(logs):
        start = ids[log][number % 5] if number < 40 else "$"
        call(client, "NOTIFY.FOLLOW", INBOX, log, "FROM", start)
    for number, log in enumerate(logs[:40]):
        call(client, "NOTIFY.READALL", INBOX, "UPTO", ids[log][number % 9], "LOG", log)
        for mark, n in (("READ", 10), ("UNREAD", 6), ("SEEN", 9), ("ARCHIVED", 8), ("READ", 8)):
            call(client, "NOTIFY.MARK", INBOX, mark, ids[log][n], "LOG", log)
        call(client, "NOTIFY.READALL", INBOX, "CATEGORY", "c11", "LOG", log)
    assert sum(fields["read_categories"] != {} for fields in cursors(client).values()) > 20
    call(client, "NOTIFY.READALL", INBOX, "CATEGORY", "none", "LOG", logs[0])
    for _ in range(150):
        send(client, INBOX)
    return logs


def everything(client, logs):
    return digest(client, INBOX), cursors(client), [unread(client, INBOX, log) for log in logs]


def test_cursors_survive_reload_rewrite_and_copies(programs):
    server = programs.redis(appendonly="yes", **{"aof-use-rdb-preamble": "no"})
    client = server.client()
    logs = many_cursors(client)
    before = everything(client, logs)
    assert len(before[1]) == 70 and len(set(before[2])) > 5
    client.execute_command("DEBUG", "RELOAD")
    assert everything(client, logs) == before
    client.execute_command("DEBUG", "LOADAOF")
    assert everything(client, logs) == before
    client.bgrewriteaof()
    server.wait_line(r"Background AOF rewrite finished successfully")
    client.execute_command("DEBUG", "LOADAOF")
    assert everything(client, logs) == before
    client.execute_command("COPY", INBOX, "copy")
    client.execute_command("RESTORE", "restored", 0, server.client(decode_responses=False).dump(INBOX))
    assert digest(client, "copy", "restored") == before[0] * 2
    call(client, "NOTIFY.UNFOLLOW", "copy", *logs)
    assert digest(client, INBOX) == before[0]
    verify(client, INBOX)
    assert client.memory_usage(INBOX) > client.memory_usage("copy")


def test_a_replica_has_the_same_cursors(programs):
    primary = programs.redis(name="primary")
    replica = programs.replica(primary)
    client, there = primary.client(), replica.client()
    logs = many_cursors(client)
    for _ in range(3):
        send(client, logs[0], "CATEGORY", "ci")
    assert call(client, "NOTIFY.READALL", INBOX, "CATEGORY", "ci", "LOG", logs[0]) == 3
    call(client, "NOTIFY.UNFOLLOW", INBOX, *logs[20:25])
    replica.wait_synced()
    assert everything(there, logs) == everything(client, logs)
    assert badge(there, INBOX) == badge(client, INBOX)


def test_expired_entries_do_not_make_a_replica_differ(programs):
    primary = programs.redis(name="primary")
    replica = programs.replica(primary)
    client, there = primary.client(), replica.client()
    inboxes = [f"inbox:{n}" for n in range(4)]
    for key in inboxes:
        call(client, "NOTIFY.FOLLOW", key, LOG)
    for n in range(12):
        send(client, LOG, "CATEGORY", "ci", *(["PX", 30] if n % 3 == 0 else []))
    last = call(client, "NOTIFY.REVRANGE", LOG, "+", "-", "COUNT", 1)[0][0]
    assert call(client, "NOTIFY.READ", inboxes[0], last, "LOG", LOG) == 1
    wait_until(lambda: call(client, "NOTIFY.LEN", LOG) == 8)
    assert call(client, "NOTIFY.READALL", inboxes[0], "CATEGORY", "ci", "LOG", LOG) == 7
    assert call(client, "NOTIFY.READALL", inboxes[1], "UPTO", last, "LOG", LOG) == 8
    assert call(client, "NOTIFY.SEEN", inboxes[2], "LOG", LOG) == 8
    assert call(client, "NOTIFY.READ", inboxes[3], last, "LOG", LOG) == 1
    assert [unread(client, key) for key in inboxes] == [0, 0, 8, 7]
    replica.wait_synced()
    assert [unread(there, key) for key in inboxes] == [0, 0, 8, 7]
    assert digest(there, LOG, *inboxes) == digest(client, LOG, *inboxes)
    send(client)  # which takes the expired ones out
    assert [unread(client, key) for key in inboxes] == [1, 1, 9, 8]
    replica.wait_synced()
    assert digest(there, LOG, *inboxes) == digest(client, LOG, *inboxes)


def test_a_box_that_follows_outlives_its_entries(programs):
    server = programs.redis()
    client = server.client()
    with client.pipeline() as pipe:  # in which the clock stands still
        pipe.execute_command("NOTIFY.SEND", INBOX, "t", "PX", 20)
        pipe.pttl(INBOX)
        pipe.execute_command("NOTIFY.FOLLOW", INBOX, LOG)
        pipe.pttl(INBOX)
        _, before, _, behind = pipe.execute()
    assert before > 0 and behind == -1
    wait_until(lambda: call(client, "NOTIFY.LEN", INBOX) == 0)
    send(client)
    assert unread(client) == 1


def test_in_a_cluster_logs_must_share_the_slot_of_the_box(programs):
    server = programs.redis(**{"cluster-enabled": "yes"})
    client = server.client()
    client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
    wait_until(lambda: "cluster_state:ok" in str(Resp(server.port).call("CLUSTER", "INFO")))
    inbox, log = "inbox:{acme}:42", "topic:{acme}"
    assert call(client, "NOTIFY.FOLLOW", inbox, log) == 1
    number = send(client, log)
    assert unread(client, inbox, log) == 1
    assert call(client, "NOTIFY.READ", inbox, number, "LOG", log) == 1
    for command in (
        f"NOTIFY.FOLLOW {inbox} topic:all",
        f"NOTIFY.UNFOLLOW {inbox} topic:all",
        f"NOTIFY.UNREAD {inbox} CATEGORY LOGS LOGS 1 topic:all",
        f"NOTIFY.BADGE {inbox} LOGS 2 {log} topic:all",
        f"NOTIFY.FEED {inbox} CATEGORY LOGS LOGS 2 {log} topic:all",
        f"NOTIFY.RANGE {inbox} - + CATEGORY LOG LOG topic:all",
        f"NOTIFY.COUNT {inbox} - + LOG topic:all",
        f"NOTIFY.GET {inbox} {number} LOG topic:all",
        f"NOTIFY.READ {inbox} {number} LOG topic:all",
        f"NOTIFY.READALL {inbox} CATEGORY LOG LOG topic:all",
        f"NOTIFY.READALL {inbox} LOGS 2 {log} topic:all",
    ):
        assert "same slot" in error_of(client, *command.split()), command


def test_a_caching_client_hears_of_changes_of_the_log(shared_redis):
    client = shared_redis.client()
    call(client, "NOTIFY.FOLLOW", INBOX, LOG)
    with Resp(shared_redis.port, protocol=3) as resp:
        resp.call("CLIENT", "TRACKING", "ON")
        for change in (["NOTIFY.SEND", LOG, "t"], ["NOTIFY.READALL", INBOX, "LOG", LOG]):
            resp.call("NOTIFY.UNREAD", INBOX, "LOGS", "1", LOG)
            call(client, *change)
            assert resp.read_push() == ["invalidate", [change[1]]]


def test_a_transaction_and_a_script_count_logs_too(shared_redis):
    client = shared_redis.client()
    call(client, "NOTIFY.FOLLOW", INBOX, LOG)
    with client.pipeline() as pipe:
        pipe.execute_command("NOTIFY.SEND", LOG, "t", "ID", "5")
        pipe.execute_command("NOTIFY.READ", INBOX, "5", "LOG", LOG)
        pipe.execute_command("NOTIFY.UNREAD", INBOX, "LOGS", 1, LOG)
        assert pipe.execute() == ["5-0", 1, 0]
    script = "return redis.call('NOTIFY.UNREAD', KEYS[1], 'LOGS', 1, KEYS[2])"
    assert client.eval(script, 2, INBOX, LOG) == 0
    send(client)
    assert client.execute_command("EVAL_RO", script, 2, INBOX, LOG) == 1
