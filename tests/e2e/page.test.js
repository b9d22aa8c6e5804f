/* The page in a real browser, in front of a real bridge and a real Redis. */

import assert from 'node:assert/strict';
import { after, eventually, test } from './harness.js';
import { openBrowser, Tab } from './browser.js';
import { startServers } from './servers.js';

async function startAll() {
  const servers = await startServers();
  return { ...servers, context: await openBrowser() };
}

test('NOTIFY.SEND in redis-cli makes the notification, the badge and the title appear', async () => {
  const { redis, bridge, context } = await startAll();
  const tab = await Tab.open(context, bridge.page('alice'));
  await tab.waitUnread(0);
  await redis.cli('NOTIFY.SEND', 'inbox:alice', 'Build finished', 'CONTENT', 'main passed', 'LEVEL', 'success', 'CATEGORY', 'ci');
  await tab.waitTitles('Build finished');
  await tab.waitUnread(1);
  const item = tab.item('Build finished');
  assert.equal(await item.getAttribute('data-level'), 'success');
  assert.equal(await item.getAttribute('data-read'), 'false');
  assert.match(await item.textContent(), /main passed.*ci/s);
  assert.match(await tab.page.title(), /^\(1\) alice/);
  assert.equal(await redis.cli('NOTIFY.UNREAD', 'inbox:alice'), '1');
});

test('a click in one tab makes the badge 0 in the other tab and in Redis', async () => {
  const { redis, bridge, context } = await startAll();
  const first = await Tab.open(context, bridge.page('alice'));
  const second = await Tab.open(context, bridge.page('alice'));
  await redis.cli('NOTIFY.SEND', 'inbox:alice', 'Build finished');
  await first.waitUnread(1);
  await second.waitUnread(1);
  await first.item('Build finished').getByTestId('item-main').click();
  await first.waitUnread(0);
  await second.waitUnread(0);
  assert.equal(await redis.cli('NOTIFY.UNREAD', 'inbox:alice'), '0');
  await eventually('it is shown as read', async () => (await second.item('Build finished').getAttribute('data-read')) === 'true');
  assert.doesNotMatch(await second.page.title(), /^\(/);
});

test('mark all read and delete reach every tab and Redis', async () => {
  const { redis, bridge, context } = await startAll();
  const first = await Tab.open(context, bridge.page('alice'));
  const second = await Tab.open(context, bridge.page('alice'));
  for (const title of ['one', 'two', 'three']) await redis.cli('NOTIFY.SEND', 'inbox:alice', title);
  await second.waitUnread(3);
  await second.item('two').getByTestId('item-delete').click();
  await first.waitTitles('three', 'one');
  await first.waitUnread(2);
  await first.get('mark-all-read').click();
  await second.waitUnread(0);
  assert.equal(await redis.cli('NOTIFY.UNREAD', 'inbox:alice'), '0');
  assert.equal(await redis.cli('NOTIFY.LEN', 'inbox:alice'), '2');
});

test('what is sent while the bridge is dead appears exactly once and in order when it is back', async () => {
  const { redis, bridge, context } = await startAll();
  const tab = await Tab.open(context, bridge.page('alice'));
  await redis.cli('NOTIFY.SEND', 'inbox:alice', 'before');
  await redis.cli('NOTIFY.SEND', 'topic:all', 'broadcast before');
  await tab.waitTitles('broadcast before', 'before');
  // What the client hands on, not what the page makes of it: doubles would not show in the list.
  await tab.page.evaluate(() => {
    window.delivered = [];
    client.on('notification', (message) => window.delivered.push(message.data.title));
  });

  await bridge.kill();
  await tab.waitStatus('waiting');
  const missed = [];
  for (let i = 1; i <= 30; i++) {
    const key = i % 3 === 0 ? 'topic:all' : 'inbox:alice';
    await redis.cli('NOTIFY.SEND', key, `missed ${i}`);
    missed.push({ key, title: `missed ${i}` });
  }
  await bridge.start();
  await tab.waitStatus('connected');
  await redis.cli('NOTIFY.SEND', 'inbox:alice', 'after');

  const titles = missed.map(({ title }) => title);
  await tab.waitTitles('after', ...[...titles].reverse(), 'broadcast before', 'before');
  await tab.waitUnread(22);
  assert.equal(await redis.cli('NOTIFY.UNREAD', 'inbox:alice'), '22');
  const delivered = await tab.page.evaluate(() => window.delivered);
  for (const key of ['inbox:alice', 'topic:all']) {
    const ofKey = missed.filter((one) => one.key === key).map(({ title }) => title);
    assert.deepEqual(delivered.filter((title) => ofKey.includes(title)), ofKey);
  }
  assert.equal(delivered.length, missed.length + 1);
});

/* Thousands of ids: where they begin to differ says more than all of them. */
function assertOnceInOrder(delivered, sent) {
  const at = sent.findIndex((id, i) => delivered[i] !== id);
  const twice = delivered.filter((id, i) => delivered.indexOf(id) !== i);
  const said = `${delivered.length} of ${sent.length}; at ${at}: ${delivered.slice(at, at + 3)} for ${sent.slice(at, at + 3)}; twice: ${twice.length}, ${twice.slice(0, 3)}`;
  assert.ok(at < 0 && delivered.length === sent.length, said);
}

test('sends during three crashes of the bridge all arrive, each once, in order', async () => {
  const { redis, bridge, context } = await startAll();
  const tab = await Tab.open(context, bridge.page('alice'));
  await tab.page.evaluate(() => {
    window.delivered = [];
    client.on('notification', (message) => window.delivered.push(message.id));
  });
  const sent = [];
  let sending = true;
  // On a slow machine there may be more of them than a box keeps by itself.
  const sender = (async () => {
    while (sending) sent.push(await redis.cli('NOTIFY.SEND', 'inbox:alice', `number ${sent.length + 1}`, 'MAXLEN', '100000'));
  })();
  after(() => (sending = false));
  for (let round = 1; round <= 3; round++) {
    await eventually('some are sent', () => sent.length > 20 * round);
    await bridge.kill();
    await tab.waitStatus('waiting');
    await bridge.start();
    await tab.waitStatus('connected');
  }
  sending = false;
  await sender;
  await tab.waitUnread(sent.length);
  await eventually('the last one is there', () => tab.page.evaluate((id) => window.delivered.includes(id), sent[sent.length - 1]));
  assertOnceInOrder(await tab.page.evaluate(() => window.delivered), sent);
});

test('many that were missed do not stop a page on a slow machine, which never takes that for Redis being away', async () => {
  const { redis, bridge, context } = await startAll();
  const tab = await Tab.open(context, bridge.page('alice'));
  await redis.cli('NOTIFY.SEND', 'inbox:alice', 'before');
  await tab.waitUnread(1);
  await tab.page.evaluate(() => {
    window.delivered = 0;
    client.on('notification', () => window.delivered++);
    const status = document.querySelector('[data-testid="status"]');
    window.statuses = new Set();
    new MutationObserver(() => window.statuses.add(status.dataset.redis)).observe(status, { attributes: true });
  });
  await bridge.kill();
  await tab.waitStatus('waiting');
  const missed = 1500;
  const script = `for i = 1, ${missed} do redis.call('NOTIFY.SEND', 'inbox:alice', 'number ' .. i, 'MAXLEN', '100000') end`;
  await redis.cli('EVAL', script, '0');
  await bridge.start();
  await eventually('all of them are there', () => tab.page.evaluate((count) => window.delivered === count, missed));
  await tab.waitUnread(missed + 1);
  await tab.item(`number ${missed}`).waitFor();
  assert.deepEqual(await tab.page.evaluate(() => [...window.statuses]), ['here']);
  assert.equal(await tab.get('item').count(), 500, 'the others are a page of the list');
  assert.equal(await tab.get('frame').count(), 400);
});

test('a read in another tab while this one was without bridge shows after the reconnect', async () => {
  const { redis, bridge, context } = await startAll();
  const tab = await Tab.open(context, bridge.page('alice'));
  const id = await redis.cli('NOTIFY.SEND', 'inbox:alice', 'Build finished');
  await tab.waitUnread(1);
  await bridge.kill();
  await tab.waitStatus('waiting');
  await redis.cli('NOTIFY.READ', 'inbox:alice', id);
  await bridge.start();
  await tab.waitUnread(0);
  await tab.page.waitForSelector('[data-testid="item"][data-read="true"]');
});

test('a bridge that is told to end sends the page away in good order, and it comes back', async () => {
  const { redis, bridge, context } = await startAll();
  const tab = await Tab.open(context, bridge.page('alice'));
  await tab.page.evaluate(() => {
    client.on('status', (event) => {
      if (event.status === 'waiting') window.farewell ||= event;
    });
  });
  await bridge.stop();
  await tab.waitStatus('waiting');
  const farewell = await tab.page.evaluate(() => window.farewell);
  assert.equal(farewell.code, 1012);
  assert.equal(farewell.delay, Number(/\d+/.exec(farewell.reason)[0]));
  await redis.cli('NOTIFY.SEND', 'inbox:alice', 'missed');
  await bridge.start();
  await tab.waitTitles('missed');
  await tab.waitUnread(1);
});

test('Redis is killed and comes back: the page stays connected, and misses nothing', async () => {
  const { redis, bridge, context } = await startAll();
  const tab = await Tab.open(context, bridge.page('alice'));
  await redis.cli('NOTIFY.SEND', 'inbox:alice', 'before');
  await tab.waitTitles('before');
  await tab.page.evaluate(() => {
    window.delivered = [];
    client.on('notification', (message) => window.delivered.push(message.data.title));
  });
  await redis.kill();
  const refusal = await tab.page.evaluate(() => client.markAllRead().catch((error) => error.code));
  assert.equal(refusal, 'UNAVAILABLE');
  await redis.start();
  // Sent before the bridge has found its way back, and so not by way of a subscription.
  const sent = ['first', 'second', 'third'];
  for (const title of sent) await redis.cli('NOTIFY.SEND', 'inbox:alice', title);
  await tab.waitTitles('third', 'second', 'first', 'before');
  await tab.waitUnread(4);
  assertOnceInOrder(await tab.page.evaluate(() => window.delivered), sent);
  assert.equal(await tab.get('status').getAttribute('data-status'), 'connected');
  await tab.get('mark-all-read').click();
  await tab.waitUnread(0);
});

test('a topic is followed from subscribing on, over a crash of the bridge, and until unsubscribing', async () => {
  const { redis, bridge, context } = await startAll();
  const tab = await Tab.open(context, bridge.page('alice'));
  await redis.cli('NOTIFY.SEND', 'topic:other', 'not for alice');
  await tab.get('topic').fill('news');
  await tab.get('topic-subscribe').click();
  await tab.page.waitForSelector('[data-testid="topic-item"][data-topic="news"]');
  await redis.cli('NOTIFY.SEND', 'topic:news', 'first news');
  await tab.waitTitles('first news');

  await bridge.kill();
  await tab.waitStatus('waiting');
  await redis.cli('NOTIFY.SEND', 'topic:news', 'second news');
  await bridge.start();
  await tab.waitTitles('second news', 'first news');
  await redis.cli('NOTIFY.SEND', 'topic:news', 'third news');
  await tab.waitTitles('third news', 'second news', 'first news');
  await tab.waitUnread(0);

  await tab.get('topic-unsubscribe').click();
  await tab.waitTitles();
  await redis.cli('NOTIFY.SEND', 'topic:news', 'unheard');
  await redis.cli('NOTIFY.SEND', 'inbox:alice', 'heard');
  await tab.waitTitles('heard');
});

test('a reload keeps the list, the badge, the user and the topics', async () => {
  const { redis, bridge, context } = await startAll();
  const tab = await Tab.open(context, bridge.page('alice'));
  await tab.get('topic').fill('news');
  await tab.get('topic-subscribe').click();
  await tab.page.waitForSelector('[data-testid="topic-item"][data-topic="news"]');
  await redis.cli('NOTIFY.SEND', 'inbox:alice', 'one');
  await redis.cli('NOTIFY.SEND', 'inbox:alice', 'two');
  await redis.cli('NOTIFY.SEND', 'topic:news', 'news');
  await tab.waitTitles('news', 'two', 'one');
  await tab.item('one').getByTestId('item-main').click();
  await tab.waitUnread(1);
  await tab.reload();
  await tab.waitTitles('news', 'two', 'one');
  await tab.waitUnread(1);
  assert.equal(await tab.get('user').inputValue(), 'alice');
  await eventually('it is shown as read', async () => (await tab.item('one').getAttribute('data-read')) === 'true');
  await redis.cli('NOTIFY.SEND', 'topic:news', 'more news');
  await tab.waitTitles('more news', 'news', 'two', 'one');
});

test('older notifications are loaded on demand, each once', async () => {
  const { redis, bridge, context } = await startAll();
  const titles = [];
  for (let i = 1; i <= 50; i++) {
    await redis.cli('NOTIFY.SEND', 'inbox:alice', `number ${i}`);
    titles.unshift(`number ${i}`);
  }
  const tab = await Tab.open(context, bridge.page('alice'));
  await tab.waitTitles(...titles.slice(0, 20));
  await tab.get('load-older').click();
  await tab.waitTitles(...titles.slice(0, 40));
  await tab.get('load-older').click();
  await tab.waitTitles(...titles);
  await tab.get('load-older').waitFor({ state: 'hidden' });
});

test('the form sends to a user and to a topic', async () => {
  const { redis, bridge, context } = await startAll();
  const alice = await Tab.open(context, bridge.page('alice'));
  const bob = await Tab.open(context, bridge.page('bob'));
  await alice.get('send-name').fill('bob');
  await alice.get('send-subject').fill('Lunch?');
  await alice.get('send-content').fill('At twelve');
  await alice.get('send-level').selectOption('warning');
  await alice.get('send').click();
  await bob.waitTitles('Lunch?');
  await bob.waitUnread(1);
  assert.equal(await bob.item('Lunch?').getAttribute('data-level'), 'warning');
  assert.equal(await redis.cli('NOTIFY.UNREAD', 'inbox:bob'), '1');
  await alice.get('send-kind').selectOption('topic');
  await alice.get('send-name').fill('all');
  await alice.get('send-subject').fill('To everybody');
  await alice.get('send').click();
  await alice.waitTitles('To everybody');
  await bob.waitTitles('To everybody', 'Lunch?');
});

test('markup in a notification is shown, not obeyed', async () => {
  const { redis, bridge, context } = await startAll();
  const tab = await Tab.open(context, bridge.page('alice'));
  const markup = '<img src=x onerror="window.obeyed = true"><script>window.obeyed = true</script>';
  await redis.cli('NOTIFY.SEND', 'inbox:alice', markup, 'CONTENT', markup, 'CATEGORY', '<b>x</b>', 'ACTION', '{"type":"open","url":"javascript:window.obeyed=true"}');
  await tab.waitTitles(markup);
  assert.equal(await tab.get('list').locator('img, script, b, a').count(), 0);
  await tab.get('frame').first().click();
  assert.equal(await tab.page.evaluate(() => window.obeyed), undefined);
});

test('events are shown and not counted, with or without being stored', async () => {
  const { redis, bridge, context } = await startAll();
  const tab = await Tab.open(context, bridge.page('alice'));
  await redis.cli('NOTIFY.EVENT', 'inbox:alice', 'session_progress', 'DATA', '{"progress_percentage":40}');
  await tab.waitTitles('session_progress');
  await redis.cli('NOTIFY.EVENT', 'inbox:alice', 'typing', 'NOSTORE');
  await tab.waitTitles('typing', 'session_progress');
  await tab.waitUnread(0);
});

test('disconnect stays disconnected, connect and heartbeat work, and frames are shown', async () => {
  const { redis, bridge, context } = await startAll();
  const tab = await Tab.open(context, bridge.page('alice'));
  await tab.get('disconnect').click();
  await tab.waitStatus('closed');
  await redis.cli('NOTIFY.SEND', 'inbox:alice', 'meanwhile');
  await tab.get('connect').click();
  await tab.waitStatus('connected');
  await tab.waitTitles('meanwhile');
  await tab.get('frames-heartbeats').check();
  await tab.get('heartbeat').click();
  await tab.page.waitForSelector('[data-testid="frame"][data-direction="in"][data-kind="heartbeat"]');
  const frame = tab.page.locator('[data-testid="frame"][data-direction="in"][data-kind="connection"]').first();
  await frame.click();
  assert.match(await frame.locator('pre').textContent(), /"status": "connected"/);
});

test('switching the user shows that user\'s inbox only', async () => {
  const { redis, bridge, context } = await startAll();
  await redis.cli('NOTIFY.SEND', 'inbox:alice', 'for alice');
  await redis.cli('NOTIFY.SEND', 'inbox:bob', 'for bob');
  const tab = await Tab.open(context, bridge.page('alice'));
  await tab.waitTitles('for alice');
  await tab.get('user').fill('bob');
  await tab.get('user-switch').click();
  await tab.waitTitles('for bob');
  await redis.cli('NOTIFY.SEND', 'inbox:alice', 'again for alice');
  await redis.cli('NOTIFY.SEND', 'inbox:bob', 'again for bob');
  await tab.waitTitles('again for bob', 'for bob');
  await tab.waitUnread(2);
});
