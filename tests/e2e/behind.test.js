/* Very far behind, in a real browser with a real bridge: more was missed than notify.js lets wait at first, and none of it
 * follows on the place. */

import assert from 'node:assert/strict';
import { eventually, test } from './harness.js';
import { ClientPage, openBrowser } from './browser.js';
import { NotifyClient } from './scene.js';
import { startServers, startSite } from './servers.js';

const MISSED = NotifyClient.LIMITS.heldMessages + 50;
const SEND = `for i = 1, ${MISSED} do redis.call('NOTIFY.SEND', KEYS[1], i, 'MAXLEN', 100000) end`;
const NUMBERS = Array.from({ length: MISSED }, (_, i) => String(i + 1));

async function start() {
  const { redis, bridge } = await startServers();
  const site = await startSite();
  const options = { user: 'alice', clientId: 'c1', topics: ['news'], backoffMs: 50 };
  const page = await ClientPage.open(await openBrowser(), site.address, bridge.socket, options);
  await page.connected();
  return { page, send: (...more) => redis.cli('NOTIFY.SEND', 'topic:news', ...more), sendMany: () => redis.cli('EVAL', SEND, 1, 'topic:news') };
}

/* So many titles, and then these. (They are too many to be looked at all the time.) */
async function hears(page, before, titles) {
  await eventually('it has heard all', () => page.ask((count) => got.filter(({ data }) => data).length >= count, before + titles.length));
  const heard = await page.ask(() => got.filter(({ data }) => data).map(({ data }) => data.title));
  assert.equal(heard.slice(before).join(), titles.join());
}

test('behind a missed entry that is not for this session all comes, however much it is', async () => {
  const { page, send, sendMany } = await start();
  await send('before');
  await page.waitTitles('before');
  await page.ask(() => client.close());
  await send('for others', 'EXCLUDE', 'c1');
  await sendMany();
  await page.ask(() => client.open());
  await hears(page, 1, NUMBERS);
});

test('of what is asked for from further back all comes, however much it is', async () => {
  const { page, send, sendMany } = await start();
  await page.ask(() => client.close());
  await sendMany();
  await page.ask(() => {
    client.unsubscribe('news');
    client.subscribe('news', { since: '1h' });
    client.open();
  });
  await hears(page, 0, NUMBERS);
});
