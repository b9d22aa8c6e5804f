/* played_bridge -- a bridge and Redis in a few lines, for many clients at once: one inbox, topics, and
 * sockets that answer as soon as they are asked. What it cannot do is not what it is for: orders of
 * events that a real one hardly ever brings about. */

import { NotifyClient } from './scene.js';

export class PlayedBridge {
  sockets = new Set();
  boxes = new Map(); // key -> { entries, rev }
  opened = 0;
  users = []; // of the connections that were made
  tokens = []; // likewise
  refused = new Set(); // tokens that are no good

  /* The class of sockets of a page. */
  socketsOf(page) {
    const bridge = this;
    return class PlayedSocket {
      readyState = 0;
      constructor(url) {
        const { searchParams } = new URL(url);
        this.token = searchParams.get('token');
        this.user = searchParams.get('user') || NotifyClient.pure.subjectOf(this.token);
        this.page = page;
        queueMicrotask(() => bridge.greet(this));
      }
      send(text) {
        const request = JSON.parse(text);
        queueMicrotask(() => this.readyState === 1 && bridge.answer(this, request));
      }
      close() {
        this.readyState = 3;
        bridge.sockets.delete(this);
      }
      receive(message) {
        const data = JSON.stringify(message);
        this.page.do(() => this.readyState === 1 && this.onmessage?.({ data }));
      }
    };
  }

  greet(socket) {
    if (socket.readyState !== 0) return;
    if (this.refused.has(socket.token)) {
      socket.readyState = 3;
      socket.page.do(() => socket.onclose?.({ code: 4401, reason: 'no good' }));
      return;
    }
    this.tokens.push(socket.token);
    socket.readyState = 1;
    socket.follows = new Set([`inbox:${socket.user}`]);
    this.sockets.add(socket);
    this.opened++;
    this.users.push(socket.user);
    socket.page.do(() => socket.onopen?.());
    socket.receive({ type: 'connection', status: 'connected', client_id: `c${this.opened}`, user_id: socket.user });
  }

  box(key) {
    if (!this.boxes.has(key)) this.boxes.set(key, { entries: [], rev: 0 });
    return this.boxes.get(key);
  }

  lastOf(key) {
    return this.box(key).entries.at(-1)?.id || '0-0';
  }

  send(key) {
    const box = this.box(key);
    const prev = this.lastOf(key);
    const id = `${Number(prev.split('-')[0]) + 1}-0`;
    box.rev++;
    const message = { type: 'notification', key, id, prev, rev: box.rev, unread: box.rev, data: { id, title: id } };
    box.entries.push(message);
    for (const socket of [...this.sockets]) if (socket.follows.has(key)) socket.receive(message);
    return id;
  }

  /* What somebody says on a channel that is no box. name: as it was subscribed. */
  publish(name, channel, data) {
    const pattern = name === channel ? undefined : name;
    for (const socket of [...this.sockets]) {
      if (socket.follows.has(name)) socket.receive({ type: 'channel_message', channel, pattern, data });
    }
  }

  /* All connections are cut. */
  cut() {
    for (const socket of [...this.sockets]) {
      this.sockets.delete(socket);
      socket.readyState = 3;
      socket.page.do(() => socket.onclose?.({ code: 1006, reason: '' }));
    }
  }

  #missed(key, id) {
    const [ms] = id.split('@@')[0].split('-').map(Number);
    const { entries, rev } = this.box(key);
    const missed = entries.filter((entry) => Number(entry.id.split('-')[0]) > ms);
    return missed.map((entry) => ({ ...entry, rev, unread: rev })); // as read again
  }

  answer(socket, { type, request_id, ...request }) {
    const answers = {
      resume: ({ positions }) => {
        const results = {};
        for (const [key, id] of Object.entries(positions)) {
          const missed = this.#missed(key, id);
          for (const message of missed) socket.receive(message);
          results[key] = { recovered: true, count: missed.length };
        }
        return { type: 'resumed', results };
      },
      subscribe: ({ topic, channel, last_id, last }) => {
        const key = channel || `topic:${topic}`;
        if (key === 'secret') return { type: 'error', error: { code: 'FORBIDDEN', message: 'no' } };
        socket.follows.add(key);
        if (channel) return { type: 'subscription', channel, status: 'subscribed' };
        if (last > 100) return { type: 'error', error: { code: 'INVALID_FIELD', message: 'last is too much' } };
        const { entries, rev } = this.box(key);
        const rewound = last ? entries.slice(-last).map((entry) => ({ ...entry, rev, unread: rev })) : [];
        for (const message of last_id ? this.#missed(key, last_id) : rewound) socket.receive(message);
        return { type: 'subscription', topic, status: 'subscribed', last: this.lastOf(key), recovered: true };
      },
      unsubscribe: ({ topic, channel }) => {
        socket.follows.delete(channel || `topic:${topic}`);
        return { type: 'subscription', topic, channel, status: 'unsubscribed' };
      },
      unread_count: () => {
        const key = `inbox:${socket.user}`;
        return { type, unread: this.box(key).rev, last: this.lastOf(key), rev: this.box(key).rev };
      },
    };
    socket.receive({ ...(answers[type] ? answers[type](request) : { type }), request_id });
  }
}
