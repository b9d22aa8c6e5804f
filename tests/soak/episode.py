"""One episode: a site, readers and writers of it, trouble for so long, and then the reckoning."""

import collections
import random
import threading
import time

import redis

from judge import faults
from readers import make_readers
from servers import Group, wait_until
from sites import SETTLE_S, SITES

TOPICS = [f"t{n}" for n in range(50)]
USERS = [f"u{n}" for n in range(200)]
WRITERS, SENDS_PER_S = 2, 60
AGAIN_S = 15  # a machine that is busy has a failover behind the end, which may lose the last entries


def options(rng):
    """Of the bridges: often the smallest that there are."""
    choices = {
        "--outbox-bytes": ["4096", "20000", "1M"],
        "--slow-client-timeout": ["1s", "10s", "60s"],
        "--ws-heartbeat-interval": ["1s", "30s"],
        "--recent-events": ["16", "256"],
        "--recent-bytes": ["0", "20000", "64M"],
        "--channel-linger": ["0", "100ms", "10s"],
    }
    fixed = {"--session-lease": "5s", "--socketio-ping-interval": "3s", "--socketio-ping-timeout": "5s", "--max-connections-per-session": "100"}
    words = {**{name: rng.choice(values) for name, values in choices.items()}, **fixed}
    return [word for pair in words.items() for word in pair]


class Writer(threading.Thread):
    """Sends something else each time. Whether what was not answered was done, Redis will know."""

    def __init__(self, site, keys, number, seed):
        super().__init__(daemon=True)
        self.site, self.keys, self.label, self.rng = site, keys, f"w{number}", random.Random(seed)
        self.count = self.doubtful = 0
        self.stopping = threading.Event()
        self.problem = None
        self.start()

    def run(self):
        client = None
        while not self.stopping.wait(self.rng.expovariate(SENDS_PER_S / WRITERS)):
            try:
                client = client or self.site.client()
                self._write(client)
            except (redis.RedisError, OSError, EOFError):
                self.doubtful += 1
                client = None
                self.stopping.wait(0.1)
            except Exception as problem:  # told by the episode
                self.problem = repr(problem)
                return

    def _write(self, client):
        key = self.rng.choice(self.keys)
        number = f"{self.label}-{self.count + self.doubtful}"
        id_ = client.execute_command("NOTIFY.SEND", key, number, "CONTENT", "x" * self.rng.choice([10, 100, 1000]))
        self.count += 1
        if self.rng.random() < 0.1:
            client.execute_command("NOTIFY.READ", key, id_)


class Episode:
    def __init__(self, group, name, seed, readers):
        self.rng = random.Random(seed)
        self.words = options(self.rng)
        print(f"  {name} of {seed}: {' '.join(self.words)}", flush=True)
        self.site = SITES[name](group, random.Random(f"{seed} site"), self.words)
        self.readers = make_readers(self.site.bridges, self.rng, readers, USERS, TOPICS)
        for reader in self.readers:
            reader.repeats = not self.site.lossy
        self.keys = sorted({key for reader in self.readers for key in reader.records})
        self.writers, self.done = [], collections.Counter()

    def begin(self):
        for reader in self.readers:
            reader.start()
        for reader in self.readers:
            assert reader.ready.wait(SETTLE_S), f"{reader.name} does not get in: {reader.problem} {reader.latest}"
        for n in range(WRITERS):
            self.writers.append(Writer(self.site, self.keys, n, self.rng.random()))

    def make_trouble(self, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            deed = self.rng.choice(self.site.deeds())
            self.done[deed.__name__] += 1
            print(f"    {deed.__name__}", flush=True)
            deed()
            time.sleep(self.rng.choice([0, 0.2, 1, 2]))
            self._check()

    def _check(self):
        problems = [(one.name, one.problem) for one in [*self.readers, *self.writers] if one.problem]
        assert not problems, problems
        self.site.check_running()

    # -- the reckoning

    def settle(self):
        """Nothing else happens any more; each box gets a last entry, and each reader reads up to that."""
        self.site.heal()
        for writer in self.writers:
            writer.stopping.set()
            writer.join(SETTLE_S)
        goal = {key: f"the last of {key}" for key in self.keys}
        self._send_last(goal)
        for reader in self.readers:
            reader.goal = goal
        deadline = time.monotonic() + SETTLE_S
        again = time.monotonic() + AGAIN_S
        while not all(reader.is_done() for reader in self.readers) and time.monotonic() < deadline:
            self._check()
            time.sleep(0.05)
            if self.site.lossy and time.monotonic() > again:
                self._send_last_again({key: goal[key] for reader in self.readers for key in self._lacks(reader)})
                again = time.monotonic() + AGAIN_S
        self._check()
        late = [f"{reader.name} lacks {self._lacks(reader)}; {reader.latest}" for reader in self.readers if not reader.is_done()]
        assert not late, "\n".join(late)

    def _send_last(self, goal):
        """Once: what Redis has it does not take again."""
        for key, title in goal.items():
            self.site.run("NOTIFY.SEND", key, title, "IDEMPOTENT", title)

    def _send_last_again(self, goal):
        try:
            self._send_last(goal)
        except (redis.RedisError, OSError):
            pass  # another time

    @staticmethod
    def _lacks(reader):
        return {key: (record.position(), len(record.had)) for key, record in reader.records.items() if reader.goal[key] not in reader.seen}

    def judge(self):
        found = list(faults(self.readers, self.site.run, self.site.lossy))
        assert not found, "\n".join(found)
        gaps = [(reader.name, key, record.gaps, record.told) for reader in self.readers for key, record in reader.records.items() if record.gaps]
        assert self.site.lossy or not gaps, f"told of what was not lost: {gaps}"
        return len(gaps)

    def check_presence(self):
        """Whoever is there, as often as he is, and nobody else; and then nobody."""
        for reader in self.readers:
            reader.close_forgotten()
        wanted = collections.Counter(reader.user for reader in self.readers)
        try:
            wait_until(lambda: self._connections_of(wanted) == wanted, "presence as it is", SETTLE_S)
        except AssertionError as late:
            found = self._connections_of(wanted)
            wrong = {user: f"{found[user]} and not {wanted[user]}" for user in wanted if found[user] != wanted[user]}
            raise AssertionError(f"{late}: {wrong}") from None
        for reader in self.readers:
            reader.released.set()
        for reader in self.readers:
            reader.join(SETTLE_S)
            assert not reader.is_alive(), f"{reader.name} hangs: {reader.latest}"
            reader.close_forgotten()
        wait_until(lambda: not self.site.leftovers(), "the end of all that clients had in Redis", SETTLE_S)
        wait_until(lambda: not any(map(self._held_by, self.site.bridges)), "bridges' having forgotten them", SETTLE_S)

    def _connections_of(self, users):
        return collections.Counter(
            {user: self.site.run("NOTIFY.SESSION", "COUNT", f"sessions:{user}", "CONNECTIONS") for user in users}
        )

    @staticmethod
    def _held_by(bridge):
        """What it says that it holds for clients."""
        counted = bridge.metrics()
        names = ("notify_connections{", "notify_subscriptions", "notify_commands_in_line", "notify_session_sets")
        return {name: value for name, value in counted.items() if name.startswith(names) and value and "dropped" not in name}

    def close(self):
        for writer in self.writers:
            writer.stopping.set()
        for reader in self.readers:
            reader.released.set()
        for thread in [*self.writers, *[reader for reader in self.readers if reader.is_alive()]]:
            thread.join(SETTLE_S)
        for reader in self.readers:
            reader.close_forgotten()
        self.site.close()


def episode(name, seed, seconds, readers):
    group, one = Group(), None
    try:
        one = Episode(group, name, seed, readers)
        one.begin()
        one.make_trouble(seconds)
        one.settle()
        gaps = one.judge()
        one.check_presence()
        sent, doubtful = sum(writer.count for writer in one.writers), sum(writer.doubtful for writer in one.writers)
        had = sum(len(record.had) for reader in one.readers for record in reader.records.values())
        print(f"  {readers} readers, {sum(reader.connections for reader in one.readers)} connections; {sent} sent ({doubtful} doubtful), {had} had;"
              f" 0 lost, 0 twice, 0 out of order; {gaps} gaps told; {dict(one.done)}", flush=True)  # fmt: skip
    except BaseException:
        print(group.tails())
        if one:
            print(f"  {name} of {seed}: {' '.join(one.words)}; {dict(one.done)}", flush=True)
        raise
    finally:
        if one:
            one.close()
        group.close()
