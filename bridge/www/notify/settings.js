/* settings -- limits, defaults, and the tables that the other parts are ruled by. */

const LIMITS = Object.freeze({
  heldMessages: 10000, // per key, while its missed messages are still on their way
  restartDelayMs: 60000, // the longest pause that a restarting bridge may ask for
  unopened: 6, // attempts in a row that do not open: then that is said
  wakeMs: 1000, // between two attempts, or two trials of the link, because somebody looks at the page
  wakeReplyMs: 3000, // and how long the bridge then has for its answer
  keys: 1024, // positions that are remembered; the one that moved longest ago goes first
  timerMs: 2 ** 31 - 1, // the longest time that a timer takes; later is asked about then
  logRecountMs: 5000, // in which those who follow a log ask anew for what it counts
  recentIds: 32, // per key, by which a repetition is told from a box that begins anew
  correctionMs: 1000, // by which a clock may be set back as if that were nothing
  sleepMs: 90000, // a timer that is later than this: the machine has slept
  blocked: 2, // attempts by WebSocket in a row that bring no greeting: then by event stream
  probeMs: 60000, // until WebSocket is tried again beside a stream; it doubles …
  probeMaxMs: 600000, // … up to this
  workerMs: 5000, // in which a shared worker has to answer, or it is none
  hubMs: 10000, // of silence, after which a tab asks whether its hub is there
  hubReplyMs: 3000, // and how long that has to answer
  tokenMs: 5000, // in which a tab has to come up with a token; then another one is asked, too
  recentMessages: 1000, // which a hub keeps for tabs that were away for a moment
  page: 100, // entries that one request can ask for
  reload: 500, // entries of a list that are asked for again at once; what is older is dropped, and so it is when
  // what comes makes a list longer than this, and than what somebody has asked for
  chatPauseMs: 5000, // between two attempts to go on with an answer, at most
  chatAwayMs: 60000, // of silence, after which none is made any more
  countMs: 1000, // after a change, until a list asks for what only unread_count tells
  patience: 6, // times requestMs that an answer is waited for while other messages come
  drawMs: 16, // in which a burst of messages becomes one change of a list
});

const DEFAULTS = Object.freeze({
  user: undefined, // ?user= (a bridge with auth=none only)
  token: undefined, // a string, or a function that returns one (or a promise of one) per connection
  clientId: undefined, // /ws/<clientId>; the bridge makes one up otherwise
  topics: [], // subscribed from the first connection on
  broadcast: ['all'], // topics that every client of this bridge follows anyway
  inboxKey: 'inbox:%s', // as the bridge's options of the same names
  topicKey: 'topic:%s',
  storage: null, // e.g. sessionStorage: positions survive a reload of the page
  share: false, // one connection for all tabs: true, or the best there may be: 'shared', 'leader', 'own'
  worker: undefined, // the address of this file for a shared worker; where it came from otherwise
  stream: true, // where no WebSocket gets through, by event stream
  recountMs: 500, // the time in which a message may settle a doubt about the badge by itself
  backoffMs: 500, // the first pause is a random part of this; it doubles with every failure …
  backoffMaxMs: 30000, // … up to this
  stableMs: 5000, // a connection that lived this long resets the back-off
  connectMs: 10000, // from opening the socket to the greeting
  requestMs: 10000, // from a request to its answer
  heartbeatMs: 25000, // silence after which the link is tried
  heartbeatReplyMs: 8000, // and how long the bridge has for its answer
  WebSocket: undefined, // another implementation; the platform's own otherwise
  fetch: undefined, // likewise; without one of its own, another WebSocket has no stream to fall back on
  clock: undefined, // { now, setTimeout, clearTimeout, random }: for tests
  platform: undefined, // { locks, BroadcastChannel, SharedWorker }: likewise
});

/* Close codes after which trying again is no use: the application has to do something first. */
const FINAL_CLOSE_CODES = new Map([
  [4400, 'not understood'],
  [4401, 'not authenticated'],
  [4403, 'forbidden'],
  [4409, 'too many connections'],
  [4410, 'kicked'],
]);
const CLOSE_UNAUTHORIZED = 4401;
const CLOSE_RESTART = 1012;
const CLOSE_GOING_AWAY = 1001;
const CLOSE_ABNORMAL = 1006;

const NO_GREETING = 'no greeting';

/* A browser does not say why a connection did not open. */
const UNOPENED_REASON =
  'no connection opens: the bridge is away, or refuses this page (its path, its origin, too many from one ' +
  'address); its log says which';

/* The page may have slept, or somebody is looking at it again: no reason to sit out a pause, and the
 * link may have died meanwhile. */
const WAKING_EVENTS = [
  ['window', 'online'],
  ['window', 'pageshow'],
  ['window', 'focus'],
  ['document', 'visibilitychange'],
  ['document', 'resume'],
];

/* A stream is refused by a status. With a body of the bridge's it is meant so; any proxy may say 403. */
const CLOSE_CODES_BY_STATUS = new Map([
  [400, 4400],
  [401, CLOSE_UNAUTHORIZED],
  [403, 4403],
  [429, 4409],
]);

/* Events of the library itself. A message from Redis may have any name: one of these it could not
 * take over, and is to be had from '*' only. */
const OWN_EVENTS = new Set(
  ['*', 'status', 'ready', 'badge', 'counts', 'gap', 'resumed', 'stopped', 'unreachable', 'frame', 'error'],
);

/* Requests that change the inbox; their answers say how many are unread then. */
const CHANGES = new Set(
  ['mark_read', 'mark_unread', 'mark_all_read', 'mark_seen', 'archive', 'unarchive', 'delete_notification', 'mute',
    'unmute', 'action_done'],
);

/* Worth another try on the same connection: Redis was away, the answer got stuck behind it, or it was
 * one request too many in a second. */
const PASSING_ERRORS = new Set(['UNAVAILABLE', 'TIMEOUT', 'RATE_LIMITED']);

/* No answer will come. If the connection is still the same, a plain request beside a stream got lost, or the socket
 * is closing and there will be another one soon. */
const LINK_ERRORS = new Set(['DISCONNECTED', 'NOT_CONNECTED']);

/* Tabs whose files do not understand each other have hubs of their own: +1 with every change of what
 * they say to each other. */
const HUB_VERSION = 3;

/* What tabs share connections by; where something is missing, it is undefined. */
function platformOf(given) {
  const { navigator: { locks } = {}, BroadcastChannel, SharedWorker } = globalThis;
  return { locks, BroadcastChannel, SharedWorker, ...given };
}

const PLATFORM_CLOCK = {
  now: () => Date.now(),
  setTimeout: (fn, ms) => setTimeout(fn, ms),
  clearTimeout: (timer) => clearTimeout(timer),
  random: () => Math.random(),
};
