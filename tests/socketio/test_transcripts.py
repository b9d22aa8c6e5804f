"""The same client says the same to the official server and to ours: what passes over the wire is compared packet by packet,
and what they answer to requests that no client would send byte by byte."""

import socket

import pytest

from platforms import Official, settle
from recorder import CLOSE, Recorder, packets_of, read_chunks
from servers import wait_until
from stock import Socket
from transcripts import conversation, differs, heads, upgrades

@pytest.fixture(scope="module")
def platforms():
    """The official server, and ours; with --official twice the official one, which shows what differs from run to run."""
    found = []
    yield found
    for platform in found:
        platform.close()


@pytest.fixture(scope="module")
def both(platforms, platform_kind):
    equal = {"namespaces": ["/admin"], "roles": {"*": {"categories": ["*"]}}}  # as without tokens
    theirs = Official(maxPayload=65536, **equal)  # ours has a limit for all messages
    platforms += [theirs, platform_kind(**equal) if platform_kind.is_ours else Official(maxPayload=65536, **equal)]
    return platforms


class Talk:
    """A client's script at one server."""

    def __init__(self, platform, driver, mode):
        self.platform, self.driver, self.mode = platform, driver, mode
        self.recorder = Recorder(platform.daemons[0].port)
        self.sockets = []

    def open(self, namespace="/", beside=None, wait=True, **opening):
        if beside is not None:
            opening["beside"] = beside.name
        url = self.recorder.url + ("" if "?" in self.recorder.url else "/?user=alice" if self.driver.kind.startswith("py") else "")
        socket_ = Socket(self.driver, url, self.mode, namespace=namespace, **opening)
        if not self.driver.kind.startswith("py"):
            socket_.opening["options"] = {"query": {"user": "alice"}}
        self.sockets.append(socket_)
        return socket_.open(wait)

    def close(self):
        for one in self.sockets:
            one.forget()
        self.recorder.close()


def settled(one):
    """When an upgrade is over."""
    wanted = "polling" if one.mode == "polling" else "websocket"
    one.driver.until(lambda: True, "")
    for _ in range(200):
        if one.state()["transport"] == wanted:
            return
        settle(0.05)
    raise AssertionError(f"no {wanted}: {one.state()}")


def come_and_go(talk):
    x = talk.open(auth={"token": "123"})
    x.wait("connected")
    settled(x)
    x.do("disconnect")


def events_and_acks(talk):
    x = talk.open()
    x.wait("connected")
    settled(x)
    x.emit("subscribe_session", {"session_id": "s1"})
    x.wait("subscribed")
    assert x.call("subscribe_session", {"session_id": "s2 \u00e9\u20ac\U0001f600\\\""})
    assert x.call("ping")
    x.emit("ping")
    x.wait("pong")
    talk.platform.event("session:s1", "session_progress", {"progress_percentage": 40, "nested": [{"a": None}, 0.5]})
    x.wait("session_progress")
    talk.platform.event("topic:all", "alert", {"alert_id": "a1", "severity": "error", "title": "t", "message": "m"})
    x.wait("alert")
    x.emit("unsubscribe_session", {"session_id": "s1"})
    x.wait("unsubscribed")
    x.do("disconnect")


def errors(talk):
    x = talk.open()
    x.wait("connected")
    settled(x)
    for args in ([], [{}], [{"session_id": ""}]):
        assert x.call("subscribe_session", *args)
    x.do("disconnect")


def many_at_once(talk):
    x = talk.open()
    x.wait("connected")
    settled(x)
    x.emit("subscribe_session", {"session_id": "many"})
    x.wait("subscribed")
    for n in range(12):
        talk.platform.event("session:many", "session_progress", {"current_step": n})
    x.wait("session_progress", current_step=11)
    x.do("disconnect")


def several_namespaces(talk):
    x = talk.open()
    x.wait("connected")
    settled(x)
    y = talk.open("/admin", beside=x)
    y.wait("connected")
    assert y.call("subscribe_session", {"session_id": "in another"})
    z = talk.open("/nobody", beside=x, wait=False)
    assert z.wait("connect_error")[0] == "Invalid namespace"
    y.do("disconnect")
    assert x.call("ping")
    x.do("disconnect")


SCRIPTS = [come_and_go, events_and_acks, errors, many_at_once]


def record(platform, driver, mode, script):
    talk = Talk(platform, driver, mode)
    try:
        script(talk)
        wait_until(lambda: has_left(talk), "the client's farewell")
        return talk.recorder.read()
    finally:
        talk.close()


def has_left(talk):
    """Whether all that a client says when it leaves has passed. Python's on polling may end before it says anything."""
    exchanges, frames = talk.recorder.read()
    said = packets_of(exchanges, frames)[True]
    if talk.driver.kind.startswith("py"):
        return talk.mode == "polling" or any(frame.from_client and frame.opcode == CLOSE for frame in frames) or "41" in said
    return "41" in said and ("1" in said if talk.mode == "polling" else any(frame.from_client and frame.opcode == CLOSE for frame in frames))


def without_farewell(kind, said):
    """What Python's clients say last, and whether at all, is decided by their threads."""
    if not kind.startswith("py"):
        return said
    farewell = ("1", ("4", "1", None, None, "", None))
    return {side: [one for one in packets if one not in farewell] for side, packets in said.items()}


def before_farewell(kind, exchanges):
    """Nor is it by the order in which they say it whether the server still knows them when it hears the rest."""
    if not kind.startswith("py"):
        return exchanges
    at = min((one.number for one in exchanges if one.method == "POST" and one.body.strip() in (b"41", b"1", b"41\x1e1")), default=None)
    return exchanges if at is None else [one for one in exchanges if one.number < at]


def compare(both, driver, mode, script):
    theirs, ours = (record(platform, driver, mode, script) for platform in both)
    said = [without_farewell(driver.kind, conversation(packets_of(*recorded))) for recorded in (theirs, ours)]
    for side, name in ((True, "client"), (False, "server")):
        assert differs(said[0][side], said[1][side], name) is None
    assert upgrades(packets_of(*theirs)) == upgrades(packets_of(*ours))
    found = [heads(before_farewell(driver.kind, exchanges)) for exchanges, _ in (theirs, ours)]
    for request in found[0]:
        assert found[0][request] == found[1].get(request), request
    closes = [[(frame.from_client, frame.payload) for frame in frames if frame.opcode == CLOSE] for _, frames in (theirs, ours)]
    if not driver.kind.startswith("py"):
        assert [one for one in closes[0] if one[0]] == [one for one in closes[1] if one[0]]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.__name__)
def test_the_wire_carries_what_the_official_servers_does(both, drivers, mode, script):
    compare(both, drivers.get("js-4.8"), mode, script)


def test_the_wire_carries_the_same_with_several_namespaces(both, drivers, mode):
    compare(both, drivers.get("js-4.8"), mode, several_namespaces)


def test_the_wire_carries_the_same_for_every_other_client(both, drivers, kind, mode):
    compare(both, drivers.get(kind), mode, events_and_acks)


# ---- what no client says

POLL = "/socket.io/?EIO=4&transport=polling"
WS = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

# Requests, one connection each; $SID is that of a session that was opened before by a poll. The last one's answer counts.
RAW = {
    "no transport": ["GET /socket.io/?EIO=4"],
    "an unknown transport": ["GET /socket.io/?EIO=4&transport=abc"],
    "no version": ["GET /socket.io/?transport=polling"],
    "version 3": ["GET /socket.io/?EIO=3&transport=polling"],
    "a version that is none": ["GET /socket.io/?EIO=abc&transport=polling"],
    "an unknown sid": [f"GET {POLL}&sid=abcdefghijklmnopqrst"],
    "an unknown sid that is no sid": [f"GET {POLL}&sid=%00%ff"],
    "POST without sid": [f"POST {POLL}"],
    "PUT without sid": [f"PUT {POLL}"],
    "DELETE without sid": [f"DELETE {POLL}"],
    "POST to an unknown sid": [f"POST {POLL}&sid=abcdefghijklmnopqrst|40"],
    "websocket without an upgrade": ["GET /socket.io/?EIO=4&transport=websocket"],
    "websocket with this sid and no upgrade": ["GET /socket.io/?EIO=4&transport=websocket&sid=$SID"],
    "websocket with an unknown sid": ["GET /socket.io/?EIO=4&transport=websocket&sid=abcdefghijklmnopqrst|" + WS],
    "websocket and an unknown transport": ["GET /socket.io/?EIO=4&transport=abc|" + WS],
    "a post": [f"POST {POLL}&sid=$SID|40"],
    "a post, then a poll": [f"POST {POLL}&sid=$SID|40/nobody,", f"GET {POLL}&sid=$SID"],
    "a packet that is none": [f"POST {POLL}&sid=$SID|abc", f"GET {POLL}&sid=$SID"],
    "a message that is none": [f"POST {POLL}&sid=$SID|4abc", f"GET {POLL}&sid=$SID"],
    "an event before the connect": [f'POST {POLL}&sid=$SID|42["ping"]', f"GET {POLL}&sid=$SID"],
    "an event that is no list": [f"POST {POLL}&sid=$SID|40\x1e42{{}}", f"GET {POLL}&sid=$SID"],
    "close": [f"POST {POLL}&sid=$SID|1", f"GET {POLL}&sid=$SID"],
    "the answer to a close": [f"POST {POLL}&sid=$SID|1"],
    "a preflight": [f"OPTIONS {POLL}|Origin: http://there\r\nAccess-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: x-a\r\n"],
}


def ask(port, wanted, sid):
    """(status, content type, body); the words behind | are a body, or headers if they end like those."""
    line, _, more = wanted.replace("$SID", sid).partition("|")
    headers, body = (more, "") if more.endswith("\r\n") else ("Content-Type: text/plain;charset=UTF-8\r\n" if more else "", more)
    if not headers.startswith("Upgrade"):
        headers += f"Content-Length: {len(body.encode())}\r\nConnection: close\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(f"{line} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{headers}\r\n{body}".encode())
        said = b""
        while data := connection.recv(65536):
            said += data
    head, _, body = said.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    if any(one.lower() == "transfer-encoding: chunked" for one in lines):
        body, _ = read_chunks(body, 0)
    types = [one.partition(":")[2].strip().lower().replace(" ", "") for one in lines if one.lower().startswith("content-type:")]
    return int(first.split(" ")[1]), types, body


def open_poll(port):
    _, _, body = ask(port, f"GET {POLL}", "")
    return body.split(b'"')[3].decode()


UNKNOWN = (400, ["application/json"], b'{"code":1,"message":"Session ID unknown"}')

# Where the official server is not to be followed, what ours may answer: it never says `1` to a poll, upon which python-socketio
# stays away, and what is malformed (a NUL) or a preflight is answered as for all other paths.
BETTER = {
    "an unknown sid that is no sid": lambda said: said[:2] == UNKNOWN[:2],
    "a message that is none": lambda said: said == UNKNOWN,
    "an event before the connect": lambda said: said == UNKNOWN,
    "an event that is no list": lambda said: said == UNKNOWN or said[2].startswith(b"40{"),
    "a preflight": lambda said: said == (204, [], b""),
}


@pytest.mark.parametrize("case", RAW)
def test_requests_of_no_client_are_answered_as_the_official_server_does(both, case):
    answers = []
    for platform in both:
        port = platform.daemons[0].port
        sid = open_poll(port)
        for wanted in RAW[case]:
            answer = ask(port, wanted, sid)
        answers.append(answer)
    better = BETTER.get(case, lambda said: False)
    assert answers[1] == answers[0] or better(answers[1]), answers
