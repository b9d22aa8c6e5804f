"""Stock Socket.IO clients for the tests: several sockets in one program (client.js, client.py), which is led by lines of
JSON. Nothing in it knows what the server's events mean."""

import itertools
import json
import os
import subprocess
import time

from patience import WAIT_TIMEOUT_S
from servers import ROOT, Program

HERE = os.path.join(ROOT, "tests", "socketio")
PYTHON = "/usr/bin/python3"

# The oldest of each line that a stock server of today lets in, and today's.
KINDS = {
    "js-4.8": ["node", "client.js", "socket.io-client"],
    "js-4.0": ["node", "client.js", "socket.io-client-4-0"],
    "js-3.0": ["node", "client.js", "socket.io-client-3"],
    "python": [PYTHON, "client.py", "sync"],
    "python-async": [PYTHON, "client.py", "async"],
}

MODES = {"polling": ["polling"], "upgrade": ["polling", "websocket"], "websocket": ["websocket"]}

_names = itertools.count(1)


class Failed(Exception):
    """A client's function has raised, or a call was lost with the connection."""


class Driver(Program):
    """One program with stock clients of one kind."""

    def __init__(self, kind):
        super().__init__(kind)
        self.kind = kind
        self.sockets = {}
        self._read_up_to = 0
        self._answers = {}
        self._numbers = itertools.count(1)

    def start(self):
        self._spawn(KINDS[self.kind], cwd=HERE, stdin=subprocess.PIPE)
        self.wait_line(r'^\{"ready"')
        return self

    def ask(self, todo, socket, **members):
        """Sends a command; the number of its answer."""
        n = next(self._numbers)
        line = json.dumps({"n": n, "do": todo, "socket": socket, **members}) + "\n"
        self.proc.stdin.write(line.encode())
        self.proc.stdin.flush()
        return n

    def do(self, todo, socket, **members):
        return self.answer(self.ask(todo, socket, **members))

    def answer(self, n, timeout=WAIT_TIMEOUT_S):
        self.until(lambda: n in self._answers, f"the answer to {n}", timeout)
        answer = self._answers.pop(n)
        if "error" in answer:
            raise Failed(answer["error"])
        return answer["ok"]

    def has_answer(self, n):
        self.until(lambda: True, "")
        return n in self._answers

    def is_done(self, n):
        """It has an answer, which is no error."""
        return self.has_answer(n) and "error" not in self._answers[n]

    def until(self, condition, what, timeout=WAIT_TIMEOUT_S):
        """Takes in what the program says until the condition is true; returns its value."""
        deadline = time.monotonic() + timeout
        with self._news:
            while True:
                self._take_in()
                value = condition()
                if value:
                    return value
                left = deadline - time.monotonic()
                if left <= 0 or self._ended:
                    raise AssertionError(f"{self.name}: {what} did not come\n{self.tail(20)}")
                self._news.wait(left)

    def _take_in(self):
        for line in self.lines[self._read_up_to :]:
            self._read_up_to += 1
            if not line.startswith("{"):
                continue  # a warning of the platform
            said = json.loads(line)
            if "n" in said:
                self._answers[said["n"]] = said
            elif said.get("socket") in self.sockets:
                self.sockets[said["socket"]].take_in(said["event"], said["args"])


class Socket:
    """One socket of a driver: what it has heard, in order, and what it can be told to do."""

    def __init__(self, driver, url, mode="websocket", **opening):
        self.driver, self.url, self.mode = driver, url, mode
        self.name = f"s{next(_names)}"
        self.opening = opening
        self.heard = []  # (event, args), all of them
        self._pending = []  # those that wait() has not given out
        driver.sockets[self.name] = self

    def take_in(self, event, args):
        self.heard.append((event, args))
        self._pending.append((event, args))

    def open(self, wait=True):
        options = {"transports": MODES[self.mode], **self.opening.pop("options", {})}
        self.driver.do("open", self.name, url=self.url, options=options, **self.opening)
        if wait:
            self.wait("connect")
        return self

    def emit(self, event, *args):
        self.driver.do("emit", self.name, event=event, args=list(args))

    def start_call(self, event, *args):
        return self.driver.ask("call", self.name, event=event, args=list(args))

    def call(self, event, *args):
        """The arguments of the ack."""
        return self.driver.answer(self.start_call(event, *args))

    def do(self, todo, **members):
        return self.driver.do(todo, self.name, **members)

    def state(self):
        return self.do("state")

    def args_of(self, event):
        """Of all events of this name so far."""
        return [args for name, args in self.heard if name == event]

    def wait(self, event, **members):
        """The arguments of the first such event that nobody has waited for; members: of its first argument."""

        def fits(name, args):
            return name == event and (not members or (args and isinstance(args[0], dict) and members.items() <= args[0].items()))

        def found():
            for at, (name, args) in enumerate(self._pending):
                if fits(name, args):
                    del self._pending[at]
                    return (args,)
            return None

        return self.driver.until(found, f"{self.name}: event {event} {members or ''}; heard: {self.heard[-5:]}")[0]

    def forget(self):
        self.driver.do("forget", self.name)
        self.driver.sockets.pop(self.name, None)
