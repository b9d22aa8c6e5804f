"""Contract C over plain WebSocket: the application of contract_c_client.py against two bridges and one Redis, every message
of it, wrong ones included. What is named after a row stands in that row of the contract's script."""

import json
import signal
import struct

import pytest

from bridge_helpers import new_name
from contract_c_client import PLACES, Application, NotAuthenticated, Refused
from servers import Group, change_roles, wait_until
from tokens import SECRET, b64, claims, hs, token
from ws_client import CLOSE, WsClient

OPEN = 'notify_connections{transport="websocket"}'
ROLES = """
role *
  categories  system
  permitted   maintenance
  subscribe   run:* team:{user}
  presence    {user}

role staff
  follow      staff

role guild
  follow      guild

role admin
  categories  *
  subscribe   *
  presence    *
"""


class House(Group):
    """One Redis, two bridges with tokens and roles, and the applications that a test has opened there."""

    def __init__(self, folder):
        super().__init__()
        self.roles_file = folder / "roles.conf"
        self.roles_file.write_text(ROLES)
        self.server = self.redis()
        options = ["--auth", "jwt", "--jwt-secret", SECRET, "--roles", str(self.roles_file), "--auth-timeout", "3s"]
        self.bridges = [self.bridge(self.server, *options, name=f"bridge-{n}") for n in (1, 2)]
        self.redis_client = self.server.client()
        self.applications = []

    def application(self, user=None, roles=(), at=0, **options):
        """Not connected yet."""
        self.applications.append(
            Application(self.bridges[at].port, token(user or new_name(), roles=list(roles)), **options)
        )
        return self.applications[-1]

    def online(self, *args, **options):
        return self.application(*args, **options).connect()

    def send(self, key, title, *options):
        return self.redis_client.execute_command("NOTIFY.SEND", key, title, *options)

    def change_roles(self, text):
        change_roles(self.roles_file, text, *self.bridges)

    def close_applications(self):
        while self.applications:
            self.applications.pop().disconnect()


@pytest.fixture(scope="module")
def shared_house(tmp_path_factory):
    house = House(tmp_path_factory.mktemp("contract-c"))
    yield house
    house.close_applications()
    house.close()


@pytest.fixture
def house(shared_house):
    """For tests that leave its roles and programs as they are."""
    yield shared_house
    shared_house.close_applications()


@pytest.fixture
def own_house(tmp_path):
    house = House(tmp_path)
    yield house
    house.close_applications()
    house.close()


def refusal(application, type_, **members):
    """The error that a request is refused with."""
    with pytest.raises(Refused) as caught:
        application.request(type_, **members)
    return caught.value


def only_titles(items):
    return [item["title"] for item in items]


# ---- row 1 and 2: coming in


@pytest.mark.parametrize("place", PLACES)
def test_row_1_a_user_and_an_administrator_come_in_and_are_told_apart(house, place):
    user = house.online("ursula", at=0, place=place)
    admin = house.online("adam", ["admin"], at=1, place=place)
    assert (user.status, user.user_id, user.roles, user.categories) == ("connected", "ursula", set(), {"system"})
    assert (admin.status, admin.user_id, admin.roles, admin.categories) == ("connected", "adam", {"admin"}, {"*"})


def test_the_client_id_of_the_address_is_kept_and_else_one_is_given(house):
    assert house.online(client_id="browser-7").client_id == "browser-7"
    first, second = house.online("ursula"), house.online("ursula")
    assert first.client_id and second.client_id and first.client_id != second.client_id


def unsigned():
    return b64(b'{"alg":"none"}') + "." + b64(json.dumps(claims("ursula")).encode()) + "."


BAD_TOKENS = {
    "garbage": lambda: "garbage",
    "an empty one": lambda: "",
    "of another secret": lambda: hs(claims("ursula"), secret="x" * 40),
    "expired": lambda: token("ursula", -60),
    "unsigned": unsigned,
    "of nobody": lambda: hs({"exp": claims()["exp"]}),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("case", BAD_TOKENS)
def test_row_2_who_brings_a_bad_token_is_not_let_in(house, case, place):
    application = house.application(place=place)
    application.token = BAD_TOKENS[case]()
    with pytest.raises(NotAuthenticated) as caught:
        application.connect()
    assert caught.value.code == 4401
    assert (application.status, application.notifications, application.told) == ("disconnected", [], [])


BEFORE_A_TOKEN = ["ping", "subscribe_category", "subscribe", "resume", "request_notification_history", "presence"]


@pytest.mark.parametrize("type_", BEFORE_A_TOKEN)
def test_row_2_who_asks_for_something_before_it_is_known_is_not_let_in(house, type_):
    with WsClient(house.bridges[0].port) as stranger:
        stranger.send({"type": type_, "category": "system", "topic": "run:1", "request_id": 1})
        assert stranger.wait_closed().code == 4401
        assert stranger.messages == []


def test_row_2_who_says_nothing_is_not_let_in_and_hears_nothing(house):
    with WsClient(house.bridges[0].port) as stranger:
        house.send("topic:all", "for those who are known")
        assert stranger.wait_closed().code == 4401
        assert stranger.messages == []


# ---- row 3: who gets what


def test_row_3_a_category_of_administrators_reaches_them_alone_on_every_bridge(house):
    users = [house.online("ursula", at=at) for at in (0, 1)]
    admins = [house.online("adam", ["admin"], at=at) for at in (0, 1)]
    house.send("topic:all", "break-in", "CATEGORY", "security")
    house.send("topic:all", "update", "CATEGORY", "system")
    for application in users + admins:
        application.wait_for("update")
    assert [user.titles() for user in users] == [["update"]] * 2
    assert [admin.titles() for admin in admins] == [["break-in", "update"]] * 2


def test_what_has_no_category_reaches_everybody(house):
    user, admin = house.online(), house.online(roles=["admin"], at=1)
    house.send("topic:all", "lunch")
    assert user.wait_for("lunch")["key"] == admin.wait_for("lunch")["key"] == "topic:all"


def test_ones_own_inbox_is_whole_whatever_the_category(house):
    user = house.online("ulf")
    house.send("inbox:ulf", "your password was changed", "CATEGORY", "security")
    assert user.wait_for("your password was changed")["category"] == "security"


def test_what_is_told_to_everybody_without_being_kept_follows_categories_too(house):
    user, admin = house.online(), house.online(roles=["admin"])
    for category in ("security", "system"):
        house.redis_client.execute_command("NOTIFY.EVENT", "topic:all", "alarm", "NOSTORE", "CATEGORY", category)
    assert admin.wait_told("alarm")["category"] == "security"
    assert admin.wait_told("alarm")["category"] == "system"
    assert user.wait_told("alarm")["category"] == "system"


# ---- row 4 and 5: categories


def test_row_4_a_category_that_is_subscribed_is_added_and_narrows_nothing(house):
    user, other_tab = house.online("ursula"), house.online("ursula", at=1)
    house.send("topic:all", "too early", "CATEGORY", "maintenance")
    house.send("topic:all", "before", "CATEGORY", "system")
    user.wait_for("before")
    answer = user.subscribe_category("maintenance")
    assert (answer["type"], answer["category"], answer["status"]) == ("subscription", "maintenance", "subscribed")
    house.send("topic:all", "pipes", "CATEGORY", "maintenance")
    house.send("topic:all", "update", "CATEGORY", "system")
    for tab in (user, other_tab):
        tab.wait_for("update")
    assert user.titles() == ["before", "pipes", "update"]
    assert other_tab.titles() == ["before", "update"]  # it has asked for nothing


def test_a_category_that_is_unsubscribed_comes_no_more_and_others_do(house):
    user = house.online()
    for category in ("maintenance", "system"):
        user.subscribe_category(category)
        answer = user.unsubscribe_category(category)
        assert (answer["category"], answer["status"]) == (category, "unsubscribed")
        house.send("topic:all", f"{category} again", "CATEGORY", category)
    house.send("topic:all", "lunch")
    user.wait_for("lunch")
    assert user.titles() == ["lunch"]
    user.subscribe_category("system")
    house.send("topic:all", "update", "CATEGORY", "system")
    user.wait_for("update")


def test_asking_twice_for_a_category_changes_nothing(house):
    user = house.online()
    for _ in range(2):
        assert user.subscribe_category("maintenance")["status"] == "subscribed"
    house.send("topic:all", "pipes", "CATEGORY", "maintenance")
    house.send("topic:all", "lunch")
    user.wait_for("lunch")
    assert user.titles() == ["pipes", "lunch"]
    for _ in range(2):
        assert user.unsubscribe_category("maintenance")["status"] == "unsubscribed"


def test_what_was_unsubscribed_is_there_again_for_who_connects_anew(house):
    user = house.online()
    user.unsubscribe_category("system")
    user.disconnect()
    assert user.connect().categories == {"system"}
    house.send("topic:all", "update", "CATEGORY", "system")
    user.wait_for("update")


@pytest.mark.parametrize("category", ["security", "never heard of", "systematic", "SYSTEM", "*", "{user}"])
def test_row_5_a_category_that_is_not_permitted_is_forbidden_and_the_connection_stays(house, category):
    user = house.online()
    error = refusal(user, "subscribe_category", category=category)
    assert (error.code, error.details["name"]) == ("FORBIDDEN", category)
    house.send("topic:all", "secret", "CATEGORY", category)
    house.send("topic:all", "update", "CATEGORY", "system")
    user.wait_for("update")
    assert user.titles() == ["update"]


def test_an_administrator_may_leave_one_category_of_all(house):
    admin = house.online(roles=["admin"])
    admin.unsubscribe_category("noise")
    house.send("topic:all", "bla", "CATEGORY", "noise")
    house.send("topic:all", "break-in", "CATEGORY", "security")
    admin.wait_for("break-in")
    assert admin.titles() == ["break-in"]


# ---- topics


def test_topics_of_a_role_are_joined_without_asking_and_others_are_not(house):
    member, user = house.online(roles=["staff"]), house.online(at=1)
    house.send("topic:staff", "party")
    house.send("topic:all", "lunch")
    member.wait_for("party")
    user.wait_for("lunch")
    assert user.titles() == ["lunch"]


def test_a_topic_that_is_permitted_is_joined_and_left(house):
    user = house.online("tom")
    for topic in ("run:7", "team:tom"):
        assert user.join(topic)["status"] == "subscribed"
        house.send(f"topic:{topic}", f"of {topic}")
        user.wait_for(f"of {topic}")
        assert user.leave(topic)["status"] == "unsubscribed"
        house.send(f"topic:{topic}", f"more of {topic}")
    house.send("topic:all", "lunch")
    user.wait_for("lunch")
    assert user.titles() == ["of run:7", "of team:tom", "lunch"]


@pytest.mark.parametrize("topic", ["staff", "team:somebody", "run", "{user}"])
def test_a_topic_that_is_not_permitted_is_forbidden(house, topic):
    user = house.online()
    error = refusal(user, "subscribe", topic=topic)
    assert (error.code, error.details["name"]) == ("FORBIDDEN", topic)
    house.send(f"topic:{topic}", "secret")
    house.send("topic:all", "lunch")
    user.wait_for("lunch")
    assert user.titles() == ["lunch"]


def test_categories_count_in_topics_too(house):
    user = house.online()
    user.join("run:8")
    house.send("topic:run:8", "break-in", "CATEGORY", "security")
    house.send("topic:run:8", "update", "CATEGORY", "system")
    user.wait_for("update")
    assert user.titles() == ["update"]


# ---- row 6: history


def test_row_6_history_is_a_page_newest_first(house):
    name = new_name()
    user = house.online(name)
    for n in range(45):
        house.send(f"inbox:{name}", f"number {n}", "CATEGORY", ("system", "security")[n % 2])
    page = user.history(limit=20)
    assert only_titles(page["items"]) == [f"number {n}" for n in range(44, 24, -1)]
    assert page["unread"] == 45
    assert only_titles(user.whole_history(20)) == [f"number {n}" for n in range(44, -1, -1)]
    assert only_titles(user.history(limit=3, category="system")["items"]) == ["number 44", "number 42", "number 40"]


def test_row_6_history_of_a_topic_lacks_the_categories_that_one_may_not_see(house):
    topic = new_name("run:")
    for n in range(30):
        house.send(f"topic:{topic}", f"secret {n}", "CATEGORY", "security")
        house.send(f"topic:{topic}", f"number {n}", "CATEGORY", "system")
        house.send(f"topic:{topic}", f"pipes {n}", "CATEGORY", "maintenance")
    user, admin = house.online(), house.online(roles=["admin"])
    wanted = [title for n in range(29, -1, -1) for title in (f"pipes {n}", f"number {n}")]
    for limit in (7, 100):
        assert only_titles(user.whole_history(limit, topic=topic)) == wanted
    assert len(admin.whole_history(50, topic=topic)) == 90
    assert only_titles(user.history(topic=topic, category="system", limit=2)["items"]) == ["number 29", "number 28"]
    error = refusal(user, "request_notification_history", topic=topic, category="security")
    assert (error.code, error.details["name"]) == ("FORBIDDEN", "security")


def test_history_of_a_topic_that_one_may_not_follow_is_forbidden(house):
    house.send("topic:staff", "party")
    assert refusal(house.online(), "request_notification_history", topic="staff").code == "FORBIDDEN"


def test_a_page_of_a_topic_tells_nothing_of_what_one_may_not_see(house):
    """Neither how many there are, nor their ids as the place where the next page begins."""
    topic = new_name("run:")
    shown = house.send(f"topic:{topic}", "number", "CATEGORY", "system")
    hidden = {house.send(f"topic:{topic}", f"secret {n}", "CATEGORY", "security") for n in range(150)}
    user = house.online()
    page = user.history(topic=topic, limit=1)
    pages = [page]
    while page["next"] is not None:
        page = user.history(topic=topic, limit=1, before=page["next"])
        pages.append(page)
    assert [item["id"] for one in pages for item in one["items"]] == [shown]
    assert not hidden & {one["next"] for one in pages}
    assert {one["unread"] for one in pages} <= {0, 1}


# ---- row 7: on return


def until_seen(house, user):
    """Marking is on its way to Redis when a client is told, or has gone."""
    redis = house.redis_client
    wait_until(
        lambda: not redis.execute_command("NOTIFY.RANGE", f"inbox:{user}", "-", "+", "UNSEEN"), "all of it being seen"
    )


def test_row_7_what_came_while_one_was_away_is_delivered_on_return_once(house):
    name = new_name()
    house.online(name).disconnect()
    house.send(f"inbox:{name}", "x")
    returned = house.online(name, at=1)  # on another machine: it knows nothing
    assert returned.wait_for("x")["data"]["is_read"] is False
    until_seen(house, name)
    again = house.online(name)
    house.send(f"inbox:{name}", "y")
    for application in (again, returned):
        application.wait_for("y")
    assert (again.titles(), returned.titles()) == (["y"], ["x", "y"])


def test_what_comes_between_ones_close_and_the_end_of_tcp_is_delivered_on_return(house):
    """It was marked as seen, though nobody had been sent it."""
    name, beside = new_name(), new_name()
    other, leaving = house.online(beside), house.online(name)
    open_before = house.bridges[0].metrics()[OPEN]
    leaving.socket.send_frame(CLOSE, struct.pack("!H", 1000))
    while leaving.socket.recv_frame()[0] != CLOSE:  # its socket is open yet
        pass
    house.send(f"inbox:{name}", "late")
    house.send(f"inbox:{beside}", "heard")
    other.wait_for("heard")  # and so the bridge has had what came before
    leaving.socket.sock.close()
    wait_until(lambda: house.bridges[0].metrics()[OPEN] < open_before, "the end of its connection")
    other.history()  # and so Redis has had what the bridge had to say of it
    assert house.online(name, at=1).wait_for("late")["data"]["is_read"] is False


def test_what_was_delivered_live_is_not_delivered_again_on_return(house):
    name = new_name()
    user = house.online(name)
    house.send(f"inbox:{name}", "live")
    user.wait_for("live")
    user.disconnect()  # and so says that all has come
    until_seen(house, name)
    house.send(f"inbox:{name}", "away")
    returned = house.online(name)
    returned.wait_for("away")
    assert returned.titles() == ["away"]


def test_on_return_at_most_a_hundred_are_delivered_and_then_live_ones(house):
    name = new_name()
    for n in range(130):
        house.send(f"inbox:{name}", f"number {n}")
    user = house.online(name)
    house.send(f"inbox:{name}", "live")
    user.wait_for("live")
    assert user.titles() == [f"number {n}" for n in range(30, 130)] + ["live"]


def test_on_return_nothing_is_lost_of_what_is_sent_meanwhile(house):
    """Many returns while somebody sends: each number once in all, in their order."""
    name = new_name()
    key, sent, got = f"inbox:{name}", 0, []
    for n in range(40):
        for _ in range(3):
            house.send(key, f"number {sent}")
            sent += 1
        user = house.online(name, at=n % 2)
        house.send(key, f"number {sent}")
        user.wait_for(f"number {sent}")
        sent += 1
        got += user.titles()
        user.disconnect()
        until_seen(house, name)
    assert got == [f"number {n}" for n in range(sent)]


def test_what_was_under_way_when_a_connection_broke_comes_again(own_house):
    own_house.online("ursula")
    own_house.bridges[0].proc.send_signal(signal.SIGSTOP)
    own_house.send("inbox:ursula", "x")
    own_house.bridges[0].kill9()
    assert own_house.online("ursula", at=1).wait_for("x")


def test_who_has_a_position_has_nothing_marked_as_seen(house):
    name = new_name()
    id_ = house.send(f"inbox:{name}", "x")
    user = house.application(name)
    user.positions[f"inbox:{name}"] = "0-0"
    user.reconnect()
    user.wait_for("x")
    user.disconnect()
    assert house.redis_client.execute_command("NOTIFY.RANGE", f"inbox:{name}", "-", "+", "UNSEEN")[0][0] == id_


def test_on_return_what_one_may_not_see_of_logs_does_not_come_either(house):
    name = new_name()
    house.send("topic:all", "secret", "CATEGORY", "security")
    house.send(f"inbox:{name}", "x")
    user = house.online(name)
    user.wait_for("x")
    house.send("topic:all", "lunch")
    user.wait_for("lunch")
    assert user.titles() == ["x", "lunch"]


def test_who_knows_its_positions_gets_what_it_has_missed_from_another_bridge_once(own_house):
    user = own_house.online("ursula")
    user.join("run:1")
    for key in ("inbox:ursula", "topic:run:1", "topic:all"):
        own_house.send(key, f"before {key}", "CATEGORY", "system")
        user.wait_for(f"before {key}")
    own_house.bridges[0].kill9()
    assert user.wait_closed()[0] == 1006
    for key in ("inbox:ursula", "topic:run:1", "topic:all"):
        own_house.send(key, f"secret {key}", "CATEGORY", "security")
        own_house.send(key, f"missed {key}", "CATEGORY", "system")
    told = user.reconnect(own_house.bridges[1].port)
    assert {key: one["recovered"] for key, one in told.items()} == {key: True for key in user.positions}
    own_house.send("topic:run:1", "live", "CATEGORY", "system")
    user.join("run:1")
    user.wait_for("live")
    missed = [title for title in user.titles() if title.startswith(("missed", "secret"))]
    assert sorted(missed) == ["missed inbox:ursula", "missed topic:all", "missed topic:run:1", "secret inbox:ursula"]


def test_a_subscription_with_a_position_tells_what_was_missed_but_for_hidden_categories(house):
    topic = new_name("run:")
    first = house.send(f"topic:{topic}", "first", "CATEGORY", "system")
    for n in range(5):
        house.send(f"topic:{topic}", f"secret {n}", "CATEGORY", "security")
        house.send(f"topic:{topic}", f"number {n}", "CATEGORY", "system")
    user = house.online()
    answer = user.join(topic, last_id=first)
    assert answer["recovered"] is True
    house.send(f"topic:{topic}", "live")
    user.wait_for("live")
    assert user.titles() == [f"number {n}" for n in range(5)] + ["live"]


# ---- what a user hears of what is kept back

OF_OTHERS = {"prev", "replaces", "rev", "unread"}  # members that speak of other entries, or count them


def everything_of(application, key):
    return [message for message in application.notifications + application.told if message.get("key") == key]


def send_hidden_and_shown(house, key):
    """The ids of what a user may not see. Every kind of change is among them."""
    redis, hidden = house.redis_client, []
    for n in range(3):
        hidden.append(house.send(key, f"secret {n}", "CATEGORY", "security", "COLLAPSE", f"c{n % 2}"))
        house.send(key, f"number {n}", "CATEGORY", "system", "COLLAPSE", f"d{n % 2}")
        redis.execute_command("NOTIFY.EVENT", key, "alarm", "CATEGORY", "security", "NOSTORE")
    return hidden


def test_live_and_on_resume_messages_of_logs_tell_nothing_of_what_is_kept_back(house):
    topic = new_name("run:")
    key = f"topic:{topic}"
    first = house.send(key, "first", "CATEGORY", "system")
    user, late, admin = house.online(), house.online(at=1), house.online(roles=["admin"])
    for application in (user, admin):
        application.join(topic)
    hidden = set(send_hidden_and_shown(house, key))
    late.join(topic, last_id=first)
    house.send(key, "last", "CATEGORY", "system")
    for application in (user, late, admin):
        application.wait_for("last")
    for application in (user, late):
        for message in everything_of(application, key):
            assert not OF_OTHERS & set(message), message
            assert not any(id_ in json.dumps(message) for id_ in hidden)
    assert user.titles() == ["number 0", "number 1", "number 2", "last"]
    assert all({"prev", "rev", "unread"} <= set(message) for message in admin.notifications)


def test_a_resume_counts_what_was_delivered(house):
    topic = new_name("run:")
    key = f"topic:{topic}"
    user = house.online()
    user.join(topic)
    send_hidden_and_shown(house, key)
    house.send(key, "last", "CATEGORY", "system")
    user.wait_for("last")
    user.positions.clear()
    assert user.resume({key: "0-0"}) == {key: {"recovered": True, "count": 3}}


def test_ones_own_inbox_tells_all_of_itself(house):
    name = new_name()
    user = house.online(name)
    for n in range(2):
        house.send(f"inbox:{name}", f"number {n}", "CATEGORY", "security")
        assert {"prev", "rev", "unread"} <= set(user.wait_for(f"number {n}"))


# ---- row 8: what a role loses, and who is there


def test_row_8_a_new_token_without_the_role_ends_its_category_at_once(house):
    admin, other = house.online("adam", ["admin"]), house.online("eve", ["admin"])
    house.send("topic:all", "before", "CATEGORY", "security")
    admin.wait_for("before")
    admin.renew(token("adam", roles=[]))
    house.send("topic:all", "after", "CATEGORY", "security")
    house.send("topic:all", "update", "CATEGORY", "system")
    for application in (admin, other):
        application.wait_for("update")
    assert admin.titles() == ["before", "update"]
    assert other.titles() == ["before", "after", "update"]
    assert refusal(admin, "subscribe_category", category="security").code == "FORBIDDEN"


def test_a_new_token_with_a_role_begins_its_categories_and_topics_at_once(house):
    user = house.online("ursula")
    user.renew(token("ursula", roles=["admin", "guild"]))
    house.send("topic:guild", "party")
    user.wait_for("party")
    house.send("topic:all", "break-in", "CATEGORY", "security")
    user.wait_for("break-in")


def test_a_new_token_keeps_what_was_subscribed_as_long_as_it_is_permitted(house):
    user = house.online("ursula")
    user.subscribe_category("maintenance")
    user.renew(token("ursula", 900))
    house.send("topic:all", "pipes", "CATEGORY", "maintenance")
    user.wait_for("pipes")


def test_row_8_a_changed_file_of_roles_ends_its_category_at_once_on_every_bridge(own_house):
    admins = [own_house.online("adam", ["admin"], at=at) for at in (0, 1)]
    own_house.send("topic:all", "before", "CATEGORY", "security")
    for admin in admins:
        admin.wait_for("before")
    own_house.change_roles(ROLES.replace("categories  *", "categories  system"))
    own_house.send("topic:all", "after", "CATEGORY", "security")
    own_house.send("topic:all", "update", "CATEGORY", "system")
    for admin in admins:
        admin.wait_for("update")
        assert admin.titles() == ["before", "update"]


def test_a_changed_file_of_roles_ends_what_was_subscribed_and_is_permitted_no_more(own_house):
    user = own_house.online("ursula")
    user.subscribe_category("maintenance")
    user.join("run:1")
    own_house.change_roles(ROLES.replace("permitted   maintenance", "").replace("run:*", ""))
    own_house.send("topic:all", "pipes", "CATEGORY", "maintenance")
    own_house.send("topic:run:1", "of run:1")
    own_house.send("topic:all", "update", "CATEGORY", "system")
    user.wait_for("update")
    assert user.titles() == ["update"]
    assert user.wait_told("error")["error"]["details"] == {"key": "topic:run:1"}
    assert refusal(user, "subscribe_category", category="maintenance").code == "FORBIDDEN"
    own_house.change_roles(ROLES)  # and nothing of it comes back by itself
    own_house.send("topic:all", "more pipes", "CATEGORY", "maintenance")
    own_house.send("topic:all", "update 2", "CATEGORY", "system")
    user.wait_for("update 2")
    assert user.titles() == ["update", "update 2"]


def test_row_8_presence_is_right_on_both_bridges(house):
    name = new_name()
    admin = house.online(roles=["admin"], at=1)
    assert admin.presence(user_id=name)["connections"] == 0
    tabs = [house.online(name, at=at) for at in (0, 1, 0)]
    for asked in (admin, tabs[0]):
        answer = asked.presence(user_id=name)
        assert (answer["type"], answer["user_id"], answer["connections"]) == ("presence", name, 3)
    while tabs:
        tabs.pop().disconnect()
        wait_until(lambda: admin.presence(user_id=name)["connections"] == len(tabs), f"only {len(tabs)} being there")


def test_row_8_a_user_who_is_there_twice_counts_as_one(house):
    topic, name = new_name("run:"), new_name()
    admin = house.online("adam", ["admin"], at=1)
    tabs = [house.online(name, at=at) for at in (0, 1)]
    for application in (admin, *tabs):
        application.join(topic, presence=True)
    answer = admin.presence(topic=topic, list=True)
    assert (answer["users"], answer["connections"], sorted(answer["user_ids"])) == (2, 3, sorted(["adam", name]))
    tabs[0].disconnect()
    wait_until(lambda: admin.presence(topic=topic)["connections"] == 2, "one tab less")
    assert admin.presence(topic=topic)["users"] == 2
    tabs[1].disconnect()
    wait_until(lambda: admin.presence(topic=topic)["users"] == 1, "one user less")


def test_whether_a_session_is_connected_can_be_asked_by_its_id_alone(house):
    admin, session = house.online(roles=["admin"], at=1), new_name("browser-")
    assert admin.presence(session_id=session)["connections"] == 0
    tab = house.online(client_id=session)
    assert admin.presence(session_id=session)["connections"] == 1
    tab.disconnect()
    wait_until(lambda: admin.presence(session_id=session)["connections"] == 0, "its being gone")


def test_presence_of_others_is_forbidden_without_the_right(house):
    user = house.online("ursula")
    for of_whom in ({"user_id": "adam"}, {"topic": "run:1"}, {"session_id": "browser-1"}):
        error = refusal(user, "presence", **of_whom)
        assert (error.code, error.details["name"]) == ("FORBIDDEN", *of_whom.values())


# ---- renewal


def test_another_users_token_renews_nothing_and_the_connection_stays_who_it_was(house):
    user = house.online("ursula")
    error = refusal(user, "auth", token=token("adam", roles=["admin"]))
    assert (error.code, error.details) == ("UNAUTHORIZED", {"member": "token"})
    house.send("inbox:adam", "for adam")
    house.send("topic:all", "break-in", "CATEGORY", "security")
    house.send("topic:all", "update", "CATEGORY", "system")
    user.wait_for("update")
    assert user.titles() == ["update"]


def test_the_end_of_a_token_is_told_and_a_new_one_keeps_the_connection(house):
    user = house.online("ursula")
    user.renew(token("ursula", 20))
    assert user.wait_told("token_expiring")["expires_at"]
    assert user.renew(token("ursula", 600))["user_id"] == "ursula"
    house.send("inbox:ursula", "still here")
    user.wait_for("still here")


# ---- wrong messages

WRONG = {
    # name: (message, code, member that is meant)
    "no type": ({}, "MISSING_FIELD", "type"),
    "a type that is a number": ({"type": 7}, "INVALID_FIELD", "type"),
    "a type that is null": ({"type": None}, "MISSING_FIELD", "type"),
    "an unknown type": ({"type": "subscribe_everything"}, "UNKNOWN_TYPE", None),
    "a type in capitals": ({"type": "PING"}, "UNKNOWN_TYPE", None),
    "a category that is missing": ({"type": "subscribe_category"}, "MISSING_FIELD", "category"),
    "a category that is null": ({"type": "subscribe_category", "category": None}, "MISSING_FIELD", "category"),
    "a category that is a number": ({"type": "subscribe_category", "category": 7}, "INVALID_FIELD", "category"),
    "a category that is a list": ({"type": "subscribe_category", "category": ["system"]}, "INVALID_FIELD", "category"),
    "a category that is an object": ({"type": "subscribe_category", "category": {}}, "INVALID_FIELD", "category"),
    "a category that is empty": ({"type": "subscribe_category", "category": ""}, "INVALID_FIELD", "category"),
    "a category that is far too long": ({"type": "subscribe_category", "category": "x" * 5000}, "INVALID_FIELD", "category"),
    "a category with a control character": ({"type": "subscribe_category", "category": "a\nb"}, "INVALID_FIELD", "category"),
    "a category that is misspelt": ({"type": "subscribe_category", "categories": "system"}, "INVALID_FIELD", "categories"),
    "no category to leave": ({"type": "unsubscribe_category"}, "MISSING_FIELD", "category"),
    "a category to leave that is true": ({"type": "unsubscribe_category", "category": True}, "INVALID_FIELD", "category"),
    "a limit that is too large": ({"type": "request_notification_history", "limit": 101}, "INVALID_FIELD", "limit"),
    "a limit beyond all numbers": ({"type": "request_notification_history", "limit": 10**30}, "INVALID_FIELD", "limit"),
    "a limit of zero": ({"type": "request_notification_history", "limit": 0}, "INVALID_FIELD", "limit"),
    "a limit below zero": ({"type": "request_notification_history", "limit": -1}, "INVALID_FIELD", "limit"),
    "a limit that is text": ({"type": "request_notification_history", "limit": "20"}, "INVALID_FIELD", "limit"),
    "a limit with a fraction": ({"type": "request_notification_history", "limit": 1.5}, "INVALID_FIELD", "limit"),
    "a limit that is true": ({"type": "request_notification_history", "limit": True}, "INVALID_FIELD", "limit"),
    "a page before no id": ({"type": "request_notification_history", "before": "yesterday"}, "INVALID_FIELD", "before"),
    "a page before a number": ({"type": "request_notification_history", "before": 7}, "INVALID_FIELD", "before"),
    "history of an odd category": ({"type": "request_notification_history", "category": 7}, "INVALID_FIELD", "category"),
    "unread_only that is text": ({"type": "request_notification_history", "unread_only": "yes"}, "INVALID_FIELD", "unread_only"),
    "no topic to join": ({"type": "subscribe"}, "MISSING_FIELD", None),  # it may be a channel
    "a topic that is a list": ({"type": "subscribe", "topic": ["run:1"]}, "INVALID_FIELD", "topic"),
    "a topic that is empty": ({"type": "subscribe", "topic": ""}, "INVALID_FIELD", "topic"),
    "a topic since no id": ({"type": "subscribe", "topic": "run:1", "last_id": "last week"}, "INVALID_FIELD", "last_id"),
    "no topic to leave": ({"type": "unsubscribe"}, "MISSING_FIELD", None),
    "no positions": ({"type": "resume"}, "MISSING_FIELD", "positions"),
    "positions that are a list": ({"type": "resume", "positions": ["topic:all"]}, "INVALID_FIELD", "positions"),
    "a position that is no id": ({"type": "resume", "positions": {"topic:all": "x"}}, "INVALID_FIELD", "positions"),
    "no token": ({"type": "auth"}, "MISSING_FIELD", "token"),
    "a token that is a number": ({"type": "auth", "token": 7}, "INVALID_FIELD", "token"),
    "presence of nobody": ({"type": "presence"}, "MISSING_FIELD", None),
    "presence of a number": ({"type": "presence", "user_id": 7}, "INVALID_FIELD", "user_id"),
    "presence of two at once": ({"type": "presence", "user_id": "a", "topic": "b"}, "INVALID_FIELD", None),
    "a token that is no good": ({"type": "auth", "token": "garbage"}, "UNAUTHORIZED", "token"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_message_is_answered_by_what_is_wrong_and_changes_nothing(house, case):
    message, code, member = WRONG[case]
    user = house.online()
    user.socket.send({**message, "request_id": "wrong"})
    error = user.wait_told("error", request_id="wrong")["error"]
    assert (error["code"], bool(error["message"])) == (code, True)
    if member is not None:
        assert error["details"]["member"] == member
    house.send("topic:all", "secret", "CATEGORY", "security")
    house.send("topic:all", "update", "CATEGORY", "system")
    user.wait_for("update")
    assert (user.titles(), user.told) == (["update"], [])


@pytest.mark.parametrize("text", ["", "{", "subscribe_category", '{"type":"ping"}{', "[1]", "7", "null", '"ping"', '{"type":"ping","type":"ping"}'])
def test_what_is_no_message_at_all_is_answered_by_an_error_and_the_connection_stays(house, text):
    user = house.online()
    user.socket.send(text)
    assert user.wait_told("error")["error"]["code"] in ("BAD_JSON", "INVALID_FIELD")
    assert user.request("ping")["type"] == "pong"


def test_the_clients_of_this_contract_never_send_binary_and_who_does_is_closed(house):
    user = house.online()
    user.socket.send_frame(2, b'{"type":"ping"}')
    assert user.wait_closed()[0] == 1003


def test_history_subscriptions_and_resume_reach_no_other_users_inbox(house):
    user, key = house.online("ursula"), "inbox:adam"
    id_ = house.send(key, "for adam")
    asked = [
        ("resume", {"positions": {key: "0-0"}}),
        ("subscribe", {"topic": f"../{key}"}),
        ("subscribe", {"topic": key}),
        ("request_notification_history", {"topic": key}),
    ]
    for type_, members in asked:
        assert refusal(user, type_, **members).code in ("FORBIDDEN", "INVALID_FIELD")
    refused = user.request("mark_read", id=id_)
    assert refused["changed"] == 0
    assert user.titles() == []
