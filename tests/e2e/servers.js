/* servers -- a real redis-server with the module, and a real bridge in front of it.
 *
 * Both run in a temporary folder on free ports, are ended by their process ids, and are children in
 * the process group of the test run, so that they go when that is killed. */

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createWebServer } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, checkGoesOn, eventually, WAIT_MS } from './harness.js';
import { RedisLink } from './redis_link.js';

const ROOT = resolve(fileURLToPath(new URL('../..', import.meta.url)));
const MODULE = process.env.NOTIFY_SO || join(ROOT, 'build', 'notify.so');
const NOTIFY_JS = process.env.NOTIFY_JS || join(ROOT, 'build', 'notify.js');
const INBOX_JS = process.env.NOTIFY_INBOX_JS || join(dirname(NOTIFY_JS), 'notify-inbox.js');
const AXE_JS = join(ROOT, 'tests', 'e2e', 'node_modules', 'axe-core', 'axe.js');
const BRIDGE = process.env.NOTIFY_BRIDGE || join(ROOT, 'build', 'notify-bridge');
const REDIS_SERVER = process.env.REDIS_SERVER || join(ROOT, 'tests', 'support', 'redis-server');
const TAIL_LINES = 30;
const STOP_MS = WAIT_MS;

export function makeFolder(prefix) {
  const folder = mkdtempSync(join(tmpdir(), prefix));
  after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

const givenPorts = new Set(); // a server of another test that is down just now has its own still

function canListen(port) {
  return new Promise((done) => {
    const probe = createServer();
    probe.once('error', () => done(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => done(true)));
  });
}

/* Outside the range from which the kernel takes ports for outgoing connections: one of those could
 * else sit on the port while the server that owns it is restarted. The other tests, which may run beside, take theirs
 * from 20000 on. */
async function freePort() {
  for (;;) {
    const port = 12000 + Math.floor(Math.random() * 8000);
    if (givenPorts.has(port)) continue;
    givenPorts.add(port);
    if (await canListen(port)) return port;
  }
}

/* A child process whose output can be waited for. */
class Program {
  #name;
  #child = null;
  #output = '';
  #ended = null;
  #isCleanedUp = false;

  constructor(name) {
    this.#name = name;
  }

  async spawn(file, args, readyPattern) {
    checkGoesOn();
    if (!this.#isCleanedUp) after(() => this.stop());
    this.#isCleanedUp = true;
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let gone = null;
    this.#child = child;
    this.#output = '';
    for (const pipe of [child.stdout, child.stderr]) {
      pipe.setEncoding('utf8').on('data', (text) => (this.#output += text));
    }
    this.#ended = new Promise((done) => {
      child.once('error', (error) => done((gone = error.message)));
      child.once('close', (code, signal) => done((gone = signal || code)));
    });
    await eventually(`${this.#name} is ready`, () => {
      if (gone !== null) throw new Error(`${this.#name} ended with ${gone}\n${this.tail()}`);
      return readyPattern.test(this.#output);
    });
  }

  /* Ends it as a crash would. */
  async kill() {
    this.#child.kill('SIGKILL');
    await this.#ended;
    this.#child = null;
  }

  /* The orderly end. A program that does not manage it fails the test. */
  async stop() {
    if (this.#child === null) return;
    const impatient = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS);
    this.#child.kill('SIGTERM');
    const status = await this.#ended;
    clearTimeout(impatient);
    this.#child = null;
    if (status !== 0) throw new Error(`${this.#name} ended with ${status}\n${this.tail()}`);
  }

  get output() {
    return this.#output;
  }

  tail() {
    const lines = this.#output.trimEnd().split('\n').slice(-TAIL_LINES);
    return lines.map((line) => `${this.#name}| ${line}`).join('\n');
  }
}

export class Redis extends Program {
  #link = null;

  constructor() {
    super('redis');
  }

  async start() {
    this.folder ||= makeFolder('notify-e2e-redis-');
    this.port ||= await freePort();
    const args = ['--port', this.port, '--bind', '127.0.0.1', '--dir', this.folder, '--save', '', '--appendonly', 'yes',
      '--appendfsync', 'no']; // written before it is acknowledged: a killed process loses nothing
    await this.spawn(REDIS_SERVER, [...args, '--loadmodule', MODULE].map(String), /Ready to accept connections/);
    return this;
  }

  /* What a person would type into redis-cli. Resolves with what that would print. */
  async cli(...words) {
    if (!this.#link) {
      this.#link = new RedisLink(this.port);
      after(() => this.#link.close());
    }
    const said = await this.#link.call(words);
    await new Promise((done) => setTimeout(done, 2)); // nobody types two within a millisecond, and ids are in order over all boxes
    return said.trim();
  }
}

export class Bridge extends Program {
  #redis;
  #options;

  constructor(redis, options = ['--auth', 'none', '--dev']) {
    super('bridge');
    this.#redis = redis;
    this.#options = options;
  }

  async start(...flags) {
    this.port ||= await freePort();
    const args = [...flags, '--listen', `127.0.0.1:${this.port}`, '--redis', `redis://127.0.0.1:${this.#redis.port}`];
    await this.spawn(BRIDGE, [...args, ...this.#options], /event"?[=:]"?ready/);
    return this;
  }

  get socket() {
    return `ws://127.0.0.1:${this.port}/ws`;
  }

  /* The connections that it has by now. */
  async connections(transport = 'websocket') {
    const metrics = await (await fetch(`http://127.0.0.1:${this.port}/metrics`)).text();
    return Number(new RegExp(`^notify_connections\\{transport="${transport}"\\} (\\d+)`, 'm').exec(metrics)[1]);
  }

  /* Of clients, which on a slow machine may go on by stream behind a restart. */
  waitConnections(count) {
    const all = async () => (await this.connections()) + (await this.connections('sse'));
    return eventually(`the bridge has ${count} connections`, async () => (await all()) === count);
  }

  page(user) {
    return `http://127.0.0.1:${this.port}/test-ws?user=${encodeURIComponent(user)}`;
  }
}

/* A worker of docs/examples, which answers what agents are asked: worker.py or worker.sh. */
export class Worker extends Program {
  #redis;
  #isRunning = false;

  constructor(redis) {
    super('worker');
    this.#redis = redis;
  }

  async start(kind = 'py', ...options) {
    const { port } = this.#redis;
    const where = kind === 'py' ? [`redis://127.0.0.1:${port}`] : ['-p', port];
    this.#isRunning = true;
    await this.spawn(join(ROOT, 'docs', 'examples', `worker.${kind}`), [...where, ...options].map(String), /ready/);
    return this;
  }

  /* It knows no orderly end. */
  async stop() {
    if (this.#isRunning) await this.kill();
    this.#isRunning = false;
  }

  waitText(pattern) {
    return eventually(`the worker says ${pattern}`, () => pattern.test(this.output));
  }
}

const SCRIPTS = { '/notify.js': NOTIFY_JS, '/notify-inbox.js': INBOX_JS, '/axe.js': AXE_JS };

/* A web site of its own, with our scripts and empty pages. respond(request): { body, headers } of what is
 * to be otherwise. */
export async function startSite(respond = () => null) {
  const site = createWebServer((request, response) => {
    const script = SCRIPTS[request.url];
    const usual = script ? { type: 'text/javascript; charset=utf-8', body: readFileSync(script, 'utf8') } : { body: '<!doctype html><title>a site</title>' };
    const { type = 'text/html', headers = {}, body } = respond(request) || usual;
    response.writeHead(200, { 'content-type': type, ...headers });
    response.end(body);
  });
  await new Promise((done) => site.listen(0, '127.0.0.1', done));
  after(() => {
    site.close();
    site.closeAllConnections(); // the browser keeps one
  });
  return { port: site.address().port, address: `http://127.0.0.1:${site.address().port}/` };
}

/* Both, ready for use; they end with the test. */
export async function startServers() {
  for (const file of [MODULE, BRIDGE]) {
    if (!existsSync(file)) throw new Error(`${file} is missing: build it first`);
  }
  const redis = await new Redis().start();
  const bridge = await new Bridge(redis).start();
  return { redis, bridge };
}
