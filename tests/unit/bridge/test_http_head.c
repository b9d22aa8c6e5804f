/* The head of a request: its end, and what libwebsockets gets instead of it. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/http_head.h"

Test(http_head, ends_with_an_empty_line)
{
    static const char *const heads[] = {
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\nHost: x\n\n",
        "GET / HTTP/1.1\r\nHost: x\n\r\n",
    };

    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        size_t len = strlen(heads[i]);
        char text[128];
        (void)snprintf(text, sizeof(text), "%s\r\n\r\nmore\n\n", heads[i]);
        cr_assert_eq(http_head_end(notify_str_z(text)), len, "%s", heads[i]);
        for (size_t cut = 0; cut < len; cut++)
            cr_assert_eq(http_head_end(notify_str_of(heads[i], cut)), 0, "%zu of %s", cut,
                         heads[i]);
    }
    cr_assert_eq(http_head_end(NOTIFY_STR("GET / HTTP/1.1\r\n \r\n\t\n\r\r\nHost: x\r\n")), 0);
}

Test(http_head, begins_with_a_method)
{
    cr_assert(http_head_begins(NOTIFY_STR("G")));
    cr_assert(http_head_begins(NOTIFY_STR("GET / HTTP/1.1")));
    cr_assert_not(http_head_begins(NOTIFY_STR("\x16\x03\x01")));
    cr_assert_not(http_head_begins(NOTIFY_STR("\r\nGET / HTTP/1.1")));
    cr_assert_not(http_head_begins(NOTIFY_STR("get / HTTP/1.1")));
}

/* In buffers of exactly the sizes that are promised, so that a sanitizer sees more. */
static char *carry(const char *head)
{
    size_t len = strlen(head), carried;
    char *in = malloc(len), *out = malloc(3 * len + 1);

    cr_assert(in != NULL && out != NULL);
    memcpy(in, head, len);
    out = realloc(out, 3 * len);
    carried = http_head_carry(out, notify_str_of(in, len));
    cr_assert_leq(carried, 3 * len);
    out = realloc(out, carried + 1);
    out[carried] = '\0';
    free(in);
    return out;
}

struct row {
    const char *target, *carried;
};

static const struct row targets[] = {
    {"/ws?user=100%", "/ws?user=100%FF"},
    {"/ws?user=%", "/ws?user=%FF"},
    {"/ws?user=%4", "/ws?user=%FF4"},
    {"/ws?user=%%41", "/ws?user=%FF%41"},
    {"/ws?user=%zz&x=%4g", "/ws?user=%FFzz&x=%FF4g"},
    {"/ws?user=a%0Ab%0d%00%1f%7F", "/ws?user=a%FFb%FF%FF%FF%FF"},
    {"/ws/a%2Fb%2f?c=%2F", "/ws/a%FFb%FF?c=%2F"},
    {"/ws/a+b?c=a+b", "/ws/a%2Bb?c=a+b"},
    {"/%0a?+", "/%FF?+"},
    {"%", "%FF"},
    {"?%0A/+", "?%FF/+"},
};

Test(http_head, what_lws_cannot_take_in_a_target_becomes_what_no_name_may_hold)
{
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        char head[128], expected[128], *carried;
        (void)snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost: a%%b+c\r\n\r\n",
                       targets[i].target);
        (void)snprintf(expected, sizeof(expected), "GET %s HTTP/1.1\r\nHost: a%%b+c\r\n\r\n",
                       targets[i].carried);
        carried = carry(head);
        cr_assert_str_eq(carried, expected);
        free(carried);
    }
}

static const struct row heads[] = {
    {"GET / HTTP/1.1\r\nHost: x\r\nSec-WebSocket-Protocol: a\r\nOrigin: y\r\n\r\n",
     "GET / HTTP/1.1\r\nHost: x\r\nOrigin: y\r\n\r\n"},
    {"GET / HTTP/1.1\r\nsec-websocket-PROTOCOL:a\r\nSec-WebSocket-Protocol: b\r\n\r\n",
     "GET / HTTP/1.1\r\n\r\n"},
    {"GET /% HTTP/1.1\nSec-WebSocket-Protocol:\n\n", "GET /%FF HTTP/1.1\n\n"},
    {"GET /%", "GET /%FF"},
    {"GET /%\r\nX: y\r\n\r\n", "GET /%FF\r\nX: y\r\n\r\n"},
};

Test(http_head, sub_protocols_are_left_out)
{
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        char *carried = carry(heads[i].target);
        cr_assert_str_eq(carried, heads[i].carried);
        free(carried);
    }
}

static const char *const as_they_stand[] = {
    "",
    "GET",
    "GET ",
    "\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /ws?user=%C3%A4%20%7E%2B&a=b%26c HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET / HTTP/1.1\r\nX-Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocols: b\r\n\r\n",
    "GET / HTTP/1.1\r\nSec-WebSocket-Protocol : a\r\nSec-WebSocket-Protocol\r\n\r\n",
    "GET / HTTP/1.1\r\nX: 100%\r\nY: %0A+\r\n\r\n",
    "POST /% HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n",
    "GET /% HTTP/1.1\r\nHost: x\r\ntransfer-encoding:chunked\r\n\r\n",
    "GET / HTTP/1.1\r\nSec-WebSocket-Protocol: a\r\nCONTENT-LENGTH: 0\r\n\r\n",
};

Test(http_head, others_go_as_they_stand_and_so_do_those_that_announce_a_body)
{
    for (size_t i = 0; i < sizeof(as_they_stand) / sizeof(as_they_stand[0]); i++) {
        char *carried = carry(as_they_stand[i]);
        cr_assert_str_empty(carried, "%s", as_they_stand[i]);
        free(carried);
    }
}
