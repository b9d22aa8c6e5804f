/* One message, compressed and inflated: both ways against zlib, and what no compressor makes. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "deflate_testing.h"
#include "wire/deflate.h"

#define MAX_BYTES 65536

static const size_t lengths[] = {1, 2, 31, 256, 439, 2000, 4095, 4096, 4097, 20000, 65535, 65536};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void expect_inflated(struct notify_str compressed, size_t max_bytes, int result,
                            struct notify_str expected)
{
    char *text = NULL;
    size_t len = 0;

    cr_assert_eq(deflate_inflate(compressed, max_bytes, &text, &len), result, "of %zu bytes",
                 compressed.len);
    if (result == 0)
        cr_assert(notify_str_eq(notify_str_of(text, len), expected));
    free(text);
}

static const struct notify_str nothing = {"", 0};

Test(deflate, what_is_compressed_can_be_read_by_those_whose_window_is_as_small)
{
    static char out[MAX_BYTES];

    for (size_t i = 3; i < COUNT(lengths); i++) {
        char *text = deflate_testing_text(lengths[i]), *read;
        size_t read_len, len = deflate_message(notify_str_of(text, lengths[i]), out, sizeof(out));
        cr_assert(len > 0 && len < lengths[i], "%zu: %zu", lengths[i], len);
        read = deflate_testing_read(notify_str_of(out, len), DEFLATE_WINDOW_BITS, MAX_BYTES,
                                    &read_len);
        cr_assert_not_null(read, "%zu", lengths[i]);
        cr_assert(read_len == lengths[i] && memcmp(read, text, read_len) == 0);
        free(read);
        expect_inflated(notify_str_of(out, len), MAX_BYTES, 0, notify_str_of(text, lengths[i]));
        free(text);
    }
}

Test(deflate, nothing_is_kept_from_one_message_to_the_next)
{
    static char first[4096], second[4096];
    char *text = deflate_testing_text(2000);
    size_t len = deflate_message(notify_str_of(text, 2000), first, sizeof(first));

    cr_assert_eq(deflate_message(notify_str_of(text, 2000), second, sizeof(second)), len);
    cr_assert_eq(memcmp(first, second, len), 0);
    free(text);
}

Test(deflate, what_does_not_fit_is_none_and_the_next_one_is_as_ever)
{
    static char out[4096];
    char *text = deflate_testing_text(2000), *read;
    size_t len, read_len;

    cr_assert_eq(deflate_message(notify_str_of(text, 2000), out, 50), 0);
    cr_assert_eq(deflate_message(notify_str_of(text, 2000), out, 4), 0);
    len = deflate_message(notify_str_of(text, 2000), out, sizeof(out));
    read = deflate_testing_read(notify_str_of(out, len), 15, 2000, &read_len);
    cr_assert(read_len == 2000 && memcmp(read, text, 2000) == 0);
    free(read);
    free(text);
}

Test(deflate, what_clients_compress_is_inflated)
{
    for (size_t i = 0; i < COUNT(lengths); i++) {
        char *text = deflate_testing_text(lengths[i]);
        size_t len;
        char *made = deflate_testing_make(text, lengths[i], &len);
        expect_inflated(notify_str_of(made, len), MAX_BYTES, 0, notify_str_of(text, lengths[i]));
        cr_assert_leq(len, deflate_bound(lengths[i]));
        free(made);
        free(text);
    }
}

Test(deflate, a_message_has_a_longest_length_to_the_byte)
{
    char *text = deflate_testing_text(5000);
    size_t len;
    char *made = deflate_testing_make(text, 5000, &len);

    expect_inflated(notify_str_of(made, len), 5000, 0, notify_str_of(text, 5000));
    expect_inflated(notify_str_of(made, len), 4999, -EMSGSIZE, nothing);
    expect_inflated(notify_str_of(made, len), 1, -EMSGSIZE, nothing);
    free(made);
    free(text);
}

Test(deflate, what_is_random_may_be_as_long_as_anything_else)
{
    char *noise = malloc(MAX_BYTES), *made;
    size_t len;

    for (size_t i = 0; i < MAX_BYTES; i++)
        noise[i] = (char)rand();
    made = deflate_testing_make(noise, MAX_BYTES, &len);
    cr_assert(len > MAX_BYTES && len <= deflate_bound(MAX_BYTES));
    expect_inflated(notify_str_of(made, len), MAX_BYTES, 0, notify_str_of(noise, MAX_BYTES));
    free(made);
    free(noise);
}

/* 64 MiB of nothing come in 64 KiB. */
Test(deflate, a_bomb_is_given_up_at_the_limit)
{
    size_t huge = (size_t)64 << 20, len;
    char *zeros = calloc(1, huge), *made = deflate_testing_make(zeros, huge, &len);

    cr_assert_lt(len, deflate_bound(MAX_BYTES));
    expect_inflated(notify_str_of(made, len), MAX_BYTES, -EMSGSIZE, nothing);
    expect_inflated(notify_str_of(made, len), 256, -EMSGSIZE, nothing);
    free(made);
    free(zeros);
}

struct odd_case {
    struct notify_str bytes;
    int result;
    const char *text;
};

#define BYTES(literal) NOTIFY_STR_INIT(literal)

static const struct odd_case odd[] = {
    {BYTES("\x00"), 0, ""},                              /* the empty message (RFC 7692, 7.2.3.6) */
    {BYTES("\x02\x00"), 0, ""},                          /* the same by a block of its own */
    {BYTES("\xf2\x48\xcd\xc9\xc9\x07\x00"), 0, "Hello"}, /* 7.2.3.1 */
    {BYTES("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"), 0, "Hello"},         /* 7.2.3.3 */
    {BYTES("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), 0, "Hello"},                     /* 7.2.3.4 */
    {BYTES("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"), 0, "Hello"}, /* 7.2.3.5 */
    {BYTES(""), -EBADMSG, NULL},
    {BYTES("\xf3\x48\xcd\xc9\xc9\x07\x00"), -EBADMSG, NULL}, /* nothing behind the last block */
    {BYTES("\xf2\x48\xcd\xc9"), -EBADMSG, NULL},             /* cut */
    {BYTES("\xf2\x00\x11\x00\x00"), -EBADMSG, NULL}, /* from behind its own window: 7.2.3.2 */
    {BYTES("\x07"), -EBADMSG, NULL},                 /* no such kind of block */
    {BYTES("\x00\x05\x00\x05\x00Hello\x00"), -EBADMSG, NULL}, /* two lengths */
    {BYTES("Hello, this is no block"), -EBADMSG, NULL},
};

Test(deflate, the_examples_of_the_standard_are_read_and_what_is_odd_is_refused)
{
    char *text = deflate_testing_text(300), *made;
    size_t len;

    made = deflate_testing_make(text, 300, &len);
    for (size_t i = 0; i < COUNT(odd); i++) {
        expect_inflated(odd[i].bytes, MAX_BYTES, odd[i].result, notify_str_z(odd[i].text));
        expect_inflated(notify_str_of(made, len), MAX_BYTES, 0, notify_str_of(text, 300));
    }
    free(made);
    free(text);
}

/* Each needs a table and holds nothing. */
Test(deflate, of_blocks_that_hold_little_there_may_be_some)
{
    static const char empty[5] = {0x00, 0x00, 0x00, (char)0xFF, (char)0xFF};
    char bytes[5 * (DEFLATE_FREE_BLOCKS + 2)];

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = empty[i % 5];
    expect_inflated(notify_str_of(bytes, 5 * (DEFLATE_FREE_BLOCKS - 1) + 1), MAX_BYTES, 0, nothing);
    expect_inflated(notify_str_of(bytes, sizeof(bytes)), MAX_BYTES, -E2BIG, nothing);
}

/* A compressor that is given little memory, as small devices have. */
Test(deflate, whoever_compresses_in_small_blocks_is_read)
{
    char *text = deflate_testing_text(MAX_BYTES), *out = malloc(2 * MAX_BYTES);
    z_stream z = {0};

    cr_assert_eq(deflateInit2(&z, 9, Z_DEFLATED, -9, 1, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)text;
    z.avail_in = MAX_BYTES;
    z.next_out = (Bytef *)out;
    z.avail_out = 2 * MAX_BYTES;
    cr_assert_eq(deflate(&z, Z_SYNC_FLUSH), Z_OK);
    expect_inflated(notify_str_of(out, 2 * MAX_BYTES - z.avail_out - 4), MAX_BYTES, 0,
                    notify_str_of(text, MAX_BYTES));
    (void)deflateEnd(&z);
    free(out);
    free(text);
}
