/* places -- where a hub lives. */

function lineOf(port) {
  const line = { onmessage: null, post: (message) => port.postMessage(message), close: () => port.close() };
  port.onmessage = ({ data }) => line.onmessage && line.onmessage(data);
  return line;
}

/* Both ends of a line within a page. What is said is copied, as it is between pages. */
function makeLines() {
  const makeEnd = () => ({ onmessage: null, post: null, close: () => {} });
  const [one, other] = [makeEnd(), makeEnd()];
  const poster = (peer) => (message) => {
    const text = JSON.stringify(message);
    queueMicrotask(() => peer.onmessage && peer.onmessage(JSON.parse(text)));
  };
  one.post = poster(other);
  other.post = poster(one);
  return [one, other];
}

/* Each of these calls onLine(line) whenever there is a hub to say hello to, and onGone() or throws if
 * there can be none. suspect(): it does not answer; returns whether another one may be had here.
 * stop(): the page leaves. */

/* In this page, for it alone. */
class OwnPlace {
  #hub;

  constructor({ setup, clock, recent, platform: { locks } }, onLine) {
    const [mine, hubs] = makeLines();
    this.#hub = new Hub({ setup, clock, recent, locks });
    this.#hub.attach(hubs);
    onLine(mine);
  }

  suspect() {
    return true;
  }

  stop() {
    this.#hub.end();
  }
}

/* In a worker that all pages share: this very file, see the end of it. */
class WorkerPlace {
  #line;

  constructor({ name, setup, worker, platform: { SharedWorker } }, onLine, onGone) {
    const shared = new SharedWorker(trustedUrl(worker), { name });
    shared.onerror = onGone; // there is no such script
    this.#line = lineOf(shared.port);
    this.#line.post({ kind: 'setup', setup });
    onLine(this.#line);
  }

  suspect() {
    return false;
  }

  stop() {
    this.#line.close();
  }
}

/* In the page that holds a lock, which the others wait for; they reach it by a channel. */
class LeaderPlace {
  #id = hashOf(`${Math.random()} ${Date.now()}`);
  #options;
  #onLine;
  #onGone;
  #channel;
  #standing = null; // for the lock: ends that
  #yield = null; // gives it back
  #hub = null; // ours
  #lines = new Map(); // from other pages to it
  #outgoing = []; // { message, to }: what is said to several pages is sent once
  #line = null; // to the hub: ours, or of another page
  #leader = null; // that page; when we lead, the one before
  #before = null; // the page that led before the present one, unless it was robbed

  constructor(options, onLine, onGone) {
    this.#options = options;
    this.#onLine = onLine;
    this.#onGone = onGone;
    this.#channel = new options.platform.BroadcastChannel(options.name);
    this.#channel.onmessage = ({ data }) => this.#receive(data);
    this.#reach(null);
    this.#stand({});
  }

  /* Whoever leads does not answer, and keeps the lock. */
  suspect() {
    if (this.#hub) return true;
    this.#standing.abort();
    this.#stand({ steal: true });
    return true;
  }

  stop() {
    const standing = this.#standing;
    this.#standing = null;
    standing.abort();
    this.#stepDown();
    this.#channel.close();
  }

  #stand({ steal }) {
    const standing = (this.#standing = new AbortController());
    const how = steal ? { steal } : { signal: standing.signal };
    const lead = () => (this.#standing === standing ? this.#lead(Boolean(steal)) : undefined);
    this.#options.platform.locks.request(this.#options.name, how, lead).catch(({ name }) => {
      if (this.#standing !== standing) return;
      if (name === 'AbortError') this.#beRobbed();
      else this.#onGone(); // a page that may have no locks
    });
  }

  /* Until it is over. */
  #lead(isRobber) {
    const { setup, clock, recent, platform: { locks } } = this.#options;
    const [mine, hubs] = makeLines();
    this.#hub = new Hub({ setup, clock, recent, locks });
    this.#hub.attach(hubs);
    this.#line = mine;
    this.#before = isRobber ? null : this.#leader;
    const isOver = new Promise((done) => (this.#yield = done));
    this.#channel.postMessage({ leader: this.#id, isRobber });
    this.#onLine(mine); // which may stop us
    return isOver;
  }

  #stepDown() {
    if (!this.#hub) return;
    this.#flush(); // perhaps that the connection was ended for good
    this.#hub.end();
    this.#hub = null;
    this.#outgoing = [];
    this.#lines.clear();
    this.#yield();
  }

  #beRobbed() {
    const standing = this.#standing;
    this.#stepDown();
    this.#reach(null); // which may stop us
    if (standing === this.#standing) this.#stand({});
  }

  #reach(leader) {
    const post = (message) => this.#channel.postMessage({ from: this.#id, message });
    this.#leader = leader;
    this.#line = { onmessage: null, post, close: () => {} };
    this.#onLine(this.#line);
  }

  #receive({ leader, isRobber, from, to, message }) {
    if (leader) {
      if (this.#hub) return;
      this.#before = isRobber ? null : this.#leader;
      this.#reach(leader);
    } else if (!to) {
      if (this.#hub) this.#hear(from, message);
    } else if (to.includes(this.#id)) {
      this.#take(from, message);
    }
  }

  /* Of the hub. The last words of the one before may be heard only when there is another one already. */
  #take(from, message) {
    if (from === this.#before && message.type === 'stopped') {
      if (this.#line.onmessage) this.#line.onmessage({ kind: 'stopped', event: message.event });
    } else if (!this.#hub && (this.#leader || from) === from) {
      this.#leader = from;
      if (this.#line.onmessage) this.#line.onmessage(message);
    }
  }

  #hear(from, message) {
    if (!this.#lines.has(from)) {
      const line = { onmessage: null, post: (reply) => this.#post(from, reply), close: () => {} };
      this.#lines.set(from, line);
      this.#hub.attach(line);
    }
    this.#lines.get(from).onmessage(message);
    if (message.kind === 'bye') this.#lines.delete(from);
  }

  /* (An answer to a tab may come when the connection is another page's.) */
  #post(to, message) {
    if (!this.#hub) return;
    const last = this.#outgoing[this.#outgoing.length - 1];
    if (last && last.message === message) {
      last.to.push(to);
      return;
    }
    if (this.#outgoing.push({ from: this.#id, to: [to], message }) === 1) queueMicrotask(() => this.#hub && this.#flush());
  }

  #flush() {
    for (const outgoing of this.#outgoing.splice(0)) this.#channel.postMessage(outgoing);
  }
}

const PLACES = { shared: WorkerPlace, leader: LeaderPlace, own: OwnPlace };

/* Where this file came from, if it still is one of its own. */
const OWN_ADDRESS = (() => {
  const script = typeof document === 'object' && document.currentScript;
  const [, inStack] = /(https?:\/\/[^\s)]+):\d+:\d+/.exec(new Error().stack || '') || [];
  const address = (script && script.src) || inStack;
  return /\/notify(\.min)?\.js(\?|$)/.test(address) ? address : undefined;
})();

let policy = null;

/* A page that trusts no addresses of scripts that are mere text trusts this one, unless it forbids that. */
function trustedUrl(address) {
  if (typeof trustedTypes !== 'object') return address;
  policy ||= trustedTypes.createPolicy('notify', { createScriptURL: (text) => text });
  return policy.createScriptURL(address);
}

/* What can be tried here, the best first. */
function placesFor({ share, worker = OWN_ADDRESS, WebSocket: Socket, fetch }, { SharedWorker, BroadcastChannel, locks }) {
  const isPlain = Socket === undefined && fetch === undefined; // a worker cannot be given these
  const can = {
    shared: typeof SharedWorker === 'function' && worker !== undefined && isPlain,
    leader: typeof BroadcastChannel === 'function' && locks !== undefined,
    own: true,
  };
  const names = Object.keys(PLACES);
  return names.slice(Math.max(0, names.indexOf(share))).filter((name) => can[name]);
}
