/* notify.js asks an agent, played; and the page does, with the worker of docs/examples behind a real bridge. */

import assert from 'node:assert/strict';
import { after, eventually, test } from './harness.js';
import { openBrowser, phone, Tab } from './browser.js';
import { contrastsOf, targetsOf } from './look.js';
import { FakeClock, NotifyClient, settle } from './scene.js';
import { Bridge, Redis, Worker } from './servers.js';

const { LIMITS } = NotifyClient;

/* -- played -- */

/* Connections of one answer: each is { headers, body, write(text), end(), cut() }. */
class Answers {
  asked = [];
  refuse = () => null; // { status, body } for the next one

  fetch = async (url, { method, headers, body, signal }) => {
    const refusal = this.refuse(this.asked.length);
    const one = { url: new URL(url), method, headers, body: JSON.parse(body), isAborted: false };
    this.asked.push(one);
    if (refusal instanceof Error) throw refusal;
    if (refusal) return new Response(refusal.body, { status: refusal.status });
    const readable = new ReadableStream({ start: (controller) => (one.controller = controller) });
    signal.addEventListener('abort', () => {
      one.isAborted = true;
      one.cut();
    });
    let isOpen = true;
    const finish = (how) => {
      if (isOpen) how();
      isOpen = false;
      return breathe();
    };
    one.write = (text) => {
      one.controller.enqueue(new TextEncoder().encode(text));
      return breathe();
    };
    one.tell = (...events) => one.write(events.map((event) => `data: ${JSON.stringify(event)}\n\nid: ${event.seq || 0}.x\n\n`).join(''));
    one.end = () => finish(() => one.controller.close());
    one.cut = () => finish(() => one.controller.error(new TypeError('cut off')));
    return new Response(readable);
  };

  get last() {
    return this.asked.at(-1);
  }
}

async function breathe() {
  for (let i = 0; i < 20; i++) await settle();
}

/* A question that is being answered: { answers, clock, got (events), end (what it came to), stopper }. */
async function begin({ message = 'Hello', refuse, chat = {}, ...options } = {}) {
  const answers = new Answers();
  if (refuse) answers.refuse = refuse;
  const clock = new FakeClock();
  const client = new NotifyClient('ws://bridge/ws', { user: 'alice', fetch: answers.fetch, clock, ...options });
  const talk = { answers, clock, got: [], end: null, stopper: new AbortController() };
  const read = async () => {
    for await (const event of client.chat(message, { signal: talk.stopper.signal, ...chat })) talk.got.push(event);
  };
  read().then(() => (talk.end = 'ended'), (error) => (talk.end = error));
  after(() => talk.stopper.abort());
  await breathe();
  return talk;
}

const START = { type: 'start', session_id: 's1' };
const token = (seq, content = `word ${seq} `) => ({ type: 'token', seq, content });
const END = { type: 'end', seq: 9, message_id: 'm1', tokens_used: 3 };

test('what an agent says is handed on piece by piece, and the last word ends it', async () => {
  const talk = await begin({ chat: { sessionId: 's1' } });
  const { answers, got } = talk;
  const [{ url, method, headers, body }] = answers.asked;
  assert.equal(url.href, 'http://bridge/api/v1/chat/stream?user=alice');
  assert.deepEqual([method, body, headers['Last-Event-ID']], ['POST', { message: 'Hello', session_id: 's1' }, undefined]);
  await answers.last.tell(START, token(1));
  assert.deepEqual(got, [START, token(1)]);
  await answers.last.write('data: {"type":"tok');
  await answers.last.write('en","seq":2,"content":"x"}\n\n: hb\n\n');
  assert.deepEqual(got.at(-1), token(2, 'x'));
  await answers.last.tell(END);
  assert.deepEqual(got.at(-1), END);
  assert.equal(talk.end, 'ended');
  assert.equal(answers.asked.length, 1);
});

test('an answer goes on over another connection from the last id, and what comes again is told once', async () => {
  for (const how of ['end', 'cut']) {
    const talk = await begin();
    const { answers, clock, got } = talk;
    await answers.last.tell(START, token(1), token(2));
    await answers.last.write('data: {"type":"token","seq":3,"cont'); // half a block
    await answers.last[how]();
    assert.equal(talk.end, null);
    await clock.advance(1000);
    await breathe();
    assert.equal(answers.asked.length, 2);
    assert.equal(answers.last.headers['Last-Event-ID'], '2.x');
    assert.deepEqual(answers.last.body, { message: 'Hello' });
    await answers.last.tell(token(2), token(3), END);
    assert.deepEqual(got, [START, token(1), token(2), token(3), END]);
    assert.equal(talk.end, 'ended');
  }
});

test('a bridge that is away for a moment is asked again, less and less often, and not for ever', async () => {
  let isAway = false;
  const talk = await begin({ refuse: () => (isAway ? new TypeError('refused') : null) });
  const { answers, clock } = talk;
  await answers.last.tell(START, token(1));
  isAway = true;
  await answers.last.cut();
  const began = clock.now();
  while (talk.end === null && clock.now() - began < 10 * LIMITS.chatAwayMs) {
    await clock.advance(500);
    await breathe();
  }
  assert.equal(talk.end.code, 'DISCONNECTED');
  assert.ok(clock.now() - began >= LIMITS.chatAwayMs && clock.now() - began < LIMITS.chatAwayMs + 2 * LIMITS.chatPauseMs);
  assert.ok(answers.asked.length > 8 && answers.asked.length < 25, `${answers.asked.length} attempts`);
});

test('a question of which nothing was heard is not asked twice', async () => {
  for (const lose of [(answers) => answers.last.end(), (answers) => answers.last.cut()]) {
    const talk = await begin();
    await lose(talk.answers);
    await talk.clock.advance(60000);
    await breathe();
    assert.equal(talk.end.code, 'DISCONNECTED');
    assert.equal(talk.answers.asked.length, 1);
  }
});

test('a connection that is silent is given up, and the answer goes on over another one', async () => {
  const talk = await begin();
  const { answers, clock } = talk;
  const silence = NotifyClient.DEFAULTS.heartbeatMs + NotifyClient.DEFAULTS.heartbeatReplyMs;
  await answers.last.tell(START);
  for (let i = 0; i < 3; i++) {
    await clock.advance(silence - 1000);
    await answers.last.write(': hb\n\n');
  }
  assert.equal(answers.asked.length, 1);
  await clock.advance(silence + 1000);
  await breathe();
  assert.equal(answers.asked[0].isAborted, true);
  await clock.advance(1000);
  await breathe();
  assert.equal(answers.asked.length, 2);
  await answers.last.tell(END);
  assert.equal(talk.end, 'ended');
});

test('the last word may be an error of the agent or of the bridge; it is thrown, with what is said of it', async () => {
  const talk = await begin();
  await talk.answers.last.tell(START, { type: 'error', code: 'PROCESSING_ERROR', message: 'too late', details: { timeout_ms: 60000 } });
  assert.deepEqual([talk.end.name, talk.end.code, talk.end.message, talk.end.details], ['NotifyError', 'PROCESSING_ERROR', 'too late', { timeout_ms: 60000 }]);
  assert.deepEqual(talk.got, [START]);
  assert.equal(talk.answers.last.isAborted, true);
});

test('who is refused learns why; a proxy that answers for the bridge is no reason to ask again', async () => {
  const refusal = JSON.stringify({ error: { code: 'FORBIDDEN', message: 'no', details: null } });
  const talk = await begin({ refuse: () => ({ status: 403, body: refusal }) });
  assert.deepEqual([talk.end.code, talk.end.message, talk.answers.asked.length], ['FORBIDDEN', 'no', 1]);
  const other = await begin({ refuse: () => ({ status: 502, body: '<h1>Bad gateway</h1>' }) });
  assert.deepEqual([other.end.code, other.answers.asked.length], ['DISCONNECTED', 1]);
});

test('each connection has a token of its own, and one that has run out is replaced', async () => {
  let given = 0;
  const refuse = (n) => (n === 0 ? { status: 401, body: '{}' } : null);
  const talk = await begin({ user: undefined, token: async () => `token ${++given}`, refuse });
  const { answers, clock } = talk;
  assert.deepEqual(answers.asked.map(({ headers }) => headers.Authorization), ['Bearer token 1', 'Bearer token 2']);
  assert.equal(answers.last.url.search, '');
  await answers.last.tell(START);
  await answers.last.cut();
  await clock.advance(1000);
  await breathe();
  assert.equal(answers.last.headers.Authorization, 'Bearer token 3');
  await answers.last.tell(END);
  assert.equal(talk.end, 'ended');
  const without = await begin({ user: undefined, token: () => Promise.reject(new RangeError('signed out')) });
  assert.equal(without.end.message, 'signed out');
});

test('whoever stops reading leaves the connection, at once and also while it is away', async () => {
  const talk = await begin();
  await talk.answers.last.tell(START, token(1));
  talk.stopper.abort();
  await breathe();
  assert.equal(talk.end.name, 'AbortError');
  assert.equal(talk.answers.last.isAborted, true);
  const away = await begin();
  await away.answers.last.tell(START);
  await away.answers.last.cut();
  away.stopper.abort(new RangeError('enough'));
  await breathe();
  assert.equal(away.end.message, 'enough');
  await away.clock.advance(60000);
  await breathe();
  assert.equal(away.answers.asked.length, 1);
});

test('a loop that is left by break leaves the connection', async () => {
  const answers = new Answers();
  const client = new NotifyClient('ws://bridge/ws', { user: 'alice', fetch: answers.fetch, clock: new FakeClock() });
  const read = async () => {
    for await (const { type } of client.chat('Hello')) if (type === 'token') return 'left';
    return 'ended';
  };
  const reading = read();
  await breathe();
  await answers.last.tell(START, token(1));
  assert.equal(await reading, 'left');
  assert.equal(answers.last.isAborted, true);
  assert.throws(() => new NotifyClient('ws://bridge/elsewhere').chat('Hello'), /no chat/);
});

/* -- real -- */

/* The page of alice, in front of a bridge with these flags. */
async function openPage({ flags = [], browser } = {}) {
  const redis = await new Redis().start();
  const bridge = await new Bridge(redis).start(...flags);
  const context = await openBrowser(browser);
  const tab = await Tab.open(context, bridge.page('alice'));
  return { redis, bridge, tab };
}

async function ask(tab, message) {
  await tab.get('question').fill(message);
  await tab.page.keyboard.press('Enter');
}

const WORDS = Array.from({ length: 30 }, (_, i) => `word${i}`).join(' ');

/* Of the last answer. */
const answerOf = (tab) => tab.page.evaluate(() => {
  const row = [...document.querySelectorAll('[data-testid="answer"]')].at(-1);
  const end = row.querySelector('[data-testid="answer-end"]');
  const text = [...row.childNodes].filter(({ nodeType }) => nodeType === Node.TEXT_NODE).map(({ data }) => data).join('');
  return { state: row.dataset.state, text, end: end.textContent };
});

async function waitAnswer(tab, what, holds) {
  let seen;
  await eventually(what, async () => holds((seen = await answerOf(tab)))).catch((error) => {
    throw new Error(`${error.message}; it is ${JSON.stringify(seen)}`);
  });
  return seen;
}

const done = (tab) => waitAnswer(tab, 'it has been answered', ({ state }) => state === 'done');

test('the page shows what an agent says piece by piece, and goes on in the same session', async () => {
  const { redis, tab } = await openPage();
  await new Worker(redis).start('py', '--pause', 0.02);
  await tab.page.evaluate(() => {
    window.lengths = new Set();
    new MutationObserver(() => window.lengths.add(document.querySelector('#talk').textContent.length))
      .observe(document.querySelector('#talk'), { childList: true, subtree: true });
  });
  await ask(tab, `the weather ${WORDS}`);
  const answer = await done(tab);
  assert.equal(answer.text, `You said: the weather ${WORDS} `);
  assert.equal(answer.end, '34 tokens');
  assert.match(await tab.get('answer').textContent(), /uses weather/);
  const steps = await tab.page.evaluate(() => window.lengths.size);
  assert.ok(steps > 20, `it grew in ${steps} steps`);
  await ask(tab, 'again');
  await waitAnswer(tab, 'the next one', ({ state, text }) => state === 'done' && text === 'You said: again ');
  const sessions = (await redis.cli('KEYS', 'session:*')).split('\n');
  assert.equal(sessions.length, 1, String(sessions));
});

test('a worker in shell answers the page as well', async () => {
  const { redis, tab } = await openPage();
  await new Worker(redis).start('sh');
  await ask(tab, 'hello <b>there</b>');
  assert.equal((await done(tab)).text.trim(), 'HELLO <B>THERE</B>');
  assert.equal(await tab.get('talk').locator('b').count(), 0);
});

test('an answer goes on where it was, on a bridge that was killed and is there again', async () => {
  const { redis, bridge, tab } = await openPage();
  await new Worker(redis).start('py', '--pause', 0.05);
  await ask(tab, WORDS);
  for (const words of [/word3 /, /word12 /]) {
    await waitAnswer(tab, `it says ${words}`, ({ text }) => words.test(text));
    await bridge.kill();
    await bridge.start();
  }
  assert.equal((await done(tab)).text, `You said: ${WORDS} `);
});

test('who stops an answer gets no more of it, and the worker learns that nobody waits', async () => {
  const { redis, tab } = await openPage({ flags: ['--agent-grace', '300ms'] });
  const worker = await new Worker(redis).start('py', '--pause', 0.1);
  await ask(tab, WORDS.repeat(20));
  await waitAnswer(tab, 'it has begun', ({ text }) => /word2 /.test(text));
  await tab.get('stop').focus();
  await tab.page.keyboard.press('Enter');
  const { state, end, text } = await waitAnswer(tab, 'it has stopped', ({ state: now }) => now === 'stopped');
  assert.deepEqual([state, end], ['stopped', 'stopped']);
  assert.equal(await tab.focused(), 'question');
  await worker.waitText(/cancelled/);
  assert.equal((await answerOf(tab)).text, text);
  await ask(tab, 'once more');
  await waitAnswer(tab, 'the next one', (answer) => answer.state === 'done' && answer.text === 'You said: once more ');
});

test('an agent that says nothing is told of, also when that is since Redis is away', async () => {
  const { redis, tab } = await openPage({ flags: ['--agent-timeout', '1s'] });
  await ask(tab, 'is anybody there?');
  const { end } = await waitAnswer(tab, 'it has failed', ({ state }) => state === 'failed');
  assert.equal(end, 'The agent said nothing for 1 s. Is there a worker?');
  await redis.kill();
  await tab.waitText('notice', /Redis is away/);
  await ask(tab, 'and now?');
  await waitAnswer(tab, 'it has failed, too', (answer) => answer.state === 'failed' && answer.end === 'The agent said nothing for 1 s. Redis is away.');
});

test('screen readers hear an answer in a few portions of whole words, and the keyboard asks and stops', async () => {
  const { redis, tab } = await openPage();
  await new Worker(redis).start('py', '--pause', 0.25);
  await tab.page.evaluate(() => {
    window.heardWords = [];
    const region = document.getElementById('said');
    new MutationObserver(() => region.textContent && window.heardWords.push(region.textContent)).observe(region, { childList: true });
  });
  const words = WORDS.split(' ').slice(0, 26);
  await ask(tab, words.join(' '));
  await waitAnswer(tab, 'it is coming', ({ state }) => state === 'coming');
  assert.equal(await tab.get('ask').getAttribute('aria-disabled'), 'true');
  await tab.page.keyboard.press('Enter'); // one question at a time
  await done(tab);
  assert.equal(await tab.get('question-asked').count(), 1);
  await eventually('the last portion is said', () => tab.page.evaluate(() => window.heardWords.join(' ').includes('word25')));
  const heard = await tab.page.evaluate(() => window.heardWords);
  assert.ok(heard.length <= 4, JSON.stringify(heard));
  assert.equal(heard.join(' '), `You said: ${words.join(' ')}`);
  await ask(tab, WORDS);
  await waitAnswer(tab, 'it is coming again', ({ state }) => state === 'coming');
  await tab.page.keyboard.press('Escape');
  await waitAnswer(tab, 'it has stopped', ({ state }) => state === 'stopped');
});

test('a conversation is readable in both schemes, and fits a phone', async () => {
  for (const colorScheme of ['light', 'dark']) {
    const { redis, tab } = await openPage({ browser: { ...phone(320), colorScheme, reducedMotion: 'reduce' }, flags: ['--agent-timeout', '1s'] });
    await ask(tab, 'nobody hears this');
    await waitAnswer(tab, 'it has failed', ({ state }) => state === 'failed');
    await new Worker(redis).start();
    await ask(tab, `the weather ${'x'.repeat(200)}`);
    await done(tab);
    const low = (await tab.page.evaluate(contrastsOf)).filter(({ ratio, wanted }) => ratio < wanted);
    assert.deepEqual(low, [], colorScheme);
    assert.deepEqual(await tab.page.evaluate(targetsOf, 44), []);
    assert.equal(await tab.page.evaluate(() => document.documentElement.scrollWidth), 320);
  }
});
