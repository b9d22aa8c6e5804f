"""Many inboxes that follow the same logs, beside a plain model in Python: every count must be exact at
every moment, and a replica, a reload and a rewritten AOF must be equal in the end.

NOTIFY_BROADCAST_INBOXES sets how many inboxes follow topic:all, NOTIFY_MODEL_STEPS the random steps."""

import os
import random

import pytest

from module_helpers import badge, call, check_everywhere, digest, verify

LOG = "topic:all"
INBOXES = int(os.environ.get("NOTIFY_BROADCAST_INBOXES", "400"))
STEPS = int(os.environ.get("NOTIFY_MODEL_STEPS", "3000"))


def pipelined(client, commands):
    """The replies to many commands, a few thousand at a time; an error is raised."""
    replies = []
    for first in range(0, len(commands), 5000):
        pipe = client.pipeline(transaction=False)
        for command in commands[first : first + 5000]:
            pipe.execute_command(*command)
        replies += pipe.execute()
    return replies


def test_a_broadcast_is_one_send_whatever_the_number_of_inboxes(redis_server):
    client = redis_server.client()
    rng = random.Random(7)
    keys = [f"inbox:{n}" for n in range(INBOXES)]
    unread = dict.fromkeys(keys, 0)
    sent = []

    def check(which):
        counts = pipelined(client, [("NOTIFY.UNREAD", key, "LOGS", 1, LOG) for key in which])
        assert counts == [unread[key] for key in which]

    def send():
        sent.append(call(client, "NOTIFY.SEND", LOG, "to everybody", "CONTENT", "x" * 200))
        for key in keys:
            unread[key] += 1

    call(client, "NOTIFY.SEND", LOG, "before they followed")
    pipelined(client, [("NOTIFY.FOLLOW", key, LOG) for key in keys])
    check(keys)
    before = client.info("memory")["used_memory"]
    client.config_resetstat()
    send()
    one_send = client.info("commandstats")["cmdstat_NOTIFY.SEND"]
    about = client.info("notify")
    assert one_send["calls"] == 1
    assert (about["notify_sends"], about["notify_entries"]) == (2, 2), "stored once"
    grown = client.info("memory")["used_memory"] - before
    assert grown < 100_000, "nothing is stored in the inboxes"
    check(keys)
    read = {key: set() for key in keys}
    for step in range(20):
        if step % 4 == 0:
            send()
        readers = rng.sample(keys, max(1, len(keys) // 20))
        commands = []
        for key in readers:
            if rng.random() < 0.15:
                commands.append(("NOTIFY.READALL", key, "LOG", LOG))
                read[key].update(sent)
            else:
                number = rng.choice(sent)
                commands.append(("NOTIFY.READ", key, number, "LOG", LOG))
                read[key].add(number)
        replies = pipelined(client, commands)
        for key, reply in zip(readers, replies):
            left = len(sent) - len(read[key])
            assert reply == unread[key] - left
            unread[key] = left
        check(rng.sample(keys, min(len(keys), 2000)))
        check(readers)
    check(keys)
    counting = client.info("commandstats")["cmdstat_NOTIFY.UNREAD"]
    print(f"{len(keys)} inboxes: a broadcast took one SEND of {one_send['usec']} us and {grown} bytes; "
          f"{counting['calls']} x UNREAD LOGS at {counting['usec_per_call']} us; an inbox that only follows "
          f"has {client.memory_usage(keys[0])} bytes")  # fmt: skip


# -- a random sequence of everything


class Model:
    """Logs as lists of entries, and for each inbox and log what has been read."""

    LOGS = ["topic:a", "topic:b", "topic:c"]
    KEYS = [f"inbox:{n}" for n in range(6)]
    CATEGORIES = [None, "ci", "ops"]

    def __init__(self, client, rng):
        self.client = client
        self.rng = rng
        self.last = 0
        self.logs = {}  # name -> {number: entry}
        self.follows = {key: {} for key in self.KEYS}  # key -> log -> state
        self.muted = {key: set() for key in self.KEYS}
        self.rev = {}

    def some_numbers(self, log):
        known = list(self.logs.get(log, {}))
        picked = self.rng.sample(known, min(len(known), self.rng.randrange(1, 5)))
        return picked + [self.rng.randrange(1, 5000)]

    def visible(self, key, log, upto=None):
        """(number, entry) of what the inbox could count in the log."""
        state = self.follows[key].get(log)
        for number, one in self.logs.get(log, {}).items():
            if state and number > state["start"] and (upto is None or number <= upto):
                if one["counted"] and not one["archived"]:
                    yield number, one

    def unread(self, key, log, categories=None):
        state = self.follows[key].get(log)
        return sum(
            number not in state["read"] and number not in state["archived"]
            and one["category"] not in self.muted[key]
            and (categories is None or one["category"] in categories)
            for number, one in self.visible(key, log)
        )  # fmt: skip

    def changed(self, key, count):
        self.rev[key] = self.rev.get(key, 0) + (count > 0)
        return count

    # -- what happens to logs

    def send(self, key, log):
        self.last += self.rng.randrange(1, 3)
        category, is_event = self.rng.choice(self.CATEGORIES), self.rng.random() < 0.2
        command = ["NOTIFY.EVENT", log, "e"] if is_event else ["NOTIFY.SEND", log, "t"]
        command += ["ID", self.last, "MAXLEN", 60] + (["CATEGORY", category] if category else [])
        assert call(self.client, *command) == f"{self.last}-0"
        entries = self.logs.setdefault(log, {})
        entries[self.last] = {"counted": not is_event, "category": category, "archived": False}
        for number in list(entries)[: max(0, len(entries) - 60)]:
            del entries[number]

    def delete(self, key, log):
        for number in self.some_numbers(log)[:1]:
            there = self.logs.get(log, {}).pop(number, None) is not None
            assert call(self.client, "NOTIFY.DEL", log, number) == there

    def withdraw(self, key, log):
        number, archived = self.some_numbers(log)[0], self.rng.random() < 0.5
        one = self.logs.get(log, {}).get(number)
        count = one is not None and one["archived"] != archived
        mark = "ARCHIVED" if archived else "UNARCHIVED"
        assert call(self.client, "NOTIFY.MARK", log, mark, number) == count
        if one:
            one["archived"] = archived

    def drop(self, key, log):
        assert self.client.delete(log) == (log in self.logs)
        self.logs.pop(log, None)

    # -- what happens to inboxes

    def follow(self, key, log):
        start = self.rng.choice(["$", "0", str(self.rng.randrange(self.last + 1))])
        is_new = log not in self.follows[key]
        assert call(self.client, "NOTIFY.FOLLOW", key, log, "FROM", start) == self.changed(key, is_new)
        if is_new:
            # A log that has lost its newest entries still knows their ids.
            number = call(self.client, "NOTIFY.CURSORS", key)
            number = dict(zip(number[::2], number[1::2]))[log][1]
            if start != "$":
                assert number == f"{start}-0"
            self.follows[key][log] = {"start": int(number.split("-")[0]), "read": set(), "archived": set()}

    def unfollow(self, key, log):
        count = self.follows[key].pop(log, None) is not None
        assert call(self.client, "NOTIFY.UNFOLLOW", key, log) == self.changed(key, count)

    def mark(self, key, log):
        numbers = self.some_numbers(log)
        mark = self.rng.choice(["READ"] * 4 + ["UNREAD", "ARCHIVED", "UNARCHIVED"])
        state, count = self.follows[key].get(log), 0
        for number in numbers if state else []:
            one = self.logs.get(log, {}).get(number)
            if one is None or number <= state["start"] or not (one["counted"] or "ARCH" in mark):
                continue
            ids = state["archived"] if "ARCH" in mark else state["read"]
            count += (number in ids) != (mark in ("READ", "ARCHIVED"))
            (ids.add if mark in ("READ", "ARCHIVED") else ids.discard)(number)
        reply = call(self.client, "NOTIFY.MARK", key, mark, *numbers, "LOG", log)
        assert reply == self.changed(key, count)

    def readall(self, key, log):
        upto = self.rng.choice([None, self.rng.randrange(self.last + 2)])
        category = self.rng.choice([None, None, "ci"])
        state = self.follows[key].get(log)
        found = [number for number, one in self.visible(key, log, upto)
                 if category in (None, one["category"]) and number not in state["read"]]  # fmt: skip
        options = (["UPTO", upto] if upto is not None else []) + (["CATEGORY", category] if category else [])
        reply = call(self.client, "NOTIFY.READALL", key, *options, "LOG", log)
        assert reply == self.changed(key, len(found))
        if found:  # what has been withdrawn up to there is read as well, should it come back
            state["read"].update(n for n, one in self.logs[log].items()
                                 if (upto is None or n <= upto) and category in (None, one["category"]))  # fmt: skip

    def mute(self, key, log):
        command, change = self.rng.choice([("MUTE", self.muted[key].add), ("UNMUTE", self.muted[key].discard)])
        category = self.rng.choice(self.CATEGORIES[1:])
        before = set(self.muted[key])
        change(category)
        count = before != self.muted[key]
        assert call(self.client, f"NOTIFY.{command}", key, category) == self.changed(key, count)

    def check(self, key):
        logs = self.LOGS
        asked = call(self.client, "NOTIFY.UNREAD", key, "LOGS", len(logs), *logs)
        assert asked == sum(self.unread(key, log) for log in self.follows[key])
        asked = call(self.client, "NOTIFY.UNREAD", key, "CATEGORY", "ci", "LOGS", len(logs), *logs)
        assert asked == sum(self.unread(key, log, ["ci"]) for log in self.follows[key])
        shares = call(self.client, "NOTIFY.BADGE", key, "LOGS", len(logs), *logs)
        shares = dict(zip(shares[::2], shares[1::2]))["logs"]
        for log, share in zip(shares[::2], shares[1::2]):
            expected = self.unread(key, log) if log in self.follows[key] else 0
            assert dict(zip(share[::2], share[1::2]))["unread"] == expected

    def step(self):
        actions = [self.send] * 8 + [self.mark] * 8 + [self.readall, self.delete, self.withdraw]
        actions += [self.rng.choice([self.follow, self.follow, self.unfollow, self.mute, self.drop])]
        action, key, log = self.rng.choice(actions), self.rng.choice(self.KEYS), self.rng.choice(self.LOGS)
        if action == self.drop and self.rng.random() < 0.8:
            return
        action(key, log)
        self.check(key)
        self.check(self.rng.choice(self.KEYS))


@pytest.mark.parametrize("seed", [1, 2])
def test_counts_agree_with_a_model_and_every_copy_is_equal(programs, seed):
    primary = programs.redis(name="primary", appendonly="yes", **{"aof-use-rdb-preamble": "no"})
    replica = programs.replica(primary)
    client, there = primary.client(), replica.client()
    model = Model(client, random.Random(seed))
    keys = model.KEYS + model.LOGS
    for step in range(STEPS):
        model.step()
        if step % 500 == 499:
            replica.wait_synced()
            assert digest(there, *keys) == digest(client, *keys)
    for key in model.KEYS:
        assert badge(client, key)["rev"] == model.rev.get(key, 0)
        if client.exists(key):
            verify(client, key)
    wanted = digest(client, *keys)

    def check(one):
        assert digest(one, *keys) == wanted

    check_everywhere(check, primary, replica)
    for key in model.KEYS:
        model.check(key)
