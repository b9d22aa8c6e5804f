/* Random commands on a session set beside a plain array that does the same the slow way. Each step
 * works as the commands do: on a copy without the expired connections. After it the set must be
 * sound and like the array; its difference, applied to a copy of the set before, must give the set
 * after; and a watcher that heard all messages must know exactly the sessions that are there. Every
 * now and then memory runs out.
 *
 * NOTIFY_MODEL_STEPS sets the steps per seed, NOTIFY_MODEL_SEEDS the number of seeds. */
#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "mem_testing.h"
#include "random_testing.h"
#include "sessions/sessions_diff.h"
#include "sessions_testing.h"

#define IDS 24       /* different connections */
#define SESSIONS 6   /* different sessions */
#define NODES 3      /* different nodes; 0: none */
#define LEASE_MAX 60 /* a step takes one millisecond on average */

struct model_connection {
    int session, id, node, meta;
    uint64_t lease_ms, opened_ms;
};

struct model {
    struct model_connection list[IDS];
    size_t count;
    bool known[SESSIONS]; /* what a watcher believes */
    uint64_t now;
    struct sessions *set;
};

static const char *metas[] = {"", "1", "{\"agent\":\"something longer, so that records move\"}"};

/* ---- the slow way ---- */

static void model_remove_at(struct model *m, size_t at)
{
    memmove(&m->list[at], &m->list[at + 1], (--m->count - at) * sizeof(m->list[0]));
}

static void model_sweep(struct model *m, const struct model_connection *keep)
{
    for (size_t i = m->count; i-- > 0;) {
        const struct model_connection *c = &m->list[i];
        bool kept = keep != NULL && keep->id == c->id && keep->session == c->session;
        if (c->lease_ms <= m->now && !kept)
            model_remove_at(m, i);
    }
}

static void model_put(struct model *m, const struct model_connection *c)
{
    size_t end = m->count;

    for (size_t i = 0; i < m->count; i++) {
        if (m->list[i].id == c->id) {
            m->list[i] = *c;
            return;
        }
        if (m->list[i].session == c->session)
            end = i + 1;
    }
    memmove(&m->list[end + 1], &m->list[end], (m->count++ - end) * sizeof(m->list[0]));
    m->list[end] = *c;
}

/* ---- the set ---- */

struct names {
    char session[8], id[8], node[8];
};

static struct sessions_connection real(const struct model_connection *c, struct names *names)
{
    snprintf(names->session, sizeof(names->session), "s%d", c->session);
    snprintf(names->id, sizeof(names->id), "c%d", c->id);
    snprintf(names->node, sizeof(names->node), "n%d", c->node);
    return (struct sessions_connection){
        .session = notify_str_z(names->session),
        .connection = notify_str_z(names->id),
        .node = c->node == 0 ? notify_str_of(NULL, 0) : notify_str_z(names->node),
        .meta = notify_str_z(metas[c->meta]),
        .lease_ms = c->lease_ms,
        .opened_ms = c->opened_ms,
    };
}

static void compare(const struct model *m)
{
    struct sessions_iter iter = SESSIONS_ITER(m->set, SESSIONS_ALL);
    struct sessions_connection found;
    size_t live = 0, sessions = 0;
    int last = -1;

    cr_assert(sessions_verify(m->set));
    cr_assert_eq(sessions_length(m->set), m->count);
    for (size_t i = 0; i < m->count; i++) {
        struct names names;
        struct sessions_connection wanted = real(&m->list[i], &names);
        cr_assert(sessions_iter_next(&iter, &found));
        cr_assert(test_connections_equal(&wanted, &found), "connection %zu", i);
        if (m->list[i].lease_ms <= m->now)
            continue;
        live++;
        sessions += m->list[i].session != last;
        last = m->list[i].session;
    }
    cr_assert_eq(sessions_count(m->set, m->now).connections, live);
    cr_assert_eq(sessions_count(m->set, m->now).sessions, sessions);
}

/* ---- differences and messages ---- */

static void on_close(void *ctx, const struct sessions_connection *c)
{
    cr_assert(sessions_remove(*(struct sessions **)ctx, c->connection));
}

static void on_put(void *ctx, const struct sessions_connection *c)
{
    cr_assert_geq(sessions_put(ctx, c), 0);
}

static void on_lease(void *ctx, const struct sessions_connection *c)
{
    cr_assert(sessions_set_lease(*(struct sessions **)ctx, c->connection, c->lease_ms));
}

static void check_difference(const struct sessions *before, const struct sessions *after)
{
    static const struct sessions_diff_handler handler = {on_close, on_put, on_lease};
    struct sessions *repeated = sessions_copy(before);

    sessions_diff(before, after, &handler, &repeated);
    cr_assert(test_sessions_equal(repeated, after));
    sessions_free(repeated);
}

static int session_number(struct notify_str session)
{
    return session.ptr[1] - '0';
}

static void on_left(void *ctx, struct notify_str session)
{
    bool *known = ctx;

    cr_assert(known[session_number(session)], "who leaves was there");
    known[session_number(session)] = false;
}

static void on_joined(void *ctx, struct notify_str session)
{
    bool *known = ctx;

    cr_assert_not(known[session_number(session)], "who joins was not there");
    known[session_number(session)] = true;
}

static void check_presence(struct model *m, const struct sessions *before)
{
    bool there[SESSIONS] = {false};

    sessions_each_left(before, m->set, m->now, on_left, m->known);
    sessions_each_joined(before, m->set, m->now, on_joined, m->known);
    for (size_t i = 0; i < m->count; i++)
        there[m->list[i].session] = true;
    cr_assert_arr_eq(m->known, there, sizeof(there));
}

/* ---- steps ---- */

struct sweep {
    uint64_t now;
    const struct sessions_connection *keep;
};

static bool is_over(void *ctx, const struct sessions_connection *c)
{
    const struct sweep *sweep = ctx;

    return c->lease_ms <= sweep->now &&
           (sweep->keep == NULL || !notify_str_eq(sweep->keep->connection, c->connection) ||
            !notify_str_eq(sweep->keep->session, c->session));
}

static void open_one(struct model *m)
{
    struct model_connection c = {
        .session = (int)below(SESSIONS),
        .id = (int)below(IDS),
        .node = (int)below(NODES),
        .meta = (int)below(3),
        .lease_ms = m->now + 1 + below(LEASE_MAX),
        .opened_ms = m->now,
    };
    struct names names;
    struct sessions_connection wanted = real(&c, &names), known;
    struct sweep sweep = {m->now, &wanted};

    if (sessions_find(m->set, wanted.connection, &known) && known.lease_ms > m->now) {
        if (!notify_str_eq(known.session, wanted.session))
            return; /* refused */
        c.opened_ms = wanted.opened_ms = known.opened_ms;
    }
    sessions_remove_if(m->set, is_over, &sweep);
    model_sweep(m, &c);
    cr_assert_geq(sessions_put(&m->set, &wanted), 0);
    model_put(m, &c);
}

static void sweep_all(struct model *m)
{
    struct sweep sweep = {m->now, NULL};

    sessions_remove_if(m->set, is_over, &sweep);
    model_sweep(m, NULL);
}

static void touch_some(struct model *m)
{
    uint64_t lease_ms = m->now + 1 + below(LEASE_MAX);
    size_t step = 1 + below(3);

    sweep_all(m);
    for (size_t i = 0; i < m->count; i += step) {
        struct names names;
        m->list[i].lease_ms = lease_ms;
        cr_assert(sessions_set_lease(m->set, real(&m->list[i], &names).connection, lease_ms));
    }
}

static void close_one(struct model *m)
{
    struct names names;
    size_t at;

    sweep_all(m);
    if (m->count == 0)
        return;
    at = below(m->count);
    cr_assert(sessions_remove(m->set, real(&m->list[at], &names).connection));
    model_remove_at(m, at);
}

static bool is_of_node(void *ctx, const struct sessions_connection *c)
{
    return notify_str_eq(c->node, notify_str_z(ctx));
}

static void drop_node(struct model *m)
{
    char node[] = "n1";
    size_t removed;

    sweep_all(m);
    removed = sessions_remove_if(m->set, is_of_node, node);
    for (size_t i = m->count; i-- > 0;) {
        if (m->list[i].node != 1)
            continue;
        model_remove_at(m, i);
        removed--;
    }
    cr_assert_eq(removed, 0);
}

/* A put that finds no memory must leave everything as it was. */
static void open_without_memory(struct model *m)
{
    struct model_connection c = {.session = 0, .id = IDS, .lease_ms = m->now + 1, .opened_ms = 1};
    struct sessions *before = sessions_copy(m->set);
    struct names names;
    struct sessions_connection wanted = real(&c, &names);

    mem_testing_fail_at(1);
    if (sessions_put(&m->set, &wanted) >= 0)
        cr_assert(sessions_remove(m->set, wanted.connection), "there was room without asking");
    mem_testing_fail_at(0);
    cr_assert(test_sessions_equal(before, m->set));
    sessions_free(before);
}

static void step(struct model *m)
{
    static void (*const steps[])(struct model *) = {
        open_one, open_one, open_one, open_one, touch_some, touch_some, close_one, sweep_all,
    };
    struct sessions *before = m->set;
    uint64_t which = below(100);

    m->now += below(3);
    m->set = sessions_copy(before);
    if (which == 0)
        drop_node(m);
    else if (which < 4)
        open_without_memory(m);
    else
        steps[which % 8](m);
    compare(m);
    check_difference(before, m->set);
    check_presence(m, before);
    sessions_free(before);
}

Test(sessions_model, random_commands_do_what_the_slow_way_does, .timeout = 0)
{
    uint64_t steps = setting("NOTIFY_MODEL_STEPS", 20000);
    uint64_t seeds = setting("NOTIFY_MODEL_SEEDS", 5);

    for (uint64_t seed = 1; seed <= seeds; seed++) {
        struct model m = {.now = 1000};
        random_begin(seed);
        mem_testing_install(seed % 2 == 0);
        m.set = sessions_new();
        for (uint64_t i = 0; i < steps; i++)
            step(&m);
        sessions_free(m.set);
        cr_assert_eq(mem_testing_live, 0);
    }
}
