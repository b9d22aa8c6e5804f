"""A TCP proxy that can play dead (connections stay open, but nothing passes any more), be slow, or lead
elsewhere."""

import socket
import threading
import time


class TcpProxy:
    """Stands in front of a local port; `url` is what a bridge is given for Redis."""

    def __init__(self, port):
        self.target = port
        self.links = []
        self._lock = threading.Lock()
        self._slow, self._delay_s = None, 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:  # who cuts finds it or comes before it
                try:
                    far = socket.create_connection(("127.0.0.1", self.target))
                except OSError:
                    near.close()
                    continue
                self.links.append(_Link(near, far, self))

    def _find(self, word):
        """The connections on which the client has said word and that are alive."""
        with self._lock:
            return [link for link in self.links if word in link.head and not link.frozen]

    def freeze(self, word):
        """Lets the connections play dead on which the client has said word; how many there are."""
        found = self._find(word)
        for link in found:
            link.frozen = True
        return len(found)

    def hold(self, word):
        """Keeps back what the server says on such connections, until release()."""
        for link in self._find(word):
            link.answers.clear()

    def release(self, word):
        for link in self._find(word):
            link.answers.set()

    def delay(self, word, seconds):
        """What the server says on such connections comes so much later."""
        self._slow, self._delay_s = word, seconds

    def delay_of(self, link):
        return self._delay_s if self._slow is not None and self._slow in link.head else 0

    def lead_to(self, port):
        """Ends all connections; the next ones go there, as after a failover."""
        self.target = port
        self.cut()

    def cut(self):
        with self._lock:
            for link in self.links:
                link.close()

    def close(self):
        self._listener.close()
        self.cut()


class _Link:
    def __init__(self, near, far, proxy):
        self.near, self.far, self.proxy = near, far, proxy
        self.head = b""  # what the client said first: who it is
        self.frozen = False
        self.answers = threading.Event()  # may pass
        self.answers.set()
        for source, sink in ((near, far), (far, near)):
            threading.Thread(target=self._forward, args=(source, sink), daemon=True).start()

    def _forward(self, source, sink):
        try:
            while True:
                data = source.recv(65536)
                if source is self.near and len(self.head) < 4096:
                    self.head += data
                if source is self.far:
                    self.answers.wait()
                    time.sleep(self.proxy.delay_of(self))
                if self.frozen:
                    return  # both sides stay open, and what comes is read no more
                if not data:
                    break
                sink.sendall(data)
        except OSError:
            pass
        self.close()

    def close(self):
        self.answers.set()
        for sock in (self.near, self.far):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()
