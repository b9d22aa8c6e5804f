/* inbox_element -- <notify-inbox>: the panel, as big as the box that it stands in. */

class InboxElement extends NotifyElement {
  #panel;
  #watch;
  #leaving = null;
  #isSeen = false;

  build() {
    this.#panel = new Panel(this, this.hub, this.texts);
    setAttribute(this.#panel.element, 'role', 'region');
    this.around.append(this.#panel.element);
    this.#watch = new IntersectionObserver((entries) => this.#see(entries[entries.length - 1].isIntersecting));
    this.#watch.observe(this.#panel.element);
  }

  begin() {
    this.#panel.load();
    this.#leaving = new AbortController();
    document.addEventListener('visibilitychange', () => this.#see(this.#isSeen), { signal: this.#leaving.signal });
  }

  #see(isSeen) {
    this.#isSeen = isSeen;
    this.#panel.setShown(isSeen && document.visibilityState === 'visible');
  }

  hear(type, what) {
    super.hear(type, what);
    this.#panel.hear(type, what);
  }

  tearDown() {
    this.#watch.disconnect();
    this.#leaving.abort();
    this.#panel.close();
  }
}
