"""A client of Engine.IO and Socket.IO that polls by hand: each request over a connection of its own, to
whichever of its servers is next, as behind a balancer that knows nothing of sessions."""

import http.client
import itertools
import json
import time

from patience import WAIT_TIMEOUT_S, OnlyPings

END = "\x1e"


class Poller:
    """ports: of bridges that are asked in turn."""

    def __init__(self, *ports, query="", timeout=WAIT_TIMEOUT_S):
        self.ports, self.query, self.timeout = itertools.cycle(ports), query, timeout
        self.sid, self.packets, self.numbers = None, [], itertools.count()
        self.acks = itertools.count()
        self.only_pings = OnlyPings(timeout)

    def request(self, method, body=None, port=None, t=None, **params):
        """(status, body) of one request; none if the connection was cut. t: what names it, if it is to be named as another."""
        query = "&".join([f"{key}={value}" for key, value in params.items()] + ([self.query] if self.query else []))
        conn = http.client.HTTPConnection("127.0.0.1", port or next(self.ports), timeout=self.timeout)
        try:
            conn.request(method, f"/socket.io/?EIO=4&transport=polling&t={next(self.numbers) if t is None else t}&{query}", body=body)
            answer = conn.getresponse()
            return answer.status, answer.read().decode()
        finally:
            conn.close()

    def open(self):
        status, body = self.request("GET")
        assert status == 200 and body[0] == "0", (status, body)
        self.settings = json.loads(body[1:].split(END)[0])
        self.sid = self.settings["sid"]
        return self

    def poll(self, **options):
        """The packets of one GET; a ping is answered."""
        status, body = self.request("GET", sid=self.sid, **options)
        assert status == 200, (status, body)
        packets = body.split(END)
        self.only_pings.heard(all(packet in ("2", "6") for packet in packets))
        if "2" in packets:
            self.post("3")
        return [packet for packet in packets if packet not in ("2", "6")]

    def post(self, *packets, **options):
        status, body = self.request("POST", END.join(packets).encode(), sid=self.sid, **options)
        assert (status, body) == (200, "ok"), (status, body)

    def next(self, begin="", timeout=WAIT_TIMEOUT_S):
        """The next packet that begins so; others are passed over."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            while self.packets:
                packet = self.packets.pop(0)
                if packet.startswith(begin):
                    return packet
            self.packets += self.poll()
        raise AssertionError(f"no packet {begin!r}")

    def join(self, auth=None):
        """Opens a session and joins "/"; what it is told then."""
        self.open()
        self.post("40" + ("" if auth is None else json.dumps(auth)))
        assert "sid" in json.loads(self.next("40")[2:])
        return self.event("connected")

    def event(self, name, **wanted):
        """The argument of the next event of this name that has these members."""
        while True:
            said, *args = json.loads(self.next("42")[2:])
            args = args or [{}]
            if said == name and all(args[0].get(key) == value for key, value in wanted.items()):
                return args[0]

    def ask(self, name, **args):
        """Emits an event and waits for its acknowledgement; other packets stay for later."""
        number = next(self.acks)
        self.post(f"42{number}" + json.dumps([name, args]))
        others = []
        while True:
            packet = self.next()
            if packet.startswith(f"43{number}["):
                self.packets = others + self.packets
                return json.loads(packet[2 + len(str(number)) :])[0]
            others.append(packet)
