"""Which web pages may use a bridge, and by which names it may be called."""

import http.client
import json
import socket

import pytest

from servers import Bridge, bridge_path, free_port
from ws_client import Refused, WsClient


def outcome(bridge, origin=None, host="127.0.0.1:{port}", path="/ws?user=x"):
    """101, or the status with which the upgrade was refused."""
    headers = [] if origin is None else [f"Origin: {origin.format(port=bridge.port)}"]
    try:
        client = WsClient(bridge.port, path, headers=headers, host=host.format(port=bridge.port))
    except Refused as refused:
        error = json.loads(refused.body)["error"]
        assert set(error) == {"code", "message", "details"}
        return refused.status
    client.close()
    return 101


def get(bridge, path, origin=None, host="127.0.0.1:{port}", method="GET"):
    """The answer and its headers."""
    connection = http.client.HTTPConnection("127.0.0.1", bridge.port, timeout=60)
    connection.putrequest(method, path, skip_host=True)
    connection.putheader("Host", host.format(port=bridge.port))
    if origin is not None:
        connection.putheader("Origin", origin.format(port=bridge.port))
    connection.endheaders()
    answer = connection.getresponse()
    answer.body = answer.read()
    connection.close()
    return answer


@pytest.fixture
def start(programs, stand):
    """start("--flag", …): a bridge that is not in development mode."""

    def start_bridge(*args, listen="127.0.0.1"):
        bridge = programs.add(Bridge(stand.server, port=free_port()))
        bridge._spawn(
            [bridge_path(), "--auth", "none", "--listen", f"{listen}:{bridge.port}"]
            + ["--redis", stand.server.url, *args]
        )
        bridge.wait_ready()
        return bridge

    return start_bridge


EVIL = ["https://evil.example", "http://evil.example:{port}", "http://127.0.0.1.evil.example:{port}",
        "http://192.168.0.1:{port}", "null", "file://", "chrome-extension://abc", "127.0.0.1:{port}",
        "http://127.0.0.1:{port}/", "http://127.0.0.1:{port}, https://evil.example", "*", "%"]  # fmt: skip


@pytest.mark.parametrize("origin", EVIL)
def test_a_page_of_another_site_is_refused_before_the_upgrade(stand, start, origin):
    for bridge in (stand.daemon, start()):
        mark = bridge.mark()
        assert outcome(bridge, origin) == 403
        assert outcome(bridge, origin, path="/ws/a%2Fb") == 403
    assert bridge.wait_line("event=origin_refused", since=mark)


@pytest.mark.parametrize(
    "origin, host",
    [
        (None, "127.0.0.1:{port}"),
        ("http://127.0.0.1:{port}", "127.0.0.1:{port}"),
        ("http://localhost:{port}", "localhost:{port}"),
        ("http://LOCALHOST", "localhost:80"),
        ("https://localhost", "localhost"),
    ],
)
def test_a_page_of_the_same_address_may_connect_and_so_may_what_is_no_browser(start, origin, host):
    assert outcome(start(), origin, host) == 101


LOCAL = ["http://localhost:5173", "http://127.0.0.1:3000", "http://[::1]:1", "https://app.localhost"]


@pytest.mark.parametrize("origin", LOCAL)
def test_pages_of_this_machine_may_connect_in_development_only(stand, start, origin):
    assert outcome(stand.daemon, origin) == 101
    assert outcome(start(), origin) == 403


def test_other_pages_may_connect_when_they_are_configured(start):
    bridge = start("--cors-origins", "https://app.example.com,null", "--cors-origins", "http://b:8080")
    for origin in ("https://app.example.com", "https://app.example.com:443", "null", "http://b:8080"):
        assert outcome(bridge, origin) == 101
    for origin in ("http://app.example.com", "https://app.example.com:8443", "http://b", "https://evil.example"):
        assert outcome(bridge, origin) == 403


def test_a_star_lets_every_page_in(start):
    bridge = start("--cors-origins", "*")
    for origin in ("https://evil.example", "null", "http://127.0.0.1:1"):
        assert outcome(bridge, origin) == 101
    assert outcome(bridge, "http://evil.example:{port}", "evil.example:{port}") == 101


def test_a_page_whose_name_was_led_to_this_machine_is_refused(stand, start):
    """DNS rebinding: the page's origin and the host that it calls are the same."""
    for bridge in (stand.daemon, start()):
        mark = bridge.mark()
        assert outcome(bridge, "http://evil.example:{port}", "evil.example:{port}") == 403
        assert outcome(bridge, None, "evil.example") == 403
        assert get(bridge, "/readyz", host="evil.example").status == 403
        assert outcome(bridge, "http://localhost:{port}", "localhost:{port}") == 101
    assert bridge.wait_line("event=host_refused", since=mark)


def test_a_name_that_a_proxy_passes_on_is_known_when_it_is_configured(start):
    bridge = start("--host-names", "notify.example.com")
    assert outcome(bridge, "https://notify.example.com", "notify.example.com") == 101
    assert outcome(bridge, "https://notify.example.com", "notify.example.com:443") == 101
    assert outcome(bridge, "https://evil.example", "notify.example.com") == 403
    assert outcome(bridge, "https://evil.example", "evil.example") == 403


def test_a_bridge_that_is_reached_from_elsewhere_goes_by_any_name(start):
    bridge = start("--insecure-no-auth", listen="0.0.0.0")
    assert outcome(bridge, "http://box.lan:{port}", "box.lan:{port}") == 101
    assert outcome(bridge, "https://evil.example", "box.lan:{port}") == 403


def test_a_request_without_a_host_is_from_no_browser(stand):
    with socket.create_connection(("127.0.0.1", stand.daemon.port), 10) as sock:
        sock.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert sock.recv(100).startswith(b"HTTP/1.1 200 ")


def test_a_proxy_on_a_unix_socket_may_call_it_what_it_likes(programs, stand, tmp_path):
    path = str(tmp_path / "bridge.sock")
    bridge = programs.add(Bridge(stand.server, "--listen", f"unix:{path}", port=free_port()))
    bridge.start()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(path)
        sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: any.example\r\n\r\n")
        assert sock.recv(100).startswith(b"HTTP/1.1 200 ")
    assert outcome(bridge, None, "any.example") == 403


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/healthz", "/notify.js", "/nowhere", "/ws"])
def test_answers_may_be_read_by_pages_that_may_connect(stand, start, path, method):
    bridge = start("--cors-origins", "https://app.example.com")
    for origin, readable in (
        ("https://app.example.com", True),
        ("http://127.0.0.1:{port}", True),
        ("https://evil.example", False),
        ("null", False),
        (None, False),
    ):
        answer = get(bridge, path, origin, method=method)
        assert answer.status in (200, 404, 426)  # whoever asks: an answer says nothing secret
        assert answer.headers["Vary"] == "Origin"
        told = answer.headers.get_all("Access-Control-Allow-Origin")
        assert told == ([origin.format(port=bridge.port)] if readable else None)
        assert "Access-Control-Allow-Credentials" not in answer.headers
    assert get(stand.daemon, path, "http://localhost:5173").headers["Access-Control-Allow-Origin"]


def test_a_refusal_can_be_read_by_nobody(stand):
    for answer in (
        get(stand.daemon, "/healthz", "http://evil.example", host="evil.example"),
        get(stand.daemon, "/healthz", "http://localhost:1", host="evil.example"),
    ):
        assert answer.status == 403 and answer.headers["Vary"] == "Origin"
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert json.loads(answer.body)["error"]["code"] == "FORBIDDEN"


def test_refusals_do_not_fill_the_log(start):
    bridge = start()
    for n in range(50):
        assert outcome(bridge, f"https://evil{n}.example") == 403
    assert len([line for line in bridge.lines if "origin_refused" in line]) == 1
