"""What clients of the tests that read from sockets share."""

import socket
import time


def until(deadline):
    """The time that is left, as a time-out; a moment at least, for what is there already."""
    return max(0.001, deadline - time.monotonic())


def receive(sock, deadline):
    """What comes next before deadline (time.monotonic()); empty: the other side has gone."""
    left = deadline - time.monotonic()
    try:
        if left > 0:
            sock.settimeout(left)
            return sock.recv(65536)
    except socket.timeout:
        pass
    except (ConnectionResetError, BrokenPipeError):
        return b""
    raise TimeoutError("nothing arrived in time") from None
