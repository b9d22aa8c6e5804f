"""Peers that ask and do not read: what they can make the bridge hold, and whom it delays."""

import json
import re
import select
import signal
import socket
import time

import pytest

from raw_peer import RawPeer, frame
from servers import wait_until
from ws_client import TEXT, WsClient

pytestmark = pytest.mark.measures

PEERS = 10
OUTBOX_BYTES = 1 << 20
PER_PEER_BYTES = OUTBOX_BYTES + (256 << 10)
SHARED_BYTES = 16 << 20  # a reply of Redis while it is read, and what the sanitizer keeps


def text(**members):
    return frame(TEXT, json.dumps(members).encode())


def memory(bridge):
    with open(f"/proc/{bridge.pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1)) * 1024


def kernel_queues(port):
    """Bytes that the kernel holds unacknowledged for each connection of this port's server."""
    with open("/proc/net/tcp", encoding="ascii") as file:
        rows = [line.split() for line in file.readlines()[1:]]
    return [
        int(row[4].split(":")[0], 16)
        for row in rows
        if int(row[1].split(":")[1], 16) == port and row[3] == "01"
    ]


@pytest.fixture
def lean_bridge(programs):
    """lean_bridge(server, *flags): one whose sanitizer gives memory back at once."""
    lean = "detect_leaks=1:exitcode=97:quarantine_size_mb=1:thread_local_quarantine_size_kb=64"
    return lambda server, *flags: programs.bridge(server, *flags, env={"ASAN_OPTIONS": lean})


@pytest.fixture
def large_inbox(redis_server):
    """inbox:large has 110 entries of 62 KB; returns their ids."""
    redis = redis_server.client()
    return [
        redis.execute_command("NOTIFY.SEND", "inbox:large", f"number {n}", "CONTENT", "x" * 61000)
        for n in range(110)
    ]


def test_answers_that_nobody_reads_stay_within_the_outbox(lean_bridge, redis_server, large_inbox):
    bridge = lean_bridge(redis_server, "--outbox-bytes", str(OUTBOX_BYTES))
    honest = WsClient(bridge.port, "/ws?user=honest")
    honest.expect(type="connection")
    assert honest.request("request_notification_history", topic="x")["items"] == []
    before = memory(bridge)
    request = text(type="request_notification_history", limit=100)
    peers = [RawPeer(bridge.port, "/ws?user=large") for _ in range(PEERS)]
    for peer in peers:
        peer.send_raw(request * 64)
    times = []
    for _ in range(200):
        start = time.monotonic()
        assert honest.request("unread_count")["unread"] == 0
        times.append(time.monotonic() - start)
        assert memory(bridge) - before < PEERS * PER_PEER_BYTES + SHARED_BYTES
        assert max(kernel_queues(bridge.port)) <= 256 << 10
    assert sorted(times)[100] < 0.5  # it was 18 s
    wait_until(lambda: memory(bridge) - before > PEERS * OUTBOX_BYTES // 2, "full outboxes")
    for peer in peers:
        peer.sock.close()
    honest.close()


def test_who_reads_late_gets_every_answer_in_order(lean_bridge, redis_server, large_inbox):
    bridge = lean_bridge(redis_server, "--outbox-bytes", "100000")
    peer = RawPeer(bridge.port, "/ws?user=large")
    for n in range(64):
        peer.send_raw(text(type="request_notification_history", limit=1 + n % 5, request_id=n))
        peer.send_raw(text(type="ping", request_id=1000 + n))
    histories, pongs = [], []
    while len(histories) < 64 or len(pongs) < 64:
        message = peer.recv()
        if message["type"] == "notification_history":
            histories.append(message["request_id"])
            assert message["items"][0]["id"] == large_inbox[-1]
        elif message["type"] == "pong":
            pongs.append(message["request_id"])
    assert histories == list(range(64))
    assert pongs == list(range(1000, 1064))
    peer.close()


def test_pages_of_large_entries_are_cut_by_bytes_and_lose_nothing(bridge, large_inbox, connect):
    client = connect("/ws?user=large")
    backward, forward = [], []
    page = {"next": None}
    while not backward or page["next"]:
        before = {"before": page["next"]} if page["next"] else {}
        page = client.request("request_notification_history", limit=100, **before)
        assert 1 <= len(page["items"]) <= 3
        backward += [item["id"] for item in page["items"]]
    assert backward == large_inbox[::-1]
    page = {"next": "0-1"}
    while page["next"]:
        page = client.request("request_notification_history", limit=100, after=page["next"])
        forward += [item["id"] for item in page["items"]]
    assert forward == large_inbox


def test_a_page_of_small_entries_holds_its_limit(bridge, redis_server, connect):
    redis = redis_server.client()
    ids = [redis.execute_command("NOTIFY.SEND", "inbox:small", f"n{n}") for n in range(101)][::-1]
    client = connect("/ws?user=small")
    for limit in (1, 20, 25, 26, 27, 52, 99, 100):
        page = client.request("request_notification_history", limit=limit)
        assert [item["id"] for item in page["items"]] == ids[:limit]
        assert page["next"] == ids[limit - 1]
    last = client.request("request_notification_history", limit=1, before=ids[99])
    assert ([item["id"] for item in last["items"]], last["next"]) == (ids[100:], None)


def test_a_count_of_too_many_categories_says_the_rest(bridge, redis_server, connect):
    redis = redis_server.client()
    for n in range(1200):
        redis.execute_command("NOTIFY.SEND", "inbox:alice", "x", "CATEGORY", f"{n:064d}")
    answer = connect("/ws?user=alice").request("unread_count")
    assert (answer["unread"], answer["by_category"]) == (redis.execute_command("NOTIFY.UNREAD", "inbox:alice"), None)


def test_who_only_asks_and_never_reads_is_closed(programs, redis_server, large_inbox):
    """It has no follow that is behind, and its input waits, so that nothing is heard of it."""
    bridge = programs.bridge(redis_server, "--slow-client-timeout", "500ms")
    peer = RawPeer(bridge.port, "/ws?user=large")
    peer.send_raw(text(type="request_notification_history", limit=100) * 64)
    bridge.wait_line("client_too_slow")
    # What was written before the Close is read first.
    assert peer.wait_closed().code in (4413, 1006)


def push_until_it_waits(peer, data):
    """As much as is taken until nothing is for two seconds; returns how many bytes."""
    sent = 0
    last = time.monotonic()
    while sent < len(data) and time.monotonic() - last < 2:
        taken = peer.push(data[sent:])
        if taken:
            sent += taken
            last = time.monotonic()
        select.select([], [peer.sock], [], 0.1)
    return sent


def test_subscriptions_that_wait_for_redis_are_bounded(lean_bridge, redis_server):
    """Each is kept until Redis answers: so many, then the client's input waits."""
    bridge = lean_bridge(redis_server)
    peer = RawPeer(bridge.port, "/ws?user=mallory")
    peer.expect(type="connection")
    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    size = len(text(type="subscribe", topic="x", last_id="0-1", request_id=10000))
    data = b"".join(
        text(type="subscribe", topic="x", last_id="0-1", request_id=n) for n in range(10000, 30000)
    )
    before = memory(bridge)
    redis_server.proc.send_signal(signal.SIGSTOP)
    try:
        sent = push_until_it_waits(peer, data)
        assert sent < len(data) // 2, "the rest waits"
        assert memory(bridge) - before < PER_PEER_BYTES + SHARED_BYTES
    finally:
        redis_server.proc.send_signal(signal.SIGCONT)
    for n in (10000, 10000 + sent // size - 1):  # the first, and the last whole one
        assert peer.expect(request_id=n)["status"] == "subscribed"
    peer.sock.close()
