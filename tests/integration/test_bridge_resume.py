"""Coming back: what a client missed, from several keys at once, and positions that are of no use."""

import time

import pytest

from bridge_helpers import id_before, ids_of, wait_ready
from servers import wait_until


def send_and_trim(stand, key):
    """The ids of ten entries, of which the last four are left."""
    ids = stand.send_many(key, 10)
    stand.call("NOTIFY.TRIM", key, "MAXLEN", 4)
    return ids


def gone(key):
    return {"type": "gap", "reason": "gone", "keys": [key]}


def read_resumed(tab, **members):
    """(messages before the answer, results)"""
    before = []
    while True:
        message = tab.recv()
        if message["type"] == "resumed":
            assert message.items() >= members.items()
            return before, message["results"]
        before.append(message)


def test_resume_brings_what_each_key_holds_after_its_position_then_answers(stand, tab, user, topic):
    session = f"session:{topic}"
    keys = [f"inbox:{user}", f"topic:{topic}", session]
    ids = {key: stand.send_many(key, 5) for key in keys}
    ids_all = stand.send_many("topic:all", 2)
    stand.drain(tab)
    positions = {keys[0]: ids[keys[0]][2], keys[1]: "0-0", session: ids[session][4]}
    positions["topic:all"] = ids_all[0]
    tab.send({"type": "resume", "positions": positions, "request_id": 9})
    got, results = read_resumed(tab, request_id=9)
    assert ids_of(got, keys[0]) == ids[keys[0]][3:]
    assert ids_of(got, keys[1]) == ids[keys[1]]
    assert ids_of(got, session) == []
    assert ids_of(got, "topic:all") == ids_all[1:]
    assert results == {
        keys[0]: {"recovered": True, "count": 2},
        keys[1]: {"recovered": True, "count": 5},
        session: {"recovered": True, "count": 0},
        "topic:all": {"recovered": True, "count": 1},
    }
    live = [stand.send(key) for key in keys]
    assert sorted(tab.recv()["id"] for _ in live) == sorted(live)  # keys have no order
    assert stand.drain(tab) == []


def test_resume_of_nothing_is_answered(tab):
    assert tab.request("resume", positions={})["results"] == {}


def test_resume_of_a_key_that_has_never_been_is_recovered(stand, tab, topic):
    results = tab.request("resume", positions={f"topic:{topic}": "0-0"})["results"]
    assert results == {f"topic:{topic}": {"recovered": True, "count": 0}}
    live = stand.send(f"topic:{topic}")
    assert tab.recv()["id"] == live


@pytest.mark.parametrize("key", ["inbox:somebody-else", "secrets", "inbox:", "top", "topic", "session"])
def test_a_key_that_is_not_the_clients_is_forbidden_and_nothing_is_followed(stand, tab, topic, key):
    own = f"topic:{topic}"
    answer = tab.request("resume", positions={own: "0-0", key: "0-0"})
    assert answer["error"]["code"] == "FORBIDDEN"
    assert answer["error"]["details"] == {"member": "positions", "key": key}
    stand.send(own)
    stand.send(key)
    assert stand.drain(tab) == []


def test_resume_of_thousands_comes_in_order_and_live_ones_follow(make_stand):
    stand = make_stand(redis_options={"config": {"notify.max-entries": 10000}})
    ids = stand.send_many("topic:long", 5000)
    tab = stand.tab("/ws")
    tab.send({"type": "resume", "positions": {"topic:long": ids[99]}})
    ids += stand.send_many("topic:long", 500)  # while it is being served
    assert [tab.expect(type="notification", timeout=30)["id"] for _ in ids[100:]] == ids[100:]
    assert tab.expect(type="resumed")["results"]["topic:long"]["recovered"] is True


def test_a_position_between_two_entries_is_as_good_as_one_at_an_entry(stand, tab, topic):
    ids = stand.send_many(f"topic:{topic}", 3)
    tab.send({"type": "resume", "positions": {f"topic:{topic}": id_before(ids[1])}})
    got, results = read_resumed(tab)
    assert ids_of(got) == ids[1:]
    assert results[f"topic:{topic}"] == {"recovered": True, "count": 2}


def test_deleted_entries_are_no_gap(stand, tab, topic):
    key = f"topic:{topic}"
    ids = stand.send_many(key, 5)
    stand.call("NOTIFY.DEL", key, ids[1], ids[2], ids[4])
    tab.send({"type": "resume", "positions": {key: ids[0]}})
    got, results = read_resumed(tab)
    assert ids_of(got) == [ids[3]]
    assert results[key] == {"recovered": True, "count": 1}
    live = stand.send(key)
    assert tab.recv()["id"] == live


def test_a_position_at_a_deleted_last_entry_is_recovered(stand, tab, topic):
    key = f"topic:{topic}"
    ids = stand.send_many(key, 2)
    stand.call("NOTIFY.DEL", key, *ids)
    assert tab.request("resume", positions={key: ids[1]})["results"][key]["recovered"] is True
    live = stand.send(key)
    assert tab.recv()["id"] == live


def test_a_trimmed_position_is_told_and_what_still_exists_follows(stand, tab, topic):
    key = f"topic:{topic}"
    ids = send_and_trim(stand, key)
    tab.send({"type": "resume", "positions": {key: ids[2]}})
    got, results = read_resumed(tab)
    assert ids_of(got) == ids[6:]
    assert results[key] == {"recovered": False, "count": 4}
    live = stand.send(key)
    assert tab.recv()["id"] == live


def test_a_position_at_the_last_trimmed_entry_has_missed_nothing(stand, tab, topic):
    key = f"topic:{topic}"
    ids = send_and_trim(stand, key)
    tab.send({"type": "resume", "positions": {key: ids[5]}})
    got, results = read_resumed(tab)
    assert ids_of(got) == ids[6:]
    assert results[key] == {"recovered": True, "count": 4}


@pytest.mark.parametrize("position", ["99999999999999-0", "253402300799999-18446744073709551615"])
def test_a_position_that_redis_does_not_know_is_told_and_live_ones_follow(stand, tab, topic, position):
    """A server that lost writes is behind its clients."""
    key = f"topic:{topic}"
    stand.send_many(key, 3)
    answer = tab.request("resume", positions={key: position})
    assert answer["type"] == "resumed", answer
    results = answer["results"]
    assert results[key]["recovered"] is False
    stand.drain(tab)
    live = stand.send(key)
    assert tab.recv()["id"] == live


def test_subscribe_with_a_position_tells_the_same(stand, tab, topic):
    key = f"topic:{topic}"
    ids = send_and_trim(stand, key)
    tab.send({"type": "subscribe", "topic": topic, "last_id": ids[7], "request_id": 1})
    assert ids_of([tab.recv(), tab.recv()]) == ids[8:]
    answer = tab.recv()
    assert (answer["recovered"], answer["last"]) == (True, ids[9])
    tab.request("unsubscribe", topic=topic)
    tab.send({"type": "subscribe", "topic": topic, "last_id": ids[1], "request_id": 2})
    assert tab.recv() == gone(key)
    assert ids_of([tab.recv() for _ in range(4)]) == ids[6:]
    answer = tab.recv()
    assert (answer["recovered"], answer["last"]) == (False, ids[9])


@pytest.mark.parametrize("way", ["resume", "subscribe", "last_event_id"])
def test_that_something_is_gone_is_told_in_front_of_what_still_comes(stand, user, topic, way):
    """Whoever is cut off between those goes on from there, and nothing would tell him any more."""
    key = f"inbox:{user}" if way == "last_event_id" else f"topic:{topic}"
    ids = send_and_trim(stand, key)
    tab = stand.tab(f"/ws?user={user}" + (f"&last_event_id={ids[1]}" if way == "last_event_id" else ""))
    if way == "resume":
        tab.send({"type": "resume", "positions": {key: ids[1]}})
    elif way == "subscribe":
        tab.send({"type": "subscribe", "topic": topic, "last_id": ids[1]})
    assert tab.recv() == gone(key)
    assert ids_of([tab.recv() for _ in range(4)]) == ids[6:]


def test_who_is_behind_what_is_gone_is_told_that_once_more_with_the_answer_alone(stand, tab, topic):
    key = f"topic:{topic}"
    ids = send_and_trim(stand, key)
    tab.send({"type": "resume", "positions": {key: ids[1]}})
    got, results = read_resumed(tab)
    assert [message["type"] for message in got] == ["gap"] + ["notification"] * 4
    assert results[key]["recovered"] is False
    tab.send({"type": "resume", "positions": {key: ids[7]}})
    got, results = read_resumed(tab)
    assert [message["type"] for message in got] == ["notification"] * 2
    assert results[key]["recovered"] is True


def test_a_live_follow_can_be_set_back(stand, tab, user):
    key = f"inbox:{user}"
    ids = stand.send_many(key, 5)
    assert [tab.recv()["id"] for _ in ids] == ids
    tab.send({"type": "resume", "positions": {key: ids[1]}})
    got, results = read_resumed(tab)
    assert ids_of(got) == ids[2:]
    assert results[key] == {"recovered": True, "count": 3}


def test_whole_boxes_replay_with_their_present_state(stand, tab, topic, user):
    key = f"inbox:{user}"
    ids = stand.send_many(key, 3)
    tab.request("mark_read", id=ids[1])
    stand.drain(tab)
    tab.send({"type": "resume", "positions": {key: "0-0"}})
    got, _ = read_resumed(tab)
    assert [m["data"]["is_read"] for m in got] == [False, True, False]
    assert {m["unread"] for m in got} == {2}
    assert [m["message"] for m in got] == ["number 0", "number 1", "number 2"]


def test_many_clients_resume_the_same_topic_each_from_its_own_place(stand, topic):
    """The shared memory of a channel and the reads from Redis serve them all alike."""
    key = f"topic:{topic}"
    ids = stand.send_many(key, 600)
    tabs = [stand.tab("/ws") for _ in range(30)]
    starts = [n * 599 // 29 for n in range(30)]
    for tab, start in zip(tabs, starts):
        tab.send({"type": "subscribe", "topic": topic, "last_id": ids[start]})
    live = stand.send_many(key, 50)
    for tab, start in zip(tabs, starts):
        expected = ids[start + 1 :] + live
        assert [tab.expect(key=key)["id"] for _ in expected] == expected
        assert tab.expect(type="subscription")["recovered"] is True
        assert ids_of(stand.drain(tab)) == []


def test_a_client_comes_back_with_another_connection_again_and_again(stand, topic, user):
    """Where one connection ended the next goes on."""
    key, sent, got = f"topic:{topic}", [], []
    for n in range(20):
        tab = stand.tab(f"/ws?user={user}")
        tab.send({"type": "subscribe", "topic": topic, "last_id": got[-1] if got else "0-0"})
        sent += stand.send_many(key, 7)
        for _ in range(n % 7 + 1):  # leaves before it has all
            got.append(tab.expect(key=key)["id"])
        tab.sock.close()
    tab = stand.tab(f"/ws?user={user}")
    tab.send({"type": "subscribe", "topic": topic, "last_id": got[-1]})
    while len(got) < len(sent):
        got.append(tab.expect(key=key)["id"])
    assert got == sent


def test_without_followers_a_topic_is_left_and_can_be_joined_again(make_stand):
    stand = make_stand("--channel-linger", "0")
    tab = stand.tab("/ws")
    for _ in range(30):
        tab.request("subscribe", topic="t")
        live = stand.send("topic:t")
        assert tab.recv()["id"] == live
        tab.request("unsubscribe", topic="t")
    wait_until(lambda: stand.receivers("topic:t") == 0, "the end of the subscription")
    missed = stand.send("topic:t")
    tab.send({"type": "subscribe", "topic": "t", "last_id": live})
    assert tab.recv()["id"] == missed


def test_a_server_that_comes_back_empty_is_told_to_those_who_were_there(make_stand):
    stand = make_stand()
    tab = stand.tab("/ws?user=alice")
    ids = stand.send_many("inbox:alice", 3)
    assert [tab.recv()["id"] for _ in ids] == ids
    stand.server.kill9()
    stand.server.start()
    told = tab.expect(type="resumed")
    assert told["results"] == {"inbox:alice": {"recovered": False, "count": 0}}
    assert "request_id" not in told
    wait_ready(stand)
    live = stand.send_many("inbox:alice", 3)
    assert [tab.expect(type="notification")["id"] for _ in live] == live


def test_new_ids_below_the_old_ones_are_delivered_after_lost_writes(make_stand):
    stand = make_stand()
    tab = stand.tab("/ws?user=alice")
    stand.send("inbox:alice", "from the future", "ID", "99999999999999-0")
    assert tab.recv()["id"] == "99999999999999-0"
    stand.server.kill9()
    stand.server.start()
    assert tab.expect(type="resumed")["results"]["inbox:alice"]["recovered"] is False
    wait_ready(stand)
    live = stand.send_many("inbox:alice", 3)
    assert [tab.expect(type="notification")["id"] for _ in live] == live


def test_what_is_written_right_behind_a_flush_arrives(make_stand):
    """Redis has it before the bridge asks what there is, and may say so before it comes live."""
    stand = make_stand()
    for n in range(5):
        tab = stand.tab(f"/ws?user=u{n}")
        ids = stand.send_many(f"inbox:u{n}", 3)
        assert [tab.recv()["id"] for _ in ids] == ids
        wait_until(lambda: int(time.time() * 1000) > int(ids[-1].split("-")[0]), "ids that cannot come again")
        pipe = stand.client.pipeline(transaction=False)
        pipe.flushall()
        for _ in range(3):
            pipe.execute_command("NOTIFY.SEND", f"inbox:u{n}", "new")
        ids = pipe.execute()[1:]
        assert [tab.expect(type="notification")["id"] for _ in ids] == ids


def test_a_change_that_the_bridge_could_not_hear_is_told(stand, tab, user):
    key = f"inbox:{user}"
    ids = stand.send_many(key, 2)
    stand.drain(tab)
    deaf = stand.client.pipeline(transaction=True)
    deaf.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    deaf.execute_command("NOTIFY.READ", key, ids[0])
    deaf.execute()
    told = tab.expect(type="changed", key=key)
    assert told == {"type": "changed", "key": key, "rev": 4, "unread": 1}  # it follows a log, too
    later = stand.send(key)
    assert tab.recv()["id"] == later


def test_entries_alone_that_the_bridge_could_not_hear_are_no_change(stand, tab, user):
    key = f"inbox:{user}"
    stand.send_many(key, 2)
    stand.drain(tab)
    deaf = stand.client.pipeline(transaction=True)
    deaf.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    deaf.execute_command("NOTIFY.SEND", key, "one")
    deaf.execute_command("NOTIFY.SEND", key, "two")
    missed = deaf.execute()[1:]
    assert [tab.recv()["id"] for _ in missed] == [i.decode() if isinstance(i, bytes) else i for i in missed]
    later = stand.send(key)
    assert tab.recv()["id"] == later


# -- all keys at once


def count_of(tab):
    """The badge, as a page that opens now would show it."""
    return tab.request("unread_count")["unread"]


@pytest.mark.parametrize("words", [("FLUSHDB",), ("FLUSHALL",), ("FLUSHALL", "ASYNC"), ("SWAPDB", "0", "1")], ids="-".join)
def test_when_all_keys_are_gone_each_client_is_told_of_each_box_and_goes_on(make_stand, words):
    stand = make_stand()
    tabs = [stand.tab("/ws?user=alice&topics=a,b"), stand.tab("/ws?user=bob")]
    keys = {"inbox:alice": tabs[0], "topic:a": tabs[0], "inbox:bob": tabs[1]}
    for key, tab in keys.items():
        ids = stand.send_many(key, 3)
        assert [tab.expect(key=key)["id"] for _ in ids] == ids
    stand.call(*words)
    told = {tabs[0]: set(), tabs[1]: set()}
    while told != {tabs[0]: {"inbox:alice", "topic:a"}, tabs[1]: {"inbox:bob"}}:
        for tab in tabs:
            if len(told[tab]) < sum(follower is tab for follower in keys.values()):
                results = tab.expect(type="resumed")["results"]
                assert all(result["recovered"] is False for result in results.values())
                told[tab] |= set(results)
    assert [count_of(tab) for tab in tabs] == [0, 0]
    for key, tab in keys.items():
        ids = stand.send_many(key, 3)
        assert [tab.expect(key=key)["id"] for _ in ids] == ids
    assert [tab.drain() for tab in tabs] == [[], []]


def test_what_others_say_on_the_control_channel_changes_nothing_for_boxes_that_are_there(stand, tab, user):
    key = f"inbox:{user}"
    ids = stand.send_many(key, 3)
    for text in ("", "{}", '{"type":"flushed"}', '{"type":"flushed","key":"inbox:a","database":0}'):
        assert stand.client.publish("notify:control", text) == 1
    for _ in range(50):
        stand.client.publish("notify:control", '{"type":"flushed","key":"notify:control","database":0}')
    ids += stand.send_many(key, 3)
    assert [tab.recv()["id"] for _ in ids] == ids
    assert stand.drain(tab) == []


def milliseconds_of(client):
    seconds, microseconds = client.time()
    return seconds * 1000 + microseconds // 1000


def test_a_database_that_is_exchanged_for_another_with_more_in_it_is_told(make_stand):
    """The box that stands there now has greater ids and revisions in all."""
    stand = make_stand()
    tab = stand.tab("/ws?user=alice")
    ids = stand.send_many("inbox:alice", 3)
    assert [tab.recv()["id"] for _ in ids] == ids
    other = stand.server.client(db=1)
    # In another millisecond: with the same ids the one box would be the other, gone on.
    wait_until(lambda: milliseconds_of(other) > int(ids[-1].split("-")[0]))
    others = [other.execute_command("NOTIFY.SEND", "inbox:alice", f"other {n}") for n in range(10)]
    stand.call("SWAPDB", "0", "1")
    assert tab.expect(type="resumed")["results"]["inbox:alice"]["recovered"] is False
    assert [tab.expect(type="notification")["id"] for _ in others] == others
    assert count_of(tab) == 10
    live = stand.send("inbox:alice")
    assert tab.expect(type="notification")["id"] == live
