"""The echo target of Socket.IO (tests/echo), and what tests say to it: packets of Engine.IO over WebSockets and
over polls, each poll on a connection of its own as the official client makes them."""

import http.client
import json
import socket
import struct
import threading
import time

import pytest
from patience import WAIT_TIMEOUT_S, OnlyPings
from servers import at_some_pace, wait_until
from ws_client import BINARY, CLOSE, TEXT, Closed, Refused, WsClient

PING_INTERVAL_S, PING_TIMEOUT_S, CONNECT_TIMEOUT_S = 0.3, 0.2, 1.0
PATIENT = 200  # times as long: nobody is pinged in a test
SEPARATOR = "\x1e"


class EngineSocket(WsClient):
    """A WebSocket whose frames are packets."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self._only_pings = OnlyPings(self.timeout)

    def packet(self, timeout=None):
        """The next one: str, or bytes of a binary message."""
        opcode, fin, payload = self.recv_frame(timeout)
        assert fin
        if opcode == CLOSE:
            self.sock.close()
            raise Closed(struct.unpack("!H", payload[:2])[0] if payload else 1005)
        packet = payload.decode() if opcode == TEXT else payload
        self._only_pings.heard(packet == "2")
        return packet

    def packets(self, count):
        return [self.packet() for _ in range(count)]

    def packet_but_ping(self):
        """The same; pings are answered meanwhile."""
        while (packet := self.packet()) == "2":
            self.answer(TEXT, b"3")
        return packet

    def binary(self, payload):
        self.send_frame(BINARY, payload)

    def close(self, code=1000):
        try:
            self.send_frame(CLOSE, struct.pack("!H", code))
            self.is_closed()
        except (OSError, TimeoutError):
            pass
        finally:
            self.sock.close()

    def is_closed(self, timeout=WAIT_TIMEOUT_S):
        """Reads on until the end: what came before it."""
        seen = []
        try:
            while True:
                seen.append(self.packet(timeout))
        except (Closed, ConnectionError):
            return seen


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read().decode()


class HeldGet(threading.Thread):
    """A GET that goes on while the test does."""

    def __init__(self, poll):
        super().__init__(daemon=True)
        self._poll = poll
        self.answer = self.error = None
        self.connection = None
        self.start()

    def run(self):
        try:
            self.answer = self._poll(self)
        except (OSError, http.client.HTTPException) as error:
            self.error = error

    def wait(self):
        self.join(WAIT_TIMEOUT_S)
        assert not self.is_alive(), "the GET is still held"
        return self.answer


class EchoTarget:
    """pace: its intervals are so many times as long as a conformance check expects them."""

    def __init__(self, programs, pace=1):
        self.ping_interval_s, self.ping_timeout_s, self.connect_timeout_s = (
            pace * interval_s for interval_s in (PING_INTERVAL_S, PING_TIMEOUT_S, CONNECT_TIMEOUT_S)
        )
        self.program = programs.host("socketio-echo", "0", pace, ready=r"^ready ")
        line = next(line for line in self.program.lines if line.startswith("ready "))
        self.port = int(line.rsplit(":", 1)[1])

    def request(self, method, path, body=None, headers=(), held=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_TIMEOUT_S)
        if held is not None:
            held.connection = connection
        try:
            connection.request(method, path, body, dict(headers))
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def memory_kib(self):
        with open(f"/proc/{self.program.pid}/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))

    def echo(self):
        return WsClient(self.port, "/echo")

    def websocket(self, path, query="EIO=4&transport=websocket"):
        return EngineSocket(self.port, f"{path}?{query}")

    def is_refused(self, path, query):
        """Over a WebSocket: refused, or closed without an open packet."""
        try:
            client = self.websocket(path, query)
        except Refused:
            return True
        return not any(str(packet).startswith("0") for packet in client.is_closed())

    def open_websocket(self, path):
        """One whose session has begun."""
        client = self.websocket(path)
        assert client.packet().startswith("0{")
        return client

    def joined(self, namespace="/"):
        """One that has joined a namespace of Socket.IO."""
        client = self.open_websocket("/socket.io/")
        self.join(client, namespace)
        return client

    @staticmethod
    def join(client, namespace="/"):
        prefix = "" if namespace == "/" else namespace + ","
        client.send("40" + prefix)
        assert client.packet().startswith("40" + prefix + '{"sid":"')
        assert client.packet() == f'42{prefix}["auth",{{}}]'

    def poll(self, path):
        """A session over polling, with its answer to the handshake looked at."""
        return Polling(self, path)


class Polling:
    def __init__(self, target, path):
        self.target = target
        self.path = f"{path}?EIO=4&transport=polling"
        answer = target.request("GET", self.path)
        assert answer.status == 200 and answer.body[0] == "0", answer.body
        self.opened_at = time.monotonic()
        self.open = json.loads(answer.body[1:])
        self.sid = self.open["sid"]
        self.own = f"{self.path}&sid={self.sid}"
        self._only_pings = OnlyPings()

    def get(self):
        answer = self.target.request("GET", self.own)
        self._only_pings.heard(answer.body == "2")
        return answer

    def post(self, body):
        return self.target.request("POST", self.own, body, {"Content-Type": "text/plain;charset=UTF-8"})

    def hold(self):
        """A GET in another thread; returns once it is under way."""
        held = HeldGet(lambda self_: self.target.request("GET", self.own, held=self_))
        wait_until(lambda: not held.is_alive() or getattr(held.connection, "sock", None), "the GET is under way")
        time.sleep(0.02)  # what the test means by "held" is that the target has had it for a while
        return held

    def upgrade(self):
        return self.target.websocket(self.path.split("?")[0], f"EIO=4&transport=websocket&sid={self.sid}")

    def packets(self, count):
        """So many, of as many GETs as it takes; pings are answered."""
        return self.packets_but(None, count)

    def packets_but(self, ignored, count):
        found = []
        while len(found) < count:
            answer = self.get()
            assert answer.status == 200, answer.body
            for packet in answer.body.split(SEPARATOR):
                if packet == "2":
                    assert self.post("3").status == 200
                elif packet != ignored:
                    found.append(packet)
        return found


def abort(held):
    """The client of a held GET goes away."""
    held.connection.sock.shutdown(socket.SHUT_RDWR)  # its thread closes it then
    held.wait()


@pytest.fixture(scope="module")
def hasty(session_programs):
    """As a conformance check expects it."""
    return EchoTarget(session_programs)


@pytest.fixture(scope="module")
def target(session_programs):
    """What a test has to say to it takes less than its intervals, on any machine."""
    return EchoTarget(session_programs, PATIENT)


@pytest.fixture
def at_its_pace(programs):
    """at_its_pace(check): check(a target whose intervals a busy machine can keep)."""
    return lambda check: at_some_pace(lambda pace: check(EchoTarget(programs, int(pace))), 1)
