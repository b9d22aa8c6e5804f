"""Redis publishes faster than the bridge can send, at the limits that it has by default: it does not cut the bridge off, and
every client gets everything once and in order."""

import os
import re
import selectors
import socket
import threading
import time

import pytest

from servers import bridge_path, host_path, wait_until
from ws_client import WsClient

INBOXES = 400
SENDS = 16000  # of 4.4 KB as they are published: twice what Redis keeps for a subscriber
CONTENT = "x" * 4000
CHUNK = 200
CHUNK_S = 0.05
SEND_US = 2000  # that sending to a client takes: eight times as long as the pace of the burst leaves for it
ROOM = 1 << 18  # so much a client takes without reading


def slow_to_send(send_us=SEND_US):
    """The environment of a bridge whose clients are dear to send to."""
    with open(bridge_path(), "rb") as file:
        sanitizer = re.search(rb"\0(libasan\.so\.\d+)\0", file.read())
    preload = [sanitizer.group(1).decode()] if sanitizer else []
    return {"LD_PRELOAD": ":".join(preload + [host_path("slow_send_shim.so")]), "NOTIFY_SEND_US": str(send_us)}


def send_burst(server, bridge):
    """(ids by inbox, in their order; the most that the bridge said that it held meanwhile)"""
    held = 0
    sent = {n: [] for n in range(INBOXES)}
    client = server.client()
    for start in range(0, SENDS, CHUNK):
        time.sleep(CHUNK_S)  # the pace of the burst, not a wait for something
        pipe = client.pipeline(transaction=False)
        for n in range(start, start + CHUNK):
            pipe.execute_command("NOTIFY.SEND", f"inbox:u{n % INBOXES}", f"number {n}", "CONTENT", CONTENT)
        for n, id_ in enumerate(pipe.execute(), start):
            sent[n % INBOXES].append(id_)
        if start % (10 * CHUNK) == 0:
            held = max(held, bridge.metrics()["notify_read_ahead_bytes"])
    return sent, held


def subscribers_of(server):
    """The numbers of the bridge's connections that hear."""
    return {one["id"] for one in server.client().client_list() if "subscriber" in one["name"]}


def ids_up_to(tab, last):
    got = []
    while not got or got[-1] != last:
        message = tab.recv(timeout=120)
        if "id" in message:
            got.append(message["id"])
    return got


@pytest.fixture
def burst(programs):
    """burst(*args): (the bridge, its clients), about to get more than it can send; Redis has its own limits."""
    tabs = []

    def start(*args):
        server = programs.redis(config={"notify.max-entries": SENDS})
        limits = server.client().config_get("client-output-buffer-limit")["client-output-buffer-limit"]
        assert "pubsub 33554432 8388608 60" in limits
        bridge = programs.bridge(server, *args, env=slow_to_send())
        tabs.extend(WsClient(bridge.port, f"/ws/c{n}?user=u{n}", receive_buffer=ROOM) for n in range(INBOXES))
        for tab in tabs:
            tab.expect(type="connection")
        return server, bridge, tabs

    yield start
    for tab in tabs:
        tab.close()


@pytest.mark.parametrize("room_kib", [512 * 1024, 256])
def test_a_burst_that_is_more_than_the_server_keeps_does_not_cut_the_link(burst, room_kib):
    server, bridge, tabs = burst("--read-ahead-bytes", f"{room_kib}K")
    before = subscribers_of(server)
    sent, held = send_burst(server, bridge)
    assert 0 < held <= room_kib * 1024 + 8192, "by one message more at the most"
    for n, tab in enumerate(tabs):
        assert ids_up_to(tab, sent[n][-1]) == sent[n]
    assert subscribers_of(server) == before, "the links are the same"
    metrics = bridge.metrics()
    dropped = metrics['notify_limit_hits_total{limit="read-ahead-bytes"}']
    assert (dropped > 0) == (room_kib == 256), dropped
    wait_until(lambda: bridge.metrics()["notify_read_ahead_bytes"] == 0, "nothing waits any more")
    assert metrics["notify_events_delivered_total"] == SENDS
    assert metrics["notify_events_lost_total"] == 0


def test_what_is_not_stored_and_has_no_room_is_counted_as_lost(burst):
    server, bridge, tabs = burst("--read-ahead-bytes", "64K")
    client = server.client()
    pipe = client.pipeline(transaction=False)
    for n in range(2000):
        pipe.execute_command("NOTIFY.EVENT", f"inbox:u{n % INBOXES}", "tick", "DATA", f'{{"n":{n}}}', "NOSTORE")
    pipe.execute()
    last = [client.execute_command("NOTIFY.SEND", f"inbox:u{n}", "the last") for n in range(INBOXES)]
    got = 0
    for n, tab in enumerate(tabs):
        numbers = []
        while True:
            message = tab.recv(timeout=60)
            if message["type"] == "tick":
                numbers.append(message["n"])
            if message.get("id") == last[n]:
                break
        assert numbers == sorted(set(numbers)), "in their order, each once"
        got += len(numbers)
    metrics = bridge.metrics()
    assert got < 2000, "some had no room"
    assert got + metrics["notify_events_lost_total"] == 2000
    assert metrics['notify_broadcast_deliveries_total{outcome="too_slow"}'] == 2000 - got


# -- From many connections, more than can be delivered.

FLOOD_S = float(os.environ.get("NOTIFY_FLOOD_S", "0"))  # 30: for so long twice what can be delivered; 0: FLOOD_BYTES at once
FLOOD_BYTES = 90_000_000  # as they are published; the server keeps 32 MiB for a link, and there are four
PUBLISHERS = 50
FLOOD_SEND_US = 100
TICK_S = 0.01
ENTRY = re.compile(rb'"id":"(\d+-\d+)","prev"')
TELLING = re.compile(rb'"type":"(?:resumed|connection|error)"')
OVERLAP = 64  # bytes, in which the begin of what is looked for may stand


class Publisher:
    """One of those connections: sends to its own inboxes in turn, and keeps what it was answered."""

    def __init__(self, port, inboxes):
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.setblocking(False)
        self.inboxes = inboxes
        self.commands = [self._command(f"inbox:u{n}") for n in inboxes]
        self.count = self.lines = 0
        self.to_write, self.answered = memoryview(b""), bytearray()

    @staticmethod
    def _command(key):
        words = ["NOTIFY.SEND", key, "Build finished", "CONTENT", CONTENT]
        return ("*5\r\n" + "".join(f"${len(word)}\r\n{word}\r\n" for word in words)).encode()

    def is_writing(self):
        return len(self.to_write) > 0

    def send(self, count):
        """Once what was to be sent before is on its way."""
        at = self.count % len(self.commands)
        times = count // len(self.commands) + 2
        self.to_write = memoryview(b"".join((self.commands * times)[at : at + count]))
        self.count += count

    def work(self):
        try:
            if self.is_writing():
                self.to_write = self.to_write[self.sock.send(self.to_write[: 1 << 18]) :]
        except BlockingIOError:
            pass
        try:
            data = self.sock.recv(1 << 16)
            assert data, "the server goes on"
            self.answered += data
            self.lines += data.count(b"\n")
        except BlockingIOError:
            pass

    def is_answered(self):
        return self.lines == 2 * self.count

    def ids(self):
        """{inbox: its ids in their order}"""
        ids = re.findall(rb"\$\d+\r\n(\d+-\d+)\r\n", self.answered)
        assert len(ids) == self.count, "each was answered by an id"
        return {inbox: ids[at :: len(self.inboxes)] for at, inbox in enumerate(self.inboxes)}


class Readers(threading.Thread):
    """Takes in all that comes for the clients."""

    def __init__(self, tabs):
        super().__init__(daemon=True)
        self.tabs = tabs
        self.got = [[] for _ in tabs]
        self.rest = [b""] * len(tabs)
        self.told = []  # what was said to one of them besides
        self.count = 0
        self.ended = False
        self.poller = selectors.DefaultSelector()
        for n, tab in enumerate(tabs):
            self.poller.register(tab.sock, selectors.EVENT_READ, n)
        self.start()

    def run(self):
        while not self.ended:
            for key, _ in self.poller.select(0.1):
                self._take(key.data, self.tabs[key.data].sock.recv(1 << 18))

    def _take(self, n, data):
        self.ended |= not data
        text = self.rest[n] + data
        behind = max(0, len(text) - OVERLAP)
        for found in ENTRY.finditer(text):
            self.got[n].append(found[1])
            self.count += 1
            behind = max(behind, found.end())
        self.told += TELLING.findall(text)  # one that stands in the overlap twice: that is one too many in any case
        self.rest[n] = text[behind:]

    def wait_for(self, count):
        wait_until(lambda: self.count >= count or self.ended, f"{count} entries", timeout=120 + 20 * FLOOD_S)
        self.ended = True
        self.join()


def dirty_bytes(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return 1024 * int(re.search(r"Private_Dirty:\s+(\d+) kB", file.read())[1])


class Gauge:
    """The most that the bridge said that it held, and that it took."""

    def __init__(self, bridge):
        self.bridge = bridge
        self.first = dirty_bytes(bridge.pid)
        self.held = self.taken = 0
        self.looked = 0

    def look(self):
        if time.monotonic() < self.looked + 0.2:
            return
        metrics = self.bridge.metrics()
        held = metrics["notify_read_ahead_bytes"] + metrics['notify_memory_held_bytes{what="stashed"}']
        self.held = max(self.held, held)
        self.taken = max(self.taken, dirty_bytes(self.bridge.pid) - self.first)
        self.looked = time.monotonic()


def deliver_one_by_one(publishers, readers):
    """Entries per second, when no more are on their way than there are clients."""
    began = time.monotonic()
    total = 0
    while time.monotonic() < began + 1:
        for publisher in publishers:
            publisher.send(len(publisher.inboxes))
            total += len(publisher.inboxes)
        while readers.count < total:
            for publisher in publishers:
                publisher.work()
    return total / (time.monotonic() - began)


def flood(publishers, gauge, per_s):
    """per_s: entries, for FLOOD_S; 0: FLOOD_BYTES as fast as the server takes them. Returns how long it took."""
    began = time.monotonic()
    due, sent = 0, 0
    total = int(per_s * FLOOD_S or FLOOD_BYTES / len(CONTENT))
    while sent < total or any(one.is_writing() for one in publishers):
        due = min(total, per_s * (time.monotonic() - began)) if per_s else total
        for one in publishers:
            if not one.is_writing() and sent < due:
                each = int(max(1, (due - sent) / len(publishers))) if per_s else total // len(publishers) + 1
                one.send(each)
                sent += each
            one.work()
        gauge.look()
        time.sleep(TICK_S if per_s else 0)  # the pace of it
    took = time.monotonic() - began
    wait_until(lambda: [one.work() for one in publishers] and all(one.is_answered() for one in publishers), "all answers", timeout=120)
    return took


@pytest.mark.parametrize("room_mib", [64, 2])
def test_what_many_publishers_send_at_once_or_for_long_cuts_no_link(programs, room_mib):
    server = programs.redis(config={"notify.max-entries": 100000})
    limits = server.client().config_get("client-output-buffer-limit")["client-output-buffer-limit"]
    assert "pubsub 33554432 8388608 60" in limits
    args = ["--read-ahead-bytes", f"{room_mib}M", "--ws-heartbeat-interval", "1h", "--delivery-log", "off"]
    bridge = programs.bridge(server, *args, env=slow_to_send(FLOOD_SEND_US))
    tabs = [WsClient(bridge.port, f"/ws/c{n}?user=u{n}", receive_buffer=ROOM) for n in range(INBOXES)]
    for tab in tabs:
        tab.expect(type="connection")
    links = subscribers_of(server)
    publishers = [Publisher(server.port, list(range(n, INBOXES, PUBLISHERS))) for n in range(PUBLISHERS)]
    readers = Readers(tabs)
    rate = deliver_one_by_one(publishers, readers)
    gauge = Gauge(bridge)
    took = flood(publishers, gauge, 2 * rate if FLOOD_S else 0)
    total = sum(one.count for one in publishers)
    left, began = total - readers.count, time.monotonic()
    while readers.count < total and not readers.ended and time.monotonic() < began + 30:
        gauge.look()
        time.sleep(TICK_S)
    readers.wait_for(total)
    assert readers.count == total, f"{readers.count} of {total} came, {len(readers.told)} {readers.told[:3]}"
    metrics = bridge.metrics()
    dropped = metrics['notify_limit_hits_total{limit="read-ahead-bytes"}']
    print(f"{rate:.0f} entries/s delivered one by one; {total} sent in {took:.1f} s, {left} left, {time.monotonic() - began:.1f} s later none;")
    print(f"held {gauge.held / 1e6:.1f} MB, memory {gauge.taken / 1e6:.1f} MB more; {dropped:.0f} dropped and read")
    assert not server.has_line("output buffer limits"), "no link was cut"
    assert subscribers_of(server) == links, "and all are the same"
    for publisher in publishers:
        for inbox, ids in publisher.ids().items():
            assert readers.got[inbox] == ids, f"inbox:u{inbox}: each once, in order"
    assert readers.told == [], "no client was told anything"
    assert metrics["notify_events_lost_total"] == 0
    assert 0 < gauge.held <= (room_mib << 20) + 2 * len(CONTENT), "by one message more at the most"
    for one in publishers + tabs:
        one.sock.close()
