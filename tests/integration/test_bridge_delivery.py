"""What passes from a channel to clients, what does not, and clients that do not read."""

import json
import os
import socket
import urllib.parse

import pytest

from bridge_helpers import ids_of, new_name, number_of
from servers import wait_until


def now_ms(stand):
    seconds, micros = stand.client.time()
    return seconds * 1000 + micros // 1000


# -- what passes


def test_a_stored_event_passes_with_its_name_and_data(stand, tab, user):
    id_ = stand.call("NOTIFY.EVENT", f"inbox:{user}", "session.progress", "DATA", '{"percent":50}')
    message = tab.recv()
    assert message.items() >= {
        **{"type": "session.progress", "key": f"inbox:{user}", "id": id_, "prev": "0-0"},
        **{"data": {"percent": 50}, "unread": 0},
    }.items()


def test_an_event_that_is_not_stored_passes_without_an_id(stand, tab, user):
    before = stand.send(f"inbox:{user}")
    stand.call("NOTIFY.EVENT", f"inbox:{user}", "typing", "NOSTORE", "DATA", '{"who":"bob"}')
    after = stand.send(f"inbox:{user}")
    got = [tab.recv() for _ in range(3)]
    assert [m.get("id") for m in got] == [before, None, after]
    assert (got[1]["type"], got[1]["data"]) == ("typing", {"who": "bob"})


def test_exclude_names_the_session_and_other_clients_get_it(stand, tab, user):
    id_ = stand.send(f"inbox:{user}", "t", "EXCLUDE", "session-7")
    message = tab.recv()
    assert (message["id"], message["exclude"]) == (id_, "session-7")


def test_an_entry_sent_with_nopublish_comes_with_the_next_one(stand, tab, user):
    """It shows as a hole, which is filled before anything behind it goes out."""
    sent = [stand.send(f"inbox:{user}", "published")]
    sent.append(stand.send(f"inbox:{user}", "silent", "NOPUBLISH"))
    sent.append(stand.send(f"inbox:{user}", "published again"))
    assert [tab.recv()["id"] for _ in sent] == sent
    assert stand.drain(tab) == []


def test_an_entry_published_while_others_are_deleted_is_no_hole(stand, tab, user):
    key = f"inbox:{user}"
    sent = [stand.send(key)]
    stand.call("NOTIFY.DEL", key, sent[0])
    sent.append(stand.send(key))
    assert [m["type"] for m in (tab.recv(), tab.recv(), tab.recv())] == [
        *("notification", "deleted", "notification"),
    ]
    assert stand.drain(tab) == []


def test_a_trim_is_told_and_no_loss(stand, tab, user):
    key = f"inbox:{user}"
    sent = [stand.send(key, "t", "MAXLEN", 3) for _ in range(10)]
    got = stand.drain(tab)
    assert ids_of(got) == sent
    assert [m for m in got if m["type"] == "resumed"] == []
    assert {m["before"] for m in got if m["type"] == "deleted"} <= set(sent)


def test_a_big_entry_passes_whole(stand, tab, user):
    content = os.urandom(30000).hex()
    id_ = stand.send(f"inbox:{user}", "big", "CONTENT", content)
    message = tab.recv()
    assert (message["id"], message["data"]["content"]) == (id_, content)


def test_a_box_that_was_removed_and_begun_again_goes_on(stand, tab, user):
    key = f"inbox:{user}"
    first = stand.send_many(key, 3)
    stand.call("DEL", key)
    # A box knows its ids from now on only by the clock.
    wait_until(lambda: now_ms(stand) > number_of(first[-1])[0], "the next millisecond")
    second = stand.send_many(key, 3)
    assert ids_of([tab.recv() for _ in range(7)]) == first + second  # with "gone" between them


def test_messages_of_several_keys_keep_the_order_of_each(stand, user):
    topics = [new_name("t") for _ in range(5)]
    tab = stand.tab(f"/ws?user={user}&topics={','.join(topics)}")
    keys = [f"topic:{name}" for name in topics]
    pipe = stand.client.pipeline(transaction=False)
    for n in range(500):
        pipe.execute_command("NOTIFY.SEND", keys[n % 5], str(n))
    ids = pipe.execute()
    got = [tab.recv() for _ in ids]
    for at, key in enumerate(keys):
        assert ids_of(got, key) == ids[at::5]


# -- what does not


FOREIGN = [
    *("", "hello", "{}", "[]", "null", "17", '"text"', "{", '{"type":"notification"}'),
    '{"type":5,"key":"KEY","rev":1}',
    '{"key":"KEY","type":null,"data":{}}',
    '{"type":"notification","key":"KEY"}',
    '{"type":"notification","key":"KEY","id":"1-1","prev":"0-0"}',
    '{"type":"notification","key":"KEY","id":"1-1","data":{}}',
    '{"type":"notification","key":"KEY","id":"x","prev":"0-0","data":{}}',
    '{"type":"notification","key":"KEY","id":5,"prev":"0-0","data":{}}',
    '{"type":"notification","key":"KEY","id":"1-1","prev":"0-0","data":{}} trailing',
    '{"type":"notification","key":"KEY","id":"1-1","prev":"0-0","data":{',
    '{"type":"notification","key":"KEY","rev":1,"x":"\udcff"}',
    '{"type":"notification","key":"KEY","rev":1,"x":"\x01"}',
    "[" * 100000,
    '{"type":"a","key":"KEY","rev":1,"deep":' + "[" * 20000 + "]" * 20000 + "}",
]


@pytest.mark.parametrize("text", FOREIGN, ids=range(len(FOREIGN)))
def test_a_foreign_message_on_a_channel_never_reaches_a_client(stand, tab, user, text):
    key = f"inbox:{user}"
    before = stand.send(key)
    message = text.replace("KEY", key).encode("utf-8", "surrogateescape")
    assert stand.client.publish(key, message) == 1
    after = stand.send(key)
    assert ids_of([tab.recv(), tab.recv()]) == [before, after]
    assert stand.drain(tab) == []


# -- what looks like the module's and is not


FAR = "4000000000000-0"


def entry(key, id_, prev, rev, title="forged"):
    return json.dumps(
        {"type": "notification", "key": key, "id": id_, "prev": prev, "rev": rev, "unread": 1}
        | {"data": {"id": id_, "title": title}},
        separators=(",", ":"),
    )


def id_after(id_, ms=0):
    """One that Redis does not give: whoever has it already is not sent it again."""
    at, seq = number_of(id_)
    return f"{at + ms}-{seq + 1000}"


FORGERIES = {
    "far_ahead": lambda key, last: entry(key, FAR, last, 4),
    "far_ahead_of_nothing": lambda key, last: entry(key, FAR, "0-0", 1),
    "far_ahead_without_a_revision": lambda key, last: entry(key, FAR, last, 0),
    "next_in_line": lambda key, last: entry(key, id_after(last), last, 4),
    "a_second_ahead": lambda key, last: entry(key, id_after(last, ms=1000), last, 4),
    "far_behind": lambda key, last: entry(key, "5-0", "0-0", 1),
    "with_the_greatest_revision": lambda key, last: entry(key, id_after(last), last, 2**64 - 1),
    "behind_a_hole": lambda key, last: entry(key, FAR, id_after(last), 9),
    "gone": lambda key, last: f'{{"type":"gone","key":"{key}","rev":4,"unread":0}}',
    "changed": lambda key, last: f'{{"type":"changed","key":"{key}","rev":4,"unread":0,"last":"{FAR}"}}',
    "read_with_the_greatest_revision": lambda key, last: (
        f'{{"type":"read","key":"{key}","rev":{2**64 - 1},"unread":0,"ids":["{last}"]}}'
    ),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_whatever_somebody_else_publishes_real_messages_arrive_once_and_in_order(stand, tab, user, forgery):
    key = f"inbox:{user}"
    sent = stand.send_many(key, 3, "CONTENT", "real")
    for _ in range(3):
        assert stand.client.publish(key, FORGERIES[forgery](key, sent[-1])) == 1
        sent += stand.send_many(key, 3, "CONTENT", "real")
    got = []
    while len(got) < len(sent):
        message = tab.recv()
        if message.get("data", {}).get("content") == "real":
            got.append(message["id"])
    assert got == sent
    rest = stand.drain(tab)
    assert ids_of([m for m in rest if m.get("data", {}).get("content") == "real"]) == []


def test_a_client_that_comes_back_gets_what_a_forged_message_stood_before(stand, user):
    key = f"inbox:{user}"
    sent = stand.send_many(key, 2)
    tab = stand.tab(f"/ws?user={user}")
    stand.client.publish(key, entry(key, id_after(sent[-1], ms=500), sent[-1], 4))  # it follows a log by now
    assert tab.expect(type="notification")["data"]["title"] == "forged"
    tab.close()
    sent += stand.send_many(key, 2)
    again = stand.tab(f"/ws?user={user}&last_event_id={sent[1]}")
    assert [again.expect(type="notification")["id"] for _ in sent[2:]] == sent[2:]


# -- boxes that begin anew


def test_a_box_that_begins_anew_with_smaller_ids_is_delivered_live(stand, tab, user):
    key = f"inbox:{user}"
    last = stand.send_many(key, 3)[-1]
    stand.call("DEL", key)
    ms = number_of(last)[0] - 5000
    lower = [stand.send(key, "anew", "ID", f"{ms + n}-0") for n in range(4)]
    messages = [tab.recv() for _ in range(8)]
    assert ids_of(messages)[3:] == lower
    assert [m["type"] for m in messages if "data" not in m] == ["gone"]


def test_a_box_that_begins_anew_unheard_with_smaller_ids_is_delivered_live_and_told(stand, tab, user):
    """The module's message of the end may be missed: what comes then shows it."""
    key = f"inbox:{user}"
    last = stand.send_many(key, 3)[-1]
    assert len(stand.drain(tab)) == 3
    ms = number_of(last)[0] - 5000
    deaf = stand.client.pipeline(transaction=True)
    deaf.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    deaf.execute_command("DEL", key)
    deaf.execute_command("NOTIFY.SEND", key, "anew", "ID", f"{ms}-0")
    deaf.execute()
    assert tab.expect(type="resumed")["results"][key]["recovered"] is False
    lower = [f"{ms}-0"] + [stand.send(key, "anew", "ID", f"{ms + n}-0") for n in range(1, 5)]
    got = [tab.expect(type="notification")["id"]]
    while got[-1] != lower[-1]:
        got.append(tab.expect(type="notification")["id"])
    assert got in (lower, lower[1:])  # what is there when it is told may come or not


# -- keys that cannot be read


def test_an_inbox_of_another_type_disturbs_nothing_else(stand, user, topic):
    stand.client.set(f"inbox:{user}", "a string")
    tab = stand.tab(f"/ws?user={user}&topics={topic}")
    id_ = stand.send(f"topic:{topic}")
    assert tab.recv()["id"] == id_
    assert tab.request("unread_count")["error"]["code"] == "PROCESSING_ERROR"
    stand.client.delete(f"inbox:{user}")
    id_ = stand.send(f"inbox:{user}")
    assert tab.recv()["id"] == id_


def test_one_topic_of_another_type_among_many_is_told_and_the_others_are_served(stand, tab):
    topics = [new_name("t") for _ in range(80)]
    ids = {name: stand.send(f"topic:{name}") for name in topics}
    broken = topics[40]
    stand.client.delete(f"topic:{broken}")
    stand.client.set(f"topic:{broken}", "a string")
    positions = {f"topic:{name}": "0-0" for name in topics}
    tab.send({"type": "resume", "positions": positions})
    results = tab.expect(type="resumed")["results"]
    assert {key for key, result in results.items() if not result["recovered"]} == {f"topic:{broken}"}
    came = [message for message in tab.messages if message["type"] != "gap"]
    assert {m["key"]: m["id"] for m in came} == {f"topic:{name}": id_ for name, id_ in ids.items() if name != broken}
    assert all(m["keys"] == [f"topic:{broken}"] for m in tab.messages if m["type"] == "gap")  # if the answer waits for others


# -- clients that do not read


# What is freed is otherwise kept by the sanitizer for a while, and looks like memory in use.
NO_QUARANTINE = {"ASAN_OPTIONS": "detect_leaks=1:exitcode=97:quarantine_size_mb=1"}
BIG_BOXES = {"config": {"notify.max-entries": 20000}}
KIB = "x" * 1000


def stop_reading(tab):
    """From now on little fits between the bridge and this client."""
    tab.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 131072)


def entries_until(tab, last, key, timeout=60):
    """The ids of key's entries up to last, in their order of arrival."""
    got = []
    while not got or got[-1] != last:
        message = tab.recv(timeout=timeout)
        if message.get("key") == key and "id" in message:
            got.append(message["id"])
    return got


def test_a_client_that_stops_reading_gets_everything_once_when_it_reads_again(make_stand):
    stand = make_stand("--outbox-bytes", "64K", "--log-level", "debug", redis_options=BIG_BOXES)
    tab, other = stand.tab("/ws?user=slow&topics=t"), stand.tab("/ws?topics=t")
    stop_reading(tab)
    sent = []
    for _ in range(8):
        chunk = stand.send_many("topic:t", 1000, "CONTENT", KIB)
        assert entries_until(other, chunk[-1], "topic:t") == chunk  # nobody else is held up
        sent += chunk
    stand.daemon.wait_line("event=client_behind")
    assert entries_until(tab, sent[-1], "topic:t") == sent
    told = tab.expect(type="resumed")
    assert told["results"]["topic:t"]["recovered"] is True
    live = stand.send("topic:t")
    assert tab.expect(type="notification")["id"] == live
    assert tab.request("ping")["type"] == "pong"


def test_a_slow_client_of_several_keys_misses_nothing_of_any(make_stand):
    stand = make_stand("--outbox-bytes", "16K", "--log-level", "debug", redis_options=BIG_BOXES)
    tab = stand.tab("/ws?user=slow&topics=a,b,c")
    stop_reading(tab)
    keys = ["topic:a", "topic:b", "topic:c", "inbox:slow"]
    sent = {key: [] for key in keys}
    for n in range(40):
        key = keys[n % 4]
        sent[key] += stand.send_many(key, 200, "CONTENT", KIB)
    stand.daemon.wait_line("event=client_behind")
    got = {key: [] for key in keys}
    while any(got[key][-1:] != sent[key][-1:] for key in keys):
        message = tab.recv(timeout=60)
        if "id" in message:
            got[message["key"]].append(message["id"])
    assert got == sent
    live = [stand.send(key) for key in keys]
    assert sorted(tab.expect(type="notification")["id"] for _ in live) == sorted(live)  # keys have no order


def test_what_a_slow_client_missed_may_be_trimmed_and_that_is_told(make_stand):
    stand = make_stand("--outbox-bytes", "16K", "--log-level", "debug", redis_options=BIG_BOXES)
    tab = stand.tab("/ws?topics=t")
    stop_reading(tab)
    sent = stand.send_many("topic:t", 9000, "CONTENT", KIB)
    stand.daemon.wait_line("event=client_behind")
    stand.call("NOTIFY.TRIM", "topic:t", "MAXLEN", 10)
    got = entries_until(tab, sent[-1], "topic:t")
    assert [number_of(id_) for id_ in got] == sorted({number_of(id_) for id_ in got})
    assert got[-10:] == sent[-10:]
    missing = len(sent) - len(got)
    assert missing > 0
    assert tab.expect(type="resumed")["results"]["topic:t"]["recovered"] is False


def test_answers_are_not_dropped_with_the_queue(make_stand):
    """They cannot be read from Redis again: a client that asks and does not read is not listened to
    for a while instead."""
    stand = make_stand("--outbox-bytes", "16K", "--log-level", "debug", redis_options=BIG_BOXES)
    tab = stand.tab("/ws?topics=t")
    stop_reading(tab)
    for n in range(300):
        tab.send({"type": "request_notification_history", "topic": "t", "request_id": n})
        if n % 10 == 0:
            stand.send_many("topic:t", 100, "CONTENT", KIB)
    stand.daemon.wait_line("event=client_behind")
    answers = [tab.expect(type="notification_history", timeout=60) for _ in range(300)]
    assert [answer["request_id"] for answer in answers] == list(range(300))


def test_a_client_that_never_reads_is_closed_with_4413(make_stand):
    stand = make_stand(
        *("--outbox-bytes", "64K", "--slow-client-timeout", "500ms", "--log-level", "debug"),
        redis_options=BIG_BOXES,
    )
    tab = stand.tab("/ws?topics=t")
    stop_reading(tab)
    sent = stand.send_many("topic:t", 8000, "CONTENT", KIB)
    stand.daemon.wait_line("event=client_too_slow")
    closed = tab.wait_closed()
    assert closed.code == 4413
    got = ids_of(tab.messages, "topic:t")
    assert 0 < len(got) < len(sent)
    assert got == sent[: len(got)]  # whoever comes back from there misses nothing


def test_clients_that_do_not_read_cost_no_more_than_their_outboxes(make_stand):
    stand = make_stand("--outbox-bytes", "64K", env=NO_QUARANTINE, redis_options=BIG_BOXES)
    tabs = [stand.tab("/ws?topics=t") for _ in range(40)]
    for tab in tabs:
        stop_reading(tab)
    stand.send_many("topic:t", 500, "CONTENT", KIB)
    before = stand.memory_kb()
    last = stand.send_many("topic:t", 10000, "CONTENT", KIB)[-1]
    reader = stand.tab("/ws")
    reader.send({"type": "subscribe", "topic": "t", "last_id": last, "request_id": 1})
    assert reader.expect(request_id=1)["last"] == last  # the bridge has got so far
    grown = stand.memory_kb() - before
    assert grown < 40 * 64 + 16 * 1024, f"{grown} KiB for 40 clients and 10 MB"
    for tab in tabs:
        tab.sock.close()
    stand.tabs = [reader]


def test_a_client_that_reads_in_drops_gets_everything(make_stand):
    """Behind and up to date by turns, under traffic all the time."""
    stand = make_stand("--outbox-bytes", "8K", "--log-level", "debug", redis_options=BIG_BOXES)
    tab = stand.tab("/ws?topics=t")
    stop_reading(tab)
    sent, got = [], []
    for n in range(60):
        sent += stand.send_many("topic:t", 150, "CONTENT", KIB)
        while len(got) < len(sent) - (1000 if n % 10 else 0):
            got.append(tab.expect(type="notification", timeout=60)["id"])
    got += [tab.expect(type="notification", timeout=60)["id"] for _ in sent[len(got) :]]
    assert got == sent


def test_a_message_that_names_another_key_than_its_channel_is_dropped(stand, tab, user):
    key = f"inbox:{user}"
    forged = '{"type":"read","key":"inbox:somebody-else","rev":9,"unread":0,"ids":[]}'
    assert stand.call("PUBLISH", key, forged) == 1
    id_ = stand.send(key)
    assert tab.recv()["id"] == id_


def test_a_user_whose_name_json_escapes_gets_everything(stand):
    name = 'a"b\\c\u00ad' + new_name()
    tab = stand.tab("/ws/quoted?user=" + urllib.parse.quote(name))
    id_ = stand.send(f"inbox:{name}")
    assert tab.recv()["id"] == id_
