/* look -- measures a page from within: contrasts and sizes. The functions run in the browser, so each
 * has all that it needs inside. */

/* Every pair of colours that is to be seen: texts and placeholders with what is behind them (wanted: 4.5
 * to 1, by WCAG 2), edges of controls, dots and the like (3 to 1). What is disabled is left out. */
export function contrastsOf() {
  const parse = (color) => {
    const [r, g, b, a = 1] = color.match(/[\d.]+/g).map(Number);
    const full = color.startsWith('color(srgb') ? 255 : 1; // as color-mix() is told
    return { r: r * full, g: g * full, b: b * full, a };
  };
  const parentOf = (element) => element.parentElement || element.getRootNode().host || null; // through shadow roots
  const over = (top, under) => {
    const mix = (name) => top[name] * top.a + under[name] * (1 - top.a);
    return { r: mix('r'), g: mix('g'), b: mix('b'), a: 1 };
  };
  const luminance = ({ r, g, b }) => {
    const [x, y, z] = [r, g, b].map((c) => (c / 255 <= 0.03928 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ratioOf = (one, other) => {
    const [high, low] = [luminance(one), luminance(other)].sort((x, y) => y - x);
    return (high + 0.05) / (low + 0.05);
  };
  const backgroundOf = (element) => {
    const { backgroundColor } = getComputedStyle(element);
    const own = parse(backgroundColor);
    if (own.a === 1) return own;
    return over(own, parentOf(element) ? backgroundOf(parentOf(element)) : { r: 255, g: 255, b: 255, a: 1 });
  };
  const opacityOf = (element) => (element ? Number(getComputedStyle(element).opacity) * opacityOf(parentOf(element)) : 1);
  const show = ({ r, g, b }) => `rgb(${[r, g, b].map(Math.round).join(' ')})`;
  const name = (element) => `${element.localName}.${element.className.baseVal ?? element.className} “${element.textContent.trim().slice(0, 30)}”`;
  const pairs = [];
  const add = (element, color, on, wanted) => {
    const own = parse(color);
    const seen = over({ ...own, a: own.a * opacityOf(element) }, on);
    pairs.push({ of: name(element), color: show(seen), on: show(on), ratio: ratioOf(seen, on), wanted });
  };
  const isSeen = (element) => {
    const { width, height } = element.getBoundingClientRect();
    return width > 1 && height > 1 && getComputedStyle(element).visibility === 'visible' && opacityOf(element) > 0 && !element.matches(':disabled, :disabled *, [aria-disabled="true"], [aria-disabled="true"] *');
  };
  const within = (root) => [...root.querySelectorAll('*')].flatMap((element) => [element, ...(element.shadowRoot ? within(element.shadowRoot) : [])]);
  for (const element of within(document.body)) {
    if (!isSeen(element) || element.closest('.vh, datalist, option')) continue;
    const style = getComputedStyle(element);
    const hasText = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    if (hasText || element.matches('input, textarea, select')) add(element, style.color, backgroundOf(element), 4.5);
    if (element.placeholder) add(element, getComputedStyle(element, '::placeholder').color, backgroundOf(element), 4.5);
    if (element.localName === 'svg') add(element, style.fill === 'none' ? style.stroke : style.fill, backgroundOf(element.parentElement), 3);
    const isControl = element.matches('input:not([type=checkbox]), textarea, select, button');
    const behind = parentOf(element) && backgroundOf(parentOf(element));
    if (isControl && parse(style.borderTopColor).a > 0 && style.borderTopWidth !== '0px') add(element, style.borderTopColor, behind, 3);
    if (element.matches('[data-read="false"] .dot, .row[data-unread] .dot, [part="badge"]')) add(element, style.backgroundColor, behind, 3);
    if (element.matches('.status')) add(element, getComputedStyle(element, '::before').backgroundColor, backgroundOf(element), 3);
    if (element.matches('.bell:not(button)')) add(element, style.backgroundColor, behind, 3);
  }
  return pairs;
}

/* What can be pressed and is smaller than `least` pixels in either direction. A row's control covers the
 * row, and a checkbox is pressed by its label. */
export function targetsOf(least) {
  const small = [];
  const within = (root) => [...root.querySelectorAll('*')].flatMap((element) => [element, ...(element.shadowRoot ? within(element.shadowRoot) : [])]);
  for (const element of within(document).filter((one) => one.matches('button, a, input, select, textarea, summary'))) {
    let area = element;
    if (element.matches('.main')) area = element.closest('li, .row, .toast');
    else if (element.type === 'checkbox') area = element.closest('label');
    const { width, height } = area.getBoundingClientRect();
    const isSeen = width > 0 && height > 0 && getComputedStyle(element).visibility === 'visible';
    if (isSeen && (width < least - 0.5 || height < least - 0.5)) small.push(`${width.toFixed(0)} x ${height.toFixed(0)}: ${element.outerHTML.slice(0, 90)}`);
  }
  return small;
}

/* The hue of "rgb(r, g, b)" in degrees. */
export function hueOf(color) {
  const [r, g, b] = color.match(/[\d.]+/g).map((part) => Number(part) / 255);
  const [high, low] = [Math.max(r, g, b), Math.min(r, g, b)];
  if (high === low) return 0;
  const sixth = high === r ? (g - b) / (high - low) : high === g ? 2 + (b - r) / (high - low) : 4 + (r - g) / (high - low);
  return (sixth * 60 + 360) % 360;
}
