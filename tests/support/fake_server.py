"""A server that speaks RESP and says what a test wants it to: for answers that no real one gives."""

import socket
import threading


def bulk(text):
    raw = text if isinstance(text, bytes) else str(text).encode()
    return b"$%d\r\n%s\r\n" % (len(raw), raw)


def array(*parts):
    return b"*%d\r\n" % len(parts) + b"".join(parts)


def pairs(**fields):
    return b"%%%d\r\n" % len(fields) + b"".join(bulk(k) + bulk(v) for k, v in fields.items())


class FakeServer:
    """.links: of all who came. What a command (a list of words) is answered is for those that derive from it to say:
    _answer(words)."""

    def __init__(self):
        self.links = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                link, _ = self._socket.accept()
            except OSError:
                return
            self.links.append(link)
            threading.Thread(target=self._serve, args=(link,), daemon=True).start()

    @staticmethod
    def _commands(file):
        while True:
            line = file.readline()
            if not line:
                return
            yield [file.read(int(file.readline()[1:]) + 2)[:-2].decode() for _ in range(int(line[1:]))]

    def _serve(self, link):
        try:
            for words in self._commands(link.makefile("rb")):
                link.sendall(self._answer(words))
        except OSError:
            pass

    def close(self):
        self._socket.close()
        for link in self.links:
            link.close()
