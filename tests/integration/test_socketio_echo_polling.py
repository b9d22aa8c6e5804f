"""The echo target (tests/echo) as a conformance check expects it: sessions over polling, and their upgrade."""

import http.client
import json
import random
import socket
import threading
import time

import pytest
from echo_target import SEPARATOR, abort, at_its_pace, hasty, target  # noqa: F401  (fixtures)
from patience import WAIT_TIMEOUT_S
from servers import at_some_pace
from ws_client import Closed, Refused

PATHS = ["/engine.io/", "/socket.io/"]


def error(code):
    texts = {0: "Transport unknown", 1: "Session ID unknown", 2: "Bad handshake method", 3: "Bad request", 5: "Unsupported protocol version"}
    return f'{{"code":{code},"message":"{texts[code]}"}}'


# -- the handshake


@pytest.mark.parametrize("path", PATHS)
def test_a_handshake_is_answered_with_the_open_packet(hasty, path):
    answer = hasty.request("GET", f"{path}?EIO=4&transport=polling&t=abc")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/plain; charset=UTF-8"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.body[0] == "0"
    members = json.loads(answer.body[1:])
    assert isinstance(members.pop("sid"), str)
    assert members == {"upgrades": ["websocket"], "pingInterval": 300, "pingTimeout": 200, "maxPayload": 1000000}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "method, query, code",
    [
        ("GET", "transport=polling", 5),
        ("GET", "EIO=abc&transport=polling", 5),
        ("GET", "EIO=3&transport=polling", 5),
        ("GET", "EIO=4", 0),
        ("GET", "EIO=4&transport=abc", 0),
        ("POST", "EIO=4&transport=polling", 2),
        ("PUT", "EIO=4&transport=polling", 2),
        ("GET", "EIO=4&transport=websocket", 3),
        ("GET", "EIO=4&transport=polling&sid=unknown", 1),
        ("POST", "EIO=4&transport=polling&sid=unknown", 1),
        ("GET", "EIO=3&transport=polling&sid=unknown", 3),
    ],
)
def test_a_request_that_asks_wrongly_is_refused_by_the_official_code(target, path, method, query, code):
    answer = target.request(method, f"{path}?{query}", "4x" if method == "POST" and "sid" in query else None)
    assert (answer.status, answer.body) == (400, error(code))
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


# -- the heartbeat


@pytest.mark.parametrize("path", PATHS)
def test_a_silent_session_is_pinged_and_goes_on_as_long_as_it_answers(at_its_pace, path):
    def goes_on(target):
        begin = time.monotonic()
        poll = target.poll(path)
        for n in range(3):
            assert poll.get().body == "2"
            assert time.monotonic() - begin > (n + 1) * target.ping_interval_s - 0.01
            answer = poll.post("3")
            assert (answer.status, answer.body) == (200, "ok")

    at_its_pace(goes_on)


@pytest.mark.parametrize("path", PATHS)
def test_who_is_silent_until_the_deadline_is_unknown(hasty, path):
    poll = hasty.poll(path)
    time.sleep(hasty.ping_interval_s + hasty.ping_timeout_s)
    answer = poll.get()
    assert (answer.status, answer.body) == (400, error(1))


def test_a_get_that_is_held_at_the_deadline_is_refused(at_its_pace):
    def is_refused(target):
        poll = target.poll("/engine.io/")
        assert poll.get().body == "2"
        assert poll.get().status == 400
        assert time.monotonic() - poll.opened_at > target.ping_interval_s + target.ping_timeout_s - 0.02

    at_its_pace(is_refused)


def test_a_pong_while_a_get_is_held_moves_its_deadline(at_its_pace):
    def is_moved(target):
        poll = target.poll("/engine.io/")
        assert poll.get().body == "2"
        held = poll.hold()
        poll.post("3")
        assert held.wait().body == "2"

    at_its_pace(is_moved)


# -- messages


@pytest.mark.parametrize("body", ["4hello", "4test1\x1e4test2\x1e4test3", "4hello\x1ebAQIDBA==", "4\u20ac"])
def test_messages_come_back_in_one_body(target, body):
    poll = target.poll("/engine.io/")
    answer = poll.post(body.encode())
    assert (answer.status, answer.body) == (200, "ok")
    assert poll.get().body == body


def test_a_held_get_is_answered_as_soon_as_there_is_something(target):
    poll = target.poll("/engine.io/")
    held = poll.hold()
    poll.post("4hello")
    assert held.wait().body == "4hello"


def test_at_most_sixteen_packets_are_in_an_answer_and_the_rest_in_the_next_ones(target):
    poll = target.poll("/engine.io/")
    packets = [f"4{i}" for i in range(40)]
    poll.post(SEPARATOR.join(packets))
    bodies = [poll.get().body.split(SEPARATOR) for _ in range(3)]
    assert [len(body) for body in bodies] == [16, 16, 8]
    assert sum(bodies, []) == packets


def test_a_large_packet_goes_alone(target):
    poll = target.poll("/engine.io/")
    large = "4" + "x" * 400000
    poll.post(SEPARATOR.join(["4a", large, "4b"]))
    assert [poll.get().body for _ in range(3)] == ["4a", large, "4b"]


def test_a_body_larger_than_the_payload_limit_is_413_and_ends_the_session(target):
    poll = target.poll("/engine.io/")
    assert poll.post("4" + "x" * 999999).status == 200
    assert poll.get().body == "4" + "x" * 999999
    assert poll.post("4" + "x" * 1000000).status == 413
    assert poll.get().status == 400


@pytest.mark.parametrize("body", ["abc", "", "2", "4a\x1e", "\x1e4a"])
def test_a_payload_against_the_rules_ends_the_session(target, body):
    poll = target.poll("/engine.io/")
    assert poll.post(body).status == 400
    assert poll.get().status == 400


def test_bytes_as_a_body_end_the_session(target):
    poll = target.poll("/engine.io/")
    assert target.request("POST", poll.own, "4a", {"Content-Type": "application/octet-stream"}).status == 400
    assert poll.get().status == 400


# -- the end


@pytest.mark.parametrize("path", PATHS)
def test_a_close_releases_the_held_get_with_a_noop(target, path):
    poll = target.poll(path)
    held = poll.hold()
    assert poll.post("1").status == 200
    assert (held.wait().status, held.answer.body) == (200, "6")
    assert poll.get().status == 400


def test_two_gets_at_once_end_the_session(target):
    poll = target.poll("/engine.io/")
    held = poll.hold()
    assert poll.get().status == 400
    assert (held.wait().status, held.answer.body) == (200, "1")
    assert poll.get().status == 400


def test_a_held_get_whose_client_goes_away_ends_the_session(target):
    poll = target.poll("/engine.io/")
    held = poll.hold()
    abort(held)
    assert poll.get().status == 400


# -- upgrades


@pytest.mark.parametrize("path", PATHS)
def test_a_probe_is_answered_and_gets_at_once_from_then_on(target, path):
    poll = target.poll(path)
    held = poll.hold()
    ws = poll.upgrade()
    ws.send("2probe")
    assert ws.packet() == "3probe"
    assert held.wait().body == "6"
    assert (poll.get().status, poll.get().body) == (200, "6")
    ws.close()


@pytest.mark.parametrize("path", PATHS)
def test_after_the_upgrade_the_websocket_carries_the_session(target, path):
    poll = target.poll(path)
    ws = poll.upgrade()
    ws.send("2probe")
    assert ws.packet() == "3probe"
    ws.send("5")
    ws.send("4hello" if path == "/engine.io/" else "40")
    first = ws.packet_but_ping()
    assert first == "4hello" if path == "/engine.io/" else first.startswith("40{")
    answer = poll.get()
    assert (answer.status, answer.body) == (400, error(3))
    second = poll.upgrade()
    second.is_closed()
    ws.send("4again" if path == "/engine.io/" else '42["message"]')
    packets = [ws.packet_but_ping() for _ in range(1 if path == "/engine.io/" else 2)]
    assert packets[-1] == ("4again" if path == "/engine.io/" else '42["message-back"]')
    ws.close()


def test_binary_and_pings_go_over_the_websocket_after_the_upgrade(at_its_pace):
    def go_over_it(target):
        poll = target.poll("/engine.io/")
        ws = poll.upgrade()
        ws.send("2probe")
        assert ws.packet() == "3probe"
        ws.send("5")
        ws.binary(b"\x01\x02\x03\x04")
        assert ws.packet() == b"\x01\x02\x03\x04"
        for _ in range(2):
            assert ws.packet() == "2"
            ws.send("3")
        ws.close()

    at_its_pace(go_over_it)


def test_what_was_posted_before_the_upgrade_comes_over_the_websocket_in_order(target):
    poll = target.poll("/engine.io/")
    packets = [f"4{i}" for i in range(20)]
    poll.post(SEPARATOR.join(packets))
    assert poll.get().body == SEPARATOR.join(packets[:16])
    ws = poll.upgrade()
    ws.send("2probe")
    assert ws.packet() == "3probe"
    poll.post("4late")
    ws.send("5")
    assert [ws.packet_but_ping() for _ in range(5)] == [*packets[16:], "4late"]
    ws.close()


def test_a_websocket_that_goes_before_the_upgrade_leaves_the_session_where_it_is(target):
    poll = target.poll("/engine.io/")
    ws = poll.upgrade()
    ws.send("2probe")
    assert ws.packet() == "3probe"
    ws.sock.close()
    poll.post("4hello")
    assert poll.packets_but("6", 1) == ["4hello"]


@pytest.mark.parametrize("packet", ["2", "5", "4hello", "probe"])
def test_a_websocket_that_begins_with_anything_but_a_probe_is_closed(target, packet):
    poll = target.poll("/engine.io/")
    ws = poll.upgrade()
    ws.send(packet)
    ws.is_closed()
    poll.post("4hello")
    assert poll.get().body == "4hello"


def test_a_websocket_of_an_unknown_session_is_refused_as_the_official_server_does(target):
    with pytest.raises(Refused) as refused:
        target.websocket("/engine.io/", "EIO=4&transport=websocket&sid=unknown")
    assert (refused.value.status, refused.value.body) == (400, b"Session ID unknown")
    assert b"Content-Type: text/html" in refused.value.head


# -- Socket.IO over polling


def join(poll, namespace=""):
    assert poll.post("40" + namespace).status == 200
    packets = poll.packets(2)
    assert packets[0].startswith("40" + namespace + '{"sid":"')
    assert packets[1] == f'42{namespace}["auth",{{}}]'


def test_who_connects_is_accepted_and_told_what_he_said_in_one_answer(target):
    poll = target.poll("/socket.io/")
    poll.post('40{"token":"123"}')
    accepted, auth = poll.get().body.split(SEPARATOR)
    assert list(json.loads(accepted[2:])) == ["sid"]
    assert auth == '42["auth",{"token":"123"}]'


def test_events_come_back_between_polls_in_each_namespace(target):
    poll = target.poll("/socket.io/")
    join(poll)
    join(poll, "/custom,")
    for prefix in ("", "/custom,"):
        poll.post(f'42{prefix}["message",1,"2",{{"3":[true]}}]')
        poll.post(f'42{prefix}456["message-with-ack",1]')
        assert poll.packets(2) == [f'42{prefix}["message-back",1,"2",{{"3":[true]}}]', f"43{prefix}456[1]"]


def test_a_namespace_that_was_left_is_left_at_the_next_poll_too(target):
    poll = target.poll("/socket.io/")
    join(poll)
    join(poll, "/custom,")
    poll.post('41/custom\x1e42/custom,["message","x"]\x1e42["message","x"]')
    assert poll.packets(1) == ['42["message-back","x"]']
    poll.post('42/custom,["message","x"]\x1e42["message","y"]')
    assert poll.packets(1) == ['42["message-back","y"]']


PLACEHOLDERS = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}'


@pytest.mark.parametrize("bodies", [["{0}\x1ebAQID\x1ebBAUG"], ["{0}", "bAQID", "bBAUG"], ["{0}\x1ebAQID", "bBAUG"]])
def test_attachments_may_come_in_one_post_or_in_several(target, bodies):
    poll = target.poll("/socket.io/")
    join(poll)
    for body in bodies:
        poll.post(body.replace("{0}", '452-["message",' + PLACEHOLDERS + "]"))
    assert poll.packets(3) == [f'452-["message-back",{PLACEHOLDERS}]', "bAQID", "bBAUG"]


def test_a_packet_whose_attachments_come_after_the_next_poll_is_kept(at_its_pace):
    def is_kept(target):
        poll = target.poll("/socket.io/")
        join(poll)
        poll.post('452-["message",' + PLACEHOLDERS + "]\x1ebAQID")
        assert poll.get().body == "2"
        poll.post("3\x1ebBAUG")
        assert poll.packets(3) == [f'452-["message-back",{PLACEHOLDERS}]', "bAQID", "bBAUG"]

    at_its_pace(is_kept)


def test_an_unknown_namespace_is_refused_and_the_session_goes_on(target):
    poll = target.poll("/socket.io/")
    poll.post("40/random")
    assert poll.packets(1) == ['44/random,{"message":"Invalid namespace"}']
    join(poll)


def test_hundreds_of_refusals_are_told_poll_by_poll(target):
    poll = target.poll("/socket.io/")
    poll.post(SEPARATOR.join(f"40/{i}" for i in range(300)))
    assert poll.packets(300) == [f'44/{i},{{"message":"Invalid namespace"}}' for i in range(300)]


@pytest.mark.parametrize("packet", ["4abc", "42{}", '42abc["message"]', "40"])
def test_a_packet_of_socket_io_against_the_rules_ends_the_session(target, packet):
    poll = target.poll("/socket.io/")
    join(poll)
    poll.post(packet)
    poll.get()
    assert poll.get().status == 400


def test_who_joins_nothing_over_polling_is_closed_after_the_connect_timeout(at_its_pace):
    def is_closed(target):
        poll = target.poll("/socket.io/")
        begin = time.monotonic()
        while (answer := poll.get()).status == 200 and time.monotonic() - begin < WAIT_TIMEOUT_S:
            poll.post("3")
        assert answer.status == 400
        assert time.monotonic() - poll.opened_at > target.connect_timeout_s - 0.02

    at_its_pace(is_closed)


def test_sockets_go_on_over_the_websocket_after_an_upgrade(target):
    poll = target.poll("/socket.io/")
    join(poll)
    join(poll, "/custom,")
    ws = poll.upgrade()
    ws.send("2probe")
    assert ws.packet() == "3probe"
    ws.send("5")
    ws.send('420["message-with-ack","a"]')
    ws.send('42/custom,1["message-with-ack","b"]')
    assert [ws.packet_but_ping() for _ in range(2)] == ['430["a"]', '43/custom,1["b"]']
    ws.close()


def test_hundreds_of_events_in_many_posts_are_each_answered_once_and_in_order(target):
    poll = target.poll("/socket.io/")
    join(poll)
    failed = []

    def post():
        for n in range(0, 300, 3):
            body = SEPARATOR.join(f'42{i}["message-with-ack",{i}]' for i in range(n, n + 3))
            if poll.post(body).status != 200:
                failed.append(n)

    posting = threading.Thread(target=post, daemon=True)
    posting.start()
    assert poll.packets(300) == [f"43{i}[{i}]" for i in range(300)]
    posting.join(WAIT_TIMEOUT_S)
    assert not failed


class Wanderer:
    """A session that does whatever comes to its mind, and goes away in the middle of it."""

    def __init__(self, target, seed):
        self.random = random.Random(seed)
        self.poll = target.poll(self.random.choice(PATHS))
        self.helds, self.sockets = [], []

    def hold(self):
        self.helds.append(self.poll.hold())

    def post(self):
        bodies = ["40", "40/custom,", '421["message-with-ack",1]', '42["message"]', "3", "4abc", "1", "40/x\x1e40/y"]
        self.poll.post(self.random.choice(bodies[:5] * 4 + bodies))

    def abort(self):
        if self.helds and self.helds[-1].is_alive() and self.helds[-1].connection.sock is not None:
            self.helds.pop().connection.sock.shutdown(socket.SHUT_RDWR)

    def upgrade(self):
        ws = self.poll.upgrade()
        self.sockets.append(ws)
        for packet in self.random.choice([["2probe"], ["2probe", "5"], ["2probe", "5", "40"], ["5"], []]):
            ws.send(packet)
            if packet == "2probe" and self.random.random() < 0.8:
                ws.recv_frame()

    def vanish(self):
        if self.sockets:
            self.sockets.pop().sock.close()

    def wander(self, steps):
        for _ in range(steps):
            try:
                self.random.choice([self.hold, self.post, self.post, self.abort, self.upgrade, self.vanish])()
            except (Refused, Closed, OSError, http.client.HTTPException):
                pass  # its session is over


def test_whatever_clients_do_and_however_they_go_away_the_target_serves_others(hasty):
    wanderers = [Wanderer(hasty, seed) for seed in range(40)]
    threads = [threading.Thread(target=wanderer.wander, args=(12,), daemon=True) for wanderer in wanderers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_TIMEOUT_S)
        assert not thread.is_alive()
    at_some_pace(lambda _: join(hasty.poll("/socket.io/")), 1)  # within half a second
    assert hasty.program.running()
