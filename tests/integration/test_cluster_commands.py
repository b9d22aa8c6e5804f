"""Where each command goes in a cluster that the bridge sends: the server says where the keys of a command stand, and the bridge's
table (bridge/redis/command_key.c) says the same of the first one. A command that is new in the bridge has to be added here."""

import glob
import os
import re

import pytest

from resp import Resp, RespError
from servers import ROOT

# One of each, as the bridge sends it, with all of its keys.
COMMANDS = [
    ("NOTIFY.SINCE k 1-0 l 2-0@3 COUNT 5", "k l"),
    ("NOTIFY.RANGE k - + JSON", "k"),
    ("NOTIFY.REVRANGE k + - COUNT 5 UNSEEN JSON", "k"),
    ("NOTIFY.GET k 1-0", "k"),
    ("NOTIFY.FEED k COUNT 5 JSON", "k"),
    ("NOTIFY.UNREAD k BY CATEGORY", "k"),
    ("NOTIFY.BADGE k", "k"),
    ("NOTIFY.VERIFY k", "k"),
    ("NOTIFY.INFO k", "k"),
    ("NOTIFY.SEND k title", "k"),
    ("NOTIFY.EVENT k name DATA {}", "k"),
    ("NOTIFY.MARK k READ 1-0 LOG l BYNAME", "k"),
    ("NOTIFY.READALL k UPTO 1-0 LOG l BYNAME", "k"),
    ("NOTIFY.SEEN k UPTO 1-0 LOG l BYNAME", "k"),
    ("NOTIFY.DEL k 1-0", "k"),
    ("NOTIFY.MUTE k c", "k"),
    ("NOTIFY.UNMUTE k c", "k"),
    ("NOTIFY.FOLLOW k l FROM 1-0 BYNAME NOPUBLISH", "k"),
    ("NOTIFY.UNFOLLOW k l BYNAME NOPUBLISH", "k"),
    ("NOTIFY.CURSORS k WORDS l m", "k"),
    ("NOTIFY.VIEW k word RANGE - + COUNT 5 JSON", "k"),
    ("NOTIFY.SESSION OPEN k session c LEASE 1", "k"),
    ("NOTIFY.SESSION TOUCH k LEASE 1 c", "k"),
    ("NOTIFY.SESSION CLOSE k c", "k"),
    ("NOTIFY.SESSION RENEW LEASE 1 k c l c", "k l"),
    ("NOTIFY.SESSION DROPNODE k node", "k"),
    ("NOTIFY.SESSION COUNT k CONNECTIONS", "k"),
    ("NOTIFY.SESSION LIST k", "k"),
    ("NOTIFY.SESSION KICK k *", "k"),
    ("XADD k MAXLEN ~ 5 * a b", "k"),
    ("XDEL k 1-0", "k"),
    ("GET k", "k"),
    ("SET k v EX 5", "k"),
    ("GETDEL k", "k"),
    ("EVALSHA sha 1 k a", "k"),
    ("EVAL script 1 k a", "k"),
    ("PUBLISH channel text", ""),
    ("INFO notify", ""),
]


def sources():
    for path in glob.glob(os.path.join(ROOT, "bridge", "**", "*.c"), recursive=True):
        with open(path, encoding="utf-8") as file:
            yield file.read()


def rows():
    """(command, subcommand or None, where its first key stands) of the bridge's table."""
    with open(os.path.join(ROOT, "bridge", "redis", "command_key.c"), encoding="utf-8") as file:
        found = re.findall(r'\{"([A-Z.]+)", (?:"([A-Z]+)"|NULL), (\d+)\}', file.read())
    assert len(found) > 3
    return [(name, sub or None, int(at)) for name, sub, at in found]


def key_of(words):
    for name, sub, at in rows():
        if words[0] == name and sub in (None, words[1]):
            return words[at] if at else ""
    return words[1]


@pytest.mark.parametrize("line, keys", COMMANDS, ids=[line.split(" k")[0] for line, _ in COMMANDS])
def test_the_server_says_the_same_of_keys_as_the_bridges_table(shared_redis, line, keys):
    words = line.split()
    with Resp(shared_redis.port) as resp:
        try:
            found = resp.call("COMMAND", "GETKEYS", *words)
        except RespError as error:
            assert "no key arguments" in str(error)
            found = []
    assert " ".join(found) == keys
    assert key_of(words) == keys.split(" ")[0]


def test_every_command_of_the_module_that_the_bridge_sends_is_looked_at():
    sent = {name for text in sources() for name in re.findall(r'"(NOTIFY\.[A-Z]+)"', text)}
    assert sent == {line.split()[0] for line, _ in COMMANDS if line.startswith("NOTIFY.")}


def test_every_row_of_the_table_is_looked_at():
    looked_at = {line.split()[0] for line, _ in COMMANDS}
    assert {name for name, _, _ in rows()} - looked_at <= {"SCRIPT", "CLUSTER"}
