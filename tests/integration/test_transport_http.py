"""Ordinary HTTP as the transport serves it, and all that it must refuse (support/transport_host)."""

import contextlib
import json
import re
import select
import os
import socket
import ssl
import time

import pytest

from certificates import Certificate
from raw_peer import read_all
from servers import at_some_pace


class HttpHost:
    def __init__(self, program, family=socket.AF_INET, address=None, tls=None):
        self.program = program
        self.tls = tls  # a context, or None
        line = next(line for line in program.lines if line.startswith("ready "))
        self.family = family
        self.address = address or ("127.0.0.1", int(line.rsplit(":", 1)[1]))

    def open(self):
        sock = socket.socket(self.family)
        sock.settimeout(10)
        sock.connect(self.address)
        return self.tls.wrap_socket(sock, server_hostname="localhost") if self.tls else sock

    def exchange(self, data):
        """Sends data, reads to the end of the stream; a reset counts as the end."""
        with self.open() as sock:
            sock.sendall(data)
            return read_all(sock)


def read_answer(sock, data=b"", body=True):
    """One answer: status, headers (lower case), body, and what came after it."""
    while b"\r\n\r\n" not in data:
        more = sock.recv(65536)
        assert more, data
        data += more
    head, data = data.split(b"\r\n\r\n", 1)
    lines = head.decode().split("\r\n")
    headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines[1:])}
    length = int(headers["content-length"]) if body else 0
    while len(data) < length:
        more = sock.recv(65536)
        assert more
        data += more
    return int(lines[0].split(" ")[1]), headers, data[:length], data[length:]


def statuses(data):
    return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d+) ", data)]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return Certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(params=["plain", "tls"])
def host(programs, request):
    """What stands here holds whatever carries it."""
    if request.param == "plain":
        return HttpHost(programs.host("transport_host", "127.0.0.1:0", ready="^ready "))
    return tls_host(programs, request.getfixturevalue("certificate"))


def tls_host(programs, certificate):
    program = programs.host(
        "transport_host", "127.0.0.1:0,tls", f"HOST_CERT={certificate.cert}", f"HOST_KEY={certificate.key}",
        ready="^ready ",
    )  # fmt: skip
    context = ssl.create_default_context(cafile=certificate.cert)
    context.suppress_ragged_eofs = True
    return HttpHost(program, tls=context)


@pytest.fixture
def plain_host(programs):
    return HttpHost(programs.host("transport_host", "127.0.0.1:0", ready="^ready "))


GET = b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


# -- answers


def test_get_is_answered_with_the_headers_of_a_page(host):
    with host.open() as sock:
        sock.sendall(GET)
        status, headers, body, rest = read_answer(sock)
    assert (status, body, rest) == (200, b"hello", b"")
    assert headers["content-type"] == "text/plain"
    assert headers["cache-control"] == "max-age=60"
    assert headers["connection"] == "keep-alive"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", headers["date"])


def test_head_is_the_same_without_the_body(host):
    with host.open() as sock:
        for path, length in ((b"/hello", "5"), (b"/big", str(4 << 20)), (b"/none", None)):
            sock.sendall(b"HEAD " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n")
            status, headers, _, rest = read_answer(sock, body=False)
            assert (status, rest) == (404 if length is None else 200, b"")
            assert length is None or headers["content-length"] == length


def test_what_is_not_there_is_404_in_json(host):
    with host.open() as sock:
        sock.sendall(GET.replace(b"/hello", b"/none"))
        status, headers, body, _ = read_answer(sock)
        assert (status, headers["content-type"]) == (404, "application/json")
        assert json.loads(body)["error"]["code"] == "NOT_FOUND"
        sock.sendall(GET)  # and the connection goes on
        assert read_answer(sock)[0] == 200


def test_a_connection_serves_many_requests_also_in_one_segment(host):
    with host.open() as sock:
        for _ in range(30):
            sock.sendall(GET)
            assert read_answer(sock)[2] == b"hello"
        sock.sendall(GET * 20 + LAST)
        data = read_all(sock)
    assert statuses(data) == [200] * 21
    assert data.count(b"Connection: close") == 1


def test_a_request_may_come_byte_by_byte(host):
    with host.open() as sock:
        for byte in LAST:
            sock.sendall(bytes([byte]))
        assert read_all(sock).endswith(b"hello")


def test_http_1_0_closes_unless_told_otherwise(host):
    assert statuses(host.exchange(b"GET /hello HTTP/1.0\r\n\r\n")) == [200]
    with host.open() as sock:
        for _ in range(2):
            sock.sendall(b"GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            status, headers, _, _ = read_answer(sock)
            assert (status, headers["connection"]) == (200, "keep-alive")


def test_a_big_answer_comes_whole_also_to_a_slow_reader(host):
    with host.open() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        sock.sendall(GET.replace(b"/hello", b"/big"))
        assert select.select([sock], [], [], 10)[0]  # the first bytes are there
        status, _, body, _ = read_answer(sock)
        assert (status, body) == (200, b"b" * (4 << 20))
        sock.sendall(GET)
        assert read_answer(sock)[2] == b"hello"


@pytest.mark.parametrize(
    "target, path, query, arg",
    [
        ("/echo", "/echo", "", None),
        ("/echo?a=1", "/echo", "a=1", "1"),
        ("/echo?a=1&a=2", "/echo", "a=1&a=2", "1"),
        ("/echo?x&a=b+c%20d%2Be", "/echo", "x&a=b+c%20d%2Be", "b c d+e"),
        ("/echo?a=b%26c%3Dd=e%25", "/echo", "a=b%26c%3Dd=e%25", "b&c=d=e%"),
        ("/echo?%61=%C3%A4", "/echo", "%61=%C3%A4", "ä"),
        ("/echo?a", "/echo", "a", ""),
        ("/echo?a=%09&b=%7f%C2%80", "/echo", "a=%09&b=%7f%C2%80", "\t"),
        ("/echo?A=1&aa=2", "/echo", "A=1&aa=2", None),
        ("//./x/../%65cho?a=/?", "/echo", "a=/?", "/?"),
        ("/a/b/../../%2e%2E/./echo", "/echo", "", None),
        ("http://other/echo?a=1", "/echo", "a=1", "1"),
        ("/echo?a=" + "x" * 300, "/echo", "a=" + "x" * 300, None),
    ],
)
def test_path_query_and_arguments_arrive(host, target, path, query, arg):
    with host.open() as sock:
        sock.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\nOrigin: http://o\r\n\r\n".encode())
        status, _, body, _ = read_answer(sock)
    assert status == 200
    lines = body.decode(errors="surrogateescape").split("\n")
    assert lines[:4] == [path, query, "http://o", "127.0.0.1"]
    length = -1 if arg is None else len(arg.encode(errors="surrogateescape"))
    assert lines[4] == f"{length} {arg or ''}"


# -- what is refused


def post(*headers, body=b"", method=b"POST"):
    return method + b" /hello HTTP/1.1\r\nHost: x\r\n" + b"".join(
        h + b"\r\n" for h in headers
    ) + b"\r\n" + body


DANGERS = [
    ("post", post(b"Content-Length: 3", body=b"abc"), 405),
    ("put", post(b"Content-Length: 3", body=b"abc", method=b"PUT"), 405),
    ("delete", post(method=b"DELETE"), 405),
    ("options", post(method=b"OPTIONS"), 405),
    ("post without length", post(body=b"abc"), 405),
    ("get with a body", post(b"Content-Length: 3", body=b"abc", method=b"GET"), 413),
    ("chunked", post(b"Transfer-Encoding: chunked", body=b"3\r\nabc\r\n0\r\n\r\n"), 405),
    ("chunked get", post(b"Transfer-Encoding: chunked", body=b"1\r\nx\r\n0\r\n\r\n", method=b"GET"), 413),
    ("identity", post(b"Transfer-Encoding: identity", b"Content-Length: 3", body=b"abc"), 400),
    ("both", post(b"Content-Length: 3", b"Transfer-Encoding: chunked", body=b"abc"), 400),
    ("empty transfer encoding", post(b"Transfer-Encoding:", method=b"GET"), 400),
    ("negative length", post(b"Content-Length: -1", body=b"abc"), 400),
    ("signed length", post(b"Content-Length: +3", body=b"abc"), 400),
    ("hexadecimal length", post(b"Content-Length: 0x3", body=b"abc"), 400),
    ("list of lengths", post(b"Content-Length: 3, 3", body=b"abc"), 400),
    ("two lengths", post(b"Content-Length: 3", b"Content-Length: 3", body=b"abc"), 400),
    ("other second length", post(b"Content-Length: 0", b"Content-Length: 3", method=b"GET"), 400),
    ("empty length", post(b"Content-Length:", method=b"GET"), 400),
    ("huge length", post(b"Content-Length: 99999999999999999999", method=b"GET"), 400),
    ("blank before the colon", post(b"Content-Length : 3", body=b"abc", method=b"GET"), 400),
    ("tab before the colon", post(b"Transfer-Encoding\t: chunked", method=b"GET"), 400),
    ("folded line", post(b"X-A: b", b" Content-Length: 3", method=b"GET"), 400),
    ("line without a colon", post(b"nonsense", b"X-B: c", method=b"GET"), 400),
    ("no host", b"GET /hello HTTP/1.1\r\n\r\n", 400),
    ("two hosts", b"GET /hello HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
    ("no version", b"GET /hello\r\nHost: x\r\n\r\n", 400),
    ("later version", b"GET /hello HTTP/2.0\r\nHost: x\r\n\r\n", 505),
    ("connect", b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", 501),
    ("unknown method", b"BREW /hello HTTP/1.1\r\nHost: x\r\n\r\n", 405),
    ("tls", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200 + b"\r\n\r\n", 400),
    ("h2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ("nul in the path", b"GET /hel%00lo HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("bad escape", b"GET /hel%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("too many headers", post(*(b"X-%d: y" % i for i in range(3000)), method=b"GET"), 431),
    ("huge header", post(b"X-A: " + b"y" * 100_000, method=b"GET"), 431),
    ("huge target", b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    ("two origins", post(b"Origin: a", b"Origin: b", method=b"GET"), 400),
    ("nul in a value", post(b"X-A: a\0b", method=b"GET"), 400),
    ("control byte in a value", post(b"X-A: a\x01b", method=b"GET"), 400),
    ("delete in a value", post(b"X-A: a\x7fb", method=b"GET"), 400),
    ("bare cr in a value", post(b"X-A: a\rb", method=b"GET"), 400),
    ("bare cr before a header", post(b"X-A: a\rContent-Length: 3", method=b"GET"), 400),
    ("bare lf", b"GET /hello HTTP/1.1\nHost: x\n\n", 400),
    ("bare lf at the end of a line", b"GET /hello HTTP/1.1\r\nHost: x\nX-A: b\r\n\r\n", 400),
    ("header before the request line", b"Host: x\r\nGET /hello HTTP/1.1\r\n\r\n", 400),
    ("method in lower case", b"get /hello HTTP/1.1\r\nHost: x\r\n\r\n", 405),
    ("method with a blank", b"GE T /hello HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("two blanks", b"GET  /hello HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("tab for a blank", b"GET\t/hello HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("version with more digits", b"GET /hello HTTP/1.10\r\nHost: x\r\n\r\n", 400),
    ("version in lower case", b"GET /hello http/1.1\r\nHost: x\r\n\r\n", 400),
    ("byte that is no ascii in the target", b"GET /hell\xc3\xb6 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("target with a user", b"GET http://a@x/hello HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("target of another scheme", b"GET ftp://x/hello HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("target without a slash", b"GET hello HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("host that is none", b"GET /hello HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    ("chunked on 1.0", b"GET /hello HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("chunked twice", post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", method=b"GET"), 400),
    ("expectation that is none", post(b"Expect: 200-ok", b"Content-Length: 0", method=b"GET"), 417),
]


@pytest.mark.parametrize("what, request_bytes, status", DANGERS, ids=[d[0] for d in DANGERS])
@pytest.mark.parametrize("how", ["at once", "on a used connection"])
def test_dangers_are_refused_and_the_connection_ends(host, what, request_bytes, status, how):
    before = b"" if how == "at once" else GET
    with host.open() as sock:
        if before:
            sock.sendall(before)
            assert read_answer(sock)[0] == 200
        started = time.monotonic()
        try:
            sock.sendall(request_bytes)
            sock.sendall(GET)  # must not be answered any more
        except OSError:
            pass
        data = read_all(sock)
    assert time.monotonic() - started < 6
    codes = statuses(data)
    assert 200 not in codes and len(codes) <= 1
    assert codes == [status]
    assert b"Connection: close\r\n" in data
    assert b"Content-Type: application/json\r\n" in data
    assert (b"Allow: GET, HEAD\r\n" in data) == (status == 405)
    with host.open() as sock:  # and the host lives
        sock.sendall(LAST)
        assert statuses(read_all(sock)) == [200]


def test_a_head_that_comes_in_pieces_is_answered_as_one_that_comes_whole(host):
    for target, status in (("/hello", 200), ("/hel%zz", 400), ("/hel%0Alo", 404), ("/echo?a=100%", 400)):
        text = f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
        answers = set()
        for cut in (0, 1, 5, len(text) - 5, *range(len(text) - 4, len(text))):
            with host.open() as sock:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.sendall(text[:cut])
                sock.sendall(text[cut:])
                answers.add(tuple(statuses(read_all(sock))))
        assert answers == {(status,)}, target


@pytest.mark.parametrize("path", ["/hel%0Alo", "/hello%20HTTP/1.1%0d%0aHost:%20x%0d%0a%0d%0a", "/a%2Fb"])
def test_escapes_in_a_path_are_data_and_nothing_else(host, path):
    data = host.exchange(GET.replace(b"/hello", path.encode()) + GET * 3 + LAST)
    assert statuses(data) == [404] + [200] * 4


def test_connections_that_say_nothing_yet_do_not_hold_up_others(host):
    with contextlib.ExitStack() as stack:
        for n in range(200):
            silent = stack.enter_context(host.open())
            silent.sendall(b"GET /hello HTTP/1.1\r\nHost: x\r\n"[: n % 40])
        for _ in range(20):
            started = time.monotonic()
            assert statuses(host.exchange(LAST)) == [200]
            assert time.monotonic() - started < 4  # the silent ones have 5 s


def test_one_request_is_never_taken_for_the_body_of_another(host):
    """The lengths of a refused request and what follows it play no role."""
    for length in (0, 1, 10, len(GET), len(GET) + 1, 10_000):
        data = host.exchange(post(b"Content-Length: %d" % length, body=GET * 2))
        assert statuses(data) == [405]


def test_the_answer_to_a_long_upload_arrives_before_the_end_of_the_connection(host):
    with host.open() as sock:
        sock.sendall(post(b"Content-Length: 3000000"))
        try:
            for _ in range(30):
                sock.sendall(b"u" * 100_000)
        except OSError:
            pass
        assert statuses(read_all(sock)) == [405]


def test_h2c_is_declined_by_answering_in_http_1(host):
    data = host.exchange(
        b"GET /hello HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings, close\r\n"
        b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n"
    )
    assert statuses(data) == [200]
    assert data.endswith(b"hello")


# -- time


def test_slow_headers_are_given_up(host):
    started = time.monotonic()
    with host.open() as sock:
        try:
            for byte in b"GET /hello HTTP/1.1\r\nHost: x\r\nX-Slow: " + b"y" * 1000:
                sock.sendall(bytes([byte]))
                time.sleep(0.05)  # the slowness is what is tested
        except OSError:
            pass
        assert 200 not in statuses(read_all(sock))
    assert 3 < time.monotonic() - started < 20


def test_a_connection_that_says_nothing_is_given_up(host):
    started = time.monotonic()
    with host.open() as sock:
        assert sock.recv(100) == b""
    assert 3 < time.monotonic() - started < 20


def read_to_fin(sock):
    """Below TLS, which may refuse to write once it has seen that end."""
    with socket.socket(fileno=os.dup(sock.fileno())) as raw:
        raw.settimeout(10)
        while raw.recv(65536):
            pass


def test_a_refused_peer_that_does_not_close_is_dropped(host):
    def is_dropped(at_once_s):
        with host.open() as sock:
            sock.sendall(post(b"Content-Length: 100"))
            started = time.monotonic()
            assert read_answer(sock)[0] == 405
            read_to_fin(sock)  # the host's comes at once …
            assert time.monotonic() - started < at_once_s
            ended = False
            while not ended and time.monotonic() - started < 20:
                try:
                    sock.sendall(b"z")
                    time.sleep(0.02)  # until the host answers with a reset, for it has closed
                except OSError:
                    ended = True
        assert ended and 1 < time.monotonic() - started  # … and the socket's end in 2 s

    at_some_pace(is_dropped, 0.25, doublings=2)


# -- where it listens


def test_it_listens_on_ipv6(programs):
    if not socket.has_ipv6:
        pytest.skip("no IPv6")
    try:
        socket.socket(socket.AF_INET6).bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 here")
    program = programs.host("transport_host", "[::1]:0", ready=r"^ready \[::1\]:\d+$")
    port = int(next(l for l in program.lines if l.startswith("ready")).rsplit(":", 1)[1])
    host = HttpHost(program, socket.AF_INET6, ("::1", port))
    data = host.exchange(LAST.replace(b"/hello", b"/echo"))
    assert b"\n::1\n" in data


def test_every_address_takes_ipv4_too(programs):
    host = HttpHost(programs.host("transport_host", ":0", ready="^ready "))
    assert b"\n127.0.0.1\n" in host.exchange(LAST.replace(b"/hello", b"/echo"))


def test_it_listens_on_a_unix_socket_and_replaces_one_left_over(programs, tmp_path):
    path = tmp_path / "s"
    program = programs.host("transport_host", f"unix:{path}", ready=f"^ready unix:{path}$")
    host = HttpHost(program, socket.AF_UNIX, str(path))
    assert b"\nunix\n" in host.exchange(LAST.replace(b"/hello", b"/echo"))
    program.kill9()
    assert path.exists()
    again = programs.host("transport_host", f"unix:{path}", ready=f"^ready unix:{path}$")
    assert statuses(HttpHost(again, socket.AF_UNIX, str(path)).exchange(LAST)) == [200]
    again.stop()
    assert not path.exists()


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1", "::1:80", "x:99999", "unix:relative",
                                     "256.1.1.1:80", "127.0.0.1:8x"])
def test_an_address_that_is_none_is_refused_with_a_reason(programs, address):
    program = programs.host("transport_host", address)
    program.wait_line("event=listen_failed .*address=.*error=")
    assert program.wait() == 1


def test_a_port_that_is_taken_is_refused_with_a_reason(programs, host):
    program = programs.host("transport_host", f"127.0.0.1:{host.address[1]}")
    program.wait_line("event=listen_failed .*in use")
    assert program.wait() == 1


def test_running_out_of_descriptors_neither_spins_nor_ends_accepting(programs):
    import resource

    program = programs.host("transport_host", "127.0.0.1:0", ready="^ready ")
    host = HttpHost(program)
    resource.prlimit(program.pid, resource.RLIMIT_NOFILE, (30, 30))
    socks = [host.open() for _ in range(60)]  # the backlog takes the rest
    program.wait_line("event=accept_paused")

    def cpu_ticks():
        with open(f"/proc/{program.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    before = cpu_ticks()
    time.sleep(1)  # a spinning host would use all of it
    assert cpu_ticks() - before < 40
    for sock in socks:
        sock.close()
    assert statuses(host.exchange(LAST)) == [200]


# -- handshakes of WebSockets


def handshake(host, lines):
    """Status and body of the answer to a handshake with other header lines."""
    headers = {
        "Host": "x",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
    }
    method, path, version = "GET", "/ws", "HTTP/1.1"
    for key, value in lines.items():
        if key == "line":
            method, path, version = value.split(" ")
        elif value is None:
            del headers[key]
        else:
            headers[key] = value
    text = f"{method} {path} {version}\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items())
    with host.open() as sock:
        sock.sendall(text.encode() + b"\r\n")
        data = b""
        while b"\r\n\r\n" not in data:
            more = sock.recv(4096)
            if not more:
                break
            data += more
    return (int(data.split(b" ")[1]) if data else 0), data


HANDSHAKES = [
    ("as in the RFC", {}, 101),
    ("below the prefix", {"line": "GET /ws/a/b?x=1 HTTP/1.1"}, 101),
    ("several tokens", {"Connection": "keep-alive, Upgrade", "Upgrade": "WebSocket"}, 101),
    ("sub-protocols", {"Sec-WebSocket-Protocol": "other, notify, notify.v1, bearer"}, 101),
    ("a sub-protocol as a lower-case header", {"sec-websocket-protocol": "graphql-ws"}, 101),
    ("a sub-protocol that is none", {"Sec-WebSocket-Protocol": ",=/@ "}, 101),
    ("other path", {"line": "GET /other HTTP/1.1"}, 404),
    ("prefix of a longer word", {"line": "GET /wsx HTTP/1.1"}, 404),
    ("refused above", {"line": "GET /ws/forbidden HTTP/1.1"}, 403),
    ("POST", {"line": "POST /ws HTTP/1.1", "Content-Length": "0"}, 405),
    ("HEAD", {"line": "HEAD /ws HTTP/1.1"}, 405),
    ("version 8", {"Sec-WebSocket-Version": "8"}, 426),
    ("no version", {"Sec-WebSocket-Version": None}, 426),
    ("two versions", {"Sec-WebSocket-Version": "13, 8"}, 426),
    ("no key", {"Sec-WebSocket-Key": None}, 400),
    ("short key", {"Sec-WebSocket-Key": "abcd=="}, 400),
    ("key of other characters", {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZ!=="}, 400),
    ("no host", {"Host": None}, 400),
    ("connection without upgrade", {"Connection": "close"}, 426),
    ("a body", {"Content-Length": "3"}, 413),
    ("chunked", {"Transfer-Encoding": "chunked"}, 413),
    ("other upgrade", {"Upgrade": "foo"}, 426),
    ("one of several upgrades", {"Upgrade": "h2c, websocket"}, 101),
    ("HTTP/1.0", {"line": "GET /ws HTTP/1.0"}, 426),
]


@pytest.mark.parametrize("what, lines, status", HANDSHAKES, ids=[h[0] for h in HANDSHAKES])
def test_handshakes_are_checked(host, what, lines, status):
    got, data = handshake(host, lines)
    assert got == status, data
    if status == 101:
        assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in data
        assert b"sec-websocket-protocol" not in data.lower()  # none is chosen
    if status == 426:
        assert b"Sec-WebSocket-Version: 13\r\n" in data
        assert b"Upgrade: websocket\r\n" in data
    assert b"permessage-deflate" not in data
