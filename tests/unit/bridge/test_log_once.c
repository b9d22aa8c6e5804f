/* The same line once a minute. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/log_once.h"

static struct log_once once;
static unsigned skipped;

Test(log_once, the_same_text_is_written_once_and_again_after_a_minute)
{
    cr_assert(log_once(&once, 5, "a", &skipped));
    cr_assert_eq(skipped, 0);
    for (uint64_t ms = 6; ms < 5 + LOG_ONCE_MS; ms += 1000)
        cr_assert_not(log_once(&once, ms, "a", &skipped));
    cr_assert(log_once(&once, 5 + LOG_ONCE_MS, "a", &skipped));
    cr_assert_eq(skipped, 60);
    cr_assert_not(log_once(&once, 6 + LOG_ONCE_MS, "a", &skipped));
}

Test(log_once, another_text_is_written_at_once)
{
    cr_assert(log_once(&once, 5, "a", &skipped));
    cr_assert(log_once(&once, 6, "ab", &skipped));
    cr_assert(log_once(&once, 7, "", &skipped));
    cr_assert(log_once(&once, 8, "a", &skipped));
}

Test(log_once, long_texts_are_compared_as_far_as_they_are_kept)
{
    char text[2 * LOG_ONCE_TEXT_MAX];

    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    cr_assert(log_once(&once, 5, text, &skipped));
    text[sizeof(text) - 2] = 'y';
    cr_assert_not(log_once(&once, 6, text, &skipped));
    text[0] = 'y';
    cr_assert(log_once(&once, 7, text, &skipped));
}

Test(log_once, what_is_forgotten_is_written_again)
{
    cr_assert(log_once(&once, 5, "a", &skipped));
    log_once_forget(&once);
    cr_assert(log_once(&once, 6, "a", &skipped));
}
