"""A hostile world for the module, and what must hold in it whatever happens.

A director (director.py) says anything to a primary with replicas, or to a cluster, and between its words does deeds:
kills, restarts, failovers, resyncs, slots that move, settings and memory that become tight. Beside it writers send and
keep what was acknowledged. Whenever things settle:

- all replicas hold what their primary holds, and each server the same when it loads its data again;
- every box agrees with its recount;
- nothing is lost that was acknowledged and written to disk by a server that comes back, or that was acknowledged by the
  replica that takes over; nothing is there twice;
- no server has complained, and no command took the server longer than LIMIT_MS;
- what was refused has changed nothing."""

import os
import time

import redis

from cluster import Cluster, slot_of, tag_in
from director import LIMIT_MS, PATIENCE_S, PrimaryClient, SlotClient
from module_helpers import digest, info, verify
from older import OLDER_SO
from servers import host_path, wait_until

GONE = "0" * 40
# A replica that loads its data by DEBUG refuses even its primary's pings.
TROUBLE = r"CRITICAL(?!.*'-LOADING.*'(?i:ping)')|refused a notify|cannot carry out|BUG REPORT"
NARROW = "notify_narrow.so"
SERVER = {"appendonly": "yes", "appendfsync": "always", "auto_aof_rewrite_percentage": "0",
          "slowlog_log_slower_than": LIMIT_MS * 1000}  # fmt: skip

# How wrong a clock is.
OFFSETS_S = [-3600, 3600]
# Often the smallest that a setting can be. (A window of tokens that two clocks do not both see would let the writers
# repeat themselves.)
SETTINGS = {
    "notify.max-entries": [1, 7, 1000, 100_000],
    "notify.max-entry-bytes": [1024, 65_536, 1_048_576],
    "notify.idempotency-max": [1, 5, 1000],
    "notify.idempotency-window-ms": [3 * max(OFFSETS_S) * 1000, 86_400_000],
    "notify.session-max-connections": [1, 10, 1024],
    "notify.max-reply-bytes": [65_536, 4_194_304],
}
TIGHT = {name: values[0] for name, values in SETTINGS.items()}


class World:
    """Servers of which some lead. `tag`: that of all keys, in a cluster."""

    databases = (0,)
    tag = ""

    def __init__(self, rng):
        self.rng = rng
        self.nodes = []
        self.looked_at = {}  # node -> how much of its output
        self.ledger_rests = False  # nobody writes to the keys of the writers

    def key(self, name, number):
        return f"{name}:{{{self.tag}}}{number}" if self.tag else f"{name}:{number}"

    def keys(self):
        """(boxes, logs, session sets) for the director."""
        return tuple([self.key(name, n) for n in range(count)] for name, count in (("inbox", 6), ("topic", 3), ("sessions", 2)))

    def leaders(self):
        """[(leader, [those that hold the same])]"""
        raise NotImplementedError

    def agree_on_time(self):
        """Whether keys expire on all servers at once."""
        return not any(node.clock_offset_s for node in self.nodes)

    def is_ordinary(self, _node):
        """Whether it has the module under test, with all its room."""
        return True

    def wait_linked(self):
        for _, followers in self.leaders():
            for node in followers:
                wait_until(lambda: is_linked(node), f"{node.name}'s link", PATIENCE_S)

    # -- what must hold

    def reader(self, node, database):
        client = node.client(db=database)
        if self.tag:
            client.execute_command("READONLY")  # a replica of a cluster answers then
        return client

    def state(self, node):
        """{(database, key): (digest, when it expires, whether it is still there in a minute)}"""
        found = {}
        lasting_ms = (time.time() + 60) * 1000 if self.agree_on_time() else float("inf")
        for database in self.databases:
            client = self.reader(node, database)
            keys = [key for key in client.keys("*") if self.ledger_rests or not key.startswith("ledger")]
            with client.pipeline(transaction=False) as pipe:
                for key in keys:
                    pipe.execute_command("PEXPIRETIME", key)
                ends = pipe.execute()
            for key, end, value in zip(keys, ends, digest(client, *keys) if keys else []):
                if value != GONE:
                    found[database, key] = value, end, end == -1 or end > lasting_ms
        return found

    def check_same(self, one, other, what):
        for wanted, found in ((one, other), (other, one)):
            for key, (value, end, stays) in wanted.items():
                if stays:
                    assert key in found, f"{what}: {key} is in one only"
                    assert (value, end) == found[key][:2], f"{what}: {key} differs: {(value, end)} {found[key]}"

    def check_equal(self, leader, node):
        held = self.state(leader)
        self.check_same(held, self.state(node), f"{leader.name} and {node.name}")
        for (database, key), (_, _, stays) in held.items():
            if stays and leader.client(db=database).type(key) == "notifybox":
                epochs = [epochs_of(self.reader(one, database), key) for one in (leader, node)]
                assert None in epochs or epochs[0] == epochs[1], f"{key}: {epochs}"

    def check_boxes(self, node):
        for (database, key), (_, end, _) in self.state(node).items():
            client = self.reader(node, database)
            if client.type(key) == "notifybox":
                try:
                    verify(client, key)
                except redis.ResponseError as error:  # it may end between two looks, if it was to end at all
                    assert end != -1 and str(error) == "no such key", f"{node.name}: {key}: {error}"

    def check_log(self, node):
        assert node.running(), f"{node.name} has ended\n{node.tail()}"
        assert not node.has_line(TROUBLE, since=self.looked_at.get(node, 0)), f"{node.name} complains\n{node.tail()}"
        self.looked_at[node] = node.mark()
        node.check_reports()

    def reload(self, node):
        """What it loads again is what it has held. Only writers say something meanwhile. A leader that loads an RDB
        leaves out what has expired, and tells neither replicas nor its AOF: that is what DEBUG does, not we."""
        before = self.state(node)
        way = self.rng.choice(["RELOAD", "LOADAOF"]) if node.replication()["role"] == "slave" else "LOADAOF"
        node.wait_aof()
        node.client().execute_command("DEBUG", way)
        self.check_same(before, self.state(node), f"{node.name} before and after DEBUG {way}")

    def settle(self):
        """Writers and director rest."""
        self.wait_linked()
        for leader, followers in self.leaders():
            for node in followers:
                node.wait_synced()
                self.check_equal(leader, node)
            for node in [leader, *followers]:
                self.check_boxes(node)
                self.reload(node)
        self.wait_linked()
        for node in self.nodes:
            self.check_log(node)

    # -- deeds of every world

    def follower(self):
        return self.rng.choice([node for _, followers in self.leaders() for node in followers])

    def lose_replica(self, director):
        node = self.follower()
        self.end(node)
        director.go_on(30)
        node.start()

    def end(self, node):
        """By force, or in order, which a server refuses that has an AOF still to begin."""
        if self.rng.random() < 0.5:
            node.kill9()
        else:
            node.wait_aof()
            node.terminate()

    def resync(self, director):
        self.follower().client().execute_command("CLIENT", "KILL", "TYPE", "master")
        director.go_on(10)

    def rewrite(self, director):
        node = self.rng.choice(self.nodes)
        node.wait_aof()
        mark = node.mark()
        node.client().bgrewriteaof()
        director.go_on(20)
        node.wait_line("Background AOF rewrite finished successfully", since=mark, timeout=PATIENCE_S)

    def load_again(self, _director):
        """A leader: while a replica loads by DEBUG, it refuses what its primary says."""
        self.wait_linked()
        self.reload(self.rng.choice(self.leaders())[0])

    def change_settings(self, _director):
        client = self.rng.choice([node for node in self.nodes if self.is_ordinary(node)]).client()
        for name in self.rng.sample(sorted(SETTINGS), 3):
            client.config_set(name, self.rng.choice(SETTINGS[name]))


def is_linked(node):
    return node.replication().get("master_link_status") == "up"


def epochs_of(client, key):
    """None: it has expired, or the module knows of none."""
    try:
        about = info(client, key)
        return (about["epoch"], about["past_epochs"])
    except (redis.ResponseError, KeyError):
        return None


def level_of(group, module):
    """What an older module writes."""
    server = group.redis(name="asked", module=module)
    level = int(server.client().config_get("notify.write-version").get("notify.write-version", 1))
    server.stop()
    group.programs.remove(server)
    return level


class Replicated(World):
    """A primary, a replica, and one more that is not quite like them: behind the other, with an older module, with
    hardly any room for clients, with a clock that is wrong."""

    databases = (0, 1, 2)

    def __init__(self, group, rng, kind):
        super().__init__(rng)
        self.kind = kind
        self.preamble = rng.choice(["yes", "no"])
        older = os.environ.get(OLDER_SO)
        level = {"module_args": ["notify.write-version", level_of(group, older)]} if kind == "older" else {}
        third = {
            "plain": {}, "chained": {},
            "narrow": {"module": host_path(NARROW), "config": TIGHT},
            "older": {"module": older},
            "clock": {"clock_offset_s": rng.choice(OFFSETS_S)},
        }[kind]  # fmt: skip
        self.nodes = [self._make(group, "one", **level), self._make(group, "two", **level), self._make(group, kind, **third)]
        self.primary, second, last = self.nodes
        self.upstream = {self.primary: None}
        self.follow(second, self.primary)
        self.follow(last, second if kind == "chained" else self.primary)
        self.wait_linked()

    @staticmethod
    def kinds():
        return ["plain", "chained", "narrow", "clock", *(["older"] if os.environ.get(OLDER_SO) else [])]

    def _make(self, group, name, **options):
        diskless = {"repl_diskless_load": self.rng.choice(["disabled", "swapdb"]),
                    "repl_diskless_sync": self.rng.choice(["yes", "no"])}  # fmt: skip
        return group.redis(name=name, aof_use_rdb_preamble=self.preamble, **SERVER, **diskless, **options)

    def client(self):
        return PrimaryClient(self)

    director_client = client

    def leaders(self):
        return [(self.primary, [node for node in self.nodes if node is not self.primary])]

    def direct(self):
        return [node for node in self.nodes if self.upstream[node] is self.primary]

    def is_ordinary(self, node):
        return node is not self.nodes[2] or self.kind not in ("narrow", "older")

    def heirs(self):
        """Who may take over."""
        return [node for node in self.direct() if self.is_ordinary(node)]

    def safe_replicas(self):
        """How many must have a write before it cannot be lost: whoever may take over is among them."""
        return max(1, len(self.direct()))

    def follow(self, node, of):
        node.options["replicaof"] = f"127.0.0.1 {of.port}"
        self.upstream[node] = of
        if node.running():
            node.client().execute_command("REPLICAOF", "127.0.0.1", of.port)

    def lead(self, node):
        node.options.pop("replicaof", None)
        self.upstream[node] = None
        self.primary = node
        node.client().execute_command("REPLICAOF", "NO", "ONE")

    def wait_online(self):
        """Until the primary counts all that follow it."""

        def is_online():
            about = self.primary.replication()
            found = [one for name, one in about.items() if name.startswith("slave") and isinstance(one, dict)]
            return sum(one["state"] == "online" for one in found) >= len(self.direct())

        self.wait_linked()
        wait_until(is_online, "the replicas' being online", PATIENCE_S)

    # -- deeds

    def deeds(self):
        passing_on = [self.failover, self.crash_and_promote, self.part] if self.heirs() else []
        return [*passing_on, self.crash_primary, self.restart_primary, self.lose_replica, self.resync, self.resync_in_full,
                self.rewrite, self.load_again, self.squeeze, self.change_settings, self.pause]  # fmt: skip

    def crash_primary(self, _director):
        """It comes back with all that it has acknowledged; behind a full resync once its AOF is begun anew."""
        self.primary.wait_aof()
        before = self.state(self.primary)
        self.primary.kill9()
        self.primary.start()
        self.check_same(before, self.state(self.primary), f"{self.primary.name} before and after it was killed")

    def restart_primary(self, _director):
        self.primary.wait_aof()
        self.primary.restart()

    def failover(self, _director):
        self.wait_online()
        old, new = self.primary, self.rng.choice(self.heirs())
        old.client().execute_command("FAILOVER", "TO", "127.0.0.1", new.port)
        wait_until(lambda: new.replication().get("role") == "master", "the failover", PATIENCE_S)
        wait_until(lambda: old.replication().get("role") == "slave", "the old primary's following", PATIENCE_S)
        new.options.pop("replicaof", None)
        old.options["replicaof"] = f"127.0.0.1 {new.port}"
        self.upstream |= {old: new, new: None}
        self.primary = new

    def crash_and_promote(self, director):
        """As Sentinel does it: the replica that has the most takes over."""
        self.wait_online()
        old = self.primary
        old.kill9()
        new = max(self.heirs(), key=lambda node: node.replication()["slave_repl_offset"])
        self.lead(new)
        for node in self.nodes:
            if node is old or self.upstream[node] is old:
                self.follow(node, new)
        director.go_on(20)
        old.start()

    def part(self, director):
        """The old primary goes on for a while, and loses what it is told then."""
        self.wait_online()
        old, new = self.primary, self.rng.choice(self.heirs())
        for node in self.direct():
            if node is not new:
                self.follow(node, new)
        self.lead(new)
        director.on(old).go_on(20)
        director.go_on(20)
        self.follow(old, new)

    def resync_in_full(self, director):
        node = self.follower()
        of = self.upstream[node]
        node.client().execute_command("REPLICAOF", "NO", "ONE")
        director.go_on(10)
        self.follow(node, of)

    def squeeze(self, director):
        """Memory for hardly any more: some commands find none, some keys are evicted."""
        client = self.primary.client()
        client.config_set("maxmemory-policy", self.rng.choice(["noeviction", "volatile-random", "volatile-ttl"]))
        client.config_set("maxmemory", int(client.info("memory")["used_memory"] * self.rng.choice([0.5, 0.99, 1.001])))
        director.go_on(40)
        client.config_set("maxmemory", 0)

    def pause(self, director):
        self.primary.client().execute_command("CLIENT", "PAUSE", 200, "WRITE")
        director.go_on(5)


class Sharded(World):
    """Three primaries with a replica each. All keys are of one slot, which moves."""

    def __init__(self, group, rng):
        super().__init__(rng)
        self.cluster = Cluster(group, primaries=3, replicas=1, aof_use_rdb_preamble=rng.choice(["yes", "no"]), **SERVER)
        self.nodes = self.cluster.nodes
        self.tag = tag_in(self.cluster.slots[0])
        self.slot = slot_of(self.tag)

    def client(self):
        return self.cluster.client()

    def director_client(self):
        return SlotClient(self.cluster)

    def safe_replicas(self):
        return 1

    def leaders(self):
        found = []
        for shard in self.cluster.shards:
            leader = next(node for node in shard if node.replication().get("role") == "master")
            found.append((leader, [node for node in shard if node is not leader]))
        return found

    def wait_linked(self):
        def is_led(shard):
            return sorted(node.replication().get("role", "") for node in shard) == ["master", "slave"]

        wait_until(lambda: all(map(is_led, self.cluster.shards)), "one primary in each shard", PATIENCE_S)
        super().wait_linked()
        self.cluster.wait_agreement()

    # -- deeds

    def deeds(self):
        return [self.move_slot, self.move_slot, self.failover, self.crash, self.lose_replica, self.resync, self.rewrite,
                self.load_again, self.change_settings]  # fmt: skip

    def move_slot(self, director):
        self.wait_linked()
        source = self.cluster.owner_of(self.slot)
        target = next(leader for leader, _ in self.leaders() if leader is not source)
        self.cluster.begin_move(self.slot, source, target)
        director.go_on(20)
        keys = Cluster.ask(source, "CLUSTER", "GETKEYSINSLOT", self.slot, 5)
        if keys:
            self.cluster.move_keys(source, target, *keys)
        director.go_on(20)
        self.cluster.move_all_keys(self.slot, source, target)
        self.cluster.end_move(self.slot, source, target)
        self.wait_linked()

    def failover(self, director):
        self.wait_linked()
        _, (follower, *_) = self.rng.choice(self.leaders())
        Cluster.ask(follower, "CLUSTER", "FAILOVER")
        director.go_on(10)
        self.cluster.wait_role(follower, "master")

    def crash(self, director):
        self.wait_linked()
        leader, (follower, *_) = self.rng.choice(self.leaders())
        leader.kill9()
        director.go_on(10)
        self.cluster.wait_role(follower, "master")
        leader.start()

    def lose_replica(self, director):
        self.wait_linked()
        super().lose_replica(director)
