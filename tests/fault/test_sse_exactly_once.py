"""Readers of streams of events that are cut off anywhere, and come back with the last id that they have had:
each entry once, in order, none left out, whatever happens to them and to two bridges."""

import random
import threading
import time

from crowd import PATIENCE_S, Writer, new_seed, number_of
from servers import wait_until
from sse_client import SseClient
from ws_client import Refused

BOXES = {"notify.max-entries": 100000}


class Reader(threading.Thread):
    """An EventSource without patience: it reads so many bytes, which may end in the middle of anything,
    and connects again, perhaps to the other bridge."""

    def __init__(self, bridges, user, topics, seed, version="1.1"):
        super().__init__(daemon=True)
        self.bridges = bridges
        self.user = user
        self.topics = topics
        self.rng = random.Random(seed)
        self.version = version
        self.got = {key: [] for key in [f"inbox:{user}", "topic:all", *(f"topic:{name}" for name in topics)]}
        self.connections = 0
        self.last_event_id = None
        self.gaps = []
        self.problem = None
        self.ready = threading.Event()
        self.goal = None
        self.start()

    def is_done(self):
        return self.goal is not None and all(
            self.got[key] and number_of(self.got[key][-1]) >= number_of(id_) for key, id_ in self.goal.items()
        )

    def run(self):
        deadline = time.monotonic() + 3 * PATIENCE_S
        while not self.is_done() and not self.problem:
            try:
                self._connect_and_read()
            except (Refused, OSError):
                time.sleep(0.02)  # the bridge is away, and nothing tells when it is back
            except Exception as problem:  # told by check()
                self.problem = repr(problem)
            if time.monotonic() > deadline:
                self.problem = self.problem or "not done in time"

    def _connect_and_read(self):
        stream = SseClient(
            self.rng.choice(self.bridges).port, last_event_id=self.last_event_id, version=self.version,
            user=self.user, topics=",".join(self.topics),
        )  # fmt: skip
        try:
            self._read(stream, self.rng.choice((300, 3000, 30000)))
        finally:
            self.last_event_id = stream.last_event_id or self.last_event_id
            stream.close()

    def _read(self, stream, bytes_max):
        """Byte for byte up to there, as if the line had been cut behind the last one."""
        left = self.rng.randrange(1, bytes_max)
        stream.sock.settimeout(1)
        head = b""
        while b"\r\n\r\n" not in head:
            byte = stream.sock.recv(1)
            if not byte:
                return
            head += byte
        if not head.startswith(b"HTTP/1.1 200"):
            raise Refused(int(head.split(b" ", 2)[1]), b"")
        self.connections += 1
        stream.status = 200
        if b"chunked" in head:
            stream.dechunker = stream.new_dechunker()
        while left > 0 and not self.is_done():
            try:
                data = stream.sock.recv(min(left, 4096))
            except TimeoutError:
                continue
            if not data:
                return
            left -= len(data)
            stream.take(data)
            while stream.parser.events:
                self._on_event(stream.parser.events.pop(0))
            if stream.dechunker is not None and stream.dechunker.whole:
                return  # a proxy keeps the connection then

    def _on_event(self, event):
        message = event.json
        if event.type == "connection":
            self.ready.set()
        elif event.type == "gap":
            self.gaps.append(message)
        elif event.type == "error":
            self.problem = message
        elif "id" in message and "key" in message:
            self.got[message["key"]].append(message["id"])


class Readers:
    """log: the broadcast log is written to as well, which others follow, too."""

    def __init__(self, server, bridges, seed, count, versions=("1.1", "1.0"), log=True):
        rng = random.Random(seed)
        names = [f"s{n}" for n in range(4)]
        self.readers = [
            Reader(bridges, f"u{n % 3}", rng.sample(names, 2), rng.random(), versions[n % len(versions)])
            for n in range(count)
        ]
        for reader in self.readers:
            assert reader.ready.wait(PATIENCE_S), reader.problem
        keys = sorted({key for reader in self.readers for key in reader.got if log or key != "topic:all"})
        self.writer = Writer(server, keys, rng.random(), pause_s=0.002)

    def reconnects(self):
        return sum(reader.connections - 1 for reader in self.readers)

    def check(self):
        self.writer.stop()
        assert self.writer.doubtful == 0
        for reader in self.readers:
            reader.goal = {key: ids[-1] for key, ids in self.writer.acked.items() if ids and key in reader.got}
        for reader in self.readers:
            reader.join(PATIENCE_S)
            assert reader.problem is None, reader.problem
            lacks = {key: id_ for key, id_ in reader.goal.items() if reader.got[key][-1:] != [id_]}
            assert not lacks, f"{reader.user} at {reader.last_event_id} lacks {lacks}"
            reader.join(PATIENCE_S)
            assert not reader.is_alive()
            for key, got in reader.got.items():
                assert got == self.writer.acked.get(key, []), key
            assert reader.gaps == []


def test_a_thousand_reconnects_over_bridges_that_are_killed_lose_nothing_and_repeat_nothing(programs):
    server = programs.redis(config=BOXES)
    bridges = [programs.bridge(server, name=f"bridge{n}") for n in range(2)]
    crowd = Readers(server, bridges, new_seed(), count=8)
    kills = 0
    while crowd.reconnects() < 1000 or kills < 6:
        goal = crowd.reconnects() + 120
        wait_until(lambda: crowd.reconnects() >= goal, "more reconnects", PATIENCE_S)
        bridges[kills % 2].kill9() if kills % 3 else bridges[kills % 2].terminate()
        crowd.writer.wait_for_more(20)
        bridges[kills % 2].start()
        kills += 1
    crowd.check()


def test_readers_whose_queues_are_dropped_all_the_time_get_everything_once(programs):
    """Everything that can fall back on Redis does."""
    server = programs.redis(config=BOXES)
    bridge = programs.bridge(
        server, *("--outbox-bytes", "4K", "--recent-bytes", "0", "--channel-linger", "0")
    )
    crowd = Readers(server, [bridge], new_seed(), count=6)
    wait_until(lambda: crowd.reconnects() >= 150, "reconnects", 2 * PATIENCE_S)
    crowd.check()
