/* keys -- what each does in the list. Letters can be turned off (WCAG 2.1.4). */

function withCurrent(panel, deed) {
  const row = panel.feed.current;
  if (row) deed(row);
}

function doCurrent(panel, deed) {
  withCurrent(panel, ({ item }) => panel.do(deed, [item]));
}

const KEYS = {
  ArrowDown: (panel) => panel.feed.move(1),
  ArrowUp: (panel) => panel.feed.move(-1),
  PageDown: (panel) => panel.feed.move(1),
  PageUp: (panel) => panel.feed.move(-1),
  Home: (panel) => panel.feed.move(-Infinity),
  End: (panel) => panel.feed.move(Infinity),
  Delete: (panel) => withCurrent(panel, ({ item }) => panel.do(panel.hub.logOf(item) ? 'archive' : 'delete', [item])),
};
const KEYS_WITH_CTRL = {
  Home: (panel) => panel.leaveFeed(false),
  End: (panel) => panel.leaveFeed(true),
  z: (panel) => panel.undo(),
};
/* On the row itself: on a button these press the button. */
const ROW_KEYS = {
  Enter: (panel) => withCurrent(panel, (row) => row.press()),
  ' ': (panel) => withCurrent(panel, (row) => row.press()),
};
const LETTERS = {
  j: KEYS.ArrowDown,
  k: KEYS.ArrowUp,
  r: (panel) => withCurrent(panel, ({ item }) => panel.do(item.is_read ? 'unread' : 'read', [item])),
  e: (panel) => withCurrent(panel, ({ item }) => panel.do(item.is_archived ? 'unarchive' : 'archive', [item])),
  '#': KEYS.Delete,
  R: (panel) => panel.markAllRead(),
  z: (panel) => panel.undo(),
};
