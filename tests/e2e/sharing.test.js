/* One connection for all tabs, in a real browser: in a worker, in one of the tabs, or in each its own. */

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { eventually, test } from './harness.js';
import { ClientPage, openBrowser } from './browser.js';
import { Bridge, startServers, startSite } from './servers.js';

const SHARED = ['shared', 'leader'];
const KEEPS_PAGES = { ignoreDefaultArgs: ['--disable-back-forward-cache'] };

async function openTabs({ context, site, bridge }, count, options) {
  const tabs = [];
  for (let i = 0; i < count; i++) tabs.push(await ClientPage.open(context, site.address, bridge.socket, options));
  await Promise.all(tabs.map((tab) => tab.connected()));
  return tabs;
}

async function start(mode, count = 3, { browser = {}, options = {} } = {}) {
  const stand = await begin(browser);
  const tabs = await openTabs(stand, count, { user: 'alice', share: mode, ...options });
  const send = (title, box = 'inbox:alice') => stand.redis.cli('NOTIFY.SEND', box, title);
  return { ...stand, tabs, send };
}

async function begin(browser) {
  return { ...(await startServers()), site: await startSite(), context: await openBrowser(browser) };
}

const forEach = (modes, name, fn) => {
  for (const mode of modes) test(`${mode}: ${name}`, () => fn(mode));
};

/* -- one connection -- */

forEach(SHARED, 'all tabs have one connection, and each hears everything once and asks by itself', async (mode) => {
  const { bridge, tabs, send } = await start(mode);
  for (const tab of tabs) assert.equal((await tab.see()).mode, mode);
  await bridge.waitConnections(1);
  await send('one');
  await send('two');
  for (const tab of tabs) {
    await tab.waitTitles('one', 'two');
    assert.deepEqual(await tab.ask(async () => (await client.history()).items.map(({ title }) => title)), ['two', 'one']);
  }
  const [first, second] = tabs;
  await first.ask(() => client.markAllRead());
  for (const tab of tabs) await tab.waitFor('all is read', ({ unread }) => unread === 0);
  await assert.rejects(second.ask(() => client.request('nonsense').catch((error) => Promise.reject(new Error(error.code)))), /UNKNOWN_TYPE/);
});

test('own: each tab has its connection', async () => {
  const { bridge, tabs, send } = await start('own');
  for (const tab of tabs) assert.equal((await tab.see()).mode, 'own');
  await bridge.waitConnections(3);
  await send('one');
  for (const tab of tabs) await tab.waitTitles('one');
});

forEach(SHARED, 'a topic comes to the tabs that want it', async (mode) => {
  const { tabs, send } = await start(mode, 2);
  const [one, other] = tabs;
  await one.ask(() => client.subscribe('news'));
  await send('of the day', 'topic:news');
  await send('for alice');
  await one.waitTitles('of the day', 'for alice');
  await other.waitTitles('for alice');
});

forEach(SHARED, 'a tab that comes later starts where the others stand', async (mode) => {
  const { tabs, send, ...stand } = await start(mode, 1);
  const { bridge } = stand;
  await send('before');
  await tabs[0].waitTitles('before');
  const [late] = await openTabs(stand, 1, { user: 'alice', share: mode });
  assert.equal((await late.see()).unread, 1);
  await send('after');
  await late.waitTitles('after');
  await tabs[0].waitTitles('before', 'after');
  await bridge.waitConnections(1);
});

/* -- tabs go -- */

forEach(SHARED, 'tabs are closed one after the other while messages come: who stays hears each once', async (mode) => {
  const { bridge, tabs, send } = await start(mode, 4);
  const sent = [];
  while (tabs.length > 1) {
    sent.push(`${sent.length}`);
    await send(sent.at(-1));
    await tabs.shift().page.close();
    sent.push(`${sent.length}`);
    await send(sent.at(-1));
    for (const tab of tabs) await tab.waitTitles(...sent);
    await bridge.waitConnections(1);
  }
  await tabs[0].page.close();
  await bridge.waitConnections(0);
});

forEach(SHARED, 'a tab that crashes is no longer counted, and the others go on', async (mode) => {
  const { redis, bridge, context, tabs, send } = await start(mode, 3);
  const [crashed, ...others] = tabs;
  await crashed.ask(() => client.subscribe('news'));
  const cdp = await context.newCDPSession(crashed.page);
  const gone = new Promise((done) => crashed.page.once('crash', done));
  cdp.send('Page.crash').catch(() => {});
  await gone;
  for (const tab of others) await tab.connected(mode);
  await send('after');
  for (const tab of others) await tab.waitTitles('after');
  await bridge.waitConnections(1);
  await eventually('nobody follows what it followed', async () => (await redis.cli('PUBSUB', 'CHANNELS', 'topic:news')) === '');
});

/* Returns what lets it go on. */
async function hang(context, { page }) {
  const cdp = await context.newCDPSession(page);
  await cdp.send('Debugger.enable');
  await cdp.send('Debugger.pause');
  const paused = new Promise((done) => cdp.once('Debugger.paused', done));
  page.evaluate(() => 1).catch(() => {});
  await paused;
  return async () => {
    await cdp.send('Debugger.resume');
    await cdp.send('Debugger.disable');
  };
}

test('leader: a tab with the connection that hangs is left to itself, and joins again when it goes on', async () => {
  const { bridge, context, tabs, send } = await start('leader', 3);
  const [hung, ...others] = tabs; // the first one got the lock
  const goOn = await hang(context, hung);
  await send('meanwhile');
  const look = () => Promise.all(others.map((tab) => tab.ask(() => dispatchEvent(new Event('focus')))));
  const heard = async () => (await Promise.all(others.map((tab) => tab.see()))).every(({ titles }) => titles.join() === 'meanwhile');
  await eventually('those that are looked at have heard it', async () => (await look()) && heard());
  await goOn();
  await send('after');
  for (const tab of tabs) await tab.waitTitles('meanwhile', 'after');
  await bridge.waitConnections(1);
});

test('shared: a tab that comes when not all others have heard that the connection was ended for good has one tried', async () => {
  const stand = await start('shared', 2);
  const [heard, hung] = stand.tabs;
  const goOn = await hang(stand.context, hung);
  await stand.redis.cli('NOTIFY.SESSION', 'KICK', 'sessions:alice', '*');
  await heard.waitFor('it was kicked', ({ status }) => status === 'stopped');
  const [late] = await openTabs(stand, 1, { user: 'alice', share: 'shared' });
  await goOn();
  await hung.waitFor('it was kicked, too', ({ status }) => status === 'stopped');
  await stand.send('one');
  await late.waitTitles('one');
});

forEach(SHARED, 'all tabs stop with the connection that they share', async (mode) => {
  const { tabs, redis, bridge } = await start(mode, 4);
  await redis.cli('NOTIFY.SESSION', 'KICK', 'sessions:alice', '*');
  for (const tab of tabs) {
    await tab.waitFor('it was kicked', ({ status }) => status === 'stopped');
    assert.deepEqual(await tab.ask(() => events.filter(([type]) => type === 'stopped').map(([, { code }]) => code)), [4410]);
  }
  await bridge.waitConnections(0);
  for (const tab of tabs) assert.equal((await tab.see()).status, 'stopped');
});

forEach(SHARED, 'a listener that hears that a tab has stopped may open it at once', async (mode) => {
  const { tabs, redis, bridge, send } = await start(mode, 3);
  for (const tab of tabs) await tab.ask(() => client.once('stopped', () => client.open()));
  await redis.cli('NOTIFY.SESSION', 'KICK', 'sessions:alice', '*');
  for (const tab of tabs) {
    await tab.waitFor('it is connected again', ({ status, readies }) => status === 'connected' && readies > 1);
    assert.equal(await tab.ask(() => events.filter(([type]) => type === 'stopped').length), 1);
  }
  await bridge.waitConnections(1);
  await send('one');
  for (const tab of tabs) await tab.waitTitles('one');
});

/* -- pages that are put away -- */

async function putAway(tab, address) {
  const cdp = await tab.page.context().newCDPSession(tab.page);
  await tab.ask(() => {
    window.isSamePage = true;
    addEventListener('pageshow', ({ persisted }) => (window.persisted = persisted));
  });
  await cdp.send('Page.navigate', { url: address });
  await tab.page.waitForURL(address);
  return async () => {
    const { currentIndex, entries } = await cdp.send('Page.getNavigationHistory');
    await cdp.send('Page.navigateToHistoryEntry', { entryId: entries[currentIndex - 1].id });
    await tab.page.waitForURL((url) => url.href !== address, { waitUntil: 'commit' });
    await tab.connected();
    assert.deepEqual(await tab.ask(() => [window.isSamePage, window.persisted]), [true, true], 'it was kept');
  };
}

forEach([...SHARED, 'own'], 'a page that is kept for the way back holds nobody up, and hears what it has missed', async (mode) => {
  const { bridge, site, tabs, send } = await start(mode, 3, { browser: KEEPS_PAGES });
  const [away, ...others] = tabs;
  const comeBack = await putAway(away, `${site.address}elsewhere`);
  await bridge.waitConnections(mode === 'own' ? 2 : 1);
  await send('meanwhile');
  await send('twice');
  for (const tab of others) await tab.waitTitles('meanwhile', 'twice');
  await comeBack();
  await away.waitTitles('meanwhile', 'twice');
  await send('after');
  for (const tab of tabs) await tab.waitTitles('meanwhile', 'twice', 'after');
  await bridge.waitConnections(mode === 'own' ? 3 : 1);
});

/* (A page without a window is never hidden, and Chromium freezes none that is not: so it is only told.) */
forEach([...SHARED, 'own'], 'a page that hears that it will be frozen lets go, and is there again when it goes on', async (mode) => {
  const { bridge, tabs, send } = await start(mode, 2);
  const [frozen, other] = tabs;
  const hears = (type) => frozen.ask((name) => document.dispatchEvent(new Event(name)), type);
  await hears('freeze');
  assert.equal((await frozen.see()).status, 'waiting');
  await other.connected();
  await bridge.waitConnections(1);
  await send('meanwhile');
  await other.waitTitles('meanwhile');
  assert.deepEqual((await frozen.see()).titles, []);
  await hears('resume');
  await frozen.waitTitles('meanwhile');
  await bridge.waitConnections(mode === 'own' ? 2 : 1);
});

/* -- the bridge goes -- */

forEach(SHARED, 'a bridge that is killed and comes back is found again, and nothing is lost or told twice', async (mode) => {
  const { bridge, tabs, send } = await start(mode);
  await send('before');
  for (const tab of tabs) await tab.waitTitles('before');
  await bridge.kill();
  for (const tab of tabs) await tab.waitFor('it is not connected', ({ status }) => status !== 'connected');
  await send('meanwhile');
  await bridge.start();
  for (const tab of tabs) await tab.waitTitles('before', 'meanwhile');
  await bridge.waitConnections(1);
});

/* -- users -- */

forEach(SHARED, 'tabs of different users are never mixed', async (mode) => {
  const { tabs, send, ...stand } = await start(mode, 2);
  const { bridge } = stand;
  const bobs = await openTabs(stand, 2, { user: 'bob', share: mode });
  await bridge.waitConnections(2);
  await send('for alice');
  await send('for bob', 'inbox:bob');
  for (const tab of tabs) await tab.waitTitles('for alice');
  for (const tab of bobs) await tab.waitTitles('for bob');
  for (const tab of bobs) assert.equal((await tab.see()).userId, 'bob');
});

const SECRET = 'a secret that is long enough for HS256';

function tokenFor(sub, seconds = 3600) {
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${encode({ alg: 'HS256' })}.${encode({ sub, exp: Math.floor(Date.now() / 1000) + seconds })}`;
  return `${text}.${createHmac('sha256', SECRET).update(text).digest('base64url')}`;
}

async function startWithTokens() {
  const { redis, site, context } = await begin();
  const options = ['--auth', 'jwt', '--jwt-secret', SECRET, '--cors-origins', site.address.replace(/\/$/, '')];
  return { redis, site, context, bridge: await new Bridge(redis, options).start() };
}

forEach(SHARED, 'who a tab is, its token says; a tab that gets another user\'s token leaves the others', async (mode) => {
  const stand = await startWithTokens();
  const { redis, bridge } = stand;
  const given = `{ share: '${mode}', token: () => window.token || '${tokenFor('alice')}' }`;
  const [stays, changes] = await openTabs(stand, 2, given);
  await bridge.waitConnections(1);
  assert.equal((await stays.see()).userId, 'alice');
  await changes.ask((token) => {
    window.token = token;
    client.close();
    client.open();
  }, tokenFor('bob'));
  await changes.waitFor('it is bob', ({ userId, status }) => userId === 'bob' && status === 'connected');
  await bridge.waitConnections(2);
  await redis.cli('NOTIFY.SEND', 'inbox:alice', 'for alice');
  await redis.cli('NOTIFY.SEND', 'inbox:bob', 'for bob');
  await stays.waitTitles('for alice');
  await changes.waitTitles('for bob');
});

forEach(SHARED, 'a token that the hub asks for, and that is another user\'s by now, is not given to it', async (mode) => {
  const stand = await startWithTokens();
  const { redis, bridge } = stand;
  const given = `{ share: '${mode}', backoffMs: 50, token: () => window.token || '${tokenFor('alice')}' }`;
  const [tab] = await openTabs(stand, 1, given);
  await tab.ask((token) => (window.token = token), tokenFor('bob'));
  await bridge.kill();
  await bridge.start();
  await tab.waitFor('it is bob', ({ userId, status }) => userId === 'bob' && status === 'connected');
  await redis.cli('NOTIFY.SEND', 'inbox:alice', 'for alice');
  await redis.cli('NOTIFY.SEND', 'inbox:bob', 'for bob');
  await tab.waitTitles('for bob');
  const events = await tab.ask(() => window.events.map(([type, event]) => [type, event.unread]));
  const changed = events.findIndex(([type, unread]) => type === 'badge' && unread === null);
  assert.ok(changed >= 0, 'the badge of the last user was taken away');
});

forEach([...SHARED, 'own'], 'a token that ends soon is renewed on the connection that stands', async (mode) => {
  const stand = await startWithTokens();
  const given = `{ share: '${mode}', token: () => (window.calls = (window.calls || 0) + 1) > 1 ? '${tokenFor('alice')}' : '${tokenFor('alice', 45)}' }`;
  const [tab] = await openTabs(stand, 1, given); // the bridge tells a minute before the end: at once
  await eventually('another one was asked for', () => tab.ask(() => window.calls > 1));
  assert.equal(await tab.ask(() => events.filter(([type, { status }]) => type === 'status' && status === 'connected').length), 1);
  assert.deepEqual(await tab.ask(() => got.map(({ type }) => type).filter((type) => type === 'token_expiring')), ['token_expiring']);
  await tab.ask(() => client.heartbeat()); // behind the answer to `auth`
  assert.deepEqual(await tab.ask(() => events.filter(([type]) => type === 'error' || type === 'stopped')), []);
});

forEach(SHARED, 'who does not know who it is shares with nobody', async (mode) => {
  const stand = await begin();
  const tabs = await openTabs(stand, 2, { share: mode });
  for (const tab of tabs) assert.equal((await tab.see()).mode, 'own');
  await stand.bridge.waitConnections(2);
});

/* -- where sharing is not to be had -- */

/* A page whose client says in the title where its connection is. */
const pageWith = (bridge, script = '/notify.js', more = '') => `<!doctype html><script src="${script}"></script><script>
  const client = new NotifyClient('${bridge.socket}', { user: 'alice', share: true });
  window.titles = [];
  client.on('notification', ({ data }) => titles.push(data.title));
  client.on('ready', () => { document.title = client.mode; });
  ${more}
  client.open();
</script>`;

async function says(page, title) {
  let said;
  await eventually(`the page says ${title}`, async () => (said = await page.title()) === title).catch((error) => {
    throw new Error(`${error.message}; it says ${said}`);
  });
}

test('a script from another address can be no worker: then one of the tabs has the connection', async () => {
  const { redis, bridge } = await startServers();
  const { port } = await startSite(() => ({ body: pageWith(bridge, `http://127.0.0.1:${bridge.port}/notify.js`) }));
  const context = await openBrowser();
  const pages = [await context.newPage(), await context.newPage()];
  for (const page of pages) {
    await page.goto(`http://localhost:${port}/`);
    await says(page, 'leader');
  }
  await bridge.waitConnections(1);
  await redis.cli('NOTIFY.SEND', 'inbox:alice', 'one');
  for (const page of pages) await page.waitForFunction(() => titles.join() === 'one');
});

test('a worker that is not there, or is something else, is noticed, and one of the tabs has the connection', async () => {
  const stand = await begin();
  for (const worker of [`http://127.0.0.1:${stand.bridge.port}/notify.js`, '/another.js']) {
    const [tab] = await openTabs(stand, 1, { user: worker, share: true, worker });
    assert.equal((await tab.see()).mode, 'leader', worker);
  }
});

test('a page that trusts no addresses of scripts shares all the same, unless it allows no policy', async () => {
  for (const [policy, mode] of [["require-trusted-types-for 'script'", 'shared'], ["require-trusted-types-for 'script'; trusted-types 'none'", 'leader']]) {
    const { bridge } = await startServers();
    const { address } = await startSite(({ url }) => url === '/' && { headers: { 'content-security-policy': policy }, body: pageWith(bridge) });
    const page = await (await openBrowser()).newPage();
    await page.goto(address);
    await says(page, mode);
  }
});

test('a frame that is boxed in has a connection of its own', async () => {
  const { redis } = await startServers();
  const bridge = await new Bridge(redis, ['--auth', 'none', '--dev', '--cors-origins', 'null']).start();
  const pages = {
    '/': { body: `<script>addEventListener('message', ({ data }) => { document.title = data; });</script>
      <iframe sandbox="allow-scripts" src="/inner"></iframe>` },
    '/inner': { body: pageWith(bridge, '/notify.js', "client.on('ready', () => parent.postMessage(client.mode, '*'));") },
  };
  const { address } = await startSite(({ url }) => pages[url]);
  const page = await (await openBrowser()).newPage();
  await page.goto(address);
  await says(page, 'own');
});

test('a page inside another web site never shares with the same page alone; both hear everything', async () => {
  const { redis, bridge } = await startServers();
  const inner = await startSite(({ url }) => url === '/' && { body: pageWith(bridge) });
  const outer = await startSite(() => ({ body: `<iframe src="${inner.address}"></iframe>` }));
  const context = await openBrowser();
  const frames = [];
  for (const address of [`http://localhost:${outer.port}/`, `http://localhost:${outer.port}/`, inner.address, inner.address]) {
    const page = await context.newPage();
    await page.goto(address);
    const frame = page.frames().find((one) => one.url() === inner.address);
    await eventually('it is connected', async () => (await frame.title()) !== '');
    frames.push(frame);
  }
  const [inside, , alone, another] = await Promise.all(frames.map((frame) => frame.title()));
  assert.deepEqual([alone, another], ['shared', 'shared']);
  await bridge.waitConnections(inside === 'own' ? 3 : 2); // a browser may allow such frames nothing to share by
  await redis.cli('NOTIFY.SEND', 'inbox:alice', 'one');
  for (const frame of frames) await frame.waitForFunction(() => titles.join() === 'one');
});
