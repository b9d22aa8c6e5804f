/* Where no WebSocket gets through: the event stream and plain requests, played. */

import assert from 'node:assert/strict';
import { after, test } from './harness.js';
import { randomOf } from './inbox_model.js';
import { breathe, Streams } from './played_streams.js';
import { entry, NotifyClient, playPage, Scene } from './scene.js';

const { EventReader, LIMITS } = NotifyClient;
const { apiUrl } = NotifyClient.pure;

/* -- taking an event stream apart -- */

const TEXT = ':hello\n\nretry: 3000\nevent: connection\ndata: {"a":1}\nid: 1-0\n\ndata: one\ndata:two\ndata\n\r\nevent: no data\n\nid\rdata:  x\r\r' +
  'data: ünï\n\nid: a\0b\ndata: 7\n\ndata: unfinished';
const EVENTS = [
  { type: 'connection', data: '{"a":1}', id: '1-0' },
  { type: 'message', data: 'one\ntwo\n', id: '1-0' },
  { type: 'message', data: ' x', id: '' },
  { type: 'message', data: 'ünï', id: '' },
  { type: 'message', data: '7', id: '' },
];

test('an event stream is read as the specification says, however it is cut into pieces', () => {
  for (let seed = 1; seed < 300; seed++) {
    const random = randomOf(seed);
    const reader = new EventReader();
    const events = [];
    for (let at = 0; at < TEXT.length; ) {
      const end = at + 1 + Math.floor(random() * 12);
      events.push(...reader.read(TEXT.slice(at, end)));
      at = end;
    }
    assert.deepEqual(events, EVENTS, `seed ${seed}`);
  }
});

test('an id counts when its block has ended, so that a block that was cut off comes again', () => {
  const reader = new EventReader('1-0');
  assert.equal(reader.id, '1-0');
  reader.read('id: 2-0\ndata: x\n');
  assert.equal(reader.id, '1-0');
  assert.deepEqual(reader.read('\n'), [{ type: 'message', data: 'x', id: '2-0' }]);
  assert.deepEqual([reader.read('id: 3-0\n\n'), reader.id], [[], '3-0']);
});

test('plain requests go where the WebSocket is, whatever stands before it', () => {
  assert.equal(apiUrl('wss://host/ws'), 'https://host/api/v1/');
  assert.equal(apiUrl('ws://host:1/notify/ws?user=x#y'), 'http://host:1/notify/api/v1/');
  assert.equal(apiUrl(undefined, 'https://host/page'), 'https://host/api/v1/');
  assert.equal(apiUrl('wss://host/elsewhere'), null);
});

/* -- the link -- */

async function start(options = {}) {
  const streams = new Streams();
  const scene = await Scene.start({ fetch: streams.fetch, backoffMs: 100, ...options });
  after(() => scene.client.close());
  return { scene, streams };
}

async function nextAttempt(scene) {
  await scene.clock.advance(scene.all('status').at(-1).delay);
  await breathe();
}

/* Two attempts by WebSocket that are cut off, as by a proxy that knows none. */
async function blocked(options) {
  const both = await start(options);
  for (let i = 0; i < LIMITS.blocked; i++) {
    await both.scene.drop();
    await both.scene.clock.advance(100 * 2 ** i);
  }
  await breathe();
  return both;
}

const NOTHING_MISSED = { type: 'resumed', results: {}, epochs: {} };
const COUNT = { type: 'unread_count', unread: 1, last: '100-0', rev: 5 };

async function connected(options) {
  const both = await blocked(options);
  await both.streams.greet({ positions: { 'inbox:alice': '100-0', 'topic:all': '50-0@@3' } });
  await both.streams.last('unread_count').answer(COUNT);
  return both;
}

test('where two attempts by WebSocket bring no greeting, the third goes by event stream', async () => {
  const { scene, streams } = await connected({ topics: [] });
  assert.equal(scene.sockets.length, LIMITS.blocked);
  assert.equal(streams.stream.url.pathname, '/api/v1/notifications/stream');
  assert.equal(streams.stream.url.searchParams.get('user'), 'alice');
  assert.equal(streams.stream.headers.Accept, 'text/event-stream');
  assert.equal(scene.client.status, 'connected');
  assert.equal(scene.client.link, 'stream');
  assert.equal(scene.client.unread, 1);
  assert.equal(scene.all('ready').length, 1);
  assert.equal(scene.client.position('topic:all'), '50-0');
  await streams.tell(entry('101-0', '100-0'));
  assert.deepEqual(scene.ids, ['101-0']);
});

test('a WebSocket that opens, and over which nothing comes, is not tried twice', async () => {
  const { scene, streams } = await start({ connectMs: 3000 });
  scene.socket.onopen();
  await scene.clock.advance(3100);
  await breathe();
  assert.equal(streams.streams.length, 1);
});

test('a bridge that says why it closes is no proxy that lets nothing through', async () => {
  const { scene, streams } = await start();
  for (let i = 0; i < 5; i++) {
    await scene.drop(1013, 'not ready');
    await scene.clock.advance(scene.all('status').at(-1).delay);
  }
  assert.equal(streams.streams.length, 0);
});

test('when neither gets through, both are tried in turn', async () => {
  const { scene, streams } = await start();
  streams.status = 502;
  const links = [];
  for (let i = 0; i < 8; i++) {
    const before = scene.sockets.length;
    if (scene.client.status === 'connecting') await scene.drop();
    await scene.clock.advance(scene.all('status').at(-1).delay);
    await breathe();
    links.push(scene.sockets.length > before ? 'websocket' : 'stream');
  }
  assert.ok(links.includes('stream') && links.lastIndexOf('websocket') > links.indexOf('stream'), links.join(' '));
});

test('without a stream to fall back on, it is WebSocket again and again', async () => {
  for (const options of [{ stream: false }, { fetch: undefined }]) {
    const { scene } = await start(options);
    for (let i = 0; i < 4; i++) {
      await scene.drop();
      await scene.clock.advance(scene.all('status').at(-1).delay);
    }
    assert.equal(scene.sockets.length, 5);
  }
});

test('requests go by HTTP, with the token in a header, and errors are errors', async () => {
  const { scene, streams } = await connected({ token: 'secret' });
  assert.equal(streams.stream.headers.Authorization, 'Bearer secret');
  assert.equal(streams.stream.url.searchParams.get('token'), null);
  const asked = scene.client.markRead('100-0');
  const post = streams.last('mark_read');
  assert.equal(post.url, 'http://bridge/api/v1/requests?user=alice');
  assert.equal(post.headers.Authorization, 'Bearer secret');
  assert.equal(post.headers['Content-Type'], 'application/json');
  assert.equal(post.request.id, '100-0');
  await post.answer({ type: 'ok', changed: 1, unread: 0 });
  assert.equal((await asked).changed, 1);
  const refused = assert.rejects(scene.client.archive('1-0'), { code: 'NOT_FOUND', message: 'no' });
  await streams.last('archive').answer({ error: { code: 'NOT_FOUND', message: 'no' } }, 404);
  await refused;
  const garbled = assert.rejects(scene.client.remove('1-0'), { code: 'DISCONNECTED' });
  await streams.last('delete_notification').answer('<html>', 502);
  await garbled;
});

test('a count that gets lost on its way beside a stream is asked for again', async () => {
  const { scene, streams } = await blocked({ recountMs: 100 });
  await streams.greet({ positions: { 'inbox:alice': '100-0' } });
  await streams.last('unread_count').answer('<html>', 502);
  await scene.clock.advance(100);
  await streams.last('unread_count').answer(COUNT);
  assert.equal(scene.client.unread, 1);
  assert.deepEqual(scene.all('error'), []);
  await streams.tell(entry('99-0', '98-0', { rev: 3, unread: 7 })); // perhaps of another box: that is asked about
  await scene.clock.advance(200);
  const first = streams.last('unread_count');
  await first.answer('<html>', 502);
  await scene.clock.advance(400);
  assert.notEqual(streams.last('unread_count'), first);
});

test('a stream goes on where the last connection stood, and live messages wait for what was missed', async () => {
  const { scene, streams } = await connected({ topics: ['news'] });
  await streams.tell(entry('101-0', '100-0'));
  await streams.end();
  await nextAttempt(scene);
  assert.deepEqual(JSON.parse(streams.stream.url.searchParams.get('positions')), { 'inbox:alice': '101-0', 'topic:all': '50-0@@3' });
  assert.equal(streams.stream.url.searchParams.get('topics'), 'news');
  await streams.greet({ positions: { 'inbox:alice': '103-0' } });
  await streams.tell(entry('104-0', '103-0'));
  assert.deepEqual(scene.ids, ['101-0'], 'it has to wait');
  await streams.tell(entry('103-0', '101-0'), { type: 'resumed', results: { 'inbox:alice': { recovered: true, count: 1 }, 'topic:all': { recovered: true, count: 0 } } });
  assert.deepEqual(scene.ids, ['101-0', '103-0', '104-0']);
});

test('a place that is taken while a stream is being opened is where the next one begins, at once', async () => {
  const { scene, streams } = await connected({ topics: ['news'] });
  await streams.tell(entry('5-0', '4-0', { key: 'topic:news' }));
  await streams.end();
  await nextAttempt(scene);
  const results = Object.fromEntries(['inbox:alice', 'topic:all', 'topic:news'].map((key) => [key, { recovered: true }]));
  assert.equal(JSON.parse(streams.stream.url.searchParams.get('positions'))['topic:news'], '5-0');
  scene.client.subscribe('news', { lastId: '3-0' });
  await streams.greet({ positions: { 'inbox:alice': '100-0', 'topic:news': '5-0' } });
  await scene.clock.advance(0);
  await breathe();
  assert.equal(JSON.parse(streams.stream.url.searchParams.get('positions'))['topic:news'], '3-0');
  await streams.greet({ positions: { 'inbox:alice': '100-0', 'topic:news': '3-0' } });
  await streams.tell(...['4-0', '5-0', '6-0'].map((id, i) => entry(id, `${3 + i}-0`, { key: 'topic:news' })), { type: 'resumed', results });
  assert.deepEqual(scene.ids, ['5-0', '4-0', '5-0', '6-0']);
  assert.equal(streams.streams.length, 3);
});

test('what a stream was too slow for is told alone, and is no answer for keys that are still caught up with', async () => {
  const { scene, streams } = await connected();
  const places = { 'inbox:alice': '100-0', 'topic:all': '50-0@@3' };
  const tell = (...keys) => ({ type: 'resumed', results: Object.fromEntries(keys.map((key) => [key, { recovered: true, count: 1 }])) });
  await streams.end();
  await nextAttempt(scene);
  await streams.greet({ positions: places });
  await streams.tell(entry('51-0', '50-0', { key: 'topic:all' }), entry('101-0', '100-0'), tell('inbox:alice'));
  assert.deepEqual(scene.all('gap'), []);
  assert.equal(scene.client.position('topic:all'), '51-0');
  await streams.tell(entry('52-0', '51-0', { key: 'topic:all' }), tell('inbox:alice', 'topic:all'));
  assert.deepEqual(scene.ids, ['51-0', '101-0', '52-0']);
  assert.deepEqual(scene.all('gap'), []);
  for (const { request, answer } of streams.posts) if (request.type === 'unread_count') await answer(COUNT);
  assert.equal(scene.all('ready').length, 2);
});

test('a topic that may not be followed any more is lost, and holds up nothing', async () => {
  const { scene, streams } = await connected({ topics: ['news'] });
  await streams.tell(entry('5-0', '4-0', { key: 'topic:news' }));
  await streams.end();
  await nextAttempt(scene);
  await streams.greet({ positions: { 'inbox:alice': '100-0' } });
  await streams.tell({ type: 'resumed', results: { 'inbox:alice': { recovered: true, count: 0 } } });
  assert.ok(scene.all('gap').some(({ key }) => key === 'topic:news'));
  await streams.last('unread_count').answer(COUNT);
  assert.equal(scene.all('ready').length, 2);
});

test('a place that was lost is told as over a WebSocket', async () => {
  const { scene, streams } = await connected();
  await streams.end();
  await nextAttempt(scene);
  await streams.greet({ positions: { 'inbox:alice': '7-0', 'topic:all': '50-0' } });
  await streams.tell({ type: 'resumed', results: { 'inbox:alice': { recovered: false, count: 0 }, 'topic:all': { recovered: true, count: 0 } } });
  assert.deepEqual(scene.all('gap').map(({ key }) => key), ['inbox:alice']);
  assert.equal(scene.client.position('inbox:alice'), '7-0');
});

test('another topic, or one less, opens the stream anew, from where it was', async () => {
  const { scene, streams } = await connected();
  const first = streams.stream;
  assert.equal((await scene.client.subscribe('news')).status, 'pending');
  await scene.clock.advance(0);
  await breathe();
  assert.equal(first.isOpen, false);
  assert.equal(streams.stream.url.searchParams.get('topics'), 'news');
  await streams.greet({ positions: {} });
  await streams.tell(NOTHING_MISSED);
  await scene.client.unsubscribe('news');
  await scene.clock.advance(0);
  await breathe();
  assert.equal(streams.streams.length, 3);
  assert.equal(streams.stream.url.searchParams.get('topics'), null);
});

test('what is rewound over a stream waits until the places of all else are known, one way back after the other', async () => {
  const { scene, streams } = await blocked();
  scene.client.subscribe('news', { last: 2 });
  scene.client.subscribe('sports', { since: '1h' });
  scene.client.subscribe({ channel: 'prices:*' });
  const asked = () => Object.fromEntries(streams.stream.url.searchParams);
  const isAsked = (expected) => assert.deepEqual(asked(), { user: 'alice', ...expected });
  const next = async () => {
    await scene.clock.advance(0);
    await breathe();
  };
  const resumed = (keys) => ({ type: 'resumed', results: Object.fromEntries(Object.keys(keys).map((key) => [key, { recovered: true }])) });
  await streams.greet({ positions: { 'inbox:alice': '100-0', 'topic:role': '7-0' } });
  await next();
  const places = { 'inbox:alice': '100-0', 'topic:role': '7-0' };
  isAsked({ positions: JSON.stringify(places), topics: 'news', channels: 'prices:*', last: '2' });
  await streams.greet({ positions: { ...places, 'topic:news': '7-0' } });
  await streams.tell(...['8-0', '9-0'].map((id) => entry(id, '7-0', { key: 'topic:news' })), resumed(places));
  assert.deepEqual(scene.ids, ['8-0', '9-0']);
  await next();
  isAsked({ positions: JSON.stringify({ ...places, 'topic:news': '9-0' }), topics: 'news,sports', channels: 'prices:*', since: '1h' });
  await streams.greet({ positions: { ...places, 'topic:news': '9-0', 'topic:sports': '3-0' } });
  await streams.end(); // from here on it has a place
  await nextAttempt(scene);
  const all = { ...places, 'topic:news': '9-0', 'topic:sports': '3-0' };
  assert.deepEqual(JSON.parse(asked().positions), all);
  await streams.greet({ positions: all });
  await streams.tell(entry('4-0', '3-0', { key: 'topic:sports' }), resumed(all));
  assert.deepEqual(scene.ids, ['8-0', '9-0', '4-0']);
  assert.deepEqual([asked().since, asked().last], [undefined, undefined], 'it is done');
  assert.deepEqual(scene.all('gap'), []);
});

test('who goes back less far over a stream than where it stood is told of a gap', async () => {
  const { scene, streams } = await connected({ topics: ['news'] });
  await streams.tell(entry('5-0', '4-0', { key: 'topic:news' }));
  scene.client.subscribe('news', { last: 1 });
  await scene.clock.advance(0);
  await breathe();
  assert.equal(streams.stream.url.searchParams.get('last'), '1');
  await streams.greet({ positions: { 'inbox:alice': '100-0', 'topic:news': '8-0' } });
  assert.deepEqual(scene.all('gap').map(({ key }) => key), ['topic:news']);
  await streams.tell(entry('9-0', '8-0', { key: 'topic:news' }), { type: 'resumed', results: {} });
  assert.deepEqual(scene.ids, ['5-0', '9-0']);
});

test('a stream that says nothing any more is given up, though requests are answered', async () => {
  const { scene, streams } = await connected({ heartbeatMs: 20000 });
  await scene.clock.advance(15000);
  await streams.write(': hb\n\n');
  await scene.clock.advance(15000);
  assert.equal(scene.client.status, 'connected');
  scene.client.markSeen();
  await streams.last('mark_seen').answer({ type: 'ok', changed: 0, unread: 1 });
  await scene.clock.advance(5000);
  assert.equal(scene.client.status, 'waiting');
});

test('the last words of the bridge are as those of a WebSocket; an event of that name is none', async () => {
  const { scene, streams } = await connected();
  await streams.tell({ type: 'close', key: 'inbox:alice', data: { code: 4410 } });
  await streams.end();
  assert.equal(scene.client.status, 'waiting');
  await nextAttempt(scene);
  await streams.greet();
  await streams.tell({ type: 'close', code: 4410, reason: 'kicked' });
  await streams.end();
  assert.equal(scene.client.status, 'stopped');
  assert.deepEqual(scene.all('stopped').map(({ code, reason }) => [code, reason]), [[4410, 'kicked']]);
});

test('a status stops the client only if the bridge says it, not some proxy', async () => {
  for (const [body, status] of [['<html>Forbidden</html>', 'waiting'], ['{"error":{"code":"FORBIDDEN","message":"no"}}', 'stopped']]) {
    const { scene, streams } = await start();
    Object.assign(streams, { status: 403, body });
    for (let i = 0; i < LIMITS.blocked; i++) {
      await scene.drop();
      await scene.clock.advance(100 * 2 ** i);
    }
    await breathe();
    assert.equal(scene.client.status, status, body);
  }
});

test('a stream that ended with its token is opened with another one', async () => {
  let n = 0;
  const { scene, streams } = await connected({ token: () => `t${++n}` });
  const before = streams.stream.headers.Authorization;
  await streams.tell({ type: 'token_expiring', expires_at: null }, { type: 'close', code: 4401, reason: 'expired' });
  await streams.end();
  await nextAttempt(scene);
  assert.notEqual(streams.stream.headers.Authorization, before);
  assert.equal(streams.last('auth'), undefined);
});

/* -- and back -- */

test('beside a stream WebSocket is tried now and then, less and less often, and taken when it greets', async () => {
  const { scene, streams } = await connected();
  const before = scene.sockets.length;
  const probes = () => scene.sockets.length - before;
  const beat = async (ms) => {
    for (let at = 0; at < ms; at += 10000) {
      await scene.clock.advance(10000);
      if (scene.client.link === 'stream') await streams.write(':\n\n');
    }
  };
  await beat(LIMITS.probeMs);
  assert.equal(probes(), 1);
  await scene.drop();
  await beat(LIMITS.probeMs);
  assert.equal(probes(), 1);
  await beat(LIMITS.probeMs);
  assert.equal(probes(), 2);
  assert.equal(scene.client.link, 'stream');
  scene.socket.readyState = 1;
  await scene.receive({ type: 'connection', status: 'connected', client_id: 'probe', user_id: 'alice' });
  assert.equal(probes(), 3, 'the probe was only one');
  assert.equal(streams.stream.isOpen, false);
  await scene.greet();
  assert.equal(scene.request('resume').positions['inbox:alice'], '100-0');
  assert.equal(scene.client.link, 'websocket');
});

test('a page that is looked at again tries WebSocket at once: the network may be another one', async () => {
  const { tell } = playPage();
  const { scene } = await connected();
  const before = scene.sockets.length;
  await scene.clock.advance(2000);
  assert.equal(scene.sockets.length, before);
  await tell('online');
  await scene.clock.advance(LIMITS.wakeMs);
  assert.equal(scene.sockets.length, before + 1);
});

test('a token that comes later than a WebSocket beside the stream was to be greeted opens none', async () => {
  const late = [];
  let isSlow = false;
  const { scene, streams } = await connected({ token: () => (isSlow ? new Promise((done) => late.push(done)) : 't') });
  const { length } = scene.sockets;
  isSlow = true;
  for (let at = 0; at < LIMITS.probeMs + 20000; at += 10000) {
    await scene.clock.advance(10000);
    await streams.write(':\n\n');
  }
  assert.equal(late.length, 1, 'a token was asked for');
  late[0]('late');
  await breathe();
  assert.equal(scene.sockets.length, length);
  assert.equal(scene.client.link, 'stream');
});

test('events that come in swarms put the trial of WebSocket off no further', async () => {
  const { tell } = playPage();
  const { scene } = await connected();
  const { length } = scene.sockets;
  for (let at = 0; at < 4 * LIMITS.wakeMs; at += LIMITS.wakeMs / 4) {
    await tell('focus');
    await scene.clock.advance(LIMITS.wakeMs / 4);
  }
  assert.equal(scene.sockets.length, length + 1);
});

test('a WebSocket beside a stream that is left before it opens may complain of it', async () => {
  const { scene, streams } = await connected();
  for (let at = 0; at < LIMITS.probeMs; at += 10000) {
    await scene.clock.advance(10000);
    await streams.write(':\n\n');
  }
  const { socket } = scene;
  assert.ok(socket.onclose, 'it is being tried');
  socket.close = () => {
    assert.equal(typeof socket.onerror, 'function', 'an error that nobody hears ends a process');
    throw new Error('it is not open yet');
  };
  scene.client.close();
  assert.equal(scene.client.status, 'closed');
});

test('what was trimmed of what is asked for from further back is told in front of it, and is no gap', async () => {
  const { scene, streams } = await connected({ topics: [] });
  scene.client.subscribe('news', { since: '1h' });
  await scene.clock.advance(1);
  await breathe();
  assert.equal(streams.stream.url.searchParams.get('since'), '1h');
  await streams.greet({ positions: { 'inbox:alice': '100-0', 'topic:all': '50-0@@3', 'topic:news': '9-0' } });
  await streams.tell({ type: 'gap', reason: 'gone', keys: ['topic:news'] }, entry('8-0', '7-0', { key: 'topic:news' }));
  assert.deepEqual([scene.ids, scene.all('gap')], [['8-0'], []]);
});

test('a topic that is followed or left after close() opens no stream', async () => {
  const { scene, streams } = await connected();
  const { length } = streams.streams;
  scene.client.close();
  await scene.client.subscribe('news');
  await scene.client.unsubscribe('sports');
  await scene.clock.advance(60000);
  assert.equal(scene.client.status, 'closed');
  assert.equal(streams.streams.length, length);
  scene.client.open();
  await breathe();
  assert.equal(streams.stream.url.searchParams.get('topics'), 'news');
});
