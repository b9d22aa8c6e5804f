"""Places of a box against all that can become of it: servers that come back with what they had once, are the primary in
turn, and bring boxes back that somebody kept, while readers are away. What the box was after each change is known here,
and from what it was before; so of each place it is known whether the box goes on from there. A place that it goes on from
is good, and exactly what stands behind it is told; of any other it is told that it is none."""

import os
import random
import shutil

import pytest

from module_helpers import call, dump, info, pairs
from servers import free_port, wait_until

KEY, OTHER = "inbox:1", "inbox:2"
HERE, BESIDE, ELSEWHERE = (0, KEY), (0, OTHER), (1, KEY)  # (database, name)
SERVERS_MAX, HOUR_S = 4, 3600


def number_of(id_):
    return tuple(map(int, id_.split("-")))


def contents(client, key):
    """{id: (title, is read)}"""
    found = {}
    for id_, fields in call(client, "NOTIFY.RANGE", key, "-", "+", "ALL"):
        fields = pairs(fields)
        found[id_] = (fields["title"], "read_at" in fields)
    return found


class State:
    """What a box was at some time; before: from what it became that. None: another box was there, or none."""

    def __init__(self, client, key, before, why):
        about = info(client, key)
        self.before, self.why, self.contents = before, why, contents(client, key)
        self.last, self.trimmed, self.rev, self.epoch = (about[name] for name in ("last", "trimmed", "rev", "epoch"))
        self.known = {one["epoch"] for one in map(pairs, about["past_epochs"])} | {self.epoch}

    def line(self):
        """It, and all that it was before."""
        state = self
        while state:
            yield state
            state = state.before

    def place(self):
        return f"{self.last}@{self.rev}@{self.epoch}"

    def is_like(self, other):
        return (self.contents, self.last, self.trimmed, self.rev, self.epoch) == (
            other.contents, other.last, other.trimmed, other.rev, other.epoch)  # fmt: skip

    def __repr__(self):
        return f"<{self.why}: {self.place()}, {sorted(self.contents)}>"


class World:
    """now: the server that is the primary, as readers have it. boxes: {server: {(database, name): State}}"""

    def __init__(self, programs, rng):
        self.programs, self.rng, self.count = programs, rng, 0
        self.boxes, self.saved, self.dumps, self.places, self.done = {}, {}, [], [], []
        self.now = self._new_server(None)

    def _new_server(self, primary):
        options = {
            "name": f"server{len(self.boxes)}", "databases": 2, "save": "3600 100000000", "appendonly": "yes",
            "aof_use_rdb_preamble": self.rng.choice(["yes", "no"]), "clock_offset_s": self.rng.choice([0, 0, -HOUR_S, HOUR_S, -30]),
        }  # fmt: skip
        server = self.programs.replica(primary, **options) if primary else self.programs.redis(**options)
        server.options.pop("replicaof", None)
        self.boxes[server] = dict(self.boxes[primary]) if primary else {}
        return server

    def client(self, database=0):
        return self.now.client(db=database)

    def _became(self, name, why, before):
        """There may stand something else under the name now."""
        database, key = name
        client = self.client(database)
        state = State(client, key, before, why) if client.exists(key) else None
        if state and before and state.is_like(before) and why != "restored":
            state = before
        self._put(name, state)

    def _put(self, name, state):
        self.boxes[self.now][name] = state
        if name == HERE and state:
            self.places.append(state)

    def _here(self, name=HERE):
        return self.boxes[self.now].get(name)

    def _others(self):
        return [server for server in self.boxes if server is not self.now]

    # -- what happens

    def change(self, name=None):
        database, key = name = name or self.rng.choice([HERE] * 8 + [BESIDE] * 2 + [ELSEWHERE])
        client, state = self.client(database), self._here(name)
        ids = list(state.contents) if state else []
        kind = self.rng.choice(["send", "send", "ahead", "follow", "mute", *(["read", "unread", "del", "trim"] if ids else [])])
        self.count += 1
        if kind == "ahead" and state:
            ahead = f"{number_of(state.last)[0] + self.rng.randrange(1, 3)}-{self.rng.randrange(2)}"
            call(client, "NOTIFY.SEND", key, f"t{self.count}", "ID", ahead)
        elif kind in ("send", "ahead"):
            call(client, "NOTIFY.SEND", key, f"t{self.count}")
        elif kind == "follow":
            call(client, "NOTIFY.FOLLOW", key, f"log{self.count}", *self.rng.choice([[], ["NOPUBLISH"]]))
        elif kind == "mute":
            call(client, "NOTIFY.MUTE", key, f"c{self.count}")
        elif kind == "trim":
            call(client, "NOTIFY.TRIM", key, "MAXLEN", max(len(ids) - 1, 1))
        else:
            words = {"read": ["NOTIFY.READ", key], "unread": ["NOTIFY.MARK", key, "UNREAD"], "del": ["NOTIFY.DEL", key]}
            call(client, *words[kind], self.rng.choice(ids))
        self._became(name, kind, state)
        return kind

    def end(self):
        way, client = self.rng.choice(["DEL", "UNLINK", "PEXPIRE", "SET", "FLUSHDB", "FLUSHALL"]), self.client()
        if way == "PEXPIRE":
            client.pexpire(KEY, -1)
        elif way == "SET":
            client.set(KEY, "t")
            client.delete(KEY)
        else:
            call(client, way, *([] if way.startswith("FLUSH") else [KEY]))
        gone = {"FLUSHALL": [HERE, BESIDE, ELSEWHERE], "FLUSHDB": [HERE, BESIDE]}.get(way, [HERE])
        for name in gone:
            self._put(name, None)
        if way == "FLUSHALL":  # an empty copy is saved
            self.saved[self.now] = dict(self.boxes[self.now])
        return way

    def keep(self):
        if self._here():
            self.dumps.append((dump(self.client(), KEY), self._here()))

    def restore(self):
        """One of the last that were kept, or one that was kept just now, before more was written."""
        if self.rng.random() < 0.5 and self._here():
            self.keep()
            self.change(HERE)
        if not self.dumps:
            return
        payload, state = self.rng.choice(self.dumps[-2:])
        if self.rng.random() < 0.3:
            self.client().delete(KEY)
        self.client().restore(KEY, 0, payload, replace=True)
        self._became(HERE, "restored", state)

    def take_other(self):
        """From another name or database."""
        way = self.rng.choice(["RENAME", "COPY", "MOVE", "SWAPDB"])
        name = BESIDE if way in ("RENAME", "COPY") else ELSEWHERE
        if way == "SWAPDB":
            self.client().delete(OTHER)
            self.client().swapdb(0, 1)
            beside = {HERE: self._here(ELSEWHERE), ELSEWHERE: self._here(), BESIDE: None}
            for one, state in beside.items():
                self._put(one, state)
        elif self._here(name):
            self.client().delete(KEY)
            words = {"RENAME": ["RENAME", OTHER, KEY], "COPY": ["COPY", OTHER, KEY], "MOVE": ["MOVE", KEY, 0]}
            self.client(name[0]).execute_command(*words[way])
            if way != "COPY":
                self._put(name, None)
            self._became(HERE, way, None)
        return way

    def save(self):
        self.client().save()
        self.saved[self.now] = dict(self.boxes[self.now])

    def restart(self):
        way = self.rng.choice(["killed", "ended", "rewritten", "RELOAD", "LOADAOF"])
        self.now.wait_aof()
        if way == "rewritten":
            self.now.rewrite_aof()
        empties = way != "RELOAD" and b"FLUSHALL" in self.now.aof_tail()
        if way in ("RELOAD", "LOADAOF"):
            self.client().execute_command("DEBUG", way)
        else:
            _ = self.now.terminate() if way == "ended" else self.now.kill9()
            self.now.start()
        if empties:  # whoever loads it does as it says, which saves an empty copy
            self.saved[self.now] = {}
        elif way in ("RELOAD", "ended"):
            self.saved[self.now] = dict(self.boxes[self.now])
        return way

    def come_back_older(self):
        """As it was saved once."""
        if self.now not in self.saved:
            return
        self.now.kill9()
        shutil.rmtree(os.path.join(self.now.dir, "appendonlydir"))
        self.now.options["appendonly"] = "no"
        self.now.start()
        self.client().config_set("appendonly", "yes")
        self.now.wait_aof()
        self.now.options["appendonly"] = "yes"
        self.boxes[self.now] = dict(self.saved[self.now])

    def fail_over(self):
        """The former primary may go on for a while, and stays as it is, or soon takes over again."""
        if len(self.boxes) >= SERVERS_MAX:
            return self.go_back()
        former, replica = self.now, self._new_server(self.now)
        replica.client().execute_command("REPLICAOF", "NO", "ONE")
        for _ in range(self.rng.choice([0, 1, 2])):
            self.change(HERE)
        self.now = replica
        return f"{replica.name}, {self._go_back(former, 'ours') if self.rng.random() < 0.5 else ''}"

    def go_back(self):
        """A former primary is that again: it never was anything else, or a replica that nobody answered, or ours."""
        if not self._others():
            return None
        return self._go_back(self.rng.choice(self._others()), self.rng.choice(["as it is", "unheard", "ours"]))

    def _go_back(self, server, way):
        if way != "as it is":
            port = free_port() if way == "unheard" else self.now.port
            server.client().execute_command("REPLICAOF", "127.0.0.1", port)
            if way == "ours":
                wait_until(lambda: server.replication().get("master_link_status") == "up", "a link to the primary")
                server.wait_synced()
                server.wait_aof()
                self.boxes[server] = dict(self.boxes[self.now])
                self.saved.pop(server, None)  # it has saved what it got
            server.client().execute_command("REPLICAOF", "NO", "ONE")
        self.now = server
        return f"{server.name} {way}"

    def move_slot(self):
        """To another server, where it is written to, and perhaps back."""
        if not self._others() or not self._here():
            return
        here = self.now
        self._migrate(self.rng.choice(self._others()))
        for _ in range(self.rng.randrange(3)):
            self.change(HERE)
        if self._here() and self.rng.random() < 0.7:
            self._migrate(here)

    def _migrate(self, server):
        state = self._here()
        self.client().execute_command("MIGRATE", "127.0.0.1", server.port, KEY, 0, 5000, "REPLACE")
        self._put(HERE, None)
        self.now = server
        self._became(HERE, "restored", state)

    def step(self):
        deeds = [self.change] * 14 + [self.keep, self.restore] * 3 + [self.take_other, self.go_back, self.fail_over] * 2 + [
            self.end, self.save, self.restart, self.come_back_older, self.move_slot]  # fmt: skip
        deed = self.rng.choice(deeds)
        self.done.append(f"{deed.__name__} {deed() or ''} at {self.now.name}: {self._here()}")

    # -- what is said of it

    def check(self):
        """A box that came from another name has no epoch before its next change, nor has a place in it."""
        present, client = self._here(), self.client()
        if present:
            assert present.is_like(State(client, KEY, None, "")), "this here is wrong itself"
        places = [state for state in self.places[-10:] + self.rng.sample(self.places, min(len(self.places), 10)) if state.epoch]
        for state in places:
            replies = call(client, "NOTIFY.SINCE", KEY, state.place(), "COUNT", 10000)
            said = pairs(replies[0]) if replies else None
            wrong = self._fault(state, present, said)
            assert wrong is None, f"{wrong}: {state}; now {present}; it said {said}"

    def _fault(self, state, present, said):
        """What is wrong with that, or None."""
        if present is None:
            return None if said and said["gap"] or state.last == "0-0" else "a place in nothing"
        line = list(present.line())
        if state in line:
            return self._fault_of_good(state, present, said, line)
        common = next((one for one in state.line() if one in line), None)
        lost = self._titles(state, common) - self._titles(present, common)
        if said is None:
            return "nothing new on another line" if lost or state.contents != present.contents else None
        if common is None or lost:
            if not said["gap"] and state.last != "0-0":
                return "a loss that is not told"
            is_known = common and state.epoch in present.known and number_of(state.last) <= number_of(present.last)
            return self._fault_of_entries(common, present, said) if is_known else None
        return None if said["gap"] else self._fault_of_entries(common, present, said)

    @staticmethod
    def _titles(state, since):
        """All that there has been in it, behind the end of since."""
        end = number_of(since.last) if since else (0, 0)
        return {(id_, title) for one in state.line() for id_, (title, _) in one.contents.items() if number_of(id_) > end}

    @staticmethod
    def _fault_of_entries(common, present, said):
        after = number_of(said["after"])
        if after > number_of(common.last):
            return "it goes on behind what both have"
        told = [text.split('"id":"')[1].split('"')[0] for text in said["entries"]]
        return None if told == [id_ for id_ in present.contents if number_of(id_) > after] else "other entries"

    def _fault_of_good(self, state, present, said, line):
        if said is None:
            return None if state.contents == present.contents else "nothing new"
        if state is present:
            return "news of nothing"
        if number_of(present.trimmed) > number_of(state.last):
            return None if said["gap"] else "what was trimmed is not told"
        if state.epoch in present.known or state.last == "0-0":
            return "a loss that is none" if said["gap"] else self._fault_of_entries(state, present, said)
        since = line[: line.index(state) + 1]
        if len({one.epoch for one in since}) + sum(one.why == "restored" for one in since) <= 4:
            return "an epoch that was forgotten too soon"
        return None if said["gap"] else "an epoch that it does not know"


@pytest.mark.parametrize("round_", range(3))
def test_a_place_is_good_exactly_where_the_box_goes_on_from_it(programs, round_):
    seed = random.randrange(1 << 30)
    world = World(programs, random.Random(seed))
    try:
        for _ in range(60):
            world.step()
            world.check()
    except Exception as wrong:
        raise AssertionError("\n".join([f"seed {seed}: {wrong!r}", *world.done[-12:]])) from wrong
