"""A bridge that hands over to another process of its program (SIGUSR2): the same service, of one process after the other."""

import os
import re
import signal

from manager import handing_over
from patience import WAIT_TIMEOUT_S
from servers import Bridge, wait_until


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def children(pid):
    """Processes whose parent it is, zombies too. One that has ended has none."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(word) for word in file.read().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


class Lasting(Bridge):
    """As Bridge. sockets, names: what a service manager would hand over."""

    def __init__(self, server, *args, sockets=None, names=None, listen_env=None, own_listen=True, **options):
        super().__init__(server, *args, **options)
        self.handed = None if sockets is None else (sockets, names, listen_env or {})
        self.own_listen = own_listen  # beside what is handed over
        self.successor = None

    def _spawn(self, argv, env=None, cwd=None, stdin=None):
        if not self.own_listen:
            at = argv.index("--listen")
            del argv[at : at + 2]
        fds = []
        if self.handed is not None:
            words, fds = handing_over(self.handed[0], self.handed[1], **self.handed[2])
            argv = words + argv
        for fd in fds:
            os.set_inheritable(fd, True)
        self.pass_fds = fds
        self.successor = None
        super()._spawn(argv, env=env, cwd=cwd)

    @property
    def pid(self):
        return self.successor or self.proc.pid

    def running(self):
        return super().running() if self.successor is None else is_alive(self.successor)

    def ask_take_over(self):
        mark = self.mark()
        os.kill(self.pid, signal.SIGUSR2)
        return mark

    def take_over(self):
        """Returns the process that was the bridge until then; it may still be there."""
        before, mark = self.pid, self.ask_take_over()
        line = self.wait_line(r"event=handed_over pid=\d+", since=mark)
        self.successor = int(re.search(r"pid=(\d+)", line)[1])
        return before

    def wait_gone(self, pid):
        if pid == self.proc.pid:
            assert self.proc.wait(WAIT_TIMEOUT_S) == 0, self.tail()
        else:
            wait_until(lambda: not is_alive(pid), f"the end of {pid}")

    def _reap(self, timeout=WAIT_TIMEOUT_S):
        if self.successor is None:
            return super()._reap(timeout)
        self.wait_gone(self.successor)
        self.proc.wait(timeout)
        self._reader.join(timeout)
        return 0

    def kill9(self):
        os.kill(self.pid, signal.SIGKILL)
        self._reap()

    def terminate(self, timeout=WAIT_TIMEOUT_S):
        os.kill(self.pid, signal.SIGTERM)
        return self._reap(timeout)

    def stop(self):
        for pid in {self.pid, *(children(self.pid) if self.running() else [])}:
            if is_alive(pid):
                os.kill(pid, signal.SIGCONT)
        super().stop()
