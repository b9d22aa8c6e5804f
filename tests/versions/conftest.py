"""Fixtures of the tests with two modules (see run)."""

import os
import sys

import pytest

from servers import module_path

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "integration"))

SETTING = "notify.write-version"


class Modules:
    """The older module and today's, and what today's writes for the older."""

    def __init__(self, programs):
        self.programs = programs
        self.path = os.environ["NOTIFY_OLDER_SO"]
        self.level = self._level_of_older()

    def _level_of_older(self):
        server = self.programs.redis(name="asked", module=self.path)
        found = server.client().config_get(SETTING)
        server.stop()
        self.programs.programs.remove(server)
        return int(found.get(SETTING, 1))

    def older(self, **options):
        return {"module": self.path, **options}

    def newer(self, **options):
        return {"module_args": [SETTING, self.level], **options}

    def give(self, server, is_older):
        """The server's module from its next start on."""
        server.module = self.path if is_older else module_path()
        server.module_args = [] if is_older else [SETTING, self.level]


@pytest.fixture
def modules(programs):
    return Modules(programs)


@pytest.fixture(params=["older", "newer"])
def pair(modules, request):
    """(options of one server, options of the other): the older module first, then the newer."""
    kinds = [modules.older(), modules.newer()]
    return kinds if request.param == "older" else kinds[::-1]
