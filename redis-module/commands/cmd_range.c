/* cmd_range -- NOTIFY.GET, NOTIFY.RANGE and NOTIFY.REVRANGE: read entries. */
#include "commands/commands.h"

#include "server/args.h"
#include "server/box_key.h"
#include "commands/filter_args.h"
#include "server/reply.h"
#include "base/limits.h"
#include "base/scratch.h"

enum { ID_WANTED_SEQ = 0 };

/* One entry in the form that was asked for. */
static void reply_one(struct box_key *bk, const struct render_box *box,
                      const struct box_entry *entry, bool json, uint64_t now_ms)
{
    if (json)
        reply_entry_json(bk->ctx, box, entry, box_id_before(bk->box, entry->id, now_ms));
    else
        reply_entry(bk->ctx, entry);
}

static struct render_box present_state(const struct box_key *bk, uint64_t now_ms)
{
    return (struct render_box){
        .key = box_key_name(bk), .rev = box_rev(bk->box), .unread = box_unread(bk->box, now_ms)};
}

/* All ids are checked before the reply begins. */
static bool check_ids(struct args *args, int end)
{
    struct notify_id id;

    while (args->pos < end)
        if (!args_take_id(args, "id", ID_WANTED_SEQ, &id))
            return false;
    return true;
}

static void reply_ids(struct box_key *bk, struct args *args, int end, bool json)
{
    uint64_t now_ms = box_key_now(bk);
    struct render_box box = {.rev = 0};
    struct box_entry entry;
    struct notify_id id;

    if (bk->box != NULL)
        box = present_state(bk, now_ms);
    rm_ReplyWithArray(bk->ctx, end - args->pos);
    while (args->pos < end) {
        (void)args_take_id(args, "id", ID_WANTED_SEQ, &id); /* checked before */
        if (bk->box != NULL && box_find(bk->box, id, now_ms, &entry))
            reply_one(bk, &box, &entry, json, now_ms);
        else
            rm_ReplyWithNull(bk->ctx);
    }
}

/* NOTIFY.GET key id [id …] [JSON] */
int cmd_get(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    struct box_key bk;
    struct args args;
    bool json;

    args_init(&args, argv, argc, 2);
    json = argc > 3 && args_is_keyword(args_at(&args, argc - 1), "JSON", 4);
    if (!args_check_count(&args, (size_t)(argc - 2 - json), LIMIT_IDS, "ids") ||
        !check_ids(&args, json ? argc - 1 : argc))
        return reply_args_error(ctx, &args);
    if (!box_key_open_or_reply(&bk, ctx, argv[1], RM_READ))
        return RM_OK;
    args_init(&args, argv, argc, 2);
    reply_ids(&bk, &args, json ? argc - 1 : argc, json);
    box_key_close(&bk);
    scratch_shrink();
    return RM_OK;
}

static void reply_range(struct box_key *bk, struct filter_args *wanted, bool reverse,
                        struct notify_id from, struct notify_id to)
{
    uint64_t now_ms = box_key_now(bk);
    struct box_range range = {.from = from, .to = to, .reverse = reverse, .now_ms = now_ms};
    struct render_box box = present_state(bk, now_ms);
    struct box_iter iter;
    struct box_entry entry;
    uint64_t count = 0;

    range.filter = wanted->filter;
    rm_ReplyWithArray(bk->ctx, RM_POSTPONED_LEN);
    box_iter_init(&iter, bk->box, &range);
    for (; count < wanted->count && box_iter_next(&iter, &entry); count++)
        reply_one(bk, &box, &entry, wanted->json, now_ms);
    rm_ReplySetArrayLength(bk->ctx, (long)count);
}

static int range(struct rm_ctx *ctx, struct rm_string **argv, int argc, bool reverse)
{
    struct filter_args wanted;
    struct notify_id from, to;
    struct box_key bk;
    struct args args;
    bool ok;

    args_init(&args, argv, argc, 2);
    if (reverse)
        ok = args_take_range_end(&args, &to) && args_take_range_start(&args, &from);
    else
        ok = args_take_range_start(&args, &from) && args_take_range_end(&args, &to);
    if (!ok || !filter_args_take(&wanted, &args))
        return reply_args_error(ctx, &args);
    if (!box_key_open_or_reply(&bk, ctx, argv[1], RM_READ))
        return RM_OK;
    if (bk.box == NULL)
        rm_ReplyWithArray(ctx, 0);
    else
        reply_range(&bk, &wanted, reverse, from, to);
    box_key_close(&bk);
    scratch_shrink();
    return RM_OK;
}

/* NOTIFY.RANGE key start end [COUNT n] [state] [CATEGORY c …] [TYPE t] [EVENT e] [LEVEL l] [JSON]
 */
int cmd_range(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    return range(ctx, argv, argc, false);
}

/* NOTIFY.REVRANGE key end start … as RANGE */
int cmd_revrange(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    return range(ctx, argv, argc, true);
}
