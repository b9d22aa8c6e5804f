"""Inboxes that follow a log which they cannot see (BYNAME, the words of CURSORS, VIEW), beside one that can: whatever
is done to log and inbox, both ways answer the same. In one server, and in a cluster."""

import json
import random

import pytest

from cluster import Cluster, tag_in
from module_helpers import call, digest, error_of, ids, pairs, verify
from resp import Resp
from servers import host_path

LOG, NEAR, FAR = "topic:all", "inbox:near", "inbox:far"
CATEGORIES = ["ci", "ops", "chat", "RANGE"]
MARKS = ["READ", "UNREAD", "SEEN", "ARCHIVED", "UNARCHIVED"]
STATES = ["NOTIFICATIONS", "UNREAD", "READ", "UNSEEN", "ARCHIVED", "ALL"]


def word_of(box, key=FAR, log=LOG):
    return pairs(box("NOTIFY.CURSORS", key, "WORDS", log))[log]


class Ways:
    """near: a server in which NEAR follows LOG in sight of it. box, log: call commands where FAR and its log are; the
    log there has another name if it is another log."""

    def __init__(self, client, rng, box=None, log=None, far=FAR, far_log=LOG):
        self.client, self.rng = client, rng
        self.is_one_log = box is None
        self.box = box or client.execute_command
        self.log = log or client.execute_command
        self.far, self.far_log = far, far_log
        self.next = 0
        self.ids = []

    def to_log(self, command, *words):
        replies = [call(self.client, command, LOG, *words)]
        if not self.is_one_log:
            replies.append(self.log(command, self.far_log, *words))
        assert replies[0] == replies[-1]

    def to_boxes(self, command, *words, log=True, far_words=()):
        call(self.client, command, NEAR, *words, *(["LOG", LOG] if log else []))
        self.box(command, self.far, *words, *(["LOG", self.far_log, "BYNAME"] if log else []), *far_words)

    def follow(self):
        start = self.rng.choice([0, *self.ids[-10:]])
        call(self.client, "NOTIFY.UNFOLLOW", NEAR, LOG)
        call(self.client, "NOTIFY.FOLLOW", NEAR, LOG, "FROM", start)
        self.box("NOTIFY.UNFOLLOW", self.far, self.far_log, "BYNAME")
        assert self.box("NOTIFY.FOLLOW", self.far, self.far_log, "FROM", start, "BYNAME") == 1

    def send(self):
        self.next += self.rng.randrange(1, 4)
        words = ["ID", self.next, "MAXLEN", 1000]
        words += ["CATEGORY", self.rng.choice(CATEGORIES)] if self.rng.random() < 0.8 else []
        if self.rng.random() < 0.15:
            self.to_log("NOTIFY.EVENT", "e", *words)
        else:
            self.to_log("NOTIFY.SEND", "t", "LEVEL", self.rng.choice(["info", "error"]), *words)
        self.ids.append(self.next)

    def change_log(self):
        what, rng = self.rng.random(), self.rng
        if what < 0.4:
            self.to_log("NOTIFY.DEL", rng.choice(self.ids))
        elif what < 0.8:
            self.to_log("NOTIFY.MARK", "ARCHIVED", rng.choice(self.ids))
        else:
            self.to_log("NOTIFY.TRIM", "MINID", rng.choice(self.ids[: len(self.ids) // 2 + 1]))

    def change_boxes(self):
        what, rng = self.rng.random(), self.rng
        if what < 0.6:
            self.to_boxes("NOTIFY.MARK", rng.choice(MARKS), *rng.sample(self.ids, min(len(self.ids), rng.choice((1, 5)))))
        elif what < 0.75:
            self.to_boxes("NOTIFY.READALL", "UPTO", rng.choice(self.ids))
        elif what < 0.85:
            self.to_boxes("NOTIFY.SEEN", "UPTO", rng.choice(self.ids))
        elif what < 0.97:
            self.to_boxes(rng.choice(["NOTIFY.MUTE", "NOTIFY.UNMUTE"]), rng.choice(CATEGORIES), log=False)
        else:
            self.follow()

    def step(self):
        what = self.rng.random()
        if what < 0.3 or not self.ids:
            self.send()
        elif what < 0.45:
            self.change_log()
        else:
            self.change_boxes()

    def view(self, *words):
        found = pairs(self.log("NOTIFY.VIEW", self.far_log, word_of(self.box, self.far, self.far_log), *words))
        if not self.is_one_log:
            found.pop("epoch")
        return found

    def share(self, *words):
        found = pairs(pairs(pairs(call(self.client, "NOTIFY.BADGE", NEAR, *words, "LOGS", 1, LOG))["logs"])[LOG])
        if not self.is_one_log:
            found.pop("epoch")
        return found

    def filters(self):
        rng = self.rng
        words = rng.sample(STATES, 1) if rng.random() < 0.6 else []
        words += ["LEVEL", "error"] if rng.random() < 0.2 else []
        words += ["COUNT", rng.randrange(20)] if rng.random() < 0.3 else []
        return words + (["JSON"] if rng.random() < 0.3 and self.is_one_log else [])

    def check(self):
        rng = self.rng
        categories = [w for name in rng.sample(CATEGORIES, rng.choice((0, 0, 1, 2))) for w in ("CATEGORY", name)]
        shown = self.view(*categories)
        read = shown.pop("read")
        assert shown == self.share(*categories)
        name, ends = rng.choice([("RANGE", ["-", "+"]), ("RANGE", [self.next // 2, "+"]), ("REVRANGE", ["+", "-"])])
        words = [*ends, *self.filters(), *categories]
        page = self.view(name, *words)
        assert page.pop("entries") == call(self.client, f"NOTIFY.{name}", NEAR, *words, "LOG", LOG), words
        assert {field: page[field] for field in shown} == shown
        self.check_totals(categories)
        if rng.random() < 0.1:  # what it says may be read makes no difference but in size
            self.box("NOTIFY.READALL", self.far, "UPTO", read, "LOG", self.far_log, "BYNAME")
            assert self.view(name, *words)["entries"] == call(self.client, f"NOTIFY.{name}", NEAR, *words, "LOG", LOG)

    def check_totals(self, categories):
        """What VIEW counts besides: what is unread by groups, and entries on all pages."""
        by = self.rng.choice(["CATEGORY", "TYPE", "LEVEL", "ENTITY"])
        near = call(self.client, "NOTIFY.UNREAD", NEAR, "BY", by, *categories, "LOGS", 1, LOG)
        assert self.view("BY", by, *categories)["groups"] == near
        words = [*self.rng.choice([["-", "+"], [self.next // 2, self.next]]), *self.rng.choice([[state] for state in STATES])]
        found = self.view("RANGE", *words, *categories, "COUNT", 1, "TOTAL")
        assert found["total"] == len(call(self.client, "NOTIFY.RANGE", NEAR, *words, *categories, "LOG", LOG))


def walk(ways, steps):
    for _ in range(20):
        ways.send()
    ways.follow()
    for _ in range(steps):
        ways.step()
        ways.check()


@pytest.mark.parametrize("seed", range(4))
def test_both_ways_are_equal_whatever_is_done(shared_redis, seed):
    client = shared_redis.client()
    walk(Ways(client, random.Random(seed)), 300)
    for key in (NEAR, FAR):
        verify(client, key)


def test_in_a_cluster_an_inbox_follows_a_log_of_another_slot(programs):
    cluster = Cluster(programs, primaries=2, replicas=1)
    far, far_log = f"inbox:{{{tag_in(cluster.slots[0])}}}", f"topic:{{{tag_in(cluster.slots[1])}}}"
    client = cluster.client()
    ways = Ways(programs.redis(name="near").client(), random.Random(9), client.call, client.call, far, far_log)
    walk(ways, 60)
    for words in (["NOTIFY.FOLLOW", far, far_log], ["NOTIFY.READ", far, "1", "LOG", far_log]):
        with pytest.raises(Exception, match="same slot"):
            client.call(*words)
    for n, key in ((0, far), (1, far_log)):
        primary, replica = cluster.shards[n]
        replica.wait_synced()  # WAIT waits for what its own connection has written
        assert digest(replica.client(), key) == digest(primary.client(), key)


def test_a_cursor_in_sight_has_a_word_too(shared_redis):
    client = shared_redis.client()
    for n in range(1, 9):
        call(client, "NOTIFY.SEND", LOG, "t", "ID", n, "CATEGORY", CATEGORIES[n % 2])
    call(client, "NOTIFY.FOLLOW", NEAR, LOG, "topic:none", "FROM", 2)
    call(client, "NOTIFY.READALL", NEAR, "CATEGORY", "ci", "LOG", LOG)
    call(client, "NOTIFY.MARK", NEAR, "UNREAD", 6, "LOG", LOG)
    words = pairs(call(client, "NOTIFY.CURSORS", NEAR, "WORDS"))
    assert list(words) == [LOG, "topic:none"]
    view = pairs(call(client, "NOTIFY.VIEW", LOG, words[LOG], "RANGE", "-", "+", "UNREAD"))
    assert (view["unread"], view["last"], ids(view["entries"])) == (4, "8-0", ["3-0", "5-0", "6-0", "7-0"])
    none = pairs(call(client, "NOTIFY.VIEW", "topic:none", words["topic:none"], "REVRANGE", "+", "-"))
    assert none == {"unread": 0, "unseen": 0, "last": "0-0", "rev": 0, "epoch": 0, "next_expiry": 0, "read": "0-0",
                    "entries": []}  # fmt: skip
    assert pairs(call(client, "NOTIFY.CURSORS", NEAR, "words", "nothing", LOG)) == {LOG: words[LOG]}
    assert call(client, "NOTIFY.CURSORS", "nobody", "WORDS") == call(client, "NOTIFY.CURSORS", "nobody", "WORDS", LOG) == []


# -- messages, replication


def test_messages_do_not_tell_what_nobody_knows(shared_redis, listen):
    client = shared_redis.client()
    call(client, "NOTIFY.SEND", LOG, "t", "ID", 5)
    heard = listen(shared_redis, FAR)
    call(client, "NOTIFY.FOLLOW", FAR, LOG, "FROM", 0, "BYNAME")
    call(client, "NOTIFY.READ", FAR, 5, "LOG", LOG, "BYNAME")
    call(client, "NOTIFY.READALL", FAR, "UPTO", "7-0", "LOG", LOG, "BYNAME")
    call(client, "NOTIFY.MARK", FAR, "ARCHIVED", 9, "BYNAME", "LOG", LOG, "NOPUBLISH")
    call(client, "NOTIFY.UNFOLLOW", FAR, LOG, "BYNAME")
    same = {"key": FAR, "unread": 0, "log": LOG}
    told = [{k: v for k, v in one.items() if k != "epoch"} for one in heard.messages()]
    assert told == [
        {"type": "followed", "rev": 1, "start": "0-0", **same},
        {"type": "read", "rev": 2, "ids": ["5-0"], **same},
        {"type": "read", "rev": 3, "upto": "7-0", **same},
        {"type": "unfollowed", "rev": 5, **same},
    ]


def test_replicas_and_files_have_the_same_cursors(programs):
    primary = programs.redis(name="primary", appendonly="yes", aof_use_rdb_preamble="no")
    replica = programs.replica(primary)
    client, there = primary.client(), replica.client()
    walk(Ways(client, random.Random(3)), 100)
    replica.wait_synced()
    wanted = digest(client, FAR, LOG)
    assert digest(there, FAR, LOG) == wanted
    assert word_of(there.execute_command) == word_of(client.execute_command)
    for reload in ("LOADAOF", "RELOAD"):
        client.execute_command("DEBUG", reload)
        assert digest(client, FAR, LOG) == wanted
    word = word_of(client.execute_command)
    assert pairs(call(there, "NOTIFY.VIEW", LOG, word)) == pairs(call(client, "NOTIFY.VIEW", LOG, word))


def test_it_waits_until_all_servers_know_it(redis_server):
    client = redis_server.client()
    client.config_set("notify.write-version", 2)
    for words in (["FOLLOW", FAR, LOG, "FROM", 0, "BYNAME"], ["READALL", FAR, "UPTO", 1, "LOG", LOG, "BYNAME"]):
        assert error_of(client, f"NOTIFY.{words[0]}", *words[1:]) == "BYNAME needs notify.write-version 3"
    assert client.exists(FAR) == 0


# -- limits


def test_exceptions_are_limited_and_the_log_says_how_to_make_room(programs):
    client = programs.redis(module=host_path("notify_narrow.so")).client()
    for n in range(1, 6):
        call(client, "NOTIFY.SEND", "log", "t", "ID", n)
    call(client, "NOTIFY.FOLLOW", "box", "log", "FROM", 0, "BYNAME")
    for n in (1, 2):
        assert call(client, "NOTIFY.READ", "box", n, "LOG", "log", "BYNAME") == 1
    before = digest(client, "box")
    assert "LIMIT the read entries" in error_of(client, "NOTIFY.READ", "box", 3, "LOG", "log", "BYNAME")
    assert digest(client, "box") == before
    view = pairs(call(client, "NOTIFY.VIEW", "log", word_of(client.execute_command, "box", "log")))
    assert (view["unread"], view["read"]) == (3, "2-0")
    call(client, "NOTIFY.READALL", "box", "UPTO", view["read"], "LOG", "log", "BYNAME")
    assert call(client, "NOTIFY.READ", "box", 3, "LOG", "log", "BYNAME") == 1
    assert pairs(call(client, "NOTIFY.VIEW", "log", word_of(client.execute_command, "box", "log")))["unread"] == 2


def test_words_are_limited_in_bytes_but_one_is_always_given(redis_server):
    client = redis_server.client()
    client.config_set("notify.max-reply-bytes", 65536)
    for first in range(0, 4096, 64):
        call(client, "NOTIFY.MUTE", FAR, *(f"a category with a rather long name {n}" for n in range(first, first + 64)))
    call(client, "NOTIFY.FOLLOW", FAR, LOG, "other", "FROM", 0, "BYNAME")
    assert error_of(client, "NOTIFY.CURSORS", FAR, "WORDS") == "LIMIT the words have more than 65536 bytes: name fewer logs"
    word = word_of(client.execute_command)
    assert 200_000 < len(word) < 1_000_000
    call(client, "NOTIFY.SEND", LOG, "t", "CATEGORY", "a category with a rather long name 4095")
    assert pairs(call(client, "NOTIFY.VIEW", LOG, word))["unread"] == 0, "it is muted"


# -- errors, keys, permissions


def test_errors_change_nothing(shared_redis):
    client = shared_redis.client()
    call(client, "NOTIFY.SEND", LOG, "t", "ID", 5)
    call(client, "NOTIFY.FOLLOW", FAR, LOG, "other", "FROM", 0, "BYNAME")
    client.set("string", "x")
    before = digest(client, FAR)
    words = pairs(call(client, "NOTIFY.CURSORS", FAR, "WORDS"))
    word = words[LOG]
    for command, error in (
        (["FOLLOW", FAR, "a", "BYNAME"], "BYNAME goes with FROM id: the log lies elsewhere and is not asked for its last id"),
        (["FOLLOW", FAR, "a", "BYNAME", "FROM", "$"], "BYNAME goes with FROM id"),
        (["FOLLOW", FAR, FAR, "FROM", 0, "BYNAME"], "log must be another box than the key itself"),
        (["READ", FAR, 5, "BYNAME"], "BYNAME goes with LOG: it says that the log lies elsewhere"),
        (["READ", FAR, 5, "LOG", FAR, "BYNAME"], "LOG must be another box than the key itself"),
        (["MARK", FAR, "READ", "ENTITY", "a", 1, "LOG", LOG, "BYNAME"], "BYNAME goes with ids: only the log itself knows"),
        (["MARK", FAR, "READ", "TOKEN", "a", "LOG", LOG, "BYNAME"], "BYNAME goes with ids: only the log itself knows"),
        (["READALL", FAR, "LOG", LOG, "BYNAME"], "BYNAME goes with LOG and UPTO: the log lies elsewhere"),
        (["READALL", FAR, "UPTO", 5, "BYNAME"], "BYNAME goes with LOG and UPTO: the log lies elsewhere"),
        (["SEEN", FAR, "UPTO", 5, "LOGS", 1, LOG, "BYNAME"], "BYNAME goes with LOG and UPTO: the log lies elsewhere"),
        (["READALL", FAR, "UPTO", 5, "CATEGORY", "c", "LOG", LOG, "BYNAME"], "BYNAME goes with no CATEGORY"),
        (["CURSORS", FAR, "LOGS"], "syntax error: only WORDS may follow the key"),
        (["VIEW", LOG, "x"], "cursor must be a word of NOTIFY.CURSORS (not a word of this kind)"),
        (["VIEW", LOG, ""], "cursor must be a word of NOTIFY.CURSORS (not a word of this kind)"),
        (["VIEW", LOG, words["other"]], "cursor must be one of this log"),
        (["VIEW", "string", word_of(client.execute_command, FAR, LOG)], "cursor must be one of this log"),
        (["VIEW", LOG, word, "COUNT", 5], "syntax error: RANGE or REVRANGE is needed with filters, COUNT, TOTAL and JSON"),
        (["VIEW", LOG, word, "JSON"], "syntax error: RANGE or REVRANGE is needed with filters, COUNT, TOTAL and JSON"),
        (["VIEW", LOG, word, "TOTAL"], "syntax error: RANGE or REVRANGE is needed with filters, COUNT, TOTAL and JSON"),
        (["VIEW", LOG, word, "BY", "age"], "BY must be category, type, level or entity"),
        (["VIEW", LOG, word, "UNREAD"], "syntax error: RANGE or REVRANGE is needed with filters, COUNT, TOTAL and JSON"),
        (["VIEW", LOG, word, "RANGE", "-", "+", "REVRANGE", "+", "-"], "syntax error: only one of RANGE and REVRANGE"),
        (["VIEW", LOG, word, "RANGE", "x", "+"], "start must be"),
    ):  # fmt: skip
        assert error_of(client, f"NOTIFY.{command[0]}", *command[1:]).startswith(error), command
    call(client, "NOTIFY.FOLLOW", FAR, "string", "FROM", 0, "BYNAME")
    assert "WRONGTYPE" in error_of(client, "NOTIFY.VIEW", "string", word_of(client.execute_command, FAR, "string"))
    call(client, "NOTIFY.UNFOLLOW", FAR, "string", "BYNAME", "NOPUBLISH")
    assert call(client, "NOTIFY.READ", FAR, 5, "LOG", "not followed", "BYNAME") == 0
    assert client.exists("nobody") == call(client, "NOTIFY.READ", "nobody", 5, "LOG", LOG, "BYNAME") == 0
    call(client, "NOTIFY.VIEW", LOG, word)
    assert pairs(call(client, "NOTIFY.CURSORS", FAR, "WORDS")) == words
    assert before != digest(client, FAR), "its revision has grown by the two changes that were made"


def test_a_damaged_word_is_no_other_word(shared_redis):
    client, rng = shared_redis.client(), random.Random(2)
    call(client, "NOTIFY.FOLLOW", FAR, LOG, "FROM", 5, "BYNAME")
    call(client, "NOTIFY.MARK", FAR, "READ", 7, 9, "LOG", LOG, "BYNAME")
    word = word_of(client.execute_command)
    assert set(word) <= set("0123456789abcdef")
    damaged = [word[:n] for n in range(len(word))] + [word + "0", word + "00", word.upper()]
    for n in range(len(word)):
        damaged.append(word[:n] + rng.choice([d for d in "0123456789abcdefg" if d != word[n]]) + word[n + 1 :])
    for one in damaged:
        assert error_of(client, "NOTIFY.VIEW", LOG, one) == "cursor must be a word of NOTIFY.CURSORS (not a word of this kind)"


def test_only_the_box_is_a_key(shared_redis):
    with Resp(shared_redis.port) as resp:
        for words, keys in (
            ("NOTIFY.READ k 1 2 LOG a BYNAME", "k"),
            ("NOTIFY.READ k 1 2 BYNAME LOG a", "k"),
            ("NOTIFY.READ k 1 LOG BYNAME", "k BYNAME"),
            ("NOTIFY.READ k 1 LOG LOG BYNAME", "k"),
            ("NOTIFY.MARK k SEEN 1 NOPUBLISH LOG a BYNAME", "k"),
            ("NOTIFY.READALL k UPTO 1 LOG a BYNAME", "k"),
            ("NOTIFY.SEEN k BYNAME UPTO 1 LOG a", "k"),
            ("NOTIFY.FOLLOW k a b FROM 0 BYNAME", "k"),
            ("NOTIFY.FOLLOW k BYNAME", "k BYNAME"),
            ("NOTIFY.UNFOLLOW k a BYNAME", "k"),
            ("NOTIFY.CURSORS k WORDS a b", "k"),
            ("NOTIFY.VIEW a word RANGE - +", "a"),
        ):
            assert resp.call("COMMAND", "GETKEYS", *words.split()) == keys.split(), words


def test_to_follow_by_name_needs_no_permission_for_the_log_but_to_view_it_does(shared_redis):
    client = shared_redis.client()
    call(client, "ACL", "SETUSER", "u", "reset", "on", ">p", "+@all", "~inbox:*", "&*")
    user = shared_redis.client(username="u", password="p")
    assert call(user, "NOTIFY.FOLLOW", FAR, LOG, "FROM", 0, "BYNAME") == 1
    assert call(user, "NOTIFY.READ", FAR, 5, "LOG", LOG, "BYNAME") == 1
    assert "permission" in error_of(user, "NOTIFY.VIEW", LOG, word_of(user.execute_command))
    call(client, "ACL", "DELUSER", "u")


def test_messages_of_a_page_say_what_the_follower_has_not_read(shared_redis):
    client = shared_redis.client()
    for n in (1, 2, 3):
        call(client, "NOTIFY.SEND", LOG, f"title {n}", "ID", n)
    call(client, "NOTIFY.FOLLOW", FAR, LOG, "FROM", 1, "BYNAME")
    call(client, "NOTIFY.READ", FAR, 3, "LOG", LOG, "BYNAME")
    page = pairs(call(client, "NOTIFY.VIEW", LOG, word_of(client.execute_command), "REVRANGE", "+", "-", "JSON"))
    told = [json.loads(text) for text in page["entries"]]
    assert [(one["id"], one["key"], one["unread"], one["data"]["is_read"]) for one in told] == [
        ("3-0", LOG, 1, True), ("2-0", LOG, 1, False)]  # fmt: skip
