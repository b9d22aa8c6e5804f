"""A client of Socket.IO between two polls, each of which another bridge answers: what it was it still is, and nothing of it
makes it anybody else."""

import json
import time

import pytest

from bridge_helpers import Stand, new_name
from servers import at_some_pace, change_roles, wait_until
from socketio_peer import ACK, CONNECT, DISCONNECT, EVENT, Packet, Poller
from tokens import SECRET, token
from ws_client import WsClient

ROLES = """
role *
  categories  system
  permitted   maintenance
  subscribe   *
  sessions    *
"""


class PollingStand(Stand):
    """Two bridges before one Redis."""

    def begin(self):
        self.second = self.bridge(self.server, *self.daemon.args, name="bridge-2")
        return self

    def poller(self, auth, **options):
        """Greeted; each of its requests goes to the other bridge than the one before."""
        client = Poller((self.daemon.port, self.second.port), auth, **options)
        self.tabs.append(client)
        assert client.reply.type == CONNECT, client.reply
        client.connected = client.expect("connected")
        return client

    def close_tabs(self):
        while self.tabs:
            self.tabs.pop().close()


@pytest.fixture(scope="module")
def open_stand():
    stand = PollingStand().begin()
    yield stand
    stand.close_tabs()
    stand.close()


@pytest.fixture
def stand(open_stand):
    yield open_stand
    open_stand.close_tabs()


@pytest.fixture(scope="module")
def jwt_stand_of_file(tmp_path_factory):
    roles = tmp_path_factory.mktemp("state") / "roles.conf"
    roles.write_text(ROLES)
    stand = PollingStand("--auth", "jwt", "--jwt-secret", SECRET, "--roles", str(roles), "--jwt-leeway", "0s").begin()
    stand.roles_file = roles
    yield stand
    stand.close_tabs()
    stand.close()


@pytest.fixture
def jwt_stand(jwt_stand_of_file):
    yield jwt_stand_of_file
    jwt_stand_of_file.close_tabs()


def test_subscriptions_stay_and_nothing_comes_twice(stand):
    user, session = new_name(), new_name("s")
    client = stand.poller({"user": user})
    assert client.call("subscribe_session", {"session_id": session})["type"] == "subscribed"
    for n in range(5):
        stand.send(f"inbox:{user}", f"inbox {n}")
        stand.send(f"session:{session}", f"session {n}")
    titles = [client.expect("notification")["title"] for _ in range(10)]
    assert [t for t in titles if t.startswith("inbox")] == [f"inbox {n}" for n in range(5)]
    assert [t for t in titles if t.startswith("session")] == [f"session {n}" for n in range(5)]
    assert client.events() == []
    assert client.call("unsubscribe_session", {"session_id": session})["type"] == "unsubscribed"
    stand.send(f"session:{session}", "too late")
    assert client.events() == []


def test_it_is_greeted_once(stand):
    client = stand.poller({"user": new_name()})
    for _ in range(4):
        assert client.call("ping")["type"] == "pong"
    assert client.events() == []


def test_each_of_many_events_at_once_is_acknowledged_once(stand):
    client = stand.poller({"user": new_name()})
    for at in range(20):
        client.emit("subscribe", {"topic": new_name("t")}, ack=100 + at)
    replies = [client.take(lambda p: p.type == ACK, "acknowledgement") for _ in range(20)]
    assert sorted(int(r.id) for r in replies) == list(range(100, 120))
    assert {r.data[0]["type"] for r in replies} == {"subscription"}
    assert client.events() == []


def test_categories_that_were_chosen_stay_chosen(jwt_stand):
    client = jwt_stand.poller({"token": token(new_name())})
    assert client.call("subscribe_category", {"category": "maintenance"})["status"] == "subscribed"
    jwt_stand.send("topic:all", "m", "CATEGORY", "maintenance")
    jwt_stand.send("topic:all", "hidden", "CATEGORY", "security")
    assert client.expect("notification")["title"] == "m"
    client.call("unsubscribe_category", {"category": "system"})
    jwt_stand.send("topic:all", "s", "CATEGORY", "system")
    jwt_stand.send("topic:all", "m2", "CATEGORY", "maintenance")
    assert client.expect("notification")["title"] == "m2"
    assert client.events() == []


def test_what_nobody_had_seen_comes_once_and_is_seen_when_it_leaves(jwt_stand):
    user = new_name()
    first = jwt_stand.poller({"token": token(user)})
    first.close()
    jwt_stand.tabs.remove(first)
    jwt_stand.send(f"inbox:{user}", "unseen")
    second = jwt_stand.poller({"token": token(user)})
    assert second.expect("notification")["title"] == "unseen"
    assert [e for e in second.events() if e[0] != "seen"] == []  # which tells all devices
    second.close()
    jwt_stand.tabs.remove(second)
    third = jwt_stand.poller({"token": token(user)})
    assert [e for e in third.events() if e[0] != "seen"] == []


def test_the_end_of_a_token_is_told_once_and_comes(jwt_stand):
    def is_told_once(lasts_s):
        client = jwt_stand.poller({"token": token("ann", seconds=lasts_s)})
        client.expect("token_expiring")
        for _ in range(3):
            assert client.call("ping")["type"] == "pong"
        assert [e for e in client.kept if e.type == EVENT and e.data[0] == "token_expiring"] == []
        assert client.expect("disconnected")["reason"]
        client.take(lambda p: p.type == DISCONNECT, "disconnect")

    at_some_pace(is_told_once, 4, doublings=3)


def test_a_token_that_was_renewed_is_the_one_that_counts_from_then_on(jwt_stand):
    def is_renewed(lasts_s):
        client = jwt_stand.poller({"token": token("ann", seconds=lasts_s)})
        assert client.call("auth", {"token": token("ann", seconds=600)})["type"] == "authenticated"
        time.sleep(lasts_s)  # nothing can be waited for: that nothing happens
        for _ in range(3):
            assert client.call("ping")["type"] == "pong"
        assert [e for e in client.kept if e.type == EVENT and e.data[0] == "disconnected"] == []

    at_some_pace(is_renewed, 5, doublings=3)


def test_who_sends_too_much_is_not_let_off_by_another_poll(programs, redis_server):
    options = ("--message-rate", "1", "--message-burst", "5")
    ports = [programs.bridge(redis_server, *options, name=f"bridge-{n}").port for n in (1, 2)]
    began = time.monotonic()
    client = Poller(ports, {"user": "ann"})
    client.expect("connected")
    answers = []
    for _ in range(2):  # each is for the other bridge than the one before
        client.say("\x1e4".join(f'2{n}["ping"]' for n in range(12)))
        answers += [client.take(lambda p: p.type == ACK, "acknowledgement").data[0]["type"] for _ in range(12)]
    assert 4 <= answers.count("pong") <= 6 + time.monotonic() - began, answers
    client.close()


def test_a_right_that_is_lost_between_two_polls_is_lost(jwt_stand):
    client = jwt_stand.poller({"token": token(new_name())})
    assert client.call("subscribe", {"topic": "secret"})["status"] == "subscribed"
    wait_until(lambda: jwt_stand.call("EXISTS", "eio:{%s}" % client.handshake["sid"]) == 1, "it is between two polls")
    bridges = (jwt_stand.daemon, jwt_stand.second)
    change_roles(jwt_stand.roles_file, ROLES.replace("subscribe   *", "subscribe   other"), *bridges)
    jwt_stand.send("topic:secret", "not for it")
    assert client.expect("error")["code"] == "FORBIDDEN"
    assert client.events() == []
    change_roles(jwt_stand.roles_file, ROLES, *bridges)


# -- over to a WebSocket


def upgrade(stand, client, say):
    """The WebSocket that the session goes over, once say() has said what is to be in its box then."""
    ws = WsClient(stand.daemon.port, f"/socket.io/?EIO=4&transport=websocket&sid={client.handshake['sid']}")
    stand.tabs.append(ws)
    ws.send("2probe")
    assert ws.recv_text() == "3probe"
    say()
    ws.send("5")
    return ws


def acks_over(ws, count):
    """Ids of the acknowledgements that come, and whether each says that what was asked for was done."""
    acks = []
    while len(acks) < count:
        text = ws.recv_text()
        if text.startswith("43"):
            packet = Packet(text[1:])
            acks.append((int(packet.id), packet.data[0]["type"]))
    return acks


def test_what_was_said_before_an_upgrade_waits_for_the_token_to_be_judged(jwt_stand):
    client = jwt_stand.poller({"token": token(new_name())})
    ws = upgrade(jwt_stand, client, lambda: [client.say(f'2{n}["ping"]') for n in range(5)])
    assert acks_over(ws, 5) == [(n, "pong") for n in range(5)]


def test_what_was_said_before_an_upgrade_is_asked_no_faster_than_anything_else(stand):
    """More than may be under way at a time, and behind it what is said over the WebSocket."""
    client = stand.poller({"user": new_name()})
    names = [f'2{n}["unread_count"]' for n in range(200)]
    ws = upgrade(stand, client, lambda: client.say("\x1e4".join(names)))
    ws.send('4299999["ping"]')
    assert sorted(acks_over(ws, 201)) == [(n, "unread_count") for n in range(200)] + [(99999, "pong")]


def other_of(stand):
    """Somebody else at the bridge that upgrades, over a plain WebSocket, who has been greeted."""
    ws = WsClient(stand.daemon.port, f"/ws?user={new_name()}")
    stand.tabs.append(ws)
    assert json.loads(ws.recv_text())["type"] == "connection"
    return ws


def test_what_is_answered_to_one_who_upgrades_comes_to_nobody_else(stand):
    others = [other_of(stand) for _ in range(3)]
    client = stand.poller({"user": new_name()})
    ws = upgrade(stand, client, lambda: [client.say(f'2{n}["ping",{{"request_id":"secret"}}]') for n in range(3)])
    for other in others:  # whatever lies about for somebody, whoever asks next would get it
        other.send({"type": "ping"})
        assert json.loads(other.recv_text())["type"] == "pong"
    assert acks_over(ws, 3) == [(n, "pong") for n in range(3)]
