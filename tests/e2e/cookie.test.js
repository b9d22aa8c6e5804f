/* A token in a cookie, in a real browser in front of a real bridge. A browser sends the cookie with whatever any page asks
 * for, from other ports of the same host as well: it must count for pages of the bridge's own address, whatever they use, and
 * for nobody else. */

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from './harness.js';
import { openBrowser } from './browser.js';
import { Bridge, Redis, startSite } from './servers.js';

const SECRET = 'a secret of the tests, which is long enough for every hash there is';
const LIST = '/api/v1/notifications';
const STREAM = '/api/v1/notifications/stream';
const READ_ALL = '/api/v1/notifications/read-all';

function makeToken(sub) {
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${encode({ alg: 'HS256' })}.${encode({ sub, exp: Math.floor(Date.now() / 1000) + 600 })}`;
  return `${text}.${createHmac('sha256', SECRET).update(text).digest('base64url')}`;
}

/* A bridge, and a browser that has alice's cookie of its host. */
async function start() {
  const redis = await new Redis().start();
  const bridge = await new Bridge(redis, ['--auth', 'jwt', '--jwt-secret', SECRET, '--jwt-cookie', 'session']).start();
  const address = `http://127.0.0.1:${bridge.port}`;
  const context = await openBrowser();
  await context.addCookies([{ name: 'session', value: makeToken('alice'), url: address }]);
  await redis.cli('NOTIFY.SEND', 'inbox:alice', 'for alice alone');
  return { redis, address, page: await context.newPage() };
}

/* Each way in which a page can ask: what it sees of the answer. */
const ASK = {
  fetch: (address) => fetch(address, { credentials: 'include' }).then((answer) => answer.status, () => 'refused'),
  post: (address) => fetch(address, { method: 'POST', credentials: 'include' }).then((answer) => answer.status, () => 'refused'),
  stream: (address) =>
    new Promise((done) => {
      const source = new EventSource(address, { withCredentials: true });
      source.addEventListener('connection', ({ data }) => done(JSON.parse(data).user_id));
      source.onerror = () => done('refused');
    }),
  socket: (address) =>
    new Promise((done) => {
      const socket = new WebSocket(address.replace('http', 'ws'));
      socket.onmessage = ({ data }) => done(JSON.parse(data).user_id);
      socket.onclose = () => done('refused');
    }),
};

function ask(page, kind, address) {
  return page.evaluate(`(${ASK[kind]})(${JSON.stringify(address)})`);
}

/* The status with which the bridge answered what act() has the page do, which neither page nor Playwright is told if the page
 * may not know it. */
async function statusOf(page, address, act) {
  const wire = await page.context().newCDPSession(page);
  const asked = new Set();
  const statuses = new Map();
  const status = new Promise((done) => {
    const look = (id) => asked.has(id) && statuses.has(id) && done(statuses.get(id)); // they are told in any order
    wire.on('Network.requestWillBeSent', ({ requestId, request }) => request.url.startsWith(address) && look(asked.add(requestId) && requestId));
    wire.on('Network.responseReceivedExtraInfo', ({ requestId, statusCode }) => look(statuses.set(requestId, statusCode) && requestId));
  });
  await wire.send('Network.enable');
  await act();
  const answered = await status;
  await wire.detach();
  return answered;
}

test('a cookie counts for pages of the own address, in whatever way they ask', async () => {
  const { redis, address, page } = await start();
  await page.goto(`${address}/healthz`);
  assert.equal(await ask(page, 'fetch', address + LIST), 200, 'without an Origin, by Sec-Fetch-Site');
  assert.equal(await ask(page, 'stream', address + STREAM), 'alice');
  assert.equal(await ask(page, 'socket', `${address}/ws`), 'alice');
  assert.equal(await ask(page, 'post', address + READ_ALL), 200);
  assert.equal(await redis.cli('NOTIFY.UNREAD', 'inbox:alice'), '0');
});

test('a cookie that the browser sends for a page of another port counts for nothing', async () => {
  const { redis, address, page } = await start();
  const site = await startSite();
  await page.goto(site.address);
  const image = (path) => () => page.evaluate((url) => void (new Image().src = url), address + path);
  const form = () => page.setContent(`<form method="post" action="${address}${READ_ALL}"></form><script>document.forms[0].submit()</script>`);
  assert.equal(await statusOf(page, address, () => ask(page, 'fetch', address + LIST)), 401);
  assert.equal(await statusOf(page, address, image(LIST)), 401);
  assert.equal(await statusOf(page, address, image(STREAM)), 403);
  assert.equal(await ask(page, 'fetch', address + LIST), 'refused');
  assert.equal(await ask(page, 'post', address + READ_ALL), 'refused');
  assert.equal(await ask(page, 'stream', address + STREAM), 'refused');
  assert.equal(await ask(page, 'socket', `${address}/ws`), 'refused');
  assert.equal(await statusOf(page, address, form), 403);
  await page.goto(site.address);
  assert.equal(await statusOf(page, address, () => page.evaluate((url) => void (location.href = url), address + LIST)), 401, 'a link');
  assert.equal(await redis.cli('NOTIFY.UNREAD', 'inbox:alice'), '1');
});

test('a page whose token is in a cookie is told nothing old as if it were new, and has nothing marked as seen', async () => {
  const { redis, address, page } = await start();
  await page.goto(`${address}/healthz`);
  await page.addScriptTag({ url: `${address}/notify.js` });
  const heard = await page.evaluate(async () => {
    const client = new NotifyClient('/ws');
    const ids = [];
    client.on('notification', ({ id }) => ids.push(id));
    const ready = new Promise((done) => client.once('ready', done));
    client.open();
    const { unread } = await ready;
    return { unread, ids };
  });
  assert.deepEqual(heard, { unread: 1, ids: [] });
  assert.match(await redis.cli('NOTIFY.BADGE', 'inbox:alice'), /^unseen\n1$/m);
});
