/* messages -- what kinds there are, and what they are about. */

function crc32(bytes) {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

/* Which of 64 parts of a cluster has a name's keys. */
function partOf(name) {
  return String(crc32(new TextEncoder().encode(name)) % 64).padStart(2, '0');
}

function keyOf(pattern, name) {
  return pattern.replace(/%s|%h64/g, (place) => (place === '%s' ? name : partOf(name)));
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
