"""The bridge in front of a cluster that speaks TLS and asks who it is."""

import pytest

from certificates import Authority
from cluster import Cluster, slot_of
from servers import wait_until
from test_acl_docs import line_of
from test_bridge_cluster import Tabs, start, users_everywhere

# What docs/acl.md says that a cluster needs in addition.
OF_CLUSTERS = (
    "+cluster|info +cluster|shards +asking +ssubscribe +sunsubscribe +notify.cursors +notify.view"
)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tls"))


def tls_options(authority, names, clients="yes"):
    ours = authority.issue("node-" + names.split(":")[-1], names)
    return {"tls_cert_file": ours.cert, "tls_key_file": ours.key, "tls_ca_cert_file": authority.cert,
            "tls_auth_clients": clients}  # fmt: skip


@pytest.fixture(scope="module")
def locked(session_programs, authority):
    """Three primaries with a replica each, that let nobody in without a certificate over TLS, and the bridge do no more
    than it needs."""
    cluster = Cluster(session_programs, tls=tls_options(authority, "IP:127.0.0.1"))
    for node in cluster.nodes:
        cluster.ask(node, "ACL", "SETUSER", "bridge", "on", ">secret", *line_of("bridge"), *OF_CLUSTERS.split())
    return cluster


def url_of(*nodes, user="bridge:secret@"):
    return f"rediss://{user}" + ",".join(f"127.0.0.1:{node.options['tls-port']}" for node in nodes)


def files(authority):
    ours = authority.issue("bridge", "DNS:bridge")
    return "--redis-tls-ca", authority.cert, "--redis-tls-cert", ours.cert, "--redis-tls-key", ours.key


def links_of_bridges(cluster):
    """[(port of TLS?, user)] of all connections that bridges have to nodes."""
    found = []
    for node in cluster.nodes:
        for one in node.client().client_list():
            if one["name"].startswith("notify-bridge"):
                found.append((int(one["laddr"].rsplit(":", 1)[1]) == int(node.options["tls-port"]), one["user"]))
    return found


def test_all_links_to_a_cluster_go_over_tls_as_the_user_with_the_rights_of_the_documentation(locked, authority, programs):
    bridge = start(programs, url_of(locked.shards[1][0]), *files(authority))
    users = users_everywhere(locked, name="tls")
    tabs, client = Tabs(bridge, users), locked.client()
    ids = {user: [client.call("NOTIFY.SEND", f"inbox:{user}", f"n{n}") for n in range(20)] for user in users}
    for user in users:
        assert tabs.got(user, 20) == ids[user]
        assert tabs.tabs[user].request("mark_read", id=ids[user][0])["type"] != "error"
    assert len(links_of_bridges(locked)) >= 2 * len(locked.shards)  # to hear and to ask, at each primary
    assert set(links_of_bridges(locked)) == {(True, "bridge")}
    assert not bridge.has_line("NOPERM|secret")
    tabs.close()
    client.close()


def test_redirections_and_failovers_lead_to_the_ports_for_tls(locked, authority, programs):
    bridge = start(programs, url_of(locked.shards[0][0]), *files(authority))
    (user, *_) = users_everywhere(locked, name="mv")
    key, (source, replica), (target, _) = f"inbox:{user}", *locked.shards[:2]
    tabs, client = Tabs(bridge, [user]), locked.client()

    def send_and_ask():
        id_ = client.call("NOTIFY.SEND", key, "hello")
        assert tabs.got(user, 1) == [id_]
        assert tabs.tabs[user].request("mark_read", id=id_)["type"] != "error"

    for here, there in ((source, target), (target, source)):
        send_and_ask()
        locked.begin_move(slot_of(key), here, there)
        locked.move_keys(here, there, key)
        assert tabs.tabs[user].request("unread_count")["type"] != "error"  # ASK
        locked.move_all_keys(slot_of(key), here, there)
        locked.end_move(slot_of(key), here, there)
        send_and_ask()
    locked.wait_agreement()
    for new in (replica, source):
        locked.ask(new, "CLUSTER", "FAILOVER")
        locked.wait_role(new, "master")
        locked.wait_agreement()
        client.ports.clear()
        send_and_ask()
        assert set(links_of_bridges(locked)) == {(True, "bridge")}
    tabs.close()
    client.close()


def test_nodes_may_name_themselves_by_what_their_certificates_have(authority, programs):
    cluster = Cluster(programs, replicas=0, tls=tls_options(authority, "DNS:localhost"), cluster_announce_hostname="localhost",
                      cluster_preferred_endpoint_type="hostname")  # fmt: skip
    ports = ",".join(f"localhost:{node.options['tls-port']}" for node in cluster.nodes)
    bridge = start(programs, f"rediss://{ports}", *files(authority))
    users = users_everywhere(cluster, each=1)
    tabs, client = Tabs(bridge, users), cluster.client()
    for user in users:
        id_ = client.call("NOTIFY.SEND", f"inbox:{user}", "hello")
        assert tabs.got(user, 1) == [id_]
    tabs.close()
    client.close()


@pytest.mark.parametrize(
    "what, reason",
    [
        ("a wrong password", "WRONGPASS"),
        ("no user", "NOPERM|NOAUTH"),
        ("no certificate", "the server hung up after the TLS handshake"),
        ("another authority", "nobody whom we believe vouches for the server's certificate"),
        ("the plain port", "the server speaks no TLS at this port|no TLS handshake came about"),
    ],
)
def test_what_a_cluster_does_not_let_in_is_told_by_a_sentence(what, reason, locked, authority, programs, tmp_path):
    node, words = locked.shards[0][0], list(files(authority))
    url = url_of(node)
    if what == "a wrong password":
        url = url_of(node, user="bridge:another@")
    elif what == "no user":
        locked.ask(node, "ACL", "SETUSER", "nobody", "on", ">secret", "-@all")
        url = url_of(node, user="nobody:secret@")
    elif what == "no certificate":
        words = words[:2]
    elif what == "another authority":
        words[1] = Authority(tmp_path, "other").cert
    else:
        url = f"rediss://127.0.0.1:{node.port}"
    bridge = start(programs, url, *words, wait_ready=False)
    bridge.wait_line(f"event=redis_link_down link=notify-bridge:cluster .*({reason})")
    assert not bridge.has_line("secret|another@")


def test_a_cluster_whose_nodes_were_given_new_certificates_is_gone_on_with(locked, authority, programs, tmp_path):
    """All links are closed, and come back by the certificates that are in the files now."""
    bridge = start(programs, url_of(locked.shards[2][0]), *files(authority))
    mark = bridge.mark()
    for node in locked.nodes:
        fresh = authority.issue(f"renewed-{node.port}", "IP:127.0.0.1")
        node.client().config_set("tls-cert-file", fresh.cert, "tls-key-file", fresh.key)
        locked.ask(node, "CLIENT", "KILL", "USER", "bridge")
    bridge.wait_line("event=redis_link_down", since=mark)
    (user, *_) = users_everywhere(locked, name="renewed")
    wait_until(lambda: len(links_of_bridges(locked)) >= 2 * len(locked.shards), "links to all")
    tabs, client = Tabs(bridge, [user]), locked.client()
    id_ = client.call("NOTIFY.SEND", f"inbox:{user}", "hello")
    assert tabs.got(user, 1) == [id_]
    tabs.close()
    client.close()
