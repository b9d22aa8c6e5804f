/* harness -- collects tests, runs them one after another, counts. Knows nothing of what is tested. */

const tests = [];
const cleanups = [];
const lastCleanups = [];

export const WAIT_MS = Number(process.env.NOTIFY_WAIT_MS) || 60000; // whoever waits so long has failed: a busy machine is slow
const CLEAN_UP_MS = 2 * WAIT_MS; // longer than a program is given to end

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

/* Resolves as `work` does, or rejects: nothing may take the tests behind it along. */
async function inTime(work, timeoutMs) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`still running after ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function callAll(fns) {
  let first = null;
  while (fns.length > 0) {
    try {
      await inTime(fns.pop()(), CLEAN_UP_MS);
    } catch (error) {
      first ||= error;
    }
  }
  return first;
}

/* Ends what the present test has started. Returns the first error, having tried everything. */
export function cleanUp() {
  return callAll(cleanups);
}

/* Ends what all tests share; as cleanUp(). */
export function cleanUpAll() {
  return callAll(lastCleanups);
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
  const began = Date.now();
  let error = null;
  try {
    await inTime(fn(), timeoutMs);
  } catch (thrown) {
    error = thrown;
  }
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
