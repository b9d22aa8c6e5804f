/* notify.js alone: on a socket that the tests play, and on a clock that stands until it is moved. */

import assert from 'node:assert/strict';
import { test } from './harness.js';
import { entry, NotifyClient, playPage, Scene, settle } from './scene.js';

const { compareIds, isId, keyOf, backoffDelay, restartDelay, connectUrl, linkOf } = NotifyClient.pure;
const { LIMITS } = NotifyClient;

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

test('a key has its name, and the number of its part where the pattern has one, as the bridge makes it', () => {
  assert.equal(keyOf('inbox:%s', '$&'), 'inbox:$&');
  for (const [name, part] of [['alice', '07'], ['7', '02'], ['München', '41'], ['%s', '30']]) {
    assert.equal(keyOf('inbox:{%h64}:%s', name), `inbox:{${part}}:${name}`);
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
  assert.equal(connectUrl('/ws', 'https://host:1/test-ws?x#y', { user: 'a&b=c' }), 'wss://host:1/ws?protocol=notify.v1&user=a%26b%3Dc&last_event_id=');
  assert.equal(connectUrl(undefined, 'http://host/', {}), 'ws://host/ws?protocol=notify.v1&last_event_id=');
  assert.equal(connectUrl('ws://host/ws', undefined, { clientId: 'a/b' }, 't'), 'ws://host/ws/a%2Fb?protocol=notify.v1&token=t&last_event_id=');
});

test('a click opens addresses of the web that the sender calls to be opened, and nothing else', async () => {
  const base = 'https://app.example/inbox?x#y';
  const link = (url, more = {}) => linkOf({ type: 'open', url, ...more }, base);
  assert.deepEqual(link('/builds/7', { label: 'Show' }), { url: 'https://app.example/builds/7', label: 'Show', host: '' });
  assert.deepEqual(link('builds/7?a#b'), { url: 'https://app.example/builds/7?a#b', label: '', host: '' });
  assert.equal(link('http://app.example/').host, 'app.example', 'another scheme is another origin');
  for (const elsewhere of ['https://evil.example/', '//evil.example/', '\\\\evil.example', 'https://app.example@evil.example/']) {
    assert.equal(link(elsewhere).host, 'evil.example', elsewhere);
  }
  const bad = ['', 'javascript:alert(1)', 'JavaScript:alert(1)', ' javascript:alert(1)', 'java\nscript:alert(1)', '\u0000javascript:alert(1)',
    'data:text/html,x', 'blob:https://app.example/1', 'file:///etc/passwd', 'mailto:a@b', 'ftp://x/', 'vbscript:x', 'about:blank',
    'http://', 'http://[', 'https://a b/', 7, null, undefined, {}, ['/x']];
  for (const url of bad) assert.equal(link(url), null, String(url));
  assert.equal(linkOf({ url: '/x' }, base).url, 'https://app.example/x', 'the type may be left out');
  for (const action of [null, undefined, 'open', 7, [], {}, { type: 'OPEN', url: '/x' }, { type: 'run', url: '/x' }]) {
    assert.equal(linkOf(action, base), null, JSON.stringify(action));
  }
  assert.equal(link('/x', { label: 7 }).label, '');
});

/* -- connecting -- */

test('after the greeting the client counts, learns its places, and is ready', async () => {
  const scene = await Scene.start();
  assert.equal(scene.socket.url, 'ws://bridge/ws?protocol=notify.v1&user=alice&last_event_id=');
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
  for (const code of [4400, 4401, 4403, 4409, 4410]) {
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

test('a bridge that does not understand the client says why, and so does the client', async () => {
  const scene = await Scene.start();
  scene.socket.onopen();
  await scene.drop(4400, 'user: at most 128 bytes of UTF-8');
  assert.deepEqual(scene.all('stopped'), [{ name: 'stopped', code: 4400, reason: 'user: at most 128 bytes of UTF-8' }]);
});

test('attempts that never open end in the longest pause, and that is said, once', async () => {
  const scene = await Scene.start({ backoffMs: 100, backoffMaxMs: 30000 });
  const { unopened } = NotifyClient.LIMITS;
  for (let i = 0; i < unopened + 3; i++) {
    await scene.drop();
    await scene.clock.advance(scene.all('status').pop().delay);
  }
  const delays = scene.all('status').filter(({ status }) => status === 'waiting').map(({ delay }) => delay);
  assert.deepEqual(delays, [100, 200, 400, 800, 1600, 30000, 30000, 30000, 30000]);
  assert.equal(scene.all('unreachable').length, 1);
  assert.match(scene.all('unreachable')[0].reason, /away.*refuses/);
  await scene.drop();
  assert.match(scene.all('status').pop().reason, /away.*refuses/);
  await scene.clock.advance(30000);
  await scene.connectFirst();
  await scene.clock.advance(5000);
  await scene.drop();
  assert.equal(scene.all('status').pop().delay, 100);
  assert.equal(scene.all('status').pop().reason, '');
});

test('a bridge that was there once is asked for in growing pauses, and that it is away is said', async () => {
  const scene = await Scene.start({ backoffMs: 100 });
  await scene.connectFirst();
  const delays = [];
  for (let i = 0; i < NotifyClient.LIMITS.unopened + 1; i++) {
    await scene.drop();
    delays.push(scene.all('status').pop().delay);
    await scene.clock.advance(delays[i]);
  }
  assert.deepEqual(delays, [100, 200, 400, 800, 1600, 3200, 6400]);
  assert.equal(scene.all('unreachable').length, 1);
});

test('connections that open and end at once are not taken for unreachable', async () => {
  const scene = await Scene.start({ backoffMs: 100 });
  for (let i = 0; i < 12; i++) {
    scene.socket.onopen();
    await scene.drop();
    await scene.clock.advance(scene.all('status').pop().delay);
  }
  assert.deepEqual(scene.all('unreachable'), []);
});

test('a link that is closing, and does not come to an end, is given up, and asked no more than once until then', async () => {
  for (const [code, status] of [[null, 'waiting'], [4410, 'stopped']]) {
    const scene = new Scene();
    let timers = 0;
    const { setTimeout } = scene.clock;
    scene.clock.setTimeout = (...how) => ++timers && setTimeout(...how);
    scene.make({ heartbeatMs: 1000, heartbeatReplyMs: 300 });
    scene.client.open();
    await settle();
    await scene.connectFirst();
    scene.socket.readyState = 2;
    timers = 0;
    await scene.clock.advance(1299);
    assert.equal(scene.client.status, 'connected');
    if (code) await scene.drop(code, 'why');
    await scene.clock.advance(1);
    assert.equal(scene.client.status, status);
    assert.ok(timers < 5, `${timers} timers were set`);
  }
});

test('an answer that makes no sense is an error, and not waited for any longer', async () => {
  const scene = await Scene.start({ broadcast: [] });
  await scene.greet();
  await scene.answer('unread_count', { type: 'unread_count', unread: 1, last: '100-0', rev: 1, logs: { 'topic:all': null } });
  assert.equal(scene.all('ready').length, 1);
  assert.deepEqual(scene.all('error').map(({ request }) => request.type), ['unread_count']);
});

/* -- the page around it -- */

const WAKING = ['online', 'pageshow', 'focus', 'visibilitychange', 'resume'];

test('a page that is looked at again does not sit out the pause, and the pauses begin anew', async () => {
  for (const type of WAKING) {
    const { tell } = playPage();
    const scene = await Scene.start({ backoffMs: 500 });
    scene.client.on('unreachable', () => assert.fail());
    await scene.connectFirst();
    for (let i = 0; i < 5; i++) {
      await scene.drop();
      if (i < 4) await scene.clock.advance(scene.all('status').pop().delay);
    }
    assert.equal(scene.all('status').pop().delay, 8000);
    await scene.clock.advance(1000);
    const before = scene.sockets.length;
    await tell(type);
    assert.equal(scene.sockets.length, before + 1, type);
    assert.equal(scene.client.status, 'connecting');
    scene.socket.onopen();
    await scene.drop();
    assert.equal(scene.all('status').pop().delay, 500);
    scene.client.close();
  }
});

test('events that come in swarms make one attempt, and one a second at the most', async () => {
  const { tell } = playPage();
  const scene = await Scene.start({ backoffMs: 30000 });
  await scene.connectFirst();
  await scene.drop();
  await scene.clock.advance(1000);
  for (const type of WAKING) await tell(type);
  assert.equal(scene.sockets.length, 2);
  for (let i = 0; i < 50; i++) {
    if (scene.client.status === 'connecting') await scene.drop();
    for (const type of WAKING) await tell(type);
    await scene.clock.advance(100);
  }
  assert.equal(scene.sockets.length, 7);
});

test('a clock that is set back makes nobody wait until it is there again', async () => {
  const { tell } = playPage();
  const scene = await Scene.start({ backoffMs: 30000 });
  await scene.connectFirst();
  await scene.drop();
  scene.clock.setBack(3600000);
  await tell('online');
  await scene.clock.advance(LIMITS.wakeMs);
  assert.equal(scene.sockets.length, 2);
  await scene.greet();
  await scene.clock.advance(NotifyClient.DEFAULTS.heartbeatMs);
  await scene.answer('heartbeat', { type: 'heartbeat' });
  scene.clock.setBack(3600000);
  const { heartbeatMs, heartbeatReplyMs } = NotifyClient.DEFAULTS;
  await scene.clock.advance(2 * heartbeatMs + heartbeatReplyMs);
  assert.equal(scene.all('status').pop().reason, 'no heartbeat', 'nothing has come since');
});

test('a page that is hidden is no reason to hurry', async () => {
  const { tell, inside } = playPage();
  const scene = await Scene.start({ backoffMs: 30000 });
  await scene.connectFirst();
  await scene.drop();
  await scene.clock.advance(1000);
  inside.visibilityState = 'hidden';
  await tell('visibilitychange');
  assert.equal(scene.sockets.length, 1);
});

test('a link that looks alive is tried when the page is looked at again, and has three seconds', async () => {
  const { tell } = playPage();
  const beats = (scene) => scene.socket.sent.filter(({ type }) => type === 'heartbeat').length;
  for (const type of WAKING) {
    const scene = await Scene.start();
    await scene.connectFirst();
    await tell(type);
    assert.equal(beats(scene), 0, 'it has just been heard');
    await scene.clock.advance(1000);
    await tell(type);
    await tell('focus');
    assert.equal(beats(scene), 1, type);
    await scene.answer('heartbeat', { type: 'heartbeat' });
    await scene.clock.advance(1000);
    await tell(type);
    await scene.clock.advance(2999);
    assert.equal(scene.client.status, 'connected');
    await scene.clock.advance(1);
    assert.equal(scene.client.status, 'waiting');
    assert.equal(scene.all('status').pop().reason, 'no heartbeat');
    scene.client.close();
  }
});

test('a page that is put away says goodbye, and comes back to where it was', async () => {
  const { tell } = playPage();
  const scene = await Scene.start();
  await scene.connectFirst();
  await scene.receive(entry('101-0', '100-0'));
  await tell('pagehide', { persisted: false });
  assert.equal(scene.client.status, 'connected', 'who leaves for good is closed by the browser');
  await tell('pagehide', { persisted: true });
  assert.equal(scene.socket.closedWith, 1000);
  assert.equal(scene.client.status, 'waiting');
  await scene.clock.advance(0);
  await tell('pageshow', { persisted: true });
  await scene.clock.advance(1000);
  assert.equal(scene.sockets.length, 2);
  await scene.greet();
  assert.equal(scene.request('resume').positions['inbox:alice'], '101-0');
});

test('a client that is closed or stopped listens to the page no more', async () => {
  const { tell } = playPage();
  const scene = await Scene.start();
  await scene.connectFirst();
  scene.client.close();
  await scene.clock.advance(5000);
  for (const type of WAKING) await tell(type);
  scene.client.open();
  await settle();
  await scene.drop(4401);
  await scene.clock.advance(5000);
  for (const type of WAKING) await tell(type);
  assert.equal(scene.sockets.length, 2);
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

test('a field that is not known is for the bridge to refuse, not for the client to drop', async () => {
  const scene = await Scene.start();
  await scene.connectFirst();
  const { client } = scene;
  const sends = async (promise, wanted) => {
    promise.catch(() => {}); // nobody answers
    await settle();
    const { request_id, ...sent } = scene.socket.sent.at(-1);
    assert.deepEqual(sent, wanted);
  };
  await sends(client.markAllRead({ categories: ['a'] }), { type: 'mark_all_read', categories: ['a'] });
  await sends(client.markAllRead({ upto: '5-1', category: '' }), { type: 'mark_all_read', upto: '5-1', category: '' });
  await sends(client.markAllRead(), { type: 'mark_all_read' });
  await sends(client.markSeen({ before: '5-1' }), { type: 'mark_seen', before: '5-1' });
  await sends(client.history({ unreadOnly: true, catgory: 'a' }), {
    type: 'request_notification_history', catgory: 'a', unread_only: true,
  });
  await sends(client.history(), { type: 'request_notification_history' });
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

test('time in which a page stands still is none in which an answer is late', async () => {
  const scene = await Scene.start({ requestMs: 500 });
  await scene.connectFirst();
  const asked = scene.client.history();
  const { request_id } = scene.request('request_notification_history');
  await scene.clock.sleep(60000); // the answer came meanwhile, and stands behind the timer
  await scene.clock.advance(249);
  await scene.receive({ type: 'notification_history', items: [], next: null, unread: 0, request_id });
  assert.deepEqual((await asked).items, []);
});

test('an answer is waited for while other messages come, which it may stand behind, but not for ever', async () => {
  const scene = await Scene.start({ requestMs: 500 });
  await scene.connectFirst();
  const ask = () => {
    const asked = scene.client.history();
    asked.catch(() => {});
    return asked;
  };
  const pass = async (times) => {
    for (let n = 0; n < times; n++) {
      await scene.receive(entry(`${++last}-0`, `${last - 1}-0`));
      await scene.clock.advance(250);
    }
  };
  let last = 100;
  const answered = ask();
  await pass(2 * LIMITS.patience - 1);
  await scene.answer('request_notification_history', { type: 'notification_history', items: [], next: null, unread: 0 });
  assert.deepEqual((await answered).items, []);
  const late = assert.rejects(ask(), { code: 'TIMEOUT' });
  await pass(2 * LIMITS.patience);
  await late;
});

test('a link on which things come is not given up for an answer that stands behind them', async () => {
  const scene = await Scene.start({ heartbeatMs: 1000, heartbeatReplyMs: 300 });
  await scene.connectFirst();
  const tries = () => scene.socket.sent.filter(({ type }) => type === 'heartbeat').length;
  await scene.clock.advance(1000);
  assert.equal(tries(), 1);
  await scene.clock.advance(200);
  await scene.receive(entry('1-0', null));
  await scene.clock.advance(249);
  assert.equal(scene.client.status, 'connected');
  await scene.clock.advance(1); // nothing came behind it
  assert.equal(tries(), 1);
  assert.equal(scene.client.status, 'waiting');
  assert.equal(scene.all('status').pop().reason, 'no heartbeat');
});

/* -- delivery -- */

test('the first entries of a box, the second one live before the first is caught up, are no other box', async () => {
  const scene = await Scene.start();
  await scene.connectFirst({ last: '0-0', rev: 0 });
  await scene.reconnect();
  await scene.receive(entry('2-0', '1-0', { rev: 2 }), entry('1-0', '0-0', { rev: 2 }), entry('2-0', '1-0', { rev: 2 }));
  const results = { 'inbox:alice': { recovered: true, count: 2 }, 'topic:all': { recovered: true, count: 0 } };
  await scene.answer('resume', { type: 'resumed', results });
  assert.deepEqual(scene.all('gap'), []);
  assert.deepEqual(scene.ids, ['1-0', '2-0']);
});

/* The answer to a resume of both boxes. */
const resumed = (recovered, count = 0) => ({
  type: 'resumed',
  results: { 'inbox:alice': { recovered, count }, 'topic:all': { recovered: true, count: 0 } },
});

/* Entries that follow one another; as read again they have the box's revision. */
const line = (from, to, { first = `${from - 1}-0`, rev } = {}) =>
  Array.from({ length: to - from + 1 }, (_, i) => entry(`${from + i}-0`, i === 0 ? first : `${from + i - 1}-0`, { rev: rev ?? from + i }));

test('however many live messages the bridge says before it reads the resume, what comes again with what was missed is delivered once', async () => {
  const scene = await Scene.start();
  await scene.connectFirst({ last: '0-0', rev: 0 });
  await scene.reconnect();
  const count = 2 * LIMITS.recentIds;
  await scene.receive(...line(1, count));
  await scene.receive(...line(1, count, { rev: count }), ...line(count + 1, count + 2, { rev: count }));
  await scene.answer('resume', resumed(true, count + 2));
  assert.deepEqual(scene.ids, line(1, count + 2).map(({ id }) => id));
  assert.deepEqual(scene.all('gap'), []);
});

test('the first entry that was missed may be the first that the box still has: that is no other box', async () => {
  for (const rev of [200, 104]) { // as read just now, or for somebody else before
    const scene = await Scene.start();
    await scene.connectFirst();
    await scene.receive(entry('101-0', '100-0'));
    await scene.reconnect();
    await scene.receive(entry('105-0', '104-0', { rev: 200 }), ...line(103, 105, { first: '0-0', rev }));
    await scene.answer('resume', resumed(true, 3));
    assert.deepEqual(scene.ids, ['101-0', '103-0', '104-0', '105-0'], `rev ${rev}`);
    assert.deepEqual(scene.all('gap'), []);
  }
});

test('what waited is delivered once, though the place was lost and it came again with what is left', async () => {
  const scene = await Scene.start();
  await scene.connectFirst();
  await scene.reconnect();
  await scene.receive(entry('105-0', '104-0', { rev: 200 }), ...line(103, 106, { first: '0-0', rev: 201 }));
  await scene.answer('resume', resumed(false, 4));
  await scene.receive(entry('107-0', '106-0', { rev: 202 }));
  assert.deepEqual(scene.ids, ['103-0', '104-0', '105-0', '106-0', '107-0']);
  assert.deepEqual(scene.all('gap').map(({ key }) => key), ['inbox:alice']);
});

test('a resume that is asked for again, since its answer was late, has nothing delivered twice', async () => {
  for (const recovered of [true, false]) {
    const scene = await Scene.start({ requestMs: 500, backoffMs: 100 });
    await scene.connectFirst();
    await scene.reconnect();
    const first = scene.request('resume');
    await scene.receive(...line(101, 150, { rev: 200 }));
    await scene.clock.advance(600);
    const second = scene.request('resume');
    assert.notEqual(second.request_id, first.request_id);
    assert.deepEqual(second.positions, first.positions, 'so that it is told whether that place was lost');
    await scene.receive({ ...resumed(recovered, 50), request_id: first.request_id }, ...line(151, 152), entry('154-0', '153-0', { rev: 204 }));
    await scene.receive(...line(101, 154, { rev: 204 }), { ...resumed(recovered, 54), request_id: second.request_id }, ...line(155, 156));
    assert.deepEqual(scene.ids, line(101, 156).map(({ id }) => id), `recovered ${recovered}`);
    assert.equal(scene.all('gap').length, recovered ? 0 : 1);
  }
});

test('a box that has begun anew while nobody was there is told in order, each once, though a live message overtakes', async () => {
  const scene = await Scene.start();
  await scene.connectFirst();
  await scene.receive(entry('101-0', '100-0', { rev: 5 }));
  await scene.reconnect();
  await scene.receive(entry('202-0', '201-0', { rev: 3 }), ...line(200, 202, { first: '0-0', rev: 3 }));
  await scene.answer('resume', resumed(true, 3));
  assert.deepEqual(scene.ids, ['101-0', '200-0', '201-0', '202-0']);
  assert.deepEqual(scene.all('gap').map(({ key }) => key), ['inbox:alice']);
});

test('what the bridge takes for lost while a resume is under way is delivered from there on, all of it', async () => {
  const scene = await Scene.start();
  await scene.connectFirst();
  await scene.receive(entry('101-0', '100-0', { rev: 3 }));
  await scene.reconnect();
  await scene.receive({ type: 'resumed', results: { 'inbox:alice': { recovered: false, count: 0 } } });
  await scene.answer('unread_count', { type: 'unread_count', unread: 3, last: '104-0', rev: 6 });
  await scene.receive(...line(102, 105, { rev: 7 }));
  await scene.answer('resume', resumed(true, 4));
  assert.deepEqual(scene.ids, ['101-0', '102-0', '103-0', '104-0', '105-0']);
});

test('a socket that is closing is asked nothing, and says nothing about a place', async () => {
  const scene = await Scene.start({ backoffMs: 100 });
  await scene.connectFirst();
  await scene.drop();
  await scene.clock.advance(100);
  scene.socket.readyState = 2;
  await scene.receive({ type: 'connection', status: 'connected', client_id: 'c1', user_id: 'alice' });
  await scene.clock.advance(50);
  assert.deepEqual(scene.all('gap'), []);
  assert.deepEqual(scene.all('error'), []);
  await scene.drop();
  await scene.clock.advance(200);
  await scene.greet();
  assert.equal(scene.request('resume').positions['inbox:alice'], '100-0');
});

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

/* The bridge tells the epoch of boxes that have one: with answers, and with the change that begins it. */
async function connectWithEpochs(options) {
  const scene = await Scene.start(options);
  await scene.greet();
  await scene.answer('subscribe', { type: 'subscription', topic: 'all', status: 'subscribed', last: '50-0', epoch: 5 });
  await scene.answer('unread_count', { type: 'unread_count', unread: 0, last: '100-0', rev: 1, epoch: 7 });
  return scene;
}

test('a place goes with the epoch under which it was given, over reconnects', async () => {
  const scene = await connectWithEpochs();
  await scene.receive(entry('101-0', '100-0'));
  await scene.reconnect();
  assert.deepEqual(scene.request('resume').positions, { 'inbox:alice': '101-0@@7', 'topic:all': '50-0@@5' });
  assert.equal(scene.client.position('inbox:alice'), '101-0');
  await scene.answer('resume', {
    type: 'resumed', epochs: { 'inbox:alice': 8 },
    results: { 'inbox:alice': { recovered: true, count: 0 }, 'topic:all': { recovered: true, count: 0 } },
  });
  await scene.reconnect();
  assert.deepEqual(scene.request('resume').positions, { 'inbox:alice': '101-0@@8', 'topic:all': '50-0@@5' });
});

test('the change that begins an epoch is believed, and the count is asked for', async () => {
  const scene = await connectWithEpochs();
  await scene.receive(entry('101-0', '100-0', { epoch: 9, rev: 2 }));
  assert.equal(scene.all('gap').length, 0);
  await scene.clock.advance(2000);
  await scene.answer('unread_count', { type: 'unread_count', unread: 1, last: '101-0', rev: 2, epoch: 9 });
  await scene.reconnect();
  assert.equal(scene.request('resume').positions['inbox:alice'], '101-0@@9');
});

test('an epoch that is heard while the missed messages are still to come says nothing about the place', async () => {
  const scene = await connectWithEpochs();
  await scene.reconnect();
  await scene.receive({ type: 'read', key: 'inbox:alice', epoch: 9, rev: 4, unread: 0, ids: ['90-0'] });
  await scene.reconnect();
  assert.equal(scene.request('resume').positions['inbox:alice'], '100-0@@7');
});

test('a count says nothing about the place: it may be of another branch', async () => {
  const scene = await connectWithEpochs();
  scene.client.unreadCount();
  await scene.answer('unread_count', { type: 'unread_count', unread: 3, last: '120-0', rev: 9, epoch: 9 });
  await scene.reconnect();
  assert.equal(scene.request('resume').positions['inbox:alice'], '100-0@@7');
});

test('a place of a lost branch is told, and another one begins with its epoch', async () => {
  const scene = await connectWithEpochs();
  await scene.receive(entry('200-0', '100-0'));
  await scene.reconnect();
  await scene.receive(entry('190-0', '100-0'), entry('210-0', '190-0'));
  await scene.answer('resume', {
    type: 'resumed', epochs: { 'inbox:alice': 9, 'topic:all': 5 },
    results: { 'inbox:alice': { recovered: false, count: 2 }, 'topic:all': { recovered: true, count: 0 } },
  });
  assert.deepEqual(scene.all('gap').map(({ key }) => key), ['inbox:alice']);
  assert.deepEqual(scene.ids, ['200-0', '190-0', '210-0']);
  await scene.reconnect();
  assert.equal(scene.request('resume').positions['inbox:alice'], '210-0@@9');
});

test('a bridge that was slow tells the epoch too', async () => {
  const scene = await connectWithEpochs();
  await scene.receive({ type: 'resumed', results: { 'inbox:alice': { recovered: true, count: 3 } }, epochs: { 'inbox:alice': 11 } });
  await scene.reconnect();
  assert.equal(scene.request('resume').positions['inbox:alice'], '100-0@@11');
});

test('only an id with or without an epoch is a place', () => {
  const { parsePosition, formatPosition } = NotifyClient.pure;
  assert.deepEqual(parsePosition('1-2'), { id: '1-2', epoch: undefined });
  assert.deepEqual(parsePosition('1-2@@16777215'), { id: '1-2', epoch: 16777215 });
  for (const bad of ['', '1', '@@1', '1-2@', '1-2@@', '1-2@1', '1-2@@1@@2', '1-2@@x', '1-2@@-1', '1-2@@123456789', null, undefined, 5]) {
    assert.equal(parsePosition(bad), null, String(bad));
  }
  assert.equal(formatPosition('1-2', 7), '1-2@@7');
  assert.equal(formatPosition('1-2', undefined), '1-2');
});

test('places are kept in a storage with their epochs', async () => {
  const kept = new Map();
  const storage = { getItem: (name) => kept.get(name) ?? null, setItem: (name, value) => kept.set(name, value) };
  const before = await connectWithEpochs({ storage });
  await before.receive(entry('101-0', '100-0'));
  before.client.close();
  const later = await Scene.start({ storage });
  await later.greet();
  assert.deepEqual(later.request('resume').positions, { 'inbox:alice': '101-0@@7', 'topic:all': '50-0@@5' });
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

test('that entries are gone is told in front of what stands behind them: nothing tells of it any more if the connection breaks there', async () => {
  const scene = await connectWithEpochs();
  await scene.receive(entry('200-0', '100-0'));
  await scene.reconnect();
  await scene.receive({ type: 'gap', reason: 'gone', keys: ['inbox:alice'] });
  assert.deepEqual(scene.all('gap').map(({ key }) => key), ['inbox:alice']);
  await scene.receive(entry('210-0', '190-0', { epoch: 9 }));
  assert.deepEqual(scene.ids, ['200-0', '210-0']);
  await scene.reconnect();
  assert.equal(scene.request('resume').positions['inbox:alice'], '210-0@@9');
});

test('who is refilled hears in front of what still comes that something is gone, and then with what tells of it', async () => {
  const scene = await connectWithEpochs();
  await scene.receive(entry('101-0', '100-0'));
  await scene.receive({ type: 'gap', reason: 'gone', keys: ['inbox:alice'] });
  assert.deepEqual(scene.all('gap').map(({ key }) => key), ['inbox:alice'], 'if the connection breaks behind what follows, nothing tells of it');
  await scene.receive(entry('210-0', '190-0', { epoch: 7 }));
  await scene.reconnect();
  assert.equal(scene.request('resume').positions['inbox:alice'], '210-0@@7');
});

test('a place that was lost is told, and the client goes on from what there is', async () => {
  const scene = await Scene.start();
  await scene.connectFirst();
  await scene.reconnect();
  await scene.receive(entry('200-0', '199-0'));
  await scene.answer('unread_count', { type: 'unread_count', unread: 9, last: '200-0', rev: 30 });
  await scene.answer('resume', { type: 'resumed', results: { 'inbox:alice': { recovered: false, count: 1 }, 'topic:all': { recovered: true, count: 0 } } });
  await scene.answer('unread_count', { type: 'unread_count', unread: 9, last: '200-0', rev: 30 });
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
  assert.deepEqual(scene.all('gap').map(({ key }) => key), ['inbox:alice', 'topic:all']);
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

/* What none of follows on the place: an entry between was not for this client. */
test('more than may wait comes when the connection was made anew, though it has to wait as before', async () => {
  const scene = await Scene.start();
  await scene.connectFirst();
  const ids = Array.from({ length: 2.5 * LIMITS.heldMessages }, (_, i) => `${200 + i}-0`);
  let connections = 0;
  await scene.drop();
  while (scene.client.status !== 'connected' && connections < 5) {
    connections++;
    await scene.clock.advance(scene.all('status').at(-1).delay);
    await scene.greet();
    for (const [i, id] of ids.entries()) scene.socket.onmessage?.({ data: JSON.stringify(entry(id, `${199 + i}-0`)) });
    await settle();
  }
  await scene.answer('resume', { type: 'resumed', results: { 'inbox:alice': { recovered: true, count: ids.length }, 'topic:all': { recovered: true, count: 0 } } });
  assert.deepEqual(scene.ids, ids);
  assert.equal(connections, 3, 'each may hold twice as many');
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
  await scene.receive(entry('101-0', '0-0', { rev: 1, unread: 1 })); // the same once more
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

/* A connection at revision 10 with 4 unread, that has delivered 101-0; nothing is under way. */
async function settled(options) {
  const scene = await Scene.start(options);
  await scene.connectFirst({ unread: 3, rev: 9 });
  await scene.receive(entry('101-0', '100-0', { rev: 10, unread: 4 }));
  return scene;
}

function counts(scene) {
  return scene.socket.sent.filter(({ type }) => type === 'unread_count').length;
}

/* The answer to the latest question for the count. */
function answerCount(scene, rev, unread, last = '101-0') {
  return scene.answer('unread_count', { type: 'unread_count', unread, last, rev });
}

/* Waits out the pause before a doubt becomes a question, and answers that. */
async function recount(scene, rev, unread, last) {
  const before = counts(scene);
  await scene.clock.advance(1600);
  assert.equal(counts(scene), before + 1, 'the count is asked for once more');
  await answerCount(scene, rev, unread, last);
}

async function noRecount(scene) {
  const before = counts(scene);
  await scene.clock.advance(5000);
  assert.equal(counts(scene), before, 'there is nothing to ask for');
}

test('the inbox was deleted and nobody said so: who asks for the count gets it into the badge, and is told to look anew', async () => {
  const scene = await settled();
  scene.client.unreadCount();
  await answerCount(scene, 0, 0, '0-0');
  assert.equal(scene.client.unread, 0);
  assert.deepEqual(scene.all('gap').map(({ key }) => key), ['inbox:alice']);
  assert.equal(scene.client.position('inbox:alice'), '0-0');
  await scene.receive(entry('5-0', '0-0', { rev: 1, unread: 1 }));
  assert.equal(scene.client.unread, 1);
  assert.deepEqual(scene.ids, ['101-0', '5-0']);
  assert.equal(scene.all('gap').length, 1);
  await noRecount(scene);
});

test('Redis lost writes: a change of lower revision is asked about, and the answer is believed', async () => {
  const scene = await settled();
  await scene.receive({ type: 'read', key: 'inbox:alice', rev: 7, unread: 0, upto: '90-0' });
  assert.equal(scene.client.unread, 4, 'it might be an old one');
  await recount(scene, 7, 0, '90-0');
  assert.equal(scene.client.unread, 0);
  assert.equal(scene.client.position('inbox:alice'), '90-0');
  await noRecount(scene);
});

test('an answer that a message overtook is not believed but asked for again', async () => {
  const scene = await settled();
  scene.client.unreadCount();
  await scene.receive(entry('102-0', '101-0', { rev: 11, unread: 5 }), entry('103-0', '102-0', { rev: 12, unread: 6 }));
  await answerCount(scene, 11, 5);
  assert.equal(scene.client.unread, 6);
  await recount(scene, 12, 6);
  assert.equal(scene.client.unread, 6);
  await noRecount(scene);
});

test('an answer that a message overtook and that knows no less settles it', async () => {
  for (const [rev, unread] of [[11, 5], [11, 4], [12, 1]]) {
    const scene = await settled();
    scene.client.unreadCount();
    await scene.receive(entry('102-0', '101-0', { rev: 11, unread: 5 }));
    await answerCount(scene, rev, unread, '102-0');
    assert.equal(scene.client.unread, unread);
    await noRecount(scene);
  }
});

test('an answer from the last box, behind the first message of the next, is not believed', async () => {
  const scene = await settled();
  scene.client.unreadCount();
  await scene.receive(entry('102-0', '0-0', { rev: 1, unread: 1 }));
  await answerCount(scene, 12, 6);
  assert.equal(scene.client.unread, 1);
  await recount(scene, 1, 1, '102-0');
  assert.equal(scene.client.unread, 1);
  await noRecount(scene);
});

test('an answer that tells of another box is asked for again when messages came before it', async () => {
  const scene = await settled();
  scene.client.unreadCount();
  await scene.receive({ type: 'read', key: 'inbox:alice', rev: 6, unread: 1, ids: ['90-0'] });
  await answerCount(scene, 5, 2);
  assert.equal(scene.client.unread, 2);
  await recount(scene, 6, 1);
  assert.equal(scene.client.unread, 1);
  await noRecount(scene);
});

test('a message of the last box that comes behind the count of the next does not stay in the badge', async () => {
  const scene = await settled();
  scene.client.unreadCount();
  await answerCount(scene, 2, 1);
  await scene.receive({ type: 'read', key: 'inbox:alice', rev: 11, unread: 0, ids: ['101-0'] });
  await recount(scene, 2, 1);
  assert.equal(scene.client.unread, 1);
  await noRecount(scene);
});

test('another count at the same revision: the lower one, as entries expire, and a question', async () => {
  const scene = await settled();
  scene.client.unreadCount();
  await answerCount(scene, 10, 3);
  assert.equal(scene.client.unread, 3, 'one has expired');
  await scene.receive({ type: 'read', key: 'inbox:alice', rev: 10, unread: 4, ids: ['1-0'] });
  assert.equal(scene.client.unread, 3);
  await recount(scene, 10, 5);
  assert.equal(scene.client.unread, 5, 'another box has come to this revision');
  await noRecount(scene);
});

test('a doubt that comes while a question is under way is not settled by its answer', async () => {
  const scene = await settled();
  await scene.receive({ type: 'read', key: 'inbox:alice', rev: 7, unread: 0, ids: ['1-0'] });
  await scene.clock.advance(1000);
  await scene.receive({ type: 'read', key: 'inbox:alice', rev: 8, unread: 1, ids: ['1-0'] });
  await answerCount(scene, 11, 5);
  await recount(scene, 8, 1);
  assert.equal(scene.client.unread, 1);
});

test('a change that found nothing to change says how many are unread', async () => {
  const scene = await settled();
  scene.client.markAllRead();
  await scene.answer('mark_all_read', { type: 'ok', changed: 0, unread: 0 });
  await recount(scene, 0, 0, '0-0');
  assert.equal(scene.client.unread, 0);
  await noRecount(scene);
});

test('a change of ours that its message follows is no reason to ask', async () => {
  const scene = await settled();
  scene.client.markRead('101-0');
  await scene.answer('mark_read', { type: 'ok', changed: 1, unread: 3 });
  await scene.receive({ type: 'read', key: 'inbox:alice', rev: 11, unread: 3, ids: ['101-0'] });
  await noRecount(scene);
});

test('a question about a doubt is repeated while Redis is away, with growing pauses, and ends with an answer', async () => {
  const scene = await settled({ recountMs: 100, backoffMaxMs: 1000 });
  await scene.receive({ type: 'read', key: 'inbox:alice', rev: 7, unread: 0, ids: ['1-0'] });
  for (const pause of [200, 300, 500, 900, 1100, 1100]) {
    const before = counts(scene);
    await scene.clock.advance(pause - 1);
    assert.equal(counts(scene), before, `not before ${pause} ms`);
    await scene.clock.advance(1);
    assert.equal(counts(scene), before + 1, `after ${pause} ms`);
    await scene.answer('unread_count', { type: 'error', error: { code: 'UNAVAILABLE', message: '' } });
  }
  await recount(scene, 7, 0);
  assert.equal(scene.client.unread, 0);
  await scene.receive({ type: 'read', key: 'inbox:alice', rev: 6, unread: 0, ids: ['1-0'] });
  await scene.clock.advance(200);
  await answerCount(scene, 8, 0);
  await noRecount(scene);
});

test('what expires is asked about when it has, by the clock of the bridge', async () => {
  const scene = await Scene.start();
  const ahead = 7000; // so much is its clock before ours
  scene.socket.readyState = 1;
  await scene.receive({ type: 'connection', client_id: 'c1', user_id: 'alice', timestamp: new Date(scene.clock.now() + ahead).toISOString() });
  const at = (ms) => scene.clock.now() + ahead + ms;
  await scene.answer('unread_count', { type: 'unread_count', unread: 2, last: '100-0', rev: 5, next_expiry: at(60000) });
  const expires_at = new Date(at(20000)).toISOString();
  await scene.receive(entry('101-0', '100-0', { rev: 6, unread: 3, data: { id: '101-0', expires_at } }));
  await scene.clock.advance(20499);
  assert.equal(counts(scene), 1);
  await scene.clock.advance(501);
  assert.equal(counts(scene), 2);
  await answerCount(scene, 6, 2);
  assert.equal(scene.client.unread, 2);
  await noRecount(scene);
});

test('no time of expiry makes the client ask without end', async () => {
  for (const next_expiry of [1, 0, -1, 1e300, 'soon', null, undefined]) {
    const scene = await Scene.start({ heartbeatMs: 1e9 });
    await scene.greet();
    for (let i = 0; i < 3; i++) {
      await scene.answer('unread_count', { type: 'unread_count', unread: 2, last: '100-0', rev: 5, next_expiry });
      await scene.clock.advance(999);
      assert.equal(counts(scene), 1 + (next_expiry === 1 ? i : 0), String(next_expiry));
      await scene.clock.advance(1);
    }
    await scene.receive(entry('101-0', '100-0', { rev: 6, unread: 3, data: { id: '101-0', expires_at: 'never' } }));
    await scene.clock.advance(5000);
    assert.equal(counts(scene), next_expiry === 1 ? 4 : 1);
  }
});

test('a box that is gone counts nothing, is to be looked at anew, and the next one is another', async () => {
  const scene = await settled();
  await scene.receive({ type: 'gone', key: 'inbox:alice', rev: 11, unread: 0 });
  assert.equal(scene.client.unread, 0);
  assert.deepEqual(scene.all('gap').map(({ key }) => key), ['inbox:alice']);
  assert.equal(scene.got.pop().type, 'gone');
  await scene.receive(entry('5-0', '0-0', { rev: 1, unread: 1 }));
  assert.equal(scene.client.unread, 1);
  assert.equal(scene.all('gap').length, 1);
  await recount(scene, 1, 1, '5-0');
  await noRecount(scene);
});

test('a gone that is heard behind the count of the next box does not stay in the badge', async () => {
  const scene = await settled();
  scene.client.unreadCount();
  await answerCount(scene, 2, 2);
  await scene.receive({ type: 'gone', key: 'inbox:alice', rev: 11, unread: 0 });
  await recount(scene, 2, 2);
  assert.equal(scene.client.unread, 2);
});

test('another box under the same name is believed at once, and followed from its end', async () => {
  const scene = await settled();
  await scene.receive({ type: 'changed', key: 'inbox:alice', rev: 3, unread: 2, last: '80-0' });
  assert.equal(scene.client.unread, 2);
  assert.deepEqual(scene.all('gap').map(({ key }) => key), ['inbox:alice']);
  assert.equal(scene.client.position('inbox:alice'), '80-0');
  await scene.receive(entry('81-0', '80-0', { rev: 4, unread: 3 }));
  assert.deepEqual(scene.ids, ['101-0', '81-0']);
  assert.equal(scene.client.unread, 3);
});

test('events that are called gone or changed change nothing', async () => {
  const scene = await settled();
  for (const type of ['gone', 'changed']) await scene.receive(entry('102-0', '101-0', { type, rev: 11, unread: 4, last: '1-0', data: {} }));
  assert.equal(scene.client.unread, 4);
  assert.equal(scene.client.position('inbox:alice'), '102-0');
  assert.deepEqual(scene.all('gap'), []);
});

/* -- boxes that begin anew -- */

test('entries of a box that begins anew with smaller ids are handed out, and the gap is told first', async () => {
  const scene = await settled();
  const order = [];
  scene.client.on('gap', ({ key }) => order.push(key));
  scene.client.on('notification', ({ id }) => order.push(id));
  await scene.receive(entry('7-0', '0-0', { rev: 1, unread: 1 }), entry('8-0', '7-0', { rev: 2, unread: 2 }));
  assert.deepEqual(order, ['inbox:alice', '7-0', '8-0']);
  assert.equal(scene.client.unread, 2);
  await scene.reconnect();
  assert.equal(scene.request('resume').positions['inbox:alice'], '8-0');
});

test('an entry below the position that is no repetition is of another box, whatever was before it', async () => {
  for (const rev of [6, 40]) {
    const scene = await settled();
    await scene.receive(entry('92-0', '91-0', { rev, unread: 2 }), entry('101-0', '92-0', { rev: rev + 1, unread: 3 }));
    assert.deepEqual(scene.ids, ['101-0', '92-0', '101-0']);
    assert.equal(scene.client.unread, 3);
    assert.equal(scene.all('gap').length, 1);
  }
});

test('a box that begins anew with greater ids is to be looked at anew, too', async () => {
  const scene = await settled();
  await scene.receive({ type: 'read', key: 'inbox:alice', rev: 11, unread: 3, ids: ['101-0'] });
  await scene.receive(entry('200-0', '0-0', { rev: 11, unread: 9 }));
  assert.deepEqual(scene.all('gap').map(({ key }) => key), ['inbox:alice']);
  assert.equal(scene.client.unread, 9);
});

test('a box that is followed without a place may begin anew as well', async () => {
  const scene = await settled();
  const told = (id, prev, rev) => entry(id, prev, { key: 'session:x', rev });
  await scene.receive(told('60-0', '59-0', 5), told('70-0', '0-0', 3), told('71-0', '70-0', 4));
  assert.deepEqual(scene.all('gap').map(({ key }) => key), ['session:x']);
  assert.deepEqual(scene.ids, ['101-0', '60-0', '70-0', '71-0']);
});

test('the count may know more than the first messages: that is no box that begins anew', async () => {
  const scene = await Scene.start();
  await scene.connectFirst({ last: '102-0', unread: 2, rev: 2 });
  await scene.receive(entry('101-0', '0-0', { rev: 1, unread: 1 }), entry('102-0', '101-0', { rev: 2, unread: 2 }));
  assert.deepEqual(scene.ids, ['101-0', '102-0']);
  assert.deepEqual(scene.all('gap'), []);
  assert.equal(scene.client.unread, 2);
});

test('a box that begins anew while another is being caught up with waits its turn', async () => {
  const scene = await settled();
  await scene.reconnect();
  await scene.receive(entry('103-0', '102-0', { rev: 12, unread: 6 }));
  assert.deepEqual(scene.ids, ['101-0']);
  await scene.receive(entry('7-0', '0-0', { rev: 1, unread: 1 }), entry('9-0', '8-0', { rev: 3, unread: 3 }), entry('8-0', '7-0', { rev: 2, unread: 2 }));
  assert.deepEqual(scene.ids, ['101-0', '103-0', '7-0', '8-0']);
  await scene.answer('resume', { type: 'resumed', results: { 'inbox:alice': { recovered: true, count: 0 }, 'topic:all': { recovered: true, count: 0 } } });
  assert.deepEqual(scene.ids, ['101-0', '103-0', '7-0', '8-0', '9-0']);
});

test('what follows a lost place is handed out, though its ids are smaller', async () => {
  const scene = await settled();
  await scene.reconnect();
  await scene.receive(entry('50-0', '49-0', { rev: 5, unread: 2 }), entry('51-0', '50-0', { rev: 5, unread: 2 }));
  assert.deepEqual(scene.ids, ['101-0']);
  await scene.answer('resume', { type: 'resumed', results: { 'inbox:alice': { recovered: false, count: 2 }, 'topic:all': { recovered: true, count: 0 } } });
  assert.deepEqual(scene.ids, ['101-0', '50-0', '51-0']);
  assert.equal(scene.client.position('inbox:alice'), '51-0');
});

test('places that the bridge says are lost are found anew, on the same connection', async () => {
  const scene = await settled();
  await scene.receive(entry('60-0', '50-0', { key: 'topic:all' }));
  const lost = { recovered: false, count: 0 };
  await scene.receive({ type: 'resumed', results: { 'inbox:alice': lost, 'topic:all': lost } });
  await answerCount(scene, 4, 1, '70-0');
  await scene.answer('subscribe', { type: 'subscription', topic: 'all', status: 'subscribed', last: '20-0' });
  assert.equal(scene.client.unread, 1);
  assert.equal(scene.client.position('inbox:alice'), '70-0');
  assert.equal(scene.client.position('topic:all'), '20-0');
  await scene.receive(entry('71-0', '70-0', { rev: 5, unread: 2 }), entry('21-0', '20-0', { key: 'topic:all' }));
  assert.deepEqual(scene.ids, ['101-0', '60-0', '71-0', '21-0']);
  assert.equal(scene.all('gap').length, 2);
});

test('the bridge lost the place while a count was under way: that answer may be of before', async () => {
  const scene = await settled();
  scene.client.unreadCount();
  const { request_id } = scene.request('unread_count');
  await scene.receive({ type: 'resumed', results: { 'inbox:alice': { recovered: false, count: 0 } } });
  await scene.receive({ type: 'unread_count', unread: 4, rev: 10, last: '101-0', request_id });
  await answerCount(scene, 3, 0, '70-0');
  assert.equal(scene.client.unread, 0);
  assert.equal(scene.all('gap').length, 1);
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
