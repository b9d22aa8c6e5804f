/* Tokens that run out: on a socket that the tests play. */

import assert from 'node:assert/strict';
import { test } from './harness.js';
import { NotifyClient, playPage, Scene, settle } from './scene.js';

const EXPIRING = { type: 'token_expiring', expires_at: '2026-11-28T17:00:00.000Z' };

/* A function that gives t1, t2 … or fails where `failing` says so. */
function tokens(failing = []) {
  const give = async () => {
    give.calls++;
    if (failing.includes(give.calls)) throw new Error('the token service is away');
    return `t${give.calls}`;
  };
  give.calls = 0;
  return give;
}

const auths = (scene) => scene.socket.sent.filter(({ type }) => type === 'auth').map(({ token }) => token);

test('a token that ends soon is renewed on the connection that stands', async () => {
  const scene = await Scene.start({ token: tokens() });
  await scene.connectFirst();
  await scene.receive(EXPIRING);
  assert.deepEqual(auths(scene), ['t2']);
  await scene.answer('auth', { type: 'authenticated', user_id: 'alice', expires_at: null });
  assert.equal(scene.sockets.length, 1);
  assert.equal(scene.client.status, 'connected');
  await scene.receive(EXPIRING);
  assert.deepEqual(auths(scene), ['t2', 't3']);
});

test('a renewal that fails is told and tried again, whoever failed, the token service or the bridge', async () => {
  const scene = await Scene.start({ token: tokens([2]), backoffMs: 100 });
  await scene.connectFirst();
  await scene.receive(EXPIRING);
  assert.deepEqual(scene.all('error').map(({ error, request }) => [error.message, request.type]), [['the token service is away', 'auth']]);
  await scene.clock.advance(200);
  assert.deepEqual(auths(scene), ['t3']);
  await scene.answer('auth', { type: 'error', error: { code: 'UNAUTHORIZED', message: 'no' } });
  await scene.clock.advance(400);
  assert.deepEqual(auths(scene), ['t3', 't4']);
});

test('a renewal that was begun for a connection does not go to the next one', async () => {
  let give;
  const token = () => new Promise((done) => (give = done));
  const scene = await Scene.start({ token, backoffMs: 100 });
  give('t1');
  await settle();
  await scene.connectFirst();
  await scene.receive(EXPIRING);
  const late = give;
  await scene.drop();
  await scene.clock.advance(100);
  give('t3');
  await settle();
  await scene.greet();
  late('t2');
  await settle();
  assert.deepEqual(auths(scene), []);
});

test('who has a token and no way to another one is only told that it ends', async () => {
  const scene = await Scene.start({ token: 'fixed' });
  await scene.connectFirst();
  await scene.receive(EXPIRING);
  assert.deepEqual(auths(scene), []);
  assert.deepEqual(scene.got, [EXPIRING]);
  await scene.drop(4401);
  assert.equal(scene.client.status, 'stopped');
});

test('a connection that ended with its token is tried once more with another one, and not twice', async () => {
  const scene = await Scene.start({ token: tokens(), backoffMs: 100 });
  await scene.connectFirst();
  await scene.drop(4401, 'expired');
  assert.equal(scene.client.status, 'waiting');
  await scene.clock.advance(100);
  assert.match(scene.socket.url, /token=t2/);
  await scene.drop(4401, 'no good');
  assert.equal(scene.client.status, 'stopped');
  assert.deepEqual(scene.all('stopped').map(({ code }) => code), [4401]);
  scene.client.open();
  await settle();
  await scene.greet();
  await scene.drop(4401);
  assert.equal(scene.client.status, 'waiting', 'a connection in between shows that tokens are good');
});

test('no frame that is shown has a token in it', async () => {
  const scene = new Scene();
  scene.make({ token: tokens() });
  const frames = [];
  scene.client.on('frame', ({ text, message }) => frames.push(text, JSON.stringify(message)));
  scene.client.open();
  await settle();
  await scene.connectFirst();
  await scene.receive(EXPIRING);
  assert.deepEqual(auths(scene), ['t2']);
  assert.ok(frames.some((text) => text.includes('"auth"')));
  assert.ok(!frames.some((text) => text.includes('t2')), frames.join('\n'));
});

test('a token function that fails with no error at all is one that fails', async () => {
  let calls = 0;
  const scene = await Scene.start({ backoffMs: 100, token: () => (++calls === 1 ? Promise.reject() : 't') });
  assert.equal(scene.client.status, 'waiting');
  assert.ok(scene.all('error')[0].error instanceof Error);
  await scene.clock.advance(100);
  await scene.connectFirst();
  assert.equal(scene.client.status, 'connected');
});

test('a page that is put away while a token is awaited opens nothing when it comes, but when it is back', async () => {
  const { tell } = playPage();
  const late = [];
  const scene = await Scene.start({ token: () => new Promise((done) => late.push(done)) });
  await tell('pagehide', { persisted: true });
  assert.equal(scene.client.status, 'waiting');
  late[0]('t1');
  await scene.clock.advance(60000);
  assert.equal(scene.sockets.length, 0);
  await tell('pageshow');
  late[1]('t2');
  await settle();
  assert.match(scene.socket.url, /token=t2/);
});

/* -- after sleep -- */

test('a timer that comes much too late means sleep: the link is tried, and has three seconds', async () => {
  const scene = await Scene.start({ heartbeatMs: 25000 });
  await scene.connectFirst();
  await scene.clock.sleep(NotifyClient.LIMITS.sleepMs + 25000);
  await scene.clock.advance(0);
  assert.ok(scene.request('heartbeat'));
  await scene.clock.advance(NotifyClient.LIMITS.wakeReplyMs - 1);
  assert.equal(scene.client.status, 'connected');
  await scene.clock.advance(1);
  assert.equal(scene.client.status, 'waiting');
});
