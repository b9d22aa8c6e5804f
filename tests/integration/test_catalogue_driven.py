"""What a running bridge says, in every dialect and over HTTP, is in the catalogue and fits its schema; and the other way round: all
that the catalogue has is said by it."""

import json
import re

import pytest

from agent import Agent
from bridge_helpers import Stand, new_name
from catalogue import Catalogue, closed, faults, fetch, look_up, resolved
from chat_client import Chat
from chat_client import Refused as ChatRefused
from patience import WAIT_TIMEOUT_S
from rest_client import Rest
from servers import until_refused, wait_until
from socketio_peer import SocketIo
from sse_client import Ended, SseClient
from tokens import SECRET, token
from ws_client import WsClient

PATHS = {"canonical": "/ws/{}?protocol=notify.v1&user={}", "topic": "/ws/{}?user={}", "session": "/api/v1/ws/{}?user={}"}
NOBODY = "9999999999999-0"


class Watched(WsClient):
    """A client all of whose messages are looked up."""

    def __init__(self, catalogue, dialect, port, path, **options):
        self.catalogue, self.dialect = catalogue, dialect
        super().__init__(port, path, **options)

    def recv_text(self, timeout=None):
        text = super().recv_text(timeout)
        self.catalogue.check(self.dialect, json.loads(text))
        return text


class WatchedSocketIo(SocketIo):
    """The same of Socket.IO; asked and listened to as a Watched is."""

    dialect = "socketio"

    def __init__(self, catalogue, *args, **options):
        self.catalogue = catalogue
        super().__init__(*args, **options)

    def _next(self, timeout):
        packet = super()._next(timeout)
        if packet.type == "2":
            [name, payload] = packet.data
            self.catalogue.check("socketio", payload, name)
        elif packet.type == "3":
            [answer] = packet.data
            self.catalogue.check("socketio", answer)
        return packet

    def request(self, name, /, **members):
        return self.call(name, members)

    def expect(self, type, **members):
        """As a Watched does: members may be called event."""

        def fits(packet):
            return packet.type == "2" and packet.data[0] == type and all(packet.data[1].get(name) == value for name, value in members.items())

        return self.take(fits, f"{type} with {members}").data[1]


class Driven(Stand):
    def __init__(self):
        super().__init__("--channel", "prices:*", "--max-subscriptions", "20", "--request-rate", "0")
        self.catalogue = Catalogue(self.daemon.port)

    def tab(self, dialect, user, session, more="", port=None):
        tab = Watched(self.catalogue, dialect, port or self.daemon.port, PATHS[dialect].format(session, user) + more)
        self.tabs.append(tab)
        tab.greeting = tab.recv()
        return tab


@pytest.fixture(scope="module")
def driven():
    stand = Driven()
    yield stand
    stand.close_tabs()
    stand.close()


def said_in(catalogue, dialect):
    return {name for name, event in catalogue.events.items() for form in event["forms"] if form["direction"] == "out" and dialect in form["dialects"]}


# ---- WebSocket


def publish_all(driven, user, session):
    """Everything that others can do to a user who follows topic:all and session:<session>."""
    call, inbox = driven.call, f"inbox:{user}"
    plain = call("NOTIFY.SEND", inbox, "plain")
    full = call("NOTIFY.SEND", inbox, "full", "CONTENT", "c", "TYPE", "build", "CATEGORY", "ci", "LEVEL", "WARNING", "ACTION", '{"type":"open"}',
                "ENTITY", "build", "7", "DATA", '{"n":1}', "EX", "1000", "COLLAPSE", "one", "EXCLUDE", "nobody")  # fmt: skip
    call("NOTIFY.SEND", inbox, "again", "COLLAPSE", "one")
    for key in ("topic:all", f"session:{session}"):
        call("NOTIFY.SEND", key, "to more", "LEVEL", "critical")
        for name, event in driven.catalogue.events.items():
            published = [form for form in event["forms"] if form["id"].endswith(".canonical") and form["dialects"] == ["canonical", "session", "sse"]]
            for form in published:
                call("NOTIFY.EVENT", key, "test_run_status" if name == "*" else name, "DATA", json.dumps(form["example"]["data"]))
        call("NOTIFY.EVENT", key, "volatile", "DATA", "[1]", "NOSTORE")
        call("NOTIFY.EVENT", key, "nothing")
        call("NOTIFY.EVENT", key, "text", "DATA", '"text"')
        call("NOTIFY.SEND", key, "an alert", "EVENT", "alert")
    call("NOTIFY.FOLLOW", inbox, "topic:other")
    call("NOTIFY.UNFOLLOW", inbox, "topic:other")
    call("NOTIFY.SEEN", inbox)
    call("NOTIFY.READ", inbox, plain)
    call("NOTIFY.MARK", inbox, "UNREAD", plain)
    call("NOTIFY.MARK", inbox, "ARCHIVED", plain)
    call("NOTIFY.MARK", inbox, "UNARCHIVED", plain)
    call("NOTIFY.READALL", inbox)
    call("NOTIFY.MUTE", inbox, "ci")
    call("NOTIFY.SEND", inbox, "muted", "CATEGORY", "ci")
    call("NOTIFY.UNMUTE", inbox, "ci")
    call("NOTIFY.DEL", inbox, plain)
    call("NOTIFY.TRIM", inbox, "MAXLEN", "1")
    call("PUBLISH", "prices:eur", '{"bid": 1.5}')
    call("PUBLISH", "prices:eur", b"\xff\xfe")
    call("PUBLISH", "prices:usd", "text")
    return full


def real(example, id_, user, session):
    """An example of a request with names that there are, without its type."""
    words = {name: value for name, value in example.items() if name not in ("type", "request_id")}
    for name, value in (("id", id_), ("user_id", user), ("session_id", session)):
        if name in words:
            words[name] = value
    if "ids" in words:
        words["ids"] = [id_]
    if "positions" in words:
        words["positions"] = {f"inbox:{user}": "0-0"}
    return words


def ask_all(driven, tab, id_, user, session):
    """Each request: the example, and what there is by way of others."""
    requests = driven.catalogue.requests(tab.dialect)
    unusual = ("auth", "message", "kick", "delete_notification")
    for name, form in requests.items():
        if name in unusual:
            continue
        answer = tab.request(name, **real(form["example"], id_, user, session))
        assert answer["type"] in form["answers"], (name, answer)
    more = [
        ("subscribe", {"channel": "prices:*"}), ("unsubscribe", {"channel": "prices:*"}), ("subscribe", {"topic": "t", "last_id": "0-0", "presence": True}),
        ("subscribe", {"channel": "prices:eur"}), ("subscribe_session", {"session_id": session, "last": 5}), ("request_notification_history", {"feed": True, "total": True}),
        ("request_notification_history", {"topic": "all"}), ("unread_count", {}), ("presence", {"session_id": session, "list": True}), ("presence", {"topic": "t", "list": True}),
        ("statistics", {"list": True}), ("mark_all_read", {}), ("subscribe_presence", {"topic": "t"}),
        ("delete_notification", {"id": id_}), ("kick", {"user_id": "nobody"}),
    ]  # fmt: skip
    for name, members in more:
        assert tab.request(name, **members)["type"] in requests[name]["answers"]


def ask_wrongly(driven, tab):
    """Each way in which a request can be refused that needs no rights."""
    codes = []
    for text in ("{", "[]", '{"type":"no_such_type"}', '{"type":"subscribe"}', '{"type":"mark_read","id":"x"}', '{"type":"ping","ping":1}'):
        tab.send(text)
        codes.append(tab.expect(type="error")["error"]["code"])
    assert codes == ["BAD_JSON", "BAD_JSON", "UNKNOWN_TYPE", "MISSING_FIELD", "INVALID_FIELD", "INVALID_FIELD"]
    until_refused(lambda: tab.request("subscribe", topic=new_name("t"))["type"], lambda type_: type_ != "subscription", free=0)


@pytest.mark.parametrize("dialect", PATHS)
def test_all_that_a_websocket_hears_is_in_the_catalogue(driven, dialect):
    user, session = f"u-{dialect}", f"s-{dialect}"
    for title in ("trimmed away", "first"):
        driven.call("NOTIFY.SEND", f"inbox:{user}", title)
    driven.call("NOTIFY.TRIM", f"inbox:{user}", "MAXLEN", 1)
    tab = driven.tab(dialect, user, session, "&channels=prices:*&last_event_id=0-0")
    tab.expect(type="gap")
    tab.expect(type="resumed")
    ask_wrongly(driven, driven.tab(dialect, user, f"{session}-3"))
    drive(driven, tab, user, session, lambda: driven.tab(dialect, user, f"{session}-2"), f"{session}-3")


def drive(driven, tab, user, session, open_other, third):
    """Everything that can happen to a client, and that it can ask for. third: the session of another connection, which is ended."""
    tab.request("subscribe_session", session_id=session)
    tab.request("subscribe_presence", user_id=user)
    tab.expect(type="presence")
    other = open_other()
    tab.expect(type="presence", event="join")
    id_ = publish_all(driven, user, session)
    id_ = driven.call("NOTIFY.SEND", f"inbox:{user}", "one to be asked for")
    tab.expect(type="channel_message", pattern="prices:*")
    ask_all(driven, tab, id_, user, session)
    tab.request("subscribe_presence", user_id=user)
    assert other.request("kick", user_id=user, session_id=third)["type"] == "ok"
    tab.expect(type="kick")
    driven.call("COPY", f"inbox:{user}", "copy")
    driven.call("RENAME", "copy", f"inbox:{user}")
    tab.expect(type="changed")
    driven.call("DEL", f"inbox:{user}")
    tab.expect(type="gone")
    tab.request("ping")


def test_all_that_a_client_of_socket_io_hears_is_in_the_catalogue(driven):
    user, session, port = "u-socketio", "s-socketio", driven.daemon.port
    query = {"user": user, "channels": "prices:*"}
    driven.call("NOTIFY.SEND", f"inbox:{user}", "first", "DATA", '{"n":1}')
    tab = WatchedSocketIo(driven.catalogue, port, {"offset": {f"inbox:{user}": "0-0"}}, query)
    tab.expect(type="connected")
    tab.expect(type="resumed")
    third = WatchedSocketIo(driven.catalogue, port, (), query)
    third_id = third.expect(type="connected")["client_id"]
    for name, arguments in (("no_such_event", ({},)), ("subscribe", ({},)), ("mark_read", ({"id": "x"},)), ("ping", (1, 2)), ("ping", ({"ping": 1},))):
        third.emit(name, *arguments)
        third.expect(type="error")
    drive(driven, tab, user, session, lambda: WatchedSocketIo(driven.catalogue, port, (), query), third_id)
    third.expect(type="disconnected")
    gap = WatchedSocketIo(driven.catalogue, port, {"offset": "no bookmark"}, query)
    gap.expect(type="gap")
    for one in (tab, third, gap):
        one.ws.sock.close()


def test_what_a_client_of_socket_io_is_told_of_its_token_is_in_the_catalogue(driven, jwt_bridge):
    tab = WatchedSocketIo(driven.catalogue, jwt_bridge.port, {"token": token(seconds=30)})
    tab.expect(type="token_expiring")
    assert tab.request("auth", token=token())["type"] == "authenticated"
    tab.ws.sock.close()


def test_an_agent_s_answers_and_failures_are_in_the_catalogue(driven):
    tab, agent = driven.tab("session", "u-agent", "s-agent"), Agent(driven.server)
    tab.send({"type": "message", "message": "Hi"})
    agent.say(agent.take(), "message", reply="It is sunny.", mood="good")
    tab.expect(type="message")
    tab.send({"type": "message", "message": "Hi"})
    agent.say(agent.take(), "error", code="NO_MODEL", message="it is away", details={"a": [1]})
    tab.expect(type="error")
    chat = Chat(driven.daemon.port, {"message": "Hi"}, user="u-agent")
    request = agent.take()
    for seq, (event, data) in enumerate((("start", {}), ("token", {"content": "a"}), ("tool_call", {"name": "x"}), ("tool_result", {"y": 1}), ("end", {"message_id": "m", "tokens_used": 3}))):
        agent.say(request, event, seq=seq + 1, **data)
    for event in chat.all():
        driven.catalogue.check("chat", event)
    chat = Chat(driven.daemon.port, {"message": "Hi"}, user="u-agent")
    agent.say(agent.take(), "error", code="NO_MODEL", message="it is away")
    assert [driven.catalogue.check("chat", event)["type"] for event in chat.all()] == ["start", "error"]
    with pytest.raises(ChatRefused) as refused:
        Chat(driven.daemon.port, {"message": 1}, user="u-agent")
    assert refused.value.status == 422


@pytest.fixture(scope="module")
def jwt_bridge(driven):
    return driven.bridge(driven.server, "--auth", "jwt", "--jwt-secret", SECRET, "--restart-spread", "0", name="jwt")


@pytest.mark.parametrize("dialect", PATHS)
def test_what_is_told_of_tokens_is_in_the_catalogue(driven, jwt_bridge, dialect):
    tab = driven.tab(dialect, "alice", f"t-{dialect}", f"&token={token(seconds=30)}", port=jwt_bridge.port)
    tab.expect(type="token_expiring")
    assert tab.request("auth", token=token())["type"] == "authenticated"
    assert tab.request("auth", token="none")["error"]["code"] == "UNAUTHORIZED"


# ---- streams of events


def test_all_that_a_stream_of_events_brings_is_in_the_catalogue(driven, jwt_bridge):
    catalogue, user = driven.catalogue, "u-sse"

    def follow(port, **options):
        stream = SseClient(port, **options)
        streams.append(stream)
        return stream

    def take(stream, until):
        """All up to the first of that type."""
        while True:
            event = stream.next()
            assert event.type == event.json["type"]
            if catalogue.check("sse", event.json)["type"] == until:
                return event

    streams = []
    stream = follow(driven.daemon.port, user=user, session_id="s-sse", channels="prices:*", last_event_id="0")
    take(stream, "gap")
    driven.call("SET", "topic:no-box", "x")
    take(follow(driven.daemon.port, user=user, last=3, topics="no-box"), "error")
    take(follow(driven.daemon.port, user=user, last=3), "resumed")
    publish_all(driven, user, "s-sse")
    take(stream, "channel_message")
    driven.call("COPY", f"inbox:{user}", "copy")
    driven.call("RENAME", "copy", f"inbox:{user}")
    take(stream, "changed")
    driven.call("DEL", f"inbox:{user}")
    take(stream, "gone")
    take(follow(jwt_bridge.port, token=token("bob", seconds=30)), "token_expiring")
    driven.call("NOTIFY.SESSION", "KICK", f"sessions:{user}", "s-sse")
    take(stream, "close")
    for one in streams:
        one.sock.close()


def test_all_that_the_catalogue_has_was_said_by_the_bridge(driven):
    """Behind the tests above, which have made it say everything."""
    never = {("chat", "close")}  # of a reader that is too slow, and at the end of a bridge
    wanted = {(row["name"], name) for row in driven.catalogue.whole["dialects"] for name in said_in(driven.catalogue, row["name"]) if name != "*"}
    assert wanted - driven.catalogue.heard - never == set()


# ---- HTTP


class WatchedRest(Rest):
    """Whose answers are looked up in openapi.json."""

    def __init__(self, document, *args, **options):
        super().__init__(*args, **options)
        self.document, self.heard = document, set()

    def operation(self, method, path):
        parts = path.split("?")[0].split("/")
        best = [path.split("?")[0]] if path.startswith("/socket.io/") else [one for one in self.document["paths"] if len(one.split("/")) == len(parts) and all(a == b or a.startswith("{") for a, b in zip(one.split("/"), parts))]
        one = min(best, key=lambda path: path.count("{"))
        return one, self.document["paths"][one][method.lower()]

    def call(self, method, path, body=None, headers=None, **query):
        answer = super().call(method, path, body, headers, **query)
        template, operation = self.operation(method, path)
        responses = operation["responses"]
        assert str(answer.status) in responses, (method, path, answer)
        self.heard.add((method, template, answer.status))
        response = responses[str(answer.status)]
        content = (look_up(self.document, response["$ref"]) if "$ref" in response else response).get("content", {})
        if answer.body and "application/json" in answer.headers.get("content-type", ""):
            schema = closed(resolved(self.document, content["application/json"]["schema"]))
            assert faults(schema, answer.json) == [], (method, path, answer)
        elif answer.body:
            assert answer.headers["content-type"] in content, (method, path)
        return answer


@pytest.fixture(scope="module")
def rest(driven):
    return WatchedRest(fetch(driven.daemon.port, "/openapi.json"), driven.daemon.port, user="u-rest")


def test_every_call_answers_as_openapi_json_says(driven, rest):
    id_ = driven.send("inbox:u-rest", "one", "CONTENT", "c", "TYPE", "t", "CATEGORY", "ci", "LEVEL", "info", "ENTITY", "a", "b", "DATA", "[1]", "EX", "1000")
    driven.send("topic:all", "two")
    listed = rest.get("/api/v1/notifications")
    assert listed.json["items"]
    assert rest.get("/api/v1/notifications", headers={"If-None-Match": listed.headers["etag"]}).status == 304
    rest.get("/api/v1/notifications", cursor=rest.get("/api/v1/notifications", page_size=1).json["next"] or "x")
    rest.get("/api/v1/notifications/unread/count")
    for item in listed.json["items"]:
        assert rest.get(f"/api/v1/notifications/{item['id']}").status == 200
    assert rest.call("PATCH", f"/api/v1/notifications/{id_}/read").json["is_read"] is True
    assert rest.call("DELETE", f"/api/v1/notifications/{id_}").status == 204
    assert rest.call("DELETE", f"/api/v1/notifications/{id_}").status == 404
    assert rest.post("/api/v1/notifications/read-all", {}).status == 200
    assert rest.post("/api/v1/notifications", {"user_id": "u-rest", "title": "x"}).status == 201
    assert rest.post("/api/v1/notifications", {"broadcast": True, "title": "x"}, headers={"Idempotency-Key": "k1"}).status == 201
    assert rest.post("/api/v1/notifications", {"broadcast": True, "title": "y"}, headers={"Idempotency-Key": "k1"}).status == 422
    assert rest.post("/api/notifications?topic=news", {"type": "build", "n": 1}).status == 202
    assert rest.get("/api/v1/statistics", list="true").status == 200
    assert rest.get("/api/v1/sessions/u-rest").status == 200
    assert rest.post("/api/v1/sessions/u-rest/kick", {}).status == 200
    for path in ("/healthz", "/readyz", "/metrics", "/notify.js", "/", "/test-ws", "/docs", "/redoc", "/events", "/events/ping", "/openapi.json", "/asyncapi.json"):
        assert rest.get(path).status in (200, 302)
        assert rest.call("HEAD", path).status in (200, 302)
    for path in rest.document["paths"]:
        if "/ws" not in path:
            assert rest.call("OPTIONS", re.sub(r"{\w+}", "x", path)).status == 204
    assert rest.post("/events/ping/validate", {"type": "ping"}).json["valid"]
    for query in ("EIO=3&transport=polling", "EIO=4&transport=pigeon", "EIO=4&transport=polling&sid=none", ""):
        assert rest.get(f"/socket.io/?{query}").status == 400
    assert rest.post("/socket.io/?EIO=4&transport=polling&sid=none", b"2").status == 400
    for path in ("/ws", "/ws/a", "/api/v1/ws/s"):
        assert rest.get(path).status == 426


def test_each_request_over_http_answers_as_openapi_json_says(driven, rest):
    for name, form in driven.catalogue.requests().items():
        id_ = driven.send("inbox:u-rest", "to be asked for")
        answer = rest.post("/api/v1/requests", {"type": name, **real(form["example"], id_, "u-rest", "s1")})
        assert (answer.status, answer.json.get("type") in form["answers"]) == ((422, False) if form["needs_connection"] else (200, True)), answer


def test_each_way_to_be_refused_over_http_is_in_openapi_json(driven, rest, jwt_bridge):
    json_type = {"Content-Type": "application/json"}
    rows = [
        ("POST", "/api/v1/requests", b"{", {}, 400), ("POST", "/api/v1/requests", b'{"type":"x"}', {}, 404), ("POST", "/api/v1/requests", b"{}", {"Content-Type": "text/plain"}, 415),
        ("POST", "/api/v1/notifications", b" " * 65537, json_type, 413), ("POST", "/api/v1/notifications", b"{}", {}, 422),
        ("POST", "/api/v1/notifications", b'{"title":"x","broadcast":true}', {"Origin": "http://elsewhere"}, 403), ("GET", "/api/v1/notifications/x", None, {}, 422),
        ("GET", f"/api/v1/notifications/{NOBODY}", None, {}, 404), ("PATCH", f"/api/v1/notifications/{NOBODY}/read", None, {}, 404),
        ("GET", "/events/no_such_event", None, {}, 404), ("POST", "/events/ping/validate", b"{", {}, 400),
    ]  # fmt: skip
    for method, path, body, headers, status in rows:
        answer = rest.call(method, path, body, headers)
        assert answer.status == status, (method, path, answer)
        assert answer.error in driven.catalogue.codes
    guest = WatchedRest(rest.document, jwt_bridge.port)
    for path, item in rest.document["paths"].items():
        for method, operation in item.items():
            if "security" in operation and "/ws" not in path and method in ("get", "post", "patch", "delete"):
                answer = guest.call(method.upper(), re.sub(r"{\w+}", "x", path), b"{}" if method == "post" else None)
                assert (answer.status, answer.error) == (401, "UNAUTHORIZED"), (path, method)


def test_without_redis_it_is_unavailable_as_openapi_json_says(driven, rest):
    server = driven.redis(name="gone")
    bridge = driven.bridge(server, name="alone")
    alone = WatchedRest(rest.document, bridge.port, user="a")
    server.kill9()
    wait_until(lambda: alone.get("/readyz").status == 503, "the end of the links", timeout=WAIT_TIMEOUT_S)
    for method, path in (("GET", "/api/v1/notifications"), ("GET", "/api/v1/notifications/unread/count"), ("DELETE", f"/api/v1/notifications/{NOBODY}")):
        assert alone.call(method, path).error == "UNAVAILABLE"
