/* http_body: what comes out of bodies in pieces of any size, and what is refused. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "wire/http_body.h"

#define LIMIT 20

struct outcome {
    int status; /* HTTP_BODY_DONE, HTTP_BODY_MORE or that of the refusal */
    char text[64];
    size_t len, rest; /* of text; bytes that were left */
};

static struct outcome read_body(const struct http_head *head, const char *bytes, size_t piece_len)
{
    struct outcome out = {.status = HTTP_BODY_MORE};
    struct http_body body;
    size_t len = strlen(bytes), have = 0;

    http_body_begin(&body, head, LIMIT);
    do {
        struct notify_str in, piece;
        size_t n = len - have < piece_len ? len - have : piece_len;

        in = notify_str_of(bytes + have, n);
        while ((out.status = http_body_next(&body, &in, &piece)) == HTTP_BODY_PIECE) {
            memcpy(out.text + out.len, piece.ptr, piece.len);
            out.len += piece.len;
        }
        have += n;
        out.rest = len - have + in.len;
    } while (out.status == HTTP_BODY_MORE && have < len);
    return out;
}

static void check(const struct http_head *head, const char *bytes, int status, const char *text,
                  size_t rest)
{
    for (size_t piece = 1; piece <= 8; piece++) {
        struct outcome out = read_body(head, bytes, piece);

        cr_expect_eq(out.status, status, "%d, not %d in pieces of %zu: %s", out.status, status,
                     piece, bytes);
        if (status != HTTP_BODY_DONE)
            continue;
        cr_expect_eq(out.len, strlen(text), "%s", bytes);
        cr_expect_eq(memcmp(out.text, text, out.len), 0, "%s", bytes);
        cr_expect_eq(out.rest, rest, "%zu left of %s", out.rest, bytes);
    }
}

static void check_chunked(const char *bytes, int status, const char *text, size_t rest)
{
    static const struct http_head head = {.framing = HTTP_CHUNKED};

    check(&head, bytes, status, text, rest);
}

Test(http_body, a_length_says_where_the_body_ends)
{
    struct http_head head = {.framing = HTTP_LENGTH, .length = 5};

    check(&head, "helloGET", HTTP_BODY_DONE, "hello", 3);
    check(&head, "hell", HTTP_BODY_MORE, "", 0);
    head.length = 0;
    check(&head, "GET", HTTP_BODY_DONE, "", 3);
    head.framing = HTTP_NO_BODY;
    check(&head, "GET", HTTP_BODY_DONE, "", 3);
    head = (struct http_head){.framing = HTTP_LENGTH, .length = LIMIT + 1};
    check(&head, "", 413, "", 0);
}

Test(http_body, chunks_are_put_together)
{
    check_chunked("5\r\nhello\r\n0\r\n\r\nGET", HTTP_BODY_DONE, "hello", 3);
    check_chunked("3\r\nhel\r\n2;a=\"b\"\r\nlo\r\n000\r\n\r\n", HTTP_BODY_DONE, "hello", 0);
    check_chunked(
        "A\r\n0123456789\r\n0\r\nX-T: 1\r\nLonger-Than-Any-Name-That-Is-Looked-At: 2\r\n\r\nG",
        HTTP_BODY_DONE, "0123456789", 1);
    check_chunked("5\r\nhello\r\n0\r\n", HTTP_BODY_MORE, "", 0);
}

Test(http_body, what_two_readers_may_understand_differently_is_refused)
{
    static const char *const texts[] = {
        "0x5\r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n",
        "5 \r\nhello\r\n",
        "+5\r\nhello\r\n",
        "\r\n5\r\nhello\r\n",
        "000000005\r\nhello\r\n",
        "5\nhello\r\n",
        "5\r\nhelloX\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello\r\r",
        "5;a\nb\r\nhello\r\n",
        "5;\rb\r\nhello\r\n",
        "5;a\x01\r\nhello\r\n",
        "0\r\nContent-Length: 1\r\n\r\n",
        "0\r\ntransfer-encoding: chunked\r\n\r\n",
        "0\r\nX : 1\r\n\r\n",
        "0\r\n: 1\r\n\r\n",
        "0\r\nX: 1\r\n folded\r\n\r\n",
        "0\r\nX: a\rb\r\n\r\n",
        "0\r\n\rX",
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        check_chunked(texts[i], 400, "", 0);
}

Test(http_body, what_grows_has_a_limit)
{
    static char bytes[HTTP_TRAILERS_MAX + 100];

    check_chunked("15\r\n", 413, "", 0);
    check_chunked("14\r\n01234567890123456789\r\n1\r\n", 413, "", 0);
    check_chunked("FFFFFFFF\r\n", 413, "", 0);
    (void)snprintf(bytes, sizeof(bytes), "0;%0300d", 0);
    check_chunked(bytes, 400, "", 0);
    (void)snprintf(bytes, sizeof(bytes), "0\r\nX: %0*d", HTTP_TRAILERS_MAX, 0);
    check_chunked(bytes, 431, "", 0);
}
