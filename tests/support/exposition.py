"""A strict reader of OpenMetrics 1.0.0 and of Prometheus' text format 0.0.4: what is not as the texts demand is
Malformed, also where Prometheus itself would let it pass."""

import math
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"')
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? (\S+)")
HEAD = re.compile(rf"# (HELP|TYPE|UNIT) ({NAME})(?: (.*))?")
HELP_TEXT = re.compile(r'(?:[^\\\n]|\\[\\n"])*')
NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|[+-]?Inf|NaN")
UNITS = ("seconds", "bytes", "ratio", "meters", "grams", "celsius", "joules", "volts", "amperes")

# Of each type: what may stand behind the family's name.
OPENMETRICS_SUFFIXES = {
    "counter": ["_total", "_created"],
    "gauge": [""],
    "histogram": ["_bucket", "_count", "_sum", "_created"],
    "info": ["_info"],
    "unknown": [""],
}
PROMETHEUS_SUFFIXES = {"counter": [""], "gauge": [""], "histogram": ["_bucket", "_count", "_sum"], "untyped": [""]}


class Malformed(Exception):
    pass


class Family:
    def __init__(self, name):
        self.name = name
        self.type = self.help = self.unit = None
        self.samples = []  # (suffix, {label: value}, number), as they stand

    def value(self, suffix="", **labels):
        found = [number for end, these, number in self.samples if end == suffix and these == labels]
        if len(found) != 1:
            raise KeyError((self.name + suffix, labels))
        return found[0]


def read_labels(text):
    labels, at = {}, 0
    while True:
        match = LABEL.match(text, at)
        if not match:
            raise Malformed(f"labels: {text}")
        if match[1] in labels:
            raise Malformed(f"the label {match[1]} twice: {text}")
        labels[match[1]] = re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], match[2])
        at = match.end()
        if at == len(text):
            return labels
        if text[at] != ",":
            raise Malformed(f"labels: {text}")
        at += 1


def read_number(text):
    if not NUMBER.fullmatch(text):
        raise Malformed(f"no number: {text}")
    return float(text.replace("Inf", "inf").replace("NaN", "nan"))


class Reader:
    def __init__(self, openmetrics):
        self.openmetrics = openmetrics
        self.suffixes = OPENMETRICS_SUFFIXES if openmetrics else PROMETHEUS_SUFFIXES
        self.families = {}
        self.open = None  # the family that the lines are of

    def family(self, name):
        if self.open is None or self.open.name != name:
            if name in self.families:
                raise Malformed(f"{name} stands in two places")
            self.open = self.families[name] = Family(name)
        return self.open

    def head(self, line):
        match = HEAD.fullmatch(line)
        if not match or match[3] is None:
            raise Malformed(line)
        kind, family = match[1].lower(), self.family(match[2])
        if getattr(family, kind) is not None:
            raise Malformed(f"twice: {line}")
        if family.samples:
            raise Malformed(f"behind its samples: {line}")
        if kind == "help" and not HELP_TEXT.fullmatch(match[3]):
            raise Malformed(f"escapes: {line}")
        if kind == "type" and match[3] not in self.suffixes:
            raise Malformed(f"type: {line}")
        if kind == "unit" and (not self.openmetrics or not family.name.endswith("_" + match[3])):
            raise Malformed(f"unit: {line}")
        setattr(family, kind, match[3])

    def sample(self, line):
        match = SAMPLE.fullmatch(line)
        if not match or self.open is None:
            raise Malformed(f"no sample, or without a head: {line}")
        family = self.open
        name, labels = match[1], {} if match[2] is None else read_labels(match[2])
        if not name.startswith(family.name) or name[len(family.name) :] not in self.suffixes.get(family.type, []):
            raise Malformed(f"{name} under {family.name} ({family.type})")
        family.samples.append((name[len(family.name) :], labels, read_number(match[3])))

    def read(self, text):
        if not text.endswith("\n") or "\r" in text:
            raise Malformed("lines end with LF, all of them")
        lines = text[:-1].split("\n")
        if self.openmetrics and lines.pop() != "# EOF":
            raise Malformed("no end")
        for line in lines:
            if line.startswith("#"):
                self.head(line)
            else:
                self.sample(line)
        for family in self.families.values():
            check_family(family, self.openmetrics)
        check_names(self.families, self.suffixes)
        return self.families


def check_family(family, openmetrics):
    if family.type is None or not family.help:
        raise Malformed(f"{family.name} has no type, or no help")
    if not family.samples:
        raise Malformed(f"{family.name} has no samples")
    if openmetrics and (family.name.endswith("_total") or family.name.endswith("_info")):
        raise Malformed(f"the family {family.name} is named as a sample")
    unit = family.name.removesuffix("_total").rsplit("_", 1)[-1]
    if openmetrics and unit in UNITS and family.unit != unit:
        raise Malformed(f"{family.name} does not say its unit")
    seen = set()
    for suffix, labels, number in family.samples:
        series = (suffix, tuple(sorted(labels.items())))
        if series in seen:
            raise Malformed(f"{family.name}{suffix} {labels} twice")
        seen.add(series)
        if family.type in ("counter", "histogram") and (math.isnan(number) or number < 0):
            raise Malformed(f"{family.name}{suffix} {labels}: {number}")
        if family.type == "info" and number != 1:
            raise Malformed(f"{family.name} is not 1")
    if family.type == "histogram":
        check_histogram(family)


def bare(labels):
    return tuple(sorted((name, value) for name, value in labels.items() if name != "le"))


def check_histogram(family):
    order = [bare(labels) for _, labels, _ in family.samples]
    for series in dict.fromkeys(order):
        first = order.index(series)
        mine = family.samples[first : first + order.count(series)]
        if any(bare(labels) != series for _, labels, _ in mine):
            raise Malformed(f"{family.name} {series} stands in two places")
        check_series(family.name, mine)


def check_series(name, samples):
    bounds = [labels["le"] for suffix, labels, _ in samples if suffix == "_bucket"]
    counts = [number for suffix, _, number in samples if suffix == "_bucket"]
    rest = {suffix: number for suffix, labels, number in samples if suffix != "_bucket" and "le" not in labels}
    if not bounds or bounds[-1] != "+Inf" or set(rest) != {"_count", "_sum"}:
        raise Malformed(f"{name} is not whole")
    for bound in bounds[:-1]:
        if "." not in bound or (bound.endswith("0") and not bound.endswith(".0")):
            raise Malformed(f'{name}: le="{bound}" is not as both formats write it')
    numbers = [read_number(bound) for bound in bounds]
    if numbers != sorted(set(numbers)) or counts != sorted(counts) or counts[-1] != rest["_count"]:
        raise Malformed(f"{name}: bounds or counts do not rise, or are not the count")
    if any(count != int(count) for count in counts):
        raise Malformed(f"{name}: half an event")


def check_names(families, suffixes):
    """Names of samples must not be those of another family."""
    owner = {}
    for family in families.values():
        for name in {family.name, *(family.name + suffix for suffix in suffixes[family.type])}:
            if owner.setdefault(name, family.name) != family.name:
                raise Malformed(f"{name} may be of {family.name} and of {owner[name]}")


def read_openmetrics(text):
    """{name: Family}"""
    return Reader(True).read(text)


def read_prometheus(text):
    return Reader(False).read(text)
