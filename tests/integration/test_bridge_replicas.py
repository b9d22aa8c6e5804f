"""A bridge that hears messages from a replica, to spare the primary: whatever becomes of that replica, each message comes
once and in order."""

import os
import signal
import threading
import time

import pytest
import redis

from resp import Resp
from sentinels import NAME, Sentinels, call
from servers import Bridge, wait_until
from tcp_proxy import TcpProxy
from ws_client import WsClient

REPLICAS = ("--redis-subscribe", "replicas")
SUBSCRIBER = "notify-bridge:subscriber"
WORD = "event=redis_replica addr=127.0.0.1:{}"


def start(programs, server, *args):
    return programs.add(Bridge(server, *REPLICAS, *args)).start()


def is_heard(server):
    """By a bridge. One that is away or just becomes something else is not."""
    try:
        return any(one["name"] == SUBSCRIBER for one in server.client(socket_timeout=5).client_list())
    except (redis.ConnectionError, redis.TimeoutError):
        return False


def listens_at(servers):
    return [one for one in servers if is_heard(one)]


def wait_listening(servers, timeout=30):
    """Where, once it is at one of them."""
    return wait_until(lambda: listens_at(servers), "listening at one of them", timeout)[0]


class Sending(threading.Thread):
    """To one inbox, one after the other; ids are those that were acknowledged."""

    def __init__(self, server, user):
        super().__init__(daemon=True)
        self.client, self.key = server.client(), f"inbox:{user}"
        self.ids, self.ended, self.problem = [], threading.Event(), None
        self.start()

    def run(self):
        try:
            while not self.ended.wait(0.005):
                self.ids.append(self.client.execute_command("NOTIFY.SEND", self.key, f"number {len(self.ids)}"))
        except Exception as problem:  # told by finish()
            self.problem = problem

    def wait_more(self, count):
        goal = len(self.ids) + count
        wait_until(lambda: self.problem or len(self.ids) >= goal, "more that was sent")

    def finish(self):
        self.ended.set()
        self.join()
        assert self.problem is None, self.problem
        return self.ids


def check_had(tab, ids):
    """All of them, in order, and nothing else."""
    assert [tab.expect(type="notification", timeout=60)["id"] for _ in ids] == ids
    assert not [message for message in tab.drain() if message["type"] == "notification"]


def is_primary(server):
    return server.replication().get("role") == "master"


def send_on(server, text):
    return call(server, "NOTIFY.SEND", "inbox:u", text, "IDEMPOTENT", text)


@pytest.fixture
def site(programs):
    """(primary, its two replicas)"""
    primary = programs.redis(repl_backlog_size="16mb")
    return primary, [programs.replica(primary, name=f"replica{n}") for n in range(2)]


def test_messages_are_heard_from_a_replica_and_the_primary_is_asked_and_written_to(programs, site):
    primary, replicas = site
    bridge = start(programs, primary, "--channel", "news")
    there = wait_listening(replicas)
    bridge.wait_line(WORD.format(there.port))
    wait_until(lambda: not listens_at([primary]), "the primary's being spared")
    with WsClient(bridge.port, "/ws?user=u") as tab:
        tab.expect(type="connection")
        tab.request("subscribe", channel="news")
        ids = [primary.client().execute_command("NOTIFY.SEND", "inbox:u", f"n{n}") for n in range(100)]
        check_had(tab, ids)
        assert tab.request("mark_read", id=ids[0])["type"] != "error"
        assert primary.client().execute_command("NOTIFY.UNREAD", "inbox:u") == 99
        primary.client().publish("news", "plain")
        assert tab.expect(channel="news")["data"] == "plain"


def test_whoever_keeps_a_session_that_polls_is_counted_at_the_primary(programs, site):
    """So that it is asked for the session, and not taken for dead."""
    primary, replicas = site
    start(programs, primary)
    wait_listening(replicas)
    channels = wait_until(lambda: primary.client().pubsub_channels("eio:*"), "a channel of the bridge's at the primary")
    assert all(primary.client().publish(channel, "") == 1 for channel in channels if channel != "eio:")


def freeze(programs, primary, replica):
    os.kill(replica.pid, signal.SIGSTOP)
    return lambda: os.kill(replica.pid, signal.SIGCONT)


def sleep(programs, primary, replica):
    with Resp(replica.port) as resp:
        resp.send("DEBUG", "SLEEP", 6)


def promote(programs, primary, replica):
    """It goes on alone; what is sent to it nobody must hear."""
    client = replica.client()
    client.execute_command("REPLICAOF", "NO", "ONE")
    client.execute_command("NOTIFY.SEND", "inbox:u", "of another branch")


def kill(programs, primary, replica):
    replica.kill9()


def move_away(programs, primary, replica):
    other = programs.redis(name="other")
    replica.client().execute_command("REPLICAOF", "127.0.0.1", other.port)


@pytest.mark.parametrize("what", [freeze, sleep, promote, kill, move_away])
def test_a_replica_that_is_no_good_any_more_is_left_for_another_and_nothing_is_lost(what, programs, site):
    primary, replicas = site
    bridge = start(programs, primary)
    there = wait_listening(replicas)
    other = next(one for one in replicas if one is not there)
    with WsClient(bridge.port, "/ws?user=u") as tab:
        tab.expect(type="connection")
        sending = Sending(primary, "u")
        sending.wait_more(50)
        mark = bridge.mark()
        mend = what(programs, primary, there)
        bridge.wait_line(f"event=redis_replica_left addr=127.0.0.1:{there.port}", since=mark)
        bridge.wait_line(WORD.format(other.port), since=mark)
        sending.wait_more(50)
        if mend:
            mend()
        check_had(tab, sending.finish())


def test_a_replica_that_lags_is_left_and_what_it_says_late_is_said_to_nobody_twice(programs):
    """Its primary's words reach it six seconds later than they should."""
    primary = programs.redis()
    proxy = TcpProxy(primary.port)
    replica = programs.redis(name="replica", replicaof=f"127.0.0.1 {proxy.port}")
    replica.wait_line("Finished with success")
    bridge = start(programs, primary)
    wait_listening([replica])
    with WsClient(bridge.port, "/ws?user=u") as tab:
        tab.expect(type="connection")
        sending = Sending(primary, "u")
        sending.wait_more(50)
        mark = bridge.mark()
        proxy.delay(b"", 6)
        bridge.wait_line("event=redis_replica_left .*reason=\"it is behind\"", since=mark)
        wait_listening([primary])
        sending.wait_more(50)
        with WsClient(bridge.port, "/ws?user=u&last_event_id=0-0") as other:
            other.expect(type="connection")
            sending.wait_more(50)
            ids = sending.finish()
            check_had(tab, ids)
            check_had(other, ids)
    proxy.close()


def test_what_a_replica_is_given_in_one_piece_is_read_from_the_primary(programs, site):
    """Its link is cut, and it cannot go on where it was: what was sent meanwhile it has, and has said nothing of."""
    primary, replicas = site
    bridge = start(programs, primary)
    wait_listening(replicas)
    with WsClient(bridge.port, "/ws?user=u") as tab:
        tab.expect(type="connection")
        sending = Sending(primary, "u")
        for _ in range(3):
            sending.wait_more(50)
            before = primary.client().info("stats")["sync_full"]
            primary.client().execute_command("DEBUG", "CHANGE-REPL-ID")
            primary.client().execute_command("CLIENT", "KILL", "TYPE", "replica")
            wait_until(lambda: primary.client().info("stats")["sync_full"] >= before + 2, "full synchronisations")
        sending.wait_more(50)
        check_had(tab, sending.finish())


def test_a_replica_without_the_module_is_left_and_nothing_is_lost(programs):
    """It takes what its primary tells it for unknown commands, goes on, and says nothing."""
    primary = programs.redis()
    replica = programs.replica(primary, module=None)
    bridge = start(programs, primary)
    bridge.wait_line(f"event=redis_replica_left addr=127.0.0.1:{replica.port} .*has not the module")
    wait_listening([primary])
    with WsClient(bridge.port, "/ws?user=u") as tab:
        tab.expect(type="connection")
        check_had(tab, [primary.client().execute_command("NOTIFY.SEND", "inbox:u", f"n{n}") for n in range(5)])


def test_a_replica_whose_module_publishes_another_database_is_left(programs):
    primary = programs.redis()
    replica = programs.replica(primary, config={"notify.database": 1})
    bridge = start(programs, primary)
    bridge.wait_line(f"event=redis_replica_left addr=127.0.0.1:{replica.port} .*publishes another database")
    wait_listening([primary])


def test_a_primary_that_runs_a_long_script_is_no_reason_to_leave_its_replica(programs):
    primary = programs.redis(busy_reply_threshold="100")
    replica = programs.replica(primary)
    bridge = start(programs, primary)
    wait_listening([replica])
    script = threading.Thread(target=lambda: pytest.raises(redis.ResponseError, primary.client().eval, "while true do end", 0))
    mark = bridge.mark()
    script.start()

    def is_refused():
        with Resp(primary.port) as resp:
            resp.send("INFO")
            return "BUSY" in str(resp.read())

    wait_until(is_refused, "the script's being long")
    until = time.monotonic() + 3  # it is asked every second
    wait_until(lambda: time.monotonic() > until, "the bridge's asking")
    primary.client().script_kill()
    script.join()
    with WsClient(bridge.port, "/ws?user=u") as tab:
        tab.expect(type="connection")
        check_had(tab, [primary.client().execute_command("NOTIFY.SEND", "inbox:u", f"n{n}") for n in range(5)])
    assert not bridge.has_line("event=redis_replica_left", since=mark)
    assert is_heard(replica)


def test_a_replica_that_comes_when_another_has_just_been_gone_to_is_no_reason_to_leave_that(programs):
    primary = programs.redis()
    first = programs.replica(primary)
    bridge = start(programs, primary)
    wait_listening([first])
    mark = bridge.mark()
    programs.replica(primary, name="second")
    bridge.wait_line("event=redis_link_down .*all data anew", since=mark)
    until = time.monotonic() + 2
    wait_until(lambda: time.monotonic() > until, "the bridge's asking once more")
    assert is_heard(first) and not bridge.has_line("event=redis_replica_left")


class FailingReplica(threading.Thread):
    """Asks for all data again and again, and goes away each time."""

    def __init__(self, primary):
        super().__init__(daemon=True)
        self.primary, self.ended = primary, threading.Event()
        self.start()

    def run(self):
        while not self.ended.wait(0.3):
            with Resp(self.primary.port) as resp:
                resp.send("PSYNC", "?", "-1")
                resp.sock.recv(10)

    def end(self):
        self.ended.set()
        self.join()


def test_a_replica_that_fails_without_end_does_not_have_all_subscribed_again_without_end(programs, site):
    primary, replicas = site
    bridge = start(programs, primary)
    wait_listening(replicas)
    with WsClient(bridge.port, "/ws?user=u") as tab:
        tab.expect(type="connection")
        mark, failing, sending = bridge.mark(), FailingReplica(primary), Sending(primary, "u")
        bridge.wait_line("event=redis_replica_left .*again and again", since=mark)
        until = time.monotonic() + 10
        wait_until(lambda: time.monotonic() > until, "its failing for a while")
        failing.end()
        check_had(tab, sending.finish())
    moves = [line for line in bridge.lines[mark:] if f"event=redis_link_up link={SUBSCRIBER}" in line]
    assert len(moves) <= 6, moves  # to each replica, there again, and back


def test_without_a_replica_the_primary_is_listened_to_and_one_that_comes_is_gone_to(programs):
    primary = programs.redis()
    bridge = start(programs, primary)
    wait_listening([primary])
    with WsClient(bridge.port, "/ws?user=u") as tab:
        tab.expect(type="connection")
        sending = Sending(primary, "u")
        sending.wait_more(50)
        replica = programs.replica(primary)
        wait_listening([replica])
        wait_until(lambda: not listens_at([primary]), "the primary's being spared")
        sending.wait_more(50)
        mark = bridge.mark()
        replica.kill9()
        bridge.wait_line("event=redis_replica_left", since=mark)
        wait_listening([primary])
        sending.wait_more(50)
        check_had(tab, sending.finish())


def test_a_primary_that_was_away_is_asked_for_what_its_replica_was_not_told(programs):
    primary = programs.redis(appendonly="yes")
    replica = programs.replica(primary)
    bridge = start(programs, primary)
    wait_listening([replica])
    with WsClient(bridge.port, "/ws?user=u") as tab:
        tab.expect(type="connection")
        ids = [primary.client().execute_command("NOTIFY.SEND", "inbox:u", "before")]
        check_had(tab, ids)
        primary.kill9()
        primary.start()
        ids = [primary.client().execute_command("NOTIFY.SEND", "inbox:u", f"behind {n}") for n in range(20)]
        check_had(tab, ids)


def test_many_bridges_share_the_replicas(programs, site):
    primary, replicas = site
    for _ in range(32):  # each begins with any of them
        start(programs, primary)
        wait_until(lambda: not listens_at([primary]), "the primary's being spared")
        if len(listens_at(replicas)) == 2:
            return
    raise AssertionError("all listen at the same one")


def test_who_may_not_ask_for_replicas_listens_at_the_primary_and_is_told(programs, site):
    primary, _ = site
    primary.client().execute_command("ACL", "SETUSER", "br", "on", ">secret", "~*", "&*", "+@all", "-info")
    url = type("At", (), {"url": primary.url.replace("//", "//br:secret@")})
    bridge = start(programs, url)
    bridge.wait_line("event=redis_replicas_unknown .*NOPERM")
    assert listens_at([primary])


def test_after_a_failover_a_replica_of_the_new_primary_is_listened_to(programs):
    first = programs.redis(name="redis0")
    replicas = [programs.replica(first, name=f"redis{n}") for n in (1, 2)]
    for one in replicas:
        del one.options["replicaof"]
    every = [first, *replicas]
    sentinels = Sentinels(programs, first, replicas=2)
    bridge = start(programs, sentinels, "--redis-mode", "sentinel", "--sentinel-master", NAME)
    wait_listening(replicas)
    with WsClient(bridge.port, "/ws?user=u") as tab:
        tab.expect(type="connection")
        ids = [first.client().execute_command("NOTIFY.SEND", "inbox:u", f"n{n}") for n in range(20)]
        for one in replicas:
            one.wait_synced()
        sentinels.failover()
        wait_until(lambda: any(is_primary(one) for one in replicas), "another primary")
        new = next(one for one in replicas if is_primary(one))
        sentinels.wait_primary(new)
        ids += [send_on(new, f"there {n}") for n in range(20)]
        check_had(tab, ids)
        wait_listening([one for one in every if one is not new], timeout=60)
        ids = [send_on(new, f"later {n}") for n in range(20)]
        check_had(tab, ids)
