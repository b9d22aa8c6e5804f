"""Who acts in a hostile world (adversary.py): a director that says random commands, one after the other, and writers
that keep what was acknowledged."""

import collections
import random
import re
import time

from cluster import ClusterClient, Writer
from module_helpers import all_entries, pairs
from random_commands import RandomCommands, Table, shown
from resp import Resp, RespError
from servers import is_sanitized

LIMIT_MS = 250 if is_sanitized() else 50
PATIENCE_S = 120
WRITERS = 2


class NodeClient:
    """A connection to a server that is made again after it broke."""

    def __init__(self, node):
        self.node = node
        self.links = {}
        self.ports = {}  # what a writer forgets, as it would with a cluster
        self.slow = []  # of the slow log, about the command that was measured last
        self.latest = None  # the link that has answered last

    def port(self):
        return self.node.port

    def link(self):
        port = self.port()
        if port not in self.links:
            self.links[port] = Resp(port, timeout=60)
        self.latest = self.links[port]
        return self.latest

    def call(self, *command, key=None):
        try:
            return self.link().call(*command)
        except (OSError, EOFError):
            self.close()
            raise

    def measured(self, *command, key=None):
        """(the reply, or an error; the ms for which the server's main thread was busy with it)"""
        link = self.link()
        for words in (["SLOWLOG", "RESET"], ["INFO", "cpu"], command, ["INFO", "cpu"], ["SLOWLOG", "GET", 1]):
            link.send(*words)
        emptied, before, reply, after, self.slow = (link.read() for _ in range(5))
        for one in (emptied, before, after, self.slow):
            if isinstance(one, RespError):
                raise one
        return reply, (used_s(after) - used_s(before)) * 1000

    def was_slow(self):
        """Whether the server says so, too, of what was measured last: it may have forked beside it. What was slow
        before, as another program had its core, is no witness."""
        return bool(self.slow)

    def close(self):
        for link in self.links.values():
            link.close()
        self.links.clear()


def used_s(cpu):
    return sum(float(value) for value in re.findall(r"used_cpu_(?:user|sys)_main_thread:([\d.]+)", cpu))


class PrimaryClient(NodeClient):
    """What ClusterClient is for a cluster, for the primary of the moment."""

    def __init__(self, world):
        super().__init__(None)
        self.world = world

    def port(self):
        return self.world.primary.port


class SlotClient:
    """The director's in a cluster: it does not wait for a slot that is on the move, as it moves it itself."""

    def __init__(self, cluster):
        self.client = ClusterClient(cluster, patience_s=0.2)

    def call(self, *command, key=None):
        return self.client.call(*command, key=key)

    def measured(self, *command, key=None):
        """No time is taken: it may have gone to several servers."""
        try:
            return self.client.call(*command, key=key), 0
        except RespError as error:
            return error, 0

    def was_slow(self):
        return False

    def close(self):
        self.client.close()


class Director:
    """Says random commands. Lost connections and refusals are part of the game."""

    def __init__(self, world, rng, commands, client=None):
        self.world, self.rng, self.commands = world, rng, commands
        self.client = client or world.director_client()
        self.all_keys = {*commands.boxes, *commands.logs, *commands.sets}
        self.said = self.refused = self.lost = 0
        self.latest = collections.deque(maxlen=20)

    def on(self, node):
        """The same words, said to one server."""
        return Director(self.world, self.rng, self.commands, NodeClient(node))

    def go_on(self, count):
        for _ in range(count):
            for words in self._next():
                self.say(words)

    def say(self, words):
        self.latest.append(shown(words))
        keys = [word for word in words[1:20] if word in self.all_keys][:3]
        key = keys[0] if keys else self.commands.boxes[0]
        try:
            before = self._contents(keys) if self.rng.random() < 0.1 else None
            reply, took_ms = self.client.measured(*words, key=key)
            self.said += 1
            self.commands.see(reply)
            if isinstance(reply, RespError):
                self.refused += 1
                if before is not None:
                    self._check_unchanged(keys, before, reply)
            assert took_ms < LIMIT_MS or not self.client.was_slow(), f"{shown(words)} took {took_ms:.0f} ms"
        except (OSError, EOFError, RespError):
            self.lost += 1
            self.client.close()
            time.sleep(0.01)

    def _contents(self, keys):
        """What those boxes hold that does not go by itself: a refused command may sweep out what has expired."""
        return {key: self._contents_of(key) for key in keys if self.client.call("TYPE", key) == "notifybox"}

    def _contents_of(self, key):
        if self.client.call("PTTL", key) != -1:
            return None
        about = pairs(self.client.call("NOTIFY.INFO", key))
        muted = {name for name, its in pairs(about["categories"]).items() if pairs(its)["muted"]}
        entries = [one for one in all_entries(self.client.call, key) if "expires_at" not in one[1]]
        cursors = self.client.call("NOTIFY.CURSORS", key)
        return [about[name] for name in ("last", "trimmed", "rev", "epoch")], muted, cursors, entries

    def _check_unchanged(self, keys, before, reply):
        after = self._contents(keys)
        assert after == before, f"refused, and changed: {reply}: {first_difference(before, after)}"

    # -- what is said

    def _next(self):
        """Some commands."""
        roll = self.rng.random()
        if roll < 0.02:
            return self._brim()
        if roll < 0.08:
            return [self._common()]
        if roll < 0.14:
            inner = self.commands.next()
            key = next((word for word in inner if word in self.all_keys), self.commands.boxes[0])
            return [["EVAL", "return redis.call(unpack(ARGV))", 1, key, *inner]]
        return [self.commands.next()]

    def _common(self):
        """What Redis itself does to a key."""
        rng = self.rng
        boxes, logs, sets = self.commands.boxes, self.commands.logs, self.commands.sets
        key, other = rng.choice([*boxes, *logs, *sets]), rng.choice([*boxes, *logs, *sets])
        elsewhere = [["COPY", key, key, "DB", 1, "REPLACE"], ["MOVE", key, 1]]
        return rng.choice([
            [rng.choice(["DEL", "UNLINK"]), key], ["RENAME", key, other], ["RENAMENX", key, other],
            ["COPY", key, other, "REPLACE"], ["COPY", key, other], ["PERSIST", key],
            ["PEXPIRE", key, rng.choice([30, 120_000])], ["SET", key, "x"], ["MEMORY", "USAGE", key],
            ["SWAPDB", 1, 2], ["OBJECT", "ENCODING", key],
            *([] if self.commands.table.strays else elsewhere),  # or replicas differ, whatever the module does
        ])  # fmt: skip

    def _brim(self):
        """As much of something as a box, a cursor or a set takes, and more."""
        rng = self.rng
        box, log, sessions = (rng.choice(some) for some in (self.commands.boxes, self.commands.logs, self.commands.sets))
        first, now = rng.randrange(4200), int(time.time() * 1000)
        return rng.choice([
            lambda: [["NOTIFY.MUTE", box, *(f"brim{n}" for n in range(at, at + 64))] for at in range(first, first + 1500, 64)],
            lambda: [["NOTIFY.FOLLOW", box, *(f"{log}:{n}" for n in range(at, at + 256))] for at in range(0, 1100, 256)],
            lambda: [["NOTIFY.SEND", box, "t", "IDEMPOTENT", f"brim {n}"] for n in range(60)],
            lambda: [["NOTIFY.SEND", box, "t", "CONTENT", "x" * 4000, "MAXLEN", 100_000] for n in range(40)],
            lambda: [["NOTIFY.FOLLOW", box, log, "FROM", 0],
                     *(["NOTIFY.SEND", log, "t", "ID", now + n, "MAXLEN", 100_000] for n in range(300)),
                     ["NOTIFY.READ", box, *range(now, now + 300, 2), "LOG", log]],
            lambda: [["NOTIFY.SESSION", "OPEN", sessions, f"s{n % 9}", f"brim{n}", "LEASE", 600_000] for n in range(60)],
        ])()  # fmt: skip


def first_difference(before, after):
    for key, wanted in before.items():
        for one, other in zip(wanted or (), after.get(key) or ()):
            if one != other:
                return f"{key}: {one!s:.300} {other!s:.300}"
    return f"{before.keys()} {after.keys()}"


def direct(world, rng):
    """A director for all of the table that the world's first server has."""
    clock = lambda: int(time.time() * 1000)  # noqa: E731
    return Director(world, rng, RandomCommands(Table(world.nodes[0].port), rng, *world.keys(), clock))


class Ledger:
    """Writers, others after each settling; what they have kept stays."""

    def __init__(self, world):
        self.world = world
        self.keys = [[world.key(f"ledger{n}", m) for m in range(3)] for n in range(WRITERS)]
        self.writers, self.ended = [], []
        self.begin()

    def begin(self):
        self.world.ledger_rests = False
        first = len(self.ended)
        self.writers = [
            Writer(self.world, keys, f"w{first + n}", self.world.safe_replicas, PATIENCE_S) for n, keys in enumerate(self.keys)
        ]
        for writer in self.writers:
            writer.start()

    def rest(self):
        for writer in self.writers:
            writer.finish()
        self.ended += self.writers
        self.writers = []
        self.world.ledger_rests = True

    def check(self):
        client = self.world.client()
        for writer in self.ended:
            writer.check(client)
        client.close()

    def stop(self):
        for writer in self.writers:
            writer.stop()

    def count(self):
        return sum(writer.count() for writer in [*self.ended, *self.writers])


def episode(world, rng, seconds):
    """Deeds and words, for so long. Fails as soon as something does not hold, and tells what was said before."""
    director, ledger = direct(world, rng), Ledger(world)
    deadline = time.monotonic() + seconds
    deeds = []
    try:
        while time.monotonic() < deadline:
            for _ in range(4):
                director.go_on(60)
                deeds.append(rng.choice(world.deeds()))
                print(f"    {deeds[-1].__name__}", flush=True)
                deeds[-1](director)
            world.wait_linked()
            ledger.rest()
            ledger.check()
            world.settle()
            ledger.begin()
        ledger.rest()
        ledger.check()
    except BaseException:
        print("said before:", *director.latest, sep="\n  ")
        raise
    finally:
        ledger.stop()
    print(f"  {director.said} commands, {director.refused} refused, {director.lost} lost; {len(deeds)} deeds;"
          f" {ledger.count()} kept")  # fmt: skip
    assert director.said > 100 and director.refused < director.said and ledger.count() > 0
