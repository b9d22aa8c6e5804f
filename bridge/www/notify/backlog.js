/* backlog -- order: what was missed on a key goes out before what comes now. */

class Backlog {
  #positions;
  #kept = new Map(); // key -> messages that wait until what was missed before them has come
  #below = new Set(); // keys of which some that wait stand below the place

  constructor(positions) {
    this.#positions = positions;
  }

  /* From here on, what comes on key waits until release(). */
  hold(key) {
    this.#below.delete(key);
    this.#kept.set(key, []);
  }

  holds(key) {
    return this.#kept.has(key);
  }

  /* What waited on key, entries first and in order; nothing waits any more. */
  release(key) {
    const kept = this.#kept.get(key) || [];
    this.#kept.delete(key);
    this.#below.delete(key);
    const entries = kept.filter((message) => isId(message.id));
    entries.sort((a, b) => compareIds(a.id, b.id));
    return [...entries, ...kept.filter((message) => !isId(message.id))];
  }

  reset() {
    this.#below.clear();
    this.#kept.clear();
  }

  /* Keeps a message that has to wait; false: it may go out. What has no id (a state change, an event
   * that is not stored) stays behind the entries that wait, which it may be about. */
  keep(message) {
    const kept = this.#kept.get(message.key);
    const waits = kept && (isId(message.id) ? !this.#isNext(message) : kept.length > 0);
    if (waits) kept.push(message);
    if (waits && isId(message.id) && this.#isBelow(message)) this.#below.add(message.key);
    return Boolean(waits);
  }

  isFull(key) {
    return this.#kept.get(key).length > LIMITS.heldMessages;
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
