"""Socket.IO over polling, each request at another bridge than the one before."""

import http.client
import itertools
import json
import signal
import socket
import threading
import time

import pytest

import tokens
from module_helpers import call
from nginx import Nginx
from poller import Poller
from servers import Bridge, at_some_pace, wait_until
from tcp_proxy import TcpProxy
from ws_client import WsClient

UNKNOWN = {"code": 1, "message": "Session ID unknown"}


@pytest.fixture
def bridges(programs, redis_server):
    return [programs.bridge(redis_server) for _ in range(2)]


@pytest.fixture
def alice(bridges):
    return Poller(*(bridge.port for bridge in bridges), query="user=alice")


def box_of(server, poller):
    return server.client().hgetall(f"eio:{{{poller.sid}}}")


def wait_held(server, poller):
    wait_until(lambda: "h" in box_of(server, poller), "a GET that is held")


class Held(threading.Thread):
    """A GET under way: .done() waits for (status, body), or what became of it."""

    def __init__(self, poller, **options):
        super().__init__(daemon=True)
        self.poller, self.options, self.result = poller, options, None
        self.start()

    def run(self):
        try:
            self.result = self.poller.request("GET", sid=self.poller.sid, **self.options)
        except (OSError, http.client.HTTPException) as error:
            self.result = error

    def done(self):
        self.join(60)
        return self.result


def test_everything_arrives_once_and_in_order_whichever_bridge_is_asked(alice, redis_server):
    alice.join()
    client = redis_server.client()
    for n in range(60):
        call(client, "NOTIFY.SEND", "inbox:alice", f"n{n}")
    assert [alice.event("notification")["title"] for _ in range(60)] == [f"n{n}" for n in range(60)]


def test_what_is_published_while_nobody_polls_is_there_at_the_next_poll(alice, redis_server):
    alice.join()
    for n in range(20):
        call(redis_server.client(), "NOTIFY.SEND", "inbox:alice", f"n{n}")
        assert alice.event("notification")["title"] == f"n{n}"


def test_an_event_is_acknowledged_once_though_another_bridge_holds_the_poll(alice):
    alice.join()
    for _ in range(20):
        assert alice.ask("ping")["type"] == "pong"


def test_one_answer_has_no_more_packets_than_clients_take(alice, redis_server):
    alice.join()
    for n in range(40):
        call(redis_server.client(), "NOTIFY.SEND", "inbox:alice", f"n{n}")
    got = []
    while len(got) < 40:
        packets = alice.poll()
        assert len(packets) <= 16
        got += [json.loads(packet[2:])[1]["title"] for packet in packets if packet.startswith('42["notification"')]
    assert got == [f"n{n}" for n in range(40)]


def test_who_polls_is_there_all_the_time_and_nobody_sees_him_come_and_go(alice, redis_server, listen):
    presence = listen(redis_server, "sessions:alice")
    alice.join()
    for n in range(10):
        call(redis_server.client(), "NOTIFY.SEND", "inbox:alice", f"n{n}")
        alice.event("notification")
    assert [message["type"] for message in presence.messages()] == ["presence"]
    assert redis_server.client().execute_command("NOTIFY.SESSION", "COUNT", "sessions:alice") == 1


def test_who_asks_for_more_at_once_than_an_answer_holds_does_not_wait_for_the_first(alice):
    alice.join()
    seconds = []
    for round_ in range(2):
        alice.post(*(f'42{n}["subscribe_session",{{"session_id":"s{round_}-{n}"}}]' for n in range(40)))
        began = time.monotonic()
        packets = alice.poll()
        seconds.append(time.monotonic() - began)
        while len(packets) < 40:
            packets += alice.poll()
        answers = {packet.partition("[")[0]: json.loads(packet[packet.index("[") :])[0] for packet in packets}
        assert {f"43{n}": "subscribed" for n in range(40)} == {number: answer["type"] for number, answer in answers.items()}
    assert min(seconds) < 1.9  # as long as it would wait for an answer that does not come


def test_a_session_that_is_not_known_is_answered_as_the_official_server_does(bridges):
    for sid in ("abcdefghijklmnopqrst", "short", "x" * 200):
        for method, body in (("GET", None), ("POST", b"3")):
            status, text = Poller(bridges[0].port).request(method, body, sid=sid)
            assert (status, json.loads(text)) == (400, UNKNOWN)


def test_a_get_that_is_repeated_at_another_bridge_gets_the_same_bytes(alice, bridges, redis_server):
    alice.join()
    call(redis_server.client(), "NOTIFY.SEND", "inbox:alice", "once")
    conn = [http.client.HTTPConnection("127.0.0.1", bridge.port, timeout=60) for bridge in bridges]
    bodies = []
    for one in conn:
        one.request("GET", f"/socket.io/?EIO=4&transport=polling&user=alice&t=again&sid={alice.sid}")
        bodies.append(one.getresponse().read())
        one.close()
    assert b"once" in bodies[0] and bodies[0] == bodies[1]


def test_behind_nginx_nobody_notices_that_the_bridge_is_killed_that_holds_his_poll(bridges, redis_server, programs, tmp_path):
    nginx = programs.add(Nginx(str(tmp_path), bridges))
    nginx.start()
    alice = Poller(nginx.port, query="user=alice")
    alice.join()
    alice.packets.clear()
    for killed in (0, 1, 0, 1):
        held = Held(alice)
        wait_held(redis_server, alice)
        bridges[killed].kill9()
        call(redis_server.client(), "NOTIFY.SEND", "inbox:alice", f"after {killed}")
        status, body = held.done()
        assert status == 200, (status, body)
        alice.packets += body.split("\x1e")
        assert alice.event("notification")["title"] == f"after {killed}"
        bridges[killed].start()


def test_a_bridge_that_is_killed_with_a_poll_in_its_hand_loses_nothing(alice, bridges, redis_server):
    alice.join()
    for _ in range(3):
        while alice.packets:
            alice.packets.clear()
        held = Held(alice, port=bridges[0].port)
        wait_held(redis_server, alice)
        bridges[0].kill9()
        assert isinstance(held.done(), Exception)
        call(redis_server.client(), "NOTIFY.SEND", "inbox:alice", "after")
        while not any('"after"' in packet for packet in alice.packets):
            alice.packets += alice.poll(port=bridges[1].port)
        bridges[0].start()


def test_a_bridge_that_says_that_it_is_ready_answers_polls(alice, programs, redis_server):
    """It was ready before Redis had confirmed the channel without which it answers none."""
    alice.join()
    proxy = TcpProxy(redis_server.port)
    try:
        proxy.delay(b"notify-bridge:subscriber", 0.3)
        late = programs.add(Bridge(proxy, name="late")).start()
        call(redis_server.client(), "NOTIFY.SEND", "inbox:alice", "for you")
        alice.packets += alice.poll(port=late.port)
        assert alice.event("notification")["title"] == "for you"
    finally:
        proxy.close()


def test_a_bridge_that_ends_hands_over_what_it_holds_and_nobody_sees_it(alice, bridges, redis_server, listen):
    alice.join()
    held = Held(alice, port=bridges[0].port)
    wait_held(redis_server, alice)
    presence = listen(redis_server, "sessions:alice")
    bridges[0].terminate()
    assert held.done() == (200, "6")
    call(redis_server.client(), "NOTIFY.SEND", "inbox:alice", "after")
    got = []
    while not any('"after"' in packet for packet in got):
        got += alice.poll(port=bridges[1].port)
    assert "disconnected" not in str(got)
    assert presence.messages() == []


def test_the_last_bridge_tells_those_who_poll_that_it_ends_and_leaves_nothing_of_them(alice, bridges, redis_server):
    bridges[1].terminate()
    bob = Poller(bridges[0].port, query="user=bob")
    bob.join({"recovery": True})
    held = Held(bob)
    wait_held(redis_server, bob)
    bridges[0].terminate()
    status, body = held.done()
    said = [json.loads(packet[2:]) for packet in body.split("\x1e")]
    assert status == 200 and [args[:2] for args in said] == [["disconnected", {"reason": "restarting"}]], body
    client = redis_server.client()
    assert not client.exists("sessions:bob") and not box_of(redis_server, bob)
    assert client.keys("sio:*"), "he may be recovered by the next bridge"


def test_a_bridge_that_ends_while_redis_says_nothing_tells_those_who_poll_all_the_same(programs, redis_server):
    bridge = programs.bridge(redis_server)
    bob = Poller(bridge.port, query="user=bob")
    bob.join()
    held = Held(bob)
    wait_held(redis_server, bob)
    bridge.metrics()  # a turn of its loop later: it has heard so, too
    redis_server.proc.send_signal(signal.SIGSTOP)
    try:
        bridge.proc.send_signal(signal.SIGTERM)
        status, body = held.done()
    finally:
        redis_server.proc.send_signal(signal.SIGCONT)
    assert bridge.wait() == 0
    assert status == 200 and body.startswith('42["disconnected"'), body


def test_two_gets_at_once_end_the_session_wherever_they_are(alice, bridges, redis_server):
    alice.join()
    held = Held(alice, port=bridges[0].port)
    wait_held(redis_server, alice)
    assert alice.request("GET", sid=alice.sid, port=bridges[1].port)[0] == 400
    assert held.done() == (200, "1")
    assert alice.request("GET", sid=alice.sid)[0] == 400


def test_who_closes_at_one_bridge_is_let_go_of_at_the_other(alice, bridges, redis_server):
    alice.join()
    held = Held(alice, port=bridges[0].port)
    wait_held(redis_server, alice)
    alice.post("1", port=bridges[1].port)
    assert held.done() == (200, "6")
    assert alice.request("GET", sid=alice.sid)[0] == 400
    wait_until(lambda: not redis_server.client().exists("sessions:alice"), "his place to be given up")


def places_of(server, user):
    return server.client().execute_command("NOTIFY.SESSION", "COUNT", f"sessions:{user}", "CONNECTIONS")


def test_who_closes_between_two_polls_is_gone_at_once_and_leaves_no_box(alice, redis_server):
    alice.join()
    assert places_of(redis_server, "alice") == 1
    alice.post("1")
    wait_until(lambda: not redis_server.client().exists("sessions:alice"), "his place to be given up")
    wait_until(lambda: not box_of(redis_server, alice), "the end of his box")
    assert alice.request("GET", sid=alice.sid)[0] == 400


@pytest.mark.parametrize("held", [True, False])
def test_what_was_said_before_the_close_is_done(alice, bridges, redis_server, held):
    alice.join()
    client = redis_server.client()
    id_ = call(client, "NOTIFY.SEND", "inbox:alice", "x")
    assert call(client, "NOTIFY.UNREAD", "inbox:alice") == 1
    alice.event("notification")
    if held:
        poll = Held(alice)
        wait_held(redis_server, alice)
    alice.post("42" + json.dumps(["mark_read", {"ids": [id_]}]))
    alice.post("41", "1")
    wait_until(lambda: call(client, "NOTIFY.UNREAD", "inbox:alice") == 0, "it is read")
    if held:
        assert poll.done()[0] == 200


def test_who_closes_between_two_polls_without_leaving_may_be_recovered_and_who_left_is_not(alice, redis_server):
    for packets, kept in ((["1"], 1), (["41", "1"], 0)):
        alice.open()
        alice.post('40{"recovery":true}')
        pid = json.loads(alice.next("40")[2:])["pid"]
        alice.event("connected")
        alice.post(*packets)
        wait_until(lambda: not redis_server.client().exists("sessions:alice"), "his place to be given up")
        assert redis_server.client().exists("sio:{%s}" % pid) == kept
        alice.packets.clear()


def test_who_vanishes_while_his_get_still_asks_for_the_box_is_let_go_of(alice, bridges, redis_server):
    alice.join()
    client = redis_server.client()
    client.execute_command("CLIENT", "PAUSE", 500, "ALL")
    with socket.create_connection(("127.0.0.1", bridges[0].port)) as connection:
        connection.sendall(f"GET /socket.io/?EIO=4&transport=polling&user=alice&sid={alice.sid} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    wait_until(lambda: not client.exists("sessions:alice"), "his place to be given up")
    assert alice.request("GET", sid=alice.sid)[0] == 400


@pytest.mark.parametrize("held", [True, False])
@pytest.mark.parametrize("case", ["a packet that is none", "too much"])
def test_who_breaks_the_rules_is_let_go_of_at_once_whether_a_poll_is_held_or_not(case, held, programs, redis_server):
    bridge = programs.bridge(redis_server, "--max-message-bytes", "1000")
    bob = Poller(bridge.port, query="user=bob")
    bob.join()
    if held:
        poll = Held(bob)
        wait_held(redis_server, bob)
    body = b"abc" if case == "a packet that is none" else b"4" * 2000
    assert bob.request("POST", body, sid=bob.sid)[0] == (400 if len(body) < 1000 else 413)
    wait_until(lambda: not redis_server.client().exists("sessions:bob"), "his place to be given up")
    if held:
        assert poll.done() == (200, "6")
    assert bob.request("GET", sid=bob.sid)[0] == 400


def test_a_poller_that_vanishes_is_forgotten_with_its_box(programs, redis_server):
    def is_forgotten(unit_s):
        times = "--socketio-ping-interval", f"{int(300 * unit_s)}ms", "--socketio-ping-timeout", f"{int(200 * unit_s)}ms"
        alice = Poller(programs.bridge(redis_server, *times).port, query="user=alice").open()
        alice.request("POST", b"40", sid=alice.sid)
        assert box_of(redis_server, alice)
        wait_until(lambda: not box_of(redis_server, alice), "the end of its box")
        assert alice.request("GET", sid=alice.sid)[0] == 400

    at_some_pace(is_forgotten, 1)


def test_without_redis_polls_are_answered_at_once_so_that_clients_come_back(programs, redis_server):
    bridge = programs.bridge(redis_server)
    alice = Poller(bridge.port, query="user=alice")
    alice.join()
    redis_server.kill9()
    bridge.wait_line("redis_link_down")
    began = time.monotonic()
    assert [alice.request(method, body, sid=alice.sid)[0] for method, body in (("GET", None), ("POST", b"3"))] == [503, 503]
    assert alice.request("GET")[0] == 503
    assert time.monotonic() - began < 30


def test_who_is_polled_by_two_versions_comes_back_anew(alice, redis_server):
    alice.join()
    key = f"eio:{{{alice.sid}}}"
    redis_server.client().hset(key, "v", "2")
    status, text = alice.request("GET", sid=alice.sid)
    assert (status, json.loads(text)) == (400, UNKNOWN)
    assert redis_server.client().hget(key, "v") == "2"
    assert alice.join()["user_id"] == "alice"


@pytest.mark.parametrize("state", ["", "x", "{", "[]", '{"v":1}', "\x00", '{"v":99}', "9" * 1000])
def test_whatever_lies_in_a_box_the_bridge_lives_and_its_client_comes_back(state, alice, bridges, redis_server):
    alice.join()
    redis_server.client().hset(f"eio:{{{alice.sid}}}", "s", state)
    held = Held(alice)
    call(redis_server.client(), "NOTIFY.SEND", "inbox:alice", "x")
    alice.request("POST", b"1", sid=alice.sid)
    result = held.done()
    assert isinstance(result, tuple), result
    assert alice.join()["user_id"] == "alice"


def test_a_batch_of_messages_in_one_post_is_done_in_order(alice):
    alice.join()
    alice.post(*(f'42{n}["ping",{{}}]' for n in range(10)))
    assert [alice.next("43")[:3] for _ in range(10)] == [f"43{n}" for n in range(10)]


def test_who_goes_on_from_where_he_was_is_told_once_that_this_was_all_and_not_before(bridges, redis_server):
    client = redis_server.client()
    first, *missed = [call(client, "NOTIFY.SEND", "topic:all", f"n{n}") for n in range(4)]
    for n in range(20):
        alice, heard = Poller(*(bridge.port for bridge in bridges), query=f"user=alice{n}").open(), []
        alice.post("40" + json.dumps({"offset": {"topic:all": first}}))
        while not any(name == "connected" for name, _ in heard):
            heard.append(json.loads(alice.next("42")[2:]))
        call(client, "NOTIFY.SEND", f"inbox:alice{n}", "last")
        while heard[-1][1].get("title") != "last":
            heard.append(json.loads(alice.next("42")[2:]))
        told = [data["id"] if name == "notification" else name for name, data in heard]
        assert [one for one in told if one in ("resumed", *missed)] == [*missed, "resumed"], told


def send(server, *args):
    call(server.client(), "NOTIFY.SEND", "inbox:alice", *args)


def say(server, n):
    """Something that is not stored."""
    call(server.client(), "NOTIFY.EVENT", "inbox:alice", "note", "DATA", json.dumps({"n": n}), "NOSTORE")


def keeper_of(server, poller):
    return box_of(server, poller).get("k")


def test_what_is_not_stored_reaches_who_is_just_between_two_polls_wherever_the_next_one_comes(alice, bridges, redis_server):
    alice.join()
    for n in range(8):
        say(redis_server, n)
        assert alice.event("note")["n"] == n
    assert "gap" not in str(alice.packets)


def test_changes_of_state_between_two_polls_are_told_at_the_next(alice, redis_server):
    alice.join()
    send(redis_server, "one")
    entry = alice.event("notification")["id"]
    call(redis_server.client(), "NOTIFY.READ", "inbox:alice", entry)
    assert alice.event("read")["key"] == "inbox:alice"


def test_much_that_is_not_stored_waits_in_order_for_the_next_poll(alice, redis_server):
    alice.join()
    for n in range(50):
        say(redis_server, n)
    assert [alice.event("note")["n"] for _ in range(50)] == list(range(50))


def test_one_bridge_keeps_a_session_whichever_answers_its_polls(alice, redis_server):
    alice.join()
    keepers = set()
    for n in range(6):
        send(redis_server, f"n{n}")
        assert alice.event("notification")["title"] == f"n{n}"
        keepers.add(keeper_of(redis_server, alice))
    assert len(keepers) == 1 and None not in keepers


def test_what_may_be_missed_when_the_bridge_is_killed_that_kept_the_session_is_told(alice, bridges, redis_server):
    alice.join()
    while alice.packets:
        alice.packets.clear()
    bridges[0].kill9(), bridges[1].kill9()
    bridges[0].start(), bridges[1].start()
    assert alice.event("gap") == {"type": "gap", "reason": "between_polls", "keys": None}
    send(redis_server, "after")
    assert alice.event("notification")["title"] == "after"


def test_a_session_is_given_away_when_its_client_does_not_poll_for_a_while_and_nothing_is_lost(alice, redis_server):
    alice.join()
    say(redis_server, 1)
    wait_until(lambda: keeper_of(redis_server, alice) is None, "the end of its being kept")
    assert alice.event("note")["n"] == 1


def test_who_comes_with_another_token_is_judged_anew(programs, redis_server):
    bridge = programs.bridge(redis_server, "--auth", "jwt", "--jwt-secret", tokens.SECRET)
    alice = Poller(bridge.port, query="token=" + tokens.hs(tokens.claims("alice", 3600)))
    assert alice.join()["user_id"] == "alice"
    alice.query = "token=" + tokens.hs({**tokens.claims("alice", 3600), "exp": 1})
    assert "disconnected" in str(alice.poll())


def test_what_comes_while_both_bridges_of_a_session_end_is_not_lost(programs, redis_server, listen):
    """Who had the GET has answered it with nothing, and who keeps the session was told of something in the turn in which it
    gave that away."""
    proxy = TcpProxy(redis_server.port)
    keeper = programs.add(Bridge(proxy, name="keeper")).start()
    other, third = programs.bridge(redis_server), programs.bridge(redis_server)
    alice = Poller(keeper.port, query="user=alice")
    try:
        alice.join()
        held = Held(alice, port=other.port)
        wait_until(lambda: "h" in box_of(redis_server, alice), "a GET elsewhere")
        keeper.metrics(), keeper.metrics()  # it was told, and has looked
        other.terminate()
        assert held.done() == (200, "6")
        asked = listen(redis_server, "eio:bridges")
        proxy.hold(b"notify-bridge")
        send(redis_server, "just now")
        keeper.proc.send_signal(signal.SIGTERM)
        wait_until(asked.raw, "its asking who else is there")
        keeper.proc.send_signal(signal.SIGSTOP)
        proxy.release(b"notify-bridge")
        time.sleep(0.2)  # until all of it is at its sockets
        keeper.proc.send_signal(signal.SIGCONT)
        assert keeper.wait() == 0
    finally:
        proxy.close()
    send(redis_server, "then")
    while '"then"' not in str(alice.packets):
        alice.packets += alice.poll(port=third.port)
    assert alice.event("notification")["title"] == "just now"


def test_who_is_given_on_before_his_token_is_judged_is_what_he_was_at_the_next_bridge(programs, redis_server, tmp_path):
    """There was more to be said than goes into an answer: what is left goes out at once, and the session back."""
    roles = tmp_path / "roles.conf"
    roles.write_text("role *\n  subscribe *\n")
    options = "--auth", "jwt", "--jwt-secret", tokens.SECRET, "--roles", str(roles)
    bridges = [programs.bridge(redis_server, *options) for _ in range(3)]
    alice = Poller(bridges[0].port, query="token=" + tokens.hs(tokens.claims("alice", 3600)))
    alice.join()
    assert alice.ask("subscribe", topic="news")["type"] == "subscription"
    for n in range(40):
        send(redis_server, f"n{n}")
    assert len(alice.poll()) == 16
    bridges[0].kill9()
    assert len(alice.poll(port=bridges[1].port)) == 16
    bridges[1].kill9()
    call(redis_server.client(), "NOTIFY.SEND", "topic:news", "news")
    titles = []
    while "news" not in titles or len(titles) < 9:
        packets = [json.loads(packet[2:]) for packet in alice.poll(port=bridges[2].port) if packet.startswith("42")]
        assert "connected" not in [name for name, *_ in packets]
        titles += [args[0]["title"] for name, *args in packets if name == "notification"]
    assert sorted(titles) == sorted(["news", *(f"n{n}" for n in range(32, 40))])


def test_that_not_all_could_be_had_is_told_by_who_goes_on_if_its_bridge_has_not_come_to_say_so(programs, redis_server):
    """It would, once all that its client lacks has been said."""
    bridges = [programs.bridge(redis_server, "--outbox-bytes", "4096") for _ in range(2)]
    client = redis_server.client()
    for n in range(3):
        call(client, "NOTIFY.SEND", "topic:short", f"s{n}", "ID", f"100{n}-0", "MAXLEN", "1")
    for n in range(200):
        call(client, "NOTIFY.SEND", "topic:long", f"l{n}", "CONTENT", "x" * 1000)
    alice = Poller(bridges[0].port, query="user=alice&topics=short,long").open()
    alice.post("40" + json.dumps({"offset": {"topic:short": "1000-0", "topic:long": "0-0"}}))
    while '"s2"' not in str(alice.packets):
        alice.packets += alice.poll()
    assert '"resumed"' not in str(alice.packets)
    bridges[0].kill9()
    while '"l199"' not in str(alice.packets):
        alice.packets += alice.poll(port=bridges[1].port)
    told = [json.loads(packet[2:])[1] for packet in alice.packets if packet.startswith('42["resumed"')]
    assert [one["results"]["topic:short"]["recovered"] for one in told if "topic:short" in one["results"]] == [False]


def refuse_writes(server):
    """What would take memory is refused: no box can be given back."""
    server.client().config_set("maxmemory", "1")


def take_writes(server):
    server.client().config_set("maxmemory", "0")


def test_a_get_elsewhere_is_answered_soon_when_redis_did_not_take_what_the_keeper_gave_for_it(bridges, redis_server, listen):
    keeper, other = bridges
    alice = Poller(keeper.port, query="user=alice")
    alice.join()
    presence = listen(redis_server, "sessions:alice")
    send(redis_server, "one")
    entry = alice.event("notification")["id"]
    held = Held(alice, port=other.port)
    wait_held(redis_server, alice)
    keeper.metrics(), keeper.metrics()  # it was told, and has looked
    refuse_writes(redis_server)
    call(redis_server.client(), "NOTIFY.READ", "inbox:alice", entry)
    keeper.wait_line("poll_failed")
    take_writes(redis_server)
    began = time.monotonic()
    status, body = held.done()
    assert status == 200 and '"between_polls"' in body, (status, body)
    assert time.monotonic() - began < 20  # it would be pinged then, and over 20 s after that
    alice.packets = body.split("\x1e")
    send(redis_server, "two")
    while '"two"' not in str(alice.packets):
        alice.packets += alice.poll(port=other.port)
    assert '"one"' not in str(alice.packets)
    assert presence.messages() == [] and places_of(redis_server, "alice") == 1


def test_who_polls_again_is_served_soon_when_redis_did_not_take_his_session_from_who_kept_it(bridges, redis_server):
    alice = Poller(bridges[0].port, query="user=alice")
    alice.join()
    refuse_writes(redis_server)
    bridges[0].wait_line("poll_failed")
    take_writes(redis_server)
    began = time.monotonic()
    alice.packets += alice.poll()
    assert alice.event("gap")["reason"] == "between_polls"
    assert time.monotonic() - began < 15  # his session would be over without a pong


def test_who_is_just_being_answered_when_a_bridge_ends_is_handed_over_and_nobody_sees_it(programs, redis_server, listen):
    proxy = TcpProxy(redis_server.port)
    ends, stays = programs.add(Bridge(proxy, name="ends")).start(), programs.bridge(redis_server)
    pollers = {user: Poller(ends.port, query=f"user={user}") for user in ("alice", "bob")}
    try:
        held = {}
        for user, poller in pollers.items():
            poller.join()
            held[user] = Held(poller)
            wait_held(redis_server, poller)
        ends.metrics(), ends.metrics()  # it has heard so
        presence = [listen(redis_server, f"sessions:{user}") for user in pollers]
        asked = listen(redis_server, "eio:bridges")
        proxy.hold(b"notify-bridge:commands")
        ends.proc.send_signal(signal.SIGTERM)
        wait_until(asked.raw, "its asking who else is there")
        for user, poller in pollers.items():
            call(redis_server.client(), "NOTIFY.SEND", f"inbox:{user}", "just now")
            wait_until(lambda: "h" not in box_of(redis_server, poller), "its giving back what it answers")
        proxy.release(b"notify-bridge:commands")
        for user, poller in pollers.items():
            status, body = held[user].done()
            assert status == 200 and '"just now"' in body, (status, body)
            poller.packets = body.split("\x1e")
            call(redis_server.client(), "NOTIFY.SEND", f"inbox:{user}", "then")
            while '"then"' not in str(poller.packets):
                poller.packets += poller.poll(port=stays.port)
            assert "disconnected" not in str(poller.packets)
            assert str(poller.packets).count("just now") == 1
        assert ends.wait() == 0
    finally:
        proxy.close()
    assert [one.messages() for one in presence] == [[], []]


def test_what_was_asked_for_before_the_greeting_stands_wherever_the_session_goes_on(programs, redis_server):
    """Its place in a session set is waited for, so it is not greeted; what it asks for meanwhile is answered."""
    client = redis_server.client()
    call(client, "NOTIFY.SEND", "topic:news", "before")
    proxy = TcpProxy(redis_server.port)
    slow, other = programs.add(Bridge(proxy, name="slow")).start(), programs.bridge(redis_server)
    alice = Poller(slow.port, query="user=alice").open()
    try:
        proxy.hold(b"eio:bridges")  # the link that hears of sessions
        alice.post(
            "40",
            '420["subscribe",{"topic":"news","last_id":"0-0"}]',
            '421["subscribe_session",{"session_id":"s1"}]',
            '422["unsubscribe_category",{"category":"ops"}]',
        )
        while sum(packet.startswith(("430[", "431[", "432[")) for packet in alice.packets) < 3:
            alice.packets += alice.poll()
        assert '"connected"' not in str(alice.packets) and '"UNAVAILABLE"' not in str(alice.packets)
        slow.kill9()
    finally:
        proxy.close()
    alice.ports = itertools.repeat(other.port)
    call(client, "NOTIFY.SEND", "topic:news", "between")
    while '"connected"' not in str(alice.packets):
        alice.packets += alice.poll()
    call(client, "NOTIFY.SEND", "topic:all", "noise", "CATEGORY", "ops")
    sent = {"session:s1": ["of the session"], "topic:news": ["after"], "topic:all": ["loud"], "inbox:alice": ["mine"]}
    for key, (title,) in sent.items():
        call(client, "NOTIFY.SEND", key, title)
    sent["topic:news"] = ["before", "between", "after"]
    got = {}
    while sum(map(len, got.values())) < 6:
        for packet in alice.packets:
            if packet.startswith('42["notification"'):
                entry = json.loads(packet[2:])[1]
                got.setdefault(entry["key"], []).append(entry["title"])
        alice.packets = alice.poll() if sum(map(len, got.values())) < 6 else []
    assert got == sent


def test_what_is_posted_while_redis_does_not_answer_who_holds_the_poll_is_done_soon_after(programs, redis_server):
    """Who holds the poll is told once that there is something, and cannot have it just then."""
    proxy = TcpProxy(redis_server.port)
    holds, other = programs.add(Bridge(proxy, name="holds")).start(), programs.bridge(redis_server)
    alice = Poller(holds.port, query="user=alice")
    try:
        alice.join()
        held = Held(alice)
        wait_held(redis_server, alice)
        holds.metrics(), holds.metrics()  # it has heard so
        proxy.hold(b"notify-bridge:subscriber")
        alice.post('427["ping",{}]', port=other.port)
        refuse_writes(redis_server)
        proxy.release(b"notify-bridge:subscriber")
        holds.wait_line("poll_failed")
        take_writes(redis_server)
        status, body = held.done()
    finally:
        proxy.close()
    assert status == 200 and body.startswith("437["), (status, body)


def test_who_was_gone_on_with_while_a_bridge_could_not_hear_does_not_lose_his_place_when_it_hears_again(
    programs, redis_server, listen
):
    """The bridge still has him in its memory, and learns that he is not its own any more."""
    proxy = TcpProxy(redis_server.port)
    deaf, other = programs.add(Bridge(proxy, name="deaf")).start(), programs.bridge(redis_server)
    alice = Poller(deaf.port, query="user=alice")
    try:
        alice.join()
        presence = listen(redis_server, "sessions:alice")
        with socket.create_server(("127.0.0.1", 0)) as nobody:
            nowhere = nobody.getsockname()[1]
        proxy.lead_to(nowhere)
        deaf.wait_line("redis_link_down")
        alice.ports = itertools.repeat(other.port)
        assert alice.event("gap")["reason"] == "between_polls"
        proxy.target = redis_server.port
        wait_until(lambda: deaf.metrics()['notify_connections{transport="polling"}'] == 0, "its letting go of him")
        send(redis_server, "after")
        assert alice.event("notification")["title"] == "after"
    finally:
        proxy.close()
    assert presence.messages() == [] and places_of(redis_server, "alice") == 1


def titles_until(last, poller, body, bridge):
    """Of what an answer has told, and those behind it."""
    titles, packets = [], body.split("\x1e")
    while last not in titles:
        told = [json.loads(packet[2:])[1] for packet in packets if packet.startswith('42["notification"')]
        titles += [entry["title"] for entry in told]
        packets = [] if last in titles else poller.poll(port=bridge.port)
    return titles


def test_a_get_that_was_repeated_at_a_bridge_that_is_gone_by_then_is_answered_by_something_where_it_is_held(programs, redis_server):
    keeper, gone = programs.bridge(redis_server), programs.bridge(redis_server)
    alice = Poller(keeper.port, query="user=alice")
    alice.join()
    held = Held(alice, port=keeper.port, t="again")
    wait_held(redis_server, alice)
    first = box_of(redis_server, alice)["h"]
    again = Held(alice, port=gone.port, t="again")
    wait_until(lambda: box_of(redis_server, alice).get("h", first) != first, "its being repeated")
    keeper.metrics(), keeper.metrics()  # it was told, and has looked
    gone.kill9()
    assert isinstance(again.done(), Exception)
    send(redis_server, "one")
    status, body = held.done()
    assert (status, body) == (200, "6")
    send(redis_server, "two")
    assert titles_until("two", alice, body, keeper) == ["one", "two"]


class Copy:
    """Of a session's box, which is put back: Redis has lost what it was told since, as a failover may."""

    def __init__(self, server, poller):
        self.client, self.key = server.client(decode_responses=False), f"eio:{{{poller.sid}}}"
        self.bytes = self.client.dump(self.key)

    def put_back(self):
        self.client.restore(self.key, 30000, self.bytes, replace=True)


def serve_elsewhere(server, poller, bridge):
    """A GET there of a new session, which another one keeps, unless that took too long."""
    while True:
        poller.join()
        held = Held(poller, port=bridge.port)
        wait_held(server, poller)
        if keeper_of(server, poller):
            return held
        send(server, "no")
        held.done()


@pytest.mark.parametrize("where", [0, 1], ids=["where it is kept", "elsewhere"])
def test_what_redis_forgot_to_have_been_answered_is_answered_once_more_to_who_asks_again(bridges, redis_server, where):
    """Who keeps the session in his memory has answered it."""
    alice = Poller(bridges[0].port, query="user=alice")
    alice.join()
    send(redis_server, "unheard")
    for t in map("again{}".format, itertools.count()):
        copy = Copy(redis_server, alice)
        if '"unheard"' in alice.request("GET", sid=alice.sid, port=bridges[0].port, t=t)[1]:
            break
    copy.put_back()
    status, body = alice.request("GET", sid=alice.sid, port=bridges[where].port, t=t)
    assert status == 200, (status, body)
    send(redis_server, "then")
    assert titles_until("then", alice, body, bridges[where]) == ["unheard", "then"]


def test_what_redis_forgot_to_have_been_answered_for_a_get_elsewhere_is_answered_all_the_same(programs, redis_server):
    """It had not come to there; then another server has the box, and who keeps the session has gone on."""
    proxy = TcpProxy(redis_server.port)
    keeper, other = programs.bridge(redis_server), programs.add(Bridge(proxy, name="other")).start()
    alice = Poller(keeper.port, query="user=alice")
    try:
        held = serve_elsewhere(redis_server, alice, other)
        keeper.metrics(), keeper.metrics()  # it was told, and has looked
        proxy.hold(b"eio:bridges")  # the link that hears of sessions
        copy = Copy(redis_server, alice)
        send(redis_server, "unheard")
        wait_until(lambda: "h" not in box_of(redis_server, alice), "its answer")
        copy.put_back()
        proxy.release(b"eio:bridges")
        status, body = held.done()
    finally:
        proxy.close()
    assert status == 200, (status, body)
    send(redis_server, "then")
    assert titles_until("then", alice, body, keeper) == ["unheard", "then"]


def hear_one_more(server, poller, title):
    """A copy of its box from before, and who kept the session then."""
    copy, keeper = Copy(server, poller), keeper_of(server, poller)
    send(server, title)
    poller.event("notification", title=title)
    return copy, keeper


def test_who_has_asked_for_more_has_heard_the_rest_and_sees_nothing_of_what_redis_forgot(alice, bridges, redis_server):
    alice.ports = itertools.repeat(bridges[0].port)
    alice.join()
    for n in itertools.count():
        copy, keeper = hear_one_more(redis_server, alice, f"one{n}")
        held = Held(alice)
        wait_held(redis_server, alice)
        if keeper and keeper == keeper_of(redis_server, alice):  # or it took too long
            break
        send(redis_server, "no")
        alice.packets += held.done()[1].split("\x1e")
    bridges[0].metrics(), bridges[0].metrics()  # it has heard so
    copy.put_back()
    alice.post('427["ping",{}]', port=bridges[1].port)
    status, body = held.done()
    assert status == 200 and body.startswith("437["), (status, body)
    send(redis_server, "two")
    assert titles_until("two", alice, body, bridges[0]) == ["two"]


@pytest.mark.parametrize("place", ["1000-0", "9999-0"], ids=["something comes behind that", "nothing does"])
@pytest.mark.parametrize("killed", [False, True], ids=["here", "elsewhere"])
def test_that_not_all_could_be_had_is_told_though_that_was_known_before_the_greeting(programs, redis_server, killed, place):
    """What tells how it begins waits for the greeting, and goes into no answer before."""
    client = redis_server.client()
    for n in range(3):
        call(client, "NOTIFY.SEND", "topic:short", f"s{n}", "ID", f"100{n}-0", "MAXLEN", "1")
    proxy = TcpProxy(redis_server.port)
    slow, other = programs.add(Bridge(proxy, name="slow")).start(), programs.bridge(redis_server)
    alice = Poller(slow.port, query="user=alice&topics=short").open()
    try:
        proxy.hold(b"eio:bridges")  # the link that hears of sessions
        alice.post("40" + json.dumps({"offset": {"topic:short": place}}), '420["subscribe",{"topic":"other"}]')
        alice.next("430")
        assert '"connected"' not in str(alice.packets)
        if killed:
            slow.kill9()
            alice.ports = itertools.repeat(other.port)
        else:
            proxy.release(b"eio:bridges")
        told = [alice.event("connected")]
        while not (told[-1].get("type") == "resumed" and "topic:short" in told[-1]["results"]):
            told.append(json.loads(alice.next("42")[2:])[1])
    finally:
        proxy.close()
    assert told[-1]["results"]["topic:short"]["recovered"] is False, told
    if place == "1000-0":
        assert "s2" in [one.get("title") for one in told]


def test_what_nobody_has_seen_waits_for_the_greeting_and_comes_behind_it(programs, redis_server):
    proxy = TcpProxy(redis_server.port)
    bridge = programs.add(Bridge(proxy, "--auth", "jwt", "--jwt-secret", tokens.SECRET, name="slow")).start()
    send(redis_server, "unseen")
    alice = Poller(bridge.port, query="token=" + tokens.hs(tokens.claims("alice", 3600))).open()
    try:
        proxy.hold(b"eio:bridges")  # the link that hears of sessions
        alice.post("40", '420["ping",{}]')
        alice.next("430")
        assert '"connected"' not in str(alice.packets)
        proxy.release(b"eio:bridges")
        alice.event("connected")
        send(redis_server, "then")
        assert [alice.event("notification")["title"] for _ in range(2)] == ["unseen", "then"]
    finally:
        proxy.close()


def until_told_gone(poller):
    """Names of the events before it is told that something may be gone of all that it follows."""
    before = []
    while True:
        name, *args = json.loads(poller.next("42")[2:])
        if name == "gap" and (args[0]["reason"], args[0]["keys"]) == ("gone", None):
            return before
        before.append(name)


def test_that_not_all_of_what_was_asked_for_before_the_greeting_could_be_had_is_told_by_who_goes_on(programs, redis_server):
    """Its answer waits for the other key, of which there is more than its client can be sent before it is greeted."""
    client = redis_server.client()
    for n in range(3):
        call(client, "NOTIFY.SEND", "topic:short", f"s{n}", "ID", f"100{n}-0", "MAXLEN", "1")
    for n in range(100):
        call(client, "NOTIFY.SEND", "topic:long", f"l{n}", "CONTENT", "x" * 1000)
    proxy = TcpProxy(redis_server.port)
    slow = programs.add(Bridge(proxy, "--outbox-bytes", "4096", name="slow")).start()
    other = programs.bridge(redis_server, "--outbox-bytes", "4096")
    alice = Poller(slow.port, query="user=alice").open()
    try:
        proxy.hold(b"eio:bridges")  # the link that hears of sessions
        alice.post("40", '420["resume",{"positions":{"topic:short":"1000-0","topic:long":"0-0"}}]')
        assert "UNAVAILABLE" in alice.next("430")
        slow.kill9()
    finally:
        proxy.close()
    alice.ports = itertools.repeat(other.port)
    while '"l99"' not in str(alice.packets):
        alice.packets += alice.poll()
    told = [json.loads(packet[2:])[1] for packet in alice.packets if packet.startswith('42["resumed"')]
    assert False in [one["results"]["topic:short"]["recovered"] for one in told if "topic:short" in one["results"]]


def test_who_was_greeted_in_an_answer_that_redis_forgot_is_told_that_something_may_be_gone(programs, redis_server):
    """It begins anew, and what came since the first greeting is not what it begins with."""
    proxy = TcpProxy(redis_server.port)
    bridge = programs.add(Bridge(proxy, name="slow")).start()
    alice = Poller(bridge.port, query="user=alice&topics=news").open()
    try:
        proxy.hold(b"eio:bridges")  # the link that hears of sessions
        alice.post("40", '420["ping",{}]')
        alice.next("430")
        copy = Copy(redis_server, alice)
        proxy.release(b"eio:bridges")
        alice.event("connected")
        copy.put_back()
        call(redis_server.client(), "NOTIFY.SEND", "topic:news", "between")
        assert "notification" not in until_told_gone(alice)
    finally:
        proxy.close()


def test_a_session_of_which_redis_forgot_that_anything_was_joined_is_over_at_once(alice, bridges, redis_server):
    """Its client has been told that it has joined, and would wait until the time for that is over."""
    alice.ports = itertools.repeat(bridges[0].port)
    alice.open()
    copy = Copy(redis_server, alice)
    alice.post("40")
    alice.next("40")
    alice.event("connected")
    copy.put_back()
    status, body = alice.request("GET", sid=alice.sid)
    assert (status, json.loads(body)) == (400, UNKNOWN)
    wait_until(lambda: not box_of(redis_server, alice), "the end of its box")


def test_a_session_that_goes_over_to_a_websocket_is_told_of_what_redis_forgot(alice, bridges, redis_server):
    alice.ports = itertools.repeat(bridges[0].port)
    alice.join()
    for n in itertools.count():
        copy, keeper = hear_one_more(redis_server, alice, f"one{n}")
        if keeper and keeper == keeper_of(redis_server, alice):  # or it took too long
            break
    copy.put_back()
    ws = WsClient(bridges[1].port, f"/socket.io/?EIO=4&transport=websocket&sid={alice.sid}&user=alice")
    ws.send("2probe")
    assert ws.recv_text() == "3probe"
    ws.send("5")
    while not (text := ws.recv_text()).startswith('42["gap"'):
        pass
    assert json.loads(text[2:])[1]["keys"] == ["inbox:alice", "topic:all"] and '"gone"' in text
    ws.sock.close()
