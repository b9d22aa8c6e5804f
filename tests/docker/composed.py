"""Services of a compose file as processes in the roots of their images, as an engine would run them: what the file and the
image say of command, user, environment, root, volumes, secrets and health check counts. Not done: capabilities (whoever
is not root has none), limits, published ports."""

import os
import shutil

from bare_system import PATH
from images import must
from servers import Program, wait_until

# What makes a root ($1) ready for a process in it: a /dev, a /proc and a /tmp of its own, names ($2), mounts
# (source, target, how, …, up to --), and no writing if $3 is ro. Then the rest of the words is run, with no environment.
IN_ROOT = """
set -e
root=$1 hosts=$2 how=$3
shift 3
mkdir -p "$root/dev" "$root/proc" "$root/tmp" "$root/etc"
[ -e "$root/etc/hosts" ] || : >"$root/etc/hosts"
[ -e "$root/etc/resolv.conf" ] || echo 'nameserver 127.0.0.1' >"$root/etc/resolv.conf"
mount --bind "$root" "$root"
mount -t tmpfs tmpfs "$root/dev"
mount -t tmpfs tmpfs "$root/tmp"
mount -t proc proc "$root/proc"
mount --bind "$hosts" "$root/etc/hosts"
for name in null zero random urandom; do
    : >"$root/dev/$name"
    mount --bind "/dev/$name" "$root/dev/$name"
done
while [ "$1" != -- ]; do
    mkdir -p "$root${2%/*}"
    if [ -d "$1" ]; then mkdir -p "$root$2"; else : >>"$root$2"; fi
    mount --bind "$1" "$root$2"
    [ "$3" = rw ] || mount -o remount,bind,ro "$root$2"
    shift 3
done
shift
[ "$how" = rw ] || mount -o remount,bind,ro "$root"
exec env -i "$@"
"""


class Image:
    """A root and what is said of it, as `config` of an image; program: of what no image is to be had of here."""

    def __init__(self, root, config=None, program=None):
        self.root = root
        config = config or {}
        self.entrypoint = list(config.get("Entrypoint") or program or [])
        self.command = list(config.get("Cmd") or [])
        self.env = dict(pair.split("=", 1) for pair in config.get("Env") or [])
        self.user = config.get("User") or "root"
        self.test = (config.get("Healthcheck") or {}).get("Test")


class Service(Program):
    """said: of it in the compose file, as compose itself understands it. volumes, secrets: {name: path on this machine}."""

    def __init__(self, name, said, image, namespace, hosts, volumes, secrets):
        super().__init__(name)
        self.said, self.image, self.namespace, self.hosts = said, image, namespace, hosts
        self.mounts = [*self._volumes(volumes), *self._secrets(secrets)]

    def _volumes(self, folders):
        """A new volume belongs to whom the image's folder of that name belongs to."""
        for volume in self.said.get("volumes") or []:
            source = folders[volume["source"]] if volume["type"] == "volume" else volume["source"]
            inside = self.image.root + volume["target"]
            if volume["type"] == "volume" and not os.path.exists(source):
                os.makedirs(source)
                if os.path.exists(inside):
                    shutil.copystat(inside, source)
                    os.chown(source, os.stat(inside).st_uid, os.stat(inside).st_gid)
            yield source, volume["target"], "ro" if volume.get("read_only") else "rw"

    def _secrets(self, files):
        for secret in self.said.get("secrets") or []:
            target = secret.get("target") or secret["source"]
            yield files[secret["source"]], os.path.join("/run/secrets", target), "ro"

    @staticmethod
    def _words(words):
        """compose says its own signs twice."""
        return [word.replace("$$", "$") for word in words or []]

    def words(self):
        """Who has another entrypoint has not the image's command."""
        entrypoint, command = self._words(self.said.get("entrypoint")), self._words(self.said.get("command"))
        if entrypoint:
            return entrypoint + command
        return self.image.entrypoint + (command or self.image.command)

    def start(self):
        env = {"PATH": PATH, **self.image.env, **(self.said.get("environment") or {})}
        user = self.image.user if ":" in self.image.user else f"{self.image.user}:"
        self._spawn(self.namespace.argv(
            "unshare", "--mount", "sh", "-c", IN_ROOT, "sh", self.image.root, self.hosts,
            "ro" if self.said.get("read_only") else "rw", *(word for mount in self.mounts for word in mount), "--",
            *(f"{key}={value}" for key, value in env.items()),
            "setpriv", "--no-new-privs", "chroot", f"--userspec={user}", self.image.root, *self.words(),
        ))  # fmt: skip

    def run_inside(self, *words):
        """Beside the process, as the same user: `docker exec`."""
        of = os.stat(f"/proc/{self.pid}")
        return must("nsenter", "-t", str(self.pid), "-m", "-n", "-r", "-w", "-S", str(of.st_uid), "-G", str(of.st_gid),
                    *words, timeout=30, env={"PATH": PATH})  # fmt: skip

    def check_health(self):
        """The file's own check, or that of the image."""
        test = (self.said.get("healthcheck") or {}).get("test") or self.image.test
        assert test and test[0] in ("CMD", "CMD-SHELL"), f"{self.name} has no health check: {test}"
        words = self._words(test[1:])
        return self.run_inside(*(["/bin/sh", "-c", *words] if test[0] == "CMD-SHELL" else words))

    def is_healthy(self):
        assert self.running(), f"{self.name} has ended\n{self.tail()}"
        try:
            self.check_health()
        except AssertionError:
            return False
        return True


class Composed:
    """file: what `docker compose config --format json` prints. image_of(name, said): its Image."""

    def __init__(self, file, network, folder, image_of):
        self.said, self.network = file["services"], network
        volumes = {name: os.path.join(folder, f"volume-{name}") for name in file.get("volumes") or {}}
        secrets = {name: said["file"] for name, said in (file.get("secrets") or {}).items()}
        self.services = {}
        for name, said in self.said.items():
            image = image_of(name, said)
            if image is not None:
                self.services[name] = Service(
                    name, said, image, network.join(name), network.hosts, volumes, secrets
                )

    def __getitem__(self, name):
        return self.services[name]

    def start(self):
        """Each when those that it depends on are as it wants them."""
        left = list(self.services)
        while left:
            ready = [name for name in left if not set(self._needed(name)) & set(left)]
            assert ready, f"they wait for each other: {left}"
            for name in ready:
                self.start_service(name)
                left.remove(name)

    def _needed(self, name):
        return self.said[name].get("depends_on") or {}

    def start_service(self, name):
        for needed, how in self._needed(name).items():
            if how["condition"] == "service_healthy":
                wait_until(self.services[needed].is_healthy, f"health of {needed}")
        self.services[name].start()

    def close(self):
        for service in self.services.values():
            if service.running():
                service.kill9()
        self.network.close()
