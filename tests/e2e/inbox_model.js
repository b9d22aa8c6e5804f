/* inbox_model -- Redis with one inbox and the bridge in front of it, as far as a client can tell.
 *
 * Two links run from Redis to the bridge, and neither waits for the other: what is published, and the
 * answers to commands. The box may lose its life at any time without a word: it is deleted, replaced,
 * or Redis comes back without its last writes. */

const KEY = 'inbox:alice';
const PAUSE_STEP_MS = 1000;
const NOBODY = Object.freeze({ rev: 0, last: 0, entries: [] });

/* Random numbers that the same seed repeats (mulberry32). */
export function randomOf(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export class InboxModel {
  trace = [];
  forwarded = []; // the entries that have reached the client
  questions = 0; // how many requests came, heartbeats apart
  counted = 0; // how many of them wanted the count
  #random;
  #scene;
  #box = { ...NOBODY };
  #life = 1;
  #dumps = [];
  #now = 1000;
  #number = 0;
  #socket = null;
  #read = 0; // requests of this connection that have been taken in
  #asked = []; // requests on their way to Redis
  #answers = []; // lists of frames on their way from it
  #published = [];
  #position = 0; // of the bridge's follow: the last id that went to the client
  #known = { life: 0, last: 0, rev: 0 }; // of the bridge's channel
  #waiting = null; // what is published while the follow is being served from a read

  constructor(scene, random) {
    this.#scene = scene;
    this.#random = random;
  }

  get unread() {
    return this.#box.entries.filter((entry) => !entry.isRead).length;
  }
  get isConnected() {
    return this.#socket !== null && this.#socket === this.#scene.socket && this.#socket.readyState === 1;
  }
  /* Whether anything is under way in either direction. */
  get isBusy() {
    this.#takeIn();
    return this.#asked.length + this.#answers.length + this.#published.length > 0 || !this.isConnected;
  }

  pick(list) {
    return list[Math.floor(this.#random() * list.length)];
  }

  /* -- what happens to the box -- */

  #publish(message) {
    this.#published.push({ life: this.#life, message });
  }

  #change(type, more) {
    this.#box.rev++;
    this.#publish({ type, key: KEY, rev: this.#box.rev, unread: this.unread, ...more });
  }

  #message(entry, prev, rev, unread) {
    const id = `${entry.id}-0`;
    return { type: 'notification', key: KEY, id, prev: `${prev}-0`, rev, unread, data: { id, n: entry.n } };
  }

  /* By the clock, or with an id of the sender's choice. */
  send(isByClock) {
    const prev = this.#box.last;
    this.#now = Math.max(this.#now, prev) + 1;
    const entry = { id: isByClock ? this.#now : prev + 1, n: ++this.#number, isRead: false };
    this.#box = { rev: this.#box.rev + 1, last: entry.id, entries: [...this.#box.entries, entry] };
    this.#publish(this.#message(entry, prev, this.#box.rev, this.unread));
  }

  read() {
    const entry = this.pick(this.#box.entries.filter(({ isRead }) => !isRead));
    if (!entry) return;
    this.#mark((one) => one === entry);
    this.#change('read', { ids: [`${entry.id}-0`] });
  }

  readAll() {
    if (this.unread === 0) return;
    this.#mark(() => true);
    this.#change('read', { upto: `${this.#box.last}-0` });
  }

  #mark(which) {
    const entries = this.#box.entries.map((entry) => (which(entry) ? { ...entry, isRead: true } : entry));
    this.#box = { ...this.#box, entries };
  }

  /* -- what nobody is told -- */

  dump() {
    this.#dumps.push({ life: this.#life, box: this.#box });
  }

  delete() {
    this.#live({ ...NOBODY });
  }

  restore() {
    const dump = this.pick(this.#dumps);
    if (dump) this.#live({ ...dump.box });
  }

  /* -- the same, by a module that watches its keys -- */

  deleteTold() {
    this.#publish({ type: 'gone', key: KEY, rev: this.#box.rev + 1, unread: 0 });
    this.delete();
  }

  restoreTold() {
    this.restore();
    const { rev, last } = this.#box;
    if (rev === 0) this.deleteTold();
    else this.#publish({ type: 'changed', key: KEY, rev, unread: this.unread, last: `${last}-0` });
  }

  renameOnto() {
    const rev = 1 + Math.floor(this.#random() * 40);
    const last = 1 + Math.floor(this.#random() * this.#now);
    const entries = [];
    for (let i = Math.floor(this.#random() * Math.min(rev, 4)); i >= 0; i--) {
      if (last > i) entries.push({ id: last - i, n: ++this.#number, isRead: this.#random() < 0.5 });
    }
    this.#live({ rev, last, entries });
  }

  expire() {
    const gone = this.pick(this.#box.entries);
    this.#box = { ...this.#box, entries: this.#box.entries.filter((entry) => entry !== gone) };
  }

  readUnpublished() {
    if (this.unread === 0) return;
    this.#mark(() => true);
    this.#box.rev++;
  }

  #live(box) {
    this.#life++;
    this.#box = box;
  }

  /* Redis is gone, and comes back perhaps without its last writes. The bridge looks what it missed. */
  restart() {
    const failed = { type: 'error', error: { code: 'UNAVAILABLE', message: 'Redis is away' } };
    this.#takeIn();
    for (const { request_id } of this.#asked.splice(0)) this.#answers.push([{ ...failed, request_id }]);
    this.#published.length = Math.floor(this.#random() * (this.#published.length + 1));
    if (this.#random() < 0.7) this.restore();
    this.#published.push({ isReread: true });
  }

  /* -- the bridge -- */

  #takeIn() {
    if (!this.isConnected) return;
    const { sent } = this.#socket;
    for (; this.#read < sent.length; this.#read++) this.#asked.push(sent[this.#read]);
  }

  /* The client's next connection. */
  async greet() {
    const scene = this.#scene;
    while (scene.client.status === 'waiting') await scene.clock.advance(PAUSE_STEP_MS);
    this.#socket = scene.socket;
    this.#read = 0;
    this.#asked = [];
    this.#answers = [];
    this.#waiting = null;
    this.#position = this.#box.last;
    this.#know();
    await scene.greet();
  }

  async drop() {
    this.#published = [];
    await this.#scene.drop();
  }

  #know() {
    this.#known = { life: this.#life, last: this.#box.last, rev: this.#box.rev };
  }

  #entriesAfter(position) {
    const { entries, rev } = this.#box;
    const later = entries.filter((entry) => entry.id > position);
    const before = entries.filter((entry) => entry.id <= position).map(({ id }) => id);
    const prevs = [before.length > 0 ? before[before.length - 1] : 0, ...later.map(({ id }) => id)];
    return later.map((entry, i) => this.#message(entry, prevs[i], rev, this.unread));
  }

  /* Redis carries out the next request. */
  execute() {
    this.#takeIn();
    const request = this.#asked.shift();
    if (!request) return;
    const { request_id, type } = request;
    if (type !== 'heartbeat') this.questions++;
    const answer = (reply) => this.#answers.push([{ ...reply, request_id }]);
    if (type === 'unread_count') {
      this.counted++;
      answer({ type, unread: this.unread, last: `${this.#box.last}-0`, rev: this.#box.rev });
    } else if (type === 'mark_all_read') {
      const changed = this.unread;
      this.readAll();
      answer({ type: 'ok', changed, unread: 0 });
    } else if (type === 'subscribe') {
      answer({ type: 'subscription', topic: request.topic, status: 'subscribed', last: '0-0' });
    } else if (type === 'resume') {
      this.#executeResume(request);
    } else {
      answer({ type });
    }
  }

  #executeResume({ positions, request_id }) {
    const results = {};
    for (const key of Object.keys(positions)) results[key] = { recovered: true, count: 0 };
    const frames = KEY in positions ? this.#catchUp(Number(positions[KEY].split('-')[0]), results) : [];
    frames.push({ type: 'resumed', results, request_id });
    this.#answers.push(frames);
  }

  /* What stands behind position; what is published from here on waits for it. */
  #catchUp(position, results) {
    const recovered = position <= this.#box.last;
    const frames = recovered ? this.#entriesAfter(position) : [];
    results[KEY] = { recovered, count: frames.length };
    this.#waiting = [];
    this.#position = this.#box.last;
    this.#know();
    return Object.assign(frames, { isCatchup: true });
  }

  /* The next answer reaches the client. */
  async answer() {
    const frames = this.#answers.shift();
    if (!frames) return;
    const stash = (frames.isCatchup && this.#waiting) || [];
    if (frames.isCatchup) this.#waiting = null;
    await this.#tell(...frames.slice(0, -1));
    const isBehind = this.#random() < 0.5;
    if (isBehind) await this.#tell(...frames.slice(-1));
    for (const published of stash) await this.#forward(published);
    if (!isBehind) await this.#tell(...frames.slice(-1));
  }

  /* The next message that was published reaches the client. */
  async deliver() {
    const published = this.#published.shift();
    if (!published) return;
    if (this.#waiting) this.#waiting.push(published);
    else await this.#forward(published);
  }

  async #forward({ life, message, isReread }) {
    if (isReread) {
      await this.#reread();
    } else if (!message.id) {
      if (life === this.#known.life) this.#known.rev = message.rev;
      await this.#tell(message);
    } else if (life !== this.#known.life || Number(message.id.split('-')[0]) > this.#position) {
      await this.#forwardEntry(life, message);
    }
  }

  /* A box that begins anew may be told of before. */
  async #forwardEntry(life, message) {
    const id = Number(message.id.split('-')[0]);
    if (life !== this.#known.life && this.#random() < 0.5) await this.#tellGap();
    this.#known = { life, last: id, rev: message.rev };
    this.#position = id;
    await this.#tell(message);
  }

  #tellGap() {
    return this.#tell({ type: 'resumed', results: { [KEY]: { recovered: false, count: 0 } } });
  }

  /* The link to Redis is back: what was missed, as the bridge can see it. */
  async #reread() {
    const { last, rev } = this.#known;
    const entries = this.#entriesAfter(last);
    const isChanged = this.#box.rev !== rev + entries.length;
    const isLost = this.#box.last < last;
    this.#know();
    this.#position = this.#box.last;
    if (isLost) return this.#tellGap();
    await this.#tell(...entries);
    if (isChanged) await this.#tell({ type: 'changed', key: KEY, rev: this.#box.rev, unread: this.unread });
  }

  async #tell(...messages) {
    for (const message of messages) {
      if (!this.isConnected) return;
      this.trace.push(`tell ${JSON.stringify(message)}`);
      if (message.data) this.forwarded.push(message);
      await this.#scene.receive(message);
    }
  }
}
