/* played_browser -- what tabs of a browser share, for many clients in one process: locks, channels and
 * the time. A page can hang: what it is told and what it wanted to do waits until it wakes up, and its
 * locks stay. */

class PlayedLocks {
  #held = new Map(); // name -> who has it
  #queues = new Map(); // name -> who waits for it

  request(page, name, options, callback) {
    const [how, run] = typeof options === 'function' ? [{}, options] : [options, callback];
    return new Promise((resolve, reject) => {
      const tell = (fn) => (value) => page.do(() => fn(value));
      const wish = { page, run, resolve: tell(resolve), reject: tell(reject) };
      if (how.steal) return this.#steal(name, wish);
      this.#queues.set(name, [...(this.#queues.get(name) || []), wish]);
      how.signal?.addEventListener('abort', () => this.#give(name, wish));
      return queueMicrotask(() => this.#next(name));
    });
  }

  /* Waits no longer. */
  #give(name, wish) {
    const queue = this.#queues.get(name);
    if (!queue.includes(wish)) return;
    this.#queues.set(name, queue.filter((other) => other !== wish));
    wish.reject(Object.assign(new Error('no lock'), { name: 'AbortError' }));
  }

  #steal(name, wish) {
    const robbed = this.#held.get(name);
    this.#hold(name, wish);
    robbed?.reject(Object.assign(new Error('no lock'), { name: 'AbortError' }));
  }

  #next(name) {
    const [wish, ...rest] = this.#queues.get(name) || [];
    if (!wish || this.#held.has(name)) return;
    this.#queues.set(name, rest);
    this.#hold(name, wish);
  }

  #hold(name, wish) {
    this.#held.set(name, wish);
    wish.page.do(async () => {
      const answer = await wish.run();
      if (this.#held.get(name) !== wish) return;
      this.#held.delete(name);
      wish.resolve(answer);
      this.#next(name);
    });
  }
}

export class PlayedBrowser {
  channels = new Set();
  locks = new PlayedLocks();
}

export class PlayedPage {
  #waiting = null; // what it does when it wakes up; null: it is awake
  timers; // that are running
  clock;
  platform;

  constructor(browser, clock) {
    const page = this;
    const timers = (this.timers = new Set()); // that have not been cleared, though they may be due
    this.clock = {
      now: clock.now,
      random: clock.random,
      setTimeout: (fn, ms) => {
        const id = clock.setTimeout(() => page.do(() => timers.delete(id) && fn()), ms);
        timers.add(id);
        return id;
      },
      clearTimeout: (id) => timers.delete(id) && clock.clearTimeout(id),
    };
    this.platform = {
      locks: { request: (...words) => browser.locks.request(page, ...words) },
      BroadcastChannel: class {
        onmessage = null;
        constructor(name) {
          this.name = name;
          browser.channels.add(this);
        }
        postMessage(data) {
          if (!browser.channels.has(this)) throw new Error('this channel is closed');
          const text = JSON.stringify(data);
          for (const other of browser.channels) {
            if (other !== this && other.name === this.name) other.take(text);
          }
        }
        take(text) {
          const tell = () => browser.channels.has(this) && this.onmessage?.({ data: JSON.parse(text) });
          queueMicrotask(() => page.do(tell));
        }
        close() {
          browser.channels.delete(this);
        }
      },
    };
  }

  get isHung() {
    return this.#waiting !== null;
  }

  do(fn) {
    if (this.#waiting) this.#waiting.push(fn);
    else fn();
  }

  hang() {
    this.#waiting ||= [];
  }

  wakeUp() {
    const waiting = this.#waiting || [];
    this.#waiting = null;
    for (const fn of waiting) this.do(fn);
  }
}
