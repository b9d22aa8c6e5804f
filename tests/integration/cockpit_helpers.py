"""What the tests of sessions and agents share: two bridges that ask for tokens, and clients that come to talk in a session."""

import functools
import re
import uuid

import pytest

from bridge_helpers import Stand
from tokens import SECRET, token


class Cockpit(Stand):
    """Two bridges with tokens in front of one Redis."""

    def __init__(self, *args):
        options = ["--auth", "jwt", "--jwt-secret", SECRET, *args]
        super().__init__(*options, name="one")
        self.bridges = [self.daemon, self.bridge(self.server, *options, name="two")]

    @staticmethod
    def token(user):
        return token(user)

    def open(self, user, session=None, at=0, token_=None, query=""):
        """Not greeted yet."""
        session = session or str(uuid.uuid4())
        return self.tab(f"/api/v1/ws/{session}?token={token_ or token(user)}{query}", greeted=False, port=self.bridges[at].port)

    def talk(self, user, session=None, **options):
        tab = self.open(user, session, **options)
        tab.greeting = tab.expect(type="connection_established")
        return tab


@pytest.fixture(scope="module")
def shared_stand():
    """For a file that takes it in: one cockpit for all its tests."""
    group = Cockpit()
    yield group
    group.close()


@pytest.fixture
def make_cockpit(make_stand):
    return functools.partial(make_stand, kind=Cockpit)


def is_uuid4(text):
    return re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", text) is not None


def uuid_of(id_, tag=0):
    """By the words of docs/rest.md."""
    ms, seq = (int(part) for part in id_.split("-"))
    return str(uuid.UUID(int=ms << 80 | 4 << 76 | tag << 64 | 2 << 62 | seq))


def tag_of(key):
    hash_ = 0xCBF29CE484222325
    for byte in key.encode():
        hash_ = (hash_ ^ byte) * 0x100000001B3 % 2**64
    return hash_ % 4095 + 1
