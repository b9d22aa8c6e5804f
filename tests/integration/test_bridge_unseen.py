"""Who brings a token and knows no position gets what nobody has seen, once, before anything live."""

import pytest

from bridge_helpers import Stand, id_before, ids_of
from servers import wait_until
from tokens import SECRET, token


@pytest.fixture(scope="module")
def shared_stand():
    group = Stand("--auth", "jwt", "--jwt-secret", SECRET)
    yield group
    group.close()


def unseen(stand, user):
    return dict(zip(*[iter(stand.call("NOTIFY.BADGE", f"inbox:{user}"))] * 2))["unseen"]


def test_what_came_while_nobody_was_there_is_delivered_once_and_is_seen_then(stand, user):
    sent = stand.send_many(f"inbox:{user}", 3)
    tab = stand.tab(f"/ws?token={token(user)}")
    live = stand.send(f"inbox:{user}", "live")
    assert ids_of(stand.drain(tab)) == [*sent, live]
    wait_until(lambda: unseen(stand, user) == 1, "that those of the start are seen")
    tab.close()
    wait_until(lambda: unseen(stand, user) == 0, "that the live one is seen")
    assert ids_of(stand.drain(stand.tab(f"/ws?token={token(user)}"))) == []
    assert stand.call("NOTIFY.UNREAD", f"inbox:{user}") == 4


def test_what_a_connection_that_broke_may_not_have_had_comes_again(stand, user):
    tab = stand.tab(f"/ws?token={token(user)}")
    id_ = stand.send(f"inbox:{user}")
    tab.expect(type="notification")
    tab.sock.close()
    assert ids_of(stand.drain(stand.tab(f"/ws?token={token(user)}"))) == [id_]


def test_what_others_have_seen_or_read_does_not_come(stand, user):
    ids = stand.send_many(f"inbox:{user}", 5)
    stand.call("NOTIFY.SEEN", f"inbox:{user}", "UPTO", ids[1])
    stand.call("NOTIFY.READ", f"inbox:{user}", ids[3])
    assert ids_of(stand.drain(stand.tab(f"/ws?token={token(user)}"))) == [ids[2], ids[4]]


@pytest.mark.parametrize("count", [1, 25, 26, 27, 100, 101, 250])
def test_a_hundred_are_delivered_and_no_more(stand, user, count):
    ids = stand.send_many(f"inbox:{user}", count)
    tab = stand.tab(f"/ws?token={token(user)}")
    live = stand.send(f"inbox:{user}")
    assert ids_of(stand.drain(tab)) == [*ids[-100:], live]


def test_as_many_are_delivered_as_256_kib_hold(stand, user):
    ids = stand.send_many(f"inbox:{user}", 20, "CONTENT", "x" * 60000)
    got = ids_of(stand.drain(stand.tab(f"/ws?token={token(user)}")))
    assert got == ids[-len(got) :] and 4 <= len(got) <= 26


def test_with_less_room_than_that_everything_comes_all_the_same(make_stand):
    stand = make_stand("--auth", "jwt", "--jwt-secret", SECRET, "--outbox-bytes", "4K")
    ids = stand.send_many("inbox:alice", 50, "CONTENT", "x" * 1000)
    tab = stand.tab(f"/ws?token={token('alice')}")
    stand.send("inbox:alice", "last")
    tab.expect(type="notification", message="last")
    got = ids_of(tab.messages)
    assert got[-50:] == ids and len(set(got)) == len(got)


@pytest.mark.parametrize("says", ["&last_event_id=", "&last_event_id=0-0"])
def test_who_speaks_of_positions_sees_to_it_by_itself(stand, user, says):
    id_ = stand.send(f"inbox:{user}")
    tab = stand.tab(f"/ws?token={token(user)}{says}")
    if says.endswith("0"):
        tab.expect(type="resumed")
    assert ids_of(stand.drain(tab)) == ([id_] if says.endswith("0") else [])
    tab.close()
    assert unseen(stand, user) == 1


def test_what_came_at_the_start_does_not_come_again_when_it_is_asked_for_by_a_position(stand, user):
    ids = stand.send_many(f"inbox:{user}", 4)
    tab = stand.tab(f"/ws?token={token(user)}")
    results = tab.request("resume", positions={f"inbox:{user}": id_before(ids[0])})["results"]
    assert results == {f"inbox:{user}": {"recovered": True, "count": 0}}
    assert ids_of(stand.drain(tab)) == ids


def test_without_a_token_nothing_is_delivered_of_before(make_stand):
    stand = make_stand()
    stand.send("inbox:alice")
    assert ids_of(stand.drain(stand.tab("/ws?user=alice"))) == []
    assert unseen(stand, "alice") == 1


def test_while_redis_is_away_who_comes_waits_and_gets_it_when_it_is_back(make_stand, user):
    stand = make_stand("--auth", "jwt", "--jwt-secret", SECRET, redis_options={"appendonly": "yes"})
    id_ = stand.send(f"inbox:{user}")
    stand.server.terminate()
    tab = stand.tab(f"/ws?token={token(user)}", greeted=False)
    stand.server.start()
    tab.expect(type="connection", timeout=30)
    stand.client = stand.server.client()
    live = stand.send(f"inbox:{user}")
    tab.expect(type="notification", id=live, timeout=30)
    tab.close()
    again = ids_of(stand.drain(stand.tab(f"/ws?token={token(user)}")))
    assert id_ in ids_of(tab.messages) + again
