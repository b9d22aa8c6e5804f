/* The rows of the page: reading, deleting and undoing it, actions, filters, by mouse and by keyboard. */

import assert from 'node:assert/strict';
import { eventually, test } from './harness.js';
import { openBrowser, Tab } from './browser.js';
import { startServers } from './servers.js';

/* A tab of alice whose inbox holds these titles, the last one sent first in the list. */
async function openWith(...titles) {
  const servers = await startServers();
  for (const title of titles) await servers.redis.cli('NOTIFY.SEND', 'inbox:alice', title);
  const context = await openBrowser();
  const tab = await Tab.open(context, servers.bridge.page('alice'));
  await tab.waitTitles(...[...titles].reverse());
  return { ...servers, context, tab };
}

function isRead(tab, title) {
  return eventually(`“${title}” is shown as read`, async () => (await tab.item(title).getAttribute('data-read')) === 'true');
}

/* -- keyboard -- */

test('Enter twice on an unread row reads it and does nothing else, as does Space', async () => {
  for (const key of ['Enter', 'Space']) {
    const { redis, tab } = await openWith('one', 'two');
    await tab.item('two').getByTestId('item-main').focus();
    await tab.page.keyboard.press(key);
    await isRead(tab, 'two');
    assert.equal(await tab.focused(), 'two: item');
    await tab.page.keyboard.press(key);
    await tab.page.keyboard.press(key);
    await tab.waitTitles('two', 'one');
    assert.equal(await tab.get('undo').isVisible(), false, 'nothing was deleted');
    assert.equal(await redis.cli('NOTIFY.LEN', 'inbox:alice'), '2');
    assert.equal(await redis.cli('NOTIFY.UNREAD', 'inbox:alice'), '1');
    await tab.page.keyboard.press('Tab');
    assert.equal(await tab.focused(), 'two: item-delete');
  }
});

test('a row that is read elsewhere while it has the focus keeps it, and so does its delete button', async () => {
  const { redis, tab } = await openWith('one', 'two');
  await tab.item('two').getByTestId('item-main').focus();
  await redis.cli('NOTIFY.READALL', 'inbox:alice');
  await isRead(tab, 'two');
  assert.equal(await tab.focused(), 'two: item');
  await redis.cli('NOTIFY.SEND', 'inbox:alice', 'three');
  await tab.waitTitles('three', 'two', 'one');
  await tab.item('three').getByTestId('item-delete').focus();
  await redis.cli('NOTIFY.READALL', 'inbox:alice');
  await isRead(tab, 'three');
  assert.equal(await tab.focused(), 'three: item-delete');
});

test('Enter twice on a delete button deletes one row, and the next one has the focus', async () => {
  const { redis, tab } = await openWith('one', 'two', 'three');
  await tab.item('three').getByTestId('item-delete').focus();
  for (let i = 0; i < 3; i++) await tab.page.keyboard.press('Enter');
  await tab.waitTitles('two', 'one');
  assert.equal(await tab.focused(), 'two: item');
  await eventually('Redis knows', async () => (await redis.cli('NOTIFY.LEN', 'inbox:alice')) === '2');
  await tab.waitTitles('two', 'one');
});

test('whoever deletes the last row does not lose their place on the page', async () => {
  const { tab } = await openWith('one');
  await tab.item('one').getByTestId('item-delete').press('Enter');
  await tab.waitTitles();
  assert.equal(await tab.focused(), 'h2');
});

/* -- deleting -- */

test('deleting is undone by its button, and Redis has never heard of it', async () => {
  const { redis, tab } = await openWith('one', 'two', 'three');
  await tab.item('two').getByTestId('item-delete').click();
  await tab.waitTitles('three', 'one');
  await tab.waitText('undo', /Deleted “two”/);
  await tab.get('undo-button').click();
  await tab.waitTitles('three', 'two', 'one');
  assert.equal(await tab.focused(), 'two: item');
  await tab.waitHidden('undo');
  assert.doesNotMatch(await tab.get('frames').textContent(), /delete_notification/);
  assert.equal(await redis.cli('NOTIFY.LEN', 'inbox:alice'), '3');
});

test('several deletions are undone together with Control Z, though not while somebody types', async () => {
  const { redis, tab } = await openWith('one', 'two', 'three');
  for (const title of ['one', 'three']) await tab.item(title).getByTestId('item-delete').click();
  await tab.waitTitles('two');
  await tab.waitText('undo', /Deleted 2 notifications/);
  await tab.get('send-content').press('Control+z');
  await tab.waitTitles('two');
  await tab.item('two').press('Control+z');
  await tab.waitTitles('three', 'two', 'one');
  assert.equal(await redis.cli('NOTIFY.LEN', 'inbox:alice'), '3');
});

test('a deletion that is not undone reaches Redis, and so does one whose page is closed', async () => {
  const { redis, bridge, context, tab } = await openWith('one', 'two');
  await tab.item('two').getByTestId('item-delete').click();
  await tab.waitHidden('undo');
  await eventually('Redis knows', async () => (await redis.cli('NOTIFY.LEN', 'inbox:alice')) === '1');
  await tab.waitTitles('one');
  const other = await Tab.open(context, bridge.page('alice'));
  await other.item('one').getByTestId('item-delete').click();
  await other.waitTitles();
  await other.page.goto('about:blank');
  await tab.waitTitles();
  assert.equal(await redis.cli('NOTIFY.LEN', 'inbox:alice'), '0');
});

test('a deletion is done when another user is looked at, and nothing is said of it', async () => {
  const { redis, tab } = await openWith('one', 'two');
  await tab.item('two').getByTestId('item-delete').click();
  await tab.get('user').fill('bob');
  await tab.get('user-switch').click();
  await tab.waitText('status', /bob/);
  await eventually('Redis knows', async () => (await redis.cli('NOTIFY.LEN', 'inbox:alice')) === '1');
  assert.equal(await tab.get('undo').isVisible(), false);
  assert.equal(await tab.get('notice').isVisible(), false);
  await redis.cli('NOTIFY.SEND', 'inbox:bob', 'for bob');
  await tab.waitTitles('for bob');
});

test('a deletion that fails is told, and the row is there again', async () => {
  const { redis, tab } = await openWith('one', 'two');
  await redis.kill();
  await tab.item('two').getByTestId('item-delete').click();
  await tab.waitTitles('one');
  await tab.waitTitles('two', 'one');
  await tab.waitText('notice', /Nothing was done: Redis is away/);
  await redis.start();
  await tab.waitHidden('notice');
  assert.equal(await redis.cli('NOTIFY.LEN', 'inbox:alice'), '2');
});

/* -- actions -- */

function action(more) {
  return JSON.stringify({ type: 'open', ...more });
}

test('a click on a row opens its action in a new tab and reads it, and so does Enter', async () => {
  const { redis, bridge, context, tab } = await openWith('plain');
  await redis.cli('NOTIFY.SEND', 'inbox:alice', 'first', 'CONTENT', 'some words', 'ACTION', action({ label: 'Show it', url: '/healthz?a=1' }));
  await redis.cli('NOTIFY.SEND', 'inbox:alice', 'second', 'ACTION', action({ url: 'healthz?b=2' }));
  await tab.waitTitles('second', 'first', 'plain');
  assert.equal(await tab.item('first').getByTestId('item-action').textContent(), 'Show it');
  const opened = async (act) => {
    const [page] = await Promise.all([context.waitForEvent('page'), act()]);
    await page.waitForURL(/healthz/);
    const address = page.url();
    await page.close();
    return address;
  };
  // Anywhere on the row, not only on its title.
  assert.equal(await opened(() => tab.item('first').click({ position: { x: 200, y: 50 } })), `http://127.0.0.1:${bridge.port}/healthz?a=1`);
  await isRead(tab, 'first');
  assert.equal(await opened(() => tab.item('second').getByTestId('item-main').press('Enter')), `http://127.0.0.1:${bridge.port}/healthz?b=2`);
  await isRead(tab, 'second');
  assert.equal(await tab.focused(), 'second: item-main');
  await tab.waitUnread(1);
  assert.equal(await opened(() => tab.item('first').getByTestId('item-main').click()), `http://127.0.0.1:${bridge.port}/healthz?a=1`);
});

test('only addresses of the web are opened, of another site with its host beside the label', async () => {
  const { redis, tab } = await openWith();
  await tab.page.evaluate(() => { window.opened = undefined; });
  for (const url of ['javascript:window.opened=1', 'java\nscript:window.opened=1', 'data:text/html,x', 'file:///etc/passwd', '']) {
    await redis.cli('NOTIFY.SEND', 'inbox:alice', 'bad', 'ACTION', action({ url, label: 'Click' }));
  }
  await redis.cli('NOTIFY.SEND', 'inbox:alice', 'other kind', 'ACTION', '{"type":"run","url":"/x"}');
  await redis.cli('NOTIFY.SEND', 'inbox:alice', 'elsewhere', 'ACTION', action({ url: 'https://bank.example@evil.example/', label: 'Your bank' }));
  await tab.waitUnread(7);
  assert.equal(await tab.item('elsewhere').getByTestId('item-action').textContent(), 'Your bank · evil.example');
  assert.equal(await tab.get('list').locator('a').count(), 1);
  assert.match(await tab.item('elsewhere').locator('a').getAttribute('rel'), /noopener/);
  for (const item of await tab.item('bad').all()) await item.click();
  await tab.waitUnread(2);
  assert.equal(await tab.page.evaluate(() => window.opened), undefined);
});

/* -- filters and counts -- */

test('beside the badge stands no other number, and all that it counts can be looked through', async () => {
  const { redis, tab } = await openWith();
  for (let i = 1; i <= 45; i++) await redis.cli('NOTIFY.SEND', 'inbox:alice', `number ${i}`);
  await tab.waitUnread(45);
  await tab.reload();
  await tab.waitUnread(45);
  await eventually('the filter has the count of the badge', async () => (await tab.get('filter-unread').textContent()) === 'Unread 45');
  for (const name of ['all', 'inbox', 'topics']) assert.doesNotMatch(await tab.get(`filter-${name}`).textContent(), /\d/);
  await tab.get('filter-unread').click();
  for (let shown = 20; shown < 45; shown = Math.min(shown + 20, 45)) {
    await eventually(`${shown} are shown`, async () => (await tab.titles()).length >= shown);
    await tab.get('load-older').click();
  }
  await eventually('all of them are shown', async () => (await tab.titles()).length === 45);
  await tab.waitHidden('load-older');
});

test('unread ones behind many that are read are found by the filter', async () => {
  const { redis, tab } = await openWith();
  const ids = [];
  for (let i = 1; i <= 30; i++) ids.push((await redis.cli('NOTIFY.SEND', 'inbox:alice', `number ${i}`)).replaceAll('"', ''));
  await redis.cli('NOTIFY.READ', 'inbox:alice', ...ids.slice(3));
  await tab.reload();
  await tab.waitUnread(3);
  await tab.get('filter-unread').click();
  await tab.waitTitles('number 3', 'number 2', 'number 1');
  await redis.cli('NOTIFY.READALL', 'inbox:alice');
  await tab.waitText('empty', /all caught up/);
});

test('whoever reads the unread ones one by one gets to the older of them', async () => {
  const { redis, tab } = await openWith();
  const ids = [];
  for (let i = 1; i <= 45; i++) ids.push((await redis.cli('NOTIFY.SEND', 'inbox:alice', `number ${i}`)).replaceAll('"', ''));
  await tab.reload();
  await tab.get('filter-unread').click();
  await redis.cli('NOTIFY.READ', 'inbox:alice', ...ids.slice(2));
  await tab.waitTitles('number 2', 'number 1');
});

test('when all is read the unread ones say so, and nothing of redis-cli', async () => {
  const { tab } = await openWith('one', 'two');
  await tab.get('filter-unread').click();
  await tab.waitTitles('two', 'one');
  await tab.get('mark-all-read').click();
  await tab.waitTitles();
  await tab.waitText('empty', /^\s*You’re all caught up\.\s*$/);
  await tab.get('filter-topics').click();
  await tab.waitText('empty', /Nothing from topics yet.*NOTIFY\.SEND topic:all/s);
});

test('a list that was looked through keeps its length, and is true again, after a reconnect', async () => {
  const { redis, bridge, tab } = await openWith(...Array.from({ length: 20 }, (_, i) => `number ${i}`));
  for (let i = 20; i < 45; i++) await redis.cli('NOTIFY.SEND', 'inbox:alice', `number ${i}`);
  await tab.reload();
  await tab.get('load-older').click();
  await eventually('two pages are shown', async () => (await tab.titles()).length === 40);
  await bridge.kill();
  await tab.waitStatus('waiting');
  await redis.cli('NOTIFY.READALL', 'inbox:alice');
  await bridge.start();
  await tab.waitUnread(0);
  await eventually('none looks unread', async () => (await tab.get('list').locator('[data-read="false"]').count()) === 0);
  assert.equal((await tab.titles()).length, 40);
});

/* -- what is listed -- */

test('what is clicked looks read at once, though Redis takes its time', async () => {
  const { redis, tab } = await openWith('one');
  await tab.waitUnread(1);
  await redis.cli('CLIENT', 'PAUSE', '60000', 'WRITE');
  await tab.item('one').getByTestId('item-main').click();
  await isRead(tab, 'one');
  assert.equal(await tab.get('badge').getAttribute('data-unread'), '1', 'the count is Redis’ own');
  await redis.cli('CLIENT', 'UNPAUSE');
  await tab.waitUnread(0);
});

test('stored events and what was said to everybody before are there after a reload, and what is deleted from a topic goes', async () => {
  const { redis, bridge, context } = await openWith();
  await redis.cli('NOTIFY.SEND', 'topic:all', 'before bob came');
  await redis.cli('NOTIFY.EVENT', 'inbox:bob', 'progress', 'DATA', '{"percent":40}');
  const id = (await redis.cli('NOTIFY.SEND', 'topic:news', 'wrong')).replaceAll('"', '');
  const tab = await Tab.open(context, `${bridge.page('bob')}&topics=news`);
  await tab.waitTitles('wrong', 'progress', 'before bob came');
  await redis.cli('NOTIFY.DEL', 'topic:news', id);
  await tab.waitTitles('progress', 'before bob came');
  for (let i = 0; i < 25; i++) await redis.cli('NOTIFY.SEND', 'topic:news', `news ${i}`);
  await tab.reload();
  await tab.get('filter-topics').click();
  await eventually('a page of the topic is shown', async () => (await tab.titles()).length === 21);
  await tab.get('load-older').click();
  await eventually('all of it is shown', async () => (await tab.titles()).length === 26);
  await tab.waitHidden('load-older');
});

/* -- boxes that end and begin -- */

test('DEL in redis-cli empties the list and the badge, and what is sent then is shown', async () => {
  const { redis, tab } = await openWith('one', 'two');
  await tab.waitUnread(2);
  await redis.cli('DEL', 'inbox:alice');
  await tab.waitTitles();
  await tab.waitUnread(0);
  await redis.cli('NOTIFY.SEND', 'inbox:alice', 'first of the next');
  await tab.waitTitles('first of the next');
  await tab.waitUnread(1);
  await redis.cli('NOTIFY.SEND', 'inbox:alice', 'second of the next');
  await tab.waitTitles('second of the next', 'first of the next');
  await tab.waitUnread(2);
});

test('another box that is renamed onto the inbox is what the page shows', async () => {
  const { redis, tab } = await openWith('one', 'two');
  await redis.cli('NOTIFY.SEND', 'inbox:else', 'from elsewhere', 'ID', '7-1');
  await redis.cli('RENAME', 'inbox:else', 'inbox:alice');
  await tab.waitTitles('from elsewhere');
  await tab.waitUnread(1);
  await redis.cli('NOTIFY.READALL', 'inbox:alice');
  await tab.waitUnread(0);
});

test('an entry that expires leaves the list and the badge', async () => {
  const { redis, tab } = await openWith('stays');
  await redis.cli('NOTIFY.SEND', 'inbox:alice', 'goes', 'EX', '2');
  await tab.waitTitles('goes', 'stays');
  await tab.waitUnread(2);
  await tab.waitTitles('stays');
  await tab.waitUnread(1);
});
