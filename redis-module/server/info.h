/* info -- the counters behind INFO notify.
 *
 * They are counted since the server was started and tell what this server did: a replica counts
 * what it replays. The totals of boxes and entries are kept right by whoever makes or frees a box
 * or changes its length. Freeing may happen in another thread; it has sums of its own, as what
 * every SEND would have to add to atomically makes it wait for the memory it has just written. */
#ifndef INFO_H
#define INFO_H

#include <stdint.h>

#include "server/module_api.h"

enum info_counter {
    INFO_SENDS,
    INFO_EVENTS,
    INFO_PUBLISHES,
    INFO_RECEIVERS,
    INFO_PUBLISHES_DENIED,
    INFO_STATE_CHANGES,
    INFO_DELETED,
    INFO_TRIMMED,
    INFO_EXPIRED,
    INFO_COLLAPSED,
    INFO_DUPLICATES,
    INFO_LOADS_REFUSED,
    INFO_SESSIONS_OPENED,
    INFO_SESSIONS_EXPIRED,
    INFO_OPENS_REFUSED,
    INFO_KEYS_GONE,
    INFO_KEYS_CHANGED,
    INFO_FLUSHES,
    INFO_COUNTERS
};

/* On the main thread only. */
void info_count(enum info_counter counter, uint64_t times);

/* A box came to be, from wherever; on the main thread only, as the next. */
void info_add_box(void);
void info_add_entries(long long entries);
/* A box with so many entries is freed; from any thread. */
void info_drop_box(long long entries);

/* The callback of RegisterInfoFunc; allocates nothing, as it runs in crash reports too. */
void info_report(struct rm_info *info, int for_crash_report);

#endif
