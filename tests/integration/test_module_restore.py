"""Values from outside: payloads of DUMP of every kind, mutated inside the strings that the module reads and
sealed again. Whatever RESTORE accepts must be sound, must bear every command, and must survive DUMP, COPY,
a reload and a rewritten AOF unchanged."""

import json
import random

import redis

from dump_helpers import sealed
from module_helpers import call, digest, pairs

FAR = 4000000000000  # an expiry that no test lives to see
ROUNDS = 400  # for each kind
KEPT = 40  # of those that were accepted, for each kind


# -- the module's part of DUMP: type, module id, then an opcode and a length before each string


def take_length(data, at):
    kind = data[at] >> 6
    if kind == 0:
        return data[at] & 63, at + 1
    if kind == 1:
        return (data[at] & 63) << 8 | data[at + 1], at + 2
    size = {0x80: 4, 0x81: 8}[data[at]]
    return int.from_bytes(data[at + 1 : at + 1 + size], "big"), at + 1 + size


def strings_of(dump):
    """(what comes before them, the strings, what comes after them). Needs rdbcompression no; small numbers
    are not written as text by the module, so no string is encoded as an integer."""
    _, at = take_length(dump, 1)
    head, found = dump[:at], []
    while True:
        opcode, at = take_length(dump, at)
        if opcode == 0:
            return head, found, dump[at:-8]
        size, at = take_length(dump, at)
        found.append(dump[at : at + size])
        at += size


def payload_of(head, strings, tail):
    body = head
    for text in strings:
        body += b"\x05\x80" + len(text).to_bytes(4, "big") + text
    return sealed(body + b"\0" + tail)


def mutate(rng, strings):
    strings = [bytearray(text) for text in strings]
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        text = rng.choice(strings)
        at = rng.randrange(len(text) + 1)
        kind = rng.randrange(7)
        if kind <= 2 and at < len(text):
            text[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, text[at] ^ 1 << rng.randrange(8), rng.randrange(256)))
        elif kind == 3:
            del text[at : at + rng.randrange(1, 5)]
        elif kind == 4:
            text[at:at] = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 5)))
        elif kind == 5:  # a piece again, or from elsewhere
            other = rng.choice(strings)
            start = rng.randrange(len(other) + 1)
            text[at:at] = other[start : start + rng.randrange(1, 30)]
        elif kind == 6 and len(strings) > 1:
            action = rng.randrange(3)
            if action == 0:
                strings.remove(text)
            elif action == 1:
                strings.insert(rng.randrange(len(strings)), bytearray(text))
            else:
                strings[0], strings[-1] = strings[-1], strings[0]
    return [bytes(text) for text in strings]


# -- what is mutated


def fill(client):
    """{kind: key}"""
    for n in range(6):
        call(client, "NOTIFY.SEND", "plain", f"t{n}", "CONTENT", "c" * n, "CATEGORY", f"c{n % 3}",
             "LEVEL", ("info", "critical")[n % 2], "DATA", '{"a":[1,"x"]}', "ENTITY", "order", n)  # fmt: skip
    found = [one[0] for one in call(client, "NOTIFY.RANGE", "plain", "-", "+")]
    call(client, "NOTIFY.READ", "plain", found[0])
    call(client, "NOTIFY.MARK", "plain", "SEEN", found[1])
    call(client, "NOTIFY.MARK", "plain", "ARCHIVED", found[2])
    call(client, "NOTIFY.MUTE", "plain", "c1", "unused")
    for n in range(4):
        call(client, "NOTIFY.SEND", "expiring", f"t{n}", "PXAT", FAR + n)
        call(client, "NOTIFY.EVENT", "collapsing", "progress", "COLLAPSE", f"job{n % 3}", "DATA", n)
        call(client, "NOTIFY.SEND", "tokens", f"t{n}", "IDEMPOTENT", f"token{n}")
        call(client, "NOTIFY.SEND", "log:1", f"t{n}")
        call(client, "NOTIFY.SEND", "log:2", f"t{n}")
        call(client, "NOTIFY.SESSION", "OPEN", "sessions", f"s{n % 2}", f"c{n}", "LEASE", 600000,
             "NODE", "bridge-1", "ADDR", "192.0.2.1", "META", '{"a":1}')  # fmt: skip
    call(client, "NOTIFY.FOLLOW", "following", "log:1", "log:2", "FROM", "0")
    logged = [one[0] for one in call(client, "NOTIFY.RANGE", "log:1", "-", "+")]
    call(client, "NOTIFY.READ", "following", logged[2], "LOG", "log:1")
    call(client, "NOTIFY.READALL", "following", "UPTO", logged[0], "LOG", "log:1")
    for n in range(400):
        call(client, "NOTIFY.SEND", "large", f"t{n}", "CONTENT", "x" * (n % 50), "MAXLEN", 300)
    call(client, "NOTIFY.READALL", "large", "UPTO", call(client, "NOTIFY.RANGE", "large", "-", "+")[100][0])
    return ["plain", "expiring", "collapsing", "tokens", "following", "large", "sessions"]


BOX_COMMANDS = [
    ["NOTIFY.BADGE", "LOGS", 2, "log:1", "log:2"],
    ["NOTIFY.UNREAD", "LOGS", 1, "log:1"],
    ["NOTIFY.INFO"],
    ["NOTIFY.CURSORS"],
    ["NOTIFY.RANGE", "-", "+", "ALL"],
    ["NOTIFY.REVRANGE", "+", "-", "COUNT", 5, "JSON"],
    ["NOTIFY.SINCE", "0", "COUNT", 5],
    ["NOTIFY.COUNT", "-", "+"],
    ["NOTIFY.SEND", "t", "COLLAPSE", "job1", "IDEMPOTENT", "token1"],
    ["NOTIFY.EVENT", "progress", "COLLAPSE", "job2", "PX", 100000],
    ["NOTIFY.READALL", "LOG", "log:1"],
    ["NOTIFY.FOLLOW", "log:2", "log:3"],
    ["NOTIFY.UNFOLLOW", "log:1"],
    ["NOTIFY.UNMUTE", "c1"],
    ["NOTIFY.MUTE", "c0"],
    ["NOTIFY.READALL"],
    ["NOTIFY.SEEN"],
    ["NOTIFY.TRIM", "MAXLEN", 2],
]
SET_COMMANDS = [
    ["LIST"],
    ["COUNT", "CONNECTIONS"],
    ["TOUCH", "LEASE", 1000000, "c1"],
    ["OPEN", "s1", "new", "LEASE", 1000000],
    ["CLOSE", "c0"],
    ["KICK", "s1"],
]


def try_all(client, kind, key):
    """Every command; error replies are fine, as ids may be used up, for example."""
    if kind == "sessions":
        commands = [["NOTIFY.SESSION", first, key, *rest] for first, *rest in SET_COMMANDS]
    else:
        commands = [[first, key, *rest] for first, *rest in BOX_COMMANDS]
    for command in commands:
        try:
            reply = client.execute_command(*command)
        except redis.ResponseError:
            continue
        if command[-1] == "JSON":
            assert all(json.loads(text.encode("utf-8"))["id"] for text in reply)
        if kind != "sessions" and client.exists(key):
            verify_again(client, key)


def verify_again(client, key):
    audit = pairs(call(client, "NOTIFY.VERIFY", key))
    assert audit["sound"] == 1, (key, audit)


def test_what_restore_accepts_is_sound_and_survives_everything(programs):
    server = programs.redis(appendonly="yes", aof_use_rdb_preamble="no", rdbcompression="no")
    # Names of logs are keys, and these may be any bytes; JSON may not.
    client, raw = server.client(encoding_errors="surrogateescape"), server.client(decode_responses=False)
    rng = random.Random(20)
    kept = []
    refused = accepted = 0
    for kind in fill(client):
        head, strings, tail = strings_of(raw.dump(kind))
        assert payload_restores(raw, payload_of(head, strings, tail)), "the test reads DUMP wrongly"
        of_kind = 0
        for n in range(ROUNDS):
            if not payload_restores(raw, payload_of(head, mutate(rng, strings), tail)):
                refused += 1
                continue
            accepted += 1
            wanted = digest(client, "mutant")
            raw.restore("again", 0, raw.dump("mutant"), replace=True)
            client.execute_command("COPY", "mutant", "copy", "REPLACE")
            assert digest(client, "again", "copy") == wanted * 2
            if kind != "sessions":
                verify_again(client, "mutant")
            if of_kind < KEPT:
                of_kind += 1
                kept.append(f"kept:{kind}:{n}")
                client.rename("again", kept[-1])
                if kind == "sessions":  # a set has a TTL, and DEBUG DIGEST-VALUE sees whether it has
                    client.pexpire(kept[-1], 10**9)
            try_all(client, kind, "mutant")
    client.delete("mutant", "again", "copy")
    assert accepted > 100 and refused > 500
    before = digest(client, *kept)
    client.execute_command("DEBUG", "RELOAD")
    assert differing(client, kept, before) == []
    server.rewrite_aof()
    server.restart()
    assert differing(server.client(), kept, before) == []


def payload_restores(raw, payload):
    try:
        raw.restore("mutant", 0, payload, replace=True)
    except redis.ResponseError as error:
        assert "Bad data format" in str(error) or "DUMP payload" in str(error), error
        return False
    return True


def differing(client, keys, before):
    """Those keys whose digest is not what it was; expired ones have gone with their end."""
    return [key for key, one, other in zip(keys, digest(client, *keys), before) if one != other and client.exists(key)]
