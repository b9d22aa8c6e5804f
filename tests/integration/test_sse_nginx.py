"""Streams of events through a real nginx that nobody has configured for them: HTTP/1.0 to the bridge,
buffering and compression as they come."""

import pytest

from nginx import Nginx
from sse_client import SseClient
from test_sse import Streams, event_ids

@pytest.fixture
def stand(make_stand, tmp_path):
    stand = make_stand(kind=Streams)
    stand.second = stand.bridge(stand.server, name="second")
    stand.nginx = stand.add(Nginx(str(tmp_path), [stand.daemon, stand.second]))
    stand.nginx.start()
    return stand


@pytest.mark.parametrize("headers", [(), ("Accept-Encoding: gzip",)])
def test_each_event_comes_at_once_compressed_or_not(stand, user, headers):
    stream = stand.stream(user=user, port=stand.nginx.port, headers=headers)
    assert (stream.header("content-encoding") == "gzip") == bool(headers)
    for _ in range(5):
        id_ = stand.send(f"inbox:{user}")
        assert stream.expect("notification", timeout=10).json["id"] == id_


def test_who_comes_back_to_the_other_bridge_goes_on(stand, user):
    at, got, sent = None, [], []
    for n in range(12):
        sent.append(stand.send(f"inbox:{user}")) if n else None
        stream = stand.stream(user=user, port=stand.nginx.port, last_event_id=at)
        while len(got) < len(sent):
            got.append(stream.expect("notification").json["id"])
        sent.append(stand.send(f"inbox:{user}"))
        got.append(stream.expect("notification").json["id"])
        at = stream.last_event_id
        stream.close()
    assert got == sent
    for bridge in (stand.daemon, stand.second):
        assert bridge.metrics()["notify_clients_opened_total"] >= 3


def test_a_bridge_that_dies_is_an_end_after_which_nothing_is_lost(stand, user):
    streams = [stand.stream(user=user, port=stand.nginx.port) for _ in range(4)]
    first = stand.send(f"inbox:{user}")
    for stream in streams:
        assert event_ids([stream.expect("notification")]) == [first]
    stand.second.kill9()
    second = stand.send(f"inbox:{user}")
    for stream in streams:
        back = SseClient(stand.nginx.port, user=user, last_event_id=stream.last_event_id)
        stand.streams.append(back)
        assert back.expect("notification").json["id"] == second
