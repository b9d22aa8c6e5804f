/* Runs every *.test.js of this folder and ends with the line "N passed, N failed".
 *
 *     node run.js [PART OF A TEST'S NAME]
 *
 * NOTIFY_AT_ONCE says how many run beside each other (3). NOTIFY_SO and NOTIFY_BRIDGE name the module and the bridge (default: those in build/), CHROMIUM the
 * browser, REDIS_SERVER Redis' own program. */

import { readdirSync, readFileSync } from 'node:fs';
import { cleanUp, cleanUpAll, runTests, setAlone } from './harness.js';

const TEST_TIMEOUT_MS = 300000;
const AT_ONCE = Number(process.env.NOTIFY_AT_ONCE) || 3;
const PLAYED = /\b(playPage|World|InboxModel)\b/; // a page or many clients in this process, which keep it busy

let broken = 0;

async function loadTests() {
  const folder = new URL('.', import.meta.url);
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.test.js')).sort()) {
    try {
      setAlone(PLAYED.test(readFileSync(new URL(file, folder), 'utf8')));
      await import(new URL(file, folder));
    } catch (error) {
      console.log(`FAILED  ${file} could not be loaded\n${error.stack || error}`);
      broken++;
    }
  }
}

function endWith(status) {
  return async () => {
    await cleanUp();
    await cleanUpAll();
    process.exit(status);
  };
}

process.on('SIGINT', endWith(130));
process.on('SIGTERM', endWith(143));
process.on('unhandledRejection', (error) => {
  console.log(`FAILED  a promise was rejected unheard\n${error.stack || error}`);
  broken++;
});

await loadTests();
const { passed, failed } = await runTests(process.argv[2] || '', TEST_TIMEOUT_MS, AT_ONCE);
const left = await cleanUpAll();
if (left) {
  console.log(`FAILED  what all tests share did not end\n${left.stack || left}`);
  broken++;
}
console.log(`${passed} passed, ${failed + broken} failed`);
process.exit(failed + broken > 0 || passed === 0 ? 1 : 0);
