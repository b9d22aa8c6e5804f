/* sessions_type -- see sessions_type.h.
 *
 * RDB: the bytes of sessions_save as one string, under encoding version 1. AOF: NOTIFY.SESSION
 * APPLY commands with a bounded number of connections each; the server adds the key's TTL. */
#include "server/sessions_type.h"

#include "server/defrag.h"
#include "server/info.h"
#include "sessions/sessions.h"
#include "server/sessions_effect.h"
#include "server/sessions_gone.h"
#include "server/unlinked.h"
#include "server/unsaved.h"

enum {
    ENCODING_VERSION = 1,
    REWRITE_CONNECTIONS_MAX = 64 /* in one command of a rewritten AOF: 300 KB at most */
};

static struct rm_type *type;

struct rm_type *sessions_type_get(void)
{
    return type;
}

/* ---- RDB ---- */

static void on_rdb_save(struct rm_io *io, void *value)
{
    struct text_buf payload = TEXT_BUF_INIT;

    sessions_save(value, &payload);
    if (payload.failed)
        unsaved_abort(io, "a session set");
    rm_SaveStringBuffer(io, payload.ptr, payload.len);
    text_buf_release(&payload);
}

static void *on_rdb_load(struct rm_io *io, int encver)
{
    const char *why = "an encoding version that this module does not know";
    struct sessions *set = NULL;
    char *payload = NULL;
    size_t len = 0;

    if (encver == ENCODING_VERSION) {
        payload = rm_LoadStringBuffer(io, &len);
        if (payload == NULL || rm_IsIOError(io))
            why = "it ends early";
        else
            set = sessions_load(notify_str_of(payload, len), &why);
    }
    if (payload != NULL)
        rm_Free(payload);
    if (set == NULL) {
        info_count(INFO_LOADS_REFUSED, 1);
        rm_LogIOError(
            io, "warning",
            "refused a notifyses: %s (is it of a newer notify.so? See notify.write-version)", why);
    }
    return set;
}

/* ---- AOF ---- */

/* The next connections in one command. */
static void emit_part(struct rm_io *io, struct rm_string *key, struct sessions_iter *iter,
                      size_t count)
{
    struct sessions_effect effect;
    struct sessions_connection c;

    if (!sessions_effect_init(&effect, 0, count))
        unsaved_abort(io, "a session set");
    sessions_effect_begin(&effect, rm_str(key), sessions_rev(iter->set));
    for (; count > 0 && sessions_iter_next(iter, &c); count--)
        sessions_effect_add_put(&effect, &c);
    rm_EmitAOF(io, SESSIONS_EFFECT_COMMAND, "v", effect.words, effect.count);
    sessions_effect_release(&effect);
}

static void on_aof_rewrite(struct rm_io *io, struct rm_string *key, void *value)
{
    struct sessions_iter iter = SESSIONS_ITER(value, SESSIONS_ALL);
    size_t left = sessions_length(value);

    while (left > 0) {
        size_t count = left < REWRITE_CONNECTIONS_MAX ? left : REWRITE_CONNECTIONS_MAX;
        emit_part(io, key, &iter, count);
        left -= count;
    }
}

/* ---- the rest ---- */

static void on_free(void *value)
{
    sessions_free(value);
}

static void on_unlink(struct rm_optctx *ctx, const void *value)
{
    sessions_gone_note(value);
    unlinked_note(ctx, UNLINKED_SESSIONS, sessions_rev(value));
}

static size_t on_mem_usage(struct rm_optctx *ctx, const void *value, size_t sample_size)
{
    (void)ctx, (void)sample_size;
    return sessions_bytes(value);
}

static size_t on_free_effort(struct rm_optctx *ctx, const void *value)
{
    (void)ctx;
    return sessions_allocations(value);
}

static void *on_copy(struct rm_optctx *ctx, const void *value)
{
    (void)ctx;
    return sessions_copy(value);
}

static void digest_str(struct rm_digest *digest, struct notify_str text)
{
    rm_DigestAddStringBuffer(digest, text.len == 0 ? "" : text.ptr, text.len);
}

static void on_digest(struct rm_digest *digest, void *value)
{
    struct sessions_iter iter = SESSIONS_ITER(value, SESSIONS_ALL);
    struct sessions_connection c;

    rm_DigestAddLongLong(digest, (long long)sessions_rev(value));
    rm_DigestEndSequence(digest);
    while (sessions_iter_next(&iter, &c)) {
        digest_str(digest, c.session);
        digest_str(digest, c.connection);
        digest_str(digest, c.node);
        digest_str(digest, c.addr);
        digest_str(digest, c.meta);
        rm_DigestAddLongLong(digest, (long long)c.lease_ms);
        rm_DigestAddLongLong(digest, (long long)c.opened_ms);
        rm_DigestEndSequence(digest);
    }
}

static struct rm_type_methods methods = {
    .version = RM_TYPE_METHODS_VERSION,
    .rdb_load = on_rdb_load,
    .rdb_save = on_rdb_save,
    .aof_rewrite = on_aof_rewrite,
    .digest = on_digest,
    .free = on_free,
    .mem_usage2 = on_mem_usage,
    .free_effort2 = on_free_effort,
    .unlink2 = on_unlink,
    .copy2 = on_copy,
    .defrag = defrag_sessions,
};

bool sessions_type_init(struct rm_ctx *ctx)
{
    type = rm_CreateDataType(ctx, "notifyses", ENCODING_VERSION, &methods);
    return type != NULL;
}
