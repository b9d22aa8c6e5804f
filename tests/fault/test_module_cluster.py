"""The module in a real cluster: who hears what, which keys go together, slots that move and primaries
that change while somebody writes."""

import pytest

from cluster import Cluster, Writer, knows, slot_of, tag_in
from resp import Resp, RespError
from servers import Group, wait_until

from module_helpers import digest


@pytest.fixture
def cluster(programs):
    """For those tests that change it."""
    return Cluster(programs)


@pytest.fixture(scope="module")
def calm():
    """One cluster for all tests that leave slots and roles as they are; use keys of your own."""
    programs = Group()
    yield Cluster(programs)
    programs.close()


def error_on(node, *command):
    with Resp(node.port) as resp, pytest.raises(RespError) as error:
        resp.call(*command)
    return str(error.value)


def key_on(cluster, shard, name="inbox"):
    return f"{name}:{{{tag_in(cluster.slots[shard])}}}"


def end_on(cluster, shard):
    """A channel of the shard, for a Listener's last message."""
    return key_on(cluster, shard, "end")


def types(messages):
    return [message["type"] for message in messages]


# -- publishing


def test_every_node_of_a_keys_shard_hears_each_message_once_and_no_other_does(calm, listen):
    client = calm.client()
    listeners = {}
    for shard, nodes in enumerate(calm.shards):
        for node in nodes:
            key = key_on(calm, shard)
            listeners[node] = listen(node, key, shard=True, end=end_on(calm, shard), via=nodes[0])
    everywhere = [listen(node, *(key_on(calm, n) for n in range(3))) for node in calm.nodes]
    for shard in range(3):
        key = key_on(calm, shard)
        client.call("NOTIFY.SEND", key, f"to {shard}")
        client.call("NOTIFY.READALL", key)
        client.call("NOTIFY.EVENT", key, "typing", "NOSTORE")
        client.call("EVAL", "return redis.call('NOTIFY.SEND', KEYS[1], 'Lua')", 1, key, key=key)
    for listener in listeners.values():
        assert types(listener.messages()) == ["notification", "read", "typing", "notification"]
    for listener in everywhere:
        assert listener.messages() == [], "nothing goes over the unsharded channels"


def test_in_channel_mode_every_node_of_the_cluster_hears_each_message_once(cluster, listen):
    client = cluster.client()
    keys = [key_on(cluster, shard) for shard in range(3)]
    for node in cluster.nodes:
        node.client().config_set("notify.publish", "channel")
    everywhere = [listen(node, *keys) for node in cluster.nodes]
    for key in keys:
        client.call("NOTIFY.SEND", key, "t")
        client.call("NOTIFY.READALL", key)
    for listener in everywhere:
        heard = []

        def all_came():
            heard.extend((one["key"], one["type"]) for one in listener.messages())
            return len(heard) >= 6

        # Messages of different nodes come over different links of the bus.
        wait_until(all_came, "hearing all")
        assert sorted(heard) == sorted((key, kind) for key in keys for kind in ("notification", "read"))


def test_keys_as_a_whole_are_told_of_once_at_every_node_of_their_shard(calm, listen):
    """By the primary: its replicas have the same events, but hear it over the bus."""
    client = calm.client()
    listeners = []
    for shard, nodes in enumerate(calm.shards):
        key, other = key_on(calm, shard, "whole"), key_on(calm, shard, "other")
        listeners += [listen(node, key, other, shard=True, end=end_on(calm, shard), via=nodes[0]) for node in nodes]
    for shard in range(3):
        key, other = key_on(calm, shard, "whole"), key_on(calm, shard, "other")
        client.call("NOTIFY.SEND", key, "t")
        client.call("RENAME", key, other)
        client.call("DEL", other)
    for listener in listeners:
        assert types(listener.messages()) == ["notification", "gone", "changed", "gone"]


def test_a_flush_of_one_node_is_told_to_all_nodes_on_the_plain_control_channel(cluster, listen):
    listeners = [listen(node, "notify:control") for node in cluster.nodes]
    cluster.ask(cluster.shards[1][0], "FLUSHALL")
    for node, listener in zip(cluster.nodes, listeners):
        heard = []
        wait_until(lambda: heard.extend(listener.messages()) or heard, f"{node.name}'s hearing it")
        assert types(heard + listener.messages()) == ["flushed"]


def test_a_replica_answers_readers_and_redirects_writers(calm):
    key = key_on(calm, 1, "reader")
    primary, replica = calm.shards[1]
    calm.client().call("NOTIFY.SEND", key, "t")
    replica.wait_synced()
    with Resp(replica.port) as resp:
        resp.call("READONLY")
        assert resp.call("NOTIFY.UNREAD", key) == 1
        with pytest.raises(RespError, match=f"^MOVED {slot_of(key)} .*:{primary.port}$"):
            resp.call("NOTIFY.SEND", key, "t")
    assert error_on(calm.shards[0][0], "NOTIFY.SEND", key, "t").endswith(f":{primary.port}")


# -- keys that go together


def test_keys_of_several_slots_are_refused_as_a_whole(calm):
    primary = calm.shards[0][0]
    one, other = "many:{%s}" % tag_in(calm.slots[0], "a"), "many:{%s}" % tag_in(calm.slots[0], "b")
    assert slot_of(one) != slot_of(other)
    for command in (
        ["NOTIFY.SINCE", one, "0", other, "0"],
        ["NOTIFY.SENDMANY", "2", one, other, "title"],
        ["NOTIFY.UNREAD", one, "LOGS", "1", other],
        ["NOTIFY.BADGE", one, "LOGS", "1", other],
        ["NOTIFY.FOLLOW", one, other],
        ["NOTIFY.READALL", one, "LOG", other],
    ):
        assert error_on(primary, *command).startswith("CROSSSLOT"), command
    assert Cluster.ask(primary, "EXISTS", one) == 0
    mate = one + ":2"
    assert len(Cluster.ask(primary, "NOTIFY.SENDMANY", "2", one, mate, "title")) == 2
    assert Cluster.ask(primary, "NOTIFY.FOLLOW", one, mate) == 1
    # Which is the other inbox's one notification, sent before the following.
    assert len(Cluster.ask(primary, "NOTIFY.SINCE", one, "0", mate, "0")) > 0


# -- slots that move


def test_a_slot_moves_while_it_is_written_to(cluster):
    tag = tag_in(cluster.slots[0])
    slot = slot_of(tag)
    keys = [f"inbox:{{{tag}}}:{n}" for n in range(6)]
    source, target = cluster.shards[0][0], cluster.shards[1][0]
    client = cluster.client()
    client.call("NOTIFY.SESSION", "OPEN", f"sessions:{{{tag}}}", "s", "c", "LEASE", 600000, key=tag)
    client.call("NOTIFY.FOLLOW", keys[0], f"topic:{{{tag}}}", "FROM", "0")
    client.call("NOTIFY.SEND", f"topic:{{{tag}}}", "for all")
    writer = Writer(cluster, keys[:4])
    late = Writer(cluster, keys[4:], name="late")  # makes its keys while the slot is on the move
    writer.start()
    writer.wait_more()
    cluster.begin_move(slot, source, target)
    late.start()
    for key in keys[:2]:
        cluster.move_keys(source, target, key)
        writer.wait_more()
    late.wait_more()
    assert late.client.asked > 0 and writer.client.asked > 0, "nobody was asked to ask"
    assert error_on(source, "NOTIFY.SENDMANY", "2", keys[0], keys[3], "t").startswith("TRYAGAIN")
    cluster.move_all_keys(slot, source, target)
    writer.wait_more()
    cluster.end_move(slot, source, target)
    writer.wait_more()
    for one in (writer, late):
        one.finish()
        one.check(client)
    assert writer.client.moved > 0
    assert client.call("NOTIFY.SESSION", "COUNT", f"sessions:{{{tag}}}", key=tag) == 1
    assert client.call("PTTL", f"sessions:{{{tag}}}") > 0
    assert client.call("NOTIFY.UNREAD", keys[0], "LOGS", 1, f"topic:{{{tag}}}") > 1
    check_replica(cluster, target, cluster.shards[1][1], keys)


def check_replica(cluster, primary, replica, keys):
    replica.wait_synced()
    here, there = primary.client(), replica.client()
    there.execute_command("READONLY")
    assert digest(there, *keys) == digest(here, *keys)
    assert "0" * 40 not in digest(here, *keys)


def test_a_slot_moves_at_once_while_it_is_written_to(cluster):
    """Valkey 9 sends the slot as an AOF, and then as a stream of what is replicated meanwhile."""
    source, target = cluster.shards[0][0], cluster.shards[1][0]
    if not knows(source, "CLUSTER", "MIGRATESLOTS"):
        pytest.skip("this server moves slots only key by key")
    tag = tag_in(cluster.slots[0])
    slot = slot_of(tag)
    keys = [f"inbox:{{{tag}}}:{n}" for n in range(4)]
    client = cluster.client()
    client.call("NOTIFY.SESSION", "OPEN", f"sessions:{{{tag}}}", "s", "c", "LEASE", 600000, key=tag)
    client.call("NOTIFY.FOLLOW", keys[0], f"topic:{{{tag}}}")
    client.call("NOTIFY.MUTE", keys[1], "quiet")
    for n in range(300):
        client.call("NOTIFY.SEND", keys[1], f"n{n}", "CATEGORY", "quiet" if n % 2 else "loud",
                    "COLLAPSE", f"c{n % 200}", "EX", 5000)  # fmt: skip
    before = digest(source.client(), keys[1])
    writer = Writer(cluster, [keys[0], *keys[2:]])
    writer.start()
    writer.wait_more()
    Cluster.ask(source, "CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", cluster.ids[target])
    wait_until(lambda: cluster.owner_of(slot) is target, "the slot's move", timeout=60)
    writer.wait_more()
    writer.finish()
    writer.check(client)
    assert writer.client.moved > 0
    assert digest(target.client(), keys[1]) == before
    assert client.call("NOTIFY.SESSION", "COUNT", f"sessions:{{{tag}}}", key=tag) == 1
    assert client.call("NOTIFY.CURSORS", keys[0])
    check_replica(cluster, target, cluster.shards[1][1], keys)


# -- primaries that change


def test_a_wanted_failover_under_writers_loses_and_doubles_nothing(cluster, listen):
    tag = tag_in(cluster.slots[2])
    keys = [f"inbox:{{{tag}}}:{n}" for n in range(3)]
    old, new = cluster.shards[2]
    writer = Writer(cluster, keys)
    writer.start()
    writer.wait_more()
    Cluster.ask(new, "CLUSTER", "FAILOVER")
    cluster.wait_role(new, "master")
    cluster.wait_role(old, "slave")
    writer.wait_more()
    cluster.wait_replica(old)
    cluster.wait_agreement()
    listener = listen(old, keys[0], shard=True, end=f"end:{{{tag}}}", via=new)
    writer.finish()
    client = cluster.client()
    client.call("NOTIFY.READALL", keys[0])
    writer.check(client)
    assert types(listener.messages())[-1] == "read"
    assert writer.client.moved > 0
    check_replica(cluster, new, old, keys)


def test_what_a_replica_has_confirmed_survives_the_death_of_its_primary(cluster):
    tag = tag_in(cluster.slots[0])
    keys = [f"inbox:{{{tag}}}:{n}" for n in range(3)]
    old, new = cluster.shards[0]
    writer = Writer(cluster, keys, wait_replicas=1)
    writer.start()
    writer.wait_more()
    old.kill9()
    cluster.wait_role(new, "master")
    # Alone now, it cannot confirm: the old one comes back, as its replica.
    old.start()
    cluster.wait_replica(old)
    writer.wait_more()
    writer.finish()
    writer.check()
    assert writer.retries > 0
    check_replica(cluster, new, old, keys)
