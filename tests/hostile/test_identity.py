"""Tokens, keys and roles from people who mean no good, and files and addresses that fail while the bridge runs: nobody
becomes somebody else, nobody loses what is theirs, nobody waits."""

import json
import os
import random
import signal
import socket
import threading
import time

import pytest

from key_host import KeyHost
from rest_client import Rest
from servers import Bridge, change_roles, read_files_again, replace_file, wait_until
from tokens import SECRET, Key, b64, claims, token
from ws_client import WsClient

pytestmark = pytest.mark.measures

FREE = ["--message-rate", "0"]  # what is tested holds without a limit on messages
JWT = ["--auth", "jwt", "--jwt-secret", SECRET, *FREE]

ROLES = "role *\n  categories system\n  subscribe run:*\nrole admin\n  subscribe *\n"


@pytest.fixture
def open_tab():
    """open_tab(bridge, token): a client that is known; open_tab(bridge): one that is not."""
    tabs = []

    def open_one(bridge, token_=None, path="/ws", **options):
        tabs.append(WsClient(bridge.port, path if token_ is None else f"{path}?token={token_}", **options))
        if token_ is not None:
            tabs[-1].expect(type="connection")
        return tabs[-1]

    yield open_one
    for tab in tabs:
        tab.sock.close()


def assert_served(redis_server, tab, user, within=8.0):
    """A notification reaches its user soon."""
    began = time.monotonic()
    id_ = redis_server.client().execute_command("NOTIFY.SEND", f"inbox:{user}", "for you")
    assert tab.expect(type="notification", id=id_, timeout=15)
    assert time.monotonic() - began < within


# ---- tokens


def test_of_tokens_that_come_one_behind_the_other_the_first_says_who_it_is(programs, redis_server, open_tab):
    bridge = programs.bridge(redis_server, *JWT)
    tab = open_tab(bridge)
    for n, user in enumerate(["mallory", "alice", "mallory"]):
        tab.send({"type": "auth", "token": token(user), "request_id": n})
    assert tab.expect(type="connection")["user_id"] == "mallory"
    assert [tab.expect(request_id=n)["type"] for n in range(3)] == ["authenticated", "error", "authenticated"]
    redis_server.client().execute_command("NOTIFY.SEND", "inbox:alice", "for alice")
    assert_served(redis_server, tab, "mallory")
    assert not [message for message in tab.messages if message.get("key") == "inbox:alice"]


def test_a_token_in_every_place_at_once_lets_nobody_in(programs, redis_server):
    bridge = programs.bridge(redis_server, *JWT, "--jwt-cookie", "session")
    good = token("mallory")
    headers = [
        f"Authorization: Bearer {good}",
        f"Sec-WebSocket-Protocol: bearer, {good}",
        f"Origin: http://127.0.0.1:{bridge.port}",
        f"Cookie: session={good}",
    ]
    with WsClient(bridge.port, f"/ws?token={good}", headers=headers) as tab:
        tab.send({"type": "auth", "token": good})
        end = tab.wait_closed()
        assert (end.code, tab.messages) == (4401, [])


ENDLESS = {
    "garbage of the greatest length": lambda n: "A" * 2700 + "." + "A" * 2700 + "." + "A" * 2700,
    "of another user": lambda n: token(f"user{n}"),
    "of its own, good": lambda n: token("mallory"),
    "a header that is nested": lambda n: b64(b'{"alg":' + b"[" * 2000) + ".e30.AAAA",
}


@pytest.mark.parametrize("case", ENDLESS)
def test_who_renews_without_end_is_answered_each_time_and_delays_nobody(programs, redis_server, open_tab, case):
    bridge = programs.bridge(redis_server, *JWT)
    alice = open_tab(bridge, token("alice"))
    rogues = [open_tab(bridge, token("mallory")) for _ in range(4)]
    for n in range(300):
        for rogue in rogues:
            rogue.send({"type": "auth", "token": ENDLESS[case](n), "request_id": n})
    assert_served(redis_server, alice, "alice")
    for rogue in rogues:
        kinds = {rogue.expect(request_id=n)["type"] for n in range(300)}
        assert kinds == ({"authenticated"} if case == "of its own, good" else {"error"})
    assert_served(redis_server, rogues[0], "mallory")


def test_who_leaves_while_its_token_is_judged_takes_nothing_along(programs, redis_server, open_tab):
    bridge = programs.bridge(redis_server, *JWT)
    alice = open_tab(bridge, token("alice"))
    before = bridge.open_fds()
    for n in range(200):
        tab = open_tab(bridge)
        tab.send({"type": "auth", "token": token(f"user{n}")})
        tab.send({"type": "auth", "token": token(f"user{n}")})
        tab.sock.close()
    wait_until(lambda: bridge.open_fds() == before, "its descriptors being what they were")
    assert_served(redis_server, alice, "alice")


def test_a_renewal_never_makes_a_token_last_longer_than_the_newer_one(programs, redis_server, open_tab):
    bridge = programs.bridge(redis_server, *JWT, "--jwt-leeway", "0s")
    tab = open_tab(bridge, token("mallory", 3600))
    assert tab.request("auth", token=token("mallory", 4))["type"] == "authenticated"
    end = tab.wait_closed()
    assert (end.code, end.reason) == (4401, "the token has expired")


PATHS = ["/api/v1/notifications", "/api/v1/nowhere", "/api/v1/notifications/stream?topics=%00&x=", "/api/v1/sessions/alice",
         "/api/v1/chat/stream", "/metrics", "/ws", "/api/v1/ws/x", "/"]  # fmt: skip


def heads_with(bearer):
    """Requests that bring a token where it belongs, and where it does not; good ones and others."""
    for path in PATHS:
        mark = "&" if "?" in path else "?"
        for method in ("GET", "POST", "BREW"):
            yield f"{method} {path}{mark}token={bearer} HTTP/1.1"
    for field in (
        f"Authorization: Bearer {bearer} x",
        f"Authorization: Bearer {bearer}\r\nOrigin: https://{bearer[:200]}.example",
        f"Cookie: session={bearer}\r\nSec-Fetch-Site: same-origin",
        f"Sec-WebSocket-Protocol: {bearer}, bearer",
    ):
        yield f"GET /api/v1/notifications HTTP/1.1\r\n{field}"
    yield f"GET /api/v1/notifications?user={bearer[:100]} HTTP/1.1\r\nAuthorization: Bearer {bearer}"
    yield f"GET /api/v1/notifications?token={bearer}%zz HTTP/1.1"
    yield f"{bearer} / HTTP/1.1"


def test_no_door_writes_a_token_into_its_log_or_says_it_to_anybody(programs, redis_server):
    bridge = programs.bridge(redis_server, *JWT, "--jwt-cookie", "session", "--log-level", "debug")
    good = token("alice", name="of this test alone")
    said = b""
    for bearer in (good, good[:-6] + "AAAAAA"):
        for head in heads_with(bearer):
            with socket.create_connection(("127.0.0.1", bridge.port), timeout=20) as sock:
                sock.sendall(f"{head}\r\nHost: 127.0.0.1:{bridge.port}\r\nConnection: close\r\n\r\n".encode())
                sock.shutdown(socket.SHUT_WR)
                while data := sock.recv(65536):
                    said += data
    said += Rest(bridge.port).get("/metrics").body
    last = "user-of-the-last-line"  # what is logged is read by a thread: up to here, it has been
    WsClient(bridge.port, f"/ws?token={token(last)}").sock.close()
    bridge.wait_line(f"event=client_known .*{last}")
    for part in good.split(".")[1:]:
        assert not [line for line in bridge.lines if part[:40] in line]
        assert part[:40].encode() not in said


NAMES = ["*", "{user}", "a:b", "../alice", "topic:all", "Alice", "alice ", " alice", "älice", "a/b", "%61lice", "alice\u200b"]


@pytest.mark.parametrize("name", NAMES)
def test_a_strange_name_is_only_itself(programs, redis_server, open_tab, tmp_path, name):
    roles = tmp_path / "roles.conf"
    roles.write_text("role *\n  subscribe team:{user}\n  send {user}\n  follow own:{user}\n")
    bridge = programs.bridge(redis_server, *JWT, "--roles", str(roles))
    tab = open_tab(bridge, token(name))
    redis = redis_server.client()
    for topic in ("team:alice", "team:bob", "team:", "alice", "own:alice"):
        answer = tab.request("subscribe", topic=topic)
        assert (answer["type"], answer["error"]["code"]) == ("error", "FORBIDDEN")
    assert tab.request("subscribe", topic=f"team:{name}")["status"] == "subscribed"
    for key in ("inbox:alice", "inbox:bob", "topic:own:alice"):
        redis.execute_command("NOTIFY.SEND", key, "not for you")
    redis.execute_command("NOTIFY.SEND", f"topic:own:{name}", "for you")
    assert tab.expect(type="notification")["key"] == f"topic:own:{name}"
    assert_served(redis_server, tab, name)
    assert tab.drain() == []


# ---- the file of roles


def make_huge(path):
    with open(path, "w", encoding="ascii") as file:
        file.write("role *\n  subscribe *\n" + "# nothing\n" * 100000)


def make_link_without_end(path):
    os.symlink("/dev/zero", path)


RUINS = {
    "empty": lambda path: path.write_text(""),
    "comments only": lambda path: path.write_text("# role *\n"),
    "cut in the middle of a line": lambda path: path.write_text("role *\n  categories system\n  subsc"),
    "of an unknown word": lambda path: path.write_text("role *\n  everything *\n"),
    "no text": lambda path: path.write_bytes(b"role *\n  subscribe \0*\n"),
    "huge": make_huge,
    "sparse and enormous": lambda path: path.touch() or os.truncate(path, 1 << 40),
    "a directory": lambda path: path.mkdir(),
    "a FIFO that nobody writes": lambda path: os.mkfifo(path),
    "a device without end": make_link_without_end,
    "a device without anything": lambda path: os.symlink("/dev/null", path),
    "a circle of links": lambda path: os.symlink(path, path),
    "gone": lambda path: None,
}


@pytest.mark.parametrize("case", RUINS)
def test_a_file_of_roles_that_is_ruined_changes_nothing_until_it_is_mended(programs, redis_server, open_tab, tmp_path, case):
    path = tmp_path / "roles.conf"
    path.write_text(ROLES)
    bridge = programs.bridge(redis_server, *JWT, "--roles", str(path))
    tab = open_tab(bridge, token("alice"))
    assert tab.request("subscribe", topic="run:1")["status"] == "subscribed"
    mark = bridge.mark()
    path.unlink()
    RUINS[case](path)
    bridge.proc.send_signal(signal.SIGHUP)
    line = bridge.wait_line("event=roles_(read|unusable)", since=mark)
    assert "roles_unusable" in line
    redis_server.client().execute_command("NOTIFY.SEND", "topic:run:1", "still followed")
    assert tab.expect(type="notification")["message"] == "still followed"
    assert tab.request("subscribe", topic="run:2")["status"] == "subscribed"
    assert tab.request("subscribe", topic="other")["error"]["code"] == "FORBIDDEN"
    assert_served(redis_server, tab, "alice")
    if path.is_dir():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)
    change_roles(path, ROLES.replace("run:*", "other"), bridge)
    assert tab.request("subscribe", topic="other")["status"] == "subscribed"
    assert tab.expect(type="error")["error"]["details"]["key"] in ("topic:run:1", "topic:run:2")


def test_a_file_of_roles_that_is_wrong_is_told_of_once_and_not_each_time_it_is_looked_at(programs, redis_server, tmp_path):
    path = tmp_path / "roles.conf"
    path.write_text(ROLES)
    bridge = programs.bridge(redis_server, *JWT, "--roles", str(path))
    mark = bridge.mark()
    replace_file(path, "role *\n  everything *\n")  # a file that is written in place may be looked at half way
    for _ in range(3):
        read_files_again(bridge)
    change_roles(path, ROLES, bridge)
    assert len([line for line in bridge.lines[mark:] if "roles_unusable" in line]) == 1


# ---- an address of keys


@pytest.fixture
def key_host():
    host = KeyHost()
    yield host
    host.close()


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    return [Key(folder, "EC", kid) for kid in ("one", "two")]


def silent(handler):
    handler.rfile.read(1)  # until the peer has had enough


def drip(handler):
    handler.send_response(200)
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.05)
    except OSError:
        pass


def endless(handler):
    handler.send_response(200)
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b'{"keys":[' + b" " * 65536)
    except OSError:
        pass


def answer_with(status, body, **headers):
    def answer(handler):
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def cut(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"keys":[')
    handler.close_connection = True


BAD_HOSTS = {
    "silent": silent,
    "one byte at a time": drip,
    "without end": endless,
    "cut": cut,
    "500": answer_with(500, b'{"keys":[]}'),
    "no keys": answer_with(200, b'{"keys":[]}'),
    "no JSON": answer_with(200, b"<html>"),
    "keys that are none": answer_with(200, b'{"keys":[{"kty":"oct","k":"AAAA"},{"kty":"EC"},7,null]}'),
    "somewhere else": answer_with(302, b"", Location="http://127.0.0.1:1/"),
    "no HTTP": lambda handler: handler.wfile.write(b"\x16\x03\x01\0\0"),
}


@pytest.mark.parametrize("case", BAD_HOSTS)
def test_keys_outlive_their_address_and_nobody_waits_for_it(programs, redis_server, open_tab, key_host, keys, case):
    one, two = keys
    key_host.serve(one)
    bridge = programs.bridge(redis_server, "--auth", "jwt", "--jwt-jwks", key_host.url)
    bridge.wait_line("event=jwks_fetched")
    alice = open_tab(bridge, one.sign(claims("alice")))
    key_host.answer = BAD_HOSTS[case]
    strangers = [open_tab(bridge) for _ in range(100)]
    for tab in strangers:  # the first of them has the address asked again
        tab.send({"type": "auth", "token": two.sign(claims("mallory"))})
    assert_served(redis_server, alice, "alice")
    late = open_tab(bridge, one.sign(claims("late")))
    assert_served(redis_server, late, "late")
    for tab in strangers:
        assert tab.wait_closed().code == 4401
        assert tab.messages == []
    assert alice.request("auth", token=one.sign(claims("alice", 900)))["type"] == "authenticated"
    assert key_host.asked <= 5  # once for all of them, and what is tried again each few seconds
    bridge.wait_line("event=jwks_unusable")  # nothing is waited for without end: else keys could not change any more
    assert bridge.running()


def test_keys_outlive_an_address_that_is_gone(programs, redis_server, open_tab, key_host, keys):
    one, two = keys
    key_host.serve(one)
    bridge = programs.bridge(redis_server, "--auth", "jwt", "--jwt-jwks", key_host.url)
    bridge.wait_line("event=jwks_fetched")
    key_host.close()
    stranger = open_tab(bridge)
    stranger.send({"type": "auth", "token": two.sign(claims("mallory"))})
    assert stranger.wait_closed().code == 4401
    assert_served(redis_server, open_tab(bridge, one.sign(claims("alice"))), "alice")


def test_an_unknown_key_that_is_there_by_now_is_waited_for(programs, redis_server, open_tab, key_host, keys):
    one, two = keys
    key_host.serve(one)
    bridge = programs.bridge(redis_server, "--auth", "jwt", "--jwt-jwks", key_host.url)
    bridge.wait_line("event=jwks_fetched")
    key_host.serve(one, two)
    tabs = [open_tab(bridge) for _ in range(20)]
    for tab in tabs:
        tab.send({"type": "auth", "token": two.sign(claims("alice"))})
    for tab in tabs:
        assert tab.expect(type="connection")["user_id"] == "alice"
    assert key_host.asked == 2


def test_a_bridge_that_ends_when_it_has_just_asked_for_keys_leaves_nothing_behind(programs, redis_server, key_host):
    """About every second of these ends was within the connecting, and lost a bufferevent."""
    key_host.answer = BAD_HOSTS["500"]
    for _ in range(8):
        bridge = programs.add(Bridge(redis_server, "--auth", "jwt", "--jwt-jwks", key_host.url)).start(wait_ready=False)
        bridge.wait_line("event=jwks_unusable.*retry_ms=1000")
        time.sleep(1 - random.uniform(0.0005, 0.0045))  # it asks again after a second: no condition tells that beforehand
        assert bridge.terminate() == 0


# ---- the file of keys


@pytest.mark.parametrize("case", RUINS)
def test_a_file_of_keys_that_is_ruined_changes_nothing_until_it_is_mended(programs, redis_server, open_tab, keys, tmp_path, case):
    one, two = keys
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"keys": [one.jwk()]}))
    bridge = programs.bridge(redis_server, "--auth", "jwt", "--jwt-jwks", str(path), *FREE)
    mark = bridge.mark()
    path.unlink()
    RUINS[case](path)
    bridge.proc.send_signal(signal.SIGHUP)
    assert "jwt_keys_unusable" in bridge.wait_line("event=jwt_keys_(read|unusable)", since=mark)
    tab = open_tab(bridge, one.sign(claims("alice")))
    assert tab.request("auth", token=one.sign(claims("alice", 900)))["type"] == "authenticated"
    assert tab.request("auth", token=two.sign(claims("alice")))["error"]["code"] == "UNAUTHORIZED"
    assert_served(redis_server, tab, "alice")
    if path.is_dir():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)
    replace_file(path, json.dumps({"keys": [two.jwk()]}))
    read_files_again(bridge)
    assert open_tab(bridge, two.sign(claims("bob")))


# ---- sessions of others


def test_who_calls_its_session_like_anothers_keeps_nobody_out_and_hears_nothing(programs, redis_server, open_tab):
    bridge = programs.bridge(redis_server, *JWT)
    rogues = [WsClient(bridge.port, f"/ws/tab-1?token={token('mallory')}") for _ in range(5)]
    for rogue in rogues:
        rogue.expect(type="connection")
    with WsClient(bridge.port, f"/ws/tab-1?token={token('alice')}") as alice:
        alice.expect(type="connection")
        redis = redis_server.client()
        redis.execute_command("NOTIFY.SEND", "inbox:alice", "for the others of alice", "EXCLUDE", "tab-1")
        assert_served(redis_server, alice, "alice")
        redis.execute_command("NOTIFY.SESSION", "KICK", "sessions:mallory", "tab-1")
        for rogue in rogues:
            assert rogue.wait_closed().code == 4410
            assert not [message for message in rogue.messages if message.get("key") == "inbox:alice"]
        assert_served(redis_server, alice, "alice")


def test_who_may_kick_nobody_ends_nobodys_session(programs, redis_server, open_tab):
    bridge = programs.bridge(redis_server, *JWT)
    alice, mallory = open_tab(bridge, token("alice")), open_tab(bridge, token("mallory"))
    for members in ({"user_id": "alice"}, {"user_id": "alice", "session_id": "x"}):
        assert mallory.request("kick", **members)["error"]["code"] == "FORBIDDEN"
    for members in ({}, {"session_id": "x"}, {"user_id": "*"}, {"user_id": ["alice"]}):
        assert mallory.request("kick", **members)["type"] == "error"
    for type_ in ("presence", "subscribe_presence"):
        assert mallory.request(type_, user_id="alice")["error"]["code"] == "FORBIDDEN"
    assert_served(redis_server, alice, "alice")
    assert mallory.request("kick", user_id="mallory")["type"] in ("ok", "error")


def test_who_may_not_even_kick_himself_has_no_session_looked_for(programs, redis_server, open_tab, tmp_path):
    roles = tmp_path / "roles"
    roles.write_text("role *\n  subscribe x\n")
    bridge = programs.bridge(redis_server, *JWT, "--roles", str(roles))
    alice, mallory = open_tab(bridge, token("alice"), path="/ws/tab"), open_tab(bridge, token("mallory"))
    for session in ("tab", "none"):
        error = mallory.request("kick", session_id=session)["error"]
        assert (error["code"], error["details"]["right"]) == ("FORBIDDEN", "kick")
    assert_served(redis_server, alice, "alice")


def test_who_comes_back_at_each_kick_is_kicked_each_time_and_delays_nobody(programs, redis_server, open_tab):
    bridges = [programs.bridge(redis_server, *JWT) for _ in range(2)]
    alice, redis = open_tab(bridges[0], token("alice")), redis_server.client()
    mallory, done, kicked, failures = token("mallory"), threading.Event(), [], []

    def come_back(bridge):
        try:
            while not done.is_set():
                with WsClient(bridge.port, f"/ws/tab?token={mallory}") as tab:
                    code = tab.wait_closed(timeout=60).code
                    assert code in (4409, 4410), code
                    kicked.append(code)
        except Exception as error:  # is raised by the test
            failures.append(error)

    threads = [threading.Thread(target=come_back, args=(bridge,), daemon=True) for bridge in bridges for _ in range(2)]
    for thread in threads:
        thread.start()
    while len(kicked) < 200 and not failures:
        redis.execute_command("NOTIFY.SESSION", "KICK", "sessions:mallory", "*")
        if len(kicked) % 20 == 0:
            assert_served(redis_server, alice, "alice")
    done.set()

    def all_have_ended():
        redis.execute_command("NOTIFY.SESSION", "KICK", "sessions:mallory", "tab")
        return not any(thread.is_alive() for thread in threads)

    wait_until(all_have_ended, "each being kicked once more", timeout=60)
    assert not failures, failures[0]
    wait_until(lambda: redis.execute_command("NOTIFY.SESSION", "COUNT", "sessions:mallory") == 0, "nobody is left over")
    assert_served(redis_server, alice, "alice")


def test_who_calls_its_session_like_anothers_neither_shields_it_nor_learns_of_it(
    programs, redis_server, open_tab, tmp_path
):
    roles = tmp_path / "roles"
    roles.write_text("role *\n  kick {user}\nrole guard\n  kick al*\nrole lone\n  presence *\n")
    bridge = programs.bridge(redis_server, *JWT, "--roles", str(roles))
    redis = redis_server.client()
    alice = open_tab(bridge, token("alice"), path="/ws/tab")
    mallory = open_tab(bridge, token("mallory"), path="/ws/tab")
    wait_until(lambda: redis.execute_command("NOTIFY.SESSION", "COUNT", "ws:session:tab") == 2, "both hold it")
    wanda = open_tab(bridge, token("wanda"))
    there, nowhere = (wanda.request("kick", session_id=name)["error"] for name in ("tab", "none"))
    assert there == nowhere and there["code"] == "NOT_FOUND"
    assert open_tab(bridge, token("greg", roles=["guard"])).request("kick", session_id="tab")["changed"] == 1
    assert alice.wait_closed().code == 4410
    assert mallory.request("ping")["type"] == "pong"


def test_who_has_as_many_sessions_as_may_be_loses_nothing_by_trying_another(programs, redis_server, open_tab):
    """It is refused before its greeting, so what it was to get is not marked as seen."""
    bridge = programs.bridge(redis_server, *JWT, "--max-sessions-per-user", "1")
    redis = redis_server.client()
    with WsClient(bridge.port, f"/ws/first?last_event_id=&token={token('alice')}") as first:
        first.expect(type="connection")
        ids = [redis.execute_command("NOTIFY.SEND", "inbox:alice", f"number {n}") for n in range(3)]
        for _ in range(5):
            with WsClient(bridge.port, f"/ws?token={token('alice')}") as more:
                assert more.wait_closed().code == 4409
                assert more.messages == []
        unseen = redis.execute_command("NOTIFY.RANGE", "inbox:alice", "-", "+", "UNSEEN")
        assert [entry[0] for entry in unseen] == ids
