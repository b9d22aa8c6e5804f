/* delivery_log -- one line of the log for each event that is handed to those who follow: what it
 * is, and to how many it came (docs/log.md).
 *
 * Whoever publishes causes lines, and chooses words in them. So there are as many as a rate allows,
 * none is waited for, and a text is shortened and cannot look like anything else of a line.
 * Counters know of all events. */
#ifndef DELIVERY_LOG_H
#define DELIVERY_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "base/token_bucket.h"
#include "notify_str.h"

struct event;
struct key_names;
struct loop;

/* Each kind has the whole rate for itself, so that none keeps another back. */
enum delivery_kind {
    DELIVERY_ORDINARY,
    DELIVERY_FAILED,  /* some did not get it */
    DELIVERY_UNHEARD, /* nobody did, or it is one of those that only who looks for faults reads */
    DELIVERY_KINDS,
};

struct delivery_log {
    struct loop *loop;            /* borrowed */
    const struct key_names *keys; /* the same */
    bool silent;                  /* no lines */
    enum log_level level;         /* of lines about events that reach somebody */
    struct token_rate rate;       /* of lines of a kind */
    struct token_bucket buckets[DELIVERY_KINDS];
    uint64_t kept_back; /* lines since the last one that was written */
};

/* To be told of each event, as router_watch() does it; ctx: the delivery_log. */
void delivery_log_tell(void *ctx, struct notify_str key, const struct event *event,
                       size_t followers);

#endif
