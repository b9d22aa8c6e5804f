/* What lies between two sets: the effect to repeat, and who came and went. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "mem_testing.h"
#include "sessions/sessions_diff.h"
#include "sessions_testing.h"

#define NOW 100

static struct sessions *before, *after;
static char told[4096];

static void setup(void)
{
    mem_testing_install(1);
    before = sessions_new();
    after = NULL;
    told[0] = '\0';
}

static void teardown(void)
{
    sessions_free(before);
    sessions_free(after);
    cr_assert_eq(mem_testing_live, 0);
}

TestSuite(sessions_diff, .init = setup, .fini = teardown);

static void put(struct sessions **set, const char *session, const char *connection,
                uint64_t lease_ms)
{
    struct sessions_connection c = test_connection(session, connection, lease_ms);

    cr_assert_geq(sessions_put(set, &c), 0);
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

static const char *diff(void)
{
    static const struct sessions_diff_handler handler = {on_close, on_put, on_lease};

    told[0] = '\0';
    sessions_diff(before, after, &handler, NULL);
    return told;
}

/* ctx: the word for it. */
static void on_session(void *ctx, struct notify_str session)
{
    tell(ctx, session);
}

static char left[] = "left", joined[] = "joined", live[] = "live";

static const char *presence(void)
{
    told[0] = '\0';
    sessions_each_left(before, after, NOW, on_session, left);
    sessions_each_joined(before, after, NOW, on_session, joined);
    return told;
}

Test(sessions_diff, equal_sets_have_no_difference)
{
    cr_assert_str_eq(diff(), "");
    put(&before, "a", "a1", 200);
    put(&before, "b", "b1", 200);
    after = sessions_copy(before);
    cr_assert_str_eq(diff(), "");
    cr_assert_str_eq(presence(), "");
}

Test(sessions_diff, everything_of_a_new_set_is_put_and_everything_of_an_ended_one_closed)
{
    put(&before, "a", "a1", 200);
    put(&before, "b", "b1", 200);
    cr_assert_str_eq(diff(), "close a1, close b1, ");
    cr_assert_str_eq(presence(), "left a, left b, ");
    after = before;
    before = NULL;
    cr_assert_str_eq(diff(), "put a1, put b1, ");
    cr_assert_str_eq(presence(), "joined a, joined b, ");
}

Test(sessions_diff, a_renewed_lease_is_no_more_than_that)
{
    put(&before, "a", "a1", 200);
    put(&before, "a", "a2", 200);
    after = sessions_copy(before);
    cr_assert(sessions_set_lease(after, NOTIFY_STR("a2"), 300));
    cr_assert_str_eq(diff(), "lease a2, ");
    cr_assert_str_eq(presence(), "");
}

Test(sessions_diff, another_text_puts_the_connection_again)
{
    struct sessions_connection c = test_connection("a", "a1", 200);
    struct sessions_connection rows[4] = {c, c, c, c};

    put(&before, "a", "a1", 200);
    rows[0].node = rows[1].addr = NOTIFY_STR("x");
    rows[2].meta = NOTIFY_STR("1");
    rows[3].opened_ms = 2;
    for (size_t i = 0; i < 4; i++) {
        after = sessions_copy(before);
        cr_assert_eq(sessions_put(&after, &rows[i]), 1);
        cr_assert_str_eq(diff(), "put a1, ", "row %zu", i);
        sessions_free(after);
        after = NULL;
    }
}

Test(sessions_diff, removals_come_first_although_the_new_one_stands_before_them)
{
    put(&before, "b", "b1", 200);
    put(&before, "d", "d1", 200);
    put(&before, "a", "c1", 50);
    after = sessions_copy(before);
    cr_assert(sessions_remove(after, NOTIFY_STR("c1")));
    put(&after, "b", "c1", 200);
    cr_assert_str_eq(diff(), "close c1, put c1, ");
    cr_assert_str_eq(presence(), "left a, ");
}

Test(sessions_diff, a_session_leaves_with_its_last_connection_only)
{
    put(&before, "a", "a1", 200);
    put(&before, "a", "a2", 200);
    after = sessions_copy(before);
    cr_assert(sessions_remove(after, NOTIFY_STR("a1")));
    cr_assert_str_eq(presence(), "");
    cr_assert(sessions_remove(after, NOTIFY_STR("a2")));
    cr_assert_str_eq(presence(), "left a, ");
}

Test(sessions_diff, a_session_joins_with_its_first_connection_only)
{
    put(&before, "a", "a1", 200);
    after = sessions_copy(before);
    put(&after, "a", "a2", 200);
    cr_assert_str_eq(presence(), "");
    put(&after, "b", "b1", 200);
    cr_assert_str_eq(presence(), "joined b, ");
}

Test(sessions_diff, a_session_that_had_expired_leaves_and_joins_when_it_is_opened_again)
{
    put(&before, "a", "a1", NOW);
    put(&before, "a", "a2", NOW - 1);
    put(&before, "b", "b1", 200);
    after = sessions_copy(before);
    cr_assert(sessions_remove(after, NOTIFY_STR("a1")));
    cr_assert(sessions_set_lease(after, NOTIFY_STR("a2"), 300));
    cr_assert_str_eq(presence(), "left a, joined a, ");
}

Test(sessions_diff, a_session_of_which_one_connection_has_expired_stays)
{
    put(&before, "a", "a1", NOW);
    put(&before, "a", "a2", 200);
    after = sessions_copy(before);
    cr_assert(sessions_remove(after, NOTIFY_STR("a1")));
    cr_assert_str_eq(presence(), "");
}

Test(sessions_diff, live_sessions_are_told_once_each)
{
    put(&before, "a", "a1", 200);
    put(&before, "a", "a2", 200);
    put(&before, "b", "b1", NOW);
    put(&before, "c", "c1", 200);
    sessions_each_live(before, NOW, on_session, live);
    cr_assert_str_eq(told, "live a, live c, ");
    sessions_each_live(NULL, NOW, on_session, live);
    cr_assert_str_eq(told, "live a, live c, ");
}
