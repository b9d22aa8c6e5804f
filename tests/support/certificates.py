"""Certificates for the tests, made with openssl (which ca-certificates brings along)."""

import subprocess


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
