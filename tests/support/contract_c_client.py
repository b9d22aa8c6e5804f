"""An application of contract C over plain WebSocket: what somebody writes who has read the older system's
document and what was decided about it, and nothing else of ours.

It connects with a token and is told who it is; gets notifications by the categories of its roles; joins a
category or a topic; asks for history and for who is there; renews its token; and comes back after a loss.
It remembers how far it has read each key, and insists that nothing comes twice or out of order."""

import json
import time
from urllib.parse import quote, urlencode

from patience import WAIT_TIMEOUT_S
from ws_client import Closed, WsClient

# Where the token stands: in the address, in a header, as a sub-protocol (all that a browser can do), or in the first message.
PLACES = ("query", "header", "subprotocol", "message")


class Refused(Exception):
    """A request was answered by an error. The connection stays."""

    def __init__(self, answer):
        error = answer["error"]
        super().__init__(f"{error['code']}: {error['message']}")
        self.code = error["code"]
        self.message = error["message"]
        self.details = error["details"]


class NotAuthenticated(Exception):
    """The server did not let the application in: what the stock client calls connect_error."""

    def __init__(self, closed):
        super().__init__(str(closed))
        self.code = closed.code
        self.reason = closed.reason


def number(id_):
    """An entry's id as what orders it."""
    return tuple(int(part) for part in id_.split("-"))


class Application:
    def __init__(self, port, token, place="query", client_id=None, timeout=WAIT_TIMEOUT_S):
        self.port, self.token, self.place, self.client_id, self.timeout = port, token, place, client_id, timeout
        self.positions = {}  # key -> id of its last entry here
        self.notifications = []  # all that were delivered, in this order, over all connections
        self.told = []  # everything else that was not the answer to a request
        self.status = "disconnected"
        self.requests = 0
        self.socket = None

    # -- coming and going

    def connect(self, port=None):
        """Opens a connection and waits for the greeting, which says who we are and what we get."""
        self.port = port or self.port
        self.status = "connecting"
        try:
            self.socket = WsClient(self.port, self._path(), headers=self._headers(), timeout=self.timeout)
            if self.place == "message":
                self.socket.send({"type": "auth", "token": self.token})
            greeting = self._wait(lambda message: message["type"] == "connection")
        except Closed as closed:
            self.status = "disconnected"
            raise NotAuthenticated(closed) from closed
        self.status = greeting["status"]
        self.client_id = greeting["client_id"]
        self.user_id = greeting["user_id"]
        self.roles = set(greeting["roles"])
        self.categories = set(greeting["categories"])
        return self

    def _path(self):
        path = "/ws" if self.client_id is None else f"/ws/{quote(self.client_id, safe='')}"
        arguments = {"last_event_id": ""} if self.positions else {}  # we know where we are, and say so below
        if self.place == "query":
            arguments["token"] = self.token
        return f"{path}?{urlencode(arguments)}" if arguments else path

    def _headers(self):
        if self.place == "header":
            return [f"Authorization: Bearer {self.token}"]
        if self.place == "subprotocol":
            return [f"Sec-WebSocket-Protocol: bearer, {self.token}"]
        return []

    def reconnect(self, port=None):
        """Comes back, to another server perhaps, and asks for what it has missed: {key: what the server says of it}."""
        self.connect(port)
        return self.resume() if self.positions else {}

    def resume(self, positions=None):
        return self.request("resume", positions=positions or dict(self.positions))["results"]

    def disconnect(self):
        if self.socket is not None and self.socket.sock.fileno() >= 0:
            self.socket.close()
        self.status = "disconnected"

    def wait_closed(self):
        """Reads on until the server ends the connection: (code, reason)."""
        try:
            self._wait(lambda message: False)
        except Closed as closed:
            self.status = "disconnected"
            return closed.code, closed.reason

    # -- what arrives

    def _wait(self, wanted):
        """The first message that is wanted; those before it are taken in. Every notification is, wanted or not."""
        deadline = time.monotonic() + self.timeout
        while True:
            message = json.loads(self.socket.recv_text(max(0.001, deadline - time.monotonic())))
            if message["type"] == "notification":
                self._take_in(message)
            if wanted(message):
                return message
            if message["type"] != "notification":
                self.told.append(message)

    def _take_in(self, message):
        key, id_ = message["key"], message["id"]
        last = self.positions.get(key)
        assert last is None or number(last) < number(id_), f"{id_} of {key} came after {last}"
        self.positions[key] = id_
        self.notifications.append(message)

    def titles(self):
        return [message["data"]["title"] for message in self.notifications]

    def wait_for(self, title):
        """Until the notification with this title is here, unless it is already."""
        for message in self.notifications:
            if message["data"]["title"] == title:
                return message
        return self._wait(lambda message: message["type"] == "notification" and message["data"]["title"] == title)

    def wait_told(self, type_, **members):
        """Until the server has told this by itself: an answer to no request, and no notification."""

        def is_it(message):
            return message["type"] == type_ and all(message.get(name) == value for name, value in members.items())

        for at, message in enumerate(self.told):
            if is_it(message):
                return self.told.pop(at)
        return self._wait(is_it)

    # -- what is asked for

    def request(self, type_, **members):
        """The answer; what arrives before it is taken in. Raises Refused."""
        self.requests += 1
        request_id = f"c{self.requests}"
        self.socket.send({"type": type_, "request_id": request_id, **members})
        answer = self._wait(lambda message: message.get("request_id") == request_id)
        if answer["type"] == "error":
            raise Refused(answer)
        return answer

    def subscribe_category(self, category):
        answer = self.request("subscribe_category", category=category)
        self.categories.add(answer["category"])
        return answer

    def unsubscribe_category(self, category):
        answer = self.request("unsubscribe_category", category=category)
        self.categories.discard(answer["category"])
        return answer

    def join(self, topic, **members):
        return self.request("subscribe", topic=topic, **members)

    def leave(self, topic):
        return self.request("unsubscribe", topic=topic)

    def history(self, **filters):
        """One page."""
        return self.request("request_notification_history", **filters)

    def whole_history(self, limit, **filters):
        """Every page, newest first."""
        items, before = [], None
        while True:
            page = self.history(limit=limit, before=before, **filters)
            assert len(page["items"]) <= limit
            items += page["items"]
            before = page["next"]
            if before is None:
                return items

    def renew(self, token):
        """Another token for the same connection."""
        answer = self.request("auth", token=token)
        assert answer["type"] == "authenticated"
        self.token = token
        return answer

    def presence(self, **of_whom):
        return self.request("presence", **of_whom)
