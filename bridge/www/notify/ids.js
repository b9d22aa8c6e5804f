/* ids -- of entries, and positions as text. */

/* Ids are "<ms>-<seq>", each up to 20 digits: more than a Number holds. Digits without leading
 * zeros compare by length, then as text. */
function compareDigits(a, b) {
  if (a.length !== b.length) return a.length < b.length ? -1 : 1;
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function compareIds(a, b) {
  const [aMs, aSeq = '0'] = a.split('-');
  const [bMs, bSeq = '0'] = b.split('-');
  return compareDigits(aMs, bMs) || compareDigits(aSeq, bSeq);
}

function isId(value) {
  return typeof value === 'string' && /^(0|[1-9]\d{0,19})-(0|[1-9]\d{0,19})$/.test(value);
}

/* A place as text: an id, or "<id>@@<epoch>" with the epoch of the box under which it was given, by
 * which Redis tells whether it is of a branch that a failover has cut off. null: it is none. */
function parsePosition(text) {
  const [id, epoch, ...rest] = typeof text === 'string' ? text.split('@@') : [];
  if (!isId(id) || rest.length > 0 || (epoch !== undefined && !/^\d{1,8}$/.test(epoch))) return null;
  return { id, epoch: epoch === undefined ? undefined : Number(epoch) };
}

function formatPosition(id, epoch) {
  return epoch ? `${id}@@${epoch}` : id;
}
