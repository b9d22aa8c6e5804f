"""Expiry: an expired entry is gone for every command from its instant on, is taken out by the next write,
and a key of which nothing lives on goes by itself."""

import json
import time

import pytest

from module_helpers import (
    badge, call, check_everywhere, digest, dump, entries, error_of, ids, info, pairs, verify,
)  # fmt: skip
from resp import Resp
from servers import at_some_pace, wait_until

KEY = "inbox:1"
FAR = 253402300799999


def now_ms(client):
    seconds, micros = client.time()
    return seconds * 1000 + micros // 1000


def pass_by(client, at_ms):
    """Waits for the server's clock to be there."""
    while now_ms(client) < at_ms:
        time.sleep(0.001)


# The clock stands still in it, so that none of them comes too late.
SHORT = """
local now, ids = redis.call('TIME'), {}
local at = string.format('%d', now[1] * 1000 + math.floor(now[2] / 1000) + ARGV[1])
for n = 1, tonumber(ARGV[2]) do
    ids[n] = redis.call('NOTIFY.SEND', KEYS[1], 'short', 'PXAT', at, unpack(ARGV, 3))
end
return {at, ids}
"""


def send_many_short(client, count, lifetime_ms, *options, key=KEY):
    """Sends entries that expire soon, together; returns their ids and the instant."""
    at, ids = client.eval(SHORT, 1, key, lifetime_ms, count, *options)
    return ids, int(at)


def send_short(client, key=KEY, lifetime_ms=50, *options):
    (id_,), at = send_many_short(client, 1, lifetime_ms, *options, key=key)
    return id_, at


def counts(client, key=KEY):
    """What every counting command says; they must agree."""
    about, shown = info(client, key), badge(client, key)
    unread = call(client, "NOTIFY.UNREAD", key)
    assert shown["unread"] == about["unread"] == unread
    assert call(client, "NOTIFY.LEN", key) == about["length"]
    assert shown["unseen"] == about["unseen"]
    return about["length"], unread


@pytest.mark.parametrize(
    "option, value, expected_s",
    [("EX", "100", 100), ("PX", "100000", 100), ("EXAT", None, 100), ("PXAT", None, 100)],
)
@pytest.mark.parametrize("command", ["NOTIFY.SEND", "NOTIFY.EVENT"])
def test_the_four_ways_to_say_when(client, listen, shared_redis, command, option, value, expected_s):
    listener = listen(shared_redis, KEY)
    before = now_ms(client)
    if option == "EXAT":
        value = (before + 100000) // 1000
    if option == "PXAT":
        value = before + 100000
    call(client, command, KEY, "subject", option, value)
    ((_, fields),) = entries(call(client, "NOTIFY.RANGE", KEY, "-", "+"))
    assert abs(fields["expires_at"] - (before + expected_s * 1000)) <= 1000
    (message,) = listener.messages()
    if command == "NOTIFY.SEND":
        shown = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(fields["expires_at"] // 1000))
        assert message["data"]["expires_at"].startswith(shown)


@pytest.mark.parametrize("option", ["EX", "PX", "EXAT", "PXAT"])
@pytest.mark.parametrize(
    "value", ["0", "-1", "", "soon", "1.5", "9223372036854775807", "18446744073709551616", str(FAR + 1)]
)
def test_a_time_that_cannot_be_is_refused(client, option, value):
    error = error_of(client, "NOTIFY.SEND", KEY, "t", option, value)
    start = f"invalid expire time in 'NOTIFY.SEND' command: {option} must be an integer from 1 to "
    assert error.startswith(start)
    assert client.exists(KEY) == 0


@pytest.mark.parametrize("option, value", [("EXAT", 1), ("PXAT", 1), ("PXAT", "now")])
def test_a_time_that_has_passed_is_refused(client, option, value):
    value = now_ms(client) if value == "now" else value
    assert (
        error_of(client, "NOTIFY.EVENT", KEY, "e", option, value)
        == f"invalid expire time in 'NOTIFY.EVENT' command: {option} must lie in the future"
    )
    assert client.exists(KEY) == 0


def test_an_expired_entry_is_gone_for_every_reading_command(client):
    first = call(client, "NOTIFY.SEND", KEY, "stays", "CATEGORY", "ci")

    def send_and_count(lifetime_s):
        short, at = send_short(client, KEY, int(lifetime_s * 1000), "CATEGORY", "ci", "LEVEL", "error")
        assert counts(client) == (2, 2)
        return short, at

    short, at = at_some_pace(send_and_count, 0.3)
    pass_by(client, at)
    assert counts(client) == (1, 1)
    assert call(client, "NOTIFY.UNREAD", KEY, "CATEGORY", "ci") == 1
    shown = badge(client, KEY)
    assert shown["by_category"] == {"ci": 1} and shown["max_level"] == "info"
    assert shown["last"] == short  # the box goes on from there
    assert call(client, "NOTIFY.GET", KEY, short) == [None]
    for state in ("UNREAD", "UNSEEN", "ALL"):
        assert ids(call(client, "NOTIFY.RANGE", KEY, "-", "+", state)) == [first]
        assert ids(call(client, "NOTIFY.REVRANGE", KEY, "+", "-", state)) == [first]
    (since,) = call(client, "NOTIFY.SINCE", KEY, "0")
    since = dict(zip(since[::2], since[1::2]))
    assert [json.loads(one)["id"] for one in since["entries"]] == [first]
    assert (since["gap"], since["unread"], since["last"]) == (0, 1, short)
    assert call(client, "NOTIFY.COUNT", KEY, "-", "+") == 1
    assert verify(client, KEY)["length"] == [2, 2]  # it still lies there


def test_an_expired_entry_is_gone_for_every_writing_command(client):
    call(client, "NOTIFY.SEND", KEY, "stays")
    short, at = send_short(client)
    pass_by(client, at)
    assert call(client, "NOTIFY.READ", KEY, short) == 0
    for state in ("READ", "SEEN", "ARCHIVED"):
        assert call(client, "NOTIFY.MARK", KEY, state, short) == 0
    assert call(client, "NOTIFY.DEL", KEY, short) == 0
    assert call(client, "NOTIFY.READALL", KEY) == 1


@pytest.mark.parametrize(
    "command",
    [
        ["NOTIFY.SEND", KEY, "t"], ["NOTIFY.EVENT", KEY, "e"], ["NOTIFY.READ", KEY, "1-1"],
        ["NOTIFY.MARK", KEY, "SEEN", "1-1"], ["NOTIFY.READALL", KEY], ["NOTIFY.SEEN", KEY],
        ["NOTIFY.DEL", KEY, "1-1"], ["NOTIFY.TRIM", KEY, "MAXLEN", "100"], ["NOTIFY.MUTE", KEY, "c"],
        ["NOTIFY.UNMUTE", KEY, "c"], ["NOTIFY.SENDMANY", "1", KEY, "t"],
    ],
)  # fmt: skip
def test_the_next_write_takes_expired_entries_out(client, command):
    call(client, "NOTIFY.SEND", KEY, "stays")
    _, at = send_short(client)
    pass_by(client, at)
    call(client, *command)
    audit = verify(client, KEY)
    assert audit["length"] == [1 + (command[0] in ("NOTIFY.SEND", "NOTIFY.EVENT", "NOTIFY.SENDMANY"))] * 2
    assert audit["min_expire_ms"] == [0, 0]


def test_a_sweep_is_told_to_nobody_but_replicas(programs, listen):
    primary = programs.redis(name="primary", appendonly="yes")
    replica = programs.replica(primary)
    client, second = primary.client(), replica.client()
    listener = listen(primary, KEY, "__keyevent@0__:notify.expired")
    client.config_set("notify-keyspace-events", "Ed")
    call(client, "NOTIFY.SEND", KEY, "stays")
    _, at = send_many_short(client, 1500, 50, "MAXLEN", 5000)
    replica.wait_synced()
    pass_by(client, at)
    assert call(second, "NOTIFY.LEN", KEY) == 1  # hidden there ...
    assert verify(second, KEY)["length"] == [1501, 1501]  # ... and not deleted
    second.config_set("replica-read-only", "no")
    assert call(second, "NOTIFY.READ", KEY, "1-1") == 0
    assert verify(second, KEY)["length"] == [1501, 1501]  # ... not even by a write there
    rev = info(client, KEY)["rev"]
    listener.raw()
    assert call(client, "NOTIFY.READ", KEY, "1-1") == 0
    assert listener.raw() == [("__keyevent@0__:notify.expired", KEY)]
    assert info(client, KEY)["rev"] == rev
    assert verify(client, KEY)["length"] == [1245, 1245]  # a bounded number at a time
    replica.wait_synced()
    assert digest(second, KEY) == digest(client, KEY)
    assert call(client, "NOTIFY.READALL", KEY) == 1
    assert verify(client, KEY)["length"] == [989, 989]
    replica.wait_synced()
    assert digest(second, KEY) == digest(client, KEY), "what has expired is marked here and there"
    client.execute_command("DEBUG", "LOADAOF")
    assert digest(second, KEY) == digest(client, KEY)


@pytest.mark.parametrize("backlog", [100, 1500])
def test_what_has_expired_and_is_stored_still_takes_no_place_and_leaves_no_gap(programs, backlog):
    primary = programs.redis(name="primary", appendonly="yes")
    replica = programs.replica(primary)
    client = primary.client()
    first = call(client, "NOTIFY.SEND", KEY, "first", "MAXLEN", 5000)
    _, at = send_many_short(client, backlog, 50, "MAXLEN", 5000)
    pass_by(client, at)
    kept = [first] + [call(client, "NOTIFY.SEND", KEY, f"new {n}", "MAXLEN", 4) for n in range(3)]
    assert ids(call(client, "NOTIFY.RANGE", KEY, "-", "+")) == kept
    assert info(client, KEY)["trimmed"] == "0-0", "nothing visible had to go"
    replica.wait_synced()
    assert digest(replica.client(), KEY) == digest(client, KEY)
    for count in (2, 1):
        kept.append(call(client, "NOTIFY.SEND", KEY, "newest", "MAXLEN", count))
        kept, gone = kept[-count:], kept[:-count]
        assert ids(call(client, "NOTIFY.RANGE", KEY, "-", "+")) == kept
        assert info(client, KEY)["trimmed"] == gone[-1], "the last that could be seen"
    replica.wait_synced()
    assert digest(replica.client(), KEY) == digest(client, KEY)
    client.execute_command("DEBUG", "LOADAOF")
    assert digest(replica.client(), KEY) == digest(client, KEY)


def test_a_trim_counts_only_what_can_be_seen(programs):
    primary = programs.redis(name="primary")
    replica = programs.replica(primary)
    client = primary.client()
    sent = [call(client, "NOTIFY.SEND", KEY, "a", "MAXLEN", 5000)]
    short, at = send_many_short(client, 1500, 50, "MAXLEN", 5000)
    sent += [call(client, "NOTIFY.SEND", KEY, "b", "MAXLEN", 5000) for _ in range(3)]
    pass_by(client, at)
    assert call(client, "NOTIFY.TRIM", KEY, "MINID", sent[0]) == 0
    assert call(client, "NOTIFY.TRIM", KEY, "MAXLEN", 4) == 0
    assert info(client, KEY)["trimmed"] == "0-0"
    assert call(client, "NOTIFY.TRIM", KEY, "MINID", short[700]) == 1
    assert info(client, KEY)["trimmed"] == sent[0]
    assert call(client, "NOTIFY.TRIM", KEY, "MAXLEN", 1) == 2
    assert ids(call(client, "NOTIFY.RANGE", KEY, "-", "+")) == sent[-1:]
    replica.wait_synced()
    assert digest(replica.client(), KEY) == digest(client, KEY)
    assert verify(client, KEY)["length"] == [1, 1]


def test_expired_entries_are_no_gap_when_a_send_trims(client):
    settings = call(client, "NOTIFY.MUTE", KEY, "c")  # else the key would go with them, and nothing be seen of a gap
    assert settings == 1
    _, at = send_many_short(client, 200, 50)
    pass_by(client, at)
    call(client, "NOTIFY.SEND", KEY, "t", "MAXLEN", "5")
    assert info(client, KEY)["trimmed"] == "0-0"
    assert counts(client) == (1, 1)


def test_a_watching_client_notices_a_sweep(shared_redis, client):
    call(client, "NOTIFY.SEND", KEY, "stays")
    _, at = send_short(client)
    pass_by(client, at)
    with shared_redis.client().pipeline() as pipe:
        pipe.watch(KEY)
        call(client, "NOTIFY.READ", KEY, "1-1")
        pipe.multi()
        pipe.ping()
        with pytest.raises(Exception, match="(?i)watch"):
            pipe.execute()


# ---- when to ask again


def next_expiry(client, key=KEY):
    """As BADGE, SINCE and a log's share of a badge say it; they must agree."""
    (since,) = call(client, "NOTIFY.SINCE", key, "$")
    other = pairs(pairs(call(client, "NOTIFY.BADGE", "inbox:other", "LOGS", 1, key))["logs"])[key]
    found = {badge(client, key)["next_expiry"], pairs(since)["next_expiry"], pairs(other)["next_expiry"]}
    assert len(found) == 1
    return found.pop()


def test_badge_and_since_tell_when_to_ask_again(client):
    assert next_expiry(client) == 0
    call(client, "NOTIFY.SEND", KEY, "stays")
    assert next_expiry(client) == 0
    _, late = send_short(client, KEY, 600000)

    def send_and_ask(lifetime_s):
        _, early = send_short(client, KEY, int(lifetime_s * 1000))
        assert next_expiry(client) == early
        return early

    early = at_some_pace(send_and_ask, 0.1)
    pass_by(client, early)
    assert next_expiry(client) == late  # though nobody has taken the other one out
    assert call(client, "NOTIFY.UNREAD", KEY) == 2


MANY = """
for n = 0, 2999 do
    local at = string.format('%d', ARGV[1] + n % 300)
    redis.call('NOTIFY.SEND', KEYS[1], 't', 'PXAT', at, 'MAXLEN', 10000)
end
"""


def test_whoever_asks_when_told_misses_nothing_in_a_large_box(client):
    client.eval(MANY, 1, KEY, now_ms(client) + 500)  # in which the clock stands still
    at, asked = badge(client, KEY)["next_expiry"], 0
    while at:
        pass_by(client, at)
        about = badge(client, KEY)
        at = about["next_expiry"]
        asked += 1
        assert (at == 0) == (about["unread"] == 0)
    assert asked <= 300


# ---- the clock


def test_the_clock_stands_still_in_a_transaction_as_it_does_for_keys(shared_redis):
    with Resp(shared_redis.port) as resp:
        for command in (["MULTI"], ["SET", "k", "v", "PX", 20], ["NOTIFY.SEND", KEY, "t", "PX", 20],
                        ["DEBUG", "SLEEP", "0.05"], ["EXISTS", "k"], ["NOTIFY.UNREAD", KEY],
                        ["NOTIFY.SEND", KEY, "t"], ["NOTIFY.SESSION", "OPEN", "s", "a", "c", "LEASE", 10],
                        ["DEBUG", "SLEEP", "0.05"], ["NOTIFY.SESSION", "COUNT", "s"]):  # fmt: skip
            resp.call(*command)
        _, first, _, exists, unread, second, _, _, sessions = resp.call("EXEC")
        assert (exists, unread, sessions) == (1, 1, 1)
        assert second.split("-")[0] == first.split("-")[0]
        assert resp.call("NOTIFY.UNREAD", KEY) == 1  # and goes on behind it
        assert resp.call("NOTIFY.SESSION", "COUNT", "s") == 0
        third = resp.call("NOTIFY.SEND", KEY, "t")
        assert int(third.split("-")[0]) >= int(first.split("-")[0]) + 100


LONG = """
local first = redis.call('NOTIFY.SEND', KEYS[1], 't', 'PX', 5)
local x = 0
for i = 1, 3000000 do x = x + i end
return {redis.call('NOTIFY.UNREAD', KEYS[1]), redis.call('NOTIFY.SEND', KEYS[1], 't'), first}
"""


def test_the_clock_stands_still_in_a_script(client):
    unread, second, first = client.eval(LONG, 1, KEY)
    assert unread == 1
    assert second.split("-")[0] == first.split("-")[0]
    assert call(client, "NOTIFY.UNREAD", KEY) == 1
    unread, third, _ = client.eval(LONG, 1, "inbox:2")
    assert third > second


# ---- the key


def end_of(client, key=KEY):
    """The instant at which the key expires; -1: never."""
    return client.execute_command("PEXPIRETIME", key)


def test_a_key_of_which_nothing_lives_on_expires_with_its_last_entry(client):
    call(client, "NOTIFY.EVENT", KEY, "e", "PXAT", FAR - 5)
    assert end_of(client) == FAR - 5
    call(client, "NOTIFY.EVENT", KEY, "e", "PXAT", FAR - 10)
    assert end_of(client) == FAR - 5
    call(client, "NOTIFY.EVENT", KEY, "e", "PXAT", FAR)
    assert end_of(client) == FAR
    call(client, "NOTIFY.DEL", KEY, info(client, KEY)["last"])
    assert end_of(client) == FAR  # it is not brought forward
    call(client, "NOTIFY.SEND", KEY, "stays")
    assert end_of(client) == -1


def test_the_key_really_goes(client):
    def send_and_look(lifetime_s):
        _, at = send_short(client, KEY, int(lifetime_s * 1000))
        assert end_of(client) == at
        return at

    at = at_some_pace(send_and_look, 0.1)
    pass_by(client, at + 2)
    assert client.exists(KEY) == 0
    assert call(client, "NOTIFY.LEN", KEY) == 0


def test_ids_go_on_after_the_key_went(client):
    short, at = send_short(client, KEY, 50)
    pass_by(client, at + 2)
    following = call(client, "NOTIFY.SEND", KEY, "t")
    assert int(following.split("-")[0]) > int(short.split("-")[0])


def test_a_key_stays_until_the_time_in_its_last_id(client):
    ahead = now_ms(client) + 1000000
    call(client, "NOTIFY.SEND", KEY, "t", "ID", ahead, "EX", "10")
    assert end_of(client) == ahead


def test_a_key_with_an_entry_that_stays_gets_no_end(client):
    first = call(client, "NOTIFY.SEND", KEY, "stays")
    call(client, "NOTIFY.SEND", KEY, "t", "PXAT", FAR)
    assert end_of(client) == -1
    call(client, "NOTIFY.DEL", KEY, first)
    assert end_of(client) == FAR  # now nothing stays


def test_a_key_that_was_trimmed_gets_its_end_all_the_same(client):
    first = call(client, "NOTIFY.SEND", KEY, "stays")
    call(client, "NOTIFY.SEND", KEY, "t", "PXAT", FAR, "MAXLEN", "1")
    assert end_of(client) == FAR
    client.delete(KEY)  # as its end would do
    (missed,) = call(client, "NOTIFY.SINCE", KEY, first)
    assert pairs(missed)["gap"] == 1
    for _ in range(3):
        call(client, "NOTIFY.SEND", KEY, "t", "PXAT", FAR, "MAXLEN", "1")
    assert end_of(client) == FAR


def test_a_key_with_settings_gets_no_end(client):
    call(client, "NOTIFY.SEND", KEY, "t", "PXAT", FAR)
    call(client, "NOTIFY.MUTE", KEY, "ci")
    assert end_of(client) == -1
    call(client, "NOTIFY.UNMUTE", KEY, "ci")
    assert end_of(client) == FAR
    call(client, "NOTIFY.FOLLOW", KEY, "topic:all")
    assert end_of(client) == -1


def test_a_key_stays_while_its_tokens_matter(client):
    call(client, "NOTIFY.SEND", KEY, "t", "EX", "1", "IDEMPOTENT", "a")
    assert abs(end_of(client) - now_ms(client) - 86400000) < 10000


def test_the_time_to_live_that_somebody_gave_is_left_alone(client):
    call(client, "NOTIFY.SEND", KEY, "stays")
    client.execute_command("PEXPIREAT", KEY, FAR - 1)
    call(client, "NOTIFY.SEND", KEY, "t", "PXAT", FAR)
    assert end_of(client) == FAR - 1
    call(client, "NOTIFY.SEND", KEY, "stays")
    assert end_of(client) == FAR - 1


def test_the_end_of_the_box_comes_back_when_the_key_loses_its_time_to_live(programs):
    """By PERSIST and by RESTORE without one: a box of which nothing lives on goes, whatever happens."""
    primary = programs.redis(name="primary", appendonly="yes")
    replica = programs.replica(primary)
    client = primary.client()
    call(client, "NOTIFY.SEND", KEY, "t", "PXAT", FAR)
    client.execute_command("PEXPIREAT", KEY, FAR - 1)
    assert client.persist(KEY) == 1
    payload = dump(client, KEY)
    client.restore("copy", 0, payload)
    client.restore("given", 1000000, payload)
    client.set("text", "t", px=1000000)
    client.persist("text")

    def check(one):
        assert (end_of(one), end_of(one, "copy"), end_of(one, "text")) == (FAR, FAR, -1)
        assert 0 < end_of(one, "given") < FAR

    check(client)
    check_everywhere(check, primary, replica)


def test_a_box_that_is_restored_after_its_end_is_not_there(shared_redis, client):
    script = "redis.call('NOTIFY.SEND', KEYS[1], 't', 'PX', 50) return redis.call('DUMP', KEYS[1])"  # the clock stands still
    payload = shared_redis.client(decode_responses=False).eval(script, 1, KEY)
    wait_until(lambda: not client.exists(KEY))
    client.restore(KEY, 0, payload)
    assert client.exists(KEY) == 0


def test_a_key_that_has_lost_its_end_long_ago_gets_it_with_the_next_write(client):
    """As a module that did not mend it has left it; here EXPIRE makes it so, and takes it away."""
    call(client, "NOTIFY.SEND", KEY, "t", "PXAT", FAR)
    client.execute_command("PEXPIREAT", KEY, FAR - 7)
    call(client, "NOTIFY.SEND", KEY, "t", "PXAT", FAR)
    assert end_of(client) == FAR - 7
    client.persist(KEY)
    call(client, "NOTIFY.SEND", KEY, "t", "PXAT", FAR)
    assert end_of(client) == FAR


def test_the_end_survives_everything_and_is_the_same_on_a_replica(programs):
    primary = programs.redis(name="primary", appendonly="yes", aof_use_rdb_preamble="no")
    replica = programs.replica(primary)
    client = primary.client()
    for _ in range(100):
        call(client, "NOTIFY.SEND", KEY, "t", "PXAT", FAR)
    wanted = digest(client, KEY)

    def check(one):
        assert end_of(one) == FAR and digest(one, KEY) == wanted

    check(client)
    check_everywhere(check, primary, replica)
    client.copy(KEY, "inbox:2")
    client.rename("inbox:2", KEY)
    check(client)
    call(client, "NOTIFY.SEND", KEY, "stays")
    assert end_of(client) == -1


def test_an_aof_with_times_that_have_passed_loads(programs):
    server = programs.redis(appendonly="yes")
    client = server.client()
    call(client, "NOTIFY.SEND", KEY, "stays")
    _, at = send_short(client)
    pass_by(client, at)
    wanted = digest(client, KEY)
    client.execute_command("DEBUG", "LOADAOF")
    assert digest(client, KEY) == wanted
    assert counts(client) == (1, 1)
