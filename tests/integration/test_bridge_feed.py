"""What an inbox needs beside its notifications: its logs in counts and lists, marks and their undoing, mutes, categories, actions."""

import json

import pytest

from bridge_helpers import Stand, ids_of, new_name, number_of
from cluster_stand import ClusterStand
from servers import wait_until
from tokens import SECRET, token

ID = "1795208400123-0"
ALL = "topic:all"


def items_of(page):
    """(log or None, id) of each item."""
    return [(item.get("log"), item["id"]) for item in page["items"]]


def in_order(entries):
    """(log or None, id) as a feed has them: by ids, then by the names of the boxes, "inbox:…" first."""
    return sorted(entries, key=lambda entry: (*(-n for n in number_of(entry[1])), entry[0] or ""))


def feed(tab, **members):
    return tab.request("request_notification_history", feed=True, **members)


@pytest.fixture
def pair(shared_pair):
    """A Stand with a second bridge, pair.other; and a tab of the same user on each: pair.tabs."""
    user = new_name()
    shared_pair.user = user
    shared_pair.inbox = f"inbox:{user}"
    shared_pair.tabs = [shared_pair.tab(f"/ws?user={user}"), shared_pair.tab(f"/ws?user={user}", port=shared_pair.other.port)]
    yield shared_pair
    shared_pair.close_tabs()


@pytest.fixture(scope="module", params=[Stand, ClusterStand], ids=["one-server", "cluster"])
def shared_pair(request):
    group = request.param()
    group.other = group.bridge(group.server, name="other")
    yield group
    group.close()


# ---- counts


def test_the_count_has_the_logs_beside_the_inbox_and_a_total(pair):
    pair.send(pair.inbox, "a", "CATEGORY", "ci")
    pair.send(ALL, "b", "CATEGORY", "ops")
    last = pair.send(ALL, "c", "CATEGORY", "ops")
    for tab in pair.tabs:
        count = tab.request("unread_count")
        assert (count["unread"], count["unseen"], count["total"], count["total_unseen"]) == (1, 1, 3, 3)
        assert count["by_category"] == {"ci": 1, "ops": 2}
        log = count["logs"][ALL]
        assert (log["unread"], log["unseen"], log["last"]) == (2, 2, last)
        assert count["muted"] == []


def test_a_log_that_is_empty_or_read_counts_nothing(pair):
    count = pair.tabs[0].request("unread_count")
    assert (count["total"], count["logs"][ALL]["unread"], count["by_category"]) == (0, 0, {})


# ---- marks


def changed(answer):
    assert answer["type"] == "ok", answer
    return answer["changed"], answer["unread"], answer.get("logs")


@pytest.mark.parametrize(
    "type_, told, left",
    [("mark_read", "read", 1), ("archive", "archived", 1), ("delete_notification", "archived", 1)],
)
def test_an_entry_of_a_log_is_marked_for_one_user_and_told_to_all_of_his_devices(pair, type_, told, left):
    ids = [pair.send(ALL) for _ in range(2)]
    assert changed(pair.tabs[0].request(type_, id=ids[0], log=ALL)) == (1, 0, {ALL: left})
    for tab in pair.tabs:
        message = tab.expect(type=told)
        assert (message["key"], message["log"], message["ids"]) == (pair.inbox, ALL, ids[:1])
        assert message.get("log_unread") == (left if pair.sees_logs else None)
    assert changed(pair.tabs[1].request(type_, ids=ids, log=ALL)) == (1, 0, {ALL: 0})
    assert changed(pair.tabs[1].request(type_, ids=ids, log=ALL)) == (0, 0, {ALL: 0})
    assert pair.call("NOTIFY.GET", ALL, ids[0]) != [None]


@pytest.mark.parametrize("log", [None, ALL])
@pytest.mark.parametrize(
    "does, undoes, told",
    [("mark_read", "mark_unread", "unread_again"), ("archive", "unarchive", "unarchived")],
)
def test_what_was_done_can_be_undone_and_all_devices_are_told(pair, log, does, undoes, told):
    id_ = pair.send(log or pair.inbox)
    before = pair.tabs[0].request("unread_count")["total"]
    assert pair.tabs[0].request(does, id=id_, log=log)["changed"] == 1
    assert pair.tabs[0].request("unread_count")["total"] == before - 1
    assert pair.tabs[1].request(undoes, id=id_, log=log)["changed"] == 1
    assert pair.tabs[0].request("unread_count")["total"] == before
    for tab in pair.tabs:
        message = tab.expect(type=told)
        assert (message["ids"], message.get("log")) == ([id_], log)


def test_the_own_inbox_may_be_named_as_the_log(pair):
    id_ = pair.send(pair.inbox)
    assert changed(pair.tabs[0].request("mark_read", id=id_, log=pair.inbox)) == (1, 0, None)


def test_all_is_read_in_the_inbox_and_its_logs_or_in_one_of_them(pair):
    tab = pair.tabs[0]
    for key in (pair.inbox, ALL):
        pair.send(key)
    assert changed(tab.request("mark_all_read")) == (2, 0, {ALL: 0})
    for key in (pair.inbox, ALL):
        pair.send(key)
    assert changed(tab.request("mark_all_read", log=pair.inbox)) == (1, 0, None)
    pair.send(pair.inbox)
    assert changed(tab.request("mark_all_read", log=ALL)) == (1, 1, {ALL: 0})
    last = pair.send(ALL, "x", "CATEGORY", "ci")
    pair.send(ALL, "x", "CATEGORY", "other")
    assert changed(tab.request("mark_all_read", category="ci")) == (1, 1, {ALL: 1})
    assert changed(tab.request("mark_all_read", upto=last)) == (1, 0, {ALL: 1})


def test_seen_is_so_in_the_inbox_and_its_logs(pair):
    for key in (pair.inbox, ALL):
        pair.send(key)
    assert pair.tabs[0].request("unread_count")["total_unseen"] == 2
    assert changed(pair.tabs[0].request("mark_seen")) == (2, 1, {ALL: 1})
    count = pair.tabs[1].request("unread_count")
    assert (count["total"], count["total_unseen"]) == (2, 0)


def test_a_log_that_is_not_followed_by_the_inbox_is_not_marked(pair):
    pair.tabs[0].request("subscribe", topic="elsewhere")
    id_ = pair.send("topic:elsewhere")
    assert changed(pair.tabs[0].request("mark_read", id=id_, log="topic:elsewhere")) == (0, 0, {"topic:elsewhere": 0})


# ---- mutes and categories


def test_a_muted_category_is_not_counted_anywhere_until_it_is_unmuted(pair):
    for key in (pair.inbox, ALL):
        pair.send(key, "x", "CATEGORY", "ads")
        pair.send(key, "x", "CATEGORY", "ci")
    assert changed(pair.tabs[0].request("mute", category="ads")) == (1, 1, {ALL: 1})
    for tab in pair.tabs:
        assert tab.expect(type="muted")["categories"] == ["ads"]
        count = tab.request("unread_count")
        assert (count["total"], count["by_category"], count["muted"]) == (2, {"ci": 2}, ["ads"])
    assert changed(pair.tabs[0].request("mute", category="ads")) == (0, 1, {ALL: 1})
    assert changed(pair.tabs[1].request("unmute", category="ads")) == (1, 2, {ALL: 2})
    for tab in pair.tabs:
        assert tab.expect(type="unmuted")["categories"] == ["ads"]
    assert pair.tabs[0].request("unread_count")["total"] == 4


def test_categories_lists_what_is_muted_what_may_be_seen_and_what_there_is(make_stand):
    stand = make_stand()
    tab = stand.tab("/ws?user=alice")
    empty = {"type": "categories", "muted": [], "permitted": ["*"], "present": []}
    answer = tab.request("categories")
    assert {name: answer[name] for name in empty} == empty
    stand.send("inbox:alice", "x", "CATEGORY", "mine")
    stand.send(ALL, "x", "CATEGORY", "ops")
    tab.request("mute", category="never sent")
    answer = tab.request("categories")
    assert (answer["muted"], sorted(answer["present"])) == (["never sent"], ["mine", "ops"])


def test_without_a_box_there_are_no_categories_and_no_mutes(make_stand):
    stand = make_stand("--broadcast-log", "")
    tab = stand.tab("/ws?user=alice")
    assert tab.request("categories")["present"] == []
    count = tab.request("unread_count")
    assert (count["muted"], count["logs"], count["total"]) == ([], {}, 0)


# ---- the feed


def test_the_feed_is_the_inbox_and_its_logs_newest_first_and_each_item_names_its_log(pair):
    tab, sent = pair.tabs[0], []
    for n in range(7):
        log = ALL if n % 3 == 0 else None
        sent.append((log, pair.send(log or pair.inbox, f"number {n}")))
    expected, page = in_order(sent), feed(tab, limit=3)
    assert (items_of(page), page["unread"]) == (expected[:3], 7)
    assert {item["title"] for item in feed(tab)["items"]} == {f"number {n}" for n in range(7)}
    rest = feed(tab, before=page["next"])
    assert (items_of(rest), rest["next"]) == (expected[3:], None)
    middle = sent[3][1]
    assert items_of(feed(tab, before=middle)) == [e for e in expected if number_of(e[1]) < number_of(middle)]


def test_the_feed_says_what_is_read_and_filters(pair):
    tab = pair.tabs[0]
    ids = [pair.send(ALL, "x", "CATEGORY", "abc"[n], "TYPE", "t") for n in range(3)]
    own = pair.send(pair.inbox, "x", "CATEGORY", "a")
    tab.request("mark_read", id=ids[0], log=ALL)
    tab.request("archive", id=ids[1], log=ALL)
    assert {(item.get("log"), item["id"]): item["is_read"] for item in feed(tab)["items"]} == {
        (ALL, ids[0]): True, (ALL, ids[2]): False, (None, own): False}  # fmt: skip
    assert items_of(feed(tab, unread_only=True)) == in_order([(None, own), (ALL, ids[2])])
    assert items_of(feed(tab, archived=True)) == [(ALL, ids[1])]
    assert items_of(feed(tab, category="a")) == in_order([(None, own), (ALL, ids[0])])
    assert items_of(feed(tab, notification_type="t")) == [(ALL, ids[2]), (ALL, ids[0])]


def test_numbered_pages_and_a_total(pair):
    tab = pair.tabs[0]
    sent = in_order([((None, ALL)[n % 2], pair.send((pair.inbox, ALL)[n % 2])) for n in range(10)])
    page = feed(tab, offset=4, limit=3, total=True)
    assert (items_of(page), page["total"]) == (sent[4:7], 10)
    assert feed(tab, offset=10, total=True)["items"] == []
    assert "total" not in feed(tab)


def test_archived_entries_are_a_list_of_their_own(pair):
    tab = pair.tabs[0]
    ids = [pair.send(pair.inbox) for _ in range(3)]
    tab.request("archive", ids=ids[:2])
    assert items_of(tab.request("request_notification_history", archived=True)) == [(None, ids[1]), (None, ids[0])]
    assert items_of(tab.request("request_notification_history")) == [(None, ids[2])]


def test_a_log_as_the_inbox_sees_it(pair):
    tab = pair.tabs[0]
    ids = [pair.send(ALL) for _ in range(3)]
    pair.send(pair.inbox)
    tab.request("mark_read", id=ids[1], log=ALL)
    page = tab.request("request_notification_history", log=ALL)
    assert items_of(page) == [(ALL, id_) for id_ in ids[::-1]]
    assert ([item["is_read"] for item in page["items"]], page["unread"]) == ([False, True, False], 2)


def test_a_feed_of_large_entries_is_cut_by_bytes_and_goes_on(pair):
    tab = pair.tabs[0]
    sent = [((None, ALL)[n % 2], pair.send((pair.inbox, ALL)[n % 2], "x", "CONTENT", "c" * 30000)) for n in range(9)]
    found, before = [], None
    while True:
        page = feed(tab, limit=9, before=before)
        found += items_of(page)
        before = page["next"]
        if before is None:
            break
        assert len(json.dumps(page["items"])) < 140000
    assert found == in_order(sent)


# ---- actions


def test_an_action_that_is_done_is_told_to_all_devices_and_to_those_that_come_later(pair):
    for log in (None, ALL):
        id_ = pair.send(log or pair.inbox, "Review", "ACTION", '{"label":"Open","url":"/r","name":"open"}')
        answer = pair.tabs[0].request("action_done", id=id_, log=log, name="open")
        assert (answer["type"], answer["changed"], answer["unread"]) == ("ok", 1, 0)
        data = {"notification_id": id_, "name": "open", **({"log": log} if log else {})}
        for tab in pair.tabs:
            assert tab.expect(type="action_done")["data"] == data
        later = pair.tab(f"/ws?user={pair.user}").request("request_notification_history")
        assert later["items"][0]["data"] == data
    again = pair.tabs[1].request("action_done", id=id_, log=ALL)
    assert again["changed"] == 0
    events = [item for item in feed(pair.tabs[0])["items"] if item.get("type") == "action_done"]
    assert [event["data"].get("name") for event in events] == [None, "open"]


def test_an_action_of_an_entry_that_is_not_there_is_not_found(pair):
    for log in (None, ALL, "topic:unknown"):
        assert pair.tabs[0].request("action_done", id="1-1", log=log)["error"]["code"] == "NOT_FOUND"
    assert ids_of(pair.drain(pair.tabs[0])) == []


def test_an_action_is_any_json_and_data_with_it(pair):
    for action in ("5", '"text"', "[1]", '{"url":7,"secondary":null}'):
        id_ = pair.send(pair.inbox, "x", "ACTION", action, "DATA", '{"avatar":"/a.png"}')
        item = feed(pair.tabs[0], limit=1)["items"][0]
        assert (item["id"], item["action"], item["data"]) == (id_, json.loads(action), {"avatar": "/a.png"})


# ---- bad requests

LOGGED = ("mark_read", "mark_unread", "archive", "unarchive", "delete_notification", "action_done")
BAD = [
    *((type_, {"id": ID, "log": log}, "log") for type_ in LOGGED for log in ("", 5, ["topic:all"], True, "x" * 513)),
    *((type_, {"log": log}, "log") for type_ in ("mark_all_read", "mark_seen") for log in ("", 7, {}, "é" * 257)),
    *((type_, {"category": name}, "category") for type_ in ("mute", "unmute") for name in ("", "x" * 65, "a\n", 3, ["a"])),
    *(("action_done", {"id": id_}, "id") for id_ in ("", "x", 5, "1-1-1", [ID])),
    *(("action_done", {"id": ID, "name": name}, "name") for name in ("", "n" * 129, 5, "\u0001")),
    ("categories", {"log": ALL}, "log"),
    *(("request_notification_history", {"feed": flag}, "feed") for flag in (1, "true", [])),
    *(("request_notification_history", {"feed": True, name: value}, name) for name, value in (("topic", "t"), ("log", ALL), ("after", ID))),
    *(("request_notification_history", {"feed": True, "offset": n}, "offset") for n in (-1, 10001, "1", 1.5)),
    *(("request_notification_history", {name: value}, name) for name, value in (("offset", 1), ("total", True), ("before", f"{ID}:{ALL}"))),
    *(("request_notification_history", {"feed": True, "before": before}, "before") for before in ("x", f"x:{ALL}", f"{ID}:", ":", f"{ID}:" + "k" * 513)),
    ("request_notification_history", {"archived": True, "unread_only": True}, "unread_only"),
    ("request_notification_history", {"topic": "t", "archived": True}, "archived"),
    ("request_notification_history", {"topic": "t", "log": ALL}, "log"),
]


@pytest.mark.parametrize("type_, members, member", BAD)
def test_a_bad_member_is_told_by_its_name_and_nothing_is_done(pair, type_, members, member):
    pair.send(pair.inbox, "x", "CATEGORY", "ci")
    raw = pair.raw(pair.inbox)
    before = raw.execute_command("DUMP", pair.inbox)
    answer = pair.tabs[0].request(type_, **members)
    assert (answer["type"], answer["error"]["code"]) == ("error", "INVALID_FIELD"), answer
    assert answer["error"]["details"] == {"member": member}
    assert raw.execute_command("DUMP", pair.inbox) == before


@pytest.mark.parametrize("type_, members", [("mute", {}), ("unmute", {}), ("action_done", {}), ("mark_unread", {}), ("unarchive", {})])
def test_what_is_needed_must_be_there(pair, type_, members):
    assert pair.tabs[0].request(type_, **members)["error"]["code"] == "MISSING_FIELD"


@pytest.mark.parametrize("log", ["notifications", "inbox:somebody", "session:", "sessions:x", "\u0000", "topic:"])
def test_a_log_that_may_not_be_followed_is_forbidden(pair, log):
    for type_, members in (*((type_, {"id": ID}) for type_ in LOGGED), ("mark_all_read", {}), ("mark_seen", {}),
                           ("request_notification_history", {})):  # fmt: skip
        answer = pair.tabs[0].request(type_, log=log, **members)
        assert answer["error"]["code"] == "FORBIDDEN", answer
        assert answer["error"]["details"]["member"] == "log"


# ---- rights

ROLES = """
role *
  categories  system
  permitted   maintenance
  follow      news
role admin
  categories  *
role guest
  subscribe   public
"""
HIDDEN, SHOWN, NEWS = "secret", "system", "topic:news"


@pytest.fixture(scope="module", params=[Stand, ClusterStand], ids=["one-server", "cluster"])
def filtered_stand(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("feed") / "roles.conf"
    path.write_text(ROLES)
    group = request.param("--auth", "jwt", "--jwt-secret", SECRET, "--roles", str(path), "--anonymous-role", "guest")
    yield group
    group.close()


@pytest.fixture
def some(filtered_stand):
    """A Stand with roles, some.user and a tab of a plain user, some.plain, and of an admin, some.admin."""
    some = filtered_stand
    some.user = new_name()
    some.plain = some.tab(f"/ws?token={token(some.user)}&last_event_id=")
    some.admin = some.tab(f"/ws?token={token('root-' + some.user, roles=['admin'])}&last_event_id=")
    yield some
    some.close_tabs()


def send_mixed(stand, key=ALL):
    """Ids of entries: shown, hidden, hidden, without a category, permitted."""
    return [
        stand.send(key, "x", *(["CATEGORY", category] if category else []))
        for category in (SHOWN, HIDDEN, "more secret", None, "maintenance")
    ]


def test_hidden_categories_are_not_counted(some):
    ids = send_mixed(some)
    send_mixed(some, f"inbox:{some.user}")
    count = some.plain.request("unread_count")
    assert (count["unread"], count["logs"][ALL]["unread"], count["logs"][ALL]["unseen"]) == (5, 3, 3)
    assert (count["total"], count["total_unseen"]) == (8, 8)
    assert count["by_category"] == {SHOWN: 2, "maintenance": 2, HIDDEN: 1, "more secret": 1}
    assert set(count["logs"][ALL]) == {"unread", "unseen", "epoch"}, "nothing that speaks of hidden entries"
    everything = some.admin.request("unread_count")
    assert (everything["total"], everything["logs"][ALL]["last"]) == (5, ids[-1])


def test_hidden_categories_are_not_listed_nor_in_totals_and_offsets(some):
    ids = send_mixed(some)
    own = send_mixed(some, f"inbox:{some.user}")
    expected = in_order([(None, id_) for id_ in own] + [(ALL, ids[n]) for n in (4, 3, 0)])
    page = feed(some.plain, total=True)
    assert (items_of(page), page["total"], page["unread"]) == (expected, 8, 8)
    assert items_of(feed(some.plain, offset=5, limit=2)) == expected[5:7]
    assert items_of(feed(some.plain, offset=7)) == expected[7:]
    assert items_of(feed(some.plain, category=HIDDEN)) == [(None, own[1])]
    assert feed(some.plain, category=HIDDEN, total=True)["total"] == 1
    assert feed(some.plain, category=SHOWN, total=True)["total"] == 2
    page = some.plain.request("request_notification_history", log=ALL)
    assert (items_of(page), page["unread"]) == ([(ALL, ids[n]) for n in (4, 3, 0)], 3)
    assert feed(some.admin, total=True)["total"] == 5


def test_events_of_a_log_do_not_speak_of_hidden_entries(some):
    some.send(ALL, "x", "CATEGORY", HIDDEN)
    some.call("NOTIFY.EVENT", ALL, "progress", "DATA", '{"percent":5}')
    for members in ({"feed": True}, {"log": ALL}, {"topic": "all"}):
        item = some.plain.request("request_notification_history", limit=1, **members)["items"][0]
        assert (item["type"], item["data"]) == ("progress", {"percent": 5})
        assert not {"prev", "rev", "unread", "replaces"} & set(item)
        assert "prev" in some.admin.request("request_notification_history", limit=1, **members)["items"][0]


def test_hidden_categories_are_not_named(some):
    send_mixed(some)
    answer = some.plain.request("categories")
    assert answer["permitted"] == [SHOWN, "maintenance"]
    assert not {HIDDEN, "more secret"} & set(answer["present"])
    assert {HIDDEN, "more secret", SHOWN} <= set(some.admin.request("categories")["present"])
    some.send(f"inbox:{some.user}", "x", "CATEGORY", HIDDEN)
    assert HIDDEN in some.plain.request("categories")["present"], "one's own inbox is whole"


def test_hidden_categories_are_not_marked(some):
    ids = send_mixed(some)
    tab, inbox = some.plain, f"inbox:{some.user}"

    def left():
        """What Redis says is unread of the log, whoever may see it."""
        return some.unread(inbox, ALL)

    assert changed(tab.request("mark_read", ids=ids[:2], log=ALL)) == (1, 0, {ALL: 2})
    assert left() == 4
    assert changed(tab.request("archive", ids=ids, log=ALL)) == (3, 0, {ALL: 0})
    assert changed(tab.request("unarchive", ids=ids, log=ALL)) == (3, 0, {ALL: 2})
    assert changed(tab.request("mark_seen")) == (2, 0, {ALL: 2, NEWS: 0})
    assert changed(tab.request("mark_all_read", log=ALL)) == (2, 0, {ALL: 0})
    assert left() == 2, "those that are hidden stay unread"
    assert tab.request("action_done", id=ids[1], log=ALL)["error"]["code"] == "NOT_FOUND"
    assert tab.request("mark_all_read", log=ALL, category=HIDDEN)["error"]["code"] == "FORBIDDEN"
    some.send(inbox, "x", "CATEGORY", HIDDEN)
    assert changed(tab.request("mark_all_read", category=HIDDEN)) == (1, 0, None)
    some.send(inbox, "x", "CATEGORY", HIDDEN)
    some.send(ALL, "x", "CATEGORY", SHOWN)
    newest = tab.request("request_notification_history", feed=True, limit=1)["items"][0]["id"]
    assert changed(tab.request("mark_all_read", upto=newest)) == (2, 0, {ALL: 0, NEWS: 0})
    assert left() == 2


def test_many_hidden_and_shown_entries_are_told_apart_page_by_page(some):
    tab = some.plain
    shown = [some.send(ALL, "x", "CATEGORY", SHOWN if n % 3 else f"{HIDDEN} {n}") for n in range(150)]
    assert tab.request("unread_count")["total"] == 100
    page = feed(tab, limit=100, total=True)
    assert ([item["id"] for item in page["items"]], page["total"]) == ([i for n, i in enumerate(shown) if n % 3][::-1], 100)
    assert changed(tab.request("mark_read", ids=shown[:100], log=ALL)) == (66, 0, {ALL: 34})
    assert changed(tab.request("mark_all_read")) == (34, 0, {ALL: 0, NEWS: 0})
    assert some.unread(f"inbox:{some.user}", ALL) == 50


def test_state_messages_do_not_count_what_is_hidden(some):
    ids = send_mixed(some)
    some.plain.request("mark_read", id=ids[0], log=ALL)
    told = some.plain.expect(type="read")
    assert (told["log"], told["ids"], told["unread"]) == (ALL, [ids[0]], 0)
    assert "log_unread" not in told
    some.admin.request("mark_read", id=ids[0], log=ALL)
    assert some.admin.expect(type="read").get("log_unread") == (4 if some.sees_logs else None)


def test_a_guest_has_none_of_it(some):
    guest = some.tab("/ws/kiosk")
    for type_, members in (("mute", {"category": "a"}), ("categories", {}), ("action_done", {"id": ID}),
                           ("mark_read", {"id": ID, "log": ALL}), ("mark_all_read", {"log": ALL}),
                           ("request_notification_history", {"feed": True})):  # fmt: skip
        assert guest.request(type_, **members)["error"]["code"] == "FORBIDDEN", type_
    wait_until(lambda: some.call("EXISTS", f"inbox:{guest.greeting['user_id']}") == 0, "no box")
