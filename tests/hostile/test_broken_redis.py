"""A Redis that answers any kind of reply in any place: the bridge lives, every request is answered, clients
get nothing but JSON, and all is well as soon as Redis is. What stands where is drawn by lot: NOTIFY_SEED=
repeats what was printed, NOTIFY_SAMPLES=1000 tries everything."""

import itertools
import os
import random

import pytest

from chat_client import Chat
from servers import Bridge, wait_until
from twisted_redis import TwistedRedis
from ws_client import WsClient

# Every kind of RESP3, with what lies at its edges.
VALUES = {
    "null": b"_\r\n",
    "null text": b"$-1\r\n",
    "null array": b"*-1\r\n",
    "number": b":7\r\n",
    "least number": b":-9223372036854775808\r\n",
    "greatest number": b":9223372036854775807\r\n",
    "number beyond 64 bits": b":99999999999999999999\r\n",
    "big number": b"(3492890328409238509324850943850943825024385\r\n",
    "double": b",1.5\r\n",
    "not a number": b",nan\r\n",
    "true": b"#t\r\n",
    "neither true nor false": b"#x\r\n",
    "line": b"+OK\r\n",
    "error": b"-ERR twisted\r\n",
    "error that is passing": b"-LOADING twisted\r\n",
    "long error": b"!11\r\nERR twisted\r\n",
    "empty text": b"$0\r\n\r\n",
    "text": b"$5\r\nhello\r\n",
    "id": b"$3\r\n1-1\r\n",
    "greatest id": b"$41\r\n18446744073709551615-18446744073709551615\r\n",
    "no UTF-8": b"$2\r\n\xff\xfe\r\n",
    "NUL": b"$3\r\na\0b\r\n",
    "half of an object": b'$9\r\n{"type":"\r\n',
    "empty object": b"$2\r\n{}\r\n",
    "object with more behind it": b"$4\r\n{} x\r\n",
    "verbatim text": b"=9\r\ntxt:hello\r\n",
    "empty array": b"*0\r\n",
    "array": b"*2\r\n:1\r\n*1\r\n$1\r\nx\r\n",
    "empty map": b"%0\r\n",
    "map": b"%1\r\n:1\r\n:2\r\n",
    "map of a map": b"%1\r\n%0\r\n%0\r\n",
    "set": b"~1\r\n+x\r\n",
    "push": b">2\r\n+message\r\n+x\r\n",
    "attribute": b"|1\r\n+a\r\n+b\r\n:1\r\n",
    "depth": b"*1\r\n" * 20 + b":1\r\n",
    "text of 2 GB": b"$2147483647\r\n",
    "negative length": b"$-5\r\n",
    "array of 2 GB": b"*2147483647\r\n",
    "push of 2 GB": b">2147483647\r\n",
    "text without an announced length": b"$?\r\n",
    "no RESP": b"HTTP/1.1 400 Bad Request\r\n",
    "empty line": b"\r\n",
}
SAMPLES = int(os.environ.get("NOTIFY_SAMPLES", 12))  # of the whole reply and of its parts, for each name
COUNTS_AT = 40  # the first parts of a reply: what follows is more of the same kind
WEARY = 2  # links that went down: pauses between attempts grow, a new bridge has short ones

_names = itertools.count()


class Stage:
    """A real server, the one that twists its replies, a bridge in front of that, and a client."""

    def __init__(self, programs):
        self.programs = programs
        self.server = programs.redis()
        self.client = self.server.client()
        self.redis = TwistedRedis(self.server)
        self.bridge = programs.add(Bridge(self.redis, "--channel-linger", "0", "--agent-grace", "0"))
        self.tab = None
        self.mark = 0  # what the bridge has written since it began
        self.bridge.start()
        self.send("inbox:old", 3)

    def send(self, key, count=1):
        for n in range(count):
            id_ = self.client.execute_command("NOTIFY.SEND", key, f"{n}", "CONTENT", "c", "DATA", '{"a":1}')
        return id_

    def open(self, query="", greeted=True):
        tab = WsClient(self.bridge.port, f"/ws?user=u{next(_names)}{query}")
        if greeted:
            tab.expect(type="connection")
        return tab

    def check_well(self):
        """Clients that were there, and those that come, are served; a link may have to come up first."""

        def serves():
            if not self.tab or self.tab.sock.fileno() < 0:
                self.tab = self.open()
            return self.tab.request("unread_count")["type"] != "error"

        wait_until(serves, "answers")
        # Redis may count a link as its own that the bridge has given up: what the tab hears, tells.
        assert self.tab.expect(type="notification", id=self.send("topic:all"))
        topic = f"t{next(_names)}"
        assert self.tab.request("subscribe", topic=topic)["status"] == "subscribed"
        id_ = self.send(f"topic:{topic}")
        assert self.tab.expect(type="notification", key=f"topic:{topic}")["id"] == id_
        assert self.tab.request("unsubscribe", topic=topic)["status"] == "unsubscribed"
        if sum("redis_link_down" in line for line in self.bridge.lines[self.mark :]) >= WEARY:
            self.restart()

    def restart(self):
        self.tab.close()
        self.mark = self.bridge.mark()
        assert self.bridge.terminate() == 0
        self.bridge.start()
        self.tab = self.open()


# ---- what brings about a reply of each name


def cut_links(stage, link):
    for one in stage.client.client_list():
        if one["name"] == f"notify-bridge:{link}":
            stage.client.client_kill_filter(_id=one["id"])


def ask(type_, **members):
    def run(stage):
        answer = stage.tab.request(type_, **members)
        assert answer["type"], answer

    return run


def catch_up(stage):
    """Of a box with entries, both ways: at the handshake and later."""
    user = f"late{next(_names)}"
    stage.send(f"inbox:{user}", 3)
    with WsClient(stage.bridge.port, f"/ws?user={user}&last_event_id=0-0") as tab:
        tab.expect(type="connection", timeout=30)
        topic = f"late{next(_names)}"
        stage.send(f"topic:{topic}", 3)
        assert tab.request("subscribe", topic=topic, last_id="0-0")["type"]


def hear(stage):
    stage.send("topic:all")


def follow(stage):
    topic = f"t{next(_names)}"
    stage.tab.request("subscribe", topic=topic)
    stage.tab.request("unsubscribe", topic=topic)


def act(stage):
    """On an entry of its own, which is looked up first."""
    user = f"acts{next(_names)}"
    id_ = stage.send(f"inbox:{user}")
    with WsClient(stage.bridge.port, f"/ws?user={user}") as tab:
        tab.expect(type="connection", timeout=30)
        assert tab.request("action_done", id=id_)["type"]


def publish(stage):
    """Without a key, or with one, which is remembered first."""
    key = {"idempotency_key": "k"} if next(_names) % 2 else {}
    assert stage.tab.request("publish", topic="all", title="x", **key)["type"]


def look_up(stage):
    """An entry, or what a key was used for."""
    if next(_names) % 2:
        act(stage)
        return
    for _ in range(2):
        assert stage.tab.request("publish", topic="all", title="x", idempotency_key="k")["type"]


def come(stage):
    """Its inbox is made to follow (some seconds after a refusal at the latest), its session is opened."""
    user = f"comes{next(_names)}"
    with WsClient(stage.bridge.port, f"/ws?user={user}") as tab:
        tab.expect(type="connection", timeout=30)
        wait_until(lambda: stage.client.exists(f"inbox:{user}"), "following")


def chat(stage):
    """It is asked, and nobody stays to hear: neither who asked, nor somebody who goes on."""
    user = f"chats{next(_names)}"
    for again in (False, True):
        reader = Chat(stage.bridge.port, {"message": "Hi"}, user=user)
        assert reader.next()["type"] in ("start", "error")
        if again and reader.last_id is not None:
            Chat(stage.bridge.port, {"message": "Hi"}, user=user, last_id=reader.last_id).close()
        reader.close()


REPLIES = {
    "HELLO": lambda stage: cut_links(stage, "commands"),
    "ECHO": lambda stage: cut_links(stage, "subscriber"),
    "NOTIFY.SINCE": catch_up,
    "push message": hear,
    "push subscribe": follow,
    "push unsubscribe": follow,
    "NOTIFY.BADGE": ask("unread_count"),
    "NOTIFY.REVRANGE": ask("request_notification_history", topic="twisted"),
    "NOTIFY.RANGE": ask("request_notification_history", topic="twisted", after="0-0"),
    "NOTIFY.UNREAD": ask("mark_read", id="1-0"),
    "NOTIFY.FEED": ask("request_notification_history", feed=True),
    "NOTIFY.READALL": ask("mark_all_read"),
    "NOTIFY.SEEN": ask("mark_seen"),
    "NOTIFY.MARK": ask("archive", id="1-0"),
    "NOTIFY.DEL": ask("delete_notification", id="1-0"),
    "NOTIFY.SEND": publish,
    "NOTIFY.MUTE": ask("mute", category="c"),
    "NOTIFY.UNMUTE": ask("unmute", category="c"),
    "NOTIFY.INFO": ask("categories"),
    "NOTIFY.GET": look_up,
    "NOTIFY.EVENT": act,
    "NOTIFY.FOLLOW": come,
    "NOTIFY.SESSION": come,
    "XADD": chat,
    "XDEL": chat,
    "PUBLISH": chat,
    "SET": chat,
    "GET": chat,
}


@pytest.fixture
def stage(programs):
    stage = Stage(programs)
    stage.send("topic:twisted", 3)
    yield stage
    if stage.tab:
        stage.tab.close()
    stage.redis.close()


def twist(stage, name, at, value):
    stage.redis.twist(name, at, VALUES[value])
    try:
        REPLIES[name](stage)
        wait_until(stage.redis.done.is_set, "the reply")
        stage.check_well()
    except Exception as failure:
        raise AssertionError(f"{name}, part {at}: {value}: {failure!r}") from failure


@pytest.mark.parametrize("name", REPLIES)
def test_any_kind_of_reply_in_the_place_of_any_part_of_one(name, stage):
    stage.check_well()
    REPLIES[name](stage)  # how many parts it has
    parts = wait_until(lambda: stage.redis.sizes[name], "the first reply")
    seed = int(os.environ.get("NOTIFY_SEED", random.randrange(1 << 32)))
    print(f"NOTIFY_SEED={seed}")
    for first, last in ((0, 1), (1, parts)):
        places = [(at, value) for at in range(first, last) for value in VALUES]
        random.Random(seed).shuffle(places)
        for at, value in places[:SAMPLES]:
            twist(stage, name, at, value)


COUNTED = [name for name in REPLIES if name.startswith("NOTIFY.") and name != "NOTIFY.SINCE"]


@pytest.mark.parametrize("name", COUNTED)
def test_no_count_is_too_great_or_too_small_to_be_added_up(name, stage):
    """Wherever it stands. (A link need not break for it: bridges live long enough.)"""
    stage.check_well()
    REPLIES[name](stage)
    parts = wait_until(lambda: stage.redis.sizes[name], "the first reply")
    for at in range(min(parts, COUNTS_AT)):
        for value in ("least number", "greatest number"):
            twist(stage, name, at, value)
