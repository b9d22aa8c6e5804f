"""Values of every kind that the module stores, and what it says of them: for files that every later version
must load, and for modules of two versions side by side.

Only what depends on no clock: ids and times are given, and lie so far ahead that nothing expires. What no
client may say (REMEMBER, SESSION APPLY) is replicated to the server before (fill_as_primary)."""

import json

from effects import Primary
from module_helpers import call, pairs
from servers import wait_until

FAR = 253402300000000  # the year 9999
LEVELS = ["info", "success", "warning", "error", "critical"]

INBOX, LARGE, TIDY, LOG, LOG_2 = "inbox:1", "inbox:large", "inbox:tidy", "topic:all", "topic:{ü}"
EMPTY, EMPTY_LARGE, TRIMMED = "inbox:empty", "inbox:empty-large", "inbox:trimmed"
EXPIRING, TOKENS, TOKENS_ONLY, PROGRESS = "inbox:expiring", "inbox:tokens", "inbox:tokens-only", "session:p"
MUTED, ONLY_MUTED, CATEGORIES, FOLLOWER = "inbox:muted", "inbox:only-muted", "inbox:categories", "inbox:follower"
SCATTERED, GREATEST = "inbox:scattered", "inbox:greatest"
SESSIONS, ONE_SESSION, GONE_SESSIONS = "sessions:1", "sessions:2", "sessions:gone"

BOXES = [INBOX, LARGE, TIDY, LOG, LOG_2, EMPTY, EMPTY_LARGE, TRIMMED, EXPIRING, TOKENS, TOKENS_ONLY, PROGRESS,
         MUTED, ONLY_MUTED, CATEGORIES, FOLLOWER, SCATTERED, GREATEST]  # fmt: skip
SETS = [SESSIONS, ONE_SESSION]
KEYS = BOXES + SETS
FOLLOWED = {FOLLOWER: [LOG, LOG_2, "topic:none"], SCATTERED: [LOG]}
TOKENS_OF = {TOKENS: ["a", "b 2", "ü" * 60], TOKENS_ONLY: ["kept"]}


def send(client, key, number, *options, title=None):
    return call(client, "NOTIFY.SEND", key, title or f"title {number}", "ID", FAR + number, *options)


def fill_states(client):
    """An inbox with every field, level and mark."""
    call(client, "NOTIFY.SEND", INBOX, 'all "fields" \\ ü\n', "ID", f"{FAR}-7", "CONTENT", "ä\n\t\"\x01", "TYPE",
         "t", "CATEGORY", "ci", "LEVEL", "critical", "EVENT", "alert", "ACTION", '{ "a": [1, "ü"] }', "ENTITY",
         "task", "17", "DATA", '{"n": 1.50, "s": "\\u00fc"}', "EXCLUDE", "tab-1")  # fmt: skip
    call(client, "NOTIFY.EVENT", INBOX, "progress", "DATA", "[2]", "ID", f"{FAR}-9", "CATEGORY", "chat")
    for n in range(1, 21):
        send(client, INBOX, n, "LEVEL", LEVELS[n % 5], "CATEGORY", f"c{n % 3}", "CONTENT", "x" * n)
    call(client, "NOTIFY.READ", INBOX, FAR + 1, FAR + 2)
    call(client, "NOTIFY.MARK", INBOX, "SEEN", FAR + 3, FAR + 4)
    call(client, "NOTIFY.MARK", INBOX, "ARCHIVED", FAR + 2, FAR + 5, f"{FAR}-9")
    call(client, "NOTIFY.MARK", INBOX, "UNREAD", FAR + 1)
    call(client, "NOTIFY.READALL", INBOX, "CATEGORY", "c1", "UPTO", FAR + 15)
    call(client, "NOTIFY.MARK", INBOX, "UNARCHIVED", FAR + 5)
    call(client, "NOTIFY.SEEN", INBOX, "UPTO", FAR + 9)
    call(client, "NOTIFY.DEL", INBOX, FAR + 6, FAR + 12)


def fill_shapes(client):
    """Boxes of several segments, emptied ones, one whose ids are used up, one with very long entries."""
    for n in range(1, 401):
        send(client, LARGE, n, "CONTENT", "y" * (n * 7 % 90), "MAXLEN", 350)
    send(client, LARGE, 500, "CONTENT", "z" * 40000)
    call(client, "NOTIFY.READ", LARGE, FAR + 100, FAR + 398, FAR + 500)
    call(client, "NOTIFY.DEL", LARGE, *range(FAR + 200, FAR + 240))
    for n in range(1, 4):
        send(client, EMPTY, n)
    call(client, "NOTIFY.DEL", EMPTY, FAR + 1, FAR + 2, FAR + 3)
    for n in range(1, 101):
        send(client, EMPTY_LARGE, n, "CONTENT", "y" * 100)
    call(client, "NOTIFY.TRIM", EMPTY_LARGE, "MAXLEN", 0)
    for n in range(1, 31):
        send(client, TRIMMED, n)
    call(client, "NOTIFY.TRIM", TRIMMED, "MAXLEN", 12)
    call(client, "NOTIFY.TRIM", TRIMMED, "MINID", FAR + 25)
    send(client, TIDY, 1)
    call(client, "NOTIFY.SEND", GREATEST, "the last one", "ID", f"{FAR}-18446744073709551615")


def fill_expiring(client):
    for n in range(1, 11):
        send(client, EXPIRING, n, "PXAT", FAR + 100000 + n, "CATEGORY", "short")
    for n in (1, 2, 3):
        send(client, PROGRESS, n, "COLLAPSE", "job 1", "CONTENT", f"{n}0 %")
    send(client, PROGRESS, 4, "COLLAPSE", 'job "2" ü')


def remember(key, number, token, at, after, most):
    return ["NOTIFY.SEND", key, f"title {number}", "IDEMPOTENT", token, "ID", f"{FAR + number}-0", "MAXLEN", 1000,
            "REMEMBER", at, after, most, "NOPUBLISH"]  # fmt: skip


def tokens():
    for n, token in enumerate(TOKENS_OF[TOKENS], 1):
        yield remember(TOKENS, n, token, FAR + n, n, 100)
    yield remember(TOKENS_ONLY, 1, TOKENS_OF[TOKENS_ONLY][0], FAR, 0, 10)
    yield ["NOTIFY.DEL", TOKENS_ONLY, f"{FAR + 1}-0", "NOPUBLISH"]


def fill_categories(client):
    for n in range(1, 9):
        send(client, MUTED, n, "CATEGORY", f"c{n % 4}")
    call(client, "NOTIFY.MUTE", MUTED, "c1", "c2", "not used")
    call(client, "NOTIFY.UNMUTE", MUTED, "c2")
    call(client, "NOTIFY.MUTE", ONLY_MUTED, "ü \"quoted\" \\", "NOPUBLISH")
    for n in range(1, 301):
        send(client, CATEGORIES, n, "CATEGORY", f"category number {n}")
    call(client, "NOTIFY.DEL", CATEGORIES, *range(FAR + 50, FAR + 60))


def fill_followers(client):
    """Cursors with exceptions of each kind; one log lies behind the other's name in the order of bytes."""
    for n in range(1, 41):
        send(client, LOG, n, "CATEGORY", f"c{n % 3}", "LEVEL", LEVELS[n % 5])
    for n in range(1, 6):
        send(client, LOG_2, n)
    call(client, "NOTIFY.MUTE", FOLLOWER, "c2")
    call(client, "NOTIFY.FOLLOW", FOLLOWER, LOG, "FROM", FAR + 4)
    call(client, "NOTIFY.FOLLOW", FOLLOWER, *FOLLOWED[FOLLOWER], "topic:left")
    call(client, "NOTIFY.UNFOLLOW", FOLLOWER, "topic:left")
    call(client, "NOTIFY.READALL", FOLLOWER, "UPTO", FAR + 12, "LOG", LOG)
    call(client, "NOTIFY.SEEN", FOLLOWER, "UPTO", FAR + 20, "LOG", LOG)
    call(client, "NOTIFY.READ", FOLLOWER, FAR + 15, FAR + 30, "LOG", LOG)
    call(client, "NOTIFY.MARK", FOLLOWER, "UNREAD", FAR + 8, "LOG", LOG)
    call(client, "NOTIFY.MARK", FOLLOWER, "SEEN", FAR + 33, "LOG", LOG)
    call(client, "NOTIFY.MARK", FOLLOWER, "ARCHIVED", FAR + 9, FAR + 35, FAR + 36, "LOG", LOG)
    call(client, "NOTIFY.MARK", FOLLOWER, "UNARCHIVED", FAR + 36, "LOG", LOG)
    send(client, LOG_2, 6)
    call(client, "NOTIFY.FOLLOW", SCATTERED, LOG, "FROM", 0)
    call(client, "NOTIFY.READ", SCATTERED, *range(FAR + 1, FAR + 41, 2), "LOG", LOG)
    call(client, "NOTIFY.READALL", SCATTERED, "CATEGORY", "c0", "LOG", LOG)


def put(key, rev, *changes):
    return ["NOTIFY.SESSION", "APPLY", key, rev, *changes]


def sessions():
    yield put(SESSIONS, 5, "PUT", "tab ü", "c1", FAR + 1, 1795208400123, "bridge-1", "10.0.0.1", '{"ua":"ü"}',
              "PUT", "tab ü", "c2", FAR + 2, 1795208400124, "", "", "", "PUT", "tab-2", "c3", FAR + 3, 1795208400125,
              "bridge-2", "", "")  # fmt: skip
    yield put(SESSIONS, 6, "LEASE", "c2", FAR + 9, "CLOSE", "nobody")
    changes = []
    for n in range(70):
        changes += ["PUT", f"s{n // 4}", f"conn {n}", FAR + n, 1795208400000 + n, "bridge-1", "", ""]
    yield put(ONE_SESSION, 70, *changes)
    yield put(ONE_SESSION, 71, "CLOSE", "conn 5")
    yield put(GONE_SESSIONS, 1, "PUT", "s", "c", FAR, 1, "", "", "")
    yield put(GONE_SESSIONS, 2, "CLOSE", "c")


def fill_by_clients(client):
    """Commands whose effects hold the clock of whoever ran them. What they leave has expired by the time
    that it is read again, but their effects must be read."""
    key = "sessions:past"
    call(client, "NOTIFY.SESSION", "OPEN", key, "s", "a", "LEASE", 60000, "NODE", "n", "META", '{"a": 1}')
    call(client, "NOTIFY.SESSION", "OPEN", key, "s", "b", "LEASE", 60000, "ADDR", "::1", "MAXCONN", 5)
    call(client, "NOTIFY.SESSION", "OPEN", key, "t", "c", "LEASE", 60000, "NODE", "m")
    call(client, "NOTIFY.SESSION", "TOUCH", key, "LEASE", 61000, "a", "b")
    call(client, "NOTIFY.SESSION", "CLOSE", key, "a")
    call(client, "NOTIFY.SESSION", "DROPNODE", key, "m")
    call(client, "NOTIFY.SESSION", "KICK", key, "*")
    call(client, "NOTIFY.SEND", "inbox:past", "t", "EX", 60, "IDEMPOTENT", "now", "COLLAPSE", "now")
    call(client, "NOTIFY.SENDMANY", 2, "inbox:past", "inbox:past 2", "to both", "EX", 60)
    call(client, "NOTIFY.EVENT", "inbox:past", "e", "DATA", "{}", "PX", 60000)
    call(client, "NOTIFY.SEND", "inbox:swept", "gone at once", "PX", 1)
    call(client, "NOTIFY.SEND", "inbox:swept", "gone soon", "EX", 60)
    wait_until(lambda: call(client, "NOTIFY.LEN", "inbox:swept") == 1, "the end of an entry")
    call(client, "NOTIFY.SEND", "inbox:swept", "takes it out", "EX", 60)


def fill_as_primary(server):
    """What only a primary may say. The server begins empty."""
    primary = Primary(server)
    primary.send(["SELECT", 0], *tokens(), *sessions())
    primary.close()


def fill(client):
    """Everything that a client may say."""
    for part in (fill_states, fill_shapes, fill_expiring, fill_categories, fill_followers, fill_by_clients):
        part(client)


# -- what the module says of it


def box_facts(client, key):
    about = pairs(call(client, "NOTIFY.INFO", key))
    about["categories"] = {name: pairs(one) for name, one in pairs(about["categories"]).items()}
    for name in ("bytes", "segments", "allocations"):  # how it lies in memory is nobody's business
        del about[name]
    entries = [[id_, pairs(fields)] for id_, fields in call(client, "NOTIFY.RANGE", key, "-", "+", "ALL")]
    texts = [json.loads(one) for one in call(client, "NOTIFY.RANGE", key, "-", "+", "ALL", "JSON")]
    cursors = pairs(call(client, "NOTIFY.CURSORS", key))
    return {
        "info": about,
        "entries": entries,
        "json": texts,
        "cursors": {log: pairs(fields) for log, fields in cursors.items()},
        "unread": call(client, "NOTIFY.UNREAD", key),
        "ttl": call(client, "PEXPIRETIME", key),
    }


def badge_facts(client, key, logs):
    reply = pairs(call(client, "NOTIFY.BADGE", key, "LOGS", len(logs), *logs))
    reply["by_category"] = pairs(reply["by_category"])
    reply["logs"] = {log: pairs(share) for log, share in pairs(reply["logs"]).items()}
    return reply


def set_facts(client, key):
    return {
        "connections": [pairs(one) for one in call(client, "NOTIFY.SESSION", "LIST", key)],
        "count": call(client, "NOTIFY.SESSION", "COUNT", key),
        "ttl": call(client, "PEXPIRETIME", key),
    }


def facts(client):
    """Everything that the module says of the values that exist, fit for JSON."""
    keys = [key for key in KEYS if client.exists(key)]
    found = {key: (set_facts if key in SETS else box_facts)(client, key) for key in keys}
    found["badges"] = {
        key: badge_facts(client, key, logs) for key, logs in FOLLOWED.items() if client.exists(key)
    }
    return json.loads(json.dumps(found))


def missing(wanted, found, path=""):
    """What of `wanted` is not in `found`, as lines of text. More members than wanted are fine: a later
    version may have more to say."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        lines = []
        for name, value in wanted.items():
            lines += missing(value, found[name], f"{path}/{name}") if name in found else [f"{path}/{name}: gone"]
        return lines
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        return [line for n, (a, b) in enumerate(zip(wanted, found)) for line in missing(a, b, f"{path}/{n}")]
    return [] if wanted == found else [f"{path}: {wanted!r:.200} became {found!r:.200}"]
