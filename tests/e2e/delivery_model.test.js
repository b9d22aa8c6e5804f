/* What notify.js hands out, whatever a bridge that keeps its promise says in between: live entries that come before the
 * bridge has read where to go on from, answers in portions or too late, entries before the place that are deleted, links
 * that are cut at any moment. */

import assert from 'node:assert/strict';
import { test } from './harness.js';
import { randomOf } from './inbox_model.js';
import { entry, Scene, settle } from './scene.js';

const KEY = 'inbox:alice';
const RUNS = Number(process.env.NOTIFY_MODEL_RUNS || 500) / 5;
const FIRST_SEED = Number(process.env.NOTIFY_MODEL_SEED || 1);
const STEPS = 250;

/* A bridge with Redis behind it, to one client that follows its inbox. */
class ModelBridge {
  entries = []; // { id, number, prev, rev, isGone }
  rev = 0;
  #scene;
  #random;
  #greeted = null; // the socket that it talks to
  #read = 0; // of its requests
  #isLive = false;
  #at = 0; // the number of the entry that the client has had from this connection
  #asked = []; // the resumes that wait, by number
  #untold = []; // changes that came meanwhile, which the bridge remembers with the entries

  constructor(scene, random) {
    this.#scene = scene;
    this.#random = random;
  }

  get last() {
    return this.entries.at(-1)?.id || '0-0';
  }
  get isConnected() {
    return this.#greeted !== null && this.#greeted === this.#scene.socket && this.#greeted.onmessage !== null;
  }
  get #unread() {
    return this.entries.filter(({ isGone }) => !isGone).length;
  }

  #say(message) {
    if (this.isConnected) this.#greeted.onmessage({ data: JSON.stringify(message) });
  }

  send() {
    const number = this.entries.length + 1;
    const one = { id: `${number}-0`, number, prev: this.last, rev: ++this.rev, isGone: false };
    this.entries.push(one);
    if (this.#isLive) this.#tell(one);
  }

  #tell({ id, number, prev, rev }) {
    this.#at = number;
    this.#say(entry(id, prev, { rev, unread: this.#unread }));
  }

  /* What was handed out is deleted now and then: nothing is to be missed by that. */
  delete(id) {
    const one = this.entries.find((other) => other.id === id && !other.isGone);
    if (!one) return;
    one.isGone = true;
    this.rev++;
    const change = { type: 'deleted', key: KEY, ids: [id], rev: this.rev, unread: this.#unread };
    if (this.#isLive) this.#say(change);
    else this.#untold.push(change);
  }

  async greet() {
    const { socket } = this.#scene;
    if (this.isConnected || socket.onmessage === null || this.#scene.client.status !== 'connecting') return;
    this.#greeted = socket;
    this.#read = 0;
    this.#asked = [];
    this.#untold = [];
    this.#isLive = true;
    this.#at = this.entries.length;
    await this.#scene.greet();
  }

  cut() {
    return this.isConnected ? this.#scene.drop() : undefined;
  }

  /* The next request. */
  read() {
    const request = this.isConnected ? this.#greeted.sent[this.#read] : undefined;
    if (!request) return false;
    this.#read++;
    const { type, request_id, positions } = request;
    if (type === 'resume') {
      this.#asked.push(request_id);
      this.#isLive = false;
      this.#at = Number(positions[KEY].split('-')[0]);
    } else {
      this.#say({ type, request_id, unread: this.#unread, last: this.last, rev: this.rev });
    }
    return true;
  }

  /* Some of what the client waits for: as read from Redis, or as the bridge remembers it. */
  serve(most = 1 + Math.floor(40 * this.#random())) {
    if (!this.isConnected || this.#asked.length === 0) return false;
    const isRead = this.#random() < 0.7;
    const there = this.entries.filter(({ isGone }) => !isGone);
    const next = there.filter(({ number }) => number > this.#at);
    const { rev } = this;
    for (const one of next.slice(0, most)) {
      const prev = there[there.indexOf(one) - 1]?.id || '0-0';
      this.#tell(isRead ? { ...one, prev, rev } : one);
    }
    if (next.length > most) return true;
    this.#isLive = true;
    this.#at = this.entries.length;
    for (const change of this.#untold.splice(0)) this.#say(change);
    for (const request_id of this.#asked.splice(0).reverse()) {
      this.#say({ type: 'resumed', request_id, results: { [KEY]: { recovered: true, count: 0 } } });
    }
    return true;
  }
}

async function play(seed) {
  const random = randomOf(seed);
  const scene = new Scene();
  scene.clock.random = random;
  scene.make({ broadcast: [], requestMs: 400, backoffMs: 30, backoffMaxMs: 200, connectMs: 1e6, heartbeatMs: 1e8 });
  const bridge = new ModelBridge(scene, random);
  for (let n = random() < 0.5 ? 0 : 5; n > 0; n--) bridge.send();
  const before = bridge.entries.length;
  scene.client.open();
  await settle();
  await bridge.greet();
  while (bridge.read()) await settle();
  const rate = random();
  for (let step = 0; step < STEPS; step++) {
    const chance = random();
    if (chance < rate) for (let n = Math.floor(30 * random() ** 3); n >= 0; n--) bridge.send();
    else if (chance < rate + 0.1 * (1 - rate)) await bridge.cut();
    else if (chance < rate + 0.3 * (1 - rate)) await scene.clock.advance(random() < 0.2 ? 1000 * random() : 100 * random());
    else if (chance < rate + 0.4 * (1 - rate)) for (const id of scene.ids.slice(-Math.floor(60 * random()))) bridge.delete(id);
    else if (chance < rate + 0.6 * (1 - rate)) await bridge.greet();
    else if (chance < rate + 0.8 * (1 - rate)) bridge.read();
    else bridge.serve();
    await settle();
  }
  for (let quiet = 0; quiet < 5; quiet++) {
    await scene.clock.advance(300);
    await bridge.greet();
    while (bridge.read() || bridge.serve(1000)) quiet = 0;
    await settle();
  }
  const sent = bridge.entries.slice(before).map(({ id }) => id);
  const at = sent.findIndex((id, i) => scene.ids[i] !== id);
  const said = `seed ${seed}: ${scene.ids.length} of ${sent.length}, at ${at}: ${scene.ids.slice(at, at + 5)} for ${sent.slice(at, at + 5)}`;
  assert.ok(at < 0 && scene.ids.length === sent.length, said);
  assert.deepEqual(scene.all('gap'), [], `seed ${seed}`);
  assert.deepEqual(scene.all('error'), [], `seed ${seed}`);
  assert.equal(scene.client.unread, bridge.entries.filter(({ isGone }) => !isGone).length, `seed ${seed}`);
  scene.client.close();
}

test('whatever comes in between, each entry is handed out once, in order, and no loss is told', async () => {
  for (let seed = FIRST_SEED; seed < FIRST_SEED + RUNS; seed++) await play(seed);
}, { isAlone: true });
