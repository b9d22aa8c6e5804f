"""An older module beside this one, as primary and as replica: each message is heard once at every server, and all
end with the same data."""

import pytest

from module_helpers import call, digest
from test_module_replicated_once import CHANNELS, KEY, KEYS, do_everything


@pytest.fixture(params=["older primary", "older replica", "older in the middle"])
def chain(programs, modules, request):
    """Three servers, each the replica of the one before; the newer ones write what the older one reads."""
    old_at = {"older primary": 0, "older in the middle": 1, "older replica": 2}[request.param]
    servers = []
    for n, name in enumerate(("primary", "replica", "chained")):
        kind = modules.older() if n == old_at else modules.newer()
        options = {"replica_of": servers[-1]} if servers else {}
        servers.append(programs.redis(name=name, appendonly="yes", appendfsync="always", **kind, **options))
        if n > 0:
            servers[n].wait_synced()
        servers[n].wait_aof()
    return servers


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
