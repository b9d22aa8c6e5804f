"""Workers that stand still, or are away for long: they are noticed, replaced, and others serve who would come to them."""

import os
import re
import signal
import socket
import time
import urllib.error
import urllib.request

import pytest

from servers import Bridge, at_some_pace, wait_until
from ws_client import WsClient

WORKERS = 3


def pids_of(bridge):
    found = {}
    for line in list(bridge.lines):
        match = re.search(r"event=worker_started number=(\d+) pid=(\d+)", line)
        if match:
            found[int(match[1])] = int(match[2])
    return [found[number] for number in sorted(found)]


class Workers(Bridge):
    def stop(self):
        for pid in [self.pid, *pids_of(self)]:
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass
        super().stop()


def ready_status(bridge):
    try:
        with urllib.request.urlopen(bridge.http_url + "/readyz", timeout=60) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.fixture
def bridge_of(programs, redis_server):
    def make(*args):
        bridge = programs.add(Workers(redis_server, "--workers", str(WORKERS), *args)).start()
        wait_until(lambda: ready_status_of_living(bridge) == 200, "all being ready")
        return bridge

    return make


def ready_status_of_living(bridge):
    """Of a worker that answers: who comes to one that stands still waits for another one, which is not what we ask."""
    try:
        return ready_status(bridge)
    except OSError:
        return None


def ask(bridge):
    with socket.create_connection(("127.0.0.1", bridge.port)) as sock:
        sock.settimeout(60)
        sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return sock.recv(100).startswith(b"HTTP/1.1 200 ")


def test_a_worker_that_stands_still_is_not_ready_and_others_serve_who_comes_to_it(bridge_of):
    bridge = bridge_of("--worker-timeout", "0")
    pid = pids_of(bridge)[1]
    os.kill(pid, signal.SIGSTOP)
    assert all(ask(bridge) for _ in range(40))  # some wait until they have somebody
    assert bridge.has_line("event=stands_in worker=2 for=1")
    assert ready_status(bridge) == 503
    started = time.monotonic()
    assert all(ask(bridge) for _ in range(40))
    assert time.monotonic() - started < 30
    os.kill(pid, signal.SIGCONT)
    wait_until(lambda: ready_status(bridge) == 200, "being ready again")
    bridge.wait_line("event=stood_in worker=2 for=1")
    assert not bridge.has_line("event=worker_(stuck|ended)")


def test_a_worker_that_stands_still_for_too_long_is_killed_and_another_one_is_started(bridge_of):
    def is_killed(timeout_s):
        bridge = bridge_of("--worker-timeout", f"{timeout_s}s")
        mark = bridge.mark()
        os.kill(pids_of(bridge)[1], signal.SIGSTOP)
        bridge.wait_line("event=worker_stuck number=1 ", since=mark)
        bridge.wait_line("event=worker_ended number=1 .*signal=9", since=mark)
        bridge.wait_line("event=worker_started number=1 ", since=mark)
        wait_until(lambda: ready_status(bridge) == 200, "being ready again")
        assert not bridge.has_line("event=worker_stuck number=[02]")

    at_some_pace(is_killed, 2)


def test_all_that_stand_still_at_once_are_replaced(bridge_of):
    bridge = bridge_of("--worker-timeout", "2s")
    for pid in pids_of(bridge):
        os.kill(pid, signal.SIGSTOP)
    assert all(ask(bridge) for _ in range(10))
    wait_until(lambda: ready_status(bridge) == 200, "being ready again")


def test_time_in_which_everybody_was_stopped_is_held_against_nobody(bridge_of):
    """As a machine that sleeps, or a container that is frozen."""

    def is_held_against_nobody(timeout_s):
        bridge = bridge_of("--worker-timeout", f"{timeout_s}s")
        pids = [bridge.pid, *pids_of(bridge)]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(timeout_s + 2)
        for pid in pids:  # the supervisor is first
            os.kill(pid, signal.SIGCONT)
        wait_until(lambda: ready_status(bridge) == 200, "being ready again")
        assert pids_of(bridge) == pids[1:]

    at_some_pace(is_held_against_nobody, 3, doublings=3)


def test_while_a_worker_waits_to_be_started_again_others_serve_who_comes_to_it(bridge_of):
    bridge = bridge_of()
    for _ in range(7):  # the next one waits for seconds
        mark = bridge.mark()
        os.kill(pids_of(bridge)[0], signal.SIGKILL)
        bridge.wait_line("event=worker_started number=0 ", since=mark)
    mark = bridge.mark()
    os.kill(pids_of(bridge)[0], signal.SIGKILL)
    bridge.wait_line("event=worker_ended number=0 ", since=mark)
    bridge.wait_line("event=stands_in worker=1 for=0")  # perhaps since an earlier death
    assert not bridge.has_line("event=worker_started number=0 ", since=mark)
    assert all(ask(bridge) for _ in range(40))
    wait_until(lambda: ready_status(bridge) == 200, "being ready again")


def test_a_worker_that_somebody_tells_to_end_is_replaced_and_others_serve_until_then(bridge_of):
    """Not the supervisor: one process of many, by its number. It drains, which may take long."""
    bridge = bridge_of("--shutdown-timeout", "5s")
    tabs = [WsClient(bridge.port, f"/ws?user=u{n}") for n in range(12)]
    for tab in tabs:
        tab.expect(type="connection")
    mark = bridge.mark()
    os.kill(pids_of(bridge)[1], signal.SIGTERM)
    bridge.wait_line("event=stopping worker=1", since=mark)
    assert all(ask(bridge) for _ in range(40))
    bridge.wait_line("event=worker_ended number=1 .*status=0", since=mark)
    wait_until(lambda: ready_status(bridge) == 200, "being ready again")
    for tab in tabs:
        tab.sock.close()
