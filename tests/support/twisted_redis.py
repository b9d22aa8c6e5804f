"""A Redis that answers what it should not: a real one with this before it, which puts other bytes in the
place of one part of one reply, as a test wishes."""

import collections
import socket
import threading

AGGREGATES = b"*~>%|"
TEXTS = b"$=!"


class Node:
    """A part of a reply: `line` is its first line without CR LF, behind it a text or further parts."""

    def __init__(self, line, text=None, parts=()):
        self.line = line
        self.text = text
        self.parts = list(parts)

    def encode(self):
        text = b"" if self.text is None else self.text + b"\r\n"
        return self.line + b"\r\n" + text + b"".join(part.encode() for part in self.parts)

    def walk(self):
        """Itself and all parts of parts, in the order in which they are written."""
        yield self
        for part in self.parts:
            yield from part.walk()

    def become(self, data):
        """These bytes, whatever they are; they must end in CR LF."""
        self.line, self.text, self.parts = data[:-2], None, []


def read_node(file):
    """The next reply (or command) of a stream; None at its end."""
    line = file.readline()
    if not line.endswith(b"\r\n"):
        return None
    kind, rest = line[:1], line[1:-2]
    if kind in TEXTS and rest != b"-1":
        return Node(line[:-2], text=file.read(int(rest) + 2)[:-2])
    if kind in AGGREGATES and rest != b"-1":
        return Node(line[:-2], parts=[read_node(file) for _ in range(int(rest) * (1 + (kind in b"%|")))])
    return Node(line[:-2])


class TwistedRedis:
    """Stands before `server`. twist() is asked for, and done once `done` is set. Replies are named by the
    command that they answer, pushes by their first word: "NOTIFY.SINCE", "push message"."""

    def __init__(self, server):
        self.server = server
        self.lock = threading.Lock()
        self.done = threading.Event()
        self.wish = None
        self.sizes = collections.Counter()  # parts of the largest reply of each name
        self.sockets = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def twist(self, name, at, data):
        """The next reply of this name gets these bytes in the place of part `at` (of as many as it has)."""
        with self.lock:
            self.done.clear()
            self.wish = name, at, data

    def close(self):
        self.listener.close()
        with self.lock:
            for one in self.sockets:
                one.close()

    def _accept(self):
        while True:
            try:
                ours, _ = self.listener.accept()
                theirs = socket.create_connection(("127.0.0.1", self.server.port))
            except OSError:
                return
            names = collections.deque()
            with self.lock:
                self.sockets += [ours, theirs]
            for work in (self._carry_commands, self._carry_replies):
                threading.Thread(target=self._carry, args=(work, ours, theirs, names), daemon=True).start()

    @staticmethod
    def _carry(work, ours, theirs, names):
        """Either direction's end is the end of both."""
        try:
            work(ours, theirs, names)
        except (OSError, ValueError):
            pass
        finally:
            for one in (ours, theirs):
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    @staticmethod
    def _carry_commands(ours, theirs, names):
        with ours.makefile("rb") as file:
            while (command := read_node(file)) is not None:
                name = command.parts[0].text.decode().upper()
                if not name.endswith("SUBSCRIBE"):  # what is pushed is no reply
                    names.append(name)
                theirs.sendall(command.encode())

    def _carry_replies(self, ours, theirs, names):
        with theirs.makefile("rb") as file:
            while (reply := read_node(file)) is not None:
                if reply.line[:1] == b">":
                    name = f"push {reply.parts[0].text.decode()}"
                else:
                    name = names.popleft() if names else ""
                self._twist_reply(name, reply)
                ours.sendall(reply.encode())

    def _twist_reply(self, name, reply):
        parts = list(reply.walk())
        with self.lock:
            self.sizes[name] = max(self.sizes[name], len(parts))
            if self.wish is None or self.wish[0] != name:
                return
            parts[self.wish[1] % len(parts)].become(self.wish[2])
            self.wish = None
            self.done.set()
