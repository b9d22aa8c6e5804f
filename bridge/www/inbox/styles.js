/* styles -- one style sheet for both elements, adopted by their shadow roots (a strict
 * Content-Security-Policy forbids all others). Whatever a page may change is a property --notify-…; here
 * each is read once, with our own value where the page says nothing. */

/* name: [light, dark]; the contrasts are computed by tests. */
const COLORS = {
  accent: ['#4a43c8', '#8d92ff'],
  'on-accent': ['#ffffff', '#14162e'],
  bg: ['#ffffff', '#17191f'],
  hover: ['#f4f5f8', '#20232b'],
  unread: ['#f6f7ff', '#1c1f2b'],
  sunk: ['#eef0f4', '#101216'],
  line: ['#e2e5eb', '#2d323c'],
  edge: ['#7f8795', '#737b8a'],
  text: ['#181a20', '#eceef3'],
  'text-2': ['#4f5663', '#aab1be'],
  'text-3': ['#606775', '#959dac'],
  info: ['#27637c', '#b5e1f6'],
  success: ['#0b7d4e', '#86efb4'],
  warning: ['#774600', '#fbb466'],
  error: ['#950f3d', '#f97b9b'],
  critical: ['#a044b8', '#e29df2'],
};
const SIZES = {
  font: 'inherit',
  radius: '12px',
  width: '400px',
  height: '620px',
  shadow: '0 4px 12px rgb(0 0 0 / 8%), 0 16px 40px -8px rgb(0 0 0 / 18%)',
  badge: 'var(--_accent)',
  'badge-text': 'var(--_on-accent)',
  'badge-ring': 'var(--_bg)',
  z: '9999',
};

/* Where light-dark() is not known it is light, and dark if theme="auto" says so. */
function colorRules() {
  const rule = (wanted) => Object.entries(COLORS).map(([name, pair]) => `--_${name}: var(--notify-${name}, ${wanted(pair)});`).join('');
  const sizes = Object.entries(SIZES).map(([name, value]) => `--_${name}: var(--notify-${name}, ${value});`).join('');
  return `
    :host { ${rule(([light]) => light)} ${sizes} }
    @media (prefers-color-scheme: dark) { :host([theme="auto"]) { ${rule(([, dark]) => dark)} } }
    :host([theme="dark"]) { ${rule(([, dark]) => dark)} }
    @supports (color: light-dark(#fff, #000)) {
      :host, :host([theme]) { ${rule(([light, dark]) => `light-dark(${light}, ${dark})`)} }
    }`;
}

const RULES = `
:host([theme="auto"]) { color-scheme: light dark; }
:host([theme="light"]) { color-scheme: light; }
:host([theme="dark"]) { color-scheme: dark; }
:host([hidden]) { display: none; }
* { box-sizing: border-box; }
[hidden] { display: none !important; }
h2, p { margin: 0; }
button { font: inherit; color: inherit; background: none; border: 0; padding: 0; margin: 0; border-radius: 6px; cursor: pointer; }
button[aria-disabled="true"] { cursor: default; opacity: .6; }
:focus-visible { outline: 2px solid var(--_accent); outline-offset: 1px; }
.icon { display: block; inline-size: 20px; block-size: 20px; fill: none; stroke: currentcolor; stroke-width: 1.6; stroke-linecap: round; stroke-linejoin: round; flex: none; }
.icon .filled { fill: currentcolor; }
.icon .heavy { stroke-width: 2.2; }
.icon .cut { stroke: var(--_bg); stroke-width: 2; }
.vh { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
[dir="rtl"] .icon-back { transform: scaleX(-1); }

:host(notify-bell) { display: inline-block; inline-size: 36px; block-size: 36px; vertical-align: middle; font-family: var(--_font); }
.around { display: contents; white-space: normal; word-spacing: normal; word-break: normal; overflow-wrap: normal; hyphens: manual; text-indent: 0; text-align: start; text-transform: none; text-shadow: none; letter-spacing: normal; font-weight: 400; font-style: normal; font-variant: normal; }
.bell { position: relative; display: grid; place-items: center; inline-size: 36px; block-size: 36px; border-radius: 8px; color: inherit; }
.bell:hover, .bell[aria-expanded="true"] { background: color-mix(in srgb, currentcolor 9%, transparent); }
.badge { position: absolute; inset-block-start: -2px; inset-inline-end: -2px; min-inline-size: 16px; block-size: 16px; padding-inline: 4px; border-radius: 8px; background: var(--_badge); color: var(--_badge-text); box-shadow: 0 0 0 2px var(--_badge-ring); font-size: .6875rem; line-height: 16px; font-weight: 600; text-align: center; font-variant-numeric: tabular-nums; display: flex; align-items: center; justify-content: center; gap: 2px; }
.badge.dot { min-inline-size: 10px; block-size: 10px; padding: 0; inset-block-start: 5px; inset-inline-end: 6px; }
.badge .icon { inline-size: 11px; block-size: 11px; stroke-width: 2.4; }
.badge .icon .cut { stroke: var(--_badge); stroke-width: 3; }
.bell .away { position: absolute; inset-block-end: 5px; inset-inline-end: 5px; inline-size: 9px; block-size: 9px; border-radius: 50%; border: 2px solid var(--_edge); background: var(--_bg); }

.panel { display: flex; flex-direction: column; position: relative; color: var(--_text); background: var(--_bg); font-family: var(--_font); font-size: .875rem; line-height: 20px; overflow: hidden; -webkit-user-select: text; user-select: text; }
:host(notify-inbox) { display: block; block-size: 100%; min-block-size: 240px; font-family: var(--_font); }
:host(notify-inbox) .panel { block-size: 100%; border-radius: var(--_radius); }
.panel.layer { position: fixed; inset: auto; margin: 0; padding: 0; border: 1px solid var(--_line); inline-size: min(var(--_width), calc(100vw - 16px)); block-size: min(var(--_height), calc(100dvh - 72px)); border-radius: var(--_radius); box-shadow: var(--_shadow); z-index: var(--_z); }
.layer:not([popover], [data-up]) { display: none; }
.panel[popover]:not(:popover-open) { display: none; }
@supports (position-area: block-end) {
  .panel[popover] { position-area: block-end span-inline-start; position-try-fallbacks: flip-inline, flip-block; margin-block: 6px; max-block-size: calc(100dvh - 16px); }
  :host([placement="start"]) .panel[popover] { position-area: block-end span-inline-end; }
}
.panel[popover]::backdrop { background: transparent; }
@media (prefers-reduced-motion: no-preference) {
  .panel[popover]:popover-open { animation: notify-in 160ms ease-out; }
  .panel[data-up] { animation: notify-in 160ms ease-out; }
  .badge.pop { animation: notify-pop 160ms ease-out; }
  .row.fresh { animation: notify-fresh 900ms ease-out; }
  .toast { animation: notify-in 160ms ease-out; }
}
@keyframes notify-in { from { opacity: 0; transform: translateY(4px) scale(.99); } }
@keyframes notify-pop { from { transform: scale(.6); } }
@keyframes notify-fresh { from { background: color-mix(in srgb, var(--_accent) 18%, var(--_bg)); } }

.header { display: flex; align-items: center; gap: 4px; min-block-size: 48px; padding-inline: 16px 8px; flex: none; }
.header h2 { flex: 1; font-size: .9375rem; line-height: 20px; font-weight: 600; outline: none; min-inline-size: 0; }
.tool { display: grid; place-items: center; inline-size: 32px; block-size: 32px; color: var(--_text-2); flex: none; }
.tool:hover { background: var(--_hover); color: var(--_text); }
.shut { display: none; }
.tabs { display: flex; gap: 4px; padding-inline: 12px; border-block-end: 1px solid var(--_line); flex: none; }
.tab { display: inline-flex; align-items: center; block-size: 36px; padding-inline: 6px; color: var(--_text-2); border-radius: 6px 6px 0 0; border-block-end: 2px solid transparent; white-space: nowrap; }
.tab[aria-selected="true"] { color: var(--_text); font-weight: 600; border-block-end-color: var(--_accent); }
.tab:focus-visible { outline-offset: -2px; }
.tab .count { display: inline-block; min-inline-size: 3ch; text-align: start; margin-inline-start: 4px; font-size: .75rem; font-weight: 600; color: var(--_text-2); font-variant-numeric: tabular-nums; }
.chips { display: flex; gap: 6px; padding: 8px 16px 2px; overflow-x: auto; scrollbar-width: none; flex: none; }
.chip { flex: none; max-inline-size: 160px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; padding: 3px 10px; min-block-size: 26px; border: 1px solid var(--_edge); border-radius: 99px; color: var(--_text-2); font-size: .75rem; line-height: 16px; }
.chip[aria-pressed="true"] { background: var(--_accent); border-color: var(--_accent); color: var(--_on-accent); font-weight: 600; }
.choice { font: inherit; font-size: .8125rem; color: var(--_text); background: var(--_bg); border: 1px solid var(--_edge); border-radius: 6px; min-block-size: 28px; inline-size: 100%; min-inline-size: 0; text-overflow: ellipsis; }
.chip:focus-visible { outline-offset: -3px; }
.chip[aria-pressed="true"]:focus-visible { outline-color: var(--_on-accent); }

.scroll { flex: 1; min-block-size: 0; overflow-y: auto; overscroll-behavior: contain; padding: 4px 8px 8px; position: relative; }
.waiting { flex: 1; padding: 4px 8px; overflow: hidden; }
.scroll:focus-visible { outline-offset: -2px; }
.day { padding: 8px 8px 4px; font-size: .75rem; line-height: 16px; font-weight: 600; color: var(--_text-3); }
.row { position: relative; display: grid; grid-template-columns: 20px minmax(0, 1fr) minmax(76px, auto); column-gap: 12px; margin-block-start: 2px; align-items: start; padding: 10px 8px; border-radius: 8px; content-visibility: auto; contain-intrinsic-size: auto 84px; touch-action: pan-y pinch-zoom; cursor: default; --_level: var(--_info); }
.row[data-level="success"] { --_level: var(--_success); }
.row[data-level="warning"] { --_level: var(--_warning); }
.row[data-level="error"] { --_level: var(--_error); }
.row[data-level="critical"] { --_level: var(--_critical); }
.row[data-unread] { background: var(--_unread); }
.row:hover, .row:focus-within { background: var(--_hover); }
.row:focus-visible { outline-offset: -2px; }
.rest { grid-column: 2 / -1; min-inline-size: 0; }
.rest:not(:has(> :not([hidden]))) { display: none; }
.glyph { color: var(--_text-3); }
.row[data-unread] .glyph, .row[data-level="error"] .glyph, .row[data-level="critical"] .glyph { color: var(--_level); }
.main { display: block; max-inline-size: 100%; padding: 0; border: 0; background: none; font: inherit; text-align: start; text-decoration: none; cursor: pointer; font-weight: 450; color: var(--_text-2); overflow-wrap: anywhere; }
.main::after { content: ""; position: absolute; inset: 0; border-radius: 8px; }
.main:focus-visible { outline: none; }
.main:focus-visible::after { outline: 2px solid var(--_accent); outline-offset: -2px; }
.row[data-unread] .main { font-weight: 600; color: var(--_text); }
.content { margin-block-start: 2px; font-size: .8125rem; line-height: 18px; color: var(--_text-2); overflow-wrap: anywhere; display: -webkit-box; -webkit-line-clamp: 2; -webkit-box-orient: vertical; overflow: hidden; white-space: pre-line; }
.row[data-whole] .content { display: block; overflow: visible; }
.meta { margin-block-start: 3px; display: flex; flex-wrap: wrap; gap: 2px 6px; align-items: center; font-size: .75rem; line-height: 16px; color: var(--_text-3); overflow-wrap: anywhere; }
.meta .icon { inline-size: 13px; block-size: 13px; }
.actions { display: flex; flex-wrap: wrap; gap: 8px; margin-block-start: 8px; position: relative; z-index: 1; inline-size: fit-content; }
.action { display: inline-flex; align-items: center; gap: 5px; min-block-size: 28px; max-inline-size: 100%; padding: 3px 10px; border-radius: 6px; border: 1px solid var(--_edge); color: var(--_text); font-size: .8125rem; line-height: 18px; font-weight: 600; text-decoration: none; cursor: pointer; overflow-wrap: anywhere; }
.action.primary { background: var(--_accent); border-color: var(--_accent); color: var(--_on-accent); }
.action .icon { inline-size: 14px; block-size: 14px; }
.action:focus-visible { outline-offset: 2px; }
.side { display: flex; justify-content: flex-end; align-items: flex-start; gap: 6px; color: var(--_text-3); font-size: .75rem; line-height: 20px; white-space: nowrap; }
.dot { inline-size: 8px; block-size: 8px; border-radius: 50%; background: var(--_accent); margin-block-start: 6px; flex: none; }
.row:not([data-unread]) .dot { visibility: hidden; }
.tools { position: absolute; z-index: 1; inset-block-start: 4px; inset-inline-end: 4px; display: flex; background: inherit; border-radius: 8px; opacity: 0; }
.tools .tool { inline-size: 30px; block-size: 30px; }
.tools .tool:hover { background: var(--_sunk); }
.tools .tool .icon { inline-size: 18px; block-size: 18px; }
.more-tools { display: none; position: absolute; z-index: 1; inset-block-end: 0; inset-inline-end: 0; }
@media (hover: hover) {
  .row:hover .tools { opacity: 1; background: var(--_hover); }
  .row:hover .side > * { visibility: hidden; }
}
.row:focus-visible .tools { opacity: 1; background: var(--_hover); }
.row:has(.tool:focus-visible, .action:focus-visible) .tools { opacity: 1; background: var(--_hover); }
.row:focus-visible .side > * { visibility: hidden; }
.row:has(.tool:focus-visible, .action:focus-visible) .side > * { visibility: hidden; }
.row.swiped { z-index: 1; }
.row.swiped:not([data-unread]) { background: var(--_bg); }
.cue { position: absolute; inset-inline: 8px; display: flex; align-items: center; gap: 8px; padding-inline: 16px; border-radius: 8px; background: var(--_sunk); color: var(--_text-2); font-size: .8125rem; line-height: 18px; font-weight: 600; direction: ltr; }
.cue.right { flex-direction: row-reverse; }
.cue.ready { background: var(--_accent); color: var(--_on-accent); }
.own { display: block; position: relative; }
.custom { grid-template-columns: minmax(0, 1fr); }

.skeleton { display: grid; gap: 4px; animation: notify-late 0s 200ms both; }
.skeleton i { display: block; block-size: 72px; border-radius: 8px; background: linear-gradient(var(--_sunk), var(--_sunk)) 40px 14px / 62% 12px no-repeat, linear-gradient(var(--_sunk), var(--_sunk)) 40px 38px / 80% 10px no-repeat, radial-gradient(circle at 18px 24px, var(--_sunk) 10px, transparent 10.5px); }
[dir="rtl"] .skeleton i { transform: scaleX(-1); }
@keyframes notify-late { from { visibility: hidden; } }
.nothing { block-size: 100%; min-block-size: 180px; display: grid; place-content: center; justify-items: center; gap: 6px; padding: 24px; text-align: center; color: var(--_text-2); }
.nothing .icon { inline-size: 36px; block-size: 36px; color: var(--_text-3); stroke-width: 1.2; }
.nothing strong { font-weight: 600; color: var(--_text); }
.nothing .why { font-size: .75rem; color: var(--_text-3); overflow-wrap: anywhere; }
.end { padding: 12px; text-align: center; font-size: .75rem; color: var(--_text-3); }
.end:has(button) { min-block-size: 52px; }
.plain { padding: 5px 12px; min-block-size: 28px; border: 1px solid var(--_edge); border-radius: 6px; font-size: .8125rem; line-height: 18px; font-weight: 600; color: var(--_text); }
.plain:hover { background: var(--_hover); }
.pill { position: absolute; z-index: 2; inset-block-end: 12px; inset-inline: 0; margin-inline: auto; inline-size: fit-content; padding: 6px 14px; border-radius: 99px; background: var(--_accent); color: var(--_on-accent); font-size: .8125rem; line-height: 18px; font-weight: 600; box-shadow: var(--_shadow); }
.body { position: relative; display: flex; flex-direction: column; flex: 1; min-block-size: 0; }
.bar { display: flex; align-items: center; gap: 8px; padding: 8px 16px; background: var(--_sunk); color: var(--_text); font-size: .75rem; line-height: 16px; flex: none; }
.bar p { flex: 1; min-inline-size: 0; overflow-wrap: anywhere; }
.snack { position: absolute; z-index: 3; inset-block-end: 10px; inset-inline: 10px; display: flex; align-items: center; gap: 8px; padding: 6px 6px 6px 14px; border-radius: 8px; background: var(--_text); color: var(--_bg); font-size: .8125rem; line-height: 18px; min-block-size: 40px; }
[dir="rtl"] .snack { padding: 6px 14px 6px 6px; }
.snack p { flex: 1; overflow-wrap: anywhere; }
.snack button { min-block-size: 28px; min-inline-size: 28px; padding-inline: 10px; font-weight: 600; text-decoration: underline; text-underline-offset: 3px; }
.snack button:focus-visible { outline-color: var(--_bg); }
.settings { padding: 8px 16px 16px; overflow-y: auto; flex: 1; }
.settings .hint { padding-block: 4px 8px; font-size: .8125rem; line-height: 18px; color: var(--_text-2); }
.switch { display: flex; inline-size: 100%; min-block-size: 40px; align-items: center; gap: 12px; text-align: start; overflow-wrap: anywhere; }
.switch:focus-visible { outline-offset: -2px; }
.switch span { flex: 1; min-inline-size: 0; }
.switch i { flex: none; inline-size: 36px; block-size: 20px; border-radius: 10px; border: 2px solid var(--_edge); position: relative; }
.switch i::after { content: ""; position: absolute; inset-block-start: 2px; inset-inline-start: 2px; inline-size: 12px; block-size: 12px; border-radius: 50%; background: var(--_edge); }
.switch[aria-checked="true"] i { background: var(--_accent); border-color: var(--_accent); }
.switch[aria-checked="true"] i::after { inset-inline-start: 18px; background: var(--_on-accent); }

.toasts { position: fixed; inset: auto; inset-block-end: 16px; inset-inline-end: 16px; margin: 0; padding: 0; border: 0; background: none; overflow: visible; inline-size: min(360px, calc(100vw - 32px)); flex-direction: column-reverse; gap: 8px; color: var(--_text); font-family: var(--_font); font-size: .875rem; line-height: 20px; z-index: var(--_z); }
.toasts:popover-open { display: flex; }
.toasts[data-up] { display: flex; }
.toast { position: relative; display: grid; grid-template-columns: 20px minmax(0, 1fr) 28px; column-gap: 12px; padding: 12px; background: var(--_bg); border: 1px solid var(--_line); border-radius: var(--_radius); box-shadow: var(--_shadow); overflow: clip; --_level: var(--_info); }
.toast[data-level="success"] { --_level: var(--_success); }
.toast[data-level="warning"] { --_level: var(--_warning); }
.toast[data-level="error"] { --_level: var(--_error); }
.toast[data-level="critical"] { --_level: var(--_critical); }
.toast > .icon { color: var(--_level); }
.toast .main { font-weight: 600; color: var(--_text); }
.toast .tool { inline-size: 28px; block-size: 28px; position: relative; z-index: 1; }

@media (pointer: coarse) {
  :host(notify-bell), .bell { inline-size: 44px; block-size: 44px; }
  .tab, .switch, .chip, .choice, .plain, .action, .snack button { min-block-size: 44px; }
  .tab { block-size: 44px; min-inline-size: 44px; padding-inline: 10px; }
  .chip { padding-inline: 14px; }
  .tool, .tools .tool, .toast .tool { inline-size: 44px; block-size: 44px; }
  .tool .icon { inline-size: 22px; block-size: 22px; }
}
@media (hover: none) {
  .row { padding-block-end: 14px; }
  .more-tools { display: grid; }
  .row .tools { display: none; }
  .row:focus-visible .side > * { visibility: visible; }
  .row[data-tools] .tools { display: flex; opacity: 1; background: var(--_sunk); }
}
@media (max-width: 520px) {
  .panel.layer, :host([placement="start"]) .panel.layer { position-area: none; inset: auto 0 0 0; inline-size: 100%; max-inline-size: none; block-size: 88dvh; margin: 0; border-width: 1px 0 0; border-radius: 16px 16px 0 0; padding-block-end: env(safe-area-inset-bottom); }
  .panel[popover]::backdrop { background: rgb(0 0 0 / 40%); }
  .panel[data-up] { box-shadow: 0 0 0 100vmax rgb(0 0 0 / 40%); }
  .layer .shut { display: grid; }
}
@media (forced-colors: active) {
  .dot, .badge, .tab[aria-selected="true"] { forced-color-adjust: none; }
  .dot { background: Highlight; }
  .badge { background: Highlight; color: HighlightText; box-shadow: none; }
  .tab[aria-selected="true"] { border-block-end-color: Highlight; color: CanvasText; }
  .chip[aria-pressed="true"], .switch[aria-checked="true"] i { border-width: 3px; }
  .snack, .pill, .toast { border: 1px solid; }
}
`;

let sheet = null;

function styleSheet() {
  if (sheet === null) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(colorRules() + RULES);
  }
  return sheet;
}
