"""Who clients are: tokens, where they come from, how long they count, and which are refused."""

import json
import re
import ssl
import time

import pytest

from bridge_helpers import Stand, ids_of, new_name
from certificates import Certificate
from servers import at_some_pace, free_port
from tokens import SECRET, Key, b64, claims, hs, token
from ws_client import Refused, WsClient

JWT = ["--auth", "jwt", "--jwt-secret", SECRET, "--log-level", "debug"]


class Door:
    """One listener of a stand."""

    def __init__(self, stand, port, tls=None):
        self.stand, self.port, self.tls = stand, port, tls

    def open(self, path="/ws", **options):
        client = WsClient(self.port, path, tls=self.tls, **options)
        self.stand.tabs.append(client)
        return client

    def user(self, path="/ws", **options):
        """Who the greeting says it is."""
        return self.open(path, **options).expect(type="connection")["user_id"]

    def closed(self, path="/ws", **options):
        """(code, reason): it is let in as a WebSocket, and closed without a word."""
        client = self.open(path, **options)
        end = client.wait_closed()
        assert client.messages == []
        return end.code, end.reason


@pytest.fixture(scope="module")
def jwt_doors(tmp_path_factory):
    folder = tmp_path_factory.mktemp("jwt")
    certificate = Certificate(folder)
    port = free_port()
    stand = Stand(
        *JWT, "--jwt-audience", "bridge,other", "--jwt-issuer", "https://issuer", "--listen", f"127.0.0.1:{port},tls",
        "--tls-cert", certificate.cert, "--tls-key", certificate.key, "--jwt-cookie", "session",
    )  # fmt: skip
    context = ssl.create_default_context(cafile=certificate.cert)
    yield {"plain": Door(stand, stand.daemon.port), "tls": Door(stand, port, context)}
    stand.close_tabs()
    stand.close()


@pytest.fixture(params=["plain", "tls"])
def door(request, jwt_doors):
    """A bridge that wants an audience and an issuer, by its plain and by its TLS listener."""
    yield jwt_doors[request.param]
    jwt_doors[request.param].stand.close_tabs()


GOOD = {"aud": "bridge", "iss": "https://issuer"}


def good(sub="alice", seconds=600, **more):
    return token(sub, seconds, **{**GOOD, **more})


# ---- where a token may stand

PLACES = {
    "query": lambda t: {"path": f"/ws?token={t}"},
    "authorization": lambda t: {"headers": [f"Authorization: Bearer {t}"]},
    "authorization in lower case": lambda t: {"headers": [f"authorization: bearer   {t}"]},
    "sub-protocol": lambda t: {"headers": [f"Sec-WebSocket-Protocol: bearer, {t}"]},
    "sub-protocol in two lines": lambda t: {
        "headers": ["Sec-WebSocket-Protocol: bearer", f"Sec-WebSocket-Protocol: {t}"]
    },
    "cookie of a page that may connect": lambda t: {
        "headers": ["Origin: http://localhost:5173", f"Cookie: a=b; session={t}; c=d"]
    },
}


@pytest.mark.parametrize("place", PLACES)
def test_a_token_says_who_the_client_is_wherever_it_stands(door, place):
    user = new_name()
    client = door.open(**PLACES[place](good(user)))
    assert client.expect(type="connection")["user_id"] == user
    door.stand.send(f"inbox:{user}", "for you")
    assert client.expect(type="notification")["message"] == "for you"


def test_bearer_is_chosen_of_the_sub_protocols_and_never_the_token(door):
    secret = good()
    for headers, answer in (
        ([f"Sec-WebSocket-Protocol: bearer, {secret}"], b"Sec-WebSocket-Protocol: bearer\r\n"),
        ([f"Sec-WebSocket-Protocol: other, bearer, {secret}"], b"Sec-WebSocket-Protocol: bearer\r\n"),
    ):
        head = door.open(headers=headers).head + b"\r\n"
        assert answer in head
        assert secret.encode() not in head
    assert b"Sec-WebSocket-Protocol" not in door.open(f"/ws?token={secret}", headers=["Sec-WebSocket-Protocol: other"]).head


def test_a_cookie_counts_for_pages_only_and_only_without_another_token(door):
    cookie = f"Cookie: session={good('mallory')}"
    page = "Origin: http://localhost:5173"
    assert door.user(f"/ws?token={good('alice')}", headers=[page, cookie]) == "alice"
    client = door.open(headers=[cookie])
    client.send({"type": "ping"})
    assert client.wait_closed().code == 4401
    with pytest.raises(Refused):  # a page that may not connect does not come so far
        door.open(headers=["Origin: https://evil.example", cookie])


SEVERAL = {
    "query and header": lambda t: {"path": f"/ws?token={t}", "headers": [f"Authorization: Bearer {t}"]},
    "query and sub-protocol": lambda t: {
        "path": f"/ws?token={t}",
        "headers": [f"Sec-WebSocket-Protocol: bearer, {t}"],
    },
    "two headers": lambda t: {"headers": [f"Authorization: Bearer {t}", f"Authorization: Bearer {t}"]},
    "twice in the sub-protocols": lambda t: {"headers": [f"Sec-WebSocket-Protocol: bearer, {t}, bearer, {t}"]},
}


@pytest.mark.parametrize("places", SEVERAL)
def test_a_token_in_several_places_is_refused(door, places):
    assert door.closed(**SEVERAL[places](good())) == (4401, "the token must stand in one place only")


EMPTY = {
    "query": {"path": "/ws?token="},
    "query without a value": {"path": "/ws?token"},
    "malformed escape": {"path": "/ws?token=%zz"},
    "authorization": {"headers": ["Authorization: Bearer  "]},
    "sub-protocol": {"headers": ["Sec-WebSocket-Protocol: bearer"]},
}


@pytest.mark.parametrize("place", EMPTY)
def test_an_empty_token_is_none_that_counts(door, place):
    assert door.closed(**EMPTY[place]) == (4401, "the token is empty")


# ---- hostile tokens


def tampered(t):
    header, payload, signature = t.split(".")
    return f"{header}.{b64(json.dumps(claims('root', **GOOD)).encode())}.{signature}"


def unsigned(alg):
    header, payload, _ = good().split(".")
    return b64(json.dumps({"alg": alg}).encode()) + f".{payload}."


NOW = int(time.time())
HOSTILE = {
    "alg none": lambda: unsigned("none"),
    "alg None with a signature": lambda: hs(claims(**GOOD), alg="None"),
    "alg none with a signature": lambda: hs(claims(**GOOD), alg="none"),
    "alg in lower case": lambda: hs(claims(**GOOD), alg="hs256"),
    "alg that is not known": lambda: hs(claims(**GOOD), alg="HS1"),
    "another secret": lambda: hs(claims(**GOOD), secret="x" * 40),
    "an empty secret": lambda: hs(claims(**GOOD), secret=""),
    "another payload": lambda: tampered(good()),
    "another header": lambda: b64(b'{"alg":"HS256","kid":"../../etc/passwd"}') + "." + good().split(".", 1)[1],
    "crit": lambda: hs(claims(**GOOD), crit=["exp"]),
    "b64 false": lambda: hs(claims(**GOOD), b64=False),
    "typ of something else": lambda: hs(claims(**GOOD), typ="dpop+jwt"),
    "alg twice": lambda: b64(b'{"alg":"none","alg":"HS256"}') + "." + good().split(".", 1)[1],
    "no exp": lambda: hs({"sub": "alice", **GOOD}),
    "exp as text": lambda: hs({"sub": "alice", "exp": str(NOW + 600), **GOOD}),
    "exp below zero": lambda: hs({"sub": "alice", "exp": -1, **GOOD}),
    "expired for a minute": lambda: good(seconds=-60),
    "not valid for a minute to come": lambda: good(nbf=int(time.time()) + 60),
    "no aud": lambda: hs({"sub": "alice", "exp": NOW + 600, "iss": GOOD["iss"]}),
    "another aud": lambda: good(aud="somebody"),
    "no aud of a list": lambda: good(aud=["somebody", 1]),
    "another iss": lambda: good(iss="https://issuer/"),
    "no sub": lambda: hs({"exp": NOW + 600, **GOOD}),
    "an empty sub": lambda: good(""),
    "a sub that is too long": lambda: good("x" * 129),
    "a sub with a control character": lambda: good("a\x01b"),
    "sub twice": lambda: hs(json.dumps(claims(**GOOD))[:-1] + ',"sub":"root"}'),
    "roles that are no list": lambda: good(roles="admin"),
    "too many roles": lambda: good(roles=["r"] * 33),
    "too long": lambda: good(junk="x" * 6500),
    "a payload that is no object": lambda: hs("[1]"),
    "a payload that is no JSON": lambda: hs("garbage"),
    "five parts": lambda: good() + ".a.b",
    "two parts": lambda: good().rsplit(".", 1)[0],
    "no parts": lambda: "garbage",
    "dots": lambda: "..",
    "padding": lambda: good() + "=",
    "a signature that is cut": lambda: good()[:-4],
    "nothing but a letter": lambda: "A" * 4000,
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_token_is_refused_and_never_logged(door, case):
    hostile = HOSTILE[case]()
    mark = door.stand.daemon.mark()
    if re.fullmatch(r"[A-Za-z0-9._=-]*", hostile) and len(hostile) < 7900:
        assert door.closed(f"/ws?token={hostile}") == (4401, "the token is no good")
    assert door.closed(headers=[f"Authorization: Bearer {hostile}"]) == (4401, "the token is no good")
    client = door.open()
    client.send({"type": "auth", "token": hostile})
    assert client.wait_closed().code == 4401
    door.stand.daemon.wait_line("event=token_refused .*reason=", since=mark)
    assert not any(hostile[:60] in line for line in door.stand.daemon.lines)


KIND = {
    "expired within the leeway": lambda: good(seconds=-5),
    "not valid for a moment to come": lambda: good(nbf=int(time.time()) + 20),
    "a fraction in exp": lambda: hs({"sub": "alice", "exp": time.time() + 600.5, **GOOD}),
    "one aud of several": lambda: good(aud=["somebody", "other"]),
    "HS384": lambda: hs(claims(**GOOD), alg="HS384"),
    "HS512": lambda: hs(claims(**GOOD), alg="HS512"),
    "typ at+jwt": lambda: hs(claims(**GOOD), typ="at+JWT"),
    "a kid that nobody asks for": lambda: hs(claims(**GOOD), kid="7"),
    "an address for keys that nobody looks at": lambda: hs(claims(**GOOD), jku="http://evil.example/"),
    "claims that are not known": lambda: good(email="a@example.com", groups=[1]),
}


@pytest.mark.parametrize("case", KIND)
def test_an_unusual_token_that_is_good_is_taken(door, case):
    assert door.user(f"/ws?token={KIND[case]()}") == "alice"


def test_no_token_is_ever_logged(jwt_doors):
    """All ways in, good and bad, on a bridge that logs everything."""
    door = jwt_doors["plain"]
    secret, mark = good(new_name()), door.stand.daemon.mark()
    for place in PLACES.values():
        door.user(**place(secret))
    for places in SEVERAL.values():
        door.closed(**places(secret))
    with pytest.raises(Refused):
        door.open(f"/nowhere?token={secret}")
    with pytest.raises(Refused):
        door.open(f"/ws?token={secret}", host="evil.example")
    client = door.open()
    client.send('{"type":"auth","token":"' + secret + '",}')
    client.wait_closed()
    client = door.open()
    client.send({"type": "auth", "token": secret})
    assert client.expect(type="authenticated")
    client.send({"type": "auth", "token": secret + "x"})
    client.expect(type="error")
    client.send({"type": "subscribe", "topic": secret[:128], "token": secret})
    client.expect(type="error")
    door.stand.drain(client)
    door.stand.close_tabs()
    last = new_name()  # what is logged is read by a thread, which may be behind: up to here, it has been
    door.user(f"/ws?token={good(last)}")
    door.stand.daemon.wait_line(f"event=client_known .*{last}", since=mark)
    said = door.stand.daemon.lines[mark:]
    for part in secret.split("."):
        assert not any(part[:40] in line for line in said)


# ---- public keys


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    return {"EC": Key(folder, "EC", "ec"), "RSA": Key(folder, "RSA", "rsa"), "other": Key(folder, "EC", "other")}


def test_public_keys_verify_and_are_never_taken_for_secrets(make_stand, keys):
    for kind, alg in (("EC", "ES256"), ("RSA", "RS256"), ("RSA", "PS256")):
        key = keys[kind]
        stand = make_stand("--auth", "jwt", "--jwt-key", key.public)
        assert Door(stand, stand.daemon.port).user(f"/ws?token={key.sign(claims(), alg)}") == "alice"
        with open(key.public, "rb") as file:
            pem = file.read()
        for secret in (pem, pem.strip(), json.dumps(key.jwk()).encode()):
            forged = hs(claims("root"), secret=secret)
            assert Door(stand, stand.daemon.port).closed(f"/ws?token={forged}")[0] == 4401
        wrong = keys["other"].sign(claims("root"))
        assert Door(stand, stand.daemon.port).closed(f"/ws?token={wrong}")[0] == 4401


def test_a_file_of_keys_is_read_again_when_it_changes(make_stand, keys, tmp_path):
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"keys": [keys["EC"].jwk()]}))
    stand = make_stand("--auth", "jwt", "--jwt-jwks", str(path))
    door = Door(stand, stand.daemon.port)
    assert door.user(f"/ws?token={keys['EC'].sign(claims())}") == "alice"
    assert door.closed(f"/ws?token={keys['other'].sign(claims())}")[0] == 4401
    mark = stand.daemon.mark()
    path.write_text('{"keys":[')
    stand.daemon.wait_line("event=jwt_keys_unusable", since=mark)
    assert door.user(f"/ws?token={keys['EC'].sign(claims())}") == "alice"
    fresh = tmp_path / "fresh.json"
    fresh.write_text(json.dumps({"keys": [keys["other"].jwk()]}))
    mark = stand.daemon.mark()
    fresh.rename(path)
    stand.daemon.wait_line("event=jwt_keys_read", since=mark)
    assert door.user(f"/ws?token={keys['other'].sign(claims())}") == "alice"
    assert door.closed(f"/ws?token={keys['EC'].sign(claims())}")[0] == 4401


# ---- the first message, renewal, expiry


@pytest.fixture(scope="module")
def shared_stand():
    group = Stand(*JWT, "--jwt-leeway", "1s")
    yield group
    group.close()


def test_the_first_message_may_bring_the_token(stand, user):
    client = stand.tab("/ws/tab?last_event_id=0-0", greeted=False)
    client.send({"type": "auth", "token": token(user), "request_id": 7})
    greeting = client.expect(type="connection")
    assert (greeting["client_id"], greeting["user_id"]) == ("tab", user)
    answer = client.expect(type="authenticated")
    assert (answer["request_id"], answer["user_id"]) == (7, user)
    assert re.match(r"^\d{4}-\d\d-\d\dT", answer["expires_at"])
    assert client.messages == []
    stand.send(f"inbox:{user}")
    client.expect(type="notification")


def test_what_comes_right_behind_the_token_waits_for_it(stand, user):
    client = stand.tab(greeted=False)
    client.send({"type": "auth", "token": token(user)})
    for n in range(50):
        client.send({"type": "ping", "request_id": n})
    assert client.expect(type="connection")["user_id"] == user
    assert [client.expect(type="pong")["request_id"] for _ in range(50)] == list(range(50))


FIRST = {
    "a request": '{"type":"ping"}',
    "no JSON": "{",
    "auth without a token": '{"type":"auth"}',
    "auth with an empty token": '{"type":"auth","token":""}',
    "auth with a number": '{"type":"auth","token":7}',
    "auth with more than that": '{"type":"auth","token":"x","user":"alice"}',
    "an unknown type": '{"type":"login"}',
}


@pytest.mark.parametrize("case", FIRST)
def test_any_other_first_message_ends_the_connection(stand, case):
    client = stand.tab(greeted=False)
    client.send(FIRST[case])
    end = client.wait_closed()
    assert (end.code, client.messages) == (4401, [])


def test_without_a_token_in_time_the_connection_ends(make_stand):
    stand = make_stand(*JWT, "--auth-timeout", "500ms")
    began = time.monotonic()
    end = stand.tab(greeted=False).wait_closed()
    assert (end.code, end.reason) == (4401, "no token came in time")
    assert 0.4 < time.monotonic() - began < 10
    assert stand.daemon.metrics()['notify_limit_hits_total{limit="auth-timeout"}'] > 0


def test_a_name_that_is_no_good_is_told_before_any_token_is_asked_for(stand):
    end = stand.tab("/ws/%01?token=x", greeted=False).wait_closed()
    assert end.code == 4400


def test_the_address_cannot_name_another_user_than_the_token(stand, user):
    assert stand.tab(f"/ws?user={user}&token={token(user)}").greeting["user_id"] == user
    end = stand.tab(f"/ws?user=bob&token={token(user)}", greeted=False).wait_closed()
    assert end.code == 4403


def test_an_expired_token_ends_the_connection_and_that_is_announced(stand, user):
    def ends(lasts_s):
        client = stand.tab(f"/ws?token={token(user, lasts_s)}")
        warning = client.expect(type="token_expiring")
        assert re.match(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d.\d{3}Z$", warning["expires_at"])
        began = time.monotonic()
        end = client.wait_closed()
        assert (end.code, end.reason) == (4401, "the token has expired")
        assert time.monotonic() - began < lasts_s + 8
        assert client.messages == []

    at_some_pace(ends, 2)


def test_the_end_of_a_token_is_told_a_minute_before(stand, user):
    client = stand.tab(f"/ws?token={token(user, 66)}")
    assert client.drain() == []
    client.expect(type="token_expiring")
    assert client.drain() == []


def test_another_token_renews_and_nothing_is_lost(stand, user):
    def renews(lasts_s):
        client = stand.tab(f"/ws?token={token(user, lasts_s)}")
        client.expect(type="token_expiring")
        answer = client.request("auth", token=token(user, 600))
        assert (answer["type"], answer["user_id"]) == ("authenticated", user)
        other = stand.tab(f"/ws?token={token(user, lasts_s)}")  # like the first one, but not renewed
        before = stand.send(f"inbox:{user}")
        assert other.wait_closed().code == 4401
        after = stand.send(f"inbox:{user}")
        assert ids_of(stand.drain(client)) == [before, after]

    at_some_pace(renews, 4, doublings=3)


def test_a_token_that_is_no_good_renews_nothing_and_ends_nothing(stand, user):
    client = stand.tab(f"/ws?token={token(user)}")
    for bad in ("garbage", token(user, -60), token(user + "x")):
        error = client.request("auth", token=bad)["error"]
        assert (error["code"], error["details"]) == ("UNAUTHORIZED", {"member": "token"})
    stand.send(f"inbox:{user}")
    client.expect(type="notification")


def test_a_token_that_lasts_for_ever_has_no_end_to_tell(stand, user):
    client = stand.tab(f"/ws?token={token(user, 10**12)}")
    assert client.request("auth", token=token(user, 10**13))["expires_at"] is None


def test_many_tokens_at_once_are_all_judged(stand, user):
    users = [f"{user}-{n}" for n in range(4)]  # a user has a hundred sessions at most
    tabs = [stand.tab(f"/ws?token={token(users[n % 4])}", greeted=False) for n in range(200)]
    for n, tab in enumerate(tabs):
        assert tab.expect(type="connection")["user_id"] == users[n % 4]


def test_with_auth_none_a_token_is_asked_for_by_nobody(make_stand):
    stand = make_stand()
    tab = stand.tab("/ws?user=alice&token=whatever")
    assert tab.greeting["user_id"] == "alice"
    assert tab.request("auth", token="whatever") == {
        "type": "authenticated", "user_id": "alice", "expires_at": None, "request_id": "t1",
    }  # fmt: skip
