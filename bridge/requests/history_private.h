/* history_private -- a page that is being put together. For history.c and history_total.c alone:
 * the entries of it, and how many there are on all pages. */
#ifndef HISTORY_PRIVATE_H
#define HISTORY_PRIVATE_H

#include <jansson.h>

#include "base/number.h"
#include "requests/call.h"
#include "requests/history.h"

struct history {
    const struct history_shape *shape; /* borrowed */
    bool feed, forward, unread_only, archived_only, notifications_only, wants_total;
    bool asks_total;             /* with the next portion */
    bool chosen;                 /* not all of it may be seen, perhaps */
    bool skips_there;            /* Redis passes over what is to be, in one command */
    bool own_only;               /* a feed to which the logs have nothing to add */
    uint8_t limit, count, asked; /* items of the page, those it has, entries of this portion */
    size_t bytes;                /* of the items, at most */
    size_t skip;                 /* items that are still to be passed over */
    char from[HISTORY_POSITION_MAX + 1], to[NOTIFY_ID_TEXT_MAX + 2]; /* of the next portion */
    char last[HISTORY_POSITION_MAX + 1];                             /* of the items */
    int64_t unread, total;
    char *items; /* owned: what they look like, with commas between */
    size_t len, cap;
    json_t *hidden;    /* owned: categories of the logs that may not be seen; NULL: not known yet */
    size_t hidden_off; /* so many of these have been taken off */
    size_t next_log;   /* to be asked for such */
    struct notify_str topic_key, log, category, type;
    char texts[]; /* of these four */
};

void history_free(void *history);
/* What the entries must meet, but for what is asked for by CATEGORY. */
void history_add_filter(struct words *words, const struct history *history);
/* LOGS n log …, if there are any. number holds the text of n. */
void history_add_logs(struct words *words, const struct request *r, const struct history *history,
                      char number[NUMBER_TEXT_MAX + 1]);
/* The page itself, once all else is known. */
void history_ask_portion(struct request *r, struct history *history);

/* history_total.c: how many of all entries are hidden is taken off history->total, which Redis says
 * with the first portion; goes on with history_ask_portion(). */
void history_total_begin(struct request *r, struct history *history);

#endif
