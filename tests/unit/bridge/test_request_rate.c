/* How often each user may ask over HTTP. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "clients/request_rate.h"
#include "loop_testing.h"

static struct request_rate *rate;

static void begin(uint32_t per_s, uint32_t burst)
{
    const struct token_rate limit = {per_s, burst};

    rate = request_rate_new(LOOP_TESTING, &limit);
    cr_assert_not_null(rate);
}

static uint64_t take(const char *user)
{
    return request_rate_take(rate, notify_str_z(user));
}

Test(request_rate, each_user_has_a_burst_and_then_the_rate)
{
    begin(10, 3);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(take("alice"), 0);
    cr_assert_eq(take("alice"), 100);
    cr_assert_eq(take("bob"), 0, "another has his own");
    loop_testing_advance(100);
    cr_assert_eq(take("alice"), 0);
    cr_assert_gt(take("alice"), 0);
    request_rate_free(rate);
}

Test(request_rate, zero_is_no_limit_and_so_is_none)
{
    begin(0, 1);
    for (int i = 0; i < 100; i++)
        cr_assert_eq(take("alice"), 0);
    request_rate_free(rate);
    rate = NULL;
    cr_assert_eq(take("alice"), 0);
}

Test(request_rate, whoever_comes_under_very_many_names_makes_few_others_forgotten)
{
    char name[32];
    int forgotten = 0;

    begin(1, 2);
    for (int i = 0; i < 200; i++) { /* who have just used all they had */
        (void)snprintf(name, sizeof(name), "user%d", i);
        cr_assert_eq(take(name), 0);
        cr_assert_eq(take(name), 0);
    }
    for (int i = 0; i < REQUEST_RATE_USERS; i++) { /* and one each of very many */
        (void)snprintf(name, sizeof(name), "flood%d", i);
        (void)take(name);
    }
    for (int i = 0; i < 200; i++) {
        (void)snprintf(name, sizeof(name), "user%d", i);
        forgotten += take(name) == 0;
    }
    cr_assert_lt(forgotten, 20, "%d", forgotten);
    request_rate_free(rate);
}
