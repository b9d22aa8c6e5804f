"""A program that speaks to the bridge's HTTP interface."""

import http.client
import json
import urllib.parse

from patience import WAIT_TIMEOUT_S


class Answer:
    def __init__(self, reply):
        self.status = reply.status
        self.headers = {}
        for name, value in reply.getheaders():
            name = name.lower()
            self.headers[name] = f"{self.headers[name]}, {value}" if name in self.headers else value
        self.body = reply.read()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        """The code of the error, whose body has the form that all have."""
        answer = self.json
        assert list(answer) == ["error"] and list(answer["error"]) == ["code", "message", "details"], answer
        return answer["error"]["code"]

    def __repr__(self):
        return f"<{self.status} {self.body[:300]!r}>"


class Rest:
    """user: for a bridge that believes everybody; token: for others. tls: a context."""

    def __init__(self, port, user=None, token=None, tls=None, headers=None):
        self.connection = (
            http.client.HTTPSConnection("127.0.0.1", port, timeout=WAIT_TIMEOUT_S, context=tls)
            if tls
            else http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_TIMEOUT_S)
        )
        self.user = user
        self.headers = dict(headers or {})
        if token:
            self.headers["Authorization"] = f"Bearer {token}"

    def call(self, method, path, body=None, headers=None, **query):
        """body: an object, or bytes that are sent as they are. query: values of the query besides what path has."""
        sent = {**self.headers, **(headers or {})}
        if self.user is not None:
            query = {"user": self.user, **query}
        if query:
            path += ("&" if "?" in path else "?") + urllib.parse.urlencode(query)
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        self.connection.request(method, path, body, sent)
        return Answer(self.connection.getresponse())

    def get(self, path, **options):
        return self.call("GET", path, **options)

    def post(self, path, body=None, **options):
        return self.call("POST", path, body, **options)

    def close(self):
        self.connection.close()
