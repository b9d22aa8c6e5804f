/* clients -- the connections of this page's elements. Those that ask for the same bridge as the same user
 * have one between them; it is closed when the last one has gone. */

const held = new Map(); // by what was asked for: { client, holders }
const tokenNumbers = new WeakMap();
let tokenCount = 0;

/* Functions are told apart, and never called for it. */
function nameOfToken(token) {
  if (typeof token !== 'function') return token ?? null;
  if (!tokenNumbers.has(token)) tokenNumbers.set(token, ++tokenCount);
  return tokenNumbers.get(token);
}

/* The library beside this file: a global, or what a bundler finds. */
function library() {
  if (globalThis.NotifyClient) return globalThis.NotifyClient;
  return typeof module === 'object' && typeof require === 'function' ? require('./notify.js') : null;
}

/* Returns { client, release() }, or null where notify.js is missing. */
function holdClient(src, { token, ...options }) {
  const NotifyClient = library();
  if (NotifyClient === null) return null;
  const name = JSON.stringify([new URL(src, document.baseURI).href, options, nameOfToken(token)]);
  if (!held.has(name)) held.set(name, { client: NotifyClient.connect(src, { ...options, token }), holders: 0 });
  const entry = held.get(name);
  entry.holders++;
  const release = () => {
    if (--entry.holders > 0) return;
    held.delete(name);
    entry.client.close();
  };
  return { client: entry.client, release };
}
