/* log_share -- what somebody has of a log, in numbers: told by BADGE for each of its LOGS, and by
 * VIEW to who shows his cursor. */
#ifndef LOG_SHARE_H
#define LOG_SHARE_H

#include "box/cursor_count.h"
#include "box/category_choice.h"
#include "server/box_key.h"

struct log_share {
    struct notify_str name; /* borrowed */
    struct cursor_counts counts;
    struct notify_id last;
    uint64_t rev;
    uint64_t epoch;
    uint64_t next_expiry_ms;
};

/* log: an open key. cursor NULL: it is not followed, and nothing of it counts. */
struct log_share log_share_of(const struct cursor *cursor, struct box_key *log,
                              struct category_wish *wish);

enum { LOG_SHARE_FIELDS = 6 };
/* The fields, within a map that has begun. */
void log_share_reply(struct rm_ctx *ctx, const struct log_share *share);

#endif
