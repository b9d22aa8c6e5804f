"""./dev deps: what it installs, and where the bridge's libraries come from. pkg-config is the real one, which
reads what we let it read; packages are installed by programs of ours, and what builds libraries is one
that notes that it was called, or the real one with a compiler of ours."""

import os
import shutil
import subprocess

import pytest

from servers import ROOT

OLD = {"libwebsockets": "4.1.6", "hiredis": "0.14.1", "hiredis_ssl": "0.14.1"}
NEW = {"libwebsockets": "4.3.5", "hiredis": "1.2.0", "hiredis_ssl": "1.2.0"}

PROGRAMS = {
    "bridge/build_deps.sh": 'echo "build_deps $*" >>"$LOG"\n',
    "bin/apt-get": 'echo "$@" | grep -o "install .*" >>"$LOG"\n[ ! -d "$OFFERED" ] || cp "$OFFERED"/* "$PC"\n',
    "bin/apt-cache": 'echo "  Candidate: $(cat "$CANDIDATES/$2")"\n',
    "bin/dpkg-query": 'case $4 in libwebsockets-dev | libhiredis-dev) ;; *) echo "ok installed" ;; esac\n',
    "bin/sudo": '[ "$1" != -n ] || shift\nexec "$@"\n',
    "bin/cmake": 'echo "cmake $*" | grep -e -S >>"$LOG"\nmkdir -p out/include out/lib\n',
}
NOTHING_INSTALLED = {"bin/dpkg-query": "exit 1\n"}
# What it fetches are folders with what Debian says of whose they are.
FETCHES = """echo "fetch_deps: fetching" >&2
echo "fetch" >>"$LOG"
for name in libwebsockets hiredis; do
    mkdir -p "$1/$name/debian"
    echo "whose $name is" >"$1/$name/debian/copyright"
done
"""
BUILDS_LIBRARIES = {"bridge/fetch_deps.sh": FETCHES}


class Checkout:
    """A copy of dev, on a machine whose pkg-config finds `found` ({library: version}), and whose apt
    offers `candidates` ({package: version}) and brings `installs` when it installs anything. `programs`
    ({path: text}) are others than PROGRAMS."""

    def __init__(self, folder, found, candidates=None, installs=None, programs=None):
        self.folder = folder
        for name in ("bridge", "bin", "pc", "candidates"):
            (folder / name).mkdir()
        shutil.copy(os.path.join(ROOT, "dev"), folder / "dev")
        for name, text in {**PROGRAMS, **(programs or {})}.items():
            (folder / name).write_text("#!/bin/sh\n" + text)
            (folder / name).chmod(0o755)
        for package in ("libwebsockets-dev", "libhiredis-dev"):
            (folder / "candidates" / package).write_text((candidates or {}).get(package, "(none)"))
        self._write_pc("pc", found)
        if installs is not None:
            (folder / "offered").mkdir()
            self._write_pc("offered", installs)

    def _write_pc(self, name, versions):
        for library, version in versions.items():
            text = f"Name: {library}\nDescription: {library}\nVersion: {version}\n"
            (self.folder / name / f"{library}.pc").write_text(text)

    def run(self, *levels, path=None):
        """Lines of what was said, and of what was called: "install PACKAGES…", "build_deps FOLDER", "cmake …"."""
        log = self.folder / "log"
        log.unlink(missing_ok=True)
        env = {
            **os.environ,
            "PATH": path or f"{self.folder}/bin:{os.environ['PATH']}",
            "LOG": str(log),
            "PC": str(self.folder / "pc"),
            "OFFERED": str(self.folder / "offered"),
            "CANDIDATES": str(self.folder / "candidates"),
            "PKG_CONFIG_LIBDIR": str(self.folder / "pc"),
            "PKG_CONFIG_PATH": "",
        }
        with open(log, "a") as said:
            done = subprocess.run([self.folder / "dev", "deps", *levels], env=env, stderr=said, timeout=60)
        assert done.returncode == 0, log.read_text()
        return log.read_text().splitlines()

    def deps(self, path=None):
        """What was called for the libraries."""
        lines = self.run("build", path=path)
        return [line for line in lines if "hiredis" in line and line.startswith("install") or "build_deps" in line]


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


SYSTEM = ("sh", "dirname", "pkg-config", "sed", "cat", "id", "mkdir", "grep", "env", "tail")


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
    assert lines[:2] == ["fetch_deps: fetching", "fetch"]
    for name, at in (("libwebsockets", 2), ("hiredis", 4)):
        assert lines[at].startswith(f"build_deps: building {name}")
        assert lines[at + 1].startswith("cmake ") and f"-S {name} " in lines[at + 1]


def test_installing_packages_is_said_before_it_begins(checkout):
    said, called = checkout({}, DEBIAN_13, installs=NEW).run("build")
    assert said.startswith("dev: installing: libwebsockets-dev libhiredis-dev")
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
