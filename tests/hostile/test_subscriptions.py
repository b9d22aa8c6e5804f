"""Peers that subscribe and leave, without end: what they leave behind is bounded."""

import json
import signal

from raw_peer import RawPeer, frame
from servers import wait_until
from ws_client import TEXT, WsClient

CYCLES = 3000


def text(**members):
    return frame(TEXT, json.dumps(members).encode())


def cycles(first, count):
    """Subscribing to so many topics, each left at once."""
    return b"".join(
        text(type="subscribe", topic=f"t{n}") + text(type="unsubscribe", topic=f"t{n}")
        for n in range(first, first + count)
    )


def expect_cycles(peer, count):
    left = 0
    while left < count:
        left += peer.recv().get("status") == "unsubscribed"


def test_topics_that_a_client_has_left_do_not_stay_for_ever_more(programs, redis_server):
    """384,900 of them stayed after 9 s. The ask of each subscription is done when it is left, so
    the limit on requests under way is none here."""
    bridge = programs.bridge(
        redis_server, "--channel-linger", "1h", "--max-lingering", "400", "--max-lingering-per-client", "100"
    )
    redis = redis_server.client()
    peers = [WsClient(bridge.port, f"/ws?user=m{n}") for n in range(6)]
    most = 0
    for n, peer in enumerate(peers):
        for start in range(0, CYCLES // 6, 100):
            peer.sock.sendall(cycles(n * CYCLES + start, 100))
            expect_cycles(peer, 100)
            most = max(most, bridge.metrics()["notify_channels_lingering"])
        followed = len(peers) + 1  # inboxes, and topic:all
        wait_until(lambda: bridge.metrics()["notify_channels"] <= followed + 100 * (n + 1), "the rest's end")
    assert 300 < most <= 400 + 20
    wait_until(lambda: bridge.metrics()["notify_channels"] <= followed + 400, "the limit in all")
    wait_until(lambda: len(redis.pubsub_channels("topic:t*")) <= 400, "Redis' knowing it")
    for peer in peers:
        peer.close()


def test_while_redis_stands_still_nothing_grows_without_end(programs, redis_server):
    """What was left stays until Redis has confirmed that it is."""
    bridge = programs.bridge(redis_server)
    honest = WsClient(bridge.port, "/ws?user=alice")
    honest.expect(type="connection")
    peers = [RawPeer(bridge.port, f"/ws?user=m{n}", receive_buffer=None) for n in range(4)]
    for peer in peers:
        peer.expect(type="connection")
    redis_server.proc.send_signal(signal.SIGSTOP)
    try:
        for n, peer in enumerate(peers):
            for start in range(0, CYCLES, 100):
                peer.send_raw(cycles(n * CYCLES + start, 100))
                expect_cycles(peer, 100)
        assert bridge.metrics()["notify_channels_lingering"] <= 4 * 128 + 20
    finally:
        redis_server.proc.send_signal(signal.SIGCONT)
    id_ = redis_server.client().execute_command("NOTIFY.SEND", "inbox:alice", "x")
    assert honest.expect(type="notification", timeout=30)["id"] == id_
    for peer in peers:
        peer.sock.close()
    honest.close()
