"""What servers say to each other is refused from clients, whatever their rights and whatever way they take, and
carried out when it comes from the primary or an AOF."""

import pytest

from effects import Primary, read_corpus, server_with_aof
from module_helpers import call, digest, entries, error_of, pairs, verify

KEY, SET, BOX = "inbox:1", "sessions:1", "restored:1"
LEASE = 4102444800000  # in 2100
ALONE = "is internal: it is taken from the primary and the AOF alone"

HIDDEN = ("unknown command", "unknown subcommand", "Unknown Redis command", "not allowed from script")

# The blocks of a box as an AOF of the first version has them.
BLOCKS = next(
    words[2:] for words in read_corpus("9d90e86", "rewritten.aof.gz") if words[0] == b"NOTIFY.RESTOREBOX"
)

SENT = [
    ["NOTIFY.SEND", KEY, "one", "ID", "1-0", "MAXLEN", "1000", "NOPUBLISH"],
    ["NOTIFY.SEND", KEY, "two", "ID", "2-0", "MAXLEN", "1000", "PXAT", "1000", "NOPUBLISH"],
]

# Each with what it is called in the error.
INTERNAL = {
    "REMEMBER": ["NOTIFY.SEND", KEY, "three", "ID", "3-0", "MAXLEN", "1000", "IDEMPOTENT", "t",
                 "REMEMBER", "1000", "1", "5", "NOPUBLISH"],
    "REMEMBER of an event": ["NOTIFY.EVENT", KEY, "e", "ID", "3-0", "IDEMPOTENT", "t", "REMEMBER", "1000", "1", "5"],
    "REMEMBER of many": ["NOTIFY.SENDMANY", "1", KEY, "t", "ID", "3-0", "IDEMPOTENT", "t",
                         "REMEMBER", "1000", "1", "5", "NOPUBLISH"],
    "AS": ["NOTIFY.SEND", KEY, "three", "AS", "3-0/1000"],
    "AS of an event": ["NOTIFY.EVENT", KEY, "e", "AS", "3-0/1000"],
    "AS of many": ["NOTIFY.SENDMANY", "2", KEY, "other", "t", "AS", "3-0/1000", "4-0/7"],
    "AT": ["NOTIFY.READ", KEY, "1-0", "AT", "77", "NOPUBLISH"],
    "AT of a mark": ["NOTIFY.MARK", KEY, "SEEN", "1-0", "AT", "77", "NOPUBLISH"],
    "AT of all": ["NOTIFY.READALL", KEY, "UPTO", "1-0", "AT", "77", "NOPUBLISH"],
    "AT of what was seen": ["NOTIFY.SEEN", KEY, "UPTO", "1-0", "AT", "77", "NOPUBLISH"],
    "EXPIRED": ["NOTIFY.DEL", KEY, "EXPIRED", "2-0"],
    "APPLY": ["NOTIFY.SESSION", "APPLY", SET, "7", "PUT", "s", "c", str(LEASE), "1", "", "", ""],
    "RESTOREBOX": ["NOTIFY.RESTOREBOX", BOX, *BLOCKS],
}  # fmt: skip


def facts(client):
    """What any of them could change."""
    return digest(client, KEY, SET, BOX)


def is_refused(error):
    # Redis 8 does not even know the internal ones.
    return ALONE in error or any(f"{words} " in error for words in HIDDEN)


@pytest.fixture
def filled(client):
    call(client, "NOTIFY.SEND", KEY, "one", "ID", "1-0")
    call(client, "NOTIFY.SEND", KEY, "stays", "ID", "1-1", "EX", "100")
    return facts(client)


def errors_of_transaction(resp, words):
    """What is said when they are queued, or when they are carried out."""
    commands = (["MULTI"], ["SET", "x", "1"], words, ["EXEC"])
    for command in commands:
        resp.send(*command)
    replies = [resp.read() for _ in commands]
    replies += replies[-1] if isinstance(replies[-1], list) else []
    return [str(reply) for reply in replies if isinstance(reply, Exception)]


@pytest.mark.parametrize("name", INTERNAL)
def test_a_client_is_refused_whatever_way_it_takes(client, resp, filled, name):
    words = INTERNAL[name]
    assert is_refused(error_of(client, *words))
    found = errors_of_transaction(resp, words)
    assert any(is_refused(error) for error in found), found
    script = "return redis.call(unpack(ARGV))"
    assert is_refused(error_of(client, "EVAL", script, "0", *words))
    client.execute_command(
        "FUNCTION", "LOAD", "REPLACE",
        "#!lua name=tryit\nredis.register_function('tryit', function(keys, args) return redis.call(unpack(args)) end)",
    )  # fmt: skip
    assert is_refused(error_of(client, "FCALL", "tryit", "0", *words))
    client.execute_command("FUNCTION", "DELETE", "tryit")
    assert facts(client) == filled


def test_the_error_names_the_word(client, filled):
    for name, words in INTERNAL.items():
        if name.split(" ")[0] in ("REMEMBER", "AS", "AT", "EXPIRED"):
            assert error_of(client, *words) == f"{name.split(' ')[0]} {ALONE}"


def check(client, name):
    """The effect is there."""
    first, fields = entries(call(client, "NOTIFY.RANGE", KEY, "-", "+", "ALL"))[0]
    assert first == "1-0"
    if name.startswith(("REMEMBER", "AS")):
        assert call(client, "NOTIFY.INFO", KEY)[1] == 2
    elif name == "EXPIRED":
        assert verify(client, KEY)["length"] == [1, 1]
    elif name.startswith("AT"):
        assert fields["seen_at"] == 77
    elif name == "APPLY":
        (found,) = call(client, "NOTIFY.SESSION", "LIST", SET)
        assert pairs(found)["connection"] == "c"
    else:
        assert client.type(BOX) == "notifybox"


@pytest.mark.parametrize("name", INTERNAL)
def test_an_aof_is_loaded_with_it(programs, name):
    server = server_with_aof(programs, SENT + [INTERNAL[name]]).start()
    check(server.client(), name)


def test_a_replica_carries_it_out(redis_server):
    client = redis_server.client()
    primary = Primary(redis_server)
    for name, words in INTERNAL.items():
        primary.send(["FLUSHALL"], *SENT, words)
        check(client, name)
        primary.send(["MULTI"], ["FLUSHALL"], *SENT, words, ["EXEC"])
        check(client, name)
        # Its own clients are none the better for it.
        error = error_of(client, *words)
        assert is_refused(error) or "read only replica" in error
    client.config_set("replica-read-only", "no")
    for words in INTERNAL.values():
        assert is_refused(error_of(client, *words))
    primary.close()
    for words in INTERNAL.values():
        assert is_refused(error_of(client, *words))


def test_keys_are_told_for_what_is_internal_too(resp):
    assert resp.call("COMMAND", "GETKEYS", "NOTIFY.READALL", KEY, "AT", "5", "LOG", "topic:a") == [KEY, "topic:a"]


def test_no_rule_of_the_acl_opens_it(shared_redis, client, filled):
    client.execute_command("ACL", "SETUSER", "all", "on", "nopass", "~*", "&*", "+@all")
    own = shared_redis.client(username="all", password="x")
    for words in INTERNAL.values():
        assert is_refused(error_of(own, *words))
    client.execute_command("ACL", "DELUSER", "all")
    assert facts(client) == filled


def test_keys_still_move_and_are_restored_with_everything(programs):
    """RESTORE and MIGRATE are commands of the server: they bring values, not effects."""
    one, two = programs.redis(name="one"), programs.redis(name="two")
    client, raw = one.client(), one.client(decode_responses=False)
    call(client, "NOTIFY.SEND", KEY, "t", "IDEMPOTENT", "t")
    call(client, "NOTIFY.READALL", KEY)
    call(client, "NOTIFY.SESSION", "OPEN", SET, "s", "c", "LEASE", "3600000")
    wanted = digest(client, KEY, SET)
    raw.execute_command("RESTORE", BOX, "0", raw.dump(KEY))
    assert digest(client, BOX) == digest(client, KEY)
    assert call(client, "MIGRATE", "127.0.0.1", two.port, "", "0", "5000", "KEYS", KEY, SET) == "OK"
    assert digest(two.client(), KEY, SET) == wanted
