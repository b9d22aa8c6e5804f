/* notify-inbox.d.ts -- what notify-inbox.js is to a compiler. The words are explained in docs/inbox.md. */

import type NotifyClient = require('./notify');

export = NotifyInbox;

declare namespace NotifyInbox {
  type Item = NotifyClient.Item;

  /** A text, or one for each kind of number that the language has. */
  type Text = string | Partial<Record<Intl.LDMLPluralRule, string>>;
  type Texts = Partial<Record<TextKey, Text>>;
  type TextKey =
    | 'title' | 'bell' | 'offline' | 'all' | 'unread' | 'archived' | 'views' | 'categories' | 'everyCategory'
    | 'markAllRead' | 'archiveRead' | 'markRead' | 'markUnread' | 'archive' | 'unarchive' | 'delete' | 'more' | 'done'
    | 'today' | 'yesterday' | 'earlier' | 'news' | 'arrived' | 'arrivedOne'
    | 'emptyAll' | 'emptyAllHint' | 'emptyUnread' | 'emptyArchived' | 'loading' | 'failed' | 'retry'
    | 'reconnecting' | 'connecting' | 'signIn' | 'tooMany' | 'refused'
    | 'saidArchived' | 'saidUnarchived' | 'saidDeleted' | 'saidRead' | 'undo' | 'undone' | 'notDone'
    | 'loadMore' | 'end' | 'settings' | 'back' | 'settingsHint' | 'settingsNone' | 'muted' | 'close' | 'toasts'
    | 'isUnread' | 'elsewhere' | 'info' | 'success' | 'warning' | 'error' | 'critical';

  /** Fills an element of the page with what a row shows; what it returns is called when the row goes. */
  type RowMaker = (item: Item, element: HTMLElement) => void | (() => void) | null;

  type Deed = 'read' | 'unread' | 'archive' | 'unarchive' | 'delete' | 'read-all';

  interface Link {
    url: string;
    label: string;
    host: string;
  }

  /** By name; all of them bubble, also out of shadow roots. */
  interface EventDetails {
    /** A row was pressed. preventDefault(): the page does the rest. */
    'notify-open': { item: Item; link: Link | null };
    /** One of its buttons was. preventDefault(): the page does it, and says done() when it is. */
    'notify-action': { item: Item; name: string; label: string; link: Link | null; done(): Promise<unknown> };
    /** Before it is done. preventDefault(): it is not. */
    'notify-change': { deed: Deed; items: readonly Item[] };
    'notify-badge': { unread: number | null; total: number | null };
    'notify-toggle': { open: boolean };
    'notify-error': { error: Error };
  }
  type EventMap = { [Name in keyof EventDetails]: CustomEvent<EventDetails[Name]> };

  interface Element extends HTMLElement {
    /** The bridge: /ws if it is left out. */
    src: string;
    user: string;
    /** Names, with blanks between. */
    topics: string;
    category: string;
    theme: 'auto' | 'light' | 'dark' | '';
    placement: 'end' | 'start' | '';
    pageSize: number;
    /** A connection that the page has already; it is never closed. */
    client: NotifyClient | null;
    token: string | (() => string | Promise<string>) | undefined;
    strings: Texts;
    rows: RowMaker | null;

    addEventListener<Name extends keyof EventMap>(
      type: Name,
      listener: (this: this, event: EventMap[Name]) => void,
      options?: boolean | AddEventListenerOptions,
    ): void;
    addEventListener<Name extends keyof HTMLElementEventMap>(
      type: Name,
      listener: (this: this, event: HTMLElementEventMap[Name]) => void,
      options?: boolean | AddEventListenerOptions,
    ): void;
  }

  interface BellElement extends Element {
    badge: 'unread' | 'unseen' | 'dot' | '';
    open: boolean;
  }
  interface InboxElement extends Element {}

  const BellElement: { new (): BellElement; prototype: BellElement };
  const InboxElement: { new (): InboxElement; prototype: InboxElement };
  /** The words that are built in, by language. */
  const TEXTS: Readonly<Record<'en' | 'de' | 'he', Readonly<Record<TextKey, Text>>>>;
}

declare global {
  /** Where it is a script of a page. */
  var NotifyInbox: typeof import('./notify-inbox');

  interface HTMLElementTagNameMap {
    'notify-bell': NotifyInbox.BellElement;
    'notify-inbox': NotifyInbox.InboxElement;
  }
}
