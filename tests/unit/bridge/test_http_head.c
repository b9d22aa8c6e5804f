/* http_head: what it takes, what it refuses and with which status. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "wire/http_head.h"

#define HOST "Host: a\r\n"

/* Feeds text in pieces of that size; the status, or 0 with *ret_head filled. */
static int read_in_pieces(const char *text, size_t len, size_t piece, struct http_head *ret_head,
                          size_t *ret_end)
{
    struct http_scan scan = {0};
    int status = HTTP_SCAN_MORE;

    for (size_t have = 0; status == HTTP_SCAN_MORE && have < len;) {
        have = have + piece < len ? have + piece : len;
        status = http_scan(&scan, text, have);
    }
    *ret_end = scan.end;
    return status == 0 ? http_head_parse(ret_head, text, scan.end) : status;
}

static int read_head(const char *text, struct http_head *ret_head)
{
    size_t end, len = strlen(text);
    int whole = read_in_pieces(text, len, len, ret_head, &end);

    cr_assert_eq(read_in_pieces(text, len, 1, ret_head, &end), whole, "by bytes: %s", text);
    return whole;
}

static int status_of(const char *text)
{
    static struct http_head head;

    return read_head(text, &head);
}

struct head_case {
    const char *text;
    int status;
};

static void check_cases(const struct head_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        cr_expect_eq(status_of(cases[i].text), cases[i].status, "%d, not %d: %s",
                     status_of(cases[i].text), cases[i].status, cases[i].text);
}

#define CHECK(cases) check_cases(cases, sizeof(cases) / sizeof((cases)[0]))

Test(http_head, the_request_line_has_one_form)
{
    static const struct head_case cases[] = {
        {"GET / HTTP/1.1\r\n" HOST "\r\n", 0},
        {"get / HTTP/1.1\r\n" HOST "\r\n", 0}, /* another method than GET: for the routes */
        {"GET / HTTP/1.2\r\n" HOST "\r\n", 0},
        {"GET / HTTP/1.0\r\n\r\n", 0},
        {"\r\nGET / HTTP/1.1\r\n" HOST "\r\n", 0},
        {"\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n", 400},
        {"\nGET / HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET /\r\n\r\n", 400},
        {"GET / HTTP/1.10\r\n" HOST "\r\n", 400},
        {"GET / http/1.1\r\n" HOST "\r\n", 400},
        {"GET / HTTP/2.0\r\n" HOST "\r\n", 505},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
        {"GET  / HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET / HTTP/1.1 \r\n" HOST "\r\n", 400},
        {"GET\t/ HTTP/1.1\r\n" HOST "\r\n", 400},
        {" GET / HTTP/1.1\r\n" HOST "\r\n", 400},
        {"G@T / HTTP/1.1\r\n" HOST "\r\n", 400},
        {"ABCDEFGHIJKLMNOPQRSTU / HTTP/1.1\r\n" HOST "\r\n", 501},
        {"CONNECT a:1 HTTP/1.1\r\n" HOST "\r\n", 501},
        {"TRACE / HTTP/1.1\r\n" HOST "\r\n", 0}, /* for the routes: 405 */
        {"Host: a\r\nGET / HTTP/1.1\r\n\r\n", 400},
        {"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nGET / HTTP/1.1\r\n" HOST "\r\n", 400},
        {"\x16\x03\x01\x02", 400},
    };

    CHECK(cases);
}

Test(http_head, a_target_is_a_path_an_absolute_address_or_a_star)
{
    static const struct head_case cases[] = {
        {"GET http://a/x HTTP/1.1\r\n" HOST "\r\n", 0},
        {"GET HTTPS://[::1]:80?x HTTP/1.1\r\n" HOST "\r\n", 0},
        {"GET http://u@a/x HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET http:///x HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET http://a/x HTTP/1.1\r\n\r\n", 400}, /* Host is needed still */
        {"GET ftp://a/x HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET a HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET * HTTP/1.1\r\n" HOST "\r\n", 400},
        {"OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 0},
        {"GET /a#b HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET /\"<>\\^{}| HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET /\xC3\xA4 HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET /%0a HTTP/1.1\r\n" HOST "\r\n", 0},
    };

    CHECK(cases);
}

Test(http_head, a_field_is_a_name_a_colon_and_a_value_without_controls)
{
    static const struct head_case cases[] = {
        {"GET / HTTP/1.1\r\n" HOST "X:\r\nY:  b \t\r\n\r\n", 0},
        {"GET / HTTP/1.1\r\n" HOST "X: \xC3\xA4\r\n\r\n", 0},
        {"GET / HTTP/1.1\r\n" HOST "X: a\x01\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "X: a\x7F\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "X: a\rb\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "X: a\nY: b\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "X: a\r\r\n\r\n", 400},
        {"GET / HTTP/1.1\n" HOST "\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n X: a\r\n" HOST "\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "X : a\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "X\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST ": a\r\n\r\n", 400},
    };

    CHECK(cases);
}

Test(http_head, there_is_one_host_and_it_is_well_formed)
{
    static const struct head_case cases[] = {
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost:\r\n\r\n", 0},
        {"GET / HTTP/1.1\r\nHost: a:80\r\n\r\n", 0},
        {"GET / HTTP/1.1\r\nHost: a:\r\n\r\n", 0},
        {"GET / HTTP/1.1\r\nHost: [::ffff:1.2.3.4]:8080\r\n\r\n", 0},
        {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: :80\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a:123456\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: []\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: [::1]a\r\n\r\n", 400},
    };

    CHECK(cases);
}

Test(http_head, where_a_body_ends_is_said_once)
{
    static const struct head_case cases[] = {
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\n", 0},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: +5\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5, 5\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 0x5\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5\xA0\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length\t: 5\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 1234567890123456\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: cHuNkEd\r\n\r\n", 0},
        {"POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, chunked\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST
         "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
         400},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: \vchunked\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding:\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n", 501},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n", 501},
        {"POST / HTTP/1.1\r\n" HOST "Transfer_Encoding: chunked\r\n\r\n", 0}, /* another name */
        {"POST / HTTP/1.1\r\n" HOST "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n", 0},
        {"POST / HTTP/1.1\r\n" HOST "Expect: wonders\r\n\r\n", 417},
        {"POST / HTTP/1.0\r\nExpect: wonders\r\n\r\n", 0},
    };

    CHECK(cases);
}

Test(http_head, slices_say_what_was_asked)
{
    static const char text[] =
        "POST /a%20b?x=1&y HTTP/1.1\r\nhost:  one:80 \r\nX-A: 1\r\nx-a: 2\r\n"
        "Content-Length: 12\r\nExpect: 100-continue\r\n\r\nbody";
    struct http_head head;
    struct notify_str value;
    size_t end;
    unsigned count;

    cr_assert_eq(read_in_pieces(text, sizeof(text) - 1, 7, &head, &end), 0);
    cr_assert_eq(end, sizeof(text) - 1 - 4);
    cr_assert(notify_str_eq(head.method, NOTIFY_STR("POST")));
    cr_assert(notify_str_eq(head.path, NOTIFY_STR("/a%20b")));
    cr_assert(notify_str_eq(head.query, NOTIFY_STR("x=1&y")));
    cr_assert(notify_str_eq(head.host, NOTIFY_STR("one:80")));
    cr_assert_eq(head.minor, 1);
    cr_assert_eq(head.framing, HTTP_LENGTH);
    cr_assert_eq(head.length, 12);
    cr_assert(head.expects_continue && !head.close && !head.upgrade);
    value = http_field(&head, "X-A", &count);
    cr_assert_eq(count, 2);
    cr_assert(notify_str_eq(value, NOTIFY_STR("1")));
    cr_assert_null(http_field(&head, "X-B", NULL).ptr);
}

Test(http_head, escapes_that_are_none_are_told_of)
{
    static const char *const bad[] = {"/%zz", "/%2", "/%", "/%00", "/?a=%00", "/?a=100%&b"};
    struct http_head head;
    char text[64];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\n" HOST "\r\n", bad[i]);
        cr_assert_eq(read_head(text, &head), 0);
        cr_expect(head.bad_escape, "%s", bad[i]);
    }
    cr_assert_eq(read_head("GET /%20?%0a HTTP/1.1\r\n" HOST "\r\n", &head), 0);
    cr_expect_not(head.bad_escape);
}

Test(http_head, an_absolute_target_says_the_host_and_its_path)
{
    struct http_head head;

    cr_assert_eq(read_head("GET http://b:1?q HTTP/1.1\r\n" HOST "\r\n", &head), 0);
    cr_assert(notify_str_eq(head.host, NOTIFY_STR("b:1")));
    cr_assert(notify_str_eq(head.path, NOTIFY_STR("/")));
    cr_assert(notify_str_eq(head.query, NOTIFY_STR("q")));
}

Test(http_head, lists_have_no_limit_of_length_and_go_over_several_fields)
{
    char text[2048] = "GET / HTTP/1.1\r\n" HOST "Connection: ";
    struct http_head head;
    struct http_list_at at = {0};
    struct notify_str element;
    unsigned elements = 0;

    for (int i = 0; i < 100; i++)
        strcat(text, "abcde, ");
    strcat(text, ",,\r\nCONNECTION: Upgrade ,close\r\n\r\n");
    cr_assert_eq(read_head(text, &head), 0);
    cr_assert(head.close && head.upgrade && !head.keep_alive);
    while (http_list_next(&head, "connection", &at, &element))
        elements++;
    cr_assert_eq(elements, 102);
}

Test(http_head, http_1_0_ends_after_the_answer_and_does_not_upgrade)
{
    struct http_head head;

    cr_assert_eq(read_head("GET / HTTP/1.0\r\nConnection: upgrade\r\n\r\n", &head), 0);
    cr_assert(head.close && !head.upgrade);
    cr_assert_eq(read_head("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", &head), 0);
    cr_assert(!head.close && head.keep_alive);
}

Test(http_head, what_is_too_long_is_told_before_it_is_whole)
{
    static char text[20000];
    struct http_head head;
    size_t end, len;

    len = (size_t)snprintf(text, sizeof(text), "GET /%09000d", 0);
    cr_assert_eq(read_in_pieces(text, len, 100, &head, &end), 414);
    len = (size_t)snprintf(text, sizeof(text), "GET /%08000d HTTP/1.1\r\n" HOST "\r\n", 0);
    cr_assert_eq(read_in_pieces(text, len, 100, &head, &end), 414);
    len = (size_t)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n" HOST "X: %017000d", 0);
    cr_assert_eq(read_in_pieces(text, len, 100, &head, &end), 431);
    len = (size_t)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n");
    for (int i = 0; i < HTTP_FIELDS_MAX + 1; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "X: 1\r\n");
    memcpy(text + len, "\r\n", 2);
    cr_assert_eq(read_in_pieces(text, len + 2, 100, &head, &end), 431);
}
