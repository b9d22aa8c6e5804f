/* Blocks of a stream of events. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "random_testing.h"
#include "wire/frame.h"
#include "wire/sse_block.h"
#include "wire/text.h"

/* The block of one part; the caller frees it. */
static char *block_of(const char *type, struct notify_str part)
{
    struct text text = {.type = notify_str_z(type)};
    struct frame *frame;
    char *copy;

    text_add(&text, part);
    frame = sse_block_new(&text);
    cr_assert_not_null(frame);
    copy = malloc(frame->len + 1);
    memcpy(copy, frame->data, frame->len);
    copy[frame->len] = '\0';
    frame_unref(frame);
    return copy;
}

static void assert_block(const char *type, const char *part, const char *expected)
{
    char *block = block_of(type, notify_str_z(part));

    cr_assert_str_eq(block, expected);
    free(block);
}

Test(sse_block, has_the_type_as_name_and_the_text_as_data)
{
    assert_block("\"pong\"", "{}", "event: pong\ndata: {}\n");
    assert_block("", "{}", "data: {}\n");
    assert_block("\"a\\u00e9\\\"\"", "{}", "event: a\u00e9\"\ndata: {}\n");
    assert_block("\" x\"", "{}", "event:  x\ndata: {}\n");
}

Test(sse_block, leaves_out_a_name_that_would_not_stay_on_its_line)
{
    static const char *const names[] = {
        "\"a\\nb\"", "\"\\r\"", "\"a\\u000a\"", "\"\\u0000\"", "\"a\\u0000b\"", "\"\\ud800\"",
        "x",         "\""};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_block(names[i], "{}", "data: {}\n");
}

Test(sse_block, cuts_data_where_a_reader_would)
{
    assert_block("", "a\nb", "data: a\ndata: b\n");
    assert_block("", "a\r\nb\rc\n\rd", "data: a\ndata: b\ndata: c\ndata: \ndata: d\n");
    assert_block("", "\n", "data: \ndata: \n");
    assert_block("", "a\n", "data: a\ndata: \n");
}

Test(sse_block, joins_its_parts_and_says_when_to_come_back)
{
    struct text text = {.type = NOTIFY_STR_INIT("\"t\""), .retry_ms = 3000};
    struct frame *frame;

    text_add(&text, NOTIFY_STR("{\"a\":"));
    text_add(&text, (struct notify_str){NULL, 0});
    text_add(&text, NOTIFY_STR("1}"));
    frame = sse_block_new(&text);
    cr_assert_eq(frame->len, strlen("retry: 3000\nevent: t\ndata: {\"a\":1}\n"));
    cr_assert_arr_eq(frame->data, "retry: 3000\nevent: t\ndata: {\"a\":1}\n", frame->len);
    frame_unref(frame);
}

Test(sse_block, is_ended_with_or_without_an_id)
{
    char out[16];

    cr_assert_eq(sse_block_end(out, NOTIFY_STR("AQ")), 8);
    cr_assert_arr_eq(out, "id: AQ\n\n", 8);
    cr_assert_eq(sse_block_end(out, NOTIFY_STR("")), 1);
    cr_assert_arr_eq(out, "\n", 1);
}

Test(sse_block, a_closing_is_one_event_whatever_its_reason)
{
    char out[SSE_CLOSE_MAX], reason[300];

    cr_assert_eq(sse_block_close(out, 4401, "too late", 3000), strlen(out));
    cr_assert_str_eq(out, "retry: 3000\nevent: close\n"
                          "data: {\"type\":\"close\",\"code\":4401,\"reason\":\"too late\"}\n\n");
    (void)sse_block_close(out, 1, "a\"b\\c\nd", 1);
    cr_assert_not_null(strstr(out, "\"a'b'c'd\"}\n\n"));
    memset(reason, 'x', sizeof(reason) - 1);
    reason[sizeof(reason) - 1] = '\0';
    cr_assert_lt(sse_block_close(out, 4401, reason, UINT32_MAX), sizeof(out));
    cr_assert_not_null(strstr(out, "xx\"}\n\n"));
}

/* Reads a block as a browser does: how many lines begin with which field. */
static void count_fields(const char *block, unsigned *events, unsigned *datas, unsigned *others)
{
    *events = *datas = *others = 0;
    for (const char *at = block; *at != '\0'; at++) {
        size_t len = strcspn(at, "\r\n");
        if (strncmp(at, "event: ", 7) == 0)
            ++*events;
        else if (strncmp(at, "data: ", 6) == 0)
            ++*datas;
        else
            ++*others;
        at += len;
        cr_assert_neq(*at, '\0', "a line that does not end");
    }
}

Test(sse_block, nothing_that_is_put_in_makes_a_field)
{
    static const char pieces[][8] = {"\r", "\n",     "\r\n", "id: 1", "event: x",
                                     ":",  "data: ", "x",    "\n\n"};

    random_begin(7);
    for (int i = 0; i < 20000; i++) {
        char text[128] = "";
        unsigned lines = 1, events, datas, others;
        char *block;

        for (uint64_t n = below(12); n > 0; n--)
            strcat(text, pieces[below(sizeof(pieces) / sizeof(pieces[0]))]);
        for (size_t at = 0; text[at] != '\0'; at++)
            lines += text[at] == '\r' || (text[at] == '\n' && (at == 0 || text[at - 1] != '\r'));
        block = block_of("\"t\"", notify_str_z(text));
        count_fields(block, &events, &datas, &others);
        cr_assert_eq(events, 1);
        cr_assert_eq(datas, lines);
        cr_assert_eq(others, 0);
        free(block);
    }
}
