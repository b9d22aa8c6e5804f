#include <criterion/criterion.h>
#include <string.h>

#include "base/random_hex.h"

Test(random_hex, has_two_digits_for_each_byte_and_no_more)
{
    for (size_t bytes = 1; bytes <= RANDOM_HEX_BYTES_MAX; bytes++) {
        char text[2 * RANDOM_HEX_BYTES_MAX + 2];

        memset(text, '?', sizeof(text));
        random_hex(text, bytes);
        cr_assert_eq(strspn(text, "0123456789abcdef"), 2 * bytes);
        cr_assert_eq(strlen(text), 2 * bytes);
        cr_assert_eq(text[2 * bytes + 1], '?');
    }
}

Test(random_hex, is_another_one_each_time)
{
    char first[2 * RANDOM_HEX_BYTES_MAX + 1], second[sizeof(first)];

    random_hex(first, RANDOM_HEX_BYTES_MAX);
    random_hex(second, RANDOM_HEX_BYTES_MAX);
    cr_assert_str_neq(first, second);
}
