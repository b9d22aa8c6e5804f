/* log_view -- see log_view.h. */
#include "commands/log_view.h"

#include "commands/log_count.h"
#include "server/reply.h"

static void see_own(struct log_view *lv, bool with_counts)
{
    const struct box *box = lv->bk.box;

    lv->now_ms = box_key_now(&lv->bk);
    box_view_own(&lv->view, box);
    if (box != NULL && with_counts)
        lv->box = (struct render_box){.key = box_key_name(&lv->bk),
                                      .rev = box_rev(box),
                                      .unread = box_unread(box, lv->now_ms)};
}

/* As the follower's box does. 0 or -ENOMEM. */
static int see_log(struct log_view *lv, const struct box *follower, bool with_counts)
{
    const struct cursor *cursor = log_cursor(follower, lv->log.name);
    int rc = box_view_follow(&lv->view, lv->log.box, cursor, log_muted(follower));

    lv->now_ms = box_key_now(&lv->log);
    if (rc == 0 && lv->view.box != NULL && with_counts)
        lv->box = (struct render_box){
            .key = box_key_name(&lv->log),
            .rev = box_rev(lv->log.box),
            .unread = log_count(cursor, &lv->log, log_wish(follower, NULL)).unread};
    return rc;
}

static bool see_log_or_reply(struct log_view *lv, const struct box *follower, bool with_counts)
{
    struct rm_ctx *ctx = lv->log.ctx;

    if (see_log(lv, follower, with_counts) == 0)
        return true;
    log_view_close(lv);
    (void)reply_no_memory(ctx);
    return false;
}

bool log_view_open_or_reply(struct log_view *lv, struct rm_ctx *ctx, struct rm_string *key,
                            struct rm_string *log, bool with_counts)
{
    *lv = (struct log_view){.has_log = log != NULL};
    if (lv->has_log && !log_args_check_or_reply(ctx, key, log))
        return false;
    if (!box_key_open_or_reply(&lv->bk, ctx, key, RM_READ))
        return false;
    if (!lv->has_log) {
        see_own(lv, with_counts);
        return true;
    }
    if (!box_key_open_or_reply(&lv->log, ctx, log, RM_READ)) {
        box_key_close(&lv->bk);
        return false;
    }
    return see_log_or_reply(lv, lv->bk.box, with_counts);
}

bool log_view_through_or_reply(struct log_view *lv, struct rm_ctx *ctx, struct rm_string *log,
                               const struct box *follower, bool with_counts)
{
    *lv = (struct log_view){.has_log = true};
    return box_key_open_or_reply(&lv->log, ctx, log, RM_READ) &&
           see_log_or_reply(lv, follower, with_counts);
}

void log_view_close(struct log_view *lv)
{
    box_view_release(&lv->view);
    if (lv->has_log)
        box_key_close(&lv->log);
    box_key_close(&lv->bk);
}

static struct rm_ctx *log_view_ctx(const struct log_view *lv)
{
    return lv->has_log ? lv->log.ctx : lv->bk.ctx;
}

void log_view_reply(struct log_view *lv, const struct box_entry *entry, bool json)
{
    struct rm_ctx *ctx = log_view_ctx(lv);

    if (json)
        (void)reply_entry_json(ctx, &lv->box, entry,
                               box_id_before(lv->view.box, entry->id, lv->now_ms));
    else
        reply_entry(ctx, entry);
}

uint64_t log_view_total(struct log_view *lv, const struct filter_args *wanted,
                        struct box_range *range)
{
    struct box_view_iter iter;
    struct box_entry entry;
    uint64_t total = 0;

    range->now_ms = lv->now_ms;
    range->filter = wanted->filter;
    box_view_iter_init(&iter, &lv->view, range);
    while (box_view_iter_next(&iter, &entry))
        total++;
    return total;
}

void log_view_reply_range(struct log_view *lv, const struct filter_args *wanted,
                          struct box_range *range)
{
    struct rm_ctx *ctx = log_view_ctx(lv);
    struct box_view_iter iter;
    struct box_entry entry;
    uint64_t count = 0;

    range->now_ms = lv->now_ms;
    range->filter = wanted->filter;
    rm_ReplyWithArray(ctx, RM_POSTPONED_LEN);
    box_view_iter_init(&iter, &lv->view, range);
    for (; count < wanted->count && box_view_iter_next(&iter, &entry); count++)
        log_view_reply(lv, &entry, wanted->json);
    rm_ReplySetArrayLength(ctx, (long)count);
}
