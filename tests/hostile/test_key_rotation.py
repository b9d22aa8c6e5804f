"""Keys and roles that change while very many come, stay and renew: nobody who brings what is good is refused for that,
nobody waits for it, and what is permitted no more ends."""

import json
import random
import signal
import socket
import struct
import threading
import time

import pytest

from key_host import KeyHost
from rest_client import Rest
from servers import change_roles, read_files_again, replace_file, wait_until
from sse_client import SseClient
from tokens import SECRET, Key, claims, token
from ws_client import Refused, WsClient

pytestmark = pytest.mark.measures

FREE = ["--message-rate", "0", "--request-rate", "0", "--max-sessions-per-user", "0", "--auth-timeout", "60s"]


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    return [Key(folder, "EC", f"key-{n}") for n in range(4)]


@pytest.fixture
def key_host():
    host = KeyHost()
    yield host
    host.close()


@pytest.fixture
def tabs():
    """Closed with the test."""
    opened = []
    yield opened
    for tab in opened:
        tab.sock.close()


def set_of(*keys):
    return json.dumps({"keys": [key.jwk() for key in keys]})


def judged(bridge):
    return bridge.metrics()["notify_tokens_judged_total"]


class RestInFlight:
    """A request over HTTP whose answer is waited for later."""

    def __init__(self, bridge, bearer):
        self.sock = socket.create_connection(("127.0.0.1", bridge.port), timeout=60)
        head = f"GET /api/v1/notifications/unread/count HTTP/1.1\r\nHost: 127.0.0.1:{bridge.port}\r\n"
        self.sock.sendall((head + f"Authorization: Bearer {bearer}\r\nConnection: close\r\n\r\n").encode())

    def status(self):
        return int(self.sock.makefile("rb").readline().split()[1])


# ---- an address of keys


class Rotation:
    """A bridge whose address of keys learns of a new one; clients with the old one, and others without any token yet."""

    def __init__(self, bridge, host, old, new, tabs):
        self.bridge, self.host, self.old, self.new = bridge, host, old, new
        bridge.wait_line("event=jwks_fetched")
        self.before, self.after = old.sign(claims("alice")), new.sign(claims("alice", 900))
        known = [WsClient(bridge.port, f"/ws?token={self.before}") for _ in range(30)]
        for tab in known:
            tab.expect(type="connection")
        self.tabs = known + [WsClient(bridge.port) for _ in range(90)]
        tabs += self.tabs

    def come(self, tabs):
        """All at once, with the new key, which the address gives when all have been looked at. How long the first one waited,
        and the requests over HTTP under way."""
        go, looked_at, began = self.host.hold(self.old, self.new), judged(self.bridge), time.monotonic()
        for n, tab in enumerate(self.tabs):
            tab.send({"type": "auth", "token": self.after, "request_id": n})
        tabs += (asking := [RestInFlight(self.bridge, self.after) for _ in range(10)])
        wait_until(lambda: judged(self.bridge) >= looked_at + len(self.tabs) + 10, "each of them having been looked at")
        go.set()
        return time.monotonic() - began, asking


def test_all_who_come_with_a_new_key_while_it_is_fetched_are_let_in(programs, redis_server, key_host, keys, tabs):
    """More than may have been thought of: those that there was no room for were told that their token was bad."""
    waited = 9
    while waited > 1.5:  # no token waits longer than for two seconds: on a machine that stood still this shows nothing
        key_host.serve(keys[0])
        bridge = programs.bridge(redis_server, "--auth", "jwt", "--jwt-jwks", key_host.url, *FREE)
        rotation = Rotation(bridge, key_host, *keys[:2], tabs)
        asked = key_host.asked
        waited, asking = rotation.come(tabs)
    for n, tab in enumerate(rotation.tabs):
        assert tab.expect(type="authenticated")["request_id"] == n
    assert [request.status() for request in asking] == [200] * 10
    assert key_host.asked == asked + 1
    assert bridge.metrics()['notify_limit_hits_total{limit="keys-awaited"}'] == 0


def test_unknown_keys_without_end_have_the_address_asked_once_and_delay_nobody(programs, redis_server, key_host, keys, tabs):
    good, other = keys[:2]
    key_host.serve(good)
    bridge = programs.bridge(redis_server, "--auth", "jwt", "--jwt-jwks", key_host.url, *FREE)
    bridge.wait_line("event=jwks_fetched")
    started = time.monotonic()
    mine, theirs = good.sign(claims("alice")), other.sign(claims("mallory"))
    tabs.append(alice := WsClient(bridge.port, f"/ws?token={mine}"))
    alice.expect(type="connection")
    tabs += (rogues := [WsClient(bridge.port, f"/ws?token={good.sign(claims('mallory'))}") for _ in range(4)])
    for rogue in rogues:
        rogue.expect(type="connection")
        for n in range(200):
            rogue.send({"type": "auth", "token": theirs, "request_id": n})
    for n in range(100):
        assert Rest(bridge.port, token=theirs).get("/api/v1/notifications").status == 401
        if n % 20 == 0:
            began = time.monotonic()
            redis_server.client().execute_command("NOTIFY.EVENT", "inbox:alice", "beat", "NOSTORE")
            alice.expect(type="beat")
            assert time.monotonic() - began < 10
    for rogue in rogues:
        assert {rogue.expect(request_id=n)["error"]["code"] for n in range(200)} == {"UNAUTHORIZED"}
    assert 2 <= key_host.asked <= 2 + (time.monotonic() - started) / 60


# ---- a file of keys


def test_who_comes_and_renews_while_a_file_of_keys_changes_is_never_refused(programs, redis_server, keys, tmp_path):
    """As it is to be done: each key stands in the file before anything is signed with it, and as long as that counts."""
    path = tmp_path / "keys.json"
    path.write_text(set_of(keys[0], keys[1]))
    bridge = programs.bridge(redis_server, "--auth", "jwt", "--jwt-jwks", str(path), *FREE)
    signed = [[key.sign(claims(f"user-{n}")) for n in range(4)] for key in keys]
    at, done, failures = [1], threading.Event(), []

    def come_and_renew(user):
        while not done.is_set():
            try:
                with WsClient(bridge.port, f"/ws?token={signed[at[0]][user]}") as tab:
                    tab.expect(type="connection")
                    for _ in range(5):
                        assert tab.request("auth", token=signed[at[0]][user])["type"] == "authenticated"
                assert Rest(bridge.port, token=signed[at[0]][user]).get("/api/v1/notifications").status == 200
            except Exception as error:  # is raised by the test
                failures.append(error)
                return

    threads = [threading.Thread(target=come_and_renew, args=(user,), daemon=True) for user in range(4)]
    for thread in threads:
        thread.start()
    for n in range(1, 25):
        replace_file(path, set_of(keys[n % 4], keys[(n + 1) % 4]))
        read_files_again(bridge)
        before = judged(bridge)
        at[0] = (n + 1) % 4
        wait_until(lambda: judged(bridge) >= before + 20 or failures, "the new key having been used")
    done.set()
    for thread in threads:
        thread.join(30)
    assert not failures, failures[0]


def test_a_key_that_is_taken_away_renews_nobody_but_ends_nobodys_connection(programs, redis_server, keys, tabs, tmp_path):
    old, new = keys[:2]
    path = tmp_path / "keys.json"
    path.write_text(set_of(old))
    bridge = programs.bridge(redis_server, "--auth", "jwt", "--jwt-jwks", str(path), *FREE)
    before = old.sign(claims("alice"))
    tabs.append(alice := WsClient(bridge.port, f"/ws?token={before}"))
    alice.expect(type="connection")
    replace_file(path, set_of(new))
    read_files_again(bridge)
    assert alice.request("auth", token=before)["error"]["code"] == "UNAUTHORIZED"
    tabs.append(late := WsClient(bridge.port, f"/ws?token={before}"))
    assert late.wait_closed().code == 4401
    id_ = redis_server.client().execute_command("NOTIFY.SEND", "inbox:alice", "still for you")
    alice.expect(type="notification", id=id_)
    assert alice.request("auth", token=new.sign(claims("alice")))["type"] == "authenticated"


# ---- a file of roles

ALWAYS = "role *\n  sessions *\n"
ROLES = [
    ALWAYS,
    ALWAYS + "  subscribe run:*\n  categories system\n",
    ALWAYS + "  follow news\n  permitted extra\nrole admin\n  subscribe *\n  categories *\n",
    ALWAYS + "  subscribe run:1\n  follow news:{user}\n  categories * \n",
]


def test_whatever_roles_change_to_under_load_in_the_end_all_get_what_they_may(programs, redis_server, tmp_path):
    path = tmp_path / "roles"
    path.write_text(ROLES[1])
    bridge = programs.bridge(redis_server, "--auth", "jwt", "--jwt-secret", SECRET, "--roles", str(path), *FREE)
    rng, done, failures = random.Random(7), threading.Event(), []

    def live(seed):
        mine = random.Random(seed)
        try:
            while not done.is_set():
                roles = mine.choice([[], ["admin"]])
                with WsClient(bridge.port, f"/ws?token={token(f'user-{seed}', roles=roles)}") as tab:
                    for n in range(20):
                        topic, category = mine.choice(["run:1", "run:2", "news", "other"]), mine.choice(["system", "extra"])
                        type_ = mine.choice(["subscribe", "unsubscribe", "subscribe_category", "auth", "unread_count"])
                        members = {
                            "subscribe": {"topic": topic},
                            "unsubscribe": {"topic": topic},
                            "subscribe_category": {"category": category},
                            "auth": {"token": token(f"user-{seed}", roles=mine.choice([[], ["admin"]]))},
                        }
                        assert tab.request(type_, **members.get(type_, {}))
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=live, args=(seed,), daemon=True) for seed in range(6)]
    for thread in threads:
        thread.start()
    for n in range(60):
        replace_file(path, rng.choice(ROLES))
        for _ in range(rng.choice([1, 1, 50])):
            bridge.proc.send_signal(signal.SIGHUP)
        if n % 3 == 0:  # the others while the one before is still being looked through
            before = judged(bridge)
            wait_until(lambda: judged(bridge) > before + 5 or failures, "some having come")
    change_roles(path, ROLES[3], bridge)
    done.set()
    for thread in threads:
        thread.join(30)
    assert not failures, failures[0]
    with WsClient(bridge.port, f"/ws?token={token('late')}") as tab:
        tab.expect(type="connection")
        assert tab.request("subscribe", topic="run:1")["status"] == "subscribed"
        assert tab.request("subscribe", topic="run:2")["error"]["code"] == "FORBIDDEN"


def test_who_goes_while_rights_are_looked_at_again_takes_nobody_elses_along(programs, redis_server, tmp_path, tabs):
    """All are looked at few at a time: the next one may just be going."""
    path = tmp_path / "roles"
    path.write_text(ROLES[1])
    bridge = programs.bridge(redis_server, "--auth", "jwt", "--jwt-secret", SECRET, "--roles", str(path), *FREE)
    bearer, stays = token("alice"), token("bob")
    for n in range(4):
        change_roles(path, ROLES[1], bridge)
        goers = [WsClient(bridge.port, f"/ws?token={bearer}") for _ in range(300)]
        tabs.append(last := WsClient(bridge.port, f"/ws?token={stays}"))
        for tab in [*goers, last]:
            tab.expect(type="connection")
        assert last.request("subscribe", topic="run:1")["status"] == "subscribed"
        replace_file(path, ROLES[0] + f"# {n}\n")
        bridge.proc.send_signal(signal.SIGHUP)
        for tab in goers:
            tab.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            tab.sock.close()
        assert last.expect(type="error")["error"]["details"]["key"] == "topic:run:1"
        wait_until(lambda: bridge.metrics()['notify_connections{transport="websocket"}'] == len(tabs), "all the others having gone")


def test_signals_without_end_delay_nobody(programs, redis_server, tmp_path, tabs):
    path = tmp_path / "roles"
    path.write_text(ROLES[1])
    bridge = programs.bridge(redis_server, "--auth", "jwt", "--jwt-secret", SECRET, "--roles", str(path), *FREE)
    tabs.append(alice := WsClient(bridge.port, f"/ws?token={token('alice')}"))
    alice.expect(type="connection")
    done = threading.Event()

    def storm():
        while not done.is_set():
            bridge.proc.send_signal(signal.SIGHUP)

    thread = threading.Thread(target=storm, daemon=True)
    first = time.monotonic()
    thread.start()
    try:
        for n in range(20):
            replace_file(path, ROLES[n % 4])
            began = time.monotonic()
            redis_server.client().execute_command("NOTIFY.EVENT", "inbox:alice", "beat", "NOSTORE")
            alice.expect(type="beat")
            assert time.monotonic() - began < 10
    finally:
        done.set()
        thread.join()
    times = sum("event=config_read" in line for line in bridge.lines)
    assert 1 <= times <= 2 + (time.monotonic() - first) / 0.1, "it is read ten times a second at most"
    change_roles(path, ALWAYS + "  subscribe last\n", bridge)
    assert alice.request("subscribe", topic="last")["status"] == "subscribed"


# ---- the end of a token


def ends_by_itself(bridge, bearer):
    """A WebSocket: refused, or let in and closed."""
    with WsClient(bridge.port, f"/ws?token={bearer}") as tab:
        assert tab.wait_closed().code == 4401


def stream_ends_by_itself(bridge, bearer):
    stream = SseClient(bridge.port, token=bearer)
    try:
        events, whole = stream.until_end()
        assert events[-1].json["code"] == 4401 and whole
    except Refused as refused:
        assert refused.status == 401
    finally:
        stream.sock.close()


@pytest.mark.parametrize("door", [ends_by_itself, stream_ends_by_itself])
def test_who_comes_about_when_its_token_ends_never_stays(programs, redis_server, door):
    """Before, at, and behind that moment: it may be let in, and then it ends."""
    bridge = programs.bridge(redis_server, "--auth", "jwt", "--jwt-secret", SECRET, "--jwt-leeway", "0s", *FREE)
    failures = []

    def come(offset_ms):
        bearer, end = token("alice", 2), int(time.time()) + 2
        time.sleep(max(0, end + offset_ms / 1000 - time.time()))  # what is tested is a time
        try:
            door(bridge, bearer)
        except Exception as error:
            failures.append((offset_ms, error))

    threads = [threading.Thread(target=come, args=(offset,), daemon=True) for offset in (-900, -300, -40, -20, -10, -5, -2, 0, 2, 10, 40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not failures
    assert Rest(bridge.port, token=token("alice", -1)).get("/api/v1/notifications").status == 401
