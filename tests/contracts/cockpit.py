"""A cockpit of contract D: what somebody writes who has read the older system's document, and nothing of ours.

It opens a WebSocket for a session with its token, pings, talks to the agent, shows notifications; lists, reads and deletes them over
REST; and reads an answer that is streamed. Its models are strict, as those of typed languages are: an id is a UUID, a text is no null."""

import datetime
import json
import urllib.error
import urllib.parse
import urllib.request
import uuid
from dataclasses import dataclass

from ws_client import WsClient


def as_uuid(text):
    """As pydantic does: nothing else will do."""
    assert isinstance(text, str), text
    return uuid.UUID(text)


def as_time(text):
    assert isinstance(text, str), text
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def as_text(value):
    assert isinstance(value, str), value
    return value


@dataclass
class Pushed:
    """A notification as the WebSocket tells it."""

    id: uuid.UUID
    title: str
    content: str
    notification_type: str
    action: dict
    created_at: datetime.datetime

    @classmethod
    def of(cls, message):
        data = message["data"]
        as_time(message["timestamp"])
        assert data["action"] is None or isinstance(data["action"], dict)
        return cls(
            as_uuid(data["id"]), as_text(data["title"]), as_text(data["content"]), as_text(data["notification_type"]), data["action"], as_time(data["created_at"])
        )


@dataclass
class Item:
    """A notification as the list has it."""

    id: uuid.UUID
    user_id: str
    title: str
    content: str
    type: str
    action: dict
    related_entity_type: str
    related_entity_id: str
    is_read: bool
    read_at: datetime.datetime
    created_at: datetime.datetime
    updated_at: datetime.datetime

    @classmethod
    def of(cls, item):
        read_at = item["read_at"]
        assert isinstance(item["is_read"], bool) and item["is_read"] == (read_at is not None)
        return cls(
            as_uuid(item["id"]), as_text(item["user_id"]), as_text(item["title"]), as_text(item["content"]), as_text(item["type"]),
            item["action"], item["related_entity_type"], item["related_entity_id"],
            item["is_read"], None if read_at is None else as_time(read_at), as_time(item["created_at"]), as_time(item["updated_at"]),
        )


@dataclass
class Reply:
    """What the agent answers."""

    id: str
    reply: str
    tool_calls: list
    tokens_used: int
    created_at: datetime.datetime

    @classmethod
    def of(cls, message):
        data = message["data"]
        assert isinstance(data["tool_calls"], list) and isinstance(data["tokens_used"], int)
        return cls(as_text(data["id"]), as_text(data["reply"]), data["tool_calls"], data["tokens_used"], as_time(data["created_at"]))


class AgentError(Exception):
    def __init__(self, message):
        error = message["error"]
        super().__init__(f"{error['code']}: {error['message']}")
        self.code, self.message, self.details = error["code"], error["message"], error["details"]


class Session:
    """The WebSocket of one session."""

    def __init__(self, port, session_id, token):
        self.socket = WsClient(port, f"/api/v1/ws/{session_id}?token={urllib.parse.quote(token)}")
        self.notifications, self.others = [], []
        first = self.socket.recv()
        assert first["type"] == "connection_established", first
        self.session_id, self.user_id = as_uuid(first["data"]["session_id"]), first["data"]["user_id"]
        self.connected_at = as_time(first["data"]["connected_at"])

    def _next(self, *types):
        """The next of these types. A switch over message.type, as the document's page has it: what it does not know it passes over."""
        while True:
            message = self.socket.recv()
            if message["type"] == "notification":
                self.notifications.append(Pushed.of(message))
            elif message["type"] == "error" and "error" not in types:
                raise AgentError(message)
            if message["type"] in types:
                return message
            if message["type"] not in ("notification",):
                self.others.append(message)

    def ping(self):
        self.socket.send({"type": "ping"})
        return as_time(self._next("pong")["timestamp"])

    def ask(self, text):
        """Without waiting for the answer."""
        self.socket.send({"type": "message", "message": text})

    def reply(self):
        return Reply.of(self._next("message"))

    def wait_notification(self, title):
        while not any(one.title == title for one in self.notifications):
            self._next("notification")
        return next(one for one in self.notifications if one.title == title)

    def say(self, text):
        """Something wrong; the error it is told."""
        self.socket.send(text)
        return AgentError(self._next("error"))

    def close(self):
        self.socket.close()


class HttpError(Exception):
    def __init__(self, status, body):
        super().__init__(f"{status}: {body}")
        self.status, self.body = status, body


class Api:
    """The REST endpoints."""

    def __init__(self, port, token=None):
        self.base, self.token = f"http://127.0.0.1:{port}/api/v1", token

    def open(self, method, path, body=None, **headers):
        """The response, unread."""
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, method=method, data=data, headers={k.replace("_", "-"): v for k, v in headers.items()})
        try:
            return urllib.request.urlopen(request, timeout=30)
        except urllib.error.HTTPError as error:
            raise HttpError(error.code, error.read().decode()) from None

    def call(self, method, path, body=None):
        with self.open(method, path, body) as answer:
            text = answer.read()
            return answer.status, json.loads(text) if text else None


class Chat:
    """An answer that is streamed, read as the document's JavaScript reads it: split at empty lines, what begins with "data: " is JSON.
    What else there is between empty lines is passed over."""

    def __init__(self, api, message, session_id=None, last_id=None):
        body = {"message": message} if session_id is None else {"message": message, "session_id": session_id}
        self.response = api.open("POST", "/chat/stream", body, **({} if last_id is None else {"Last_Event_ID": last_id}))
        assert self.response.headers.get_content_type() == "text/event-stream"
        self.blocks, self.last_id = self._read(), last_id

    def _read(self):
        rest = b""
        while True:
            piece = self.response.read1(65536)
            if not piece:
                assert rest == b"", rest
                return
            *whole, rest = (rest + piece).split(b"\n\n")
            yield from (block.decode() for block in whole)

    def events(self):
        for block in self.blocks:
            if block.startswith("data: "):
                yield json.loads(block[6:])
            elif block.startswith("id: "):
                self.last_id = block[4:]
            else:
                assert block.startswith(":"), block

    def all(self):
        return list(self.events())

    def close(self):
        self.response.close()
