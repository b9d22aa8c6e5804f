"""A WebSocket client for tests: blocking, one connection, sees every frame (RFC 6455).

It can also do what a well-behaved library refuses to do: send raw bytes, odd frames, stop reading."""

import base64
import json
import os
import socket
import struct
import time
import zlib

from patience import WAIT_TIMEOUT_S
from receiving import receive, until

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
RSV1 = 0x40  # a compressed message begins (RFC 7692)
TAIL = b"\0\0\xff\xff"


def deflated(text):
    """As clients compress a message, with the largest window and nothing kept from the one before."""
    maker = zlib.compressobj(6, zlib.DEFLATED, -15)
    made = maker.compress(text.encode() if isinstance(text, str) else text) + maker.flush(zlib.Z_SYNC_FLUSH)
    assert made.endswith(TAIL)
    return made[: -len(TAIL)]


def inflated(payload, bits=15):
    reader = zlib.decompressobj(-bits)
    text = reader.decompress(payload + TAIL)
    assert not reader.unconsumed_tail and not reader.unused_data
    return text


class Closed(Exception):
    """The connection ended. code 1006: without a close frame."""

    def __init__(self, code, reason=""):
        super().__init__(f"closed with {code} {reason!r}")
        self.code = code
        self.reason = reason


class Refused(Exception):
    """The handshake was answered by something else than 101."""

    def __init__(self, status, body, head=b""):
        super().__init__(f"refused with {status}: {body!r}")
        self.status = status
        self.body = body
        self.head = head


class WsClient:
    def __init__(self, port, path="/ws", headers=(), timeout=WAIT_TIMEOUT_S, receive_buffer=None, host=None, address="127.0.0.1", tls=None, offer=None):
        """offer: of Sec-WebSocket-Extensions; what was answered is in .agreed, and how many messages came compressed in
        .inflated. host: as in the Host header. receive_buffer: bytes that the kernel keeps for a client that
        does not read (SO_RCVBUF). tls: an ssl.SSLContext."""
        self.timeout = timeout
        self.messages = []  # received while something else was waited for
        self.pings = 0
        self.offer, self.agreed, self.inflated = offer, None, 0
        self._buf = bytearray()  # linear, however many pieces a frame comes in
        self.sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        if receive_buffer is not None:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.sock.connect((address, port))
            if tls is not None:
                self.sock = tls.wrap_socket(self.sock, server_hostname="localhost")
            self._handshake(host or f"127.0.0.1:{port}", path, headers)
        except BaseException:
            self.sock.close()
            raise

    def _handshake(self, host, path, headers):
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            f"GET {path} HTTP/1.1",
            f"Host: {host}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
            *headers,
        ]
        if self.offer is not None:
            lines.append(f"Sec-WebSocket-Extensions: {self.offer}")
        self.sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        while b"\r\n\r\n" not in self._buf:
            self._more(time.monotonic() + self.timeout)
        head, self._buf = self._buf.split(b"\r\n\r\n", 1)
        self.head = bytes(head)
        status = int(head.split(b" ", 2)[1])
        if status != 101:
            raise Refused(status, bytes(self._buf), self.head)
        for line in head.decode().split("\r\n"):
            if line.lower().startswith("sec-websocket-extensions: "):
                self.agreed = line.split(": ", 1)[1]

    # -- sending

    def send(self, message):
        """A dict (as JSON) or a str."""
        text = message if isinstance(message, str) else json.dumps(message)
        self.send_frame(TEXT, text.encode())

    def send_deflated(self, message):
        """The same, compressed."""
        text = message if isinstance(message, (str, bytes)) else json.dumps(message)
        self.send_frame(TEXT, deflated(text), rsv=RSV1)

    def send_frame(self, opcode, payload=b"", fin=True, rsv=0):
        mask = os.urandom(4)
        head = bytes([(0x80 if fin else 0) | rsv | opcode])
        if len(payload) < 126:
            head += bytes([0x80 | len(payload)])
        elif len(payload) < 65536:
            head += struct.pack("!BH", 0x80 | 126, len(payload))
        else:
            head += struct.pack("!BQ", 0x80 | 127, len(payload))
        repeated = (mask * (len(payload) // 4 + 1))[: len(payload)]
        masked = int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")
        self.sock.sendall(head + mask + masked.to_bytes(len(payload), "big"))

    def answer(self, opcode, payload):
        """To a ping. Who said it may have gone since: what it has said behind that is there to be read all the same."""
        try:
            self.send_frame(opcode, payload)
        except ConnectionError:
            pass

    # -- receiving

    def _more(self, deadline):
        data = receive(self.sock, deadline)
        if not data:
            raise Closed(1006)
        self._buf += data

    def recv_frame(self, timeout=None):
        """Returns (opcode, fin, payload), inflated where it came compressed: a server that sends no fragments ends
        each message with its frame."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            size = self._frame_size()
            if size is not None and len(self._buf) >= size[0] + size[1]:
                break
            self._more(deadline)
        head, length = size
        frame = bytes(self._buf[: head + length])
        del self._buf[: head + length]
        payload = frame[head:]
        if frame[0] & 0x70:
            assert frame[0] & 0x7F == RSV1 | TEXT and self.agreed, f"first byte {frame[0]:02x}"
            payload = inflated(payload, 12 if "server_max_window_bits=12" in self.agreed else 15)
            self.inflated += 1
        return frame[0] & 0x0F, bool(frame[0] & 0x80), payload

    def _frame_size(self):
        if len(self._buf) < 2:
            return None
        length = self._buf[1] & 0x7F
        if length < 126:
            return 2, length
        if length == 126:
            return (4, struct.unpack("!H", self._buf[2:4])[0]) if len(self._buf) >= 4 else None
        return (10, struct.unpack("!Q", self._buf[2:10])[0]) if len(self._buf) >= 10 else None

    def recv_text(self, timeout=None):
        """The next text message; answers pings, raises Closed at the end. Pings give it no more time."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        whole = b""
        while True:
            opcode, fin, payload = self.recv_frame(until(deadline))
            if opcode == PING:
                self.pings += 1
                self.answer(PONG, payload)
            elif opcode == CLOSE:
                code = struct.unpack("!H", payload[:2])[0] if len(payload) >= 2 else 1005
                reason = payload[2:].decode("utf-8", "replace")
                try:
                    self.send_frame(CLOSE, payload[:2])
                except OSError:
                    pass
                self.sock.close()
                raise Closed(code, reason)
            elif opcode != PONG:
                whole += payload
                if fin:
                    return whole.decode("utf-8")

    def recv(self, timeout=None):
        """The next message as JSON: first those that expect() has put aside."""
        if self.messages:
            return self.messages.pop(0)
        return json.loads(self.recv_text(timeout))

    def expect(self, timeout=None, **members):
        """The next message that has all these members; others before it are kept for recv()."""

        def fits(message):
            return all(message.get(key) == value for key, value in members.items())

        for at, message in enumerate(self.messages):
            if fits(message):
                return self.messages.pop(at)
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            try:
                message = json.loads(self.recv_text(until(deadline)))
            except TimeoutError:
                raise AssertionError(
                    f"no message with {members}; there were {self.messages}"
                ) from None
            if fits(message):
                return message
            self.messages.append(message)

    def request(self, type_, **members):
        """Sends a request and returns its answer, recognised by request_id."""
        self._requests = getattr(self, "_requests", 0) + 1
        request_id = f"t{self._requests}"
        self.send({"type": type_, "request_id": request_id, **members})
        return self.expect(request_id=request_id)

    def drain(self):
        """All messages up to now: whatever the bridge wrote before it answered a ping."""
        self.request("ping")
        messages, self.messages = self.messages, []
        return messages

    def wait_closed(self, timeout=None):
        """Reads on until the end; returns the Closed."""
        try:
            while True:
                self.messages.append(json.loads(self.recv_text(timeout)))
        except Closed as closed:
            return closed

    def reset_on_close(self):
        """The peer gets a reset when the socket is closed."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def close(self, code=1000):
        """Closing handshake; quiet if the peer is gone already."""
        try:
            self.send_frame(CLOSE, struct.pack("!H", code))
            self.wait_closed()
        except (OSError, TimeoutError):
            pass
        finally:
            self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.sock.fileno() >= 0:
            self.close()
