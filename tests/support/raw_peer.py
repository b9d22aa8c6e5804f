"""A WebSocket peer that keeps no rules: whatever bytes, whenever, and no reading unless asked to."""

import ssl
import struct

from ws_client import Closed, WsClient

CONT = 0


def frame(opcode, payload=b"", fin=True, rsv=0, masked=True, length=None):
    """One frame as bytes, also one that must not be."""
    length = len(payload) if length is None else length
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    bit = 0x80 if masked else 0
    if length < 126:
        head += bytes([bit | length])
    elif length < 65536:
        head += struct.pack("!BH", bit | 126, length)
    else:
        head += struct.pack("!BQ", bit | 127, length)
    if not masked:
        return head + payload
    mask = b"\x11\x22\x33\x44"
    return head + mask + bytes(b ^ mask[i & 3] for i, b in enumerate(payload))


def read_all(sock):
    """What comes until the end of the stream; a reset counts as the end."""
    data = b""
    try:
        while more := sock.recv(65536):
            data += more
    except (ConnectionResetError, ssl.SSLError):
        pass
    return data


class RawPeer(WsClient):
    """After the handshake nothing is read by itself, the greeting neither; small kernel buffers, so
    that what the bridge keeps for it lies in the bridge."""

    def __init__(self, port, path="/ws", **options):
        options.setdefault("receive_buffer", 4096)
        super().__init__(port, path, **options)

    def send_raw(self, data, timeout=None):
        """All of it, or as much as is taken until the other side ends; then Closed."""
        self.sock.settimeout(self.timeout if timeout is None else timeout)
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            raise Closed(1006) from None

    def push(self, data):
        """As much of it as the kernel takes at once; returns how many bytes that was."""
        self.sock.setblocking(False)
        try:
            return self.sock.send(data)
        except BlockingIOError:
            return 0
        except (BrokenPipeError, ConnectionResetError):
            raise Closed(1006) from None
