"""How the bridge finds the primary by Sentinels: which are asked, as whom, and what is said when none helps."""

import signal

import pytest

from certificates import Authority
from fake_sentinel import FakeSentinel, array, bulk, pairs
from sentinels import NAME, Sentinel, Sentinels
from servers import Bridge, free_port, wait_until
from test_bridge_tls_to_redis import At, run
from ws_client import WsClient

MODE = ("--redis-mode", "sentinel", "--sentinel-master", NAME)


def start(programs, url, *args):
    return programs.add(Bridge(At(url), *MODE, *args)).start(wait_ready=False)


def alone(programs, primary, *lines, **options):
    """A Sentinel that nobody else is needed for."""
    return programs.add(Sentinel(primary, 0, lines, quorum=1, **options)).start()


def serves(server, bridge):
    with WsClient(bridge.port, "/ws?user=alice") as tab:
        tab.expect(type="connection")
        id_ = server.client().execute_command("NOTIFY.SEND", "inbox:alice", "hello")
        assert tab.expect(type="notification")["id"] == id_


def test_all_sentinels_of_the_address_are_tried_whatever_becomes_of_the_others(programs, redis_server):
    """One is not there, one is frozen, one does not know the name; the last one helps."""
    frozen = alone(programs, redis_server)
    stranger = programs.add(Sentinel(redis_server, 1, quorum=1))
    stranger.lines_of_file = [line.replace(f" {NAME} ", " theirs ") for line in stranger.lines_of_file]
    stranger.write()
    stranger.start()
    good = programs.add(Sentinel(redis_server, 2, quorum=1)).start()
    frozen.proc.send_signal(signal.SIGSTOP)
    try:
        ports = (free_port(), frozen.port, stranger.port, good.port)
        bridge = start(programs, "redis://" + ",".join(f"127.0.0.1:{port}" for port in ports))
        bridge.wait_ready()
        serves(redis_server, bridge)
        bridge.wait_line(f"event=sentinel_refuses name={NAME} addr=127.0.0.1:{stranger.port} ")
    finally:
        frozen.proc.send_signal(signal.SIGCONT)


def test_sentinels_that_are_not_in_the_address_are_learned_of(programs):
    primary = programs.redis()
    sentinels = Sentinels(programs, primary, replicas=0, count=3)
    first, *others = sentinels.all
    bridge = start(programs, f"redis://127.0.0.1:{first.port}")
    bridge.wait_ready()
    for one in others:
        bridge.wait_line(f"redis_link_up link=notify-bridge:sentinel addr=127.0.0.1:{one.port}")


def test_a_sentinel_and_redis_each_have_their_user_and_password(programs):
    primary = programs.redis(config={"notify.database": 2})
    primary.client().execute_command("ACL", "SETUSER", "br", "on", ">of-redis", "~*", "&*", "+@all")
    sentinel = alone(
        programs, primary, "user default off",
        "user watch on >of-sentinel resetchannels &+switch-master -@all +hello +ping +subscribe "
        "+sentinel|master +sentinel|get-master-addr-by-name +sentinel|sentinels",
    )  # fmt: skip
    url = f"redis://br:of-redis@127.0.0.1:{sentinel.port}/2"
    wrong = start(programs, url, "--sentinel-user", "watch", "--sentinel-password", "no")
    wrong.wait_line("event=redis_link_down link=notify-bridge:sentinel .*WRONGPASS")
    bridge = start(programs, url, "--sentinel-user", "watch", "--sentinel-password", "of-sentinel")
    bridge.wait_ready()
    clients = [one for one in primary.client().client_list() if one["name"].startswith("notify-bridge")]
    assert {(one["user"], one["db"]) for one in clients} == {("br", "2")}
    for one in (wrong, bridge):
        assert not any("of-redis" in line or "of-sentinel" in line for line in one.lines)
    assert not bridge.has_line("sentinel_refuses")


@pytest.mark.parametrize("sentinels, redis_", [("on", "off"), ("off", "on"), ("as-redis", "on")])
def test_tls_is_spoken_with_sentinels_with_redis_or_with_both(sentinels, redis_, programs, tmp_path):
    authority = Authority(tmp_path)
    ours = authority.issue("server")
    files = {"tls_cert_file": ours.cert, "tls_key_file": ours.key, "tls_ca_cert_file": authority.cert,
             "tls_auth_clients": "no"}  # fmt: skip
    tls = {"tls_port": free_port(), **files} if redis_ == "on" else {}
    primary = programs.redis(**tls)
    sentinel_tls = sentinels == "on" or (sentinels == "as-redis" and redis_ == "on")
    port, lines = free_port(), [f"{key.replace('_', '-')} {value}" for key, value in files.items()]
    if sentinel_tls:
        lines += [f"tls-port {port}"]
    if redis_ == "on":
        lines += ["tls-replication yes"]
    sentinel = alone(programs, primary, *lines, primary_port=tls.get("tls_port"))
    url = f"redis{'s' if redis_ == 'on' else ''}://127.0.0.1:{port if sentinel_tls else sentinel.port}"
    bridge = start(programs, url, "--sentinel-tls", sentinels, "--redis-tls-ca", authority.cert)
    bridge.wait_ready()
    serves(primary, bridge)


def test_a_replica_that_a_sentinel_takes_for_the_primary_is_refused(programs, redis_server):
    """A Sentinel finds the primary behind a replica by and by; until then it names the replica."""
    replica = programs.replica(redis_server)
    sentinel = alone(programs, replica)
    bridge = start(programs, f"redis://127.0.0.1:{sentinel.port}")
    bridge.wait_line(f"event=redis_link_down .*addr=127.0.0.1:{replica.port} .*it is a replica, not the primary")
    assert not bridge.has_line("event=redis_link_up link=notify-bridge:(subscriber|commands)")
    sentinel.ask("REMOVE", NAME)
    sentinel.ask("MONITOR", NAME, "127.0.0.1", redis_server.port, 1)
    bridge.wait_ready()
    serves(redis_server, bridge)


def test_what_is_no_sentinel_and_what_is_one_is_told_apart(programs, redis_server):
    bridge = start(programs, redis_server.url)
    bridge.wait_line("event=redis_link_down link=notify-bridge:sentinel .*this is no Sentinel")
    sentinel = alone(programs, redis_server)
    plain = programs.add(Bridge(At(f"redis://127.0.0.1:{sentinel.port}"))).start(wait_ready=False)
    plain.wait_line("event=redis_link_down .*the server is a Sentinel: see --redis-mode")


def test_sentinels_that_all_go_and_come_again_leave_the_links_alone(programs, redis_server):
    sentinel = alone(programs, redis_server)
    bridge = start(programs, f"redis://127.0.0.1:{sentinel.port}")
    bridge.wait_ready()
    mark = bridge.mark()
    sentinel.kill9()
    bridge.wait_line("event=redis_link_down link=notify-bridge:sentinel ", since=mark)
    serves(redis_server, bridge)
    sentinel.start()
    bridge.wait_line("event=redis_link_up link=notify-bridge:sentinel ", since=mark)
    assert not bridge.has_line("redis_link_down link=notify-bridge:(subscriber|commands)", since=mark)


def at_epoch(programs, server, number, epoch):
    """One that says since its beginning that the server is the primary since that failover."""
    sentinel = Sentinel(server, number, [f"sentinel config-epoch {NAME} {epoch}"], quorum=1)
    return programs.add(sentinel).start()


def test_the_latest_failover_counts_and_what_it_left_is_not_gone_back_to(programs):
    """Not by one Sentinel that has missed it; but when most say so: they may have been set up anew."""
    now, before = programs.redis(name="now"), programs.redis(name="before")
    behind, ahead = at_epoch(programs, before, 0, 3), at_epoch(programs, now, 1, 5)
    late = Sentinel(before, 2, [f"sentinel config-epoch {NAME} 3"], quorum=1)
    bridge = start(programs, "redis://" + ",".join(f"127.0.0.1:{one.port}" for one in (behind, ahead, late)))
    bridge.wait_line(f"event=redis_primary .*addr=127.0.0.1:{now.port} .*epoch=5")
    bridge.wait_links("up", f"addr=127.0.0.1:{now.port}")
    mark = bridge.mark()
    ahead.kill9()
    bridge.wait_line("event=sentinels_behind", since=mark)
    serves(now, bridge)
    programs.add(late).start()
    bridge.wait_line(f"event=redis_primary .*addr=127.0.0.1:{before.port} .*epoch=3", since=mark)
    bridge.wait_links("up", f"addr=127.0.0.1:{before.port}", since=mark)
    serves(before, bridge)


def test_a_primary_that_was_restarted_is_come_back_to(programs, redis_server):
    sentinel = alone(programs, redis_server)
    bridge = start(programs, f"redis://127.0.0.1:{sentinel.port}")
    bridge.wait_ready()
    mark = bridge.mark()
    redis_server.kill9()
    bridge.wait_links("down", since=mark)
    redis_server.start()
    bridge.wait_links("up", since=mark)
    serves(redis_server, bridge)


# -- answers that no Sentinel gives


@pytest.fixture
def fake(redis_server):
    made = FakeSentinel(redis_server.port)
    yield made
    made.close()


NO_ADDRESSES = {
    "nil": b"_\r\n",
    "an error": b"-ERR nothing is as it was\r\n",
    "one word": array(bulk("127.0.0.1")),
    "three words": array(bulk("127.0.0.1"), bulk("1"), bulk("2")),
    "a number": array(bulk("127.0.0.1"), b":6379\r\n"),
    "port 0": array(bulk("127.0.0.1"), bulk("0")),
    "port 65536": array(bulk("127.0.0.1"), bulk("65536")),
    "a port of many digits": array(bulk("127.0.0.1"), bulk("9" * 40)),
    "no host": array(bulk(""), bulk("6379")),
    "a long host": array(bulk("h" * 256), bulk("6379")),
    "a NUL": array(bulk(b"127.0.0.1\0x"), bulk("6379")),
    "a push": b">1\r\n" + bulk("what"),
}


@pytest.mark.parametrize("what", NO_ADDRESSES)
def test_an_address_that_is_none_is_not_gone_to_and_the_next_one_is(what, programs, redis_server, fake):
    good, fake.address = fake.address, NO_ADDRESSES[what]
    bridge = start(programs, fake.url)
    wait_until(lambda: fake.asked >= 2, "a second question", timeout=90)
    assert not bridge.has_line("event=redis_primary|link=notify-bridge:(subscriber|commands)")
    fake.address = good
    bridge.wait_ready()
    serves(redis_server, bridge)


@pytest.mark.parametrize("host", ["no such host.invalid", "a\nlevel=error event=forged", "%s%n", "1.2.3.4.5"])
def test_a_host_that_cannot_be_found_is_told_and_forges_no_line(host, programs, redis_server, fake):
    good, fake.address = fake.address, array(bulk(host), bulk(1))
    bridge = start(programs, fake.url)
    bridge.wait_line("event=redis_link_down link=notify-bridge:commands ")
    assert not any(line.startswith("level=error event=forged") for line in bridge.lines)
    fake.address = good
    bridge.wait_ready()


def test_an_epoch_that_is_none_counts_as_the_first(programs, redis_server, fake):
    for master in (b"-NOPERM no\r\n", b"*0\r\n", b"%1\r\n" + bulk("config-epoch") + bulk("x" * 1000)):
        fake.master = master
        bridge = start(programs, fake.url)
        bridge.wait_ready()
        assert "epoch=0" in bridge.wait_line("event=redis_primary")
        bridge.terminate()


def test_no_more_than_sixteen_sentinels_are_learned_of(programs, redis_server, fake):
    port = free_port()
    fake.others = [pairs(ip=f"127.0.1.{n}", port=port) for n in range(1, 201)] + [array(), b":1\r\n", b"_\r\n"]
    bridge = start(programs, fake.url)
    bridge.wait_ready()
    down = "event=redis_link_down link=notify-bridge:sentinel addr=127.0.1."
    wait_until(lambda: len({line.split("addr=")[1].split()[0] for line in bridge.lines if down in line}) >= 15, "trying")
    asked = fake.asked
    wait_until(lambda: fake.asked >= asked + 3, "further questions")
    tried = {line.split("addr=")[1].split()[0] for line in bridge.lines if down in line}
    assert len(tried) < 16 + fake.asked, "more than one a question have made room for others"
    assert bridge.open_fds() < 64
    serves(redis_server, bridge)


def test_beyond_sixteen_that_were_given_none_is_learned_of_and_the_limit_is_told(programs, redis_server, fake):
    port = free_port()
    fake.others = [pairs(ip="127.0.2.1", port=port)]
    hosts = [f"127.0.0.1:{fake.port}", *(f"127.0.1.{n}:{port}" for n in range(1, 16))]
    bridge = start(programs, "redis://" + ",".join(hosts))
    bridge.wait_ready()
    bridge.wait_line("event=limit_met limit=sentinels ")
    assert bridge.metrics()['notify_limit_hits_total{limit="sentinels"}'] > 0
    assert not bridge.has_line("addr=127.0.2.1")


def test_pushes_without_end_lead_to_few_questions(programs, redis_server, fake):
    bridge = start(programs, fake.url)
    bridge.wait_ready()
    fake.push(20000, name="theirs")
    before, clock = fake.asked, bridge.cpu_seconds()
    for _ in range(20):
        fake.push(1000)
    serves(redis_server, bridge)
    wait_until(lambda: fake.asked > before, "a question")
    assert fake.asked - before < 100 and bridge.cpu_seconds() - clock < 10
    assert not bridge.has_line("redis_link_down")


@pytest.mark.parametrize(
    "args, said",
    [
        (("--redis", "redis://a,b"), "redis: names several servers"),
        (("--redis", "redis://a,,b", *MODE), "redis: the host is missing"),
        (("--redis", "redis://a", "--redis-mode", "sentinel"), "sentinel-master: must be given"),
        (("--redis", "unix:///a", *MODE), "redis: must name Sentinels by host and port"),
        (("--redis", "redis://a", "--sentinel-password", "x"), "need --redis-mode sentinel"),
        (("--redis", "redis://a", "--redis-mode", "other"), "redis-mode"),
        (("--redis", "redis://" + ",".join(f"h{n}" for n in range(17)), *MODE), "redis: too many servers"),
    ],
)
def test_options_of_sentinels_that_do_not_fit_are_wrong_usage(args, said):
    status, text = run(*args)
    assert status == 2 and said in text, text
