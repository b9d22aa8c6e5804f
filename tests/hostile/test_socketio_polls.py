"""Peers of Socket.IO that keep no rules, over polling: what they say ends their own session at most, nobody learns or forges another's, and
neither the bridge nor Redis holds more for them than it may."""

import http.client
import json
import os
import threading
import time

import pytest

from patience import WAIT_TIMEOUT_S, OnlyPings
from servers import wait_until
from socketio_peer import SocketIo
from ws_client import Refused, WsClient

MAX_PAYLOAD = 65536
OPTIONS = ("--max-message-bytes", str(MAX_PAYLOAD), "--socketio-ping-interval", "3s", "--socketio-ping-timeout", "5s", "--log-level", "debug")
UNKNOWN = b'{"code":1,"message":"Session ID unknown"}'
SEPARATOR = "\x1e"


@pytest.fixture(scope="module")
def server(session_programs):
    return session_programs.redis(name="polling-redis")


@pytest.fixture(scope="module")
def door(session_programs, server):
    return session_programs.bridge(server, *OPTIONS, name="polling-bridge")


class Polling:
    """A session, request by request, each over a connection of its own."""

    def __init__(self, port, user=None):
        self.port = port
        self.turn = 0
        self.only_pings = OnlyPings()
        self.sid = None
        status, body = self.ask("GET")
        assert status == 200 and body[:1] == b"0", (status, body)
        self.sid = json.loads(body[1:])["sid"]
        if user:
            assert self.post(b"40" + json.dumps({"user": user}).encode()) == (200, b"ok")
            self.until("connected")

    def ask(self, method, body=None, headers=(), sid=None, abort=False):
        self.turn += 1
        path = f"/socket.io/?EIO=4&transport=polling&t={self.turn}"
        sid = self.sid if sid is None else sid
        if sid is not None:
            path += f"&sid={sid}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_TIMEOUT_S)
        try:
            connection.request(method, path, body, dict(headers))
            if abort:
                return None
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def get(self):
        return self.ask("GET")

    def post(self, body, **headers):
        return self.ask("POST", body, {"Content-Type": "text/plain;charset=UTF-8", **headers})

    def packets(self):
        """Of one poll; a ping is answered."""
        status, body = self.get()
        assert status == 200 and body, (status, body)
        packets = body.decode().split(SEPARATOR)
        assert len(packets) <= 16
        self.only_pings.heard(set(packets) <= set("26"))
        for packet in packets:
            assert packet[0] in "1246b", body
            if packet == "2":
                assert self.post(b"3")[0] == 200
        return packets

    def events(self):
        return [json.loads(p[2:]) for p in self.packets() if p.startswith("42")]

    def until(self, name):
        """Polls until an event of that name; returns its payload."""
        while True:
            for event in self.events():
                if event[0] == name:
                    return event[1]


def check_open(door, user="honest"):
    """Others come and go as if nothing were."""
    other = Polling(door.port, user)
    assert other.post(b'420["ping"]') == (200, b"ok")
    while not any(p.startswith("430[") for p in other.packets()):
        pass
    assert other.post(b"1") == (200, b"ok")


STRANGE_SIDS = [
    "",
    "x",
    "A" * 20,
    "A" * 4000,
    "%00",
    "%0d%0aX-Forged:%201",
    "*",
    "%7B*%7D",
    "../../notify:control",
    "eio:x",
    "%1e41",
    "%ff%fe",
    "__proto__",
    "%22%7D%22",
]


@pytest.mark.parametrize("sid", STRANGE_SIDS, ids=lambda sid: sid[:24])
def test_a_session_that_nobody_was_given_is_unknown_and_leaves_nothing(sid, door, server):
    keys = server.client().dbsize()
    peer = Polling(door.port)
    for method, body in (("GET", None), ("POST", b"40")):
        status, answer = peer.ask(method, body, sid=sid)
        assert status == 400 and b"X-Forged" not in answer
        assert answer == UNKNOWN or sid in ("", "A" * 4000, "%00")  # which are no ids
    with pytest.raises(Refused) as refused:
        WsClient(door.port, f"/socket.io/?EIO=4&transport=websocket&sid={sid}").recv_frame()
    assert refused.value.status == 400
    assert peer.post(b"1") == (200, b"ok")
    wait_until(lambda: server.client().dbsize() <= keys, "the end of what was there for a while")


NO_PAYLOADS = {
    "nothing": b"",
    "a separator": b"\x1e",
    "a separator at the end": b"3\x1e",
    "an unknown packet": b"abc",
    "a ping": b"2",
    "a message without a packet": b"4",
    "an event of who has not joined": b'42["ping"]',
    "an event behind a pong": b'3\x1e42["ping"]',
    "an object": b"42{}",
    "no UTF-8": b'40{"user":"\xff"}',
    "base64 that is none": b"b!!!!",
    "bytes that belong to nothing": b"bAQID",
    "auth that is an array": b"40[]",
}


@pytest.mark.parametrize("what", NO_PAYLOADS)
def test_what_is_no_payload_ends_its_session_alone(what, door):
    peer = Polling(door.port)
    assert peer.post(NO_PAYLOADS[what])[0] in (200, 400)
    status, body = peer.get()
    if status == 200:  # it was looked at with this one
        assert body in (b"1", b"6")
        status, body = peer.get()
    assert (status, body) == (400, UNKNOWN)
    check_open(door)


def test_a_body_that_is_too_large_is_refused_and_ends_its_session(door):
    peer = Polling(door.port)
    try:
        assert peer.post(b'42["' + b"x" * MAX_PAYLOAD + b'"]')[0] == 413
    except (BrokenPipeError, ConnectionResetError):
        pass  # it was cut off while it wrote
    assert peer.get() == (400, UNKNOWN)
    check_open(door)


def test_who_polls_twice_at_a_time_ends_his_session(door):
    peer = Polling(door.port, "mallory")
    results = []
    threads = [threading.Thread(target=lambda: results.append(peer.get()), daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_TIMEOUT_S)
    assert sorted(status for status, _ in results) == [200, 400]
    assert [body for status, body in results if status == 200] == [b"1"]
    assert peer.get() == (400, UNKNOWN)
    check_open(door)


def test_who_says_more_than_a_box_holds_loses_it(door, server):
    """Nobody takes what is said as long as there is no GET."""
    peer = Polling(door.port)
    redis = server.client()
    body = b"\x1e".join([b"3"] * 1000)
    statuses = []
    for _ in range(2000):
        statuses.append(peer.post(body)[0])
        if statuses[-1] != 200:
            break
        for key in redis.scan_iter("eio:*"):
            assert (redis.memory_usage(key) or 0) < 64 * MAX_PAYLOAD
    assert statuses[-1] != 200, "it would take any number"
    check_open(door)


FORGED = 'x\x1e42["alert",{"message":"forged"}]\x1e41'


def test_nothing_that_is_published_is_a_packet_of_its_own(door, server):
    peer = Polling(door.port, "victim")
    redis = server.client()
    redis.execute_command("NOTIFY.SEND", "inbox:victim", FORGED, "CONTENT", FORGED)
    redis.execute_command("NOTIFY.EVENT", "inbox:victim", "x", "DATA", json.dumps({FORGED: FORGED}))
    heard = []
    while len(heard) < 2:
        heard += peer.events()
    assert [event[0] for event in heard] == ["notification", "x"]
    assert heard[0][1]["title"] == FORGED and heard[1][1][FORGED] == FORGED


def test_a_long_queue_comes_in_polls_of_sixteen_packets_in_order(door, server):
    peer = Polling(door.port, "slow")
    redis = server.client()
    for n in range(100):
        redis.execute_command("NOTIFY.SEND", "inbox:slow", str(n))
    titles = []
    while len(titles) < 100:
        titles += [event[1]["title"] for event in peer.events() if event[0] == "notification"]
    assert titles == [str(n) for n in range(100)]


def acks_of(peer, count):
    """Numbers of the acknowledgements of as many polls as it takes."""
    acks = []
    while len(acks) < count:
        acks += [int(p[2 : p.index("[")]) for p in peer.packets() if p.startswith("43")]
    return acks


def test_who_asks_at_a_time_for_as_much_as_he_may_gets_it_poll_by_poll(door, server):
    redis = server.client()
    for n in range(100):
        redis.execute_command("NOTIFY.SEND", "inbox:reader", str(n), "CONTENT", "x" * 5000)
    peer = Polling(door.port, "reader")
    pages = [f'42{n}["request_notification_history",{{"limit":100}}]' for n in range(8)]  # 120 KiB each
    assert peer.post(SEPARATOR.join(pages).encode()) == (200, b"ok")
    assert sorted(acks_of(peer, 8)) == list(range(8))


def test_as_much_as_may_wait_is_done_poll_by_poll(door):
    peer = Polling(door.port, "writer")
    packets = [f'42{n}["ping"]' for n in range(16)]  # more is not done in one poll
    packets.append('4216["ping",{"x":"' + "x" * (MAX_PAYLOAD - 400) + '"}]')
    assert peer.post(SEPARATOR.join(packets).encode()) == (200, b"ok")
    for n in range(17, 20):
        body = f'42{n}["ping",{{"x":"' + "x" * (MAX_PAYLOAD - 50) + '"}]'
        assert peer.post(body.encode()) == (200, b"ok")
    assert acks_of(peer, 20) == list(range(20))


def test_with_the_largest_messages_what_waits_harms_its_session_alone(programs, redis_server):
    """All of a box comes in one reply of Redis, and one that is too large would take the link from everybody."""
    door = programs.bridge(redis_server, "--max-message-bytes", "16M")
    peer = Polling(door.port, "mallory")
    body = b'42["ping",{"x":"' + b"x" * 15_000_000 + b'"}]'
    statuses = [peer.post(body)[0] for _ in range(3)]
    assert statuses[0] == 200 and statuses[2] == 400
    assert peer.get() == (400, UNKNOWN)
    check_open(door)
    assert not door.has_line("event=redis_link_down")


# -- what lies in Redis

NOT_BOXES = [
    lambda redis, key: redis.set(key, "x"),
    lambda redis, key: redis.lpush(key, "x"),
    lambda redis, key: redis.hset(key, mapping={"v": "999"}),
    lambda redis, key: redis.hset(key, mapping={name: "\xff\x00[" for name in redis.hkeys(key)}),
    lambda redis, key: redis.hset(key, mapping={name: "-1" for name in redis.hkeys(key)}),
    lambda redis, key: redis.hset(key, mapping={name: "9" * 400 for name in redis.hkeys(key)}),
    lambda redis, key: redis.hset(key, mapping={name: json.dumps({"v": 1}) for name in redis.hkeys(key)}),
    lambda redis, key: redis.delete(key),
]


@pytest.mark.parametrize("which", range(len(NOT_BOXES)))
def test_a_box_that_somebody_has_tampered_with_harms_its_session_alone(which, door, server):
    redis = server.client()
    peer = Polling(door.port, "mallory")
    key = f"eio:{{{peer.sid}}}"
    assert redis.exists(key)
    kept = redis.hgetall(key)
    if which in (0, 1):
        redis.delete(key)
    NOT_BOXES[which](redis, key)
    assert peer.post(b'42["ping"]')[0] in (200, 400, 503)
    try:
        assert peer.get()[0] in (200, 400, 503)
    except OSError:
        pass
    check_open(door)
    assert kept
    redis.delete(key)


def test_what_is_said_on_a_bridges_channel_is_believed_no_further_than_to_look(door, server):
    redis = server.client()
    peer = Polling(door.port, "woken")
    result = []
    thread = threading.Thread(target=lambda: result.append(peer.until("notification")), daemon=True)
    thread.start()
    for channel in redis.pubsub_channels("eio:*"):
        for message in (b"", b"x", b"\x00", b"0", b"1", b"-1", b"9" * 40, os.urandom(1000), b"1 closed"):
            redis.publish(channel, message)
    redis.execute_command("NOTIFY.SEND", "inbox:woken", "still here")
    thread.join(WAIT_TIMEOUT_S)
    assert [event["title"] for event in result] == ["still here"]


# -- secrets


def test_an_id_of_a_session_stands_in_no_log(door):
    peer = Polling(door.port, "mallory")
    peer.post(b"abc")
    peer.get()
    over_websocket = SocketIo(door.port, {"user": "mallory"})
    over_websocket.expect("connected")
    over_websocket.ws.send_frame(1, b"abc")
    over_websocket.wait_closed()
    check_open(door)
    for secret in (peer.sid, over_websocket.handshake["sid"]):
        assert not door.has_line(secret)


def test_a_get_that_is_cut_off_ends_its_session(door):
    peer = Polling(door.port, "gone")
    peer.ask("GET", abort=True)
    wait_until(lambda: peer.get()[0] != 200, "that its end is noticed")
    assert peer.get() == (400, UNKNOWN)


# -- how often


def handshakes(port, count):
    """Statuses, over one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_TIMEOUT_S)
    statuses = []
    for _ in range(count):
        try:
            connection.request("GET", "/socket.io/?EIO=4&transport=polling")
            answer = connection.getresponse()
            answer.read()
            statuses.append(answer.status)
        except (OSError, http.client.HTTPException):
            statuses.append(None)  # cut off: the next one connects anew
            connection.close()
    connection.close()
    return statuses


def test_handshakes_are_counted_as_connections_however_they_come(programs, redis_server):
    door = programs.bridge(redis_server, "--connect-rate", "2", "--connect-burst", "20", "--exempt-addresses", "unix")
    statuses = handshakes(door.port, 300)
    assert statuses[0] == 200 and statuses.count(200) < 100
    assert len(list(redis_server.client().scan_iter("eio:*"))) < 100


def test_who_polls_may_say_no_more_than_who_has_a_websocket(programs, redis_server):
    """However many polls it takes: the rate is the client's, not the poll's."""
    door = programs.bridge(redis_server, "--message-rate", "1", "--message-burst", "5")
    began = time.monotonic()
    peer = Polling(door.port, "mallory")
    done = 0
    for _ in range(20):
        status, _ = peer.post(SEPARATOR.join(f'42{n}["ping"]' for n in range(5)).encode())
        if status != 200:
            break  # closed for it
        try:
            acks = [json.loads(p[3:]) for p in peer.packets() if p.startswith("43")]
        except AssertionError:
            break
        done += sum(ack[0]["type"] == "pong" for ack in acks)
    assert done <= 6 + time.monotonic() - began
