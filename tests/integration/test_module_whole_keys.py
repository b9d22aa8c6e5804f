"""What happens to a key as a whole is told on its channel, once: that it is gone, or that something else
stands there now. What happens to all keys at once is told on the control channel."""

import pytest

from module_helpers import call, dump, pairs
from resp import Resp
from servers import wait_until

KEY, OTHER, SET = "inbox:1", "inbox:2", "sessions:1"
CONTROL = "notify:control"
GONE = {"type": "gone", "key": KEY, "rev": 3, "unread": 0}


@pytest.fixture
def box(client):
    """A box of revision 2 with two unread."""
    call(client, "NOTIFY.SEND", KEY, "one")
    call(client, "NOTIFY.SEND", KEY, "two")
    return client


@pytest.fixture
def heard(shared_redis, listen):
    listener = listen(shared_redis, KEY, OTHER, SET, CONTROL)
    return listener.messages


def open_session(client, key=SET):
    call(client, "NOTIFY.SESSION", "OPEN", key, "s", "c1", "LEASE", 600000)


def wait_message(listener):
    """Messages that come by a clock of the server's."""
    found = []
    wait_until(lambda: found.extend(listener()) or found, "a message")
    return found + listener()


# -- gone


WAYS_TO_GO = {
    "DEL": [["DEL", KEY]],
    "UNLINK": [["UNLINK", KEY]],
    "RENAME": [["RENAME", KEY, "elsewhere"]],
    "RENAMENX": [["RENAMENX", KEY, "elsewhere"]],
    "MOVE": [["MOVE", KEY, 1]],
    "an expiry that lies behind": [["PEXPIREAT", KEY, 1]],
    "in a transaction": [["MULTI"], ["DEL", KEY], ["EXEC"]],
    "by a script": [["EVAL", "redis.call('UNLINK', KEYS[1])", 1, KEY]],
    "with others": [["SET", "text", "t"], ["DEL", "text", KEY, "nothing"]],
    "by an empty result": [["SINTERSTORE", KEY, "nothing"]],
}


@pytest.mark.parametrize("way", WAYS_TO_GO)
def test_a_box_that_goes_is_told_of_once(shared_redis, box, heard, way):
    with Resp(shared_redis.port) as resp:
        for command in WAYS_TO_GO[way]:
            resp.call(*command)
    assert heard() == [GONE]


@pytest.mark.parametrize("command", [["GET", KEY], ["NOTIFY.UNREAD", KEY], ["NOTIFY.SINCE", KEY, "0"]])
def test_a_box_whose_key_expires_is_told_of_when_somebody_looks(box, heard, command):
    box.execute_command("DEBUG", "SET-ACTIVE-EXPIRE", "0")
    try:
        box.pexpire(KEY, 1)
        box.execute_command("DEBUG", "SLEEP", "0.01")
        assert heard() == []
        call(box, *command)
        assert heard() == [GONE]
    finally:
        box.execute_command("DEBUG", "SET-ACTIVE-EXPIRE", "1")


def test_a_box_whose_key_expires_is_told_of_though_nobody_looks(box, heard):
    box.pexpire(KEY, 20)
    assert wait_message(heard) == [GONE]


def test_an_evicted_box_is_told_of(redis_server, listen):
    client = redis_server.client()
    listener = listen(redis_server, KEY)
    call(client, "NOTIFY.SEND", KEY, "t", "CONTENT", "x" * 10000, "NOPUBLISH")
    client.config_set("maxmemory-policy", "allkeys-lru")
    client.config_set("maxmemory", 1)
    assert wait_message(listener.messages) == [{**GONE, "rev": 2}]
    assert client.info("notify")["notify_keys_gone_told"] == 1


OVERWRITING = [
    ["SET", KEY, "t"],
    ["MSET", KEY, "t", "text", "t"],
    ["SUNIONSTORE", KEY, "aset"],
    ["SORT", "aset", "ALPHA", "STORE", KEY],
    ["BITOP", "NOT", KEY, "text"],
]


@pytest.mark.parametrize("command", OVERWRITING)
def test_an_overwritten_box_is_gone(box, heard, command):
    box.sadd("aset", "a", "b")
    box.set("text", "t")
    call(box, *command)
    assert wait_message(heard) == [GONE]
    box.delete(KEY)
    assert heard() == []


def test_an_overwritten_box_is_told_of_before_the_one_that_comes_after_it(shared_redis, box, heard):
    with Resp(shared_redis.port) as resp:
        for command in (["MULTI"], ["SET", KEY, "t"], ["DEL", KEY], ["NOTIFY.SEND", KEY, "new"], ["EXEC"]):
            resp.call(*command)
    assert [(m["type"], m["rev"]) for m in heard()] == [("gone", 3), ("notification", 1)]


def test_of_an_overwritten_box_with_a_successor_the_successor_is_told(client, heard):
    """The message to another channel comes before the server's cron, and finds a box there."""
    call(client, "NOTIFY.SEND", KEY, "old")
    box_elsewhere(client)
    heard()
    call(client, "SET", KEY, "t")
    client.rename("elsewhere", KEY)
    call(client, "NOTIFY.SEND", OTHER, "t")
    assert [(m["type"], m["rev"]) for m in heard() if m["key"] == KEY][-1] == ("changed", 3)


def many_boxes(client, count):
    keys = [f"many:{n}" for n in range(count)]
    for n in range(0, count, 1000):
        part = keys[n : n + 1000]
        call(client, "NOTIFY.SENDMANY", len(part), *part, "t", "NOPUBLISH")
    return keys


def test_more_overwritten_boxes_than_are_noted_are_told_of_at_once(client, heard, shared_redis):
    keys = many_boxes(client, 1100)
    before = client.info("notify")
    client.mset({key: "t" for key in keys})
    assert [m["type"] for m in wait_message(heard)] == ["flushed"]
    after = client.info("notify")
    assert after["notify_flushes_told"] - before["notify_flushes_told"] == 1
    assert after["notify_keys_gone_told"] == before["notify_keys_gone_told"]


def test_many_boxes_that_one_command_deletes_are_each_told_of(client, shared_redis):
    keys = many_boxes(client, 3000)
    before = client.info("notify")
    client.delete(*keys)
    after = client.info("notify")
    assert after["notify_keys_gone_told"] - before["notify_keys_gone_told"] == 3000
    assert after["notify_flushes_told"] == before["notify_flushes_told"]


def test_keys_of_other_types_tell_nothing(shared_redis, client, heard):
    client.set(KEY, "t")
    client.rename(KEY, OTHER)
    client.copy(OTHER, KEY)
    client.restore("third", 0, dump(client, KEY))
    shared_redis.client().move(OTHER, 1)  # some releases of Valkey take who says it along
    client.set(KEY, "t", px=1)
    wait_until(lambda: not client.exists(KEY))
    client.delete("third", KEY)
    assert heard() == []


def test_nothing_is_told_when_publishing_is_off(redis_server, listen):
    client = redis_server.client()
    listener = listen(redis_server, KEY, CONTROL)
    client.config_set("notify.publish", "off")
    for way in (["DEL", KEY], ["FLUSHALL"], ["SET", KEY, "t"]):
        call(client, "NOTIFY.SEND", KEY, "t")
        call(client, *way)
    client.config_set("notify.publish", "auto")
    call(client, "NOTIFY.SEND", OTHER, "t")
    assert listener.messages() == []


# -- come


def box_elsewhere(client):
    call(client, "NOTIFY.SEND", "elsewhere", "one")
    call(client, "NOTIFY.SEND", "elsewhere", "two")
    return call(client, "NOTIFY.SEND", "elsewhere", "three")


def move_in(client):
    there = client.connection_pool.connection_kwargs["port"]
    with Resp(there) as resp:
        resp.call("SELECT", 1)
        for title in ("one", "two", "three"):
            resp.call("NOTIFY.SEND", KEY, title)
        resp.call("MOVE", KEY, 0)


WAYS_TO_COME = {
    "RENAME": lambda client: client.rename("elsewhere", KEY),
    "COPY": lambda client: client.copy("elsewhere", KEY, replace=True),
    "RESTORE": lambda client: client.restore(KEY, 0, dump(client, "elsewhere"), replace=True),
    "RESTORE with a TTL": lambda client: client.restore(KEY, 100000, dump(client, "elsewhere"), replace=True),
}


@pytest.mark.parametrize("before", [None, "a box", "a set", "a string"])
@pytest.mark.parametrize("way", WAYS_TO_COME)
def test_a_box_that_comes_is_told_of_once_whatever_stood_there(client, heard, way, before):
    last = box_elsewhere(client)
    if before == "a box":
        call(client, "NOTIFY.SEND", KEY, "old")
    elif before == "a set":
        open_session(client, KEY)
    elif before == "a string":
        client.set(KEY, "old")
    heard()
    WAYS_TO_COME[way](client)
    (message,) = heard()
    message.pop("epoch", None)  # a restored box has brought its own
    assert message == {"type": "changed", "key": KEY, "rev": 3, "unread": 3, "last": last}


def test_a_box_that_is_moved_into_the_database_is_told_of(client, heard):
    move_in(client)
    (message,) = heard()
    assert (message["type"], message["unread"], message["rev"]) == ("changed", 3, 3)


def test_both_ends_of_a_rename_are_told_of(box, heard):
    call(box, "NOTIFY.SEND", OTHER, "other")
    heard()
    box.rename(KEY, OTHER)
    assert [(m["key"], m["type"], m["rev"]) for m in heard()] == [(KEY, "gone", 3), (OTHER, "changed", 2)]


def test_a_box_that_gives_way_to_another_type_is_gone(box, heard):
    box.set("text", "t")
    box.rename("text", KEY)
    assert heard() == [GONE]


# -- session sets


def test_a_session_set_that_goes_or_comes_is_told_of(client, heard):
    open_session(client)
    (joined,) = heard()
    client.delete(SET)
    assert heard() == [{"type": "gone", "key": SET, "rev": joined["rev"] + 1, "sessions": 0, "connections": 0}]
    open_session(client)
    (again,) = heard()
    assert again["rev"] > joined["rev"] + 1
    client.rename(SET, "elsewhere")
    heard()
    client.rename("elsewhere", SET)
    assert heard() == [{"type": "changed", "key": SET, "rev": again["rev"], "sessions": 1, "connections": 1}]


def test_a_session_set_that_nobody_renews_is_gone(client, heard):
    call(client, "NOTIFY.SESSION", "OPEN", SET, "s", "c1", "LEASE", 30)
    found = []
    wait_until(lambda: found.extend(heard()) or len(found) == 2, "both messages")
    assert [m["type"] for m in found] == ["presence", "gone"]


def test_a_session_set_that_its_last_connection_leaves_says_so_in_its_own_words(client, heard):
    open_session(client)
    call(client, "NOTIFY.SESSION", "CLOSE", SET, "c1")
    client.set(OTHER, "t")
    client.delete(OTHER)
    assert [m["type"] for m in heard()] == ["presence", "presence"]


# -- everything


@pytest.mark.parametrize(
    "command, told",
    [
        (["FLUSHDB"], 1),
        (["FLUSHDB", "ASYNC"], 1),
        (["FLUSHALL"], 1),
        (["SWAPDB", 0, 1], 1),
        (["SWAPDB", 3, 0], 1),
        (["SWAPDB", 1, 2], 0),
    ],
)
def test_what_happens_to_all_keys_is_told_once_on_the_control_channel(box, heard, command, told):
    call(box, *command)
    assert heard() == [{"type": "flushed", "key": CONTROL, "database": 0}] * told


def test_the_flush_of_another_database_is_not_told(shared_redis, box, heard):
    with Resp(shared_redis.port) as resp:
        resp.call("SELECT", 1)
        resp.call("FLUSHDB")
    assert heard() == []


# -- databases


def test_one_database_is_published_and_the_others_only_store(redis_server, listen):
    listener = listen(redis_server, KEY, OTHER, SET, CONTROL)
    with Resp(redis_server.port) as resp:
        resp.call("SELECT", 1)
        info = pairs(resp.call("NOTIFY.SEND", KEY, "t", "WITHINFO"))
        assert (info["unread"], info["receivers"]) == (1, 0)
        resp.call("NOTIFY.READALL", KEY)
        resp.call("NOTIFY.EVENT", KEY, "e", "NOSTORE")
        open_session_by(resp)
        resp.call("RENAME", KEY, OTHER)
        resp.call("COPY", OTHER, KEY)
        resp.call("SET", OTHER, "t")
        resp.call("DEL", KEY, SET)
        resp.call("FLUSHDB")
        resp.call("SELECT", 0)
        resp.call("NOTIFY.SEND", OTHER, "t")
        assert [(m["key"], m["type"]) for m in listener.messages()] == [(OTHER, "notification")]
        resp.call("CONFIG", "SET", "notify.database", 1)
        resp.call("NOTIFY.SEND", OTHER, "t")
        resp.call("DEL", OTHER)
        assert listener.messages() == []
        resp.call("SELECT", 1)
        resp.call("NOTIFY.SEND", OTHER, "t")
        resp.call("DEL", OTHER)
        resp.call("SWAPDB", 0, 2)
        resp.call("SWAPDB", 1, 2)
        assert [m["type"] for m in listener.messages()] == ["notification", "gone", "flushed"]


def open_session_by(resp):
    resp.call("NOTIFY.SESSION", "OPEN", SET, "s", "c1", "LEASE", 600000)


# -- replicas, loading, clusters


def test_a_replica_tells_its_own_subscribers_and_nothing_of_it_is_replicated(programs, listen):
    primary = programs.redis(name="primary")
    replica = programs.replica(primary)
    chained = programs.replica(replica)
    client = primary.client()
    channels = (KEY, OTHER, SET, CONTROL)
    listeners = [listen(primary, *channels)] + [listen(one, *channels, via=primary) for one in (replica, chained)]
    for command in (["NOTIFY.SEND", KEY, "t"], ["RENAME", KEY, OTHER], ["UNLINK", OTHER], ["FLUSHALL"]):
        call(client, *command)
    open_session(client)
    call(client, "DEL", SET)
    call(client, "NOTIFY.SEND", KEY, "t")
    client.pexpire(KEY, 1)
    wait_until(lambda: not client.exists(KEY))
    wanted = ["notification", "gone", "changed", "gone", "flushed", "presence", "gone", "notification", "gone"]
    for listener in listeners:
        assert [m["type"] for m in listener.messages()] == wanted
    assert replica.client().info("notify")["notify_keys_gone_told"] == 4


def test_an_overwritten_box_is_told_of_by_the_replica_too(programs, listen):
    primary = programs.redis(name="primary")
    replica = programs.replica(primary)
    listener = listen(replica, KEY, via=primary)
    call(primary.client(), "NOTIFY.SEND", KEY, "t", "NOPUBLISH")
    primary.client().set(KEY, "t")
    assert wait_message(listener.messages) == [{**GONE, "rev": 2}]


def test_a_replica_that_was_given_everything_anew_says_so(programs, listen):
    primary = programs.redis(name="primary")
    replica = programs.redis(name="replica")
    call(primary.client(), "NOTIFY.SEND", KEY, "t")
    listener = listen(replica, KEY, CONTROL)
    replica.client().execute_command("REPLICAOF", "127.0.0.1", primary.port)
    replica.wait_synced()
    messages = []
    wait_until(lambda: messages.extend(listener.messages()) or messages, "a message")
    assert [m["type"] for m in messages] == ["flushed"]


def test_loading_tells_nothing(programs):
    server = programs.redis(appendonly="yes", aof_use_rdb_preamble="no")
    client = server.client()
    for command in (["NOTIFY.SEND", KEY, "t"], ["SET", KEY, "t"], ["DEL", KEY], ["NOTIFY.SEND", KEY, "t"],
                    ["RENAME", KEY, OTHER], ["DEL", OTHER], ["NOTIFY.SEND", KEY, "t"], ["SET", KEY, "t"],
                    ["FLUSHALL"], ["NOTIFY.SEND", KEY, "t"], ["SET", KEY, "t"]):  # fmt: skip
        call(client, *command)
    server.restart()
    call(server.client(), "NOTIFY.SEND", OTHER, "t", "NOPUBLISH")
    about = server.client().info("notify")
    told = [about[f"notify_{name}"] for name in ("keys_gone_told", "keys_changed_told", "publishes")]
    assert told == [0, 0, 0]
