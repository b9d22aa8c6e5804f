/* /admin in a browser: what it shows is what there is, names are text whatever stands in them, and it
 * can be used by everybody. */

import assert from 'node:assert/strict';
import { eventually, test } from './harness.js';
import { openBrowser, phone, watch } from './browser.js';
import { checkAxe, checkStandsOut } from './looks.js';
import { startServers } from './servers.js';

const EVIL = '<img src=x onerror="document.title=1">';

async function openAdmin(options) {
  const { bridge, redis } = await startServers();
  const origin = new URL(bridge.page('alice')).origin;
  const context = await openBrowser(options);
  const page = await context.newPage();
  const { problems, asked } = watch(page);
  await page.goto(`${origin}/admin`);
  await page.getByText('1 worker, ready').waitFor();
  return { bridge, redis, origin, context, page, problems, asked };
}

async function look(page, user) {
  await page.getByLabel('User id').fill(user);
  await page.getByRole('button', { name: 'Look' }).last().click();
  await page.locator('#user-shown').waitFor();
}

const tile = (page, name) => page.locator('#tiles div', { has: page.getByText(name, { exact: true }) }).locator('dd').innerText();

test('/admin counts who comes and goes, and draws it, with nothing from elsewhere', async () => {
  const { origin, context, page, problems, asked, bridge } = await openAdmin();
  assert.equal(await tile(page, 'WebSockets'), '0');
  const other = await context.newPage();
  await other.goto(bridge.page('alice'));
  await eventually('the connection is counted', async () => (await tile(page, 'WebSockets')) === '1');
  await eventually('its course is drawn', async () => /L/.test(await page.locator('figure path').first().getAttribute('d')));
  await page.locator('#topics').getByText('inbox:alice').waitFor();
  await page.getByRole('button', { name: 'Show sessions' }).click();
  await page.locator('#people').getByText('alice').first().waitFor();
  await other.close();
  await eventually('it has gone', async () => (await tile(page, 'WebSockets')) === '0');
  assert.deepEqual([...new Set(asked.map((url) => new URL(url).origin))], [origin]);
  assert.deepEqual(problems, []);
});

test('/admin says why unread is what it is, sends a test and kicks', async () => {
  const { context, page, redis, bridge, problems } = await openAdmin();
  await redis.cli('NOTIFY.SEND', 'inbox:alice', 'one', 'CATEGORY', 'ci');
  await redis.cli('NOTIFY.SEND', 'inbox:alice', 'two', 'CATEGORY', 'ops');
  await redis.cli('NOTIFY.MUTE', 'inbox:alice', 'ops');
  await redis.cli('NOTIFY.FOLLOW', 'inbox:alice', 'topic:news', 'FROM', '0');
  await redis.cli('NOTIFY.SEND', 'topic:news', 'three');
  await look(page, 'alice');
  const why = await page.locator('#user-why').innerText();
  assert.match(why, /^Unread: 2 = 1 of the inbox \+ 1 of topic:news\./);
  assert.match(why, /muted category \(ops\)/);
  assert.match(why, /recount of the inbox agrees/);
  const other = await context.newPage();
  await other.goto(bridge.page('alice'));
  await page.getByLabel('Send a test').fill('Hello from the operator');
  await page.getByRole('button', { name: 'Send' }).click();
  await page.locator('#user-note').getByText(/^Sent: \d/).waitFor();
  await other.getByText('Hello from the operator').first().waitFor();
  await page.getByRole('button', { name: 'Kick all sessions' }).click();
  await page.locator('#user-note').getByText('1 kicked.').waitFor();
  assert.deepEqual(problems, []);
});

test('/admin shows names of users, keys and categories as text, whatever stands in them', async () => {
  const { page, redis, bridge, context, problems } = await openAdmin();
  await redis.cli('NOTIFY.SEND', `inbox:${EVIL}`, EVIL, 'CATEGORY', EVIL);
  await redis.cli('NOTIFY.FOLLOW', `inbox:${EVIL}`, `topic:${EVIL}`, 'FROM', '0');
  const other = await context.newPage();
  await other.goto(bridge.page(EVIL));
  await look(page, EVIL);
  await page.locator('#logs').getByText(`topic:${EVIL}`).waitFor();
  await page.locator('#categories').getByText(EVIL).waitFor();
  await page.locator('#topics').getByText(`inbox:${EVIL}`).waitFor();
  assert.equal(await page.locator('img').count(), 0);
  assert.equal(await page.title(), 'redis-notify: the bridge');
  assert.deepEqual(problems, []);
});

for (const colorScheme of ['light', 'dark']) {
  test(`/admin, ${colorScheme}: axe finds nothing, all that is written stands out, and a phone shows it without moving sideways`, async () => {
    const { page, redis } = await openAdmin({ ...phone(), colorScheme });
    await redis.cli('NOTIFY.SEND', 'inbox:alice', 'one', 'CATEGORY', 'ci');
    await look(page, 'alice');
    await page.locator('#categories').getByText('ci').waitFor();
    await checkStandsOut(page);
    await checkAxe(page);
  });
}
