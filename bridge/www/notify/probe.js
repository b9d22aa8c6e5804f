/* probe -- whether a WebSocket would get through by now, tried beside a stream. */

/* Opens one now and then, at ever longer pauses, until one is greeted: `greeted()` is called then. token() returns a
 * promise of a token, open(token) a WebSocket. */
class Probe {
  #timers;
  #ms; // that a greeting may take
  #token;
  #open;
  #greeted;
  #socket = null;
  #pause = 0; // the present one
  #run = 0; // what belongs to an earlier one is void

  constructor({ timers, ms, token, open, greeted }) {
    this.#timers = timers;
    this.#ms = ms;
    this.#token = token;
    this.#open = open;
    this.#greeted = greeted;
  }

  start() {
    this.#tryIn(LIMITS.probeMs);
  }

  /* If it pauses: perhaps in another network by now. Those who say so come in swarms, and do not put it off. */
  hasten() {
    if (this.#timers.has('probe') && this.#pause > LIMITS.wakeMs) this.#tryIn(LIMITS.wakeMs);
  }

  stop() {
    this.#timers.clear('probe');
    this.#leave();
  }

  #tryIn(ms) {
    this.#pause = ms;
    this.#timers.set('probe', ms, () => this.#try(ms));
  }

  #try(ms) {
    this.#leave();
    const run = this.#run;
    const tell = (isGreeted) => {
      if (run !== this.#run) return;
      this.#leave();
      if (isGreeted) this.#greeted();
      else this.#tryIn(Math.min(2 * Math.max(ms, LIMITS.probeMs), LIMITS.probeMaxMs));
    };
    this.#timers.set('probing', this.#ms, () => tell(false));
    this.#token().then((token) => {
      if (run !== this.#run) return;
      const socket = (this.#socket = this.#open(token));
      socket.onmessage = () => tell(true);
      socket.onclose = socket.onerror = () => tell(false);
    }).catch(() => tell(false));
  }

  #leave() {
    const socket = this.#socket;
    this.#socket = null;
    this.#run++;
    this.#timers.clear('probing');
    if (!socket) return;
    socket.onmessage = socket.onclose = null;
    socket.onerror = () => {}; // some implementations end the process for an error that nobody hears
    try {
      socket.close(1000);
    } catch {
      // not open yet: closing it is then all that can be done
    }
  }
}
