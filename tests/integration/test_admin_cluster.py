"""/admin in front of a real cluster: users, their logs and their sessions lie with different servers."""

import pytest

from cluster import Cluster, slot_of
from rest_client import Rest
from servers import Bridge, wait_until
from test_bridge_cluster import start, url_of, user_in
from ws_client import WsClient


@pytest.fixture(scope="module")
def cluster(session_programs):
    return Cluster(session_programs, primaries=3, replicas=0)


@pytest.fixture
def bridge(cluster, programs):
    return start(programs, url_of(cluster.shards[0][0]), "--session-lease", "60s")


@pytest.fixture
def client(cluster):
    opened = cluster.client()
    yield opened
    opened.close()


def told(answer):
    assert answer.status == 200, answer
    return answer.json


def topic_in(slots):
    return next(f"topic:t{n}" for n in range(10**6) if slot_of(f"topic:t{n}") in slots)


def user_of(bridge, name):
    return told(Rest(bridge.port).get("/admin/user", user_id=name))


def test_the_state_says_that_all_is_up(bridge):
    counters = wait_until(lambda: (now := told(Rest(bridge.port).get("/admin/state"))["counters"])["notify_ready"] and now, "being ready")
    workers = counters["notify_workers"]
    for name in ('notify_redis_link_up{link="subscriber"}', 'notify_redis_link_up{link="commands"}', "notify_module_up", "notify_tokens_up"):
        assert counters[name] == workers, name


@pytest.mark.parametrize("shard", [0, 1, 2])
def test_a_user_is_told_of_with_logs_of_every_server(cluster, bridge, client, shard):
    user = user_in(cluster.slots[shard], f"w{shard}")
    logs = [topic_in(slots) for slots in cluster.slots]
    for n, log in enumerate(logs):
        client.call("NOTIFY.FOLLOW", f"inbox:{user}", log, "FROM", "0", "BYNAME")
        for _ in range(n + 1):
            client.call("NOTIFY.SEND", log, "for all")
    client.call("NOTIFY.SEND", f"inbox:{user}", "one", "CATEGORY", "ci")
    lengths = [client.call("NOTIFY.LEN", log) for log in logs]
    answer = user_of(bridge, user)
    assert answer["faults"] == {}
    assert (answer["box"]["unread"], answer["recount"]) == (1, {"sound": True, "unread": 1})
    assert {one["log"]: one.get("unread") for one in answer["logs"]} == dict(zip(logs, lengths))


@pytest.mark.parametrize("shard", [0, 1, 2])
def test_a_test_is_sent_and_sessions_are_kicked_whichever_server_has_the_user(cluster, bridge, client, shard):
    user = user_in(cluster.slots[shard], f"k{shard}")
    rest = Rest(bridge.port)
    with WsClient(bridge.port, f"/ws/one?user={user}") as one, WsClient(bridge.port, f"/ws/two?user={user}") as two:
        for tab in (one, two):
            tab.expect(type="connection")
        sent = told(rest.post("/admin/send", {"user_id": user, "title": "Hello", "level": "critical"}))["id"]
        for tab in (one, two):
            assert tab.expect(type="notification")["id"] == sent
        assert sorted(row["session"] for row in user_of(bridge, user)["sessions"]) == ["one", "two"]
        assert told(rest.post("/admin/kick", {"user_id": user, "session_id": "one"}))["changed"] == 1
        assert one.wait_closed().code == 4410
        assert [row["session"] for row in user_of(bridge, user)["sessions"]] == ["two"]
        assert told(rest.post("/admin/kick", {"user_id": user}))["changed"] == 1
        assert two.wait_closed().code == 4410


def test_a_session_at_another_bridge_is_listed_and_kicked(cluster, bridge, programs):
    other = start(programs, url_of(cluster.shards[1][0]), "--session-lease", "60s")
    user = user_in(cluster.slots[2], "o")
    with WsClient(other.port, f"/ws/far?user={user}") as tab:
        tab.expect(type="connection")
        assert [row["session"] for row in user_of(bridge, user)["sessions"]] == ["far"]
        assert told(Rest(bridge.port).post("/admin/kick", {"user_id": user}))["changed"] == 1
        assert tab.wait_closed().code == 4410


def test_where_a_server_is_away_the_rest_of_a_user_is_told(programs):
    cluster = Cluster(programs, primaries=3, replicas=0, cluster_require_full_coverage="no")
    bridge = start(programs, url_of(cluster.shards[0][0]), "--session-lease", "60s")
    client = cluster.client()
    user, gone = user_in(cluster.slots[0], "g"), topic_in(cluster.slots[2])
    near = topic_in(cluster.slots[0])
    for log in (near, gone):
        client.call("NOTIFY.FOLLOW", f"inbox:{user}", log, "FROM", "0", "BYNAME")
        client.call("NOTIFY.SEND", log, "for all")
    client.close()
    cluster.shards[2][0].kill9()
    bridge.wait_line("event=redis_link_down")
    answer = user_of(bridge, user)
    assert answer["box"]["unread"] == 0
    assert {one["log"] for one in answer["logs"]} == {near, gone}
    assert "logs" in answer["faults"] or any(one.get("unread") is None for one in answer["logs"])
    name = next(f"l{n}" for n in range(10**6) if slot_of(f"inbox:l{n}") in cluster.slots[2] and slot_of(f"sessions:l{n}") in cluster.slots[0])
    lost = user_of(bridge, name)
    assert (lost["box"], lost["connections"], list(lost["faults"])) == (None, 0, ["box"])
    both = next(f"b{n}" for n in range(10**6) if {slot_of(f"inbox:b{n}"), slot_of(f"sessions:b{n}")} <= set(cluster.slots[2]))
    assert Rest(bridge.port).get("/admin/user", user_id=both).status == 503
