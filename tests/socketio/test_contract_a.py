"""Contract A: the dashboard of contract_a.py, over every stock client. A number is that of the row in the contract's script; the
scenarios are those that document 000 lists."""

import re
from datetime import datetime, timezone

import pytest

from contract_a import LIFECYCLE, Dashboard, texts_in
from servers import wait_until

PROGRESS = {"progress_percentage": 40, "current_step": 5, "step_name": "Applying quantization", "elapsed_time": "0:01:30"}
LIVES = {
    "session_started": {"model_id": "m1", "optimization_type": "quantization"},
    "session_progress": PROGRESS,
    "session_completed": {"results": {"size_reduction": 0.5, "elapsed": "1 day, 0:00:00"}},
    "session_failed": {"error": "out of memory", "error_type": "MemoryError"},
    "session_cancelled": {"reason": "by its user"},
}


@pytest.fixture(scope="module")
def shared_platform(platform_kind):
    platform = platform_kind()
    yield platform
    platform.close()


class House:
    """A platform and the dashboards of one test."""

    def __init__(self, platform, drivers):
        self.platform, self.drivers, self.dashboards = platform, drivers, []

    def dashboard(self, kind="js-4.8", mode="websocket", **opening):
        self.dashboards.append(Dashboard(self.drivers.get(kind), self.platform.url, mode, **opening))
        return self.dashboards[-1].connect()

    def mark(self, *dashboards):
        """Whatever was told before is there then."""
        self.platform.event("topic:all", "system_status", {"status": "a mark"})
        for dashboard in dashboards:
            dashboard.wait("system_status", status="a mark")


@pytest.fixture
def house(shared_platform, drivers):
    found = House(shared_platform, drivers)
    yield found
    for dashboard in found.dashboards:
        dashboard.close()


@pytest.fixture
def own_house(start_platform, drivers):
    found = House(start_platform(), drivers)
    yield found
    for dashboard in found.dashboards:
        dashboard.close()


def assert_now(text):
    """ISO 8601 in UTC, and of this time."""
    assert re.match(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)$", text), text
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    assert abs((datetime.now(timezone.utc) - moment).total_seconds()) < 600


# ---- the rows, over every client and transport


def test_rows_1_to_7_over_every_stock_client_and_transport(house, kind, mode):
    x, y = house.dashboard(kind, mode), house.dashboard("js-4.8")
    assert x.client_id != y.client_id
    assert_now(x.greeting["timestamp"])
    session = f"s1-{kind}-{mode}"
    assert x.subscribe(session)["session_id"] == session
    house.platform.event(f"session:{session}", "session_progress", PROGRESS)
    told = x.wait("session_progress")
    assert {**PROGRESS, "session_id": session}.items() <= told.items()
    assert_now(told["timestamp"])
    house.platform.send(f"session:{session}", "Optimization Started", content="has begun", type_="info")
    told = x.wait("notification")
    assert {"type": "info", "title": "Optimization Started", "message": "has begun"}.items() <= told.items()
    alert = {"alert_id": "a1", "severity": "error", "title": "t", "message": "m"}
    house.platform.event("topic:all", "alert", alert)
    for dashboard in (x, y):
        told = dashboard.wait("alert")
        assert alert.items() <= told.items()
        assert_now(told["timestamp"])
    assert_now(x.ping()["timestamp"])
    x.socket.emit("subscribe_session", {})
    assert texts_in(x.wait("error"))
    x.unsubscribe(session)
    house.platform.event(f"session:{session}", "session_completed", {"results": {}})
    house.mark(x, y)
    assert [event for event, _ in x.told(*LIFECYCLE, "notification")] == ["session_progress", "notification"]
    assert y.told(*LIFECYCLE, "notification") == []
    assert x.socket.state()["transport"] == ("polling" if mode == "polling" else "websocket")


# ---- the ten scenarios of document 000


def test_scenario_1_whoever_connects_is_told_so_and_gets_what_the_service_sends(house):
    x = house.dashboard()
    house.platform.event("topic:all", "notification", {"title": "t", "message": "m", "type": "info"})
    assert x.wait("notification")["title"] == "t"


@pytest.mark.parametrize("level, wanted", [("info", "info"), ("success", "success"), ("warning", "warning"), ("error", "error"), ("critical", "error"), (None, "info")])  # fmt: skip
def test_scenario_2_a_notification_becomes_an_event_with_the_documents_members(house, level, wanted):
    x = house.dashboard()
    house.platform.send("topic:all", "Disk", content="nearly full", level=level, category="system", data={"free": [1, None]})
    told = x.wait("notification")
    assert {"type": wanted, "title": "Disk", "message": "nearly full", "category": "system", "session_id": None}.items() <= told.items()
    assert isinstance(told["id"], str) and told["free"] == [1, None]
    assert_now(told["timestamp"])


def test_scenario_3_an_alert_becomes_an_event_with_the_documents_members(house):
    x = house.dashboard()
    alert = {"alert_id": "a7", "severity": "critical", "title": "t", "message": "m"}
    house.platform.event("topic:all", "alert", alert)
    assert alert.items() <= x.wait("alert").items()


def test_scenario_3_an_alert_may_be_kept_like_a_notification(house):
    x = house.dashboard()
    house.platform.send("topic:all", "Hot", content="90 degrees", level="warning", event="alert")
    told = x.wait("alert")
    assert {"title": "Hot", "message": "90 degrees", "severity": "warning"}.items() <= told.items()
    assert_now(told["timestamp"])


def test_scenario_4_progress_becomes_an_event_with_durations_as_text(house):
    x = house.dashboard()
    x.subscribe("s4")
    progress = {"total_steps": 12, "estimated_remaining": "1 day, 0:00:00", **PROGRESS}
    house.platform.event("session:s4", "session_progress", progress)
    assert {**progress, "session_id": "s4"}.items() <= x.wait("session_progress").items()


def test_scenario_5_what_belongs_to_a_session_reaches_those_who_subscribed_and_nobody_else(house):
    x, y, z = (house.dashboard() for _ in range(3))
    x.subscribe("s5")
    y.subscribe("s5b")
    house.platform.send("session:s5", "mine")
    house.platform.send("session:s5b", "yours")
    house.mark(x, y, z)
    assert [[payload["title"] for _, payload in one.told("notification")] for one in (x, y, z)] == [["mine"], ["yours"], []]
    assert [payload["session_id"] for _, payload in x.told("notification")] == ["s5"]


def test_scenario_6_a_client_that_is_gone_keeps_nothing_from_the_others(house):
    x, y = house.dashboard(), house.dashboard("js-4.0", "polling")
    others = [house.dashboard("python", mode) for mode in ("polling", "websocket")]
    for one in (x, y, *others):
        one.subscribe("s6")
    for other in others:
        other.socket.do("drop")
    for n in range(20):
        house.platform.event("session:s6", "session_progress", {"current_step": n})
    for one in (x, y):
        one.wait("session_progress", current_step=19)
        assert [payload["current_step"] for _, payload in one.told("session_progress")] == list(range(20))


def test_scenario_7_several_kinds_in_sequence_come_in_that_sequence(house, mode):
    x = house.dashboard(mode=mode)
    x.subscribe("s7")
    house.platform.send("session:s7", "begun")
    house.platform.event("session:s7", "alert", {"alert_id": "a", "severity": "info", "title": "t", "message": "m"})
    house.platform.event("session:s7", "session_progress", PROGRESS)
    x.wait("session_progress")
    assert [event for event, _ in x.told()] == ["notification", "alert", "session_progress"]


def test_scenario_8_the_statistics_say_whether_the_service_is_connected(own_house):
    if not own_house.platform.is_ours:
        pytest.skip("the documents give statistics to operators, not to clients")
    x, y = own_house.dashboard(), own_house.dashboard()
    x.subscribe("s8")
    (answer,) = x.socket.call("statistics")
    assert answer["notification_service_connected"] is True
    assert (answer["clients"]["socketio"], answer["connections"]) == (2, 2)
    own_house.platform.server.kill9()
    wait_until(lambda: x.socket.call("statistics")[0]["notification_service_connected"] is False, "its being told")
    assert y.ping()


def test_scenario_9_the_life_of_a_session_is_told_from_its_beginning_to_its_end(house, mode):
    x = house.dashboard(mode=mode)
    x.subscribe(f"s9-{mode}")
    for event, data in LIVES.items():
        house.platform.event(f"session:s9-{mode}", event, data)
    x.wait("session_cancelled")
    told = x.told(*LIFECYCLE)
    assert [event for event, _ in told] == list(LIVES)
    for event, payload in told:
        assert {**LIVES[event], "session_id": f"s9-{mode}"}.items() <= payload.items()
        assert_now(payload["timestamp"])


def test_scenario_10_the_systems_status_reaches_everybody(house, kind):
    everybody = [house.dashboard(kind), house.dashboard()]
    status = {"status": "degraded", "metrics": {"sessions": 3, "load": 0.25}}
    house.platform.event("topic:all", "system_status", status)
    for one in everybody:
        told = one.wait("system_status", status="degraded")
        assert status.items() <= told.items()
        assert_now(told["timestamp"])


# ---- what the documents say besides


def test_subscribing_twice_tells_everything_once(house):
    x = house.dashboard()
    x.subscribe("twice")
    x.subscribe("twice")
    house.platform.event("session:twice", "session_progress", {"current_step": 1})
    house.platform.event("session:twice", "session_progress", {"current_step": 2})
    x.wait("session_progress", current_step=2)
    assert len(x.told("session_progress")) == 2


def test_one_dashboard_follows_many_sessions_and_several_follow_one(house):
    x, y = house.dashboard(), house.dashboard(mode="polling")
    for one, sessions in ((x, ("m1", "m2", "m3")), (y, ("m2",))):
        for session in sessions:
            one.subscribe(session)
    for session in ("m1", "m2", "m3"):
        house.platform.event(f"session:{session}", "session_started", {})
    x.wait("session_started", session_id="m3")
    y.wait("session_started", session_id="m2")
    house.mark(x, y)
    assert [payload["session_id"] for _, payload in x.told("session_started")] == ["m1", "m2", "m3"]
    assert [payload["session_id"] for _, payload in y.told("session_started")] == ["m2"]


def test_who_comes_back_subscribes_again_as_the_documents_say(own_house):
    x = own_house.dashboard()
    x.subscribe("back")
    own_house.platform.daemons[0].kill9()
    x.socket.wait("disconnect")
    own_house.platform.daemons[0].start()
    x.socket.wait("connect")
    x.wait("connected")
    x.subscribe("back")
    own_house.platform.event("session:back", "session_progress", PROGRESS)
    x.wait("session_progress")


def test_row_8_who_is_turned_out_by_a_restart_is_told_why_and_comes_back(own_house, mode):
    x = own_house.dashboard(mode=mode)
    own_house.platform.wait_polls()
    own_house.platform.daemons[0].terminate()
    assert texts_in(x.wait("disconnected")["reason"])
    x.socket.wait("disconnect")
    own_house.platform.daemons[0].start()
    x.socket.wait("connect")
    x.wait("connected")


# ---- wrong messages

WRONG = {
    "no argument": ("subscribe_session", []),
    "null": ("subscribe_session", [None]),
    "a text": ("subscribe_session", ["s1"]),
    "a number": ("subscribe_session", [7]),
    "a list": ("subscribe_session", [["s1"]]),
    "no member": ("subscribe_session", [{}]),
    "an empty member": ("subscribe_session", [{"session_id": ""}]),
    "a number for a member": ("subscribe_session", [{"session_id": 7}]),
    "null for a member": ("subscribe_session", [{"session_id": None}]),
    "two arguments": ("subscribe_session", [{"session_id": "s1"}, {"session_id": "s2"}]),
    "another event": ("unsubscribe_session", [{}]),
    "an event that nobody knows": ("no such event", [{"a": 1}]),
    "an event of the server": ("session_progress", [PROGRESS]),
    "an event without a name": ("", []),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_message_is_an_error_with_a_text_and_the_connection_stays(house, case, mode):
    event, args = WRONG[case]
    x = house.dashboard(mode=mode)
    x.socket.emit(event, *args)
    assert texts_in(x.wait("error"))
    (answer,) = x.socket.call(event, *args)
    assert texts_in(answer["error"])
    x.ping()
    assert [event for event, _ in x.socket.heard if event in ("subscribed", "disconnect")] == []


def test_bytes_where_nobody_wants_any_are_an_error_and_the_connection_stays(house, kind, mode):
    x = house.dashboard(kind, mode)
    (answer,) = x.socket.call("subscribe_session", {"session_id": {"$bytes": "AQIDBA=="}})
    assert texts_in(answer["error"])
    x.ping()


def test_every_request_with_an_ack_is_answered_there_once_and_not_as_an_event(house, kind, mode):
    """Many at once: the official server puts more than 16 packets into the answer to a poll, upon which python-socketio goes."""
    x = house.dashboard(kind, mode)
    count = 40 if house.platform.is_ours else 12
    calls = [x.socket.start_call("subscribe_session", {"session_id": f"ack-{kind}-{mode}-{n}"}) for n in range(count)]
    for n, call in enumerate(calls):
        (answer,) = x.socket.driver.answer(call)
        assert answer["session_id"] == f"ack-{kind}-{mode}-{n}"
    x.ping()
    heard = [event for event, _ in x.socket.heard]
    assert "subscribed" not in heard and "$ack_again" not in heard
