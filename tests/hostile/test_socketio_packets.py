"""Peers of Socket.IO that keep no rules, over a WebSocket: each is closed alone, holds no more than it may, and delays nobody."""

import itertools
import json
import re
import time

import pytest

from raw_peer import CONT, frame
from servers import wait_until
from socketio_peer import ACK, CONNECT_ERROR, SocketIo
from ws_client import BINARY, TEXT, Closed

pytestmark = pytest.mark.measures

ABUSE, BAD_TEXT, TOO_BIG, BAD_FRAME = 4400, 1007, 1009, 1002
MAX_PAYLOAD = 65536
PLACE = '{"_placeholder":true,"num":0}'

numbers = itertools.count()


def new_name():
    return f"u{next(numbers)}"



@pytest.fixture(scope="module")
def bridges(session_programs):
    server = session_programs.redis(name="socketio-redis")
    return session_programs.bridge(server, "--max-message-bytes", str(MAX_PAYLOAD), name="socketio-bridge")


@pytest.fixture
def come(bridges):
    """come("mallory") is let in and greeted; come(None) has joined nothing yet."""
    clients = []

    def come_in(user, **options):
        client = SocketIo(bridges.port, {"user": user} if user else None, **options)
        clients.append(client)
        if user:
            client.expect("connected")
        return client

    yield come_in
    for client in clients:
        client.cut()


def text(*packets):
    return [(TEXT, p.encode("utf-8", "surrogateescape")) for p in packets]


# What somebody says who is in "/": no packet, or one that a client may not say then.
AMONG_US = {
    "an unknown packet": text("x"),
    "an empty packet": text(""),
    "a ping": text("2"),
    "the probe of an upgrade": text("2probe"),
    "a message without a packet": text("4"),
    "an unknown type": text("47"),
    "an event that is nothing": text("42"),
    "an event that is an object": text("42{}"),
    "an event without a name": text("42[]"),
    "an event whose name is null": text("42[null]"),
    "an event whose name is an object": text("42[{}]"),
    "an event with something behind it": text('42["ping"]x'),
    "an event that is cut": text('42["ping"'),
    "an id that is none": text('42abc["ping"]'),
    "an id of 101 digits": text("42" + "1" * 101 + '["ping"]'),
    "a name that a client keeps for itself": text('42["disconnect"]'),
    "the same in escapes": text('42["\\u0063onnect"]'),
    "two packets in one": text('42["ping"]\x1e41'),
    "a separator in a string": text('42["a\x1eb"]'),
    "a control character in a string": text('42["a\x01"]'),
    "an acknowledgement that is an object": text("430{}"),
    "CONNECT once more": text("40"),
    "a refusal": text('44{"message":"no"}'),
    "auth that is an array": text("40[]"),
    "auth that is a text": text('40"x"'),
    "a goodbye with something behind it": text("41{}"),
    "a namespace with a separator": text("40/a\x1e41"),
    "a namespace of 129 bytes": text("40/" + "n" * 128 + ","),
    "an event of a namespace that there is not": text('42/nope,["ping"]'),
    "an event nested too deep": text('42["x",' + "[" * 5000 + "]" * 5000 + "]"),
    "no attachments where some are told": text('450-["x"]'),
    "eleven attachments": text('4511-["x"]'),
    "as many as nobody has": text("45" + "9" * 30 + '-["x"]'),
    "attachments without a number": text('45["x"]'),
    "an event while attachments are to come": text(f'451-["x",{PLACE}]', '42["ping"]'),
    "a goodbye while attachments are to come": text(f'451-["x",{PLACE}]', "41"),
    "base64 that is none": text("b!!!!"),
    "base64 without its padding": text("bAQI"[:-1]),
    "bytes that belong to no packet": [(BINARY, b"abc")],
    "the same in base64": text("bAQID"),
}

# The same of somebody who has joined nothing.
OUTSIDE = {
    "an event": text('42["ping"]'),
    "an event with attachments": [*text(f'451-["x",{PLACE}]'), (BINARY, b"abc")],
    "an acknowledgement": text("430[]"),
    "a goodbye": text("41"),
    "a refusal": text('44{"message":"no"}'),
}


def check_alone(client, honest, bridges, frames, code):
    for opcode, payload in frames:
        try:
            client.ws.send_frame(opcode, payload)
        except OSError:
            break  # closed before the last of them
    assert client.wait_closed().code == code
    bridges.server.client().execute_command("NOTIFY.SEND", "inbox:honest", "still here")
    assert honest.expect("notification")["title"] == "still here"


@pytest.mark.parametrize("what", AMONG_US)
def test_who_says_what_is_no_packet_is_closed_alone(what, come, bridges):
    check_alone(come("mallory"), come("honest"), bridges, AMONG_US[what], ABUSE)


@pytest.mark.parametrize("what", OUTSIDE)
def test_who_has_joined_nothing_may_only_join(what, come, bridges):
    check_alone(come(None), come("honest"), bridges, OUTSIDE[what], ABUSE)


@pytest.mark.parametrize(
    "opcode,payload,code",
    [
        (TEXT, b'42["\xff"]', BAD_TEXT),
        (TEXT, b'42["' + b"x" * MAX_PAYLOAD + b'"]', TOO_BIG),
        (BINARY, b"x" * (MAX_PAYLOAD + 1), TOO_BIG),
        (CONT, b"x", BAD_FRAME),
        (3, b"x", BAD_FRAME),
    ],
)
def test_a_frame_that_must_not_be_has_the_code_of_websockets(opcode, payload, code, come, bridges):
    check_alone(come("mallory"), come("honest"), bridges, [(opcode, payload)], code)


def test_attachments_that_are_too_big_together_end_their_sender(come, bridges):
    client, honest = come("mallory"), come("honest")
    frames = [*text('4510-["x",' + PLACE + "]"), *[(BINARY, b"x" * MAX_PAYLOAD)] * 10]
    check_alone(client, honest, bridges, frames, TOO_BIG)
    assert bridges.metrics()['notify_limit_hits_total{limit="socketio-attachments"}'] >= 1


@pytest.mark.parametrize("digits", ["0", "00", "18446744073709551616", "9" * 100])
def test_any_id_comes_back_digit_by_digit(digits, come):
    client = come("mallory")
    client.say(f'2{digits}["ping"]')
    assert client.take(lambda p: p.type == ACK, "acknowledgement").id == digits


def test_names_of_namespaces_that_there_are_not_come_back_as_they_were(come):
    client = come("mallory")
    for name in ('/a"b', "/a\\", "/ä", "/a?x=1", "/" + "n" * 127, "/{}", "/%00", "/a/b/../c"):
        client.say(f"0{name},")
        reply = client.take(lambda p: p.type == CONNECT_ERROR, "refusal")
        assert reply.text == f'4{name},{{"message":"Invalid namespace"}}'


# -- what is published


HOSTILE_NAMES = ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_an_event_cannot_be_called_what_a_client_keeps_for_itself(name, come, bridges):
    client = come("honest")
    bridges.server.client().execute_command("NOTIFY.EVENT", "inbox:honest", name, "DATA", '{"a":1}')
    heard = client.expect("event")
    assert heard["type"] == name and heard["a"] == 1


SEPARATED = 'a\x1e42["alert",{"message":"forged"}]'


def test_nothing_that_is_published_is_a_packet_of_its_own(come, bridges):
    client = come("honest")
    redis = bridges.server.client()
    redis.execute_command("NOTIFY.SEND", "inbox:honest", SEPARATED, "CONTENT", SEPARATED, "TYPE", "x")
    heard = client.expect("notification")
    assert heard["title"] == SEPARATED and heard["message"] == SEPARATED
    redis.execute_command("NOTIFY.EVENT", "inbox:honest", "x", "DATA", json.dumps({SEPARATED: SEPARATED}))
    assert client.expect("x")[SEPARATED] == SEPARATED
    for raw in (b'{"a":"\x1e"}', b'{"a":1}\x1e42["alert",{}]', b"\xff", b'{"a":"\xed\xa0\x80"}'):
        message = b'{"type":"x","key":"inbox:honest","rev":1,"unread":0,"data":' + raw + b"}"
        redis.publish("inbox:honest", message)
    redis.execute_command("NOTIFY.SEND", "inbox:honest", "the next")
    assert client.expect("notification")["title"] == "the next"
    assert [name for name, _ in client.events() if name in ("alert", "x")] == []


def test_a_member_that_a_publisher_chooses_takes_the_place_of_none_of_ours(come, bridges):
    client = come("honest")
    data = {"id": "9-9", "key": "inbox:other", "unread": 99, "timestamp": "never", "n": 1}
    id_ = bridges.server.client().execute_command("NOTIFY.EVENT", "inbox:honest", "x", "DATA", json.dumps(data))
    heard = client.expect("x")
    assert (heard["id"], heard["key"], heard["n"]) == (id_, "inbox:honest", 1)
    assert heard["unread"] != 99 and heard["timestamp"] != "never"


# -- what is held for a peer, and whom it delays


def memory(bridge):
    with open(f"/proc/{bridge.pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1)) * 1024


@pytest.fixture
def lean_bridge(programs, redis_server):
    """One whose sanitizer gives memory back at once."""
    lean = "detect_leaks=1:exitcode=97:quarantine_size_mb=1:thread_local_quarantine_size_kb=64"
    return lambda *flags: programs.bridge(redis_server, *flags, env={"ASAN_OPTIONS": lean})


def push(client, packet, total):
    """The same packet again and again, as long as any of it is taken within a second, or total bytes of it were."""
    chunk = frame(TEXT, packet.encode()) * (65536 // len(packet))
    sock, sent = client.ws.sock, 0
    sock.setblocking(False)
    last = time.monotonic()
    rest = chunk
    while sent < total and time.monotonic() - last < 1:
        try:
            taken = sock.send(rest)
        except BlockingIOError:
            time.sleep(0.001)  # the kernel's buffer is full: nothing tells of room without blocking
            continue
        except OSError:
            break
        rest = rest[taken:] or chunk
        sent += taken
        last = time.monotonic()
    return sent


# What is answered: with more than it has itself, or with as much.
ASKING = {
    "a namespace that there is not": "40/x,",
    "a namespace that there is not, of a long name": "40/" + "x" * 120 + ",",
    "a ping": '420["ping"]',
    "an unknown event": '420["x"]',
    "an event without an acknowledgement": '42["x"]',
    "an event with a wrong argument": '420["subscribe_session",{}]',
}


def check_bounded(lean_bridge, auth, packet):
    bridge = lean_bridge("--outbox-bytes", str(1 << 20))
    honest = SocketIo(bridge.port, {"user": "honest"})
    honest.expect("connected")
    before = memory(bridge)
    peers = [SocketIo(bridge.port, auth, receive_buffer=4096) for _ in range(4)]
    for peer in peers:
        push(peer, packet, 24 << 20)
        assert honest.call("ping")["type"] == "pong"
        assert memory(bridge) - before < len(peers) * (2 << 20) + (16 << 20)
    for client in (*peers, honest):
        client.cut()


@pytest.mark.parametrize("what", ASKING)
def test_who_asks_and_does_not_read_holds_no_more_than_an_outbox(what, lean_bridge):
    check_bounded(lean_bridge, {"user": new_name()}, ASKING[what])


@pytest.mark.parametrize("what", [what for what in ASKING if "namespace" in what])
def test_who_has_joined_nothing_holds_no_more_either(what, lean_bridge):
    check_bounded(lean_bridge, None, ASKING[what])


def test_what_is_begun_and_never_ended_is_bounded(lean_bridge):
    """Heads of packets whose attachments never come, and fragments of messages."""
    bridge = lean_bridge("--max-message-bytes", str(MAX_PAYLOAD))
    before = memory(bridge)
    peers = [SocketIo(bridge.port, {"user": new_name()}) for _ in range(20)]
    for peer in peers:
        peer.expect("connected")
        peer.say('510-["x",' + PLACE + "]")
        peer.ws.send_frame(BINARY, b"x" * MAX_PAYLOAD)
        peer.ws.send_frame(BINARY, b"x" * (MAX_PAYLOAD - 1000), fin=False)
    honest = SocketIo(bridge.port, {"user": "honest"})
    assert honest.call("ping")["type"] == "pong"
    assert memory(bridge) - before < len(peers) * 4 * MAX_PAYLOAD + (16 << 20)
    for client in (*peers, honest):
        client.cut()


def test_who_leaves_and_joins_again_may_say_no_more_than_who_stays(programs, redis_server):
    bridge = programs.bridge(redis_server, "--message-rate", "1", "--message-burst", "5")
    client = SocketIo(bridge.port, {"user": "mallory"})
    for _ in range(50):
        try:
            for at in range(5):
                client.emit("ping", ack=at)
            client.say("1")
            client.say('0{"user":"mallory"}')
        except OSError:
            break  # closed for it
    pongs = 0
    try:
        while True:
            packet = client._next(2)
            pongs += packet.type == ACK and packet.data[0]["type"] == "pong"
    except (Closed, TimeoutError):
        pass
    assert pongs < 60
    client.cut()


def test_who_leaves_and_joins_again_connects_as_often_as_anybody_may(programs, redis_server):
    """Over one connection: each time is a client of its own, in session sets and with all that it follows by itself."""
    options = ("--connect-rate", "1", "--connect-burst", "20", "--exempt-addresses", "unix", "--log-level", "debug")
    options += ("--socketio-namespace", "/", "--socketio-namespace", "/other")
    bridge = programs.bridge(redis_server, *options)
    client = SocketIo(bridge.port, {"user": "mallory"})
    for _ in range(300):
        try:
            client.say("1")
            client.say('0{"user":"mallory"}')
        except OSError:
            break  # closed for it
    assert client.wait_closed().code == 4429
    bridge.wait_line("event=limit_met limit=connect-rate")
    assert sum("event=client_open" in line for line in bridge.lines) < 100


def test_who_is_gone_leaves_nothing_behind(bridges, come):
    honest = come("honest")
    users = [new_name() for _ in range(50)]
    clients = [SocketIo(bridges.port, {"user": user}, receive_buffer=4096) for user in users]
    for at, client in enumerate(clients):
        client.emit("subscribe", {"topic": "left"}, ack=1)
        if at % 3 == 0:
            client.ws.send_frame(TEXT, b'420["ping"', fin=False)
        elif at % 3 == 1:
            client.say(f'51-["x",{PLACE}]')
        client.cut()
    wait_until(lambda: bridges.metrics()['notify_connections{transport="websocket"}'] <= 1, "their end")
    assert honest.call("ping")["type"] == "pong"
