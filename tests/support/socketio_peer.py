"""A Socket.IO client for tests, over a WebSocket or over polling and packet by packet: no library between a test and the wire.

One connection, any number of namespaces. It answers pings, keeps what a test does not wait for, and says what it is told to."""

import http.client
import itertools
import json
import time
from urllib.parse import urlencode

from patience import WAIT_TIMEOUT_S, OnlyPings
from receiving import until
from ws_client import CLOSE as FRAME_CLOSE
from ws_client import TEXT, Closed, Refused, WsClient

OPEN, CLOSE, PING, PONG, MESSAGE = "0", "1", "2", "3", "4"
CONNECT, DISCONNECT, EVENT, ACK, CONNECT_ERROR = "0", "1", "2", "3", "4"


def head_of(namespace):
    return "" if namespace == "/" else namespace + ","


class Packet:
    """One of Socket.IO: its type, namespace, id (digits, or None) and data (or None)."""

    def __init__(self, text):
        self.text = text
        self.type, rest = text[0], text[1:]
        self.namespace = "/"
        if rest.startswith("/"):
            self.namespace, _, rest = rest.partition(",")
        digits = len(rest) - len(rest.lstrip("0123456789"))
        self.id, rest = rest[:digits] or None, rest[digits:]
        self.data = json.loads(rest) if rest else None

    def __repr__(self):
        return self.text


class SocketIo:
    """A session. Its own socket is that of namespace "/", unless auth is None: then nothing is joined yet."""

    def __init__(self, port, auth=(), query=(), headers=(), address="127.0.0.1", **options):
        """auth: what CONNECT says, a dict; empty: nothing; None: there is no CONNECT. query: of the handshake."""
        words = {"EIO": "4", "transport": "websocket", **dict(query)}
        self.ws = WsClient(port, "/socket.io/?" + urlencode(words), headers, address=address, **options)
        self.timeout = self.ws.timeout
        self.kept = []  # packets that came while another was waited for
        self._ids = 0
        text = self.ws.recv_text()
        assert text[0] == OPEN, text
        self.handshake = json.loads(text[1:])
        self.sid = self.pid = None
        if auth is not None:
            self.reply = self.join("/", dict(auth))

    # -- packets

    def say(self, text):
        """A packet of Socket.IO, as it is."""
        self.ws.send_frame(TEXT, (MESSAGE + text).encode())

    def _next(self, timeout):
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            text = self.ws.recv_text(until(deadline))
            if text == PING:
                self.ws.answer(TEXT, PONG.encode())
            elif text[0] == MESSAGE:
                return Packet(text[1:])
            else:
                raise AssertionError(f"not a message: {text!r}")

    def take(self, fits, what, timeout=None):
        """The next packet that fits; others before it are kept."""
        for at, packet in enumerate(self.kept):
            if fits(packet):
                return self.kept.pop(at)
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            try:
                packet = self._next(until(deadline))
            except TimeoutError:
                raise AssertionError(f"no {what}; there were {self.kept}") from None
            if fits(packet):
                return packet
            self.kept.append(packet)

    # -- what an application does

    def join(self, namespace="/", auth=None):
        """The packet that CONNECT is answered with."""
        self.say(CONNECT + head_of(namespace) + (json.dumps(auth) if auth else ""))
        reply = self.take(
            lambda p: p.namespace == namespace and p.type in (CONNECT, CONNECT_ERROR), f"answer to CONNECT {namespace}"
        )
        if namespace == "/" and reply.type == CONNECT:
            self.sid, self.pid = reply.data["sid"], reply.data.get("pid")
        return reply

    def emit(self, event, *arguments, ack=None, namespace="/"):
        self.say(EVENT + head_of(namespace) + ("" if ack is None else str(ack)) + json.dumps([event, *arguments]))

    def call(self, event, *arguments, namespace="/"):
        """What the acknowledgement has as its one argument."""
        self._ids += 1
        mine = str(self._ids)
        self.emit(event, *arguments, ack=mine, namespace=namespace)
        reply = self.take(
            lambda p: p.type == ACK and p.id == mine and p.namespace == namespace, f"acknowledgement of {event}"
        )
        assert len(reply.data) == 1, reply
        return reply.data[0]

    def expect(self, event, timeout=None, namespace="/", **members):
        """The payload of the next event of this name that has all these members."""

        def fits(packet):
            return (
                packet.type == EVENT
                and packet.namespace == namespace
                and packet.data[0] == event
                and all(packet.data[1].get(name) == value for name, value in members.items())
            )

        return self.take(fits, f"event {event} with {members}", timeout).data[1]

    def events(self):
        """All events up to now, (name, payload): whatever was sent before an acknowledgement that is asked for now."""
        self.call("ping")
        events = [tuple(p.data) for p in self.kept if p.type == EVENT]
        self.kept = [p for p in self.kept if p.type != EVENT]
        return events

    def wait_closed(self, timeout=None):
        """Reads on until the end; returns the Closed."""
        try:
            while True:
                self.kept.append(self._next(timeout))
        except Closed as closed:
            return closed

    def close(self):
        """As official clients do: leaves, and ends the connection."""
        try:
            self.say(DISCONNECT)
            self.ws.send_frame(FRAME_CLOSE)
            while True:
                self.ws.recv_text()
        except (Closed, OSError):
            pass
        finally:
            self.ws.sock.close()

    def cut(self):
        """Without a word."""
        self.ws.sock.close()


class Poller(SocketIo):
    """The same over polling: each request on a connection of its own, to each port in turn."""

    def __init__(self, ports, auth=(), query=(), headers=(), timeout=WAIT_TIMEOUT_S):
        self.ports = itertools.cycle(ports)
        self.timeout = timeout
        self.headers = dict(headers)
        self.kept, self._came, self._ids = [], [], 0
        self._only_pings = OnlyPings(timeout)
        self._words = dict(query)
        self.handshake = json.loads(self._ask("GET")[1:])
        self._words["sid"] = self.handshake["sid"]
        self.sid = self.pid = None
        if auth is not None:
            self.reply = self.join("/", dict(auth))

    def _ask(self, method, body=None, timeout=None):
        """The body of the answer, which must be 200."""
        connection = http.client.HTTPConnection("127.0.0.1", next(self.ports), timeout=timeout or self.timeout)
        try:
            path = "/socket.io/?" + urlencode({"EIO": "4", "transport": "polling", **self._words})
            connection.request(method, path, body, self.headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status != 200:
            raise Refused(answer.status, text)
        return text

    def say(self, text):
        assert self._ask("POST", MESSAGE + text) == "ok"

    def poll(self, timeout=None):
        """One GET: its messages wait to be taken."""
        for text in self._ask("GET", timeout=timeout).split("\x1e"):
            self._only_pings.heard(text == PING)
            if text == PING:
                self._ask("POST", PONG)
            elif text[0] == MESSAGE:
                self._came.append(Packet(text[1:]))

    def _next(self, timeout):
        while not self._came:
            self.poll(timeout)
        return self._came.pop(0)

    def close(self):
        try:
            self._ask("POST", "1")
        except (OSError, Refused):
            pass
