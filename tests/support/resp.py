"""A plain Redis connection that shows replies as they are, in RESP2 and RESP3.

Debian 12's redis-py does not know RESP3, and no client library shows the difference between a map
and an array, a null and an empty string, or a push and a reply."""

import socket

from patience import WAIT_TIMEOUT_S


class RespError(Exception):
    """An error reply. str() is its text, with the code."""


class Push(list):
    """An out-of-band message of RESP3."""


class Resp:
    def __init__(self, port, protocol=2, timeout=WAIT_TIMEOUT_S):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout)
        self.file = self.sock.makefile("rb")
        self.pushes = []  # those that arrived while a reply was waited for
        if protocol == 3:
            self.call("HELLO", "3")

    def close(self):
        self.file.close()
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def send(self, *args):
        parts = [b"*%d\r\n" % len(args)]
        for arg in args:
            data = arg if isinstance(arg, bytes) else str(arg).encode()
            parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
        self.sock.sendall(b"".join(parts))

    def call(self, *args):
        """Sends a command and returns its reply; an error reply is raised."""
        self.send(*args)
        reply = self.read()
        if isinstance(reply, RespError):
            raise reply
        return reply

    def read(self):
        """The next reply; pushes before it are put aside."""
        while True:
            reply = self._parse()
            if not isinstance(reply, Push):
                return reply
            self.pushes.append(reply)

    def read_push(self):
        """The next push of RESP3, or the next message of a subscribed RESP2 connection."""
        return self.pushes.pop(0) if self.pushes else self._parse()

    def _line(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise EOFError("the server closed the connection")
        return line[:-2]

    def _text(self, length):
        data = self.file.read(length + 2)
        if len(data) != length + 2:
            raise EOFError("the server closed the connection")
        return data[:-2].decode("utf-8", "surrogateescape")

    def _parse(self):
        line = self._line()
        kind, rest = line[:1], line[1:].decode("utf-8", "surrogateescape")  # errors repeat what was sent
        if kind == b"+":
            return rest
        if kind == b"-":
            return RespError(rest)
        if kind == b":":
            return int(rest)
        if kind == b",":
            return float(rest)
        if kind == b"#":
            return rest == "t"
        if kind == b"(":
            return int(rest)
        if kind == b"_":
            return None
        if kind in b"$=":
            return None if rest == "-1" else self._text(int(rest))
        if kind in b"*~":
            return None if rest == "-1" else [self._parse() for _ in range(int(rest))]
        if kind == b">":
            return Push(self._parse() for _ in range(int(rest)))
        if kind == b"%":
            return {self._key(): self._parse() for _ in range(int(rest))}
        raise ValueError(f"not RESP: {line!r}")

    def _key(self):
        key = self._parse()
        return tuple(key) if isinstance(key, list) else key
