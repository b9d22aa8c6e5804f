"""Connection state recovery of Socket.IO: who has a pid and an offset goes on as what he was, and nobody else."""

import pytest

from bridge_helpers import Stand, new_name
from servers import wait_until
from socketio_peer import CONNECT, EVENT, SocketIo


class RecoveryStand(Stand):
    def socket(self, auth, port=None):
        client = SocketIo(port or self.daemon.port, auth)
        self.tabs.append(client)
        assert client.reply.type == CONNECT
        return client

    def close_tabs(self):
        while self.tabs:
            self.tabs.pop().close()

    def is_kept(self, pid):
        return self.call("EXISTS", "sio:{%s}" % pid) == 1

    def break_off(self, client):
        """Its connection breaks, and the bridge has noticed."""
        client.cut()
        self.tabs.remove(client)
        wait_until(lambda: self.is_kept(client.pid), "the state is kept")


@pytest.fixture(scope="module")
def module_stand():
    stand = RecoveryStand()
    stand.second = stand.bridge(stand.server, name="bridge-2")
    yield stand
    stand.close_tabs()
    stand.close()


@pytest.fixture
def stand(module_stand):
    yield module_stand
    module_stand.close_tabs()


def take_event(client, name):
    """(payload, offset) of the next event of this name, which has both."""
    packet = client.take(lambda p: p.type == EVENT and p.data[0] == name, name)
    assert len(packet.data) == 3 and isinstance(packet.data[2], str), packet
    return packet.data[1], packet.data[2]


def test_without_asking_for_it_there_is_neither_pid_nor_offset(stand):
    user = new_name()
    client = stand.socket({"user": user})
    assert set(client.reply.data) == {"sid"}
    client.expect("connected")
    stand.send(f"inbox:{user}", "x")
    packet = client.take(lambda p: p.type == EVENT and p.data[0] == "notification", "notification")
    assert len(packet.data) == 2


def test_a_broken_connection_goes_on_with_its_ids_its_subscriptions_and_what_it_missed(stand):
    user, session = new_name(), new_name("s")
    client = stand.socket({"user": user, "recovery": True})
    client.expect("connected")
    assert client.call("subscribe_session", {"session_id": session})["type"] == "subscribed"
    stand.send(f"inbox:{user}", "had")
    payload, offset = take_event(client, "notification")
    assert payload["title"] == "had"
    sid, pid = client.sid, client.pid
    stand.break_off(client)
    stand.send(f"inbox:{user}", "missed")
    stand.send(f"session:{session}", "missed too")
    again = stand.socket({"user": user, "recovery": True, "pid": pid, "offset": offset}, port=stand.second.port)
    assert (again.sid, again.pid) == (sid, pid)
    assert {take_event(again, "notification")[0]["title"] for _ in range(2)} == {"missed", "missed too"}
    stand.send(f"session:{session}", "live")
    assert take_event(again, "notification")[0]["title"] == "live"
    assert not stand.is_kept(pid)


def test_what_was_sent_and_never_arrived_comes_again(stand):
    user = new_name()
    client = stand.socket({"user": user, "recovery": True})
    client.expect("connected")
    stand.send(f"inbox:{user}", "one")
    offset = take_event(client, "notification")[1]
    stand.send(f"inbox:{user}", "two")
    take_event(client, "notification")  # which the client says that it has not had
    stand.break_off(client)
    again = stand.socket({"user": user, "recovery": True, "pid": client.pid, "offset": offset})
    assert take_event(again, "notification")[0]["title"] == "two"


def test_somebody_without_a_name_is_who_he_was(stand):
    client = stand.socket({"recovery": True})
    user = client.expect("connected")["user_id"]
    stand.send(f"inbox:{user}", "one")
    offset = take_event(client, "notification")[1]
    stand.break_off(client)
    stand.send(f"inbox:{user}", "two")
    again = stand.socket({"recovery": True, "pid": client.pid, "offset": offset})
    assert (again.sid, again.pid) == (client.sid, client.pid)
    assert again.expect("connected")["user_id"] == user
    assert take_event(again, "notification")[0]["title"] == "two"


def test_another_user_who_knows_the_pid_is_a_new_client(stand):
    user = new_name()
    client = stand.socket({"user": user, "recovery": True})
    client.expect("connected")
    stand.send(f"inbox:{user}", "one")
    offset = take_event(client, "notification")[1]
    stand.break_off(client)
    other = stand.socket({"user": new_name(), "recovery": True, "pid": client.pid, "offset": offset})
    assert other.sid != client.sid and other.pid != client.pid
    assert other.expect("gap")["reason"] == "user"


def test_a_pid_is_good_once_and_without_it_the_offset_still_brings_what_was_missed(stand):
    user = new_name()
    client = stand.socket({"user": user, "recovery": True})
    client.expect("connected")
    stand.send(f"inbox:{user}", "one")
    offset = take_event(client, "notification")[1]
    stand.break_off(client)
    stand.send(f"inbox:{user}", "two")
    auth = {"user": user, "recovery": True, "pid": client.pid, "offset": offset}
    first = stand.socket(auth)
    second = stand.socket(auth)
    assert first.sid == client.sid and second.sid != client.sid
    for one in (first, second):
        assert take_event(one, "notification")[0]["title"] == "two"


@pytest.mark.parametrize("state", ["", "x", "{}", '{"v":2}', "[" * 5000, "\x00\xff"])
def test_a_state_that_is_none_is_a_new_client(stand, state):
    user, pid = new_name(), new_name("p").ljust(20, "x")[:20]
    stand.call("SET", "sio:{%s}" % pid, state)
    client = stand.socket({"user": user, "recovery": True, "pid": pid, "offset": "AQ"})
    assert client.pid != pid
    client.expect("connected")


def test_who_leaves_in_good_order_leaves_nothing_behind(stand):
    client = stand.socket({"user": new_name(), "recovery": True})
    client.expect("connected")
    client.close()
    stand.tabs.remove(client)
    open_now = 'notify_connections{transport="websocket"}'
    wait_until(lambda: stand.daemon.metrics()[open_now] == 0, "it has gone")
    assert not stand.is_kept(client.pid)
