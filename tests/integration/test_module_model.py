"""Random commands against a plain model in Python: the replies and the state must agree, VERIFY must be
sound, and in the end a replica, a reload and a rewritten AOF must be equal."""

import json
import os
import random

import pytest

from module_helpers import badge, call, digest, entries, info, verify

KEYS = ["inbox:a", "inbox:b", "topic:all"]
CATEGORIES = [None, "ci", "ops", "chat"]
LEVELS = ["info", "success", "warning", "error", "critical"]
STEPS = int(os.environ.get("NOTIFY_MODEL_STEPS", "4000"))


class Box:
    """What a box should hold, as simply as can be."""

    def __init__(self):
        self.entries = {}  # id number -> dict, in the order of ids
        self.last = 0
        self.rev = 0
        self.trimmed = 0

    def counted(self, category=None):
        return [
            one for one in self.entries.values()
            if one["counted"] and not one["archived"] and category in (None, one["category"])
        ]  # fmt: skip

    def unread(self, category=None):
        return sum(not one["read"] for one in self.counted(category))

    def unseen(self):
        return sum(not one["seen"] for one in self.counted())

    def changed(self, count):
        self.rev += count > 0
        return count

    def trim(self, gone):
        for number in gone:
            del self.entries[number]
            self.trimmed = max(self.trimmed, number)
        return len(gone)


class Model:
    def __init__(self, client, rng):
        self.client = client
        self.rng = rng
        self.boxes = {}
        self.now = 1000

    def box(self, key):
        return self.boxes.get(key)

    def some_ids(self, key):
        box = self.box(key)
        known = list(box.entries) if box else []
        picked = self.rng.sample(known, min(len(known), self.rng.randrange(4)))
        return picked + [self.rng.randrange(1, 3000) for _ in range(self.rng.randrange(2))] or [1]

    def step(self):
        key = self.rng.choice(KEYS)
        actions = [self.send] * 6 + [self.read, self.mark, self.delete, self.compare]
        actions += [self.rng.choice([self.readall, self.seen, self.trim, self.drop, self.compare])]
        self.rng.choice(actions)(key)

    # -- commands

    def send(self, key):
        rng, is_event = self.rng, self.rng.random() < 0.2
        box = self.boxes.setdefault(key, Box())
        number = box.last + rng.randrange(1, 4)
        category, level = rng.choice(CATEGORIES), rng.choice(LEVELS)
        content = "ü" * rng.choice((0, 1, 10, 100, 400, 3000 if rng.random() < 0.1 else 30))
        maxlen = rng.choice((5, 40, 200, 1000))
        command = ["NOTIFY.EVENT", key, "e"] if is_event else ["NOTIFY.SEND", key, f"title {number}"]
        command += ["ID", number, "LEVEL", level, "MAXLEN", maxlen]
        if category:
            command += ["CATEGORY", category]
        command += ["DATA", json.dumps(content)] if is_event else ["CONTENT", content]
        assert call(self.client, *command) == f"{number}-0"
        box.entries[number] = {
            "counted": not is_event, "category": category, "level": level, "read": 0, "seen": 0,
            "archived": False,
        }  # fmt: skip
        box.last = number
        box.trim(list(box.entries)[: max(0, len(box.entries) - maxlen)])
        box.rev += 1

    def apply(self, key, numbers, mark):
        box, count = self.box(key), 0
        for number in numbers if box else []:
            one = box.entries.get(number)
            count += one is not None and self.mark_one(one, mark)
        return box.changed(count) if box else 0

    def mark_one(self, one, mark):
        before = dict(one)
        if mark in ("ARCHIVED", "UNARCHIVED"):
            one["archived"] = mark == "ARCHIVED"
        elif one["counted"]:
            if mark == "READ" and not one["read"]:
                one["read"] = self.now
                one["seen"] = one["seen"] or self.now
            elif mark == "UNREAD":
                one["read"] = 0
            elif mark == "SEEN":
                one["seen"] = one["seen"] or self.now
        return one != before

    def read(self, key):
        numbers = self.some_ids(key)
        self.now += 1
        reply = call(self.client, "NOTIFY.READ", key, *numbers, "AT", self.now)
        assert reply == self.apply(key, numbers, "READ")

    def mark(self, key):
        numbers = self.some_ids(key)
        mark = self.rng.choice(["READ", "UNREAD", "SEEN", "ARCHIVED", "UNARCHIVED"])
        self.now += 1
        reply = call(self.client, "NOTIFY.MARK", key, mark, *numbers, "AT", self.now)
        assert reply == self.apply(key, numbers, mark)

    def upto(self, key, command, mark, category):
        box = self.box(key)
        numbers = list(box.entries) if box else []
        self.now += 1
        arguments = ["AT", self.now]
        if self.rng.random() < 0.5 and numbers:
            limit = self.rng.choice(numbers)
            numbers = [number for number in numbers if number <= limit]
            arguments += ["UPTO", limit]
        if category:
            numbers = [number for number in numbers if box.entries[number]["category"] == category]
            arguments += ["CATEGORY", category]
        reply = call(self.client, command, key, *arguments)
        assert reply == self.apply(key, numbers, mark)

    def readall(self, key):
        self.upto(key, "NOTIFY.READALL", "READ", self.rng.choice(CATEGORIES))

    def seen(self, key):
        self.upto(key, "NOTIFY.SEEN", "SEEN", None)

    def delete(self, key):
        box, numbers = self.box(key), self.some_ids(key)
        count = 0
        for number in numbers if box else []:
            count += box.entries.pop(number, None) is not None
        assert call(self.client, "NOTIFY.DEL", key, *numbers) == count
        if box:
            box.changed(count)

    def trim(self, key):
        box = self.box(key)
        numbers = list(box.entries) if box else []
        if self.rng.random() < 0.5:
            keep = self.rng.randrange(60)
            command, gone = ["MAXLEN", keep], numbers[: max(0, len(numbers) - keep)]
        else:
            limit = self.rng.choice(numbers) if numbers else 5
            command, gone = ["MINID", limit], [number for number in numbers if number < limit]
        assert call(self.client, "NOTIFY.TRIM", key, *command) == len(gone)
        if box:
            box.changed(box.trim(gone))

    def drop(self, key):
        if self.rng.random() < 0.1:
            assert call(self.client, "DEL", key) == (key in self.boxes)
            self.boxes.pop(key, None)

    # -- comparing

    def compare(self, key):
        box = self.box(key)
        if box is None:
            assert self.client.exists(key) == 0
            return
        audit = verify(self.client, key)
        assert audit["length"] == [len(box.entries)] * 2
        about, shown = info(self.client, key), badge(self.client, key)
        assert (about["last"], about["rev"]) == (f"{box.last}-0", box.rev)
        assert about["trimmed"] == f"{box.trimmed}-0"
        assert shown["unread"] == box.unread() and shown["unseen"] == box.unseen()
        by_category = {name: box.unread(name) for name in CATEGORIES if name and box.unread(name)}
        assert shown["by_category"] == by_category
        waiting = [LEVELS.index(one["level"]) for one in box.counted() if not one["read"]]
        assert shown["max_level"] == (LEVELS[max(waiting)] if waiting else None)
        self.compare_entries(key, box)

    def compare_entries(self, key, box):
        found = entries(call(self.client, "NOTIFY.RANGE", key, "-", "+", "ALL"))
        assert [one for one, _ in found] == [f"{number}-0" for number in box.entries]
        for (_, fields), one in zip(found, box.entries.values()):
            assert fields["level"] == one["level"] and fields.get("category") == one["category"]
            assert fields.get("read_at", 0) == one["read"] and fields.get("seen_at", 0) == one["seen"]
            assert fields.get("archived", 0) == one["archived"]
        unread = call(self.client, "NOTIFY.RANGE", key, "-", "+", "UNREAD", "COUNT", 7)
        wanted = [f"{number}-0" for number, one in box.entries.items()
                  if one["counted"] and not one["archived"] and not one["read"]]  # fmt: skip
        assert [one[0] for one in unread] == wanted[:7]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_random_commands_agree_with_the_model(programs, seed):
    primary = programs.redis(name="primary", appendonly="yes", aof_use_rdb_preamble="no")
    replica = programs.redis(name="replica", replica_of=primary)
    replica.wait_line(r"<-> REPLICA sync: Finished with success")
    client = primary.client()
    model = Model(client, random.Random(seed))
    for _ in range(STEPS):
        model.step()
    for key in KEYS:
        model.compare(key)
    wanted = digest(client, *KEYS)
    replica.wait_synced()
    assert digest(replica.client(), *KEYS) == wanted
    client.execute_command("DEBUG", "RELOAD")
    assert digest(client, *KEYS) == wanted
    client.execute_command("DEBUG", "LOADAOF")
    assert digest(client, *KEYS) == wanted
    for key in KEYS:
        model.compare(key)
