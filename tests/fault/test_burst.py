"""Redis publishes faster than the bridge can send, at the limits that it has by default: it does not cut the bridge off, and
every client gets everything once and in order."""

import re
import time

import pytest

from servers import bridge_path, host_path, wait_until
from ws_client import WsClient

INBOXES = 400
SENDS = 16000  # of 4.4 KB as they are published: twice what Redis keeps for a subscriber
CONTENT = "x" * 4000
CHUNK = 200
CHUNK_S = 0.05
SEND_US = 2000  # that sending to a client takes: eight times as long as the pace of the burst leaves for it
ROOM = 1 << 18  # so much a client takes without reading


def slow_to_send():
    """The environment of a bridge whose clients are dear to send to."""
    with open(bridge_path(), "rb") as file:
        sanitizer = re.search(rb"\0(libasan\.so\.\d+)\0", file.read())
    preload = [sanitizer.group(1).decode()] if sanitizer else []
    return {"LD_PRELOAD": ":".join(preload + [host_path("slow_send_shim.so")]), "NOTIFY_SEND_US": str(SEND_US)}


def send_burst(server, bridge):
    """(ids by inbox, in their order; the most that the bridge said that it held meanwhile)"""
    held = 0
    sent = {n: [] for n in range(INBOXES)}
    client = server.client()
    for start in range(0, SENDS, CHUNK):
        time.sleep(CHUNK_S)  # the pace of the burst, not a wait for something
        pipe = client.pipeline(transaction=False)
        for n in range(start, start + CHUNK):
            pipe.execute_command("NOTIFY.SEND", f"inbox:u{n % INBOXES}", f"number {n}", "CONTENT", CONTENT)
        for n, id_ in enumerate(pipe.execute(), start):
            sent[n % INBOXES].append(id_)
        if start % (10 * CHUNK) == 0:
            held = max(held, bridge.metrics()["notify_read_ahead_bytes"])
    return sent, held


def subscriber_of(server):
    """The number of the bridge's connection that hears."""
    found = [one["id"] for one in server.client().client_list() if one["name"].endswith("subscriber")]
    assert len(found) == 1
    return found[0]


def ids_up_to(tab, last):
    got = []
    while not got or got[-1] != last:
        message = tab.recv(timeout=120)
        if "id" in message:
            got.append(message["id"])
    return got


@pytest.fixture
def burst(programs):
    """burst(*args): (the bridge, its clients), about to get more than it can send; Redis has its own limits."""
    tabs = []

    def start(*args):
        server = programs.redis(config={"notify.max-entries": SENDS})
        limits = server.client().config_get("client-output-buffer-limit")["client-output-buffer-limit"]
        assert "pubsub 33554432 8388608 60" in limits
        bridge = programs.bridge(server, *args, env=slow_to_send())
        tabs.extend(WsClient(bridge.port, f"/ws/c{n}?user=u{n}", receive_buffer=ROOM) for n in range(INBOXES))
        for tab in tabs:
            tab.expect(type="connection")
        return server, bridge, tabs

    yield start
    for tab in tabs:
        tab.close()


@pytest.mark.parametrize("room_kib", [512 * 1024, 256])
def test_a_burst_that_is_more_than_the_server_keeps_does_not_cut_the_link(burst, room_kib):
    server, bridge, tabs = burst("--read-ahead-bytes", f"{room_kib}K")
    before = subscriber_of(server)
    sent, held = send_burst(server, bridge)
    assert 0 < held <= room_kib * 1024 + 8192, "by one message more at the most"
    for n, tab in enumerate(tabs):
        assert ids_up_to(tab, sent[n][-1]) == sent[n]
    assert subscriber_of(server) == before, "the link is the same"
    metrics = bridge.metrics()
    dropped = metrics['notify_limit_hits_total{limit="read-ahead-bytes"}']
    assert (dropped > 0) == (room_kib == 256), dropped
    wait_until(lambda: bridge.metrics()["notify_read_ahead_bytes"] == 0, "nothing waits any more")
    assert metrics["notify_events_delivered_total"] == SENDS
    assert metrics["notify_events_lost_total"] == 0


def test_what_is_not_stored_and_has_no_room_is_counted_as_lost(burst):
    server, bridge, tabs = burst("--read-ahead-bytes", "64K")
    client = server.client()
    pipe = client.pipeline(transaction=False)
    for n in range(2000):
        pipe.execute_command("NOTIFY.EVENT", f"inbox:u{n % INBOXES}", "tick", "DATA", f'{{"n":{n}}}', "NOSTORE")
    pipe.execute()
    last = [client.execute_command("NOTIFY.SEND", f"inbox:u{n}", "the last") for n in range(INBOXES)]
    got = 0
    for n, tab in enumerate(tabs):
        numbers = []
        while True:
            message = tab.recv(timeout=60)
            if message["type"] == "tick":
                numbers.append(message["n"])
            if message.get("id") == last[n]:
                break
        assert numbers == sorted(set(numbers)), "in their order, each once"
        got += len(numbers)
    metrics = bridge.metrics()
    assert got < 2000, "some had no room"
    assert got + metrics["notify_events_lost_total"] == 2000
    assert metrics['notify_broadcast_deliveries_total{outcome="too_slow"}'] == 2000 - got
