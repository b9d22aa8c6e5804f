"""Certificates for the tests, made with openssl (which ca-certificates brings along)."""

import subprocess

from servers import wait_until


class Certificate:
    """One for `name` that vouches for itself: paths .cert and .key."""

    def __init__(self, folder, name="localhost"):
        self.cert = str(folder / f"{name}.crt")
        self.key = str(folder / f"{name}.key")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
             "-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name},IP:127.0.0.1",
             "-keyout", self.key, "-out", self.cert],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip


def _is_right(*words):
    return subprocess.run(["openssl", *words], capture_output=True).returncode == 0


def _openssl(*words):
    done = subprocess.run(["openssl", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


class Authority:
    """One that vouches for others: .cert, which is to be believed in, and issue()."""

    def __init__(self, folder, name="authority"):
        self.folder, self.name = folder, name
        self.cert, self.key = str(folder / f"{name}.crt"), str(folder / f"{name}.key")
        _openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", f"/CN={name}", "-keyout", self.key, "-out", self.cert,
        )  # fmt: skip

    def issue(self, name, names="DNS:localhost,IP:127.0.0.1", use=None):
        """A certificate for `names`; use: for that alone, such as serverAuth."""
        return Issued(self, name, names, 2, use)

    def issue_expired(self, name):
        """One whose only second is over: openssl makes none that ends before it begins."""
        issued = Issued(self, name, "DNS:localhost,IP:127.0.0.1", 0)
        wait_until(lambda: not _is_right("x509", "-in", issued.cert, "-checkend", "0"), "its end")
        return issued


class Issued:
    def __init__(self, authority, name, names, days, use=None):
        base = str(authority.folder / f"{authority.name}-{name}")
        self.cert, self.key = base + ".crt", base + ".key"
        with open(base + ".ext", "w", encoding="ascii") as file:
            file.write(f"subjectAltName={names}\nbasicConstraints=CA:FALSE\n")
            if use is not None:
                file.write(f"extendedKeyUsage={use}\n")
        _openssl(
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
            "-keyout", self.key, "-out", base + ".csr",
        )  # fmt: skip
        _openssl(
            "x509", "-req", "-in", base + ".csr", "-CA", authority.cert, "-CAkey", authority.key, "-CAcreateserial",
            "-days", str(days), "-extfile", base + ".ext", "-out", self.cert,
        )  # fmt: skip
