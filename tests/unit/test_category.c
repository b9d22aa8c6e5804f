/* Interning of category names. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

#include "category.h"
#include "mem_testing.h"

static void setup(void)
{
    mem_testing_install(0);
}

static void teardown(void)
{
    category_reset();
    cr_assert_eq(mem_testing_live, 0);
}

TestSuite(category, .init = setup, .fini = teardown);

Test(category, the_same_name_gets_the_same_number)
{
    uint16_t ci;
    uint16_t chat;
    uint16_t again;

    cr_assert_eq(category_find(NOTIFY_STR("ci")), CATEGORY_NONE);
    cr_assert_eq(category_intern(NOTIFY_STR("ci"), &ci), 0);
    cr_assert_eq(category_intern(NOTIFY_STR("chat"), &chat), 0);
    cr_assert_eq(category_intern(NOTIFY_STR("ci"), &again), 0);
    cr_assert_eq(again, ci);
    cr_assert_neq(chat, ci);
    cr_assert_neq(ci, CATEGORY_NONE);
    cr_assert_eq(category_find(NOTIFY_STR("chat")), chat);
    cr_assert(notify_str_eq(category_name(ci), NOTIFY_STR("ci")));
    cr_assert_null(category_name(CATEGORY_NONE).ptr);
    cr_assert_null(category_json(CATEGORY_NONE).ptr);
}

Test(category, the_escaped_name_is_kept_beside_the_plain_one)
{
    uint16_t number;

    cr_assert_eq(category_intern(NOTIFY_STR("a\"b"), &number), 0);
    cr_assert(notify_str_eq(category_name(number), NOTIFY_STR("a\"b")));
    cr_assert(notify_str_eq(category_json(number), NOTIFY_STR("a\\\"b")));
}

Test(category, refuses_what_is_not_a_name)
{
    char longest[NOTIFY_CATEGORY_MAX + 1];
    uint16_t number = 77;

    memset(longest, 'x', sizeof(longest));
    cr_assert_eq(category_intern(NOTIFY_STR(""), &number), -EINVAL);
    cr_assert_eq(category_intern(NOTIFY_STR("\xff"), &number), -EINVAL);
    cr_assert_eq(category_intern(NOTIFY_STR("a\nb"), &number), -EINVAL);
    cr_assert_eq(category_intern(NOTIFY_STR("a\x7f"), &number), -EINVAL);
    cr_assert_eq(category_intern(notify_str_of(longest, NOTIFY_CATEGORY_MAX + 1), &number),
                 -EINVAL);
    cr_assert_eq(number, 77);
    cr_assert_eq(category_count(), 0);
    cr_assert_eq(category_intern(notify_str_of(longest, NOTIFY_CATEGORY_MAX), &number), 0);
}

Test(category, the_number_of_names_is_limited)
{
    char name[16];
    uint16_t number;

    for (int i = 0; i < CATEGORY_LIMIT; i++) {
        int len = snprintf(name, sizeof(name), "c%d", i);
        cr_assert_eq(category_intern(notify_str_of(name, (size_t)len), &number), 0);
    }
    cr_assert_eq(category_intern(NOTIFY_STR("one more"), &number), -ENOSPC);
    cr_assert_eq(category_count(), CATEGORY_LIMIT);
    cr_assert_eq(category_intern(NOTIFY_STR("c12345"), &number), 0);
    cr_assert(notify_str_eq(category_name(number), NOTIFY_STR("c12345")));
}

Test(category, lack_of_memory_changes_nothing)
{
    uint16_t number;

    for (long n = 1;; n++) {
        int rc;
        mem_testing_fail_at(n);
        rc = category_intern(NOTIFY_STR("name"), &number);
        mem_testing_fail_at(0);
        if (rc == 0)
            break;
        cr_assert_eq(rc, -ENOMEM);
        cr_assert_eq(category_find(NOTIFY_STR("name")), CATEGORY_NONE);
    }
    cr_assert_eq(category_find(NOTIFY_STR("name")), number);
}
