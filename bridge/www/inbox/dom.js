/* dom -- the only way in which this file makes elements. What comes from a sender can become text and
 * nothing else: no markup is parsed, attributes are of a list, and an address is one that linkOf() let pass. */

const SAFE_ATTRIBUTES = new Set(
  ['class', 'part', 'role', 'type', 'tabindex', 'dir', 'lang', 'hidden', 'title', 'datetime', 'id', 'name', 'slot', 'popover', 'disabled'],
);
const WEB_PROTOCOLS = new Set(['http:', 'https:']);
const SVG = 'http://www.w3.org/2000/svg';

function isSafeAttribute(name) {
  return SAFE_ATTRIBUTES.has(name) || /^(aria|data)-[a-z-]+$/.test(name);
}

/* value: true for an attribute without one; null, undefined or false takes it away. */
function setAttribute(element, name, value) {
  if (!isSafeAttribute(name)) throw new TypeError(`no attribute of ours: ${name}`);
  const text = value === true ? '' : String(value);
  if (value === null || value === undefined || value === false) element.removeAttribute(name);
  else if (element.getAttribute(name) !== text) element.setAttribute(name, text);
}

function setAttributes(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) setAttribute(element, name, value);
}

/* children: elements, or strings that become text; null is left out. */
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  setAttributes(element, attributes);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/* link: of linkOf(), or null for none. */
function setLink(element, link, target) {
  if (!link || !WEB_PROTOCOLS.has(new URL(link.url).protocol)) return void element.removeAttribute('href');
  element.href = link.url;
  element.rel = 'noopener noreferrer';
  element.target = target === '_blank' || link.host ? '_blank' : '';
}

function makeSvg(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [attribute, value] of Object.entries(attributes)) element.setAttribute(attribute, value);
  return element;
}

/* What stands in an entry may be anything: only a text is shown, and not more than max of it. */
function plain(value, max = Infinity) {
  return typeof value === 'string' ? cut(value, max) : '';
}

/* Not in the middle of a character. */
function cut(text, max) {
  if (text.length <= max) return text;
  return text.slice(0, /[\uD800-\uDBFF]/.test(text[max - 1]) ? max - 1 : max);
}

/* Elements of the page that stand in our slots count. */
function hasFocusIn(element) {
  return element.matches(':focus-within');
}

/* What of the page the focus is on, through all shadow roots. */
function deepFocus() {
  let element = document.activeElement;
  while (element && element.shadowRoot && element.shadowRoot.activeElement) element = element.shadowRoot.activeElement;
  return element;
}
