"""Streams of events that begin with the newest entries of all that they follow (docs/sse.md): last and since."""

import json
import random
import threading
import time

import pytest

from bridge_helpers import new_name, number_of
from crowd import new_seed
from servers import wait_until
from sse_client import Ended, SseClient
from test_sse import JWT, Streams, event_ids
from tokens import token
from ws_client import Refused


@pytest.fixture(scope="module")
def shared_stand():
    """In place of the one of all tests: with channels."""
    group = Streams("--channel", "prices:*")
    yield group
    group.close()


def rewound(stand, **options):
    """The stream, and what came behind its greeting up to "resumed"."""
    stream = stand.stream(**options)
    events = []
    while not events or events[-1].type != "resumed":
        events.append(stream.next())
    return stream, events[:-1], events[-1].json["results"]


@pytest.mark.parametrize("last", [1, 5, 26, 27, 60, 100])
def test_the_last_entries_of_inbox_and_topics_come_oldest_first_then_what_is_live(stand, user, topic, last):
    sent = {key: stand.send_many(key, 120) for key in (f"inbox:{user}", f"topic:{topic}")}
    stream, events, results = rewound(stand, user=user, topics=topic, last=last)
    for key, ids in sent.items():
        assert event_ids(events, key) == ids[-last:]
        assert results[key] == {"recovered": True, "count": last}
        assert number_of(stream.greeting.json["positions"][key].partition("@")[0]) < number_of(ids[-last])
        live = stand.send(key)
        assert stream.expect("notification", key=key).json["id"] == live


def test_broadcast_logs_are_rewound_too(stand, user):
    ids = stand.send_many("topic:all", 3)
    _, events, _ = rewound(stand, user=user, last=2)
    assert event_ids(events, "topic:all") == ids[-2:]


def test_of_fewer_entries_all_come_and_of_none_what_is_live(stand, user, topic):
    ids = stand.send_many(f"topic:{topic}", 3)
    stream, events, results = rewound(stand, user=user, topics=f"{topic},{topic}-empty", last=10)
    assert event_ids(events, f"topic:{topic}") == ids
    assert results[f"topic:{topic}-empty"] == results[f"inbox:{user}"] == {"recovered": True, "count": 0}
    live = stand.send(f"topic:{topic}-empty")
    assert stream.expect("notification").json["id"] == live


def test_since_an_instant_brings_what_is_younger(stand, user, topic):
    key = f"topic:{topic}"
    now = int(time.time() * 1000)
    for age in (3_600_000, 1_800_000, 60_000):
        stand.send(key, f"{age} ms old", "ID", f"{now - age}-0")
    for since, count in ((now - 1_800_000, 2), ("45m", 2), ("2h", 3), ("90s", 1), ("10s", 0), ("3000000ms", 2), ("7d", 3)):
        _, events, results = rewound(stand, user=user, topics=topic, since=since)
        assert len(event_ids(events, key)) == count, since
        assert results[key] == {"recovered": True, "count": count}


def test_since_before_what_was_trimmed_says_that_something_is_missing(stand, user, topic):
    stand.send_many(f"topic:{topic}", 10, "MAXLEN", "4")
    stream, events, results = rewound(stand, user=user, topics=topic, since="1h")
    assert len(event_ids(events, f"topic:{topic}")) == 4 and results[f"topic:{topic}"]["recovered"] is False
    assert stream.expect("gap").json == {"type": "gap", "reason": "gone", "keys": [f"topic:{topic}"]}


def test_events_come_as_they_do_live_and_what_was_deleted_does_not(stand, user, topic):
    key = f"topic:{topic}"
    ids = stand.send_many(key, 5)
    event = stand.call("NOTIFY.EVENT", key, "progress", "DATA", "{}")
    stand.call("NOTIFY.DEL", key, ids[4])
    _, events, _ = rewound(stand, user=user, topics=topic, last=3)
    assert event_ids(events, key) == [ids[2], ids[3], event]


REFUSED = [
    *({"last": n} for n in ("0", "101", "-1", "5x", "1.5", "", "true", "9" * 40)),
    *({"since": s} for s in ("0", "-1", "", "5 m", "m", "0s", "5y", "-5m", "1.5", "9" * 21 + "d", "8d", "200h", "1")),
    {"since": int(time.time() * 1000) - 9 * 86_400_000},
    {"last": 1, "since": "5m"},
]


@pytest.mark.parametrize("members", REFUSED, ids=str)
def test_what_is_no_good_is_refused_by_name_before_the_stream_begins(stand, user, members):
    with pytest.raises(Refused) as refused:
        stand.stream(user=user, **members)
    assert refused.value.status == 400
    error = json.loads(refused.value.body)["error"]
    assert error["code"] == "BAD_REQUEST" and any(name in error["message"] for name in members)


# -- beside a place to come back to


def test_the_id_of_an_event_wins_so_a_browser_that_comes_back_by_itself_repeats_nothing(stand, user, topic):
    key = f"topic:{topic}"
    ids = stand.send_many(key, 6)
    _, events, _ = rewound(stand, user=user, topics=topic, last=4)
    for n, event in enumerate(event for event in events if event.json["key"] == key):
        _, rest, _ = rewound(stand, user=user, topics=topic, last=4, last_event_id=event.id)
        assert event_ids(rest, key) == ids[3 + n :]


def test_positions_win_key_by_key_and_what_they_know_nothing_of_is_rewound(stand, user, topic):
    known, other = f"topic:{topic}-1", f"topic:{topic}-2"
    sent = {key: stand.send_many(key, 5) for key in (known, other)}
    positions = json.dumps({known: sent[known][3]})
    _, events, _ = rewound(stand, user=user, topics=f"{topic}-1,{topic}-2", last=2, positions=positions)
    assert event_ids(events, known) == sent[known][4:] and event_ids(events, other) == sent[other][3:]


def test_a_topic_that_is_followed_from_now_on_is_rewound_beside_what_goes_on(stand, user, topic):
    """The address is another one, the id is the one of before."""
    before = stand.stream(user=user, topics=f"{topic}-1")
    sent = {f"topic:{topic}-{n}": stand.send_many(f"topic:{topic}-{n}", 3) for n in (1, 2)}
    before.expect("notification", id=sent[f"topic:{topic}-1"][-1])
    _, events, _ = rewound(
        stand, user=user, topics=f"{topic}-1,{topic}-2", last=2, last_event_id=before.last_event_id
    )
    assert event_ids(events, f"topic:{topic}-1") == [] and event_ids(events, f"topic:{topic}-2") == sent[f"topic:{topic}-2"][1:]


def test_an_empty_id_is_none(stand, user):
    ids = stand.send_many(f"inbox:{user}", 3)
    _, events, _ = rewound(stand, user=user, last=2, last_event_id="")
    assert event_ids(events, f"inbox:{user}") == ids[1:]


@pytest.mark.parametrize("whose, reason", [("nobody's", "malformed"), ("another's", "user")])
def test_an_id_of_no_use_is_told_and_does_not_win(stand, user, whose, reason):
    id_ = "x" if whose == "nobody's" else stand.stream(user=new_name()).greeting.id
    ids = stand.send_many(f"inbox:{user}", 3)
    _, events, _ = rewound(stand, user=user, last=2, last_event_id=id_)
    assert [event.json["reason"] for event in events if event.type == "gap"] == [reason]
    assert event_ids(events, f"inbox:{user}") == ids[1:]


def test_a_position_that_is_too_old_wins_too_and_what_is_missing_is_told(stand, user):
    stream = stand.stream(user=user)
    ids = stand.send_many(f"inbox:{user}", 10)
    at = stream.expect("notification").id
    stand.call("NOTIFY.TRIM", f"inbox:{user}", "MAXLEN", 4)
    back, events, _ = rewound(stand, user=user, last=1, last_event_id=at)
    assert event_ids(events) == ids[6:]
    assert back.expect("gap").json["keys"] == [f"inbox:{user}"]


def test_with_a_token_it_comes_instead_of_what_nobody_has_seen(make_stand, user):
    stand = make_stand(*JWT, kind=Streams)
    ids = stand.send_many(f"inbox:{user}", 5)
    _, events, _ = rewound(stand, token=token(user), last=2)
    assert event_ids(events, f"inbox:{user}") == ids[3:]
    assert stand.call("NOTIFY.UNREAD", f"inbox:{user}") == 5


# -- channels without boxes


def test_what_comes_of_a_channel_neither_moves_nor_resets_the_id(stand, user, topic):
    """So who comes back goes on in what has ids, and nothing of a channel is had again."""
    ids = stand.send_many(f"topic:{topic}", 3)
    channel, pattern = new_name("prices:"), new_name("prices:all")
    stream, events, results = rewound(stand, user=user, topics=topic, channels=f"{channel},{pattern}*", last=2)
    assert event_ids(events, f"topic:{topic}") == ids[1:]
    assert results.keys() == {f"inbox:{user}", "topic:all", f"topic:{topic}"}
    at = stream.last_event_id
    for name in (channel, f"{pattern}:eur"):
        stand.client.publish(name, '{"id":"x","bid":1}')
        event = stream.expect("channel_message")
        assert event.json["channel"] == name and event.id == at == stream.last_event_id
    _, events, _ = rewound(stand, user=user, topics=topic, channels=channel, last=2, last_event_id=at)
    assert events == []


def test_a_channel_that_is_none_or_not_permitted_is_told(stand, user):
    stream = stand.stream(user=user, channels="other,inbox:bob", last=1)
    assert {stream.expect("error").json["error"]["details"]["key"] for _ in range(2)} == {"other", "inbox:bob"}


# -- what goes wrong


def test_who_comes_while_redis_is_away_is_told_to_come_back_and_gets_it_then(make_stand, user):
    stand = make_stand(kind=Streams)
    ids = stand.send_many(f"inbox:{user}", 3)
    stand.call("SAVE")
    stand.server.terminate()
    stand.daemon.wait_line("event=redis_link_down link=notify-bridge:commands")
    stream = stand.stream(greeted=False, user=user, last=2)
    events, whole = stream.until_end()
    assert stream.status == 200 and whole and stream.parser.retry == 5000
    assert [event.json["code"] for event in events] == [1013]
    mark = stand.daemon.mark()
    stand.server.start()
    stand.daemon.wait_line("event=redis_link_up link=notify-bridge:commands", since=mark)
    _, events, _ = rewound(stand, user=user, last=2)
    assert event_ids(events, f"inbox:{user}") == ids[1:]


def test_a_key_that_is_no_box_is_told_and_the_others_are_rewound(stand, user, topic):
    stand.call("SET", f"topic:{topic}", "x")
    ids = stand.send_many(f"inbox:{user}", 2)
    stream, events, _ = rewound(stand, user=user, topics=topic, last=1)
    (error,) = [event.json["error"] for event in events if event.type == "error"]
    assert error["details"] == {"key": f"topic:{topic}"} and error["code"] == "PROCESSING_ERROR"
    assert event_ids(events, f"inbox:{user}") == ids[1:]


def test_who_goes_while_it_is_found_out_leaves_nothing_behind(make_stand, user):
    stand = make_stand(kind=Streams)
    topics = ",".join(f"t{n}" for n in range(60))
    for _ in range(20):
        SseClient(stand.daemon.port, user=user, topics=topics, last=100).close()
    gauge = 'notify_connections{transport="sse"}'
    wait_until(lambda: stand.daemon.metrics()[gauge] == 0, "that all have gone")
    _, events, _ = rewound(stand, user=user, topics=topics, last=100)
    assert event_ids(events) == []


# -- whatever happens meanwhile


class Writer(threading.Thread):
    """Sends to these keys, which hold these ids, as often as it may; nobody waits for it before the end."""

    def __init__(self, server, ids, rng):
        super().__init__(daemon=True)
        self.client, self.ids, self.rng = server.client(), ids, rng
        self.permits, self.stopped = threading.Semaphore(0), False
        self.start()

    def run(self):
        while self.permits.acquire() and not self.stopped:
            key = self.rng.choice(list(self.ids))
            self.ids[key].append(self.client.execute_command("NOTIFY.SEND", key, "x" * self.rng.randrange(1, 200)))

    def allow(self, count):
        self.permits.release(count)

    def stop(self):
        self.stopped = True
        self.allow(1)
        self.join()


def read_to(stream, events, goals):
    """Reads on behind these events, until all goals are had."""
    had = {id_ for id_ in goals.items() if id_[1] in event_ids(events, id_[0])}
    while had != set(goals.items()):
        events.append(stream.next())
        if events[-1].type == "notification":
            had |= {(events[-1].json["key"], events[-1].json["id"])} & set(goals.items())
    return events


def test_the_rewind_has_no_seam_while_somebody_writes(make_stand):
    """Whatever the moment, the number and the size of the queue: of each key a run without holes that goes on
    live, and whoever is cut off and comes back with the same address has each entry once."""
    rng = random.Random(new_seed())
    stand = make_stand("--outbox-bytes", rng.choice(["20K", "1M"]), kind=Streams, redis_options={"config": {"notify.max-entries": 100000}})
    topics = [f"w{n}" for n in range(4)]
    ids = {key: stand.send_many(key, rng.randrange(1, 150)) for key in ["inbox:w", *(f"topic:{name}" for name in topics)]}
    writer = Writer(stand.server, ids, random.Random(rng.random()))
    streams, least, cut = [], [], []
    try:
        for _ in range(12):
            writer.allow(rng.randrange(1, 60))
            last = rng.randrange(1, 101)
            wish = {"last": last} if rng.random() < 0.7 else {"since": rng.choice(["7d", "1h"])}
            options = {"user": "w", "topics": ",".join(topics), **wish}
            stream = stand.stream(greeted=False, **options)
            streams.append(stream)
            least.append(wish.get("last", len(min(ids.values(), key=len))))
            cut.append([])
            until = rng.choice([0, 0, 1, 30, 200])
            while len(cut[-1]) < until and (not cut[-1] or cut[-1][-1].type != "resumed"):  # then it is cut off
                cut[-1].append(stream.next())
            if cut[-1]:
                stream.close()
                cut[-1] += stream.parser.events  # what it has had beside
                writer.allow(rng.randrange(1, 60))
                streams[-1] = stand.stream(greeted=False, last_event_id=stream.last_event_id, **options)
    finally:
        writer.allow(50)
        writer.stop()
    for n, stream in enumerate(streams):
        events = read_to(stream, cut[n], {key: all_[-1] for key, all_ in ids.items()})
        for key, all_ in ids.items():
            got = event_ids(events, key)
            assert got == all_[-len(got) :], f"stream {n}, {key}"
            assert len(got) >= min(least[n], len(all_)), f"stream {n}, {key}"
