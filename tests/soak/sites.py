"""What bridges stand on, and what happens to all of it: each deed is done by itself and mends what it has broken, or
leaves it for others to mend (a process that stands still is woken later)."""

import os
import re
import shutil
import signal
import threading
import time
import urllib.error
import urllib.request

import redis

from cluster import Cluster, slot_of
from resp import RespError
from sentinels import NAME, Sentinels, call
from servers import Bridge, wait_until
from tcp_proxy import TcpProxy

BOXES = {"notify.max-entries": "1000000"}
SETTLE_S = 90
NODE_TIMEOUT_S = 5  # with 2 s six servers with sanitizers take over from each other without end on a busy machine
DURABLE = {"appendonly": "yes", "config": BOXES}


class Site:
    """A Redis that begins empty, and bridges of it: one process, several workers, and an older one if there is one."""

    lossy = False  # may Redis lose what it has acknowledged?

    def __init__(self, group, rng, options):
        self.group, self.rng = group, rng
        self.proxies, self.bridges, self.waking = [], [], []
        self.began = {}  # how much a bridge had said before it was started last
        self.begin()
        for n, words in enumerate(([], ["--workers", "2"], [])):
            program = os.environ.get("NOTIFY_OLDER_BRIDGE") if n == 2 else None
            self.bridges.append(self._bridge(f"bridge{n}", [*words, *options], program))
        for bridge in self.bridges:
            self._start(bridge)
        self.wait_ready()

    # -- made of

    def begin(self):
        raise NotImplementedError

    def primary(self):
        """The server that takes writes, as far as anybody knows."""
        raise NotImplementedError

    def servers(self):
        return [self.primary()]

    def redis_words(self):
        return []

    def url_for(self, name):
        return self.primary()

    def _bridge(self, name, words, program):
        bridge = Bridge(self.url_for(name), *words, *self.redis_words(), name=name, program=program)
        bridge.args = ["--listen", f"[::1]:{bridge.port}", *bridge.args]
        return self.group.add(bridge)

    def _start(self, bridge):
        self.began[bridge] = bridge.mark()
        bridge.start(wait_ready=False)

    @staticmethod
    def is_ready(bridge):
        try:
            with urllib.request.urlopen(bridge.http_url + "/readyz", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def wait_ready(self):
        for bridge in self.bridges:
            wait_until(lambda b=bridge: self.is_ready(b), f"{bridge.name}'s being ready", SETTLE_S)

    # -- writers

    def client(self):
        """For a writer: to the primary of now, with little patience."""
        return self.primary().client(socket_timeout=2, socket_connect_timeout=2)

    def run(self, *command):
        """A command at the primary, when all has settled."""
        return self.primary().client().execute_command(*command)

    def leftovers(self):
        """Keys of clients."""
        client = self.primary().client()
        return [key for pattern in ("sessions:*", "eio:*") for key in client.scan_iter(match=pattern, count=1000)]

    # -- what happens

    def deeds(self):
        """Each as often as it is likely."""
        return [
            *[self.kill_bridge, self.end_bridge, self.freeze_bridge, self.kill_worker] * 2, self.hang_up,
            *[self.freeze_redis, self.cut_links] * 2,
        ]  # fmt: skip

    def pause(self, *choices):
        time.sleep(self.rng.choice(choices))

    def _freeze(self, pid, seconds):
        """Stops it now, and wakes it later, while other things happen."""
        try:
            os.kill(pid, signal.SIGSTOP)
        except ProcessLookupError:
            return

        def wake():
            time.sleep(seconds)
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass

        self.waking.append(threading.Thread(target=wake, daemon=True))
        self.waking[-1].start()

    def wait_awake(self):
        for thread in self.waking:
            thread.join()
        self.waking.clear()

    def kill_bridge(self):
        bridge = self.rng.choice(self.bridges)
        bridge.kill9()
        self.pause(0, 0, 0.5, 2)
        self._start(bridge)

    @staticmethod
    def wait_taking(bridge, signum):
        """A signal that comes before main() has begun ends any program."""

        def takes():
            at = f"/proc/{bridge.pid}"
            with open(f"{at}/status", encoding="ascii") as file:
                words = dict(line.split(":", 1) for line in file)
            with open(f"{at}/task/{bridge.pid}/children", encoding="ascii") as file:
                supervises = file.read()  # whoever waits for signals shows them as free
            return supervises or (int(words["SigBlk"], 16) | int(words["SigCgt"], 16)) >> (signum - 1) & 1

        wait_until(takes, f"{bridge.name}'s taking signal {signum}", SETTLE_S)

    def end_bridge(self):
        self.wait_awake()  # who sleeps does not end
        bridge = self.rng.choice(self.bridges)
        self.wait_taking(bridge, signal.SIGTERM)
        status = bridge.terminate()
        assert status == 0, f"{bridge.name} ended with {status}\n{bridge.tail()}"
        self._start(bridge)

    def _workers(self):
        """Those of before its last start may be ending still, and nobody says so."""
        bridge = self.bridges[1]
        found = {}
        for line in bridge.lines[self.began[bridge] :]:
            match = re.search(r"event=worker_started number=(\d+) pid=(\d+)", line)
            if match:
                found[match[1]] = int(match[2])
        return list(found.values())

    def kill_worker(self):
        """Until its supervisor knows: one that is told to end at that moment says, rightly, that somebody did not end well."""
        bridge, workers = self.bridges[1], self._workers()
        mark, pid = bridge.mark(), self.rng.choice(workers) if workers else None
        if pid and self._signal(pid, signal.SIGKILL):
            bridge.wait_line(f"event=worker_ended .*pid={pid} ", since=mark, timeout=SETTLE_S)

    @staticmethod
    def _signal(pid, number):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return False  # another deed was first
        return True

    def freeze_bridge(self):
        pids = [bridge.pid for bridge in self.bridges] + self._workers()
        self._freeze(self.rng.choice(pids), self.rng.choice([0.1, 0.5, 2, 5, 12]))

    def hang_up(self):
        bridge = self.rng.choice(self.bridges)
        self.wait_taking(bridge, signal.SIGHUP)
        self._signal(bridge.pid, signal.SIGHUP)

    def freeze_redis(self):
        """More than 8 s is a server that is gone."""
        self._freeze(self.primary().pid, self.rng.choice([0.1, 0.5, 2, 10]))
        self.pause(0, 0.5)

    def cut_links(self):
        kind = self.rng.choice(["pubsub", "normal"])
        self.try_at_primary("CLIENT", "KILL", "TYPE", kind)

    def try_at_primary(self, *command):
        client = self.primary().client(socket_timeout=2, socket_connect_timeout=2)
        try:
            return client.execute_command(*command)
        except (redis.RedisError, OSError):
            return None
        finally:
            client.close()

    # -- the end

    def heal(self):
        """Everything runs again, nobody is hindered."""
        self.wait_awake()
        for server in self.servers():
            if not server.running():
                server.start()
        for bridge in self.bridges:
            if not bridge.running():
                self._start(bridge)
        self.wait_ready()

    def check_running(self):
        for bridge in self.bridges:
            assert bridge.running(), f"{bridge.name} has ended\n{bridge.tail()}"

    def close(self):
        self.wait_awake()
        for proxy in self.proxies:
            proxy.close()


class Standalone(Site):
    """One server that writes before it answers. Each bridge has a proxy before it, for links that play dead."""

    def begin(self):
        self.server = self.group.redis(**DURABLE)

    def primary(self):
        return self.server

    def url_for(self, name):
        self.proxies.append(TcpProxy(self.server.port))
        return self.proxies[-1]

    def deeds(self):
        return [*super().deeds(), *[self.half_open, self.kill_redis, self.slow_disk] * 2]

    def half_open(self):
        word = self.rng.choice([b"notify-bridge:subscriber", b"notify-bridge:commands", b"notify-bridge"])
        self.rng.choice(self.proxies).freeze(word)

    def kill_redis(self):
        self.wait_awake()
        self.server.kill9()
        self.pause(0, 0.5, 3)
        self.server.start()

    def slow_disk(self):
        """Each write to the file takes so many microseconds."""
        self.try_at_primary("DEBUG", "AOF-FLUSH-SLEEP", self.rng.choice([2000, 20000, 200000]))
        self.pause(1, 2)
        self.try_at_primary("DEBUG", "AOF-FLUSH-SLEEP", 0)


class Restored(Standalone):
    """One server that keeps copies of its data now and then, and has nothing else when it is killed; and one of those
    of before is put in its place, under bridges that run."""

    lossy = True

    def begin(self):
        self.server = self.group.redis(appendonly="no", config=BOXES)
        self.backups = []
        self.back_up()

    def deeds(self):
        return [*Site.deeds(self), self.half_open, *[self.back_up] * 4, *[self.kill_redis, self.restore] * 2]

    def _file(self, name="dump.rdb"):
        return os.path.join(self.server.dir, name)

    def back_up(self):
        if self.try_at_primary("SAVE") is None:
            return
        self.backups.append(self._file(f"backup{len(self.backups)}.rdb"))
        shutil.copy(self._file(), self.backups[-1])

    def restore(self):
        """One of the last three."""
        self.wait_awake()
        self.server.kill9()
        shutil.copy(self.rng.choice(self.backups[-3:]), self._file())
        self.pause(0, 0.5)
        self.server.start()


class Regained(Site):
    """Two servers that are the primary in turn. Who takes over lacks what was written last; and when the other one is the
    primary again it may have that again, and lacks what was written meanwhile: nobody has told it. Bridges are led to the
    one or the other one by one, and writers go on where they are for a while."""

    lossy = True

    def begin(self):
        self.now = self.group.redis(name="redis0", **DURABLE)
        self.other = self.group.replica(self.now, name="redis1", **DURABLE)
        del self.other.options["replicaof"]
        self.parted = False

    def primary(self):
        return self.now

    def servers(self):
        return [self.now, self.other]

    def url_for(self, name):
        self.proxies.append(TcpProxy(self.now.port))
        return self.proxies[-1]

    def deeds(self):
        return [*[deed for deed in Site.deeds(self) if deed != self.freeze_redis], self.half_open, self.kill_redis, self.join,
                *[self.take_over] * 12]  # fmt: skip

    def half_open(self):
        self.rng.choice(self.proxies).freeze(self.rng.choice([b"notify-bridge:subscriber", b"notify-bridge:commands"]))

    def kill_redis(self):
        self.now.kill9()
        self.pause(0, 0.5)
        self.now.start()

    def take_over(self):
        """From then on it is on its own; or it has been before, and is so as a primary of now or of then."""
        if not self.parted:
            self.other.wait_synced()
        if not self.parted or self.rng.random() < 0.5:
            self.other.client().execute_command("REPLICAOF", "127.0.0.1", 1 if self.parted else self.now.port)
            self.other.client().execute_command("REPLICAOF", "NO", "ONE")
        self.parted = True
        self.pause(0, 0.1, 0.5)
        self.now, self.other = self.other, self.now
        for proxy in self.rng.sample(self.proxies, len(self.proxies)):
            proxy.lead_to(self.now.port)
            self.pause(0, 0, 0, 0.1)
        self.other.client().execute_command("CLIENT", "KILL", "TYPE", "normal")
        self.pause(0, 0.2, 1)

    def join(self):
        """Who is not the primary gets what that has, and loses what it had itself."""
        self.other.client().execute_command("REPLICAOF", "127.0.0.1", self.now.port)
        wait_until(lambda: self.other.replication().get("master_link_status") == "up", "a link to the primary", SETTLE_S)
        self.parted = False


class Failover(Site):
    """A primary with two replicas, watched by three Sentinels."""

    lossy = True

    def begin(self):
        first = self.group.redis(name="redis0", **DURABLE)
        self.all = [first, *(self.group.replica(first, name=f"redis{n}", **DURABLE) for n in (1, 2))]
        for server in self.all[1:]:
            del server.options["replicaof"]  # what it is from now on the Sentinels say
        self.sentinels = Sentinels(self.group, first, replicas=2)

    def url_for(self, name):
        return self.sentinels

    def redis_words(self):
        return ["--redis-mode", "sentinel", "--sentinel-master", NAME]

    def servers(self):
        return [*self.all, *self.sentinels.all]

    def primary(self):
        for sentinel in self.sentinels.all:
            try:
                port = sentinel.primary_port()
                return next(server for server in self.all if server.port == port)
            except (OSError, EOFError, RespError, TypeError, ValueError):
                continue
        return self.all[0]

    def deeds(self):
        return [*super().deeds(), *[self.kill_primary, self.freeze_primary, self.fail_over] * 2, self.kill_replica,
                *[self.kill_sentinel] * 2]  # fmt: skip

    def _wait_other(self, than):
        """A failover; or none, if there are not enough to agree on it."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self.primary() is than:
            time.sleep(0.1)

    def kill_primary(self):
        self.wait_awake()
        old = self.primary()
        old.kill9()
        if self.rng.random() < 0.7:
            self._wait_other(old)
        old.start()

    def freeze_primary(self):
        """It wakes as a primary that has been left, and takes writes for some time."""
        self.wait_awake()
        old = self.primary()
        os.kill(old.pid, signal.SIGSTOP)
        try:
            self._wait_other(old)
        finally:
            os.kill(old.pid, signal.SIGCONT)
        self._write_to(old)

    def _write_to(self, server):
        client = server.client(socket_timeout=2)
        try:
            for n in range(20):
                client.execute_command("NOTIFY.SEND", f"topic:t{n % 5}", f"ghost {time.monotonic()}")
        except (redis.RedisError, OSError):
            pass
        finally:
            client.close()

    def fail_over(self):
        try:
            self.rng.choice(self.sentinels.all).ask("FAILOVER", NAME)
        except (OSError, EOFError, RespError):
            return
        self._wait_other(self.primary())

    def kill_replica(self):
        self.wait_awake()
        primary = self.primary()
        replica = self.rng.choice([server for server in self.all if server is not primary])
        replica.kill9()
        self.pause(0, 1)
        replica.start()

    def kill_sentinel(self):
        one = self.rng.choice(self.sentinels.all)
        one.kill9()
        self.pause(0.5, 3)
        one.start()

    def run(self, *command):
        return call(self.primary(), *command)

    def heal(self):
        super().heal()

        def agree():
            """One primary in the Sentinels' eyes, and in everybody's own; and none of them is about to change that."""
            if any(sentinel.flags() != ["master"] for sentinel in self.sentinels.all):
                return False
            ports = {sentinel.primary_port() for sentinel in self.sentinels.all}
            roles = [server.replication() for server in self.all]
            masters = [server.port for server, about in zip(self.all, roles) if about.get("role") == "master"]
            synced = all(about and about.get("master_link_status", "up") == "up" for about in roles)
            return len(ports) == 1 and masters == list(ports) and synced

        wait_until(agree, "one primary, that all agree on", SETTLE_S)
        self.wait_ready()


class ClusterWriter:
    """What a writer has of a cluster in place of a redis-py client."""

    def __init__(self, cluster):
        self.client = cluster.client()

    def execute_command(self, *command):
        try:
            return self.client.call(*command, key=command[2] if command[0] == "NOTIFY.SESSION" else None)
        except RespError as error:
            raise OSError(str(error)) from None  # whatever it is, it passes

    def close(self):
        self.client.close()


class Sharded(Site):
    """A cluster of six: three primaries, each with a replica. Slots of topics are moved to and fro."""

    lossy = True

    def begin(self):
        self.cluster = Cluster(self.group, cluster_node_timeout=NODE_TIMEOUT_S * 1000, **DURABLE)

    def url_for(self, name):
        return Seeds(self.cluster.nodes)

    def redis_words(self):
        return ["--redis-mode", "cluster"]

    def servers(self):
        return self.cluster.nodes

    def primaries(self):
        """Those that run and say that they are."""
        return [node for node in self.cluster.running() if node.replication(patience_s=1).get("role") == "master"]

    def primary(self):
        return self.rng.choice(self.primaries() or self.cluster.running())

    def client(self):
        return ClusterWriter(self.cluster)

    def run(self, *command):
        writer = ClusterWriter(self.cluster)
        try:
            return writer.execute_command(*command)
        finally:
            writer.close()

    def leftovers(self):
        found = []
        for node in self.primaries():
            found += [key for pattern in ("sessions:*", "eio:*") for key in node.client().scan_iter(match=pattern, count=1000)]
        return found

    def deeds(self):
        return [*super().deeds(), *[self.kill_node, self.freeze_node, self.fail_over] * 2, *[self.move_slot] * 4]

    def _wait_taken_over(self, node):
        """By its replica, if it has one that can."""
        deadline = time.monotonic() + 3 * NODE_TIMEOUT_S
        others = [other for other in self.cluster.running() if other is not node]
        while time.monotonic() < deadline:
            try:
                words = Cluster.ask(others[0], "CLUSTER", "NODES")
                line = next(line for line in words.split("\n") if line.startswith(self.cluster.ids[node]))
                if "master" not in line or len(line.split(" ")) <= 8:
                    return
            except (OSError, EOFError, RespError, StopIteration):
                pass
            time.sleep(0.1)

    def kill_node(self):
        self.wait_awake()
        node = self.rng.choice(self.cluster.running())
        node.kill9()
        if self.rng.random() < 0.7:
            self._wait_taken_over(node)
        node.start()

    def freeze_node(self):
        self.wait_awake()
        node = self.rng.choice(self.cluster.running())
        os.kill(node.pid, signal.SIGSTOP)
        try:
            if self.rng.random() < 0.7:
                self._wait_taken_over(node)
        finally:
            os.kill(node.pid, signal.SIGCONT)

    def fail_over(self):
        replicas = [node for node in self.cluster.running() if node not in self.primaries()]
        try:
            Cluster.ask(self.rng.choice(replicas), "CLUSTER", "FAILOVER")
        except (OSError, EOFError, RespError, IndexError):
            pass

    def move_slot(self):
        """One of a topic's, with all that is in it, when nothing else is wrong."""
        self.wait_awake()
        self.cluster.wait_agreement()
        slot = slot_of(f"topic:t{self.rng.randrange(50)}")
        primaries = self.primaries()
        source = self.cluster.owner_of(slot)
        targets = [node for node in primaries if node is not source]
        if source not in primaries or not targets:
            return
        target = self.rng.choice(targets)
        try:
            self.cluster.begin_move(slot, source, target)
            self.pause(0, 0.2, 1)
            self.cluster.move_all_keys(slot, source, target)
            self.pause(0, 0.2, 1)
            self.cluster.end_move(slot, source, target)
        except (OSError, EOFError, RespError) as error:
            print(f"      slot {slot} stays: {error}", flush=True)
            self._mend_slot(slot)

    def _mend_slot(self, slot):
        for node in self.cluster.running():
            try:
                Cluster.ask(node, "CLUSTER", "SETSLOT", slot, "STABLE")
            except (OSError, EOFError, RespError):
                pass

    def heal(self):
        super().heal()
        for node in self.cluster.nodes:
            wait_until(lambda n=node: self.cluster.info(n)["cluster_state"] == "ok", f"{node.name}'s knowing a whole cluster", SETTLE_S)
        self.cluster.wait_agreement()
        self.wait_ready()


class Seeds:
    """What a Bridge is given as its server."""

    def __init__(self, nodes):
        self.url = "redis://" + ",".join(f"127.0.0.1:{node.port}" for node in nodes)


SITES = {"standalone": Standalone, "sentinel": Failover, "restored": Restored, "regained": Regained, "cluster": Sharded}
