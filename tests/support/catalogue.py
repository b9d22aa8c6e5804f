"""The catalogue of a running bridge (GET /events), as tests use it: which form a message must fit, made so
strict that a member which the catalogue does not know is a fault; and the rules of the two documents."""

import copy
import itertools
import json
import re
import urllib.request

from jsonschema import Draft202012Validator

from patience import WAIT_TIMEOUT_S

SCHEMAS = "#/components/schemas/"


def fetch(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=WAIT_TIMEOUT_S) as answer:
        assert answer.headers["Content-Type"] == "application/json"
        return json.load(answer)


def closed(schema):
    """The same, but that members which it does not name are wrong unless it says otherwise."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {name: closed(one) if name not in ("const", "enum", "examples", "default") else one for name, one in schema.items()}
    if "properties" in schema and isinstance(schema["properties"], dict) and "type" in schema:
        strict["properties"] = {name: closed(one) for name, one in schema["properties"].items()}
        strict.setdefault("additionalProperties", False)
    return strict


def faults(schema, value):
    return [f"{'/'.join(map(str, e.absolute_path))}: {e.message}"[:300] for e in Draft202012Validator(schema).iter_errors(value)]


def resolved(document, schema):
    """Without references."""
    if isinstance(schema, list):
        return [resolved(document, one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return resolved(document, look_up(document, schema["$ref"]))
    return {name: resolved(document, one) for name, one in schema.items()}


def look_up(document, ref):
    assert ref.startswith("#/"), ref
    at = document
    for part in ref[2:].split("/"):
        at = at[part.replace("~1", "/").replace("~0", "~")]
    return at


class Catalogue:
    def __init__(self, port):
        self.whole = fetch(port, "/events")
        self.events = {event["name"]: event for event in self.whole["events"]}
        self.codes = {row["code"] for row in self.whole["errors"]}
        self.closes = {row["code"] for row in self.whole["closes"]}
        self.heard = set()  # (dialect, name) of what was checked

    def forms(self, name, direction, dialect):
        event = self.events.get(name, self.events["*"] if direction == "out" else {"forms": []})
        return [form for form in event["forms"] if form["direction"] == direction and dialect in form["dialects"]]

    def check(self, dialect, message, name=None):
        """That the bridge may say this there. name: of an event, where messages have no type."""
        name = name or message["type"]
        forms = self.forms(name, "out", dialect)
        assert forms, f"{dialect} does not know {name}: {message}"
        wrong = [faults(closed(form["schema"]), message) for form in forms]
        assert [] in wrong, f"{dialect}: {json.dumps(message)}: {wrong}"
        self.heard.add((dialect, name))
        if name == "error" and dialect not in ("session", "chat"):
            assert message["error"]["code"] in self.codes
        return message

    def requests(self, dialect="canonical"):
        """The form of each request, by its name."""
        return {name: form for name, event in self.events.items() for form in event["forms"] if form["direction"] == "in" and dialect in form["dialects"]}


# ---- what is wrong with a request, by its schema


WRONG_TYPES = (1, 1.5, True, False, "", "x y", [], [1], {}, {"a": 1}, -1)


def wrong_values(schema):
    """Values that a member of this schema must not have: of other kinds, too long, too many, too great."""
    if "maxLength" in schema:
        yield "a" * (schema["maxLength"] + 1)
    if "maximum" in schema:
        yield schema["maximum"] + 1
    if "minimum" in schema:
        yield schema["minimum"] - 1
    if "maxItems" in schema:
        yield ["1-0"] * (schema["maxItems"] + 1)
    if "maxProperties" in schema:
        yield {f"inbox:{n}": "1-0" for n in range(schema["maxProperties"] + 1)}
    for value in WRONG_TYPES:
        if faults(schema, value):
            yield value


def wrong_requests(schema, good):
    """(what is wrong, object, code, member) of each way in which one of this schema can be wrong. good: one that is right."""
    properties = schema["properties"]
    choices = [choice["required"][0] for choice in schema.get("oneOf", [])]
    for name, member in properties.items():
        if name in ("type", "request_id"):
            continue
        others = {key: value for key, value in good.items() if key not in choices or name not in choices}
        for value in wrong_values(member):
            yield f"{name} is {json.dumps(value)[:40]}", {**others, name: value}, "INVALID_FIELD", name
    for name in schema["required"]:
        if name != "type":
            yield f"no {name}", {key: value for key, value in good.items() if key != name}, "MISSING_FIELD", name
            yield f"{name} is null", {**good, name: None}, "MISSING_FIELD", name
    if choices:
        yield "none of its choices", {key: value for key, value in good.items() if key not in choices}, "MISSING_FIELD", None
        given = next(key for key in good if key in choices)
        other = next(key for key in choices if key != given)
        yield "two of its choices", {**good, other: a_value(properties[other])}, "INVALID_FIELD", None
    yield "a member that there is not", {**good, "no_such_member": 1}, "INVALID_FIELD", "no_such_member"
    yield "the name in other letters", {**good, "Type_Of": "x"}, "INVALID_FIELD", "Type_Of"


def a_value(schema):
    """One that fits."""
    for value in ("news", True, 1, "1-0", ["1-0"], {}, "info"):
        if not faults(schema, value):
            return value
    raise AssertionError(schema)


# ---- the rules of OpenAPI 3.1 and AsyncAPI 3.0 that our documents could break


METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
COMPONENT = re.compile(r"^[a-zA-Z0-9._-]+$")


def only(value, needed, allowed, where):
    assert isinstance(value, dict), where
    assert needed <= value.keys(), (where, needed - value.keys())
    extra = {key for key in value if not key.startswith("x-")} - needed - allowed
    assert not extra, (where, extra)


def check_refs(document, value, where="#"):
    if isinstance(value, dict):
        if "$ref" in value and isinstance(value["$ref"], str):
            assert value.keys() == {"$ref"}, where
            look_up(document, value["$ref"])
        for name, one in value.items():
            check_refs(document, one, f"{where}/{name}")
    elif isinstance(value, list):
        for at, one in enumerate(value):
            check_refs(document, one, f"{where}/{at}")


def check_schema(document, schema, where):
    plain = resolved(document, schema)
    Draft202012Validator.check_schema(plain)
    for example in plain.get("examples", []):
        assert faults(plain, example) == [], where


def check_media(document, content, where):
    for kind, media in content.items():
        assert re.match(r"^[a-z]+/[a-z0-9.+-]+(; *[a-z]+=[^;]+)*$", kind), (where, kind)
        only(media, set(), {"schema", "example", "examples", "encoding"}, where)
        if "schema" in media:
            check_schema(document, media["schema"], where)
        if "example" in media:
            assert faults(resolved(document, media["schema"]), media["example"]) == [], where


def check_parameters(document, path, parameters, where):
    seen = [(one["name"], one["in"]) for one in parameters]
    assert len(seen) == len(set(seen)), where
    for one in parameters:
        only(one, {"name", "in", "schema"}, {"required", "description", "deprecated", "example"}, where)
        assert one["in"] in ("query", "header", "path", "cookie")
        check_schema(document, one["schema"], where)
        if one["in"] == "path":
            assert one["required"] is True, where
    in_path = {name for name, place in seen if place == "path"}
    assert in_path == set(re.findall(r"{(\w+)}", path)), where


def check_operation(document, path, method, operation):
    where = f"{method} {path}"
    only(operation, {"responses"}, {"tags", "summary", "description", "operationId", "parameters", "requestBody", "security", "deprecated"}, where)
    check_parameters(document, path, operation.get("parameters", []), where)
    if "requestBody" in operation:
        only(operation["requestBody"], {"content"}, {"required", "description"}, where)
        check_media(document, operation["requestBody"]["content"], where)
    assert operation["responses"], where
    for status, response in operation["responses"].items():
        assert re.match(r"^([1-5][0-9][0-9]|[1-5]XX|default)$", status), where
        response = look_up(document, response["$ref"]) if "$ref" in response else response
        only(response, {"description"}, {"headers", "content", "links"}, where)
        check_media(document, response.get("content", {}), f"{where} {status}")
    for security in operation.get("security", []):
        assert security.keys() <= document["components"]["securitySchemes"].keys()


def check_info(document):
    only(document["info"], {"title", "version"}, {"description", "summary", "license", "contact", "termsOfService"}, "info")


def check_openapi(document):
    """The rules of the OpenAPI Specification 3.1.0 that this document touches."""
    only(document, {"openapi", "info"}, {"paths", "components", "servers", "security", "tags", "webhooks", "jsonSchemaDialect", "externalDocs"}, "the document")
    assert re.match(r"^3\.1\.\d+$", document["openapi"])
    check_info(document)
    check_refs(document, document)
    shapes = [re.sub(r"{\w+}", "{}", path) for path in document["paths"]]
    assert len(shapes) == len(set(shapes)), "two paths that differ by names alone"
    for path, item in document["paths"].items():
        assert path.startswith("/") and item.keys() <= METHODS, path
        for method, operation in item.items():
            check_operation(document, path, method, operation)
    only(document["components"], set(), {"schemas", "responses", "parameters", "securitySchemes", "examples", "headers"}, "components")
    for kind, parts in document["components"].items():
        assert all(COMPONENT.match(name) for name in parts), kind
    for name, schema in document["components"]["schemas"].items():
        check_schema(document, schema, name)
    for scheme in document["components"]["securitySchemes"].values():
        assert (scheme["type"], scheme.get("scheme"), scheme.get("in")) in (("http", "bearer", None), ("apiKey", None, "query"))


def check_asyncapi(document):
    """The rules of the AsyncAPI Specification 3.0.0 that this document touches."""
    only(document, {"asyncapi", "info"}, {"id", "servers", "defaultContentType", "channels", "operations", "components"}, "the document")
    assert document["asyncapi"] == "3.0.0"
    check_info(document)
    check_refs(document, document)
    for name, channel in document["channels"].items():
        check_channel(document, name, channel)
    for name, operation in document["operations"].items():
        check_async_operation(document, name, operation)
    only(document["components"], set(), {"schemas", "messages", "channels", "operations", "securitySchemes", "parameters"}, "components")
    for name, message in document["components"]["messages"].items():
        assert COMPONENT.match(name)
        only(message, set(), {"headers", "payload", "correlationId", "contentType", "name", "title", "summary", "description", "tags", "bindings", "examples", "traits"}, name)
        check_schema(document, message["payload"], name)
        for example in message["examples"]:
            only(example, set(), {"headers", "payload", "name", "summary"}, name)
            assert faults(resolved(document, message["payload"]), example["payload"]) == [], name


def check_channel(document, name, channel):
    only(channel, set(), {"address", "messages", "title", "summary", "description", "servers", "parameters", "tags", "bindings", "externalDocs"}, name)
    assert COMPONENT.match(name)
    assert "?" not in channel["address"] and "#" not in channel["address"], "addresses have no query (AsyncAPI: Channel Object)"
    assert set(re.findall(r"{(\w+)}", channel["address"])) == set(channel.get("parameters", {})), name
    for parameter in channel.get("parameters", {}).values():
        only(parameter, set(), {"enum", "default", "description", "examples", "location"}, name)
    for message in channel["messages"].values():
        assert message["$ref"].startswith("#/components/messages/"), name
    binding = channel.get("bindings", {}).get("ws")
    if binding is not None:
        only(binding, set(), {"method", "query", "headers", "bindingVersion"}, name)
        check_schema(document, binding["query"], name)
        assert binding["query"]["type"] == "object"


def check_async_operation(document, name, operation):
    only(operation, {"action", "channel"}, {"title", "summary", "description", "security", "tags", "bindings", "traits", "messages", "reply"}, name)
    assert operation["action"] in ("send", "receive"), name
    assert COMPONENT.match(name), name
    check_operation_messages(document, name, operation)
    if "reply" in operation:
        only(operation["reply"], set(), {"address", "channel", "messages"}, name)
        check_operation_messages(document, name, operation["reply"])


def check_operation_messages(document, name, part):
    """They must be of the channel, and said by its name."""
    ref = part["channel"]["$ref"]
    assert re.match(r"^#/channels/[^/]+$", ref), name
    for message in part["messages"]:
        assert message["$ref"].startswith(f"{ref}/messages/"), name
        look_up(document, message["$ref"])


def mutants(example):
    """Values near to it, most of which no longer fit."""
    yield example
    values = itertools.cycle((None, 7, "x", [], {}, True, -1))
    for name in example:
        less = copy.deepcopy(example)
        del less[name]
        yield less
        for value in itertools.islice(values, 2):
            yield {**copy.deepcopy(example), name: value}
    yield {**example, "no_such_member": 1}
    yield from (1, None, [], "x", {})
