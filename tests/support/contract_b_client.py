"""An application of contract B, written from the older system's document and from nothing else: what it
calls its service ("Friday"), the three messages that a client may send, the three that it gets, its
endpoint for notifications, its automatic reconnection.

What the document does not say this program does not rely on: members that it does not know are passed
over, and so are types."""

import http.client
import json
import time
from urllib.parse import quote

from patience import WAIT_TIMEOUT_S
from ws_client import Closed, Refused, WsClient


class Friday:
    """One client. `path`: "/ws" or "/ws/{client_id}"."""

    def __init__(self, port, path="/ws", headers=(), timeout=WAIT_TIMEOUT_S):
        self.port, self.path, self.headers, self.timeout = port, path, headers, timeout
        self.topics = set()
        self.client_id = None
        self.received = []  # every message, over all connections
        self.runs = {}  # run_id -> status: what updateTestRunUI() of the document shows
        self.socket = None

    # -- connection management

    def connect(self):
        self.socket = WsClient(self.port, self.path, headers=self.headers, timeout=self.timeout)
        first = self._next()
        assert (first["type"], first["status"]) == ("connection", "connected"), first
        assert isinstance(first["client_id"], str) and first["client_id"]
        self.client_id = first["client_id"]
        return self

    def stay_connected(self):
        """Automatic reconnection: tries until it is back, and subscribes again."""
        deadline = time.monotonic() + 30
        while True:
            try:
                self.connect()
                break
            except (OSError, Closed, Refused, TimeoutError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        for topic in sorted(self.topics):
            self.subscribe(topic)

    def wait_lost(self):
        try:
            while True:
                self._next()
        except Closed as closed:
            return closed.code

    def close(self):
        if self.socket is not None and self.socket.sock.fileno() >= 0:
            self.socket.close()

    # -- client to server

    def heartbeat(self):
        """The document names no answer: something comes, and the connection stays."""
        self.socket.send({"type": "heartbeat"})
        return self._next()

    def subscribe(self, topic):
        self.socket.send({"type": "subscribe", "topic": topic})
        answer = self.wait("subscription", topic=topic)
        assert answer["status"] == "subscribed", answer
        self.topics.add(topic)

    def unsubscribe(self, topic):
        self.socket.send({"type": "unsubscribe", "topic": topic})
        answer = self.wait("subscription", topic=topic)
        assert answer["status"] == "unsubscribed", answer
        self.topics.discard(topic)

    # -- server to client

    def _next(self, timeout=None):
        message = json.loads(self.socket.recv_text(timeout))
        self.received.append(message)
        if message["type"] == "test_run_status":
            self.runs[message["run_id"]] = message["status"]
        return message

    def wait(self, type_, **members):
        """The next message of this type with these members."""
        deadline = time.monotonic() + self.timeout
        while True:
            message = self._next(max(0.001, deadline - time.monotonic()))
            if message["type"] == type_ and all(message.get(name) == value for name, value in members.items()):
                return message

    def settle(self):
        """Until all that was sent so far is here."""
        self.heartbeat()
        while self.received[-1]["type"] != "heartbeat":
            self._next()


class Backend:
    """The other side: whatever sends notifications by POST /api/notifications."""

    def __init__(self, port):
        self.port = port

    def request(self, method, path, body=None, headers=None):
        """(status, what the body says)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def post(self, body, topic=None, headers=None):
        """body: a dict, or the text itself."""
        path = "/api/notifications" if topic is None else f"/api/notifications?topic={quote(topic, safe='')}"
        text = body if isinstance(body, (str, bytes)) else json.dumps(body)
        status, answer = self.request("POST", path, text, {"Content-Type": "application/json", **(headers or {})})
        return status, json.loads(answer)

    def publish(self, body, topic=None):
        status, answer = self.post(body, topic)
        assert 200 <= status < 300, (status, answer)
        return answer
