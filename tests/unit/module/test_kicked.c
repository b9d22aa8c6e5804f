/* kicked: who was kicked is known until the end of its lease, and nobody else is. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/mem.h"
#include "sessions/kicked.h"

#define NOW_MS 1000

static struct kicked_name named(int db, const char *key, const char *connection)
{
    return (struct kicked_name){db, notify_str_z(key), notify_str_z(connection)};
}

static void note(struct kicked_name name, uint64_t until_ms)
{
    kicked_note(&name, until_ms);
}

static bool has(struct kicked_name name, uint64_t now_ms)
{
    return kicked_has(&name, now_ms);
}

Test(kicked, one_is_known_until_its_lease_ends, .fini = kicked_release)
{
    cr_assert_not(has(named(0, "k", "c"), NOW_MS), "there is no table yet");
    note(named(0, "k", "c"), NOW_MS + 10);
    cr_assert(has(named(0, "k", "c"), NOW_MS));
    cr_assert(has(named(0, "k", "c"), NOW_MS + 9));
    cr_assert_not(has(named(0, "k", "c"), NOW_MS + 10));
    note(named(0, "k", "c"), NOW_MS + 30);
    cr_assert(has(named(0, "k", "c"), NOW_MS + 29), "it was kicked again");
}

Test(kicked, another_connection_key_or_database_is_another, .fini = kicked_release)
{
    note(named(0, "k", "c"), NOW_MS + 10);
    cr_assert_not(has(named(0, "k", "d"), NOW_MS));
    cr_assert_not(has(named(0, "l", "c"), NOW_MS));
    cr_assert_not(has(named(1, "k", "c"), NOW_MS));
    cr_assert_not(has(named(0, "c", "k"), NOW_MS));
}

static struct kicked_name numbered(int n)
{
    static char key[32], connection[32];

    (void)snprintf(key, sizeof(key), "sessions:u%d", n % 1000);
    (void)snprintf(connection, sizeof(connection), "0123456789abcdef:%d", n);
    return named(0, key, connection);
}

Test(kicked, ten_thousand_at_once_are_known, .fini = kicked_release)
{
    int known = 0;

    for (int n = 0; n < 10000; n++)
        note(numbered(n), NOW_MS + 10);
    for (int n = 0; n < 10000; n++)
        known += has(numbered(n), NOW_MS);
    cr_assert_geq(known, 9990);
    for (int n = 10000; n < 20000; n++)
        cr_assert_not(has(numbered(n), NOW_MS));
}

Test(kicked, those_that_matter_no_more_make_room_first, .fini = kicked_release)
{
    int known = 0;

    for (int n = 0; n < KICKED_MAX; n++)
        note(numbered(n), NOW_MS);
    for (int n = KICKED_MAX; n < KICKED_MAX + 10000; n++)
        note(numbered(n), NOW_MS + 10);
    for (int n = KICKED_MAX; n < KICKED_MAX + 10000; n++)
        known += has(numbered(n), NOW_MS);
    cr_assert_geq(known, 9990);
}

static void *no_memory(size_t bytes)
{
    (void)bytes;
    return NULL;
}

static void free_nothing(void *ptr)
{
    (void)ptr;
}

Test(kicked, without_memory_nobody_is_known)
{
    mem_set_hooks(&(struct mem_hooks){.try_alloc = no_memory, .free = free_nothing});
    note(named(0, "k", "c"), NOW_MS + 10);
    cr_assert_not(has(named(0, "k", "c"), NOW_MS));
}
