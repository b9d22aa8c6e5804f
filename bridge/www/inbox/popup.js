/* popup -- the panel above everything else, beside its button: opened by it, closed by Escape and by a
 * click elsewhere (the browser's popover), with the focus given back. */

const GAP_PX = 6;
const EDGE_PX = 8;

class Popup {
  #button;
  #panel;
  #onToggle;
  #hadFocus = false;
  #leaving = null; // ends following the button, where a browser does not place it by itself

  /* onToggle(isOpen) */
  constructor(button, panel, onToggle) {
    this.#button = button;
    this.#panel = panel;
    this.#onToggle = onToggle;
    button.popoverTargetElement = panel;
    panel.addEventListener('beforetoggle', ({ newState }) => newState === 'closed' && this.#beforeClosing());
    panel.addEventListener('toggle', ({ newState }) => this.#hearToggle(newState === 'open'));
  }

  get isOpen() {
    return this.#panel.isConnected && this.#panel.matches(':popover-open');
  }

  toggle() {
    this.#panel.togglePopover({ source: this.#button });
  }

  #beforeClosing() {
    this.#hadFocus = this.#panel.contains(this.#panel.getRootNode().activeElement);
  }

  /* In a shadow root Escape leaves the focus nowhere. */
  #hearToggle(isOpen) {
    if (isOpen && !CSS.supports('position-area: block-end')) this.#follow();
    if (!isOpen && this.#leaving) this.#leaving.abort();
    if (!isOpen && this.#hadFocus && this.#isFocusLost()) this.#button.focus();
    this.#onToggle(isOpen);
  }

  #isFocusLost() {
    const focused = deepFocus();
    return focused === null || focused === document.body || this.#panel.contains(focused);
  }

  #follow() {
    this.#leaving = new AbortController();
    const { signal } = this.#leaving;
    for (const type of ['scroll', 'resize']) addEventListener(type, () => this.#place(), { capture: true, passive: true, signal });
    this.#place();
  }

  #place() {
    const bell = this.#button.getBoundingClientRect();
    const { offsetWidth, offsetHeight } = this.#panel;
    const isRtl = getComputedStyle(this.#panel).direction === 'rtl';
    const left = Math.min(Math.max(isRtl ? bell.left : bell.right - offsetWidth, EDGE_PX), innerWidth - offsetWidth - EDGE_PX);
    const below = bell.bottom + GAP_PX;
    const top = below + offsetHeight <= innerHeight ? below : Math.max(EDGE_PX, bell.top - GAP_PX - offsetHeight);
    if (innerWidth > 520) Object.entries({ left, top }).forEach(([side, px]) => this.#panel.style.setProperty(side, `${px}px`));
  }

  close() {
    if (this.#leaving) this.#leaving.abort();
    if (this.isOpen) this.#panel.hidePopover();
  }
}
