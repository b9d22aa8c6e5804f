"""Stock clients of python-socketio, led by lines of JSON on stdin (stock.py): what client.js is for JavaScript's.

    client.py sync|async
"""

import asyncio
import base64
import json
import os
import signal
import sys
import threading
import time

import engineio
import socketio
from socketio import exceptions

RETRY_S = 0.1  # these clients try again by themselves only once they have been connected
STUCK_S = 3  # so long a client may be in a state that it does not come out of by itself
CLOSE, MESSAGE = engineio.packet.CLOSE, engineio.packet.MESSAGE

_speaking = threading.Lock()


def say(**line):
    with _speaking:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def to_json(value):
    if isinstance(value, (bytes, bytearray)):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, dict):
        return {name: to_json(one) for name, one in value.items()}
    return [to_json(one) for one in value] if isinstance(value, (list, tuple)) else value


def from_json(value):
    if isinstance(value, dict):
        if "$bytes" in value:
            return base64.b64decode(value["$bytes"])
        return {name: from_json(one) for name, one in value.items()}
    return [from_json(one) for one in value] if isinstance(value, list) else value


def one_or_many(args):
    """What emit() takes: a tuple is several arguments."""
    return None if not args else args[0] if len(args) == 1 else tuple(args)


class Watched:
    """Mixed into a client: acks that come twice, which it drops without a word."""

    owner = None

    def watch(self, namespace, id_):
        known = self.__dict__.setdefault("known_acks", set())
        if (self.sid, namespace, id_) in known:
            say(socket=self.owner, event="$ack_again", args=[f"{namespace} {id_}"])
        known.add((self.sid, namespace, id_))


class SyncClient(Watched, socketio.Client):
    def _handle_ack(self, namespace, id, data):
        self.watch(namespace, id)
        super()._handle_ack(namespace, id, data)


class AsyncClient(Watched, socketio.AsyncClient):
    async def _handle_ack(self, namespace, id, data):
        self.watch(namespace, id)
        await super()._handle_ack(namespace, id, data)


class Socket:
    """One client in one namespace: each time that it connects a stock client of its own. What is left of a connection that was
    ended (python-engineio's loops) otherwise writes into the next one's queue."""

    def __init__(self, wanted):
        self.name, self.url, self.namespace = wanted["socket"], wanted["url"], wanted.get("namespace", "/")
        self.auth = dict(wanted.get("auth") or {})
        self.keeps = wanted.get("keep", False)
        options = wanted.get("options", {})
        self.transports = options.get("transports")
        self.again = options.get("reconnection", True)
        self.client = None
        self.opening = None  # what runs connect()
        self.failure = None  # what has happened to it, as far as that is seen
        self.stuck_since = None
        self.is_away = False  # as it was told

    def settings(self):
        return {"reconnection": self.again, "reconnection_delay": 0.02, "reconnection_delay_max": 0.2,
                "randomization_factor": 0, "handle_sigint": False}  # fmt: skip

    def words(self):
        """Of connect(). It waits one second unless told otherwise; a test's machine may be late for more."""
        return {"url": self.url, "transports": self.transports, "namespaces": [self.namespace], "wait_timeout": 20,
                "auth": self.auth}  # fmt: skip

    def tell(self, client, event, *args):
        """Of a client that was left nothing is heard any more, so it moves nobody's place."""
        if client is not self.client:
            return
        if self.keeps and args and isinstance(args[0], dict) and isinstance(args[0].get("id"), str) and "key" in args[0]:
            self.auth.setdefault("offset", {})[args[0]["key"]] = args[0]["id"]
        say(socket=self.name, event=event, args=to_json(args))

    def fell(self, client, failure):
        """A task of the client has ended with an exception, which nobody is told of."""
        if client is self.client:
            self.failure = f"{type(failure).__name__}: {failure}"

    def note(self, client, packet):
        if client is self.client and packet.packet_type == CLOSE:
            self.failure = "the server has ended it"

    def state(self):
        client = self.client
        return {"connected": self.namespace in client.namespaces, "id": client.namespaces.get(self.namespace),
                "session": client.eio.sid, "transport": client.eio.current_transport}  # fmt: skip

    def use(self, wanted):
        self.transports = wanted.get("transports") or self.transports
        self.client.connection_transports = self.transports
        self.auth.update(wanted.get("auth") or {})

    # -- what an application does that must not fall silent

    def what_is_stuck(self):
        """A state of python-socketio 5.7 that it does not come out of by itself, whatever the server does; or None. docs/socketio.md
        says how it gets there, with the official server as well."""
        client, eio = self.client, self.client.eio
        if self.is_away or self.runs(self.opening):
            return None
        if client.connected and eio.state == "disconnected":
            return "it is connected without a connection"
        if eio.state == "connected" and not self.runs(eio.read_loop_task):
            return "nobody reads its connection"
        if eio.state == "disconnected" and not self.runs(client._reconnect_task):
            return "it has given up"
        return None

    def must_renew(self):
        """Whether it has been stuck for a while."""
        why = what = self.what_is_stuck()
        if what is None:
            self.stuck_since = None
            return False
        if self.stuck_since is None or self.stuck_since[0] != what:
            self.stuck_since = (what, time.monotonic())
        if time.monotonic() - self.stuck_since[1] < STUCK_S:
            return False
        why += f" ({self.failure})" if self.failure else ""
        say(socket=self.name, event="$stuck", args=[why])
        self.stuck_since = None
        return True

    def leave(self):
        """The client, which will try nothing any more."""
        client = self.client
        client.reconnection = False
        if client._reconnect_abort:  # disconnect() does not end what it tries
            client._reconnect_abort.set()
        return client


class SyncSocket(Socket):
    """This kind runs each event in a thread of its own, so handlers are called in any order. What a socket that keeps its place
    has heard is taken where packets are read."""

    def make(self):
        client = SyncClient(**self.settings())
        client.owner = self.name
        handlers = {
            "connect": lambda: self.tell(client, "connect", client.namespaces.get(self.namespace), False),
            "disconnect": lambda *reason: self.tell(client, "disconnect", *reason),
            "connect_error": lambda *args: self.tell(client, "connect_error", *args),
        }
        if self.keeps:
            self.listen(client)
        else:
            handlers["*"] = lambda *args: self.tell(client, *args)
        for event, handler in handlers.items():
            client.on(event, handler, namespace=self.namespace)
        begin = client.eio.start_background_task

        def guarded(target, *args):
            try:
                target(*args)
            except Exception as failure:  # whatever it is, it ends the client's thread
                self.fell(client, failure)
                raise

        client.eio.start_background_task = lambda target, *args: begin(guarded, target, *args)
        return client

    def listen(self, client):
        receive = client.eio._receive_packet

        def received(packet):
            self.note(client, packet)
            if packet.packet_type == MESSAGE and isinstance(packet.data, str) and packet.data.startswith("2"):
                self.tell(client, *socketio.packet.Packet(encoded_packet=packet.data).data)
            receive(packet)

        client.eio._receive_packet = received

    def open(self):
        self.connect()
        if self.keeps:
            threading.Thread(target=self.watch, daemon=True).start()

    def watch(self):
        while sockets.get(self.name) is self:
            time.sleep(RETRY_S)
            if self.must_renew():
                client = self.leave()
                self.connect()
                threading.Thread(target=client.disconnect, daemon=True).start()

    def runs(self, thread):
        return thread is not None and thread.is_alive()

    def connect(self):
        self.client = self.make()
        self.failure, self.is_away = None, False
        self.opening = threading.Thread(target=self.keep_trying, args=[self.client], daemon=True)
        self.opening.start()

    def keep_trying(self, client):
        while client is self.client:
            try:
                return client.connect(**self.words())
            except exceptions.ConnectionError as failure:
                say(socket=self.name, event="$not_connected", args=[str(failure)])
            if not self.keeps or self.runs(client._reconnect_task):
                return None
            time.sleep(RETRY_S)
        return None

    def emit(self, event, args):
        self.client.emit(event, one_or_many(args), namespace=self.namespace)

    def call(self, event, args, done):
        self.client.emit(event, one_or_many(args), namespace=self.namespace, callback=lambda *answer: done(ok=to_json(answer)))

    def disconnect(self):
        self.is_away = True
        self.client.disconnect()

    def drop(self):
        """As when the network fails: the client notices it and comes back by itself."""
        eio = self.client.eio
        sock = eio.ws.sock if eio.current_transport == "websocket" and eio.ws else None
        if sock is None:
            return False  # there is no connection between two requests
        try:
            sock.shutdown(2)
        except OSError:
            return False  # it is broken already
        return True


class AsyncSocket(Socket):
    def make(self):
        client = AsyncClient(**self.settings())
        client.owner = self.name

        async def came():
            self.tell(client, "connect", client.namespaces.get(self.namespace), False)

        async def went(*reason):
            self.tell(client, "disconnect", *reason)

        async def refused(*args):
            self.tell(client, "connect_error", *args)

        async def heard(*args):
            self.tell(client, *args)

        for event, handler in {"connect": came, "disconnect": went, "connect_error": refused, "*": heard}.items():
            client.on(event, handler, namespace=self.namespace)
        begin, receive = client.eio.start_background_task, client.eio._receive_packet

        def received(packet):
            self.note(client, packet)
            return receive(packet)

        def guarded(target, *args):
            task = begin(target, *args)
            task.add_done_callback(lambda task: self.ended(client, task))
            return task

        client.eio.start_background_task, client.eio._receive_packet = guarded, received
        return client

    def ended(self, client, task):
        if not task.cancelled() and task.exception():
            self.fell(client, task.exception())

    async def open(self):
        await self.connect()
        if self.keeps:
            self.watcher = asyncio.ensure_future(self.watch())

    async def watch(self):
        while sockets.get(self.name) is self:
            await asyncio.sleep(RETRY_S)
            if self.must_renew():
                client = self.leave()
                await self.connect()
                self.parting = asyncio.ensure_future(client.disconnect())

    def runs(self, task):
        return task is not None and not task.done()

    async def connect(self):
        self.client = self.make()
        self.failure, self.is_away = None, False
        self.opening = asyncio.ensure_future(self.keep_trying(self.client))
        self.opening.add_done_callback(lambda task, client=self.client: self.ended(client, task))

    async def keep_trying(self, client):
        while client is self.client:
            try:
                return await client.connect(**self.words())
            except exceptions.ConnectionError as failure:
                say(socket=self.name, event="$not_connected", args=[str(failure)])
            if not self.keeps or self.runs(client._reconnect_task):
                return None
            await asyncio.sleep(RETRY_S)
        return None

    async def emit(self, event, args):
        await self.client.emit(event, one_or_many(args), namespace=self.namespace)

    async def call(self, event, args, done):
        async def answered(*answer):
            done(ok=to_json(answer))

        await self.client.emit(event, one_or_many(args), namespace=self.namespace, callback=answered)

    async def disconnect(self):
        self.is_away = True
        await self.client.disconnect()

    async def drop(self):
        if self.client.eio.current_transport != "websocket" or not self.client.eio.ws:
            return False  # there is no connection between two requests
        await self.client.eio.ws.close()
        return True


sockets = {}


def steps(wanted, kind, done):
    """What to call for a command: a function's result, which may be a coroutine."""
    name, todo = wanted["socket"], wanted["do"]
    if todo == "open":
        sockets[name] = kind(wanted)
        return sockets[name].open()
    if todo == "forget":
        socket = sockets.pop(name, None)
        if socket is None:
            return None
        client, socket.client = socket.leave(), None
        return client.disconnect()
    socket = sockets[name]
    if todo in ("emit", "call"):
        args = from_json(wanted["args"])
        return socket.emit(wanted["event"], args) if todo == "emit" else socket.call(wanted["event"], args, done)
    return {"connect": socket.connect, "disconnect": socket.disconnect, "drop": socket.drop, "state": socket.state,
            "use": lambda: socket.use(wanted)}[todo]()  # fmt: skip


def led(line, kind):
    """(the command, what answers it)"""
    wanted = json.loads(line)
    return wanted, lambda **answer: say(n=wanted["n"], **answer)


def run_sync():
    for line in sys.stdin:
        wanted, done = led(line, SyncSocket)
        try:
            result = steps(wanted, SyncSocket, done)
            if wanted["do"] != "call":
                done(ok=result)
        except Exception as failure:  # whatever a client raises is for the test to judge
            done(error=str(failure) or repr(failure))


async def do_async(wanted, done):
    try:
        result = steps(wanted, AsyncSocket, done)
        if asyncio.iscoroutine(result):
            result = await result
        if wanted["do"] != "call":
            done(ok=result)
    except Exception as failure:  # as above
        done(error=str(failure) or repr(failure))


async def run_async():
    loop = asyncio.get_running_loop()
    while True:
        line = await loop.run_in_executor(None, sys.stdin.readline)
        if not line:
            return
        await do_async(*led(line, AsyncSocket))


def end(*_):
    """At once: threads of a client may be waiting for something."""
    sys.stdout.flush()
    os._exit(0)


signal.signal(signal.SIGTERM, end)
say(ready=sys.argv[1])
if sys.argv[1] == "sync":
    run_sync()
else:
    asyncio.run(run_async())
end()
