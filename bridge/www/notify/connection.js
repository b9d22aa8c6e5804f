/* connection -- one link to the bridge, kept alive. */

/* Of a request of the present connection. */
function isPassing({ code }) {
  return PASSING_ERRORS.has(code) || LINK_ERRORS.has(code);
}

/* Keeps one link to the bridge alive. What it hears goes to `hears`: hears.event(type, event) gets the
 * library's own events, hears.message(message) what comes from boxes. */
class Connection {
  #url;
  #options;
  #clock;
  #hears;
  #positions;
  #wishes; // kept over reconnects
  #backlog;
  #requests;
  #counts;
  #probe; // of a WebSocket, beside a stream
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
  #unopened = 0; // attempts in a row that did not open
  #everOpened = false; // since open()
  #attemptAt = 0; // when the last one began
  #trying = null; // the connection (by its #epoch) whose link is being tried
  #isByStream = false; // how the next connection is tried, and the present one stands
  #ungreeted = 0; // attempts by WebSocket in a row that brought no greeting
  #sent = null; // what the stream was asked for: { positions, rewind, wishes }
  #places = null; // the keys that a stream has told the places of; null: the last connection was none
  #onResumed = null; // takes the answer to the positions that the stream was asked for,
  #asked = []; // which names all of these keys (one that was too slow for is told of alone, perhaps before)
  #isRefused = false; // the last token was no good

  constructor(url, options, clock, positions, hears) {
    this.#url = url;
    this.#options = options;
    this.#clock = clock;
    this.#wishes = new Wishes(options.topicKey, options.topics);
    this.#positions = positions;
    this.#hears = hears;
    this.#backlog = new Backlog(this.#positions);
    this.#requests = new Requests(this.#clock);
    this.#timers = new Timers(this.#clock);
    this.#counts = new Counts({
      options, clock, timers: this.#timers, recount: () => this.#recount(), tell: (now) => this.#emit('badge', now),
    });
    this.#probe = new Probe({
      timers: this.#timers,
      ms: options.connectMs,
      token: () => askFor(options.token),
      open: (token) => this.#openWebSocket(token),
      greeted: () => this.#changeLink(),
    });
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
    return this.#counts.unread;
  }
  /* What a badge shows: the inbox and the logs that it follows. */
  get total() {
    return this.#counts.total;
  }
  /* The keys of these logs. */
  get logs() {
    return this.#counts.logs;
  }
  /* How it is connected: 'websocket', 'stream' or null. */
  get link() {
    if (this.#status !== 'connected') return null;
    return this.#isByStream ? 'stream' : 'websocket';
  }
  get topics() {
    return this.#wishes.topics;
  }
  get channels() {
    return this.#wishes.channels;
  }
  /* Or will as soon as there is a connection. */
  follows(what) {
    const wish = this.#wishes.get(this.#wishes.of(what).name);
    return wish !== undefined && !wish.isRefused;
  }
  get clockAhead() {
    return this.#counts.clockAhead;
  }
  position(key) {
    return this.#positions.get(key);
  }

  /* Any listener may close the client: what is still to be said then, nobody hears. */
  #emit(type, event) {
    if (this.#wanted) this.#hears.event(type, event);
  }

  #tell(message) {
    if (this.#wanted) this.#hears.message(message);
  }

  #setStatus(status, details = {}) {
    this.#status = status;
    this.#hears.event('status', { status, ...details });
  }

  /* -- the life of the connection -- */

  open() {
    if (this.#wanted) return;
    this.#wanted = true;
    this.#timers.begin();
    this.#attempt = 0;
    this.#unopened = 0;
    this.#everOpened = false;
    this.#isRefused = false;
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
    this.#probe.stop();
    this.#timers.end();
    this.#positions.save();
  }

  async #connect() {
    const epoch = ++this.#epoch;
    this.#attemptAt = this.#clock.now();
    this.#timers.clearAll();
    this.#timers.set('connect', this.#options.connectMs, () => this.#lost(CLOSE_ABNORMAL, NO_GREETING));
    this.#setStatus('connecting', { attempt: this.#attempt });
    if (epoch !== this.#epoch) return;
    try {
      const token = await askFor(this.#options.token);
      if (epoch !== this.#epoch) return;
      this.#adoptSocket(this.#isByStream ? this.#openStream(token) : this.#openWebSocket(token));
    } catch (error) {
      if (epoch !== this.#epoch) return;
      this.#emit('error', { error });
      if (epoch === this.#epoch) this.#lost(CLOSE_ABNORMAL, error.message);
    }
  }

  #openWebSocket(token) {
    const Socket = this.#options.WebSocket || globalThis.WebSocket;
    return new Socket(connectUrl(this.#url, baseUrl(), this.#options, token));
  }

  #openStream(token) {
    const { user, clientId } = this.#options;
    const { positions, rewind, wishes } = (this.#sent = this.#toSend());
    const query = { positions: JSON.stringify(positions), ...rewind };
    const namesOf = (kind) => wishes.map(({ subject }) => subject[kind]).filter((name) => name !== undefined).join(',');
    for (const [field, kind] of [['topics', 'topic'], ['channels', 'channel']]) {
      const names = namesOf(kind);
      if (names) query[field] = names;
    }
    if (clientId !== undefined) query.session_id = clientId;
    const socket = new StreamSocket({ api: apiUrl(this.#url, baseUrl()), user, token, fetch: this.#fetch() }, query);
    socket.onsign = () => (this.#lastHeard = this.#clock.now());
    return socket;
  }

  /* Unlike a WebSocket a stream has to be told at once where to go on and what to follow, and rewinds all
   * that it is told no place of. So what is to be rewound waits for a stream of which the places of all
   * else are known, and, if it is to go back differently, for another one. */
  #toSend() {
    const isToRewind = ({ name, rewind }) => rewind !== null && !this.#positions.get(name);
    const first = this.#places && this.#wishes.all.find(isToRewind);
    const rewind = first ? first.rewind : null;
    const isNow = (wish) => !isToRewind(wish) || JSON.stringify(wish.rewind) === JSON.stringify(rewind);
    const wishes = this.#wishes.all.filter(isNow);
    const positions = this.#automaticPositions();
    for (const key of [...(this.#places || []), ...wishes.map(({ name }) => name)]) {
      if (this.#positions.get(key)) positions[key] = this.#positions.text(key);
    }
    return { positions, rewind, wishes };
  }

  /* Null: there is no other way than by WebSocket. */
  #fetch() {
    const { stream, fetch, WebSocket: Socket } = this.#options;
    if (!stream || apiUrl(this.#url, baseUrl()) === null) return null;
    if (fetch) return fetch;
    return Socket === undefined && typeof globalThis.fetch === 'function' ? globalThis.fetch.bind(globalThis) : null;
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
    this.#connectedAt = 0;
    this.#onResumed = null;
    this.#probe.stop();
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
    const stable = this.#connectedAt && elapsed(this.#clock, this.#connectedAt) >= this.#options.stableMs;
    if (this.#socket && !this.#connectedAt) this.#chooseLink(code, reason);
    this.#timers.clearAll();
    this.#positions.save();
    this.#leaveSocket(1000);
    if (!this.#wanted) return;
    if (FINAL_CLOSE_CODES.has(code) && !this.#mayRenew(code)) {
      this.#stop();
      const details = { code, reason: reason || FINAL_CLOSE_CODES.get(code) };
      this.#setStatus('stopped', details);
      this.#hears.event('stopped', details);
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

  /* A token that has run out is worth one more attempt with another one, if there can be one. */
  #mayRenew(code) {
    if (code !== CLOSE_UNAUTHORIZED || typeof this.#options.token !== 'function' || this.#isRefused) return false;
    this.#isRefused = true;
    return true;
  }

  /* After an attempt that brought no greeting. What does not come from the bridge says nothing, and
   * may be the doing of a proxy that lets no WebSocket through; one that lets it open and then
   * nothing pass took so long already that it is not tried again. */
  #chooseLink(code, reason) {
    if (this.#isByStream) {
      this.#isByStream = false;
      this.#ungreeted = LIMITS.blocked - 1;
    } else if (code === CLOSE_ABNORMAL) {
      this.#ungreeted += reason === NO_GREETING ? LIMITS.blocked : 1;
      this.#isByStream = this.#ungreeted >= LIMITS.blocked && this.#fetch() !== null;
    }
  }

  /* Until the next attempt. What never opened is more likely refused than away. */
  #pause(code, reason) {
    const { backoffMs, backoffMaxMs } = this.#options;
    if (!this.#everOpened && this.#unopened >= LIMITS.unopened) return backoffMaxMs;
    const asked = restartDelay(code, reason);
    return asked !== null ? asked : backoffDelay(this.#attempt, backoffMs, backoffMaxMs, this.#clock.random);
  }

  /* Somebody looks at the page, or the network is back. (These events come in swarms.) */
  wake() {
    if (this.#status === 'waiting') {
      const since = elapsed(this.#clock, this.#attemptAt);
      this.#attempt = 0;
      if (since >= LIMITS.wakeMs) this.#connect();
      else this.#timers.set('retry', LIMITS.wakeMs - since, () => this.#connect());
    } else if (this.#status === 'connected' && elapsed(this.#clock, this.#lastHeard) >= LIMITS.wakeMs) {
      this.#tryLink(LIMITS.wakeReplyMs);
    }
    this.#probe.hasten();
  }

  /* A page that is put away for a possible return keeps its socket, and the bridge would go on taking
   * it for one that listens. When it is back, somebody wakes it. */
  putAway(isKept) {
    if (isKept && this.#status !== 'waiting') this.#lost(CLOSE_GOING_AWAY, 'the page was put away');
    else this.#positions.save();
    if (isKept) this.#timers.clear('retry');
  }

  /* -- heartbeat: a link that died without a word is noticed -- */

  #watchLink() {
    const { heartbeatMs, heartbeatReplyMs } = this.#options;
    const silent = elapsed(this.#clock, this.#lastHeard);
    const ms = Math.max(heartbeatMs - silent, 1);
    const due = this.#clock.now() + ms;
    this.#timers.set('heartbeat', ms, () => {
      const hasSlept = this.#clock.now() - due >= LIMITS.sleepMs;
      if (hasSlept) this.#tryLink(LIMITS.wakeReplyMs);
      else if (elapsed(this.#clock, this.#lastHeard) >= heartbeatMs) this.#tryLink(heartbeatReplyMs);
      else this.#watchLink();
    });
  }

  /* A stream says something all the time, and cannot be asked. */
  #tryLink(timeoutMs) {
    const epoch = this.#epoch;
    const isSilent = elapsed(this.#clock, this.#lastHeard) >= this.#options.heartbeatMs;
    if (this.#isByStream) return isSilent ? this.#lost(CLOSE_ABNORMAL, 'no heartbeat') : this.#watchLink();
    if (this.#trying === epoch) return;
    this.#trying = epoch;
    const judge = (error) => {
      if (epoch !== this.#epoch) return;
      this.#trying = null;
      if (error && error.code === 'TIMEOUT') this.#lost(CLOSE_ABNORMAL, 'no heartbeat');
      else if (error && error.code === 'NOT_CONNECTED') this.#awaitClose(timeoutMs);
      else this.#watchLink();
    };
    this.request('heartbeat', {}, { timeoutMs }).then(() => judge(), judge);
  }

  /* It is closing already, and will say why, unless the other end has gone. */
  #awaitClose(ms) {
    if (!this.#timers.has('closing')) this.#timers.set('closing', ms, () => this.#lost(CLOSE_ABNORMAL, 'no heartbeat'));
  }

  /* -- the token -- */

  /* It ends soon: another one renews it without reconnecting. (A stream ends with its token, and the
   * next one asks for another.) */
  async #renewToken(epoch, attempt = 0) {
    if (this.#isByStream || epoch !== this.#epoch) return;
    const { backoffMs, backoffMaxMs } = this.#options;
    try {
      const token = await askFor(this.#options.token);
      if (epoch === this.#epoch) await this.request('auth', { token });
    } catch (error) {
      if (epoch !== this.#epoch) return;
      const ms = backoffDelay(attempt + 1, backoffMs, backoffMaxMs, this.#clock.random);
      this.#timers.set('renew', ms, () => this.#renewToken(epoch, attempt + 1));
      this.#emit('error', { error, request: { type: 'auth' } });
    }
  }

  /* A WebSocket gets through, after all. */
  #changeLink() {
    this.#isByStream = false;
    this.#ungreeted = 0;
    this.#connectAnew();
  }

  /* With what is to be followed by now. */
  #reopenStream() {
    if (this.#connectedAt && !this.#timers.has('reopen')) this.#timers.set('reopen', 0, () => this.#connectAnew());
  }

  #connectAnew() {
    this.#leaveSocket(1000);
    this.#connect();
  }

  /* -- receiving -- */

  #receive(text) {
    this.#requests.hear();
    if (!this.#isByStream) this.#lastHeard = this.#clock.now();
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      message = null;
    }
    const epoch = this.#epoch;
    this.#emit('frame', { direction: 'in', text, message });
    if (epoch !== this.#epoch) return;
    if (message === null || typeof message !== 'object' || typeof message.type !== 'string') return;
    // Only what came from a box has a key; whatever an event is called, it is no answer.
    if (typeof message.key === 'string') this.#receivePushed(message);
    else if (message.type === 'connection') this.#receiveGreeting(message);
    else this.#receiveAnswer(message);
  }

  /* Any listener on the way may close the client, and open it again: then all of it comes again. */
  #receivePushed(message) {
    const epoch = this.#epoch;
    const { key } = message;
    const isCatchingUp = this.#backlog.holds(key);
    const isReplaced = isChange(message, 'changed') && isId(message.last);
    const isGone = isChange(message, 'gone');
    const isOther = !this.#backlog.hasHad(message) && this.#positions.beginsAnew(message, this.#backlog.revBefore(key));
    if (isReplaced) this.#beginAnew(key, message.last);
    else if (isOther) this.#beginAnew(key, '0-0', message.rev);
    if (epoch !== this.#epoch) return;
    this.#positions.hear(key, message.rev);
    // While it catches up, the bridge has not judged the place yet.
    const isBranched = !isCatchingUp && this.#positions.noteEpoch(key, message.epoch);
    if (key === this.inboxKey) this.#counts.hear(message, { isCatchingUp, isAnew: isReplaced || isGone || isBranched });
    if (isGone && epoch === this.#epoch) this.#beginAnew(key);
    if (epoch === this.#epoch) this.#keepOrDeliver(message);
  }

  /* What comes from here on is of another box with the same name. What waits is of the last one, but for what has
   * overtaken the first of the next one, which is read later and has a revision, `rev`, that is no lower. */
  #beginAnew(key, place = '0-0', rev = -1) {
    const isCatchingUp = this.#backlog.holds(key);
    const kept = this.#backlog.release(key);
    for (const message of kept) if (!(message.rev <= rev)) this.#deliver(message);
    this.#losePlace(key);
    this.#positions.start(key, place);
    if (isCatchingUp) this.#backlog.hold(key);
    for (const message of kept) if (message.rev <= rev) this.#keepOrDeliver(message);
  }

  #keepOrDeliver(message) {
    if (!this.#backlog.keep(message)) this.#deliver(message);
    // Positions have not moved: the next connection gets all of it.
    else if (this.#backlog.isFull(message.key)) this.#lost(CLOSE_ABNORMAL, 'too far behind');
  }

  /* Nothing is known any more of where key stands: ids and revisions are taken as they come. (Whoever has closed cannot
   * be told; who goes on from that place later is.) */
  #losePlace(key) {
    if (!this.#wanted) return;
    this.#positions.forget(key);
    this.#backlog.losePlace(key);
    if (key === this.inboxKey) this.#counts.restart();
    this.#emit('gap', { key });
  }

  /* Hands out a message, an entry only the first time that it comes. */
  #deliver(message) {
    if (!this.#wanted) return; // and so it comes again
    if (isId(message.id)) {
      if (!this.#positions.isNew(message.key, message.id)) return;
      this.#positions.deliver(message.key, message.id, message.rev);
      this.#positions.noteEpoch(message.key, message.epoch);
      this.#setSaveTimer();
    }
    if (message.key !== this.inboxKey) this.#counts.hearLog(message, this.inboxKey);
    this.#tell(message);
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
    if (recovered || this.#wanted) this.#positions.noteEpoch(key, epoch);
  }

  /* Finds out where the boxes stand whose places were lost, unless something has come from them. */
  #findPlaces(keys, epoch) {
    const unplaced = keys.filter((key) => !this.#positions.get(key));
    const wishes = this.#isByStream ? [] : [...this.#wishes.all, ...this.#broadcast()];
    const steps = wishes.filter(({ name }) => unplaced.includes(name));
    return Promise.all([
      keys.includes(this.inboxKey) ? this.#count(epoch) : [],
      ...steps.map((wish) => this.#follow(wish, epoch)),
    ]);
  }

  #receiveAnswer(message) {
    const epoch = this.#epoch;
    if (this.#requests.settle(message)) return;
    if (message.request_id !== undefined) return; // its requester has given up on it
    if (message.type === 'error') this.#emit('error', { error: toError(message) });
    else if (message.type === 'resumed' && this.#isAwaited(message)) this.#onResumed(message);
    else if (message.type === 'resumed') this.#refilled(message);
    else this.#tell(message);
    if (message.type === 'gap' && message.reason === 'gone') this.#tellGone(message);
    if (message.type === 'token_expiring' && typeof this.#options.token === 'function') this.#renewToken(epoch);
  }

  /* Of what is caught up with, or refilled for one who was slow; who goes back lacks nothing. What comes behind it may
   * move the place: if the connection breaks then, nothing tells of it any more. Or it is told once more behind that,
   * and the place is lost. */
  #tellGone({ keys }) {
    const goesBack = (key) => !this.#backlog.holds(key) && (this.#wishes.get(key) || { rewind: null }).rewind !== null;
    for (const key of Array.isArray(keys) ? keys : []) {
      if (this.#positions.get(key) && !goesBack(key)) this.#emit('gap', { key });
    }
  }

  #isAwaited({ results = {} }) {
    return this.#onResumed !== null && this.#asked.every((key) => key in results);
  }

  /* Unasked: this connection was too slow and has been refilled, or a box began anew. Entries are
   * complete again (or a gap is named); changes of state were dropped with the queue. */
  #refilled(message) {
    const results = Object.entries(message.results || {});
    const lost = results.filter(([, result]) => result && result.recovered === false).map(([key]) => key);
    const epoch = this.#epoch;
    this.#emit('resumed', message);
    this.#tell(message);
    for (const key of lost) this.#losePlace(key);
    if (epoch !== this.#epoch) return;
    for (const [key, known] of Object.entries(message.epochs || {})) this.#positions.noteEpoch(key, known);
    this.#findPlaces(lost, epoch);
    if (results.some(([key]) => key === this.inboxKey) && !lost.includes(this.inboxKey)) this.#recount();
  }

  /* -- the badge -- */

  #recount() {
    const epoch = this.#epoch;
    this.request('unread_count').catch((error) => {
      if (epoch !== this.#epoch) return;
      if (isPassing(error)) this.#counts.askSoon();
      else this.#emit('error', { error, request: { type: 'unread_count' } });
    });
  }

  /* Ids below the place, or a lower revision, show that what is shown of the inbox is of another box. */
  #takeCount(asked, answer) {
    const isAnew = this.#counts.answer(asked.counts, answer);
    const { type, request_id, ...counts } = answer;
    this.#emit('counts', counts);
    if (!this.#wanted) return;
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
    if (this.#isByStream && this.#hasMoved()) return this.#connectAnew();
    this.#greeting = greeting;
    this.#isRefused = false;
    if (!this.#isByStream) this.#ungreeted = 0;
    this.#connectedAt = this.#clock.now();
    this.#counts.begin(Date.parse(greeting.timestamp) - this.#connectedAt || 0);
    this.#timers.clear('connect');
    this.#watchLink();
    const epoch = this.#epoch;
    const steps = this.#isByStream ? this.#goOnByStream(greeting, epoch) : this.#goOn(epoch);
    if (epoch !== this.#epoch) return;
    this.#setStatus('connected', { clientId: this.clientId, userId: this.userId });
    Promise.all(steps).then((lost) => {
      if (epoch !== this.#epoch) return;
      const first = !this.#everReady;
      this.#everReady = true;
      this.#emit('ready', { first, lost: lost.flat(), unread: this.unread, total: this.total, userId: this.userId });
    });
  }

  /* Before anything may answer: from here on live messages wait behind missed ones. */
  #goOn(epoch) {
    this.#places = null;
    const positions = this.#automaticPositions();
    const others = this.#broadcast().filter(({ name }) => !positions[name]);
    const follows = [...this.#wishes.all, ...others].map((wish) => this.#follow(wish, epoch));
    return [this.#resume(positions, epoch), this.#count(epoch), ...follows];
  }

  /* Is the stream one that was asked for from other places? One of a tab that has seen less may have been taken since,
   * or one that the application names. */
  #hasMoved() {
    return JSON.stringify(this.#toSend().positions) !== JSON.stringify(this.#sent.positions);
  }

  /* What was missed comes by itself; the greeting says where all others stand. */
  #goOnByStream({ positions: places }, epoch) {
    const { positions, rewind, wishes } = this.#sent;
    this.#places = Object.keys(places || {});
    this.#positions.startAll(places);
    for (const { name, rewind: back, place } of wishes) {
      if (back && place && compareIds(this.#positions.get(name) || place, place) > 0) this.#emit('gap', { key: name });
    }
    if (epoch !== this.#epoch) return [];
    this.#probe.start();
    const keys = Object.keys(positions);
    for (const key of keys) this.#backlog.hold(key);
    this.#asked = keys.filter((key) => this.#places.includes(key)); // what may not be followed is not answered
    const resumed = new Promise((done) => (this.#onResumed = done));
    if (keys.length === 0 && rewind === null) this.#onResumed({});
    const catchUp = async () => {
      const lost = this.#resumed(keys, await resumed, epoch);
      if (epoch !== this.#epoch) return lost;
      this.#positions.startAll(places);
      for (const { name } of wishes) this.#wishes.rewound(name);
      if (!this.#isAll(wishes)) this.#reopenStream();
      return lost;
    };
    return [catchUp(), this.#count(epoch)];
  }

  /* Whether what the stream follows is what is wished for by now. */
  #isAll(wishes) {
    return wishes.length === this.#wishes.all.length && wishes.every(({ name }) => this.#wishes.get(name));
  }

  /* The broadcast logs that are not topics of this client's own wish as well. */
  #broadcast() {
    return this.#options.broadcast.map((topic) => this.#wishes.of(topic)).filter(({ name }) => !this.#wishes.get(name));
  }

  /* Of the keys that the bridge follows without being asked. */
  #automaticPositions() {
    const positions = {};
    for (const key of [this.inboxKey, ...this.#broadcast().map(({ name }) => name)]) {
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
        if (!isPassing(error)) {
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
    return this.#resumed(keys, await this.#insist(epoch, 'resume', { positions }), epoch);
  }

  async #resumed(keys, answer, epoch) {
    this.#onResumed = null;
    if (epoch !== this.#epoch) return [];
    const results = (answer && answer.results) || {};
    const lost = keys.filter((key) => !results[key] || results[key].recovered === false);
    const epochs = (answer && answer.epochs) || {};
    for (const key of keys) this.#release(key, !lost.includes(key), epochs[key]);
    if (epoch === this.#epoch) await this.#findPlaces(lost, epoch);
    return lost;
  }

  /* Who stands somewhere first hears what was missed. */
  async #follow(wish, epoch) {
    const place = this.#positions.text(wish.name);
    const lost = await this.#begin(wish, place ? { last_id: place } : wish.rewind || {}, epoch);
    if (epoch === this.#epoch && wish.rewind) await this.#begin(wish, wish.rewind, epoch);
    return lost;
  }

  async #begin(wish, from, epoch) {
    const answer = await this.#enter(wish, from, (fields) => this.#insist(epoch, 'subscribe', fields));
    return epoch === this.#epoch ? this.#followed(wish, from, answer) : [];
  }

  /* ask(fields) subscribes; what comes meanwhile waits. Who goes back forgets the place, until it is known
   * that this is not to be. */
  async #enter({ name, subject, rewind }, from, ask) {
    const place = this.#positions.text(name);
    if (from === rewind) this.#goBack(name);
    if (Object.keys(from).length > 0) this.#backlog.hold(name);
    let answer = null;
    try {
      return (answer = await ask({ ...subject, ...from }));
    } finally {
      if (answer === null && !this.#positions.get(name)) this.#positions.take(name, place);
    }
  }

  /* What has been had of it will come again. */
  #goBack(name) {
    this.#positions.forget(name);
    if (this.#hears.rewind) this.#hears.rewind(name);
  }

  /* What is rewound is complete as it comes, and no place is lost by what was trimmed. */
  #followed(wish, { last_id }, answer) {
    const { name } = wish;
    const recovered = !last_id || Boolean(answer && answer.recovered !== false);
    wish.isRefused = answer === null;
    if (!last_id) this.#wishes.rewound(name);
    this.#release(name, recovered, answer && answer.epoch);
    if (answer) this.#positions.start(name, answer.last, undefined, answer.epoch);
    return recovered ? [] : [name];
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
      this.#socket.send(JSON.stringify({ type, ...fields, request_id: id }));
      const shown = type === 'auth' ? { ...fields, token: '…' } : fields; // frames go into logs
      const text = JSON.stringify({ type, ...shown, request_id: id });
      this.#emit('frame', { direction: 'out', text, message: JSON.parse(text) });
    };
    return this.#requests.begin(type, timeoutMs, send, this.#answerTaker(type));
  }

  /* What an answer says of the badge is believed, whoever asked. */
  #answerTaker(type) {
    if (CHANGES.has(type)) return (answer) => this.#counts.takeChange(answer);
    if (type !== 'unread_count') return undefined;
    const asked = { counts: this.#counts.ask(), place: this.#positions.get(this.inboxKey) };
    return (answer) => this.#takeCount(asked, answer);
  }

  /* Follows a topic or { channel } from now on, over reconnects too. lastId: first everything after it;
   * last, since: first its newest entries, also such as were had. Without a connection it is noted, and
   * done with the next one. */
  async subscribe(what, { lastId, ...back } = {}) {
    const before = this.#wishes.get(this.#wishes.of(what).name);
    const wish = this.#wishes.add(what, rewindOf(back));
    const { name, subject, rewind } = wish;
    if (!rewind) this.#positions.take(name, lastId);
    else if (!before) this.#positions.forget(name); // of a page before this one
    if (this.#isByStream) this.#subscribeByStream(wish, lastId);
    if (this.#isByStream || this.#status !== 'connected') return { ...subject, status: 'pending' };
    const epoch = this.#epoch;
    const from = rewind || (parsePosition(lastId) ? { last_id: lastId } : {});
    try {
      const answer = await this.#enter(wish, from, (fields) => this.request('subscribe', fields));
      if (epoch === this.#epoch) this.#followed(wish, from, answer);
      return answer;
    } catch (error) {
      this.#wishes.undo(what, before, error);
      if (epoch === this.#epoch) this.#release(name, true);
      throw error;
    }
  }

  /* The next stream goes back; whether it goes back far enough for who stood somewhere, its greeting tells. */
  #subscribeByStream(wish, lastId) {
    wish.place = this.#positions.get(wish.name);
    if (wish.rewind) this.#goBack(wish.name);
    if (wish.rewind || lastId) this.#backlog.hold(wish.name);
    this.#reopenStream();
  }

  async unsubscribe(what) {
    const { name, subject } = this.#wishes.of(what);
    this.#wishes.delete(what);
    this.#positions.forget(name);
    if (this.#isByStream) this.#reopenStream();
    if (this.#isByStream || this.#status !== 'connected') return { ...subject, status: 'unsubscribed' };
    return this.request('unsubscribe', subject);
  }
}
