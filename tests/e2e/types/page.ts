/* In a page the script element has made it a global. */

import type {} from 'notify';

const client = NotifyClient.connect('/ws', { user: 'alice' });
client.on('badge', ({ unread }) => console.log(unread));
// @ts-expect-error: the global is no less strict
client.on('badge', ({ unred }) => console.log(unred));
