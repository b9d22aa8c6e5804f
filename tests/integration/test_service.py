"""A bridge as the service of a manager such as systemd: what it says (sd_notify), and sockets that it is handed."""

import os
import signal
import socket
import urllib.error
import urllib.request

import pytest

from descriptors import inherited
from lasting import Lasting, children
from manager import Manager
from servers import free_port, wait_until

SHARED = ["--insecure-no-auth"]  # whoever hands a socket over knows who can reach it


@pytest.fixture(params=[1, 3], ids=["alone", "workers"])
def workers(request):
    return request.param


@pytest.fixture
def manager():
    made = Manager()
    yield made
    made.close()


@pytest.fixture
def lasting(programs, redis_server, workers):
    """lasting("--flag", …): a bridge that is not started yet."""

    def make(*args, **options):
        return programs.add(Lasting(redis_server, "--workers", str(workers), *args, **options))

    return make


def status_of(url, path="/readyz"):
    try:
        with urllib.request.urlopen(url + path, timeout=60) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def ask(sock, path="/healthz"):
    """What is answered to one request on a socket that is connected."""
    sock.settimeout(60)
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    return sock.recv(4096)


def is_served(family, address):
    with socket.socket(family) as sock:
        sock.connect(address)
        return ask(sock).startswith(b"HTTP/1.1 200 ")


# -- what it says


@pytest.mark.parametrize("abstract", [False, True], ids=["path", "abstract"])
def test_a_manager_is_told_of_the_beginning_and_of_the_end_by_the_main_process_alone(lasting, abstract):
    manager = Manager(abstract)
    try:
        bridge = lasting(env=manager.env).start()
        pid, pairs, _ = manager.wait(READY="1")
        assert pid == bridge.pid and pairs["STATUS"]
        assert status_of(bridge.http_url, "/healthz") == 200
        bridge.terminate()
        manager.wait(STOPPING="1")
        assert {pid for pid, _, _ in manager.hear_all()} == {bridge.pid}
        assert not bridge.has_line("event=unknown_variable name=NOTIFY_SOCKET")
    finally:
        manager.close()


def test_it_is_ready_for_a_manager_once_it_listens_even_if_redis_is_not_there(programs, manager, workers):
    server = programs.redis()
    port = server.port
    server.terminate()
    bridge = programs.add(Lasting(server, "--workers", str(workers), env=manager.env))
    bridge.start(wait_ready=False)
    manager.wait(READY="1")
    assert server.port == port and status_of(bridge.http_url) == 503


def test_a_reload_is_said_to_begin_and_to_be_over_whether_it_was_good_or_not(lasting, manager, tmp_path):
    file = tmp_path / "bridge.conf"
    file.write_text("log-level info\n")
    bridge = lasting("--config", str(file), env=manager.env).start()
    manager.wait(READY="1")
    for text in ("log-level debug\n", "nonsense\n"):
        mark = manager.mark()
        file.write_text(text)
        bridge.proc.send_signal(signal.SIGHUP)
        begun = manager.wait(since=mark, RELOADING="1")
        assert int(begun[1]["MONOTONIC_USEC"]) > 0
        over = manager.wait(since=mark, READY="1")
        assert manager.heard.index(over) > manager.heard.index(begun)
        assert "RELOADING" not in over[1]


def test_it_beats_in_half_of_the_time_that_a_watchdog_allows(lasting, manager):
    lasting(env={**manager.env, "WATCHDOG_USEC": "400000"}).start()
    mark = 0
    for _ in range(5):
        mark = manager.heard.index(manager.wait(since=mark, WATCHDOG="1")) + 1
    beats = [time for _, pairs, time in manager.heard if "WATCHDOG" in pairs]
    assert sorted(b - a for a, b in zip(beats, beats[1:]))[1] >= 0.15  # and not all the time


@pytest.mark.parametrize("env", [{"WATCHDOG_PID": "1"}, {"WATCHDOG_PID": "x"}, {"WATCHDOG_USEC": "x"}, {"WATCHDOG_USEC": "0"}])
def test_it_does_not_beat_for_a_watchdog_that_is_not_its_own(lasting, manager, env):
    bridge = lasting(env={**manager.env, "WATCHDOG_USEC": "1000", **env}).start()
    bridge.terminate()
    assert not any("WATCHDOG" in pairs for _, pairs, _ in manager.hear_all())


@pytest.mark.parametrize("name", ["relative", "@", "/" + "x" * 200, "vsock:2:1", "/nonexistent/notify"])
def test_without_a_manager_that_can_be_told_it_goes_on(lasting, name):
    bridge = lasting(env={"NOTIFY_SOCKET": name}).start()
    bridge.wait_line("event=service_(unknown|not_told) ")  # the supervisor's, perhaps behind a worker's being ready
    assert bridge.terminate() == 0


def test_a_manager_that_does_not_read_holds_nobody_up(lasting, manager):
    manager.read_no_more()
    full = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    full.setblocking(False)
    try:
        while True:
            full.sendto(b"X=1", manager.name)
    except BlockingIOError:
        pass
    bridge = lasting(env=manager.env).start()
    bridge.wait_line("event=service_not_told ")
    assert status_of(bridge.http_url, "/healthz") == 200
    full.close()


# -- what it is handed


def listening(port, share=False):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if share:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(("127.0.0.1", port))
    sock.listen(128)
    return sock


def test_a_socket_that_is_handed_over_is_served_and_outlives_the_bridge(lasting):
    port = free_port()
    with listening(port) as sock:
        bridge = lasting("--listen", f"127.0.0.1:{port}", sockets=[sock]).start()
        assert all(is_served(socket.AF_INET, ("127.0.0.1", port)) for _ in range(8))
        assert bridge.terminate() == 0
        with socket.create_connection(("127.0.0.1", port)) as early:  # nobody is there, and it is not refused
            bridge.start()
            assert ask(early).startswith(b"HTTP/1.1 200 ")


def test_sockets_are_found_by_their_names_too(lasting, tmp_path):
    port, path = free_port(), str(tmp_path / "bridge.sock")
    local = socket.socket(socket.AF_UNIX)
    local.bind(path)
    local.listen(64)
    with listening(port) as sock, local:
        args = ["--listen", "systemd:web", "--listen", "systemd:local", *SHARED]
        bridge = lasting(*args, sockets=[sock, local], names=["web", "local"]).start()
        assert all(is_served(socket.AF_INET, ("127.0.0.1", port)) for _ in range(8))
        assert all(is_served(socket.AF_UNIX, path) for _ in range(8))
        assert bridge.terminate() == 0
        assert os.path.exists(path)  # it is the manager's


def test_a_socket_for_each_worker_is_served_by_it_and_one_for_all_by_all(programs, redis_server):
    port, other = free_port(), free_port()
    socks = [listening(port, share=True) for _ in range(3)] + [listening(other)]
    args = ["--workers", "3", "--listen", f"127.0.0.1:{port}", "--listen", f"127.0.0.1:{other}"]
    bridge = programs.add(Lasting(redis_server, *args, sockets=socks)).start()
    assert bridge.has_line(f"event=listener_shared address=127.0.0.1:{other} sockets=1 workers=3")
    assert not bridge.has_line(f"event=listener_shared address=127.0.0.1:{port} ")
    for at in (port, other):
        assert all(is_served(socket.AF_INET, ("127.0.0.1", at)) for _ in range(12))
    bridge.terminate()
    bridge.lines.clear()
    bridge.args[1] = "2"  # more sockets than workers: none is left alone
    bridge.start()
    assert all(is_served(socket.AF_INET, ("127.0.0.1", port)) for _ in range(24))
    for sock in socks:
        sock.close()


def test_what_is_meant_for_another_process_is_not_taken(lasting):
    with listening(free_port()) as sock:
        bridge = lasting(sockets=[sock], listen_env={"LISTEN_PID": "1"}).start()
        for pid in [bridge.pid, *children(bridge.pid)]:
            with open(f"/proc/{pid}/environ", encoding="utf-8") as file:
                assert "LISTEN_PID=1" in file.read()  # it was there
        assert status_of(bridge.http_url, "/healthz") == 200


HOSTILE = {
    "no number of a process": {"LISTEN_PID": "x"},
    "a negative number": {"LISTEN_PID": "-1"},
    "no number of sockets": {"LISTEN_FDS": "x"},
    "fewer than none": {"LISTEN_FDS": "-1"},
    "nothing": {"LISTEN_FDS": ""},
    "a number with more behind it": {"LISTEN_FDS": "1x"},
    "more than anybody has": {"LISTEN_FDS": "4097"},
    "more than fits": {"LISTEN_FDS": "99999999999999999999"},
    "more than were handed over": {"LISTEN_FDS": "3"},
    "too few names": {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "a:b"},
    "a pipe that is none": {"LISTEN_TAKEOVER": "0:b"},
    "no pipe at all": {"LISTEN_TAKEOVER": "x"},
    "a pipe beyond all": {"LISTEN_TAKEOVER": "99999999999999999999:b"},
    "owners that are none": {"LISTEN_TAKEOVER": "4:x"},
}


@pytest.mark.parametrize("env", HOSTILE.values(), ids=HOSTILE)
def test_what_cannot_be_is_refused_with_a_sentence(lasting, env):
    port = free_port()
    with listening(port) as sock:
        bridge = lasting("--listen", f"127.0.0.1:{port}", sockets=[sock], listen_env=env)
        bridge.start(wait_ready=False)
        assert bridge.wait() == 1
    assert bridge.has_line('event=handed_unusable reason="')


def connected():
    """One that is no listener, but what a listener has accepted (Accept=yes)."""
    return socket.socketpair()[0]


def datagrams():
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    return sock


def bound_only():
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    return sock


@pytest.mark.parametrize("make", [connected, datagrams, bound_only, lambda: open("/dev/null", "rb")])
def test_a_descriptor_that_does_not_listen_is_refused_with_a_sentence(lasting, make):
    with make() as file:
        bridge = lasting(sockets=[file])
        bridge.start(wait_ready=False)
        assert bridge.wait() == 1
    assert bridge.has_line('event=handed_unusable reason="descriptor 3 of LISTEN_FDS ')


def test_a_socket_that_no_address_stands_for_is_refused_since_nobody_would_serve_it(lasting):
    with listening(free_port()) as sock:
        bridge = lasting(sockets=[sock], names=["web"])
        bridge.start(wait_ready=False)
        assert bridge.wait() == 1
    assert bridge.has_line("event=listener_unknown descriptor=3 name=web ")


def test_a_name_that_nothing_is_handed_over_by_is_refused(lasting):
    bridge = lasting("--listen", "systemd:web", *SHARED)
    bridge.start(wait_ready=False)
    assert bridge.wait() == 1
    assert bridge.has_line("event=listen_failed address=systemd:web ")


def test_who_can_reach_a_socket_by_name_is_not_known_so_anybody_may(lasting):
    bridge = lasting("--listen", "systemd:web")
    bridge.start(wait_ready=False)
    assert bridge.wait() == 2
    assert bridge.has_line("other machines can connect")


def test_what_was_handed_over_nobody_else_inherits(lasting):
    """Workers have the sockets as they have all listeners; the variables nobody has."""
    port = free_port()
    with listening(port) as sock:
        bridge = lasting("--listen", f"127.0.0.1:{port}", sockets=[sock], names=["web"]).start()
        wait_until(lambda: status_of(bridge.http_url) == 200, "being ready")
        assert inherited(bridge.pid).keys() <= {0, 1, 2}
