/* settings_view -- one switch for each category: on, or muted. */

class SettingsView {
  element;
  #panel;
  #switches = make('div');

  constructor(panel) {
    this.#panel = panel;
    const { texts } = panel;
    this.element = make('div', { class: 'settings', part: 'settings', hidden: true }, make('p', { class: 'hint' }, texts.get('settingsHint')), this.#switches);
  }

  draw() {
    const { hub, texts } = this.#panel;
    const { activeElement } = this.element.getRootNode();
    const focused = this.#switches.contains(activeElement) ? activeElement.textContent : null;
    const { categories } = hub;
    this.#switches.replaceChildren(...categories.map((category) => this.#makeSwitch(category)));
    if (categories.length === 0) this.#switches.append(make('p', { class: 'hint' }, texts.get('settingsNone')));
    const again = [...this.#switches.children].find(({ textContent }) => textContent === focused);
    if (again) again.focus();
  }

  #makeSwitch(category) {
    const { hub } = this.#panel;
    const isOn = !hub.muted.has(category);
    const button = make('button', { type: 'button', class: 'switch', role: 'switch', 'aria-checked': String(isOn) }, make('span', { dir: 'auto' }, category), make('i', { 'aria-hidden': 'true' }));
    button.addEventListener('click', () => this.#panel.try(() => hub.setMuted(category, isOn)));
    return button;
  }

  focus() {
    const first = this.#switches.querySelector('button');
    if (first) first.focus();
    return first !== null;
  }
}
