"""Contract B, the topic service: its application in Python (contract_b_client.py) and its JavaScript as the document has it
(b_client.js, but for blanks at ends of lines) in Node.js and in Chromium, against a real bridge. A number is
that of the row in the contract's script."""

import json
import re

import pytest

from contract_b_client import Backend, Friday
from servers import Group, change_roles, wait_until
from tokens import SECRET, token
from ws_client import BINARY, Closed

ISO_TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")


class Service(Group):
    """The older system as its clients see it."""

    def __init__(self, *options):
        super().__init__()
        self.server = self.redis()
        self.daemon = self.bridge(self.server, *options)
        self.backend = Backend(self.daemon.port)
        self.clients = []

    def client(self, path="/ws", **options):
        self.clients.append(Friday(self.daemon.port, path, **options))
        return self.clients[-1].connect()

    def close(self):
        for client in self.clients:
            client.close()
        super().close()


@pytest.fixture
def start_service():
    services = []

    def start(*options):
        services.append(Service(*options))
        return services[-1]

    yield start
    for service in services:
        service.close()


@pytest.fixture
def service(start_service):
    return start_service()


# -- the application of the document, in Python


def test_1_who_connects_is_told_its_client_id_which_the_path_may_name(service):
    first, second, other = service.client(), service.client("/ws/c2"), service.client("/ws")
    assert second.client_id == "c2"
    assert len({first.client_id, second.client_id, other.client_id}) == 3


def test_2_a_heartbeat_is_answered(service):
    client = service.client()
    for _ in range(3):
        assert client.heartbeat()["type"] != "error"


def test_3_to_5_a_run_is_told_to_those_who_subscribed_with_its_members_at_the_top(service):
    watcher, bystander = service.client(), service.client("/ws/c2")
    watcher.subscribe("test_run_7")
    body = {"type": "test_run_status", "run_id": "7", "status": "passed",
            "message": "Test run 7 completed with status: passed"}  # fmt: skip
    service.backend.publish(body, topic="test_run_7")
    message = watcher.wait("test_run_status")
    assert body.items() <= message.items() and ISO_TIME.match(message["timestamp"])
    assert watcher.runs == {"7": "passed"}
    bystander.settle()
    assert bystander.runs == {}


def test_6_without_a_topic_everybody_is_told(service):
    clients = [service.client(path) for path in ("/ws", "/ws/c2", "/ws/c3")]
    service.backend.publish({"type": "alert", "message": "System update scheduled"})
    for client in clients:
        assert client.wait("alert")["message"] == "System update scheduled"


def test_7_the_data_of_a_notification_is_its_data(service):
    client = service.client()
    client.subscribe("test_run_7")
    data = {"run": 7, "nested": {"data": [None, 0.1]}}
    service.backend.publish({"type": "notification", "message": "Test run completed", "data": data}, "test_run_7")
    message = client.wait("notification")
    assert (message["message"], message["data"]) == ("Test run completed", data)
    assert ISO_TIME.match(message["timestamp"])


def test_8_after_unsubscribing_nothing_comes(service):
    client = service.client()
    client.subscribe("a")
    client.unsubscribe("a")
    service.backend.publish({"type": "alert", "message": "not for it"}, topic="a")
    service.backend.publish({"type": "alert", "message": "for all"})
    assert client.wait("alert")["message"] == "for all"


def test_8_a_client_comes_back_by_itself_and_subscribes_again(service):
    client = service.client("/ws/c2")
    client.subscribe("a")
    service.daemon.kill9()
    assert client.wait_lost() == 1006
    service.daemon.start()
    client.stay_connected()
    service.backend.publish({"type": "alert", "message": "again"}, topic="a")
    assert client.wait("alert")["message"] == "again"


def test_8_the_test_page_is_there_in_development_mode_only(service, start_service):
    assert service.backend.request("GET", "/test-ws")[0] == 200
    production = start_service("--dev=no", "--auth", "jwt", "--jwt-secret", SECRET)
    assert production.backend.request("GET", "/test-ws")[0] == 404


def test_what_is_sent_twice_subscribed_twice_or_named_alike_is_told_once(service):
    client = service.client()
    client.subscribe("a")
    client.subscribe("a")
    service.backend.publish({"type": "alert", "message": "one"}, topic="a")
    service.backend.publish({"type": "alert", "message": "two"}, topic="a")
    client.wait("alert", message="two")
    assert [m["message"] for m in client.received if m["type"] == "alert"] == ["one", "two"]


# -- wrong messages


WRONG_MESSAGES = [
    *("", "nonsense", "[]", '"heartbeat"', "null", '{"type":"heartbeat"', '{"type":7}', "{}", '{"type":"no such"}'),
    *('{"type":"subscribe"}', '{"type":"subscribe","topic":7}', '{"type":"subscribe","topic":""}'),
    *('{"type":"subscribe","topic":"a","topic":"b"}', '{"type":"subscribe","topic":"a\\u0000b"}'),
    *('{"type":"unsubscribe"}', '{"type":"unsubscribe","topic":[]}', '{"topic":"a"}'),
    '{"type":"subscribe","topic":"' + "x" * 129 + '"}',
]


@pytest.fixture(scope="module")
def shared_service():
    service = Service()
    yield service
    service.close()


@pytest.mark.parametrize("text", WRONG_MESSAGES, ids=range(len(WRONG_MESSAGES)))
def test_a_wrong_message_is_an_error_and_the_connection_stays(shared_service, text):
    client = shared_service.client()
    client.socket.send(text)
    error = client.wait("error")["error"]
    assert error["code"] and error["message"]
    client.subscribe("still here")
    shared_service.backend.publish({"type": "alert", "message": "m"}, topic="still here")
    assert client.wait("alert")["message"] == "m"
    client.close()


def test_a_binary_frame_ends_the_connection_as_unsupported(shared_service):
    client = shared_service.client()
    client.socket.send_frame(BINARY, b'{"type":"heartbeat"}')
    assert client.wait_lost() == 1003


def test_unsubscribing_what_is_not_subscribed_is_confirmed_all_the_same(shared_service):
    shared_service.client().unsubscribe("never subscribed")


DEEP = '{"a":' * 3000 + "1" + "}" * 3000

# A body, a topic, the status, and what the error names.
WRONG_BODIES = [
    ("", "a", 400, None),
    ("nonsense", "a", 400, None),
    ("[]", "a", 400, None),
    ('"alert"', "a", 400, None),
    ('{"type":"alert"', "a", 400, None),
    (b'{"type":"alert","message":"\xff"}', "a", 400, None),
    ("{}", "a", 422, "type"),
    ('{"message":"m"}', "a", 422, "type"),
    ('{"type":null}', "a", 422, "type"),
    ('{"type":7}', "a", 422, "type"),
    ('{"type":""}', "a", 422, "type"),
    ('{"type":"two words"}', "a", 422, "type"),
    ('{"type":"' + "x" * 65 + '"}', "a", 422, "type"),
    ('{"type":"alert","type":"alert"}', "a", 422, "type"),
    ('{"type":"deleted"}', "a", 422, "type"),  # a change of state: ours alone
    ('{"type":"connection"}', "a", 422, "type"),
    ('{"type":"alert"}', "", 422, "topic"),
    ('{"type":"alert"}', "x" * 129, 422, "topic"),
    ('{"type":"alert"}', "a\nb", 422, "topic"),
    ('{"type":"alert","deep":' + DEEP + "}", "a", 422, None),
    ('{"type":"alert","message":"' + "x" * 2_000_000 + '"}', "a", 413, None),
]


@pytest.mark.parametrize("body, topic, status, named", WRONG_BODIES, ids=range(len(WRONG_BODIES)))
def test_a_wrong_body_is_refused_says_why_and_nobody_is_told(shared_service, body, topic, status, named):
    client = shared_service.client()
    client.subscribe("a")
    said, answer = shared_service.backend.post(body, topic)
    assert (said, "error" in answer) == (status, True), answer
    assert named is None or named in answer["error"]["message"]
    shared_service.backend.publish({"type": "marker"}, topic="a")
    client.wait("marker")
    assert [m["type"] for m in client.received] == ["connection", "subscription", "marker"]
    client.close()


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_notifications_are_posted_and_nothing_else(shared_service, method):
    assert shared_service.backend.request(method, "/api/notifications", "{}")[0] == 405


def test_what_a_body_says_is_kept_as_it_was_written(shared_service):
    client = shared_service.client()
    client.subscribe("written")
    written = '"a":0.10,"b":18446744073709551616,"b":-0,"\\u00e9":"\\ud83d\\ude00","c":1e400'
    shared_service.backend.publish('{"type":"alert", ' + written + " }", topic="written")
    text = client.socket.recv_text()
    assert text.startswith("{" + written + ",") and f'"data":{{{written}}}' in text


def test_no_body_passes_itself_off_as_something_else(shared_service):
    """Members that clients and the bridge go by are the message's own."""
    client = shared_service.client()
    client.subscribe("forged")
    forged = {"type": "alert", "key": "inbox:x", "id": "9-9", "prev": "9-8", "epoch": 7, "timestamp": "never", "rev": 1}
    answer = shared_service.backend.publish(forged, topic="forged")
    message = client.wait("alert")
    assert (message["key"], message["id"]) == ("topic:forged", answer["id"])
    assert ISO_TIME.match(message["timestamp"]) and message["prev"] != "9-8"
    assert message["data"] == {name: value for name, value in forged.items() if name != "type"}


# -- beside contract D: the bridge checks tokens


ROLES = """
role guest
  subscribe  *
  publish    test_run_* all

role *
  subscribe  *
"""


def test_4_who_brings_no_token_may_post_what_the_anonymous_role_may(start_service, tmp_path):
    file = tmp_path / "roles.conf"
    file.write_text(ROLES)
    service = start_service(
        *("--auth", "jwt", "--jwt-secret", SECRET, "--roles", str(file), "--anonymous-role", "guest")
    )
    client = service.client()
    client.subscribe("test_run_7")
    service.backend.publish({"type": "test_run_status", "run_id": "7", "status": "passed"}, "test_run_7")
    client.wait("test_run_status")
    service.backend.publish({"type": "alert", "message": "m"})
    client.wait("alert")
    assert service.backend.post({"type": "alert"}, "other")[0] == 403
    alice = {"Authorization": f"Bearer {token('alice')}"}
    assert service.backend.post({"type": "alert"}, "test_run_7", alice)[0] == 403, "alice is no guest"
    bad = {"Authorization": "Bearer nonsense"}
    assert service.backend.post({"type": "alert"}, "test_run_7", bad)[0] == 401
    change_roles(file, ROLES.replace("test_run_* all", "nothing"), service.daemon)
    assert service.backend.post({"type": "alert"}, "test_run_7")[0] == 403


def test_4_without_an_anonymous_role_a_token_is_needed(start_service):
    service = start_service("--auth", "jwt", "--jwt-secret", SECRET)
    assert service.backend.post({"type": "alert"}, "a")[0] == 401
    with pytest.raises(Closed):
        service.client(headers=["Authorization: Bearer nonsense"])


# -- the JavaScript of the document


PLATFORMS = {
    "node": ["node", "--experimental-websocket", "b_in_node.js"],
    "chromium": ["node", "b_in_chromium.js"],
}


@pytest.fixture(params=PLATFORMS)
def page(request, start_service, run_script):
    """(the service, the application's script running against it)"""
    service = start_service("--host-names", "your-friday-service-url", "--status-interval", "200ms")
    script = run_script(*PLATFORMS[request.param], f"127.0.0.1:{service.daemon.port}")
    if not script.supported():
        pytest.skip("this Node.js has no WebSocket")
    return service, script


def wait_received(script, type_, **members):
    def found():
        for _, message in script.calls("log"):
            if message["type"] == type_ and members.items() <= message.items():
                return message
        return None

    return wait_until(found, f"a message {type_} {members}")


def test_the_documents_own_script_shows_runs_and_hears_of_the_systems_status(page):
    service, script = page
    connection = wait_received(script, "connection", status="connected")
    assert connection["client_id"]
    wait_received(script, "subscription", topic="system_status", status="subscribed")
    assert wait_received(script, "system_status")["status"] == "healthy"
    service.backend.publish(
        {"type": "test_run_status", "run_id": "7", "status": "passed", "message": "Test run 7"}, "system_status"
    )
    wait_until(lambda: script.calls("updateTestRunUI"), "updateTestRunUI()")
    assert script.calls("updateTestRunUI") == [["7", "passed"]]
    service.backend.publish({"type": "alert", "message": "System update scheduled"})
    wait_received(script, "alert", message="System update scheduled")
    service.backend.publish({"type": "alert", "message": "elsewhere"}, "test_run_8")
    service.backend.publish({"type": "marker"}, "system_status")
    wait_received(script, "marker")
    assert all(text == "Received:" for text, _ in script.calls("log"))
    assert not any(message.get("message") == "elsewhere" for _, message in script.calls("log"))
    assert json.loads(json.dumps(script.calls("error"))) == []


# -- the service's status


def test_of_two_bridges_one_says_the_status_in_each_interval(start_service):
    service = start_service("--status-interval", "100ms")
    other = service.bridge(service.server, "--status-interval", "100ms", name="other")
    clients = [service.client(), Friday(other.port).connect()]
    service.clients.append(clients[1])
    for client in clients:
        client.subscribe("system_status")
    for client in clients:
        for _ in range(10):
            client.wait("system_status")
    heard = [[m for m in client.received if m["type"] == "system_status"] for client in clients]
    for messages in heard:
        slots = [int(m["id"].split("-")[0]) // 100 for m in messages]
        assert len(set(slots)) >= len(slots) - 1, "a beat that came late may share a tenth of a second"
    service.daemon.kill9()
    for _ in range(3):  # the other goes on
        assert clients[1].wait("system_status")["metrics"]["connections"] >= 1


def test_nobody_says_the_status_unless_that_is_wanted(service):
    client = service.client()
    client.subscribe("system_status")
    client.settle()
    assert service.server.client().exists("topic:system_status") == 0
