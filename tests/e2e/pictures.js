/* pictures -- takes those of docs/inbox.md: node pictures.js FOLDER. */

import { join } from 'node:path';
import { cleanUpAll, eventually, within, WAIT_MS } from './harness.js';
import { phone } from './browser.js';
import { INBOX, openInbox } from './inbox_page.js';
import { FILLED, fill } from './inbox_scene.js';

const [folder] = process.argv.slice(2);
const SIZE = { width: 600, height: 690 };
const CLIP = { x: 170, y: 0, width: 430, height: 690 }; // without the empty page beside it

async function take(...picture) {
  const error = await within(() => takeOne(...picture), WAIT_MS);
  if (error) throw error;
}

async function takeOne(name, options, lead = async () => {}) {
  const t = await openInbox({ prepare: fill, ...options, browser: { viewport: SIZE, reducedMotion: 'reduce', ...options.browser } });
  await t.waitBell(/\d/);
  await t.open();
  await eventually('all rows are there', async () => (await t.titles()).length === FILLED);
  await lead(t);
  await t.page.mouse.move(0, 0);
  await t.page.locator('notify-bell .badge .icon-critical').waitFor({ state: 'attached' });
  const clip = options.browser && options.browser.isMobile ? undefined : options.dir === 'rtl' ? { ...CLIP, x: 0 } : CLIP;
  await t.page.screenshot({ path: join(folder, `inbox-${name}.png`), clip });
}

try {
  await take('light', {});
  await take('dark', { browser: { colorScheme: 'dark' } });
  await take('phone', { browser: { ...phone(), viewport: { width: 375, height: 640 }, deviceScaleFactor: 1 } });
  await take('hebrew', { lang: 'he', dir: 'rtl' });
  await take('empty', {}, async ({ redis, page }) => {
    await page.getByRole('tab', { name: 'Archived' }).click();
    await page.getByText('Nothing archived yet').waitFor();
  });
  await take('error', {}, async ({ bridge, page }) => {
    await bridge.kill();
    await page.locator('.bar').waitFor();
  });
} finally {
  await cleanUpAll();
}
