"""What the tests of the module share: calling commands, reading their replies, comparing servers."""

import json

import redis

from resp import RespError


def call(client, *args):
    """A command's reply; an error reply is raised as redis.ResponseError."""
    return client.execute_command(*args)


def error_of(client, *args):
    """The text of the error reply that the command must give, with its code."""
    try:
        reply = client.execute_command(*args)
    except redis.ResponseError as error:
        # redis-py cuts the code "ERR" off and turns some others into exceptions of their own.
        return str(error)
    raise AssertionError(f"{args} was accepted: {reply!r}")


def raw_error(resp, *command):
    """The same of a Resp connection."""
    resp.send(*command)
    reply = resp.read()
    assert isinstance(reply, RespError), reply
    return str(reply)


def pairs(flat):
    """A map as RESP2 sends it."""
    return dict(zip(flat[::2], flat[1::2]))


def entry(reply):
    """(id, fields) of one entry of RANGE or GET."""
    return reply[0], pairs(reply[1])


def entries(replies):
    return [entry(reply) for reply in replies]


def ids(replies):
    return [reply[0] for reply in replies]


def all_entries(run, key):
    """All of a box, as run(*command) gets it: a fast server takes more in a test than the 10,000 entries of one reply."""
    found = []
    page = run("NOTIFY.RANGE", key, "-", "+", "ALL")
    while page:
        found += page
        page = run("NOTIFY.RANGE", key, f"({page[-1][0]}", "+", "ALL")
    return found


def info(client, key):
    return pairs(call(client, "NOTIFY.INFO", key))


def since(client, *args):
    """The replies of NOTIFY.SINCE with their messages parsed."""
    replies = [pairs(reply) for reply in call(client, "NOTIFY.SINCE", *args)]
    for reply in replies:
        reply["entries"] = [json.loads(text) for text in reply["entries"]]
    return replies


def epoch_of(client):
    """The epoch under which this server writes; a box that it makes now has this one."""
    return client.info("notify")["notify_epoch"]


def badge(client, key):
    reply = pairs(call(client, "NOTIFY.BADGE", key))
    reply["by_category"] = pairs(reply["by_category"])
    return reply


def word_of(name):
    """The word for a cursor of this log that has read nothing (cursor_word.c, box_payload.c)."""
    cursor = bytes([len(name)]) + name.encode() + bytes(7)
    blocks = bytes([12, 1, *[0] * 10, 1]) + bytes([len(cursor) + 1, len(cursor)]) + cursor
    sum_ = 2166136261
    for byte in blocks:
        sum_ = (sum_ ^ byte) * 16777619 % 2**32
    return (sum_.to_bytes(4, "little") + blocks).hex()


def verify(client, key):
    """NOTIFY.VERIFY; fails the test when the box does not agree with its recount."""
    audit = pairs(call(client, "NOTIFY.VERIFY", key))
    assert audit["sound"] == 1, audit
    return audit


def digest(client, *keys):
    """A value that is equal for equal contents; one for each key."""
    reply = client.execute_command("DEBUG", "DIGEST-VALUE", *keys)
    return [one.decode() if isinstance(one, bytes) else one for one in reply]


def dump(client, key):
    """The bytes of DUMP, whatever the client makes of replies."""
    port = client.connection_pool.connection_kwargs["port"]
    return redis.Redis(host="127.0.0.1", port=port).dump(key)


def check_everywhere(check, primary, replica):
    """check(client): of the replica, then of the primary, which loads its data again in every way
    that there is. It needs an AOF."""
    replica.wait_synced()
    check(replica.client())
    client = primary.client()
    for way in ("RELOAD", "LOADAOF"):
        client.execute_command("DEBUG", way)
        check(client)
    primary.rewrite_aof()
    client.execute_command("DEBUG", "LOADAOF")
    check(client)


class Listener:
    """A subscriber whose messages can be read without sleeping: everything that was published before
    messages() is called is in its answer, as a message of our own comes last. On a replica that one
    must come the way of the others: through its primary, `via`."""

    def __init__(self, server, *channels, shard=False, end="test:end", via=None):
        self.client = (via or server).client()
        self.shard = shard
        self.end = end
        self.pubsub = server.client().pubsub()
        if shard:
            self.pubsub.execute_command("SSUBSCRIBE", *channels, end)
        else:
            self.pubsub.subscribe(*channels, end)
        for _ in range(len(channels) + 1):
            # ssubscribe confirmations are unknown to Debian 12's redis-py: read them raw.
            self.pubsub.parse_response(block=True)

    def raw(self):
        self.client.execute_command("SPUBLISH" if self.shard else "PUBLISH", self.end, "end")
        found = []
        while True:
            kind, channel, data = self.pubsub.parse_response(block=True)[:3]
            if channel == self.end:
                return found
            found.append((channel, data))

    def messages(self):
        """The messages since the last call, parsed; each must be for the channel of its key."""
        parsed = [(channel, json.loads(data)) for channel, data in self.raw()]
        assert all(message["key"] == channel for channel, message in parsed)
        return [message for _, message in parsed]

    def close(self):
        self.pubsub.close()
