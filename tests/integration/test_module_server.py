"""How the module behaves as a part of the server: publishing, ACL, transactions, scripts, metadata."""

import subprocess

import pytest
import redis

from module_helpers import call, digest, error_of, pairs, raw_error
from resp import Resp, RespError
from servers import REPLICA_SYNCED, RedisServer, module_path, wait_until

KEY = "inbox:1"
COMMANDS = {
    "NOTIFY.SEND": {"write", "denyoom", "fast"},
    "NOTIFY.EVENT": {"write", "denyoom", "fast"},
    "NOTIFY.SIGNAL": {"fast"},  # and may-replicate, which servers tell of none
    "NOTIFY.SENDMANY": {"write", "denyoom", "movablekeys"},
    "NOTIFY.GET": {"readonly", "fast", "movablekeys"},
    "NOTIFY.RANGE": {"readonly", "movablekeys"},
    "NOTIFY.REVRANGE": {"readonly", "movablekeys"},
    "NOTIFY.SINCE": {"readonly", "movablekeys"},
    "NOTIFY.FEED": {"readonly", "movablekeys"},
    "NOTIFY.UNREAD": {"readonly", "movablekeys"},
    "NOTIFY.BADGE": {"readonly", "movablekeys"},
    "NOTIFY.COUNT": {"readonly", "movablekeys"},
    "NOTIFY.CURSORS": {"readonly"},
    "NOTIFY.VIEW": {"readonly"},
    "NOTIFY.FOLLOW": {"write", "denyoom", "movablekeys"},
    "NOTIFY.UNFOLLOW": {"write", "movablekeys"},
    "NOTIFY.LEN": {"readonly", "fast"},
    "NOTIFY.INFO": {"readonly"},
    "NOTIFY.VERIFY": {"readonly"},
    "NOTIFY.READ": {"write", "fast", "movablekeys"},
    "NOTIFY.READALL": {"write", "movablekeys"},
    "NOTIFY.MARK": {"write", "movablekeys"},
    "NOTIFY.SEEN": {"write", "movablekeys"},
    "NOTIFY.DEL": {"write"},
    "NOTIFY.TRIM": {"write"},
    "NOTIFY.MUTE": {"write", "denyoom"},
    "NOTIFY.UNMUTE": {"write"},
    "NOTIFY.HELP": {"fast", "loading", "stale"},
}


# -- publishing


def test_in_a_transaction_everything_is_published_once(shared_redis, client, listen):
    listener = listen(shared_redis, KEY)
    with client.pipeline() as pipe:
        pipe.multi()
        pipe.execute_command("NOTIFY.SEND", KEY, "one", "ID", "1")
        pipe.execute_command("NOTIFY.SEND", KEY, "two", "ID", "2")
        pipe.execute_command("NOTIFY.READ", KEY, "1")
        assert pipe.execute() == ["1-0", "2-0", 1]
    assert [message["type"] for message in listener.messages()] == [
        "notification", "notification", "read"
    ]  # fmt: skip


def test_a_script_sends_and_publishes_once(shared_redis, client, listen):
    listener = listen(shared_redis, KEY)
    script = "return redis.call('NOTIFY.SEND', KEYS[1], ARGV[1], 'ID', '5')"
    assert client.eval(script, 1, KEY, "from Lua") == "5-0"
    (message,) = listener.messages()
    assert message["data"]["title"] == "from Lua"
    with pytest.raises(redis.ResponseError):
        client.execute_command("EVAL_RO", script, 1, KEY, "t")


def test_in_a_transaction_replicas_hear_once_too(programs, listen):
    primary = programs.redis(name="primary")
    replica = programs.replica(primary)
    client = primary.client()
    there = listen(replica, KEY, via=primary)
    with client.pipeline() as pipe:
        pipe.multi()
        pipe.execute_command("NOTIFY.SEND", KEY, "one")
        pipe.execute_command("NOTIFY.SEND", KEY, "two")
        pipe.execute()
    client.eval("redis.call('NOTIFY.SEND', KEYS[1], 'three')", 1, KEY)
    assert [message["data"]["title"] for message in there.messages()] == ["one", "two", "three"]
    replica.wait_synced()
    assert digest(replica.client(), KEY) == digest(client, KEY)


def test_publish_can_be_switched_off_and_sharded(redis_server, listen):
    client = redis_server.client()
    plain, shard = listen(redis_server, KEY), listen(redis_server, KEY, shard=True)
    call(client, "NOTIFY.SEND", KEY, "auto")
    for mode in ("off", "shard", "channel"):
        client.config_set("notify.publish", mode)
        assert client.config_get("notify.publish") == {"notify.publish": mode}
        call(client, "NOTIFY.SEND", KEY, mode)
    assert [message["data"]["title"] for message in plain.messages()] == ["auto", "channel"]
    assert [message["data"]["title"] for message in shard.messages()] == ["shard"]


def test_a_subscriber_of_its_own_channel_gets_reply_and_push(shared_redis):
    with Resp(shared_redis.port, protocol=3) as resp3:
        resp3.send("SUBSCRIBE", KEY)
        assert resp3.read_push()[0] == "subscribe"
        for command in (["NOTIFY.SEND", KEY, "t", "WITHINFO"], ["NOTIFY.READALL", KEY]):
            assert resp3.call(*command)
            assert resp3.read_push()[:2] == ["message", KEY]


def test_a_keyspace_of_clients_without_subscribers_costs_no_replies(client):
    assert pairs(call(client, "NOTIFY.SEND", KEY, "t", "WITHINFO"))["receivers"] == 0


TAGGED, END = "inbox:{1}", "end:{1}"


def test_in_a_cluster_every_node_of_the_shard_hears_once(programs, listen):
    """The cluster's bus carries sharded messages to replicas: publishing must not be replicated."""
    options = {"cluster-enabled": "yes", "cluster-node-timeout": "5000"}
    primary, replica = (programs.redis(name=name, **options) for name in ("primary", "replica"))
    client, other = primary.client(), replica.client()
    client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
    other.execute_command("CLUSTER", "MEET", "127.0.0.1", primary.port)
    node = client.execute_command("CLUSTER", "MYID")
    wait_until(lambda: node in str(other.execute_command("CLUSTER", "NODES")), "the meeting")
    wait_until(lambda: try_replicate(other, node), "becoming a replica")
    replica.wait_line(REPLICA_SYNCED)
    wait_until(lambda: "cluster_state:ok" in raw_info(primary), "the cluster's being up")
    here = listen(primary, TAGGED, shard=True, end=END)
    there = listen(replica, TAGGED, shard=True, end=END, via=primary)
    plain = listen(primary, TAGGED, end=END)
    call(client, "NOTIFY.SEND", TAGGED, "one")
    call(client, "NOTIFY.READALL", TAGGED)
    call(client, "NOTIFY.EVENT", TAGGED, "typing", "NOSTORE")
    wanted = ["notification", "read", "typing"]
    assert [message["type"] for message in here.messages()] == wanted
    assert [message["type"] for message in there.messages()] == wanted
    assert plain.messages() == []
    replica.wait_synced()
    other.execute_command("READONLY")
    assert digest(other, TAGGED) == digest(client, TAGGED)


def try_replicate(client, node):
    try:
        return client.execute_command("CLUSTER", "REPLICATE", node)
    except redis.ResponseError:
        return False  # it does not know the node well enough yet


def raw_info(server):
    with Resp(server.port) as resp:
        return resp.call("CLUSTER", "INFO")


# -- permissions


WRITES = [
    ["NOTIFY.SEND", KEY, "t"],
    ["NOTIFY.EVENT", KEY, "e"],
    ["NOTIFY.EVENT", KEY, "e", "NOSTORE"],
    ["NOTIFY.READ", KEY, "1"],
    ["NOTIFY.READALL", KEY],
    ["NOTIFY.MARK", KEY, "SEEN", "1"],
    ["NOTIFY.SEEN", KEY],
    ["NOTIFY.DEL", KEY, "1"],
    ["NOTIFY.TRIM", KEY, "MAXLEN", "0"],
]


def test_a_user_without_the_channel_changes_nothing(shared_redis, client, limited, listen):
    call(client, "NOTIFY.SEND", KEY, "t", "ID", "1")
    before = digest(client, KEY)
    listener = listen(shared_redis, KEY)
    user = limited("+@all", "~*", "resetchannels", "&topic:*")
    for command in WRITES:
        assert raw_error(user, *command).startswith("NOPERM"), command
    assert "NOPERM" in raw_error(user, "EVAL", "return redis.call('NOTIFY.SEND', KEYS[1], 't')", 1, KEY)
    assert digest(client, KEY) == before
    assert listener.messages() == []
    entry = client.execute_command("ACL", "LOG")[0]
    entry = entry if isinstance(entry, dict) else pairs(entry)
    entry = {str(k): str(v) for k, v in entry.items()}
    assert "channel" in str(entry) and KEY in str(entry) and "limited" in str(entry)
    assert user.call("NOTIFY.SEND", "topic:x", "t"), "the channel of this one is allowed"
    assert user.call("NOTIFY.SEND", KEY, "t", "NOPUBLISH"), "nothing is published"


def may_publish(server, key=KEY):
    with Resp(server.port) as resp:
        resp.send("NOTIFY.SEND", key, "t")
        reply = resp.read()
    assert not isinstance(reply, RespError) or str(reply).startswith("NOPERM this user may not publish"), reply
    return not isinstance(reply, RespError)


def test_the_default_user_is_known_once_and_what_it_may_is_asked_each_time(programs, tmp_path):
    """It is looked up once, since nobody can delete it: all else changes it where it is."""
    users = tmp_path / "users.acl"
    users.write_text("user default on nopass ~* &* +@all\n")
    server = programs.redis(aclfile=users)
    with Resp(server.port) as resp:
        assert may_publish(server)
        for channels, may in (["resetchannels", "&topic:*"], False), (["allchannels"], True):
            assert resp.call("ACL", "SETUSER", "default", *channels) == "OK"
            assert may_publish(server) == may and may_publish(server, "topic:x")
        for channels, may in ("resetchannels &topic:*", False), ("&*", True), ("resetchannels &topic:*", False):
            users.write_text(f"user default on nopass ~* {channels} +@all\n")
            assert resp.call("ACL", "LOAD") == "OK"
            assert may_publish(server) == may and may_publish(server, "topic:x")
        assert "default" in raw_error(resp, "ACL", "DELUSER", "default")
        resp.call("ACL", "SETUSER", "other", "on", "nopass", "~*", "&other:*", "+@all")
        resp.call("AUTH", "other", "x")
        assert raw_error(resp, "NOTIFY.SEND", "topic:x", "t").startswith("NOPERM"), "another one is another one"
        resp.call("ACL", "DELUSER", "other")


def test_a_user_without_the_key_is_refused_by_the_server(limited):
    user = limited("+@all", "~other:*", "allchannels")
    for command in WRITES + [["NOTIFY.LEN", KEY], ["NOTIFY.RANGE", KEY, "-", "+"],
                             ["NOTIFY.SINCE", "other:1", "0", KEY, "0"]]:  # fmt: skip
        assert raw_error(user, *command).startswith("NOPERM"), command


def test_read_permission_is_enough_to_read(client, limited):
    call(client, "NOTIFY.SEND", KEY, "t", "ID", "1")
    user = limited("+@all", "%R~*", "allchannels")
    for command in (["NOTIFY.LEN", KEY], ["NOTIFY.RANGE", KEY, "-", "+"], ["NOTIFY.GET", KEY, "1"],
                    ["NOTIFY.SINCE", KEY, "0", "COUNT", "5"], ["NOTIFY.BADGE", KEY],
                    ["NOTIFY.UNREAD", KEY], ["NOTIFY.INFO", KEY], ["NOTIFY.VERIFY", KEY],
                    ["NOTIFY.REVRANGE", KEY, "+", "-"]):  # fmt: skip
        user.call(*command)
    for command in WRITES:
        assert raw_error(user, *command).startswith("NOPERM"), command


def test_a_replica_executes_what_a_limited_user_sent(programs):
    """The link to a primary has no user: asking for it crashes Redis 7.0."""
    primary = programs.redis(name="primary")
    replica = programs.replica(primary)
    client = primary.client()
    for command in WRITES[:2] + WRITES[4:]:
        call(client, *command)
    replica.wait_synced()
    assert digest(replica.client(), KEY) == digest(client, KEY)


# -- limits of the server


def test_without_memory_one_can_still_read_and_delete(redis_server):
    client = redis_server.client()
    sent = call(client, "NOTIFY.SEND", KEY, "t")
    client.config_set("maxmemory", "100kb")
    client.config_set("maxmemory-policy", "noeviction")
    for command in (["NOTIFY.SEND", KEY, "t"], ["NOTIFY.EVENT", KEY, "e"]):
        assert "OOM" in error_of(client, *command) or "maxmemory" in error_of(client, *command)
    assert call(client, "NOTIFY.READ", KEY, sent) == 1
    assert call(client, "NOTIFY.DEL", KEY, sent) == 1
    assert call(client, "NOTIFY.LEN", KEY) == 0


def test_a_key_that_expires_takes_its_box_along(redis_server, client):
    call(client, "NOTIFY.SEND", KEY, "t")
    client.pexpire(KEY, 1)
    wait_until(lambda: not client.exists(KEY), "the key's end")
    assert call(client, "NOTIFY.UNREAD", KEY) == 0
    reply = call(client, "NOTIFY.SEND", KEY, "t", "ID", "1")
    assert reply == "1-0", "it is a new box"


# -- what the server is told


def test_command_info_and_flags(resp):
    reply = resp.call("COMMAND", "INFO", *COMMANDS)
    assert {one[0].upper(): set(one[2]) - {"module"} for one in reply} == COMMANDS


@pytest.mark.parametrize(
    "command, keys",
    [
        (["NOTIFY.SEND", "k", "t"], ["k"]),
        (["NOTIFY.SINCE", "a", "0", "b", "$", "c", "1-0"], ["a", "b", "c"]),
        (["NOTIFY.SINCE", "a", "0", "b", "$", "COUNT", "5"], ["a", "b"]),
        (["NOTIFY.SINCE", "COUNT", "5"], ["COUNT"]),
        (["NOTIFY.TRIM", "k", "MAXLEN", "0"], ["k"]),
        (["NOTIFY.SENDMANY", "2", "a", "b", "t", "DATA", "1"], ["a", "b"]),
        (["NOTIFY.MUTE", "k", "c"], ["k"]),
    ],
)
def test_command_getkeys(resp, command, keys):
    assert resp.call("COMMAND", "GETKEYS", *command) == keys


@pytest.mark.parametrize(
    "command, flags",
    [
        (["NOTIFY.SEND", "k", "t"], {"RW", "insert"}),
        (["NOTIFY.READ", "k", "1"], {"RW", "update"}),
        (["NOTIFY.DEL", "k", "1"], {"RW", "delete"}),
        (["NOTIFY.RANGE", "k", "-", "+"], {"RO", "access"}),
        (["NOTIFY.SINCE", "k", "0", "COUNT", "1"], {"RO", "access"}),
    ],
)
def test_command_getkeysandflags(resp, command, flags):
    ((key, found),) = resp.call("COMMAND", "GETKEYSANDFLAGS", *command)
    assert key == "k" and flags <= set(found)


def test_command_docs_are_complete(resp):
    names = {name.upper() for name in resp.call("COMMAND", "LIST", "FILTERBY", "MODULE", "notify")}
    sessions = {name for name in names if name.split("|")[0] == "NOTIFY.SESSION"}
    # For the sessions see test_module_session.py; Redis 8 keeps what is internal to itself.
    assert names - sessions - {"NOTIFY.RESTOREBOX"} == set(COMMANDS)
    docs = {name.upper(): doc for name, doc in resp.call("COMMAND", "DOCS", *COMMANDS).items()}
    assert set(docs) == set(COMMANDS)
    for name, doc in docs.items():
        assert doc["summary"].endswith("."), name
        assert doc["since"] == "0.1.0" and doc["complexity"].startswith("O("), name
        first = [argument["name"] for argument in doc.get("arguments", [])][:1]
        special = {"NOTIFY.SINCE": ["position"], "NOTIFY.SENDMANY": ["numkeys"], "NOTIFY.HELP": ["command"]}
        assert first == special.get(name, ["key"]), name
    assert {one.get("token") for one in docs["NOTIFY.SEND"]["arguments"]} >= {
        "CONTENT", "TYPE", "CATEGORY", "LEVEL", "EVENT", "ACTION", "ENTITY", "DATA", "MAXLEN",
        "EXCLUDE", "ID", "NOPUBLISH", "WITHINFO", "COLLAPSE", "IDEMPOTENT",
    }  # fmt: skip


def test_settings_have_ranges(client):
    assert client.config_get("notify.*") == {
        "notify.publish": "auto",
        "notify.database": "0",
        "notify.max-entries": "1000",
        "notify.max-entry-bytes": "65536",
        "notify.idempotency-window-ms": "86400000",
        "notify.max-reply-bytes": "4194304",
        "notify.idempotency-max": "1000",
        "notify.session-max-connections": "1024",
        "notify.write-version": "3",
    }
    for name, wrong in (("max-entries", "0"), ("max-entries", "x"), ("max-entry-bytes", "10"),
                        ("publish", "sometimes")):  # fmt: skip
        with pytest.raises(redis.ResponseError):
            client.config_set(f"notify.{name}", wrong)


class WithArguments(RedisServer):
    """A server whose loadmodule line has arguments."""

    def __init__(self, *arguments):
        super().__init__()
        self.arguments = list(arguments)

    def _argv(self):
        return super()._argv() + self.arguments


def test_settings_may_follow_loadmodule(programs):
    server = programs.add(
        WithArguments("notify.max-entries", "3", "max-entry-bytes", "128kb", "PUBLISH", "off",
                      "idempotency-window-ms", "5000", "database", "2")  # fmt: skip
    ).start()
    assert server.client().config_get("notify.*") == {
        "notify.publish": "off",
        "notify.database": "2",
        "notify.max-entries": "3",
        "notify.max-entry-bytes": "131072",
        "notify.idempotency-window-ms": "5000",
        "notify.max-reply-bytes": "4194304",
        "notify.idempotency-max": "1000",
        "notify.session-max-connections": "1024",
        "notify.write-version": "3",
    }


@pytest.mark.parametrize(
    "arguments",
    [["max-entries"], ["max-entries", "0"], ["max-entries", "3kb"], ["publish", "on"],
     ["no-such", "1"], ["max-entry-bytes", "99999999999mb"]],
)  # fmt: skip
def test_wrong_settings_refuse_to_load(programs, arguments):
    server = programs.add(WithArguments(*arguments))
    with pytest.raises(AssertionError):
        server.start()
    assert server.wait() == 1
    assert server.has_line("notify: no such setting, or a wrong value: " + arguments[0])


def test_info_counts_what_was_done(redis_server, listen):
    client = redis_server.client()
    listener = listen(redis_server, KEY)
    call(client, "NOTIFY.SEND", KEY, "t", "ID", "1")
    call(client, "NOTIFY.SEND", KEY, "t", "ID", "2")
    call(client, "NOTIFY.EVENT", KEY, "e", "MAXLEN", "2")
    call(client, "NOTIFY.READALL", KEY)
    call(client, "NOTIFY.DEL", KEY, "2")
    listener.raw()
    about = client.info("notify")
    assert {name: about[f"notify_{name}"] for name in (
        "boxes", "entries", "sends", "events", "publishes", "publish_receivers", "state_changes",
        "entries_deleted", "entries_trimmed", "publishes_denied", "loads_refused")} == {
        "boxes": 1, "entries": 1, "sends": 2, "events": 1, "publishes": 5, "publish_receivers": 5,
        "state_changes": 2, "entries_deleted": 1, "entries_trimmed": 1, "publishes_denied": 0,
        "loads_refused": 0,
    }  # fmt: skip
    assert "notify" not in str(client.info("server").keys())


@pytest.mark.parametrize("refused", [["t", "NO_OPTION"], ["t", "CATEGORY", "\x01"], ["t", "ID", "1"]])
def test_a_send_that_is_refused_leaves_the_total_of_entries_as_it_was(client, refused):
    call(client, "NOTIFY.SEND", KEY, "t", "ID", "1")
    error_of(client, "NOTIFY.SEND", KEY, *refused)
    assert client.info("notify")["notify_entries"] == 1


def test_only_the_entry_points_are_visible():
    shown = subprocess.run(
        ["nm", "-D", "--defined-only", module_path()], capture_output=True, text=True, check=True
    )
    names = {line.split()[2] for line in shown.stdout.splitlines()}
    ours = {name for name in names if not name.startswith(("__asan", "__ubsan", "__odr_asan"))}
    assert ours == {"RedisModule_OnLoad", "RedisModule_OnUnload"}


def test_the_module_cannot_be_unloaded_or_loaded_twice(redis_server):
    client = redis_server.client()
    assert "notify" in str(client.execute_command("MODULE", "LIST"))
    with pytest.raises(redis.ResponseError):
        client.execute_command("MODULE", "UNLOAD", "notify")
    call(client, "NOTIFY.SEND", KEY, "t")


def test_acl_categories_where_the_server_has_them(client, resp):
    """Redis 7.0 lets no module put its commands into categories, 7.2 only into existing ones. (ACL CAT
    does not list the commands of modules on every server: ask what a user may do.)"""
    if "notify" not in [str(one) for one in client.execute_command("ACL", "CAT")]:
        version = client.info("server")["redis_version"]
        assert version.startswith(("7.0.", "7.2.")), version
        return
    groups = {
        "notify": set(COMMANDS),
        "read": {name for name, flags in COMMANDS.items() if "readonly" in flags},
        "write": {name for name, flags in COMMANDS.items() if "write" in flags},
        "fast": {name for name, flags in COMMANDS.items() if "fast" in flags},
        "slow": {name for name, flags in COMMANDS.items() if "fast" not in flags},
    }
    arity = {one[0].upper(): one[1] for one in resp.call("COMMAND", "INFO", *COMMANDS)}
    for category, names in groups.items():
        client.execute_command("ACL", "SETUSER", "grouped", "reset", "~*", "&*", f"+@{category}")
        for name in COMMANDS:
            words = [name, "k", "1", "1", "1"][: max(arity[name], 0) or 5]
            verdict = client.execute_command("ACL", "DRYRUN", "grouped", *words)
            assert (str(verdict) == "OK") == (name in names), (category, name, verdict)
    client.execute_command("ACL", "DELUSER", "grouped")
