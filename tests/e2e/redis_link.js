/* redis_link -- commands to a Redis server over one connection, answered as redis-cli prints where nobody looks: a line
 * for each element. (A process for each command takes longer than all that is tested by it.) */

import { connect } from 'node:net';

const CR_LF = '\r\n';

function wordsOf(words) {
  const parts = words.map((word) => Buffer.from(String(word)));
  return Buffer.concat([Buffer.from(`*${parts.length}${CR_LF}`), ...parts.flatMap((part) => [Buffer.from(`$${part.length}${CR_LF}`), part, Buffer.from(CR_LF)])]);
}

/* { value, at: behind it }, or null: some of it is still to come. */
function readReply(bytes, at) {
  const end = bytes.indexOf(CR_LF, at);
  if (end < 0) return null;
  const head = bytes.toString('utf8', at + 1, end);
  const next = end + CR_LF.length;
  switch (String.fromCharCode(bytes[at])) {
    case '$': return Number(head) < 0 ? { value: '', at: next } : readText(bytes, next, Number(head));
    case '*': return readList(bytes, next, Number(head));
    case '-': return { value: new Error(head), at: next };
    default: return { value: head, at: next };
  }
}

function readText(bytes, at, length) {
  const end = at + length;
  return bytes.length < end + CR_LF.length ? null : { value: bytes.toString('utf8', at, end), at: end + CR_LF.length };
}

function readList(bytes, at, count) {
  const lines = [];
  for (let i = 0; i < count; i++) {
    const one = readReply(bytes, at);
    if (one === null) return null;
    lines.push(one.value instanceof Error ? one.value.message : one.value);
    at = one.at;
  }
  return { value: lines.join('\n'), at };
}

export class RedisLink {
  #port;
  #socket = null;
  #bytes = Buffer.alloc(0);
  #waiting = []; // { resolve, reject } of what was asked, in order

  constructor(port) {
    this.#port = port;
  }

  /* Resolves with the text, rejects with what the server refuses, or when it goes. */
  call(words) {
    if (this.#socket === null) this.#connect();
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#socket.write(wordsOf(words));
    });
  }

  #connect() {
    const socket = (this.#socket = connect(this.#port, '127.0.0.1'));
    let why = new Error('Redis has closed the connection');
    socket.on('data', (data) => this.#hear(data));
    socket.on('error', (error) => (why = error));
    socket.on('close', () => this.#socket === socket && this.#end(why));
  }

  #hear(data) {
    this.#bytes = Buffer.concat([this.#bytes, data]);
    for (let reply = readReply(this.#bytes, 0); reply; reply = readReply(this.#bytes, 0)) {
      this.#bytes = this.#bytes.subarray(reply.at);
      const { resolve, reject } = this.#waiting.shift();
      if (reply.value instanceof Error) reject(reply.value);
      else resolve(reply.value);
    }
  }

  #end(why) {
    this.#socket = null;
    this.#bytes = Buffer.alloc(0);
    for (const { reject } of this.#waiting.splice(0)) reject(why);
  }

  close() {
    if (this.#socket) this.#socket.destroy();
  }
}
