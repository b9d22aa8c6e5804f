"""A server of a cluster that says what a test wants it to: for answers that no real one gives."""

import collections

from fake_server import FakeServer, array, bulk, pairs

SLOTS = 16384


def number(value):
    return b":%d\r\n" % value


def error(text):
    return b"-" + text.encode() + b"\r\n"


def member(name, value):
    return bulk(name) + value


def node(port, role="master", host="127.0.0.1", health="online"):
    members = [
        member("port", number(port)), member("endpoint", bulk(host)), member("ip", bulk(host)),
        member("role", bulk(role)), member("health", bulk(health)),
    ]  # fmt: skip
    return b"%%%d\r\n" % len(members) + b"".join(members)


def shard(first, last, *nodes):
    return b"%2\r\n" + member("slots", array(number(first), number(last))) + member("nodes", array(*nodes))


class FakeNode(FakeServer):
    """.shards: what it says to CLUSTER SHARDS; .epoch; .answers: {command: bytes or a function of the
    words}; .asked: how often each command came."""

    def __init__(self):
        self.epoch = 1
        self.answers = {}
        self.asked = collections.Counter()
        super().__init__()
        self.shards = array(shard(0, SLOTS - 1, node(self.port)))

    def _answer(self, words):
        self.asked[words[0]] += 1
        own = self.answers.get(words[0])
        if own is not None:
            return own(words) if callable(own) else own
        return getattr(self, "_" + words[0].lower().replace(".", "_"), self._other)(words)

    @staticmethod
    def _hello(words):
        return pairs(server="redis", mode="cluster", role="master")

    @staticmethod
    def _echo(words):
        return bulk(words[1])

    def _cluster(self, words):
        if words[1] == "INFO":
            return bulk(f"cluster_state:ok\r\ncluster_current_epoch:{self.epoch}\r\n")
        return self.shards

    @staticmethod
    def _info(words):
        return bulk("# notify\r\nnotify_database:0\r\n")

    @staticmethod
    def _subscribe(words, kind="subscribe"):
        return b"".join(b">3\r\n" + bulk(kind) + bulk(name) + number(1) for name in words[1:])

    def _ssubscribe(self, words):
        return self._subscribe(words, "ssubscribe")

    def _sunsubscribe(self, words):
        return self._subscribe(words, "sunsubscribe")

    @staticmethod
    def _notify_since(words):
        """Nothing stands in any box."""
        keys = [word for word, pos in zip(words[1::2], words[2::2]) if word != "COUNT"]
        return array(*(b"%2\r\n" + member("key", bulk(key)) + member("last", bulk("0-0")) for key in keys))

    @staticmethod
    def _other(words):
        return error("ERR this is a fake")


__all__ = ["FakeNode", "array", "bulk", "error", "node", "number", "shard", "SLOTS"]
