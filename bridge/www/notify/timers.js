/* timers -- pauses, and timers by name: one of each. */

/* Exponential back-off with full jitter: anywhere between nothing and the bound, so that clients
 * which lost the same bridge do not come back together. */
function backoffDelay(attempt, baseMs, maxMs, random) {
  return Math.round(random() * Math.min(maxMs, baseMs * 2 ** Math.min(attempt, 30)));
}

/* The pause a restarting bridge asks for, out of the close reason; null: none that makes sense. */
function restartDelay(code, reason) {
  if (code !== CLOSE_RESTART) return null;
  const digits = /\d+/.exec(reason || '');
  return digits ? Math.min(Number(digits[0]), LIMITS.restartDelayMs) : null;
}

/* Since `at`. A clock that has been set back, and not just corrected a little, tells nothing of that: it may be long. */
function elapsed(clock, at) {
  const ms = clock.now() - at;
  return ms < -LIMITS.correctionMs ? Infinity : Math.max(ms, 0);
}

/* From end() to begin() there are none: what is still under way then can set none that nobody would clear. */
class Timers {
  #clock;
  #running = new Map();

  constructor(clock) {
    this.#clock = clock;
  }

  begin() {
    this.#running ||= new Map();
  }

  end() {
    this.clearAll();
    this.#running = null;
  }

  set(name, ms, fn) {
    if (!this.#running) return;
    this.clear(name);
    const fire = () => {
      this.#running.delete(name);
      fn();
    };
    this.#running.set(name, this.#clock.setTimeout(fire, ms));
  }

  has(name) {
    return this.#running !== null && this.#running.has(name);
  }

  clear(name) {
    if (!this.has(name)) return;
    this.#clock.clearTimeout(this.#running.get(name));
    this.#running.delete(name);
  }

  clearAll() {
    if (this.#running) for (const name of [...this.#running.keys()]) this.clear(name);
  }
}
