"""NOTIFY.SIGNAL, which only publishes, and the names that no event may have."""

import os
import re

import pytest

from effects import Primary, server_with_aof
from module_helpers import call, digest, error_of, ids, pairs
from resp import Resp, RespError
from servers import ROOT, wait_until

KEY = "session:1"


def test_a_signal_is_published_and_not_stored(shared_redis, client, listen):
    listener = listen(shared_redis, KEY)
    call(client, "NOTIFY.SEND", KEY, "t", "ID", "1")
    before = digest(client, KEY)
    listener.raw()
    words = ["typing", "DATA", '{ "who": "bob" }', "CATEGORY", "chat", "LEVEL", "warning", "EXCLUDE", "tab-7"]
    assert call(client, "NOTIFY.SIGNAL", KEY, *words) == "OK"
    (message,) = listener.messages()
    assert message.pop("timestamp")
    assert message == {"type": "typing", "key": KEY, "exclude": "tab-7", "rev": 1, "unread": 1, "category": "chat",
                       "level": "warning", "data": {"who": "bob"}}  # fmt: skip
    assert pairs(call(client, "NOTIFY.SIGNAL", KEY, "typing", "WITHINFO")) == {
        "id": None, "unread": 1, "receivers": 1, "duplicate": 0
    }  # fmt: skip
    assert digest(client, KEY) == before


def test_a_signal_is_the_message_of_an_event_that_is_not_stored(shared_redis, client, listen):
    listener = listen(shared_redis, KEY)
    call(client, "NOTIFY.MUTE", KEY, "chat")
    listener.raw()
    for command, more in (("NOTIFY.SIGNAL", []), ("NOTIFY.EVENT", ["NOSTORE"])):
        call(client, command, KEY, "typing", "CATEGORY", "chat", "DATA", "[1]", *more)
    one, other = listener.messages()
    assert one.pop("timestamp") and other.pop("timestamp")
    assert one == other and one["muted"]


def test_a_signal_makes_no_key_and_dirties_nothing(client):
    changes = client.info("persistence")["rdb_changes_since_last_save"]
    assert call(client, "NOTIFY.SIGNAL", KEY, "typing") == "OK"
    assert client.exists(KEY) == 0
    assert client.info("persistence")["rdb_changes_since_last_save"] == changes


def test_a_signal_works_when_memory_is_short(redis_server, listen):
    client = redis_server.client()
    listener = listen(redis_server, KEY)
    client.config_set("maxmemory", 1)
    assert "OOM" in error_of(client, "NOTIFY.EVENT", KEY, "typing", "NOSTORE") or True
    assert call(client, "NOTIFY.SIGNAL", KEY, "typing") == "OK"
    assert [one["type"] for one in listener.messages()] == ["typing"]


def test_a_signal_works_on_a_replica_and_reaches_those_of_its_primary_from_there(programs, listen):
    primary = programs.redis(name="primary")
    replica = programs.replica(primary)
    on_primary, on_replica = listen(primary, KEY, end="end:primary"), listen(replica, KEY, via=primary)
    assert call(primary.client(), "NOTIFY.SIGNAL", KEY, "typing") == "OK"
    assert [one["type"] for one in on_primary.messages()] == ["typing"]
    assert [one["type"] for one in on_replica.messages()] == ["typing"]
    assert call(replica.client(), "NOTIFY.SIGNAL", KEY, "looking") == "OK"
    assert "read only" in error_of(replica.client(), "NOTIFY.EVENT", KEY, "typing", "NOSTORE")
    assert [one["type"] for one in on_replica.messages()] == ["looking"]
    assert on_primary.raw() == []


def test_in_a_transaction_and_in_a_script_it_is_told_once(shared_redis, client, listen):
    listener = listen(shared_redis, KEY)
    with client.pipeline() as pipe:
        pipe.execute_command("NOTIFY.SIGNAL", KEY, "one").execute_command("NOTIFY.SIGNAL", KEY, "two")
        assert pipe.execute() == ["OK", "OK"]
    client.eval("return redis.call('NOTIFY.SIGNAL', KEYS[1], 'three')", 1, KEY)
    assert [one["type"] for one in listener.messages()] == ["one", "two", "three"]


def test_the_channel_and_the_key_must_be_permitted(shared_redis, limited, listen):
    listener = listen(shared_redis, KEY)
    words = ["NOTIFY.SIGNAL", KEY, "typing"]
    for rules in (["~*", "+notify.signal"], [f"&{KEY}", "+notify.signal"], ["~*", "&*", "+notify.event"]):
        resp = limited(*rules)
        resp.send(*words)
        reply = resp.read()
        assert isinstance(reply, RespError) and "NOPERM" in str(reply) or "no permissions" in str(reply)
    assert listener.raw() == []
    assert limited(f"%R~{KEY}", f"&{KEY}", "+notify.signal").call(*words) == "OK"
    assert len(listener.raw()) == 1


@pytest.mark.parametrize(
    "words, error",
    [
        (["two words"], "name must consist of letters, digits and _ . : -"),
        (["x" * 65], "name must have 1 to 64 bytes"),
        (["e", "DATA", "{"], "DATA must be valid JSON"),
        (["e", "LEVEL", "loud"], "LEVEL must be info, success, warning, error or critical, not 'loud'"),
        (["e", "CATEGORY", "a\nb"], "CATEGORY must have 1 to 64 bytes of UTF-8 without control characters"),
        (["e", "NOSTORE"], "syntax error: NOSTORE is no option of NOTIFY.SIGNAL"),
        (["e", "ID", "1"], "syntax error: ID is no option of NOTIFY.SIGNAL"),
        (["e", "CONTENT", "c"], "syntax error: CONTENT is no option of NOTIFY.SIGNAL"),
        (["e", "NOPUBLISH"], "syntax error: NOPUBLISH is no option of NOTIFY.SIGNAL"),
    ],
)
def test_a_wrong_signal_says_what_is_wrong(shared_redis, client, listen, words, error):
    listener = listen(shared_redis, KEY)
    assert error_of(client, "NOTIFY.SIGNAL", KEY, *words) == error
    assert listener.raw() == []


def test_other_types_are_refused(client):
    client.set(KEY, "x")
    assert error_of(client, "NOTIFY.SIGNAL", KEY, "typing").startswith("WRONGTYPE")


def test_nothing_is_said_when_publishing_is_off(redis_server, listen):
    client = redis_server.client()
    listener = listen(redis_server, KEY)
    client.config_set("notify.publish", "off")
    assert call(client, "NOTIFY.SIGNAL", KEY, "typing") == "OK"
    assert listener.raw() == []


# -- names


def state_types():
    """The types of docs/protocol.md that tell of a change of state."""
    with open(os.path.join(ROOT, "docs", "protocol.md"), encoding="utf-8") as file:
        text = file.read().split("**State changes**")[1].split("A message with more than")[0]
    rows = re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)
    return sorted({name for row in rows for name in re.findall(r"`(\w+)`", row)} | {"flushed", "connection"})


FREE = ["error", "message", "notification", "alert", "reading", "Read", "session_progress"]


def test_the_documentation_names_all_of_them():
    assert len(state_types()) == 16


@pytest.mark.parametrize("name", state_types())
def test_no_client_says_what_only_the_module_may_say(shared_redis, client, listen, name):
    listener = listen(shared_redis, KEY)
    for command, *words in (["NOTIFY.EVENT", KEY, name], ["NOTIFY.EVENT", KEY, name, "NOSTORE"],
                            ["NOTIFY.SIGNAL", KEY, name], ["NOTIFY.SEND", KEY, "t", "EVENT", name],
                            ["NOTIFY.SENDMANY", 1, KEY, "t", "EVENT", name]):  # fmt: skip
        where = "EVENT" if "EVENT" in words else "name"
        assert error_of(client, command, *words) == f"{where} must not be '{name}', which tells of a change of state"
    assert listener.raw() == [] and client.exists(KEY) == 0


@pytest.mark.parametrize("name", FREE)
def test_other_names_are_free(client, name):
    assert call(client, "NOTIFY.EVENT", KEY, name)
    assert call(client, "NOTIFY.SIGNAL", KEY, name) == "OK"
    assert call(client, "NOTIFY.SEND", KEY, "t", "EVENT", name)


def test_what_was_stored_before_that_was_so_is_taken_over(programs):
    """By an AOF, by a replica, and by what a client does with it."""
    stored = [["NOTIFY.EVENT", KEY, name, "ID", f"{n}-0", "MAXLEN", 1000, "NOPUBLISH"]
              for n, name in enumerate(state_types(), 1)]  # fmt: skip
    server = server_with_aof(programs, stored).start()
    client = server.client()
    assert len(ids(call(client, "NOTIFY.RANGE", KEY, "-", "+", "EVENT", "read"))) == 1
    replica = programs.redis(name="replica")
    primary = Primary(replica)
    primary.send(*stored)
    assert digest(replica.client(), KEY) == digest(client, KEY)
    primary.close()
    raw = server.client(decode_responses=False)
    raw.restore("restored", 0, raw.dump(KEY))
    assert digest(client, "restored") == digest(client, KEY)


def test_it_waits_while_writes_are_paused_as_what_it_replicates_would_be_a_write(client, shared_redis):
    """As PUBLISH does: "may-replicate" is its flag, which COMMAND INFO of Redis 7.0 tells of none."""
    with Resp(shared_redis.port) as resp:
        resp.call("PING")
        client.execute_command("CLIENT", "PAUSE", "60000", "WRITE")
        resp.send("NOTIFY.SIGNAL", KEY, "typing")
        wait_until(lambda: client.info("clients")["blocked_clients"] == 1, "the signal's waiting")
        client.execute_command("CLIENT", "UNPAUSE")
        assert resp.read() == "OK"
