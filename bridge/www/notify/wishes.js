/* wishes -- what a client follows because it wants to, and from where on. */

/* Topics, and channels that are no boxes. Each has a name: a topic the key of its log; a channel one that
 * no key has. What is to be rewound is so as long as it has no place. */
class Wishes {
  #topicKey;
  #all = new Map(); // name -> { name, what, subject, rewind }

  constructor(topicKey, topics = []) {
    this.#topicKey = topicKey;
    for (const topic of topics) this.add(topic);
  }

  /* what: a topic, or { channel }; rewind: { last } or { since }, or null. Returns the wish. */
  add(what, rewind = null) {
    const wish = { ...this.of(what), rewind };
    this.#all.set(wish.name, wish);
    return wish;
  }

  /* As it would be. subject: what requests call it. */
  of(what) {
    if (typeof what === 'string') return { name: keyOf(this.#topicKey, what), what, subject: { topic: what }, rewind: null };
    const { channel } = what;
    return { name: Wishes.nameOfChannel(channel), what: { channel }, subject: { channel }, rewind: null };
  }

  static nameOfChannel(channel) {
    return `\0${channel}`;
  }

  get(name) {
    return this.#all.get(name);
  }

  delete(what) {
    return this.#all.delete(this.of(what).name);
  }

  /* It was refused: all is as before, when there was this wish, or none; but what may not be followed is none. */
  undo(what, before, { code }) {
    if (code === 'DISCONNECTED') return;
    if (before && code !== 'FORBIDDEN') this.add(what, before.rewind);
    else this.delete(what);
  }

  rewound(name) {
    if (this.#all.has(name)) this.#all.get(name).rewind = null;
  }

  get all() {
    return [...this.#all.values()];
  }
  get topics() {
    return this.all.filter(({ subject }) => 'topic' in subject).map(({ what }) => what);
  }
  get channels() {
    return this.all.filter(({ subject }) => 'channel' in subject).map(({ subject }) => subject.channel);
  }
}

/* null: it begins with what comes, or where one stands. */
function rewindOf({ last, since }) {
  if (last === undefined && since === undefined) return null;
  return { ...(last !== undefined && { last }), ...(since !== undefined && { since }) };
}
