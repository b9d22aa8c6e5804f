"""A fault of Valkey's (its number 4024): while a module hears of what happens to keys, whatever it does then, COPY … DB
and MOVE leave their client in the database that they wrote to, and are themselves replicated and written to the AOF as
if said there. So what comes after them differs from what the primary has."""

import re

# {the first two numbers of a release: (the first third number with the fault, the first without it)}, by the notes
# of the releases; those of 9.0 are not known so far down, its 9.0.5 is of the day of the other two.
RELEASES = {(8, 1): (1, 9), (9, 0): (0, 5), (9, 1): (0, 1)}


def strays(call):
    """Whether the server has the fault. `call` says a command to it."""
    found = re.search(r"valkey_version:(\d+)\.(\d+)\.(\d+)", call("INFO", "server"))
    major, minor, patch = map(int, found.groups()) if found else (0, 0, 0)
    first, mended = RELEASES.get((major, minor), (0, 0))
    return first <= patch < mended
