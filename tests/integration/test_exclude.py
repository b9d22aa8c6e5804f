"""EXCLUDE: the session that a message names does not get it, live or when it comes back; everybody else
does, and nobody misses anything by it."""

import pytest

from bridge_helpers import ids_of


def test_a_session_does_not_hear_its_own_echo(stand, user):
    mine, other = stand.tab(f"/ws/mine?user={user}"), stand.tab(f"/ws/other?user={user}")
    key = f"inbox:{user}"
    first = stand.send(key)
    echo = stand.send(key, "echo", "EXCLUDE", "mine")
    last = stand.send(key)
    assert ids_of(stand.drain(mine), key) == [first, last]
    assert ids_of(stand.drain(other), key) == [first, echo, last]


def test_it_is_for_all_connections_of_the_session_on_whatever_key(stand, user, topic):
    tabs = [stand.tab(f"/ws/mine?user={user}&topics={topic}") for _ in range(2)]
    other = stand.tab(f"/ws/other?topics={topic}")
    echo = stand.send(f"topic:{topic}", "x", "EXCLUDE", "mine")
    assert [ids_of(stand.drain(tab), f"topic:{topic}") for tab in [*tabs, other]] == [[], [], [echo]]


def test_an_event_that_is_not_stored_is_left_out_too(stand, user):
    mine, other = stand.tab(f"/ws/mine?user={user}"), stand.tab(f"/ws/other?user={user}")
    stand.call("NOTIFY.EVENT", f"inbox:{user}", "typing", "NOSTORE", "EXCLUDE", "mine")
    assert [m["type"] for m in stand.drain(mine)] == []
    assert [m["type"] for m in stand.drain(other)] == ["typing"]


@pytest.mark.parametrize("name, path", [('say "x"', "say%20%22x%22"), ("ü", "%C3%BC"), ("a\\b", "a%5Cb")])
def test_names_that_json_escapes_are_the_same_names(stand, user, name, path):
    mine, other = stand.tab(f"/ws/{path}?user={user}"), stand.tab(f"/ws/x?user={user}")
    assert mine.greeting["client_id"] == name
    echo = stand.send(f"inbox:{user}", "x", "EXCLUDE", name)
    assert ids_of(stand.drain(mine)) == []
    assert ids_of(stand.drain(other)) == [echo]


def test_who_comes_back_gets_what_it_missed_but_not_its_own(stand, user):
    key = f"inbox:{user}"
    first = stand.send(key)
    echo = stand.send(key, "x", "EXCLUDE", "mine")
    last = stand.send(key)
    mine = stand.tab(f"/ws/mine?user={user}&last_event_id={first}")
    other = stand.tab(f"/ws/other?user={user}&last_event_id={first}")
    assert ids_of(stand.drain(mine, key), key) == [last]
    assert ids_of(stand.drain(other, key), key) == [echo, last]
    answer = mine.request("resume", positions={key: first})
    assert answer["results"][key] == {"recovered": True, "count": 1}
    assert ids_of(mine.drain(), key) == [last]
    assert other.request("resume", positions={key: first})["results"][key]["count"] == 2


def test_a_last_message_of_its_own_is_no_gap_for_who_comes_back(stand, user):
    key = f"inbox:{user}"
    first = stand.send(key)
    mine = stand.tab(f"/ws/mine?user={user}")
    stand.send_many(key, 3, "EXCLUDE", "mine")
    answer = mine.request("resume", positions={key: first})
    assert answer["results"][key] == {"recovered": True, "count": 0}
    later = stand.send(key)
    assert ids_of(stand.drain(mine), key) == [later]


def test_of_many_messages_at_once_each_session_gets_those_that_are_for_it(stand, user):
    key, names = f"inbox:{user}", ["a", "b", "c"]
    tabs = [stand.tab(f"/ws/{name}?user={user}") for name in names]
    pipe = stand.client.pipeline(transaction=False)
    for n in range(600):
        words = ["NOTIFY.SEND", key, str(n)]
        pipe.execute_command(*words, *(["EXCLUDE", names[n % 4]] if n % 4 < 3 else []))
    ids = pipe.execute()
    for at, tab in enumerate(tabs):
        expected = [id_ for n, id_ in enumerate(ids) if n % 4 != at]
        assert ids_of(stand.drain(tab), key) == expected


def test_a_slow_client_that_is_refilled_does_not_get_its_own_either(make_stand):
    stand = make_stand("--outbox-bytes", "20000")
    mine = stand.tab("/ws/mine?user=alice", receive_buffer=4096)
    expected = []
    for n in range(1000):
        own = n % 3 == 0
        id_ = stand.send("inbox:alice", "x", "CONTENT", "y" * 4000, *(["EXCLUDE", "mine"] if own else []))
        expected += [] if own else [id_]
    got = []
    while len(got) < len(expected):
        message = mine.recv(timeout=60)
        got += [message["id"]] if message["type"] == "notification" else []
    assert got == expected
