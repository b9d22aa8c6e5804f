"""Payloads of DUMP that were tampered with, under a check sum that is right: what is wrong in them the
module must find."""

import struct

import redis


def _crc64_table():
    poly, table = 0x95AC9329AC4BC9B5, []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ poly if crc & 1 else crc >> 1
        table.append(crc)
    return table


_CRC64 = _crc64_table()


def sealed(payload):
    """payload with the check sum that DUMP appends."""
    crc = 0
    for byte in payload:
        crc = _CRC64[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return payload + struct.pack("<Q", crc)


def _restore(raw, key, body):
    """Whether the server took it."""
    try:
        raw.restore(key, 0, sealed(bytes(body)), replace=True)
    except redis.ResponseError as error:
        assert "Bad data format" in str(error) or "DUMP payload" in str(error), error
        return False
    return True


def restore_broken(raw, dump, rounds, rng, use):
    """Spoils some bytes of the dump, `rounds` times, and restores it as the key "broken"; use() is
    called when the server has taken it. How many it refused."""
    refused = 0
    for _ in range(rounds):
        broken = bytearray(dump[:-8])
        for _ in range(rng.choice((1, 1, 2, 5))):
            broken[rng.randrange(len(broken) - 2)] = rng.randrange(256)
        if rng.random() < 0.1:
            at = rng.randrange(len(broken) - 2)
            del broken[at : at + rng.randrange(1, 9)]
        if _restore(raw, "broken", broken):
            use()
        else:
            refused += 1
    return refused


def check_cuts_refused(raw, dump):
    """However short the payload is cut, the server takes none of it. Not by two bytes: the server reads
    on in the version that follows, which may be as good an end (on Valkey it is the letter P)."""
    body, version = dump[:-10], dump[-10:-8]
    for length in [*range(len(body) - 2), len(body) - 1]:
        assert not _restore(raw, "cut", body[:length] + version), length
    assert not raw.exists("cut")
