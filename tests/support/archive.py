"""A small Debian archive on loopback, and a machine's apt that uses it, for what fetches sources."""

import gzip
import hashlib
import http.server
import io
import lzma
import os
import subprocess
import tarfile
import threading
import time
import urllib.parse

UPSTREAM = {"libwebsockets": "4.3.5", "hiredis": "1.2.0"}
REVISION = {"libwebsockets": "4.3.5-1", "hiredis": "1.2.0-6"}  # the wanted ones
FURTHER = {"libwebsockets": "4.3.5-0", "hiredis": "1.2.0-5"}
POOL = {"libwebsockets": "pool/main/libw/libwebsockets", "hiredis": "pool/main/h/hiredis"}


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def tarball(files):
    """The bytes of a tar file with {name: text}: the same ones whenever it is made."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


def orig_of(package):
    return gzip.compress(tarball({f"{package}-x/source.c": "before\n"}), mtime=0)


def diff_of(package, version):
    """Debian's part; its one patch writes the version into source.c."""
    patch = f"--- a/source.c\n+++ b/source.c\n@@ -1 +1 @@\n-before\n+{version}\n"
    files = {"debian/patches/series": "# comment\none.patch\n", "debian/patches/one.patch": patch}
    return lzma.compress(tarball(files))


def orig_name(package):
    return f"{package}_{UPSTREAM[package]}.orig.tar.gz"


def diff_name(version, package):
    return f"{package}_{version}.debian.tar.xz"


class Key:
    """What an archive signs its index with."""

    def __init__(self, folder):
        self.home = os.path.join(folder, "gpg")
        os.makedirs(self.home, mode=0o700)
        self.keyring = os.path.join(folder, "keyring.gpg")
        self._gpg("--passphrase", "", "--quick-gen-key", "archive@example.org", "ed25519", "sign", "never")
        self._gpg("--output", self.keyring, "--export")

    def _gpg(self, *args, data=b""):
        """gpg starts an agent, which would outlive tests that are killed: it ends with each call."""
        argv = ["gpg", "--homedir", self.home, "--batch", "--quiet", *args]
        try:
            return subprocess.run(argv, input=data, check=True, capture_output=True).stdout
        finally:
            argv = ["gpgconf", "--homedir", self.home, "--kill", "all"]
            subprocess.run(argv, check=False, capture_output=True)

    def sign(self, text):
        return self._gpg("--clearsign", data=text.encode())


class Archive:
    """An HTTP server for `files` (path -> bytes), also as a proxy for any host. Everything else is 404, or is
    to be had from `beyond`, the address of another archive, but for the names in `missing`. `asked` are
    the paths that it was asked for. Use it in a `with`."""

    def __init__(self, beyond=None, missing=()):
        self.files = {}
        self.asked = []
        archive = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path).lstrip("/")
                archive.asked.append(path)
                body = archive.files.get(path, b"")
                if path in archive.files:
                    self.send_response(200)
                elif beyond and os.path.basename(path) not in missing:
                    self.send_response(302)
                    self.send_header("Location", f"{beyond}/{path}")
                else:
                    self.send_response(404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def add(self, package, version=None, pool=None):
        """The sources of a package at this version (default: the wanted one)."""
        folder = pool or POOL[package]
        version = version or REVISION[package]
        self.files[f"{folder}/{orig_name(package)}"] = orig_of(package)
        self.files[f"{folder}/{diff_name(version, package)}"] = diff_of(package, version)

    def add_all(self):
        for package in UPSTREAM:
            self.add(package)

    def sign_index(self, key, versions, suite="trixie", origs=None):
        """An index that names these versions, {package: version}, whether or not the files are there."""
        stanzas = []
        for package, version in versions.items():
            files = {
                orig_name(package): (origs or {}).get(package) or orig_of(package),
                diff_name(version, package): diff_of(package, version),
            }
            lines = "".join(f"\n {sha256(data)} {len(data)} {name}" for name, data in files.items())
            stanzas.append(
                f"Package: {package}\nBinary: {package}-dev\nVersion: {version}\nArchitecture: any\n"
                f"Format: 3.0 (quilt)\nChecksums-Sha256:{lines}\nDirectory: {POOL[package]}\n\n"
            )
        sources = "".join(stanzas).encode()
        date = time.strftime("%a, %d %b %Y %H:%M:%S UTC", time.gmtime())
        release = (
            f"Origin: Debian\nSuite: stable\nCodename: {suite}\nDate: {date}\nComponents: main\n"
            f"Architectures: amd64\nSHA256:\n {sha256(sources)} {len(sources)} main/source/Sources\n"
        )
        self.files[f"dists/{suite}/InRelease"] = key.sign(release)
        self.files[f"dists/{suite}/main/source/Sources"] = sources


class Machine:
    """A machine whose apt has these sources, and a copy of the project's scripts that fetch."""

    def __init__(self, root, folder, keyring):
        self.folder = folder
        self.out = os.path.join(folder, "out")
        self.sources = os.path.join(folder, "sources.list")
        self.apt_conf = os.path.join(folder, "apt.conf")
        for name in ("bridge", "lists/partial", "cache/archives/partial"):
            os.makedirs(os.path.join(folder, name))
        self.script = os.path.join(folder, "bridge", "fetch_deps.sh")
        self._copy_script(os.path.join(root, "bridge", "fetch_deps.sh"), keyring)
        self._write_list()
        self.use()
        self.configure(
            f'Dir::Etc::sourcelist "{self.sources}"; Dir::Etc::sourceparts "/dev/null";\n'
            f'Dir::State::lists "{folder}/lists"; Dir::Cache "{folder}/cache";\n'
            'Acquire::Retries "0"; Acquire::http::Proxy::127.0.0.1 "DIRECT";\n'
        )

    def _copy_script(self, path, keyring):
        """With our key in the place of Debian's."""
        with open(path) as file:
            lines = file.read().split("\n")
        (at,) = [at for at, line in enumerate(lines) if line.startswith("keyring=")]
        lines[at] = f"keyring='{keyring}'"
        with open(self.script, "w") as file:
            file.write("\n".join(lines))
        os.chmod(self.script, 0o755)

    def _write_list(self):
        with open(os.path.join(self.folder, "bridge", "deps.list"), "w") as file:
            for package, upstream in UPSTREAM.items():
                file.write(f"orig {package} {upstream} {sha256(orig_of(package))}\n")
                for version in (REVISION[package], FURTHER[package]):
                    file.write(f"diff {package} {version} {sha256(diff_of(package, version))}\n")

    def configure(self, text):
        """Adds to apt's configuration."""
        with open(self.apt_conf, "a") as file:
            file.write(text)

    def use(self, *urls, release="bookworm"):
        """The archives that apt has from now on; none have been updated from."""
        with open(self.sources, "w") as file:
            file.writelines(f"deb {url} {release} main\n" for url in urls)

    def fetch(self, within=(), **env):
        """Runs the script, by the command `within`; returns (exit status, what it said)."""
        done = subprocess.run(
            [*within, self.script, self.out],
            env={**os.environ, "APT_CONFIG": self.apt_conf, "NOTIFY_POOL": "", **env},
            capture_output=True,
            text=True,
            timeout=120,
        )
        return done.returncode, done.stdout + done.stderr

    def fetched(self):
        """{package: the version that its patch came from}; without those that were not unpacked."""
        found = {}
        for package in UPSTREAM:
            path = os.path.join(self.out, package, "source.c")
            if os.path.exists(path):
                with open(path) as file:
                    found[package] = file.read().strip()
        return found
