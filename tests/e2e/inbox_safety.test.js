/* <notify-bell> and <notify-inbox>: what a sender cannot do to a page, what a page's policy may forbid, and
 * that elements which come and go leave nothing behind. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually, test } from './harness.js';
import { INBOX, openInbox, strictPolicy } from './inbox_page.js';

const NOTIFY_JS = process.env.NOTIFY_JS || fileURLToPath(new URL('../../build/notify.js', import.meta.url));
const FILE = process.env.NOTIFY_INBOX_JS || join(dirname(NOTIFY_JS), 'notify-inbox.js');

const MARKUP = ['<img src=x onerror="window.hit=1">', '"><script>window.hit=1</script>', '<svg onload=window.hit=1>', '</article><iframe srcdoc="<script>top.hit=1</script>">', '{title}${1}', '\u202eevil\u2066'];
const BAD_ADDRESSES = ['javascript:window.hit=1', ' javascript:window.hit=1', 'java\nscript:window.hit=1', 'JAVASCRIPT:window.hit=1', 'data:text/html,<script>1</script>', 'vbscript:x', 'blob:x', 'file:///etc/passwd', 'about:blank', 'http://'];
const GOOD_ADDRESSES = [['/here', ''], ['https://other.example/x', 'other.example'], ['//other.example/x', 'other.example'], ['\\\\other.example\\x', 'other.example']];

test('inbox safety: there is no way from a text to markup, to a script or to a style in the whole file', () => {
  const text = readFileSync(FILE, 'utf8');
  const sinks = /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|srcdoc|createContextualFragment|DOMParser|setHTML|\.cssText|javascript:|setTimeout\(['"`]/g;
  assert.deepEqual(text.match(sinks), null);
  assert.equal(text.match(/\.href = /g).length, 1, 'addresses are set in one place, which looks at them');
  assert.equal(text.match(/\.setAttribute\(/g).length, 4, 'attributes too: by our list, for our own drawings, and twice what a page says of its element');
});

test('inbox safety: whatever a sender writes is shown as text, and leads to the web or nowhere, under the strictest policy', async () => {
  const t = await openInbox({ policy: strictPolicy, prepare: async ({ redis }) => {
    for (const text of MARKUP) {
      const action = { label: text, url: '/here', name: text, secondary: { label: text, name: text } };
      await redis.cli('NOTIFY.SEND', INBOX, text, 'CONTENT', text, 'CATEGORY', text.slice(0, 30), 'ACTION', JSON.stringify(action));
    }
    for (const url of BAD_ADDRESSES) await redis.cli('NOTIFY.SEND', INBOX, `bad ${url.trim().slice(0, 8)}`, 'ACTION', JSON.stringify({ label: 'Go', url, secondary: { label: 'Go', url } }));
    for (const action of ['7', 'null', '[]', '"x"', '{"label":{},"url":7,"secondary":[]}', '{"__proto__":{"url":"/x"},"label":"x"}']) await redis.cli('NOTIFY.SEND', INBOX, 'odd', 'ACTION', action);
    for (const [url] of GOOD_ADDRESSES) await redis.cli('NOTIFY.SEND', INBOX, `good ${url}`, 'ACTION', JSON.stringify({ label: 'Go', url }));
  } });
  await t.page.evaluate(() => {
    window.violations = [];
    document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => window.violations.push([violatedDirective, blockedURI]));
  });
  await t.open();
  const wanted = MARKUP.length + BAD_ADDRESSES.length + 6 + GOOD_ADDRESSES.length;
  await eventually('all of it is there', async () => {
    await t.page.locator('.scroll').evaluate((element) => element.scrollTo(0, element.scrollHeight));
    return (await t.titles()).length === wanted;
  });
  const titles = await t.titles();
  for (const text of MARKUP) assert.ok(titles.includes(text), text);
  const seen = await t.page.evaluate(() => {
    const root = document.querySelector('notify-bell').shadowRoot;
    const links = [...root.querySelectorAll('a')];
    return {
      hit: window.hit,
      strange: [...root.querySelectorAll('img, script, iframe, object, embed, style, link, form, base, animate, use')].length,
      handlers: [...root.querySelectorAll('*')].flatMap(({ attributes }) => [...attributes].map(({ name }) => name)).filter((name) => /^on|^style$/.test(name)),
      protocols: [...new Set(links.filter((link) => link.hasAttribute('href')).map(({ protocol }) => protocol))],
      unsafe: links.filter((link) => link.hasAttribute('href') && link.origin !== location.origin && !/noopener/.test(link.rel)).length,
      hosts: [...root.querySelectorAll('.row')].filter((row) => row.textContent.includes('good ')).map((row) => row.querySelector('.meta').textContent),
      violations: window.violations,
      width: getComputedStyle(root.querySelector('.panel')).width,
    };
  });
  assert.deepEqual(seen, {
    hit: undefined, strange: 0, handlers: [], protocols: ['http:', 'https:'], unsafe: 0,
    hosts: GOOD_ADDRESSES.map(([, host]) => host && `opens ${host}`).reverse(), violations: [], width: '400px',
  });
  for (const button of await t.page.locator('.row', { hasText: 'bad ' }).locator('.main').all()) assert.equal(await button.evaluate(({ localName }) => localName), 'button');
});

test('inbox safety: rows of the page\'s own, by template, are filled with text and with links to the web', async () => {
  const body = `<main><div class="box"><notify-inbox src="SOCKET" user="alice"><template slot="row"><b data-field="title"></b> <i data-field="content"></i> <a data-field="link"></a></template></notify-inbox></div></main>`;
  const t = await openInbox({ body, policy: strictPolicy, prepare: async ({ redis }) => {
    await redis.cli('NOTIFY.SEND', INBOX, MARKUP[0], 'CONTENT', MARKUP[1], 'ACTION', '{"label":"Go","url":"javascript:window.hit=1"}');
    await redis.cli('NOTIFY.SEND', INBOX, 'good', 'ACTION', '{"label":"Show","url":"/x"}');
  } });
  const row = (text) => t.page.locator('.notify-row', { hasText: text });
  await row('onerror').waitFor();
  assert.equal(await row('onerror').locator('b').textContent(), MARKUP[0]);
  assert.equal(await row('onerror').locator('a').getAttribute('href'), null);
  assert.equal(await row('good').locator('a').getAttribute('href'), `${t.site.address}x`);
  assert.equal(await t.page.evaluate(() => [window.hit, document.querySelectorAll('notify-inbox img, notify-inbox script').length].join()), ',0');
  await t.page.locator('.row').first().click();
  await eventually('it is read', async () => (await t.unread()) === 1);
  await t.redis.cli('DEL', INBOX);
  await eventually('the rows have left the page', async () => (await t.page.locator('.notify-row').count()) === 0);
});

test('inbox safety: a server may import it, where there are no elements', () => {
  const { TEXTS, BellElement } = createRequire(import.meta.url)(FILE);
  assert.equal(typeof BellElement, 'function');
  const keys = Object.keys(TEXTS.en).sort();
  for (const [lang, table] of Object.entries(TEXTS)) assert.deepEqual(Object.keys(table).sort(), keys, lang);
  const declared = /type TextKey =([^;]*);/.exec(readFileSync(new URL('../../bridge/www/notify/notify-inbox.d.ts', import.meta.url), 'utf8'))[1];
  assert.deepEqual([...declared.matchAll(/'(\w+)'/g)].map(([, key]) => key).sort(), keys);
  const [, listed] = /\nKeys:([^.]*)\./.exec(readFileSync(new URL('../../docs/inbox.md', import.meta.url), 'utf8'));
  assert.deepEqual([...listed.matchAll(/`(\w+)`/g)].map(([, key]) => key).sort(), keys);
  for (const [lang, table] of Object.entries(TEXTS)) {
    for (const key of keys) {
      const blanks = (text) => JSON.stringify(text).match(/\{\w+\}/g)?.filter((one) => one !== '{n}').sort() ?? [];
      assert.deepEqual(blanks(table[key]), blanks(TEXTS.en[key]), `${lang}: ${key}`);
    }
  }
});

test('inbox safety: elements for the same user have one connection between them, and leave none behind', async () => {
  const t = await openInbox({ body: '<header><notify-bell src="SOCKET" user="alice"></notify-bell></header><main id="main"><div class="box"><notify-inbox src="SOCKET" user="alice"></notify-inbox></div></main>' });
  await t.waitBell(/^Notifications$/);
  await t.bridge.waitConnections(1);
  await t.page.evaluate(() => document.querySelector('main').append(document.querySelector('notify-bell'))); // a move is no farewell
  await t.send('one');
  await t.waitBell(/1 unread/);
  await t.bridge.waitConnections(1);
  await t.page.evaluate(() => document.querySelector('notify-inbox').setAttribute('user', 'bob'));
  await t.bridge.waitConnections(2);
  await t.page.evaluate(() => document.querySelectorAll('notify-bell, notify-inbox').forEach((element) => element.remove()));
  await t.bridge.waitConnections(0);
});

test('inbox safety: two hundred that come and go leave no listeners, no timers and no memory', async () => {
  const t = await openInbox({ body: '<main id="main"></main>' });
  await t.send('one');
  await t.page.evaluate((socket) => {
    window.client = NotifyClient.connect(socket, { user: 'alice' });
    window.round = async () => {
      for (const name of ['notify-bell', 'notify-inbox']) {
        const element = document.createElement(name);
        element.client = window.client;
        document.getElementById('main').append(element);
        if (name === 'notify-bell') element.open = true;
        await new Promise((done) => requestAnimationFrame(done));
        element.remove();
        await new Promise((done) => setTimeout(done));
      }
    };
  }, t.bridge.socket);
  const measure = async () => {
    await t.page.waitForTimeout(1100); // timers that are still to come
    const session = await t.context.newCDPSession(t.page);
    for (let i = 0; i < 3; i++) await session.send('HeapProfiler.collectGarbage');
    await session.send('Performance.enable');
    const { metrics } = await session.send('Performance.getMetrics');
    await session.detach();
    return Object.fromEntries(metrics.map(({ name, value }) => [name, value]));
  };
  const rounds = (n) => t.page.evaluate(async (count) => {
    for (let i = 0; i < count; i++) await window.round();
  }, n);
  await rounds(20);
  const before = await measure();
  await rounds(100);
  const behind = await measure();
  assert.ok(behind.JSEventListeners - before.JSEventListeners <= 10, `listeners: ${before.JSEventListeners}, ${behind.JSEventListeners}`);
  assert.ok(behind.Nodes - before.Nodes <= 300, `nodes: ${before.Nodes}, ${behind.Nodes}`);
  assert.ok(behind.JSHeapUsedSize - before.JSHeapUsedSize < 1.5e6, `heap: ${before.JSHeapUsedSize}, ${behind.JSHeapUsedSize}`);
}, { isAlone: true });

test('inbox safety: what a page set before the script came counts, in whatever order the scripts come', async () => {
  const t = await openInbox({ body: '<header><notify-bell id="bell"></notify-bell></header>', scripts: [] });
  await t.page.evaluate((socket) => {
    const bell = document.getElementById('bell');
    bell.strings = { title: 'Post' };
    bell.src = socket;
    bell.user = 'alice';
  }, t.bridge.socket);
  await t.page.addScriptTag({ url: '/notify-inbox.js' });
  assert.equal(await t.bell.count(), 0, 'without notify.js there is nothing yet');
  await t.page.addScriptTag({ url: '/notify.js' });
  await t.page.evaluate(() => document.getElementById('bell').setAttribute('user', 'alice2'));
  await t.page.evaluate(() => document.getElementById('bell').setAttribute('user', 'alice'));
  await t.send('one');
  await t.waitBell(/1 unread/);
  await t.open();
  await t.page.getByRole('heading', { name: 'Post' }).waitFor();
});
