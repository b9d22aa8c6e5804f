/* /demo, the page for the first minutes: two users, a form, and a bridge that is killed while both look on. */

import assert from 'node:assert/strict';
import { eventually, test } from './harness.js';
import { openBrowser, phone, watch } from './browser.js';
import { checkAxe, checkStandsOut } from './looks.js';
import { Bridge, Redis } from './servers.js';


async function openDemo({ workers = 2, ...options } = {}) {
  const redis = await new Redis().start();
  const bridge = await new Bridge(redis, ['--auth', 'none', '--dev', '--workers', String(workers)]).start();
  const context = await openBrowser(options);
  const page = await context.newPage();
  const isOfBrowser = /WebSocket connection to|ERR_CONNECTION|ERR_EMPTY_RESPONSE|ERR_INCOMPLETE|status of (503|409)/; // told by the browser itself
  const { problems } = watch(page, isOfBrowser);
  await page.goto(`http://127.0.0.1:${bridge.port}/demo#redis=${redis.port}`);
  await eventually('both are connected', async () => (await bridge.connections()) + (await bridge.connections('sse')) >= 2);
  return { redis, bridge, page, problems, alice: page.locator('notify-inbox[user=alice]'), bob: page.locator('notify-inbox[user=bob]') };
}

async function send(page, to, title) {
  await page.getByLabel('To', { exact: true }).selectOption(to);
  await page.getByLabel('Title', { exact: true }).fill(title);
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await page.locator('#said').getByText(/^Sent: /).waitFor();
}

const shown = (inbox, title) => inbox.getByText(title, { exact: true });

test('/demo: what is sent to one is shown to one, and what is sent to everybody to both', async () => {
  const { page, alice, bob, problems } = await openDemo();
  await send(page, 'alice', 'For alice');
  await shown(alice, 'For alice').waitFor();
  await send(page, '', 'For all of you');
  await shown(alice, 'For all of you').waitFor();
  await shown(bob, 'For all of you').waitFor();
  assert.equal(await shown(bob, 'For alice').count(), 0);
  assert.deepEqual(problems, []);
});

test('/demo: the bridge is killed, and both inboxes go on: what was sent meanwhile is there once', async () => {
  const { redis, page, alice, bob, problems } = await openDemo();
  await send(page, '', 'Before');
  await shown(alice, 'Before').waitFor();
  await page.getByRole('button', { name: 'Kill the bridge' }).click();
  await page.locator('#killed').getByText('2 processes were killed').waitFor();
  await redis.cli('NOTIFY.SEND', 'inbox:alice', 'Meanwhile');
  await redis.cli('NOTIFY.SEND', 'inbox:bob', 'Meanwhile');
  await page.locator('#killed').getByText(/back after \d+ ms/).waitFor();
  for (const inbox of [alice, bob]) await shown(inbox, 'Meanwhile').waitFor();
  await send(page, '', 'After');
  for (const inbox of [alice, bob]) {
    await shown(inbox, 'After').waitFor();
    for (const title of ['Before', 'Meanwhile', 'After']) assert.equal(await shown(inbox, title).count(), 1, title);
  }
  assert.deepEqual(problems, []);
});

test('/demo: where nobody would start the bridge again the button says so', async () => {
  const { page } = await openDemo({ workers: 1 });
  await page.getByRole('button', { name: 'Kill the bridge' }).click();
  await page.locator('#killed').getByText(/^Not killed/).waitFor();
});

test('/demo: its lines name the Redis that it belongs to, and do what they say', async () => {
  const { redis, bridge, page } = await openDemo();
  const lines = await page.locator('#lines code').allTextContents();
  assert.ok(lines[0].startsWith(`redis-cli -p ${redis.port} NOTIFY.SEND inbox:alice `));
  const curl = lines.find((line) => line.startsWith('curl'));
  const [, address, body] = /'(http[^']+)'.* -d '(.*)'$/.exec(curl);
  assert.equal(new URL(address).port, String(bridge.port));
  const answer = await fetch(address, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body });
  assert.equal(answer.status, 201);
  await shown(page.locator('notify-inbox[user=bob]'), 'From curl').waitFor();
});

test('/demo: without a clipboard it says that nothing was copied, and what cannot be killed for another reason is not blamed on the workers', async () => {
  const { page, problems } = await openDemo();
  await page.evaluate(() => Object.defineProperty(navigator, 'clipboard', { value: { writeText: () => Promise.reject(new Error('no')) } }));
  await page.locator('#lines button').first().click();
  await page.locator('#lines button', { hasText: 'Not allowed' }).waitFor();
  await page.route('**/demo/kill', (route) => route.abort());
  await page.getByRole('button', { name: 'Kill the bridge' }).click();
  await page.locator('#killed').getByText(/^Not killed/).waitFor();
  assert.doesNotMatch(await page.locator('#killed').innerText(), /workers/);
  assert.deepEqual(problems.filter((one) => !/ERR_FAILED/.test(one)), []);
});

for (const colorScheme of ['light', 'dark']) {
  test(`/demo, ${colorScheme}: axe finds nothing, all that is written stands out, and a phone shows it without moving sideways`, async () => {
    const { page, alice } = await openDemo({ ...phone(), colorScheme, reducedMotion: 'reduce' });
    await send(page, 'alice', 'For alice');
    await shown(alice, 'For alice').waitFor();
    await checkStandsOut(page);
    await checkAxe(page);
  });
}
