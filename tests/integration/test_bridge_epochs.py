"""A failover that loses what was acknowledged last: whoever held a place in it is told, whoever did not
goes on. The new primary's clock may be behind, so ids and revisions collide with those of the lost branch."""

import pytest

from bridge_helpers import number_of
from servers import Group
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
        self.client.execute_command("WAIT", 1, 5000)
        self.new.client().execute_command("REPLICAOF", "NO", "ONE")

    def fail_over(self):
        mark = self.daemon.mark()
        self.client = self.new.client()
        self.switch.lead_to(self.new.port)
        return mark

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
    got = [tab.expect(type="notification")["id"]]
    while got[-1] != live[-1]:
        got.append(tab.expect(type="notification")["id"])
    assert got in (live, others[1:] + live, others + live)


def test_an_open_page_that_had_nothing_that_was_lost_gets_what_comes_and_no_gap(failover):
    tab, _ = start(failover)
    failover.cut_off()
    failover.fail_over()
    live = [failover.send() for _ in range(3)]
    assert [tab.expect(type="notification")["id"] for _ in live] == live
    assert not any(m["type"] == "resumed" for m in tab.drain())


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
    failover.fail_over()
    others = [failover.send("ID", id_) for id_ in (below(lost, 100), above(lost, 100))]
    failover.daemon.wait_ready()
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


def test_a_change_that_collides_with_a_lost_one_is_told(failover):
    """The old primary's READ and the new one's DEL both were revision 5, behind following the log and three entries."""
    tab, ids = start(failover)
    failover.cut_off()
    failover.client.execute_command("NOTIFY.READ", KEY, ids[0])
    assert tab.expect(type="read")["rev"] == 5
    failover.switch.cut()  # the bridge must not hear what comes now
    failover.client = failover.new.client()
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
    failover.fail_over()
    others = [failover.send("ID", id_) for id_ in (below(lost, 100), above(lost, 100))]
    failover.daemon.wait_ready()
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
    failover.fail_over()
    failover.daemon.wait_ready()
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
