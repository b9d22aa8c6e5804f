"""docs/operating.md is true: its backup and restore, erasing and revoking are carried out word for word, but for the values
of their first lines."""

import glob
import os
import re
import shutil
import subprocess
import threading

import pytest

from bridge_helpers import new_name
from servers import REDIS_SERVER, ROOT, Bridge, RedisServer, bridge_path, wait_until
from tokens import SECRET, claims, hs
from ws_client import WsClient

with open(os.path.join(ROOT, "docs", "operating.md"), encoding="utf-8") as file:
    PAGE = file.read()
BLOCKS = dict(re.findall(r"^```sh (\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))


class Configured(RedisServer):
    """As a distribution starts it: by a configuration file, with an AOF."""

    def __init__(self):
        super().__init__(save=["3600 1"], appendonly="yes")
        self.conf = os.path.join(self.dir, "redis.conf")
        lines = [f"port {self.port}", "bind 127.0.0.1", f"dir {self.dir}", f"loadmodule {self.module}"]
        with open(self.conf, "w", encoding="ascii") as file:
            file.write("\n".join([*lines, "save 3600 1", "appendonly yes", "appendfsync no"]) + "\n")

    def _argv(self):
        return [REDIS_SERVER, self.conf]


class Machine:
    """A folder of programs that stand for those of the page: redis-cli knows the port, and systemctl starts and stops the test's
    own programs."""

    def __init__(self, folder, redis):
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.asked, self.answers = folder / "asked", folder / "answers"
        for pipe in (self.asked, self.answers):
            os.mkfifo(pipe)
        self.redis = redis
        self.services = {"redis-server": (redis.start, redis.terminate)}
        self.program("redis-cli", f'exec {shutil.which("redis-cli")} -p {redis.port} "$@"')
        self.program("systemctl", f'echo "$1 $2" >{self.asked}; read -r answer <{self.answers}; [ "$answer" = ok ]')
        threading.Thread(target=self.serve, daemon=True).start()

    def program(self, name, text):
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def serve(self):
        while True:
            verb, service = self.asked.read_text().split()
            start, stop = self.services[service]
            try:
                if verb in ("stop", "restart"):
                    stop()
                if verb in ("start", "restart"):
                    start()
                answer = "ok"
            except Exception as failure:
                answer = f"failed {failure!r}"
            self.answers.write_text(answer + "\n")

    def carry_out(self, name, **values):
        """The block of that name, its first line with other values: it has those and no others."""
        first, rest = BLOCKS[name].split("\n", 1)
        assert {pair.split("=")[0] for pair in first.split()} == set(values), first
        script = "".join(f"{key}='{value}'\n" for key, value in values.items()) + rest
        env = {**os.environ, "PATH": f"{self.bin}:{os.environ['PATH']}"}
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], capture_output=True, text=True, env=env, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def machine(programs, tmp_path):
    return Machine(tmp_path, programs.add(Configured()).start())


def test_each_block_of_the_page_is_carried_out_by_a_test():
    assert set(BLOCKS) == {"backup", "restore", "erase", "kick", "revoke"}


def test_a_copy_that_is_put_back_is_what_there_was_and_it_is_in_the_aof_from_then_on(machine, tmp_path):
    server, client = machine.redis, machine.redis.client()
    copy = tmp_path / "notify.rdb"
    kept = client.execute_command("NOTIFY.SEND", "inbox:alice", "before the copy")
    client.execute_command("NOTIFY.FOLLOW", "inbox:alice", "topic:all")
    said = machine.carry_out("backup", copy=copy)
    assert "notifybox" in said or "RDB looks OK" in said, said
    client.execute_command("NOTIFY.SEND", "inbox:alice", "after the copy")
    client.execute_command("UNLINK", "inbox:alice")
    machine.carry_out("restore", copy=copy, data=server.dir, conf=server.conf)

    def sound():
        assert server.client().execute_command("NOTIFY.REVRANGE", "inbox:alice", "+", "-")[0][0] == kept
        assert server.client().execute_command("NOTIFY.LEN", "inbox:alice") == 1
        verified = server.client().execute_command("NOTIFY.VERIFY", "inbox:alice")
        assert verified[verified.index("sound") + 1] == 1

    sound()
    assert server.client().config_get("appendonly") == {"appendonly": "yes"}
    assert os.path.isdir(os.path.join(server.dir, "before-restore", "appendonlydir"))
    server.wait_aof()
    server.kill9()
    server.start()
    sound()


def test_a_client_that_was_there_before_shows_what_was_put_back(machine, programs, tmp_path):
    user, copy = new_name(), tmp_path / "notify.rdb"
    bridge = programs.bridge(machine.redis)
    client = machine.redis.client()
    client.execute_command("NOTIFY.SEND", f"inbox:{user}", "before the copy")
    machine.carry_out("backup", copy=copy)
    client.execute_command("NOTIFY.SEND", f"inbox:{user}", "after the copy")
    machine.carry_out("restore", copy=copy, data=machine.redis.dir, conf=machine.redis.conf)
    bridge.wait_links("up")
    with WsClient(bridge.port, f"/ws?user={user}") as tab:
        tab.expect(type="connection")
        assert tab.request("unread_count")["unread"] == 1


def files_with(folder, text):
    """Below folder: which files have that text in them."""
    found = []
    for path in glob.glob(f"{folder}/**", recursive=True):
        if os.path.isfile(path):
            with open(path, "rb") as file:
                if text.encode() in file.read():
                    found.append(os.path.relpath(path, folder))
    return found


def test_a_user_who_is_erased_is_nowhere_any_more(machine, programs):
    user, other, server = new_name("gone"), new_name("stays"), machine.redis
    bridge = programs.bridge(server, "--session-lease", "60s")
    client = server.client()
    tabs = [WsClient(bridge.port, f"/ws?user={user}") for _ in range(2)]
    for tab in tabs:
        tab.expect(type="connection")
    client.execute_command("NOTIFY.SEND", f"inbox:{user}", f"Hello {user}")
    client.execute_command("NOTIFY.SEND", f"inbox:{other}", f"Hello {other}")
    assert tabs[0].request("publish", topic="all", title="once", idempotency_key="k1")["type"] != "error"
    assert client.keys(f"*{user}*")
    server.wait_aof()
    assert files_with(server.dir, user)
    machine.carry_out("erase", user=user)
    assert [tab.wait_closed().code for tab in tabs] == [4410, 4410]
    assert client.keys(f"*{user}*") == [] and client.execute_command("NOTIFY.LEN", f"inbox:{other}") == 1
    wait_until(lambda: "appendonlydir" not in str(files_with(server.dir, user)), "the AOF's being without that name")
    assert files_with(server.dir, other)


def test_who_is_kicked_is_closed_on_every_bridge(machine, programs):
    user = new_name()
    tabs = [WsClient(programs.bridge(machine.redis, name=name).port, f"/ws?user={user}") for name in ("one", "two")]
    for tab in tabs:
        tab.expect(type="connection")
    machine.carry_out("kick", user=user)
    assert [tab.wait_closed().code for tab in tabs] == [4410, 4410]


class WithSecrets(Bridge):
    """Its environment is the file that systemd reads."""

    def __init__(self, server, secrets):
        super().__init__(server, "--auth", "jwt")
        self.secrets = secrets

    def start(self, wait_ready=True):
        self.env["NOTIFY_JWT_SECRET"] = dict(line.split("=", 1) for line in self.secrets.read_text().split())["NOTIFY_JWT_SECRET"]
        return super().start(wait_ready)


def test_after_another_secret_no_token_of_the_old_one_is_good_and_nobody_misses_anything(machine, programs, tmp_path):
    secrets = tmp_path / "secrets"
    secrets.write_text(f"NOTIFY_JWT_SECRET={SECRET}\n".replace(" ", "_").replace(",", ""))
    old = secrets.read_text().strip().split("=", 1)[1]
    bridge = programs.add(WithSecrets(machine.redis, secrets)).start()
    machine.services["notify-bridge"] = (bridge.start, bridge.terminate)
    stolen = hs(claims("alice"), secret=old)
    tab = WsClient(bridge.port, f"/ws?token={stolen}")
    tab.expect(type="connection")
    machine.carry_out("revoke", secrets=secrets)
    tab.wait_closed()
    fresh = secrets.read_text().strip().split("=", 1)[1]
    assert fresh != old and len(fresh) == 64
    assert WsClient(bridge.port, f"/ws?token={stolen}").wait_closed().code == 4401
    id_ = machine.redis.client().execute_command("NOTIFY.SEND", "inbox:alice", "meanwhile")
    with WsClient(bridge.port, f"/ws?token={hs(claims('alice'), secret=fresh)}&last_event_id=0-0") as again:
        again.expect(type="connection")
        assert again.expect(type="notification")["id"] == id_


def test_what_the_page_calls_an_option_an_event_of_the_log_or_a_number_is_one():
    said = subprocess.run([bridge_path(), "--help"], capture_output=True, text=True, check=True).stdout
    numbers = subprocess.run([bridge_path(), "--metrics-markdown"], capture_output=True, text=True, check=True).stdout
    sources = "".join(open(path, encoding="utf-8").read() for path in glob.glob(f"{ROOT}/bridge/**/*.c", recursive=True))
    text = re.sub(r"^```.*?^```$", "", PAGE, flags=re.MULTILINE | re.DOTALL)
    for option in set(re.findall(r"`--([a-z-]+)", text)):
        assert f"--{option}" in said, option
    for name in set(re.findall(r"`(notify_[a-z_]+)`", text)):
        assert f"`{name}`" in numbers, name
    for event in set(re.findall(r"`([a-z]+(?:_[a-z]+)+)[ `]", text)) - {"proxy_http_version", "proxy_read_timeout", "proxy_buffering"}:
        assert f'"{event}"' in sources or f"`{event}`" in numbers, event
