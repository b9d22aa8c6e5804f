/* base64url: both ways, and the texts that are none. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64url.h"

/* RFC 4648, 10, without padding. */
Test(base64url, texts_of_the_standard_go_both_ways)
{
    static const char *const pairs[][2] = {
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},         {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}};

    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        char text[16];
        uint8_t bytes[16];
        size_t len = base64url_encode(text, pairs[i][0], strlen(pairs[i][0]));

        cr_assert_eq(len, BASE64URL_ENCODED_LEN(strlen(pairs[i][0])));
        cr_assert(notify_str_eq(notify_str_of(text, len), notify_str_z(pairs[i][1])));
        cr_assert_eq(base64url_decode(bytes, notify_str_z(pairs[i][1])),
                     (ssize_t)strlen(pairs[i][0]));
        cr_assert_eq(memcmp(bytes, pairs[i][0], strlen(pairs[i][0])), 0);
    }
}

Test(base64url, bytes_come_back_as_they_were)
{
    uint8_t bytes[64], back[BASE64URL_DECODED_MAX(BASE64URL_ENCODED_LEN(64))];
    char text[BASE64URL_ENCODED_LEN(64)];

    srand(7);
    for (int round = 0; round < 2000; round++) {
        size_t len = (size_t)(rand() % 65);

        for (size_t i = 0; i < len; i++)
            bytes[i] = (uint8_t)rand();
        cr_assert_eq(
            base64url_decode(back, notify_str_of(text, base64url_encode(text, bytes, len))),
            (ssize_t)len);
        cr_assert_eq(memcmp(bytes, back, len), 0);
    }
}

Test(base64url, there_is_one_text_for_each_run_of_bytes)
{
    static const char *const bad[] = {
        "Z", "Zh", "Zm9", "Zg==", "Zg=", "Z g", "Zm+v", "Zm/v", "Zm9v\n"};
    uint8_t bytes[16];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_expect_eq(base64url_decode(bytes, notify_str_z(bad[i])), -1, "%s", bad[i]);
}
