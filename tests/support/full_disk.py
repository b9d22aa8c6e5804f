"""A disk that is full, for one command."""

import subprocess

import pytest

ALONE = ["unshare", "--map-root-user", "--mount"]
FILL = 'mount -t tmpfs -o size=64k full "$0" && ! cat /dev/zero 2>/dev/null >"$0/fill" && exec "$@"'


def with_full_disk(folder):
    """What a command is run by so that, for it alone, `folder` is a disk without any room. Not every machine lets us."""
    if subprocess.run([*ALONE, "true"], capture_output=True).returncode != 0:
        pytest.skip("no namespaces for users here")
    return [*ALONE, "sh", "-c", FILL, str(folder)]
