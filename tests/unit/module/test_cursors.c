/* The set of logs that a box follows. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

#include "base/limits.h"
#include "box/box_extra.h"
#include "box_testing.h"
#include "box/cursor_count.h"
#include "box/cursor_covers.h"
#include "box/cursor_edit.h"
#include "box/cursors.h"
#include "mem_testing.h"

static const struct notify_id start = {5, 0};
static struct cursors *cursors;

static void setup(void)
{
    mem_testing_install(1);
    cursors = NULL;
}

static void teardown(void)
{
    cursors_free(cursors);
    cr_assert_eq(mem_testing_live, 0, "something leaks");
}

TestSuite(cursors, .init = setup, .fini = teardown);

static int add_number(unsigned number)
{
    char name[16];

    return cursors_add(&cursors, notify_str_of(name, (size_t)sprintf(name, "topic:%u", number)),
                       start);
}

Test(cursors, none_at_first_and_none_after_the_last_has_gone)
{
    cr_assert_eq(cursors_count(NULL), 0);
    cr_assert_null(cursors_find(NULL, NOTIFY_STR("a")));
    cr_assert_not(cursors_remove(&cursors, NOTIFY_STR("a")));
    cr_assert_eq(cursors_add(&cursors, NOTIFY_STR("a"), start), 1);
    cr_assert(cursors_remove(&cursors, NOTIFY_STR("a")));
    cr_assert_null(cursors);
}

Test(cursors, a_name_is_there_once_and_keeps_its_start)
{
    cr_assert_eq(cursors_add(&cursors, NOTIFY_STR("a"), start), 1);
    cr_assert_eq(cursors_add(&cursors, NOTIFY_STR("a"), (struct notify_id){9, 9}), 0);
    cr_assert_eq(cursors_count(cursors), 1);
    cr_assert_eq(cursors_find(cursors, NOTIFY_STR("a"))->start.ms, 5);
}

Test(cursors, names_are_in_the_order_of_their_bytes)
{
    static const struct notify_str names[] = {{"b", 1},    {"", 0},  {"a\0c", 3},
                                              {"\xff", 1}, {"a", 1}, {"aa", 2}};
    static const char *order[] = {"", "a", "a", "aa", "b", "\xff"};

    for (size_t i = 0; i < 6; i++)
        cr_assert_eq(cursors_add(&cursors, names[i], start), 1);
    for (uint32_t i = 0; i < 6; i++)
        cr_assert_eq(memcmp(cursor_name(cursors_at(cursors, i)).ptr, order[i], strlen(order[i])),
                     0);
    for (size_t i = 0; i < 6; i++)
        cr_assert(notify_str_eq(cursor_name(cursors_find(cursors, names[i])), names[i]));
}

Test(cursors, their_number_and_their_names_are_limited)
{
    static char long_name[LIMIT_LOG_NAME + 1];

    for (unsigned n = 0; n < LIMIT_LOGS; n++)
        cr_assert_eq(add_number(n), 1);
    cr_assert_eq(add_number(0), 0);
    cr_assert_eq(add_number(LIMIT_LOGS), -ENOSPC);
    cr_assert(cursors_remove(&cursors, NOTIFY_STR("topic:77")));
    cr_assert_eq(cursors_add(&cursors, notify_str_of(long_name, LIMIT_LOG_NAME + 1), start),
                 -EINVAL);
    cr_assert_eq(cursors_add(&cursors, notify_str_of(long_name, LIMIT_LOG_NAME), start), 1);
}

Test(cursors, a_copy_takes_no_more_than_what_it_was_made_of)
{
    struct cursors *copy;

    for (unsigned n = 0; n < LIMIT_LOGS * 3 / 5; n++)
        cr_assert_eq(add_number(n), 1);
    copy = cursors_copy(cursors);
    cursors_free(cursors);
    cursors = copy;
    for (unsigned n = LIMIT_LOGS * 3 / 5; n < LIMIT_LOGS; n++)
        cr_assert_eq(add_number(n), 1);
    cr_assert_eq(add_number(LIMIT_LOGS), -ENOSPC);
}

Test(cursors, without_memory_nothing_is_added)
{
    for (unsigned n = 0; n < 20; n++) {
        long request = 0;
        do {
            mem_testing_fail_at(++request);
            cr_assert_eq(cursors_count(cursors), n);
        } while (add_number(n) == -ENOMEM);
        mem_testing_fail_from = 0;
        cr_assert_eq(cursors_count(cursors), n + 1);
    }
}

static void *move_allocation(void *ctx, void *ptr)
{
    size_t *moved = ctx;

    (void)ptr;
    (*moved)++;
    return NULL;
}

static void sum_bytes(void *ctx, void *ptr, size_t bytes)
{
    size_t *sum = ctx;

    (void)ptr;
    *sum += bytes;
}

Test(cursors, every_allocation_is_measured_and_moved)
{
    size_t bytes = 0;
    size_t moved = 0;

    for (unsigned n = 0; n < 10; n++)
        cr_assert_eq(add_number(n), 1);
    cursors_visit(cursors, sum_bytes, &bytes);
    cursors_move(&cursors, &(struct mover){.move = move_allocation, .ctx = &moved});
    cr_assert_eq((long)moved, mem_testing_live);
    cr_assert_gt(bytes, 10 * sizeof(struct cursor));
}

Test(cursors, a_box_takes_its_cursors_along)
{
    struct test_payload payload;
    struct box *box = box_new();
    struct box *copy;
    struct box *loaded;
    const char *why = "";

    for (unsigned n = 0; n < 30; n++)
        cr_assert_eq(add_number(n), 1);
    box_need_extra(&box)->cursors = cursors;
    cursors = NULL;
    copy = box_copy(box);
    cr_assert_eq(test_payload_save(&payload, box), 0);
    loaded = test_payload_load(&payload, &why);
    cr_assert_not_null(loaded, "%s", why);
    cr_assert_eq(cursors_count(box_cursors(copy)), 30);
    cr_assert(test_boxes_equal(box, copy));
    cr_assert(test_boxes_equal(box, loaded));
    cr_assert(cursors_remove(&box_extra(copy)->cursors, NOTIFY_STR("topic:3")));
    cr_assert_not(test_boxes_equal(box, copy));
    cr_assert_gt(box_bytes(box), box_bytes(copy));
    cr_assert_eq(box_allocations(box), box_allocations(copy) + 1);
    free(payload.bytes);
    box_free(box);
    box_free(copy);
    box_free(loaded);
}

Test(cursors, a_payload_with_two_cursors_in_one_log_or_too_few_is_refused)
{
    struct test_payload payload;
    struct box *box = box_new();
    const char *why = "";
    char *name;

    cr_assert_eq(add_number(1), 1);
    cr_assert_eq(add_number(2), 1);
    box_need_extra(&box)->cursors = cursors;
    cursors = NULL;
    cr_assert_eq(test_payload_save(&payload, box), 0);
    name = memmem(payload.bytes, payload.len, "topic:2", 7);
    name[6] = '1';
    cr_assert_null(test_payload_load(&payload, &why));
    cr_assert_str_eq(why, "two cursors in one log");
    payload.len -= 1;
    cr_assert_null(test_payload_load(&payload, &why));
    free(payload.bytes);
    box_free(box);
}
