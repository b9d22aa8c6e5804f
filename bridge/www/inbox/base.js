/* base -- what both elements are: attributes and properties, a connection while they are in the page, words
 * in the page's language, events. Everything inside is made when an element comes into the page and
 * undone when it leaves, so that nothing of it is left. */

const PAGE_SIZE = 20;
const ElementOrNone = globalThis.HTMLElement || class {}; // a server has none, and imports this all the same

const isSame = (a, b) => a === b || (typeof a === 'object' && typeof b === 'object' && JSON.stringify(a) === JSON.stringify(b));

/* Strings that are attributes. */
const TEXT_PROPERTIES = ['src', 'user', 'topics', 'category', 'placement', 'badge', 'theme'];

class NotifyElement extends ElementOrNone {
  static observedAttributes = ['src', 'user', 'topics', 'share', 'category', 'page-size', 'lang', 'placement', 'badge', 'toasts'];
  static PROPERTIES = ['client', 'token', 'strings', 'rows', 'pageSize', 'open', ...TEXT_PROPERTIES];

  hub = null;
  texts = null;
  times = null;
  speech = null;
  around = null; // everything in the shadow root
  internals = null;
  #client = null; // that the page gave
  #token;
  #askToken;
  #strings = {};
  #rows = null;
  #leave = null; // what there is to be undone
  #isRestarting = false;

  constructor() {
    super();
    const root = this.shadowRoot || this.attachShadow({ mode: 'open' });
    root.adoptedStyleSheets = [styleSheet()];
    if (this.attachInternals) this.internals = this.attachInternals();
  }

  /* -- what a page may say -- */

  get client() {
    return this.#client || (this.hub && this.hub.client);
  }
  set client(client) {
    if (client === this.#client) return;
    this.#client = client;
    this.#restart();
  }

  /* A string, or a function that is asked whenever one is needed. */
  get token() {
    return this.#token;
  }
  set token(token) {
    const isOther = typeof token !== 'function' || typeof this.#token !== 'function'; // frameworks give new ones for the same
    if (token === this.#token) return;
    this.#token = token;
    if (isOther) this.#restart();
  }

  get strings() {
    return this.#strings;
  }
  set strings(strings) {
    if (isSame(strings, this.#strings)) return;
    this.#strings = strings || {};
    this.#restart();
  }

  /* (item, element) => cleanup: fills an element in the page with what a row shows. */
  get rows() {
    return this.#rows;
  }
  set rows(rows) {
    const isOther = (rows === null) !== (this.#rows === null);
    this.#rows = rows || null;
    if (isOther) this.#restart();
  }

  /* The page's own rows: by a function, or a <template slot="row">. */
  get rowMaker() {
    if (this.#rows) return (item, element) => this.#rows(item, element);
    const template = this.querySelector(':scope > template[slot="row"]');
    return template ? (item, element) => fillTemplate(template, item, element, this) : null;
  }

  get pageSize() {
    const size = Math.trunc(Number(this.getAttribute('page-size')));
    return size >= 1 && size <= 100 ? size : PAGE_SIZE;
  }
  set pageSize(size) {
    this.setAttribute('page-size', size);
  }

  get hasShortcuts() {
    return this.getAttribute('shortcuts') !== 'off';
  }

  /* Dispatches; false: a listener has taken care of it. */
  emit(type, detail, cancelable = false) {
    return this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true, cancelable }));
  }

  setState(name, isOn) {
    if (this.internals && this.internals.states) this.internals.states[isOn ? 'add' : 'delete'](name);
  }

  /* -- coming and going -- */

  connectedCallback() {
    this.#takeEarly();
    if (this.#leave === null) this.#start();
  }

  /* A move takes it away and puts it back at once. */
  disconnectedCallback() {
    queueMicrotask(() => !this.isConnected && this.#stop());
  }

  connectedMoveCallback() {}

  attributeChangedCallback(name, before, now) {
    if (before !== now) this.#restart();
  }

  /* What was set before this class was there hides what the class does with it. */
  #takeEarly() {
    for (const name of NotifyElement.PROPERTIES) {
      if (!Object.hasOwn(this, name)) continue;
      const value = this[name];
      delete this[name];
      this[name] = value;
    }
  }

  #restart() {
    if (this.#leave === null || this.#isRestarting) return;
    this.#isRestarting = true;
    queueMicrotask(() => {
      this.#isRestarting = false;
      if (this.#leave === null) return;
      this.#stop();
      this.#start();
    });
  }

  #start() {
    const held = this.#client ? { client: this.#client, release: () => {} } : this.#hold();
    if (held === null) return this.#awaitLibrary();
    this.hub = Hub.of(held.client);
    this.texts = new Texts(langOf(this), this.#strings);
    this.times = new Times(this.texts.locale);
    this.speech = new Speech(this.texts);
    this.around = make('div', { class: 'around', dir: this.texts.dir, lang: this.texts.locale });
    this.shadowRoot.replaceChildren(this.around);
    this.build();
    this.around.append(this.speech.element);
    const letGo = this.hub.hold(this);
    this.#leave = () => {
      letGo();
      this.tearDown();
      this.speech.close();
      this.shadowRoot.replaceChildren();
      held.release();
    };
    return this.begin();
  }

  #hold() {
    const attribute = (name) => this.getAttribute(name) || undefined;
    const topics = (this.getAttribute('topics') || '').split(/[\s,]+/).filter(Boolean);
    const share = this.hasAttribute('share') ? attribute('share') || true : undefined;
    return holdClient(attribute('src') || '/ws', { user: attribute('user'), topics, share, token: this.#tokenOfMine() });
  }

  /* Always the one that the page gave last. (Two elements with functions of their own have two
   * connections: nobody knows whether they are of one user.) */
  #tokenOfMine() {
    if (typeof this.#token !== 'function') return this.#token;
    this.#askToken ??= () => this.#token();
    return this.#askToken;
  }

  /* This file may be there before notify.js. */
  #awaitLibrary() {
    this.#leave = () => {};
    if (document.readyState === 'complete') return void this.emit('notify-error', { error: new Error('notify.js is missing') });
    addEventListener('load', () => this.#restart(), { once: true });
    return undefined;
  }

  #stop() {
    if (this.#leave === null) return;
    const leave = this.#leave;
    this.#leave = null;
    leave();
    this.hub = null;
  }

  /* -- for the two of them -- */

  hear(type, what) {
    if (type === 'arrival' && this.hub.isSpeaker(this)) this.speech.arrive(what);
    if (type === 'badge' || type === 'ready') this.emit('notify-badge', { unread: this.hub.client.unread, total: this.hub.client.total });
    if (type === 'away') this.setState('offline', this.hub.isAway);
  }
}

for (const name of TEXT_PROPERTIES) {
  Object.defineProperty(NotifyElement.prototype, name, {
    configurable: true,
    enumerable: true,
    get() {
      return this.getAttribute(name) || '';
    },
    set(value) {
      if (value === null || value === undefined || value === '') this.removeAttribute(name);
      else this.setAttribute(name, value);
    },
  });
}

/* [data-field="title"] and the like become text; an <a data-field="link"> leads where the notification does. */
function fillTemplate(template, item, element, host) {
  element.append(template.content.cloneNode(true));
  const { primary } = actionsOf(item);
  const fields = {
    ...item,
    level: levelOf(item),
    time: host.times.full(timeOf(item)),
    link: (primary && primary.label) || '',
  };
  for (const place of element.querySelectorAll('[data-field]')) {
    const { field } = place.dataset;
    if (field === 'link' && place.localName === 'a') setLink(place, primary && primary.link, primary && primary.target);
    const value = Object.hasOwn(fields, field) ? fields[field] : undefined;
    if (typeof value === 'string' && (value !== '' || field !== 'link')) setText(place, value);
    else if (field !== 'link') place.hidden = true;
  }
  return null;
}
