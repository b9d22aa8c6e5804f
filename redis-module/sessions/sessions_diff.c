/* sessions_diff -- see sessions_diff.h. */
#include "sessions/sessions_diff.h"

/* Is there the same connection, its id in the same session, from here on? If so, moves behind it.
 */
static bool find_from(struct sessions_iter *iter, const struct sessions_connection *c,
                      struct sessions_connection *ret)
{
    struct sessions_iter ahead = *iter;

    while (sessions_iter_next(&ahead, ret)) {
        if (!notify_str_eq(ret->connection, c->connection) ||
            !notify_str_eq(ret->session, c->session))
            continue;
        *iter = ahead;
        return true;
    }
    return false;
}

/* The same anywhere in the other set. Sets are nearly alike and in the same order: mostly it stands
 * next, so that comparing two sets is one walk through both. */
static bool find_same(struct sessions_iter *iter, const struct sessions_connection *c,
                      struct sessions_connection *ret)
{
    struct sessions_iter start = SESSIONS_ITER(iter->set, SESSIONS_ALL);

    return find_from(iter, c, ret) || (iter->at > 0 && find_from(&start, c, ret));
}

static bool differs_beside_lease(const struct sessions_connection *a,
                                 const struct sessions_connection *b)
{
    return a->opened_ms != b->opened_ms || !notify_str_eq(a->node, b->node) ||
           !notify_str_eq(a->addr, b->addr) || !notify_str_eq(a->meta, b->meta);
}

static void tell_closed(const struct sessions *before, const struct sessions *after,
                        const struct sessions_diff_handler *handler, void *ctx)
{
    struct sessions_iter iter = SESSIONS_ITER(before, SESSIONS_ALL);
    struct sessions_iter there = SESSIONS_ITER(after, SESSIONS_ALL);
    struct sessions_connection c, other;

    while (sessions_iter_next(&iter, &c))
        if (!find_same(&there, &c, &other))
            handler->on_close(ctx, &c);
}

void sessions_diff(const struct sessions *before, const struct sessions *after,
                   const struct sessions_diff_handler *handler, void *ctx)
{
    struct sessions_iter iter = SESSIONS_ITER(after, SESSIONS_ALL);
    struct sessions_iter there = SESSIONS_ITER(before, SESSIONS_ALL);
    struct sessions_connection c, other;

    tell_closed(before, after, handler, ctx);
    while (sessions_iter_next(&iter, &c)) {
        if (!find_same(&there, &c, &other) || differs_beside_lease(&other, &c))
            handler->on_put(ctx, &c);
        else if (other.lease_ms != c.lease_ms)
            handler->on_lease(ctx, &c);
    }
}

/* The sessions of set that have a connection without a live counterpart in other, or that is not
 * live itself; once each. Only these can have come or gone. */
static void each_candidate(const struct sessions *set, const struct sessions *other,
                           uint64_t set_now_ms, uint64_t other_now_ms, sessions_session_fn check,
                           void *ctx)
{
    struct sessions_iter iter = SESSIONS_ITER(set, SESSIONS_ALL);
    struct sessions_iter there = SESSIONS_ITER(other, SESSIONS_ALL);
    struct notify_str last = {NULL, 0};
    struct sessions_connection c, same;

    while (sessions_iter_next(&iter, &c)) {
        bool stays =
            find_same(&there, &c, &same) && same.lease_ms > other_now_ms && c.lease_ms > set_now_ms;
        if (stays || notify_str_eq(c.session, last))
            continue;
        last = c.session;
        check(ctx, c.session);
    }
}

struct presence {
    const struct sessions *before, *after;
    uint64_t now_ms;
    sessions_session_fn on_session;
    void *ctx;
};

static bool is_in(const struct sessions *set, struct notify_str session, uint64_t now_ms)
{
    return set != NULL && sessions_connections_of(set, session, now_ms) > 0;
}

static void check_left(void *ctx, struct notify_str session)
{
    const struct presence *p = ctx;

    if (!is_in(p->after, session, SESSIONS_ALL) || !is_in(p->before, session, p->now_ms))
        p->on_session(p->ctx, session);
}

void sessions_each_left(const struct sessions *before, const struct sessions *after,
                        uint64_t now_ms, sessions_session_fn on_session, void *ctx)
{
    struct presence p = {before, after, now_ms, on_session, ctx};

    each_candidate(before, after, now_ms, SESSIONS_ALL, check_left, &p);
}

static void check_joined(void *ctx, struct notify_str session)
{
    const struct presence *p = ctx;

    if (!is_in(p->before, session, p->now_ms))
        p->on_session(p->ctx, session);
}

void sessions_each_joined(const struct sessions *before, const struct sessions *after,
                          uint64_t now_ms, sessions_session_fn on_session, void *ctx)
{
    struct presence p = {before, after, now_ms, on_session, ctx};

    each_candidate(after, before, SESSIONS_ALL, now_ms, check_joined, &p);
}

void sessions_each_live(const struct sessions *set, uint64_t now_ms, sessions_session_fn on_session,
                        void *ctx)
{
    struct sessions_iter iter = SESSIONS_ITER(set, now_ms);
    struct notify_str last = {NULL, 0};
    struct sessions_connection c;

    while (sessions_iter_next(&iter, &c)) {
        if (!notify_str_eq(c.session, last))
            on_session(ctx, c.session);
        last = c.session;
    }
}
