/* Everything that notify.js offers, as a compiler wants to see it used. */

import NotifyClient = require('notify');

const options: NotifyClient.Options = {
  user: 'alice',
  token: async () => 'a token',
  clientId: 'c1',
  topics: ['news'],
  broadcast: ['all'],
  inboxKey: 'inbox:%s',
  topicKey: 'topic:%s',
  storage: sessionStorage,
  share: true,
  worker: '/notify.js',
  stream: true,
  recountMs: 1,
  backoffMs: 1,
  backoffMaxMs: 1,
  stableMs: 1,
  connectMs: 1,
  requestMs: 1,
  heartbeatMs: 1,
  heartbeatReplyMs: 1,
  WebSocket,
  fetch,
  clock: { now: () => 0 },
  platform: { locks: undefined },
};
const client: NotifyClient = NotifyClient.connect('/ws', options);
new NotifyClient('/ws', { token: 'a token', share: 'leader', storage: null });
new NotifyClient();

const status: NotifyClient.Status = client.status;
const mode: 'shared' | 'leader' | 'own' | null = client.mode;
const link: 'websocket' | 'stream' | null = client.link;
const texts: (string | undefined)[] = [client.clientId, client.userId, client.inboxKey, client.position('inbox:alice')];
const counts: (number | null)[] = [client.unread, client.total, client.serverNow()];
const lists: string[] = [...client.logs, ...client.topics, ...client.channels];
client.open();
client.close();

const off: () => void = client.on('notification', ({ key, data }) => console.log(key.length, data.title.length, data.level));
client.on('status', ({ status: now, delay = 0, code, reason }) => console.log(now, delay.toFixed(), code, reason));
client.on('ready', ({ first, lost, unread, total, userId }) => console.log(first, lost.length, unread, total, userId));
client.on('badge', ({ unread, rev, total }) => console.log(unread, rev.toFixed(), total));
client.on('counts', ({ by_category }) => console.log(by_category && by_category.ci));
client.on('gap', ({ key }) => console.log(key.length));
client.on('resumed', ({ type }) => console.log(type));
client.on('unreachable', ({ attempt, reason }) => console.log(attempt.toFixed(), reason.length));
client.on('error', ({ error, request }) => console.log(error.code, request?.type));
client.on('frame', ({ direction, text }) => console.log(direction, text.length));
client.on('channel_message', ({ channel, pattern, data, encoding }) => console.log(channel, pattern, data, encoding));
client.on('*', ({ type, key, ids }) => console.log(type, key, ids?.length));
client.on('an event of somebody', ({ data }) => console.log(data));
client.once('stopped', ({ code, reason }) => console.log(code.toFixed(), reason));
client.off('ready', () => {});
off();

async function ask(): Promise<void> {
  const { items, next, unread } = await client.history({ limit: 5, unreadOnly: true, feed: true });
  await client.history({ before: next ?? undefined, notificationType: 'build', category: 'ci', topic: 'news' });
  for (const item of items) if ('title' in item) console.log(item.title, unread);
  const { changed } = await client.markRead('1-0');
  await client.markRead(['1-0', '2-0'], { log: 'topic:all' });
  await client.markUnread('1-0');
  await client.markAllRead({ upto: '5-0', category: 'ci' });
  await client.markSeen();
  await client.archive('1-0');
  await client.unarchive('1-0');
  await client.remove(['1-0']);
  await client.mute('ci');
  await client.unmute('ci');
  const { muted, present } = await client.categories();
  await client.actionDone('1-0', { name: 'approve' });
  const { unseen, logs = {} } = await client.unreadCount();
  const { id } = await client.publish({ topic: 'news', title: 'Hello', level: 'warning' });
  await client.publish({ user_id: 'bob', title: 'Hello', data: { a: 1 } });
  const { last, recovered } = await client.subscribe('news', { lastId: '1-0@@3' });
  await client.subscribe('news', { last: 5 });
  await client.subscribe('news', { since: '5m' });
  const { channel } = await client.subscribe({ channel: 'prices:*' });
  await client.unsubscribe({ channel: 'prices:*' });
  console.log(channel);
  const { status: left } = await client.unsubscribe('news');
  const ms: number = await client.heartbeat();
  const { sessions } = await client.request<{ sessions: number }>('presence', { user_id: 'bob' }, { timeoutMs: 100 });
  for await (const event of client.chat('Hello', { sessionId: 's1', signal: new AbortController().signal })) {
    if (event.type === 'start') console.log(event.session_id);
    else if (event.type === 'token') console.log(event.content.length);
    else if (event.type === 'end') console.log(event.tokens_used.toFixed(), event.message_id);
    else console.log(event.seq, event.tool);
  }
  console.log(changed, muted, present, unseen, logs, id, last, recovered, left, ms, sessions);
}
ask().catch((error: NotifyClient.NotifyError) => console.log(error.code === 'DISCONNECTED', error.details, error instanceof NotifyClient.Error));

const inbox: NotifyClient.Inbox = client.inbox({ pageSize: 50, category: 'ci', unreadOnly: true, archived: false, counts: true });
const end: () => void = inbox.subscribe(({ items, unread, total, counts: more, hasMore, isLoaded, isLoading, isLive, error }) => {
  for (const item of items) console.log(item.key, item.id, item.title, item.is_read, item.is_archived, item.created_at);
  console.log(unread, total, more?.unseen, hasMore, isLoaded, isLoading, isLive, error?.message);
});
for (const item of client.inbox({ events: true }).state.items) console.log(item.key, 'title' in item ? item.title : item.type);
const [newest] = inbox.state.items;
async function change(): Promise<void> {
  if (newest) await inbox.markRead(newest);
  await inbox.markUnread('1-0');
  await inbox.archive(inbox.state.items);
  await inbox.unarchive(['1-0', '2-0']);
  await inbox.remove('1-0');
  const { changed } = await inbox.markAllRead();
  await inbox.markSeen();
  await inbox.more();
  await inbox.reload();
  console.log(changed);
}
void change();
end();
inbox.close();

const { compareIds, isId, parsePosition, formatPosition, backoffDelay, restartDelay, connectUrl, apiUrl, keyOf, subjectOf, linkOf, isAbout } = NotifyClient.pure;
const order: number = compareIds('1-0', '2-0');
const something: unknown = '1-0';
if (isId(something)) console.log(something.length);
client.on('*', (message) => newest && isAbout(message, newest) && console.log(newest.id));
const numbers: (number | null | undefined)[] = [
  order,
  parsePosition('1-0')?.epoch,
  backoffDelay(1, 2, 3, Math.random),
  restartDelay(1012, '5'),
  NotifyClient.LIMITS.keys,
  NotifyClient.DEFAULTS.backoffMs,
];
const addresses: (string | null | undefined)[] = [
  formatPosition('1-0', 3),
  connectUrl('/ws', document.baseURI, options, 'a token'),
  apiUrl('/ws', document.baseURI),
  keyOf('inbox:%s', 'alice'),
  subjectOf('a token'),
  linkOf(newest?.action, document.baseURI)?.url,
];
const reader = new NotifyClient.EventReader();
for (const { type, data, id } of reader.read('data: 1\n\n')) console.log(type, data, id, reader.id);

export { addresses, counts, lists, link, mode, numbers, status, texts };
