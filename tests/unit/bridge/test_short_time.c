/* Half a time says all of it, wherever the clock stands. */
#include <criterion/criterion.h>

#include "base/short_time.h"
#include "random_testing.h"

#define ROUNDS 100000
#define DAYS_24 (UINT64_C(24) * 86400000)

static void check(uint64_t now_ms, uint64_t ms)
{
    cr_assert_eq(short_time_ms(short_time(ms), now_ms), ms, "%llu at %llu", (unsigned long long)ms,
                 (unsigned long long)now_ms);
}

Test(short_time, is_the_time_that_it_was_made_of)
{
    random_begin(20261128);
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t now_ms = DAYS_24 + below(UINT64_C(1) << 40);
        check(now_ms, now_ms - below(DAYS_24));
        check(now_ms, now_ms + below(DAYS_24));
    }
}

Test(short_time, goes_on_where_its_half_begins_anew)
{
    for (uint64_t turn = UINT64_C(1) << 32; turn < UINT64_C(1) << 36; turn <<= 1)
        for (uint64_t apart = 1; apart < DAYS_24; apart *= 3) {
            check(turn - 1, turn + apart);
            check(turn, turn - apart);
            check(turn + apart, turn - 1);
        }
    check(0, 0);
    check(0, DAYS_24);
    check(5, 0);
}
