"""An older module beside this one, as primary and as replica: each message is heard once at every server, and all
end with the same data. NOTIFY_OLDER_SO names the older one; without it there is nothing to do."""

import os

import pytest

from module_helpers import call, digest
from servers import RedisServer, wait_until
from test_module_replicated_once import CHANNELS, KEY, KEYS, do_everything

OLDER = os.environ.get("NOTIFY_OLDER_SO")

pytestmark = pytest.mark.skipif(not OLDER, reason="NOTIFY_OLDER_SO names no older module")


class Older(RedisServer):
    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.module = OLDER


@pytest.fixture(params=["older primary", "older replica", "older in the middle"])
def chain(programs, request):
    """Three servers, each the replica of the one before; the newer ones write what the older one reads."""
    old_at = {"older primary": 0, "older in the middle": 1, "older replica": 2}[request.param]
    servers = []
    for n, name in enumerate(("primary", "replica", "chained")):
        kind = Older if n == old_at else RedisServer
        config = {} if n == old_at else {"notify.write-version": 1}
        options = {"replica_of": servers[-1]} if servers else {}
        servers.append(programs.add(kind(name=name, config=config, appendonly="yes", appendfsync="always", **options)).start())
        if n > 0:
            servers[n].wait_synced()
        wait_until(lambda: has_aof(servers[-1]), "its AOF's being complete")
    return servers


def has_aof(server):
    about = server.client().info("persistence")
    return not (about["aof_rewrite_in_progress"] or about["aof_rewrite_scheduled"])


def test_each_message_is_heard_once_everywhere(chain, listen):
    primary, *replicas = chain
    listeners = [listen(primary, *CHANNELS)] + [listen(one, *CHANNELS, via=primary) for one in replicas]
    do_everything(primary.client())
    said, *heard = (listener.raw() for listener in listeners)
    assert len(said) > 340
    for one in heard:
        assert one == said
    for replica in replicas:
        replica.wait_synced()
        assert digest(replica.client(), *KEYS) == digest(primary.client(), *KEYS)


def test_the_older_module_goes_on_as_primary_and_loads_what_it_was_sent(chain):
    primary, *replicas = chain
    do_everything(primary.client())
    for replica in replicas:
        replica.wait_synced()
    before = digest(primary.client(), *KEYS)
    for server in chain:
        server.kill9()
        server.options.pop("replicaof", None)
        server.start()
        assert digest(server.client(), *KEYS) == before
    call(replicas[-1].client(), "NOTIFY.SEND", KEY, "goes on")
