/* Runs a page of contract D in Chromium: d_client.js, as its document has it, or d_cockpit.js, written from its document.
 *
 *     node d_in_chromium.js SCRIPT HOST:PORT TOKEN [PORT]
 *
 * Whatever the page writes to the console or tells becomes one line of JSON. With PORT it is a page of http://localhost:PORT,
 * without one of the service's own address. */
'use strict';

const { randomUUID } = require('node:crypto');
const fs = require('node:fs');
const http = require('node:http');
const { createRequire } = require('node:module');
const path = require('node:path');

const { chromium } = createRequire(path.join(__dirname, '..', 'e2e', 'x'))('playwright-core');

const [file, address, token, port] = process.argv.slice(2);
const script = fs.readFileSync(path.join(__dirname, file), 'utf8');

const tell = (call, ...args) => process.stdout.write(`${JSON.stringify({ call, args })}\n`);

const PAGE = `<!doctype html><title>Cockpit</title><script>
  const token = ${JSON.stringify(token)}, service = ${JSON.stringify(address)}, sessionId = ${JSON.stringify(randomUUID())};
  function appendToChat(...args) { tell('appendToChat', ...args); }
  console.log = (...args) => tell('log', ...args);
  addEventListener('error', (event) => tell('failed', event.message));
  addEventListener('unhandledrejection', (event) => tell('failed', String(event.reason)));
</script><script type="module">${script}
tell('over');</script>`;

async function open(page) {
  if (port === undefined) {
    await page.goto(`http://${address}/healthz`); // of the service itself: a page of another network may not connect
    await page.setContent(PAGE);
    return;
  }
  const server = http.createServer((_, response) => {
    response.setHeader('Content-Type', 'text/html; charset=utf-8');
    response.end(PAGE);
  });
  await new Promise((resolve) => server.listen(Number(port), '127.0.0.1', resolve));
  await page.goto(`http://localhost:${port}/`);
}

async function main() {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage',
      '--disable-background-networking', '--no-first-run'],
  });
  process.on('SIGTERM', () => browser.close().then(() => process.exit(0)));
  const page = await browser.newPage();
  page.on('console', (message) => process.stderr.write(`${message.text()}\n`));
  await page.exposeFunction('tell', tell);
  await open(page);
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
