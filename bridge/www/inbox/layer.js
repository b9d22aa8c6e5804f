/* layer -- something above all else of the page: the browser's popover, or, where it knows none, what the
 * style sheet lays over the page. */

/* Asked whenever it matters: a server has no elements, and imports this all the same. */
function knowsPopovers() {
  return typeof HTMLElement.prototype.showPopover === 'function';
}

class Layer {
  element;
  isNative = knowsPopovers();

  /* kind: of popover */
  constructor(element, kind) {
    this.element = element;
    element.classList.add('layer');
    if (this.isNative) setAttribute(element, 'popover', kind);
  }

  get isUp() {
    const { element } = this;
    if (!element.isConnected) return false;
    return this.isNative ? element.matches(':popover-open') : element.hasAttribute('data-up');
  }

  /* source: what it belongs to, or nothing */
  show(source) {
    if (this.isUp) return;
    if (this.isNative) this.element.showPopover({ source });
    else setAttribute(this.element, 'data-up', true);
  }

  hide() {
    if (!this.isUp) return;
    if (this.isNative) this.element.hidePopover();
    else this.element.removeAttribute('data-up');
  }
}
