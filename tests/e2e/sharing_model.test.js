/* One connection for all tabs, with everything around played: tabs come, go, are put away, hang and
 * wake up, the connection is cut, in any order. Each tab hears everything exactly once. */

import assert from 'node:assert/strict';
import { test } from './harness.js';
import { randomOf } from './inbox_model.js';
import { idsOf, World } from './played_world.js';
import { NotifyClient, settle } from './scene.js';

const RUNS = Number(process.env.NOTIFY_MODEL_RUNS || 500) / 5;
const FIRST_SEED = Number(process.env.NOTIFY_MODEL_SEED || 1);
const STEPS = 60;
const TABS = 4;
const { LIMITS } = NotifyClient;

const modes = (world) => world.tabs.map(({ client }) => client.mode);

test('however many tabs there are, there is one connection, and all of them hear everything once', async () => {
  const world = new World(randomOf(1));
  for (let i = 0; i < 5; i++) await world.open();
  assert.equal(world.bridge.sockets.size, 1);
  assert.deepEqual(modes(world), Array(5).fill('leader'));
  const ids = [world.bridge.send('inbox:alice'), world.bridge.send('inbox:alice')];
  await settle();
  for (const tab of world.tabs) {
    assert.deepEqual(idsOf(tab), ids);
    assert.equal(tab.client.unread, 2);
    assert.equal(tab.client.status, 'connected');
    assert.equal(tab.readies, 1);
  }
});

test('when the tab with the connection goes, another one goes on, and nothing is lost or told twice', async () => {
  const world = new World(randomOf(1));
  for (let i = 0; i < 4; i++) await world.open();
  const ids = [];
  while (world.tabs.length > 1) {
    ids.push(world.bridge.send('inbox:alice'));
    await world.close(world.tabs[0]);
    ids.push(world.bridge.send('inbox:alice'));
    await world.clock.advance(LIMITS.hubMs);
    ids.push(world.bridge.send('inbox:alice'));
    await settle();
    assert.equal(world.bridge.sockets.size, 1);
    for (const tab of world.tabs) assert.deepEqual(idsOf(tab), ids);
  }
  await world.close(world.tabs[0]);
  assert.equal(world.bridge.sockets.size, 0, 'without tabs there is no connection');
});

test('a tab with the connection that hangs is left, and is a tab as others when it goes on', async () => {
  const world = new World(randomOf(1));
  for (let i = 0; i < 3; i++) await world.open();
  const [hung, ...others] = world.tabs;
  hung.page.hang();
  const before = world.bridge.send('inbox:alice'); // it still takes in what comes, and tells nobody
  await world.clock.advance(LIMITS.hubMs + 3 * LIMITS.hubReplyMs);
  const after_ = world.bridge.send('inbox:alice');
  await settle();
  for (const tab of others) assert.deepEqual(idsOf(tab), [before, after_]);
  hung.page.wakeUp();
  await world.clock.advance(2 * LIMITS.hubMs + 3 * LIMITS.hubReplyMs);
  const last = world.bridge.send('inbox:alice');
  await settle();
  for (const tab of world.tabs) assert.deepEqual(idsOf(tab), [before, after_, last]);
  assert.equal(world.bridge.sockets.size, 1);
});

test('tabs of different users have different connections, and hear nothing of each other', async () => {
  const world = new World(randomOf(1));
  const alice = [await world.open('alice'), await world.open('alice')];
  const bob = [await world.open('bob'), await world.open('bob')];
  assert.equal(world.bridge.sockets.size, 2);
  world.bridge.send('inbox:alice');
  world.bridge.send('inbox:bob');
  world.bridge.send('inbox:bob');
  await settle();
  for (const { client, got } of alice) assert.deepEqual([client.userId, client.unread, got.length], ['alice', 1, 1]);
  for (const { client, got } of bob) assert.deepEqual([client.userId, client.unread, got.length], ['bob', 2, 2]);
});

test('what comes from a topic is for the tabs that follow it, and it is followed as long as there is one', async () => {
  const world = new World(randomOf(1));
  const plain = await world.open();
  const one = await world.open('alice', { topics: ['news'] });
  const two = await world.open();
  await two.client.subscribe('news');
  const id = world.bridge.send('topic:news');
  await settle();
  assert.deepEqual([plain, one, two].map((tab) => idsOf(tab, 'topic:news')), [[], [id], [id]]);
  await two.client.unsubscribe('news');
  const next = world.bridge.send('topic:news');
  await settle();
  assert.deepEqual([one, two].map((tab) => idsOf(tab, 'topic:news')), [[id, next], [id]]);
  await world.close(one);
  const [socket] = world.bridge.sockets;
  assert.equal(socket.follows.has('topic:news'), false);
});

test('a topic that another tab follows is followed from where the tab asks for', async () => {
  const world = new World(randomOf(1));
  const [one, two] = [await world.open('alice', { topics: ['news'] }), await world.open()];
  const ids = [1, 2, 3].map(() => world.bridge.send('topic:news'));
  await settle();
  await two.client.subscribe('news', { lastId: ids[0] });
  await settle();
  assert.deepEqual(idsOf(two, 'topic:news'), ids.slice(1));
  assert.deepEqual(idsOf(one, 'topic:news'), ids, 'who has heard it does not hear it again');
});

test('a tab that was put away hears what it has missed, and hears of a gap if that is not known any more', async () => {
  const world = new World(randomOf(1));
  await world.open();
  const away = await world.open();
  const ids = [world.bridge.send('inbox:alice')];
  await settle();
  const goAway = () => away.client.close();
  const comeBack = async () => {
    away.client.open();
    await settle();
  };
  goAway();
  for (let i = 0; i < 10; i++) ids.push(world.bridge.send('inbox:alice'));
  await settle();
  await comeBack();
  assert.deepEqual(idsOf(away), ids);
  assert.deepEqual(away.gaps, []);
  goAway();
  for (let i = 0; i <= LIMITS.recentMessages; i++) world.bridge.send('inbox:alice');
  await settle();
  await comeBack();
  assert.deepEqual(away.gaps, ['inbox:alice']);
  const last = world.bridge.send('inbox:alice');
  await settle();
  assert.equal(idsOf(away).at(-1), last);
});

test('requests of all tabs go over the one connection, and each answer comes to who asked', async () => {
  const world = new World(randomOf(1));
  for (let i = 0; i < 3; i++) await world.open();
  const answers = await Promise.all(world.tabs.map(({ client }, i) => client.request(`echo ${i}`)));
  assert.deepEqual(answers.map(({ type }) => type), ['echo 0', 'echo 1', 'echo 2']);
  assert.equal(world.bridge.opened, 1);
});

test('who is asked while the connection goes to another tab is told that it is not known', async () => {
  const world = new World(randomOf(1));
  const [leader, other] = [await world.open(), await world.open('alice', { requestMs: 60000 })];
  leader.page.hang();
  const asked = assert.rejects(other.client.markRead('1-0'), { code: 'DISCONNECTED' });
  await world.clock.advance(LIMITS.hubMs + 3 * LIMITS.hubReplyMs);
  await asked;
  assert.equal(other.client.status, 'connected');
});

test('tabs that hear nothing for long leave the connection where it is, however fast it answers', async () => {
  const world = new World(randomOf(1));
  for (let i = 0; i < 3; i++) await world.open();
  await world.clock.advance(600000);
  assert.deepEqual(world.tabs.map(({ readies }) => readies), [1, 1, 1]);
  assert.equal(world.bridge.opened, 1);
});

test('an answer that comes when the connection has gone to another tab holds nothing up when it is back', async () => {
  const world = new World(randomOf(1));
  const [first, second] = [await world.open(), await world.open('alice', { requestMs: 60000 })];
  first.page.hang();
  const asked = assert.rejects(second.client.history(), { code: 'DISCONNECTED' });
  await world.clock.advance(LIMITS.hubMs + 3 * LIMITS.hubReplyMs);
  await asked;
  first.page.wakeUp();
  await world.clock.advance(LIMITS.hubMs);
  await world.close(second);
  await world.clock.advance(LIMITS.hubMs);
  assert.equal(first.client.status, 'connected');
  const third = await world.open();
  assert.equal(third.client.status, 'connected', 'it is answered at once');
});

test('a clock that is set back keeps no tab from noticing that the one with the connection hangs', async () => {
  const world = new World(randomOf(1));
  const [leader, other] = [await world.open(), await world.open()];
  leader.page.hang();
  await world.clock.advance(1000);
  world.clock.setBack(3600000);
  await world.clock.advance(2 * LIMITS.hubMs + 3 * LIMITS.hubReplyMs);
  assert.equal(other.readies, 2);
  const id = world.bridge.send('inbox:alice');
  await settle();
  assert.deepEqual(idsOf(other), [id]);
});

/* -- in any order -- */

const DEEDS = {
  send: (world) => void world.bridge.send('inbox:alice'),
  sendTopic: (world) => void world.bridge.send('topic:all'),
  open: (world) => world.tabs.length < TABS && world.open(),
  close: (world) => {
    const tab = world.pick(world.tabs);
    return world.tabs.length > 1 && !tab.page.isHung && world.close(tab);
  },
  away: (world) => {
    const tab = world.pick(world.tabs);
    if (!tab.page.isHung) tab.client.close();
  },
  back: (world) => world.tabs.forEach(({ client, page }) => page.isHung || client.open()),
  hang: (world) => world.pick(world.tabs).page.hang(),
  wakeUp: (world) => world.tabs.forEach(({ page }) => page.wakeUp()),
  cut: (world) => world.bridge.cut(),
  wait: (world) => world.clock.advance(1000 + Math.floor(20000 * world.random())),
  settle: () => settle(),
};

async function play(seed) {
  const world = new World(randomOf(seed));
  await world.open();
  for (let i = 0; i < STEPS; i++) {
    const name = world.pick(Object.keys(DEEDS));
    world.trace.push(name);
    await DEEDS[name](world);
  }
  DEEDS.wakeUp(world);
  DEEDS.back(world);
  for (let i = 0; i < 6; i++) await world.clock.advance(LIMITS.hubMs + 3 * LIMITS.hubReplyMs);
  const last = world.bridge.send('inbox:alice');
  await world.clock.advance(2000); // a count that was in doubt has been asked for
  return { world, last };
}

function checkTab(world, tab, last, seed) {
  const about = `seed ${seed}: ${world.trace.join(' ')}`;
  const ids = idsOf(tab);
  assert.equal(tab.client.status, 'connected', about);
  assert.equal(tab.client.unread, world.bridge.box('inbox:alice').rev, about);
  assert.equal(ids.at(-1), last, about);
  const all = world.bridge.box('inbox:alice').entries.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length, about);
  if (tab.gaps.length > 0) return;
  const first = all.indexOf(ids[0]); // older than that, if others were catching up when it came
  assert.ok(first <= all.indexOf(tab.since) + 1, about);
  assert.deepEqual(ids, all.slice(first), about);
}

test('in whatever order tabs come, go, hang and wake: one connection, everything once, nothing lost', async () => {
  for (let seed = FIRST_SEED; seed < FIRST_SEED + RUNS; seed++) {
    const { world, last } = await play(seed);
    assert.equal(world.bridge.sockets.size, 1, `seed ${seed}: ${world.trace.join(' ')}`);
    for (const tab of world.tabs) checkTab(world, tab, last, seed);
    for (const tab of [...world.tabs]) await world.close(tab);
    assert.equal(world.bridge.sockets.size, 0, `seed ${seed}`);
  }
});
