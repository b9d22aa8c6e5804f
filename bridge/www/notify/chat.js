/* chat -- what an agent answers, piece by piece. */

/* One question, and its answer over as many connections as it takes: whoever has come to an id can go on
 * from there over any bridge. Before there is one, nobody knows whether the question was asked. */
class Chat {
  #target; // { api, user, fetch }
  #token;
  #body;
  #options;
  #clock;
  #signal; // ends it
  #stopped; // rejects then
  #reader = new EventReader();
  #seq = 0; // of the last event
  #heardAt; // when something came last

  constructor(target, body, signal, { token, ...options }, clock) {
    this.#target = target;
    this.#token = token;
    this.#body = JSON.stringify(body);
    this.#options = options;
    this.#clock = clock;
    this.#signal = signal;
    this.#stopped = new Promise((_, reject) => {
      const stop = () => reject(signal.reason || new DOMException('stopped', 'AbortError'));
      if (signal.aborted) stop();
      else signal.addEventListener('abort', stop, { once: true });
    });
    this.#stopped.catch(() => {}); // who reads is told
  }

  /* Each event once; the last one is an `end`. Throws what is said instead of that. */
  async *read() {
    this.#heardAt = this.#clock.now();
    for (let attempt = 0; ; attempt++) {
      for await (const event of this.#listen()) {
        attempt = -1;
        if (event.type === 'error') throw toError({ error: event });
        yield event;
        if (event.type === 'end') return;
      }
      if (this.#reader.id === '') throw new NotifyError('DISCONNECTED', 'the connection was lost before there was an answer');
      if (this.#clock.now() - this.#heardAt >= LIMITS.chatAwayMs) throw new NotifyError('DISCONNECTED', 'the answer was cut off');
      await this.#pause(attempt);
    }
  }

  #pause(attempt) {
    const ms = backoffDelay(attempt, this.#options.backoffMs, LIMITS.chatPauseMs, this.#clock.random);
    return Promise.race([this.#stopped, new Promise((done) => this.#clock.setTimeout(done, ms))]);
  }

  /* What one connection brings, until it ends, falls silent, or this is stopped. */
  async *#listen() {
    const stopper = new AbortController();
    const timers = new Timers(this.#clock);
    const end = () => stopper.abort();
    const { heartbeatMs, heartbeatReplyMs } = this.#options;
    const watch = () => timers.set('silence', heartbeatMs + heartbeatReplyMs, end);
    const hear = () => {
      this.#heardAt = this.#clock.now();
      watch();
    };
    this.#signal.addEventListener('abort', end);
    try {
      watch();
      const { body } = await Promise.race([this.#stopped, this.#ask(stopper.signal)]);
      this.#reader = new EventReader(this.#reader.id); // half a block is none
      for await (const { type, data } of readEvents(body, this.#reader, hear)) {
        const event = type === 'message' ? this.#take(JSON.parse(data)) : null;
        if (event) yield event;
      }
    } catch (error) {
      if (this.#signal.aborted) await this.#stopped;
      if (error instanceof NotifyError || (this.#reader.id === '' && !(error instanceof TypeError))) throw error;
    } finally {
      end();
      timers.clearAll();
      this.#signal.removeEventListener('abort', end);
    }
  }

  /* Null: it has been had. */
  #take(event) {
    if (Number.isInteger(event.seq)) {
      if (event.seq <= this.#seq) return null;
      this.#seq = event.seq;
    }
    return event;
  }

  /* A token that has run out is worth another attempt, if there can be another one. */
  async #ask(signal) {
    let response = await this.#send(signal);
    if (response.status === 401 && typeof this.#token === 'function') response = await this.#send(signal);
    if (response.ok) return response;
    const { error } = await response.json().catch(() => ({}));
    const isPassing = response.status === 429 || response.status >= 500;
    if (isPassing && this.#reader.id !== '') throw new TypeError('not just now');
    throw error ? toError({ error }) : new NotifyError('DISCONNECTED', `the answer was ${response.status}`);
  }

  async #send(signal) {
    const token = await askFor(this.#token);
    const { id } = this.#reader;
    const headers = { Accept: 'text/event-stream', 'Content-Type': 'application/json', ...(id && { 'Last-Event-ID': id }) };
    return fetchApi({ ...this.#target, token, signal }, 'chat/stream', {}, { method: 'POST', headers, body: this.#body });
  }
}
