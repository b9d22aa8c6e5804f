/* history -- a page of what somebody has: of his inbox, of the inbox and its logs as one feed, of
 * one of the logs as his inbox sees it, or of a log as it is.
 *
 * It is put together from portions: entries are read a few at a time, and what may not be seen is
 * left out. A page ends at its limit, or before it has too many bytes. What it looks like is said
 * by whoever answers. */
#ifndef HISTORY_H
#define HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "notify_id.h"
#include "notify_str.h"
#include "notify_wire.h"

struct history;
struct item;
struct request;

#define HISTORY_PAGE_BYTES 131072 /* of items; one alone may be larger */
#define HISTORY_POSITION_MAX (NOTIFY_ID_TEXT_MAX + 1 + NOTIFY_KEY_MAX) /* "<id>:<key>" */

/* What is asked for; all of it was checked. Texts are borrowed for the call. */
struct history_ask {
    struct notify_str topic_key;     /* a log as it is; empty: it is about the inbox */
    struct notify_str log;           /* a log as the inbox sees it, or empty, */
    bool feed;                       /* or the inbox and all its logs, newest first */
    bool unread_only, archived_only; /* at most one of these; */
    bool notifications_only;         /* no events: what unread_only says, too */
    bool forward;                    /* oldest first; not of a feed */
    bool wants_total;                /* these two of a feed only */
    size_t limit, offset;            /* limit: at most 255 */
    size_t bytes;                    /* of the items; 0: HISTORY_PAGE_BYTES */
    struct notify_str before;        /* an id, or (of a feed) a position; or empty */
    struct notify_str after;         /* an id, not of a feed; or empty */
    struct notify_str category, type;
};

struct history_page {
    struct notify_str items; /* what was appended, with commas between the items */
    size_t count;
    struct notify_str next; /* where the next page begins; empty: there is none */
    int64_t unread;         /* of what it is about, whatever page */
    int64_t total;          /* if that was wanted; -1: it is not known */
};

struct history_shape {
    /* Appends one item by history_append(). False: out of memory. */
    bool (*item)(const struct request *r, struct history *history, const struct item *item);
    void (*answer)(struct request *r, const struct history_page *page);
};

/* r, who has what he asks for, is answered by shape (borrowed for good), or with an error. */
void history_begin(struct request *r, const struct history_ask *ask,
                   const struct history_shape *shape);
/* For shapes. */
bool history_append(struct history *history, struct notify_str text);

#endif
