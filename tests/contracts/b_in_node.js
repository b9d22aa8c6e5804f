/* Runs the application of contract B (b_client.js, as its document has it) in Node.js.
 *
 *     node --experimental-websocket b_in_node.js HOST:PORT
 *
 * Whatever the application writes to the console or draws becomes one line of JSON. The name of the
 * service is all that is put in its place, where the platform looks it up. */
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const vm = require('node:vm');

const address = process.argv[2];
const Platform = globalThis.WebSocket;

const tell = (call, ...args) => process.stdout.write(`${JSON.stringify({ call, args })}\n`);

if (Platform === undefined) {
  tell('unsupported', process.version);
  process.exit(0);
}

globalThis.WebSocket = class extends Platform {
  constructor(url, ...rest) {
    super(url.replace('your-friday-service-url', address), ...rest);
    this.addEventListener('close', ({ code }) => tell('closed', code));
  }
};
globalThis.updateTestRunUI = (...args) => tell('updateTestRunUI', ...args);
console.log = (...args) => tell('log', ...args);
process.on('SIGTERM', () => process.exit(0));

const file = path.join(__dirname, 'b_client.js');
vm.runInThisContext(fs.readFileSync(file, 'utf8'), file);
