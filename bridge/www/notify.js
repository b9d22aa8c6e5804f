/* notify.js -- the client library of redis-notify: one WebSocket that keeps itself alive.
 *
 * Responsible for: connecting, reconnecting with back-off, catching up from a position per key,
 * dropping what came twice, pairing answers with requests, the unread badge. It shows nothing and
 * remembers no notifications: what there is, is in Redis, and history() asks for it.
 *
 * Classic script:  <script src="/notify.js"></script>          -> globalThis.NotifyClient
 * ES module:       import '/notify.js';                        -> globalThis.NotifyClient
 * CommonJS:        const NotifyClient = require('./notify.js');
 *
 * The messages are those of docs/protocol.md; docs/client.md describes this file for its users. */
(() => {
  'use strict';

  const LIMITS = Object.freeze({
    heldMessages: 10000, // per key, while its missed messages are still on their way
    restartDelayMs: 60000, // the longest pause that a restarting bridge may ask for
    keys: 1024, // positions that are remembered; the one that moved longest ago goes first
  });

  const DEFAULTS = Object.freeze({
    user: undefined, // ?user= (a bridge with auth=none only)
    token: undefined, // a string, or a function that returns one (or a promise of one) per connection
    clientId: undefined, // /ws/<clientId>; the bridge makes one up otherwise
    topics: [], // subscribed from the first connection on
    broadcast: ['all'], // topics that every client of this bridge follows anyway
    inboxKey: 'inbox:%s', // as the bridge's options of the same names
    topicKey: 'topic:%s',
    storage: null, // e.g. sessionStorage: positions survive a reload of the page
    backoffMs: 500, // the first pause is a random part of this; it doubles with every failure …
    backoffMaxMs: 30000, // … up to this
    stableMs: 5000, // a connection that lived this long resets the back-off
    connectMs: 10000, // from opening the socket to the greeting
    requestMs: 10000, // from a request to its answer
    heartbeatMs: 25000, // silence after which the link is tried
    heartbeatReplyMs: 8000, // and how long the bridge has for its answer
    WebSocket: undefined, // another implementation; the platform's own otherwise
    clock: undefined, // { now, setTimeout, clearTimeout, random }: for tests
  });

  /* Close codes after which trying again is no use: the application has to do something first. */
  const FINAL_CLOSE_CODES = new Map([
    [4401, 'not authenticated'],
    [4403, 'forbidden'],
    [4409, 'too many connections'],
    [4410, 'kicked'],
  ]);
  const CLOSE_RESTART = 1012;
  const CLOSE_ABNORMAL = 1006;

  /* Events of the library itself. A message from Redis may have any name: one of these it could not
   * take over, and is to be had from '*' only. */
  const OWN_EVENTS = new Set(
    ['*', 'status', 'ready', 'badge', 'gap', 'resumed', 'stopped', 'frame', 'error'],
  );

  /* Worth another try on the same connection: Redis was away, or the answer got stuck behind it. */
  const PASSING_ERRORS = new Set(['UNAVAILABLE', 'TIMEOUT']);

  const PLATFORM_CLOCK = {
    now: () => Date.now(),
    setTimeout: (fn, ms) => setTimeout(fn, ms),
    clearTimeout: (timer) => clearTimeout(timer),
    random: () => Math.random(),
  };

  class NotifyError extends Error {
    /* code: one of docs/protocol.md, or TIMEOUT, NOT_CONNECTED, DISCONNECTED. After TIMEOUT and
     * DISCONNECTED it is not known whether the request was carried out. */
    constructor(code, message) {
      super(message || code);
      this.name = 'NotifyError';
      this.code = code;
    }
  }

  /* -- pure parts ------------------------------------------------------------------------------ */

  /* Ids are "<ms>-<seq>", each up to 20 digits: more than a Number holds. Digits without leading
   * zeros compare by length, then as text. */
  function compareDigits(a, b) {
    if (a.length !== b.length) return a.length < b.length ? -1 : 1;
    if (a === b) return 0;
    return a < b ? -1 : 1;
  }

  function compareIds(a, b) {
    const [aMs, aSeq = '0'] = a.split('-');
    const [bMs, bSeq = '0'] = b.split('-');
    return compareDigits(aMs, bMs) || compareDigits(aSeq, bSeq);
  }

  function isId(value) {
    return typeof value === 'string' && /^(0|[1-9]\d{0,19})-(0|[1-9]\d{0,19})$/.test(value);
  }

  /* Exponential back-off with full jitter: anywhere between nothing and the bound, so that clients
   * which lost the same bridge do not come back together. */
  function backoffDelay(attempt, baseMs, maxMs, random) {
    return Math.round(random() * Math.min(maxMs, baseMs * 2 ** Math.min(attempt, 30)));
  }

  /* The pause a restarting bridge asks for, out of the close reason; null: none that makes sense. */
  function restartDelay(code, reason) {
    if (code !== CLOSE_RESTART) return null;
    const digits = /\d+/.exec(reason || '');
    return digits ? Math.min(Number(digits[0]), LIMITS.restartDelayMs) : null;
  }

  function connectUrl(url, base, options, token) {
    const target = new URL(url || '/ws', base);
    target.protocol = target.protocol.replace(/^http/, 'ws');
    target.hash = '';
    if (options.clientId !== undefined) {
      target.pathname = target.pathname.replace(/\/*$/, '/') + encodeURIComponent(options.clientId);
    }
    if (options.user !== undefined) target.searchParams.set('user', options.user);
    if (token) target.searchParams.set('token', token);
    return target.href;
  }

  function keyOf(pattern, name) {
    return pattern.replace('%s', () => name);
  }

  /* -- positions: per key, from where to go on -------------------------------------------------- */

  /* delivered: the highest id handed to the application, what is not above it came before.
   * start: where following began, if nothing has been delivered yet. */
  class Positions {
    #keys = new Map();
    #storage;
    #name;

    constructor(storage, name) {
      this.#storage = storage;
      this.#name = name;
      this.#load();
    }

    get(key) {
      const entry = this.#keys.get(key);
      return entry && (entry.delivered || entry.start);
    }

    isNew(key, id) {
      const entry = this.#keys.get(key);
      return !entry || !entry.delivered || compareIds(id, entry.delivered) > 0;
    }

    deliver(key, id) {
      this.#put(key, { delivered: id });
    }

    start(key, id) {
      if (isId(id) && !this.get(key)) this.#put(key, { start: id });
    }

    forget(key) {
      this.#keys.delete(key);
    }

    save() {
      if (!this.#storage) return;
      const all = {};
      for (const key of this.#keys.keys()) all[key] = this.get(key);
      try {
        this.#storage.setItem(this.#name, JSON.stringify(all));
      } catch {
        this.#storage = null; // full or forbidden: positions then live as long as the page
      }
    }

    #put(key, entry) {
      this.#keys.delete(key); // so that the Map's order is the order of the last moves
      this.#keys.set(key, entry);
      if (this.#keys.size > LIMITS.keys) this.#keys.delete(this.#keys.keys().next().value);
    }

    #load() {
      if (!this.#storage) return;
      try {
        const all = JSON.parse(this.#storage.getItem(this.#name) || '{}');
        for (const [key, id] of Object.entries(all)) if (isId(id)) this.deliver(key, id);
      } catch {
        this.#keys.clear(); // unreadable: begin anew
      }
    }
  }

  /* -- order: what was missed on a key goes out before what comes now --------------------------- */

  class Backlog {
    #positions;
    #kept = new Map(); // key -> messages that wait until what was missed before them has come

    constructor(positions) {
      this.#positions = positions;
    }

    /* From here on, what comes on key waits until release(). */
    hold(key) {
      this.#kept.set(key, []);
    }

    /* What waited on key, entries first and in order; nothing waits any more. */
    release(key) {
      const kept = this.#kept.get(key) || [];
      this.#kept.delete(key);
      const entries = kept.filter((message) => isId(message.id));
      entries.sort((a, b) => compareIds(a.id, b.id));
      return [...entries, ...kept.filter((message) => !isId(message.id))];
    }

    reset() {
      this.#kept.clear();
    }

    /* Keeps a message that has to wait; false: it may go out. What has no id (a state change, an event
     * that is not stored) stays behind the entries that wait, which it may be about. */
    keep(message) {
      const kept = this.#kept.get(message.key);
      const waits = kept && (isId(message.id) ? !this.#isNext(message) : kept.length > 0);
      if (waits) kept.push(message);
      return Boolean(waits);
    }

    isFull(key) {
      return this.#kept.get(key).length > LIMITS.heldMessages;
    }

    /* Does message follow directly on what this key has delivered? (prev may be smaller: entries
     * between may have been deleted.) */
    #isNext(message) {
      const position = this.#positions.get(message.key);
      return (
        position !== undefined &&
        isId(message.prev) &&
        compareIds(message.prev, position) <= 0 &&
        compareIds(message.id, position) > 0
      );
    }
  }

  /* -- requests that wait for their answers ------------------------------------------------------ */

  class Requests {
    #clock;
    #open = new Map(); // request_id -> { resolve, reject, timer }
    #next = 1;

    constructor(clock) {
      this.#clock = clock;
    }

    /* send(id) sends it. Resolves with the answer, rejects with a NotifyError. */
    begin(type, timeoutMs, send) {
      const id = this.#next++;
      return new Promise((resolve, reject) => {
        const timer = this.#clock.setTimeout(() => {
          this.#open.delete(id);
          reject(new NotifyError('TIMEOUT', `no answer to ${type}`));
        }, timeoutMs);
        this.#open.set(id, { resolve, reject, timer });
        send(id);
      });
    }

    /* False: nobody waits for this answer. */
    settle(answer) {
      const request = this.#open.get(answer.request_id);
      if (!request) return false;
      this.#open.delete(answer.request_id);
      this.#clock.clearTimeout(request.timer);
      if (answer.type === 'error') request.reject(toError(answer));
      else request.resolve(answer);
      return true;
    }

    rejectAll(error) {
      const requests = [...this.#open.values()];
      this.#open.clear();
      for (const request of requests) {
        this.#clock.clearTimeout(request.timer);
        request.reject(error);
      }
    }
  }

  /* -- timers by name: one of each --------------------------------------------------------------- */

  class Timers {
    #clock;
    #running = new Map();

    constructor(clock) {
      this.#clock = clock;
    }

    set(name, ms, fn) {
      this.clear(name);
      this.#running.set(name, this.#clock.setTimeout(fn, ms));
    }

    has(name) {
      return this.#running.has(name);
    }

    clear(name) {
      if (this.#running.has(name)) this.#clock.clearTimeout(this.#running.get(name));
      this.#running.delete(name);
    }

    clearAll() {
      for (const name of [...this.#running.keys()]) this.clear(name);
    }
  }

  /* -- the client ------------------------------------------------------------------------------ */

  class NotifyClient {
    #url;
    #options;
    #clock;
    #listeners = new Map();
    #positions;
    #topics; // wanted; kept over reconnects
    #backlog;
    #requests;
    #socket = null;
    #epoch = 0; // counts connections; what belongs to an earlier one is void
    #attempt = 0;
    #timers;
    #lastHeard = 0;
    #connectedAt = 0;
    #wanted = false; // open() was called, close() was not
    #everReady = false;
    #status = 'closed';
    #greeting = null;
    #badge = { unread: null, rev: -1 };
    #onOnline = () => this.#retryNow();
    #onPageHide = () => this.#positions.save();

    constructor(url, options = {}) {
      this.#url = url;
      this.#options = { ...DEFAULTS, ...options };
      this.#clock = { ...PLATFORM_CLOCK, ...this.#options.clock };
      this.#topics = new Set(this.#options.topics);
      const { user = '', storage } = this.#options;
      this.#positions = new Positions(storage, `notify:${url || '/ws'}:${user}`);
      this.#backlog = new Backlog(this.#positions);
      this.#requests = new Requests(this.#clock);
      this.#timers = new Timers(this.#clock);
    }

    /* A client that is already connecting. */
    static connect(url, options) {
      const client = new NotifyClient(url, options);
      client.open();
      return client;
    }

    get status() {
      return this.#status;
    }
    get clientId() {
      return this.#greeting ? this.#greeting.client_id : this.#options.clientId;
    }
    get userId() {
      return this.#greeting ? this.#greeting.user_id : this.#options.user;
    }
    get inboxKey() {
      return this.userId === undefined ? undefined : keyOf(this.#options.inboxKey, this.userId);
    }
    /* The badge as Redis counted it; null before the first answer. */
    get unread() {
      return this.#badge.unread;
    }
    get topics() {
      return [...this.#topics];
    }
    position(key) {
      return this.#positions.get(key);
    }

    /* -- events -- */

    /* type: the type of a message, one of the library's own events, or '*' for every message.
     * Returns a function that takes the listener away again. */
    on(type, listener) {
      if (!this.#listeners.has(type)) this.#listeners.set(type, new Set());
      this.#listeners.get(type).add(listener);
      return () => this.off(type, listener);
    }

    off(type, listener) {
      const set = this.#listeners.get(type);
      if (set) set.delete(listener);
    }

    once(type, listener) {
      const off = this.on(type, (event) => {
        off();
        listener(event);
      });
      return off;
    }

    #emit(type, event) {
      for (const listener of [...(this.#listeners.get(type) || [])]) {
        try {
          listener(event);
        } catch (error) {
          // A listener's mistake is its own: the messages behind this one still arrive.
          if (typeof reportError === 'function') reportError(error);
          else console.error(error);
        }
      }
    }

    #emitMessage(message) {
      if (!OWN_EVENTS.has(message.type)) this.#emit(message.type, message);
      this.#emit('*', message);
    }

    #setStatus(status, details = {}) {
      this.#status = status;
      this.#emit('status', { status, ...details });
    }

    /* -- the life of the connection -- */

    open() {
      if (this.#wanted) return;
      this.#wanted = true;
      this.#attempt = 0;
      if (typeof addEventListener === 'function') {
        addEventListener('online', this.#onOnline);
        addEventListener('pagehide', this.#onPageHide);
      }
      this.#connect();
    }

    close() {
      if (!this.#wanted) return;
      this.#stop();
      this.#leaveSocket(1000);
      this.#setStatus('closed', { code: 1000, reason: '' });
    }

    #stop() {
      this.#wanted = false;
      this.#timers.clearAll();
      this.#positions.save();
      if (typeof removeEventListener === 'function') {
        removeEventListener('online', this.#onOnline);
        removeEventListener('pagehide', this.#onPageHide);
      }
    }

    async #connect() {
      const epoch = ++this.#epoch;
      this.#timers.clearAll();
      this.#setStatus('connecting', { attempt: this.#attempt });
      this.#timers.set('connect', this.#options.connectMs, () => this.#lost(CLOSE_ABNORMAL, 'no greeting'));
      try {
        const token = await this.#token();
        if (epoch !== this.#epoch || !this.#wanted) return;
        const base = typeof location === 'object' ? location.href : undefined;
        const Socket = this.#options.WebSocket || globalThis.WebSocket;
        this.#adoptSocket(new Socket(connectUrl(this.#url, base, this.#options, token)));
      } catch (error) {
        if (epoch !== this.#epoch || !this.#wanted) return;
        this.#emit('error', { error });
        this.#lost(CLOSE_ABNORMAL, error.message);
      }
    }

    #token() {
      const { token } = this.#options;
      return typeof token === 'function' ? token() : token;
    }

    #adoptSocket(socket) {
      this.#socket = socket;
      socket.onmessage = (event) => this.#receive(event.data);
      socket.onclose = (event) => this.#lost(event.code, event.reason);
      socket.onerror = () => {}; // always followed by close, which says more
    }

    /* Takes leave of the socket without waiting for its closing handshake, which on a dead link
     * takes minutes. */
    #leaveSocket(code) {
      const socket = this.#socket;
      this.#socket = null;
      this.#epoch++;
      this.#backlog.reset();
      this.#requests.rejectAll(
        new NotifyError('DISCONNECTED', 'the connection was lost before the answer came'),
      );
      if (!socket) return;
      socket.onmessage = socket.onclose = null;
      try {
        socket.close(code);
      } catch {
        // not open yet: closing it is then all that can be done
      }
    }

    /* The connection is gone, or is given up: decides whether and when there is another. */
    #lost(code, reason) {
      const stable = this.#connectedAt && this.#clock.now() - this.#connectedAt >= this.#options.stableMs;
      this.#connectedAt = 0;
      this.#timers.clearAll();
      this.#positions.save();
      this.#leaveSocket(1000);
      if (!this.#wanted) return;
      if (FINAL_CLOSE_CODES.has(code)) {
        this.#stop();
        const details = { code, reason: reason || FINAL_CLOSE_CODES.get(code) };
        this.#setStatus('stopped', details);
        this.#emit('stopped', details);
        return;
      }
      if (stable) this.#attempt = 0;
      const asked = restartDelay(code, reason);
      const { backoffMs, backoffMaxMs } = this.#options;
      const delay =
        asked !== null ? asked : backoffDelay(this.#attempt, backoffMs, backoffMaxMs, this.#clock.random);
      this.#attempt++;
      this.#setStatus('waiting', { code, reason, delay, attempt: this.#attempt });
      if (this.#status === 'waiting') this.#timers.set('retry', delay, () => this.#connect());
    }

    /* The network is back: no reason to sit out the pause. */
    #retryNow() {
      if (this.#status === 'waiting') this.#connect();
      else if (this.#status === 'connected') this.#tryLink();
    }

    /* -- heartbeat: a link that died without a word is noticed -- */

    #watchLink() {
      const { heartbeatMs } = this.#options;
      const silent = this.#clock.now() - this.#lastHeard;
      this.#timers.set('heartbeat', Math.max(heartbeatMs - silent, 1), () => {
        if (this.#clock.now() - this.#lastHeard >= heartbeatMs) this.#tryLink();
        else this.#watchLink();
      });
    }

    #tryLink() {
      const epoch = this.#epoch;
      this.request('heartbeat', {}, { timeoutMs: this.#options.heartbeatReplyMs }).then(
        () => epoch === this.#epoch && this.#watchLink(),
        (error) => {
          if (epoch !== this.#epoch) return;
          if (error.code === 'TIMEOUT') this.#lost(CLOSE_ABNORMAL, 'no heartbeat');
          else this.#watchLink();
        },
      );
    }

    /* -- receiving -- */

    #receive(text) {
      this.#lastHeard = this.#clock.now();
      let message;
      try {
        message = JSON.parse(text);
      } catch {
        message = null;
      }
      this.#emit('frame', { direction: 'in', text, message });
      if (message === null || typeof message !== 'object' || typeof message.type !== 'string') return;
      // Only what came from a box has a key; whatever an event is called, it is no answer.
      if (typeof message.key === 'string') this.#receivePushed(message);
      else if (message.type === 'connection') this.#receiveGreeting(message);
      else this.#receiveAnswer(message);
    }

    #receivePushed(message) {
      if (message.key === this.inboxKey) {
        if (this.#isOfNewBox(message)) this.#badge.rev = -1;
        this.#applyBadge(message);
      }
      if (!this.#backlog.keep(message)) this.#deliver(message);
      // Positions have not moved: the next connection gets all of it.
      else if (this.#backlog.isFull(message.key)) this.#lost(CLOSE_ABNORMAL, 'too far behind');
    }

    /* Nothing was before it, although something has been: the box has expired or was deleted, and this
     * is another, whose revisions begin anew. */
    #isOfNewBox(message) {
      const position = this.#positions.get(message.key);
      return (
        message.prev === '0-0' &&
        message.rev < this.#badge.rev &&
        isId(message.id) &&
        (position === undefined || compareIds(message.id, position) > 0)
      );
    }

    /* Hands out a message, an entry only the first time that it comes. */
    #deliver(message) {
      if (isId(message.id)) {
        if (!this.#positions.isNew(message.key, message.id)) return;
        this.#positions.deliver(message.key, message.id);
        this.#setSaveTimer();
      }
      this.#emitMessage(message);
    }

    #setSaveTimer() {
      if (this.#options.storage && !this.#timers.has('save')) {
        this.#timers.set('save', 250, () => {
          this.#timers.clear('save');
          this.#positions.save();
        });
      }
    }

    /* What was missed on key is here, and so may what waited for it go out. */
    #release(key, recovered) {
      const released = this.#backlog.release(key);
      for (const message of released) this.#deliver(message);
      if (recovered) return;
      // Perhaps Redis lost writes, and ids begin below the position: it is taken anew.
      const last = released.map((message) => message.id).filter(isId).pop();
      if (last === undefined || compareIds(last, this.#positions.get(key) || last) < 0) {
        this.#positions.forget(key);
        this.#positions.start(key, last);
      }
      this.#emit('gap', { key });
    }

    #receiveAnswer(message) {
      if (this.#requests.settle(message)) return;
      if (message.request_id !== undefined) return; // its requester has given up on it
      if (message.type === 'error') this.#emit('error', { error: toError(message) });
      else if (message.type === 'resumed') this.#refilled(message);
      else this.#emitMessage(message);
    }

    /* Unasked: this connection was too slow and has been refilled. Entries are complete again (or a
     * gap is named); changes of state were dropped with the queue. */
    #refilled(message) {
      this.#emit('resumed', message);
      this.#emit('*', message);
      for (const [key, result] of Object.entries(message.results || {})) {
        if (result && result.recovered === false) this.#emit('gap', { key });
      }
      this.unreadCount().catch((error) => this.#emit('error', { error }));
    }

    /* -- the badge: absolute counts of the inbox, the newest revision wins -- */

    #applyBadge({ unread, rev }) {
      if (!Number.isInteger(unread) || !Number.isInteger(rev) || rev < this.#badge.rev) return;
      const changed = unread !== this.#badge.unread || rev !== this.#badge.rev;
      this.#badge = { unread, rev };
      if (changed) this.#emit('badge', { unread, rev });
    }

    /* -- after the greeting: follow, catch up, count -- */

    #receiveGreeting(greeting) {
      this.#greeting = greeting;
      this.#connectedAt = this.#clock.now();
      this.#badge = { unread: this.#badge.unread, rev: -1 }; // Redis may have lost revisions since
      this.#timers.clear('connect');
      this.#watchLink();
      const epoch = this.#epoch;
      const positions = this.#automaticPositions();
      // Before anything may answer: from here on live messages wait behind missed ones.
      const steps = [this.#resume(positions, epoch), this.#count(epoch)];
      for (const topic of this.#topics) steps.push(this.#follow(topic, epoch));
      for (const topic of this.#broadcast()) {
        if (!positions[this.#topicKey(topic)]) steps.push(this.#follow(topic, epoch));
      }
      this.#setStatus('connected', { clientId: this.clientId, userId: this.userId });
      Promise.all(steps).then((lost) => {
        if (epoch !== this.#epoch) return;
        const first = !this.#everReady;
        this.#everReady = true;
        this.#emit('ready', { first, lost: lost.flat(), unread: this.unread, userId: this.userId });
      });
    }

    #topicKey(topic) {
      return keyOf(this.#options.topicKey, topic);
    }

    /* The broadcast logs that are not topics of this client's own wish as well. */
    #broadcast() {
      return this.#options.broadcast.filter((topic) => !this.#topics.has(topic));
    }

    /* Of the keys that the bridge follows without being asked. */
    #automaticPositions() {
      const positions = {};
      for (const key of [this.inboxKey, ...this.#broadcast().map((topic) => this.#topicKey(topic))]) {
        const position = this.#positions.get(key);
        if (position) positions[key] = position;
      }
      return positions;
    }

    /* Repeats a request on this connection until it is answered; null when the connection ended or
     * the bridge refused (which is then told as an event). */
    async #insist(epoch, type, fields) {
      const { backoffMs, backoffMaxMs } = this.#options;
      for (let attempt = 0; epoch === this.#epoch; attempt++) {
        try {
          return await this.request(type, fields);
        } catch (error) {
          if (epoch !== this.#epoch) return null;
          if (!PASSING_ERRORS.has(error.code)) {
            this.#emit('error', { error, request: { type, ...fields } });
            return null;
          }
        }
        const ms = backoffDelay(attempt, backoffMs, backoffMaxMs, this.#clock.random);
        await new Promise((done) => this.#timers.set(`insist ${type} ${fields.topic || ''}`, ms, done));
      }
      return null;
    }

    /* Each of the three answers the keys of which the place was lost. */
    async #resume(positions, epoch) {
      const keys = Object.keys(positions);
      if (keys.length === 0) return [];
      for (const key of keys) this.#backlog.hold(key);
      const answer = await this.#insist(epoch, 'resume', { positions });
      if (epoch !== this.#epoch) return [];
      const results = (answer && answer.results) || {};
      const lost = keys.filter((key) => !results[key] || results[key].recovered === false);
      for (const key of keys) this.#release(key, !lost.includes(key));
      const unplaced = lost.filter((key) => !this.#positions.get(key));
      if (unplaced.includes(this.inboxKey)) await this.#count(epoch);
      for (const topic of this.#broadcast()) {
        if (unplaced.includes(this.#topicKey(topic))) await this.#follow(topic, epoch);
      }
      return lost;
    }

    async #follow(topic, epoch) {
      const key = this.#topicKey(topic);
      const position = this.#positions.get(key);
      if (position) this.#backlog.hold(key);
      const fields = position ? { topic, last_id: position } : { topic };
      const answer = await this.#insist(epoch, 'subscribe', fields);
      if (epoch !== this.#epoch) return [];
      return this.#followed(key, position, answer);
    }

    #followed(key, position, answer) {
      const recovered = !position || Boolean(answer && answer.recovered !== false);
      this.#release(key, recovered);
      if (answer) this.#positions.start(key, answer.last);
      return recovered ? [] : [key];
    }

    async #count(epoch) {
      const answer = await this.#insist(epoch, 'unread_count', {});
      if (answer && epoch === this.#epoch) this.#takeCount(answer);
      return [];
    }

    #takeCount(answer) {
      this.#applyBadge(answer);
      this.#positions.start(this.inboxKey, answer.last);
    }

    /* -- asking -- */

    /* Sends a request; resolves with its answer, rejects with a NotifyError. */
    request(type, fields = {}, { timeoutMs = this.#options.requestMs } = {}) {
      if (!this.#socket || this.#status === 'waiting' || this.#socket.readyState !== 1) {
        return Promise.reject(new NotifyError('NOT_CONNECTED', 'there is no connection'));
      }
      return this.#requests.begin(type, timeoutMs, (id) => {
        const text = JSON.stringify({ type, ...fields, request_id: id });
        this.#socket.send(text);
        this.#emit('frame', { direction: 'out', text, message: JSON.parse(text) });
      });
    }

    /* Follows a topic from now on, over reconnects too. lastId: first everything after it. Without
     * a connection it is noted, and done with the next one. */
    async subscribe(topic, { lastId } = {}) {
      this.#topics.add(topic);
      const key = this.#topicKey(topic);
      if (isId(lastId)) this.#positions.deliver(key, lastId);
      if (this.#status !== 'connected') return { topic, status: 'pending' };
      const epoch = this.#epoch;
      const position = isId(lastId) ? lastId : undefined;
      if (position) this.#backlog.hold(key);
      try {
        const answer = await this.request('subscribe', position ? { topic, last_id: position } : { topic });
        if (epoch === this.#epoch) this.#followed(key, position, answer);
        return answer;
      } catch (error) {
        if (error.code !== 'DISCONNECTED') this.#topics.delete(topic);
        if (epoch === this.#epoch) this.#release(key, true);
        throw error;
      }
    }

    async unsubscribe(topic) {
      this.#topics.delete(topic);
      this.#positions.forget(this.#topicKey(topic));
      if (this.#status !== 'connected') return { topic, status: 'unsubscribed' };
      return this.request('unsubscribe', { topic });
    }

    /* A page of what the inbox or a topic holds, newest first: { items, next, unread }. */
    history({ before, after, limit, unreadOnly, category, notificationType, topic } = {}) {
      return this.request('request_notification_history', {
        before,
        after,
        limit,
        unread_only: unreadOnly,
        category,
        notification_type: notificationType,
        topic,
      });
    }

    markRead(ids) {
      return this.request('mark_read', idFields(ids));
    }
    markAllRead({ upto, category } = {}) {
      return this.request('mark_all_read', { upto, category });
    }
    markSeen({ upto } = {}) {
      return this.request('mark_seen', { upto });
    }
    archive(ids) {
      return this.request('archive', idFields(ids));
    }
    remove(ids) {
      return this.request('delete_notification', idFields(ids));
    }
    /* { unread, unseen, by_category, max_level, last, rev } */
    async unreadCount() {
      const answer = await this.request('unread_count');
      this.#takeCount(answer);
      return answer;
    }
    /* { topic or user_id, title, content, notification_type, category, level, action, data } */
    publish(notification) {
      return this.request('publish', notification);
    }
    /* Milliseconds to the bridge and back. */
    async heartbeat() {
      const sent = this.#clock.now();
      await this.request('heartbeat', {}, { timeoutMs: this.#options.heartbeatReplyMs });
      return this.#clock.now() - sent;
    }
  }

  function idFields(ids) {
    return Array.isArray(ids) ? { ids } : { id: ids };
  }

  function toError(message) {
    const { code = 'PROCESSING_ERROR', message: text } = message.error || {};
    return new NotifyError(code, text);
  }

  NotifyClient.Error = NotifyError;
  NotifyClient.LIMITS = LIMITS;
  NotifyClient.pure = Object.freeze({ compareIds, isId, backoffDelay, restartDelay, connectUrl, keyOf });

  globalThis.NotifyClient = NotifyClient;
  if (typeof module === 'object' && module.exports) module.exports = NotifyClient;
})();
