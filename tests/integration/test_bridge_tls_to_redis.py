"""TLS between the bridge and Redis: what is served over it, whom it believes, and what the operator
reads when it does not."""

import os
import shutil
import signal
import socket
import subprocess
import threading
import urllib.error
import urllib.request

import pytest

from bridge_helpers import new_name
from certificates import Authority
from servers import Bridge, bridge_path, free_port, wait_until
from tcp_proxy import TcpProxy
from ws_client import WsClient


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tls"))


class At:
    """Where a bridge looks for Redis."""

    def __init__(self, url):
        self.url = url


def tls_redis(programs, authority, certificate, clients="no", **options):
    """A server with a plain port for the test and a TLS port for the bridge."""
    port = free_port()
    return programs.redis(
        tls_port=port, tls_cert_file=certificate.cert, tls_key_file=certificate.key,
        tls_ca_cert_file=authority.cert, tls_auth_clients=clients, **options,
    )  # fmt: skip


def url_of(server, host="127.0.0.1", tail=""):
    return f"rediss://{host}:{server.options['tls-port']}{tail}"


def start(programs, url, *args):
    return programs.add(Bridge(At(url), *args)).start(wait_ready=False)


def down_reasons(bridge):
    """Each once."""
    return {line.split("reason=")[1].rsplit(" attempts=")[0] for line in bridge.lines if "event=redis_link_down" in line}


def serves(server, bridge):
    """A message comes, and a request is answered: one by each link."""
    user = new_name()
    with WsClient(bridge.port, f"/ws?user={user}") as tab:
        tab.expect(type="connection")
        id_ = server.client().execute_command("NOTIFY.SEND", f"inbox:{user}", "over TLS", "CONTENT", "x" * 60000)
        assert tab.expect(type="notification")["id"] == id_
        assert tab.request("unread_count")["type"] != "error"


# -- what works


def test_all_goes_over_tls_with_a_user_a_database_and_a_client_certificate(programs, authority):
    server = tls_redis(programs, authority, authority.issue("server"), clients="yes",
                       config={"notify.database": 3})  # fmt: skip
    server.client().execute_command("ACL", "SETUSER", "br", "on", ">s:e/c@r%t", "~*", "&*", "+@all")
    ours = authority.issue("bridge", "DNS:bridge")
    url = url_of(server).replace("//", "//br:s%3Ae%2Fc%40r%25t@") + "/3"
    bridge = start(programs, url, "--redis-tls-ca", authority.cert, "--redis-tls-cert", ours.cert,
                   "--redis-tls-key", ours.key, "--redis-tls-min-version", "1.3")  # fmt: skip
    bridge.wait_ready()
    clients = [one for one in server.client().client_list() if one["name"].startswith("notify-bridge")]
    assert {(one["user"], one["db"]) for one in clients} == {("br", "3")}
    assert {one["laddr"].rsplit(":")[1] for one in clients} == {str(server.options["tls-port"])}


def test_much_passes_over_tls_both_ways(programs, authority):
    server = tls_redis(programs, authority, authority.issue("server"))
    bridge = start(programs, url_of(server), "--redis-tls-ca", authority.cert)
    bridge.wait_ready()
    user, count = new_name(), 300
    with WsClient(bridge.port, f"/ws?user={user}") as tab:
        tab.expect(type="connection")
        pipe = server.client().pipeline(transaction=False)
        for n in range(count):
            pipe.execute_command("NOTIFY.SEND", f"inbox:{user}", f"n{n}", "CONTENT", "x" * 20000)
        ids = pipe.execute()
        assert [tab.expect(type="notification")["id"] for _ in range(count)] == ids
    for _ in range(3):
        serves(server, bridge)


def test_a_folder_of_certificates_may_vouch_and_a_name_be_asked_for(programs, authority, tmp_path):
    shutil.copy(authority.cert, tmp_path / "one.pem")
    subprocess.run(["openssl", "rehash", str(tmp_path)], check=True)
    server = tls_redis(programs, authority, authority.issue("other", "DNS:redis.example.com"))
    bridge = start(programs, url_of(server), "--redis-tls-ca", str(tmp_path), "--redis-tls-name", "redis.example.com")
    bridge.wait_ready()
    serves(server, bridge)


def test_the_name_of_the_address_is_said_to_the_server_and_checked(programs, authority):
    server = tls_redis(programs, authority, authority.issue("localhost", "DNS:localhost"))
    heard = []
    listener = socket.create_server(("127.0.0.1", 0))

    def listen():
        one, _ = listener.accept()
        heard.append(one.recv(4096))
        one.close()

    threading.Thread(target=listen, daemon=True).start()
    bridge = start(programs, f"rediss://localhost:{listener.getsockname()[1]}", "--redis-tls-ca", authority.cert)
    wait_until(lambda: heard, "a first message of TLS")
    assert b"localhost" in heard[0]  # SNI goes in the clear
    bridge.terminate()
    listener.close()
    by_name = start(programs, url_of(server, "localhost"), "--redis-tls-ca", authority.cert)
    by_name.wait_ready()


def test_links_over_tls_are_made_again_after_the_server_was_away(programs, authority):
    server = tls_redis(programs, authority, authority.issue("server"))
    bridge = start(programs, url_of(server), "--redis-tls-ca", authority.cert)
    bridge.wait_ready()
    mark = bridge.mark()
    server.kill9()
    bridge.wait_links("down", since=mark)
    server.start()
    bridge.wait_links("up", since=mark)
    serves(server, bridge)


def test_a_certificate_that_was_renewed_is_used_by_the_next_connection(programs, authority, tmp_path):
    server = tls_redis(programs, authority, authority.issue("server"), clients="yes")
    stranger = Authority(tmp_path, "stranger").issue("bridge", "DNS:bridge")
    cert, key = tmp_path / "ours.crt", tmp_path / "ours.key"
    shutil.copy(stranger.cert, cert)
    shutil.copy(stranger.key, key)
    bridge = start(programs, url_of(server), "--redis-tls-ca", authority.cert, "--redis-tls-cert", str(cert),
                   "--redis-tls-key", str(key))  # fmt: skip
    bridge.wait_line("event=redis_link_down .*wants .another. certificate of ours")
    ours = authority.issue("renewed", "DNS:bridge")
    shutil.copy(ours.key, key)
    bridge.wait_line("event=redis_tls_not_renewed .*no private key of that certificate")
    shutil.copy(ours.cert, cert)
    bridge.wait_ready()


def test_a_user_and_a_database_can_be_given_with_a_unix_socket(programs):
    server = programs.redis(config={"notify.database": 2}, unixsocket="redis@home.sock")
    server.client().execute_command("ACL", "SETUSER", "br", "on", ">p@/w", "~*", "&*", "+@all")
    path = os.path.join(server.dir, "redis@home.sock")
    bridge = start(programs, f"unix://br:p%40%2Fw@{path}?db=2")
    bridge.wait_ready()
    clients = [one for one in server.client().client_list() if one["name"].startswith("notify-bridge")]
    assert {(one["user"], one["db"]) for one in clients} == {("br", "2")} and len(clients) > 1
    assert not any("p@/w" in line for line in bridge.lines)


# -- what does not, and what is said of it


def wrong(programs, authority, tmp_path):
    """By name: the URL, further options, what is said."""
    ca = ("--redis-tls-ca", authority.cert)

    def with_server(certificate, host="127.0.0.1", **options):
        return url_of(tls_redis(programs, authority, certificate, **options), host)

    def with_client(certificate):
        url = with_server(authority.issue("server"), clients="yes")
        return url, (*ca, "--redis-tls-cert", certificate.cert, "--redis-tls-key", certificate.key)

    stranger = Authority(tmp_path, "stranger")
    return {
        "expired": lambda: (with_server(authority.issue_expired("old")), ca, "has expired"),
        "another address": lambda: (
            with_server(authority.issue("name", "DNS:localhost,IP:127.0.0.2")), ca, "is for another name"),
        "another name": lambda: (
            with_server(authority.issue("no", "DNS:other.example,IP:127.0.0.1"), "localhost"), ca, "is for another name"),
        "unknown authority": lambda: (with_server(stranger.issue("server")), ca, "nobody whom we believe vouches"),
        "the system's authorities": lambda: (
            with_server(authority.issue("server")), (), "nobody whom we believe vouches"),
        "no client certificate": lambda: (
            with_server(authority.issue("server"), clients="yes"), ca, "wants .another. certificate of ours"),
        "a stranger's client certificate": lambda: (
            *with_client(stranger.issue("bridge")), "wants .another. certificate of ours"),
        "an old version": lambda: (
            with_server(authority.issue("server"), tls_protocols="TLSv1.2"),
            (*ca, "--redis-tls-min-version", "1.3"), "no version or cipher"),
        "a plain server": lambda: (
            programs.redis().url.replace("redis:", "rediss:"), ca, "no TLS handshake came about|speaks no TLS"),
        "a plain client": lambda: (
            with_server(authority.issue("server")).replace("rediss:", "redis:"), (), "TLS .rediss://."),
    }  # fmt: skip


WRONG = ["expired", "another address", "another name", "unknown authority", "the system's authorities",
         "no client certificate", "a stranger's client certificate", "an old version", "a plain server",
         "a plain client"]  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_with_tls_is_told_by_one_sentence(what, programs, authority, tmp_path):
    url, args, said = wrong(programs, authority, tmp_path)[what]()
    bridge = start(programs, url, *args)
    bridge.wait_links("down", f".*({said})")
    assert not bridge.has_line("event=redis_link_up|event=ready")
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(bridge.http_url + "/readyz", timeout=60)
    assert len(down_reasons(bridge) - {'"Connection refused"'}) == 1, bridge.tail()  # localhost has a second address


def test_a_server_that_stops_within_the_handshake_costs_no_processor_and_is_left(programs, authority):
    server = tls_redis(programs, authority, authority.issue("server"))
    server.proc.send_signal(signal.SIGSTOP)
    try:
        bridge = start(programs, url_of(server), "--redis-tls-ca", authority.cert)
        used = bridge.cpu_seconds()
        bridge.wait_line("event=redis_link_down .*no TLS handshake came about")
        assert bridge.cpu_seconds() - used < 0.5, "it turns without end"
    finally:
        server.proc.send_signal(signal.SIGCONT)
    bridge.wait_ready()
    serves(server, bridge)


def test_a_link_over_tls_that_falls_silent_is_left(programs, authority):
    server = tls_redis(programs, authority, authority.issue("server"))
    proxy = TcpProxy(server.options["tls-port"])
    bridge = start(programs, f"rediss://127.0.0.1:{proxy.port}", "--redis-tls-ca", authority.cert)
    bridge.wait_ready()
    mark = bridge.mark()
    assert proxy.freeze(b"") >= 2
    bridge.wait_line("event=redis_link_down .*reason=silent", since=mark)
    bridge.wait_links("up", since=mark)
    serves(server, bridge)
    proxy.close()


class Answering:
    """Answers whatever is said first by the same bytes, as proxies do that speak RESP2 alone."""

    def __init__(self, answer):
        self.answer = answer
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self.socket.getsockname()[1]}"
        self.kept = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                one, _ = self.socket.accept()
                one.recv(4096)
                one.sendall(self.answer)
            except OSError:
                return
            if self.answer:
                self.kept.append(one)
            else:
                one.close()


@pytest.mark.parametrize(
    "answer, said",
    [
        (b"", "the server closed the connection at HELLO: perhaps it speaks RESP2 alone"),
        (b"-ERR unknown command 'HELLO'\r\n", "this is no server that speaks RESP3"),
        (b"-ERR unknown command `HELLO`, with args beginning with: `3`, \r\n", "this is no server that speaks RESP3"),
        (b"-NOPROTO unsupported protocol version\r\n", "this is no server that speaks RESP3"),
        (b"+OK\r\n", "this is no server that speaks RESP3"),
        (b"*2\r\n$6\r\nserver\r\n$5\r\nredis\r\n", "this is no server that speaks RESP3"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "what it answers is no RESP"),
        (b"-ERR max number of clients reached\r\n", "max number of clients reached"),
    ],
)
def test_who_does_not_speak_resp3_is_refused_by_a_sentence_that_says_so(answer, said, programs):
    bridge = start(programs, Answering(answer).url)
    bridge.wait_links("down", f".*{said}")
    assert len(down_reasons(bridge)) == 1, bridge.tail()


# -- options


def run(*args):
    done = subprocess.run([bridge_path(), "--auth", "none", "--listen", "127.0.0.1:0", *args],
                          capture_output=True, text=True, timeout=60)  # fmt: skip
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    "args, said",
    [
        (("--redis", "redis://h", "--redis-tls-ca", "x"), "redis-tls-ca: is given, but --redis does not begin"),
        (("--redis", "unix:///s", "--redis-tls-name", "x"), "redis-tls-name: is given, but --redis does not begin"),
        (("--redis", "rediss://h", "--redis-tls-key", "x"), "redis-tls-cert, redis-tls-key: must be given together"),
        (("--redis", "rediss://h", "--redis-tls-min-version", "1.1"), "redis-tls-min-version"),
        (("--redis", "rediss://h/x"), "redis: the database must be a number"),
    ],
)
def test_options_of_tls_that_do_not_fit_are_wrong_usage(args, said):
    status, text = run(*args)
    assert status == 2 and said in text, text


@pytest.mark.parametrize("which", ["--redis-tls-ca", "--redis-tls-cert", "--redis-tls-key"])
def test_files_of_tls_that_are_no_good_are_told_at_the_start(which, authority, tmp_path):
    """Whoever sets it up learns of it then, and not from links that do not come up."""
    bad = tmp_path / "bad.pem"
    bad.write_text("this is no certificate")
    ours = authority.issue("bridge")
    words = {"--redis-tls-ca": authority.cert, "--redis-tls-cert": ours.cert, "--redis-tls-key": ours.key}
    words[which] = str(bad)
    status, text = run("--redis", "rediss://127.0.0.1:1", *sum(words.items(), ()))
    assert status == 1 and "event=redis_tls_unusable" in text and str(bad) in text, text
