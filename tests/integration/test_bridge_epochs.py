"""A failover that loses what was acknowledged last: whoever held a place in it is told, whoever did not
goes on. The new primary's clock may be behind, so ids and revisions collide with those of the lost branch."""

import itertools

import pytest

from bridge_helpers import number_of, wait_ready
from patience import WAIT_TIMEOUT_S
from poller import Poller
from servers import Group, wait_until
from sse_client import SseClient
from tcp_proxy import TcpProxy
from ws_client import WsClient

KEY = "inbox:alice"


class Failover(Group):
    """A primary, its replica, and a bridge that reaches whichever is the primary."""

    def __init__(self):
        super().__init__()
        self.old = self.redis()
        self.new = self.replica(self.old)
        self.switch = TcpProxy(self.old.port)
        self.daemon = self.bridge(self.switch)
        self.client = self.old.client()
        self.tabs = []

    def tab(self, path="/ws?user=alice"):
        tab = WsClient(self.daemon.port, path)
        tab.expect(type="connection")
        self.tabs.append(tab)
        return tab

    def send(self, *options, key=KEY):
        return self.client.execute_command("NOTIFY.SEND", key, "hello", *options)

    def cut_off(self):
        """From here on what is written is lost."""
        assert self.client.execute_command("WAIT", 1, 1000 * WAIT_TIMEOUT_S) == 1
        self.new.client().execute_command("REPLICAOF", "NO", "ONE")

    def fail_over(self):
        mark = self.daemon.mark()
        self.client = self.new.client()
        self.switch.lead_to(self.new.port)
        return mark

    def wait_followed(self, key):
        """The new primary has nothing to tell yet that was not heard."""
        wait_until(lambda: self.client.pubsub_numsub(key)[0][1] > 0, f"{key} to be followed")

    def close(self):
        for tab in self.tabs:
            if tab.sock.fileno() >= 0:
                tab.close()
        super().close()
        self.switch.close()


@pytest.fixture
def failover():
    group = Failover()
    yield group
    group.close()


def below(id_, ms):
    return f"{number_of(id_)[0] - ms}-0"


def above(id_, ms):
    return f"{number_of(id_)[0] + ms}-0"


def start(failover, count=3):
    """An open page that has had everything; returns it and the ids."""
    tab = failover.tab()
    ids = [failover.send("ID", f"{n + 1}000-0") for n in range(count)]
    assert [tab.expect(key=KEY)["id"] for _ in ids] == ids
    return tab, ids


def lose(failover, tab, count, *others):
    """So many entries, which the page has had; it is told, and gets these, which the new primary has in their place."""
    for n in range(count):
        failover.send("ID", f"{n + 4}000-0")
        tab.expect(key=KEY)
    failover.client = failover.new.client()
    for id_ in others:
        failover.send("ID", id_)
    failover.fail_over()
    assert tab.expect(type="resumed")["results"][KEY]["recovered"] is False
    assert [tab.expect(type="notification")["id"] for _ in others] == [*others]


def test_an_open_page_that_had_a_lost_entry_is_told_and_gets_what_comes(failover):
    tab, ids = start(failover)
    failover.cut_off()
    lost = failover.send("ID", above(ids[-1], 1000))
    assert tab.expect(key=KEY)["id"] == lost
    failover.fail_over()
    others = [failover.send("ID", id_) for id_ in (below(lost, 100), above(lost, 100))]
    told = tab.expect(type="resumed")
    assert told["results"][KEY]["recovered"] is False
    assert tab.request("unread_count")["last"] == others[-1]
    live = [failover.send() for _ in range(3)]
    wanted = others + live
    assert [tab.expect(type="notification")["id"] for _ in wanted] == wanted


def test_an_open_page_that_had_nothing_that_was_lost_gets_what_comes_and_no_gap(failover):
    tab, _ = start(failover)
    failover.cut_off()
    failover.fail_over()
    live = [failover.send() for _ in range(3)]
    assert [tab.expect(type="notification")["id"] for _ in live] == live
    assert not any(m["type"] == "resumed" for m in tab.drain())


@pytest.mark.parametrize("lost", [1, 70])  # or so many that Redis has vouched for some, and has fewer of all in the end
def test_what_came_behind_a_loss_while_nobody_listened_comes_to_who_is_told_of_it(failover, lost):
    tab, _ = start(failover)
    failover.cut_off()
    lose(failover, tab, lost, "3500-0", "200000-0")


@pytest.mark.parametrize("lost", [1, 70])
def test_what_stands_behind_comes_also_if_the_box_has_never_heard_of_the_epoch(failover, lost):
    """It began where all was lost that was written under it, and the box is smaller by that: nothing says that it is ours."""
    tab, _ = start(failover)
    failover.cut_off()
    failover.client.execute_command("REPLICAOF", "127.0.0.1", failover.new.port)
    failover.client.execute_command("REPLICAOF", "NO", "ONE")
    lose(failover, tab, lost, "100000-0", "200000-0")


def test_the_same_of_a_box_that_is_heard_of_over_a_link_that_plays_dead(failover):
    """Another link has come back, and it may be that all keys were flushed meanwhile: then the box is read, but not
    all that it holds is news."""
    key, tab = "topic:news", failover.tab()
    tab.request("subscribe", topic="news")
    common = [failover.send("ID", f"{n}000-0", key=key) for n in (1, 2)]
    failover.cut_off()
    for id_ in [*common, *(failover.send("ID", f"{n}000-0", key=key) for n in (3, 4, 5))]:
        assert tab.expect(key=key)["id"] == id_
    failover.client = failover.new.client()
    other = failover.send(key=key)
    assert failover.switch.freeze(b"SUBSCRIBE\r\n$10\r\n" + key.encode()) == 1
    failover.switch.target = failover.new.port
    failover.old.kill9()
    assert tab.expect(type="resumed")["results"][key]["recovered"] is False
    assert tab.expect(type="notification", key=key)["id"] == other


def test_what_is_lost_of_a_box_that_has_begun_without_a_message_is_told(failover):
    """As inboxes do when the bridge has them follow a log, after Redis came back without them. The first entry must say
    the epoch, or nobody can see from what came later that something was lost."""
    tab, key = failover.tab(), "topic:news"
    tab.request("subscribe", topic="news")
    failover.client.execute_command("NOTIFY.FOLLOW", key, "topic:all", "NOPUBLISH")
    failover.cut_off()
    for id_ in ("1000-0", "2000-0"):
        failover.send("ID", id_, key=key)
        assert tab.expect(key=key)["id"] == id_
    failover.client = failover.new.client()
    others = [failover.send("ID", f"{n}000-0", key=key) for n in (3, 4, 5)]
    failover.fail_over()
    assert tab.expect(type="resumed")["results"][key]["recovered"] is False
    assert [tab.expect(type="notification")["id"] for _ in others] == others


def test_who_catches_up_behind_a_place_of_an_earlier_epoch_learns_the_present_one_with_the_first_entry(failover):
    """Or it would say the next place under the earlier epoch, and be told of a loss if it is cut off half way."""
    tab, ids = start(failover)
    place = f"{ids[-1]}@@{tab.request('unread_count')['epoch']}"
    failover.cut_off()
    failover.client = failover.new.client()
    missed = [failover.send("ID", f"{n}000-0") for n in (4, 5)]
    failover.fail_over()
    for one in (tab, failover.tab(f"/ws?user=alice&last_event_id={place.replace('@', '%40')}")):
        got = [one.expect(type="notification") for _ in missed]
        assert [message["id"] for message in got] == missed
        assert [message.get("epoch") for message in got] == [one.request("unread_count")["epoch"], None]
    again = failover.tab(f"/ws?user=alice&last_event_id={missed[0]}%40%40{got[0]['epoch']}")
    assert again.expect(type="resumed")["results"] == {KEY: {"recovered": True, "count": 1}}


def position_of(tab):
    """As the bridge tells it."""
    answer = tab.request("unread_count")
    return f"{answer['last']}@@{answer['epoch']}"


@pytest.mark.parametrize("way", ["resume", "last_event_id"])
def test_a_client_that_comes_back_with_a_lost_position_is_told_and_misses_nothing(failover, way):
    tab, ids = start(failover)
    failover.cut_off()
    lost = failover.send("ID", above(ids[-1], 1000))
    assert tab.expect(key=KEY)["id"] == lost
    position = position_of(tab)
    tab.close()
    since = failover.fail_over()
    others = [failover.send("ID", id_) for id_ in (below(lost, 100), above(lost, 100))]
    failover.daemon.wait_links("up", since=since)
    if way == "resume":
        again = failover.tab()
        again.send({"type": "resume", "positions": {KEY: position}})
    else:
        again = failover.tab(f"/ws?user=alice&last_event_id={position.replace('@', '%40')}")
    assert [again.expect(type="notification")["id"] for _ in others] == others
    told = again.expect(type="resumed")
    assert told["results"] == {KEY: {"recovered": False, "count": 2}}
    assert told["epochs"][KEY] != int(position.split("@")[-1])
    assert position_of(again) == f"{others[-1]}@@{told['epochs'][KEY]}"


def test_a_client_that_comes_back_with_a_position_that_both_branches_have_has_missed_nothing(failover):
    tab, ids = start(failover)
    position = position_of(tab)
    tab.close()
    failover.cut_off()
    failover.send("ID", above(ids[-1], 1000))
    failover.fail_over()
    others = [failover.send("ID", above(ids[-1], ms)) for ms in (900, 1100)]
    again = failover.tab()
    again.send({"type": "resume", "positions": {KEY: position}})
    assert [again.expect(type="notification")["id"] for _ in others] == others
    assert again.expect(type="resumed")["results"] == {KEY: {"recovered": True, "count": 2}}


def test_a_topic_is_subscribed_with_a_position_of_a_lost_branch_and_told(failover):
    key = "topic:news"
    tab = failover.tab("/ws?user=bob")
    base = failover.send("ID", "1000-0", key=key)
    failover.cut_off()
    lost = failover.send("ID", "2000-0", key=key)
    answer = tab.request("subscribe", topic="news", last_id=base)
    assert (answer["recovered"], answer["last"]) == (True, lost)
    position = f"{answer['last']}@@{answer['epoch']}"
    tab.close()
    failover.fail_over()
    others = [failover.send("ID", id_, key=key) for id_ in ("1900-0", "2100-0")]
    again = failover.tab("/ws?user=bob")
    again.send({"type": "subscribe", "topic": "news", "last_id": position})
    assert [again.expect(type="notification")["id"] for _ in others] == others
    answer = again.expect(type="subscription")
    assert (answer["recovered"], answer["last"]) == (False, others[-1])


def test_a_session_is_subscribed_with_a_position_of_a_lost_branch_and_told(failover):
    """What came from now on said no epoch, since that had begun before: the answer does."""
    key = "session:s1"
    tab = failover.tab("/ws?user=bob")
    base = failover.send("ID", "1000-0", key=key)
    failover.cut_off()
    answer = tab.request("subscribe_session", session_id="s1")
    lost = failover.send("ID", "2000-0", key=key)
    assert tab.expect(id=lost).get("epoch", answer["epoch"]) == answer["epoch"]
    assert (answer["last"], answer.get("recovered")) == (base, None)
    tab.close()
    failover.fail_over()
    others = [failover.send("ID", id_, key=key) for id_ in ("1900-0", "2100-0")]
    for place, recovered in ((lost, False), (base, True)):
        again = failover.tab("/ws?user=bob")
        again.send({"type": "subscribe_session", "session_id": "s1", "last_id": f"{place}@@{answer['epoch']}"})
        assert [again.expect(type="notification")["id"] for _ in others] == others
        now = again.expect(type="subscribed")
        assert (now["recovered"], now["last"]) == (recovered, others[-1])
        assert now["epoch"] != answer["epoch"]


def lose_a_read(failover):
    """A page that was told of it, as revision 5 (behind following the log and three entries), and what it has. The bridge
    does not hear what comes now."""
    tab, ids = start(failover)
    failover.cut_off()
    failover.client.execute_command("NOTIFY.READ", KEY, ids[0])
    assert tab.expect(type="read")["rev"] == 5
    failover.switch.cut()
    failover.client = failover.new.client()
    return tab, ids


def test_a_change_that_collides_with_a_lost_one_is_told(failover):
    """The old primary's READ and the new one's DEL both were revision 5."""
    tab, ids = lose_a_read(failover)
    failover.client.execute_command("NOTIFY.DEL", KEY, ids[1], ids[2])
    failover.fail_over()
    told = tab.expect(type="changed")
    assert (told["rev"], told["unread"]) == (5, 1)
    assert told["epoch"] == tab.request("unread_count")["epoch"]


def test_an_epoch_that_the_box_does_not_know_is_a_gap(failover):
    tab, ids = start(failover)
    answer = tab.request("resume", positions={KEY: f"{ids[-1]}@@1"})
    assert answer["results"][KEY]["recovered"] is False
    answer = tab.request("resume", positions={KEY: "0-0@@1"})
    assert answer["results"][KEY]["recovered"] is True


@pytest.mark.parametrize("position", ["1-0@", "1-0@@", "1-0@5", "1-0@5@7", "1-0@@x", "1-0@@16777216", "@@5", 5])
def test_what_is_no_position_is_refused(failover, position):
    tab = failover.tab()
    for type_, members in (
        ("resume", {"positions": {KEY: position}}),
        ("subscribe", {"topic": "t", "last_id": position}),
    ):
        assert tab.request(type_, **members)["error"]["code"] == "INVALID_FIELD"


def test_a_reader_of_a_stream_that_had_what_was_lost_is_told_and_misses_nothing(failover):
    """Its id carries the epochs."""
    stream = SseClient(failover.daemon.port, user="alice")
    stream.expect("connection")
    ids = [failover.send("ID", f"{n + 1}000-0") for n in range(3)]
    marks = [stream.expect("notification").id for _ in ids]
    failover.cut_off()
    lost = failover.send("ID", above(ids[-1], 1000))
    marks.append(stream.expect("notification", id=lost).id)
    stream.close()
    since = failover.fail_over()
    others = [failover.send("ID", id_) for id_ in (below(lost, 100), above(lost, 100))]
    failover.daemon.wait_links("up", since=since)
    for mark, gaps in ((marks[-2], []), (marks[-1], [[KEY]])):
        again = SseClient(failover.daemon.port, user="alice", last_event_id=mark)
        assert [again.expect("notification").json["id"] for _ in others] == others
        again.expect("resumed")
        failover.client.execute_command("NOTIFY.EVENT", KEY, "marker", "NOSTORE")
        told = []
        while (event := again.next()).type != "marker":
            told.append(event.json["keys"])
        assert told == gaps
        again.close()


def test_what_a_stream_has_of_a_box_that_began_while_the_link_was_away_is_told_when_it_is_lost(failover):
    """It was read from Redis, and had to be told under which epoch at once: the next failover may come before anything else."""
    key = "topic:news"
    stream = SseClient(failover.daemon.port, user="alice", topics="news")
    stream.expect("connection")
    failover.daemon.wait_ready()
    failover.cut_off()
    both = failover.client.pipeline(transaction=False)  # nobody hears again before the entry is there
    both.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    both.execute_command("NOTIFY.SEND", key, "lost", "ID", "1000-0")
    both.execute()
    mark = stream.expect("notification", id="1000-0").id
    stream.close()
    failover.client = failover.new.client()
    others = [failover.send("ID", f"{n}000-0", key=key) for n in (2, 3)]
    since = failover.fail_over()
    failover.daemon.wait_links("up", since=since)
    again = SseClient(failover.daemon.port, user="alice", topics="news", last_event_id=mark)
    assert [again.expect("notification").json["id"] for _ in others] == others
    assert again.expect("gap").json["keys"] == [key]
    again.close()


def test_an_open_page_learns_with_the_entry_under_which_epoch_a_box_began_while_the_link_was_away(failover):
    tab, key = failover.tab(), "topic:news"
    tab.request("subscribe", topic="news")
    both = failover.client.pipeline(transaction=False)
    both.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    both.execute_command("NOTIFY.SEND", key, "hello")
    both.execute()
    assert tab.expect(key=key)["epoch"] == tab.request("subscribe", topic="news")["epoch"]


WITHHELD = {"what it has sent itself": ["EXCLUDE", "mine"], "a category": ["CATEGORY", "noise"]}


class OfNews:
    """A page that follows a topic, but not all of it, and its place as docs/protocol.md has it."""

    KEY, PATH = "topic:news", "/ws/mine?user=alice"

    def __init__(self, failover, place=None):
        self.tab = failover.tab(self.PATH)
        self.tab.request("unsubscribe_category", category="noise")
        self.answer = self.tab.request("subscribe", topic="news", **({"last_id": place} if place else {}))
        self.epoch = self.answer.get("epoch")

    def take(self):
        """The id of the next entry. Whatever comes of the box before it may say the epoch."""
        message = {"type": None}
        while message["type"] != "notification":
            message = self.tab.recv()
            self.epoch = message.get("epoch", self.epoch) if message.get("key") == self.KEY else self.epoch
        self.id = message["id"]
        return self.id

    def place(self):
        return f"{self.id}@@{self.epoch}"


@pytest.mark.parametrize("options", WITHHELD.values(), ids=WITHHELD)
def test_who_is_not_sent_the_entry_that_says_an_epoch_is_told_it_by_the_next(failover, options):
    """Or its place would be one of the epoch before, which had no such entry."""
    page = OfNews(failover)
    failover.send("ID", "1000-0", key=page.KEY)
    assert page.take() == "1000-0"
    failover.cut_off()
    failover.fail_over()
    failover.wait_followed(page.KEY)
    failover.send("ID", "2000-0", *options, key=page.KEY)
    failover.send("ID", "3000-0", key=page.KEY)
    assert page.take() == "3000-0"
    again = OfNews(failover, page.place())
    assert again.answer["recovered"] is True
    assert again.epoch == page.epoch


@pytest.mark.parametrize("options", WITHHELD.values(), ids=WITHHELD)
def test_the_first_that_somebody_is_sent_who_catches_up_says_the_epoch(failover, options):
    page = OfNews(failover)
    failover.send("ID", "1000-0", key=page.KEY)
    page.take()
    page.tab.close()
    failover.cut_off()
    failover.client = failover.new.client()
    failover.send("ID", "2000-0", *options, key=page.KEY)
    failover.send("ID", "3000-0", key=page.KEY)
    since = failover.fail_over()
    failover.daemon.wait_links("up", since=since)
    tab = failover.tab(page.PATH)
    tab.request("unsubscribe_category", category="noise")
    tab.send({"type": "subscribe", "topic": "news", "last_id": page.place()})
    assert tab.expect(type="notification")["epoch"] == tab.expect(type="subscription")["epoch"] != page.epoch


def test_a_session_over_polling_that_goes_on_elsewhere_is_told_the_epoch_with_the_next_entry(failover):
    """The bridge that it was with had found it out, and nothing had come since."""
    key = "topic:news"
    alice = Poller(failover.daemon.port, query="user=alice")
    alice.join()
    failover.send("ID", "1000-0", key=key)
    before = alice.ask("subscribe", topic="news", last_id="0-0")["epoch"]
    failover.daemon.kill9()
    failover.cut_off()
    failover.client = failover.new.client()
    failover.client.execute_command("NOTIFY.READ", key, "1000-0")
    failover.fail_over()
    second = failover.bridge(failover.switch, name="second")
    for bridge in (second, failover.daemon):
        alice.ports = itertools.cycle([bridge.port])
        if bridge is failover.daemon:
            second.kill9()
            bridge.start()
        for _ in range(3):  # turns, in which it comes to rest
            failover.client.execute_command("NOTIFY.EVENT", "inbox:alice", "marker")
            alice.event("marker")
    failover.send("ID", "2000-0", key=key)
    entry = alice.event("notification", id="2000-0")
    answer = failover.tab().request("subscribe", topic="news", last_id=f"2000-0@@{entry.get('epoch', before)}")
    assert answer["recovered"] is True


def test_over_polling_each_entry_says_its_epoch_for_the_one_before_may_be_of_a_server_that_is_no_primary_any_more(failover):
    """Each GET goes to another bridge perhaps, of which one has not heard yet who the primary is. The place that the client
    has come to there is one of the epoch that ended, whatever it was told in between, and was taken for one behind what the
    new primary had given before: that was passed over without a word."""
    key = "topic:news"
    alice = Poller(failover.daemon.port, query="user=alice")
    alice.join()
    failover.send("ID", "1000-0", key=key)
    alice.ask("subscribe", topic="news", last_id="0-0")
    alice.event("notification", id="1000-0")
    failover.cut_off()
    new = failover.new.client()
    alice.ports = itertools.cycle([failover.bridge(failover.new, name="second").port])
    new.execute_command("NOTIFY.SEND", key, "of the new one", "ID", "2000-0")
    epoch = alice.event("notification", id="2000-0")["epoch"]
    new.execute_command("NOTIFY.SEND", key, "and one that it does not come to have", "ID", "3000-0")
    alice.ports = itertools.cycle([failover.daemon.port])
    failover.send("ID", "4000-0", key=key)
    stray = alice.event("notification", id="4000-0")
    assert stray.get("epoch", epoch) != epoch
    new.execute_command("NOTIFY.SEND", key, "and another one", "ID", "5000-0")
    failover.fail_over()
    answer = failover.tab().request("subscribe", topic="news", last_id=f"4000-0@@{stray.get('epoch', epoch)}")
    assert answer["recovered"] is False


def test_over_polling_nothing_but_an_entry_says_an_epoch(failover):
    """Since the place may be one of such a server, which the bridge does not know of that tells of the change."""
    key = "topic:news"
    alice = Poller(failover.daemon.port, query="user=alice")
    alice.join()
    failover.send("ID", "1000-0", key=key)
    tab = failover.tab()
    for one in (alice.ask, tab.request):
        one("subscribe", topic="news", last_id="0-0")
    failover.cut_off()
    failover.client = failover.new.client()
    failover.client.execute_command("NOTIFY.READ", key, "1000-0")
    failover.fail_over()
    assert "epoch" in tab.expect(type="changed", key=key)
    wait_ready(failover)  # or it refuses polls
    assert "epoch" not in alice.event("changed", key=key)
    failover.send("ID", "2000-0", key=key)
    assert alice.event("notification", id="2000-0")["epoch"] == tab.request("subscribe", topic="news")["epoch"]
    failover.send("ID", "3000-0", key=key)
    assert "epoch" in alice.event("notification", id="3000-0")
    assert "epoch" not in tab.expect(type="notification", id="3000-0")


def test_a_change_that_was_lost_is_told_though_one_that_nobody_is_told_of_has_its_revision(failover):
    """As the bridge has inboxes follow logs."""
    tab, _ = lose_a_read(failover)
    failover.client.execute_command("NOTIFY.FOLLOW", KEY, "topic:other", "NOPUBLISH")
    failover.fail_over()
    told = tab.expect(type="changed")
    assert (told["rev"], told["unread"]) == (5, 3)


def test_whatever_somebody_publishes_it_harms_nobody_who_comes_back(failover):
    """An entry that fits, as whoever listens can make it, with members that are there many times."""
    key = "topic:news"
    tabs = [failover.tab(f"/ws?user={name}&topics=news") for name in ("alice", "bob")]  # so that it is kept
    failover.send("ID", "1000-0", key=key)
    for tab in tabs:
        tab.expect(id="1000-0")
    forged = ['"type":"forged"', f'"key":"{key}"', '"id":"1001-0"', '"prev":"1000-0"', *['"rev":9'] * 3000, '"data":{}']
    failover.client.publish(key, "{" + ",".join(forged) + "}")
    for tab in tabs:
        tab.expect(type="forged")
    failover.tab().request("subscribe", topic="news", last_id="1000-0")
    assert failover.tab().request("ping")["type"] == "pong"
