/* Frames, and the header of RFC 6455, section 5.2. */
#include <criterion/criterion.h>
#include <stdlib.h>

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
