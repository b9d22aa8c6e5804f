/* The harness: what a test has started ends with it. */
import assert from 'node:assert/strict';
import { test, within } from './harness.js';
import { Redis } from './servers.js';

test('a test that took too long starts nothing any more', async () => {
  const restarted = new Redis();
  let goOn;
  let late;
  await restarted.start();
  await restarted.kill();
  const error = await within(() => {
    late = new Promise((done) => (goOn = done)).then(() => Promise.allSettled([restarted.start(), new Redis().start()]));
    return late;
  }, 1);
  assert.match(error.message, /still running/);
  goOn();
  for (const { status, reason } of await late) assert.match(reason?.message ?? status, /the test is over/);
});
