/* see -- whether a page shows a text, in a browser: node see.js ADDRESS TEXT. Status 0: it does. */

import { launch } from './browser.js';
import { WAIT_MS } from './harness.js';

const [address, text] = process.argv.slice(2);
const browser = await launch();
try {
  const page = await browser.newPage();
  await page.goto(address);
  await page.getByText(text).first().waitFor({ timeout: WAIT_MS });
} finally {
  await browser.close();
}
