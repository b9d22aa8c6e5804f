// What an application on Socket.IO's own server would be: it follows the broadcast log in Redis and tells all of
// its clients what is published there, in the words in which the bridge says it.
//
//     node server.js PORT REDIS_PORT      writes "ready" once it listens and follows
import { createServer } from "node:http";
import { createClient } from "@redis/client";
import { Server } from "socket.io";

process.on("SIGTERM", () => process.exit(0));

const LOG = "topic:all";
const [port, redisPort] = process.argv.slice(2).map(Number);

const httpServer = createServer();
// Pollers keep their connections as long as the bridge lets them.
httpServer.keepAliveTimeout = 60_000;
const io = new Server(httpServer);

function greeting(socket) {
  const name = socket.handshake.query.user;
  return { client_id: socket.id, user_id: name, roles: [], categories: [], timestamp: new Date().toISOString() };
}

io.on("connection", (socket) => {
  socket.on("ping", (...args) => {
    const answer = args.at(-1);
    if (typeof answer === "function") answer({ timestamp: new Date().toISOString() });
  });
  socket.emit("connected", greeting(socket));
});

// A message as the module publishes it ("<milliseconds>-<n>" is its id).
function tellAll(text) {
  const { type, key, id, unread, data } = JSON.parse(text);
  const timestamp = new Date(Number.parseInt(id, 10)).toISOString();
  io.emit(type, { ...data, id, timestamp, key, unread });
}

const redis = createClient({ url: `redis://127.0.0.1:${redisPort}` });
redis.on("error", (error) => {
  console.error(error);
  process.exit(1);
});
await redis.connect();
await redis.subscribe(LOG, tellAll);
httpServer.listen(port, "127.0.0.1", 511, () => console.log("ready"));
