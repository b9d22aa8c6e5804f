"""Categories: each box has its own, so that nothing that happens to others (on this server or before) can
refuse one. What a primary, a file or another node brings is taken whatever a box or a server holds already."""

import itertools

import pytest

from module_helpers import badge, call, digest, error_of, verify
from servers import REPLICA_SYNCED, wait_until

MANY = 32767  # more different names at a time were once too many for a process
LIMIT = 4096  # in one box, for clients


def run(client, commands):
    """All of them; each must succeed."""
    commands = iter(commands)
    while batch := list(itertools.islice(commands, 5000)):
        with client.pipeline(transaction=False) as pipe:
            for command in batch:
                pipe.execute_command(*command)
            pipe.execute()


def sends(count, boxes, prefix="c", content=""):
    """One entry for each of so many categories, spread over boxes."""
    return (["NOTIFY.SEND", f"inbox:{prefix}{n % boxes}", "t", "CATEGORY", f"{prefix}{n}", "ID", n + 1,
             "MAXLEN", 100000, "CONTENT", content] for n in range(count))  # fmt: skip


def test_a_replica_that_holds_other_names_than_its_restarted_primary_follows(programs):
    primary = programs.redis(name="primary", save=["3600 1"])
    replica = programs.replica(primary)
    client = primary.client()
    run(client, sends(MANY, 8))
    run(client, (["NOTIFY.DEL", f"inbox:c{n % 8}", n + 1] for n in range(MANY)))
    replica.wait_synced()
    primary.terminate()
    client = primary.start().client()
    assert call(client, "NOTIFY.SEND", "fresh", "t", "CATEGORY", "brand-new")
    replica.wait_synced()  # by a partial resynchronization, unless the machine was too slow for it
    assert call(replica.client(), "NOTIFY.LEN", "fresh") == 1
    assert digest(replica.client(), "fresh", "inbox:c1") == digest(client, "fresh", "inbox:c1")


def test_what_was_acknowledged_while_names_were_freed_is_there_after_a_restart(programs):
    server = programs.redis(appendonly="yes", appendfsync="always", aof_use_rdb_preamble="no")
    client = server.client()
    run(client, sends(MANY, 8, content="x" * 300))
    # What is freed in the background comes in this order: when the file is loaded, the box is not yet gone.
    run(client, (["SADD", "big", *(f"member {k}" for k in range(n, n + 1000))] for n in range(0, 300000, 1000)))
    client.execute_command("UNLINK", "big", "inbox:c0")
    wait_until(lambda: client.info("memory")["lazyfree_pending_objects"] == 0, "their being freed", timeout=60)
    assert call(client, "NOTIFY.SEND", "fresh", "t", "CATEGORY", "brand-new")
    server.kill9()
    client = server.start().client()
    assert call(client, "NOTIFY.LEN", "fresh") == 1
    assert badge(client, "fresh")["by_category"] == {"brand-new": 1}


@pytest.mark.parametrize("way", ["disabled", "swapdb"])
def test_a_server_full_of_names_becomes_a_replica_of_another(programs, way):
    primary = programs.redis(name="primary", repl_diskless_sync="yes")
    other = programs.redis(name="other", repl_diskless_load=way)
    run(primary.client(), sends(20000, 8, "here"))
    run(other.client(), sends(20000, 8, "there"))
    other.client().replicaof("127.0.0.1", primary.port)
    other.wait_line(REPLICA_SYNCED)
    other.wait_synced()
    keys = [f"inbox:here{n}" for n in range(8)]
    assert digest(other.client(), *keys) == digest(primary.client(), *keys)
    assert call(other.client(), "NOTIFY.INFO", keys[0]) == call(primary.client(), "NOTIFY.INFO", keys[0])


def test_a_server_full_of_names_takes_keys_from_another(programs):
    source, target = programs.redis(name="source"), programs.redis(name="target")
    run(source.client(), sends(1000, 1, "new"))
    run(target.client(), sends(MANY, 8))
    wanted = digest(source.client(), "inbox:new0")
    dump = source.client(decode_responses=False).dump("inbox:new0")
    source.client().migrate("127.0.0.1", target.port, "inbox:new0", 0, 10000)
    target.client(decode_responses=False).restore("again", 0, dump)
    assert digest(target.client(), "inbox:new0", "again") == wanted * 2


def test_one_box_takes_no_names_from_others(shared_redis):
    client = shared_redis.client()
    mutes = (["NOTIFY.MUTE", "greedy", *(f"g{n}" for n in range(first, first + 64))] for first in range(0, LIMIT, 64))
    run(client, mutes)
    assert error_of(client, "NOTIFY.MUTE", "greedy", "one more").startswith(
        f"category must be one of the {LIMIT} that this box has"
    )
    assert error_of(client, "NOTIFY.SEND", "greedy", "t", "CATEGORY", "one more").startswith(
        f"CATEGORY must be one of the {LIMIT} that this box has"
    )
    for n in range(10):
        assert call(client, "NOTIFY.SEND", f"other:{n}", "t", "CATEGORY", f"never heard of {n}")
    verify(client, "greedy")


def test_a_name_that_a_box_no_longer_uses_makes_room_for_another(shared_redis):
    client = shared_redis.client()
    run(client, sends(LIMIT, 1))
    assert "no more fit" in error_of(client, "NOTIFY.MUTE", "inbox:c0", "one more")
    call(client, "NOTIFY.DEL", "inbox:c0", 1, 2)
    assert call(client, "NOTIFY.MUTE", "inbox:c0", "a much longer name than the others have", "b") == 2
    counts = badge(client, "inbox:c0")["by_category"]
    assert counts == {f"c{n}": 1 for n in range(2, LIMIT)}
    verify(client, "inbox:c0")


def test_all_names_of_a_large_box_count_for_whoever_follows_it(shared_redis):
    client = shared_redis.client()
    run(client, sends(3000, 1, "log"))
    call(client, "NOTIFY.FOLLOW", "me", "inbox:log0", "FROM", 0)
    run(client, (["NOTIFY.MUTE", "me", *(f"log{n}" for n in range(first, first + 50))] for first in range(0, 2000, 50)))
    assert call(client, "NOTIFY.UNREAD", "me", "LOGS", 1, "inbox:log0") == 1000
    assert call(client, "NOTIFY.UNREAD", "me", "CATEGORY", "log2500", "log7", "none", "LOGS", 1, "inbox:log0") == 1
    assert call(client, "NOTIFY.COUNT", "inbox:log0", "-", "+", "CATEGORY", "log2500", "log7") == 2


def test_memory_of_names_ends_with_the_box(redis_server):
    client = redis_server.client()

    def used():
        return client.info("memory")["used_memory"]

    run(client, sends(10, 1))
    before = used()
    for round_ in range(3):
        run(client, sends(LIMIT * 4, 4, f"round {round_} "))
        client.flushall()
    run(client, sends(10, 1))
    wait_until(lambda: used() < before + 200000, "memory's coming back")
