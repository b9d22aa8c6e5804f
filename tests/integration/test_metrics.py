"""/metrics: its two formats, read strictly; what its numbers say; and where they are served (docs/metrics.md)."""

import http.client
import json
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request

import pytest

from exposition import Malformed, read_openmetrics, read_prometheus
from servers import Bridge, bridge_path, change_roles, free_port, wait_until
from test_workers import Workers
from ws_client import WsClient

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


def get(url, accept=None):
    """(status, content type, body)"""
    request = urllib.request.Request(url, headers={} if accept is None else {"Accept": accept})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read().decode()


def families(bridge):
    return read_openmetrics(get(bridge.http_url + "/metrics", OPENMETRICS)[2])


def histogram(bridge, name):
    """(count, sum)"""
    family = families(bridge)[name]
    return family.value("_count"), family.value("_sum")


# -- the formats


def test_who_asks_for_openmetrics_gets_it_and_everybody_else_the_text_format(bridge):
    for accept in (OPENMETRICS, PROMETHEUS):
        status, kind, body = get(bridge.http_url + "/metrics", accept)
        assert (status, kind) == (200, "application/openmetrics-text; version=1.0.0; charset=utf-8")
        assert read_openmetrics(body)["notify_connections"].type == "gauge"
    for accept in (None, "*/*", "text/plain", "application/openmetrics-text;q=0.1, text/plain"):
        status, kind, body = get(bridge.http_url + "/metrics", accept)
        assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
        assert read_prometheus(body)["notify_received_bytes_total"].type == "counter"


def test_both_formats_hold_the_same_series_also_of_several_workers(programs, redis_server):
    bridge = programs.add(Workers(redis_server, workers=2)).start()
    old = read_prometheus(get(bridge.http_url + "/metrics")[2])
    new = read_openmetrics(get(bridge.http_url + "/metrics", OPENMETRICS)[2])

    def series(read):
        return [(f.name + s, labels) for f in read.values() for s, labels, _ in f.samples]

    assert series(old) == series(new)
    assert {labels["worker"] for _, labels, _ in new["notify_worker_delivery_seconds"].samples} == {"0", "1"}


def test_each_worker_counts_and_the_sum_is_the_sum(programs, redis_server):
    bridge = programs.add(Workers(redis_server, workers=2)).start()
    tabs = [WsClient(bridge.port, f"/ws?user=u{n}&topics=news") for n in range(20)]
    for tab in tabs:
        tab.expect(type="connection")
    redis_server.client().execute_command("NOTIFY.SEND", "topic:news", "t")
    for tab in tabs:
        tab.expect(type="notification")

    def all_counted():
        read = families(bridge)
        total = read["notify_delivery_seconds"].value("_count")
        each = [read["notify_worker_delivery_seconds"].value("_count", worker=str(n)) for n in range(2)]
        return sum(each) == total == 20 and all(each)

    wait_until(all_counted, "each delivery being counted")
    assert families(bridge)["notify_workers"].value() == 2
    for tab in tabs:
        tab.close()


GOOD = """# HELP a_seconds What.
# TYPE a_seconds histogram
# UNIT a_seconds seconds
a_seconds_bucket{x="1",le="0.5"} 1
a_seconds_bucket{x="1",le="+Inf"} 2
a_seconds_count{x="1"} 2
a_seconds_sum{x="1"} 1.5
# HELP b What.
# TYPE b counter
b_total{c="d\\"e"} 1
# EOF
"""


@pytest.mark.parametrize(
    "what, by",
    [
        ("# EOF\n", ""),
        ("# EOF\n", "# EOF"),
        ("# EOF\n", "\n# EOF\n"),
        ("# TYPE b counter\n", "# TYPE b counter\n# TYPE b counter\n"),
        ("# TYPE b counter\n", ""),
        ("# HELP b What.\n", ""),
        ("# TYPE b counter", "# TYPE b meter"),
        ("# UNIT a_seconds seconds\n", ""),
        ("# UNIT a_seconds seconds", "# UNIT a_seconds bytes"),
        ("b_total{", "b{"),
        ("b_total{", "c_total{"),
        (' 1\n# EOF', ' -1\n# EOF'),
        (' 1\n# EOF', ' NaN\n# EOF'),
        (' 1\n# EOF', ' one\n# EOF'),
        (' 1\n# EOF', '  1\n# EOF'),
        ('c="d\\"e"', 'c="d"e"'),
        ('c="d\\"e"', 'c="d\\e"'),
        ('c="d\\"e"', 'c="d",'),
        ('c="d\\"e"', 'c="d",c="e"'),
        ("b_total{", 'b_total{c="d\\"e"} 1\nb_total{'),
        ('le="0.5"} 1', 'le="0.5"} 3'),
        ('le="+Inf"} 2', 'le="+Inf"} 3'),
        ('le="0.5"', 'le="0.50"'),
        ('le="0.5"', 'le="1"'),
        ('a_seconds_sum{x="1"} 1.5\n', ""),
        ('a_seconds_bucket{x="1",le="+Inf"} 2\n', ""),
        ("# HELP b What.", "# HELP b Wh\\at."),
        ("# HELP b What.\n# TYPE b counter\nb_total", "# HELP a_seconds_count What.\n# TYPE a_seconds_count counter\na_seconds_count_total"),
        ("\n", "\r\n"),
    ],
)
def test_the_reader_is_strict(what, by):
    read_openmetrics(GOOD)
    assert what in GOOD
    with pytest.raises(Malformed):
        read_openmetrics(GOOD.replace(what, by))


# -- what the numbers say


def test_a_delivery_is_in_the_histogram_by_its_age_and_what_is_read_anew_is_not(bridge, redis_server):
    client = redis_server.client()
    old = client.execute_command("NOTIFY.SEND", "inbox:alice", "before")
    time.sleep(0.05)  # it is as old as that
    with WsClient(bridge.port, "/ws?user=alice&last_id=0-0") as tab:
        tab.expect(type="connection")
        tab.send({"type": "resume", "positions": {"inbox:alice": "0-0"}})
        assert tab.expect(type="notification")["id"] == old
        tab.expect(type="resumed")
        assert histogram(bridge, "notify_delivery_seconds")[0] == 0
        client.execute_command("NOTIFY.SEND", "inbox:alice", "live")
        tab.expect(type="notification")
        wait_until(lambda: histogram(bridge, "notify_delivery_seconds")[0] == 1, "the delivery being counted")
    assert 0 <= histogram(bridge, "notify_delivery_seconds")[1] < 60


def test_how_long_reading_took_is_counted_where_the_request_names_what_was_read(bridge, redis_server):
    client = redis_server.client()
    with WsClient(bridge.port, "/ws?user=alice") as tab:
        tab.expect(type="connection")
        ids = [client.execute_command("NOTIFY.SEND", "inbox:alice", "t") for _ in range(3)]
        for message in (
            {"type": "mark_seen", "upto": ids[1]},
            {"type": "mark_read", "id": ids[0]},
            {"type": "mark_read", "id": ids[0]},  # it is read already
            {"type": "mark_read", "ids": ids},  # one of them is, and nobody says which
        ):
            tab.send({**message, "request_id": "x"})
            assert tab.expect(type="ok", request_id="x")
        assert histogram(bridge, "notify_notification_read_seconds")[0] == 1
        assert histogram(bridge, "notify_notification_seen_seconds")[0] == 1
        more = [client.execute_command("NOTIFY.SEND", "inbox:alice", "t") for _ in range(2)]
        tab.send({"type": "mark_read", "ids": more, "request_id": "y"})
        assert tab.expect(type="ok", request_id="y")["changed"] == 2
        assert histogram(bridge, "notify_notification_read_seconds")[0] == 3
        read = families(bridge)
        assert read["notify_notifications_marked"].value("_total", state="read") == 5
        assert read["notify_notifications_heard"].value("_total") == 5


def test_bytes_answers_memory_cpu_and_round_trips_are_counted(bridge):
    before = families(bridge)
    with WsClient(bridge.port, "/ws?user=alice") as tab:
        tab.expect(type="connection")
        tab.send({"type": "unread_count", "request_id": "x"})
        tab.expect(request_id="x")
        after = families(bridge)
        assert after["notify_connections"].value(transport="websocket") == 1
    for name in ("notify_received_bytes", "notify_sent_bytes", "notify_answers_sent"):
        assert after[name].value("_total") > before[name].value("_total"), name
    assert after["notify_memory_resident_bytes"].value() > 1 << 20
    assert after["notify_cpu_seconds"].value("_total") >= before["notify_cpu_seconds"].value("_total")
    assert after["notify_cpu_seconds"].value("_total") > 0
    count, took = histogram(bridge, "notify_redis_round_trip_seconds")
    assert count > 0 and 0 < took < 60 * count
    assert after["notify_build"].value("_info", version=re.search(r"[\d.]+", version())[0]) == 1


def version():
    return subprocess.run([bridge_path(), "--version"], check=True, stdout=subprocess.PIPE).stdout.decode()


def test_a_client_that_falls_behind_drops_what_it_is_sent_and_a_refill_brings_it(programs, redis_server):
    bridge = programs.bridge(redis_server, "--outbox-bytes", "64K")
    client = redis_server.client()
    with WsClient(bridge.port, "/ws?user=alice", receive_buffer=4096) as tab:
        tab.expect(type="connection")
        sent = []

        def is_behind():
            sent.extend(client.execute_command("NOTIFY.SEND", "inbox:alice", "t", "CONTENT", "x" * 1000) for _ in range(50))
            return families(bridge)["notify_events_dropped"].value("_total", reason="behind") > 0

        wait_until(is_behind, "the client being behind")
        got = [tab.expect(type="notification")["id"] for _ in sent]
        assert got == sent
        wait_until(lambda: families(bridge)["notify_refills"].value("_total") > 0, "the refill being counted")


# -- slow turns


def test_reading_large_files_again_is_a_slow_turn_that_says_so(programs, redis_server, tmp_path):
    def roles(first):
        blocks = [f"role r{n}\n" + "".join(f"  subscribe topic-{n}-{k}-*\n" for k in range(40)) for n in range(200)]
        return f"role {first}\n  follow news\n" + "".join(blocks)

    path = tmp_path / "roles"
    path.write_text(roles("one"))
    args = ["--auth", "jwt", "--jwt-secret", "s" * 64, "--roles", str(path), "--slow-turn", "1ms"]
    bridge = programs.bridge(redis_server, *args)
    mark = bridge.mark()
    change_roles(path, roles("another"), bridge)
    bridge.wait_line(r'event=slow_turn ms=\d+ cause=(files|off_cpu) at=".*roles" at_ms=\d+ cpu_ms=\d+', since=mark)


def test_a_process_that_was_stopped_says_that_it_was_not_on_a_cpu(programs, redis_server):
    bridge = programs.bridge(redis_server)
    with WsClient(bridge.port, "/ws?user=alice") as tab:
        tab.expect(type="connection")

        def is_told():
            os.kill(bridge.pid, signal.SIGSTOP)
            time.sleep(0.5)  # so long nothing of it runs
            os.kill(bridge.pid, signal.SIGCONT)
            return bridge.has_line(r"event=slow_turn ms=\d+ cause=off_cpu at=\S+ at_ms=\d+ cpu_ms=\d+ off_cpu_ms=[2-9]\d\d")

        wait_until(is_told, "the line about it")
        assert families(bridge)["notify_loop_slow_turns"].value("_total", cause="off_cpu") > 0


def test_slow_turn_may_change_while_it_runs_and_0_is_never(programs, redis_server, tmp_path):
    path = tmp_path / "conf"
    path.write_text("slow-turn 0\n")
    bridge = programs.bridge(redis_server, "--config", str(path))
    os.kill(bridge.pid, signal.SIGSTOP)
    time.sleep(0.5)
    os.kill(bridge.pid, signal.SIGCONT)
    path.write_text("slow-turn 60s\n")
    mark = bridge.mark()
    os.kill(bridge.pid, signal.SIGHUP)
    bridge.wait_line("event=config_read", since=mark)
    assert not bridge.has_line("event=slow_turn")


# -- where they are served


class Apart:
    """A bridge with a place of its own for numbers."""

    def __init__(self, programs, server, *args, workers=None):
        self.port = free_port()
        more = ["--metrics-listen", f"127.0.0.1:{self.port}", *args]
        self.bridge = programs.add(
            Bridge(server, *more) if workers is None else Workers(server, *more, workers=workers)
        )
        self.url = f"http://127.0.0.1:{self.port}"

    def get(self, path, **options):
        return get(self.url + path, **options)


def test_a_listener_of_its_own_has_numbers_and_states_and_nothing_else(programs, redis_server):
    apart = Apart(programs, redis_server)
    apart.bridge.start()
    apart.bridge.wait_line(rf"event=metrics_served listen=127\.0\.0\.1:{apart.port}")
    assert read_prometheus(apart.get("/metrics")[2])
    for path in ("/healthz", "/readyz"):
        assert apart.get(path)[0] == get(apart.bridge.http_url + path)[0] == 200
    assert get(apart.bridge.http_url + "/metrics")[0] == 404
    for path in ("/notify.js", "/openapi.json", "/ws?user=alice", "/api/v1/notifications", "/socket.io/?EIO=4&transport=polling"):
        assert apart.get(path)[0] == 404, path
        assert get(apart.bridge.http_url + path)[0] != 404, path


def test_with_several_workers_one_listener_answers_for_all_and_so_it_does_while_one_is_stopped(programs, redis_server):
    apart = Apart(programs, redis_server, "--worker-timeout", "0", workers=2)
    apart.bridge.start()
    read = read_openmetrics(apart.get("/metrics", accept=OPENMETRICS)[2])
    assert read["notify_ready"].value() == 2
    stopped = apart.bridge.pids()[1]
    os.kill(stopped, signal.SIGSTOP)
    try:

        def is_told():
            status, _, body = apart.get("/readyz")
            return status == 503 and {"worker_stuck"} == {r["code"] for r in json.loads(body)["reasons"]}

        wait_until(is_told, "the other one saying that it is stuck")
        state = json.loads(apart.get("/healthz")[2])["workers"]
        assert state == [{"worker": 0, "state": "ready"}, {"worker": 1, "state": "worker_stuck"}]
    finally:
        os.kill(stopped, signal.SIGCONT)
    wait_until(lambda: apart.get("/readyz")[0] == 200, "all being ready again")


def test_clients_at_their_limit_do_not_keep_operators_out_and_these_have_one_of_their_own(programs, redis_server):
    apart = Apart(programs, redis_server, "--max-connections", "1", "--max-connections-per-address", "1")
    apart.bridge.start()
    connections = [http.client.HTTPConnection("127.0.0.1", apart.port) for _ in range(40)]
    refused = 0
    for connection in connections:
        try:
            connection.request("GET", "/metrics")
            text = connection.getresponse().read().decode()
        except (http.client.HTTPException, OSError):
            refused += 1
    assert refused == 8  # 32 have a place
    with WsClient(apart.bridge.port, "/ws?user=alice") as tab:
        tab.expect(type="connection")
    for connection in connections:
        connection.close()
    read = {}

    def is_let_in():
        read.update(read_prometheus(apart.get("/metrics")[2]))
        return True

    wait_until(lambda: attempt(is_let_in), "a place being free again")
    assert read["notify_limit_hits_total"].value(limit="metrics-connections") >= 8
    assert text


def attempt(what):
    try:
        return what()
    except (OSError, http.client.HTTPException):
        return False


def test_a_metrics_address_may_have_tls_but_no_proxy(programs, redis_server):
    bridge = programs.add(Bridge(redis_server, "--metrics-listen", "127.0.0.1:0,proxy"))
    bridge.start(wait_ready=False)
    assert bridge.wait() == 2
    bridge = programs.add(Bridge(redis_server, "--metrics-listen", "127.0.0.1:0,tls"))
    bridge.start(wait_ready=False)
    assert bridge.wait() == 2
    assert bridge.has_line("metrics-listen.*tls-cert")


# -- readiness


def reasons(bridge):
    status, _, body = get(bridge.http_url + "/readyz")
    said = json.loads(body)
    return [] if status == 200 else [reason["code"] for reason in said["reasons"]]


def test_readyz_says_which_link_is_down(programs):
    server = programs.redis()
    bridge = programs.bridge(server)
    assert reasons(bridge) == []
    assert server.terminate() == 0
    wait_until(
        lambda: reasons(bridge) == ["redis_subscriber_down", "redis_commands_down"], "both links being told to be down"
    )
    server.start()
    wait_until(lambda: reasons(bridge) == [], "its being ready again")


def test_readyz_says_that_the_module_is_missing(programs):
    server = programs.redis(module=False)
    bridge = programs.add(Bridge(server))
    bridge.start(wait_ready=False)
    bridge.wait_line("event=module_missing")
    wait_until(lambda: reasons(bridge) == ["module_unusable"], "the reason")


def test_readyz_says_that_there_are_no_keys(programs, redis_server, tmp_path):
    bridge = programs.add(
        Bridge(redis_server, "--auth", "jwt", "--jwt-jwks", f"http://127.0.0.1:{free_port()}/none.json")
    )
    bridge.start(wait_ready=False)
    bridge.wait_links("up")
    wait_until(lambda: reasons(bridge) == ["no_keys"], "the reason")


def test_readyz_says_that_the_process_is_about_to_end_and_healthz_that_it_is_there(programs, redis_server):
    bridge = programs.bridge(redis_server, "--drain-delay", "60s")
    os.kill(bridge.pid, signal.SIGTERM)
    wait_until(lambda: reasons(bridge) == ["leaving"], "the reason")
    status, _, body = get(bridge.http_url + "/healthz")
    assert status == 200 and json.loads(body) == {"status": "up", "workers": [{"worker": 0, "state": "leaving"}]}
    os.kill(bridge.pid, signal.SIGTERM)  # at once
    assert bridge.wait() == 0
