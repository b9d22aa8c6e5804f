/* latency: how old events are when connections take them. */
#include <criterion/criterion.h>

#include "base/histograms.h"
#include "clients/latency.h"
#include "loop_testing.h"

static struct latency latency;

static uint64_t value(size_t k)
{
    return histogram_values(counter_values, HISTOGRAM_DELIVERY)[k];
}

static uint64_t count(void)
{
    uint64_t sum = 0;

    for (size_t k = 0; k <= histogram_infos[HISTOGRAM_DELIVERY].len; k++)
        sum += value(k);
    return sum;
}

static void end_turn(void)
{
    latency_on_turn_end(&latency, loop_clock_us());
}

static uint64_t ago(uint64_t ms)
{
    return loop_wall_ms(LOOP_TESTING) - ms;
}

Test(latency, what_a_turn_delivered_counts_at_its_end_by_its_age)
{
    latency_note(&latency, ago(0));
    latency_note(&latency, ago(4));
    latency_note(&latency, ago(4));
    cr_assert_eq(count(), 0);
    end_turn();
    cr_expect_eq(value(0), 1);
    cr_expect_eq(value(2), 2, "up to 5 ms");
    cr_expect_eq(value(HISTOGRAM_SUM), 8000);
    end_turn();
    cr_expect_eq(count(), 3, "once");
}

Test(latency, times_that_share_a_place_are_kept_apart)
{
    uint64_t ms = ago(0);

    latency_note(&latency, ms);
    latency_note(&latency, ms - LATENCY_SLOTS);
    cr_expect_eq(count(), 1, "the first one made room");
    end_turn();
    cr_expect_eq(value(0), 1);
    cr_expect_eq(value(5), 1, "32 ms: up to 50");
}

Test(latency, very_many_deliveries_count_as_they_go)
{
    for (int i = 0; i < 1000; i++)
        latency_note(&latency, ago(0));
    cr_expect_geq(count(), 700);
    end_turn();
    cr_expect_eq(count(), 1000);
}

Test(latency, a_clock_of_redis_that_is_ahead_makes_no_time_negative)
{
    latency_note(&latency, ago(0) + 5000);
    end_turn();
    cr_expect_eq(value(0), 1);
    cr_expect_eq(value(HISTOGRAM_SUM), 0);
}

Test(latency, a_wall_clock_that_was_set_is_noticed_within_a_second)
{
    latency_note(&latency, ago(0));
    end_turn();
    loop_testing_wall_ms += 3600000;
    loop_testing_advance(1000);
    latency_note(&latency, ago(0));
    end_turn();
    cr_expect_eq(value(0), 2);
}
