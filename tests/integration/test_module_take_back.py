"""DEL and MARK of entries that are named by what they are about: a token, or an object (ENTITY)."""

import random

import pytest

from module_helpers import call, digest, error_of, ids, pairs, verify
from resp import Resp
from servers import host_path, wait_until

BOX, LOG, TWIN = "inbox:1", "topic:1", "inbox:twin"
MARKS = ["READ", "UNREAD", "SEEN", "ARCHIVED", "UNARCHIVED"]
ENTITIES = [("task", "7"), ("task", "8"), ("ünd", 'quo"te'), ("alone", "")]
TOKENS = ["build:7", 'quo"te', "ünd\\", "t"]


def send(client, key, *words):
    return call(client, "NOTIFY.SEND", key, "t", *words)


def states(client, key, *words):
    """Each entry with its state, without times."""
    fields = ((id_, pairs(found)) for id_, found in call(client, "NOTIFY.RANGE", key, "-", "+", "ALL", *words))
    return [(id_, "read" in f or "read_at" in f, "seen" in f or "seen_at" in f, "archived" in f) for id_, f in fields]


def test_what_was_sent_with_a_token_is_taken_back_with_it(shared_redis, listen):
    client = shared_redis.client()
    collapsing, idempotent = send(client, BOX, "COLLAPSE", "a"), send(client, BOX, "IDEMPOTENT", "b")
    both = [send(client, BOX, "IDEMPOTENT", "c"), send(client, BOX, "COLLAPSE", "c")]
    other = send(client, BOX)
    heard = listen(shared_redis, BOX)
    for token, gone in (("a", [collapsing]), ("b", [idempotent]), ("c", both)):
        assert call(client, "NOTIFY.DEL", BOX, "TOKEN", token) == len(gone)
        assert call(client, "NOTIFY.DEL", BOX, "TOKEN", token) == 0
        assert [(one["type"], one["ids"]) for one in heard.messages()] == [("deleted", gone)]
    assert ids(call(client, "NOTIFY.RANGE", BOX, "-", "+")) == [other]
    assert call(client, "NOTIFY.DEL", "nothing", "TOKEN", "a") == call(client, "NOTIFY.DEL", "nothing", "ENTITY", "a", 1) == 0
    assert client.exists("nothing") == 0


def test_a_token_means_the_entry_that_carries_it_now(shared_redis):
    client = shared_redis.client()
    first = send(client, BOX, "COLLAPSE", "job", "IDEMPOTENT", "job")
    second = send(client, BOX, "COLLAPSE", "job")
    assert call(client, "NOTIFY.MARK", BOX, "READ", "TOKEN", "job") == 1
    assert states(client, BOX) == [(second, True, True, False)]
    assert call(client, "NOTIFY.GET", BOX, first) == [None]


def test_one_entry_with_one_token_for_both_is_told_once(shared_redis, listen):
    client = shared_redis.client()
    sent = send(client, BOX, "COLLAPSE", "job", "IDEMPOTENT", "job")
    heard = listen(shared_redis, BOX)
    assert call(client, "NOTIFY.DEL", BOX, "TOKEN", "job", "NOPUBLISH") == 1
    assert heard.messages() == []
    assert call(client, "NOTIFY.GET", BOX, sent) == [None]


def random_words(rng):
    words = ["COLLAPSE", rng.choice(TOKENS)] if rng.random() < 0.3 else []
    words += ["IDEMPOTENT", rng.choice(TOKENS)] if rng.random() < 0.3 else []
    entity = rng.choice([*ENTITIES, None])
    return words + (["ENTITY", *entity] if entity else [])


class Named:
    """Names entries by object or token, and knows their ids from what was sent and what is there."""

    def __init__(self, client, rng, key, log):
        self.client, self.rng, self.key, self.log = client, rng, key, log
        self.remembered = {}  # of IDEMPOTENT

    def send(self):
        words = random_words(self.rng)
        sent = send(self.client, self.key, *words)
        if "IDEMPOTENT" in words:
            self.remembered.setdefault(words[words.index("IDEMPOTENT") + 1], sent)

    def choose(self):
        """(the words, the ids)"""
        found = [(id_, pairs(f)) for id_, f in call(self.client, "NOTIFY.RANGE", BOX, "-", "+", "ALL", *self.log)]
        if self.rng.random() < 0.5:
            entity = self.rng.choice(ENTITIES)
            fits = [id_ for id_, f in found if (f.get("entity_type"), f.get("entity_id", "")) == entity]
            return ["ENTITY", *entity], fits
        token = self.rng.choice(TOKENS)
        known = self.remembered.get(token)
        return ["TOKEN", token], [id_ for id_, f in found if f.get("collapse") == token or id_ == known]


@pytest.mark.parametrize("with_log", [False, True], ids=["the box", "a log"])
def test_naming_by_object_or_token_is_the_same_as_naming_the_ids(shared_redis, with_log):
    client, rng = shared_redis.client(), random.Random(5)
    log = ["LOG", LOG] if with_log else []
    call(client, "NOTIFY.FOLLOW", BOX, LOG, "FROM", 0)
    named = Named(client, rng, LOG if with_log else BOX, log)
    for _ in range(40):
        named.send()
    changed = 0
    for _ in range(200):
        named.send()
        name, chosen = named.choose()
        command = ["NOTIFY.DEL"] if not with_log and rng.random() < 0.1 else ["NOTIFY.MARK", rng.choice(MARKS)]
        client.execute_command("COPY", BOX, TWIN, "REPLACE")
        wanted = call(client, command[0], TWIN, *command[1:], *chosen, *log) if chosen else 0
        assert call(client, command[0], BOX, *command[1:], *name, *log) == wanted, (command, name, chosen)
        assert states(client, BOX, *log) == states(client, TWIN, *log)
        changed += wanted
    assert changed > 100
    verify(client, BOX)


def test_replicas_and_the_aof_know_the_ids(programs):
    primary = programs.redis(name="primary", appendonly="yes", aof_use_rdb_preamble="no")
    replica = programs.replica(primary)
    client, rng = primary.client(), random.Random(6)
    call(client, "NOTIFY.FOLLOW", BOX, LOG, "FROM", 0)
    for _ in range(60):
        send(client, rng.choice((BOX, LOG)), *random_words(rng))
        name = ["TOKEN", rng.choice(TOKENS)] if rng.random() < 0.5 else ["ENTITY", *rng.choice(ENTITIES)]
        call(client, "NOTIFY.MARK", BOX, rng.choice(MARKS), *name, *rng.choice(([], ["LOG", LOG])))
        if rng.random() < 0.2:
            call(client, "NOTIFY.DEL", rng.choice((BOX, LOG)), *name)
    replica.wait_synced()
    wanted = digest(client, BOX, LOG)
    assert digest(replica.client(), BOX, LOG) == wanted
    client.execute_command("DEBUG", "LOADAOF")
    assert digest(client, BOX, LOG) == wanted


def test_what_has_expired_or_was_withdrawn_is_not_found(redis_server):
    client = redis_server.client()
    call(client, "NOTIFY.FOLLOW", BOX, LOG)
    send(client, BOX, "COLLAPSE", "a", "ENTITY", "task", 1, "PX", 1)
    wait_until(lambda: call(client, "NOTIFY.LEN", BOX) == 0, "its end")
    for name in (["TOKEN", "a"], ["ENTITY", "task", 1]):
        assert call(client, "NOTIFY.MARK", BOX, "SEEN", *name) == call(client, "NOTIFY.DEL", BOX, *name) == 0
    send(client, LOG, "COLLAPSE", "a")
    call(client, "NOTIFY.MARK", LOG, "ARCHIVED", "TOKEN", "a")
    assert call(client, "NOTIFY.MARK", BOX, "READ", "TOKEN", "a", "LOG", LOG) == 0, "withdrawn"
    assert call(client, "NOTIFY.MARK", BOX, "READ", "TOKEN", "a", "LOG", "topic:none") == 0


def test_so_many_are_changed_at_once(programs):
    client = programs.redis(module=host_path("notify_narrow.so")).client()
    for _ in range(5):
        send(client, BOX, "ENTITY", "v", "1")
    for command in (["NOTIFY.MARK", BOX, "READ"], ["NOTIFY.DEL", BOX]):
        assert [call(client, *command, "ENTITY", "v", "1") for _ in range(4)] == [2, 2, 1, 0]
    assert call(client, "NOTIFY.LEN", BOX) == 0


def test_errors_change_nothing(shared_redis):
    client = shared_redis.client()
    send(client, BOX, "ENTITY", "task", 7, "COLLAPSE", "a")
    before = digest(client, BOX)
    for words, error in (
        (["DEL", BOX, "TOKEN"], "syntax error: TOKEN lacks its value"),
        (["DEL", BOX, "ENTITY", "task"], "syntax error: ENTITY id lacks its value"),
        (["DEL", BOX, "ENTITY", "", "7"], "ENTITY type must not be empty"),
        (["MARK", BOX, "READ", "ENTITY", "", "7"], "ENTITY type must not be empty"),
        (["DEL", BOX, "TOKEN", "a", "1-0"], "syntax error: unknown option '1-0'"),
        (["DEL", BOX, "TOKEN", "a", "ENTITY", "task", "7"], "syntax error: unknown option 'ENTITY'"),
        (["MARK", BOX, "READ", "TOKEN", "a", "LOG", BOX], "LOG must be another box than the key itself"),
        (["READ", BOX, "TOKEN", "a"], "id must be an id such as 1795208400123-0, not 'TOKEN'"),
    ):  # fmt: skip
        assert error_of(client, f"NOTIFY.{words[0]}", *words[1:]) == error, words
    assert digest(client, BOX) == before


def test_the_log_is_a_key_whatever_the_token_is_called(shared_redis):
    with Resp(shared_redis.port) as resp:
        for words, keys in (
            ("NOTIFY.MARK k READ TOKEN LOG LOG a", "k a"),
            ("NOTIFY.MARK k READ TOKEN LOG", "k"),
            ("NOTIFY.MARK k READ ENTITY LOG LOG LOG a", "k a"),
            ("NOTIFY.MARK k READ ENTITY LOG LOG NOPUBLISH", "k"),
            ("NOTIFY.DEL k TOKEN LOG", "k"),
        ):
            assert resp.call("COMMAND", "GETKEYS", *words.split()) == keys.split(), words
