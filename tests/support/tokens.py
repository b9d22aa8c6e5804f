"""Tokens for the tests (RFC 7519), made here: good ones, and any that must be refused. Secrets by hmac,
keys by openssl, which ca-certificates brings along."""

import base64
import hashlib
import hmac
import json
import subprocess
import time

SECRET = "a secret of the tests, which is long enough for every hash there is"

# Of the curve: where its generator lies, and how many points it generates.
P256_GX = 0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296
P256_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def encode(part):
    """A dict, a str that stands for itself, or bytes."""
    if isinstance(part, dict):
        part = json.dumps(part)
    return b64(part.encode() if isinstance(part, str) else part)


def claims(sub="alice", seconds=600, **more):
    """Those of a token that is good for so long."""
    return {"sub": sub, "exp": int(time.time()) + seconds, **more}


def hs(payload, secret=SECRET, alg="HS256", **header):
    """A token signed with a secret."""
    text = encode({"alg": alg, "typ": "JWT", **header}) + "." + encode(payload)
    mac = hmac.new(secret.encode() if isinstance(secret, str) else secret, text.encode(), getattr(hashlib, f"sha{alg[2:]}" if alg[2:] in ("256", "384", "512") else "sha256"))
    return f"{text}.{b64(mac.digest())}"


def token(sub="alice", seconds=600, **more):
    """The usual one."""
    return hs(claims(sub, seconds, **more))


def _openssl(*words, stdin=None):
    return subprocess.run(["openssl", *words], input=stdin, check=True, capture_output=True).stdout


def _pair(der, size):
    """r and s of an ECDSA signature, side by side."""
    assert der[0] == 0x30
    at = 2 if der[1] < 0x80 else 3
    out = b""
    for _ in range(2):
        assert der[at] == 2
        length = der[at + 1]
        out += der[at + 2 : at + 2 + length].lstrip(b"\0").rjust(size, b"\0")
        at += 2 + length
    return out


class Key:
    """A key of kind "RSA" or "EC" in a folder: .public is the path of its PEM, jwk() its JWK."""

    def __init__(self, folder, kind="EC", kid=None):
        name = kid or "key"
        self.kind, self.kid = kind, kid
        self.private = str(folder / f"{name}.private.pem")
        self.public = str(folder / f"{name}.pem")
        options = ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"] if kind == "EC" else ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"]
        _openssl("genpkey", "-algorithm", *options, "-out", self.private)
        _openssl("pkey", "-in", self.private, "-pubout", "-out", self.public)

    def sign_all(self, payloads):
        """ES256 tokens, very many in little time: with the nonce 1 no curve is needed, and a signature is
        as good as any other. It gives the key away, which is for whoever measures with it no secret."""
        der = _openssl("ec", "-in", self.private, "-outform", "DER")
        assert der[5:7] == b"\x04\x20"
        secret = int.from_bytes(der[7:39], "big")
        made = []
        for payload in payloads:
            text = encode({"alg": "ES256"}) + "." + encode(payload)
            digest = int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")
            pair = P256_GX.to_bytes(32, "big") + ((digest + P256_GX * secret) % P256_N).to_bytes(32, "big")
            made.append(f"{text}.{b64(pair)}")
        return made

    def sign(self, payload, alg=None, **header):
        alg = alg or ("ES256" if self.kind == "EC" else "RS256")
        if self.kid is not None:
            header.setdefault("kid", self.kid)
        text = encode({"alg": alg, **header}) + "." + encode(payload)
        padding = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"] if alg[0] == "P" else []
        signature = _openssl("dgst", "-sha256", "-sign", self.private, *padding, stdin=text.encode())
        return f"{text}.{b64(_pair(signature, 32) if self.kind == 'EC' else signature)}"

    def jwk(self):
        der = _openssl("pkey", "-pubin", "-in", self.public, "-outform", "DER")
        named = {} if self.kid is None else {"kid": self.kid}
        if self.kind == "EC":
            return {"kty": "EC", "crv": "P-256", "x": b64(der[-64:-32]), "y": b64(der[-32:]), **named}
        modulus = _openssl("rsa", "-pubin", "-in", self.public, "-modulus", "-noout").decode().strip().split("=")[1]
        return {"kty": "RSA", "n": b64(bytes.fromhex(modulus)), "e": "AQAB", **named}
