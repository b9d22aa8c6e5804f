/* far_follow -- an inbox begins to follow logs that lie in other slots of a cluster, or ends it
 * (docs/following.md, "In a cluster").
 *
 * It keeps its place in a log by the log's name (BYNAME), and cannot see where that ends: so the
 * log is asked, if the inbox does not follow it yet, which hardly ever is so. */
#ifndef FAR_FOLLOW_H
#define FAR_FOLLOW_H

#include <stdbool.h>
#include <stddef.h>

#include "notify_str.h"
#include "redis/pending.h"

struct keyspace;

#define FAR_FOLLOW_AT_ONCE 16 /* logs that an inbox is asked for its cursors in */

/* NOTIFY.FOLLOW of an inbox and logs, from where they end. Borrowed. */
struct far_follow {
    struct notify_str inbox;
    size_t len;
    const struct notify_str *logs;
    bool tells; /* what has changed is published; else NOPUBLISH */
};

/* Does one of them lie in another slot than the inbox? */
bool far_follow_is_far(const struct keyspace *keys, const struct far_follow *follow);
/* As keyspace_command(): fn gets how many are new, the first error, or NULL. What has been followed
 * by then stays so. */
int far_follow_begin(struct keyspace *keys, redis_reply_fn fn, void *ctx,
                     const struct far_follow *follow);

#endif
