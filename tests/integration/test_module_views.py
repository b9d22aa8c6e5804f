"""Entries of a log as an inbox sees them (RANGE, REVRANGE, GET and COUNT with LOG) and filters, beside a plain
model in Python that looks at every entry."""

import json
import random

import pytest

from module_helpers import call, entries, error_of, ids, pairs
from resp import Resp

INBOX, LOGS = "inbox:1", ["topic:a", "topic:b"]
LEVELS = ["info", "success", "warning", "error", "critical"]
CATEGORIES = ["ci", "ops", "chat", "LOG"]
STATES = {
    None: lambda e: not e["archived"],
    "UNREAD": lambda e: e["counts"] and not e["read"] and not e["archived"],
    "READ": lambda e: e["counts"] and e["read"] and not e["archived"],
    "UNSEEN": lambda e: e["counts"] and not e["seen"] and not e["archived"],
    "ARCHIVED": lambda e: e["archived"],
    "ALL": lambda e: True,
}


def number(id_):
    return int(id_.split("-")[0])


class Inbox:
    """A box and the logs that it follows, filled by commands that the model repeats."""

    def __init__(self, client, rng):
        self.client, self.rng = client, rng
        self.sources = {key: {} for key in [INBOX, *LOGS]}
        self.starts = {}
        self.next = 0

    def send(self):
        rng, key = self.rng, self.rng.choice([INBOX, *LOGS])
        self.next += rng.randrange(1, 3)
        entry = {
            "id": self.next, "key": key, "counts": rng.random() < 0.9, "category": rng.choice([None, *CATEGORIES]),
            "level": rng.choice(LEVELS), "type": rng.choice([None, "build", "mail"]), "read": False, "seen": False,
            "archived": False, "withdrawn": False, "entity": rng.choice([None, ("task", "7"), ("task", "")]),
        }  # fmt: skip
        words = ["NOTIFY.SEND", key, "title"] if entry["counts"] else ["NOTIFY.EVENT", key, "tick"]
        words += ["ID", self.next, "LEVEL", entry["level"]]
        words += ["CATEGORY", entry["category"]] if entry["category"] else []
        if entry["counts"]:
            words += ["TYPE", entry["type"]] if entry["type"] else []
            words += ["ENTITY", *entry["entity"]] if entry["entity"] else []
        else:
            entry["type"] = entry["entity"] = None
        call(self.client, *words)
        self.sources[key][self.next] = entry

    def follow(self):
        for log in LOGS:
            self.starts[log] = self.rng.randrange(0, max(1, self.next // 2))
            call(self.client, "NOTIFY.FOLLOW", INBOX, log, "FROM", self.starts[log])

    def of(self, key):
        """What the inbox can see of a source, oldest first."""
        return [e for e in self.sources[key].values() if not e["withdrawn"] and e["id"] > self.starts.get(key, 0)]

    def log_words(self, key):
        return [] if key == INBOX else ["LOG", key]

    def mark(self):
        rng, key = self.rng, self.rng.choice([INBOX, *LOGS])
        seen = self.of(key)
        if not seen:
            return
        mark = rng.choice(["READ", "READ", "UNREAD", "SEEN", "ARCHIVED", "UNARCHIVED"])
        chosen = rng.sample(seen, min(len(seen), 3))
        call(self.client, "NOTIFY.MARK", INBOX, mark, *(e["id"] for e in chosen), *self.log_words(key))
        for entry in chosen:
            if mark in ("ARCHIVED", "UNARCHIVED"):
                entry["archived"] = mark == "ARCHIVED"
            elif entry["counts"]:
                entry["seen"] = entry["seen"] or mark != "UNREAD"
                entry["read"] = mark == "READ" or (entry["read"] and mark == "SEEN")

    def read_upto(self):
        key, upto = self.rng.choice([INBOX, *LOGS]), self.rng.randrange(1, self.next + 2)
        category = self.rng.choice([None, *CATEGORIES])
        words = ["CATEGORY", category] if category else []
        call(self.client, "NOTIFY.READALL", INBOX, "UPTO", upto, *words, *self.log_words(key))
        for entry in self.of(key):
            if entry["id"] <= upto and entry["counts"] and category in (None, entry["category"]):
                entry["read"] = entry["seen"] = True

    def withdraw(self):
        log = self.rng.choice(LOGS)
        if not self.sources[log]:
            return
        entry = self.rng.choice(list(self.sources[log].values()))
        if entry["read"] or entry["archived"] or entry["seen"]:
            return
        call(self.client, "NOTIFY.MARK", log, "ARCHIVED", entry["id"])
        entry["withdrawn"] = True

    def step(self):
        self.rng.choices([self.send, self.mark, self.read_upto, self.withdraw], [60, 30, 4, 2])[0]()

    def filter(self):
        """(words, the test that they stand for)"""
        rng, words, tests = self.rng, [], []
        state = rng.choice([None, None, *STATES])
        words += [state] if state else []
        tests.append(STATES[state])
        if rng.random() < 0.3:
            chosen = rng.sample(CATEGORIES, 2)
            words += [word for name in chosen for word in ("CATEGORY", name)]
            tests.append(lambda e: e["category"] in chosen)
        if rng.random() < 0.2:
            kind = rng.choice(["build", "mail"])
            words += ["TYPE", kind]
            tests.append(lambda e: e["type"] == kind)
        if rng.random() < 0.3:
            level, least = rng.randrange(5), rng.random() < 0.6
            words += ["LEVEL", *([">="] if least else []), LEVELS[level]]
            tests.append(lambda e: (LEVELS.index(e["level"]) >= level) if least else e["level"] == LEVELS[level])
        if rng.random() < 0.2:
            entity = rng.choice([("task", "7"), ("task", ""), ("task", "8")])
            words += ["ENTITY", *entity]
            tests.append(lambda e: e["entity"] == entity)
        return words, (lambda e: all(test(e) for test in tests)), state

    def shown(self, e):
        """The states that a reply says, whatever the times."""
        return {name for name in ("read", "seen", "archived") if e[name]}


def states_of(fields):
    return {name for name in ("read", "seen") if name in fields or f"{name}_at" in fields} | {
        name for name in ("archived",) if name in fields}  # fmt: skip


def check_one(inbox, key):
    client, rng = inbox.client, inbox.rng
    words, wanted, state = inbox.filter()
    start, end = sorted((rng.randrange(0, inbox.next + 2), rng.randrange(0, inbox.next + 2)))
    if rng.random() < 0.5:
        start, end = 0, inbox.next + 1
    log = inbox.log_words(key)
    found = [e for e in inbox.of(key) if start <= e["id"] <= end and wanted(e)]
    got = entries(call(client, "NOTIFY.RANGE", INBOX, start, end, *words, *log))
    assert [number(id_) for id_, _ in got] == [e["id"] for e in found], (words, log)
    assert [states_of(fields) for _, fields in got] == [inbox.shown(e) for e in found]
    back = call(client, "NOTIFY.REVRANGE", INBOX, end, start, "COUNT", 3, *words, *log)
    assert [number(id_) for id_ in ids(back)] == [e["id"] for e in found[::-1][:3]]
    counted = len(found) if state else sum(e["counts"] for e in found)
    assert call(client, "NOTIFY.COUNT", INBOX, start, end, *words, *log) == counted, (words, log)


@pytest.mark.parametrize("seed", range(6))
def test_what_an_inbox_sees_agrees_with_a_model(shared_redis, seed):
    inbox = Inbox(shared_redis.client(), random.Random(seed))
    for _ in range(30):
        inbox.send()
    inbox.follow()
    for step in range(400):
        inbox.step()
        for key in inbox.sources if step % 10 == 0 else [inbox.rng.choice(list(inbox.sources))]:
            check_one(inbox, key)


def fill(client):
    call(client, "NOTIFY.FOLLOW", INBOX, LOGS[0])
    sent = [call(client, "NOTIFY.SEND", LOGS[0], f"title {n}", "CATEGORY", CATEGORIES[n % 2]) for n in range(4)]
    call(client, "NOTIFY.READ", INBOX, sent[1], "LOG", LOGS[0])
    return sent


def test_a_log_is_read_through_the_inbox(shared_redis):
    client = shared_redis.client()
    sent = fill(client)
    assert ids(call(client, "NOTIFY.RANGE", INBOX, "-", "+", "UNREAD", "LOG", LOGS[0])) == [sent[0], *sent[2:]]
    got = call(client, "NOTIFY.GET", INBOX, sent[1], "5-5", sent[2], "LOG", LOGS[0])
    assert [states_of(pairs(got[0][1])), got[1], states_of(pairs(got[2][1]))] == [{"read", "seen"}, None, set()]
    assert pairs(got[0][1])["read"] == 1
    call(client, "NOTIFY.MARK", LOGS[0], "ARCHIVED", sent[2])
    assert call(client, "NOTIFY.GET", INBOX, sent[2], "LOG", LOGS[0]) == [None], "withdrawn"


def test_messages_of_a_log_say_what_the_inbox_has_read(shared_redis):
    client = shared_redis.client()
    sent = fill(client)
    call(client, "NOTIFY.MUTE", INBOX, "ci")
    got = [json.loads(text) for text in call(client, "NOTIFY.RANGE", INBOX, "-", "+", "JSON", "LOG", LOGS[0])]
    assert [(one["key"], one["id"], one["data"]["is_read"]) for one in got] == [
        (LOGS[0], sent[n], n == 1) for n in range(4)]  # fmt: skip
    assert "read_at" not in got[1]["data"]
    assert {one["unread"] for one in got} == {1}, "what the inbox has not read of it, but for what it has muted"
    assert [one.get("muted", False) for one in got] == [True, False, True, False]
    assert [one["prev"] for one in got] == ["0-0", *sent[:3]]
    again = call(client, "NOTIFY.GET", INBOX, sent[1], "LOG", LOGS[0], "JSON")
    assert again == call(client, "NOTIFY.RANGE", INBOX, sent[1], sent[1], "JSON", "LOG", LOGS[0])


def test_what_is_not_followed_has_no_entries(shared_redis):
    client = shared_redis.client()
    sent = fill(client)
    call(client, "NOTIFY.SEND", LOGS[1], "t")
    for words in (["NOTIFY.RANGE", INBOX, "-", "+"], ["NOTIFY.REVRANGE", INBOX, "+", "-"]):
        assert call(client, *words, "LOG", LOGS[1]) == call(client, *words, "LOG", "nothing") == []
    assert call(client, "NOTIFY.COUNT", INBOX, "-", "+", "LOG", LOGS[1]) == 0
    assert call(client, "NOTIFY.GET", "nobody", sent[0], "LOG", LOGS[0]) == [None]


def test_errors_of_filters(shared_redis):
    client = shared_redis.client()
    fill(client)
    client.set("string", "x")
    for words, error in (
        (["NOTIFY.RANGE", INBOX, "-", "+", "LOG", INBOX], "LOG must be another box than the key itself"),
        (["NOTIFY.GET", INBOX, "1", "LOG", INBOX], "LOG must be another box than the key itself"),
        (["NOTIFY.GET", INBOX, "1", "LOG"], "syntax error: LOG lacks its value"),
        (["NOTIFY.GET", INBOX, "JSON"], "id must be an id such as 1795208400123-0, not 'JSON'"),
        (["NOTIFY.RANGE", INBOX, "-", "+", "ENTITY", "task"], "syntax error: ENTITY id lacks its value"),
        (["NOTIFY.RANGE", INBOX, "-", "+", "ENTITY", "", "7"], "ENTITY type must not be empty"),
        (["NOTIFY.RANGE", INBOX, "-", "+", "LEVEL", ">=", "loud"],
         "LEVEL must be info, success, warning, error or critical, not 'loud'"),
        (["NOTIFY.COUNT", INBOX, "-", "+", "JSON"], "syntax error: unknown option 'JSON'"),
        (["NOTIFY.COUNT", INBOX, "-", "+", "LOG", "string"], "WRONGTYPE"),
    ):  # fmt: skip
        assert error_of(client, *words).startswith(error), words


def test_the_log_is_a_key_of_the_command(shared_redis):
    resp = Resp(shared_redis.port)
    for words, keys in (
        ("NOTIFY.RANGE k - + LOG a", "k a"),
        ("NOTIFY.RANGE k - + CATEGORY LOG", "k"),
        ("NOTIFY.REVRANGE k + - CATEGORY LOG LOG a JSON", "k a"),
        ("NOTIFY.COUNT k - + ENTITY LOG x LOG a", "k a"),
        ("NOTIFY.GET k 1-0 2-0 JSON LOG a", "k a"),
        ("NOTIFY.GET k 1-0", "k"),
    ):
        assert resp.call("COMMAND", "GETKEYS", *words.split()) == keys.split(), words
    resp.close()


def test_reading_a_log_through_an_inbox_needs_permission_for_the_log(shared_redis):
    client = shared_redis.client()
    sent = fill(client)
    call(client, "ACL", "SETUSER", "reader", "on", "nopass", "+@all", "resetkeys", "%R~inbox:*")
    user = shared_redis.client(username="reader", password="x")
    for words in (["NOTIFY.RANGE", INBOX, "-", "+"], ["NOTIFY.GET", INBOX, sent[0]], ["NOTIFY.COUNT", INBOX, "-", "+"]):
        call(user, *words)
        assert "no permissions to access one of the keys" in error_of(user, *words, "LOG", LOGS[0]).lower()
    call(client, "ACL", "DELUSER", "reader")
