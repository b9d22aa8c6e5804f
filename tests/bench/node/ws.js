// What an application on `ws` would be that does for its clients what the bridge does: each has a channel of its own
// in Redis and follows the broadcast log, and is greeted once that is subscribed.
//
//     node ws.js PORT REDIS_PORT      writes "ready" once it listens and follows the log
import { createClient } from "@redis/client";
import { WebSocketServer } from "ws";

process.on("SIGTERM", () => process.exit(0));

const LOG = "topic:all";
const PING_MS = 30_000;
const [port, redisPort] = process.argv.slice(2).map(Number);

const redis = createClient({ url: `redis://127.0.0.1:${redisPort}` });
redis.on("error", (error) => {
  console.error(error);
  process.exit(1);
});
await redis.connect();

const server = new WebSocketServer({ port, host: "127.0.0.1", backlog: 511 });

function greeting(clientId, userId) {
  const timestamp = new Date().toISOString();
  return { type: "connection", client_id: clientId, user_id: userId, roles: [], categories: [], timestamp };
}

server.on("connection", async (socket, request) => {
  const { pathname, searchParams } = new URL(request.url, "http://127.0.0.1");
  const user = searchParams.get("user");
  const inbox = `inbox:${user}`;
  const tell = (text) => socket.send(text);
  socket.on("error", () => {}); // cut off: "close" follows
  socket.on("close", () => redis.unsubscribe(inbox, tell));
  await redis.subscribe(inbox, tell);
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
