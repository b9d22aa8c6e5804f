"""Contract D, the cockpit: its client (cockpit.py) and the page of its document against two real bridges, a real Redis and a real worker
(docs/examples/worker.py). A number is that of the row in the contract's script."""

import subprocess
import urllib.parse
import uuid

import pytest

from cockpit import AgentError, Api, Chat, HttpError, Item, Pushed, Reply, Session, as_time, as_uuid
from example_worker import ExampleWorker
from nginx import Nginx
from servers import Group, bridge_path, free_port, wait_until
from tokens import SECRET, claims, hs, token
from ws_client import BINARY, Closed, WsClient

# The variables of the document's deployment, as they stand there.
ENVIRONMENT = {
    "SECRET_KEY": SECRET,
    "WS_HEARTBEAT_INTERVAL": "30",
    "WS_MAX_CONNECTIONS_PER_SESSION": "5",
    "WS_CONNECTION_TIMEOUT": "300",
    "CORS_ORIGINS": "http://localhost:5173,https://app.example.com",
}


class House(Group):
    def __init__(self):
        super().__init__()
        self.server = self.redis()
        self.page_port = free_port()
        environment = {**ENVIRONMENT, "CORS_ORIGINS": f"{ENVIRONMENT['CORS_ORIGINS']},http://localhost:{self.page_port}"}
        self.bridges = [self.bridge(self.server, "--auth", "jwt", env=environment, name=name) for name in ("one", "two")]
        self.db = self.server.client()
        self.opened = []
        self.worker = None

    def start_worker(self, *options):
        self.worker = self.add(ExampleWorker(self.server, "py", "--pause", "0.01", *options)).start()
        return self.worker

    def session(self, user, session_id=None, at=0):
        session = Session(self.bridges[at].port, session_id or uuid.uuid4(), token(user))
        self.opened.append(session)
        return session

    def api(self, user=None, at=0):
        return Api(self.bridges[at].port, None if user is None else token(user))

    def send(self, user, title, *options):
        return self.db.execute_command("NOTIFY.SEND", f"inbox:{user}", title, *options)

    def connections(self):
        """Of each bridge."""
        return [bridge.metrics()['notify_connections{transport="websocket"}'] for bridge in self.bridges]

    def close_all(self):
        while self.opened:
            session = self.opened.pop()
            if session.socket.sock.fileno() >= 0:
                session.close()


@pytest.fixture(scope="module")
def shared_house():
    house = House()
    house.start_worker()
    yield house
    house.close()


@pytest.fixture
def house(shared_house):
    yield shared_house
    shared_house.close_all()


@pytest.fixture
def user():
    return str(uuid.uuid4())


def closed_with(house, query, session_id=None):
    socket = WsClient(house.bridges[0].port, f"/api/v1/ws/{session_id or uuid.uuid4()}{query}")
    return socket.wait_closed().code


def test_1_a_session_is_established_with_its_id_its_user_and_the_time(house, user):
    session_id = uuid.uuid4()
    session = house.session(user, session_id)
    assert (session.session_id, session.user_id) == (session_id, user)


@pytest.mark.parametrize("made", ["bad", "empty", "expired", "of another secret", "of no algorithm", "none"])
def test_2_a_token_that_is_no_good_is_a_breach_of_policy(house, user, made):
    tokens = {
        "bad": "x.y.z",
        "empty": "",
        "expired": hs(claims(user, -3600)),
        "of another secret": hs(claims(user), secret="the secret of somebody else, which is long enough"),
        "of no algorithm": hs(claims(user), alg="none"),
    }
    query = f"?token={urllib.parse.quote(tokens[made])}" if made in tokens else ""
    assert closed_with(house, query) == 1008


def test_2_the_sixth_connection_of_a_session_is_refused(house, user):
    session_id = uuid.uuid4()
    sessions = [house.session(user, session_id, at=n % 2) for n in range(5)]
    assert closed_with(house, f"?token={token(user)}", session_id) == 1008
    sessions[0].close()
    wait_until(lambda: house.db.execute_command("NOTIFY.SESSION", "COUNT", f"sessions:{user}", "CONNECTIONS") == 4, "it has gone")
    house.session(user, session_id)


def test_3_a_ping_is_answered_with_the_time(house, user):
    session = house.session(user)
    assert session.ping() >= session.connected_at


def test_3_the_agent_answers_the_connection_that_asked_and_no_other(house, user):
    session_id = uuid.uuid4()
    asking, beside = house.session(user, session_id, at=0), house.session(user, session_id, at=1)
    asking.ask("Hi")
    reply = asking.reply()
    assert reply.reply == "You said: Hi" and reply.tokens_used > 0
    house.send(user, "behind it")
    beside.wait_notification("behind it")
    beside.ping()
    assert beside.others == []


def test_3_a_failure_of_the_agent_is_an_error_on_that_connection(house, user):
    session = house.session(user)
    house.worker.kill9()
    try:
        before = house.db.xlen("agent:requests")
        session.ask("Hi")
        wait_until(lambda: house.db.xlen("agent:requests") > before, "it is asked")
        [(_, fields)] = house.db.xrevrange("agent:requests", count=1)
        house.db.execute_command("NOTIFY.EVENT", f"session:{session.session_id}", "error", "DATA", '{"request_id":"%s","code":"PROCESSING_ERROR","message":"no"}' % fields["request_id"])
        with pytest.raises(AgentError) as caught:
            session.reply()
        assert (caught.value.code, caught.value.message, caught.value.details) == ("PROCESSING_ERROR", "no", None)
        assert session.ping()
    finally:
        house.db.delete("agent:requests")
        house.start_worker()


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "null", '"ping"', "{}", '{"type":7}', '{"type":"nonsense"}', '{"type":"message"}', '{"type":"message","message":""}', '{"type":"message","message":null}', '{"type":"message","message":{"text":"x"}}', '{"type":"message","text":"x"}', '{"type":"ping","ping":1}'])
def test_3_what_is_wrong_is_told_with_details_and_the_session_goes_on(house, user, text):
    session = house.session(user)
    error = session.say(text)
    assert error.code and error.message
    assert session.ping()


def test_3_what_is_no_text_ends_the_connection(house, user):
    session = house.session(user)
    session.socket.send_frame(BINARY, b"\0")
    with pytest.raises(Closed) as closed:
        session.ping()
    assert closed.value.code == 1003


def test_4_a_notification_is_pushed_to_all_sessions_of_its_user_and_to_no_other(house, user):
    task = str(uuid.uuid4())
    sessions = [house.session(user, at=n % 2) for n in range(3)]
    stranger = house.session(str(uuid.uuid4()))
    house.send(user, "New Task Created", "TYPE", "task_created", "ENTITY", "task", task, "ACTION", '{"type":"open_task","url":"/t/1"}')
    pushed = [session.wait_notification("New Task Created") for session in sessions]
    assert len({one.id for one in pushed}) == 1 and pushed[0].id.version == 4
    assert (pushed[0].content, pushed[0].notification_type) == ("", "task_created")
    assert pushed[0].action == {"type": "open_task", "url": "/t/1"}
    stranger.ping()
    assert stranger.notifications == []


def test_4_an_action_may_be_any_object(house, user):
    session = house.session(user)
    house.send(user, "odd", "ACTION", '{"a":{"b":[1,null]},"type":7}')
    assert session.wait_notification("odd").action == {"a": {"b": [1, None]}, "type": 7}


def test_a_session_that_comes_back_goes_on(house, user):
    session_id = uuid.uuid4()
    house.session(user, session_id, at=0).close()
    again = house.session(user, session_id, at=1)
    house.send(user, "after that")
    again.wait_notification("after that")
    again.ask("still there?")
    assert again.reply().reply == "You said: still there?"


def test_the_variables_of_the_document_are_known(house):
    for bridge in house.bridges:
        assert not any(bridge.has_line(f"event=unknown_variable name={name}") for name in ENVIRONMENT)
        assert not bridge.has_line("level=error")


def test_the_environment_of_the_document_is_a_whole_configuration():
    variables = {
        **ENVIRONMENT,
        "DATABASE_URL": "postgresql+asyncpg://user:pass@localhost:5432/agent_cockpit",
        "REDIS_URL": "redis://localhost:6379/0",
        "ANTHROPIC_API_KEY": "sk-ant-x",
    }
    done = subprocess.run([bridge_path(), "--auth", "jwt", "--check-config"], env=variables, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "configuration is valid\n", "")


# The part of the document's configuration of nginx, as it stands there.
LOCATION = """
location /api/v1/ws/ {
    proxy_pass http://backend:8000;
    proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection "upgrade";
    proxy_set_header Host $host;
    proxy_set_header X-Real-IP $remote_addr;
    proxy_read_timeout 86400;  # 24 hours
}
"""


class DocumentsNginx(Nginx):
    """In front of both bridges, without sticky sessions."""

    def __init__(self, folder, bridges):
        super().__init__(folder, bridges)
        with open(self.config, encoding="utf-8") as file:
            text = file.read()
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(text.replace("location /ws {", LOCATION.replace("backend:8000", "bridges") + "location /ws {"))


def test_behind_the_documents_nginx_all_of_it_works_over_any_bridge(house, user, programs, tmp_path):
    proxy = programs.add(DocumentsNginx(str(tmp_path), house.bridges))
    proxy.start()
    session_id, sessions = uuid.uuid4(), []
    for _ in range(4):
        sessions.append(Session(proxy.port, session_id, token(user)))
        house.opened.append(sessions[-1])
    wait_until(lambda: sorted(house.connections()) == [2, 2], "two on each bridge, and none of another test")
    house.send(user, "to all of them")
    for session in sessions:
        session.ping()
        session.ask("Hi")
        assert session.reply().reply == "You said: Hi"
        session.wait_notification("to all of them")
    api = Api(proxy.port, token(user))
    [item] = [Item.of(one) for one in api.call("GET", "/notifications")[1]["items"]]
    assert item.id == sessions[0].notifications[0].id
    assert Item.of(api.call("PATCH", f"/notifications/{item.id}/read")[1]).is_read
    assert [event["type"] for event in Chat(api, "Hello").all()][-1] == "end"


# -- 5 to 7: notifications over REST


def fill(house, user, count):
    for n in range(count):
        house.send(user, f"n{n}", "TYPE", "task_created" if n % 2 == 0 else "email_received")


def test_5_the_list_is_paged_and_its_items_are_whole(house, user):
    task = str(uuid.uuid4())
    fill(house, user, 24)
    house.send(user, "last", "CONTENT", "text", "TYPE", "task_created", "ENTITY", "task", task, "ACTION", '{"type":"open_task"}')
    status, page = house.api(user).call("GET", "/notifications")
    assert status == 200 and (page["page"], page["page_size"], page["total"], len(page["items"])) == (1, 20, 25, 20)
    items = [Item.of(item) for item in page["items"]]
    assert items[0] == Item(items[0].id, user, "last", "text", "task_created", {"type": "open_task"}, "task", task, False, None, items[0].created_at, items[0].updated_at)
    assert items[0].created_at >= items[-1].created_at
    _, second = house.api(user, at=1).call("GET", "/notifications?page=2&page_size=20")
    assert [item["title"] for item in second["items"]] == ["n4", "n3", "n2", "n1", "n0"]
    ids = [Item.of(item).id for item in page["items"] + second["items"]]
    assert len(set(ids)) == 25


def test_5_the_list_may_be_of_what_is_unread_and_of_one_type(house, user):
    fill(house, user, 6)
    api = house.api(user)
    _, page = api.call("GET", "/notifications?page=1&page_size=20&unread_only=true&notification_type=task_created")
    assert [item["title"] for item in page["items"]] == ["n4", "n2", "n0"] and page["total"] == 3
    api.call("PATCH", f"/notifications/{page['items'][0]['id']}/read")
    _, page = api.call("GET", "/notifications?unread_only=true&notification_type=task_created")
    assert [item["title"] for item in page["items"]] == ["n2", "n0"]


def test_5_what_is_pushed_and_what_is_listed_is_the_same(house, user):
    session = house.session(user)
    house.send(user, "once", "TYPE", "t")
    pushed = session.wait_notification("once")
    _, page = house.api(user).call("GET", "/notifications")
    item = Item.of(page["items"][0])
    assert (item.id, item.title, item.content, item.type, item.created_at) == (pushed.id, pushed.title, pushed.content, pushed.notification_type, pushed.created_at)


@pytest.mark.parametrize("query", ["page=0", "page=x", "page_size=0", "page_size=101", "unread_only=perhaps"])
def test_5_a_wrong_question_is_told(house, user, query):
    with pytest.raises(HttpError) as refused:
        house.api(user).call("GET", f"/notifications?{query}")
    assert refused.value.status == 422 and '"details"' in refused.value.body


def test_6_one_is_marked_by_its_owner_alone(house, user):
    session = house.session(user)
    house.send(user, "mine")
    id_ = session.wait_notification("mine").id
    for _ in range(2):
        status, item = house.api(user).call("PATCH", f"/notifications/{id_}/read")
        read = Item.of(item)
        assert status == 200 and read.id == id_ and read.is_read and read.read_at is not None
    for api in (house.api(str(uuid.uuid4())), house.api(user)):
        path = f"/notifications/{id_ if api.token != token(user) else uuid.uuid4()}/read"
        with pytest.raises(HttpError) as refused:
            api.call("PATCH", path)
        assert refused.value.status in (403, 404)
    with pytest.raises(HttpError) as refused:
        house.api(user).call("PATCH", "/notifications/no-uuid/read")
    assert refused.value.status == 422


def test_7_all_are_marked_counted_and_deleted(house, user):
    fill(house, user, 5)
    api = house.api(user)
    _, count = api.call("GET", "/notifications/unread/count")
    assert 5 in count.values()
    status, marked = api.call("POST", "/notifications/read-all")
    assert status == 200 and 5 in marked.values()
    _, count = api.call("GET", "/notifications/unread/count")
    assert 0 in count.values() and 5 not in count.values()
    _, page = api.call("GET", "/notifications")
    path = f"/notifications/{page['items'][0]['id']}"
    status, _ = api.call("DELETE", path)
    assert 200 <= status < 300
    with pytest.raises(HttpError) as refused:
        api.call("DELETE", path)
    assert refused.value.status == 404
    with pytest.raises(HttpError) as refused:
        house.api(str(uuid.uuid4())).call("DELETE", f"/notifications/{page['items'][1]['id']}")
    assert refused.value.status in (403, 404)
    assert house.api(user, at=1).call("GET", "/notifications")[1]["total"] == 4


@pytest.mark.parametrize("method, path", [("GET", "/notifications"), ("PATCH", f"/notifications/{uuid.uuid4()}/read"), ("POST", "/notifications/read-all"), ("DELETE", f"/notifications/{uuid.uuid4()}"), ("GET", "/notifications/unread/count")])
@pytest.mark.parametrize("made", [None, "x.y.z", "expired"])
def test_7_without_a_good_token_nothing_is_to_be_had(house, user, method, path, made):
    api = house.api()
    api.token = hs(claims(user, -3600)) if made == "expired" else made
    with pytest.raises(HttpError) as refused:
        api.call(method, path)
    assert refused.value.status in (401, 403)


# -- 8: an answer that is streamed


def test_8_an_answer_is_streamed_word_by_word(house, user):
    chat = Chat(house.api(user), "Hello there")
    events = chat.all()
    assert events[0]["type"] == "start" and as_uuid(events[0]["session_id"])
    assert "".join(e["content"] for e in events if e["type"] == "token") == "You said: Hello there "
    assert [e["type"] for e in events] == ["start", "token", "token", "token", "token", "end"]
    assert events[-1]["message_id"] and events[-1]["tokens_used"] == 4


def test_8_tools_are_told(house, user):
    events = Chat(house.api(user, at=1), "weather?").all()
    assert [e["type"] for e in events][:3] == ["start", "tool_call", "tool_result"]


def test_8_a_websocket_of_the_session_hears_nothing_of_it(house, user):
    session = house.session(user)
    events = Chat(house.api(user, at=1), "Hello", str(session.session_id)).all()
    assert events[0]["session_id"] == str(session.session_id) and events[-1]["type"] == "end"
    session.ping()
    assert session.others == [] and session.notifications == []


@pytest.mark.parametrize("body, status", [(b"{", 400), (b"[]", 400), ({}, 422), ({"message": ""}, 422), ({"message": 7}, 422), ({"message": "x", "session_id": 7}, 422)])
def test_8_what_is_wrong_is_told(house, user, body, status):
    with pytest.raises(HttpError) as refused:
        house.api(user).call("POST", "/chat/stream", body)
    assert refused.value.status == status


@pytest.mark.parametrize("platform", ["node", "chromium"])
def test_8_the_page_of_the_document_shows_it_word_by_word(house, user, platform, run_script):
    words = ["d_client.js"] if platform == "chromium" else []
    script = run_script("node", f"d_in_{platform}.js", *words, f"127.0.0.1:{house.bridges[0].port}", token(user))
    if not script.supported():
        pytest.skip("this platform has no fetch")
    script.wait_line('"over"|"failed"', timeout=60)
    assert script.calls("failed") == []
    assert [content for [content] in script.calls("appendToChat")] == ["You ", "said: ", "Hello "]
    [[text, message_id]] = script.calls("log")
    assert text == "Streaming complete" and as_uuid(message_id)


# -- all of it in a browser


def test_a_page_of_another_origin_does_all_of_it_in_chromium(house, user, run_script):
    script = run_script("node", "d_in_chromium.js", "d_cockpit.js", f"127.0.0.1:{house.bridges[0].port}", token(user), str(house.page_port))
    script.wait_line('"ready"|"failed"', timeout=60)
    id_ = house.send(user, "New Task Created", "TYPE", "task_created", "ACTION", '{"type":"open_task","url":"/t/1"}')
    script.wait_line('"over"|"failed"', timeout=60)
    assert script.calls("failed") == []
    assert {message["type"] for [message] in script.calls("other")} <= {"read", "deleted"}, "which the document does not know, and a switch passes over"

    [[first], *_] = script.calls("connection_established")
    assert as_uuid(first["session_id"]) and first["user_id"] == user and as_time(first["connected_at"])
    assert len(script.calls("pong")) == 3 and all(as_time(timestamp) for [timestamp] in script.calls("pong"))
    [[data]] = script.calls("message")
    assert Reply.of({"data": data}).reply == "You said: Hi"
    codes = [error["code"] for [error] in script.calls("error")]
    assert codes == ["BAD_JSON", "BAD_JSON", "UNKNOWN_TYPE", "MISSING_FIELD", "INVALID_FIELD", "MISSING_FIELD"]
    assert all(set(error) == {"code", "message", "details"} for [error] in script.calls("error"))
    [[data, timestamp]] = script.calls("notification")
    pushed = Pushed.of({"data": data, "timestamp": timestamp})
    assert (pushed.title, pushed.action) == ("New Task Created", {"type": "open_task", "url": "/t/1"})

    calls = [(method, status) for method, _, status, _ in script.calls("call")]
    assert calls == [
        ("GET", 200), ("GET", 200), ("PATCH", 200), ("POST", 200), ("GET", 200), ("DELETE", 204), ("DELETE", 404), ("PATCH", 422), ("GET", 422), ("GET", 401), ("GET", 401),
    ]
    bodies = [body for *_, body in script.calls("call")]
    assert [Item.of(item).id for item in bodies[0]["items"]] == [pushed.id] and bodies[0]["total"] == 1
    assert (bodies[1]["unread"], bodies[4]["unread"], bodies[3]) == (1, 0, {"marked": 0})
    assert Item.of(bodies[2]).is_read
    assert dict(script.calls("closed")) == {"bad token": 1008, "sixth": 1008, "binary": 1003, "by itself": 1000}
    assert house.db.execute_command("NOTIFY.RANGE", f"inbox:{user}", id_, id_) == []
