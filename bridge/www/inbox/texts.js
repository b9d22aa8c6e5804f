/* texts -- finds the words for a place in the page, and fills them in. */

const TEXTS = { en: TEXT_EN, de: TEXT_DE, he: TEXT_HE };
const FROM_RIGHT_TO_LEFT = new Set(['ar', 'dv', 'fa', 'he', 'ku', 'ps', 'ug', 'ur', 'yi']);

/* The nearest lang around an element, also outside the shadow root that it may stand in. */
function langOf(element) {
  for (let at = element; at; at = at.getRootNode().host) {
    const found = at.closest('[lang]');
    if (found && found.lang) return found.lang;
  }
  return '';
}

class Texts {
  locale; // of numbers and times: that of the words
  dir;
  #own;
  #table;
  #plural;
  #number;

  /* own: { key: text }, laid over the built-in ones; lang: BCP 47. */
  constructor(lang, own = {}) {
    const language = lang.toLowerCase().split('-')[0];
    const isKnown = language in TEXTS || Object.keys(own).length > 0;
    this.#own = own;
    this.#table = TEXTS[language] || TEXTS.en;
    this.locale = isKnown && language ? Texts.#checked(lang) : 'en';
    this.dir = FROM_RIGHT_TO_LEFT.has(this.locale.split('-')[0]) ? 'rtl' : 'ltr';
    this.#plural = new Intl.PluralRules(this.locale);
    this.#number = new Intl.NumberFormat(this.locale);
  }

  static #checked(lang) {
    try {
      return Intl.getCanonicalLocales(lang)[0];
    } catch {
      return 'en';
    }
  }

  number(n) {
    return this.#number.format(n);
  }

  /* values: { n, … }; n chooses among forms. */
  get(key, values = {}) {
    const found = this.#own[key] ?? this.#table[key] ?? TEXTS.en[key] ?? key;
    const form = typeof found === 'string' ? found : found[this.#plural.select(values.n)] ?? found.other ?? '';
    return form.replace(/\{(\w+)\}/g, (whole, name) => this.#fill(values[name], whole));
  }

  #fill(value, whole) {
    if (value === undefined) return whole;
    return typeof value === 'number' ? this.number(value) : value;
  }
}
