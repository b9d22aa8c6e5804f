/* Interning of category names. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

#include "box/category.h"
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

static uint16_t intern_number(int i)
{
    char name[16];
    uint16_t number;
    int len = snprintf(name, sizeof(name), "c%d", i);

    cr_assert_eq(category_intern(notify_str_of(name, (size_t)len), &number), 0);
    return number;
}

Test(category, names_that_no_box_holds_make_room_for_others)
{
    uint16_t held = intern_number(0);
    uint16_t twice = intern_number(1);
    uint16_t number;

    category_hold(held);
    category_hold(twice);
    category_hold(twice);
    category_release(twice);
    for (int i = 2; i < CATEGORY_LIMIT; i++)
        (void)intern_number(i);
    category_make_room();
    cr_assert_eq(category_find(NOTIFY_STR("c2")), CATEGORY_NONE);
    cr_assert_null(category_name(3).ptr);
    cr_assert_eq(category_find(NOTIFY_STR("c0")), held);
    cr_assert_eq(category_find(NOTIFY_STR("c1")), twice);
    for (int i = 2; i < CATEGORY_LIMIT; i++)
        number = intern_number(-i);
    cr_assert_eq(category_count(), CATEGORY_LIMIT);
    cr_assert(notify_str_eq(category_name(held), NOTIFY_STR("c0")));
    cr_assert_eq(category_intern(NOTIFY_STR("one more"), &number), -ENOSPC);
}

Test(category, a_full_table_takes_another_name_as_soon_as_one_is_released)
{
    uint16_t number;

    for (int i = 0; i < CATEGORY_LIMIT; i++)
        category_hold(intern_number(i));
    category_make_room();
    cr_assert_eq(category_intern(NOTIFY_STR("one more"), &number), -ENOSPC);
    category_release(category_find(NOTIFY_STR("c777")));
    category_make_room();
    cr_assert_eq(category_intern(NOTIFY_STR("one more"), &number), 0);
    cr_assert_eq(category_find(NOTIFY_STR("c777")), CATEGORY_NONE);
    cr_assert_eq(category_find(NOTIFY_STR("c776")), number - 1);
    cr_assert_eq(category_find(NOTIFY_STR("c778")), number + 1);
}

Test(category, while_there_is_room_nothing_is_forgotten)
{
    for (int i = 0; i < 10000; i++)
        (void)intern_number(i);
    category_make_room();
    cr_assert_eq(category_find(NOTIFY_STR("c0")), 1);
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
