/* send_effect -- see send_effect.h. */
#include "commands/send_effect.h"

#include <string.h>

#include "base/scratch.h"
#include "base/versions.h"
#include "server/config.h"
#include "server/effect.h"
#include "server/publish.h"
#include "server/replication.h"

static struct rm_string *number_string(struct rm_ctx *ctx, uint64_t value)
{
    char text[24];
    char *end = text + sizeof text;
    char *start = notify_id_put_number(end, value);

    return rm_CreateString(ctx, start, (size_t)(end - start));
}

/* What stands behind the id and the limit, and few have. */
struct tail {
    struct rm_string *words[SEND_EFFECT_TAIL];
    size_t count;
    struct rm_string *own[4]; /* of them; made for this command */
    size_t own_count;
};

static void add_number(struct tail *tail, struct rm_ctx *ctx, uint64_t value)
{
    struct rm_string *text = number_string(ctx, value);

    tail->own[tail->own_count++] = text;
    tail->words[tail->count++] = text;
}

static void tail_init(struct tail *tail, struct rm_ctx *ctx, const struct send_spec *spec)
{
    tail->count = 0;
    tail->own_count = 0;
    if (spec->entry.expire_ms != 0) {
        tail->words[tail->count++] = effect_word(EFFECT_PXAT);
        add_number(tail, ctx, spec->entry.expire_ms);
    }
    if (send_has(spec, SEND_IDEMPOTENT)) {
        tail->words[tail->count++] = effect_word(EFFECT_REMEMBER);
        add_number(tail, ctx, spec->token.at_ms);
        add_number(tail, ctx, spec->token.after_ms);
        add_number(tail, ctx, spec->token.max);
    }
    if (send_has(spec, SEND_NOPUBLISH) || !publish_by_effect())
        tail->words[tail->count++] = effect_word(EFFECT_NOPUBLISH);
}

static void tail_release(struct tail *tail, struct rm_ctx *ctx)
{
    for (size_t i = 0; i < tail->own_count; i++)
        rm_FreeString(ctx, tail->own[i]);
}

enum { AS_MAX = NOTIFY_ID_TEXT_MAX + 1 + 20 + 1 + 10 };

/* id/maxlen[/epoch] in the AS_MAX bytes before end; each word takes the server a twentieth of what
 * a SEND takes it in all. */
static struct notify_str as_text(char *end, const struct send_result *result)
{
    struct notify_str id = scratch_id(result->id);
    char *at = end;

    if (result->epoch != 0) {
        at = notify_id_put_number(at, result->epoch);
        *--at = '/';
    }
    at = notify_id_put_number(at, result->maxlen);
    *--at = '/';
    at -= id.len;
    memcpy(at, id.ptr, id.len);
    return notify_str_of(at, (size_t)(end - at));
}

static void replicate_short(struct rm_ctx *ctx, struct send_spec *spec,
                            const struct send_result *result, const struct tail *tail)
{
    char room[AS_MAX];
    struct notify_str as = as_text(room + sizeof(room), result);

    spec->kept[spec->kept_count] = effect_word(EFFECT_AS);
    rm_Replicate(ctx, spec->command, "vbv", spec->kept, spec->kept_count + 1, as.ptr, as.len,
                 tail->words, tail->count);
}

static void replicate_long(struct rm_ctx *ctx, const struct send_spec *spec,
                           const struct send_result *result, const struct tail *tail)
{
    struct notify_str id = scratch_id(result->id);

    rm_Replicate(ctx, spec->command, "vcbclv", spec->kept, spec->kept_count, "ID", id.ptr, id.len,
                 "MAXLEN", (long long)result->maxlen, tail->words, tail->count);
}

static void replicate_one(struct rm_ctx *ctx, struct send_spec *spec,
                          const struct send_result *result)
{
    struct tail tail;

    tail_init(&tail, ctx, spec);
    if (config_writes(WRITE_VERSION_SHORT_SENDS))
        replicate_short(ctx, spec, result, &tail);
    else
        replicate_long(ctx, spec, result, &tail);
    tail_release(&tail, ctx);
}

void send_effect_replicate(struct rm_ctx *ctx, struct send_spec *spec,
                           const struct send_result *result)
{
    if (replication_is_heard(ctx))
        replicate_one(ctx, spec, result);
    else
        rm_ReplicateVerbatim(ctx);
}

/* ---- many ---- */

bool send_effect_is_one(void)
{
    return config_writes(WRITE_VERSION_SHORT_SENDS);
}

size_t send_effect_room(const struct send_spec *spec, size_t count)
{
    return 2 + 2 * count + spec->kept_count + SEND_EFFECT_TAIL;
}

static size_t count_stored(const struct send_result *results, size_t count)
{
    size_t stored = 0;

    for (size_t i = 0; i < count; i++)
        stored += results[i].outcome == SEND_STORED;
    return stored;
}

/* Nobody hears it, or it is one key after all. */
static void replicate_each(struct rm_ctx *ctx, struct send_spec *spec, struct rm_string **keys,
                           const struct send_result *results, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (results[i].outcome != SEND_STORED)
            continue;
        spec->kept[0] = keys[i];
        send_effect_replicate(ctx, spec, &results[i]);
    }
}

/* The keys to which it was sent. */
static struct rm_string **add_keys(struct rm_string **end, struct rm_string **keys,
                                   const struct send_result *results, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (results[i].outcome == SEND_STORED)
            *end++ = keys[i];
    return end;
}

static struct rm_string **add_as(struct rm_ctx *ctx, struct rm_string **end,
                                 const struct send_result *results, size_t count)
{
    char room[AS_MAX];

    for (size_t i = 0; i < count; i++) {
        struct notify_str as;
        if (results[i].outcome != SEND_STORED)
            continue;
        as = as_text(room + sizeof(room), &results[i]);
        *end++ = rm_CreateString(ctx, as.ptr, as.len);
    }
    return end;
}

static void replicate_all(struct rm_ctx *ctx, struct send_spec *spec, struct rm_string **keys,
                          const struct send_result *results, size_t count, size_t stored,
                          struct rm_string **words)
{
    struct rm_string *number = number_string(ctx, stored);
    struct rm_string **end = words;
    struct rm_string **as;
    struct tail tail;

    tail_init(&tail, ctx, spec);
    *end++ = number;
    end = add_keys(end, keys, results, count);
    for (size_t i = 1; i < spec->kept_count; i++)
        *end++ = spec->kept[i];
    *end++ = effect_word(EFFECT_AS);
    as = end;
    end = add_as(ctx, end, results, count);
    for (size_t i = 0; i < tail.count; i++)
        *end++ = tail.words[i];
    rm_Replicate(ctx, "NOTIFY.SENDMANY", "v", words, (size_t)(end - words));
    for (size_t i = 0; i < stored; i++)
        rm_FreeString(ctx, as[i]);
    rm_FreeString(ctx, number);
    tail_release(&tail, ctx);
    /* For the server's save points each key is a change; nobody is sent these. */
    for (size_t i = 1; i < stored; i++)
        rm_Replicate(ctx, "NOTIFY.SEND", "ARs", words[i]);
}

void send_effect_replicate_many(struct rm_ctx *ctx, struct send_spec *spec, struct rm_string **keys,
                                const struct send_result *results, size_t count,
                                struct rm_string **words)
{
    size_t stored = count_stored(results, count);

    if (stored > 1 && replication_is_heard(ctx))
        replicate_all(ctx, spec, keys, results, count, stored, words);
    else
        replicate_each(ctx, spec, keys, results, count);
}
