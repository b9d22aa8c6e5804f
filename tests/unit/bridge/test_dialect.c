/* What peers hear, in each dialect: greetings and answers. (Events: test_event.c.) */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text_testing.h"
#include "wire/dialect.h"
#include "wire/frame.h"
#include "wire/text.h"
#include "wire/vocabulary.h"

/* The payload of a short frame: of a WebSocket's text, or the data of a block of events, behind its
 * type or alone. */
static struct notify_str payload_of(const struct frame *frame)
{
    size_t header = (unsigned char)frame->data[1] < 126 ? 2 : 4;
    const char *data = memmem(frame->data, frame->len, "\ndata: ", 7);

    if ((unsigned char)frame->data[0] == 0x81)
        return notify_str_of(frame->data + header, frame->len - header);
    if (memcmp(frame->data, "data: ", 6) == 0) /* a whole block */
        return notify_str_of(frame->data + 6, frame->len - 6 - 2);
    cr_assert_not_null(data);
    return notify_str_of(data + 7, (size_t)(frame->data + frame->len - 1 - (data + 7)));
}

static json_t *json_of(const struct frame *frame)
{
    struct notify_str payload = payload_of(frame);

    return json_loadb(payload.ptr, payload.len, 0, NULL);
}

Test(dialect, greets_with_who_it_takes_the_client_for)
{
    const struct greeting greeting = {.client_id = NOTIFY_STR("c\"1"),
                                      .user_id = NOTIFY_STR("\xc3\xa9"),
                                      .timestamp = "2026-11-28T13:00:00.000Z"};

    for (int d = 0; d < DIALECT_SESSION;
         d++) { /* whose greeting is its own: test_dialect_session.c */
        struct frame *frame = dialect_greeting((enum dialect)d, &greeting);
        json_t *said = json_of(frame);
        cr_assert_str_eq(json_string_value(json_object_get(said, "type")), "connection");
        cr_assert_str_eq(json_string_value(json_object_get(said, "client_id")), "c\"1");
        cr_assert_str_eq(json_string_value(json_object_get(said, "user_id")), "\xc3\xa9");
        json_decref(said);
        frame_unref(frame);
    }
}

Test(dialect, says_answers_in_canonical_words)
{
    for (int d = 0; d < DIALECT_SOCKETIO; d++) { /* test_socketio_frame.c */
        struct text text = {.type = NOTIFY_STR_INIT("\"pong\"")};
        struct frame *frame;
        text_add(&text, NOTIFY_STR("{\"type\":"));
        text_add(&text, NOTIFY_STR("\"pong\"}"));
        frame = dialect_frame((enum dialect)d, &text);
        cr_assert(notify_str_eq(payload_of(frame), NOTIFY_STR("{\"type\":\"pong\"}")));
        frame_unref(frame);
    }
}

Test(dialect, names_the_type_of_whatever_is_said_in_a_stream_of_events)
{
    struct text text;
    struct frame *frame;
    static const char block[] = "event: pong\ndata: {\"type\":\"pong\",\"n\":1}\n";

    cr_assert(text_of_json(&text, json_pack("{s:s, s:i}", "type", "pong", "n", 1)));
    frame = dialect_frame(DIALECT_EVENTS, &text);
    cr_assert_eq(frame->len, sizeof(block) - 1);
    cr_assert_arr_eq(frame->data, block, frame->len);
    frame_unref(frame);
    text_release(&text);
}

Test(dialect, a_text_knows_its_type_where_that_comes_first)
{
    static const char *const unknown[] = {"{}", "{\"a\":1}", "{\"type\":1}", "{\"type\":\"x",
                                          "[]", ""};

    cr_assert(
        notify_str_eq(text_of(NOTIFY_STR("{\"type\":\"a\",\"b\":1}")).type, NOTIFY_STR("\"a\"")));
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
        cr_assert_eq(text_of(notify_str_z(unknown[i])).type.len, 0, "%s", unknown[i]);
}

Test(dialect, a_text_in_pieces_knows_its_type_by_the_first)
{
    struct text text = {.len = 0};

    text_add(&text, NOTIFY_STR("{\"type\":\"history\",\"items\":["));
    text_add(&text, NOTIFY_STR("]}"));
    cr_assert(notify_str_eq(text.type, NOTIFY_STR("\"history\"")));
    text = (struct text){.type = NOTIFY_STR_INIT("\"other\"")};
    text_add(&text, NOTIFY_STR("{\"type\":\"history\"}"));
    cr_assert(notify_str_eq(text.type, NOTIFY_STR("\"other\"")));
}

Test(dialect, a_greeting_says_when_to_come_back_where_that_can_be_said)
{
    const struct greeting greeting = {
        .client_id = NOTIFY_STR("c"), .user_id = NOTIFY_STR("u"), .timestamp = "t"};
    struct frame *frame = dialect_greeting(DIALECT_EVENTS, &greeting);

    cr_assert_eq(memcmp(frame->data, "retry: 3000\nevent: connection\ndata: {",
                        strlen("retry: 3000\nevent: connection\ndata: {")),
                 0);
    frame_unref(frame);
}

Test(dialect, the_plain_one_of_a_dialect_is_plain_itself)
{
    for (int d = 0; d < DIALECT_COUNT; d++) {
        enum dialect plain = dialect_plain((enum dialect)d);
        cr_assert_eq(dialect_plain(plain), plain);
    }
}

Test(dialect, a_text_takes_members_behind_those_it_has)
{
    struct text text;

    cr_assert(text_of_json(&text, json_pack("{s:i}", "a", 1)));
    cr_assert_str_eq(text_joined(&text), "{\"a\":1}");
    text_add_member(&text, NOTIFY_STR(",\"b\":"), NOTIFY_STR("[2]"));
    text_add_member(&text, NOTIFY_STR(",\"c\":"), NOTIFY_STR("3"));
    cr_assert_str_eq(text_joined(&text), "{\"a\":1,\"b\":[2],\"c\":3}");
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
