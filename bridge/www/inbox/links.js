/* links -- what the buttons of a notification are, and where they lead. */

const LABEL_MAX = 80;

function textOr(value, otherwise) {
  return typeof value === 'string' && value !== '' ? cut(value, LABEL_MAX) : otherwise;
}

/* { link, label, name, target } of one of the two; link: null, or as linkOf() says. */
function readAction(action, isSecondary) {
  if (action === null || typeof action !== 'object') return null;
  const { url, label, target, name, type } = action;
  const link = library().pure.linkOf(isSecondary ? { url, label } : action, document.baseURI);
  return { link, label: textOr(label, ''), name: textOr(name, isSecondary ? 'secondary' : textOr(type, 'open')), target };
}

/* primary: what a click on the row does, and a button if it has a label; secondary: a button. */
function actionsOf({ action }) {
  const primary = readAction(action, false);
  const secondary = primary && readAction(action.secondary, true);
  return { primary, buttons: [primary, secondary].filter((one) => one && one.label !== '') };
}
