"""A reader of streams of events for tests: what a browser's EventSource does (WHATWG HTML, 9.2), byte by
byte, over a socket of its own, so that a test can cut the connection anywhere. Nothing is read unless
somebody waits for it."""

import json
import socket
import time
import zlib
from urllib.parse import urlencode

from patience import WAIT_TIMEOUT_S
from receiving import receive
from ws_client import Refused

PATH = "/api/v1/notifications/stream"


class Ended(Exception):
    """The stream is over. whole: it was ended, and not cut off (only chunks can tell)."""

    def __init__(self, whole=None):
        super().__init__(f"the stream has ended (whole: {whole})")
        self.whole = whole


class Parser:
    """Bytes in, events out; last_event_id as a browser would send it."""

    def __init__(self, last_event_id=""):
        self.line = b""
        self.after_cr = False
        self.type, self.data = "", []
        self.pending_id = self.last_event_id = last_event_id
        self.retry = None
        self.comments = 0
        self.events = []
        self.started = False

    def feed(self, data):
        for byte in data:
            if self.after_cr and byte == 10:
                self.after_cr = False
                continue
            self.after_cr = byte == 13
            if byte in (10, 13):
                self._take_line(self.line)
                self.line = b""
            else:
                self.line += bytes((byte,))

    def _take_line(self, line):
        if not self.started and line.startswith(b"\xef\xbb\xbf"):
            line = line[3:]
        self.started = True
        if not line:
            self._dispatch()
            return
        name, colon, value = line.partition(b":")
        if not name:
            self.comments += 1
            return
        self._take_field(name.decode(), value.removeprefix(b" ").decode())

    def _take_field(self, name, value):
        if name == "event":
            self.type = value
        elif name == "data":
            self.data.append(value)
        elif name == "id" and "\0" not in value:
            self.pending_id = value
        elif name == "retry" and value.isdigit():
            self.retry = int(value)

    def _dispatch(self):
        self.last_event_id = self.pending_id
        if self.data:
            self.events.append(Event(self.type or "message", "\n".join(self.data), self.last_event_id))
        self.type, self.data = "", []


class Event:
    def __init__(self, type_, data, id_):
        self.type, self.data, self.id = type_, data, id_

    @property
    def json(self):
        return json.loads(self.data)

    def __repr__(self):
        return f"Event({self.type!r}, {self.data!r}, {self.id!r})"


class Dechunker:
    """The body of a chunked answer (RFC 9112, 7.1)."""

    def __init__(self):
        self.buf = b""
        self.left = 0  # of the chunk, with the end of line behind it
        self.whole = False

    def feed(self, data):
        self.buf += data
        out = b""
        while self.buf and not self.whole:
            if self.left == 0:
                size, end, rest = self.buf.partition(b"\r\n")
                if not end:
                    break
                self.left, self.buf = int(size, 16) + 2, rest
                if self.left == 2:
                    self.whole = True
                continue
            piece, self.buf = self.buf[: self.left], self.buf[self.left :]
            out += piece[: max(0, self.left - 2)]
            assert b"\r\n".startswith(piece[max(0, self.left - 2) :]) or len(piece) > self.left - 2
            self.left -= len(piece)
        return out


class SseClient:
    """One connection. options: of the query."""

    def __init__(self, port, path=PATH, headers=(), last_event_id=None, version="1.1", timeout=WAIT_TIMEOUT_S,
                 receive_buffer=None, tls=None, method="GET", host=None, behind=b"", address="127.0.0.1", **query):
        if query:
            path += "?" + urlencode(query)
        self.timeout = timeout
        self.sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        if receive_buffer is not None:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(timeout)
        self.sock.connect((address, port))
        if tls is not None:
            self.sock = tls.wrap_socket(self.sock, server_hostname="localhost")
        lines = [f"{method} {path} HTTP/{version}", f"Host: {host or f'127.0.0.1:{port}'}",
                 "Accept: text/event-stream", *headers]
        if last_event_id is not None:
            lines.append(f"Last-Event-ID: {last_event_id}")
        self.parser = Parser(last_event_id or "")
        self.dechunker = self.unzip = None
        self.body = b""
        self.sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode() + behind)
        self._buf = b""
        self.ended = False
        self.heard_at = time.monotonic()  # when something has come, if only a comment
        self.head = self.status = None

    def read_head(self):
        """Its status; Refused if that is not 200."""
        deadline = time.monotonic() + self.timeout
        while b"\r\n\r\n" not in self._buf:
            if not self._more(deadline):
                raise Ended(False)
        head, _, rest = self._buf.partition(b"\r\n\r\n")
        self.head = head
        self.status = int(head.split(b" ", 2)[1])
        if self.status != 200:
            while self._more(deadline):
                pass
            raise Refused(self.status, self._buf.partition(b"\r\n\r\n")[2], head)
        if self.header("content-encoding") == "gzip":
            self.unzip = zlib.decompressobj(31)
        if b"transfer-encoding: chunked" in head.lower():
            self.dechunker = self.new_dechunker()
        self._buf = b""
        self.take(rest)
        return self

    new_dechunker = Dechunker

    def header(self, name):
        for line in self.head.decode().split("\r\n")[1:]:
            key, _, value = line.partition(":")
            if key.lower() == name.lower():
                return value.strip()
        return None

    def _more(self, deadline):
        data = receive(self.sock, deadline)
        self.heard_at = time.monotonic()
        if self.status is None or self.status != 200:
            self._buf += data
        elif data:
            self.take(data)
        self.ended = not data
        return bool(data)

    def take(self, data):
        if self.dechunker is not None:
            data = self.dechunker.feed(data)
        if self.unzip is not None:
            data = self.unzip.decompress(data)
        self.body += data
        self.parser.feed(data)

    def next(self, timeout=None):
        """The next event, or Ended."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        if self.status is None:
            self.read_head()
        while not self.parser.events:
            if (self.dechunker is not None and self.dechunker.whole) or not self._more(deadline):
                raise Ended(None if self.dechunker is None else self.dechunker.whole)
        return self.parser.events.pop(0)

    def expect(self, type_, timeout=None, **members):
        """The next event of that type with these members; others before it are passed over."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            event = self.next(max(0.001, deadline - time.monotonic()))
            if event.type == type_ and event.json.items() >= members.items():
                return event

    def until_end(self, timeout=None):
        """All events up to the end, and whether that was said."""
        events = []
        try:
            while True:
                events.append(self.next(timeout))
        except Ended as end:
            return events, end.whole

    @property
    def last_event_id(self):
        return self.parser.last_event_id

    def close(self):
        self.sock.close()
