/* token_bucket: the burst at once, the rate after it, never more. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/token_bucket.h"

static const struct token_rate rate = {.per_s = 20, .burst = 40};

static unsigned taken_in(struct token_bucket *bucket, uint64_t from_us, uint64_t until_us,
                         uint64_t step_us)
{
    unsigned taken = 0;

    for (uint64_t now = from_us; now < until_us; now += step_us)
        taken += token_bucket_take(bucket, &rate, 1, now) == 0;
    return taken;
}

Test(token_bucket, a_burst_is_let_through_at_once_and_then_the_rate)
{
    struct token_bucket bucket = {0};
    uint64_t start = 1000000000;

    cr_assert_eq(taken_in(&bucket, start, start + 60, 1), 40);
    cr_assert_eq(taken_in(&bucket, start + 60, start + 10000001, 100), 200 - 1);
    cr_assert_eq(token_bucket_take(&bucket, &rate, 1, start + 10000060), 0);
    cr_assert_not(token_bucket_is_full(&bucket, start + 10000060));
    cr_assert_eq(taken_in(&bucket, start + 100000000, start + 100000060, 1), 40);
}

Test(token_bucket, it_says_exactly_how_long_to_wait)
{
    struct token_bucket bucket = {0};
    uint64_t wait;

    cr_assert_eq(token_bucket_take(&bucket, &rate, 40, 1000000), 0);
    wait = token_bucket_take(&bucket, &rate, 3, 1010000);
    cr_assert_eq(wait, 140000);
    cr_assert_neq(token_bucket_take(&bucket, &rate, 3, 1010000 + wait - 1), 0);
    cr_assert_eq(token_bucket_take(&bucket, &rate, 3, 1010000 + wait), 0);
    cr_assert(token_bucket_is_full(&bucket, 1010000 + wait + 2000000));
}

Test(token_bucket, over_any_time_no_more_than_burst_and_rate_are_let_through)
{
    struct token_bucket bucket = {0};
    uint64_t now = 5000000, start = now;
    uint64_t taken = 0;

    srand(3);
    for (int i = 0; i < 200000; i++) {
        uint32_t n = 1 + (uint32_t)(rand() % 3);

        now += (uint64_t)(rand() % 60000);
        if (token_bucket_take(&bucket, &rate, n, now) == 0)
            taken += n;
        cr_assert_leq(taken, rate.burst + (now - start) * rate.per_s / 1000000 + 1);
    }
    cr_assert_gt(taken, (now - start) * rate.per_s / 1000000 / 2);
}

Test(token_bucket, no_rate_is_no_limit)
{
    struct token_rate none = {0, 0};
    struct token_bucket bucket = {0};

    for (int i = 0; i < 1000; i++)
        cr_assert_eq(token_bucket_take(&bucket, &none, 1, 1), 0);
}
