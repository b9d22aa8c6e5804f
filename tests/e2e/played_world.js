/* played_world -- a browser with tabs, a bridge and the time, all of them played. */

import { PlayedBridge } from './played_bridge.js';
import { PlayedBrowser, PlayedPage } from './played_browser.js';
import { FakeClock, NotifyClient, settle } from './scene.js';

export class World {
  tabs = [];
  clock = new FakeClock();
  bridge = new PlayedBridge();
  browser = new PlayedBrowser();
  trace = [];

  constructor(random) {
    this.random = random;
    this.clock.random = random;
  }

  /* prepare(client): before it is opened. */
  async open(user = 'alice', options = {}, prepare = () => {}) {
    const page = new PlayedPage(this.browser, this.clock);
    const tab = { page, got: [], gaps: [], readies: 0, since: null };
    const WebSocket = this.bridge.socketsOf(page);
    const { clock, platform } = page;
    tab.client = new NotifyClient('ws://bridge/ws', { user, share: 'leader', WebSocket, clock, platform, ...options });
    tab.client.on('*', (message) => tab.got.push(message));
    tab.client.on('gap', ({ key }) => tab.gaps.push(key));
    tab.client.on('ready', () => {
      tab.readies++;
      tab.since ||= this.bridge.lastOf(`inbox:${user}`); // from here on nothing may be missing
    });
    this.tabs.push(tab);
    prepare(tab.client);
    tab.client.open();
    await settle();
    return tab;
  }

  close(tab) {
    this.tabs = this.tabs.filter((other) => other !== tab);
    tab.client.close();
    return settle();
  }

  pick(list) {
    return list[Math.floor(this.random() * list.length)];
  }
}

/* What a tab has been told of a key. */
export const idsOf = (tab, key = 'inbox:alice') => tab.got.filter((message) => message.key === key).map(({ id }) => id);
