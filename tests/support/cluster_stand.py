"""What tests of one server do with a Stand (bridge_helpers.py), done with a cluster of three primaries: inboxes and logs
lie in all of them."""

import re

from bridge_helpers import Stand
from cluster import Cluster, slot_of
from module_helpers import pairs
from servers import Group


class ClusterStand(Stand):
    sees_logs = False

    def __init__(self, *args, redis_options=None, replicas=0, **options):
        Group.__init__(self)
        self.cluster = Cluster(self, primaries=3, replicas=replicas, **(redis_options or {}))
        self.url = "redis://" + ",".join(f"127.0.0.1:{shard[0].port}" for shard in self.cluster.shards)
        self.server = self
        self.client = self.cluster.client()
        self.tabs = []
        self.daemon = self.bridge(self, *args, **options)

    def bridge(self, server, *args, **options):
        return super().bridge(server, "--redis-mode", "cluster", *args, **options)

    def call(self, *words):
        """FLUSHALL: of all servers."""
        if words[0] == "FLUSHALL":
            return [self.cluster.ask(node, *words) for (node, *_) in self.cluster.shards]
        return self.client.call(*words, key=words[2] if words[0] == "NOTIFY.SESSION" else None)

    def send_many(self, key, count, *options):
        return [self.send(key, f"number {n}", *options) for n in range(count)]

    def shard_of(self, key):
        """The number of the shard that has the key."""
        return next(n for n, slots in enumerate(self.cluster.slots) if slot_of(key) in slots)

    def primary_of(self, key):
        return self.cluster.shards[self.shard_of(key)][0]

    def raw(self, key):
        return self.primary_of(key).client(decode_responses=False)

    def unread(self, inbox, log):
        word = pairs(self.call("NOTIFY.CURSORS", inbox, "WORDS", log))[log]
        return self.call("NOTIFY.UNREAD", inbox) + pairs(self.call("NOTIFY.VIEW", log, word))["unread"]

    def calls(self, command):
        """How often servers have executed it, all together."""
        stats = "".join(self.cluster.ask(primary, "INFO", "commandstats") for primary, *_ in self.cluster.shards)
        return sum(int(calls) for calls in re.findall(rf"(?i)cmdstat_{re.escape(command)}:calls=(\d+)", stats))
