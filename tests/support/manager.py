"""What a service manager does for a program, played by a test: it hears what the program says (sd_notify), and hands
sockets over that listen already (socket activation)."""

import os
import re
import select
import socket
import struct
import sys
import tempfile
import threading
import time

from patience import WAIT_TIMEOUT_S

HAND_OVER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "hand_over.py")


class Manager:
    """Hears datagrams at a path of its own, or at an abstract name, at once, as managers do: the kernel keeps some ten of
    them, and a program does not wait for long until there is room for another one."""

    def __init__(self, abstract=False):
        self._folder = tempfile.TemporaryDirectory(prefix="notify-test-manager-")
        self.name = f"@notify-test-{os.getpid()}-{id(self)}" if abstract else os.path.join(self._folder.name, "notify")
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.sock.bind("\0" + self.name[1:] if abstract else self.name)
        self.heard = []  # (pid of who said it, {name: value}, time)
        self.sock.setblocking(False)
        self._news = threading.Condition()
        self._end, self._ended = socket.socketpair()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def env(self):
        return {"NOTIFY_SOCKET": self.name}

    def _read(self):
        while self._ended not in select.select([self.sock, self._ended], [], [])[0]:
            self.hear_all()

    def hear_all(self):
        """All that has been said up to now."""
        with self._news:
            while True:
                try:
                    text, controls, _, _ = self.sock.recvmsg(4096, socket.CMSG_SPACE(12))
                except BlockingIOError:
                    return self.heard
                (pid, _, _) = struct.unpack("iii", controls[0][2])
                pairs = dict(line.split("=", 1) for line in text.decode().splitlines())
                self.heard.append((pid, pairs, time.monotonic()))
                self._news.notify_all()

    def mark(self):
        return len(self.hear_all())

    def wait(self, since=0, **wanted):
        """(pid, pairs, time) of the first datagram from `since` on with these values, which are patterns."""
        deadline = time.monotonic() + WAIT_TIMEOUT_S
        at = since
        with self._news:
            while True:
                while at < len(self.heard):
                    pairs = self.heard[at][1]
                    if all(re.fullmatch(pattern, pairs.get(name, "")) for name, pattern in wanted.items()):
                        return self.heard[at]
                    at += 1
                if not self._news.wait(max(deadline - time.monotonic(), 0)):
                    raise AssertionError(f"nothing like {wanted} in {self.heard[since:]}")

    def read_no_more(self):
        self._end.close()
        self._reader.join()

    def close(self):
        self.read_no_more()
        self._ended.close()
        self.sock.close()
        self._folder.cleanup()


def handing_over(sockets, names=None, **env):
    """Words before a command line, and the descriptors to pass, so that it finds these sockets from 3 on."""
    fds = [sock.fileno() for sock in sockets]
    values = {"LISTEN_FDS": str(len(fds)), "LISTEN_PID": "own"}
    if names is not None:
        values["LISTEN_FDNAMES"] = ":".join(names)
    values.update(env)
    words = [sys.executable, HAND_OVER, ",".join(map(str, fds)) or "-"]
    words += [f"{name}={value}" for name, value in values.items() if value is not None]
    return words + ["--"], fds
