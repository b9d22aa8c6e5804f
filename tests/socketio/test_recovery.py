"""Connection state recovery, which the official client of today does by itself when the server gives it a pid: the same
socket goes on, and what was missed comes."""

import pytest

from platforms import settle

EVENTS = 20
# Not much sooner than by itself: what is recovered is there once the server has noticed that a connection broke.
AGAIN = {"reconnectionDelay": 300, "reconnectionDelayMax": 1000}
NAMELESS = {"auth": {"recovery": True}, "options": AGAIN}
NAMED = {"auth": {"recovery": True}, "options": {**AGAIN, "query": {"user": "alice"}}}


@pytest.fixture
def platform(start_platform, platform_kind):
    return start_platform() if platform_kind.is_ours else start_platform(recovery=True)


def numbers(socket):
    return [args[0]["n"] for args in socket.args_of("system_status")]


def open_live(open_socket, *args, **options):
    """From `connected` on it is sent all that is published."""
    socket = open_socket(*args, **options)
    socket.wait("connected")
    return socket


def drop_and_return(socket):
    """What connect says: (the socket's id, whether it was recovered)."""
    socket.do("drop")
    socket.wait("disconnect")
    return socket.wait("connect")


@pytest.mark.parametrize("named", [True, False])
def test_a_socket_that_asks_for_it_goes_on_after_a_loss_and_has_missed_nothing(platform, open_socket, mode, named):
    socket = open_live(open_socket, "js-4.8", platform.url, mode, **(NAMED if named else NAMELESS))
    id_ = socket.state()["id"]
    sent = 0
    for _ in range(5):
        for _ in range(EVENTS):
            platform.event("topic:all", "system_status", {"status": "ok", "n": sent})
            sent += 1
            if sent % EVENTS == EVENTS // 2:
                socket.wait("system_status", n=sent - 1)
                socket.do("drop")
        socket.wait("disconnect")
        assert socket.wait("connect") == [id_, True]
        socket.wait("system_status", n=sent - 1)
    assert numbers(socket) == list(range(sent))


def test_what_a_socket_follows_is_recovered_with_it(platform, open_socket, mode):
    socket = open_live(open_socket, "js-4.8", platform.url, mode, **NAMED)
    platform.event("topic:all", "system_status", {"status": "first", "n": 0})
    socket.wait("system_status")
    socket.call("ping")
    assert drop_and_return(socket)[1] is True
    assert socket.call("ping")


def test_nobody_gets_an_argument_more_who_has_not_asked_for_it(platform, open_socket, kind):
    if not platform.is_ours:
        pytest.skip("the official server gives it to all or to none")
    socket = open_live(open_socket, kind, platform.url)
    platform.event("topic:all", "system_status", {"status": "ok", "n": 1})
    assert len(socket.wait("system_status")) == 1
    settle()
    if kind == "js-4.8":
        id_ = socket.state()["id"]
        again, recovered = drop_and_return(socket)
        assert again != id_ and recovered is False
