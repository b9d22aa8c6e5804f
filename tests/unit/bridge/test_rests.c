/* How long replicas that were left are not gone back to. */
#include <criterion/criterion.h>

#include "redis/rests.h"

static const struct replica_place a = {"10.0.0.1", 6379}, b = {"10.0.0.1", 6380},
                                  c = {"10.0.0.2", 6379};

Test(rests, one_that_was_left_rests_for_a_while)
{
    struct rests rests = {.next = 0};

    cr_assert_not(rests_has(&rests, &a, 1000));
    rests_add(&rests, &a, 1000, 5000);
    cr_assert(rests_has(&rests, &a, 1000 + REST_MIN_MS - 1));
    cr_assert_not(rests_has(&rests, &b, 1000));
    cr_assert_not(rests_has(&rests, &c, 1000));
    cr_assert_not(rests_has(&rests, &a, 1000 + REST_MIN_MS));
}

Test(rests, one_that_is_left_again_and_again_rests_longer_and_longer_up_to_a_limit)
{
    struct rests rests = {.next = 0};
    uint64_t now = 0, ms = REST_MIN_MS;

    for (int i = 0; i < 10; i++) {
        rests_add(&rests, &a, now, 3000);
        cr_assert(rests_has(&rests, &a, now + ms - 1), "%d", i);
        cr_assert_not(rests_has(&rests, &a, now + ms), "%d", i);
        now += ms + 3000;
        ms = ms * 2 < REST_MAX_MS ? ms * 2 : REST_MAX_MS;
    }
    cr_assert_eq(ms, REST_MAX_MS);
}

Test(rests, one_that_was_good_for_as_long_as_it_had_rested_begins_with_the_shortest)
{
    struct rests rests = {.next = 0};

    rests_add(&rests, &a, 0, 0);
    rests_add(&rests, &a, 40000, 3000);
    cr_assert(rests_has(&rests, &a, 40000 + REST_MIN_MS));
    rests_add(&rests, &a, 200000, 2 * REST_MIN_MS);
    cr_assert_not(rests_has(&rests, &a, 200000 + REST_MIN_MS));
}

Test(rests, of_too_many_the_one_that_was_left_first_may_be_gone_back_to)
{
    struct rests rests = {.next = 0};
    struct replica_place place = a;

    for (int i = 0; i <= RESTS_MAX; i++) {
        place.port = 7000 + i;
        rests_add(&rests, &place, 0, 0);
    }
    for (int i = 0; i <= RESTS_MAX; i++) {
        place.port = 7000 + i;
        cr_assert_eq(rests_has(&rests, &place, 1), i > 0, "%d", i);
    }
}
