"""Several processes as one bridge (--workers): who serves whom, what they share, and what happens when one ends."""

import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import urllib.error
import urllib.request

import pytest

from certificates import Certificate
from servers import Bridge, free_port, wait_until
from ws_client import Refused, WsClient

WORKERS = 4


class Workers(Bridge):
    """A bridge of several workers."""

    def __init__(self, server, *args, workers=WORKERS, **options):
        super().__init__(server, "--workers", str(workers), *args, **options)
        self.workers = workers

    def start(self, wait_ready=True):
        super().start(wait_ready=False)
        if wait_ready:
            self.wait_all_ready()
        return self

    def wait_all_ready(self):
        wait_until(self.is_ready, "all workers being ready")

    def is_ready(self):
        try:
            with urllib.request.urlopen(self.http_url + "/readyz", timeout=60) as answer:
                return answer.status == 200
        except OSError:  # HTTPError is one
            return False

    def pids(self):
        """Of the workers as they are now."""
        found = {}
        for line in list(self.lines):
            match = re.search(r"event=worker_started number=(\d+) pid=(\d+)", line)
            if match:
                found[int(match[1])] = int(match[2])
        return [found[n] for n in sorted(found)]

    def of_each(self, name):
        """{worker: value} of a family without other labels."""
        metrics = self.metrics()
        return [metrics[f'notify_worker_{name}{{worker="{n}"}}'] for n in range(self.workers)]

    def kill_worker(self, number):
        """As a crash would; returns once another one has been started."""
        mark = self.mark()
        os.kill(self.pids()[number], signal.SIGKILL)
        self.wait_line(f"event=worker_ended number={number} .*signal=9", since=mark)
        self.wait_line(f"event=worker_started number={number} ", since=mark)


@pytest.fixture
def bridge_of(programs, redis_server):
    """bridge_of("--flag", …): several workers that are ready."""

    def make(*args, **options):
        return programs.add(Workers(redis_server, *args, **options)).start()

    return make


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def connections(bridge):
    return [
        bridge.metrics()[f'notify_worker_connections{{worker="{n}",transport="websocket"}}'] for n in range(bridge.workers)
    ]


# -- who serves whom


def test_two_thousand_connections_are_spread_over_four_workers_evenly(bridge_of):
    """The kernel's hash: 500 each, give or take 19 (one standard deviation); five of those are allowed."""
    bridge = bridge_of()
    tabs = [WsClient(bridge.port, f"/ws?user=u{n % 100}") for n in range(2000)]
    try:
        counts = wait_until(lambda: (c := connections(bridge)) and sum(c) == 2000 and c, "all being counted")
        assert all(400 <= count <= 600 for count in counts), counts
    finally:
        for tab in tabs:
            tab.sock.close()


def test_clients_of_all_workers_get_what_is_sent(bridge_of, redis_server):
    bridge = bridge_of()
    tabs = [WsClient(bridge.port, "/ws?user=alice&topics=news") for _ in range(5)]
    for n in range(60):
        tabs.append(WsClient(bridge.port, f"/ws?user=u{n}&topics=news"))
    for tab in tabs:
        tab.expect(type="connection")
    assert all(connections(bridge))
    sent = redis_server.client().execute_command("NOTIFY.SEND", "topic:news", "t")
    assert {tab.expect(type="notification")["id"] for tab in tabs} == {sent}
    for tab in tabs:
        tab.close()


def test_a_unix_socket_is_served_by_all_of_them_and_removed_at_the_end(bridge_of, tmp_path):
    path = str(tmp_path / "bridge.sock")
    bridge = bridge_of("--listen", f"unix:{path}")

    def asks():
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(path)
            sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            return sock.recv(100).startswith(b"HTTP/1.1 200 ")

    assert all(asks() for _ in range(20))
    bridge.kill_worker(0)
    assert os.path.exists(path)
    assert all(asks() for _ in range(20))
    assert bridge.terminate() == 0
    assert not os.path.exists(path)


def test_ipv6_and_several_addresses_are_shared_too(programs, redis_server):
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    port = free_port()
    bridge = programs.add(Workers(redis_server, "--listen", f"[::1]:{port}")).start()
    for _ in range(12):
        WsClient(bridge.port, "/ws?user=a").close()
        WsClient(port, "/ws?user=a", address="::1").close()


def test_a_port_that_another_bridge_has_is_not_shared_with_it(bridge_of, programs, redis_server):
    bridge = bridge_of()
    for workers in ("1", "4"):
        other = programs.add(Bridge(redis_server, "--workers", workers, port=bridge.port, name=f"other{workers}"))
        other.start(wait_ready=False)
        assert other.wait() == 1
        assert other.has_line("event=listen_failed")


# -- when one ends


def test_a_worker_that_is_killed_is_started_again_and_the_others_notice_nothing(bridge_of):
    bridge = bridge_of()
    tabs = [WsClient(bridge.port, f"/ws?user=u{n}") for n in range(40)]
    for tab in tabs:
        tab.expect(type="connection")
    before = connections(bridge)
    bridge.kill_worker(2)
    bridge.wait_all_ready()
    after = wait_until(lambda: (c := connections(bridge))[2] == 0 and c, "nobody being there any more")
    assert [after[n] for n in (0, 1, 3)] == [before[n] for n in (0, 1, 3)]
    assert bridge.of_each("restarts_total") == [0, 0, 1, 0]
    gone = 0
    for tab in tabs:
        try:
            tab.request("ping")
        except OSError:
            gone += 1
        except Exception as closed:  # pylint: disable=broad-except
            assert getattr(closed, "code", None) == 1006, closed
            gone += 1
        tab.sock.close()
    assert gone == before[2]


def test_who_connects_while_a_worker_is_away_is_served_by_its_successor(bridge_of):
    """What waits in its queue is not reset: the socket stays open."""
    bridge = bridge_of()
    os.kill(bridge.pids()[1], signal.SIGSTOP)
    mark = bridge.mark()
    socks = []
    for _ in range(40):
        sock = socket.create_connection(("127.0.0.1", bridge.port))
        sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        socks.append(sock)
    os.kill(bridge.pids()[1], signal.SIGKILL)
    bridge.wait_line("event=worker_started number=1 ", since=mark)
    for sock in socks:
        sock.settimeout(60)
        assert sock.recv(100).startswith(b"HTTP/1.1 200 ")
        sock.close()


def test_one_that_ends_again_and_again_is_started_later_and_later_and_the_bridge_is_not_ready_meanwhile(bridge_of):
    bridge = bridge_of()
    for n in range(5):
        bridge.kill_worker(3)
    os.kill(bridge.pids()[3], signal.SIGKILL)
    wait_until(lambda: not bridge.is_ready(), "not being ready")
    bridge.wait_all_ready()
    started = [line for line in bridge.lines if "event=worker_started number=3" in line]
    assert len(started) == 7


def test_a_worker_that_cannot_even_begin_ends_the_whole_bridge(programs, redis_server):
    bridge = programs.add(Workers(redis_server, "--tls-cert", "/nonexistent", "--tls-key", "/nonexistent"))
    bridge.args += ["--listen", f"127.0.0.1:{free_port()},tls"]
    bridge.start(wait_ready=False)
    assert bridge.wait() == 1


def test_a_supervisor_that_dies_takes_its_workers_along(programs, redis_server):
    bridge = programs.add(Workers(redis_server)).start()
    pids = bridge.pids()
    tab = WsClient(bridge.port, "/ws?user=alice")
    tab.expect(type="connection")
    assert len(pids) == WORKERS and all(is_alive(pid) for pid in pids)
    bridge.proc.send_signal(signal.SIGKILL)
    assert tab.wait_closed().code == 1012
    wait_until(lambda: not any(is_alive(pid) for pid in pids), "the end of the workers")
    bridge.proc.wait()


def test_at_the_end_clients_of_all_workers_are_told_to_come_back(bridge_of):
    bridge = bridge_of("--restart-spread", "100ms")
    tabs = [WsClient(bridge.port, f"/ws?user=u{n}") for n in range(40)]
    for tab in tabs:
        tab.expect(type="connection")
    bridge.proc.send_signal(signal.SIGTERM)
    assert {tab.wait_closed().code for tab in tabs} == {1012}
    for tab in tabs:
        tab.close()
    assert bridge.wait() == 0


def test_while_one_drains_all_are_not_ready_and_the_port_is_open_until_it_has(bridge_of):
    bridge = bridge_of("--drain-delay", "1s")
    tab = WsClient(bridge.port, "/ws?user=alice")
    tab.expect(type="connection")
    mark = bridge.mark()
    bridge.proc.send_signal(signal.SIGTERM)
    for n in range(WORKERS):
        bridge.wait_line(f"event=leaving worker={n}", since=mark)
    if not bridge.has_line("event=stopping worker", since=mark):  # a slow machine may be late
        assert not bridge.is_ready()
    assert tab.wait_closed().code == 1012
    tab.close()
    assert bridge.wait() == 0


def test_workers_whose_supervisor_has_died_do_not_wait(programs, redis_server):
    bridge = programs.add(Workers(redis_server, "--drain-delay", "1h")).start()
    pids = bridge.pids()
    bridge.proc.send_signal(signal.SIGKILL)
    wait_until(lambda: not any(is_alive(pid) for pid in pids), "the end of the workers")
    bridge.proc.wait()


def test_a_signal_that_comes_to_the_workers_too_does_not_hurry_them(bridge_of):
    """As from a terminal, or to all processes of a service."""
    bridge = bridge_of("--shutdown-timeout", "60s")
    tabs = [WsClient(bridge.port, f"/ws?user=u{n}") for n in range(20)]
    for tab in tabs:
        tab.expect(type="connection")
    for pid in (*bridge.pids(), bridge.pid):
        os.kill(pid, signal.SIGINT)
    for tab in tabs:
        assert tab.wait_closed().code == 1012
        tab.close()
    assert bridge.wait() == 0


def test_the_second_signal_ends_all_of_them_at_once(bridge_of):
    bridge = bridge_of("--shutdown-timeout", "1h")
    tabs = [WsClient(bridge.port, f"/ws?user=u{n}") for n in range(20)]
    bridge.proc.send_signal(signal.SIGTERM)
    for tab in tabs:
        tab.wait_closed()  # and do not answer
    bridge.proc.send_signal(signal.SIGTERM)
    assert bridge.wait() == 0
    for tab in tabs:
        tab.sock.close()


# -- what they share


def test_metrics_are_the_sum_of_all_workers_whoever_is_asked(bridge_of):
    bridge = bridge_of()
    tabs = [WsClient(bridge.port, f"/ws?user=u{n}") for n in range(40)]
    for tab in tabs:
        tab.expect(type="connection")
        tab.request("ping")
    for _ in range(12):  # whoever answers
        metrics = bridge.metrics()
        assert metrics['notify_connections{transport="websocket"}'] == 40
        sums = {}
        for name, value in metrics.items():
            match = re.fullmatch(r'notify_worker_(\w+)\{worker="\d+",?(.*)\}|', name)
            if match:
                key = f"notify_{match[1]}" + (f"{{{match[2]}}}" if match[2] else "")
                sums[key] = sums.get(key, 0) + value
        said_once = {"notify_workers", "notify_build_info"}
        said = {
            name: value for name, value in metrics.items() if not re.match(r"notify_worker_", name) and name.split("{")[0] not in said_once
        }
        assert {name: round(value, 6) for name, value in sums.items()} == said
    assert metrics["notify_clients_opened_total"] == 40
    assert metrics["notify_ready"] == WORKERS
    for tab in tabs:
        tab.close()


def test_counters_go_on_where_a_worker_that_died_left_them(bridge_of):
    bridge = bridge_of()
    tabs = [WsClient(bridge.port, f"/ws?user=u{n}") for n in range(40)]
    for tab in tabs:
        tab.expect(type="connection")
    for n in range(WORKERS):
        bridge.kill_worker(n)
    bridge.wait_all_ready()
    assert bridge.metrics()["notify_clients_opened_total"] == 40
    assert bridge.metrics()['notify_connections{transport="websocket"}'] == 0
    for tab in tabs:
        tab.sock.close()


def test_max_connections_counts_the_clients_of_all_workers(bridge_of):
    bridge = bridge_of("--max-connections", "10")
    tabs = []

    def comes_in():
        """Greeted it is counted everywhere: who comes to another worker in the same moment may be one too many."""
        try:
            tabs.append(WsClient(bridge.port, f"/ws?user=u{len(tabs)}"))
        except Refused as refused:
            assert refused.status == 503
            return False
        tabs[-1].expect(type="connection")
        return True

    assert sum(comes_in() for _ in range(30)) == 10
    bridge.kill_worker(0)  # those that were there are gone, and do not count
    bridge.wait_all_ready()
    left = sum(connections(bridge))
    assert left + sum(comes_in() for _ in range(30)) == 10
    for tab in tabs:
        tab.sock.close()


def test_each_worker_has_its_part_of_what_one_address_may_have(bridge_of):
    bridge = bridge_of("--max-connections-per-address", "8", "--exempt-addresses", "unix")
    tabs = [WsClient(bridge.port, f"/ws?user=u{n}") for n in range(64)]
    for tab in tabs:
        try:
            tab.expect(type="connection")
        except Exception as closed:  # pylint: disable=broad-except
            assert getattr(closed, "code", None) == 4409, closed
    wait_until(lambda: connections(bridge) == [2, 2, 2, 2], "those that are left")
    for tab in tabs:
        tab.sock.close()


def test_the_log_says_which_worker_has_written_a_line(bridge_of):
    bridge = bridge_of()
    assert bridge.terminate() == 0
    for n in range(WORKERS):
        assert bridge.has_line(f"event=ready worker={n} ")
        assert bridge.has_line(f"event=stopped worker={n}$")
    assert not any("worker=" in line for line in bridge.lines if "event=worker_started" in line)


def test_hangup_reaches_all_workers(programs, redis_server, tmp_path):
    secret = "s" * 40
    roles = tmp_path / "roles"
    roles.write_text("role *\n  follow t1\n")
    bridge = programs.add(Workers(redis_server, "--auth", "jwt", "--jwt-secret", secret, "--roles", str(roles)))
    bridge.start()
    mark = bridge.mark()
    fresh = tmp_path / "fresh"
    fresh.write_text("role *\n  follow t2\n")
    fresh.rename(roles)
    bridge.proc.send_signal(signal.SIGHUP)
    for n in range(WORKERS):
        bridge.wait_line(f"event=roles_read worker={n}", since=mark)


@pytest.mark.parametrize("workers", [1, 3])
def test_the_configuration_is_read_again_by_hangup_as_a_whole_or_not_at_all(programs, redis_server, tmp_path, workers):
    file = tmp_path / "bridge.conf"
    file.write_text("cors-origins https://one.example\nlog-level info\n")
    bridge = programs.add(Workers(redis_server, "--config", str(file), workers=workers)).start()

    def may(origin):
        try:
            WsClient(bridge.port, "/ws?user=a", headers=[f"Origin: {origin}"]).close()
            return True
        except Refused as refused:
            assert refused.status == 403
            return False

    def hangup(event, count):
        mark = bridge.mark()
        bridge.proc.send_signal(signal.SIGHUP)
        wait_until(lambda: sum(bool(re.search(f"event={event}", line)) for line in bridge.lines[mark:]) == count, event)

    tab = WsClient(bridge.port, "/ws?user=alice")
    tab.expect(type="connection")
    assert may("https://one.example") and not may("https://two.example")
    file.write_text("cors-origins https://two.example\nmax-subscriptions 9\n")  # which needs a restart
    hangup("config_unusable reason=.max-subscriptions: ", 1)
    file.write_text("cors-origins https://two.example\nnonsense\n")
    hangup("config_unusable reason=.*bridge.conf:2: nonsense", 1)
    assert may("https://one.example") and not may("https://two.example")
    file.write_text("cors-origins https://two.example\nlog-level debug\n")
    hangup("config_read", workers)
    for _ in range(4 * workers):  # whichever worker it is
        assert may("https://two.example") and not may("https://one.example")
    if workers > 1:
        bridge.kill_worker(1)  # its successor has what is true now
        bridge.wait_all_ready()
        for _ in range(4 * workers):
            assert may("https://two.example") and not may("https://one.example")
    file.write_text("")
    hangup("config_read", workers)
    assert not may("https://two.example")
    assert "debug" not in bridge.lines[-1]


def shown_by(port):
    """The certificate that whoever connects is shown, in PEM."""
    return ssl.get_server_certificate(("127.0.0.1", port))


def put(source, target):
    """As those that renew certificates do: at no time half written."""
    shutil.copy(source, f"{target}.new")
    os.rename(f"{target}.new", target)


def reload(bridge, event):
    mark = bridge.mark()
    bridge.proc.send_signal(signal.SIGHUP)
    for n in range(bridge.workers):
        bridge.wait_line(f"event={event} worker={n} ", since=mark)


def make_rsa(certificate):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=rsa"]
        + ["-keyout", certificate.key, "-out", certificate.cert],
        check=True,
        capture_output=True,
    )  # fmt: skip


def test_a_certificate_is_renewed_by_hangup_in_every_worker_and_nobody_is_dropped(bridge_of, tmp_path):
    used, other, rsa = Certificate(tmp_path, "localhost"), Certificate(tmp_path, "other"), Certificate(tmp_path, "rsa")
    make_rsa(rsa)
    port = free_port()
    bridge = bridge_of("--listen", f"127.0.0.1:{port},tls", "--tls-cert", used.cert, "--tls-key", used.key, workers=2)
    context = ssl.create_default_context(cafile=used.cert)
    tabs = [WsClient(port, f"/ws?user=u{n}", tls=context) for n in range(12)]
    first = shown_by(port)
    for fresh in (other, rsa):  # another kind of key, too
        put(fresh.cert, used.cert)
        put(fresh.key, used.key)
        reload(bridge, "certificate_read")
        with open(fresh.cert, encoding="ascii") as file:
            expected = file.read()
        shown = {shown_by(port) for _ in range(12)}  # whichever worker it is
        assert shown == {expected} and first not in shown
    for tab in tabs:
        tab.expect(type="connection")
        tab.request("ping")
        tab.close()


def test_a_certificate_that_is_no_good_changes_nothing(bridge_of, tmp_path):
    used, other = Certificate(tmp_path, "localhost"), Certificate(tmp_path, "other")
    port = free_port()
    bridge = bridge_of("--listen", f"127.0.0.1:{port},tls", "--tls-cert", used.cert, "--tls-key", used.key, workers=2)
    first = shown_by(port)
    put(other.cert, used.cert)  # and not its key
    reload(bridge, "certificate_unusable")
    assert {shown_by(port) for _ in range(8)} == {first}
    os.unlink(used.cert)
    reload(bridge, "certificate_unusable")
    assert {shown_by(port) for _ in range(8)} == {first}


def test_one_worker_is_no_supervisor(programs, redis_server):
    bridge = programs.add(Bridge(redis_server, "--workers", "1")).start()
    assert not bridge.has_line("worker")
    assert not any(name.startswith("notify_worker_") for name in bridge.metrics())
    with open(f"/proc/{bridge.pid}/task/{bridge.pid}/children", encoding="ascii") as file:
        assert file.read() == ""


def test_as_many_as_there_are_cores(programs, redis_server):
    bridge = programs.add(Workers(redis_server, workers=0))
    bridge.start(wait_ready=False)
    cores = len(os.sched_getaffinity(0))
    bridge.wait_line("event=ready")
    if cores > 1:
        wait_until(lambda: len(bridge.pids()) == cores, "one for each")


# -- sessions in Redis


def set_of(server, user):
    return server.client().execute_command("NOTIFY.SESSION", "COUNT", f"sessions:{user}", "CONNECTIONS")


def test_what_a_worker_that_is_killed_has_in_session_sets_is_taken_out_at_once(bridge_of, redis_server):
    """Long before its leases end; who has come back meanwhile to another worker stays."""
    bridge = bridge_of("--session-lease", "1h")
    tabs = [WsClient(bridge.port, f"/ws/tab{n}?user=u{n}") for n in range(60)]
    for tab in tabs:
        tab.expect(type="connection")
    keys = [f"ws:session:tab{n}" for n in range(60)]
    wait_until(lambda: redis_server.client().exists(*keys) == 60, "all sets being there")
    os.kill(bridge.pids()[1], signal.SIGKILL)
    gone = []
    for n, tab in enumerate(tabs):
        try:
            tab.request("ping")
        except Exception:  # pylint: disable=broad-except
            gone.append(n)
    assert gone and len(gone) < 60
    back = [(n, WsClient(bridge.port, f"/ws/tab{n}?user=u{n}")) for n in gone[::2]]
    for _, tab in back:
        tab.expect(type="connection")
    here = set(range(60)) - set(gone[1::2])
    wait_until(lambda: [set_of(redis_server, f"u{n}") for n in range(60)] == [int(n in here) for n in range(60)], "the rest being gone")
    wait_until(lambda: redis_server.client().exists(*keys) == len(here), "sets of sessions, too")
    assert bridge.has_line("event=sessions_dropped worker=1 ")
    for tab in tabs:
        tab.sock.close()
    for _, tab in back:
        tab.close()


def test_what_is_left_is_taken_out_when_redis_is_back(bridge_of, redis_server):
    bridge = bridge_of("--session-lease", "1h")
    tabs = [WsClient(bridge.port, f"/ws/tab{n}?user=u{n}") for n in range(30)]
    for tab in tabs:
        tab.expect(type="connection")
    counts = connections(bridge)
    redis_server.client().execute_command("CLIENT", "PAUSE", 1000, "ALL")  # it says nothing while that lasts
    bridge.kill_worker(1)
    wait_until(lambda: sum(set_of(redis_server, f"u{n}") for n in range(30)) == 30 - counts[1], "the rest being gone")
    for tab in tabs:
        tab.sock.close()
