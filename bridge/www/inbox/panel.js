/* panel -- what both elements show: heading, views, categories, the feed or what stands in its place, and
 * what was done last. It has a store of notify.js for the view that is shown, and no state of its own that
 * Redis could contradict. */

const VIEWS = {
  all: { text: 'all', options: {}, empty: 'emptyAll', hint: 'emptyAllHint' },
  unread: { text: 'unread', options: { unreadOnly: true }, empty: 'emptyUnread' },
  archived: { text: 'archived', options: { archived: true }, empty: 'emptyArchived' },
};
const DEEDS = {
  read: { does: 'markRead' },
  unread: { does: 'markUnread' },
  archive: { does: 'archive', back: 'unarchive', says: 'saidArchived' },
  unarchive: { does: 'unarchive', back: 'archive', says: 'saidUnarchived' },
};
const STOPS = { 4401: 'signIn', 4409: 'tooMany' };
const SEEN_MS = 1000; // in sight for so long, it has been seen
const SNACK_MS = 6000;
const CHIPS_MAX = 20; // categories; of more there is one to be chosen: each chip is a stop on the way of Tab

class Panel {
  host;
  hub;
  texts;
  times;
  element;
  heading;
  feed;
  #view = 'all';
  #category;
  #store = null;
  #unsubscribe;
  #parts = {};
  #settings;
  #ticker;
  #isClosed = false;
  #isShown = false; // somebody may look at it
  #seenUpto = null;
  #seeTimer = null;
  #snackTimer = null;
  #failure = null; // that is shown in the place of rows
  #again;
  #isMoreAsked = false;
  #areChipsThere = false;
  #awayWords = ''; // that screen readers were told
  #wantsFocus = false; // somebody has opened it, and there are no rows yet

  /* host: a NotifyElement */
  constructor(host, hub, texts) {
    this.host = host;
    this.hub = hub;
    this.texts = texts;
    this.times = host.times;
    this.#ticker = new Ticker(() => this.feed.rows.map(({ item }) => timeOf(item)), this.now, () => this.feed.tick());
    this.#category = host.category || undefined;
    this.#build();
    this.element.addEventListener('keydown', (event) => this.#hearKey(event));
    new Swipe(this, this.feed.scroller);
  }

  now = () => this.hub.client.serverNow();

  get rows() {
    return this.host.rowMaker;
  }

  /* -- building -- */

  #build() {
    const { texts } = this;
    this.heading = make('h2', { id: 'heading', tabindex: '-1' }, texts.get('title'));
    this.feed = new Feed(this);
    this.#settings = new SettingsView(this);
    const parts = (this.#parts = {
      back: this.#makeTool('back', 'back', () => this.#showSettings(false)),
      markAll: this.#makeTool('checks', 'markAllRead', () => this.markAllRead()),
      tidy: this.#makeTool('tidy', 'archiveRead', () => this.archiveRead()),
      settings: this.#makeTool('settings', 'settings', () => this.#showSettings(true)),
      close: this.#makeTool('close', 'close', () => this.host.closePanel()),
      tabs: make('div', { class: 'tabs', part: 'tabs', role: 'tablist', 'aria-label': texts.get('views') }, ...Object.keys(VIEWS).map((view) => this.#makeTab(view))),
      chips: make('div', { class: 'chips', part: 'chips', role: 'group', 'aria-label': texts.get('categories'), hidden: true }),
      waiting: make('div', { class: 'waiting' }, makeSkeleton(texts)),
      bar: make('div', { class: 'bar', part: 'bar', hidden: true }, make('p'), this.#makeRetry(() => this.hub.reconnect())),
      snack: make('div', { class: 'snack', part: 'snack', hidden: true }),
    });
    parts.back.hidden = this.feed.element.hidden = true;
    parts.close.classList.add('shut');
    setAttributes(this.feed.element, { role: 'tabpanel', id: 'view', 'aria-labelledby': 'tab-all' });
    const header = make('div', { class: 'header', part: 'header' }, parts.back, this.heading, this.#makeSlot('header'), parts.markAll, parts.tidy, parts.settings, this.host.closePanel ? parts.close : null);
    this.feed.element.append(parts.snack);
    this.element = make('section', { class: 'panel', part: 'panel', 'aria-labelledby': 'heading' },
      header, parts.tabs, parts.chips, parts.waiting, this.feed.element, this.#settings.element, parts.bar, this.#makeSlot('footer'));
  }

  #makeTool(icon, text, does) {
    const button = makeButton({ icon, label: this.texts.get(text), class: 'tool' });
    button.addEventListener('click', does);
    return button;
  }

  #makeTab(view) {
    const isChosen = view === this.#view;
    const tab = make('button', { type: 'button', role: 'tab', class: 'tab', part: 'tab', id: `tab-${view}`, 'aria-controls': 'view', 'aria-selected': String(isChosen), tabindex: isChosen ? '0' : '-1' }, this.texts.get(VIEWS[view].text));
    if (view === 'unread') tab.append(' ', make('span', { class: 'count' })); // the blank: "Unread 3" for readers
    tab.addEventListener('click', () => this.setView(view, this.#category));
    return tab;
  }

  #makeSlot(name, ...children) {
    const slot = document.createElement('slot');
    slot.name = name;
    slot.append(...children);
    return slot;
  }

  /* In the place of the skeleton. */
  #showFeed() {
    this.#parts.waiting.hidden = true;
    this.feed.element.hidden = !this.#settings.element.hidden;
  }

  /* -- the store -- */

  /* From now on it is kept up to date, be it seen or not. */
  load() {
    if (this.#store !== null || this.#isClosed) return;
    this.#openStore();
    if (this.hub.client.status === 'connected') this.#loadChips();
  }

  /* Rows wait for them, so that they do not have to make room. Without an answer there are none. */
  async #loadChips() {
    await this.hub.loadCategories().catch(() => {});
    if (this.#isClosed) return;
    this.#areChipsThere = true;
    this.#drawChips();
    this.#showFeed();
    this.draw();
  }

  #openStore() {
    this.feed.clear();
    this.feed.showLoading();
    const { pageSize } = this.host;
    this.#store = this.hub.client.inbox({ pageSize, counts: true, category: this.#category, ...VIEWS[this.#view].options });
    this.#unsubscribe = this.#store.subscribe(() => this.draw());
  }

  #closeStore() {
    if (this.#store === null) return;
    this.#unsubscribe();
    this.#store.close();
    this.#store = null;
  }

  /* category: undefined for all of them */
  setView(view, category) {
    if (view === this.#view && category === this.#category) return;
    this.#view = view;
    this.#category = category;
    for (const tab of this.#parts.tabs.children) {
      const isChosen = tab.id === `tab-${view}`;
      setAttributes(tab, { 'aria-selected': String(isChosen), tabindex: isChosen ? '0' : '-1' });
    }
    setAttribute(this.feed.element, 'aria-labelledby', `tab-${view}`);
    this.#closeStore();
    this.#openStore();
    this.#drawChips();
  }

  more(isAsked) {
    if (this.#store === null || this.#isMoreAsked) return;
    this.#isMoreAsked = true;
    this.#store.more()
      .catch(() => (isAsked ? this.complain() : this.#failMore()))
      .finally(() => (this.#isMoreAsked = false));
  }

  /* -- drawing -- */

  get #items() {
    return this.#store === null ? [] : this.#store.state.items.filter((item) => !this.hub.isGone(item));
  }

  draw() {
    const hadFocus = hasFocusIn(this.element);
    this.#drawAll();
    if (hadFocus && !hasFocusIn(this.element)) this.#focusHere();
  }

  #drawAll() {
    if (this.#store === null) return;
    const { state } = this.#store;
    const items = this.#items;
    if (state.isLoaded && !this.#areChipsThere) return;
    if (items.length > 0) {
      this.feed.show(items, state);
      this.#focusLate();
    } else if (!state.isLoaded) this.#drawUnloaded(state);
    else if (state.hasMore) this.#drawMore();
    else this.#drawEmpty();
    this.#drawCount();
    if (this.#isShown) this.#ticker.run();
    this.#seeSoon();
  }

  #drawUnloaded({ error }) {
    if (error === null && !this.hub.isAway) return this.feed.rows.length > 0 ? undefined : this.feed.showLoading();
    this.feed.clear();
    this.#showFeed();
    return this.#drawFailed(error, () => (this.hub.isAway ? this.hub.reconnect() : this.#store.reload()));
  }

  /* The same one as long as it is so: its button may have the focus. */
  #drawFailed(error, again) {
    this.#again = again;
    this.#failure ??= this.#makeNothing('error', 'failed', null, make('span', { class: 'why' }), this.#makeRetry(() => this.#again()));
    setText(this.#failure.querySelector('.why'), (error && error.code) || '');
    this.feed.showNothing(this.#failure);
  }

  #makeRetry(does) {
    const retry = make('button', { type: 'button', class: 'plain' }, this.texts.get('retry'));
    retry.addEventListener('click', does);
    return retry;
  }

  /* All that was loaded has gone from this view: the next page is shown when it is there. */
  #drawMore() {
    this.feed.show([], { isLoading: true, hasMore: false });
    this.feed.showLoading();
    this.more(false);
  }

  #failMore() {
    if (this.#isClosed || this.feed.rows.length > 0 || this.#store === null || !this.#store.state.hasMore) return;
    this.#drawFailed(null, () => this.#drawMore());
  }

  #drawEmpty() {
    const { empty, hint } = VIEWS[this.#view];
    this.feed.show([], { isLoading: false, hasMore: false });
    this.feed.showNothing(this.#makeNothing('bell', empty, hint, null, null));
  }

  #makeNothing(icon, text, hint, why, button) {
    const words = make('div', { class: 'nothing', part: icon === 'error' ? 'error' : 'empty' },
      makeIcon(icon), make('strong', {}, this.texts.get(text)), hint ? make('span', {}, this.texts.get(hint)) : null, why, button);
    return this.#makeSlot(icon === 'error' ? 'error' : 'empty', words);
  }

  #drawCount() {
    const { total } = this.hub.client;
    const count = this.#parts.tabs.querySelector('.count');
    setText(count, total > 0 ? this.texts.number(total) : '');
    setAttribute(this.#parts.markAll, 'aria-disabled', total === 0 || null);
  }

  /* Not whenever a category comes along: what is below would move away from under a finger. */
  #drawChips() {
    const { categories } = this.hub;
    const isKnown = this.#category === undefined || categories.includes(this.#category);
    const all = [undefined, ...(isKnown ? [] : [this.#category]), ...categories];
    this.#parts.chips.hidden = all.length < 3 || !this.#settings.element.hidden;
    const chips = all.length > CHIPS_MAX + 1 ? [this.#makeChoice(all)] : all.map((category) => this.#makeChip(category));
    const { activeElement } = this.element.getRootNode();
    const focused = [...this.#parts.chips.children].indexOf(activeElement);
    this.#parts.chips.replaceChildren(...chips);
    if (focused >= 0) chips[Math.min(focused, chips.length - 1)].focus();
  }

  #nameOfCategory(category) {
    return category === undefined ? this.texts.get('everyCategory') : category;
  }

  #makeChoice(all) {
    const options = all.map((category) => make('option', { dir: 'auto' }, this.#nameOfCategory(category)));
    const choice = make('select', { class: 'choice', part: 'chip', 'aria-label': this.texts.get('categories') }, ...options);
    choice.selectedIndex = all.indexOf(this.#category);
    choice.addEventListener('change', () => this.setView(this.#view, all[choice.selectedIndex]));
    return choice;
  }

  #makeChip(category) {
    const chip = make('button', { type: 'button', class: 'chip', part: 'chip', dir: 'auto', 'aria-pressed': String(category === this.#category) }, this.#nameOfCategory(category));
    chip.addEventListener('click', () => this.setView(this.#view, category));
    return chip;
  }

  /* What stands between the list and the bridge. */
  drawBar() {
    const { isAway, stopCode, liveAt } = this.hub;
    const { bar } = this.#parts;
    if (!isAway) return this.#hideBar();
    bar.hidden = false;
    const words = stopCode !== null ? this.texts.get(STOPS[stopCode] || 'refused')
      : liveAt === null ? this.texts.get('connecting')
        : this.texts.get('reconnecting', { time: this.times.clock(liveAt) });
    setText(bar.firstChild, words);
    if (this.#isShown && words !== this.#awayWords) this.host.speech.say((this.#awayWords = words));
    return undefined;
  }

  #hideBar() {
    const { bar } = this.#parts;
    this.#awayWords = '';
    if (hasFocusIn(bar)) this.#focusHere();
    bar.hidden = true;
  }

  /* Who had the focus on something that goes. */
  #focusHere() {
    const { current } = this.feed;
    (current ? current.element : this.heading).focus({ preventScroll: true });
  }

  /* -- settings -- */

  #showSettings(isWanted) {
    const { back, markAll, tidy, settings, tabs } = this.#parts;
    this.#settings.element.hidden = back.hidden = !isWanted;
    markAll.hidden = tidy.hidden = settings.hidden = tabs.hidden = isWanted;
    this.#showFeed();
    setText(this.heading, this.texts.get(isWanted ? 'settings' : 'title'));
    this.#drawChips();
    this.#settings.draw();
    if (!isWanted) return settings.focus();
    this.hub.loadCategories().catch(() => this.complain());
    return this.#settings.focus() || back.focus();
  }

  /* -- deeds -- */

  async try(deed) {
    try {
      return await deed();
    } catch (error) {
      this.complain(error);
      return null;
    }
  }

  complain(error) {
    this.#snack(this.texts.get('notDone'), false);
    this.host.speech.say(this.texts.get('notDone'), true);
    if (error) this.host.emit('notify-error', { error });
  }

  do(deed, items) {
    if (items.length === 0) return undefined;
    if (!this.host.emit('notify-change', { deed, items }, true)) return undefined;
    if (deed === 'delete') {
      this.hub.remove(items);
      return this.#say(this.texts.get('saidDeleted'), true);
    }
    const { does, back, says } = DEEDS[deed];
    if (says) this.#say(this.texts.get(says, { n: items.length }), true);
    const done = this.try(() => this.#store[does](items));
    if (back) this.hub.offerUndo(() => done.then(() => this.hub.send(back, items)));
    return done;
  }

  async markAllRead() {
    if (this.#parts.markAll.getAttribute('aria-disabled')) return;
    if (!this.host.emit('notify-change', { deed: 'read-all', items: this.#items }, true)) return;
    const answer = await this.try(() => this.#store.markAllRead());
    if (answer) this.#say(this.texts.get('saidRead', { n: answer.changed }), false);
  }

  archiveRead() {
    return this.do('archive', this.#items.filter((item) => item.is_read && !item.is_archived));
  }

  async undo() {
    if (!this.hub.canUndo) return;
    await this.try(() => this.hub.undo());
    this.host.speech.say(this.texts.get('undone'));
  }

  #say(words, canUndo) {
    this.#snack(words, canUndo);
    this.host.speech.say(words);
  }

  #snack(words, canUndo) {
    const { snack } = this.#parts;
    const undo = make('button', { type: 'button' }, this.texts.get('undo'));
    undo.addEventListener('click', () => this.undo());
    snack.replaceChildren(make('p', {}, words), ...(canUndo ? [undo] : []));
    snack.hidden = false;
    clearTimeout(this.#snackTimer);
    this.#snackTimer = setTimeout(() => this.#endSnack(), SNACK_MS);
  }

  #endSnack() {
    const { snack } = this.#parts;
    if (hasFocusIn(snack)) this.#focusHere();
    snack.hidden = true;
  }

  /* A click on a row: the link is followed by the browser, unless the page says that it does so itself. Where there is none, all
   * of the content is shown. */
  open(row, event) {
    const { item } = row;
    const { primary } = actionsOf(item);
    const link = primary && primary.link;
    if (!this.host.emit('notify-open', { item, link }, true)) event.preventDefault();
    else if (!link) row.toggleWhole();
    if (!item.is_read) this.try(() => this.#store.markRead(item));
  }

  /* A button: a link is followed; what leads nowhere is done by being told. */
  act({ item }, action, event) {
    const { name, label, link } = action;
    const isOver = this.hub.isDone(item, name);
    const done = () => this.try(() => this.hub.finish(item, name));
    const mayGo = !isOver && this.host.emit('notify-action', { item, name, label, link, done }, true);
    if (!mayGo) return event.preventDefault();
    if (link) return item.is_read ? undefined : this.try(() => this.#store.markRead(item));
    return done();
  }

  /* -- what the hub says -- */

  hear(type, what) {
    const does = {
      away: () => [this.drawBar(), this.draw()],
      badge: () => this.#drawCount(),
      ready: () => this.#store && this.#loadChips(),
      categories: () => this.#settings.element.hidden || this.#settings.draw(),
      gone: () => this.draw(),
      muted: () => [this.feed.redraw(), this.#settings.element.hidden || this.#settings.draw()],
      done: () => this.feed.redraw((item) => nameOf(item) === nameOf(what)),
      undo: () => this.hub.canUndo || this.#parts.snack.querySelector('button') === null || this.#endSnack(),
      failure: () => this.complain(what),
    }[type];
    if (does) does();
  }

  /* -- being looked at -- */

  setShown(isShown) {
    if (this.#isClosed) return;
    this.#isShown = isShown;
    if (!isShown) {
      this.#ticker.stop();
      clearTimeout(this.#seeTimer);
      return;
    }
    this.load();
    this.drawBar();
    this.feed.tick();
    this.draw();
  }

  /* The newest one stands at the top, the page is in sight: a moment later all of it has been seen. */
  #seeSoon() {
    clearTimeout(this.#seeTimer);
    const [newest] = this.#items;
    if (!this.#isShown || !newest || newest.id === this.#seenUpto || this.#view !== 'all' || this.#category !== undefined) return;
    this.#seeTimer = setTimeout(() => {
      if (document.visibilityState !== 'visible' || !this.feed.isTopInSight) return;
      this.#seenUpto = newest.id;
      this.#store.markSeen().catch(() => (this.#seenUpto = null));
    }, SEEN_MS);
  }

  /* The first unread row, once there is one: unless somebody has gone elsewhere meanwhile. */
  focus() {
    if (!this.#settings.element.hidden) return this.#parts.back.focus();
    this.#wantsFocus = this.feed.rows.length === 0;
    return this.feed.focusUnread() || this.heading.focus();
  }

  #focusLate() {
    if (!this.#wantsFocus) return;
    this.#wantsFocus = false;
    if (this.heading.getRootNode().activeElement === this.heading) this.feed.focusUnread();
  }

  /* -- keys -- */

  #hearKey(event) {
    const { key, ctrlKey, metaKey, altKey, isComposing } = event;
    if (metaKey || altKey || isComposing) return;
    if (key === 'Escape' && !this.#settings.element.hidden) return this.#take(event, () => this.#showSettings(false));
    const [target] = event.composedPath();
    const isOurs = target.getRootNode() === this.element.getRootNode();
    if (isOurs && target.closest('[role="tab"]')) return this.#hearTabKey(event);
    const row = rowIn(event);
    if (row === null || !(isOurs || target.matches('a, button'))) return; // what the page has in a row may be written in
    const does = ctrlKey ? KEYS_WITH_CTRL[key] : KEYS[key] || (this.host.hasShortcuts && LETTERS[key]) || (target === row.element && ROW_KEYS[key]);
    if (!does) return;
    this.feed.setCurrent(row); // a window that is not in front is not told where the focus goes
    this.#take(event, () => does(this));
  }

  #take(event, does) {
    event.preventDefault();
    event.stopPropagation();
    does();
  }

  #hearTabKey(event) {
    const tabs = [...this.#parts.tabs.children];
    const at = tabs.indexOf(event.target.closest('[role="tab"]'));
    const forward = this.texts.dir === 'rtl' ? 'ArrowLeft' : 'ArrowRight';
    const to = { Home: 0, End: tabs.length - 1, ArrowLeft: at - 1, ArrowRight: at - 1, [forward]: at + 1 }[event.key];
    if (to === undefined) return;
    this.#take(event, () => {
      const tab = tabs[(to + tabs.length) % tabs.length];
      tab.focus();
      tab.click();
    });
  }

  /* Out of the feed, before it or behind it. */
  leaveFeed(isForward) {
    const tab = this.#parts.tabs.querySelector('[aria-selected="true"]');
    const behind = [this.feed.footButton, this.#parts.snack.querySelector('button'), this.#parts.bar.querySelector('button')].find((one) => one && one.getClientRects().length > 0);
    (isForward && behind ? behind : tab).focus();
  }

  close() {
    this.setShown(false);
    this.#isClosed = true;
    this.#closeStore();
    clearTimeout(this.#snackTimer);
    this.feed.close();
  }
}
