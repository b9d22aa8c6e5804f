/* A browser's own EventSource in front of a real bridge: it comes back by itself, with what it has had. */

import assert from 'node:assert/strict';
import { eventually, test } from './harness.js';
import { openBrowser } from './browser.js';
import { Bridge, Redis, startServers, startSite } from './servers.js';

const PATH = '/api/v1/notifications/stream';

async function start() {
  const { redis, bridge } = await startServers();
  const context = await openBrowser();
  const page = await context.newPage();
  await page.goto(new URL('/healthz', bridge.page('alice')).href);
  return { redis, bridge, page };
}

/* Opens a stream in the page; what comes is kept in window.seen. */
function listen(page, query) {
  return page.evaluate((url) => {
    window.seen = { ids: [], opened: 0, ends: [], gaps: [], errors: 0 };
    const source = (window.source = new EventSource(url));
    source.addEventListener('open', () => window.seen.opened++);
    source.addEventListener('connection', (event) => (window.seen.greeting = JSON.parse(event.data)));
    source.addEventListener('notification', (event) => window.seen.ids.push(JSON.parse(event.data).id));
    source.addEventListener('gap', (event) => window.seen.gaps.push(JSON.parse(event.data)));
    source.addEventListener('close', (event) => window.seen.ends.push(JSON.parse(event.data).code));
    source.onerror = () => window.seen.errors++;
  }, `${PATH}?${query}`);
}

const seen = (page) => page.evaluate(() => window.seen);

const greeted = (page) => eventually('the greeting', async () => (await seen(page)).greeting);

const has = (page, ids) =>
  eventually(`${ids.length} notifications`, async () => (await seen(page)).ids.length >= ids.length);

test('an EventSource gets each notification once over twenty deaths and restarts of its bridge', async () => {
  const { redis, bridge, page } = await start();
  await listen(page, 'user=alice&topics=news');
  assert.equal((await greeted(page)).user_id, 'alice');
  const sent = [];
  const send = async (key) => sent.push(await redis.cli('NOTIFY.SEND', key, `number ${sent.length}`));
  for (let round = 0; round < 20; round++) {
    for (const key of ['inbox:alice', 'topic:news', 'topic:all']) await send(key);
    await (round % 2 ? bridge.kill() : bridge.stop());
    await send('inbox:alice');
    await bridge.start();
    await send('topic:news');
    if (round % 5 === 4) await has(page, sent);
  }
  await has(page, sent);
  const { ids, gaps, opened, ends } = await seen(page);
  assert.deepEqual([...ids].sort(), [...sent].sort());
  assert.deepEqual(gaps, []);
  assert.ok(opened >= 4, `opened ${opened} times`);
  assert.ok(ends.every((code) => code === 1012), String(ends));
});

test('an EventSource that is refused for a while comes back, and one that is refused for good does not', async () => {
  const { bridge, page } = await start();
  await bridge.stop();
  await bridge.start('--max-connections-per-session', '1');
  await page.goto(new URL('/healthz', bridge.page('alice')).href);
  await listen(page, 'user=alice&session_id=one');
  await greeted(page);
  const codes = await page.evaluate(
    (url) =>
      new Promise((done) => {
        const source = new EventSource(url);
        source.addEventListener('close', (event) =>
          setTimeout(() => done({ code: JSON.parse(event.data).code, state: source.readyState }), 50));
      }),
    `${PATH}?user=alice&session_id=one`,
  );
  assert.deepEqual(codes, { code: 4409, state: 0 }, 'it is connecting');
  const state = await page.evaluate(
    (url) =>
      new Promise((done) => {
        const source = new EventSource(url);
        source.onerror = () => done(source.readyState);
      }),
    `${PATH}?user=%00`,
  );
  assert.equal(state, 2, 'it is closed');
});

/* -- a thousand times -- */

const BRIDGES = 10;
const STREAMS = 5; // of each: over HTTP/1.1 a browser opens six connections to one address
const ROUNDS = 20;
const READERS = BRIDGES * STREAMS;
/* An EventSource comes back when the last word of its bridge says; one that was killed said three seconds, in its greeting. */
const isKillRound = (round) => round % 5 === 4;

/* One to each inbox, and to two logs. */
const SEND_TO_ALL = `for i = 1, ${READERS} do redis.call("NOTIFY.SEND", "inbox:reader" .. i, ARGV[1], "MAXLEN", 10000) end
  for _, key in ipairs(KEYS) do redis.call("NOTIFY.SEND", key, ARGV[1], "MAXLEN", 10000) end`;

/* In the page: each stream notes what it gets of each key, by title. */
function listenToAll(addresses) {
  window.readers = addresses.map((address) => {
    const reader = { opened: 0, got: {}, odd: [] };
    const source = new EventSource(address);
    source.addEventListener('connection', () => reader.opened++); // from its greeting on it has a place
    source.addEventListener('notification', (event) => {
      const { key, data } = JSON.parse(event.data);
      (reader.got[key] ||= []).push(Number(data.title));
    });
    for (const type of ['gap', 'message']) source.addEventListener(type, (event) => reader.odd.push(event.data));
    return reader;
  });
}

test('fifty EventSources that come back a thousand times, to bridges that are restarted and killed, get everything once and in order', async () => {
  const redis = await new Redis().start();
  const start = (bridge) => bridge.start('--restart-spread', '100ms');
  const bridges = Array.from({ length: BRIDGES }, () => new Bridge(redis));
  await Promise.all(bridges.map(start));
  const page = await (await openBrowser()).newPage();
  await page.goto((await startSite()).address);
  const addresses = Array.from({ length: READERS }, (_, i) => {
    const { port } = bridges[i % BRIDGES];
    return `http://127.0.0.1:${port}${PATH}?user=reader${i + 1}&topics=news`;
  });
  await page.evaluate(listenToAll, addresses);
  const isOpened = (times) => page.evaluate((n) => window.readers.every(({ opened }) => opened >= n), times);
  const sent = [];
  const send = async () => {
    await redis.cli('EVAL', SEND_TO_ALL, 2, 'topic:news', 'topic:all', sent.length);
    sent.push(sent.length);
  };
  await eventually('all are open', () => isOpened(1));
  for (let round = 0; round < ROUNDS; round++) {
    await send();
    await Promise.all(bridges.map((bridge) => (isKillRound(round) ? bridge.kill() : bridge.stop())));
    await send();
    await Promise.all(bridges.map(start));
    await send();
    await eventually(`all are open again in round ${round}`, () => isOpened(round + 2));
  }
  const readers = await eventually('all have come', async () => {
    const all = await page.evaluate(() => window.readers);
    return all.every(({ got }) => Object.values(got).every((list) => list.at(-1) === sent.at(-1))) && all;
  });
  for (const [i, { got, odd }] of readers.entries()) {
    const all = Object.fromEntries([`inbox:reader${i + 1}`, 'topic:all', 'topic:news'].map((key) => [key, sent]));
    assert.deepEqual(got, all, `reader ${i + 1}`);
    assert.deepEqual(odd, []);
  }
  const comebacks = readers.reduce((sum, { opened }) => sum + opened - 1, 0);
  assert.ok(comebacks >= 1000, `${comebacks} came back`);
});
