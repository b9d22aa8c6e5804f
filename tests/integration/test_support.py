"""What the tests themselves rely on."""

import subprocess
import sys
import threading
import time

import pytest

from servers import RedisServer, at_some_pace, free_port, until_refused


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

    writer = threading.Thread(target=write)
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


RESERVE = "import sys; sys.path[:0] = {path!r}; import servers; sys.exit(servers._reserve({port}))"


def reserve_elsewhere(port):
    return subprocess.run([sys.executable, "-c", RESERVE.format(path=sys.path, port=port)]).returncode == 1


def test_a_port_is_given_to_nobody_else_before_its_program_listens():
    ports = [free_port() for _ in range(30)]
    assert len(set(ports)) == 30
    assert not any(reserve_elsewhere(port) for port in ports[:2])
    for _ in range(100):
        free_port()
    assert reserve_elsewhere(ports[0])


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
