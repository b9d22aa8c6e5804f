#!/usr/bin/python3
"""A worker that answers what clients ask an agent (docs/agents.md). Start as many as you like, on any machine:

    docs/examples/worker.py redis://127.0.0.1:6379

It reads requests as one of a consumer group and answers in the log of the session. What a worker that died has begun, another
one takes over and says to its end: each event has a number (seq), and Redis takes each number of a request once.

Replace think(); all else is what every worker has to do. Needs redis-py (Debian: python3-redis)."""

import argparse
import json
import os
import socket
import threading
import time

import redis

GROUP = "agents"


def think(message):
    """The answer to a message, piece by piece: ask your model here. Yields (event, data)."""
    if "weather" in message:
        yield "tool_call", {"tool": "weather", "arguments": {"of": "today"}}
        yield "tool_result", {"tool": "weather", "result": "sunny"}
    for word in f"You said: {message}".split():
        yield "token", {"content": word + " "}
        time.sleep(PAUSE_S)


class Cancelled(Exception):
    """Nobody waits for the answer any more."""


class Cancellations(threading.Thread):
    """Hears of requests that nobody waits for any more."""

    def __init__(self, db, channel):
        super().__init__(daemon=True)
        self.pubsub = db.pubsub(ignore_subscribe_messages=True)
        self.pubsub.subscribe(channel)
        self.latest = {}  # request_id -> when; as a dict keeps its order, the oldest come first
        self.start()

    def run(self):
        while True:
            try:
                for message in self.pubsub.listen():
                    self.latest[message["data"]] = time.monotonic()
                    while len(self.latest) > 10000:
                        del self.latest[next(iter(self.latest))]
            except redis.ConnectionError:
                time.sleep(1)  # listen() subscribes again


class Answer:
    """What is said to one request. Each event has the next number, and is said once, by whichever worker: Redis remembers
    the numbers (IDEMPOTENT)."""

    def __init__(self, worker, entry, request):
        self.worker, self.entry, self.request = worker, entry, request
        self.seq = 0
        self.touched = time.monotonic()

    def said(self):
        """What another worker has said already: (event, data), in order."""
        found = []
        for text in self.worker.db.execute_command("NOTIFY.RANGE", self.request["reply_to"], "-", "+", "COUNT", 10000, "JSON"):
            message = json.loads(text)
            if isinstance(message["data"], dict) and message["data"].get("request_id") == self.request["request_id"]:
                found.append((message["type"], message["data"]))
        return found

    def say(self, event, data, said=None):
        """said: the events of a worker before this one, which are not said again."""
        if self.request["request_id"] in self.worker.cancellations.latest:
            raise Cancelled
        self.seq += 1
        if said is None or self.seq > len(said):
            data = {"request_id": self.request["request_id"], "seq": self.seq, **data}
            self.worker.db.execute_command(
                "NOTIFY.EVENT", self.request["reply_to"], event, "DATA", json.dumps(data),
                "IDEMPOTENT", f"{data['request_id']}:{self.seq}", "EX", 3600,
            )
        self.keep()

    def keep(self):
        """It is ours still: nobody takes it over while we are at it."""
        if time.monotonic() - self.touched > self.worker.idle_s / 3:
            self.touched = time.monotonic()
            self.worker.db.xclaim(self.worker.stream, GROUP, self.worker.name, 0, [self.entry], justid=True)


class Worker:
    def __init__(self, db, stream, idle_s):
        self.db, self.stream, self.idle_s = db, stream, idle_s
        self.name = f"{socket.gethostname()}-{os.getpid()}"
        self.cancellations = Cancellations(db, f"{stream}:cancelled")

    def join(self):
        try:
            self.db.xgroup_create(self.stream, GROUP, id="0", mkstream=True)
        except redis.ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    def take(self):
        """The next request, as (entry, fields, taken over); None: there is none just now."""
        _, taken, *_ = self.db.xautoclaim(self.stream, GROUP, self.name, int(self.idle_s * 1000), "0-0", count=1)
        for entry, fields in taken:
            if fields is not None:
                return entry, fields, True
        for _, entries in self.db.xreadgroup(GROUP, self.name, {self.stream: ">"}, count=1, block=int(self.idle_s * 500)) or []:
            for entry, fields in entries:
                return entry, fields, False
        return None

    def answer(self, entry, request, taken_over):
        if time.time() * 1000 < int(request["deadline"]):
            self.say_all(Answer(self, entry, request), taken_over)
        self.db.xack(self.stream, GROUP, entry)

    def say_all(self, answer, taken_over):
        said = answer.said() if taken_over else []
        try:
            (self.stream_to if answer.request["answer"] == "stream" else self.reply_to)(answer, said)
        except Cancelled:
            print(f"cancelled {answer.request['request_id']}", flush=True)

    @staticmethod
    def reply_to(answer, said):
        text = "".join(data["content"] for event, data in think(answer.request["message"]) if event == "token")
        answer.say("message", {"reply": text.strip(), "tool_calls": [], "tokens_used": len(text.split())}, said)

    @staticmethod
    def stream_to(answer, said):
        tokens = 0
        answer.say("start", {}, said)
        for event, data in think(answer.request["message"]):
            answer.say(event, data, said)
            tokens += event == "token"
        answer.say("end", {"message_id": answer.request["request_id"], "tokens_used": tokens}, said)

    def work(self):
        """One request, or none."""
        taken = self.take()
        if taken is None:
            return
        entry, request, taken_over = taken
        print(f"answering {request['request_id']}{' (taken over)' if taken_over else ''}", flush=True)
        self.answer(entry, request, taken_over)

    def run(self):
        """Until it is stopped. Redis may go and come back; if the group is gone with the stream, it is made anew."""
        self.join()
        print("ready", flush=True)
        while True:
            try:
                self.work()
            except redis.ConnectionError:
                time.sleep(1)
            except redis.ResponseError as error:
                print(error, flush=True)
                time.sleep(1)
                self.join()


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("redis", nargs="?", default="redis://127.0.0.1:6379")
parser.add_argument("--stream", default="agent:requests", help="--agent-stream of the bridges")
parser.add_argument("--idle", type=float, default=10, metavar="S", help="a request of a worker that has said nothing for so long is taken over")
parser.add_argument("--pause", type=float, default=0.05, metavar="S", help="between two words")
options = parser.parse_args()
PAUSE_S = options.pause
Worker(redis.Redis.from_url(options.redis, decode_responses=True), options.stream, options.idle).run()
