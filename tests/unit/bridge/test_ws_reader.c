/* ws_reader: frames in, messages out. The faults by their codes are tested over real sockets
 * (tests/integration/test_transport_ws.py); here it is what arrives in which pieces. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deflate_testing.h"
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

static bool inflates; /* compressed messages are taken */

/* Feeds the stream in pieces of 1..max_piece bytes; stops looking after stop_every items, as a
 * paused connection does, and goes on with what was kept. Returns all items as text. */
static void read_in_pieces(const struct stream *stream, size_t max_piece, unsigned stop_every,
                           char *log)
{
    struct ws_reader reader = {.inflates = inflates};
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

Test(ws_reader, takes_binary_messages_of_any_bytes_if_told_to)
{
    struct ws_reader reader = {.takes_binary = true};
    struct stream stream = {.len = 0};
    struct ws_input in;
    struct ws_item item;

    add_frame(&stream, 0x82, (const uint8_t *)"\xff\x00", 2);
    add_frame(&stream, 0x02, (const uint8_t *)"\xe2", 1);
    add_text(&stream, 0x80, "x");
    add_text(&stream, 0x81, "text");
    in = (struct ws_input){stream.bytes, stream.bytes + stream.len};
    cr_assert_eq(ws_reader_next(&reader, MAX_BYTES, &in, &item), WS_BINARY);
    cr_assert(item.len == 2 && memcmp(item.data, "\xff\x00", 2) == 0);
    cr_assert_eq(ws_reader_next(&reader, MAX_BYTES, &in, &item), WS_PART);
    cr_assert_eq(ws_reader_next(&reader, MAX_BYTES, &in, &item), WS_BINARY);
    cr_assert(item.len == 2 && memcmp(item.data, "\xe2x", 2) == 0);
    cr_assert_eq(ws_reader_next(&reader, MAX_BYTES, &in, &item), WS_TEXT);
    cr_assert(item.len == 4 && memcmp(item.data, "text", 4) == 0);
    ws_reader_release(&reader);
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

/* Compressed messages. */

static void add_deflated(struct stream *stream, uint8_t first, const char *text)
{
    size_t len;
    char *made = deflate_testing_make(text, strlen(text), &len);

    add_frame(stream, first, made, len);
    free(made);
}

Test(ws_reader, compressed_messages_come_out_as_they_were_however_the_stream_is_cut)
{
    struct stream stream = {.len = 0};
    char *long_text = deflate_testing_text(MAX_BYTES), expected[2 * MAX_BYTES];
    size_t len;
    char *made = deflate_testing_make(long_text, MAX_BYTES, &len);

    inflates = true;
    add_deflated(&stream, 0xC1, "compressed");
    add_text(&stream, 0x81, "plain");
    add_frame(&stream, 0x41, made, 100); /* in fragments, with others between them */
    add_text(&stream, 0x89, "ping");
    add_frame(&stream, 0x00, made + 100, 0);
    add_frame(&stream, 0x00, made + 100, 50);
    add_frame(&stream, 0x80, made + 150, len - 150);
    add_deflated(&stream, 0xC1, "");
    add_text(&stream, 0x81, "");
    add_deflated(&stream, 0xC1, "a\xC3\xA4z");
    snprintf(expected, sizeof(expected),
             "T0:compressed\nT0:plain\nP0:ping\nT0:%s\nT0:\nT0:\nT0:a\xC3\xA4z\n", long_text);
    expect_always(&stream, expected);
    free(made);
    free(long_text);
}

struct bad_case {
    uint8_t first;
    const char *payload;
    const char *expected;
};

#define RESERVED "E1002:reserved bits set\n"

Test(ws_reader, the_reserved_bit_stands_where_a_compressed_message_begins_and_nowhere_else)
{
    static const struct bad_case cases[] = {
        {0xA1, "x", RESERVED}, {0x91, "x", RESERVED}, {0xE1, "x", RESERVED}, {0xD1, "x", RESERVED},
        {0xC0, "x", RESERVED}, {0xC9, "x", RESERVED}, {0xCA, "x", RESERVED}, {0xC8, "", RESERVED},
    };

    inflates = true;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct stream stream = {.len = 0};
        if (cases[i].first == 0xC0)
            add_deflated(&stream, 0x41, "first");
        add_text(&stream, cases[i].first, cases[i].payload);
        expect_always(&stream, cases[i].expected);
    }
}

Test(ws_reader, who_has_not_agreed_on_it_may_not_compress)
{
    struct stream stream = {.len = 0};

    add_deflated(&stream, 0xC1, "compressed");
    expect_always(&stream, RESERVED);
}

Test(ws_reader, what_a_message_is_inflated_to_is_judged_as_any_other)
{
    static const struct bad_case cases[] = {
        {0, "a\xFF", "E1007:text is not UTF-8\n"},
        {0, "a\xC3", "E1007:text ends within a character\n"},
    };

    inflates = true;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct stream stream = {.len = 0};
        add_deflated(&stream, 0xC1, cases[i].payload);
        expect_always(&stream, cases[i].expected);
    }
}

Test(ws_reader, what_is_inflated_may_be_no_longer_than_a_message)
{
    struct stream stream = {.len = 0}, bomb = {.len = 0}, long_one = {.len = 0};
    char *text = deflate_testing_text(MAX_BYTES + 1), *zeros = calloc(1, 4000000), *made;
    static const char noise[MAX_BYTES + 1000];
    size_t len;

    inflates = true;
    add_deflated(&stream, 0xC1, text);
    expect_always(&stream, "E1009:message too big\n");
    made = deflate_testing_make(zeros, 4000000, &len);
    cr_assert_lt(len, MAX_BYTES);
    add_frame(&bomb, 0xC1, made, len);
    expect_always(&bomb, "E1009:message too big\n");
    add_frame(&long_one, 0x41, noise, MAX_BYTES);
    add_frame(&long_one, 0x80, noise, 1000); /* nor may what is compressed be much longer */
    expect_always(&long_one, "E1009:message too big\n");
    free(made);
    free(zeros);
    free(text);
}

Test(ws_reader, what_no_compressor_makes_is_refused_by_what_is_wrong)
{
    struct stream garbage = {.len = 0}, blocks = {.len = 0};
    char empty[2000] = {0};

    inflates = true;
    add_text(&garbage, 0xC1, "this is no block");
    expect_always(&garbage, "E1007:message is not compressed as it says\n");
    for (size_t i = 3; i < sizeof(empty); i += 5)
        empty[i] = empty[i + 1] = (char)0xFF;
    add_frame(&blocks, 0xC1, empty, sizeof(empty));
    expect_always(&blocks, "E1008:too many blocks in a compressed message\n");
}

Test(ws_reader, of_a_compressed_message_in_fragments_is_held_what_has_come_of_it)
{
    struct ws_reader reader = {.inflates = true};
    struct stream stream = {.len = 0};
    char *zeros = calloc(1, MAX_BYTES);
    size_t len;
    char *made = deflate_testing_make(zeros, MAX_BYTES, &len);
    struct ws_input in;
    struct ws_item item;

    add_frame(&stream, 0x41, made, len - 1);
    in = (struct ws_input){stream.bytes, stream.bytes + stream.len};
    cr_assert_eq(ws_reader_next(&reader, MAX_BYTES, &in, &item), WS_PART);
    cr_assert_eq(reader.len, len - 1);
    cr_assert_leq(reader.cap, 512);
    stream.len = 0;
    add_frame(&stream, 0x80, made + len - 1, 1);
    in = (struct ws_input){stream.bytes, stream.bytes + stream.len};
    cr_assert_eq(ws_reader_next(&reader, MAX_BYTES, &in, &item), WS_TEXT);
    cr_assert_eq(item.len, MAX_BYTES);
    cr_assert_eq(ws_reader_keep(&reader, &in), 0);
    cr_assert(ws_reader_is_idle(&reader));
    free(made);
    free(zeros);
}
