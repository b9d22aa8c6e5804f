/* cmd_view -- NOTIFY.VIEW: a log as somebody sees it whose box lies elsewhere, by the word that
 * NOTIFY.CURSORS has given for his cursor. What BADGE … LOGS and RANGE … LOG would answer, counted
 * by the same code: the word is read as a box that follows this log alone. */
#include "commands/commands.h"

#include "base/scratch.h"
#include "box/box_extra.h"
#include "box/cursor_word.h"
#include "box/cursors.h"
#include "commands/filter_args.h"
#include "commands/log_count.h"
#include "commands/log_share.h"
#include "commands/log_view.h"
#include "commands/unread_groups.h"
#include "server/args.h"
#include "server/reply.h"

/* The box in the word. NULL: args->error says why. */
static struct box *take_follower(struct args *args, struct notify_str log)
{
    struct notify_str word;
    struct box *follower;
    const char *why;

    if (!args_take_str(args, "cursor", &word))
        return NULL;
    follower = cursor_word_read(word, &why);
    if (follower == NULL) {
        args_fail(args, "ERR cursor must be a word of NOTIFY.CURSORS (%s)", why);
        return NULL;
    }
    if (notify_str_eq(cursor_name(cursors_at(box_cursors(follower), 0)), log))
        return follower;
    box_free(follower);
    args_fail(args, "ERR cursor must be one of this log");
    return NULL;
}

static void reply_view(struct log_view *lv, struct filter_args *wanted, const struct box *follower,
                       const struct groups *groups)
{
    const struct cursor *cursor = cursors_at(box_cursors(follower), 0);
    struct log_share share =
        log_share_of(cursor, &lv->log, log_wish(follower, &wanted->categories));
    struct rm_ctx *ctx = lv->log.ctx;

    rm_ReplyWithMap(ctx, LOG_SHARE_FIELDS + 1 + wanted->has_by + wanted->has_range + wanted->total);
    log_share_reply(ctx, &share);
    reply_field_id(ctx, "read", box_view_read_to(&lv->view));
    if (wanted->has_by) {
        reply_str(ctx, NOTIFY_STR("groups"));
        groups_reply(ctx, groups);
    }
    if (wanted->total)
        reply_field_number(ctx, "total", log_view_total(lv, wanted, &wanted->range));
    if (!wanted->has_range)
        return;
    reply_str(ctx, NOTIFY_STR("entries"));
    log_view_reply_range(lv, wanted, &wanted->range);
}

static void run_view(struct log_view *lv, struct args *args, struct filter_args *wanted,
                     const struct box *follower)
{
    const struct box_filter of_categories = {.categories = wanted->categories.list,
                                             .category_count = wanted->categories.count};
    struct groups groups;
    int rc = 0;

    groups_init(&groups, wanted->by);
    if (wanted->has_by)
        rc = groups_add_unread(&groups, &lv->view, lv->now_ms, &of_categories);
    if (rc == 0)
        reply_view(lv, wanted, follower, &groups);
    else
        (void)groups_reply_failed(lv->log.ctx, args, rc);
    groups_release(&groups);
}

/* NOTIFY.VIEW log cursor [BY CATEGORY|TYPE|LEVEL|ENTITY] [RANGE start end|REVRANGE end start]
 * [COUNT n] [TOTAL] [state] [CATEGORY c …] [TYPE t] [EVENT e] [LEVEL [>=] l] [ENTITY type id]
 * [JSON] */
int cmd_view(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    struct box *follower;
    struct filter_args wanted;
    struct notify_str log;
    struct log_view lv;
    struct args args;

    args_init(&args, argv, argc, 2);
    log = args_at(&args, 1);
    follower = take_follower(&args, log);
    if (follower == NULL || !filter_args_take(&wanted, FILTER_VIEW, &args)) {
        box_free(follower);
        return reply_args_error(ctx, &args);
    }
    if (log_view_through_or_reply(&lv, ctx, argv[1], follower, wanted.json)) {
        run_view(&lv, &args, &wanted, follower);
        log_view_close(&lv);
    }
    box_free(follower);
    scratch_shrink();
    return RM_OK;
}
