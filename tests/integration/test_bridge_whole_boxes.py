"""Whatever happens to a box as a whole, an open page ends with what Redis has: the same entries, the same
badge. The page keeps the rules of docs/protocol.md and nothing else: it asks again when it is told to."""

import json
import time

import pytest

from bridge_helpers import number_of
from servers import at_some_pace, wait_until

KEY = "inbox:alice"


class Page:
    """What a client shows of its inbox: {id: title}, and its badge."""

    def __init__(self, stand):
        self.tab = stand.tab("/ws?user=alice")
        self.shown = {}
        self.unread = 0
        self.is_stale = False
        self.fetch()

    def ask(self, type_, **members):
        """The answer; what comes before it is taken."""
        self.tab.send({"type": type_, "request_id": "q", **members})
        while True:
            message = self.tab.recv()
            if message.get("request_id") == "q":
                return message
            self.take(message, asks=False)

    def fetch(self):
        """The list and the count, as they are now."""
        items = self.ask("request_notification_history", limit=100)["items"]
        self.shown = {item["id"]: item["title"] for item in items}
        self.unread = self.ask("unread_count")["unread"]

    def take(self, message, asks=True):
        type_ = message["type"]
        is_lost = type_ == "resumed" and not message["results"].get(KEY, {}).get("recovered", True)
        if message.get("key") not in (KEY, None):
            return
        if "data" in message and "id" in message:
            self.shown[message["id"]] = message["data"]["title"]
        if type_ == "deleted":
            for id_ in message.get("ids", []):
                self.shown.pop(id_, None)
        if "unread" in message and "key" in message:
            self.unread = message["unread"]
        if type_ in ("gone", "changed") or is_lost:
            self.is_stale = True
        while asks and self.is_stale:
            self.is_stale = False
            self.fetch()

    def listen(self, seconds=0.2):
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                self.take(self.tab.recv(timeout=left))
            except TimeoutError:
                return


def in_redis(stand):
    entries = [json.loads(text) for text in stand.call("NOTIFY.RANGE", KEY, "-", "+", "COUNT", 100, "JSON")]
    return {e["id"]: e["data"]["title"] for e in entries}, stand.call("NOTIFY.UNREAD", KEY)


def settle(stand, page):
    """Until the page shows what Redis has."""

    def is_right():
        page.listen()
        return (page.shown, page.unread) == in_redis(stand)

    wait_until(is_right, "the page and Redis agree")


@pytest.fixture
def stage(make_stand):
    stand = make_stand()
    stand.send_many(KEY, 5)
    stand.call("NOTIFY.READ", KEY, next(iter(in_redis(stand)[0])))
    page = Page(stand)
    stand.send_many(KEY, 3)
    settle(stand, page)
    return stand, page


def other_box(stand, count=2, key="other"):
    for n in range(count):
        stand.send(key, f"other {n}")
    return key


def lower(stand):
    last = max(number_of(id_) for id_ in in_redis(stand)[0])
    return last[0] - 60000


def rename_onto(stand):
    stand.call("RENAME", other_box(stand), KEY)


def rename_away(stand):
    stand.call("RENAME", KEY, "elsewhere")


def restore_replace(stand):
    other_box(stand)
    stand.call("RESTORE", KEY, 0, stand.server.client(decode_responses=False).dump("other"), "REPLACE")


def copy_replace(stand):
    stand.call("COPY", other_box(stand), KEY, "REPLACE")


def begin_anew_below(stand):
    ms = lower(stand)
    stand.call("DEL", KEY)
    for n in range(4):
        stand.send(KEY, f"anew {n}", "ID", f"{ms + n}-0")


def expire(stand):
    stand.call("PEXPIRE", KEY, 1)
    wait_until(lambda: stand.call("NOTIFY.LEN", KEY) == 0, "the end of what it had")  # it may be there again: the bridge follows the broadcasts anew


def overwrite(stand):
    stand.call("SET", KEY, "a string")
    stand.call("DEL", KEY)


def flush_and_begin_anew(stand):
    stand.call("FLUSHDB")
    stand.send_many(KEY, 2)


def swap(stand):
    other = stand.server.client(db=1)
    for n in range(12):
        other.execute_command("NOTIFY.SEND", KEY, f"of the other database {n}")
    stand.call("SWAPDB", 0, 1)


def swap_for_nothing(stand):
    stand.call("SWAPDB", 0, 1)


def swap_there_and_back(stand):
    stand.call("SWAPDB", 0, 1)
    stand.call("SWAPDB", 0, 1)


FATES = [
    *(rename_onto, rename_away, restore_replace, copy_replace, begin_anew_below, expire, overwrite),
    *(flush_and_begin_anew, swap, swap_for_nothing, swap_there_and_back),
    *(lambda stand: stand.call("DEL", KEY), lambda stand: stand.call("UNLINK", KEY)),
    *(lambda stand: stand.call("FLUSHDB"), lambda stand: stand.call("FLUSHALL", "ASYNC")),
]
NAMES = [
    *("rename_onto", "rename_away", "restore_replace", "copy_replace", "begin_anew_below", "expire", "overwrite"),
    *("flush_and_begin_anew", "swap", "swap_for_nothing", "swap_there_and_back", "del", "unlink", "flushdb"),
    "flushall_async",
]


@pytest.mark.parametrize("fate", FATES, ids=NAMES)
def test_whatever_happens_to_a_box_an_open_page_ends_with_what_redis_has(stage, fate):
    stand, page = stage
    fate(stand)
    settle(stand, page)
    stand.send_many(KEY, 2)  # and it goes on from there
    settle(stand, page)
    stand.call("NOTIFY.READALL", KEY)
    settle(stand, page)
    assert page.unread == 0


def test_one_fate_behind_another_ends_right(stage):
    stand, page = stage
    for fate in (begin_anew_below, rename_onto, flush_and_begin_anew, swap, begin_anew_below, restore_replace):
        fate(stand)
        stand.call("DEL", "other")
        stand.send_many(KEY, 2)
    settle(stand, page)


def test_entries_that_expire_leave_the_count_at_the_instant_that_badge_tells(stage):
    """Nobody is told: the client knows when from expires_at and next_expiry, and asks then."""
    stand, page = stage

    def expires_after(lifetime_s):
        stand.send(KEY, "short", "PX", int(1000 * lifetime_s))
        page.listen()
        answer = page.ask("unread_count")
        assert answer["unread"] == stand.call("NOTIFY.UNREAD", KEY)
        due = answer["next_expiry"]
        assert due > 0
        wait_until(lambda: stand.client.time()[0] * 1000 + stand.client.time()[1] // 1000 >= due, "the instant")
        page.fetch()
        settle(stand, page)
        assert page.ask("unread_count")["next_expiry"] == 0

    at_some_pace(expires_after, 0.3)
