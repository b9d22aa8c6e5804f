/* What the page says when something is wrong, that it stops saying so, and how it finds its way back. */

import assert from 'node:assert/strict';
import { eventually, test } from './harness.js';
import { openBrowser, Tab } from './browser.js';
import { startServers } from './servers.js';

async function openAlice(options) {
  const servers = await startServers();
  const context = await openBrowser(options);
  const tab = await Tab.open(context, servers.bridge.page('alice'));
  return { ...servers, context, tab };
}

function redisOf(tab) {
  return tab.get('status').getAttribute('data-redis');
}

/* -- Redis away -- */

test('Redis away is seen by itself, clicks that fail say so, and all is well when it is back', async () => {
  const { redis, tab } = await openAlice();
  await redis.cli('NOTIFY.SEND', 'inbox:alice', 'one');
  await tab.waitTitles('one');
  await redis.kill();
  await tab.waitText('notice', /Redis is away/);
  assert.equal(await redisOf(tab), 'away');
  await tab.waitText('status', /Redis is away/);
  await tab.item('one').getByTestId('item-main').click();
  await tab.waitText('notice', /Nothing was done: Redis is away/);
  assert.equal(await tab.item('one').getAttribute('data-read'), 'false');
  await redis.start();
  await redis.cli('NOTIFY.SEND', 'inbox:alice', 'two');
  await tab.waitHidden('notice');
  await tab.waitText('status', /connected as alice/);
  await tab.waitTitles('two', 'one');
  await tab.item('one').getByTestId('item-main').click();
  await tab.waitUnread(1);
});

test('a page that is opened while Redis is away fills itself when it is back', async () => {
  const { redis, bridge, context } = await openAlice();
  await redis.cli('NOTIFY.SEND', 'inbox:carol', 'for carol');
  await redis.kill();
  const tab = await Tab.open(context, bridge.page('carol'), 'connecting');
  await redis.start();
  await tab.waitTitles('for carol');
  await tab.waitUnread(1);
});

test('asking whether Redis is there fills no log, unless the heartbeats are wanted', async () => {
  const { tab } = await openAlice();
  await eventually('the list is loaded', async () => /notification_history/.test(await tab.get('frames').textContent()));
  await tab.get('frames-clear').click();
  await tab.page.evaluate(() => {
    window.probes = 0;
    client.on('frame', ({ direction }) => { window.probes += direction === 'in'; });
  });
  await eventually('it has asked', () => tab.page.evaluate(() => window.probes > 0));
  assert.equal(await tab.get('frame').count(), 0);
  await tab.get('frames-heartbeats').check();
  await tab.page.waitForSelector('[data-testid="frame"][data-direction="in"][data-kind="unread_count"]');
});

/* -- errors that stay -- */

test('an error beside a form goes when somebody types, or when what was wrong is over', async () => {
  const { redis, tab } = await openAlice();
  await tab.get('topic').fill('ö'.repeat(128));
  await tab.get('topic-subscribe').click();
  await tab.waitText('topic-result', /128/);
  await tab.get('topic').fill('news');
  await tab.waitNoText('topic-result');
  await redis.kill();
  await tab.get('send').click();
  await tab.waitText('send-result', /Redis is away/);
  await redis.start();
  await tab.waitNoText('send-result');
  await tab.get('send').click();
  await tab.waitTitles('Build finished');
  await tab.waitText('send-result', /^sent as/);
  await tab.get('send-subject').fill('Another');
  await tab.waitNoText('send-result');
});

test('a notice is gone when it was dismissed, and when the next thing works', async () => {
  const { redis, tab } = await openAlice();
  await redis.cli('NOTIFY.SEND', 'inbox:alice', 'one');
  await tab.waitTitles('one');
  const fail = () => tab.page.evaluate(() => ask(client.request('nonsense')));
  await fail();
  await tab.waitText('notice', /no message of this type/);
  await tab.get('notice-close').click();
  await tab.waitHidden('notice');
  await fail();
  await tab.waitText('notice', /no message of this type/);
  await tab.item('one').getByTestId('item-main').click();
  await tab.waitHidden('notice');
});

/* -- refusals -- */

test('a name that the bridge does not take stops the page, which says why', async () => {
  const { bridge, context } = await openAlice();
  const tab = await Tab.open(context, bridge.page('x'.repeat(200)), 'stopped');
  await tab.waitText('notice', /refuses.*128.*4400/);
  await tab.get('user').fill('bob');
  await tab.get('user-switch').click();
  await tab.waitStatus('connected');
  await tab.waitHidden('notice');
});

test('a path that does not exist is tried with the longest pause after six attempts, and the client says so', async () => {
  const { bridge, context } = await openAlice();
  const page = await context.newPage();
  await page.goto(bridge.page('alice'));
  const told = await page.evaluate(() => new Promise((done) => {
    const pauses = [];
    const refused = new NotifyClient('/nowhere', { backoffMs: 10, backoffMaxMs: 29000 });
    refused.on('status', ({ status, delay }) => status === 'waiting' && pauses.push(delay));
    refused.on('unreachable', ({ attempt, reason }) => done({ attempt, reason, pauses }));
    refused.open();
  }));
  assert.equal(told.attempt, 6);
  assert.match(told.reason, /away, or refuses/);
  assert.equal(told.pauses[5], 29000);
  assert.ok(told.pauses.slice(0, 5).every((pause) => pause <= 160), String(told.pauses));
});

/* -- coming back -- */

/* A tab whose bridge has been away for so long that it would now wait for a minute. */
async function longAway(options) {
  const all = await openAlice(options);
  await all.tab.page.evaluate(() => start('alice', { backoffMs: 10 ** 9, backoffMaxMs: 10 ** 9 }));
  await all.tab.waitStatus('connected');
  await all.bridge.kill();
  await all.tab.waitStatus('waiting');
  await all.bridge.start();
  await all.redis.cli('NOTIFY.SEND', 'inbox:alice', 'meanwhile');
  assert.equal(await all.tab.get('status').getAttribute('data-status'), 'waiting');
  return all;
}

test('a page that is shown again, focused or resumed connects at once', async () => {
  for (const [target, type] of [['window', 'pageshow'], ['window', 'focus'], ['document', 'visibilitychange'], ['document', 'resume']]) {
    const { tab } = await longAway();
    await tab.page.evaluate(([name, event]) => globalThis[name].dispatchEvent(new Event(event)), [target, type]);
    await tab.waitStatus('connected');
    await tab.waitTitles('meanwhile');
  }
});

test('a browser that is online again connects at once', async () => {
  const { context, tab } = await longAway();
  await context.setOffline(true);
  await context.setOffline(false);
  await tab.waitStatus('connected');
  await tab.waitTitles('meanwhile');
});

test('a page out of the back/forward cache is connected at once and has missed nothing', async () => {
  const { redis, bridge, tab } = await openAlice({ ignoreDefaultArgs: ['--disable-back-forward-cache'] });
  await redis.cli('NOTIFY.SEND', 'inbox:alice', 'before');
  await tab.waitTitles('before');
  await tab.page.evaluate(() => {
    window.isSamePage = true;
    addEventListener('pageshow', ({ persisted }) => { window.persisted = persisted; });
  });
  const cdp = await tab.page.context().newCDPSession(tab.page);
  await cdp.send('Page.navigate', { url: bridge.page('bob') });
  await tab.page.waitForURL(/bob/);
  await redis.cli('NOTIFY.SEND', 'inbox:alice', 'meanwhile');
  const { currentIndex, entries } = await cdp.send('Page.getNavigationHistory');
  await cdp.send('Page.navigateToHistoryEntry', { entryId: entries[currentIndex - 1].id });
  await tab.page.waitForURL(/alice/, { waitUntil: 'commit' });
  await tab.waitTitles('meanwhile', 'before');
  await tab.waitStatus('connected');
  assert.deepEqual(await tab.page.evaluate(() => [window.isSamePage, window.persisted]), [true, true]);
});
