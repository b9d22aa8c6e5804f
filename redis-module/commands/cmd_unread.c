/* cmd_unread -- NOTIFY.UNREAD: how much somebody has not read, as one number or by groups. */
#include "commands/commands.h"

#include "base/scratch.h"
#include "commands/filter_args.h"
#include "commands/unread_groups.h"
#include "commands/inbox.h"
#include "commands/log_count.h"
#include "server/args.h"
#include "server/box_key.h"
#include "server/reply.h"

/* ---- one number ---- */

static uint64_t unread_of(const struct box *box, const struct filter_categories *categories,
                          uint64_t now_ms)
{
    uint64_t unread = 0;

    if (categories->count == 0)
        return box_unread(box, now_ms);
    for (size_t i = 0; i < categories->count; i++)
        unread += box_unread_of(box, categories->list[i], now_ms);
    return unread;
}

/* What the box has not read of each log, one after the other. False: one is no box; replied. */
static bool add_unread_logs(const struct box_key *bk, const struct filter_args *wanted,
                            uint64_t *unread)
{
    struct category_wish *wish = log_wish(bk->box, &wanted->categories);

    for (size_t i = 0; i < wanted->logs.count; i++) {
        struct rm_string *name = wanted->logs.names[i];
        struct box_key log;
        if (!box_key_open_or_reply(&log, bk->ctx, name, RM_READ))
            return false;
        *unread += log_count(log_cursor(bk->box, name), &log, wish).unread;
        box_key_close(&log);
    }
    return true;
}

static int run_number(struct rm_ctx *ctx, struct rm_string *key, const struct filter_args *wanted)
{
    struct box_key bk;
    uint64_t unread = 0;
    bool counted = true;

    if (!box_key_open_or_reply(&bk, ctx, key, RM_READ))
        return RM_OK;
    if (bk.box != NULL)
        unread = unread_of(bk.box, &wanted->categories, box_key_now(&bk));
    if (wanted->logs.count > 0)
        counted = add_unread_logs(&bk, wanted, &unread);
    box_key_close(&bk);
    return counted ? rm_ReplyWithLongLong(ctx, (long long)unread) : RM_OK;
}

/* ---- by groups ---- */

static int run_groups(struct rm_ctx *ctx, struct args *args, const struct filter_args *wanted)
{
    struct groups groups;
    struct inbox inbox;
    int rc = 0;

    if (!inbox_open_or_reply(&inbox, ctx, args->argv[1], &wanted->logs))
        return RM_OK;
    groups_init(&groups, wanted->by);
    for (size_t i = 0; rc == 0 && i < inbox.count; i++)
        rc = groups_add_unread(&groups, inbox.sources[i].view, inbox.sources[i].now_ms,
                               &wanted->filter);
    if (rc == 0)
        groups_reply(ctx, &groups);
    else
        (void)groups_reply_failed(ctx, args, rc);
    groups_release(&groups);
    inbox_close(&inbox);
    scratch_shrink();
    return RM_OK;
}

/* NOTIFY.UNREAD key [BY CATEGORY|TYPE|LEVEL|ENTITY] [CATEGORY c …] [LOGS numkeys log …] */
int cmd_unread(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    struct filter_args wanted;
    struct args args;
    bool taken;

    args_init(&args, argv, argc, 2);
    taken = filter_args_take(&wanted, FILTER_UNREAD, &args);
    if (rm_IsKeysPositionRequest(ctx))
        return log_args_tell_many(ctx, argv, taken ? &wanted.logs : NULL);
    if (!taken)
        return reply_args_error(ctx, &args);
    return wanted.has_by ? run_groups(ctx, &args, &wanted) : run_number(ctx, argv[1], &wanted);
}
