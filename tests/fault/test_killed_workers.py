"""Each entry once, in order, none left out: while workers of a bridge are killed (--workers)."""

import os
import random
import re
import signal

import pytest

from crowd import Crowd, new_seed
from lasting import Lasting
from servers import Bridge, wait_until

WORKERS = 3


def pids_of(bridge):
    found = {}
    for line in list(bridge.lines):
        match = re.search(r"event=worker_started number=(\d+) pid=(\d+)", line)
        if match:
            found[match[1]] = int(match[2])
    return [found[number] for number in sorted(found)]


@pytest.mark.parametrize("kills", [8])
def test_workers_that_are_killed_cost_nobody_anything(programs, kills):
    server = programs.redis(config={"notify.max-entries": 100000})
    bridge = programs.add(Bridge(server, "--workers", str(WORKERS)))
    bridge.start()
    seed = new_seed()
    rng = random.Random(seed)
    crowd = Crowd(server, [bridge], seed, writers=2)
    try:
        crowd.add_walkers(8, roams=True)
        crowd.add_walkers(6, roams=False)
        crowd.start_writing()
        for _ in range(kills):
            crowd.wait_for_more(200)
            mark = bridge.mark()
            number = rng.randrange(WORKERS)
            os.kill(pids_of(bridge)[number], signal.SIGKILL)
            bridge.wait_line(f"event=worker_started number={number} ", since=mark)
        crowd.wait_for_more(200)
        crowd.finish()
    finally:
        crowd.stop()
    assert [walker.gaps for walker in crowd.walkers if walker.gaps] == []
    assert sum(walker.connections for walker in crowd.walkers) > len(crowd.walkers)
    wait_until(lambda: bridge.metrics()["notify_restarts_total"] == kills, "all deaths being counted")


@pytest.mark.parametrize("workers", [1, WORKERS])
def test_a_program_that_is_replaced_costs_nobody_anything(programs, workers):
    """SIGUSR2: clients are told to come back, and find another process."""
    server = programs.redis(config={"notify.max-entries": 100000})
    bridge = programs.add(Lasting(server, "--workers", str(workers), "--restart-spread", "200ms")).start()
    crowd = Crowd(server, [bridge], new_seed(), writers=2)
    try:
        crowd.add_walkers(8, roams=True)
        crowd.add_walkers(6, roams=False)
        crowd.start_writing()
        for _ in range(4):
            crowd.wait_for_more(200)
            bridge.wait_gone(bridge.take_over())
        crowd.wait_for_more(200)
        crowd.finish()
    finally:
        crowd.stop()
    assert [walker.gaps for walker in crowd.walkers if walker.gaps] == []
    assert sum(walker.connections for walker in crowd.walkers) > len(crowd.walkers)
