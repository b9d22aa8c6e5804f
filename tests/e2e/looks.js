/* looks -- what every page of ours must be: readable, on a phone as well, and of use to everybody. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { contrastsOf } from './look.js';

const AXE = new URL('node_modules/axe-core/axe.min.js', import.meta.url);

/* All that is written stands out from what is behind it, and the page is no wider than the screen. */
export async function checkStandsOut(page) {
  const low = (await page.evaluate(contrastsOf)).filter(({ ratio, wanted }) => ratio < wanted);
  assert.deepEqual([...new Set(low.map(({ ratio, wanted, of, color, on }) => `${ratio.toFixed(2)} < ${wanted}: ${of}, ${color} on ${on}`))].slice(0, 10), []);
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'it is no wider than the screen');
}

export async function checkAxe(page) {
  await page.evaluate(readFileSync(AXE, 'utf8')); // through the debugger: the page's policy allows no script of others
  const { violations } = await page.evaluate(() => axe.run());
  assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' | ').slice(0, 300)}`), []);
}
