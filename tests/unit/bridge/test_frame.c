/* Frames, and the header of RFC 6455, section 5.2. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "deflate_testing.h"
#include "wire/deflate.h"
#include "wire/frame.h"
#include "wire/ws_frame.h"

struct header_case {
    size_t len;
    size_t header_len;
    uint8_t bytes[WS_FRAME_HEADER_MAX];
};

static const struct header_case headers[] = {
    {0, 2, {0x81, 0}},
    {1, 2, {0x81, 1}},
    {125, 2, {0x81, 125}},
    {126, 4, {0x81, 126, 0, 126}},
    {0x1234, 4, {0x81, 126, 0x12, 0x34}},
    {65535, 4, {0x81, 126, 0xff, 0xff}},
    {65536, 10, {0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0}},
    {0x12345678, 10, {0x81, 127, 0, 0, 0, 0, 0x12, 0x34, 0x56, 0x78}},
};

Test(frame, the_header_is_the_shortest_that_holds_the_length)
{
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        uint8_t out[WS_FRAME_HEADER_MAX];
        cr_assert_eq(ws_frame_header(out, headers[i].len), headers[i].header_len);
        cr_assert_arr_eq(out, headers[i].bytes, headers[i].header_len);
    }
}

Test(frame, it_holds_the_header_and_all_parts_in_order)
{
    static const size_t totals[] = {0, 3, 125, 126, 65535, 65536};
    static char text[65536];

    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)('a' + i % 26);
    for (size_t i = 0; i < sizeof(totals) / sizeof(totals[0]); i++) {
        size_t cut = totals[i] / 3;
        struct notify_str parts[] = {
            notify_str_of(text, cut), {NULL, 0}, notify_str_of(text + cut, totals[i] - cut)};
        struct frame *frame = frame_new_ws(3, parts);
        uint8_t header[WS_FRAME_HEADER_MAX];
        size_t header_len = ws_frame_header(header, totals[i]);
        cr_assert_eq(frame->len, header_len + totals[i]);
        cr_assert_arr_eq(frame->data, header, header_len);
        cr_assert(totals[i] == 0 || memcmp(frame->data + header_len, text, totals[i]) == 0);
        cr_assert_null(frame_unref(frame));
    }
}

Test(frame, it_lives_as_long_as_somebody_refers_to_it)
{
    struct notify_str part = NOTIFY_STR("{}");
    struct frame *frame = frame_new_ws(1, &part);

    cr_assert_eq(frame_ref(frame), frame);
    cr_assert_null(frame_unref(frame));
    cr_assert_eq(frame->len, 4);
    cr_assert_null(frame_unref(frame));
    cr_assert_null(frame_unref(NULL));
}

Test(frame, joined_frames_stand_one_behind_the_other)
{
    struct notify_str parts[] = {NOTIFY_STR("one"), NOTIFY_STR("three")};
    struct frame *frames[] = {frame_new_ws(1, &parts[0]), frame_new_ws(1, &parts[1])};
    struct frame *joined = frame_join(2, frames);

    cr_assert_eq(joined->len, 5 + 7);
    cr_assert_arr_eq(joined->data, "\x81\x03one\x81\x05three", 12);
    frame_unref(frames[0]);
    frame_unref(frames[1]);
    frame_unref(joined);
}

Test(frame, nothing_joined_is_an_empty_frame)
{
    struct frame *joined = frame_join(0, NULL);

    cr_assert_eq(joined->len, 0);
    frame_unref(joined);
}

Test(frame, whole_frames_are_taken_apart_again)
{
    static const size_t totals[] = {0, 3, 125, 126, 65535, 65536};
    static char bytes[3 * 65536], text[65536];
    struct notify_str frames = {bytes, 0}, payload;

    memset(text, 'x', sizeof(text));
    for (size_t i = 0; i < sizeof(totals) / sizeof(totals[0]); i++) {
        frames.len += ws_frame_header((uint8_t *)bytes + frames.len, totals[i]);
        memcpy(bytes + frames.len, text, totals[i]);
        frames.len += totals[i];
    }
    for (size_t i = 0; i < sizeof(totals) / sizeof(totals[0]); i++) {
        cr_assert(ws_frame_take(&frames, &payload));
        cr_assert(notify_str_eq(payload, notify_str_of(text, totals[i])));
    }
    cr_assert_not(ws_frame_take(&frames, &payload));
}

/* Compression. */

static struct frame *frame_of(const char *text, size_t len)
{
    struct notify_str part = notify_str_of(text, len);

    return frame_new_ws(1, &part);
}

static struct notify_str payload_of(const struct frame *frame)
{
    struct notify_str rest = notify_str_of(frame->data, frame->len), payload;

    cr_assert(ws_frame_take(&rest, &payload));
    cr_assert_eq(rest.len, 0);
    return payload;
}

Test(frame, a_compressed_one_is_made_once_and_says_so_by_its_first_bit)
{
    char *text = deflate_testing_text(2000), *read;
    struct frame *frame = frame_of(text, 2000), *deflated = frame_deflated(frame);
    size_t len;

    cr_assert_eq(frame_deflated(frame), deflated);
    cr_assert_neq(deflated, frame);
    cr_assert_lt(deflated->len, frame->len / 2);
    cr_assert_eq((uint8_t)deflated->data[0], 0xC1);
    cr_assert_eq((uint8_t)frame->data[0], 0x81);
    read = deflate_testing_read(payload_of(deflated), DEFLATE_WINDOW_BITS, 2000, &len);
    cr_assert(len == 2000 && memcmp(read, text, len) == 0);
    cr_assert_eq(frame_deflated(deflated), deflated);
    free(read);
    free(text);
    cr_assert_null(frame_unref(frame));
}

Test(frame, a_compressed_one_can_outlive_the_plain_one)
{
    char *text = deflate_testing_text(2000);
    struct frame *frame = frame_of(text, 2000), *deflated = frame_ref(frame_deflated(frame));

    frame_unref(frame);
    cr_assert_eq(deflated->refs, 1);
    cr_assert_gt(payload_of(deflated).len, 0);
    frame_unref(deflated);
    free(text);
}

Test(frame, what_is_better_off_plain_stays_so)
{
    char *text = deflate_testing_text(DEFLATE_MOST_BYTES + 1);
    char noise[1000];
    struct frame *frames[6];

    for (size_t i = 0; i < sizeof(noise); i++)
        noise[i] = (char)rand();
    frame_deflate_from(300);
    frames[0] = frame_of(text, 299);
    frames[1] = frame_of(text, DEFLATE_MOST_BYTES + 1);
    frames[2] = frame_of(noise, sizeof(noise));
    frames[3] = frame_of("", 0);
    frames[4] = frame_join(1, frames); /* not one message for all it knows */
    frames[5] = frame_new(1000);
    memset(frames[5]->data, 'x', 1000);
    for (size_t i = 0; i < 6; i++) {
        cr_expect_eq(frame_deflated(frames[i]), frames[i], "%zu", i);
        cr_expect_eq(frame_deflated(frames[i]), frames[i], "%zu", i);
        frame_unref(frames[i]);
    }
    frames[0] = frame_of(text, 300);
    frames[1] = frame_of(text, DEFLATE_MOST_BYTES);
    for (size_t i = 0; i < 2; i++) {
        cr_expect_neq(frame_deflated(frames[i]), frames[i], "%zu", i);
        frame_unref(frames[i]);
    }
    free(text);
}
