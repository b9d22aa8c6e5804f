"""What descriptors another process has. It goes on meanwhile: one that it closes while we look is one that it has not."""

import os


def descriptors(pid):
    """{descriptor: what it names, for example "socket:[4711]"}."""
    found = {}
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            found[int(fd)] = os.readlink(f"/proc/{pid}/fd/{fd}")
        except FileNotFoundError:
            pass
    return found


def inherited(pid):
    """As above; those that a program which it executes has, too."""
    return {fd: name for fd, name in descriptors(pid).items() if not _flags(pid, fd) & os.O_CLOEXEC}


def _flags(pid, fd):
    """As open() has them."""
    try:
        with open(f"/proc/{pid}/fdinfo/{fd}", encoding="ascii") as file:
            return int(file.read().split("flags:")[1].split()[0], 8)
    except FileNotFoundError:
        return os.O_CLOEXEC  # nobody inherits what is closed
