"""COLLAPSE: at most one live entry per token. IDEMPOTENT: a repeat changes nothing, whatever happened in
between."""

import json
import time

import pytest
import redis

from module_helpers import (
    call, check_everywhere, digest, entries, error_of, ids, info, pairs, verify,
)  # fmt: skip
from servers import at_some_pace

KEY = "inbox:1"


@pytest.fixture
def client(shared_redis):
    client = shared_redis.client()
    yield client
    client.config_set("notify.idempotency-window-ms", 86400000)
    client.config_set("notify.idempotency-max", 1000)


def send(client, *options, key=KEY):
    return call(client, "NOTIFY.SEND", key, "t", *options)


def details(client, *options, key=KEY):
    return pairs(call(client, "NOTIFY.SEND", key, "t", "WITHINFO", *options))


# ---- COLLAPSE


def test_an_entry_takes_the_place_of_the_one_with_its_token(client, listen, shared_redis):
    listener = listen(shared_redis, KEY)
    first = send(client, "COLLAPSE", "job 7", "CATEGORY", "ci")
    other = send(client, "COLLAPSE", "job 8")
    second = details(client, "COLLAPSE", "job 7")
    assert second["unread"] == 2
    assert ids(call(client, "NOTIFY.RANGE", KEY, "-", "+")) == [other, second["id"]]
    assert call(client, "NOTIFY.UNREAD", KEY, "CATEGORY", "ci") == 0
    messages = listener.messages()
    assert [one.get("replaces") for one in messages] == [None, None, first]
    assert list(messages[2])[:5] == ["type", "key", "id", "prev", "replaces"]
    assert messages[2]["prev"] == other and messages[2]["rev"] == 3
    assert verify(client, KEY)["length"] == [2, 2]


def test_the_log_of_a_progress_holds_the_latest_only(client):
    for percent in range(50):
        call(client, "NOTIFY.EVENT", KEY, "progress", "DATA", percent, "COLLAPSE", "upload")
    ((_, fields),) = entries(call(client, "NOTIFY.RANGE", KEY, "-", "+"))
    assert (fields["data"], fields["collapse"]) == ("49", "upload")
    about = info(client, KEY)
    assert (about["length"], about["trimmed"], about["rev"]) == (1, "0-0", 50)


def test_a_read_archived_or_event_entry_is_replaced_as_well(client):
    read = send(client, "COLLAPSE", "a")
    call(client, "NOTIFY.READ", KEY, read)
    assert details(client, "COLLAPSE", "a")["unread"] == 1
    archived = send(client, "COLLAPSE", "b")
    call(client, "NOTIFY.MARK", KEY, "ARCHIVED", archived)
    call(client, "NOTIFY.EVENT", KEY, "e", "COLLAPSE", "b")
    assert len(call(client, "NOTIFY.RANGE", KEY, "-", "+", "ALL")) == 2
    verify(client, KEY)


def test_a_deleted_trimmed_or_expired_entry_is_not_named(client, listen, shared_redis):
    listener = listen(shared_redis, KEY)
    call(client, "NOTIFY.DEL", KEY, send(client, "COLLAPSE", "a"))
    send(client, "COLLAPSE", "a")
    send(client, "MAXLEN", "1")
    send(client, "COLLAPSE", "a", "PX", "30")
    time.sleep(0.05)
    send(client, "COLLAPSE", "a", "MAXLEN", "1")
    assert not any("replaces" in one for one in listener.messages())
    verify(client, KEY)


def test_tokens_of_one_box_do_not_touch_another(client):
    send(client, "COLLAPSE", "a")
    send(client, "COLLAPSE", "a", key="inbox:2")
    assert call(client, "NOTIFY.LEN", KEY) == call(client, "NOTIFY.LEN", "inbox:2") == 1


def test_a_refused_send_replaces_nothing(client):
    first = send(client, "COLLAPSE", "a", "ID", "5-0")
    assert error_of(client, "NOTIFY.SEND", KEY, "t", "COLLAPSE", "a", "ID", "4") == (
        "ID must be greater than the box's last id, 5-0"
    )
    assert ids(call(client, "NOTIFY.RANGE", KEY, "-", "+")) == [first]


@pytest.mark.parametrize("token", ["x", "ü" * 64, 'a "quoted" \\ one', "\x00\x1f"])
def test_a_token_may_be_any_text(client, token):
    send(client, "COLLAPSE", token)
    send(client, "COLLAPSE", token)
    ((_, fields),) = entries(call(client, "NOTIFY.RANGE", KEY, "-", "+"))
    assert fields["collapse"] == token


def test_many_tokens_in_one_box(client):
    for round in range(3):
        for n in range(400):
            call(client, "NOTIFY.EVENT", KEY, "e", "COLLAPSE", f"token {n}", "DATA", round)
    found = entries(call(client, "NOTIFY.RANGE", KEY, "-", "+"))
    assert [fields["collapse"] for _, fields in found] == [f"token {n}" for n in range(400)]
    assert {fields["data"] for _, fields in found} == {"2"}
    verify(client, KEY)


# ---- IDEMPOTENT


def test_a_repeat_gives_the_first_id_and_changes_nothing(client, listen, shared_redis):
    listener = listen(shared_redis, KEY)
    first = details(client, "IDEMPOTENT", "order 1")
    assert (first["duplicate"], first["unread"]) == (0, 1)
    wanted = digest(client, KEY)
    repeat = details(client, "IDEMPOTENT", "order 1", "CONTENT", "whatever")
    assert repeat == {"id": first["id"], "unread": 1, "receivers": 0, "duplicate": 1}
    assert send(client, "IDEMPOTENT", "order 1") == first["id"]
    assert digest(client, KEY) == wanted
    assert len(listener.messages()) == 1
    assert send(client, "IDEMPOTENT", "order 2") != first["id"]


def test_a_repeat_is_found_after_the_entry_went(client):
    first = send(client, "IDEMPOTENT", "a")
    call(client, "NOTIFY.DEL", KEY, first)
    assert send(client, "IDEMPOTENT", "a") == first
    assert call(client, "NOTIFY.LEN", KEY) == 0
    call(client, "NOTIFY.TRIM", KEY, "MAXLEN", "0")
    assert call(client, "NOTIFY.EVENT", KEY, "e", "IDEMPOTENT", "a") == first


def test_a_repeat_comes_before_conditions(client):
    first = send(client, "NX", "IDEMPOTENT", "a")
    assert send(client, "NX", "IDEMPOTENT", "a") == first
    assert send(client, "NX", "IDEMPOTENT", "b") is None
    assert send(client, "IDEMPOTENT", "b") != first, "what was not sent is not remembered"


def test_a_repeat_does_not_signal_or_count_as_a_change(client, shared_redis):
    send(client, "IDEMPOTENT", "a")
    with shared_redis.client().pipeline() as pipe:
        pipe.watch(KEY)
        send(client, "IDEMPOTENT", "a")
        pipe.multi()
        pipe.ping()
        assert pipe.execute() == [True]


def test_a_token_is_forgotten_after_the_window(client):
    def is_forgotten(window_s):
        client.config_set("notify.idempotency-window-ms", int(window_s * 1000))
        first = send(client, "IDEMPOTENT", "a")
        assert send(client, "IDEMPOTENT", "a") == first
        time.sleep(window_s + 0.01)
        assert send(client, "IDEMPOTENT", "a") != first

    at_some_pace(is_forgotten, 0.2)


def test_the_oldest_tokens_are_forgotten_first(client):
    client.config_set("notify.idempotency-max", 3)
    sent = {name: send(client, "IDEMPOTENT", name) for name in "abcd"}
    for name in "bcd":
        assert send(client, "IDEMPOTENT", name) == sent[name]
    assert send(client, "IDEMPOTENT", "a") != sent["a"]
    assert send(client, "IDEMPOTENT", "b") != sent["b"]


def test_a_failed_send_is_not_remembered(client):
    send(client, "ID", "5-0")
    with pytest.raises(redis.ResponseError):
        send(client, "IDEMPOTENT", "a", "ID", "4-0")
    assert send(client, "IDEMPOTENT", "a", "ID", "6-0") == "6-0"
    assert send(client, "IDEMPOTENT", "a", "ID", "4-0") == "6-0"


def test_a_new_box_remembers_nothing_of_the_old_one(client):
    first = send(client, "IDEMPOTENT", "a", "ID", "5-0")
    client.delete(KEY)
    assert first == "5-0" and send(client, "IDEMPOTENT", "a") != "5-0"


def test_duplicates_are_counted(redis_server):
    client = redis_server.client()
    for _ in range(3):
        send(client, "IDEMPOTENT", "a", "COLLAPSE", "x")
    send(client, "IDEMPOTENT", "b", "COLLAPSE", "x")
    about = client.info("notify")
    assert about["notify_duplicates"] == 2 and about["notify_entries_collapsed"] == 1
    assert about["notify_sends"] == 2


# ---- persistence


@pytest.mark.parametrize("preamble", ["yes", "no"])
def test_tokens_survive_everything(programs, preamble):
    primary = programs.redis(name="primary", appendonly="yes", aof_use_rdb_preamble=preamble)
    replica = programs.replica(primary)
    client, second = primary.client(), replica.client()
    client.config_set("notify.idempotency-max", 2500)
    sent = {}
    for n in range(3000):
        sent[n] = send(client, "IDEMPOTENT", f"token {n}", "COLLAPSE", f"c{n % 7}")
        if n % 2:
            call(client, "NOTIFY.DEL", KEY, sent[n])
    wanted = digest(client, KEY)

    def check(one):
        assert digest(one, KEY) == wanted
        verify(one, KEY)

    check_everywhere(check, primary, replica)
    client.copy(KEY, "inbox:copy")
    assert digest(client, "inbox:copy") == wanted
    payload = redis.Redis(port=primary.port).execute_command("DUMP", KEY)
    redis.Redis(port=primary.port).execute_command("RESTORE", "inbox:restored", 0, payload)
    assert digest(client, "inbox:restored") == wanted
    assert client.memory_usage(KEY) > 2500 * 40
    second.execute_command("REPLICAOF", "NO", "ONE")  # failover
    for n in (500, 501, 2999):
        assert send(second, "IDEMPOTENT", f"token {n}") == sent[n]
    assert send(second, "IDEMPOTENT", "token 499") != sent[499]


def test_a_replica_does_as_its_primary_says_whatever_its_settings(programs):
    primary = programs.redis(name="primary")
    replica = programs.replica(primary)
    client, second = primary.client(), replica.client()
    second.config_set("notify.idempotency-max", 1)
    second.config_set("notify.idempotency-window-ms", 1)
    client.config_set("notify.idempotency-window-ms", 40)
    for n in range(30):
        send(client, "IDEMPOTENT", f"token {n % 11}", "COLLAPSE", "c", "PX", 20)
        time.sleep(0.005)
    replica.wait_synced()
    assert digest(second, KEY) == digest(client, KEY)


def test_inside_multi_and_lua(client):
    first = send(client, "IDEMPOTENT", "a")
    with client.pipeline() as pipe:
        pipe.execute_command("NOTIFY.SEND", KEY, "t", "IDEMPOTENT", "a")
        pipe.execute_command("NOTIFY.SEND", KEY, "t", "IDEMPOTENT", "b")
        repeat, second = pipe.execute()
    assert repeat == first != second
    script = "return redis.call('NOTIFY.SEND', KEYS[1], 't', 'IDEMPOTENT', ARGV[1])"
    assert client.eval(script, 1, KEY, "b") == second


def test_replayed_messages_name_no_replaced_entry(client):
    send(client, "COLLAPSE", "a")
    send(client, "COLLAPSE", "a")
    (message,) = call(client, "NOTIFY.RANGE", KEY, "-", "+", "JSON")
    assert "replaces" not in json.loads(message)
