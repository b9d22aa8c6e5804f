"""Channels of Redis that are no boxes: whoever has PUBLISH need not change it."""

import http.client
import json

import pytest

from bridge_helpers import new_name
from servers import change_roles, wait_until
from test_bridge_requests import error_of
from tokens import SECRET, token


@pytest.fixture(scope="module")
def shared_stand():
    """In place of the one of all tests: with channels."""
    from bridge_helpers import Stand

    group = Stand("--channel", "prices:*", "--channel", "clock", "--max-channel-message", "2000")
    yield group
    group.close()


@pytest.fixture
def channel():
    return new_name("prices:")


def said(tab):
    return {name: value for name, value in tab.expect(type="channel_message").items() if name != "type"}


def test_what_is_published_reaches_who_has_subscribed_in_both_dialects(stand, channel):
    tabs = [stand.tab("/ws"), stand.tab("/ws?protocol=notify.v1")]
    for tab in tabs:
        assert tab.request("subscribe", channel=channel).items() >= {
            **{"type": "subscription", "channel": channel, "status": "subscribed"}
        }.items()
    assert stand.client.publish(channel, '{"bid": 1.0921, "data": 7}') == 1
    for tab in tabs:
        assert said(tab) == {"channel": channel, "data": {"bid": 1.0921, "data": 7}}


def test_the_address_may_name_channels(stand, channel):
    tab = stand.tab(f"/ws?channels={channel},,clock,inbox:alice,prices:{new_name()}*", greeted=False)
    assert tab.recv()["type"] == "connection"
    assert tab.recv()["error"]["details"] == {"key": "inbox:alice"}
    stand.client.publish(channel, "x")
    assert said(tab) == {"channel": channel, "data": "x"}


def read_up_to(stream, wanted):
    while (line := stream.readline()) != wanted:
        assert line, "the stream has ended"


def test_a_stream_of_events_brings_them_too(stand, channel):
    connection = http.client.HTTPConnection("127.0.0.1", stand.daemon.port, timeout=60)
    connection.request("GET", f"/api/v1/notifications/stream?user=alice&channels={channel}")
    stream = connection.getresponse()
    assert stream.status == 200
    read_up_to(stream, b"event: connection\n")
    stand.client.publish(channel, '{"bid":\n1.0921}')
    read_up_to(stream, b"event: channel_message\n")
    data = json.loads(stream.readline().removeprefix(b"data: "))
    assert data == {"type": "channel_message", "channel": channel, "data": {"bid": 1.0921}}
    connection.close()


FORMS = [
    (b'{"a":0.10}', {"a": 0.1}, None),
    (b" 7\n", 7, None),
    (b"null", None, None),
    (b"hello", "hello", None),
    (b"", "", None),
    (b'{"type":"notification","key":"inbox:x","id":"1-1","prev":"0-0","data":{}}', dict, None),
    (b"\x00\xff\x10", "AP8Q", "base64"),
    (b'{"a":1}\xff', "eyJhIjoxff8=", "base64"),
    (b"[" * 1900, "[" * 1900, None),
]


@pytest.mark.parametrize("payload, data, encoding", FORMS, ids=range(len(FORMS)))
def test_json_is_json_text_a_string_and_the_rest_base64(stand, channel, payload, data, encoding):
    tab = stand.tab()
    tab.request("subscribe", channel=channel)
    stand.client.publish(channel, payload)
    message = said(tab)
    assert message["data"] == (json.loads(payload) if data is dict else data)
    assert message.get("encoding") == encoding and "id" not in message and "key" not in message


def test_after_unsubscribing_nothing_comes(stand, channel):
    tab = stand.tab()
    tab.request("subscribe", channel=channel)
    answer = tab.request("unsubscribe", channel=channel)
    assert (answer["type"], answer["channel"], answer["status"]) == ("subscription", channel, "unsubscribed")
    stand.client.publish(channel, "x")
    assert stand.drain(tab) == []
    assert tab.request("unsubscribe", channel=channel)["status"] == "unsubscribed"


@pytest.mark.parametrize("name", ["other", "clocks", "prices", "inbox:alice", "topic:all", "notify:control", "*", "p*"])
def test_other_channels_and_all_boxes_are_refused(stand, name):
    tab = stand.tab("/ws?user=alice")
    assert error_of(tab.request("subscribe", channel=name)) == "FORBIDDEN"
    assert tab.request("unsubscribe", channel=name)["status"] == "unsubscribed"
    id_ = stand.send("inbox:alice")
    assert tab.expect(type="notification")["id"] == id_, "it follows its inbox still"


def test_a_box_stays_strict(stand, topic):
    tab = stand.tab()
    tab.request("subscribe", topic=topic)
    stand.client.publish(f"topic:{topic}", '{"bid":1}')
    stand.client.publish(f"topic:{topic}", "hello")
    assert stand.drain(tab) == []


def test_without_the_option_there_are_no_channels(make_stand):
    tab = make_stand().tab()
    assert error_of(tab.request("subscribe", channel="prices:eur")) == "FORBIDDEN"


@pytest.mark.parametrize(
    "members",
    [{"last_id": "1-1"}, {"last": 5}, {"since": "5m"}, {"presence": True}, {"topic": "t"}],
)
def test_what_only_a_box_has_is_refused_by_name(stand, channel, members):
    answer = stand.tab().request("subscribe", channel=channel, **members)
    assert error_of(answer) == "INVALID_FIELD"
    assert any(name in answer["error"]["message"] or (answer["error"]["details"] or {}).get("member") == name for name in members)


# -- patterns


def test_a_pattern_brings_all_channels_that_it_fits_and_names_them(stand):
    name = new_name()
    tab = stand.tab()
    pattern = f"prices:{name}:*"
    assert tab.request("subscribe", channel=pattern)["status"] == "subscribed"
    stand.client.publish(f"prices:{name}:eur", 1)
    stand.client.publish(f"prices:{name}:usd", 2)
    stand.client.publish(f"prices:{name}", 3)
    assert said(tab) == {"channel": f"prices:{name}:eur", "pattern": pattern, "data": 1}
    assert said(tab) == {"channel": f"prices:{name}:usd", "pattern": pattern, "data": 2}
    tab.request("unsubscribe", channel=pattern)
    stand.client.publish(f"prices:{name}:eur", 4)
    assert stand.drain(tab) == []
    wait_until(lambda: stand.client.pubsub_numpat() >= 0, "an answer")


@pytest.mark.parametrize("pattern", ["prices:[a]*", "prices:?*", "prices:\\**"])
def test_a_pattern_has_no_other_wildcards(stand, pattern):
    assert error_of(stand.tab().request("subscribe", channel=pattern)) == "FORBIDDEN"


def test_a_pattern_shows_nobody_a_box(make_stand):
    stand = make_stand("--channel", "*")
    tab = stand.tab("/ws?user=bob")
    tab.request("subscribe", channel="*")
    stand.send("inbox:alice", "secret")
    stand.send("topic:secret", "secret")
    stand.call("NOTIFY.SESSION", "OPEN", "sessions:alice", "s", "c", "LEASE", "60000")
    stand.client.publish("notify:control", "secret")
    stand.client.publish("prices:eur", "1")
    assert tab.expect(type="channel_message")["channel"] == "prices:eur"
    assert not any(message.get("type") == "channel_message" for message in stand.drain(tab))


# -- rights


ROLES = """
role *
  channels  prices:{user}:* clock
"""


def test_a_role_says_which_channels_somebody_may_follow(make_stand, tmp_path):
    file = tmp_path / "roles.conf"
    file.write_text(ROLES)
    stand = make_stand(
        *("--channel", "*", "--auth", "jwt", "--jwt-secret", SECRET, "--roles", str(file))
    )
    tab = stand.tab(f"/ws?token={token('alice')}")
    for name in ("prices:alice:eur", "prices:alice:*", "prices:alice:e*", "clock"):
        assert tab.request("subscribe", channel=name)["type"] == "subscription"
    for name in ("prices:bob:eur", "prices:*", "*", "clocks"):
        answer = tab.request("subscribe", channel=name)
        assert error_of(answer) == "FORBIDDEN" and answer["error"]["details"]["right"] == "channels"
    change_roles(file, ROLES.replace("clock", "clocks"), stand.daemon)
    assert tab.expect(type="error")["error"]["details"] == {"key": "clock"}
    stand.client.publish("clock", "12:00")
    stand.client.publish("prices:alice:usd", "1")
    assert tab.expect(type="channel_message")["channel"] == "prices:alice:usd"


def test_redis_may_forbid_a_channel(make_stand):
    stand = make_stand("--channel", "*")
    stand.call("ACL", "SETUSER", "default", "resetchannels", "&inbox:*", "&topic:*", "&sessions:*", "&notify:control")
    stand.daemon.restart()
    tab = stand.tab("/ws?user=alice")
    assert error_of(tab.request("subscribe", channel="clock")) == "FORBIDDEN"
    assert error_of(tab.request("subscribe", channel="cl*")) == "FORBIDDEN"
    assert tab.request("ping")["type"] == "pong"


# -- limits, losses


def test_a_message_that_is_too_long_is_dropped_counted_and_logged(stand, channel):
    tab = stand.tab()
    tab.request("subscribe", channel=channel)
    name = 'notify_limit_hits_total{limit="max-channel-message"}'
    before = stand.daemon.metrics()[name]
    stand.client.publish(channel, "x" * 2001)
    stand.client.publish(channel, "x" * 2000)
    assert said(tab)["data"] == "x" * 2000
    assert stand.daemon.metrics()[name] == before + 1
    stand.daemon.wait_line("limit=max-channel-message")


def test_a_channel_counts_among_the_subscriptions(make_stand):
    stand = make_stand("--channel", "*", "--max-subscriptions", "8")
    tab = stand.tab("/ws?user=alice")
    answers = [tab.request("subscribe", channel=name) for name in ("a", "b*", "c", "d", "e", "f", "g")]
    assert [answer["type"] for answer in answers] == 6 * ["subscription"] + ["error"]
    assert error_of(answers[-1]) == "TOO_MANY_SUBSCRIPTIONS"


@pytest.mark.parametrize("name", ["clock", "cl*"])
def test_who_was_there_while_redis_was_away_is_told_that_something_may_be_missing(make_stand, name):
    stand = make_stand("--channel", "*")
    tab = stand.tab()
    tab.request("subscribe", channel=name)
    stand.server.restart()
    assert tab.expect(type="resumed", results={name: {"recovered": False, "count": 0}}, timeout=30)
    client = stand.server.client()
    wait_until(lambda: client.publish("clock", "12:00"), "a subscriber")
    assert said(tab)["data"] == "12:00"


def test_who_does_not_read_loses_messages_and_is_told_so(make_stand):
    stand = make_stand("--channel", "*", "--outbox-bytes", "65536", "--max-channel-message", "8K")
    tab = stand.tab(receive_buffer=4096)
    tab.request("subscribe", channel="clock")
    name = "notify_events_lost_total"
    lost = [one for one in stand.daemon.metrics() if "lost" in one]
    for n in range(2000):
        stand.client.publish("clock", json.dumps({"n": n, "filler": "x" * 4000}))
    tab.expect(type="resumed", results={"clock": {"recovered": False, "count": 0}}, timeout=30)

    def has_caught_up():
        """That may have come in the middle: the kernel took what the outbox had, and it filled again."""
        stand.client.publish("clock", "the end")
        try:
            return tab.expect(data="the end", timeout=1)
        except AssertionError:
            return None

    wait_until(has_caught_up, "the end")
    told = [m["data"] for m in tab.messages if m["type"] == "channel_message"]
    numbers = [one["n"] for one in told if one != "the end"]
    assert numbers == sorted(set(numbers)), "in order, and none twice"
    assert any(stand.daemon.metrics()[one] > 0 for one in lost), name


def test_a_user_who_is_called_like_a_pattern_follows_nothing_of_others(make_stand, tmp_path):
    file = tmp_path / "roles.conf"
    file.write_text("role *\n  channels own:{user} prices:*\n")
    stand = make_stand("--channel", "*", "--auth", "jwt", "--jwt-secret", SECRET, "--roles", str(file))
    alice, mallory = (stand.tab(f"/ws?token={token(user)}") for user in ("alice", "al*"))
    assert alice.request("subscribe", channel="own:alice")["status"] == "subscribed"
    for channel in ("own:al*", "own:*", "own:alice"):
        assert error_of(mallory.request("subscribe", channel=channel)) == "FORBIDDEN"
    assert mallory.request("subscribe", channel="prices:*")["status"] == "subscribed"
    stand.client.publish("own:alice", "hers")
    assert said(alice) == {"channel": "own:alice", "data": "hers"}
    stand.client.publish("prices:x", "everybody's")
    assert said(mallory)["data"] == "everybody's"
    assert mallory.messages == []
