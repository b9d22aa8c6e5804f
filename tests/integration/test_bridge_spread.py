"""Channels that are heard over several links (--subscriber-links), one of which is lost, stands still or comes back before
or behind the others: each message comes once and in order, and what is on the other links does not wait."""

import socket

import pytest

from servers import bridge_path, wait_until
from tcp_proxy import TcpProxy
from ws_client import WsClient

CONTROL = "notify:control"
HEARS = "notify-bridge:subscriber"


class Stage:
    """A bridge with links of which each can be told apart, by what is heard over it."""

    def __init__(self, programs, links=2, *args, **options):
        self.server = programs.redis()
        self.client = self.server.client()
        self.proxy = TcpProxy(self.server.port)
        self.bridge = programs.bridge(self.proxy, "--subscriber-links", str(links), "--broadcast-log", "", *args, **options)

    def tab(self, user, query=""):
        tab = WsClient(self.bridge.port, f"/ws?user={user}{query}")
        tab.expect(type="connection")
        return tab

    def heard(self, channel):
        return self.client.execute_command("PUBSUB", "NUMSUB", channel)[1]

    def links(self):
        """The ids of those that hear, the one of what is no key's first: it hears bridges and sessions, too."""
        found = [one for one in self.client.client_list() if one["name"] == HEARS]
        return [one["id"] for one in sorted(found, key=lambda one: -int(one["sub"]))]

    def lose(self, id_, *command):
        """Ends that link, and nothing is heard over it before the command is done; its answer."""
        pipe = self.client.pipeline(transaction=True)
        pipe.execute_command("CLIENT", "KILL", "ID", id_)
        if command:
            pipe.execute_command(*command)
        return pipe.execute()[-1]


def ids_of(tab, count):
    return [tab.expect(type="notification", timeout=60)["id"] for _ in range(count)]


def has_told_gap(messages):
    return [one for one in messages if one["type"] == "resumed" and not all(r["recovered"] for r in one["results"].values())]


@pytest.fixture
def stage(programs):
    made = []

    def make(*args, **options):
        made.append(Stage(programs, *args, **options))
        return made[-1]

    yield make
    for one in made:
        one.proxy.close()


def test_what_was_missed_comes_though_the_last_entry_is_deleted_and_the_link_of_what_is_no_keys_comes_back_last(stage):
    """That all keys are gone may have been said meanwhile, and was not: the box goes on where it was."""
    stage = stage(2)
    tab = stage.tab("u")
    ids = [stage.client.execute_command("NOTIFY.SEND", "inbox:u", f"n{n}") for n in range(3)]
    assert ids_of(tab, 3) == ids
    stage.client.execute_command("NOTIFY.DEL", "inbox:u", ids[-1])
    tab.expect(type="deleted")
    others, *hearers = stage.links()
    (heard_by,) = [one["id"] for one in stage.client.client_list() if one["id"] in hearers and int(one["sub"]) == 1]
    stage.proxy.hold(b"notify-bridge:commands")
    mark = stage.bridge.mark()
    missed = [stage.lose(heard_by, "NOTIFY.SEND", "inbox:u", "missed")]
    wait_until(lambda: stage.heard("inbox:u") == 1, "the inbox' being heard again")
    stage.lose(others)
    wait_until(lambda: stage.heard(CONTROL) == 1, "the other link")
    stage.bridge.wait_line(f"event=redis_link_up link={HEARS}", since=mark)
    missed.append(stage.client.execute_command("NOTIFY.SEND", "inbox:u", "heard"))
    stage.proxy.release(b"notify-bridge:commands")
    got = []
    while len([one for one in got if one["type"] == "notification"]) < 2:
        got.append(tab.recv(timeout=30))
    got += tab.drain()
    assert [one["id"] for one in got if one["type"] == "notification"] == missed
    assert not has_told_gap(got)
    tab.close()


def test_each_link_may_be_lost_while_others_stay_and_each_message_comes_once_and_in_order(stage):
    stage = stage(4)
    users = [f"u{n}" for n in range(12)]
    tabs = {user: stage.tab(user) for user in users}
    sent = {user: [] for user in users}

    def send():
        for user in users:
            sent[user].append(stage.client.execute_command("NOTIFY.SEND", f"inbox:{user}", f"n{len(sent[user])}"))

    send()
    for n in range(5):
        pipe = stage.client.pipeline(transaction=True)
        pipe.execute_command("CLIENT", "KILL", "ID", stage.links()[n])
        for user in users:
            pipe.execute_command("NOTIFY.SEND", f"inbox:{user}", "while it was away")
        for user, id_ in zip(users, pipe.execute()[1:]):
            sent[user].append(id_)
        send()
        wait_until(lambda: len(stage.links()) == 5, "all links")
    for user, tab in tabs.items():
        assert ids_of(tab, len(sent[user])) == sent[user]
        assert not tab.drain()
        tab.close()


def test_a_link_that_stands_still_keeps_back_what_is_heard_over_it_alone(stage):
    stage = stage(4)
    users = [f"u{n}" for n in range(16)]
    tabs = {user: stage.tab(user) for user in users}
    held = next(link for link in stage.proxy.links if b"SUBSCRIBE\r\n" in link.head and b"inbox:u" in link.head)
    slow = {user for user in users if f"inbox:{user}\r\n".encode() in held.head}
    assert slow and len(slow) < len(users)
    held.answers.clear()
    ids = {user: stage.client.execute_command("NOTIFY.SEND", f"inbox:{user}", "hello") for user in users}
    for user in set(users) - slow:
        assert ids_of(tabs[user], 1) == [ids[user]]
    assert not any(tabs[user].drain() for user in slow)
    mark = stage.bridge.mark()
    stage.bridge.wait_line(f"event=redis_link_down link={HEARS} .*silent", since=mark)
    for user in slow:
        assert ids_of(tabs[user], 1) == [ids[user]]
    held.answers.set()
    for tab in tabs.values():
        assert not tab.drain()
        tab.close()


def test_what_was_sent_before_a_session_was_ended_is_had_before_the_connection_is_closed(stage):
    stage = stage(4)
    for n in range(40):
        tab = stage.tab(f"u{n}")
        pipe = stage.client.pipeline(transaction=True)
        pipe.execute_command("NOTIFY.SEND", f"inbox:u{n}", "you are logged out")
        pipe.execute_command("NOTIFY.SESSION", "KICK", f"sessions:u{n}", "*")
        id_, _ = pipe.execute()
        assert ids_of(tab, 1) == [id_]
        assert tab.wait_closed().code == 4410


def test_what_is_told_of_all_keys_is_asked_for_again_once_redis_may_permit_it(programs, redis_server):
    client = redis_server.client()
    client.execute_command("ACL", "SETUSER", "br", "on", ">secret", "~*", "resetchannels", "&inbox:*", "+@all")
    url = type("At", (), {"url": redis_server.url.replace("//", "//br:secret@")})
    bridge = programs.bridge(url, "--broadcast-log", "", "--session-lease", "0")
    bridge.wait_line("event=redis_forbids channel=notify:control")
    client.execute_command("ACL", "SETUSER", "br", f"&{CONTROL}")
    assert client.execute_command("PUBSUB", "NUMSUB", CONTROL)[1] == 0
    client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    client.execute_command("CLIENT", "KILL", "USER", "br")
    wait_until(lambda: client.execute_command("PUBSUB", "NUMSUB", CONTROL)[1] == 1, "its being heard")
    client.execute_command("ACL", "DELUSER", "br")


def test_as_many_links_as_there_may_be_hear_everything_once_and_in_order(stage):
    stage = stage(64)
    assert len(stage.links()) == 65
    tabs = [stage.tab(f"u{n}") for n in range(150)]
    sent = [[stage.client.execute_command("NOTIFY.SEND", f"inbox:u{n}", f"{k}") for k in range(2)] for n in range(150)]
    assert [ids_of(tab, 2) for tab in tabs] == sent
    used = [one for one in stage.client.client_list() if one["name"] == HEARS and int(one["sub"]) > 0]
    assert len(used) > 32, "they are spread"
    for id_ in stage.links():
        stage.lose(id_)
    sent = [stage.client.execute_command("NOTIFY.SEND", f"inbox:u{n}", "again") for n in range(150)]
    assert [ids_of(tab, 1)[0] for tab in tabs] == sent


@pytest.fixture
def narrow(tmp_path):
    """narrow(files): the bridge as a program that may have no more of them."""

    def make(files):
        program = tmp_path / "narrow"
        program.write_text(f'#!/bin/sh\nulimit -n {files} && exec "{bridge_path()}" "$@"\n', encoding="ascii")
        program.chmod(0o755)
        return str(program)

    return make


def is_answered(sock):
    """Or ended."""
    try:
        sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        return True
    except BlockingIOError:
        return False
    except OSError:
        return True


UPGRADE = (
    "GET /ws?user=u{} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


def test_links_that_are_lost_are_made_again_though_clients_have_all_the_places_that_there_are(stage, narrow):
    """Of files they have no more than links leave, or a client would be accepted in the place of a link that was lost."""
    stage = stage(64, "--connect-rate", "0", program=narrow(300))
    assert stage.bridge.has_line(r"event=file_limit connections=\d+ wanted=1000000")
    tab = stage.tab("somebody")
    socks = [socket.create_connection(("127.0.0.1", stage.bridge.port)) for _ in range(300)]
    for n, sock in enumerate(socks):
        try:
            sock.sendall(UPGRADE.format(n).encode())
        except OSError:
            pass  # it had no place
    paused = "event=accept_paused"
    wait_until(lambda: stage.bridge.has_line(paused) or all(map(is_answered, socks)), "an answer for each")
    for id_ in stage.links():
        stage.lose(id_)
    wait_until(lambda: len(stage.links()) == 65, "all links")
    assert not stage.bridge.has_line(paused)
    id_ = stage.client.execute_command("NOTIFY.SEND", "inbox:somebody", "hello")
    assert ids_of(tab, 1) == [id_]
    tab.close()
    for sock in socks:
        sock.close()
