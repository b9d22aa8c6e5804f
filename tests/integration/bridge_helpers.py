"""What the tests of the bridge share: one Redis and one bridge for a file, names that nobody else
uses, and clients that close with the test."""

import itertools
import os
import re
import urllib.request

import pytest

from servers import Group, wait_until
from ws_client import WsClient

# Other keys come over other links, and a bridge that was stopped for a moment reads some of each in a turn: what was
# sent before the first marker may come behind it. Each further one is a turn later.
MARKERS = 3

ISO_TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")

_names = itertools.count(1)


def new_name(prefix="u"):
    """A user or topic that no other test has."""
    return f"{prefix}{next(_names)}-{os.getpid()}"


def number_of(id_):
    """An id that can be compared."""
    ms, seq = id_.split("-")
    return int(ms), int(seq)


def id_before(id_):
    ms, seq = number_of(id_)
    return f"{ms}-{seq - 1}" if seq > 0 else f"{ms - 1}-18446744073709551615"


def ids_of(messages, key=None):
    """The ids of the entries among messages, in their order."""
    return [m["id"] for m in messages if "id" in m and "key" in m and key in (None, m["key"])]


class Stand(Group):
    """A Group of one server and one bridge with what tests do with them."""

    sees_logs = True  # whoever changes an inbox sees the logs that it follows

    def __init__(self, *args, redis_options=None, **options):
        super().__init__()
        self.server = self.redis(**(redis_options or {}))
        self.daemon = self.bridge(self.server, *args, **options)
        self.client = self.server.client()
        self.tabs = []

    def tab(self, path="/ws", greeted=True, port=None, **options):
        """A WebSocket client; greeted: its greeting is read and kept in tab.greeting. port: another
        than the bridge's first."""
        tab = WsClient(port or self.daemon.port, path, **options)
        self.tabs.append(tab)
        if greeted:
            tab.greeting = tab.expect(type="connection")
        return tab

    def call(self, *words):
        return self.client.execute_command(*words)

    def raw(self, _key):
        """A client, whose replies are bytes, of the server that has the key."""
        return self.server.client(decode_responses=False)

    def unread(self, inbox, log):
        """What it has not read, and of a log that it follows."""
        return self.call("NOTIFY.UNREAD", inbox, "LOGS", 1, log)

    def send(self, key, title="hello", *options):
        return self.call("NOTIFY.SEND", key, title, *options)

    def send_many(self, key, count, *options):
        """Their ids. In chunks, so that the server's other clients get their turn."""
        ids = []
        for start in range(0, count, 100):
            pipe = self.client.pipeline(transaction=False)
            for n in range(start, min(start + 100, count)):
                pipe.execute_command("NOTIFY.SEND", key, f"number {n}", *options)
            ids += pipe.execute()
        return ids

    def receivers(self, channel):
        return self.client.execute_command("PUBSUB", "NUMSUB", channel)[1]

    def drain(self, tab, key="topic:all"):
        """All messages up to now, also those that are still on their way from Redis: markers come
        behind them, on a key that the client follows."""
        for _ in range(MARKERS):
            self.call("NOTIFY.EVENT", key, "marker", "NOSTORE")
            tab.expect(type="marker")
        return [message for message in tab.drain() if message["type"] != "marker"]

    def close_tabs(self):
        while self.tabs:
            tab = self.tabs.pop()
            if tab.sock.fileno() >= 0:
                tab.close()

    def memory_kb(self):
        """What the bridge holds in memory now, in KiB."""
        with open(f"/proc/{self.daemon.pid}/status", encoding="ascii") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))


@pytest.fixture(scope="module")
def shared_stand():
    group = Stand()
    yield group
    group.close()


@pytest.fixture
def stand(shared_stand):
    """One server and one bridge for all tests of a file: use new_name() for users and topics."""
    wait_ready(shared_stand)  # a test before may have cut its links, which come back one after the other
    yield shared_stand
    shared_stand.close_tabs()


@pytest.fixture
def make_stand():
    """make_stand("--flag", …): a Stand of one's own. kind: a class made of Stand."""
    made = []

    def make(*args, kind=Stand, **options):
        made.append(kind(*args, **options))
        return made[-1]

    yield make
    for group in made:
        try:
            group.close_tabs()
        finally:
            group.close()


@pytest.fixture
def user():
    return new_name()


@pytest.fixture
def topic():
    return new_name("t")


@pytest.fixture
def tab(stand, user):
    """A client of user that has been greeted."""
    return stand.tab(f"/ws/tab?user={user}")


def wait_ready(stand_):
    """Until the bridge answers requests again."""
    def ready():
        try:
            with urllib.request.urlopen(stand_.daemon.http_url + "/readyz", timeout=60) as answer:
                return answer.status == 200
        except OSError:
            return False

    wait_until(ready, "readiness")
