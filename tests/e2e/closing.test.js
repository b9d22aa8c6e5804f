/* close(), at every moment: in each call of a listener, while a token is awaited, by WebSocket and by event stream, alone
 * and with other tabs. Afterwards there is nothing any more: no event, no timer, no connection, no token that is asked for. */

import assert from 'node:assert/strict';
import { test } from './harness.js';
import { randomOf } from './inbox_model.js';
import { breathe, Streams } from './played_streams.js';
import { World } from './played_world.js';
import { entry, NotifyClient, Scene, settle } from './scene.js';

const { LIMITS } = NotifyClient;
const EVENTS = ['status', 'ready', 'badge', 'counts', 'gap', 'resumed', 'stopped', 'unreachable', 'error', 'frame', '*'];
const LONG_MS = 2 * LIMITS.probeMaxMs;

/* All that a client calls: listeners, and the function that gives tokens. At the nth call it is closed; what is called
 * behind that is in `late`. */
class Calls {
  count = 0;
  late = [];
  moment = null; // what was called when it was closed
  #closeAt;
  #close;

  constructor(closeAt) {
    this.#closeAt = closeAt;
  }

  watch(client) {
    this.#close = () => client.close();
    for (const type of EVENTS) client.on(type, (event) => this.note(`${type} ${event.status || event.type || ''}`, event));
  }

  note(what, event = {}) {
    this.count++;
    if (this.moment !== null && event.status !== 'closed') this.late.push(what);
    if (this.count !== this.#closeAt || this.moment !== null) return;
    this.moment = `${what}, call ${this.count}`;
    this.#close();
  }
}

/* Until the client is closed. */
async function play(calls, steps) {
  for (const step of steps) {
    if (calls.moment !== null) return;
    await step();
  }
}

/* A storage that holds nothing for long, and one entry that expires. */
const storage = { getItem: () => null, setItem: () => {} };
const expiring = (id, prev, more) => entry(id, prev, { ...more, data: { id, title: id, expires_at: '2100-01-01T00:00:00Z' } });

function makeScene(closeAt, options) {
  const scene = new Scene();
  const calls = new Calls(closeAt);
  const token = async () => {
    calls.note('token');
    if (calls.count % 5 === 0) throw new Error('no token');
    return 't';
  };
  scene.make({ token, storage, backoffMs: 100, topics: ['news'], ...options });
  calls.watch(scene.client);
  scene.client.open();
  return { scene, calls };
}

/* By WebSocket: greeted, counted, caught up, with doubts, gaps, a token that ends, and twice over. */
async function playSocket(closeAt) {
  const { scene, calls } = makeScene(closeAt);
  const greet = async () => {
    while (calls.moment === null && !scene.socket?.onmessage) await scene.clock.advance(1000);
    if (calls.moment === null) await scene.greet();
  };
  const answer = (type, reply) => async () => {
    for (const { request_id } of scene.socket.sent.filter((message) => message.type === type)) {
      if (scene.socket.onmessage) await scene.receive({ ...reply, request_id });
    }
  };
  const tell = (...messages) => async () => {
    for (const message of messages) if (scene.socket.onmessage) await scene.receive(message);
  };
  const once = [
    settle,
    greet,
    tell(expiring('101-0', '100-0', { rev: 4 }), entry('6-0', '5-0', { key: 'topic:news' })),
    answer('resume', { type: 'resumed', results: { 'inbox:alice': { recovered: true } } }),
    answer('subscribe', { type: 'subscription', topic: 'news', status: 'subscribed', last: '5-0' }),
    answer('unread_count', { type: 'unread_count', unread: 1, last: '100-0', rev: 3, next_expiry: 4e12, logs: { 'topic:news': { unread: 1, last: '5-0' } } }),
    tell(expiring('102-0', '101-0', { rev: 9, unread: 7 }), expiring('103-0', '102-0', { rev: 3, unread: 2 })),
    tell({ type: 'deleted', key: 'topic:news', rev: 9, unread: 0 }, { type: 'gone', key: 'inbox:alice', rev: 10, unread: 0 }),
    tell({ type: 'resumed', results: { 'inbox:alice': { recovered: false } } }, { type: 'error', error: { code: 'X' } }),
    tell({ type: 'token_expiring', expires_at: null }),
    () => scene.clock.advance(30000),
  ];
  const drop = async () => scene.socket.onclose && scene.drop();
  await play(calls, [...once, drop, ...once, drop, ...once, async () => scene.socket.onclose && scene.drop(4410, 'kicked')]);
  return { scene, calls };
}

/* By event stream, with the trial of a WebSocket beside it. */
async function playStream(closeAt) {
  const streams = new Streams();
  const { scene, calls } = makeScene(closeAt, { fetch: streams.fetch });
  const places = { 'inbox:alice': '100-0', 'topic:all': '50-0', 'topic:news': '5-0' };
  const results = Object.fromEntries(Object.keys(places).map((key) => [key, { recovered: true, count: 0 }]));
  const isOpen = () => streams.stream?.isOpen;
  const block = async () => {
    while (calls.moment === null && !isOpen()) {
      if (scene.socket?.onclose) await scene.drop();
      await scene.clock.advance(1000);
      await breathe();
    }
  };
  const tell = (...messages) => async () => {
    for (const message of messages) if (isOpen()) await streams.tell(message);
  };
  const answer = async () => {
    for (const { request, answer } of streams.posts.splice(0)) await answer({ type: request.type, unread: 1, last: '100-0', rev: 5, next_expiry: 4e12 });
  };
  const begin = [block, () => isOpen() && streams.greet({ positions: places }), tell({ type: 'resumed', results, epochs: {} }), answer];
  const probe = async () => {
    for (let at = 0; at < LIMITS.probeMs + 20000 && isOpen(); at += 10000) {
      await scene.clock.advance(10000);
      if (isOpen()) await streams.write(':\n\n');
    }
  };
  await play(calls, [
    settle,
    ...begin,
    tell(expiring('101-0', '100-0', { rev: 9, unread: 7 }), expiring('102-0', '101-0', { rev: 3, unread: 2 })),
    () => scene.client.subscribe('news', { last: 1 }),
    () => scene.clock.advance(1),
    breathe,
    () => isOpen() && streams.greet({ positions: { ...places, 'topic:news': '9-0' } }),
    tell({ type: 'resumed', results, epochs: {} }),
    answer,
    probe,
    async () => scene.socket.onclose && scene.drop(),
    probe,
    () => isOpen() && streams.end(),
    ...begin,
  ]);
  return { scene, calls };
}

/* A tab, and another one, if they share, that goes and comes: the connection is in this one or in that one. */
async function playTab(closeAt, share, isFirst) {
  const world = new World(randomOf(1));
  const calls = new Calls(closeAt);
  const options = { share, topics: ['news'], storage, heartbeatMs: 1e9 };
  const token = async () => calls.note('token') || 't';
  let tab = null;
  let other = null;
  const openOther = async () => (other = await world.open('alice', options));
  const openThis = async () => (tab = await world.open('alice', { ...options, token }, (client) => calls.watch(client)));
  const send = async () => {
    world.bridge.send('inbox:alice');
    world.bridge.send('topic:news');
    await settle();
  };
  await play(calls, [
    ...(isFirst ? [openThis, openOther] : [openOther, openThis]),
    send,
    () => tab.client.subscribe('sports', { last: 2 }).catch(() => {}),
    () => world.close(other),
    () => world.clock.advance(1000),
    openOther,
    send,
    async () => world.bridge.cut(),
    send,
    () => world.clock.advance(3 * LIMITS.hubMs),
    send,
  ]);
  return { world, calls, tab: world.tabs.find((one) => one !== other), other };
}

/* Whoever closes when it has stopped hears that it has. */
const isExpected = (moment, what) => moment.startsWith('status stopped') && what.startsWith('stopped');

async function checkScene(play) {
  const faults = [];
  for (let at = 1; ; at++) {
    const { scene, calls } = await play(at);
    if (calls.moment === null) break;
    await settle();
    const { running } = scene.clock;
    const { length } = scene.sockets;
    await scene.clock.advance(LONG_MS);
    await breathe();
    const late = calls.late.filter((what) => !isExpected(calls.moment, what));
    const { status } = scene.client;
    const isWell = late.length + running === 0 && ['closed', 'stopped'].includes(status) && scene.sockets.length === length;
    if (!isWell) faults.push(`${calls.moment}: ${status}, ${running} timers, ${scene.sockets.length - length} sockets, then: ${late}`);
  }
  assert.deepEqual(faults, []);
}

test('close() in any listener, or while a token is given: no event, timer or connection comes behind it', () => checkScene(playSocket));

test('close() in any listener beside an event stream: nothing comes behind it, and no WebSocket is tried', () => checkScene(playStream));

for (const [share, isFirst] of [['leader', true], ['leader', false], ['own', true]]) {
  test(`close() in any listener of a tab that shares (${share}, ${isFirst ? 'first' : 'second'}): nothing comes behind it, and others go on`, async () => {
    const faults = [];
    for (let at = 1; ; at++) {
      const { world, calls, tab, other } = await playTab(at, share, isFirst);
      if (calls.moment === null) break;
      await settle();
      const running = tab.page.timers.size;
      await world.clock.advance(LONG_MS);
      const isWell = calls.late.length + running === 0 && tab.client.status === 'closed' && (!world.tabs.includes(other) || other.client.status === 'connected');
      if (!isWell) faults.push(`${calls.moment}: ${tab.client.status}, ${running} timers, the other ${other?.client.status}, then: ${calls.late}`);
    }
    assert.deepEqual(faults, []);
  });
}
