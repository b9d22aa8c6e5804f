"""Who comes back gets what nobody has had, and what nobody has had is never marked as seen."""

import pytest

from servers import Bridge, wait_until
from tcp_proxy import TcpProxy
from tokens import SECRET, token
from ws_client import WsClient


@pytest.fixture
def proxy(redis_server):
    proxy = TcpProxy(redis_server.port)
    yield proxy
    proxy.close()


def test_what_a_connection_was_to_get_that_broke_before_its_greeting_is_not_marked_as_seen(programs, redis_server, proxy):
    redis = redis_server.client()
    bridge = programs.add(Bridge(proxy, "--auth", "jwt", "--jwt-secret", SECRET)).start()
    ids = [redis.execute_command("NOTIFY.SEND", "inbox:alice", f"number {n}") for n in range(3)]
    proxy.hold(b"subscriber")  # so nobody is greeted

    def asked():
        stats = {name.lower(): values["calls"] for name, values in redis.info("commandstats").items()}
        return stats.get("cmdstat_notify.revrange", 0)

    for n in range(20):
        with WsClient(bridge.port, f"/ws?token={token('alice')}") as tab:
            wait_until(lambda: asked() > n, "its inbox being asked for")
            tab.sock.close()
    proxy.release(b"subscriber")
    with WsClient(bridge.port, f"/ws?token={token('alice')}") as tab:
        assert [tab.expect(type="notification")["id"] for _ in ids] == ids
        wait_until(lambda: not redis.execute_command("NOTIFY.RANGE", "inbox:alice", "-", "+", "UNSEEN"), "its being seen")
