/* What must not compile: each of these lines would be an error of the compiler's if it did. */

import NotifyClient = require('notify');

const client = new NotifyClient('/ws');

// @ts-expect-error: an option that is misspelt
new NotifyClient('/ws', { tokens: 'x' });
// @ts-expect-error: a token is a text
new NotifyClient('/ws', { token: 7 });
// @ts-expect-error: no such mode
new NotifyClient('/ws', { share: 'worker' });
// @ts-expect-error: the status is told, not set
client.status = 'connected';
// @ts-expect-error: no such status
if (client.status === 'conected') client.close();
// @ts-expect-error: unread may not be known yet
client.unread.toFixed();
// @ts-expect-error: a member that the event does not have
client.on('badge', ({ count }) => console.log(count));
// @ts-expect-error: a listener is a function
client.on('ready', 'listener');
// @ts-expect-error: a filter that is misspelt
client.history({ unread: true });
// @ts-expect-error: ids are texts
client.markRead(7);
// @ts-expect-error: ids are needed
client.archive();
// @ts-expect-error: to a topic or to a user, not both
client.publish({ topic: 'news', user_id: 'bob', title: 'Hello' });
// @ts-expect-error: to somebody
client.publish({ title: 'Hello' });
// @ts-expect-error: a title is needed
client.publish({ topic: 'news' });
// @ts-expect-error: no such level
client.publish({ topic: 'news', title: 'Hello', level: 'fatal' });
// @ts-expect-error: the answer is a promise
client.heartbeat().toFixed();
// @ts-expect-error: a view that does not exist
client.inbox({ view: 'unread' });
// @ts-expect-error: the state is frozen
client.inbox().state.hasMore = true;
// @ts-expect-error: and so are its entries
client.inbox().state.items.push();
// @ts-expect-error: an entry has no such member
client.inbox().subscribe(({ items: [item] }) => item?.read);
// @ts-expect-error: there may be no entry
client.inbox().subscribe(({ error }) => error.message);
// @ts-expect-error: it may be no link
NotifyClient.pure.linkOf({}, document.baseURI).url;
// @ts-expect-error: no private parts
client.pure;
// @ts-expect-error: a question is needed
client.chat();
// @ts-expect-error: an option that is misspelt
client.chat('Hello', { session_id: 's1' });
// @ts-expect-error: back by a number or by a time, not both
client.subscribe('news', { last: 5, since: '5m' });
// @ts-expect-error: a channel is named
client.subscribe({ channels: 'prices:*' });
