/* Runs the page of contract D (d_client.js, as its document has it) in Node.js.
 *
 *     node d_in_node.js HOST:PORT TOKEN
 *
 * Whatever it writes to the console or shows becomes one line of JSON. What a page is given is put in its place: its own
 * address, the token, and that its script is a module (which may wait). */
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const vm = require('node:vm');

const [address, token] = process.argv.slice(2);
const { fetch } = globalThis;

const tell = (call, ...args) => process.stdout.write(`${JSON.stringify({ call, args })}\n`);

if (fetch === undefined) {
  tell('unsupported', process.version);
  process.exit(0);
}

globalThis.token = token;
globalThis.fetch = (url, ...rest) => fetch(new URL(url, `http://${address}/`), ...rest);
globalThis.appendToChat = (...args) => tell('appendToChat', ...args);
console.log = (...args) => tell('log', ...args);

const script = fs.readFileSync(path.join(__dirname, 'd_client.js'), 'utf8');
process.on('SIGTERM', () => process.exit(0)); /* a connection may be kept, and Node.js with it */
vm.runInThisContext(`(async () => {\n${script}\n})()`, 'd_client.js').then(
  () => tell('over'),
  (error) => tell('failed', String(error)),
);
