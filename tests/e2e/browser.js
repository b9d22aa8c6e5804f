/* browser -- a headless Chromium, and the test page in it as a test sees it. */

import { chromium } from 'playwright-core';
import { after, eventually, WAIT_MS } from './harness.js';
import { makeFolder } from './servers.js';

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

/* A browser with a profile of its own; it ends with the test. */
export async function openBrowser(moreFlags = []) {
  const profile = makeFolder('notify-e2e-chromium-');
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: EXECUTABLE,
    args: [...FLAGS, ...moreFlags],
    viewport: { width: 1400, height: 900 },
  });
  context.setDefaultTimeout(WAIT_MS);
  after(() => context.close());
  return context;
}

/* The test page in a tab of its own. */
export class Tab {
  #page;
  #problems = [];

  static async open(context, address) {
    const tab = new Tab();
    tab.#page = await context.newPage();
    tab.#page.on('pageerror', (error) => tab.#problems.push(error.message));
    tab.#page.on('console', (message) => {
      // While the bridge is away the browser itself complains of refused connections.
      const isOurs = message.type() === 'error' && !message.text().includes('WebSocket connection to');
      if (isOurs) tab.#problems.push(message.text());
    });
    await tab.#page.goto(address);
    await tab.waitStatus('connected');
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
}
