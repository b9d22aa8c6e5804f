"""A real cluster for the tests: primaries with their replicas, a client that follows redirections, and
writers that never lose count of what was acknowledged."""

import binascii
import select
import threading
import time


from module_helpers import all_entries
from resp import Resp, RespError
from servers import free_port, wait_until

SLOTS = 16384


def slot_of(key):
    """The slot of a key, hash tag included."""
    start = key.find("{")
    end = key.find("}", start + 1) if start >= 0 else -1
    tag = key[start + 1 : end] if end > start + 1 else key
    return binascii.crc_hqx(tag.encode(), 0) % SLOTS


def tag_in(slot_range, name="t"):
    """A hash tag whose slot lies in the range."""
    return next(f"{name}{n}" for n in range(SLOTS * 20) if slot_of(f"{name}{n}") in slot_range)


BUS = 10000  # so far from the port for clients


class Cluster:
    """shards[n] is [primary, replica…] as they were at the start, slots[n] the range of the shard. tls: options of
    TLS, which is spoken among the nodes then, and with clients at a port of its own."""

    def __init__(self, programs, primaries=3, replicas=1, tls=None, **options):
        options = {"cluster_enabled": "yes", "cluster_node_timeout": "4000", **options}
        self.shards = [
            [programs.redis(name=f"shard{n}-{role}", **options, **self._own(tls)) for role in range(1 + replicas)]
            for n in range(primaries)
        ]
        self.nodes = [node for shard in self.shards for node in shard]
        edges = [SLOTS * n // primaries for n in range(primaries + 1)]
        self.slots = [range(edges[n], edges[n + 1]) for n in range(primaries)]
        self._join()
        self.ids = {node: self.ask(node, "CLUSTER", "MYID") for node in self.nodes}
        self._replicate()

    @staticmethod
    def _own(tls):
        """What each node has for itself."""
        if tls is None:
            return {}
        return {"tls_port": free_port(beside=[BUS]), "tls_cluster": "yes", "tls_replication": "yes", **tls}

    @staticmethod
    def _port_among_nodes(node):
        return node.options.get("tls-port", node.port)

    @staticmethod
    def ask(node, *command):
        with Resp(node.port) as resp:
            return resp.call(*command)

    def info(self, node):
        text = self.ask(node, "CLUSTER", "INFO")
        return dict(line.split(":", 1) for line in text.split("\r\n") if ":" in line)

    def _join(self):
        for n, (primary, *_) in enumerate(self.shards):
            self.ask(primary, "CLUSTER", "ADDSLOTSRANGE", self.slots[n][0], self.slots[n][-1])
        for n, node in enumerate(self.nodes):
            self.ask(node, "CLUSTER", "SET-CONFIG-EPOCH", n + 1)
            if n > 0:
                self.ask(node, "CLUSTER", "MEET", "127.0.0.1", self._port_among_nodes(self.nodes[0]))
        count = str(len(self.nodes))
        for node in self.nodes:
            # Only those that have shaken hands are listed as connected.
            wait_until(
                lambda: self.ask(node, "CLUSTER", "NODES").count(" connected") == int(count)
                and "handshake" not in self.ask(node, "CLUSTER", "NODES"),
                "knowing all nodes",
            )

    def _replicate(self):
        for primary, *replicas in self.shards:
            for replica in replicas:
                self.ask(replica, "CLUSTER", "REPLICATE", self.ids[primary])
        for primary, *replicas in self.shards:
            for replica in replicas:
                self.wait_replica(replica)
        for node in self.nodes:
            wait_until(lambda: self.info(node)["cluster_state"] == "ok", "the cluster's being up")
        self.wait_agreement()
        self._wait_bus()

    def _wait_bus(self):
        """A young cluster loses published messages, those of PUBLISH and SPUBLISH too, until the nodes
        know enough of each other: wait until each primary is heard."""
        for n, shard in enumerate(self.shards):
            self._wait_heard(shard[0], self.nodes, "PUBLISH", "SUBSCRIBE", "test:bus")
            channel = f"test:bus:{{{tag_in(self.slots[n])}}}"
            self._wait_heard(shard[0], shard, "SPUBLISH", "SSUBSCRIBE", channel)

    def _wait_heard(self, publisher, listeners, publish, subscribe, channel):
        waiting = [Resp(node.port) for node in listeners]
        for resp in waiting:
            resp.call(subscribe, channel)

        def all_have():
            self.ask(publisher, publish, channel, "x")
            for resp in waiting[:]:
                if select.select([resp.sock], [], [], 0.02)[0]:
                    waiting.remove(resp)
                    resp.close()
            return not waiting

        wait_until(all_have, f"hearing what {publisher.name} publishes", timeout=30)

    def wait_agreement(self):
        """Until all nodes that run have heard who follows whom: before, a failover finds nobody to vote,
        and a primary does not know to whom sharded messages go."""
        nodes = self.running()
        wait_until(
            lambda: all(self._roles(node) == self._roles(nodes[0]) for node in nodes),
            "agreement on who follows whom",
            timeout=30,
        )

    def _roles(self, node):
        """{id: (is a replica, its primary, slots)} as this node sees it."""
        seen = {}
        for line in self.ask(node, "CLUSTER", "NODES").strip().split("\n"):
            words = line.split(" ")
            seen[words[0]] = "slave" in words[2], words[3], words[8:]
        return seen

    @staticmethod
    def wait_replica(replica):
        def is_up():
            found = replica.replication()
            return found.get("role") == "slave" and found["master_link_status"] == "up"

        wait_until(is_up, f"{replica.name}'s link to its primary", timeout=30)

    def wait_role(self, node, role):
        wait_until(
            lambda: node.replication().get("role") == role, f"{node.name} as {role}", timeout=30
        )

    def owner_of(self, slot):
        """The primary that has the slot, as the first node that runs sees it."""
        for node_id, (is_replica, _, ranges) in self._roles(self.running()[0]).items():
            if not is_replica and any(slot in as_range(text) for text in ranges):
                return next(node for node in self.nodes if self.ids[node] == node_id)
        return None

    def running(self):
        return [node for node in self.nodes if node.running()]

    def client(self):
        return ClusterClient(self)

    # -- moving slots, as redis-cli --cluster reshard does it

    def begin_move(self, slot, source, target):
        self.ask(target, "CLUSTER", "SETSLOT", slot, "IMPORTING", self.ids[source])
        self.ask(source, "CLUSTER", "SETSLOT", slot, "MIGRATING", self.ids[target])

    def move_keys(self, source, target, *keys):
        return self.ask(source, "MIGRATE", "127.0.0.1", self._port_among_nodes(target), "", 0, 5000, "KEYS", *keys)

    def move_all_keys(self, slot, source, target, at_once=3):
        while True:
            keys = self.ask(source, "CLUSTER", "GETKEYSINSLOT", slot, at_once)
            if not keys:
                return
            self.move_keys(source, target, *keys)

    def end_move(self, slot, source, target):
        for node in (target, source):
            self.ask(node, "CLUSTER", "SETSLOT", slot, "NODE", self.ids[target])


def as_range(text):
    """A slot or a range of them in CLUSTER NODES; slots on the move are named in brackets."""
    if text.startswith("["):
        return range(0)
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


class ClusterClient:
    """Sends a command to the node that has its first key's slot, and follows redirections. Counts them:
    .moved, .asked, .tried_again."""

    def __init__(self, cluster, patience_s=30):
        self.cluster = cluster
        self.patience_s = patience_s  # with a slot that nobody serves
        self.links = {}  # port -> Resp
        self.ports = {}  # slot -> port
        self.latest = None  # the link that has answered last
        self.moved = self.asked = self.tried_again = 0

    def _link(self, port):
        if port not in self.links:
            self.links[port] = Resp(port, timeout=30)
        return self.links[port]

    def forget(self, port):
        link = self.links.pop(port, None)
        if link:
            link.close()

    def port_of(self, slot):
        if slot not in self.ports:
            owner = self.cluster.owner_of(slot)
            if owner is None:
                raise ConnectionError(f"nobody has slot {slot}")
            self.ports[slot] = owner.port
        return self.ports[slot]

    def call(self, *command, key=None):
        """The reply; error replies other than redirections are raised. A broken connection raises
        OSError or EOFError, and the next call looks for the slot's node anew."""
        slot = slot_of(key or command[1])
        port, asking = self.port_of(slot), False
        deadline = time.monotonic() + self.patience_s
        while True:
            try:
                link = self._link(port)
                if asking:
                    link.call("ASKING")
                reply = link.call(*command)
                self.latest = link
                return reply
            except (OSError, EOFError):
                self.forget(port)
                self.ports.pop(slot, None)
                raise
            except RespError as error:
                port, asking = self._redirect(str(error), slot, port)
                if time.monotonic() > deadline:
                    raise

    def _redirect(self, error, slot, port):
        kind, *words = error.split(" ")
        if kind == "MOVED":
            self.moved += 1
            self.ports[slot] = int(words[1].rsplit(":", 1)[1])
            return self.ports[slot], False
        if kind == "ASK":
            self.asked += 1
            return int(words[1].rsplit(":", 1)[1]), True
        if kind in ("TRYAGAIN", "CLUSTERDOWN"):
            self.tried_again += 1
            time.sleep(0.01)
            return self.ports.get(slot, port), False
        raise RespError(error)

    def close(self):
        for port in list(self.links):
            self.forget(port)


# Errors after which a command may be said again.
PASSING = ("READONLY", "UNBLOCKED", "LOADING", "MASTERDOWN", "OOM")


class Writer(threading.Thread):
    """Sends numbered notifications to its keys, one after the other, until it is told to stop. Each has
    an idempotency token, so that it is repeated when the answer did not come. acked[key] is a list of
    (id, title) in the order in which the replies came."""

    def __init__(self, cluster, keys, name="w", wait_replicas=0, patience_s=30):
        super().__init__(daemon=True)
        self.cluster = cluster
        self.keys = list(keys)
        self.label = name
        self.wait_replicas = wait_replicas  # or a function that says how many
        self.patience_s = patience_s
        self.acked = {key: [] for key in self.keys}
        self.retries = 0
        self.failure = None
        self._stop_now = threading.Event()
        self.client = cluster.client()

    def run(self):
        try:
            n = 0
            while not self._stop_now.is_set():
                key = self.keys[n % len(self.keys)]
                self._send(key, f"{self.label}-{n}")
                n += 1
        except Exception as failure:  # noqa: BLE001 (told by finish)
            self.failure = failure
        finally:
            self.client.close()

    def _send(self, key, title):
        deadline = time.monotonic() + self.patience_s
        while True:
            try:
                sent = self.client.call("NOTIFY.SEND", key, title, "IDEMPOTENT", title, "MAXLEN", 100000)
                if self._is_safe():
                    self.acked[key].append((sent, title))
                    return
            except (OSError, EOFError, RespError) as error:
                if isinstance(error, RespError) and not str(error).startswith(PASSING):
                    raise
                self.client.ports.clear()
                time.sleep(0.02)
            self.retries += 1
            if time.monotonic() > deadline:
                raise AssertionError(f"{title} was not accepted within {self.patience_s} s")

    def _is_safe(self):
        """WAIT counts for what its connection has written: the same one that has sent."""
        wanted = self.wait_replicas() if callable(self.wait_replicas) else self.wait_replicas
        if wanted == 0:
            return True
        return self.client.latest.call("WAIT", wanted, 1000) >= wanted

    def stop(self):
        self._stop_now.set()

    def count(self):
        return sum(len(acked) for acked in self.acked.values())

    def wait_more(self, count=200):
        """Until so many more have been acknowledged."""
        target = self.count() + count
        wait_until(lambda: self.failure or self.count() >= target, "the writer's going on", timeout=60)
        if self.failure:
            raise self.failure

    def finish(self):
        self.stop()
        self.join(2 * self.patience_s)
        assert not self.is_alive()
        if self.failure:
            raise self.failure

    def check(self, client=None):
        """All that was acknowledged is there, once, and in order; ids never go backwards."""
        own = client or self.cluster.client()
        for key, acked in self.acked.items():
            found = [(id_, fields[fields.index("title") + 1]) for id_, fields in all_entries(own.call, key)]
            titles = [title for _, title in found]
            assert len(set(titles)) == len(titles), "something is there twice"
            ids = [tuple(map(int, one.split("-"))) for one, _ in found]
            assert ids == sorted(set(ids))
            ours = [pair for pair in found if pair[1].startswith(self.label + "-")]
            assert ours == acked, difference(ours, acked)
            if found:
                audit = own.call("NOTIFY.VERIFY", key)
                assert audit[audit.index("sound") + 1] == 1, audit
        if not client:
            own.close()


def difference(found, acked):
    return f"lost or other: {sorted(set(acked) - set(found))[:5]}, not acknowledged: {sorted(set(found) - set(acked))[:5]}"


def knows(server, *command):
    """Whether the server has this command, such as CLUSTER MIGRATESLOTS."""
    name = "|".join(command)
    with Resp(server.port) as resp:
        return resp.call("COMMAND", "INFO", name)[0] is not None


__all__ = ["Cluster", "ClusterClient", "Writer", "knows", "slot_of", "tag_in"]
