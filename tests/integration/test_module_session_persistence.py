"""Session sets in RDB, AOF, replicas, DUMP/RESTORE and COPY: the same set everywhere, nobody announced
twice, and what is replicated is the effect with absolute times."""

import random
import re
import time

import pytest

from dump_helpers import check_cuts_refused, restore_broken
from effects import Primary, effects_of, server_with_aof
from module_helpers import call, check_everywhere, digest, error_of, pairs
from servers import wait_until

KEY = "sessions:1"
BIG = "sessions:big"
KEYS = [KEY, BIG]
LONG = 3_600_000


def session(client, subcommand, key, *args):
    return call(client, "NOTIFY.SESSION", subcommand, key, *args)


def fill(client):
    """Sets in every state: all fields, several sessions, renewed, expired, a large one."""
    session(client, "OPEN", KEY, "s1", "c1", "LEASE", LONG, "NODE", "n1", "ADDR", "::1", "META", "[1]")
    session(client, "OPEN", KEY, "s2", 'ä"\n', "LEASE", LONG, "META", '{"a":"ä"}')
    session(client, "OPEN", KEY, "s1", "c2", "LEASE", LONG, "NODE", "n2")
    session(client, "OPEN", KEY, "s1", "c1", "LEASE", LONG + 5, "NODE", "n3")
    session(client, "TOUCH", KEY, "LEASE", LONG + 7, "c2")
    for n in range(300):
        session(client, "OPEN", BIG, f"s{n % 7}", f"c{n}", "LEASE", LONG + n, "META", '"' + "x" * n + '"')
    for n in range(0, 300, 9):
        session(client, "CLOSE", BIG, f"c{n}")
    session(client, "KICK", BIG, "s3")


def facts(client):
    """Everything that the sets say of themselves, and when they end."""
    return [
        ([pairs(one) for one in session(client, "LIST", key)], client.execute_command("PEXPIRETIME", key))
        for key in KEYS
    ]  # fmt: skip


def test_debug_reload_keeps_everything(redis_server):
    client = redis_server.client()
    fill(client)
    before = digest(client, *KEYS), facts(client)
    client.execute_command("DEBUG", "RELOAD")
    assert (digest(client, *KEYS), facts(client)) == before
    assert session(client, "OPEN", KEY, "s1", "c9", "LEASE", LONG, "MAXCONN", 3) == 1


@pytest.mark.parametrize("preamble", ["yes", "no"])
@pytest.mark.parametrize("rewrite", [True, False])
def test_aof_keeps_everything_and_publishes_nothing(programs, preamble, rewrite):
    server = programs.redis(appendonly="yes", appendfsync="always", aof_use_rdb_preamble=preamble)
    client = server.client()
    fill(client)
    if rewrite:
        server.rewrite_aof()
        session(client, "OPEN", KEY, "s9", "after the rewrite", "LEASE", LONG)
    before = digest(client, *KEYS), facts(client)
    server.kill9()
    server.restart()
    client = server.client()
    assert (digest(client, *KEYS), facts(client)) == before
    assert client.info("notify")["notify_publishes"] == 0


def test_an_aof_with_leases_that_have_passed_is_loaded(programs):
    server = programs.redis(appendonly="yes", appendfsync="always", aof_use_rdb_preamble="no")
    client = server.client()
    session(client, "OPEN", KEY, "s1", "short", "LEASE", 50)
    session(client, "OPEN", KEY, "s1", "long", "LEASE", LONG)
    session(client, "OPEN", BIG, "s1", "all over", "LEASE", 50)
    server.kill9()
    wait_until(lambda: not server.running())
    server.restart()
    client = server.client()
    wait_until(lambda: session(client, "COUNT", KEY, "CONNECTIONS") == 1)
    wait_until(lambda: client.exists(BIG) == 0)
    assert [pairs(one)["connection"] for one in session(client, "LIST", KEY)] == ["long"]


def test_a_rewritten_aof_consists_of_bounded_commands(programs):
    server = programs.redis(appendonly="yes", aof_use_rdb_preamble="no")
    client = server.client()
    for n in range(200):
        session(client, "OPEN", BIG, f"s{n}", f"c{n}", "LEASE", LONG)
    server.rewrite_aof()
    text = server.aof_base()
    assert text.count(b"NOTIFY.SESSION") == text.count(b"APPLY") == 4
    assert text.count(b"PUT") == 200 and text.count(b"PEXPIREAT") == 1


def test_a_replica_is_equal_and_its_subscribers_hear_everything_once(programs, listen):
    primary = programs.redis(name="primary")
    early = programs.replica(primary, name="early")
    here, there = listen(primary, *KEYS), listen(early, *KEYS, via=primary)
    client = primary.client()
    fill(client)
    with client.pipeline() as pipe:
        pipe.multi()
        pipe.execute_command("NOTIFY.SESSION", "OPEN", KEY, "s5", "c5", "LEASE", LONG)
        pipe.execute_command("NOTIFY.SESSION", "KICK", KEY, "s2")
        pipe.execute()
    client.eval("redis.call('NOTIFY.SESSION', 'CLOSE', KEYS[1], 'c5')", 1, KEY)
    published = here.raw()
    assert len(published) == 2 + 7 + 2 + 1 + 2 + 1
    assert there.raw() == published
    late = programs.replica(primary, name="late")
    session(client, "TOUCH", KEY, "LEASE", LONG + 99, "c1")
    early.wait_synced()
    late.wait_synced()
    for replica in (early, late):
        assert digest(replica.client(), *KEYS) == digest(client, *KEYS)
        assert facts(replica.client()) == facts(client)
        assert replica.client().info("notify")["notify_publishes"] == 0


def test_a_replica_hides_what_has_expired_but_deletes_only_what_it_is_told(programs, listen):
    primary = programs.redis(name="primary")
    replica = programs.replica(primary)
    there = listen(replica, KEY, via=primary)
    client, reader = primary.client(), replica.client()
    session(client, "OPEN", KEY, "s2", "long", "LEASE", LONG)
    session(client, "OPEN", KEY, "s1", "short", "LEASE", 80)
    replica.wait_synced()
    stored = digest(client, KEY)
    wait_until(lambda: session(reader, "COUNT", KEY) == 1)
    assert [pairs(one)["connection"] for one in session(reader, "LIST", KEY)] == ["long"]
    assert digest(reader, KEY) == digest(client, KEY) == stored, "nobody has removed it so far"
    session(client, "TOUCH", KEY, "LEASE", LONG, "long")
    replica.wait_synced()
    assert digest(reader, KEY) == digest(client, KEY) != stored
    events = [message["event"] for message in there.messages()]
    assert events == ["join", "join", "leave"]


def test_a_set_that_nobody_renews_vanishes_on_the_replica_too(programs):
    primary = programs.redis(name="primary")
    replica = programs.replica(primary)
    session(primary.client(), "OPEN", KEY, "s1", "c1", "LEASE", 50)
    replica.wait_synced()
    wait_until(lambda: primary.client().dbsize() == 0)
    wait_until(lambda: replica.client().dbsize() == 0)


def test_what_is_replicated_is_the_effect(programs):
    primary = programs.redis(name="primary", appendonly="yes")
    client = primary.client()
    session(client, "OPEN", KEY, "s1", "c1", "LEASE", LONG, "NODE", "n", "MAXCONN", 1)
    session(client, "OPEN", KEY, "s1", "c2", "LEASE", 2000)
    facts_then = {one["connection"]: one for one in map(pairs, session(client, "LIST", KEY))}
    error_of(client, "NOTIFY.SESSION", "OPEN", KEY, "s1", "c3", "LEASE", LONG, "MAXCONN", 1)
    session(client, "CLOSE", KEY, "nobody")
    wait_until(lambda: session(client, "COUNT", KEY, "CONNECTIONS") == 1)
    session(client, "TOUCH", KEY, "LEASE", LONG, "c1")
    (fact_now,) = map(pairs, session(client, "LIST", KEY))
    session(client, "KICK", KEY, "*")
    first, second, third, fourth = effects_of(primary)
    rev = int(first[3])

    def put(name, node):
        fact = facts_then[name]
        times = [str(fact["expires_at"]), str(fact["opened_at"])]
        return ["PUT", "s1", name, *times, node, "", ""]

    def head(number):
        return ["NOTIFY.SESSION", "APPLY", KEY, str(number)]

    assert first == head(rev) + put("c1", "n")
    assert second == head(rev + 1) + put("c2", "")
    assert third == head(rev + 2) + ["CLOSE", "c2", "LEASE", "c1", str(fact_now["expires_at"])]
    assert fourth == head(rev + 3) + ["CLOSE", "c1"]


def test_dump_and_restore_copy_rename_and_move(shared_redis):
    client = shared_redis.client()
    raw = shared_redis.client(decode_responses=False)
    fill(client)
    before = digest(client, *KEYS)
    for key in KEYS:
        # A digest tells, too, whether the key expires.
        ends = client.execute_command("PEXPIRETIME", key)
        raw.restore(key + ":restored", ends, raw.dump(key), absttl=True)
        assert client.execute_command("COPY", key, key + ":copy") == 1
        assert digest(client, key + ":restored", key + ":copy") == digest(client, key) * 2
        assert client.pttl(key + ":copy") > 0
    session(client, "KICK", KEY + ":copy", "*")
    assert digest(client, *KEYS) == before, "a copy is a value of its own"
    assert client.memory_usage(BIG) > 300 * 100
    client.rename(KEY, "renamed")
    assert digest(client, "renamed")[0] == before[0]
    assert shared_redis.client().move("renamed", 1) == 1  # some releases of Valkey take who says it along
    client.unlink(BIG)
    client.execute_command("FLUSHALL", "ASYNC")


def test_a_set_that_loses_its_ttl_gets_it_back(programs):
    """By PERSIST and by RESTORE without one: a rewritten AOF would give it one anyway, and a set that nobody renews
    goes, whatever happens. (Found by the adversary: the same set, with and without.)"""
    primary = programs.redis(name="primary", appendonly="yes", aof_use_rdb_preamble="no")
    replica = programs.replica(primary)
    client, raw = primary.client(), primary.client(decode_responses=False)
    fill(client)
    ends = client.execute_command("PEXPIRETIME", KEY)
    assert client.persist(KEY) == 1
    raw.restore("restored", 0, raw.dump(KEY))
    raw.restore("given", 10 * LONG, raw.dump(KEY))
    client.set("text", "t", px=LONG)
    client.persist("text")
    wanted = digest(client, KEY, "restored")

    def check(one):
        found = [one.execute_command("PEXPIRETIME", key) for key in (KEY, "restored", "text", "given")]
        assert found[:3] == [ends, ends, -1] and found[3] > ends + LONG
        assert digest(one, KEY, "restored") == wanted

    check(client)
    check_everywhere(check, primary, replica)
    session(client, "TOUCH", "restored", "LEASE", 2 * LONG, "c1")
    assert LONG + 1000 < client.pttl("restored") <= 2 * LONG


def apply(*words):
    return ["NOTIFY.SESSION", "APPLY", *words]


def test_the_digest_knows_every_field(redis_server):
    client = redis_server.client()
    lease = client.time()[0] * 1000 + LONG
    plain = {"rev": 7, "session": "s", "connection": "c", "lease": lease, "opened": 50, "node": "n",
             "addr": "a", "meta": "1"}  # fmt: skip
    other = {"rev": 8, "session": "s2", "connection": "c2", "lease": lease + 1, "opened": 51,
             "node": "n2", "addr": "a2", "meta": "2"}  # fmt: skip
    primary = Primary(redis_server)
    seen = set()
    for field in [None, *plain]:
        words = [other[name] if name == field else plain[name] for name in plain]
        primary.send(apply(KEY, words[0], "PUT", *words[1:]))
        seen.update(digest(client, KEY))
        primary.send(["DEL", KEY])
    assert len(seen) == 1 + len(plain)
    primary.close()


# -- APPLY


def test_apply_puts_renews_and_closes(redis_server, listen):
    client = redis_server.client()
    primary = Primary(redis_server)
    listener = listen(redis_server, KEY)
    lease = client.time()[0] * 1000 + LONG
    primary.send(apply(KEY, 5, "PUT", "s", "c1", lease, 1, "", "", "", "PUT", "s", "c2", lease, 1, "n", "a", "{}"))
    primary.send(apply(KEY, 6, "LEASE", "c1", lease + 1, "CLOSE", "c2", "LEASE", "nobody", 9, "CLOSE", "nobody"))
    assert list(map(pairs, session(client, "LIST", KEY))) == [
        {"session": "s", "connection": "c1", "opened_at": 1, "expires_at": lease + 1}
    ]
    primary.send(apply(KEY, 7, "PUT", "other", "c1", lease, 1, "", "", ""))
    assert pairs(session(client, "LIST", KEY)[0])["session"] == "other", "it is as it is told"
    for rev in (8, 9):
        primary.send(apply(KEY, rev, "CLOSE", "c1"))
        assert client.exists(KEY) == 0
    assert listener.raw() == []
    primary.close()


@pytest.mark.parametrize(
    "words, error",
    [
        (["x"], "rev must be an integer from 0 to 18446744073709551615, not 'x'"),
        (["1", "WHAT"], "change must be PUT, LEASE or CLOSE, not 'WHAT'"),
        (["1", "CLOSE"], "syntax error: connection lacks its value"),
        (["1", "LEASE", "c"], "syntax error: lease lacks its value"),
        (["1", "LEASE", "c", "0"], "lease must be an integer from 1 to 253402300799999, not '0'"),
        (["1", "PUT", "s", "c", "9", "9", "", ""], "syntax error: meta lacks its value"),
        (["1", "PUT", "s", "c", "9", "0", "", "", ""],
         "opened must be an integer from 1 to 253402300799999, not '0'"),
        (["1", "PUT", "*", "c", "9", "9", "", "", ""],
         "PUT must name a connection as OPEN takes it, with META minified"),
        (["1", "PUT", "s", "c", "9", "9", "", "", "[1, 2]"],
         "PUT must name a connection as OPEN takes it, with META minified"),
    ],
)  # fmt: skip
def test_what_cannot_be_applied_ends_the_process(programs, words, error):
    good = [words[0], "PUT", "s", "first", int(time.time() * 1000) + LONG, 1, "", "", "", *words[1:]]
    server = server_with_aof(programs, [apply(KEY, *good)]).start(wait_ready=False)
    assert server.wait() == 1
    assert server.has_line(re.escape(error))


def test_apply_fills_a_set_whatever_the_setting_says(programs):
    lease = int(time.time() * 1000) + LONG
    puts = [word for n in range(10000) for word in ("PUT", "s", f"c{n}", lease, 1, "", "", "")]
    leases = [word for n in range(10000) for word in ("LEASE", f"c{n}", lease + 1)]
    server = server_with_aof(programs, [apply(KEY, 1, *puts), apply(KEY, 1, *leases)]).start()
    assert session(server.client(), "COUNT", KEY, "CONNECTIONS") == 10000
    assert pairs(session(server.client(), "LIST", KEY)[-1])["expires_at"] == lease + 1


# -- payloads from outside


def test_a_corrupt_payload_is_refused_or_sound_but_never_a_crash(redis_server):
    client = redis_server.client()
    raw = redis_server.client(decode_responses=False)
    fill(client)
    rng = random.Random(7)

    def use():
        if client.type("broken") == "notifyses":
            session(raw, "LIST", "broken")
            session(raw, "TOUCH", "broken", "LEASE", LONG, "c1")
            session(raw, "OPEN", "broken", "s1", "new", "LEASE", LONG)
            session(raw, "KICK", "broken", "*")

    refused = sum(
        restore_broken(raw, raw.dump(key), rounds, rng, use) for key, rounds in ((KEY, 1500), (BIG, 100))
    )
    assert refused > 500
    assert client.ping()


def test_a_truncated_payload_is_refused(redis_server):
    client = redis_server.client()
    raw = redis_server.client(decode_responses=False)
    fill(client)
    check_cuts_refused(raw, raw.dump(KEY))
    assert client.info("notify")["notify_loads_refused"] > 0


# -- the same random commands everywhere


def left_ms(connection):
    return pairs(connection)["expires_at"] - time.time() * 1000


def test_random_commands_give_equal_sets_everywhere(programs, listen):
    primary = programs.redis(name="primary", appendonly="yes", appendfsync="always",
                             aof_use_rdb_preamble="no")  # fmt: skip
    replica = programs.replica(primary)
    listener = listen(primary, KEY)
    client = primary.client()
    rng = random.Random(11)

    def step():
        name, connection = f"s{rng.randrange(4)}", f"c{rng.randrange(12)}"
        lease = rng.choice((3, 20, LONG))
        node = f"n{rng.randrange(3)}"
        return rng.choices(
            [
                ["OPEN", KEY, name, connection, "LEASE", lease, "NODE", node, "MAXCONN", 3],
                ["TOUCH", KEY, "LEASE", lease, connection, "c1", "c2"],
                ["CLOSE", KEY, connection, "c3"],
                ["KICK", KEY, name],
                ["DROPNODE", KEY, node],
            ],
            [60, 20, 10, 2, 2],
        )[0]

    for _ in range(5):
        # One key that never ends, so that watchers hear of everybody's end.
        for command in [["OPEN", KEY, "stays", "stays", "LEASE", LONG]] + [step() for _ in range(800)]:
            try:
                call(client, "NOTIFY.SESSION", *command)
            except Exception as error:  # noqa: BLE001
                assert "LIMIT" in str(error) or "belongs to another session" in str(error), error
        wanted = digest(client, KEY)

        def check(one, wanted=wanted):
            assert digest(one, KEY) == wanted

        check_everywhere(check, primary, replica)
    # A short lease that ended between the sweep and LIST would be missing here and there.
    wait_until(lambda: all(left_ms(one) > 1000 for one in session(client, "LIST", KEY)), "short leases' end")
    session(client, "TOUCH", KEY, "LEASE", LONG, "stays")  # sweeps
    there = set()
    for message in listener.messages():
        if message["type"] != "presence":
            continue
        assert (message["event"] == "leave") == (message["session_id"] in there)
        there ^= {message["session_id"]}
    assert there == {pairs(one)["session"] for one in session(client, "LIST", KEY)}
