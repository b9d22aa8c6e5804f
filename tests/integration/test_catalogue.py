"""The catalogue of events, openapi.json and asyncapi.json: whole, true to the programs' sources, and fit for others' tools."""

import glob
import importlib.machinery
import importlib.util
import itertools
import json
import os
import re
import urllib.parse

import pytest

from bridge_helpers import Stand
from catalogue import Catalogue, check_asyncapi, check_openapi, closed, faults, fetch, mutants
from rest_client import Rest
from jsonschema import Draft202012Validator

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


@pytest.fixture(scope="module")
def stand():
    group = Stand()
    yield group
    group.close()


@pytest.fixture
def rest(stand):
    return Rest(stand.daemon.port, user="alice")


@pytest.fixture(scope="module")
def catalogue(stand):
    return Catalogue(stand.daemon.port)


@pytest.fixture(scope="module")
def openapi(stand):
    return fetch(stand.daemon.port, "/openapi.json")


def source(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


def sources(pattern):
    return "".join(source(path) for path in sorted(glob.glob(os.path.join(ROOT, pattern))))


def all_forms(catalogue):
    return [(name, form) for name, event in catalogue.events.items() for form in event["forms"]]


# ---- whole


def test_every_schema_is_one_and_every_example_fits_its_own_with_no_member_that_it_does_not_name(catalogue):
    for name, form in all_forms(catalogue):
        Draft202012Validator.check_schema(form["schema"])
        assert faults(closed(form["schema"]), form["example"]) == [], form["id"]
        assert form["dialects"] and form["summary"]
    for event in catalogue.events.values():
        assert faults(event["schema"], event["example"]) == []


def test_every_form_has_an_id_of_its_own_and_every_dialect_is_one_of_those_that_there_are(catalogue):
    ids = [form["id"] for _, form in all_forms(catalogue)]
    assert len(ids) == len(set(ids))
    known = {row["name"] for row in catalogue.whole["dialects"]}
    assert {dialect for _, form in all_forms(catalogue) for dialect in form["dialects"]} == known


def test_an_event_is_had_by_its_name_as_it_stands_in_the_whole_and_one_that_there_is_not_is_not_found(catalogue, rest):
    for name, event in catalogue.events.items():
        assert rest.get(f"/events/{urllib.parse.quote(name)}").json == event
    for name in ("no_such_event", "%ff", "a" * 500, "PING"):
        answer = rest.get(f"/events/{name}")
        assert (answer.status, answer.error) == (404, "NOT_FOUND"), name


def test_what_is_asked_for_is_the_table_of_requests(catalogue):
    table = re.search(r"request_types\[\] = \{(.*?)\n\};", source("bridge", "requests", "request_run.c"), re.S).group(1)
    rows = re.findall(r'^    \{"(\w+)", (.*?)\},?$', table, re.S | re.M)
    stays = {name: ".stays = true" in rest for name, rest in rows}
    assert {name: form["needs_connection"] for name, form in catalogue.requests().items()} == stays
    for name, form in catalogue.requests().items():
        for answer in form["answers"]:
            assert any("out" == other["direction"] for other in catalogue.events[answer]["forms"]), (name, answer)


def test_codes_of_errors_are_those_that_the_sources_can_say(catalogue):
    said = set(re.findall(r"^\s+CODE\((\w+)\)", source("bridge", "requests", "answer.c"), re.M))
    said |= {code for status, code in re.findall(r'\{(\d{3}), "[^"]*", "([A-Z_]+)"', source("bridge", "net", "http_answer.c")) if int(status) >= 400}
    said |= set(re.findall(r'client_tell_error\([^;]*?"([A-Z_]{5,})"', sources("bridge/clients/*.c"), re.S))
    said |= set(re.findall(r'"code", "([A-Z_]{5,})"', sources("bridge/requests/*.c")))
    assert said == catalogue.codes


def test_close_codes_are_those_of_the_header(catalogue):
    assert {int(code) for code in re.findall(r"= (\d{4}),", source("bridge", "wire", "close_code.h"))} == catalogue.closes


def test_a_duration_is_a_text_as_str_of_a_timedelta_says_it(catalogue):
    schema = catalogue.events["session_progress"]["forms"][0]["schema"]["properties"]["data"]["properties"]["elapsed_time"]
    for text in ("0:01:30", "1 day, 0:00:00", "12 days, 3:04:05", "0:00:00.250000", "-1 day, 23:59:59"):
        assert faults(schema, text) == []
    for wrong in (90, "90s", "1:30", ""):
        assert faults(schema, wrong)


# ---- judging


def test_the_bridge_judges_as_another_implementation_of_json_schema_does(catalogue, rest):
    """Of forms their examples, and values near to them: every third, another third with each form."""
    judged = [0, 0]
    for n, (name, form) in enumerate(all_forms(catalogue)):
        for value in itertools.islice(mutants(form["example"]), n % 3, None, 3):
            answer = rest.post(f"/events/{urllib.parse.quote(name)}/validate", json.dumps(value).encode(), direction=form["direction"], dialect=form["dialects"][0])
            assert answer.status == 200, answer
            mine = [f for f in catalogue.events[name]["forms"] if f["direction"] == form["direction"] and form["dialects"][0] in f["dialects"]]
            theirs = [faults(f["schema"], value) == [] for f in mine]
            assert [f["valid"] for f in answer.json["forms"]] == theirs, (name, value, answer)
            assert answer.json["valid"] == any(theirs)
            assert all(bool(f["errors"]) != f["valid"] for f in answer.json["forms"])
            judged[any(theirs)] += 1
    assert min(judged) > 50


def test_what_is_wrong_is_told_by_its_place(rest):
    message = {"type": "mark_read", "ids": ["1-0", 5], "wrong": 1}
    answer = rest.post("/events/mark_read/validate", message)
    assert answer.status == 200 and answer.json["valid"] is False
    told = {error["path"]: error["message"] for error in answer.json["forms"][0]["errors"]}
    assert told == {"/ids/1": "must be of type string", "/wrong": "is not among the members that there are"}


@pytest.mark.parametrize("body, status", [(b"", 400), (b"{", 400), (b'{"a":1}x', 400), (b"\xff", 400), (b"[" * 5000, 400), (b" " * 65537, 413), (b"1", 200), (b'"' + b"a" * 65534 + b'"', 200)])
def test_a_body_that_is_no_json_or_too_long_is_refused(rest, body, status):
    answer = rest.post("/events/ping/validate", body)
    assert answer.status == status
    if status == 200:
        assert answer.json["valid"] is False


def test_no_message_takes_long_to_judge(rest, stand):
    """The worst that fit into a body: thousands of ids, of members, of levels."""
    ids = {"type": "mark_read", "ids": ["1-0"] * 8000}
    keys = {"type": "resume", "positions": {f"k{n}": "1-0" for n in range(3000)}}
    items = {"type": "notification_history", "items": [{"id": "1-0"}] * 3000, "next": None, "unread": 0}
    before = stand.daemon.cpu_seconds()
    for name, message in (("mark_read", ids), ("resume", keys), ("notification_history", items)):
        assert rest.post(f"/events/{name}/validate", message).json["valid"] is False
    assert stand.daemon.cpu_seconds() - before < 1, "with sanitizers"


def test_only_the_forms_that_are_asked_for_are_looked_at(rest):
    ping = {"type": "presence", "user_id": "a"}
    assert [f["direction"] for f in rest.post("/events/presence/validate", ping, dialect="topic").json["forms"]] == ["in", "out", "out"]
    assert [f["direction"] for f in rest.post("/events/presence/validate", ping, direction="in").json["forms"]] == ["in", "in"], "with a type, or as an argument of Socket.IO's"
    assert rest.post("/events/presence/validate", ping, dialect="chat").json == {"valid": False, "forms": []}


# ---- documents


def test_openapi_json_keeps_the_rules_of_openapi_3_1(openapi):
    check_openapi(openapi)


def test_asyncapi_json_keeps_the_rules_of_asyncapi_3_0(stand):
    check_asyncapi(fetch(stand.daemon.port, "/asyncapi.json"))


def test_asyncapi_json_has_every_event_of_every_dialect_and_an_operation_for_each_request(stand, catalogue):
    document = fetch(stand.daemon.port, "/asyncapi.json")
    assert document["channels"].keys() == {row["name"] for row in catalogue.whole["dialects"]}
    for dialect, channel in document["channels"].items():
        said = {form["id"] for _, form in all_forms(catalogue) if dialect in form["dialects"]}
        assert channel["messages"].keys() == said
        asked = {f"{dialect}.{name}" for name in catalogue.requests(dialect)}
        assert {name for name, one in document["operations"].items() if one["channel"]["$ref"].endswith("/" + dialect)} == asked | {f"{dialect}.told"}


def test_every_route_is_in_openapi_json_with_its_methods(openapi, rest):
    table = re.search(r"routes\[\] = \{(.*?)\n\};", source("bridge", "requests", "http_routes.c"), re.S).group(1)
    rows = re.findall(r'\{"([A-Z]+)",\s+PATH\((TEST_PAGE|"[^"]+")\)(.*?)\}(?=,\n|,?$)', table, re.S)
    assert len(rows) > 20
    found = set()
    for method, path, more in rows:
        path = "/test-ws" if path == "TEST_PAGE" else path.strip('"')
        below = re.search(r'\.below = "([^"]+)"', more)
        if path not in ("*", "/socket.io"):  # which is "/socket.io/", said in other words
            found |= {(method, one) for one in ([path] if path != "/api/v1/ws" else []) + ([path + below.group(1)] if below else [])}
    told = {(method.upper(), path) for path, item in openapi["paths"].items() for method in item}
    assert {row for row in told if row[0] not in ("HEAD", "OPTIONS")} == found
    for path, item in openapi["paths"].items():
        allow = rest.call("OPTIONS", re.sub(r"{\w+}", "x", path)).headers["allow"].split(", ")
        assert sorted(allow) == sorted(method.upper() for method in item) or "/ws" in path, path


def test_without_docs_the_pages_and_the_judge_are_not_there_and_not_in_openapi_json_and_the_rest_is(stand):
    bridge = stand.bridge(stand.server, "--dev=no", name="plain")
    rest = Rest(bridge.port)
    for path in ("/docs", "/redoc", "/test-ws"):
        assert rest.get(path).status == 404
    assert rest.post("/events/ping/validate", {"type": "ping"}).status == 404
    paths = rest.get("/openapi.json").json["paths"]
    assert not paths.keys() & {"/docs", "/redoc", "/test-ws", "/events/{name}/validate"}
    assert paths.keys() >= {"/events", "/events/{name}", "/openapi.json", "/asyncapi.json"}
    assert rest.get("/events/session_progress").json["example"]["data"]["elapsed_time"] == "0:01:30"
    check_openapi(rest.get("/openapi.json").json)


def test_with_docs_they_are_there_and_the_test_page_is_not(stand):
    rest = Rest(stand.bridge(stand.server, "--dev=no", "--docs", name="docs").port)
    for path in ("/docs", "/redoc"):
        answer = rest.get(path)
        assert answer.status == 200 and answer.headers["content-type"] == "text/html; charset=utf-8"
    assert rest.post("/events/ping/validate", {"type": "ping"}).json["valid"] is True
    assert rest.get("/test-ws").status == 404


def test_it_is_for_everybody_also_where_a_token_is_needed(stand):
    rest = Rest(stand.bridge(stand.server, "--auth", "jwt", "--jwt-secret", "s" * 32, name="jwt").port)
    for path in ("/events", "/events/ping", "/openapi.json", "/asyncapi.json"):
        assert rest.get(path).status == 200
    assert rest.get("/api/v1/notifications").status == 401


# ---- the page in docs


def test_docs_events_md_is_what_the_catalogue_says(catalogue):
    loader = importlib.machinery.SourceFileLoader("generate_events", os.path.join(ROOT, "docs", "generate_events"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("generate_events", loader))
    loader.exec_module(module)
    assert source("docs", "events.md") == module.make_page(catalogue.whole), "run ./dev docs"
