"""Much to catch up with: Redis is asked for it in portions, and one client's does not hold up another's."""

import re

from servers import wait_until
from ws_client import WsClient

ENTRY = 60_000
TOPICS = 32
EACH = 12


def asked_for(line):
    """The bytes that a NOTIFY.SINCE, as MONITOR shows it, may bring at the most."""
    words = re.findall(r'"((?:[^"\\]|\\.)*)"', line)
    count = int(words[-1])
    keys = sum(1 for word in words[2:-2:2] if word != "$")
    return keys * count * ENTRY


def fill(redis):
    ids = {}
    for n in range(TOPICS):
        pipe = redis.pipeline(transaction=False)
        for _ in range(EACH):
            pipe.execute_command("NOTIFY.SEND", f"topic:t{n}", "x", "CONTENT", "y" * ENTRY)
        ids[f"topic:t{n}"] = pipe.execute()
    return ids


def read_resumed(client, ids):
    """Reads until everything has come; each once and in order."""
    got = {key: [] for key in ids}
    while any(len(got[key]) < EACH for key in ids):
        message = client.recv()
        if message.get("key") in got and "id" in message:
            got[message["key"]].append(message["id"])
    assert got == ids


def test_a_resume_of_many_large_boxes_is_asked_for_in_portions(programs, redis_server):
    bridge = programs.bridge(redis_server)
    redis = redis_server.client()
    ids = fill(redis)
    lines = []
    with redis.monitor() as monitor:
        greedy = WsClient(bridge.port, "/ws?user=greedy", timeout=60)
        greedy.send({"type": "resume", "positions": dict.fromkeys(ids, "0-0")})
        read_resumed(greedy, ids)
        redis.execute_command("NOTIFY.SEND", "inbox:greedy", "the end")
        while True:
            command = monitor.next_command()["command"]
            if command.startswith("NOTIFY.SEND "):
                break
            if command.startswith("NOTIFY.SINCE "):
                lines.append(command)
    asked = [asked_for('"' + line.replace(" ", '" "') + '"') for line in lines if " COUNT " in line]
    assert sum(asked) >= TOPICS * EACH * ENTRY
    assert max(asked) <= 128 * ENTRY, "never more than that"
    large = [size for size in asked if size > 2 * 256 * 1024]
    assert len(large) <= 4 + 4, "more only until it shows how large entries are"
    greedy.close()


def test_another_client_does_not_wait_for_a_resume_of_many_large_boxes(programs, redis_server):
    bridge = programs.bridge(redis_server)
    redis = redis_server.client()
    ids = fill(redis)
    modest = WsClient(bridge.port, "/ws?user=modest")
    modest.expect(type="connection")
    greedy = WsClient(bridge.port, "/ws?user=greedy", timeout=60)
    greedy.send({"type": "resume", "positions": dict.fromkeys(ids, "0-0")})
    wait_until(lambda: redis.info("commandstats")["cmdstat_NOTIFY.SINCE"]["calls"] > 6, "the resume")
    missed = redis.execute_command("NOTIFY.SEND", "topic:small", "x")
    modest.send({"type": "subscribe", "topic": "small", "last_id": "0-0"})
    assert modest.expect(key="topic:small")["id"] == missed
    read_resumed(greedy, ids)
    for client in (modest, greedy):
        client.close()
