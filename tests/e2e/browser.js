/* browser -- a headless Chromium, and the test page in it as a test sees it. FIREFOX names a Firefox that is to be
 * in its place, which is driven by WebDriver BiDi: that knows no phones, and nothing of the inside of a page's process. */

import playwright, { chromium } from 'playwright-core';
import { after, afterAll, eventually, WAIT_MS } from './harness.js';

const EXECUTABLE = process.env.CHROMIUM || '/usr/bin/chromium';
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--disable-dev-shm-usage',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/* Options of openBrowser(): a phone, or a screen of its size. */
export const phone = (width = 375) => ({
  viewport: { width, height: 812 },
  isMobile: true,
  hasTouch: true,
  deviceScaleFactor: 2,
});

/* A headless Firefox has no pointer, and no window that could have the focus. */
const AS_WITH_A_MOUSE = { 'ui.primaryPointerCapabilities': 6, 'ui.allPointerCapabilities': 6, 'focusmanager.testmode': true };

export function launch(flags = [], ignoreDefaultArgs = false) {
  if (process.env.FIREFOX) return playwright._bidiFirefox.launch({ executablePath: process.env.FIREFOX, firefoxUserPrefs: AS_WITH_A_MOUSE });
  return chromium.launch({ executablePath: EXECUTABLE, args: [...FLAGS, ...flags], ignoreDefaultArgs });
}

let shared = null;

/* The browser that all tests share which want no other flags. */
function launchShared() {
  shared ||= launch([], false).then((browser) => {
    afterAll(() => browser.close());
    return browser;
  });
  return shared;
}

/* As a browser that was never used: nothing is shared with other tests. It ends with the test. flags,
 * ignoreDefaultArgs: of the browser, which is then one of its own; else of playwright's newContext(). */
export async function openBrowser({ flags = [], ignoreDefaultArgs = false, ...options } = {}) {
  const isOwn = flags.length > 0 || ignoreDefaultArgs;
  const browser = await (isOwn ? launch(flags, ignoreDefaultArgs) : launchShared());
  const context = await browser.newContext({ viewport: { width: 1400, height: 900 }, ...options });
  context.setDefaultTimeout(WAIT_MS);
  after(() => (isOwn ? browser.close() : context.close()));
  return context;
}

/* What the page complains of, but for what is isOfBrowser's, and every address that it asks for; both grow. */
export function watch(page, isOfBrowser = /(?!)/) {
  const problems = [];
  const asked = [];
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => message.type() === 'error' && !isOfBrowser.test(message.text()) && problems.push(message.text()));
  page.on('request', (request) => asked.push(request.url()));
  return { problems, asked };
}

/* The test page in a tab of its own. */
export class Tab {
  #page;
  #problems;

  static async open(context, address, status = 'connected') {
    const tab = new Tab();
    tab.#page = await context.newPage();
    // While the bridge is away the browser itself complains of connections that are refused or cut off.
    tab.#problems = watch(tab.#page, /WebSocket connection to|ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|ERR_INCOMPLETE_CHUNKED_ENCODING/).problems;
    await tab.#page.goto(address);
    await tab.waitStatus(status);
    after(() => tab.checkProblems());
    return tab;
  }

  checkProblems() {
    if (this.#problems.length > 0) throw new Error(`the page complains: ${this.#problems.join('; ')}`);
  }

  get page() {
    return this.#page;
  }

  get(testid) {
    return this.#page.getByTestId(testid);
  }

  async reload() {
    await this.#page.reload();
    await this.waitStatus('connected');
  }

  async waitStatus(status) {
    await this.#page.waitForSelector(`[data-testid="status"][data-status="${status}"]`);
  }

  async waitUnread(count) {
    await this.#page.waitForSelector(`[data-testid="badge"][data-unread="${count}"]`, { state: 'attached' });
  }

  /* The titles in the list, from the top, that is newest first. */
  titles() {
    return this.get('item-title').allTextContents();
  }

  /* Waits until the list shows exactly these titles, newest first. */
  async waitTitles(...wanted) {
    let seen = [];
    const same = async () => {
      seen = await this.titles();
      return seen.length === wanted.length && seen.every((title, i) => title === wanted[i]);
    };
    await eventually(`the list shows ${JSON.stringify(wanted)}`, same).catch((error) => {
      throw new Error(`${error.message}; it shows ${JSON.stringify(seen)}`);
    });
  }

  item(title) {
    return this.get('item').filter({ hasText: title });
  }

  /* Waits until what testid names is to be seen, and says this. */
  async waitText(testid, pattern) {
    let seen = '';
    const says = async () => {
      const element = this.get(testid);
      seen = (await element.isVisible()) ? await element.textContent() : '(hidden)';
      return pattern.test(seen);
    };
    await eventually(`${testid} says ${pattern}`, says).catch((error) => {
      throw new Error(`${error.message}; it says ${JSON.stringify(seen)}`);
    });
  }

  waitNoText(testid) {
    return eventually(`${testid} says nothing`, async () => (await this.get(testid).textContent()) === '');
  }

  waitHidden(testid) {
    return this.get(testid).waitFor({ state: 'hidden' });
  }

  /* What has the focus: the title of its row and the control, or the control alone. */
  focused() {
    return this.#page.evaluate(() => {
      const { dataset, localName } = document.activeElement;
      const row = document.activeElement.closest('[data-testid="item"]');
      const title = row && row.querySelector('[data-testid="item-title"]').textContent;
      return [title, dataset.testid || localName].filter(Boolean).join(': ');
    });
  }
}

/* A page with notify.js and a client in it, and nothing else; it remembers what it hears. address: of the
 * page; socket: of the bridge; options: of the client, or a text that is to be evaluated to them. */
export class ClientPage {
  page;

  static async open(context, address, socket, options) {
    const opened = new ClientPage();
    opened.page = await context.newPage();
    await opened.page.goto(address);
    await opened.#start(socket, options);
    return opened;
  }

  async #start(socket, options) {
    await this.page.addScriptTag({ url: '/notify.js' });
    await this.page.evaluate(([url, given]) => {
      const got = (window.got = []);
      const events = (window.events = []);
      const client = (window.client = new NotifyClient(url, typeof given === 'string' ? eval(`(${given})`) : given));
      client.on('*', (message) => got.push(message));
      for (const type of ['status', 'ready', 'gap', 'stopped', 'error', 'badge']) client.on(type, (event) => events.push([type, event]));
      client.open();
    }, [socket, options]);
  }

  /* What fn says of the client, in the page. */
  ask(fn, argument) {
    return this.page.evaluate(fn, argument);
  }

  see() {
    return this.page.evaluate(() => ({
      status: client.status,
      mode: client.mode,
      link: client.link,
      userId: client.userId,
      unread: client.unread,
      titles: got.filter(({ data }) => data).map(({ data }) => data.title),
      gaps: events.filter(([type]) => type === 'gap').length,
      readies: events.filter(([type]) => type === 'ready').length,
    }));
  }

  async waitFor(what, probe) {
    let seen;
    const holds = async () => probe((seen = await this.see()));
    await eventually(what, holds).catch((error) => {
      throw new Error(`${error.message}; it is ${JSON.stringify(seen)}`);
    });
    return seen;
  }

  connected(mode) {
    const isSo = ({ status, mode: now, readies }) => status === 'connected' && readies > 0 && (mode === undefined || mode === now);
    return this.waitFor(`it is connected (${mode || 'in any mode'})`, isSo);
  }

  waitTitles(...wanted) {
    return this.waitFor(`it has heard ${JSON.stringify(wanted)}`, ({ titles }) => JSON.stringify(titles) === JSON.stringify(wanted));
  }
}
