"""What a busy machine does to programs, done to them on purpose, to find tests that pass only where nothing else runs.
NOTIFY_BUSY names what is done, as in "late=100 step=50 stutter=200":

    late=MS     the bridge hears what Redis publishes so much later than answers of Redis
    step=MS     the clock of Redis goes in steps: what is sent meanwhile has one millisecond
    stutter=MS  each program is stopped for up to so long, again and again

Tests of time itself may fail by it, and those that stop programs; others may not."""

import os
import random
import signal
import threading
import time

from tcp_proxy import TcpProxy


def busy(what):
    """The number of this kind, or 0."""
    words = dict(word.split("=") for word in os.environ.get("NOTIFY_BUSY", "").split())
    return int(words.get(what, 0))


def url_for_bridge(server):
    """Where a bridge is to find this server."""
    if not busy("late") or not hasattr(server, "dir"):
        return server.url
    if not hasattr(server, "late"):
        server.late = TcpProxy(server.port)
        server.late.delay(b"notify-bridge:subscriber", busy("late") / 1000)
    return server.late.url


def clock_env():
    step = busy("step")
    return {"NOTIFY_CLOCK_STEP_MS": str(step)} if step else {}


def _is_stopped(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        return file.read().rsplit(")", 1)[1].split()[0] == "T"


def _stutter(proc, most_s):
    while proc.poll() is None:
        time.sleep(random.uniform(0, 4 * most_s))
        try:
            if _is_stopped(proc.pid):  # by a test
                continue
            proc.send_signal(signal.SIGSTOP)
            time.sleep(random.uniform(0, most_s))
            proc.send_signal(signal.SIGCONT)
        except OSError:
            return


def disturb(proc):
    if busy("stutter"):
        threading.Thread(target=_stutter, args=(proc, busy("stutter") / 1000), daemon=True).start()
