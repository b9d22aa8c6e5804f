"""What is replicated, loaded or restored is carried out, whatever the limits, the settings and the state of
the server that reads it; and what a client was refused leaves nothing to be replayed.

notify_narrow.so (tests/CMakeLists.txt) is this module with hardly any room for clients: two
categories, two logs, two exceptions, texts of three bytes."""

import random
import re

import pytest
import redis

import corpus
from effects import read_aof, server_with_aof
from module_helpers import call, digest, error_of, pairs, verify, word_of
from servers import host_path, wait_until
from test_module_docs import error_formats
from test_module_categories import run
from test_module_model import TOKENS_KEPT, WINDOW_MS, Model

NARROW = "notify_narrow.so"
TIGHT = {"notify.max-entries": 1, "notify.max-entry-bytes": 1024, "notify.idempotency-max": 1,
         "notify.idempotency-window-ms": 1, "notify.session-max-connections": 1}  # fmt: skip


def keys_of(client):
    return sorted(client.keys("*"))


def contents(client):
    keys = keys_of(client)
    return dict(zip(keys, digest(client, *keys)))


def check_sound(client):
    for key in keys_of(client):
        if client.type(key) == "notifybox":
            verify(client, key)


def fill_sets(client):
    for n in range(40):
        call(client, "NOTIFY.SESSION", "OPEN", "sessions:1", f"session number {n % 7}", f"connection number {n}",
             "LEASE", 80000000, "NODE", "a node with a name", "ADDR", "2001:db8::1", "META", '{"agent":"x"}')  # fmt: skip
    call(client, "NOTIFY.SESSION", "TOUCH", "sessions:1", "LEASE", 86400000, "connection number 3")
    call(client, "NOTIFY.SESSION", "CLOSE", "sessions:1", "connection number 4")


def fill_tokens(client):
    for n in range(100):
        call(client, "NOTIFY.SEND", "inbox:many tokens", "t", "IDEMPOTENT", f"token number {n} " + "x" * 100)


def fill(client):
    """More of everything than the narrow module takes from clients."""
    corpus.fill(client)
    fill_sets(client)
    fill_tokens(client)


@pytest.fixture
def narrow():
    return host_path(NARROW)


def test_the_narrow_module_has_hardly_any_room(programs, narrow):
    client = programs.redis(module=narrow).client()
    for words in (
        ["NOTIFY.SEND", "k", "long"],
        ["NOTIFY.SEND", "k", "t", "CATEGORY", "long"],
        ["NOTIFY.SEND", "k", "t", "CONTENT", "x" * 300],
        ["NOTIFY.MUTE", "k", "a", "b", "c"],
        ["NOTIFY.FOLLOW", "k", "l1", "l2", "l3"],
        ["NOTIFY.SESSION", "OPEN", "s", "long", "c", "LEASE", 1],
    ):
        error_of(client, *words)
    assert keys_of(client) == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_replica_with_lower_limits_ends_equal(programs, narrow, when):
    primary = programs.redis(name="primary")
    if when == "after":
        fill(primary.client())
    replica = programs.replica(primary, module=narrow, config=TIGHT, appendonly="yes", aof_use_rdb_preamble="no")
    if when == "before":
        fill(primary.client())
    replica.wait_synced()
    client = replica.client()
    wanted = contents(primary.client())
    assert contents(client) == wanted
    check_sound(client)
    client.execute_command("DEBUG", "RELOAD")
    assert contents(client) == wanted
    replica.wait_aof()  # a replica begins a new one with every copy of its primary
    client.execute_command("DEBUG", "LOADAOF")
    assert contents(client) == wanted
    replica.rewrite_aof()
    client.execute_command("DEBUG", "LOADAOF")
    assert contents(client) == wanted


def test_an_aof_of_a_server_with_higher_limits_is_loaded(programs, narrow):
    server = programs.redis(appendonly="yes", appendfsync="always", aof_use_rdb_preamble="no")
    fill(server.client())
    wanted = contents(server.client())
    server.kill9()
    server.module = narrow
    server.config = TIGHT
    client = server.start().client()
    assert contents(client) == wanted
    check_sound(client)


def test_payloads_of_a_server_with_higher_limits_are_restored(programs, narrow):
    source, target = programs.redis(name="source"), programs.redis(name="target", module=narrow, config=TIGHT)
    fill(source.client())
    wanted = contents(source.client())
    raw = target.client(decode_responses=False)
    for key in keys_of(source.client()):
        ends_at = max(0, source.client().execute_command("PEXPIRETIME", key))
        raw.restore(key, ends_at, source.client(decode_responses=False).dump(key), absttl=True)
    assert contents(target.client()) == wanted


def test_random_commands_end_equal_on_a_replica_with_lower_limits(programs, narrow):
    settings = {"notify.idempotency-window-ms": WINDOW_MS, "notify.idempotency-max": TOKENS_KEPT}
    primary = programs.redis(name="primary", config=settings)
    replica = programs.replica(primary, module=narrow, config=TIGHT)
    model = Model(primary.client(), random.Random(4))
    for _ in range(1500):
        model.step()
    replica.wait_synced()
    # Sets of sessions end by themselves, so there may be one fewer at the primary just now.
    wait_until(lambda: contents(replica.client()) == contents(primary.client()), "both being equal")


# -- state that is fuller


def fill_to_the_brim(client, key, log):
    """What a client can put into one box."""
    run(client, (["NOTIFY.MUTE", key, *(f"brim{n}" for n in range(first, first + 64))] for first in range(0, 4096, 64)))
    run(client, (["NOTIFY.FOLLOW", key, *(f"brim:{n}" for n in range(first, first + 62))] for first in range(0, 992, 62)))
    while True:
        try:
            call(client, "NOTIFY.FOLLOW", key, f"more:{client.incr('more')}")
        except redis.ResponseError:
            return


def test_effects_reach_a_replica_whose_boxes_are_full(programs):
    """Somebody has written to the replica, or its state is another for a reason that we do not know yet: it
    still takes what its primary says."""
    primary = programs.redis(name="primary")
    replica = programs.replica(primary, replica_read_only="no")
    client, second = primary.client(), replica.client()
    call(client, "NOTIFY.SEND", "inbox", "first")
    for n in range(1, 3001):
        call(client, "NOTIFY.SEND", "log", "t", "ID", n, "MAXLEN", 5000)
    call(client, "NOTIFY.FOLLOW", "inbox", "log", "FROM", 0)
    replica.wait_synced()
    call(second, "NOTIFY.READ", "inbox", *range(2, 2050, 2), "LOG", "log")
    fill_to_the_brim(second, "inbox", "log")
    assert "LIMIT" in error_of(second, "NOTIFY.READ", "inbox", 3000, "LOG", "log")
    sent = call(client, "NOTIFY.SEND", "inbox", "second", "CATEGORY", "another", "IDEMPOTENT", "t", "COLLAPSE", "c")
    assert call(client, "NOTIFY.MUTE", "inbox", *(f"x{n}" for n in range(64))) == 64
    assert call(client, "NOTIFY.FOLLOW", "inbox", "another log") == 1
    assert call(client, "NOTIFY.READ", "inbox", 2990, 2995, "LOG", "log") == 2
    assert call(client, "NOTIFY.READALL", "inbox", "UPTO", 100, "LOG", "log") == 100
    replica.wait_synced()
    assert replica.running()
    cursors = pairs(call(second, "NOTIFY.CURSORS", "inbox"))
    assert "another log" in cursors
    assert {"2990-0", "2995-0"} <= set(pairs(cursors["log"])["read_ids"])
    categories = pairs(pairs(call(second, "NOTIFY.INFO", "inbox"))["categories"])
    assert {"another", "x0", "x63"} <= set(categories)
    assert call(second, "NOTIFY.GET", "inbox", sent)[0][0] == sent
    verify(second, "inbox")


def test_effects_of_an_aof_are_loaded_twice_as_once(programs):
    """Servers have begun an AOF with what the snapshot before it holds already."""
    server = programs.redis(appendonly="yes", appendfsync="always", aof_use_rdb_preamble="no")
    fill(server.client())
    commands = [["SELECT", "0"]] + server_effects(server)
    once = server_with_aof(programs, commands).start()
    twice = server_with_aof(programs, commands + commands).start()
    for key in keys_of(once.client()):
        if once.client().type(key) != "notifybox":
            continue
        verify(twice.client(), key)
        lasts = [pairs(call(one.client(), "NOTIFY.INFO", key))["last"] for one in (once, twice)]
        assert lasts[0] == lasts[1], key


def server_effects(server):
    return [words for words in read_aof(server.aof_tail()) if words[0] not in (b"SELECT", b"MULTI", b"EXEC")]


# -- what is refused

FAR = 253402300000000
BAD = b"\xff"

WORD_OF_OTHER = word_of("other")

REFUSED = [
    ["NOTIFY.SEND", "in", ""],
    ["NOTIFY.SEND", "in", "x" * 256],
    ["NOTIFY.SEND", "in", BAD],
    ["NOTIFY.SEND", BAD, "t"],
    ["NOTIFY.SEND", "in", "t", "TYPE", "x" * 65],
    ["NOTIFY.SEND", "in", "t", "DATA", "{"],
    ["NOTIFY.SEND", "in", "t", "EVENT", "a b"],
    ["NOTIFY.SEND", "in", "t", "EVENT", "read"],
    ["NOTIFY.SEND", "in", "t", "CATEGORY", ""],
    ["NOTIFY.SEND", "full", "t", "CATEGORY", "one more"],
    ["NOTIFY.SEND", "in", "t", "LEVEL", "loud"],
    ["NOTIFY.SEND", "in", "t", "ID", "1-0"],
    ["NOTIFY.SEND", "in", "t", "ID", "x"],
    ["NOTIFY.SEND", "greatest", "t"],
    ["NOTIFY.SEND", "in", "t", "IDEMPOTENT", "x" * 129],
    ["NOTIFY.SEND", "in", "t", "EX", "0"],
    ["NOTIFY.SEND", "in", "t", "PXAT", "1"],
    ["NOTIFY.SEND", "in", "t", "CONTENT", "x" * 70000],
    ["NOTIFY.SEND", "in", "t", "MAXLEN", "0"],
    ["NOTIFY.SEND", "in", "t", "NX", "XX"],
    ["NOTIFY.SEND", "in", "t", "NX", "NX"],
    ["NOTIFY.SEND", "in", "t", "NOSTORE"],
    ["NOTIFY.SEND", "in", "t", "MAXLEN"],
    ["NOTIFY.SEND", "in", "t", "WHAT"],
    ["NOTIFY.SEND", "in", "t", BAD],
    ["NOTIFY.SEND", "a string", "t"],
    ["NOTIFY.SENDMANY", "2", "in", "in", "t", "ID", str(FAR)],
    ["NOTIFY.SENDMANY", "x", "in", "t"],
    ["NOTIFY.SENDMANY", "2", "fresh", "greatest", "t"],
    ["NOTIFY.SENDMANY", "2", "fresh", "full", "t", "CATEGORY", "one more"],
    ["NOTIFY.SENDMANY", "2", "fresh", "a string", "t"],
    ["NOTIFY.SENDMANY", "300", *(f"fresh{n}" for n in range(300)), "t", "CONTENT", "x" * 30_000],
    ["NOTIFY.SEND", "in", "t", "IDEMPOTENT", "t", "REMEMBER", "1", "1", "1"],
    ["NOTIFY.READ", "in", "NOPUBLISH"],
    ["NOTIFY.READ", "in", "1", "LOG", "in"],
    ["NOTIFY.RANGE", "in", "-", "+", "ENTITY", "", "7"],
    ["NOTIFY.FEED", "in", "BEFORE", "soon"],
    ["NOTIFY.READALL", "in", "LOG", "log", "LOGS", "1", "log"],
    ["NOTIFY.UNREAD", "in", "BY", "title"],
    ["NOTIFY.FOLLOW", "in", "a log", "BYNAME"],
    ["NOTIFY.READ", "in", "1", "BYNAME"],
    ["NOTIFY.READALL", "in", "LOG", "log", "BYNAME"],
    ["NOTIFY.READALL", "in", "UPTO", "1", "CATEGORY", "c", "LOG", "log", "BYNAME"],
    ["NOTIFY.MARK", "in", "READ", "TOKEN", "t", "LOG", "log", "BYNAME"],
    ["NOTIFY.CURSORS", "in", "LOGS"],
    ["NOTIFY.CURSORS", "wide", "WORDS"],
    ["NOTIFY.VIEW", "log", "word"],
    ["NOTIFY.VIEW", "log", WORD_OF_OTHER],
    ["NOTIFY.VIEW", "other", WORD_OF_OTHER, "JSON"],
    ["NOTIFY.VIEW", "other", WORD_OF_OTHER, "RANGE", "-", "+", "REVRANGE", "+", "-"],
    ["NOTIFY.READ", "scattered", "2999", "LOG", "log"],
    ["NOTIFY.READ", "scattered", *(str(n) for n in range(2052, 3000, 2)), "LOG", "log"],
    ["NOTIFY.MARK", "in", "GREEN", "1"],
    ["NOTIFY.TRIM", "in", "WHAT", "1"],
    ["NOTIFY.MUTE", "in", "a\nb"],
    ["NOTIFY.MUTE", "in", "NOPUBLISH", "x"],
    ["NOTIFY.MUTE", "in", *(f"c{n}" for n in range(65))],
    ["NOTIFY.MUTE", "full", "c0", "one more"],
    ["NOTIFY.FOLLOW", "in", "in"],
    ["NOTIFY.FOLLOW", "in", "x" * 513],
    ["NOTIFY.FOLLOW", "in", BAD],
    ["NOTIFY.FOLLOW", "follows", "log", "one more"],
    ["NOTIFY.FOLLOW", "in", "log", "a string"],
    ["NOTIFY.RESTOREBOX", "in", "x"],
    ["NOTIFY.SESSION", "OPEN", "set", "s", "c9", "LEASE", "1"],
    ["NOTIFY.SESSION", "OPEN", "set", "other", "c1", "LEASE", "1"],
    ["NOTIFY.SESSION", "OPEN", "set", "*", "c9", "LEASE", "1"],
    ["NOTIFY.SESSION", "OPEN", "set", "s" * 129, "c9", "LEASE", "1"],
    ["NOTIFY.SESSION", "OPEN", "set", "s", "c9", "NODE", "n", "META", "1"],
    ["NOTIFY.SESSION", "OPEN", "set", "s", "c9", "LEASE", "1", "META", "{"],
    ["NOTIFY.SESSION", "OPEN", "set", "s", "c9", "LEASE", "1", "MAXCONN", "1"],
    ["NOTIFY.SESSION", "OPEN", "set", "t", "c9", "LEASE", "1", "MAXSESSIONS", "1"],
    ["NOTIFY.SESSION", "TOUCH", "set", "c1", "LEASE", "1"],
    ["NOTIFY.SESSION", "RENEW", "86400000", "set", "c1", "LEASE"],
    ["NOTIFY.SESSION", "RENEW", "LEASE", "86400000", "set", "c1", "set"],
    ["NOTIFY.SESSION", "RENEW", "LEASE", "86400000", *(["set", "c1"] * 65)],
    ["NOTIFY.SESSION", "CLOSE", "set", *(["c1"] * 10001)],
    ["NOTIFY.SESSION", "APPLY", "set", "1"],
    # Reading commands change nothing anyway; here so that every error is.
    ["NOTIFY.INFO", "none"],
    ["NOTIFY.RANGE", "in", "x", "+"],
    ["NOTIFY.RANGE", "in", "-", "+", "READ", "UNREAD"],
    ["NOTIFY.RANGE", "in", "-", "+", "CATEGORY", *(f"c{n}" for n in range(65))],
    ["NOTIFY.SINCE", "in", "1", "log"],
    ["NOTIFY.SINCE", "in", "x"],
    ["NOTIFY.SINCE", "in", "1@x"],
    ["NOTIFY.UNREAD", "in", "LOGS", "2", "log", "log"],
    ["NOTIFY.UNREAD", "in", "LOGS", "3", "log"],
    ["NOTIFY.HELP", "NO.SUCH"],
]

# What no client can bring about here: lack of memory, a box of 16 million entries, the words of effects.
UNPROVOKED = re.compile(
    r"memory|MAXLEN must be at most|MAY must|the blocks|the ids of the payload|PUT must name|REMEMBER needs"
    r"|a session set holds at most %d$|NOPERM|id/maxlen|more than %d groups|this command is internal|needs notify.write-version"
)


def reach_limits(client):
    client.set("a string", "x")
    client.config_set("notify.session-max-connections", 2)
    call(client, "NOTIFY.SEND", "in", "t", "ID", "2-0")
    call(client, "NOTIFY.SEND", "greatest", "t", "ID", "253402300799999-18446744073709551615")
    run(client, (["NOTIFY.MUTE", "full", *(f"c{n}" for n in range(first, first + 64))] for first in range(0, 4096, 64)))
    run(client, (["NOTIFY.MUTE", "wide", *(f"c{n}" for n in range(first, first + 64))] for first in range(0, 4096, 64)))
    call(client, "NOTIFY.FOLLOW", "wide", *(f"l{n}" for n in range(1024)))
    run(client, (["NOTIFY.FOLLOW", "follows", *(f"l{n}" for n in range(first, first + 64))] for first in range(0, 1024, 64)))
    run(client, (["NOTIFY.SEND", "log", "t", "ID", n, "MAXLEN", 5000] for n in range(1, 3001)))
    call(client, "NOTIFY.FOLLOW", "scattered", "log", "FROM", 0)
    call(client, "NOTIFY.READ", "scattered", *range(2, 2050, 2), "LOG", "log")
    for n in (1, 2):
        call(client, "NOTIFY.SESSION", "OPEN", "set", "s", f"c{n}", "LEASE", 86400000)


def refuse(client, words):
    try:
        reply = client.execute_command(*words)
    except redis.ResponseError as error:
        return str(error)
    raise AssertionError(f"{words!s:.100} was accepted: {reply!r}")


def pattern_of(format_):
    parts = re.split(r"%(?:\.\*)?(?:ll|z)?[sdu]", format_)
    return re.compile(".*".join(map(re.escape, parts)).removeprefix("ERR\\ "))


def test_what_a_client_is_refused_changes_nothing_and_is_told_to_nobody(programs):
    primary = programs.redis(name="primary", appendonly="yes", aof_use_rdb_preamble="no")
    replica = programs.replica(primary)
    client = primary.client()
    reach_limits(client)
    replica.wait_synced()
    before = contents(client)
    effects = len(server_effects(primary))
    errors = [refuse(client, words) for words in REFUSED]
    missing = [one for one in sorted(error_formats())
               if not UNPROVOKED.search(one) and not any(pattern_of(one).search(error) for error in errors)]  # fmt: skip
    assert missing == [], "every error is provoked here"
    assert contents(client) == before
    assert server_effects(primary)[effects:] == []
    replica.wait_synced()
    assert contents(replica.client()) == before
    client.execute_command("DEBUG", "LOADAOF")
    assert contents(client) == before


# -- what a server has dropped and tells nobody of


def wait_past(client, ms):
    wait_until(lambda: now_ms(client) > ms, "the time")


def now_ms(client):
    seconds, micros = client.time()
    return seconds * 1000 + micros // 1000


def leave_expired(client, ends, *keys):
    """A text, a box and a session set under those names, the time of which is over; they are there still."""
    client.execute_command("DEBUG", "SET-ACTIVE-EXPIRE", 0)
    text, box, sessions = keys
    client.set(text, "x", pxat=ends)
    call(client, "NOTIFY.SEND", box, "t")
    call(client, "NOTIFY.SESSION", "OPEN", sessions, "s", "c", "LEASE", 600_000)
    for key in (box, sessions):
        client.execute_command("PEXPIREAT", key, ends)
    wait_past(client, ends)


def test_what_a_reload_drops_as_expired_is_in_the_way_of_nothing_that_follows(programs):
    """DEBUG RELOAD of a primary leaves out what has expired, and tells neither its AOF nor its replicas, where it
    holds another type than what comes then under that name."""
    primary = programs.redis(name="primary", appendonly="yes")
    replica = programs.replica(primary)
    replica.wait_synced()
    client = primary.client()
    leave_expired(client, now_ms(client) + 300, "text", "a box", "a set")
    client.execute_command("DEBUG", "RELOAD")
    assert keys_of(client) == []
    call(client, "NOTIFY.SESSION", "OPEN", "text", "s", "c", "LEASE", 600_000)
    call(client, "NOTIFY.SESSION", "OPEN", "a box", "s", "c", "LEASE", 600_000)
    call(client, "NOTIFY.SEND", "a set", "t")
    wanted = contents(client)
    assert len(wanted) == 3
    replica.wait_synced()
    assert contents(replica.client()) == wanted
    assert contents(primary.restart().client()) == wanted


def test_what_is_in_the_way_and_has_not_expired_ends_the_process(programs):
    primary = programs.redis(name="primary")
    replica = programs.replica(primary, replica_read_only="no")
    replica.wait_synced()
    replica.client().set("k", "x", ex=1000)
    call(primary.client(), "NOTIFY.SEND", "k", "t")
    replica.wait()
    assert replica.has_line("cannot carry out 'NOTIFY.SEND k .*WRONGTYPE")


# -- memory


def test_a_replica_that_lacks_memory_ends_as_for_a_value_of_the_servers_own(programs, monkeypatch):
    """An allocation that fails is an error for a client. Here a sanitizer lets none be larger than 2 MB."""
    primary = programs.redis(name="primary", config={"notify.idempotency-max": 100000})
    if "libasan" not in open(f"/proc/{primary.pid}/maps").read():
        pytest.skip("needs a module that was built with a sanitizer")
    monkeypatch.setenv("ASAN_OPTIONS", "allocator_may_return_null=1:max_allocation_size_mb=2:detect_leaks=0")
    replica = programs.replica(primary)
    monkeypatch.undo()
    padding = "x" * 110
    run(primary.client(), (["NOTIFY.SEND", "k", "t", "IDEMPOTENT", f"{n}{padding}", "MAXLEN", 1] for n in range(20000)))
    replica.wait(timeout=60)
    assert replica.has_line("Out Of Memory allocating")
    assert not replica.has_line("This replica is sending an error to its master")
    replica.lines.clear()  # the server's report of its own end is no bug
    replica.proc = None
