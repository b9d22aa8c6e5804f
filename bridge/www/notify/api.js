/* api -- plain requests to the bridge, and streams of events that answer them. */

/* A string, or what a function says. Rejects with an error, whatever was thrown. */
async function askFor(token) {
  try {
    return typeof token === 'function' ? await token() : token;
  } catch (error) {
    throw Object(error) === error ? error : new Error(String(error));
  }
}

/* target: { api (where requests go, with a slash behind), user, token, fetch, signal }. */
function fetchApi({ api, user, token, fetch, signal }, path, query = {}, { headers = {}, ...request } = {}) {
  const url = new URL(path, api);
  const named = user === undefined ? query : { user, ...query };
  for (const [name, value] of Object.entries(named)) url.searchParams.set(name, value);
  const authorization = token ? { Authorization: `Bearer ${token}` } : {};
  return fetch(url.href, { ...request, headers: { ...headers, ...authorization }, cache: 'no-store', signal });
}

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

/* The events of a body, as they come. onSign: something has come, be it a comment. */
async function* readEvents(body, reader, onSign) {
  const pieces = body.getReader();
  const decoder = new TextDecoder();
  for (;;) {
    const { done, value } = await pieces.read();
    if (done) return;
    onSign();
    yield* reader.read(decoder.decode(value, { stream: true }));
  }
}

function asObject(value) {
  if (value === null || typeof value !== 'object') throw new TypeError('this is no answer');
  return value;
}
