/* stream -- an event stream and plain requests, where no WebSocket gets through. */

/* Takes an event stream apart, however it was cut into pieces. */
class EventReader {
  #line = ''; // the beginning of one that has not ended yet
  #data = [];
  #type = '';
  #id; // counts when its block has ended

  /* id: the last one, of the stream before. */
  constructor(id = '') {
    this.id = this.#id = id;
  }

  /* The events { type, data, id } that end with this piece of text. */
  read(text) {
    const lines = (this.#line + text).split(/\r\n|\n|\r(?!$)/);
    this.#line = lines.pop();
    return lines.map((line) => this.#take(line)).filter(Boolean);
  }

  #take(line) {
    if (line === '') return this.#end();
    const [, field, value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line);
    if (field === 'data') this.#data.push(value);
    else if (field === 'event') this.#type = value;
    else if (field === 'id' && !value.includes('\0')) this.#id = value;
    return null;
  }

  #end() {
    this.id = this.#id;
    const event = { type: this.#type || 'message', data: this.#data.join('\n'), id: this.id };
    const isEmpty = this.#data.length === 0;
    this.#data = [];
    this.#type = '';
    return isEmpty ? null : event;
  }
}

/* Behaves as a WebSocket: what the bridge tells comes by the stream, each request goes on its own.
 * onsign: anything came by the stream, be it a comment. */
class StreamSocket {
  readyState = 0;
  onopen = null;
  onmessage = null;
  onclose = null;
  onsign = null;
  #api;
  #user;
  #token;
  #fetch;
  #stopper = new AbortController();

  /* api: where requests go, with a slash behind. query: what the stream is asked for. */
  constructor(api, query, { user, token, fetch }) {
    this.#api = api;
    this.#user = user;
    this.#token = token;
    this.#fetch = fetch;
    this.#run(query);
  }

  send(text) {
    const { request_id } = JSON.parse(text);
    const request = { method: 'POST', body: text, headers: { 'Content-Type': 'application/json' } };
    this.#ask('requests', {}, request)
      .then(async (response) => ({ ...(response.ok ? {} : { type: 'error' }), ...asObject(await response.json()) }))
      .catch(() => ({ type: 'error', error: { code: 'DISCONNECTED', message: 'no answer came' } }))
      .then((answer) => this.onmessage && this.onmessage({ data: JSON.stringify({ ...answer, request_id }) }));
  }

  close() {
    this.readyState = 3;
    this.#stopper.abort();
  }

  #ask(path, query, { headers = {}, ...request } = {}) {
    const url = new URL(path, this.#api);
    const named = this.#user === undefined ? query : { user: this.#user, ...query };
    for (const [name, value] of Object.entries(named)) url.searchParams.set(name, value);
    const authorization = this.#token ? { Authorization: `Bearer ${this.#token}` } : {};
    const { signal } = this.#stopper;
    return this.#fetch(url.href, { ...request, headers: { ...headers, ...authorization }, cache: 'no-store', signal });
  }

  async #run(query) {
    let end = { code: CLOSE_ABNORMAL, reason: '' };
    try {
      const response = await this.#ask('notifications/stream', query, { headers: { Accept: 'text/event-stream' } });
      end = response.ok ? await this.#hear(response.body) : await this.#refusal(response);
    } catch {
      // cut off, or closed by us: there is nothing to say
    }
    this.readyState = 3;
    if (this.onclose) this.onclose(end);
  }

  /* Until it ends; with what is said last, if the bridge ends it. */
  async #hear(body) {
    let end = { code: CLOSE_GOING_AWAY, reason: 'the stream ended' };
    this.readyState = 1;
    if (this.onopen) this.onopen();
    const reader = body.getReader();
    const decoder = new TextDecoder();
    const events = new EventReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return end;
      if (this.onsign) this.onsign();
      for (const { type, data } of events.read(decoder.decode(value, { stream: true }))) {
        const close = type === 'close' ? parseClose(data) : null;
        if (close) end = close;
        else if (this.onmessage) this.onmessage({ data });
      }
    }
  }

  async #refusal(response) {
    const { error } = await response.json().catch(() => ({}));
    const code = error ? CLOSE_CODES_BY_STATUS.get(response.status) : undefined;
    return { code: code || CLOSE_ABNORMAL, reason: (error && error.message) || `the stream was answered with ${response.status}` };
  }
}

function asObject(value) {
  if (value === null || typeof value !== 'object') throw new TypeError('this is no answer');
  return value;
}

/* The bridge's last words: { code, reason }; null: it is something of a box, whatever its name. */
function parseClose(data) {
  const { type, key, code, reason } = JSON.parse(data);
  return type === 'close' && key === undefined && Number.isInteger(code) ? { code, reason: String(reason || '') } : null;
}
