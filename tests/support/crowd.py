"""Traffic with an oracle: writers that keep what was acknowledged, and clients that come and go.

The promise under test (docs/protocol.md, "Delivery"): over all its connections together a client that
resumes from where it was gets each entry once, in the order of ids, none left out."""

import contextlib
import os
import random
import threading
import time

import redis

from ws_client import Closed, Refused, WsClient

PATIENCE_S = 60


def new_seed():
    """Printed, which pytest shows when the test fails; NOTIFY_SEED repeats a run as far as threads
    allow."""
    seed = int(os.environ.get("NOTIFY_SEED", random.randrange(2**32)))
    print("NOTIFY_SEED", seed)
    return seed


def number_of(id_):
    ms, seq = id_.split("-")
    return int(ms), int(seq)


class Writer(threading.Thread):
    """Sends to random keys until stop(). A command whose answer is lost may have been done: it is
    counted in `doubtful`, and not repeated. delete: the share of sends after which an entry of the
    past is deleted again. Who holds `gate` keeps it from writing."""

    def __init__(self, server, keys, seed, pause_s=0.0005, delete=0.0):
        super().__init__(daemon=True)
        self.server = server
        self.keys = keys
        self.rng = random.Random(seed)
        self.pause_s = pause_s
        self.delete = delete
        self.acked = {key: [] for key in keys}
        self.deleted = set()
        self.count = self.doubtful = 0
        self.ended = threading.Event()
        self.gate = threading.Lock()
        self._stopping = threading.Event()
        self._news = threading.Condition()
        self.start()

    def run(self):
        client = self.server.client(socket_timeout=PATIENCE_S)
        while not self._stopping.is_set():
            try:
                with self.gate:
                    self._write(client)
            except redis.RedisError:  # also while the server loads its data
                self.doubtful += 1
                self._stopping.wait(0.01)
            self._stopping.wait(self.pause_s)  # the pace of the traffic
        self.ended.set()

    def _write(self, client):
        key = self.rng.choice(self.keys)
        id_ = client.execute_command("NOTIFY.SEND", key, f"number {self.count}")
        with self._news:
            self.acked[key].append(id_)
            self.count += 1
            self._news.notify_all()
        if self.rng.random() < self.delete:
            victim = self.rng.choice(self.acked[key])
            self.deleted.add((key, victim))  # before: from now on it need not arrive
            client.execute_command("NOTIFY.DEL", key, victim)

    def wait_for_more(self, count):
        """Until so many more have been acknowledged."""
        with self._news:
            goal = self.count + count
            assert self._news.wait_for(lambda: self.count >= goal, PATIENCE_S), "no traffic"

    def stop(self):
        self._stopping.set()
        assert self.ended.wait(PATIENCE_S), "the writer hangs"


class Walker(threading.Thread):
    """A client that follows an inbox and topics. With `roams` it leaves after a random number of
    messages and comes back, perhaps to another bridge; otherwise it stays for as long as it may."""

    def __init__(self, bridges, user, topics, seed, roams):
        super().__init__(daemon=True)
        self.bridges = bridges
        self.user = user
        self.topics = topics
        self.rng = random.Random(seed)
        self.roams = roams
        self.got = {key: [] for key in [f"inbox:{user}", *(f"topic:{name}" for name in topics)]}
        self.connections = 0
        self.gaps = []  # answers that say that something is lost
        self.problem = None
        self.ready = threading.Event()  # it follows everything, or did once
        self.goal = None  # {key: id} once nothing more will be sent
        self.start()

    def position(self, key):
        return self.got[key][-1] if self.got[key] else "0-0"

    def is_done(self):
        goal = self.goal
        return goal is not None and all(
            number_of(self.position(key)) >= number_of(goal[key]) for key in self.got
        )

    def run(self):
        deadline = time.monotonic() + 3 * PATIENCE_S
        while not self.is_done() and not self.problem:
            try:
                self._connect_and_read()
            except (Closed, Refused, OSError):
                time.sleep(0.02)  # the bridge is away, and nothing tells when it is back
            except Exception as problem:  # told by check()
                self.problem = repr(problem)
            if time.monotonic() > deadline:
                self.problem = self.problem or "not done in time"

    def _connect_and_read(self):
        path = f"/ws?user={self.user}&last_event_id={self.position('inbox:' + self.user)}"
        ws = WsClient(self.rng.choice(self.bridges).port, path)
        try:
            self._follow(ws)
            self.connections += 1
            self._read(ws, self.rng.randrange(1, 400) if self.roams else None)
        finally:
            # Some say goodbye, others are just gone.
            ws.close() if self.rng.random() < 0.5 else ws.sock.close()

    def _follow(self, ws):
        positions = {f"topic:{name}": self.position(f"topic:{name}") for name in self.topics}
        if self.rng.random() < 0.5:
            ws.send({"type": "resume", "positions": positions})
            return
        for name in self.rng.sample(self.topics, len(self.topics)):
            ws.send({"type": "subscribe", "topic": name, "last_id": positions[f"topic:{name}"]})

    def _read(self, ws, count):
        answers = 0
        while count != 0 and not self.is_done() and not self.problem:
            try:
                message = ws.recv(timeout=0.2)
            except TimeoutError:
                continue
            if message["type"] == "notification":
                self._take(message)
                count = None if count is None else count - 1
            elif message["type"] in ("resumed", "subscription"):
                results = message.get("results", {f"topic:{message.get('topic')}": message})
                answers += sum(key.startswith("topic:") for key in results)
                if answers >= len(self.topics):
                    self.ready.set()
                self._note_gap(message)
            elif message["type"] == "error" and message["error"]["code"] == "UNAVAILABLE":
                raise OSError("Redis is away")  # later
            elif message["type"] == "error":
                self.problem = f"refused: {message}"

    def _note_gap(self, message):
        results = message.get("results", {message.get("topic"): message})
        lost = {key: one for key, one in results.items() if not one.get("recovered", True)}
        if lost:
            self.gaps.append(lost)

    def _take(self, message):
        key, id_ = message["key"], message["id"]
        if number_of(id_) <= number_of(self.position(key)):
            self.problem = f"{key}: {id_} came after {self.position(key)}"
        self.got[key].append(id_)


class Crowd:
    """Walkers and writers of one test. flushed: boxes may be lost, and then begin anew; what has been
    acknowledged need not arrive, but what is there at the end."""

    def __init__(
        self, server, bridges, seed, users=3, topics=4, delete=0.0, writers=1, flushed=False
    ):
        self.server = server
        self.bridges = bridges
        self.rng = random.Random(seed)
        self.users = [f"user{n}" for n in range(users)]
        self.topics = [f"t{n}" for n in range(topics)]
        self.keys = [f"inbox:{u}" for u in self.users] + [f"topic:{t}" for t in self.topics]
        self.walkers = []
        self.writers = []
        self.flushed = flushed
        self._options = {"delete": delete}
        self._writer_count = writers

    def add_walkers(self, count, roams):
        for n in range(count):
            topics = self.rng.sample(self.topics, self.rng.randrange(1, len(self.topics) + 1))
            user = self.users[n % len(self.users)]
            self.walkers.append(Walker(self.bridges, user, topics, self.rng.random(), roams))

    def start_writing(self, **options):
        """Once everyone follows. options: of Writer."""
        for walker in self.walkers:
            assert walker.ready.wait(PATIENCE_S) and not walker.problem, walker.problem
        for _ in range(self._writer_count):
            writer = Writer(self.server, self.keys, self.rng.random(), **self._options, **options)
            self.writers.append(writer)

    def wait_for_more(self, count):
        self.writers[0].wait_for_more(count)

    @contextlib.contextmanager
    def silence(self):
        """Within it nothing is written."""
        with contextlib.ExitStack() as stack:
            for writer in self.writers:
                stack.enter_context(writer.gate)
            yield

    def count(self):
        return sum(writer.count for writer in self.writers)

    def finish(self):
        """Ends the traffic, waits until everyone has its last entry, and checks everything."""
        for writer in self.writers:
            writer.stop()
        last = {}
        for key in self.keys:
            last[key] = self.server.client().execute_command("NOTIFY.SEND", key, "the last one")
        for walker in self.walkers:
            walker.goal = last
        for walker in self.walkers:
            walker.join(2 * PATIENCE_S)
            self.check(walker)

    def stored(self, key):
        """The ids that the box holds."""
        found, start = [], "-"
        while True:
            reply = self.server.client().execute_command("NOTIFY.RANGE", key, start, "+")
            if not reply:
                return found
            found += [entry[0] for entry in reply]
            start = f"({found[-1]}"

    def check(self, walker):
        name = f"{walker.user} with {walker.topics}"
        assert not walker.problem, f"{name}: {walker.problem}"
        assert not walker.is_alive(), f"{name} did not get to the end: {walker.goal} {walker.got}"
        acked, deleted = {}, set()
        for writer in self.writers:
            deleted |= writer.deleted
            for key, ids in writer.acked.items():
                acked.setdefault(key, set()).update(ids)
        for key, got in walker.got.items():
            numbers = [number_of(id_) for id_ in got]
            assert numbers == sorted(set(numbers)), f"{name}: {key} out of order or repeated"
            needed = acked[key] - {id_ for of, id_ in deleted if of == key}
            if self.flushed:
                needed = set()
            end = number_of(walker.goal[key])
            needed.update(id_ for id_ in self.stored(key) if number_of(id_) <= end)
            missing = sorted(needed - set(got), key=number_of)
            assert not missing, f"{name}: {key} lacks {len(missing)}, first {missing[:3]}"

    def stop(self):
        for writer in self.writers:
            writer.stop()
        for walker in self.walkers:
            walker.problem = walker.problem or "stopped"
        for walker in self.walkers:
            walker.join(PATIENCE_S)
