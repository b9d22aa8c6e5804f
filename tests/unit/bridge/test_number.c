/* Integers as text. */
#include <criterion/criterion.h>

#include "base/number.h"

Test(number, is_written_in_decimal_up_to_the_ends_of_its_range)
{
    static const struct {
        int64_t value;
        const char *text;
    } numbers[] = {{0, "0"},
                   {-1, "-1"},
                   {1795208400123, "1795208400123"},
                   {INT64_MAX, "9223372036854775807"},
                   {INT64_MIN, "-9223372036854775808"}};
    char out[NUMBER_TEXT_MAX + 1];

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct notify_str text = number_text(out, numbers[i].value);
        cr_assert_str_eq(out, numbers[i].text);
        cr_assert(notify_str_eq(text, notify_str_z(numbers[i].text)));
    }
}

Test(number, counts_are_no_fewer_than_none_and_can_be_added_up)
{
    int64_t sum = 0;

    for (int i = 0; i < 1 << 20; i++)
        cr_assert_not(__builtin_add_overflow(sum, number_count(INT64_MAX), &sum));
    cr_assert_eq(number_count(INT64_MIN), 0);
    cr_assert_eq(number_count(-1), 0);
    cr_assert_eq(number_count(17), 17);
}
