"""Scripts of an older system, run by the platform that they were written for."""

import json
import os

import pytest

from servers import ROOT, Program


class Script(Program):
    """A program that writes one line of JSON for each thing that it does: {"call": …, "args": […]}."""

    def __init__(self, *argv):
        super().__init__(os.path.basename(argv[1]))
        self.argv = list(argv)

    def start(self):
        self._spawn(self.argv, cwd=os.path.join(ROOT, "tests", "contracts"))
        return self

    def calls(self, name):
        """The arguments of each call of this name, so far."""
        said = [json.loads(line) for line in list(self.lines) if line.startswith("{")]
        return [one["args"] for one in said if one["call"] == name]

    def supported(self):
        """False: this platform has no such thing, or not even the option for it, upon which it ends. Waits for the first
        line."""
        first = self.wait_line(r"^\{|: bad option: ", timeout=60)
        if not first.startswith("{"):
            self.wait()
        return first.startswith("{") and '"unsupported"' not in first


@pytest.fixture
def run_script(programs):
    """run_script("node", "file.js", …)"""

    def run(*argv):
        return programs.add(Script(*argv)).start()

    return run
