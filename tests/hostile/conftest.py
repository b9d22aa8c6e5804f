"""Fixtures of the tests with hostile peers."""

import os
import sys

import pytest

from raw_peer import RawPeer
from servers import ROOT, Program


@pytest.fixture
def raw(bridge):
    """raw("/ws?user=mallory") opens a RawPeer that is gone with the test."""
    peers = []

    def open_peer(path="/ws?user=mallory", **options):
        peers.append(RawPeer(bridge.port, path, **options))
        return peers[-1]

    yield open_peer
    for peer in peers:
        peer.sock.close()


class Flood(Program):
    """tests/support/flood.py against a bridge, until stop()."""

    def __init__(self, bridge, kind, count):
        super().__init__("flood")
        self._spawn(
            [sys.executable, os.path.join(ROOT, "tests/support/flood.py"), str(bridge.port), kind, str(count)]
        )
        self.wait_line("^flooding$", timeout=60)


@pytest.fixture
def flood(programs):
    """flood(bridge, "ping", 10): so many peers begin to send pings without pause."""
    return lambda bridge, kind, count: programs.add(Flood(bridge, kind, count))
