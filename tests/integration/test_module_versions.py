"""Modules of different versions, as far as one build can show it: what an older one may skip in an effect,
and what happens where it may not. tests/versions runs two builds side by side."""

import os

import pytest

import corpus
from effects import CORPUS, read_corpus, server_with_aof
from module_helpers import call, digest, error_of

VERSIONS = sorted(os.listdir(CORPUS))
MAY = b"\xffMAY"
# Their list of names has no end of its own: a word behind it is one more name, unless an option ends it.
NAME_LISTS = (b"NOTIFY.MUTE", b"NOTIFY.UNMUTE", b"NOTIFY.UNFOLLOW")
GAVE_UP = "Giving up rather than differing from it"
KEY = "inbox:1"


def read_commands(version):
    """The commands of an AOF of effects and a rewritten one."""
    files = [read_corpus(version, name) for name in ("effects.aof.gz", "rewritten.aof.gz")]
    return files[0] + [[b"FLUSHALL"]] + files[1]


def is_effect(words):
    return words[0].startswith(b"NOTIFY.") and words[0] != b"NOTIFY.RESTOREBOX"


def kind_of(words):
    return b" ".join(words[:2] if words[0] in (b"NOTIFY.SESSION", b"NOTIFY.MARK") else words[:1])


@pytest.mark.parametrize("version", VERSIONS)
def test_parts_of_a_later_version_are_passed_over_in_every_effect(programs, version):
    commands = read_commands(version)
    plain = server_with_aof(programs, commands).start()
    longer = server_with_aof(
        programs,
        [words + [MAY, b"3", b"NEWER", b"NOPUBLISH", b"1"] if is_effect(words) else words for words in commands],
    ).start()
    assert len({kind_of(words) for words in commands if is_effect(words)}) >= 15
    assert digest(longer.client(), *corpus.KEYS) == digest(plain.client(), *corpus.KEYS)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_may_not_be_skipped_ends_the_process(programs, version):
    kinds = {kind_of(words): words for words in read_commands(version) if words[0].startswith(b"NOTIFY.")}
    assert len(kinds) >= 16
    for words in kinds.values():
        ended = words[0] not in NAME_LISTS or words[-1] == b"NOPUBLISH"
        newer = words + ([] if ended else [b"NOPUBLISH"]) + [b"NEWER"]
        server = server_with_aof(programs, [newer]).start(wait_ready=False)
        assert server.wait() == 1, words
        assert server.has_line(GAVE_UP), words
        server.check_reports()


def test_clients_have_no_parts_to_be_skipped(shared_redis):
    client = shared_redis.client()
    for words in (
        ["NOTIFY.SEND", KEY, "t", MAY, 1, "NEWER"],
        ["NOTIFY.EVENT", KEY, "e", MAY, 1, "NEWER"],
        ["NOTIFY.SENDMANY", 1, KEY, "t", MAY, 1, "NEWER"],
        ["NOTIFY.READ", KEY, 1, MAY, 1, "NEWER"],
        ["NOTIFY.MUTE", KEY, "c", MAY, 1, "NEWER"],
        ["NOTIFY.FOLLOW", KEY, "l", MAY, 1, "NEWER"],
    ):
        assert error_of(client, *words).startswith("syntax error: unknown option")
    assert client.dbsize() == 0


def test_a_replica_that_cannot_follow_ends_and_is_equal_when_it_is_started_again(programs):
    primary = programs.redis(name="primary")
    replica = programs.replica(primary, replica_read_only="no")
    replica.client().set(KEY, "what a stranger has written there")
    call(primary.client(), "NOTIFY.SEND", KEY, "t")
    assert replica.wait() == 1
    assert replica.has_line(f"cannot carry out 'NOTIFY.SEND {KEY} t .*WRONGTYPE.*{GAVE_UP}")
    replica.start().wait_synced()
    assert digest(replica.client(), KEY) == digest(primary.client(), KEY)


def test_the_version_that_is_written_is_a_setting(shared_redis):
    client = shared_redis.client()
    newest = client.config_get("notify.write-version")["notify.write-version"]
    assert int(newest) >= 2
    assert "between 1 and" in error_of(client, "CONFIG", "SET", "notify.write-version", int(newest) + 1)
    assert "between 1 and" in error_of(client, "CONFIG", "SET", "notify.write-version", 0)


def test_a_session_set_stays_as_small_as_readers_of_the_first_version_can_load(programs):
    server = programs.redis(module_args=["notify.write-version", 1])
    client = server.client()
    client.config_set("notify.session-max-connections", 10000)

    def open_(n):
        return ["NOTIFY.SESSION", "OPEN", "s", f"session {n}", f"c{n}", "LEASE", 60000]

    with client.pipeline(transaction=False) as pipe:
        for n in range(1024):
            pipe.execute_command(*open_(n))
        pipe.execute()
    assert "a session set holds at most 1024" in error_of(client, *open_(1024))
    client.config_set("notify.write-version", 2)
    assert call(client, *open_(1024)) == 1
