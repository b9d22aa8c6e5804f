"""Whose connection it is: the PROXY protocol, headers of trusted proxies, TLS where it is expected
(support/transport_host)."""

import select
import socket
import ssl
import struct
import time

import pytest

from certificates import Certificate
from test_transport_http import GET, LAST, HttpHost, read_all, read_answer, statuses

ECHO = LAST.replace(b"/hello", b"/echo")
V2 = b"\r\n\r\n\x00\r\nQUIT\n"


def start(programs, address, *settings):
    return HttpHost(programs.host("transport_host", address, *settings, ready="^ready "))


@pytest.fixture
def behind_proxy(programs):
    return start(programs, "127.0.0.1:0,proxy")


def address_seen(data):
    assert statuses(data) == [200], data
    return data.split(b"\r\n\r\n", 1)[1].decode().split("\n")[3]


def v2(family, body, command=0x21):
    return V2 + bytes([command, family]) + struct.pack("!H", len(body)) + body


def v4(source):
    return socket.inet_aton(source) + socket.inet_aton("127.0.0.1") + struct.pack("!HH", 1, 2)


@pytest.mark.parametrize(
    "header, address",
    [
        (b"PROXY TCP4 203.0.113.7 127.0.0.1 1 2\r\n", "203.0.113.7"),
        (b"PROXY TCP6 2001:db8::7 ::1 1 2\r\n", "2001:db8::7"),
        (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
        (v2(0x11, v4("203.0.113.8")), "203.0.113.8"),
        (v2(0x11, v4("203.0.113.8") + b"\x04\x00\x01x"), "203.0.113.8"),
        (v2(0x21, socket.inet_pton(socket.AF_INET6, "2001:db8::8") * 2 + b"\0\1\0\2"), "2001:db8::8"),
        (v2(0x00, b"", command=0x20), "127.0.0.1"),
    ],
)
@pytest.mark.parametrize("piece", [1, 7, 10_000])
def test_the_address_is_the_one_that_the_proxy_names(behind_proxy, header, address, piece):
    with behind_proxy.open() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        data = header + ECHO
        for at in range(0, len(data), piece):
            sock.sendall(data[at : at + piece])
        assert address_seen(read_all(sock)) == address


@pytest.mark.parametrize(
    "header",
    [b"", b"PROXY TCP4 1.2.3 127.0.0.1 1 2\r\n", b"PROXY TCP4 1.2.3.4 127.0.0.1 1 2\n", b"PROXY \r\n",
     v2(0x11, b"short"), v2(0x11, v4("1.2.3.4"), command=0x22), v2(0x12, v4("1.2.3.4")),
     V2 + b"\x21\x11\xff\xff", b"\x16\x03\x01"],
)  # fmt: skip
def test_where_the_header_is_required_nothing_else_is_answered(behind_proxy, header):
    assert behind_proxy.exchange(header + ECHO) == b""
    assert address_seen(behind_proxy.exchange(b"PROXY UNKNOWN\r\n" + ECHO)) == "127.0.0.1"


def test_a_proxy_that_says_nothing_is_given_up(behind_proxy):
    started = time.monotonic()
    with behind_proxy.open() as sock:
        sock.sendall(b"PROXY TCP4 ")
        assert read_all(sock) == b""
    assert 2 < time.monotonic() - started < 20


def test_a_proxy_that_says_a_byte_now_and_then_is_given_up_as_soon(behind_proxy):
    started = time.monotonic()
    with behind_proxy.open() as sock:
        sock.setblocking(False)
        for byte in b"PROXY UNKNOWN" + 80 * b" ":
            sock.send(bytes([byte]))
            if select.select([sock], [], [], 0.25)[0]:
                break
        sock.setblocking(True)
        assert read_all(sock) == b""
    assert 2 < time.monotonic() - started < 9


@pytest.mark.parametrize("part", [b"PROXY TC", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\x01"])
def test_a_header_that_ends_in_the_middle_is_not_waited_for(behind_proxy, part):
    with behind_proxy.open() as sock:
        began = time.monotonic()
        sock.sendall(part)
        sock.shutdown(socket.SHUT_WR)
        assert read_all(sock) == b""
        assert time.monotonic() - began < 4, "what waits is woken without end by what has ended"


@pytest.mark.parametrize("header", [b"PROXY TCP4 203.0.113.7 127.0.0.1 1 2\r\n", v2(0x11, v4("1.2.3.4"))])
def test_where_no_header_is_configured_it_is_a_bad_request(programs, header):
    host = start(programs, "127.0.0.1:0")
    assert statuses(host.exchange(header + ECHO)) == [400]


# -- headers


@pytest.mark.parametrize(
    "lines, address",
    [
        ([], "127.0.0.1"),
        (["X-Forwarded-For: 203.0.113.9"], "203.0.113.9"),
        (["X-Forwarded-For: 6.6.6.6, 203.0.113.9"], "203.0.113.9"),  # what the client sent itself stands left
        (["X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 203.0.113.9, 127.0.0.1"], "203.0.113.9"),
        (["X-Forwarded-For: 6.6.6.6, junk"], "127.0.0.1"),
        (["Forwarded: for=203.0.113.9"], "127.0.0.1"),  # another header than the one that is believed
    ],
)
def test_one_header_of_a_trusted_proxy_is_believed_from_the_right(programs, lines, address):
    host = start(programs, "127.0.0.1:0", "HOST_FORWARDED=X-Forwarded-For")
    request = ECHO.replace(b"Host: x\r\n", b"Host: x\r\n" + "".join(f"{l}\r\n" for l in lines).encode())
    assert address_seen(host.exchange(request)) == address


def test_without_a_trusted_proxy_no_header_is_believed(programs):
    host = start(programs, "127.0.0.1:0")
    request = ECHO.replace(b"Host: x\r\n", b"Host: x\r\nX-Forwarded-For: 203.0.113.9\r\n")
    assert address_seen(host.exchange(request)) == "127.0.0.1"


# -- TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return Certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def tls_port(programs, certificate):
    return start(programs, "127.0.0.1:0,tls", f"HOST_CERT={certificate.cert}", f"HOST_KEY={certificate.key}")


def test_http_on_a_port_for_tls_is_told_so(tls_port):
    data = tls_port.exchange(LAST)
    assert statuses(data) == [400]
    assert b"this port speaks TLS" in data


def test_the_header_of_a_proxy_stands_before_tls(programs, certificate):
    host = start(programs, "127.0.0.1:0,proxy,tls", f"HOST_CERT={certificate.cert}",
                 f"HOST_KEY={certificate.key}")  # fmt: skip
    context = ssl.create_default_context(cafile=certificate.cert)
    with host.open() as plain:
        plain.sendall(b"PROXY TCP4 203.0.113.7 127.0.0.1 1 2\r\n")
        with context.wrap_socket(plain, server_hostname="localhost") as sock:
            sock.sendall(ECHO)
            assert address_seen(read_all(sock)) == "203.0.113.7"


def test_a_handshake_that_does_not_end_is_given_up_and_disturbs_nobody(tls_port, certificate):
    context = ssl.create_default_context(cafile=certificate.cert)
    started = time.monotonic()
    with tls_port.open() as silent:
        silent.sendall(b"\x16\x03\x01\x02\x00\x01")
        with context.wrap_socket(tls_port.open(), server_hostname="localhost") as sock:
            sock.sendall(GET)
            assert read_answer(sock)[0] == 200
        assert read_all(silent) == b""
    assert time.monotonic() - started < 15


HELLO_OF_1_1 = bytes.fromhex(
    "16030100340100003003020000000000000000000000000000000000000000000000000000000000000000000004c013c0090100000300ff01"
)


@pytest.mark.parametrize("hello", [b"\x16\x03\x01\x00\x05hello", b"\x16" * 100, HELLO_OF_1_1])
def test_a_handshake_that_is_refused_by_its_first_bytes_ends_that_connection_alone(tls_port, certificate, hello):
    with tls_port.open() as refused:
        refused.sendall(hello)
        assert read_all(refused)[:1] in (b"", b"\x15")  # an alert, if anything
    context = ssl.create_default_context(cafile=certificate.cert)
    with context.wrap_socket(tls_port.open(), server_hostname="localhost") as sock:
        sock.sendall(LAST)
        assert b"hello" in read_all(sock)


def test_a_connection_over_tls_outlives_the_time_for_its_handshake(tls_port, certificate):
    context = ssl.create_default_context(cafile=certificate.cert)
    with context.wrap_socket(tls_port.open(), server_hostname="localhost") as sock:
        for _ in range(3):
            sock.sendall(GET)
            assert read_answer(sock)[0] == 200
            time.sleep(3)  # the passing of time is what is tested
        sock.sendall(LAST)
        assert statuses(read_all(sock)) == [200]
