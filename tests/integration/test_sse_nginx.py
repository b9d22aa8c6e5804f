"""Streams of events through a real nginx that nobody has configured for them: HTTP/1.0 to the bridge,
buffering and compression as they come."""

import os
import shutil
import urllib.request

import pytest

from servers import Program, free_port, wait_until
from sse_client import SseClient
from test_sse import Streams, event_ids

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"

CONFIG = """
daemon off;
{user}
worker_processes 1;
error_log stderr warn;
pid {folder}/nginx.pid;
events {{ worker_connections 512; }}
http {{
    access_log off;
    gzip on;
    gzip_types text/event-stream application/json;
    gzip_min_length 0;
    client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    upstream bridges {{ {servers} }}
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass http://bridges; proxy_set_header Host $http_host; }}
    }}
}}
"""


class Nginx(Program):
    """In front of bridges, one after the other."""

    def __init__(self, folder, bridges):
        super().__init__("nginx")
        self.port = free_port()
        servers = " ".join(f"server 127.0.0.1:{bridge.port} max_fails=0;" for bridge in bridges)
        self.config = os.path.join(folder, "nginx.conf")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(CONFIG.format(user="user root;" if os.geteuid() == 0 else "", folder=folder, port=self.port, servers=servers))

    def start(self):
        self._spawn([NGINX, "-p", os.path.dirname(self.config), "-c", self.config])
        wait_until(self._answers, "nginx")

    def _answers(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False


@pytest.fixture
def stand(make_stand, tmp_path):
    stand = make_stand(kind=Streams)
    stand.second = stand.bridge(stand.server, name="second")
    stand.nginx = stand.add(Nginx(str(tmp_path), [stand.daemon, stand.second]))
    stand.nginx.start()
    return stand


@pytest.mark.parametrize("headers", [(), ("Accept-Encoding: gzip",)])
def test_each_event_comes_at_once_compressed_or_not(stand, user, headers):
    stream = stand.stream(user=user, port=stand.nginx.port, headers=headers)
    assert (stream.header("content-encoding") == "gzip") == bool(headers)
    for _ in range(5):
        id_ = stand.send(f"inbox:{user}")
        assert stream.expect("notification", timeout=2).json["id"] == id_


def test_who_comes_back_to_the_other_bridge_goes_on(stand, user):
    at, got, sent = None, [], []
    for n in range(12):
        sent.append(stand.send(f"inbox:{user}")) if n else None
        stream = stand.stream(user=user, port=stand.nginx.port, last_event_id=at)
        while len(got) < len(sent):
            got.append(stream.expect("notification").json["id"])
        sent.append(stand.send(f"inbox:{user}"))
        got.append(stream.expect("notification").json["id"])
        at = stream.last_event_id
        stream.close()
    assert got == sent
    for bridge in (stand.daemon, stand.second):
        assert bridge.metrics()["notify_clients_opened_total"] >= 3


def test_a_bridge_that_dies_is_an_end_after_which_nothing_is_lost(stand, user):
    streams = [stand.stream(user=user, port=stand.nginx.port) for _ in range(4)]
    first = stand.send(f"inbox:{user}")
    for stream in streams:
        assert event_ids([stream.expect("notification")]) == [first]
    stand.second.kill9()
    second = stand.send(f"inbox:{user}")
    for stream in streams:
        back = SseClient(stand.nginx.port, user=user, last_event_id=stream.last_event_id)
        stand.streams.append(back)
        assert back.expect("notification").json["id"] == second
