"""A primary that was left with its last entry, and is the primary again: it has again what was lost with it, and lacks
what was written meanwhile. Nobody passes over anything without being told: whoever is there all the time, whoever
comes back, from whichever place."""

import itertools
import json
import urllib.error
import urllib.request

import pytest

from poller import Poller
from servers import free_port, wait_until
from sse_client import SseClient
from test_bridge_epochs import Failover

KEY = "topic:news"
BOTH = [f"{n}000-0" for n in (1, 2, 3, 4)]
REGAINED, LAST = "5000-0", "6000-0"


class Regaining(Failover):
    def is_ready(self):
        try:
            return urllib.request.urlopen(self.daemon.http_url + "/readyz").status == 200
        except urllib.error.HTTPError:
            return False

    def fail_over(self):
        mark = super().fail_over()
        self.daemon.wait_links("down", since=mark)
        wait_until(self.is_ready, "links to the other one")

    def fail_back(self, promoted):
        """promoted: it was a replica meanwhile, of somebody who never answered it."""
        if promoted:
            self.old.client().execute_command("REPLICAOF", "127.0.0.1", free_port())
            self.old.client().execute_command("REPLICAOF", "NO", "ONE")
        self.old, self.new = self.new, self.old
        self.fail_over()


@pytest.fixture
def regaining():
    group = Regaining()
    yield group
    group.close()


class Told:
    """What somebody is told of the box, in order: ids, and "gap". Where that stands in front of entries it is told behind
    them again."""

    is_set_back = False  # to where Redis knows that it is, which it may have lost, too

    def __init__(self):
        self.said, self.is_ahead = [], False

    def note(self, type_, message):
        if type_ == "notification" and message["key"] == KEY:
            self.said.append(message["id"])
        elif type_ == "gap" and message["reason"] == "gone" and KEY in message["keys"]:
            self.said.append("gap")
            self.is_ahead = True
        elif type_ == "resumed" and not message["results"].get(KEY, {"recovered": True})["recovered"]:
            self.said += [] if self.is_ahead else ["gap"]
            self.is_ahead = False

    def until(self, condition):
        """Reads until what was said since the last call fulfils it; returns that."""
        while not condition(self.said):
            self.read()
        said, self.said = self.said, []
        return said


class ByWebSocket(Told):
    def __init__(self, failover):
        super().__init__()
        self.tab = failover.tab("/ws?user=alice")
        self.tab.request("subscribe", topic="news")

    def read(self):
        message = self.tab.recv()
        self.note(message["type"], message)


class ByStream(Told):
    def __init__(self, failover):
        super().__init__()
        self.stream = SseClient(failover.daemon.port, user="bob", topics="news")
        self.stream.expect("connection")
        self.is_twice = False

    def read(self):
        """A gap goes with each answer that tells of one."""
        event = self.stream.next()
        if event.type != "gap" or not self.is_twice:
            self.note(event.type, event.json)
        self.is_twice = event.type == "resumed" and not all(one["recovered"] for one in event.json["results"].values())


class ByPolling(Told):
    is_set_back = True

    def __init__(self, failover):
        super().__init__()
        self.poller = Poller(failover.daemon.port, query="user=carol&topics=news")
        self.poller.join()

    def read(self):
        name, *args = json.loads(self.poller.next("42")[2:])
        self.note(name, args[0] if args else {})


def come_back(failover, place):
    """What it is told who comes with this place: (recovered, ids)."""
    tab = failover.tab("/ws?user=dora")
    answer = tab.request("subscribe", topic="news", last_id=place)
    ids = [message["id"] for message in tab.drain() if message["type"] == "notification"]
    tab.close()
    return answer["recovered"], ids


MEANWHILE = {"nothing": None, "an entry before": "4500-0", "the same id": REGAINED, "an entry behind": "5500-0", "a change": "read"}


@pytest.mark.parametrize("promoted", [False, True], ids=["as it was", "promoted"])
@pytest.mark.parametrize("meanwhile", MEANWHILE)
@pytest.mark.parametrize("heard", [False, True], ids=["unheard", "heard"])
def test_what_a_primary_has_again_comes_or_is_told(regaining, heard, meanwhile, promoted):
    failover, other = regaining, MEANWHILE[meanwhile]
    loses = other is not None  # what it had meanwhile, or the epoch of its place
    followers = [kind(failover) for kind in (ByWebSocket, ByStream, ByPolling)]
    for id_ in BOTH:
        failover.send("ID", id_, key=KEY)
    for one in followers:
        assert one.until(lambda said: BOTH[-1] in said) == BOTH
    tab = failover.tab()
    first = tab.request("subscribe", topic="news")["epoch"]
    failover.cut_off()
    if heard:
        failover.send("ID", REGAINED, key=KEY)
        for one in followers:
            assert one.until(lambda said: REGAINED in said) == [REGAINED]
    former = failover.client
    failover.fail_over()
    if not heard:
        former.execute_command("NOTIFY.SEND", KEY, "regained", "ID", REGAINED)
    if other == "read":
        failover.client.execute_command("NOTIFY.READ", KEY, BOTH[0])
    elif other:
        failover.client.execute_command("NOTIFY.SEND", KEY, "other", "ID", other)
    wanted = (["gap"] if heard else []) + ([other] if other and other != "read" else [])
    for one in followers:
        said = one.until(lambda said: all(word in said for word in wanted))
        assert [word for word, _ in itertools.groupby(said)] == wanted, one

    def known():
        return tab.request("subscribe", topic="news")["epoch"]

    if loses:
        wait_until(lambda: known() != first, "the new epoch's being known")
    second = known()
    assert (second != first) == loses
    failover.fail_back(promoted)
    goes_on = other in (None, "4500-0", "read")
    wanted = (["gap"] if loses else []) + ([REGAINED] if goes_on else [])
    places = {f"{BOTH[-1]}@@{first}": (True, [REGAINED]), f"{REGAINED}@@{first}": (True, [])}
    if loses:
        at = BOTH[-1] if other == "read" else other
        places |= {f"{BOTH[-1]}@@{second}": (False, [REGAINED]), f"{at}@@{second}": (False, [REGAINED] if at < REGAINED else [])}
    for last in ([], [LAST]):
        if last:
            failover.send("ID", LAST, key=KEY)
        for one in followers:
            words = last or wanted
            if not one.is_set_back:
                said = one.until(lambda said, words=words: all(word in said for word in words))
                assert [word for word, _ in itertools.groupby(said)] == words, one
            elif last:
                said = one.until(lambda said: LAST in said)
                assert set(wanted) <= {*said, REGAINED} and {"gap", REGAINED} & {*said} and (heard or not goes_on or REGAINED in said), said
        for place, (recovered, ids) in places.items():
            assert come_back(failover, place) == (recovered, ids + last), place
