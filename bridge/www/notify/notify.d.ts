/* notify.d.ts -- what notify.js is to a compiler. The words are explained in docs/client.md. */

export = NotifyClient;

declare class NotifyClient {
  constructor(url?: string, options?: NotifyClient.Options);
  /** A client that is already connecting. */
  static connect(url?: string, options?: NotifyClient.Options): NotifyClient;

  readonly status: NotifyClient.Status;
  /** Where the connection is: in a worker, in one of the tabs, in this page. */
  readonly mode: NotifyClient.Mode | null;
  readonly link: 'websocket' | 'stream' | null;
  readonly clientId: string | undefined;
  readonly userId: string | undefined;
  readonly inboxKey: string | undefined;
  /** The inbox's own unread count; null before the first answer. */
  readonly unread: number | null;
  /** The same with the logs that the inbox follows: what a badge shows. */
  readonly total: number | null;
  /** The keys of these logs. */
  readonly logs: string[];
  readonly topics: string[];
  readonly channels: string[];
  position(key: string): NotifyClient.Id | undefined;
  /** Milliseconds since 1970 by the bridge's clock. */
  serverNow(): number;

  open(): void;
  close(): void;

  /** Returns a function that takes the listener away again. */
  on<T extends keyof NotifyClient.Events>(type: T, listener: (event: NotifyClient.Events[T]) => void): () => void;
  on(type: string, listener: (message: NotifyClient.Message) => void): () => void;
  once<T extends keyof NotifyClient.Events>(type: T, listener: (event: NotifyClient.Events[T]) => void): () => void;
  once(type: string, listener: (message: NotifyClient.Message) => void): () => void;
  off<T extends keyof NotifyClient.Events>(type: T, listener: (event: NotifyClient.Events[T]) => void): void;
  off(type: string, listener: (message: NotifyClient.Message) => void): void;

  request<Answer = NotifyClient.Message>(
    type: string,
    fields?: Record<string, unknown>,
    options?: { timeoutMs?: number },
  ): Promise<Answer>;
  subscribe(what: string | NotifyClient.Channel, options?: NotifyClient.From): Promise<NotifyClient.Subscription>;
  unsubscribe(what: string | NotifyClient.Channel): Promise<NotifyClient.Subscription>;

  /** Asks the agent; it begins when the first event is asked for. Throws what ends it without an `end`. */
  chat(message: string, options?: NotifyClient.ChatOptions): AsyncGenerator<NotifyClient.ChatEvent, void, void>;

  /** The inbox as a list that is always right. */
  inbox(options?: NotifyClient.InboxOptions & { events?: false }): NotifyClient.Inbox;
  inbox(options: NotifyClient.InboxOptions): NotifyClient.Inbox<NotifyClient.Item | NotifyClient.EventItem>;

  history(fields?: NotifyClient.HistoryFields): Promise<NotifyClient.Page>;
  markRead(ids: NotifyClient.Ids, fields?: NotifyClient.OfLog): Promise<NotifyClient.Changed>;
  markUnread(ids: NotifyClient.Ids, fields?: NotifyClient.OfLog): Promise<NotifyClient.Changed>;
  markAllRead(fields?: { upto?: NotifyClient.Id; category?: string } & NotifyClient.OfLog): Promise<NotifyClient.Changed>;
  markSeen(fields?: { upto?: NotifyClient.Id } & NotifyClient.OfLog): Promise<NotifyClient.Changed>;
  archive(ids: NotifyClient.Ids, fields?: NotifyClient.OfLog): Promise<NotifyClient.Changed>;
  unarchive(ids: NotifyClient.Ids, fields?: NotifyClient.OfLog): Promise<NotifyClient.Changed>;
  remove(ids: NotifyClient.Ids, fields?: NotifyClient.OfLog): Promise<NotifyClient.Changed>;
  mute(category: string): Promise<NotifyClient.Changed>;
  unmute(category: string): Promise<NotifyClient.Changed>;
  categories(): Promise<{ muted: string[] | null; permitted: string[] | null; present: string[] | null }>;
  actionDone(id: NotifyClient.Id, fields?: { name?: string } & NotifyClient.OfLog): Promise<NotifyClient.Changed>;
  unreadCount(): Promise<NotifyClient.Counts>;
  publish(notification: NotifyClient.NewNotification): Promise<{ id: NotifyClient.Id }>;
  /** Milliseconds to the bridge and back. */
  heartbeat(): Promise<number>;

  static readonly LIMITS: Readonly<Record<string, number>>;
  static readonly DEFAULTS: Readonly<NotifyClient.Options>;
  static readonly pure: {
    compareIds(a: NotifyClient.Id, b: NotifyClient.Id): -1 | 0 | 1;
    isId(value: unknown): value is NotifyClient.Id;
    parsePosition(text: unknown): { id: NotifyClient.Id; epoch: number | undefined } | null;
    formatPosition(id: NotifyClient.Id, epoch?: number): NotifyClient.Position;
    backoffDelay(attempt: number, baseMs: number, maxMs: number, random: () => number): number;
    restartDelay(code: number, reason?: string): number | null;
    connectUrl(url: string | undefined, base: string | undefined, options: NotifyClient.Options, token?: string): string;
    apiUrl(url: string | undefined, base?: string): string | null;
    keyOf(pattern: string, name: string): string;
    subjectOf(token: string): string | undefined;
    linkOf(action: unknown, base: string): NotifyClient.Link | null;
    /** Whether what a message says has become of entries is about this one. */
    isAbout(message: NotifyClient.Message, entry: NotifyClient.Item): boolean;
  };
}

declare namespace NotifyClient {
  /** `<ms>-<seq>` */
  type Id = string;
  /** An id, or `<id>@@<epoch>` */
  type Position = string;
  type Ids = Id | readonly Id[];
  type Level = 'info' | 'success' | 'warning' | 'error' | 'critical';
  type Status = 'connecting' | 'connected' | 'waiting' | 'stopped' | 'closed';
  type Mode = 'shared' | 'leader' | 'own';

  interface Options {
    user?: string;
    token?: string | (() => string | Promise<string>);
    clientId?: string;
    topics?: readonly string[];
    broadcast?: readonly string[];
    inboxKey?: string;
    topicKey?: string;
    storage?: Pick<Storage, 'getItem' | 'setItem'> | null;
    share?: boolean | Mode;
    worker?: string;
    stream?: boolean;
    recountMs?: number;
    backoffMs?: number;
    backoffMaxMs?: number;
    stableMs?: number;
    connectMs?: number;
    requestMs?: number;
    heartbeatMs?: number;
    heartbeatReplyMs?: number;
    WebSocket?: new (url: string) => WebSocket;
    fetch?: typeof globalThis.fetch;
    clock?: Partial<Clock>;
    platform?: Partial<Platform>;
  }

  interface Clock {
    now(): number;
    setTimeout(fn: () => void, ms: number): unknown;
    clearTimeout(timer: unknown): void;
    random(): number;
  }

  /** What tabs share connections by. */
  interface Platform {
    locks: LockManager | undefined;
    BroadcastChannel: typeof globalThis.BroadcastChannel;
    SharedWorker: typeof globalThis.SharedWorker;
  }

  /** What is stored of a notification. */
  interface Notification<Data = unknown> {
    readonly id: Id;
    readonly title: string;
    readonly content: string | null;
    readonly notification_type: string | null;
    readonly category: string | null;
    readonly level: Level;
    readonly action: unknown;
    readonly entity: { readonly type: string; readonly id: string } | null;
    readonly data: Data;
    readonly is_read: boolean;
    readonly read_at?: string;
    readonly created_at: string;
    readonly expires_at: string | null;
  }

  /** Whatever comes from a box. */
  interface Message<Data = unknown> {
    type: string;
    key?: string;
    id?: Id;
    prev?: Id;
    replaces?: Id;
    epoch?: number;
    rev?: number;
    unread?: number;
    category?: string;
    level?: Level;
    muted?: true;
    timestamp?: string;
    data?: Data;
    ids?: Id[];
    upto?: Id;
    before?: Id;
    log?: string;
    log_unread?: number;
    [member: string]: unknown;
  }

  interface NotificationMessage<Data = unknown> extends Message<Notification<Data>> {
    key: string;
    id: Id;
    data: Notification<Data>;
  }

  /** JSON as JSON, other text as a string, and what is no text in base64. */
  interface ChannelMessage<Data = unknown> {
    type: 'channel_message';
    channel: string;
    /** By which it was subscribed. */
    pattern?: string;
    data: Data;
    encoding?: 'base64';
  }

  interface StatusEvent {
    status: Status;
    attempt?: number;
    delay?: number;
    code?: number;
    reason?: string;
    clientId?: string;
    userId?: string;
  }

  interface Events {
    status: StatusEvent;
    ready: { first: boolean; lost: string[]; unread: number | null; total: number | null; userId: string };
    badge: { unread: number | null; rev: number; total: number | null };
    counts: Counts;
    gap: { key: string };
    resumed: Message;
    stopped: { code: number; reason: string };
    unreachable: { attempt: number; reason: string };
    error: { error: NotifyError; request?: { type: string; [field: string]: unknown } };
    frame: { direction: 'in' | 'out'; text: string; message: unknown };
    notification: NotificationMessage;
    channel_message: ChannelMessage;
    '*': Message;
  }

  /** Its code is one of docs/protocol.md, or NOT_CONNECTED, TIMEOUT, DISCONNECTED. */
  interface NotifyError extends Error {
    readonly name: 'NotifyError';
    readonly code: string;
    /** What the bridge says besides. */
    readonly details: unknown;
  }
  const Error: new (code: string, message?: string, details?: unknown) => NotifyError;

  interface OfLog {
    /** The key of the log that the ids are of. */
    log?: string;
  }

  /** A channel that is no box, or a pattern of such ones. */
  interface Channel {
    channel: string;
  }

  /** After an id; or from the newest entries on: so many, or since an instant (Unix time in ms) or for a duration ('5m'). */
  type From =
    | { lastId?: Position; last?: never; since?: never }
    | { last: number; lastId?: never; since?: never }
    | { since: number | string; lastId?: never; last?: never };

  interface Subscription {
    topic?: string;
    channel?: string;
    status: 'subscribed' | 'unsubscribed' | 'pending';
    last?: Id;
    recovered?: boolean;
    epoch?: number;
  }

  interface HistoryFields {
    before?: string;
    after?: Id;
    limit?: number;
    unreadOnly?: boolean;
    category?: string;
    notificationType?: string;
    topic?: string;
    archived?: boolean;
    log?: string;
    feed?: boolean;
    offset?: number;
    total?: boolean;
  }

  interface Page {
    /** Of notifications what is stored, of events the whole message. */
    items: (Notification | Message)[];
    next: string | null;
    unread: number;
    total?: number;
  }

  interface Changed {
    changed: number;
    unread?: number;
    logs?: Record<string, number>;
  }

  interface Counts {
    unread: number;
    unseen: number;
    by_category: Record<string, number> | null;
    max_level: Level | null;
    last: Id;
    rev: number;
    epoch?: number;
    next_expiry: number;
    logs?: Record<string, { unread: number; unseen: number; last: Id; rev: number; epoch?: number; next_expiry: number }>;
    muted?: string[] | null;
    total?: number;
    total_unseen?: number;
  }

  type NewNotification = ({ topic: string; user_id?: never } | { user_id: string; topic?: never }) & {
    title: string;
    content?: string;
    notification_type?: string;
    category?: string;
    level?: Level;
    action?: unknown;
    data?: unknown;
    idempotency_key?: string;
  };

  interface Link {
    url: string;
    label: string;
    /** Of another site than the page's; else empty. */
    host: string;
  }

  interface ChatOptions {
    /** A new session otherwise, which the first event names. */
    sessionId?: string;
    /** Ends it: reading then throws the reason. */
    signal?: AbortSignal;
  }

  /** Of a tool whatever the worker says. */
  type ChatEvent =
    | { type: 'start'; session_id: string }
    | { type: 'token'; seq?: number; content: string }
    | { type: 'tool_call' | 'tool_result'; seq?: number; [member: string]: unknown }
    | { type: 'end'; seq?: number; message_id: string; tokens_used: number };

  interface InboxOptions {
    pageSize?: number;
    category?: string;
    unreadOnly?: boolean;
    archived?: boolean;
    /** Keeps `counts` up to date, too: one request after each change. */
    counts?: boolean;
    /** Lists events that are stored as well. */
    events?: boolean;
  }

  interface Item<Data = unknown> extends Notification<Data> {
    /** The box that it is in: the inbox, or a log that this follows. */
    readonly key: string;
    readonly is_archived: boolean;
  }

  /** The whole message. */
  interface EventItem<Data = unknown> extends Readonly<Message<Data>> {
    readonly key: string;
    readonly id: Id;
    readonly is_read: true;
    readonly is_archived: boolean;
  }

  interface InboxState<Listed = Item> {
    /** Newest first. */
    readonly items: readonly Listed[];
    readonly unread: number | null;
    readonly total: number | null;
    readonly counts: Readonly<Counts> | null;
    readonly hasMore: boolean;
    readonly isLoaded: boolean;
    readonly isLoading: boolean;
    readonly isLive: boolean;
    readonly error: Error | null;
  }

  type Items = Item | EventItem | Id | readonly (Item | EventItem | Id)[];

  interface Inbox<Listed = Item> {
    /** Frozen, and the same as long as nothing changes. */
    readonly state: InboxState<Listed>;
    /** Calls the listener at once and after each change. Returns a function that ends it. */
    subscribe(listener: (state: InboxState<Listed>) => void): () => void;
    more(): Promise<void>;
    reload(): Promise<void>;
    markRead(items: Items): Promise<{ changed: number }>;
    markUnread(items: Items): Promise<{ changed: number }>;
    archive(items: Items): Promise<{ changed: number }>;
    unarchive(items: Items): Promise<{ changed: number }>;
    remove(items: Items): Promise<{ changed: number }>;
    markAllRead(): Promise<Changed>;
    markSeen(): Promise<Changed>;
    close(): void;
  }

  /** Takes an event stream apart, however it was cut into pieces. */
  class EventReader {
    /** id: the last one, of the stream before. */
    constructor(id?: string);
    /** The last one. */
    readonly id: string;
    read(text: string): { type: string; data: string; id: string }[];
  }
}

/* `import '/notify.js'` and a script element make it a global. */
declare global {
  var NotifyClient: typeof import('./notify');
}
