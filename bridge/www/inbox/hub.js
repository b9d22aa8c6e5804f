/* hub -- what the elements of one connection have in common: what is being deleted, what was done, which
 * categories there are and which are muted, and who of them speaks. */

const UNDO_MS = 6000; // in which what was done can be undone, and a deletion has not been sent
const GONE_MS = 10000; // behind a deletion: by then all that is shown has heard of it
const KNOWN_MAX = 1000; // entries that are remembered as deleted or done; the oldest go first
const LEVEL_MS = 1000; // after a change, until the highest level is asked for
const AWAY_MS = 3000; // without a connection, before anybody is told
const IDS_MAX = 100; // of one request
const ALARMING = new Set(['error', 'critical']);

const hubs = new WeakMap(); // of a client

function nameOf({ key, id }) {
  return `${key} ${id}`;
}

function remember(set, value) {
  set.delete(value);
  set.add(value);
  if (set.size > KNOWN_MAX) set.delete(set.values().next().value);
}

class Hub {
  client;
  counts = null; // as they were told last
  muted = new Set();
  isAway = false; // for longer than a moment
  stopCode = null; // why there will be no connection
  liveAt = null; // when what is shown was certainly true
  #categories = []; // that are known, by name
  #gone = new Set(); // names of what is deleted, or will be
  #done = new Set(); // names with which button: 'key id name'
  #deletions = new Map(); // that can still be undone: name → { item, timer }
  #undo = null; // { run, timer }: of what was done last
  #holders = new Set(); // elements; the first one speaks
  #levelTimer = null;
  #awayTimer = null;
  #off = null;

  static of(client) {
    if (!hubs.has(client)) hubs.set(client, new Hub(client));
    return hubs.get(client);
  }

  constructor(client) {
    this.client = client;
  }

  /* holder: { hear(type, what), wantsCounts }. Returns a function that ends it. */
  hold(holder) {
    this.#holders.add(holder);
    if (this.#holders.size === 1) this.#start();
    return () => {
      this.#holders.delete(holder);
      if (this.#holders.size === 0) this.#stop();
    };
  }

  isSpeaker(holder) {
    return this.#holders.values().next().value === holder;
  }

  #start() {
    const { client } = this;
    const leaving = new AbortController();
    const offs = [
      client.on('counts', (counts) => this.#hearCounts(counts)),
      client.on('ready', () => this.#tell('ready')),
      client.on('badge', () => this.#tell('badge')),
      client.on('status', (event) => this.#hearStatus(event)),
      client.on('notification', (message) => this.#hearNotification(message)),
      client.on('action_done', ({ data }) => this.#hearDone(data)),
      client.on('*', (message) => this.#hearChange(message)),
    ];
    this.#hearStatus({ status: client.status });
    addEventListener('pagehide', () => this.flush(), { capture: true, signal: leaving.signal }); // before the client leaves
    this.#off = () => {
      leaving.abort();
      for (const off of offs) off();
    };
  }

  #stop() {
    this.flush();
    clearTimeout(this.#levelTimer);
    clearTimeout(this.#awayTimer);
    this.#levelTimer = this.#awayTimer = null;
    this.#forgetUndo();
    this.#off();
  }

  #tell(type, what) {
    for (const holder of [...this.#holders]) holder.hear(type, what);
  }

  /* -- what is heard -- */

  #hearStatus({ status, code = null }) {
    if (status === 'connected') this.#setAway(false);
    else if (status === 'stopped') this.#setAway(true, code);
    else this.#awayTimer ??= setTimeout(() => this.#setAway(true), AWAY_MS);
    this.#tell('status');
  }

  #setAway(isAway, code = null) {
    clearTimeout(this.#awayTimer);
    this.#awayTimer = null;
    if (isAway && !this.isAway && this.liveAt === null && this.client.userId) this.liveAt = Date.now();
    if (!isAway) this.liveAt = null;
    this.isAway = isAway;
    this.stopCode = code;
    this.#tell('away');
  }

  /* Somebody does not want to wait. */
  reconnect() {
    this.client.close();
    this.client.open();
  }

  #hearCounts(counts) {
    this.counts = counts;
    if (Array.isArray(counts.muted)) this.#takeMuted(counts.muted);
    this.#tell('counts');
  }

  isOurs(key) {
    return key === this.client.inboxKey || this.client.logs.includes(key);
  }

  #hearNotification(message) {
    const { key, data, muted } = message;
    if (!this.isOurs(key) || !data || data.id !== message.id) return;
    if (ALARMING.has(data.level) || this.#areCountsWanted) this.#countSoon();
    if (!muted && !data.is_read) this.#tell('arrival', { ...data, key });
  }

  #hearDone(data) {
    if (data === null || typeof data !== 'object' || typeof data.notification_id !== 'string') return;
    this.#noteDone({ key: plain(data.log) || this.client.inboxKey, id: data.notification_id }, textOr(data.name, 'open'));
  }

  #hearChange(message) {
    if ('data' in message || !this.isOurs(message.key)) return;
    if (this.#areCountsWanted || (this.counts && ALARMING.has(this.counts.max_level))) this.#countSoon();
    this.#tell('change', message);
    const { type, categories } = message;
    if ((type !== 'muted' && type !== 'unmuted') || !Array.isArray(categories)) return;
    this.#takeMuted(type === 'muted' ? [...this.muted, ...categories] : [...this.muted].filter((name) => !categories.includes(name)));
  }

  get #areCountsWanted() {
    return [...this.#holders].some(({ wantsCounts }) => wantsCounts);
  }

  /* No message says what is unseen, nor which level is the highest of what is unread. */
  #countSoon() {
    this.#levelTimer ??= setTimeout(() => {
      this.#levelTimer = null;
      this.client.unreadCount().catch(() => {}); // the next change asks again
    }, LEVEL_MS * (1 + Math.random()));
  }

  /* -- categories -- */

  get categories() {
    const counted = Object.keys((this.counts && this.counts.by_category) || {});
    return [...new Set([...this.#categories, ...counted, ...this.muted])].sort((a, b) => a.localeCompare(b));
  }

  async loadCategories() {
    const { muted, permitted, present } = await this.client.categories();
    const isName = (name) => typeof name === 'string';
    this.#categories = [...new Set([...(present || []).filter(isName), ...(permitted || []).filter((name) => isName(name) && !name.includes('*'))])];
    this.#takeMuted(muted || []);
    this.#tell('categories');
  }

  async setMuted(category, isMuted) {
    await (isMuted ? this.client.mute(category) : this.client.unmute(category));
    this.#takeMuted(isMuted ? [...this.muted, category] : [...this.muted].filter((name) => name !== category));
  }

  /* Told only if it is otherwise: all rows are drawn anew then. */
  #takeMuted(names) {
    const before = this.muted;
    this.muted = new Set(names.filter((name) => typeof name === 'string'));
    if (before.size !== this.muted.size || [...this.muted].some((name) => !before.has(name))) this.#tell('muted');
  }

  /* -- what was done -- */

  isDone(item, name = 'open') {
    return this.#done.has(`${nameOf(item)} ${name}`);
  }

  #noteDone(item, name = 'open') {
    remember(this.#done, `${nameOf(item)} ${name}`);
    this.#tell('done', item);
  }

  /* method: of the client, with ids; one request speaks of one box. */
  async send(method, items) {
    for (const key of new Set(items.map((item) => item.key))) {
      const ids = items.filter((item) => item.key === key).map(({ id }) => id);
      for (let i = 0; i < ids.length; i += IDS_MAX) await this.client[method](ids.slice(i, i + IDS_MAX), { log: this.logOf({ key }) });
    }
  }

  async finish(item, name) {
    await this.client.actionDone(item.id, { name, log: this.logOf(item) });
    this.#noteDone(item, name);
  }

  logOf({ key }) {
    return key === this.client.inboxKey ? undefined : key;
  }

  /* -- deleting, which has no way back: hidden at once, sent when nobody can undo it any more -- */

  isGone(item) {
    return this.#gone.has(nameOf(item));
  }

  remove(items) {
    for (const item of items) {
      const name = nameOf(item);
      remember(this.#gone, name);
      if (this.#deletions.size === 0) addEventListener('beforeunload', this.#flush);
      this.#deletions.set(name, { item, timer: setTimeout(() => this.#delete(name), UNDO_MS) });
    }
    this.#tell('gone');
    this.offerUndo(async () => this.#restore(items));
  }

  #restore(items) {
    for (const name of items.map(nameOf)) {
      clearTimeout((this.#deletions.get(name) || {}).timer);
      if (this.#deletions.delete(name)) this.#gone.delete(name);
    }
    this.#noteDeletions();
    this.#tell('gone');
  }

  async #delete(name) {
    const { item, timer } = this.#deletions.get(name);
    clearTimeout(timer);
    this.#deletions.delete(name);
    this.#noteDeletions();
    try {
      await this.client.remove(item.id, { log: this.logOf(item) });
      setTimeout(() => this.#gone.delete(name), GONE_MS); // it may come back: Redis may be given an older backup
    } catch (error) {
      this.#gone.delete(name);
      this.#tell('gone');
      this.#tell('failure', error);
    }
  }

  /* When the page hides, Firefox sends nothing any more; before, it does. (While somebody listens to this, browsers keep no
   * page for the way back.) */
  #flush = () => this.flush();

  #noteDeletions() {
    if (this.#deletions.size === 0) removeEventListener('beforeunload', this.#flush);
  }

  /* All that waits is sent now. */
  flush() {
    for (const name of [...this.#deletions.keys()]) this.#delete(name);
  }

  /* -- undoing what was done last -- */

  offerUndo(run) {
    this.#forgetUndo();
    this.#undo = { run, timer: setTimeout(() => this.#forgetUndo(), UNDO_MS) };
    this.#tell('undo');
  }

  #forgetUndo() {
    if (this.#undo === null) return;
    clearTimeout(this.#undo.timer);
    this.#undo = null;
    this.#tell('undo');
  }

  get canUndo() {
    return this.#undo !== null;
  }

  async undo() {
    if (this.#undo === null) return false;
    const { run } = this.#undo;
    this.#forgetUndo();
    await run();
    return true;
  }
}
