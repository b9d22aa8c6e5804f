"""Sockets that the bridge closes while another process has their descriptors, too, as a child has that takes over and has
not come to its exec() yet: what the kernel says of them from then on is nobody's business any more."""

import ctypes
import errno
import os
import socket
import ssl
import time

import pytest

from bridge_helpers import wait_ready
from certificates import Certificate
from descriptors import descriptors
from servers import free_port, wait_until
from ws_client import WsClient

_PIDFD_OPEN, _PIDFD_GETFD = 434, 438  # of all architectures
_libc = ctypes.CDLL(None, use_errno=True)


class Shared:
    """All the sockets that a process has now, also had here."""

    def __init__(self, pid):
        pidfd = _libc.syscall(_PIDFD_OPEN, pid, 0)
        if pidfd < 0:
            pytest.skip("this system knows no descriptors of processes")
        names = [fd for fd, name in descriptors(pid).items() if name.startswith("socket:")]
        taken = [self._take(pidfd, fd) for fd in names]
        os.close(pidfd)
        self.fds = [fd for fd in taken if fd is not None]

    @staticmethod
    def _take(pidfd, fd):
        """None: it was closed meanwhile."""
        taken = _libc.syscall(_PIDFD_GETFD, pidfd, fd, 0)
        if taken >= 0:
            return taken
        if ctypes.get_errno() == errno.EBADF:
            return None
        pytest.skip("this system lets nobody have descriptors of another process")

    def close(self):
        for fd in self.fds:
            os.close(fd)


def sockets(stand):
    """How many peers have besides the one that asks."""
    return stand.daemon.metrics()["notify_sockets"] - 1


class Peers:
    """Connections of each kind; begun: those that have said something which is not over."""

    def __init__(self, stand, tls_port, proxy_port, certificate):
        context = ssl.create_default_context(cafile=certificate.cert)
        ports = [(stand.daemon.port, None), (tls_port, context)]
        self.tabs = [WsClient(port, f"/ws?user=u{n}", tls=tls) for n in range(8) for port, tls in ports]
        for tab in self.tabs:
            tab.expect(type="connection")
        self.begun = [
            (socket.create_connection(("127.0.0.1", port)), words, end)
            for port, words, end in [
                (stand.daemon.port, b"GET /healthz HTTP/1.1\r\n", b"no header\r\n\r\n"),
                (tls_port, b"\x16\x03", b"nor a record"),
                (proxy_port, b"PROXY TCP4", b" 1\r\n"),
            ]
            for _ in range(4)
        ]
        for sock, words, _ in self.begun:
            sock.sendall(words)
        wait_until(lambda: sockets(stand) == len(self.tabs) + len(self.begun), "their being accepted")

    def have_the_bridge_close_all(self, stand):
        for n in range(8):
            stand.call("NOTIFY.SESSION", "KICK", f"sessions:u{n}", "*")
        for tab in self.tabs:
            opcode = None
            while opcode != 8:
                opcode, _, _ = tab.recv_frame()
        for sock, _, end in self.begun:
            sock.sendall(end)
        wait_until(lambda: sockets(stand) == len(self.tabs), "the end of what was begun")

    def say_more(self):
        for tab in self.tabs:
            tab.sock.close()
        for sock, _, _ in self.begun:
            try:
                sock.sendall(b"more")
            except OSError:
                pass
            sock.close()


def test_what_is_closed_is_not_looked_at_again_though_another_process_has_its_descriptor(make_stand, tmp_path):
    tls_port, proxy_port, certificate = free_port(), free_port(), Certificate(tmp_path)
    stand = make_stand(
        "--listen", f"127.0.0.1:{tls_port},tls", "--listen", f"127.0.0.1:{proxy_port},proxy",
        "--tls-cert", certificate.cert, "--tls-key", certificate.key,
    )  # fmt: skip
    peers = Peers(stand, tls_port, proxy_port, certificate)
    shared = Shared(stand.daemon.pid)
    peers.have_the_bridge_close_all(stand)
    peers.say_more()
    mark = stand.daemon.mark()
    for kind in ("pubsub", "normal"):
        stand.call("CLIENT", "KILL", "TYPE", kind)
    stand.daemon.wait_links("up", since=mark)
    wait_ready(stand)
    wait_until(lambda: sockets(stand) == 0, "the end of all")
    tab = stand.tab("/ws?user=somebody")
    used = stand.daemon.cpu_seconds()
    time.sleep(1)  # of which it would use all, were it told of them again and again
    assert stand.daemon.cpu_seconds() - used < 0.4
    stand.send("inbox:somebody")
    tab.expect(type="notification")
    shared.close()
