/* row -- one notification in the list. Its title is what is pressed, and covers the row; buttons lie above. */

const TOOLS = [
  { deed: 'read', icon: 'check', text: 'markRead', fits: (item) => !item.is_read },
  { deed: 'unread', icon: 'unread', text: 'markUnread', fits: (item) => item.is_read },
  { deed: 'archive', icon: 'archive', text: 'archive', fits: (item) => !item.is_archived },
  { deed: 'unarchive', icon: 'unarchive', text: 'unarchive', fits: (item) => item.is_archived },
  { deed: 'delete', icon: 'delete', text: 'delete', fits: (item, hub) => hub.logOf(item) === undefined },
];

const CONTENT_MAX = 4000; // characters that are shown of a content: who has more to say, links to it

let rowCount = 0;

/* The row that an event is about, also where it comes from an element of the page's own in it. (The page may
 * call its own elements as we do ours.) */
function rowIn(event) {
  const element = event.composedPath().find((one) => one.rowOf instanceof Row);
  return element ? element.rowOf : null;
}

function isSameEntry(one, other) {
  const names = Object.keys(one);
  return one === other || (names.length === Object.keys(other).length && names.every((name) => one[name] === other[name]));
}

class Row {
  item;
  element;
  #panel; // { texts, times, hub, now(), open(row), act(row, button), do(deed, items) }
  #main;
  #time;
  #isCurrent = false;
  #own = null; // the page's own content of the row: { element, clean }

  constructor(panel, item) {
    this.#panel = panel;
    this.element = make('article', { class: 'row', tabindex: '-1' });
    this.element.rowOf = this;
    this.id = `row-${++rowCount}`;
    this.update(item);
  }

  /* Entries are frozen: what they hold can be compared member by member. */
  update(item) {
    const isShown = this.item !== undefined && isSameEntry(item, this.item);
    this.item = item;
    if (!isShown) this.redraw();
  }

  redraw() {
    const { item, element, id } = this;
    const { texts, hub } = this.#panel;
    const hadFocus = hasFocusIn(element) && !element.matches(':focus');
    const isMuted = item.category !== null && hub.muted.has(item.category);
    const isUnread = !item.is_read && !isMuted;
    const level = levelOf(item);
    setAttributes(element, {
      'data-level': level,
      'data-unread': isUnread,
      'aria-labelledby': `${id}-title`,
      'aria-describedby': `${id}-state ${id}-content ${id}-meta`,
      part: ['row', isUnread && 'unread', level].filter(Boolean).join(' '),
    });
    const said = [isUnread && texts.get('isUnread'), level !== 'info' && texts.get(level)].filter(Boolean).join(', ');
    element.replaceChildren(...this.#contents(isMuted), make('span', { class: 'vh', id: `${id}-state` }, said), this.#makeTools(), this.#makeMore());
    this.tick();
    this.setCurrent(this.#isCurrent);
    if (hadFocus) this.focus();
  }

  #contents(isMuted) {
    if (this.#panel.rows) return [this.#makeOwn()];
    const glyph = make('span', { class: 'glyph', part: 'glyph' }, makeIcon(levelOf(this.item)));
    this.#time = make('time', { part: 'time' });
    return [
      glyph,
      this.#makeMain(),
      make('div', { class: 'side' }, this.#time, make('span', { class: 'dot', part: 'dot' })),
      make('div', { class: 'rest' }, this.#makeContent(), this.#makeMeta(isMuted), this.#makeActions()),
    ];
  }

  #makeMain() {
    const { primary } = actionsOf(this.item);
    const link = primary && primary.link;
    this.#main = make(link ? 'a' : 'button', { class: 'main', part: 'title', id: `${this.id}-title`, dir: 'auto', tabindex: '-1', type: link ? null : 'button' });
    setText(this.#main, plain(this.item.title));
    if (link) setLink(this.#main, link, primary.target);
    else if (plain(this.item.content) !== '') setAttribute(this.#main, 'aria-expanded', String(this.#isWhole));
    this.#main.addEventListener('click', (event) => this.#panel.open(this, event));
    return this.#main;
  }

  #makeContent() {
    const content = cut(plain(this.item.content), CONTENT_MAX);
    return make('p', { class: 'content', part: 'content', id: `${this.id}-content`, dir: 'auto', hidden: content === '' }, content);
  }

  #makeMeta(isMuted) {
    const { texts } = this.#panel;
    const { primary } = actionsOf(this.item);
    const host = primary && primary.link && primary.link.host;
    const category = plain(this.item.category);
    const parts = [
      isMuted && makeIcon('muted'),
      isMuted && make('span', {}, texts.get('muted')),
      category && make('span', { part: 'category', dir: 'auto' }, category),
      host && make('span', {}, texts.get('elsewhere', { host })),
    ].filter(Boolean);
    return make('div', { class: 'meta', part: 'meta', id: `${this.id}-meta`, hidden: parts.length === 0 }, ...parts);
  }

  #makeActions() {
    const { buttons } = actionsOf(this.item);
    if (buttons.length === 0) return null;
    return make('div', { class: 'actions' }, ...buttons.map((action, i) => this.#makeAction(action, i === 0)));
  }

  #makeAction(action, isPrimary) {
    const { texts, hub } = this.#panel;
    const isDone = hub.isDone(this.item, action.name);
    const attributes = { class: `action ${isPrimary ? 'primary' : ''}`, part: `action ${isPrimary ? 'primary' : 'secondary'}`, dir: 'auto', 'data-deed': `action-${action.name.replace(/\W/g, '')}` };
    const button = make(action.link ? 'a' : 'button', { ...attributes, type: action.link ? null : 'button', 'aria-disabled': isDone || null });
    if (action.link) setLink(button, action.link, action.target);
    if (isDone) setAttribute(button, 'aria-label', texts.get('done', { label: action.label }));
    button.append(...(isDone ? [makeIcon('check')] : []), action.label);
    button.addEventListener('click', (event) => this.#panel.act(this, action, event));
    return button;
  }

  #makeTools() {
    const { texts, hub } = this.#panel;
    const tools = TOOLS.filter(({ fits }) => fits(this.item, hub)).map(({ deed, icon, text }) => {
      const button = makeButton({ icon, label: texts.get(text), class: 'tool', 'data-deed': deed });
      button.addEventListener('click', () => this.#panel.do(deed, [this.item]));
      return button;
    });
    return make('div', { class: 'tools', part: 'tools' }, ...tools);
  }

  /* Where nothing hovers. */
  #makeMore() {
    const button = makeButton({ icon: 'more', label: this.#panel.texts.get('more'), class: 'tool more-tools', 'data-deed': 'more', 'aria-expanded': String(this.element.hasAttribute('data-tools')) });
    button.addEventListener('click', () => {
      const isOpen = this.element.toggleAttribute('data-tools');
      setAttribute(button, 'aria-expanded', String(isOpen));
    });
    return button;
  }

  /* The page's own row: an element in the page itself, whose styles then count. */
  #makeOwn() {
    this.#leaveOwn();
    const { rows, texts } = this.#panel;
    const slot = `notify-${this.id}`;
    const element = make('div', { slot, class: 'notify-row' });
    this.#panel.host.append(element);
    this.#own = { element, clean: rows(this.item, element) };
    this.#time = null;
    const title = plain(this.item.title);
    setAttribute(this.element, 'aria-label', title);
    this.element.removeAttribute('aria-labelledby');
    this.element.removeAttribute('aria-describedby');
    this.element.classList.add('custom');
    const press = makeButton({ label: title, class: 'main', tabindex: '-1', id: `${this.id}-title` });
    press.addEventListener('click', (event) => this.#panel.open(this, event));
    this.#main = press;
    return make('div', { class: 'own' }, press, Object.assign(document.createElement('slot'), { name: slot }));
  }

  #leaveOwn() {
    if (this.#own === null) return;
    if (typeof this.#own.clean === 'function') this.#own.clean();
    this.#own.element.remove();
    this.#own = null;
  }

  get #isWhole() {
    return this.element.hasAttribute('data-whole');
  }

  /* All of its content, or two lines. */
  toggleWhole() {
    this.element.toggleAttribute('data-whole');
    if (this.#main.hasAttribute('aria-expanded')) setAttribute(this.#main, 'aria-expanded', String(this.#isWhole));
  }

  /* The time, once more. */
  tick() {
    if (!this.#time) return;
    const { times, now } = this.#panel;
    const ms = timeOf(this.item);
    setAttributes(this.#time, { datetime: new Date(ms).toISOString(), title: times.full(ms) });
    setText(this.#time, times.ago(ms, now()));
  }

  get isUnread() {
    return this.element.hasAttribute('data-unread');
  }

  /* Of all rows one can be reached with Tab, and so can its buttons. */
  setCurrent(isCurrent) {
    this.#isCurrent = isCurrent;
    const tabindex = isCurrent ? '0' : '-1';
    setAttribute(this.element, 'tabindex', tabindex);
    for (const control of this.element.querySelectorAll('.tool, .action')) setAttribute(control, 'tabindex', tabindex);
  }

  focus() {
    this.element.focus({ preventScroll: true });
    this.element.scrollIntoView({ block: 'nearest' });
  }

  /* What Enter does. */
  press() {
    this.#main.click();
  }

  close() {
    this.#leaveOwn();
    this.element.remove();
  }
}
