/* notify.d.ts: that it compiles, that it knows everything there is, and how big all of it is. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { test } from './harness.js';
import { NotifyClient } from './scene.js';

const run = promisify(execFile);
const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const textOf = (path) => readFileSync(at(path), 'utf8');
const compiler = createRequire(import.meta.url).resolve('typescript/lib/tsc.js');

test('the declarations compile with every use, and wrong uses do not', async () => {
  await run(process.execPath, [compiler, '-p', at('types')]).catch(({ stdout }) => assert.fail(stdout));
});

/* Names of what an object's class offers. */
const namesOf = (prototype) => Object.getOwnPropertyNames(prototype).filter((name) => name !== 'constructor');

test('whatever there is in notify.js is declared, and used where the declarations are tried', () => {
  const usage = textOf('types/usage.ts');
  const inbox = new NotifyClient('ws://bridge/ws').inbox();
  const names = [
    ...namesOf(NotifyClient.prototype),
    ...namesOf(Object.getPrototypeOf(inbox)),
    ...Object.keys(inbox.state),
    ...Object.keys(NotifyClient),
    ...Object.keys(NotifyClient.pure),
    ...Object.keys(NotifyClient.DEFAULTS),
    'connect',
  ];
  const missing = names.filter((name) => !new RegExp(`\\b${name}\\b`).test(usage));
  assert.deepEqual(missing, []);
});

const FILES = [['notify.js', process.env.NOTIFY_JS, 'client.md'], ['notify-inbox.js', process.env.NOTIFY_INBOX_JS, 'inbox.md']];

for (const [name, given, page] of FILES) {
  test(`how big ${name} is, its description says`, () => {
    const [, said] = /\*\*(\d+) KB gzipped\*\*/.exec(textOf(`../../docs/${page}`));
    const file = given || join(dirname(process.env.NOTIFY_JS || at('../../build/notify.js')), name);
    const { length } = gzipSync(readFileSync(file), { level: 9 });
    assert.equal(Number(said), Math.round(length / 1000));
  });
}
