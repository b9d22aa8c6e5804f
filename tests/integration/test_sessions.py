"""Sessions, presence and kicks: two bridges in front of one Redis (docs/sessions.md)."""

import functools
import time

import pytest

from bridge_helpers import Stand
from servers import at_some_pace, free_port, wait_until
from tcp_proxy import TcpProxy
from ws_client import Closed

LEASE_S = 1.5


class Pair(Stand):
    """A Stand with a second bridge; clients say at which of them they are."""

    def __init__(self, *args, lease_s=LEASE_S):
        lease = ("--session-lease", f"{int(lease_s * 1000)}ms", *args)
        super().__init__(*lease, name="one")
        self.bridges = [self.daemon, self.bridge(self.server, *lease, name="two")]

    def session(self, *words):
        return self.call("NOTIFY.SESSION", *words)

    def count(self, key):
        return self.session("COUNT", key), self.session("COUNT", key, "CONNECTIONS")

    def wait_count(self, key, sessions, connections):
        wait_until(lambda: self.count(key) == (sessions, connections), f"{key} {sessions, connections}")

    def tab(self, at, path, **options):
        return super().tab(path, port=self.bridges[at].port, **options)

    def open(self, at, path):
        return self.tab(at, path, greeted=False)


@pytest.fixture
def make_pair(make_stand):
    return functools.partial(make_stand, kind=Pair)


@pytest.fixture(scope="module")
def shared_stand():
    group = Pair()
    yield group
    group.close()


@pytest.fixture
def pair(stand):
    return stand


# Arriving and going.


def test_who_connects_is_in_the_set_of_its_user_until_it_goes(pair, user):
    first, second = pair.tab(0, f"/ws/a-{user}?user={user}"), pair.tab(1, f"/ws/b-{user}?user={user}")
    listed = [dict(zip(one[::2], one[1::2])) for one in pair.session("LIST", f"sessions:{user}")]
    assert [one["session"] for one in listed] == [f"a-{user}", f"b-{user}"]
    assert len({one["node"] for one in listed}) == 2
    assert all(one["connection"].startswith(one["node"] + ":") for one in listed)
    assert {one["addr"] for one in listed} == {"127.0.0.1"}
    assert pair.count(f"ws:session:a-{user}") == (1, 1)
    first.close()
    pair.wait_count(f"sessions:{user}", 1, 1)
    second.close()
    pair.wait_count(f"sessions:{user}", 0, 0)
    keys = [f"sessions:{user}", f"ws:session:a-{user}", f"ws:session:b-{user}"]
    assert [pair.call("EXISTS", key) for key in keys] == [0, 0, 0]


def test_who_names_no_session_is_one_of_its_own(pair, user):
    tab = pair.tab(0, f"/ws?user={user}")
    assert pair.count(f"sessions:{user}") == (1, 1)
    assert not pair.client.exists(f"ws:session:{tab.greeting['client_id']}")


def test_a_connection_outlives_its_lease_as_long_as_it_lasts(make_pair, user):
    def outlives(lease_s):
        pair = make_pair(lease_s=lease_s)
        pair.tab(0, f"/ws/a?user={user}")
        for _ in range(6):
            time.sleep(lease_s / 3)
            assert pair.count(f"sessions:{user}") == (1, 1)

    at_some_pace(outlives, LEASE_S, doublings=3)


def test_others_that_come_and_go_do_not_keep_a_lease_from_being_renewed(make_pair, user):
    def is_renewed(lease_s):
        pair = make_pair(lease_s=lease_s)
        pair.tab(0, f"/ws/a?user={user}")
        until = time.monotonic() + 2 * lease_s
        while time.monotonic() < until:
            pair.tab(0, f"/ws/b?user={user}").close()
            assert pair.count(f"sessions:{user}")[0] >= 1

    at_some_pace(is_renewed, LEASE_S, doublings=3)


def test_many_connections_of_one_user_are_renewed_too(make_pair):
    def are_renewed(lease_s):
        pair = make_pair("--max-sessions-per-user", "0", "--max-connections-per-session", "0", lease_s=lease_s)
        for n in range(200):
            pair.tab(n % 2, "/ws/shared?user=display")
        time.sleep(2 * lease_s)
        assert pair.count("sessions:display") == (1, 200)

    at_some_pace(are_renewed, LEASE_S, doublings=3)


# Limits.


@pytest.mark.parametrize("rounds", [1, 3])
def test_a_session_has_so_many_connections_over_all_bridges(pair, user, rounds):
    key = f"sessions:{user}"
    for _ in range(rounds):
        tabs = [pair.tab(n % 2, f"/ws/s?user={user}") for n in range(5)]
        for at in (0, 1):
            closed = pair.open(at, f"/ws/s?user={user}").wait_closed()
            assert (closed.code, closed.reason) == (4409, "too many connections of this session")
        pair.tab(0, f"/ws/other?user={user}").close()
        pair.wait_count(key, 1, 5)
        tabs[0].close()
        pair.wait_count(key, 1, 4)
        pair.tab(1, f"/ws/s?user={user}")
        pair.close_tabs()
        pair.wait_count(key, 0, 0)


def test_a_user_has_so_many_sessions_over_all_bridges(make_pair):
    pair = make_pair("--max-sessions-per-user", "3")
    for n in range(3):
        pair.tab(n % 2, f"/ws/s{n}?user=alice")
    for at in (0, 1):
        closed = pair.open(at, "/ws/s9?user=alice").wait_closed()
        assert (closed.code, closed.reason) == (4409, "too many sessions of this user")
    pair.tab(0, "/ws/s1?user=alice")
    pair.tab(0, "/ws/s9?user=bob")
    for bridge in pair.bridges:
        bridge.wait_line("event=limit_met limit=max-sessions-per-user addr=127.0.0.1")


def test_who_is_refused_has_not_been_greeted_and_got_nothing(pair, user):
    for _ in range(5):
        pair.tab(0, f"/ws/s?user={user}")
    pair.client.execute_command("NOTIFY.SEND", f"inbox:{user}", "x")
    refused = pair.open(1, f"/ws/s?user={user}&last_event_id=0-0")
    assert refused.wait_closed().code == 4409
    assert refused.messages == []


def test_of_two_bridges_one_is_killed_and_all_is_right_within_one_lease(make_pair):
    def with_one_killed(lease_s):
        pair = make_pair(lease_s=lease_s)
        for n in range(4):
            pair.tab(n % 2, "/ws/s?user=alice")
        watcher = pair.tab(0, "/ws/w?user=bob")
        watcher.request("subscribe_presence", user_id="carol")
        pair.tab(1, "/ws/c?user=carol")
        watcher.expect(type="presence", event="join", session_id="c")
        pair.bridges[1].kill9()
        killed = time.monotonic()
        wait_until(
            lambda: (pair.count("sessions:alice"), pair.count("sessions:carol")) == ((1, 2), (0, 0)),
            "the lease's end",
            3 * lease_s,
        )
        assert time.monotonic() - killed < 1.34 * lease_s
        return pair, watcher

    pair, watcher = at_some_pace(with_one_killed, LEASE_S, doublings=3)
    for _ in range(3):
        pair.tab(0, "/ws/s?user=alice")
    assert pair.open(0, "/ws/s?user=alice").wait_closed().code == 4409
    assert watcher.request("presence", user_id="carol")["connections"] == 0
    pair.bridges[1].restart()
    pair.tab(1, "/ws/c?user=carol")
    assert watcher.request("presence", user_id="carol")["connections"] == 1


def test_a_bridge_that_ends_takes_its_connections_along_at_once(make_pair):
    pair = make_pair()
    for n in range(6):
        pair.tab(n % 2, f"/ws/s{n}?user=u{n % 3}").request("subscribe", topic="room", presence=True)
    wait_until(lambda: pair.count("presence:room") == (3, 6), "everybody's presence")
    pair.bridges[0].terminate()
    assert pair.count("presence:room") == (3, 3)
    assert [pair.count(f"sessions:u{n}") for n in range(3)] == [(1, 1)] * 3


# Presence.


def test_presence_is_answered_by_user_by_session_and_by_topic(pair, user):
    tab = pair.tab(0, f"/ws/a-{user}?user={user}")
    pair.tab(1, f"/ws/b-{user}?user={user}")
    pair.tab(1, f"/ws/b-{user}?user={user}").request("subscribe", topic=user, presence=True)
    asker = pair.tab(1, "/ws?user=asker")
    asked = asker.request
    assert asked("presence", user_id=user) == {
        "type": "presence", "user_id": user, "sessions": 2, "connections": 3, "request_id": "t1"}  # fmt: skip
    listed = asked("presence", user_id=user, list=True)
    assert (listed["session_ids"], listed["more"]) == ([f"a-{user}", f"b-{user}"], False)
    by_session = asked("presence", session_id=f"b-{user}", list=True)
    assert (by_session["sessions"], by_session["connections"], by_session["user_ids"]) == (1, 2, [user])
    wait_until(lambda: asked("presence", topic=user)["users"] == 1, "presence in the topic")
    assert asked("presence", session_id="nobody-is-this")["sessions"] == 0
    assert asked("presence", user_id=user, topic="t")["error"]["code"] == "INVALID_FIELD"
    assert asked("presence")["error"]["code"] == "MISSING_FIELD"
    assert tab.request("ping")["type"] == "pong"


def test_who_watches_a_user_is_told_how_it_stands_and_then_of_who_comes_and_goes(pair, user):
    pair.tab(0, f"/ws/a?user={user}")
    watcher = pair.tab(1, "/ws?user=watcher")
    assert watcher.request("subscribe_presence", user_id=user)["status"] == "subscribed"
    key = f"sessions:{user}"
    first = watcher.expect(type="presence", key=key)
    assert (first["sessions"], first["connections"], first.get("event")) == (1, 1, None)
    second = pair.tab(0, f"/ws/b?user={user}")
    again = pair.tab(1, f"/ws/b?user={user}")
    joined = watcher.expect(type="presence", event="join", session_id="b")
    assert joined["sessions"] == 2
    second.close()
    again.close()
    left = watcher.expect(type="presence", event="leave", session_id="b")
    assert (left["sessions"], left["connections"]) == (1, 1)
    assert watcher.messages == [], "one join and one leave, however many connections"
    assert watcher.request("unsubscribe_presence", user_id=user)["status"] == "unsubscribed"
    pair.tab(0, f"/ws/c?user={user}")
    watcher.request("ping")
    assert watcher.messages == []


def test_in_a_topic_a_user_comes_and_goes_once_however_many_tabs(pair, user):
    topic = user
    watcher = pair.tab(0, "/ws?user=watcher")
    watcher.request("subscribe_presence", topic=topic)
    watcher.expect(type="presence", key=f"presence:{topic}", sessions=0)
    tabs = [pair.tab(n % 2, f"/ws/t{n}?user={user}") for n in range(4)]
    for tab in tabs:
        tab.request("subscribe", topic=topic, presence=True)
    other = pair.tab(0, "/ws?user=other")
    other.request("subscribe", topic=topic, presence=True)
    watcher.expect(type="presence", event="join", session_id="other")
    wait_until(lambda: watcher.request("presence", topic=topic)["connections"] == 5, "all tabs")
    listed = watcher.request("presence", topic=topic, list=True)
    assert (listed["users"], sorted(listed["user_ids"])) == (2, sorted([user, "other"]))
    for tab in tabs[:2]:
        tab.request("unsubscribe", topic=topic)
    for tab in tabs[2:]:
        tab.close()
    assert watcher.expect(type="presence", event="leave", session_id=user)["sessions"] == 1
    joins = [m for m in watcher.messages if m.get("event") == "join" and m["session_id"] == user]
    assert len(joins) == 1
    assert not [m for m in watcher.messages if m.get("event") == "leave"]


def test_who_follows_a_topic_without_presence_is_not_said_to_be_there(pair, user):
    pair.tab(0, f"/ws?user={user}").request("subscribe", topic=user)
    assert pair.tab(1, "/ws?user=asker").request("presence", topic=user)["users"] == 0


def test_a_topic_that_is_full_is_followed_without_presence(make_pair):
    pair = make_pair()
    pipe = pair.client.pipeline()
    for n in range(1024):
        pipe.execute_command("NOTIFY.SESSION", "OPEN", "presence:t", f"u{n}", f"c{n}", "LEASE", 60000)
    pipe.execute()
    tab = pair.tab(0, "/ws?user=late")
    assert tab.request("subscribe", topic="t", presence=True)["status"] == "subscribed"
    error = tab.expect(type="error")["error"]
    assert (error["code"], error["details"]) == ("TOO_MANY_CONNECTIONS", {"key": "presence:t"})
    pair.client.execute_command("NOTIFY.SEND", "topic:t", "x")
    assert tab.expect(type="notification")["message"] == "x"


def test_without_sessions_there_are_none_and_everything_else_is_as_ever(make_pair):
    pair = make_pair("--session-lease", "0")
    tabs = [pair.tab(0, "/ws/s?user=alice") for _ in range(8)]
    assert not pair.client.exists("sessions:alice")
    for words in ({"user_id": "alice"}, {"topic": "t"}):
        assert tabs[0].request("subscribe_presence", **words)["error"]["code"] == "NOT_FOUND"
    assert tabs[0].request("subscribe", topic="t", presence=True)["error"]["code"] == "NOT_FOUND"
    assert tabs[0].request("kick", user_id="alice")["error"]["code"] == "NOT_FOUND"
    assert tabs[0].request("subscribe", topic="t")["status"] == "subscribed"


# Kicks.


@pytest.mark.parametrize("by", ["request", "command"])
def test_a_kick_closes_the_connections_of_a_session_on_every_bridge(pair, user, by):
    kicked = [pair.tab(n % 2, f"/ws/k?user={user}") for n in range(4)]
    other = pair.tab(0, f"/ws/other?user={user}")
    namesake = pair.tab(0, f"/ws/k?user=x{user}")
    if by == "request":
        answer = pair.tab(1, "/ws?user=boss").request("kick", user_id=user, session_id="k")
        assert (answer["type"], answer["changed"]) == ("ok", 4)
    else:
        assert pair.session("KICK", f"sessions:{user}", "k") == 4
    for tab in kicked:
        closed = tab.wait_closed()
        assert (closed.code, closed.reason) == (4410, "the session was ended")
    assert other.request("ping")["type"] == namesake.request("ping")["type"] == "pong"
    assert pair.count(f"sessions:{user}") == (1, 1)


def test_a_user_is_kicked_whole_and_may_come_back(pair, user):
    tabs = [pair.tab(n % 2, f"/ws/s{n}?user={user}") for n in range(4)]
    assert pair.tab(0, "/ws?user=boss").request("kick", user_id=user)["changed"] == 4
    assert [tab.wait_closed().code for tab in tabs] == [4410] * 4
    pair.tab(1, f"/ws/s0?user={user}")
    assert pair.count(f"sessions:{user}") == (1, 1)


def test_a_session_is_kicked_by_its_id_alone_whoever_holds_it(pair, user):
    held = [pair.tab(n % 2, f"/ws/{user}?user={user}{n // 2}") for n in range(4)]
    other = pair.tab(0, f"/ws/other?user={user}0")
    pair.wait_count(f"ws:session:{user}", 2, 4)
    answer = pair.tab(1, "/ws?user=boss").request("kick", session_id=user)
    assert (answer["type"], answer["changed"], answer["more"]) == ("ok", 4, False)
    assert [tab.wait_closed().code for tab in held] == [4410] * 4
    assert other.request("ping")["type"] == "pong"
    pair.wait_count(f"ws:session:{user}", 0, 0)


def test_of_very_many_who_hold_a_session_one_kick_ends_some_and_the_next_one_others(pair, user):
    """Each of them may be a set of its own in Redis, whatever bridge made it."""
    users, lease = [f"{user}-{n}" for n in range(70)], ("LEASE", 60000)
    for name in users:
        pair.session("OPEN", f"sessions:{name}", user, f"elsewhere:{name}", *lease)
        pair.session("OPEN", f"ws:session:{user}", name, f"elsewhere:{name}", *lease)
    boss = pair.tab(0, "/ws?user=boss")
    answer = boss.request("kick", session_id=user)
    assert (answer["changed"], answer["more"]) == (64, True)
    assert sum(pair.session("COUNT", f"sessions:{name}") for name in users) == 6
    for name in users[:64]:  # as the bridges do that hold them
        pair.session("CLOSE", f"ws:session:{user}", f"elsewhere:{name}")
    answer = boss.request("kick", session_id=user)
    assert (answer["changed"], answer["more"]) == (6, False)


def test_a_session_that_nobody_holds_is_not_found(pair, user):
    boss = pair.tab(0, "/ws?user=boss")
    error = boss.request("kick", session_id=f"none-{user}")["error"]
    assert (error["code"], error["details"]) == ("NOT_FOUND", {"member": "session_id"})
    assert boss.request("kick")["error"]["code"] == "MISSING_FIELD"


def test_names_that_json_escapes_can_be_kicked(pair, user):
    tab = pair.tab(0, f"/ws/say%20%22%C3%BC%22%5C?user={user}")
    assert pair.session("KICK", f"sessions:{user}", 'say "ü"\\') == 1
    assert tab.wait_closed().code == 4410


def test_what_else_is_published_on_the_channel_kicks_nobody(pair, user):
    tab = pair.tab(0, f"/ws/s?user={user}")
    key = f"sessions:{user}"
    for message in (
        '{"type":"kick","session_id":"s"}',
        '{"type":"kick","key":"sessions:somebody","rev":1,"session_id":"s"}',
        f'{{"type":"kick","key":"{key}","session_id":"s"}}',
        f'{{"type":"kick","key":"{key}","rev":1,"session_id":7}}',
        f'{{"type":"kick","key":"{key}","rev":1,"session_id":"\\ud800"}}',
        f'{{"type":"kick","key":"{key}","rev":1}}',
        "{]",
        "",
    ):
        pair.client.publish(key, message)
    assert tab.request("ping")["type"] == "pong"
    time.sleep(0.1)
    assert tab.request("ping")["type"] == "pong"


def test_a_kick_that_came_while_the_link_was_away_is_learned_of_with_it(make_stand, user):
    """And who was not kicked stays, although its place was lost in that time, too."""
    stand = make_stand("--session-lease", "60s")
    proxy = TcpProxy(stand.server.port)
    far = stand.bridge(proxy, "--session-lease", "60s", name="far")
    kicked, other = (stand.tab(f"/ws/{name}?user={user}", port=far.port) for name in ("kicked", "other"))
    proxy.lead_to(free_port())
    wait_until(lambda: stand.receivers(f"sessions:{user}") == 0, "the bridge has lost its link")
    assert stand.call("NOTIFY.SESSION", "KICK", f"sessions:{user}", "kicked") == 1
    stand.call("NOTIFY.SESSION", "DROPNODE", f"sessions:{user}", other_node(stand, user))
    proxy.lead_to(stand.server.port)
    assert kicked.wait_closed().code == 4410
    wait_until(lambda: stand.call("NOTIFY.SESSION", "COUNT", f"sessions:{user}") == 1, "the other is there again")
    assert other.request("ping")["type"] == "pong"
    proxy.close()


def other_node(stand, user):
    """The node that holds what is left in the set of a user."""
    (connection,) = stand.call("NOTIFY.SESSION", "LIST", f"sessions:{user}")
    return dict(zip(connection[::2], connection[1::2], strict=True))["node"]


# Redis is away, or has something else there.


def test_a_set_that_is_deleted_is_made_again_at_once(make_pair, user):
    pair = make_pair(lease_s=3600)  # so that it is not by its next renewal
    pair.tab(0, f"/ws/s?user={user}")
    pair.call("DEL", f"sessions:{user}")
    pair.wait_count(f"sessions:{user}", 1, 1)


def test_after_a_flush_everybody_is_there_again_within_a_lease(make_pair, user):
    def are_there_again(lease_s):
        pair = make_pair(lease_s=lease_s)
        pair.tab(0, f"/ws/s?user={user}")
        pair.tab(1, f"/ws/s?user={user}").request("subscribe", topic=user, presence=True)
        pair.wait_count(f"presence:{user}", 1, 1)
        pair.client.flushall()
        until = time.monotonic() + lease_s
        pair.wait_count(f"sessions:{user}", 1, 2)
        pair.wait_count(f"presence:{user}", 1, 1)
        assert time.monotonic() < until

    at_some_pace(are_there_again, LEASE_S, doublings=3)


def test_a_key_of_another_type_keeps_nobody_out(make_pair):
    pair = make_pair()
    for key in ("sessions:alice", "ws:session:s", "presence:t"):
        pair.client.set(key, "x")
    tabs = [pair.tab(0, "/ws/s?user=alice") for _ in range(7)]
    assert tabs[0].request("subscribe", topic="t", presence=True)["status"] == "subscribed"
    assert tabs[0].request("presence", user_id="alice")["error"]["code"] == "PROCESSING_ERROR"
    pair.client.execute_command("NOTIFY.SEND", "inbox:alice", "x")
    assert tabs[6].expect(type="notification")["message"] == "x"
    pair.bridges[0].wait_line("event=session_failed key=.* text=.*WRONGTYPE")
    lines = [line for line in pair.bridges[0].lines if "event=session_failed" in line]
    assert len(lines) <= 2, "once a minute, not for each"
    pair.client.delete("sessions:alice", "ws:session:s", "presence:t")
    wait_until(lambda: pair.session("COUNT", "sessions:alice", "CONNECTIONS") == 5, "places", 2 * LEASE_S)
    closed = []
    for tab in tabs:
        try:
            tab.request("ping")
        except Closed as failure:
            closed.append(failure.code)
    assert closed == [4409, 4409], "the limit holds again"


def test_while_redis_is_away_nobody_is_closed_and_all_is_there_again_with_it(make_pair):
    pair = make_pair()
    tab = pair.tab(0, "/ws/s?user=alice")
    watcher = pair.tab(1, "/ws?user=bob")
    watcher.request("subscribe_presence", user_id="alice")
    watcher.expect(type="presence", sessions=1)
    pair.server.kill9()
    pair.bridges[0].wait_line("redis_link_down")
    late = pair.open(0, "/ws/late?user=alice")
    assert tab.request("ping")["type"] == "pong"
    pair.server.start()
    late.expect(type="connection", timeout=30)
    pair.wait_count("sessions:alice", 2, 2)
    assert watcher.expect(type="presence", sessions=2, timeout=30)
    assert tab.request("ping")["type"] == "pong"
