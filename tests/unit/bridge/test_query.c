/* query: finding and decoding query parameters. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

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

/* All parameters as "name=value;". */
static const char *walk(const char *query, int *ret_end)
{
    static char out[256];
    struct notify_str rest = notify_str_z(query), name, value;
    char *room = malloc(HTTP_QUERY_ROOM(rest.len)); /* no byte more */
    size_t len = 0;

    cr_assert_not_null(room);
    out[0] = '\0';
    while ((*ret_end = http_query_next(&rest, room, &name, &value)) > 0)
        len += (size_t)snprintf(out + len, sizeof(out) - len, "%.*s=%.*s;", (int)name.len, name.ptr,
                                (int)value.len, value.ptr);
    free(room);
    return out;
}

Test(query, is_walked_from_its_begin_to_its_end_or_to_what_is_malformed)
{
    static const struct {
        const char *query, *all;
        int end;
    } rows[] = {
        {"", "", 0},
        {"&&", "", 0},
        {"a=1&b=2&a=3", "a=1;b=2;a=3;", 0},
        {"a", "a=;", 0},
        {"&a=&=b&", "a=;=b;", 0},
        {"%61+b=%26%3D+", "a b=&= ;", 0},
        {"a=1&b=%zz&c=3", "a=1;", -1},
        {"a=1&%00=2", "a=1;", -1},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int end;
        cr_expect_str_eq(walk(rows[i].query, &end), rows[i].all, "%s", rows[i].query);
        cr_expect_eq(end, rows[i].end, "%s", rows[i].query);
    }
}
