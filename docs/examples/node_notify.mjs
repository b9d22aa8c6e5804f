/* Node.js, without any package: a token, and a notification over HTTP (docs/rest.md), once however often it is tried.
 *
 *     NOTIFY_URL=http://127.0.0.1:8080 NOTIFY_SECRET=… node node_notify.mjs alice "Invoice paid"
 *
 * The application's own token needs the right to send: publish, or a role with `send *`. With a Redis client instead:
 * redis.sendCommand(['NOTIFY.SEND', `inbox:${user}`, title]). */

import { createHmac, randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';

const b64 = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

export function token(sub, { secret = process.env.NOTIFY_SECRET, seconds = 300, ...claims } = {}) {
  const text = `${b64({ alg: 'HS256' })}.${b64({ sub, exp: Math.floor(Date.now() / 1000) + seconds, ...claims })}`;
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}

export async function notify(user, title, { key = randomUUID(), ...more } = {}) {
  const answer = await fetch(`${process.env.NOTIFY_URL}/api/v1/notifications`, {
    method: 'POST',
    headers: {
      Authorization: `Bearer ${token('application', { roles: ['application'] })}`,
      'Content-Type': 'application/json',
      'Idempotency-Key': key,
    },
    body: JSON.stringify({ user_id: user, title, ...more }),
  });
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  return answer.json();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [user, title] = process.argv.slice(2);
  console.log(JSON.stringify({ ...(await notify(user, title)), token: token(user) }));
}
