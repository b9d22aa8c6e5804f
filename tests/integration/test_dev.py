"""./dev itself: from where it is called, words that it does not know, and several at once in one folder."""

import os
import subprocess

import pytest

from checkout import Checkout
from full_disk import with_full_disk
from servers import ROOT, wait_until

DEV = os.path.join(ROOT, "dev")
NEW = {"libwebsockets": "4.3.5", "hiredis": "1.2.0", "hiredis_ssl": "1.2.0"}
MISSING = 'case $4 in gcc) [ -e "$LOG.installed" ] ;; esac && echo "ok installed"\n'

# Each says when it begins and when it ends, which is when it may.
GATED = """echo "$NAME begins" >>"$LOG"
until [ -e "$LOG.go" ]; do sleep 0.02; done
echo "$NAME ends" >>"$LOG"
"""


def words(*argv):
    done = subprocess.run([DEV, *argv], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


# ---- where it is


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "a folder").mkdir()
    return tmp_path / "a folder"


def check_found(one, argv, **options):
    env = {**one.env(), **options.pop("env", {})}
    done = subprocess.run([*argv, "deps", "build"], env=env, capture_output=True, text=True, timeout=60, **options)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert (one.folder / "log").read_text() == "build_deps build/deps\n"


def test_it_works_in_its_own_folder_from_whichever_it_is_called(folder, tmp_path):
    check_found(Checkout(folder, {}), ["a folder/dev"], cwd=tmp_path)


def test_it_works_in_its_own_folder_though_a_link_leads_there(folder, tmp_path):
    (tmp_path / "link").symlink_to(folder / "dev")
    check_found(Checkout(folder, {}), [tmp_path / "link"], cwd="/")


def test_it_works_in_its_own_folder_whatever_the_shell_of_the_caller_looks_into_for_folders(folder, tmp_path):
    (tmp_path / "others" / "a folder").mkdir(parents=True)
    check_found(Checkout(folder, {}), ["a folder/dev"], cwd=tmp_path, env={"CDPATH": str(tmp_path / "others")})


# ---- words


@pytest.mark.parametrize("command", ["run", "demo"])
@pytest.mark.parametrize("port", ["", "abc", "0", "65536", "-1", "123456789", "80 80"])
def test_what_is_no_port_is_refused_before_anything_is_built_or_started(command, port):
    status, _, said = words(command, "--redis-port", port)
    assert (status, said) == (1, "dev: --redis-port wants the number of a port, 1 to 65535\n")


def test_an_option_without_its_value_is_refused():
    assert words("run", "--port")[::2] == (1, "dev: --port wants the number of a port, 1 to 65535\n")
    assert words("demo", "--every")[::2] == (1, "dev: demo: --every wants seconds, such as 1.5\n")


@pytest.mark.parametrize("word", ["--foo", "foo", "--port=8081"])
def test_an_option_that_is_not_known_is_called_so(word):
    for command in ("run", "demo"):
        assert words(command, word)[::2] == (1, f"dev: {command}: unknown option {word}\n")


def test_who_asks_for_help_gets_it():
    usage = words("help")
    assert usage[0] == 0 and usage[1].startswith("usage: ./dev COMMAND")
    for argv in ([], ["--help"], ["run", "--help"], ["test", "-h"], ["build", "help"]):
        assert words(*argv) == usage, argv


# ---- run


def test_a_disk_that_is_full_is_told_as_such(folder, tmp_path):
    one = Checkout(folder, NEW, programs={"bin/dpkg-query": 'echo "ok installed"\n'})
    (tmp_path / "full").mkdir()
    argv = [*with_full_disk(tmp_path / "full"), folder / "dev", "run"]
    done = subprocess.run(argv, env={**one.env(), "TMPDIR": str(tmp_path / "full")}, capture_output=True, text=True, timeout=60)
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 1 and last.startswith(f"dev: nothing can be written to {tmp_path}/full/"), done.stderr


# ---- apt


def failing_install(update):
    return f"""case $* in
*update*) {update} ;;
*) echo "E: Unable to locate package gcc"; exit 100 ;;
esac
"""


def test_what_apt_could_not_fetch_is_told_when_it_then_knows_no_such_package(tmp_path):
    """Without a network it takes the lists that it has, and a new machine has none."""
    update = 'echo "W: Failed to fetch http://mirror/InRelease  Could not connect"'
    one = Checkout(tmp_path, NEW, programs={"bin/dpkg-query": MISSING, "bin/apt-get": failing_install(update)})
    done = subprocess.run([tmp_path / "dev", "deps", "build"], env=one.env(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    told = ["E: Unable to locate package gcc", "W: Failed to fetch http://mirror/InRelease  Could not connect"]
    assert done.stderr.splitlines()[1:] == [*told, "dev: installing failed; the packages are: gcc"]


def test_when_packages_cannot_be_installed_no_test_is_built(tmp_path):
    one = Checkout(tmp_path, NEW, programs={"bin/dpkg-query": MISSING, "bin/apt-get": failing_install(":"), "bin/cmake": 'echo cmake >>"$LOG"\n'})
    done = subprocess.run([tmp_path / "dev", "test", "unit"], env=one.env(), capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (1, "0 passed, 1 failed\n")
    assert not (tmp_path / "log").exists()


# ---- several at once


class Two:
    """The same command twice, of which the first is held up where it is alone."""

    def __init__(self, one, *argv):
        self.folder = one.folder
        self.argv = [one.folder / "dev", *argv]
        self.env = one.env()
        self.running = []

    def __enter__(self):
        self._start("one")
        wait_until(lambda: self.read("log"), "the first is where it is held up")
        self._start("two")
        return self

    def _start(self, name):
        with open(self.folder / name, "w") as said:
            self.running.append(subprocess.Popen(self.argv, env={**self.env, "NAME": name}, stderr=said))

    def read(self, name):
        path = self.folder / name
        return path.read_text() if path.exists() else ""

    def finish(self):
        """What was called, in turn."""
        (self.folder / "log.go").touch()
        assert [proc.wait(60) for proc in self.running] == [0, 0], self.read("one") + self.read("two")
        return self.read("log").splitlines()

    def __exit__(self, *_):
        (self.folder / "log.go").touch()
        for proc in self.running:
            proc.kill()
            proc.wait()


WAITS = "dev: waiting for another ./dev that installs or builds here\n"


def check_two(one, *argv):
    """Returns what was called."""
    with Two(one, *argv) as two:
        assert wait_until(lambda: two.read("two"), "the second says that it waits") == WAITS
        return two.finish()


def test_who_installs_while_another_does_waits_and_then_has_what_it_needs(tmp_path):
    install = f'case $* in *install*) {GATED}touch "$LOG.installed" ;; esac\n'
    one = Checkout(tmp_path, NEW, programs={"bin/dpkg-query": MISSING, "bin/apt-get": install})
    assert check_two(one, "deps", "build") == ["one begins", "one ends"]


def test_two_builds_in_one_folder_come_one_after_the_other(tmp_path):
    build = f"case $* in --build*) {GATED} ;; esac\n"
    one = Checkout(tmp_path, NEW, programs={"bin/dpkg-query": 'echo "ok installed"\n', "bin/cmake": build})
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "build.ninja").touch()
    assert check_two(one, "build") == ["one begins", "one ends", "two begins", "two ends"]
