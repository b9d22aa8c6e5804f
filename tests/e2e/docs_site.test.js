/* ./dev docs site, as it lies on a disk: its pages can be read, searched and walked through without a server. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { eventually, test } from './harness.js';
import { openBrowser, phone, watch } from './browser.js';
import { checkStandsOut } from './looks.js';
import { makeFolder } from './servers.js';

const ROOT = resolve(fileURLToPath(new URL('../..', import.meta.url)));

async function openSite(options, path = 'index.html') {
  const folder = join(makeFolder('notify-e2e-site-'), 'site');
  execFileSync(join(ROOT, 'docs', 'site', 'render'), [folder]);
  const context = await openBrowser(options);
  const page = await context.newPage();
  const { problems, asked } = watch(page);
  await page.goto(pathToFileURL(join(folder, path)).href);
  return { page, problems, asked };
}

test('the site of the docs finds a heading from any page, and leads to it, without a server', async () => {
  const { page, problems, asked } = await openSite({}, 'commands/notify.send.html');
  await page.getByLabel('Search').fill('erasing user');
  const first = page.locator('#found a').first();
  await first.waitFor();
  assert.match(await first.innerText(), /^Operating: Erasing a user/);
  await page.keyboard.press('Enter');
  await eventually('it is there', () => page.url().endsWith('/operating.html#erasing-a-user'));
  await page.getByRole('heading', { name: 'Erasing a user' }).waitFor();
  await page.getByLabel('Search').fill('zzzz nothing');
  await page.getByText('Nothing has all of these words.').waitFor();
  await page.keyboard.press('Escape');
  await page.locator('#found').waitFor({ state: 'hidden' });
  await page.getByLabel('Pages').getByRole('link', { name: 'Metrics' }).click();
  await page.getByRole('heading', { level: 1, name: 'Metrics' }).waitFor();
  assert.deepEqual(asked.filter((url) => !url.startsWith('file:') && !url.startsWith('data:')), []);
  assert.deepEqual(problems, []);
});

for (const colorScheme of ['light', 'dark']) {
  test(`the site of the docs, ${colorScheme}: all that is written stands out, and a phone shows it without moving sideways`, async () => {
    const { page } = await openSite({ ...phone(), colorScheme }, 'operating.html');
    await checkStandsOut(page);
  });
}
