/* base64: both ways, and the texts that are none. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"

/* RFC 4648, 10. */
Test(base64, texts_of_the_standard_go_both_ways)
{
    static const char *const pairs[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
        {"\x03\xef\xff", "A+//"},
    };

    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        char text[16];
        uint8_t bytes[16];
        size_t len = base64_encode(text, pairs[i][0], strlen(pairs[i][0]));

        cr_assert_eq(len, BASE64_ENCODED_LEN(strlen(pairs[i][0])));
        cr_assert(notify_str_eq(notify_str_of(text, len), notify_str_z(pairs[i][1])));
        cr_assert_eq(base64_decode(bytes, notify_str_z(pairs[i][1])), (ssize_t)strlen(pairs[i][0]));
        cr_assert_eq(memcmp(bytes, pairs[i][0], strlen(pairs[i][0])), 0);
    }
}

Test(base64, bytes_come_back_as_they_were)
{
    uint8_t bytes[64], back[BASE64_DECODED_MAX(BASE64_ENCODED_LEN(64))];
    char text[BASE64_ENCODED_LEN(64)];

    srand(7);
    for (int round = 0; round < 2000; round++) {
        size_t len = (size_t)(rand() % 65);

        for (size_t i = 0; i < len; i++)
            bytes[i] = (uint8_t)rand();
        cr_assert_eq(base64_decode(back, notify_str_of(text, base64_encode(text, bytes, len))),
                     (ssize_t)len);
        cr_assert_eq(memcmp(bytes, back, len), 0);
    }
}

Test(base64, there_is_one_text_for_each_run_of_bytes)
{
    static const char *const bad[] = {
        "Z",    "Zg",   "Zg=",  "Zh==",   "Zm9=",         "====", "=",
        "Z===", "Zm-v", "Zm_v", "Zm9v\n", "Zm9vZg==Zg==", "Z g=", "Zg==\n\n\n\n"};
    uint8_t bytes[16];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_expect_eq(base64_decode(bytes, notify_str_z(bad[i])), -1, "%s", bad[i]);
}
