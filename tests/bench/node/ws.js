// What an application on `ws` would be that does for its clients what the bridge does: each has a channel of its own
// in Redis, follows the broadcast log and the topics that it names, and is greeted once that is subscribed. What one has
// missed it reads from Redis for him.
//
//     node ws.js PORT REDIS_PORT      writes "ready" once it listens and follows the log
import { createClient } from "@redis/client";
import { WebSocketServer } from "ws";

process.on("SIGTERM", () => process.exit(0));

const LOG = "topic:all";
const PING_MS = 30_000;
const [port, redisPort] = process.argv.slice(2).map(Number);

async function openRedis() {
  const client = createClient({ url: `redis://127.0.0.1:${redisPort}` });
  client.on("error", (error) => {
    console.error(error);
    process.exit(1);
  });
  return client.connect();
}

const redis = await openRedis(); // which hears
const asked = await openRedis();

const server = new WebSocketServer({ port, host: "127.0.0.1", backlog: 511 });

function greeting(clientId, userId) {
  const timestamp = new Date().toISOString();
  return { type: "connection", client_id: clientId, user_id: userId, roles: [], categories: [], timestamp };
}

// Its fields, which come as a list.
const fieldsOf = (list) => Object.fromEntries(Array.from({ length: list.length / 2 }, (_, i) => [list[2 * i], list[2 * i + 1]]));

async function resume(socket, positions) {
  const boxes = await asked.sendCommand(["NOTIFY.SINCE", ...Object.entries(positions).flat()]);
  const results = Object.fromEntries(Object.keys(positions).map((key) => [key, { recovered: true }]));
  for (const { key, gap, entries } of boxes.map(fieldsOf)) {
    results[key] = { recovered: Number(gap) === 0 };
    for (const text of entries) socket.send(text);
  }
  socket.send(JSON.stringify({ type: "resumed", results }));
}

const TAKES = { resume: (socket, { positions }) => resume(socket, positions) };

server.on("connection", async (socket, request) => {
  const { pathname, searchParams } = new URL(request.url, "http://127.0.0.1");
  const user = searchParams.get("user");
  const topics = (searchParams.get("topics") || "").split(",").filter(Boolean);
  const keys = [`inbox:${user}`, ...topics.map((topic) => `topic:${topic}`)];
  const tell = (text) => socket.send(text);
  socket.on("error", () => {}); // cut off: "close" follows
  socket.on("close", () => redis.unsubscribe(keys, tell));
  socket.on("message", (text) => {
    const message = JSON.parse(text);
    TAKES[message.type]?.(socket, message);
  });
  await redis.subscribe(keys, tell);
  socket.send(JSON.stringify(greeting(pathname.slice("/ws/".length), user)));
});

// The same beat for all at once would hold everybody up: each second has its part of them.
let beat = 0;
setInterval(() => {
  let i = 0;
  for (const socket of server.clients) if (i++ % (PING_MS / 1000) === beat) socket.ping();
  beat = (beat + 1) % (PING_MS / 1000);
}, 1000);

await redis.subscribe(LOG, (text) => {
  for (const socket of server.clients) socket.send(text);
});
server.on("listening", () => console.log("ready"));
if (server.address()) console.log("ready");
