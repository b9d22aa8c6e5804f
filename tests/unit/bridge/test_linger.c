/* Channels that nobody follows: how long they stay, and how many. */
#include <criterion/criterion.h>

#include "base/counters.h"
#include "channels/channel.h"
#include "channels/linger.h"
#include "loop_testing.h"

#define CHANNELS 10
#define STAY_MS 100

static struct channel channels[CHANNELS];
static size_t gone[CHANNELS]; /* how often each was told to be freed */
static struct linger *linger;

static void on_gone(void *ctx, struct channel *channel)
{
    cr_assert_eq(ctx, gone);
    cr_assert_not(channel->lingering);
    cr_assert_not(channel->reading);
    gone[channel - channels]++;
}

static void begin(size_t in_all, size_t per_client)
{
    const struct linger_limits limits = {STAY_MS, in_all, per_client};

    memset(channels, 0, sizeof(channels));
    memset(gone, 0, sizeof(gone));
    linger = linger_new(LOOP_TESTING, &limits, on_gone, gone);
    cr_assert_not_null(linger);
}

static void end(void)
{
    for (size_t i = 0; i < CHANNELS; i++)
        channels[i].reading = false;
    linger_free(linger);
    cr_assert_null(loop_testing_timers);
}

/* Which are gone, as a text of digits. */
static const char *who_is_gone(void)
{
    static char text[CHANNELS + 1];
    size_t len = 0;

    for (size_t i = 0; i < CHANNELS; i++) {
        cr_assert_leq(gone[i], 1);
        if (gone[i] == 1)
            text[len++] = (char)('0' + i);
    }
    text[len] = '\0';
    return text;
}

Test(linger, a_channel_stays_for_its_time_and_goes_but_not_when_it_is_followed_again)
{
    begin(CHANNELS, CHANNELS);
    linger_begin(linger, &channels[0], NULL);
    loop_testing_advance(STAY_MS / 2);
    linger_begin(linger, &channels[1], NULL);
    linger_begin(linger, &channels[2], NULL);
    cr_assert_eq(linger_count(linger), 3);
    linger_end(linger, &channels[1]);
    linger_end(linger, &channels[1]);
    loop_testing_advance(STAY_MS / 2);
    cr_assert_str_eq(who_is_gone(), "0");
    loop_testing_advance(STAY_MS / 2);
    cr_assert_str_eq(who_is_gone(), "02");
    cr_assert_eq(linger_count(linger), 0);
    end();
}

Test(linger, at_the_limit_the_one_that_has_stayed_longest_goes)
{
    begin(3, CHANNELS);
    for (size_t i = 0; i < 5; i++)
        linger_begin(linger, &channels[i], NULL);
    cr_assert_eq(linger_count(linger), 3);
    cr_assert_str_eq(who_is_gone(), "", "not while somebody may stand on it");
    loop_testing_advance(1);
    cr_assert_str_eq(who_is_gone(), "01");
    cr_assert_eq(counter_values[COUNTER_LINGER_CHANNELS], 2);
    end();
    cr_assert_str_eq(who_is_gone(), "01234");
}

Test(linger, what_one_client_leaves_beyond_its_limit_goes_and_others_stay)
{
    struct linger_account *one = NULL, *other = NULL;

    begin(CHANNELS, 2);
    linger_begin(linger, &channels[0], &one);
    linger_begin(linger, &channels[1], &one);
    linger_begin(linger, &channels[2], &one);
    linger_begin(linger, &channels[3], &other);
    linger_begin(linger, &channels[4], NULL);
    loop_testing_advance(1);
    cr_assert_str_eq(who_is_gone(), "2");
    cr_assert_eq(counter_values[COUNTER_LINGER_PER_CLIENT], 1);
    cr_assert(linger_allows(linger, one), "it has no more than it may");
    linger_end(linger, &channels[0]);
    linger_begin(linger, &channels[5], &one);
    loop_testing_advance(1);
    cr_assert_str_eq(who_is_gone(), "2", "it had one less");
    linger_account_release(one); /* before its channels */
    linger_account_release(NULL);
    loop_testing_advance(STAY_MS);
    cr_assert_str_eq(who_is_gone(), "12345");
    linger_account_release(other); /* after them */
    end();
}

Test(linger, one_that_was_to_go_at_once_stays_when_it_is_followed_again)
{
    struct linger_account *account = NULL;

    begin(CHANNELS, 0);
    linger_begin(linger, &channels[0], &account);
    linger_end(linger, &channels[0]);
    loop_testing_advance(STAY_MS);
    cr_assert_str_eq(who_is_gone(), "");
    linger_account_release(account);
    end();
}

Test(linger, one_that_is_read_for_goes_after_that_and_too_many_of_them_let_nothing_begin)
{
    struct linger_account *account = NULL;

    begin(2, 1);
    for (size_t i = 0; i < 2; i++) {
        channels[i].reading = true;
        linger_begin(linger, &channels[i], &account);
    }
    cr_assert_not(linger_allows(linger, account), "it has left more than it may");
    cr_assert_not(linger_allows(linger, NULL), "there is no room for anybody");
    loop_testing_advance(3 * STAY_MS);
    cr_assert_str_eq(who_is_gone(), "");
    channels[1].reading = false;
    cr_assert(linger_allows(linger, NULL), "the other one makes room");
    loop_testing_advance(1);
    cr_assert_str_eq(who_is_gone(), "1");
    channels[0].reading = false;
    loop_testing_advance(2 * STAY_MS);
    cr_assert_str_eq(who_is_gone(), "01");
    linger_account_release(account);
    end();
}

Test(linger, one_that_is_read_for_when_it_was_to_go_at_once_waits)
{
    struct linger_account *account = NULL;

    begin(CHANNELS, 0);
    linger_begin(linger, &channels[0], &account);
    channels[0].reading = true;
    loop_testing_advance(1);
    cr_assert_str_eq(who_is_gone(), "");
    channels[0].reading = false;
    loop_testing_advance(2 * STAY_MS);
    cr_assert_str_eq(who_is_gone(), "0");
    linger_account_release(account);
    end();
}
