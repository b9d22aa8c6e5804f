"""Whatever bytes a request is made of: one that has a request_id is answered with it, and nobody else
notices."""

import json
import random

REQUESTS = [
    {"type": "ping"},
    {"type": "subscribe", "topic": "t", "last_id": "0-0"},
    {"type": "unsubscribe", "topic": "t"},
    {"type": "resume", "positions": {"topic:t": "1-1", "inbox:mallory": "0-0"}},
    {"type": "request_notification_history", "limit": 5, "unread_only": True, "category": "c"},
    {"type": "mark_read", "ids": ["1-1", "2-2"]},
    {"type": "mark_all_read", "upto": "1-1", "category": "c"},
    {"type": "unread_count"},
    {"type": "publish", "topic": "t", "title": "x", "data": {"a": [0.1, None]}, "action": {}},
]
# What JSON allows and trees do not hold, and what it does not allow.
SPLINTERS = [
    *('"\\ud800"', '"\\u0000"', "1e400", "1" * 50, "-0", "null", '""', "{}", "[]", "[" * 3000, "]" * 50),
    *(",", ":", "{", "}", '"', "\\", "nul", "\t", "ä", "😀", '"type":"ping"', '"request_id":"other"', "/**/"),
]


def splintered(text, rng):
    for _ in range(rng.randrange(4)):
        at, end = sorted(rng.randrange(len(text) + 1) for _ in range(2))
        end = min(end, at + rng.randrange(6))
        text = text[:at] + rng.choice([rng.choice(SPLINTERS), "", text[at:end] * 2]) + text[end:]
    return text


def test_a_request_is_answered_with_its_id_whatever_it_is_made_of(bridge, redis_server, connect):
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    redis = redis_server.client()
    honest = connect("/ws?user=honest")
    honest.expect(type="connection")
    mallory = connect("/ws?user=mallory")
    mallory.expect(type="connection")
    for n in range(3000):
        rest = splintered(json.dumps(rng.choice(REQUESTS))[1:], rng)
        mallory.send('{"request_id":"m%d",' % n + rest)
        answers = mallory.expect(request_id=f"m{n}")
        assert answers["type"] != "error" or answers["error"]["message"]
        mallory.messages.clear()
        if n % 100 == 0:
            id_ = redis.execute_command("NOTIFY.SEND", "inbox:honest", f"{n}")
            assert honest.expect(type="notification", timeout=10)["id"] == id_
    assert redis.execute_command("NOTIFY.LEN", "inbox:honest") == 30
    assert bridge.running()
