"""Reads POST /api/v1/chat/stream as it comes, block by block."""

import json
import socket
import time
from email.parser import BytesParser

from patience import WAIT_TIMEOUT_S


class Refused(Exception):
    def __init__(self, status, body):
        super().__init__(f"{status}: {body!r}")
        self.status, self.body = status, body


class Chat:
    def __init__(self, port, body, token=None, user=None, last_id=None, method="POST", version="HTTP/1.1", receive_buffer=None, timeout=WAIT_TIMEOUT_S):
        self.timeout, self.blocks, self.last_id = timeout, [], last_id
        self._bytes, self._text, self._at = bytearray(), b"", 0
        self.sock = socket.socket()
        if receive_buffer is not None:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(timeout)
        self.sock.connect(("127.0.0.1", port))
        self._ask(port, body if isinstance(body, str) else json.dumps(body), token, user, last_id, method, version)
        self._read_head()

    def _ask(self, port, body, token, user, last_id, method, version):
        lines = [f"{method} /api/v1/chat/stream{'' if user is None else '?user=' + user} {version}", f"Host: 127.0.0.1:{port}", "Content-Type: application/json", f"Content-Length: {len(body.encode())}"]
        if token is not None:
            lines.append(f"Authorization: Bearer {token}")
        if last_id is not None:
            lines.append(f"Last-Event-ID: {last_id}")
        self.sock.sendall(("\r\n".join(lines) + "\r\n\r\n" + body).encode())

    def _more(self):
        piece = self.sock.recv(65536)
        self._bytes += piece
        return bool(piece)

    def _read_head(self):
        while b"\r\n\r\n" not in self._bytes:
            assert self._more(), bytes(self._bytes)
        head, self._bytes = self._bytes.split(b"\r\n\r\n", 1)
        line, fields = bytes(head).split(b"\r\n", 1)
        status, self.headers = int(line.split(b" ")[1]), BytesParser().parsebytes(fields)
        self.chunked = self.headers.get("Transfer-Encoding") == "chunked"
        if status != 200:
            length = int(self.headers.get("Content-Length", 0))
            while len(self._bytes) < length and self._more():
                pass
            self.close()
            raise Refused(status, bytes(self._bytes))

    def _chunk(self):
        """The next run of the body; empty: that was all. A body that breaks off is an error."""
        if not self.chunked:
            if not self._bytes and not self._more():
                return b""
            piece, self._bytes = bytes(self._bytes), bytearray()
            return piece
        while True:
            size, found, rest = self._bytes.partition(b"\r\n")
            if found and len(rest) >= int(size, 16) + 2:
                length = int(size, 16)
                assert rest[length : length + 2] == b"\r\n"
                self._bytes = rest[length + 2 :]
                return bytes(rest[:length])
            assert self._more(), "the body breaks off"

    def _block(self):
        """None: that was all."""
        while b"\n\n" not in self._text:
            piece = self._chunk()
            if not piece:
                assert self._text == b"", self._text
                return None
            self._text += piece
        block, self._text = self._text.split(b"\n\n", 1)
        return block.decode()

    def _take(self, block):
        if not block.startswith(":"):
            self.blocks.append(block)
        if block.startswith("id: "):
            self.last_id = block[4:]

    def next(self):
        """The next event, with the position behind it if that has come along. None: that was all."""
        deadline = time.monotonic() + self.timeout
        while time.monotonic() < deadline:
            block = self._block()
            if block is None:
                return None
            self._take(block)
            if block.startswith("data: "):
                if self._text.startswith(b"id: ") and b"\n\n" in self._text:
                    self._take(self._block())
                return json.loads(block[6:])
        raise TimeoutError("no event")

    def all(self):
        """All that come until the end."""
        events = []
        while (event := self.next()) is not None:
            events.append(event)
        return events

    def close(self):
        self.sock.close()
