"""Stock clients that keep their place (auth.offset) while connections are cut, transports change and bridges are killed: they
get everything once and in order, and each ack once. Two bridges behind nginx, which sends each request to the next one.

    NOTIFY_DISRUPTIONS   how many for each kind of client
    NOTIFY_SEED          what is done to whom, in which order; it is printed, and the same number does the same again
    NOTIFY_OLDER_BRIDGE  a bridge of another version, which is one of the two
"""

import os
import random
import threading
import time
from collections import Counter, namedtuple

import pytest

from nginx import Nginx
from servers import wait_until
from stock import KINDS, MODES, Failed
from tcp_proxy import TcpProxy

DISRUPTIONS = int(os.environ.get("NOTIFY_DISRUPTIONS", "40"))
SEED = int(os.environ.get("NOTIFY_SEED", time.time()))
KILL_EVERY = 12  # disruptions
ANSWER_EVERY = 4  # likewise: whoever it is about has an ack before

# What is done to whom: `link` chooses among the connections that there are (0 to 1), `mode` is what a reader comes back with.
Step = namedtuple("Step", "reader callers what mode link waits kill")


def schedule(seed, steps, readers):
    """The same of the same seed, whatever else happens."""
    rng = random.Random(seed)
    modes = sorted(MODES)
    for n in range(steps):
        kill = rng.choice(["kill9", "kill9", "terminate"])
        yield Step(
            reader=rng.randrange(readers),
            callers=rng.sample(range(readers), 2),
            what=rng.choice(["drop", "drop", "cut", "change"]),
            mode=rng.choice(modes),
            link=rng.random(),
            waits=n % ANSWER_EVERY == 0,
            kill=kill if n % KILL_EVERY == KILL_EVERY - 1 else None,
        )


class Writer:
    """Sends numbered notifications to everybody and to each user until it is stopped."""

    def __init__(self, platform, users, seed):
        self.platform, self.keys = platform, ["topic:all", *(f"inbox:{user}" for user in users)]
        self.sent = {key: [] for key in self.keys}
        self._rng = random.Random(seed)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def send(self, key):
        self.sent[key].append(self.platform.send(key, f"{key} {len(self.sent[key])}"))

    def start(self):
        self._thread.start()

    def _run(self):
        while not self._ending.wait(0.01):
            self.send(self._rng.choice(self.keys))

    def stop(self):
        """And one more for each, behind which nothing comes."""
        self._ending.set()
        self._thread.join()
        for key in self.keys:
            self.send(key)


class Reader:
    """A stock client of one user."""

    def __init__(self, socket, user):
        self.socket, self.user, self.calls = socket, user, []

    def heard(self):
        found = {"topic:all": [], f"inbox:{self.user}": []}
        for event, args in list(self.socket.heard):
            if event == "notification":
                found[args[0]["key"]].append(args[0]["id"])
        return found

    def what_differs(self, key, wanted):
        """For people: where, and what else was heard just before and after."""
        heard = self.heard()[key]
        lost, again = [id_ for id_ in wanted if id_ not in heard], sorted({id_ for id_ in heard if heard.count(id_) > 1})
        at = next(n for n, (one, other) in enumerate(zip(heard + [None], wanted + [None])) if one != other)
        place = [n for n, (event, args) in enumerate(self.socket.heard) if event == "notification" and args[0]["id"] == heard[min(at, len(heard) - 1)]]
        around = [(event, args[0]["id"] if event == "notification" else args) for event, args in self.socket.heard[max(0, place[0] - 6) : place[-1] + 6]]
        return f"{self.socket.driver.kind} {self.socket.mode} {key}: lost {lost}, again {again}, first at {at}: {heard[at:at + 3]} instead of {wanted[at:at + 3]}; {around}"

    def call(self):
        """Asks for something that is answered by an ack."""
        self.calls.append(self.socket.start_call("ping"))

    def wait_answered(self):
        """Asks until it is answered, once more on each connection that there is meanwhile."""
        driver, asked = self.socket.driver, None

        def is_answered():
            nonlocal asked
            state = self.socket.state()
            is_lost = asked is None or asked != state["id"] or (driver.has_answer(self.calls[-1]) and not driver.is_done(self.calls[-1]))
            if state["connected"] and is_lost:
                asked = state["id"]
                self.call()
            return asked is not None and driver.is_done(self.calls[-1])

        wait_until(is_answered, "an ack")

    def is_back(self):
        return self.socket.state()["connected"]

    def judge_calls(self):
        """How many were answered; those that were not went with a connection."""
        answered = 0
        for call in self.calls:
            if not self.socket.driver.has_answer(call):
                continue  # python-socketio forgets what it asked on a connection that broke
            try:
                (answer,) = self.socket.driver.answer(call)
                assert answer["type"] == "pong"
                answered += 1
            except Failed as failure:
                assert str(failure) in ("disconnected", "/ is not a connected namespace."), failure
        assert self.socket.args_of("$ack_again") == []
        return answered


class Scene:
    def __init__(self, platform, port, seed):
        self.platform, self.seed = platform, seed
        self.proxy = TcpProxy(port)
        self.readers = []
        self.done = Counter()
        self._next_to_die = 0

    def add(self, kind, mode, open_socket):
        user = f"d{len(self.readers)}-{os.getpid()}"
        url = f"http://127.0.0.1:{self.proxy.port}"
        is_python = kind.startswith("python")
        opening = {} if is_python else {"options": {"query": {"user": user}}}
        socket = open_socket(kind, url + (f"/?user={user}" if is_python else ""), mode, keep=True, **opening)
        socket.wait("connected")  # from now on all that is sent arrives
        self.readers.append(Reader(socket, user))

    # -- what is done to them

    def drop(self, reader, step):
        if reader.socket.do("drop") is False:
            self.cut(reader, step)

    def cut(self, reader, step):
        """One connection of somebody, at the network."""
        alive = [link for link in self.proxy.links if link.near.fileno() >= 0]
        if alive:
            alive[int(step.link * len(alive))].close()

    def change(self, reader, step):
        """Leaves, and comes again at once, over something else perhaps."""
        reader.socket.mode = step.mode
        reader.socket.do("disconnect")
        reader.socket.do("use", transports=MODES[step.mode])
        reader.socket.do("connect")

    def kill(self, how):
        daemon = self.platform.daemons[self._next_to_die % 2]
        self._next_to_die += 1
        getattr(daemon, how)()
        daemon.start()

    def wait_back(self, reader):
        try:
            wait_until(reader.is_back, "being connected")
        except AssertionError as failure:
            others = [f"{daemon.name}:\n{daemon.tail(30)}" for daemon in self.platform.daemons]
            raise AssertionError("\n".join([f"{reader.socket.name}: {failure}; {reader.socket.state()}; {reader.socket.heard[-8:]}", *others])) from None

    def disrupt(self, step):
        reader = self.readers[step.reader]
        for n in step.callers:
            self.readers[n].call()
        self.wait_back(reader)
        if step.waits:
            reader.wait_answered()
        reader.call()
        self.done.update([step.what, reader.socket.mode])
        getattr(self, step.what)(reader, step)
        if step.kill and self.platform.is_ours:
            self.done.update(["kill"])
            self.kill(step.kill)


@pytest.fixture
def scene(start_platform, tmp_path):
    settings = {"pingInterval": 2000, "pingTimeout": 5000}
    platform = start_platform(**settings)
    port = platform.daemons[0].port
    if platform.is_ours:
        platform.daemons.append(platform.bridge(platform.server, *platform.daemons[0].args, name="bridge1", program=os.environ.get("NOTIFY_OLDER_BRIDGE")))
        nginx = platform.add(Nginx(str(tmp_path), platform.daemons))
        nginx.start()
        port = nginx.port
    print(f"NOTIFY_SEED={SEED}")
    found = Scene(platform, port, SEED)
    yield found
    found.proxy.close()


def test_a_seed_repeats_its_schedule():
    assert list(schedule(1, 50, 3)) == list(schedule(1, 50, 3)) != list(schedule(2, 50, 3))


def test_disruptions_lose_nothing_double_nothing_and_keep_the_order(scene, open_socket, kind):
    for mode in MODES:
        scene.add(kind, mode, open_socket)
    writer = Writer(scene.platform, [reader.user for reader in scene.readers], scene.seed)
    for key in writer.keys:  # from now on everybody has a place in each
        writer.send(key)
    for reader in scene.readers:
        reader.socket.driver.until(lambda: all(reader.heard().values()), "the first of each key")
    began = time.monotonic()
    writer.start()
    for step in schedule(scene.seed, DISRUPTIONS, len(scene.readers)):
        scene.disrupt(step)
    writer.stop()
    for reader in scene.readers:
        wanted = {key: writer.sent[key] for key in reader.heard()}
        reader.socket.driver.until(lambda: all(heard[-1:] == wanted[key][-1:] for key, heard in reader.heard().items()), f"the last of each key at {reader.socket.name}")
        for key, ids in wanted.items():
            assert reader.heard()[key] == ids, reader.what_differs(key, ids)
    answered = sum(reader.judge_calls() for reader in scene.readers)
    assert answered >= DISRUPTIONS / ANSWER_EVERY
    stuck = Counter(args[0] for reader in scene.readers for args in reader.socket.args_of("$stuck"))
    sent = sum(len(ids) for ids in writer.sent.values())
    heard = sum(len(ids) for reader in scene.readers for ids in reader.heard().values())
    done = ", ".join(f"{count} {what}" for what, count in sorted(scene.done.items()))
    print(f"{kind}: {DISRUPTIONS} disruptions ({done}); {sent} entries sent, {heard} heard, 0 lost, 0 twice; {answered} acks;"
          f" {time.monotonic() - began:.0f} s; seed {scene.seed}; clients that stuck: {dict(stuck)}")  # fmt: skip
