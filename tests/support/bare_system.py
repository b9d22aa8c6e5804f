"""A bare Debian in a folder of its own, with processes and mounts of its own (namespaces), so that nothing of it is left
over, however its user ends. Network and loopback are this machine's. It needs root, debootstrap and the network."""

import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

from servers import wait_until

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RELEASES = ("bookworm", "trixie")
CHECKOUT = "root/redis-notify"  # in the new system
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

NAMESPACES = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]

# The first process of the new system ($0 is its folder), with which everything else ends. It tells what
# the command has left behind.
INIT = """
mount -t proc proc "$0/proc" && mount -t sysfs sysfs "$0/sys" && mount -t tmpfs tmpfs "$0/dev/shm" || exit 125
mkdir -p "$0/dev/pts" && mount -t devpts -o newinstance,ptmxmode=0666 devpts "$0/dev/pts" || exit 125
ln -sf pts/ptmx "$0/dev/ptmx"
before=$(ls -A "$0/tmp")
trap : INT
chroot "$0" "$@"
status=$?
for process in "$0"/proc/[0-9]*; do
    [ "${process##*/}" = $$ ] || grep -qs '^State:.Z' "$process/status" || ! read -r name <"$process/comm" ||
        echo "left behind: process $name"
done 2>/dev/null
[ "$(ls -A "$0/tmp")" = "$before" ] || echo "left behind: in /tmp: $(ls -A "$0/tmp")"
exit $status
"""


def proxies():
    """Of the environment of this machine nothing else counts in the other one."""
    return [f"{key}={value}" for key, value in os.environ.items() if key.lower().endswith("_proxy")]


def say(text):
    print(f"{os.path.basename(os.path.dirname(os.path.abspath(sys.argv[0])))}: {text}", flush=True)


class System:
    """A bare Debian in a folder of its own."""

    def __init__(self, release, archive):
        self.release = release
        self.archive = archive
        self.root = tempfile.mkdtemp(prefix=f"bare-{release}-", dir=os.path.join(ROOT, "build"))
        os.chmod(self.root, 0o755)  # it is the root of other users, too

    def install(self):
        """With the certificates that this machine's owner has added to Debian's, and with what debootstrap
        leaves to Debian's installer."""
        say(f"installing {self.release} from {self.archive}")
        argv = ["debootstrap", "--variant=minbase", self.release, self.root, self.archive]
        done = subprocess.run(NAMESPACES + argv, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        certificates = self.path("usr/local/share/ca-certificates")
        os.makedirs(certificates, exist_ok=True)
        for path in glob.glob("/usr/local/share/ca-certificates/*.crt"):
            shutil.copy(path, certificates)
        with open(self.path("etc/hosts"), "w") as file:
            file.write("127.0.0.1 localhost\n::1 localhost\n")

    def clone(self):
        subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", ROOT, self.path(CHECKOUT)], check=True)

    def install_packages(self, *names):
        for words in (["update"], ["install", "-y", "--no-install-recommends", *names]):
            status, said = self.run("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", *words)
            assert status == 0, said

    def path(self, inside):
        return os.path.join(self.root, inside)

    def use_archive(self, url):
        with open(self.path("etc/apt/sources.list"), "w") as file:
            file.write(f"deb {url} {self.release} main\n")

    def argv(self, *words):
        """What runs a command in the clone, or where there is none in the root."""
        env = ["env", "-i", *proxies(), "HOME=/root", "LANG=C.UTF-8", f"PATH={PATH}"]
        where = CHECKOUT if os.path.exists(self.path(CHECKOUT)) else ""
        return [*NAMESPACES, "sh", "-c", INIT, self.root, *env,
                "sh", "-c", f'cd /{where} && exec "$@"', "sh", *words]  # fmt: skip

    def run(self, *words, timeout=600):
        """(exit status, what it printed)"""
        done = subprocess.run(
            self.argv(*words), stdin=subprocess.DEVNULL, timeout=timeout,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        return done.returncode, done.stdout.rstrip("\n")

    def services(self):
        """What starts by itself with such a machine."""
        patterns = ("etc/systemd/system/*.wants/*", "etc/rc[2-5].d/S*")
        return sorted(path for pattern in patterns for path in glob.glob(pattern, root_dir=self.root))

    def remove(self):
        """Processes that were killed a moment ago may still write."""

        def is_gone():
            shutil.rmtree(self.root, ignore_errors=True)
            return not os.path.exists(self.root)

        wait_until(is_gone, f"the end of {self.root}")


def archive_of_this_machine():
    argv = ["apt-get", "indextargets", "--no-release-info", "--format", "$(REPO_URI)", "Created-By: Packages"]
    uris = subprocess.run(argv, capture_output=True, text=True).stdout.split()
    found = [uri.rstrip("/") for uri in uris if re.fullmatch(r"https?://.*/debian/?", uri)]
    if not found:
        sys.exit("apt of this machine names no archive of Debian over HTTP")
    return found[0]


def run_checks(checks, *words, stop_early=False):
    """(passed, failed); stop_early: each needs what the one before has done, so that without it the rest has failed."""
    failed = 0
    for n, check in enumerate(checks):
        say(check.__doc__)
        try:
            check(*words)
        except (AssertionError, OSError, subprocess.SubprocessError) as failure:
            failed += len(checks) - n if stop_early else 1
            print(f"FAILED: {check.__doc__}\n{failure}")
            if stop_early:
                break
    return len(checks) - failed, failed
