"""What clients connect to: our bridges in front of Redis, or the official server with the application of official.js. Tests
that are about what clients see are written once and hold for both (`--official`)."""

import itertools
import json
import subprocess
import time

from servers import Group, Program, free_port, wait_until
from stock import HERE

# Category rights as the file of roles says them, and the same for official.js.
ROLES = {"*": {"categories": ["system"], "permitted": ["maintenance"]}, "admin": {"categories": ["*"], "permitted": []}}


def roles_text(roles=None):
    lines = []
    for role, words in (roles or ROLES).items():
        lines.append(f"role {role}")
        lines += [f"  {word} {' '.join(patterns)}" for word, patterns in words.items() if patterns]
    return "\n".join(lines) + "\n"


class OfficialServer(Program):
    """The npm package socket.io."""

    def __init__(self, **settings):
        super().__init__("official")
        self.port = free_port()
        self.settings = {"port": self.port, **settings}
        self._numbers = itertools.count(1)

    def start(self):
        mark = self.mark()
        self._spawn(["node", "official.js", json.dumps(self.settings)], cwd=HERE, stdin=subprocess.PIPE)
        self.wait_line(r'^\{"ready"', since=mark)
        return self

    def restart(self):
        if self.running():
            self.terminate()
        return self.start()

    def do(self, todo, **members):
        n, mark = next(self._numbers), self.mark()
        self.proc.stdin.write((json.dumps({"n": n, "do": todo, **members}) + "\n").encode())
        self.proc.stdin.flush()
        return json.loads(self.wait_line(rf'^{{"n":{n},', since=mark))["ok"]


class Official(Group):
    """One official server. It knows what contracts A and C say of NOTIFY.SEND and NOTIFY.EVENT."""

    is_ours = False

    def __init__(self, secret=None, roles=None, namespaces=(), **settings):
        super().__init__()
        settings = {"secret": secret, "roles": roles or ROLES, "namespaces": list(namespaces), **settings}
        self.daemons = [self.add(OfficialServer(**settings)).start()]

    @property
    def url(self):
        return f"http://127.0.0.1:{self.daemons[0].port}"

    def wait_polls(self):
        pass  # whoever is there is told when it ends

    def connections_of(self, user):
        return self.daemons[0].do("count", user=user)

    def event(self, key, type_, data=None, category=None):
        return self._publish(key, type_, data or {}, category)

    def send(self, key, title, content=None, level=None, category=None, type_=None, event="notification", data=None):
        payload = {"title": title, "message": content, "category": category, "session_id": None, **(data or {})}
        if event == "alert":
            payload["severity"] = level
        else:
            payload["type"] = {None: "info", "critical": "error"}.get(level, level)
        return self._publish(key, event, payload, category)

    def _publish(self, key, type_, payload, category):
        members = {} if category is None else {"category": category}
        return self.daemons[0].do("publish", key=key, type=type_, payload=payload, **members)


class Ours(Group):
    """Redis with the module, and bridges."""

    is_ours = True

    def __init__(self, secret=None, roles=None, namespaces=(), bridges=1, folder=None, options=(), redis_options=None, **settings):
        super().__init__()
        self.server = self.redis(**(redis_options or {}))
        self.redis_client = self.server.client()
        words = list(options)
        if secret is not None:
            (folder / "roles.conf").write_text(roles_text(roles))
            words += ["--auth", "jwt", "--jwt-secret", secret, "--roles", str(folder / "roles.conf")]
        for name, value in settings.items():
            words += [OPTIONS[name], f"{value}ms" if isinstance(value, int) else value]
        for namespace in ["/", *namespaces] if namespaces else []:
            words += ["--socketio-namespace", namespace]
        self.daemons = [self.bridge(self.server, *words, name=f"bridge{n}") for n in range(bridges)]

    @property
    def url(self):
        return self.daemons[0].http_url

    def call(self, *words):
        return self.redis_client.execute_command(*words)

    def wait_polls(self):
        """Until who polls has a poll held, so that he can be told something."""
        keys = lambda: self.redis_client.keys("eio:*")
        held = lambda key: self.redis_client.hexists(key, "h") or self.redis_client.hexists(key, "w")
        wait_until(lambda: all(map(held, keys())), "polls are held")

    def connections_of(self, user):
        return self.call("NOTIFY.SESSION", "COUNT", f"sessions:{user}", "CONNECTIONS")

    def event(self, key, type_, data=None, category=None):
        words = [] if category is None else ["CATEGORY", category]
        return self.call("NOTIFY.EVENT", key, type_, "DATA", json.dumps(data or {}), *words)

    def send(self, key, title, content=None, level=None, category=None, type_=None, event=None, data=None):
        words = {"CONTENT": content, "LEVEL": level, "CATEGORY": category, "TYPE": type_, "EVENT": event}
        words["DATA"] = None if data is None else json.dumps(data)
        given = [word for name, value in words.items() if value is not None for word in (name, value)]
        return self.call("NOTIFY.SEND", key, title, *given)


# Settings of the official server that ours calls otherwise.
OPTIONS = {
    "pingInterval": "--socketio-ping-interval",
    "pingTimeout": "--socketio-ping-timeout",
}


def settle(seconds=0.2):
    """For what must not come: as long as it takes everything else."""
    time.sleep(seconds)
