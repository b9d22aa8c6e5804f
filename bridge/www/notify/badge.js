/* badge -- which of two counts of the inbox is the later one. */

/* Counts are absolute and come on two ways: with the messages of the inbox, in the order in which
 * they were published, and as answers to unread_count, which may overtake messages and be overtaken
 * by them. Within the life of a box revisions order them, and at the same revision a count can only
 * sink (something expired). A box that is deleted, restored, renamed onto, or that lost writes
 * begins another life, in which revisions say nothing about those before. Hence:
 *  - an answer that nothing came before since it was asked is the truth, whatever its revision;
 *  - an answer with a lower revision than was known when it was asked shows that another life began;
 *  - where the order cannot be told there is a doubt, and the count is to be asked for once more. */
class Badge {
  unread = null;
  rev = -1;
  #heard = 0; // messages so far
  #lives = 0; // of the box, as far as we have noticed
  #isAhead = false; // an answer told of the present life: messages may still come from the last one
  #doubts = 0; // so far
  #settled = 0; // those that came before the last answer was asked for
  #expected = null; // what a change of ours left, says its answer, while no message says so

  get isDoubtful() {
    return this.#doubts > this.#settled || this.#expected !== null;
  }

  /* What comes next belongs to a life of which nothing is known. */
  restart() {
    this.rev = -1;
    this.#lives++;
    this.#isAhead = false;
  }

  doubt() {
    this.#doubts++;
  }

  /* A message of the inbox. isCatchingUp: what was missed comes after what has happened since. */
  hear({ unread, rev }, isCatchingUp) {
    this.#heard++;
    if (!Number.isInteger(unread) || !Number.isInteger(rev)) return;
    const leaps = this.#isAhead && rev > this.rev + 1;
    const differs = rev < this.rev ? !isCatchingUp : rev === this.rev && unread !== this.unread;
    if (leaps || differs) this.doubt();
    if (this.#isLater(unread, rev)) this.#take(unread, rev);
  }

  /* A request for the count is about to be sent. Returns what answer() has to know about it. */
  ask() {
    return { rev: this.rev, heard: this.#heard, lives: this.#lives, doubts: this.#doubts };
  }

  /* The count that was asked for. Returns whether it shows that the box has begun anew. */
  answer(asked, { unread, rev }) {
    if (!Number.isInteger(unread) || !Number.isInteger(rev)) return false;
    this.#settled = asked.doubts;
    this.#expected = null;
    if (asked.lives !== this.#lives) {
      this.doubt(); // of which life is it?
      return false;
    }
    const isOvertaken = asked.heard !== this.#heard;
    const isAnew = rev < asked.rev;
    const isSame = rev === this.rev && unread === this.unread;
    if (isOvertaken && !isSame && !this.#isLater(unread, rev)) this.doubt();
    if (isAnew) {
      this.restart();
      this.#isAhead = true;
    }
    if (!isOvertaken || this.#isLater(unread, rev)) this.#take(unread, rev);
    return isAnew;
  }

  /* The answer to a change of ours: it leaves so many. */
  expect(unread) {
    if (Number.isInteger(unread) && unread !== this.unread) this.#expected = unread;
  }

  #isLater(unread, rev) {
    return rev > this.rev || (rev === this.rev && unread < this.unread);
  }

  #take(unread, rev) {
    this.unread = unread;
    this.rev = rev;
    if (unread === this.#expected) this.#expected = null;
  }
}
