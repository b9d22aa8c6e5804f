/* credentials: where a token stands in a request, and that it stands in one place only. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "clients/credentials.h"
#include "net/http.h"

static struct http_head head;
static struct credentials credentials;

/* fields: lines of a head, each ended by CR LF; as net/http_request.c makes a request of it. */
static const struct http_request *request(const char *query, const char *fields)
{
    static char bytes[HTTP_HEAD_MAX];
    static struct http_request req;
    int len =
        snprintf(bytes, sizeof(bytes), "GET /ws?%s HTTP/1.1\r\nHost: h\r\n%s\r\n", query, fields);

    cr_assert_eq(http_head_parse(&head, bytes, (size_t)len), 0);
    req = (struct http_request){.path = head.path,
                                .query = head.query,
                                .origin = http_field(&head, "Origin", NULL),
                                .head = &head};
    return &req;
}

static void find(const char *query, const char *fields)
{
    memset(&credentials, 'x', sizeof(credentials)); /* nothing of it may stay */
    credentials_find(&credentials, request(query, fields), "sid");
}

/* Expected: the token, "" for an empty one, NULL for none. */
static void expect(const char *query, const char *fields, const char *token)
{
    find(query, fields);
    cr_expect_null(credentials.fault, "%s | %s", query, fields);
    if (token == NULL)
        cr_expect_null(credentials.token.ptr, "%s | %s", query, fields);
    else
        cr_expect(notify_str_eq(credentials.token, notify_str_z(token)), "%s | %s", query, fields);
}

static void expect_fault(const char *query, const char *fields)
{
    find(query, fields);
    cr_expect_not_null(credentials.fault, "%s | %s", query, fields);
    cr_expect_not_null(credentials.token.ptr, "it is not as if there were none");
}

#define ORIGIN "Origin: http://h\r\n"

Test(credentials, a_token_is_found_wherever_it_may_stand)
{
    expect("token=a.b.c", "", "a.b.c");
    expect("x=1&token=a%2Eb", "", "a.b");
    expect("", "Authorization: Bearer a.b.c\r\n", "a.b.c");
    expect("", "authorization: BEARER \t  a.b.c\r\n", "a.b.c");
    expect("", "Sec-WebSocket-Protocol: bearer, a.b.c\r\n", "a.b.c");
    expect("", "Sec-WebSocket-Protocol: notify.v1,bearer,a.b.c , other\r\n", "a.b.c");
    expect("", "Sec-WebSocket-Protocol: bearer\r\nSec-WebSocket-Protocol: a.b.c\r\n", "a.b.c");
    expect("", ORIGIN "Cookie: a=b; sid=a.b.c; sid=other; c=d\r\n", "a.b.c");
    expect("", ORIGIN "Cookie: sid=a=b\r\n", "a=b");
}

Test(credentials, what_only_looks_like_a_token_is_none)
{
    expect("tokens=a&Token=b&xtoken=c", "", NULL);
    expect("", "Authorization: Basic YTpi\r\n", NULL);
    expect("", "Authorization: BearerX a\r\n", NULL);
    expect("", "X-Authorization: Bearer a\r\n", NULL);
    expect("", "Sec-WebSocket-Protocol: Bearer, a.b.c\r\n", NULL);
    expect("", "Sec-WebSocket-Protocol: xbearer, a.b.c\r\n", NULL);
    expect("", ORIGIN "Cookie: xsid=a; sidx=b; SID=c; =d; ;;\r\n", NULL);
    expect("", "Cookie: sid=a.b.c\r\n", NULL); /* no page: nobody looked at where it comes from */
}

Test(credentials,
     without_an_origin_a_cookie_counts_when_the_browser_says_that_the_page_is_of_our_address)
{
    static const char *const others[] = {
        "",
        "Sec-Fetch-Site: same-site\r\n", /* of a sister domain, which may be anybody's */
        "Sec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: none\r\n", /* typed in, or from outside the browser */
        "Sec-Fetch-Site: Same-Origin\r\n",
        "Sec-Fetch-Site: same-origin, cross-site\r\n",
        "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Site: same-origin\r\n",
        "Sec-Fetch-Mode: same-origin\r\n",
        "Referer: http://h/\r\n",
    };
    char fields[256];

    expect("", "Sec-Fetch-Site: same-origin\r\nCookie: sid=a.b.c\r\n", "a.b.c");
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        snprintf(fields, sizeof(fields), "%sCookie: sid=a.b.c\r\n", others[i]);
        expect("", fields, NULL);
    }
}

Test(credentials, a_cookie_counts_only_when_nothing_else_does)
{
    expect("token=query", ORIGIN "Cookie: sid=cookie\r\n", "query");
    expect("", ORIGIN "Authorization: Bearer head\r\nCookie: sid=cookie\r\n", "head");
    credentials_find(&credentials, request("", ORIGIN "Cookie: sid=cookie\r\n"), NULL);
    cr_expect_null(credentials.token.ptr, "none is configured");
}

Test(credentials, a_token_in_several_places_is_no_good_even_if_it_is_the_same)
{
    expect_fault("token=a", "Authorization: Bearer a\r\n");
    expect_fault("token=a", "Sec-WebSocket-Protocol: bearer, a\r\n");
    expect_fault("", "Authorization: Bearer a\r\nAuthorization: Bearer a\r\n");
    expect_fault("", "Sec-WebSocket-Protocol: bearer, a, bearer, b\r\n");
    expect_fault("", "Authorization: Bearer a\r\nSec-WebSocket-Protocol: bearer, a\r\n");
}

Test(credentials, an_empty_token_is_told_and_not_taken_for_none)
{
    expect_fault("token=", "");
    expect_fault("token", "");
    expect_fault("token=%00", "");
    expect_fault("token=%zz", "");
    expect_fault("", "Authorization: Bearer\r\n");
    expect_fault("", "Authorization: Bearer  \r\n");
    expect_fault("", "Sec-WebSocket-Protocol: bearer\r\n");
    expect_fault("", ORIGIN "Cookie: sid=\r\n");
    expect_fault("", ORIGIN "Cookie: sid\r\n");
}

Test(credentials, the_protocol_that_is_chosen_is_never_the_token)
{
    static const struct {
        const char *fields, *chosen;
    } cases[] = {
        {"Sec-WebSocket-Protocol: bearer, a.b.c\r\n", "bearer"},
        {"Sec-WebSocket-Protocol: x, bearer, bearer\r\n", "bearer"},
        {"Sec-WebSocket-Protocol: a.b.c\r\n", NULL},
        {"", NULL},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *chosen = credentials_protocol(request("", cases[i].fields));

        if (cases[i].chosen == NULL)
            cr_expect_null(chosen, "%s", cases[i].fields);
        else
            cr_expect_str_eq(chosen, cases[i].chosen, "%s", cases[i].fields);
    }
}
