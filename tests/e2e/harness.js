/* harness -- collects tests, runs them one after another, counts. Knows nothing of what is tested. */

const tests = [];
const cleanups = [];
const lastCleanups = [];

export const WAIT_MS = 60000; // whoever waits so long has failed: a busy machine is slow

/* name: a sentence that says what holds. */
export function test(name, fn) {
  tests.push({ name, fn });
}

/* Runs fn when the present test is over, however it ended; the last one given is the first to run. */
export function after(fn) {
  cleanups.push(fn);
}

/* Runs fn when all tests are over. */
export function afterAll(fn) {
  lastCleanups.push(fn);
}

/* Ends what all tests share. */
export async function cleanUpAll() {
  for (const fn of lastCleanups.splice(0)) await fn();
}

/* Ends what the present test has started. Returns the first error, having tried everything. */
export async function cleanUp() {
  let first = null;
  while (cleanups.length > 0) {
    try {
      await cleanups.pop()();
    } catch (error) {
      first ||= error;
    }
  }
  return first;
}

/* Asks until `probe` says true, and returns what it said; for what cannot be waited for otherwise. */
export async function eventually(what, probe, timeoutMs = WAIT_MS) {
  const deadline = Date.now() + timeoutMs;
  let last;
  while (Date.now() < deadline) {
    last = await probe();
    if (last) return last;
    await new Promise((done) => setTimeout(done, 20));
  }
  throw new Error(`${what}: not within ${timeoutMs} ms`);
}

async function runOne({ name, fn }, timeoutMs) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`still running after ${timeoutMs} ms`)), timeoutMs);
  });
  const began = Date.now();
  let error = null;
  try {
    await Promise.race([fn(), late]);
  } catch (thrown) {
    error = thrown;
  }
  clearTimeout(timer);
  error = (await cleanUp()) || error;
  console.log(`${error ? 'FAILED' : 'ok'}  ${name} (${Date.now() - began} ms)`);
  if (error) console.log(String(error.stack || error).replace(/^/gm, '        '));
  return error === null;
}

/* Runs all tests whose name contains `wanted`; returns how many passed and failed. */
export async function runTests(wanted, timeoutMs) {
  let passed = 0;
  let failed = 0;
  for (const one of tests.filter(({ name }) => name.includes(wanted))) {
    if (await runOne(one, timeoutMs)) passed++;
    else failed++;
  }
  return { passed, failed };
}
