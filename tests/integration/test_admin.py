"""/admin: where it is, who may look and change something there, and what is told."""

import json
import os
import re
import socket
import subprocess

import pytest

from bridge_helpers import Stand, new_name
from rest_client import Rest
from servers import bridge_path, change_roles, free_port, wait_until
from tokens import SECRET, token

READS = ("/admin", "/admin/page.js", "/admin/page.css", "/admin/state", "/admin/user?user_id=alice")
CHANGES = {"/admin/send": {"user_id": "alice", "title": "A test"}, "/admin/kick": {"user_id": "alice"}}
ROLES = """
role *
  subscribe   *
role watcher
  admin       look
role operator
  admin       *
"""
HOSTILE = ["<img src=x onerror=alert(1)>", '"};alert(1)//', "a/../b?c#d%20&user_id=bob", "ünïcode\u2028‮", "' or 1=1"]


class Apart(Stand):
    """auth none, with a listener for administrators."""

    def __init__(self, *more):
        self.admin_port = free_port()
        super().__init__("--dev=no", "--admin-listen", f"127.0.0.1:{self.admin_port}", "--session-lease", "60s", *more)
        self.admin = Rest(self.admin_port)


@pytest.fixture(scope="module")
def apart():
    group = Apart()
    yield group
    group.close()


@pytest.fixture(scope="module")
def roles(tmp_path_factory):
    path = tmp_path_factory.mktemp("admin") / "roles.conf"
    path.write_text(ROLES)
    return path


@pytest.fixture(scope="module")
def inside(roles):
    """Tokens, and rights by a file of roles; no listener of its own."""
    group = Stand("--dev=no", "--auth", "jwt", "--jwt-secret", SECRET, "--roles", str(roles), "--cors-origins", "https://app.example.com")
    yield group
    group.close()


@pytest.fixture(autouse=True)
def close(request):
    yield
    for name in ("apart", "inside"):
        if name in request.fixturenames:
            request.getfixturevalue(name).close_tabs()


def as_role(inside, *names):
    return Rest(inside.daemon.port, token=token("root", roles=list(names)))


def told(answer):
    assert answer.status == 200, answer
    return answer.json


def state(rest, **query):
    return told(rest.get("/admin/state", **query))


def user_of(rest, name):
    return told(rest.get("/admin/user", user_id=name))


# Where it is.


def test_a_bridge_that_was_not_asked_for_it_has_none(programs, redis_server):
    rest = Rest(programs.bridge(redis_server, "--dev=no").port)
    for path in READS:
        assert rest.get(path).status == 404, path
    for path, body in CHANGES.items():
        assert rest.post(path, body).status == 404, path


def test_at_its_own_listener_it_needs_no_token_and_clients_find_nothing_of_it(apart):
    apart.daemon.wait_line(rf"event=admin_served listen=127\.0\.0\.1:{apart.admin_port}")
    clients = Rest(apart.daemon.port)
    for path in READS:
        assert apart.admin.get(path).status == 200, path
        assert clients.get(path).status == 404, path
    for path, body in CHANGES.items():
        assert apart.admin.post(path, body).status == 200, path
        assert clients.post(path, body).status == 404, path
    for path in ("/healthz", "/readyz", "/metrics"):
        assert apart.admin.get(path).status == 200, path
    for path in ("/notify.js", "/ws?user=alice", "/api/v1/notifications?user=alice", "/api/v1/statistics?user=alice", "/openapi.json"):
        assert apart.admin.get(path).status == 404, path


def test_a_listener_that_other_machines_can_reach_is_refused_unless_they_must_show_certificates():
    def check(*words):
        argv = [bridge_path(), "--auth", "none", "--listen", "127.0.0.1:0", *words, "--check-config"]
        done = subprocess.run(argv, capture_output=True, text=True, env={**os.environ, "NOTIFY_REDIS": "redis://127.0.0.1"})
        return done.returncode, done.stdout + done.stderr

    for address in ("0.0.0.0:9101", "[::]:9101", "192.0.2.7:9101", "intranet.example.com:9101", "systemd:admin"):
        status, said = check("--admin-listen", address)
        assert status != 0 and "admin-listen" in said, (address, said)
    files = ["--tls-cert", "cert.pem", "--tls-key", "key.pem"]
    assert check("--admin-listen", "0.0.0.0:9101,tls", *files)[0] != 0
    certified = ["--admin-listen", "0.0.0.0:9101,tls", *files, "--tls-client-ca", "ca.pem"]
    assert "admin-listen" in check(*certified, "--tls-client-auth", "optional")[1]
    assert "admin-listen" not in check(*certified)[1]
    for address in ("127.0.0.1:9101", "[::1]:9101", "localhost:9101", "unix:/run/notify-admin.sock"):
        assert check("--admin-listen", address)[0] == 0, address


def test_it_is_no_part_of_the_api(apart):
    assert "admin" not in json.dumps(told(Rest(apart.daemon.port).get("/openapi.json")))


def test_who_develops_has_it_where_clients_connect(stand):
    rest = Rest(stand.daemon.port)
    for path in READS:
        assert rest.get(path).status == 200, path
    assert rest.post("/admin/send", CHANGES["/admin/send"], headers={"Origin": "http://localhost:3000"}).status == 403


# Who may.


def test_with_tokens_a_role_says_who_may_look_send_and_kick(inside):
    nobody, watcher, operator = as_role(inside), as_role(inside, "watcher"), as_role(inside, "operator")
    assert Rest(inside.daemon.port).get("/admin/state").status == 401
    for path in ("/admin/state", "/admin/user?user_id=alice"):
        refused = nobody.get(path)
        assert (refused.status, refused.json["error"]["details"]["right"]) == (403, "admin"), path
        assert watcher.get(path).status == operator.get(path).status == 200, path
    for path, body in CHANGES.items():
        for rest in (nobody, watcher):
            refused = rest.post(path, body)
            details = {"member": "type", "right": "admin", "name": path.rsplit("/", 1)[1]}
            assert (refused.status, refused.json["error"]["details"]) == (403, details), path
        assert operator.post(path, body).status == 200, path
    assert inside.call("NOTIFY.LEN", "inbox:alice") == 1


def test_without_a_role_that_has_the_right_there_is_no_page_and_the_file_counts_at_once(inside, roles):
    operator = as_role(inside, "operator")
    assert operator.get("/admin").status == 200
    change_roles(roles, "role *\n  subscribe *\n", inside.daemon)
    try:
        for path in READS:
            assert operator.get(path).status == 404, path
    finally:
        change_roles(roles, ROLES, inside.daemon)
    assert operator.get("/admin").status == 200


def test_nobody_without_a_token_is_let_in_whatever_the_role_of_guests_says(programs, redis_server, tmp_path):
    path = tmp_path / "roles.conf"
    path.write_text("role guest\n  admin *\n")
    guests = ["--roles", str(path), "--anonymous-role", "guest"]
    bridge = programs.bridge(redis_server, "--dev=no", "--auth", "jwt", "--jwt-secret", SECRET, *guests)
    assert Rest(bridge.port).get("/admin/state").status == 403
    assert Rest(bridge.port).post("/admin/kick", CHANGES["/admin/kick"]).status == 403


# Pages of others.


@pytest.mark.parametrize("origin", ["https://evil.example", "https://app.example.com", "null", "http://127.0.0.1:1", "http://localhost:3000"])
def test_a_page_of_another_origin_changes_nothing_and_reads_nothing(apart, inside, origin):
    for rest in (apart.admin, as_role(inside, "operator")):
        for path, body in CHANGES.items():
            refused = rest.post(path, {**body, "user_id": "cross"}, headers={"Origin": origin})
            assert refused.status == 403, (path, refused)
            assert rest.call("OPTIONS", path, headers={"Origin": origin, "Access-Control-Request-Method": "POST"}).headers.get("access-control-allow-origin") is None
        answer = rest.get("/admin/state", headers={"Origin": origin})
        assert "access-control-allow-origin" not in answer.headers
    assert apart.call("NOTIFY.LEN", "inbox:cross") == inside.call("NOTIFY.LEN", "inbox:cross") == 0


def test_what_a_browser_sends_for_another_site_without_an_origin_changes_nothing_either(apart):
    for site in ("cross-site", "same-site"):
        assert apart.admin.post("/admin/kick", {"user_id": "alice"}, headers={"Sec-Fetch-Site": site}).status == 403, site
    own = {"Origin": f"http://127.0.0.1:{apart.admin_port}", "Sec-Fetch-Site": "same-origin"}
    assert apart.admin.post("/admin/kick", {"user_id": "alice"}, headers=own).status == 200


def refuses_other_names(stand):
    for path in READS:
        assert stand.admin.get(path, headers={"Host": "evil.example"}).status == 403, path
    assert stand.admin.post("/admin/kick", {"user_id": "alice"}, headers={"Host": "evil.example", "Origin": "http://evil.example"}).status == 403


def test_a_name_that_somebody_elses_server_gives_this_address_is_refused(apart):
    refuses_other_names(apart)


def test_such_a_name_is_refused_where_every_page_may_be_a_client_too():
    stand = Apart("--cors-origins", "*")
    try:
        assert Rest(stand.daemon.port).get("/healthz", headers={"Host": "evil.example"}).status == 200
        refuses_other_names(stand)
        assert stand.admin.get("/admin/state").status == 200
    finally:
        stand.close()


def test_such_a_name_is_refused_for_the_pages_of_who_develops_while_every_page_may_be_a_client():
    stand = Stand("--cors-origins", "*")
    evil = {"Host": "evil.example", "Origin": "http://evil.example"}
    rest = Rest(stand.daemon.port)
    try:
        assert rest.get("/healthz", headers=evil).status == 200
        for path in (*READS, "/demo", "/demo/page.js"):
            assert rest.get(path, headers=evil).status == 403, path
            assert rest.get(path, headers={"Host": f"localhost:{stand.daemon.port}"}).status == 200, path
        for path, body in {**CHANGES, "/demo/kill": {}}.items():
            assert rest.post(path, body, headers=evil).status == 403, path
    finally:
        stand.close()


def test_nothing_changes_by_get_nor_by_what_a_form_can_send(apart):
    for path, body in CHANGES.items():
        assert apart.admin.get(path, **body).status == 405, path
        for type_ in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
            assert apart.admin.post(path, json.dumps(body).encode(), headers={"Content-Type": type_}).status == 415, path


def test_the_page_brings_a_policy_and_nothing_in_it_makes_html_of_text(apart):
    page, script = (apart.admin.get(path).body.decode() for path in ("/admin", "/admin/page.js"))
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page).group(1)
    assert "default-src 'none'" in policy and "unsafe" not in policy and "trusted-types 'none'" in policy
    assert not re.search(r"<script(?! src=)|<style|\son\w+=|\sstyle=", page)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|new Function|DOMParser|srcdoc|setHTML", script)
    assert apart.admin.get("/admin").headers["x-frame-options"] == "DENY"


# What is told.


def test_the_state_has_every_number_of_metrics(apart):
    answer = state(apart.admin)
    names = {name.split("_bucket{")[0] for name in apart.daemon.metrics()}
    for name in names:
        base = re.sub(r"_(sum|count)$", "", name)
        assert name in answer["counters"] or base in answer["histograms_us"], name
    assert answer["workers"][0]["state"] == "ready" and answer["node"]


def test_connections_are_told_by_transport(apart):
    def count(transport):
        return state(apart.admin)["counters"][f'notify_connections{{transport="{transport}"}}']

    before = count("websocket")
    tab = apart.tab(f"/ws?user={new_name()}")
    wait_until(lambda: count("websocket") == before + 1, "it being counted")
    tab.close()
    wait_until(lambda: count("websocket") == before, "its having gone")


def test_the_keys_that_most_follow_come_first_and_no_more_than_fifty(apart):
    topic, user = new_name("busy"), new_name()
    tabs = [apart.tab(f"/ws?user={user}{i}") for i in range(3)]
    for tab in tabs:
        assert tab.request("subscribe", topic=topic)["status"] == "subscribed"
    rows = {row["key"]: row["followers"] for row in state(apart.admin)["topics"]}
    assert rows[f"topic:{topic}"] == 3
    for n in range(60):
        assert tabs[0].request("subscribe", topic=f"{topic}-{n}")["status"] == "subscribed"
    answer = state(apart.admin)
    followers = [row["followers"] for row in answer["topics"]]
    assert len(followers) == 50 and followers == sorted(followers, reverse=True) and answer["topics_whole"] is True
    assert f"topic:{topic}" in {row["key"] for row in answer["topics"]}


def test_who_is_connected_is_listed_if_that_is_asked_for(apart):
    user = new_name()
    apart.tab(f"/ws?user={user}")
    assert "statistics" not in state(apart.admin)
    assert user in {row["user_id"] for row in state(apart.admin, list="true")["statistics"]["list"]}


def test_with_several_workers_the_numbers_are_of_all_and_each_has_its_row(programs, redis_server):
    port = free_port()
    bridge = programs.bridge(redis_server, "--workers", "2", "--admin-listen", f"127.0.0.1:{port}")

    def all_ready():
        """Each tells of itself when it gets to it."""
        answer = state(Rest(port))
        rows = [(row["worker"], row["state"]) for row in answer["workers"]]
        return rows == [(0, "ready"), (1, "ready")] and answer["counters"]["notify_ready"] == 2 and answer

    answer = wait_until(all_ready, "all workers being ready")
    assert answer["worker"] in (0, 1) and answer["counters"]["notify_workers"] == 2


def test_a_user_is_told_with_sessions_counts_and_where_the_inbox_stands_in_logs(apart):
    user, log = new_name(), f"topic:{new_name('log')}"
    inbox = f"inbox:{user}"
    apart.call("NOTIFY.FOLLOW", inbox, log, "FROM", 0)
    ids = [apart.send(log) for _ in range(3)]
    apart.call("NOTIFY.READALL", inbox, "UPTO", ids[0], "LOG", log)
    apart.send(inbox, "one", "CATEGORY", "ci")
    apart.send(inbox, "two", "CATEGORY", "ops")
    apart.call("NOTIFY.MUTE", inbox, "ops")
    apart.tab(f"/ws/tab-7?user={user}")
    answer = user_of(apart.admin, user)
    assert (answer["key"], answer["connections"], answer["faults"]) == (inbox, 1, {})
    assert [row["session"] for row in answer["sessions"]] == ["tab-7"]
    assert (answer["box"]["length"], answer["box"]["unread"]) == (2, 1)
    categories = {row["category"]: (row["length"], row["unread"], row["muted"]) for row in answer["box"]["categories"]}
    assert categories == {"ci": (1, 1, False), "ops": (1, 0, True)}
    assert answer["recount"] == {"sound": True, "unread": 1}
    (row,) = [row for row in answer["logs"] if row["log"] == log]
    assert (row["unread"], row["start"], row["read"], row["read_ids"]) == (2, "0-0", ids[0], 0)


def test_a_user_without_anything_is_no_fault(apart):
    answer = user_of(apart.admin, new_name("nobody"))
    assert (answer["box"], answer["recount"], answer["logs"], answer["connections"], answer["faults"]) == (None, None, [], 0, {})


def test_lists_of_a_user_are_bounded_and_say_so(apart):
    user = new_name()
    for n in range(120):
        apart.send(f"inbox:{user}", "x", "CATEGORY", f"c{n}")
        apart.call("NOTIFY.FOLLOW", f"inbox:{user}", f"topic:{user}-{n}", "FROM", 0)
    answer = user_of(apart.admin, user)
    assert (len(answer["box"]["categories"]), answer["box"]["categories_whole"]) == (100, False)
    assert (len(answer["logs"]), answer["logs_whole"]) == (100, False) and answer["box"]["unread"] == 120


@pytest.mark.parametrize("name", HOSTILE)
def test_any_name_that_a_user_can_have_is_taken_as_it_is(apart, name):
    sent = told(apart.admin.post("/admin/send", {"user_id": name, "title": name, "level": "warning"}))
    assert apart.call("NOTIFY.GET", f"inbox:{name}", sent["id"])[0] is not None
    answer = user_of(apart.admin, name)
    assert (answer["user_id"], answer["key"], answer["box"]["unread"]) == (name, f"inbox:{name}", 1)


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 200, 7, None])
def test_what_is_no_name_is_refused_with_the_member(apart, name):
    refused = apart.admin.post("/admin/kick", {"user_id": name})
    assert (refused.status, refused.json["error"]["details"]["member"]) == (422, "user_id")


# What is done.


def test_a_test_reaches_the_user_and_a_kick_ends_one_session_or_all(apart):
    user = new_name()
    tabs = [apart.tab(f"/ws/{session}?user={user}") for session in ("one", "two", "three")]
    sent = told(apart.admin.post("/admin/send", {"user_id": user, "title": "Hello", "level": "critical"}))
    for tab in tabs:
        message = tab.expect(type="notification")
        assert (message["id"], message["data"]["title"], message["data"]["level"]) == (sent["id"], "Hello", "critical")
    assert told(apart.admin.post("/admin/kick", {"user_id": user, "session_id": "one"}))["changed"] == 1
    assert tabs[0].wait_closed().code == 4410
    assert told(apart.admin.post("/admin/kick", {"user_id": user}))["changed"] == 2
    assert [tab.wait_closed().code for tab in tabs[1:]] == [4410, 4410]
    apart.daemon.wait_line(rf"event=admin action=kick user={user} by=operator")


def test_what_redis_refuses_is_told(programs, redis_server):
    port = free_port()
    bridge = programs.bridge(redis_server, "--admin-listen", f"127.0.0.1:{port}")
    client = redis_server.client()
    client.set("inbox:wrong", "a string")
    answer = user_of(Rest(port), "wrong")
    assert "WRONGTYPE" in answer["faults"]["box"] and answer["box"] is None
    redis_server.kill9()
    bridge.wait_line("redis_link_down")
    assert Rest(port).get("/admin/user", user_id="alice").status == 503
    assert state(Rest(port))["counters"]['notify_redis_link_up{link="commands"}'] == 0


def test_who_leaves_while_he_is_told_of_a_user_leaves_nothing_behind(programs, redis_server):
    """Between two of the questions to Redis; a leak is told at the end."""
    port = free_port()
    bridge = programs.bridge(redis_server, "--admin-listen", f"127.0.0.1:{port}", "--session-lease", "60s")
    client = redis_server.client()
    client.execute_command("NOTIFY.SEND", "inbox:alice", "one")
    for _ in range(5):
        client.execute_command("CLIENT", "PAUSE", 200, "ALL")
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.sendall(b"GET /admin/user?user_id=alice HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert user_of(Rest(port), "alice")["box"]["unread"] == 1
    bridge.terminate()
    assert bridge.wait() == 0
