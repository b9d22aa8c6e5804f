/* speech -- what screen readers say. Two live regions that are there, and empty, from the start. */

const SPEECH_PAUSE_MS = 100; // between emptying a region and filling it: else the same words are not said again
const NEWS_EVERY_MS = 5000; // in which what arrives becomes one sentence
const SPOKEN_MAX = 140;

class Speech {
  element = make('div', { class: 'vh' });
  #calm = make('div', { role: 'status' });
  #alarm = make('div', { role: 'alert' });
  #texts;
  #arrived = { n: 0, title: '' }; // that nothing was said of yet
  #timers = new Map();

  constructor(texts) {
    this.#texts = texts;
    this.element.append(this.#calm, this.#alarm);
  }

  say(words, isUrgent = false) {
    const region = isUrgent ? this.#alarm : this.#calm;
    setText(region, '');
    this.#later(region, SPEECH_PAUSE_MS, () => setText(region, cut(words, SPOKEN_MAX)));
  }

  arrive(item) {
    const title = plain(item.title);
    if (levelOf(item) === 'critical') return this.say(`${this.#texts.get('critical')}: ${title}`, true);
    this.#arrived = { n: this.#arrived.n + 1, title };
    if (!this.#timers.has('news')) this.#tellNews();
    return undefined;
  }

  #tellNews() {
    const { n, title } = this.#arrived;
    this.#arrived = { n: 0, title: '' };
    if (n === 1) this.say(this.#texts.get('arrivedOne', { title }));
    else if (n > 1) this.say(this.#texts.get('arrived', { n }));
    this.#later('news', NEWS_EVERY_MS, () => this.#arrived.n > 0 && this.#tellNews());
  }

  #later(what, ms, fn) {
    clearTimeout(this.#timers.get(what));
    const timer = setTimeout(() => {
      this.#timers.delete(what);
      fn();
    }, ms);
    this.#timers.set(what, timer);
  }

  close() {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }
}
