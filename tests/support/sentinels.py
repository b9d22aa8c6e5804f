"""Sentinels for the tests: real ones, that watch a primary and its replicas."""

import os
import shlex
import shutil
import tempfile

import redis

from resp import Resp, RespError
from servers import REDIS_SERVER, Program, free_port, redis_client, wait_until

NAME = "ours"
DOWN_AFTER_MS = 2000
CUTS = 10  # as often a server may close a connection to it before that is a fault


def call(server, *command):
    """A command that may be done twice, on a server that Sentinels look after: they have it close all connections
    whenever they tell it whom to follow, or to follow nobody."""
    for _ in range(CUTS):
        try:
            return server.client().execute_command(*command)
        except redis.ConnectionError:
            pass
    return server.client().execute_command(*command)


class Sentinel(Program):
    """lines: further ones of its configuration."""

    def __init__(self, primary, number, lines=(), quorum=2, primary_port=None):
        super().__init__(f"sentinel-{number}")
        self.port = free_port()
        self.dir = tempfile.mkdtemp(prefix="notify-test-sentinel-")
        self.lines_of_file = [
            f"port {self.port}",
            "bind 127.0.0.1",
            f"dir {self.dir}",
            f"sentinel monitor {NAME} 127.0.0.1 {primary_port or primary.port} {quorum}",
            f"sentinel down-after-milliseconds {NAME} {DOWN_AFTER_MS}",
            f"sentinel failover-timeout {NAME} 10000",
            *lines,
        ]
        self.write()

    def write(self):
        with open(os.path.join(self.dir, "sentinel.conf"), "w", encoding="ascii") as file:
            file.write("\n".join(self.lines_of_file) + "\n")

    def start(self):
        mark = self.mark()
        server = shlex.split(os.environ.get("NOTIFY_REDIS_SERVER", f"'{REDIS_SERVER}'"))
        self._spawn([*server, os.path.join(self.dir, "sentinel.conf"), "--sentinel"], cwd=self.dir)
        self.wait_line(r"\+monitor", since=mark)
        return self

    def client(self, **options):
        return redis_client(self.port, **options)

    def ask(self, *words):
        with Resp(self.port) as resp:
            return resp.call("SENTINEL", *words)

    def primary_port(self):
        return int(self.ask("GET-MASTER-ADDR-BY-NAME", NAME)[1])

    def about(self):
        """{field: what it knows of the primary}"""
        fields = self.ask("MASTER", NAME)
        return dict(zip(fields[::2], fields[1::2])) if isinstance(fields, list) else fields

    def flags(self):
        """As it sees the primary; "master" alone where nothing is wrong and nothing is being done."""
        return self.about()["flags"].split(",")

    def knows(self, replicas, others):
        """All that it needs for a failover."""
        about = self.about()
        return int(about["num-slaves"]) >= replicas and int(about["num-other-sentinels"]) >= others

    def stop(self):
        try:
            super().stop()
        finally:
            shutil.rmtree(self.dir, ignore_errors=True)


class Sentinels:
    """`count` of them, that know one another and the replicas of the primary."""

    def __init__(self, programs, primary, replicas=1, count=3, lines=()):
        self.all = [programs.add(Sentinel(primary, n, lines)).start() for n in range(count)]
        for one in self.all:
            wait_until(lambda s=one: s.knows(replicas, count - 1), f"{one.name}'s knowing all")

    @property
    def url(self):
        return "redis://" + ",".join(f"127.0.0.1:{one.port}" for one in self.all)

    def failover(self):
        """By hand; as soon as it has found the replica good enough."""

        def asked():
            try:
                return self.all[0].ask("FAILOVER", NAME)
            except RespError as error:
                assert "NOGOODSLAVE" in str(error) or "INPROG" in str(error), error
                return False

        wait_until(asked, "a failover by hand")

    def wait_primary(self, server):
        for one in self.all:
            if one.running():
                wait_until(lambda s=one: s.primary_port() == server.port, f"{one.name}'s naming {server.name}")
