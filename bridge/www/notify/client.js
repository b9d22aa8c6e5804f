/* client -- what applications see. */

class NotifyClient {
  #url;
  #options;
  #clock;
  #link; // a Connection, or a Tab of one
  #listeners = new Map();
  #page = null; // ends listening to the page

  constructor(url, options = {}) {
    this.#url = url;
    this.#options = { ...DEFAULTS, ...options };
    this.#clock = { ...PLATFORM_CLOCK, ...this.#options.clock };
    const { user = '', storage, share } = this.#options;
    const positions = new Positions(storage, `notify:${url || '/ws'}:${user}`);
    const hears = { event: (type, event) => this.#hear(type, event), message: (message) => this.#emitMessage(message) };
    const Link = share ? Tab : Connection;
    this.#link = new Link(url, this.#options, this.#clock, positions, hears);
  }

  /* A client that is already connecting. */
  static connect(url, options) {
    const client = new NotifyClient(url, options);
    client.open();
    return client;
  }

  get status() {
    return this.#link.status;
  }
  /* Where the connection is: 'shared' (in a worker), 'leader' (in one of the tabs), 'own', or null. */
  get mode() {
    if (this.#link instanceof Tab) return this.#link.mode;
    return this.status === 'closed' || this.status === 'stopped' ? null : 'own';
  }
  /* How it is connected: 'websocket', 'stream', or null. */
  get link() {
    return this.#link.link;
  }
  get clientId() {
    return this.#link.clientId;
  }
  get userId() {
    return this.#link.userId;
  }
  get inboxKey() {
    return this.#link.inboxKey;
  }
  /* The inbox's own unread count as Redis has it; null before the first answer. */
  get unread() {
    return this.#link.unread;
  }
  /* The same with the logs that the inbox follows: what a badge shows. */
  get total() {
    return this.#link.total;
  }
  /* The keys of these logs. */
  get logs() {
    return this.#link.logs;
  }
  get topics() {
    return this.#link.topics;
  }
  get channels() {
    return this.#link.channels;
  }
  position(key) {
    return this.#link.position(key);
  }
  /* Milliseconds since 1970 by the bridge's clock. */
  serverNow() {
    return this.#clock.now() + this.#link.clockAhead;
  }

  open() {
    if (this.#page) return;
    this.#page = new AbortController();
    this.#listen(this.#page.signal);
    this.#link.open();
  }

  close() {
    this.#link.close();
  }

  /* To the page, where there is one. */
  #listen(signal) {
    const listen = (target, type, listener) => {
      if (target && typeof target.addEventListener === 'function') target.addEventListener(type, listener, { signal });
    };
    for (const [target, type] of WAKING_EVENTS) {
      listen(target === 'window' ? globalThis : globalThis.document, type, () => this.#wake(type));
    }
    listen(globalThis, 'pagehide', ({ persisted }) => this.#link.putAway(persisted));
    listen(globalThis.document, 'freeze', () => this.#link.putAway(true));
  }

  #wake(type) {
    if (type !== 'visibilitychange' || document.visibilityState !== 'hidden') this.#link.wake();
  }

  /* -- events -- */

  /* type: the type of a message, one of the library's own events, or '*' for every message.
   * Returns a function that takes the listener away again. */
  on(type, listener) {
    if (type === 'frame' && this.#link.wantFrames) this.#link.wantFrames();
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

  #hear(type, event) {
    if (type === 'status' && (event.status === 'closed' || event.status === 'stopped') && this.#page) {
      this.#page.abort();
      this.#page = null;
    }
    this.#emit(type, event);
  }

  #emit(type, event) {
    for (const listener of [...(this.#listeners.get(type) || [])]) callSafely(listener, event);
  }

  #emitMessage(message) {
    if (!OWN_EVENTS.has(message.type)) this.#emit(message.type, message);
    this.#emit('*', message);
  }

  /* -- asking -- */

  /* Sends a request; resolves with its answer, rejects with a NotifyError. */
  request(type, fields, options) {
    return this.#link.request(type, fields, options);
  }

  /* Follows a topic or { channel } from now on, over reconnects too. lastId: first everything after it;
   * last, since: first its newest entries. Without a connection it is noted, and done with the next one. */
  subscribe(what, options) {
    return this.#link.subscribe(what, options);
  }

  unsubscribe(what) {
    return this.#link.unsubscribe(what);
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

  /* Asks the agent: for await (const event of client.chat('Hello')). It has a connection of its own, and
   * goes on over another one when that is lost. signal: ends it. */
  chat(message, { sessionId, signal = new AbortController().signal, ...fields } = {}) {
    const { user, fetch = globalThis.fetch.bind(globalThis) } = this.#options;
    const target = { api: apiUrl(this.#url, baseUrl()), user, fetch };
    if (target.api === null) throw new TypeError('there is no chat beside this address');
    return new Chat(target, { message, session_id: sessionId, ...fields }, signal, this.#options, this.#clock).read();
  }

  /* The inbox as a list that is always right: { pageSize, category, unreadOnly, archived, counts }. */
  inbox(options) {
    return new Inbox(this, this.#clock, options);
  }

  /* Here and below, { log }: the ids are of this log, which the inbox follows. */
  markRead(ids, fields) {
    return this.request('mark_read', { ...fields, ...idFields(ids) });
  }
  markUnread(ids, fields) {
    return this.request('mark_unread', { ...fields, ...idFields(ids) });
  }
  /* { upto, category, log } */
  markAllRead(fields = {}) {
    return this.request('mark_all_read', fields);
  }
  /* { upto, log } */
  markSeen(fields = {}) {
    return this.request('mark_seen', fields);
  }
  archive(ids, fields) {
    return this.request('archive', { ...fields, ...idFields(ids) });
  }
  unarchive(ids, fields) {
    return this.request('unarchive', { ...fields, ...idFields(ids) });
  }
  remove(ids, fields) {
    return this.request('delete_notification', { ...fields, ...idFields(ids) });
  }
  mute(category) {
    return this.request('mute', { category });
  }
  unmute(category) {
    return this.request('unmute', { category });
  }
  /* { muted, permitted, present } */
  categories() {
    return this.request('categories');
  }
  /* What an entry asked for is done: { log, name }. */
  actionDone(id, fields) {
    return this.request('action_done', { ...fields, id });
  }
  /* { unread, unseen, by_category, max_level, last, rev, epoch, next_expiry, logs, total, total_unseen } */
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
