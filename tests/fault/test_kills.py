"""Kills and restarts under traffic: each acknowledged entry reaches every client once, in order."""

import threading
import time

import pytest
import redis

from servers import wait_until
from ws_client import Closed, Refused, WsClient

SENDS = 1000
KEYS = ["inbox:alice", "topic:news"]
CATCH_UP_TIMEOUT_S = 60


class Writer(threading.Thread):
    """Sends SENDS notifications, alternating between the keys; keeps the ids that were acknowledged.
    A SEND whose answer is lost may or may not have been done; it is sent again as another one."""

    def __init__(self, server, pause_s=0.0):
        super().__init__(daemon=True)
        self.server = server
        self.pause_s = pause_s
        self.acked = {key: [] for key in KEYS}
        self.count = 0
        self.failed = False

    def run(self):
        client = self.server.client(socket_timeout=10)
        deadline = time.monotonic() + CATCH_UP_TIMEOUT_S
        while self.count < SENDS and time.monotonic() < deadline:
            key = KEYS[self.count % len(KEYS)]
            try:
                id_ = client.execute_command("NOTIFY.SEND", key, f"number {self.count}")
            except (redis.ConnectionError, redis.TimeoutError):
                time.sleep(0.01)  # the server is away: nothing tells when it is back
                continue
            self.acked[key].append(id_)
            self.count += 1
            if self.pause_s:
                time.sleep(self.pause_s)  # the pace of the traffic, not a wait for something
        self.failed = self.count < SENDS

    def wait_for(self, count):
        wait_until(lambda: self.count >= count, f"{count} sends", CATCH_UP_TIMEOUT_S)


class Reader(threading.Thread):
    """A client that reconnects for as long as it runs, each time from its position in each key."""

    def __init__(self, bridge, name):
        super().__init__(daemon=True)
        self.bridge = bridge
        self.name = name
        self.got = {key: [] for key in KEYS}  # ids in the order of arrival, all connections
        self.connections = 0
        self.ready = threading.Event()
        self.stopping = False
        self.problem = None

    def run(self):
        while not self.stopping:
            try:
                self._follow()
            except (Closed, Refused, OSError):
                time.sleep(0.02)  # the bridge is away: nothing tells when it is back
            except Exception as problem:  # shown by the test
                self.problem = problem
                return

    def _follow(self):
        inbox, topic = KEYS
        path = f"/ws/{self.name}?user=alice"
        subscribe = {"type": "subscribe", "topic": topic.split(":")[1]}
        # The first connection begins now; a later one where the one before it ended.
        if self.connections:
            path += f"&last_event_id={self._position(inbox)}"
            subscribe["last_id"] = self._position(topic)
        with WsClient(self.bridge.port, path) as ws:
            ws.send(subscribe)
            self.connections += 1
            while not self.stopping:
                try:
                    message = ws.recv(timeout=0.2)
                except TimeoutError:
                    continue
                if message["type"] == "subscription":
                    assert message.get("recovered", True), message
                    self.ready.set()
                elif message["type"] == "notification":
                    self.got[message["key"]].append(message["id"])

    def _position(self, key):
        return self.got[key][-1] if self.got[key] else "0-0"

    def has(self, acked):
        assert self.problem is None, self.problem
        return all(not ids or ids[-1] in self.got[key][-50:] for key, ids in acked.items())


def as_number(id_):
    ms, seq = id_.split("-")
    return int(ms), int(seq)


def check(writer, readers):
    """Every reader has each acknowledged id exactly once, and everything in order."""
    for reader in readers:
        wait_until(lambda r=reader: r.has(writer.acked), f"{reader.name}'s last entry", CATCH_UP_TIMEOUT_S)
        for key in KEYS:
            got = [as_number(id_) for id_ in reader.got[key]]
            assert got == sorted(set(got)), f"{reader.name}: {key} out of order or repeated"
            missing = set(writer.acked[key]) - set(reader.got[key])
            assert not missing, f"{reader.name}: {key} lacks {sorted(missing)[:5]} ({len(missing)})"


@pytest.fixture
def traffic(programs):
    """traffic(redis_options) -> (server, bridge, writer, readers), everything under way."""
    readers = []

    def start(**options):
        server = programs.redis(config={"notify.max-entries": 2 * SENDS}, **options)
        bridge = programs.bridge(server)
        readers.extend(Reader(bridge, f"tab-{n}") for n in range(3))
        for reader in readers:
            reader.start()
        for reader in readers:
            assert reader.ready.wait(30), f"{reader.name} did not get its subscription"
        writer = Writer(server, pause_s=0.001)
        writer.start()
        return server, bridge, writer, readers

    yield start
    for reader in readers:
        reader.stopping = True
    for reader in readers:
        reader.join(10)


def finish(writer):
    writer.join(CATCH_UP_TIMEOUT_S + 10)
    assert not writer.failed, "not all sends were acknowledged"


def test_nothing_is_lost_or_repeated_without_any_fault(traffic):
    _, _, writer, readers = traffic()
    finish(writer)
    check(writer, readers)


def test_a_bridge_that_is_killed_three_times_loses_and_repeats_nothing(traffic):
    _, bridge, writer, readers = traffic()
    for part in (1, 2, 3):
        writer.wait_for(part * SENDS // 4)
        bridge.kill9()
        bridge.start()
    finish(writer)
    check(writer, readers)
    assert all(reader.connections >= 2 for reader in readers)


def test_a_redis_that_is_restarted_with_appendfsync_everysec_loses_and_repeats_nothing(traffic):
    server, _, writer, readers = traffic(appendonly="yes", appendfsync="everysec")
    for part in (1, 2):
        writer.wait_for(part * SENDS // 3)
        assert server.terminate() == 0
        server.start()
    finish(writer)
    check(writer, readers)
    assert all(reader.connections == 1 for reader in readers), "the clients need not notice"


def test_a_redis_that_is_killed_with_appendfsync_always_loses_and_repeats_nothing(traffic):
    server, _, writer, readers = traffic(appendonly="yes", appendfsync="always")
    for part in (1, 2):
        writer.wait_for(part * SENDS // 3)
        server.kill9()
        server.start()
    finish(writer)
    check(writer, readers)


def test_bridge_and_redis_killed_together_lose_and_repeat_nothing(traffic):
    server, bridge, writer, readers = traffic(appendonly="yes", appendfsync="always")
    writer.wait_for(SENDS // 2)
    bridge.kill9()
    server.kill9()
    server.start()
    bridge.start()
    finish(writer)
    check(writer, readers)
