"""What the operator reads when a link to Redis cannot be had: the address and the reason, once."""

import socket
import threading
import time
import urllib.error
import urllib.request

from cluster import Cluster
from servers import Bridge, RedisServer, at_some_pace, free_port, wait_until
from tcp_proxy import TcpProxy

LINKS = ("subscriber", "commands")
ATTEMPTS = 8
LONG_PAUSE_S = 1.0  # the shortest of the longest ones; a first one is far shorter
GOOD_AFTER_S = 5.0  # as redis_link.c has it


def start(programs, server, *args):
    bridge = programs.add(Bridge(server, *args))
    return bridge.start(wait_ready=False)


def down_lines(bridge, pattern=""):
    return [line for line in bridge.lines if "event=redis_link_down" in line and pattern in line]


def is_ready(bridge):
    try:
        with urllib.request.urlopen(bridge.http_url + "/readyz", timeout=60) as answer:
            return answer.status == 200
    except urllib.error.HTTPError as error:
        assert error.code == 503
        return False


def hellos(server):
    return server.client().info("commandstats").get("cmdstat_hello", {"calls": 0})["calls"]


def test_a_node_of_a_cluster_is_refused_clearly_and_once(programs):
    (node,) = Cluster(programs, primaries=1, replicas=0).nodes
    bridge = start(programs, node)
    wait_until(lambda: hellos(node) >= ATTEMPTS, "many attempts", timeout=60)
    for link in LINKS:
        (line,) = down_lines(bridge, f":{link} ")
        assert f"addr=127.0.0.1:{node.port} " in line
        assert "belongs to a Redis Cluster: see --redis-mode" in line
    assert not bridge.has_line("event=ready|CROSSSLOT|redis_link_up")
    assert not is_ready(bridge)


def test_the_same_address_serves_once_it_is_no_cluster_any_more(programs):
    node = programs.redis(cluster_enabled="yes")
    bridge = start(programs, node)
    bridge.wait_line("Redis Cluster")
    node.terminate()
    alone = programs.add(RedisServer(name="alone"))
    alone.port = node.port
    alone.start()
    bridge.wait_ready()
    assert is_ready(bridge)


class Refuser:
    """Accepts and closes at once, for as long as it is open."""

    def __init__(self, port):
        self.calls = 0
        self.socket = socket.create_server(("127.0.0.1", port))
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while True:
            try:
                one, _ = self.socket.accept()
            except OSError:
                return
            self.calls += 1
            one.close()

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.socket.close()


class At:
    """Where a bridge looks for Redis."""

    def __init__(self, port):
        self.url = f"redis://127.0.0.1:{port}"


def test_a_link_that_fails_tells_its_address_once_and_again_when_the_reason_is_another(programs):
    port = free_port()
    refuser = Refuser(port)
    bridge = start(programs, At(port))
    wait_until(lambda: refuser.calls >= ATTEMPTS, "many attempts", timeout=60)
    before = down_lines(bridge)
    assert len(before) == len(LINKS), before
    refuser.close()
    for link in LINKS:
        bridge.wait_line(f"event=redis_link_down link=notify-bridge:{link} .*[Rr]efused", timeout=60)
    after = down_lines(bridge)[len(before) :]
    assert len(after) == len(LINKS), after
    for line in before + after:
        assert f"addr=127.0.0.1:{port} " in line


def test_a_socket_that_is_not_there_is_told_by_its_path(programs):
    server = At(0)
    server.url = "unix:///nonexistent/redis.sock"
    bridge = start(programs, server)
    line = bridge.wait_line("event=redis_link_down")
    assert "addr=unix:/nonexistent/redis.sock " in line and "No such file" in line


def pause_after_cut(bridge, proxy):
    """Ends the links to Redis; how long it takes until one of them is up again."""
    mark, began = bridge.mark(), time.monotonic()
    proxy.cut()
    bridge.wait_line(r"event=redis_link_up link=notify-bridge:subscriber ", since=mark, timeout=60)
    return time.monotonic() - began


def test_pauses_begin_anew_only_after_a_link_was_good_for_a_while(programs, redis_server):
    """A link that comes up and breaks, for whatever reason, is not tried without pause."""
    proxy = TcpProxy(redis_server.port)
    bridge = programs.bridge(proxy, "--subscriber-links", "1")
    pauses = [pause_after_cut(bridge, proxy)]
    while pauses[-1] < LONG_PAUSE_S:
        assert len(pauses) < 20, f"they do not grow: {pauses}"
        pauses.append(pause_after_cut(bridge, proxy))

    def begin_anew(good_s):
        up = time.monotonic()
        wait_until(lambda: time.monotonic() - up > good_s, "being good for a while")
        assert pause_after_cut(bridge, proxy) < LONG_PAUSE_S

    at_some_pace(begin_anew, GOOD_AFTER_S + 0.5, doublings=1)
    proxy.close()
