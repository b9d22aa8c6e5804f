"""Random commands over the whole table of the module, made from what COMMAND DOCS says of their arguments: a new
command or option is among them without a line here. Most words are such as an application would send; some are
hostile, and some commands are as large as they may be, or larger."""

import json

from resp import Resp
from straying import strays

HOSTILE = 0.03  # the share of words that are none of what is wanted
LARGE = 0.02  # of lists that are as long as a command may be, or longer

CATEGORIES = [f"c{n}" for n in range(12)] + ["ci", "ops", "all", "LOGS", "ü" * 30]
TEXTS = ["t", "Build finished", 'all "fields" \\ ü\n', "\x01", "x" * 200, "ä" * 255, "EX", "NOPUBLISH"]
JSONS = ["{}", "[1,2]", '{"a":{"b":[null,true,"ü"]}}', '"x"', "1.50", '{"t":"' + "x" * 3000 + '"}', "[" * 20 + "]" * 20]
BAD_TEXTS = ["", b"\xff", b"\xffMAY", "\x00", "x" * 300, "x" * 70_000, b"\xed\xa0\x80", "a\nb", "{", "[" * 5000, '{"a":1,}']
NUMBERS = [0, 1, 1, 2, 3, 5, 10, 100, 1000, 10_000]
BAD_NUMBERS = [-1, 2**31, 2**32, 2**63 - 1, 2**63, 2**64 - 1, 2**64, "", "x", "1.5", "+1", " 1", "01", "1e3", 1_000_000]
BAD_IDS = ["", "x", "1-", "-1", "1-1-1", "18446744073709551616", "253402300800000", "1-18446744073709551616", b"\xff", "(", "(-"]


class Table:
    """{command: its arguments}, as a server tells it; subcommands are commands of two words."""

    def __init__(self, port):
        self.commands = {}
        with Resp(port, protocol=3) as resp:
            self.strays = strays(resp.call)
            names = resp.call("COMMAND", "LIST", "FILTERBY", "MODULE", "notify")
            for name, about in resp.call("COMMAND", "DOCS", *(one for one in names if "|" not in one)).items():
                self._add(name, about)

    def _add(self, name, about):
        below = about.get("subcommands") or {}
        for sub, its in below.items():
            self._add(sub, its)
        if not below:
            self.commands[name.upper()] = about.get("arguments") or []


class RandomCommands:
    """next() is a command, as a list of words. Keys come from `boxes`, `logs` and `sets`; ids that were seen in
    replies (see()) come again."""

    def __init__(self, table, rng, boxes, logs, sets, now_ms):
        self.table, self.rng = table, rng
        self.boxes, self.logs, self.sets = boxes, logs, sets
        self.now_ms = now_ms
        self.ids = []

    def see(self, reply):
        """Keeps some of the ids that a reply has."""
        if isinstance(reply, str) and is_id(reply):
            self.ids = [*self.ids[-200:], reply]
        elif isinstance(reply, list):
            for one in reply[:3]:
                self.see(one)

    def next(self, name=None):
        name = name or self.rng.choice(list(self.table.commands))
        self.is_set = name.startswith("NOTIFY.SESSION")
        return [*name.split("|"), *self._list(self.table.commands[name])]

    # -- the shape

    def _chance(self, share):
        return self.rng.random() < share

    def _list(self, arguments):
        """Options that stand side by side may have any order."""
        words, options = [], []
        for number, argument in enumerate(arguments):
            flags = argument.get("flags") or []
            before = arguments[number - 1] if number > 0 else {}
            if "optional" not in flags:
                words += self._flush(options)
                words += self._numbered(argument) if before.get("name") == "numkeys" else self._one(argument, arguments, number)
            elif self._chance(0.2):
                options.append(self._one(argument, arguments, number))
        return words + self._flush(options)

    def _flush(self, options):
        self.rng.shuffle(options)
        words = [word for option in options for word in option]
        options.clear()
        return words

    def _numbered(self, argument):
        return [word for _ in range(self.count) for word in self._value(argument)]

    def _one(self, argument, siblings, number):
        """The argument with its token."""
        following = siblings[number + 1] if number + 1 < len(siblings) else {}
        if argument["name"] == "numkeys" and following.get("type") == "key":
            self.count = self._how_many()
            return [self.count if not self._chance(HOSTILE) else self.rng.choice(NUMBERS + BAD_NUMBERS)]
        times = self._how_many() if "multiple" in (argument.get("flags") or []) else 1
        again = "multiple_token" in (argument.get("flags") or [])
        words = []
        for n in range(times):
            if argument.get("token") and (n == 0 or again):
                words.append(argument["token"])
            words += self._value(argument)
        return words

    def _how_many(self):
        return self.rng.choice([64, 65, 300, 1024, 1025, 10_000, 10_001]) if self._chance(LARGE) else self.rng.choice([1, 1, 1, 2, 3, 8])

    def _value(self, argument):
        kind, below = argument["type"], argument.get("arguments") or []
        if kind == "pure-token":
            return []
        if kind == "oneof":
            return self._one(self.rng.choice(below), [], 0)
        if kind == "block":
            return self._list(below)
        if self._chance(HOSTILE) and kind != "key":
            return [self.rng.choice(BAD_TEXTS + BAD_NUMBERS + BAD_IDS)]
        if kind == "key":
            return [self._key(argument["name"])]
        return [self._word(argument["name"], kind)]

    # -- the words

    def _key(self, name):
        if self._chance(0.02):
            return self.rng.choice([*self.boxes, *self.logs, *self.sets])
        if self.is_set:
            return self.rng.choice(self.sets)
        return self.rng.choice(self.logs if name == "log" else self.boxes)

    def _id(self):
        roll = self.rng.random()
        if roll < 0.6 and self.ids:
            return self.rng.choice(self.ids)
        if roll < 0.9:
            return self.rng.choice(["-", "+", "$", "0", "0-0", "1-1", *(f"({one}" for one in self.ids[-3:])])
        return self.rng.choice([self.now_ms() + self.rng.randrange(-5000, 5000), f"{self.now_ms()}-{2**64 - 1}"])

    def _position(self):
        return f"{self._id()}@{self.rng.randrange(50)}" + self.rng.choice(["", "@1", "@70000"])

    def _time(self):
        return self.now_ms() + self.rng.choice([-1, 1, 20, 200, 60_000, 86_400_000, 10**12])

    def _word(self, name, kind):
        rng = self.rng
        if name in ("id", "start", "end", "before", "after", "minid"):
            return self._position() if self._chance(0.05) else self._id()
        if kind == "unix-time":
            return self._time() // (1000 if "seconds" in name and "milli" not in name else 1)
        if name == "milliseconds":
            return rng.choice([1, 20, 200, 60_000, 600_000, 86_400_000])
        if kind == "integer":
            return rng.choice(NUMBERS)
        pools = {
            "category": CATEGORIES,
            "event": ["alert", "notification", "a.b:c-d", "read"],
            "name": ["progress", "typing", "a.b:c-d", "gone"],
            "data": JSONS, "action": JSONS, "meta": JSONS,
            "session": [f"s{n}" for n in range(6)], "connection": [f"conn{n}" for n in range(40)],
            "node": ["n1", "n2", "n3"], "addr": ["127.0.0.1", "2001:db8::1"],
            "collapse-token": [f"job {n}" for n in range(5)], "idempotency-token": [f"once {n}" for n in range(30)],
            "command": list(self.table.commands), "type": ["a", "b", "task"],
        }  # fmt: skip
        return rng.choice(pools.get(name, TEXTS))


def is_id(text):
    ms, _, seq = text.partition("-")
    return ms.isdigit() and seq.isdigit()


def shown(words):
    """A command for people."""
    return json.dumps([str(word)[:40] for word in words[:12]]) + (f" … {len(words)} words" if len(words) > 12 else "")
