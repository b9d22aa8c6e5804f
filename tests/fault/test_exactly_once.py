"""Each entry once, in order, none left out: whatever happens to clients, bridges, links and Redis."""

import random
import re
import signal

import pytest

from crowd import Crowd, new_seed
from servers import Bridge, wait_until
from tcp_proxy import TcpProxy
from ws_client import WsClient

BOXES = {"notify.max-entries": 100000}


class Behind:
    """What a Bridge wants to know of its server: here the proxy before it."""

    def __init__(self, url):
        self.url = url


@pytest.fixture
def start_crowd():
    """start_crowd(server, bridges, roaming=…, staying=…): a Crowd under way."""
    crowds = []

    def start(server, bridges, roaming=0, staying=0, **options):
        crowd = Crowd(server, bridges, new_seed(), **options)
        crowds.append(crowd)
        crowd.add_walkers(roaming, roams=True)
        crowd.add_walkers(staying, roams=False)
        crowd.start_writing()
        return crowd

    yield start
    for crowd in crowds:
        crowd.stop()


def assert_nobody_was_disconnected(crowd):
    assert [w.connections for w in crowd.walkers if not w.roams] == [1] * sum(
        not w.roams for w in crowd.walkers
    )


def assert_nobody_was_told_of_a_loss(crowd):
    assert [w.gaps for w in crowd.walkers if w.gaps] == []


def test_clients_that_come_and_go_get_everything_once(programs, start_crowd):
    server = programs.redis(config=BOXES)
    crowd = start_crowd(server, [programs.bridge(server)], roaming=12, staying=4, writers=2)
    crowd.wait_for_more(3000)
    crowd.finish()
    assert_nobody_was_told_of_a_loss(crowd)
    assert_nobody_was_disconnected(crowd)


def test_deletions_meanwhile_change_nothing_about_the_rest(programs, start_crowd):
    server = programs.redis(config=BOXES)
    crowd = start_crowd(server, [programs.bridge(server)], roaming=8, staying=4, delete=0.3)
    crowd.wait_for_more(1500)
    crowd.finish()
    assert_nobody_was_told_of_a_loss(crowd)


def test_small_outboxes_and_nothing_kept_in_memory_change_nothing(programs, start_crowd):
    """Everything that can fall back on Redis does."""
    server = programs.redis(config=BOXES)
    bridge = programs.bridge(
        server, *("--outbox-bytes", "4K", "--recent-bytes", "0", "--channel-linger", "0")
    )
    crowd = start_crowd(server, [bridge], roaming=8, staying=4)
    crowd.wait_for_more(1500)
    crowd.finish()
    assert_nobody_was_told_of_a_loss(crowd)


def test_clients_move_between_two_bridges_with_their_positions(programs, start_crowd):
    server = programs.redis(config=BOXES)
    bridges = [programs.bridge(server, name=f"bridge{n}") for n in range(2)]
    crowd = start_crowd(server, bridges, roaming=12, writers=2)
    crowd.wait_for_more(2000)
    crowd.finish()
    assert_nobody_was_told_of_a_loss(crowd)


def test_bridges_that_are_killed_by_turns_lose_nothing(programs, start_crowd):
    server = programs.redis(config=BOXES)
    bridges = [programs.bridge(server, name=f"bridge{n}") for n in range(2)]
    crowd = start_crowd(server, bridges, roaming=8, staying=4)
    for n in range(4):
        crowd.wait_for_more(200)
        bridges[n % 2].kill9()
        crowd.wait_for_more(50)
        bridges[n % 2].start()
    crowd.wait_for_more(200)
    assert crowd.count() >= 1000
    crowd.finish()
    assert_nobody_was_told_of_a_loss(crowd)


def test_a_redis_that_is_killed_loses_nothing_that_it_acknowledged(programs, start_crowd):
    """What was written to the file survives the process."""
    server = programs.redis(config=BOXES, appendonly="yes")
    crowd = start_crowd(server, [programs.bridge(server)], roaming=4, staying=6)
    for _ in range(3):
        crowd.wait_for_more(300)
        server.kill9()
        server.start()
        server.client().config_set("notify.max-entries", BOXES["notify.max-entries"])
    crowd.wait_for_more(300)
    assert crowd.count() >= 1000
    crowd.finish()
    assert_nobody_was_disconnected(crowd)


def test_links_that_are_cut_again_and_again_lose_nothing(programs, start_crowd):
    server = programs.redis(config=BOXES)
    crowd = start_crowd(server, [programs.bridge(server)], roaming=4, staying=6)
    rng = random.Random(new_seed())
    client = server.client()
    for _ in range(25):
        crowd.wait_for_more(rng.randrange(5, 80))
        names = rng.choice([("subscriber",), ("commands",), ("subscriber", "commands")])
        for link in client.client_list():
            if any(link["name"] == f"notify-bridge:{name}" for name in names):
                client.client_kill_filter(_id=link["id"])
    crowd.wait_for_more(100)
    crowd.finish()
    assert_nobody_was_told_of_a_loss(crowd)
    assert_nobody_was_disconnected(crowd)


def test_a_redis_that_stands_still_is_noticed_and_nothing_is_lost(programs, start_crowd):
    server = programs.redis(config=BOXES)
    bridge = programs.bridge(server)
    crowd = start_crowd(server, [bridge], roaming=2, staying=6)
    crowd.wait_for_more(300)
    mark = bridge.mark()
    server.proc.send_signal(signal.SIGSTOP)
    try:
        bridge.wait_links("down", ".*reason=silent", since=mark)
    finally:
        server.proc.send_signal(signal.SIGCONT)
    mark = bridge.mark()
    bridge.wait_links("up", since=mark)
    crowd.wait_for_more(300)
    crowd.finish()
    assert_nobody_was_told_of_a_loss(crowd)
    assert_nobody_was_disconnected(crowd)



def test_a_half_open_link_is_noticed_and_repaired(programs, start_crowd):
    """The other end is gone without a word. One bridge loses the link that listens, the other one
    the link that asks."""
    server = programs.redis(config=BOXES)
    words = [b"notify-bridge:subscriber", b"notify-bridge:commands"]
    proxies = [TcpProxy(server.port) for _ in words]
    try:
        bridges = [
            programs.add(Bridge(Behind(proxy.url), name=f"bridge{n}")).start()
            for n, proxy in enumerate(proxies)
        ]
        crowds = [start_crowd(server, [bridge], staying=4) for bridge in bridges]
        for crowd in crowds:
            crowd.wait_for_more(100)
        marks = [bridge.mark() for bridge in bridges]
        frozen = [proxy.freeze(word) for proxy, word in zip(proxies, words)]
        assert frozen == [5, 1], "--subscriber-links and one more; one"
        for bridge, mark, word, count in zip(bridges, marks, words, frozen):
            for what in (rf"redis_link_down link={word.decode()} .*reason=silent", f"redis_link_up link={word.decode()} "):
                wait_until(lambda: len([one for one in bridge.lines[mark:] if re.search(what, one)]) >= count, what)
        for crowd in crowds:
            crowd.wait_for_more(100)
        for crowd in crowds:
            crowd.finish()
            assert_nobody_was_told_of_a_loss(crowd)
            assert_nobody_was_disconnected(crowd)
    finally:
        for proxy in proxies:
            proxy.close()


def test_an_answer_from_before_a_new_subscription_is_not_taken_for_the_present(programs):
    """A hole is being read; meanwhile the listening link is lost and comes back. What was sent in
    between is neither in the answer nor on the new link: it has to be asked for again."""
    server = programs.redis()
    client = server.client()
    proxy = TcpProxy(server.port)
    try:
        bridge = programs.add(Bridge(Behind(proxy.url))).start()
        with WsClient(bridge.port, "/ws?topics=t") as tab:
            tab.expect(type="connection")
            reads = since_calls(client)
            proxy.hold(b"notify-bridge:commands")
            sent = [send(client, "NOPUBLISH"), send(client)]
            wait_until(lambda: since_calls(client) > reads, "the question about the hole")
            sent.append(send(client, "NOPUBLISH"))
            mark = bridge.mark()
            client.client_kill_filter(_type="pubsub")
            bridge.wait_line("redis_link_up link=notify-bridge:subscriber", since=mark)
            wait_until(lambda: client.pubsub_numsub("topic:t")[0][1] == 1, "the new subscription")
            proxy.release(b"notify-bridge:commands")
            assert [tab.expect(key="topic:t")["id"] for _ in sent] == sent
    finally:
        proxy.close()


def send(client, *options):
    return client.execute_command("NOTIFY.SEND", "topic:t", "t", *options)


def since_calls(client):
    stats = client.info("commandstats")
    return stats.get("cmdstat_notify.since", stats.get("cmdstat_NOTIFY.SINCE", {})).get("calls", 0)
