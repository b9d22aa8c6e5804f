/* The page for who runs the bridge: asks /admin/state every two seconds, keeps the last five
 * minutes, and shows them. Texts of others (keys, users, sessions) are put in as text alone: there
 * is no sink for HTML in this file, and the page's policy allows none. */
(function () {
  'use strict';

  const EVERY_MS = 2000;
  const REFUSED_MS = 60000; // whoever was refused asks again when there is another token, and seldom without one
  const KEPT = 150;
  const SVG = 'http://www.w3.org/2000/svg';
  const at = id => document.getElementById(id);
  const samples = [];
  const tablesTold = new Map(); // by their ids, what each shows
  let token = sessionStorage.getItem('notify-admin-token') || '';
  let shownUser = '';

  /* ---- asking */

  async function ask(path, body) {
    const headers = {};
    if (token) headers.Authorization = 'Bearer ' + token;
    if (body) headers['Content-Type'] = 'application/json';
    const answer = await fetch(path, {
      method: body ? 'POST' : 'GET', headers, cache: 'no-store', credentials: 'same-origin',
      body: body ? JSON.stringify(body) : undefined, signal: AbortSignal.timeout(10000),
    });
    const said = await answer.json().catch(() => ({}));
    if (answer.ok) return said;
    const error = new Error(said.error ? said.error.message : 'status ' + answer.status);
    error.status = answer.status;
    throw error;
  }

  /* ---- numbers as text */

  const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
  const short = new Intl.NumberFormat('en', { maximumFractionDigits: 1, notation: 'compact' });
  const number = n => (n < 10000 ? whole : short).format(n);
  const rate = n => (n < 10 ? n.toFixed(1) : number(n)) + '/s';
  const bytes = n => {
    const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
    let i = 0;
    for (; n >= 1024 && i < units.length - 1; i++) n /= 1024;
    return (i === 0 ? whole.format(n) : n.toFixed(1)) + ' ' + units[i];
  };
  const micros = us => us === null ? '–' : us < 1000 ? Math.round(us) + ' µs' : us < 1e6 ? (us / 1000).toFixed(1) + ' ms' : (us / 1e6).toFixed(1) + ' s';

  /* ---- elements */

  function element(name, text, className) {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  }

  function put(parent, ...children) {
    parent.replaceChildren(...children);
  }

  /* What is shown already is left alone: somebody may be reading it to the end, or about to copy it. */
  function tell(id, text) {
    if (at(id).textContent !== text) at(id).textContent = text;
  }

  const textOf = value => value instanceof Node ? value.textContent + value.className : String(value);

  /* heads: names, those that end in "#" are numbers. rows: arrays of texts, numbers or elements. */
  function table(id, heads, rows, empty) {
    const told = JSON.stringify([heads, rows.map(row => row.map(textOf)), empty]);
    if (tablesTold.get(id) === told) return;
    tablesTold.set(id, told);
    const numeric = heads.map(head => head.endsWith('#'));
    const head = element('tr');
    heads.forEach((name, i) => {
      const cell = element('th', name.replace(/#$/, ''), numeric[i] ? 'number' : '');
      cell.scope = 'col';
      head.append(cell);
    });
    const lines = rows.map(row => {
      const line = element('tr');
      row.forEach((value, i) => {
        const cell = element('td', undefined, numeric[i] ? 'number' : '');
        cell.append(value instanceof Node ? value : String(value));
        line.append(cell);
      });
      return line;
    });
    if (rows.length === 0) {
      const line = element('tr'), cell = element('td', empty || 'None.');
      cell.colSpan = heads.length;
      line.append(cell);
      lines.push(line);
    }
    const top = element('thead'), body = element('tbody');
    top.append(head);
    body.append(...lines);
    put(at(id), top, body);
  }

  const state = (text, good) => element('span', text, good ? 'good' : 'bad');
  const upOrDown = value => state(value ? 'up' : 'down', value);

  /* ---- what is worked out of two answers */

  function quantile(now, before, q) {
    const counts = now.counts.map((n, i) => Math.max(0, n - (before ? before.counts[i] : 0)));
    const all = counts.reduce((sum, n) => sum + n, 0);
    if (all === 0) return null;
    let left = q * all;
    for (let i = 0; i < counts.length; i++) {
      if (left > counts[i]) { left -= counts[i]; continue; }
      const low = i === 0 ? 0 : now.bounds[i - 1];
      const high = i < now.bounds.length ? now.bounds[i] : now.bounds[now.bounds.length - 1];
      return low + (high - low) * (counts[i] === 0 ? 0 : left / counts[i]);
    }
    return now.bounds[now.bounds.length - 1];
  }

  function sampleOf(now, before) {
    const c = now.counters, old = before ? before.counters : c;
    const seconds = before ? Math.max(0.1, (now.time_ms - before.time_ms) / 1000) : 1;
    const grown = name => Math.max(0, c[name] - old[name]) / seconds;
    const latency = q => quantile(now.histograms_us.notify_delivery_seconds, before && before.histograms_us.notify_delivery_seconds, q);
    return {
      connections: c['notify_connections{transport="websocket"}'] + c['notify_connections{transport="sse"}'] + c['notify_connections{transport="polling"}'],
      delivered: grown('notify_events_delivered_total'), received: grown('notify_messages_received_total'),
      opened: grown('notify_clients_opened_total'), p50: latency(0.5), p99: latency(0.99),
      memory: c.notify_memory_resident_bytes, cpu: grown('notify_cpu_seconds_total') / 1e4,
      trip: quantile(now.histograms_us.notify_redis_round_trip_seconds, before && before.histograms_us.notify_redis_round_trip_seconds, 0.99),
    };
  }

  /* ---- charts */

  function path(values, top) {
    let d = '', pen = false;
    values.forEach((value, i) => {
      if (value === null) { pen = false; return; }
      const x = (KEPT - values.length + i) * (300 / (KEPT - 1)), y = 58 - 52 * (top > 0 ? value / top : 0);
      d += (pen ? 'L' : 'M') + x.toFixed(1) + ' ' + y.toFixed(1);
      pen = true;
    });
    return d;
  }

  const charts = [
    ['Connections', ['connections'], number], ['Deliveries', ['delivered'], rate],
    ['Messages of clients', ['received'], rate], ['Age of a delivery, half and 99 %', ['p50', 'p99'], micros],
    ['Round trip to Redis, 99 %', ['trip'], micros], ['Memory', ['memory'], bytes],
    ['CPU', ['cpu'], n => n.toFixed(1) + ' %'],
  ].map(([title, members, format]) => {
    const figure = element('figure'), caption = element('figcaption'), value = element('b', '–');
    const svg = document.createElementNS(SVG, 'svg');
    svg.setAttribute('viewBox', '0 0 300 64');
    svg.setAttribute('preserveAspectRatio', 'none');
    svg.setAttribute('aria-hidden', 'true');
    const lines = members.map((member, i) => {
      const line = document.createElementNS(SVG, 'path');
      if (i > 0) line.setAttribute('class', 'second');
      svg.append(line);
      return line;
    });
    caption.append(element('span', title), value);
    figure.append(caption, svg);
    at('charts').append(figure);
    return () => {
      const last = samples[samples.length - 1];
      const top = Math.max(0, ...members.flatMap(member => samples.map(one => one[member] === null ? 0 : one[member])));
      members.forEach((member, i) => lines[i].setAttribute('d', path(samples.map(one => one[member]), top)));
      value.textContent = members.map(member => last[member] === null ? '–' : format(last[member])).join(' · ');
    };
  });

  /* ---- the state */

  function tiles(rows) {
    put(at('tiles'), ...rows.map(([name, value]) => {
      const tile = element('div');
      tile.append(element('dt', name), element('dd', value));
      return tile;
    }));
  }

  function showState(now) {
    const c = now.counters, last = samples[samples.length - 1];
    tiles([
      ['WebSockets', number(c['notify_connections{transport="websocket"}'])],
      ['Streams of events', number(c['notify_connections{transport="sse"}'])],
      ['Polling', number(c['notify_connections{transport="polling"}'])],
      ['Keys followed', number(c.notify_channels)], ['Deliveries', rate(last.delivered)],
      ['Connects', rate(last.opened)], ['Age of a delivery, 99 %', micros(last.p99)],
      ['Memory', bytes(last.memory)],
      ['Sockets of at most', number(c.notify_sockets) + ' / ' + number(c.notify_sockets_max)],
    ]);
    charts.forEach(draw => draw());
    table('workers', ['Worker', 'State', 'WebSockets#', 'Streams#', 'Polling#', 'Keys#', 'Delivered#', 'Memory#', 'CPU time#'], now.workers.map(one => [
      one.worker, state(one.state, one.state === 'ready'), number(one.websockets), number(one.streams), number(one.polling),
      number(one.channels), number(one.delivered), bytes(one.resident_bytes), (one.cpu_us / 1e6).toFixed(1) + ' s',
    ]));
    const n = now.workers.length;
    table('redis', ['What', 'How it is'], [
      ['Link that hears', upOrDown(c['notify_redis_link_up{link="subscriber"}'] === n)],
      ['Link that asks', upOrDown(c['notify_redis_link_up{link="commands"}'] === n)],
      ['Module', upOrDown(c.notify_module_up === n)], ['Keys of tokens', upOrDown(c.notify_tokens_up === n)],
      ['Round trip, 99 %', micros(last.trip)], ['Commands in line', number(c.notify_commands_in_line)],
      ['Read ahead', bytes(c.notify_read_ahead_bytes)], ['Gaps that were repaired', number(c.notify_gaps_repaired_total)],
      ['Messages that were doubted', number(c.notify_events_doubted_total)],
    ]);
    table('limits', ['What', 'How often#'], Object.entries(c)
      .filter(([name, value]) => value > 0 && /^notify_(limit_hits|errors|events_lost|restarts|loop_slow_turns|tokens_refused)_?\w*total/.test(name))
      .sort((a, b) => b[1] - a[1]).slice(0, 40)
      .map(([name, value]) => [name.replace(/^notify_/, '').replace(/_total/, ''), number(value)]), 'None so far.');
    table('topics', ['Key', 'Followers#'], now.topics.map(one => [one.key, number(one.followers)]), 'Nobody follows anything.');
    tell('topics-note', (n > 1 ? 'Of worker ' + now.worker + ', which has answered. ' : '') +
      (now.topics_whole ? '' : 'Not all keys were looked at: there are very many.'));
    tell('status', (now.node ? 'Node ' + now.node + ', ' : '') + n + (n === 1 ? ' worker, ' : ' workers, ') +
      (now.workers.every(one => one.state === 'ready') ? 'ready' : 'not ready'));
    if (now.statistics) showPeople(now);
  }

  function showPeople(now) {
    table('people', ['User', 'Session', 'Connections#', 'Action'], now.statistics.list.slice(0, 500).map(one => {
      const button = element('button', 'Look');
      button.type = 'button';
      button.addEventListener('click', () => {
        at('user').value = one.user_id;
        lookAt(one.user_id).then(goToUser);
      });
      return [one.user_id, one.session_id, number(one.connections), button];
    }), 'Nobody.');
    at('people-note').textContent = (now.workers.length > 1 ? 'Of worker ' + now.worker + '. ' : '') +
      (now.statistics.more || now.statistics.list.length > 500 ? 'There are more than these.' : '');
  }

  let before = null, timer = 0;

  async function refresh(list) {
    clearTimeout(timer);
    let wait = document.hidden ? 5 * EVERY_MS : EVERY_MS;
    try {
      const now = await ask('/admin/state' + (list ? '?list=true' : ''));
      if (before && before.worker === now.worker && now.time_ms <= before.time_ms) return;
      samples.push(sampleOf(now, before));
      if (samples.length > KEPT) samples.shift();
      before = now;
      at('access').hidden = true;
      showState(now);
    } catch (error) {
      tell('status', 'Not told: ' + error.message);
      if (error.status !== 401 && error.status !== 403) return;
      at('access').hidden = false;
      wait = REFUSED_MS;
    } finally {
      clearTimeout(timer);
      timer = setTimeout(refresh, wait);
    }
  }

  /* ---- a user */

  function why(user) {
    if (!user.box) return user.faults.box ? 'The inbox could not be told: ' + user.faults.box : 'Has no inbox in Redis yet.';
    const logs = user.logs.filter(one => one.unread > 0), untold = user.logs.filter(one => one.unread === undefined).length;
    const isWhole = untold === 0 && user.logs_whole !== false;
    const all = user.box.unread + logs.reduce((sum, one) => sum + one.unread, 0);
    const muted = user.box.categories.filter(one => one.muted).map(one => one.category || 'without a category');
    return 'Unread: ' + (isWhole ? '' : 'at least ') + all + ' = ' + user.box.unread + ' of the inbox' + logs.map(one => ' + ' + one.unread + ' of ' + one.log).join('') +
      (isWhole ? '' : untold > 0 ? ', and what was not told of ' + untold + ' logs' : ', and of logs that are not listed') +
      '. Not counted: what is read, archived, expired' + (muted.length ? ', or of a muted category (' + muted.join(', ') + ')' : '') + '. ' +
      (!user.recount ? '' : user.recount.sound ? 'A recount of the inbox agrees.' : 'A recount of the inbox DISAGREES: it found ' + user.recount.unread + '. That is a bug worth a report.');
  }

  function kickButton(user, session) {
    const button = element('button', 'Kick');
    button.type = 'button';
    button.addEventListener('click', () => act('/admin/kick', { user_id: user, session_id: session }, said => said.changed + ' kicked.'));
    return button;
  }

  function showUser(user) {
    shownUser = user.user_id;
    at('user-shown').hidden = false;
    at('user-name').textContent = user.user_id;
    at('user-why').textContent = why(user);
    const sessions = user.sessions || [];
    table('sessions', ['Session', 'Connection', 'Node', 'Address', 'Since', 'Action'], sessions.map(one => [
      one.session, one.connection, one.node || '', one.addr || '', new Date(one.opened_at).toLocaleString(), kickButton(user.user_id, one.session),
    ]), user.keeps_sessions ? user.faults.connections || user.faults.sessions ? 'They could not be told.' : user.connections ? 'There are ' + user.connections + ' connections: too many to list.' : 'Not connected.' : 'This bridge keeps no sessions (--session-lease).');
    at('kick-all').disabled = !user.keeps_sessions;
    table('categories', ['Category', 'Entries#', 'Unread#', 'State'], user.box ? user.box.categories.map(one => [one.category || '–', number(one.length), number(one.unread), one.muted ? 'muted' : '']) : []);
    table('logs', ['Log', 'Unread#', 'Counts from', 'Read up to', 'Seen up to', 'Read besides#', 'Unread again#', 'Archived#'], user.logs.map(one => [
      one.log, one.unread === undefined ? '?' : number(one.unread), one.start, one.read, one.seen, one.read_ids, one.unread_ids, one.archived_ids,
    ]), 'None.');
    table('box', ['What', 'Value'], [['key', user.key]].concat(user.box ? Object.entries(user.box).filter(([, value]) => typeof value !== 'object' && typeof value !== 'boolean') : [])
      .concat(Object.entries(user.faults).map(([name, text]) => [name + ' could not be told', text])));
  }

  let looks = 0; // that were begun: what an earlier one brings is not shown any more

  async function lookAt(name) {
    const look = ++looks;
    tell('user-note', '');
    try {
      const user = await ask('/admin/user?user_id=' + encodeURIComponent(name));
      if (look === looks) showUser(user);
    } catch (error) {
      if (look !== looks) return;
      at('user-shown').hidden = true;
      tell('user-note', 'Not told: ' + error.message);
    }
  }

  /* For whoever has pressed something further up, or something that has gone by that. */
  function goToUser() {
    if (!at('user-shown').hidden) at('user-name').focus();
  }

  async function act(path, body, told) {
    const name = shownUser;
    try {
      const said = told(await ask(path, body));
      if (shownUser === name) await lookAt(name);
      tell('user-note', shownUser === name ? said : name + ': ' + said);
      if (document.activeElement === document.body) goToUser();
    } catch (error) {
      tell('user-note', 'Not done: ' + error.message);
    }
  }

  function on(id, event, fn) {
    at(id).addEventListener(event, given => { given.preventDefault(); fn(); });
  }

  on('access', 'submit', () => {
    token = at('token').value.trim();
    sessionStorage.setItem('notify-admin-token', token);
    at('token').value = '';
    refresh();
  });
  on('find', 'submit', () => { if (at('user').value) lookAt(at('user').value); });
  on('send', 'submit', () => act('/admin/send', { user_id: shownUser, title: at('title').value, level: at('level').value }, said => 'Sent: ' + said.id + '.'));
  on('kick-all', 'click', () => act('/admin/kick', { user_id: shownUser }, said => said.changed + ' kicked.'));
  on('people-show', 'click', () => refresh(true));
  document.addEventListener('visibilitychange', () => { if (!document.hidden) refresh(); });
  refresh();
})();
