"""What every type of the server can: be measured, be freed elsewhere, run out of memory, be evicted, be
cached by clients, be used by scripts and functions."""

import re

import pytest
import redis

from module_helpers import call, digest, error_of, ids, verify
from resp import Resp, RespError
from servers import wait_until
from straying import strays

KEY, LOG, SESSIONS = "inbox:1", "topic:all", "sessions:1"


def totals(client):
    found = client.info("notify")
    return found["notify_boxes"], found["notify_entries"]


# -- memory


def test_memory_usage_follows_what_is_stored(redis_server):
    client = redis_server.client()
    call(client, "NOTIFY.SEND", KEY, "t")
    sizes = [client.memory_usage(KEY)]
    call(client, "NOTIFY.SEND", KEY, "t", "CONTENT", "x" * 10000)
    sizes.append(client.memory_usage(KEY))
    for n in range(500):
        call(client, "NOTIFY.SEND", KEY, "t", "CONTENT", "x" * 100, "IDEMPOTENT", f"token-{n}")
    sizes.append(client.memory_usage(KEY))
    call(client, "NOTIFY.SESSION", "OPEN", SESSIONS, "s", "c0", "LEASE", 60000)
    few = client.memory_usage(SESSIONS)
    for n in range(100):
        call(client, "NOTIFY.SESSION", "OPEN", SESSIONS, "s", f"c{n}", "LEASE", 60000, "META", '"%s"' % ("m" * 200))
    assert sizes[0] > 56 and sizes[1] > sizes[0] + 10000 and sizes[2] > sizes[1] + 500 * 100
    assert client.memory_usage(SESSIONS) > few + 100 * 200


def test_memory_usage_is_what_the_server_gets_back(redis_server):
    """The module allocates from the server, or maxmemory would not see it."""
    client = redis_server.client()
    client.config_set("notify.max-entries", "100000")
    for n in range(5000):
        call(client, "NOTIFY.SEND", KEY, "t", "CONTENT", "x" * 200, "IDEMPOTENT", f"token-{n}")
    said = client.memory_usage(KEY)
    before = client.info("memory")["used_memory"]
    client.delete(KEY)
    assert said > 5000 * 200

    def is_back():
        freed = before - client.info("memory")["used_memory"]
        return abs(said - freed) < said / 5  # buffers of connections come and go meanwhile

    wait_until(is_back, "the memory's coming back")  # Valkey frees in the background by itself


def freed_elsewhere(client):
    return client.info("memory")["lazyfreed_objects"]


def test_unlink_and_flushall_async_free_large_boxes_in_the_background(redis_server):
    client = redis_server.client()

    def fill():
        for n in range(700):
            call(client, "NOTIFY.SEND", KEY, "t", "CONTENT", "x" * 1000)
        call(client, "NOTIFY.SEND", "small", "t")

    fill()
    before = freed_elsewhere(client)
    client.unlink(KEY)
    assert client.exists(KEY) == 0
    wait_until(lambda: freed_elsewhere(client) > before, "freeing in the background")
    assert totals(client) == (1, 1)
    client.unlink("small")
    assert totals(client) == (0, 0)
    fill()
    client.flushall(asynchronous=True)
    wait_until(lambda: totals(client) == (0, 0), "the flush")


def test_what_grows_is_refused_without_memory_and_what_reads_or_shrinks_is_not(redis_server):
    client = redis_server.client()
    for n in range(300):
        call(client, "NOTIFY.SEND", KEY, "t", "CONTENT", "x" * 500, "CATEGORY", "a", "ID", n + 1)
    call(client, "NOTIFY.SEND", LOG, "t", "ID", "1")
    call(client, "NOTIFY.FOLLOW", KEY, LOG, "FROM", "0")
    call(client, "NOTIFY.MUTE", KEY, "b")
    call(client, "NOTIFY.SESSION", "OPEN", SESSIONS, "s", "c", "LEASE", 600000)
    before = digest(client, KEY, LOG, SESSIONS)
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", "100kb")
    for command in (
        ["NOTIFY.SEND", KEY, "t"],
        ["NOTIFY.SENDMANY", 2, KEY, LOG, "t"],
        ["NOTIFY.EVENT", KEY, "e"],
        ["NOTIFY.FOLLOW", KEY, "other"],
        ["NOTIFY.MUTE", KEY, "c"],
        ["NOTIFY.SESSION", "OPEN", SESSIONS, "s", "c2", "LEASE", 600000],
    ):
        assert "maxmemory" in error_of(client, *command), command
    assert digest(client, KEY, LOG, SESSIONS) == before
    assert call(client, "NOTIFY.UNREAD", KEY, "LOGS", 1, LOG) == 301
    assert call(client, "NOTIFY.READ", KEY, 1) == 1
    assert call(client, "NOTIFY.READ", KEY, 1, "LOG", LOG) == 1
    assert call(client, "NOTIFY.MARK", KEY, "ARCHIVED", 2) == 1
    assert call(client, "NOTIFY.UNMUTE", KEY, "b") == 1
    assert call(client, "NOTIFY.SESSION", "TOUCH", SESSIONS, "LEASE", 600000, "c") == 1
    assert call(client, "NOTIFY.SESSION", "CLOSE", SESSIONS, "c") == 1
    assert call(client, "NOTIFY.DEL", KEY, 3) == 1
    assert call(client, "NOTIFY.TRIM", KEY, "MAXLEN", 10) == 289
    assert call(client, "NOTIFY.READALL", KEY) == 10
    assert call(client, "NOTIFY.UNFOLLOW", KEY, LOG) == 1
    verify(client, KEY)
    client.config_set("maxmemory", "0")
    assert call(client, "NOTIFY.SEND", KEY, "t")


def test_a_script_without_memory_is_refused_before_it_begins(redis_server):
    client = redis_server.client()
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", "100kb")
    script = "redis.call('SET', KEYS[2], 'x') return redis.call('NOTIFY.SEND', KEYS[1], 't')"
    with pytest.raises(redis.ResponseError):
        client.eval(script, 2, KEY, "other")
    assert client.exists(KEY, "other") == 0


def test_eviction_takes_boxes_and_the_totals_follow(redis_server):
    client = redis_server.client()
    client.config_set("maxmemory", str(client.info("memory")["used_memory"] + 3 * 1024 * 1024))
    client.config_set("maxmemory-policy", "allkeys-lru")
    for n in range(1200):
        call(client, "NOTIFY.SEND", f"inbox:{n}", "t", "CONTENT", "x" * 8000)
    assert client.info("stats")["evicted_keys"] > 0
    client.config_set("maxmemory", "0")  # or asking evicts more
    assert totals(client) == (client.dbsize(), client.dbsize())
    assert client.dbsize() < 1200


def test_idle_time_and_frequency_are_kept(redis_server):
    client = redis_server.client()
    call(client, "NOTIFY.SEND", KEY, "t")
    raw = redis_server.client(decode_responses=False)
    raw.restore("idle", 0, raw.dump(KEY), idletime=1000)
    assert client.object("IDLETIME", "idle") >= 1000
    call(client, "NOTIFY.UNREAD", "idle")
    assert client.object("IDLETIME", "idle") < 1000, "a reader has touched it"
    client.config_set("maxmemory-policy", "allkeys-lfu")
    call(client, "NOTIFY.SEND", "often", "t")
    assert client.object("FREQ", "often") > 0
    assert client.object("ENCODING", KEY) == "raw"


# -- client-side caching


class Cache:
    """A RESP3 connection with tracking: invalidated() tells which keys it was told to forget."""

    def __init__(self, server, *options):
        self.resp = Resp(server.port, protocol=3)
        self.resp.call("CLIENT", "TRACKING", "ON", *options)

    def read(self, *command):
        return self.resp.call(*command)

    def invalidated(self):
        self.resp.call("PING")  # whatever came before is here then
        found = [key for push in self.resp.pushes if push[0] == "invalidate" for key in push[1] or ["*"]]
        self.resp.pushes.clear()
        return found


@pytest.fixture
def cache(shared_redis):
    caches = []

    def start(*options):
        caches.append(Cache(shared_redis, *options))
        return caches[-1]

    client = shared_redis.client()
    for key in (KEY, LOG):
        for n in (1, 2, 3):
            call(client, "NOTIFY.SEND", key, "t", "ID", n, "CATEGORY", "a")
    call(client, "NOTIFY.FOLLOW", KEY, LOG, "FROM", "0")
    yield start
    for one in caches:
        one.resp.close()


READS = [
    ["NOTIFY.GET", KEY, "1"],
    ["NOTIFY.RANGE", KEY, "-", "+"],
    ["NOTIFY.REVRANGE", KEY, "+", "-"],
    ["NOTIFY.SINCE", KEY, "0"],
    ["NOTIFY.UNREAD", KEY],
    ["NOTIFY.BADGE", KEY],
    ["NOTIFY.COUNT", KEY, "-", "+"],
    ["NOTIFY.LEN", KEY],
    ["NOTIFY.INFO", KEY],
    ["NOTIFY.CURSORS", KEY],
]


@pytest.mark.parametrize("command", READS, ids=lambda command: command[0])
def test_what_a_client_has_read_is_invalidated_by_the_next_send(shared_redis, cache, command):
    reader = cache()
    reader.read(*command)
    call(shared_redis.client(), "NOTIFY.SEND", "another", "t")
    assert reader.invalidated() == []
    call(shared_redis.client(), "NOTIFY.SEND", KEY, "t")
    assert reader.invalidated() == [KEY]
    call(shared_redis.client(), "NOTIFY.SEND", KEY, "t")
    assert reader.invalidated() == [], "once, until it reads again"


@pytest.mark.parametrize(
    "command",
    [["NOTIFY.READ", KEY, "1"], ["NOTIFY.READALL", KEY], ["NOTIFY.MARK", KEY, "SEEN", "1"],
     ["NOTIFY.SEEN", KEY], ["NOTIFY.DEL", KEY, "1"], ["NOTIFY.TRIM", KEY, "MAXLEN", "1"],
     ["NOTIFY.MUTE", KEY, "a"], ["NOTIFY.UNFOLLOW", KEY, LOG], ["NOTIFY.READALL", KEY, "LOG", LOG],
     ["NOTIFY.EVENT", KEY, "e"], ["DEL", KEY]],
    ids=lambda command: " ".join(command),
)  # fmt: skip
def test_every_change_invalidates_and_its_repetition_does_not(shared_redis, cache, command):
    client = shared_redis.client()
    reader = cache()
    reader.read("NOTIFY.UNREAD", KEY)
    client.execute_command(*command)
    assert reader.invalidated() == [KEY]
    if command[0] == "NOTIFY.EVENT":
        return
    reader.read("NOTIFY.UNREAD", KEY)
    client.execute_command(*command)
    assert reader.invalidated() == []


def test_a_count_with_logs_is_invalidated_by_the_log_too(shared_redis, cache):
    reader = cache()
    assert reader.read("NOTIFY.UNREAD", KEY, "LOGS", 1, LOG) == 6
    call(shared_redis.client(), "NOTIFY.SEND", LOG, "t")
    assert reader.invalidated() == [LOG]


def test_an_event_that_is_not_stored_and_a_refused_send_invalidate_nothing(shared_redis, cache):
    client = shared_redis.client()
    reader = cache()
    reader.read("NOTIFY.UNREAD", KEY)
    call(client, "NOTIFY.EVENT", KEY, "typing", "NOSTORE")
    call(client, "NOTIFY.SEND", KEY, "t", "NX")
    with pytest.raises(redis.ResponseError):
        call(client, "NOTIFY.SEND", KEY, "t", "ID", "1")
    assert reader.invalidated() == []


def test_broadcast_caching_hears_of_every_change_with_the_prefix(shared_redis, cache):
    reader = cache("BCAST", "PREFIX", "inbox:")
    client = shared_redis.client()
    call(client, "NOTIFY.SEND", KEY, "t")
    call(client, "NOTIFY.SEND", LOG, "t")
    call(client, "NOTIFY.SESSION", "OPEN", "inbox:s", "s", "c", "LEASE", 60000)
    assert sorted(reader.invalidated()) == [KEY, "inbox:s"]


# -- scripts, functions, transactions

LIBRARY = """#!lua name=notes
local function send(keys, args) return redis.call('NOTIFY.SEND', keys[1], args[1]) end
local function unread(keys, args) return redis.call('NOTIFY.UNREAD', keys[1]) end
redis.register_function('send', send)
redis.register_function{function_name='unread', callback=unread, flags={'no-writes'}}
redis.register_function{function_name='wrong', callback=send, flags={'no-writes'}}
"""


@pytest.fixture
def functions(redis_server):
    client = redis_server.client()
    client.execute_command("FUNCTION", "LOAD", LIBRARY)
    return client


def test_functions_send_and_read(redis_server, functions, listen):
    listener = listen(redis_server, KEY)
    sent = functions.execute_command("FCALL", "send", 1, KEY, "from a function")
    assert functions.execute_command("FCALL_RO", "unread", 1, KEY) == 1
    assert ids(call(functions, "NOTIFY.RANGE", KEY, "-", "+")) == [sent]
    assert [message["data"]["title"] for message in listener.messages()] == ["from a function"]


def test_a_function_that_promised_not_to_write_does_not(functions):
    error = error_of(functions, "FCALL", "wrong", 1, KEY, "t")
    assert "rite" in error
    assert functions.exists(KEY) == 0


def test_read_only_scripts_read(shared_redis):
    client = shared_redis.client()
    call(client, "NOTIFY.SEND", KEY, "t")
    script = "return {redis.call('NOTIFY.UNREAD', KEYS[1]), redis.call('NOTIFY.LEN', KEYS[1])}"
    assert client.execute_command("EVAL_RO", script, 1, KEY) == [1, 1]
    for command in ("'NOTIFY.READALL', KEYS[1]", "'NOTIFY.SEND', KEYS[1], 't'"):
        assert "rite" in error_of(client, "EVAL_RO", f"return redis.call({command})", 1, KEY)
    assert call(client, "NOTIFY.UNREAD", KEY) == 1


def test_scripts_on_a_replica_read_and_cannot_write(programs):
    primary = programs.redis(name="primary")
    replica = programs.replica(primary)
    call(primary.client(), "NOTIFY.SEND", KEY, "t")
    replica.wait_synced()
    there = replica.client()
    assert there.eval("return redis.call('NOTIFY.UNREAD', KEYS[1])", 1, KEY) == 1
    before = digest(there, KEY)
    with pytest.raises(redis.ResponseError):
        there.eval("return redis.call('NOTIFY.READALL', KEYS[1])", 1, KEY)
    with pytest.raises(redis.ReadOnlyError):
        call(there, "NOTIFY.SEND", KEY, "t")
    assert digest(there, KEY) == before


def test_a_script_replicates_its_effects_and_not_its_clock(programs):
    primary = programs.redis(name="primary")
    replica = programs.replica(primary)
    client = primary.client()
    script = """for i = 1, 20 do redis.call('NOTIFY.SEND', KEYS[1], 't' .. i, 'EX', '1000') end
                redis.call('NOTIFY.READALL', KEYS[1])
                redis.call('NOTIFY.SESSION', 'OPEN', KEYS[2], 's', 'c', 'LEASE', '60000')
                return redis.call('NOTIFY.LEN', KEYS[1])"""
    assert client.eval(script, 2, KEY, SESSIONS) == 20
    replica.wait_synced()
    assert digest(replica.client(), KEY, SESSIONS) == digest(client, KEY, SESSIONS)


def test_in_resp3_a_script_sees_numbers_maps_and_nulls(shared_redis):
    script = """redis.setresp(3)
                local badge = redis.call('NOTIFY.BADGE', KEYS[1]).map
                return {badge.unread, type(badge.by_category.map), redis.call('NOTIFY.SEND', KEYS[1], 't', 'XX') == nil}"""
    client = shared_redis.client()
    assert client.eval(script, 1, KEY)[:2] == [0, "table"]


def test_watch_notices_a_change_and_not_a_command_without_effect(shared_redis):
    client = shared_redis.client()
    call(client, "NOTIFY.SEND", KEY, "t", "ID", "1")
    call(client, "NOTIFY.READ", KEY, "1")
    for command, noticed in (
        (["NOTIFY.READ", KEY, "1"], False),
        (["NOTIFY.READALL", KEY], False),
        (["NOTIFY.DEL", KEY, "9"], False),
        (["NOTIFY.TRIM", KEY, "MAXLEN", "5"], False),
        (["NOTIFY.EVENT", KEY, "typing", "NOSTORE"], False),
        (["NOTIFY.UNMUTE", KEY, "a"], False),
        (["NOTIFY.SEND", KEY, "t", "NX"], False),
        (["NOTIFY.SESSION", "CLOSE", SESSIONS, "nobody"], False),
        (["NOTIFY.MUTE", KEY, "a"], True),
        (["NOTIFY.SEND", KEY, "t"], True),
        (["NOTIFY.SESSION", "OPEN", SESSIONS, "s", "c", "LEASE", 60000], True),
    ):
        with Resp(shared_redis.port) as resp:
            resp.call("WATCH", KEY, SESSIONS)
            client.execute_command(*command)
            resp.call("MULTI")
            resp.call("PING")
            assert (resp.call("EXEC") is None) == noticed, command


def test_a_transaction_with_an_error_keeps_the_rest(shared_redis):
    with Resp(shared_redis.port) as resp:
        resp.call("MULTI")
        resp.call("NOTIFY.SEND", KEY, "one", "ID", "5")
        resp.call("NOTIFY.SEND", KEY, "two", "ID", "5")
        resp.call("NOTIFY.UNREAD", KEY)
        first, second, third = resp.call("EXEC")
        assert first == "5-0" and isinstance(second, RespError) and third == 1


def test_a_slow_command_and_latency_are_the_servers_business(shared_redis):
    client = shared_redis.client()
    client.config_set("slowlog-log-slower-than", "0")
    call(client, "NOTIFY.SEND", KEY, "seen in the slow log")
    client.config_set("slowlog-log-slower-than", "10000")
    assert "NOTIFY.SEND" in str(client.execute_command("SLOWLOG", "GET", 5))
    stats = client.info("commandstats")
    assert stats["cmdstat_NOTIFY.SEND"]["calls"] > 0


# -- the database of who says it


def database_of(resp):
    return int(re.search(r"\bdb=(\d+)", resp.call("CLIENT", "INFO")).group(1))


@pytest.mark.parametrize("make", [["SET", KEY, "t"], ["NOTIFY.SEND", KEY, "t"]], ids=lambda make: make[0])
@pytest.mark.parametrize("go", [["COPY", KEY, KEY, "DB", 1], ["MOVE", KEY, 1]], ids=lambda go: go[0])
def test_who_copies_or_moves_to_another_database_stays_in_his_own(shared_redis, make, go):
    """But for the releases of Valkey of which docs/upgrading.md warns: there nobody does, or the list is wrong."""
    with Resp(shared_redis.port) as resp:
        resp.call(*make)
        assert resp.call(*go) == 1
        assert (database_of(resp) != 0) == strays(resp.call)
