"""notify-bridge --probe: the health check of an image that has nothing else."""

import socket
import subprocess

from servers import bridge_path, free_port


def probe(url):
    done = subprocess.run([bridge_path(), "--probe", url], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def test_a_bridge_that_is_ready_is_well(programs, redis_server):
    bridge = programs.bridge(redis_server)
    for path in ("/healthz", "/readyz"):
        assert probe(f"http://127.0.0.1:{bridge.port}{path}") == (0, "")


def test_one_without_its_redis_is_alive_and_not_ready(programs, redis_server):
    bridge = programs.bridge(redis_server)
    redis_server.stop()
    bridge.wait_links("down")
    assert probe(f"http://127.0.0.1:{bridge.port}/healthz")[0] == 0
    assert probe(f"http://127.0.0.1:{bridge.port}/readyz") == (1, "notify-bridge: it answers 503\n")


def test_one_that_is_not_there_or_does_not_answer_is_not_well():
    status, said = probe(f"http://127.0.0.1:{free_port()}/healthz")
    assert status == 1 and said.startswith("notify-bridge: ")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        status, said = probe(f"http://127.0.0.1:{silent.getsockname()[1]}/healthz")
    assert status == 1 and said.startswith("notify-bridge: ")


def test_what_is_no_address_is_wrong_usage():
    for url in ("", "127.0.0.1:8080", "ftp://127.0.0.1/", "http://"):
        assert probe(url)[0] == 2, url
