"""Plain replication while primaries change and writes are paused: nothing may write by itself then (the
server would end itself), and all must be equal afterwards."""

import threading

import pytest

from resp import Resp, RespError
from servers import wait_until

from module_helpers import all_entries, call, digest, info, verify

KEYS = [f"inbox:{n}" for n in range(5)]
GONE = "0" * 40  # the digest of a key that is not there


class Traffic(threading.Thread):
    """Everything that could make the module write: sends with and without expiry, marks, collapsing,
    following, leases that pass. Goes on through errors and lost connections until it is stopped; its
    tokens make every send happen once. .sent is what was acknowledged: (key, title)."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port = port
        self.stop_now = threading.Event()
        self.sent = []
        self.errors = set()
        self.rounds = 0

    def run(self):
        while not self.stop_now.is_set():
            try:
                with Resp(self.port, timeout=20) as resp:
                    while not self.stop_now.is_set():
                        self.round(resp)
            except RespError as error:
                self.errors.add(str(error).split(" ")[0])
                self.stop_now.wait(0.01)
            except (OSError, EOFError):
                self.stop_now.wait(0.01)

    def round(self, resp):
        n = self.rounds
        key = KEYS[n % len(KEYS)]
        title = f"n{n}"
        resp.call("NOTIFY.SEND", key, title, "IDEMPOTENT", title, "MAXLEN", 1000000)
        self.sent.append((key, title))
        resp.call("NOTIFY.EVENT", key, "progress", "COLLAPSE", "job", "PX", 1 + n % 50)
        resp.call("NOTIFY.SEND", f"short:{n % 7}", "t", "PX", 20)
        resp.call("NOTIFY.FOLLOW", KEYS[0], "topic:all")
        resp.call("NOTIFY.SENDMANY", 2, "topic:all", "topic:b", "for all", "MAXLEN", 50)
        resp.call("NOTIFY.READALL", KEYS[0], "LOG", "topic:all")
        resp.call("NOTIFY.READALL", key)
        resp.call("NOTIFY.SESSION", "OPEN", f"sessions:{n % 3}", "s", f"c{n % 20}", "LEASE", 30)
        resp.call("NOTIFY.SESSION", "LIST", f"sessions:{(n + 1) % 3}")
        resp.call("NOTIFY.RANGE", f"short:{(n + 3) % 7}", "-", "+")
        self.rounds += 1

    def wait_more(self, rounds=30):
        target = self.rounds + rounds
        wait_until(lambda: self.rounds >= target, "the traffic's going on", timeout=60)

    def finish(self):
        self.stop_now.set()
        self.join(30)
        assert not self.is_alive()


@pytest.fixture
def traffic():
    """traffic(server): Traffic that ends with the test."""
    running = []

    def start(server):
        running.append(Traffic(server.port))
        running[-1].start()
        return running[-1]

    yield start
    for one in running:
        one.stop_now.set()
        one.join(30)


def read_all(client):
    """Reads that meet what has expired: they may not remove it."""
    for n in range(7):
        call(client, "NOTIFY.RANGE", f"short:{n}", "-", "+")
        call(client, "NOTIFY.LEN", f"short:{n}")
        call(client, "NOTIFY.BADGE", KEYS[n % 5])
        call(client, "NOTIFY.SESSION", "COUNT", f"sessions:{n % 3}", "CONNECTIONS")


def epochs(client, keys):
    """Which epochs each box knows: no digest tells."""
    return [(about["epoch"], about["past_epochs"]) for about in (info(client, key) for key in keys)]


def check_equal(client, *others):
    """All keys of all servers, expired ones aside: those go when they are asked for."""
    names = sorted(key for key in client.keys("*"))
    boxes = [name for name in names if not name.startswith(("sessions:", "short:"))]
    assert set(KEYS) <= set(boxes)
    wanted, wanted_epochs = digest(client, *boxes), epochs(client, boxes)
    assert GONE not in wanted
    for other in others:
        assert digest(other, *boxes) == wanted
        assert epochs(other, boxes) == wanted_epochs
    for name in boxes:
        verify(client, name)


def check_sent(client, sent):
    """What was acknowledged is there, once."""
    for key in KEYS:
        reply = all_entries(client.execute_command, key)
        titles = [fields[fields.index("title") + 1] for _, fields in reply if "title" in fields]
        assert len(titles) == len(set(titles))
        missing = {title for at, title in sent if at == key} - set(titles)
        assert not missing


def wait_online(primary):
    """Until its one replica can take over; that comes a little after the end of the synchronisation."""
    wait_until(
        lambda: primary.client().info("replication").get("slave0", {}).get("state") == "online",
        "the replica's being online",
    )


@pytest.fixture
def pair(programs):
    primary = programs.redis(name="primary")
    replica = programs.replica(primary)
    return primary, replica


def test_paused_writes_while_entries_and_leases_expire_end_in_no_abort(pair, traffic):
    primary, replica = pair
    writer = traffic(primary)
    writer.wait_more()
    client = primary.client()
    for _ in range(3):
        client.execute_command("CLIENT", "PAUSE", 600000, "WRITE")
        # All that was short-lived passes now, and everybody looks at it.
        before = client.info("replication")["master_repl_offset"]
        wait_until(lambda: call(client, "NOTIFY.SESSION", "COUNT", "sessions:0") == 0, "the leases' end")
        read_all(client)
        read_all(replica.client())
        assert client.info("replication")["master_repl_offset"] == before, "something was replicated"
        client.execute_command("CLIENT", "UNPAUSE")
        writer.wait_more()
    writer.finish()
    replica.wait_synced()
    check_equal(client, replica.client())
    check_sent(client, writer.sent)


def test_the_failover_command_under_traffic_loses_nothing(pair, traffic):
    old, new = pair
    writer = traffic(old)
    for source, target in ((old, new), (new, old)):
        writer.wait_more()
        wait_online(source)
        source.client().execute_command("FAILOVER", "TO", "127.0.0.1", target.port)
        wait_until(lambda: target.client().info("replication")["role"] == "master", "the failover")
        wait_until(
            lambda: source.client().info("replication").get("master_link_status") == "up",
            "the old primary's link",
        )
        writer.port = target.port
    writer.wait_more()
    writer.finish()
    new.wait_synced()
    assert "READONLY" in writer.errors or "UNBLOCKED" in writer.errors
    check_equal(old.client(), new.client())
    check_sent(old.client(), writer.sent)


def test_a_chain_goes_on_when_its_middle_is_promoted(programs, traffic, listen):
    primary = programs.redis(name="primary", appendonly="yes")
    middle = programs.replica(primary, name="middle")
    last = programs.replica(middle, name="last")
    writer = traffic(primary)
    writer.wait_more()
    first = list(writer.sent)
    middle.wait_synced()
    middle.client().execute_command("REPLICAOF", "NO", "ONE")
    writer.port = middle.port
    primary.kill9()
    writer.wait_more()
    listener = listen(last, KEYS[0], via=middle)
    writer.finish()
    call(middle.client(), "NOTIFY.SEND", KEYS[0], "after all")
    assert listener.messages()[-1]["data"]["title"] == "after all"
    last.wait_synced()
    check_equal(middle.client(), last.client())
    check_sent(middle.client(), first)
    # The old primary comes back from its AOF, as a replica of the new one.
    primary.start()
    primary.client().execute_command("REPLICAOF", "127.0.0.1", middle.port)
    primary.wait_synced()
    check_equal(middle.client(), primary.client(), last.client())


def test_a_repeated_token_is_known_to_the_new_primary(pair):
    primary, replica = pair
    sent = call(primary.client(), "NOTIFY.SEND", KEYS[0], "t", "IDEMPOTENT", "order-1")
    replica.wait_synced()
    primary.kill9()
    client = replica.client()
    client.execute_command("REPLICAOF", "NO", "ONE")
    assert call(client, "NOTIFY.SEND", KEYS[0], "t", "IDEMPOTENT", "order-1") == sent
    later = call(client, "NOTIFY.SEND", KEYS[0], "another")
    assert [int(n) for n in later.split("-")] > [int(n) for n in sent.split("-")]
    assert call(client, "NOTIFY.LEN", KEYS[0]) == 2


def test_ids_go_on_rising_on_a_new_primary_whose_clock_is_behind(pair):
    """As if the old primary's clock had been an hour ahead."""
    primary, replica = pair
    seconds, micros = primary.client().time()
    ahead = f"{seconds * 1000 + micros // 1000 + 3600000}-7"
    call(primary.client(), "NOTIFY.SEND", KEYS[0], "t", "ID", ahead)
    call(primary.client(), "NOTIFY.DEL", KEYS[0], ahead)
    replica.wait_synced()
    primary.kill9()
    client = replica.client()
    client.execute_command("REPLICAOF", "NO", "ONE")
    assert call(client, "NOTIFY.SEND", KEYS[0], "t") == ahead[:-1] + "8"
