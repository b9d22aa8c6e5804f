"""Debian's nginx in front of bridges, with what it does if nobody tells it otherwise: HTTP/1.0 to the bridge,
buffering, one bridge after the other; and compression. Only WebSockets need their three lines, and Socket.IO those that its
documentation gives, but for what keeps a client with one server."""

import os
import shutil
import urllib.request

from servers import Program, free_port, wait_until

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
        location /socket.io/ {{
            proxy_pass http://bridges; proxy_set_header Host $http_host; proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";
        }}
        location /ws {{
            proxy_pass http://bridges; proxy_set_header Host $http_host; proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;
        }}
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
