"""Every request that there is, with members of every kind at their edges, over every door: each is answered, whoever asks, and the bridge lives."""

import json
import os
import random
import re

import pytest

from rest_client import Rest
from servers import ROOT
from tokens import SECRET, token
from ws_client import Closed, WsClient

MEMBER = re.compile(r'(MUST|MAY|EITHER)\((?:"(\w+)"|type), MEMBER_(\w+)\)')
MACRO = re.compile(r"^#define (\w+)(?:\(type\))? +(.*)$", re.MULTILINE)
ROW = re.compile(r'\{"(\w+)", (?:request_)?handle_\w+,(.*?)\}', re.DOTALL)

IDS = [
    *("1-1", "0-0", "1", "281474976710655-18446744073709551615", "18446744073709551615-0", "01a1fac2-4cfb-4000-8000-000000000000"),
    *("0" * zeros + "1-0" for zeros in (39, 600, 60000)),
    *("1-" + "0" * zeros + "1" for zeros in (39, 600, 60000)),
]
POSITIONS = [f"{id_}:{key}" for id_ in IDS for key in ("topic:all", "k" * 512, "k" * 513, "", "\0")]
NAMES = ["t", "mallory", "honest", "*", "", "\0", "ä" * 64, "x" * 128, "x" * 129, "x" * 60000, "😀", "inbox:honest", "topic:all", "session:s"]
NUMBERS = [-1, 0, 1, 2, 100, 101, 9999, 10000, 10001, 2**31, 2**53, 2**63, 2**64 - 1, 2**64, 10**400, 0.5, 1e300]
# What is of its kind, or nearly.
EDGES = {
    **dict.fromkeys(("NAME", "WORD", "TEXT", "TITLE", "LABEL", "KEY"), NAMES),
    "LEVEL": ["info", "INFO", "critical", "none"],
    **dict.fromkeys(("ID", "POSITION"), IDS + [f"{id_}@@{epoch}" for id_ in IDS for epoch in (0, 1, 2**32 - 1, 2**32)]),
    "BEFORE": IDS + POSITIONS,
    "IDS": [[], ["1-1"], ["1-1", "1-1"], IDS, IDS[:6], ["1-1"] * 100, ["1-1"] * 101, ["1-1", 1], [[]], {}],
    "POSITIONS": [{}, *({key: id_} for key in ("topic:t", "inbox:mallory", "inbox:honest") for id_ in IDS), {f"topic:{n}": "0-0" for n in range(129)}],
    **dict.fromkeys(("LIMIT", "PAGE", "OFFSET"), NUMBERS),
    "SINCE": NUMBERS + ["1ms", "0s", "90s", "9999999999999d", f"{2**64 - 1}d", "d"],
    **dict.fromkeys(("FLAG", "TRUE"), [True, False]),
    "JSON": [{}, [], 0.1, "x", None, [[[[]]]], "x" * 60000],
}
ANY = [value for values in EDGES.values() for value in values]

ROLES = """
role *
  subscribe  t
role master
  categories *
  subscribe  *
  publish    *
  send       *
  send_sessions *
  sessions   *
  agent      *
  channels   *
  presence   *
  kick       *
role guest
  subscribe  t
"""


def source(name):
    with open(os.path.join(ROOT, "bridge/requests", name), encoding="utf-8") as file:
        return file.read().replace("\\\n", "")


def requests_there_are():
    """{type: [(member, kind)]} as the bridge's own table has them."""
    table = source("request_run.c")
    macros = dict(MACRO.findall(table) + MACRO.findall(source("publication.h")))
    requests = {}
    for type_, row in ROW.findall(table):
        for macro, meaning in macros.items():
            row = re.sub(rf"\b{macro}\b(\(\"notification_type\"\))?", lambda _: meaning, row)  # noqa: B023
        requests[type_] = [(name or "notification_type", kind) for _, name, kind in MEMBER.findall(row)]
    return requests


REQUESTS = requests_there_are()


def test_the_table_of_requests_is_read_whole():
    """As far as somebody looked at it: a few of its rows in full, and how many there are."""
    assert len(REQUESTS) == len(re.findall(r'^    \{"\w+",', source("request_run.c"), re.MULTILINE)) > 25
    assert REQUESTS["kick"] == [("user_id", "NAME"), ("session_id", "NAME")]
    assert REQUESTS["mark_seen"] == [("upto", "ID"), ("log", "KEY")] and REQUESTS["ping"] == []
    assert ("last", "LIMIT") in REQUESTS["subscribe"] and ("ids", "IDS") in REQUESTS["archive"]
    assert ("notification_type", "LABEL") in REQUESTS["publish"] and ("data", "JSON") in REQUESTS["publish"]
    assert {kind for members in REQUESTS.values() for _, kind in members} <= set(EDGES)


def some_request(rng):
    """Mostly of members that go together: few, and of their kinds."""
    type_ = rng.choice(list(REQUESTS))
    members = REQUESTS[type_]
    chosen = rng.sample(members, min(len(members), rng.choice((1, 1, 2, 2, 3, len(members)))))
    return {"type": type_, **{name: rng.choice(EDGES[kind] if rng.random() < 0.9 else ANY) for name, kind in chosen}}


class OverHttp:
    def __init__(self, bridge, token_):
        self.rest = Rest(bridge.port, token=token_)

    def ask(self, message):
        answer = self.rest.post("/api/v1/requests", message)
        assert answer.status == 200 or answer.error, answer


class OverWebSocket:
    """Who is kicked comes back."""

    def __init__(self, bridge, token_, path):
        self.bridge, self.path = bridge, f"{path}{'&' if '?' in path else '?'}token={token_}"
        self.tab, self.count = None, 0
        self.kicked = False  # anybody, perhaps this one: who is ended hears of it a moment after the answer

    def ask(self, message):
        self.count += 1
        self.kicked |= message["type"] == "kick"
        try:
            if self.tab is None:
                self.tab = WsClient(self.bridge.port, self.path)
            self.tab.send({**message, "request_id": self.count})
            self.tab.expect(request_id=self.count)
            self.tab.messages.clear()
        except Closed as closed:
            assert closed.code == 4410 and self.kicked or closed.code == 1009, (closed, message)
            self.tab = None


@pytest.fixture
def house(programs, redis_server, tmp_path):
    roles = tmp_path / "roles"
    roles.write_text(ROLES)
    return programs.bridge(redis_server, "--auth", "jwt", "--jwt-secret", SECRET, "--roles", str(roles), "--anonymous-role", "guest", "--channel", "t*", "--request-rate", "0", "--agent-timeout", "100ms", "--connect-rate", "100000")


@pytest.mark.parametrize("seed", range(3))
def test_every_request_is_answered_over_every_door_whatever_its_members_are(house, seed):
    rng = random.Random(seed)
    master, nobody = token("mallory", roles=["master"]), token("eve")
    doors = [
        *(OverHttp(house, who) for who in (master, nobody, None)),
        *(OverWebSocket(house, who, path) for who in (master, nobody) for path in ("/ws", "/ws/tab", "/ws?protocol=notify.v1", "/api/v1/ws/s")),
    ]
    for _ in range(600):
        message = some_request(rng)
        if len(json.dumps(message)) > 65000:
            continue
        for door in doors:
            print(type(door).__name__, json.dumps(message)[:400])
            door.ask(message)
    assert house.running()
