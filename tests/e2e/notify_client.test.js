/* notify.js alone: on a socket that this file plays, and on a clock that stands until it is moved. */

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from './harness.js';

const NotifyClient = createRequire(import.meta.url)('../../bridge/www/notify.js');
const { compareIds, isId, backoffDelay, restartDelay, connectUrl } = NotifyClient.pure;

class FakeClock {
  #now = 1000000;
  #timers = new Map();
  #next = 1;
  random = () => 1;
  now = () => this.#now;
  setTimeout = (fn, ms) => {
    this.#timers.set(this.#next, { at: this.#now + ms, fn });
    return this.#next++;
  };
  clearTimeout = (id) => this.#timers.delete(id);

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
function settle() {
  return new Promise((done) => setImmediate(done));
}

/* A client with the bridge's side of each of its connections. */
class Scene {
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
    for (const type of ['status', 'ready', 'badge', 'gap', 'stopped', 'error']) {
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

function entry(id, prev, more = {}) {
  return { type: 'notification', key: 'inbox:alice', id, prev, rev: 2, unread: 1, data: { id, title: id }, ...more };
}

/* -- pure parts -- */

test('ids compare as numbers of any length, first by time, then by sequence', () => {
  const ordered = ['0-0', '0-1', '9-9', '10-0', '10-9', '10-10', '1795208400123-0', '1795208400124-0', '1795208400124-18446744073709551614', '1795208400124-18446744073709551615'];
  for (let i = 0; i < ordered.length; i++) {
    for (let j = 0; j < ordered.length; j++) assert.equal(compareIds(ordered[i], ordered[j]), Math.sign(i - j));
  }
});

test('only the text of an id is an id', () => {
  for (const good of ['0-0', '1-2', '1795208400123-0']) assert.ok(isId(good), good);
  for (const bad of ['', '1', '1-', '-1', '01-0', '1-00', '1-2-3', ' 1-2', '1-2\n', 'a-b', 12, null, undefined, ['1-2'], '123456789012345678901-0']) {
    assert.equal(isId(bad), false, String(bad));
  }
});

test('back-off doubles up to its bound, and jitter takes any part of it', () => {
  const delays = [0, 1, 2, 3, 6, 100].map((attempt) => backoffDelay(attempt, 500, 30000, () => 1));
  assert.deepEqual(delays, [500, 1000, 2000, 4000, 30000, 30000]);
  assert.equal(backoffDelay(5, 500, 30000, () => 0), 0);
});

test('a restart delay is read from the reason of a 1012 only, and bounded', () => {
  assert.equal(restartDelay(1012, '1234'), 1234);
  assert.equal(restartDelay(1012, 'restart in 250 ms'), 250);
  assert.equal(restartDelay(1012, '99999999999999'), NotifyClient.LIMITS.restartDelayMs);
  assert.equal(restartDelay(1012, 'soon'), null);
  assert.equal(restartDelay(1012, undefined), null);
  assert.equal(restartDelay(1006, '1234'), null);
});

test('the address is made of any kind of base, with everything escaped', () => {
  assert.equal(connectUrl('/ws', 'https://host:1/test-ws?x#y', { user: 'a&b=c' }), 'wss://host:1/ws?user=a%26b%3Dc');
  assert.equal(connectUrl(undefined, 'http://host/', {}), 'ws://host/ws');
  assert.equal(connectUrl('ws://host/ws', undefined, { clientId: 'a/b' }, 't'), 'ws://host/ws/a%2Fb?token=t');
});

/* -- connecting -- */

test('after the greeting the client counts, learns its places, and is ready', async () => {
  const scene = await Scene.start();
  assert.equal(scene.socket.url, 'ws://bridge/ws?user=alice');
  assert.equal(scene.client.status, 'connecting');
  await scene.connectFirst({ unread: 3, rev: 7 });
  assert.equal(scene.client.status, 'connected');
  assert.equal(scene.client.unread, 3);
  assert.deepEqual(scene.all('ready').map(({ first, lost, unread }) => ({ first, lost, unread })), [{ first: true, lost: [], unread: 3 }]);
  assert.equal(scene.client.position('inbox:alice'), '100-0');
  assert.equal(scene.client.position('topic:all'), '50-0');
});

test('without a greeting in time the connection is given up and tried again', async () => {
  const scene = await Scene.start({ connectMs: 3000, backoffMs: 100 });
  await scene.clock.advance(2999);
  assert.equal(scene.sockets.length, 1);
  await scene.clock.advance(101);
  assert.equal(scene.sockets[0].closedWith, 1000);
  assert.equal(scene.sockets.length, 2);
});

test('pauses grow with each failure and begin anew after a connection that lasted', async () => {
  const scene = await Scene.start({ backoffMs: 100, stableMs: 5000 });
  for (let i = 0; i < 3; i++) {
    await scene.drop();
    await scene.clock.advance(60);
    await scene.clock.advance(100 * 2 ** i);
  }
  assert.deepEqual(scene.all('status').filter((event) => event.status === 'waiting').map(({ delay }) => delay), [100, 200, 400]);
  await scene.connectFirst();
  await scene.clock.advance(5000);
  await scene.drop();
  assert.equal(scene.all('status').pop().delay, 100);
});

test('a connection that is lost at once does not reset the back-off', async () => {
  const scene = await Scene.start({ backoffMs: 100, stableMs: 5000 });
  await scene.connectFirst();
  await scene.drop();
  await scene.clock.advance(100);
  await scene.greet();
  await scene.drop();
  assert.equal(scene.all('status').pop().delay, 200);
});

test('a restarting bridge is given the time it asks for', async () => {
  const scene = await Scene.start();
  await scene.connectFirst();
  await scene.drop(1012, '3210');
  await scene.clock.advance(3209);
  assert.equal(scene.sockets.length, 1);
  await scene.clock.advance(1);
  assert.equal(scene.sockets.length, 2);
});

test('a close code that needs the application stops the client, and open() starts it again', async () => {
  for (const code of [4401, 4403, 4409, 4410]) {
    const scene = await Scene.start();
    await scene.connectFirst();
    await scene.drop(code, '');
    await scene.clock.advance(600000);
    assert.equal(scene.sockets.length, 1, `${code}`);
    assert.equal(scene.client.status, 'stopped');
    assert.equal(scene.all('stopped')[0].code, code);
    scene.client.open();
    await settle();
    assert.equal(scene.sockets.length, 2);
  }
});

test('close() ends it for good, and rejects what was asked', async () => {
  const scene = await Scene.start();
  await scene.connectFirst();
  const asked = assert.rejects(scene.client.markRead('1-0'), { code: 'DISCONNECTED' });
  scene.client.close();
  await asked;
  await scene.clock.advance(600000);
  assert.equal(scene.sockets.length, 1);
  assert.equal(scene.socket.closedWith, 1000);
  await assert.rejects(scene.client.markRead('1-0'), { code: 'NOT_CONNECTED' });
});

test('each connection asks for a fresh token, and a token that fails is tried again', async () => {
  let calls = 0;
  const token = async () => {
    if (++calls === 2) throw new Error('the token service is away');
    return `t${calls}`;
  };
  const scene = await Scene.start({ token, backoffMs: 100 });
  assert.match(scene.socket.url, /token=t1/);
  await scene.drop();
  await scene.clock.advance(100);
  assert.equal(scene.all('error').length, 1);
  await scene.clock.advance(200);
  assert.match(scene.socket.url, /token=t3/);
});

test('a silent link is tried, and given up when there is no answer', async () => {
  const scene = await Scene.start({ heartbeatMs: 1000, heartbeatReplyMs: 300 });
  await scene.connectFirst();
  await scene.clock.advance(1000);
  await scene.answer('heartbeat', { type: 'heartbeat' });
  assert.equal(scene.client.status, 'connected');
  await scene.clock.advance(999);
  await scene.receive(entry('101-0', '100-0')); // anything that comes is a sign of life
  await scene.clock.advance(999);
  assert.equal(scene.socket.sent.filter(({ type }) => type === 'heartbeat').length, 1);
  await scene.clock.advance(1);
  await scene.clock.advance(300);
  assert.equal(scene.client.status, 'waiting');
  assert.equal(scene.all('status').pop().reason, 'no heartbeat');
});

/* -- requests -- */

test('answers find their requests, in whatever order they come', async () => {
  const scene = await Scene.start();
  await scene.connectFirst();
  const read = assert.rejects(scene.client.markRead(['1-0', '2-0']), { code: 'UNAVAILABLE', message: 'Redis is away' });
  const removed = scene.client.remove('3-0');
  await settle();
  await scene.answer('delete_notification', { type: 'ok', changed: 1, unread: 2 });
  await scene.answer('mark_read', { type: 'error', error: { code: 'UNAVAILABLE', message: 'Redis is away' } });
  assert.equal((await removed).unread, 2);
  await read;
  assert.deepEqual(scene.request('mark_read').ids, ['1-0', '2-0']);
  assert.equal(scene.request('delete_notification').id, '3-0');
});

test('a request without an answer times out, and a late answer is not taken for news', async () => {
  const scene = await Scene.start({ requestMs: 500 });
  await scene.connectFirst();
  const asked = assert.rejects(scene.client.history({ unreadOnly: true, limit: 5 }), { code: 'TIMEOUT' });
  const { request_id, ...sent } = scene.request('request_notification_history');
  assert.deepEqual(sent, { type: 'request_notification_history', unread_only: true, limit: 5 });
  await scene.clock.advance(500);
  await asked;
  await scene.receive({ type: 'notification_history', items: [], request_id });
  assert.equal(scene.got.length, 0);
});

/* -- delivery -- */

test('an id that comes twice is delivered once, on this connection and on the next', async () => {
  const scene = await Scene.start();
  await scene.connectFirst();
  await scene.receive(entry('101-0', '100-0'), entry('102-0', '101-0'), entry('102-0', '101-0'), entry('101-0', '100-0'));
  await scene.reconnect();
  await scene.receive(entry('102-0', '101-0'));
  await scene.answer('resume', { type: 'resumed', results: { 'inbox:alice': { recovered: true, count: 1 }, 'topic:all': { recovered: true, count: 0 } } });
  assert.deepEqual(scene.ids, ['101-0', '102-0']);
});

test('after a reconnect it resumes each key from its place', async () => {
  const scene = await Scene.start();
  await scene.connectFirst();
  await scene.receive(entry('101-0', '100-0'), entry('60-0', '50-0', { key: 'topic:all', data: { id: '60-0' } }));
  await scene.reconnect();
  assert.deepEqual(scene.request('resume').positions, { 'inbox:alice': '101-0', 'topic:all': '60-0' });
  assert.equal(scene.request('subscribe'), undefined);
});

test('a live message that overtakes the missed ones waits for them', async () => {
  const scene = await Scene.start();
  await scene.connectFirst();
  await scene.reconnect();
  const live = entry('103-0', '102-0');
  await scene.receive(live, { type: 'deleted', key: 'inbox:alice', rev: 9, unread: 2, ids: ['103-0'] });
  assert.deepEqual(scene.got, []);
  await scene.receive(entry('101-0', '100-0'), entry('102-0', '101-0'));
  assert.deepEqual(scene.ids, ['101-0', '102-0']);
  await scene.answer('resume', { type: 'resumed', results: { 'inbox:alice': { recovered: true, count: 2 }, 'topic:all': { recovered: true, count: 0 } } });
  assert.deepEqual(scene.ids, ['101-0', '102-0', '103-0']);
  assert.equal(scene.got[3].type, 'deleted');
  assert.equal(scene.all('gap').length, 0);
});

test('a hole while connected is no reason to wait: an entry may be meant for others', async () => {
  const scene = await Scene.start();
  await scene.connectFirst();
  await scene.receive(entry('105-0', '104-0'));
  assert.deepEqual(scene.ids, ['105-0']);
});

test('resume is repeated until Redis is there, and nothing overtakes it', async () => {
  const scene = await Scene.start({ backoffMs: 100 });
  await scene.connectFirst();
  await scene.reconnect();
  await scene.answer('resume', { type: 'error', error: { code: 'UNAVAILABLE', message: '' } });
  await scene.receive(entry('103-0', '102-0'));
  await scene.clock.advance(100);
  assert.equal(scene.socket.sent.filter(({ type }) => type === 'resume').length, 2);
  assert.deepEqual(scene.ids, []);
  await scene.receive(entry('101-0', '100-0'), entry('102-0', '101-0'), entry('103-0', '102-0'));
  await scene.answer('resume', { type: 'resumed', results: { 'inbox:alice': { recovered: true, count: 3 }, 'topic:all': { recovered: true, count: 0 } } });
  assert.deepEqual(scene.ids, ['101-0', '102-0', '103-0']);
});

test('a place that was lost is told, and the client goes on from what there is', async () => {
  const scene = await Scene.start();
  await scene.connectFirst();
  await scene.reconnect();
  await scene.receive(entry('200-0', '199-0'));
  await scene.answer('unread_count', { type: 'unread_count', unread: 9, last: '200-0', rev: 30 });
  await scene.answer('resume', { type: 'resumed', results: { 'inbox:alice': { recovered: false, count: 1 }, 'topic:all': { recovered: true, count: 0 } } });
  assert.deepEqual(scene.ids, ['200-0']);
  assert.deepEqual(scene.all('gap').map(({ key }) => key), ['inbox:alice']);
  assert.deepEqual(scene.all('ready').pop().lost, ['inbox:alice']);
  assert.equal(scene.client.position('inbox:alice'), '200-0');
});

test('after Redis lost writes smaller ids are news again', async () => {
  const scene = await Scene.start();
  await scene.connectFirst();
  await scene.receive(entry('101-0', '100-0'));
  await scene.reconnect();
  await scene.answer('resume', { type: 'resumed', results: { 'inbox:alice': { recovered: false, count: 0 }, 'topic:all': { recovered: true, count: 0 } } });
  await scene.answer('unread_count', { type: 'unread_count', unread: 0, last: '90-0', rev: 3 });
  assert.equal(scene.client.position('inbox:alice'), '90-0');
  await scene.receive(entry('95-0', '90-0'));
  assert.deepEqual(scene.ids, ['101-0', '95-0']);
});

test('a lost place without anything after it is asked for again', async () => {
  const scene = await Scene.start();
  await scene.connectFirst();
  await scene.reconnect();
  await scene.answer('unread_count', { type: 'unread_count', unread: 0, last: '90-0', rev: 3 });
  await scene.answer('resume', { type: 'resumed', results: { 'inbox:alice': { recovered: false, count: 0 }, 'topic:all': { recovered: false, count: 0 } } });
  assert.equal(scene.client.position('inbox:alice'), undefined);
  await scene.answer('unread_count', { type: 'unread_count', unread: 0, last: '91-0', rev: 3 });
  await scene.answer('subscribe', { type: 'subscription', topic: 'all', status: 'subscribed', last: '41-0' });
  assert.equal(scene.client.position('inbox:alice'), '91-0');
  assert.equal(scene.client.position('topic:all'), '41-0');
  assert.deepEqual(scene.all('ready').pop().lost, ['inbox:alice', 'topic:all']);
});

test('what waited goes out in the order of ids, also where an entry between was not for this client', async () => {
  const scene = await Scene.start();
  await scene.connectFirst();
  await scene.reconnect();
  await scene.receive(entry('105-0', '104-0'), entry('103-0', '102-0'), entry('104-0', '103-0'));
  await scene.answer('resume', { type: 'resumed', results: { 'inbox:alice': { recovered: true, count: 2 }, 'topic:all': { recovered: true, count: 0 } } });
  assert.deepEqual(scene.ids, ['103-0', '104-0', '105-0']);
});

test('too much that waits ends the connection instead of filling the memory', async () => {
  const scene = await Scene.start();
  await scene.connectFirst();
  await scene.reconnect();
  for (let i = 0; i <= NotifyClient.LIMITS.heldMessages; i++) scene.socket.onmessage?.({ data: JSON.stringify(entry(`${200 + i}-0`, `${199 + i}-0`)) });
  await settle();
  assert.equal(scene.client.status, 'waiting');
  await scene.clock.advance(60000);
  await scene.greet();
  assert.equal(scene.request('resume').positions['inbox:alice'], '100-0');
});

test('topics are subscribed again from their places, until they are unsubscribed', async () => {
  const scene = await Scene.start();
  await scene.connectFirst();
  const subscribed = scene.client.subscribe('news');
  await scene.answer('subscribe', { type: 'subscription', topic: 'news', status: 'subscribed', last: '70-0' });
  assert.equal((await subscribed).last, '70-0');
  await scene.receive(entry('71-0', '70-0', { key: 'topic:news' }));
  await scene.reconnect();
  assert.deepEqual(scene.request('subscribe').last_id, '71-0');
  await scene.receive(entry('73-0', '72-0', { key: 'topic:news' }), entry('72-0', '71-0', { key: 'topic:news' }));
  await scene.answer('subscribe', { type: 'subscription', topic: 'news', status: 'subscribed', last: '73-0', recovered: true });
  assert.deepEqual(scene.ids, ['71-0', '72-0', '73-0']);
  scene.client.unsubscribe('news').catch(() => {});
  await scene.reconnect();
  assert.equal(scene.request('subscribe'), undefined);
});

test('a refused topic is not asked for again', async () => {
  const scene = await Scene.start();
  await scene.connectFirst();
  const refused = assert.rejects(scene.client.subscribe('secret'), { code: 'FORBIDDEN' });
  await scene.answer('subscribe', { type: 'error', error: { code: 'FORBIDDEN', message: 'no' } });
  await refused;
  assert.deepEqual(scene.client.topics, []);
});

test('a topic that was wanted without a connection is subscribed with the next one', async () => {
  const scene = await Scene.start();
  assert.equal((await scene.client.subscribe('news')).status, 'pending');
  await scene.greet();
  assert.deepEqual(scene.socket.sent.filter(({ type }) => type === 'subscribe').map(({ topic }) => topic).sort(), ['all', 'news']);
});

test('places survive in a storage, and one that is broken or full does no harm', async () => {
  const kept = new Map();
  const storage = { getItem: (name) => kept.get(name) ?? null, setItem: (name, value) => kept.set(name, value) };
  const before = await Scene.start({ storage });
  await before.connectFirst();
  await before.receive(entry('101-0', '100-0'));
  await before.clock.advance(250);
  const later = await Scene.start({ storage });
  await later.greet();
  assert.deepEqual(later.request('resume').positions['inbox:alice'], '101-0');

  for (const damaged of ['{"inbox:alice":"<", "x":', '{"inbox:alice":"<","topic:all":7}', 'null']) {
    for (const name of kept.keys()) kept.set(name, damaged);
    const fresh = await Scene.start({ storage });
    await fresh.greet();
    assert.equal(fresh.request('resume'), undefined, damaged);
  }
  const full = { getItem: () => { throw new Error('denied'); }, setItem: () => { throw new Error('full'); } };
  const scene = await Scene.start({ storage: full });
  await scene.connectFirst();
  await scene.receive(entry('101-0', '100-0'));
  await scene.clock.advance(250);
  assert.deepEqual(scene.ids, ['101-0']);
});

/* -- the badge -- */

test('the badge follows the newest revision of the inbox and nothing else', async () => {
  const scene = await Scene.start();
  await scene.connectFirst({ unread: 4, rev: 10 });
  await scene.receive(
    { type: 'read', key: 'inbox:alice', rev: 12, unread: 2, ids: ['1-0'] },
    entry('101-0', '100-0', { rev: 11, unread: 5 }),
    entry('60-0', '50-0', { key: 'topic:all', rev: 99, unread: 77 }),
    { type: 'read', key: 'inbox:alice', rev: 13, unread: 'many' },
  );
  assert.equal(scene.client.unread, 2);
  assert.deepEqual(scene.all('badge').map(({ unread }) => unread), [4, 2]);
});

test('the first entry of a new box is believed, whatever the revision of the old one was', async () => {
  const scene = await Scene.start();
  await scene.connectFirst({ unread: 4, rev: 10 });
  await scene.receive(entry('101-0', '0-0', { rev: 1, unread: 1 }));
  assert.equal(scene.client.unread, 1);
  await scene.receive({ type: 'read', key: 'inbox:alice', rev: 2, unread: 0, ids: ['101-0'] });
  assert.equal(scene.client.unread, 0);
  await scene.receive(entry('90-0', '0-0', { rev: 1, unread: 7 })); // an old one, repeated
  assert.equal(scene.client.unread, 0);
});

test('after a reconnect a lower revision is believed', async () => {
  const scene = await Scene.start();
  await scene.connectFirst({ unread: 4, rev: 10 });
  await scene.reconnect();
  await scene.answer('unread_count', { type: 'unread_count', unread: 1, last: '100-0', rev: 3 });
  assert.equal(scene.client.unread, 1);
});

test('a refill that nobody asked for is told, with the places that were lost, and counted anew', async () => {
  const scene = await Scene.start();
  await scene.connectFirst();
  const told = [];
  scene.client.on('resumed', ({ results }) => told.push(Object.keys(results)));
  scene.client.on('gap', ({ key }) => told.push(key));
  await scene.receive({
    type: 'resumed',
    results: { 'inbox:alice': { recovered: true, count: 3 }, 'topic:all': { recovered: false, count: 0 } },
  });
  assert.deepEqual(told, [['inbox:alice', 'topic:all'], 'topic:all']);
  assert.deepEqual(scene.got.map(({ type }) => type), ['resumed']);
  await scene.answer('unread_count', { type: 'unread_count', unread: 5, last: '103-0', rev: 9 });
  assert.equal(scene.client.unread, 5);
});

/* -- hostile input -- */

test('what is not a message is ignored, and an event cannot pose as an answer or as the library', async () => {
  const scene = await Scene.start();
  await scene.connectFirst();
  const frames = [];
  const told = [];
  scene.client.on('frame', (frame) => frames.push(frame));
  for (const type of ['status', 'resumed']) scene.client.on(type, (event) => told.push(event));
  await scene.receive('', 'x', 'null', '[]', '1', '{}', '{"type":7}', '{"type":"ok","request_id":999}');
  assert.equal(scene.got.length, 0);
  assert.equal(frames.length, 8);
  const pending = scene.client.heartbeat();
  const { request_id } = scene.request('heartbeat');
  await scene.receive(
    { type: 'status', key: 'inbox:alice', status: 'stopped', data: {} },
    { type: 'resumed', key: 'inbox:alice', results: {}, data: {} },
    { type: 'connection', key: 'inbox:alice', user_id: 'mallory', data: {} },
    { type: 'error', key: 'inbox:alice', request_id, error: { code: 'X' }, data: {} },
    { type: '__proto__', key: 'inbox:alice', data: {} },
  );
  assert.deepEqual(told, []);
  assert.equal(scene.client.userId, 'alice');
  assert.deepEqual(scene.got.map(({ type }) => type), ['status', 'resumed', 'connection', 'error', '__proto__']);
  await scene.answer('heartbeat', { type: 'heartbeat' });
  await pending;
});

test('a listener that throws stops neither the others nor the next message', async () => {
  const scene = await Scene.start();
  await scene.connectFirst();
  const said = console.error;
  const complaints = [];
  console.error = (error) => complaints.push(error.message);
  scene.client.on('notification', () => {
    throw new Error('mine');
  });
  await scene.receive(entry('101-0', '100-0'), entry('102-0', '101-0'));
  console.error = said;
  assert.deepEqual(complaints, ['mine', 'mine']);
  assert.deepEqual(scene.ids, ['101-0', '102-0']);
});

test('listeners can be taken away, and once is once', async () => {
  const scene = await Scene.start();
  await scene.connectFirst();
  let always = 0;
  let once = 0;
  const off = scene.client.on('notification', () => always++);
  scene.client.once('notification', () => once++);
  await scene.receive(entry('101-0', '100-0'), entry('102-0', '101-0'));
  off();
  await scene.receive(entry('103-0', '102-0'));
  assert.deepEqual([always, once], [2, 1]);
});
