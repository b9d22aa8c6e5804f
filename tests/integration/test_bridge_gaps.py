"""That something of a key is gone is told in front of whatever comes of it, though the answer that says so waits for
other keys: those are heard over a link that is silent."""

import json

import pytest

from bridge_helpers import Stand, new_name
from sse_client import SseClient
from tcp_proxy import TcpProxy

FUTURE = "99999999999999-0"  # as one that Redis has lost
OTHERS = 40  # some of them are heard over the silent link


def name_of(key):
    return key.removeprefix("topic:")


class SilentLink(Stand):
    """One of the links over which the bridge hears of keys is silent; the first topic is heard over another."""

    def __init__(self):
        super().__init__()
        self.proxy = TcpProxy(self.server.port)
        self.near = self.bridge(self.proxy)
        self.key = f"topic:{new_name('t')}"
        self.first, self.second = (self.tab(port=self.near.port) for _ in range(2))  # their inboxes are heard of
        for key in (self.key, *(f"topic:{new_name('t')}" for _ in range(OTHERS))):
            self.first.request("subscribe", topic=name_of(key))
        self.silent = next(link for link in self.hearers() if self.key.encode() not in link.head)
        self.silent.answers.clear()

    def hearers(self):
        return [link for link in self.proxy.links if b"SUBSCRIBE\r\n" in link.head and b"topic:t" in link.head]

    def positions(self):
        return {self.key: FUTURE, **{f"topic:{new_name('t')}": "0-0" for _ in range(OTHERS)}}

    def close(self):
        super().close()
        self.proxy.close()


@pytest.fixture
def stand():
    group = SilentLink()
    yield group
    group.silent.answers.set()
    group.close_tabs()
    group.close()


def is_told(messages, key):
    return any(m["type"] == "gap" and key in m["keys"] for m in messages)


def test_a_websocket_that_has_asked_is_told_before_the_answer(stand):
    tab = stand.second
    tab.send({"type": "resume", "positions": stand.positions()})
    tab.send({"type": "unread_count", "request_id": "behind"})  # Redis answers in turn
    got = [tab.recv()]
    while got[-1].get("request_id") != "behind":
        got.append(tab.recv())
    live = stand.send(stand.key)
    while got[-1].get("id") != live:
        got.append(tab.recv())
    assert is_told(got, stand.key), got
    stand.silent.answers.set()
    results = tab.expect(type="resumed")["results"]
    assert [name for name, result in results.items() if not result["recovered"]] == [stand.key]


def test_a_stream_that_is_cut_off_before_it_is_told_is_told_when_it_comes_back(stand):
    user = new_name()
    positions = {**stand.positions(), f"inbox:{user}": "0-0", "topic:all": "0-0"}
    topics = ",".join(name_of(name) for name in positions if name.startswith("topic:t"))
    stream = SseClient(stand.near.port, user=user, topics=topics, positions=json.dumps(positions))
    stream.expect("connection")
    stand.first.request("unread_count")  # Redis answers in turn
    live = stand.send(stand.key)
    got = [stream.next()]
    while got[-1].json.get("id") != live:
        got.append(stream.next())
    stream.close()
    stand.silent.answers.set()
    again = SseClient(stand.near.port, user=user, topics=topics, last_event_id=got[-1].id)
    got.append(again.next())
    while got[-1].type != "resumed":
        got.append(again.next())
    stand.call("NOTIFY.EVENT", "topic:all", "marker", "NOSTORE")
    while got[-1].type != "marker":
        got.append(again.next())
    again.close()
    assert is_told([event.json for event in got], stand.key), got
