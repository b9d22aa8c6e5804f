/* What peers hear, in each dialect: greetings and answers. (Events: test_event.c.) */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/dialect.h"
#include "wire/frame.h"
#include "wire/text.h"
#include "wire/vocabulary.h"

/* The payload of a short WebSocket text frame, as JSON. */
static json_t *payload_of(const struct frame *frame)
{
    size_t header = (unsigned char)frame->data[1] < 126 ? 2 : 4;

    cr_assert_eq((unsigned char)frame->data[0], 0x81);
    return json_loadb(frame->data + header, frame->len - header, 0, NULL);
}

Test(dialect, greets_with_who_it_takes_the_client_for)
{
    const struct greeting greeting = {.client_id = NOTIFY_STR("c\"1"),
                                      .user_id = NOTIFY_STR("\xc3\xa9"),
                                      .timestamp = "2026-11-28T13:00:00.000Z"};

    for (int d = 0; d < DIALECT_COUNT; d++) {
        struct frame *frame = dialect_greeting((enum dialect)d, &greeting);
        json_t *said = payload_of(frame);
        cr_assert_str_eq(json_string_value(json_object_get(said, "type")), "connection");
        cr_assert_str_eq(json_string_value(json_object_get(said, "client_id")), "c\"1");
        cr_assert_str_eq(json_string_value(json_object_get(said, "user_id")), "\xc3\xa9");
        json_decref(said);
        frame_unref(frame);
    }
}

Test(dialect, says_answers_in_canonical_words)
{
    for (int d = 0; d < DIALECT_COUNT; d++) {
        struct text text = {.len = 0};
        struct frame *frame;
        text_add(&text, NOTIFY_STR("{\"type\":"));
        text_add(&text, NOTIFY_STR("\"pong\"}"));
        frame = dialect_frame((enum dialect)d, &text);
        cr_assert_eq(frame->len, 2 + 15);
        cr_assert_arr_eq(frame->data, "\x81\x0f{\"type\":\"pong\"}", 17);
        frame_unref(frame);
    }
}

Test(dialect, the_plain_one_of_a_dialect_is_plain_itself)
{
    for (int d = 0; d < DIALECT_COUNT; d++) {
        enum dialect plain = dialect_plain((enum dialect)d);
        cr_assert_eq(dialect_plain(plain), plain);
    }
}

/* The whole of a text. */
static const char *joined(const struct text *text)
{
    static char out[256];
    size_t len = 0;

    for (size_t i = 0; i < text->len; i++) {
        memcpy(out + len, text->parts[i].ptr, text->parts[i].len);
        len += text->parts[i].len;
    }
    out[len] = '\0';
    return out;
}

Test(dialect, a_text_takes_members_behind_those_it_has)
{
    struct text text;

    cr_assert(text_of_json(&text, json_pack("{s:i}", "a", 1)));
    cr_assert_str_eq(joined(&text), "{\"a\":1}");
    text_add_member(&text, NOTIFY_STR(",\"b\":"), NOTIFY_STR("[2]"));
    text_add_member(&text, NOTIFY_STR(",\"c\":"), NOTIFY_STR("3"));
    cr_assert_str_eq(joined(&text), "{\"a\":1,\"b\":[2],\"c\":3}");
    text_release(&text);
    cr_assert_eq(text.len, 0);
}

Test(dialect, without_json_there_is_no_text_and_without_text_no_frame)
{
    struct text text;

    cr_assert_not(text_of_json(&text, NULL));
    cr_assert_null(dialect_frame(DIALECT_CANONICAL, &text));
    text_release(&text);
}
