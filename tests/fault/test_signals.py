"""Signals in any order and number, at any time, to a bridge of one process and of several: it serves, or it ends; it leaves nobody behind."""

import os
import random
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

from crowd import new_seed
from lasting import Lasting, children, is_alive
from servers import Bridge, bridge_path, free_port, wait_until
from ws_client import WsClient


@pytest.fixture(params=[1, 3], ids=["alone", "workers"])
def workers(request):
    return request.param


@pytest.fixture
def lasting(programs, redis_server, workers):
    def make(*args, **options):
        return programs.add(Lasting(redis_server, "--workers", str(workers), "--restart-spread", "100ms", *args, **options))

    return make


def processes_of(bridge):
    """Whoever runs with its port among the arguments."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            continue
        if f"127.0.0.1:{bridge.port}".encode() in words and is_alive(int(name)):
            found.append(int(name))
    return found


def kill_children(pid):
    """Returns once there are as many others."""
    killed = children(pid)
    for child in killed:
        os.kill(child, signal.SIGKILL)

    def are_replaced():
        now = children(pid)
        return len(now) == len(killed) and not set(now) & set(killed)

    wait_until(are_replaced, "others in their place")


def waits(pid):
    """Whether a signal does, that it will take some time later."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            words = dict(line.split(":", 1) for line in file)
    except (FileNotFoundError, ProcessLookupError):
        return False
    return int(words["SigPnd"], 16) | int(words["ShdPnd"], 16) != 0


def is_serving(bridge):
    try:
        with socket.create_connection(("127.0.0.1", bridge.port), timeout=60) as sock:
            sock.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return sock.recv(100).startswith(b"HTTP/1.1 200 ")
    except OSError:
        return False


@pytest.mark.parametrize("signum", [signal.SIGHUP, signal.SIGUSR2])
def test_a_signal_that_comes_before_anybody_takes_it_waits(lasting, signum):
    bridge = lasting()
    bridge.start(wait_ready=False)

    def is_held():
        with open(f"/proc/{bridge.proc.pid}/status", encoding="ascii") as file:
            masks = dict(line.split(":", 1) for line in file.read().splitlines())
        return int(masks["SigBlk"], 16) >> (signum - 1) & 1 or bridge.has_line("event=ready")

    wait_until(is_held, "its being held")
    os.kill(bridge.proc.pid, signum)
    if signum == signal.SIGHUP:
        bridge.wait_line("event=config_read")
        wait_until(lambda: is_serving(bridge), "serving")
    else:
        line = bridge.wait_line(r"event=handed_over pid=\d+")
        bridge.successor = int(re.search(r"pid=(\d+)", line)[1])
        bridge.wait_gone(bridge.proc.pid)
        wait_until(lambda: is_serving(bridge), "serving")


@pytest.mark.parametrize("signum", [signal.SIGHUP, signal.SIGUSR2])
def test_a_storm_of_signals_keeps_nobody_from_ending_it(lasting, signum, tmp_path):
    bridge = lasting().start()
    stop = threading.Event()

    def storm():
        while not stop.is_set():
            try:
                os.kill(bridge.proc.pid, signum)
            except ProcessLookupError:
                return

    thread = threading.Thread(target=storm)
    thread.start()
    try:
        wait_until(lambda: is_serving(bridge), "serving")
        if signum == signal.SIGUSR2:  # it may be another process by now
            bridge.wait_line("event=handed_over ")
        os.kill(bridge.proc.pid, signal.SIGTERM)
        bridge.proc.wait(60)
    finally:
        stop.set()
        thread.join()
    for pid in processes_of(bridge):
        os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not processes_of(bridge), "the end of all")
    bridge.wait()


@pytest.mark.parametrize("rounds", [3])
def test_signals_in_any_order_leave_a_bridge_that_serves_and_nobody_beside_it(lasting, rounds, workers):
    rng = random.Random(new_seed())
    bridge = lasting().start()
    for _ in range(rounds):
        for _ in range(12):
            signum = rng.choice([signal.SIGHUP, signal.SIGUSR2, signal.SIGCHLD, signal.SIGHUP])
            targets = processes_of(bridge)
            for pid in targets if rng.random() < 0.3 else targets[:1]:
                try:
                    os.kill(pid, signum)
                except ProcessLookupError:
                    pass
            time.sleep(rng.random() * 0.1)

        def has_settled():
            pids = processes_of(bridge)
            return len(pids) == (workers + 1 if workers > 1 else 1) and not any(map(waits, pids)) and is_serving(bridge)

        wait_until(has_settled, "one bridge that serves")
    mains = [pid for pid in processes_of(bridge) if workers == 1 or children(pid)]
    assert len(mains) == 1
    bridge.successor = mains[0] if mains[0] != bridge.proc.pid else None
    bridge.terminate()
    assert processes_of(bridge) == []


def test_no_child_stays_a_zombie(programs, redis_server):
    bridge = programs.add(Lasting(redis_server, "--workers", "3")).start()
    for _ in range(4):
        kill_children(bridge.pid)  # a zombie would be one of them


def test_a_supervisor_survives_the_reader_of_its_log(redis_server):
    reader, writer = os.pipe()
    port = free_port()
    argv = [bridge_path(), "--listen", f"127.0.0.1:{port}", "--redis", redis_server.url, "--auth", "none", "--workers", "2"]
    with subprocess.Popen(argv, stderr=writer, stdin=subprocess.DEVNULL) as proc:
        os.close(writer)
        try:
            wait_until(lambda: len(children(proc.pid)) == 2, "two workers")
            os.close(reader)
            kill_children(proc.pid)  # about which it has something to say
            assert proc.poll() is None
        finally:
            proc.send_signal(signal.SIGTERM)
        assert proc.wait(60) == 0


def test_clients_that_neither_read_nor_answer_do_not_hold_up_the_end(lasting, redis_server):
    bridge = lasting("--shutdown-timeout", "1s", "--slow-client-timeout", "1h").start()
    tabs = [WsClient(bridge.port, "/ws?user=alice&topics=news") for _ in range(6)]
    for tab in tabs:
        tab.expect(type="connection")
    for n in range(200):  # more than sockets hold
        redis_server.client().execute_command("NOTIFY.EVENT", "topic:news", "tick", "DATA", '{"p":"%s"}' % ("x" * 60000))
    os.kill(bridge.pid, signal.SIGTERM)
    started = time.monotonic()
    assert bridge.wait() == 0
    assert time.monotonic() - started < 40
    for tab in tabs:
        tab.sock.close()


def test_who_hands_over_is_not_held_up_by_clients_either_and_the_new_one_serves(lasting, redis_server):
    bridge = lasting("--shutdown-timeout", "1s").start()
    tabs = [WsClient(bridge.port, "/ws?user=alice") for _ in range(6)]  # that never answer
    before = bridge.take_over()
    assert is_serving(bridge)
    bridge.wait_gone(before)
    for tab in tabs:
        tab.sock.close()


def test_a_terminal_that_goes_away_has_the_bridge_read_its_configuration_and_nothing_else(programs, redis_server):
    """SIGHUP to all processes of a group."""
    bridge = programs.add(Bridge(redis_server, "--workers", "2")).start()
    for pid in [bridge.pid, *children(bridge.pid)]:
        os.kill(pid, signal.SIGHUP)
    bridge.wait_line("event=config_read")
    assert not bridge.has_line("event=worker_ended")
    wait_until(lambda: is_serving(bridge), "serving")
