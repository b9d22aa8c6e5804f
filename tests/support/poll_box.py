"""The scripts of the boxes of polled sessions (bridge/clients/poll_box), run as the bridge runs them."""

import os

from servers import ROOT

FOLDER = os.path.join(ROOT, "bridge", "clients", "poll_box")


def script(name):
    """Its text, with what stands in front of each."""
    texts = []
    for part in ("common", name):
        with open(os.path.join(FOLDER, part + ".lua"), encoding="utf-8") as file:
            texts.append(file.read())
    return "".join(texts)


class Box:
    """The box of one session on a server, for as many bridges as one likes."""

    def __init__(self, client, sid="abcdefghijklmnopqrst", interval=25000, timeout=20000):
        self.client, self.key = client, f"eio:{{{sid}}}"
        self.interval, self.timeout = interval, timeout

    def run(self, name, *args):
        reply = self.client.eval(script(name), 1, self.key, *args)
        return reply if isinstance(reply, str) else [reply[0], *reply[1:]]

    def open(self, state=""):
        return self.run("open", self.interval, self.timeout, state)[0]

    def given(self):
        """When it was given back last."""
        return int(self.client.hget(self.key, "g") or 0)

    def _given(self, given):
        """As the box says, unless the bridge knows otherwise."""
        return given or self.client.hget(self.key, "g") or 0

    @staticmethod
    def _said(given, said):
        """As long as nothing else is said, something was with what was given last."""
        return (given or 0) if said is None else said

    def take(self, who, t="", given=None, said=None):
        return self.run("take", who, t, self._given(given), self._said(given, said))

    def ask(self, who, t="", leaves=False):
        return self.run("ask", who, t, int(leaves))

    def finish(self, who, answer=""):
        return self.run("finish", who, answer)[0]

    def look(self, who, given=None, own="", said=None):
        return self.run("look", who, self._given(given), own, self._said(given, said))

    def give(self, who, state="s", answer="", pinged=False, seen=1000, answers=True, keeps=False, given=None, own="", said=None):
        words = (who, state, int(answers), answer, int(pinged), seen, int(keeps), self._given(given), own)
        return self.run("give", *words, self._said(given, said))

    def push(self, payload="", pong=False, max_bytes=1000, max_items=8):
        return self.run("push", payload, int(pong), max_bytes, max_items)[0]

    def close(self, who, payload="1", max_bytes=1000, max_items=8):
        return self.run("close", payload, max_bytes, max_items, who)

    def check(self):
        return self.run("check")[0]

    def probe(self, node="b", for_ms=10000):
        return self.run("probe", node, for_ms)[0]

    def unprobe(self, node="b"):
        return self.run("unprobe", node)[0]

    def upgrade(self, node="b"):
        return self.run("upgrade", node)

    def drop(self, who=""):
        return self.run("drop", who)[0]

    def exists(self):
        return bool(self.client.exists(self.key))
