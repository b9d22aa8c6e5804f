/* Random commands on a session set beside a plain array that does the same the slow way. Each step
 * works as the commands do: it notes what it is about to do, beginning with the connections that
 * have expired. What is then told, applied to a copy of the set before, must give the set after; a
 * watcher that heard all messages must know exactly the sessions that are there; a plan that is
 * dropped must leave no trace. Every now and then memory runs out.
 *
 * NOTIFY_MODEL_STEPS sets the steps per seed, NOTIFY_MODEL_SEEDS the number of seeds. */
#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "mem_testing.h"
#include "random_testing.h"
#include "sessions/sessions_lookup.h"
#include "sessions/sessions_plan.h"
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

/* ---- telling ---- */

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

/* What replicas are told makes the same of the set before. */
static void repeat(const struct model *m, struct sessions **before)
{
    static const struct sessions_plan_handler handler = {on_close, on_put, on_lease};

    sessions_plan_tell(m->set, &handler, before);
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

static void on_live(void *ctx, struct notify_str session)
{
    ((bool *)ctx)[session_number(session)] = true;
}

static void tell_watcher(struct model *m)
{
    sessions_plan_each(m->set, m->now, SESSIONS_LEFT, on_left, m->known);
    sessions_plan_each(m->set, m->now, SESSIONS_JOINED, on_joined, m->known);
}

/* Unless something has expired that no command has looked at yet. */
static void check_watcher(const struct model *m)
{
    bool there[SESSIONS] = {false};

    for (size_t i = 0; i < m->count; i++) {
        if (m->list[i].lease_ms <= m->now)
            return;
        there[m->list[i].session] = true;
    }
    cr_assert_arr_eq(m->known, there, sizeof(there));
}

/* ---- steps: each notes in the set what it does, and does it in the model ---- */

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

    sessions_plan_sweep(m->set, m->now, &wanted);
    if (sessions_find(m->set, wanted.connection, &known) &&
        !notify_str_eq(known.session, wanted.session)) {
        cr_assert_eq(sessions_plan_put(&m->set, &wanted, m->now), -EEXIST);
        sessions_plan_drop(m->set);
        return;
    }
    if (sessions_find(m->set, wanted.connection, &known) && known.lease_ms > m->now)
        c.opened_ms = wanted.opened_ms = known.opened_ms;
    cr_assert_geq(sessions_plan_put(&m->set, &wanted, m->now), 0);
    model_sweep(m, &c);
    model_put(m, &c);
}

static void sweep_all(struct model *m)
{
    sessions_plan_sweep(m->set, m->now, NULL);
    model_sweep(m, NULL);
}

static void touch_some(struct model *m)
{
    uint64_t lease_ms = m->now + 1 + below(LEASE_MAX);
    size_t step = 1 + below(3);
    struct sessions_lookup lookup;

    sweep_all(m);
    if (below(4) == 0)
        mem_testing_fail_at(1);
    sessions_lookup_init(&lookup, m->set, below(10));
    mem_testing_fail_at(0);
    for (size_t i = 0; i < m->count; i += step) {
        struct names names;
        uint32_t index = sessions_lookup_find(&lookup, real(&m->list[i], &names).connection);
        cr_assert_neq(index, SESSIONS_NOWHERE);
        m->list[i].lease_ms = lease_ms;
        sessions_plan_lease(m->set, index, lease_ms);
    }
    cr_assert_eq(sessions_lookup_find(&lookup, NOTIFY_STR("nobody")), SESSIONS_NOWHERE);
    sessions_lookup_release(&lookup);
}

static void close_some(struct model *m)
{
    struct sessions_lookup lookup;

    sweep_all(m);
    sessions_lookup_init(&lookup, m->set, below(10));
    for (size_t n = below(4); n > 0 && m->count > 0; n--) {
        size_t at = below(m->count);
        struct names names;
        struct notify_str id = real(&m->list[at], &names).connection;
        sessions_plan_remove(m->set, sessions_lookup_find(&lookup, id));
        cr_assert_eq(sessions_lookup_find(&lookup, id), SESSIONS_NOWHERE, "it is gone at once");
        cr_assert_not(sessions_find(m->set, id, NULL));
        model_remove_at(m, at);
    }
    sessions_lookup_release(&lookup);
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
    removed = sessions_plan_remove_if(m->set, is_of_node, node);
    for (size_t i = m->count; i-- > 0;) {
        if (m->list[i].node != 1)
            continue;
        model_remove_at(m, i);
        removed--;
    }
    cr_assert_eq(removed, 0);
}

/* A put that finds no memory, and a plan that is dropped: everything is as it was. */
static void open_without_memory(struct model *m)
{
    struct model_connection c = {.session = 0, .id = IDS, .lease_ms = m->now + 1, .opened_ms = 1};
    struct sessions *before = sessions_copy(m->set);
    struct names names;
    struct sessions_connection wanted = real(&c, &names);

    sessions_plan_sweep(m->set, m->now, NULL);
    mem_testing_fail_at(1 + (long)below(2));
    if (sessions_plan_put(&m->set, &wanted, m->now) >= 0) {
        sessions_plan_drop(m->set);
        cr_assert(sessions_remove(m->set, wanted.connection), "there was room without asking");
    }
    mem_testing_fail_at(0);
    sessions_plan_drop(m->set);
    cr_assert(test_sessions_equal(before, m->set));
    sessions_free(before);
}

static void check_live(const struct model *m, const struct model *before)
{
    bool live[SESSIONS] = {false}, wanted[SESSIONS] = {false};

    for (size_t i = 0; i < before->count; i++)
        if (before->list[i].lease_ms > m->now)
            wanted[before->list[i].session] = true;
    sessions_plan_each(m->set, m->now, SESSIONS_WERE_LIVE, on_live, live);
    cr_assert_arr_eq(live, wanted, sizeof(live));
}

static void step(struct model *m)
{
    static void (*const steps[])(struct model *) = {
        open_one, open_one, open_one, open_one, touch_some, touch_some, close_some, sweep_all,
    };
    struct sessions *repeated = sessions_copy(m->set);
    uint64_t which = below(100);
    struct model before;

    m->now += below(3);
    before = *m;
    if (which == 0)
        drop_node(m);
    else if (which < 4)
        open_without_memory(m);
    else
        steps[which % 8](m);
    check_live(m, &before);
    repeat(m, &repeated);
    tell_watcher(m);
    sessions_plan_end(m->set);
    compare(m);
    cr_assert(sessions_verify(repeated) && test_sessions_equal(repeated, m->set));
    sessions_free(repeated);
    check_watcher(m);
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
