/* <notify-bell> and <notify-inbox> under a finger, and in a browser that knows no popovers. */

import assert from 'node:assert/strict';
import { eventually, test } from './harness.js';
import { phone } from './browser.js';
import { INBOX, openInbox } from './inbox_page.js';

const bell = (more = '') => `<header><notify-bell id="bell" src="SOCKET" user="alice" ${more}></notify-bell></header><main><h1>A page</h1><a id="elsewhere" href="#there">elsewhere</a></main>`;

const prepare = async ({ redis }) => {
  for (const title of ['one', 'two', 'three']) await redis.cli('NOTIFY.SEND', INBOX, title, 'ACTION', '{"url":"/somewhere"}');
};

async function openPhone({ more, ...options } = {}) {
  const t = await openInbox({ body: bell(more), browser: phone(), prepare, ...options });
  await t.bell.tap();
  await t.waitTitles('three', 'two', 'one');
  return t;
}

/* A finger comes down in the middle of the row, goes along the way, and leaves. */
async function swipe(t, title, way, before = async () => {}) {
  const session = await t.context.newCDPSession(t.page);
  const { x, y, width, height } = await t.row(title).boundingBox();
  const at = [x + width / 2, y + height / 2];
  const touch = (type, points) => session.send('Input.dispatchTouchEvent', { type, touchPoints: points.map(([dx, dy]) => ({ x: at[0] + dx, y: at[1] + dy })) });
  await touch('touchStart', [[0, 0]]);
  for (let i = 1; i <= 5; i++) await touch('touchMove', [[(way[0] * i) / 5, (way[1] * i) / 5]]);
  await before();
  await touch('touchEnd', []);
  await session.detach();
}

test('inbox touch: a row that is moved to the end of the line is read, or unread again, and to the start archived, which can be undone', async () => {
  const t = await openPhone();
  const gone = [];
  t.page.on('framenavigated', (frame) => gone.push(frame.url()));
  await swipe(t, 'two', [130, 4], async () => {
    await t.page.locator('.cue.ready', { hasText: 'Mark as read' }).waitFor();
  });
  await eventually('it is read', async () => (await t.unread()) === 2);
  await swipe(t, 'two', [130, -4]);
  await eventually('it is unread again', async () => (await t.unread()) === 3);
  await swipe(t, 'two', [-130, 4], async () => {
    await t.page.locator('.cue.ready', { hasText: 'Archive' }).waitFor();
  });
  await t.waitTitles('three', 'one');
  await t.page.getByRole('button', { name: 'Undo' }).click(); // Chromium takes a tap so soon behind a move for the end of the move
  await t.waitTitles('three', 'two', 'one');
  assert.deepEqual(gone, [], 'no link was followed');
  assert.equal(await t.page.locator('.cue').isVisible(), false);
  assert.equal(await t.row('two').getAttribute('style'), null);
});

test('inbox touch: a finger that goes too short a way, or up and down, does nothing', async () => {
  const t = await openPhone();
  await swipe(t, 'two', [60, 0], async () => {
    await t.page.locator('.cue:not(.ready)', { hasText: 'Mark as read' }).waitFor();
  });
  await swipe(t, 'two', [40, 120]);
  await swipe(t, 'two', [-60, 0]);
  assert.equal(await t.page.locator('.cue').isVisible(), false);
  await t.waitTitles('three', 'two', 'one');
  assert.equal(await t.unread(), 3);
  assert.equal(new URL(t.page.url()).pathname, '/');
});

test('inbox touch: where it is written from right to left, a row is moved the other way', async () => {
  const t = await openPhone({ lang: 'he', dir: 'rtl' });
  await swipe(t, 'two', [-130, 0]);
  await eventually('it is read', async () => (await t.unread()) === 2);
  await swipe(t, 'two', [130, 0]);
  await t.waitTitles('three', 'one');
});

for (const more of ['', 'placement="start"']) {
  test(`inbox touch: the sheet is as wide as the screen, stands at its end and has a button that closes it ${more}`, async () => {
    const t = await openPhone({ more });
    await t.page.evaluate(() => Promise.allSettled(bell.shadowRoot.getAnimations().map(({ finished }) => finished)));
    const { x, y, width, height } = await t.panel.boundingBox();
    assert.deepEqual([x, width, Math.round(y + height)], [0, 375, 812]);
    await t.page.getByRole('button', { name: 'Close', exact: true }).tap();
    await t.panel.waitFor({ state: 'hidden' });
    await t.waitFocus('Notifications, 3 unread');
  });
}

test('inbox touch: a row that is drawn anew while its actions are shown says that they are', async () => {
  const t = await openPhone();
  const more = t.row('two').getByRole('button', { name: 'More actions' });
  await more.tap();
  await t.row('two').getByRole('button', { name: 'Mark as read' }).tap();
  await t.row('two').getByRole('button', { name: 'Mark as unread' }).waitFor();
  assert.equal(await more.getAttribute('aria-expanded'), 'true');
  await more.tap();
  assert.equal(await more.getAttribute('aria-expanded'), 'false');
});

/* -- without popovers -- */

/* As a browser of 2023: neither methods nor the word for what is open. */
function forgetPopovers() {
  for (const name of ['popover', 'showPopover', 'hidePopover', 'togglePopover']) delete HTMLElement.prototype[name];
  delete HTMLButtonElement.prototype.popoverTargetElement;
  delete Element.prototype.checkVisibility;
  for (const name of ['matches', 'closest', 'querySelector']) {
    const { [name]: real } = Element.prototype;
    Element.prototype[name] = function (selector) {
      if (selector.includes(':popover-open')) throw new SyntaxError(selector);
      return real.call(this, selector);
    };
  }
}

test('inbox touch: without popovers the panel opens beside its bell, over the page, and is closed by the bell, Escape and a press elsewhere', async () => {
  const t = await openInbox({ body: bell(), init: forgetPopovers, prepare });
  await t.waitBell(/3 unread/);
  assert.equal(await t.panel.isVisible(), false);
  assert.equal(await t.bell.getAttribute('aria-expanded'), 'false');
  await t.open();
  await t.waitTitles('three', 'two', 'one');
  await t.waitFocus('three');
  assert.equal(await t.bell.getAttribute('aria-expanded'), 'true');
  assert.equal(await t.page.evaluate(() => [bell.open, bell.shadowRoot.querySelectorAll('[popover]').length].join()), 'true,0');
  const [button, panel] = [await t.bell.boundingBox(), await t.panel.boundingBox()];
  assert.ok(panel.y >= button.y + button.height && panel.y < button.y + button.height + 20, JSON.stringify([button, panel]));
  assert.ok(Math.abs(panel.x + panel.width - button.x - button.width) < 20, JSON.stringify([button, panel]));
  await t.page.keyboard.press('Escape');
  await t.panel.waitFor({ state: 'hidden' });
  await t.waitFocus('Notifications, 3 unread');
  await t.bell.click();
  await t.panel.waitFor();
  await t.bell.click();
  await t.panel.waitFor({ state: 'hidden' });
  await t.page.evaluate(() => (bell.open = true));
  await t.panel.waitFor();
  await t.page.getByRole('button', { name: 'Notification settings' }).click();
  await t.page.keyboard.press('Escape');
  await t.panel.waitFor();
  await t.page.locator('#elsewhere').click();
  await t.panel.waitFor({ state: 'hidden' });
  assert.match(t.page.url(), /#there$/);
});

test('inbox touch: without popovers it is a sheet on a phone, and toasts are shown', async () => {
  const t = await openPhone({ more: 'toasts', init: forgetPopovers });
  await t.page.evaluate(() => Promise.allSettled(bell.shadowRoot.getAnimations().map(({ finished }) => finished)));
  const { x, y, width, height } = await t.panel.boundingBox();
  assert.deepEqual([x, width, Math.round(y + height)], [0, 375, 812]);
  await t.page.getByRole('button', { name: 'Close', exact: true }).tap();
  await t.panel.waitFor({ state: 'hidden' });
  await t.send('four', 'LEVEL', 'error');
  await t.page.locator('.toast', { hasText: 'four' }).waitFor();
  await t.page.locator('.toast').getByRole('button', { name: 'Close' }).tap();
  await t.page.locator('.toast').waitFor({ state: 'detached' });
});
