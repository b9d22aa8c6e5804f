/* sessions_effect -- see sessions_effect.h. */
#include "server/sessions_effect.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "sessions/sessions_diff.h"

enum { HEAD_WORDS = 3, PUT_WORDS = 8, LEASE_WORDS = 3, CLOSE_WORDS = 2 };
_Static_assert((int)PUT_WORDS >= (int)LEASE_WORDS, "room is made for the longest change");

/* ---- writing ---- */

static void add_word(struct sessions_effect *effect, struct notify_str text)
{
    assert(effect->count < effect->room);
    effect->words[effect->count++] = rm_CreateString(NULL, text.len == 0 ? "" : text.ptr, text.len);
}

static void add_number(struct sessions_effect *effect, uint64_t value)
{
    char text[24];

    add_word(effect, notify_str_of(text, (size_t)snprintf(text, sizeof text, "%" PRIu64, value)));
}

bool sessions_effect_init(struct sessions_effect *effect, struct notify_str key, uint64_t rev,
                          size_t removals, size_t others)
{
    size_t room = HEAD_WORDS + removals * CLOSE_WORDS + others * PUT_WORDS;

    *effect = (struct sessions_effect){.words = rm_TryAlloc(room * sizeof(*effect->words))};
    if (effect->words == NULL)
        return false;
    effect->room = room;
    add_word(effect, NOTIFY_STR("APPLY"));
    add_word(effect, key);
    add_number(effect, rev);
    return true;
}

void sessions_effect_release(struct sessions_effect *effect)
{
    for (size_t i = 0; i < effect->count; i++)
        rm_FreeString(NULL, effect->words[i]);
    if (effect->words != NULL)
        rm_Free(effect->words);
    *effect = (struct sessions_effect){NULL, 0, 0};
}

void sessions_effect_add_put(struct sessions_effect *effect,
                             const struct sessions_connection *connection)
{
    add_word(effect, NOTIFY_STR("PUT"));
    add_word(effect, connection->session);
    add_word(effect, connection->connection);
    add_number(effect, connection->lease_ms);
    add_number(effect, connection->opened_ms);
    add_word(effect, connection->node);
    add_word(effect, connection->addr);
    add_word(effect, connection->meta);
}

static void on_put(void *ctx, const struct sessions_connection *connection)
{
    sessions_effect_add_put(ctx, connection);
}

static void on_lease(void *ctx, const struct sessions_connection *connection)
{
    add_word(ctx, NOTIFY_STR("LEASE"));
    add_word(ctx, connection->connection);
    add_number(ctx, connection->lease_ms);
}

static void on_close(void *ctx, const struct sessions_connection *connection)
{
    add_word(ctx, NOTIFY_STR("CLOSE"));
    add_word(ctx, connection->connection);
}

void sessions_effect_add_diff(struct sessions_effect *effect, const struct sessions *before,
                              const struct sessions *after)
{
    static const struct sessions_diff_handler handler = {on_close, on_put, on_lease};

    sessions_diff(before, after, &handler, effect);
}

/* ---- applying ---- */

static int apply_put(struct sessions **set, struct args *args)
{
    struct sessions_connection c = {.lease_ms = 0};
    int rc;

    if (!args_take_str(args, "session", &c.session) ||
        !args_take_str(args, "connection", &c.connection) ||
        !args_take_number(args, "lease", 1, SESSIONS_TIME_MAX, &c.lease_ms) ||
        !args_take_number(args, "opened", 1, SESSIONS_TIME_MAX, &c.opened_ms) ||
        !args_take_str(args, "node", &c.node) || !args_take_str(args, "addr", &c.addr) ||
        !args_take_str(args, "meta", &c.meta))
        return -EINVAL;
    rc = sessions_put(set, &c);
    if (rc == -EEXIST) {
        sessions_remove(*set, c.connection);
        rc = sessions_put(set, &c);
    }
    if (rc == -EINVAL)
        args_fail(args, "ERR PUT must name a connection as OPEN takes it, with META minified");
    else if (rc == -ENOSPC)
        args_fail(args, "LIMIT too many connections: a session set holds at most %d",
                  SESSIONS_CONNECTIONS_MAX);
    return rc >= 0 || rc == -ENOMEM ? rc : -EINVAL;
}

static int apply_lease(struct sessions **set, struct args *args)
{
    struct notify_str connection;
    uint64_t lease_ms;

    if (!args_take_str(args, "connection", &connection) ||
        !args_take_number(args, "lease", 1, SESSIONS_TIME_MAX, &lease_ms))
        return -EINVAL;
    (void)sessions_set_lease(*set, connection, lease_ms); /* it may have expired with its key */
    return 0;
}

static int apply_close(struct sessions **set, struct args *args)
{
    struct notify_str connection;

    if (!args_take_str(args, "connection", &connection))
        return -EINVAL;
    (void)sessions_remove(*set, connection);
    return 0;
}

static const struct {
    const char *name;
    int (*apply)(struct sessions **set, struct args *args);
} changes[] = {
    {"PUT", apply_put},
    {"LEASE", apply_lease},
    {"CLOSE", apply_close},
};
enum { CHANGES = sizeof changes / sizeof changes[0] };

static int apply_next(struct sessions **set, struct args *args)
{
    for (int i = 0; i < CHANGES; i++)
        if (args_take_keyword(args, changes[i].name))
            return changes[i].apply(set, args);
    args_fail_value(args, "change", "PUT, LEASE or CLOSE", args_at(args, args->pos));
    return -EINVAL;
}

int sessions_effect_apply(struct sessions **set, struct args *args)
{
    uint64_t rev;
    int rc = 0;

    if (!args_take_number(args, "rev", 0, UINT64_MAX, &rev))
        return -EINVAL;
    while (rc >= 0 && !args_done(args))
        rc = apply_next(set, args);
    if (rc < 0)
        return rc;
    sessions_set_rev(*set, rev);
    return 0;
}
