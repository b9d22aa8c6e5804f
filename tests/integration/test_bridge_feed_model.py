"""Random sequences of sends, marks from two devices on two bridges, mutes and reconnects: whenever all is at rest, every
device is told what a model says."""

import random

import pytest

from bridge_helpers import Stand, number_of
from cluster_stand import ClusterStand

LOGS = ("topic:all", "topic:ops")
INBOX = "inbox:alice"
CATEGORIES = ("ci", "ops", None)
STEPS = 120


class Entry:
    def __init__(self, id_, category):
        self.id, self.category, self.read, self.archived = id_, category, False, False


class Model:
    """What alice has: by box, the entries that she may still find there."""

    def __init__(self):
        self.boxes = {key: {} for key in (INBOX, *LOGS)}
        self.muted = set()

    def counts(self, entry):
        return not entry.read and not entry.archived and entry.category not in self.muted

    def unread(self, key):
        return sum(self.counts(entry) for entry in self.boxes[key].values())

    def by_category(self):
        found = {}
        for box in self.boxes.values():
            for entry in box.values():
                if self.counts(entry) and entry.category is not None:
                    found[entry.category] = found.get(entry.category, 0) + 1
        return found

    def feed(self, archived=False, unread_only=False):
        """(log or None, id, is it read) newest first."""
        found = [
            (None if key == INBOX else key, entry.id, entry.read)
            for key, box in self.boxes.items()
            for entry in box.values()
            if entry.archived == archived and not (unread_only and entry.read)
        ]
        return sorted(found, key=lambda item: (*(-n for n in number_of(item[1])), item[0] or INBOX))

    def mark(self, key, ids, name, value):
        for id_ in ids:
            if id_ in self.boxes[key]:
                setattr(self.boxes[key][id_], name, value)

    def read_all(self, keys, upto, category):
        for key in keys:
            for entry in self.boxes[key].values():
                if (upto is None or number_of(entry.id) <= number_of(upto)) and category in (None, entry.category):
                    entry.read = True


class Play:
    """One random sequence."""

    MARKS = {
        "mark_read": ("read", True),
        "mark_unread": ("read", False),
        "archive": ("archived", True),
        "unarchive": ("archived", False),
    }

    def __init__(self, stand, other, seed):
        self.stand, self.ports = stand, [stand.daemon.port, other.port]
        self.rng, self.model = random.Random(seed), Model()
        self.tabs = [self.connect() for _ in range(2)]

    def connect(self):
        return self.stand.tab("/ws?user=alice", port=self.rng.choice(self.ports))

    def tab(self):
        return self.rng.choice(self.tabs)

    def box(self):
        return self.rng.choice((INBOX, *LOGS))

    def some_ids(self, key):
        ids = sorted(self.model.boxes[key], key=number_of)
        return self.rng.sample(ids, min(len(ids), self.rng.randint(1, 4))) or ["1-1"]

    @staticmethod
    def named(key, rng):
        """The inbox may be named, or not."""
        return {"log": key} if key != INBOX or rng.random() < 0.3 else {}

    # -- what is done

    def send(self):
        key, category = self.box(), self.rng.choice(CATEGORIES)
        id_ = self.stand.send(key, "x", *(["CATEGORY", category] if category else []))
        self.model.boxes[key][id_] = Entry(id_, category)

    def take_back(self):
        """The sender deletes it: it is gone for everybody."""
        key = self.box()
        for id_ in self.some_ids(key):
            self.stand.call("NOTIFY.DEL", key, id_)
            self.model.boxes[key].pop(id_, None)

    def mark(self):
        key, type_ = self.box(), self.rng.choice(list(self.MARKS))
        ids = self.some_ids(key)
        self.check_answer(key, self.tab().request(type_, ids=ids, **self.named(key, self.rng)), ids, *self.MARKS[type_])

    def delete(self):
        key = self.box()
        ids = self.some_ids(key)
        answer = self.tab().request("delete_notification", ids=ids, **self.named(key, self.rng))
        if key == INBOX:
            for id_ in ids:
                self.model.boxes[key].pop(id_, None)
        self.check_answer(key, answer, ids if key != INBOX else [], "archived", True)

    def check_answer(self, key, answer, ids, name, value):
        self.model.mark(key, ids, name, value)
        assert answer["type"] == "ok", answer
        assert answer["unread"] == self.model.unread(INBOX)
        assert answer.get("logs", {}) == ({} if key == INBOX else {key: self.model.unread(key)})

    def read_all(self):
        key, all_keys = self.box(), self.rng.random() < 0.4
        members = {} if all_keys else {"log": key}
        if self.rng.random() < 0.3:
            members["upto"] = self.some_ids(key)[0]
        if self.rng.random() < 0.3:
            members["category"] = self.rng.choice(CATEGORIES[:2])
        answer = self.tab().request("mark_all_read", **members)
        keys = list(self.model.boxes) if all_keys else [key]
        self.model.read_all(keys, members.get("upto"), members.get("category"))
        assert answer.get("logs", {}) == {log: self.model.unread(log) for log in keys if log != INBOX}

    def mute(self):
        category = self.rng.choice(CATEGORIES[:2])
        muted = category in self.model.muted
        self.model.muted ^= {category}
        answer = self.tab().request("unmute" if muted else "mute", category=category)
        assert answer["logs"] == {log: self.model.unread(log) for log in LOGS}

    def reconnect(self):
        at = self.rng.randrange(len(self.tabs))
        if self.rng.random() < 0.7:
            self.tabs[at].close()
        else:
            self.tabs[at].sock.close()
        self.stand.tabs.remove(self.tabs[at])
        self.tabs[at] = self.connect()

    # -- what is told

    def rest(self):
        model = self.model
        for tab in self.tabs:
            told = [m for m in self.stand.drain(tab) if m.get("key") == INBOX and "unread" in m]
            count = tab.request("unread_count")
            assert count["unread"] == model.unread(INBOX)
            assert {log: share["unread"] for log, share in count["logs"].items()} == {log: model.unread(log) for log in LOGS}
            assert count["total"] == sum(model.unread(key) for key in model.boxes)
            assert count["by_category"] == model.by_category()
            assert set(count["muted"]) == model.muted
            while told and told[-1]["rev"] != count["rev"]:  # the bridge asks Redis about the inbox: it comes behind that
                message = tab.recv()
                if message.get("key") == INBOX and "unread" in message:
                    told.append(message)
            if told:
                assert told[-1]["unread"] == count["unread"]
            self.check_lists(tab)

    def check_lists(self, tab):
        for members in ({}, {"unread_only": True}, {"archived": True}):
            expected, found, before = self.model.feed(members.get("archived", False), "unread_only" in members), [], None
            while True:
                page = tab.request("request_notification_history", feed=True, limit=30, before=before, total=True, **members)
                found += [(item.get("log"), item["id"], item["is_read"]) for item in page["items"]]
                assert page["total"] == len(expected)
                before = page["next"]
                if before is None:
                    break
            assert found == expected, members

    def run(self):
        actions = [self.send] * 6 + [self.mark] * 5 + [self.read_all, self.mute, self.delete, self.take_back, self.reconnect]
        for step in range(STEPS):
            self.rng.choice(actions)()
            if step % 8 == 7:
                self.rest()
        self.rest()


@pytest.fixture(scope="module", params=[Stand, ClusterStand], ids=["one-server", "cluster"])
def two(request):
    group = request.param("--broadcast-log", LOGS[0], "--broadcast-log", LOGS[1])
    group.other = group.bridge(group.server, "--broadcast-log", LOGS[0], "--broadcast-log", LOGS[1], name="other")
    yield group
    group.close()


@pytest.mark.parametrize("seed", range(4))
def test_every_device_is_told_what_a_model_says(two, seed):
    two.call("FLUSHALL")
    play = Play(two, two.other, seed)
    try:
        play.run()
    finally:
        two.close_tabs()
