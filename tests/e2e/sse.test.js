/* A browser's own EventSource in front of a real bridge: it comes back by itself, with what it has had. */

import assert from 'node:assert/strict';
import { eventually, test } from './harness.js';
import { openBrowser } from './browser.js';
import { startServers } from './servers.js';

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
