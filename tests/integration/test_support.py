"""What the tests themselves rely on."""

import contextlib
import os
import runpy
import socket
import subprocess
import sys
import threading
import time

import pytest
import redis

from echo_target import EngineSocket
from fake_server import FakeServer, bulk
from judge import fault_of
from patience import OnlyPings
from sentinels import call
from servers import ROOT, Program, RedisServer, at_some_pace, free_port, redis_client, until_refused, wait_until
from ws_client import CLOSE, PING, TEXT, WsClient


def test_a_replica_is_synced_while_its_primary_goes_on_writing(programs):
    """What it must have is what the primary had written when it was asked, once: a target that moves may
    never be reached."""
    primary = programs.redis(name="primary")
    replica = programs.replica(primary)
    end = threading.Event()

    def write():
        client = primary.client()
        while not end.is_set():
            client.set("k", "x" * 1000)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    try:
        for asked in range(1, 6):
            replica.wait_synced()
            stats = primary.client().info("commandstats")
            assert stats["cmdstat_info"]["calls"] == 2 * asked - 1  # and that of the line above
    finally:
        end.set()
        writer.join()


class Stubborn(RedisServer):
    """Refuses to end so many times; what it writes is what Redis writes then."""

    def __init__(self, refusals):
        super().__init__(name="stubborn")
        self.refusals = refusals

    def _argv(self):
        refuse = 'left=$((left - 1)); [ $left -lt 0 ] && exit 0; echo "Errors trying to shut down the server."'
        return ["sh", "-c", f"left={self.refusals}; trap '{refuse}' TERM; echo ready; while :; do sleep 0.01; done"]


def stubborn(programs, refusals):
    server = programs.add(Stubborn(refusals)).start(wait_ready=False)
    server.wait_line("ready")
    return server


def test_a_server_that_refuses_to_end_is_asked_again(programs):
    assert stubborn(programs, 3).terminate() == 0


def test_a_server_that_never_ends_is_killed_and_told_of_in_time(programs):
    server = stubborn(programs, 1000000)
    began = time.monotonic()
    with pytest.raises(AssertionError, match="stubborn did not end in time"):
        server.terminate(timeout=0.5)
    assert time.monotonic() - began < 10
    assert not server.running()


class Late(Program):
    """Read by nobody until somebody may."""

    def __init__(self, script):
        super().__init__("late")
        self.may_read, self.script = threading.Event(), script

    def start(self):
        self._spawn(["sh", "-c", self.script], stdin=subprocess.PIPE)
        return self

    def _read(self, output):
        self.may_read.wait()
        super()._read(output)


def test_what_a_program_has_written_when_it_is_asked_is_known_though_nobody_has_read_it_yet(programs, tmp_path):
    """A line of before would be behind the mark, and one that is there be missed, where the machine is busy."""
    program = programs.add(Late(f"cd '{tmp_path}'; echo first; >one; read word; printf 'a\\nb'; exec >two 2>&1; read word"))
    program.start()
    wait_until((tmp_path / "one").exists, "the first line")
    assert program.mark() == 1 and program.has_line("^first$")
    program.proc.stdin.write(b"go\n")
    program.proc.stdin.flush()
    wait_until((tmp_path / "two").exists, "all that it writes")
    assert program.lines == ["first", "a", "b"] and program.has_line("^b$", since=2)
    program.may_read.set()
    program.proc.stdin.close()
    assert program.wait() == 1  # its input was over
    assert program.lines == ["first", "a", "b"]


RESERVE = "import sys; sys.path[:0] = {path!r}; import servers; sys.exit(bool(servers._reserve([{port}])))"


def reserve_elsewhere(port):
    return subprocess.run([sys.executable, "-c", RESERVE.format(path=sys.path, port=port)]).returncode == 1


def test_a_port_is_given_to_nobody_else_before_its_program_listens():
    ports = [free_port() for _ in range(30)]
    assert len(set(ports)) == 30
    assert not any(reserve_elsewhere(port) for port in ports[:2])
    nodes = [free_port(beside=[10000]) for _ in range(5)]  # and its bus
    assert not reserve_elsewhere(nodes[0]) and not reserve_elsewhere(nodes[0] + 10000)
    for _ in range(100):
        free_port()
    assert any(map(reserve_elsewhere, ports[:5]))  # another run may have been given one of them
    assert any(reserve_elsewhere(node + 10000) for node in nodes)


def test_what_is_only_late_is_tried_more_slowly_and_what_is_wrong_stays_wrong():
    tried = []

    def check(unit_s, good_from):
        tried.append(unit_s)
        assert unit_s >= good_from
        return unit_s

    assert at_some_pace(lambda unit_s: check(unit_s, 4), 1) == 4
    with pytest.raises(AssertionError):
        at_some_pace(lambda unit_s: check(unit_s, 100), 1, doublings=3)
    assert tried == [1, 2, 4, 1, 2, 4, 8]


def test_a_refusal_must_not_come_too_early_and_must_come():
    assert until_refused(iter([1, 2, 3, 0]).__next__, lambda answer: answer == 0, free=3) == 0
    with pytest.raises(AssertionError, match="refused after 2"):
        until_refused(iter([1, 2, 0]).__next__, lambda answer: answer == 0, free=3)
    with pytest.raises(AssertionError, match="were granted"):
        until_refused(lambda: 1, lambda answer: answer == 0, free=3)


class Pinger:
    """A WebSocket server that says the same frame again and again, and nothing else."""

    def __init__(self, frame):
        self.frame = frame
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        peer, _ = self.listener.accept()
        try:
            peer.recv(4096)
            peer.sendall(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
            while True:
                peer.sendall(self.frame)
                time.sleep(0.02)
        except OSError:
            peer.close()


class Leaver(Pinger):
    """Says all of it, and goes before anybody answers."""

    def __init__(self, frame):
        self.has_gone = threading.Event()
        super().__init__(frame)

    def _serve(self):
        peer, _ = self.listener.accept()
        peer.recv(4096)
        peer.sendall(b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + self.frame)
        peer.close()
        self.has_gone.set()


def test_what_was_said_before_the_end_is_read_though_its_pings_cannot_be_answered_any_more():
    """A client of a busy machine reads late: the pings, and why it was closed, too."""
    end = bytes([0x80 | CLOSE, 2]) + (4401).to_bytes(2, "big")
    leaver = Leaver(bytes([0x80 | PING, 0]) * 50 + end)
    client = WsClient(leaver.port)
    assert leaver.has_gone.wait(60)
    assert client.wait_closed().code == 4401
    assert client.pings == 50


def test_who_waits_and_is_only_pinged_has_waited_in_vain_in_time():
    def in_vain(timeout_s):
        client = WsClient(Pinger(bytes([0x80 | PING, 0])).port, timeout=timeout_s)
        with pytest.raises(TimeoutError):
            client.recv_text()
        assert client.pings > 1
        client = EngineSocket(Pinger(bytes([0x80 | TEXT, 1]) + b"2").port, timeout=timeout_s)
        with pytest.raises(TimeoutError, match="nothing but pings"):
            client.packet_but_ping()

    at_some_pace(in_vain, 0.3)


def test_what_comes_between_pings_gives_more_time():
    only_pings = OnlyPings(limit_s=0)
    for _ in range(3):
        only_pings.heard(True)
        only_pings.heard(False)
    only_pings.heard(True)
    with pytest.raises(TimeoutError):
        only_pings.heard(True)


STUBBORN = """
import socket, time, threading
def test_one_that_goes_on_whatever_happens():
    while True:
        try:
            time.sleep(1000)
        except Exception:
            pass
def test_one_that_clears_away_for_ever():
    try:
        time.sleep(1000)
    finally:
        time.sleep(1000)
"""
DEAF = """
import os, threading
def test_one_that_hears_no_signal():
    read, write = os.pipe()
    file = os.fdopen(read, "rb")
    threading.Thread(target=file.read, args=(1,), daemon=True).start()
    file.peek()
def test_another():
    pass
"""


def run_pytest(folder, text):
    """(status, what it said) of these tests, each of which may take one second."""
    file = folder / "test_these.py"
    file.write_text(text)
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "conftest", "-p", "no:cacheprovider", "--rootdir", str(folder), str(file)]
    env = {**os.environ, "PYTHONPATH": os.path.join(ROOT, "tests"), "NOTIFY_TEST_LIMIT": "1"}
    done = subprocess.run(argv, env=env, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    return done.returncode, done.stdout


def test_a_test_that_stands_still_fails_and_the_others_run(tmp_path):
    status, said = run_pytest(tmp_path, STUBBORN + "def test_another():\n    pass\n")
    assert status == 1 and "2 failed, 1 passed" in said and said.count("this stands still: 1 s have passed") >= 2, said
    assert "test_these.py" in said and "Current thread" in said, said


def test_where_a_test_hears_no_signal_its_part_ends_and_says_where(tmp_path):
    status, said = run_pytest(tmp_path, DEAF)
    assert status == 1 and "Timeout" in said and "in test_one_that_hears_no_signal" in said, said


TWO_WRONG = """
def test_of_one_and_two():
    assert 1 == 2

def test_of_a_list():
    assert [1, 2] == [1, 3]
"""


def test_what_failed_is_said_once_more_in_the_end(tmp_path):
    argv = [os.path.join(ROOT, "tests", "run"), "soak", "1", "seed", "nowhere"]
    said = subprocess.run(argv, stdout=subprocess.PIPE, text=True, timeout=60, check=False).stdout
    assert "KeyError: 'nowhere'" in said.split("== what failed: soak\n")[1], said
    essence = runpy.run_path(argv[0])["essence"]
    lines = essence([f"{line}\n" for line in run_pytest(tmp_path, TWO_WRONG)[1].split("\n")])
    assert any("assert 1 == 2" in line for line in lines) and any("assert [1, 2] == [1, 3]" in line for line in lines), lines
    assert not any("test session starts" in line for line in lines), lines


class Had:
    """A record, as tests/soak keeps them: gaps are how much had been had when they were told."""

    def __init__(self, titles, gaps):
        self.had, self.gaps = [(f"{title[1:]}-0", title) for title in titles.split()], gaps


@pytest.mark.parametrize(
    "titles, gaps, fault",
    [
        ("e0 e1 e2 e3 e4", [], None),
        ("e0 e1 e3 e4", [], "3-0 is number 3"),  # one is lost
        ("e1 e2 e3 e4", [], "1-0 is number 1"),  # the first one
        ("e0 e1 e1 e2 e3 e4", [], "twice"),
        ("e0 e2 e1 e3 e4", [], "2-0 is number 2"),  # out of order
        ("e0 e1 e9 e2 e3 e4", [], "9-0 is not in Redis"),
        ("e0 e1 e2 e3 e4 e9", [], "9-0 is not in Redis"),
        ("e0 e1 e3 e4", [2], None),  # told before what came next,
        ("e0 e1 e3 e4", [4], None),  # or behind it
        ("e0 e1 e3 e4", [1], "3-0 is number 3"),  # but not before it was lost
        ("e0 e1 e9 e2 e3 e4", [3], None),
        ("e0 e1 e2 e3 e4 e9", [6], None),
        ("e0 e2 e4", [3], "4-0 is number 4"),  # told once, lost twice
        ("e0 e2 e4", [2, 3], None),
        ("e0 e9 e2 e3 e2 e3 e4", [6], None),  # cut off while it was told, and told again
        ("e0 e9 e2 e3 e2 e3 e4", [2], "twice"),
    ],
)
def test_the_judge_finds_what_is_lost_twice_out_of_order_or_not_told(titles, gaps, fault):
    said = fault_of(Had(titles, gaps), [(f"{n}-0", f"e{n}") for n in range(5)])
    assert said is None if fault is None else fault in str(said), said


@pytest.mark.parametrize(
    "titles, gaps, is_twice",
    [
        ("e0 e1 e2 e1 e2 e3 e4", [3], False),
        ("e0 e1 e2 e1 e2 e2 e3 e4", [3], True),
        ("e0 e1 e3 e2 e3 e4", [2, 3], False),  # with what it was told of before
        ("e0 e1 e2 e3 e2 e4", [3], True),  # not where it was told
        ("e0 e1 e2 e2 e3 e4", [2], True),
        ("e0 e1 e1 e2 e3 e4", [], True),
    ],
)
def test_the_judge_lets_what_redis_has_regained_come_again_where_its_loss_was_told(titles, gaps, is_twice):
    held = [(f"{n}-0", f"e{n}") for n in range(5)]
    assert ("twice" in str(fault_of(Had(titles, gaps), held, regains=True))) is is_twice
    assert "twice" in fault_of(Had(titles, gaps), held)


@pytest.mark.parametrize(
    "titles, gaps, lost",
    [
        ("e0 e1 e3 e4", [], "e2"),
        ("e0 e1 e3 e4", [1], "e2"),  # told of something else before
        ("e0 e1 e3 e4", [2], None),
        ("e0 e1 e3 e4", [4], None),
        ("e0 e1 e2 e3", [4], None),
        ("e0 e1 e2 e3", [3], "e4"),
        ("e1 e2 e3 e4", [0], None),
        ("e0 e9 e1 e2 e1 e2 e3 e4", [], None),  # that a session goes back with Redis it need not be told
    ],
)
def test_who_does_not_keep_its_place_is_told_of_what_it_does_not_get_since_it_had_what_stands_before(titles, gaps, lost):
    said = fault_of(Had(titles, gaps), [(f"{n}-0", f"e{n}") for n in range(5)], keeps_place=False, regains=True)
    assert said is None if lost is None else lost in said, said


class Forgetful(FakeServer):
    """Does what it is sent, and ends before it says so, the first times."""

    def __init__(self, times=1000):
        self.done, self.times = [], times
        super().__init__()

    def _answer(self, words):
        if words[0] not in ("NOTIFY.SEND", "INFO"):
            return b"+OK\r\n"
        self.done.append(words)
        if len(self.done) <= self.times:
            raise OSError("gone")
        return bulk("role:master")

    def _serve(self, link):
        super()._serve(link)
        with contextlib.suppress(OSError):  # it may have closed it by itself
            link.shutdown(socket.SHUT_RDWR)


def test_what_a_client_of_the_tests_is_told_is_done_once_though_the_reply_did_not_come():
    """Or a writer has sent twice what it counts once, and readers seem to have had it twice."""
    server = Forgetful()
    try:
        with pytest.raises(redis.ConnectionError):
            redis_client(server.port).execute_command("NOTIFY.SEND", "inbox:alice", "hello")
        assert len(server.done) == 1
    finally:
        server.close()


class Cutting(Forgetful):
    """As a server of these tests is asked."""

    client, replication = RedisServer.client, RedisServer.replication


def test_a_server_whose_connections_sentinels_have_closed_is_asked_again():
    """Or a test that looks who is the primary fails for what it waits for."""
    server = Cutting(times=3)
    try:
        assert server.replication() == {}
        assert call(server, "NOTIFY.SEND", "inbox:alice", "hello") == "role:master"
        assert len(server.done) == 4 and server.replication()["role"] == "master"
    finally:
        server.close()
