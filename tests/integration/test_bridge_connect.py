"""Who a client is, how it is greeted, and what it follows without asking."""

import contextlib
import http.client
import json
import signal
import socket
import urllib.parse

import pytest

from bridge_helpers import ISO_TIME, ids_of, new_name, number_of
from patience import WAIT_TIMEOUT_S
from raw_peer import frame
from servers import wait_until
from ws_client import TEXT, Refused, WsClient

# -- the greeting


def test_the_first_message_is_the_greeting(stand, user):
    tab = stand.tab(f"/ws/tab-1?user={user}", greeted=False)
    greeting = tab.recv()
    assert ISO_TIME.match(greeting.pop("timestamp"))
    assert greeting == {
        "type": "connection",
        "status": "connected",
        "client_id": "tab-1",
        "user_id": user,
        "roles": [],
        "categories": ["*"],
    }


UPGRADE = (
    "GET /ws?user={} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def first_piece(port):
    """What the first read brings of somebody who has asked for a WebSocket."""
    with socket.create_connection(("127.0.0.1", port), timeout=WAIT_TIMEOUT_S) as sock:
        sock.sendall(UPGRADE.format(new_name()).encode())
        return sock.recv(65536)


def test_the_greeting_comes_in_one_piece_with_the_answer_to_the_upgrade(stand):
    """Unless it takes the machine longer than the answer waits."""
    pieces = [first_piece(stand.daemon.port) for _ in range(20)]
    assert all(piece.startswith(b"HTTP/1.1 101 ") for piece in pieces), pieces[0]
    assert any(b'"type":"connection"' in piece for piece in pieces)


def test_while_redis_says_nothing_the_upgrade_is_answered_all_the_same(programs, redis_server):
    bridge = programs.bridge(redis_server)
    redis_server.proc.send_signal(signal.SIGSTOP)
    try:
        tabs = [WsClient(bridge.port, f"/ws?user={new_name()}") for _ in range(5)]
    finally:
        redis_server.proc.send_signal(signal.SIGCONT)
    assert all(tab.recv()["type"] == "connection" for tab in tabs)


def test_who_ends_before_the_upgrade_is_answered_leaves_nothing_behind(programs, redis_server):
    bridge = programs.bridge(redis_server)
    before = bridge.open_fds()
    redis_server.proc.send_signal(signal.SIGSTOP)
    try:
        for _ in range(50):
            with socket.create_connection(("127.0.0.1", bridge.port), timeout=WAIT_TIMEOUT_S) as sock:
                sock.sendall(UPGRADE.format(new_name()).encode())
    finally:
        redis_server.proc.send_signal(signal.SIGCONT)
    wait_until(lambda: bridge.open_fds() <= before, "all of them to be closed")
    assert WsClient(bridge.port, "/ws?user=after").recv()["type"] == "connection"


def test_what_is_said_right_behind_the_request_is_answered(stand, user):
    with socket.create_connection(("127.0.0.1", stand.daemon.port), timeout=WAIT_TIMEOUT_S) as sock:
        sock.sendall(UPGRADE.format(user).encode() + frame(TEXT, b'{"type":"ping"}'))
        heard = b""
        while b'"pong"' not in heard:
            heard += sock.recv(65536)
    assert heard.startswith(b"HTTP/1.1 101 ")


def test_without_a_user_the_client_id_is_the_user(stand):
    assert stand.tab("/ws/solo").greeting["user_id"] == "solo"


@pytest.mark.parametrize("path", ["/ws", "/ws/"])
def test_a_client_without_an_id_gets_one_of_its_own(stand, path):
    first, second = stand.tab(path).greeting, stand.tab(path).greeting
    assert len(first["client_id"]) == 24
    assert first["user_id"] == first["client_id"]
    assert first["client_id"] != second["client_id"]


def test_names_may_be_any_utf8(stand):
    name = "grüße \"😀\" \\ & co" + new_name()
    tab = stand.tab(f"/ws/{urllib.parse.quote('ä b')}?user={urllib.parse.quote(name)}")
    assert (tab.greeting["client_id"], tab.greeting["user_id"]) == ("ä b", name)
    id_ = stand.send(f"inbox:{name}")
    assert tab.recv()["id"] == id_


def test_names_have_at_most_128_bytes(stand):
    tab = stand.tab(f"/ws/{'i' * 128}?user={'u' * 128}")
    assert (tab.greeting["client_id"], tab.greeting["user_id"]) == ("i" * 128, "u" * 128)
    id_ = stand.send(f"inbox:{'u' * 128}")
    assert tab.recv()["id"] == id_


@pytest.mark.parametrize("path", ["/ws/a/b", "/ws//a/b", "/elsewhere", "/wsx", "/ws/a/%2F"])
def test_at_an_unknown_path_the_upgrade_is_refused(stand, path):
    with pytest.raises(Refused) as refused:
        WsClient(stand.daemon.port, path)
    assert refused.value.status == 404
    assert json.loads(refused.value.body)["error"]["code"] == "NOT_FOUND"


BAD_ADDRESSES = [
    *((f"/ws/{id_}", "the client id in the path must have 1 to 128 bytes of UTF-8")
      for id_ in ("i" * 129, "%ff", "a%2Fb", "a%2fb", "100%", "a%0Ab", "%00", "%7F", "%zz", "%e4", "%")),
    *((f"/ws?user={user}", "user must have 1 to 128 bytes of UTF-8")
      for user in ("", "u" * 129, "%ff", "a%00b", "100%", "a%0Ab", "%0d%0aHost:%20x", "%zz", "%", "%4")),
    ("/ws?user", "user must have"),
    ("/ws/tab?topics=a&user=100%&x=y", "user must have"),
    *((f"/ws?topics={topics}", "topics must be names of 1 to 128 bytes of UTF-8")
      for topics in ("t" * 4097, "t" * 129, "a,b%0Ac", "a,%ff", "100%,b")),
    *((f"/ws?channels={channels}", "channels must be names of 1 to 128 bytes of UTF-8")
      for channels in ("t" * 4097, "t" * 129, "a,b%0Ac", "a,%ff", "100%,b")),
    *((f"/ws?{names}={','.join(f't{n}' for n in range(128))}", "topics and channels must be fewer")
      for names in ("topics", "channels")),
    ("/ws?protocol=notify.v2", "protocol must be notify.v1"),
    *((f"/ws?last_event_id={id_}", "last_event_id must be an id such as 1795208400123-0")
      for id_ in ("yesterday", "1-2-3", "99999999999999999999-0", "%0A", "100%", "0x1", "-", "%20")),
]  # fmt: skip


@pytest.mark.parametrize("path, reason", BAD_ADDRESSES, ids=range(len(BAD_ADDRESSES)))
def test_a_bad_name_or_position_is_told_by_a_close_frame(stand, path, reason):
    """A browser cannot see with which status an upgrade was refused."""
    closed = WsClient(stand.daemon.port, path).wait_closed()
    assert closed.code == 4400
    assert closed.reason.startswith(reason) and len(closed.reason.encode()) <= 123


def test_what_is_said_to_a_refused_client_is_not_heard(stand):
    tab = WsClient(stand.daemon.port, "/ws?user=")
    tab.send({"type": "ping", "request_id": 1})
    assert tab.wait_closed().code == 4400
    assert tab.messages == []
    assert stand.tab("/ws?user=x").request("ping")["type"] == "pong"


@pytest.mark.parametrize("path, id_", [("/ws/a+b", "a+b"), ("/ws/a%2Bb", "a+b"), ("/ws/a%20b", "a b")])
def test_a_plus_in_the_path_is_a_plus(stand, path, id_):
    assert stand.tab(path).greeting["client_id"] == id_


@pytest.mark.parametrize("offered", ["graphql-ws", "notify.v2", "a, b", "Bearer, eyJ0.e30.x", ""])
def test_a_sub_protocol_that_is_not_known_is_ignored(stand, user, offered):
    tab = stand.tab(f"/ws?user={user}", headers=[f"Sec-WebSocket-Protocol: {offered}"])
    assert tab.greeting["user_id"] == user
    assert b"sec-websocket-protocol" not in tab.head.lower()


@pytest.mark.parametrize("asked", [("&protocol=notify.v1", []), ("", ["Sec-WebSocket-Protocol: x, notify.v1"])])
def test_who_asks_for_it_gets_the_bytes_as_they_were_published(stand, topic, asked):
    tab = stand.tab(f"/ws?topics={topic}{asked[0]}", headers=asked[1])
    assert (b"sec-websocket-protocol: notify.v1" in tab.head.lower()) == bool(asked[1])
    listener = stand.client.pubsub()
    listener.subscribe(f"topic:{topic}")
    listener.parse_response(block=True)
    stand.send(f"topic:{topic}", "title")
    stand.call("NOTIFY.EVENT", f"topic:{topic}", "run", "DATA", '{"run_id":"7"}')
    for _ in range(2):
        assert tab.recv_text() == listener.parse_response(block=True)[2]
    listener.close()


def test_others_have_what_an_event_says_at_the_top(stand, topic):
    tab = stand.tab(f"/ws?topics={topic}")
    id_ = stand.call("NOTIFY.EVENT", f"topic:{topic}", "run", "DATA", '{"run_id":"7","data":[1],"id":"x","unread":9}')
    message = tab.recv()
    assert (message["run_id"], message["data"], message["id"], message["unread"]) == ("7", [1], id_, 0)


@pytest.mark.parametrize("path", ["/ws", "/ws/", "/ws/a", "/ws?user=a", "/ws/a/b", "/ws?user=100%"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_without_an_upgrade_the_address_says_that_it_is_for_websocket(stand, path, method):
    connection = http.client.HTTPConnection("127.0.0.1", stand.daemon.port, timeout=60)
    connection.request(method, path)
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status == 426
    assert answer.headers["Upgrade"] == "websocket"
    assert "Upgrade" in answer.headers["Connection"]
    assert answer.headers["Sec-WebSocket-Version"] == "13"
    if method == "GET":
        error = json.loads(body)["error"]
        assert set(error) == {"code", "message", "details"} and error["code"] == "UPGRADE_REQUIRED"
    connection.close()


@pytest.mark.parametrize("query", ["last_event_id=", "last_event_id"])
def test_an_empty_last_event_id_is_none(stand, user, query):
    stand.send_many(f"inbox:{user}", 3)
    tab = stand.tab(f"/ws?user={user}&{query}")
    live = stand.send(f"inbox:{user}")
    assert ids_of([tab.recv()]) == [live]


def test_more_connections_than_allowed_are_refused_with_503(make_stand):
    stand = make_stand("--max-connections", "2")
    stand.tab()
    second = stand.tab()

    def status():
        try:
            stand.tab()
        except Refused as refused:
            return refused.status
        return 101

    assert status() == 503
    second.close()
    wait_until(lambda: status() == 101, "room for another one")


def test_as_many_as_are_allowed_get_in_also_when_they_come_all_together(make_stand):
    stand = make_stand("--max-connections", "500")
    answers = []
    with contextlib.ExitStack() as opened:
        for n in range(500):
            one = opened.enter_context(socket.create_connection(("127.0.0.1", stand.daemon.port), 60))
            with contextlib.suppress(OSError):  # who is refused shows below
                one.sendall(UPGRADE.format(f"u{n}").encode())
            answers.append(one)
        for n, one in enumerate(answers):
            try:
                answers[n] = one.recv(12)
            except OSError as refused:
                answers[n] = refused
    assert answers == [b"HTTP/1.1 101"] * 500


# -- what is followed at once


def ids_by_key(messages):
    """Order is promised within each key; what others have asked Redis about topic:all may hold it up."""
    ids = {}
    for message in messages:
        ids.setdefault(message["key"], []).append(message["id"])
    return ids


def test_a_client_follows_inbox_broadcast_and_named_topics_at_once(stand, user):
    first, second, other = new_name("t"), new_name("t"), new_name("t")
    tab = stand.tab(f"/ws/x?user={user}&topics={first},{second}")
    keys = f"inbox:{user}", "topic:all", f"topic:{first}", f"topic:{second}"
    sent = {key: [stand.send(key)] for key in keys}
    stand.send(f"topic:{other}")
    stand.send(f"inbox:{other}")
    sent[keys[0]].append(stand.send(keys[0], "the end"))
    assert ids_by_key([tab.recv() for _ in range(5)]) == sent
    assert stand.drain(tab) == []


def test_a_topic_named_twice_or_also_broadcast_comes_once(stand, topic):
    tab = stand.tab(f"/ws?topics=all,{topic},,{topic},all")
    sent = {key: [stand.send(key)] for key in ("topic:all", f"topic:{topic}")}
    assert ids_by_key([tab.recv(), tab.recv()]) == sent
    assert stand.drain(tab) == []


def test_what_is_sent_after_the_greeting_always_arrives(stand):
    """The greeting says that everything is being followed, not only that it soon will be."""
    for _ in range(50):
        name = new_name()
        tab = stand.tab(f"/ws?user={name}&topics={name}")
        sent = [stand.send(f"topic:{name}"), stand.send(f"inbox:{name}")]
        assert ids_of([tab.recv(), tab.recv()]) == sent
        tab.close()


def test_a_notification_comes_as_the_module_has_made_it_with_its_title_in_front(stand, user):
    tab = stand.tab(f"/ws?user={user}")
    listener = stand.client.pubsub()
    listener.subscribe(f"inbox:{user}")
    listener.parse_response(block=True)
    title = 'Zitat "ä" \\ / \t 😀'
    stand.send(
        f"inbox:{user}", title, "CATEGORY", "ci", "DATA", '{"title":"not this one","n":1}'
    )
    published = listener.parse_response(block=True)[2]
    listener.close()
    text = tab.recv_text()
    assert text.startswith('{"message":"Zitat')
    assert text.endswith("," + published[1:])  # the very bytes

    message = json.loads(text)
    assert message["message"] == title == message["data"]["title"]
    assert (message["unread"], message["key"]) == (1, f"inbox:{user}")


def test_two_tabs_of_one_user_get_the_same(stand, user):
    tabs = [stand.tab(f"/ws/{n}?user={user}") for n in range(2)]
    sent = stand.send_many(f"inbox:{user}", 100)
    for tab in tabs:
        assert [tab.recv()["id"] for _ in sent] == sent


def test_the_keys_patterns_and_broadcast_logs_are_settings(make_stand):
    stand = make_stand(
        *("--inbox-key", "n:{%s}", "--topic-key", "%s.topic", "--session-key", "s/%s"),
        *("--broadcast-log", "news", "--broadcast-log", "alarms"),
    )
    tab = stand.tab("/ws?user=bob&topics=a")
    assert tab.request("subscribe_session", session_id="7")["type"] == "subscribed"
    sent = [stand.send(key) for key in ("n:{bob}", "a.topic", "news", "alarms", "s/7")]
    for key in ("inbox:bob", "topic:a", "topic:all", "session:7"):
        stand.send(key)
    assert sorted(tab.recv()["id"] for _ in sent) == sorted(sent)  # keys have no order
    assert stand.drain(tab, "news") == []


def test_there_may_be_no_broadcast_log(make_stand):
    stand = make_stand("--broadcast-log", "")
    tab = stand.tab("/ws?user=x")
    stand.send("topic:all")
    assert stand.drain(tab, "inbox:x") == []
    assert stand.receivers("topic:all") == 0


# -- last_event_id


def resumed(user, count, recovered=True):
    """What is told behind the missed messages; of the epoch, only that it is a number."""

    class Resumed(dict):
        def __eq__(self, message):
            epochs = message.get("epochs", {}).items()
            assert all(key == f"inbox:{user}" and 0 < epoch < 2**24 for key, epoch in epochs)
            return dict(self) == {name: message[name] for name in message if name != "epochs"}

    return Resumed(
        {"type": "resumed", "results": {f"inbox:{user}": {"recovered": recovered, "count": count}}}
    )


def test_last_event_id_brings_what_the_inbox_holds_after_it_and_tells_so(stand, user):
    sent = [stand.send(f"inbox:{user}", f"number {n}") for n in range(5)]
    tab = stand.tab(f"/ws?user={user}&last_event_id={sent[1]}")
    got = [tab.recv() for _ in range(3)]
    assert tab.recv() == resumed(user, 3)
    live = stand.send(f"inbox:{user}", "live")
    got.append(tab.recv())
    assert ids_of(got) == sent[2:] + [live]
    assert [m["message"] for m in got] == ["number 2", "number 3", "number 4", "live"]
    assert stand.drain(tab) == []


def test_last_event_id_0_brings_the_whole_inbox(stand, user):
    sent = stand.send_many(f"inbox:{user}", 700)  # more than one reply of Redis holds
    tab = stand.tab(f"/ws?user={user}&last_event_id=0")
    assert [tab.recv()["id"] for _ in sent] == sent
    assert stand.drain(tab) == [resumed(user, 700)]


def test_last_event_id_at_the_end_brings_nothing_but_what_comes(stand, user):
    last = stand.send_many(f"inbox:{user}", 3)[-1]
    tab = stand.tab(f"/ws?user={user}&last_event_id={last}")
    assert tab.recv() == resumed(user, 0)
    live = stand.send(f"inbox:{user}")
    assert ids_of([tab.recv()]) == [live]


def test_a_last_event_id_that_is_too_old_is_told_as_with_resume(stand, user):
    key = f"inbox:{user}"
    sent = stand.send_many(key, 10)
    stand.call("NOTIFY.TRIM", key, "MAXLEN", 4)
    tab = stand.tab(f"/ws?user={user}&last_event_id={sent[2]}")
    gone = {"type": "gap", "reason": "gone", "keys": [key]}
    assert tab.recv() == gone
    assert [tab.recv()["id"] for _ in sent[6:]] == sent[6:]
    assert tab.recv() == resumed(user, 4, recovered=False)
    tab.send({"type": "resume", "positions": {key: sent[2]}})
    assert tab.recv() == gone
    assert [tab.recv()["id"] for _ in sent[6:]] == sent[6:]
    assert tab.recv() == resumed(user, 4, recovered=False)


def answer_about_lost(tab, user):
    """If that waits for another key, what is gone of this one is told at once."""
    message = tab.recv()
    if message["type"] != "gap":
        return message
    assert message == {"type": "gap", "reason": "gone", "keys": [f"inbox:{user}"]}
    return tab.recv()


@pytest.mark.parametrize("id_", ["99999999999999-0", "253402300799999-18446744073709551615"])
def test_a_last_event_id_beyond_the_end_is_told_as_with_resume(stand, user, id_):
    stand.send_many(f"inbox:{user}", 3)
    tab = stand.tab(f"/ws?user={user}&last_event_id={id_}")
    assert answer_about_lost(tab, user) == resumed(user, 0, recovered=False)
    live = stand.send(f"inbox:{user}")
    assert tab.recv()["id"] == live


def test_a_last_event_id_of_a_box_that_is_no_more_is_told(stand, user):
    last = stand.send(f"inbox:{user}")
    stand.call("DEL", f"inbox:{user}")
    tab = stand.tab(f"/ws?user={user}&last_event_id={last}")
    assert answer_about_lost(tab, user) == resumed(user, 0, recovered=False)


def test_last_event_id_says_nothing_about_other_keys(stand, user, topic):
    old = stand.send(f"topic:{topic}")
    tab = stand.tab(f"/ws?user={user}&topics={topic}&last_event_id=0-0")
    assert tab.recv() == resumed(user, 0)
    live = stand.send(f"topic:{topic}")
    assert ids_of([tab.recv()]) == [live]
    assert number_of(old) < number_of(live)


def test_a_missed_inbox_larger_than_the_outbox_comes_whole(make_stand):
    """More than may be queued is to come before the greeting could go out."""
    stand = make_stand("--outbox-bytes", "64K", redis_options={"config": {"notify.max-entries": 5000}})
    sent = stand.send_many("inbox:big", 2000, "CONTENT", "x" * 1000)
    tab = stand.tab("/ws?user=big&last_event_id=0-0")
    assert [tab.expect(key="inbox:big", timeout=30)["id"] for _ in sent] == sent
    assert tab.recv() == resumed("big", 2000)  # once, however often it had to be refilled
    live = stand.send("inbox:big")
    assert tab.recv()["id"] == live
