/* inbox -- a box and the logs that a command names beside it, all open for reading: the views that
 * the box has of them. */
#ifndef INBOX_H
#define INBOX_H

#include "box/box_feed.h"
#include "commands/log_args.h"
#include "message/render.h"
#include "server/box_key.h"

/* One of them; the first is the box itself. */
struct inbox_part {
    struct box_key bk;
    struct box_view view;
    struct render_box box; /* what messages say; once inbox_box has been asked */
    bool has_box;
};

struct inbox {
    struct rm_ctx *ctx;
    size_t count;                /* of parts that are open */
    struct inbox_part *parts;    /* owned */
    struct feed_source *sources; /* owned; as many */
    uint32_t *heap;              /* owned; as many */
};

/* Logs that the box does not follow, and boxes that are not there, have no entries. False: an error
 * has been replied, and nothing is open. */
bool inbox_open_or_reply(struct inbox *inbox, struct rm_ctx *ctx, struct rm_string *key,
                         const struct log_args *logs);
void inbox_close(struct inbox *inbox);

void inbox_feed(struct inbox *inbox, struct feed *feed, const struct box_filter *filter,
                const struct feed_position *before);
/* What a message says of the box that the source's entries are of. */
const struct render_box *inbox_box(struct inbox *inbox, const struct feed_source *source);

#endif
