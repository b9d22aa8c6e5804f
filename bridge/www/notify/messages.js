/* messages -- what kinds there are, and what they are about. */

function keyOf(pattern, name) {
  return pattern.replace('%s', () => name);
}

/* Whatever an event is called, it has data, and no change of state has. */
function isChange(message, type) {
  return message.type === type && !('data' in message);
}

/* An entry that is counted: of an event the data is the sender's own. */
function isNotification({ id, data }) {
  return isId(id) && data !== null && typeof data === 'object' && data.id === id;
}

/* As it was subscribed; undefined: it comes from none. */
function channelOf({ type, pattern, channel }) {
  return type === 'channel_message' ? pattern || channel : undefined;
}

function idFields(ids) {
  return Array.isArray(ids) ? { ids } : { id: ids };
}
