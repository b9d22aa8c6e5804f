/* swipe -- a finger moves a row aside: to the end of the line it is read, or unread again; to the start
 * archived, or brought back. Behind the row stands what will be done, once it has gone far enough. All of it can be done
 * by buttons as well. */

const SLOP_PX = 12; // before it is clear where a finger goes
const SWIPE_PX = 88; // from here on it counts
const CLICK_MS = 50; // behind the finger's leaving, in which a click would be its

class Swipe {
  #panel; // { texts, do(deed, items) }
  #scroller;
  #touch = null; // { id, row, x, y, dx, isSwipe }
  #cue = make('div', { class: 'cue', 'aria-hidden': 'true', hidden: true });

  constructor(panel, scroller) {
    this.#panel = panel;
    this.#scroller = scroller;
    scroller.append(this.#cue);
    scroller.addEventListener('pointerdown', (event) => this.#begin(event));
    scroller.addEventListener('pointermove', (event) => this.#isMine(event) && this.#move(event));
    scroller.addEventListener('pointerup', (event) => this.#isMine(event) && this.#end());
    scroller.addEventListener('pointercancel', (event) => this.#isMine(event) && this.#putBack());
  }

  #isMine({ pointerId }) {
    return this.#touch !== null && this.#touch.id === pointerId;
  }

  /* A second finger wants something else. */
  #begin(event) {
    this.#putBack();
    const { pointerType, isPrimary, pointerId: id, clientX: x, clientY: y } = event;
    const row = rowIn(event);
    if (pointerType === 'touch' && isPrimary && row) this.#touch = { id, row, x, y, dx: 0, isSwipe: false };
  }

  #move({ clientX, clientY }) {
    const touch = this.#touch;
    touch.dx = clientX - touch.x;
    if (!touch.isSwipe) this.#decide(touch, Math.abs(touch.dx), Math.abs(clientY - touch.y));
    if (this.#touch && touch.isSwipe) this.#draw(touch);
  }

  #decide(touch, across, along) {
    if (Math.max(across, along) < SLOP_PX) return;
    if (along >= across) return void this.#putBack();
    touch.isSwipe = true;
    this.#scroller.setPointerCapture(touch.id); // what is under the finger may be drawn anew
  }

  #deedOf({ dx, row: { item } }) {
    const isToEnd = dx > 0 === (this.#panel.texts.dir !== 'rtl');
    if (isToEnd) return item.is_read ? 'unread' : 'read';
    return item.is_archived ? 'unarchive' : 'archive';
  }

  #draw(touch) {
    const { element } = touch.row;
    const tool = TOOLS.find(({ deed }) => deed === this.#deedOf(touch));
    element.classList.add('swiped');
    element.style.setProperty('transform', `translateX(${touch.dx}px)`);
    this.#cue.replaceChildren(makeIcon(tool.icon), this.#panel.texts.get(tool.text));
    this.#cue.classList.toggle('ready', Math.abs(touch.dx) >= SWIPE_PX);
    this.#cue.classList.toggle('right', touch.dx < 0);
    this.#cue.style.setProperty('top', `${element.offsetTop}px`);
    this.#cue.style.setProperty('height', `${element.offsetHeight}px`);
    this.#cue.hidden = false;
  }

  #end() {
    const touch = this.#touch;
    this.#putBack();
    if (!touch.isSwipe) return;
    this.#swallowClick();
    if (Math.abs(touch.dx) >= SWIPE_PX && touch.row.element.isConnected) this.#panel.do(this.#deedOf(touch), [touch.row.item]);
  }

  #putBack() {
    if (this.#touch === null) return;
    const { element } = this.#touch.row;
    this.#touch = null;
    this.#cue.hidden = true;
    element.classList.remove('swiped');
    element.removeAttribute('style');
  }

  #swallowClick() {
    const leaving = new AbortController();
    const swallow = (event) => {
      event.preventDefault();
      event.stopPropagation();
    };
    this.#scroller.addEventListener('click', swallow, { capture: true, signal: leaving.signal });
    setTimeout(() => leaving.abort(), CLICK_MS);
  }
}
