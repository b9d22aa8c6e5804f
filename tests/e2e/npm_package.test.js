/* The npm package: it is installed from its file into an empty folder, without a network, and used from
 * there: in Node.js, by a compiler, in a browser. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { test } from './harness.js';
import { openBrowser } from './browser.js';
import { makeFolder, startServers, startSite } from './servers.js';

const run = promisify(execFile);
const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const BUILD = dirname(process.env.NOTIFY_JS || at('../../build/notify.js'));
const compiler = createRequire(import.meta.url).resolve('typescript/lib/tsc.js');
const version = /^project\(redis-notify VERSION ([\d.]+) /m.exec(readFileSync(at('../../CMakeLists.txt'), 'utf8'))[1];

async function install() {
  const folder = makeFolder('notify-e2e-npm-');
  const { stdout } = await run(at('../../bridge/www/npm/pack.sh'), [process.env.NOTIFY_INBOX_JS ? dirname(process.env.NOTIFY_INBOX_JS) : BUILD, folder, version]);
  const name = stdout.trim().split('\n').pop();
  assert.equal(name, `redis-notify-${version}.tgz`);
  writeFileSync(join(folder, 'package.json'), '{"private":true,"type":"module"}');
  await run('npm', ['install', '--offline', '--no-audit', '--no-fund', '--ignore-scripts', `./${name}`], { cwd: folder });
  return folder;
}

const PROGRAM = `
import NotifyClient from 'redis-notify';
import inbox from 'redis-notify/inbox';
import { createRequire } from 'node:module';
const { version } = createRequire(import.meta.url)('redis-notify/package.json');
const client = new NotifyClient('ws://bridge.example/ws', { user: 'alice' });
console.log(JSON.stringify([version, client.status, NotifyClient.pure.compareIds('1-0', '2-0'), Object.keys(inbox.TEXTS), createRequire(import.meta.url)('redis-notify') === NotifyClient]));
`;
const TYPES = `
import NotifyClient = require('redis-notify');
import type {} from 'redis-notify/inbox';
const client: NotifyClient = NotifyClient.connect('/ws', { user: 'alice' });
const bell = document.createElement('notify-bell');
bell.client = client;
bell.addEventListener('notify-open', ({ detail }) => console.log(detail.item.title));
// @ts-expect-error: there is no such attribute
bell.usr = 'alice';
`;

test('npm package: installed from its file without a network, it can be imported in Node.js, and is of the version of all', async () => {
  const folder = await install();
  writeFileSync(join(folder, 'program.js'), PROGRAM);
  const { stdout } = await run(process.execPath, ['program.js'], { cwd: folder });
  assert.deepEqual(JSON.parse(stdout), [version, 'closed', -1, ['en', 'de', 'he'], true]);
});

test('npm package: its types are found by a compiler', async () => {
  const folder = await install();
  writeFileSync(join(folder, 'usage.cts'), TYPES);
  const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2022', '--lib', 'es2022,dom,dom.iterable'];
  await run(process.execPath, [compiler, ...options, 'usage.cts'], { cwd: folder }).catch(({ stdout }) => assert.fail(stdout));
});

test('npm package: a page with its files shows a notification', async () => {
  const folder = await install();
  const { redis, bridge } = await startServers();
  const body = `<!doctype html><meta charset="utf-8"><notify-bell src="${bridge.socket}" user="alice"></notify-bell>
    <script src="/node_modules/redis-notify/notify.js"></script><script src="/node_modules/redis-notify/notify-inbox.js"></script>`;
  const { address } = await startSite(({ url }) => (url.startsWith('/node_modules/') ? { type: 'text/javascript; charset=utf-8', body: readFileSync(join(folder, url)) } : { body }));
  const page = await (await openBrowser()).newPage();
  await page.goto(address);
  await redis.cli('NOTIFY.SEND', 'inbox:alice', 'Build finished');
  const bell = page.getByRole('button', { name: 'Notifications, 1 unread' });
  await bell.click();
  await page.getByRole('article', { name: 'Build finished' }).waitFor();
});
