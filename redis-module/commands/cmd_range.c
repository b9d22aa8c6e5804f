/* cmd_range -- NOTIFY.GET, NOTIFY.RANGE, NOTIFY.REVRANGE and NOTIFY.COUNT: read entries of a box,
 * or count them. With LOG, of a log as the box sees it. */
#include "commands/commands.h"

#include "base/limits.h"
#include "base/scratch.h"
#include "box/box_tally.h"
#include "commands/filter_args.h"
#include "commands/log_args.h"
#include "commands/log_count.h"
#include "commands/log_view.h"
#include "server/args.h"
#include "server/reply.h"

enum { ID_WANTED_SEQ = 0, IDS_AT = 2 };

/* ---- GET ---- */

struct get {
    int ids_end; /* the first argument after the ids */
    bool json;
    struct rm_string *log; /* NULL: none */
};

static bool take_get_json(struct args *args, void *into)
{
    struct get *get = into;

    (void)args;
    get->json = true;
    return true;
}

static bool take_get_log(struct args *args, void *into)
{
    struct get *get = into;

    return log_args_take_one(args, &get->log);
}

/* All ids are checked before the reply begins. */
static bool parse_get(struct get *get, struct args *args)
{
    static const struct arg_option options[] = {ARG_OPTION("JSON", take_get_json),
                                                ARG_OPTION("LOG", take_get_log)};
    struct notify_id id;
    uint32_t seen;

    *get = (struct get){.log = NULL};
    do {
        if (!args_take_id(args, "id", ID_WANTED_SEQ, &id))
            return false;
    } while (!args_done(args) && !args_is_option(args_at(args, args->pos), options, 2));
    get->ids_end = args->pos;
    return args_check_count(args, (size_t)(args->pos - IDS_AT), LIMIT_IDS, "ids") &&
           args_take_options(args, options, 2, get, &seen);
}

static void reply_ids(struct log_view *lv, struct args *args, const struct get *get)
{
    struct box_entry entry;
    struct notify_id id;

    rm_ReplyWithArray(lv->bk.ctx, get->ids_end - IDS_AT);
    for (args->pos = IDS_AT; args->pos < get->ids_end;) {
        (void)args_take_id(args, "id", ID_WANTED_SEQ, &id); /* checked before */
        if (box_view_find(&lv->view, id, lv->now_ms, &entry))
            log_view_reply(lv, &entry, get->json);
        else
            rm_ReplyWithNull(lv->bk.ctx);
    }
}

/* NOTIFY.GET key id [id …] [LOG log] [JSON] */
int cmd_get(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    struct log_view lv;
    struct args args;
    struct get get;
    bool parsed;

    args_init(&args, argv, argc, IDS_AT);
    parsed = parse_get(&get, &args);
    if (rm_IsKeysPositionRequest(ctx))
        return log_args_tell_read(ctx, argv, argc, parsed ? get.log : NULL);
    if (!parsed)
        return reply_args_error(ctx, &args);
    if (!log_view_open_or_reply(&lv, ctx, argv[1], get.log, get.json))
        return RM_OK;
    reply_ids(&lv, &args, &get);
    log_view_close(&lv);
    scratch_shrink();
    return RM_OK;
}

/* ---- RANGE and REVRANGE ---- */

static int range(struct rm_ctx *ctx, struct rm_string **argv, int argc, bool reverse)
{
    struct filter_args wanted;
    struct box_range range;
    struct log_view lv;
    struct args args;
    bool parsed;

    args_init(&args, argv, argc, 2);
    parsed = filter_args_take_ends(&args, reverse, &range) &&
             filter_args_take(&wanted, FILTER_RANGE, &args);
    if (rm_IsKeysPositionRequest(ctx))
        return log_args_tell_read(ctx, argv, argc, parsed ? wanted.log : NULL);
    if (!parsed)
        return reply_args_error(ctx, &args);
    if (!log_view_open_or_reply(&lv, ctx, argv[1], wanted.log, wanted.json))
        return RM_OK;
    log_view_reply_range(&lv, &wanted, &range);
    log_view_close(&lv);
    scratch_shrink();
    return RM_OK;
}

/* NOTIFY.RANGE key start end [COUNT n] [state] [CATEGORY c …] [TYPE t] [EVENT e] [LEVEL [>=] l]
 * [ENTITY type id] [LOG log] [JSON] */
int cmd_range(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    return range(ctx, argv, argc, false);
}

/* NOTIFY.REVRANGE key end start … as RANGE */
int cmd_revrange(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    return range(ctx, argv, argc, true);
}

/* ---- COUNT ---- */

/* Without a state only notifications count, as in UNREAD; with one, what RANGE would show. */
static uint64_t count_entries(const struct log_view *lv, const struct filter_args *wanted,
                              const struct box_range *range)
{
    struct box_view_iter iter;
    struct box_entry entry;
    uint64_t count = 0;

    box_view_iter_init(&iter, &lv->view, range);
    while (box_view_iter_next(&iter, &entry))
        count += wanted->has_state || entry.kind == ENTRY_NOTIFICATION;
    return count;
}

/* Of a box that shows what it has: whole segments by their counters. */
static uint64_t count_plainly(const struct log_view *lv, const struct filter_args *wanted,
                              const struct box_range *range)
{
    struct category_choice choice;

    if (lv->view.box == NULL)
        return 0;
    choice = category_wish_for(log_wish(NULL, &wanted->categories), lv->view.box);
    return box_tally(lv->view.box, range->from, range->to, &choice, lv->now_ms);
}

/* NOTIFY.COUNT key start end [state] [CATEGORY c …] [TYPE t] [EVENT e] [LEVEL [>=] l]
 * [ENTITY type id] [LOG log] */
int cmd_count(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    struct filter_args wanted;
    struct box_range range;
    struct log_view lv;
    struct args args;
    uint64_t count;
    bool parsed;

    args_init(&args, argv, argc, 2);
    parsed = filter_args_take_ends(&args, false, &range) &&
             filter_args_take(&wanted, FILTER_COUNT, &args);
    if (rm_IsKeysPositionRequest(ctx))
        return log_args_tell_read(ctx, argv, argc, parsed ? wanted.log : NULL);
    if (!parsed)
        return reply_args_error(ctx, &args);
    if (!log_view_open_or_reply(&lv, ctx, argv[1], wanted.log, false))
        return RM_OK;
    range.now_ms = lv.now_ms;
    range.filter = wanted.filter;
    if (!lv.has_log && filter_args_are_plain(&wanted))
        count = count_plainly(&lv, &wanted, &range);
    else
        count = count_entries(&lv, &wanted, &range);
    log_view_close(&lv);
    return rm_ReplyWithLongLong(ctx, (long long)count);
}
