/* logs -- what the logs count that an inbox follows. */

/* What the logs that an inbox follows count for its user: as it was last asked for, and one more for
 * each entry that has come since. Whatever else happens to a log is asked for. */
class Logs {
  #logs = new Map(); // key -> { unread, last }
  #muted = new Set(); // categories
  #recent = new Map(); // key -> ids that came last: an answer may be older than they are

  get keys() {
    return [...this.#logs.keys()];
  }
  get unread() {
    return [...this.#logs.values()].reduce((sum, { unread }) => sum + unread, 0);
  }

  /* An answer to unread_count. */
  answer({ logs, muted }) {
    if (logs === null || typeof logs !== 'object') return;
    this.#muted = new Set(Array.isArray(muted) ? muted : []);
    this.#logs = new Map();
    for (const [key, { unread, last }] of Object.entries(logs)) {
      const later = (this.#recent.get(key) || []).filter((id) => isId(last) && compareIds(id, last) > 0);
      this.#logs.set(key, { unread: unread + later.length, last: later.length > 0 ? later[later.length - 1] : last });
    }
  }

  /* Of a change: what it leaves unread, key by key. */
  take(counts) {
    for (const [key, unread] of Object.entries(counts || {})) {
      if (this.#logs.has(key) && Number.isInteger(unread)) this.#logs.get(key).unread = unread;
    }
  }

  /* A message of a log, or of the inbox about one. Returns whether the count has to be asked for. */
  hear(message, inboxKey) {
    if (message.key === inboxKey) return this.#hearOfOne(message);
    const log = this.#logs.get(message.key);
    if (!log || (log.last && isId(message.id) && isId(log.last) && compareIds(message.id, log.last) <= 0)) return false;
    if (!isNotification(message)) return !('data' in message);
    if (message.replaces !== undefined) return true;
    if (this.#muted.has(message.category)) return false;
    this.#remember(message);
    log.unread++;
    log.last = message.id;
    return false;
  }

  #hearOfOne(message) {
    if (message.type === 'muted' || message.type === 'unmuted') return this.#logs.size > 0;
    if (typeof message.log !== 'string' || 'data' in message) return false;
    this.take({ [message.log]: message.log_unread });
    return true;
  }

  #remember({ key, id }) {
    const ids = this.#recent.get(key) || [];
    ids.push(id);
    if (ids.length > LIMITS.recentIds) ids.shift();
    this.#recent.set(key, ids);
  }
}
