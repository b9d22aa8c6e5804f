/* cmd_send -- NOTIFY.SEND, NOTIFY.EVENT and NOTIFY.SENDMANY: store an entry, count it, trim, and
 * publish it; and NOTIFY.SIGNAL, which only publishes: it writes nothing, and so does its work on a
 * replica and when memory is short.
 *
 * Everything that can be refused is checked before a box is touched; of SENDMANY for all keys. */
#include "commands/commands.h"

#include <inttypes.h>

#include "base/limits.h"
#include "server/args.h"
#include "server/box_key.h"
#include "server/publish.h"
#include "server/replay.h"
#include "server/reply.h"
#include "base/scratch.h"
#include "commands/send.h"
#include "commands/send_args.h"
#include "commands/send_effect.h"
#include "base/mem.h"

/* Everything that may refuse the command, while the processor fetches the place of the entry. */
static bool check_or_reply(struct box_key *bk, struct args *args, struct send_spec *spec)
{
    if (bk->box != NULL)
        box_prefetch_append(bk->box, spec->maxlen);
    if (send_publishes(spec, bk->ctx) && !publish_permitted_or_reply(bk->ctx, bk->name))
        return false;
    if (!send_args_make_entry(spec, args)) {
        (void)reply_args_error(bk->ctx, args);
        return false;
    }
    return true;
}

static int send_one(struct rm_ctx *ctx, struct rm_string **argv, int argc, enum send_kind kind)
{
    int mode = kind == SEND_A_SIGNAL ? RM_READ : RM_READ | RM_WRITE;
    struct send_spec spec;
    struct send_result result;
    struct box_key bk;
    struct args args;

    args_init(&args, argv, argc, 2);
    box_key_fetch(&bk, ctx, argv[1], mode);
    if (!send_args_take(&spec, &args, ctx, kind, argv + 1, 1)) {
        box_key_close(&bk);
        return reply_args_error(ctx, &args);
    }
    if (!box_key_check_or_reply(&bk))
        return RM_OK;
    if (check_or_reply(&bk, &args, &spec)) {
        send_run(&bk, &args, &spec, &result);
        send_reply(ctx, &args, &spec, &result);
    } else {
        box_key_close(&bk);
    }
    scratch_shrink();
    return RM_OK;
}

/* NOTIFY.SEND key title [option …] */
int cmd_send(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    return send_one(ctx, argv, argc, SEND_A_NOTIFICATION);
}

/* NOTIFY.EVENT key name [option …] */
int cmd_event(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    return send_one(ctx, argv, argc, SEND_AN_EVENT);
}

/* NOTIFY.SIGNAL key name [option …] */
int cmd_signal(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    return send_one(ctx, argv, argc, SEND_A_SIGNAL);
}

/* ---- many ---- */

enum { FIRST_KEY = 2 };

/* Of each key: its name, the user's permission, its type, and that an explicit ID fits. */
static bool check_key_or_reply(struct rm_ctx *ctx, struct args *args, struct send_spec *spec,
                               struct rm_string **keys, size_t index)
{
    struct rm_string *key = keys[index];
    struct box_key bk;
    bool fits;

    if (!send_args_choose_checked(spec, args, keys, index)) {
        (void)reply_args_error(ctx, args);
        return false;
    }
    if (send_publishes(spec, ctx) && !publish_permitted_or_reply(ctx, key))
        return false;
    if (!box_key_open_or_reply(&bk, ctx, key, RM_READ | RM_WRITE)) /* a look that is not counted */
        return false;
    fits = send_check_box(&bk, args, spec);
    box_key_close(&bk);
    if (!fits)
        (void)reply_args_error(ctx, args);
    return fits;
}

/* A box takes an ID once. The second of the same key would be refused when the first is stored and
 * published already, unless NX skips it or IDEMPOTENT finds the first. */
static bool check_distinct(struct args *args, const struct send_spec *spec, uint64_t count)
{
    return !send_has(spec, SEND_ID) || send_has(spec, SEND_NX) || send_has(spec, SEND_IDEMPOTENT) ||
           args_check_distinct(args, FIRST_KEY, (size_t)count, "each key of an ID");
}

/* So many long entries would keep everybody waiting. */
static bool check_bytes(struct args *args, const struct send_spec *spec, uint64_t count)
{
    uint64_t max = LIMIT_SENDMANY_BYTES / (spec->entry.body.len + 1);

    return count == 1 || !limits_forbid(count, max) ||
           args_fail(args, "ERR numkeys must be at most %" PRIu64 " for an entry of %zu bytes", max,
                     spec->entry.body.len);
}

static bool check_keys_or_reply(struct rm_ctx *ctx, struct args *args, struct send_spec *spec,
                                struct rm_string **keys, uint64_t count)
{
    if ((!replay_now() && !check_distinct(args, spec, count)) ||
        !send_args_make_entry(spec, args) || !check_bytes(args, spec, count)) {
        (void)reply_args_error(ctx, args);
        return false;
    }
    for (size_t i = 0; i < count && !replay_now(); i++)
        if (!check_key_or_reply(ctx, args, spec, keys, i))
            return false;
    return true;
}

/* What is needed for many keys. */
struct many {
    struct send_result *results; /* owned */
    struct rm_string **effect;   /* owned: the words of the one effect. NULL: each has its own */
};

static bool many_init(struct many *many, const struct send_spec *spec, size_t count)
{
    bool is_one = count > 1 && send_effect_is_one();

    many->effect = NULL;
    many->results = mem_try_alloc(count * sizeof many->results[0]);
    if (is_one)
        many->effect = mem_try_alloc(send_effect_room(spec, count) * sizeof many->effect[0]);
    return many->results != NULL && (many->effect != NULL || !is_one);
}

static void many_release(struct many *many)
{
    mem_free(many->results);
    mem_free(many->effect);
}

/* All is sent before the reply begins: in Redis 7.0 a message to this very client would else be
 * written into the middle of it. */
static void send_all(struct rm_ctx *ctx, struct args *args, struct send_spec *spec,
                     struct rm_string **keys, struct many *many, size_t count)
{
    struct send_result *results = many->results;
    struct box_key bk;

    spec->replicates_later = many->effect != NULL;
    for (size_t i = 0; i < count; i++) {
        results[i] = (struct send_result){.outcome = SEND_FAILED};
        send_args_choose(spec, keys, i);
        if (box_key_open_or_reply(&bk, ctx, keys[i], RM_READ | RM_WRITE)) /* its type was checked */
            send_run(&bk, args, spec, &results[i]);
    }
    if (many->effect != NULL)
        send_effect_replicate_many(ctx, spec, keys, results, count, many->effect);
    rm_ReplyWithArray(ctx, (long)count);
    for (size_t i = 0; i < count; i++)
        send_reply(ctx, args, spec, &results[i]);
}

/* The key specification says the same, but to find the node of a cluster no server looks at one
 * that counts keys: without this SENDMANY would run on any node. */
static int tell_keys(struct rm_ctx *ctx, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        rm_KeyAtPosWithFlags(ctx, FIRST_KEY + (int)i, RM_KEY_RW | RM_KEY_INSERT);
    return RM_OK;
}

/* NOTIFY.SENDMANY numkeys key [key …] title [option …] */
int cmd_sendmany(struct rm_ctx *ctx, struct rm_string **argv, int argc)
{
    struct rm_string **keys = argv + FIRST_KEY;
    struct send_spec spec;
    struct many many;
    struct args args;
    uint64_t count;
    bool counted;

    args_init(&args, argv, argc, 1);
    counted = args_take_count(&args, "numkeys", "keys", (uint64_t)argc - 3, &count);
    if (rm_IsKeysPositionRequest(ctx))
        return tell_keys(ctx, counted ? count : 0);
    if (!counted || !args_check_count(&args, (size_t)count, LIMIT_KEYS, "keys"))
        return reply_args_error(ctx, &args);
    args.pos += (int)count;
    if (!send_args_take(&spec, &args, ctx, SEND_TO_MANY, keys, (size_t)count))
        return reply_args_error(ctx, &args);
    if (!many_init(&many, &spec, (size_t)count))
        (void)reply_no_memory(ctx);
    else if (check_keys_or_reply(ctx, &args, &spec, keys, count))
        send_all(ctx, &args, &spec, keys, &many, (size_t)count);
    many_release(&many);
    scratch_shrink();
    return RM_OK;
}
