/* popup -- the panel above everything else, beside its button: opened by it, closed by Escape and by a
 * click elsewhere (the browser does that with its popovers; without them it is done here), with the focus
 * given back. */

const GAP_PX = 6;
const EDGE_PX = 8;
const SHEET_PX = 520; // up to here it is a sheet at the bottom of the screen
const NEAR_PLACE_PX = 12; // so near to where it was put it may be, while it moves in

class Popup {
  #button;
  #panel;
  #layer;
  #onToggle;
  #hadFocus = false;
  #leaving = null; // while it is open: ends what it listens to

  /* onToggle(isOpen) */
  constructor(button, panel, onToggle) {
    this.#button = button;
    this.#panel = panel;
    this.#onToggle = onToggle;
    this.#layer = new Layer(panel, 'auto');
    if (this.#layer.isNative) this.#useNative();
    else this.#useOwn();
  }

  #useNative() {
    this.#button.popoverTargetElement = this.#panel;
    this.#panel.addEventListener('beforetoggle', ({ newState }) => newState === 'closed' && this.#beforeClosing());
    this.#panel.addEventListener('toggle', ({ newState }) => this.#hearToggle(newState === 'open'));
  }

  #useOwn() {
    setAttribute(this.#button, 'aria-expanded', 'false');
    this.#button.addEventListener('click', () => this.toggle());
  }

  get isOpen() {
    return this.#layer.isUp;
  }

  toggle() {
    if (this.isOpen) return this.close();
    this.#layer.show(this.#button);
    return this.#layer.isNative || this.#hearToggle(true);
  }

  close() {
    this.#leave();
    if (!this.isOpen) return undefined;
    if (this.#layer.isNative) return this.#layer.hide();
    this.#beforeClosing();
    this.#layer.hide();
    return this.#hearToggle(false);
  }

  #beforeClosing() {
    this.#hadFocus = hasFocusIn(this.#panel);
  }

  /* In a shadow root Escape leaves the focus nowhere. */
  #hearToggle(isOpen) {
    this.#leave();
    if (isOpen) this.#listen();
    if (!this.#layer.isNative) setAttribute(this.#button, 'aria-expanded', String(isOpen));
    if (!isOpen && this.#hadFocus && this.#isFocusLost()) this.#button.focus();
    this.#onToggle(isOpen);
  }

  #isFocusLost() {
    const focused = deepFocus();
    return focused === null || focused === document.body || focused.getClientRects().length === 0;
  }

  #leave() {
    if (this.#leaving) this.#leaving.abort();
    this.#leaving = null;
  }

  #listen() {
    this.#leaving = new AbortController();
    const { signal } = this.#leaving;
    if (!this.#layer.isNative) this.#awaitFarewell(signal);
    if (this.#layer.isNative && CSS.supports('position-area: block-end')) return;
    for (const type of ['scroll', 'resize']) addEventListener(type, () => this.#place(), { capture: true, passive: true, signal });
    this.#place();
  }

  #awaitFarewell(signal) {
    document.addEventListener('keydown', (event) => event.key === 'Escape' && !event.defaultPrevented && this.close(), { signal });
    document.addEventListener('pointerdown', (event) => {
      const path = event.composedPath();
      if (!path.includes(this.#panel) && !path.includes(this.#button)) this.close();
    }, { capture: true, signal });
  }

  #place() {
    if (innerWidth <= SHEET_PX) return;
    const bell = this.#button.getBoundingClientRect();
    const { offsetWidth, offsetHeight } = this.#panel;
    const isRtl = getComputedStyle(this.#panel).direction === 'rtl';
    const left = Math.min(Math.max(isRtl ? bell.left : bell.right - offsetWidth, EDGE_PX), innerWidth - offsetWidth - EDGE_PX);
    const below = bell.bottom + GAP_PX;
    const top = below + offsetHeight <= innerHeight ? below : Math.max(EDGE_PX, bell.top - GAP_PX - offsetHeight);
    this.#put(left, top);
    const at = this.#panel.getBoundingClientRect();
    const [x, y] = [at.left - left, at.top - top];
    // Something around it that is moved or filtered counts as the screen.
    if (Math.max(Math.abs(x), Math.abs(y)) > NEAR_PLACE_PX) this.#put(left - x, top - y);
  }

  #put(left, top) {
    Object.entries({ left, top }).forEach(([side, px]) => this.#panel.style.setProperty(side, `${px}px`));
  }
}
