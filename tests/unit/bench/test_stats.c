/* Medians and percentiles of the measuring programs. */
#include <criterion/criterion.h>

#include "stats.h"

Test(stats, median_of_an_odd_number_is_the_middle_one)
{
    struct stats stats = {.count = 0};

    stats_add(&stats, 9);
    stats_add(&stats, 1);
    stats_add(&stats, 4);
    cr_assert_eq(stats_median(&stats), 4);
    cr_assert_eq(stats_min(&stats), 1);
    cr_assert_eq(stats_max(&stats), 9);
}

Test(stats, median_of_an_even_number_lies_between_the_middle_two)
{
    struct stats stats = {.count = 0};

    stats_add(&stats, 8);
    stats_add(&stats, 2);
    stats_add(&stats, 1);
    stats_add(&stats, 4);
    cr_assert_eq(stats_median(&stats), 3);
}

Test(stats, of_nothing_is_zero)
{
    struct stats stats = {.count = 0};

    cr_assert_eq(stats_median(&stats), 0);
    cr_assert_eq(stats_min(&stats), 0);
    cr_assert_eq(stats_max(&stats), 0);
    cr_assert_eq(stats_percentile(NULL, 0, 99), 0);
}

Test(stats, percentile_is_the_nearest_rank)
{
    uint64_t samples[200];

    for (size_t i = 0; i < 200; i++)
        samples[i] = 200 - i;
    stats_sort(samples, 200);
    cr_assert_eq(stats_percentile(samples, 200, 50), 100);
    cr_assert_eq(stats_percentile(samples, 200, 99), 198);
    cr_assert_eq(stats_percentile(samples, 200, 99.9), 200);
    cr_assert_eq(stats_percentile(samples, 200, 100), 200);
    cr_assert_eq(stats_percentile(samples, 1, 1), 1);
}
