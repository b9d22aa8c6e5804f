"""statistics: who is connected to one bridge, over WebSocket and HTTP, and for whom; and what /metrics counts of the traffic."""

import functools

import pytest

from bridge_helpers import new_name, wait_ready
from cockpit_helpers import Cockpit
from rest_client import Rest
from servers import change_roles, wait_until
from socketio_peer import SocketIo
from tokens import token

ROLES = "role *\n  presence {user} run:*\n  subscribe *\n  sessions *\n  agent *\nrole admin\n  presence *\nrole guest\n  presence *\n"
PATH = "/api/v1/statistics"
KINDS = ("notify", "topic", "session", "events", "chat", "socketio")


class Watch(Cockpit):
    def __init__(self, folder, *args):
        self.roles = folder / "roles.conf"
        self.roles.write_text(ROLES)
        super().__init__("--roles", str(self.roles), "--anonymous-role", "guest", *args)

    def rest(self, *roles, at=0):
        return Rest(self.bridges[at].port, token=token("root", roles=list(roles)))

    def asked(self, at=0, **query):
        answer = self.rest("admin", at=at).get(PATH, **query)
        assert answer.status == 200, answer
        return answer.json


@pytest.fixture(scope="module")
def shared_stand(tmp_path_factory):
    group = Watch(tmp_path_factory.mktemp("watch"))
    yield group
    group.close()


@pytest.fixture
def watch(make_stand, tmp_path):
    return functools.partial(make_stand, tmp_path, kind=Watch)()


def test_connections_users_and_sessions_are_counted_apart_on_each_bridge(watch):
    assert watch.asked(list="true") | {"node": "x", "channels": 0} == {
        "type": "statistics", "node": "x", "connections": 0, "streams": 0, "users": 0, "sessions": 0, "channels": 0,
        "clients": dict.fromkeys(KINDS, 0), "subscriptions": 0, "agent_requests_waiting": 0,
        "notification_service_connected": True, "redis": {"subscriber": True, "commands": True}, "list": [],
    }
    alice = [watch.talk("alice", session) for session in ("one", "one", "two")]
    watch.talk("bob", "one")
    watch.talk("bob", "elsewhere", at=1)
    here = watch.asked(list="true")
    assert (here["connections"], here["users"], here["sessions"]) == (4, 2, 3)
    rows = {(row["session_id"], row["user_id"]): row["connections"] for row in here["list"]}
    assert rows == {("one", "alice"): 2, ("two", "alice"): 1, ("one", "bob"): 1} and "more" not in here
    there = watch.asked(at=1)
    assert (there["connections"], there["users"], there["sessions"]) == (1, 1, 1) and "list" not in there
    assert here["node"] != there["node"] and here["channels"] >= 1
    alice[0].send({"type": "message", "message": "Hi"})
    wait_until(lambda: watch.asked()["agent_requests_waiting"] == 1, "it waits")
    for tab in alice:
        tab.close()
    wait_until(lambda: watch.asked()["connections"] == 1, "they have gone")
    assert (watch.asked()["users"], watch.asked()["sessions"]) == (1, 1)


def test_over_a_websocket_it_is_the_same(stand):
    tab = stand.tab(f"/ws/watcher?token={token('root', roles=['admin'])}")
    assert tab.request("statistics", list=True)["list"] == [{"session_id": "watcher", "user_id": "root", "connections": 1}]
    assert tab.request("statistics")["sessions"] == 1
    assert tab.request("statistics", list=7)["error"]["details"] == {"member": "list"}


def test_only_who_may_see_everybody_may_ask(stand, user):
    tab = stand.talk(user)
    lacking = {"member": "type", "right": "presence", "name": "*"}
    error = tab.request("statistics")["error"]
    assert (error["code"], error["details"]) == ("FORBIDDEN", lacking)
    for rest in (stand.rest(), stand.rest("another")):
        answer = rest.get(PATH)
        assert (answer.status, answer.json["error"]["details"]) == (403, lacking)
    assert Rest(stand.daemon.port).get(PATH).status == 401, "whatever a guest may"


def test_a_user_who_is_called_like_everybody_sees_himself_alone(stand):
    """{user} stands for one name."""
    assert Rest(stand.daemon.port, token=token("*")).get(PATH).status == 403
    assert Rest(stand.daemon.port, token=token("*")).get("/api/v1/sessions/*").status == 200


def test_a_right_that_is_lost_counts_at_once(watch):
    tab = watch.tab(f"/ws?token={token('root', roles=['admin'])}")
    assert tab.request("statistics")["type"] == "statistics"
    change_roles(watch.roles, ROLES.replace("role admin\n  presence *", "role admin\n  presence run:*"), *watch.bridges)
    assert tab.request("statistics")["error"]["code"] == "FORBIDDEN"


def test_of_very_many_sessions_the_list_holds_some_and_says_so(watch):
    for n in range(520):
        watch.talk(f"user{n}" + "u" * 110)
    answer = watch.asked(list="true")
    assert (answer["users"], answer["sessions"], answer["more"]) == (520, 520, True)
    assert 200 < len(answer["list"]) < 520 and len({row["user_id"] for row in answer["list"]}) == len(answer["list"])


def test_that_redis_is_away_is_in_it(watch):
    tab = watch.tab(f"/ws?token={token('root', roles=['admin'])}")
    watch.server.kill9()
    wait_until(lambda: tab.request("statistics")["redis"] == {"subscriber": False, "commands": False}, "both links are down")
    assert tab.request("statistics")["notification_service_connected"] is False
    assert watch.asked()["redis"] == {"subscriber": False, "commands": False}
    watch.server.start()
    wait_ready(watch)
    assert tab.request("statistics")["redis"] == {"subscriber": True, "commands": True}


def test_clients_are_counted_by_what_they_speak_and_what_they_follow(watch):
    """Whoever leaves takes all of it along."""
    admin = token("root", roles=["admin"])
    canonical = watch.tab(f"/ws?protocol=notify.v1&token={admin}")
    topic = watch.tab(f"/ws?token={admin}&topics=a,b,c")
    watch.talk("alice", "one")
    answer = watch.asked()
    assert answer["clients"] == {**dict.fromkeys(KINDS, 0), "notify": 1, "topic": 1, "session": 1}
    before = answer["subscriptions"]
    topic.request("unsubscribe", topic="b")
    assert watch.asked()["subscriptions"] == before - 1
    topic.close()
    wait_until(lambda: watch.asked()["clients"]["topic"] == 0, "it has gone")
    # The other two follow an inbox and topic:all each, and one of them the log of its session.
    assert watch.asked()["subscriptions"] == 5
    metrics = watch.daemon.metrics()
    assert metrics['notify_clients{kind="session"}'] == 1 and metrics["notify_subscriptions"] == 5
    canonical.close()


def test_what_was_seen_and_read_is_counted_whoever_asks_for_it_and_however(watch):
    tab = watch.tab(f"/ws?token={token('alice')}")
    ids = [watch.send("inbox:alice") for _ in range(6)]
    for _ in ids:
        tab.expect(type="notification")
    marked = "notify_notifications_marked_total"

    def counts():
        metrics = watch.daemon.metrics()
        return metrics[f'{marked}{{state="seen"}}'], metrics[f'{marked}{{state="read"}}']

    assert counts() == (0, 0)
    tab.request("mark_seen", upto=ids[3])
    assert counts() == (4, 0)
    tab.request("mark_read", id=ids[0])
    tab.request("mark_read", id=ids[0])  # changes nothing
    assert counts() == (4, 1)
    rest = Rest(watch.daemon.port, token=token("alice"))
    assert rest.call("PATCH", f"/api/v1/notifications/{ids[1]}/read").status == 200
    tab.request("action_done", id=ids[2])
    assert counts() == (4, 3)
    tab.request("mark_all_read")
    assert counts() == (4, 6)
    tab.request("archive", id=ids[5])
    assert counts() == (4, 6)


def test_each_bridge_says_its_statistics_as_an_event_for_those_who_may_follow_that(make_stand, tmp_path):
    roles = ROLES.replace("  subscribe *\n", "  subscribe run:*\n") + "role operator\n  subscribe statistics\n"
    stand = make_stand(tmp_path, "--statistics-interval", "200ms", kind=Watch)
    change_roles(stand.roles, roles, *stand.bridges)
    tab = stand.tab(f"/ws?token={token('root', roles=['operator'])}")
    tab.request("subscribe", topic="statistics")
    heard = {}

    def both():
        event = tab.expect(type="statistics")
        heard[event["data"]["node"]] = event["data"]
        return len(heard) == len(stand.bridges)

    wait_until(both, "each bridge has said it")
    assert sum(data["connections"] for data in heard.values()) == 1
    assert all(data["notification_service_connected"] and data["clients"].keys() == set(KINDS) for data in heard.values())
    assert stand.call("NOTIFY.LEN", "topic:statistics") == len(stand.bridges), "the newest of each is kept"
    user = stand.tab(f"/ws?token={token('alice')}")
    assert user.request("subscribe", topic="statistics")["error"]["code"] == "FORBIDDEN"


def test_over_socketio_statistics_are_asked_for_and_heard_as_events_and_its_clients_are_counted(make_stand):
    stand = make_stand("--statistics-interval", "200ms")
    client = SocketIo(stand.daemon.port)
    try:
        counts = dict.fromkeys(KINDS, 0) | {"socketio": 1}
        assert client.call("statistics")["clients"] == counts
        client.emit("statistics")
        assert client.expect("statistics")["clients"] == counts
        client.call("subscribe", {"topic": "statistics"})
        event = client.expect("statistics", key="topic:statistics")
        assert event["clients"] == counts and event["subscriptions"] > 0 and event["notification_service_connected"] is True
        assert stand.daemon.metrics()['notify_clients{kind="socketio"}'] == 1
    finally:
        client.close()
    wait_until(lambda: stand.daemon.metrics()['notify_clients{kind="socketio"}'] == 0, "it has gone")


def test_metrics_count_messages_deliveries_and_errors_by_code(watch):
    metrics = watch.daemon.metrics
    tab = watch.talk(new_name())
    before = metrics()
    for _ in range(5):
        assert tab.request("nonsense")["error"]["code"] == "UNKNOWN_TYPE"
    assert watch.rest().get("/api/v1/notifications", page="x").error == "INVALID_FIELD"
    tab.send({"type": "ping"})
    tab.expect(type="pong")
    for _ in range(3):
        watch.send("topic:all")
        tab.expect(type="notification")
    after = metrics()

    def rise(name):
        return after[name] - before[name]

    assert rise("notify_messages_received_total") == 6
    assert rise('notify_errors_total{code="UNKNOWN_TYPE"}') == 5 and rise('notify_errors_total{code="INVALID_FIELD"}') == 1
    assert rise("notify_events_delivered_total") == 3
    assert sum(after[name] - before[name] for name in after if name.startswith("notify_errors_total")) == 6
