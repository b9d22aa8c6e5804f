"""./dev deps build: where the bridge's libraries come from. pkg-config is the real one, which reads what
we let it read; packages are installed by programs of ours, and what builds libraries is one that notes
that it was called."""

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
}


class Checkout:
    """A copy of dev, on a machine whose pkg-config finds `found` ({library: version}), and whose apt
    offers `candidates` ({package: version}) and brings `installs` when it installs anything."""

    def __init__(self, folder, found, candidates=None, installs=None):
        self.folder = folder
        for name in ("bridge", "bin", "pc", "candidates"):
            (folder / name).mkdir()
        shutil.copy(os.path.join(ROOT, "dev"), folder / "dev")
        for name, text in PROGRAMS.items():
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

    def deps(self, path=None):
        """What was called: lines of "install PACKAGES…" and "build_deps FOLDER"."""
        log = self.folder / "log"
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
        done = subprocess.run(
            [self.folder / "dev", "deps", "build"], env=env, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stdout + done.stderr
        lines = log.read_text().split("\n") if log.exists() else []
        return [line for line in lines if "hiredis" in line or "build_deps" in line]


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


def test_libraries_are_built_where_packages_are_not_debians(checkout, tmp_path):
    one = checkout(OLD)
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("sh", "dirname", "pkg-config", "sed", "cat", "id", "mkdir", "grep"):
        (programs / name).symlink_to(shutil.which(name))
    assert one.deps(path=str(programs)) == [BUILD]
