/* <notify-bell> and <notify-inbox>: contrasts, sizes, languages, times, and what axe-core finds (nothing). */

import assert from 'node:assert/strict';
import { eventually, test } from './harness.js';
import { phone } from './browser.js';
import { INBOX, openInbox } from './inbox_page.js';
import { FILLED, fill } from './inbox_scene.js';
import { contrastsOf, targetsOf } from './look.js';

const BELL = '<header><notify-bell src="SOCKET" user="alice" toasts></notify-bell></header><main><h1>A page</h1></main>';
const DESKS = [['light', {}], ['dark', {}], ['light', phone()], ['dark', phone()]];

const nameOf = (scheme, browser) => `${scheme}${browser.isMobile ? ', phone' : ''}`;

async function checkAxe(t, what) {
  await t.page.evaluate(() => Promise.allSettled(document.querySelector('notify-bell, notify-inbox').shadowRoot.getAnimations().map(({ finished }) => finished)));
  const { violations, passes } = await t.page.evaluate(() => axe.run(document, { resultTypes: ['violations'] }));
  const told = violations.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(({ html, failureSummary }) => `${html.slice(0, 160)} ${failureSummary}`).join('; ')}`);
  assert.deepEqual(told, [], what);
  assert.ok(passes.length > 15, `${what}: it has looked at something`);
}

async function checkContrasts(t, what) {
  const pairs = await t.page.evaluate(contrastsOf);
  const low = pairs.filter(({ ratio, wanted }) => ratio < wanted).map(({ ratio, wanted, of, color, on }) => `${ratio.toFixed(2)} < ${wanted}: ${of}, ${color} on ${on}`);
  assert.deepEqual([...new Set(low)], [], what);
  return Math.min(...pairs.filter(({ wanted }) => wanted === 4.5).map(({ ratio }) => ratio));
}

async function check(t, what) {
  await checkAxe(t, what);
  await checkContrasts(t, what);
  const { isOver, width } = await t.page.evaluate(() => ({ isOver: document.documentElement.scrollWidth > innerWidth, width: innerWidth }));
  assert.ok(!isOver, `${what}: it is no wider than ${width} px`);
}

/* In each row the title stands beside its sign, and has most of the width. */
async function checkRows(t, what) {
  const rows = await t.page.evaluate(() => [...document.querySelector('notify-bell').shadowRoot.querySelectorAll('.row')].map((row) => {
    const at = (selector) => row.querySelector(selector).getBoundingClientRect();
    const [sign, title, time, all] = [at('.glyph'), at('.main'), at('time'), row.getBoundingClientRect()];
    return { apart: Math.abs(sign.top - title.top), isBeside: sign.right < title.left && title.right <= time.left, share: (time.right - title.left) / all.width };
  }));
  for (const row of rows) assert.ok(row.apart <= 4 && row.isBeside && row.share > 0.75, `${what}: ${JSON.stringify(rows)}`);
}

async function openFull(options) {
  const t = await openInbox({ body: BELL, prepare: fill, ...options });
  await t.waitBell(/\d/);
  await t.open();
  await eventually('all rows are there', async () => (await t.titles()).length === FILLED);
  return t;
}

for (const [colorScheme, browser] of DESKS) {
  const what = nameOf(colorScheme, browser);
  test(`inbox look: ${what}: axe-core finds nothing and all stands out, with rows, settings, nothing, an error, a toast`, async () => {
    const t = await openFull({ browser: { colorScheme, reducedMotion: 'reduce', ...browser } });
    await check(t, `${what}: rows`);
    await checkRows(t, what);
    await t.row('Build #4812').hover();
    await check(t, `${what}: under the mouse`);
    await t.row('Payment').focus();
    await t.page.keyboard.press('e');
    await t.page.getByRole('button', { name: 'Undo' }).waitFor();
    await check(t, `${what}: with undo`);
    await t.page.getByRole('button', { name: 'Notification settings' }).click();
    await t.page.getByRole('switch').first().waitFor();
    await check(t, `${what}: settings`);
    await t.page.getByRole('button', { name: 'Back' }).click();
    await t.page.getByRole('tab', { name: 'Archived' }).click();
    await t.waitTitles('Payment failed');
    await t.redis.cli('DEL', INBOX);
    await t.page.getByText('Nothing archived yet').waitFor();
    await check(t, `${what}: nothing`);
    await t.page.keyboard.press('Escape');
    await t.panel.waitFor({ state: 'hidden' });
    await t.send('Something has come', 'LEVEL', 'critical', 'CONTENT', 'and this is what it is about');
    await t.page.locator('.toast').waitFor();
    await check(t, `${what}: a toast`);
    await t.redis.kill();
    await t.page.reload();
    await t.open();
    await t.page.getByText('Couldn’t load notifications').waitFor();
    await check(t, `${what}: an error`);
    await t.bridge.kill();
    await t.page.locator('.bar').waitFor();
    await check(t, `${what}: away`);
    await t.redis.start();
  });
}

test('inbox look: what is written stands out by 4.5 to 1 from all that it can be written on, and signs by 3 to 1, by the table of colours', async () => {
  const t = await openFull({});
  for (const scheme of ['light', 'dark']) {
    const colors = await t.page.evaluate((theme) => {
      const bell = document.querySelector('notify-bell');
      bell.setAttribute('theme', theme);
      const probe = bell.shadowRoot.querySelector('.panel');
      const names = ['bg', 'hover', 'unread', 'sunk', 'text', 'text-2', 'text-3', 'accent', 'on-accent', 'edge', 'info', 'success', 'warning', 'error', 'critical'];
      return Object.fromEntries(names.map((name) => {
        probe.style.setProperty('color', `var(--_${name})`);
        const [r, g, b] = getComputedStyle(probe).color.match(/[\d.]+/g).map((part) => Number(part) / 255);
        probe.style.removeProperty('color');
        return [name, [r, g, b]];
      }));
    }, scheme);
    const luminance = (rgb) => rgb.map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)).reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const ratio = (one, other) => {
      const [high, low] = [luminance(colors[one]), luminance(colors[other])].sort((a, b) => b - a);
      return (high + 0.05) / (low + 0.05);
    };
    for (const under of ['bg', 'hover', 'unread', 'sunk']) {
      for (const ink of ['text', 'text-2', 'text-3', 'accent']) assert.ok(ratio(ink, under) >= 4.5, `${scheme}: ${ink} on ${under}: ${ratio(ink, under)}`);
      for (const sign of ['edge', 'info', 'success', 'warning', 'error', 'critical']) assert.ok(ratio(sign, under) >= 3, `${scheme}: ${sign} on ${under}: ${ratio(sign, under)}`);
    }
    assert.ok(ratio('on-accent', 'accent') >= 4.5);
    assert.notDeepEqual(colors.bg, scheme === 'light' ? colors.text : [1, 1, 1]);
  }
});

test('inbox look: on a phone it is a sheet as wide as the screen, and every target has 44 pixels', async () => {
  for (const width of [375, 320]) {
    const t = await openFull({ browser: phone(width) });
    const box = await t.panel.boundingBox();
    assert.equal(Math.round(box.width), width);
    assert.deepEqual(await t.page.evaluate(targetsOf, 44), [], `${width} px`);
    await t.row('Build #4812').getByRole('button', { name: 'More actions' }).tap();
    assert.deepEqual(await t.page.evaluate(targetsOf, 44), [], `${width} px, with actions`);
    await t.row('Build #4812').getByRole('button', { name: 'Archive' }).tap();
    await t.page.getByRole('button', { name: 'Undo' }).waitFor();
    assert.deepEqual(await t.page.evaluate(targetsOf, 44), [], `${width} px, with undo`);
    await t.page.getByRole('button', { name: 'Notification settings' }).tap();
    await t.page.getByRole('switch').first().waitFor();
    assert.deepEqual(await t.page.evaluate(targetsOf, 44), [], `${width} px, settings`);
  }
});

test('inbox look: nothing of the page moves when it comes, counts, opens and is pointed at', async () => {
  const t = await openInbox({ body: `${BELL}<main><div class="box"><notify-inbox src="SOCKET" user="alice"></notify-inbox></div><p>below</p></main>`, prepare: fill });
  await t.page.evaluate(() => {
    window.shifts = [];
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) window.shifts.push([entry.value, JSON.stringify(entry.sources)]);
    }).observe({ type: 'layout-shift', buffered: true });
  });
  await eventually('all rows are there', async () => (await t.titles()).length === FILLED);
  await t.waitBell(/\d/);
  await t.page.locator('notify-bell .bell').click();
  await t.page.locator('notify-bell .row').first().waitFor();
  for (const row of await t.page.locator('notify-bell .row').all()) {
    await row.scrollIntoViewIfNeeded();
    const before = await row.boundingBox();
    await row.hover();
    assert.deepEqual(await row.boundingBox(), before);
  }
  await t.page.waitForTimeout(300);
  assert.deepEqual(await t.page.evaluate(() => window.shifts), []);
});

test('inbox look: it speaks the language around it, from right to left where that is written so, and the page may say other words', async () => {
  const t = await openInbox({ lang: 'he', dir: 'rtl', prepare: fill });
  await t.waitBell(/^התראות, 4 לא נקראו$/);
  await t.open();
  await eventually('all rows are there', async () => (await t.titles()).length === FILLED);
  const [glyph, time] = [await t.row('Build #4812').locator('.glyph').boundingBox(), await t.row('Build #4812').locator('time').boundingBox()];
  assert.ok(glyph.x > time.x, 'the sign stands right of the time');
  assert.ok((await t.panel.boundingBox()).x >= 0, 'it is within the page');
  await t.page.getByRole('tab', { selected: true }).focus();
  await t.page.keyboard.press('ArrowLeft');
  await t.waitFocus('tab-unread');
  await checkAxe(t, 'he');
  await t.page.evaluate(() => document.querySelector('notify-bell').setAttribute('lang', 'de'));
  await t.waitBell(/^Mitteilungen, 4 ungelesen$/);
  await t.page.evaluate(() => (document.querySelector('notify-bell').strings = { title: 'Post', bell: 'Post ({n})' }));
  await t.waitBell(/^Post \(4\)$/);
  await t.open();
  await t.page.getByRole('tab', { name: 'Ungelesen 4' }).waitFor();
});

/* Where it is between noon and one o'clock: a day and an hour later it is the next day, whenever the test is run. */
function zoneOfNoon() {
  const ahead = 12 - new Date().getUTCHours();
  return `Etc/GMT${ahead > 0 ? '-' : '+'}${Math.abs(ahead)}`; // the sign is that of POSIX
}

test('inbox look: times stay true, also when a day ends, with one timer', async () => {
  const t = await openInbox({ browser: { timezoneId: zoneOfNoon() }, prepare: async ({ redis }) => {
    await redis.cli('NOTIFY.SEND', INBOX, 'one');
  } });
  await t.waitBell(/1 unread/);
  await t.page.clock.install({ time: new Date() });
  // A connection that is made anew would tell it the bridge's time, for which no hours have passed.
  await t.page.evaluate(() => (document.querySelector('notify-bell').client.serverNow = () => Date.now()));
  await t.open();
  await t.waitTitles('one');
  const says = (pattern) => eventually(`it says ${pattern}`, async () => pattern.test(await t.row('one').locator('time').textContent()));
  await says(/^now$/);
  await t.page.clock.fastForward(61000);
  await says(/^1 min\. ago$/);
  await t.page.clock.fastForward(3600000);
  await says(/^1 hr\. ago$/);
  await t.page.clock.fastForward(24 * 3600000);
  await says(/^(yesterday|1 day ago)$/);
  assert.match(await t.page.locator('.day').textContent(), /Yesterday/);
  await t.page.clock.fastForward(7 * 24 * 3600000);
  await says(/^[A-Z][a-z]{2} \d+$/);
  await t.page.locator('.day', { hasText: 'Earlier' }).waitFor();
});

test('inbox look: nothing moves by itself for those who do not want it', async () => {
  const t = await openFull({ browser: { reducedMotion: 'reduce' } });
  await t.send('another');
  await t.row('another').waitFor();
  const running = await t.page.evaluate(() => document.querySelector('notify-bell').shadowRoot.getAnimations().map(({ animationName }) => animationName));
  assert.deepEqual(running.filter((name) => name !== 'notify-late'), []);
});

test('inbox look: a page may restyle it by properties and parts', async () => {
  const t = await openFull({});
  await t.page.addStyleTag({ content: 'notify-bell { --notify-accent: rgb(1, 2, 3); --notify-width: 333px } notify-bell::part(title) { text-transform: uppercase } notify-bell:state(open)::part(bell) { color: rgb(9, 9, 9) }' });
  const seen = await t.page.evaluate(() => {
    const root = document.querySelector('notify-bell').shadowRoot;
    const style = (selector) => getComputedStyle(root.querySelector(selector));
    return [style('.badge').backgroundColor, style('.panel').width, style('.row .main').textTransform, style('.bell').color];
  });
  assert.deepEqual(seen, ['rgb(1, 2, 3)', '333px', 'uppercase', 'rgb(9, 9, 9)']);
});

test('inbox look: with forced colours what is unread, which view is shown and how many there are is still to be seen', async () => {
  const t = await openFull({ browser: { forcedColors: 'active', reducedMotion: 'reduce' } });
  const seen = await t.page.evaluate(() => {
    const root = document.querySelector('notify-bell').shadowRoot;
    const style = (selector) => getComputedStyle(root.querySelector(selector));
    const probe = document.createElement('i');
    probe.style.color = 'Highlight';
    document.body.append(probe);
    const highlight = getComputedStyle(probe).color;
    const read = [...root.querySelectorAll('.row:not([data-unread]) .dot')];
    return [style('[data-unread] .dot').backgroundColor, style('.badge').backgroundColor, style('[role="tab"][aria-selected="true"]').borderBottomColor].map((color) => color === highlight)
      .concat(read.length > 0 && read.every((dot) => getComputedStyle(dot).visibility === 'hidden'));
  });
  assert.deepEqual(seen, [true, true, true, true]);
});

/* What axe-core cannot decide by itself: contrasts of what lies above something else, which contrastsOf() measures. */
const UNDECIDED = new Set(['color-contrast']);

test('inbox look: what axe-core leaves undecided is measured by us', async () => {
  const t = await openFull({ browser: { reducedMotion: 'reduce' } });
  const { incomplete } = await t.page.evaluate(() => axe.run(document, { resultTypes: ['incomplete'] }));
  assert.deepEqual(incomplete.map(({ id }) => id).filter((id) => !UNDECIDED.has(id)), []);
});

test('inbox look: a page may put something of its own in the place of the bell\'s sign, beside the heading, below, and where there is nothing', async () => {
  const body = '<header><notify-bell id="bell" src="SOCKET" user="alice"><b slot="bell">!</b><a slot="header" href="/all">see all</a><p slot="footer">the end</p><i slot="empty">nothing at all</i></notify-bell></header>';
  const t = await openInbox({ body });
  await t.page.locator('b', { hasText: '!' }).waitFor();
  assert.equal(await t.page.locator('.icon-bell').first().isVisible(), false);
  await t.page.evaluate(() => (bell.open = true));
  for (const text of ['see all', 'the end', 'nothing at all']) await t.page.getByText(text).waitFor();
  assert.equal(await t.page.getByText('You’re all caught up').isVisible(), false);
  assert.equal(await t.page.evaluate(() => bell.open), true);
  await t.page.evaluate(() => (bell.open = false));
  await t.panel.waitFor({ state: 'hidden' });
});

test('inbox look: the badge may be a dot, or count what nobody has seen, and the panel open the other way', async () => {
  const t = await openInbox({ body: '<notify-bell id="bell" src="SOCKET" user="alice" badge="unseen" placement="start"></notify-bell><main><h1>A page</h1></main>' });
  await t.waitBell(/^Notifications$/);
  await t.send('one');
  await t.send('two');
  await t.waitBell(/2 unread/);
  await t.open();
  const [bell, panel] = [await t.bell.boundingBox(), await t.panel.boundingBox()];
  assert.ok(panel.x >= bell.x - 9 && panel.x + panel.width > bell.x + bell.width, JSON.stringify([bell, panel]));
  await t.waitBell(/^Notifications$/); // seen, a moment later
  assert.equal(await t.unread(), 2);
  await t.page.evaluate(() => bell.setAttribute('badge', 'dot'));
  await t.waitBell(/2 unread/);
  assert.equal(await t.page.locator('.badge.dot').textContent(), '');
});
