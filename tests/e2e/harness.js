/* harness -- collects tests, runs them, counts. Knows nothing of what is tested.
 *
 * Most of a test is waiting: for a toast to go, for a connection to be missed. So several run beside each
 * other, each with what it has started; those that play the world in this process, or measure, are alone. */

import { AsyncLocalStorage } from 'node:async_hooks';

const tests = [];
const cleanups = new AsyncLocalStorage(); // of the test in which it is asked: [fn, …]
const running = new Set(); // those lists
const lastCleanups = [];
let areAlone = false;

export const WAIT_MS = Number(process.env.NOTIFY_WAIT_MS) || 60000; // whoever waits so long has failed: a busy machine is slow
const CLEAN_UP_MS = 2 * WAIT_MS; // longer than a program is given to end

/* name: a sentence that says what holds. isAlone: nothing else runs meanwhile. */
export function test(name, fn, { isAlone = areAlone } = {}) {
  tests.push({ name, fn, isAlone });
}

/* What the tests that are collected from now on are, if they do not say. */
export function setAlone(isWanted) {
  areAlone = isWanted;
}

/* Throws once the test that asks is over, as one may be that took too long and goes on: what it starts from then on
 * nobody would end. */
export function checkGoesOn() {
  if (cleanups.getStore().isOver) throw new Error('the test is over');
}

/* Runs fn when the test that asks is over, however it ended; the last one given is the first to run. */
export function after(fn) {
  const own = cleanups.getStore();
  own.push(fn);
  if (own.isOver) callAll(own);
  checkGoesOn();
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

function end(own) {
  own.isOver = true;
  return callAll(own);
}

/* Ends what all tests that run have started. */
export function cleanUp() {
  return Promise.all([...running].map(end));
}

/* Ends what all tests share. Returns the first error, having tried everything. */
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

/* Runs fn, and ends what it has started. Returns the error that was thrown, or null. */
export async function within(fn, timeoutMs) {
  const own = [];
  let error = null;
  running.add(own);
  try {
    await inTime(cleanups.run(own, fn), timeoutMs);
  } catch (thrown) {
    error = thrown;
  }
  error = (await end(own)) || error;
  running.delete(own);
  return error;
}

async function runOne({ name, fn }, timeoutMs) {
  const began = Date.now();
  const error = await within(fn, timeoutMs);
  console.log(`${error ? 'FAILED' : 'ok'}  ${name} (${Date.now() - began} ms)`);
  if (error) console.log(String(error.stack || error).replace(/^/gm, '        '));
  return error === null;
}

/* Runs all tests whose name contains `wanted`, atOnce of them beside each other; returns how many passed and
 * failed. */
export async function runTests(wanted, timeoutMs, atOnce) {
  const found = { passed: 0, failed: 0 };
  const chosen = tests.filter(({ name }) => name.includes(wanted));
  const run = async (queue) => {
    for (let one = queue.shift(); one; one = queue.shift()) found[(await runOne(one, timeoutMs)) ? 'passed' : 'failed']++;
  };
  await run(chosen.filter(({ isAlone }) => isAlone));
  const others = chosen.filter(({ isAlone }) => !isAlone);
  await Promise.all(Array.from({ length: atOnce }, () => run(others)));
  return found;
}
