/* rewind_search -- where to begin in a box so that its newest entries are had again: which commands
 * say that, one after the other. Who sends them is the caller's business. */
#ifndef REWIND_SEARCH_H
#define REWIND_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/number.h"
#include "notify_id.h"
#include "notify_str.h"
#include "redis/turns.h"
#include "wire/position.h"
#include "wire/since.h"

struct resp;

#define REWIND_LAST_MAX 100           /* entries */
#define REWIND_SINCE_MAX_MS 604800000 /* a week */
#define REWIND_TOO_LONG_AGO "since must not be before a week ago"

/* How far back: so many entries, or, if that is 0, those from this instant on (Unix time). Both 0:
 * nowhere. */
struct rewind_wish {
    size_t last;
    uint64_t since_ms;
};

static inline bool rewind_is_wished(const struct rewind_wish *wish)
{
    return wish->last > 0 || wish->since_ms > 0;
}

/* Sets *ret_ms to the instant that since is now, a Unix time. False: it is too long ago. */
bool rewind_instant(const struct since *since, uint64_t now_ms, uint64_t *ret_ms);

#define REWIND_WORDS_MAX 7
#define REWIND_REPLY_BYTES TURNS_ENTRIES_BYTES /* of each reply, at most */

struct rewind_search {
    struct rewind_wish wish;
    struct position from;                /* as far as it is known */
    size_t found, asked;                 /* entries; of those the last portion was to have */
    bool begun;                          /* it is known where the box ends */
    char before[NOTIFY_ID_TEXT_MAX + 2]; /* where the next portion begins: "(id", or an id */
    char asked_text[NUMBER_TEXT_MAX + 1];
};

enum rewind_step {
    REWIND_ON,     /* the next command is to be sent */
    REWIND_FOUND,  /* what was wished for stands behind search->from */
    REWIND_STRANGE /* no reply to the command */
};

void rewind_search_begin(struct rewind_search *search, const struct rewind_wish *wish);
/* The next command, about key; returns how many words. They are good as long as search and key are
 * untouched. */
size_t rewind_search_words(struct rewind_search *search, struct notify_str key,
                           struct notify_str out[REWIND_WORDS_MAX]);
/* The reply to it, which is none of the errors. */
enum rewind_step rewind_search_take(struct rewind_search *search, const struct resp *reply);

#endif
