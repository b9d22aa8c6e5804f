/* The component, as a script of a page and as a module. */

import type {} from 'notify-inbox';
import NotifyClient = require('notify');

const bell = document.createElement('notify-bell');
bell.src = '/ws';
bell.user = 'alice';
bell.topics = 'news builds';
bell.category = 'ci';
bell.theme = 'auto';
bell.placement = 'start';
bell.badge = 'dot';
bell.pageSize = 30;
bell.open = true;
bell.token = async () => 'a token';
bell.client = NotifyClient.connect('/ws');
bell.strings = { title: 'Inbox', arrived: { one: '{n} new', other: '{n} new' } };
bell.rows = (item, element) => {
  element.append(item.title, item.key);
  return () => element.remove();
};
bell.addEventListener('notify-open', (event) => {
  const { item, link } = event.detail;
  console.log(item.title.length, link?.url);
  event.preventDefault();
});
bell.addEventListener('notify-action', async ({ detail: { name, label, done } }) => {
  console.log(name.length, label.length);
  await done();
});
bell.addEventListener('notify-change', ({ detail: { deed, items } }) => console.log(deed === 'read-all', items.length));
bell.addEventListener('notify-badge', ({ detail: { unread, total } }) => console.log(unread, total));
bell.addEventListener('notify-toggle', ({ detail: { open } }) => console.log(open));
bell.addEventListener('notify-error', ({ detail: { error } }) => console.log(error.message));
bell.addEventListener('click', ({ clientX }) => console.log(clientX));

const inbox = document.querySelector('notify-inbox');
inbox?.addEventListener('notify-open', () => {});
const { BellElement, InboxElement, TEXTS } = NotifyInbox;
const made: HTMLElement[] = [new BellElement(), new InboxElement()];
console.log(made.length, TEXTS.de.title);

// @ts-expect-error: no such badge
bell.badge = 'number';
// @ts-expect-error: no such text
bell.strings = { heading: 'Inbox' };
// @ts-expect-error: a detail that the event does not have
bell.addEventListener('notify-badge', ({ detail }) => console.log(detail.count));
// @ts-expect-error: the inbox has no badge
inbox!.badge = 'dot';
// @ts-expect-error: a row is filled by a function
bell.rows = 'row';
