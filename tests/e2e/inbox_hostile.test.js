/* <notify-bell> and <notify-inbox>: entries in which anything may stand, pages that have ways of their own, and
 * a bridge and a Redis that go and come back otherwise. */

import assert from 'node:assert/strict';
import { eventually, test } from './harness.js';
import { INBOX, openInbox } from './inbox_page.js';

const box = (more = '', inner = '') => `<main><div class="box"><notify-inbox id="inbox" src="SOCKET" user="alice" ${more}>${inner}</notify-inbox></div></main>`;
const sendAll = (...titles) => async ({ redis }) => {
  for (const title of titles) await redis.cli('NOTIFY.SEND', INBOX, ...[title].flat());
};

/* -- entries -- */

const NO_TEXT = { toString: 1, valueOf: 1 };
const NASTY = [
  { id: '18446744073709551615-1', title: NO_TEXT, content: NO_TEXT, category: NO_TEXT, level: NO_TEXT, action: NO_TEXT, created_at: NO_TEXT, timestamp: NO_TEXT, expires_at: NO_TEXT, notification_type: NO_TEXT, is_read: NO_TEXT },
  { id: '18446744073709551614-0', title: 'beyond all time', created_at: 'x', action: { type: NO_TEXT, label: NO_TEXT, url: NO_TEXT, name: NO_TEXT, target: NO_TEXT, secondary: { label: 'x', url: NO_TEXT, name: NO_TEXT } } },
  { id: '9000000000000-0', title: ['in an array'], content: ['<b>x</b>'], category: 7, level: '__proto__', action: [[]], created_at: 7, is_read: false },
  { id: '5000000000000-0', title: 'in another century', created_at: '2128-06-11T08:53:20.000Z', is_read: false },
  { id: '4999999999999-0', title: `${'x'.repeat(79)}\u{1f600}`, content: '\u202e'.repeat(50000), created_at: '-271821-04-20T00:00:00.000Z', is_read: false, action: { label: `${'y'.repeat(79)}\u{1f600}`, name: 'x' } },
  { id: '1-0', title: 'of the beginning', created_at: '+275760-09-13T00:00:00.000Z', is_read: false },
];

/* The bridge says what it likes. */
const tellNasty = (t) => t.page.evaluate((items) => {
  const client = NotifyClient.connect(document.querySelector('notify-inbox').getAttribute('src'), { user: 'alice' });
  const { request } = client;
  client.request = async (type, ...more) => {
    const answer = await request.call(client, type, ...more);
    if (type === 'categories') return { ...answer, muted: [7, null], present: [{ toString: 1 }, 'ci'], permitted: [7] };
    return type === 'request_notification_history' ? { ...answer, items: [...items, ...answer.items] } : answer;
  };
  document.querySelector('notify-inbox').client = client;
}, NASTY);

for (const [what, inner] of [['', ''], [', also in rows of the page\'s own', '<template slot="row"><b data-field="title"></b> <i data-field="time"></i> <a data-field="link"></a></template>']]) {
  test(`inbox hostile: whatever types and times stand in an entry, it and all others are shown${what}`, async () => {
    const t = await openInbox({ body: box('', inner), prepare: sendAll('one', 'two') });
    await tellNasty(t);
    await eventually('all are there', async () => (await t.page.locator('.row').count()) === NASTY.length + 2);
    for (const text of ['beyond all time', 'of the beginning', 'one', 'two']) await t.page.getByText(text).first().waitFor();
    if (inner) return;
    const time = (title) => t.row(title).locator('time').textContent();
    assert.match(await time('in another century'), /2128/);
    assert.match(await time('one'), /now/);
    const texts = await t.page.evaluate(() => [...document.querySelector('notify-inbox').shadowRoot.querySelectorAll('.row')].map(({ textContent }) => textContent));
    assert.ok(texts.every((text) => text.length < 5000), 'nobody lays out what nobody sees');
    assert.ok(texts.every((text) => text.isWellFormed?.() ?? !/[\ud800-\udbff](?![\udc00-\udfff])/.test(text)), 'no character is cut in two');
    assert.ok(texts.every((text) => !text.includes('[object')), 'what is no text is none');
  });
}

test('inbox hostile: of very many categories one is chosen from a list, which is one stop on the way of Tab', async () => {
  const many = "for i = 1, 300 do redis.call('NOTIFY.SEND', KEYS[1], 'n' .. i, 'CATEGORY', 'c' .. (1000 + i)) end";
  const t = await openInbox({ body: box(), prepare: ({ redis }) => redis.cli('EVAL', many, 1, INBOX) });
  const choice = t.page.getByRole('combobox', { name: 'Categories' });
  await choice.waitFor();
  assert.equal(await choice.locator('option').count(), 301);
  await choice.selectOption('c1123');
  await t.waitTitles('n123');
  await choice.focus();
  await t.page.keyboard.press('Tab');
  await t.waitFocus('n123');
  await choice.selectOption('All categories');
  await eventually('all are shown', async () => (await t.titles()).length >= 20);
});

test('inbox hostile: a long content is shown whole when its row is pressed, and as two lines when it is pressed again', async () => {
  const t = await openInbox({ body: box(), prepare: sendAll(['long', 'CONTENT', 'words '.repeat(200)]) });
  const height = async () => (await t.page.locator('.content').boundingBox()).height;
  await t.row('long').waitFor();
  const two = await height();
  await t.page.getByRole('button', { name: 'long', expanded: false }).click();
  await t.page.getByRole('button', { name: 'long', expanded: true }).waitFor();
  assert.ok((await height()) > 3 * two, `${two} ${await height()}`);
  await eventually('it is read', async () => (await t.unread()) === 0);
  await t.row('long').focus();
  await t.page.keyboard.press('Enter');
  await t.page.getByRole('button', { name: 'long', expanded: false }).waitFor();
  assert.equal(await height(), two);
});

/* -- pages -- */

const WRITTEN = 'jke#rRz';

test('inbox hostile: what somebody writes in a field of the page does nothing to the inbox, whatever the page calls its own elements', async () => {
  const body = `<div class="row" role="tab">${box('', '<input id="field" slot="header">')}</div>`;
  const t = await openInbox({ body, prepare: sendAll('one', 'two') });
  await t.waitTitles('two', 'one');
  const write = async (field) => {
    await field.focus();
    await t.page.keyboard.type(WRITTEN);
    for (const key of ['Home', 'Delete', 'End', 'ArrowLeft', ' ', 'Enter']) await t.page.keyboard.press(key);
    assert.equal(await field.inputValue(), `${WRITTEN.slice(1, -1)} ${WRITTEN.at(-1)}`);
  };
  await write(t.page.locator('#field'));
  await t.page.evaluate(() => {
    inbox.rows = (item, element) => {
      element.className = 'row';
      element.append(Object.assign(document.createElement('input'), { className: item.title }), Object.assign(document.createElement('button'), { textContent: `press ${item.title}` }));
    };
  });
  await write(t.page.locator('input.one'));
  assert.equal(await t.page.locator('.notify-row').count() || await t.page.locator('[slot^=notify-row]').count(), 2);
  assert.deepEqual([await t.unread(), Number(await t.redis.cli('NOTIFY.LEN', INBOX))], [2, 2]);
});

test('inbox hostile: keys work on from what the page has in a row, and the row that has the focus there is the current one', async () => {
  const t = await openInbox({ body: box(), prepare: sendAll('one', 'two', 'three') });
  await t.waitTitles('three', 'two', 'one');
  await t.page.evaluate(() => {
    inbox.rows = (item, element) => {
      element.append(Object.assign(document.createElement('button'), { textContent: `press ${item.title}`, style: 'position: relative; z-index: 1' }));
    };
  });
  await t.page.getByRole('button', { name: 'press two' }).focus();
  assert.equal(await t.page.locator('.row[tabindex="0"]').getAttribute('aria-label'), 'two');
  await t.page.keyboard.press('Enter');
  assert.equal(await t.unread(), 3, 'Enter presses the button, and not the row');
  await t.page.keyboard.press('e');
  await eventually('it has gone', async () => (await t.page.locator('.row').count()) === 2);
  await eventually('the next one has the focus', () => t.page.evaluate(() => inbox.shadowRoot.activeElement?.getAttribute('aria-label') === 'one'));
});

test('inbox hostile: how a page writes its own words is not how ours are written', async () => {
  const style = 'white-space: nowrap; text-transform: uppercase; text-indent: 40px; word-spacing: 20px; letter-spacing: 9px; font-style: italic; font-weight: 900; text-align: right; line-height: 3; text-shadow: 1px 1px red; user-select: none';
  const t = await openInbox({ body: `<nav style="${style}"><notify-bell src="SOCKET" user="alice" toasts></notify-bell></nav>` });
  await t.waitBell(/^Notifications$/);
  await t.send('a toast of very many words '.repeat(9).trim(), 'CONTENT', 'what it says');
  const looks = (selector) => t.page.evaluate((what) => {
    const style = getComputedStyle(document.querySelector('notify-bell').shadowRoot.querySelector(what));
    return ['whiteSpace', 'textTransform', 'textIndent', 'wordSpacing', 'letterSpacing', 'fontStyle', 'textAlign', 'textShadow', 'lineHeight'].map((name) => style[name]).join(' ');
  }, selector);
  const PLAIN = 'normal none 0px 0px normal normal start none 20px';
  await t.page.locator('.toast').waitFor();
  assert.equal(await looks('.toast .main'), PLAIN);
  await t.open();
  await t.page.locator('.row').waitFor();
  assert.equal(await looks('.row .main'), PLAIN);
});

test('inbox hostile: all that a page set before the script came counts, and can be set anew', async () => {
  const t = await openInbox({ body: '<header><notify-bell id="bell"></notify-bell></header>', scripts: ['/notify.js'], prepare: sendAll('one') });
  await t.page.evaluate((socket) => Object.assign(document.getElementById('bell'), { src: socket, user: 'alice', theme: 'dark', placement: 'start', badge: 'dot', open: true }), t.bridge.socket);
  await t.page.addScriptTag({ url: '/notify-inbox.js' });
  await t.panel.waitFor();
  await t.waitTitles('one');
  const attributes = () => t.page.evaluate(() => ['theme', 'placement', 'badge'].map((name) => bell.getAttribute(name)));
  assert.deepEqual(await attributes(), ['dark', 'start', 'dot']);
  await t.page.evaluate(() => Object.assign(bell, { theme: 'light', placement: '', badge: 'unseen', open: false }));
  await t.panel.waitFor({ state: 'hidden' });
  assert.deepEqual(await attributes(), ['light', null, 'unseen']);
});

/* -- what goes, and comes back -- */

test('inbox hostile: where all that was loaded has gone and more cannot be had, that is said, and not what has gone shown on', async () => {
  const titles = Array.from({ length: 30 }, (_, i) => `n${i}`);
  const t = await openInbox({ body: box('page-size="10"'), prepare: sendAll(...titles) });
  await t.row('n29').waitFor();
  await t.page.evaluate(() => {
    const { client } = inbox;
    const { request } = client;
    client.request = (type, fields, ...more) => (window.isShut !== false && type === 'request_notification_history' && fields.before ? Promise.reject(new Error('no')) : request.call(client, type, fields, ...more));
  });
  await t.page.getByRole('tab', { name: /^Unread/ }).click();
  await eventually('one page is there', async () => (await t.page.locator('.row').count()) === 10);
  const ids = (await t.redis.cli('NOTIFY.REVRANGE', INBOX, '+', '-', 'COUNT', 29, 'JSON')).match(/(?<="id":")\d+-\d+(?=","prev)/g);
  await t.redis.cli('NOTIFY.MARK', INBOX, 'READ', ...ids);
  await t.page.getByText('Couldn’t load notifications').waitFor();
  assert.equal(await t.page.locator('.row').count(), 0);
  await t.page.evaluate(() => addEventListener('click', () => (window.isShut = false), true)); // not before, or it is had by itself, and the button goes
  await t.page.getByRole('button', { name: 'Try again' }).click();
  await t.waitTitles('n0');
});

test('inbox hostile: what was deleted and comes back with an older backup of Redis is shown again', async () => {
  const t = await openInbox({ body: box(), prepare: sendAll('one', 'two') });
  await t.waitTitles('two', 'one');
  await t.redis.cli('EVAL', "redis.call('SET', 'backup', redis.call('DUMP', KEYS[1]))", 1, INBOX);
  await t.page.clock.install({ time: new Date() });
  await t.row('one').focus();
  await t.page.keyboard.press('Delete');
  await t.waitTitles('two');
  await t.page.clock.fastForward(6100);
  await eventually('it is deleted', async () => Number(await t.redis.cli('NOTIFY.LEN', INBOX)) === 1);
  await t.page.clock.fastForward(10100);
  await t.redis.cli('EVAL', "redis.call('RESTORE', KEYS[1], 0, redis.call('GET', 'backup'), 'REPLACE')", 1, INBOX);
  await t.send('three');
  await t.waitTitles('three', 'two', 'one');
});

test('inbox hostile: a toast goes when what it tells of is read elsewhere, also one that stays', async () => {
  const t = await openInbox({ body: '<header><notify-bell src="SOCKET" user="alice" toasts></notify-bell></header>' });
  await t.waitBell(/^Notifications$/);
  const id = await t.send('grave', 'LEVEL', 'critical');
  await t.send('graver', 'LEVEL', 'critical');
  await t.page.locator('.toast', { hasText: 'graver' }).waitFor();
  await t.redis.cli('NOTIFY.READ', INBOX, id);
  await eventually('one is left', async () => (await t.page.locator('.toast .main').allTextContents()).join() === 'graver');
  await t.redis.cli('NOTIFY.READALL', INBOX);
  await eventually('none is left', async () => (await t.page.locator('.toast').count()) === 0);
});

test('inbox hostile: who has pressed “Try again”, or closed a toast, by keyboard, does not lose their place', async () => {
  const t = await openInbox({ body: '<header><notify-bell id="bell" src="SOCKET" user="alice" toasts></notify-bell></header>' });
  await t.waitBell(/^Notifications$/);
  await t.send('one', 'LEVEL', 'error');
  await t.send('two', 'LEVEL', 'error');
  const toast = (title) => t.page.locator('.toast', { hasText: title });
  await toast('two').waitFor();
  await toast('one').getByRole('button', { name: 'Close' }).press('Enter');
  await t.waitFocus('Close');
  await t.page.keyboard.press('Enter');
  await t.waitFocus('Notifications, 2 unread');
  await t.bridge.kill();
  await t.page.reload();
  await t.open();
  const again = t.page.locator('.nothing').getByRole('button', { name: 'Try again' });
  await again.press('Enter');
  await t.waitBell(/not connected/);
  await t.page.evaluate(() => bell.client.close());
  await t.page.evaluate(() => new Promise((done) => setTimeout(done, 50)));
  assert.equal(await again.evaluate((button) => button.getRootNode().activeElement === button), true);
  await t.bridge.start();
  await again.press('Enter');
  await t.waitTitles('two', 'one');
  await eventually('the focus is in the panel', () => t.page.evaluate(() => bell.shadowRoot.querySelector('.panel').matches(':focus-within')));
});

test('inbox hostile: screen readers are told that the connection is lost, once', async () => {
  const t = await openInbox({ body: box(), prepare: sendAll('one') });
  await t.waitTitles('one');
  await t.page.evaluate(() => {
    window.heard = [];
    const region = inbox.shadowRoot.querySelector('[role="status"]');
    new MutationObserver(() => region.textContent && window.heard.push(region.textContent)).observe(region, { childList: true, characterData: true, subtree: true });
  });
  await t.bridge.kill();
  await eventually('it is said', () => t.page.evaluate(() => window.heard.some((words) => /^Reconnecting/.test(words))));
  await t.page.locator('.bar').waitFor();
  assert.equal(await t.page.evaluate(() => window.heard.length), 1);
});
