/* What counts as UTF-8, by the table of RFC 3629 section 4, and how characters are counted. */
#include <criterion/criterion.h>

#include "base/utf8.h"

struct row {
    const char *text;
    long chars; /* -1: not valid */
};

static const struct row rows[] = {
    {"", 0},
    {"plain", 5},
    {"more than eight bytes of ASCII", 30},
    {"\x7f", 1},
    {"\xc2\x80", 1},
    {"\xdf\xbf", 1},
    {"\xe0\xa0\x80", 1},
    {"\xed\x9f\xbf", 1},
    {"\xee\x80\x80", 1},
    {"\xef\xbf\xbf", 1},
    {"\xf0\x90\x80\x80", 1},
    {"\xf4\x8f\xbf\xbf", 1},
    {"gr\xc3\xbc\xc3\x9f dich, \xe4\xb8\x96\xe7\x95\x8c \xf0\x9f\x98\x80", 15},
    {"\x80", -1},
    {"\xbf", -1},
    {"\xc0\x80", -1},         /* overlong */
    {"\xc1\xbf", -1},         /* overlong */
    {"\xe0\x9f\xbf", -1},     /* overlong */
    {"\xf0\x8f\xbf\xbf", -1}, /* overlong */
    {"\xed\xa0\x80", -1},     /* surrogate */
    {"\xed\xbf\xbf", -1},     /* surrogate */
    {"\xf4\x90\x80\x80", -1}, /* above U+10FFFF */
    {"\xf5\x80\x80\x80", -1},
    {"\xff", -1},
    {"\xc3", -1}, /* cut short */
    {"\xe2\x82", -1},
    {"\xf0\x9f\x98", -1},
    {"\xe2\x82 ", -1},
    {"eight by\xc3", -1},
    {"sixteen bytes ..\xe2\x28\xa1", -1},
};

Test(utf8, the_table_of_rfc_3629_decides)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t chars = 77;
        bool valid = utf8_count(notify_str_z(rows[i].text), &chars);
        cr_assert_eq(valid, rows[i].chars >= 0, "row %zu", i);
        cr_assert_eq(utf8_is_valid(notify_str_z(rows[i].text)), valid, "row %zu", i);
        cr_assert_eq(chars, valid ? (size_t)rows[i].chars : 77, "row %zu", i);
    }
}

Test(utf8, a_nul_is_a_character)
{
    size_t chars;

    cr_assert(utf8_count(notify_str_of("a\0b", 3), &chars));
    cr_assert_eq(chars, 3);
}

Test(utf8, never_looks_behind_the_end)
{
    cr_assert_eq(utf8_char_len(notify_str_of("\xf0\x9f\x98\x80", 3)), 0);
    cr_assert_eq(utf8_char_len(notify_str_of("\xf0\x9f\x98\x80", 4)), 4);
    cr_assert_eq(utf8_char_len(notify_str_of("x", 0)), 0);
}
