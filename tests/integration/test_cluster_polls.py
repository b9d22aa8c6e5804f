"""Socket.IO over polling between two bridges in front of a cluster: each session's box is in a slot of its own, and the
bridges wake each other wherever that is. What must be true is what test_socketio_polls.py says of one server."""

import pytest

from cluster_stand import ClusterStand
from module_helpers import pairs
from test_socketio_polls import (  # noqa: F401  (they are done here with a cluster)
    alice,
    test_a_bridge_that_is_killed_with_a_poll_in_its_hand_loses_nothing,
    test_a_get_that_is_repeated_at_another_bridge_gets_the_same_bytes,
    test_an_event_is_acknowledged_once_though_another_bridge_holds_the_poll,
    test_everything_arrives_once_and_in_order_whichever_bridge_is_asked,
    test_one_bridge_keeps_a_session_whichever_answers_its_polls,
    test_two_gets_at_once_end_the_session_wherever_they_are,
    test_what_is_not_stored_reaches_who_is_just_between_two_polls_wherever_the_next_one_comes,
    test_what_is_published_while_nobody_polls_is_there_at_the_next_poll,
    test_who_closes_at_one_bridge_is_let_go_of_at_the_other,
    test_who_closes_between_two_polls_is_gone_at_once_and_leaves_no_box,
)


class Client:
    """What those tests do with a server."""

    def __init__(self, stand):
        self.execute_command = stand.call

    def hgetall(self, key):
        return pairs(self.execute_command("HGETALL", key))

    def exists(self, key):
        return self.execute_command("EXISTS", key)


class Server:
    def __init__(self, stand):
        self.stand = stand

    def client(self):
        return Client(self.stand)


@pytest.fixture
def stand():
    stand = ClusterStand(name="one")
    yield stand
    stand.close()


@pytest.fixture
def redis_server(stand):
    return Server(stand)


@pytest.fixture
def bridges(stand):
    return [stand.daemon, stand.bridge(stand, name="two")]
