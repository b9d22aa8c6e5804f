"""A TCP proxy that writes down what passes, and what that means in HTTP, Engine.IO and Socket.IO."""

import collections
import socket
import struct
import threading
from urllib.parse import parse_qsl, urlsplit

TEXT, BINARY, CLOSE = 1, 2, 8


class Stream:
    """One direction of a connection: its bytes, and when (in the order of all chunks) each of them came."""

    def __init__(self):
        self.data = bytearray()
        self.marks = []  # (end of chunk, number of chunk)

    def take_in(self, data, number):
        self.data += data
        self.marks.append((len(self.data), number))

    def number_at(self, end):
        """Of the chunk that completed the first `end` bytes."""
        return next(number for mark, number in self.marks if mark >= end)


class Connection:
    def __init__(self):
        self.asked, self.answered = Stream(), Stream()


class Recorder:
    """Stands in front of a port of this machine."""

    def __init__(self, port):
        self.target, self.connections = port, []
        self._lock, self._count, self._socks = threading.Lock(), 0, []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def _accept(self):
        while True:
            try:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                return
            connection = Connection()
            self.connections.append(connection)
            self._socks += [near, far]
            for source, sink, stream in ((near, far, connection.asked), (far, near, connection.answered)):
                source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._forward, args=(source, sink, stream), daemon=True).start()

    def _forward(self, source, sink, stream):
        try:
            while data := source.recv(65536):
                with self._lock:
                    self._count += 1
                    stream.take_in(data, self._count)
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self._listener.close()
        for sock in self._socks:
            sock.close()

    def read(self):
        """What has passed so far: (exchanges, frames)."""
        exchanges, frames = [], []
        for connection in self.connections:
            read_connection(connection, exchanges, frames)
        return exchanges, frames


Head = collections.namedtuple("Head", "first headers end")
Exchange = collections.namedtuple("Exchange", "method path query asked body status answered answer number answer_number")
Frame = collections.namedtuple("Frame", "from_client opcode payload number")


def read_head(data, at):
    end = data.find(b"\r\n\r\n", at)
    if end < 0:
        return None
    first, *lines = bytes(data[at:end]).decode("latin-1").split("\r\n")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return Head(first, headers, end + 4)


def read_body(data, head):
    """(the body, where it ends)"""
    if head.headers.get("transfer-encoding", "").lower() == "chunked":
        return read_chunks(data, head.end)
    end = head.end + int(head.headers.get("content-length", 0))
    return bytes(data[head.end : end]), end


def read_chunks(data, at):
    body = b""
    while True:
        line = bytes(data).index(b"\r\n", at)
        size = int(bytes(data[at:line]), 16)
        body += data[line + 2 : line + 2 + size]
        at = line + 2 + size + 2
        if size == 0:
            return body, at


def read_connection(connection, exchanges, frames):
    asked, answered = connection.asked, connection.answered
    at, answer_at = 0, 0
    while head := read_head(asked.data, at):
        body, at = read_body(asked.data, head)
        method, target, _ = head.first.split(" ")
        parts = urlsplit(target)
        answer = read_head(answered.data, answer_at)
        if answer is None:
            return
        status = int(answer.first.split(" ")[1])
        said, answer_at = (b"", answer.end) if status in (101, 204) else read_body(answered.data, answer)
        exchanges.append(
            Exchange(method, parts.path, dict(parse_qsl(parts.query)), head.headers, body, status, answer.headers, said,
                     asked.number_at(at), answered.number_at(answer_at))  # fmt: skip
        )
        if status == 101:
            read_frames(asked, at, True, frames)
            read_frames(answered, answer_at, False, frames)
            return


def read_frames(stream, at, from_client, frames):
    data = stream.data
    while len(data) - at >= 2:
        assert data[at] & 0x70 == 0, "an extension that nobody has agreed to"
        assert data[at] & 0x80, "messages in pieces are not expected here"
        masked, size, start = data[at + 1] >> 7, data[at + 1] & 0x7F, at + 2
        if size >= 126:
            width = 2 if size == 126 else 8
            size = int.from_bytes(data[start : start + width], "big")
            start += width
        mask = bytes(data[start : start + 4]) if masked else b"\0\0\0\0"
        start += 4 * masked
        if len(data) < start + size:
            return
        payload = bytes(byte ^ mask[n % 4] for n, byte in enumerate(data[start : start + size]))
        frames.append(Frame(from_client, data[at] & 15, payload, stream.number_at(start + size)))
        at = start + size


# ---- packets


def packets_of(exchanges, frames):
    """({from_client: [packet, …]}) in the order of their coming: texts, and bytes for binary ones."""
    found = {True: [], False: []}
    for exchange in exchanges:
        if exchange.query.get("transport") == "polling":
            if exchange.method == "POST":
                found[True].append((exchange.number, split(exchange.body)))
            elif exchange.status == 200:
                found[False].append((exchange.answer_number, split(exchange.answer)))
    for frame in frames:
        if frame.opcode in (TEXT, BINARY):
            packet = frame.payload.decode() if frame.opcode == TEXT else frame.payload
            found[frame.from_client].append((frame.number, [packet]))
    return {side: [packet for _, some in sorted(said, key=lambda one: one[0]) for packet in some] for side, said in found.items()}


def split(body):
    return body.decode().split("\x1e") if body else []


def close_code(payload):
    return struct.unpack(">H", payload[:2])[0] if len(payload) >= 2 else None
