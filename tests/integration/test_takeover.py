"""SIGUSR2: another process of the program takes over the sockets that listen, and nobody is refused meanwhile."""

import os
import re
import shutil
import signal
import socket
import threading
import time

import pytest

from descriptors import descriptors
from lasting import Lasting, children, is_alive
from manager import Manager
from servers import at_some_pace, bridge_path, free_port, read_files_again, wait_until
from ws_client import WsClient


@pytest.fixture(params=[1, 2], ids=["alone", "workers"])
def workers(request):
    return request.param


@pytest.fixture
def lasting(programs, redis_server, workers):
    def make(*args, server=redis_server, **options):
        return programs.add(Lasting(server, "--workers", str(workers), "--restart-spread", "100ms", *args, **options))

    return make


class Hammer:
    """Connects again and again, to all addresses in turn, and counts who is not served."""

    def __init__(self, *addresses):
        self.addresses = addresses
        self.served, self.failures = 0, []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(2)]

    def _open(self, address):
        """A WebSocket, at whichever process; it may be told to come back at once."""
        tab = WsClient(address[1], "/ws?user=hammer")
        tab.sock.close()

    def _ask(self, address):
        with socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET) as sock:
            sock.settimeout(60)
            sock.connect(address)
            sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answer = sock.recv(4096)
            assert answer.startswith(b"HTTP/1.1 200 "), answer

    def _run(self):
        while not self._stop.is_set():
            for address in self.addresses:
                try:
                    self._ask(address)
                    if not isinstance(address, str):
                        self._open(address)
                    self.served += 1
                except Exception as failure:  # pylint: disable=broad-except
                    self.failures.append((time.monotonic(), address, failure))

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def wait_served(self, more):
        wanted = self.served + more
        wait_until(lambda: self.served >= wanted or self.failures, f"{more} more being served")

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()


def test_nobody_is_refused_while_one_process_takes_over_from_the_other(lasting, tmp_path):
    path = str(tmp_path / "bridge.sock")
    bridge = lasting("--listen", f"unix:{path}").start()
    with Hammer(("127.0.0.1", bridge.port), path) as hammer:
        hammer.wait_served(50)
        for _ in range(4):
            before = bridge.take_over()
            bridge.wait_gone(before)
            hammer.wait_served(50)
    assert hammer.failures == []
    assert os.path.exists(path)
    bridge.terminate()
    assert not os.path.exists(path)


def test_clients_are_told_to_come_back_and_find_the_new_process(lasting):
    bridge = lasting().start()
    tabs = [WsClient(bridge.port, f"/ws?user=u{n}") for n in range(12)]
    for tab in tabs:
        tab.expect(type="connection")
    before = bridge.take_over()
    for tab in tabs:
        assert tab.wait_closed().code == 1012
        tab.close()
    bridge.wait_gone(before)
    tab = WsClient(bridge.port, "/ws?user=u1")
    tab.expect(type="connection")
    tab.close()


def test_a_configuration_that_is_no_good_changes_nothing(lasting, tmp_path):
    file = tmp_path / "bridge.conf"
    file.write_text("log-level info\n")
    bridge = lasting("--config", str(file)).start()
    tab = WsClient(bridge.port, "/ws?user=alice")
    tab.expect(type="connection")
    file.write_text("nonsense\n")
    mark = bridge.ask_take_over()
    bridge.wait_line("event=takeover_failed ", since=mark)
    tab.request("ping")
    assert not bridge.has_line("event=handed_over")
    file.write_text("log-level debug\n")
    bridge.wait_gone(bridge.take_over())
    assert tab.wait_closed().code == 1012
    tab.close()


def install(source, target):
    """As packages do: at no time half there."""
    shutil.copy(source, f"{target}.new")
    os.chmod(f"{target}.new", 0o755)
    os.rename(f"{target}.new", target)


def script(target, text):
    with open(f"{target}.new", "w", encoding="ascii") as file:
        file.write(f"#!/bin/sh\n{text}\n")
    os.chmod(f"{target}.new", 0o755)
    os.rename(f"{target}.new", target)


@pytest.fixture
def installed(lasting, tmp_path):
    """A bridge whose program can be replaced, and where it is."""
    program = str(tmp_path / "notify-bridge")
    install(bridge_path(), program)

    def make(*args, **options):
        return lasting(*args, program=program, **options).start(), program

    return make


def test_a_program_that_ends_at_once_or_never_gets_ready_changes_nothing(installed, tmp_path):
    file = tmp_path / "bridge.conf"
    file.write_text("")
    bridge, program = installed("--config", str(file))
    tab = WsClient(bridge.port, "/ws?user=alice")
    tab.expect(type="connection")

    def fail(text):
        script(program, text)
        mark = bridge.ask_take_over()
        bridge.wait_line("event=takeover_failed ", since=mark)
        hammer.wait_served(20)
        return mark

    def sleep(unit_s):
        """As long as it may take to get ready it has to say that it sleeps, too."""
        file.write_text(f"takeover-timeout {unit_s}s\n")
        read_files_again(bridge)
        mark = fail("echo $$ asleep; exec sleep 1000")
        return next(line for line in bridge.lines[mark:] if line.endswith(" asleep"))

    with Hammer(("127.0.0.1", bridge.port)) as hammer:
        fail("exit 3")
        fail("kill -SEGV $$")
        slept = at_some_pace(sleep, 1)
        wait_until(lambda: not os.path.exists(f"/proc/{slept.split()[0]}"), "its being waited for")
        file.write_text("")
        read_files_again(bridge)
        os.unlink(program)
        mark = bridge.ask_take_over()
        for event in ("takeover_not_started", "takeover_failed"):  # the child says the one, we say the other when it ended
            bridge.wait_line(f"event={event} ", since=mark)
        tab.request("ping")
        install(bridge_path(), program)
        bridge.wait_gone(bridge.take_over())
    assert hammer.failures == []
    assert tab.wait_closed().code == 1012
    tab.close()


def test_what_is_executed_is_the_file_that_lies_there_now(installed):
    bridge, program = installed()
    script(program, f'echo this is the new one; exec "{bridge_path()}" "$@"')
    bridge.wait_gone(bridge.take_over())
    assert bridge.has_line("this is the new one")


def test_the_number_of_workers_may_change(programs, redis_server, tmp_path):
    file = tmp_path / "bridge.conf"
    file.write_text("workers 3\n")
    bridge = programs.add(Lasting(redis_server, "--config", str(file), "--restart-spread", "100ms")).start()
    with Hammer(("127.0.0.1", bridge.port)) as hammer:
        for count in (1, 2, 3, 2):
            file.write_text(f"workers {count}\n")
            bridge.wait_gone(bridge.take_over())
            hammer.wait_served(50)
            wait_until(lambda count=count: len(children(bridge.pid)) == (count if count > 1 else 0), "as many workers")
    assert hammer.failures == []


def test_an_address_may_be_added_and_another_one_left(programs, redis_server, workers, tmp_path):
    file, ports = tmp_path / "bridge.conf", [free_port(), free_port()]
    file.write_text(f"listen 127.0.0.1:{ports[0]}\n")
    bridge = programs.add(Lasting(redis_server, "--config", str(file), "--workers", str(workers), own_listen=False))
    bridge.port = ports[0]
    bridge.start()
    file.write_text(f"listen 127.0.0.1:{ports[1]}\n")
    bridge.wait_gone(bridge.take_over())
    assert bridge.has_line("event=listener_left ")
    WsClient(ports[1], "/ws?user=a").close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", ports[0]))


def test_a_unix_socket_that_somebody_has_removed_is_made_anew(lasting, tmp_path):
    path = str(tmp_path / "bridge.sock")
    bridge = lasting("--listen", f"unix:{path}").start()
    os.unlink(path)
    bridge.wait_gone(bridge.take_over())
    with Hammer(path) as hammer:
        hammer.wait_served(10)
    assert hammer.failures == []


def test_a_file_that_somebody_has_put_in_the_place_of_a_unix_socket_is_not_removed(lasting, tmp_path):
    path = tmp_path / "bridge.sock"
    bridge = lasting("--listen", f"unix:{path}").start()
    path.unlink()
    path.write_text("not a socket")
    bridge.terminate()
    assert path.read_text() == "not a socket"


def test_a_manager_is_told_which_process_is_the_main_one(lasting):
    manager = Manager()
    try:
        bridge = lasting(env={**manager.env, "WATCHDOG_USEC": "400000"}).start()
        manager.wait(READY="1")
        mark = manager.mark()
        first = bridge.take_over()
        second = bridge.pid
        assert manager.wait(since=mark, RELOADING="1")[0] == first
        said = manager.wait(since=mark, MAINPID=r"\d+")
        pid, pairs, _ = said
        assert (pid, pairs["MAINPID"], pairs["READY"]) == (first, str(second), "1")
        assert pairs["STATUS"] == "serves clients"  # what the new one has said before nobody may have believed
        at = manager.heard.index(said) + 1
        bridge.wait_gone(first)
        assert manager.wait(since=at, WATCHDOG="1")[0] == second
        assert {pid for pid, _, _ in manager.heard[at:]} == {second}  # the old one says nothing any more, not that it ends
        bridge.terminate()
        assert manager.wait(since=at, STOPPING="1")[0] == second
    finally:
        manager.close()


def test_sockets_of_a_manager_stay_its_own_through_any_number_of_processes(lasting, tmp_path):
    path = str(tmp_path / "bridge.sock")
    local = socket.socket(socket.AF_UNIX)
    local.bind(path)
    local.listen(64)
    with local:
        args = ["--listen", "systemd:local", "--insecure-no-auth"]
        bridge = lasting(*args, sockets=[local], names=["local"]).start()
        for _ in range(2):
            bridge.wait_gone(bridge.take_over())
            with Hammer(path) as hammer:
                hammer.wait_served(10)
            assert hammer.failures == []
        bridge.terminate()
        assert os.path.exists(path)


def kinds_of_descriptors(pid):
    return sorted(re.sub(r"\d+", "", name) for name in descriptors(pid).values())


def test_no_descriptor_is_handed_on_but_those_that_listen(lasting):
    bridge = lasting("--listen", f"127.0.0.1:{free_port()}").start()
    tabs = [WsClient(bridge.port, f"/ws?user=u{n}") for n in range(5)]
    bridge.wait_gone(bridge.take_over())
    wait_until(lambda: bridge.metrics()["notify_ready"] == int(bridge.args[1]), "being ready")
    first = kinds_of_descriptors(bridge.pid)
    for _ in range(2):
        bridge.wait_gone(bridge.take_over())
    wait_until(lambda: len(kinds_of_descriptors(bridge.pid)) <= len(first), "not more descriptors than before")
    with open(f"/proc/{bridge.pid}/status", encoding="ascii") as file:
        masks = dict(line.split(":\t") for line in file.read().splitlines())
    if bridge.args[1] == "1":
        assert int(masks["SigBlk"], 16) == 0
    for tab in tabs:
        tab.sock.close()


def test_who_is_told_to_end_while_another_process_begins_ends_both(installed):
    bridge, program = installed()
    script(program, "echo $$ asleep; exec sleep 1000")
    mark = bridge.ask_take_over()
    pid = int(bridge.wait_line(r"^\d+ asleep", since=mark).split()[0])
    assert bridge.terminate() == 0
    assert not is_alive(pid)


def test_what_is_asked_for_twice_is_done_once_and_a_reload_reaches_both(installed, tmp_path):
    file = tmp_path / "bridge.conf"
    file.write_text("log-level info\n")
    bridge, program = installed("--config", str(file))
    script(program, f'trap "" HUP; echo $$ begins; while [ ! -e "{tmp_path}/go" ]; do sleep 0.05; done; exec "{bridge_path()}" "$@"')
    mark = bridge.ask_take_over()
    bridge.wait_line("begins$", since=mark)
    bridge.ask_take_over()
    bridge.wait_line("event=takeover_refused ", since=mark)
    (tmp_path / "go").touch()
    bridge.wait_line("event=handed_over ", since=mark)
    assert sum("begins" in line for line in bridge.lines) == 1
    bridge.successor = int(re.search(r"handed_over pid=(\d+)", "\n".join(bridge.lines))[1])
    bridge.wait_gone(bridge.proc.pid)


def test_workers_take_no_notice_of_what_is_meant_for_the_supervisor(programs, redis_server):
    """Such as a signal to all processes of a service."""
    bridge = programs.add(Lasting(redis_server, "--workers", "2", "--restart-spread", "100ms")).start()
    tab = WsClient(bridge.port, "/ws?user=alice")
    tab.expect(type="connection")
    for pid in children(bridge.pid):
        os.kill(pid, signal.SIGUSR2)
    mark = bridge.mark()
    os.kill(bridge.pid, signal.SIGHUP)
    for n in range(2):
        bridge.wait_line(f"event=config_read worker={n}", since=mark)
    tab.request("ping")
    tab.close()
    assert not bridge.has_line("event=worker_ended")


def test_a_new_process_that_waits_for_redis_is_the_bridge_if_the_old_one_dies(programs, workers):
    server = programs.redis()
    bridge = programs.add(Lasting(server, "--workers", str(workers))).start()
    os.kill(server.pid, signal.SIGSTOP)
    line = bridge.wait_line(r"event=takeover_begun pid=\d+", since=bridge.ask_take_over())
    successor = int(re.search(r"pid=(\d+)", line)[1])
    old = {bridge.pid, *children(bridge.pid)} - {successor}
    wait_until(lambda: b"notify-bridge" in open(f"/proc/{successor}/cmdline", "rb").read(), "its being executed")
    wait_until(lambda: workers == 1 or len(children(successor)) == workers, "its workers")
    os.kill(bridge.pid, signal.SIGKILL)
    bridge.proc.wait()
    bridge.successor = successor
    wait_until(lambda: not any(is_alive(pid) for pid in old), "the end of the old workers")
    mark = bridge.mark()
    os.kill(server.pid, signal.SIGCONT)
    bridge.wait_line("event=ready", since=mark)
    tab = WsClient(bridge.port, "/ws?user=alice")
    tab.expect(type="connection")
    tab.close()
