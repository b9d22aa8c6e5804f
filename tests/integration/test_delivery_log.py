"""The log's line about each event that is handed to clients: what it tells, what is counted when, and that whoever
publishes can neither flood the log, nor write what he likes into it, nor hold anybody up by it."""

import json
import re
import subprocess

import pytest

from bridge_helpers import Stand, new_name, wait_ready
from servers import bridge_path, free_port, url_for_bridge, wait_until
from socketio_peer import SocketIo
from test_bridge_delivery import BIG_BOXES, KIB, entries_until, stop_reading

FIELD = re.compile(r'(?:^| )([a-z_]+)=("(?:[^"\\]|\\.)*"|[^" ]*)')
OUTCOMES = ("delivered", "waiting", "later", "failed")


def fields_of(line):
    return {key: json.loads(value) if value.startswith('"') else value for key, value in FIELD.findall(line)}


def lines_about(program, since=0, **wanted):
    """The lines about broadcasts with these fields, as dicts."""
    found = [fields_of(line) for line in program.lines[since:] if " event=broadcast " in line]
    return [fields for fields in found if fields.items() >= wanted.items()]


def line_about(stand, since=0, **wanted):
    wait_until(lambda: lines_about(stand.daemon, since, **wanted), f"a line with {wanted}")
    return lines_about(stand.daemon, since, **wanted)[0]


@pytest.fixture(scope="module")
def shared_stand():
    group = Stand("--log-level", "debug", "--delivery-log-rate", "0")
    yield group
    group.close()


def session_tab(stand, session):
    tab = stand.tab("/ws")
    tab.request("subscribe_session", session_id=session)
    return tab


def test_each_broadcast_has_one_line_with_what_it_is_and_to_how_many_it_came(stand):
    session = new_name("s")
    tabs = [session_tab(stand, session) for _ in range(3)]
    id_ = stand.send(f"session:{session}", "Started", "TYPE", "info")
    for tab in tabs:
        tab.expect(type="notification")
    line = line_about(stand, id=id_)
    assert {key: line[key] for key in line if key != "ts"} == {
        "level": "info", "event": "broadcast", "component": "bridge", "followers": "3", "delivered": "3", "waiting": "0", "later": "0",
        "failed": "0", "lines_kept_back": "0", "id": id_, "event_type": "notification", "key": f"session:{session}",
        "session_id": session, "severity": "info",
    }
    assert len(lines_about(stand.daemon, id=id_)) == 1


@pytest.mark.parametrize(
    "event, data, told",
    [
        ("session_progress", {"progress_percentage": 40, "current_step": 5, "step_name": "Applying quantization"},
         {"progress": "40", "step": "5", "step_name": "Applying quantization"}),
        ("session_completed", {"results": {"size": 7, "ok": True}}, {"result": '{"size":7,"ok":true}'}),
        ("session_failed", {"error": "out of \"GPU\" memory"}, {"reported_error": 'out of "GPU" memory'}),
        ("alert", {"severity": "critical", "title": "t", "message": "m"}, {"severity": "critical"}),
        ("system_status", {"status": "degraded"}, {"status": "degraded"}),
        ("session_cancelled", {"error": None}, {}),
        ("anything", ["no", "object"], {}),
    ],
)
def test_by_its_kind_severity_progress_result_or_error_are_told(stand, event, data, told):
    session = new_name("s")
    tab = session_tab(stand, session)
    text = json.dumps(data, separators=(",", ":"))
    id_ = stand.call("NOTIFY.EVENT", f"session:{session}", event, "DATA", text)
    tab.expect(type=event)
    line = line_about(stand, id=id_)
    words = {key: line[key] for key in ("severity", "progress", "step", "step_name", "result", "reported_error", "status") if key in line}
    assert line["event_type"] == event and words == told


def test_clients_of_socketio_count_as_all_others(stand):
    session = new_name("s")
    clients = [SocketIo(stand.daemon.port) for _ in range(2)]
    try:
        for client in clients:
            client.call("subscribe_session", {"session_id": session})
        tab = session_tab(stand, session)
        stand.call("NOTIFY.EVENT", f"session:{session}", "session_progress", "DATA", '{"progress_percentage":40}')
        for client in clients:
            assert client.expect("session_progress")["progress_percentage"] == 40
        tab.expect(type="session_progress")
        line = line_about(stand, key=f"session:{session}")
        assert (line["followers"], line["delivered"], line["failed"], line["progress"]) == ("3", "3", "0", "40")
    finally:
        for client in clients:
            client.close()


def test_what_is_not_stored_has_a_line_without_an_id_and_changes_have_theirs_on_debug(stand, user):
    tab = stand.tab(f"/ws?user={user}")
    id_ = stand.send(f"inbox:{user}")
    stand.call("NOTIFY.EVENT", f"inbox:{user}", "passing", "NOSTORE")
    stand.call("NOTIFY.READ", f"inbox:{user}", id_)
    tab.expect(type="read")
    volatile = line_about(stand, key=f"inbox:{user}", event_type="passing")
    assert "id" not in volatile and volatile["delivered"] == "1" and volatile["level"] == "info"
    assert line_about(stand, key=f"inbox:{user}", event_type="read")["level"] == "debug"


def test_what_nobody_gets_has_a_line_on_debug(stand, topic):
    tab = stand.tab(f"/ws?topics={topic}")
    tab.request("unsubscribe", topic=topic)
    id_ = stand.send(f"topic:{topic}")
    line = line_about(stand, id=id_)
    assert (line["level"], line["followers"], line["delivered"]) == ("debug", "0", "0")
    mine = stand.tab(f"/ws/mine?topics={topic}")
    id_ = stand.send(f"topic:{topic}", "x", "EXCLUDE", "mine")
    line = line_about(stand, id=id_)
    assert (line["level"], line["followers"], line["delivered"]) == ("debug", "1", "0")
    assert mine.request("ping")["type"] == "pong"


def test_who_is_left_out_does_not_count(stand, topic):
    tabs = [stand.tab(f"/ws/{name}?topics={topic}") for name in ("a", "b", "c")]
    id_ = stand.send(f"topic:{topic}", "x", "EXCLUDE", "b")
    tabs[0].expect(type="notification")
    line = line_about(stand, id=id_)
    assert (line["followers"], line["delivered"], line["failed"]) == ("3", "2", "0")


HOSTILE = [
    'two\nts=2026 level=error event=ready listen="x"',
    '" event=limit_met limit=x',
    "\x1b[31mred\x1b[0m\x7f\x9b",
    "half\ud800pair",
    "nul\x00inside",
    "long " + "\u00e9" * 5000,
    "=\\\\\"",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_words_of_a_message_cannot_look_like_anything_else_of_a_line(stand, text, topic):
    tab = stand.tab(f"/ws?topics={topic}")
    mark = stand.daemon.mark()
    data = {"error": text, "step_name": text, "severity": text, "results": {text: text}}
    # As it is: the module would refuse some of it.
    stand.call("PUBLISH", f"topic:{topic}", json.dumps({"type": f"x{text}", "key": f"topic:{topic}", "data": data}))
    tab.recv()
    line = line_about(stand, mark, key=f"topic:{topic}")
    assert (line["level"], line["event"], line["delivered"]) == ("info", "broadcast", "1")
    (raw,) = [raw for raw in stand.daemon.lines[mark:] if f"key=topic:{topic}" in raw]
    assert raw.isascii() and raw.isprintable() and len(raw) < 4096
    assert FIELD.sub("", raw) == "", "the line is fields and nothing else"


def test_a_flood_is_cut_to_a_rate_and_what_was_kept_back_is_counted(make_stand):
    stand = make_stand()
    tab = stand.tab("/ws?topics=t")
    ids = stand.send_many("topic:t", 2000)
    assert entries_until(tab, ids[-1], "topic:t") == ids
    lines = lines_about(stand.daemon)
    assert stand.daemon.metrics()["notify_delivery_lines_kept_back_total"] + len(lines) == 2000 and 100 <= len(lines) < 1000

    def told():
        """By the last line, which tells of all before it."""
        stand.send("topic:t")
        tab.expect(type="notification")
        kept_back = stand.daemon.metrics()["notify_delivery_lines_kept_back_total"]
        return len(lines_about(stand.daemon)) > len(lines) and kept_back == sum(int(line["lines_kept_back"]) for line in lines_about(stand.daemon))

    wait_until(told, "how many were kept back")


def test_lines_of_failures_are_not_kept_back_by_others(make_stand):
    stand = make_stand("--delivery-log-rate", "1", "--outbox-bytes", "16K", redis_options=BIG_BOXES)
    slow, other = stand.tab("/ws?topics=t"), stand.tab("/ws?topics=t")
    stop_reading(slow)
    ids = stand.send_many("topic:t", 8000, "CONTENT", KIB)
    assert entries_until(other, ids[-1], "topic:t") == ids
    stand.call("NOTIFY.EVENT", "topic:t", "passing", "NOSTORE")
    line = line_about(stand, event_type="passing")
    assert (line["delivered"], line["failed"], line["error"]) == ("1", "1", "client too slow")
    assert stand.daemon.metrics()["notify_events_lost_total"] >= 1


def test_counts_are_true_of_what_waits_is_dropped_and_is_sent_anew(make_stand):
    stand = make_stand("--delivery-log-rate", "0", "--outbox-bytes", "64K", "--log-level", "debug", redis_options=BIG_BOXES)
    slow, other = stand.tab("/ws?topics=t"), stand.tab("/ws?topics=t")
    before = stand.daemon.metrics()["notify_events_delivered_total"]
    stop_reading(slow)
    ids = stand.send_many("topic:t", 8000, "CONTENT", KIB)
    assert entries_until(other, ids[-1], "topic:t") == ids
    stand.daemon.wait_line("event=client_behind")
    # A log that is read more slowly than it is written has fewer lines, and says so.
    lines_of = lambda: lines_about(stand.daemon, event_type="notification")  # noqa: E731
    kept_back_of = lambda: stand.daemon.metrics()["notify_delivery_lines_kept_back_total"]  # noqa: E731
    wait_until(lambda: len(lines_of()) + kept_back_of() == len(ids), "a line for each")
    lines, kept_back = lines_of(), kept_back_of()
    assert all(sum(int(line[outcome]) for outcome in OUTCOMES) == 2 for line in lines), "each of both counts once for each event"
    metrics = stand.daemon.metrics()
    counts = {outcome: metrics[f'notify_broadcast_deliveries_total{{outcome="{outcome}"}}'] for outcome in OUTCOMES if outcome != "failed"}
    assert sum(counts.values()) == 2 * len(ids) and counts["delivered"] > 0 and counts["later"] > 0
    without_line = {outcome: count - sum(int(line[outcome]) for line in lines) for outcome, count in counts.items()}
    assert min(without_line.values()) >= 0 and sum(without_line.values()) == 2 * kept_back
    assert entries_until(slow, ids[-1], "topic:t") == ids
    after = stand.daemon.metrics()["notify_events_delivered_total"]
    assert after - before == 2 * len(ids), "what was dropped counts once, when it is sent"


def test_a_log_that_nobody_reads_delays_nobody(make_stand):
    stand = make_stand(redis_options=BIG_BOXES)
    port = free_port()
    words = [bridge_path(), "--listen", f"127.0.0.1:{port}", "--redis", url_for_bridge(stand.server), "--auth", "none"]
    deaf = subprocess.Popen(words + ["--delivery-log-rate", "0"], stderr=subprocess.PIPE)
    try:
        wait_until(lambda: can_connect(stand, port), "the bridge listens")
        tab = stand.tab("/ws?topics=t", port=port)
        ids = stand.send_many("topic:t", 3000)
        assert entries_until(tab, ids[-1], "topic:t") == ids
        assert tab.request("ping")["type"] == "pong"
        deaf.terminate()
        text = deaf.stderr.read().decode()
        assert 0 < text.count(" event=broadcast ") < 3000 and text.endswith("\n")
    finally:
        deaf.kill()
        deaf.wait()
        deaf.stderr.close()


def can_connect(stand, port):
    try:
        stand.tab("/ws", port=port).close()
    except (OSError, AssertionError):
        return False
    return True


def test_without_lines_everything_is_counted_all_the_same(make_stand):
    stand = make_stand("--delivery-log", "off", "--log-level", "debug")
    tab = stand.tab("/ws?topics=t")
    stand.send("topic:t")
    tab.expect(type="notification")
    tab.request("unsubscribe", topic="t")
    stand.send("topic:t")
    wait_until(lambda: stand.daemon.metrics()['notify_broadcasts_total{followers="none"}'] == 1, "nobody was there")
    metrics = stand.daemon.metrics()
    assert metrics['notify_broadcasts_total{followers="some"}'] == 1
    assert metrics['notify_broadcast_deliveries_total{outcome="delivered"}'] == 1
    assert not lines_about(stand.daemon) and metrics["notify_delivery_lines_kept_back_total"] == 0


def test_on_debug_they_are_for_who_looks_for_faults(make_stand):
    stand = make_stand("--delivery-log", "debug")
    tab = stand.tab("/ws?topics=t")
    stand.send("topic:t")
    tab.expect(type="notification")
    wait_ready(stand)
    assert not lines_about(stand.daemon)
