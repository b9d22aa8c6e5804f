#!/usr/bin/python3
"""Peers that send one kind of frame without pause:

    flood.py PORT KIND COUNT

Each of COUNT connections sends as fast as the kernel takes it, throws away what comes, and connects
again when it is closed. A process of its own, so that it takes no time from those who measure. Says
"flooding" once all have been let in, and ends well by SIGTERM only."""

import json
import os
import random
import selectors
import signal
import sys
import zlib

from raw_peer import CONT, RawPeer, frame
from ws_client import BINARY, PING, PONG, TEXT, Closed, Refused, deflated

CHUNK_BYTES = 65536


def text(message):
    return frame(TEXT, (message if isinstance(message, str) else json.dumps(message)).encode())


# kind: (what comes first, what comes again and again)
KINDS = {
    "ping": (b"", frame(PING)),
    "ping with payload": (b"", frame(PING, b"x" * 125)),
    "pong": (b"", frame(PONG)),
    "empty continuation": (frame(TEXT, b"{", fin=False), frame(CONT, b"", fin=False)),
    "continuation of one byte": (frame(TEXT, b" ", fin=False), frame(CONT, b" ", fin=False)),
    "request": (b"", text({"type": "ping"})),
    "bad JSON": (b"", text("{]")),
    "empty message": (b"", frame(TEXT)),
    "unread_count": (b"", text({"type": "unread_count"})),
    "history": (b"", text({"type": "request_notification_history", "limit": 100})),
    "resume": (b"", text({"type": "resume", "positions": {"topic:all": "0-1"}})),
    "subscribe and leave": (
        b"",
        text({"type": "subscribe", "topic": "flood"}) + text({"type": "unsubscribe", "topic": "flood"}),
    ),
}



def compressed(message):
    return frame(TEXT, deflated(message), rsv=4)


def in_blocks(message, size):
    """The same in as many blocks as there may be: each costs its reader a table."""
    maker = zlib.compressobj(9, zlib.DEFLATED, -15, 9)
    made = b"".join(maker.compress(message[at : at + size]) + maker.flush(zlib.Z_BLOCK) for at in range(0, len(message), size))
    return frame(TEXT, (made + maker.flush(zlib.Z_SYNC_FLUSH))[:-4], rsv=4)


# The same of those who compress, if the bridge does.
BLANKS = b" " * 60000
LETTERS = "".join(random.Random(1).choices("etaoinshrdlu", k=60000)).encode()
COMPRESSED_KINDS = {
    "compressed request": (b"", compressed(b'{"type":"ping"}' + BLANKS)),
    "compressed message that is too long": (b"", compressed(BLANKS * 20)),
    "compressed message of many blocks": (b"", in_blocks(LETTERS, 128)),
}

JOIN = frame(TEXT, b'40{"user":"flood"}')
# The same of those who come by Socket.IO.
SOCKETIO_KINDS = {
    "event of Socket.IO": (JOIN, frame(TEXT, b'420["ping"]')),
    "refusal of Socket.IO": (b"", frame(TEXT, b"40/x,")),
    "pong of Socket.IO": (JOIN, frame(TEXT, b"3")),
    "attachment of Socket.IO": (JOIN, frame(TEXT, b'451-["x"]') + frame(BINARY, b"x")),
}


class Flooder:
    def __init__(self, port, kind, selector):
        self.port = port
        self.path = f"/ws?user=flood{os.getpid()}" if kind not in SOCKETIO_KINDS else "/socket.io/?EIO=4&transport=websocket"
        self.offer = "permessage-deflate" if kind in COMPRESSED_KINDS else None
        self.first, again = KINDS.get(kind) or COMPRESSED_KINDS.get(kind) or SOCKETIO_KINDS[kind]
        self.chunk = again * (CHUNK_BYTES // len(again) + 1)
        self.selector = selector
        self.connect()

    def connect(self):
        self.peer = RawPeer(self.port, self.path, receive_buffer=None, offer=self.offer)
        self.peer.send_raw(self.first)
        self.peer.sock.setblocking(False)
        self.rest = self.chunk
        self.selector.register(
            self.peer.sock, selectors.EVENT_READ | selectors.EVENT_WRITE, self
        )

    def step(self, events):
        try:
            if events & selectors.EVENT_READ and not self.peer.sock.recv(1 << 20):
                raise Closed(1006)
            if events & selectors.EVENT_WRITE:
                self.rest = self.rest[self.peer.push(self.rest) :] or self.chunk
        except (Closed, OSError):
            self.selector.unregister(self.peer.sock)
            self.peer.sock.close()
            self.connect()


def main(port, kind, count):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    selector = selectors.DefaultSelector()
    for _ in range(int(count)):
        Flooder(int(port), kind, selector)
    print("flooding", flush=True)
    while True:
        for key, events in selector.select():
            try:
                key.data.step(events)
            except (Refused, OSError) as failure:
                sys.exit(f"not let in again: {failure}")


if __name__ == "__main__":
    main(*sys.argv[1:])
