"""A bridge whose Redis user may not do everything, or not everything any more."""

import re

import pytest

from servers import Bridge, wait_until

COMMANDS = ["echo", "subscribe", "unsubscribe", "notify.since"]  # what nothing works without
KEYS = ["~inbox:*", "~topic:*", "~session:*"]
CHANNELS = ["&inbox:*", "&topic:*", "&session:*"]


def grant(server, *rules, user="bridge"):
    server.client().execute_command("ACL", "SETUSER", user, "reset", "on", ">pw", *rules)


def all_rules(commands=COMMANDS, keys=KEYS, channels=CHANNELS):
    return [f"+{command}" for command in commands] + keys + channels


class As:
    """A server, as a bridge reaches it that enters as a user of its own."""

    def __init__(self, server, user="bridge"):
        self.url = server.url.replace("redis://", f"redis://{user}:pw@")


@pytest.fixture
def limited_stand(make_stand):
    """A stand whose bridge enters as the user "bridge", whose rights are given by grant()."""

    def make(*rules):
        stand = make_stand()
        grant(stand.server, *rules)
        stand.daemon.terminate()
        stand.daemon.server = As(stand.server)
        stand.daemon.start()
        return stand

    return make


def lines_like(program, pattern, since=0):
    return [line for line in program.lines[since:] if pattern in line]


def test_a_channel_that_redis_forbids_is_refused_to_who_asks_and_harms_nobody(limited_stand):
    stand = limited_stand(*all_rules(channels=["&inbox:*", "&topic:all", "&session:ok*"]))
    alice, mallory = stand.tab("/ws?user=alice"), stand.tab("/ws?user=mallory")
    mark = stand.daemon.mark()
    for _ in range(20):
        answer = mallory.request("subscribe_session", session_id="secret")
        assert answer["error"]["code"] == "FORBIDDEN", answer
        answer = mallory.request("subscribe", topic="t")
        assert answer["error"]["code"] == "FORBIDDEN", answer
        id_ = stand.send("inbox:alice")
        assert alice.recv()["id"] == id_
    assert mallory.request("subscribe_session", session_id="ok1")["type"] == "subscribed"
    assert not stand.daemon.has_line("redis_link_down", since=mark)
    lines = lines_like(stand.daemon, "subscription_refused", mark)
    assert len([line for line in lines if "channel=sessions:" not in line]) == 1


def test_forbidden_channels_among_others_leave_the_others_alone(limited_stand):
    stand = limited_stand(*all_rules(channels=["&inbox:*", "&topic:a*"]))
    tab = stand.tab("/ws?user=alice&topics=b1,a1,b2,a2,b3", greeted=False)
    assert tab.recv()["type"] == "connection"
    refused = [tab.recv() for _ in range(3)]
    assert {one["error"]["code"] for one in refused} == {"FORBIDDEN"}
    assert {one["error"]["details"]["key"] for one in refused} == {"topic:b1", "topic:b2", "topic:b3"}
    for key in ("topic:a1", "inbox:alice", "topic:a2", "topic:all"):
        id_ = stand.send(key)
        assert tab.recv()["id"] == id_


def test_resume_of_a_forbidden_key_tells_which_one_it_is(limited_stand):
    stand = limited_stand(*all_rules(channels=["&inbox:*", "&topic:a*"]))
    ids = stand.send_many("topic:a", 3)
    tab = stand.tab("/ws?user=alice")
    answer = tab.request("resume", positions={"topic:a": ids[0], "topic:b": "0-0"})
    assert answer["results"]["topic:a"] == {"recovered": True, "count": 2}
    assert answer["results"]["topic:b"] == {"recovered": False, "count": 0}
    assert tab.expect(type="error")["error"]["details"] == {"key": "topic:b"}


def test_a_channel_is_granted_to_who_asks_again_after_the_right_was_given(limited_stand):
    stand = limited_stand(*all_rules(channels=["&inbox:*", "&topic:all"]))
    tab = stand.tab("/ws?user=alice")
    assert tab.request("subscribe", topic="t")["error"]["code"] == "FORBIDDEN"
    grant(stand.server, *all_rules())
    assert tab.request("subscribe", topic="t")["status"] == "subscribed"
    id_ = stand.send("topic:t")
    assert tab.recv()["id"] == id_


def test_a_right_that_is_withdrawn_ends_that_subscription_and_no_other(limited_stand):
    stand = limited_stand(*all_rules())
    tab = stand.tab("/ws?user=alice")
    tab.request("subscribe", topic="t")
    grant(stand.server, *all_rules(channels=["&inbox:*", "&topic:all"]))  # cuts the link
    told = tab.expect(type="error")
    assert (told["error"]["code"], told["error"]["details"]) == ("FORBIDDEN", {"key": "topic:t"})
    id_ = stand.send("inbox:alice")
    assert tab.recv()["id"] == id_
    assert stand.receivers("topic:t") == 0


def test_a_key_that_may_be_heard_and_not_read_is_only_listened_to(limited_stand):
    stand = limited_stand(*all_rules(keys=["~inbox:*", "~topic:all"]))
    tab = stand.tab("/ws?user=alice")
    stand.send("topic:t")
    assert tab.request("subscribe", topic="t", last_id="0-0")["recovered"] is False
    id_ = stand.send("topic:t")
    assert tab.recv()["id"] == id_


def refusals(server):
    """How often the server has said NOPERM."""
    told = server.client().info("errorstats").get("errorstat_NOPERM", "count=0")
    return int(re.search(r"\d+", str(told)).group())


# What is missing: the rules, the line that says so, how many lines say so.
MISSING = {
    "notify.since": ("~* +@all -notify.since", r"event=redis_forbids .*NOPERM.*'notify\.since'", 1),
    "the inbox": ("~topic:* +@all", r"event=redis_forbids .*NOPERM.*key=inbox:readyz", 1),
    "echo": ("~* +@all -echo", r"event=redis_link_down .*addr=127\.0\.0\.1:\d+ .*NOPERM.*'echo'", 2),
}


@pytest.mark.parametrize("what", MISSING)
def test_the_operator_is_told_once_which_right_is_missing(what, programs, redis_server):
    rules, pattern, lines = MISSING[what]
    grant(redis_server, "&*", *rules.split())
    bridge = programs.add(Bridge(As(redis_server)))
    bridge.start(wait_ready=False)
    bridge.wait_line("(?i)" + pattern)
    wait_until(lambda: refusals(redis_server) >= 8, "many attempts")
    assert not bridge.has_line("event=ready")
    assert not bridge.has_line("has not loaded notify.so")
    grant(redis_server, "&*", "~*", "+@all")
    bridge.wait_ready()
    assert len(lines_like(bridge, "NOPERM")) == lines


def test_a_password_that_is_wrong_is_told_with_the_address_and_not_shown(programs, redis_server):
    grant(redis_server, "&*", "~*", "+@all", user="other")
    bridge = programs.add(Bridge(As(redis_server)))
    bridge.start(wait_ready=False)
    for link in ("subscriber", "commands"):
        line = bridge.wait_line(f"redis_link_down link=notify-bridge:{link} .*WRONGPASS")
        assert f"addr=127.0.0.1:{redis_server.port} " in line
    assert not any("pw" in line for line in bridge.lines)
    grant(redis_server, "&*", "~*", "+@all")
    bridge.wait_ready()
