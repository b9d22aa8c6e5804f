/* A cockpit's page of contract D: what somebody writes for a browser who has read the older system's document, and nothing of ours.
 * It is a page of another origin than the service's (CORS_ORIGINS).
 *
 * What a page is given: `service` (HOST:PORT), `token`, `sessionId`; `tell(name, …)` says what the page was told. */

class Session {
  constructor(given = token, id = sessionId) {
    this.waiting = [];
    this.socket = new WebSocket(`ws://${service}/api/v1/ws/${id}?token=${given}`);
    this.socket.onmessage = (event) => this.take(JSON.parse(event.data));
    this.closed = new Promise((resolve) => { this.socket.onclose = (event) => resolve(event.code); });
  }

  take(message) {
    switch (message.type) {
      case 'connection_established': tell('connection_established', message.data); break;
      case 'pong': tell('pong', message.timestamp); break;
      case 'message': tell('message', message.data); break;
      case 'notification': tell('notification', message.data, message.timestamp); break;
      case 'error': tell('error', message.error); break;
      default: tell('other', message); return;
    }
    this.waiting = this.waiting.filter(({ type, resolve }) => type !== message.type || resolve());
  }

  next(type) {
    return new Promise((resolve) => { this.waiting.push({ type, resolve }); });
  }

  /* Sends something, and waits for what it is answered by. */
  async say(what, answer) {
    const told = this.next(answer);
    this.socket.send(typeof what === 'string' || what instanceof Uint8Array ? what : JSON.stringify(what));
    await told;
  }
}

async function call(method, path, { bearer = token } = {}) {
  const headers = bearer === null ? {} : { Authorization: `Bearer ${bearer}` };
  const response = await fetch(`http://${service}/api/v1${path}`, { method, headers });
  const text = await response.text();
  const body = text === '' ? null : JSON.parse(text);
  tell('call', method, path, response.status, body);
  return body;
}

async function notifications() {
  const { items: [item] } = await call('GET', '/notifications?page=1&page_size=20&unread_only=true&notification_type=task_created');
  await call('GET', '/notifications/unread/count');
  await call('PATCH', `/notifications/${item.id}/read`);
  await call('POST', '/notifications/read-all');
  await call('GET', '/notifications/unread/count');
  await call('DELETE', `/notifications/${item.id}`);
  await call('DELETE', `/notifications/${item.id}`);
  await call('PATCH', '/notifications/not-a-uuid/read');
  await call('GET', '/notifications?page=0');
  await call('GET', '/notifications', { bearer: null });
  await call('GET', '/notifications', { bearer: `${token}x` });
}

const session = new Session();
await session.next('connection_established');
await session.say({ type: 'ping' }, 'pong');
await session.say({ type: 'message', message: 'Hi' }, 'message');
for (const wrong of ['not json', '[]', { type: 'nonsense' }, { type: 'message' }, { type: 'message', message: 7 }, {}])
  await session.say(wrong, 'error');
await session.say({ type: 'ping' }, 'pong');

const shown = session.next('notification');
tell('ready');
await shown;
await notifications();

tell('closed', 'bad token', await new Session('x.y.z').closed);
const more = [];
for (let n = 0; n < 4; n++) {
  more.push(new Session());
  await more[n].next('connection_established');
}
tell('closed', 'sixth', await new Session().closed);
more[0].socket.send(new Uint8Array([1, 2]));
tell('closed', 'binary', await more[0].closed);
more[1].socket.close(1000);
tell('closed', 'by itself', await more[1].closed);
await session.say({ type: 'ping' }, 'pong');
