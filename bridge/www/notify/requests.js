/* requests -- that wait for their answers. */

class Requests {
  #clock;
  #open = new Map(); // request_id -> { resolve, reject, timer, onAnswer }
  #next = 1;

  constructor(clock) {
    this.#clock = clock;
  }

  /* send(id) sends it. Resolves with the answer, rejects with a NotifyError. onAnswer sees the answer
   * before any message that comes behind it (who waits for the promise may not). */
  begin(type, timeoutMs, send, onAnswer = () => {}) {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      const timer = this.#clock.setTimeout(() => {
        this.#open.delete(id);
        reject(new NotifyError('TIMEOUT', `no answer to ${type}`));
      }, timeoutMs);
      this.#open.set(id, { resolve, reject, timer, onAnswer });
      send(id);
    });
  }

  /* False: nobody waits for this answer. */
  settle(answer) {
    const request = this.#open.get(answer.request_id);
    if (!request) return false;
    this.#open.delete(answer.request_id);
    this.#clock.clearTimeout(request.timer);
    if (answer.type === 'error') {
      request.reject(toError(answer));
    } else {
      request.onAnswer(answer);
      request.resolve(answer);
    }
    return true;
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
