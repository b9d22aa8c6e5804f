/* stream -- an event stream and plain requests, where no WebSocket gets through. */

/* Behaves as a WebSocket: what the bridge tells comes by the stream, each request goes on its own.
 * onsign: anything came by the stream, be it a comment. */
class StreamSocket {
  readyState = 0;
  onopen = null;
  onmessage = null;
  onclose = null;
  onsign = null;
  #target;
  #stopper = new AbortController();

  /* target: { api, user, token, fetch }. query: what the stream is asked for. */
  constructor(target, query) {
    this.#target = { ...target, signal: this.#stopper.signal };
    this.#run(query);
  }

  send(text) {
    const { request_id } = JSON.parse(text);
    const request = { method: 'POST', body: text, headers: { 'Content-Type': 'application/json' } };
    fetchApi(this.#target, 'requests', {}, request)
      .then(async (response) => ({ ...(response.ok ? {} : { type: 'error' }), ...asObject(await response.json()) }))
      .catch(() => ({ type: 'error', error: { code: 'DISCONNECTED', message: 'no answer came' } }))
      .then((answer) => this.onmessage && this.onmessage({ data: JSON.stringify({ ...answer, request_id }) }));
  }

  close() {
    this.readyState = 3;
    this.#stopper.abort();
  }

  async #run(query) {
    let end = { code: CLOSE_ABNORMAL, reason: '' };
    try {
      const response = await fetchApi(this.#target, 'notifications/stream', query, { headers: { Accept: 'text/event-stream' } });
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
    for await (const { type, data } of readEvents(body, new EventReader(), () => this.onsign && this.onsign())) {
      const close = type === 'close' ? parseClose(data) : null;
      if (close) end = close;
      else if (this.onmessage) this.onmessage({ data });
    }
    return end;
  }

  async #refusal(response) {
    const { error } = await response.json().catch(() => ({}));
    const code = error ? CLOSE_CODES_BY_STATUS.get(response.status) : undefined;
    return { code: code || CLOSE_ABNORMAL, reason: (error && error.message) || `the stream was answered with ${response.status}` };
  }
}

/* The bridge's last words: { code, reason }; null: it is something of a box, whatever its name. */
function parseClose(data) {
  const { type, key, code, reason } = JSON.parse(data);
  return type === 'close' && key === undefined && Number.isInteger(code) ? { code, reason: String(reason || '') } : null;
}
