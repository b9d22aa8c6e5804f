"""Commands from where nothing may be refused, as a server gets them: out of an AOF, and from a primary. The
primary is a socket here, so that a test can say what it replicates."""

import gzip
import os
import socket

from servers import ROOT, RedisServer, wait_until

CORPUS = os.path.join(ROOT, "tests", "versions", "corpus")

# An RDB of version 9 without a key; a checksum of zeros is not checked.
EMPTY_RDB = b"REDIS0009\xff" + bytes(8)


def to_bytes(word):
    return word if isinstance(word, (bytes, bytearray)) else str(word).encode()


def encode(words):
    words = [to_bytes(word) for word in words]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def read_aof(data):
    """The commands of an AOF, as lists of bytes; annotations are passed over."""
    found, at = [], 0
    while at < len(data):
        end = data.index(b"\r\n", at)
        if data[at : at + 1] == b"#":
            at = end + 2
            continue
        count, at, words = int(data[at + 1 : end]), end + 2, []
        for _ in range(count):
            end = data.index(b"\r\n", at)
            size = int(data[at + 1 : end])
            words.append(data[end + 2 : end + 2 + size])
            at = end + 2 + size + 2
        found.append(words)
    return found


def read_corpus(version, name):
    """The same of a file of the corpus."""
    with gzip.open(os.path.join(CORPUS, version, name)) as file:
        return read_aof(file.read())


def effects_of(server):
    """What a server with an AOF has replicated since it began the file, as lists of text."""
    commands = [[word.decode() for word in words] for words in read_aof(server.aof_tail())]
    return [words for words in commands if words[0] not in ("SELECT", "MULTI", "EXEC")]


def server_with_aof(programs, commands):
    """A server, not started yet, that will load these."""
    server = programs.add(RedisServer(appendonly="yes", aof_use_rdb_preamble="no"))
    with open(os.path.join(server.dir, "appendonly.aof"), "wb") as file:
        file.write(b"".join(map(encode, commands)))
    return server


class Primary:
    """The primary of one server, which begins empty."""

    def __init__(self, server):
        self.client = server.client()
        self.sent = 0
        listener = socket.create_server(("127.0.0.1", 0))
        self.client.execute_command("REPLICAOF", "127.0.0.1", listener.getsockname()[1])
        self.peer, _ = listener.accept()
        listener.close()
        self.lines = self.peer.makefile("rb")
        self._greet()
        wait_until(lambda: self.client.info("replication")["master_link_status"] == "up", "the link")

    def _read(self):
        count = int(self.lines.readline()[1:])
        words = []
        for _ in range(count):
            size = int(self.lines.readline()[1:])
            words.append(self.lines.read(size + 2)[:-2])
        return words

    def _greet(self):
        while True:
            words = self._read()
            if words[0].upper() == b"PSYNC":
                break
            self.peer.sendall(b"+PONG\r\n" if words[0].upper() == b"PING" else b"+OK\r\n")
        self.peer.sendall(b"+FULLRESYNC " + b"a" * 40 + b" 0\r\n$%d\r\n" % len(EMPTY_RDB) + EMPTY_RDB)

    def send(self, *commands):
        """Replicates commands, a transaction as a whole, and waits until the server has carried them out."""
        data = b"".join(map(encode, commands))
        self.peer.sendall(data)
        self.sent += len(data)
        wait_until(lambda: self.client.info("replication")["slave_repl_offset"] >= self.sent, "the replica")

    def close(self):
        """The server is a primary of its own."""
        self.client.execute_command("REPLICAOF", "NO", "ONE")
        self.lines.close()
        self.peer.close()
