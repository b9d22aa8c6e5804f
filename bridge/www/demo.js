/* The page for the first minutes (development mode): sends, kills the bridge, and has lines to copy. Where
 * Redis is the address says, as ./dev run has made it: /demo#redis=6390. */
(function () {
  'use strict';

  const at = id => document.getElementById(id);
  const redisPort = /redis=(\d{1,5})/.exec(location.hash)?.[1] || '6390';

  function on(id, event, fn) {
    at(id).addEventListener(event, given => { given.preventDefault(); fn(); });
  }

  async function post(path, body) {
    const answer = await fetch(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
    const said = await answer.json();
    if (!answer.ok) throw Object.assign(new Error(said.error.message), { status: answer.status });
    return said;
  }

  async function send() {
    const user = at('to').value;
    const to = user ? { user_id: user } : { broadcast: true };
    try {
      const { id } = await post('/api/v1/notifications?user=demo', { ...to, title: at('title').value, level: at('level').value });
      at('said').textContent = 'Sent: ' + id;
    } catch (error) {
      at('said').textContent = 'Not sent: ' + error.message;
    }
  }

  const pause = ms => new Promise(done => setTimeout(done, ms));

  async function isReady() {
    try {
      return (await fetch('/readyz', { cache: 'no-store' })).ok;
    } catch {
      return false;
    }
  }

  async function kill() {
    at('kill').disabled = true;
    try {
      const { killed } = await post('/demo/kill', {});
      const began = performance.now();
      at('killed').textContent = killed + ' processes were killed …';
      do await pause(50); while (!(await isReady()));
      at('killed').textContent = killed + ' processes were killed, and the bridge was back after ' + Math.round(performance.now() - began) + ' ms.';
    } catch (error) {
      const why = error.status === 409 ? '. Nobody would start it again: ./dev run has two workers.' : '.';
      at('killed').textContent = 'Not killed: ' + error.message + why;
    } finally {
      at('kill').disabled = false;
    }
  }

  /* False: there is no clipboard for this page. */
  async function write(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      return false;
    }
  }

  function line(text) {
    const row = document.createElement('li'), code = document.createElement('code'), copy = document.createElement('button');
    code.textContent = text;
    copy.type = 'button';
    copy.textContent = 'Copy';
    copy.setAttribute('aria-label', 'Copy: ' + text);
    copy.addEventListener('click', async () => {
      copy.textContent = await write(text) ? 'Copied' : 'Not allowed';
      await pause(1500);
      copy.textContent = 'Copy';
    });
    row.append(code, copy);
    return row;
  }

  // Two regions of one page are told apart by their names.
  for (const inbox of document.querySelectorAll('notify-inbox')) inbox.strings = { title: 'Notifications of ' + inbox.getAttribute('user') };

  const cli = 'redis-cli -p ' + redisPort + ' ';
  at('lines').append(...[
    cli + 'NOTIFY.SEND inbox:alice "Build finished" CATEGORY ci LEVEL success',
    cli + 'NOTIFY.SEND topic:all "Maintenance on Sunday" LEVEL warning',
    cli + 'NOTIFY.UNREAD inbox:alice LOGS 1 topic:all',
    cli + 'NOTIFY.READALL inbox:alice',
    `curl -s '${location.origin}/api/v1/notifications?user=demo' -H 'Content-Type: application/json' -d '{"user_id":"bob","title":"From curl"}'`,
    './dev demo',
  ].map(line));

  on('send', 'submit', send);
  on('kill', 'click', kill);
})();
