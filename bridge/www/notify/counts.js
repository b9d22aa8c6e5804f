/* counts -- how many are unread, as Redis counts: heard, answered, and asked for again when in doubt. */

/* Asks by `recount()`; tells by `tell({ unread, rev, total })`. */
class Counts {
  #options;
  #clock;
  #timers;
  #recount;
  #tell;
  #badge = new Badge();
  #logs = new Logs();
  #clockAhead = 0; // Redis' clock (the bridge's, to be exact) before ours
  #expiry = Infinity; // when something in the inbox expires next, by Redis' clock
  #recounts = 0; // asked for in a row, each because of a doubt that the last one left

  constructor({ options, clock, timers, recount, tell }) {
    this.#options = options;
    this.#clock = clock;
    this.#timers = timers;
    this.#recount = recount;
    this.#tell = tell;
  }

  /* Of the inbox; null before the first answer. */
  get unread() {
    return this.#badge.unread;
  }
  /* Of the inbox and the logs that it follows. */
  get total() {
    return this.#badge.unread === null ? null : this.#badge.unread + this.#logs.unread;
  }
  /* The keys of these logs. */
  get logs() {
    return this.#logs.keys;
  }
  get clockAhead() {
    return this.#clockAhead;
  }

  /* A new connection: Redis may have lost revisions since. */
  begin(clockAhead) {
    this.#clockAhead = clockAhead;
    this.#recounts = 0;
    this.restart();
  }

  /* What is told of the inbox from here on compares with nothing from before. */
  restart() {
    this.#badge.restart();
  }

  /* A message of the inbox. That another box begins may be heard after what has been read from that box already. */
  hear(message, { isCatchingUp, isAnew }) {
    this.#change(() => {
      this.#badge.hear(message, isCatchingUp);
      if (isAnew || this.#logs.hear(message, message.key)) this.#badge.doubt();
    });
    if (message.data) this.#askAt(Date.parse(message.data.expires_at));
  }

  /* What happens to a log, all who follow it hear at once: they do not ask at once. */
  hearLog(message, inboxKey) {
    this.#change(() => {
      if (!this.#logs.hear(message, inboxKey)) return;
      this.#badge.doubt();
      if (!this.#timers.has('recount')) this.#askIn(LIMITS.logRecountMs * this.#clock.random());
    });
    if (message.data && this.#logs.keys.includes(message.key)) this.#askAt(Date.parse(message.data.expires_at));
  }

  /* The answer to a change of ours. */
  takeChange({ unread, logs }) {
    this.#change(() => {
      this.#badge.expect(unread);
      this.#logs.take(logs);
    });
  }

  /* A request for the count is about to be sent. Returns what answer() has to know about it. */
  ask() {
    return this.#badge.ask();
  }

  /* The count that was asked for. Returns whether it shows that the inbox has begun anew. */
  answer(asked, answer) {
    let isAnew = false;
    this.#change(() => {
      isAnew = this.#badge.answer(asked, answer);
      this.#logs.answer(answer);
    });
    if (!this.#timers.has('recount')) this.#recounts = 0;
    this.#timers.clear('expiry');
    this.#expiry = Infinity;
    for (const { next_expiry } of [answer, ...Object.values(answer.logs || {})]) this.#askAt(next_expiry);
    return isAnew;
  }

  /* Not at once: most doubts are settled by the message that is just coming. */
  askSoon() {
    const { recountMs, backoffMaxMs } = this.#options;
    this.#askIn(recountMs + backoffDelay(this.#recounts, recountMs, backoffMaxMs, this.#clock.random));
  }

  #askIn(ms) {
    this.#timers.set('recount', ms, () => {
      this.#recounts++;
      this.#recount();
    });
  }

  /* What expires tells nobody: the count is asked for then. */
  #askAt(time) {
    if (!(time > 0 && time < this.#expiry)) return;
    this.#expiry = time;
    const { recountMs } = this.#options;
    const ms = Math.max(0, time - this.#clock.now() - this.#clockAhead) + recountMs;
    const jitter = backoffDelay(0, recountMs, recountMs, this.#clock.random);
    this.#timers.set('expiry', Math.min(ms + jitter, LIMITS.timerMs), () => this.#recount());
  }

  /* Tells what `change` did to the count, and has it asked for again if there is a doubt. */
  #change(change) {
    const { unread, rev } = this.#badge;
    const { total } = this;
    change();
    const now = { unread: this.#badge.unread, rev: this.#badge.rev, total: this.total };
    const isOther = now.unread !== unread || now.rev !== rev || now.total !== total;
    if (now.rev >= 0 && isOther) this.#tell(now);
    if (!this.#badge.isDoubtful) this.#timers.clear('recount');
    else if (!this.#timers.has('recount')) this.askSoon();
  }
}
