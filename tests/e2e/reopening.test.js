/* close() and open() again, or only later, in any listener: what is still to come then comes once all the same, and no loss
 * goes untold. */

import assert from 'node:assert/strict';
import { test } from './harness.js';
import { randomOf } from './inbox_model.js';
import { idsOf, World } from './played_world.js';
import { entry, NotifyClient, Scene, settle } from './scene.js';

const { LIMITS } = NotifyClient;
const EVENTS = ['status', 'ready', 'badge', 'counts', 'gap', 'resumed', 'stopped', 'unreachable', 'error', 'frame', '*'];
const LOST = { recovered: false, count: 0 };
const KEPT = { recovered: true, count: 0 };

/* With a place of epoch 7 in the inbox, of epoch 5 in the broadcast log. */
async function connect() {
  const scene = await Scene.start();
  await scene.greet();
  await scene.answer('subscribe', { type: 'subscription', topic: 'all', status: 'subscribed', last: '50-0', epoch: 5 });
  await scene.answer('unread_count', { type: 'unread_count', unread: 0, last: '100-0', rev: 1, epoch: 7 });
  return scene;
}

const PLACES = { 'inbox:alice': '100-0@@7', 'topic:all': '50-0@@5' };

function closeAndOpen({ client }) {
  client.close();
  client.open();
}

async function openAgain(scene) {
  scene.client.open();
  await settle();
  await scene.greet();
  return (scene.request('resume') || { positions: {} }).positions;
}

test('a listener that closes and opens again while something is missed lets nothing overtake that', async () => {
  for (const type of ['badge', 'frame']) {
    const scene = await connect();
    await scene.reconnect();
    scene.client.once(type, () => closeAndOpen(scene));
    await scene.receive(entry('105-0', '104-0', { rev: 9, unread: 9, epoch: 7 }));
    await settle();
    await scene.greet();
    assert.deepEqual(scene.request('resume').positions, PLACES, type);
    assert.deepEqual(scene.ids, [], type);
  }
});

test('a place that is lost when a listener has just closed is told when the client is open again', async () => {
  const moments = {
    resumed: (scene) => scene.receive({ type: 'resumed', results: { 'inbox:alice': LOST, 'topic:all': LOST }, epochs: { 'inbox:alice': 8, 'topic:all': 6 } }),
    counts: (scene) => scene.answer('unread_count', { type: 'unread_count', unread: 0, last: '90-0', rev: 1, epoch: 8 }),
    badge: (scene) => scene.receive({ type: 'gone', key: 'inbox:alice', rev: 5, unread: 0, epoch: 7 }),
  };
  for (const [type, tell] of Object.entries(moments)) {
    const scene = await connect();
    if (type === 'counts') scene.client.unreadCount().catch(() => {});
    scene.client.once(type, () => scene.client.close());
    await tell(scene);
    assert.deepEqual(scene.all('gap'), [], type);
    assert.deepEqual(await openAgain(scene), PLACES, type);
  }
});

test('who closes when the first of two losses is told is told of the other when the client is open again', async () => {
  const results = { 'inbox:alice': LOST, 'topic:all': LOST };
  const epochs = { 'inbox:alice': 8, 'topic:all': 6 };
  const moments = {
    refilled: (scene) => scene.receive({ type: 'resumed', results, epochs }),
    resumed: async (scene) => {
      await scene.reconnect();
      await scene.answer('resume', { type: 'resumed', results, epochs });
    },
  };
  for (const [name, tell] of Object.entries(moments)) {
    const scene = await connect();
    scene.client.once('gap', () => scene.client.close());
    await tell(scene);
    assert.deepEqual(scene.all('gap').map(({ key }) => key), ['inbox:alice'], name);
    assert.deepEqual(await openAgain(scene), { 'topic:all': '50-0@@5' }, name);
  }
});

test('of a box that begins anew all comes, though a listener that hears so closes and opens again', async () => {
  const scene = await connect();
  await scene.receive(entry('101-0', '100-0', { epoch: 7 }));
  scene.client.once('gap', () => closeAndOpen(scene));
  await scene.receive(entry('40-0', '0-0', { rev: 1, epoch: 8 }));
  await settle();
  await scene.greet();
  assert.deepEqual(scene.all('gap').map(({ key }) => key), ['inbox:alice']);
  if (!scene.ids.includes('40-0')) assert.equal(scene.request('resume').positions['inbox:alice'], '0-0');
});

/* -- at every call -- */

/* Closes and opens again at the nth call of a listener. Returns null behind the last one. */
async function play(at, share, isFirst) {
  const world = new World(randomOf(1));
  const options = { share, topics: ['news'], heartbeatMs: 1e9 };
  let calls = 0;
  let moment = null;
  const watch = (client) => EVENTS.forEach((type) => client.on(type, (event) => {
    if (++calls !== at) return;
    moment = `${type} ${event.status || event.type || ''}, call ${at}`;
    closeAndOpen({ client });
  }));
  const openOther = () => world.open('alice', options);
  const openThis = () => world.open('alice', options, watch);
  const send = async () => {
    world.bridge.send('inbox:alice');
    world.bridge.send('topic:news');
    await settle();
  };
  const [tab, other] = isFirst ? [await openThis(), await openOther()] : [await openOther(), await openThis()].reverse();
  await world.clock.advance(3000);
  const from = world.bridge.boxes.get('inbox:alice')?.entries.length || 0;
  await send();
  world.bridge.cut();
  await send();
  await world.clock.advance(3 * LIMITS.hubMs);
  await world.close(other);
  await send();
  await world.clock.advance(3 * LIMITS.hubMs);
  await send();
  return moment && { moment, world, tab, from };
}

for (const [share, isFirst] of [[false, true], ['leader', true], ['leader', false], ['own', true]]) {
  test(`close() and open() again in any listener (${share}, ${isFirst ? 'first' : 'second'}): all comes, once and in order`, async () => {
    const faults = [];
    for (let at = 1; ; at++) {
      const played = await play(at, share, isFirst);
      if (!played) break;
      const { moment, world, tab, from } = played;
      const [inbox, news] = ['inbox:alice', 'topic:news'].map((key) => [idsOf(tab, key), world.bridge.box(key).entries.map(({ id }) => id).slice(from)]);
      const isWell = [inbox, news].every(([got, sent]) => got.join() === sent.join()) && tab.client.status === 'connected';
      if (!isWell || world.bridge.sockets.size !== 1) faults.push(`${moment}: ${tab.client.status}, ${world.bridge.sockets.size} connections, ${inbox[0]} of ${inbox[1]}, ${news[0]} of ${news[1]}`);
    }
    assert.deepEqual(faults, []);
  });
}
