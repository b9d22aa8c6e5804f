/* sessions_effect -- see sessions_effect.h. */
#include "server/sessions_effect.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "sessions/sessions_lookup.h"
#include "sessions/sessions_plan.h"

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

bool sessions_effect_init(struct sessions_effect *effect, size_t removals, size_t others)
{
    size_t room = HEAD_WORDS + removals * CLOSE_WORDS + others * PUT_WORDS;

    *effect = (struct sessions_effect){.words = mem_try_alloc(room * sizeof(*effect->words))};
    effect->room = effect->words == NULL ? 0 : room;
    return effect->words != NULL;
}

void sessions_effect_begin(struct sessions_effect *effect, struct notify_str key, uint64_t rev)
{
    add_word(effect, NOTIFY_STR("APPLY"));
    add_word(effect, key);
    add_number(effect, rev);
}

void sessions_effect_release(struct sessions_effect *effect)
{
    for (size_t i = 0; i < effect->count; i++)
        rm_FreeString(NULL, effect->words[i]);
    if (effect->words != NULL)
        mem_free(effect->words);
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

void sessions_effect_add_plan(struct sessions_effect *effect, const struct sessions *set)
{
    static const struct sessions_plan_handler handler = {on_close, on_put, on_lease};

    sessions_plan_tell(set, &handler, effect);
}

/* ---- applying ---- */

/* Removals wait, noted as a plan, until a connection is put or all is done, and the lookup lives so
 * long: both would make one of many changes as expensive as the set is large. */
struct application {
    struct sessions **set;
    struct args *args;
    struct sessions_lookup lookup;
    bool has_lookup; /* and there may be a plan */
};

static uint32_t find(struct application *application, struct notify_str connection)
{
    const struct args *args = application->args;

    if (!application->has_lookup)
        sessions_lookup_init(&application->lookup, *application->set,
                             (size_t)(args->argc - args->pos) / LEASE_WORDS + 1);
    application->has_lookup = true;
    return sessions_lookup_find(&application->lookup, connection);
}

/* Connections have their places again. */
static void settle(struct application *application)
{
    if (!application->has_lookup)
        return;
    sessions_lookup_release(&application->lookup);
    application->has_lookup = false;
    sessions_plan_end(*application->set);
}

static int put(struct application *application, const struct sessions_connection *c)
{
    int rc;

    settle(application);
    rc = sessions_put(application->set, c);
    if (rc != -EEXIST)
        return rc;
    sessions_remove(*application->set, c->connection);
    return sessions_put(application->set, c);
}

static int apply_put(struct application *application)
{
    struct args *args = application->args;
    struct sessions_connection c = {.lease_ms = 0};
    int rc;

    if (!args_take_str(args, "session", &c.session) ||
        !args_take_str(args, "connection", &c.connection) ||
        !args_take_number(args, "lease", 1, SESSIONS_TIME_MAX, &c.lease_ms) ||
        !args_take_number(args, "opened", 1, SESSIONS_TIME_MAX, &c.opened_ms) ||
        !args_take_str(args, "node", &c.node) || !args_take_str(args, "addr", &c.addr) ||
        !args_take_str(args, "meta", &c.meta))
        return -EINVAL;
    rc = put(application, &c);
    if (rc == -EINVAL)
        args_fail(args, "ERR PUT must name a connection as OPEN takes it, with META minified");
    else if (rc == -ENOSPC)
        args_fail(args, "LIMIT too many connections: a session set holds at most %d",
                  LIMIT_CONNECTIONS);
    return rc >= 0 || rc == -ENOMEM ? rc : -EINVAL;
}

static int apply_lease(struct application *application)
{
    struct args *args = application->args;
    struct notify_str connection;
    uint64_t lease_ms;
    uint32_t index;

    if (!args_take_str(args, "connection", &connection) ||
        !args_take_number(args, "lease", 1, SESSIONS_TIME_MAX, &lease_ms))
        return -EINVAL;
    index = find(application, connection);
    if (index != SESSIONS_NOWHERE) /* it may have expired with its key */
        sessions_plan_lease(*application->set, index, lease_ms);
    return 0;
}

static int apply_close(struct application *application)
{
    struct notify_str connection;
    uint32_t index;

    if (!args_take_str(application->args, "connection", &connection))
        return -EINVAL;
    index = find(application, connection);
    if (index != SESSIONS_NOWHERE)
        sessions_plan_remove(*application->set, index);
    return 0;
}

static const struct {
    const char *name;
    int (*apply)(struct application *application);
} changes[] = {
    {"PUT", apply_put},
    {"LEASE", apply_lease},
    {"CLOSE", apply_close},
};
enum { CHANGES = sizeof changes / sizeof changes[0] };

static int apply_next(struct application *application);

/* A change that an older module may do without: this one does if it does not know it. */
static int apply_part(struct application *application)
{
    struct args *args = application->args;
    struct args part;
    int rc = 0;

    if (!args_take_may(args, &part))
        return -EINVAL;
    application->args = &part;
    for (int i = 0; i < CHANGES; i++)
        if (args_is_keyword(args_at(&part, part.pos), notify_str_z(changes[i].name)))
            rc = apply_next(application);
    application->args = args;
    if (rc < 0)
        args_fail(args, "%s", part.error);
    return rc;
}

static int apply_next(struct application *application)
{
    struct args *args = application->args;

    if (args_is_option(args_at(args, args->pos), NULL, 0))
        return apply_part(application);
    for (int i = 0; i < CHANGES; i++)
        if (args_take_keyword(args, changes[i].name))
            return changes[i].apply(application);
    args_fail_value(args, "change", "PUT, LEASE or CLOSE", args_at(args, args->pos));
    return -EINVAL;
}

int sessions_effect_apply(struct sessions **set, struct args *args)
{
    struct application application = {.set = set, .args = args};
    uint64_t rev;
    int rc = 0;

    if (!args_take_number(args, "rev", 0, UINT64_MAX, &rev))
        return -EINVAL;
    while (rc >= 0 && !args_done(args))
        rc = apply_next(&application);
    settle(&application);
    if (rc < 0)
        return rc;
    sessions_set_rev(*set, rev);
    return 0;
}
