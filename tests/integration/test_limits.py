"""Each limit of what clients may do: it is reached, answered by its own error, counted under its name
and told in the log once (docs/limits.md)."""

import json
import os
import re
import socket
import time

import pytest

from raw_peer import RawPeer, frame, read_all
from sse_client import SseClient
from servers import ROOT, at_some_pace, free_port, until_refused, wait_until
from ws_client import TEXT, Closed, Refused, WsClient

HOST = b"GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n"


class Front:
    """A bridge whose /metrics are asked for over a unix socket, which no limit of addresses is for."""

    def __init__(self, programs, server, tmp_path, *args):
        self.path = f"{tmp_path}/front.sock"
        self.bridge = programs.bridge(server, "--listen", f"unix:{self.path}", *args)
        self.port = self.bridge.port
        self.server = server
        self.open = []

    def tab(self, path="/ws", **options):
        self.open.append(WsClient(self.port, path, **options))
        return self.open[-1]

    def raw_peer(self, path="/ws"):
        self.open.append(RawPeer(self.port, path))
        return self.open[-1]

    def http(self, head, body=b"", unix=False):
        sock = socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
        sock.settimeout(20)
        sock.connect(self.path if unix else ("127.0.0.1", self.port))
        with sock:
            try:
                sock.sendall(head + body)
            except (BrokenPipeError, ConnectionResetError):
                pass
            return read_all(sock)

    def get(self, path="/healthz", headers=b""):
        return self.http(HOST % (path.encode(), headers + b"Connection: close\r\n"))

    def metrics(self):
        return self.http(HOST % (b"/metrics", b"Connection: close\r\n"), unix=True).decode()

    def hits(self, limit):
        return int(re.search(rf'limit="{limit}"}} (\d+)', self.metrics()).group(1))

    def lines(self, limit):
        return [line for line in self.bridge.lines if "event=limit_met" in line and f"limit={limit} " in line]

    def close(self):
        for tab in self.open:
            tab.sock.close()


@pytest.fixture
def front(programs, redis_server, tmp_path):
    made = []

    def make(*args):
        made.append(Front(programs, redis_server, tmp_path, *args))
        return made[-1]

    yield make
    for one in made:
        one.close()


def status(answer):
    return int(answer.split(b" ", 2)[1])


def error_code(answer):
    return json.loads(answer.split(b"\r\n\r\n", 1)[1])["error"]["code"]


# How each limit is reached; what is returned is what its peer is told.


def reach_connections(front):
    front.tab(), front.tab()
    with pytest.raises(Refused) as refused:
        front.tab()
    return refused.value.status, json.loads(refused.value.body)["error"]["code"]


def reach_connections_per_address(front):
    front.tab().expect(type="connection")
    front.tab().expect(type="connection")
    return front.tab().wait_closed().code


def reach_connect_rate(front):
    return until_refused(front.get, lambda answer: answer == b"", free=3)


def reach_channel_patterns(one):
    """Of all clients together; what has no star is no pattern, and one that is followed may be followed by others."""
    tabs = [one.tab(), one.tab()]
    for tab in tabs:
        for channel in ("a*", "b*", "c", "d"):
            assert tab.request("subscribe", channel=channel)["status"] == "subscribed"
    by_address = one.tab("/ws?channels=e,f*,a*")
    told = by_address.expect(type="error")["error"]
    assert told["details"] == {"key": "f*"}
    one.server.client().publish("ab", "x")
    assert by_address.expect(type="channel_message")["pattern"] == "a*"
    return tabs[0].request("subscribe", channel="g*")["error"]["code"], told["code"]


def reach_subscriptions(front):
    tab = front.tab()
    for n in range(20):
        answer = tab.request("subscribe", topic=f"t{n}")
        if answer["type"] == "error":
            return answer["error"]["code"]


def reach_message_bytes(front):
    tab = front.tab()
    tab.send("x" * 400)
    return tab.wait_closed().code


def reach_message_rate(front):
    tab = front.tab()
    error = until_refused(lambda: tab.request("ping"), lambda answer: answer["type"] == "error", free=3)["error"]
    assert 0 < error["details"]["retry_after_ms"] <= 1000
    return error["code"]


def reach_json_depth(front):
    tab = front.tab()
    tab.send('{"type":' + "[" * 5000)
    return tab.expect(type="error")["error"]["code"]


def reach_control_frames(front):
    peer = front.raw_peer()
    peer.send_raw(frame(9) * 50)
    return peer.wait_closed().code


def reach_outbox(front):
    """A queue of events is dropped, and what it held comes by itself when it is read."""
    peer = front.raw_peer("/ws?user=slow")
    peer.expect(type="connection")
    redis = front.server.client()
    sent = 0
    while front.hits("outbox-bytes") == 0:
        assert sent < 3000
        for _ in range(50):
            redis.execute_command("NOTIFY.SEND", "inbox:slow", "x", "CONTENT", "y" * 5000)
        sent += 50
    return peer.expect(type="resumed", timeout=60)["results"]["inbox:slow"]["recovered"]


def reach_slow(front):
    peer = front.raw_peer("/ws?user=slow")
    peer.expect(type="connection")
    redis = front.server.client()
    for _ in range(400):
        redis.execute_command("NOTIFY.SEND", "inbox:slow", "x", "CONTENT", "y" * 5000)
    wait_until(lambda: front.hits("slow-client-timeout") > 0, "the slow client's being closed")
    return peer.wait_closed().code


def reach_idle(front):
    return front.tab().wait_closed().code


def reach_sse_input(front):
    stream = SseClient(front.port)
    stream.expect("connection")
    stream.sock.sendall(b"x" * 20000)
    events, _ = stream.until_end()
    return events[-1].json["code"]


def reach_target(front):
    answer = front.get("/" + "x" * 9000)
    return status(answer), error_code(answer)


def reach_head(front):
    answer = front.get(headers=b"X-Long: " + b"x" * 20000 + b"\r\n")
    return status(answer), error_code(answer)


def reach_body(front):
    answer = front.http(HOST % (b"/healthz", b"Content-Length: 100000\r\n"), b"x" * 100000)
    return status(answer), error_code(answer)


def reach_time(front):
    answer = front.http(b"GET /healthz HTTP/1.1\r\nHost:")
    return status(answer), error_code(answer)


COUNT_ME = ("--exempt-addresses", "unix")
LIMITS = {
    "max-channel-patterns": (
        ("--channel", "*", "--max-channel-patterns", "2"), reach_channel_patterns, ("UNAVAILABLE", "UNAVAILABLE"),
    ),
    "max-connections": (("--max-connections", "2"), reach_connections, (503, "UNAVAILABLE")),
    "max-connections-per-address": (
        ("--max-connections-per-address", "2", *COUNT_ME), reach_connections_per_address, 4409,
    ),
    "connect-rate": (
        ("--connect-rate", "1", "--connect-burst", "3", *COUNT_ME), reach_connect_rate, b"",
    ),
    "max-subscriptions": (
        ("--max-subscriptions", "8"), reach_subscriptions, "TOO_MANY_SUBSCRIPTIONS",
    ),
    "max-message-bytes": (("--max-message-bytes", "256"), reach_message_bytes, 1009),
    "message-rate": (
        ("--message-rate", "1", "--message-burst", "3"), reach_message_rate, "RATE_LIMITED",
    ),
    "json-depth": ((), reach_json_depth, "BAD_JSON"),
    "max-control-frames": (("--max-control-frames", "10"), reach_control_frames, 4400),
    "outbox-bytes": (("--outbox-bytes", "20000"), reach_outbox, True),
    "slow-client-timeout": (("--slow-client-timeout", "500ms"), reach_slow, 4413),
    "ws-connection-timeout": (
        ("--ws-connection-timeout", "300ms", "--ws-heartbeat-interval", "1h"), reach_idle, 4408,
    ),
    "sse-input-bytes": ((), reach_sse_input, 4400),
    "http-target-bytes": ((), reach_target, (414, "URI_TOO_LONG")),
    "http-head-bytes": ((), reach_head, (431, "HEADER_TOO_LARGE")),
    "http-body-bytes": ((), reach_body, (413, "BODY_TOO_LARGE")),
    "http-request-time": ((), reach_time, (408, "REQUEST_TIMEOUT")),
}  # fmt: skip


@pytest.mark.parametrize("limit", LIMITS)
def test_a_limit_has_an_error_a_counter_and_a_line_in_the_log(front, limit):
    args, reach, told = LIMITS[limit]
    one = front(*args)
    assert one.hits(limit) == 0
    assert reach(one) == told
    assert one.hits(limit) > 0
    one.bridge.wait_line(rf"level=warn event=limit_met limit={limit} addr=127\.0\.0\.1")
    assert len(one.lines(limit)) == 1


def test_the_page_of_limits_has_each_that_is_counted_and_no_other(front):
    counted = set(re.findall(r'notify_limit_hits_total{limit="([a-z-]+)"}', front().metrics()))
    with open(os.path.join(ROOT, "docs/limits.md"), encoding="utf-8") as file:
        told = set(re.findall(r"^\| `(?:--)?([a-z-]+)`", file.read(), re.M))
    assert told == counted
    assert set(LIMITS) <= counted


# Messages.


def test_if_nothing_is_said_forty_messages_may_come_at_once(programs, redis_server):
    bridge = programs.bridge(redis_server, env={"NOTIFY_MESSAGE_RATE": "20"})
    peer = RawPeer(bridge.port, "/ws")
    peer.expect(type="connection")
    began = time.monotonic()
    peer.send_raw(frame(TEXT, b'{"type":"ping"}') * 200)
    peer.expect(type="error")
    granted = sum(message["type"] == "pong" for message in peer.messages)
    assert 40 <= granted <= 41 + 20 * (time.monotonic() - began)
    peer.sock.close()


def test_a_client_that_waits_as_long_as_it_is_told_is_served(front):
    tab = front("--message-rate", "5", "--message-burst", "2").tab()
    for n in range(6):
        answer = until_refused(lambda: tab.request("ping"), lambda answer: answer["type"] == "error", free=0 if n else 2)
        time.sleep(answer["error"]["details"]["retry_after_ms"] / 1000)
        assert tab.request("ping")["type"] == "pong"


def test_a_refused_message_is_answered_with_its_id_and_does_nothing(front):
    one = front("--message-rate", "1", "--message-burst", "1")
    tab = one.tab("/ws?user=alice")
    texts = b'{"type":"ping"}', b'{"type":"publish","user_id":"alice","title":"x","request_id":"mine"}', b'{"type":"publish","request_id":7,"title":'
    tab.sock.sendall(b"".join(frame(TEXT, text) for text in texts))  # at once
    tab.expect(type="pong")
    assert tab.expect(type="error", request_id="mine")["error"]["code"] == "RATE_LIMITED"
    assert tab.expect(type="error", request_id=7)["error"]["code"] == "RATE_LIMITED"
    assert one.server.client().execute_command("NOTIFY.LEN", "inbox:alice") == 0


def test_who_goes_on_all_the_same_is_closed(front):
    one = front("--message-rate", "1", "--message-burst", "5")
    peer = one.raw_peer("/ws?user=mallory")
    honest = one.tab("/ws?user=alice")
    peer.expect(type="connection")
    peer.send_raw(frame(TEXT, b'{"type":"ping"}') * 27)
    for _ in range(21):
        peer.expect(type="error")
    closed = peer.wait_closed()
    assert (closed.code, closed.reason) == (4429, "too many messages")
    assert honest.request("ping")["type"] == "pong"
    assert one.hits("message-rate") == 22


# Addresses.


def forwarded(name):
    return (f"X-Forwarded-For: {name}",)


PROXIED = ("--trusted-proxies", "127.0.0.0/8")


@pytest.mark.parametrize(
    "first, same, other",
    [
        ("203.0.113.7", "203.0.113.7", "203.0.113.8"),
        ("2001:db8::1", "2001:db8::ffff:2", "2001:db8:0:1::1"),
        ("203.0.113.7", "::ffff:203.0.113.7", "::ffff:203.0.113.8"),
    ],
)
def test_behind_a_proxy_each_client_address_is_counted(front, first, same, other):
    one = front("--max-connections-per-address", "2", *PROXIED)
    one.tab(headers=forwarded(first)).expect(type="connection")
    second = one.tab(headers=forwarded(same))
    second.expect(type="connection")
    closed = one.tab(headers=forwarded(first)).wait_closed()
    assert (closed.code, closed.reason) == (4409, "too many connections from this address")
    one.tab(headers=forwarded(other)).expect(type="connection")
    second.close()

    def is_let_in():
        tab = one.tab(headers=forwarded(same))
        try:
            return tab.expect(type="connection")
        except Closed:
            return None

    wait_until(is_let_in, "room for one more connection")


def test_what_a_client_adds_to_the_header_changes_nothing(front):
    """The proxy appends whom it has seen; whatever stands left of that nobody vouches for."""
    one = front("--max-connections-per-address", "1", *PROXIED)
    one.tab(headers=forwarded("6.6.6.1, 203.0.113.7")).expect(type="connection")
    for spoofed in ("6.6.6.2, 203.0.113.7", "6.6.6.3,203.0.113.7", "garbage, 203.0.113.7"):
        assert one.tab(headers=forwarded(spoofed)).wait_closed().code == 4409
    headers = ("Forwarded: for=6.6.6.6", "X-Real-IP: 6.6.6.6", *forwarded("203.0.113.7"))
    assert one.tab(headers=headers).wait_closed().code == 4409


def test_without_a_trusted_proxy_no_header_is_believed(front):
    one = front("--max-connections-per-address", "1", *COUNT_ME)
    one.tab(headers=forwarded("203.0.113.1")).expect(type="connection")
    assert one.tab(headers=forwarded("203.0.113.2")).wait_closed().code == 4409
    one.bridge.wait_line("limit=max-connections-per-address addr=127.0.0.1")


def test_behind_a_proxy_who_asks_too_often_gets_429_and_when_to_come_back(front):
    one = front("--connect-rate", "1", "--connect-burst", "3", *PROXIED)
    mallory, alice = b"X-Forwarded-For: 203.0.113.7\r\n", b"X-Forwarded-For: 203.0.113.8\r\n"
    answer = until_refused(lambda: one.get(headers=mallory), lambda answer: status(answer) != 200, free=3)
    assert status(answer) == 429 and error_code(answer) == "RATE_LIMITED"
    assert re.search(rb"Retry-After: [12]\r\n", answer)

    def shake_hands():
        try:
            one.tab(headers=forwarded("203.0.113.7"))
            return 101
        except Refused as refused:
            return refused.status

    assert until_refused(shake_hands, lambda status: status != 101, free=0) == 429
    assert status(one.get(headers=alice)) == 200
    assert status(one.get()) == 200, "the proxy itself is not counted"


def test_who_has_far_too_many_connections_is_not_even_answered(front):
    one = front("--max-connections-per-address", "1", *COUNT_ME)
    silent = [socket.create_connection(("127.0.0.1", one.port)) for _ in range(33)]
    try:
        # Those before are accepted in turn, so this one is over the limit and what is beside it.
        wait_until(lambda: one.get() == b"", "being closed at once")
    finally:
        for sock in silent:
            sock.close()
    wait_until(lambda: one.get() != b"", "being answered again")


PROXY_LISTENERS = [
    ("127.0.0.1", b"PROXY TCP4 203.0.113.7 127.0.0.1 1 2\r\n", b"PROXY TCP4 203.0.113.8 127.0.0.1 1 2\r\n"),
    ("[::1]", b"PROXY TCP6 2001:db8::7 ::1 1 2\r\n", b"PROXY TCP6 2001:db8:1::8 ::1 1 2\r\n"),
]  # fmt: skip


@pytest.mark.parametrize("address, mine, others", PROXY_LISTENERS)
def test_behind_the_proxy_protocol_each_client_address_is_counted(front, address, mine, others):
    port = free_port()
    one = front("--connect-rate", "1", "--connect-burst", "2", "--listen", f"{address}:{port},proxy")
    request = HOST % (b"/healthz", b"Connection: close\r\n")

    def ask(header):
        with socket.create_connection((address.strip("[]"), port), timeout=60) as sock:
            sock.sendall(header + request)
            return read_all(sock)

    until_refused(lambda: ask(mine), lambda answer: answer == b"", free=2)
    assert status(ask(others)) == 200
    assert status(ask(b"PROXY UNKNOWN\r\n")) == 200, "the proxy itself is on this machine"
    one.bridge.wait_line(r"limit=connect-rate addr=(203\.0\.113\.7|2001:db8::/64)")


def test_an_ipv6_client_is_counted_by_its_network(front):
    port = free_port()
    one = front("--max-connections-per-address", "1", *COUNT_ME, "--listen", f"[::1]:{port}")
    first = WsClient(port, address="::1")
    second = WsClient(port, address="::1")
    one.open += [first, second]
    first.expect(type="connection")
    assert second.wait_closed().code == 4409
    one.bridge.wait_line("limit=max-connections-per-address addr=::/64")
    one.tab().expect(type="connection")


def test_silent_peers_of_a_listener_with_proxy_protocol_count_as_connections(front):
    port = free_port()
    one = front("--max-connections", "2", "--listen", f"127.0.0.1:{port},proxy")
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(2 + 32)]
    try:
        wait_until(lambda: one.get() == b"", "being over the limit")
    finally:
        for sock in silent:
            sock.close()
    wait_until(lambda: one.get() != b"", "room again")
    assert one.hits("max-connections") > 0


def test_very_many_addresses_cost_no_more_than_what_is_remembered(front):
    """An address that has asked once is forgotten after a second: so all ask at once, and again if that was not at once."""

    def are_forgotten(_):
        one = front("--max-addresses", "100", "--connect-rate", "1", *PROXIED)
        froms = [b"X-Forwarded-For: 10.0.%d.%d\r\n" % (n // 256, n % 256) for n in range(300)]
        answers = one.http(b"".join(HOST % (b"/healthz", one_from) for one_from in froms[:-1]) + HOST % (b"/healthz", froms[-1] + b"Connection: close\r\n"))
        assert re.findall(rb"HTTP/1.1 (\d+)", answers) == [b"200"] * 300
        assert one.hits("max-addresses") == 200

    at_some_pace(are_forgotten, 1)
