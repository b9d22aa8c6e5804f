"""Every way in which a request can be wrong by its schema, over every way of asking: a clear error of the catalogue, and nothing is done."""

import json
import re

import pytest

from bridge_helpers import Stand
from catalogue import Catalogue, closed, faults, fetch, resolved, wrong_requests, wrong_values
from rest_client import Rest
from socketio_peer import SocketIo

WAYS = {"canonical": "/ws/{}?protocol=notify.v1&user={}", "topic": "/ws/{}?user={}", "session": "/api/v1/ws/{}?user={}"}
USER = "wrong"


class Wronged(Stand):
    def __init__(self):
        super().__init__("--request-rate", "0")
        self.catalogue = Catalogue(self.daemon.port)
        for key in (f"inbox:{USER}", "topic:news", "topic:all", "session:s1"):
            self.call("NOTIFY.SEND", key, "one", "CATEGORY", "ci", "ID", "1795208400123-0")
        self.rest.get("/api/v1/notifications")  # makes the inbox follow its logs

    @property
    def rest(self):
        """A new connection, which is kept for no longer than its requests follow each other."""
        return Rest(self.daemon.port, user=USER)

    def state(self):
        """All that stands in Redis but who is connected."""
        keys = sorted(key for key in self.client.keys("*") if not key.startswith(("sessions:", "ws:session:", "presence:")))
        return {key: self.call("NOTIFY.RANGE", key, "-", "+") + [self.call("NOTIFY.BADGE", key)] if self.client.type(key) == "notifybox" else self.client.type(key) for key in keys}


@pytest.fixture(scope="module")
def wronged():
    stand = Wronged()
    yield stand
    stand.close_tabs()
    stand.close()


def check_error(wronged, error, code, member, what):
    """That it is one of the catalogue's, says what is wrong in words, and names the member."""
    assert error["code"] == code and code in wronged.catalogue.codes, (what, error)
    assert len(error["message"]) > 10
    if member is not None:
        assert error["details"] == {"member": member[:64]} and (member == "type" or member[:64] in error["message"]), (what, error)
    else:
        assert error["details"] is None


def all_wrong(wronged, dialect="canonical"):
    for name, form in wronged.catalogue.requests(dialect).items():
        for what, message, code, member in wrong_requests(form["schema"], form["example"]):
            yield f"{name}: {what}", {**message, "request_id": "w"}, code, member, form["needs_connection"]


def wrong_for_all(wronged):
    """What is wrong with any request, as text: who is meant, and who is not."""
    for name, form in wronged.catalogue.requests().items():
        text = json.dumps({**form["example"], "request_id": "w"})
        yield f"{name}: its type twice", text[:-1] + f', "type": "{name}"}}', "INVALID_FIELD", "type"
        for member in form["example"]:
            if member not in ("type", "request_id"):
                yield f"{name}: {member} twice", text[:-1] + f', "{member}": {json.dumps(form["example"][member])}}}', "INVALID_FIELD", member


@pytest.mark.parametrize("dialect", WAYS)
def test_over_a_websocket_each_is_an_error_and_changes_nothing(wronged, dialect):
    tab = wronged.tab(WAYS[dialect].format("s-" + dialect, USER), greeted=False)
    tab.recv()
    before, count = wronged.state(), 0
    for what, message, code, member, _ in all_wrong(wronged, dialect):
        tab.send(message)
        answer = tab.expect(type="error")
        assert answer["request_id"] == "w", what
        check_error(wronged, answer["error"], code, member, what)
        count += 1
    for what, text, code, member in wrong_for_all(wronged):
        tab.send(text)
        check_error(wronged, tab.expect(type="error")["error"], code, member, what)
    assert count > 500
    for wrong in ({"type": 1}, {"type": None}, {"type": ["ping"]}, {}, {"type": ""}, {"type": "PING"}):
        tab.send(wrong)
        assert tab.expect(type="error")["error"]["code"] in ("MISSING_FIELD", "INVALID_FIELD", "UNKNOWN_TYPE")
    for wrong in (1.5, True, [], {}, "a" * 255):
        tab.send({"type": "ping", "request_id": wrong})
        assert tab.expect(type="error")["error"]["details"] == {"member": "request_id"}
    assert wronged.state() == before
    wronged.call("NOTIFY.EVENT", "topic:news", "not_followed")
    assert [message for message in wronged.drain(tab) if message.get("type") != "presence"] == [], "nothing is followed, nothing was told"


def test_over_socket_io_each_is_an_error_in_its_acknowledgement_and_changes_nothing(wronged):
    peer = SocketIo(wronged.daemon.port, (), {"user": USER})
    peer.expect("connected")
    before, count = wronged.state(), 0
    for name, form in wronged.catalogue.requests("socketio").items():
        for what, message, code, member in wrong_requests(form["schema"], form["example"]):
            answer = peer.call(name, message)
            assert answer["type"] == "error" and answer["code"] == answer["error"]["code"], (name, what, answer)
            check_error(wronged, answer["error"], code, member, f"{name}: {what}")
            count += 1
    assert count > 500
    assert wronged.state() == before
    wronged.call("NOTIFY.EVENT", "topic:news", "not_followed")
    assert [name for name, _ in peer.events() if name == "not_followed"] == []
    peer.ws.sock.close()


def test_over_http_each_request_is_an_error_and_changes_nothing(wronged):
    before, rest = wronged.state(), wronged.rest
    for what, message, code, member, stays in all_wrong(wronged):
        del message["request_id"]
        answer = rest.post("/api/v1/requests", message)
        if stays:
            code, member = "INVALID_FIELD", "type"
        assert answer.status == 422, (what, answer)
        check_error(wronged, answer.json["error"], code, member, what)
    assert wronged.state() == before


def filled(path, operation):
    """The path with values that fit."""
    return re.sub(r"{(\w+)}", lambda part: "1795208400123-0" if part.group(1) == "id" else USER, path)


def in_query(value):
    return value if isinstance(value, str) else json.dumps(value)


def wrong_in_query(operation):
    """(name, value) of each parameter that must not be so; a text may be anything that is not empty."""
    for one in operation["parameters"]:
        if one["in"] != "query" or one["name"] in ("user", "token"):
            continue
        for value in wrong_values(one["schema"]):
            text = in_query(value)
            if one["schema"].get("type") == "string" and text and len(text) <= one["schema"].get("maxLength", len(text)):
                continue  # there it is a good text
            if one["schema"].get("type") == "boolean" and text in ("1", "true", "false"):
                continue  # as programs write it
            yield one["name"], text
        yield one["name"] + "_", "1"


def test_each_call_with_a_wrong_query_is_an_error_and_changes_nothing(wronged):
    document = fetch(wronged.daemon.port, "/openapi.json")
    before, count, rest = wronged.state(), 0, wronged.rest
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if "429" not in operation["responses"] or method in ("head", "options"):
                continue  # none of the API
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
            for name, text in wrong_in_query(operation):
                answer = rest.call(method.upper(), filled(path, operation), body, **{name: text})
                assert answer.status == 422, (method, path, name, text, answer)
                check_error(wronged, answer.json["error"], "INVALID_FIELD", name, (path, name, text))
                count += 1
    assert count > 30
    assert wronged.state() == before


def test_each_call_with_a_wrong_body_is_an_error_and_changes_nothing(wronged):
    document = fetch(wronged.daemon.port, "/openapi.json")
    before, count, rest = wronged.state(), 0, wronged.rest
    for path, item in document["paths"].items():
        for method, operation in item.items():
            media = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if media is None or "429" not in operation["responses"] or path == "/api/v1/requests":
                continue
            schema = resolved(document, media["schema"])
            for what, body, code, member in wrong_requests({**schema, "required": schema.get("required", [])}, media.get("example", {})):
                if schema.get("additionalProperties") is True and member not in schema["properties"]:
                    continue
                answer = rest.call(method.upper(), filled(path, operation), body)
                assert answer.status == 422, (path, what, answer)
                check_error(wronged, answer.json["error"], code, member, (path, what))
                count += 1
    assert count > 100
    assert wronged.state() == before


def test_what_is_wrong_by_a_schema_is_wrong_to_the_judge(wronged):
    """The same errors, found without doing anything."""
    for name, form in wronged.catalogue.requests().items():
        assert faults(closed(form["schema"]), form["example"]) == []
        for what, message, _, _ in wrong_requests(form["schema"], form["example"]):
            assert faults(form["schema"], message), (name, what)
