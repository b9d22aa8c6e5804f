"""Servers of Node.js (tests/bench/node), as programs that are measured."""

import os
import subprocess

import servers

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "node")


def install():
    """What it needs of npm, in the versions of its lock file."""
    installed = os.path.join(FOLDER, "node_modules", ".package-lock.json")
    wanted = os.path.join(FOLDER, "package-lock.json")
    if not os.path.exists(installed) or os.path.getmtime(installed) < os.path.getmtime(wanted):
        command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        subprocess.run(command, cwd=FOLDER, check=True, stdout=subprocess.DEVNULL, timeout=600)


class NodeServer(servers.Program):
    """Follows the broadcast log of a RedisServer. script: what it is."""

    def __init__(self, server, name="node", script="server.js"):
        super().__init__(name)
        self.server = server
        self.script = script
        self.port = servers.free_port()

    def start(self):
        install()
        mark = self.mark()
        self._spawn(["node", os.path.join(FOLDER, self.script), str(self.port), str(self.server.port)])
        self.wait_line("^ready$", since=mark, timeout=servers.START_TIMEOUT_S)
        return self
