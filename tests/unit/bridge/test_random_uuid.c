#include <criterion/criterion.h>
#include <string.h>

#include "base/random_uuid.h"

Test(random_uuid, is_of_version_4)
{
    char text[RANDOM_UUID_LEN + 2];

    for (int i = 0; i < 100; i++) {
        memset(text, '?', sizeof(text));
        random_uuid(text);
        cr_assert_eq(strlen(text), RANDOM_UUID_LEN);
        cr_assert_eq(strspn(text, "0123456789abcdef-"), RANDOM_UUID_LEN);
        cr_assert_eq(text[RANDOM_UUID_LEN + 1], '?');
        cr_assert_eq(text[14], '4');
        cr_assert_not_null(strchr("89ab", text[19]));
        cr_assert(text[8] == '-' && text[13] == '-' && text[18] == '-' && text[23] == '-');
    }
}

Test(random_uuid, is_another_one_each_time)
{
    char first[RANDOM_UUID_LEN + 1], second[RANDOM_UUID_LEN + 1];

    random_uuid(first);
    random_uuid(second);
    cr_assert_str_neq(first, second);
}
