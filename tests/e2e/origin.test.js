/* Pages of other sites in a real browser, in front of a real bridge: who may connect, and what a page
 * sees of a refusal. */

import assert from 'node:assert/strict';
import { test } from './harness.js';
import { openBrowser } from './browser.js';
import { startServers, startSite } from './servers.js';

/* What a page sees that connects: 'open' with the first message, or how it was closed. */
function connect(page, url) {
  return page.evaluate(
    (address) =>
      new Promise((done) => {
        const socket = new WebSocket(address);
        socket.onmessage = ({ data }) => {
          done({ type: JSON.parse(data).type });
          socket.close();
        };
        socket.onclose = ({ code, reason }) => done({ code, reason });
      }),
    url,
  );
}

async function start() {
  const { bridge } = await startServers();
  const context = await openBrowser({ flags: ['--host-resolver-rules=MAP evil.example 127.0.0.1'] });
  const page = await context.newPage();
  const port = new URL(bridge.page('alice')).port;
  return { page, port };
}

test('a page of another site cannot connect, a page of this machine can', async () => {
  const { page, port } = await start();
  const { port: site } = await startSite();
  await page.goto(`http://evil.example:${site}/`);
  assert.deepEqual(await connect(page, `ws://127.0.0.1:${port}/ws?user=alice`), { code: 1006, reason: '' });
  await page.goto(`http://localhost:${site}/`);
  assert.deepEqual(await connect(page, `ws://127.0.0.1:${port}/ws?user=alice`), { type: 'connection' });
});

test('a page whose own name was led to this machine cannot connect', async () => {
  const { page, port } = await start();
  const answer = await page.goto(`http://evil.example:${port}/healthz`);
  assert.equal(answer.status(), 403);
  assert.deepEqual(await connect(page, `ws://evil.example:${port}/ws?user=alice`), { code: 1006, reason: '' });
});

test('only pages that may connect can read what is answered', async () => {
  const { page, port } = await start();
  const { port: site } = await startSite();
  const read = (address) => page.evaluate((url) => fetch(url).then((r) => r.text(), () => 'refused'), address);
  await page.goto(`http://evil.example:${site}/`);
  assert.equal(await read(`http://127.0.0.1:${port}/healthz`), 'refused');
  await page.goto(`http://localhost:${site}/`);
  assert.match(await read(`http://127.0.0.1:${port}/healthz`), /up/);
});

test('a page is told of a bad name or position by a close frame', async () => {
  const { page, port } = await start();
  await page.goto(`http://127.0.0.1:${port}/healthz`);
  for (const [path, reason] of [
    ['/ws?user=', /^user must have/],
    ['/ws?user=100%', /^user must have/],
    ['/ws?user=a%0Ab', /^user must have/],
    ['/ws/a%2Fb', /^the client id/],
    ['/ws?last_event_id=yesterday', /^last_event_id must be/],
  ]) {
    const closed = await connect(page, `ws://127.0.0.1:${port}${path}`);
    assert.equal(closed.code, 4400, path);
    assert.match(closed.reason, reason);
  }
});
