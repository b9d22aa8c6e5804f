"""An address of keys (a JWKS) for tests, which answers as a test wants."""

import http.server
import json
import threading


class KeyHost:
    """An HTTP server whose answers a test decides: .answer(handler)."""

    def __init__(self):
        host = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                host.asked += 1
                host.answer(self)

            def log_message(self, *args):
                pass

        self.asked = 0
        self.answer = None
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/keys"

    def serve(self, *keys):
        body = json.dumps({"keys": [key.jwk() for key in keys]}).encode()

        def answer(handler):
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)

        self.answer = answer

    def hold(self, *keys):
        """As serve(), but nothing is answered before the event that is returned is set."""
        go = threading.Event()
        self.serve(*keys)
        answer = self.answer

        def held(handler):
            go.wait(30)
            answer(handler)

        self.answer = held
        return go

    def close(self):
        self.server.shutdown()
        self.server.server_close()
