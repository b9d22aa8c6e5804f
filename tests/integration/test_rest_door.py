"""Who may ask over HTTP, from which pages, how often, and what is refused: whatever is asked for."""

import itertools
import json
import socket
import ssl
import threading
import time

import pytest

from bridge_helpers import Stand, new_name
from certificates import Certificate
from rest_client import Rest
from servers import free_port, until_refused, wait_until
from tokens import SECRET, Key, claims, hs, token

REQUESTS = "/api/v1/requests"
PING = {"type": "ping"}
PAGE = "https://app.example.com"

ROLES = """
role *
  presence {user}

role admin
  presence *
  kick     *

role guest
  subscribe public:*
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A bridge that wants tokens, by a plain and by a TLS listener."""
    folder = tmp_path_factory.mktemp("rest")
    certificate = Certificate(folder)
    roles = folder / "roles"
    roles.write_text(ROLES)
    port = free_port()
    stand = Stand(
        "--auth", "jwt", "--jwt-secret", SECRET, "--roles", str(roles), "--jwt-cookie", "session", "--cors-origins", PAGE,
        "--listen", f"127.0.0.1:{port},tls", "--tls-cert", certificate.cert, "--tls-key", certificate.key,
        "--log-level", "debug",
    )  # fmt: skip
    stand.doors = {"plain": (stand.daemon.port, None), "tls": (port, ssl.create_default_context(cafile=certificate.cert))}
    yield stand
    stand.close_tabs()
    stand.close()


@pytest.fixture(params=["plain", "tls"])
def door(request, house):
    yield house.doors[request.param]
    house.close_tabs()


def rest(door, **options):
    return Rest(door[0], tls=door[1], **options)


# ---- who asks


def test_a_token_says_who_asks_wherever_it_may_stand(door):
    good = token("alice")
    places = {
        "Authorization": rest(door).post(REQUESTS, PING, headers={"Authorization": f"Bearer {good}"}),
        "in lower case": rest(door).post(REQUESTS, PING, headers={"authorization": f"bearer {good}"}),
        "query": rest(door).post(f"{REQUESTS}?token={good}", PING),
        "cookie": rest(door).post(REQUESTS, PING, headers={"Cookie": f"session={good}", "Origin": PAGE}),
    }
    for place, answer in places.items():
        assert (place, answer.status, answer.json["type"]) == (place, 200, "pong")


BAD_TOKENS = {
    "expired": lambda: token("alice", seconds=-600),
    "of another secret": lambda: hs(claims(), secret="another secret, which is long enough as well!"),
    "none": lambda: hs(claims(), alg="none"),
    "no token": lambda: "rubbish",
    "empty": lambda: "",
    "very long": lambda: "a." * 4200 + "a",
}


@pytest.mark.parametrize("what", BAD_TOKENS)
def test_a_token_that_is_no_good_is_401_and_says_no_more(door, what):
    answer = rest(door).post(REQUESTS, PING, headers={"Authorization": f"Bearer {BAD_TOKENS[what]()}"})
    assert (answer.status, answer.error) == (401, "UNAUTHORIZED")
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_without_a_token_every_path_of_the_api_is_401(door):
    paths = [("POST", REQUESTS), ("GET", "/api/v1/sessions/alice"), ("POST", "/api/v1/sessions/alice/kick")]
    for method, path in paths:
        answer = rest(door).call(method, path)
        assert (path, answer.status, answer.error) == (path, 401, "UNAUTHORIZED")
        assert answer.headers["www-authenticate"] == "Bearer"


def test_a_token_in_two_places_is_refused(door):
    answer = rest(door, token=token("alice")).post(f"{REQUESTS}?token={token('alice')}", PING)
    assert answer.status == 401


def test_user_must_be_whom_the_token_is_for(door):
    alice = rest(door, token=token("alice"))
    assert alice.post(f"{REQUESTS}?user=alice", PING).status == 200
    assert alice.post(f"{REQUESTS}?user=bob", PING).status == 403
    assert alice.post(f"{REQUESTS}?user=", PING).status == 422
    assert alice.post(f"{REQUESTS}?user=%FF", PING).status == 422


def test_a_cookie_counts_for_pages_that_may_connect_and_for_nobody_else(door):
    cookie = {"Cookie": f"session={token('alice')}"}
    assert rest(door, headers=cookie).post(REQUESTS, PING).status == 401
    assert rest(door, headers=cookie).post(REQUESTS, PING, headers={"Origin": "https://evil.example"}).status == 403
    answer = rest(door, headers=cookie).get("/api/v1/sessions/alice", headers={"Origin": "https://evil.example"})
    assert answer.status == 401
    assert "access-control-allow-origin" not in answer.headers


def test_a_cookie_counts_for_the_bridges_own_pages_which_send_no_origin_when_they_read(door):
    own = rest(door, headers={"Cookie": f"session={token('alice')}"})
    path = "/api/v1/sessions/alice"
    assert own.get(path, headers={"Sec-Fetch-Site": "same-origin"}).status == 200
    for site in ("same-site", "cross-site", "none", "", "same-origin, cross-site"):
        assert (site, own.get(path, headers={"Sec-Fetch-Site": site}).status) == (site, 401)
    for origin in ("null", "https://evil.example", PAGE + ".evil.example"):
        answer = own.get(path, headers={"Sec-Fetch-Site": "same-origin", "Origin": origin})
        assert (origin, answer.status) == (origin, 401)
        assert own.post(REQUESTS, PING, headers={"Sec-Fetch-Site": "same-origin", "Origin": origin}).status == 403


class KeyServer(threading.Thread):
    """Answers requests for a set of keys, from the second on when it is told to."""

    def __init__(self, keys):
        super().__init__(daemon=True)
        self.keys = keys
        self.asked, self.go = threading.Event(), threading.Event()
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.sock.getsockname()[1]}/keys"

    def answer(self):
        peer, _ = self.sock.accept()
        with peer:
            peer.recv(65536)
            body = json.dumps({"keys": [key.jwk() for key in self.keys]}).encode()
            yield
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(body), body))

    def run(self):
        for _ in self.answer():
            pass
        for _ in self.answer():
            self.asked.set()
            self.go.wait(20)


def test_a_token_whose_key_has_to_be_fetched_waits_and_nobody_else_does(programs, tmp_path):
    old, new = Key(tmp_path, kid="old"), Key(tmp_path, kid="new")
    keys = KeyServer([old])
    keys.start()
    bridge = programs.bridge(programs.redis(), "--auth", "jwt", "--jwt-jwks", keys.url)
    keys.keys = [old, new]
    waiting, answers = Rest(bridge.port, token=new.sign(claims("alice"))), []
    thread = threading.Thread(target=lambda: answers.append(waiting.post(REQUESTS, PING)), daemon=True)
    thread.start()
    assert keys.asked.wait(10)
    assert Rest(bridge.port, token=old.sign(claims("bob"))).post(REQUESTS, PING).status == 200
    assert not answers
    keys.go.set()
    thread.join(10)
    assert [answer.status for answer in answers] == [200]


def test_who_leaves_while_the_token_is_judged_leaves_nothing_behind(house):
    good = token("alice")
    for _ in range(50):
        with socket.create_connection(("127.0.0.1", house.daemon.port)) as sock:
            body = json.dumps(PING).encode()
            sock.sendall(
                b"POST %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n%s" % (REQUESTS.encode(), good.encode(), len(body), body)
            )
    assert Rest(house.daemon.port, token=good).post(REQUESTS, PING).status == 200


def test_guests_may_ask_what_the_anonymous_role_may(make_stand, tmp_path):
    roles = tmp_path / "roles"
    roles.write_text(ROLES)
    stand = make_stand("--auth", "jwt", "--jwt-secret", SECRET, "--roles", str(roles), "--anonymous-role", "guest")
    guest = Rest(stand.daemon.port)
    assert guest.post(REQUESTS, PING).json["type"] == "pong"
    answer = guest.post(REQUESTS, {"type": "unread_count"})
    assert (answer.status, answer.error) == (403, "FORBIDDEN")
    assert guest.get("/api/v1/sessions/alice").status == 401


# ---- from which pages


def preflight(door, path, origin, method="POST"):
    return rest(door).call("OPTIONS", path, headers={
        "Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": "authorization,content-type",
    })  # fmt: skip


def test_a_preflight_is_answered_without_a_token_for_pages_that_may(door):
    answer = preflight(door, REQUESTS, PAGE)
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert answer.headers["access-control-allow-methods"] == "POST, OPTIONS"
    assert {"Authorization", "Content-Type", "If-None-Match"} <= set(answer.headers["access-control-allow-headers"].split(", "))
    assert answer.headers["access-control-max-age"] == "7200"
    assert answer.headers["access-control-allow-credentials"] == "true"  # a cookie may hold the token
    assert answer.headers["vary"] == "Origin"


def test_a_preflight_of_another_page_is_told_nothing(door):
    answer = preflight(door, REQUESTS, "https://evil.example")
    assert answer.status == 204
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_pages_that_may_read_answers_and_errors_and_others_do_not(door):
    for origin, may in [(PAGE, True), ("https://evil.example", False)]:
        for options in ({"token": token("alice")}, {}):
            answer = rest(door, **options).get("/api/v1/sessions/alice", headers={"Origin": origin})
            assert answer.headers.get("access-control-allow-origin") == (origin if may else None)
            assert ("access-control-expose-headers" in answer.headers) == may
            assert "Origin" in answer.headers["vary"]
    assert "ETag" in rest(door).get("/healthz", headers={"Origin": PAGE}).headers["access-control-expose-headers"]


def test_a_page_that_may_not_connect_may_change_nothing_even_with_a_token(door):
    answer = rest(door, token=token("alice")).post(REQUESTS, PING, headers={"Origin": "https://evil.example"})
    assert (answer.status, answer.error) == (403, "FORBIDDEN")


def test_credentials_and_any_origin_never_go_together(make_stand):
    stand = make_stand("--cors-origins", "*")
    answer = Rest(stand.daemon.port, user="a").post(REQUESTS, PING, headers={"Origin": "https://anything.example"})
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "https://anything.example"
    assert "access-control-allow-credentials" not in answer.headers


# ---- what is refused


@pytest.fixture
def alice(house):
    client = Rest(house.daemon.port, token=token("alice"))
    yield client
    client.close()


def test_a_body_must_be_said_to_be_json_and_be_it(house, alice):
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = alice.post(REQUESTS, PING, headers={"Content-Type": kind})
        assert (answer.status, answer.error) == (415, "UNSUPPORTED_MEDIA_TYPE")
    for fields, status in (("", 200), (f"Origin: http://127.0.0.1:{house.daemon.port}\r\n", 415)):
        head = f"POST {REQUESTS} HTTP/1.0\r\nHost: 127.0.0.1:{house.daemon.port}\r\nAuthorization: Bearer {token('alice')}\r\nContent-Length: 15\r\n{fields}"
        with socket.create_connection(("127.0.0.1", house.daemon.port), timeout=60) as sock:
            sock.sendall(f"{head}\r\n".encode() + b'{"type":"ping"}')
            assert int(sock.makefile("rb").readline().split()[1]) == status, "nothing is said of the body: programs may, pages may not"
    for body in (b"{", b"[]", b'{"type":"ping"} x', b"\xff", b'{"type":"\xff"}', b"[" * 5000 + b"]" * 5000):
        answer = alice.post(REQUESTS, body)
        assert (answer.status, answer.error) == (400, "BAD_JSON"), body[:20]
    assert alice.post(REQUESTS, b"").status in (400, 415)


def test_a_body_that_is_too_long_is_413_and_one_that_belongs_to_no_body_too(house, alice):
    answer = Rest(house.daemon.port, token=token("alice")).post(REQUESTS, b" " * 65537)
    assert (answer.status, answer.error) == (413, "BODY_TOO_LARGE")
    answer = Rest(house.daemon.port, token=token("alice")).call("GET", "/api/v1/sessions/alice", body=b"x")
    assert answer.status == 413
    assert alice.post(REQUESTS, json.dumps(PING).encode().ljust(65536)).status == 200


METHODS = [
    ("GET", REQUESTS, 405, "POST, OPTIONS"),
    ("DELETE", "/api/v1/sessions/alice", 405, "GET, HEAD, OPTIONS"),
    ("GET", "/api/v1/sessions/alice/kick", 405, "POST, OPTIONS"),
    ("BREW", "/api/v1/sessions/alice", 501, "GET, HEAD, OPTIONS"),
    ("GET", "/api/v1/nothing", 404, None),
    ("GET", "/api/v1/sessions", 404, None),
    ("GET", "/api/v1/sessions/a/b", 404, None),
    ("GET", "/api/v1/sessions/", 404, None),
    ("GET", "/API/v1/sessions/alice", 404, None),
]


@pytest.mark.parametrize("method, path, status, allow", METHODS)
def test_paths_and_methods_that_are_not_there(house, method, path, status, allow):
    answer = Rest(house.daemon.port, token=token("alice")).call(method, path)
    assert (answer.status, answer.headers.get("allow")) == (status, allow)
    assert answer.error


def test_members_that_are_none_are_named(alice):
    cases = [
        ("/api/v1/sessions/alice?lists=1", "lists"),
        ("/api/v1/sessions/alice?list=true", "list"),
        ("/api/v1/sessions/%FF", None),
        ("/api/v1/sessions/a%2Fb", None),
        ("/api/v1/sessions/" + "a" * 129, "user_id"),
        ("/api/v1/sessions/%0A", "user_id"),
        ("/api/v1/sessions/alice?a=%zz", None),
    ]
    for path, member in cases:
        answer = alice.get(path)
        assert answer.status in (400, 422), (path, answer)
        if member:
            assert (answer.error, answer.json["error"]["details"]) == ("INVALID_FIELD", {"member": member}), path


def test_the_answer_to_head_is_that_to_get_without_a_body(alice):
    get = alice.get("/api/v1/sessions/alice")
    head = alice.call("HEAD", "/api/v1/sessions/alice")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == get.headers["content-length"]


def test_answers_are_kept_by_nobody(alice):
    assert alice.get("/api/v1/sessions/alice").headers["cache-control"] == "no-store"


def test_a_user_who_asks_too_often_is_told_when_to_come_back(make_stand):
    stand = make_stand("--request-rate", "1", "--request-burst", "3")
    alice, bob = Rest(stand.daemon.port, user="alice"), Rest(stand.daemon.port, user="bob")
    mine = itertools.cycle([alice, Rest(stand.daemon.port, user="alice")])  # another connection makes no difference
    answer = until_refused(lambda: next(mine).post(REQUESTS, PING), lambda answer: answer.status != 200, free=3)
    assert (answer.status, answer.error) == (429, "RATE_LIMITED")
    assert answer.json["error"]["details"]["retry_after_ms"] > 0
    assert int(answer.headers["retry-after"]) >= 1
    assert bob.post(REQUESTS, PING).status == 200
    assert stand.daemon.metrics()['notify_limit_hits_total{limit="request-rate"}'] == 1
    time.sleep(answer.json["error"]["details"]["retry_after_ms"] / 1000)
    wait_until(lambda: alice.post(REQUESTS, PING).status == 200, "that alice may ask again")


def test_an_address_that_asks_too_often_on_one_connection_is_told_to_wait(make_stand):
    stand = make_stand("--connect-rate", "1", "--connect-burst", "5", "--exempt-addresses", "192.0.2.1")
    alice = Rest(stand.daemon.port, user="alice")  # one connection for all
    statuses = []
    while 429 not in statuses and len(statuses) < 200:
        statuses.append(alice.post(REQUESTS, PING).status)
    assert statuses[:4] == [200] * 4
    assert statuses[-1] == 429


def test_while_redis_is_away_it_is_unavailable_and_comes_back(make_stand):
    stand = make_stand()
    alice = Rest(stand.daemon.port, user=new_name())
    assert alice.post(REQUESTS, {"type": "unread_count"}).status == 200
    stand.server.kill9()
    for _ in range(3):
        answer = alice.post(REQUESTS, {"type": "unread_count"})
        assert (answer.status, answer.error) == (503, "UNAVAILABLE")
        assert answer.headers["retry-after"]
    assert alice.post(REQUESTS, PING).status == 200  # which needs no Redis
    stand.server.restart()
    wait_until(lambda: alice.post(REQUESTS, {"type": "unread_count"}).status == 200, "Redis to be back")


# ---- any request of a client's


def test_what_a_websocket_may_ask_http_may_ask_but_for_what_needs_a_connection(stand):
    alice = Rest(stand.daemon.port, user=new_name())
    assert alice.post(REQUESTS, {"type": "unread_count"}).json["unread"] == 0
    id_ = alice.post(REQUESTS, {"type": "publish", "topic": new_name("t"), "title": "x"}).json["id"]
    assert "-" in id_
    for type_ in ("subscribe", "unsubscribe", "resume", "auth", "subscribe_presence", "subscribe_category", "unsubscribe_session"):
        answer = alice.post(REQUESTS, {"type": type_, "topic": "x"})
        assert (answer.status, answer.error) == (422, "INVALID_FIELD"), type_
        assert answer.json["error"]["details"] == {"member": "type"}
    answer = alice.post(REQUESTS, {"type": "no such"})
    assert (answer.status, answer.error) == (404, "UNKNOWN_TYPE")
    answer = alice.post(REQUESTS, {"type": "mark_read"})
    assert (answer.status, answer.error) == (422, "MISSING_FIELD")
    assert alice.post(REQUESTS, {}).error == "MISSING_FIELD"


# ---- sessions


def test_sessions_are_listed_for_oneself_and_for_whoever_has_the_right(house):
    house.tab("/ws/tab-1", headers=[f"Authorization: Bearer {token('carol')}"])
    for who, roles in [("carol", []), ("boss", ["admin"])]:
        answer = Rest(house.daemon.port, token=token(who, roles=roles)).get("/api/v1/sessions/carol")
        assert answer.status == 200
        assert (answer.json["user_id"], answer.json["sessions"], answer.json["session_ids"]) == ("carol", 1, ["tab-1"])
    answer = Rest(house.daemon.port, token=token("mallory")).get("/api/v1/sessions/carol")
    assert (answer.status, answer.error) == (403, "FORBIDDEN")
    assert answer.json["error"]["details"] == {"member": "user_id", "right": "presence", "name": "carol"}


def test_kick_ends_sessions_on_every_bridge_for_whoever_has_the_right(house):
    other = house.bridge(house.server, "--auth", "jwt", "--jwt-secret", SECRET)
    tabs = [
        house.tab("/ws/here", headers=[f"Authorization: Bearer {token('dave')}"]),
        house.tab("/ws/there", port=other.port, headers=[f"Authorization: Bearer {token('dave')}"]),
    ]
    boss = Rest(house.daemon.port, token=token("boss", roles=["admin"]))
    assert Rest(house.daemon.port, token=token("dave")).post("/api/v1/sessions/dave/kick").status == 403
    assert boss.post("/api/v1/sessions/dave/kick", {"session_id": "there"}).json["changed"] == 1
    assert tabs[1].wait_closed().code == 4410
    assert boss.get("/api/v1/sessions/dave").json["session_ids"] == ["here"]
    assert boss.post("/api/v1/sessions/dave/kick").json["changed"] == 1
    assert tabs[0].wait_closed().code == 4410
    assert boss.post("/api/v1/sessions/dave/kick").json["changed"] == 0


def test_who_reads_nothing_delays_nobody(house):
    """A connection that asks and asks and takes no answer is read from no more, and goes in the end."""
    good = token("alice").encode()
    sock = socket.create_connection(("127.0.0.1", house.daemon.port))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(1)
    request = b"GET /api/v1/sessions/alice HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n" % good
    try:
        for _ in range(20000):
            sock.sendall(request)
    except (TimeoutError, ConnectionError):
        pass
    begun = time.monotonic()
    assert Rest(house.daemon.port, token=token("bob")).get("/api/v1/sessions/bob").status == 200
    assert time.monotonic() - begun < 5
    sock.close()


