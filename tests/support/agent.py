"""An agent for the tests: reads what bridges put into the stream and answers as it is told to."""

import concurrent.futures
import contextlib
import json

from patience import WAIT_TIMEOUT_S
from servers import wait_until


class Agent:
    def __init__(self, server, stream="agent:requests", db=0):
        self.db, self.stream = server.client(db=db), stream
        self.last = "0-0"
        self.cancelled = self.db.pubsub(ignore_subscribe_messages=True)
        self.cancelled.subscribe(f"{stream}:cancelled")
        self.cancelled.get_message(timeout=WAIT_TIMEOUT_S)  # that it has: what comes next is a message
        self.heard = []
        found = self.db.xrevrange(stream, count=1)
        if found:
            self.last = found[0][0]

    def take(self, timeout=WAIT_TIMEOUT_S):
        """The next request: its fields, and its "entry"."""
        found = self.db.xread({self.stream: self.last}, count=1, block=int(timeout * 1000))
        assert found, "nothing was asked"
        [(_, [(self.last, fields)])] = found
        return {**fields, "entry": self.last}

    @contextlib.contextmanager
    def taking(self):
        """Yields what returns the next request: one that is taken back at once is taken all the same, since it is waited
        for before it is asked."""
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            taken = pool.submit(self.take)
            wait_until(lambda: taken.done() or self.db.info("clients")["blocked_clients"], "its waiting")
            yield taken.result

    def has_next(self):
        return bool(self.db.xread({self.stream: self.last}, count=1))

    def say(self, request, event, key=None, nostore=False, **data):
        """One event of an answer. key: of another log than that of the session."""
        words = [key or request["reply_to"], event, "DATA", json.dumps({"request_id": request["request_id"], **data})]
        return self.db.execute_command("NOTIFY.EVENT", *words, *(["NOSTORE"] if nostore else []))

    def is_cancelled(self, request):
        """Whether it has been told by now that nobody waits for this any more."""
        while message := self.cancelled.get_message():
            self.heard.append(message["data"])
        return request["request_id"] in self.heard

    def wait_cancelled(self, request, timeout=WAIT_TIMEOUT_S):
        wait_until(lambda: self.is_cancelled(request), "that nobody waits any more", timeout)
