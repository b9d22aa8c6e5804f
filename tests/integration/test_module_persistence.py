"""RDB, AOF, replicas, DUMP/RESTORE, COPY: the same box everywhere, and nothing published twice."""

import random

import pytest

from dump_helpers import check_cuts_refused, restore_broken, sealed
from effects import Primary, effects_of, read_aof, server_with_aof
from module_helpers import call, digest, entries, epoch_of, ids, info, verify
from servers import wait_until

KEY = "inbox:1"
BIG = "inbox:big"
EMPTY = "inbox:empty"
KEYS = [KEY, BIG, EMPTY]


def fill(client):
    """Boxes in every state: small and large, with all marks, trimmed, emptied, of long entries."""
    call(client, "NOTIFY.SEND", KEY, "plain")
    call(client, "NOTIFY.SEND", KEY, "full", "CONTENT", "ä\n\"", "TYPE", "t", "CATEGORY", "ci",
         "LEVEL", "critical", "EVENT", "alert", "ACTION", '{"a":1}', "ENTITY", "e", "1", "DATA",
         "[1]", "EXCLUDE", "s")  # fmt: skip
    call(client, "NOTIFY.EVENT", KEY, "progress", "DATA", "[2]")
    for n in range(8):
        call(client, "NOTIFY.SEND", KEY, f"n{n}", "CATEGORY", f"c{n % 3}", "ID", 253402300000000 + n)
    call(client, "NOTIFY.READ", KEY, 253402300000000)
    call(client, "NOTIFY.MARK", KEY, "SEEN", 253402300000001, 253402300000002)
    call(client, "NOTIFY.MARK", KEY, "ARCHIVED", 253402300000003, 253402300000004)
    call(client, "NOTIFY.MARK", KEY, "UNREAD", 253402300000000)
    call(client, "NOTIFY.READALL", KEY, "CATEGORY", "c1")
    call(client, "NOTIFY.DEL", KEY, 253402300000005)
    for n in range(700):
        call(client, "NOTIFY.SEND", BIG, f"n{n}", "CONTENT", "x" * (n * 7 % 500), "MAXLEN", 600)
    call(client, "NOTIFY.SEND", BIG, "long", "CONTENT", "y" * 60000)
    call(client, "NOTIFY.SEEN", BIG)
    call(client, "NOTIFY.TRIM", BIG, "MAXLEN", 500)
    call(client, "NOTIFY.SEND", EMPTY, "t")
    call(client, "NOTIFY.SEND", EMPTY, "t")
    call(client, "NOTIFY.DEL", EMPTY, *ids(call(client, "NOTIFY.RANGE", EMPTY, "-", "+")))


def facts(client):
    """Everything that the boxes say of themselves."""
    found = []
    for key in KEYS:
        verify(client, key)
        about = info(client, key)
        for name in ("bytes", "segments", "allocations"):  # may differ: a loaded box is packed
            del about[name]
        about["categories"] = sorted(zip(about["categories"][::2], map(str, about["categories"][1::2])))
        found.append((about, call(client, "NOTIFY.RANGE", key, "-", "+", "ALL"),
                      call(client, "NOTIFY.RANGE", key, "-", "+", "ALL", "JSON")))  # fmt: skip
    return found


def totals(client):
    about = client.info("notify")
    return about["notify_boxes"], about["notify_entries"]


def test_debug_reload_keeps_everything(redis_server):
    client = redis_server.client()
    fill(client)
    before = digest(client, *KEYS), facts(client), totals(client)
    client.execute_command("DEBUG", "RELOAD")
    assert (digest(client, *KEYS), facts(client), totals(client)) == before
    call(client, "NOTIFY.SEND", EMPTY, "after")
    verify(client, EMPTY)


@pytest.mark.parametrize("preamble", ["yes", "no"])
@pytest.mark.parametrize("rewrite", [True, False])
def test_aof_keeps_everything_and_publishes_nothing(programs, listen, preamble, rewrite):
    server = programs.redis(appendonly="yes", appendfsync="always", aof_use_rdb_preamble=preamble)
    client = server.client()
    fill(client)
    if rewrite:
        server.rewrite_aof()
        call(client, "NOTIFY.SEND", KEY, "after the rewrite", "ID", 253402300000100)
    before = digest(client, *KEYS), facts(client), totals(client)
    server.kill9()
    server.restart()
    client = server.client()
    assert (digest(client, *KEYS), facts(client), totals(client)) == before
    assert client.info("notify")["notify_publishes"] == 0


def test_a_rewritten_aof_consists_of_bounded_commands(programs):
    server = programs.redis(appendonly="yes", aof_use_rdb_preamble="no")
    client = server.client()
    for n in range(300):
        call(client, "NOTIFY.SEND", KEY, "t", "CONTENT", "x" * 400)
    server.rewrite_aof()
    text = server.aof_base()
    assert 300 / 64 <= text.count(b"NOTIFY.RESTOREBOX") <= 300 / 64 + 1
    assert b"NOTIFY.SEND" not in text


def test_a_replica_is_equal_and_its_subscribers_hear_everything_once(programs, listen):
    primary = programs.redis(name="primary")
    early = programs.replica(primary, name="early")
    here, there = listen(primary, *KEYS), listen(early, *KEYS, via=primary)
    client = primary.client()
    fill(client)
    call(client, "NOTIFY.EVENT", KEY, "typing", "NOSTORE")
    published = here.raw()
    assert len(published) > 700
    assert there.raw() == published
    late = programs.replica(primary, name="late")
    call(client, "NOTIFY.READALL", BIG)
    early.wait_synced()
    late.wait_synced()
    for replica, told in ((early, len(published)), (late, 1)):
        assert digest(replica.client(), *KEYS) == digest(client, *KEYS)
        assert facts(replica.client()) == facts(client)
        publishes = replica.client().info("notify")["notify_publishes"]
        assert publishes == told  # READALL beside the others, but NOSTORE came as PUBLISH


def test_a_chained_replica_with_an_aof_ends_equal(programs):
    primary = programs.redis(name="primary")
    middle = programs.redis(name="middle", replica_of=primary)
    last = programs.replica(middle, name="last", appendonly="yes", appendfsync="always")
    client = primary.client()
    fill(client)
    wanted = digest(client, *KEYS)
    middle.wait_synced()
    last.wait_synced()
    assert digest(last.client(), *KEYS) == wanted
    primary.terminate()
    last.kill9()
    last.restart()
    assert digest(last.client(), *KEYS) == wanted


def test_a_replica_with_other_settings_ends_equal(programs):
    primary = programs.redis(name="primary", config={"notify.max-entries": 5})
    replica = programs.replica(
        primary,
        config={"notify.max-entries": 2, "notify.max-entry-bytes": 1024, "notify.publish": "off"},
    )
    client = primary.client()
    for _ in range(9):
        call(client, "NOTIFY.SEND", KEY, "t", "CONTENT", "x" * 2000)
    replica.wait_synced()
    assert digest(replica.client(), KEY) == digest(client, KEY)
    assert call(replica.client(), "NOTIFY.LEN", KEY) == 5


def test_what_is_replicated_is_the_effect(programs):
    primary = programs.redis(name="primary", appendonly="yes")
    client = primary.client()
    sent = call(client, "NOTIFY.SEND", KEY, "t", "NX", "WITHINFO", "CONTENT", "c")[1]
    call(client, "NOTIFY.SEND", KEY, "t", "NX")
    call(client, "NOTIFY.READ", KEY, sent, "9-9")
    at = entries(call(client, "NOTIFY.RANGE", KEY, "-", "+"))[0][1]["read_at"]
    call(client, "NOTIFY.READ", KEY, sent)
    call(client, "NOTIFY.READALL", KEY)
    call(client, "NOTIFY.TRIM", KEY, "MAXLEN", "0")
    after = f"{sent.split('-')[0]}-{int(sent.split('-')[1]) + 1}"
    assert effects_of(primary) == [
        f"NOTIFY.SEND {KEY} t CONTENT c AS {sent}/1000/{epoch_of(client)}".split(),
        f"NOTIFY.MARK {KEY} READ {sent} AT {at}".split(),
        f"NOTIFY.TRIM {KEY} MINID {after}".split(),
    ]


def test_dump_and_restore_copy_rename_and_move(shared_redis):
    client = shared_redis.client()
    raw = shared_redis.client(decode_responses=False)
    fill(client)
    before = digest(client, *KEYS)
    for key in KEYS:
        dump = raw.dump(key)
        raw.restore(key + ":restored", 0, dump)
        assert client.execute_command("COPY", key, key + ":copy") == 1
        copies = digest(client, key + ":restored", key + ":copy")
        assert copies == digest(client, key) * 2
        verify(client, key + ":restored")
        verify(client, key + ":copy")
    call(client, "NOTIFY.READALL", KEY + ":copy")
    assert digest(client, *KEYS) == before, "a copy is a value of its own"
    client.rename(KEY, "renamed")
    assert digest(client, "renamed")[0] == before[0]
    verify(client, "renamed")
    assert shared_redis.client().move("renamed", 1) == 1  # some releases of Valkey take who says it along
    assert totals(client) == (totals_of(client), totals(client)[1])


def totals_of(client):
    return client.dbsize() + shared_db(client, 1)


def shared_db(client, number):
    return client.info("keyspace").get(f"db{number}", {}).get("keys", 0)


def test_totals_follow_every_way_a_box_can_go(redis_server):
    client = redis_server.client()
    fill(client)
    boxes, entries = totals(client)
    assert (boxes, entries) == (3, sum(call(client, "NOTIFY.LEN", key) for key in KEYS))
    client.delete(KEY)
    assert totals(client) == (2, entries - 10)
    client.set(EMPTY, "x")
    assert totals(client)[0] == 1
    client.unlink(BIG)
    client.flushall()
    assert totals(client) == (0, 0)


def test_memory_usage_counts_the_entries(shared_redis):
    client = shared_redis.client()
    call(client, "NOTIFY.SEND", KEY, "t", "CONTENT", "x" * 50000)
    assert client.memory_usage(KEY) > 50000


def test_the_check_sum_of_the_tests_is_that_of_dump(shared_redis):
    client = shared_redis.client(decode_responses=False)
    call(client, "NOTIFY.SEND", KEY, "t")
    dump = client.dump(KEY)
    assert sealed(dump[:-8]) == dump


def test_a_corrupt_payload_is_refused_or_sound_but_never_a_crash(redis_server):
    client = redis_server.client()
    raw = redis_server.client(decode_responses=False)
    fill(client)
    rng = random.Random(7)

    def use():
        if client.type("broken") == "notifybox":
            verify(client, "broken")
            call(client, "NOTIFY.RANGE", "broken", "-", "+", "ALL")
            call(client, "NOTIFY.RANGE", "broken", "-", "+", "ALL", "JSON")
            call(client, "NOTIFY.READALL", "broken", "NOPUBLISH")
            verify(client, "broken")

    refused = sum(
        restore_broken(raw, raw.dump(key), rounds, rng, use)
        for key, rounds in ((KEY, 1500), (EMPTY, 300), (BIG, 60))
    )
    assert refused > 500
    assert client.ping()


def test_a_truncated_payload_is_refused(redis_server):
    client = redis_server.client()
    raw = redis_server.client(decode_responses=False)
    fill(client)
    check_cuts_refused(raw, raw.dump(KEY))
    assert client.info("notify")["notify_loads_refused"] > 0


def rewritten_commands(server):
    """The commands of the AOF that a rewrite makes, as lists of bytes."""
    server.rewrite_aof()
    commands = read_aof(server.aof_base())
    return [command for command in commands if command[0] == b"NOTIFY.RESTOREBOX"]


def test_restorebox_rebuilds_the_box_part_by_part(programs):
    server = programs.redis(appendonly="yes", aof_use_rdb_preamble="no")
    fill(server.client())
    commands = rewritten_commands(server)
    wanted = digest(server.client(), *KEYS)
    replica = programs.redis(name="replica")
    primary = Primary(replica)
    for command in commands:
        primary.send(command)
    assert digest(replica.client(), *KEYS) == wanted
    primary.close()
    # A part that was applied already is behind the last id: no file of ours has one twice.
    again = next(one for one in commands if one[1] == BIG.encode())
    ended = server_with_aof(programs, commands + [again]).start(wait_ready=False)
    assert ended.wait() == 1
    assert ended.has_line("the ids of the payload must be greater than the box's last id")


def test_blocks_that_are_broken_end_the_process_with_a_word(programs):
    """A server that will not start is better than one that has lost a box in silence."""
    server = programs.redis(appendonly="yes", aof_use_rdb_preamble="no")
    fill(server.client())
    rng = random.Random(11)
    commands = rewritten_commands(server)
    told = 0
    for _ in range(25):
        command = [bytearray(word) for word in rng.choice(commands)]
        block = command[rng.randrange(2, len(command))]
        for _ in range(rng.choice((1, 2, 5))):
            block[rng.randrange(len(block))] = rng.randrange(256)
        other = server_with_aof(programs, [command[:1] + [b"broken"] + command[2:]]).start(wait_ready=False)
        wait_until(lambda: other.has_line("eady to accept") or not other.running(), "the end of loading")
        if other.running():
            assert not other.client().exists("broken") or verify(other.client(), "broken")
        else:
            assert other.wait() == 1
            told += other.has_line("the blocks are no valid payload of a box")
        other.stop()
    assert told > 10


@pytest.mark.parametrize("blocks", [["x"], [""], [b"\0" * 100], ["x", "y"]])
def test_restorebox_refuses_what_is_no_payload(programs, blocks):
    server = server_with_aof(programs, [["NOTIFY.RESTOREBOX", KEY, *blocks]]).start(wait_ready=False)
    assert server.wait() == 1
    assert server.has_line("the blocks are no valid payload of a box")
