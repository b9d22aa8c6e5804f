"""docs/commands is true: complete, generated from what the server says, and every example works."""

import glob
import importlib.machinery
import importlib.util
import os
import re
import shutil
import subprocess

import pytest

from cli_examples import CliConnection, Example, ExampleRun, format_reply, parse_examples
from module_helpers import word_of
from resp import Resp
from servers import ROOT


def load_generator():
    """The program docs/commands/generate as a module."""
    path = os.path.join(ROOT, "docs", "commands", "generate")
    loader = importlib.machinery.SourceFileLoader("generate", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("generate", loader))
    loader.exec_module(module)
    return module


generate = load_generator()
SOURCES = sorted(
    os.path.basename(path) for path in glob.glob(os.path.join(generate.SOURCES, "notify.*.md"))
)

LEVELS = ["INFO", "SUCCESS", "WARNING", "ERROR", "CRITICAL"]
TOKENS = "COLLAPSE c IDEMPOTENT t"
# What the examples do not show, as it is internal, or would only be long.
ALSO_ACCEPTED = {
    "NOTIFY.SEND": [f"k t LEVEL {level}" for level in LEVELS] + [f"k t {TOKENS}"],
    "NOTIFY.EVENT": [f"k e LEVEL {level}" for level in LEVELS] + [f"k e {TOKENS}"],
    "NOTIFY.SIGNAL": [f"k e LEVEL {level}" for level in LEVELS],
    "NOTIFY.SENDMANY": [f"1 k t LEVEL {level}" for level in LEVELS] + [f"1 k t {TOKENS}"],
    "NOTIFY.RANGE": [f"k - + LEVEL {level}" for level in LEVELS],
    "NOTIFY.REVRANGE": [f"k + - LEVEL {level}" for level in LEVELS],
    "NOTIFY.VIEW": [f"k {word_of('k')} RANGE - + LEVEL {level}" for level in LEVELS]
    + [f"k {word_of('k')} RANGE - + {state}" for state in ("NOTIFICATIONS", "READ", "UNSEEN", "ARCHIVED", "ALL")],
    "NOTIFY.FEED": [f"k LEVEL {level}" for level in LEVELS] + [f"k {state}" for state in ("NOTIFICATIONS", "READ", "ARCHIVED", "ALL")],
}


@pytest.fixture
def metadata(shared_redis):
    with Resp(shared_redis.port, protocol=3) as resp:
        return generate.read_metadata(resp)


@pytest.fixture
def run(shared_redis):
    run = ExampleRun(shared_redis.port)
    yield run
    run.close()


def test_every_command_has_a_source_and_every_source_a_command(metadata):
    assert SOURCES == sorted(generate.page_of(name) for name in metadata)


def test_the_committed_pages_are_what_the_generator_makes(metadata):
    made, committed = generate.make_pages(metadata), generate.committed_pages()
    assert sorted(made) == sorted(committed)
    for page, text in made.items():
        assert committed[page] == text, f"docs/commands/{page} is out of date: ./dev docs"


def tokens_of(args):
    for arg in args:
        if "token" in arg:
            yield arg["token"]
        yield from tokens_of(arg.get("arguments", []))


@pytest.mark.parametrize("page", SOURCES)
def test_the_examples_are_true_and_show_every_option(run, metadata, page):
    (name,) = (name for name in metadata if generate.page_of(name) == page)
    accepted = set()
    examples = parse_examples(generate.examples_of(page))
    for example in examples:
        if run.check(example) and example.command.startswith(name + " "):
            accepted.update(word.upper() for word in run.words(example.command))
    for words in ALSO_ACCEPTED.get(name, []):
        reply, _ = run.execute(Example(f"{name} {words}"))
        assert not reply[0].startswith("(error)"), f"{name} {words}: {reply[0]}"
        accepted.update(words.split())
    missing = set(tokens_of(metadata[name]["arguments"])) - accepted
    assert not missing, f"{name}: no example with {missing}"
    shown = any(example.command.split()[0] == name.split()[0] for example in examples)
    assert shown or metadata[name]["is_container"]


def test_there_is_no_option_in_the_sources_that_no_command_documents(metadata):
    known = {token for command in metadata.values() for token in tokens_of(command["arguments"])}
    seen = set()
    for path in glob.glob(os.path.join(ROOT, "redis-module", "*", "*.c")):
        with open(path, encoding="utf-8") as file:
            options = set(re.findall(r'\bARG_OPTION(?:_MANY|_TEXT)?\("([A-Z]+)"', file.read()))
        assert options <= known, (path, options - known)
        seen |= options
    assert {"CONTENT", "CATEGORY", "NOPUBLISH", "MAXSESSIONS"} <= seen  # the sources were found


@pytest.mark.parametrize("page", SOURCES)
def test_the_key_permissions_that_are_told_are_enough_and_needed(run, metadata, page):
    (name,) = (name for name in metadata if generate.page_of(name) == page)
    rows = [generate.key_row(metadata[name], i) for i in range(len(metadata[name]["keys"]))]
    needed = {letter for row in rows for found in re.findall(r"%([RW]+)~", row) for letter in found}
    own, accepted = [], []
    for example in parse_examples(generate.examples_of(page)):
        lists = [own, accepted] if run.check(example) else [own]
        for commands in lists if example.command.startswith(name + " ") else []:
            commands.append(run.words(example.command))

    def refused(letters):
        keys = [f"%{letters}~*"] if letters else []
        run.resp.call("ACL", "SETUSER", "reader", "reset", "+@all", "&*", *keys)
        verdicts = [str(run.resp.call("ACL", "DRYRUN", "reader", *words)) for words in accepted or own]
        run.resp.call("ACL", "DELUSER", "reader")
        return [verdict for verdict in verdicts if verdict != "OK"]

    assert refused("".join(sorted(needed))) == []
    for letter in needed:
        assert refused("RW".replace(letter, "")), f"{name}: %{letter}~ is not needed"


# -- errors


def error_formats():
    """Every error text in the module's sources, as printf knows it."""
    found = set()
    for path in glob.glob(os.path.join(ROOT, "redis-module", "*", "*.c")):
        with open(path, encoding="utf-8") as file:
            text = re.sub(r"\bPRIu64\b", '"u"', file.read())
        text = re.sub(r'"\s*"', "", text)
        found.update(re.findall(r'"((?:ERR|LIMIT|WRONGTYPE|NOPERM) (?:[^"\\]|\\.)*)"', text))
        wanted = re.findall(r'fail_value\([^;]*?, "([^"]+)", \w+\);', text)
        wanted += re.findall(r'"(an integer from [^"]*)"', text)
        found.update(f"ERR %s must be {one}, not '%s'" for one in wanted)
    return {text for text in found if not text.startswith("ERR %s must be %s")}


def could_say(error, formats):
    """Is there a format that gives this text? `…` stands for the rest of it, <n> for anything."""
    prefix, *rest = re.sub(r"<\w+>", "1", error).replace("'…'", "'x'").split("…")
    for text in formats:
        parts = re.split(r"%(?:\.\*)?(?:ll|z)?[sdu]", text)
        cuts = [parts]
        if rest:  # any beginning of the format
            cuts = [parts[:i] + [part[:k]] for i, part in enumerate(parts) for k in range(len(part) + 1)]
        for cut in cuts:
            if re.fullmatch(".+".join(map(re.escape, cut)), prefix):
                return True
    return False


@pytest.mark.parametrize("page", SOURCES + ["_index.md"])
def test_the_errors_are_those_of_the_module(page):
    formats = error_formats()
    errors = re.findall(r"(?m)^\| `((?:ERR|LIMIT|WRONGTYPE|NOPERM) [^`]*)` \|", generate.read_source(page))
    assert [error for error in errors if not could_say(error, formats)] == []


def test_an_error_that_the_module_does_not_know_is_noticed():
    formats = error_formats()
    assert could_say("ERR DATA must be valid JSON", formats)
    assert could_say("LIMIT too many sessions: the set has <n>, MAXSESSIONS is <n>", formats)
    assert could_say("ERR COUNT must be an integer from 0 to 10, not '…'", formats)
    assert not could_say("ERR DATA must be valid YAML", formats)
    assert not could_say("ERR COUNT must be a number, not '…'", formats)
    assert not could_say("LIMIT too many boxes: …", formats)


# -- what surrounds them


def test_the_settings_have_the_defaults_that_are_told(redis_server):
    told = dict(re.findall(r"(?m)^\| `(notify\.[a-z-]+)` \| `?(\w+)`? \|", generate.read_source("_index.md")))
    assert redis_server.client().config_get("notify.*") == told


def test_links_between_the_documents_lead_somewhere():
    docs = os.path.join(ROOT, "docs")
    files = glob.glob(os.path.join(docs, "*.md")) + glob.glob(os.path.join(docs, "commands", "*.md"))
    for path in files + [os.path.join(ROOT, "README.md")]:
        with open(path, encoding="utf-8") as file:
            targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", file.read())
        for target in targets:
            assert os.path.exists(os.path.join(os.path.dirname(path), target)), (path, target)


def test_a_wrong_example_is_noticed(run):
    def fails(command, *lines):
        with pytest.raises(AssertionError):
            run.check(*parse_examples([f"> {command}", *lines]))

    run.check(*parse_examples(["> NOTIFY.SEND k one", '"<id1>"']))
    fails("NOTIFY.SEND k two", '"<id1>"')
    fails("NOTIFY.LEN k", "(integer) 3")
    fails("NOTIFY.LEN k", '"2"')
    fails("NOTIFY.LEN k", "(integer) <id2>")
    fails("NOTIFY.LEN k")
    fails("NOTIFY.GET k 1", "1) (nil)", "2) (nil)")
    fails("NOTIFY.DEL k <id1>", "(integer) 1", '(published on k) {"type":"deleted","key":"k"}')
    fails("NOTIFY.HELP", "...", "the end")


def test_replies_look_as_in_redis_cli(shared_redis):
    cli = shutil.which("redis-cli") or shutil.which("valkey-cli")
    if cli is None:
        pytest.skip("there is no redis-cli")
    commands = [
        ["EVAL", "return {1,'a',{},{'b',{2,false}},'q\"\\\\\\n\\r\\t\\1\\200',3,4,5,6,7,redis.status_reply('S')}", "0"],
        ["ECHO", "é\a\b"],
        ["PING"],
        ["GET", "nothing"],
        ["NOTIFY.BADGE", "k"],
        ["NOTIFY.SEND", "k"],
    ]
    with CliConnection(shared_redis.port) as resp:
        for command in commands:
            resp.send(*command)
            wanted = subprocess.run(
                [cli, "--no-raw", "-p", str(shared_redis.port), *command],
                stdout=subprocess.PIPE,
                text=True,
                check=False,
                env={**os.environ, "LC_ALL": "C"},
            )
            lines = [line for line in wanted.stdout.split("\n") if line]
            assert format_reply(resp.read()) == lines, command
