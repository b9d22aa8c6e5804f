"""An inbox and its logs, beside a plain model in Python that looks at every entry: entries of a log as the inbox
sees them (RANGE, REVRANGE, GET and COUNT with LOG), filters, the feed, and what is unread of which."""

import json
import random
from collections import Counter

import pytest

from module_helpers import call, entries, error_of, ids, pairs
from resp import Resp
from servers import host_path

INBOX, LOGS = "inbox:1", ["topic:a", "topic:b"]
LEVELS = ["info", "success", "warning", "error", "critical"]
CATEGORIES = ["ci", "ops", "chat", "LOG"]
STATES = {
    None: lambda e: not e["archived"],
    "NOTIFICATIONS": lambda e: e["counts"] and not e["archived"],
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
        self.muted = set()

    def send(self):
        rng, key = self.rng, self.rng.choice([INBOX, *LOGS])
        last = max(self.sources[key], default=0)
        self.next = max(self.next + rng.randrange(3), last + 1)  # some boxes have the same ids
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

    def mute(self):
        category = self.rng.choice(CATEGORIES)
        call(self.client, "NOTIFY.UNMUTE" if category in self.muted else "NOTIFY.MUTE", INBOX, category)
        self.muted ^= {category}

    def step(self):
        steps = [self.send, self.mark, self.read_upto, self.withdraw, self.mute]
        self.rng.choices(steps, [60, 30, 4, 2, 2])[0]()

    def unread(self, keys, categories=(), kind="UNREAD"):
        return [e for key in keys for e in self.of(key) if STATES[kind](e) and e["category"] not in self.muted
                and (not categories or e["category"] in categories)]  # fmt: skip

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


def read_feed(inbox, words):
    reply = pairs(call(inbox.client, "NOTIFY.FEED", INBOX, *words))
    shown = [(number(id_), fields["key"], states_of(fields)) for id_, fields in entries(reply["entries"])]
    return shown, reply["next"], reply.get("total")


def check_feed(inbox):
    rng = inbox.rng
    logs = rng.choice([[], LOGS, LOGS[1:], [*LOGS, "nothing"]])
    words, wanted, _ = inbox.filter()
    words += ["LOGS", len(logs), *logs] if logs else []
    found = [e for key in [INBOX, *logs] if key in inbox.sources for e in inbox.of(key) if wanted(e)]
    found.sort(key=lambda e: (-e["id"], e["key"]))
    expected = [(e["id"], e["key"], inbox.shown(e)) for e in found]
    count, got, position = rng.choice([1, 3, 50]), [], []
    while True:  # page after page
        page, following, total = read_feed(inbox, [*words, "COUNT", count, "TOTAL", *position])
        got += page
        assert total == len(expected) and (following is None or len(page) == count)
        if following is None:
            break
        position = ["BEFORE", following]
    assert got == expected, words
    offset, before = rng.randrange(len(expected) + 2), rng.randrange(inbox.next + 2)
    assert read_feed(inbox, [*words, "COUNT", 4, "OFFSET", offset])[0] == expected[offset : offset + 4]
    older = [one for one in expected if one[0] < before]
    assert read_feed(inbox, [*words, "COUNT", 4, "BEFORE", before])[0] == older[:4]


def check_numbers(inbox):
    client, rng = inbox.client, inbox.rng
    logs, chosen = rng.choice([[], LOGS, LOGS[1:]]), rng.sample(CATEGORIES, rng.choice([0, 0, 1, 2]))
    log_words = ["LOGS", len(logs), *logs] if logs else []
    words = [word for name in chosen for word in ("CATEGORY", name)] + log_words
    unread = inbox.unread([INBOX, *logs], chosen)
    assert call(client, "NOTIFY.UNREAD", INBOX, *words) == len(unread)
    for by, name in (("category", "category"), ("TYPE", "type"), ("level", "level")):
        counted = pairs(call(client, "NOTIFY.UNREAD", INBOX, "BY", by, *words))
        assert counted == Counter(e[name] or "" for e in unread), words
    by_entity = call(client, "NOTIFY.UNREAD", INBOX, *words, "BY", "ENTITY")
    assert {(one[0], one[1]): one[2] for one in by_entity} == Counter(e["entity"] or ("", "") for e in unread)
    badge = pairs(call(client, "NOTIFY.BADGE", INBOX, *words))
    own = inbox.unread([INBOX], chosen)
    assert (badge["unread"], badge["unseen"]) == (len(own), len(inbox.unread([INBOX], chosen, "UNSEEN")))
    assert pairs(badge["by_category"]) == Counter(e["category"] for e in own if e["category"])
    assert badge["max_level"] == max((e["level"] for e in own), key=LEVELS.index, default=None)
    for log, fields in pairs(badge.get("logs", [])).items():
        share = pairs(fields)
        assert share["unread"] == len(inbox.unread([log], chosen))
        assert share["unseen"] == len(inbox.unread([log], chosen, "UNSEEN"))


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
        if step % 4 == 0:
            check_feed(inbox)
            check_numbers(inbox)


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
        assert "no permissions to access" in error_of(user, *words, "LOG", LOGS[0]).lower()
    call(client, "ACL", "DELUSER", "reader")


# ---- the feed ----


def feed(client, *words):
    return pairs(call(client, "NOTIFY.FEED", INBOX, *words))


def test_the_feed_is_one_list_of_the_box_and_its_logs(shared_redis):
    client = shared_redis.client()
    call(client, "NOTIFY.FOLLOW", INBOX, *LOGS, "FROM", 0)
    for key, id_ in ((LOGS[0], 1), (INBOX, 2), (LOGS[1], 2), (LOGS[0], 2), (INBOX, 3)):
        call(client, "NOTIFY.SEND", key, f"{key} {id_}", "ID", id_)
    reply = feed(client, "LOGS", 2, *LOGS, "COUNT", 3)
    assert [pairs(fields)["title"] for _, fields in reply["entries"]] == [f"{INBOX} 3", f"{INBOX} 2", f"{LOGS[0]} 2"]
    assert reply["next"] == f"2-0:{LOGS[0]}"
    rest = feed(client, "LOGS", 2, *LOGS, "BEFORE", reply["next"])
    assert ([pairs(fields)["key"] for _, fields in rest["entries"]], rest["next"]) == ([LOGS[1], LOGS[0]], None)
    assert ids(feed(client)["entries"]) == ["3-0", "2-0"]


def test_what_comes_meanwhile_moves_no_page(shared_redis):
    client = shared_redis.client()
    call(client, "NOTIFY.FOLLOW", INBOX, LOGS[0])
    sent = [call(client, "NOTIFY.SEND", key, "t") for key in (INBOX, LOGS[0]) * 3]
    first = feed(client, "LOGS", 1, LOGS[0], "COUNT", 2)
    call(client, "NOTIFY.SEND", LOGS[0], "new")
    call(client, "NOTIFY.DEL", INBOX, first["entries"][1][0])
    call(client, "NOTIFY.DEL", LOGS[0], first["entries"][1][0])
    second = feed(client, "LOGS", 1, LOGS[0], "BEFORE", first["next"])
    assert set(ids(first["entries"] + second["entries"])) == set(sent)


def test_messages_of_the_feed_say_whose_they_are(shared_redis):
    client = shared_redis.client()
    sent = fill(client)
    call(client, "NOTIFY.SEND", INBOX, "own", "ID", 9000000000000)
    got = [json.loads(text) for text in feed(client, "LOGS", 1, LOGS[0], "JSON")["entries"]]
    assert [(one["key"], one["unread"], one["rev"]) for one in got] == [(INBOX, 1, 3)] + 4 * [(LOGS[0], 3, 4)]
    assert got[1:] == [json.loads(one) for one in
                       call(client, "NOTIFY.REVRANGE", INBOX, "+", "-", "JSON", "LOG", LOGS[0])]  # fmt: skip
    assert [one["id"] for one in got[1:]] == sent[::-1]


def test_a_page_of_the_feed_has_a_bound_in_bytes_and_at_least_one_entry(redis_server):
    client = redis_server.client()
    client.config_set("notify.max-reply-bytes", 65536)
    for _ in range(10):
        call(client, "NOTIFY.SEND", INBOX, "t", "CONTENT", "x" * 30_000)
    call(client, "NOTIFY.SEND", INBOX, "t", "CONTENT", "x" * 60_000)
    for words in ([], ["JSON"]):
        sizes, position = [], []
        while position != ["BEFORE", None]:
            reply = feed(client, *words, *position)
            sizes.append(len(reply["entries"]))
            position = ["BEFORE", reply["next"]]
        assert sum(sizes) == 11 and max(sizes) <= 3 and min(sizes) >= 1


def test_errors_of_the_feed_and_of_groups(shared_redis):
    client = shared_redis.client()
    client.set("string", "x")
    for words, error in (
        (["NOTIFY.FEED", INBOX, "BEFORE", "soon"], "BEFORE must be an id, or what a reply says comes next, not 'soon'"),
        (["NOTIFY.FEED", INBOX, "BEFORE", "soon:inbox"], "BEFORE must be an id"),
        (["NOTIFY.FEED", INBOX, "OFFSET", "10001"], "OFFSET must be an integer from 0 to 10000"),
        (["NOTIFY.FEED", INBOX, "COUNT", "10001"], "COUNT must be an integer from 0 to 10000"),
        (["NOTIFY.FEED", INBOX, "LOG", LOGS[0]], "syntax error: unknown option 'LOG'"),
        (["NOTIFY.FEED", INBOX, "LOGS", 1, "string"], "WRONGTYPE"),
        (["NOTIFY.FEED", "string"], "WRONGTYPE"),
        (["NOTIFY.UNREAD", INBOX, "BY", "title"], "BY must be category, type, level or entity, not 'title'"),
        (["NOTIFY.UNREAD", INBOX, "BY", "TYPE", "LOGS", 1, "string"], "WRONGTYPE"),
    ):  # fmt: skip
        assert error_of(client, *words).startswith(error), words
    assert feed(client) == {"entries": [], "next": None}
    assert call(client, "NOTIFY.UNREAD", INBOX, "BY", "TYPE") == []


def test_groups_are_limited(programs):
    client = programs.redis(module=host_path("notify_narrow.so")).client()
    for kind in ("a", "b"):
        call(client, "NOTIFY.SEND", INBOX, "t", "TYPE", kind)
    assert pairs(call(client, "NOTIFY.UNREAD", INBOX, "BY", "TYPE")) == {"a": 1, "b": 1}
    call(client, "NOTIFY.SEND", INBOX, "t", "TYPE", "c")
    assert error_of(client, "NOTIFY.UNREAD", INBOX, "BY", "TYPE") == "LIMIT what is unread is of more than 2 groups"


def test_the_logs_are_keys_of_the_feed(shared_redis):
    with Resp(shared_redis.port) as resp:
        for words, keys in (
            ("NOTIFY.FEED k CATEGORY LOGS LOGS 2 a b TOTAL", "k a b"),
            ("NOTIFY.FEED k ENTITY LOGS 1", "k"),
            ("NOTIFY.UNREAD k BY CATEGORY LOGS 1 a", "k a"),
            ("NOTIFY.BADGE k CATEGORY LOGS LOGS 1 a", "k a"),
        ):
            assert resp.call("COMMAND", "GETKEYS", *words.split()) == keys.split(), words


def test_on_resp3_the_feed_is_a_map(shared_redis):
    client = shared_redis.client()
    call(client, "NOTIFY.SEND", INBOX, "t", "ID", "5-1", "CATEGORY", "ci")
    with Resp(shared_redis.port) as resp:
        resp.call("HELLO", "3")
        reply = resp.call("NOTIFY.FEED", INBOX, "TOTAL")
        assert reply["entries"][0][0] == "5-1" and reply["entries"][0][1]["key"] == INBOX
        assert (reply["next"], reply["total"]) == (None, 1)
        assert resp.call("NOTIFY.UNREAD", INBOX, "BY", "category") == {"ci": 1}
