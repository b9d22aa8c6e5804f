"""--status-interval: how the service is, on the topic system_status; of several bridges one says it at a time."""

import pytest

from bridge_helpers import Stand


@pytest.fixture(scope="module")
def pair():
    """Two bridges that say it every tenth of a second."""
    stand = Stand("--status-interval", "100ms")
    stand.other = stand.bridge(stand.server, "--status-interval", "100ms", name="other")
    yield stand
    stand.close_tabs()
    stand.close()


def watch(stand, port=None):
    tab = stand.tab("/ws", port=port)
    tab.request("subscribe", topic="system_status")
    return tab


def test_it_is_said_once_in_each_interval_whichever_bridge_says_it(pair):
    for tab in (watch(pair), watch(pair, pair.other.port)):
        heard = [tab.expect(type="system_status") for _ in range(15)]
        ms = [int(message["id"].split("-")[0]) for message in heard]
        assert heard[0]["status"] == "healthy" and heard[0]["metrics"]["connections"] >= 0
        assert len(ms) == len(set(ms)) and ms == sorted(ms)
        # Two of one interval would come at once; one that was late, and the next in time, do not.
        assert (ms[-1] - ms[0]) > 13 * 100 - 50


def test_the_newest_is_kept_for_who_comes_later_and_no_more(pair):
    watch(pair).expect(type="system_status")
    assert pair.call("NOTIFY.LEN", "topic:system_status") == 1
    (about,) = pair.call("NOTIFY.SINCE", "topic:system_status", "$")
    assert dict(zip(about[::2], about[1::2]))["next_expiry"] > 0, "when nobody says anything it goes"


def test_when_one_bridge_dies_the_other_goes_on(pair):
    tab = watch(pair, pair.other.port)
    pair.daemon.kill9()
    try:
        for _ in range(5):
            tab.expect(type="system_status")
    finally:
        pair.daemon.start()


def test_while_redis_is_away_nobody_can_be_told_and_then_it_goes_on(make_stand):
    stand = make_stand("--status-interval", "100ms")
    tab = watch(stand)
    tab.expect(type="system_status")
    stand.server.restart()
    tab.drain()
    tab.expect(type="system_status", timeout=30)


def test_without_the_option_nobody_says_it(stand):
    tab = watch(stand)
    stand.drain(tab)
    assert stand.client.exists("topic:system_status") == 0
