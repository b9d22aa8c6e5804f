"""Clients that keep a record of all that they are told, whatever happens to their connections: over WebSocket, streams of
events, and Socket.IO's polling. They come and go, stand still, forget connections, and go on from where they were, as
docs/protocol.md says it is to be done."""

import http.client
import itertools
import json
import random
import threading
import time
from urllib.parse import urlencode

from receiving import until
from sse_client import Ended, SseClient
from ws_client import Closed, Refused, WsClient

AWAY = (Closed, Refused, Ended, OSError, EOFError, http.client.HTTPException)
LASTING = {4400, 4401, 4403, 4429}  # why nobody should be closed here
PATIENCE_S = 20  # without a word, as connections are that nobody holds at the other end
ADDRESSES = ("127.0.0.1", "127.0.0.1", "::1")
END = "\x1e"


class Silent(OSError):
    """Nothing has come for so long that the other side must be gone."""


class Record:
    """What one reader has had of one box, over all its connections."""

    def __init__(self):
        self.had = []  # (id, title)
        self.gaps = []  # how much it had had when it was told that something is missing
        self.told = []  # where it was then, as it knew, and what it was told
        self.place, self.epoch = "0-0", None
        self.epochs = []  # (how much it had had when it learned of it, which)

    def take(self, id_, title, epoch):
        self.had.append((id_, title))
        self.place = id_
        self.note_epoch(epoch)

    def note_epoch(self, epoch):
        if epoch and epoch != self.epoch:
            self.epochs.append((len(self.had), epoch))
            self.epoch = epoch

    def note_gap(self, told):
        self.gaps.append(len(self.had))
        self.told.append((self.position(), told))

    def position(self):
        return f"{self.place}@@{self.epoch}" if self.epoch else self.place


class Reader(threading.Thread):
    """keys: the boxes that it keeps records of. The user's inbox is among them."""

    kind = None
    keeps_place = True  # else a session in Redis knows where it goes on

    def __init__(self, bridges, number, user, topics, seed, roams):
        super().__init__(daemon=True, name=f"{self.kind}-{number}")
        self.bridges, self.user, self.topics, self.roams = bridges, user, topics, roams
        self.rng = random.Random(seed)
        self.records = {key: Record() for key in self.keys()}
        self.seen = set()  # titles
        self.connections = 0
        self.left_open = []  # connections that it has forgotten
        self.problem = None
        self.ready = threading.Event()  # it follows all of it, or did once
        self.goal = None  # titles of what is the last of each of its boxes
        self.released = threading.Event()
        self.latest = []  # what happened to it, for people
        self.heard_at = time.monotonic()

    def keys(self):
        return [f"inbox:{self.user}", "topic:all", *(f"topic:{name}" for name in self.topics)]

    def is_done(self):
        return self.goal is not None and all(self.goal[key] in self.seen for key in self.records)

    def is_over(self):
        return self.released.is_set() or self.problem is not None

    def note(self, what):
        self.latest = [*self.latest[-11:], f"{time.strftime('%H:%M:%S')} {what}"]

    def run(self):
        while not self.is_over():
            try:
                self._live_once(self.rng.choice(self.bridges).port, self.rng.choice(ADDRESSES))
            except AWAY as end:
                self.note(repr(end))
                if isinstance(end, Closed) and end.code in LASTING:
                    self.problem = repr(end)
                self.released.wait(self.rng.uniform(0.02, 0.3))  # nothing tells when it is back
            except Exception as problem:  # told by the judge
                self.problem = repr(problem)

    def _live_once(self, port, address):
        raise NotImplementedError

    def _how_many(self):
        """Entries until it leaves; none: it stays."""
        return self.rng.randrange(1, 300) if self.roams and self.goal is None else None

    def _may_stand_still(self):
        """A reader that reads nothing for a while."""
        if self.goal is None and self.rng.random() < 0.002:
            self.note("stands still")
            self.released.wait(self.rng.choice([0.2, 1, 4]))

    def _leave(self, sock, goodbye):
        """Some say goodbye, some are just gone, and some are not even gone."""
        roll = 0 if self.is_over() or self.goal else self.rng.random()
        if roll < 0.5:
            goodbye()
        elif roll < 0.9 or len(self.left_open) > 1:
            sock.close()
        else:
            self.left_open.append(sock)

    def close_forgotten(self):
        for sock in self.left_open:
            sock.close()
        self.left_open.clear()

    # -- what it is told

    def _take(self, key, id_, title, epoch):
        record = self.records.get(key)
        if record:
            record.take(id_, title, epoch)
            self.seen.add(title)

    def _note_change(self, message):
        """Of the state of a box: that may begin an epoch, too."""
        if message.get("key") in self.records:
            self.records[message["key"]].note_epoch(message.get("epoch"))

    def _note_results(self, results, epochs):
        for key, one in results.items():
            if key in self.records and not one.get("recovered", True):
                self._note_gap([key], one)
        for key, epoch in (epochs or {}).items():
            if key in self.records:
                self.records[key].note_epoch(epoch)

    def _note_gap(self, keys, told):
        self.note(f"gap {keys}")
        for key in self.records if keys is None else keys:
            if key in self.records:
                self.records[key].note_gap(told)

    def _note_error(self, code, message):
        if code == "UNAVAILABLE":
            raise OSError("Redis is away")
        self.problem = f"refused: {message}"


class WsReader(Reader):
    """topic:all begins anew with each connection, so that it is not counted."""

    kind = "websocket"

    def keys(self):
        return [key for key in super().keys() if key != "topic:all"]

    def _live_once(self, port, address):
        record = self.records[f"inbox:{self.user}"]
        path = f"/ws/{self.name}?" + urlencode({"user": self.user, "last_event_id": record.position()})
        slow = self.rng.random() < 0.2
        ws = WsClient(port, path, address=address, timeout=PATIENCE_S, receive_buffer=4096 if slow else None)
        try:
            self.note(f"at {port}")
            self._follow(ws)
            self.connections += 1
            self._read(ws, self._how_many())
        finally:
            self._leave(ws.sock, ws.close)

    def _follow(self, ws):
        places = {f"topic:{name}": self.records[f"topic:{name}"].position() for name in self.topics}
        self.waits_for = set(places)
        if self.rng.random() < 0.5:
            ws.send({"type": "resume", "positions": places})
            return
        for name in self.topics:
            ws.send({"type": "subscribe", "topic": name, "last_id": places[f"topic:{name}"]})

    def _read(self, ws, count):
        asked = heard = time.monotonic()
        while count != 0 and not self.is_over():
            try:
                message = ws.recv(timeout=1)
            except TimeoutError:
                now = time.monotonic()
                if now - heard > PATIENCE_S:
                    raise Silent() from None
                if now - asked > 5:
                    ws.send({"type": "ping"})
                    asked = now
                continue
            heard = time.monotonic()
            self._on_message(message)
            if "id" in message and "key" in message:
                count = None if count is None else count - 1
                self._may_stand_still()

    def _on_message(self, message):
        kind = message["type"]
        if kind == "notification":
            self._take(message["key"], message["id"], message["message"], message.get("epoch"))
        elif kind == "resumed":
            self._note_results(message["results"], message.get("epochs"))
            self.waits_for -= set(message["results"])
        elif kind == "subscription":
            key = f"topic:{message['topic']}"
            self._note_results({key: message}, {key: message.get("epoch")})
            self.waits_for.discard(key)
        elif kind == "gap":
            self._note_gap(message["keys"], message)
        elif kind == "error":
            self._note_error(message["error"]["code"], message)
        else:
            self._note_change(message)
        if not self.waits_for:
            self.ready.set()


class SseReader(Reader):
    """Its place is what the stream says it is. Each begins where nothing was yet."""

    kind = "sse"
    last_event_id = None

    def _live_once(self, port, address):
        stream = SseClient(
            port, last_event_id=self.last_event_id, address=address, timeout=PATIENCE_S, user=self.user,
            topics=",".join(self.topics), session_id=self.name,
            positions=json.dumps({key: "0-0" for key in self.records}),
        )  # fmt: skip
        try:
            self.note(f"at {port}")
            stream.read_head()
            self.connections += 1
            self._read(stream, self._how_many())
        finally:
            if not stream.parser.events:  # it may say how far without an event
                self.last_event_id = stream.last_event_id or self.last_event_id
            self._leave(stream.sock, stream.close)

    def _read(self, stream, count):
        heard = time.monotonic()
        while count != 0 and not self.is_over():
            try:
                event = stream.next(timeout=1)
            except TimeoutError:
                if stream.heard_at > heard:
                    heard = stream.heard_at
                if time.monotonic() - heard > PATIENCE_S:
                    raise Silent() from None
                continue
            heard = time.monotonic()
            self.last_event_id = event.id or self.last_event_id
            self._on_event(event.type, event.json)
            if "id" in event.json and "key" in event.json:
                count = None if count is None else count - 1
                self._may_stand_still()

    def _on_event(self, kind, message):
        if kind == "connection":
            self.ready.set()
        elif kind == "gap":
            self._note_gap(message["keys"], message)
        elif kind == "error":
            self._note_error(message["error"]["code"], message)
        elif kind == "close":
            raise Closed(message["code"], message["reason"])
        elif kind == "notification":
            self._take(message["key"], message["id"], message["data"]["title"], message.get("epoch"))


class PollReader(Reader):
    """Each request goes to any bridge. Whether what it has sent or asked for was done when a connection breaks it does
    not know, so it begins a new session, as official clients do; but sometimes a proxy repeats a GET for it, unless Redis
    may lose its answer and have it again (docs/socketio.md)."""

    kind = "poll"
    keeps_place = False
    repeats = True

    def _live_once(self, port, address):
        self.sid = None
        self.numbers = itertools.count()
        status, body = self._ask("GET", port, address)
        if status != 200:
            raise Refused(status, body)
        self.sid = json.loads(body[1:].split(END)[0])["sid"]
        offset = {key: record.position() for key, record in self.records.items()}
        try:
            self._post("40" + json.dumps({"offset": offset}))
            self.connections += 1
            self._poll_on(self._how_many())
        finally:
            if self.is_over() or self.rng.random() < 0.5:
                self._say_goodbye()

    def _say_goodbye(self):
        try:
            self._post("1")
        except AWAY:
            pass

    def _ask(self, method, port=None, address=None, body=None, t=None):
        query = {"EIO": "4", "transport": "polling", "t": t or next(self.numbers), "user": self.user, "topics": ",".join(self.topics)}
        if self.sid:
            query["sid"] = self.sid
        where = address or self.rng.choice(ADDRESSES), port or self.rng.choice(self.bridges).port
        connection = http.client.HTTPConnection(*where, timeout=PATIENCE_S)
        try:
            connection.request(method, "/socket.io/?" + urlencode(query), body=body)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def _post(self, packet):
        status, body = self._ask("POST", body=packet.encode())
        if status != 200:
            raise Refused(status, body)

    def _get(self):
        """What its answer says, be it at the second or third bridge."""
        t = f"g{next(self.numbers)}"
        for tries in range(3):
            try:
                status, body = self._ask("GET", t=t)
                break
            except (OSError, http.client.HTTPException):
                if tries == 2 or not self.repeats or self.rng.random() < 0.5:
                    raise
        if status != 200:
            raise Refused(status, body)
        return body.split(END)

    def _poll_on(self, count):
        while (count is None or count > 0) and not self.is_over():
            for packet in self._get():
                if packet == "2":
                    self._post("3")
                elif packet == "1" or packet[:2] in ("41", "44"):
                    raise Closed(1006, packet)
                elif packet.startswith("42"):
                    name, payload = json.loads(packet[2:])
                    self._on_event(name, payload)
                    count = None if count is None else count - (name == "notification")
            self._may_stand_still()

    def _on_event(self, name, payload):
        if name == "connected":
            self.ready.set()
        elif name == "notification":
            self._take(payload["key"], payload["id"], payload["title"], payload.get("epoch"))
        elif name == "resumed":
            self._note_results(payload["results"], payload.get("epochs"))
        elif name == "gap" and payload["reason"] != "between_polls":
            self._note_gap(payload["keys"], payload)
        elif name == "error":
            self._note_error(payload["code"], payload)
        else:
            self._note_change(payload)


KINDS = (WsReader, SseReader, PollReader)


def make_readers(bridges, rng, count, users, topics):
    """So many, of each kind a third; half of them roam. Each inbox has one reader at least where there are enough."""
    made = []
    for n in range(count):
        kind = KINDS[n % len(KINDS)]
        mine = rng.sample(topics, min(len(topics), rng.randrange(1, 6)))
        made.append(kind(bridges, n, users[n % len(users)], mine, rng.random(), roams=rng.random() < 0.5))
    return made
