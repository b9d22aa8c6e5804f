/* What was believed since Redis was last asked: which of it counts as sure, and how much is kept.
 */
#include <criterion/criterion.h>

#include "channels/trail.h"

static struct trail *trail;

static struct notify_id id(uint64_t ms)
{
    return (struct notify_id){ms, 0};
}

static void believe(uint64_t first, uint64_t last)
{
    for (uint64_t ms = first; ms <= last; ms++)
        trail_add(&trail, id(first - 1), id(ms));
}

static void forget(void)
{
    trail_forget(&trail);
}

TestSuite(trail, .fini = forget);

Test(trail, an_empty_one_has_nothing_and_takes_no_memory)
{
    cr_assert_eq(trail_len(trail), 0);
    cr_assert_not(trail_has(trail, id(1)));
    trail_vouch(&trail, id(1));
    trail_pass(&trail, id(1));
    cr_assert_null(trail);
}

Test(trail, begins_behind_what_was_sure)
{
    believe(5, 7);
    cr_assert_eq(trail->sure.ms, 4);
    cr_assert_eq(trail_len(trail), 3);
    cr_assert(trail_has(trail, id(5)) && trail_has(trail, id(7)));
    cr_assert_not(trail_has(trail, id(4)), "that is sure");
}

Test(trail, what_redis_vouches_for_is_sure_with_all_that_came_before_it)
{
    believe(5, 9);
    trail_vouch(&trail, id(7));
    cr_assert_eq(trail->sure.ms, 7);
    cr_assert_eq(trail_len(trail), 2);
    trail_vouch(&trail, id(3));
    cr_assert_eq(trail_len(trail), 2, "that is none of them");
    trail_vouch(&trail, id(9));
    cr_assert_null(trail);
}

Test(trail, vouching_goes_by_the_order_of_coming_and_not_by_ids)
{
    trail_add(&trail, id(1), id(4000));
    trail_add(&trail, id(1), id(2));
    trail_vouch(&trail, id(4000));
    cr_assert_eq(trail_len(trail), 1);
    cr_assert(trail_has(trail, id(2)));
}

Test(trail, what_was_gone_through_is_sure_whatever_was_believed_of_it)
{
    believe(5, 9);
    trail_pass(&trail, id(6));
    cr_assert_eq(trail->sure.ms, 6);
    cr_assert_eq(trail_len(trail), 3);
    trail_pass(&trail, id(20));
    cr_assert_null(trail);
}

Test(trail, the_greatest_before_an_id_is_found_in_any_order)
{
    trail_add(&trail, id(10), id(50));
    trail_add(&trail, id(10), id(20));
    trail_add(&trail, id(10), id(30));
    cr_assert_eq(trail_before(trail, id(40)).ms, 30);
    cr_assert_eq(trail_before(trail, id(30)).ms, 20);
    cr_assert_eq(trail_before(trail, id(20)).ms, 10);
    cr_assert_eq(trail_before(trail, id(90)).ms, 50);
}

Test(trail, when_it_is_full_the_older_half_is_believed_for_good)
{
    believe(1, TRAIL_MAX);
    cr_assert_eq(trail_len(trail), TRAIL_MAX);
    believe(TRAIL_MAX + 1, TRAIL_MAX + 1);
    cr_assert_eq(trail_len(trail), TRAIL_MAX / 2 + 1);
    cr_assert_eq(trail->sure.ms, TRAIL_MAX / 2);
    cr_assert(trail_has(trail, id(TRAIL_MAX + 1)));
}
