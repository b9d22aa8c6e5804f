/* backlog -- order: what was missed on a key goes out before what comes now. */

class Backlog {
  #positions;
  #kept = new Map(); // key -> messages that wait until what was missed before them has come
  #from = new Map(); // key -> { place, rev }: what was known of it when they began to
  #below = new Set(); // keys of which some that wait stand below the place
  #most = new Map(); // key -> so many may wait, where it has been too few

  constructor(positions) {
    this.#positions = positions;
  }

  /* From here on, what comes on key waits until release(). */
  hold(key) {
    this.#below.delete(key);
    this.#kept.set(key, []);
    this.#from.set(key, { place: this.#positions.get(key), rev: this.#positions.rev(key) });
  }

  holds(key) {
    return this.#kept.has(key);
  }

  /* Has it been handed out since key waits? Live ones that were next come again with what was missed, and all
   * of that if it is asked for again. (From one place to the next nothing is left out.) */
  hasHad({ key, id }) {
    const { place } = this.#from.get(key) || {};
    return place !== undefined && isId(id) && compareIds(id, place) > 0 && !this.#positions.isNew(key, id);
  }

  /* Its revision when it began to wait; undefined: it does not. */
  revBefore(key) {
    return this.holds(key) ? this.#from.get(key).rev : undefined;
  }

  /* What was known of key is so no more: what comes below its next place has not been handed out. */
  losePlace(key) {
    if (this.holds(key)) this.#from.set(key, { place: undefined, rev: -1 });
  }

  /* What waited on key and has not been handed out, entries first and in order; nothing waits any more. */
  release(key) {
    const kept = (this.#kept.get(key) || []).filter((message) => !this.hasHad(message));
    this.#kept.delete(key);
    this.#from.delete(key);
    this.#below.delete(key);
    this.#most.delete(key);
    const entries = kept.filter((message) => isId(message.id));
    entries.sort((a, b) => compareIds(a.id, b.id));
    return [...entries, ...kept.filter((message) => !isId(message.id))];
  }

  reset() {
    this.#below.clear();
    this.#from.clear();
    this.#kept.clear();
  }

  /* Keeps a message that has to wait; false: it may go out. What has no id (a state change, an event
   * that is not stored) stays behind the entries that wait, which it may be about. */
  keep(message) {
    const kept = this.#kept.get(message.key);
    if (this.hasHad(message)) return false;
    const waits = kept && (isId(message.id) ? !this.#isNext(message) : kept.length > 0);
    if (waits) kept.push(message);
    if (waits && isId(message.id) && this.#isBelow(message)) this.#below.add(message.key);
    return Boolean(waits);
  }

  /* Too many wait for one connection. The next one may hold twice as many: perhaps they are what was missed, of which
   * none follows on the place (what stood between is not for us, or we go back), and there will be as many again. */
  isFull(key) {
    const most = this.#most.get(key) || LIMITS.heldMessages;
    const isFull = this.#kept.get(key).length > most;
    if (isFull) this.#most.set(key, 2 * most);
    return isFull;
  }

  #isBelow({ key, id }) {
    const position = this.#positions.get(key);
    return position !== undefined && compareIds(id, position) <= 0;
  }

  /* Does message follow directly on what this key has delivered? (prev may be smaller: entries
   * between may have been deleted.) Not when others wait that stand below: perhaps the place is of a
   * branch that was lost, and then all of them follow, in their order. */
  #isNext(message) {
    const position = this.#positions.get(message.key);
    return (
      position !== undefined &&
      !this.#below.has(message.key) &&
      isId(message.prev) &&
      compareIds(message.prev, position) <= 0 &&
      compareIds(message.id, position) > 0
    );
  }
}
