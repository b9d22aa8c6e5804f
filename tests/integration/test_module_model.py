"""Random commands against a plain model in Python: the replies and the state must agree, VERIFY must be
sound, and in the end a replica, a reload, a rewritten AOF, a copy and a restored dump must be equal.

Entries expire while this runs. Each command runs in a transaction with TIME, at an instant at which
nothing is just about to expire; should the machine pause in the wrong moment, all starts anew."""

import json
import os
import random
import time

import pytest
import redis

from module_helpers import check_everywhere, digest, entries, pairs

SHORT = "session:s"  # where everything expires soon, so that the key goes
KEYS = ["inbox:a", "inbox:b", "topic:all", SHORT]
CATEGORIES = [None, "ci", "ops", "chat"]
COLLAPSE_TOKENS = [None, None, None, "job 1", "job 2", 'a "quoted" one']
LEVELS = ["info", "success", "warning", "error", "critical"]
STEPS = int(os.environ.get("NOTIFY_MODEL_STEPS", "4000"))
FAR = 253402300799999
WINDOW_MS, TOKENS_KEPT = 60, 5
MARGIN_MS = 3


class TooLate(Exception):
    """Something expired while the command was on its way."""


class Box:
    """What a box should hold, as simply as can be."""

    def __init__(self):
        self.entries = {}  # id number -> dict, in the order of ids
        self.last = 0
        self.rev = 0
        self.trimmed = 0
        self.muted = set()
        self.tokens = []  # (text, when, id number), oldest first
        self.until = 0  # when the last token has no effect any more
        self.end = 0  # of the key; 0: none

    def counted(self, category=None):
        return [
            one for one in self.entries.values()
            if one["counted"] and not one["archived"] and category in (None, one["category"])
            and one["category"] not in self.muted
        ]  # fmt: skip

    def unread(self, category=None):
        return sum(not one["read"] for one in self.counted(category))

    def unseen(self):
        return sum(not one["seen"] for one in self.counted())

    def changed(self, count):
        self.rev += count > 0
        if count > 0:
            self.settle()
        return count

    def settle(self):
        """Works out the end of the key."""
        expiries = [one["expires"] for one in self.entries.values()]
        if not self.end and expiries and 0 not in expiries:
            self.end = max(expiries)
        if self.end:
            self.end = max(self.end, self.last, self.until if self.tokens else 0)
        if self.muted:
            self.end = 0

    def add(self, number, one):
        self.entries[number] = one
        self.last = number
        if self.end:
            self.end = max(self.end, one["expires"], number) if one["expires"] else 0

    def trim(self, gone):
        for number in gone:
            del self.entries[number]
            self.trimmed = max(self.trimmed, number)
        return len(gone)

    def instants(self):
        """When something happens by itself: an entry goes, a token is forgotten, or (a little later) the key
        goes."""
        found = [one["expires"] for one in self.entries.values() if one["expires"]]
        found += [at + WINDOW_MS for _, at, _ in self.tokens]
        return found + [self.end, self.end + 1] if self.end else found

    def expire(self, now):
        for number, one in list(self.entries.items()):
            if one["expires"] and one["expires"] <= now:
                del self.entries[number]

    def collapse(self, token):
        for number, one in list(self.entries.items()):
            if token is not None and one["token"] == token:
                del self.entries[number]

    def find_token(self, text, now):
        return next((n for one, at, n in self.tokens if one == text and at > now - WINDOW_MS), None)

    def remember(self, text, now, number):
        kept = [one for one in self.tokens if one[1] > now - WINDOW_MS]
        self.tokens = (kept + [(text, now, number)])[-TOKENS_KEPT:]
        self.until = max(self.until if kept else 0, now + WINDOW_MS)


class Model:
    def __init__(self, client, rng):
        self.client = client
        self.rng = rng
        self.boxes = {}
        self.now = (0, 0)  # when the last command was carried out: not before, not after
        self.duplicates = self.expired = self.gone = self.late = 0

    def box(self, key):
        return self.boxes.get(key)

    def forget(self):
        self.late += 1
        self.client.flushall()
        self.boxes = {}

    # -- the clock

    def clock(self):
        seconds, micros = self.client.time()
        return seconds * 1000 + micros // 1000

    def instant(self):
        """The time of the last command, where it has to be known exactly."""
        if self.now[0] != self.now[1]:
            raise TooLate
        return self.now[0]

    def wait_for_quiet(self):
        """Until nothing will happen in the next moment."""
        while True:
            now = self.clock()
            instants = [at for box in self.boxes.values() for at in box.instants()]
            near = [at for at in instants if now < at <= now + MARGIN_MS]
            if near:
                time.sleep((max(near) - now) / 1000)
            elif self.client.time()[1] % 1000 < 400:  # so that mostly all happens in one millisecond
                return

    def run_all(self, *commands):
        """The replies; the model is then as of that instant."""
        self.wait_for_quiet()
        with self.client.pipeline() as pipe:
            pipe.time()
            for command in commands:
                pipe.execute_command(*command)
            pipe.time()
            first, *replies, last = pipe.execute(raise_on_error=False)
        before, after = (one[0] * 1000 + one[1] // 1000 for one in (first, last))
        self.now = (before, after)
        self.pass_by(before)
        for box in self.boxes.values():
            if any(before < at <= after + 1 for at in box.instants()):
                raise TooLate
        for reply in replies:
            if isinstance(reply, redis.ResponseError):
                raise reply
        return replies

    def run(self, *command):
        return self.run_all(command)[0]

    def pass_by(self, now):
        for key, box in list(self.boxes.items()):
            count = len(box.entries)
            box.expire(now)
            self.expired += count - len(box.entries)
            if box.end and now > box.end:
                del self.boxes[key]
                self.gone += 1

    # -- commands

    def some_ids(self, key):
        box = self.box(key)
        known = list(box.entries) if box else []
        picked = self.rng.sample(known, min(len(known), self.rng.randrange(4)))
        return picked + [self.rng.randrange(1, 3000) for _ in range(self.rng.randrange(2))] or [1]

    def step(self):
        key = self.rng.choice(KEYS)
        actions = [self.send] * (2 if key == SHORT else 6) + [self.read, self.mark, self.delete, self.compare]
        actions += [
            self.rng.choice([
                self.readall, self.seen, self.trim, self.drop, self.compare, self.mute, self.send_many, self.linger,
            ])
        ]  # fmt: skip
        try:
            self.rng.choice(actions)(key)
        except TooLate:
            self.forget()

    def expiry(self, key):
        """(options, the instant). Relative times have no instant that could be known exactly."""
        soon = self.clock() + 4 + self.rng.randrange(40)
        at = soon if key == SHORT else self.rng.choice([0] * 6 + [FAR - self.rng.randrange(100), soon])
        return (["PXAT", at], at) if at else ([], 0)

    def subject(self, key, is_event):
        """(options, what they mean) but for the id."""
        rng = self.rng
        category, level, token = rng.choice(CATEGORIES), rng.choice(LEVELS), rng.choice(COLLAPSE_TOKENS)
        content = "ü" * rng.choice((0, 1, 10, 100, 400, 3000 if rng.random() < 0.1 else 30))
        options, expires = self.expiry(key)
        options += ["LEVEL", level]
        options += ["CATEGORY", category] if category else []
        options += ["COLLAPSE", token] if token else []
        options += ["DATA", json.dumps(content)] if is_event else ["CONTENT", content]
        return options, {
            "counted": not is_event, "category": category, "level": level, "read": None, "seen": None,
            "archived": False, "expires": expires, "token": token,
        }  # fmt: skip

    def idempotency(self):
        """(options, token)."""
        if self.rng.random() < 0.7:
            return [], None
        token = f"token {self.rng.randrange(12)}"
        return ["IDEMPOTENT", token], token

    def send(self, key):
        is_event = self.rng.random() < 0.2
        number = (self.box(key).last if self.box(key) else 0) + self.rng.randrange(1, 4)
        maxlen = self.rng.choice((5, 40, 200, 1000))
        options, one = self.subject(key, is_event)
        remembering, token = self.idempotency()
        command = ["NOTIFY.EVENT", key, "e"] if is_event else ["NOTIFY.SEND", key, f"title {number}"]
        command += ["ID", number, "MAXLEN", maxlen, "WITHINFO"] + options + remembering
        try:
            reply = pairs(self.run(*command))
        except redis.ResponseError as error:  # it took so long to get here
            assert "must lie in the future" in str(error)
            return
        self.stored(key, number, maxlen, one, token, reply)

    def stored(self, key, number, maxlen, one, token, reply):
        box = self.boxes.setdefault(key, Box())
        known = box.find_token(token, self.instant()) if token else None
        assert reply["duplicate"] == (known is not None)
        if known is None:
            box.collapse(one["token"])
            box.add(number, dict(one))
            if token:
                box.remember(token, self.instant(), number)
            box.trim(list(box.entries)[: max(0, len(box.entries) - maxlen)])
            box.changed(1)
        else:
            self.duplicates += 1
        assert reply["id"] == f"{number if known is None else known}-0"
        assert reply["unread"] == box.unread()

    def send_many(self, key):
        keys = self.rng.sample([one for one in KEYS if one != SHORT], 2)
        number = max((self.box(one).last if self.box(one) else 0) for one in keys) + 1
        options, one = self.subject(key, False)
        remembering, token = self.idempotency()
        command = ["NOTIFY.SENDMANY", len(keys), *keys, "to many", "ID", number, "MAXLEN", 200, "WITHINFO"]
        try:
            replies = self.run(*command, *options, *remembering)
        except redis.ResponseError as error:
            assert "must lie in the future" in str(error)
            return
        for each, reply in zip(keys, replies):
            self.stored(each, number, 200, one, token, pairs(reply))

    def mute(self, key):
        names = self.rng.sample(CATEGORIES[1:], self.rng.randrange(1, 3))
        if self.rng.random() < 0.4 and key != SHORT:
            reply = self.run("NOTIFY.MUTE", key, *names)
            box = self.boxes.setdefault(key, Box())
            count = len(set(names) - box.muted)
            box.muted |= set(names)
        else:
            reply = self.run("NOTIFY.UNMUTE", key, *names)
            box = self.box(key) or Box()
            count = len(box.muted & set(names))
            box.muted -= set(names)
        assert reply == box.changed(count)

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
                one["read"] = None
            elif mark == "SEEN":
                one["seen"] = one["seen"] or self.now
        return one != before

    def read(self, key):
        numbers = self.some_ids(key)
        reply = self.run("NOTIFY.READ", key, *numbers)
        assert reply == self.apply(key, numbers, "READ")

    def mark(self, key):
        numbers = self.some_ids(key)
        mark = self.rng.choice(["READ", "UNREAD", "SEEN", "ARCHIVED", "UNARCHIVED"])
        reply = self.run("NOTIFY.MARK", key, mark, *numbers)
        assert reply == self.apply(key, numbers, mark)

    def upto(self, key, command, mark, category):
        limit = self.rng.choice(self.some_ids(key)) if self.rng.random() < 0.5 else None
        arguments = ["UPTO", limit] if limit else []
        arguments += ["CATEGORY", category] if category else []
        reply = self.run(command, key, *arguments)
        box = self.box(key)
        numbers = [
            number for number in (box.entries if box else [])
            if (not limit or number <= limit) and category in (None, box.entries[number]["category"])
        ]  # fmt: skip
        assert reply == self.apply(key, numbers, mark)

    def readall(self, key):
        self.upto(key, "NOTIFY.READALL", "READ", self.rng.choice(CATEGORIES))

    def seen(self, key):
        self.upto(key, "NOTIFY.SEEN", "SEEN", None)

    def delete(self, key):
        numbers = self.some_ids(key)
        reply = self.run("NOTIFY.DEL", key, *numbers)
        box, count = self.box(key), 0
        for number in numbers if box else []:
            count += box.entries.pop(number, None) is not None
        assert reply == (box.changed(count) if box else 0)

    def trim(self, key):
        keep, limit = self.rng.randrange(60), self.rng.choice(self.some_ids(key))
        by_id = self.rng.random() < 0.5
        reply = self.run("NOTIFY.TRIM", key, *(["MINID", limit] if by_id else ["MAXLEN", keep]))
        box = self.box(key)
        numbers = list(box.entries) if box else []
        gone = [n for n in numbers if n < limit] if by_id else numbers[: max(0, len(numbers) - keep)]
        assert reply == len(gone)
        if box:
            box.changed(box.trim(gone))

    def drop(self, key):
        if self.rng.random() < 0.1:
            assert self.run("DEL", key) == (key in self.boxes)
            self.boxes.pop(key, None)

    def linger(self, key):
        """Until the key has gone, if it is about to."""
        box = self.box(SHORT)
        if box and box.end and box.end - self.clock() < 100:
            time.sleep(max(0, box.end + 2 - self.clock()) / 1000)
        self.compare(SHORT)

    # -- comparing

    def compare(self, key):
        try:
            exists, audit, about, shown, everything, unread, end = self.run_all(
                ("EXISTS", key), ("NOTIFY.VERIFY", key), ("NOTIFY.INFO", key), ("NOTIFY.BADGE", key),
                ("NOTIFY.RANGE", key, "-", "+", "ALL"),
                ("NOTIFY.RANGE", key, "-", "+", "UNREAD", "COUNT", 7), ("PEXPIRETIME", key),
            )  # fmt: skip
        except redis.ResponseError as error:
            assert "no such key" in str(error) and self.box(key) is None
            return
        box = self.box(key)
        assert exists and box is not None
        audit, about, shown = pairs(audit), pairs(about), pairs(shown)
        assert audit["sound"] == 1, audit
        assert about["length"] == len(box.entries)
        assert (about["last"], about["rev"]) == (f"{box.last}-0", box.rev)
        assert about["trimmed"] == f"{box.trimmed}-0"
        assert end == (box.end or -1)
        assert shown["unread"] == box.unread() and shown["unseen"] == box.unseen()
        by_category = {name: box.unread(name) for name in CATEGORIES if name and box.unread(name)}
        assert pairs(shown["by_category"]) == by_category
        waiting = [LEVELS.index(one["level"]) for one in box.counted() if not one["read"]]
        assert shown["max_level"] == (LEVELS[max(waiting)] if waiting else None)
        self.compare_entries(box, everything, unread)

    def compare_entries(self, box, everything, unread):
        found = entries(everything)
        assert [one for one, _ in found] == [f"{number}-0" for number in box.entries]
        for (_, fields), one in zip(found, box.entries.values()):
            assert fields["level"] == one["level"] and fields.get("category") == one["category"]
            for name in ("read", "seen"):
                first, last = one[name] or (0, 0)
                assert first <= fields.get(f"{name}_at", 0) <= last
            assert fields.get("archived", 0) == one["archived"]
            assert fields.get("expires_at", 0) == one["expires"]
            assert fields.get("collapse") == one["token"]
        wanted = [f"{number}-0" for number, one in box.entries.items()
                  if one["counted"] and not one["archived"] and not one["read"]]  # fmt: skip
        assert [one[0] for one in unread] == wanted[:7]

    def compare_all(self):
        for key in KEYS:
            try:
                self.compare(key)
            except TooLate:
                self.forget()


def copies(client, raw):
    """Digests of a copy and of a restored dump of each key."""
    for key in KEYS:
        if client.exists(key):
            client.copy(key, "copied:" + key, replace=True)
            left = max(0, client.execute_command("PEXPIRETIME", key))
            options = ["ABSTTL"] if left else []
            raw.execute_command("RESTORE", "restored:" + key, left, raw.dump(key), "REPLACE", *options)
    return [digest(client, *(prefix + key for key in KEYS)) for prefix in ("copied:", "restored:")]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_random_commands_agree_with_the_model(programs, seed):
    primary = programs.redis(name="primary", appendonly="yes", aof_use_rdb_preamble="no")
    replica = programs.replica(primary)
    client = primary.client()
    client.config_set("notify.idempotency-window-ms", WINDOW_MS)
    client.config_set("notify.idempotency-max", TOKENS_KEPT)
    model = Model(client, random.Random(seed))
    for _ in range(STEPS):
        model.step()
    assert model.late <= 20 + STEPS // 20, "the machine is too busy for this test"
    assert model.duplicates > 0 and model.expired > 0 and model.gone > 0
    # Entries that expire later would do so in the middle of what follows.
    time.sleep(0.1)
    model.compare_all()
    wanted = digest(client, *KEYS)
    raw = redis.Redis(port=primary.port)
    for found in copies(client, raw):
        assert found == wanted

    def check(one):
        assert digest(one, *KEYS) == wanted

    check_everywhere(check, primary, replica)
    model.compare_all()
