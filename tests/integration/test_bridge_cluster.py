"""The bridge in front of a Redis Cluster: boxes in every slot, slots that move, primaries that fail, and
what is said of servers that are none of a cluster's."""

import json
import re
import signal
import urllib.error
import urllib.request
import zlib
from urllib.parse import quote

import pytest

from cluster import Cluster, Writer, slot_of, tag_in
from fake_cluster import FakeNode
from fake_cluster import array as fake_array
from fake_cluster import error as fake_error
from fake_cluster import node as fake_node
from fake_cluster import shard as fake_shard
from resp import Resp
from servers import Bridge, free_port, wait_until
from test_bridge_tls_to_redis import At
from ws_client import WsClient

MODE = ("--redis-mode", "cluster")


def url_of(*nodes):
    return "redis://" + ",".join(f"127.0.0.1:{node.port}" for node in nodes)


def start(programs, url, *args, wait_ready=True, **options):
    return programs.add(Bridge(At(url), *MODE, *args, **options)).start(wait_ready=wait_ready)


def user_in(slots, name="u"):
    """A user whose inbox lies there."""
    return next(f"{name}{n}" for n in range(10**6) if slot_of(f"inbox:{name}{n}") in slots)


def moved(key, to):
    return fake_error(f"MOVED {slot_of(key)} 127.0.0.1:{to.port}")


class Tabs:
    """Followers of inboxes, each of which knows what it was told."""

    def __init__(self, bridge, users):
        self.tabs = {}
        for user in users:
            tab = WsClient(bridge.port, f"/ws?user={user}")
            tab.expect(type="connection")
            self.tabs[user] = tab

    def got(self, user, count, timeout=60):
        """The ids of so many notifications in the order in which they came."""
        return [self.tabs[user].expect(type="notification", timeout=timeout)["id"] for _ in range(count)]

    def check(self, acked):
        """Each has got all that was acknowledged for its inbox, in order, and nothing twice. acked: as in
        Writer."""
        for user, tab in self.tabs.items():
            ids = [id_ for id_, _ in acked[f"inbox:{user}"]]
            assert self.got(user, len(ids)) == ids
            assert not [m for m in tab.drain() if m["type"] == "notification"]

    def close(self):
        for tab in self.tabs.values():
            tab.close()


@pytest.fixture(scope="module")
def shared(session_programs):
    """A cluster of three primaries that tests leave as they find it."""
    return Cluster(session_programs, primaries=3, replicas=0)


@pytest.fixture
def failing(programs):
    """One of three primaries with a replica each, for this test."""
    return Cluster(programs, primaries=3, replicas=1)


def health(bridge):
    try:
        with urllib.request.urlopen(bridge.http_url + "/readyz", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def users_everywhere(cluster, each=2, name="u"):
    return [user_in(cluster.slots[n], f"{name}{n}x{i}y") for n in range(len(cluster.slots)) for i in range(each)]


def test_notifications_of_boxes_in_every_slot_arrive_though_one_server_alone_is_named(shared, programs):
    bridge = start(programs, url_of(shared.shards[1][0]))
    users = users_everywhere(shared)
    tabs, client = Tabs(bridge, users), shared.client()
    ids = {user: [client.call("NOTIFY.SEND", f"inbox:{user}", f"n{n}") for n in range(20)] for user in users}
    for user in users:
        assert tabs.got(user, 20) == ids[user]
    tabs.close()
    client.close()


def test_requests_go_to_where_the_inbox_is(shared, programs):
    bridge = start(programs, url_of(shared.shards[0][0]))
    client = shared.client()
    for user in users_everywhere(shared, name="r"):
        id_ = client.call("NOTIFY.SEND", f"inbox:{user}", "hello")
        with WsClient(bridge.port, f"/ws?user={user}") as tab:
            tab.expect(type="connection")
            assert tab.request("mark_read", id=id_)["type"] != "error"
            assert client.call("NOTIFY.UNREAD", f"inbox:{user}") == 0
    client.close()


def test_what_is_missed_is_read_from_each_server(shared, programs):
    bridge = start(programs, url_of(shared.shards[2][0]))
    users = users_everywhere(shared, name="m")
    tabs, client = Tabs(bridge, users), shared.client()
    firsts = {user: client.call("NOTIFY.SEND", f"inbox:{user}", "first") for user in users}
    for user in users:
        assert tabs.got(user, 1) == [firsts[user]]
    marks = bridge.mark()
    for node in (shard[0] for shard in shared.shards):
        with Resp(node.port) as resp:
            resp.call("CLIENT", "KILL", "TYPE", "pubsub")
    ids = {user: [client.call("NOTIFY.SEND", f"inbox:{user}", f"n{n}") for n in range(5)] for user in users}
    bridge.wait_line("event=redis_link_down link=notify-bridge:subscriber", since=marks)
    for user in users:
        assert tabs.got(user, 5) == ids[user]
    tabs.close()
    client.close()


def test_channels_that_are_no_keys_are_heard_whichever_server_they_are_published_at(shared, programs):
    bridge = start(programs, url_of(shared.shards[0][0]), "--channel", "news.*")
    with WsClient(bridge.port, "/ws?user=p") as tab:
        tab.expect(type="connection")
        tab.request("subscribe", channel="news.a")
        for n, (node, *_) in enumerate(shared.shards):
            shared.ask(node, "PUBLISH", "news.a", json.dumps({"n": n}))
        seen = [tab.expect(channel="news.a") for _ in shared.shards]
        assert sorted(json.dumps(message["data"]) for message in seen) == [f'{{"n": {n}}}' for n in range(3)]


def test_more_subscriber_links_share_the_slots_of_a_primary(shared, programs):
    bridge = start(programs, url_of(shared.shards[0][0]), "--cluster-subscriber-links", "3")
    users = users_everywhere(shared, each=6, name="k")
    tabs, client = Tabs(bridge, users), shared.client()
    ids = {user: client.call("NOTIFY.SEND", f"inbox:{user}", "hello") for user in users}
    for user in users:
        assert tabs.got(user, 1) == [ids[user]]
    for node, *_ in shared.shards:
        names = [one["name"] for one in node.client().client_list() if int(one["ssub"]) > 0]
        assert len(names) > 1 and set(names) == {"notify-bridge:subscriber"}
    tabs.close()
    client.close()


def part_of(name):
    """As docs/redis.md tells producers to compute it."""
    return f"{zlib.crc32(name.encode()) % 64:02}"


def said_to_subscribe(cluster):
    """How many SSUBSCRIBE commands primaries have executed since their statistics were reset."""
    stats = [cluster.ask(node, "INFO", "commandstats") for node, *_ in cluster.shards]
    return sum(int(calls) for text in stats for calls in re.findall(r"cmdstat_ssubscribe:calls=(\d+)", text))


def test_keys_with_a_number_of_their_name_as_their_tag_are_subscribed_by_64_commands(shared, programs):
    patterns = ("--inbox-key", "inbox:{%h64}:%s", "--topic-key", "topic:{%h64}:%s", "--user-sessions-key", "sessions:{%h64}:%s")
    bridge = start(programs, url_of(shared.shards[0][0]), *patterns, "--max-subscriptions", "1000")
    topics = [f"München {n}" for n in range(400)]
    keys = {f"topic:{{{part_of(topic)}}}:{topic}" for topic in topics} | {f"inbox:{{{part_of('h')}}}:h"}
    client = shared.client()
    with WsClient(bridge.port, "/ws?user=h") as tab:
        tab.expect(type="connection")
        for some in (sorted(keys)[:200], sorted(keys)[200:]):
            positions = {key: client.call("NOTIFY.SEND", key, "before") for key in some}
            results = tab.request("resume", positions=positions)["results"]
            assert set(results) == set(some) and all(one["recovered"] for one in results.values())
        for node, *_ in shared.shards:
            shared.ask(node, "CONFIG", "RESETSTAT")
            shared.ask(node, "CLIENT", "KILL", "TYPE", "pubsub")
        ids = {client.call("NOTIFY.SEND", key, "hello") for key in keys}
        assert {tab.expect(type="notification", message="hello")["id"] for _ in keys} == ids
        assert len({slot_of(key) for key in keys}) == 64
        few = 10  # of what is not the test's: the bridge's own channels
        assert said_to_subscribe(shared) <= 64 + few
    client.close()


def test_a_server_of_a_cluster_is_refused_where_no_cluster_is_configured_and_told_so(shared, programs, redis_server):
    alone = programs.add(Bridge(At(url_of(shared.shards[0][0])))).start(wait_ready=False)
    alone.wait_line("event=redis_link_down .*the server belongs to a Redis Cluster: see --redis-mode")
    other = start(programs, redis_server.url, wait_ready=False)
    other.wait_line("event=redis_link_down .*the server belongs to no Redis Cluster")


@pytest.mark.parametrize(
    "url, why",
    [("unix:///tmp/redis.sock", "must name servers by host and port"), ("redis://127.0.0.1/1", "names a database")],
)
def test_an_address_that_no_cluster_can_have_is_refused(url, why, programs):
    bridge = start(programs, url, wait_ready=False)
    assert bridge.wait() != 0
    assert bridge.has_line(why)


# Slots that move.


def test_a_box_that_moves_with_its_followers_loses_nothing_and_says_nothing_twice(shared, programs):
    """Key by key, as redis-cli --cluster reshard does it, and back; under a writer."""
    bridge = start(programs, url_of(shared.shards[0][0]))
    user = user_in(shared.slots[0], "mv")
    key = f"inbox:{user}"
    tabs, writer = Tabs(bridge, [user]), Writer(shared, [key])
    writer.start()
    for source, target in ((0, 1), (1, 0)):
        source, target = shared.shards[source][0], shared.shards[target][0]
        writer.wait_more(50)
        shared.begin_move(slot_of(key), source, target)
        writer.wait_more(50)
        shared.move_all_keys(slot_of(key), source, target)
        writer.wait_more(50)
        shared.end_move(slot_of(key), source, target)
    writer.wait_more(50)
    writer.finish()
    tabs.check(writer.acked)
    tabs.close()


def test_while_a_slot_moves_requests_find_boxes_that_have_moved_and_new_ones(shared, programs):
    bridge = start(programs, url_of(shared.shards[0][0]))
    slots = range(shared.slots[1][0], shared.slots[1][0] + 3000)
    tag = tag_in(slots, "asked")
    old, fresh = f"{{{tag}}}old", f"{{{tag}}}fresh"
    source, target = shared.shards[1][0], shared.shards[2][0]
    client = shared.client()
    ids = [client.call("NOTIFY.SEND", f"inbox:{old}", "before")]
    shared.begin_move(slot_of(f"inbox:{old}"), source, target)
    try:
        shared.move_all_keys(slot_of(f"inbox:{old}"), source, target)
        for user in (old, fresh):
            with WsClient(bridge.port, f"/ws?user={quote(user)}") as tab:
                tab.expect(type="connection")
                if user == old:
                    assert tab.request("mark_read", id=ids[0])["type"] != "error"
                    assert client.call("NOTIFY.UNREAD", f"inbox:{old}") == 0
    finally:
        shared.move_all_keys(slot_of(f"inbox:{old}"), source, target)
        shared.end_move(slot_of(f"inbox:{old}"), source, target)
        shared.begin_move(slot_of(f"inbox:{old}"), target, source)
        shared.move_all_keys(slot_of(f"inbox:{old}"), target, source)
        shared.end_move(slot_of(f"inbox:{old}"), target, source)
    client.close()


# Servers that fail.


def followed(programs, cluster, seeds=None, name="f"):
    """A bridge, followers in each shard, and a writer to them all."""
    bridge = start(programs, url_of(*(seeds or [cluster.shards[1][0]])))
    users = users_everywhere(cluster, each=1, name=name)
    tabs = Tabs(bridge, users)
    writer = Writer(cluster, [f"inbox:{user}" for user in users], patience_s=60, wait_replicas=1)
    writer.start()
    writer.wait_more(60)
    return bridge, tabs, writer


def test_a_failover_by_hand_loses_nothing(programs, failing):
    primary, replica = failing.shards[0]
    _, tabs, writer = followed(programs, failing)
    failing.ask(replica, "CLUSTER", "FAILOVER")
    failing.wait_role(replica, "master")
    failing.wait_role(primary, "slave")
    failing.wait_replica(primary)
    writer.wait_more(100)
    writer.finish()
    tabs.check(writer.acked)
    tabs.close()


def test_when_a_primary_dies_its_replica_goes_on_and_nothing_that_it_had_is_lost(programs, failing):
    primary, replica = failing.shards[0]
    bridge, tabs, writer = followed(programs, failing)
    writer.wait_replicas = lambda: 0 if not primary.running() else 1
    primary.kill9()
    failing.wait_role(replica, "master")
    writer.wait_more(100)
    writer.finish()
    tabs.check(writer.acked)
    assert bridge.has_line("event=redis_cluster .*")
    tabs.close()


def test_a_primary_that_is_frozen_while_its_replica_takes_over_is_left_though_its_links_look_healthy(programs, failing):
    primary, replica = failing.shards[0]
    bridge, tabs, writer = followed(programs, failing, seeds=[failing.shards[0][0], failing.shards[2][0]])
    writer.stop()
    writer.join(60)
    user = next(iter(tabs.tabs))
    mark = bridge.mark()
    primary.proc.send_signal(signal.SIGSTOP)
    try:
        wait_until(lambda: failing.info(failing.shards[1][0])["cluster_state"] != "fail"
                   and replica.client().info("replication")["role"] == "master", "the replica's taking over", timeout=60)
        bridge.wait_line("event=redis_cluster ", since=mark, timeout=60)
        sent = failing.ask(replica, "NOTIFY.SEND", f"inbox:{user}", "from the new one")
        tabs.tabs[user].expect(id=sent, timeout=60)
    finally:
        primary.proc.send_signal(signal.SIGCONT)
    failing.wait_role(primary, "slave")
    sent = failing.ask(replica, "NOTIFY.SEND", f"inbox:{user}", "and again")
    tabs.tabs[user].expect(id=sent)
    tabs.close()


def test_a_change_that_a_former_primary_tells_of_is_told_to_be_lost_though_its_revision_comes_again(programs, failing):
    """One that was frozen does what it was asked before it hears that it is none any more, and all servers of the shard tell of
    it. What the new one does next nobody is told of (bridges have inboxes follow logs so), and the entry behind it fits."""
    old, new = failing.shards[0]
    user = user_in(failing.slots[0])
    key, tabs = f"inbox:{user}", Tabs(start(programs, url_of(failing.shards[1][0])), [user])
    tab = tabs.tabs[user]
    first = failing.ask(old, "NOTIFY.SEND", key, "both have it")
    assert tabs.got(user, 1) == [first]
    rev = tab.request("unread_count")["rev"]
    failing.ask(new, "CLUSTER", "FAILOVER")
    failing.wait_role(new, "master")
    failing.wait_role(old, "slave")
    wait_until(lambda: [failing.ask(node, "PUBSUB", "SHARDNUMSUB", key)[1] for node in (old, new)] == [0, 1],
               "the box to be followed at the new one alone")
    failing.ask(new, "NOTIFY.EVENT", key, "marker", "NOSTORE")
    tab.expect(type="marker")  # it has been read, too
    ghost = {"type": "read", "key": key, "rev": rev + 1, "unread": 0, "ids": [first]}
    failing.ask(old, "SPUBLISH", key, json.dumps(ghost, separators=(",", ":")))
    assert tab.expect(type="read")["ids"] == [first]
    failing.ask(new, "NOTIFY.MUTE", key, "noise", "NOPUBLISH")
    failing.ask(new, "NOTIFY.SEND", key, "the first of its epoch")
    failing.ask(new, "NOTIFY.SEND", key, "the second")
    said = [tab.recv()["type"] for _ in range(3)]  # what was lost is seen by asking, and may come behind both
    assert sorted(said) == ["changed", "notification", "notification"]
    tabs.close()


def test_while_one_primary_is_away_the_others_serve(programs):
    cluster = Cluster(programs, primaries=3, replicas=0, cluster_require_full_coverage="no")
    bridge = start(programs, url_of(cluster.shards[1][0]))
    users = users_everywhere(cluster, each=1, name="w")
    tabs = Tabs(bridge, users)
    cluster.shards[0][0].kill9()
    bridge.wait_line("event=redis_link_down link=notify-bridge:commands")
    client = cluster.client()
    for user in users[1:]:
        sent = client.call("NOTIFY.SEND", f"inbox:{user}", "hello")
        assert tabs.got(user, 1) == [sent]
        assert tabs.tabs[user].request("mark_read", id=sent)["type"] != "error"
    assert tabs.tabs[users[0]].request("mark_read", id="1-0")["error"]["code"] == "UNAVAILABLE"
    wait_until(lambda: health(bridge)[0] == 200, "its being ready, with most of them")
    cluster.shards[1][0].kill9()
    wait_until(lambda: health(bridge)[0] == 503, "its not being ready")
    for shard in cluster.shards[:2]:
        shard[0].start()
    wait_until(lambda: health(bridge)[0] == 200, "its being ready again", timeout=60)
    client.close()
    tabs.close()


# Servers that say anything.


@pytest.fixture
def fake():
    """Makes servers that say what they are told to."""
    made = []

    def make():
        made.append(FakeNode())
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_two_servers_that_send_commands_to_each_other_are_asked_a_few_times_and_the_client_is_told(fake, programs):
    one, two = fake(), fake()
    one.shards = two.shards = fake_array(fake_shard(0, 16383, fake_node(one.port)))
    for here, there in ((one, two), (two, one)):
        here.answers["NOTIFY.INFO"] = lambda words, at=there: moved(words[1], at)
    bridge = start(programs, one.url)
    with WsClient(bridge.port, "/ws?user=a") as tab:
        tab.expect(type="connection")
        answer = tab.request("unread_count")
        assert answer["type"] == "error" and answer["error"]["code"] == "UNAVAILABLE"
    assert one.asked["NOTIFY.INFO"] + two.asked["NOTIFY.INFO"] == 6
    assert bridge.metrics()['notify_limit_hits_total{limit="cluster-redirections"}'] == 1


def test_two_servers_that_send_channels_to_each_other_do_not_keep_the_bridge_busy(fake, programs):
    one, two = fake(), fake()
    one.shards = two.shards = fake_array(fake_shard(0, 16383, fake_node(one.port)))
    for here, there in ((one, two), (two, one)):
        here.answers["SSUBSCRIBE"] = lambda words, at=there: moved(words[1], at)
    bridge = start(programs, one.url)
    with WsClient(bridge.port, "/ws?user=a"):
        wait_until(lambda: one.asked["SSUBSCRIBE"] >= 6, "its asking again and again")
        before, spent = one.asked["SSUBSCRIBE"] + two.asked["SSUBSCRIBE"], one.asked["CLUSTER"]
        wait_until(lambda: one.asked["CLUSTER"] >= spent + 4, "its asking for the map")
        # Four moves of a slot for each map that was asked for twice, and what is said again after a while.
        assert one.asked["SSUBSCRIBE"] + two.asked["SSUBSCRIBE"] - before < 60


def test_a_server_that_an_asked_for_key_is_sent_on_to_and_that_is_not_there_is_waited_for_not_long(fake, programs):
    one = fake()
    one.answers["NOTIFY.INFO"] = lambda words: fake_error(f"ASK {slot_of(words[1])} 127.0.0.1:{free_port()}")
    bridge = start(programs, one.url)
    with WsClient(bridge.port, "/ws?user=a") as tab:
        tab.expect(type="connection")
        assert tab.request("unread_count")["error"]["code"] == "UNAVAILABLE"


@pytest.mark.parametrize(
    "shards, why",
    [
        (b"+OK\r\n", "no map of slots"),
        (b"*0\r\n", "no server has slots"),
        (b"-ERR none\r\n", "ERR none"),
        ("many", "more than 256 servers have slots"),
        ("far", "no map of slots"),
    ],
)
def test_what_is_no_map_of_slots_is_not_used_and_the_one_before_stays(shards, why, fake, programs):
    one = fake()
    bridge = start(programs, one.url)
    if shards == "many":
        shards = fake_array(*(fake_shard(n, n, fake_node(n + 1)) for n in range(300)))
    if shards == "far":
        shards = fake_array(fake_shard(0, 16384, fake_node(one.port)))
    one.shards = shards
    bridge.wait_line(f"event=cluster_unusable .*{why}", timeout=30)
    with WsClient(bridge.port, "/ws?user=a") as tab:
        assert tab.expect(type="connection")
    assert health(bridge)[0] == 200


def test_a_map_of_an_older_epoch_is_not_believed_as_long_as_there_is_a_newer_one(fake, programs):
    one, two = fake(), fake()
    one.epoch = 7
    bridge = start(programs, one.url)
    one.epoch, one.shards = 6, fake_array(fake_shard(0, 16383, fake_node(two.port)))
    asked = one.asked["CLUSTER"]
    wait_until(lambda: one.asked["CLUSTER"] >= asked + 4, "its asking again", timeout=30)
    assert two.asked["HELLO"] == 0
    wait_until(lambda: two.asked["HELLO"] > 0, "its believing what all say", timeout=30)
    assert bridge.running()
