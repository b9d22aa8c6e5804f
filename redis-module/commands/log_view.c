/* log_view -- see log_view.h. */
#include "commands/log_view.h"

#include "commands/log_count.h"
#include "server/reply.h"

static bool is_same(const struct rm_string *a, const struct rm_string *b)
{
    struct notify_str x, y;

    x.ptr = rm_StringPtrLen(a, &x.len);
    y.ptr = rm_StringPtrLen(b, &y.len);
    return notify_str_eq(x, y);
}

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

/* 0 or -ENOMEM. */
static int see_log(struct log_view *lv, bool with_counts)
{
    const struct cursor *cursor = log_cursor(lv->bk.box, lv->log.name);
    int rc = box_view_follow(&lv->view, lv->log.box, cursor, log_muted(lv->bk.box));

    lv->now_ms = box_key_now(&lv->log);
    if (rc == 0 && lv->view.box != NULL && with_counts)
        lv->box = (struct render_box){
            .key = box_key_name(&lv->log),
            .rev = box_rev(lv->log.box),
            .unread = log_count(cursor, &lv->log, log_wish(lv->bk.box, NULL)).unread};
    return rc;
}

bool log_view_open_or_reply(struct log_view *lv, struct rm_ctx *ctx, struct rm_string *key,
                            struct rm_string *log, bool with_counts)
{
    *lv = (struct log_view){.has_log = log != NULL};
    if (lv->has_log && is_same(key, log)) {
        (void)reply_error(ctx, "ERR LOG must be another box than the key itself");
        return false;
    }
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
    if (see_log(lv, with_counts) == 0)
        return true;
    log_view_close(lv);
    (void)reply_no_memory(ctx);
    return false;
}

void log_view_close(struct log_view *lv)
{
    box_view_release(&lv->view);
    if (lv->has_log)
        box_key_close(&lv->log);
    box_key_close(&lv->bk);
}

void log_view_reply(struct log_view *lv, const struct box_entry *entry, bool json)
{
    struct rm_ctx *ctx = lv->bk.ctx;

    if (json)
        (void)reply_entry_json(ctx, &lv->box, entry,
                               box_id_before(lv->view.box, entry->id, lv->now_ms));
    else
        reply_entry(ctx, entry);
}
