"""./dev demo: traffic that goes on until it is interrupted, or what it belongs to has ended."""

import os
import random
import signal
import subprocess
import time

import pytest

from servers import ROOT, Program, wait_until

DEV = os.path.join(ROOT, "dev")


class Demo(Program):
    def __init__(self, server, *words):
        super().__init__("demo")
        self.words = ["demo", "--redis-port", str(server.port), *words]

    def start(self):
        self._spawn([DEV, *self.words])
        return self


@pytest.fixture
def demo(programs, redis_server):
    return programs.add(Demo(redis_server, "--every", "0.02")).start()


def titles(server, key):
    return [dict(zip(row[1][::2], row[1][1::2]))["title"] for row in server.client().execute_command("NOTIFY.REVRANGE", key, "+", "-")]


def test_the_lines_are_commands_that_redis_takes_and_arrive_at_both_and_at_everybody(redis_server, demo):
    client = redis_server.client()
    client.config_resetstat()
    wait_until(lambda: "Database: failover is done" in titles(redis_server, "inbox:alice"), "a whole round")
    assert {"Invoice 1 was paid", "alice mentioned you in “Pricing”"} <= set(titles(redis_server, "inbox:bob"))
    assert titles(redis_server, "topic:all") == ["Maintenance on Sunday"]
    assert "Build #1 started" not in titles(redis_server, "inbox:alice")  # its end has taken its place
    failed = {name: stats for name, stats in client.info("commandstats").items() if "notify" in name and stats["failed_calls"] + stats["rejected_calls"]}
    assert failed == {}
    wait_until(lambda: "Build #2 finished" in titles(redis_server, "inbox:alice"), "the next round")


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_at_once_and_nothing_of_it_stays(redis_server, programs, sent):
    demo = programs.add(Demo(redis_server, "--every", "3600")).start()
    wait_until(lambda: redis_server.client().execute_command("NOTIFY.LEN", "inbox:alice"), "its first line")

    def children():
        done = subprocess.run(["pgrep", "-P", str(demo.pid), "sleep"], capture_output=True, text=True)
        return done.stdout.split()

    (child,) = wait_until(children, "its waiting")
    demo.proc.send_signal(sent)
    assert demo.wait() == 0
    wait_until(lambda: not os.path.exists(f"/proc/{child}"), "its child's end")


@pytest.mark.parametrize("waited", [0.02, 0.1, 0.3])
def test_a_signal_between_two_lines_ends_it_as_well(redis_server, programs, waited):
    """Most of the time is spent on commands: there is nothing to wait for that could be ended."""
    for _ in range(10):
        demo = programs.add(Demo(redis_server, "--every", "0")).start()
        demo.wait_line("lively traffic")
        time.sleep(random.uniform(0, waited))  # any moment is one that somebody may choose
        demo.proc.send_signal(signal.SIGTERM)
        assert demo.wait() == 0


def test_it_ends_with_the_redis_that_it_belongs_to(redis_server, demo):
    wait_until(lambda: redis_server.client().execute_command("NOTIFY.LEN", "inbox:alice"), "its first line")
    redis_server.terminate()
    assert demo.wait() == 0
    assert demo.has_line("is gone, and so is the traffic")


def test_where_there_is_no_redis_with_the_module_it_says_how_to_get_one(programs, redis_server):
    redis_server.terminate()
    done = subprocess.run([DEV, "demo", "--redis-port", str(redis_server.port)], capture_output=True, text=True)
    assert done.returncode == 1 and "./dev run starts one" in done.stderr


@pytest.mark.parametrize("every", ["x", "1.5s", "-1", ".", "1.2.3", ""])
def test_what_is_no_number_of_seconds_is_refused_and_not_taken_for_none(redis_server, every):
    argv = [DEV, "demo", "--redis-port", str(redis_server.port), "--every", every]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and "wants seconds" in done.stderr
