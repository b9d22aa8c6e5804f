/* ws_reader: frames in, messages out. The faults by their codes are tested over real sockets
 * (tests/integration/test_transport_ws.py); here it is what arrives in which pieces. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/ws_reader.h"

#define MAX_BYTES 4096
#define LOG_BYTES 65536

struct stream {
    uint8_t bytes[16384];
    size_t len;
};

static void add_frame(struct stream *stream, uint8_t first, const void *payload, size_t len)
{
    static const uint8_t mask[4] = {0xA1, 0x00, 0x5C, 0x77};
    uint8_t *p = stream->bytes + stream->len;
    size_t head = 2;

    cr_assert(stream->len + len + 14 <= sizeof(stream->bytes));
    p[0] = first;
    if (len < 126) {
        p[1] = 0x80 | (uint8_t)len;
    } else {
        p[1] = 0x80 | 126;
        p[2] = (uint8_t)(len >> 8);
        p[3] = (uint8_t)len;
        head = 4;
    }
    memcpy(p + head, mask, 4);
    for (size_t i = 0; i < len; i++)
        p[head + 4 + i] = ((const uint8_t *)payload)[i] ^ mask[i & 3];
    stream->len += head + 4 + len;
}

static void add_text(struct stream *stream, uint8_t first, const char *text)
{
    add_frame(stream, first, text, strlen(text));
}

/* Writes what an item was into log, as text. */
static size_t log_item(char *log, enum ws_item_kind kind, const struct ws_item *item)
{
    static const char letters[] = "?.TPpCE";

    if (kind == WS_PART)
        return 0;
    return (size_t)snprintf(log, LOG_BYTES / 2, "%c%d:%.*s\n", letters[kind],
                            kind == WS_CLOSE || kind == WS_ERROR ? item->code : 0, (int)item->len,
                            item->data);
}

/* Feeds the stream in pieces of 1..max_piece bytes; stops looking after stop_every items, as a
 * paused connection does, and goes on with what was kept. Returns all items as text. */
static void read_in_pieces(const struct stream *stream, size_t max_piece, unsigned stop_every,
                           char *log)
{
    struct ws_reader reader = {0};
    uint8_t buf[sizeof(stream->bytes)];
    size_t at = 0;
    size_t logged = 0;
    unsigned items = 0;
    bool done = false;

    log[0] = '\0';
    while (!done) {
        size_t piece = max_piece == 0 ? stream->len : 1 + (size_t)rand() % max_piece;
        size_t kept = ws_reader_restore(&reader, buf);
        struct ws_input in;
        struct ws_item item;
        enum ws_item_kind kind = WS_MORE;
        bool stopped = false;

        if (piece > stream->len - at)
            piece = stream->len - at;
        memcpy(buf + kept, stream->bytes + at, piece);
        at += piece;
        in = (struct ws_input){buf, buf + kept + piece};
        while (!stopped && (kind = ws_reader_next(&reader, MAX_BYTES, &in, &item)) != WS_MORE) {
            logged += log_item(log + logged, kind, &item);
            done = kind == WS_ERROR || kind == WS_CLOSE;
            stopped = done || (stop_every > 0 && ++items % stop_every == 0);
        }
        done = done || (at == stream->len && kind == WS_MORE);
        if (kind == WS_MORE)
            cr_assert_lt(in.end - in.ptr, WS_READER_REST_MAX);
        cr_assert_eq(ws_reader_keep(&reader, &in), 0);
    }
    ws_reader_release(&reader);
}

static void expect_always(const struct stream *stream, const char *expected)
{
    static char log[LOG_BYTES];

    for (size_t max_piece = 0; max_piece <= 20; max_piece++) {
        for (unsigned stop_every = 0; stop_every <= 3; stop_every++) {
            read_in_pieces(stream, max_piece, stop_every, log);
            cr_assert_str_eq(log, expected, "pieces up to %zu, stopping every %u", max_piece,
                             stop_every);
        }
    }
}

Test(ws_reader, gives_the_same_items_however_the_stream_is_cut)
{
    struct stream stream = {.len = 0};
    char big[3001];
    char expected[8192];

    memset(big, 'b', 3000);
    big[3000] = '\0';
    add_text(&stream, 0x81, "hello");
    add_text(&stream, 0x81, "");
    add_text(&stream, 0x01, "a\xC3"); /* a character cut in two */
    add_text(&stream, 0x89, "ping");
    add_text(&stream, 0x00, "");
    add_text(&stream, 0x8A, "");
    add_text(&stream, 0x80, "\xA4z");
    add_text(&stream, 0x81, big);
    add_text(&stream, 0x01, big);
    add_text(&stream, 0x80, "end");
    add_text(&stream, 0x88,
             "\x03\xE8"
             "bye");
    snprintf(expected, sizeof(expected),
             "T0:hello\nT0:\nP0:ping\np0:\nT0:a\xC3\xA4z\nT0:%s\nT0:%send\nC1000:bye\n", big, big);
    expect_always(&stream, expected);
}

Test(ws_reader, counts_the_length_of_a_message_over_its_fragments)
{
    struct stream stream = {.len = 0};
    char half[MAX_BYTES / 2 + 1];
    char expected[MAX_BYTES + 64];

    memset(half, 'h', MAX_BYTES / 2);
    half[MAX_BYTES / 2] = '\0';
    add_text(&stream, 0x01, half);
    add_text(&stream, 0x80, half);
    add_text(&stream, 0x01, half);
    add_text(&stream, 0x00, half);
    add_text(&stream, 0x80, "1");
    snprintf(expected, sizeof(expected), "T0:%s%s\nE1009:message too big\n", half, half);
    expect_always(&stream, expected);
}

/* Every sequence of up to four bytes is either valid or not, by the definition of UTF-8. */
static bool is_utf8(const uint8_t *s, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t n = s[i] < 0x80       ? 1
                   : s[i] >> 5 == 6  ? 2
                   : s[i] >> 4 == 14 ? 3
                   : s[i] >> 3 == 30 ? 4
                                     : 0;
        static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
        uint32_t c = n == 1 ? s[i] : s[i] & (0x7F >> n);

        if (n == 0 || i + n > len)
            return false;
        for (size_t k = 1; k < n; k++) {
            if (s[i + k] >> 6 != 2)
                return false;
            c = c << 6 | (s[i + k] & 0x3F);
        }
        if (c < least[n] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
            return false;
        i += n;
    }
    return true;
}

Test(ws_reader, judges_utf_8_by_its_definition)
{
    static const uint8_t edges[] = {0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF,
                                    0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE,
                                    0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF};
    const size_t n = sizeof(edges);

    for (size_t code = 0; code < n * n * n * n; code++) {
        uint8_t text[4] = {edges[code % n], edges[code / n % n], edges[code / n / n % n],
                           edges[code / n / n / n]};
        struct stream stream = {.len = 0};
        struct ws_reader reader = {0};
        struct ws_item item;
        struct ws_input in;
        enum ws_item_kind kind;

        add_frame(&stream, 0x81, text, sizeof(text));
        in = (struct ws_input){stream.bytes, stream.bytes + stream.len};
        kind = ws_reader_next(&reader, MAX_BYTES, &in, &item);
        cr_assert_eq(kind == WS_TEXT, is_utf8(text, sizeof(text)), "%02x %02x %02x %02x", text[0],
                     text[1], text[2], text[3]);
        if (kind == WS_ERROR)
            cr_assert_eq(item.code, 1007);
        ws_reader_release(&reader);
    }
}

Test(ws_reader, holds_no_memory_between_messages)
{
    struct ws_reader reader = {0};
    struct ws_reader empty = {0};
    struct stream stream = {.len = 0};
    struct ws_input in;
    struct ws_item item;

    add_text(&stream, 0x01, "fragment");
    add_text(&stream, 0x80, "ed");
    in = (struct ws_input){stream.bytes, stream.bytes + stream.len};
    cr_assert_eq(ws_reader_next(&reader, MAX_BYTES, &in, &item), WS_PART);
    cr_assert_eq(ws_reader_next(&reader, MAX_BYTES, &in, &item), WS_TEXT);
    cr_assert_eq(item.len, 10);
    cr_assert_eq(ws_reader_keep(&reader, &in), 0);
    cr_assert_eq(reader.message, empty.message);
    cr_assert_eq(reader.rest, empty.rest);
    cr_assert_eq(ws_reader_kept(&reader), 0);
}

Test(ws_reader, hands_out_one_item_for_each_frame_and_says_which_are_empty)
{
    struct ws_reader reader = {0};
    struct stream stream = {.len = 0};
    struct ws_input in;
    struct ws_item item;

    add_text(&stream, 0x01, "a");
    add_text(&stream, 0x00, "");
    add_text(&stream, 0x00, "bc");
    add_text(&stream, 0x80, "");
    for (size_t piece = 1; piece <= stream.len; piece++) {
        static const size_t lengths[] = {1, 0, 2};
        uint8_t buf[sizeof(stream.bytes)];
        size_t parts = 0, kept = 0;
        enum ws_item_kind kind = WS_MORE;

        for (size_t at = 0; kind != WS_TEXT; at += piece) {
            size_t len = stream.len - at < piece ? stream.len - at : piece;
            cr_assert_lt(at, stream.len);
            memcpy(buf + kept, stream.bytes + at, len);
            in = (struct ws_input){buf, buf + kept + len};
            while ((kind = ws_reader_next(&reader, MAX_BYTES, &in, &item)) == WS_PART)
                cr_assert_eq(item.len == 0, lengths[parts++] == 0);
            if (kind != WS_TEXT)
                cr_assert_eq(ws_reader_keep(&reader, &in), 0);
            kept = kind == WS_TEXT ? 0 : ws_reader_restore(&reader, buf);
        }
        cr_assert_eq(parts, 3);
        cr_assert_eq(item.len, 3);
        cr_assert_eq(memcmp(item.data, "abc", 3), 0);
        ws_reader_release(&reader);
    }
}

Test(ws_reader, allocates_by_what_has_arrived_not_by_what_was_announced)
{
    struct ws_reader reader = {0};
    /* 16 MiB announced, four bytes sent. */
    uint8_t bytes[] = {0x81, 0xFF, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 'a', 'b', 'c', 'd'};
    struct ws_input in = {bytes, bytes + sizeof(bytes)};
    struct ws_item item;

    cr_assert_eq(ws_reader_next(&reader, 1 << 24, &in, &item), WS_MORE);
    cr_assert_eq(reader.len, 4);
    cr_assert_leq(reader.cap, 4096);
    ws_reader_release(&reader);
}
