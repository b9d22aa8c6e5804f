"""Fixtures of the tests of the bridge, which only these need."""

from bridge_helpers import (  # noqa: F401  (this is how pytest finds them)
    make_stand,
    shared_stand,
    stand,
    tab,
    topic,
    user,
)
