"""./dev deps: what it installs, and where the bridge's libraries come from. pkg-config is the real one, which
reads what we let it read; packages are installed by programs of ours, and what builds libraries is one
that notes that it was called, or the real one with a compiler of ours."""

import os
import re
import shutil
import subprocess

import pytest

from checkout import PROGRAMS, Checkout
from servers import ROOT

OLD = {"libwebsockets": "4.1.6", "hiredis": "0.14.1", "hiredis_ssl": "0.14.1"}
NEW = {"libwebsockets": "4.3.5", "hiredis": "1.2.0", "hiredis_ssl": "1.2.0"}

NOTHING_INSTALLED = {"bin/dpkg-query": "exit 1\n"}
# What it fetches are folders with what Debian says of whose they are.
FETCHES = """echo "fetch_deps: fetching" >&2
echo "fetch $1" >>"$LOG"
for name in libwebsockets hiredis; do
    mkdir -p "$1/$name/debian"
    echo "whose $name is" >"$1/$name/debian/copyright"
done
"""
BUILDS_LIBRARIES = {"bridge/fetch_deps.sh": FETCHES}


def only(folder, *names):
    """A PATH with these programs of the system alone."""
    folder.mkdir()
    for name in names:
        (folder / name).symlink_to(shutil.which(name))
    return str(folder)


@pytest.fixture
def checkout(tmp_path):
    return lambda *args, **options: Checkout(tmp_path, *args, **options)


DEBIAN_12 = {"libwebsockets-dev": "4.1.6-3", "libhiredis-dev": "0.14.1-3"}
DEBIAN_13 = {"libwebsockets-dev": "4.3.5-1+deb13u3", "libhiredis-dev": "1.2.0-6+b3"}
INSTALL = "install -y --no-install-recommends libwebsockets-dev libhiredis-dev"
BUILD = "build_deps build/deps"


def test_new_libraries_of_the_system_are_used(checkout):
    assert checkout(NEW).deps() == []


def test_libraries_that_the_distribution_offers_are_installed(checkout):
    assert checkout({}, DEBIAN_13, installs=NEW).deps() == [INSTALL]


def test_libraries_are_built_where_the_distribution_has_old_ones(checkout):
    assert checkout({}, DEBIAN_12).deps() == [BUILD]


@pytest.mark.parametrize("name", NEW)
def test_libraries_are_built_where_pkg_config_finds_one_that_is_too_old(checkout, name):
    assert checkout({**NEW, name: OLD[name]}, DEBIAN_12).deps() == [BUILD]


def test_libraries_are_built_where_pkg_config_finds_old_ones_beside_what_was_installed(checkout):
    assert checkout(OLD, DEBIAN_13, installs=OLD).deps() == [INSTALL, BUILD]


SYSTEM = ("sh", "dirname", "readlink", "pkg-config", "sed", "cat", "id", "mkdir", "grep", "env", "tail")


def test_libraries_are_built_where_packages_are_not_debians(checkout, tmp_path):
    assert checkout(OLD).deps(path=only(tmp_path / "programs", *SYSTEM)) == [BUILD]


def with_real_build(checkout, tmp_path):
    one = checkout(OLD, DEBIAN_12, programs=BUILDS_LIBRARIES)
    for name in ("build_deps.sh", "deps.list"):
        shutil.copy(os.path.join(ROOT, "bridge", name), tmp_path / "bridge" / name)
    return one


def test_libraries_are_built_once_and_again_when_others_are_wanted(checkout, tmp_path):
    one = with_real_build(checkout, tmp_path)
    assert one.run("build")
    assert one.run("build") == []
    with open(tmp_path / "bridge" / "deps.list", "r+") as file:
        text = file.read().replace("diff hiredis 1.2.0-6 ", "diff hiredis 1.2.0-7 ")
        file.seek(0)
        file.write(text)
    assert one.run("build")


# ---- what a newcomer sees, and has afterwards


def test_building_libraries_is_said_before_it_begins(checkout, tmp_path):
    lines = with_real_build(checkout, tmp_path).run("build")
    assert lines[0] == "fetch_deps: fetching" and lines[1].startswith("fetch ")
    for name, at in (("libwebsockets", 2), ("hiredis", 4)):
        assert lines[at].startswith(f"build_deps: building {name}")
        assert lines[at + 1].startswith("cmake ") and f"-S {name} " in lines[at + 1]


def test_libraries_are_built_in_a_folder_of_a_plain_name_whatever_that_of_the_checkout_is(tmp_path):
    """libwebsockets' own rules hand names to a shell as they are."""
    folder = tmp_path / "redis-notify (1)"
    folder.mkdir()
    one = with_real_build(lambda *args, **options: Checkout(folder, *args, **options), folder)
    (work,) = [line.removeprefix("fetch ") for line in one.run("build") if line.startswith("fetch ")]
    assert re.fullmatch(r"[\w./-]+", work)
    assert (folder / "build" / "deps" / "include").is_dir()
    assert not os.path.exists(work)


def test_installing_packages_is_said_before_it_begins(checkout):
    said, called = checkout({}, DEBIAN_13, installs=NEW).run("build")
    assert said.startswith("dev: installing: libwebsockets-dev libhiredis-dev")
    assert called == INSTALL


LOCKED_TWICE = """case $* in *update*) file=update ;; *) file=install ;; esac
echo . >>"$LOG.$file"
[ "$(grep -c . "$LOG.$file")" -gt 2 ] || {
    echo "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 7 (apt-get)" >&2
    exit 100
}
"""


def test_another_program_that_installs_packages_is_waited_for(checkout):
    """A new machine installs updates by itself, soon after it starts."""
    one = checkout({}, DEBIAN_13, installs=NEW, programs={"bin/apt-get": LOCKED_TWICE + PROGRAMS["bin/apt-get"]})
    said, *waits, called = one.run("build")
    assert waits == 2 * ["dev: waiting for another program that installs packages"]  # once for each step
    assert called == INSTALL


def test_the_server_comes_with_a_package_that_starts_none(checkout, tmp_path):
    """redis-server would enable one on port 6379 for the whole machine."""
    one = checkout(NEW, programs=NOTHING_INSTALLED)
    path = f"{tmp_path}/bin:{only(tmp_path / 'programs', *SYSTEM)}"
    (called,) = [line for line in one.run("run", path=path) if line.startswith("install ")]
    assert "redis-tools" in called.split()
    for level in ("build", "test", "bench"):
        for line in one.run(level, path=path):
            assert not {"redis-server", "redis"} & set(line.split())
