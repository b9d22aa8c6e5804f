/* scene -- notify.js with everything around it played: sockets, the bridge behind them, the clock. */

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after } from './harness.js';

export const NotifyClient = createRequire(import.meta.url)(process.env.NOTIFY_JS || '../../build/notify.js');

export class FakeClock {
  #now = 1000000;
  #timers = new Map();
  #next = 1;
  random = () => 1;
  now = () => this.#now;
  get running() {
    return this.#timers.size;
  }
  setTimeout = (fn, ms) => {
    this.#timers.set(this.#next, { at: this.#now + ms, fn });
    return this.#next++;
  };
  clearTimeout = (id) => this.#timers.delete(id);

  /* Time passes, and nothing happens. */
  async sleep(ms) {
    this.#now += ms;
  }

  /* Somebody corrects it; timers take no notice of that. */
  setBack(ms) {
    this.#now -= ms;
    for (const timer of this.#timers.values()) timer.at -= ms;
  }

  async advance(ms) {
    const end = this.#now + ms;
    for (;;) {
      const due = [...this.#timers].filter(([, timer]) => timer.at <= end).sort((a, b) => a[1].at - b[1].at)[0];
      if (!due) break;
      this.#timers.delete(due[0]);
      this.#now = Math.max(this.#now, due[1].at);
      due[1].fn();
      await settle();
    }
    this.#now = end;
    await settle();
  }
}

/* Lets all promises that can go on do so. */
export function settle() {
  return new Promise((done) => setImmediate(done));
}

/* A client with the bridge's side of each of its connections. */
export class Scene {
  sockets = [];
  events = [];
  clock = new FakeClock();

  static async start(options = {}) {
    const scene = new Scene();
    scene.make(options);
    scene.client.open();
    await settle();
    return scene;
  }

  make(options) {
    const { sockets } = this;
    class FakeSocket {
      readyState = 0;
      sent = [];
      closedWith = null;
      constructor(url) {
        this.url = url;
        sockets.push(this);
      }
      send(text) {
        this.sent.push(JSON.parse(text));
      }
      close(code) {
        this.closedWith = code;
        this.readyState = 3;
      }
    }
    this.client = new NotifyClient('ws://bridge/ws', { user: 'alice', WebSocket: FakeSocket, clock: this.clock, ...options });
    for (const type of ['status', 'ready', 'badge', 'counts', 'gap', 'stopped', 'unreachable', 'error']) {
      this.client.on(type, (event) => this.events.push({ name: type, ...event }));
    }
    this.got = [];
    this.client.on('*', (message) => this.got.push(message));
  }

  get socket() {
    return this.sockets[this.sockets.length - 1];
  }
  get ids() {
    return this.got.map((message) => message.id).filter(Boolean);
  }
  all(name) {
    return this.events.filter((event) => event.name === name);
  }

  async receive(...messages) {
    for (const message of messages) this.socket.onmessage({ data: typeof message === 'string' ? message : JSON.stringify(message) });
    await settle();
  }
  async greet() {
    this.socket.readyState = 1;
    this.socket.onopen?.();
    await this.receive({ type: 'connection', status: 'connected', client_id: 'c1', user_id: 'alice' });
  }
  /* The latest request of this type on the present connection. */
  request(type) {
    return this.socket.sent.filter((message) => message.type === type).pop();
  }
  async answer(type, reply) {
    const request = this.request(type);
    assert.ok(request, `a ${type} was sent`);
    await this.receive({ ...reply, request_id: request.request_id });
  }
  /* A first connection with nothing missed: the inbox at 100-0, topic:all at 50-0. */
  async connectFirst({ last = '100-0', unread = 0, rev = 1 } = {}) {
    await this.greet();
    await this.answer('subscribe', { type: 'subscription', topic: 'all', status: 'subscribed', last: '50-0' });
    await this.answer('unread_count', { type: 'unread_count', unread, last, rev });
  }
  async drop(code = 1006, reason = '') {
    this.socket.onclose({ code, reason });
    await settle();
  }
  /* The connection breaks, and the next one is greeted. */
  async reconnect() {
    await this.drop();
    await this.clock.advance(60000);
    await this.greet();
  }
}

export function entry(id, prev, more = {}) {
  return { type: 'notification', key: 'inbox:alice', id, prev, rev: 2, unread: 1, data: { id, title: id }, ...more };
}

/* The parts of a page that notify.js listens to. */
export function playPage() {
  const page = new EventTarget();
  const inside = new EventTarget();
  globalThis.addEventListener = page.addEventListener.bind(page);
  globalThis.document = inside;
  inside.visibilityState = 'visible';
  after(() => {
    delete globalThis.addEventListener;
    delete globalThis.document;
  });
  const tell = async (type, more = {}) => {
    const target = ['visibilitychange', 'resume', 'freeze'].includes(type) ? inside : page;
    target.dispatchEvent(Object.assign(new Event(type), more));
    await settle();
  };
  return { tell, inside };
}
