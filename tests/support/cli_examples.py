"""Examples of documentation, executed: commands with the replies as redis-cli prints them.

    > NOTIFY.SEND inbox:alice "Build finished"
    "<id1>"
    (published on inbox:alice) {"type":"notification",
      "key":"inbox:alice","id":"<id1>"}

A line with "> " is a command; until the next one follows its reply, and then, if the example shows
them, all messages that it has published (whose indented lines belong together, without blanks
between). A line "..." stands for any lines. What differs each time stands in angle brackets, and
the letters of the name say what it is: see PLACEHOLDERS. The same name is the same text everywhere,
in commands too."""

import re
import shlex

from resp import Resp, RespError

PLACEHOLDERS = {
    "id": r"\d{13}-\d+",  # of an entry
    "ms": r"\d{13}",  # a time
    "time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",
    "n": r"\d+",  # a number that depends on the server
}
PUBLISHED = "(published on "
ELISION = "..."


class Status(str):
    """A simple string, which redis-cli prints without quotation marks."""


class CliConnection(Resp):
    """A connection whose replies tell simple strings and others apart."""

    def _parse(self):
        is_status = self.file.peek(1)[:1] == b"+"
        reply = super()._parse()
        return Status(reply) if is_status else reply


# ---- as redis-cli prints it

_ESCAPES = {0x22: '\\"', 0x5C: "\\\\", 0x0A: "\\n", 0x0D: "\\r", 0x09: "\\t", 0x07: "\\a", 0x08: "\\b"}


def quote(text):
    data = text.encode("utf-8", "surrogateescape")
    return '"%s"' % "".join(
        _ESCAPES.get(byte) or (chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}") for byte in data
    )


def format_reply(reply):
    """The lines of a RESP2 reply."""
    if reply is None:
        return ["(nil)"]
    if isinstance(reply, RespError):
        return [f"(error) {reply}"]
    if isinstance(reply, int):
        return [f"(integer) {reply}"]
    if isinstance(reply, Status):
        return [str(reply)]
    if isinstance(reply, str):
        return [quote(reply)]
    lines = [] if reply else ["(empty array)"]
    width = len(str(len(reply)))
    for number, element in enumerate(reply, 1):
        first, *others = format_reply(element)
        lines.append(f"{number:>{width}}) {first}")
        lines += [" " * (width + 2) + line for line in others]
    return lines


# ---- examples


class Example:
    def __init__(self, command):
        self.command = command
        self.expected = []

    def __repr__(self):
        return self.command


def parse_examples(lines):
    examples = []
    for line in filter(None, lines):
        if line.startswith("> "):
            examples.append(Example(line[2:]))
        elif line.startswith("  ") and "".join(examples[-1].expected[-1:]).startswith(PUBLISHED):
            examples[-1].expected[-1] += line.strip()
        else:
            examples[-1].expected.append(line)
    return examples


class ExampleRun:
    """Executes examples in order; knows what the placeholders stand for."""

    def __init__(self, port):
        self.resp = CliConnection(port)
        self.listener = CliConnection(port)
        self.listener.call("PSUBSCRIBE", "*")
        self.bound = {}

    def close(self):
        self.resp.close()
        self.listener.close()

    def words(self, command):
        words = shlex.split(command)
        return [re.sub(r"<([a-z]+\d*)>", lambda m: self.bound.get(m[1], m[0]), word) for word in words]

    def published(self):
        """The messages since the last call."""
        found = []
        self.resp.call("PUBLISH", "examples:end", "")
        while True:
            _, _, channel, message = self.listener.read_push()
            if channel == "examples:end":
                return found
            found.append(f"{PUBLISHED}{channel}) {message}")

    def execute(self, example):
        """(the lines of the reply, the lines of the messages)."""
        self.resp.send(*self.words(example.command))
        return format_reply(self.resp.read()), self.published()

    def check(self, example):
        """Fails unless the example gives what it says; returns whether it was no error."""
        reply, published = self.execute(example)
        shows = any(line.startswith(PUBLISHED) for line in example.expected)
        found = reply + (published if shows else [])
        told = f"> {example.command}\n" + "\n".join(found)
        expected = example.expected
        if ELISION in expected:
            at = expected.index(ELISION)
            after = len(expected) - at - 1
            assert len(found) > at + after, told
            found = found[:at] + [ELISION] + found[len(found) - after :]
        assert len(found) == len(expected), told
        for line, wanted in zip(found, expected):
            self._match(line, wanted, told)
        return not reply[0].startswith("(error)")

    def _match(self, line, expected, told):
        names = []

        def pattern_of(found):
            name = found[1]
            kind = name.rstrip("0123456789")
            if kind not in PLACEHOLDERS:
                return re.escape(found[0])
            if name in self.bound:
                return re.escape(self.bound[name])
            if name in names:
                return f"(?P={name})"
            names.append(name)
            return f"(?P<{name}>{PLACEHOLDERS[kind]})"

        parts = re.split(r"(<[a-z]+\d*>)", expected)
        pattern = "".join(
            re.sub(r"^<(.*)>$", pattern_of, part) if i % 2 else re.escape(part)
            for i, part in enumerate(parts)
        )
        match = re.fullmatch(pattern, line)
        assert match, f"expected: {expected}\nreceived: {line}\n{told}"
        self.bound.update(match.groupdict())
