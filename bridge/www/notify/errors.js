/* errors -- what requests are rejected with, and listeners that fail. */

class NotifyError extends Error {
  /* code: one of docs/protocol.md, or TIMEOUT, NOT_CONNECTED, DISCONNECTED. After TIMEOUT and
   * DISCONNECTED it is not known whether the request was carried out. details: what the bridge says
   * besides, or null. */
  constructor(code, message, details = null) {
    super(message || code);
    this.name = 'NotifyError';
    this.code = code;
    this.details = details;
  }
}

function toError(message) {
  const { code = 'PROCESSING_ERROR', message: text, details } = message.error || {};
  return new NotifyError(code, text, details);
}

/* Between pages an error is plain data. */
const toPlain = ({ name, code, message, details }) => ({ name, code, message, details });

function fromPlain({ name, code, message, details }) {
  return name === 'NotifyError' ? new NotifyError(code, message, details) : Object.assign(new Error(message), { name });
}

/* A listener's mistake is its own: what comes behind still arrives. */
function callSafely(listener, event) {
  try {
    listener(event);
  } catch (error) {
    if (typeof reportError === 'function') reportError(error);
    else console.error(error);
  }
}
