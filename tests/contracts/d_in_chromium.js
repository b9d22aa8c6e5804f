/* Runs the page of contract D (d_client.js, as its document has it) in Chromium.
 *
 *     node d_in_chromium.js HOST:PORT TOKEN
 *
 * Whatever the page writes to the console or shows becomes one line of JSON. It is a page of the service's own address. */
'use strict';

const fs = require('node:fs');
const { createRequire } = require('node:module');
const path = require('node:path');

const { chromium } = createRequire(path.join(__dirname, '..', 'e2e', 'x'))('playwright-core');

const [address, token] = process.argv.slice(2);
const script = fs.readFileSync(path.join(__dirname, 'd_client.js'), 'utf8');

const tell = (call, ...args) => process.stdout.write(`${JSON.stringify({ call, args })}\n`);

const PAGE = `<!doctype html><title>Cockpit</title><script>
  const token = ${JSON.stringify(token)};
  function appendToChat(...args) { tell('appendToChat', ...args); }
  console.log = (...args) => tell('log', ...args);
  addEventListener('error', (event) => tell('error', event.message));
  addEventListener('unhandledrejection', (event) => tell('error', String(event.reason)));
</script><script type="module">${script}
tell('over');</script>`;

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
  await page.goto(`http://${address}/healthz`); // of the service itself: a page of another network may not connect
  await page.setContent(PAGE);
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
