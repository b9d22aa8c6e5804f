"""Clients of Socket.IO over a WebSocket: how they come in, who they are, what they ask for, and how they are let go of.
Packet by packet, without a library (socketio_peer.py)."""

import json
import os
import signal
import time
import urllib.error
import urllib.request

import pytest

from bridge_helpers import ISO_TIME, Stand, new_name
from servers import at_some_pace, change_roles, wait_until
from socketio_peer import ACK, CONNECT, CONNECT_ERROR, DISCONNECT, EVENT, SocketIo
from tokens import SECRET, claims, hs, token
from ws_client import Refused, WsClient

ROLES = """
role *
  categories  system
  permitted   maintenance
  subscribe   run:*

role admin
  categories  *
  subscribe   *

role guest
  categories  system
"""


class SocketStand(Stand):
    """A stand whose clients come by Socket.IO."""

    def socket(self, auth=(), **options):
        """Connected, or refused: what CONNECT was answered with stands in reply."""
        client = SocketIo(self.daemon.port, auth, **options)
        self.tabs.append(client)
        return client

    def close_tabs(self):
        while self.tabs:
            self.tabs.pop().close()

    def online(self, auth=(), **options):
        """The same of somebody who is let in and greeted."""
        client = self.socket(auth, **options)
        assert client.reply.type == CONNECT, client.reply
        client.connected = client.expect("connected")
        return client


def make_stand(*args, **options):
    stand = SocketStand(*args, **options)
    yield stand
    stand.close_tabs()
    stand.close()


@pytest.fixture(scope="module")
def open_stand():
    """Everybody is who they say they are."""
    yield from make_stand("--socketio-namespace", "/", "--socketio-namespace", "/admin", "--log-level", "debug")


@pytest.fixture
def stand(open_stand):
    yield open_stand
    open_stand.close_tabs()


@pytest.fixture(scope="module")
def jwt_stand_of_file(tmp_path_factory):
    roles = tmp_path_factory.mktemp("socketio") / "roles.conf"
    roles.write_text(ROLES)
    for stand in make_stand("--auth", "jwt", "--jwt-secret", SECRET, "--roles", str(roles), "--jwt-cookie", "session", "--jwt-leeway", "0s"):
        stand.roles_file = roles
        yield stand


@pytest.fixture
def jwt_stand(jwt_stand_of_file):
    yield jwt_stand_of_file
    jwt_stand_of_file.close_tabs()


# -- coming in


def test_the_reply_to_connect_has_a_sid_alone_and_connected_follows_with_who_that_is(stand):
    client = stand.online({"user": "ann"})
    assert set(client.reply.data) == {"sid"}
    assert client.connected["client_id"] == client.sid
    assert client.connected["user_id"] == "ann"
    assert client.connected["roles"] == [] and client.connected["categories"] == ["*"]
    assert ISO_TIME.match(client.connected["timestamp"])


def test_without_a_name_somebody_is_called_by_his_sid(stand):
    client = stand.online()
    assert client.connected["user_id"] == client.sid


@pytest.mark.parametrize("place", ["auth", "query"])
def test_a_name_may_stand_in_the_query_or_in_auth(stand, place):
    user = new_name()
    client = stand.online({"user": user}) if place == "auth" else stand.online(query={"user": user})
    assert client.connected["user_id"] == user


def test_auth_wins_over_the_query(stand):
    assert stand.online({"user": "ben"}, query={"user": "ann"}).connected["user_id"] == "ben"


@pytest.mark.parametrize("slash", ["/socket.io", "/socket.io/"])
def test_the_path_is_taken_with_and_without_its_slash(stand, slash):
    ws = WsClient(stand.daemon.port, f"{slash}?EIO=4&transport=websocket")
    assert ws.recv_text()[0] == "0"
    ws.close()


@pytest.mark.parametrize("path", ["/socket.io/x", "/socket.io/x/", "/socketio/"])
def test_no_other_path_is_socket_io(stand, path):
    with pytest.raises(Refused) as refused:
        WsClient(stand.daemon.port, f"{path}?EIO=4&transport=websocket")
    assert refused.value.status == 404


@pytest.mark.parametrize(
    "auth",
    [{"user": 7}, {"user": ""}, {"user": "a\nb"}, {"user": ["a"]}, {"token": 7}, {"offset": 7}, {"offset": [1]},
     {"offset": {"inbox:a": "x"}}],
)  # fmt: skip
def test_auth_that_is_not_as_it_must_be_is_a_connect_error_that_says_so(stand, auth):
    client = stand.socket(auth)
    assert client.reply.type == CONNECT_ERROR
    assert client.reply.data["message"] and client.reply.data["data"]["code"]
    assert client.ws.sock.fileno() >= 0
    assert client.join("/", {"user": "ann"}).type == CONNECT  # the session is there for another try


@pytest.mark.parametrize("query", [{"user": ""}, {"user": "a" * 300}, {"topics": "\x01"}])
def test_a_bad_query_is_a_connect_error_too(stand, query):
    client = stand.socket(query=query)
    assert client.reply.type == CONNECT_ERROR and client.reply.data["message"]


def test_members_of_auth_that_mean_nothing_here_are_passed_over(stand):
    assert stand.online({"user": "ann", "theme": {"dark": True}, "token": None}).connected["user_id"] == "ann"


# -- namespaces


def test_each_namespace_joined_is_a_client_of_its_own(stand):
    client = stand.online({"user": "ann"})
    reply = client.join("/admin", {"user": "ben"})
    assert reply.type == CONNECT and reply.data["sid"] != client.sid
    assert client.expect("connected", namespace="/admin")["user_id"] == "ben"
    stand.call("NOTIFY.SEND", "inbox:ben", "for ben")
    assert client.expect("notification", namespace="/admin")["title"] == "for ben"
    assert client.events() == []


def test_a_namespace_that_is_not_configured_is_refused(stand):
    client = stand.online({"user": "ann"})
    reply = client.join("/nope")
    assert reply.text == '4/nope,{"message":"Invalid namespace"}'
    assert client.call("ping")["type"] == "pong"


def test_whoever_leaves_one_namespace_stays_in_the_other(stand):
    own, user = new_name(), new_name()
    client = stand.online({"user": own})
    client.join("/admin", {"user": user})
    client.expect("connected", namespace="/admin")
    client.say("1/admin,")
    assert client.call("ping")["type"] == "pong"  # so that was heard
    stand.call("NOTIFY.SEND", f"inbox:{user}", "too late")
    stand.call("NOTIFY.SEND", f"inbox:{own}", "in time")
    client.expect("notification")
    assert [p for p in client.kept if p.namespace == "/admin"] == []


# -- tokens


@pytest.mark.parametrize("place", ["auth", "query", "header"])
def test_a_token_comes_by_auth_by_the_query_or_by_a_header(jwt_stand, place):
    user = new_name()
    good = token(user, roles=["admin"])
    if place == "auth":
        client = jwt_stand.online({"token": good})
    elif place == "query":
        client = jwt_stand.online(query={"token": good})
    else:
        client = jwt_stand.online(headers=[f"Authorization: Bearer {good}"])
    assert client.connected["user_id"] == user and client.connected["roles"] == ["admin"]
    assert client.connected["categories"] == ["*"]


def test_a_cookie_counts_for_a_page_that_may_connect(jwt_stand):
    port = jwt_stand.daemon.port
    headers = [f"Cookie: session={token('ann')}", f"Origin: http://127.0.0.1:{port}"]
    assert jwt_stand.online(headers=headers).connected["user_id"] == "ann"


def test_auth_wins_over_a_cookie(jwt_stand):
    port = jwt_stand.daemon.port
    headers = [f"Cookie: session={token('ann')}", f"Origin: http://127.0.0.1:{port}"]
    assert jwt_stand.online({"token": token("ben")}, headers=headers).connected["user_id"] == "ben"


def test_a_page_of_another_origin_is_turned_away(jwt_stand):
    with pytest.raises(Refused) as refused:
        jwt_stand.socket(headers=["Origin: http://evil.example"])
    assert refused.value.status == 403


BAD = {
    "none": None,
    "not one": "abc",
    "of another secret": hs(claims("ann"), secret="x" * 40),
    "expired": token("ann", seconds=-100),
    "empty": "",
}


@pytest.mark.parametrize("which", BAD)
def test_without_a_good_token_connect_is_refused_with_a_code(jwt_stand, which):
    client = jwt_stand.socket({"token": BAD[which]} if BAD[which] is not None else {})
    assert client.reply.type == CONNECT_ERROR
    assert client.reply.data["message"] and client.reply.data["data"] == {"code": 4401}


def test_a_user_that_the_token_is_not_for_is_refused(jwt_stand):
    client = jwt_stand.socket({"token": token("ann"), "user": "ben"})
    assert client.reply.type == CONNECT_ERROR and client.reply.data["data"] == {"code": 4403}


def test_guests_are_let_in_where_they_may(programs, tmp_path):
    roles = tmp_path / "roles.conf"
    roles.write_text(ROLES)
    server = programs.redis()
    daemon = programs.bridge(server, "--auth", "jwt", "--jwt-secret", SECRET, "--roles", str(roles), "--anonymous-role", "guest")  # fmt: skip
    guest = SocketIo(daemon.port)
    assert guest.reply.type == CONNECT
    assert guest.expect("connected")["roles"] == ["guest"]
    refused = SocketIo(daemon.port, {"token": "abc"})
    assert refused.reply.type == CONNECT_ERROR
    guest.close()
    refused.close()


def test_a_token_that_ends_is_announced_and_then_disconnects(jwt_stand):
    def is_announced(lasts_s):
        client = jwt_stand.online({"token": token("ann", seconds=lasts_s)})
        assert client.expect("token_expiring")["expires_at"]
        assert client.expect("disconnected")["reason"] == "the token has expired"
        assert client.take(lambda p: p.type == DISCONNECT, "disconnect").text == "1"

    at_some_pace(is_announced, 2)


def test_another_token_renews(jwt_stand):
    client = jwt_stand.online({"token": token("ann", seconds=30)})
    answer = client.call("auth", {"token": token("ann", seconds=3000)})
    assert answer["type"] == "authenticated" and answer["user_id"] == "ann"
    assert client.call("auth", {"token": token("ben")})["error"]["code"] == "UNAUTHORIZED"
    assert client.call("ping")["type"] == "pong"


def test_who_loses_a_role_gets_nothing_of_it_any_more(jwt_stand):
    client = jwt_stand.online({"token": token(new_name(), roles=["admin"])})
    jwt_stand.call("NOTIFY.SEND", "topic:all", "first", "CATEGORY", "security")
    assert client.expect("notification")["title"] == "first"
    lesser = ROLES.replace("role admin\n  categories  *", "role admin\n  categories  system")
    change_roles(jwt_stand.roles_file, lesser, jwt_stand.daemon)
    jwt_stand.call("NOTIFY.SEND", "topic:all", "second", "CATEGORY", "security")
    jwt_stand.call("NOTIFY.SEND", "topic:all", "third", "CATEGORY", "system")
    assert client.expect("notification")["title"] == "third"
    change_roles(jwt_stand.roles_file, ROLES, jwt_stand.daemon)


# -- asking


def test_an_acknowledgement_brings_the_canonical_answer_as_its_one_argument(stand):
    client = stand.online({"user": "ann"})
    assert client.call("subscribe_session", {"session_id": "s1"}) == {"type": "subscribed", "session_id": "s1"}
    assert client.events() == []  # and no event says it, too


def test_without_an_acknowledgement_the_answer_comes_under_its_type(stand):
    client = stand.online({"user": "ann"})
    client.emit("subscribe_session", {"session_id": "s2"})
    assert client.expect("subscribed")["session_id"] == "s2"
    client.emit("unsubscribe_session", {"session_id": "s2"})
    assert client.expect("unsubscribed")["session_id"] == "s2"


@pytest.mark.parametrize("arguments", [(), (None,), ({},)])
def test_ping_is_answered_by_pong_with_a_time_whatever_stands_for_nothing(stand, arguments):
    client = stand.online()
    client.emit("ping", *arguments)
    assert ISO_TIME.match(client.expect("pong")["timestamp"])


WRONG = [
    (("subscribe_session", {}), "MISSING_FIELD"),
    (("subscribe_session",), "MISSING_FIELD"),
    (("subscribe_session", {"session_id": 7}), "INVALID_FIELD"),
    (("subscribe_session", {"session_id": "s", "more": 1}), "INVALID_FIELD"),
    (("subscribe_session", "s1"), "INVALID_FIELD"),
    (("subscribe_session", ["s1"]), "INVALID_FIELD"),
    (("subscribe_session", {"session_id": "s"}, {}), "INVALID_FIELD"),
    (("ping", {"type": "pong"}), "INVALID_FIELD"),
    (("no_such_thing", {}), "UNKNOWN_TYPE"),
    (("", {}), "UNKNOWN_TYPE"),
    ((7, {}), "INVALID_FIELD"),
    (("message", {"message": "Hi"}), "NOT_FOUND"),
]


@pytest.mark.parametrize("arguments,code", WRONG)
def test_what_is_wrong_is_an_error_and_the_connection_stays(stand, arguments, code):
    client = stand.online({"user": "ann"})
    answer = client.call(*arguments)
    assert answer["type"] == "error" and answer["error"]["code"] == code, answer
    assert answer["code"] == code and answer["message"] == answer["error"]["message"]
    client.emit(*arguments)
    error = client.expect("error")
    assert error["code"] == code and isinstance(error["message"], str)
    assert client.call("ping")["type"] == "pong"


def test_binary_is_taken_by_no_event_but_acknowledged(stand):
    client = stand.online()
    client.say('51-9["ping",{"_placeholder":true,"num":0}]')
    client.ws.send_frame(2, b"\x00\x01")
    reply = client.take(lambda p: p.type == ACK and p.id == "9", "acknowledgement")
    assert reply.data[0]["error"]["code"] == "INVALID_FIELD"


def test_each_event_is_acknowledged_once_however_many_come_at_a_time(stand):
    client = stand.online({"user": "ann"})
    for at in range(30):
        client.emit("subscribe" if at % 2 == 0 else "unread_count", *([{"topic": f"t{at}"}] if at % 2 == 0 else []), ack=at)
    replies = [client.take(lambda p: p.type == ACK, "acknowledgement") for _ in range(30)]
    assert sorted(int(r.id) for r in replies) == list(range(30))
    client.call("ping")
    assert client.kept == []


def test_the_digits_of_an_id_come_back_as_they_were(stand):
    client = stand.online()
    client.emit("ping", ack="0007")
    assert client.take(lambda p: p.type == ACK, "acknowledgement").id == "0007"


def test_an_acknowledgement_that_nobody_asked_for_changes_nothing(stand):
    client = stand.online()
    client.say('317["x"]')
    assert client.call("ping")["type"] == "pong"


def test_whoever_sends_too_much_is_told_to_wait_and_is_disconnected_if_he_goes_on(programs, redis_server):
    daemon = programs.bridge(redis_server, "--message-rate", "5", "--message-burst", "10")
    client = SocketIo(daemon.port)
    client.expect("connected")
    for at in range(60):
        client.emit("ping", ack=at)
    limited = client.take(lambda p: p.type == ACK and p.data[0]["type"] == "error", "refusal")
    assert limited.data[0]["error"]["code"] == "RATE_LIMITED"
    assert limited.data[0]["error"]["details"]["retry_after_ms"] > 0
    end = client.wait_closed()
    assert end.code == 4429
    assert [p.data[1]["reason"] for p in client.kept if p.type == EVENT and p.data[0] == "disconnected"]


# -- contract A


def test_progress_of_a_session_reaches_its_subscribers_and_nobody_else(stand):
    x, y = stand.online({"user": "x"}), stand.online({"user": "y"})
    session = new_name("s")
    assert x.call("subscribe_session", {"session_id": session})["type"] == "subscribed"
    data = {"progress_percentage": 40, "current_step": 5, "step_name": "Applying quantization", "elapsed_time": "0:01:30"}
    stand.call("NOTIFY.EVENT", f"session:{session}", "session_progress", "DATA", json.dumps(data))
    heard = x.expect("session_progress")
    assert {name: heard[name] for name in data} == data
    assert heard["session_id"] == session and ISO_TIME.match(heard["timestamp"])
    assert y.events() == []


def test_a_notification_in_a_session_says_type_message_and_session(stand):
    x = stand.online({"user": "x"})
    session = new_name("s")
    x.call("subscribe_session", {"session_id": session})
    stand.call("NOTIFY.SEND", f"session:{session}", "Optimization Started", "CONTENT", "It has begun", "LEVEL", "critical")
    heard = x.expect("notification")
    assert (heard["type"], heard["title"], heard["message"]) == ("error", "Optimization Started", "It has begun")
    assert heard["session_id"] == session and ISO_TIME.match(heard["timestamp"])


def test_an_alert_reaches_everybody_however_it_was_sent(stand):
    x, y = stand.online({"user": "x"}), stand.online({"user": "y"})
    data = {"alert_id": "a1", "severity": "error", "title": "t", "message": "m"}
    stand.call("NOTIFY.EVENT", "topic:all", "alert", "DATA", json.dumps(data))
    for client in (x, y):
        heard = client.expect("alert")
        assert {name: heard[name] for name in data} == data and heard["session_id"] is None
    stand.call("NOTIFY.SEND", "topic:all", "Disk full", "CONTENT", "9 % left", "LEVEL", "warning", "EVENT", "alert")
    heard = x.expect("alert")
    assert (heard["severity"], heard["title"], heard["message"]) == ("warning", "Disk full", "9 % left")
    assert heard["alert_id"] == heard["id"]


def test_who_has_unsubscribed_hears_nothing_more(stand):
    x = stand.online({"user": "x"})
    session = new_name("s")
    x.call("subscribe_session", {"session_id": session})
    assert x.call("unsubscribe_session", {"session_id": session})["type"] == "unsubscribed"
    stand.call("NOTIFY.EVENT", f"session:{session}", "session_progress", "DATA", "{}")
    assert x.events() == []


# -- contract C


def test_categories_are_joined_besides_those_of_the_role(jwt_stand):
    u = jwt_stand.online({"token": token(new_name())})
    a = jwt_stand.online({"token": token(new_name(), roles=["admin"])})
    assert u.connected["categories"] == ["system"] and a.connected["roles"] == ["admin"]
    jwt_stand.call("NOTIFY.SEND", "topic:all", "security", "CATEGORY", "security")
    jwt_stand.call("NOTIFY.SEND", "topic:all", "system", "CATEGORY", "system")
    assert [a.expect("notification")["title"] for _ in range(2)] == ["security", "system"]
    assert u.expect("notification")["title"] == "system"
    answer = u.call("subscribe_category", {"category": "maintenance"})
    assert answer["type"] == "subscription" and answer["category"] == "maintenance"
    jwt_stand.call("NOTIFY.SEND", "topic:all", "m", "CATEGORY", "maintenance")
    jwt_stand.call("NOTIFY.SEND", "topic:all", "s", "CATEGORY", "system")
    assert [u.expect("notification")["title"] for _ in range(2)] == ["m", "s"]
    u.emit("subscribe_category", {"category": "security"})
    assert u.expect("error")["code"] == "FORBIDDEN"
    assert u.call("ping")["type"] == "pong"


def test_history_comes_as_an_event_newest_first(stand):
    user = new_name()
    client = stand.online({"user": user})
    for title in ("one", "two", "three"):
        stand.call("NOTIFY.SEND", f"inbox:{user}", title)
        client.expect("notification", title=title)
    client.emit("request_notification_history", {"limit": 2})
    page = client.expect("notification_history")
    assert [item["title"] for item in page["items"]] == ["three", "two"] and page["next"]


def test_who_was_away_and_knows_no_offset_gets_what_he_has_not_seen_once(jwt_stand):
    user = new_name()
    first = jwt_stand.online({"token": token(user)})
    first.close()
    jwt_stand.call("NOTIFY.SEND", f"inbox:{user}", "x")
    second = jwt_stand.online({"token": token(user)})
    assert second.expect("notification")["title"] == "x"
    wait_until(lambda: dict(zip(*[iter(jwt_stand.call("NOTIFY.BADGE", f"inbox:{user}"))] * 2)).get("unseen", 0) == 0, "x is seen")
    second.close()
    third = jwt_stand.online({"token": token(user)})
    assert third.events() == []


# -- coming back


def test_an_offset_of_keys_brings_what_was_missed_and_then_what_comes(stand):
    user = new_name()
    client = stand.online({"user": user})
    stand.call("NOTIFY.SEND", f"inbox:{user}", "had")
    had = client.expect("notification")["id"]
    client.cut()
    for title in ("one", "two"):
        stand.call("NOTIFY.SEND", f"inbox:{user}", title)
    again = stand.socket({"user": user, "offset": {f"inbox:{user}": had}})
    again.expect("connected")
    assert [again.expect("notification")["title"] for _ in range(2)] == ["one", "two"]
    result = again.expect("resumed")["results"][f"inbox:{user}"]
    # What Redis has published and the bridge has not yet handed on comes as something new, behind what was missed.
    assert result["recovered"] and result["count"] in (0, 1, 2), result
    stand.call("NOTIFY.SEND", f"inbox:{user}", "three")
    assert again.expect("notification")["title"] == "three"
    assert again.events() == []


def test_that_something_is_gone_is_told_in_front_of_what_still_comes(stand):
    user = new_name()
    key = f"inbox:{user}"
    ids = [stand.call("NOTIFY.SEND", key, f"n{n}") for n in range(5)]
    stand.call("NOTIFY.TRIM", key, "MAXLEN", 2)
    client = stand.online({"user": user, "offset": {key: ids[0]}})
    told = [name for name, payload in client.events() if name in ("gap", "notification", "resumed")]
    assert told == ["gap", "notification", "notification", "resumed"]


def test_an_id_as_offset_is_a_position_in_the_own_inbox(stand):
    user = new_name()
    had = stand.call("NOTIFY.SEND", f"inbox:{user}", "had")
    stand.call("NOTIFY.SEND", f"inbox:{user}", "missed")
    client = stand.online({"user": user, "offset": had})
    assert client.expect("notification")["title"] == "missed"
    client.expect("resumed")
    assert client.events() == []


def test_an_offset_that_is_none_is_told_and_hinders_nothing(stand):
    client = stand.online({"user": new_name(), "offset": "no-such-thing"})
    assert client.expect("gap")["reason"] == "malformed"
    assert client.call("ping")["type"] == "pong"


# -- being let go of


def test_a_kick_tells_why_and_disconnects_for_good(jwt_stand):
    user = new_name()
    client = jwt_stand.online({"token": token(user)})
    jwt_stand.call("NOTIFY.SESSION", "KICK", f"sessions:{user}", "*")
    assert client.expect("disconnected")["reason"] == "the session was ended"
    client.take(lambda p: p.type == DISCONNECT, "disconnect")


def test_a_bridge_that_ends_says_so_and_ends_the_transport(programs, redis_server):
    daemon = programs.bridge(redis_server)
    client = SocketIo(daemon.port)
    client.expect("connected")
    daemon.proc.send_signal(signal.SIGTERM)
    end = client.wait_closed()
    assert end.code in (1001, 1012)
    assert [p for p in client.kept if p.type == EVENT and p.data[0] == "disconnected" and p.data[1]["reason"]]
    assert [p for p in client.kept if p.type == DISCONNECT] == []
    assert daemon.wait() == 0


def is_ready(daemon):
    try:
        with urllib.request.urlopen(daemon.http_url + "/readyz", timeout=60) as answer:
            return answer.status == 200
    except urllib.error.HTTPError:
        return False


def test_without_redis_nobody_is_refused_for_good(programs):
    server = programs.redis()
    daemon = programs.bridge(server)
    client = SocketIo(daemon.port, auth=None)
    server.kill9()
    wait_until(lambda: not is_ready(daemon), "the bridge to notice")
    client.say("0")
    end = client.wait_closed()
    assert end.code == 1013 and client.kept == []
    with pytest.raises(Refused) as refused:
        SocketIo(daemon.port)
    assert refused.value.status == 503


def test_connect_is_answered_at_once_while_redis_is_slow_and_connected_comes_when_all_is_live(programs):
    server = programs.redis()
    daemon = programs.bridge(server)
    client = SocketIo(daemon.port, auth=None)
    os.kill(server.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        reply = client.join("/", {"user": "ann"})
        assert reply.type == CONNECT and time.monotonic() - began < 1
        assert client.kept == []
    finally:
        os.kill(server.pid, signal.SIGCONT)
    client.expect("connected")
    server.client().execute_command("NOTIFY.SEND", "inbox:ann", "from then on")
    assert client.expect("notification")["title"] == "from then on"
    client.close()
