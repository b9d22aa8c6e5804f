/* inbox_page -- a page of a web site with the component in it, a real bridge and Redis behind it, and what
 * a test wants to know of the inside. Playwright sees through the open shadow roots. */

import { after, eventually } from './harness.js';
import { openBrowser } from './browser.js';
import { startServers, startSite } from './servers.js';

export const INBOX = 'inbox:alice';
export const LOG = 'topic:all';

/* What a browser itself complains of, while the bridge is away, and where a page allows no pictures. */
const OF_BROWSER = /ERR_|WebSocket connection|can’t establish a connection|was interrupted while|CORS request did not succeed|favicon\.ico/;

/* As strict as a page can be: no styles but adopted ones, no markup from strings. */
export const strictPolicy = (bridge) =>
  `default-src 'none'; script-src 'self'; style-src 'none'; img-src 'none'; connect-src ws://127.0.0.1:${bridge.port} http://127.0.0.1:${bridge.port}; ` +
  "base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

const STYLE = `
  html { color-scheme: light dark; background: Canvas; color: CanvasText; font: 16px/1.5 system-ui, "DejaVu Sans", sans-serif; }
  body { margin: 0; } header { display: flex; justify-content: flex-end; padding: 8px; }
  main { padding: 0 16px; } .box { inline-size: 400px; max-inline-size: 100%; block-size: 560px; }
  notify-bell:not(:defined) { display: inline-block; inline-size: 36px; block-size: 36px; }`;

function pageOf({ body, lang, dir, hasStyle, scripts }) {
  const style = hasStyle ? '<link rel="stylesheet" href="/page.css">' : '';
  const tags = scripts.map((src) => `<script src="${src}"></script>`).join('');
  return `<!doctype html><html lang="${lang}" dir="${dir}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>A page</title>${style}</head><body>${body}${tags}</body></html>`;
}

/* body: markup with SOCKET in it, where the bridge's address is to stand. browser: options of openBrowser().
 * policy(bridge): a Content-Security-Policy. prepare(servers): before the page is opened. init: what the page does before
 * anything else. */
export async function openInbox({ body, browser, policy, prepare, init, lang = 'en', dir = 'ltr', scripts = ['/notify.js', '/notify-inbox.js', '/axe.js'] } = {}) {
  const servers = await startServers();
  if (prepare) await prepare(servers);
  const text = body || '<header><notify-bell src="SOCKET" user="alice"></notify-bell></header><main><h1>A page</h1></main>';
  const headers = policy ? { 'content-security-policy': policy(servers.bridge) } : {};
  const html = pageOf({ body: text.replaceAll('SOCKET', servers.bridge.socket), lang, dir, hasStyle: !policy, scripts });
  const answers = { '/': { headers, body: html }, '/page.css': { type: 'text/css', body: STYLE } };
  const site = await startSite(({ url }) => answers[url] || null);
  const context = await openBrowser(browser);
  const page = await context.newPage();
  if (init) await page.addInitScript(init);
  const problems = [];
  page.on('pageerror', (error) => OF_BROWSER.test(error.message) || problems.push(error.stack || error.message)); // as Firefox tells it
  page.on('console', (message) => message.type() === 'error' && !OF_BROWSER.test(message.text()) && problems.push(message.text()));
  after(() => {
    if (problems.length > 0) throw new Error(`the page complains: ${problems.join('; ')}`);
  });
  await page.goto(site.address);
  return Object.assign(new InboxPage(), servers, { page, site, context, problems });
}

class InboxPage {
  get bell() {
    return this.page.locator('notify-bell .bell');
  }

  get panel() {
    return this.page.locator('.panel');
  }

  row(title) {
    return this.page.locator('.row').filter({ hasText: title });
  }

  async open() {
    await this.bell.click();
    await this.panel.waitFor();
  }

  async send(title, ...words) {
    return (await this.redis.cli('NOTIFY.SEND', INBOX, title, ...words)).replaceAll('"', '');
  }

  titles() {
    return this.page.locator('.row .main').allTextContents();
  }

  async waitTitles(...wanted) {
    let seen;
    const isSame = async () => JSON.stringify((seen = await this.titles())) === JSON.stringify(wanted);
    await eventually(`the list shows ${JSON.stringify(wanted)}`, isSame).catch((error) => {
      throw new Error(`${error.message}; it shows ${JSON.stringify(seen)}`);
    });
  }

  /* What the button says to those who do not see it. */
  async waitBell(pattern) {
    let seen;
    await eventually(`the bell says ${pattern}`, async () => pattern.test((seen = await this.bell.getAttribute('aria-label').catch(() => '')))).catch((error) => {
      throw new Error(`${error.message}; it says ${seen}`);
    });
  }


  async unread() {
    return Number(await this.redis.cli('NOTIFY.UNREAD', INBOX));
  }

  /* The title of the row that has the focus, or what has it instead. */
  focused() {
    return this.page.evaluate(() => {
      let at = document.activeElement;
      while (at && at.shadowRoot && at.shadowRoot.activeElement) at = at.shadowRoot.activeElement;
      const row = at.closest('.row');
      const control = row === at ? null : at.dataset.deed || at.getAttribute('aria-label') || at.id || at.className || at.localName;
      return [row && row.querySelector('.main').textContent, control].filter(Boolean).join(': ');
    });
  }

  async waitFocus(wanted) {
    let seen;
    await eventually(`${wanted} has the focus`, async () => (seen = await this.focused()) === wanted).catch((error) => {
      throw new Error(`${error.message}; ${seen} has`);
    });
  }
}
