"""Contract C on Socket.IO: the panel of contract_c.py, over every stock client. A number is that of the row in the contract's
script."""

import itertools
import os

import pytest

from contract_a import texts_in
from contract_c import Panel, Refused
from platforms import roles_text
from servers import change_roles, wait_until
from tokens import SECRET, claims, hs, token

_names = itertools.count(1)


def new_user():
    return f"u{next(_names)}-{os.getpid()}"


class House:
    """A platform that asks for tokens, and the panels of one test."""

    def __init__(self, platform, drivers, folder):
        self.platform, self.drivers, self.folder, self.panels = platform, drivers, folder, []

    def panel(self, user=None, roles=(), kind="js-4.8", mode="websocket", at=0, **opening):
        """Not connected yet."""
        opening.setdefault("token", token(user or new_user(), roles=list(roles)))
        url = self.platform.url if at == 0 else self.platform.daemons[at].http_url
        self.panels.append(Panel(self.drivers.get(kind), url, mode, **opening))
        return self.panels[-1]

    def online(self, *args, **options):
        return self.panel(*args, **options).connect()

    def close(self):
        for panel in self.panels:
            panel.close()


@pytest.fixture(scope="module")
def shared_platform(platform_kind, tmp_path_factory):
    folder = tmp_path_factory.mktemp("contract-c")
    options = {"folder": folder, "bridges": 2} if platform_kind.is_ours else {}
    platform = platform_kind(secret=SECRET, **options)
    platform.folder = folder
    yield platform
    platform.close()


@pytest.fixture
def house(shared_platform, drivers):
    found = House(shared_platform, drivers, shared_platform.folder)
    yield found
    found.close()


@pytest.fixture
def our_house(house):
    if not house.platform.is_ours:
        pytest.skip("what only the bridge can do")
    return house


# ---- the rows, over every client and transport


def test_rows_1_to_6_over_every_stock_client_and_transport(house, kind, mode):
    name = new_user()
    user, admin = house.online(name, kind=kind, mode=mode), house.online("adam", ["admin"])
    assert (user.user_id, user.roles, user.categories) == (name, set(), {"system"})
    assert (admin.user_id, admin.roles, admin.categories) == ("adam", {"admin"}, {"*"})
    house.platform.send("topic:all", f"break-in {name}", category="security")
    house.platform.send("topic:all", f"update {name}", category="system")
    for panel in (user, admin):
        panel.wait_for(f"update {name}")
    admin.wait_for(f"break-in {name}")
    assert texts_in(user.subscribe_category("maintenance"))
    house.platform.send("topic:all", f"pipes {name}", category="maintenance")
    house.platform.send("topic:all", f"update 2 {name}", category="system")
    for title in (f"pipes {name}", f"update 2 {name}"):  # python-socketio tells of each in a thread of its own
        user.wait_for(title)
    assert f"break-in {name}" not in user.titles()
    refused = user.subscribe_category("security")
    assert refused["error"]["code"] == "FORBIDDEN"
    for n in range(3):
        house.platform.send(f"inbox:{name}", f"mine {n}")
    user.wait_for("mine 2")
    assert [item["title"] for item in user.history(limit=2)] == ["mine 2", "mine 1"]
    assert user.socket.args_of("disconnect") == []


@pytest.mark.parametrize("case", ["none", "garbage", "expired", "of another secret", "a number"])
def test_row_2_bad_credentials_are_a_connect_error(house, case, kind, mode):
    bad = {"none": None, "garbage": "garbage", "expired": token("ursula", -60), "of another secret": hs(claims("ursula"), secret="x" * 40), "a number": 7}
    panel = house.panel(kind=kind, mode=mode, token=bad[case])
    with pytest.raises(Refused) as refused:
        panel.connect()
    assert texts_in(list(refused.value.args))


def test_row_2_who_was_refused_does_not_try_again(house, mode):
    panel = house.panel(mode=mode, token="garbage")
    with pytest.raises(Refused):
        panel.connect()
    assert panel.socket.state()["connected"] is False
    house.online().close()
    assert len(panel.is_refused()) == 1


def test_the_token_may_stand_in_the_address(house, mode):
    panel = house.panel(token=None, mode=mode, options={"query": {"token": token("quentin")}})
    assert panel.connect().user_id == "quentin"


def test_row_5_what_is_forbidden_is_told_without_an_ack_too(house, kind):
    user = house.online(kind=kind)
    user.socket.emit("subscribe_category", {"category": "security"})
    assert texts_in(user.socket.wait("error")[0])
    assert user.request("ping")


def test_row_6_history_comes_as_an_event_to_who_wants_no_ack(house, mode):
    name = new_user()
    user = house.online(name, mode=mode)
    for n in range(5):
        house.platform.send(f"inbox:{name}", f"mine {n}")
    user.wait_for("mine 4")
    user.socket.emit("request_notification_history", {"limit": 20})
    (page,) = user.socket.wait("notification_history")
    assert [item["title"] for item in page["items"]] == [f"mine {n}" for n in range(4, -1, -1)]


def test_row_6_history_lacks_the_categories_that_one_may_not_see(house):
    for n in range(4):
        house.platform.send("topic:all", f"secret h{n}", category="security")
        house.platform.send("topic:all", f"open h{n}", category="system")
    titles = [item["title"] for item in house.online().history(topic="all", limit=3)]
    assert titles == ["open h3", "open h2", "open h1"]


def test_row_7_what_came_while_one_was_away_is_delivered_on_return_once(house, kind, mode):
    name = new_user()
    house.online(name, kind=kind, mode=mode).close()
    wait_until(lambda: house.platform.connections_of(name) == 0, "the server's noticing that")
    house.platform.send(f"inbox:{name}", "x")
    returned = house.online(name, kind=kind, mode=mode)
    assert returned.wait_for("x")["message"] in (None, "")
    if house.platform.is_ours:
        unseen = ("NOTIFY.RANGE", f"inbox:{name}", "-", "+", "UNSEEN")
        wait_until(lambda: not house.platform.call(*unseen), "all of it being seen")
    again = house.online(name, kind=kind, mode=mode)
    house.platform.send(f"inbox:{name}", "y")
    for panel in (again, returned):
        panel.wait_for("y")
    assert (again.titles(), returned.titles()) == (["y"], ["x", "y"])


def test_row_8_who_loses_a_role_gets_nothing_of_it_from_that_instant(our_house, mode):
    admins = [our_house.online("adam", ["admin"], at=at, mode=mode) for at in (0, 1)]
    user = our_house.online()
    file = our_house.folder / "roles.conf"
    our_house.platform.send("topic:all", "secret before", category="security")
    for admin in admins:
        admin.wait_for("secret before")
    try:
        change_roles(file, roles_text({"*": {"categories": ["system"], "permitted": ["maintenance"]}}), *our_house.platform.daemons)
        our_house.platform.send("topic:all", "secret after", category="security")
        our_house.platform.send("topic:all", "open after", category="system")
        for panel in (*admins, user):
            panel.wait_for("open after")
        for panel in admins:
            assert "secret after" not in panel.titles()
    finally:
        change_roles(file, roles_text(), *our_house.platform.daemons)


def test_row_8_somebody_who_is_there_twice_counts_as_one_on_both_bridges(our_house, mode):
    name = new_user()
    panels = [our_house.online(name, ["admin"], at=at, mode=mode) for at in (0, 1)]
    for panel in panels:
        answer = wait_until(lambda: (found := panel.request("presence", {"user_id": name})).get("connections", 0) == 2 and found, "both")
        assert answer["sessions"], answer


WRONG = {
    "no category": ("subscribe_category", [{}]),
    "a number": ("subscribe_category", [{"category": 7}]),
    "no object": ("subscribe_category", ["system"]),
    "nothing at all": ("subscribe_category", []),
    "a limit of zero": ("request_notification_history", [{"limit": 0}]),
    "a limit that is none": ("request_notification_history", [{"limit": "many"}]),
    "too high a limit": ("request_notification_history", [{"limit": 101}]),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_message_is_an_error_and_the_connection_stays(house, case, mode):
    event, args = WRONG[case]
    user = house.online(mode=mode)
    user.socket.emit(event, *args)
    assert texts_in(user.socket.wait("error")[0])
    assert texts_in(user.request(event, *args)["error"])
    assert user.request("ping") and user.socket.args_of("disconnect") == []
