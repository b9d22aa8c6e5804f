"""README is true: its commands do what stands beside them, as written."""

import os
import re
import shlex
import subprocess

from servers import ROOT, bridge_path

with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as _file:
    README = _file.read()

BLOCKS = re.findall(r"(?ms)^```\w*\n(.*?)^```$", README)


def lines_of(pattern):
    """Lines of the blocks that begin with the pattern, in their order."""
    return [line for block in BLOCKS for line in block.splitlines() if re.match(pattern, line)]


def test_every_command_of_the_tour_is_answered(redis_server):
    client = redis_server.client()
    commands = lines_of("NOTIFY\\.")
    assert len(commands) >= 10
    for line in commands:
        client.execute_command(*shlex.split(line))


def test_the_first_example_counts_as_it_says(redis_server):
    (block,) = [block for block in BLOCKS if block.startswith("redis-cli> ")]
    client = redis_server.client()
    commands = re.findall(r"redis-cli> (.*)\n(.*)\n", block)
    assert len(commands) == 2
    for line, said in commands:
        reply = client.execute_command(*shlex.split(line))
        if said.startswith("(integer)"):
            assert f"(integer) {reply}" == said
        else:
            assert re.fullmatch(r'"\d{13}-\d+"', said) and re.fullmatch(r"\d{13}-\d+", reply)


def test_the_tour_counts_and_reads_as_it_says(redis_server):
    """What a reader types before "Read.", and the two ways to read."""
    client = redis_server.client()
    sends = [line for line in lines_of("NOTIFY.SEND inbox:alice") if "Build finished" in line or "DATA" in line]
    for line in sends:
        client.execute_command(*shlex.split(line))
    unread = client.execute_command("NOTIFY.UNREAD", "inbox:alice")
    assert unread == len(sends) == 2
    assert client.execute_command("NOTIFY.UNREAD", "inbox:alice", "CATEGORY", "ops") == 1
    assert client.execute_command("NOTIFY.READALL", "inbox:alice") == 2
    assert client.execute_command("NOTIFY.UNREAD", "inbox:alice") == 0


def test_every_bridge_of_readme_has_valid_options():
    calls = lines_of("build/notify-bridge ")
    assert len(calls) >= 2
    for line in calls:
        words = shlex.split(line)[1:]
        done = subprocess.run([bridge_path(), *words, "--check-config"], capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, f"{line}: {done.stderr}"


def test_every_file_and_option_that_readme_names_is_there():
    for path in re.findall(r"\]\(((?!http)[^)#]+)", README):
        assert os.path.exists(os.path.join(ROOT, path)), path
    shown = subprocess.run([bridge_path(), "--help"], capture_output=True, text=True, timeout=30).stdout
    for option in set(re.findall(r"`(--[a-z-]+)[ `]", README)):
        assert f"{option} " in shown, option
