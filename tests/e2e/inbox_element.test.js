/* <notify-bell> and <notify-inbox> in a browser, against a real bridge and Redis: what they show, and what
 * is done with them by mouse and keyboard. */

import assert from 'node:assert/strict';
import { eventually, test } from './harness.js';
import { INBOX, LOG, openInbox } from './inbox_page.js';

/* What Redis holds of the inbox, newest first. */
async function stored(redis, ...words) {
  const lines = await redis.cli('NOTIFY.REVRANGE', INBOX, '+', '-', ...words, 'JSON');
  return lines.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line).data);
}

/* A box with these titles, the last one newest, and the panel open. */
async function openWith(titles, options = {}) {
  const t = await openInbox({ ...options, prepare: async ({ redis }) => {
    for (const title of titles) await redis.cli('NOTIFY.SEND', INBOX, ...[title].flat());
  } });
  if (!options.body) await t.open();
  await t.waitTitles(...titles.map((title) => [title].flat()[0]).reverse());
  return t;
}

test('inbox element: the bell counts as Redis does, and the panel lists the inbox and what is for everybody as one, newest first', async () => {
  const t = await openInbox();
  await t.waitBell(/^Notifications$/);
  await t.send('one');
  await t.redis.cli('NOTIFY.SEND', LOG, 'for all');
  await t.send('two', 'LEVEL', 'critical', 'CATEGORY', 'ops', 'CONTENT', 'more of it');
  await t.waitBell(/^Notifications, 3 unread$/);
  await t.open();
  await t.waitTitles('two', 'for all', 'one');
  await t.send('three');
  await t.waitTitles('three', 'two', 'for all', 'one');
  await t.page.locator('.row[data-level="critical"] .meta', { hasText: 'ops' }).waitFor();
  await t.page.locator('.badge .icon-critical').waitFor(); // colour alone is no alarm
  await t.redis.cli('NOTIFY.READALL', INBOX, 'LOGS', 1, LOG);
  await t.waitBell(/^Notifications$/);
  await eventually('no row is unread', async () => (await t.page.locator('.row[data-unread]').count()) === 0);
});

test('inbox element: opening reads nothing, but a moment later all that is in sight has been seen', async () => {
  const t = await openWith(['one', 'two']);
  await eventually('it has been seen', async () => /\bunseen\b\D+0\b/.test((await t.redis.cli('NOTIFY.BADGE', INBOX)).replace(/\n/g, ' ')));
  assert.equal(await t.unread(), 2);
});

test('inbox element: reading, archiving and deleting are told to Redis, and can be undone', async () => {
  const t = await openWith(['one', 'two', 'three']);
  const press = async (title, name) => {
    await t.row(title).hover();
    await t.row(title).getByRole('button', { name, exact: true }).click();
  };
  await press('two', 'Mark as read');
  await eventually('one less is unread', async () => (await t.unread()) === 2);
  await press('two', 'Mark as unread');
  await eventually('it is unread again', async () => (await t.unread()) === 3);
  await press('two', 'Archive');
  await t.waitTitles('three', 'one');
  await eventually('it is archived', async () => (await stored(t.redis, 'ARCHIVED')).length === 1);
  await t.page.getByRole('button', { name: 'Undo' }).click();
  await t.waitTitles('three', 'two', 'one');
  await eventually('it is not archived', async () => (await stored(t.redis, 'ARCHIVED')).length === 0);
  await press('one', 'Delete');
  await t.waitTitles('three', 'two');
  assert.equal((await stored(t.redis)).length, 3, 'a deletion waits until nobody can undo it any more');
  await t.page.getByRole('button', { name: 'Undo' }).click();
  await t.waitTitles('three', 'two', 'one');
  await press('one', 'Delete');
  await eventually('it is deleted for good', async () => (await stored(t.redis)).length === 2);
  await t.waitTitles('three', 'two');
});

test('inbox element: a deletion that still could be undone is done when the page goes', async () => {
  const t = await openWith(['one', 'two']);
  await t.row('one').hover();
  await t.row('one').getByRole('button', { name: 'Delete' }).click();
  await t.waitTitles('two');
  await t.page.goto('about:blank');
  await eventually('it is deleted', async () => (await stored(t.redis)).length === 1);
});

test('inbox element: what is refused comes back, and that is said', async () => {
  const t = await openWith(['one']);
  await t.redis.kill();
  await t.row('one').hover();
  await t.row('one').getByRole('button', { name: 'Archive' }).click();
  await t.page.locator('.snack', { hasText: 'Nothing was changed' }).waitFor();
  await t.waitTitles('one');
  await t.redis.start();
});

test('inbox element: the views show what they say, with the count of what is unread', async () => {
  const t = await openWith(['one', 'two', 'three']);
  await t.row('one').hover();
  await t.row('one').getByRole('button', { name: 'Mark as read', exact: true }).click();
  await t.row('two').hover();
  await t.row('two').getByRole('button', { name: 'Archive', exact: true }).click();
  await t.page.getByRole('tab', { name: 'Unread 1', exact: true }).click();
  await t.waitTitles('three');
  await t.page.getByRole('tab', { name: 'Archived' }).click();
  await t.waitTitles('two');
  await t.row('two').hover();
  await t.row('two').getByRole('button', { name: 'Unarchive' }).click();
  await t.page.getByText('Nothing archived yet').waitFor();
  await t.page.getByRole('tab', { name: 'All', exact: true }).click();
  await t.waitTitles('three', 'two', 'one');
});

test('inbox element: all can be read at once, and what is read can be archived', async () => {
  const t = await openWith(['one', 'two', 'three']);
  await t.page.getByRole('button', { name: 'Mark all as read' }).click();
  await t.page.locator('.snack', { hasText: 'Marked 3 as read' }).waitFor();
  assert.equal(await t.unread(), 0);
  await t.send('four');
  await t.waitTitles('four', 'three', 'two', 'one');
  await t.page.getByRole('button', { name: 'Archive what is read' }).click();
  await t.waitTitles('four');
  await t.page.getByRole('button', { name: 'Undo' }).click();
  await t.waitTitles('four', 'three', 'two', 'one');
});

test('inbox element: one category can be looked at, and muted: listed, but neither counted nor announced', async () => {
  const t = await openWith([['one', 'CATEGORY', 'builds'], ['two', 'CATEGORY', 'billing'], 'three']);
  await t.page.getByRole('button', { name: 'builds', exact: true }).click();
  await t.waitTitles('one');
  await t.page.getByRole('button', { name: 'All categories' }).click();
  await t.waitTitles('three', 'two', 'one');
  await t.page.getByRole('button', { name: 'Notification settings' }).click();
  const builds = t.page.getByRole('switch', { name: 'builds' });
  assert.equal(await builds.getAttribute('aria-checked'), 'true');
  await builds.click();
  await t.page.locator('[role="switch"][aria-checked="false"]', { hasText: 'builds' }).waitFor();
  await t.waitBell(/2 unread/);
  await t.page.getByRole('button', { name: 'Back' }).click();
  await t.row('one').getByText('Muted').waitFor();
  assert.equal(await t.row('one').getAttribute('data-unread'), null);
  await t.send('four', 'CATEGORY', 'builds');
  await t.waitTitles('four', 'three', 'two', 'one');
  await t.waitBell(/2 unread/);
  await t.page.locator('.row:not([data-unread])', { hasText: 'four' }).waitFor();
});

test('inbox element: older ones are loaded when the end comes near, and asked for by a button', async () => {
  const titles = Array.from({ length: 55 }, (_, i) => `n${i}`);
  const t = await openInbox({ prepare: async ({ redis }) => {
    for (const title of titles) await redis.cli('NOTIFY.SEND', INBOX, title);
  } });
  await t.open();
  await eventually('a page is there', async () => (await t.titles()).length >= 20);
  assert.ok((await t.titles()).length < 55, 'not all at once');
  for (let i = 0; i < 20 && (await t.titles()).length < 55; i++) {
    await t.page.locator('.scroll').evaluate((element) => element.scrollTo(0, element.scrollHeight));
    await eventually('it goes on', async () => (await t.page.locator('[role="feed"]').getAttribute('aria-busy')) === 'false');
  }
  await eventually('all are there', async () => (await t.titles()).length === 55);
  assert.deepEqual(await t.titles(), titles.reverse());
  await t.page.getByText('That’s all').waitFor();
});

test('inbox element: what comes while somebody reads further down moves nothing, and a button leads up to it', async () => {
  const t = await openWith(Array.from({ length: 19 }, (_, i) => `n${i}`));
  await t.page.locator('.scroll').evaluate((element) => element.scrollTo(0, 300));
  const row = t.row('n10');
  const before = await row.boundingBox();
  await t.send('new 1');
  await t.send('new 2');
  await t.page.getByRole('button', { name: '2 new' }).waitFor();
  const behind = await row.boundingBox();
  assert.ok(Math.abs(before.y - behind.y) <= 1, `${before.y} and ${behind.y}`);
  await t.page.getByRole('button', { name: '2 new' }).click();
  await t.waitFocus('new 2');
  await eventually('the button has gone', async () => !(await t.page.locator('.pill').isVisible()));
});

test('inbox element: buttons of a notification: links are followed, others are told to Redis and are done then, on every page', async () => {
  const action = JSON.stringify({ type: 'open', label: 'Open', url: '/builds/7', secondary: { label: 'Acknowledge', name: 'ack' } });
  const t = await openWith([['one', 'ACTION', action]]);
  const asked = [];
  t.page.on('framenavigated', (frame) => asked.push(new URL(frame.url()).pathname));
  assert.equal(await t.row('one').getByRole('link', { name: 'Open', exact: true }).getAttribute('href'), `${t.site.address}builds/7`);
  await t.row('one').getByRole('button', { name: 'Acknowledge' }).click();
  await t.row('one').getByRole('button', { name: 'Acknowledge: done' }).waitFor();
  await eventually('Redis was told', async () => (await t.redis.cli('NOTIFY.REVRANGE', INBOX, '+', '-', 'JSON')).includes('"name":"ack"'));
  assert.equal(await t.unread(), 0);
  await t.page.evaluate(() => {
    window.opened = [];
    document.addEventListener('notify-open', (event) => {
      event.preventDefault();
      window.opened.push([event.detail.item.title, event.detail.link.url]);
    }, { once: true });
  });
  await t.row('one').locator('.main').click();
  assert.deepEqual(await t.page.evaluate(() => window.opened), [['one', `${t.site.address}builds/7`]]);
  assert.deepEqual(asked, [], 'the page has taken care of it');
  await t.row('one').locator('.main').click();
  await eventually('the link is followed', () => asked.includes('/builds/7'));
});

test('inbox element: the whole of it by keyboard', async () => {
  const t = await openWith(['one', 'two', 'three']);
  const { keyboard } = t.page;
  await t.page.keyboard.press('Escape');
  await t.panel.waitFor({ state: 'hidden' });
  await t.waitFocus('Notifications, 3 unread'); // the bell has it back
  await keyboard.press('Enter');
  await t.waitFocus('three');
  await keyboard.press('ArrowDown');
  await t.waitFocus('two');
  await keyboard.press('j');
  await t.waitFocus('one');
  await keyboard.press('ArrowDown');
  await t.waitFocus('one');
  await keyboard.press('Home');
  await t.waitFocus('three');
  await keyboard.press('End');
  await keyboard.press('k');
  await t.waitFocus('two');
  await keyboard.press('r');
  await eventually('it is read', async () => (await t.unread()) === 2);
  await t.waitFocus('two');
  await keyboard.press('e');
  await t.waitTitles('three', 'one');
  await t.waitFocus('one');
  await keyboard.press('z');
  await t.waitTitles('three', 'two', 'one');
  await keyboard.press('Delete');
  await t.waitTitles('three', 'two');
  await t.waitFocus('two');
  await keyboard.press('Control+z');
  await t.waitTitles('three', 'two', 'one');
  await keyboard.press('Tab');
  await t.waitFocus('two: unread');
  await keyboard.press('Tab');
  await t.waitFocus('two: archive');
  await keyboard.press('Shift+Tab');
  await keyboard.press('Enter');
  await eventually('it is unread', async () => (await t.unread()) === 3);
  await t.waitFocus('two');
  await keyboard.press('Shift+R');
  await eventually('all are read', async () => (await t.unread()) === 0);
  await keyboard.press('Control+Home');
  await t.waitFocus('tab-all');
  await keyboard.press('ArrowRight');
  await t.waitFocus('tab-unread');
  await t.page.getByText('Nothing unread').waitFor();
  await keyboard.press('ArrowLeft');
  await keyboard.press('ArrowLeft');
  await t.waitFocus('tab-archived');
  await keyboard.press('Home');
  await t.waitTitles('three', 'two', 'one');
  await t.page.getByRole('button', { name: 'Notification settings' }).press('Enter');
  await t.waitFocus('Back');
  await keyboard.press('Escape');
  await t.waitFocus('Notification settings');
  await t.panel.waitFor();
  await keyboard.press('Escape');
  await t.panel.waitFor({ state: 'hidden' });
  await t.waitFocus('Notifications');
});

test('inbox element: with shortcuts="off" letters do nothing', async () => {
  const t = await openWith(['one'], { body: '<main><div class="box"><notify-inbox src="SOCKET" user="alice" shortcuts="off"></notify-inbox></div></main>' });
  await t.row('one').focus();
  for (const key of ['e', 'r', '#', 'j']) await t.page.keyboard.press(key);
  await t.page.keyboard.press('Tab');
  await t.waitFocus('one: read');
  await t.waitTitles('one');
  assert.equal(await t.unread(), 1);
  assert.equal((await stored(t.redis, 'ARCHIVED')).length, 0);
});

/* Everything that live regions are given from now on. */
async function listen(t) {
  await t.page.evaluate(() => {
    window.heard = [];
    for (const region of document.querySelector('notify-bell').shadowRoot.querySelectorAll('[role="status"], [role="alert"]')) {
      new MutationObserver(() => region.textContent && window.heard.push(region.textContent)).observe(region, { childList: true, characterData: true, subtree: true });
    }
  });
  return async (pattern) => {
    await eventually(`screen readers hear ${pattern}`, () => t.page.evaluate((source) => window.heard.some((words) => new RegExp(source).test(words)), pattern.source))
      .catch(async (error) => {
        throw new Error(`${error.message}; they hear ${JSON.stringify(await t.page.evaluate(() => window.heard))}`);
      });
  };
}

test('inbox element: screen readers hear what comes, a burst as one sentence, and what was done', async () => {
  const t = await openInbox();
  await t.waitBell(/^Notifications$/);
  const hears = await listen(t);
  await t.send('Build finished');
  await hears(/^New notification: Build finished$/);
  await t.send('Fire', 'LEVEL', 'critical');
  await hears(/^Critical: Fire$/);
  for (let i = 0; i < 5; i++) await t.send(`more ${i}`);
  await hears(/^5 new notifications$/);
  await t.open();
  await t.row('Fire').waitFor();
  await t.row('Fire').hover();
  await t.row('Fire').getByRole('button', { name: 'Archive' }).click();
  await hears(/^Archived$/);
  await t.page.getByRole('button', { name: 'Undo' }).click();
  await hears(/^Undone$/);
  const heard = await t.page.evaluate(() => window.heard);
  assert.deepEqual(heard.filter((words) => /^[\d\s+]*$/.test(words)), []);
  assert.ok(heard.length < 9, `the badge is no news: ${JSON.stringify(heard)}`);
});

test('inbox element: without a connection its rows stay, and it says since when; where there is nothing it says what is wrong', async () => {
  const t = await openWith(['one']);
  await t.bridge.kill();
  await t.page.locator('.bar', { hasText: /Reconnecting\. Last updated .*\d/ }).waitFor();
  await t.waitBell(/not connected/);
  await t.waitTitles('one');
  await t.page.reload();
  await t.open();
  await t.page.getByText('Couldn’t load notifications').waitFor();
  await t.bridge.start();
  await t.page.locator('.nothing').getByRole('button', { name: 'Try again' }).click().catch(() => {}); // unless it has come by itself
  await t.waitTitles('one');
  await eventually('the bar has gone', async () => !(await t.page.locator('.bar').isVisible()));
});

test('inbox element: who is refused is told so', async () => {
  const t = await openInbox({ body: '<main><div class="box"><notify-inbox src="SOCKET" user="USER"></notify-inbox></div></main>'.replace('USER', 'a'.repeat(129)) });
  await t.page.locator('.bar', { hasText: 'Not allowed here' }).waitFor();
});

test('inbox element: toasts tell what comes while the panel is closed, wait while somebody points at them, and too many are one', async () => {
  const t = await openInbox({ body: '<header><notify-bell src="SOCKET" user="alice" toasts></notify-bell></header><main><h1>A page</h1></main>' });
  await t.waitBell(/^Notifications$/);
  await t.send('one', 'CONTENT', 'what it is about');
  const toast = t.page.locator('.toast');
  await toast.filter({ hasText: 'what it is about' }).waitFor();
  await toast.waitFor({ state: 'detached' });
  await t.send('two', 'LEVEL', 'error');
  await toast.filter({ hasText: 'two' }).getByRole('button', { name: 'Close' }).click();
  await toast.waitFor({ state: 'detached' });
  assert.equal(await t.unread(), 2);
  await t.send('three');
  await toast.locator('.main').click();
  await eventually('a click reads it', async () => (await t.unread()) === 2);
  for (let i = 0; i < 5; i++) await t.send(`many ${i}`);
  await toast.filter({ hasText: '5 new notifications' }).locator('.main').click();
  await t.panel.waitFor();
  await eventually('there is no toast any more', async () => (await toast.count()) === 0);
});

const BOX = '<main><div class="box"><notify-inbox id="inbox" src="SOCKET" user="alice"></notify-inbox></div></main>';

test('inbox element: a page may forbid what is to be done, and do what a button stands for itself', async () => {
  const t = await openWith([['one', 'ACTION', '{"type":"approve","label":"Approve","name":"approve"}']], { body: BOX });
  await t.page.evaluate(() => {
    window.told = [];
    inbox.addEventListener('notify-change', (event) => {
      window.told.push(event.detail.deed);
      event.preventDefault();
    });
    inbox.addEventListener('notify-action', (event) => {
      event.preventDefault();
      window.done = event.detail.done;
      window.told.push([event.detail.name, event.detail.label, event.detail.item.title]);
    });
  });
  await t.row('one').focus();
  await t.page.keyboard.press('e');
  await t.page.keyboard.press('Delete');
  await t.row('one').getByRole('button', { name: 'Approve' }).click();
  assert.deepEqual(await t.page.evaluate(() => window.told), ['archive', 'delete', ['approve', 'Approve', 'one']]);
  await t.waitTitles('one');
  assert.equal(await t.unread(), 1);
  await t.page.evaluate(() => window.done());
  await t.row('one').getByRole('button', { name: 'Approve: done' }).waitFor();
  assert.equal(await t.unread(), 0);
});

test('inbox element: a page may fill the rows itself, and is told when they go', async () => {
  const t = await openWith(['one', 'two'], { body: BOX });
  await t.page.evaluate(() => {
    window.gone = [];
    inbox.rows = (item, element) => {
      element.textContent = `${item.title}, ${item.is_read ? 'read' : 'unread'}`;
      return () => window.gone.push(item.title);
    };
  });
  await t.page.locator('.notify-row', { hasText: 'one, unread' }).waitFor();
  await t.page.locator('.row').last().click();
  await t.page.locator('.notify-row', { hasText: 'one, read' }).waitFor();
  await t.page.locator('.row').last().focus();
  await t.page.keyboard.press('e');
  await eventually('its element has gone', async () => (await t.page.locator('.notify-row').count()) === 1);
  assert.deepEqual(await t.page.evaluate(() => window.gone), ['one', 'one']);
});

test('inbox element: a page may give its own connection, which stays its own, and the category that is shown first', async () => {
  const t = await openInbox({ body: '<main id="main"></main>', prepare: async ({ redis }) => {
    await redis.cli('NOTIFY.SEND', INBOX, 'one', 'CATEGORY', 'ci');
    await redis.cli('NOTIFY.SEND', INBOX, 'two', 'CATEGORY', 'ops');
  } });
  await t.page.evaluate((socket) => {
    window.client = NotifyClient.connect(socket, { user: 'alice' });
    const inbox = document.createElement('notify-inbox');
    inbox.client = window.client;
    inbox.category = 'ops';
    document.getElementById('main').append(inbox);
  }, t.bridge.socket);
  await t.waitTitles('two');
  await t.page.getByRole('button', { name: 'ops', pressed: true }).waitFor();
  await t.bridge.waitConnections(1);
  await t.page.evaluate(() => document.querySelector('notify-inbox').remove());
  await t.page.evaluate(() => new Promise((done) => setTimeout(done, 100)));
  assert.equal(await t.page.evaluate(() => window.client.status), 'connected');
});

test('inbox element: of five hundred rows the one that changes is the only one that is drawn anew', async () => {
  const t = await openInbox({ body: BOX.replace('user=', 'page-size="100" user='), prepare: async ({ redis }) => {
    await redis.cli('EVAL', "for i = 1, 520 do redis.call('NOTIFY.SEND', KEYS[1], 'n' .. i, 'CONTENT', 'some words of it') end", 1, INBOX);
  } });
  await eventually('five hundred are there', async () => {
    await t.page.locator('.scroll').evaluate((element) => element.scrollTo(0, element.scrollHeight));
    return (await t.page.locator('.row').count()) === 520; // else the last page comes while we look
  });
  await eventually('it rests', async () => (await t.page.locator('[role="feed"]').getAttribute('aria-busy')) === 'false');
  await t.page.evaluate(() => {
    window.drawn = new Set();
    const titleOf = (node) => (node.closest && node.closest('.row') ? node.closest('.row').querySelector('.main').textContent : node.className || node.nodeName);
    new MutationObserver((records) => records.forEach(({ target, attributeName }) => window.drawn.add(attributeName === 'aria-busy' ? 'busy' : titleOf(target))))
      .observe(inbox.shadowRoot.querySelector('.list'), { subtree: true, childList: true, attributes: true });
  });
  await t.page.locator('.row', { hasText: 'n300' }).evaluate((row) => row.querySelector('[data-deed="read"]').click());
  await eventually('it is read', async () => (await t.unread()) === 519);
  await eventually('it is drawn', () => t.page.evaluate(() => window.drawn.size > 0));
  const drawn = await t.page.evaluate(() => [...window.drawn]);
  assert.deepEqual(drawn.filter((one) => one !== 'busy'), ['n300'])
});
