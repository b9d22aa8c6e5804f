"""Inboxes follow the logs of their users: by whom, from when on, and what happens when Redis refuses."""

import time

import pytest

from bridge_helpers import new_name
from servers import change_roles, wait_until
from tokens import SECRET, token

JWT = ["--auth", "jwt", "--jwt-secret", SECRET]


def pairs(flat):
    """A map as RESP2 has it."""
    return dict(zip(flat[::2], flat[1::2]))


def cursors(stand, user):
    """The logs that the inbox of user follows, with where each starts."""
    return {log: pairs(fields)["start"] for log, fields in pairs(stand.call("NOTIFY.CURSORS", f"inbox:{user}")).items()}


def follows(stand, user):
    return sorted(cursors(stand, user))


def commands_of(stand, name):
    """How often the server has executed it."""
    stats = stand.client.info("commandstats").get(f"cmdstat_{name}")
    return 0 if stats is None else stats["calls"]


def unread(stand, user, *logs):
    return stand.call("NOTIFY.UNREAD", f"inbox:{user}", *(["LOGS", len(logs), *logs] if logs else []))


def test_who_connects_follows_the_broadcast_log_from_now_on(stand, user):
    before = stand.send("topic:all", "before it came")
    stand.tab(f"/ws?user={user}")
    assert cursors(stand, user) == {"topic:all": before}
    stand.send("topic:all", "after it came")
    assert (unread(stand, user), unread(stand, user, "topic:all")) == (0, 1)


def test_what_comes_after_the_greeting_counts_however_many_come_at_once(make_stand):
    stand = make_stand()
    for n in range(40):
        name = f"u{n}"
        stand.tab(f"/ws?user={name}")
        stand.send("topic:all")
        assert unread(stand, name, "topic:all") == 1, name


def test_who_follows_already_changes_nothing_in_redis(stand, user):
    stand.tab(f"/ws?user={user}").close()
    stand.send("topic:all", "while it was away")
    raw = stand.server.client(decode_responses=False)
    before = raw.execute_command("DUMP", f"inbox:{user}")
    stand.tab(f"/ws?user={user}")
    assert raw.execute_command("DUMP", f"inbox:{user}") == before
    assert unread(stand, user, "topic:all") == 1


def test_two_bridges_follow_once_and_count_the_same(make_stand):
    stand = make_stand()
    other = stand.bridge(stand.server, name="other")
    tabs = [stand.tab("/ws?user=alice"), stand.tab("/ws?user=alice", port=other.port)]
    stand.send("topic:all")
    for tab in tabs:
        assert tab.expect(type="notification")["key"] == "topic:all"
    assert unread(stand, "alice", "topic:all") == 1
    assert [message for tab in tabs for message in tab.drain()] == []


def test_a_name_that_was_made_up_leaves_nothing_in_redis(stand):
    tab = stand.tab("/ws")
    made = tab.greeting["user_id"]
    stand.tab(f"/ws?user={new_name()}")  # asked behind it
    assert stand.call("EXISTS", f"inbox:{made}") == 0


def test_several_broadcast_logs_and_none(make_stand):
    stand = make_stand("--broadcast-log", "topic:all", "--broadcast-log", "topic:ops")
    stand.tab("/ws?user=alice")
    assert follows(stand, "alice") == ["topic:all", "topic:ops"]
    none = make_stand("--broadcast-log", "")
    none.tab("/ws?user=alice")
    assert none.call("EXISTS", "inbox:alice") == 0


# ---- roles

ROLES = "role *\n  categories *\n  follow news team:{user}\nrole dev\n  follow builds\n"


@pytest.fixture
def roles_stand(make_stand, tmp_path):
    path = tmp_path / "roles.conf"
    path.write_text(ROLES)
    stand = make_stand(*JWT, "--roles", str(path))
    stand.roles_path = path
    return stand


def open_as(stand, user, *roles, port=None):
    return stand.tab(f"/ws?token={token(user, roles=list(roles))}&last_event_id=", port=port)


def test_the_topics_of_a_role_are_followed_whatever_is_subscribed_besides(roles_stand):
    tab = open_as(roles_stand, "alice", "dev")
    assert tab.request("subscribe", topic="news")["status"] == "subscribed"
    assert tab.request("unsubscribe", topic="news")["status"] == "unsubscribed"
    assert follows(roles_stand, "alice") == ["topic:all", "topic:builds", "topic:news", "topic:team:alice"]


def test_a_role_that_was_lost_while_away_is_left_and_what_an_application_made_follow_stays(roles_stand):
    open_as(roles_stand, "alice", "dev").close()
    roles_stand.call("NOTIFY.FOLLOW", "inbox:alice", "topic:project")
    open_as(roles_stand, "alice")
    wait_until(lambda: "topic:builds" not in follows(roles_stand, "alice"), "that it is left")
    assert follows(roles_stand, "alice") == ["topic:all", "topic:news", "topic:project", "topic:team:alice"]


def test_a_change_of_the_file_is_told_to_all_devices_and_counts(roles_stand):
    stand = roles_stand
    other = stand.bridge(stand.server, *JWT, "--roles", str(stand.roles_path), name="other")
    tabs = [open_as(stand, "alice"), open_as(stand, "alice", port=other.port)]
    change_roles(stand.roles_path, "role *\n  categories *\n  follow fresh\n  subscribe news\n", stand.daemon, other)
    for tab in tabs:
        told = tab.expect(type="unfollowed", log="topic:news")
        assert (told["key"], told["log_unread"]) == ("inbox:alice", 0)
        tab.expect(type="unfollowed", log="topic:team:alice")
        assert tab.expect(type="followed", log="topic:fresh")["log_unread"] == 0
    assert follows(stand, "alice") == ["topic:all", "topic:fresh"]
    stand.send("topic:fresh")
    assert unread(stand, "alice", "topic:fresh") == 1


def test_another_token_brings_and_takes_logs(roles_stand):
    tab = open_as(roles_stand, "alice")
    assert tab.request("auth", token=token("alice", roles=["dev"]))["type"] == "authenticated"
    assert tab.expect(type="followed")["log"] == "topic:builds"
    assert tab.request("auth", token=token("alice"))["type"] == "authenticated"
    assert tab.expect(type="unfollowed")["log"] == "topic:builds"
    assert "topic:builds" not in follows(roles_stand, "alice")


def test_more_logs_than_a_user_may_count_are_delivered_and_the_limit_is_counted(make_stand, tmp_path):
    path = tmp_path / "roles.conf"
    path.write_text("role *\n  categories *\n  follow " + " ".join(f"t{n}" for n in range(120)) + "\n")
    stand = make_stand(*JWT, "--roles", str(path), "--max-subscriptions", "200")
    tab = open_as(stand, "alice")
    assert len(follows(stand, "alice")) == 100
    assert stand.daemon.metrics()['notify_limit_hits_total{limit="logs-per-user"}'] > 0
    id_ = stand.send("topic:t119")
    assert tab.expect(type="notification")["id"] == id_


# ---- the box is another one


@pytest.mark.parametrize("words", [("DEL", "inbox:alice"), ("FLUSHALL",)])
def test_a_box_that_has_gone_follows_again_as_long_as_somebody_is_there(make_stand, words):
    stand = make_stand()
    tab = stand.tab("/ws?user=alice")
    stand.send("inbox:alice")
    stand.call(*words)
    if words[0] == "DEL":
        tab.expect(type="gone", key="inbox:alice")
    wait_until(lambda: follows(stand, "alice") == ["topic:all"], "that it follows again")
    stand.send("topic:all")
    assert unread(stand, "alice", "topic:all") == 1


def test_a_server_that_comes_back_empty_is_made_to_follow_again(make_stand):
    stand = make_stand()
    tab = stand.tab("/ws?user=alice")
    stand.send("inbox:alice")
    tab.expect(type="notification")
    stand.server.kill9()
    stand.server.restart()
    stand.client = stand.server.client()
    wait_until(lambda: follows(stand, "alice") == ["topic:all"], "that it follows again")


# ---- Redis refuses


def told(stand, since=0):
    return stand.daemon.wait_line("event=logs_not_followed", since=since)


def serves(stand, tab, user):
    """Nothing else has changed for it."""
    return stand.send(f"inbox:{user}") == tab.expect(type="notification", key=f"inbox:{user}")["id"]


def test_a_user_of_redis_who_may_not_follow_is_told_once_and_everybody_is_served(make_stand):
    stand = make_stand()
    stand.call("ACL", "SETUSER", "default", "-notify.follow")
    mark = stand.daemon.mark()
    tabs = [stand.tab(f"/ws?user=u{n}") for n in range(5)]
    assert "NOPERM" in told(stand, mark)
    stand.call("ACL", "SETUSER", "default", "+notify.follow")
    for n, tab in enumerate(tabs):
        assert serves(stand, tab, f"u{n}")
    assert stand.daemon.tail(200).count("event=logs_not_followed") == 1
    assert stand.daemon.metrics()["notify_logs_refused_total"] == 5
    stand.tab("/ws?user=u0")
    assert follows(stand, "u0") == ["topic:all"]


def test_a_log_that_is_no_box_keeps_none_of_the_others_from_being_followed(make_stand):
    stand = make_stand("--broadcast-log", "topic:all", "--broadcast-log", "topic:text")
    stand.call("SET", "topic:text", "no box")
    mark = stand.daemon.mark()
    tab = stand.tab("/ws?user=alice")
    assert "WRONGTYPE" in told(stand, mark)
    wait_until(lambda: follows(stand, "alice") == ["topic:all"], "that the other is followed")
    assert serves(stand, tab, "alice")


def test_an_inbox_that_is_no_box_harms_nobody(make_stand):
    stand = make_stand()
    stand.call("SET", "inbox:alice", "no box")
    mark = stand.daemon.mark()
    stand.tab("/ws?user=alice")
    assert "WRONGTYPE" in told(stand, mark)
    assert serves(stand, stand.tab("/ws?user=bob"), "bob")


def test_a_full_memory_is_waited_for_without_holding_up_greetings(make_stand):
    stand = make_stand()
    stand.call("CONFIG", "SET", "maxmemory", "1")
    mark = stand.daemon.mark()
    begun = time.monotonic()
    for n in range(20):
        stand.tab(f"/ws?user=u{n}")
    assert time.monotonic() - begun < 15  # none of the twenty has waited for a second
    assert "OOM" in told(stand, mark)
    stand.call("CONFIG", "SET", "maxmemory", "0")
    for n in range(20):
        wait_until(lambda name=f"u{n}": follows(stand, name) == ["topic:all"], f"u{n}")


def test_a_replica_is_followed_through_once_it_is_a_primary(make_stand):
    stand = make_stand()
    primary = stand.redis(name="primary")
    stand.call("REPLICAOF", "127.0.0.1", primary.port)
    wait_until(lambda: stand.client.info("replication")["master_link_status"] == "up", "the link")
    mark = stand.daemon.mark()
    tab = stand.tab("/ws?user=alice")
    assert "READONLY" in told(stand, mark)
    stand.call("REPLICAOF", "NO", "ONE")
    wait_until(lambda: follows(stand, "alice") == ["topic:all"], "that it follows")
    assert serves(stand, tab, "alice")


def test_a_box_that_follows_as_many_as_it_may_is_told_and_served(make_stand):
    stand = make_stand()
    for start in range(0, 1024, 64):
        stand.call("NOTIFY.FOLLOW", "inbox:alice", *(f"topic:x{n}" for n in range(start, start + 64)))
    mark = stand.daemon.mark()
    tab = stand.tab("/ws?user=alice")
    assert "LIMIT" in told(stand, mark)
    assert serves(stand, tab, "alice")


def test_who_goes_while_redis_is_away_leaves_nothing_behind(make_stand):
    stand = make_stand()
    stand.tab("/ws?user=first")
    stand.server.kill9()
    for n in range(30):
        stand.tab(f"/ws?user=u{n}", greeted=False).close()
    stand.server.restart()
    stand.client = stand.server.client()
    tab = stand.tab("/ws?user=last")
    assert follows(stand, "last") == ["topic:all"]
    assert stand.call("EXISTS", *(f"inbox:u{n}" for n in range(30))) == 0
    assert serves(stand, tab, "last")


def test_the_first_connect_costs_one_command_and_so_does_every_other(make_stand):
    stand = make_stand()
    for _ in range(2):
        before = commands_of(stand, "NOTIFY.FOLLOW")
        for n in range(50):
            stand.tab(f"/ws?user=u{n}")
        stand.close_tabs()
        assert commands_of(stand, "NOTIFY.FOLLOW") - before == 50
    assert commands_of(stand, "NOTIFY.UNFOLLOW") == 0
    assert commands_of(stand, "NOTIFY.CURSORS") == 0
