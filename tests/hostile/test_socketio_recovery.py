"""Connection state recovery and offsets in the hands of those who bring what was never theirs: nobody gets anybody's messages or id by them."""

import itertools
import json

import pytest

from servers import wait_until
from socketio_peer import CONNECT, CONNECT_ERROR, Poller, SocketIo
from tokens import SECRET, claims, hs, token

numbers = itertools.count()


@pytest.fixture(scope="module")
def server(session_programs):
    return session_programs.redis(name="recovery-redis")


@pytest.fixture(scope="module")
def door(session_programs, server):
    return session_programs.bridge(server, "--auth", "jwt", "--jwt-secret", SECRET, "--log-level", "debug", name="recovery-bridge")


@pytest.fixture
def come(door):
    """come("ann", **auth) answers CONNECT with auth and a good token of hers."""
    clients = []

    def come_in(user, **auth):
        clients.append(SocketIo(door.port, {"token": token(user), **auth}))
        return clients[-1]

    yield come_in
    for client in clients:
        client.cut()


def new_user():
    return f"r{next(numbers)}"


def offset_of(packet_data):
    assert len(packet_data) == 3 and isinstance(packet_data[2], str), packet_data
    return packet_data[2]


def had_and_left(come, server, user):
    """Somebody has had one message and lost his connection; returns his sid, pid and offset."""
    client = come(user, recovery=True)
    client.expect("connected")
    server.client().execute_command("NOTIFY.SEND", f"inbox:{user}", "had")
    had = client.take(lambda p: p.type == "2" and p.data[0] == "notification", "notification")
    client.cut()
    key = f"sio:{{{client.pid}}}"
    wait_until(lambda: server.client().exists(key), "the state of who has left")
    return client.sid, client.pid, offset_of(had.data), key


def heard(client):
    """Titles of what it was sent, up to now."""
    client.call("ping")
    return [p.data[1]["title"] for p in client.kept if p.type == "2" and p.data[0] == "notification"]


def test_who_comes_back_is_who_he_was_and_gets_what_he_missed_once(come, server):
    user = new_user()
    sid, pid, offset, _ = had_and_left(come, server, user)
    server.client().execute_command("NOTIFY.SEND", f"inbox:{user}", "missed")
    client = come(user, recovery=True, pid=pid, offset=offset)
    assert (client.sid, client.pid) == (sid, pid)
    wait_until(lambda: heard(client) == ["missed"], "what was missed")
    assert heard(client) == ["missed"]


def test_nobody_is_recovered_as_somebody_else(come, server):
    victim, mallory = new_user(), new_user()
    sid, pid, offset, _ = had_and_left(come, server, victim)
    server.client().execute_command("NOTIFY.SEND", f"inbox:{victim}", "secret")
    client = come(mallory, recovery=True, pid=pid, offset=offset)
    assert client.reply.type == CONNECT and client.sid != sid and client.pid != pid
    assert client.expect("connected")["user_id"] == mallory
    server.client().execute_command("NOTIFY.SEND", f"inbox:{victim}", "secret, too")
    assert heard(client) == []


def test_a_state_serves_once(come, server):
    user = new_user()
    sid, pid, offset, _ = had_and_left(come, server, user)
    first = come(user, recovery=True, pid=pid, offset=offset)
    second = come(user, recovery=True, pid=pid, offset=offset)
    assert first.sid == sid and second.sid != sid and second.pid != pid


PIDS = ["", "x", "A" * 20, "A" * 4000, "}" * 20, "*" * 20, "ä" * 10, "{x}:all:::::::::::::::"[:20], 7, None, [], {}, True]


@pytest.mark.parametrize("pid", PIDS, ids=repr)
def test_a_pid_that_nobody_was_given_begins_anew(pid, come, server):
    user = new_user()
    _, _, offset, key = had_and_left(come, server, user)
    client = come(user, recovery=True, pid=pid, offset=offset)
    assert client.reply.type == CONNECT and client.pid != pid
    assert client.expect("connected")["user_id"] == user
    assert server.client().exists(key)  # nobody else's is taken


OFFSETS = ["", "x", "0-0", "1-1", "A" * 44, "A" * 30000, "\x1e", "9" * 400, "AQ", 7, None, [], True, {"inbox:other": "0-0"}]


@pytest.mark.parametrize("offset", OFFSETS, ids=repr)
def test_an_offset_that_nobody_was_given_shows_nothing_of_others(offset, come, server):
    user, other = new_user(), new_user()
    _, pid, _, _ = had_and_left(come, server, user)
    server.client().execute_command("NOTIFY.SEND", f"inbox:{other}", "secret")
    if isinstance(offset, dict):
        offset = {f"inbox:{other}": "0-0"}
    client = come(user, recovery=True, pid=pid, offset=offset)
    if client.reply.type == CONNECT_ERROR:
        assert client.reply.data["message"]
        return
    client.expect("connected")
    assert "secret" not in heard(client)


def test_an_offset_of_somebody_else_is_none_of_ours(come, server):
    victim, mallory = new_user(), new_user()
    _, _, offset, _ = had_and_left(come, server, victim)
    server.client().execute_command("NOTIFY.SEND", f"inbox:{victim}", "secret")
    client = come(mallory, offset=offset)
    client.expect("connected")
    assert heard(client) == []


NOT_STATES = [
    b"",
    b"x",
    b"{}",
    b"[]",
    b"\xff\xfe",
    b"[" * 100000,
    b'{"v":1}',
    b'{"v":2,"id":"x"}',
    lambda state: json.dumps({**state, "v": 99}),
    lambda state: json.dumps({**state, "id": "x"}),
    lambda state: json.dumps({**state, "id": '"}]\x1e41"}]12345678'}),
    lambda state: json.dumps({**state, "pid": "x" * 4000}),
    lambda state: json.dumps({**state, "user": "somebody"}),
    lambda state: json.dumps({**state, "keys": [*state["keys"], ["inbox:somebody", "0-0", None]]}),
    lambda state: json.dumps({**state, "keys": [[f"topic:{n}", "0-0", None] for n in range(5000)]}),
    lambda state: json.dumps({**state, "keys": [7, None, [], [[]], ["x"]]}),
    lambda state: json.dumps({**state, "keys": {"a": 1}}),
    lambda state: json.dumps({**state, "chosen": {"joined": ["security"] * 1000, "left": 7}}),
    lambda state: json.dumps({**state, "auth": {"token": token("somebody")}}),
    lambda state: json.dumps({**state, "greeted": 7, "marks": "x"}),
]


@pytest.mark.parametrize("which", range(len(NOT_STATES)))
def test_a_state_that_somebody_has_tampered_with_gives_nobody_anything(which, come, server, door):
    redis = server.client()
    redis.execute_command("NOTIFY.SEND", "inbox:somebody", "secret")
    user = new_user()
    _, pid, offset, key = had_and_left(come, server, user)
    state = NOT_STATES[which]
    redis.set(key, state(json.loads(redis.get(key))) if callable(state) else state)
    client = come(user, recovery=True, pid=pid, offset=offset)
    assert client.reply.type == CONNECT, client.reply
    assert client.expect("connected")["user_id"] == user
    redis.execute_command("NOTIFY.SEND", f"inbox:{user}", "mine")
    wait_until(lambda: "mine" in heard(client), "what comes now")
    redis.execute_command("NOTIFY.SEND", "inbox:somebody", "secret, too")
    assert not [title for title in heard(client) if title.startswith("secret")]


def test_a_state_that_is_larger_than_it_may_be_is_none(come, server, door):
    user = new_user()
    sid, pid, offset, key = had_and_left(come, server, user)
    redis, before = server.client(), hits(door)
    redis.set(key, redis.get(key)[:-1] + ',"x":"' + "x" * 131072 + '"}')
    client = come(user, recovery=True, pid=pid, offset=offset)
    assert client.expect("connected")["user_id"] == user
    assert client.sid != sid and hits(door) == before + 1


def hits(door):
    return door.metrics()['notify_limit_hits_total{limit="recovery-state-bytes"}']


@pytest.mark.parametrize("come_by", ["polling", "websocket"])
def test_what_else_a_client_says_of_itself_as_it_joins_is_not_kept(come_by, server, door):
    """However much it is, and however deep: 64 KiB of it were megabytes of memory for each connection."""
    redis, user = server.client(), new_user()
    auth = {"token": token(user), "recovery": True, "junk": [[]] * 9000, "pid": [{}] * 1000}
    if come_by == "polling":
        client = Poller((door.port,), auth)
        key = f"eio:{{{client.handshake['sid']}}}"
    else:
        client = SocketIo(door.port, auth)
        key = f"sio:{{{client.pid or client.reply.data['pid']}}}"
    client.expect("connected")
    if come_by == "websocket":
        client.cut()
    wait_until(lambda: redis.exists(key), "its state")
    state = redis.hget(key, "s") if come_by == "polling" else redis.get(key)
    assert token(user).split(".", maxsplit=1)[0] in state
    assert "junk" not in state and "[[]" not in state and "[{}" not in state and len(state) < 2000


def test_a_key_of_another_type_is_no_state(come, server):
    user = new_user()
    _, pid, offset, key = had_and_left(come, server, user)
    redis = server.client()
    redis.delete(key)
    redis.lpush(key, "x")
    client = come(user, recovery=True, pid=pid, offset=offset)
    assert client.reply.type == CONNECT and client.pid != pid
    client.expect("connected")
    redis.delete(key)


def test_no_secret_of_a_client_stands_in_the_log_or_in_the_metrics(come, server, door):
    """Its token wherever it stands, the id of its session below, and the name by which it is recovered."""
    good, bad = token(new_user()), hs(claims("nobody"), secret="x" * 40)
    by_query = SocketIo(door.port, query={"token": good})
    refused = SocketIo(door.port, {"token": bad})
    assert refused.reply.type == CONNECT_ERROR and bad not in refused.reply.text
    client = come(new_user(), recovery=True)
    for each in (by_query, client):
        each.expect("connected")
        each.emit("auth", {"token": bad}, ack=7)
        each.say("x" + good)
        each.wait_closed()
    secrets = [part[:40] for one in (good, bad) for part in one.split(".")[1:]]
    secrets += [each.handshake["sid"] for each in (by_query, refused, client)] + [client.pid]
    last = new_user()  # what is logged is read by a thread: up to here, it has been
    come(last).expect("connected")
    door.wait_line(f"event=client_known .*{last}")
    for secret in secrets:
        assert not [line for line in door.lines if secret in line]
        assert not [name for name in door.metrics() if secret in name]
