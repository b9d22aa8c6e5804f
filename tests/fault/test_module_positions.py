"""Positions over real failovers that lose what was acknowledged, and over clocks that were set back: whoever held a
position of what was lost is told, and nobody misses anything in silence."""

import json
import random

import pytest

from module_helpers import badge, call, epoch_of, info, pairs

KEY = "inbox:1"
HOUR_S = 3600


class Reader:
    """A client as a bridge's channel is one: it knows some entries with their state, and the position that goes
    with them. It reads what SINCE gives, and everything anew when that says gap. `heard` is what there has ever
    been on its branch, as {(id, title)}: what was deleted meanwhile it does not miss."""

    def __init__(self, client, heard=()):
        shown = pairs(call(client, "NOTIFY.BADGE", KEY))
        self.position = f"{shown['last']}@{shown['rev']}@{shown['epoch']}"
        self.known = contents(client)
        self.heard = frozenset(heard) | titles(self.known)

    def catch_up(self, client):
        """What SINCE says, and what the reader then believes to be there."""
        replies = call(client, "NOTIFY.SINCE", KEY, self.position, "COUNT", 10000)
        known = dict(self.known)
        if not replies:
            return "nothing new", known
        reply = pairs(replies[0])
        if reply["gap"]:
            return "gap", None
        for text in reply["entries"]:
            message = json.loads(text)
            known[message["id"]] = (message["data"]["title"], message["data"]["is_read"])
        return "entries", known


def titles(known):
    return {(id_, title) for id_, (title, _) in known.items()}


def contents(client):
    found = {}
    for id_, fields in call(client, "NOTIFY.RANGE", KEY, "-", "+", "ALL"):
        fields = pairs(fields)
        found[id_] = (fields["title"], "read_at" in fields)
    return found


@pytest.fixture
def branches(programs):
    """(the primary that will lose, its replica whose clock is an hour behind)"""
    primary = programs.redis(name="primary", appendonly="yes", appendfsync="always")
    replica = programs.replica(primary, name="behind", clock_offset_s=-HOUR_S)
    return primary, replica


def part(primary, replica):
    """The replica becomes a primary of its own; what the other one acknowledges from now on is lost."""
    replica.wait_synced()
    replica.client().execute_command("REPLICAOF", "NO", "ONE")


def test_the_clock_of_the_replica_is_really_behind(branches):
    primary, replica = branches
    assert 3590 < primary.client().time()[0] - replica.client().time()[0] < 3610


def test_the_same_revision_of_two_branches_is_news(branches):
    """The old primary acknowledged READ (rev 3), the new one did DEL (rev 3)."""
    primary, replica = branches
    old, new = primary.client(), replica.client()
    a = call(old, "NOTIFY.SEND", KEY, "a")
    b = call(old, "NOTIFY.SEND", KEY, "b")
    part(primary, replica)
    call(old, "NOTIFY.READ", KEY, a)
    reader = Reader(old)
    call(new, "NOTIFY.DEL", KEY, b)
    assert info(old, KEY)["rev"] == info(new, KEY)["rev"] == 3
    assert reader.catch_up(new)[0] != "nothing new"
    (reply,) = call(new, "NOTIFY.SINCE", KEY, reader.position)
    assert pairs(reply)["epoch"] == badge(new, KEY)["epoch"] == epoch_of(new)


def test_an_id_that_was_lost_is_a_gap_though_greater_ones_exist(branches):
    primary, replica = branches
    old, new = primary.client(), replica.client()
    call(old, "NOTIFY.SEND", KEY, "both")
    part(primary, replica)
    lost = call(old, "NOTIFY.SEND", KEY, "lost", "ID", old.time()[0] * 1000 + 100000)
    reader = Reader(old)
    unheard = call(new, "NOTIFY.SEND", KEY, "behind")
    call(new, "NOTIFY.SEND", KEY, "ahead", "ID", int(lost.split("-")[0]) + 100)
    assert unheard < lost
    assert reader.catch_up(new)[0] == "gap"


def test_a_box_that_was_made_in_both_branches_is_another_one(branches):
    primary, replica = branches
    old, new = primary.client(), replica.client()
    part(primary, replica)
    lost = call(old, "NOTIFY.SEND", KEY, "lost")
    reader = Reader(old)
    assert call(new, "NOTIFY.SEND", KEY, "behind") < lost
    call(new, "NOTIFY.SEND", KEY, "ahead", "ID", int(lost.split("-")[0]) + 100)
    assert reader.catch_up(new)[0] == "gap"


def test_a_restart_that_loses_the_last_writes_is_noticed(programs):
    server = programs.redis(save="3600 1000000")
    client = server.client()
    call(client, "NOTIFY.SEND", KEY, "kept")
    client.save()
    call(client, "NOTIFY.SEND", KEY, "lost")
    reader = Reader(client)
    server.kill9()
    server.start()
    client = server.client()
    ids = list(reader.known)
    call(client, "NOTIFY.SEND", KEY, "other", "ID", ids[-1])  # the very same id
    assert reader.catch_up(client)[0] == "gap"


def change(client, rng, n):
    """Any write; ids by the server's own clock, or a little ahead of the last one."""
    about = call(client, "NOTIFY.BADGE", KEY)
    last = int(pairs(about)["last"].split("-")[0])
    ids = [id_ for id_, _ in call(client, "NOTIFY.RANGE", KEY, "-", "+", "ALL")]
    kind = rng.choice(["send", "send", "ahead", "read", "unread", "del", "gone", "trim"])
    if kind == "send" or not ids:
        call(client, "NOTIFY.SEND", KEY, f"t{n}")
    elif kind == "ahead":
        call(client, "NOTIFY.SEND", KEY, f"t{n}", "ID", last + rng.randrange(1, 3))
    elif kind == "read":
        call(client, "NOTIFY.READ", KEY, rng.choice(ids))
    elif kind == "unread":
        call(client, "NOTIFY.MARK", KEY, "UNREAD", rng.choice(ids))
    elif kind == "del":
        call(client, "NOTIFY.DEL", KEY, rng.choice(ids))
    elif kind == "gone" and rng.random() < 0.3:
        client.delete(KEY)
    elif kind == "trim":
        call(client, "NOTIFY.TRIM", KEY, "MAXLEN", len(ids) - 1)


def check(reader, client, seed):
    """Nothing has happened in silence: without news nothing is different, and without a gap no entry is missing
    that the reader has never heard of. (Of other changes it is told that there were some, by rev and epoch.)"""
    said, known = reader.catch_up(client)
    present = contents(client)
    if said == "nothing new":
        assert known == present, f"seed {seed}: {reader.position}"
    elif said == "entries":
        missing = titles(present) - titles(known) - reader.heard
        assert not missing, f"seed {seed}: {reader.position}, {missing}"


class Branch:
    """A primary on which things happen, and all that there has been on it."""

    def __init__(self, server, heard=()):
        self.server, self.heard = server, set(heard)

    def change(self, rng, n):
        change(self.server.client(), rng, n)
        self.heard |= titles(contents(self.server.client()))
        return Reader(self.server.client(), self.heard)


@pytest.mark.parametrize("round_", range(3))
def test_nobody_misses_anything_in_silence_whatever_is_lost_and_by_whatever_clock(programs, round_):
    seed = random.randrange(1 << 30)
    rng = random.Random(seed)
    branch = Branch(programs.redis(name="first", appendonly="yes", appendfsync="always"))
    readers = []
    for n in range(4):
        readers += [branch.change(rng, f"{n}.both") for _ in range(rng.randrange(1, 6))]
        offset = rng.choice([0, -HOUR_S, HOUR_S, -30])
        replica = programs.replica(branch.server, name=f"next{n}", appendonly="yes", clock_offset_s=offset)
        part(branch.server, replica)
        kept = Branch(replica, branch.heard)
        readers += [branch.change(rng, f"{n}.lost") for _ in range(rng.randrange(0, 4))]
        branch.server.kill9()
        for _ in range(rng.randrange(0, 5)):
            kept.change(rng, f"{n}.kept")
            for reader in readers:
                check(reader, replica.client(), seed)
        branch = kept
