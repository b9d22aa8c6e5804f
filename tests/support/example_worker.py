"""A worker of docs/examples as a program."""

import os
import sys

from servers import ROOT, Program

EXAMPLES = os.path.join(ROOT, "docs", "examples")


class ExampleWorker(Program):
    """kind: "py" or "sh"."""

    def __init__(self, server, kind, *options, name="worker"):
        super().__init__(name)
        self.argv = [sys.executable, f"{EXAMPLES}/worker.py", server.url, *options]
        if kind == "sh":
            self.argv = [f"{EXAMPLES}/worker.sh", "-p", str(server.port), *options]

    def start(self):
        self._spawn(self.argv, env={**os.environ, "PYTHONUNBUFFERED": "1"})
        self.wait_line("^ready$", timeout=60)
        return self

    def stop(self):
        """It knows no end of its own."""
        if self.running():
            self.kill9()
