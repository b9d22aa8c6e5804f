"""What docker/ says about the bridge is true: metrics, options and addresses that it names are there."""

import json
import os
import re
import urllib.request

import pytest

from servers import ROOT

DOCKER = os.path.join(ROOT, "docker")


def read(*path):
    with open(os.path.join(DOCKER, *path)) as file:
        return file.read()


def expressions_of_dashboard():
    def walk(panels):
        for panel in panels:
            yield from (target["expr"] for target in panel.get("targets", []))
            yield from walk(panel.get("panels", []))

    board = json.loads(read("grafana", "dashboards", "redis-notify.json"))
    queries = [variable["query"]["query"] for variable in board["templating"]["list"]]
    return [*walk(board["panels"]), *queries]


def expressions_of_alerts():
    """An expression is one line, or those below `>-` that stand further in."""
    found = re.findall(r"^ +expr: (?:>-\n((?: {10}.*\n)+)|(.*)\n)", read("prometheus", "alerts.yml"), re.MULTILINE)
    return [" ".join((many or one).split()) for many, one in found]


@pytest.fixture
def page(programs, redis_server):
    """/metrics of a bridge with workers."""
    bridge = programs.bridge(redis_server, "--workers", "2")
    with urllib.request.urlopen(f"http://127.0.0.1:{bridge.port}/metrics", timeout=30) as answer:
        return answer.read().decode()


def series_of(page):
    """{name: {label: values}}, as a query names them."""
    found = {}
    for name, labels in re.findall(r"^([a-z_]+)(?:\{([^}]*)\})? ", page, re.MULTILINE):
        values = found.setdefault(name, {})
        for label, value in re.findall(r'([a-z_]+)="([^"]*)"', labels):
            values.setdefault(label, set()).add(value)
    return found


def unknown_in(expression, series):
    for name, matchers in re.findall(r"\b(notify_[a-z_]+)(?:\{([^}]*)\})?", expression):
        if name not in series:
            yield name
            continue
        for label, value in re.findall(r'([a-z_]+)!?="([^"]*)"', matchers):
            if value not in series[name].get(label, set()):
                yield f"{name}{{{label}={value}}}"


def labels_in(expression):
    """Those that sums are kept apart by."""
    return {label.strip() for words in re.findall(r"\bby \(([^)]*)\)", expression) for label in words.split(",")}


@pytest.mark.parametrize("expressions", [expressions_of_dashboard, expressions_of_alerts])
def test_queries_name_nothing_that_the_bridge_does_not_tell(page, expressions):
    series = series_of(page)
    told = expressions()
    assert len(told) > 10
    for expression in told:
        names = re.findall(r"\bnotify_[a-z_]+", expression)
        known = set().union(*(series.get(name, {}) for name in names)) | {"instance", "job"}
        assert list(unknown_in(expression, series)) == [], expression
        assert labels_in(expression) <= known, expression


def test_replicas_follow_a_metric_that_the_bridge_tells(page):
    named = re.findall(r"metric: \{ name: (\w+) \}", read("kubernetes", "notify-bridge.yaml"))
    assert named and set(named) <= set(series_of(page)), named


def test_every_metric_of_the_documented_alerts_has_a_rule():
    docs = open(os.path.join(ROOT, "docs", "metrics.md")).read()
    section = docs.split("## What to be woken for")[1].split("\n## ")[0]
    rules = " ".join(expressions_of_alerts())
    for name in set(re.findall(r"\bnotify_[a-z_]+", section)):
        assert name in rules, name


@pytest.mark.parametrize("path", ["compose.yaml", "kubernetes/notify-bridge.yaml", "Dockerfile"])
def test_variables_are_options(path):
    with open(os.path.join(ROOT, "docs", "options.md")) as file:
        known = set(re.findall(r"`(NOTIFY_[A-Z_]+)`", file.read()))
    named = set(re.findall(r"\bNOTIFY_[A-Z_]+", read(path)))
    assert named <= known, named - known
