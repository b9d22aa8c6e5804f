"""Peers that come, go and die at the wrong moments, and what lies in Redis in the place of session
sets: whoever else is there does not notice, and in the end Redis knows just those who are there."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from raw_peer import RawPeer
from servers import wait_until
from ws_client import WsClient

pytestmark = pytest.mark.measures  # ten thousand connections want all of the machine

LEASE = ("--session-lease", "2s")


@pytest.fixture
def front(programs, redis_server):
    """A bridge with short leases, its redis client, and an honest client that must go on."""
    bridge = programs.bridge(redis_server, *LEASE)
    honest = WsClient(bridge.port, "/ws/honest?user=honest")
    honest.expect(type="connection")
    yield bridge, redis_server.client(), honest
    honest.close()


def count(redis, key):
    return redis.execute_command("NOTIFY.SESSION", "COUNT", key, "CONNECTIONS")


def sets(redis):
    return set(redis.scan_iter(_type="notifyses", count=1000))


def assert_served(redis, honest):
    id_ = redis.execute_command("NOTIFY.SEND", "inbox:honest", "x")
    assert honest.expect(type="notification")["id"] == id_
    assert honest.request("presence", user_id="honest")["connections"] == 1


def test_ten_thousand_that_open_and_close_leave_nothing(front):
    bridge, redis, honest = front
    fds = bridge.open_fds()
    for n in range(10_000):
        peer = RawPeer(bridge.port, f"/ws/s{n % 50}?user=u{n % 500}")
        peer.sock.close()
        if n % 200 == 0:  # who reads nothing for long is not there any more
            assert_served(redis, honest)
    wait_until(lambda: sets(redis) == {"sessions:honest", "ws:session:honest"}, "an empty Redis")
    wait_until(lambda: bridge.open_fds() <= fds + 2, "all descriptors' being closed")
    assert_served(redis, honest)


def test_who_dies_while_it_is_opened_is_forgotten(front, redis_server):
    """Redis stands still while they come and go: what was asked for them is answered later."""
    bridge, redis, honest = front

    def come_and_go(n):
        peer = RawPeer(bridge.port, f"/ws/s{n % 3}?user=u{n % 7}")  # greeted late: Redis says nothing
        if n % 2 == 0:
            peer.reset_on_close()
        peer.sock.close()

    os.kill(redis_server.pid, signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(30) as pool:
            list(pool.map(come_and_go, range(300)))
    finally:
        os.kill(redis_server.pid, signal.SIGCONT)
    wait_until(lambda: sets(redis) == {"sessions:honest", "ws:session:honest"}, "an empty Redis")
    assert_served(redis, honest)


def test_redis_is_stopped_while_hundreds_come_and_go(front, redis_server):
    bridge, redis, honest = front
    stay = []
    for n in range(60):
        if n == 20:
            redis_server.kill9()
            bridge.wait_line("redis_link_down")
        if n == 40:
            redis_server.start()
        stay.append(RawPeer(bridge.port, f"/ws/s{n}?user=stays"))
        RawPeer(bridge.port, f"/ws/x{n}?user=goes").sock.close()
    redis = redis_server.client()
    wait_until(lambda: count(redis, "sessions:stays") == 60, "all that stayed")
    wait_until(lambda: count(redis, "sessions:goes") == 0, "those that went")
    for peer in stay:
        peer.sock.close()
    wait_until(lambda: count(redis, "sessions:stays") == 0, "nobody's being there")
    assert honest.request("ping")["type"] == "pong"


def test_a_flood_of_kicks_closes_those_who_are_meant_and_nobody_else(front):
    bridge, redis, honest = front
    victims = [WsClient(bridge.port, f"/ws/v{n}?user=victim") for n in range(20)]
    for victim in victims:
        victim.expect(type="connection")
    for _ in range(20):
        pipe = redis.pipeline(transaction=False)
        for n in range(500):
            pipe.execute_command("NOTIFY.SESSION", "KICK", "sessions:victim", f"v{n % 30}")
            pipe.execute_command("NOTIFY.SESSION", "KICK", "sessions:nobody", "*")
            pipe.publish("sessions:honest", '{"type":"kick","session_id":"honest"}')
        pipe.execute()
    assert [victim.wait_closed().code for victim in victims] == [4410] * 20
    assert_served(redis, honest)


def test_who_is_kicked_as_fast_as_it_comes_harms_nobody(front):
    bridge, redis, honest = front
    until = time.monotonic() + 5
    kicked = 0
    while time.monotonic() < until:
        peer = RawPeer(bridge.port, "/ws/v?user=victim")
        redis.execute_command("NOTIFY.SESSION", "KICK", "sessions:victim", "*")
        peer.sock.close()
        kicked += 1
    assert kicked > 20
    wait_until(lambda: count(redis, "sessions:victim") == 0, "the last one's end")
    assert_served(redis, honest)


@pytest.mark.parametrize("make", ["string", "list", "box", "taken away again and again"])
def test_what_is_no_session_set_keeps_nobody_out(make, front):
    bridge, redis, honest = front
    keys = ["sessions:alice", "ws:session:a", "presence:t"]

    def spoil():
        for key in keys:
            pipe = redis.pipeline()  # so that no bridge opens it in between
            pipe.delete(key)
            if make == "string":
                pipe.set(key, "x")
            elif make == "list":
                pipe.rpush(key, "x")
            elif make == "box":
                pipe.execute_command("NOTIFY.SEND", key, "x")
            pipe.execute()

    for _ in range(10):
        spoil()
        tab = WsClient(bridge.port, "/ws/a?user=alice")
        tab.expect(type="connection")
        assert tab.request("subscribe", topic="t", presence=True)["status"] == "subscribed"
        tab.request("subscribe_presence", topic="t")
        spoil()
        assert tab.request("ping")["type"] == "pong"
        tab.close()
    assert_served(redis, honest)


def test_a_watcher_that_does_not_read_is_told_how_it_stands_instead_of_each_step(programs, redis_server):
    bridge = programs.bridge(redis_server, *LEASE, "--outbox-bytes", "20000")
    redis = redis_server.client()
    watcher = RawPeer(bridge.port, "/ws?user=watcher")
    watcher.expect(type="connection")
    watcher.send({"type": "subscribe_presence", "user_id": "busy"})
    watcher.expect(type="presence", key="sessions:busy")
    for _ in range(200):
        pipe = redis.pipeline(transaction=False)
        for _ in range(50):
            pipe.execute_command("NOTIFY.SESSION", "OPEN", "sessions:busy", "s" * 100, "c", "LEASE", 60000)
            pipe.execute_command("NOTIFY.SESSION", "CLOSE", "sessions:busy", "c")
        pipe.execute()
    pipe = redis.pipeline(transaction=False)
    for n in range(3):
        pipe.execute_command("NOTIFY.SESSION", "OPEN", "sessions:busy", f"last{n}", f"c{n}", "LEASE", 60000)
    pipe.execute()
    steps = 0
    while watcher.expect(type="presence", timeout=30)["connections"] < 3:
        steps += 1
    assert steps < 5000, "what is held for it is a part of 20,000 steps"
    watcher.sock.close()


def test_the_name_that_stands_for_every_session_is_no_session(front):
    """NOTIFY.SESSION KICK takes * for all; so nobody may be called so, or go without a limit."""
    bridge, redis, honest = front
    closed = WsClient(bridge.port, "/ws/*?user=mallory").wait_closed()
    assert closed.code == 4400
    assert_served(redis, honest)
