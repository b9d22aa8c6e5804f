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

test('/admin leaves alone what has not changed, and says numbers to nobody who has not asked', async () => {
  const { page, bridge, context, problems } = await openAdmin();
  await (await context.newPage()).goto(bridge.page('alice'));
  await page.locator('#topics').getByText('inbox:alice').waitFor();
  await page.evaluate(() => {
    window.cell = document.querySelector('#topics td');
    window.said = [];
    for (const region of document.querySelectorAll('output, [aria-live], [role="status"], [role="alert"]')) {
      new MutationObserver(() => window.said.push(region.id || region.localName)).observe(region, { childList: true, characterData: true, subtree: true });
    }
  });
  const drawn = () => page.evaluate(() => document.querySelector('figure path').getAttribute('d').split('L').length);
  const before = await drawn();
  await eventually('it has asked again, twice', async () => (await drawn()) >= before + 2);
  assert.deepEqual(await page.evaluate(() => [window.cell.isConnected, window.said]), [true, []]);
  assert.deepEqual(problems, []);
});

test('/admin shows the user that was asked for last, whichever answer comes last, and kicks that one', async () => {
  const { page, redis } = await openAdmin();
  for (const user of ['slow', 'quick']) await redis.cli('NOTIFY.SEND', `inbox:${user}`, 'one');
  let letGo;
  await page.route('**/admin/user?user_id=slow', async (route) => {
    await new Promise((done) => (letGo = done));
    await route.continue();
  });
  const answered = page.waitForResponse(/user_id=slow/);
  await page.getByLabel('User id').fill('slow');
  await page.locator('#find').getByRole('button', { name: 'Look' }).click();
  await eventually('it was asked', () => letGo);
  await look(page, 'quick');
  letGo();
  await (await answered).finished();
  await page.evaluate(() => new Promise((done) => setTimeout(done)));
  assert.equal(await page.locator('#user-name').innerText(), 'quick');
});

test('/admin by keyboard: looking at somebody from the list leads to what is told, and a kick leaves the focus there', async () => {
  const { page, bridge, context } = await openAdmin();
  const other = await context.newPage();
  await other.goto(bridge.page('alice'));
  await page.bringToFront();
  await eventually('it is connected', async () => (await tile(page, 'WebSockets')) === '1');
  await page.getByRole('button', { name: 'Show sessions' }).press('Enter');
  await page.locator('#people').getByRole('button', { name: 'Look' }).press('Enter');
  await eventually('the user has the focus', () => page.evaluate(() => document.activeElement.id === 'user-name' && document.activeElement.textContent === 'alice'));
  await page.locator('#sessions').getByRole('button', { name: 'Kick' }).press('Enter');
  await page.locator('#user-note').getByText('1 kicked.').waitFor();
  await eventually('the user has the focus again', () => page.evaluate(() => document.activeElement.id === 'user-name'));
});

test('/admin says that it was not told of an inbox and of sessions, and not that there are none', async () => {
  const { page } = await openAdmin();
  await page.route('**/admin/user*', (route) => route.fulfill({ json: {
    type: 'user', user_id: 'x', key: 'inbox:x', keeps_sessions: true, sessions: null, recount: null, faults: { box: 'Redis is away', connections: 'Redis is away' }, box: null, logs: [],
  } }));
  await look(page, 'x');
  assert.equal(await page.locator('#user-why').innerText(), 'The inbox could not be told: Redis is away');
  await page.locator('#sessions').getByText('They could not be told.').waitFor();
});

test('/admin says that a sum is not whole where something was not told', async () => {
  const { page } = await openAdmin();
  await page.route('**/admin/user*', (route) => route.fulfill({ json: {
    type: 'user', user_id: 'x', key: 'inbox:x', keeps_sessions: false, sessions: null, recount: null, faults: { logs: 'ERR' }, logs_whole: true,
    box: { unread: 2, categories: [] }, logs: [{ log: 'topic:a', unread: 1 }, { log: 'topic:b' }],
  } }));
  await look(page, 'x');
  await page.locator('#sessions').getByText('This bridge keeps no sessions').waitFor();
  assert.match(await page.locator('#user-why').innerText(), /^Unread: at least 3 = 2 of the inbox \+ 1 of topic:a, and what was not told of 1 log/);
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
