/* Compressed messages in a real browser, which offers them with each WebSocket: nothing in the page knows of it. */

import assert from 'node:assert/strict';
import { test } from './harness.js';
import { openBrowser } from './browser.js';
import { Bridge, Redis } from './servers.js';

const CONTENT = 'The build has finished, and all of its tests have passed. '.repeat(40);

async function counted(bridge, name) {
  const metrics = await (await fetch(`http://127.0.0.1:${bridge.port}/metrics`)).text();
  const line = metrics.split('\n').find((one) => one.startsWith(`${name} `));
  return Number(line.split(' ')[1]);
}

test('a browser takes compressed messages and compresses its own', async () => {
  const redis = await new Redis().start();
  const bridge = await new Bridge(redis).start('--compress');
  const page = await (await openBrowser()).newPage();
  await page.goto(`http://127.0.0.1:${bridge.port}/healthz`);
  const extensions = await page.evaluate(
    (url) =>
      new Promise((done) => {
        window.got = [];
        window.socket = new WebSocket(url);
        window.socket.onmessage = ({ data }) => {
          window.got.push(JSON.parse(data));
          if (window.got.length === 1) done(window.socket.extensions);
        };
      }),
    `${bridge.socket}?user=alice`,
  );
  assert.match(extensions, /^permessage-deflate; server_no_context_takeover; client_no_context_takeover/);
  for (let n = 0; n < 5; n++) await redis.cli('NOTIFY.SEND', 'inbox:alice', `number ${n}`, 'CONTENT', CONTENT);
  await page.waitForFunction(() => window.got.filter(({ data }) => data?.content).length === 5);
  const contents = await page.evaluate(() => window.got.map(({ data }) => data?.content).filter(Boolean));
  assert.deepEqual(contents, Array(5).fill(CONTENT));
  await page.evaluate(() => window.socket.send(`{"type":"ping",${' '.repeat(3000)}"request_id":"r"}`));
  await page.waitForFunction(() => window.got.some(({ type, request_id: id }) => type === 'pong' && id === 'r'));
  assert.ok((await counted(bridge, 'notify_compressed_messages_total{direction="out"}')) >= 5);
  assert.ok((await counted(bridge, 'notify_compressed_messages_total{direction="in"}')) >= 1);
  assert.equal(await counted(bridge, 'notify_compression_offers_total{outcome="taken"}'), 1);
});
