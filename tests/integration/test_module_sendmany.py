"""SENDMANY: one notification to several boxes, all checked before any is touched. And HELP."""

import pytest

from module_helpers import call, digest, entries, error_of, pairs
from resp import Resp

KEYS = ["inbox:1", "inbox:2", "inbox:3"]


def many(client, *arguments, keys=KEYS):
    return call(client, "NOTIFY.SENDMANY", len(keys), *keys, *arguments)


def test_each_box_gets_it_and_each_channel_its_message(client, listen, shared_redis):
    listener = listen(shared_redis, *KEYS)
    call(client, "NOTIFY.SEND", "inbox:2", "before", "NOPUBLISH")
    replies = many(client, "the title", "CONTENT", "text", "CATEGORY", "ci", "EX", "100")
    messages = listener.messages()
    assert [one["key"] for one in messages] == KEYS
    assert [one["unread"] for one in messages] == [1, 2, 1]
    for key, reply, message in zip(KEYS, replies, messages):
        assert message["id"] == reply
        found = entries(call(client, "NOTIFY.RANGE", key, "-", "+"))[-1]
        assert found[0] == reply
        assert (found[1]["title"], found[1]["category"]) == ("the title", "ci")
        assert "expires_at" in found[1]


def test_withinfo_for_each(client):
    call(client, "NOTIFY.SEND", "inbox:2", "before")
    replies = [pairs(one) for one in many(client, "t", "WITHINFO", "IDEMPOTENT", "x")]
    assert [one["unread"] for one in replies] == [1, 2, 1]
    again = [pairs(one) for one in many(client, "t", "WITHINFO", "IDEMPOTENT", "x")]
    assert [one["duplicate"] for one in again] == [1, 1, 1]
    assert [one["id"] for one in again] == [one["id"] for one in replies]


def test_conditions_are_each_box_s_own(client):
    call(client, "NOTIFY.SEND", "inbox:2", "before")
    assert [one is None for one in many(client, "t", "NX")] == [False, True, False]
    client.delete("inbox:1")
    assert [one is None for one in many(client, "t", "XX")] == [True, False, False]


def test_a_key_may_stand_twice(client):
    first, second = many(client, "t", keys=["inbox:1", "inbox:1"])
    assert first != second and call(client, "NOTIFY.LEN", "inbox:1") == 2


def test_a_key_that_stands_twice_with_one_id_refuses_all(client):
    keys = ["inbox:1", "inbox:2", "inbox:1"]
    assert "each key of an ID must be named once" in error_of(
        client, "NOTIFY.SENDMANY", len(keys), *keys, "t", "ID", "5"
    )
    assert client.exists(*keys) == 0
    assert many(client, "t", "ID", "5", "NX", keys=keys) == ["5-0", "5-0", None]
    assert many(client, "t", "ID", "6", "IDEMPOTENT", "x", keys=keys) == ["6-0", "6-0", "6-0"]


@pytest.mark.parametrize(
    "arguments, error",
    [
        (["0", "k", "t"], "numkeys must be an integer from 1 to 1, not '0'"),
        (["x", "k", "t"], "the number of keys comes first: numkeys must be an integer from 1 to 1, not 'x'"),
        (["2", "k", "t"], "numkeys must be an integer from 1 to 1, not '2'"),
        (["1", "k", ""], "title must have 1 to 255 characters"),
        (["1", "k", "t", "NOSTORE"], "syntax error: NOSTORE is no option of NOTIFY.SEND"),
        (["1", "k", "t", "DATA", "{"], "DATA must be valid JSON"),
        (["1", b"\xff", "t"], "key must be valid UTF-8"),
    ],
)
def test_a_wrong_argument_is_refused(client, arguments, error):
    assert error_of(client, "NOTIFY.SENDMANY", *arguments) == error
    assert client.dbsize() == 0


def test_a_key_of_another_type_refuses_all(client, listen, shared_redis):
    listener = listen(shared_redis, *KEYS)
    client.set("inbox:3", "text")
    assert "WRONGTYPE" in error_of(client, "NOTIFY.SENDMANY", 3, *KEYS, "t")
    assert client.keys() == ["inbox:3"] and listener.messages() == []


def test_an_id_that_is_too_small_for_one_refuses_all(client):
    call(client, "NOTIFY.SEND", "inbox:3", "t", "ID", "9")
    assert error_of(client, "NOTIFY.SENDMANY", 3, *KEYS, "t", "ID", "9") == (
        "ID must be greater than the box's last id, 9-0"
    )
    assert client.keys() == ["inbox:3"]


def test_a_channel_that_is_not_permitted_refuses_all(shared_redis, client):
    client.execute_command(
        "ACL", "SETUSER", "many", "on", "nopass", "allkeys", "resetchannels", "+@all",
        "&inbox:1", "&inbox:2",
    )  # fmt: skip
    user = shared_redis.client()
    user.execute_command("AUTH", "many", "x")
    assert "this user may not publish" in error_of(user, "NOTIFY.SENDMANY", 3, *KEYS, "t")
    assert client.dbsize() == 0
    assert len(many(user, "t", keys=KEYS[:2])) == 2
    client.execute_command("ACL", "DELUSER", "many")


def test_a_key_that_is_not_permitted_refuses_all(shared_redis, client):
    client.execute_command(
        "ACL", "SETUSER", "many", "on", "nopass", "~inbox:1", "allchannels", "+@all"
    )
    user = shared_redis.client()
    user.execute_command("AUTH", "many", "x")
    assert "no permissions" in error_of(user, "NOTIFY.SENDMANY", 2, *KEYS[:2], "t").lower()
    assert client.dbsize() == 0
    client.execute_command("ACL", "DELUSER", "many")


def test_a_subscriber_that_sends_gets_whole_replies(shared_redis, client):
    """In RESP3 one connection may do both: the message must not land inside the reply."""
    with Resp(shared_redis.port, protocol=3) as resp3:
        resp3.send("SUBSCRIBE", "inbox:1")
        assert resp3.read_push()[:2] == ["subscribe", "inbox:1"]
        reply = resp3.call("NOTIFY.SENDMANY", "2", "inbox:1", "inbox:2", "t")
        assert len(reply) == 2 and all("-" in one for one in reply)


def test_what_is_replicated_are_sends(programs):
    primary = programs.redis(name="primary", appendonly="yes")
    replica = programs.replica(primary)
    client = primary.client()
    for n in range(20):
        many(client, f"t{n}", "EX", 100 + n, "COLLAPSE", f"c{n % 3}", "IDEMPOTENT", f"i{n % 15}")
    wanted = digest(client, *KEYS)
    replica.wait_synced()
    assert digest(replica.client(), *KEYS) == wanted
    client.execute_command("DEBUG", "LOADAOF")
    assert digest(client, *KEYS) == wanted


def test_help_tells_about_every_command(shared_redis, client):
    lines = call(client, "NOTIFY.HELP")
    usages, summaries = lines[::2], lines[1::2]
    assert all(line.startswith("NOTIFY.") for line in usages)
    assert all(line.startswith("    ") and line.endswith(".") for line in summaries)
    by_name = {line.split(" ")[0]: line for line in usages}
    assert by_name["NOTIFY.DEL"] == "NOTIFY.DEL <key> <id> [<id> ...]|TOKEN <token>|ENTITY <type> <id> [NOPUBLISH]"
    assert "[EX <seconds>|PX <milliseconds>|" in by_name["NOTIFY.SEND"]
    with Resp(shared_redis.port) as resp:
        listed = resp.call("COMMAND", "LIST", "FILTERBY", "MODULE", "notify")
    known = {name.upper().split("|")[0] for name in listed}
    # Redis 8 does not list what is internal.
    assert known <= set(by_name) and set(by_name) - known <= {"NOTIFY.RESTOREBOX"}


def test_help_on_one_command(client):
    everything = call(client, "NOTIFY.HELP")
    usage, summary = everything[2 * [u.split(" ")[0] for u in everything[::2]].index("NOTIFY.SEND") :][:2]
    for name in ("SEND", "send", "NOTIFY.SEND", "Notify.Send"):
        *lines, complexity = call(client, "NOTIFY.HELP", name)
        assert lines == [usage, summary] and complexity.startswith("    Complexity: O(")
    assert call(client, "NOTIFY.HELP", "HELP")[0] == "NOTIFY.HELP [<command>] [<subcommand>]"
    (usage, summary, complexity) = call(client, "NOTIFY.HELP", "session", "open")
    assert usage.startswith("NOTIFY.SESSION OPEN <key> ") and complexity.startswith("    Complexity: O(")
    whole = call(client, "NOTIFY.HELP", "SESSION")
    assert len(whole) == 3 * sum(line.startswith("NOTIFY.SESSION") for line in everything)
    assert "NOTIFY.SESSION OPEN <key>" in "\n".join(whole)


@pytest.mark.parametrize(
    "words", [["SENDS"], [""], ["NOTIFY."], ["NOTIFY.NOTIFY.SEND"], ["GET x"], ["SESSION", "x"],
              ["SEND", "x"], ["SESSION|OPEN"], [b"\xff\r\n"]]
)  # fmt: skip
def test_help_on_what_is_no_command_says_so(client, words):
    assert error_of(client, "NOTIFY.HELP", *words) == "no such command; NOTIFY.HELP lists them"


def test_a_number_of_keys_or_logs_that_was_forgotten_is_told(client):
    for words, what in (
        (("NOTIFY.SENDMANY", "a", "b", "t"), "keys comes first: numkeys must be an integer from 1 to 1"),
        (("NOTIFY.SENDMANY", "a", "b", "c", "t"), "keys comes first: numkeys must be an integer from 1 to 2"),
        (("NOTIFY.UNREAD", "a", "LOGS", "b"), "logs comes first: LOGS must be an integer from 1 to 256"),
        (("NOTIFY.BADGE", "a", "LOGS", "b", "c"), "logs comes first: LOGS must be an integer from 1 to 256"),
    ):
        wrong = "b" if "LOGS" in words else "a"
        assert error_of(client, *words) == f"the number of {what}, not '{wrong}'"
    assert client.dbsize() == 0


@pytest.mark.parametrize(
    "words, hint",
    [
        (("NOTIFY.SEND", "a", "Build", "finished"), "option 'finished' (quote the title?)"),
        (("NOTIFY.SEND", "a", "Build", "in", "93", "s"), "option 'in' (quote the title?)"),
        (("NOTIFY.SENDMANY", 1, "a", "Build", "finished"), "option 'finished' (quote the title?)"),
        (("NOTIFY.SEND", "a", "Build", "in 93 s\n"), "option (quote the title?)"),
        (("NOTIFY.SEND", "a", "t", "CONTENT", "main", "passed"), "option 'passed' (quote the CONTENT?)"),
        (("NOTIFY.SEND", "a", "t", "NX", "TYPE", "a", "b"), "option 'b' (quote the TYPE?)"),
        (("NOTIFY.SEND", "a", "t", "DATA", '{"a":', "1}"), "option '1}' (quote the DATA?)"),
        (("NOTIFY.EVENT", "a", "e", "DATA", '{"a":', "1}"), "option '1}' (quote the DATA?)"),
        (("NOTIFY.RANGE", "a", "-", "+", "TYPE", "a", "b"), "option 'b' (quote the TYPE?)"),
        (("NOTIFY.SEND", "a", "t", "CATEGROY", "ci"), "option 'CATEGROY'"),
        (("NOTIFY.SEND", "a", "t", "CONTENT", "c", "NX", "more"), "option 'more'"),
        (("NOTIFY.SEND", "a", "t", "MAXLEN", "5", "more"), "option 'more'"),
        (("NOTIFY.EVENT", "a", "my", "progress"), "option 'progress'"),
    ],
)
def test_an_unknown_option_behind_free_text_reminds_of_quotes(client, words, hint):
    assert error_of(client, *words) == f"syntax error: unknown {hint}"
    assert client.dbsize() == 0


def test_checking_the_keys_is_not_counted_as_reading_them(client):
    before = client.info("stats")
    call(client, "NOTIFY.SENDMANY", 2, "inbox:1", "inbox:2", "t")
    after = client.info("stats")
    for name in ("keyspace_hits", "keyspace_misses"):
        assert after[name] == before[name], name
