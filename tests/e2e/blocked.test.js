/* Networks in which no WebSocket gets through: a real browser, a real bridge, and between them a proxy
 * that does to upgrades what proxies do. */

import assert from 'node:assert/strict';
import { connect, createServer } from 'node:net';
import { after, test } from './harness.js';
import { ClientPage, openBrowser } from './browser.js';
import { startServers, startSite } from './servers.js';

const ANSWER = (status) => (client) => client.end(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);

/* What it does with a connection whose first request wants an upgrade. */
const BLOCKS = {
  'answers 403': ANSWER('403 Forbidden'),
  'answers 400': ANSWER('400 Bad Request'),
  'cuts it': (client) => client.destroy(),
  'forgets that it is an upgrade': (client, server, head) => server.write(head.replace(/^(upgrade|connection):.*\r\n/gim, '')),
  'lets it open and nothing pass': (client, server, head) => {
    server.write(head);
    server.once('data', (answer) => client.write(answer.subarray(0, answer.indexOf('\r\n\r\n') + 4)));
  },
};

class Proxy {
  #block = null;
  #port; // of the bridge
  #sockets = new Set();
  #server;
  upgrades = 0;

  static async start(port, block) {
    const proxy = new Proxy();
    proxy.#port = port;
    proxy.#block = BLOCKS[block];
    proxy.#server = createServer((client) => proxy.#accept(client));
    await new Promise((done) => proxy.#server.listen(0, '127.0.0.1', done));
    after(() => proxy.stop());
    return proxy;
  }

  get port() {
    return this.#server.address().port;
  }

  #accept(client) {
    const server = connect(this.#port, '127.0.0.1');
    for (const [socket, other] of [[client, server], [server, client]]) {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
    client.once('data', (data) => this.#begin(client, server, data));
  }

  #begin(client, server, data) {
    const isUpgrade = /^upgrade: websocket\r$/im.test(data.toString('latin1'));
    if (isUpgrade) this.upgrades++;
    if (isUpgrade && this.#block) {
      this.#block(client, server, data.toString('latin1'));
      if (this.#block === BLOCKS['forgets that it is an upgrade']) server.pipe(client);
      return;
    }
    server.write(data);
    client.pipe(server).pipe(client);
  }

  /* From now on everything gets through. */
  open() {
    this.#block = null;
  }

  stop() {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

async function start(block, options = {}) {
  const servers = await startServers();
  const proxy = await Proxy.start(servers.bridge.port, block);
  const context = await openBrowser();
  const openTab = (more = {}) => ClientPage.open(context, `http://127.0.0.1:${proxy.port}/readyz`, `ws://127.0.0.1:${proxy.port}/ws`, { user: 'alice', connectMs: 1500, backoffMs: 50, ...options, ...more });
  const send = (title, box = 'inbox:alice') => servers.redis.cli('NOTIFY.SEND', box, title);
  return { ...servers, proxy, context, openTab, send };
}

const byStream = (tab) => tab.waitFor('it is connected by stream', ({ link, readies }) => link === 'stream' && readies > 0);
const byWebSocket = (tab) => tab.waitFor('it is connected by WebSocket', ({ link }) => link === 'websocket');

for (const block of Object.keys(BLOCKS)) {
  test(`a proxy that ${block}: everything goes by event stream and HTTP, and by WebSocket once that gets through`, async () => {
    const { proxy, openTab, send } = await start(block);
    const tab = await openTab();
    await byStream(tab);
    await send('one');
    await send('to all', 'topic:all');
    await tab.waitTitles('one', 'to all');
    const answers = await tab.ask(async () => {
      const { items } = await client.history();
      const { changed } = await client.markRead(items[0].id);
      const { unread } = await client.unreadCount();
      const refused = await client.request('nonsense').catch(({ code }) => code);
      return [items.map(({ title }) => title), changed, unread, refused];
    });
    assert.deepEqual(answers, [['one'], 1, 0, 'UNKNOWN_TYPE']);
    await tab.waitFor('the badge is right', ({ unread }) => unread === 0);
    proxy.open();
    await tab.ask(() => dispatchEvent(new Event('online')));
    await byWebSocket(tab);
    await send('two');
    await tab.waitTitles('one', 'to all', 'two');
  });
}

test('topics are followed and left over a stream, too', async () => {
  const { openTab, send } = await start('answers 403', { topics: ['news'] });
  const tab = await openTab();
  await byStream(tab);
  await send('one', 'topic:news');
  await tab.waitTitles('one');
  const readies = async () => (await tab.see()).readies;
  let before = await readies();
  await tab.ask(() => client.subscribe('sports'));
  await tab.waitFor('it is ready again', (seen) => seen.readies > before);
  await send('two', 'topic:sports');
  await tab.waitTitles('one', 'two');
  before = await readies();
  await tab.ask(() => client.unsubscribe('news'));
  await tab.waitFor('it is ready again', (seen) => seen.readies > before);
  await send('nobody', 'topic:news');
  await send('three', 'topic:sports');
  await tab.waitTitles('one', 'two', 'three');
});

test('over restarts of the bridge a stream loses nothing and tells nothing twice', async () => {
  const { bridge, openTab, send } = await start('answers 400');
  const tab = await openTab();
  await byStream(tab);
  const titles = [];
  for (let i = 0; i < 3; i++) {
    titles.push(`before ${i}`);
    await send(titles.at(-1));
    await tab.waitTitles(...titles);
    await (i % 2 ? bridge.stop() : bridge.kill());
    titles.push(`meanwhile ${i}`);
    await send(titles.at(-1));
    await bridge.start();
    await tab.waitTitles(...titles);
  }
});

test('a page of another address may use the stream as it may use the WebSocket', async () => {
  const { proxy, context, send } = await start('answers 403');
  const { address } = await startSite();
  const tab = await ClientPage.open(context, address, `ws://127.0.0.1:${proxy.port}/ws`, { user: 'alice', backoffMs: 50 });
  await byStream(tab);
  await send('one');
  await tab.waitTitles('one');
  assert.equal(await tab.ask(async () => (await client.markAllRead()).changed), 1);
});

test('more tabs than a browser has connections to one address share one stream', async () => {
  const { openTab, send, proxy, bridge } = await start('answers 403', { share: 'shared' });
  const tabs = [];
  for (let i = 0; i < 8; i++) tabs.push(await openTab());
  for (const tab of tabs) await byStream(tab);
  await send('one');
  for (const tab of tabs) await tab.waitTitles('one');
  assert.equal(await tabs.at(-1).ask(async () => (await client.history()).items.length), 1);
  assert.equal(await bridge.connections('sse'), 1);
  // Each tab that is opened, and so looked at, has it tried once more; alone it would have tried twice.
  assert.ok(proxy.upgrades < 2 * tabs.length, 'one of them tried WebSocket for all');
});
