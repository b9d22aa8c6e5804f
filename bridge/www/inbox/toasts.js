/* toasts -- what has just come, in a corner, for those who asked for it. They wait while somebody points
 * at them, has the focus in them, or does not look at the page; grave ones stay until they are closed. */

const TOASTS_MAX = 3;
const TOAST_MS = 6000;
const TICK_TOAST_MS = 250;
const SETTLING = new Set(['read', 'archived', 'deleted', 'gone']);
const STAYING = new Set(['error', 'critical']);

class Toasts {
  element;
  #host;
  #giveBack;
  #layer;
  #toasts = new Map(); // name → { element, left (ms), item }
  #timer = null;

  /* giveBack(): the focus, to where it does no harm */
  constructor(host, giveBack) {
    this.#host = host;
    this.#giveBack = giveBack;
    this.element = make('div', { class: 'toasts', part: 'toasts', role: 'region', 'aria-label': host.texts.get('toasts') });
    this.#layer = new Layer(this.element, 'manual');
  }

  add(item) {
    const { texts } = this.#host;
    const name = nameOf(item);
    if (this.#toasts.has(name)) return;
    if (this.#toasts.has('many') || this.#toasts.size >= TOASTS_MAX) return this.#summarise(texts);
    this.#put(name, item, this.#make(name, item));
  }

  #put(name, item, element) {
    this.#toasts.set(name, { element, item, left: item && STAYING.has(item.level) ? Infinity : TOAST_MS });
    this.element.append(element);
    this.#layer.show();
    this.#timer ??= setInterval(() => this.#tick(), TICK_TOAST_MS);
  }

  /* Too many to be read: how many there are. */
  #summarise(texts) {
    const n = this.#toasts.has('many') ? this.#toasts.get('many').n + 1 : this.#toasts.size + 1;
    this.clear();
    const title = texts.get('arrived', { n });
    const show = make('button', { type: 'button', class: 'main' }, title);
    show.addEventListener('click', () => (this.#host.open = true));
    this.#put('many', null, this.#frame('many', 'info', show, null));
    this.#toasts.get('many').n = n;
  }

  #make(name, item) {
    const { primary } = actionsOf(item);
    const link = primary && primary.link;
    const main = make(link ? 'a' : 'button', { class: 'main', dir: 'auto', type: link ? null : 'button' }, plain(item.title));
    if (link) setLink(main, link, primary.target);
    main.addEventListener('click', (event) => this.#open(name, item, link, event));
    return this.#frame(name, levelOf(item), main, cut(plain(item.content), CONTENT_MAX));
  }

  #frame(name, level, main, content) {
    const close = makeButton({ icon: 'close', label: this.#host.texts.get('close'), class: 'tool' });
    close.addEventListener('click', () => this.#drop(name));
    const words = make('div', {}, main, content ? make('p', { class: 'content', dir: 'auto' }, content) : null);
    return make('div', { class: 'toast', part: 'toast', 'data-level': level }, makeIcon(level), words, close);
  }

  #open(name, item, link, event) {
    const { hub } = this.#host;
    if (!this.#host.emit('notify-open', { item, link }, true)) event.preventDefault();
    hub.client.markRead(item.id, { log: hub.logOf(item) }).catch(() => {}); // it stays unread, which is seen
    this.#drop(name);
  }

  #tick() {
    const isHeld = document.visibilityState !== 'visible' || this.element.matches(':hover, :focus-within');
    if (isHeld) return;
    for (const [name, toast] of this.#toasts) if ((toast.left -= TICK_TOAST_MS) <= 0) this.#drop(name);
  }

  #drop(name) {
    const toast = this.#toasts.get(name);
    if (!toast) return;
    const hadFocus = hasFocusIn(toast.element);
    toast.element.remove();
    this.#toasts.delete(name);
    if (hadFocus) this.#passFocus();
    if (this.#toasts.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = null;
    this.#layer.hide();
  }

  /* What is read, archived or deleted elsewhere is no news any more. */
  hear(change) {
    if (!SETTLING.has(change.type)) return;
    const { isAbout } = library().pure;
    for (const [name, { item }] of this.#toasts) if (item && item.key === (change.log ?? change.key) && isAbout(change, item)) this.#drop(name);
  }

  #passFocus() {
    const next = this.element.querySelector('.tool');
    if (next) next.focus();
    else this.#giveBack();
  }

  clear() {
    for (const name of [...this.#toasts.keys()]) this.#drop(name);
  }

  close() {
    this.clear();
  }
}
