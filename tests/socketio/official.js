// The official server with an application that behaves as contracts A and C say: what the tests of this folder were
// written against, and what the bridge is compared with.
//
//     node official.js '{"port":…}'
//
// It is led by lines of JSON on stdin: {"n":1,"do":"publish","key":"session:s1","type":"alert","payload":{…}}.
import { createHmac, timingSafeEqual } from "node:crypto";
import { createInterface } from "node:readline";
import { Server } from "socket.io";

const settings = { pingInterval: 25000, pingTimeout: 20000, namespaces: [], roles: {}, secret: null, ...JSON.parse(process.argv[2]) };
const logs = new Map(); // key -> entries
const unseen = new Map(); // user -> entries of its inbox that nobody has been sent
let lastId = 0;

const io = new Server(settings.port, {
  pingInterval: settings.pingInterval,
  pingTimeout: settings.pingTimeout,
  maxHttpBufferSize: settings.maxPayload ?? 1e6,
  ...(settings.recovery ? { connectionStateRecovery: {} } : {}),
  ...(settings.cors ? { cors: settings.cors } : {}),
});

class Refusal extends Error {
  constructor(code, message, details = null) {
    super(message);
    this.code = code;
    this.details = details;
  }
}

// ---- who somebody is

function readToken(token) {
  const [head, body, mac] = String(token ?? "").split(".");
  const wanted = createHmac("sha256", settings.secret).update(`${head}.${body}`).digest();
  const given = Buffer.from(mac ?? "", "base64url");
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) throw new Refusal("UNAUTHORIZED", "the token is not valid");
  const claims = JSON.parse(Buffer.from(body, "base64url"));
  if (!claims.sub || claims.exp < Date.now() / 1000) throw new Refusal("UNAUTHORIZED", "the token is not valid any more");
  return { user: claims.sub, roles: claims.roles ?? [] };
}

function identify(socket) {
  const { auth, query } = socket.handshake;
  if (settings.secret) return readToken(auth.token ?? query.token);
  return { user: query.user ?? socket.id, roles: [] };
}

function categoriesOf(roles, word) {
  const found = new Set(["*", ...roles].flatMap((role) => settings.roles[role]?.[word] ?? []));
  return found.has("*") ? new Set(["*"]) : found;
}

// ---- what is told to whom

const clock = () => new Date().toISOString();

function isFor(socket, entry) {
  const { follows, categories, user } = socket.data;
  if (!follows.has(entry.key)) return false;
  if (entry.category === undefined || entry.key === `inbox:${user}`) return true;
  return categories.has("*") || categories.has(entry.category);
}

function deliver(socket, entry) {
  if (!isFor(socket, entry)) return;
  socket.emit(entry.type, entry.payload);
}

function publish({ key, type, payload, category }) {
  const id = `${Date.now()}-${lastId++}`;
  const session = key.startsWith("session:") ? { session_id: key.slice("session:".length) } : {};
  const entry = { key, type, category, id, payload: { ...payload, ...session, id, key, timestamp: clock() } };
  if (!logs.has(key)) logs.set(key, []);
  logs.get(key).push(entry);
  const there = sockets().filter((socket) => socket.data.follows.has(key));
  if (settings.recovery) io.to(key).emit(type, entry.payload); // the server recovers only what goes to rooms
  else for (const socket of there) deliver(socket, entry);
  const user = key.startsWith("inbox:") ? key.slice("inbox:".length) : null;
  if (user !== null && there.length === 0) unseen.set(user, [...(unseen.get(user) ?? []), entry]);
  return id;
}

const sockets = () => [...io._nsps.values()].flatMap((namespace) => [...namespace.sockets.values()]);

function replay(socket, offset) {
  for (const key of socket.data.follows) {
    const log = logs.get(key) ?? [];
    if (offset[key] === undefined) continue;
    const from = log.findIndex((entry) => entry.id === offset[key]) + 1;
    for (const entry of log.slice(from)) deliver(socket, entry);
  }
}

// ---- what clients ask for

function textOf(args, name) {
  const value = args?.[name];
  if (typeof value !== "string" || value === "") throw new Refusal("MISSING_FIELD", `"${name}" must be a text`, { name });
  return value;
}

const REQUESTS = {
  ping: () => ["pong", { timestamp: clock() }],
  subscribe_session(socket, args) {
    const session_id = textOf(args, "session_id");
    socket.data.follows.add(`session:${session_id}`);
    return ["subscribed", { session_id }];
  },
  unsubscribe_session(socket, args) {
    const session_id = textOf(args, "session_id");
    socket.data.follows.delete(`session:${session_id}`);
    return ["unsubscribed", { session_id }];
  },
  subscribe_category(socket, args) {
    const category = textOf(args, "category");
    const { permitted, categories } = socket.data;
    if (!permitted.has(category) && !categories.has(category) && !categories.has("*")) {
      throw new Refusal("FORBIDDEN", "this category is not permitted", { name: category });
    }
    categories.add(category);
    return ["subscription", { category, status: "subscribed" }];
  },
  unsubscribe_category(socket, args) {
    const category = textOf(args, "category");
    socket.data.categories.delete(category);
    return ["subscription", { category, status: "unsubscribed" }];
  },
  request_notification_history(socket, args = {}) {
    const limit = args.limit ?? 20;
    if (!Number.isInteger(limit) || limit < 1 || limit > 100) throw new Refusal("INVALID_FIELD", '"limit" must be 1 to 100', { name: "limit" });
    const key = args.topic === undefined ? `inbox:${socket.data.user}` : `topic:${args.topic}`;
    const items = (logs.get(key) ?? []).filter((entry) => isFor(socket, entry)).map((entry) => entry.payload);
    return ["notification_history", { items: items.reverse().slice(0, limit), next: null, unread: items.length }];
  },
};

function answer(socket, event, args) {
  const ack = typeof args.at(-1) === "function" ? args.pop() : null;
  let type, result;
  try {
    if (!Object.hasOwn(REQUESTS, event)) throw new Refusal("UNKNOWN_TYPE", `no event is called "${event}"`);
    if (args.length > 1 || (args.length === 1 && (args[0] === null || typeof args[0] !== "object"))) {
      throw new Refusal("INVALID_FIELD", "an event takes one object");
    }
    [type, result] = REQUESTS[event](socket, args[0]);
  } catch (refusal) {
    [type, result] = ["error", { error: { code: refusal.code, message: refusal.message, details: refusal.details } }];
  }
  if (ack) ack({ type, ...result });
  else socket.emit(type, result);
}

function welcome(socket) {
  const { user, roles } = socket.data;
  if (!socket.recovered) {
    const inbox = `inbox:${user}`;
    Object.assign(socket.data, { follows: new Set(["topic:all", inbox]), categories: categoriesOf(roles, "categories"), permitted: categoriesOf(roles, "permitted") });
    for (const one of socket.handshake.auth.sessions ?? []) socket.data.follows.add(`session:${one}`);
  }
  if (settings.recovery) for (const key of socket.data.follows) socket.join(key);
  socket.onAny((event, ...args) => answer(socket, event, args));
  if (socket.recovered) return;
  const told = { client_id: socket.id, user_id: user, roles, categories: [...socket.data.categories], timestamp: clock() };
  socket.emit("connected", told);
  if (socket.handshake.auth.offset) return replay(socket, socket.handshake.auth.offset);
  for (const entry of unseen.get(user) ?? []) deliver(socket, entry);
  unseen.delete(user);
}

for (const name of ["/", ...settings.namespaces]) {
  const namespace = io.of(name);
  namespace.use((socket, next) => {
    try {
      socket.data = { ...identify(socket), ...socket.data };
      next();
    } catch (refusal) {
      next(Object.assign(new Error(refusal.message), { data: { code: refusal.code ?? "UNAUTHORIZED" } }));
    }
  });
  namespace.on("connection", welcome);
}

const COMMANDS = {
  publish,
  leave: () => sockets().forEach((socket) => (socket.emit("disconnected", { reason: "the server is shutting down" }), socket.conn.close())),
  count: ({ user }) => sockets().filter((socket) => socket.data.user === user).length,
};

function say(line) {
  process.stdout.write(JSON.stringify(line) + "\n");
}

createInterface({ input: process.stdin }).on("line", (line) => {
  const wanted = JSON.parse(line);
  say({ n: wanted.n, ok: COMMANDS[wanted.do](wanted) ?? null });
});
process.on("SIGTERM", () => {
  COMMANDS.leave();
  setTimeout(() => process.exit(0), 20);
});
io.httpServer.on("listening", () => say({ ready: settings.port }));
