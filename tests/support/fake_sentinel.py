"""A Sentinel that says what a test wants it to: for answers that no real one gives."""

from fake_server import FakeServer, array, bulk, pairs
from sentinels import NAME


class FakeSentinel(FakeServer):
    """.address, .others, .epoch_reply: what it answers; .asked: how often it was asked for the address."""

    def __init__(self, port):
        self.address = array(bulk("127.0.0.1"), bulk(port))
        self.master = b"%1\r\n" + bulk("config-epoch") + bulk("0")
        self.others = []
        self.asked = 0
        super().__init__()

    def _answer(self, words):
        if words[0] == "HELLO":
            return pairs(server="redis", mode="sentinel")
        if words[0] == "PING":
            return bulk(words[1])
        if words[0] == "SUBSCRIBE":
            return b">3\r\n" + bulk("subscribe") + bulk(words[1]) + b":1\r\n"
        if words[1] == "MASTER":
            return self.master
        if words[1] == "SENTINELS":
            return array(*self.others)
        self.asked += 1
        return self.address

    def push(self, times, name=NAME):
        """+switch-master, so often."""
        text = bulk(f"{name} 127.0.0.1 1 127.0.0.1 2")
        one = b">3\r\n" + bulk("message") + bulk("+switch-master") + text
        for link in self.links:
            link.sendall(one * times)
