"""What two servers have said to the same client, brought into a form in which it can be compared: ids and times have no
value, only a place."""

import base64
import json
import re

ID = re.compile(r'("(?:sid|pid)":)"[\w-]{16,}"')
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$")
SOCKETIO = re.compile(r"^4([0-6])(?:(\d+)-)?(?:(/[^,]*),?)?(\d*)(.*)$", re.DOTALL)
OWN_IDS = ("id", "client_id", "timestamp")

UPGRADE = ("2probe", "3probe", "5")

# Of the answers' headers, what clients and proxies go by.
HEADERS = ("content-type", "cache-control", "access-control-allow-origin", "content-encoding")


def plain(value):
    """JSON without what is another in each run."""
    if isinstance(value, dict):
        if "code" in value and "message" in value:  # an error, whose words are its server's
            value = {name: f"<{name}>" if name in ("code", "message", "details") else one for name, one in value.items()}
        return {name: f"<{name}>" if name in OWN_IDS and isinstance(one, str) else plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return "<time>" if isinstance(value, str) and TIME.match(value) else value


def read_packet(packet):
    """("4", type, attachments, namespace, ack id, JSON) of a Socket.IO packet; any other as its text, ids without value."""
    if isinstance(packet, bytes):
        return ("bytes", packet.hex())
    if packet.startswith("b"):
        return ("bytes", base64.b64decode(packet[1:]).hex())
    if not packet.startswith("4"):
        return ID.sub(r'\1"<id>"', packet)
    type_, attachments, namespace, ack, text = SOCKETIO.match(packet).groups()
    if type_ in "04":  # their JSON is the server's own, to the byte
        return ("4", type_, attachments, namespace, ack, ID.sub(r'\1"<id>"', text))
    return ("4", type_, attachments, namespace, ack, plain(json.loads(text)) if text else None)


def is_of_interest(packet):
    """What only the time decides: pings and their answers, polls that are ended with nothing to say, and where among the
    others an upgrade is; see upgrades()."""
    return packet not in ("2", "3", "6", *UPGRADE)


def upgrades(packets):
    """{from_client: the steps of an upgrade}"""
    return {side: [packet for packet in said if packet in UPGRADE] for side, said in packets.items()}


def conversation(packets):
    """{from_client: what was said}"""
    return {side: [read_packet(packet) for packet in said if is_of_interest(packet)] for side, said in packets.items()}


def kind_of(exchange):
    """Which request it is."""
    known = "sid" in exchange.query
    if "upgrade" in exchange.asked:
        return "upgrade" if known else "open websocket"
    return f"{exchange.method} {'with' if known else 'without'} sid"


def heads(exchanges):
    """{which request: {(status, header, …), …}}"""
    found = {}
    for exchange in exchanges:
        said = {name: exchange.answered.get(name) for name in HEADERS}
        if exchange.status != 101 and said["content-type"] is not None:
            said["content-type"] = said["content-type"].lower().replace(" ", "")
        found.setdefault(kind_of(exchange), set()).add((exchange.status, *sorted(said.items(), key=str)))
    return found


def differs(theirs, ours, where=""):
    """None, or where ours is another than theirs. Objects of ours may have more members."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for name, one in theirs.items():
            if name not in ours:
                return f"{where}.{name}: missing in {ours}"
            if found := differs(one, ours[name], f"{where}.{name}"):
                return found
        return None
    if isinstance(theirs, (list, tuple)) and isinstance(ours, (list, tuple)):
        for at, (one, other) in enumerate(zip(theirs, ours)):
            if found := differs(one, other, f"{where}[{at}]"):
                return found
        return None if len(theirs) == len(ours) else f"{where}: {len(ours)} instead of {len(theirs)}: {ours[-3:]} instead of {theirs[-3:]}"
    return None if theirs == ours else f"{where}: {ours!r} instead of {theirs!r}"
