"""docs/identity.md: its token is one, and its roles do what it says of them."""

import os
import re
import subprocess

from bridge_helpers import ids_of
from servers import ROOT, bridge_path
from tokens import SECRET, token

with open(os.path.join(ROOT, "docs", "identity.md"), encoding="utf-8") as file:
    TEXT = file.read()
BLOCKS = re.findall(r"^```\n(.*?)^```$", TEXT, re.M | re.S)


def block(begin):
    (found,) = [one for one in BLOCKS if begin in one]
    return found


def make_token():
    script = block("b64()") + 'printf %s "$token"'
    done = subprocess.run(["sh", "-c", script], env={**os.environ, "SECRET": SECRET}, check=True, capture_output=True)
    return done.stdout.decode()


def test_the_token_and_the_roles_of_the_docs_are_good(make_stand, tmp_path):
    path = tmp_path / "roles.conf"
    path.write_text(block("role *"))
    stand = make_stand("--auth", "jwt", "--jwt-secret", SECRET, "--roles", str(path), "--anonymous-role", "guest")
    admin = stand.tab(f"/ws?token={make_token()}")
    assert (admin.greeting["user_id"], admin.greeting["roles"]) == ("alice", ["admin"])
    assert admin.request("publish", topic="anything", title="t")["type"] == "ok"
    assert admin.request("publish", user_id="bob", title="t")["type"] == "ok"
    bob = stand.tab(f"/ws?token={token('bob')}&last_event_id=")
    assert set(bob.greeting["categories"]) == {"system", "updates"}
    assert bob.request("subscribe_category", category="maintenance")["status"] == "subscribed"
    for topic, status in (("run:1", "subscribed"), ("team:bob", "subscribed"), ("team:alice", None)):
        assert bob.request("subscribe", topic=topic).get("status") == status
    assert bob.request("subscribe_session", session_id="any")["type"] == "subscribed"
    shown = [stand.send("topic:news", "t", "CATEGORY", name) for name in ("system", "updates", "maintenance")]
    stand.send("topic:news", "t", "CATEGORY", "security")
    assert ids_of(stand.drain(bob)) == shown
    guest = stand.tab()
    assert guest.request("subscribe", topic="public:1")["status"] == "subscribed"
    assert guest.request("subscribe", topic="private:1")["error"]["code"] == "FORBIDDEN"


def test_every_option_that_the_docs_name_is_there():
    known = subprocess.run([bridge_path(), "--help"], check=True, capture_output=True).stdout.decode()
    for name in set(re.findall(r"--[a-z][a-z-]+", TEXT)):
        assert f"  {name}" in known, name
