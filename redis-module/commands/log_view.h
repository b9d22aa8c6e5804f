/* log_view -- the entries that a command reads: those of its key, or, with LOG, those of a log as
 * the key's box sees them (box_view.h). */
#ifndef LOG_VIEW_H
#define LOG_VIEW_H

#include "box/box_view.h"
#include "commands/filter_args.h"
#include "message/render.h"
#include "server/box_key.h"

struct log_view {
    struct box_key bk;  /* not open, if the follower lies elsewhere */
    struct box_key log; /* open if has_log */
    bool has_log;
    uint64_t now_ms;
    struct box_view view;
    struct render_box box; /* what messages say about the box that the entries are of */
};

/* log NULL: the entries are the key's own. with_counts: box is needed. False: an error has been
 * replied, and nothing is open. A missing box, or a log that is not followed, has no entries. */
bool log_view_open_or_reply(struct log_view *lv, struct rm_ctx *ctx, struct rm_string *key,
                            struct rm_string *log, bool with_counts);
/* The same of a log alone, as the box of its follower sees it, who lies elsewhere: it is borrowed
 * until the end. */
bool log_view_through_or_reply(struct log_view *lv, struct rm_ctx *ctx, struct rm_string *log,
                               const struct box *follower, bool with_counts);
void log_view_close(struct log_view *lv);

/* In one of the two forms: of RANGE JSON, or of RANGE. */
void log_view_reply(struct log_view *lv, const struct box_entry *entry, bool json);
/* How many there are between the range's ends that wanted lets through. */
uint64_t log_view_total(struct log_view *lv, const struct filter_args *wanted,
                        struct box_range *range);
/* An array of those between the range's ends that wanted lets through, at most wanted->count. */
void log_view_reply_range(struct log_view *lv, const struct filter_args *wanted,
                          struct box_range *range);

#endif
