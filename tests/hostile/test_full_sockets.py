"""A socket that is full to the last byte when a connection becomes one that stays: what is to be written then waits, and nothing else happens."""

import base64
import fcntl
import itertools
import json
import socket
import struct
import termios
import time

import pytest

GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
MARK = "0-0.0.01a1fac2-4cfb-4000-8000-000000000000." + base64.urlsafe_b64encode(b"session:s").decode().rstrip("=")
BODY = json.dumps({"message": "Hi", "session_id": "s"}).encode()


def chat(*fields):
    lines = ["POST /api/v1/chat/stream?user=a HTTP/1.1", "Host: x", "Expect: 100-continue", "Content-Type: application/json", f"Content-Length: {len(BODY)}", *fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


# A request whose head is answered before its body comes, that body, and what comes of it in the end.
OPENINGS = {
    "events": (b"GET /api/v1/notifications/stream?user=a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n", b"0\r\n\r\n", b"event: connection"),
    "chat": (chat(), BODY, b'{"type":"start"'),
    "chat gone on with": (chat(f"Last-Event-ID: {MARK}"), BODY, b": hb"),
    "websocket": (b"GET /ws?user=a HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", b"", b'{"type":"connection"'),
}


class Peer:
    """Over a unix socket, which holds the same each time."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(path)

    def waiting(self):
        """The bytes that wait for it, once there come no more."""
        before = -1
        while (now := struct.unpack("i", fcntl.ioctl(self.sock, termios.FIONREAD, bytes(4)))[0]) != before:
            before = now
            time.sleep(0.1)
        return now

    def ask(self, count):
        self.sock.sendall(GET * count)
        return self.waiting()

    def read_until(self, text):
        self.sock.settimeout(20)
        got = b""
        while text not in got:
            piece = self.sock.recv(65536)
            assert piece, got[-500:]
            got += piece


def answers_that_fit(path):
    """How many answers fill the socket: the next byte does not go into it."""
    one, many = Peer(path), Peer(path)
    length = one.ask(1)
    full = many.ask(1000)
    one.sock.close()
    many.sock.close()
    assert full % length == 0 and full < 1000 * length
    return full // length


@pytest.fixture
def door(programs, redis_server, tmp_path):
    path = str(tmp_path / "door")
    house = programs.bridge(redis_server, "--listen", f"unix:{path}", "--sse-heartbeat-interval", "1s", "--agent-grace", "100ms")
    return house, path


@pytest.mark.parametrize("opening", OPENINGS)
def test_what_is_opened_on_a_full_socket_is_served_once_that_is_read(door, opening):
    house, path = door
    head, body, answer = OPENINGS[opening]
    fit = answers_that_fit(path)
    for count, within in itertools.product((fit - 1, fit, fit + 1), (False, True)):
        peer = Peer(path)
        peer.ask(count)
        peer.sock.sendall(head)
        if within:  # nothing is read until both are there
            peer.waiting()
        peer.sock.sendall(body)
        peer.waiting()
        peer.read_until(answer)
        peer.sock.close()
    assert house.running()
