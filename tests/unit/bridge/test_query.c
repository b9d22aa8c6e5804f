/* query: finding and decoding query parameters. */
#include <criterion/criterion.h>

#include "net/conn.h"

struct row {
    const char *query, *name;
    int len; /* -1: absent, malformed, too long */
    const char *value;
};

Test(query, finds_and_decodes_parameters)
{
    static const struct row rows[] = {
        {"user=alice&topics=a%2Cb", "user", 5, "alice"},
        {"user=alice&topics=a%2Cb", "topics", 3, "a,b"},
        {"user=alice", "use", -1, ""},
        {"user=alice", "users", -1, ""},
        {"user=alice", "USER", -1, ""},
        {"a=1&a=2", "a", 1, "1"},
        {"a", "a", 0, ""},
        {"a=", "a", 0, ""},
        {"&&a=x&&", "a", 1, "x"},
        {"=x&a=y", "a", 1, "y"},
        {"a=b=c", "a", 3, "b=c"},
        {"a=b+c", "a", 3, "b c"},
        {"a=b%2bc", "a", 3, "b+c"},
        {"%61=x", "a", 1, "x"},
        {"a%=x", "a", -1, ""},
        {"a=%", "a", -1, ""},
        {"a=%4", "a", -1, ""},
        {"a=%4g", "a", -1, ""},
        {"a=%g4", "a", -1, ""},
        {"a=%00", "a", -1, ""},
        {"a=%C3%A4", "a", 2, "\xC3\xA4"},
        {"a=1234567", "a", 7, "1234567"},
        {"a=12345678", "a", -1, ""},
        {"a=%31%32%33%34%35%36%37", "a", 7, "1234567"},
        {"", "a", -1, ""},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct http_request req = {.query = notify_str_z(rows[i].query)};
        char out[8];
        int len = http_request_arg(&req, rows[i].name, out, sizeof(out));

        cr_expect_eq(len, rows[i].len, "%s of %s: %d", rows[i].name, rows[i].query, len);
        if (len >= 0)
            cr_expect_str_eq(out, rows[i].value, "%s of %s", rows[i].name, rows[i].query);
    }
}

Test(query, takes_no_byte_beyond_the_query)
{
    struct http_request req = {.query = notify_str_of("a=%41&b=1", 4)}; /* "a=%4" */
    char out[8];

    cr_assert_eq(http_request_arg(&req, "a", out, sizeof(out)), -1);
    cr_assert_eq(http_request_arg(&req, "b", out, sizeof(out)), -1);
    req.query = (struct notify_str){NULL, 0};
    cr_assert_eq(http_request_arg(&req, "a", out, sizeof(out)), -1);
    req.query = notify_str_z("a=");
    cr_assert_eq(http_request_arg(&req, "a", out, 1), 0);
    cr_assert_eq(http_request_arg(&req, "a", out, 0), -1);
}
