/* Tokens of tabs that share a connection, with everything around played: late, stale, refused, of somebody else. */

import assert from 'node:assert/strict';
import { test } from './harness.js';
import { randomOf } from './inbox_model.js';
import { World } from './played_world.js';
import { NotifyClient, playPage, settle } from './scene.js';

const { LIMITS } = NotifyClient;
const SHARES = ['leader', 'own'];

const tokenOf = (sub, n = 0) => `x.${btoa(JSON.stringify({ sub, n })).replace(/=/g, '')}.x`;

/* A function whose tokens come when that is said: give[n](token), fail[n](error). */
function lateTokens() {
  const [give, fail] = [[], []];
  const token = () => new Promise((done, failed) => give.push(done) && fail.push(failed));
  return { give, fail, token };
}

/* Tokens of alice, one after the other. */
function manyTokens() {
  const given = [];
  return { given, token: () => given[given.push(tokenOf('alice', given.length)) - 1] };
}

for (const share of SHARES) {
  test(`${share}: a token that comes after close() is nobody's, though the client is open again with another user`, async () => {
    const world = new World(randomOf(1));
    const { give, token } = lateTokens();
    const { client } = await world.open('', { share, user: undefined, token });
    client.close();
    client.open();
    give[1](tokenOf('bob'));
    await settle();
    give[0](tokenOf('alice'));
    await settle();
    assert.deepEqual([client.status, client.userId], ['connected', 'bob']);
    world.bridge.cut();
    await world.clock.advance(1000);
    assert.equal(give.length, 3, 'another one is asked for');
    give[2](tokenOf('bob', 2));
    await settle();
    assert.deepEqual([client.status, client.userId], ['connected', 'bob']);
    assert.deepEqual(new Set(world.bridge.users), new Set(['bob']));
  });

  test(`${share}: a token that does not come is asked for again, as one that failed`, async () => {
    const world = new World(randomOf(1));
    const { give, token } = lateTokens();
    const { client } = await world.open('', { share, user: undefined, token, connectMs: 3000, backoffMs: 100 });
    await world.clock.advance(3000);
    assert.equal(client.status, 'waiting');
    await world.clock.advance(200);
    assert.equal(give.length, 2);
    give[0](tokenOf('late'));
    give[1](tokenOf('alice'));
    await settle();
    assert.deepEqual([client.status, client.userId], ['connected', 'alice']);
  });

  test(`${share}: a token function that fails with no error at all is one that fails`, async () => {
    const world = new World(randomOf(1));
    let calls = 0;
    const token = () => (++calls === 1 ? Promise.reject() : tokenOf('alice'));
    const { client } = await world.open('', { share, user: undefined, token, backoffMs: 100 });
    assert.equal(client.status, 'waiting');
    await world.clock.advance(100);
    assert.equal(client.status, 'connected');
  });

  test(`${share}: open() by a listener that hears that the client has stopped opens it`, async () => {
    for (const type of ['status', 'stopped']) {
      const world = new World(randomOf(1));
      let name = 'bad';
      world.bridge.refused.add('bad');
      const tab = await world.open('alice', { share, token: () => name, backoffMs: 100 }, (client) => {
        client.on(type, ({ status = 'stopped' }) => {
          if (status !== 'stopped') return;
          name = 'good';
          client.open();
        });
      });
      await world.clock.advance(2000);
      assert.equal(tab.client.status, 'connected', type);
    }
  });
}

for (const share of SHARES) {
  test(`${share}: a token that takes longer than another tab is waited for is good all the same`, async () => {
    const world = new World(randomOf(1));
    const { give, token } = lateTokens();
    const { client } = await world.open('alice', { share, token });
    await world.clock.advance(LIMITS.tokenMs + 1000);
    give[0]('t');
    await settle();
    assert.deepEqual([client.status, give.length, world.bridge.tokens], ['connected', 1, ['t']]);
  });

  test(`${share}: close() by a listener that hears that another user's badge begins is the end`, async () => {
    for (const isOpened of [false, true]) {
      const world = new World(randomOf(1));
      let user = 'alice';
      const { client } = await world.open('', { share, user: undefined, token: () => tokenOf(user) }, (one) => {
        one.on('badge', ({ unread }) => {
          if (unread !== null) return;
          one.close();
          if (isOpened) one.open();
        });
      });
      user = 'bob';
      world.bridge.cut();
      await world.clock.advance(60000);
      assert.equal(client.status, isOpened ? 'connected' : 'closed');
      assert.deepEqual(world.bridge.users, isOpened ? ['alice', 'bob'] : ['alice']);
    }
  });
}

test('of two tabs that are slow with a token the first one that comes is taken, and who was late is asked last', async () => {
  const world = new World(randomOf(1));
  const tokens = [lateTokens(), lateTokens()];
  const options = { backoffMs: 100 };
  await world.open('alice', { ...options, token: tokens[0].token });
  tokens[0].give[0]('first');
  await world.clock.advance(1000);
  await world.open('alice', { ...options, token: tokens[1].token });
  await world.clock.advance(1000);
  world.bridge.cut();
  await world.clock.advance(100);
  const asked = () => tokens.map(({ give }) => give.length);
  assert.deepEqual(asked(), [1, 1], 'the one that was looked at last');
  await world.clock.advance(LIMITS.tokenMs);
  assert.deepEqual(asked(), [2, 1]);
  tokens[1].give[0]('second, late');
  await settle();
  assert.deepEqual(world.bridge.tokens, ['first', 'second, late']);
  world.bridge.cut();
  await world.clock.advance(100);
  assert.deepEqual(asked(), [3, 1], 'the other one now');
});

test('a token by which a tab has learnt its user is not the one of a connection that is made later', async () => {
  const world = new World(randomOf(1));
  const tokens = [manyTokens(), manyTokens()];
  for (const { token } of tokens) await world.open('', { user: undefined, token });
  const [first, second] = world.tabs;
  await world.close(first);
  await world.clock.advance(LIMITS.hubMs);
  assert.equal(second.client.status, 'connected');
  assert.equal(tokens[1].given.length, 2);
  assert.deepEqual(world.bridge.tokens, [tokens[0].given[0], tokens[1].given[1]]);
});

test('a tab that is put away while a token is awaited looks for no connection when it comes, but when it is back', async () => {
  const { tell } = playPage();
  const world = new World(randomOf(1));
  const { give, token } = lateTokens();
  const { client } = await world.open('', { user: undefined, token });
  await tell('pagehide', { persisted: true });
  assert.equal(client.status, 'waiting');
  give[0](tokenOf('alice'));
  await world.clock.advance(60000);
  assert.equal(world.bridge.opened, 0);
  await tell('pageshow');
  give[1](tokenOf('alice', 1));
  await settle();
  assert.equal(client.status, 'connected');
});

test('a token that fails after close() is heard by nobody', async () => {
  const world = new World(randomOf(1));
  const { give, fail, token } = lateTokens();
  await world.open('alice', { token });
  give[0]('t');
  await settle();
  const second = await world.open('alice', { token });
  await world.clock.advance(2000);
  world.bridge.cut();
  await world.clock.advance(1000);
  assert.equal(give.length, 2, 'somebody is asked');
  await world.close(second);
  for (const failed of fail.slice(1)) failed();
  await settle();
  assert.equal(second.client.status, 'closed');
});
