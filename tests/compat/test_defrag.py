"""Active defragmentation by a real server. Only one with a jemalloc of its own can do it, which none of
Debian's is; fetch_servers.sh builds one. Elsewhere these tests are skipped."""

import pytest
import redis

from servers import wait_until

from module_helpers import call, digest, verify

SETTINGS = {
    "active-defrag-ignore-bytes": "1",
    "active-defrag-threshold-lower": "1",
    "active-defrag-cycle-min": "50",
    "active-defrag-cycle-max": "90",
    # So that a box of a few segments is left for later and done in steps.
    "active-defrag-max-scan-fields": "10",
}


@pytest.fixture
def client(programs):
    server = programs.redis(config={"notify.max-entries": "1000000"})
    client = server.client()
    try:
        client.config_set("activedefrag", "yes")
    except redis.ResponseError:
        pytest.skip("this server cannot defragment")
    client.config_set("activedefrag", "no")
    for name, value in SETTINGS.items():
        client.config_set(name, value)
    return client


def fill(client):
    """Boxes of all sizes between others that go, so that what stays lies badly."""
    for round_ in range(6):
        with client.pipeline(transaction=False) as pipe:
            for n in range(2500):
                for name in ("stay", "go"):
                    pipe.execute_command("NOTIFY.SEND", f"{name}:{n}", "t", "CONTENT", "x" * (n * 7 % 300),
                                         "CATEGORY", f"c{round_ % 3}")  # fmt: skip
            pipe.execute()
    with client.pipeline(transaction=False) as pipe:
        for n in range(30000):
            pipe.execute_command("NOTIFY.SEND", "stay:large", f"t{n}", "IDEMPOTENT", f"token{n}")
            pipe.execute_command("NOTIFY.SEND", f"go:large:{n % 50}", "t", "CONTENT", "x" * 100)
        for n in range(300):
            for name in ("stay", "go"):
                pipe.execute_command("NOTIFY.SESSION", "OPEN", f"{name}:sessions:{n}", "s", "c", "LEASE", 3600000)
            pipe.execute_command("NOTIFY.EVENT", "stay:tokens", "e", "COLLAPSE", f"token{n}")
            pipe.execute_command("NOTIFY.FOLLOW", "stay:follows", f"stay:{n}", "FROM", "0")
        pipe.execute()
    call(client, "NOTIFY.READALL", "stay:large")
    gone = client.keys("go:*")
    for at in range(0, len(gone), 1000):
        client.delete(*gone[at : at + 1000])


def test_everything_moves_and_nothing_changes(client):
    fill(client)
    keys = sorted(client.keys("stay:*"))
    before = digest(client, *keys)
    client.config_set("activedefrag", "yes")

    def moved():
        stats = client.info("stats")
        return stats["active_defrag_hits"] > 3000 and stats["active_defrag_key_hits"] > 1000

    wait_until(moved, "moving", timeout=60)
    written = 0
    while client.info("memory")["active_defrag_running"] > 0 and written < 3000:
        call(client, "NOTIFY.SEND", "busy", "t", "CONTENT", "x" * (written % 500), "MAXLEN", 2000)
        written += 1
    client.config_set("activedefrag", "no")
    assert digest(client, *keys) == before
    for key in ["busy", "stay:large", "stay:tokens", "stay:follows", *keys[:300]]:
        if client.type(key) == "notifybox":
            verify(client, key)
    call(client, "NOTIFY.TRIM", "stay:large", "MAXLEN", 5)
    assert call(client, "NOTIFY.UNREAD", "stay:large") == 0
    verify(client, "stay:large")
