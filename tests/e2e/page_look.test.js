/* How the page looks and sounds: contrast, sizes, what screen readers are told. */

import assert from 'node:assert/strict';
import { eventually, test } from './harness.js';
import { openBrowser, phone, Tab } from './browser.js';
import { contrastsOf, hueOf, targetsOf } from './look.js';
import { startServers } from './servers.js';

const SCHEMES = ['light', 'dark'];
const LEVELS = ['info', 'success', 'warning', 'error', 'critical'];

/* A page with everything in it that the list can show. */
async function openFull(options) {
  const servers = await startServers();
  const { redis } = servers;
  for (const level of LEVELS) {
    const words = ['CONTENT', 'some words', 'LEVEL', level, 'CATEGORY', 'ops', 'DATA', '{"n":1}'];
    const id = (await redis.cli('NOTIFY.SEND', 'inbox:alice', `read ${level}`, ...words)).replaceAll('"', '');
    await redis.cli('NOTIFY.READ', 'inbox:alice', id);
    await redis.cli('NOTIFY.SEND', 'inbox:alice', `unread ${level}`, ...words, 'ACTION', '{"type":"open","label":"Show","url":"/healthz"}');
  }
  await redis.cli('NOTIFY.SEND', 'topic:all', 'to everybody');
  await redis.cli('NOTIFY.EVENT', 'inbox:alice', 'progress', 'DATA', '{"percent":40}');
  const context = await openBrowser(options);
  const tab = await Tab.open(context, `${servers.bridge.page('alice')}&topics=news`);
  await tab.waitUnread(LEVELS.length);
  await eventually('all rows are there', async () => (await tab.titles()).length === 2 * LEVELS.length + 2);
  return { ...servers, context, tab };
}

async function checkContrasts(tab, what) {
  const low = (await tab.page.evaluate(contrastsOf)).filter(({ ratio, wanted }) => ratio < wanted);
  const told = low.map(({ ratio, wanted, of, color, on }) => `${ratio.toFixed(2)} < ${wanted}: ${of}, ${color} on ${on}`);
  assert.deepEqual([...new Set(told)], [], what);
}

for (const colorScheme of SCHEMES) {
  test(`${colorScheme}: all that is written stands out by 4.5 to 1 from what it is written on, and what is drawn by 3 to 1`, async () => {
    const { redis, bridge, tab } = await openFull({ colorScheme, reducedMotion: 'reduce' });
    const check = (what) => checkContrasts(tab, `${colorScheme}, ${what}`);
    await check('as it opens');
    await tab.get('frame').first().locator('summary').click();
    await check('with an open frame');
    for (const [testid, what] of [['send', 'primary'], ['mark-all-read', 'button'], ['filter-topics', 'filter'], ['item-delete', 'delete'], ['item', 'row']]) {
      await tab.get(testid).first().hover();
      await check(`under the mouse: ${what}`);
    }
    await tab.get('send').click();
    await tab.waitText('send-result', /sent as/);
    await tab.get('item-delete').first().click();
    await tab.waitText('undo', /Deleted/);
    await check('with a deletion');
    await tab.page.evaluate(() => ask(client.request('nonsense')));
    await tab.waitText('notice', /no message/);
    await check('with a failure');
    await redis.kill();
    await tab.waitText('notice', /Redis is away/);
    await tab.get('send').click();
    await tab.waitText('send-result', /Redis is away/);
    await check('without Redis');
    await bridge.kill();
    await tab.waitStatus('waiting');
    await check('without a bridge');
    await redis.start();
    await bridge.start();
    await tab.waitStatus('connected');
    await redis.cli('DEL', 'inbox:alice', 'topic:all');
    await tab.waitText('empty', /Nothing here yet/);
    await check('with nothing to show');
    await tab.get('disconnect').click();
    await check('disconnected');
  });
}

test('the colour of the brand is not that of an error', async () => {
  for (const colorScheme of SCHEMES) {
    const { tab } = await openFull({ colorScheme });
    const [brand, bell, ...bad] = await tab.page.evaluate(() => {
      const color = (selector, name) => getComputedStyle(document.querySelector(selector))[name];
      return [color('#send', 'backgroundColor'), color('.bell', 'backgroundColor'),
        color('[data-level="error"] .tag.level', 'color'), color('[data-level="critical"] .tag.level', 'color')];
    });
    assert.equal(brand, bell);
    for (const color of bad) {
      const apart = Math.abs(((hueOf(brand) - hueOf(color) + 540) % 360) - 180);
      assert.ok(apart > 40, `${colorScheme}: ${brand} and ${color} are ${apart.toFixed(0)} degrees apart`);
    }
  }
});

test('the time of a row and its delete button stand at the same place in each', async () => {
  for (const options of [{}, phone(375), phone(320)]) {
    const { tab } = await openFull(options);
    const places = await tab.page.evaluate(() => [...document.querySelectorAll('#list > li')].map((row) => {
      const at = (element) => {
        if (!element) return '';
        const [outer, inner] = [row.getBoundingClientRect(), element.getBoundingClientRect()];
        return [outer.right - inner.right, inner.top - outer.top].map(Math.round).join(', ');
      };
      return { time: at(row.querySelector('time')), remove: at(row.querySelector('.remove')) };
    }));
    assert.equal(new Set(places.map(({ time }) => time)).size, 1, JSON.stringify(places));
    assert.equal(new Set(places.map(({ remove }) => remove).filter(Boolean)).size, 1, JSON.stringify(places));
  }
});

test('on a phone the header is one row, nothing is wider than the screen, and every target has 44 pixels', async () => {
  for (const width of [375, 320]) {
    const { tab } = await openFull(phone(width));
    const check = async (what) => {
      const small = await tab.page.evaluate(targetsOf, 44);
      assert.deepEqual(small, [], `${width} px, ${what}`);
      assert.equal(await tab.page.evaluate(() => document.documentElement.scrollWidth), width, what);
    };
    const rows = await tab.page.evaluate(() => {
      const seen = [...document.querySelector('.top').children].map((child) => child.getBoundingClientRect()).filter(({ width, height }) => width > 1 && height > 1);
      return seen.map(({ top, bottom }) => Math.round((top + bottom) / 2));
    });
    assert.ok(rows.length >= 3 && Math.max(...rows) - Math.min(...rows) <= 1, `the middles of what the header holds: ${rows}`);
    assert.ok((await tab.page.locator('.top').boundingBox()).height <= 64);
    await check('as it opens');
    await tab.get('menu').tap();
    await tab.get('user-switch').waitFor();
    assert.equal(await tab.get('menu').getAttribute('aria-expanded'), 'true');
    await check('with its menu');
    await tab.page.keyboard.press('Escape');
    await tab.waitHidden('user-switch');
    assert.equal(await tab.focused(), 'menu');
    await tab.get('menu').tap();
    await tab.get('user').fill('bob');
    await tab.get('user-switch').tap();
    await tab.waitText('status', /bob/);
    await tab.waitHidden('user-switch');
    await tab.get('menu').tap();
    await tab.get('user').fill('alice');
    await tab.get('user-switch').tap();
    await tab.waitUnread(LEVELS.length);
    await tab.get('item-delete').first().tap();
    await tab.page.evaluate(() => ask(client.request('nonsense')));
    await tab.waitText('notice', /no message/);
    await check('with a deletion and a notice');
  }
});

/* Everything that live regions are given from now on. */
async function listen(tab) {
  await tab.page.evaluate(() => {
    window.heardWords = [];
    for (const region of document.querySelectorAll('[aria-live]:not([aria-live="off"]), [role="status"], [role="alert"], output')) {
      new MutationObserver(() => window.heardWords.push(region.textContent)).observe(region, { childList: true, characterData: true, subtree: true });
    }
  });
}

async function hears(tab, pattern) {
  await eventually(`screen readers hear ${pattern}`, () => tab.page.evaluate((source) => window.heardWords.some((words) => new RegExp(source).test(words)), pattern.source))
    .catch(async (error) => {
      throw new Error(`${error.message}; they hear ${JSON.stringify(await tab.page.evaluate(() => window.heardWords))}`);
    });
}

test('screen readers hear what has come and what was done, never a bare number', async () => {
  const { redis, bridge, tab } = await openFull();
  await listen(tab);
  await redis.cli('NOTIFY.SEND', 'inbox:alice', 'Build finished');
  await hears(tab, /^New notification: Build finished$/);
  await redis.cli('NOTIFY.SEND', 'inbox:alice', 'Fire', 'LEVEL', 'critical');
  await hears(tab, /^Critical: Fire$/);
  for (let i = 0; i < 5; i++) await redis.cli('NOTIFY.SEND', 'inbox:alice', `more ${i}`);
  await hears(tab, /^[2-5] new notifications$/);
  await tab.item('Fire').getByTestId('item-delete').click();
  await hears(tab, /^Deleted “Fire”\. Undo with Control Z$/);
  await tab.get('undo-button').click();
  await hears(tab, /^Not deleted$/);
  await tab.get('mark-all-read').click();
  await hears(tab, /^Marked 12 as read$/);
  await bridge.kill();
  await hears(tab, /^Connection lost/);
  await bridge.start();
  await hears(tab, /^Connected$/);
  const words = (await tab.page.evaluate(() => window.heardWords)).filter(Boolean);
  assert.deepEqual(words.filter((one) => /^[\d\s+–]*$/.test(one)), []);
  assert.ok(words.length < 25, `a countdown is no news: ${JSON.stringify(words)}`);
});

test('the bell, rows and buttons have names that say what they are', async () => {
  const { redis, tab } = await openFull();
  await tab.page.getByRole('img', { name: '5 unread notifications', exact: true }).waitFor();
  await redis.cli('NOTIFY.SEND', 'inbox:alice', 'Build finished');
  await tab.page.getByRole('img', { name: '6 unread notifications', exact: true }).waitFor();
  await tab.page.getByRole('button', { name: 'Build finished (unread)', exact: true }).waitFor();
  await tab.page.getByRole('link', { name: 'unread error (unread, opens in a new tab)', exact: true }).waitFor();
  await tab.page.getByRole('button', { name: 'Delete: unread error', exact: true }).waitFor();
  const unnamed = await tab.page.evaluate(() => [...document.querySelectorAll('button, a, input:not([type=checkbox]), select, textarea')]
    .filter((element) => !(element.getAttribute('aria-label') || element.textContent.trim() || (element.labels && element.labels.length > 0)))
    .map((element) => element.outerHTML));
  assert.deepEqual(unnamed, []);
  await redis.cli('NOTIFY.READALL', 'inbox:alice');
  await tab.page.getByRole('img', { name: '0 unread notifications', exact: true }).waitFor();
});
