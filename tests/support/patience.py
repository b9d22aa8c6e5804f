"""How long tests wait for what must come."""

WAIT_TIMEOUT_S = 60  # whoever waits so long has failed; a busy machine is slow
