/* cmd_mute -- NOTIFY.MUTE and NOTIFY.UNMUTE: whether notifications of a category are counted. The
 * setting stays with the box, so muting makes one if there is none. All categories or none.
 * Replicated with those that changed. */
#include "commands/commands.h"

#include <errno.h>

#include "base/limits.h"
#include "base/mem.h"
#include "server/args.h"
#include "commands/change.h"
#include "commands/filter_args.h"
#include "server/replay.h"
#include "server/reply.h"

/* The change comes first: NOPUBLISH is taken into it. Its ids are the categories: texts and, from
 * them, names. */
struct mute {
    struct change change;
    bool muted;               /* what they are to be */
    struct notify_str *names; /* owned, and behind them lies changed; as many as there are texts */
    bool *changed;
};

/* Any name may be unmuted: what cannot be muted is not. */
static bool take_category(struct mute *mute)
{
    struct change_ids *given = &mute->change.ids;
    struct args *args = &mute->change.args;
    struct notify_str name;

    given->texts[given->count] = args->argv[args->pos];
    if (!args_take_str(args, "category", &name))
        return false;
    if (mute->muted && !category_is_valid(name))
        return args_fail(args,
                         "ERR category must have 1 to %d bytes of UTF-8 without control characters",
                         LIMIT_CATEGORY);
    mute->names[given->count++] = name;
    return true;
}

/* Room for so many. The limit is one for clients. */
static bool reserve(struct mute *mute, size_t count)
{
    struct args *args = &mute->change.args;

    if (count > FILTER_CATEGORIES_MAX && !replay_now())
        return args_fail(args, "ERR there must be at most %d categories", FILTER_CATEGORIES_MAX);
    mute->names = mem_try_alloc(count * (sizeof(mute->names[0]) + sizeof(mute->changed[0])));
    if (mute->names == NULL)
        return args_fail(args, "ERR not enough memory; nothing was changed");
    mute->changed = (bool *)(mute->names + count);
    return change_reserve_ids(&mute->change, count);
}

/* category [category …] [NOPUBLISH] */
static bool take_arguments(struct mute *mute)
{
    static const struct arg_option options[] = {
        ARG_OPTION("NOPUBLISH", change_take_nopublish),
        ARG_OPTION_PART("EPOCH", change_take_epoch),
    };
    enum { OPTIONS = sizeof options / sizeof options[0] };
    struct args *args = &mute->change.args;
    int first = args->pos;
    uint32_t seen;
    int end;

    if (!args_take_names(args, "category", options, OPTIONS))
        return false;
    end = args->pos;
    if (!reserve(mute, (size_t)(end - first)) ||
        !args_take_options(args, options, OPTIONS, mute, &seen))
        return false;
    for (args->pos = first; args->pos < end;)
        if (!take_category(mute))
            return false;
    return true;
}

/* Keeps those that changed. 0, -E2BIG, -ENOMEM. */
static int apply(struct mute *mute)
{
    struct change_ids *given = &mute->change.ids;
    size_t kept = 0;
    int rc = box_mute(&mute->change.bk.box, mute->names, given->count, mute->muted, mute->changed);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < given->count; i++) {
        mute->names[kept] = mute->names[i];
        given->texts[kept] = given->texts[i];
        kept += mute->changed[i];
    }
    given->count = kept;
    return 0;
}

static int fail(struct mute *mute, int rc)
{
    if (rc == -ENOMEM)
        return reply_no_memory(mute->change.ctx);
    args_fail(&mute->change.args,
              "ERR category must be one of the %d that this box has: no more fit",
              LIMIT_CATEGORIES);
    return reply_args_error(mute->change.ctx, &mute->change.args);
}

static int run(struct mute *mute)
{
    struct change *change = &mute->change;
    struct box_key *bk = &change->bk;
    struct effect_words tail;
    bool is_new = bk->box == NULL && mute->muted;
    int rc = 0;

    if (is_new)
        bk->box = box_new();
    if (bk->box != NULL)
        rc = apply(mute);
    else
        rc = is_new ? -ENOMEM : 0;
    if (rc < 0 || bk->box == NULL || change->ids.count == 0) {
        if (is_new) {
            box_free(bk->box);
            bk->box = NULL;
        }
        box_key_close(bk);
        return rc < 0 ? fail(mute, rc) : rm_ReplyWithLongLong(change->ctx, 0);
    }
    change_commit(change);
    tail = change_tail(change);
    rm_Replicate(change->ctx, mute->muted ? "NOTIFY.MUTE" : "NOTIFY.UNMUTE", "svv", bk->name,
                 change->ids.texts, change->ids.count, tail.words, tail.count);
    change_publish_categories(change, mute->muted ? RENDER_MUTED : RENDER_UNMUTED, mute->names,
                              change->ids.count);
    box_key_changed(bk, mute->muted ? "notify.mute" : "notify.unmute");
    return rm_ReplyWithLongLong(change->ctx, (long long)change->ids.count);
}

static int mute_categories(struct rm_ctx *ctx, struct rm_string **argv, int argc, bool muted)
{
    struct mute mute;

    mute.muted = muted;
    mute.names = NULL;
    change_init(&mute.change, ctx, argv, argc, 2);
    if (!take_arguments(&mute) || (muted && !args_check_key(&mute.change.args, argv[1])))
        (void)reply_args_error(ctx, &mute.change.args);
    else if (change_open_or_reply(&mute.change))
        (void)run(&mute);
    mem_free(mute.names);
    change_release(&mute.change);
    return RM_OK;
}

/* NOTIFY.MUTE key category [category …] [NOPUBLISH] */
int cmd_mute(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    return mute_categories(ctx, argv, argc, true);
}

/* NOTIFY.UNMUTE key category [category …] [NOPUBLISH] */
int cmd_unmute(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    return mute_categories(ctx, argv, argc, false);
}
