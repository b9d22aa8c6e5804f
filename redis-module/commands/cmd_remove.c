/* cmd_remove -- NOTIFY.DEL and NOTIFY.TRIM: take entries out of a box. The box itself stays. */
#include "commands/commands.h"

#include "server/args.h"
#include "commands/change.h"
#include "server/info.h"
#include "server/reply.h"

typedef int (*remove_fn)(struct box **box, struct notify_id id, uint64_t now_ms);

/* Leaves in ids those that went. */
static void remove_ids(struct change *change, remove_fn remove)
{
    struct box_key *bk = &change->bk;
    uint64_t now_ms = box_key_now(bk);
    size_t kept = 0;

    for (size_t i = 0; i < change->ids.count && bk->box != NULL; i++)
        if (remove(&bk->box, change->ids.ids[i], now_ms) > 0)
            change_keep_id(change, &kept, i);
    change->ids.count = kept;
}

/* The replicated form of a sweep: no revision, no message, as on the primary. */
static int run_expired(struct change *change)
{
    size_t count;

    remove_ids(change, box_expire);
    count = change->ids.count;
    change->bk.swept = change->bk.swept || count > 0;
    if (count > 0) {
        info_count(INFO_EXPIRED, count);
        rm_Replicate(change->ctx, "NOTIFY.DEL", "scv", change->bk.name, "EXPIRED",
                     change->ids.texts, count);
    }
    box_key_close(&change->bk);
    return rm_ReplyWithLongLong(change->ctx, (long long)count);
}

static int run_del(struct change *change)
{
    bool expired = args_take_keyword(&change->args, "EXPIRED");
    struct effect_words tail;
    size_t count;

    if (expired && !args_check_internal(&change->args, "EXPIRED"))
        return reply_args_error(change->ctx, &change->args);
    if (!(expired ? change_take_ids(change) : change_take_target(change)) ||
        !change_take_options(change, false))
        return reply_args_error(change->ctx, &change->args);
    if (!change_open_or_reply(change))
        return RM_OK;
    if (expired)
        return run_expired(change);
    if (!change_resolve_own(change, NULL, BOX_MARK_READ))
        return reply_args_error(change->ctx, &change->args);
    remove_ids(change, box_delete);
    count = change->ids.count;
    if (count == 0) {
        box_key_close(&change->bk);
        return rm_ReplyWithLongLong(change->ctx, 0);
    }
    change_commit(change);
    info_count(INFO_DELETED, count);
    tail = change_tail(change);
    change_make_texts(change);
    rm_Replicate(change->ctx, "NOTIFY.DEL", "svv", change->bk.name, change->ids.texts, count,
                 tail.words, tail.count);
    change_free_texts(change);
    change_publish_ids(change, RENDER_DELETED);
    box_key_changed(&change->bk, "notify.del");
    return rm_ReplyWithLongLong(change->ctx, (long long)count);
}

/* NOTIFY.DEL key id [id …]|TOKEN token|ENTITY type id [NOPUBLISH]; what is replicated of a sweep:
 * key EXPIRED id [id …] */
int cmd_del(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    struct change change;

    change_init(&change, ctx, argv, argc, 2);
    (void)run_del(&change);
    change_release(&change);
    return RM_OK;
}

/* What TRIM asks for: one of the two. */
struct trim {
    struct change change;
    uint64_t maxlen;
    struct notify_id minid;
    bool by_id;
};

static bool take_strategy(struct trim *trim)
{
    struct args *args = &trim->change.args;

    trim->by_id = args_take_keyword(args, "MINID");
    if (trim->by_id)
        return args_take_id(args, "MINID", 0, &trim->minid);
    if (args_take_keyword(args, "MAXLEN"))
        return args_take_number(args, "MAXLEN", 0, BOX_ENTRIES_MAX, &trim->maxlen);
    return args_fail(args, "ERR syntax error: MAXLEN n or MINID id is needed");
}

/* Always in terms of an id, so that the same entries go wherever it is executed. The id after the
 * greatest possible one cannot be written; everything is gone then. */
static void replicate_trim(struct change *change, struct notify_id before)
{
    struct effect_words tail = change_tail(change);
    char id[NOTIFY_ID_TEXT_MAX + 1];
    size_t len = notify_id_format(id, before);

    if (before.ms > NOTIFY_ID_MAX_MS)
        rm_Replicate(change->ctx, "NOTIFY.TRIM", "sccv", change->bk.name, "MAXLEN", "0", tail.words,
                     tail.count);
    else
        rm_Replicate(change->ctx, "NOTIFY.TRIM", "scbv", change->bk.name, "MINID", id, len,
                     tail.words, tail.count);
}

static int run_trim(struct trim *trim)
{
    struct change *change = &trim->change;
    struct box_key *bk = &change->bk;
    struct notify_id before = {0, 0};
    int64_t count = 0;

    if (bk->box != NULL && trim->by_id)
        count = box_trim_minid(&bk->box, trim->minid, box_key_now(bk), &before);
    else if (bk->box != NULL)
        count = box_trim_maxlen(&bk->box, trim->maxlen, box_key_now(bk), &before);
    if (count <= 0) {
        box_key_close(bk);
        return count < 0 ? reply_no_memory(change->ctx) : rm_ReplyWithLongLong(change->ctx, 0);
    }
    change_commit(change);
    info_count(INFO_TRIMMED, (uint64_t)count);
    replicate_trim(change, before);
    change_publish_upto(change, RENDER_DELETED, before, CATEGORY_NONE);
    box_key_changed(bk, "notify.trim");
    return rm_ReplyWithLongLong(change->ctx, count);
}

/* NOTIFY.TRIM key MAXLEN n|MINID id [NOPUBLISH] */
int cmd_trim(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    struct trim trim;

    change_init(&trim.change, ctx, argv, argc, 2);
    if (!take_strategy(&trim) || !change_take_options(&trim.change, false))
        (void)reply_args_error(ctx, &trim.change.args);
    else if (change_open_or_reply(&trim.change))
        (void)run_trim(&trim);
    change_release(&trim.change);
    return RM_OK;
}
