"""/demo: the page for the first minutes, and the button that kills the bridge."""

import os

import pytest

from rest_client import Rest
from servers import wait_until
from test_workers import Workers
from tokens import SECRET
from ws_client import WsClient

FILES = ("/demo", "/demo/page.js", "/demo/page.css")


def gone(pid):
    return not os.path.exists(f"/proc/{pid}")


@pytest.fixture
def workers(programs, redis_server):
    return programs.add(Workers(redis_server, workers=2)).start()


def test_it_is_there_in_development_only_and_no_part_of_the_api(programs, redis_server, workers):
    plain = Rest(programs.bridge(redis_server, "--dev=no").port)
    for path in FILES:
        assert Rest(workers.port).get(path).status == 200, path
        assert plain.get(path).status == 404, path
    assert plain.post("/demo/kill", {}).status == 404
    assert "/demo" not in str(Rest(workers.port).get("/openapi.json").json["paths"].keys())


def test_where_tokens_are_asked_for_nobody_is_let_kill(programs, redis_server):
    rest = Rest(programs.bridge(redis_server, "--auth", "jwt", "--jwt-secret", SECRET).port)
    assert rest.get("/test-ws").status == 200
    for path in FILES:
        assert rest.get(path).status == 404, path
    assert rest.post("/demo/kill", {}).status == 404


def test_a_kill_ends_every_worker_and_the_supervisor_starts_others_and_nobody_misses_anything(redis_server, workers):
    before, supervisor = workers.pids(), workers.pid
    tabs = [WsClient(workers.port, "/ws?user=alice") for _ in range(6)]
    for tab in tabs:
        tab.expect(type="connection")
    answer = Rest(workers.port).post("/demo/kill", {})
    assert (answer.status, answer.json) == (202, {"killed": 2})
    wait_until(lambda: all(gone(pid) for pid in before), "their end")
    id_ = redis_server.client().execute_command("NOTIFY.SEND", "inbox:alice", "meanwhile")
    wait_until(lambda: len(set(workers.pids()) - set(before)) == 2, "others in their place")
    assert workers.pid == supervisor and workers.running()
    wait_until(lambda: answers(workers), "their being ready")
    with WsClient(workers.port, "/ws?user=alice&last_event_id=0-0") as again:
        again.expect(type="connection")
        assert again.expect(type="notification")["id"] == id_


def answers(workers):
    try:
        return Rest(workers.port).get("/readyz").status == 200
    except OSError:
        return False


def test_where_nobody_would_start_it_again_it_is_not_killed(programs, redis_server):
    bridge = programs.bridge(redis_server)
    assert Rest(bridge.port).post("/demo/kill", {}).status == 409
    assert Rest(bridge.port).get("/healthz").status == 200 and bridge.running()


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Origin": "http://localhost:3000"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}])
def test_a_page_of_another_origin_kills_nothing(workers, headers):
    before = workers.pids()
    assert Rest(workers.port).post("/demo/kill", {}, headers=headers).status == 403
    assert Rest(workers.port).get("/demo/kill").status == 405
    assert workers.pids() == before
