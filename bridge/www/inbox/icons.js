/* icons -- drawn in a square of 24, by strokes; what is filled says so. */

const RING = 'M12 3.5a8.5 8.5 0 1 0 0 17a8.5 8.5 0 1 0 0-17';
const BELL = 'M6 16.5V11a6 6 0 0 1 12 0v5.5l1.6 2H4.4zM10 21.3h4';
const BOX = 'M4 5h16v4H4zM5.5 9v10.5h13V9';

const ICONS = {
  bell: [[BELL]],
  muted: [[BELL], ['M4 4l16 16']],
  check: [['M5 12.5l4.5 4.5L19 7.5']],
  checks: [['M2.5 12.5l4 4L14.5 8M10.5 15l1.5 1.5L20.5 8']],
  archive: [[BOX], ['M10 13h4']],
  unarchive: [[BOX], ['M12 17v-5M9.5 14.2l2.5-2.5 2.5 2.5']],
  tidy: [[BOX], ['M9 14l2 2 4-4']],
  delete: [['M5 7h14M10 4h4M7 7l1 13h8l1-13M10.5 11v5M13.5 11v5']],
  unread: [['M12 7.5a4.5 4.5 0 1 0 0 9a4.5 4.5 0 1 0 0-9', 'filled']],
  settings: [['M4 8h8.5M17.5 8H20M4 16h2.5M11.5 16H20M15 5.5a2.5 2.5 0 1 0 0 5a2.5 2.5 0 1 0 0-5M9 13.5a2.5 2.5 0 1 0 0 5a2.5 2.5 0 1 0 0-5']],
  back: [['M14.5 5.5L8 12l6.5 6.5']],
  close: [['M6 6l12 12M18 6L6 18']],
  more: [['M5 12h.1M12 12h.1M19 12h.1', 'heavy']],
  info: [[RING], ['M12 11v5M12 7.7v.3']],
  success: [['M5 12.5l4.5 4.5L19 7.5', 'heavy']],
  warning: [['M12 4L21 19.5H3zM12 10v4.5M12 17v.2']],
  error: [['M8.3 3.5h7.4l4.8 4.8v7.4l-4.8 4.8H8.3l-4.8-4.8V8.3zM9.3 9.3l5.4 5.4M14.7 9.3l-5.4 5.4']],
  critical: [['M12 2.5l9.5 9.5-9.5 9.5L2.5 12z', 'filled'], ['M12 7.5v5.5M12 16v.2', 'cut']],
};
const LEVELS = ['info', 'success', 'warning', 'error', 'critical'];

function makeIcon(name) {
  const svg = makeSvg('svg', { viewBox: '0 0 24 24', class: `icon icon-${name}`, 'aria-hidden': 'true', focusable: 'false' });
  for (const [d, kind = ''] of ICONS[name]) svg.append(makeSvg('path', { d, class: kind }));
  return svg;
}

/* A level that nobody knows is none to be alarmed by. */
function levelOf({ level }) {
  return LEVELS.includes(level) ? level : 'info';
}

function makeButton({ icon, label, text, ...attributes }) {
  const button = make('button', { type: 'button', 'aria-label': label, title: label, ...attributes });
  if (icon) button.append(makeIcon(icon));
  if (text) button.append(text);
  return button;
}
