"""The echo target (tests/echo) as a conformance check expects it: WebSockets, Engine.IO and Socket.IO over them."""

import json
import os
import queue
import struct
import threading
import time

import pytest
from echo_target import at_its_pace, hasty, target  # noqa: F401  (fixtures)
from patience import WAIT_TIMEOUT_S
from raw_peer import CONT
from ws_client import BINARY, CLOSE, PING, PONG, TEXT, Closed

PATHS = ["/engine.io/", "/socket.io/"]


def close_code(client):
    """Reads on to the Close frame."""
    while True:
        opcode, _, payload = client.recv_frame()
        if opcode == CLOSE:
            client.sock.close()
            return struct.unpack("!H", payload[:2])[0] if payload else 1005


# -- (a) /echo


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 1 << 20, 1 << 24])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_a_message_of_any_size_up_to_16_mib_comes_back_as_it_was(target, size, opcode):
    payload = os.urandom(size) if opcode == BINARY else b"*" * size
    with target.echo() as client:
        client.send_frame(opcode, payload)
        assert client.recv_frame() == (opcode, True, payload)


def test_a_message_of_more_than_16_mib_is_closed_with_1009(target):
    client = target.echo()
    client.sock.sendall(b"\x82\xff" + struct.pack("!Q", (1 << 24) + 1) + bytes(4))
    assert close_code(client) == 1009


def test_a_fragmented_message_comes_back_as_one_also_with_pings_between(target):
    with target.echo() as client:
        client.send_frame(BINARY, b"ab", fin=False)
        client.send_frame(PING, b"between")
        client.send_frame(CONT, b"", fin=False)
        client.send_frame(CONT, b"cd")
        assert client.recv_frame() == (PONG, True, b"between")
        assert client.recv_frame() == (BINARY, True, b"abcd")


def test_binary_is_not_checked_for_utf_8_and_text_is_across_fragments(target):
    with target.echo() as client:
        client.send_frame(BINARY, b"\xff\xfe")
        assert client.recv_frame() == (BINARY, True, b"\xff\xfe")
        client.send_frame(TEXT, b"\xe2\x82", fin=False)
        client.send_frame(CONT, b"\xac")
        assert client.recv_frame() == (TEXT, True, "\u20ac".encode())
        client.send_frame(BINARY, b"\xe2", fin=False)
        client.send_frame(CONT, b"x")
        assert client.recv_frame() == (BINARY, True, b"\xe2x")
    client = target.echo()
    client.send_frame(TEXT, b"ok \xe2\x28", fin=False)
    assert close_code(client) == 1007


def test_ten_pings_at_once_have_ten_pongs_in_order(target):
    with target.echo() as client:
        for i in range(10):
            client.send_frame(PING, b"%d" % i)
        client.send_frame(PONG, b"nobody asked")
        assert [client.recv_frame() for _ in range(10)] == [(PONG, True, b"%d" % i) for i in range(10)]
        client.send("still there")
        assert client.recv_text() == "still there"


@pytest.mark.parametrize(
    "frame",
    [
        b"\xc1\x80" + bytes(4),  # a reserved bit
        b"\x83\x80" + bytes(4),  # a reserved opcode
        b"\x09\x80" + bytes(4),  # a ping in fragments
        b"\x89\xfe\x00\x7e" + bytes(4 + 126),  # a ping of 126 bytes
        b"\x80\x80" + bytes(4),  # nothing to continue
        b"\x01\x80" + bytes(4) + b"\x81\x80" + bytes(4),  # a message within one
        b"\x81\x01a",  # not masked
        b"\x88\x81" + bytes(4) + b"\x03",  # half a code
        *(b"\x88\x82" + bytes(4) + struct.pack("!H", code) for code in (0, 999, 1004, 1005, 1006, 1015, 2999, 5000)),
    ],
)
def test_what_rfc_6455_forbids_is_closed_with_1002(target, frame):
    client = target.echo()
    client.sock.sendall(frame)
    assert close_code(client) == 1002


@pytest.mark.parametrize("code", [1000, 1011, 1012, 1013, 1014, 3000, 4999])
def test_a_close_is_answered_with_its_code_and_the_target_ends_tcp_first(target, code):
    client = target.echo()
    client.send("before")
    client.send_frame(CLOSE, struct.pack("!H", code))
    client.send("after")
    assert client.recv_text() == "before"
    assert client.recv_frame() == (CLOSE, True, struct.pack("!H", code))
    assert client.sock.recv(10) == b""


# -- Engine.IO over WebSockets


@pytest.mark.parametrize("path", PATHS)
def test_a_websocket_begins_with_the_open_packet(hasty, path):
    client = hasty.websocket(path)
    packet = client.packet()
    assert packet[0] == "0"
    members = json.loads(packet[1:])
    assert isinstance(members.pop("sid"), str)
    assert members == {"upgrades": [], "pingInterval": 300, "pingTimeout": 200, "maxPayload": 1000000}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "query",
    ["transport=websocket", "EIO=abc&transport=websocket", "EIO=3&transport=websocket", "EIO=4", "EIO=4&transport=abc"],
)
def test_a_websocket_that_asks_wrongly_is_refused(target, path, query):
    assert target.is_refused(path, query)


@pytest.mark.parametrize("path", PATHS)
def test_a_websocket_that_answers_pings_stays(at_its_pace, path):
    def stays(target):
        begin = time.monotonic()
        client = target.open_websocket(path)
        for n in range(3 if path == "/engine.io/" else 2):  # then Socket.IO's connect time-out would end it
            assert client.packet() == "2"
            assert time.monotonic() - begin > (n + 1) * target.ping_interval_s - 0.01
            client.send("3")
        client.close()

    at_its_pace(stays)


@pytest.mark.parametrize("path", PATHS)
def test_a_websocket_that_answers_no_ping_is_closed(at_its_pace, path):
    def is_closed(target):
        begin, longest = time.monotonic(), target.ping_interval_s + target.ping_timeout_s
        client = target.open_websocket(path)
        assert client.is_closed() == ["2"]
        assert longest - 0.01 < time.monotonic() - begin < 1.2 * longest

    at_its_pace(is_closed)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("packet", ["1", "abc", "", "2", "7"])
def test_a_packet_that_is_none_or_the_client_s_close_ends_a_websocket(target, path, packet):
    client = target.open_websocket(path)
    client.send(packet)
    assert client.is_closed() == []


def test_messages_come_back_text_as_text_and_binary_as_binary(target):
    client = target.open_websocket("/engine.io/")
    client.send("4hello")
    client.binary(b"\x01\x02\x03\x04")
    client.send("bAQIDBA==")
    client.send("4\u20ac")
    assert client.packets(4) == ["4hello", b"\x01\x02\x03\x04", b"\x01\x02\x03\x04", "4\u20ac"]
    client.close()


def test_a_message_larger_than_the_payload_limit_is_closed_with_1009(target):
    client = target.open_websocket("/engine.io/")
    client.send("4" + "x" * 999999)
    assert client.packet() == "4" + "x" * 999999
    client.send("4" + "x" * 1000000)
    assert close_code(client) == 1009


def test_thousands_of_messages_at_once_come_back_in_order_to_who_reads_late(at_its_pace):
    at_its_pace(have_thousands_of_messages_come_back)


def have_thousands_of_messages_come_back(target):
    """One thread alone writes: who read and had to wait for it to answer a ping would read no more, and all would stand."""
    client = target.open_websocket("/engine.io/")
    text = "x" * 1000
    pongs = queue.SimpleQueue()

    def send_all():
        for i in range(3000):
            client.send(f"4{i} {text}")
            while not pongs.empty():
                client.send(pongs.get())
        while pongs.get() == "3":
            client.send("3")

    sending = threading.Thread(target=send_all, daemon=True)
    sending.start()
    sending.join(0.2)  # by then what both kernels keep is full
    for i in range(3000):
        while (packet := client.packet()) == "2":
            pongs.put("3")
        assert packet == f"4{i} {text}"
    pongs.put("the end")
    sending.join(WAIT_TIMEOUT_S)
    client.close()


# -- Socket.IO over WebSockets


@pytest.mark.parametrize("auth", ["", '{"token":"123"}'])
@pytest.mark.parametrize("prefix", ["", "/custom,"])
def test_who_connects_is_accepted_and_told_what_he_said(target, prefix, auth):
    client = target.open_websocket("/socket.io/")
    client.send("40" + prefix + auth)
    accepted = client.packet()
    assert accepted.startswith("40" + prefix)
    members = json.loads(accepted[2 + len(prefix) :])
    assert list(members) == ["sid"] and len(members["sid"]) == 20
    assert client.packet() == f'42{prefix}["auth",{auth or "{}"}]'
    client.close()


def test_a_namespace_may_be_named_without_its_comma(target):
    client = target.open_websocket("/socket.io/")
    client.send("40/custom")
    assert client.packet().startswith('40/custom,{"sid":"')
    client.close()


def test_an_unknown_namespace_is_refused_and_the_connection_stays(target):
    client = target.open_websocket("/socket.io/")
    client.send("40/random")
    assert client.packet() == '44/random,{"message":"Invalid namespace"}'
    target.join(client)
    client.close()


def test_who_joins_nothing_is_closed_after_the_connect_timeout(at_its_pace):
    def is_closed(target):
        begin, longest = time.monotonic(), target.connect_timeout_s
        client = target.open_websocket("/socket.io/")
        seen = []
        try:
            while True:
                seen.append(client.packet())
                client.send("3")
        except Exception:
            assert set(seen) == {"2"}
        assert longest - 0.01 < time.monotonic() - begin < 1.1 * longest

    at_its_pace(is_closed)


def test_who_leaves_is_not_answered_and_may_join_again(at_its_pace):
    def may_join_again(target):
        client = target.joined()
        client.send("41")
        assert client.packet() == "2"
        client.send("3")
        target.join(client)
        client.close()

    at_its_pace(may_join_again)


def test_who_has_left_everything_has_time_to_join_something_again_but_no_more_than_at_first(at_its_pace):
    def has_time(target):
        client = target.joined()
        target.join(client, "/custom")
        client.send("41")
        client.send("41/custom,")
        begin = time.monotonic()
        while time.monotonic() - begin < 1.1 * target.connect_timeout_s:
            assert client.packet() == "2"
            client.send("3")
        target.join(client)
        client.send("41")
        with pytest.raises((Closed, OSError)):
            while True:
                client.packet()
                client.send("3")

    at_its_pace(has_time)


def test_a_namespace_that_was_left_takes_nothing_with_it(target):
    client = target.joined()
    target.join(client, "/custom")
    client.send("41/custom")
    client.send('42/custom,["message","x"]')
    client.send('42["message","x"]')
    assert client.packet_but_ping() == '42["message-back","x"]'
    client.close()


@pytest.mark.parametrize("prefix, namespace", [("", "/"), ("/custom,", "/custom")])
def test_an_event_comes_back_with_the_same_arguments(target, prefix, namespace):
    client = target.joined(namespace)
    client.send(f'42{prefix}["message",1,"2",{{"3":[true]}}]')
    client.send(f'42{prefix}456["message-with-ack",1,"2",{{"3":[false]}}]')
    client.send(f'42{prefix}7["message"]')
    assert client.packet_but_ping() == f'42{prefix}["message-back",1,"2",{{"3":[true]}}]'
    assert client.packet_but_ping() == f'43{prefix}456[1,"2",{{"3":[false]}}]'
    assert client.packet_but_ping() == f'42{prefix}["message-back"]'
    assert client.packet_but_ping() == f"43{prefix}7[]"
    client.close()


PLACEHOLDERS = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}'


@pytest.mark.parametrize("as_text", [False, True])
def test_attachments_come_back_behind_their_packet(target, as_text):
    client = target.joined()
    for head in ('452-["message",', '452-789["message-with-ack",'):
        client.send(head + PLACEHOLDERS + "]")
        for part, text in ((b"\x01\x02\x03", "bAQID"), (b"\x04\x05\x06", "bBAUG")):
            client.send(text) if as_text else client.binary(part)
    assert client.packet_but_ping() == f'452-["message-back",{PLACEHOLDERS}]'
    assert client.packets(2) == [b"\x01\x02\x03", b"\x04\x05\x06"]
    assert client.packet_but_ping() == f"462-789[{PLACEHOLDERS}]"
    assert client.packets(2) == [b"\x01\x02\x03", b"\x04\x05\x06"]
    client.close()


@pytest.mark.parametrize(
    "packet",
    [
        "4abc",
        "42{}",
        '42abc["message-with-ack",1,"2",{"3":[false]}]',
        "40",  # joined already
        '44{"message":"x"}',
        '42/random["message"]',
        '42/custom,["message"]',
        '4511-["message"]',
        '42["disconnect"]',
        "43x",
        "47",
        "4",
    ],
)
def test_a_packet_against_the_rules_ends_the_connection(target, packet):
    client = target.joined()
    client.send(packet)
    assert client.is_closed() == []


def test_a_wrong_first_packet_ends_the_connection(target):
    for packet in ("4abc", '42["message"]', "41", "43[]"):
        client = target.open_websocket("/socket.io/")
        client.send(packet)
        assert client.is_closed() == []


def test_attachments_without_a_packet_and_text_in_place_of_one_end_the_connection(target):
    client = target.joined()
    client.binary(b"x")
    assert client.is_closed() == []
    client = target.joined()
    client.send('451-["message",{"_placeholder":true,"num":0}]')
    client.send('42["message"]')
    assert client.is_closed() == []


def test_attachments_that_are_more_than_is_kept_are_closed_with_1009(target):
    client = target.joined()
    client.send('453-["message",{"_placeholder":true,"num":0}]')
    client.sock.sendall((b"\x82\xff" + struct.pack("!Q", 700000) + bytes(4 + 700000)) * 3)
    assert close_code(client) == 1009


def test_a_close_frame_without_a_code_and_what_comes_behind_it_is_no_fault(target):
    client = target.joined()
    client.send("41")
    client.send_frame(CLOSE)
    client.send("41")
    client.send("1")
    assert close_code(client) == 1005


def test_several_namespaces_in_one_go_are_all_joined(target):
    client = target.open_websocket("/socket.io/")
    client.send("40")
    client.send("40/custom,")
    packets = client.packets(4)
    assert [packet.split("{")[0] for packet in packets] == ["40", '42["auth",', "40/custom,", '42/custom,["auth",']
    client.close()


def test_attachments_that_do_not_come_end_the_connection(hasty):
    client = hasty.joined()
    client.send('451-["message",{"_placeholder":true,"num":0}]')
    begin = time.monotonic()
    with pytest.raises(Exception):
        while True:
            client.packet()
            client.send("3")
    assert time.monotonic() - begin < 10


def test_a_client_that_asks_and_does_not_read_is_not_listened_to(target):
    client = target.open_websocket("/socket.io/")
    client.sock.settimeout(1)
    before = target.memory_kib()
    with pytest.raises(OSError):  # it is not read any more, and at last cut off
        for _ in range(500):
            client.sock.sendall(b"\x81\x85\x00\x00\x00\x0040/x," * 10000)
    assert target.memory_kib() - before < 48 << 10  # what it has freed stays in memory under AddressSanitizer
    client.sock.close()
