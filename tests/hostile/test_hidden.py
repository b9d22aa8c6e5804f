"""Logs whose entries somebody may not see: nobody sees more by asking in another way, and nobody waits for who tries."""

import time

import pytest

from contract_c_client import Application, Refused
from servers import at_some_pace, change_roles
from tokens import SECRET, token

pytestmark = pytest.mark.measures

ROLES = """
role *
  categories  system
  permitted   maintenance
  subscribe   run:*
role admin
  categories  *
  subscribe   *
"""


@pytest.fixture
def house(programs, redis_server, tmp_path):
    """(bridge, open(user, *roles), redis client, file of roles)"""
    path = tmp_path / "roles.conf"
    path.write_text(ROLES)
    bridge = programs.bridge(
        redis_server, "--auth", "jwt", "--jwt-secret", SECRET, "--roles", str(path), "--message-rate", "0"
    )
    opened = []

    def open_one(user="mallory", *roles):
        opened.append(Application(bridge.port, token(user, roles=list(roles))).connect())
        return opened[-1]

    yield bridge, open_one, redis_server.client(), path
    for application in opened:
        application.socket.sock.close()


def fill(redis, key, count, *options):
    for start in range(0, count, 1000):
        pipe = redis.pipeline(transaction=False)
        for n in range(start, min(start + 1000, count)):
            pipe.execute_command("NOTIFY.SEND", key, f"secret {n}", *options)
        pipe.execute()


def test_who_asks_for_pages_of_a_log_in_which_all_is_hidden_delays_nobody(house):
    bridge, open_one, redis, _ = house
    fill(redis, "topic:run:1", 3000, "CATEGORY", "security")
    honest = open_one("honest")
    rogues = [open_one(f"rogue{n}") for n in range(5)]

    def is_undisturbed(at_most_s):
        for rogue in rogues:
            for n in range(30):
                rogue.socket.send({"type": "request_notification_history", "topic": "run:1", "limit": 1, "request_id": n})
        took = []
        for n in range(20):
            began = time.monotonic()
            honest.history(limit=5)
            took.append(time.monotonic() - began)
        for rogue in rogues:
            for n in range(30):
                answer = rogue.socket.expect(request_id=n)
                assert answer["items"] == []
        assert sorted(took)[-2] < at_most_s

    at_some_pace(is_undisturbed, 0.5, doublings=2)


def hidden_in(messages):
    return [m["data"]["title"] for m in messages if m["type"] == "notification" and m.get("category") == "security"]


def until_answered(application, request_id):
    """All notifications up to the answer, and those behind it up to now."""
    before, after, at = [], [], None
    application.socket.send({"type": "ping", "request_id": "end"})
    where = before
    while True:
        message = application.socket.recv(timeout=60)
        if message.get("request_id") == request_id:
            at, where = message, after
        if message.get("request_id") == "end":
            return at, before, after
        where.append(message)


def test_who_loses_a_role_while_it_catches_up_gets_nothing_of_it_behind_the_answer(house):
    _, open_one, redis, _ = house
    for n in range(3):
        fill(redis, "topic:run:1", 1000, "CATEGORY", "security", "CONTENT", "x" * 200)
        redis.execute_command("NOTIFY.SEND", "topic:run:1", f"shown {n}", "CATEGORY", "system")
    admin = open_one("adam", "admin")
    admin.socket.send({"type": "resume", "positions": {"topic:run:1": "0-0"}})
    admin.socket.send({"type": "auth", "token": token("adam"), "request_id": "less"})
    answer, _, after = until_answered(admin, "less")
    assert answer["type"] == "authenticated"
    assert hidden_in(after) == []


def test_who_loses_a_role_and_reads_slowly_gets_nothing_that_came_after_the_loss(house):
    bridge, open_one, redis, path = house
    slow = Application(bridge.port, token("adam", roles=["admin"]))
    slow.connect()
    fill(redis, "topic:all", 5000, "CATEGORY", "security", "CONTENT", "x" * 1000)  # more than sockets and outbox hold
    change_roles(path, ROLES.replace("categories  *", "categories  system"), bridge)
    redis.execute_command("NOTIFY.SEND", "topic:all", "after the loss", "CATEGORY", "security")
    redis.execute_command("NOTIFY.SEND", "topic:all", "update", "CATEGORY", "system")
    slow.timeout = 60
    slow.wait_for("update")
    got = slow.titles()
    assert "after the loss" not in got
    assert 0 < len(got) < 5000  # what the sockets held, and no more
    slow.socket.sock.close()


NEARLY = ["Security", "security ", " security", "secur\u0131ty", "securi\u0301ty", "security\u200b", "*", "s*", "{user}", "system*", "sys"]


@pytest.mark.parametrize("name", NEARLY)
def test_a_category_that_is_nearly_one_is_another_one(house, name):
    _, open_one, redis, _ = house
    mallory = open_one(name)
    for type_ in ("subscribe_category", "unsubscribe_category", "subscribe_category"):
        try:
            mallory.request(type_, category=name)
        except Refused as refused:
            assert refused.code == "FORBIDDEN"
    redis.execute_command("NOTIFY.SEND", "topic:all", "secret", "CATEGORY", "security")
    redis.execute_command("NOTIFY.SEND", "topic:all", "of the name", "CATEGORY", name)
    redis.execute_command("NOTIFY.SEND", "topic:all", "lunch")
    mallory.wait_for("lunch")
    assert mallory.titles() == ["lunch"]


def test_leaving_a_category_that_one_may_not_see_does_not_let_one_join_it(house):
    _, open_one, redis, _ = house
    mallory = open_one()
    assert mallory.unsubscribe_category("security")["status"] == "unsubscribed"
    with pytest.raises(Refused):
        mallory.subscribe_category("security")
    redis.execute_command("NOTIFY.SEND", "topic:all", "secret", "CATEGORY", "security")
    redis.execute_command("NOTIFY.SEND", "topic:all", "lunch")
    mallory.wait_for("lunch")
    assert mallory.titles() == ["lunch"]


def test_a_thousand_choices_of_categories_hold_up_nobody(house):
    """Each its own filter: nothing of what goes out is shared."""
    _, open_one, redis, _ = house
    honest = open_one("honest")
    rogues = [open_one(f"rogue{n}") for n in range(100)]
    for n, rogue in enumerate(rogues):
        for i in range(20):
            rogue.socket.send({"type": "unsubscribe_category", "category": f"{n}-{i}", "request_id": i})
    for rogue in rogues:
        assert rogue.socket.expect(request_id=19)["status"] == "unsubscribed"
    fill(redis, "topic:all", 300, "CATEGORY", "system")
    began = time.monotonic()
    redis.execute_command("NOTIFY.SEND", "topic:all", "update", "CATEGORY", "system")
    honest.wait_for("update")
    assert time.monotonic() - began < 15
    for rogue in rogues:
        rogue.wait_for("update")
