"""What a command does is replicated once, as its effect; the message about it is rendered and published by each
server for its own subscribers. Everybody hears each message once, and the same bytes everywhere."""

import pytest

from module_helpers import call, digest, epoch_of, info, verify
from servers import wait_until

KEY, OTHER, LOG, SET = "inbox:1", "inbox:2", "topic:all", "sessions:1"
CHANNELS = (KEY, OTHER, LOG, SET, "a", "b", "c")
FAR = 253402300799999


def do_everything(client):
    """Every command that publishes, in every form whose message looks different."""
    ids = [
        call(client, "NOTIFY.SEND", KEY, "t", "CATEGORY", "ci", "LEVEL", "error", "EXCLUDE", "s1", "CONTENT", "c"),
        call(client, "NOTIFY.SEND", KEY, "t", "COLLAPSE", "x", "PX", 600000),
        call(client, "NOTIFY.SEND", KEY, "t", "COLLAPSE", "x", "ACTION", '{"a": 1}', "ENTITY", "task", "7"),
        call(client, "NOTIFY.EVENT", KEY, "progress", "DATA", '{"p": 1}', "EX", 600),
        call(client, "NOTIFY.SEND", KEY, "t", "IDEMPOTENT", "i", "NX"),
        call(client, "NOTIFY.SEND", KEY, "t", "IDEMPOTENT", "i", "XX"),
        call(client, "NOTIFY.SEND", KEY, "t", "IDEMPOTENT", "i", "XX", "WITHINFO")[1],
        call(client, "NOTIFY.SEND", KEY, "t", "PXAT", FAR, "MAXLEN", 5),
        call(client, "NOTIFY.SEND", KEY, "t", "MAXLEN", 3, "EVENT", "alert"),
    ]
    call(client, "NOTIFY.EVENT", KEY, "typing", "NOSTORE")
    call(client, "NOTIFY.SEND", KEY, "silent", "NOPUBLISH")
    call(client, "NOTIFY.READ", KEY, *ids[-2:], "9-9")
    call(client, "NOTIFY.MARK", KEY, "UNREAD", ids[-1])
    call(client, "NOTIFY.MARK", KEY, "ARCHIVED", ids[-1], "NOPUBLISH")
    call(client, "NOTIFY.MARK", KEY, "UNARCHIVED", ids[-1])
    call(client, "NOTIFY.MUTE", KEY, "ci", "ops")
    call(client, "NOTIFY.SEND", KEY, "muted", "CATEGORY", "ci")
    call(client, "NOTIFY.UNMUTE", KEY, "ci")
    call(client, "NOTIFY.SEEN", KEY)
    call(client, "NOTIFY.READALL", KEY, "CATEGORY", "ci")
    call(client, "NOTIFY.READALL", KEY)
    many = [call(client, "NOTIFY.SEND", LOG, f"t{n}", "CATEGORY", f"c{n % 2}") for n in range(300)]
    call(client, "NOTIFY.FOLLOW", KEY, LOG, "b", "FROM", many[10])
    call(client, "NOTIFY.READ", KEY, *many[11:200], "LOG", LOG)
    call(client, "NOTIFY.READALL", KEY, "CATEGORY", "c1", "LOG", LOG)
    call(client, "NOTIFY.READALL", KEY, "UPTO", many[250], "LOG", LOG)
    call(client, "NOTIFY.SEEN", KEY, "LOG", LOG)
    call(client, "NOTIFY.UNFOLLOW", KEY, LOG, "b")
    call(client, "NOTIFY.DEL", LOG, *many[:140])
    call(client, "NOTIFY.TRIM", LOG, "MINID", many[150])
    call(client, "NOTIFY.TRIM", LOG, "MAXLEN", 0)
    call(client, "NOTIFY.SENDMANY", 3, "a", "b", "c", "many", "CONTENT", "x", "EX", 600, "IDEMPOTENT", "m")
    call(client, "NOTIFY.SENDMANY", 4, "a", KEY, "b", "c", "many", "IDEMPOTENT", "m")
    call(client, "NOTIFY.SENDMANY", 3, "a", "a", "b", "twice the same", "MAXLEN", 2)
    call(client, "NOTIFY.SENDMANY", 2, "a", "nowhere", "one of them", "XX")
    call(client, "NOTIFY.SENDMANY", 2, "a", "b", "given", "ID", f"{FAR - 1}-1", "NOPUBLISH")
    call(client, "NOTIFY.SENDMANY", 2, "a", "b", "given", "ID", f"{FAR - 1}-2")
    call(client, "NOTIFY.SESSION", "OPEN", SET, "s", "c1", "LEASE", 600000)
    call(client, "NOTIFY.SESSION", "OPEN", SET, "s2", "c2", "LEASE", 600000)
    call(client, "NOTIFY.SESSION", "KICK", SET, "s")
    with client.pipeline() as pipe:
        pipe.multi()
        pipe.execute_command("NOTIFY.SEND", OTHER, "in a transaction")
        pipe.execute_command("NOTIFY.READALL", OTHER)
        pipe.execute_command("NOTIFY.SENDMANY", 2, OTHER, KEY, "in a transaction")
        pipe.execute()
    client.eval("redis.call('NOTIFY.SEND', KEYS[1], 'by a script')", 1, OTHER)


KEYS = [key for key in CHANNELS if key != SET]


@pytest.mark.parametrize("level", [1, 2, 3])
def test_everybody_hears_the_same_bytes_once(programs, listen, level):
    primary = programs.redis(name="primary", appendonly="yes", config={"notify.write-version": level})
    replica = programs.replica(primary, appendonly="yes")
    chained = programs.replica(replica, name="chained")
    client = primary.client()
    here = listen(primary, *CHANNELS)
    there = [listen(one, *CHANNELS, via=primary) for one in (replica, chained)]
    do_everything(client)
    said = here.raw()
    assert len(said) > 340
    for listener in there:
        heard = listener.raw()
        assert [one for one in zip(heard, said) if one[0] != one[1]] == []
        assert len(heard) == len(said)
    for one in (replica, chained):
        one.wait_synced()
        assert digest(one.client(), *KEYS) == digest(client, *KEYS)
    for key in KEYS:
        verify(client, key)
    check_loading_is_silent(primary, replica, KEYS)


def check_loading_is_silent(primary, replica, keys):
    """What an AOF of effects says has been published before."""
    before = digest(primary.client(), *keys)
    for server in (primary, replica):
        server.kill9()
        server.options.pop("replicaof", None)
        server.start()
        assert server.client().info("notify")["notify_publishes"] == 0
        assert digest(server.client(), *keys) == before


class Stream:
    """What a replica is sent, as lists of words."""

    def __init__(self, replica, primary):
        self.client, self.primary = replica.client(), primary.client()
        self.monitor = self.client.monitor()

    def commands(self):
        self.primary.set("end", "1")
        found = []
        while not found or found[-1][:2] != ["SET", "end"]:
            found.append(self.monitor.next_command()["command"].split(" "))
        return [words for words in found[:-1] if words[0].upper() not in ("SELECT", "PING")]


@pytest.fixture
def stream(programs):
    primary = programs.redis(name="primary")
    replica = programs.replica(primary)
    stream = Stream(replica, primary)
    with stream.monitor:
        yield stream


def test_what_is_replicated_is_one_short_effect(stream):
    client = stream.primary
    sent = call(client, "NOTIFY.SEND", KEY, "t", "NX", "WITHINFO", "CONTENT", "c", "MAXLEN", 7)[1]
    assert stream.commands() == [f"NOTIFY.SEND {KEY} t CONTENT c AS {sent}/7/{epoch_of(client)}".split()]
    call(client, "NOTIFY.SEND", KEY, "t", "NX")
    assert stream.commands() == []
    call(client, "NOTIFY.READ", KEY, sent, "9-9")
    ((*words, at),) = stream.commands()
    assert words == f"NOTIFY.MARK {KEY} READ {sent} AT".split() and at.isdigit()
    sent = call(client, "NOTIFY.SEND", KEY, "t", "NOPUBLISH")
    assert stream.commands() == [f"NOTIFY.SEND {KEY} t AS {sent}/1000 NOPUBLISH".split()]
    call(client, "NOTIFY.EVENT", KEY, "typing", "NOSTORE")
    assert [words[0] for words in stream.commands()] == ["PUBLISH"]


def test_the_body_of_sendmany_is_replicated_once(stream):
    client = stream.primary
    call(client, "NOTIFY.SEND", "b", "t")
    stream.commands()
    ids = call(client, "NOTIFY.SENDMANY", 4, "a", "b", "nowhere", "a", "body", "CONTENT", "c", "COLLAPSE", "x")
    new = f"/{epoch_of(client)}"  # for boxes that are made by this
    given = " ".join(f"{id_}/1000{begins}" for id_, begins in zip(ids, (new, "", new, "")))
    wanted = f"NOTIFY.SENDMANY 4 a b nowhere a body CONTENT c COLLAPSE x AS {given}"
    assert stream.commands() == [wanted.split()]
    ids = call(client, "NOTIFY.SENDMANY", 4, "a", "new", "b", "newer", "body", "XX")
    assert stream.commands() == [f"NOTIFY.SENDMANY 2 a b body AS {ids[0]}/1000 {ids[2]}/1000".split()]
    ids = call(client, "NOTIFY.SENDMANY", 2, "a", "new", "body", "XX")
    assert stream.commands() == [f"NOTIFY.SEND a body AS {ids[0]}/1000".split()]
    call(client, "NOTIFY.SENDMANY", 2, "new", "newer", "body", "XX")
    assert stream.commands() == []


def test_an_older_level_is_written_as_it_was(stream):
    client = stream.primary
    client.config_set("notify.write-version", 1)
    sent = call(client, "NOTIFY.SEND", KEY, "t")
    commands = stream.commands()
    assert [words[0] for words in commands] == ["MULTI", "NOTIFY.SEND", "PUBLISH", "EXEC"]
    assert commands[1] == f"NOTIFY.SEND {KEY} t ID {sent} MAXLEN 1000 NOPUBLISH".split()
    call(client, "NOTIFY.SENDMANY", 2, "a", "b", "t")
    assert [words[0] for words in stream.commands()].count("NOTIFY.SEND") == 2
    client.config_set("notify.write-version", 2)
    call(client, "NOTIFY.SENDMANY", 2, "a", "b", "t")
    assert [words[0] for words in stream.commands()] == ["NOTIFY.SENDMANY"]


def test_a_full_synchronisation_publishes_nothing_and_what_follows_once(programs, listen):
    primary = programs.redis(name="primary")
    late = programs.redis(name="late")
    listener = listen(late, KEY)
    client = primary.client()
    for n in range(50):
        call(client, "NOTIFY.SEND", KEY, f"t{n}")
    late.client().execute_command("REPLICAOF", "127.0.0.1", primary.port)
    late.wait_synced()
    call(client, "NOTIFY.SEND", KEY, "new")
    late.wait_synced()
    assert [m["data"]["title"] for m in listener.messages()] == ["new"]
    assert late.client().info("notify")["notify_publishes"] == 1


def test_each_server_goes_by_its_own_settings(programs, listen):
    primary = programs.redis(name="primary", config={"notify.publish": "off"})
    replica = programs.replica(primary)
    loud, silent = listen(replica, KEY, via=primary), listen(primary, KEY)
    call(primary.client(), "NOTIFY.SEND", KEY, "t")
    assert [m["type"] for m in loud.messages()] == ["notification"]
    assert silent.messages() == []


def test_a_replica_counts_a_log_as_its_primary_does_though_entries_have_expired(programs, listen):
    primary = programs.redis(name="primary")
    replica = programs.replica(primary)
    client = primary.client()
    listeners = listen(primary, KEY), listen(replica, KEY, via=primary)
    call(client, "NOTIFY.FOLLOW", KEY, LOG)
    call(client, "NOTIFY.SEND", LOG, "goes", "PX", 1)
    stays = [call(client, "NOTIFY.SEND", LOG, "stays") for _ in range(2)]
    call(client, "NOTIFY.SEND", LOG, "goes", "PX", 20)
    wait_until(lambda: call(client, "NOTIFY.LEN", LOG) == 2)
    call(client, "NOTIFY.READ", KEY, stays[0], "LOG", LOG)
    said, heard = (listener.messages() for listener in listeners)
    assert said == heard
    assert said[-1]["log_unread"] == 1


def test_info_of_a_replica_counts_what_it_publishes(programs):
    primary = programs.redis(name="primary")
    replica = programs.replica(primary)
    client = primary.client()
    call(client, "NOTIFY.SEND", KEY, "t")
    call(client, "NOTIFY.READALL", KEY)
    call(client, "NOTIFY.EVENT", KEY, "typing", "NOSTORE")
    replica.wait_synced()
    counts = [server.client().info("notify")["notify_publishes"] for server in (primary, replica)]
    assert counts == [3, 2]  # the third came as PUBLISH
    assert info(replica.client(), KEY)["rev"] == 2
