"""Bridges that hear of a failover one after the other: who hears of it last is still with the server that was left. A
session over polling is with the one and the other, and is told of what it had there."""

import itertools
import json

import pytest

from poller import Poller
from servers import Group, wait_until
from tcp_proxy import TcpProxy

KEY = "topic:news"


class Parted(Group):
    """A primary, its replica, and two bridges, each of which is led to the one or the other by itself."""

    def __init__(self, *words):
        super().__init__()
        self.old = self.redis()
        self.new = self.replica(self.old)
        self.switches = [TcpProxy(self.old.port) for _ in range(2)]
        self.bridges = [self.bridge(switch, *words, name=f"bridge{n}") for n, switch in enumerate(self.switches)]

    def send(self, server, title):
        return server.client().execute_command("NOTIFY.SEND", KEY, title)

    def part(self):
        """From here on the replica is a primary of its own."""
        client = self.old.client()
        client.set("last", "of both")  # it is the writes of who asks that are waited for
        assert client.execute_command("WAIT", 1, 5000) == 1
        self.new.client().execute_command("REPLICAOF", "NO", "ONE")

    def lead(self, n, server):
        bridge = self.bridges[n]
        mark = bridge.mark()
        self.switches[n].lead_to(server.port)
        bridge.wait_links("down", since=mark)
        bridge.wait_links("up", since=mark)
        wait_until(lambda: self.hearing(server) == self.led_to(server), "its being heard there")

    @staticmethod
    def hearing(server):
        """How many bridges can be told there that a session is wanted."""
        return len(set(server.client().pubsub_channels("eio:*")) - {"eio:bridges"})

    def led_to(self, server):
        return sum(switch.target == server.port for switch in self.switches)

    def has_sessions(self, n):
        return self.bridges[n].metrics()['notify_connections{transport="polling"}'] > 0

    def close(self):
        super().close()
        for switch in self.switches:
            switch.close()


@pytest.fixture
def parted(request):
    group = Parted(*getattr(request, "param", []))
    yield group
    group.close()


def polls_at(poller, parted, n):
    poller.ports = itertools.repeat(parted.bridges[n].port)


def join(parted, n=0):
    poller = Poller(parted.bridges[n].port, query="user=alice&topics=news")
    poller.join()
    return poller


def is_told(name, args):
    return name == "gap" and args["reason"] == "gone" and (args["keys"] is None or KEY in args["keys"])


def told_until(poller, parted, server, limit=20):
    """Titles that it has until it is told that something of the key is gone, or so many of them have come."""
    titles = []
    for n in range(limit):
        parted.send(server, f"n{n}")
        while True:
            name, *args = json.loads(poller.next("42")[2:])
            if is_told(name, *args):
                return titles
            if name == "notification":
                titles.append(args[0]["title"])
                break
    raise AssertionError(f"is not told, and has {titles}")


@pytest.mark.parametrize("where", [0, 1], ids=["at that bridge", "at the other"])
def test_what_it_had_of_a_server_that_was_left_is_told_when_the_last_bridge_has_left_it(parted, where):
    alice = join(parted)
    parted.send(parted.old, "both")
    alice.event("notification", title="both")
    parted.part()
    parted.lead(1, parted.new)
    parted.send(parted.old, "lost")
    alice.event("notification", title="lost")
    polls_at(alice, parted, 1)
    parted.send(parted.new, "of the new one")
    alice.event("notification", title="of the new one")
    parted.lead(0, parted.new)
    if where == 1:
        wait_until(lambda: not parted.has_sessions(0), "its looking whether the session is still its")
    polls_at(alice, parted, where)
    told_until(alice, parted, parted.new)


def test_an_answer_that_never_came_is_told_where_the_server_is_the_primary_again_that_has_it_for_had(parted):
    """A proxy has repeated the GET at the other server, and what it was answered there is lost."""
    alice = join(parted)
    parted.part()
    parted.lead(1, parted.new)
    parted.send(parted.old, "never came")
    for t in map("again{}".format, itertools.count()):
        if "never came" in alice.request("GET", sid=alice.sid, port=parted.bridges[0].port, t=t)[1]:
            break
    parted.send(parted.new, "instead")
    status, body = alice.request("GET", sid=alice.sid, port=parted.bridges[1].port, t=t)
    assert status == 200 and "never came" not in body, (status, body)
    parted.lead(1, parted.old)
    wait_until(lambda: not parted.has_sessions(1), "its looking whether the session is still its")
    polls_at(alice, parted, 0)
    told_until(alice, parted, parted.old)


@pytest.mark.parametrize("parted", [["--socketio-ping-interval", "1s"]], indirect=True, ids=["pings"])
def test_a_ping_of_a_server_that_was_left_is_nothing_that_is_lost(parted):
    alice = join(parted)
    parted.part()
    parted.lead(1, parted.new)
    assert alice.request("GET", sid=alice.sid)[1] == "2"
    alice.post("3")
    polls_at(alice, parted, 1)
    parted.send(parted.new, "first")
    alice.event("notification", title="first")
    parted.lead(0, parted.new)
    wait_until(lambda: not parted.has_sessions(0), "its looking whether the session is still its")
    for n in range(3):
        parted.send(parted.new, f"n{n}")
        while True:
            name, *args = json.loads(alice.next("42")[2:])
            assert not is_told(name, *args)
            if name == "notification":
                break
