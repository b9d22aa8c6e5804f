"""Images of docker/Dockerfile in a store of their own, made by buildah, without an engine."""

import json
import os
import shlex
import subprocess

from bare_system import PATH, ROOT

BASE = "localhost/debian:trixie-slim"
DOCKER = os.path.join(ROOT, "docker")


def must(*argv, timeout=1800, **options):
    """What it printed."""
    done = subprocess.run(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout,
        **options,
    )  # fmt: skip
    assert done.returncode == 0, f"{shlex.join(argv)}: {done.returncode}\n{done.stdout[-4000:]}"
    return done.stdout


class Images:
    def __init__(self, folder):
        self.store = ["--root", f"{folder}/root", "--runroot", f"{folder}/run"]

    def buildah(self, *words, **options):
        return must("buildah", *self.store, *words, **options)

    def import_base(self, system):
        container = self.buildah("from", "scratch").strip()
        self.buildah("add", "-q", container, system.root, "/")
        self.buildah("config", "--cmd", "bash", "--env", f"PATH={PATH}", container)
        self.buildah("commit", "-q", container, BASE)
        self.buildah("rm", container)

    def build(self, target):
        self.buildah(
            "build", "--layers", "--isolation", "chroot", "--format", "docker", "--pull=never", "-f", f"{DOCKER}/Dockerfile",
            "--target", target, "-t", f"localhost/notify-{target}", ROOT,
        )  # fmt: skip

    def config(self, target):
        told = json.loads(self.buildah("inspect", "--type", "image", f"localhost/notify-{target}"))
        return told["Docker"]["config"]

    def mount(self, target):
        """The folder of a new container's root."""
        return self.buildah("mount", self.buildah("from", "--pull-never", f"localhost/notify-{target}").strip()).strip()

    def close(self):
        for words in (["umount", "--all"], ["rm", "--all"]):
            subprocess.run(["buildah", *self.store, *words], capture_output=True)
