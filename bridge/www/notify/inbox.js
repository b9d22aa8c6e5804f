/* inbox -- the inbox as a list. */

/* What a message does to the entries that it is about. */
const asRead = (entry) => Object.freeze({ ...entry, is_read: true });
const asUnread = (entry) => Object.freeze({ ...entry, is_read: false });
const asArchived = (entry) => Object.freeze({ ...entry, is_archived: true });
const asUnarchived = (entry) => Object.freeze({ ...entry, is_archived: false });
const asGone = () => null;

const ALTERATIONS = {
  read: asRead,
  unread_again: asUnread,
  archived: asArchived,
  unarchived: asUnarchived,
  deleted: asGone,
  gone: asGone,
};
/* Of a log itself: it withdraws for everybody what it archives; what it has read is nobody's business. */
const ALTERATIONS_OF_LOG = { archived: asGone, deleted: asGone, gone: asGone };

function makeEntry(data, key, isArchived = false) {
  const { log, ...own } = data;
  return Object.freeze({ ...own, key: log || key, is_archived: isArchived });
}

/* Of an event the whole message; there is nothing to be read. */
function makeEvent({ log, ...message }, isArchived = false) {
  return Object.freeze({ ...message, is_read: true, is_archived: isArchived });
}

function nameOf({ key, id }) {
  return `${key} ${id}`;
}

/* NaN: it does not end. (Of an event the data is the sender's, whatever it says that it is.) */
function endOf({ expires_at: end }) {
  return typeof end === 'string' ? Date.parse(end) : NaN;
}

/* Newest first, those with the same id by the names of their boxes: as NOTIFY.FEED lists them. */
function compareEntries(a, b) {
  return compareIds(b.id, a.id) || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
}

/* Whether a state change is about an entry of the box that it speaks of. */
function isAbout(message, entry) {
  if (Array.isArray(message.ids)) return message.ids.includes(entry.id);
  if (isId(message.before)) return compareIds(entry.id, message.before) < 0;
  if (isId(message.upto)) return compareIds(entry.id, message.upto) <= 0 && [undefined, entry.category].includes(message.category);
  return message.type === 'gone';
}

/* The entries as Redis has them, and above these the changes that are on their way: what is shown is
 * both, and an answer that refuses a change takes it away again. What comes while a page is on its way
 * may have been before or after it was read; it is applied once more to what the page brings. Messages
 * come in their order and say how things are, not what to add: so in the end everything is as the last
 * one has it. */
class Inbox {
  #client;
  #clock;
  #filter;
  #pageSize;
  #wantsCounts;
  #wantsEvents;
  #timers;
  #key; // of the inbox whose entries these are
  #entries = []; // frozen: whatever changes is replaced
  #next = null; // where the next page begins
  #wanted = 0; // entries that were there when a page had come: so many stay, whatever comes
  #isLoaded = false;
  #loads = 0; // that have begun; what an earlier one brings is void
  #failures = 0; // in a row
  #isLoadingMore = false;
  #error = null;
  #counts = null;
  #changes = new Set(); // on their way: { isAbout(entry), alter(entry) }
  #hearings = new Set(); // each takes what comes while a page is on its way
  #listeners = new Set();
  #state = null; // as it was told last; null: to be made anew
  #offs;

  constructor(client, clock, { pageSize = 20, counts = false, events = false, category, unreadOnly = false, archived: isArchive = false } = {}) {
    this.#client = client;
    this.#clock = clock;
    this.#pageSize = pageSize;
    this.#wantsCounts = counts;
    this.#wantsEvents = events;
    this.#filter = { category, unreadOnly, isArchive };
    this.#timers = new Timers(clock);
    this.#offs = [
      client.on('status', () => this.#hearStatus()),
      client.on('ready', () => this.#load()),
      client.on('resumed', () => this.#loadSoon()),
      client.on('gap', ({ key }) => this.#concerns(key) && this.#loadSoon()),
      client.on('badge', () => this.#drawSoon()),
      client.on('counts', (answer) => this.#hearCounts(answer)),
      client.on('*', (message) => this.#hear(message)),
    ];
    if (client.status === 'connected') this.#load();
  }

  close() {
    for (const off of this.#offs) off();
    this.#timers.end();
    this.#listeners.clear();
    this.#loads++;
  }

  /* -- what is shown -- */

  /* Frozen, and the same as long as nothing changes. */
  get state() {
    return (this.#state ||= Object.freeze(this.#makeState()));
  }

  #makeState() {
    const { status, unread: own, total } = this.#client;
    return {
      items: Object.freeze(this.#shown()),
      unread: own,
      total,
      counts: this.#counts,
      hasMore: this.#next !== null,
      isLoaded: this.#isLoaded,
      isLoading: this.#hearings.size > 0,
      isLive: status === 'connected',
      error: this.#error,
    };
  }

  #shown() {
    const shown = [];
    for (let entry of this.#entries) {
      for (const change of this.#changes) if (entry && change.isAbout(entry)) entry = change.alter(entry);
      if (entry && this.#passes(entry)) shown.push(entry);
    }
    return shown;
  }

  #passes(entry) {
    const { category, unreadOnly, isArchive } = this.#filter;
    if (entry.is_archived !== isArchive || (unreadOnly && entry.is_read)) return false;
    return category === undefined || entry.category === category;
  }

  /* listener(state), at once and then after each change. Returns a function that ends it. */
  subscribe(listener) {
    this.#listeners.add(listener);
    listener(this.state);
    return () => this.#listeners.delete(listener);
  }

  #draw() {
    this.#timers.clear('draw');
    this.#state = null;
    this.#awaitExpiry();
    for (const listener of [...this.#listeners]) callSafely(listener, this.state);
  }

  /* A burst is one change. (Not by animation frames: a hidden page has none.) */
  #drawSoon() {
    this.#state = null;
    if (!this.#timers.has('draw')) this.#timers.set('draw', LIMITS.drawMs, () => this.#draw());
  }

  /* Nobody says so when an entry expires. */
  #awaitExpiry() {
    const ends = this.#entries.map(endOf).filter((time) => time > 0);
    if (ends.length === 0) return this.#timers.clear('expiry');
    const ms = Math.max(0, Math.min(...ends) - this.#client.serverNow());
    return this.#timers.set('expiry', Math.min(ms, LIMITS.timerMs), () => {
      const now = this.#client.serverNow();
      this.#entries = this.#entries.filter((entry) => !(endOf(entry) <= now));
      this.#draw();
    });
  }

  /* -- what is heard -- */

  /* Nothing of one user is shown to another. */
  #hearStatus() {
    const key = this.#client.inboxKey;
    if (key !== this.#key && this.#key !== undefined) {
      this.#entries = [];
      this.#next = this.#counts = null;
      this.#isLoaded = false;
      this.#loads++;
    }
    this.#key = key;
    this.#draw();
  }

  #hearCounts(answer) {
    this.#counts = Object.freeze({ ...answer });
    this.#drawSoon();
  }

  #concerns(key) {
    return typeof key === 'string' && (key === this.#client.inboxKey || this.#client.logs.includes(key));
  }

  #hear(message) {
    if (!this.#concerns(message.key)) return;
    for (const heard of this.#hearings) heard.push(message);
    this.#apply(message);
    this.#drawSoon();
    if (this.#wantsCounts) this.#countSoon(message.key === this.#client.inboxKey ? 0 : LIMITS.logRecountMs);
  }

  /* What is not in the messages: categories, the highest level, what is unseen. */
  #countSoon(spreadMs) {
    if (this.#timers.has('count')) return;
    const ms = LIMITS.countMs + spreadMs * this.#clock.random();
    this.#timers.set('count', ms, () => this.#client.unreadCount().catch(() => {})); // the next one will tell
  }

  #apply(message) {
    const { key } = message;
    if (isId(message.replaces)) this.#alter((entry) => entry.key === key && entry.id === message.replaces, asGone);
    if (isNotification(message)) this.#insert(makeEntry(message.data, key));
    else if (!('data' in message)) this.#applyChange(message);
    else if (this.#wantsEvents && isId(message.id)) this.#insert(makeEvent(message));
  }

  #applyChange(message) {
    const { key, log = key, type } = message;
    const isOfLog = key !== this.#client.inboxKey;
    const alter = (isOfLog ? ALTERATIONS_OF_LOG : ALTERATIONS)[type];
    if (alter) this.#alter((entry) => entry.key === log && isAbout(message, entry), alter);
    if (RELOADING.has(type) || this.#lacks(message, log)) this.#loadSoon();
  }

  /* Whether what a change is about should be shown from now on, and is not there. */
  #lacks({ type, ids }, log) {
    const { unreadOnly, isArchive } = this.#filter;
    const mayBring = type === (isArchive ? 'archived' : 'unarchived') || (unreadOnly && type === 'unread_again');
    return mayBring && !(ids || []).every((id) => this.#entries.some((entry) => entry.id === id && entry.key === log));
  }

  #alter(isMeant, alter) {
    this.#entries = this.#entries.map((entry) => (isMeant(entry) ? alter(entry) : entry)).filter(Boolean);
  }

  /* What stands below the end of what is loaded comes with its page. */
  #insert(entry) {
    const at = this.#entries.findIndex((other) => compareEntries(entry, other) <= 0);
    const isKnown = at >= 0 && compareEntries(entry, this.#entries[at]) === 0;
    if (isKnown || (at < 0 && this.#next !== null)) return;
    const place = at < 0 ? this.#entries.length : at;
    this.#entries = [...this.#entries.slice(0, place), entry, ...this.#entries.slice(place)];
    this.#trim();
  }

  /* What comes does not make a list grow for ever: its end is to be had as a page again. */
  #trim() {
    const max = Math.max(LIMITS.reload, this.#wanted);
    if (this.#entries.length <= max || this.#isLoadingMore) return; // the page fits below the end as it was
    this.#entries = this.#entries.slice(0, max);
    const { id, key } = this.#entries[max - 1];
    this.#next = this.#client.logs.length > 0 ? `${id}:${key}` : id;
  }

  /* -- pages -- */

  reload() {
    return this.#load();
  }

  #loadSoon() {
    if (!this.#timers.has('load')) this.#timers.set('load', LIMITS.drawMs, () => this.#load());
  }

  /* Everything that is shown, once more. */
  async #load() {
    this.#timers.clear('load');
    const load = ++this.#loads;
    const count = Math.min(Math.max(this.#entries.length, this.#pageSize), LIMITS.reload);
    const heard = this.#listen();
    try {
      const { entries, next } = await this.#fetch(count, null);
      if (load === this.#loads) this.#takeLoad(entries, next, heard);
    } catch (error) {
      if (load === this.#loads) this.#failLoad(error);
    }
    this.#hearings.delete(heard);
    if (load === this.#loads) this.#draw();
  }

  #listen() {
    const heard = [];
    this.#hearings.add(heard);
    this.#draw();
    return heard;
  }

  #takeLoad(entries, next, heard) {
    this.#entries = entries;
    this.#next = next;
    this.#wanted = entries.length;
    this.#isLoaded = true;
    this.#failures = 0;
    this.#error = null;
    for (const message of heard) this.#apply(message);
  }

  /* Without a connection the next one will load. */
  #failLoad(error) {
    this.#error = error;
    if (!PASSING_ERRORS.has(error.code) && (this.#client.status !== 'connected' || !LINK_ERRORS.has(error.code))) return;
    const ms = backoffDelay(this.#failures++, 2 * LIMITS.countMs, DEFAULTS.backoffMaxMs, this.#clock.random);
    this.#timers.set('load', ms, () => this.#load());
  }

  async #fetch(count, before) {
    const { category, unreadOnly, isArchive } = this.#filter;
    const feed = this.#client.logs.length > 0 || undefined; // with the logs that it follows
    const filter = { feed, category, unread_only: unreadOnly || undefined, archived: isArchive || undefined };
    const entries = [];
    let next = before;
    do {
      const limit = Math.min(count - entries.length, LIMITS.page);
      const page = await this.#client.request('request_notification_history', { ...filter, limit, before: next || undefined });
      for (const item of page.items) {
        if (isEntry(item)) entries.push(makeEntry(item, this.#client.inboxKey, isArchive));
        else if (this.#wantsEvents) entries.push(makeEvent(item, isArchive));
      }
      next = page.next;
    } while (next !== null && entries.length < count);
    return { entries, next };
  }

  /* The next page. Resolves when it is there, or there is none. */
  async more() {
    if (this.#next === null || this.#isLoadingMore) return;
    this.#isLoadingMore = true;
    const load = this.#loads;
    const heard = this.#listen();
    try {
      const { entries, next } = await this.#fetch(this.#pageSize, this.#next);
      if (load === this.#loads) this.#takeMore(entries, next, heard);
    } finally {
      this.#isLoadingMore = false;
      this.#hearings.delete(heard);
      this.#draw();
    }
  }

  #takeMore(entries, next, heard) {
    const known = new Set(this.#entries.map(nameOf));
    const others = entries.filter((entry) => !known.has(nameOf(entry)));
    this.#entries = [...this.#entries, ...others].sort(compareEntries);
    this.#next = next;
    this.#wanted = this.#entries.length;
    for (const message of heard) this.#apply(message);
  }

  /* -- changes: shown at once, and taken back if they are refused -- */

  markRead(items) {
    return this.#mark('mark_read', items, asRead);
  }
  markUnread(items) {
    return this.#mark('mark_unread', items, asUnread);
  }
  archive(items) {
    return this.#mark('archive', items, asArchived);
  }
  unarchive(items) {
    return this.#mark('unarchive', items, asUnarchived);
  }
  /* For good. (An entry of a log is archived: it is not this user's.) */
  remove(items) {
    return this.#mark('delete_notification', items, asGone);
  }

  /* Up to the newest one that is shown, so that nobody has read what comes just now. */
  markAllRead() {
    const [newest] = this.state.items;
    const { category } = this.#filter;
    const upto = newest && newest.id;
    const isMeant = (entry) =>
      upto !== undefined && compareIds(entry.id, upto) <= 0 && [undefined, entry.category].includes(category);
    return this.#change(isMeant, asRead, () => this.#client.markAllRead({ upto, category }));
  }

  markSeen() {
    const [newest] = this.state.items;
    return this.#client.markSeen({ upto: newest && newest.id });
  }

  /* items: entries of the state, or ids of the inbox; one or many. */
  #mark(type, items, alter) {
    const key = this.#client.inboxKey;
    const meant = [items].flat().map((item) => (typeof item === 'string' ? { key, id: item } : item));
    const names = new Set(meant.map(nameOf));
    return this.#change((entry) => names.has(nameOf(entry)), alter, () => this.#send(type, meant));
  }

  /* One request speaks of one box, and of so many ids. */
  async #send(type, meant) {
    const requests = [];
    for (const key of new Set(meant.map((item) => item.key))) {
      const ids = meant.filter((item) => item.key === key).map(({ id }) => id);
      const log = key === this.#client.inboxKey ? undefined : key;
      for (let i = 0; i < ids.length; i += LIMITS.page) {
        requests.push(this.#client.request(type, { ids: ids.slice(i, i + LIMITS.page), log }));
      }
    }
    const answers = await Promise.all(requests);
    return { changed: answers.reduce((sum, { changed }) => sum + changed, 0) };
  }

  async #change(isMeant, alter, send) {
    const change = { isAbout: isMeant, alter };
    this.#changes.add(change);
    this.#draw();
    try {
      const answer = await send();
      this.#alter(isMeant, alter);
      return answer;
    } catch (error) {
      if (error.code !== 'NOT_CONNECTED') this.#loadSoon(); // some of it may have been done
      throw error;
    } finally {
      this.#changes.delete(change);
      this.#draw();
    }
  }
}

/* What cannot be told by a message. */
const RELOADING = new Set(['changed', 'followed', 'unfollowed']);

function isEntry(item) {
  return typeof item.type !== 'string' || item.key === undefined; // events come as whole messages
}
