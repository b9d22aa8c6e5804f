"""docs/acl.md is true: its lines give the bridge and senders what they need, and nothing else."""

import os
import re

import pytest
import redis

from agent import Agent
from chat_client import Chat
from poll_box import Box
from resp import Resp
from rest_client import Rest
from servers import ROOT, Bridge, wait_until
from ws_client import WsClient

ID = "1-0"

# Each right of the bridge that a request needs: that request.
REQUESTS = {
    "notify.send": ("publish", {"topic": "t", "title": "x"}),
    "notify.revrange": ("request_notification_history", {}),
    "notify.range": ("request_notification_history", {"after": "0-0"}),
    "notify.feed": ("request_notification_history", {"feed": True}),
    "notify.get": ("action_done", {"id": ID}),
    "notify.event": ("action_done", {"id": ID}),
    "notify.mute": ("mute", {"category": "ci"}),
    "notify.unmute": ("unmute", {"category": "ci"}),
    "notify.info": ("categories", {}),
    "notify.readall": ("mark_all_read", {}),
    "notify.mark": ("archive", {"id": ID}),
    "notify.seen": ("mark_seen", {}),
    "notify.del": ("delete_notification", {"id": ID}),
    "notify.unread": ("mark_read", {"id": ID}),
    "notify.badge": ("unread_count", {}),
    "notify.session": ("presence", {"user_id": "x"}),
}
# Those that no request needs (test_bridge_logs.py).
LOGS = {"notify.follow", "notify.unfollow"}
# What asking an agent needs besides.
AGENTS = {"xadd", "xdel", "get", "set"}
# And connection state recovery of Socket.IO.
RECOVERY = {"getdel"}
# The others, and what the log says without them.
BASICS = {
    "echo": "NOPERM .*'echo'",
    "subscribe": "NOPERM .*'subscribe'",
    "notify.since": "NOPERM .*'notify.since'",
    "select": "NOPERM .*'select'",
    "unsubscribe": "NOPERM .*'unsubscribe'",
    "info": "published_database_unknown .*NOPERM .*'info'",
    "notify.event": "status_failed .*NOPERM .*'notify.event'",
}


def line_of(user):
    """The rules of the line that makes this user."""
    with open(os.path.join(ROOT, "docs", "acl.md"), encoding="utf-8") as file:
        return re.search(rf"(?m)^ACL SETUSER {user} on >secret (.*)$", file.read()).group(1).split()


def selector_of(rules, first):
    """The rules in the brackets that begin with this one, without them."""
    begin = rules.index("(" + first)
    end = next(i for i in range(begin, len(rules)) if rules[i].endswith(")"))
    return " ".join(rules[begin : end + 1]).strip("()").split()


def without(rules, command):
    """The same rules, in and outside of brackets, as what they make of a user who had others."""
    return ["reset", "on", ">secret", *re.sub(rf"\+{command}(?=[ )]|$)", "", " ".join(rules)).split()]


def commands_in(rules):
    """Those that stand in no brackets."""
    outside = re.sub(r"\([^)]*\)", "", " ".join(rules)).split()
    return {rule[1:] for rule in outside if rule.startswith("+")}


class As:
    """A server as a user of docs/acl.md reaches it."""

    def __init__(self, server, user, db=""):
        self.url = server.url.replace("redis://", f"redis://{user}:secret@") + db


@pytest.fixture
def stage(programs, redis_server):
    """(admin's client, bridge that enters as the user of the documentation, database 1)"""
    admin = redis_server.client()
    admin.execute_command("CONFIG", "SET", "notify.database", "1")
    admin.execute_command("ACL", "SETUSER", "bridge", "on", ">secret", *line_of("bridge"))
    redis_server.client(db=1).execute_command("NOTIFY.SEND", "inbox:alice", "x", "ID", ID)
    bridge = programs.add(Bridge(As(redis_server, "bridge", "/1"), "--channel-linger", "0", "--agent-grace", "300ms", "--status-interval", "100ms"))
    bridge.start()
    return admin, bridge


def test_every_right_of_the_bridge_is_looked_at_here():
    assert commands_in(line_of("bridge")) == set(REQUESTS) | LOGS | set(BASICS) | AGENTS | RECOVERY


def test_with_the_documented_rights_the_bridge_can_do_everything(stage):
    _, bridge = stage
    with WsClient(bridge.port, "/ws/tab?user=alice") as tab:
        assert tab.expect(type="connection")
        for type_, members in (
            ("subscribe", {"topic": "t", "last_id": "0-0"}),
            ("subscribe_session", {"session_id": "s"}),
            ("resume", {"positions": {"inbox:alice": "0-0", "topic:all": "0-0"}}),
            *REQUESTS.values(),
            *2 * [("publish", {"topic": "t", "title": "x", "idempotency_key": "k"})],
            ("subscribe", {"topic": "t", "presence": True}),
            ("presence", {"session_id": "x", "list": True}),
            ("subscribe_presence", {"topic": "t"}),
            ("kick", {"user_id": "x"}),
            ("unsubscribe", {"topic": "t"}),
        ):
            answer = tab.request(type_, **members)
            assert answer["type"] != "error", answer
        assert tab.request("publish", user_id="alice", title="hello")["type"] == "ok"
        assert tab.expect(key="inbox:alice", message="hello")
    assert not any("NOPERM" in line for line in bridge.lines)


def test_with_the_documented_rights_everything_can_be_done_over_http(stage, redis_server):
    _, bridge = stage
    sender = redis_server.client(db=1)
    alice = Rest(bridge.port, user="alice")
    assert alice.get("/api/v1/notifications").status == 200
    ids = [sender.execute_command("NOTIFY.SEND", key, "hello") for key in ("inbox:alice", "topic:all")]
    for path in (ids[0], f"{ids[1]}:topic:all"):
        for method, behind, status in (("GET", "", 200), ("PATCH", "/read", 200), ("DELETE", "", 204)):
            assert alice.call(method, f"/api/v1/notifications/{path}{behind}").status == status, (method, path)
    assert alice.get("/api/v1/notifications/unread/count").json["unread"] == 1  # the one of the fixture
    assert alice.post("/api/v1/notifications/read-all").status == 200
    assert alice.get("/api/v1/sessions/alice").status == 200
    assert alice.post("/api/v1/sessions/alice/kick").status == 200
    assert not any("NOPERM" in line for line in bridge.lines)


def test_with_the_documented_rights_an_agent_is_asked_and_told_when_nobody_waits(stage, redis_server):
    _, bridge = stage
    agent = Agent(redis_server, db=1)
    with WsClient(bridge.port, "/api/v1/ws/s?user=alice") as tab:
        tab.send({"type": "message", "message": "Hi"})
        request = agent.take()
    agent.wait_cancelled(request)
    wait_until(lambda: agent.db.xlen("agent:requests") == 0, "it is taken out")
    assert not any("NOPERM" in line for line in bridge.lines)


def test_with_the_documented_rights_who_comes_back_for_an_answer_and_leaves_again_is_seen(stage, redis_server):
    _, bridge = stage
    agent = Agent(redis_server, db=1)
    reader = Chat(bridge.port, {"message": "Hi"}, user="alice")
    request = agent.take()
    assert reader.next()["type"] == "start"
    again = Chat(bridge.port, {"message": "Hi"}, user="alice", last_id=reader.last_id)
    reader.close()
    again.close()
    agent.wait_cancelled(request)
    assert not any("NOPERM" in line for line in bridge.lines)


def poll_all(box):
    """Everything that is done to the box of a session over polling."""
    box.open()
    box.push("4a", pong=True)
    box.take("aa:1", t="t1")
    box.look("aa:1")
    box.give("aa:1", "state", "42", pinged=True)
    box.probe("aa")
    box.unprobe("aa")
    box.take("bb:1")
    box.give("bb:1", keeps=True)
    box.close("cc:1")
    box.drop()
    box.open()
    box.take("aa:1")
    box.give("aa:1", keeps=True)
    box.take("bb:1")
    box.ask("bb:1")
    box.finish("bb:1")
    box.drop()
    box.open()
    box.probe("aa")
    box.upgrade("aa")
    box.drop()


def test_with_the_documented_rights_sessions_are_polled_and_with_one_less_they_are_not(redis_server):
    admin = redis_server.client()
    rules = selector_of(line_of("bridge"), "~eio:*")
    commands = [rule for rule in rules if rule.startswith("+")]
    for missing in [None, *set(commands) - {"+evalsha", "+subscribe", "+unsubscribe"}]:
        admin.flushall()
        granted = " ".join(rule for rule in rules if rule != missing)
        admin.execute_command("ACL", "SETUSER", "bridge", "reset", "on", ">secret", "-@all", f"({granted})")
        box = Box(redis.Redis.from_url(As(redis_server, "bridge").url, decode_responses=True))
        if missing is None:
            poll_all(box)
            continue
        with pytest.raises(redis.exceptions.RedisError):
            poll_all(box)
            pytest.fail(f"{missing} is not needed")


def test_without_the_right_to_ask_an_agent_a_message_is_forbidden(stage):
    admin, bridge = stage
    admin.execute_command("ACL", "SETUSER", "bridge", "-xadd")
    with WsClient(bridge.port, "/api/v1/ws/s?user=alice") as tab:
        assert tab.request("message", message="Hi")["error"]["code"] == "FORBIDDEN"
        assert tab.request("ping")["type"] == "pong"


@pytest.mark.parametrize("command", REQUESTS)
def test_without_its_right_a_request_is_forbidden_and_the_bridge_goes_on(command, stage):
    admin, bridge = stage
    type_, members = REQUESTS[command]
    admin.execute_command("ACL", "SETUSER", "bridge", "-" + command)
    with WsClient(bridge.port, "/ws?user=alice") as tab:
        tab.expect(type="connection")
        assert tab.request(type_, **members)["error"]["code"] == "FORBIDDEN"
        assert tab.request("ping")["type"] == "pong"
    assert not bridge.has_line("redis_link_down")


@pytest.mark.parametrize("command", BASICS)
def test_without_a_right_that_nothing_works_without_the_log_says_so(command, stage):
    admin, bridge = stage
    admin.execute_command("ACL", "SETUSER", "bridge", *without(line_of("bridge"), command))
    if command == "unsubscribe":
        with WsClient(bridge.port, "/ws?user=alice") as tab:
            tab.request("subscribe", topic="t")
            tab.request("unsubscribe", topic="t")
    else:
        admin.execute_command("CLIENT", "KILL", "USER", "bridge")
        with WsClient(bridge.port, "/ws?user=alice", timeout=30):
            bridge.wait_line("(?i)" + BASICS[command])
    bridge.wait_line("(?i)" + BASICS[command])


# What an application has no use for, or only servers say to each other.
NOT_FOR_APPLICATIONS = {"notify.verify", "notify.restorebox"}
SUBCOMMANDS = {"notify.session": ["LIST", "k"], "config": ["GET", "x"], "module": ["LIST"], "acl": ["LIST"],
               "debug": ["OBJECT", "k"]}  # fmt: skip


def test_an_application_gets_every_command_of_the_module_but_those_that_are_denied(redis_server):
    admin = redis_server.client()
    with Resp(redis_server.port) as resp:
        names = {name.lower() for name in resp.call("COMMAND", "LIST", "FILTERBY", "MODULE", "notify")}
    wanted = {name for name in names if not name.startswith("notify.session")} - NOT_FOR_APPLICATIONS
    assert commands_in(line_of("app")) == wanted | {"ping", "hello", "exists"}
    admin.execute_command("ACL", "SETUSER", "app", "on", ">secret", *line_of("app"))
    client = redis.Redis.from_url(As(redis_server, "app").url, decode_responses=True)
    sent = client.execute_command("NOTIFY.SEND", "inbox:1", "t")
    assert client.execute_command("NOTIFY.READ", "inbox:1", sent) == 1
    for words in (("DEL", "inbox:1"), ("PUBLISH", "inbox:1", "{}"), ("NOTIFY.SEND", "other", "t"), ("FLUSHALL",)):
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.execute_command(*words)


def test_what_is_to_be_denied_to_an_application_is_a_rule_of_each_server(redis_server):
    admin = redis_server.client()
    with open(os.path.join(ROOT, "docs", "acl.md"), encoding="utf-8") as file:
        rows = re.findall(r"(?m)^\| `(-[^`]*)` \|", file.read())
    rules = " ".join(rows).split()
    assert {"-publish", "-restore", "-notify.session", "-config"} <= set(rules)
    admin.execute_command("ACL", "SETUSER", "more", "on", ">s", "~*", "&*", "+@all", "-@admin", "-@dangerous", *rules)
    for name in (rule[1:] for rule in rules):
        words = [name, *SUBCOMMANDS.get(name, [])]
        with Resp(redis_server.port) as resp:
            arity = resp.call("COMMAND", "INFO", name)[0][1]
            said = resp.call("ACL", "DRYRUN", "more", *words, *["x"] * (abs(arity) - len(words)))
            assert "no permissions to run" in said.lower(), (words, said)
            assert resp.call("ACL", "DRYRUN", "more", "NOTIFY.SEND", "inbox:1", "t") == "OK"


SENDS = {
    "notify.send": ("NOTIFY.SEND", "inbox:alice", "hello"),
    "notify.sendmany": ("NOTIFY.SENDMANY", "2", "inbox:alice", "topic:t", "hello"),
    "notify.event": ("NOTIFY.EVENT", "session:s", "progress", "DATA", "{}"),
    "notify.signal": ("NOTIFY.SIGNAL", "session:s", "typing", "DATA", "{}"),
}


@pytest.fixture
def sender(redis_server):
    admin = redis_server.client()
    admin.execute_command("ACL", "SETUSER", "sender", "on", ">secret", *line_of("sender"))
    url = As(redis_server, "sender").url
    return admin, redis.Redis.from_url(url)


def test_with_the_documented_rights_a_sender_can_send_and_nothing_else(sender):
    admin, client = sender
    assert commands_in(line_of("sender")) == set(SENDS)
    for words in SENDS.values():
        client.execute_command(*words)
    for words in (
        ("GET", "inbox:alice"),
        ("PUBLISH", "inbox:alice", "{}"),
        ("NOTIFY.RANGE", "inbox:alice", "-", "+"),
        ("NOTIFY.SEND", "other", "hello"),
        ("FLUSHALL",),
    ):
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.execute_command(*words)
    assert admin.execute_command("NOTIFY.UNREAD", "inbox:alice") == 2


@pytest.mark.parametrize("command", SENDS)
def test_each_right_of_a_sender_is_needed(command, sender):
    admin, client = sender
    admin.execute_command("ACL", "SETUSER", "sender", "-" + command)
    with pytest.raises(redis.exceptions.NoPermissionError):
        client.execute_command(*SENDS[command])


def test_without_the_channels_a_sender_is_refused_and_nothing_is_stored(sender):
    admin, client = sender
    admin.execute_command("ACL", "SETUSER", "sender", "resetchannels")
    client.connection_pool.disconnect()
    with pytest.raises(redis.exceptions.NoPermissionError):
        client.execute_command("NOTIFY.SEND", "inbox:alice", "hello")
    assert admin.execute_command("NOTIFY.UNREAD", "inbox:alice") == 0
    assert client.execute_command("NOTIFY.SEND", "inbox:alice", "hello", "NOPUBLISH")
