"""Readers of streams of events that keep no rules: whoever reads beside them does not notice."""

import random
import socket
import struct

import pytest

from servers import wait_until
from sse_client import PATH, SseClient

REQUEST = f"GET {PATH}?user=mallory HTTP/1.1\r\nHost: localhost\r\n".encode()
STREAMS = 'notify_connections{transport="sse"}'


@pytest.fixture
def honest(bridge):
    stream = SseClient(bridge.port, user="honest")
    stream.expect("connection")
    yield stream
    stream.close()


def assert_served(redis_server, honest):
    id_ = redis_server.client().execute_command("NOTIFY.SEND", "inbox:honest", "x")
    assert honest.expect("notification").json["id"] == id_


def opened(bridge, data):
    sock = socket.create_connection(("127.0.0.1", bridge.port), timeout=60)
    sock.sendall(data)
    return sock


# (what is sent, how the answer begins; None: whatever, if only the bridge goes on)
ODD = {
    "a body": (REQUEST + b"Content-Length: 5\r\n\r\nhello", b"HTTP/1.1 413"),
    "a chunked body": (REQUEST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", b"HTTP/1.1 413"),
    "an upgrade": (REQUEST + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                   b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", b"HTTP/1.1 200"),
    "garbage behind it": (REQUEST + b"\r\n" + bytes(range(256)) * 30, b"HTTP/1.1 200"),
    "too much behind it at once": (REQUEST + b"\r\n" + b"x" * 30000, None),
    "a hundred requests at once": ((REQUEST + b"\r\n") * 100, b"HTTP/1.1 200"),
    "another path below": (REQUEST.replace(b"/stream", b"/stream/x") + b"\r\n", b"HTTP/1.1 404"),
    "dots": (REQUEST.replace(b"/stream", b"/./x/../stream") + b"\r\n", b"HTTP/1.1 200"),
    "an id with a NUL": (REQUEST + b"Last-Event-ID: a\0b\r\n\r\n", b"HTTP/1.1 400"),
    "two ids": (REQUEST + b"Last-Event-ID: a\r\nLast-Event-ID: b\r\n\r\n", b"HTTP/1.1 200"),
    "an id of bytes that are no text": (REQUEST + b"Last-Event-ID: \xff\xfe\r\n\r\n", b"HTTP/1.1 200"),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_requests_are_answered_and_nobody_else_notices(bridge, redis_server, honest, name):
    data, begins = ODD[name]
    sock = opened(bridge, data)
    if begins is not None:
        assert sock.recv(len(begins), socket.MSG_WAITALL) == begins
    assert_served(redis_server, honest)
    sock.close()


def test_hundreds_that_die_at_any_moment_leave_nothing(bridge, redis_server, honest):
    rng = random.Random(5)
    fds = bridge.open_fds()
    for n in range(600):
        data = REQUEST + b"\r\n"
        sock = opened(bridge, data[: rng.randrange(1, len(data) + 1)] if n % 3 else data)
        if rng.random() < 0.5:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
        if rng.random() < 0.3:
            sock.settimeout(0.01)
            try:
                sock.recv(100)
            except OSError:
                pass
        sock.close()
        if n % 150 == 0:
            assert_served(redis_server, honest)
    wait_until(lambda: bridge.metrics()[STREAMS] == 1, "all streams' being gone")
    wait_until(lambda: bridge.open_fds() <= fds + 2, "all descriptors' being closed")
    assert_served(redis_server, honest)


def test_readers_that_never_read_hold_little_and_delay_nobody(programs, redis_server):
    bridge = programs.bridge(redis_server, "--outbox-bytes", "64K")
    honest = SseClient(bridge.port, user="honest")
    honest.expect("connection")
    idle = [SseClient(bridge.port, user="mallory", receive_buffer=4096) for _ in range(50)]
    for stream in idle:
        stream.sock.recv(1)
    client = redis_server.client()
    with open(f"/proc/{bridge.pid}/statm", encoding="ascii") as file:
        before = int(file.read().split()[1])
    for _ in range(20):
        pipe = client.pipeline(transaction=False)
        for _ in range(50):
            pipe.execute_command("NOTIFY.SEND", "inbox:mallory", "x", "CONTENT", "y" * 20000)
        pipe.execute()
        assert_served(redis_server, honest)
    with open(f"/proc/{bridge.pid}/statm", encoding="ascii") as file:
        pages = int(file.read().split()[1]) - before
    assert pages * 4096 < 100 * 1024 * 1024  # 20 MB were sent to each of 50
    for stream in idle:
        stream.close()
    honest.close()


def test_a_flood_behind_the_request_is_cut_off_and_delays_nobody(bridge, redis_server, honest):
    for _ in range(20):
        sock = opened(bridge, REQUEST + b"\r\n")
        try:
            for _ in range(100):
                sock.sendall(b"x" * 65536)
        except OSError:
            pass
        assert_served(redis_server, honest)
        sock.close()
    assert bridge.metrics()['notify_limit_hits_total{limit="sse-input-bytes"}'] == 20
