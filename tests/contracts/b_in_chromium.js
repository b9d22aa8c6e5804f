/* Runs the application of contract B (b_client.js, as its document has it) in a page in Chromium.
 *
 *     node b_in_chromium.js HOST:PORT
 *
 * Whatever the page writes to the console or draws becomes one line of JSON. The browser itself finds the
 * service under the name that the document gives it. */
'use strict';

const fs = require('node:fs');
const { createRequire } = require('node:module');
const path = require('node:path');

const { chromium } = createRequire(path.join(__dirname, '..', 'e2e', 'x'))('playwright-core');

const NAME = 'your-friday-service-url';
const address = process.argv[2];
const script = fs.readFileSync(path.join(__dirname, 'b_client.js'), 'utf8');

const tell = (call, ...args) => process.stdout.write(`${JSON.stringify({ call, args })}\n`);

const PAGE = `<!doctype html><title>Friday</title><script>
  function updateTestRunUI(...args) { tell('updateTestRunUI', ...args); }
  console.log = (...args) => tell('log', ...args);
  addEventListener('error', (event) => tell('error', event.message));
</script><script>${script}</script>`;

async function main() {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage',
      '--disable-background-networking', '--no-first-run', `--host-resolver-rules=MAP ${NAME}:80 ${address}`],
  });
  process.on('SIGTERM', () => browser.close().then(() => process.exit(0)));
  const page = await browser.newPage();
  page.on('console', (message) => process.stderr.write(`${message.text()}\n`));
  await page.exposeFunction('tell', tell);
  await page.goto(`http://${NAME}/healthz`); // of the service itself: a page of another network may not connect
  await page.setContent(PAGE);
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
