/* What a command is about to do to a set: what replicas are told, and who came and went. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

#include "mem_testing.h"
#include "sessions/sessions_lookup.h"
#include "sessions/sessions_plan.h"
#include "sessions_testing.h"

#define NOW 100

static struct sessions *set;
static char told[4096];

static void setup(void)
{
    mem_testing_install(1);
    set = sessions_new();
    told[0] = '\0';
}

static void teardown(void)
{
    sessions_plan_end(set);
    cr_assert(sessions_verify(set));
    sessions_free(set);
    cr_assert_eq(mem_testing_live, 0);
}

TestSuite(sessions_plan, .init = setup, .fini = teardown);

/* Before the command. */
static void put(const char *session, const char *connection, uint64_t lease_ms)
{
    struct sessions_connection c = test_connection(session, connection, lease_ms);

    cr_assert_geq(sessions_put(&set, &c), 0);
}

static int open_one(const char *session, const char *connection, uint64_t lease_ms)
{
    struct sessions_connection c = test_connection(session, connection, lease_ms);

    return sessions_plan_put(&set, &c, NOW);
}

static uint32_t index_of(const char *connection)
{
    struct sessions_lookup lookup;
    uint32_t index;

    sessions_lookup_init(&lookup, set, 1);
    index = sessions_lookup_find(&lookup, notify_str_z(connection));
    sessions_lookup_release(&lookup);
    return index;
}

static void close_one(const char *connection)
{
    sessions_plan_remove(set, index_of(connection));
}

static void tell(const char *what, struct notify_str text)
{
    size_t len = strlen(told);

    snprintf(told + len, sizeof(told) - len, "%s %.*s, ", what, (int)text.len, text.ptr);
}

static void on_close(void *ctx, const struct sessions_connection *c)
{
    (void)ctx;
    tell("close", c->connection);
}

static void on_put(void *ctx, const struct sessions_connection *c)
{
    (void)ctx;
    tell("put", c->connection);
}

static void on_lease(void *ctx, const struct sessions_connection *c)
{
    (void)ctx;
    tell("lease", c->connection);
}

/* What replicas are told. */
static const char *effect(void)
{
    static const struct sessions_plan_handler handler = {on_close, on_put, on_lease};

    told[0] = '\0';
    sessions_plan_tell(set, &handler, NULL);
    return told;
}

/* ctx: the word for it. */
static void on_session(void *ctx, struct notify_str session)
{
    tell(ctx, session);
}

static char left[] = "left", joined[] = "joined", live[] = "live", expired[] = "expired";

static const char *turns(enum sessions_turn turn, char *word)
{
    told[0] = '\0';
    sessions_plan_each(set, NOW, turn, on_session, word);
    return told;
}

static const char *presence(void)
{
    told[0] = '\0';
    sessions_plan_each(set, NOW, SESSIONS_LEFT, on_session, left);
    sessions_plan_each(set, NOW, SESSIONS_JOINED, on_session, joined);
    return told;
}

Test(sessions_plan, what_is_left_alone_is_not_told)
{
    cr_assert_str_eq(effect(), "");
    put("a", "a1", 200);
    put("b", "b1", 200);
    sessions_plan_sweep(set, NOW, NULL);
    cr_assert_str_eq(effect(), "");
    cr_assert_str_eq(presence(), "");
}

Test(sessions_plan, what_comes_is_put_and_joins_and_what_goes_is_closed_and_leaves)
{
    cr_assert_eq(open_one("a", "a1", 200), 0);
    cr_assert_str_eq(effect(), "put a1, ");
    cr_assert_str_eq(presence(), "joined a, ");
    sessions_plan_end(set);
    put("b", "b1", 200);
    close_one("a1");
    close_one("b1");
    cr_assert_str_eq(effect(), "close a1, close b1, ");
    cr_assert_str_eq(presence(), "left a, left b, ");
}

Test(sessions_plan, what_is_going_is_gone_for_every_question)
{
    put("a", "a1", 200);
    put("a", "a2", 200);
    close_one("a1");
    cr_assert_not(sessions_find(set, NOTIFY_STR("a1"), NULL));
    cr_assert_eq(index_of("a1"), SESSIONS_NOWHERE);
    cr_assert_eq(sessions_count(set, NOW).connections, 1);
    cr_assert_eq(sessions_connections_of(set, NOTIFY_STR("a"), NOW), 1);
    sessions_plan_drop(set);
    cr_assert_eq(sessions_count(set, NOW).connections, 2, "a dropped plan has changed nothing");
}

Test(sessions_plan, a_renewed_lease_is_no_more_than_that)
{
    put("a", "a1", 200);
    put("a", "a2", 200);
    sessions_plan_lease(set, index_of("a2"), 300);
    sessions_plan_lease(set, index_of("a1"), 200);
    cr_assert_str_eq(effect(), "lease a2, ");
    cr_assert_str_eq(presence(), "");
    sessions_plan_end(set);
    cr_assert_eq(open_one("a", "a1", 300), 1);
    cr_assert_str_eq(effect(), "lease a1, ");
}

Test(sessions_plan, another_text_puts_the_connection_again)
{
    struct sessions_connection c = test_connection("a", "a1", 200);
    struct sessions_connection rows[4] = {c, c, c, c};

    rows[0].node = rows[1].addr = NOTIFY_STR("x");
    rows[2].meta = NOTIFY_STR("1");
    rows[3].opened_ms = 2;
    for (size_t i = 0; i < 4; i++) {
        put("a", "a1", 200);
        cr_assert_eq(sessions_plan_put(&set, &rows[i], NOW), 1);
        cr_assert_str_eq(effect(), "put a1, ", "row %zu", i);
        cr_assert_str_eq(presence(), "");
        sessions_plan_end(set);
    }
}

Test(sessions_plan, a_live_connection_is_not_put_into_another_session)
{
    put("a", "a1", 200);
    cr_assert_eq(open_one("b", "a1", 200), -EEXIST);
    cr_assert_str_eq(effect(), "");
}

Test(sessions_plan, removals_come_first_although_the_new_one_stands_before_them)
{
    put("b", "b1", 200);
    put("d", "d1", 200);
    put("a", "c1", 50);
    sessions_plan_sweep(set, NOW, NULL);
    cr_assert_eq(open_one("b", "c1", 200), 0);
    cr_assert_str_eq(effect(), "close c1, put c1, ");
    cr_assert_str_eq(presence(), "left a, ");
}

Test(sessions_plan, a_session_leaves_with_its_last_connection_only)
{
    put("a", "a1", 200);
    put("a", "a2", 200);
    close_one("a1");
    cr_assert_str_eq(presence(), "");
    close_one("a2");
    cr_assert_str_eq(presence(), "left a, ");
}

Test(sessions_plan, a_session_joins_with_its_first_connection_only)
{
    put("a", "a1", 200);
    cr_assert_eq(open_one("a", "a2", 200), 0);
    cr_assert_str_eq(presence(), "");
    sessions_plan_end(set);
    cr_assert_eq(open_one("b", "b1", 200), 0);
    cr_assert_str_eq(presence(), "joined b, ");
}

Test(sessions_plan, a_session_that_had_expired_leaves_and_joins_when_it_is_opened_again)
{
    struct sessions_connection keep = test_connection("a", "a2", 1);

    put("a", "a1", NOW);
    put("a", "a2", NOW - 1);
    put("b", "b1", 200);
    sessions_plan_sweep(set, NOW, &keep);
    cr_assert_eq(open_one("a", "a2", 300), 1);
    cr_assert_str_eq(presence(), "left a, joined a, ");
    cr_assert_str_eq(turns(SESSIONS_EXPIRED, expired), "expired a, ");
}

Test(sessions_plan, a_session_whose_connections_have_all_expired_begins_anew_at_the_end)
{
    put("a", "a1", NOW);
    put("b", "b1", 200);
    sessions_plan_sweep(set, NOW, NULL);
    cr_assert_eq(open_one("a", "a2", 300), 0);
    cr_assert_str_eq(effect(), "close a1, put a2, ");
    cr_assert_str_eq(presence(), "left a, joined a, ");
    sessions_plan_end(set);
    cr_assert_eq(index_of("a2"), 1);
}

Test(sessions_plan, a_session_of_which_one_connection_has_expired_stays)
{
    put("a", "a1", NOW);
    put("a", "a2", 200);
    sessions_plan_sweep(set, NOW, NULL);
    cr_assert_str_eq(effect(), "close a1, ");
    cr_assert_str_eq(presence(), "");
}

Test(sessions_plan, sessions_that_were_live_are_told_once_each)
{
    put("a", "a1", 200);
    put("a", "a2", 200);
    put("b", "b1", NOW);
    put("c", "c1", 200);
    sessions_plan_sweep(set, NOW, NULL);
    close_one("c1");
    cr_assert_str_eq(turns(SESSIONS_WERE_LIVE, live), "live a, live c, ");
}

Test(sessions_plan, many_are_found_by_a_table_as_by_walking)
{
    struct sessions_lookup walking, table;
    char id[16];

    for (int i = 0; i < 200; i++) {
        snprintf(id, sizeof(id), "c%d", i);
        put(i % 2 == 0 ? "a" : "b", id, 200);
    }
    sessions_lookup_init(&walking, set, 1);
    sessions_lookup_init(&table, set, 1000);
    cr_assert_null(walking.cells);
    cr_assert_not_null(table.cells);
    for (int i = -1; i < 201; i++) {
        snprintf(id, sizeof(id), "c%d", i);
        cr_assert_eq(sessions_lookup_find(&table, notify_str_z(id)),
                     sessions_lookup_find(&walking, notify_str_z(id)));
    }
    sessions_lookup_release(&table);
    sessions_lookup_release(&walking);
}
