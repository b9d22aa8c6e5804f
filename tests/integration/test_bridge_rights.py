"""What somebody may do: the roles file, claims that add to it, and guests."""

import re

import pytest

from bridge_helpers import Stand, ids_of, new_name
from servers import Bridge, change_roles, replace_file, wait_until
from tokens import SECRET, token

ROLES = """
role *
  categories  system
  follow      news
  subscribe   run:* team:{user}
  sessions    {user}-*
  publish     team:{user}
role editor
  publish     news run:*
  send        reader-*
role guest
  subscribe   public:*
"""


JWT = ["--auth", "jwt", "--jwt-secret", SECRET]


def write_roles(folder):
    """The file."""
    path = folder / "roles.conf"
    path.write_text(ROLES)
    return path


@pytest.fixture(scope="module")
def shared_stand(tmp_path_factory):
    path = write_roles(tmp_path_factory.mktemp("rights"))
    group = Stand(*JWT, "--roles", str(path), "--anonymous-role", "guest")
    yield group
    group.close()


def open_as(stand, user, *roles, query="", **more):
    return stand.tab(f"/ws?token={token(user, roles=list(roles), **more)}&last_event_id={query}")


def keys_of(stand, tab, *topics):
    """Those topics among them, as keys, of which something reaches tab."""
    for topic in topics:
        stand.send(f"topic:{topic}")
    return sorted(message["key"] for message in stand.drain(tab) if "id" in message)


def refused(tab, type_, **members):
    """The details of the FORBIDDEN that it is answered with."""
    answer = tab.request(type_, **members)
    assert (answer["type"], answer["error"]["code"]) == ("error", "FORBIDDEN"), answer
    return answer["error"]["details"]


def test_topics_are_subscribed_by_patterns_with_the_users_id(stand, user):
    tab = open_as(stand, user)
    for topic in ("run:7", "run:", f"team:{user}"):
        assert tab.request("subscribe", topic=topic)["status"] == "subscribed"
    for topic in ("run", "team:somebody", "team:", "all2", "{user}", f"team:{user}x"):
        wanted = {"member": "topic", "right": "subscribe", "name": topic}
        assert refused(tab, "subscribe", topic=topic) == wanted
        assert refused(tab, "request_notification_history", topic=topic) == wanted
        assert refused(tab, "resume", positions={f"topic:{topic}": "0-0"}) == {"member": "positions", "key": f"topic:{topic}"}
    assert keys_of(stand, tab, "team:somebody", "run:7") == ["topic:run:7"]


def test_sessions_are_followed_by_patterns(stand, user):
    tab = open_as(stand, user)
    assert tab.request("subscribe_session", session_id=f"{user}-1")["type"] == "subscribed"
    wanted = {"member": "session_id", "right": "sessions", "name": "other-1"}
    assert refused(tab, "subscribe_session", session_id="other-1") == wanted


def test_publishing_and_sending_need_rights_of_their_own(stand, user):
    tab, editor = open_as(stand, user), open_as(stand, new_name(), "editor")
    assert tab.request("publish", topic=f"team:{user}", title="t")["type"] == "ok"
    assert refused(tab, "publish", topic="news", title="t") == {"member": "topic", "right": "publish", "name": "news"}
    assert refused(tab, "publish", user_id=user, title="t") == {"member": "user_id", "right": "send", "name": user}
    assert editor.request("publish", topic="news", title="t")["type"] == "ok"
    assert editor.request("publish", user_id="reader-1", title="t")["type"] == "ok"
    assert refused(editor, "publish", user_id="writer", title="t")["right"] == "send"
    assert refused(editor, "publish", topic="all", title="t")["name"] == "all"
    assert stand.call("NOTIFY.LEN", f"inbox:{user}") == 0


def test_claims_add_to_what_the_roles_say(stand, user):
    tab = open_as(stand, user, topics=["mine", "x:{user}"], publish=["mine"])
    for topic in ("mine", f"x:{user}", "run:1"):
        assert tab.request("subscribe", topic=topic)["status"] == "subscribed"
    assert tab.request("publish", topic="mine", title="t")["type"] == "ok"
    assert refused(tab, "publish", topic=f"x:{user}", title="t")["right"] == "publish"


def test_topics_of_a_role_are_followed_at_once(stand, user):
    tab = open_as(stand, user)
    assert keys_of(stand, tab, "news") == ["topic:news"]


def test_a_topic_of_the_address_that_is_not_permitted_is_told_and_the_others_are_followed(stand, user):
    tab = open_as(stand, user, query="&topics=run:3,secret,run:4")
    error = tab.expect(type="error")["error"]
    assert (error["code"], error["details"]) == ("FORBIDDEN", {"key": "topic:secret"})
    assert keys_of(stand, tab, "run:3", "secret", "run:4") == ["topic:run:3", "topic:run:4"]


def test_more_topics_of_a_role_than_one_may_follow_are_told(make_stand, tmp_path):
    path = write_roles(tmp_path)
    stand = make_stand(*JWT, "--roles", str(path), "--max-subscriptions", "8")
    change_roles(path, "role *\n  follow " + " ".join(f"t{n}" for n in range(10)) + "\n", stand.daemon)
    tab = open_as(stand, "alice")
    told = [m["error"] for m in tab.drain()]
    assert {one["code"] for one in told} == {"TOO_MANY_SUBSCRIPTIONS"}
    assert [one["details"]["key"] for one in told] == [f"topic:t{n}" for n in range(6, 10)]
    id_ = stand.send("inbox:alice")
    assert tab.expect(type="notification")["id"] == id_


# ---- guests


def test_a_guest_has_the_rights_of_its_role_and_no_inbox(stand):
    tab = stand.tab("/ws/kiosk")
    assert re.match(r"^guest-[0-9a-f]{24}$", tab.greeting["user_id"])
    assert (tab.greeting["roles"], tab.greeting["categories"]) == (["guest"], ["system"])
    assert tab.request("subscribe", topic="public:1")["status"] == "subscribed"
    assert refused(tab, "subscribe", topic=f"team:{new_name()}")["right"] == "subscribe"
    for type_, members in (
        ("mark_all_read", {}),
        ("mark_seen", {}),
        ("mark_read", {"id": "1-1"}),
        ("archive", {"id": "1-1"}),
        ("delete_notification", {"id": "1-1"}),
        ("unread_count", {}),
        ("request_notification_history", {}),
    ):
        assert refused(tab, type_, **members) is None, type_
    stand.send(f"inbox:{tab.greeting['user_id']}")
    assert ids_of(stand.drain(tab)) == []
    assert stand.receivers(f"inbox:{tab.greeting['user_id']}") == 0


def test_a_guest_follows_no_inbox_by_its_position_either(stand, user):
    tab = stand.tab("/ws/kiosk")
    for key in (f"inbox:{tab.greeting['user_id']}", f"inbox:{user}"):
        assert refused(tab, "resume", positions={key: "0-0"}) == {"member": "positions", "key": key}
        assert stand.receivers(key) == 0


def test_a_guest_cannot_name_a_user_nor_become_one(stand, user):
    end = stand.tab(f"/ws?user={user}", greeted=False).wait_closed()
    assert end.code == 4403
    tab = stand.tab()
    assert tab.request("auth", token=token(user))["error"]["code"] == "UNAUTHORIZED"
    assert stand.tab().greeting["user_id"] != tab.greeting["user_id"]


def test_a_bad_token_makes_nobody_a_guest(stand):
    assert stand.tab("/ws?token=garbage", greeted=False).wait_closed().code == 4401
    assert stand.tab("/ws?token=", greeted=False).wait_closed().code == 4401


# ---- the file


def test_a_role_for_guests_that_is_not_in_the_file_is_told_at_the_start(programs, shared_redis, tmp_path):
    path = tmp_path / "roles.conf"
    path.write_text("role user\n  subscribe x\n")
    for options, why in (
        (["--roles", str(path), "--anonymous-role", "guest"], "anonymous-role: guest: no such role"),
        (["--roles", str(tmp_path / "none")], "No such file"),
        (["--jwt-key", str(path)], str(path)),
    ):
        bridge = programs.add(Bridge(shared_redis, *JWT, *options))
        bridge.start(wait_ready=False)
        bridge.wait_line(f"event=auth_unusable .*{re.escape(why)}")
        assert bridge.wait() == 1
        programs.programs.remove(bridge)


def test_what_is_permitted_no_more_ends_and_is_told_and_what_is_new_begins(make_stand, tmp_path):
    path = write_roles(tmp_path)
    stand = make_stand(*JWT, "--roles", str(path))
    tab = open_as(stand, "alice")
    tab.request("subscribe", topic="run:1")
    tab.request("subscribe", topic="team:alice")
    mark = stand.daemon.mark()
    replace_file(path, "role *\n  follow fresh\n  subscribe team:{user}\n")
    stand.daemon.wait_line("event=roles_read", since=mark)  # without a signal, too
    ended = {tab.expect(type="error")["error"]["details"]["key"] for _ in range(2)}
    assert ended == {"topic:run:1", "topic:news"}
    wait_until(lambda: stand.receivers("topic:fresh") == 1, "that the new topic is followed")
    wait_until(lambda: keys_of(stand, tab, "fresh"), "that it is live")
    got = keys_of(stand, tab, "run:1", "news", "fresh", "team:alice")
    assert got == ["topic:fresh", "topic:team:alice"]


def test_without_a_file_claims_say_what_may_be_done_and_a_session_is_opened_by_its_id(make_stand, user):
    stand = make_stand(*JWT)
    tab = open_as(stand, user, "admin", topics=["a*"])
    assert (tab.greeting["roles"], tab.greeting["categories"]) == (["admin"], ["*"])
    assert tab.request("subscribe", topic="abc")["status"] == "subscribed"
    assert tab.request("subscribe_session", session_id="s1")["type"] == "subscribed"
    assert refused(tab, "subscribe", topic="b")["name"] == "b"
    assert refused(tab, "publish", topic="abc", title="t")["right"] == "publish"
    id_ = stand.send("topic:all", "t", "CATEGORY", "anything")
    assert id_ in ids_of(stand.drain(tab))


def test_a_token_is_judged_once_for_each_connection(stand, user):
    before = stand.daemon.metrics()["notify_tokens_judged_total"]
    for _ in range(5):
        open_as(stand, user).request("ping")
    assert stand.daemon.metrics()["notify_tokens_judged_total"] == before + 5
