"""Fixtures for everything under tests/ that runs in pytest (see support/servers.py)."""

import faulthandler
import os
import signal
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))

from module_helpers import Listener  # noqa: E402  (needs the path above)
from resp import Resp  # noqa: E402
from servers import Group, wait_until  # noqa: E402
from ws_client import WsClient  # noqa: E402


# After so many seconds a test that stands still has failed; without this it takes the others of its part
# along. 0: it may take what it needs (a run behind a name: a thousand disruptions).
TEST_LIMIT_S = int(os.environ.get("NOTIFY_TEST_LIMIT", "300"))
AGAIN_S = min(TEST_LIMIT_S, 60)  # what clears up behind the failure may stand still as well
END_S = TEST_LIMIT_S + 5 * AGAIN_S  # where no signal is heard: the part ends, and says where
STDERR = pytest.StashKey()
CLAIMS = os.environ.pop("NOTIFY_CLAIMS", None)  # a folder: several runs share the files of a part. Programs take it for an option
claimed = {}  # by this run, or by another one: {file: is it ours?}


def pytest_configure(config):
    config.stash[STDERR] = os.dup(2)  # before the output of tests is caught


def claim(path):
    """Is this file ours? Whoever asks first has it."""
    if path not in claimed:
        try:
            with open(os.path.join(CLAIMS, path.replace(os.sep, "-")), "x", encoding="utf-8"):
                claimed[path] = True
        except FileExistsError:
            claimed[path] = False
    return claimed[path]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item):
    """True: nothing is to be done, and nothing is said of it."""
    return True if CLAIMS and not claim(str(item.path)) else None


def too_long(_signal, _frame):
    faulthandler.dump_traceback(all_threads=True)
    # No Exception: a test that tries again whatever happens would go on.
    raise pytest.fail.Exception(f"this stands still: {TEST_LIMIT_S} s have passed")


@pytest.hookimpl(hookwrapper=True)
def within_the_limit(item):
    """Setting up, the test itself and clearing away each have it."""
    signal.signal(signal.SIGALRM, too_long)
    signal.setitimer(signal.ITIMER_REAL, TEST_LIMIT_S, AGAIN_S)
    if TEST_LIMIT_S:
        faulthandler.dump_traceback_later(END_S, exit=True, file=item.config.stash[STDERR])
    yield
    faulthandler.cancel_dump_traceback_later()
    signal.setitimer(signal.ITIMER_REAL, 0)


pytest_runtest_setup = pytest_runtest_call = pytest_runtest_teardown = within_the_limit


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Shows the last output of the programs of a test that failed."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for value in getattr(item, "funcargs", {}).values():
            if isinstance(value, Group) and value.tails():
                report.sections.append(("programs", value.tails()))


@pytest.fixture
def programs():
    """A Group for this test: programs.redis(appendonly="yes"), programs.bridge(server, …)."""
    group = Group()
    yield group
    group.close()


@pytest.fixture
def redis_server(programs):
    """A fresh redis-server with the module."""
    return programs.redis()


@pytest.fixture
def bridge(programs, redis_server):
    """A bridge in front of redis_server."""
    return programs.bridge(redis_server)


@pytest.fixture(scope="session")
def session_programs():
    group = Group()
    yield group
    group.close()


@pytest.fixture
def shared_redis(session_programs):
    """One redis-server for all tests that only need it to be empty: cheaper than redis_server."""
    name = "shared-redis"  # whatever else a test has begun for all of its file
    shared = [program for program in session_programs.programs if program.name == name]
    server = shared[0] if shared else session_programs.redis(name=name)
    if not server.running():
        server.start()
    client = server.client()
    # Connections that an earlier test has left open would count as receivers.
    client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    client.execute_command("CLIENT", "KILL", "TYPE", "normal")
    client.execute_command("FLUSHALL", "SYNC")  # which some servers do later, if not told otherwise
    wait_until(lambda: client.info("memory")["lazyfree_pending_objects"] == 0, "the freeing of what is unlinked")
    return server


@pytest.fixture
def client(shared_redis):
    return shared_redis.client()


@pytest.fixture
def resp(shared_redis):
    """A connection whose replies no client library has rearranged."""
    with Resp(shared_redis.port, protocol=3) as connection:
        yield connection


@pytest.fixture
def limited(shared_redis):
    """limited(*rules): a raw connection of a user with these rules and no others."""
    client = shared_redis.client()
    opened = []

    def open_limited(*rules):
        client.execute_command("ACL", "SETUSER", "limited", "reset", "on", ">pw", *rules)
        opened.append(Resp(shared_redis.port))
        opened[-1].call("AUTH", "limited", "pw")
        return opened[-1]

    yield open_limited
    for one in opened:
        one.close()
    client.execute_command("ACL", "DELUSER", "limited")
    client.execute_command("ACL", "LOG", "RESET")


@pytest.fixture
def listen():
    """listen(server, *channels): a Listener that ends with the test."""
    listeners = []

    def open_listener(server, *channels, **options):
        listeners.append(Listener(server, *channels, **options))
        return listeners[-1]

    yield open_listener
    for listener in listeners:
        listener.close()


@pytest.fixture
def connect(bridge):
    """connect("/ws/tab-1?user=alice") opens a client that is closed with the test."""
    clients = []

    def open_client(path="/ws", **options):
        client = WsClient(bridge.port, path, **options)
        clients.append(client)
        return client

    yield open_client
    for client in clients:
        if client.sock.fileno() >= 0:
            client.close()
