/* bell_element -- <notify-bell>: a button with a badge, and the panel above the page. */

const BADGE_MAX = 99;
const POP_EVERY_MS = 2000;

class BellElement extends NotifyElement {
  #button;
  #badge;
  #away;
  #panel;
  #popup;
  #toasts;
  #leaving = null;
  #isOpenWanted = false; // said before there was a panel
  #poppedAt = 0;

  build() {
    this.#panel = new Panel(this, this.hub, this.texts);
    this.#badge = make('span', { class: 'badge', part: 'badge', hidden: true, 'aria-hidden': 'true' });
    this.#away = make('span', { class: 'away', hidden: true });
    const icon = document.createElement('slot');
    icon.name = 'bell';
    icon.append(makeIcon('bell'));
    this.#button = make('button', { type: 'button', class: 'bell', part: 'bell', 'aria-haspopup': 'dialog' }, icon, this.#badge, this.#away);
    setAttribute(this.#panel.element, 'role', 'dialog');
    this.around.append(this.#button, this.#panel.element);
    this.#popup = new Popup(this.#button, this.#panel.element, (isOpen) => this.#hearToggle(isOpen));
    this.#toasts = new Toasts(this, () => this.#button.focus());
    this.around.append(this.#toasts.element);
  }

  begin() {
    this.#leaving = new AbortController();
    const { signal } = this.#leaving;
    for (const type of ['pointerenter', 'focus']) this.#button.addEventListener(type, () => this.#panel.load(), { signal });
    document.addEventListener('visibilitychange', () => this.isOpen && this.#panel.setShown(document.visibilityState === 'visible'), { signal });
    this.#draw();
    if (this.#isOpenWanted) this.open = true;
  }

  get isOpen() {
    return this.#popup.isOpen;
  }

  get open() {
    return this.hub === null ? this.#isOpenWanted : this.isOpen;
  }
  set open(isWanted) {
    this.#isOpenWanted = this.hub === null && Boolean(isWanted);
    if (this.hub !== null && Boolean(isWanted) !== this.isOpen) this.#popup.toggle();
  }

  /* For the panel, which has a button for it where it is a sheet. */
  closePanel() {
    this.open = false;
  }

  #hearToggle(isOpen) {
    this.setState('open', isOpen);
    this.#panel.setShown(isOpen);
    if (isOpen) {
      this.#toasts.clear();
      this.#panel.focus();
    }
    this.emit('notify-toggle', { open: isOpen });
  }

  get count() {
    const { client, counts } = this.hub;
    return this.wantsCounts ? (counts && (counts.total_unseen ?? counts.unseen)) || 0 : client.total || 0;
  }

  get wantsCounts() {
    return this.getAttribute('badge') === 'unseen';
  }

  /* Words for those who do not see it; a shape for what must not be overlooked. */
  #draw() {
    const { texts, hub } = this;
    const n = this.count;
    const isDot = this.getAttribute('badge') === 'dot';
    const level = n > 0 && hub.counts ? hub.counts.max_level : null;
    const words = n === 0 ? texts.get('title') : texts.get('bell', { n });
    setAttribute(this.#button, 'aria-label', hub.isAway ? `${words}, ${texts.get('offline')}` : words);
    this.#badge.hidden = n === 0;
    this.#badge.classList.toggle('dot', isDot);
    const text = n > BADGE_MAX ? `${texts.number(BADGE_MAX)}+` : texts.number(n);
    if (this.#badge.dataset.shows !== `${text} ${level}`) this.#fillBadge(text, level, isDot);
    this.#away.hidden = !hub.isAway;
    this.setState('unread', n > 0);
  }

  #fillBadge(text, level, isDot) {
    this.#badge.dataset.shows = `${text} ${level}`;
    const shape = ALARMING.has(level) ? [makeIcon(level)] : [];
    this.#badge.replaceChildren(...(isDot ? [] : [...shape, text]));
    if (Date.now() - this.#poppedAt < POP_EVERY_MS) return;
    this.#poppedAt = Date.now();
    this.#badge.classList.remove('pop');
    requestAnimationFrame(() => this.#badge.classList.add('pop'));
  }

  hear(type, what) {
    super.hear(type, what);
    this.#panel.hear(type, what);
    if (['badge', 'ready', 'counts', 'status', 'away'].includes(type)) this.#draw();
    if (type === 'change') this.#toasts.hear(what);
    if (type === 'arrival' && this.hasAttribute('toasts') && !this.isOpen) this.#toasts.add(what);
  }

  tearDown() {
    this.#leaving.abort();
    this.#popup.close();
    this.#toasts.close();
    this.#panel.close();
  }
}
