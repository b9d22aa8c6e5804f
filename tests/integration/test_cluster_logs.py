"""A bridge in front of a cluster, where logs lie in other slots than the inboxes that follow them: what is followed, counted
and marked, and what is said when a server is away. That all answers are those of one server: test_bridge_feed.py and
test_bridge_feed_model.py, which run with both."""

from urllib.parse import quote

import pytest

from bridge_helpers import new_name
from cluster import slot_of, tag_in
from cluster_stand import ClusterStand
from module_helpers import pairs
from servers import wait_until

ALL = "topic:all"


@pytest.fixture(scope="module")
def shared_cluster():
    stand = ClusterStand()
    yield stand
    stand.close()


@pytest.fixture
def stand(shared_cluster):
    yield shared_cluster
    shared_cluster.close_tabs()


def user_elsewhere(stand, key=ALL):
    """A user whose inbox is at another server than the key."""
    return next(name for name in iter(new_name, None) if stand.shard_of(f"inbox:{name}") != stand.shard_of(key))


def start_of(stand, user, log=ALL):
    return pairs(pairs(stand.call("NOTIFY.CURSORS", f"inbox:{user}"))[log])["start"]


def count(tab):
    answer = tab.request("unread_count")
    return answer["unread"], answer["logs"][ALL]["unread"]


def test_who_connects_follows_the_log_of_another_slot_from_now_on(stand):
    before = stand.send(ALL, "before it came")
    user = user_elsewhere(stand)
    tab = stand.tab(f"/ws?user={user}")
    assert start_of(stand, user) == before
    stand.send(ALL, "after it came")
    stand.send(f"inbox:{user}", "its own")
    assert count(tab) == (1, 1)


def test_what_comes_after_the_greeting_counts_however_many_come_at_once(stand):
    for _ in range(20):
        user = user_elsewhere(stand)
        tab = stand.tab(f"/ws?user={user}")
        stand.send(ALL)
        assert count(tab) == (0, 1), user


def test_who_comes_back_goes_on_where_it_was(stand):
    user = user_elsewhere(stand)
    stand.tab(f"/ws?user={user}").close()
    start = start_of(stand, user)
    stand.send(ALL, "while it was away")
    tab = stand.tab(f"/ws?user={user}")
    assert start_of(stand, user) == start
    assert count(tab) == (0, 1)


def test_a_log_in_the_slot_of_the_inbox_needs_no_more_commands_than_with_one_server(make_stand):
    tag = "acme"
    log = f"topic:{{{tag}}}:all"
    stand = make_stand("--broadcast-log", log, kind=ClusterStand)
    user = f"{{{tag}}}-alice"
    assert slot_of(f"inbox:{user}") == slot_of(log)
    tab = stand.tab(f"/ws?user={quote(user)}")
    id_ = stand.send(log, "hello")
    assert tab.request("unread_count")["logs"][log]["unread"] == 1
    assert tab.request("mark_read", log=log, id=id_)["logs"] == {log: 0}
    assert (stand.calls("notify.view"), stand.calls("notify.cursors")) == (0, 0)


def test_devices_hear_what_was_read_of_a_log_and_ask_how_much_is_left(stand):
    """Nobody at the inbox knows that: the number is missing in the message."""
    user = user_elsewhere(stand)
    tabs = [stand.tab(f"/ws?user={user}") for _ in range(2)]
    ids = [stand.send(ALL, f"number {n}") for n in range(3)]
    assert tabs[0].request("mark_read", log=ALL, ids=ids[:2])["logs"] == {ALL: 1}
    told = tabs[1].expect(type="read")
    assert (told["log"], told["ids"], "log_unread" in told) == (ALL, ids[:2], False)
    assert count(tabs[1]) == (0, 1)


def test_more_single_reads_than_an_inbox_can_note_are_possible_where_they_close_up(make_stand):
    """A cursor has room for 1024 exceptions: what is read without a gap is noted as one mark when it is full."""
    stand = make_stand(kind=ClusterStand)
    user = user_elsewhere(stand)
    tab = stand.tab(f"/ws?user={user}")
    ids = stand.send_many(ALL, 1200, "MAXLEN", 2000)
    for n in range(0, 1200, 100):
        answer = tab.request("mark_read", log=ALL, ids=ids[n : n + 100])
        assert (answer["type"], answer.get("changed")) == ("ok", 100), answer
    assert count(tab) == (0, 0)


def test_reads_that_are_too_scattered_are_refused_as_with_one_server(make_stand):
    stand = make_stand(kind=ClusterStand)
    user = user_elsewhere(stand)
    tab = stand.tab(f"/ws?user={user}")
    ids = stand.send_many(ALL, 2200, "MAXLEN", 3000)[1::2]
    answers = [tab.request("mark_read", log=ALL, ids=ids[n : n + 100]) for n in range(0, 1100, 100)]
    assert [answer["type"] for answer in answers] == ["ok"] * 10 + ["error"]
    assert answers[-1]["error"]["code"] == "LIMIT_REACHED"
    assert count(tab) == (0, 1200)
    assert tab.request("mark_all_read", log=ALL)["logs"] == {ALL: 0}


def test_an_inbox_that_has_muted_thousands_of_categories_is_counted_all_the_same(make_stand):
    """Its words are long: they are asked for one by one."""
    logs = [f"topic:log{n}" for n in range(6)]
    args = [word for log in logs for word in ("--broadcast-log", log)]
    stand = make_stand(*args, kind=ClusterStand, redis_options={"config": {"notify.max-reply-bytes": 65536}})
    tab = stand.tab("/ws?user=alice")
    for first in range(0, 4096, 64):
        names = (f"a category with a rather long name {n}" for n in range(first, first + 64))
        stand.call("NOTIFY.MUTE", "inbox:alice", *names)
    for log in logs:
        stand.send(log, "muted", "CATEGORY", "a category with a rather long name 7")
        stand.send(log, "not muted", "CATEGORY", "another")
    answer = tab.request("unread_count")
    assert {log: share["unread"] for log, share in answer["logs"].items()} == {log: 1 for log in logs}
    tab.close()
    assert stand.tab("/ws?user=alice").request("unread_count")["total"] == len(logs)


def test_a_log_that_cannot_be_asked_is_an_error_and_no_wrong_number(make_stand):
    stand = make_stand(kind=ClusterStand, redis_options={"cluster_require_full_coverage": "no"})
    user = user_elsewhere(stand)
    tab = stand.tab(f"/ws?user={user}")
    stand.send(f"inbox:{user}", "its own")
    stand.send(ALL, "of all")
    assert count(tab) == (1, 1)
    away = stand.primary_of(ALL)
    away.kill9()
    for type_, members in (
        ("unread_count", {}),
        ("mark_all_read", {}),
        ("request_notification_history", {"feed": True}),
        ("request_notification_history", {"log": ALL}),
    ):
        answer = tab.request(type_, **members)
        assert answer["type"] == "error" and answer["error"]["code"] == "UNAVAILABLE", (type_, answer)
    page = tab.request("request_notification_history")
    assert [item["title"] for item in page["items"]] == ["its own"], "what has nothing to do with it goes on"
    assert page["unread"] == 1, "nothing was read when not all could be"
    newcomer = stand.tab(f"/ws?user={user_elsewhere(stand)}", greeted=False)
    away.start()
    wait_until(lambda: tab.request("unread_count")["type"] == "unread_count", "the log's being there again")
    newcomer.expect(type="connection")  # once it hears all that it is to hear


def test_many_logs_in_all_slots_are_counted_listed_and_read(make_stand):
    logs = [f"topic:log{n}" for n in range(40)]
    args = [word for log in logs for word in ("--broadcast-log", log)]
    stand = make_stand(*args, kind=ClusterStand)
    tab = stand.tab("/ws?user=alice")
    sent = [(log, stand.send(log, f"of {log}")) for log in logs for _ in range(2)]
    answer = tab.request("unread_count")
    assert (answer["total"], list(answer["logs"])) == (80, logs)
    page = tab.request("request_notification_history", feed=True, limit=100, total=True)
    assert sorted((item["log"], item["id"]) for item in page["items"]) == sorted(sent)
    assert page["total"] == 80
    assert tab.request("mark_all_read")["logs"] == {log: 0 for log in logs}


def test_what_a_role_has_lost_is_left_and_the_new_one_begins_now(make_stand, tmp_path):
    from tokens import SECRET, token

    path = tmp_path / "roles.conf"
    path.write_text("role *\n  categories *\n  follow news\nrole dev\n  follow builds\n")
    stand = make_stand("--auth", "jwt", "--jwt-secret", SECRET, "--roles", str(path), kind=ClusterStand)

    def follows(*roles):
        stand.tab(f"/ws?token={token('alice', roles=list(roles))}")
        return sorted(pairs(stand.call("NOTIFY.CURSORS", "inbox:alice")))

    assert follows("dev") == ["topic:all", "topic:builds", "topic:news"]
    stand.close_tabs()
    assert follows() == ["topic:all", "topic:news"]


def test_tags_of_shards_are_what_tests_take_them_for(stand):
    for n, slots in enumerate(stand.cluster.slots):
        assert stand.shard_of(f"x:{{{tag_in(slots)}}}") == n


def resumed(tab, positions):
    """(key, title) of what comes, until it is said that all is there."""
    tab.send({"type": "resume", "positions": positions, "request_id": 9})
    got = []
    while True:
        message = tab.recv()
        if message["type"] == "resumed":
            return sorted(got), message["results"]
        got.append((message["key"], message["data"]["title"]))


def test_who_comes_back_while_a_slot_moves_has_all_keys_of_it_wherever_they_are(make_stand):
    """A command about several keys of such a slot is refused until it has moved: they are asked for one by one."""
    stand = make_stand(kind=ClusterStand)
    source, target = stand.cluster.shards[0][0], stand.cluster.shards[1][0]
    tag = tag_in(stand.cluster.slots[0])
    topics = [f"{{{tag}}}{name}" for name in ("moved", "stays", "never")]
    keys = [f"topic:{topic}" for topic in topics]
    first = [stand.send(key, "first") for key in keys[:2]]
    tab = stand.tab("/ws?user=alice")
    stand.cluster.begin_move(slot_of(keys[0]), source, target)
    stand.cluster.move_keys(source, target, keys[0])
    for key in keys[:2]:
        stand.send(key, "second")
    got, results = resumed(tab, {keys[0]: first[0], keys[1]: first[1], keys[2]: "0-0"})
    assert got == sorted((key, "second") for key in keys[:2])
    assert {key: result["recovered"] for key, result in results.items()} == dict.fromkeys(keys, True)
    stand.cluster.move_all_keys(slot_of(keys[0]), source, target)
    stand.cluster.end_move(slot_of(keys[0]), source, target)
    later = stand.send(keys[1], "third")
    assert tab.expect(type="notification", key=keys[1])["id"] == later


def test_counts_are_right_while_the_slots_of_inbox_and_log_move(make_stand):
    stand = make_stand(kind=ClusterStand)
    user = user_elsewhere(stand)
    tab = stand.tab(f"/ws?user={user}")
    stand.send(ALL, "of all")
    for key in (ALL, f"inbox:{user}"):
        source = stand.primary_of(key)
        target = next(shard[0] for shard in stand.cluster.shards if shard[0] is not source)
        stand.cluster.begin_move(slot_of(key), source, target)
        assert count(tab) == (0, 1)
        stand.cluster.move_all_keys(slot_of(key), source, target)
        assert count(tab) == (0, 1)
        stand.cluster.end_move(slot_of(key), source, target)
        assert count(tab) == (0, 1)
    assert tab.request("mark_all_read")["logs"] == {ALL: 0}
