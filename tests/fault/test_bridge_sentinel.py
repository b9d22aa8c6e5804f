"""Failovers by Sentinels under traffic: what the replica had reaches each client once, in order, and no
client is disconnected; and the old primary, which takes writes for ten seconds more, is left at once."""

import signal
import threading
import time

import pytest
import redis

from module_helpers import all_entries
from sentinels import NAME, Sentinels, call
from servers import Bridge, redis_client, wait_until
from ws_client import WsClient

KEY = "inbox:alice"
CATCH_UP_S = 60


class Site:
    """A primary with a replica, three Sentinels, a bridge, and clients of it."""

    def __init__(self, programs, **options):
        self.primary = programs.redis(name="first", **options)
        self.replica = programs.replica(self.primary, name="second", **options)
        self.sentinels = Sentinels(programs, self.primary)
        self.bridge = programs.add(Bridge(self.sentinels, "--redis-mode", "sentinel", "--sentinel-master", NAME))
        self.bridge.start()
        self.tabs = [WsClient(self.bridge.port, f"/ws/tab-{n}?user=alice") for n in range(2)]
        for tab in self.tabs:
            tab.expect(type="connection")

    def wait_moved(self, mark, server=None):
        """Until both links are at the server (the replica)."""
        port = (server or self.replica).port
        self.bridge.wait_line(f"event=redis_primary .*addr=127.0.0.1:{port} ", since=mark)
        self.bridge.wait_links("up", f"addr=127.0.0.1:{port}", since=mark)


class Writer(threading.Thread):
    """Sends to whoever is the primary, by the Sentinels' word. .kept: ids that the replica had, or that were sent
    to it once it was the primary."""

    def __init__(self, site):
        super().__init__(daemon=True)
        self.site = site
        self.kept, self.count = [], 0
        self.stopping = threading.Event()

    def primary(self):
        for one in self.site.sentinels.all:
            try:
                port = one.primary_port()
            except OSError:
                continue
            return port
        return None

    def run(self):
        while not self.stopping.is_set():
            port = self.primary()
            if port is None:
                self.stopping.wait(0.01)
                continue
            client = redis_client(port, socket_timeout=1)
            try:
                id_ = client.execute_command("NOTIFY.SEND", KEY, f"number {self.count}", "MAXLEN", 100000)
                self.count += 1
                if port == self.site.replica.port or client.wait(1, 500) >= 1:
                    self.kept.append(id_)
            except redis.RedisError:
                pass
            finally:
                client.close()
            self.stopping.wait(0.01)

    def wait_more(self, count=30):
        target = len(self.kept) + count
        wait_until(lambda: len(self.kept) >= target, "further sends", timeout=CATCH_UP_S)

    def finish(self):
        self.stopping.set()
        self.join(CATCH_UP_S)
        assert not self.is_alive()


@pytest.fixture
def site(programs):
    made = Site(programs)
    yield made
    for tab in made.tabs:
        tab.close()


@pytest.fixture
def writer(site):
    thread = Writer(site)
    thread.start()
    thread.wait_more()
    yield thread
    thread.stopping.set()
    thread.join(CATCH_UP_S)


def number_of(id_):
    ms, seq = id_.split("-")
    return int(ms), int(seq)


def read_to_end(tab, last):
    """Ids of the notifications up to that one; the connection must stand until then."""
    got = []
    deadline = time.monotonic() + CATCH_UP_S
    while not got or got[-1] != last:
        assert time.monotonic() < deadline, f"{last} did not come; {got[-3:]}"
        message = tab.recv(timeout=CATCH_UP_S)
        if message["type"] == "notification":
            got.append(message["id"])
    return got


def check(site, writer):
    """What the new primary has in the end has come to each client, once and in its order."""
    writer.finish()
    last = call(site.replica, "NOTIFY.SEND", KEY, "the last", "MAXLEN", 100000, "IDEMPOTENT", "the last")
    truth = [id_ for id_, _ in all_entries(site.replica.client().execute_command, KEY)]
    assert set(writer.kept) <= set(truth), "the servers themselves have lost something"
    for tab in site.tabs:
        got = read_to_end(tab, last)
        assert len(got) == len(set(got)), "something came twice"
        held = set(truth)
        assert [id_ for id_ in got if id_ in held] == sorted(truth, key=number_of)
    assert site.bridge.metrics()  # it has been there all the time


def test_nothing_is_lost_by_a_failover_by_hand(site, writer):
    mark = site.bridge.mark()
    site.sentinels.failover()
    site.wait_moved(mark)
    writer.wait_more()
    check(site, writer)


def test_nothing_is_lost_when_the_primary_is_killed(site, writer):
    mark = site.bridge.mark()
    site.primary.kill9()
    site.wait_moved(mark)
    writer.wait_more()
    check(site, writer)


def test_a_frozen_primary_is_left_and_what_it_takes_when_it_wakes_reaches_nobody(site, writer):
    mark = site.bridge.mark()
    site.primary.proc.send_signal(signal.SIGSTOP)
    try:
        site.wait_moved(mark)
    finally:
        site.primary.proc.send_signal(signal.SIGCONT)
    ghosts = []
    old = site.primary.client()
    try:
        while len(ghosts) < 100:
            ghosts.append(old.execute_command("NOTIFY.SEND", KEY, "a ghost"))
    except redis.RedisError:
        pass  # it has become a replica
    assert ghosts, "it took no writes"
    writer.wait_more()
    wait_until(lambda: site.primary.replication().get("role") == "slave", "the old primary's following")
    clients = call(site.primary, "CLIENT LIST")
    assert not [one for one in clients if one["name"].startswith("notify-bridge")], "it is still connected"
    writer.finish()
    last = call(site.replica, "NOTIFY.SEND", KEY, "the last", "MAXLEN", 100000, "IDEMPOTENT", "the last")
    truth = [id_ for id_, _ in all_entries(site.replica.client().execute_command, KEY)]
    for tab in site.tabs:
        got = read_to_end(tab, last)
        assert len(got) == len(set(got)) and not set(ghosts) & (set(got) - set(truth))
        assert [id_ for id_ in got if id_ in set(truth)] == sorted(truth, key=number_of)


def test_a_request_after_a_failover_by_hand_writes_to_the_new_primary(site):
    """The old one would take it, and lose it."""
    mark = site.bridge.mark()
    site.sentinels.failover()
    site.wait_moved(mark)
    (tab, _) = site.tabs
    id_ = call(site.replica, "NOTIFY.SEND", KEY, "to be read", "IDEMPOTENT", "to be read")
    tab.expect(type="notification", id=id_)
    answer = tab.request("mark_all_read")
    assert answer["type"] != "error", answer
    assert call(site.replica, "NOTIFY.BADGE", KEY)[:2] == ["unread", 0]
