"""Compressed messages over WebSocket (permessage-deflate): what is agreed on, what goes out once for all, and what
must not come in."""

import asyncio
import json
import os
import random
import signal
import ssl
import struct
import subprocess
import urllib.request

import pytest
import websockets

from bridge_helpers import Stand, ids_of, new_name
from certificates import Certificate
from patience import WAIT_TIMEOUT_S
from servers import ROOT, free_port, wait_until
from ws_client import CLOSE, PING, PONG, RSV1, TEXT, Closed, WsClient, deflated

OFFER = "permessage-deflate; client_max_window_bits"
AGREED = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
CONTENT = "The build of 'main' has finished; all of its tests have passed, and so it was delivered. " * 20


@pytest.fixture(scope="module")
def shared_stand():
    group = Stand("--compress")
    yield group
    group.close()


class Watch:
    """What has been counted since."""

    def __init__(self, bridge):
        self.bridge, self.before = bridge, bridge.metrics()

    def more(self, name):
        return self.bridge.metrics()[name] - self.before[name]

    def messages(self, direction="out"):
        return self.more(f'notify_compressed_messages_total{{direction="{direction}"}}')

    def bytes(self, direction, size):
        return self.more(f'notify_compressed_bytes_total{{direction="{direction}",size="{size}"}}')

    def offers(self, outcome):
        return self.more(f'notify_compression_offers_total{{outcome="{outcome}"}}')

    def limit(self, name):
        return self.more(f'notify_limit_hits_total{{limit="{name}"}}')


@pytest.fixture
def watch(stand):
    return Watch(stand.daemon)


# -- what is agreed on


def test_it_is_off_unless_it_was_asked_for(programs, redis_server):
    bridge = programs.bridge(redis_server)
    with WsClient(bridge.port, "/ws?user=a", offer=OFFER) as tab:
        assert tab.agreed is None
        tab.expect(type="connection")
        tab.send_frame(TEXT, deflated('{"type":"ping"}'), rsv=RSV1)
        assert tab.wait_closed().code == 1002
    assert not any(value for name, value in bridge.metrics().items() if name.startswith("notify_compress"))


@pytest.mark.parametrize(
    "offer, agreed",
    [
        (None, None),
        (OFFER, AGREED),
        ("permessage-deflate; server_max_window_bits=12; client_max_window_bits=12", AGREED + "; server_max_window_bits=12"),
        ("permessage-deflate; server_max_window_bits=10, permessage-deflate", AGREED),
        ("permessage-deflate; server_max_window_bits=10", None),
        ("permessage-deflate; something_new", None),
        ("permessage-deflate; client_max_window_bits; client_max_window_bits", None),
        ("permessage-bzip2", None),
    ],
)
def test_an_offer_is_answered_by_what_holds_or_not_at_all(stand, watch, offer, agreed):
    tab = stand.tab(f"/ws?user={new_name()}", offer=offer)
    assert tab.agreed == agreed
    assert tab.request("ping")["type"] == "pong"
    assert watch.offers("taken") == (agreed is not None)
    assert watch.offers("declined") == (agreed is None and offer is not None and offer.startswith("permessage-deflate"))


def test_socket_io_goes_on_without(stand, programs, redis_server):
    bridge = programs.bridge(redis_server, "--compress", "--socketio-namespace", "/")
    with WsClient(bridge.port, "/socket.io/?EIO=4&transport=websocket", offer=OFFER) as tab:
        assert tab.agreed is None
        assert tab.recv_text().startswith("0{")


def test_it_may_be_switched_on_and_off_while_clients_are_connected(programs, redis_server, tmp_path):
    config = tmp_path / "bridge.conf"
    config.write_text("")
    bridge = programs.bridge(redis_server, "--config", str(config))
    tabs = []
    for text, agreed in (("", None), ("compress yes\n", AGREED), ("", None)):
        mark = bridge.mark()
        config.write_text(text)
        bridge.proc.send_signal(signal.SIGHUP)
        bridge.wait_line("event=config_read", since=mark)
        tabs.append(WsClient(bridge.port, f"/ws?user={new_name()}", offer=OFFER))
        assert tabs[-1].agreed == agreed
    tabs[1].send_deflated({"type": "ping", "request_id": "r"})  # it keeps what was agreed on
    assert tabs[1].expect(request_id="r")["type"] == "pong"
    for tab in tabs:
        tab.close()


# -- out


def test_a_message_is_compressed_once_for_all_who_take_it_so(stand, topic, watch):
    taking = [stand.tab(f"/ws?user={new_name()}&topics={topic}", offer=OFFER) for _ in range(5)]
    others = [stand.tab(f"/ws?user={new_name()}&topics={topic}", offer=None) for _ in range(2)]
    before = watch.messages()
    id_ = stand.send(f"topic:{topic}", "Build finished", "CONTENT", CONTENT)
    for tab in taking + others:
        assert tab.expect(id=id_)["data"]["content"] == CONTENT
    assert [tab.inflated for tab in taking] == [1] * 5
    assert watch.messages() == before + 1
    assert watch.bytes("out", "plain") > len(CONTENT) > 5 * watch.bytes("out", "compressed") > 0


def test_nothing_is_compressed_while_nobody_takes_it_so(stand, topic, watch):
    tab = stand.tab(f"/ws?user={new_name()}&topics={topic}")
    id_ = stand.send(f"topic:{topic}", "Build finished", "CONTENT", CONTENT)
    tab.expect(id=id_)
    assert watch.messages() == 0


def test_short_messages_go_out_as_they_are(programs, redis_server):
    bridge = programs.bridge(redis_server, "--compress", "--compress-min-bytes", "1K")
    client = redis_server.client()
    with WsClient(bridge.port, "/ws?user=alice", offer=OFFER) as tab:
        tab.expect(type="connection")
        for length, inflated in ((100, 0), (2000, 1)):
            id_ = client.execute_command("NOTIFY.SEND", "inbox:alice", "hello", "CONTENT", "x" * length)
            tab.expect(id=id_.decode() if isinstance(id_, bytes) else id_)
            assert tab.inflated == inflated


def test_a_batch_of_long_and_short_messages_arrives_in_order(stand, topic):
    taking = [stand.tab(f"/ws?user={new_name()}&topics={topic}", offer=OFFER) for _ in range(3)]
    other = stand.tab(f"/ws?user={new_name()}&topics={topic}")
    pipe = stand.client.pipeline(transaction=True)  # one read of the bridge, most likely
    for n in range(50):
        pipe.execute_command("NOTIFY.SEND", f"topic:{topic}", f"number {n}", *(["CONTENT", CONTENT] if n % 2 else []))
    ids = [id_.decode() if isinstance(id_, bytes) else id_ for id_ in pipe.execute()]
    for tab in [*taking, other]:
        assert ids_of(stand.drain(tab), f"topic:{topic}") == ids
    assert all(tab.inflated >= 25 for tab in taking)


def test_answers_are_compressed_too(stand, user):
    stand.send_many(f"inbox:{user}", 30, "CONTENT", CONTENT)
    plain, taking = stand.tab(f"/ws?user={user}"), stand.tab(f"/ws?user={user}", offer=OFFER)
    page = taking.request("request_notification_history", limit=20)
    assert taking.inflated >= 1
    assert len(page["items"]) == 20
    assert page["items"] == plain.request("request_notification_history", limit=20)["items"]


def test_whoever_does_not_read_for_a_while_misses_nothing(stand, topic):
    tab = stand.tab(f"/ws?user={new_name()}&topics={topic}", offer=OFFER, receive_buffer=4096)
    noise = [os.urandom(6000).hex() for _ in range(40)]
    ids = [stand.send(f"topic:{topic}", "much", "CONTENT", noise[n % 40]) for n in range(400)]
    ids = [id_.decode() if isinstance(id_, bytes) else id_ for id_ in ids]
    got = []
    while len(got) < len(ids):
        got += ids_of([tab.recv()], f"topic:{topic}")
    assert got == ids


# -- in


def ping(request_id, blanks):
    """One of any length."""
    return f'{{"type":"ping",{blanks}"request_id":"{request_id}"}}'


def test_what_clients_compress_is_read(stand, watch):
    tab = stand.tab(f"/ws?user={new_name()}", offer=OFFER)
    tab.send_deflated(ping("r1", " " * 2000))
    assert tab.expect(request_id="r1")["type"] == "pong"
    whole = deflated(ping("r2", "".join(random.choices(" \n\r\t", k=1000))))
    tab.send_frame(TEXT, whole[:100], fin=False, rsv=RSV1)
    tab.send_frame(PING, b"between")
    assert tab.recv_frame() == (PONG, True, b"between")
    tab.send_frame(0, whole[100:], fin=True)
    assert tab.expect(request_id="r2")["type"] == "pong"
    tab.send({"type": "ping", "request_id": "r3"})  # plain ones, too
    assert tab.expect(request_id="r3")["type"] == "pong"
    assert watch.messages("in") == 2
    assert watch.bytes("in", "plain") > 2 * watch.bytes("in", "compressed")


def bomb(megabytes):
    return deflated(bytes(megabytes << 20))


def last_block(text):
    return b"\x01" + struct.pack("<HH", len(text), 0xFFFF ^ len(text)) + text


@pytest.mark.parametrize(
    "first, payload, code, limit",
    [
        (TEXT, bomb(16), 1009, "max-message-bytes"),
        (TEXT, deflated(b"x" * 65537), 1009, "max-message-bytes"),
        (TEXT, b"\0\0\0\xff\xff" * 2000, 1008, "compressed-blocks"),
        (TEXT, os.urandom(8) + b"no block", 1007, None),
        (TEXT, deflated(b"\xff\xfe"), 1007, None),
        (TEXT, deflated("cut")[:-2], 1007, None),
        (TEXT, last_block(b"{}"), 1007, None),
        (PING, deflated("ping"), 1002, None),
        (CLOSE, b"", 1002, None),
        (0x20 | TEXT, deflated("{}"), 1002, None),
    ],
)
def test_what_is_no_compressed_message_ends_the_connection_and_no_other(stand, watch, first, payload, code, limit):
    tab, other = (stand.tab(f"/ws?user={new_name()}", offer=OFFER) for _ in range(2))
    if code == 1007 and limit is None and payload.endswith(b"no block"):
        payload = b"\x07" + payload  # a kind of block that there is not
    tab.send_frame(first, payload, rsv=RSV1)
    assert tab.wait_closed().code == code
    if limit is not None:
        assert watch.limit(limit) == 1
    assert other.request("ping")["type"] == "pong"


def test_a_continuation_does_not_say_again_that_it_is_compressed(stand):
    tab = stand.tab(f"/ws?user={new_name()}", offer=OFFER)
    tab.send_frame(TEXT, deflated("{}")[:1], fin=False, rsv=RSV1)
    tab.send_frame(0, deflated("{}")[1:], rsv=RSV1)
    assert tab.wait_closed().code == 1002


# -- memory


class Host:
    """The transport alone, which tells of its heap."""

    def __init__(self, programs, *settings):
        program = programs.host("transport_host", "127.0.0.1:0", "HOST_DEFLATE=1", *settings, ready="^ready ")
        self.port = int(next(line for line in program.lines if line.startswith("ready ")).rsplit(":", 1)[1])

    def heap(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/stats", timeout=WAIT_TIMEOUT_S) as answer:
            return json.load(answer)["heap"]

    def open(self, count, offer):
        """Connections of which each has said something."""
        peers = [WsClient(self.port, "/ws/x", offer=offer) for _ in range(count)]
        for peer in peers:
            (peer.send if offer is None else peer.send_deflated)("hello" * 100)
            assert peer.recv_text() == "hello" * 100
        return peers


def test_a_connection_holds_nothing_more_for_it(programs):
    host = Host(programs)
    kept = host.open(2, OFFER) + host.open(1, None)  # what the process has once
    before = host.heap()
    kept += host.open(100, None)
    plain = host.heap() - before
    kept += host.open(100, OFFER)
    assert abs(host.heap() - before - 2 * plain) < 2000  # of 200 connections
    for peer in kept:
        peer.sock.close()


def test_bombs_leave_nothing_behind(programs):
    host = Host(programs)
    payload = bomb(8)

    def throw():
        with pytest.raises(Closed):
            peer = WsClient(host.port, "/ws/x", offer=OFFER)
            peer.send_frame(TEXT, payload, rsv=RSV1)
            peer.recv_text()

    throw()
    before = host.heap()
    for _ in range(50):
        throw()
    wait_until(lambda: host.heap() - before < 20000, "its heap as it was")


def test_of_a_message_that_does_not_end_no_more_is_held_than_has_come(programs):
    host = Host(programs)
    payload = bomb(8)
    peers = [WsClient(host.port, "/ws/x", offer=OFFER) for _ in range(20)]
    before = host.heap()
    for peer in peers:
        peer.send_frame(TEXT, payload[:1000], fin=False, rsv=RSV1)
        peer.send_frame(PING)
        assert peer.recv_frame()[0] == PONG
    assert host.heap() - before < 20 * 2000
    for peer in peers:
        peer.sock.close()


# -- over TLS


def test_it_goes_over_tls_as_well(make_stand, tmp_path):
    certificate, port = Certificate(tmp_path), free_port()
    stand = make_stand(
        "--compress", "--listen", f"127.0.0.1:{port},tls", "--tls-cert", certificate.cert, "--tls-key", certificate.key
    )
    context = ssl.create_default_context(cafile=certificate.cert)
    tab = stand.tab("/ws?user=alice", port=port, tls=context, offer=OFFER)
    assert tab.agreed == AGREED
    id_ = stand.send("inbox:alice", "Build finished", "CONTENT", CONTENT)
    assert tab.expect(id=id_)["data"]["content"] == CONTENT
    assert tab.inflated == 1
    tab.send_deflated({"type": "ping", "request_id": "r"})
    assert tab.expect(request_id="r")["type"] == "pong"
    tab.send_frame(TEXT, bomb(16), rsv=RSV1)
    assert tab.wait_closed().code == 1009


# -- real clients


def test_the_client_of_python_compresses_with_us(stand, user, watch):
    async def talk():
        address = f"ws://127.0.0.1:{stand.daemon.port}/ws?user={user}"
        async with websockets.connect(address, open_timeout=WAIT_TIMEOUT_S) as socket:
            agreed = socket.extensions if hasattr(socket, "extensions") else socket.protocol.extensions  # until 13, since
            assert [extension.name for extension in agreed] == ["permessage-deflate"]
            assert json.loads(await socket.recv())["type"] == "connection"
            await socket.send(ping("r", " " * 1000))
            assert json.loads(await socket.recv())["type"] == "pong"
            ids = [stand.send(f"inbox:{user}", "hello", "CONTENT", CONTENT) for _ in range(3)]
            got = [json.loads(await socket.recv()) for _ in ids]
            assert ids_of(got) == ids and all(one["data"]["content"] == CONTENT for one in got)

    asyncio.run(talk())
    assert (watch.messages("out"), watch.messages("in")) == (3, 1)


NODE = """
const WebSocket = require('ws');
const [address, count] = process.argv.slice(1);
const socket = new WebSocket(address, { perMessageDeflate: { threshold: 0 } });
let left = Number(count);
socket.on('open', () => {
  console.log('extensions', socket.extensions);
  socket.send(`{"type":"ping",${' '.repeat(1000)}"request_id":"r"}`);
});
socket.on('message', (data) => {
  const message = JSON.parse(data);
  console.log(message.type, message.request_id || '', (message.data && message.data.content || '').length);
  if (message.data && message.data.content && --left === 0) socket.close(1000);
});
socket.on('close', (code) => console.log('closed', code));
"""


def test_the_client_of_node_compresses_with_us(stand, user, watch):
    folder = os.path.join(ROOT, "tests", "socketio")
    if not os.path.isdir(os.path.join(folder, "node_modules", "ws")):
        pytest.skip("its packages are not there")
    words = ["node", "-e", NODE, f"ws://127.0.0.1:{stand.daemon.port}/ws?user={user}", "3"]
    with subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, text=True) as node:
        said = [node.stdout.readline().split() for _ in range(3)]
        assert said[0][:2] == ["extensions", "permessage-deflate"]
        for _ in range(3):
            stand.send(f"inbox:{user}", "hello", "CONTENT", CONTENT)
        said += [line.split() for line in node.stdout]
    assert ["pong", "r", "0"] in said
    assert [line[-1] for line in said].count(str(len(CONTENT))) == 3
    assert said[-1] == ["closed", "1000"]
    assert (watch.messages("out"), watch.messages("in")) == (3, 1)
