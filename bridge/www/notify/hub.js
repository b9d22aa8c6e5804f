/* hub -- one connection for all tabs: the end that has it. */

/* A hub holds the connection, tabs talk to it over lines: post(message), onmessage, close(). A tab says
 *
 *   hello        wishes ({ what, rewind }), positions, wantsFrames, life (a lock that it holds as long as it lives)
 *   ask          n, type, fields, timeoutMs
 *   subscribe, unsubscribe    n, what (a topic, or { channel }), from ({ lastId, last, since })
 *   token        n, and token or error: the answer to the same from the hub
 *   frames       it wants to see them
 *   wake         somebody looks at it
 *   ping         n
 *   bye
 *
 * and hears `welcome`, then events, messages, places (from where to go on), which key it will be told anew
 * (`rewind`), answers (n), `pong`, and is asked for a `token` (n). A line that has lost its tab or its hub says nothing. */

/* What came last, for tabs that were away for a moment. */
class Recent {
  #messages = [];
  #last = new Map(); // key -> id; what is rewound stands below

  constructor(other) {
    if (other) this.#messages = [...other.#messages];
    if (other) this.#last = new Map(other.#last);
  }

  add(message) {
    const { key, id } = message;
    if (!isId(id) || (this.#last.has(key) && compareIds(id, this.#last.get(key)) <= 0)) return;
    this.#last.set(key, id);
    this.#messages.push(message);
    if (this.#messages.length > LIMITS.recentMessages) this.#messages.shift();
  }

  forget(key) {
    this.#last.delete(key);
    this.#messages = this.#messages.filter((message) => message.key !== key);
  }

  /* What came on key behind id; null: that is not known any more. */
  after(key, id) {
    const all = this.#messages.filter((message) => message.key === key);
    const later = all.filter((message) => compareIds(message.id, id) > 0);
    const isNext = later.length > 0 && isId(later[0].prev) && compareIds(later[0].prev, id) <= 0;
    return isNext || all.length > later.length ? later : null;
  }
}

class Hub {
  #setup; // { url, options, user, hasToken }
  #clock;
  #locks;
  #recent;
  #connection = null;
  #positions = null;
  #tabs = new Map(); // line -> { wantsFrames, lookedAt, life (ends the waiting for its end) }
  #wishes; // of all tabs
  #followers = new Map(); // name of a wish -> lines of those who have it
  #rewinders = new Map(); // name of a wish -> lines of those who want to be told of it from further back
  #asked; // of tabs
  #timers;
  #tries = 0; // to get a token
  #greeting = null;
  #status = null;
  #badge = null;
  #isReady = false;
  #begunAnew = new Set(); // keys of which the place was lost: ids may be lower since

  /* recent: what whoever makes the hub has heard from the one before. */
  constructor({ setup, clock, locks, recent }) {
    this.#setup = setup;
    this.#clock = clock;
    this.#locks = locks;
    this.#recent = new Recent(recent);
    this.#wishes = new Wishes(setup.options.topicKey);
    this.#asked = new Requests(clock);
    this.#timers = new Timers(clock);
  }

  attach(line) {
    line.onmessage = (message) => {
      const take = HUB_TAKES[message.kind];
      if (take && (message.kind === 'hello' || this.#tabs.has(line))) take(this, line, message);
    };
  }

  /* For good; whoever is attached has to look for another one. */
  end() {
    for (const line of [...this.#tabs.keys()]) this.leave(line);
  }

  /* -- tabs come and go -- */

  hello(line, { wishes, positions, wantsFrames, life }) {
    this.#forget(line);
    this.#tabs.set(line, { wantsFrames, lookedAt: this.#clock.now(), life: this.#awaitEnd(line, life) });
    for (const { what, rewind } of wishes) this.#follow(what, line, rewind);
    if (this.#connection && this.#connection.status === 'stopped') this.#close(); // whoever comes may have another token
    if (this.#connection) this.#join(wishes, positions);
    else this.#open(wishes, positions);
    line.post(this.#welcome(line, positions));
    this.#dropWishes();
  }

  #open(wishes, positions) {
    const { url, options, hasToken } = this.#setup;
    const hears = {
      event: (type, event) => this.#tellEvent(type, event),
      message: (message) => this.#tellMessage(message),
      rewind: (name) => this.#tellRewind(name),
    };
    const token = hasToken ? () => this.#askToken() : undefined;
    this.#begunAnew.clear();
    this.#positions = new Positions(null, '');
    for (const [key, text] of Object.entries(positions)) this.#positions.take(key, text);
    this.#connection = new Connection(url, { ...DEFAULTS, ...options, token }, this.#clock, this.#positions, hears);
    for (const { what, rewind } of wishes) this.#connection.subscribe(what, { ...rewind });
    this.#connection.open();
  }

  /* What nobody has followed so far goes on where the tab has been. */
  #join(wishes, positions) {
    for (const { what, rewind } of wishes) {
      if (this.#connection.follows(what) && !rewind) continue;
      const lastId = positions[this.#wishes.of(what).name];
      this.#connection.subscribe(what, rewind || { lastId }).then(() => this.#tellPlaces(), (error) => {
        this.#tellEvent('error', { error, request: { type: 'subscribe', ...this.#wishes.of(what).subject } });
      });
    }
    this.#connection.wake();
  }

  #welcome(line, positions) {
    const replay = [];
    const lost = [];
    for (const [key, text] of Object.entries(positions).filter(([one]) => this.#isFor(line, one))) {
      const missed = this.#missed(key, text);
      if (missed === null) lost.push(key);
      else replay.push(...missed);
    }
    return {
      kind: 'welcome',
      status: this.#status,
      badge: this.#badge,
      isReady: this.#isReady,
      places: this.#placesFor(line),
      replay,
      lost,
      ...this.#standing(),
    };
  }

  #standing() {
    const { clientId, userId, unread, total, logs, link, clockAhead } = this.#connection;
    return { clientId, userId, unread, total, logs, link, clockAhead };
  }

  /* What a tab at this position lacks; null: that cannot be told. Before there is a connection, this
   * begins where the one stands that has seen least. */
  #missed(key, text) {
    const position = parsePosition(text);
    const here = parsePosition(this.#positions.text(key));
    if (!position) return [];
    const order = here ? compareIds(position.id, here.id) : -1;
    if (order < 0 && this.#connection.status !== 'connected') {
      this.#positions.forget(key);
      this.#positions.take(key, text);
      return [];
    }
    if (!here) return this.#follows(key) ? null : [];
    const isBranched = here.epoch !== undefined && position.epoch !== undefined && here.epoch !== position.epoch;
    if (isBranched || (order > 0 && this.#begunAnew.has(key))) return null;
    return order >= 0 ? [] : this.#recent.after(key, position.id);
  }

  #follows(key) {
    return key === this.#connection.inboxKey || this.#followers.has(key) || this.#isBroadcast(key);
  }

  #isBroadcast(key) {
    const { topicKey, broadcast } = this.#setup.options;
    return broadcast.some((topic) => keyOf(topicKey, topic) === key);
  }

  /* Where there are locks, the end of a tab that cannot say goodbye is heard of. */
  #awaitEnd(line, life) {
    const controller = new AbortController();
    if (!this.#locks || !life) return controller;
    this.#locks.request(life, { signal: controller.signal }, () => this.leave(line)).catch(() => {}); // it has said goodbye
    return controller;
  }

  leave(line) {
    if (!this.#forget(line)) return;
    if (this.#tabs.size > 0) this.#dropWishes();
    else this.#close();
  }

  #forget(line) {
    const tab = this.#tabs.get(line);
    if (!tab) return false;
    tab.life.abort();
    for (const { what } of this.#wishes.all) this.#unfollow(what, line);
    for (const lines of this.#rewinders.values()) lines.delete(line);
    return this.#tabs.delete(line);
  }

  #close() {
    const connection = this.#connection;
    this.#connection = null;
    this.#isReady = false;
    this.#greeting = this.#status = this.#badge = null;
    connection.close();
    this.#timers.clearAll();
    this.#asked.rejectAll(new NotifyError('DISCONNECTED', 'no tab is left'));
  }

  /* -- wishes: followed as long as one tab has them -- */

  #dropWishes() {
    const { topics, channels } = this.#connection;
    for (const what of [...topics, ...channels.map((channel) => ({ channel }))]) {
      if (!this.#followers.has(this.#wishes.of(what).name)) this.#connection.unsubscribe(what).catch(() => {});
    }
  }

  #follow(what, line, rewind) {
    const { name } = this.#wishes.add(what);
    for (const lines of rewind ? [this.#followers, this.#rewinders] : [this.#followers]) {
      if (!lines.has(name)) lines.set(name, new Set());
      lines.get(name).add(line);
    }
  }

  /* The others have a place, and take no notice of what stands below. */
  #tellRewind(name) {
    for (const line of this.#rewinders.get(name) || []) line.post({ kind: 'rewind', key: name });
    this.#rewinders.delete(name);
  }

  /* Returns whether nobody wants it any more. */
  #unfollow(what, line) {
    const { name } = this.#wishes.of(what);
    const lines = this.#followers.get(name);
    if (!lines || !lines.delete(line) || lines.size > 0) return false;
    this.#wishes.delete(what);
    return this.#followers.delete(name);
  }

  subscribe(line, { n, what, from }) {
    const { name, subject } = this.#wishes.of(what);
    const { lastId } = from;
    const rewind = rewindOf(from);
    const isNew = !this.#followers.has(name) || !this.#followers.get(name).has(line);
    this.#follow(what, line, rewind);
    const last = this.#connection.position(name);
    const answer = this.#connection.follows(what) && lastId === undefined && !rewind
      ? Promise.resolve({ type: 'subscription', ...subject, status: 'subscribed', last })
      : this.#connection.subscribe(what, from);
    this.#answer(line, n, answer.catch((error) => {
      if (error.code === 'FORBIDDEN' || (isNew && error.code !== 'DISCONNECTED')) this.#unfollow(what, line);
      throw error;
    }));
  }

  unsubscribe(line, { n, what }) {
    const isLast = this.#unfollow(what, line);
    const { subject } = this.#wishes.of(what);
    const answer = isLast ? this.#connection.unsubscribe(what) : Promise.resolve({ ...subject, status: 'unsubscribed' });
    this.#answer(line, n, answer);
  }

  /* -- requests of tabs -- */

  ask(line, { n, type, fields, timeoutMs }) {
    this.#answer(line, n, this.#connection.request(type, fields, { timeoutMs }));
  }

  #answer(line, n, promise) {
    promise.then(
      (answer) => line.post({ kind: 'answer', n, answer }),
      (error) => line.post({ kind: 'answer', n, error: toPlain(error) }),
    );
  }

  frames(line) {
    this.#tabs.get(line).wantsFrames = true;
  }

  wake(line) {
    this.#tabs.get(line).lookedAt = this.#clock.now();
    this.#connection.wake();
  }

  /* -- tokens come from tabs: first from the one that somebody looked at last -- */

  /* Who does not come up with one soon is waited for all the same while others are asked, who will be the first next time. */
  async #askToken() {
    const lines = [...this.#tabs].sort(([, a], [, b]) => b.lookedAt - a.lookedAt).map(([line]) => line);
    const asked = [];
    for (const line of lines) {
      if (!this.#tabs.has(line)) continue; // it has left meanwhile
      asked.push(this.#asked.begin('token', this.#setup.options.connectMs, (n) => line.post({ kind: 'token', n })));
      const given = await Promise.race([Promise.any(asked).catch(() => null), this.#outcome(asked[asked.length - 1], line)]);
      if (given) return given.token;
    }
    const { token } = await Promise.any(asked).catch(({ errors }) => {
      throw errors[errors.length - 1] || new NotifyError('UNAUTHORIZED', 'no tab has a token');
    });
    return token;
  }

  /* What the tab answers; null: it fails, or is slow. */
  #outcome(answer, line) {
    const name = `token ${++this.#tries}`;
    return new Promise((done) => {
      this.#timers.set(name, LIMITS.tokenMs, () => {
        if (this.#tabs.has(line)) this.#tabs.get(line).lookedAt = -1;
        done(null);
      });
      answer.catch(() => null).then((given) => {
        this.#timers.clear(name);
        done(given);
      });
    });
  }

  takeToken({ n, token, error }) {
    this.#asked.settle(error ? { type: 'error', error, request_id: n } : { token, request_id: n });
  }

  /* -- what the connection says -- */

  #tell(message, key) {
    for (const line of this.#tabs.keys()) if (this.#isFor(line, key)) line.post(message);
  }

  /* What comes from a topic or a channel that only some have asked for is for these. */
  #isFor(line, key) {
    if (key === undefined || this.#isBroadcast(key)) return true;
    const lines = this.#followers.get(key) || this.#followers.get(Wishes.nameOfChannel(key));
    return lines === undefined || lines.has(line);
  }

  #tellEvent(type, event) {
    if (!this.#connection) return;
    const take = HUB_HEARS[type];
    if (take) take(this, event);
    if (!this.#connection) return; // disowned
    if (type === 'frame') return this.#tellFrame(event);
    const plain = event.error ? { ...event, error: toPlain(event.error) } : event;
    this.#tell({ kind: 'event', type, event: plain, ...this.#standing() }, event.key);
    if (type === 'gap' || type === 'ready') queueMicrotask(() => this.#tellPlaces());
  }

  #tellFrame(event) {
    for (const [line, { wantsFrames }] of this.#tabs) {
      if (wantsFrames) line.post({ kind: 'event', type: 'frame', event, ...this.#standing() });
    }
  }

  #tellMessage(message) {
    if (!this.#connection) return;
    this.#recent.add(message);
    this.#tell({ kind: 'message', message }, message.key === undefined ? channelOf(message) : message.key);
  }

  #tellPlaces() {
    if (!this.#connection) return;
    for (const line of this.#tabs.keys()) line.post({ kind: 'places', places: this.#placesFor(line) });
  }

  #placesFor(line) {
    return Object.fromEntries(Object.entries(this.#positions.texts()).filter(([key]) => this.#isFor(line, key)));
  }

  hearStatus(event) {
    this.#status = event;
    if (event.status !== 'connected') this.#isReady = false;
    else if (this.#setup.user !== undefined && event.userId !== this.#setup.user) this.#disown(event.userId);
  }

  hearReady() {
    this.#isReady = true;
  }

  hearBadge(event) {
    this.#badge = event;
  }

  hearGap({ key }) {
    this.#begunAnew.add(key);
    this.#recent.forget(key);
  }

  /* Nobody may see what is another user's. */
  #disown(userId) {
    const reason = `the bridge takes ${this.#setup.user} for ${userId}`;
    this.#tell({ kind: 'event', type: 'stopped', event: { code: 4403, reason } });
    this.end();
  }
}

const HUB_TAKES = {
  hello: (hub, line, message) => hub.hello(line, message),
  ask: (hub, line, message) => hub.ask(line, message),
  subscribe: (hub, line, message) => hub.subscribe(line, message),
  unsubscribe: (hub, line, message) => hub.unsubscribe(line, message),
  token: (hub, line, message) => hub.takeToken(message),
  frames: (hub, line) => hub.frames(line),
  wake: (hub, line) => hub.wake(line),
  ping: (hub, line, { n }) => line.post({ kind: 'pong', n }),
  bye: (hub, line) => hub.leave(line),
};

const HUB_HEARS = {
  status: (hub, event) => hub.hearStatus(event),
  ready: (hub) => hub.hearReady(),
  badge: (hub, event) => hub.hearBadge(event),
  gap: (hub, event) => hub.hearGap(event),
};
