/* tab -- one connection for all tabs: a tab's end. */

/* A page's end of a line to a hub, wherever that lives: looks like a Connection. */
class Tab {
  #url;
  #options;
  #clock;
  #positions;
  #hears;
  #platform;
  #wishes;
  #requests;
  #timers;
  #recent = new Recent(); // in case the hub will live here
  #id = hashOf(`${Math.random()} ${Date.now()}`);
  #life = null; // the name of a lock that is held as long as we are here
  #endLife = null; // lets go of it
  #status = 'closed';
  #hub = {}; // what it says of itself: clientId, userId, unread, total, logs, link
  #wanted = false;
  #start = 0; // counts attempts to find a hub
  #attempt = 0; // of these that failed in a row
  #user; // whose hub it is
  #token = null; // asked for to learn the user, and good for the hub's first connection
  #modes = []; // that are left to be tried
  #mode = null;
  #place = null;
  #line = null;
  #isWelcome = false;
  #lastHeard = 0;
  #startedAt = 0;
  #wantsFrames = false;
  #isAsking = false; // whether the hub is there: until anything is heard of it
  #everReady = false;

  constructor(url, options, clock, positions, hears) {
    this.#url = url;
    this.#options = options;
    this.#clock = clock;
    this.#positions = positions;
    this.#hears = hears;
    this.#platform = platformOf(options.platform);
    this.#wishes = new Wishes(options.topicKey, options.topics);
    this.#requests = new Requests(clock);
    this.#timers = new Timers(clock);
  }

  get status() {
    return this.#status;
  }
  get mode() {
    return this.#isWelcome ? this.#mode : null;
  }
  get clientId() {
    return this.#hub.clientId === undefined ? this.#options.clientId : this.#hub.clientId;
  }
  get userId() {
    return this.#hub.userId === undefined ? this.#user : this.#hub.userId;
  }
  get inboxKey() {
    return this.userId === undefined ? undefined : keyOf(this.#options.inboxKey, this.userId);
  }
  get unread() {
    return this.#hub.unread === undefined ? null : this.#hub.unread;
  }
  get total() {
    return this.#hub.total === undefined ? null : this.#hub.total;
  }
  get logs() {
    return this.#hub.logs || [];
  }
  get link() {
    return this.#status === 'connected' ? this.#hub.link : null;
  }
  get topics() {
    return this.#wishes.topics;
  }
  get channels() {
    return this.#wishes.channels;
  }
  get clockAhead() {
    return this.#hub.clockAhead || 0;
  }
  position(key) {
    return this.#positions.get(key);
  }

  wantFrames() {
    this.#wantsFrames = true;
    if (this.#isWelcome) this.#line.post({ kind: 'frames' });
  }

  #setStatus(event) {
    this.#status = event.status;
    if (event.status === 'connected') this.#token = null; // a later connection wants one of its own
    this.#hears.event('status', event);
  }

  /* -- coming and going -- */

  open() {
    if (this.#wanted) return;
    this.#wanted = true;
    this.#timers.begin();
    this.#attempt = 0;
    this.#find();
  }

  close() {
    if (!this.#wanted) return;
    this.#end();
    this.#setStatus({ status: 'closed', code: 1000, reason: '' });
  }

  #end() {
    this.#wanted = false;
    this.#leave();
    this.#timers.end();
  }

  /* A page that is put away can hear nobody, and would only be in the way. When it is back, somebody
   * wakes it. */
  putAway(isKept) {
    if (!this.#wanted || (!this.#place && this.#status === 'waiting')) return;
    this.#leave();
    if (isKept) this.#setStatus({ status: 'waiting', code: CLOSE_GOING_AWAY, reason: 'the page was put away' });
  }

  wake() {
    if (!this.#wanted) return;
    const since = elapsed(this.#clock, this.#startedAt);
    if (this.#status === 'waiting' && !this.#place) {
      if (since >= LIMITS.wakeMs) this.#find();
      else this.#timers.set('find', LIMITS.wakeMs - since, () => this.#find());
    } else if (this.#isWelcome) {
      this.#line.post({ kind: 'wake' });
      if (elapsed(this.#clock, this.#lastHeard) >= LIMITS.wakeMs) this.#tryHub();
    }
  }

  #leave() {
    this.#start++;
    this.#timers.clearAll();
    this.#positions.save();
    this.#dropLine();
    if (this.#endLife) this.#endLife();
    if (this.#place) this.#place.stop();
    this.#place = this.#life = this.#endLife = null;
  }

  #dropLine() {
    const line = this.#line;
    this.#line = null;
    this.#isWelcome = false;
    this.#requests.rejectAll(new NotifyError('DISCONNECTED', 'the connection was lost before the answer came'));
    if (!line) return;
    line.onmessage = null;
    line.post({ kind: 'bye' });
  }

  /* There is none to be had just now. */
  #wait(code, reason) {
    const { backoffMs, backoffMaxMs } = this.#options;
    const delay = backoffDelay(this.#attempt, backoffMs, backoffMaxMs, this.#clock.random);
    const attempt = ++this.#attempt;
    this.#setStatus({ status: 'waiting', code, reason, delay, attempt });
    if (this.#status === 'waiting') this.#timers.set('find', delay, () => this.#find());
  }

  /* -- finding a hub -- */

  async #find() {
    const start = ++this.#start;
    this.#startedAt = this.#clock.now();
    this.#timers.clearAll();
    this.#timers.set('find', this.#options.connectMs, () => this.#giveUp(start, 'no token'));
    this.#setStatus({ status: 'connecting', attempt: this.#attempt });
    if (start !== this.#start) return;
    try {
      const { user, token } = await this.#learnUser();
      if (start !== this.#start) return;
      this.#user = user;
      this.#token = token;
    } catch (error) {
      if (start === this.#start) this.#hears.event('error', { error });
      this.#giveUp(start, error.message);
      return;
    }
    this.#timers.clear('find');
    await this.#holdLife(start);
    if (start !== this.#start) return;
    this.#modes = this.#user === undefined ? ['own'] : placesFor(this.#options, this.#platform);
    this.#settle();
  }

  /* What comes of it later is void. */
  #giveUp(start, reason) {
    if (start !== this.#start) return;
    this.#start++;
    this.#wait(CLOSE_ABNORMAL, reason);
  }

  /* Who this is, as far as it is known before the bridge says so: tabs of different users must not meet. With the
   * token that says so. */
  async #learnUser() {
    const { user } = this.#options;
    if (user !== undefined || this.#options.token === undefined) return { user, token: null };
    const token = await askFor(this.#options.token);
    return { user: subjectOf(token), token };
  }

  /* Resolves when the lock is held by which the hub knows that we live, or there can be none. */
  #holdLife(start) {
    const { locks } = this.#platform;
    const name = `notify-tab-${this.#id}-${start}`;
    return new Promise((resolve) => {
      const hold = (end) => {
        resolve();
        if (start !== this.#start) return end();
        this.#life = name;
        return (this.#endLife = end);
      };
      if (!locks) resolve();
      else locks.request(name, () => new Promise(hold)).catch(() => resolve());
    });
  }

  /* Where the next one may live. */
  #settle() {
    this.#dropLine();
    if (this.#place) this.#place.stop();
    this.#place = null;
    this.#mode = this.#modes.shift();
    const start = this.#start;
    const onLine = (line) => start === this.#start && this.#greet(line);
    const onGone = () => start === this.#start && this.#settle();
    try {
      this.#place = new PLACES[this.#mode](this.#placeOptions(), onLine, onGone);
    } catch {
      this.#settle(); // forbidden here
    }
  }

  #placeOptions() {
    const { token, storage, clock, platform, topics, share, worker = OWN_ADDRESS, ...options } = this.#options;
    const url = new URL(this.#url || '/ws', baseUrl()).href;
    const { clientId, inboxKey, topicKey, broadcast } = options;
    const identity = [HUB_VERSION, url, this.#user, clientId, inboxKey, topicKey, broadcast];
    const name = `notify-hub-${hashOf(JSON.stringify(identity))}`;
    const setup = { url, options, user: this.#user, hasToken: token !== undefined };
    return { name, setup, clock: this.#clock, recent: this.#recent, platform: this.#platform, worker };
  }

  #greet(line) {
    const isLost = this.#isWelcome;
    this.#dropLine();
    this.#line = line;
    this.#lastHeard = this.#clock.now();
    line.onmessage = (message) => this.#receive(line, message);
    line.post({
      kind: 'hello',
      wishes: this.#wishes.all.map(({ what, rewind }) => ({ what, rewind })),
      positions: this.#positions.texts(),
      wantsFrames: this.#wantsFrames,
      life: this.#life,
    });
    const patience = this.#mode === 'shared' ? LIMITS.workerMs : LIMITS.hubMs;
    this.#timers.set('hub', patience, () => this.#suspect());
    if (isLost) this.#setStatus({ status: 'connecting', attempt: 0 });
  }

  /* -- is it still there? -- */

  #watchHub() {
    this.#isAsking = false;
    const due = this.#clock.now() + LIMITS.hubMs;
    this.#timers.set('hub', LIMITS.hubMs, () => {
      const isLate = this.#clock.now() - due >= LIMITS.hubMs; // what it said has not been heard yet
      if (isLate || elapsed(this.#clock, this.#lastHeard) < LIMITS.hubMs) this.#watchHub();
      else this.#tryHub();
    });
  }

  #tryHub() {
    if (this.#isAsking) return;
    this.#isAsking = true;
    const asked = this.#clock.now();
    this.#line.post({ kind: 'ping', n: 0 });
    const ms = LIMITS.hubReplyMs * (1 + this.#clock.random()); // not all tabs at once
    this.#timers.set('hub', ms, () => {
      const isLate = this.#clock.now() - asked >= 2 * LIMITS.hubReplyMs + LIMITS.hubMs;
      const isThere = !this.#isAsking;
      this.#isAsking = false;
      if (isThere) this.#watchHub();
      else if (isLate) this.#tryHub();
      else this.#suspect();
    });
  }

  #suspect() {
    if (this.#place.suspect()) this.#timers.set('hub', LIMITS.hubMs, () => this.#suspect());
    else this.#settle();
  }

  /* -- what it says -- */

  #receive(line, message) {
    if (line !== this.#line) return;
    this.#lastHeard = this.#clock.now();
    this.#isAsking = false;
    const take = TAB_TAKES[message.kind];
    if (take && (this.#isWelcome || BEFORE_WELCOME.has(message.kind))) take(this, message);
  }

  /* Any listener may close the client. */
  takeWelcome({ status, badge, isReady, places, replay, lost, ...hub }) {
    const line = this.#line;
    const isHere = () => line === this.#line;
    this.#hub = hub;
    this.#isWelcome = true;
    this.#attempt = 0;
    this.#watchHub();
    this.takeEvent({ type: 'status', event: status, ...hub });
    for (const key of lost) if (isHere()) this.#loseKey(key);
    for (const message of replay) if (isHere()) this.takeMessage({ message });
    if (!isHere()) return;
    this.#positions.startAll(places);
    if (badge) this.#hears.event('badge', badge);
    if (isReady && isHere()) this.#tellReady({ lost, unread: hub.unread, total: hub.total, userId: hub.userId });
  }

  #loseKey(key) {
    this.#positions.forget(key);
    this.#recent.forget(key);
    this.#hears.event('gap', { key });
  }

  #tellReady(event) {
    const first = !this.#everReady;
    this.#everReady = true;
    this.#hears.event('ready', { ...event, first });
  }

  takeEvent({ type, event, kind, ...hub }) {
    this.#hub = hub;
    if (event.error) event.error = fromPlain(event.error);
    if (type === 'gap') this.#loseKey(event.key);
    else if (type === 'ready') this.#tellReady(event);
    else if (type === 'stopped' || (type === 'status' && event.status === 'stopped')) this.takeStop(event);
    else if (type === 'status') this.#setStatus(event);
    else this.#hears.event(type, event);
  }

  /* Before anybody is told: who is may open it again at once. */
  takeStop({ code, reason }) {
    this.#end();
    this.#setStatus({ status: 'stopped', code, reason });
    this.#hears.event('stopped', { code, reason });
  }

  takeMessage({ message }) {
    if (isId(message.id) && typeof message.key === 'string') {
      const place = this.#positions.get(message.key);
      if (place && compareIds(message.id, place) <= 0) return; // for another tab, which goes back further
      this.#wishes.rewound(message.key);
      this.#positions.deliver(message.key, message.id, message.rev);
      this.#positions.noteEpoch(message.key, message.epoch);
      this.#recent.add(message);
      if (this.#options.storage && !this.#timers.has('save')) this.#timers.set('save', 250, () => this.#positions.save());
    } else if (typeof message.key === 'string') {
      this.#positions.noteEpoch(message.key, message.epoch); // a change of state may begin one
    }
    this.#hears.message(message);
  }

  /* It is told once more, from further back. */
  takeRewind({ key }) {
    this.#positions.forget(key);
  }

  takePlaces({ places }) {
    this.#positions.startAll(places);
  }

  takeAnswer({ n, answer, error }) {
    this.#requests.settle(error ? { type: 'error', error, request_id: n } : { ...answer, request_id: n });
  }

  /* The hub wants a token. If it is another user's by now, this is the wrong hub. */
  async giveToken({ n }) {
    const line = this.#line;
    try {
      const token = this.#token || (await askFor(this.#options.token));
      if (line !== this.#line) return;
      this.#token = null;
      const subject = subjectOf(token);
      if (this.#options.user === undefined && subject !== this.#user) this.#changeUser();
      else line.post({ kind: 'token', n, token });
    } catch (error) {
      if (line === this.#line) line.post({ kind: 'token', n, error: toPlain(error) });
    }
  }

  #changeUser() {
    this.#leave();
    this.#hub = {};
    this.#user = undefined;
    const start = this.#start;
    this.#hears.event('badge', { unread: null, rev: -1, total: null });
    if (start === this.#start) this.#find(); // else whoever heard it has closed
  }

  /* -- asking -- */

  request(type, fields = {}, { timeoutMs = this.#options.requestMs } = {}) {
    return this.#ask(timeoutMs, { kind: 'ask', type, fields: JSON.parse(JSON.stringify(fields)), timeoutMs });
  }

  #ask(timeoutMs, message) {
    if (!this.#isWelcome || this.#status !== 'connected') {
      return Promise.reject(new NotifyError('NOT_CONNECTED', 'there is no connection'));
    }
    return this.#requests.begin(message.type || message.kind, timeoutMs + LIMITS.hubReplyMs, (n) => this.#line.post({ ...message, n }));
  }

  async subscribe(what, from = {}) {
    const before = this.#wishes.get(this.#wishes.of(what).name);
    const { name, rewind } = this.#wishes.add(what, rewindOf(from));
    const place = this.#positions.text(name);
    if (!rewind) this.#positions.take(name, from.lastId);
    else if (!before) this.#positions.forget(name); // of a page before this one
    const message = { kind: 'subscribe', what, from };
    if (this.#status !== 'connected') return this.#pending(message, 'pending');
    try {
      const answer = await this.#ask(this.#options.requestMs, message);
      this.#wishes.rewound(name);
      this.#positions.start(name, answer.last, undefined, answer.epoch);
      return answer;
    } catch (error) {
      this.#wishes.undo(what, before, error);
      if (!this.#positions.get(name)) this.#positions.take(name, place);
      throw error;
    }
  }

  async unsubscribe(what) {
    this.#wishes.delete(what);
    this.#positions.forget(this.#wishes.of(what).name);
    const message = { kind: 'unsubscribe', what };
    if (this.#status !== 'connected') return this.#pending(message, 'unsubscribed');
    return this.#ask(this.#options.requestMs, message);
  }

  /* The hub notes it, if there is one; else it hears of it when there is. */
  #pending(message, status) {
    if (this.#isWelcome) this.#line.post({ ...message, n: 0 });
    return { ...this.#wishes.of(message.what).subject, status };
  }
}

const BEFORE_WELCOME = new Set(['welcome', 'token', 'stopped']);

const TAB_TAKES = {
  welcome: (tab, message) => tab.takeWelcome(message),
  event: (tab, message) => tab.takeEvent(message),
  stopped: (tab, { event }) => tab.takeStop(event),
  message: (tab, message) => tab.takeMessage(message),
  rewind: (tab, message) => tab.takeRewind(message),
  places: (tab, message) => tab.takePlaces(message),
  answer: (tab, message) => tab.takeAnswer(message),
  token: (tab, message) => tab.giveToken(message),
};
