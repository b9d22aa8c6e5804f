/* addresses -- of the bridge, of users, of what is clicked. */

function baseUrl() {
  return typeof location === 'object' ? location.href : undefined;
}

function connectUrl(url, base, options, token) {
  const target = new URL(url || '/ws', base);
  target.protocol = target.protocol.replace(/^http/, 'ws');
  target.hash = '';
  if (options.clientId !== undefined) {
    target.pathname = target.pathname.replace(/\/*$/, '/') + encodeURIComponent(options.clientId);
  }
  target.searchParams.set('protocol', 'notify.v1'); // the bytes as they were published
  if (options.user !== undefined) target.searchParams.set('user', options.user);
  if (token) target.searchParams.set('token', token);
  target.searchParams.set('last_event_id', ''); // we know our positions, and resume from them (a cookie may hold a token)
  return target.href;
}

/* Where the bridge answers plain requests, seen from where its WebSockets are; null: not to be told. */
function apiUrl(url, base) {
  const target = new URL(url || '/ws', base);
  if (!/\/ws\/?$/.test(target.pathname)) return null;
  target.protocol = target.protocol.replace(/^ws/, 'http');
  target.pathname = target.pathname.replace(/ws\/?$/, 'api/v1/');
  target.search = target.hash = '';
  return target.href;
}

/* Whom a token names, as far as it can be read (whether that is true, the bridge will say). */
function subjectOf(token) {
  try {
    const bytes = atob(token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/'));
    const { sub } = JSON.parse(new TextDecoder().decode(Uint8Array.from(bytes, (c) => c.charCodeAt(0))));
    return typeof sub === 'string' ? sub : undefined;
  } catch {
    return undefined;
  }
}

/* Short and the same everywhere (FNV-1a, 64 bits): names of workers and locks are no secrets. */
function hashOf(text) {
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  }
  return hash.toString(36);
}

/* Where a click on a notification leads: { url, label, host }, or null. By convention a sender says it
 * with ACTION {"label":…,"url":…}, perhaps with "type":"open"; other types are the application's own.
 * Whoever sends may write what they like: only addresses of the web are opened. host: of another site. */
function linkOf(action, base) {
  if (action === null || typeof action !== 'object' || ![undefined, 'open'].includes(action.type)) return null;
  const { url: address, label } = action;
  if (typeof address !== 'string' || address === '') return null;
  try {
    const here = new URL(base);
    const url = new URL(address, here);
    if (url.protocol !== 'https:' && url.protocol !== 'http:') return null;
    const host = url.origin === here.origin ? '' : url.host;
    return { url: url.href, label: typeof label === 'string' ? label : '', host };
  } catch {
    return null;
  }
}
