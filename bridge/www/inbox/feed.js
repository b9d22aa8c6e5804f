/* feed -- the list: rows in their order under the days, more of them when its end is near, one of them
 * with the focus. What is shown stays where it is when something comes above. */

const NEAR_PX = 400; // before the end, the next page is asked for
const AT_TOP_PX = 8;
const ROWS_MAX = 1000; // more are not loaded: who looks for older ones, searches

function makeSkeleton(texts) {
  const rows = Array.from({ length: 5 }, () => make('i', { 'aria-hidden': 'true' }));
  return make('div', { class: 'skeleton', role: 'none' }, ...rows, make('span', { class: 'vh' }, texts.get('loading')));
}

class Feed {
  element;
  #list;
  #foot;
  #pill;
  #panel;
  #rows = new Map(); // by name, in their order
  #days = new Map();
  #current = null; // the name of the row that Tab reaches
  #above = new Set(); // names of what came above what is looked at
  #hasShown = false;
  #nearEnd;

  constructor(panel) {
    this.#panel = panel;
    const { texts } = panel;
    this.#list = make('div', { class: 'list', role: 'feed', 'aria-label': texts.get('title'), 'aria-busy': 'true' });
    this.#foot = make('div', { class: 'end' });
    this.#pill = make('button', { type: 'button', class: 'pill', part: 'pill', hidden: true });
    this.scroller = make('div', { class: 'scroll', part: 'list' }, this.#list, this.#foot);
    this.element = make('div', { class: 'body' }, this.scroller, this.#pill);
    this.#listen();
  }

  #listen() {
    this.#pill.addEventListener('click', () => this.#showNews());
    this.scroller.addEventListener('scroll', () => this.#hearScroll(), { passive: true });
    this.#list.addEventListener('focusin', (event) => rowIn(event) && this.setCurrent(rowIn(event)));
    this.#nearEnd = new IntersectionObserver((entries) => {
      if (entries.some(({ isIntersecting }) => isIntersecting)) this.#panel.more(false);
    }, { root: this.scroller, rootMargin: `${NEAR_PX}px` });
  }

  get rows() {
    return [...this.#rows.values()];
  }

  get hasFocus() {
    return hasFocusIn(this.#list);
  }

  /* -- drawing -- */

  /* Another view: nothing of the one before. */
  clear() {
    for (const row of this.rows) row.close();
    this.#rows.clear();
    this.#days.clear();
    this.#above.clear();
    this.#hasShown = false;
    this.#current = null;
    this.#list.replaceChildren();
    this.scroller.scrollTop = 0;
  }

  /* items: of the store, newest first. */
  show(items, { isLoading, hasMore }) {
    const heir = this.#heirOf(items);
    const anchor = this.#anchor();
    this.#keepOnly(items);
    const fresh = items.filter((item) => !this.#rows.has(nameOf(item)));
    this.#place(items);
    if (this.#hasShown) this.#welcome(fresh, anchor);
    this.#hasShown = true;
    this.#hold(anchor);
    if (!this.#rows.has(this.#current)) this.setCurrent(heir instanceof Row ? heir : this.rows[0]);
    if (heir) heir.focus();
    setAttribute(this.#list, 'aria-busy', String(isLoading));
    this.#drawFoot(items.length, hasMore);
  }

  showLoading() {
    this.#list.replaceChildren(makeSkeleton(this.#panel.texts));
    setAttribute(this.#list, 'aria-busy', 'true');
    this.#list.hidden = false;
    this.#foot.replaceChildren();
  }

  /* Instead of rows: words in the middle. */
  showNothing(element) {
    this.#list.hidden = true;
    this.#nearEnd.disconnect();
    if (!this.#foot.contains(element)) this.#foot.replaceChildren(element);
  }

  /* Who gets the focus of a row that goes: the next one that stays, or the last before. */
  #heirOf(items) {
    if (!this.hasFocus || !this.#rows.has(this.#current)) return null;
    const staying = new Set(items.map(nameOf));
    if (staying.has(this.#current)) return null;
    const names = [...this.#rows.keys()];
    const at = names.indexOf(this.#current);
    const heir = names.slice(at).find((name) => staying.has(name)) || names.slice(0, at).reverse().find((name) => staying.has(name));
    return heir === undefined ? this.#panel.heading : this.#rows.get(heir);
  }

  #keepOnly(items) {
    const staying = new Set(items.map(nameOf));
    for (const [name, row] of this.#rows) {
      if (staying.has(name)) continue;
      row.close();
      this.#rows.delete(name);
      this.#above.delete(name);
    }
  }

  #place(items) {
    const now = this.#panel.now();
    const rows = new Map();
    const wanted = [];
    let day = null;
    for (const item of items) {
      const name = nameOf(item);
      const row = this.#rows.get(name) || new Row(this.#panel, item);
      row.update(item);
      rows.set(name, row);
      const itsDay = dayOf(timeOf(item), now);
      if (itsDay !== day) wanted.push(this.#dayElement((day = itsDay)));
      wanted.push(row.element);
    }
    this.#rows = rows;
    this.#put(wanted);
  }

  #dayElement(day) {
    if (!this.#days.has(day)) this.#days.set(day, make('div', { class: 'day', part: 'day', role: 'none' }, this.#panel.texts.get(day)));
    return this.#days.get(day);
  }

  /* What stands right is not touched: it would lose the focus. */
  #put(wanted) {
    const staying = new Set(wanted);
    for (const child of [...this.#list.children]) if (!staying.has(child)) child.remove();
    let at = this.#list.firstChild;
    for (const element of wanted) {
      if (element === at) at = at.nextSibling;
      else this.#list.insertBefore(element, at);
    }
    this.#list.hidden = wanted.length === 0;
    wanted.filter((element) => element.rowOf).forEach((element, i) => setAttributes(element, { 'aria-posinset': i + 1, 'aria-setsize': -1 }));
  }

  #drawFoot(count, hasMore) {
    const { texts } = this.#panel;
    this.#nearEnd.disconnect();
    if (count === 0) return;
    if (!hasMore || count >= ROWS_MAX) return void this.#foot.replaceChildren(count > 10 ? texts.get('end') : '');
    if (!this.#foot.querySelector('.plain')) {
      const button = make('button', { type: 'button', class: 'plain' }, texts.get('loadMore'));
      button.addEventListener('click', () => this.#panel.more(true));
      this.#foot.replaceChildren(button);
    }
    this.#nearEnd.observe(this.#foot);
  }

  /* -- staying in place -- */

  get #isAtTop() {
    return this.scroller.scrollTop < AT_TOP_PX;
  }

  /* The topmost row that is seen, unless somebody only looks at the top of all. */
  #anchor() {
    const { scrollTop } = this.scroller;
    if (this.#isAtTop && !this.hasFocus && !this.#list.matches(':hover')) return null;
    const row = this.rows.find(({ element }) => element.offsetTop + element.offsetHeight > scrollTop);
    return row ? { row, offset: row.element.offsetTop, isBrowsers: scrollTop > 0 && CSS.supports('overflow-anchor: auto') } : null;
  }

  /* At the very top no browser holds it, and Safari holds nothing. */
  #hold(anchor) {
    if (anchor === null || anchor.isBrowsers || !anchor.row.element.isConnected) return;
    const moved = anchor.row.element.offsetTop - anchor.offset;
    if (moved !== 0) this.scroller.scrollTop += moved;
  }

  #welcome(fresh, anchor) {
    const names = [...this.#rows.keys()];
    const end = anchor ? names.indexOf(nameOf(anchor.row.item)) : names.length;
    for (const item of fresh) {
      const name = nameOf(item);
      if (names.indexOf(name) >= end || item.is_read) continue;
      if (anchor) this.#above.add(name);
      else this.#rows.get(name).element.classList.add('fresh');
    }
    this.#drawPill();
  }

  #drawPill() {
    this.#pill.hidden = this.#above.size === 0;
    if (this.#above.size > 0) setText(this.#pill, this.#panel.texts.get('news', { n: this.#above.size }));
  }

  #showNews() {
    this.scroller.scrollTop = 0;
    const [first] = this.rows;
    if (first) first.focus();
  }

  #hearScroll() {
    if (!this.#isAtTop || this.#above.size === 0) return;
    this.#above.clear();
    this.#drawPill();
  }

  /* -- times, states -- */

  tick() {
    const items = this.rows.map(({ item }) => item);
    for (const row of this.#rows.values()) row.tick();
    if (items.length > 0) this.#place(items); // a day may have ended
  }

  redraw(isMeant = () => true) {
    for (const row of this.rows) if (isMeant(row.item)) row.redraw();
  }

  /* Whether the newest row is to be seen, at least half of it. */
  get isTopInSight() {
    const [first] = this.rows;
    return first !== undefined && this.scroller.scrollTop < first.element.offsetTop + first.element.offsetHeight / 2;
  }

  get footButton() {
    return this.#foot.querySelector('button');
  }

  /* -- the focus -- */

  /* row: the heading, or nothing, where there is none. */
  setCurrent(row) {
    const before = this.#rows.get(this.#current);
    if (before && before !== row) before.setCurrent(false);
    this.#current = row && row.item ? nameOf(row.item) : null;
    if (row && row.item) row.setCurrent(true);
  }

  get current() {
    return this.#rows.get(this.#current) || null;
  }

  /* step: 1 or -1 from the current one, or ±Infinity. */
  move(step) {
    const rows = this.rows;
    const at = rows.indexOf(this.current);
    const row = rows[Math.min(Math.max(at + step, 0), rows.length - 1)];
    if (row) row.focus();
  }

  /* The first that is unread, or none. */
  focusUnread() {
    const row = this.rows.find(({ isUnread }) => isUnread);
    if (row) row.focus();
    return row !== undefined;
  }

  close() {
    this.#nearEnd.disconnect();
    this.clear();
  }
}
