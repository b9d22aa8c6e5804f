/* requests -- that wait for their answers. */

class Requests {
  #clock;
  #open = new Map(); // request_id -> { resolve, reject, timer, onAnswer }
  #next = 1;
  #heard = 0; // messages, ever

  constructor(clock) {
    this.#clock = clock;
  }

  /* send(id) sends it. Resolves with the answer, rejects with a NotifyError. onAnswer sees the answer
   * before any message that comes behind it (who waits for the promise may not). */
  begin(type, timeoutMs, send, onAnswer = () => {}) {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      const request = { resolve, reject, timer: null, onAnswer };
      this.#open.set(id, request);
      this.#await(request, timeoutMs / 2, null, 2 * LIMITS.patience, () => {
        this.#open.delete(id);
        reject(new NotifyError('TIMEOUT', `no answer to ${type}`));
      });
      send(id);
    });
  }

  /* Something came, whatever it is. */
  hear() {
    this.#heard++;
  }

  /* Twice `ms` at least, so that a page that stood still, of which the first timer is late, has time to hear what has
   * come meanwhile. And again while things come, since the answer may stand behind them. */
  #await(request, ms, heard, left, expire) {
    request.timer = this.#clock.setTimeout(() => {
      if (heard === this.#heard || left <= 1) expire();
      else this.#await(request, ms, this.#heard, left - 1, expire);
    }, ms);
  }

  /* False: nobody waits for this answer. */
  settle(answer) {
    const request = this.#open.get(answer.request_id);
    if (!request) return false;
    this.#open.delete(answer.request_id);
    this.#clock.clearTimeout(request.timer);
    if (answer.type === 'error') request.reject(toError(answer));
    else this.#take(request, answer);
    return true;
  }

  /* Whoever sees it first may not make sense of it. */
  #take({ resolve, reject, onAnswer }, answer) {
    try {
      onAnswer(answer);
      resolve(answer);
    } catch (error) {
      reject(error);
    }
  }

  rejectAll(error) {
    const requests = [...this.#open.values()];
    this.#open.clear();
    for (const request of requests) {
      this.#clock.clearTimeout(request.timer);
      request.reject(error);
    }
  }
}
