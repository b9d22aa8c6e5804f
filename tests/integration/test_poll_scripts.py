"""The scripts of the boxes of polled sessions (bridge/clients/poll_box) against a server, without a bridge."""

import random

import pytest
import redis

from effects import effects_of
from module_helpers import digest
from patience import WAIT_TIMEOUT_S
from poll_box import Box
from servers import at_some_pace, wait_until

SID = "abcdefghijklmnopqrst"
US, OTHERS = "aa:1", "bb:1"  # a hold of bridge aa, and one of bridge bb


@pytest.fixture
def box(client):
    box = Box(client)
    assert box.open() == "DONE"
    return box


@pytest.fixture
def alive(listen, shared_redis):
    """alive("aa"): a bridge of that name hears its channel; what it has heard: .said()"""

    def start(node):
        listener = listen(shared_redis, f"eio:{node}")
        listener.said = lambda: [text for _, text in listener.raw()]
        return listener

    return start


def test_a_box_is_taken_with_its_state_and_all_input(box):
    assert box.push("4a") == box.push("4b") == "DONE"
    word, input_, ping_in, dead_in, probed, generation, state, last, *_ = box.take(US)
    assert (word, input_, probed, generation, state, last) == ("DONE", "4a\x1e4b", 0, "1", "", "2")
    assert 24000 < ping_in <= 25000 and 44000 < dead_in <= 45000


def test_what_the_holder_was_given_is_consumed_by_giving_back_and_no_more(box):
    box.push("4a")
    box.take(US)
    box.push("4b")
    assert box.give(US, "one")[0] == "DONE"
    assert box.take(OTHERS)[1] == "4b"
    before = box.given()
    assert box.give(OTHERS, "two")[5] == box.given() > before
    assert box.take(US)[1] == ""
    assert not [name for name in box.client.hkeys(box.key) if name[0] == "i" and name[1:].isdigit()]


def test_input_that_its_holder_has_not_come_to_stays_for_the_next(box):
    box.push("4a")
    box.take(US)
    box.push("4b")
    box.look(US)
    box.give(US, seen=1)
    assert box.take(OTHERS)[1] == "4b"


def test_a_look_brings_what_has_come_since_the_last(box):
    box.push("4a")
    box.take(US)
    assert box.look(US)[1] == ""
    box.push("4b")
    box.push("4c")
    assert box.look(US)[1] == "4b\x1e4c"
    assert box.look(US)[1] == ""
    assert box.look(OTHERS) == ["ELSEWHERE"]


def test_a_second_get_ends_the_session_and_the_first_is_told(box, alive):
    bridge = alive("aa")
    box.take(US)
    assert box.take(OTHERS) == ["OVERLAP"]
    assert bridge.said() == ["1 overlap"]
    assert box.look(US) == box.give(US) == ["LOST"]
    assert box.take(OTHERS) == ["UNKNOWN"]


def test_the_box_of_a_bridge_that_is_gone_is_taken_at_once(box):
    box.take(US)
    box.give(US, "state")
    box.take(US)
    assert box.take(OTHERS)[6] == "state"
    assert box.look(US) == box.give(US) == ["ELSEWHERE"]


def test_with_input_in_its_hand_a_bridge_that_is_gone_takes_the_session_with_it(box):
    box.push("4a")
    box.take(US)
    assert box.take(OTHERS) == ["UNKNOWN"]
    assert not box.exists()


def test_input_that_it_had_not_been_given_yet_is_still_there(box):
    box.take(US)
    box.push("4a")
    assert box.take(OTHERS)[1] == "4a"


def test_whoever_holds_is_woken_by_input_a_probe_and_the_end(box, alive):
    bridge = alive("aa")
    box.take("aa:7")
    box.push("4a")
    box.push("", pong=True)
    box.probe()
    box.drop()
    assert bridge.said() == [f"7 input {SID}", f"7 input {SID}", f"7 probed {SID}", "7 closed"]


def test_whoever_drops_his_own_is_not_woken_and_drops_no_other(box, alive):
    bridge = alive("aa")
    box.take(US)
    assert box.drop(OTHERS) == "LOST"
    assert box.drop(US) == "DONE"
    assert bridge.said() == []
    assert not box.exists()


def test_a_pong_moves_deadline_and_ping_and_nothing_else_does(client):
    box = Box(client, interval=20000, timeout=10000)
    box.open()
    client.hset(box.key, mapping={"d": int(client.hget(box.key, "d")) - 5000, "p": int(client.hget(box.key, "p")) - 5000})
    before = client.hmget(box.key, "p", "d")
    box.push("4a")
    box.take(US)
    box.give(US)
    assert client.hmget(box.key, "p", "d") == before
    assert box.push("", pong=True) == "DONE"
    _, _, ping_in, dead_in, *_ = box.take(US)
    assert 19000 < ping_in <= 20000 and 29000 < dead_in <= 30000
    assert 29000 < client.pttl(box.key) <= 30000


def test_a_ping_that_was_sent_is_due_again_after_its_pong_alone(box):
    box.take(US)
    box.give(US, pinged=True)
    assert box.take(US)[2] == -1
    box.push("", pong=True)
    assert 24000 < box.look(US)[2] <= 25000


def test_a_box_is_gone_when_its_deadline_has_passed(client):
    def is_gone(unit_s):
        client.flushall()
        box = Box(client, interval=int(600 * unit_s), timeout=int(400 * unit_s))
        box.open()
        assert 0 < client.pttl(box.key) <= 1000 * unit_s
        wait_until(lambda: not box.exists(), "the deadline")
        assert box.take(US) == ["UNKNOWN"]
        assert box.push("4a") == box.probe() == box.check() == "UNKNOWN"

    at_some_pace(is_gone, 1)


def test_a_request_that_is_repeated_gets_the_same_answer_again_until_the_next_one(box):
    box.take(US, t="t1")
    box.give(US, "state", "42[1]")
    assert box.take(OTHERS, t="t1") == ["AGAIN", "42[1]"] == box.take(US, t="t1")
    assert box.take(OTHERS, t="t2")[0] == "DONE"
    box.give(OTHERS, "state", "42[2]")
    assert box.take(US, t="t1")[0] == "DONE"


def test_an_answer_that_was_lost_with_its_bridge_is_had_again_though_an_upgrade_has_begun(box):
    box.take(US, t="t1")
    box.give(US, "state", "40{}")
    box.probe("bb")
    assert box.take(OTHERS, t="t1") == ["AGAIN", "40{}"]
    assert box.take(OTHERS, t="t2") == ["PROBED"]
    assert box.upgrade("bb")[6] == "state"


def test_a_request_without_a_name_is_never_a_repeated_one(box):
    box.take(US)
    box.give(US, "state", "42[1]")
    assert box.take(US)[0] == "DONE"


def test_who_keeps_the_session_goes_on_without_its_state(box):
    box.take(US)
    box.give(US, "state", keeps=True)
    assert box.take(US)[5:10] == [str(box.given()), "", "0", 1, 0]
    box.give(US, "other")
    assert box.take(US)[6:9] == ["other", "0", 0]


def test_a_get_elsewhere_is_served_by_who_keeps_the_session(box, alive):
    keeper, other = alive("aa"), alive("bb")
    box.take(US)
    box.give(US, "state", keeps=True)
    assert box.take(OTHERS, t="t1") == ["SERVED"] == box.ask(OTHERS, t="t1")
    assert box.look(US)[10] == 1
    assert box.look(OTHERS) == ["ELSEWHERE"]
    assert box.give(US, "next", "42[1]", keeps=True)[0] == "DONE"
    assert box.ask(OTHERS, t="t1") == ["AGAIN", "42[1]"] == box.take("cc:1", t="t1")
    assert (keeper.said(), other.said()) == ([f"1 wanted {SID}"] * 2, ["1 given"])


def test_an_answer_that_nobody_hears_stays_with_who_keeps_the_session(box, alive):
    alive("aa")
    box.take(US)
    box.give(US, "state", keeps=True)
    assert box.take(OTHERS) == ["SERVED"]
    assert box.give(US, "next", "42[1]", keeps=True) == ["UNHEARD"]
    assert box.take("cc:1") == ["SERVED"]
    assert box.client.hget(box.key, "s") == "state"


def test_an_answer_of_a_keeper_who_ends_to_a_get_that_is_over_is_not_taken_for_heard(box, alive):
    """The bridge ended, too, whose GET that was, and has answered it with nothing."""
    alive("aa")
    box.take(US)
    box.give(US, "state", keeps=True)
    assert box.take(OTHERS, t="t1") == ["SERVED"]
    assert box.ask(OTHERS, t="t1", leaves=True) == ["AGAIN", "6"]
    assert box.give(US, "next", "42[1]") == ["UNHEARD"]
    assert box.take("cc:1", t="t2")[6] == "state"


def test_when_the_keeper_is_gone_the_next_goes_on_and_that_something_may_be_missed_is_said_once(box):
    box.take(US)
    box.give(US, "state", keeps=True)
    assert box.take(OTHERS)[6:10] == ["state", "0", 0, 1]
    box.give(OTHERS, "next", keeps=True)
    assert box.take(US)[6:10] == ["next", "0", 0, 0]


def test_a_bridge_that_knows_nothing_of_keepers_takes_the_session_from_them(box, alive):
    keeper = alive("aa")
    box.take(US)
    box.give(US, "state", keeps=True)
    box.client.hincrby(box.key, "g", 1)
    assert box.look(US) == ["ELSEWHERE"]
    assert box.take(OTHERS)[6] == "state"
    assert keeper.said() == []


def test_a_second_get_ends_the_session_of_the_first_and_of_who_serves_it(box, alive):
    keeper, other = alive("aa"), alive("bb")
    box.take(US)
    box.give(US, "state", keeps=True)
    box.take(OTHERS)
    assert box.take("cc:1") == ["OVERLAP"]
    assert (keeper.said()[-1], other.said()) == ("1 overlap", ["1 overlap"])
    assert not box.exists()


def test_a_session_that_its_keeper_ends_answers_the_get_elsewhere_and_is_unknown(box, alive):
    alive("aa"), alive("bb")
    box.take(US)
    box.give(US, "state", keeps=True)
    box.take(OTHERS, t="t1")
    assert box.finish(US, "41") == "DONE"
    assert box.ask(OTHERS, t="t1") == ["AGAIN", "41"]
    assert box.take("cc:1", t="t2") == ["UNKNOWN"]
    assert 0 < box.client.pttl(box.key) <= 10000


def test_an_answer_outlives_the_session_until_whose_get_it_was_has_heard_of_it(box, alive):
    alive("aa"), alive("bb")
    for asked in (False, True):
        box.open()
        box.take(US)
        box.give(US, "state", keeps=True)
        box.take(OTHERS, t="t1")
        assert box.give(US, "next", "42", keeps=True)[0] == "DONE"
        assert box.ask("cc:1", t="t2") == ["LOST"]  # which takes nothing from anybody
        if asked:
            assert box.ask(OTHERS, t="t1") == ["AGAIN", "42"]
        assert box.drop(US) == "DONE"
        if asked:
            assert not box.exists()
            continue
        assert 0 < box.client.pttl(box.key) <= 10000
        assert box.take("cc:1", t="t2") == ["UNKNOWN"]
        assert box.ask(OTHERS, t="t1") == ["AGAIN", "42"]
        box.client.delete(box.key)


def test_a_get_that_is_repeated_while_it_is_held_is_no_second_one(box, alive):
    keeper = alive("aa")
    box.take(US)
    box.give(US, "state", keeps=True)
    box.take(US, t="t1")
    assert box.take(OTHERS, t="t1") == ["SERVED"]
    assert keeper.said() == [f"1 wanted {SID}"]


def test_who_has_the_session_no_more_is_said_to_be_so_and_the_get_that_he_was_to_serve_goes_on(box, alive):
    """His bridge is there, and knows nothing of him: it was not heard of, or not taken, that he gave it back."""
    alive("aa")
    other = alive("bb")
    box.take(US)
    box.give(US, "state", keeps=True)
    assert box.take(OTHERS, t="t1") == ["SERVED"]
    assert box.run("disown", "aa:2") == ["LOST"]
    assert box.run("disown", US) == ["DONE"]
    assert other.said() == ["1 given"]
    assert box.ask(OTHERS, t="t1")[6] == "state"
    assert box.run("disown", US) == ["LOST"]


def test_who_has_no_get_any_more_that_his_bridge_knows_of_is_waited_for_by_nobody(box, alive):
    alive("aa")
    box.take(US)
    box.probe("bb")
    assert box.upgrade("bb") == ["HELD"]
    assert box.run("disown", US) == ["DONE"]
    assert box.upgrade("bb")[0] == "DONE"
    assert box.run("disown", US) == ["LOST"]


@pytest.mark.parametrize("how", ["looks", "gives it for the GET", "gives it away"])
def test_who_has_gone_on_from_what_redis_forgot_gives_the_session_up_whatever_he_does(box, alive, how):
    """Whether what he has answered since was heard, nobody knows: his GET elsewhere goes on from what is still there."""
    alive("aa")
    other = alive("bb")
    box.take(US)
    box.give(US, "state", keeps=True)
    box.take(OTHERS, t="t1")
    assert box.look(US, given=box.given())[10] == 1
    ahead = box.given() + 1
    if how == "looks":
        assert box.look(US, given=ahead) == ["ELSEWHERE"]
    else:
        assert box.give(US, "ahead", "42[1]", keeps=how != "gives it away", answers=how != "gives it away", given=ahead) == ["ELSEWHERE"]
    assert other.said() == ["1 given"]
    taken = box.ask(OTHERS, t="t1")
    assert (taken[6], taken[12]) == ("state", 1), "its client has had more, perhaps"
    box.give(OTHERS, "told")
    assert box.take(US)[12] == 0


def test_who_keeps_what_redis_forgot_goes_on_from_what_is_still_there_at_the_next_get(box, alive):
    alive("aa")
    box.take(US)
    box.give(US, "state", keeps=True)
    taken = box.take(US, t="t2", given=box.given() + 1)
    assert (taken[0], taken[6], taken[8], taken[12]) == ("DONE", "state", 0, 1)
    assert box.give(US, "next", "42[1]", given=box.given(), own="t2")[0] == "DONE"
    assert box.take(OTHERS, t="t2") == ["AGAIN", "42[1]"]


def test_who_had_a_session_that_is_named_by_another_is_set_back_only_if_its_box_is_older(box, alive):
    """Else somebody has gone on with it, as he may."""
    alive("aa")
    box.take(US)
    box.give(US, "state", keeps=True)
    before = box.given()
    for given, set_back in ((before, 0), (before + 1, 1)):
        assert box.look("cc:7", given=given) == ["ELSEWHERE"]
        assert (box.client.hget(box.key, "sb") is not None) == set_back


SET_BACK = 12


def is_set_back(reply):
    assert reply[0] == "DONE", reply
    return reply[SET_BACK] == 1


def note_set_back(box, who="cc:7"):
    """Somebody has had it whose answer Redis has lost."""
    assert box.look(who, given=box.given() + 1) == ["ELSEWHERE"]


@pytest.mark.parametrize("keeps", [False, True], ids=["given back", "kept"])
def test_that_its_client_had_more_is_told_though_it_is_found_out_when_somebody_has_gone_on(box, alive, keeps):
    """He was not told, and his giving it back does not make it so."""
    alive("aa")
    box.take(US)
    note_set_back(box)
    box.give(US, "one", keeps=keeps)
    taken = box.take(US)
    assert is_set_back(taken) and taken[6] == "one"
    box.give(US, "told", keeps=keeps)
    assert not is_set_back(box.take(US))


def test_a_get_elsewhere_is_not_served_by_who_keeps_a_session_whose_client_had_more(box, alive):
    alive("aa")
    box.take(US)
    box.give(US, "state", keeps=True)
    note_set_back(box)
    assert box.take(OTHERS, t="t1") == ["SERVED"]
    assert box.look(US) == ["ELSEWHERE"]
    assert is_set_back(box.ask(OTHERS, t="t1"))


def test_who_keeps_a_session_whose_client_had_more_keeps_it_until_what_he_has_in_his_hand_is_done(box, alive):
    """Or the session would end with it: what became of it nobody else knows."""
    alive("aa")
    box.take(US)
    box.give(US, "state", keeps=True)
    note_set_back(box)
    box.push("4a")
    assert box.look(US)[1] == "4a"
    taken = box.take(US, t="t1")
    assert (taken[0], taken[8]) == ("DONE", 1)
    box.give(US, "next", keeps=True)
    assert is_set_back(box.take(US, t="t2"))


def test_a_session_that_goes_over_to_a_websocket_is_told_that_its_client_had_more(box):
    box.take(US)
    box.give(US, "state")
    note_set_back(box)
    box.probe("bb")
    assert is_set_back(box.upgrade("bb"))


@pytest.mark.parametrize("kept", [False, True], ids=["held", "kept"])
def test_who_was_gone_on_without_had_more_if_he_has_answered_since_then_elsewhere(box, alive, kept):
    """Bridges hear of a failover one after the other: who hears of it last has answered at the server that was left, and
    what stands here is newer than that, and not what came of it."""
    box.take(US)
    if kept:
        box.give(US, "state", keeps=True)
    left = box.given()
    assert not is_set_back(box.take(OTHERS))
    box.give(OTHERS, "one", keeps=True)
    assert box.look(US, given=left) == ["ELSEWHERE"]
    alive("bb")
    taken = box.take(OTHERS)
    assert (taken[0], taken[8]) == ("DONE", 1), "nothing was lost"
    box.give(OTHERS, "two", keeps=True)
    assert left + 1 < box.given()
    assert box.look(US, given=left + 1) == ["ELSEWHERE"]
    assert is_set_back(box.take(OTHERS))


@pytest.mark.parametrize("where", ["an older box", "a box of others"])
def test_who_has_answered_nothing_but_pings_since_then_has_told_nothing_that_is_lost(box, where):
    box.take(US)
    box.give(US, "state", keeps=True)
    left = box.given()
    if where == "a box of others":
        box.take(OTHERS)
        box.give(OTHERS, "one")
    for said, set_back in ((left, False), (left + 1, True)):
        assert box.look(US, given=box.given() + 2, said=said) == ["ELSEWHERE"]
        assert (box.client.hget(box.key, "sb") is not None) == set_back


def test_who_was_gone_on_without_and_has_it_again_is_not_taken_for_one_who_had_more(box, alive):
    box.take(US)
    box.give(US, "state", keeps=True)
    box.take(OTHERS)
    box.give(OTHERS, "one")
    box.take(US)
    box.give(US, "two", keeps=True)
    left = box.given()
    box.client.hdel(box.key, "k")
    box.take("cc:1")
    box.give("cc:1", "three")
    assert box.look(US, given=left) == ["ELSEWHERE"]
    assert not is_set_back(box.take(US))


def put_clock_back(box, ms=3_600_000):
    """The next server's is behind by so much."""
    times = {name: box.client.hget(box.key, name) for name in ("p", "d", "ue")}
    box.client.hset(box.key, mapping={name: int(at) + ms for name, at in times.items() if at and at != "0"})
    box.client.pexpireat(box.key, box.client.hget(box.key, "d"))


def test_a_ping_is_sent_and_its_pong_awaited_no_later_than_a_client_waits_though_the_clock_is_behind(box):
    put_clock_back(box)
    assert box.take(US)[2:4] == [25000, 45000]
    _, _, ping_in, dead_in, *_ = box.look(US)
    assert 24000 < ping_in <= 25000 and 44000 < dead_in <= 45000
    box.give(US, pinged=True)
    assert box.push(pong=True) == "DONE"
    _, _, ping_in, dead_in, *_ = box.take(US)
    assert 24000 < ping_in <= 25000 and 44000 < dead_in <= 45000


@pytest.mark.parametrize("name", ["take", "look"])
def test_a_ping_is_put_off_by_nobody_who_looks_though_the_clock_is_behind(box, name):
    """Nor is death: whoever POSTs more often than he is pinged would be pinged when the clock has come so far."""
    put_clock_back(box)
    box.take(US)
    assert box.client.pttl(box.key) <= 45000
    put_clock_back(box, -20_000)
    _, _, ping_in, dead_in, *_ = getattr(box, name)(US)
    assert ping_in <= 5000 and dead_in <= 25000


@pytest.mark.parametrize("ms", [30_000, 3_600_000])
def test_a_probe_of_another_clock_holds_nobody_off(box, ms):
    """Or GETs would be answered with nothing, one behind the other, for as long as the clocks are apart."""
    box.probe("bb")
    assert box.take(US) == ["PROBED"]
    put_clock_back(box, ms)
    assert box.take(US)[0] == "DONE"


def test_a_probe_of_another_clock_is_none_when_the_clock_has_come_so_far_either(box):
    box.probe("bb")
    put_clock_back(box)
    box.take(US)
    box.give(US)
    if box.client.hexists(box.key, "ue"):
        box.client.hincrby(box.key, "ue", -3_600_000)
    assert box.take(US)[0] == "DONE"


def test_that_something_may_be_missed_is_told_whatever_the_clock_was_when_it_was_last(box):
    """The next server's may be behind."""
    for last, missed in ((0, 0), (3_600_000, 1), (-3_600_000, 1)):
        box.take(US)
        box.give(US)
        seconds, _ = box.client.time()
        box.client.hset(box.key, "lt", seconds * 1000 + last)
        assert box.take(US)[9] == missed, last


def test_who_has_a_get_of_his_own_goes_on_whatever_redis_forgot(box, alive):
    """It shows that what was answered before was heard."""
    alive("aa")
    box.take(US)
    box.give(US, "state", keeps=True)
    for h in (None, OTHERS):
        if h:
            assert box.take(h, t="t1") == ["SERVED"]
        assert box.look(US, given=9, own="t8")[0] == "DONE"
        assert box.give(US, "ahead", "42[1]", keeps=True, given=9, own="t8")[0] == "DONE"
        assert box.take("cc:1", t="t8") == ["AGAIN", "42[1]"]


def test_an_upgrade_asks_the_keeper_to_give_the_session_away(box, alive):
    alive("aa")
    box.take(US)
    box.give(US, "state", keeps=True)
    box.probe("bb")
    assert box.upgrade("bb") == ["HELD"]
    assert box.look(US)[11] == 1
    box.give(US, "next", answers=False)
    assert box.upgrade("bb")[6] == "next"


@pytest.mark.parametrize("limit", [{"max_bytes": 5}, {"max_items": 2}])
def test_more_input_than_a_box_may_have_ends_the_session(limit, box, alive):
    bridge = alive("aa")
    box.take(US)
    assert box.push("4a", **limit) == box.push("4b", **limit) == "DONE"
    assert box.push("4c", **limit) == "FULL"
    assert bridge.said() == [f"1 input {SID}", f"1 input {SID}", "1 full"]
    assert not box.exists()


def test_input_that_was_dealt_with_counts_no_more(box):
    for _ in range(5):
        assert box.push("4abc", max_bytes=8, max_items=2) == box.push("4abc", max_bytes=8, max_items=2) == "DONE"
        box.take(US)
        box.give(US)
    assert box.client.hget(box.key, "b") == "0"


def test_a_probe_holds_off_polls_for_its_time(box):
    assert box.check() == box.probe() == box.check() == "DONE"
    assert box.take(US) == ["PROBED"]
    assert box.probe("cc") == "PROBED"
    assert box.push("4a") == "DONE"
    assert box.unprobe("cc") == "LOST"
    assert box.unprobe() == "DONE"
    assert box.take(US)[0] == "DONE"


def test_a_probe_of_a_bridge_that_is_gone_holds_nobody_off_for_longer(box):
    box.probe(for_ms=50)
    wait_until(lambda: box.take(US)[0] == "DONE", "the end of the probe")
    assert box.look(US)[4] == 0


def test_whoever_holds_learns_that_there_was_a_probe(box):
    box.take(US)
    box.probe()
    assert box.look(US)[4] == 1


def test_an_upgrade_brings_state_and_input_and_leaves_nothing_to_poll(box):
    box.take(US)
    box.give(US, "state")
    box.push("4a")
    box.probe("bb")
    assert box.upgrade("cc") == ["LOST"]
    word, input_, ping_in, dead_in, _, _, state, *_ = box.upgrade("bb")
    assert (word, input_, state) == ("DONE", "4a", "state") and 0 < ping_in < dead_in
    assert box.take(US) == ["UPGRADED"]
    assert box.check() == "UPGRADED"
    assert box.push("4a") == box.probe() == "UPGRADED"
    assert 0 < box.client.pttl(box.key) <= 45000
    assert set(box.client.hkeys(box.key)) == {"v", "w"}


def test_an_upgrade_waits_for_whoever_still_holds_unless_he_is_gone(box, alive):
    bridge = alive("aa")
    box.take(US)
    box.probe("bb")
    assert box.upgrade("bb") == ["HELD"]
    assert bridge.said() == [f"1 probed {SID}"] * 2
    box.give(US, "state")
    assert box.upgrade("bb")[6] == "state"


def test_an_upgrade_takes_from_a_bridge_that_is_gone(box):
    box.take(US)
    box.probe("bb")
    assert box.upgrade("bb")[0] == "DONE"


def test_a_bridge_that_is_gone_with_input_leaves_nothing_to_upgrade(box):
    box.push("4a")
    box.take(US)
    box.probe("bb")
    assert box.upgrade("bb") == ["UNKNOWN"]
    assert not box.exists()


def test_who_closes_is_read_by_the_holder(box, alive):
    bridge = alive("aa")
    box.take(US)
    assert box.close(OTHERS, "4a\x1e1") == ["HELD"]
    assert bridge.said() == [f"1 input {SID}"]
    assert box.close(OTHERS, "") == ["HELD"]
    assert box.look(US)[1] == "4a\x1e1"


def test_who_asks_again_holds_what_was_given_back_with_the_close_unread(box, alive):
    alive("aa")
    box.take(US)
    assert box.close(OTHERS, "1") == ["HELD"]
    box.give(US, "state")
    assert box.close(OTHERS, "")[:2] == ["DONE", "1"]
    box.drop(OTHERS)
    assert box.close(OTHERS, "") == ["UNKNOWN"]


def test_who_closes_what_nobody_holds_holds_it_with_all_that_was_said_before(box):
    box.take(US)
    box.give(US, "state")
    box.push("4a")
    word, input_, ping_in, _, probed, generation, state, last, *_ = box.close(OTHERS)
    assert (word, input_, probed, generation, state, last) == ("DONE", "4a\x1e1", 0, str(box.given()), "state", "2")
    assert 24000 < ping_in <= 25000
    assert box.look(OTHERS)[0] == "DONE"
    assert box.drop(OTHERS) == "DONE"
    assert box.close(OTHERS) == ["UNKNOWN"]


def test_who_closes_takes_it_from_a_bridge_that_is_gone_unless_that_had_input_in_its_hand(box):
    box.take(US)
    assert box.close(OTHERS)[:2] == ["DONE", "1"]
    box.drop(OTHERS)
    box.open()
    box.push("4a")
    box.take(US)
    assert box.close(OTHERS) == ["UNKNOWN"]
    assert not box.exists()


def test_a_session_id_is_given_once(box):
    assert box.open() == "LOST"


def test_a_box_of_another_version_is_none_that_is_known_and_stays_as_it_is(box):
    box.client.hset(box.key, "v", "2")
    before = box.client.hgetall(box.key)
    assert box.take(US) == ["UNKNOWN"]
    assert box.upgrade() == ["LOST"]
    assert box.push("4a") == box.probe() == "UNKNOWN"
    assert box.look(US) == box.give(US) == ["LOST"]
    assert box.client.hgetall(box.key) == before


def operations(box):
    return {
        "take": lambda: box.take(US),
        "ask": lambda: box.ask(US),
        "finish": lambda: box.finish(US),
        "look": lambda: box.look(US),
        "give": lambda: box.give(US),
        "push": lambda: box.push("4a"),
        "close": lambda: box.close(US),
        "probe": box.probe,
        "unprobe": box.unprobe,
        "upgrade": box.upgrade,
        "drop": box.drop,
    }


WRONG = ["", "x", "-1", "1e9", "99999999999999999999", "nan", "\x00", "1:2:3", "aa:1"]


@pytest.mark.parametrize("name", operations(Box(None)))
def test_whatever_lies_in_its_place_no_script_blocks_the_server_or_finds_a_command_to_run(name, client):
    rng = random.Random(name)
    fields = ["v", "pi", "pt", "d", "p", "s", "h", "ht", "k", "kg", "lt", "uw", "g", "sb", "f", "fg", "i", "hs", "c", "b", "a", "at", "ah", "u", "ue", "w"]
    for _ in range(60):
        client.flushall()
        box = Box(client)
        box.open()
        box.take(US)
        wrong = {field: rng.choice(WRONG) for field in rng.sample(fields, rng.randint(1, 4))}
        client.hset(box.key, mapping=wrong)
        for field in rng.sample(fields, rng.randint(0, 2)):
            client.hdel(box.key, field)
        try:
            operations(box)[name]()
        except redis.exceptions.ResponseError:
            pass
        assert not client.keys("[^e]*")
    assert not [entry for entry in client.slowlog_get(10) if entry["duration"] > 5_000_000]  # µs, on any machine


def count_input(box, name):
    """Has the script look for input behind what was dealt with."""
    if name == "take":
        box.client.hdel(box.key, "h")
        box.take(US)
    elif name == "give":
        box.give(US, seen=1 << 60)
    elif name == "look":
        box.look(US)
    else:
        box.client.hdel(box.key, "h")
        box.probe("bb")
        box.upgrade("bb")


@pytest.mark.parametrize("number", ["9007199254740992", "1e308", "9" * 400, "nan", "-1e308"])
@pytest.mark.parametrize("name", ["take", "give", "look", "upgrade"])
def test_input_that_is_numbered_beyond_what_can_be_counted_blocks_no_server(name, number, programs):
    server = programs.redis(busy_reply_threshold=100)
    box = Box(server.client(socket_timeout=WAIT_TIMEOUT_S))
    box.open()
    box.take(US)
    box.client.hset(box.key, mapping={"c": number, "hs": number, "i": number})
    try:
        count_input(box, name)
    except redis.exceptions.ResponseError:
        pass
    assert box.client.ping()  # with a script that does not end it says BUSY


@pytest.mark.parametrize("number", ["nan", "-inf", "-1e308"])
def test_whatever_the_numbers_of_a_box_are_it_takes_no_more_than_it_may(number, client):
    box = Box(client)
    box.open()
    client.hset(box.key, mapping={"b": number, "c": number})
    for _ in range(50):
        box.push("4" * 100)
    assert (client.memory_usage(box.key) or 0) < 3000


@pytest.mark.parametrize("name", operations(Box(None)))
def test_a_key_of_another_type_is_an_error_and_left_alone(name, client):
    box = Box(client)
    client.set(box.key, "x")
    if name != "drop":
        with pytest.raises(redis.exceptions.ResponseError):
            operations(box)[name]()
        assert client.get(box.key) == "x"


def do_something(rng, box):
    who = rng.choice([US, OTHERS])
    rng.choice(
        [
            lambda: box.take(who, t=rng.choice(["", "t1", "t2"])),
            lambda: box.look(who),
            lambda: box.ask(who, t=rng.choice(["", "t1"])),
            lambda: box.give(who, "s" * rng.randint(0, 100), "a", rng.random() < 0.2, keeps=rng.random() < 0.7),
            lambda: box.finish(who, "a") if rng.random() < 0.1 else None,
            lambda: box.push("4" * rng.randint(0, 9), rng.random() < 0.2),
            lambda: box.close(who) if rng.random() < 0.2 else None,
            lambda: box.probe(rng.choice(["aa", "bb"]), 20),
            lambda: box.unprobe(rng.choice(["aa", "bb"])),
            lambda: box.upgrade(rng.choice(["aa", "bb"])) if rng.random() < 0.1 else None,
            lambda: box.drop(who) if rng.random() < 0.1 else None,
        ]
    )()


def test_what_a_script_does_is_replicated_as_its_effects_and_comes_to_the_same(programs):
    primary = programs.redis(appendonly="yes")
    replica = programs.replica(primary)
    client, rng = primary.client(), random.Random(12)
    boxes = [Box(client, f"{n:020d}") for n in range(5)]
    for _ in range(600):
        box = rng.choice(boxes)
        if not box.exists():
            box.open()
        do_something(rng, box)
    assert client.wait(1, 30000) == 1
    assert digest(client) == digest(replica.client())
    expiries = [[one.pexpiretime(box.key) for box in boxes] for one in (client, replica.client())]
    assert expiries[0] == expiries[1]
    assert {words[0].upper() for words in effects_of(primary)} <= {"HSET", "HDEL", "DEL", "PEXPIREAT", "UNLINK"}


def test_what_only_looks_is_not_replicated(programs):
    primary = programs.redis(appendonly="yes")
    box = Box(primary.client())
    box.open()
    box.take(US)
    before = effects_of(primary)
    box.look(US)
    box.look(OTHERS)
    box.give(OTHERS)
    assert effects_of(primary) == before
