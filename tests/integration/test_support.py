"""What the tests themselves rely on."""

import threading


def test_a_replica_is_synced_while_its_primary_goes_on_writing(programs):
    """What it must have is what the primary had written when it was asked, once: a target that moves may
    never be reached."""
    primary = programs.redis(name="primary")
    replica = programs.replica(primary)
    end = threading.Event()

    def write():
        client = primary.client()
        while not end.is_set():
            client.set("k", "x" * 1000)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for asked in range(1, 6):
            replica.wait_synced()
            stats = primary.client().info("commandstats")
            assert stats["cmdstat_info"]["calls"] == 2 * asked - 1  # and that of the line above
    finally:
        end.set()
        writer.join()
