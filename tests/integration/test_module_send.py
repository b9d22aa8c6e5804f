"""NOTIFY.SEND and NOTIFY.EVENT: every option, every refusal."""

import json
import time

import pytest

from module_helpers import call, digest, entry, error_of, ids, info, pairs, verify
from resp import Resp

KEY = "inbox:1"


def only_entry(client, key=KEY):
    (found,) = call(client, "NOTIFY.RANGE", key, "-", "+", "ALL")
    return entry(found)


def test_send_answers_the_id_and_stores_one_unread_notification(client):
    before = int(time.time() * 1000)
    sent = call(client, "NOTIFY.SEND", KEY, "Build finished")
    ms, seq = map(int, sent.split("-"))
    assert before - 1 <= ms <= time.time() * 1000 + 1 and seq == 0
    assert only_entry(client) == (
        sent,
        {"kind": "notification", "event": "notification", "title": "Build finished", "level": "info"},
    )
    assert call(client, "NOTIFY.UNREAD", KEY) == 1
    assert call(client, "NOTIFY.LEN", KEY) == 1
    verify(client, KEY)


def test_send_stores_every_option(client):
    sent = call(
        client, "NOTIFY.SEND", KEY, "Tïtle \"quoted\"", "CONTENT", "line\nfeed", "TYPE", "build",
        "CATEGORY", "ci", "LEVEL", "Success", "EVENT", "alert", "ACTION", '{"type": "open"}',
        "ENTITY", "build", "7", "DATA", ' {"n" : [1, 2.50, "ä"]} ', "EXCLUDE", "s1",
    )  # fmt: skip
    assert only_entry(client) == (
        sent,
        {
            "kind": "notification",
            "event": "alert",
            "title": 'Tïtle "quoted"',
            "content": "line\nfeed",
            "type": "build",
            "category": "ci",
            "level": "success",
            "action": '{"type":"open"}',
            "entity_type": "build",
            "entity_id": "7",
            "data": '{"n":[1,2.50,"ä"]}',
            "exclude": "s1",
        },
    )


def test_options_come_in_any_order_and_case(client):
    call(client, "NOTIFY.SEND", KEY, "t", "nopublish", "data", "1", "level", "ERROR", "content", "c")
    fields = only_entry(client)[1]
    assert (fields["content"], fields["level"], fields["data"]) == ("c", "error", "1")


def test_a_keyword_may_be_a_value(client):
    call(client, "NOTIFY.SEND", KEY, "CONTENT", "CONTENT", "LEVEL", "TYPE", "NX")
    fields = only_entry(client)[1]
    assert (fields["title"], fields["content"], fields["type"]) == ("CONTENT", "LEVEL", "NX")


def test_send_publishes_the_documented_message(listen, shared_redis, client):
    listener = listen(shared_redis, KEY)
    first = call(client, "NOTIFY.SEND", KEY, "one")
    second = call(
        client, "NOTIFY.SEND", KEY, "Build finished", "CONTENT", "main passed", "TYPE", "build",
        "CATEGORY", "ci", "LEVEL", "success", "ACTION", '{"type":"open","url":"/builds/7"}',
        "ENTITY", "build", "7", "DATA", '{"duration_s":93}', "EXCLUDE", "s9",
    )  # fmt: skip
    (_, text1), (_, text2) = listener.raw()
    stamp = json.loads(text2)["timestamp"]
    assert json.loads(text1)["prev"] == "0-0"
    assert text2 == (
        f'{{"type":"notification","key":"{KEY}","id":"{second}","prev":"{first}","exclude":"s9",'
        f'"rev":2,"unread":2,"category":"ci","level":"success","timestamp":"{stamp}",'
        f'"data":{{"id":"{second}","title":"Build finished","content":"main passed",'
        '"notification_type":"build","category":"ci","level":"success",'
        '"action":{"type":"open","url":"/builds/7"},"entity":{"type":"build","id":"7"},'
        f'"data":{{"duration_s":93}},"is_read":false,"created_at":"{stamp}","expires_at":null}}}}'
    )
    ms = int(second.split("-")[0])
    assert stamp == time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ms // 1000)) + f".{ms % 1000:03}Z"


def test_ids_rise_within_one_millisecond_and_when_the_clock_is_behind(client):
    future = int(time.time() * 1000) + 3_600_000
    assert call(client, "NOTIFY.SEND", KEY, "t", "ID", f"{future}-5") == f"{future}-5"
    assert call(client, "NOTIFY.SEND", KEY, "t") == f"{future}-6"


def test_an_id_without_sequence_gets_zero(client):
    assert call(client, "NOTIFY.SEND", KEY, "t", "ID", "7") == "7-0"


def test_after_the_greatest_possible_id_nothing_can_be_sent(client):
    greatest = "253402300799999-18446744073709551615"
    assert call(client, "NOTIFY.SEND", KEY, "t", "ID", greatest) == greatest
    error = error_of(client, "NOTIFY.SEND", KEY, "t")
    assert error == "no id is left: the box's last one is the greatest possible"
    assert call(client, "NOTIFY.LEN", KEY) == 1


def test_an_id_must_be_greater_than_the_last_one(client):
    call(client, "NOTIFY.SEND", KEY, "t", "ID", "5-1")
    for wrong in ("5-1", "5-0", "4"):
        error = error_of(client, "NOTIFY.SEND", KEY, "t", "ID", wrong)
        assert error == "ID must be greater than the box's last id, 5-1"
    assert call(client, "NOTIFY.LEN", KEY) == 1
    assert error_of(client, "NOTIFY.SEND", "inbox:2", "t", "ID", "0-0").startswith("ID must be")
    assert client.exists("inbox:2") == 0


def test_nx_and_xx_look_at_the_box(client):
    assert call(client, "NOTIFY.SEND", KEY, "t", "XX") is None
    assert client.exists(KEY) == 0
    assert call(client, "NOTIFY.SEND", KEY, "t", "NX") is not None
    assert call(client, "NOTIFY.SEND", KEY, "t", "NX") is None
    assert call(client, "NOTIFY.SEND", KEY, "t", "XX") is not None
    assert call(client, "NOTIFY.LEN", KEY) == 2


def test_withinfo_tells_counts_and_receivers(listen, shared_redis, client):
    listeners = [listen(shared_redis, KEY) for _ in range(2)]
    call(client, "NOTIFY.SEND", KEY, "t")
    with Resp(shared_redis.port, protocol=3) as resp3:
        reply = resp3.call("NOTIFY.SEND", KEY, "t", "WITHINFO")
    assert reply == {"id": reply["id"], "unread": 2, "receivers": 2, "duplicate": 0}
    flat = pairs(call(client, "NOTIFY.SEND", KEY, "t", "NOPUBLISH", "WITHINFO"))
    assert (flat["unread"], flat["receivers"]) == (3, 0)
    assert len(listeners[0].messages()) == 2


def test_nopublish_stores_in_silence(listen, shared_redis, client):
    listener = listen(shared_redis, KEY)
    call(client, "NOTIFY.SEND", KEY, "t", "NOPUBLISH")
    assert listener.messages() == []
    assert call(client, "NOTIFY.UNREAD", KEY) == 1


def test_maxlen_trims_the_oldest(client):
    sent = [call(client, "NOTIFY.SEND", KEY, f"t{n}") for n in range(5)]
    sent.append(call(client, "NOTIFY.SEND", KEY, "t5", "MAXLEN", 3))
    assert ids(call(client, "NOTIFY.RANGE", KEY, "-", "+")) == sent[-3:]
    assert info(client, KEY)["trimmed"] == sent[2]
    assert call(client, "NOTIFY.UNREAD", KEY) == 3
    verify(client, KEY)


def test_the_default_limit_is_a_setting(client):
    client.config_set("notify.max-entries", 2)
    try:
        for n in range(4):
            call(client, "NOTIFY.SEND", KEY, f"t{n}")
        assert call(client, "NOTIFY.LEN", KEY) == 2
    finally:
        client.config_set("notify.max-entries", 1000)


def test_an_entry_that_is_too_big_is_refused(client):
    client.config_set("notify.max-entry-bytes", 1024)
    try:
        error = error_of(client, "NOTIFY.SEND", KEY, "t", "CONTENT", "x" * 1100)
        assert error == "entry must have at most 1024 bytes (notify.max-entry-bytes)"
        assert client.exists(KEY) == 0
        call(client, "NOTIFY.SEND", KEY, "t", "CONTENT", "x" * 900)
    finally:
        client.config_set("notify.max-entry-bytes", 65536)


def test_a_title_has_1_to_255_characters(client):
    call(client, "NOTIFY.SEND", KEY, "ä" * 255)
    wanted = "title must have 1 to 255 characters"
    assert error_of(client, "NOTIFY.SEND", KEY, "ä" * 256) == wanted
    assert error_of(client, "NOTIFY.SEND", KEY, "") == wanted
    assert call(client, "NOTIFY.LEN", KEY) == 1


@pytest.mark.parametrize(
    "options, error",
    [
        (["LEVEL", "loud"], "LEVEL must be info, success, warning, error or critical, not 'loud'"),
        (["LEVEL"], "syntax error: LEVEL lacks its value"),
        (["CONTENT"], "syntax error: CONTENT lacks its value"),
        (["ENTITY", "build"], "syntax error: ENTITY id lacks its value"),
        (["CONTENT", b"\xff"], "CONTENT must be valid UTF-8"),
        (["TYPE", "t" * 65], "TYPE must have at most 64 bytes"),
        (["EXCLUDE", "s" * 129], "EXCLUDE must have at most 128 bytes"),
        (["EVENT", "two words"], "EVENT must consist of letters, digits and _ . : -"),
        (["EVENT", "e" * 65], "EVENT must have 1 to 64 bytes"),
        (["EVENT", ""], "EVENT must have 1 to 64 bytes"),
        (["DATA", "{"], "DATA must be valid JSON"),
        (["DATA", ""], "DATA must be valid JSON"),
        (["DATA", "1 2"], "DATA must be valid JSON"),
        (["ACTION", "open"], "ACTION must be valid JSON"),
        (
            ["CATEGORY", ""],
            "CATEGORY must have 1 to 64 bytes of UTF-8 without control characters",
        ),
        (
            ["CATEGORY", "a\nb"],
            "CATEGORY must have 1 to 64 bytes of UTF-8 without control characters",
        ),
        (["MAXLEN", "0"], "MAXLEN must be an integer from 1 to 16777215, not '0'"),
        (["MAXLEN", "many"], "MAXLEN must be an integer from 1 to 16777215, not 'many'"),
        (["ID", "*"], "ID must be an id such as 1795208400123-0, not '*'"),
        (["NX", "XX"], "syntax error: NX and XX exclude each other"),
        (["NX", "NX"], "syntax error: NX is given twice"),
        (["NOSTORE"], "syntax error: NOSTORE is no option of NOTIFY.SEND"),
        (["EX", "10", "PX", "10"], "syntax error: EX and PX exclude each other"),
        (["PXAT", "10", "EXAT", "10"], "syntax error: EXAT and PXAT exclude each other"),
        (["COLLAPSE", ""], "COLLAPSE must have 1 to 128 bytes"),
        (["COLLAPSE", "x" * 129], "COLLAPSE must have 1 to 128 bytes"),
        (["COLLAPSE", b"\xff"], "COLLAPSE must be valid UTF-8"),
        (["IDEMPOTENT", ""], "IDEMPOTENT must have 1 to 128 bytes of UTF-8"),
        (["IDEMPOTENT", "x" * 129], "IDEMPOTENT must have 1 to 128 bytes of UTF-8"),
        (["IDEMPOTENT", b"\xff"], "IDEMPOTENT must have 1 to 128 bytes of UTF-8"),
        (["evil\r\n+OK"], "syntax error: unknown option (quote the title?)"),
    ],
)
def test_a_wrong_option_is_named_and_changes_nothing(listen, shared_redis, client, options, error):
    listener = listen(shared_redis, KEY)
    assert error_of(client, "NOTIFY.SEND", KEY, "t", *options) == error
    assert client.exists(KEY) == 0
    assert listener.messages() == []


def test_a_key_must_be_utf8(client):
    assert error_of(client, "NOTIFY.SEND", b"inbox:\xff", "t") == "key must be valid UTF-8"


def test_a_key_of_another_type_is_refused(client):
    client.set(KEY, "text")
    for command in (["NOTIFY.SEND", KEY, "t"], ["NOTIFY.EVENT", KEY, "e"], ["NOTIFY.LEN", KEY],
                    ["NOTIFY.READ", KEY, "1-0"], ["NOTIFY.SINCE", "other", "0", KEY, "0"],
                    ["NOTIFY.READALL", KEY], ["NOTIFY.TRIM", KEY, "MAXLEN", "1"],
                    ["NOTIFY.DEL", KEY, "1-0"], ["NOTIFY.UNREAD", KEY], ["NOTIFY.BADGE", KEY],
                    ["NOTIFY.INFO", KEY], ["NOTIFY.VERIFY", KEY], ["NOTIFY.SEEN", KEY],
                    ["NOTIFY.GET", KEY, "1-0"], ["NOTIFY.RANGE", KEY, "-", "+"]):  # fmt: skip
        with Resp(shared_port(client)) as raw:
            raw.send(*command)
            error = raw.read()
            assert str(error).startswith("WRONGTYPE Operation against a key"), command
    assert client.get(KEY) == "text"


def shared_port(client):
    return client.connection_pool.connection_kwargs["port"]


def test_an_event_is_stored_but_never_counted(listen, shared_redis, client):
    listener = listen(shared_redis, KEY)
    sent = call(client, "NOTIFY.EVENT", KEY, "session_progress", "DATA", '{"percent": 40}',
                "CATEGORY", "jobs", "LEVEL", "warning", "EXCLUDE", "s1")  # fmt: skip
    assert only_entry(client) == (
        sent,
        {"kind": "event", "event": "session_progress", "category": "jobs", "level": "warning",
         "data": '{"percent":40}', "exclude": "s1"},
    )  # fmt: skip
    assert call(client, "NOTIFY.UNREAD", KEY) == 0
    assert call(client, "NOTIFY.LEN", KEY) == 1
    (message,) = listener.messages()
    assert (message["type"], message["unread"], message["prev"]) == ("session_progress", 0, "0-0")
    assert message["data"] == {"percent": 40}


def test_an_event_without_data_has_an_empty_object(listen, shared_redis, client):
    listener = listen(shared_redis, KEY)
    call(client, "NOTIFY.EVENT", KEY, "ping")
    assert listener.messages()[0]["data"] == {}


def test_nostore_only_publishes(listen, shared_redis, client):
    listener = listen(shared_redis, KEY)
    assert call(client, "NOTIFY.EVENT", KEY, "typing", "DATA", "{}", "NOSTORE") == "OK"
    assert client.exists(KEY) == 0
    call(client, "NOTIFY.SEND", KEY, "t")
    reply = pairs(call(client, "NOTIFY.EVENT", KEY, "typing", "NOSTORE", "WITHINFO"))
    assert reply == {"id": None, "unread": 1, "receivers": 1, "duplicate": 0}
    assert call(client, "NOTIFY.LEN", KEY) == 1
    first, _, last = listener.messages()
    assert "id" not in first and "prev" not in first and first["rev"] == 0
    assert (last["type"], last["rev"], last["unread"]) == ("typing", 1, 1)
    assert call(client, "NOTIFY.EVENT", "inbox:none", "typing", "NOSTORE", "XX") is None
    assert call(client, "NOTIFY.EVENT", KEY, "typing", "NOSTORE", "NX") is None
    assert listener.messages() == []


@pytest.mark.parametrize(
    "arguments, error",
    [
        (["bad name"], "name must consist of letters, digits and _ . : -"),
        ([""], "name must have 1 to 64 bytes"),
        (["e" * 65], "name must have 1 to 64 bytes"),
        (["e", "CONTENT", "c"], "syntax error: CONTENT is no option of NOTIFY.EVENT"),
        (["e", "TYPE", "c"], "syntax error: TYPE is no option of NOTIFY.EVENT"),
        (["e", "ACTION", "{}"], "syntax error: ACTION is no option of NOTIFY.EVENT"),
        (["e", "ENTITY", "a", "b"], "syntax error: ENTITY is no option of NOTIFY.EVENT"),
        (["e", "EVENT", "f"], "syntax error: EVENT is no option of NOTIFY.EVENT"),
        (["e", "NOSTORE", "NOPUBLISH"], "syntax error: NOSTORE and NOPUBLISH exclude each other"),
        (["e", "NOSTORE", "ID", "1-1"], "syntax error: NOSTORE and ID exclude each other"),
        (["e", "NOSTORE", "MAXLEN", "1"], "syntax error: NOSTORE and MAXLEN exclude each other"),
    ],
)
def test_a_wrong_event_is_refused(client, arguments, error):
    assert error_of(client, "NOTIFY.EVENT", KEY, *arguments) == error
    assert client.exists(KEY) == 0


def test_the_number_of_arguments_is_checked(client):
    for command in (["NOTIFY.SEND", KEY], ["NOTIFY.EVENT", KEY], ["NOTIFY.GET", KEY],
                    ["NOTIFY.LEN"], ["NOTIFY.LEN", KEY, "x"], ["NOTIFY.MARK", KEY, "READ"],
                    ["NOTIFY.SINCE", KEY], ["NOTIFY.TRIM", KEY, "MAXLEN"]):  # fmt: skip
        assert "wrong number of arguments" in error_of(client, *command)


def test_categories_come_and_go_by_the_thousand(programs):
    primary = programs.redis(name="primary", appendonly="yes")
    replica = programs.replica(primary)
    client, second = primary.client(), replica.client()
    call(client, "NOTIFY.SEND", KEY, "stays", "CATEGORY", "held")
    call(client, "NOTIFY.MUTE", "muted", "quiet")
    call(client, "COPY", KEY, "copy")
    call(client, "UNLINK", KEY)
    for first in range(0, 26000, 1000):
        pipe = client.pipeline(transaction=False)
        for i in range(first, first + 1000):
            pipe.execute_command("NOTIFY.SEND", "one", "t", "CATEGORY", f"c{i}", "MAXLEN", 1)
            if i % 2:
                pipe.execute_command("NOTIFY.SEND", f"box:{i}", "t", "CATEGORY", f"other{i}")
                pipe.execute_command("UNLINK", f"box:{i}")
        pipe.execute()
    replica.wait_synced()
    for one in (client, second):
        assert call(one, "NOTIFY.UNREAD", "copy", "CATEGORY", "held") == 1
        assert call(one, "NOTIFY.UNREAD", "one", "CATEGORY", "c25999") == 1
        assert pairs(info(one, "muted")["categories"])["quiet"] is not None
        for key in ("copy", "one", "muted"):
            verify(one, key)
    assert digest(second, "copy", "one", "muted") == digest(client, "copy", "one", "muted")
    client.execute_command("DEBUG", "LOADAOF")
    assert digest(second, "copy", "one", "muted") == digest(client, "copy", "one", "muted")
