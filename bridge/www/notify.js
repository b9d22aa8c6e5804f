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
    unopened: 6, // attempts in a row that do not open: then that is said
    wakeMs: 1000, // between two attempts, or two trials of the link, because somebody looks at the page
    wakeReplyMs: 3000, // and how long the bridge then has for its answer
    keys: 1024, // positions that are remembered; the one that moved longest ago goes first
    timerMs: 2 ** 31 - 1, // the longest time that a timer takes; later is asked about then
    recentIds: 32, // per key, by which a repetition is told from a box that begins anew
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
    recountMs: 500, // the time in which a message may settle a doubt about the badge by itself
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
    [4400, 'not understood'],
    [4401, 'not authenticated'],
    [4403, 'forbidden'],
    [4409, 'too many connections'],
    [4410, 'kicked'],
  ]);
  const CLOSE_RESTART = 1012;
  const CLOSE_GOING_AWAY = 1001;
  const CLOSE_ABNORMAL = 1006;

  /* A browser does not say why a connection did not open. */
  const UNOPENED_REASON =
    'no connection opens: the bridge is away, or refuses this page (its path, its origin, too many from one ' +
    'address); its log says which';

  /* The page may have slept, or somebody is looking at it again: no reason to sit out a pause, and the
   * link may have died meanwhile. */
  const WAKING_EVENTS = [
    ['window', 'online'],
    ['window', 'pageshow'],
    ['window', 'focus'],
    ['document', 'visibilitychange'],
    ['document', 'resume'],
  ];

  /* Events of the library itself. A message from Redis may have any name: one of these it could not
   * take over, and is to be had from '*' only. */
  const OWN_EVENTS = new Set(
    ['*', 'status', 'ready', 'badge', 'gap', 'resumed', 'stopped', 'unreachable', 'frame', 'error'],
  );

  /* Requests that change the inbox; their answers say how many are unread then. */
  const CHANGES = new Set(
    ['mark_read', 'mark_all_read', 'mark_seen', 'archive', 'delete_notification'],
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

  /* A place as text: an id, or "<id>@@<epoch>" with the epoch of the box under which it was given, by
   * which Redis tells whether it is of a branch that a failover has cut off. null: it is none. */
  function parsePosition(text) {
    const [id, epoch, ...rest] = typeof text === 'string' ? text.split('@@') : [];
    if (!isId(id) || rest.length > 0 || (epoch !== undefined && !/^\d{1,8}$/.test(epoch))) return null;
    return { id, epoch: epoch === undefined ? undefined : Number(epoch) };
  }

  function formatPosition(id, epoch) {
    return epoch ? `${id}@@${epoch}` : id;
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
    target.searchParams.set('protocol', 'notify.v1'); // the bytes as they were published
    if (options.user !== undefined) target.searchParams.set('user', options.user);
    if (token) {
      target.searchParams.set('token', token);
      target.searchParams.set('last_event_id', ''); // we know our positions, and resume from them
    }
    return target.href;
  }

  function keyOf(pattern, name) {
    return pattern.replace('%s', () => name);
  }

  /* Where a click on a notification leads: { url, label, host }, or null. By convention a sender says it
   * with ACTION {"type":"open","label":…,"url":…}; anything else is the application's own. Whoever
   * sends may write what they like: only addresses of the web are opened. host: of another site. */
  function linkOf(action, base) {
    if (action === null || typeof action !== 'object' || action.type !== 'open') return null;
    const { url: address, label } = action;
    if (typeof address !== 'string' || address === '') return null;
    try {
      const here = new URL(base);
      const url = new URL(address, here);
      if (url.protocol !== 'https:' && url.protocol !== 'http:') return null;
      const host = url.origin === here.origin ? '' : url.host;
      return { url: url.href, label: typeof label === 'string' ? label : '', host };
    } catch {
      return null;
    }
  }

  /* -- positions: per key, from where to go on -------------------------------------------------- */

  /* delivered: the highest id handed to the application, what is not above it came before.
   * start: where following began, if nothing has been delivered yet.
   * rev: the highest revision that is known to have been before what comes next.
   * epoch: of the box, as far as the bridge has found the place good in it.
   * recent: the ids delivered last, with their revisions. */
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

    /* What to go on from, for the bridge. */
    text(key) {
      const id = this.get(key);
      return id && formatPosition(id, this.#keys.get(key).epoch);
    }

    /* The place is good in this epoch. Returns whether it is another one than before. */
    noteEpoch(key, epoch) {
      const entry = this.#keys.get(key);
      if (!entry || !Number.isInteger(epoch)) return false;
      const isAnother = entry.epoch !== undefined && entry.epoch !== epoch;
      entry.epoch = epoch;
      return isAnother;
    }

    isNew(key, id) {
      const entry = this.#keys.get(key);
      return !entry || !entry.delivered || compareIds(id, entry.delivered) > 0;
    }

    /* Does message come from a box that has begun anew under this name (deleted and sent to again,
     * replaced, or Redis lost writes)? Its ids and revisions then compare with nothing from before.
     * Either it is the first entry of a box that had some already, or its id stands below one that
     * was delivered: within one box they come in order. A repetition is told by its revision; while
     * a key catches up, what stands below its position is only that. */
    beginsAnew({ key, id, prev, rev }, isCatchingUp) {
      const entry = this.#keys.get(key);
      const isRepeated = entry && entry.recent.has(id) && entry.recent.get(id) === rev;
      if (!entry || !isId(id) || isRepeated) return false;
      const isAfterStart = entry.delivered || compareIds(id, entry.start) > 0;
      if (prev === '0-0' && rev <= entry.rev && isAfterStart) return true;
      return !isCatchingUp && !this.isNew(key, id);
    }

    /* Notes the revision of a message on key. */
    hear(key, rev) {
      const entry = this.#keys.get(key);
      if (entry && rev > entry.rev) entry.rev = rev;
    }

    deliver(key, id, rev) {
      const { rev: known = -1, recent = new Map(), epoch } = this.#keys.get(key) || {};
      recent.set(id, rev);
      if (recent.size > LIMITS.recentIds) recent.delete(recent.keys().next().value);
      this.#put(key, { delivered: id, rev: rev > known ? rev : known, recent, epoch });
    }

    start(key, id, rev = -1, epoch = undefined) {
      if (isId(id) && !this.get(key)) this.#put(key, { start: id, rev, recent: new Map(), epoch });
    }

    /* A place that somebody else has kept. */
    take(key, text) {
      const position = parsePosition(text);
      if (!position) return;
      this.deliver(key, position.id);
      this.noteEpoch(key, position.epoch);
    }

    forget(key) {
      this.#keys.delete(key);
    }

    save() {
      if (!this.#storage) return;
      const all = {};
      for (const key of this.#keys.keys()) all[key] = this.text(key);
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
        for (const [key, text] of Object.entries(all)) this.take(key, text);
      } catch {
        this.#keys.clear(); // unreadable: begin anew
      }
    }
  }

  /* -- order: what was missed on a key goes out before what comes now --------------------------- */

  class Backlog {
    #positions;
    #kept = new Map(); // key -> messages that wait until what was missed before them has come
    #below = new Set(); // keys of which some that wait stand below the place

    constructor(positions) {
      this.#positions = positions;
    }

    /* From here on, what comes on key waits until release(). */
    hold(key) {
      this.#below.delete(key);
      this.#kept.set(key, []);
    }

    holds(key) {
      return this.#kept.has(key);
    }

    /* What waited on key, entries first and in order; nothing waits any more. */
    release(key) {
      const kept = this.#kept.get(key) || [];
      this.#kept.delete(key);
      this.#below.delete(key);
      const entries = kept.filter((message) => isId(message.id));
      entries.sort((a, b) => compareIds(a.id, b.id));
      return [...entries, ...kept.filter((message) => !isId(message.id))];
    }

    reset() {
      this.#below.clear();
      this.#kept.clear();
    }

    /* Keeps a message that has to wait; false: it may go out. What has no id (a state change, an event
     * that is not stored) stays behind the entries that wait, which it may be about. */
    keep(message) {
      const kept = this.#kept.get(message.key);
      const waits = kept && (isId(message.id) ? !this.#isNext(message) : kept.length > 0);
      if (waits) kept.push(message);
      if (waits && isId(message.id) && this.#isBelow(message)) this.#below.add(message.key);
      return Boolean(waits);
    }

    isFull(key) {
      return this.#kept.get(key).length > LIMITS.heldMessages;
    }

    #isBelow({ key, id }) {
      const position = this.#positions.get(key);
      return position !== undefined && compareIds(id, position) <= 0;
    }

    /* Does message follow directly on what this key has delivered? (prev may be smaller: entries
     * between may have been deleted.) Not when others wait that stand below: perhaps the place is of a
     * branch that was lost, and then all of them follow, in their order. */
    #isNext(message) {
      const position = this.#positions.get(message.key);
      return (
        position !== undefined &&
        !this.#below.has(message.key) &&
        isId(message.prev) &&
        compareIds(message.prev, position) <= 0 &&
        compareIds(message.id, position) > 0
      );
    }
  }

  /* -- the badge: which of two counts of the inbox is the later one ------------------------------ */

  /* Counts are absolute and come on two ways: with the messages of the inbox, in the order in which
   * they were published, and as answers to unread_count, which may overtake messages and be overtaken
   * by them. Within the life of a box revisions order them, and at the same revision a count can only
   * sink (something expired). A box that is deleted, restored, renamed onto, or that lost writes
   * begins another life, in which revisions say nothing about those before. Hence:
   *  - an answer that nothing came before since it was asked is the truth, whatever its revision;
   *  - an answer with a lower revision than was known when it was asked shows that another life began;
   *  - where the order cannot be told there is a doubt, and the count is to be asked for once more. */
  class Badge {
    unread = null;
    rev = -1;
    #heard = 0; // messages so far
    #lives = 0; // of the box, as far as we have noticed
    #isAhead = false; // an answer told of the present life: messages may still come from the last one
    #doubts = 0; // so far
    #settled = 0; // those that came before the last answer was asked for
    #expected = null; // what a change of ours left, says its answer, while no message says so

    get isDoubtful() {
      return this.#doubts > this.#settled || this.#expected !== null;
    }

    /* What comes next belongs to a life of which nothing is known. */
    restart() {
      this.rev = -1;
      this.#lives++;
      this.#isAhead = false;
    }

    doubt() {
      this.#doubts++;
    }

    /* A message of the inbox. isCatchingUp: what was missed comes after what has happened since. */
    hear({ unread, rev }, isCatchingUp) {
      this.#heard++;
      if (!Number.isInteger(unread) || !Number.isInteger(rev)) return;
      const leaps = this.#isAhead && rev > this.rev + 1;
      const differs = rev < this.rev ? !isCatchingUp : rev === this.rev && unread !== this.unread;
      if (leaps || differs) this.doubt();
      if (this.#isLater(unread, rev)) this.#take(unread, rev);
    }

    /* A request for the count is about to be sent. Returns what answer() has to know about it. */
    ask() {
      return { rev: this.rev, heard: this.#heard, lives: this.#lives, doubts: this.#doubts };
    }

    /* The count that was asked for. Returns whether it shows that the box has begun anew. */
    answer(asked, { unread, rev }) {
      if (!Number.isInteger(unread) || !Number.isInteger(rev)) return false;
      this.#settled = asked.doubts;
      this.#expected = null;
      if (asked.lives !== this.#lives) {
        this.doubt(); // of which life is it?
        return false;
      }
      const isOvertaken = asked.heard !== this.#heard;
      const isAnew = rev < asked.rev;
      const isSame = rev === this.rev && unread === this.unread;
      if (isOvertaken && !isSame && !this.#isLater(unread, rev)) this.doubt();
      if (isAnew) {
        this.restart();
        this.#isAhead = true;
      }
      if (!isOvertaken || this.#isLater(unread, rev)) this.#take(unread, rev);
      return isAnew;
    }

    /* The answer to a change of ours: it leaves so many. */
    expect(unread) {
      if (Number.isInteger(unread) && unread !== this.unread) this.#expected = unread;
    }

    #isLater(unread, rev) {
      return rev > this.rev || (rev === this.rev && unread < this.unread);
    }

    #take(unread, rev) {
      this.unread = unread;
      this.rev = rev;
      if (unread === this.#expected) this.#expected = null;
    }
  }

  /* -- requests that wait for their answers ------------------------------------------------------ */

  class Requests {
    #clock;
    #open = new Map(); // request_id -> { resolve, reject, timer, onAnswer }
    #next = 1;

    constructor(clock) {
      this.#clock = clock;
    }

    /* send(id) sends it. Resolves with the answer, rejects with a NotifyError. onAnswer sees the answer
     * before any message that comes behind it (who waits for the promise may not). */
    begin(type, timeoutMs, send, onAnswer = () => {}) {
      const id = this.#next++;
      return new Promise((resolve, reject) => {
        const timer = this.#clock.setTimeout(() => {
          this.#open.delete(id);
          reject(new NotifyError('TIMEOUT', `no answer to ${type}`));
        }, timeoutMs);
        this.#open.set(id, { resolve, reject, timer, onAnswer });
        send(id);
      });
    }

    /* False: nobody waits for this answer. */
    settle(answer) {
      const request = this.#open.get(answer.request_id);
      if (!request) return false;
      this.#open.delete(answer.request_id);
      this.#clock.clearTimeout(request.timer);
      if (answer.type === 'error') {
        request.reject(toError(answer));
      } else {
        request.onAnswer(answer);
        request.resolve(answer);
      }
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
      const fire = () => {
        this.#running.delete(name);
        fn();
      };
      this.#running.set(name, this.#clock.setTimeout(fire, ms));
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
    #insisting = 0; // numbers the pauses of requests that are repeated
    #epoch = 0; // counts connections; what belongs to an earlier one is void
    #attempt = 0;
    #timers;
    #lastHeard = 0;
    #connectedAt = 0;
    #wanted = false; // open() was called, close() was not
    #everReady = false;
    #status = 'closed';
    #greeting = null;
    #badge = new Badge();
    #expiry = Infinity; // when something in the inbox expires next, by Redis' clock
    #clockAhead = 0; // Redis' clock (the bridge's, to be exact) before ours
    #recounts = 0; // asked for in a row, each because of a doubt that the last one left
    #unopened = 0; // attempts in a row that did not open
    #everOpened = false; // since open()
    #attemptAt = 0; // when the last one began
    #trying = null; // the connection (by its #epoch) whose link is being tried
    #listening = null; // ends what open() began to listen to

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
      this.#unopened = 0;
      this.#everOpened = false;
      this.#listen();
      this.#connect();
    }

    /* To the page, where there is one. */
    #listen() {
      this.#listening = new AbortController();
      const listen = (target, type, listener) => {
        if (target && typeof target.addEventListener === 'function')
          target.addEventListener(type, listener, { signal: this.#listening.signal });
      };
      for (const [target, type] of WAKING_EVENTS) {
        listen(target === 'window' ? globalThis : globalThis.document, type, () => this.#wake(type));
      }
      listen(globalThis, 'pagehide', (event) => this.#putAway(event));
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
      this.#listening.abort();
    }

    async #connect() {
      const epoch = ++this.#epoch;
      this.#attemptAt = this.#clock.now();
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
      this.#unopened++;
      socket.onopen = () => {
        this.#unopened = 0;
        this.#everOpened = true;
      };
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
      socket.onopen = socket.onmessage = socket.onclose = null;
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
      const delay = this.#pause(code, reason);
      const attempt = ++this.#attempt;
      const isUnreachable = this.#unopened >= LIMITS.unopened;
      this.#setStatus('waiting', { code, reason: isUnreachable ? UNOPENED_REASON : reason, delay, attempt });
      if (this.#unopened === LIMITS.unopened) this.#emit('unreachable', { attempt, reason: UNOPENED_REASON });
      if (this.#status === 'waiting') this.#timers.set('retry', delay, () => this.#connect());
    }

    /* Until the next attempt. What never opened is more likely refused than away. */
    #pause(code, reason) {
      const { backoffMs, backoffMaxMs } = this.#options;
      if (!this.#everOpened && this.#unopened >= LIMITS.unopened) return backoffMaxMs;
      const asked = restartDelay(code, reason);
      return asked !== null ? asked : backoffDelay(this.#attempt, backoffMs, backoffMaxMs, this.#clock.random);
    }

    /* Somebody looks at the page, or the network is back. (These events come in swarms.) */
    #wake(type) {
      if (type === 'visibilitychange' && document.visibilityState === 'hidden') return;
      if (this.#status === 'waiting') {
        const since = this.#clock.now() - this.#attemptAt;
        this.#attempt = 0;
        if (since >= LIMITS.wakeMs) this.#connect();
        else this.#timers.set('retry', LIMITS.wakeMs - since, () => this.#connect());
      } else if (this.#status === 'connected' && this.#clock.now() - this.#lastHeard >= LIMITS.wakeMs) {
        this.#tryLink(LIMITS.wakeReplyMs);
      }
    }

    /* A page that is put away for a possible return keeps its socket, and the bridge would go on taking
     * it for one that listens. */
    #putAway({ persisted }) {
      if (persisted && this.#socket) this.#lost(CLOSE_GOING_AWAY, 'the page was put away');
      else this.#positions.save();
    }

    /* -- heartbeat: a link that died without a word is noticed -- */

    #watchLink() {
      const { heartbeatMs, heartbeatReplyMs } = this.#options;
      const silent = this.#clock.now() - this.#lastHeard;
      this.#timers.set('heartbeat', Math.max(heartbeatMs - silent, 1), () => {
        if (this.#clock.now() - this.#lastHeard >= heartbeatMs) this.#tryLink(heartbeatReplyMs);
        else this.#watchLink();
      });
    }

    #tryLink(timeoutMs) {
      const epoch = this.#epoch;
      if (this.#trying === epoch) return;
      this.#trying = epoch;
      const judge = (error) => {
        if (epoch !== this.#epoch) return;
        this.#trying = null;
        if (error && error.code === 'TIMEOUT') this.#lost(CLOSE_ABNORMAL, 'no heartbeat');
        else this.#watchLink();
      };
      this.request('heartbeat', {}, { timeoutMs }).then(() => judge(), judge);
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
      const { key } = message;
      const isCatchingUp = this.#backlog.holds(key);
      const isReplaced = isChange(message, 'changed') && isId(message.last);
      const isGone = isChange(message, 'gone');
      if (isReplaced) this.#beginAnew(key, message.last);
      else if (this.#positions.beginsAnew(message, isCatchingUp)) this.#beginAnew(key);
      this.#positions.hear(key, message.rev);
      // While it catches up, the bridge has not judged the place yet.
      const isBranched = !isCatchingUp && this.#positions.noteEpoch(key, message.epoch);
      if (key === this.inboxKey) this.#hearCount(message, isCatchingUp, isReplaced || isGone || isBranched);
      if (isGone) this.#beginAnew(key);
      if (!this.#backlog.keep(message)) this.#deliver(message);
      // Positions have not moved: the next connection gets all of it.
      else if (this.#backlog.isFull(key)) this.#lost(CLOSE_ABNORMAL, 'too far behind');
    }

    /* What comes from here on is of another box with the same name. What waits is of the last one. */
    #beginAnew(key, place = '0-0') {
      const isCatchingUp = this.#backlog.holds(key);
      for (const message of this.#backlog.release(key)) this.#deliver(message);
      if (isCatchingUp) this.#backlog.hold(key);
      this.#losePlace(key);
      this.#positions.start(key, place);
    }

    /* Nothing is known any more of where key stands: ids and revisions are taken as they come. */
    #losePlace(key) {
      this.#positions.forget(key);
      if (key === this.inboxKey) this.#badge.restart();
      this.#emit('gap', { key });
    }

    /* Hands out a message, an entry only the first time that it comes. */
    #deliver(message) {
      if (isId(message.id)) {
        if (!this.#positions.isNew(message.key, message.id)) return;
        this.#positions.deliver(message.key, message.id, message.rev);
        this.#positions.noteEpoch(message.key, message.epoch);
        this.#setSaveTimer();
      }
      this.#emitMessage(message);
    }

    #setSaveTimer() {
      if (this.#options.storage && !this.#timers.has('save')) {
        this.#timers.set('save', 250, () => this.#positions.save());
      }
    }

    /* What was missed on key is here, and so may what waited for it go out. Not recovered: the place
     * was lost, and perhaps Redis lost writes and ids go on below it. */
    #release(key, recovered, epoch) {
      const released = this.#backlog.release(key);
      if (!recovered) this.#losePlace(key);
      for (const message of released) this.#deliver(message);
      this.#positions.noteEpoch(key, epoch);
    }

    /* Finds out where the boxes stand whose places were lost, unless something has come from them. */
    #findPlaces(keys, epoch) {
      const unplaced = keys.filter((key) => !this.#positions.get(key));
      const topics = [...this.#topics, ...this.#broadcast()];
      const steps = topics.filter((topic) => unplaced.includes(this.#topicKey(topic)));
      return Promise.all([
        keys.includes(this.inboxKey) ? this.#count(epoch) : [],
        ...steps.map((topic) => this.#follow(topic, epoch)),
      ]);
    }

    #receiveAnswer(message) {
      if (this.#requests.settle(message)) return;
      if (message.request_id !== undefined) return; // its requester has given up on it
      if (message.type === 'error') this.#emit('error', { error: toError(message) });
      else if (message.type === 'resumed') this.#refilled(message);
      else this.#emitMessage(message);
    }

    /* Unasked: this connection was too slow and has been refilled, or a box began anew. Entries are
     * complete again (or a gap is named); changes of state were dropped with the queue. */
    #refilled(message) {
      const results = Object.entries(message.results || {});
      const lost = results.filter(([, result]) => result && result.recovered === false).map(([key]) => key);
      this.#emit('resumed', message);
      this.#emit('*', message);
      for (const key of lost) this.#losePlace(key);
      for (const [key, epoch] of Object.entries(message.epochs || {})) this.#positions.noteEpoch(key, epoch);
      this.#findPlaces(lost, this.#epoch);
      if (results.some(([key]) => key === this.inboxKey) && !lost.includes(this.inboxKey)) this.#recount();
    }

    /* -- the badge -- */

    /* That another box begins may be heard after what has been read from that box already. */
    #hearCount(message, isCatchingUp, isAnew) {
      this.#countMay(() => {
        this.#badge.hear(message, isCatchingUp);
        if (isAnew) this.#badge.doubt();
      });
      if (message.data) this.#recountAt(Date.parse(message.data.expires_at));
    }

    /* Tells what `change` did to the count, and has it asked for again if there is a doubt. */
    #countMay(change) {
      const { unread, rev } = this.#badge;
      change();
      const now = { unread: this.#badge.unread, rev: this.#badge.rev };
      if (now.rev >= 0 && (now.unread !== unread || now.rev !== rev)) this.#emit('badge', now);
      if (!this.#badge.isDoubtful) this.#timers.clear('recount');
      else if (!this.#timers.has('recount')) this.#recountSoon();
    }

    /* Not at once: most doubts are settled by the message that is just coming. */
    #recountSoon() {
      const { recountMs, backoffMaxMs } = this.#options;
      const ms = recountMs + backoffDelay(this.#recounts, recountMs, backoffMaxMs, this.#clock.random);
      this.#timers.set('recount', ms, () => {
        this.#recounts++;
        this.#recount();
      });
    }

    /* What expires tells nobody: the count is asked for then. */
    #recountAt(time) {
      if (!(time > 0 && time < this.#expiry)) return;
      this.#expiry = time;
      const { recountMs } = this.#options;
      const ms = Math.max(0, time - this.#clock.now() - this.#clockAhead) + recountMs;
      const jitter = backoffDelay(0, recountMs, recountMs, this.#clock.random);
      this.#timers.set('expiry', Math.min(ms + jitter, LIMITS.timerMs), () => this.#recount());
    }

    #recount() {
      const epoch = this.#epoch;
      this.unreadCount().catch((error) => {
        if (epoch !== this.#epoch) return;
        if (PASSING_ERRORS.has(error.code)) this.#recountSoon();
        else this.#emit('error', { error, request: { type: 'unread_count' } });
      });
    }

    /* Ids below the place, or a lower revision, show that what is shown of the inbox is of another box. */
    #takeCount(asked, answer) {
      let isAnew = false;
      this.#countMay(() => (isAnew = this.#badge.answer(asked.badge, answer)));
      if (!this.#timers.has('recount')) this.#recounts = 0;
      this.#timers.clear('expiry');
      this.#expiry = Infinity;
      this.#recountAt(answer.next_expiry);
      const key = this.inboxKey;
      const place = this.#positions.get(key);
      const isBelow = isId(answer.last) && place !== undefined && compareIds(answer.last, place) < 0;
      if (place === asked.place && !this.#backlog.holds(key) && (isAnew || isBelow)) {
        if (isBelow) this.#positions.forget(key);
        this.#emit('gap', { key });
      }
      this.#positions.start(key, answer.last, answer.rev, answer.epoch);
    }

    /* -- after the greeting: follow, catch up, count -- */

    #receiveGreeting(greeting) {
      this.#greeting = greeting;
      this.#connectedAt = this.#clock.now();
      this.#clockAhead = Date.parse(greeting.timestamp) - this.#connectedAt || 0;
      this.#badge.restart(); // Redis may have lost revisions since
      this.#recounts = 0;
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
        const position = this.#positions.text(key);
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
        await new Promise((done) => this.#timers.set(`insist ${++this.#insisting}`, ms, done));
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
      const epochs = (answer && answer.epochs) || {};
      for (const key of keys) this.#release(key, !lost.includes(key), epochs[key]);
      await this.#findPlaces(lost, epoch);
      return lost;
    }

    async #follow(topic, epoch) {
      const key = this.#topicKey(topic);
      const position = this.#positions.text(key);
      if (position) this.#backlog.hold(key);
      const fields = position ? { topic, last_id: position } : { topic };
      const answer = await this.#insist(epoch, 'subscribe', fields);
      if (epoch !== this.#epoch) return [];
      return this.#followed(key, position, answer);
    }

    #followed(key, position, answer) {
      const recovered = !position || Boolean(answer && answer.recovered !== false);
      this.#release(key, recovered, answer && answer.epoch);
      if (answer) this.#positions.start(key, answer.last, undefined, answer.epoch);
      return recovered ? [] : [key];
    }

    async #count(epoch) {
      await this.#insist(epoch, 'unread_count', {});
      return [];
    }

    /* -- asking -- */

    /* Sends a request; resolves with its answer, rejects with a NotifyError. */
    request(type, fields = {}, { timeoutMs = this.#options.requestMs } = {}) {
      if (!this.#socket || this.#status === 'waiting' || this.#socket.readyState !== 1) {
        return Promise.reject(new NotifyError('NOT_CONNECTED', 'there is no connection'));
      }
      const send = (id) => {
        const text = JSON.stringify({ type, ...fields, request_id: id });
        this.#socket.send(text);
        this.#emit('frame', { direction: 'out', text, message: JSON.parse(text) });
      };
      return this.#requests.begin(type, timeoutMs, send, this.#answerTaker(type));
    }

    /* What an answer says of the badge is believed, whoever asked. */
    #answerTaker(type) {
      if (CHANGES.has(type)) return ({ unread }) => this.#countMay(() => this.#badge.expect(unread));
      if (type !== 'unread_count') return undefined;
      const asked = { badge: this.#badge.ask(), place: this.#positions.get(this.inboxKey) };
      return (answer) => this.#takeCount(asked, answer);
    }

    /* Follows a topic from now on, over reconnects too. lastId: first everything after it. Without
     * a connection it is noted, and done with the next one. */
    async subscribe(topic, { lastId } = {}) {
      this.#topics.add(topic);
      const key = this.#topicKey(topic);
      this.#positions.take(key, lastId);
      if (this.#status !== 'connected') return { topic, status: 'pending' };
      const epoch = this.#epoch;
      const position = parsePosition(lastId) ? lastId : undefined;
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

    /* A page of what the inbox or a topic holds, newest first: { items, next, unread }. Here and below
     * a field that is not known goes to the bridge, which says so: a filter that is misspelt must not
     * count as none. */
    history({ unreadOnly, notificationType, ...fields } = {}) {
      return this.request('request_notification_history', {
        ...fields,
        unread_only: unreadOnly,
        notification_type: notificationType,
      });
    }

    markRead(ids) {
      return this.request('mark_read', idFields(ids));
    }
    /* { upto, category } */
    markAllRead(fields = {}) {
      return this.request('mark_all_read', fields);
    }
    /* { upto } */
    markSeen(fields = {}) {
      return this.request('mark_seen', fields);
    }
    archive(ids) {
      return this.request('archive', idFields(ids));
    }
    remove(ids) {
      return this.request('delete_notification', idFields(ids));
    }
    /* { unread, unseen, by_category, max_level, last, rev, epoch, next_expiry } */
    unreadCount() {
      return this.request('unread_count');
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

  /* Whatever an event is called, it has data, and no change of state has. */
  function isChange(message, type) {
    return message.type === type && !('data' in message);
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
  NotifyClient.pure = Object.freeze({
    compareIds,
    isId,
    parsePosition,
    formatPosition,
    backoffDelay,
    restartDelay,
    connectUrl,
    keyOf,
    linkOf,
  });

  globalThis.NotifyClient = NotifyClient;
  if (typeof module === 'object' && module.exports) module.exports = NotifyClient;
})();
