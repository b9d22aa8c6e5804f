"""Fixtures of the tests with hostile peers."""

import pytest

from raw_peer import RawPeer


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
