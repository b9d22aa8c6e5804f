/* Session sets: order, leases, limits, and what does not fit. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

#include "base/limits.h"
#include "mem_testing.h"
#include "sessions_testing.h"

static struct sessions *set;

static void setup(void)
{
    mem_testing_install(1);
    set = sessions_new();
}

static void teardown(void)
{
    cr_assert(sessions_verify(set));
    sessions_free(set);
    cr_assert_eq(mem_testing_live, 0);
}

TestSuite(sessions, .init = setup, .fini = teardown);

static int put(const char *session, const char *connection, uint64_t lease_ms)
{
    struct sessions_connection c = test_connection(session, connection, lease_ms);

    return sessions_put(&set, &c);
}

/* The connection ids in order, each followed by a blank. */
static const char *list(uint64_t now_ms)
{
    static char text[1024];
    struct sessions_iter iter = SESSIONS_ITER(set, now_ms);
    struct sessions_connection c;
    size_t len = 0;

    text[0] = '\0';
    while (sessions_iter_next(&iter, &c))
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%.*s ", (int)c.connection.len,
                                c.connection.ptr);
    return text;
}

Test(sessions, an_empty_set_has_nothing)
{
    cr_assert_eq(sessions_length(set), 0);
    cr_assert_eq(sessions_rev(set), 0);
    cr_assert_eq(sessions_last_lease_ms(set), 0);
    cr_assert_eq(sessions_count(set, SESSIONS_ALL).sessions, 0);
    cr_assert_not(sessions_find(set, NOTIFY_STR("c"), NULL));
    cr_assert_not(sessions_remove(set, NOTIFY_STR("c")));
    cr_assert_not(sessions_set_lease(set, NOTIFY_STR("c"), 1));
}

Test(sessions, connections_stand_with_their_session_in_the_order_of_opening)
{
    put("a", "a1", 9);
    put("b", "b1", 9);
    put("a", "a2", 9);
    put("c", "c1", 9);
    put("b", "b2", 9);
    cr_assert_str_eq(list(SESSIONS_ALL), "a1 a2 b1 b2 c1 ");
}

Test(sessions, everything_that_was_said_of_a_connection_comes_back)
{
    struct sessions_connection c = {
        .session = NOTIFY_STR("s\xc3\xa4"),
        .connection = NOTIFY_STR("c"),
        .node = NOTIFY_STR("node"),
        .addr = NOTIFY_STR("10.0.0.1"),
        .meta = NOTIFY_STR("{\"a\":[1,\"x y\"]}"),
        .lease_ms = SESSIONS_TIME_MAX,
        .opened_ms = 5,
    };
    struct sessions_connection found;

    put("x", "before", 9);
    cr_assert_eq(sessions_put(&set, &c), 0);
    put("x", "after", 9);
    cr_assert(sessions_find(set, NOTIFY_STR("c"), &found));
    cr_assert(test_connections_equal(&c, &found));
}

Test(sessions, putting_again_replaces_in_the_same_place)
{
    struct sessions_connection c = test_connection("s", "two", 9);
    struct sessions_connection found;

    put("s", "one", 9);
    put("s", "two", 9);
    put("s", "three", 9);
    c.meta = NOTIFY_STR("\"longer than it was before\"");
    c.lease_ms = 20;
    cr_assert_eq(sessions_put(&set, &c), 1);
    cr_assert_str_eq(list(SESSIONS_ALL), "one two three ");
    cr_assert(sessions_find(set, NOTIFY_STR("two"), &found));
    cr_assert(test_connections_equal(&c, &found));
    cr_assert_eq(put("s", "two", 9), 1, "and shorter again");
    cr_assert_str_eq(list(SESSIONS_ALL), "one two three ");
}

Test(sessions, a_connection_does_not_change_its_session)
{
    put("a", "c", 9);
    cr_assert_eq(put("b", "c", 9), -EEXIST);
    cr_assert_eq(sessions_count(set, SESSIONS_ALL).sessions, 1);
}

Test(sessions, a_connection_is_gone_at_the_millisecond_of_its_lease)
{
    put("a", "a1", 100);
    put("a", "a2", 200);
    put("b", "b1", 100);
    cr_assert_eq(sessions_count(set, 99).connections, 3);
    cr_assert_eq(sessions_count(set, 99).sessions, 2);
    cr_assert_eq(sessions_count(set, 100).connections, 1);
    cr_assert_eq(sessions_count(set, 100).sessions, 1);
    cr_assert_eq(sessions_connections_of(set, NOTIFY_STR("a"), 99), 2);
    cr_assert_eq(sessions_connections_of(set, NOTIFY_STR("a"), 100), 1);
    cr_assert_eq(sessions_connections_of(set, NOTIFY_STR("b"), 100), 0);
    cr_assert_str_eq(list(100), "a2 ");
    cr_assert_eq(sessions_count(set, 200).connections, 0);
    cr_assert_eq(sessions_length(set), 3, "until they are removed they are stored");
}

Test(sessions, the_last_lease_is_that_of_the_set)
{
    put("a", "a1", 100);
    put("a", "a2", 300);
    put("b", "b1", 200);
    cr_assert_eq(sessions_last_lease_ms(set), 300);
    cr_assert(sessions_set_lease(set, NOTIFY_STR("a2"), 150));
    cr_assert_eq(sessions_last_lease_ms(set), 200);
}

Test(sessions, removing_leaves_the_others_as_they_are)
{
    put("a", "a1", 9);
    put("a", "a2", 9);
    put("b", "b1", 9);
    cr_assert(sessions_remove(set, NOTIFY_STR("a1")));
    cr_assert_not(sessions_remove(set, NOTIFY_STR("a1")));
    cr_assert_str_eq(list(SESSIONS_ALL), "a2 b1 ");
    cr_assert(sessions_remove(set, NOTIFY_STR("a2")));
    put("a", "a3", 9);
    cr_assert_str_eq(list(SESSIONS_ALL), "b1 a3 ", "the session begins anew");
}

Test(sessions, a_copy_is_a_value_of_its_own)
{
    struct sessions *copy;

    put("a", "a1", 9);
    sessions_set_rev(set, 7);
    copy = sessions_copy(set);
    cr_assert(test_sessions_equal(set, copy));
    cr_assert(sessions_remove(copy, NOTIFY_STR("a1")));
    cr_assert_eq(sessions_length(set), 1);
    cr_assert_geq(sessions_bytes(set), sizeof(uint64_t) * 2);
    cr_assert_eq(sessions_allocations(set), 2);
    sessions_free(copy);
}

Test(sessions, what_is_not_sound_is_refused)
{
    char long_text[LIMIT_META + 8];
    struct notify_str too_long = notify_str_of(long_text, LIMIT_SESSION + 1);
    struct notify_str longest = notify_str_of(long_text, LIMIT_SESSION);
    struct notify_str broken = NOTIFY_STR("\xff"), none = {NULL, 0};
    struct sessions_connection good = test_connection("s", "c", 9);
    struct sessions_connection rows[] = {
        {none, good.connection, none, none, none, 9, 1},
        {too_long, good.connection, none, none, none, 9, 1},
        {broken, good.connection, none, none, none, 9, 1},
        {NOTIFY_STR("*"), good.connection, none, none, none, 9, 1},
        {good.session, none, none, none, none, 9, 1},
        {good.session, too_long, none, none, none, 9, 1},
        {good.session, broken, none, none, none, 9, 1},
        {good.session, good.connection, too_long, none, none, 9, 1},
        {good.session, good.connection, broken, none, none, 9, 1},
        {good.session, good.connection, none, too_long, none, 9, 1},
        {good.session, good.connection, none, broken, none, 9, 1},
        {good.session, good.connection, none, none, NOTIFY_STR("{"), 9, 1},
        {good.session, good.connection, none, none, NOTIFY_STR("[1, 2]"), 9, 1},
        {good.session, good.connection, none, none, good.session, 9, 1},
        {good.session, good.connection, none, none, none, 0, 1},
        {good.session, good.connection, none, none, none, SESSIONS_TIME_MAX + 1, 1},
        {good.session, good.connection, none, none, none, 9, 0},
        {good.session, good.connection, none, none, none, 9, SESSIONS_TIME_MAX + 1},
    };

    memset(long_text, '1', sizeof(long_text));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        cr_assert_eq(sessions_put(&set, &rows[i]), -EINVAL, "row %zu", i);
    good = (struct sessions_connection){longest, longest, longest, longest, none, 1, 1};
    good.meta = notify_str_of(long_text, LIMIT_META + 1);
    cr_assert_eq(sessions_put(&set, &good), -EINVAL);
    good.meta.len = LIMIT_META;
    cr_assert_eq(sessions_put(&set, &good), 0, "the longest of each is taken");
}

Test(sessions, a_full_set_takes_no_other_connection_but_renews_its_own, .timeout = 60)
{
    char id[16];

    for (int i = 0; i < LIMIT_CONNECTIONS; i++) {
        snprintf(id, sizeof(id), "c%d", i);
        cr_assert_eq(put(i % 2 == 0 ? "even" : "odd", id, 9), 0);
    }
    cr_assert_eq(put("even", "one more", 9), -ENOSPC);
    cr_assert_eq(put("odd", "c7", 10), 1);
    cr_assert(sessions_remove(set, NOTIFY_STR("c7")));
    cr_assert_eq(put("even", "one more", 9), 0);
    cr_assert_eq(sessions_count(set, SESSIONS_ALL).sessions, 2);
}

Test(sessions, without_memory_nothing_changes)
{
    for (int with_realloc = 0; with_realloc < 2; with_realloc++) {
        struct sessions *before;
        sessions_free(set);
        mem_testing_install(with_realloc);
        set = sessions_new();
        put("a", "a1", 9);
        before = sessions_copy(set);
        for (long n = 1; n <= 2; n++) {
            mem_testing_fail_at(n);
            cr_assert_eq(put("a", "a2", 9), -ENOMEM);
            cr_assert(test_sessions_equal(before, set));
            mem_testing_fail_at(n);
            cr_assert_null(sessions_copy(set));
        }
        mem_testing_fail_at(1);
        cr_assert_eq(put("a", "a1", 10), -ENOMEM);
        cr_assert(test_sessions_equal(before, set));
        mem_testing_fail_at(1);
        cr_assert_null(sessions_new());
        cr_assert_eq(put("a", "a2", 9), 0);
        sessions_free(before);
    }
}
