"""Whatever stands in the head of a request, whole or in pieces: it is answered or ended, and nobody else
notices."""

import random
import socket
import time

import pytest

from servers import wait_until
from ws_client import Closed, Refused, WsClient

pytestmark = pytest.mark.measures

PIECES = [
    *("%", "%0", "%0a", "%0D%0A", "%00", "%ff", "%zz", "%2F", "%2e%2e", "+", "/", "//", "?", "&", "=", "#"),
    *("a", "ws", "user=", "topics=", "last_event_id=", "alice", "100%", "x" * 200, "\\", "\x7f", "ä", " "),
]
LINES = [
    *("Sec-WebSocket-Protocol: a, b", "Sec-WebSocket-Protocol:", "Upgrade: h2c", "Upgrade: websocket"),
    *("Connection: close", "Content-Length: 3", "Content-Length: -1", "Transfer-Encoding: chunked"),
    *("X" * 9000 + ": y", " folded", "no colon", ": empty", "Host: y", "Origin: null", "Expect: 100-continue"),
]


def head(rng):
    target = "/ws" + "".join(rng.choice(PIECES) for _ in range(rng.randrange(8)))
    method = rng.choice(["GET"] * 12 + ["HEAD", "POST", "get", "", "\x16\x03"])
    lines = [
        f"{method} {target} HTTP/1.{rng.choice('11110x')}",
        "Host: 127.0.0.1",
        *("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"),
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]
    for _ in range(rng.choice([0, 0, 0, 1, 2])):
        lines.insert(rng.randrange(1, len(lines) + 1), rng.choice(LINES))
    if rng.random() < 0.1:
        del lines[rng.randrange(1, len(lines))]
    return rng.choice(["\r\n"] * 9 + ["\n"]).join([*lines, "", ""]).encode()


def send_in_pieces(sock, data, rng):
    for _ in range(rng.randrange(4)):
        cut = rng.randrange(len(data) + 1)
        sock.sendall(data[:cut])
        data = data[cut:]
    sock.sendall(data)


def test_no_head_of_a_request_disturbs_anybody(bridge, redis_server, connect):
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    redis = redis_server.client()
    honest = connect("/ws?user=honest")
    honest.expect(type="connection")
    answered = 0
    for n in range(600):
        with socket.create_connection(("127.0.0.1", bridge.port), 10) as sock:
            try:
                send_in_pieces(sock, head(rng), rng)
                if rng.random() < 0.7:
                    sock.settimeout(2)
                    answered += sock.recv(4096)[:5] == b"HTTP/"
            except (OSError, TimeoutError):
                pass  # it may end whoever sends such a thing, or wait for the rest of it
        if n % 20 == 0:
            id_ = redis.execute_command("NOTIFY.SEND", "inbox:honest", f"{n}")
            assert honest.expect(type="notification", timeout=10)["id"] == id_
    assert answered > 100
    assert bridge.running()


def test_heads_without_an_end_cost_no_time_and_end(bridge, redis_server, connect):
    """Looking at the begin of a head again and again would take all the processor's time."""
    honest = connect("/ws?user=honest")
    honest.expect(type="connection")
    slow = [socket.create_connection(("127.0.0.1", bridge.port), 10) for _ in range(100)]
    for sock in slow:
        sock.sendall(b"GET /ws HTTP/1.1\r\nX: " + b"y" * 4000)
    before, started = bridge.cpu_seconds(), time.monotonic()
    for sock in slow:
        sock.settimeout(15)
        try:
            assert sock.recv(4096).startswith(b"HTTP/1.1 408 ")
        except ConnectionResetError:
            pass  # what it has said was never read
        sock.close()
    assert time.monotonic() - started > 3  # they had their time
    assert bridge.cpu_seconds() - before < 1
    id_ = redis_server.client().execute_command("NOTIFY.SEND", "inbox:honest", "still here")
    assert honest.expect(type="notification")["id"] == id_


def test_refused_clients_leave_nothing_behind(bridge, redis_server):
    """Each of them is let in, told, and gone: files, memory and Redis' channels are as before."""
    redis = redis_server.client()
    channels = lambda: set(redis.pubsub_channels())  # noqa: E731
    own = lambda: {name.partition(":")[0] for name in channels()}  # noqa: E731
    wait_until(lambda: own() == {"notify", "eio"}, "the bridge's own channels")
    before = channels()
    for n in range(500):
        bad = ["/ws?user=", "/ws/100%", f"/ws?topics={'t' * 129}", "/ws?last_event_id=x", "/ws/a/b"][n % 5]
        try:
            assert WsClient(bridge.port, bad).wait_closed().code == 4400
        except Refused as refused:
            assert refused.status == 404
    wait_until(lambda: channels() == before, "no channels of theirs")
    wait_until(lambda: bridge.open_fds() < 40, "no files of theirs")


def test_clients_that_do_not_answer_a_refusal_are_gone_in_time(bridge):
    peers = [WsClient(bridge.port, "/ws?user=") for _ in range(50)]
    wait_until(lambda: bridge.open_fds() < 40, "their end")
    for peer in peers:
        try:
            while True:
                peer.recv_frame(timeout=10)
        except (Closed, OSError):
            peer.sock.close()
