/* positions -- per key: from where to go on. */

/* delivered: the highest id handed to the application, what is not above it came before.
 * start: where following began, if nothing has been delivered yet.
 * rev: the highest revision that is known to have been before what comes next.
 * epoch: of the box, as far as the bridge has found the place good in it.
 * recent: the ids delivered last, with their revisions. */
class Positions {
  #keys = new Map();
  #storage;
  #name;

  constructor(storage, name) {
    this.#storage = storage;
    this.#name = name;
    this.#load();
  }

  get(key) {
    const entry = this.#keys.get(key);
    return entry && (entry.delivered || entry.start);
  }

  /* What to go on from, for the bridge. */
  text(key) {
    const id = this.get(key);
    return id && formatPosition(id, this.#keys.get(key).epoch);
  }

  /* The place is good in this epoch. Returns whether it is another one than before. */
  noteEpoch(key, epoch) {
    const entry = this.#keys.get(key);
    if (!entry || !Number.isInteger(epoch)) return false;
    const isAnother = entry.epoch !== undefined && entry.epoch !== epoch;
    entry.epoch = epoch;
    return isAnother;
  }

  isNew(key, id) {
    const entry = this.#keys.get(key);
    return !entry || !entry.delivered || compareIds(id, entry.delivered) > 0;
  }

  /* The highest revision that was heard of it. */
  rev(key) {
    const entry = this.#keys.get(key);
    return entry ? entry.rev : -1;
  }

  /* Does message come from a box that has begun anew under this name (deleted and sent to again,
   * replaced, or Redis lost writes)? Its ids and revisions then compare with nothing from before.
   * Either it is the first entry of a box that had some already, or its id stands below one that
   * was delivered: within one box they come in order. A repetition is told by its revision, or while it
   * catches up, when it comes with the present one, by its id; while
   * a key catches up, what stands below its position is only that; and of one that has had nothing so
   * far, the first entry comes with the present revision, which a live one may have told before. Of any other the
   * first one that was missed may have none before it any more, and comes with the present revision: it has to be
   * below `before`, the highest that was heard when the key began to catch up (undefined: it does not). */
  beginsAnew({ key, id, prev, rev }, before) {
    const entry = this.#keys.get(key);
    const isCatchingUp = before !== undefined;
    const isRepeated = entry && entry.recent.has(id) && (isCatchingUp || entry.recent.get(id) === rev);
    if (!entry || !isId(id) || isRepeated) return false;
    if (isCatchingUp) return prev === '0-0' && rev < before && entry.delivered !== undefined;
    const isAfterStart = entry.delivered || compareIds(id, entry.start) > 0;
    return (prev === '0-0' && rev <= entry.rev && isAfterStart) || !this.isNew(key, id);
  }

  /* Notes the revision of a message on key. */
  hear(key, rev) {
    const entry = this.#keys.get(key);
    if (entry && rev > entry.rev) entry.rev = rev;
  }

  deliver(key, id, rev) {
    const { rev: known = -1, recent = new Map(), epoch } = this.#keys.get(key) || {};
    recent.set(id, rev);
    if (recent.size > LIMITS.recentIds) recent.delete(recent.keys().next().value);
    this.#put(key, { delivered: id, rev: rev > known ? rev : known, recent, epoch });
  }

  start(key, id, rev = -1, epoch = undefined) {
    if (isId(id) && !this.get(key)) this.#put(key, { start: id, rev, recent: new Map(), epoch });
  }

  /* A place that somebody else has kept. */
  take(key, text) {
    const position = parsePosition(text);
    if (!position) return;
    if (position.id === '0-0') this.#put(key, { start: '0-0', rev: -1, recent: new Map() }); // nothing was delivered
    else this.deliver(key, position.id);
    this.noteEpoch(key, position.epoch);
  }

  forget(key) {
    this.#keys.delete(key);
  }

  /* All of them, as text. */
  texts() {
    const all = {};
    for (const key of this.#keys.keys()) all[key] = this.text(key);
    return all;
  }

  /* Begins where somebody else stands, with the keys that have no place yet. */
  startAll(texts) {
    for (const [key, text] of Object.entries(texts || {})) {
      const position = parsePosition(text);
      if (position) this.start(key, position.id, undefined, position.epoch);
    }
  }

  save() {
    if (!this.#storage) return;
    try {
      this.#storage.setItem(this.#name, JSON.stringify(this.texts()));
    } catch {
      this.#storage = null; // full or forbidden: positions then live as long as the page
    }
  }

  #put(key, entry) {
    this.#keys.delete(key); // so that the Map's order is the order of the last moves
    this.#keys.set(key, entry);
    if (this.#keys.size > LIMITS.keys) this.#keys.delete(this.#keys.keys().next().value);
  }

  #load() {
    if (!this.#storage) return;
    try {
      const all = JSON.parse(this.#storage.getItem(this.#name) || '{}');
      for (const [key, text] of Object.entries(all)) this.take(key, text);
    } catch {
      this.#keys.clear(); // unreadable: begin anew
    }
  }
}
