"""Streams of events (docs/sse.md): the same client as over WebSocket, framed otherwise, and one id over all
that it follows."""

import base64
import contextlib
import json
import re
import socket
import ssl
import time

import pytest
import redis

from bridge_helpers import MARKERS, Stand, id_before, ids_of, new_name, number_of
from certificates import Certificate
from patience import WAIT_TIMEOUT_S
from servers import at_some_pace, change_roles, free_port, wait_until
from sse_client import PATH, Ended, SseClient
from tokens import SECRET, token
from ws_client import Refused

JWT = ["--auth", "jwt", "--jwt-secret", SECRET]


class Streams(Stand):
    """A stand whose clients read streams of events."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.streams = []

    def stream(self, greeted=True, port=None, **options):
        stream = SseClient(port or self.daemon.port, **options)
        self.streams.append(stream)
        stream.goes_on = bool({"last_event_id", "lastEventId", "positions"} & {name for name in options if options[name]})
        if greeted:
            stream.greeting = stream.expect("connection")
        return stream

    def settle(self, stream, key="topic:all"):
        """All events up to now, as drain(); of one that goes on from somewhere, all that it had missed."""
        events = []
        while stream.goes_on:
            events.append(stream.next())
            stream.goes_on = events[-1].type != "resumed"
        for _ in range(MARKERS):
            self.call("NOTIFY.EVENT", key, "marker", "NOSTORE")
            while (event := stream.next()).type != "marker":
                events.append(event)
        return events

    def close_tabs(self):
        super().close_tabs()
        while self.streams:
            self.streams.pop().close()


@pytest.fixture(scope="module")
def shared_stand():
    group = Streams()
    yield group
    group.close()


@pytest.fixture(scope="module")
def jwt_stand(tmp_path_factory):
    certificate = Certificate(tmp_path_factory.mktemp("sse"))
    port = free_port()
    group = Streams(
        *JWT, "--jwt-leeway", "0", "--jwt-cookie", "session", "--listen", f"127.0.0.1:{port},tls",
        "--tls-cert", certificate.cert, "--tls-key", certificate.key,
        "--cors-origins", "https://app.example.com",
    )  # fmt: skip
    group.tls_port = port
    group.tls = ssl.create_default_context(cafile=certificate.cert)
    yield group
    group.close_tabs()
    group.close()


def event_ids(events, key=None):
    return ids_of([event.json for event in events], key)


def test_the_first_event_greets_and_the_head_keeps_proxies_from_holding_it_back(stand, user):
    stream = stand.stream(user=user)
    assert stream.header("content-type") == "text/event-stream"
    assert stream.header("cache-control") == "no-store, no-transform"
    assert stream.header("x-accel-buffering") == "no"
    assert stream.header("transfer-encoding") == "chunked" and stream.header("content-length") is None
    greeting = stream.greeting.json
    assert greeting["user_id"] == user and greeting["status"] == "connected"
    assert greeting["positions"].keys() == {f"inbox:{user}", "topic:all"}
    assert stream.parser.retry == 3000
    assert re.fullmatch(r"[A-Za-z0-9_-]{10,80}", stream.greeting.id)


def test_an_event_has_its_type_as_name_and_the_published_bytes_as_data(stand, user):
    stream = stand.stream(user=user)
    listener = stand.client.pubsub()
    listener.subscribe(f"inbox:{user}")
    wait_until(lambda: stand.receivers(f"inbox:{user}") == 2, "both subscriptions")
    id_ = stand.send(f"inbox:{user}", "hello")
    stand.call("NOTIFY.EVENT", f"inbox:{user}", "build_finished", "DATA", '{"n":1}')
    stand.call("NOTIFY.READ", f"inbox:{user}", id_)
    published = []
    while len(published) < 3:
        message = listener.get_message(timeout=WAIT_TIMEOUT_S)
        if message["type"] == "message":
            published.append(message["data"])
    events = [stream.next() for _ in range(3)]
    assert [event.type for event in events] == ["notification", "build_finished", "read"]
    assert [event.data for event in events] == [
        data.decode() if isinstance(data, bytes) else data for data in published
    ]
    listener.close()


def test_one_id_stands_for_all_that_is_followed_and_nothing_is_lost_or_repeated(stand, user, topic):
    keys = [f"inbox:{user}", f"topic:{topic}", "topic:all"]
    stream = stand.stream(user=user, topics=topic)
    first = {key: stand.send(key) for key in keys}
    events = stand.settle(stream)
    assert {event.json["key"]: event.json["id"] for event in events} == first
    at = stream.last_event_id
    stream.close()
    missed = {key: stand.send_many(key, 3) for key in keys}
    stand.settle(stand.stream(user=user, topics=topic))  # the bridge has heard of them: what it has not comes live
    back = stand.stream(user=user, topics=topic, last_event_id=at)
    events = stand.settle(back)
    for key in keys:
        assert event_ids(events, key) == missed[key]
    (resumed,) = [event.json for event in events if event.type == "resumed"]
    assert resumed["results"] == {key: {"recovered": True, "count": 3} for key in keys}
    assert "gap" not in [event.type for event in events]


def test_every_event_has_its_own_id_so_that_a_cut_may_come_behind_each(stand, user):
    """Also within what goes out in one piece."""
    ids = stand.send_many(f"inbox:{user}", 20)
    stream = stand.stream(user=user, positions=json.dumps({f"inbox:{user}": "0-0"}))
    marks = [stream.expect("notification").id for _ in ids]
    assert len(set(marks)) == 20
    for n in (0, 7, 19):
        back = stand.stream(user=user, last_event_id=marks[n])
        assert event_ids(stand.settle(back), f"inbox:{user}") == ids[n + 1 :]


def test_what_waits_for_a_client_is_not_in_its_id(stand, user, topic):
    """Many channels at once: an id never speaks of what comes behind it."""
    topics = [f"{topic}-{n}" for n in range(10)]
    stream = stand.stream(user=user, topics=",".join(topics))
    sent = {f"topic:{name}": stand.send_many(f"topic:{name}", 5) for name in topics}
    events = stand.settle(stream)
    for n in range(0, len(events), 7):
        back = stand.stream(user=user, topics=",".join(topics), last_event_id=events[n].id)
        rest = stand.settle(back)
        had = {(event.json["key"], event.json["id"]) for event in events[: n + 1]}
        for key, ids in sent.items():
            assert event_ids(rest, key) == [id_ for id_ in ids if (key, id_) not in had]


def test_the_id_may_stand_in_the_query_and_the_header_wins(stand, user):
    stream = stand.stream(user=user)
    ids = [stand.send(f"inbox:{user}") for _ in range(2)]
    marks = [stream.expect("notification").id for _ in ids]
    for name in ("last_event_id", "lastEventId"):
        back = stand.stream(user=user, **{name: marks[0]})
        assert event_ids(stand.settle(back)) == ids[1:]
    back = stand.stream(path=PATH + f"?user={user}&last_event_id={marks[0]}", last_event_id=marks[1])
    assert event_ids(stand.settle(back)) == []


def test_positions_of_keys_by_their_names_are_as_good_as_an_id(stand, user, topic):
    ids = stand.send_many(f"topic:{topic}", 3)
    mine = stand.send_many(f"inbox:{user}", 2)
    positions = {f"topic:{topic}": ids[0], f"inbox:{user}": id_before(mine[0])}
    stream = stand.stream(user=user, topics=topic, positions=json.dumps(positions))
    events = stand.settle(stream)
    assert event_ids(events, f"topic:{topic}") == ids[1:] and event_ids(events, f"inbox:{user}") == mine
    greeted = stream.greeting.json["positions"]
    assert {key: greeted[key] for key in positions} == positions


@pytest.mark.parametrize("positions", ["[]", "x", "{", '{"a":1}', '{"a":"x"}', '{"a":"1-1","a":"2-1"}',
                                       json.dumps({f"k{n}": "1-1" for n in range(129)})])
def test_positions_that_are_none_are_refused(stand, user, positions):
    with pytest.raises(Refused) as refused:
        stand.stream(user=user, positions=positions)
    assert refused.value.status == 400
    assert "positions" in json.loads(refused.value.body)["error"]["message"]


# -- ids that are of no use


def gap_of(stand, **options):
    """What is told of it right behind the greeting, and what is sent then."""
    stream = stand.stream(**options)
    gap = stream.next()
    assert gap.type == "gap"
    stream.goes_on = False
    return gap.json, stand.settle(stream), stream


@pytest.mark.parametrize("id_", ["x", "1795208400123-0", "AAAA", "AQ", "A" * 9000, "AQ==", "%00", "ä", "*"])
def test_an_id_that_is_none_of_ours_is_told_and_all_begins_now(stand, user, id_):
    stand.send(f"inbox:{user}")
    gap, events, stream = gap_of(stand, user=user, last_event_id=id_)
    assert gap == {"type": "gap", "reason": "malformed", "keys": None}
    assert event_ids(events) == []
    live = stand.send(f"inbox:{user}")
    assert stream.expect("notification").json["id"] == live


def test_an_id_of_another_version_is_told(stand, user):
    id_ = stand.stream(user=user).greeting.id
    first = base64.urlsafe_b64decode(id_[:4])
    newer = base64.urlsafe_b64encode(bytes([first[0] + 1]) + first[1:]).decode() + id_[4:]
    gap, _, _ = gap_of(stand, user=user, last_event_id=newer)
    assert gap["reason"] == "malformed"


def test_an_id_of_another_user_is_told_and_brings_nothing(stand, user, topic):
    other = stand.stream(user=user, topics=topic)
    id_ = stand.send(f"topic:{topic}")
    other.expect("notification", id=id_)  # before, it would be live for who comes now
    gap, events, _ = gap_of(stand, user=new_name(), topics=topic, last_event_id=other.greeting.id)
    assert gap == {"type": "gap", "reason": "user", "keys": None}
    assert event_ids(events) == []


def test_an_empty_id_is_none(stand, user):
    stand.send(f"inbox:{user}")
    stream = stand.stream(user=user, last_event_id="")
    assert event_ids(stand.settle(stream)) == []
    stream = stand.stream(path=PATH + f"?user={user}&last_event_id=")
    assert stand.settle(stream) == []


def test_an_id_that_is_too_old_is_told_and_what_there_still_is_follows(stand, user):
    stream = stand.stream(user=user)
    ids = stand.send_many(f"inbox:{user}", 10)
    at = stream.expect("notification").id
    stand.call("NOTIFY.TRIM", f"inbox:{user}", "MAXLEN", 4)
    stream.expect("deleted")
    back = stand.stream(user=user, last_event_id=at)
    events = stand.settle(back)
    assert event_ids(events) == ids[6:]
    gaps = [event.json for event in events if event.type == "gap"]
    assert gaps == [{"type": "gap", "reason": "gone", "keys": [f"inbox:{user}"]}] * 2
    assert events[0].type == "gap", "who is cut off behind one of the others would never know"
    # What has been told is over.
    again = stand.stream(user=user, last_event_id=back.last_event_id)
    assert [event.type for event in stand.settle(again)] == ["resumed"]


def test_wherever_a_stream_is_cut_off_all_that_is_gone_has_been_told_or_will_be(stand, user):
    """Of some keys entries come, of others nothing; what is gone of all of them is known before the last of it is told."""
    topics = [new_name("t") for _ in range(6)]
    keys = [f"inbox:{user}", *(f"topic:{topic}" for topic in topics)]
    positions = {}
    for n, key in enumerate(keys):
        ids = stand.send_many(key, 6)
        stand.call("NOTIFY.TRIM", key, "MAXLEN", 3)
        positions[key] = "99999999999999-0" if n % 2 else ids[0]  # as one that Redis has lost, or too old
    back = stand.stream(user=user, topics=",".join(topics), positions=json.dumps(positions))
    told, places = set(), []
    for event in stand.settle(back):
        told.update(event.json["keys"] if event.type == "gap" else [])
        places.append((event.id, frozenset(told)))
    assert told == set(keys)
    for place, before in dict(place for place in places if place[0]).items():
        again = stand.stream(user=user, topics=",".join(topics), last_event_id=place)
        gaps = [event.json["keys"] for event in stand.settle(again) if event.type == "gap"]
        assert before.union(*gaps) == set(keys), f"{place}: {before} and then {gaps}"
        again.close()


def test_an_id_that_redis_does_not_know_is_told(stand, user):
    """As after a loss of what was written last; by name, since no id of ours is of the future."""
    positions = json.dumps({f"inbox:{user}": "99999999999999-0"})
    stand.send(f"inbox:{user}")
    stream = stand.stream(user=user, positions=positions)
    gap = stream.expect("gap").json
    assert gap == {"type": "gap", "reason": "gone", "keys": [f"inbox:{user}"]}
    live = stand.send(f"inbox:{user}")
    assert stream.expect("notification", id=live)


def test_a_box_that_was_deleted_is_told(stand, user):
    stream = stand.stream(user=user)
    last = stand.send_many(f"inbox:{user}", 2)[-1]
    at = stand.settle(stream)[-1].id
    stream.close()
    stand.call("DEL", f"inbox:{user}")
    # The new box gives ids of its own; within the same millisecond they would be smaller.
    wait_until(lambda: stand.client.time()[0] * 1000 > number_of(last)[0], "another second")
    new = stand.send(f"inbox:{user}")
    back = stand.stream(user=user, last_event_id=at)
    events = stand.settle(back)
    assert event_ids(events) == [new]
    assert [event.json["keys"] for event in events if event.type == "gap"] == [[f"inbox:{user}"]] * 2


def test_keys_that_an_id_does_not_know_begin_now_and_others_are_passed_over(stand, user, topic):
    at = stand.stream(user=user, topics=f"{topic}-1").greeting.id
    for n in (1, 2):
        stand.send(f"topic:{topic}-{n}")
    stream = stand.stream(user=user, topics=f"{topic}-2", last_event_id=at)
    events = stand.settle(stream)
    assert event_ids(events) == []
    assert events[0].json["results"].keys() == {f"inbox:{user}", "topic:all"}


def test_a_stream_follows_no_more_keys_than_it_may(make_stand, user):
    stand = make_stand("--max-subscriptions", "8", kind=Streams)
    with pytest.raises(Refused) as refused:
        stand.stream(user=user, topics="a,b,c,d,e,f,g")
    assert refused.value.status == 400
    stream = stand.stream(user=user, topics="a,b,c,d,e,f")
    assert len(stream.greeting.json["positions"]) == 8


# -- fields that would be others


@pytest.mark.parametrize("gap", ["\n", "\r", "\r\n", "\n\n", "\r\r\n\n", "\n:x\n\n", "\ndata: {}\n\n", "\n \n\t"])
def test_ends_of_lines_between_the_parts_of_a_message_make_no_fields(stand, user, gap):
    """Anybody who may PUBLISH can put them there."""
    stream = stand.stream(user=user)
    blanks = re.sub(r"[^\r\n\t ]", " ", gap)
    text = '{"type":"evil",%s"key":"inbox:%s",%s"data":{"a":%s1}%s}' % (blanks, user, blanks, blanks, blanks)
    stand.call("PUBLISH", f"inbox:{user}", text)
    event = stream.expect("evil")
    assert event.json == json.loads(text)
    assert [e.type for e in stand.settle(stream)] == []


@pytest.mark.parametrize("name", ["a\\nid: x", "a\\r\\ndata: 1", "a\\u000adata: 1", "a\\u0000", "\\u000d"])
def test_a_name_that_would_not_stay_on_its_line_is_left_out(stand, user, name):
    stream = stand.stream(user=user)
    stand.call("PUBLISH", f"inbox:{user}", '{"type":"%s","key":"inbox:%s","data":1}' % (name, user))
    event = stream.next()
    assert event.type == "message" and event.json["type"] == json.loads(f'"{name}"')
    assert stand.settle(stream) == []


def test_a_name_with_other_escapes_is_said_as_what_it_stands_for(stand, user):
    stream = stand.stream(user=user)
    stand.call("PUBLISH", f"inbox:{user}", '{"type":"a\\u00e4\\"","key":"inbox:%s","data":1}' % user)
    assert stream.next().type == 'aä"'


def test_texts_of_entries_stay_in_their_data(stand, user):
    stream = stand.stream(user=user)
    evil = "x\r\nid: 1\r\n\r\nevent: y\ndata: z\n\n"
    stand.send(f"inbox:{user}", evil, "CONTENT", evil)
    event = stream.next()
    assert (event.json["data"]["title"], event.json["data"]["content"]) == (evil, evil)
    assert stand.settle(stream) == []


# -- HTTP


def test_head_is_answered_with_the_head_alone_and_the_connection_goes_on(stand, user):
    request = f"HEAD {PATH}?user={user} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    last = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", stand.daemon.port), timeout=60) as sock:
        sock.sendall(request + last)
        data = b""
        while more := sock.recv(65536):
            data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200") and b"text/event-stream" in head
    assert rest.startswith(b"HTTP/1.1 200") and b'{"status":"up"' in rest


def test_http_1_0_gets_a_stream_that_ends_with_the_connection(stand, user):
    stream = stand.stream(user=user, version="1.0")
    assert stream.header("transfer-encoding") is None and stream.header("connection") == "close"
    id_ = stand.send(f"inbox:{user}")
    assert stream.expect("notification").json["id"] == id_


@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT"])
def test_other_methods_are_told_which_there_are(stand, method):
    with pytest.raises(Refused) as refused:
        stand.stream(method=method)
    assert refused.value.status == 405 and b"Allow: GET, HEAD, OPTIONS" in refused.value.head


def test_names_that_are_none_are_refused_by_their_status(stand):
    for query in ("user=", "user=%00", "session_id=*", "topics=a%01", "session_id=" + "x" * 129):
        stream = SseClient(stand.daemon.port, f"{PATH}?{query}")
        with pytest.raises(Refused) as refused:
            stream.read_head()
        assert refused.value.status == 400, query
        stream.close()


def test_what_is_sent_behind_the_request_does_nothing(stand, user):
    more = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" + bytes(range(256)) * 8
    stream = stand.stream(user=user, behind=more)
    stream.sock.sendall(more)
    id_ = stand.send(f"inbox:{user}")
    assert event_ids(stand.settle(stream)) == [id_]
    assert b"HTTP/1.1" not in stream.body


def test_who_sends_too_much_behind_the_request_is_closed(stand, user):
    stream = stand.stream(user=user)
    before = stand.daemon.metrics()['notify_limit_hits_total{limit="sse-input-bytes"}']
    stream.sock.sendall(b"x" * 20000)
    events, whole = stream.until_end()
    assert events[-1].type == "close" and events[-1].json["code"] == 4400 and whole
    after = stand.daemon.metrics()['notify_limit_hits_total{limit="sse-input-bytes"}']
    assert after == before + 1


def test_a_reader_that_goes_is_gone(stand, user):
    stream = stand.stream(user=user)
    name = 'notify_connections{transport="sse"}'
    count = stand.daemon.metrics()[name]
    assert count >= 1
    stream.close()
    wait_until(lambda: stand.daemon.metrics()[name] == count - 1, "that it is gone")


def test_pages_of_other_origins_are_refused(jwt_stand, user):
    for headers in (["Origin: https://evil.example"], ["Sec-Fetch-Site: cross-site"], ["Sec-Fetch-Site: same-site"]):
        with pytest.raises(Refused) as refused:
            jwt_stand.stream(token=token(user), headers=headers)
        assert refused.value.status == 403, headers
    stream = jwt_stand.stream(token=token(user), headers=["Origin: https://app.example.com"])
    assert stream.header("access-control-allow-origin") == "https://app.example.com"
    with pytest.raises(Refused) as refused:
        jwt_stand.stream(token="bad", headers=["Origin: https://app.example.com"])
    assert b"Access-Control-Allow-Origin: https://app.example.com" in refused.value.head


def test_a_page_may_ask_whether_it_may_send_its_token_along(jwt_stand):
    """For a reader by fetch(): an EventSource sends no Authorization."""
    asks = ["Origin: https://app.example.com", "Access-Control-Request-Method: GET",
            "Access-Control-Request-Headers: authorization,last-event-id", "Connection: close"]
    stream = SseClient(jwt_stand.daemon.port, method="OPTIONS", headers=asks)
    with pytest.raises(Refused) as answered:
        stream.read_head()
    assert answered.value.status == 204
    assert b"Access-Control-Allow-Origin: https://app.example.com" in answered.value.head
    allowed = next(line for line in answered.value.head.split(b"\r\n") if b"Allow-Headers" in line).lower()
    assert b"authorization" in allowed and b"last-event-id" in allowed
    stream.close()


# -- who it is


@pytest.mark.parametrize("where", ["query", "header", "cookie of a page", "cookie of our own page"])
@pytest.mark.parametrize("tls", [False, True])
def test_a_token_may_stand_where_a_browser_can_put_it(jwt_stand, user, where, tls):
    text = token(user)
    options = {
        "query": {"token": text},
        "header": {"headers": [f"Authorization: Bearer {text}"]},
        "cookie of a page": {"headers": [f"Cookie: session={text}", "Origin: https://app.example.com"]},
        "cookie of our own page": {"headers": [f"Cookie: session={text}", "Sec-Fetch-Site: same-origin"]},
    }[where]
    if tls:
        options |= {"tls": jwt_stand.tls, "port": jwt_stand.tls_port}
    stream = jwt_stand.stream(**options)
    assert stream.greeting.json["user_id"] == user
    ids = jwt_stand.send_many(f"inbox:{user}", 30, "CONTENT", "x" * 3000)
    assert event_ids(jwt_stand.settle(stream, f"inbox:{user}")) == ids  # more than a bridge reads in a turn


@pytest.mark.parametrize("options", [{}, {"token": "x"}, {"token": token("a", -100)}, {"token": ""},
                                     {"headers": [f"Cookie: session={token('a')}"]}])
def test_who_brings_no_good_token_is_told_so_by_the_status(jwt_stand, options):
    with pytest.raises(Refused) as refused:
        jwt_stand.stream(**options)
    assert refused.value.status == 401
    assert json.loads(refused.value.body)["error"]["code"] == "UNAUTHORIZED"
    assert b"WWW-Authenticate: Bearer" in refused.value.head


def test_another_user_than_the_tokens_is_forbidden(jwt_stand, user):
    with pytest.raises(Refused) as refused:
        jwt_stand.stream(token=token(user), user="bob")
    assert refused.value.status == 403


def test_an_expired_token_ends_the_stream_and_that_is_announced(jwt_stand, user):
    def ends(lasts_s):
        stream = jwt_stand.stream(token=token(user, lasts_s))
        assert stream.expect("token_expiring").json["expires_at"]
        events, whole = stream.until_end()
        assert [event.json for event in events] == [
            {"type": "close", "code": 4401, "reason": "the token has expired"}
        ]
        assert whole

    at_some_pace(ends, 4, doublings=3)


def test_who_knows_no_position_gets_what_nobody_has_seen_and_a_cut_repeats_none_of_it(jwt_stand, user):
    ids = jwt_stand.send_many(f"inbox:{user}", 6)
    stream = jwt_stand.stream(token=token(user))
    events = [stream.expect("notification") for _ in ids]
    assert event_ids(events) == ids
    for at, rest in ((stream.greeting.id, ids), (events[2].id, ids[3:]), (events[5].id, [])):
        back = jwt_stand.stream(token=token(user), last_event_id=at)
        assert event_ids(jwt_stand.settle(back)) == rest


def test_a_kick_ends_the_stream(stand, user):
    stream = stand.stream(user=user, session_id="s1")
    assert stream.greeting.json["client_id"] == "s1"
    wait_until(lambda: stand.call("NOTIFY.SESSION", "KICK", f"sessions:{user}", "s1") >= 1, "the kick")
    events, whole = stream.until_end()
    assert events[-1].json["code"] == 4410 and whole


def test_events_that_exclude_its_session_are_not_sent(stand, user):
    stream = stand.stream(user=user, session_id="mine")
    stand.call("NOTIFY.SEND", f"inbox:{user}", "x", "EXCLUDE", "mine")
    id_ = stand.send(f"inbox:{user}")
    assert event_ids(stand.settle(stream)) == [id_]
    back = stand.stream(user=user, session_id="mine", last_event_id=stream.greeting.id)
    assert event_ids(stand.settle(back)) == [id_]


# -- limits that pass: a browser comes back after status 200 only


def read_refusal(stream):
    events, whole = stream.until_end()
    assert stream.status == 200 and whole and len(events) == 1
    assert events[0].type == "close" and events[0].id == ""
    return events[0].json["code"], stream.parser.retry


def test_too_many_connections_of_a_session_are_told_to_come_back(make_stand, user):
    stand = make_stand("--max-connections-per-session", "2", kind=Streams)
    for _ in range(2):
        stand.stream(user=user, session_id="s")
    assert read_refusal(stand.stream(greeted=False, user=user, session_id="s")) == (4409, 10000)


def test_too_many_connections_of_the_process_are_told_to_come_back(make_stand, user):
    stand = make_stand("--max-connections", "2", kind=Streams)
    stand.stream(user=user), stand.tab(f"/ws?user={user}")
    assert read_refusal(stand.stream(greeted=False, user=user)) == (1013, 5000)
    assert stand.daemon.metrics()['notify_limit_hits_total{limit="max-connections"}'] == 1


def test_too_many_connections_of_an_address_are_told_to_come_back(make_stand, user):
    stand = make_stand("--max-connections-per-address", "2", "--exempt-addresses", "unix", kind=Streams)
    stand.stream(user=user), stand.stream(user=user)
    assert read_refusal(stand.stream(greeted=False, user=user)) == (4409, 10000)


def test_a_bridge_that_ends_says_when_to_come_back(make_stand, user):
    stand = make_stand("--restart-spread", "20s", kind=Streams)
    streams = [stand.stream(user=user) for _ in range(8)]
    stand.daemon.proc.terminate()
    retries = set()
    for stream in streams:
        events, whole = stream.until_end()
        assert events[-1].json == {"type": "close", "code": 1012, "reason": "restarting"} and whole
        retries.add(stream.parser.retry)
    assert len(retries) > 2 and max(retries) <= 20001
    stand.daemon.wait()


# -- beats, and who does not read


def test_something_is_written_at_each_interval(make_stand, user):
    stand = make_stand("--sse-heartbeat-interval", "100ms", kind=Streams)
    stream = stand.stream(user=user)

    def are_several():
        with pytest.raises(TimeoutError):
            stream.next(timeout=0.2)
        return stream.parser.comments >= 4

    wait_until(are_several, "some beats")


def test_a_category_that_a_role_loses_ends_on_a_stream_at_once_and_so_does_a_topic(make_stand, user, tmp_path):
    roles = tmp_path / "roles"
    may = "role *\n  categories {}\n  subscribe {}\n"
    roles.write_text(may.format("kept lost", "kept lost"), encoding="utf-8")
    stand = make_stand(*JWT, "--roles", str(roles), kind=Streams)
    stream = stand.stream(token=token(user), topics="kept,lost")
    stand.send("topic:all", "first", "CATEGORY", "lost")
    assert stream.expect("notification").json["data"]["title"] == "first"
    change_roles(roles, may.format("kept", "kept"), stand.daemon)
    assert stream.expect("error").json["error"] | {"message": ""} == {
        "code": "FORBIDDEN", "message": "", "details": {"key": "topic:lost"},
    }  # fmt: skip
    for key, category in (("topic:all", "lost"), ("topic:kept", "lost"), ("topic:lost", "kept")):
        stand.send(key, "hidden", "CATEGORY", category)
    stand.send("topic:kept", "last", "CATEGORY", "kept")
    assert stream.expect("notification").json["data"]["title"] == "last"
    assert not stream.parser.events


def test_what_is_kept_back_by_a_filter_moves_the_id_with_the_next_beat(make_stand, user, tmp_path):
    roles = tmp_path / "roles"
    roles.write_text("role *\n  categories shown\n", encoding="utf-8")
    stand = make_stand(*JWT, "--roles", str(roles), "--sse-heartbeat-interval", "100ms", kind=Streams)
    stream = stand.stream(token=token(user))
    at = stream.last_event_id
    stand.send("topic:all", "x", "CATEGORY", "hidden")
    def has_moved():
        with pytest.raises(TimeoutError):
            stream.next(timeout=0.1)
        return stream.last_event_id != at
    wait_until(has_moved, "that the id moves")


def test_a_client_that_does_not_read_falls_behind_and_is_refilled(make_stand, user):
    stand = make_stand("--outbox-bytes", "20000", kind=Streams)
    stream = stand.stream(user=user, receive_buffer=4096)
    ids = []
    hits = 'notify_limit_hits_total{limit="outbox-bytes"}'
    while stand.daemon.metrics()[hits] == 0:
        assert len(ids) < 3000
        ids += stand.send_many(f"inbox:{user}", 50, "CONTENT", "y" * 5000)
    got, marks = [], []
    while len(got) < len(ids):
        event = stream.next(timeout=30)
        if event.type == "notification":
            got.append(event.json["id"])
            marks.append(event.id)
    assert got == ids
    back = stand.stream(user=user, last_event_id=marks[len(ids) // 2])
    rest = [back.expect("notification").json["id"] for _ in ids[len(ids) // 2 + 1 :]]
    assert rest == ids[len(ids) // 2 + 1 :]


def test_a_client_that_does_not_read_for_too_long_is_ended(make_stand, user):
    stand = make_stand("--slow-client-timeout", "500ms", kind=Streams)
    stream = stand.stream(user=user, receive_buffer=4096)
    stand.send_many(f"inbox:{user}", 400, "CONTENT", "y" * 5000)
    hits = 'notify_limit_hits_total{limit="slow-client-timeout"}'
    wait_until(lambda: stand.daemon.metrics()[hits] > 0, "that it is ended")
    events, _ = stream.until_end()
    got = event_ids(events, f"inbox:{user}")
    at, back = stream.last_event_id, None
    for _ in range(1000):
        if len(got) == 400:
            break
        try:
            back = back or stand.stream(user=user, last_event_id=at)
            got.append(back.expect("notification").json["id"])
            at = back.last_event_id
        except Ended:  # on a busy machine this one reads too slowly, too, be it its greeting
            back = None
    assert got == sorted(set(got), key=number_of) and len(got) == 400


def test_an_entry_larger_than_a_piece_has_its_id(stand, user):
    stream = stand.stream(user=user)
    for size in range(65536, 64000, -8):  # the largest that there may be
        with contextlib.suppress(redis.ResponseError):
            id_ = stand.send(f"inbox:{user}", "big", "CONTENT", "y" * size)
            break
    event = stream.expect("notification")
    assert len(event.data) > 65536
    assert event.json["id"] == id_ and event.id != stream.greeting.id
    back = stand.stream(user=user, last_event_id=event.id)
    assert event_ids(stand.settle(back)) == []
