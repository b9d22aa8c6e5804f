"""Epochs: who begins to be a primary writes under a new one, each box says so with its first change, and a
position is judged by the epoch under which it was given. What a failover loses is in tests/fault."""

import json
import os

import pytest

from effects import Primary, read_aof, server_with_aof
from module_helpers import badge, call, check_everywhere, digest, dump, epoch_of, error_of, info, pairs
from resp import Resp
from servers import Group, RedisServer

KEY, OTHER = "inbox:1", "inbox:2"


def epochs(client, key=KEY):
    """(the present one, [(past one, its last id)])"""
    about = info(client, key)
    return about["epoch"], [(one["epoch"], one["last"]) for one in map(pairs, about["past_epochs"])]


def since(client, position, key=KEY):
    """What SINCE says of the key; None: nothing new."""
    replies = [pairs(reply) for reply in call(client, "NOTIFY.SINCE", key, position)]
    for reply in replies:
        reply["ids"] = [json.loads(text)["id"] for text in reply.pop("entries")]
    return replies[0] if replies else None


def position(client, key=KEY):
    about = info(client, key)
    return f"{about['last']}@{about['rev']}@{about['epoch']}"


@pytest.fixture
def saved(programs):
    """A server that keeps what it has when it is restarted; a restart begins a new epoch."""
    return programs.redis(appendonly="yes")


def restart(server):
    server.restart()
    return server.client()


# -- who begins one


def test_the_first_entry_of_a_box_says_its_epoch_also_if_that_began_without_a_message(client, listen, shared_redis):
    call(client, "NOTIFY.FOLLOW", KEY, "topic:all", "NOPUBLISH")
    listener = listen(shared_redis, KEY)
    call(client, "NOTIFY.EVENT", KEY, "passing", "NOSTORE")
    for title in "ab":
        call(client, "NOTIFY.SEND", KEY, title)
    assert [message.get("epoch") for message in listener.messages()] == [None, epoch_of(client), None]


def test_an_epoch_that_began_with_a_change_that_nobody_is_told_of_is_said_by_the_first_entry(saved, listen):
    """Or who follows the box would take it for an entry of the epoch before, of which it is none. And it has to begin
    with the change: that may have the revision of one that was lost."""
    client = saved.client()
    sent = call(client, "NOTIFY.SEND", KEY, "a")
    first = epoch_of(client)
    for change in (["NOTIFY.FOLLOW", KEY, "topic:all"], ["NOTIFY.READ", KEY, sent]):
        client = restart(saved)
        call(client, *change, "NOPUBLISH")
    assert [end for _, end in epochs(client)[1]] == [sent, sent]
    assert epochs(client)[0] == epoch_of(client) != first
    listener = listen(saved, KEY)
    call(client, "NOTIFY.MUTE", KEY, "ads")
    call(client, "NOTIFY.EVENT", KEY, "passing", "NOSTORE")
    for title in "bc":
        call(client, "NOTIFY.SEND", KEY, title)
    said = [(message["type"], message.get("epoch")) for message in listener.messages()]
    assert said == [("muted", None), ("passing", None), ("notification", epoch_of(client)), ("notification", None)]


def test_each_start_is_an_epoch_and_a_box_is_told_with_its_first_change(saved, listen):
    client = saved.client()
    first = epoch_of(client)
    a = call(client, "NOTIFY.SEND", KEY, "a")
    b = call(client, "NOTIFY.SEND", KEY, "b")
    assert epochs(client) == (first, [])
    client = restart(saved)
    second = epoch_of(client)
    assert second != first
    assert epochs(client) == (first, [])
    listener = listen(saved, KEY)
    call(client, "NOTIFY.READ", KEY, a)
    call(client, "NOTIFY.READ", KEY, b)
    assert epochs(client) == (second, [(first, b)])
    assert [message.get("epoch") for message in listener.messages()] == [second, None]
    client = restart(saved)
    c = call(client, "NOTIFY.SEND", KEY, "c")
    assert epochs(client) == (epoch_of(client), [(first, b), (second, b)])
    client = restart(saved)
    call(client, "NOTIFY.SEND", KEY, "d")
    past = epochs(client)[1]
    assert [end for _, end in past] == [b, b, c]
    last = info(client, KEY)["last"]
    client = restart(saved)
    call(client, "NOTIFY.DEL", KEY, a)
    assert [end for _, end in epochs(client)[1]] == [b, c, last]


CHANGES = {
    "SEND": ["NOTIFY.SEND", KEY, "t"],
    "EVENT": ["NOTIFY.EVENT", KEY, "e"],
    "SENDMANY": ["NOTIFY.SENDMANY", 2, OTHER, KEY, "t"],
    "READ": ["NOTIFY.READ", KEY, "1-0"],
    "MARK": ["NOTIFY.MARK", KEY, "ARCHIVED", "1-0"],
    "READALL": ["NOTIFY.READALL", KEY],
    "READALL of a category": ["NOTIFY.READALL", KEY, "CATEGORY", "ci"],
    "SEEN": ["NOTIFY.SEEN", KEY],
    "DEL": ["NOTIFY.DEL", KEY, "1-0"],
    "TRIM": ["NOTIFY.TRIM", KEY, "MAXLEN", 1],
    "MUTE": ["NOTIFY.MUTE", KEY, "ads", "epoch"],
    "UNMUTE": ["NOTIFY.UNMUTE", KEY, "muted"],
    "FOLLOW": ["NOTIFY.FOLLOW", KEY, "l1", "epoch"],
    "UNFOLLOW": ["NOTIFY.UNFOLLOW", KEY, "log"],
    "READ of a log": ["NOTIFY.READ", KEY, "5-0", "LOG", "log"],
    "READALL of a log": ["NOTIFY.READALL", KEY, "LOG", "log"],
    "READALL of a category of a log": ["NOTIFY.READALL", KEY, "CATEGORY", "ci", "LOG", "log"],
}


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    """The AOF of a server on which every change has something to change."""
    group = Group()
    server = group.redis(appendonly="yes", aof_use_rdb_preamble="no")
    client = server.client()
    for n in (1, 2):
        call(client, "NOTIFY.SEND", KEY, "t", "ID", n, "CATEGORY", "ci")
    call(client, "NOTIFY.SEND", "log", "t", "ID", 5, "CATEGORY", "ci")
    call(client, "NOTIFY.FOLLOW", KEY, "log", "FROM", "0")
    call(client, "NOTIFY.MUTE", KEY, "muted")
    data = {}
    server.terminate()
    for name in os.listdir(os.path.join(server.dir, "appendonlydir")):
        with open(os.path.join(server.dir, "appendonlydir", name), "rb") as file:
            data[name] = file.read()
    group.close()
    return data


@pytest.fixture
def pair(programs, before):
    """A primary that has just begun, with old boxes, and its replica."""
    primary = programs.add(RedisServer(name="primary", appendonly="yes", aof_use_rdb_preamble="no"))
    folder = os.path.join(primary.dir, "appendonlydir")
    os.mkdir(folder)
    for name, bytes_ in before.items():
        with open(os.path.join(folder, name), "wb") as file:
            file.write(bytes_)
    primary.start()
    return primary, programs.replica(primary, name="replica")


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_begins_it_and_replicas_and_files_know_the_same(pair, listen, change):
    primary, replica = pair
    client = primary.client()
    listeners = listen(primary, KEY), listen(replica, KEY, via=primary)
    old = epochs(client)[0]
    call(client, *CHANGES[change])
    wanted = (epoch_of(client), [(old, "2-0")])
    assert wanted[0] != old
    said, heard = (listener.messages() for listener in listeners)
    assert said == heard and said
    assert said[0]["epoch"] == wanted[0]
    assert not any("epoch" in message for message in said[2:])

    def check(one):
        assert epochs(one) == wanted

    check_everywhere(check, primary, replica)


def test_what_changes_nothing_begins_nothing(pair):
    client = pair[0].client()
    before = epochs(client)
    for command in (["NOTIFY.READ", KEY, "7-7"], ["NOTIFY.EVENT", KEY, "e", "NOSTORE"], ["NOTIFY.SEND", KEY, "t", "NX"],
                    ["NOTIFY.RANGE", KEY, "-", "+"], ["NOTIFY.UNMUTE", KEY, "never"]):  # fmt: skip
        call(client, *command)
    assert epochs(client) == before


def test_a_promoted_replica_begins_one_and_a_demoted_primary_takes_it_over(programs):
    first = programs.redis(name="first")
    second = programs.replica(first, name="second")
    id_ = call(first.client(), "NOTIFY.SEND", KEY, "t")
    second.wait_synced()
    second.client().execute_command("REPLICAOF", "NO", "ONE")
    now, before = epoch_of(second.client()), epoch_of(first.client())
    assert now != before
    call(second.client(), "NOTIFY.READ", KEY, id_)
    first.client().execute_command("REPLICAOF", "127.0.0.1", second.port)
    first.wait_synced()
    for one in (first, second):
        assert epochs(one.client()) == (now, [(before, id_)])
    first.client().execute_command("REPLICAOF", "NO", "ONE")
    assert epoch_of(first.client()) not in (now, before)


def test_a_replica_decides_nothing(programs):
    primary = programs.redis(name="primary")
    replica = programs.replica(primary, replica_read_only="no")
    call(primary.client(), "NOTIFY.SEND", KEY, "t")
    replica.wait_synced()
    call(replica.client(), "NOTIFY.SINCE", KEY, "0-0@0@5")
    assert epochs(replica.client()) == (epoch_of(primary.client()), [])


@pytest.mark.parametrize("level", [1, 2])
def test_at_the_first_levels_there_are_none(programs, level):
    primary = programs.redis(name="primary", appendonly="yes", config={"notify.write-version": level})
    replica = programs.replica(primary)
    call(primary.client(), "NOTIFY.SEND", KEY, "t")
    call(primary.client(), "NOTIFY.READALL", KEY)
    replica.wait_synced()
    for one in (primary, replica):
        assert epochs(one.client()) == (0, [])
    client = primary.client()
    client.config_set("notify.write-version", 3)
    last = info(client, KEY)["last"]
    call(client, "NOTIFY.SEND", KEY, "t")
    assert epochs(client) == (epoch_of(client), [(0, last)])
    assert since(client, f"{last}@2@0")["gap"] == 0
    client.config_set("notify.write-version", 1)
    copied = dump(client, KEY)
    client.restore(OTHER, 0, copied)
    assert epochs(client, OTHER) == (0, [])


# -- positions


def test_a_position_of_the_same_epoch_is_good_and_says_nothing_without_news(client):
    first = call(client, "NOTIFY.SEND", KEY, "a")
    known = position(client)
    assert since(client, known) is None
    assert since(client, f"{first}@@{epoch_of(client)}") is None
    assert since(client, f"{first}@1") is None
    second = call(client, "NOTIFY.SEND", KEY, "b")
    reply = since(client, known)
    assert (reply["gap"], reply["ids"], reply["after"], reply["epoch"]) == (0, [second], first, epoch_of(client))
    assert badge(client, KEY)["epoch"] == epoch_of(client)


def test_a_position_of_an_earlier_epoch_is_good_up_to_its_end(saved):
    client = saved.client()
    old = epoch_of(client)
    for n in (1000, 2000):
        call(client, "NOTIFY.SEND", KEY, "t", "ID", n)
    client = restart(saved)
    new = epoch_of(client)
    # As after a failover that has lost 2500-0 of the old epoch.
    for n in (2400, 2600):
        call(client, "NOTIFY.SEND", KEY, "t", "ID", n)
    for known, gap, after, ids in (
        (f"1000-0@1@{old}", 0, "1000-0", ["2000-0", "2400-0", "2600-0"]),
        (f"2000-0@2@{old}", 0, "2000-0", ["2400-0", "2600-0"]),
        (f"2000-0@@{old}", 0, "2000-0", ["2400-0", "2600-0"]),
        (f"2500-0@3@{old}", 1, "2000-0", ["2400-0", "2600-0"]),
        (f"2600-0@4@{old}", 1, "2000-0", ["2400-0", "2600-0"]),
        (f"2500-0@3@{old ^ 256}", 1, "2500-0", ["2600-0"]),
        (f"0-0@0@{old ^ 256}", 0, "0-0", ["1000-0", "2000-0", "2400-0", "2600-0"]),
        ("2500-0", 0, "2500-0", ["2600-0"]),
    ):
        reply = since(client, known)
        assert (reply["gap"], reply["after"], reply["ids"], reply["epoch"]) == (gap, after, ids, new), known
    assert since(client, f"2600-0@4@{new}") is None
    assert since(client, f"2600-0@4@{old}") is not None, "the same id and revision, but another branch"


def test_a_revision_that_has_not_been_is_a_gap(client):
    last = call(client, "NOTIFY.SEND", KEY, "a")
    for _ in range(3):
        call(client, "NOTIFY.MARK", KEY, "READ", last)
        call(client, "NOTIFY.MARK", KEY, "UNREAD", last)
    assert info(client, KEY)["rev"] == 7
    assert since(client, f"{last}@6")["gap"] == 0
    assert since(client, f"{last}@8")["gap"] == 1


@pytest.mark.parametrize("way", ["DEL", "UNLINK", "RENAME", "SET", "FLUSHALL", "EXPIRE"])
def test_a_box_of_a_former_name_has_another_epoch_and_its_positions_are_a_gap(client, way):
    call(client, "NOTIFY.SEND", KEY, "a")
    known = position(client)
    before = epochs(client)[0]
    if way == "RENAME":
        client.rename(KEY, OTHER)
    elif way == "SET":
        client.set(KEY, "t")
        client.delete(KEY)
    elif way == "EXPIRE":
        client.pexpire(KEY, -1)
    else:
        call(client, way, *([] if way == "FLUSHALL" else [KEY]))
    for title in ("b", "c"):
        call(client, "NOTIFY.SEND", KEY, title)
    assert epochs(client)[0] != before
    assert since(client, known)["gap"] == 1


def test_a_box_that_is_made_anew_again_and_again_never_has_an_epoch_again_and_others_go_on(client):
    """More often than there are numbers that tell boxes of one process from each other."""
    call(client, "NOTIFY.SEND", OTHER, "t")
    known, given = epochs(client, OTHER), []
    for _ in range(600):
        call(client, "NOTIFY.SEND", KEY, "t")
        given.append(epochs(client)[0])
        client.delete(KEY)
    assert len(set(given)) == len(given)
    call(client, "NOTIFY.SEND", OTHER, "t")
    assert epochs(client, OTHER) == known


@pytest.mark.parametrize("way", ["RENAME", "COPY", "MOVE"])
def test_a_box_that_comes_from_another_key_knows_no_position_of_this_one(shared_redis, client, way):
    call(client, "NOTIFY.SEND", KEY, "a")
    known = position(client)
    database = 1 if way == "MOVE" else 0
    with Resp(shared_redis.port) as resp:
        resp.call("SELECT", database)
        source = KEY if way == "MOVE" else OTHER
        for title in ("b", "c", "d"):
            resp.call("NOTIFY.SEND", source, title)
        if way == "MOVE":
            client.delete(KEY)
            resp.call("MOVE", KEY, 0)
        elif way == "COPY":
            resp.call("COPY", OTHER, KEY, "REPLACE")
        else:
            resp.call("RENAME", OTHER, KEY)
    assert since(client, known)["gap"] == 1
    call(client, "NOTIFY.SEND", KEY, "e")
    assert since(client, known)["gap"] == 1


def test_a_restored_box_judges_by_its_own_past(client):
    """A slot that moves to another server must not make everybody fetch everything anew."""
    call(client, "NOTIFY.SEND", KEY, "a")
    known = position(client)
    payload = dump(client, KEY)
    client.delete(KEY)
    client.restore(KEY, 0, payload)
    assert since(client, known) is None
    call(client, "NOTIFY.SEND", KEY, "b")
    assert since(client, known)["gap"] == 0


def test_what_came_behind_a_dump_that_is_restored_is_lost_and_told(client):
    """The same process writes it again, below what it has written already: ids and revisions may come again."""
    both = call(client, "NOTIFY.SEND", KEY, "a")
    common, payload = position(client), dump(client, KEY)
    lost = call(client, "NOTIFY.SEND", KEY, "b")
    known = position(client)
    client.restore(KEY, 0, payload, replace=True)
    assert since(client, common) is None
    assert since(client, known)["gap"] == 1
    after = [call(client, "NOTIFY.SEND", KEY, title, "ID", f"{int(lost.split('-')[0]) + n}-0") for n, title in ((1, "c"), (2, "d"))]
    for place, gap in ((known, 1), (common, 0)):
        reply = since(client, place)
        assert (reply["gap"], reply["after"], reply["ids"]) == (gap, both, after), place
    assert len(epochs(client)[1]) == 1, "and that is all it costs"
    assert since(client, position(client)) is None


def test_of_a_dump_without_entries_all_that_came_behind_it_is_lost(client):
    call(client, "NOTIFY.FOLLOW", KEY, "topic:all")
    payload = dump(client, KEY)
    call(client, "NOTIFY.SEND", KEY, "a")
    known = position(client)
    client.restore(KEY, 0, payload, replace=True)
    for title in "bc":
        call(client, "NOTIFY.SEND", KEY, title)
    assert since(client, known)["gap"] == 1


def test_a_dump_that_is_restored_again_and_again_is_another_branch_each_time(client):
    call(client, "NOTIFY.SEND", KEY, "t", "ID", 1)
    payload, given = dump(client, KEY), []
    for n in range(300):  # more than there are boxes that leave their keys until their number begins anew
        client.restore(KEY, 0, payload, replace=True)
        call(client, "NOTIFY.SEND", KEY, "t", "ID", 2)
        given.append(epochs(client)[0])
        assert epochs(client)[0] != epochs(client)[1][0][0], n
    assert all(one != next_ for one, next_ in zip(given, given[1:]))


def test_what_is_restored_is_the_same_for_a_replica_and_a_file(programs):
    primary = programs.redis(name="primary", appendonly="yes")
    replica = programs.replica(primary, name="replica")
    client = primary.client()
    call(client, "NOTIFY.SEND", KEY, "a")
    payload = dump(client, KEY)
    call(client, "NOTIFY.SEND", KEY, "b")
    client.restore(KEY, 0, payload, replace=True)
    call(client, "NOTIFY.SEND", KEY, "c")
    wanted = epochs(client)

    def check(one):
        assert epochs(one) == wanted

    check_everywhere(check, primary, replica)


def test_a_box_of_another_database_that_is_exchanged_for_this_one_knows_none_of_its_positions(programs):
    server = programs.redis()
    client, other = server.client(), server.client(db=1)
    for one in (client, other):
        call(one, "NOTIFY.SEND", KEY, "t", "ID", 1)
    known = position(client)
    call(other, "NOTIFY.SEND", KEY, "t", "ID", 2)
    client.swapdb(0, 1)
    assert since(client, known)["gap"] == 1


@pytest.mark.parametrize("way", ["RESTORE", "a rewritten file", "full synchronisation"])
def test_a_server_that_has_written_nothing_takes_no_epoch_that_a_box_has_which_comes_from_elsewhere(programs, way):
    """A file that was rewritten consists of RESTOREBOX, and so does a slot that moves between servers of Valkey."""
    server = programs.redis(name="server")
    client, met = server.client(), epoch_of(server.client())
    other = server_with_aof(programs, [["NOTIFY.SEND", KEY, "t", "AS", f"1-0/1000/{met}"]]).start()
    if way == "RESTORE":
        client.restore(KEY, 0, dump(other.client(), KEY))
    elif way == "a rewritten file":
        other.rewrite_aof()
        primary = Primary(server)
        for command in read_aof(other.aof_base()):
            primary.send(command)
    else:
        client.execute_command("REPLICAOF", "127.0.0.1", other.port)
        server.wait_synced()
    assert epochs(client)[0] == met
    assert epoch_of(client) >> 8 != met >> 8


@pytest.mark.parametrize("word", ["1@", "1@@", "1@1@", "1@x", "1@1@x", "1@1@16777216", "1@1@1@1", "@1", "1@1@-1", "$@1"])
def test_a_position_that_is_none_is_refused(client, word):
    assert error_of(client, "NOTIFY.SINCE", KEY, word) == "id must be an id, id@rev, id@rev@epoch or $"


def test_equal_boxes_have_equal_digests_whatever_their_epochs(saved):
    client = saved.client()
    call(client, "NOTIFY.SEND", KEY, "t", "ID", 1)
    before = digest(client, KEY)
    client = restart(saved)
    call(client, "NOTIFY.SEND", OTHER, "t", "ID", 1)
    assert digest(client, KEY, OTHER) == before * 2
    assert epochs(client)[0] != epochs(client, OTHER)[0]
