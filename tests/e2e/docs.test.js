/* /docs: all that openapi.json and the catalogue have can be read there, found, and tried. */

import assert from 'node:assert/strict';
import { test } from './harness.js';
import { openBrowser, phone, watch } from './browser.js';
import { checkStandsOut } from './looks.js';
import { startServers } from './servers.js';

async function openDocs(options, hash = '') {
  const { bridge } = await startServers();
  const origin = new URL(bridge.page('alice')).origin;
  const context = await openBrowser(options);
  const page = await context.newPage();
  const { problems, asked } = watch(page);
  await page.goto(`${origin}/docs${hash}`);
  await page.locator('#closes').waitFor();
  return { origin, page, problems, asked };
}

test('/docs shows every call and every event, with nothing from elsewhere', async () => {
  const { origin, page, problems, asked } = await openDocs();
  const fetched = async (path) => (await fetch(origin + path)).json();
  const [openapi, catalogue] = [await fetched('/openapi.json'), await fetched('/events')];
  const titles = await page.locator('article > h3').allTextContents();
  for (const [path, methods] of Object.entries(openapi.paths)) {
    for (const method of Object.keys(methods)) {
      if (method !== 'head' && method !== 'options') assert.ok(titles.includes(`${method.toUpperCase()} ${path}`), `${method} ${path}`);
    }
  }
  for (const event of catalogue.events) assert.ok(titles.includes(event.name), event.name);
  const text = await page.locator('main').innerText();
  for (const { code } of [...catalogue.errors, ...catalogue.closes]) assert.ok(text.includes(String(code)), String(code));
  for (const member of ['progress_percentage', 'idempotency_key', 'unread_only']) assert.ok(text.includes(member), member);
  assert.deepEqual([...new Set(asked.map((url) => new URL(url).origin))].filter((one) => one !== origin && one !== 'null'), []);
  assert.deepEqual(problems, []);
});

test('/docs finds what a word is about, and leads to it', async () => {
  const { page } = await openDocs();
  await page.getByLabel('Find').fill('session_progress');
  const shown = () => page.locator('article:visible > h3').allTextContents();
  assert.ok((await shown()).includes('session_progress') && !(await shown()).includes('mark_read'));
  await page.locator('#contents a:visible', { hasText: 'session_progress' }).first().click();
  assert.match(page.url(), /#event(%20| )session_progress$/);
  await page.getByLabel('Find').fill('');
  assert.ok((await shown()).includes('mark_read'));
});

test('/docs says whether a message fits, and where it does not', async () => {
  const { page, problems } = await openDocs();
  const article = page.locator('article[id="event mark_read"]');
  await article.getByText('Try').click();
  await article.getByRole('button').click();
  await article.locator('pre.fits').filter({ hasText: 'fits' }).waitFor();
  await article.getByRole('textbox').fill('{"type":"mark_read","ids":[5]}');
  await article.getByRole('button').click();
  await article.locator('pre.not').filter({ hasText: '/ids/0 must be of type string' }).waitFor();
  await article.getByRole('textbox').fill('{');
  await article.getByRole('button').click();
  await article.locator('pre.not').filter({ hasText: 'malformed' }).waitFor();
  assert.deepEqual(problems.filter((text) => !text.includes('400')), [], 'the browser tells of the 400 itself');
});

for (const colorScheme of ['light', 'dark']) {
  test(`/docs, ${colorScheme}: all that is written stands out by 4.5 to 1, and a phone shows it without moving sideways`, async () => {
    const { page } = await openDocs({ ...phone(), colorScheme });
    await checkStandsOut(page);
  });
}
