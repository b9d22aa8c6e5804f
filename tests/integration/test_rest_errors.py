"""What is wrong in Redis as an HTTP status: every word by which the module's errors begin, and the server's own."""

import glob
import os
import re

import pytest

from bridge_helpers import Stand
from rest_client import Rest
from test_module_docs import ROOT
from twisted_redis import TwistedRedis

UNAVAILABLE = (503, "UNAVAILABLE")

# What stands behind the word is the error's message, but for those that say nothing about the request.
OF_MODULE = {
    "ERR": (500, "PROCESSING_ERROR"),
    "KICKED": (500, "PROCESSING_ERROR"),  # of NOTIFY.SESSION, which no request sends
    "LIMIT": (409, "LIMIT_REACHED"),
    "NOPERM": (403, "FORBIDDEN"),
    "WRONGTYPE": (500, "PROCESSING_ERROR"),
}
OF_SERVER = {
    **{word: UNAVAILABLE for word in ("BUSY", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "TRYAGAIN")},
    **{word: UNAVAILABLE for word in ("MISCONF", "NOREPLICAS", "OOM", "READONLY")},
    **{word: (500, "PROCESSING_ERROR") for word in ("CROSSSLOT", "MOVED", "NOAUTH", "UNKNOWN")},
}


def test_these_are_all_words_that_the_module_can_say():
    found = set()
    for path in glob.glob(os.path.join(ROOT, "redis-module", "*", "*.c")):
        with open(path, encoding="utf-8") as file:
            text = re.sub(r'"\s*"', "", file.read())
        for call in re.findall(r"(?:args_fail|reply_error|rm_ReplyWithError(?:Format)?)\(([^;]*);", text):
            found.update(re.findall(r'"([A-Z]{3,}) ', call))
    assert found == OF_MODULE.keys()


class TwistedStand(Stand):
    """Whose Redis has something else to say."""

    def __init__(self):
        super().__init__()
        self.twisted = TwistedRedis(self.server)
        self.second = self.bridge(self.server, "--redis", self.twisted.url, name="second")
        self.id = self.send("inbox:alice")

    def close(self):
        self.twisted.close()
        super().close()


@pytest.fixture(scope="module")
def twisted():
    stand = TwistedStand()
    yield stand
    stand.close()


@pytest.mark.parametrize("word", [*OF_MODULE, *OF_SERVER])
def test_each_word_has_its_status(twisted, word):
    rest = Rest(twisted.second.port, user="alice")
    status, code = {**OF_MODULE, **OF_SERVER}[word]
    for name, method, path in (
        ("NOTIFY.MARK", "PATCH", f"/api/v1/notifications/{twisted.id}/read"),
        ("NOTIFY.BADGE", "GET", "/api/v1/notifications/unread/count"),
    ):
        twisted.twisted.twist(name, 0, f"-{word} it is so\r\n".encode())
        answer = rest.call(method, path)
        assert twisted.twisted.done.wait(5), name
        assert (answer.status, answer.error) == (status, code), name
        assert ("retry-after" in answer.headers) == (status == 503)
        message = answer.json["error"]["message"]
        if word in ("ERR", "LIMIT"):
            assert message == "it is so"
        elif status == 500:
            assert message == f"{word} it is so"
        assert rest.call(method, path).status in (200, 204), "and the next one is answered"


def test_a_log_that_was_read_too_scattered_is_a_conflict_over_http_and_named_over_websocket(twisted):
    rest = Rest(twisted.daemon.port, user="bob")
    tab = twisted.tab("/ws?user=bob")
    ids = twisted.send_many("topic:all", 2200, "MAXLEN", "5000")
    odd = ids[1::2]
    assert twisted.call("NOTIFY.READ", "inbox:bob", *odd[:1024], "LOG", "topic:all") == 1024
    answer = rest.call("POST", "/api/v1/requests", {"type": "mark_read", "id": odd[1024], "log": "topic:all"})
    assert (answer.status, answer.error) == (409, "LIMIT_REACHED")
    assert answer.json["error"]["message"].startswith("the read entries of the log are too scattered")
    error = tab.request("mark_read", id=odd[1024], log="topic:all")["error"]
    assert (error["code"], error["message"]) == ("LIMIT_REACHED", answer.json["error"]["message"])


def test_a_redis_without_memory_is_unavailable_and_nothing_is_done(make_stand):
    stand = make_stand()
    id_ = stand.send("inbox:carol")
    rest = Rest(stand.daemon.port, user="carol")
    stand.call("CONFIG", "SET", "maxmemory", "1")
    answer = rest.call("POST", "/api/v1/notifications", {"title": "x", "user_id": "carol"})
    assert (answer.status, answer.error) == UNAVAILABLE
    stand.call("CONFIG", "SET", "maxmemory", "0")
    assert stand.call("NOTIFY.RANGE", "inbox:carol", "-", "+", "COUNT", "10")[-1][0] == id_
