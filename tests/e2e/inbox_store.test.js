/* The inbox as a list: what is shown at once, what is taken back, and what comes while a page is on its
 * way; played. */

import assert from 'node:assert/strict';
import { test } from './harness.js';
import { entry, NotifyClient, Scene, settle } from './scene.js';

const { LIMITS } = NotifyClient;
const HISTORY = 'request_notification_history';

function item(id, more = {}) {
  return { id, title: id, category: null, is_read: false, expires_at: null, ...more };
}

const live = (id, prev, more = {}) => entry(id, prev, { data: item(id, more) });

/* A list of these entries, newest first. */
async function start({ items = [item('100-0'), item('99-0'), item('98-0')], next = null, options = {} } = {}) {
  const scene = await Scene.start();
  const inbox = scene.client.inbox(options);
  await scene.connectFirst();
  await scene.answer(HISTORY, { type: 'notification_history', items, next, unread: items.length });
  return { scene, inbox };
}

const idsOf = (inbox) => inbox.state.items.map(({ id }) => id);
const unreadOf = (inbox) => inbox.state.items.filter(({ is_read }) => !is_read).map(({ id }) => id);
const draw = (scene) => scene.clock.advance(LIMITS.drawMs);
const change = (type, ids, more = {}) => ({ type, key: 'inbox:alice', rev: 3, unread: 0, ids, ...more });

test('the list is loaded when the client is ready, and what comes later stands where it belongs', async () => {
  const { scene, inbox } = await start();
  assert.deepEqual(idsOf(inbox), ['100-0', '99-0', '98-0']);
  assert.deepEqual(scene.request(HISTORY).limit, 20);
  assert.equal(scene.request(HISTORY).feed, undefined, 'there is nothing else to list');
  await scene.receive(live('102-0', '100-0'));
  await scene.receive(live('102-0', '100-0'));
  await draw(scene);
  assert.deepEqual(idsOf(inbox), ['102-0', '100-0', '99-0', '98-0']);
  assert.deepEqual(inbox.state.items[0], { ...item('102-0'), key: 'inbox:alice', is_archived: false });
});

test('each change of state does to the list what it says', async () => {
  const { scene, inbox } = await start();
  const hear = async (...messages) => {
    await scene.receive(...messages);
    await draw(scene);
  };
  await hear(change('read', ['99-0']));
  assert.deepEqual(unreadOf(inbox), ['100-0', '98-0']);
  await hear(change('unread_again', ['99-0']));
  assert.deepEqual(unreadOf(inbox), ['100-0', '99-0', '98-0']);
  await hear(change('read', undefined, { upto: '99-0' }));
  assert.deepEqual(unreadOf(inbox), ['100-0']);
  await hear(change('archived', ['98-0']));
  assert.deepEqual(idsOf(inbox), ['100-0', '99-0']);
  await hear(change('unarchived', ['98-0']));
  assert.deepEqual(idsOf(inbox), ['100-0', '99-0', '98-0']);
  await hear(change('deleted', ['99-0']));
  assert.deepEqual(idsOf(inbox), ['100-0', '98-0']);
  await hear(change('deleted', undefined, { before: '99-0' }));
  assert.deepEqual(idsOf(inbox), ['100-0']);
  await hear(live('103-0', '100-0', {}), { ...live('104-0', '103-0'), replaces: '103-0' });
  assert.deepEqual(idsOf(inbox), ['104-0', '100-0']);
  await hear(change('gone', undefined));
  assert.deepEqual(idsOf(inbox), []);
});

test('a category that is read up to an id is read in this category alone', async () => {
  const { scene, inbox } = await start({ items: [item('100-0', { category: 'ci' }), item('99-0'), item('98-0', { category: 'ci' })] });
  await scene.receive(change('read', undefined, { upto: '99-0', category: 'ci' }));
  await draw(scene);
  assert.deepEqual(unreadOf(inbox), ['100-0', '99-0']);
});

test('events and what is of other boxes are no entries', async () => {
  const { scene, inbox } = await start({ items: [item('100-0'), { type: 'progress', key: 'inbox:alice', id: '99-0', data: {} }] });
  await scene.receive(entry('101-0', '100-0', { type: 'progress', data: { id: 'x' } }), live('200-0', '0-0'), { ...live('60-0', '50-0'), key: 'topic:all' });
  await draw(scene);
  assert.deepEqual(idsOf(inbox), ['200-0', '100-0']);
});

/* -- changes -- */

test('with events, those that are stored stand in the list as whole messages, and have nothing to be read', async () => {
  const event = (id) => ({ type: 'progress', key: 'inbox:alice', id, timestamp: 'now', data: { percent: 40 } });
  const { scene, inbox } = await start({ options: { events: true }, items: [item('100-0'), event('99-0')] });
  assert.deepEqual(idsOf(inbox), ['100-0', '99-0']);
  assert.deepEqual(inbox.state.items[1], { ...event('99-0'), is_read: true, is_archived: false });
  await scene.receive(event('101-0'), { ...event(), id: undefined }, { ...event('102-0'), key: 'topic:news' });
  await draw(scene);
  assert.deepEqual(idsOf(inbox), ['101-0', '100-0', '99-0']);
  assert.deepEqual(unreadOf(inbox), ['100-0']);
  await scene.receive(change('deleted', ['99-0']));
  await draw(scene);
  assert.deepEqual(idsOf(inbox), ['101-0', '100-0']);
});

test('what is asked for is shown at once, and stays when it is done', async () => {
  const { scene, inbox } = await start();
  const done = inbox.markRead([inbox.state.items[0], '98-0']);
  assert.deepEqual(unreadOf(inbox), ['99-0']);
  await settle();
  assert.deepEqual(scene.request('mark_read').ids, ['100-0', '98-0']);
  await scene.answer('mark_read', { type: 'ok', changed: 2, unread: 1 });
  assert.deepEqual(await done, { changed: 2 });
  assert.deepEqual(unreadOf(inbox), ['99-0']);
});

test('what is refused is taken back, and nothing else', async () => {
  const deeds = {
    mark_read: (inbox) => inbox.markRead('99-0'),
    archive: (inbox) => inbox.archive('99-0'),
    delete_notification: (inbox) => inbox.remove('99-0'),
  };
  for (const [type, deed] of Object.entries(deeds)) {
    const { scene, inbox } = await start();
    const before = inbox.state.items;
    const refused = assert.rejects(deed(inbox), { code: 'UNAVAILABLE' });
    const others = inbox.markRead('100-0');
    assert.notDeepEqual(inbox.state.items, before);
    await settle();
    if (type === 'mark_read') {
      const [first] = scene.socket.sent.filter((sent) => sent.type === type);
      await scene.receive({ type: 'error', error: { code: 'UNAVAILABLE' }, request_id: first.request_id });
    } else {
      await scene.answer(type, { type: 'error', error: { code: 'UNAVAILABLE' } });
    }
    await refused;
    await scene.answer('mark_read', { type: 'ok', changed: 1, unread: 2 });
    await others;
    assert.deepEqual(idsOf(inbox), ['100-0', '99-0', '98-0'], type);
    assert.deepEqual(unreadOf(inbox), ['99-0', '98-0'], type);
  }
});

test('without a connection a change is refused at once', async () => {
  const { scene, inbox } = await start();
  await scene.drop();
  assert.equal(inbox.state.isLive, false);
  await assert.rejects(inbox.markRead('99-0'), { code: 'NOT_CONNECTED' });
  assert.deepEqual(unreadOf(inbox), ['100-0', '99-0', '98-0']);
});

test('whether it was done when the connection was lost, the next one tells', async () => {
  for (const wasDone of [true, false]) {
    const { scene, inbox } = await start();
    const lost = assert.rejects(inbox.markRead('99-0'), { code: 'DISCONNECTED' });
    await settle();
    await scene.reconnect();
    await lost;
    const results = { 'inbox:alice': { recovered: true, count: 0 }, 'topic:all': { recovered: true, count: 0 } };
    await scene.answer('resume', { type: 'resumed', results });
    await scene.answer('unread_count', { type: 'unread_count', unread: 2, last: '100-0', rev: 2 });
    await scene.answer(HISTORY, { type: 'notification_history', items: [item('100-0'), item('99-0', { is_read: wasDone })], next: null });
    assert.deepEqual(unreadOf(inbox), wasDone ? ['100-0'] : ['100-0', '99-0']);
  }
});

test('changes of one entry that are under way at the same time end as the last one that is done', async () => {
  const { scene, inbox } = await start();
  const read = inbox.markRead('99-0');
  const unread = assert.rejects(inbox.markUnread('99-0'), { code: 'UNAVAILABLE' });
  await settle();
  assert.deepEqual(unreadOf(inbox), ['100-0', '99-0', '98-0']);
  await scene.answer('mark_read', { type: 'ok', changed: 1, unread: 2 });
  assert.deepEqual(unreadOf(inbox), ['100-0', '99-0', '98-0'], 'the second one is still under way');
  await scene.answer('mark_unread', { type: 'error', error: { code: 'UNAVAILABLE' } });
  await Promise.all([read, unread]);
  assert.deepEqual(unreadOf(inbox), ['100-0', '98-0']);
});

test('reading all reads up to the newest one that is shown, not what comes just then', async () => {
  const { scene, inbox } = await start();
  const done = inbox.markAllRead();
  await scene.receive(live('101-0', '100-0'));
  await draw(scene);
  assert.deepEqual(unreadOf(inbox), ['101-0']);
  assert.equal(scene.request('mark_all_read').upto, '100-0');
  await scene.answer('mark_all_read', { type: 'ok', changed: 3, unread: 1 });
  await done;
  assert.deepEqual(unreadOf(inbox), ['101-0']);
});

test('of entries of a log the log is told, and at most a hundred at once', async () => {
  const items = Array.from({ length: 250 }, (_, i) => item(`${1000 - i}-0`, i % 2 ? { log: 'topic:all' } : {}));
  const { scene, inbox } = await start({ items, options: { pageSize: 250 } });
  inbox.archive(inbox.state.items).catch(() => {});
  await settle();
  const sent = scene.socket.sent.filter(({ type }) => type === 'archive').map(({ log, ids }) => [log, ids.length]);
  assert.deepEqual(sent, [[undefined, 100], [undefined, 25], ['topic:all', 100], ['topic:all', 25]]);
  assert.equal(inbox.state.items.length, 0);
});

/* -- pages -- */

test('what comes while a page is on its way is neither lost nor taken for older than it', async () => {
  const { scene, inbox } = await start();
  inbox.reload();
  await settle();
  await scene.receive(live('101-0', '100-0'), change('read', ['99-0']), change('deleted', ['98-0']));
  await scene.answer(HISTORY, { type: 'notification_history', items: [item('100-0'), item('99-0'), item('98-0')], next: null });
  assert.deepEqual(idsOf(inbox), ['101-0', '100-0', '99-0']);
  assert.deepEqual(unreadOf(inbox), ['101-0', '100-0']);
});

test('the next page stands below, nothing stands twice, and what is older than the end waits for its page', async () => {
  const { scene, inbox } = await start({ next: '98-0:inbox:alice', options: { pageSize: 3 } });
  assert.equal(inbox.state.hasMore, true);
  await scene.receive({ ...live('7-0', '6-0'), key: 'inbox:alice', id: '101-0', data: item('101-0') });
  const more = inbox.more();
  const twice = inbox.more();
  await settle();
  assert.equal(scene.request(HISTORY).before, '98-0:inbox:alice');
  await scene.answer(HISTORY, { type: 'notification_history', items: [item('98-0'), item('97-0')], next: null });
  await Promise.all([more, twice]);
  assert.deepEqual(idsOf(inbox), ['101-0', '100-0', '99-0', '98-0', '97-0']);
  assert.equal(inbox.state.hasMore, false);
  await inbox.more();
  assert.equal(scene.socket.sent.filter(({ type }) => type === HISTORY).length, 2);
});

test('a reload asks for as much as is shown, in pages, and a page that is late for it is void', async () => {
  const items = Array.from({ length: 150 }, (_, i) => item(`${1000 - i}-0`));
  const page = (from, to, next) => ({ type: 'notification_history', items: items.slice(from, to), next });
  const { scene, inbox } = await start({ items: items.slice(0, 75), next: 'a', options: { pageSize: 75 } });
  const more = inbox.more();
  await settle();
  await scene.answer(HISTORY, page(75, 150, 'b'));
  await more;
  const late = inbox.more();
  await settle();
  const asked = scene.request(HISTORY);
  inbox.reload();
  await settle();
  assert.deepEqual([scene.request(HISTORY).limit, scene.request(HISTORY).before], [100, undefined]);
  await scene.answer(HISTORY, page(0, 100, 'c'));
  assert.deepEqual([scene.request(HISTORY).limit, scene.request(HISTORY).before], [50, 'c']);
  await scene.answer(HISTORY, page(100, 149, null));
  await scene.receive({ type: 'notification_history', items: [item('1-0')], next: null, request_id: asked.request_id });
  await late;
  assert.equal(inbox.state.items.length, 149);
});

test('what comes makes a list no longer than 500; what has fallen off its end is the next page', async () => {
  for (const [logs, before] of [[undefined, '600-0'], [{ 'topic:all': { unread: 0 } }, '600-0:inbox:alice']]) {
    const { scene, inbox } = logs ? await withLogs(logs) : await start();
    for (let n = 101; n <= 1099; n++) await scene.receive(live(`${n}-0`, `${n - 1}-0`));
    await draw(scene);
    assert.equal(inbox.state.items.length, LIMITS.reload);
    assert.deepEqual([idsOf(inbox)[0], idsOf(inbox).at(-1)], ['1099-0', '600-0']);
    assert.equal(inbox.state.hasMore, true);
    const more = inbox.more();
    await settle();
    assert.equal(scene.request(HISTORY).before, before);
    await scene.receive(live('1100-0', '1099-0'));
    await scene.answer(HISTORY, { type: 'notification_history', items: [item('599-0'), item('598-0')], next: null });
    await more;
    assert.deepEqual(idsOf(inbox).slice(-3), ['600-0', '599-0', '598-0'], 'without a gap, whatever came meanwhile');
    assert.equal(inbox.state.items.length, LIMITS.reload + 3, 'what was asked for stays');
    await scene.receive(live('1101-0', '1100-0'));
    await draw(scene);
    assert.deepEqual([inbox.state.items.length, idsOf(inbox).at(-1)], [LIMITS.reload + 3, '599-0']);
  }
});

test('a page that could not be had is asked for again while Redis is away, or when it got lost beside a stream', async () => {
  for (const error of [{ code: 'UNAVAILABLE', message: 'Redis is away' }, { code: 'DISCONNECTED', message: 'no answer came' }]) {
    const { scene, inbox } = await start();
    inbox.reload();
    await settle();
    await scene.answer(HISTORY, { type: 'error', error });
    assert.equal(inbox.state.error.code, error.code);
    assert.deepEqual(idsOf(inbox), ['100-0', '99-0', '98-0'], 'what was shown stays');
    await scene.clock.advance(2 * LIMITS.countMs);
    await scene.answer(HISTORY, { type: 'notification_history', items: [item('100-0')], next: null });
    assert.equal(inbox.state.error, null);
    assert.deepEqual(idsOf(inbox), ['100-0']);
  }
});

test('what no message can tell, and what is not there yet, is asked for', async () => {
  for (const message of [change('changed', undefined), change('unarchived', ['50-0']), { type: 'resumed', results: {} }]) {
    const { scene } = await start();
    const count = () => scene.socket.sent.filter(({ type }) => type === HISTORY).length;
    await scene.receive(message);
    await draw(scene);
    assert.equal(count(), 2, message.type);
  }
});

/* -- what it shows -- */

test('the state is frozen, and the same as long as nothing changes; a burst is told once', async () => {
  const { scene, inbox } = await start();
  const told = [];
  const end = inbox.subscribe((state) => told.push(state));
  assert.equal(told.length, 1);
  assert.equal(inbox.state, told[0]);
  assert.ok(Object.isFrozen(inbox.state) && Object.isFrozen(inbox.state.items) && Object.isFrozen(inbox.state.items[0]));
  const [kept] = inbox.state.items;
  for (let i = 101; i < 150; i++) await scene.receive(live(`${i}-0`, `${i - 1}-0`));
  await draw(scene);
  assert.equal(told.length, 2);
  assert.equal(inbox.state.items.at(-3), kept, 'an entry that has not changed is the same one');
  end();
  inbox.markRead('100-0').catch(() => {});
  assert.equal(told.length, 2);
});

test('a listener that fails does not keep the others from being told', async () => {
  const { inbox } = await start();
  const { error } = console;
  const complaints = [];
  console.error = (complaint) => complaints.push(complaint);
  let calls = 0;
  inbox.subscribe(() => {
    if (calls++ > 0) throw new Error('mine');
  });
  const told = [];
  inbox.subscribe((state) => told.push(state));
  inbox.markRead('100-0').catch(() => {});
  console.error = error;
  assert.equal(told.length, 2);
  assert.equal(complaints.length, 1);
});

test('an entry that expires goes by itself, by the clock of the bridge', async () => {
  const scene = await Scene.start();
  const inbox = scene.client.inbox();
  scene.socket.readyState = 1;
  const ahead = 5000;
  const timestamp = new Date(scene.clock.now() + ahead).toISOString();
  await scene.receive({ type: 'connection', status: 'connected', client_id: 'c1', user_id: 'alice', timestamp });
  await scene.answer('subscribe', { type: 'subscription', topic: 'all', last: '50-0' });
  await scene.answer('unread_count', { type: 'unread_count', unread: 2, last: '100-0', rev: 2 });
  const expires_at = new Date(scene.clock.now() + ahead + 10000).toISOString();
  await scene.answer(HISTORY, { type: 'notification_history', items: [item('100-0'), item('99-0', { expires_at })], next: null });
  await scene.clock.advance(9999);
  assert.deepEqual(idsOf(inbox), ['100-0', '99-0']);
  await scene.clock.advance(1);
  assert.deepEqual(idsOf(inbox), ['100-0']);
});

test('views show what is theirs: unread ones, archived ones, a category', async () => {
  const unread = await start({ options: { unreadOnly: true } });
  assert.equal(unread.scene.request(HISTORY).unread_only, true);
  await unread.scene.receive(change('read', ['99-0']));
  await draw(unread.scene);
  assert.deepEqual(idsOf(unread.inbox), ['100-0', '98-0']);
  const archive = await start({ options: { archived: true } });
  assert.equal(archive.scene.request(HISTORY).archived, true);
  await archive.scene.receive(live('101-0', '100-0'), change('unarchived', ['99-0']));
  await draw(archive.scene);
  assert.deepEqual(idsOf(archive.inbox), ['100-0', '98-0']);
  const ci = await start({ items: [item('100-0', { category: 'ci' })], options: { category: 'ci' } });
  assert.equal(ci.scene.request(HISTORY).category, 'ci');
  await ci.scene.receive(live('101-0', '100-0', { category: 'other' }), live('102-0', '101-0', { category: 'ci' }));
  await draw(ci.scene);
  assert.deepEqual(idsOf(ci.inbox), ['102-0', '100-0']);
});

test('nothing of one user is shown when the connection is another one\'s', async () => {
  let token = 'a';
  const { scene, inbox } = await start({ options: {} });
  assert.equal(inbox.state.items.length, 3);
  await scene.drop();
  await scene.clock.advance(60000);
  scene.socket.readyState = 1;
  await scene.receive({ type: 'connection', status: 'connected', client_id: 'c2', user_id: 'bob' });
  assert.deepEqual(idsOf(inbox), []);
  assert.ok(token);
});

test('a list that was closed hears nothing any more', async () => {
  const { scene, inbox } = await start();
  let calls = 0;
  inbox.subscribe(() => calls++);
  inbox.close();
  await scene.receive(live('101-0', '100-0'));
  await draw(scene);
  assert.equal(calls, 1);
});

/* -- logs: broadcasts and the topics of roles -- */

const COUNTED = { type: 'unread_count', unread: 1, last: '100-0', rev: 5, muted: ['dull'] };

async function withLogs(logs = { 'topic:all': { unread: 2, last: '50-0' } }) {
  const scene = await Scene.start();
  const inbox = scene.client.inbox();
  await scene.greet();
  await scene.answer('subscribe', { type: 'subscription', topic: 'all', status: 'subscribed', last: '50-0' });
  await scene.answer('unread_count', { ...COUNTED, logs });
  await scene.answer(HISTORY, { type: 'notification_history', items: [item('100-0'), item('50-0', { log: 'topic:all' })], next: null });
  return { scene, inbox };
}

const ofLog = (id, prev, more = {}) => ({ ...live(id, prev, more), key: 'topic:all', category: more.category });

test('the badge counts the inbox and the logs that it follows; muted categories it does not', async () => {
  const { scene } = await withLogs();
  assert.equal(scene.client.unread, 1);
  assert.equal(scene.client.total, 3);
  await scene.receive(ofLog('51-0', '50-0'));
  assert.equal(scene.client.total, 4);
  await scene.receive(ofLog('51-0', '50-0'), ofLog('52-0', '51-0', { category: 'dull' }));
  assert.equal(scene.client.total, 4);
  assert.deepEqual(scene.all('badge').map(({ total }) => total), [3, 4]);
});

test('an answer that is older than an entry of a log does not take it out of the count', async () => {
  const { scene } = await withLogs();
  scene.client.unreadCount();
  await scene.receive(ofLog('51-0', '50-0'));
  await scene.answer('unread_count', { ...COUNTED, logs: { 'topic:all': { unread: 2, last: '50-0' } } });
  assert.equal(scene.client.total, 4);
  scene.client.unreadCount();
  await settle();
  await scene.answer('unread_count', { ...COUNTED, logs: { 'topic:all': { unread: 3, last: '51-0' } } });
  assert.equal(scene.client.total, 4);
});

test('what is done to entries of a log is told with its count, and then asked for', async () => {
  const { scene, inbox } = await withLogs();
  const asked = () => scene.socket.sent.filter(({ type }) => type === 'unread_count').length;
  await scene.receive({ ...change('read', ['50-0']), unread: 1, rev: 6, log: 'topic:all', log_unread: 1 });
  await draw(scene);
  assert.equal(scene.client.total, 2);
  assert.deepEqual(unreadOf(inbox), ['100-0']);
  await scene.clock.advance(2000);
  assert.equal(asked(), 2);
});

test('when a log itself changes, its followers do not ask all at once', async () => {
  const { scene, inbox } = await withLogs();
  const asked = () => scene.socket.sent.filter(({ type }) => type === 'unread_count').length;
  await scene.receive({ type: 'deleted', key: 'topic:all', rev: 3, unread: 0, ids: ['50-0'] });
  await draw(scene);
  assert.deepEqual(idsOf(inbox), ['100-0']);
  await scene.clock.advance(LIMITS.logRecountMs - 100); // the clock of these tests always takes the longest pause
  assert.equal(asked(), 1);
  await scene.clock.advance(100);
  assert.equal(asked(), 2);
});

test('a list of an inbox that follows logs is asked for with them', async () => {
  const { scene } = await withLogs();
  assert.equal(scene.request(HISTORY).feed, true);
});

test('a live entry of a log stands in the list under its log', async () => {
  const { scene, inbox } = await withLogs();
  await scene.receive(ofLog('101-0', '50-0'));
  await draw(scene);
  assert.deepEqual(inbox.state.items.map(({ id, key }) => [id, key]), [['101-0', 'topic:all'], ['100-0', 'inbox:alice'], ['50-0', 'topic:all']]);
  inbox.markRead(inbox.state.items[0]).catch(() => {});
  await settle();
  assert.deepEqual([scene.request('mark_read').ids, scene.request('mark_read').log], [['101-0'], 'topic:all']);
});

test('entries of two boxes that have the same id stand in the order of their boxes, as Redis lists them, and each once', async () => {
  const { scene, inbox } = await withLogs();
  const seen = () => inbox.state.items.map(({ id, key }) => `${id} ${key}`);
  await scene.receive(ofLog('101-0', '50-0'), live('101-0', '100-0'));
  await draw(scene);
  assert.deepEqual(seen().slice(0, 2), ['101-0 inbox:alice', '101-0 topic:all']);
  inbox.reload();
  await settle();
  await scene.receive(ofLog('102-0', '101-0'), live('102-0', '101-0'));
  const items = [item('102-0'), item('102-0', { log: 'topic:all' }), item('101-0'), item('101-0', { log: 'topic:all' })];
  await scene.answer(HISTORY, { type: 'notification_history', items, next: null });
  assert.deepEqual(seen(), ['102-0 inbox:alice', '102-0 topic:all', '101-0 inbox:alice', '101-0 topic:all']);
});

test('a list that is closed while a change is under way asks nothing any more, and has no timer', async () => {
  const { scene, inbox } = await start({ items: [item('100-0', { expires_at: '2100-01-01T00:00:00Z' })] });
  const marking = assert.rejects(inbox.markRead('100-0'));
  inbox.close();
  const asked = () => scene.socket.sent.filter(({ type }) => type === HISTORY).length;
  const before = asked();
  await scene.answer('mark_read', { type: 'error', error: { code: 'UNAVAILABLE', message: 'no' } });
  await marking;
  await scene.clock.advance(10000);
  assert.equal(asked(), before);
  scene.client.close();
  assert.equal(scene.clock.running, 0);
});
