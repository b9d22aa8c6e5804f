"""TLS with clients: versions, ciphers, certificates of clients, and how all of it changes while they are connected."""

import os
import re
import shutil
import signal
import socket
import ssl
import subprocess

import pytest

from bridge_helpers import new_name
from certificates import Authority, Certificate
from servers import bridge_path, free_port, wait_until
from ws_client import Closed, WsClient

TLS_1_2, TLS_1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
AES_128, AES_256 = "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"


class Door:
    """A bridge with one listener that speaks TLS, and its certificate."""

    def __init__(self, make_stand, folder, *args):
        self.certificate = Certificate(folder)
        self.port = free_port()
        self.stand = make_stand(
            "--listen", f"127.0.0.1:{self.port},tls", "--tls-cert", self.certificate.cert,
            "--tls-key", self.certificate.key, "--log-level", "debug", *args,
        )  # fmt: skip
        self.bridge = self.stand.daemon

    def context(self, version=None, shown=None, ciphers=None):
        """shown: the client's certificate."""
        context = ssl.create_default_context(cafile=self.certificate.cert)
        if version is not None:
            context.minimum_version = context.maximum_version = version
        if shown is not None:
            context.load_cert_chain(shown.cert, shown.key)
        if ciphers is not None:
            context.set_ciphers(ciphers)
        return context

    def serves(self, context):
        """Who is let in is greeted."""
        tab = WsClient(self.port, f"/ws?user={new_name()}", tls=context)
        self.stand.tabs.append(tab)
        return tab.expect(type="connection")["type"] == "connection"

    def refuses(self, context, reason):
        """With TLS 1.3 a client learns only behind its handshake what becomes of its certificate. It is counted by
        that reason, and nothing else is."""
        before = self.refusals()
        with pytest.raises((OSError, Closed)):
            self.serves(context)
        wanted = {**before, reason: before[reason] + 1}
        return wait_until(lambda: self.refusals() == wanted, f"{wanted}")

    def refusals(self):
        metrics = self.bridge.metrics()
        return {
            reason: metrics[f'notify_tls_refused_total{{reason="{reason}"}}']
            for reason in ("certificate", "version", "cipher", "other")
        }

    def handshakes(self, certificate):
        return self.bridge.metrics()[f'notify_tls_handshakes_total{{certificate="{certificate}"}}']

    def s_client(self, *words):
        """What openssl says that it has agreed on with the bridge."""
        done = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{self.port}", "-CAfile", self.certificate.cert, *words],
            input="", capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        return done.stdout

    def reload(self, event):
        mark = self.bridge.mark()
        self.bridge.proc.send_signal(signal.SIGHUP)
        return self.bridge.wait_line(f"event={event}", since=mark)


@pytest.fixture
def open_door(make_stand, tmp_path):
    return lambda *args: Door(make_stand, tmp_path, *args)


# -- versions and ciphers


@pytest.mark.parametrize(
    "least, spoken, is_served",
    [(None, TLS_1_2, True), (None, TLS_1_3, True), ("1.2", TLS_1_2, True), ("1.3", TLS_1_2, False), ("1.3", TLS_1_3, True)],
)
def test_what_is_older_than_the_least_version_is_refused(open_door, least, spoken, is_served):
    door = open_door(*(() if least is None else ("--tls-min-version", least)))
    if is_served:
        assert door.serves(door.context(spoken))
    else:
        door.refuses(door.context(spoken), "version")


def test_older_versions_than_1_2_are_never_spoken(open_door):
    door = open_door()
    before = door.refusals()["version"]
    said = door.s_client("-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
    assert "New, (NONE), Cipher is (NONE)" in said
    assert door.refusals()["version"] == before + 1


def test_only_ciphers_that_were_chosen_are_spoken(open_door):
    door = open_door("--tls-ciphers", AES_256)
    assert door.serves(door.context(TLS_1_2, ciphers=f"{AES_128}:{AES_256}"))
    door.refuses(door.context(TLS_1_2, ciphers=AES_128), "cipher")
    assert door.serves(door.context(TLS_1_3, ciphers=AES_128))  # whose ciphers are others


def test_the_best_of_those_that_both_know_is_taken(open_door):
    door = open_door("--tls-ciphers", f"{AES_256}:{AES_128}")
    assert f"Cipher is {AES_256}" in door.s_client("-tls1_2", "-cipher", f"{AES_128}:{AES_256}")


def test_only_suites_of_1_3_that_were_chosen_are_spoken(open_door):
    door = open_door("--tls-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384")
    assert "Cipher is TLS_CHACHA20_POLY1305_SHA256" in door.s_client("-tls1_3")
    before = door.refusals()["cipher"]
    assert "Cipher is (NONE)" in door.s_client("-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256")
    assert door.refusals()["cipher"] == before + 1
    assert door.serves(door.context(TLS_1_2))


# -- certificates of clients

both_versions = pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3], ids=["1.2", "1.3"])


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path, "clients")


def bad_certificates(folder, authority):
    """Each with what is wrong with it."""
    return {
        "that another authority vouches for": Authority(folder, "others").issue("mallory"),
        "that has expired": authority.issue_expired("late"),
        "that vouches for itself": Certificate(folder, "own"),
        "that is one of servers": authority.issue("server", use="serverAuth"),
    }


@both_versions
def test_a_certificate_that_must_be_shown_lets_in_and_nothing_else_does(open_door, authority, tmp_path, version):
    door = open_door("--tls-client-ca", authority.cert)
    assert door.serves(door.context(version, authority.issue("alice")))
    assert (door.handshakes("good"), door.handshakes("none")) == (1, 0)
    door.refuses(door.context(version), "certificate")
    for what, bad in bad_certificates(tmp_path, authority).items():
        print(what)
        door.refuses(door.context(version, bad), "certificate")
    assert (door.handshakes("good"), door.handshakes("none")) == (1, 0)


@both_versions
def test_where_certificates_are_optional_none_comes_in_and_a_bad_one_does_not(open_door, authority, tmp_path, version):
    door = open_door("--tls-client-ca", authority.cert, "--tls-client-auth", "optional")
    assert door.serves(door.context(version))
    assert door.serves(door.context(version, authority.issue("alice")))
    assert (door.handshakes("good"), door.handshakes("none")) == (1, 1)
    for what, bad in bad_certificates(tmp_path, authority).items():
        print(what)
        door.refuses(door.context(version, bad), "certificate")


@both_versions
def test_where_certificates_are_off_nobody_is_asked_for_one(open_door, authority, tmp_path, version):
    door = open_door("--tls-client-ca", authority.cert, "--tls-client-auth", "off")
    bad = bad_certificates(tmp_path, authority)["that has expired"]
    assert door.serves(door.context(version, bad))
    assert (door.handshakes("good"), door.handshakes("none")) == (0, 1)


def test_clients_are_told_whose_certificates_are_wanted(open_door, authority):
    door = open_door("--tls-client-ca", authority.cert)
    said = door.s_client("-tls1_2")
    assert re.search("Acceptable client certificate CA names\nCN ?= ?clients\n", said)


def test_a_certificate_says_nothing_about_who_somebody_is(open_door, authority):
    door = open_door("--tls-client-ca", authority.cert)
    tab = WsClient(door.port, "/ws?user=bob", tls=door.context(shown=authority.issue("alice")))
    tab.expect(type="connection")
    id_ = door.stand.send("inbox:bob", "hello bob")
    assert tab.expect(id=id_)["data"]["title"] == "hello bob"
    tab.close()


def test_the_log_says_what_was_wrong_with_a_certificate(open_door, authority):
    door = open_door("--tls-client-ca", authority.cert)
    mark = door.bridge.mark()
    door.refuses(door.context(shown=authority.issue_expired("late")), "certificate")
    door.bridge.wait_line('event=tls_refused reason="certificate has expired"', since=mark)


# -- all of it while clients are connected


def test_a_session_that_is_resumed_is_no_way_past_what_is_asked_now(open_door, authority, tmp_path):
    config = tmp_path / "bridge.conf"
    config.write_text(f"tls-client-ca {authority.cert}\ntls-client-auth optional\n")
    door = open_door("--config", str(config))
    context = door.context(TLS_1_2)
    sessions = []

    def connect(session=None):
        with socket.create_connection(("127.0.0.1", door.port), 60) as plain:
            with context.wrap_socket(plain, server_hostname="localhost", session=session) as sock:
                sessions.append(sock.session)
                return sock.session_reused

    connect()
    assert not connect(sessions[-1])  # nor where certificates are asked for at all
    config.write_text(f"tls-client-ca {authority.cert}\ntls-client-auth off\n")
    door.reload("config_read")
    connect()
    assert connect(sessions[-1])
    config.write_text(f"tls-client-ca {authority.cert}\n")
    door.reload("config_read")
    with pytest.raises(OSError):
        connect(sessions[-1])


def test_all_of_it_is_changed_by_hangup_and_nobody_is_dropped(open_door, authority, tmp_path):
    config = tmp_path / "bridge.conf"
    config.write_text("")
    door = open_door("--config", str(config))
    old = WsClient(door.port, f"/ws?user={new_name()}", tls=door.context(TLS_1_2))
    old.expect(type="connection")
    config.write_text(f"tls-min-version 1.3\ntls-client-ca {authority.cert}\ntls-ciphersuites TLS_AES_256_GCM_SHA384\n")
    door.reload("config_read")
    alice = authority.issue("alice")
    assert door.serves(door.context(TLS_1_3, alice))
    door.refuses(door.context(TLS_1_2, alice), "version")
    door.refuses(door.context(TLS_1_3), "certificate")
    assert "Cipher is TLS_AES_256_GCM_SHA384" in door.s_client("-cert", alice.cert, "-key", alice.key)
    old.request("ping")
    old.close()
    config.write_text("")
    door.reload("config_read")
    assert door.serves(door.context(TLS_1_2))


def stays_as_it_was(door, config, wrong, event, said):
    """Beside what is wrong stands what is right, and is not taken either: of TLS, and of other things."""
    config.write_text(f"{wrong}\ntls-ciphersuites TLS_AES_256_GCM_SHA384\nlog-level error\n")
    mark = door.bridge.mark()
    door.reload(event)
    door.bridge.wait_line(said, since=mark)
    assert "Cipher is TLS_AES_128_GCM_SHA256" in door.s_client("-ciphersuites", "TLS_AES_128_GCM_SHA256")
    mark = door.bridge.mark()
    assert door.serves(door.context(TLS_1_2))
    door.bridge.wait_line("event=client_open", since=mark)


def test_the_certificate_may_be_another_file(make_stand, tmp_path):
    config, port = tmp_path / "bridge.conf", free_port()

    def name(certificate):
        config.write_text(f"tls-cert {certificate.cert}\ntls-key {certificate.key}\n")

    first, second = Certificate(tmp_path, "localhost"), Certificate(tmp_path, "second")
    name(first)
    bridge = make_stand("--listen", f"127.0.0.1:{port},tls", "--config", str(config)).daemon
    for certificate in (second, first):
        name(certificate)
        mark = bridge.mark()
        bridge.proc.send_signal(signal.SIGHUP)
        bridge.wait_line(f"event=certificate_read cert={certificate.cert}", since=mark)
        bridge.wait_line("event=config_read", since=mark)
        with open(certificate.cert, encoding="ascii") as file:
            assert ssl.get_server_certificate(("127.0.0.1", port)) == file.read()


@pytest.mark.parametrize(
    "wrong, event, said",
    [
        ("tls-client-ca /none", "certificate_unusable", "no certificates to believe in /none"),
        ("tls-client-ca {key}", "certificate_unusable", "no certificates to believe in .*clients.key"),
        ("tls-ciphers NONSENSE", "config_unusable", "tls-ciphers: must be names of ciphers"),
        ("tls-min-version 1.1", "config_unusable", "tls-min-version: must be 1.2 or 1.3"),
        ("tls-client-auth required", "config_unusable", "tls-client-auth: needs --tls-client-ca"),
    ],
)
def test_if_one_thing_is_wrong_nothing_changes(open_door, authority, tmp_path, wrong, event, said):
    config = tmp_path / "bridge.conf"
    config.write_text("")
    stays_as_it_was(open_door("--config", str(config)), config, wrong.format(key=authority.key), event, said)


def test_nor_does_it_if_the_certificate_is_no_good(open_door, tmp_path):
    config = tmp_path / "bridge.conf"
    config.write_text("")
    door = open_door("--config", str(config))
    shutil.copy(Certificate(tmp_path, "other").cert, door.certificate.cert + ".new")
    kept = ssl.create_default_context(cafile=door.certificate.cert)
    door.context = lambda *_: kept
    os.rename(door.certificate.cert + ".new", door.certificate.cert)
    stays_as_it_was(door, config, "", "certificate_unusable", "no private key of that certificate in")


# -- at the start


@pytest.mark.parametrize(
    "options, said",
    [
        (["--tls-min-version", "1.1"], "tls-min-version: must be 1.2 or 1.3"),
        (["--tls-ciphers", "NONSENSE"], "tls-ciphers: must be names of ciphers of TLS 1.2"),
        (["--tls-ciphers", f"{AES_128}:NONSENSE"], "tls-ciphers: must be names of ciphers of TLS 1.2"),
        (["--tls-ciphers", "TLS_AES_128_GCM_SHA256"], "tls-ciphers: must be names of ciphers of TLS 1.2"),
        (["--tls-ciphers", f"{AES_128}:!AES"], "tls-ciphers: must be names of ciphers of TLS 1.2"),
        (["--tls-ciphersuites", AES_128], "tls-ciphersuites: must be names of cipher suites of TLS 1.3"),
        (["--tls-ciphersuites", "TLS_AES_128_GCM_SHA256:x"], "tls-ciphersuites: must be names of cipher suites"),
        (["--tls-ciphersuites", ""], "tls-ciphersuites: must be names of cipher suites"),
        (["--tls-client-auth", "perhaps"], "tls-client-auth: must be off or optional or required"),
        (["--tls-client-auth", "optional"], "tls-client-auth: needs --tls-client-ca, which says who may vouch"),
        (["--tls-client-ca", "/x"], "tls-client-ca: is given, but no address of --listen has ,tls"),
    ],
)
def test_what_is_no_way_to_speak_tls_is_said_at_the_start(options, said):
    words = [bridge_path(), "--auth", "none", "--check-config", "--listen", "127.0.0.1:0", *options]
    done = subprocess.run(words, stderr=subprocess.PIPE)
    assert done.returncode == 2
    assert said in done.stderr.decode()


@pytest.mark.parametrize(
    "words", ["ECDHE+AESGCM:!aNULL:@STRENGTH", "HIGH:!RC4:-DES", "DEFAULT@SECLEVEL=2", f" {AES_128}, {AES_256}"]
)
def test_ciphers_may_be_named_in_all_ways_that_openssl_knows(words):
    done = subprocess.run([bridge_path(), "--auth", "none", "--check-config", "--tls-ciphers", words])
    assert done.returncode == 0


def test_a_file_that_cannot_be_used_is_named_at_the_start(redis_server, tmp_path):
    certificate = Certificate(tmp_path)
    words = ["--listen", f"127.0.0.1:{free_port()},tls", "--tls-cert", certificate.cert, "--tls-key", certificate.key,
             "--redis", redis_server.url, "--auth", "none", "--tls-client-ca", str(tmp_path / "none")]  # fmt: skip
    done = subprocess.run([bridge_path(), *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "event=tls_failed" in done.stderr + done.stdout
    assert f"no certificates to believe in {tmp_path}/none" in done.stderr + done.stdout
