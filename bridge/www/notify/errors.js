/* errors -- what requests are rejected with, and listeners that fail. */

class NotifyError extends Error {
  /* code: one of docs/protocol.md, or TIMEOUT, NOT_CONNECTED, DISCONNECTED. After TIMEOUT and
   * DISCONNECTED it is not known whether the request was carried out. */
  constructor(code, message) {
    super(message || code);
    this.name = 'NotifyError';
    this.code = code;
  }
}

function toError(message) {
  const { code = 'PROCESSING_ERROR', message: text } = message.error || {};
  return new NotifyError(code, text);
}

/* Between pages an error is plain data. */
const toPlain = ({ name, code, message }) => ({ name, code, message });

function fromPlain({ name, code, message }) {
  return name === 'NotifyError' ? new NotifyError(code, message) : Object.assign(new Error(message), { name });
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
