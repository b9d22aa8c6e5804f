"""Fixtures for everything under tests/ that runs in pytest (see support/servers.py)."""

import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))

from module_helpers import Listener  # noqa: E402  (needs the path above)
from resp import Resp  # noqa: E402
from servers import Group, wait_until  # noqa: E402
from ws_client import WsClient  # noqa: E402


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
    if not session_programs.programs:
        session_programs.redis(name="shared-redis")
    server = session_programs.programs[0]
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
