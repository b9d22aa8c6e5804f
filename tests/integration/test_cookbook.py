"""docs/cookbook.md: what it shows are the files of docs/examples, and those whose language is here do what it says."""

import json
import os
import re
import shutil
import subprocess

import pytest

from servers import ROOT
from tokens import SECRET
from ws_client import WsClient

EXAMPLES = os.path.join(ROOT, "docs", "examples")
ROLES = "role *\n  subscribe *\nrole application\n  send *\n"
with open(os.path.join(ROOT, "docs", "cookbook.md"), encoding="utf-8") as page:
    PAGE = page.read()

DJANGO = """
import os, sys
import django
from django.conf import settings
settings.configure(NOTIFY_REDIS=os.environ["NOTIFY_REDIS"], NOTIFY_SECRET=os.environ["NOTIFY_SECRET"], SECRET_KEY="x",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}})
django.setup()
from django.db import transaction
from django_notify import notify, token_view
with transaction.atomic():
    notify(7, "committed", category="billing", level="success")
    sent_early = notify.__module__ and __import__("django_notify").connection.execute_command("NOTIFY.LEN", "inbox:7")
try:
    with transaction.atomic():
        notify(7, "rolled back")
        raise RuntimeError
except RuntimeError:
    pass
class Request:
    class user:
        is_authenticated, pk = True, 7
answer = token_view(Request)
Request.user.is_authenticated = False
print(sent_early, token_view(Request).status_code, answer.content.decode())
"""

RUBY = """
module Kernel
  alias plain_require require
  def require(name) = name == "sidekiq" || plain_require(name)
end
module Sidekiq
  module Job
    def jid = "job-1"
  end
end
require "./rails_notify"
2.times { NotifyJob.new.perform("7", "Invoice paid", "category" => "billing") }
"""

PHP = """
namespace Illuminate\\Notifications { class Notification {} }
namespace {
    require 'laravel_notify.php';
    $message = ['title' => 'Invoice paid', 'category' => 'billing', 'data' => ['number' => 4711]];
    echo json_encode(App\\Channels\\NotifyChannel::words('7', $message, 'id-1'));
}
"""


def run(argv, redis_server, **env):
    env = {**os.environ, "NOTIFY_REDIS": redis_server.url, "NOTIFY_SECRET": SECRET, "PYTHONDONTWRITEBYTECODE": "1", **env}
    done = subprocess.run(argv, capture_output=True, text=True, env=env, cwd=EXAMPLES, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def needs(program, *check):
    """Skips where the language, or its package, is not installed: the page says so of each."""
    return pytest.mark.skipif(
        shutil.which(program) is None or (check and subprocess.run([program, *check], capture_output=True, cwd=EXAMPLES).returncode != 0),
        reason=f"{program} {' '.join(check)} is not there",
    )


@pytest.fixture
def with_tokens(programs, redis_server, tmp_path):
    path = tmp_path / "roles.conf"
    path.write_text(ROLES)
    return programs.bridge(redis_server, "--auth", "jwt", "--jwt-secret", SECRET, "--roles", str(path))


def greeted(bridge, token):
    with WsClient(bridge.port, f"/ws?token={token}") as tab:
        return tab.expect(type="connection")


def entries(redis_server, user):
    client = redis_server.client()
    rows = client.execute_command("NOTIFY.REVRANGE", f"inbox:{user}", "+", "-", "JSON")
    return [json.loads(row) for row in rows]


def test_the_page_shows_the_files_as_they_are():
    shown = re.findall(r"^\[(\S+)\]\(examples/\1\)\. [^\n]*\n\n```\w+\n(.*?)\n```$", PAGE, re.MULTILINE | re.DOTALL)
    assert len(shown) == 6
    for name, text in shown:
        with open(os.path.join(EXAMPLES, name), encoding="utf-8") as file:
            assert text == file.read().rstrip("\n"), name


@needs("/usr/bin/python3", "-c", "import django")
def test_with_django_what_is_committed_is_sent_what_is_rolled_back_is_not_and_the_token_is_good(redis_server, with_tokens):
    early, refused, token = run(["/usr/bin/python3", "-c", DJANGO], redis_server).split()
    assert (early, refused) == ("0", "401")
    (entry,) = entries(redis_server, "7")
    assert (entry["data"]["title"], entry["data"]["category"], entry["data"]["level"]) == ("committed", "billing", "success")
    assert greeted(with_tokens, token)["user_id"] == "7"


@needs("node")
def test_with_node_a_notification_is_sent_and_the_token_is_good(redis_server, with_tokens):
    said = json.loads(run(["node", "node_notify.mjs", "alice", "Invoice paid"], redis_server, NOTIFY_URL=with_tokens.http_url))
    (entry,) = entries(redis_server, "alice")
    assert entry["data"]["title"] == "Invoice paid"
    assert greeted(with_tokens, said["token"])["user_id"] == "alice"


@needs("node")
def test_with_node_the_same_key_sends_once(redis_server, with_tokens):
    script = "import { notify } from './node_notify.mjs'; for (let i = 0; i < 2; i++) await notify('alice', 'once', { key: 'k' });"
    run(["node", "--input-type=module", "-e", script], redis_server, NOTIFY_URL=with_tokens.http_url)
    assert len(entries(redis_server, "alice")) == 1


@needs("ruby", "-e", "require 'redis'")
def test_with_ruby_a_job_that_is_tried_again_sends_once(redis_server):
    run(["ruby", "-I.", "-e", RUBY], redis_server)
    (entry,) = entries(redis_server, "7")
    assert (entry["data"]["title"], entry["data"]["category"]) == ("Invoice paid", "billing")


GO = {"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOFLAGS": "-buildvcs=false"}  # where Debian has libraries


@pytest.mark.skipif(shutil.which("go") is None or not os.path.isdir(f"{GO['GOPATH']}/src/github.com/gomodule/redigo"), reason="no Go, or no redigo")
def test_with_go_a_notification_is_sent_and_its_id_is_told(redis_server, tmp_path):
    id_ = run(["go", "run", "go_notify.go", "alice", "Invoice paid"], redis_server, GOCACHE=str(tmp_path), **GO).strip()
    (entry,) = entries(redis_server, "alice")
    assert (entry["id"], entry["data"]["title"], entry["data"]["category"], entry["data"]["level"]) == (id_, "Invoice paid", "billing", "success")


@needs("php", "-v")
def test_with_php_the_command_is_one_that_redis_takes(redis_server):
    words = json.loads(run(["php", "-r", PHP], redis_server))
    redis_server.client().execute_command(*words)
    (entry,) = entries(redis_server, "7")
    assert (entry["data"]["title"], entry["data"]["category"], entry["data"]["data"]["number"]) == ("Invoice paid", "billing", 4711)
