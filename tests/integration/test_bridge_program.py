"""notify-bridge as a program: options, what it serves over HTTP, and how it ends."""

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import urllib.error
import urllib.request

import pytest

from bridge_helpers import wait_ready
from certificates import Certificate
from servers import Bridge, RedisServer, bridge_path, free_port, module_path, wait_until
from ws_client import PING, Closed, Refused, WsClient


def run(*args, env=None):
    """(exit status, stdout, stderr) of the program, which must end by itself."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("NOTIFY_", "WS_", "REDIS_"))}
    done = subprocess.run(
        [bridge_path(), *args],
        env={**clean, **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert "Sanitizer" not in done.stderr and "runtime error" not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


def check(*args, **env):
    """Exit status and text of --check-config."""
    status, out, err = run("--check-config", *args, env=env)
    return status, (out + err).strip()


# -- options


def test_help_names_every_option_and_environment_variables(stand):
    status, out, err = run("--help")
    assert (status, err) == (0, "")
    for name in ("listen", "redis", "auth", "outbox-bytes", "slow-client-timeout", "config"):
        assert f"--{name}" in out
    assert "NOTIFY_OUTBOX_BYTES" in out


def test_the_version_is_printed():
    status, out, _ = run("--version")
    assert status == 0 and re.fullmatch(r"notify-bridge \d+\.\d+\.\d+\S*\n", out)


def test_a_valid_configuration_is_said_to_be_valid():
    assert check("--auth", "none") == (0, "configuration is valid")


WRONG = [
    ((), "auth"),
    (("--auth", "nobody"), "auth"),
    (("--auth", ""), "auth"),
    (("--auth", "none", "--nonsense"), "nonsense"),
    (("--auth", "none", "--listen"), "listen"),
    (("--auth", "none", "word"), "word"),
    (("--auth", "none", "--outbox-bytes", "many"), "outbox-bytes"),
    (("--auth", "none", "--outbox-bytes", "1"), "outbox-bytes"),
    (("--auth", "none", "--outbox-bytes", "-1"), "outbox-bytes"),
    (("--auth", "none", "--outbox-bytes", "99999999999999999999"), "outbox-bytes"),
    (("--auth", "none", "--slow-client-timeout", "5 parsecs"), "slow-client-timeout"),
    (("--auth", "none", "--log-level", "loud"), "log-level"),
    (("--auth", "none", "--inbox-key", "inbox"), "inbox-key"),
    (("--auth", "none", "--inbox-key", "%s%s"), "inbox-key"),
    (("--auth", "none", "--topic-key", "%n%s"), "topic-key"),
    (("--auth", "none", "--config", "/nonexistent/file"), "/nonexistent/file"),
    (("--auth", "none", "--dev", "maybe"), "maybe"),
    (("--auth", "none", "--listen", "8090"), "listen"),
    (("--auth", "none", "--listen", "unix:here.sock"), "listen"),
    (("--auth", "none", "--listen", ""), "listen"),
    (("--auth", "none", "--topic-key", "inbox:%s"), "topic-key"),
]


@pytest.mark.parametrize("args, name", WRONG, ids=[" ".join(args) or "nothing" for args, _ in WRONG])
def test_wrong_usage_ends_with_status_2_and_names_what_is_wrong(args, name):
    for words in ((), ("--check-config",)):
        status, out, err = run(*args, *words) if args != ("--auth", "none", "--listen") else run(*args)
        assert (status, out) == (2, "")
        assert name in err and err.count("\n") == 1, err


def test_a_wrong_variable_in_the_environment_is_wrong_usage_too():
    status, text = check("--auth", "none", NOTIFY_OUTBOX_BYTES="many")
    assert status == 2 and "outbox-bytes" in text


def test_a_variable_that_is_spelt_wrong_is_warned_of():
    status, text = check("--auth", "none", NOTIFY_OUTBOX_BYTE="8K")
    assert status == 0 and "configuration is valid" in text
    assert "event=unknown_variable name=NOTIFY_OUTBOX_BYTE " in text


def test_a_file_holds_options_with_comments_and_blanks(tmp_path):
    file = tmp_path / "bridge.conf"
    file.write_text("# ours\n\n  auth none\noutbox-bytes   64K  \nlog-format json\n")
    assert check("--config", str(file)) == (0, "configuration is valid")
    file.write_text("auth none\nnonsense 1\n")
    status, text = check("--config", str(file))
    assert status == 2 and f"{file}:2: nonsense: no such option" in text
    file.write_text("auth none\nconfig /etc/passwd\n")
    assert check("--config", str(file))[0] == 2
    file.write_text("auth none\nlisten " + "x" * 5000 + "\n")
    assert check("--config", str(file))[0] == 2


def limit_of(stand):
    """max-connections, as it is felt: how many clients get in."""
    tabs = 0
    try:
        while tabs < 10:
            stand.tab()
            tabs += 1
    except Refused:
        pass
    return tabs


def test_a_flag_beats_the_environment_which_beats_the_file(make_stand, tmp_path):
    file = tmp_path / "bridge.conf"
    file.write_text("max-connections 2\nbroadcast-log from-file\n")
    env = {"NOTIFY_MAX_CONNECTIONS": "3", "NOTIFY_CONFIG": str(file)}
    assert limit_of(make_stand("--max-connections", "4", env=env)) == 4
    assert limit_of(make_stand(env=env)) == 3
    stand = make_stand("--config", str(file))
    assert limit_of(stand) == 2
    id_ = stand.send("from-file")
    assert stand.tabs[0].expect(type="notification")["id"] == id_


def test_names_of_older_systems_work_in_the_environment():
    status, text = check("--auth", "none", WS_HEARTBEAT_INTERVAL="1")
    assert status == 0, text
    status, text = check("--auth", "none", WS_HEARTBEAT_INTERVAL="no time")
    assert status == 2 and "ws-heartbeat-interval" in text


NO_URLS = ["http://x", "redis://", "redis://x:70000", "redis://x:0", "redis://x/y", "unix:/", "rediss://x:0"]


@pytest.mark.parametrize("url", NO_URLS)
def test_a_redis_url_that_is_none_is_wrong_usage(url):
    for words in ((), ("--check-config",)):
        status, out, err = run("--auth", "none", "--listen", "127.0.0.1:0", "--redis", url, *words)
        assert (status, out) == (2, ""), url
        assert err.startswith("notify-bridge: redis: ")


def test_an_address_in_use_ends_the_program_with_status_1(stand):
    status, out, err = run("--auth", "none", "--listen", f"127.0.0.1:{stand.daemon.port}")
    assert status == 1
    assert str(stand.daemon.port) in out + err


def test_a_log_line_is_json_when_asked_for(programs, stand):
    bridge = programs.add(Bridge(stand.server, "--log-format", "json"))
    bridge.start(wait_ready=False)
    line = json.loads(bridge.wait_line(r'"event":\s*"ready"'))
    assert (line["event"], line["level"]) == ("ready", "info")
    assert bridge.terminate() == 0
    assert [json.loads(text)["event"] for text in bridge.lines][-1] == "stopped"


# -- HTTP


def get(bridge, path):
    """(status, content type, body)"""
    try:
        with urllib.request.urlopen(bridge.http_url + path, timeout=60) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read()


def test_healthz_and_readyz_say_so_while_all_is_well(stand):
    for path in ("/healthz", "/readyz"):
        status, kind, body = get(stand.daemon, path)
        assert (status, kind) == (200, "application/json") and json.loads(body)["status"]


def test_readyz_is_503_while_redis_is_away_and_healthz_is_not(make_stand):
    stand = make_stand()
    mark = stand.daemon.mark()
    assert stand.server.terminate() == 0
    stand.daemon.wait_line("redis_link_down link=notify-bridge:commands", since=mark)
    assert get(stand.daemon, "/readyz")[0] == 503
    assert get(stand.daemon, "/healthz")[0] == 200
    stand.server.start()
    wait_ready(stand)


class InDatabase:
    """A server as a bridge on another of its databases reaches it."""

    def __init__(self, server, number):
        self.url = f"{server.url}/{number}"


@pytest.mark.parametrize("bridges, published", [(1, 0), (0, 1)])
def test_a_bridge_on_a_database_that_is_not_published_is_not_ready_and_says_why(bridges, published, programs):
    server = programs.add(RedisServer())
    server.start()
    client = server.client(db=bridges)
    client.execute_command("CONFIG", "SET", "notify.database", published)
    bridge = programs.add(Bridge(InDatabase(server, bridges)))
    bridge.start(wait_ready=False)
    bridge.wait_line(f"event=database_not_published database={bridges} published={published} text=.*notify.database")
    assert get(bridge, "/readyz")[0] == 503
    assert not bridge.has_line("event=ready")
    client.execute_command("CONFIG", "SET", "notify.database", bridges)
    bridge.wait_ready()
    with WsClient(bridge.port, "/ws?user=alice") as tab:
        assert tab.expect(type="connection")
        sent = client.execute_command("NOTIFY.SEND", "inbox:alice", "t")
        assert tab.expect(key="inbox:alice")["id"] == sent


def test_readyz_is_503_until_the_server_has_our_module(programs):
    server = programs.add(RedisServer(module=False))
    server.start()
    bridge = programs.add(Bridge(server))
    bridge.start(wait_ready=False)
    bridge.wait_line("event=module_missing")
    assert get(bridge, "/readyz")[0] == 503
    assert not bridge.has_line("event=ready")
    server.terminate()
    server.module = module_path()
    server.start()
    bridge.wait_ready()
    assert get(bridge, "/readyz")[0] == 200


def test_a_bridge_that_starts_before_redis_waits_for_it(programs):
    server = programs.add(RedisServer())
    bridge = programs.add(Bridge(server))
    bridge.start(wait_ready=False)
    bridge.wait_line("event=redis_link_down")
    tab = WsClient(bridge.port, "/ws?user=early")
    server.start()
    assert tab.expect(type="connection")["user_id"] == "early"
    id_ = server.client().execute_command("NOTIFY.SEND", "inbox:early", "t")
    assert tab.recv()["id"] == id_
    tab.close()


def test_the_client_library_is_always_served_and_the_page_in_development_only(programs, stand):
    status, kind, body = get(stand.daemon, "/notify.js")
    assert status == 200 and kind.startswith("text/javascript") and b"class" in body
    status, kind, body = get(stand.daemon, "/notify-inbox.js")
    assert status == 200 and kind.startswith("text/javascript") and "התראות".encode() in body
    status, kind, body = get(stand.daemon, "/test-ws")
    assert status == 200 and kind.startswith("text/html") and b"<html" in body
    port = free_port()
    bridge = programs.add(Bridge(stand.server, port=port))
    bridge._spawn(
        [bridge_path(), "--auth", "none", "--listen", f"127.0.0.1:{port}"]
        + ["--redis", stand.server.url]
    )
    bridge.wait_ready()
    assert get(bridge, "/test-ws")[0] == 404
    assert get(bridge, "/")[0] == 404
    assert get(bridge, "/notify.js")[0] == 200
    assert get(bridge, "/notify-inbox.js")[0] == 200


def test_in_development_the_root_leads_to_the_page(stand):
    assert get(stand.daemon, "/") == get(stand.daemon, "/test-ws")


NOTHING = ["//x", "/notify.js/", "/NOTIFY.JS", "/../etc/passwd", "/healthz/x", "/wsx"]


@pytest.mark.parametrize("path", NOTHING)
def test_what_is_not_there_is_not_found(stand, path):
    assert get(stand.daemon, path)[0] in (400, 404, 426)


def test_it_listens_on_several_addresses(programs, stand, tmp_path):
    path = str(tmp_path / "bridge.sock")
    ports = free_port(), free_port()
    bridge = programs.add(Bridge(stand.server, "--listen", f"127.0.0.1:{ports[1]}", port=ports[0]))
    bridge.args += ["--listen", f"unix:{path}"]
    bridge.start()
    for port in ports:
        WsClient(port, "/ws").close()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(path)
        sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert sock.recv(100).startswith(b"HTTP/1.1 200 ")
    assert bridge.terminate() == 0
    assert not os.path.exists(path)


# -- the end


def test_sigterm_tells_clients_to_come_back_after_a_random_delay(make_stand):
    stand = make_stand("--restart-spread", "2s")
    tabs = [stand.tab(f"/ws?user=u{n}") for n in range(30)]
    for tab in tabs:
        tab.send({"type": "subscribe", "topic": "t"})
    stand.daemon.proc.send_signal(signal.SIGTERM)
    closed = [tab.wait_closed() for tab in tabs]
    assert {one.code for one in closed} == {1012}
    delays = [int(re.search(r"\d+", one.reason).group()) for one in closed]
    assert all(0 <= delay <= 2000 for delay in delays)
    assert len(set(delays)) > 10
    assert stand.daemon.wait() == 0
    assert stand.daemon.lines[-1].endswith("event=stopped")


def test_before_the_end_it_is_not_ready_for_a_while_and_serves_all_the_same(make_stand):
    stand = make_stand("--drain-delay", "1h")
    tab = stand.tab("/ws?user=alice")
    mark = stand.daemon.mark()
    stand.daemon.proc.send_signal(signal.SIGTERM)
    stand.daemon.wait_line("event=leaving delay_ms=3600000", since=mark)
    assert get(stand.daemon, "/readyz")[0] == 503
    assert get(stand.daemon, "/healthz")[0] == 200
    late = stand.tab("/ws?user=alice")
    sent = stand.send("inbox:alice")
    assert tab.expect(type="notification")["id"] == late.expect(type="notification")["id"] == sent
    stand.daemon.proc.send_signal(signal.SIGTERM)  # at once
    assert stand.daemon.wait() == 0


def test_after_the_delay_it_ends_as_ever(make_stand):
    stand = make_stand("--drain-delay", "300ms", "--restart-spread", "0")
    tab = stand.tab()
    mark = stand.daemon.mark()
    stand.daemon.proc.send_signal(signal.SIGTERM)
    stand.daemon.wait_line("event=leaving", since=mark)
    assert tab.wait_closed().code == 1012
    tab.close()
    assert stand.daemon.wait() == 0


def test_a_request_that_is_under_way_is_answered_before_the_end(make_stand):
    stand = make_stand("--shutdown-timeout", "60s")
    with socket.create_connection(("127.0.0.1", stand.daemon.port), timeout=60) as sock:
        sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert sock.recv(65536).startswith(b"HTTP/1.1 200 ")
        stand.call("CLIENT", "PAUSE", 2000, "ALL")
        sock.sendall(b"GET /api/v1/notifications/unread/count?user=alice HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert get(stand.daemon, "/healthz")[0] == 200  # what came before that has been read
        mark = stand.daemon.mark()
        stand.daemon.proc.send_signal(signal.SIGTERM)
        stand.daemon.wait_line("event=stopping", since=mark)
        answer = sock.recv(65536)
        assert answer.startswith(b"HTTP/1.1 200 ") and b'"unread":0' in answer
    assert stand.daemon.wait() == 0


def test_no_new_client_gets_in_while_it_ends(make_stand):
    stand = make_stand("--shutdown-timeout", "20s")
    tab = stand.tab()  # holds the end up: it does not answer the close
    mark = stand.daemon.mark()
    stand.daemon.proc.send_signal(signal.SIGTERM)
    stand.daemon.wait_line("event=stopping", since=mark)
    with pytest.raises((ConnectionError, Closed, Refused)):
        WsClient(stand.daemon.port, "/ws")
    assert tab.wait_closed().code == 1012
    assert stand.daemon.wait() == 0


def test_a_client_that_does_not_answer_the_close_holds_the_end_up_only_so_long(make_stand):
    stand = make_stand("--shutdown-timeout", "300ms")
    tab = stand.tab()
    stand.send_many("topic:all", 10)
    assert stand.daemon.terminate(timeout=10) == 0
    tab.sock.close()


def test_a_second_signal_ends_it_at_once(make_stand):
    stand = make_stand("--shutdown-timeout", "1h")
    tab = stand.tab()
    mark = stand.daemon.mark()
    stand.daemon.proc.send_signal(signal.SIGTERM)
    stand.daemon.wait_line("event=stopping", since=mark)
    stand.daemon.proc.send_signal(signal.SIGINT)
    assert stand.daemon.wait(10) == 0
    tab.sock.close()


def test_a_second_signal_ends_it_at_once_while_redis_says_nothing(make_stand):
    """What it still was to be told is told in vain, while all is taken down."""
    stand = make_stand("--shutdown-timeout", "1h")
    tab = stand.tab()
    stand.call("CLIENT", "PAUSE", 3000, "ALL")
    mark = stand.daemon.mark()
    stand.daemon.proc.send_signal(signal.SIGTERM)
    stand.daemon.wait_line("event=stopping", since=mark)
    tab.wait_closed()
    stand.daemon.proc.send_signal(signal.SIGTERM)
    assert stand.daemon.wait() == 0
    tab.sock.close()


def test_a_log_that_nobody_reads_any_more_does_not_end_it(redis_server):
    """Nor does a link to Redis that is closed while something is written: it is the same signal."""
    port = free_port()
    words = ["--listen", f"127.0.0.1:{port}", "--redis", redis_server.url, "--auth", "none"]
    bridge = subprocess.Popen([bridge_path(), *words], stderr=subprocess.PIPE)
    try:
        while b"event=ready" not in (line := bridge.stderr.readline()):
            assert line, "it has ended"
        bridge.stderr.close()
        client = redis_server.client()  # a link that has subscribed to something is no normal one
        assert sum(client.execute_command("CLIENT", "KILL", "TYPE", kind) for kind in ("normal", "pubsub")) >= 2
        with WsClient(port, "/ws?user=alice") as client:
            client.expect(type="connection")  # the links are up again
        assert bridge.poll() is None
    finally:
        bridge.kill()
        bridge.wait()


def test_it_ends_in_good_order_while_redis_is_away(make_stand):
    stand = make_stand()
    tab = stand.tab()
    mark = stand.daemon.mark()
    stand.server.kill9()
    stand.daemon.wait_line("redis_link_down link=notify-bridge:commands", since=mark)
    tab.send({"type": "subscribe", "topic": "t", "last_id": "0-0"})
    tab.request("ping")
    stand.daemon.proc.send_signal(signal.SIGTERM)
    assert tab.wait_closed().code == 1012
    assert stand.daemon.wait() == 0


def test_it_ends_in_good_order_in_the_middle_of_everything(make_stand):
    """Replies under way, queues full, clients opening: nothing leaks (the sanitizer says so)."""
    stand = make_stand("--outbox-bytes", "8K", "--shutdown-timeout", "200ms")
    tabs = [stand.tab(f"/ws?user=u{n}&topics=t") for n in range(10)]
    stand.send_many("topic:t", 300, "CONTENT", "x" * 2000)
    for tab in tabs:
        for n in range(20):
            tab.send({"type": "request_notification_history", "topic": "t"})
            tab.send({"type": "subscribe", "topic": f"t{n}", "last_id": "0-0"})
            tab.send({"type": "resume", "positions": {"topic:t": "0-0"}})
    for n in range(10):
        stand.tab(f"/ws?user=late{n}&topics=t", greeted=False)
    assert stand.daemon.terminate(timeout=10) == 0
    for tab in stand.tabs:
        tab.sock.close()


def test_descriptors_and_memory_come_back_when_clients_leave(make_stand):
    stand = make_stand("--channel-linger", "0")
    stand.tab().close()
    before = stand.daemon.open_fds()
    for _ in range(3):
        tabs = [stand.tab(f"/ws?user=u{n}&topics=a{n},b{n}") for n in range(60)]
        for at, tab in enumerate(tabs):
            tab.close() if at % 2 else tab.sock.close()
    wait_until(lambda: stand.daemon.open_fds() <= before, "the end of all connections")
    wait_until(lambda: stand.receivers("topic:a1") == 0, "the end of the subscriptions")
    wait_until(lambda: stand.receivers("inbox:u1") == 0, "the end of the subscriptions")


def test_metrics_tell_who_is_there_and_what_limits_have_met(programs, redis_server, connect):
    bridge = programs.bridge(redis_server, "--max-control-frames", "10")
    bridge.wait_ready()
    clients = [WsClient(bridge.port, "/ws?user=alice") for _ in range(3)]
    for client in clients:
        client.expect(type="connection")
    with urllib.request.urlopen(bridge.http_url + "/metrics", timeout=60) as answer:
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    before = bridge.metrics()
    assert before['notify_connections{transport="websocket"}'] == 3
    assert before["notify_clients_opened_total"] == 3
    assert before["notify_channels"] == 2  # inbox:alice, topic:all
    assert before['notify_redis_link_up{link="commands"}'] == 1
    for _ in range(11):
        clients[0].send_frame(PING, b"")
    assert clients[0].wait_closed().code == 4400
    after = bridge.metrics()
    assert after['notify_limit_hits_total{limit="max-control-frames"}'] == 1
    wait_until(lambda: bridge.metrics()['notify_connections{transport="websocket"}'] == 2, "the end")


# -- TLS and proxies in front


def greeting_over_tls(port, certificate, before=b""):
    context = ssl.create_default_context(cafile=certificate.cert)
    with socket.create_connection(("127.0.0.1", port), 10) as plain:
        plain.sendall(before)
        with context.wrap_socket(plain, server_hostname="localhost") as sock:
            sock.sendall(b"GET /ws?user=alice HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")  # fmt: skip
            data = b""
            while b'"type":"connection"' not in data:
                more = sock.recv(4096)
                assert more, data
                data += more
    return data


@pytest.mark.parametrize("kind, before", [("tls", b""), ("proxy,tls", b"PROXY TCP4 203.0.113.7 127.0.0.1 1 2\r\n")])
def test_clients_are_served_over_tls(programs, redis_server, tmp_path, kind, before):
    certificate = Certificate(tmp_path)
    port = free_port()
    bridge = programs.bridge(
        redis_server, "--listen", f"127.0.0.1:{port},{kind}", "--tls-cert", certificate.cert,
        "--tls-key", certificate.key, "--log-level", "debug",
    )  # fmt: skip
    bridge.wait_ready()
    assert greeting_over_tls(port, certificate, before).startswith(b"HTTP/1.1 101 ")
    if before:
        bridge.wait_line("event=client_open .*addr=203.0.113.7")


def test_the_address_of_a_client_is_the_one_that_a_trusted_proxy_names(programs, redis_server):
    bridge = programs.bridge(redis_server, "--trusted-proxies", "127.0.0.0/8", "--log-level", "debug")
    bridge.wait_ready()
    WsClient(bridge.port, "/ws?user=a", headers=["X-Forwarded-For: 6.6.6.6, 203.0.113.9"])
    bridge.wait_line("event=client_open .*addr=203.0.113.9")


@pytest.mark.parametrize(
    "options, said",
    [
        (["--listen", "127.0.0.1:0,tls"], "listen: has ,tls: --tls-cert and --tls-key must be given, too"),
        (["--listen", "127.0.0.1:0,ssl"], "behind the address only ,tls and ,proxy may stand"),
        (["--trusted-proxies", "10.0.0.0/40"], "trusted-proxies: must be addresses, networks"),
        (["--proxy-header", "X Forwarded"], "proxy-header: must be the name of a header"),
    ],
)
def test_what_tls_and_proxies_need_is_checked(redis_server, options, said):
    done = subprocess.run([bridge_path(), "--auth", "none", "--check-config", *options], stderr=subprocess.PIPE)
    assert done.returncode == 2
    assert said in done.stderr.decode()
