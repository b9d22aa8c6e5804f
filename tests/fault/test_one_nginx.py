"""Two bridges behind one nginx as Debian has it, without sticky sessions: WebSockets, streams of events, requests
over HTTP and answers of an agent that come piece by piece, all at once, while one bridge after the other is killed.
Nothing is lost, and nothing is there twice."""

import http.client
import itertools
import threading
import time

from agent import Agent
from chat_client import Chat, Refused
from crowd import PATIENCE_S, Crowd, new_seed
from nginx import Nginx
from rest_client import Rest
from servers import wait_until
from test_sse_exactly_once import BOXES, Readers

PIECES = 30  # of an answer
AWAY = (OSError, http.client.HTTPException)


class Worker(threading.Thread):
    """Goes on until stop(); what goes wrong is kept for check()."""

    def __init__(self):
        super().__init__(daemon=True)
        self.stopping = threading.Event()
        self.problem = None

    def run(self):
        try:
            while not self.stopping.is_set():
                self.work()
        except Exception as problem:  # told by stop()
            self.problem = repr(problem)

    def again(self, attempt):
        """Until it succeeds: a bridge is away now and then, and nothing tells when it is back."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            done = attempt()
            if done is not None:
                return done
            time.sleep(0.02)
        raise TimeoutError("not done in time")

    def stop(self):
        self.stopping.set()
        self.join(2 * PATIENCE_S)
        assert self.problem is None, self.problem
        assert not self.is_alive()


class Poster(Worker):
    """Posts one notification after the other, each with a key of its own until it is told that it is stored, and
    reads it by the id that it was told."""

    def __init__(self, nginx, name, inbox):
        super().__init__()
        self.nginx, self.name, self.user = nginx, name, inbox
        self.rest = None
        self.stored, self.repeated, self.count = {}, 0, 0
        self.start()

    def work(self):
        title = f"{self.name}-{len(self.stored)}"
        tries = itertools.count()
        self.stored[title] = self.again(lambda: self._post(title, next(tries)))
        found = self.again(lambda: self._call("GET", f"/api/v1/notifications/{self.stored[title]}"))
        assert found["title"] == title
        self.count += 1

    def _post(self, title, tries):
        self.repeated += tries > 0
        answer = self._call("POST", "/api/v1/notifications", {"title": title, "user_id": self.user}, {"Idempotency-Key": title})
        return None if answer is None else answer["id"]

    def _call(self, method, path, body=None, headers=None):
        """None: the bridge was away, or went away."""
        try:
            self.rest = self.rest or Rest(self.nginx.port, user=self.user)
            answer = self.rest.call(method, path, body, headers)
        except AWAY:
            self.rest = None
            return None
        if answer.status in (502, 503, 504):
            return None
        assert answer.status in (200, 201), answer
        return answer.json


class Speaker(threading.Thread):
    """An agent that answers all at once, piece by piece."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.agent = Agent(server)
        self.stopping = threading.Event()
        self.start()

    def run(self):
        under_way = {}
        while not self.stopping.is_set():
            while self.agent.has_next():
                request = self.agent.take()
                under_way[request["request_id"]] = (request, 1)
            for id_, (request, seq) in list(under_way.items()):
                if seq == PIECES:
                    self.agent.say(request, "end", seq=seq, message_id=request["message"], tokens_used=seq - 1)
                    del under_way[id_]
                else:
                    self.agent.say(request, "token", seq=seq, content=f"{request['message']}/{seq}")
                    under_way[id_] = (request, seq + 1)
            self.stopping.wait(0.01)  # the pace at which it speaks

    def stop(self):
        self.stopping.set()
        self.join(PATIENCE_S)


class Talker(Worker):
    """Asks one thing after the other, and goes on with an answer that was cut off where it was, by whichever bridge
    is next."""

    def __init__(self, nginx, user):
        super().__init__()
        self.nginx, self.user = nginx, user
        self.count = self.resumed = 0
        self.start()

    def work(self):
        self.message = f"{self.user}-{self.count}"
        self.got, self.last_id = [], None
        self.again(self._read)
        assert self.got[:-1] == [
            {"type": "token", "seq": n, "content": f"{self.message}/{n}"} for n in range(1, PIECES)
        ]
        assert self.got[-1] == {"type": "end", "seq": PIECES, "message_id": self.message, "tokens_used": PIECES - 1}
        self.count += 1

    def _read(self):
        """None: it was cut off."""
        if self.last_id is None:
            self.got = []  # what was not told how far it is is asked anew
        self.resumed += self.last_id is not None
        chat = None
        try:
            chat = Chat(self.nginx.port, {"message": self.message}, user=self.user, last_id=self.last_id)
            while (event := chat.next()) is not None:
                self._take(event)
        except Refused as refused:
            assert refused.status in (502, 503, 504), refused
        except (OSError, AssertionError):
            pass  # the body breaks off
        finally:
            self.last_id = self.last_id if chat is None else chat.last_id
        return True if self.got and self.got[-1]["type"] == "end" else None

    def _take(self, event):
        assert event["type"] != "error", event
        if event["type"] != "start" and (not self.got or event["seq"] > self.got[-1]["seq"]):
            self.got.append(event)


def titles_of(server, inbox):
    """{title: id} of all that it holds, each once."""
    titles = {}
    for id_, fields in server.client().execute_command("NOTIFY.RANGE", inbox, "-", "+", "COUNT", "10000"):
        fields = fields if isinstance(fields, dict) else dict(zip(fields[::2], fields[1::2]))
        assert fields["title"] not in titles, "stored twice"
        titles[fields["title"]] = id_
    return titles


def pair_behind_nginx(programs, folder):
    server = programs.redis(config=BOXES)
    options = ("--request-rate", "100000", "--request-burst", "100000")
    bridges = [programs.bridge(server, *options, name=f"bridge{n}") for n in range(2)]
    nginx = programs.add(Nginx(str(folder), bridges))
    nginx.start()
    return server, bridges, nginx


def test_what_is_posted_again_with_its_key_while_either_bridge_is_dead_is_stored_once(programs, tmp_path):
    server, bridges, nginx = pair_behind_nginx(programs, tmp_path)
    post = ("POST", "/api/v1/notifications", {"title": "once", "user_id": "carol"}, {"Idempotency-Key": "k"})
    answers = [Rest(nginx.port, user="alice").call(*post)]
    for bridge in bridges:
        bridge.kill9()
        answers.append(Rest(nginx.port, user="alice").call(*post))
        bridge.start()
    assert [answer.status for answer in answers] == 3 * [201], answers
    assert len({answer.json["id"] for answer in answers}) == 1
    assert titles_of(server, "inbox:carol").keys() == {"once"}


def test_all_wires_behind_one_nginx_lose_nothing_and_repeat_nothing_when_bridges_are_killed(programs, tmp_path):
    """Without sticky sessions: whoever comes back goes to whichever bridge is next."""
    server, bridges, nginx = pair_behind_nginx(programs, tmp_path)
    readers = Readers(server, [nginx], new_seed(), count=4, log=False)
    crowd = Crowd(server, [nginx], new_seed())
    speaker = Speaker(server)
    posters = [Poster(nginx, f"p{n}", "posted") for n in range(2)]
    talkers = [Talker(nginx, f"t{n}") for n in range(3)]
    try:
        crowd.add_walkers(4, roams=True)
        crowd.start_writing()
        for n in range(6):
            marks = [worker.count for worker in posters + talkers]
            readers.writer.wait_for_more(100)
            bridges[n % 2].kill9()
            readers.writer.wait_for_more(30)
            crowd.wait_for_more(30)
            bridges[n % 2].start()
            wait_until(lambda: all(w.problem or w.count > mark for w, mark in zip(posters + talkers, marks)), "answers", PATIENCE_S)
        readers.check()
        crowd.finish()
        for worker in posters + talkers:
            worker.stop()
    finally:
        crowd.stop()
        speaker.stop()
    assert readers.reconnects() > 30
    assert sum(talker.resumed for talker in talkers) > 0, "some answers were gone on with"
    assert titles_of(server, "inbox:posted").keys() == {title for poster in posters for title in poster.stored}
