/* The badge and the order of entries, against a model of Redis and the bridge: whatever happens to the
 * box and in whatever order it is heard, the badge ends as Redis counts. */

import assert from 'node:assert/strict';
import { test } from './harness.js';
import { InboxModel, randomOf } from './inbox_model.js';
import { Scene } from './scene.js';

const RUNS = Number(process.env.NOTIFY_MODEL_RUNS || 500);
const FIRST_SEED = Number(process.env.NOTIFY_MODEL_SEED || 1);
const STEPS = 40;
const LONGEST_PAUSE_MS = 31000; // between two questions of a client
const STEP_MS = 1000;

/* What Redis does and tells. */
const TOLD = {
  send: (model) => model.send(true),
  sendLow: (model) => model.send(false),
  read: (model) => model.read(),
  readAll: (model) => model.readAll(),
};
/* The box begins anew, and that is told. */
const TOLD_ANEW = {
  deleteTold: (model) => model.deleteTold(),
  restoreTold: (model) => model.restoreTold(),
};
/* What happens to a box without a word. */
const UNTOLD = {
  dump: (model) => model.dump(),
  delete: (model) => model.delete(),
  restore: (model) => model.restore(),
  renameOnto: (model) => model.renameOnto(),
  expire: (model) => model.expire(),
  readUnpublished: (model) => model.readUnpublished(),
  restart: (model) => model.restart(),
};
const WIRE = {
  execute: (model) => model.execute(),
  answer: (model) => model.answer(),
  deliver: (model) => model.deliver(),
};
const CLIENT = {
  ask: (model, scene) => void scene.client.unreadCount().catch(() => {}),
  markAll: (model, scene) => void scene.client.markAllRead().catch(() => {}),
  wait: (model, scene) => scene.clock.advance(700),
  drop: (model) => model.drop(),
};

async function start(seed) {
  const scene = await Scene.start();
  const model = new InboxModel(scene, randomOf(seed));
  await model.greet();
  return { scene, model };
}

/* Each run leaves out another half of what may happen: what remains meets more often. */
function someOf(model, choices) {
  return Object.fromEntries(Object.entries(choices).filter(() => model.pick([true, false])));
}

async function step(model, scene, choices) {
  const name = model.pick(Object.keys(choices));
  model.trace.push(name);
  await choices[name](model, scene);
  if (!model.isConnected) await model.greet();
}

async function steps(model, scene, choices, count = STEPS) {
  for (let i = 0; i < count; i++) await step(model, scene, choices);
}

/* Everything under way arrives, in any order that the links allow, and whatever the client wants to
 * know then, it is told. Its heartbeats are no reason to go on. */
async function drain(model, scene) {
  for (let quietMs = 0; quietMs < LONGEST_PAUSE_MS; quietMs += STEP_MS) {
    const { questions } = model;
    while (model.isBusy) {
      if (model.isConnected) await step(model, scene, WIRE);
      else await model.greet();
    }
    if (model.questions > questions) quietMs = 0;
    await scene.clock.advance(STEP_MS);
  }
}

function check(model, scene, seed) {
  const trace = () => `seed ${seed}\n${model.trace.slice(-60).join('\n')}`;
  assert.equal(scene.client.unread, model.unread, `the badge is wrong: ${trace()}`);
  const told = scene.all('badge').pop();
  assert.equal(told.unread, scene.client.unread, `the badge was not told: ${trace()}`);
}

/* Two entries with the same id and revision are of two boxes, but nobody can tell. */
function checkDelivery(model, scene, seed) {
  const named = ({ id, rev }) => `${id} at revision ${rev}`;
  const delivered = new Set(scene.got.filter(({ data }) => data).map(named));
  const missing = model.forwarded.map(named).filter((name) => !delivered.has(name));
  assert.deepEqual(missing, [], `entries were dropped: seed ${seed}\n${model.trace.slice(-80).join('\n')}`);
}

async function forEachSeed(run) {
  for (let seed = FIRST_SEED; seed < FIRST_SEED + RUNS; seed++) await run(seed);
}

test('whatever happened to the box: the count that is asked for when all is quiet ends in the badge', () =>
  forEachSeed(async (seed) => {
    const { scene, model } = await start(seed);
    await steps(model, scene, { ...someOf(model, { ...TOLD, ...TOLD_ANEW, ...UNTOLD, ...CLIENT }), ...WIRE });
    await drain(model, scene);
    CLIENT.ask(model, scene);
    await drain(model, scene);
    check(model, scene, seed);
  }));

test('whatever happened to the box: the next change that is published makes the badge right, without being asked', () =>
  forEachSeed(async (seed) => {
    const { scene, model } = await start(seed);
    await steps(model, scene, { ...someOf(model, { ...TOLD, ...TOLD_ANEW, ...UNTOLD, ...CLIENT }), ...WIRE });
    model.send(model.pick([true, false]));
    await steps(model, scene, { ...someOf(model, { ...TOLD, ...TOLD_ANEW, ...CLIENT }), ...WIRE }, 10);
    await drain(model, scene);
    check(model, scene, seed);
  }));

test('a box that is gone or older: one question settles it, though messages of the last one come later', () =>
  forEachSeed(async (seed) => {
    const { scene, model } = await start(seed);
    model.dump();
    await steps(model, scene, { ...TOLD, ...WIRE }, 10);
    model.send(true);
    await drain(model, scene);
    await steps(model, scene, { ...TOLD, deliver: WIRE.deliver }, 6);
    await step(model, scene, { delete: UNTOLD.delete, restore: UNTOLD.restore, expire: UNTOLD.expire });
    CLIENT.ask(model, scene);
    await drain(model, scene);
    check(model, scene, seed);
  }));

test('whatever happened to the box: every entry that reaches the client is handed on', () =>
  forEachSeed(async (seed) => {
    const { scene, model } = await start(seed);
    await steps(model, scene, { ...someOf(model, { ...TOLD, ...TOLD_ANEW, ...UNTOLD, wait: CLIENT.wait }), ...WIRE });
    await drain(model, scene);
    checkDelivery(model, scene, seed);
  }));

test('a box that lives on, heard in step, is counted once for each connection and never again', () =>
  forEachSeed(async (seed) => {
    const { scene, model } = await start(seed);
    await drain(model, scene);
    let connections = 1;
    for (let i = 0; i < STEPS; i++) {
      await step(model, scene, { ...TOLD, markAll: CLIENT.markAll });
      while (model.isBusy) for (const name of ['execute', 'deliver', 'answer']) await WIRE[name](model);
      if (model.pick([true, ...Array(20).fill(false)])) {
        await model.drop();
        await model.greet();
        await drain(model, scene);
        connections++;
      }
    }
    await drain(model, scene);
    check(model, scene, seed);
    assert.equal(model.counted, connections, `seed ${seed}`);
    assert.deepEqual(scene.all('gap'), [], `seed ${seed}`);
  }));
