"""What nobody takes may be left out of what is replicated, and nothing else: traffic runs without a
pause while replicas, snapshots and AOFs begin. An effect that is left out although somebody takes it
shows as a digest that differs: what is replicated instead of it gets another ID and another time.

NOTIFY_HEARD_S lets the random episodes go on for so many seconds; NOTIFY_SEED repeats them as far as
threads allow."""

import os
import random
import shutil
import signal
import threading
import time

import pytest
import redis

from crowd import new_seed
from module_helpers import call, digest, verify
from resp import Resp, RespError
from servers import RedisServer, module_path, wait_until

BOXES = [f"inbox:{n}" for n in range(24)]
SETS = [f"sessions:{n}" for n in range(8)]
CONNECTIONS = 6  # of each session
LEASE = ("LEASE", 3600000)  # so that none ends meanwhile
PATIENCE_S = 60
GONE = "0" * 40  # the digest of a key that is not there

# Snapshots last so long for each key that much is sent meanwhile. It is too little for a box alone.
KEY_DELAY_US = 10000

LUA = """
local times = tonumber(ARGV[2])
for n = 1, times do
    redis.call('NOTIFY.SEND', KEYS[1], ARGV[1] .. n, 'EX', 3600)
end
redis.call('NOTIFY.EVENT', KEYS[1], 'progress', 'COLLAPSE', 'lua')
"""


class Traffic(threading.Thread):
    """Pipelines of everything that is sent, one after the other until finish(), through errors and
    lost connections. .port may be changed on the way; .gate is closed while it pauses."""

    def __init__(self, server, seed=1):
        super().__init__(daemon=True)
        self.port = server.port
        self.rng = random.Random(seed)
        self.kinds = (self.plain, self.options, self.many, self.transaction, self.script, self.sessions)
        self.batches = 0  # those that were answered
        self.errors = set()
        self.ending = threading.Event()
        self.gate = threading.Event()
        self.idle = threading.Event()
        self.gate.set()
        self.start()

    def run(self):
        while not self.ending.is_set():
            try:
                with Resp(self.port, timeout=PATIENCE_S) as resp:
                    self.port_now = self.port
                    while not self.ending.is_set() and self.port == self.port_now:
                        self.wait_gate()
                        self.batch(resp)
            except (OSError, EOFError):
                self.ending.wait(0.002)

    def wait_gate(self):
        if not self.gate.is_set():
            self.idle.set()
            self.gate.wait()
            self.idle.clear()

    def batch(self, resp):
        commands = []
        for _ in range(4):
            commands += self.rng.choice(self.kinds)()
        resp.sock.sendall(b"".join(encode(command) for command in commands))
        for _ in commands:
            reply = resp.read()
            if isinstance(reply, RespError):
                self.errors.add(str(reply).split(" ")[0])
        self.batches += 1

    def box(self):
        return self.rng.choice(BOXES)

    def plain(self):
        return [["NOTIFY.SEND", self.box(), "plain"] for _ in range(4)]

    def options(self):
        token = f"t{self.rng.randrange(50)}"
        return [
            ["NOTIFY.SEND", self.box(), "once", "IDEMPOTENT", token],
            ["NOTIFY.EVENT", self.box(), "progress", "COLLAPSE", token, "EX", 3600],
            ["NOTIFY.SEND", self.box(), "few", "MAXLEN", 300, "CONTENT", "x" * 100],
            ["NOTIFY.READALL", self.box(), "CATEGORY", "c"],
            ["NOTIFY.SEND", self.box(), "kind", "CATEGORY", "c", "PX", 3600000],
        ]

    def many(self):
        boxes = self.rng.sample(BOXES, 3)
        return [["NOTIFY.SENDMANY", 3, *boxes, "for all", "EX", 3600]]

    def transaction(self):
        return [["MULTI"], *self.plain(), *self.options(), *self.sessions(), ["EXEC"]]

    def script(self):
        return [["EVAL", LUA, 1, self.box(), "from Lua", 3]]

    def sessions(self):
        key, session, connection = self.rng.choice(SETS), self.session(), self.connection()
        pairs = [word for one in self.rng.sample(SETS, 4) for word in (one, self.connection())]
        return [
            ["NOTIFY.SESSION", "OPEN", key, session, f"{session}:{connection}", *LEASE, "NODE", "n"],
            ["NOTIFY.SESSION", "OPEN", key, "s", connection, *LEASE, "META", '{"a": 1}'],
            ["NOTIFY.SESSION", "RENEW", *LEASE, *pairs],
            ["NOTIFY.SESSION", "TOUCH", key, *LEASE, connection, self.connection()],
            ["NOTIFY.SESSION", *self.rng.choice((["CLOSE", key, connection], ["KICK", key, session], ["DROPNODE", key, "n"]))],
        ]

    def session(self):
        return f"s{self.rng.randrange(3)}"

    def connection(self):
        return f"c{self.rng.randrange(CONNECTIONS)}"

    def wait_more(self, batches=20):
        target = self.batches + batches
        wait_until(lambda: self.batches >= target, "the traffic's going on", timeout=PATIENCE_S)

    def pause(self):
        """Returns when all that was sent is answered."""
        self.gate.clear()
        assert self.idle.wait(PATIENCE_S)

    def resume(self):
        self.gate.set()

    def move(self, server):
        self.port = server.port
        self.resume()
        self.wait_more(1)

    def finish(self):
        self.ending.set()
        self.gate.set()
        self.join(PATIENCE_S)
        assert not self.is_alive()


def encode(command):
    parts = [str(word).encode() for word in command]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


@pytest.fixture
def traffic():
    """traffic(server): Traffic that ends with the test."""
    running = []

    def start(server, **options):
        running.append(Traffic(server, **options))
        running[-1].wait_more()
        return running[-1]

    yield start
    for one in running:
        one.ending.set()
        one.gate.set()
        one.join(PATIENCE_S)


def state(server):
    """{box or set: digest}, of sound boxes."""
    client = server.client()
    for name in BOXES:
        if client.exists(name):
            verify(client, name)
    keys = BOXES + SETS
    return {name: value for name, value in zip(keys, digest(client, *keys)) if value != GONE}


def check_equal(primary, *replicas):
    """Primaries before their replicas. The traffic has ended."""
    for replica in replicas:
        replica.wait_synced()
    wanted = state(primary)
    assert wanted
    for replica in replicas:
        assert state(replica) == wanted, replica.name


def stat(server, name):
    return server.client().info("stats")[name]


def set_if_known(client, name, value):
    """Whether this server has the setting. It may be one that is listed by its full name only."""
    if name not in client.config_get(name):
        return False
    client.config_set(name, value)
    return True


# So much is sent that the usual backlog ends before a replica is back.
BACKLOG = {"repl_backlog_size": "256mb"}

# How a full synchronisation goes: the settings of both sides.
WAYS = {
    "disk": {"repl_diskless_sync": "no"},
    "diskless": {"repl_diskless_sync": "yes", "repl_diskless_sync_delay": "0"},
    "late": {"repl_diskless_sync": "yes", "repl_diskless_sync_delay": "1"},
    "channel": {"repl_diskless_sync": "yes", "repl_diskless_sync_delay": "0"},
}
CHANNELS = ("dual-channel-replication-enabled", "repl-rdb-channel")  # Valkey 8, Redis 8


def has_channel(server):
    client = server.client()
    return any([set_if_known(client, name, "yes") for name in CHANNELS])


def begin_replica(programs, primary, way, **options):
    """A replica that synchronises meanwhile."""
    server = programs.redis(**WAYS[way], **BACKLOG, **options)
    if way == "channel":
        has_channel(server)
    server.client().execute_command("REPLICAOF", "127.0.0.1", primary.port)
    return server


def ask_snapshot(resp):
    """As a replica does that can take it without a file, for which the delay counts."""
    resp.call("REPLCONF", "capa", "eof")
    resp.send("PSYNC", "?", "-1")


def wait_attached(primary, count):
    wait_until(lambda: primary.replication().get("connected_slaves", 0) >= count, f"{count} replicas being there")


def wait_link(replica):
    wait_until(lambda: replica.replication().get("master_link_status") == "up", "the link", timeout=PATIENCE_S)


def drop_links(*servers):
    """The replicas of these come back by themselves, and go on where they stopped."""
    for server in servers:
        before = stat(server, "sync_partial_ok")
        assert server.client().execute_command("CLIENT", "KILL", "TYPE", "replica") > 0
        wait_until(lambda: stat(server, "sync_partial_ok") > before, "a replica's return", timeout=PATIENCE_S)


# -- replicas


@pytest.mark.parametrize("way", WAYS)
def test_replicas_that_attach_under_traffic_miss_nothing(programs, traffic, listen, way):
    primary = programs.redis(name="primary", rdb_key_save_delay=KEY_DELAY_US, **WAYS[way], **BACKLOG)
    if way == "channel" and not has_channel(primary):
        pytest.skip("this server sends snapshot and stream over one connection")
    writer = traffic(primary)
    primary.client().bgsave()  # a snapshot of its own, which no replica can take
    first = begin_replica(programs, primary, way, name="first")
    wait_attached(primary, 1)
    second = begin_replica(programs, primary, way, name="second")
    wait_link(first)
    wait_link(second)
    drop_links(primary)
    last = begin_replica(programs, second, way, name="last")
    wait_link(last)
    drop_links(primary, second)
    writer.wait_more()
    writer.finish()
    assert not writer.errors
    check_equal(primary, first, second, last)
    listener = listen(last, BOXES[0], via=primary)
    call(primary.client(), "NOTIFY.SEND", BOXES[0], "heard by who listens at a replica")
    assert len(listener.messages()) == 1


def test_a_promoted_replica_leaves_nothing_out_for_those_who_go_on_with_it(programs, traffic):
    """It had been a lonely primary before, and never had a replica of its own: nothing but its role and
    its backlog tells that others can go on from where it began."""
    primary, middle, sibling = (programs.redis(name=name, **BACKLOG) for name in ("primary", "middle", "sibling"))
    early = traffic(middle)
    early.finish()
    writer = traffic(primary)
    for replica in (middle, sibling):
        replica.client().execute_command("REPLICAOF", "127.0.0.1", primary.port)
        wait_link(replica)
    writer.wait_more()
    writer.pause()
    middle.wait_synced()
    sibling.wait_synced()
    primary.kill9()
    middle.client().execute_command("REPLICAOF", "NO", "ONE")
    writer.move(middle)
    writer.wait_more()
    sibling.client().execute_command("REPLICAOF", "127.0.0.1", middle.port)
    wait_link(sibling)
    assert (stat(middle, "sync_partial_ok"), stat(middle, "sync_full")) == (1, 0)
    primary.start()
    primary.client().execute_command("REPLICAOF", "127.0.0.1", middle.port)
    wait_link(primary)
    writer.wait_more()
    writer.finish()
    check_equal(middle, sibling, primary)


def test_a_restarted_primary_is_heard_from_its_first_command_on(programs, traffic):
    """Its replicas come back later, and take what they have missed from its backlog."""
    primary = programs.redis(name="primary", save="3600 1", **BACKLOG)
    writer = traffic(primary)
    replica = programs.replica(primary)
    writer.wait_more()
    writer.pause()
    replica.wait_synced()
    replica.proc.send_signal(signal.SIGSTOP)
    try:
        primary.client().shutdown(save=True, now=True)
        assert primary.wait() == 0
        primary.start()
        writer.resume()
        writer.wait_more()
    finally:
        replica.proc.send_signal(signal.SIGCONT)
    wait_until(lambda: stat(primary, "sync_partial_ok") == 1, "going on", timeout=PATIENCE_S)
    assert stat(primary, "sync_full") == 0
    fresh = programs.replica(primary, name="fresh")
    writer.finish()
    check_equal(primary, replica, fresh)


class LateModule(RedisServer):
    """Gets the module when it runs."""

    def _argv(self):
        argv = super()._argv()
        assert argv[-2:] == ["--loadmodule", module_path()]
        return [*argv[:-2], "--enable-module-command", "yes"]

    def load_module(self):
        self.client().execute_command("MODULE", "LOAD", module_path())


def test_a_module_that_is_loaded_later_knows_of_the_replicas_that_are_there(programs, traffic):
    primary = programs.add(LateModule(name="primary")).start()
    replica = programs.replica(primary)
    primary.load_module()
    writer = traffic(primary)
    writer.wait_more()
    writer.finish()
    assert not writer.errors
    check_equal(primary, replica)


def test_a_copy_of_a_file_from_before_the_first_synchronisation_can_go_on(programs, traffic):
    """A replica waits for its snapshot, so there is a backlog already; the file that is saved meanwhile,
    without a fork, names a place in it, and whoever starts with that file goes on from there."""
    primary = programs.redis(name="primary", repl_diskless_sync="yes", repl_diskless_sync_delay=3600, **BACKLOG)
    writer = traffic(primary)
    with Resp(primary.port) as waiting:
        ask_snapshot(waiting)
        wait_attached(primary, 1)
        writer.wait_more()
        assert primary.client().save()
        copy = RedisServer(name="copy", replica_of=primary)
        shutil.copy(os.path.join(primary.dir, "dump.rdb"), copy.dir)
        writer.wait_more()
        programs.add(copy).start()
        wait_link(copy)
        assert (stat(primary, "sync_partial_ok"), stat(primary, "sync_partial_err")) == (1, 0)
        writer.finish()
        check_equal(primary, copy)


# -- AOF


def switch_aof_in_transaction(server):
    """On between two SENDs that are one transaction."""
    with Resp(server.port) as resp:
        resp.call("MULTI")
        resp.call("NOTIFY.SEND", BOXES[0], "before", "EX", 3600)
        resp.call("CONFIG", "SET", "appendonly", "yes")
        resp.call("NOTIFY.SEND", BOXES[0], "after", "EX", 3600)
        resp.call("EXEC")


def wait_aof(server):
    """Until its AOF is complete."""

    def is_complete():
        info = server.client().info("persistence")
        return info["aof_enabled"] and not (info["aof_rewrite_in_progress"] or info["aof_rewrite_scheduled"])

    wait_until(is_complete, "the AOF's being complete", timeout=PATIENCE_S)


def check_after_crash(server, writer):
    """What the AOF says is what was there."""
    wait_aof(server)
    writer.wait_more()
    writer.pause()
    before = state(server)
    server.kill9()
    server.options["appendonly"] = "yes"
    server.start()
    assert state(server) == before


def test_an_aof_that_begins_under_traffic_misses_nothing(programs, traffic):
    server = programs.redis(rdb_key_save_delay=KEY_DELAY_US)
    writer = traffic(server)
    client = server.client()
    client.bgsave()
    client.config_set("appendonly", "yes")  # has to wait for the end of the snapshot
    check_after_crash(server, writer)
    writer.resume()
    client.config_set("appendonly", "no")
    writer.wait_more()
    switch_aof_in_transaction(server)
    wait_aof(server)
    client.bgrewriteaof()
    check_after_crash(server, writer)


def test_an_aof_that_begins_while_the_first_replica_waits_misses_nothing(programs, traffic):
    """The transaction replicates when it ends, to the backlog and to whatever has begun meanwhile: some
    servers then take the file that is being rewritten for an AOF that has been there before."""
    server = programs.redis(
        repl_diskless_sync="yes", repl_diskless_sync_delay=3600, rdb_key_save_delay=KEY_DELAY_US
    )
    writer = traffic(server)
    client = server.client()
    client.config_set("appendonly", "yes")
    client.config_set("appendonly", "no")  # before it is complete
    client.bgrewriteaof()
    with Resp(server.port) as waiting:
        ask_snapshot(waiting)
        wait_attached(server, 1)
        switch_aof_in_transaction(server)
        check_after_crash(server, writer)


# -- save points


COUNTED = {
    "XADD": (5, [["XADD", "stream", "*", "f", "v"]] * 5),
    "SEND": (5, [["NOTIFY.SEND", BOXES[0], "t"]] * 5),
    "EVENT": (5, [["NOTIFY.EVENT", BOXES[0], "e"]] * 5),
    "SENDMANY": (6, [["NOTIFY.SENDMANY", 3, *BOXES[:3], "t"]] * 2),
    "IDEMPOTENT": (1, [["NOTIFY.SEND", BOXES[0], "t", "IDEMPOTENT", "a"]] * 5),
    "NOSTORE": (0, [["NOTIFY.EVENT", BOXES[0], "e", "NOSTORE"]] * 5),
    "MULTI": (2, [["MULTI"], *[["NOTIFY.SEND", BOXES[0], "t"]] * 2, ["EXEC"]]),
    "EVAL": (4, [["EVAL", LUA, 1, BOXES[0], "t", 3]]),
    "OPEN": (2, [["NOTIFY.SESSION", "OPEN", key, "s", "c", *LEASE] for key in SETS[:2]]),
    "RENEW": (2, [["NOTIFY.SESSION", "RENEW", "LEASE", 7200000, SETS[0], "c", SETS[1], "c", SETS[2], "c"]]),
    "CLOSE": (1, [["NOTIFY.SESSION", "CLOSE", key, "c"] for key in (SETS[0], SETS[2])]),
}


@pytest.mark.parametrize("appendonly", ["no", "yes"])
def test_each_send_and_each_set_of_sessions_counts_for_the_save_points_as_a_change(programs, appendonly):
    server = programs.redis(appendonly=appendonly)

    def changes():
        return server.client().info("persistence")["rdb_changes_since_last_save"]

    with Resp(server.port) as resp:
        for name, (expected, commands) in COUNTED.items():
            before = changes()
            for command in commands:
                resp.call(*command)
            assert changes() - before == expected, name


# -- at random


class Episode:
    """A primary that nobody hears at first, and what comes to it; the traffic goes on all the time."""

    def __init__(self, programs, rng):
        self.programs, self.rng = programs, rng
        self.way = rng.choice(list(WAYS))
        self.primary = programs.redis(
            name="primary",
            rdb_key_save_delay=rng.choice((0, 2000, KEY_DELAY_US)),
            appendonly=rng.choice(("no", "no", "yes")),
            save=rng.choice(("", "3600 1")),
            **WAYS[self.way],
            **BACKLOG,
        )
        has_channel(self.primary)
        self.servers = [self.primary]  # the primary first; any other may have replicas too
        self.waiting = []
        self.writer = Traffic(self.primary, seed=rng.random())

    def steps(self, count):
        plan = [self.begin, self.begin_chained, self.drop, self.bgsave, self.save, self.aof_on, self.aof_off,
                self.aof_in_transaction, self.rewrite, self.wait_for_snapshot, self.leave, self.promote,
                self.restart, self.pass_on]  # fmt: skip
        for _ in range(count):
            step = self.rng.choice(plan)
            print("step", step.__name__)
            try:
                step()
            except (redis.ResponseError, RespError) as refusal:  # "in progress", "is loading"
                print("    ", refusal)

    def pass_on(self):
        self.writer.wait_more(self.rng.randrange(1, 10))

    def begin(self, source=None):
        if len(self.servers) < 5:
            name = f"replica{len(self.programs.programs)}"
            way = self.rng.choice(list(WAYS))
            self.servers.append(begin_replica(self.programs, source or self.primary, way, name=name))

    def begin_chained(self):
        if len(self.servers) > 1:
            self.begin(self.rng.choice(self.servers[1:]))

    def drop(self):
        self.rng.choice(self.servers).client().execute_command("CLIENT", "KILL", "TYPE", "replica")

    def bgsave(self):
        self.primary.client().bgsave()

    def save(self):
        self.primary.client().save()

    def aof_on(self):
        self.rng.choice(self.servers).client().config_set("appendonly", "yes")

    def aof_off(self):
        self.rng.choice(self.servers).client().config_set("appendonly", "no")

    def aof_in_transaction(self):
        switch_aof_in_transaction(self.primary)

    def rewrite(self):
        self.rng.choice(self.servers).client().bgrewriteaof()

    def wait_for_snapshot(self):
        self.waiting.append(Resp(self.primary.port))
        ask_snapshot(self.waiting[-1])

    def leave(self):
        while self.waiting:
            self.waiting.pop().close()

    def promote(self):
        """One of the replicas takes over, in the middle of whatever it does, as long as it has data."""
        ready = [one for one in self.servers[1:] if one.replication().get("master_link_status") == "up"]
        if not ready:
            return
        self.leave()
        self.primary = self.rng.choice(ready)
        self.primary.client().execute_command("REPLICAOF", "NO", "ONE")
        self.writer.move(self.primary)
        self.servers.remove(self.primary)
        self.servers.insert(0, self.primary)
        for other in self.servers[1:]:
            other.client().execute_command("REPLICAOF", "127.0.0.1", self.primary.port)

    def restart(self):
        server = self.primary
        server.options["appendonly"] = server.client().config_get("appendonly")["appendonly"]
        if server.options["appendonly"] == "yes":
            wait_aof(server)
            server.kill9()
        else:
            server.client().shutdown(save=True)
            assert server.wait() == 0
        server.start()

    def check(self):
        self.leave()
        for server in self.servers[1:]:
            wait_link(server)
        self.writer.wait_more()
        self.writer.pause()
        check_equal(*self.servers)
        for server in self.servers:
            if server.client().config_get("appendonly")["appendonly"] == "yes":
                wait_aof(server)
                before = state(server)
                server.kill9()
                server.options.pop("replicaof", None)
                server.options["appendonly"] = "yes"
                server.start()
                assert state(server) == before, f"{server.name}'s AOF"

    def end(self):
        self.leave()
        self.writer.finish()


def test_whatever_begins_at_random_moments_misses_nothing(programs):
    rng = random.Random(new_seed())
    deadline = time.monotonic() + float(os.environ.get("NOTIFY_HEARD_S", "0"))
    while True:
        episode = Episode(programs, rng)
        try:
            episode.steps(10)
            episode.check()
        finally:
            episode.end()
        programs.close()
        if time.monotonic() >= deadline:
            return
