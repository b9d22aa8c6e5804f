"""notify-bridge --help-as: what packages bring of the table of options."""

import re
import subprocess

import pytest

from servers import bridge_path

PAGES = ("man", "man-config", "config", "bash", "zsh", "fish")
NO_SETTINGS = {"config", "check-config", "version", "help", "help-markdown", "help-as", "top", "metrics-markdown", "probe"}


def printed(*words):
    return subprocess.run([bridge_path(), *words], capture_output=True, text=True, check=True).stdout


def options():
    return re.findall(r"^  --([a-z0-9-]+)", printed("--help"), re.MULTILINE)


def complete(tmp_path, *words):
    """What bash offers for the last of the words."""
    script = tmp_path / "completion"
    script.write_text(printed("--help-as", "bash"))
    program = f'. {script}; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _notify_bridge; printf "%s\\n" "${{COMPREPLY[@]}}"'
    argv = ["bash", "-c", program, "bash", "notify-bridge", *words]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_every_option(page):
    text = printed("--help-as", page).replace("\\-", "-")
    for name in options():
        if name not in NO_SETTINGS or page not in ("config", "man-config"):
            assert re.search(rf"(?:--|(?<![a-z0-9-])-?){name}(?![a-z0-9-])", text), name


@pytest.mark.parametrize("page", ["man", "man-config"])
def test_the_manual_is_what_mandoc_takes(page):
    done = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "warning"], input=printed("--help-as", page), capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stdout


def test_the_configuration_in_which_all_is_commented_out_is_valid_and_so_is_every_default_in_it(tmp_path):
    text = printed("--help-as", "config")
    assert all(line == "" or line[0] == "#" or line == "auth jwt" for line in text.splitlines())
    config = tmp_path / "notify-bridge.conf"
    defaults = dict(re.findall(r"^\| `--([a-z0-9-]+)[^`]*` \|[^|]*\| `([^`]*)` \|", printed("--help-markdown"), re.MULTILINE))
    for name, value in defaults.items():
        assert f"\n#{name} {value}\n" in text, name
        text = text.replace(f"\n#{name} {value}\n", f"\n{name} {value}\n")
    config.write_text(text + "jwt-secret 0123456789abcdef0123456789abcdef\n")
    assert printed("--config", str(config), "--check-config") == "configuration is valid\n"


def test_a_flag_in_the_configuration_is_set_by_taking_the_comment_off(tmp_path):
    config = tmp_path / "notify-bridge.conf"
    flags = re.findall(r"^#([a-z-]+) yes$", printed("--help-as", "config"), re.MULTILINE)
    assert "dev" in flags
    for name in flags:
        config.write_text(f"auth none\n{name} yes\n")
        assert printed("--config", str(config), "--check-config") == "configuration is valid\n", name


def test_bash_completes_names_choices_and_files(tmp_path):
    assert complete(tmp_path, "--help-a") == ["--help-as"]
    assert complete(tmp_path, "--auth", "") == ["none", "jwt"]
    assert complete(tmp_path, "--config", f"{tmp_path}/comp") == [f"{tmp_path}/completion"]
    assert complete(tmp_path, "--redis", "") == []
