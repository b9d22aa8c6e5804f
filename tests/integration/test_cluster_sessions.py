"""Sessions, presence and kicks in front of a cluster: each set is in a slot of its own. What must be true is what
test_sessions.py says of one server; here is what of it has to do with several sets, or with who sends what."""

import functools
import time

import pytest

from bridge_helpers import new_name
from cluster_stand import ClusterStand
from servers import at_some_pace, wait_until
from test_sessions import (  # noqa: F401  (they are done here with a cluster)
    LEASE_S,
    Pair,
    test_a_bridge_that_ends_takes_its_connections_along_at_once,
    test_a_connection_outlives_its_lease_as_long_as_it_lasts,
    test_a_session_is_kicked_by_its_id_alone_whoever_holds_it,
    test_a_set_that_is_deleted_is_made_again_at_once,
    test_a_user_has_so_many_sessions_over_all_bridges,
    test_a_user_is_kicked_whole_and_may_come_back,
    test_many_connections_of_one_user_are_renewed_too,
    test_of_two_bridges_one_is_killed_and_all_is_right_within_one_lease,
    test_presence_is_answered_by_user_by_session_and_by_topic,
    test_who_connects_is_in_the_set_of_its_user_until_it_goes,
    test_who_watches_a_user_is_told_how_it_stands_and_then_of_who_comes_and_goes,
)


class ClusterPair(Pair, ClusterStand):
    pass


@pytest.fixture
def make_pair(make_stand):
    return functools.partial(make_stand, kind=ClusterPair)


@pytest.fixture(scope="module")
def shared_stand():
    group = ClusterPair()
    yield group
    group.close()


@pytest.fixture
def pair(stand):
    return stand


def test_leases_of_users_in_many_slots_are_renewed(make_pair):
    def are_renewed(lease_s):
        pair, users = make_pair(lease_s=lease_s), [new_name() for _ in range(40)]
        for n, user in enumerate(users):
            pair.tab(n % 2, f"/ws/tab?user={user}")
        time.sleep(2 * lease_s)
        assert [pair.count(f"sessions:{user}") for user in users] == [(1, 1)] * len(users)
        assert pair.calls("notify.session|renew") > 0

    at_some_pace(are_renewed, LEASE_S, doublings=3)


def test_a_shard_that_is_away_takes_nobody_of_the_others_along(make_pair):
    def takes_nobody(lease_s):
        pair = make_pair(lease_s=lease_s)
        users = [new_name() for _ in range(24)]
        away = pair.cluster.shards[0][0]
        there = [user for user in users if pair.primary_of(f"sessions:{user}") is not away]
        assert 0 < len(there) < len(users)
        tabs = {user: pair.tab(0, f"/ws/tab?user={user}") for user in users}
        away.kill9()
        time.sleep(2 * lease_s)
        assert [pair.count(f"sessions:{user}") for user in there] == [(1, 1)] * len(there)
        away.start()
        for user in users:  # the one that was away has forgotten them
            wait_until(lambda user=user: pair.count(f"sessions:{user}") == (1, 1), f"{user} to be there again")
        assert all(tab.sock.fileno() >= 0 for tab in tabs.values())

    at_some_pace(takes_nobody, LEASE_S, doublings=2)
