"""Files of earlier versions: whatever one of them has written, every later one loads, and says the same of
it. See tests/versions/make_corpus."""

import base64
import gzip
import json
import os

import pytest

import corpus
from module_helpers import call, digest, verify
from servers import ROOT, RedisServer

FOLDER = os.path.join(ROOT, "tests", "versions", "corpus")
VERSIONS = sorted(os.listdir(FOLDER))


def read(version, name):
    with gzip.open(os.path.join(FOLDER, version, name + ".gz")) as file:
        return file.read()


def start_with(programs, name, content, **options):
    """A server that finds this file in its folder."""
    server = programs.add(RedisServer(**options))
    with open(os.path.join(server.dir, name), "wb") as file:
        file.write(content)
    return server.start()


def check(client, version):
    wanted = json.loads(read(version, "facts.json"))
    assert corpus.missing(wanted, corpus.facts(client)) == []
    for key in corpus.BOXES:
        verify(client, key)


def check_tokens(client):
    """What was sent with these tokens is not sent again."""
    for key, tokens in corpus.TOKENS_OF.items():
        for n, token in enumerate(tokens, 1):
            assert call(client, "NOTIFY.SEND", key, "again", "IDEMPOTENT", token) == f"{corpus.FAR + n}-0"


@pytest.mark.parametrize("version", VERSIONS)
def test_an_rdb_file_of_an_earlier_version_is_loaded(programs, version):
    client = start_with(programs, "dump.rdb", read(version, "dump.rdb")).client()
    check(client, version)
    before = digest(client, *corpus.KEYS)
    client.execute_command("DEBUG", "RELOAD")
    assert digest(client, *corpus.KEYS) == before
    check_tokens(client)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["effects.aof", "rewritten.aof"])
def test_an_aof_of_an_earlier_version_is_loaded(programs, version, name):
    server = start_with(programs, "appendonly.aof", read(version, name), appendonly="yes",
                        aof_use_rdb_preamble="no")  # fmt: skip
    client = server.client()
    check(client, version)
    before = digest(client, *corpus.KEYS)
    server.rewrite_aof()
    client.execute_command("DEBUG", "LOADAOF")
    assert digest(client, *corpus.KEYS) == before
    check_tokens(client)


@pytest.mark.parametrize("version", VERSIONS)
def test_payloads_of_dump_of_an_earlier_version_are_restored(redis_server, version):
    raw = redis_server.client(decode_responses=False)
    for key, payload in json.loads(read(version, "dumps.json")).items():
        raw.restore(key, 0, base64.b64decode(payload))
    client = redis_server.client()
    wanted = json.loads(read(version, "facts.json"))
    for key in corpus.KEYS:
        del wanted[key]["ttl"]  # RESTORE is told one
    assert corpus.missing(wanted, corpus.facts(client)) == []
    check_tokens(client)
