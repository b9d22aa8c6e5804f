"""How long tests wait for what must come."""

import time

WAIT_TIMEOUT_S = 60  # whoever waits so long has failed; a busy machine is slow


class OnlyPings:
    """For a client that answers pings by itself: they come in time for as long as the other side lives, so that who
    waits for something else, one packet after the other, would wait without end."""

    def __init__(self, limit_s=WAIT_TIMEOUT_S):
        self.limit_s = limit_s
        self._since = None  # the first one behind which nothing else has come

    def heard(self, is_ping):
        if not is_ping:
            self._since = None
        elif self._since is None:
            self._since = time.monotonic()
        elif time.monotonic() - self._since > self.limit_s:
            raise TimeoutError(f"nothing but pings for {self.limit_s} s")
