"""What the tests themselves rely on."""

import threading
import time

import pytest

from servers import RedisServer


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
