/* inbox_start -- what a client had been sent of its inbox before it followed that (unseen.h), so
 * that it gets none of it twice, wherever it asks to be served from. */
#ifndef INBOX_START_H
#define INBOX_START_H

#include <stdbool.h>
#include <stdint.h>

#include "notify_id.h"

struct inbox_start {
    struct notify_id from;     /* it follows from here on */
    struct notify_id unmarked; /* is seen up to here once it is out; 0-0: has been marked so */
    uint32_t len;
    struct notify_id had[]; /* newest first, none behind from */
};

static inline bool inbox_start_has(const struct inbox_start *start, struct notify_id id)
{
    if (notify_id_cmp(id, start->from) > 0)
        return false;
    for (uint32_t i = 0; i < start->len; i++)
        if (notify_id_cmp(start->had[i], id) == 0)
            return true;
    return false;
}

#endif
