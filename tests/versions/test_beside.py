"""An older module beside today's: replicas of each other, each other's files, an upgrade and a rollback while
somebody writes. What a value is, is compared by what the older module says of it: today's may say more."""

import threading

import pytest
import redis

import corpus
from module_helpers import all_entries, call, verify
from servers import wait_until

OLD, NEW = True, False
PAST_EPOCHS_MAX = 3
TROUBLE = r"CRITICAL|refused a notify|cannot carry out|BUG REPORT"


def check_facts(wanted, found):
    assert len(wanted) > len(corpus.BOXES)
    assert corpus.missing(wanted, found) == [] or corpus.missing(found, wanted) == []


def put_back(facts):
    """As they are when each box has been put back: its epoch has ended then. Older versions know nothing of that."""
    for about in [found.get("info", {}) for found in facts.values()]:
        if about.get("epoch"):
            past = [one for one in about["past_epochs"] if one[1] != about["epoch"]]
            about["past_epochs"] = [*past, "the present one"][-PAST_EPOCHS_MAX:]
    return facts


def check_equal(one, other, facts_of=corpus.facts):
    """Two servers hold the same values."""
    check_facts(facts_of(one.client()), facts_of(other.client()))
    for key in corpus.BOXES:
        verify(other.client(), key)
    for server in (one, other):
        assert not server.has_line(TROUBLE), server.tail()


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_replica_of_another_version_ends_equal(programs, pair, when):
    primary = programs.redis(name="primary", **pair[0])
    corpus.fill_as_primary(primary)
    if when == "after":
        corpus.fill(primary.client())
    replica = programs.replica(primary, appendonly="yes", aof_use_rdb_preamble="no", **pair[1])
    if when == "before":
        corpus.fill(primary.client())
    replica.wait_synced()
    check_equal(primary, replica)
    replica.client().execute_command("DEBUG", "RELOAD")
    check_equal(primary, replica)
    replica.client().execute_command("DEBUG", "LOADAOF")
    check_equal(primary, replica)


@pytest.mark.parametrize("kind", ["rdb", "effects", "rewritten", "preamble"])
def test_each_loads_the_files_of_the_other(programs, modules, pair, kind):
    options = {"save": "3600 1"} if kind == "rdb" else {
        "appendonly": "yes", "aof_use_rdb_preamble": "yes" if kind == "preamble" else "no"}  # fmt: skip
    server = programs.redis(**pair[0], **options)
    corpus.fill_as_primary(server)
    corpus.fill(server.client())
    wanted = corpus.facts(server.client())
    if kind in ("rewritten", "preamble"):
        server.wait_aof()
        server.rewrite_aof()
    server.terminate()
    modules.give(server, is_older=pair[1] == modules.older())
    server.start()
    check_facts(wanted, corpus.facts(server.client()))
    assert not server.has_line(TROUBLE)


def test_each_restores_the_payloads_of_the_other(programs, pair):
    source, target = programs.redis(name="source", **pair[0]), programs.redis(name="target", **pair[1])
    corpus.fill_as_primary(source)
    corpus.fill(source.client())
    raw = target.client(decode_responses=False)
    for key in corpus.KEYS:
        ends_at = max(0, source.client().execute_command("PEXPIRETIME", key))
        raw.restore(key, ends_at, source.client(decode_responses=False).dump(key), absttl=True)
    check_equal(source, target, lambda client: put_back(corpus.facts(client)))


class Writer:
    """Sends to one box and keeps what was acknowledged, whoever is the primary."""

    def __init__(self, servers):
        self.servers = servers
        self.kept = []
        self.n = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._stop.is_set():
            for server in self.servers:
                self._send(server)

    def _send(self, server):
        try:
            client = server.client(socket_timeout=5)
            for _ in range(20):
                self.n += 1
                title = f"note {self.n}"
                id_ = call(client, "NOTIFY.SEND", "traffic", title, "CATEGORY", f"c{self.n % 7}", "MAXLEN", 1000000)
                if client.wait(1, 1000) >= 1:
                    self.kept.append((id_, title))
        except (redis.RedisError, OSError):
            pass

    def stop(self):
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive()


def fail_over(servers):
    """The replica becomes the primary. Waits for it."""
    primary, replica = servers
    replica.wait_synced()
    primary.client().execute_command("FAILOVER", "TIMEOUT", 10000)
    wait_until(lambda: role(replica) == "master" and role(primary) == "slave", "the failover")
    wait_until(lambda: link(primary) == "up", "the link to the new primary")
    for server, of in ((primary, replica), (replica, None)):
        server.options.pop("replicaof", None)
        if of is not None:
            server.options["replicaof"] = f"127.0.0.1 {of.port}"


def role(server):
    return server.replication().get("role")


def link(server):
    return server.replication().get("master_link_status")


def exchange(modules, server, is_older):
    """Restarts a replica with the other module."""
    server.wait_aof()
    server.terminate()
    modules.give(server, is_older)
    server.start()
    wait_until(lambda: link(server) == "up", "the link to the primary")
    server.wait_synced()


def check_traffic(writer, servers):
    assert len(writer.kept) > 20
    for server in servers:
        found = {id_: dict(zip(fields[::2], fields[1::2]))["title"]
                 for id_, fields in all_entries(server.client().execute_command, "traffic")}  # fmt: skip
        assert [one for one in writer.kept if found.get(one[0]) != one[1]] == []
        verify(server.client(), "traffic")
        assert not server.has_line(TROUBLE), server.tail()


def test_an_upgrade_and_a_rollback_lose_nothing(programs, modules):
    """The order of docs/upgrading.md, both ways, while somebody writes."""
    options = {"appendonly": "yes", "save": "3600 1", "min_replicas_to_write": 0}
    one = programs.redis(name="one", **modules.older(), **options)
    corpus.fill_as_primary(one)
    corpus.fill(one.client())
    wanted = corpus.facts(one.client())
    two = programs.replica(one, name="two", **modules.older(), **options)
    writer = Writer([one, two])
    try:
        exchange(modules, two, NEW)  # replicas first
        fail_over([one, two])
        exchange(modules, one, NEW)  # the old primary last
        for server in (one, two):  # all have it: raise the level, replicas first
            server.client().config_set("notify.write-version", newest(server))
            server.module_args = []
        wait_until(lambda: writer_goes_on(writer), "writes at the new level")
        assert corpus.missing(wanted, corpus.facts(one.client())) == []
        for server in (one, two):  # and back
            server.client().config_set("notify.write-version", modules.level)
            server.wait_aof()
            server.rewrite_aof()
            server.client().save()
        exchange(modules, one, OLD)
        fail_over([two, one])
        exchange(modules, two, OLD)
        wait_until(lambda: writer_goes_on(writer), "writes after the rollback")
    finally:
        writer.stop()
    two.wait_synced()
    check_traffic(writer, [one, two])
    assert corpus.missing(wanted, corpus.facts(one.client())) == []
    assert corpus.missing(wanted, corpus.facts(two.client())) == []


def newest(server):
    """The highest level that the module can write."""
    level = 1
    while True:
        try:
            server.client().config_set("notify.write-version", level + 1)
        except redis.ResponseError:
            return level
        level += 1


def writer_goes_on(writer):
    if not hasattr(writer, "seen"):
        writer.seen = len(writer.kept)
    if len(writer.kept) < writer.seen + 50:
        return False
    del writer.seen
    return True


def test_a_newer_module_that_forgets_the_setting_is_noticed(programs, modules):
    """What the setting is for: without it an older replica cannot follow."""
    primary = programs.redis(name="primary")
    if newest(primary) == modules.level:
        pytest.skip("both write the same level")
    replica = programs.redis(name="replica", replica_of=primary, **modules.older())
    wait_until(lambda: link(replica) == "up", "the link")
    call(primary.client(), "NOTIFY.SEND", "k", "t")
    wait_until(lambda: not replica.running() or replica.has_line("CRITICAL|cannot carry out"), "a word of trouble")
