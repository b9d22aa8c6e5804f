"""A copy of ./dev on a machine that is played: packages, pkg-config's answers and what builds are ours."""

import os
import shutil
import subprocess

from servers import ROOT

PROGRAMS = {
    "bridge/build_deps.sh": 'echo "build_deps $*" >>"$LOG"\n',
    "bin/apt-get": 'echo "$@" | grep -o "install .*" >>"$LOG"\n[ ! -d "$OFFERED" ] || cp "$OFFERED"/* "$PC"\n',
    "bin/apt-cache": 'echo "  Candidate: $(cat "$CANDIDATES/$2")"\n',
    "bin/dpkg-query": 'case $4 in libwebsockets-dev | libhiredis-dev) ;; *) echo "ok installed" ;; esac\n',
    "bin/sudo": '[ "$1" != -n ] || shift\nexec "$@"\n',
    "bin/cmake": 'echo "cmake $*" | grep -e -S >>"$LOG"\nmkdir -p out/include out/lib\n',
}


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

    def env(self, path=None):
        return {
            **os.environ,
            "PATH": path or f"{self.folder}/bin:{os.environ['PATH']}",
            "LOG": str(self.folder / "log"),
            "PC": str(self.folder / "pc"),
            "OFFERED": str(self.folder / "offered"),
            "CANDIDATES": str(self.folder / "candidates"),
            "PKG_CONFIG_LIBDIR": str(self.folder / "pc"),
            "PKG_CONFIG_PATH": "",
        }

    def run(self, *levels, path=None):
        """Lines of what was said, and of what was called: "install PACKAGES…", "build_deps FOLDER", "cmake …"."""
        log = self.folder / "log"
        log.unlink(missing_ok=True)
        with open(log, "a") as said:
            done = subprocess.run([self.folder / "dev", "deps", *levels], env=self.env(path), stderr=said, timeout=60)
        assert done.returncode == 0, log.read_text()
        return log.read_text().splitlines()

    def deps(self, path=None):
        """What was called for the libraries."""
        lines = self.run("build", path=path)
        return [line for line in lines if "hiredis" in line and line.startswith("install") or "build_deps" in line]
