"""A peer that does whatever comes to its mind, out of a random sequence: before and after it is
greeted, in frames that are right and wrong, reading or not.

What it may change of others is what any client may: it publishes to topics, so an oracle counts what
is stored. Its own users are nobody else's."""

import json
import random
import socket
import struct
import threading

from raw_peer import CONT, RawPeer, frame
from ws_client import BINARY, CLOSE, PING, PONG, TEXT, Closed, Refused

LIFE_STEPS = 200
STEP_S = 0.02


def text(message):
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    return frame(TEXT, body)


class Rogue(threading.Thread):
    """One after another of them, until stop(). shared: topics that others follow, too."""

    def __init__(self, port, seed, shared):
        super().__init__(daemon=True)
        self.port = port
        self.rng = random.Random(seed)
        self.name_ = f"rogue{self.rng.randrange(4)}"
        self.topics = [*shared, *(f"r{n}" for n in range(40))]
        self.lives = self.steps = 0
        self.problem = None
        self._stopping = threading.Event()
        self.start()

    def stop(self):
        self._stopping.set()

    def run(self):
        while not self._stopping.is_set():
            try:
                self._life()
            except (Closed, Refused, OSError, TimeoutError):
                self._stopping.wait(0.01)
            except Exception as problem:  # the test is wrong, or an answer was no JSON
                self.problem = repr(problem)
                return

    # -- one connection

    def _life(self):
        self.lives += 1
        if self.rng.random() < 0.15:
            self._no_websocket()
            return
        peer = RawPeer(
            self.port,
            self._path(),
            timeout=5,
            receive_buffer=self.rng.choice([None, 2048, 16384]),
        )
        self.peer = peer
        try:
            for _ in range(self.rng.randrange(1, LIFE_STEPS)):
                if self._stopping.is_set():
                    break
                self.steps += 1
                self.rng.choice(ACTIONS)(self)
            self._end()
        finally:
            peer.sock.close()

    def _path(self):
        rng = self.rng
        if rng.random() < 0.1:
            return rng.choice(["/ws?user=100%", "/ws/a%2Fb", "/ws?user=", "/ws?last_event_id=x", "/nowhere"])
        path = f"/ws?user={self.name_}"
        if rng.random() < 0.5:
            path += "&topics=" + ",".join(rng.sample(self.topics, rng.randrange(1, 12)))
        if rng.random() < 0.3:
            path += f"&last_event_id={self._id()}"
        return path

    def _no_websocket(self):
        """Something else than an opening handshake, in pieces, and then silence or a reset."""
        rng = self.rng
        data = rng.choice(
            [
                rng.randbytes(rng.randrange(1, 300)),
                b"GET /ws HTTP/1.1\r\nHost: x\r\n" + b"X: " + b"y" * rng.randrange(20000),
                b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * rng.randrange(1, 50),
                b"POST /ws HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\n\r\n",
                b"\x16\x03\x01\x02\x00" + rng.randbytes(100),
            ]
        )
        with socket.create_connection(("127.0.0.1", self.port), 5) as sock:
            for at in range(0, len(data), 1 + len(data) // 4):
                sock.sendall(data[at : at + 1 + len(data) // 4])
                self._stopping.wait(0.002)
            if rng.random() < 0.5:
                sock.settimeout(0.2)
                sock.recv(65536)

    def _end(self):
        how = self.rng.randrange(4)
        if how == 0:
            self.peer.reset_on_close()
        elif how == 1:
            self._push(frame(CLOSE, struct.pack("!H", self.rng.choice([1000, 1006, 4000, 0, 65535]))))
        elif how == 2:
            self.peer.sock.shutdown(socket.SHUT_WR)
            self._read(0.05)

    # -- sending

    def _push(self, data):
        """What the kernel does not take is left out, which breaks the frame; so be it."""
        self.peer.push(data)

    def _id(self):
        rng = self.rng
        return rng.choice(
            [
                "0-0",
                "0-1",
                f"{rng.randrange(2**41)}-{rng.randrange(3)}",
                "18446744073709551615-18446744073709551615",
                "4000000000000-0",
                getattr(self, "seen", "0-1"),
            ]
        )

    def _request(self):
        rng = self.rng
        topic = rng.choice(self.topics)
        kinds = [
            {"type": rng.choice(["ping", "heartbeat", "unread_count"])},
            {"type": "subscribe", "topic": topic},
            {"type": "subscribe", "topic": topic, "last_id": self._id()},
            {"type": "unsubscribe", "topic": topic},
            {"type": "subscribe_session", "session_id": topic},
            {"type": "unsubscribe_session", "session_id": topic},
            {
                "type": "resume",
                "positions": {
                    f"topic:{name}": self._id()
                    for name in rng.sample(self.topics, rng.randrange(1, 30))
                },
            },
            {"type": "resume", "positions": {f"inbox:{self.name_}": self._id()}},
            {"type": "request_notification_history", "limit": rng.randrange(1, 101), "topic": topic},
            {"type": "request_notification_history", "before": self._id()},
            {"type": "mark_read", "ids": [self._id()]},
            {"type": "mark_all_read"},
            {"type": "mark_seen"},
            {"type": "archive", "id": self._id()},
            {"type": "delete_notification", "id": self._id()},
            {"type": "publish", "topic": topic, "title": "r" * rng.randrange(1, 400)},
            {"type": "publish", "user_id": self.name_, "title": "t", "content": "c" * rng.randrange(9000)},
            {"type": rng.choice(["", "nothing", "notification", "connection"])},
        ]
        request = rng.choice(kinds)
        if rng.random() < 0.7:
            request["request_id"] = rng.choice([1, "x" * rng.randrange(1, 300), None, [1]])
        return request

    def _send_request(self):
        self._push(text(self._request()))

    def _send_many(self):
        self._push(b"".join(text(self._request()) for _ in range(self.rng.randrange(2, 100))))

    def _send_mangled(self):
        body = bytearray(json.dumps(self._request()).encode())
        for _ in range(self.rng.randrange(1, 4)):
            at = self.rng.randrange(len(body))
            body[at : at + 1] = self.rng.choice([b"", b'"', b"\\", b"{", b"\x00", b"\xff", b"1e400", b"\\ud800"])
        self._push(text(bytes(body)))

    def _send_in_fragments(self):
        body = json.dumps(self._request()).encode()
        cut = self.rng.randrange(len(body))
        self._push(frame(TEXT, body[:cut], fin=False))
        if self.rng.random() < 0.5:
            self._push(frame(PING, b"between"))
        self._push(frame(CONT, body[cut:]))

    def _send_control(self):
        kind = self.rng.choice([frame(PING, b"p" * self.rng.randrange(126)), frame(PONG), frame(CONT, fin=False)])
        self._push(kind * self.rng.choice([1, 5, 50, 2000]))

    def _send_bad_frame(self):
        rng = self.rng
        if rng.random() < 0.9:  # mostly it would end the connection
            return
        opcode = rng.choice([TEXT, BINARY, CLOSE, PING, PONG, CONT, 3, 11])
        self._push(
            frame(
                opcode,
                rng.randbytes(rng.randrange(200)),
                fin=rng.random() < 0.5,
                rsv=rng.choice([0, 0, 1, 4]),
                masked=rng.random() < 0.8,
                length=rng.choice([None, None, 70000, 2**40]),
            )
        )

    def _send_part(self):
        """The beginning of a frame; its rest some other time, if at all."""
        data = text(self._request())
        self._push(data[: self.rng.randrange(len(data))] if self.rng.random() < 0.1 else data)

    # -- reading

    def _read(self, seconds):
        try:
            message = self.peer.recv(timeout=seconds)
        except TimeoutError:
            return
        if isinstance(message.get("id"), str):
            self.seen = message["id"]

    def _read_one(self):
        self._read(STEP_S)

    def _read_all(self):
        for _ in range(self.rng.randrange(1, 300)):
            self._read(0.001)

    def _rest(self):
        self._stopping.wait(self.rng.choice([0.001, 0.001, STEP_S, 0.2]))


ACTIONS = [
    *[Rogue._send_request] * 8,
    *[Rogue._send_many] * 2,
    Rogue._send_mangled,
    Rogue._send_in_fragments,
    Rogue._send_control,
    Rogue._send_bad_frame,
    Rogue._send_part,
    *[Rogue._read_one] * 3,
    *[Rogue._read_all] * 2,
    *[Rogue._rest] * 2,
]
