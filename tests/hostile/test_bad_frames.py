"""Frames that must not be (RFC 6455): their sender alone is closed, with the code that says why."""

import pytest

from raw_peer import CONT, frame
from ws_client import BINARY, CLOSE, PING, PONG, TEXT

BAD = {
    "unmasked": (frame(TEXT, b"{}", masked=False), 1002),
    "reserved bits": (frame(TEXT, b"{}", rsv=4), 1002),
    "unknown opcode": (frame(3, b""), 1002),
    "unknown control opcode": (frame(0xB, b""), 1002),
    "nothing to continue": (frame(CONT, b"x"), 1002),
    "message within a message": (frame(TEXT, b"{", fin=False) + frame(TEXT, b"}"), 1002),
    "fragmented ping": (frame(PING, b"x", fin=False), 1002),
    "ping of 126 bytes": (frame(PING, b"x" * 126), 1002),
    "pong that announces 2 GB": (frame(PONG, b"", length=2**31), 1002),
    "half a close code": (frame(CLOSE, b"\x03"), 1002),
    "close code 1006": (frame(CLOSE, b"\x03\xee"), 1002),
    "close reason that is no UTF-8": (frame(CLOSE, b"\x03\xe8\xff"), 1007),
    "text that is no UTF-8": (frame(TEXT, b"\xc0\x80"), 1007),
    "binary": (frame(BINARY, b"{}"), 1003),
    "message that announces 8 EB": (frame(TEXT, b"{", length=2**63 - 1), 1009),
    "message with the highest length": (frame(TEXT, b"{", length=2**64 - 1), 1009),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_frame_ends_its_sender_alone(what, bridge, redis_server, connect, raw):
    data, code = BAD[what]
    honest = connect("/ws?user=alice")
    honest.expect(type="connection")
    peer = raw()
    peer.send_raw(data)
    assert peer.wait_closed().code == code
    id_ = redis_server.client().execute_command("NOTIFY.SEND", "inbox:alice", "still here")
    assert honest.expect(type="notification")["id"] == id_
