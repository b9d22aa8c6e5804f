/* The inbox as a list against a real bridge and Redis: whatever happens to the inbox and its log, by
 * whomever, and to the connection, the list ends as Redis has it. */

import assert from 'node:assert/strict';
import { eventually, test } from './harness.js';
import { ClientPage, openBrowser } from './browser.js';
import { randomOf } from './inbox_model.js';
import { startServers, startSite } from './servers.js';

const RUNS = Number(process.env.NOTIFY_STORE_RUNS || 3);
const FIRST_SEED = Number(process.env.NOTIFY_MODEL_SEED || 1);
const STEPS = 60;
const INBOX = 'inbox:alice';
const LOG = 'topic:all';

async function begin(options = '{}') {
  const servers = await startServers();
  const { address } = await startSite();
  const context = await openBrowser();
  const tab = await ClientPage.open(context, address, servers.bridge.socket, { user: 'alice', backoffMs: 20, backoffMaxMs: 200 });
  await tab.connected();
  await tab.ask((given) => {
    window.failures = [];
    window.inbox = client.inbox(given);
    /* A change as a page makes it: what becomes of it does not hold it up. */
    window.change = (deed) => void deed().catch(({ code }) => failures.push(code));
  }, JSON.parse(options));
  return { ...servers, context, tab };
}

/* What the list shows when nothing is under way, all of it loaded. */
function shown(tab) {
  return tab.ask(async () => {
    if (inbox.state.isLoading || !inbox.state.isLoaded || !inbox.state.isLive) return null;
    if (inbox.state.hasMore) return void (await inbox.more());
    const { items, unread, total } = inbox.state;
    return { items: items.map(({ key, id, title, is_read }) => [key, id, title, is_read]), unread, total };
  });
}

/* The same as Redis has it, without the events. */
async function wanted(redis, view = []) {
  const lines = await redis.cli('NOTIFY.FEED', INBOX, 'LOGS', 1, LOG, 'COUNT', 1000, ...view, 'JSON');
  const messages = lines.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
  const items = messages.filter(({ id, data }) => data.id === id).map(({ key, data }) => [key, data.id, data.title, data.is_read]);
  const unread = Number(await redis.cli('NOTIFY.UNREAD', INBOX));
  const total = Number(await redis.cli('NOTIFY.UNREAD', INBOX, 'LOGS', 1, LOG));
  return { items, unread, total };
}

async function waitSame(tab, redis, about, view) {
  let seen;
  let there;
  const isSame = async () => {
    seen = await shown(tab);
    there = await wanted(redis, view);
    return seen && JSON.stringify(seen) === JSON.stringify(there);
  };
  await eventually(`the list is as Redis has it (${about})`, isSame).catch((error) => {
    throw new Error(`${error.message}\nshown:  ${JSON.stringify(seen)}\nwanted: ${JSON.stringify(there)}`);
  });
}

/* -- one by one -- */

test('what is done to the inbox and to its log, in the list and elsewhere, is seen in the list', async () => {
  const { redis, tab } = await begin();
  for (const title of ['one', 'two', 'three']) await redis.cli('NOTIFY.SEND', INBOX, title);
  await redis.cli('NOTIFY.SEND', LOG, 'for all');
  await waitSame(tab, redis, 'sent');
  await tab.ask(() => inbox.markRead(inbox.state.items));
  await waitSame(tab, redis, 'read');
  assert.equal((await shown(tab)).total, 0);
  await tab.ask(() => inbox.markUnread(inbox.state.items[0]));
  await tab.ask(() => inbox.archive(inbox.state.items[1]));
  await waitSame(tab, redis, 'unread again, archived');
  assert.equal((await shown(tab)).items.length, 3);
  await tab.ask(() => inbox.remove(inbox.state.items[1]));
  await waitSame(tab, redis, 'removed');
  await redis.cli('NOTIFY.SEND', INBOX, 'four');
  await waitSame(tab, redis, 'sent');
  await tab.ask(() => inbox.markAllRead());
  await waitSame(tab, redis, 'all read');
});

test('what is refused since Redis is away is taken back', async () => {
  const { redis, tab } = await begin();
  await redis.cli('NOTIFY.SEND', INBOX, 'one');
  await waitSame(tab, redis, 'sent');
  await redis.kill();
  const states = await tab.ask(async () => {
    const before = inbox.state.items[0].is_read;
    const done = inbox.markRead(inbox.state.items[0]);
    const during = inbox.state.items[0].is_read;
    const code = await done.catch((error) => error.code);
    return [before, during, inbox.state.items[0].is_read, code];
  });
  assert.deepEqual(states, [false, true, false, 'UNAVAILABLE']);
  await redis.start();
  await waitSame(tab, redis, 'Redis is back');
});

test('views of a list are as Redis has them', async () => {
  for (const [options, view] of [['{"archived":true}', ['ARCHIVED']], ['{"unreadOnly":true}', ['UNREAD']], ['{"category":"ci"}', ['CATEGORY', 'ci']]]) {
    const { redis, tab } = await begin(options);
    for (let i = 0; i < 6; i++) await redis.cli('NOTIFY.SEND', INBOX, `${i}`, ...(i % 2 ? ['CATEGORY', 'ci'] : []));
    const ids = (await redis.cli('NOTIFY.REVRANGE', INBOX, '+', '-', 'JSON')).match(/(?<="id":")\d+-\d+(?=","prev)/g);
    await redis.cli('NOTIFY.MARK', INBOX, 'ARCHIVED', ids[0], ids[3]);
    await redis.cli('NOTIFY.MARK', INBOX, 'READ', ids[1], ids[2]);
    await waitSame(tab, redis, options, view);
    await redis.cli('NOTIFY.MARK', INBOX, 'UNARCHIVED', ids[3]);
    await redis.cli('NOTIFY.MARK', INBOX, 'UNREAD', ids[1]);
    await waitSame(tab, redis, `${options} and back`, view);
  }
});

/* -- in any order -- */

const DEEDS = {
  send: ({ redis, n }) => redis.cli('NOTIFY.SEND', INBOX, `inbox ${n}`),
  sendLog: ({ redis, n }) => redis.cli('NOTIFY.SEND', LOG, `log ${n}`),
  collapse: ({ redis, n }) => redis.cli('NOTIFY.SEND', INBOX, `collapsed ${n}`, 'COLLAPSE', 'same'),
  collapseLog: ({ redis, n }) => redis.cli('NOTIFY.SEND', LOG, `collapsed ${n}`, 'COLLAPSE', 'same'),
  expiring: ({ redis, n }) => redis.cli('NOTIFY.SEND', INBOX, `expiring ${n}`, 'PX', 400),
  event: ({ redis }) => redis.cli('NOTIFY.EVENT', INBOX, 'progress', 'DATA', '{"id":"x"}'),
  readElsewhere: (world) => mark(world, 'READ'),
  unreadElsewhere: (world) => mark(world, 'UNREAD'),
  archiveElsewhere: (world) => mark(world, 'ARCHIVED'),
  unarchiveElsewhere: (world) => mark(world, 'UNARCHIVED'),
  readAllElsewhere: ({ redis }) => redis.cli('NOTIFY.READALL', INBOX, 'LOGS', 1, LOG),
  deleteElsewhere: async (world) => {
    const [key, id] = world.pick(world.known);
    await world.redis.cli('NOTIFY.DEL', key, id);
  },
  trim: ({ redis }) => redis.cli('NOTIFY.TRIM', INBOX, 'MAXLEN', 8),
  trimLog: ({ redis }) => redis.cli('NOTIFY.TRIM', LOG, 'MAXLEN', 8),
  deleteInbox: ({ redis, random }) => random() < 0.2 && redis.cli('DEL', INBOX),
  read: (world) => change(world, 'markRead'),
  unread: (world) => change(world, 'markUnread'),
  archive: (world) => change(world, 'archive'),
  unarchive: (world) => change(world, 'unarchive'),
  remove: (world) => change(world, 'remove'),
  readAll: ({ tab }) => tab.ask(() => change(() => inbox.markAllRead())),
  more: ({ tab }) => tab.ask(() => change(() => inbox.more())),
  reload: ({ tab }) => tab.ask(() => change(() => inbox.reload())),
  restartBridge: async ({ bridge, random }) => {
    if (random() < 0.7) return;
    await bridge.kill();
    await bridge.start();
  },
  reconnect: ({ tab, random }) => random() < 0.4 && tab.ask(() => {
    client.close();
    client.open();
  }),
};

function mark({ redis, pick, known }, how) {
  const [key, id] = pick(known);
  return redis.cli('NOTIFY.MARK', INBOX, how, id, ...(key === LOG ? ['LOG', LOG] : []));
}

function change({ tab, random }, deed) {
  return tab.ask(([name, at]) => {
    const { items } = inbox.state;
    const item = items[Math.floor(at * items.length)];
    if (item) change(() => inbox[name](item));
  }, [deed, random()]);
}

test('whatever happens, by whomever and in whatever order: the list ends as Redis has it, and so does the badge', async () => {
  for (let seed = FIRST_SEED; seed < FIRST_SEED + RUNS; seed++) {
    const random = randomOf(seed);
    const pick = (list) => list[Math.floor(random() * list.length)];
    const world = { ...(await begin('{"pageSize":5}')), random, pick, known: [[INBOX, '1-0']], n: 0 };
    const names = Object.keys(DEEDS).filter((name) => name.startsWith('send') || random() < 0.7);
    const trace = [];
    for (; world.n < STEPS; world.n++) {
      const name = pick(names);
      trace.push(name);
      const said = await DEEDS[name](world);
      const id = /^\d+-\d+$/m.exec(typeof said === 'string' ? said : '');
      if (id) world.known.push([name.endsWith('Log') ? LOG : INBOX, id[0]]);
    }
    await waitSame(world.tab, world.redis, `seed ${seed}: ${trace.join(' ')}`);
    await world.tab.page.close();
  }
});
