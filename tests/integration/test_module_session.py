"""NOTIFY.SESSION: commands, limits, leases and what watchers hear."""

import json
import threading
import time

import pytest
import redis

from effects import server_with_aof
from module_helpers import call, check_everywhere, digest, error_of, pairs, raw_error
from resp import Resp
from servers import wait_until

KEY = "sessions:1"
LONG = 3_600_000  # a lease that no test outlives

INTERNAL = "NOTIFY.SESSION|APPLY"
COMMANDS = {
    "NOTIFY.SESSION": set(),
    "NOTIFY.SESSION|OPEN": {"write", "denyoom", "fast"},
    "NOTIFY.SESSION|TOUCH": {"write", "fast"},
    "NOTIFY.SESSION|RENEW": {"write", "fast"},
    "NOTIFY.SESSION|CLOSE": {"write", "fast"},
    "NOTIFY.SESSION|LIST": {"readonly"},
    "NOTIFY.SESSION|COUNT": {"readonly", "fast"},
    "NOTIFY.SESSION|KICK": {"write"},
    "NOTIFY.SESSION|DROPNODE": {"write"},
    "NOTIFY.SESSION|HELP": {"fast", "loading", "stale"},
}


def session(client, subcommand, key, *args):
    return call(client, "NOTIFY.SESSION", subcommand, key, *args)


def open_(client, session_id, connection, *options, key=KEY, lease=LONG):
    return session(client, "OPEN", key, session_id, connection, "LEASE", lease, *options)


def open_error(client, session_id, connection, *options, key=KEY):
    return error_of(client, "NOTIFY.SESSION", "OPEN", key, session_id, connection, *options)


def connections(client, *options, key=KEY):
    return [pairs(one) for one in session(client, "LIST", key, *options)]


def ids(client, *options, key=KEY):
    return [one["connection"] for one in connections(client, *options, key=key)]


def counts(client, key=KEY):
    return session(client, "COUNT", key), session(client, "COUNT", key, "CONNECTIONS")


def now_ms(client):
    seconds, micros = client.time()
    return seconds * 1000 + micros // 1000


def heard(listener):
    """What a watcher hears, in short: (event or kick, session, sessions, connections)."""
    return [
        (m.get("event", m["type"]), m["session_id"], m.get("sessions"), m.get("connections"))
        for m in listener.messages()
    ]


# -- OPEN


def test_open_adds_a_connection_and_open_again_renews_it(client):
    assert open_(client, "s1", "c1") == 1
    assert open_(client, "s1", "c1") == 0
    assert open_(client, "s1", "c2") == 1
    assert open_(client, "s2", "c3") == 1
    assert counts(client) == (2, 3)
    assert client.type(KEY) == "notifyses"


def test_list_tells_everything_about_connections_grouped_by_session(client):
    before = now_ms(client)
    open_(client, "s1", "c1", "NODE", "n1", "ADDR", "10.0.0.1", "META", '{ "a": [1, 2] }')
    open_(client, "s2", "c2")
    open_(client, "sä", "c3")
    open_(client, "s1", "c4")
    first, second, third, fourth = connections(client)
    opened, expires = first.pop("opened_at"), first.pop("expires_at")
    assert before <= opened <= now_ms(client) and expires == opened + LONG
    assert first == {"session": "s1", "connection": "c1", "node": "n1", "addr": "10.0.0.1",
                     "meta": '{"a":[1,2]}'}  # fmt: skip
    assert (second["session"], second["connection"]) == ("s1", "c4")
    assert set(second) == {"session", "connection", "opened_at", "expires_at"}
    assert [third["session"], fourth["session"]] == ["s2", "sä"]
    assert ids(client, "SESSION", "s1") == ["c1", "c4"]
    assert ids(client, "SESSION", "nobody") == []


def test_opening_again_says_everything_anew_but_the_time_of_opening(client):
    open_(client, "s1", "c1", "NODE", "n1", "META", "1")
    opened = connections(client)[0]["opened_at"]
    wait_until(lambda: now_ms(client) > opened)
    open_(client, "s1", "c1", "NODE", "n2")
    (found,) = connections(client)
    assert found["node"] == "n2" and "meta" not in found
    assert found["opened_at"] == opened and found["expires_at"] > opened + LONG


def test_a_connection_belongs_to_one_session(client):
    open_(client, "s1", "c1")
    before = digest(client, KEY)
    assert open_error(client, "s2", "c1", "LEASE", LONG) == "connection belongs to another session"
    assert digest(client, KEY) == before


def test_limits_refuse_and_change_nothing(client):
    assert open_(client, "s1", "c1", "MAXCONN", 2, "MAXSESSIONS", 2) == 1
    assert open_(client, "s1", "c2", "MAXCONN", 2, "MAXSESSIONS", 2) == 1
    assert open_(client, "s2", "d1", "MAXCONN", 2, "MAXSESSIONS", 2) == 1
    before = digest(client, KEY)
    assert open_error(client, "s1", "c3", "LEASE", LONG, "MAXCONN", 2) == (
        "LIMIT too many connections: the session has 2, MAXCONN is 2"
    )
    assert open_error(client, "s1", "c3", "LEASE", LONG, "MAXCONN", 1) == (
        "LIMIT too many connections: the session has 2, MAXCONN is 1"
    )
    assert open_error(client, "s3", "e1", "LEASE", LONG, "MAXSESSIONS", 2) == (
        "LIMIT too many sessions: the set has 2, MAXSESSIONS is 2"
    )
    assert digest(client, KEY) == before
    assert open_(client, "s1", "c2", "MAXCONN", 1, "MAXSESSIONS", 1) == 0, "renewing adds nothing"
    assert open_(client, "s2", "d2", "MAXCONN", 2, "MAXSESSIONS", 1) == 1, "no new session"
    session(client, "CLOSE", KEY, "c1")
    assert open_(client, "s1", "c3", "MAXCONN", 2) == 1


def open_many(client, count, key=KEY):
    with client.pipeline(transaction=False) as pipe:
        for n in range(count):
            pipe.execute_command("NOTIFY.SESSION", "OPEN", key, f"s{n % 50}", f"c{n}", "LEASE", LONG)
        assert pipe.execute() == [1] * count


def test_a_set_holds_as_many_connections_as_the_setting_says(redis_server):
    client = redis_server.client()
    assert client.config_get("notify.session-max-connections") == {"notify.session-max-connections": "1024"}
    for limit in (1024, 1100, 60):
        client.config_set("notify.session-max-connections", limit)
        open_many(client, limit)
        assert open_error(client, "s1", "more", "LEASE", LONG) == (
            f"LIMIT too many connections: a session set holds at most {limit} (notify.session-max-connections)"
        )
        assert open_(client, "s0", "c0") == 0, "renewing is never refused"
        assert counts(client) == (50, limit)
        client.flushall()
    for wrong in (0, 10001):
        with pytest.raises(redis.ResponseError):
            client.config_set("notify.session-max-connections", wrong)


def test_ten_thousand_connections_are_renewed_and_closed_at_once(programs):
    primary = programs.redis(name="primary", appendonly="yes", aof_use_rdb_preamble="no")
    replica = programs.replica(primary)
    client = primary.client()
    client.config_set("notify.session-max-connections", 10000)
    open_many(client, 10000)
    names = [f"c{n}" for n in range(10000)]
    assert session(client, "TOUCH", KEY, "LEASE", LONG, *names) == 10000
    assert error_of(client, "NOTIFY.SESSION", "TOUCH", KEY, "LEASE", LONG, *names, "more") == (
        "there must be at most 10000 connections"
    )
    assert error_of(client, "NOTIFY.SESSION", "CLOSE", KEY, *names, "more") == (
        "there must be at most 10000 connections"
    )
    assert session(client, "CLOSE", KEY, *names[::-2]) == 5000
    assert ids(client)[:3] == ["c0", "c50", "c100"] and counts(client) == (25, 5000)

    def check(one, wanted=digest(client, KEY)):
        assert digest(one, KEY) == wanted

    check_everywhere(check, primary, replica)


def test_limits_hold_for_many_clients_at_once(shared_redis, client):
    """Twenty clients open, close and open again; no answer may ever show more than the limit."""
    limit, wrong, opened = 5, [], []

    def run(number):
        mine = shared_redis.client()
        for n in range(40):
            name = f"c{number}-{n}"
            try:
                open_(mine, "s", name, "MAXCONN", limit)
            except redis.ResponseError as error:
                if not str(error).startswith("LIMIT too many connections"):
                    wrong.append(str(error))
                continue
            opened.append(name)
            found = counts(mine)[1]
            if found > limit:
                wrong.append(found)
            if n % 2 == 0:
                session(mine, "CLOSE", KEY, name)

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == [] and len(opened) >= limit
    assert counts(client)[1] <= limit


@pytest.mark.parametrize(
    "args, error",
    [
        (["s", "c", "NODE", "n"], "syntax error: OPEN needs LEASE ms"),
        (["s", "c", "LEASE"], "wrong number of arguments for 'NOTIFY.SESSION|OPEN' command"),
        (["s", "c", "LEASE", "0"], "LEASE must be an integer from 1 to 86400000, not '0'"),
        (["s", "c", "LEASE", "-1"], "LEASE must be an integer from 1 to 86400000, not '-1'"),
        (["s", "c", "LEASE", "86400001"],
         "LEASE must be an integer from 1 to 86400000, not '86400001'"),
        (["s", "c", "LEASE", "1", "LEASE", "2"], "syntax error: LEASE is given twice"),
        (["s", "c", "LEASE", "1", "WHAT"], "syntax error: unknown option 'WHAT'"),
        (["s", "c", "LEASE", "1", "NODE"], "syntax error: NODE lacks its value"),
        (["", "c", "LEASE", "1"], "session must be 1 to 128 bytes of valid UTF-8"),
        (["s" * 129, "c", "LEASE", "1"], "session must be 1 to 128 bytes of valid UTF-8"),
        ([b"\xff", "c", "LEASE", "1"], "session must be 1 to 128 bytes of valid UTF-8"),
        (["*", "c", "LEASE", "1"], "session must not be '*', which KICK takes for every session"),
        (["s", "", "LEASE", "1"], "connection must be 1 to 128 bytes of valid UTF-8"),
        (["s", "c", "LEASE", "1", "NODE", ""], "NODE must be 1 to 128 bytes of valid UTF-8"),
        (["s", "c", "LEASE", "1", "ADDR", b"\xc3"], "ADDR must be 1 to 128 bytes of valid UTF-8"),
        (["s", "c", "LEASE", "1", "META", "{"], "META must be one JSON value of at most 4096 bytes"),
        (["s", "c", "LEASE", "1", "META", '"' + "x" * 4095 + '"'],
         "META must be one JSON value of at most 4096 bytes"),
        (["s", "c", "LEASE", "1", "MAXCONN", "0"], "MAXCONN must be an integer from 1 to 10000, not '0'"),
        (["s", "c", "LEASE", "1", "MAXSESSIONS", "x"],
         "MAXSESSIONS must be an integer from 1 to 10000, not 'x'"),
    ],
)  # fmt: skip
def test_open_says_what_is_wrong_and_changes_nothing(client, args, error):
    assert error_of(client, "NOTIFY.SESSION", "OPEN", KEY, *args).lower() == error.lower()
    assert client.exists(KEY) == 0


def test_the_key_must_be_utf8(client):
    assert error_of(client, "NOTIFY.SESSION", "OPEN", b"\xff", "s", "c", "LEASE", 1) == (
        "key must be valid UTF-8"
    )


def test_the_longest_texts_are_taken(client):
    name, meta = "ä" * 64, '"' + "x" * 4094 + '"'
    assert open_(client, name, name, "NODE", name, "ADDR", name, "META", meta) == 1
    (found,) = connections(client)
    assert [found[field] for field in ("session", "connection", "node", "addr", "meta")] == (
        [name] * 4 + [meta]
    )


# -- TOUCH, CLOSE, KICK, DROPNODE


def test_touch_renews_and_says_how_many_are_alive(client):
    open_(client, "s1", "c1", lease=60_000)
    open_(client, "s1", "c2", lease=60_000)
    assert session(client, "TOUCH", KEY, "LEASE", LONG, "c1", "nobody") == 1
    found = {one["connection"]: one["expires_at"] - one["opened_at"] for one in connections(client)}
    assert found["c1"] >= LONG and found["c2"] == 60_000
    assert session(client, "TOUCH", KEY, "lease", LONG, "c1", "c2") == 2
    assert session(client, "TOUCH", "sessions:nobody", "LEASE", LONG, "c1") == 0
    assert client.exists("sessions:nobody") == 0


def test_touch_says_what_is_wrong(client):
    open_(client, "s1", "c1")
    before = digest(client, KEY)
    assert error_of(client, "NOTIFY.SESSION", "TOUCH", KEY, "c1", "LEASE", "5") == (
        "syntax error: TOUCH needs LEASE ms before the connections"
    )
    assert error_of(client, "NOTIFY.SESSION", "TOUCH", KEY, "LEASE", "0", "c1") == (
        "LEASE must be an integer from 1 to 86400000, not '0'"
    )
    assert digest(client, KEY) == before


def renew(client, *pairs_, lease=LONG):
    return call(client, "NOTIFY.SESSION", "RENEW", "LEASE", lease, *(word for pair in pairs_ for word in pair))


def test_renew_renews_in_many_sets_and_says_which_are_gone(client):
    for n in range(3):
        open_(client, "s1", f"c{n}", key=f"sessions:{n}", lease=60_000)
    client.set("a string", "x")
    pairs_ = [("sessions:0", "c0"), ("sessions:1", "nobody"), ("nobody", "c1"), ("sessions:2", "c2"), ("a string", "c"), ("sessions:0", "c0")]
    assert renew(client, *pairs_) == [1, 2, 4]
    left = {key: client.pttl(key) for key in ("sessions:0", "sessions:1", "sessions:2")}
    assert left["sessions:0"] > 60_000 and left["sessions:2"] > 60_000 and left["sessions:1"] <= 60_000
    assert client.exists("nobody") == 0 and client.get("a string") == "x"
    assert renew(client, ("sessions:0", "c0")) == []
    many = [(f"sessions:{n}", "c") for n in range(64)]
    assert renew(client, *many) == list(range(64))
    assert error_of(client, "NOTIFY.SESSION", "RENEW", "LEASE", 1, *["k", "c"] * 65) == "there must be at most 64 keys"


def test_renew_says_what_is_wrong_and_then_does_nothing(client):
    open_(client, "s1", "c1", lease=60_000)
    before = digest(client, KEY)
    for words, why in (
        ([KEY, "c1", "LEASE", "5"], "syntax error: RENEW needs LEASE ms before the keys"),
        (["LEASE", "5", KEY, "c1", KEY], "syntax error: each key needs its connection behind it"),
        (["LEASE", "0", KEY, "c1"], "LEASE must be an integer from 1 to 86400000, not '0'"),
    ):
        assert error_of(client, "NOTIFY.SESSION", "RENEW", *words) == why
    assert digest(client, KEY) == before


def test_renew_removes_who_has_passed_and_that_is_published(client, shared_redis, listen):
    listener = listen(shared_redis, KEY)
    open_(client, "s2", "c2")
    open_(client, "s3", "short", lease=30)
    wait_until(lambda: counts(client) == (1, 1), "its lease has passed")
    assert renew(client, (KEY, "c2"), (KEY, "short")) == [1]
    assert ("leave", "s3", 1, 1) in heard(listener)


def test_close_removes_and_says_how_many_there_were(client):
    for n in range(3):
        open_(client, "s1", f"c{n}")
    assert session(client, "CLOSE", KEY, "c0", "nobody", "c2", "c2") == 2
    assert ids(client) == ["c1"]
    assert session(client, "CLOSE", KEY, "c0") == 0
    assert session(client, "CLOSE", KEY, "c1") == 1
    assert client.exists(KEY) == 0, "a set without connections does not exist"
    assert session(client, "CLOSE", KEY, "c1") == 0


def test_kick_removes_a_session_or_all(client):
    for name in ("c1", "c2"):
        open_(client, "s1", name)
    for n in (2, 3):
        open_(client, f"s{n}", f"d{n}")
    assert session(client, "KICK", KEY, "nobody") == 0
    assert session(client, "KICK", KEY, "s1") == 2
    assert ids(client) == ["d2", "d3"]
    assert session(client, "KICK", KEY, "*") == 2
    assert client.exists(KEY) == 0
    assert session(client, "KICK", KEY, "*") == 0
    assert error_of(client, "NOTIFY.SESSION", "KICK", KEY, "") == (
        "session must be 1 to 128 bytes of valid UTF-8"
    )


def test_what_was_kicked_is_not_opened_again_while_its_lease_would_have_lasted(client):
    """Nor is the rest of the set in its way: it was kicked alone, and of that lease only."""
    open_(client, "s1", "kicked", lease=1_000)
    open_(client, "s2", "closed")
    open_(client, "s3", "stays")
    session(client, "KICK", KEY, "s1")
    session(client, "CLOSE", KEY, "closed")
    with pytest.raises(redis.ResponseError, match="^KICKED the connection was kicked while its lease lasted$"):
        open_(client, "s1", "kicked", "AGAIN")
    assert ids(client) == ["stays"]
    assert open_(client, "s2", "closed", "AGAIN") == 1
    assert open_(client, "s3", "stays", "AGAIN") == 0
    assert open_(client, "s1", "another", "AGAIN") == 1
    assert session(client, "OPEN", KEY + ":other", "s1", "kicked", "LEASE", LONG, "AGAIN") == 1
    wait_until(lambda: is_opened(client, "kicked"), "its lease has passed")


def is_opened(client, connection):
    try:
        return open_(client, "s1", connection, "AGAIN") == 1
    except redis.ResponseError:
        return False


def test_who_does_not_say_again_opens_what_was_kicked(client):
    open_(client, "s1", "c1")
    session(client, "KICK", KEY, "*")
    assert open_(client, "s1", "c1") == 1
    assert open_(client, "s1", "c1", "AGAIN") == 0, "it is there: that only renews it"


def test_dropnode_removes_what_a_node_held(client):
    open_(client, "s1", "c1", "NODE", "n1")
    open_(client, "s1", "c2", "NODE", "n2")
    open_(client, "s2", "c3", "NODE", "n1")
    open_(client, "s3", "c4")
    assert session(client, "DROPNODE", KEY, "nobody") == 0
    assert session(client, "DROPNODE", KEY, "n1") == 2
    assert ids(client) == ["c2", "c4"]
    assert error_of(client, "NOTIFY.SESSION", "DROPNODE", KEY, "") == (
        "node must be 1 to 128 bytes of valid UTF-8"
    )


def test_commands_refuse_other_types_and_are_refused_by_others(client):
    client.set("string", "x")
    call(client, "NOTIFY.SEND", "inbox:1", "t")
    open_(client, "s", "c")
    for key in ("string", "inbox:1"):
        for words in (["OPEN", key, "s", "c", "LEASE", "1"], ["TOUCH", key, "LEASE", "1", "c"],
                      ["CLOSE", key, "c"], ["LIST", key], ["COUNT", key], ["KICK", key, "*"],
                      ["DROPNODE", key, "n"]):  # fmt: skip
            assert error_of(client, "NOTIFY.SESSION", *words).startswith("WRONGTYPE"), words
    assert error_of(client, "NOTIFY.SEND", KEY, "t").startswith("WRONGTYPE")
    assert error_of(client, "NOTIFY.LEN", KEY).startswith("WRONGTYPE")


def test_a_missing_set_has_nobody(client):
    assert connections(client) == [] and counts(client) == (0, 0)


# -- leases


def test_a_connection_is_gone_when_its_lease_has_passed(client):
    open_(client, "s1", "short", lease=60)
    open_(client, "s1", "long")
    open_(client, "s2", "other", lease=60)
    wait_until(lambda: counts(client) == (1, 1))
    assert ids(client) == ["long"]
    assert session(client, "TOUCH", KEY, "LEASE", LONG, "short", "other") == 0
    assert session(client, "CLOSE", KEY, "short") == 0
    assert open_(client, "s2", "other") == 1, "it is a new one"
    assert ids(client) == ["long", "other"]


def test_an_expired_connection_takes_no_place_and_no_name(client):
    open_(client, "s1", "long")
    open_(client, "s1", "short", lease=500)
    open_(client, "s2", "moves", lease=500)
    assert open_error(client, "s1", "more", "LEASE", LONG, "MAXCONN", 2).startswith("LIMIT")
    wait_until(lambda: counts(client) == (1, 1))
    assert open_(client, "s1", "more", "MAXCONN", 2, "MAXSESSIONS", 1) == 1
    assert open_(client, "s1", "moves") == 1, "it belonged to a session that is over"


def test_the_key_lives_as_long_as_the_longest_lease(client):
    def left():
        return client.pttl(KEY)

    open_(client, "s1", "c1", lease=500_000)
    assert 490_000 < left() <= 500_000
    open_(client, "s1", "c2", lease=900_000)
    assert 890_000 < left() <= 900_000
    session(client, "TOUCH", KEY, "LEASE", 100_000, "c2")
    assert 490_000 < left() <= 500_000
    session(client, "CLOSE", KEY, "c1")
    assert 90_000 < left() <= 100_000
    session(client, "TOUCH", KEY, "LEASE", 30, "c2")
    wait_until(lambda: client.exists(KEY) == 0)
    assert open_(client, "s1", "c2") == 1


# -- messages


def test_presence_is_told_with_the_first_and_the_last_connection_only(shared_redis, client, listen):
    listener = listen(shared_redis, KEY)
    open_(client, "s1", "c1")
    open_(client, "s1", "c2")
    open_(client, "s1", "c2")
    open_(client, "s2", "c3")
    assert heard(listener) == [("join", "s1", 1, 1), ("join", "s2", 2, 3)]
    session(client, "TOUCH", KEY, "LEASE", LONG, "c1")
    session(client, "CLOSE", KEY, "c1")
    session(client, "CLOSE", KEY, "nobody")
    assert heard(listener) == []
    session(client, "CLOSE", KEY, "c2", "c3")
    assert heard(listener) == [("leave", "s1", 0, 0), ("leave", "s2", 0, 0)]


def test_a_kick_is_told_and_then_who_has_left(shared_redis, client, listen):
    listener = listen(shared_redis, KEY)
    for name in ("a", "b", "c"):
        open_(client, name, name + "1")
        open_(client, name, name + "2")
    listener.raw()
    session(client, "KICK", KEY, "b")
    assert heard(listener) == [("kick", "b", None, None), ("leave", "b", 2, 4)]
    session(client, "KICK", KEY, "nobody")
    assert heard(listener) == []
    session(client, "KICK", KEY, "*")
    assert heard(listener) == [("kick", "a", None, None), ("kick", "c", None, None),
                               ("leave", "a", 0, 0), ("leave", "c", 0, 0)]  # fmt: skip


def test_who_leaves_with_a_node_is_told(shared_redis, client, listen):
    open_(client, "s1", "c1", "NODE", "n1")
    open_(client, "s2", "c2", "NODE", "n1")
    open_(client, "s2", "c3", "NODE", "n2")
    listener = listen(shared_redis, KEY)
    session(client, "DROPNODE", KEY, "n1")
    assert heard(listener) == [("leave", "s1", 1, 1)]


@pytest.mark.parametrize(
    "words, more",
    [
        (["TOUCH", KEY, "LEASE", LONG, "nobody"], []),
        (["TOUCH", KEY, "LEASE", LONG, "long"], []),
        (["CLOSE", KEY, "nobody"], []),
        (["KICK", KEY, "over"], []),
        (["DROPNODE", KEY, "nobody"], []),
        (["OPEN", KEY, "here", "second", "LEASE", LONG], []),
        (["OPEN", KEY, "new", "third", "LEASE", LONG], [("join", "new", 2, 2)]),
        (["OPEN", KEY, "over", "short", "LEASE", LONG], [("join", "over", 2, 2)]),
        (["OPEN", KEY, "over", "other", "LEASE", LONG], [("join", "over", 2, 2)]),
    ],
)
def test_any_write_tells_once_of_those_whose_lease_has_passed(
    shared_redis, client, listen, words, more
):
    open_(client, "here", "long")
    open_(client, "over", "short", lease=20)
    wait_until(lambda: counts(client) == (1, 1))
    listener = listen(shared_redis, KEY)
    call(client, "NOTIFY.SESSION", *words)
    told = heard(listener)
    total = counts(client)
    assert told == [("leave", "over", *total)] + more
    session(client, "CLOSE", KEY, "nobody")
    assert heard(listener) == []


def test_a_refused_open_sweeps_and_tells_nothing(shared_redis, client, listen):
    open_(client, "here", "long")
    open_(client, "over", "short", lease=20)
    wait_until(lambda: counts(client) == (1, 1))
    before = digest(client, KEY)
    listener = listen(shared_redis, KEY)
    assert open_error(client, "here", "more", "LEASE", LONG, "MAXCONN", 1).startswith("LIMIT")
    assert heard(listener) == [] and digest(client, KEY) == before


def test_messages_have_the_documented_form(shared_redis, client, listen):
    listener = listen(shared_redis, KEY)
    open_(client, 'a "session"', "c1")
    session(client, "KICK", KEY, "*")
    texts = [data for _, data in listener.raw()]
    rev = json.loads(texts[0])["rev"]
    quoted = '"session_id":"a \\"session\\""'
    assert texts == [
        f'{{"type":"presence","key":"{KEY}","rev":{rev},"event":"join",{quoted},'
        '"sessions":1,"connections":1}',
        f'{{"type":"kick","key":"{KEY}","rev":{rev + 1},{quoted}}}',
        f'{{"type":"presence","key":"{KEY}","rev":{rev + 1},"event":"leave",{quoted},'
        '"sessions":0,"connections":0}',
    ]


def test_the_revision_never_goes_back_even_if_the_set_was_gone(shared_redis, client, listen):
    listener = listen(shared_redis, KEY)
    with client.pipeline() as pipe:  # so that much of it happens in one millisecond
        for _ in range(100):
            pipe.execute_command("NOTIFY.SESSION", "OPEN", KEY, "s", "c", "LEASE", LONG)
            pipe.execute_command("NOTIFY.SESSION", "CLOSE", KEY, "c")
        pipe.execute()
    revs = [message["rev"] for message in listener.messages()]
    assert revs == sorted(set(revs)) and len(revs) == 200


def test_the_greatest_revision_stays_the_greatest(programs, listen):
    greatest = 2**64 - 1
    put = ("PUT", "a", "c1", int(time.time() * 1000) + LONG, 1, "", "", "")
    server = server_with_aof(programs, [["NOTIFY.SESSION", "APPLY", KEY, greatest, *put]]).start()
    listener = listen(server, KEY)
    call(server.client(), "NOTIFY.SESSION", "OPEN", KEY, "b", "c2", "LEASE", 60000)
    assert [message["rev"] for message in listener.messages()] == [greatest]


def test_in_a_transaction_and_in_a_script_everything_is_told_once(shared_redis, client, listen):
    listener = listen(shared_redis, KEY)
    with client.pipeline() as pipe:
        pipe.multi()
        pipe.execute_command("NOTIFY.SESSION", "OPEN", KEY, "s1", "c1", "LEASE", LONG)
        pipe.execute_command("NOTIFY.SESSION", "OPEN", KEY, "s2", "c2", "LEASE", LONG)
        pipe.execute_command("NOTIFY.SESSION", "COUNT", KEY)
        pipe.execute_command("NOTIFY.SESSION", "CLOSE", KEY, "c1")
        assert pipe.execute() == [1, 1, 2, 1]
    assert heard(listener) == [("join", "s1", 1, 1), ("join", "s2", 2, 2), ("leave", "s1", 1, 1)]
    script = "return redis.call('NOTIFY.SESSION', 'KICK', KEYS[1], 's2')"
    assert client.eval(script, 1, KEY) == 1
    assert heard(listener) == [("kick", "s2", None, None), ("leave", "s2", 0, 0)]
    with pytest.raises(redis.ResponseError):
        client.execute_command("EVAL_RO", script, 1, KEY)
    assert client.execute_command(
        "EVAL_RO", "return redis.call('NOTIFY.SESSION', 'COUNT', KEYS[1])", 1, KEY
    ) == 0


def test_a_subscriber_of_its_own_channel_gets_reply_and_push(shared_redis):
    with Resp(shared_redis.port, protocol=3) as resp3:
        resp3.send("SUBSCRIBE", KEY)
        assert resp3.read_push()[0] == "subscribe"
        assert resp3.call("NOTIFY.SESSION", "OPEN", KEY, "s", "c", "LEASE", LONG) == 1
        assert resp3.read_push()[:2] == ["message", KEY]
        (found,) = resp3.call("NOTIFY.SESSION", "LIST", KEY)
        assert found["session"] == "s", "a map on RESP3"


def test_nothing_is_published_when_publishing_is_off(redis_server, listen):
    client = redis_server.client()
    listener = listen(redis_server, KEY)
    client.config_set("notify.publish", "off")
    open_(client, "s", "c")
    session(client, "KICK", KEY, "s")
    assert heard(listener) == []


# -- permissions, limits of the server, metadata


WRITES = [
    ["OPEN", KEY, "s1", "c9", "LEASE", "1000"],
    ["TOUCH", KEY, "LEASE", "1000", "c1"],
    ["RENEW", "LEASE", "1000", KEY, "c1"],
    ["DROPNODE", KEY, "n1"],
    ["CLOSE", KEY, "c1"],
    ["KICK", KEY, "*"],
]
READS = [["LIST", KEY], ["COUNT", KEY], ["COUNT", KEY, "CONNECTIONS"]]


def test_a_user_without_the_channel_changes_nothing(shared_redis, client, limited, listen):
    open_(client, "s1", "c1", "NODE", "n1")
    before = digest(client, KEY)
    listener = listen(shared_redis, KEY)
    user = limited("+@all", "~*", "resetchannels", "&topic:*")
    for words in WRITES:
        assert raw_error(user, "NOTIFY.SESSION", *words).startswith("NOPERM"), words
    assert digest(client, KEY) == before and heard(listener) == []
    for words in READS:
        user.call("NOTIFY.SESSION", *words)


def test_key_permissions_and_single_subcommands_are_respected(client, limited):
    open_(client, "s1", "c1", "NODE", "n1")
    user = limited("+@all", "~other:*", "allchannels")
    for words in WRITES + READS:
        assert raw_error(user, "NOTIFY.SESSION", *words).startswith("NOPERM"), words
    reader = limited("+@all", "%R~*", "allchannels")
    for words in READS:
        reader.call("NOTIFY.SESSION", *words)
    for words in WRITES:
        assert raw_error(reader, "NOTIFY.SESSION", *words).startswith("NOPERM"), words
    counter = limited("+notify.session|count", "~*")
    assert counter.call("NOTIFY.SESSION", "COUNT", KEY) == 1
    assert raw_error(counter, "NOTIFY.SESSION", "LIST", KEY).startswith("NOPERM")
    granted = limited("+notify.session", "~*", "allchannels")
    assert granted.call("NOTIFY.SESSION", "KICK", KEY, "*") == 1


def test_without_memory_one_can_still_touch_and_close(redis_server):
    client = redis_server.client()
    open_(client, "s1", "c1")
    client.config_set("maxmemory", "100kb")
    client.config_set("maxmemory-policy", "noeviction")
    error = open_error(client, "s1", "c2", "LEASE", LONG)
    assert "OOM" in error or "maxmemory" in error
    assert session(client, "TOUCH", KEY, "LEASE", LONG, "c1") == 1
    assert session(client, "CLOSE", KEY, "c1") == 1


def test_keyspace_events_tell_what_was_done(redis_server):
    client = redis_server.client()
    client.config_set("notify-keyspace-events", "KAdg")
    watcher = redis_server.client().pubsub()
    watcher.subscribe(f"__keyspace@0__:{KEY}", "end")
    for _ in range(2):
        watcher.parse_response(block=True)
    open_(client, "s1", "c1")
    session(client, "TOUCH", KEY, "LEASE", LONG // 2, "c1")
    session(client, "TOUCH", KEY, "LEASE", LONG, "nobody")
    open_error(client, "s1", "c2", "LEASE", LONG, "MAXCONN", 1)
    session(client, "CLOSE", KEY, "c1")
    client.publish("end", "")
    events = []
    while True:
        _, channel, data = watcher.parse_response(block=True)
        if channel == "end":
            break
        events.append(data)
    assert events == ["notify.session.open", "notify.session.touch", "notify.session.close", "del"]


def test_watch_notices_a_change_and_only_a_change(shared_redis, client):
    open_(client, "s1", "c1")
    for words, is_change in ((["CLOSE", KEY, "nobody"], False), (["CLOSE", KEY, "c1"], True)):
        with client.pipeline() as pipe:
            pipe.watch(KEY)
            call(shared_redis.client(), "NOTIFY.SESSION", *words)
            pipe.multi()
            pipe.ping()
            if is_change:
                with pytest.raises(redis.WatchError):
                    pipe.execute()
            else:
                assert pipe.execute() == [True]


def test_info_counts_sessions(redis_server):
    client = redis_server.client()
    open_(client, "s1", "c1")
    open_(client, "s1", "c2")
    open_(client, "s2", "c3", lease=20)
    open_error(client, "s1", "c4", "LEASE", LONG, "MAXCONN", 1)
    wait_until(lambda: counts(client) == (1, 2))
    session(client, "CLOSE", KEY, "c1", "c2")
    about = client.info("notify")
    assert {name: about[f"notify_{name}"] for name in (
        "sessions_opened", "sessions_expired", "session_opens_refused", "publishes")} == {
        "sessions_opened": 2, "sessions_expired": 1, "session_opens_refused": 1, "publishes": 4,
    }  # fmt: skip


def test_command_info_and_docs_are_complete(resp):
    names = {name.upper() for name in resp.call("COMMAND", "LIST", "FILTERBY", "MODULE", "notify")}
    # Redis 8 keeps what is internal to itself.
    assert {name for name in names if name.split("|")[0] == "NOTIFY.SESSION"} - {INTERNAL} == set(COMMANDS)
    reply = resp.call("COMMAND", "INFO", *COMMANDS)
    flags = {one[0].upper(): set(one[2]) - {"module", "movablekeys"} for one in reply}
    assert flags == COMMANDS
    docs = {name.upper(): doc for name, doc in resp.call("COMMAND", "DOCS", *COMMANDS).items()}
    for name in COMMANDS:
        assert docs[name]["summary"].endswith("."), name
        assert docs[name]["since"] == "0.1.0" and docs[name]["complexity"].startswith("O("), name
        if name not in ("NOTIFY.SESSION", "NOTIFY.SESSION|HELP", "NOTIFY.SESSION|RENEW"):
            assert docs[name]["arguments"][0]["name"] == "key", name
    tokens = {one.get("token") for one in docs["NOTIFY.SESSION|OPEN"]["arguments"]}
    assert tokens == {None, "LEASE", "NODE", "ADDR", "META", "MAXCONN", "MAXSESSIONS", "AGAIN"}


@pytest.mark.parametrize(
    "words, flags",
    [
        (["OPEN", "k", "s", "c", "LEASE", "1"], {"RW", "insert"}),
        (["TOUCH", "k", "LEASE", "1", "c"], {"RW", "update"}),
        (["RENEW", "LEASE", "1", "k", "c"], {"RW", "update"}),
        (["CLOSE", "k", "c"], {"RW", "delete"}),
        (["KICK", "k", "*"], {"RW", "delete"}),
        (["DROPNODE", "k", "n"], {"RW", "delete"}),
        (["LIST", "k"], {"RO", "access"}),
        (["COUNT", "k"], {"RO", "access"}),
    ],
)
def test_command_getkeys(resp, words, flags):
    assert resp.call("COMMAND", "GETKEYS", "NOTIFY.SESSION", *words) == ["k"]
    ((key, found),) = resp.call("COMMAND", "GETKEYSANDFLAGS", "NOTIFY.SESSION", *words)
    assert key == "k" and flags <= set(found)


def test_help_names_every_subcommand_and_unknown_ones_are_refused(client):
    text = "\n".join(call(client, "NOTIFY.SESSION", "HELP"))
    for name in COMMANDS:
        subcommand = name.partition("|")[2]
        assert subcommand in text
    assert "unknown subcommand" in error_of(client, "NOTIFY.SESSION", "WHAT", KEY)
    assert "wrong number of arguments" in error_of(client, "NOTIFY.SESSION")
