/* Names of categories, and how a box keeps those that it has. That this goes well whatever happens
 * is test_box_model.c's. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

#include "base/id_table.h"
#include "box/box_tally.h"
#include "box/category_choice.h"
#include "box_testing.h"
#include "mem_testing.h"

static struct box *box;
static struct text_buf body;

static void setup(void)
{
    mem_testing_install(1);
    box = box_new();
    (void)test_body(&body, "title", NULL);
}

static void teardown(void)
{
    box_free(box);
    text_buf_release(&body);
    cr_assert_eq(mem_testing_live, 0);
}

TestSuite(category, .init = setup, .fini = teardown);

Test(category, names_are_short_texts_without_control_characters)
{
    char longest[NOTIFY_CATEGORY_MAX + 1];

    memset(longest, 'x', sizeof(longest));
    cr_assert(category_is_valid(NOTIFY_STR("c")));
    cr_assert(category_is_valid(NOTIFY_STR("\xc3\xa4 b")));
    cr_assert(category_is_valid(notify_str_of(longest, NOTIFY_CATEGORY_MAX)));
    cr_assert_not(category_is_valid(notify_str_of(longest, NOTIFY_CATEGORY_MAX + 1)));
    cr_assert_not(category_is_valid(CATEGORY_NONE));
    cr_assert_not(category_is_valid(NOTIFY_STR("")));
    cr_assert_not(category_is_valid(NOTIFY_STR("\xff")));
    cr_assert_not(category_is_valid(NOTIFY_STR("a\nb")));
    cr_assert_not(category_is_valid(NOTIFY_STR("a\x7f")));
}

static void send(struct box **to, uint64_t n, struct notify_str category)
{
    struct box_entry entry = {.id = {n, 0}, .category = category, .body = text_buf_str(&body)};

    cr_assert_eq(box_append(to, &entry), 0);
}

static struct notify_str category_of(const struct box *of, uint64_t n)
{
    struct box_entry entry;

    cr_assert(box_find(of, (struct notify_id){n, 0}, 0, &entry));
    return entry.category;
}

Test(category, an_entry_has_its_category_whatever_comes_and_goes_before_it)
{
    char name[NOTIFY_CATEGORY_MAX + 1];

    send(&box, 1, NOTIFY_STR("first"));
    send(&box, 2, CATEGORY_NONE);
    send(&box, 3, NOTIFY_STR("third"));
    for (uint64_t n = 4; n < 100; n++) {
        snprintf(name, sizeof(name), "%.*s %d", (int)(n * 5 % 60),
                 "-----------------------------------------------------------", (int)n);
        send(&box, n, notify_str_z(name));
        if (n > 30)
            cr_assert_eq(box_delete(&box, (struct notify_id){n - 26, 0}, 0), 1);
    }
    cr_assert(notify_str_eq(category_of(box, 1), NOTIFY_STR("first")));
    cr_assert_null(category_of(box, 2).ptr);
    cr_assert(notify_str_eq(category_of(box, 3), NOTIFY_STR("third")));
    cr_assert(notify_str_eq(category_of(box, 99), notify_str_z(name)));
    cr_assert_lt(box_category_slots(box), 35, "records of categories that are gone are used again");
}

Test(category, names_with_the_same_hash_are_told_apart)
{
    struct notify_str wanted = NOTIFY_STR("name 0");
    char name[24];
    int n = 1;

    do
        snprintf(name, sizeof(name), "name %d", n++);
    while (category_hash(notify_str_z(name)) != category_hash(wanted));
    send(&box, 1, notify_str_z(name));
    cr_assert_eq(test_mute(&box, wanted, true), 1);
    cr_assert_eq(box_unread(box, 0), 1);
    cr_assert_not(box_is_muted(box, notify_str_z(name)));
    cr_assert(box_is_muted(box, wanted));
}

Test(category, which_names_have_the_same_hash_is_nobodys_business)
{
    uint32_t before = category_hash(NOTIFY_STR("a")) ^ category_hash(NOTIFY_STR("b"));

    id_table_seed(UINT64_C(0x123456789abcdef1));
    cr_assert_neq(category_hash(NOTIFY_STR("a")) ^ category_hash(NOTIFY_STR("b")), before);
}

static struct category_wish wish;

static uint64_t count(struct box *log)
{
    struct category_choice choice = category_wish_for(&wish, log);

    return box_tally(log, (struct notify_id){0, 0}, (struct notify_id){UINT64_MAX, 0}, &choice, 0);
}

Test(category, a_follower_counts_what_he_asks_for_but_for_what_he_has_muted)
{
    static const struct notify_str only[] = {{"b", 1}, {"none", 4}, {"a", 1}};
    struct box *log = box_new();
    char name[8];

    send(&log, 1, NOTIFY_STR("a"));
    send(&log, 2, NOTIFY_STR("b"));
    send(&log, 3, CATEGORY_NONE);
    muted_set_init(&wish.muted, NULL);
    wish.only_count = 0;
    cr_assert_eq(count(log), 3);
    cr_assert_null(category_wish_for(&wish, log).admitted);
    wish.only = only;
    wish.only_count = 3;
    cr_assert_eq(count(log), 2);
    cr_assert_eq(test_mute(&box, NOTIFY_STR("b"), true), 1);
    muted_set_init(&wish.muted, box);
    cr_assert_eq(count(log), 1);
    wish.only_count = 0;
    cr_assert_eq(count(log), 2);
    for (int n = 0; n < 4000; n++) { /* few are looked for in the box, many in a table */
        snprintf(name, sizeof(name), "x%d", n);
        cr_assert_eq(test_mute(&box, notify_str_z(name), true), 1);
    }
    muted_set_init(&wish.muted, box);
    send(&log, 4, NOTIFY_STR("x3999"));
    cr_assert_eq(count(log), 2);
    cr_assert_eq(test_mute(&box, NOTIFY_STR("b"), false), 1);
    muted_set_init(&wish.muted, box);
    cr_assert_eq(count(log), 3);
    box_free(log);
}
