"""subscribe with last or since: the newest entries, then what comes, without a seam."""

import threading
import time

import pytest

from bridge_helpers import ids_of
from servers import wait_until
from test_bridge_requests import error_of


def subscribe(tab, topic, **members):
    """The answer, and what came before it."""
    answer = tab.request("subscribe", topic=topic, **members)
    before, tab.messages = tab.messages, []
    return answer, [m for m in before if m.get("key") == f"topic:{topic}"]


@pytest.mark.parametrize("last", [1, 5, 26, 27, 60, 100])
def test_the_last_entries_come_oldest_first_then_what_is_live(stand, tab, topic, last):
    ids = stand.send_many(f"topic:{topic}", 120)
    answer, before = subscribe(tab, topic, last=last)
    assert answer["recovered"] is True and answer["last"] == ids[-1]
    assert ids_of(before) == ids[-last:]
    live = stand.send(f"topic:{topic}", "live")
    assert tab.recv()["id"] == live


def test_of_fewer_entries_all_come(stand, tab, topic):
    ids = stand.send_many(f"topic:{topic}", 3)
    answer, before = subscribe(tab, topic, last=10)
    assert (ids_of(before), answer["recovered"]) == (ids, True)


@pytest.mark.parametrize("members", [{"last": 5}, {"since": "1h"}])
def test_of_an_empty_topic_nothing_comes_but_what_is_live(stand, tab, topic, members):
    answer, before = subscribe(tab, topic, **members)
    assert (before, answer["recovered"]) == ([], True)
    live = stand.send(f"topic:{topic}")
    assert tab.recv()["id"] == live


def test_events_and_what_was_trimmed_or_deleted(stand, tab, topic):
    key = f"topic:{topic}"
    ids = stand.send_many(key, 10, "MAXLEN", "6")
    event = stand.call("NOTIFY.EVENT", key, "progress", "DATA", "{}")
    stand.call("NOTIFY.DEL", key, ids[7])
    answer, before = subscribe(tab, topic, last=3)
    assert ids_of(before) == [ids[8], ids[9], event] and answer["recovered"] is True
    tab.request("unsubscribe", topic=topic)
    answer, before = subscribe(tab, topic, last=100)
    assert ids_of(before) == [id_ for id_ in ids[4:] if id_ != ids[7]] + [event]
    assert answer["recovered"] is True


def test_since_an_instant_brings_what_is_younger(stand, tab, topic):
    key = f"topic:{topic}"
    now = int(time.time() * 1000)
    for age in (3_600_000, 1_800_000, 60_000):
        stand.send(key, f"{age} ms old", "ID", f"{now - age}-0")
    for since, count in ((now - 1_800_000, 2), ("45m", 2), ("2h", 3), ("90s", 1), ("10s", 0), ("3000000ms", 2), ("1d", 3)):
        answer, before = subscribe(tab, topic, since=since)
        assert (len(before), answer["recovered"]) == (count, True), since
        tab.request("unsubscribe", topic=topic)


def test_since_before_what_was_trimmed_says_that_something_is_missing(stand, tab, topic):
    stand.send_many(f"topic:{topic}", 10, "MAXLEN", "4")
    answer, before = subscribe(tab, topic, since="1h")
    assert (len(before), answer["recovered"]) == (4, False)


def test_a_session_is_rewound_too(stand, tab, topic):
    ids = stand.send_many(f"session:{topic}", 5)
    tab.request("subscribe_session", session_id=topic, last=2)
    assert ids_of(tab.messages) == ids[-2:]


@pytest.mark.parametrize(
    "members",
    [
        *({"last": n} for n in (0, 101, -1, "5", 1.5, True)),
        *({"since": s} for s in (0, -1, "", "5", "5 m", "m", "0s", "5y", "-5m", 1.5, "99999999999999999999d", [])),
        *({"since": s} for s in ("8d", "200h", 1, int(time.time() * 1000) - 9 * 86_400_000)),
        *({"last": 1, "since": "5m"}, {"last": 1, "last_id": "1-1"}, {"since": "5m", "last_id": "1-1"}),
    ],
)
def test_what_is_no_good_is_refused_by_name_and_nothing_is_followed(stand, tab, topic, members):
    answer = tab.request("subscribe", topic=topic, **members)
    assert error_of(answer) == "INVALID_FIELD"
    assert any(name in answer["error"]["message"] for name in members)
    stand.send(f"topic:{topic}")
    assert stand.drain(tab) == []


def test_a_second_subscribe_rewinds_what_is_followed_already(stand, tab, topic):
    ids = stand.send_many(f"topic:{topic}", 5)
    tab.request("subscribe", topic=topic)
    answer, before = subscribe(tab, topic, last=3)
    assert (ids_of(before), answer["recovered"]) == (ids[-3:], True)


def test_the_rewind_has_no_seam_while_somebody_writes(stand, topic):
    """Whatever the moment: the entries are a run without holes that goes on live."""
    key = f"topic:{topic}"
    first = stand.send_many(key, 200)
    stop = threading.Event()
    sent = []

    def write():
        client = stand.server.client()
        while not stop.is_set():
            sent.append(client.execute_command("NOTIFY.SEND", key, "x"))

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    try:
        tabs = []
        for n in range(12):
            wait_until(lambda: len(sent) > 20 * n, "the writer")
            tabs.append(stand.tab())
            tabs[-1].send({"type": "subscribe", "topic": topic, "last": 10 + 8 * n})
    finally:
        wait_until(lambda: len(sent) > 300, "the writer")
        stop.set()
        writer.join()
    ids = first + sent  # the box keeps a thousand, and a busy machine may have written more
    for n, tab in enumerate(tabs):
        got = []
        while not got or got[-1] != ids[-1]:
            got += ids_of([tab.recv()], key)
        assert got == ids[-len(got):] and len(got) >= 10 + 8 * n


def test_redis_away_is_told_and_nothing_is_followed(make_stand, topic):
    stand = make_stand()
    tab = stand.tab()
    stand.server.terminate()
    assert error_of(tab.request("subscribe", topic=topic, last=5)) == "UNAVAILABLE"
    assert error_of(tab.request("subscribe", topic=topic, since="5m")) == "UNAVAILABLE"
