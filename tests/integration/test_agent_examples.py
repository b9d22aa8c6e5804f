"""The workers of docs/examples answer, and take over from each other."""

import re

import pytest

from chat_client import Chat
from cockpit_helpers import Cockpit
from example_worker import ExampleWorker
from servers import wait_until

@pytest.fixture
def house(make_stand):
    return make_stand("--agent-grace", "300ms", kind=Cockpit)


@pytest.fixture
def start_worker(house):
    def start(kind, *options, **more):
        return house.add(ExampleWorker(house.server, kind, *options, **more)).start()

    return start


def ask(tab, text):
    tab.send({"type": "message", "message": text})


@pytest.mark.parametrize("kind, reply", [("py", "You said: Hi you"), ("sh", "HI YOU")])
def test_a_worker_answers(house, start_worker, kind, reply):
    start_worker(kind)
    tab = house.talk("alice")
    for _ in range(3):
        ask(tab, "Hi you")
        assert tab.expect(type="message")["data"]["reply"] == reply
    wait_until(lambda: house.client.xpending("agent:requests", "agents")["pending"] == 0, "all is done")


@pytest.mark.parametrize("kind", ["py", "sh"])
def test_whatever_is_said_it_is_taken_for_what_was_said(house, start_worker, kind):
    start_worker(kind)
    tab = house.talk("answer", "reply_to")
    for text in ("reply_to", 'a "quoted"\nmessage\nanswer\n', "$(date) `date` \\ ' é", "deadline\nmessage\n1"):
        ask(tab, text)
        words = tab.expect(type="message")["data"]["reply"].upper().split()
        assert words[-len(text.split()) :] == text.upper().split() or kind == "sh" and words == text.upper().replace("É", "é").split()


def test_a_worker_begins_nothing_that_nobody_waits_for(house, start_worker):
    tab = house.talk("alice")
    ask(tab, "gone")
    wait_until(lambda: house.client.xlen("agent:requests") == 1, "it is asked")
    tab.sock.close()
    wait_until(lambda: house.client.xlen("agent:requests") == 0, "it is taken out")
    worker = start_worker("py")
    tab = house.talk("alice")
    ask(tab, "there")
    tab.expect(type="message")
    assert len([line for line in worker.lines if line.startswith("answering")]) == 1


def test_a_request_that_is_too_old_is_not_answered(house, start_worker):
    fields = {"request_id": "x", "session_id": "s", "user_id": "u", "answer": "message", "reply_to": "session:s", "deadline": 1, "message": "old"}
    house.client.xadd("agent:requests", fields)
    worker = start_worker("py")
    wait_until(lambda: house.client.xpending("agent:requests", "agents")["pending"] == 0 and worker.has_line("answering"), "it is done with")
    assert not house.client.exists("session:s")


def test_what_a_dead_worker_had_begun_another_one_answers_once(house, start_worker):
    first = start_worker("py", "--pause", "0.2", "--idle", "1", name="first")
    tab = house.talk("alice")
    ask(tab, "a b c d e f g h")
    first.wait_line("answering")
    first.kill9()
    second = start_worker("py", "--pause", "0.01", "--idle", "1", name="second")
    assert tab.expect(type="message")["data"]["reply"] == "You said: a b c d e f g h"
    assert re.search("taken over", second.wait_line("answering"))
    wait_until(lambda: house.client.xpending("agent:requests", "agents")["pending"] == 0, "it is done with")
    assert [m for m in house.drain(tab) if m["type"] == "message"] == []


def read(house, at=0, message="a b c", user="alice"):
    return Chat(house.bridges[at].port, {"message": message}, token=house.token(user))


@pytest.mark.parametrize("kind, text", [("py", "You said: a b c "), ("sh", "A B C")])
def test_a_worker_answers_piece_by_piece(house, start_worker, kind, text):
    start_worker(kind)
    for at in (0, 1):
        events = read(house, at).all()
        assert "".join(e["content"] for e in events if e["type"] == "token") == text
        assert events[0]["type"] == "start" and events[-1]["type"] == "end"
    wait_until(lambda: house.client.xpending("agent:requests", "agents")["pending"] == 0, "all is done")


def test_an_answer_of_a_worker_that_died_half_way_is_ended_by_another_one_and_nothing_is_told_twice(house, start_worker):
    first = start_worker("py", "--pause", "0.2", "--idle", "1", name="first")
    reader = read(house, message="a b c d e f g h")
    begun = [reader.next() for _ in range(3)]
    assert [e["type"] for e in begun] == ["start", "token", "token"]
    first.kill9()
    second = start_worker("py", "--pause", "0.01", "--idle", "1", name="second")
    events = begun + reader.all()
    assert "".join(e["content"] for e in events if e["type"] == "token") == "You said: a b c d e f g h "
    assert [e["type"] for e in events if e["type"] != "token"] == ["start", "end"]
    assert re.search("taken over", second.wait_line("answering"))


def test_a_worker_stops_when_the_reader_has_left(house, start_worker):
    worker = start_worker("py", "--pause", "0.05")
    reader = read(house, message="word " * 400)
    assert [reader.next()["type"] for _ in range(2)] == ["start", "token"]
    reader.close()
    worker.wait_line("^cancelled")
