/* times -- how long ago, in words that stay true: one timer for all that is shown, aimed at the next
 * change that can be seen. */

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const UNITS = [['day', DAY_MS], ['hour', HOUR_MS], ['minute', MINUTE_MS]];
const AS_DATE_MS = 7 * DAY_MS; // from then on it is a date
const FAR_MS = 8.64e15; // no date is further away
const TICK_LATE_MS = 50; // behind the change, so that it has happened

/* Always one that can be shown, whatever stands in the entry. */
function timeOf({ id, created_at: created, timestamp }) {
  const told = Date.parse(plain(created) || plain(timestamp)) || Number(id.split('-')[0]);
  return Math.min(told, FAR_MS);
}

function startOfDay(ms) {
  return new Date(ms).setHours(0, 0, 0, 0);
}

/* 'today', 'yesterday' or 'earlier', by the reader's clock and calendar. */
function dayOf(ms, now) {
  const today = startOfDay(now);
  if (ms >= today) return 'today';
  return ms >= startOfDay(today - HOUR_MS) ? 'yesterday' : 'earlier';
}

class Times {
  #relative;
  #date;
  #dateOfYear;
  #full;
  #clock;

  constructor(locale) {
    this.#relative = new Intl.RelativeTimeFormat(locale, { style: 'short', numeric: 'auto' });
    this.#date = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short' });
    this.#dateOfYear = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short', year: 'numeric' });
    this.#full = new Intl.DateTimeFormat(locale, { dateStyle: 'full', timeStyle: 'short' });
    this.#clock = new Intl.DateTimeFormat(locale, { timeStyle: 'short' });
  }

  ago(ms, now) {
    const age = now - ms;
    if (age >= AS_DATE_MS || age <= -DAY_MS) return this.#dated(ms, now);
    for (const [unit, length] of UNITS) if (age >= length) return this.#relative.format(-Math.floor(age / length), unit);
    return this.#relative.format(0, 'second');
  }

  #dated(ms, now) {
    const isOfThisYear = new Date(ms).getFullYear() === new Date(now).getFullYear();
    return (isOfThisYear ? this.#date : this.#dateOfYear).format(ms);
  }

  full(ms) {
    return this.#full.format(ms);
  }

  clock(ms) {
    return this.#clock.format(ms);
  }

  /* When ago(ms) will be another text. */
  static changesAt(ms, now) {
    const age = now - ms;
    if (age >= AS_DATE_MS) return Infinity;
    if (age <= -DAY_MS) return ms - DAY_MS;
    const [, length] = UNITS.find(([, each]) => age >= each) || UNITS[UNITS.length - 1];
    return ms + (Math.max(0, Math.floor(age / length)) + 1) * length;
  }
}

/* Calls tick() at the next change of any of the times, as long as it runs. */
class Ticker {
  #timer;
  #ranAt = 0;
  #dueAt = Infinity;
  #times; // () => [ms, …]
  #now;
  #tick;

  constructor(times, now, tick) {
    this.#times = times;
    this.#now = now;
    this.#tick = tick;
  }

  /* What is shown has changed, or it is looked at again. Whoever has slept, or was told another time, is late. */
  run() {
    this.stop();
    const now = this.#now();
    if (now >= this.#dueAt || now < this.#ranAt) this.#tick();
    const midnight = startOfDay(startOfDay(now) + DAY_MS + HOUR_MS * 2);
    this.#ranAt = now;
    this.#dueAt = this.#times().reduce((soonest, ms) => Math.min(soonest, Times.changesAt(ms, now)), midnight);
    this.#timer = setTimeout(() => this.run(), Math.min(this.#dueAt - now, DAY_MS) + TICK_LATE_MS);
  }

  stop() {
    clearTimeout(this.#timer);
  }
}
