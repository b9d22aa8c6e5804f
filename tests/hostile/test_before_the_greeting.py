"""What a peer asks before it is greeted: while Redis stands still it may ask for anything."""

import signal

from ws_client import WsClient



def entries_of(client, key, count):
    got = []
    while len(got) < count:
        message = client.recv()
        if message.get("key") == key:
            got.append(message["id"])
    return got


def test_a_subscription_that_overflows_before_the_greeting_ends_nobody(programs, redis_server):
    """The greeting refills the follow that fell behind, within the call that makes it live."""
    bridge = programs.bridge(redis_server, "--outbox-bytes", "4096")
    redis = redis_server.client()
    followers = [WsClient(bridge.port, f"/ws?user=f{n}&topics=x") for n in range(2)]
    for follower in followers:
        follower.expect(type="connection")
    ids = [redis.execute_command("NOTIFY.SEND", "topic:x", "t" * 200) for _ in range(60)]
    for follower in followers:
        assert entries_of(follower, "topic:x", 60) == ids
    redis_server.proc.send_signal(signal.SIGSTOP)
    try:
        early = WsClient(bridge.port, "/ws?user=early")
        early.send({"type": "subscribe", "topic": "x", "last_id": "0-1", "request_id": 1})
        early.send_frame(9, b"heard")
        assert early.recv_frame()[2] == b"heard"
    finally:
        redis_server.proc.send_signal(signal.SIGCONT)
    assert early.recv()["type"] == "connection"
    assert entries_of(early, "topic:x", 60) == ids
    assert early.expect(request_id=1)["recovered"] is True
    assert bridge.running()
    for client in [early, *followers]:
        client.close()


def test_a_resume_of_the_own_inbox_before_the_greeting_does_not_hold_it_back(
    programs, redis_server
):
    """What is missed is more than the outbox holds, and nothing goes out before the greeting: it
    must not wait for what waits for it."""
    bridge = programs.bridge(redis_server, "--outbox-bytes", "4096")
    redis = redis_server.client()
    ids = [redis.execute_command("NOTIFY.SEND", "inbox:early", "t" * 200) for _ in range(60)]
    redis_server.proc.send_signal(signal.SIGSTOP)
    try:
        early = WsClient(bridge.port, "/ws?user=early")
        early.send({"type": "resume", "positions": {"inbox:early": "0-1"}, "request_id": 1})
        early.send_frame(9, b"heard")
        assert early.recv_frame()[2] == b"heard"
    finally:
        redis_server.proc.send_signal(signal.SIGCONT)
    assert early.recv()["type"] == "connection"
    assert entries_of(early, "inbox:early", 60) == ids
    assert early.expect(request_id=1)["results"] == {"inbox:early": {"recovered": True, "count": 60}}
    early.close()
