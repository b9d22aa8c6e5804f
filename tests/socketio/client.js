// Stock clients of Socket.IO, led by lines of JSON on stdin (stock.py); client.py is the same for Python's.
//
//     node client.js PACKAGE
//
// {"n":1,"do":"open","socket":"X",…} is answered by {"n":1,"ok":…} or {"n":1,"error":"…"}; whatever a socket hears is
// {"socket":"X","event":"…","args":[…]}. Bytes are {"$bytes":"<base64>"} in both directions.
import { appendFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const { io } = createRequire(import.meta.url)(process.argv[2]);
const sockets = new Map();

function say(line) {
  process.stdout.write(JSON.stringify(line) + "\n");
}

function mapValues(value, change) {
  const changed = change(value);
  if (changed !== undefined) return changed;
  if (Array.isArray(value)) return value.map((one) => mapValues(one, change));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, mapValues(one, change)]));
}

const toJson = (value) => mapValues(value, (one) => (ArrayBuffer.isView(one) ? { $bytes: Buffer.from(one.buffer, one.byteOffset, one.byteLength).toString("base64") } : undefined));
const fromJson = (value) => mapValues(value, (one) => (typeof one?.$bytes === "string" ? Buffer.from(one.$bytes, "base64") : undefined));

/** What the documentation of Socket.IO says of a client that wants to miss nothing: it keeps its place in `auth`. */
function keepPlace(socket, payload) {
  if (typeof payload?.key === "string" && typeof payload.id === "string") {
    socket.auth = { ...socket.auth, offset: { ...socket.auth?.offset, [payload.key]: payload.id } };
  }
}

/** Acks that come twice are dropped by all clients without a word. */
function watchAcks(name, socket) {
  let seen = new Set();
  socket.io.on("open", () => (seen = new Set()));
  socket.io.on("packet", (packet) => {
    if (packet.type !== 3 && packet.type !== 6) return;
    const ack = `${packet.nsp} ${packet.id}`;
    if (seen.has(ack)) say({ socket: name, event: "$ack_again", args: [ack] });
    seen.add(ack);
  });
}

/** For who looks for a fault: what each connection is told and tells, in the file that NOTIFY_WIRE names. */
function tap(name, manager) {
  const { open } = manager;
  let count = 0;
  manager.open = manager.connect = function (...args) {
    const before = this.engine;
    const result = open.apply(this, args);
    const engine = this.engine;
    if (engine === before) return result;
    const who = `${name}.${++count}`;
    const log = (...what) => appendFileSync(process.env.NOTIFY_WIRE, `${Date.now()} ${process.pid} ${who} ${engine.id} ${engine.transport?.name} ${engine.readyState} ${what.join(" ").slice(0, 300)}\n`);
    engine.on("packet", ({ type, data }) => log("<", type, data));
    engine.on("packetCreate", ({ type, data }) => log(">", type, data));
    for (const event of ["open", "upgrading", "upgrade", "upgradeError", "drain", "error", "close"]) engine.on(event, (why) => log(event, why?.message ?? why?.name ?? why));
    return result;
  };
}

function hear(name, socket, keeps) {
  const tell = (event, ...args) => say({ socket: name, event, args: toJson(args) });
  socket.on("connect", () => tell("connect", socket.id, socket.recovered ?? false));
  socket.on("disconnect", (reason) => tell("disconnect", reason));
  socket.on("connect_error", (error) => tell("connect_error", error.message, error.data ?? null));
  socket.onAny((event, ...args) => {
    if (keeps) keepPlace(socket, args[0]);
    tell(event, ...args);
  });
}

const COMMANDS = {
  open({ socket: name, url, namespace = "/", beside, auth, keep = false, options = {} }) {
    const near = { reconnectionDelay: 20, reconnectionDelayMax: 200, forceNew: true, autoConnect: false, ...options };
    const socket = beside ? sockets.get(beside).io.socket(namespace, { auth }) : io(url + namespace, { ...near, auth });
    sockets.set(name, socket);
    if (!beside) watchAcks(name, socket);
    hear(name, socket, keep);
    if (process.env.NOTIFY_WIRE && !beside) tap(name, socket.io);
    socket.connect();
  },
  emit({ socket: name, event, args }) {
    sockets.get(name).emit(event, ...fromJson(args));
  },
  call({ socket: name, event, args }) {
    const socket = sockets.get(name);
    return new Promise((resolve, reject) => {
      // A callback of a connection that ends is forgotten by the client.
      const lost = () => reject(new Error("disconnected"));
      socket.once("disconnect", lost);
      socket.emit(event, ...fromJson(args), (...answer) => {
        socket.off("disconnect", lost);
        resolve(toJson(answer));
      });
      if (!socket.connected) lost();
    });
  },
  connect({ socket: name }) {
    sockets.get(name).connect();
  },
  /** Done when the connection is gone, if it goes: until then older clients hear it, even if they have begun another. */
  disconnect({ socket: name }) {
    const socket = sockets.get(name);
    const { engine } = socket.io;
    socket.disconnect();
    if (engine?.readyState !== "closing") return null;
    return new Promise((resolve) => engine.once("close", () => resolve(null)));
  },
  use({ socket: name, transports, auth }) {
    const socket = sockets.get(name);
    if (transports) socket.io.opts.transports = transports;
    if (auth) socket.auth = { ...socket.auth, ...auth };
  },
  /** As when the network fails: the client notices it and comes back by itself. Of one that is opening nobody is told that. */
  drop({ socket: name }) {
    const { engine } = sockets.get(name).io;
    if (engine?.readyState !== "open") return false;
    engine.close();
    return true;
  },
  state({ socket: name }) {
    const socket = sockets.get(name);
    const engine = socket.io.engine;
    return { connected: socket.connected, id: socket.id ?? null, session: engine?.id ?? null, transport: engine?.transport?.name ?? null };
  },
  forget({ socket: name }) {
    sockets.get(name)?.removeAllListeners();
    sockets.get(name)?.disconnect();
    sockets.delete(name);
  },
};

createInterface({ input: process.stdin }).on("line", async (line) => {
  const wanted = JSON.parse(line);
  try {
    say({ n: wanted.n, ok: (await COMMANDS[wanted.do](wanted)) ?? null });
  } catch (failure) {
    say({ n: wanted.n, error: String(failure.message ?? failure) });
  }
});
process.on("SIGTERM", () => process.exit(0));
process.stdin.on("end", () => process.exit(0));
say({ ready: process.argv[2] });
