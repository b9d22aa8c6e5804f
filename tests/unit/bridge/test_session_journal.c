/* session_journal: what a process has noted is there for another one after its end, whenever that
 * was. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clients/session_journal.h"
#include "notify_wire.h"

static struct session_journal *journal;

static void begin(void)
{
    journal = session_journal_new();
    cr_assert_not_null(journal);
    session_journal_begin(journal, "node-1");
}

static void end(void)
{
    session_journal_free(journal);
}

TestSuite(session_journal, .init = begin, .fini = end);

/* "a,b," */
static const char *all_keys(void)
{
    static char text[4096];
    struct notify_str key;
    size_t len = 0;

    text[0] = '\0';
    for (uint32_t at = 0; (key = session_journal_next(journal, &at)).len > 0;)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%.*s,", (int)key.len, key.ptr);
    return text;
}

Test(session_journal, what_is_added_and_not_removed_is_found)
{
    uint32_t b;

    cr_expect_neq(session_journal_add(journal, NOTIFY_STR("a")), 0);
    b = session_journal_add(journal, NOTIFY_STR("sessions:somebody with a long name"));
    cr_expect_neq(session_journal_add(journal, NOTIFY_STR("c")), 0);
    cr_expect_str_eq(all_keys(), "a,sessions:somebody with a long name,c,");
    session_journal_remove(journal, b);
    cr_expect_str_eq(all_keys(), "a,c,");
    cr_expect_str_eq(session_journal_node(journal), "node-1");
    session_journal_begin(journal, "node-2");
    cr_expect_str_eq(all_keys(), "");
    cr_expect_str_eq(session_journal_node(journal), "node-2");
}

Test(session_journal, what_is_removed_makes_room_for_others_of_its_size)
{
    uint32_t a = session_journal_add(journal, NOTIFY_STR("a")), b;

    for (int i = 0; i < 1000000; i++) { /* 16 MB if none were used again; 64 MB of two sizes */
        session_journal_remove(journal, a);
        a = session_journal_add(journal, NOTIFY_STR("b"));
        b = session_journal_add(journal, NOTIFY_STR("another one that takes more room than a"));
        cr_assert_neq(a, 0);
        cr_assert_neq(b, 0);
        session_journal_remove(journal, b);
    }
    cr_expect_str_eq(all_keys(), "b,");
}

Test(session_journal, where_there_is_no_room_nothing_is_noted)
{
    char key[NOTIFY_KEY_MAX + 16];
    size_t count = 0;

    memset(key, 'k', sizeof(key));
    cr_expect_eq(session_journal_add(journal, notify_str_of(key, sizeof(key))), 0, "it is no key");
    while (session_journal_add(journal, notify_str_of(key, NOTIFY_KEY_MAX)) != 0)
        count++;
    cr_expect_gt(count, SESSION_JOURNAL_BYTES / (NOTIFY_KEY_MAX + 32));
    session_journal_remove(journal, 0);
    session_journal_remove(NULL, 1);
    cr_expect_eq(session_journal_add(NULL, NOTIFY_STR("a")), 0);
}

Test(session_journal, whoever_writes_may_be_killed_at_any_time)
{
    for (int round = 0; round < 20; round++) {
        pid_t pid = fork();
        struct notify_str key;

        if (pid == 0) {
            uint32_t kept[64] = {0};
            for (unsigned i = 0;; i++) {
                session_journal_remove(journal, kept[i % 64]);
                kept[i % 64] = session_journal_add(
                    journal, notify_str_of("kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk", 1 + i % 40));
            }
        }
        while (all_keys()[0] == '\0')
            ; /* until it has begun */
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
        for (uint32_t at = 0; (key = session_journal_next(journal, &at)).len > 0;)
            for (size_t i = 0; i < key.len; i++)
                cr_assert_eq(key.ptr[i], 'k');
        session_journal_begin(journal, "");
    }
}

Test(session_journal, a_journal_that_somebody_has_overwritten_is_read_within_its_bounds)
{
    uint32_t seed = 12345;

    for (int round = 0; round < 200; round++) {
        struct notify_str key;
        uint8_t *bytes = (void *)journal;

        for (int i = 0; i < 200; i++)
            (void)session_journal_add(
                journal, notify_str_of("0123456789012345678901234567", 1 + (size_t)i % 28));
        for (int i = 0; i < 50; i++) {
            seed = seed * 1103515245 + 12345;
            bytes[(seed >> 8) % 8192] = (uint8_t)(seed >> 4);
        }
        for (uint32_t at = 0; (key = session_journal_next(journal, &at)).len > 0;)
            cr_assert((const uint8_t *)key.ptr >= bytes &&
                      (const uint8_t *)key.ptr + key.len <= bytes + SESSION_JOURNAL_BYTES);
        session_journal_begin(journal, "");
    }
}
