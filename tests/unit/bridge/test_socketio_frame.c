/* socketio_frame: events and acknowledgements of Socket.IO in frames of a WebSocket, whole or still
 * to be ended. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "wire/frame.h"
#include "wire/socketio_frame.h"
#include "wire/text.h"
#include "wire/ws_frame.h"

/* The payload of the only frame that bytes are. */
static struct notify_str payload_of(const char *bytes, size_t len)
{
    struct notify_str rest = notify_str_of(bytes, len), payload;

    cr_assert_eq((unsigned char)bytes[0], 0x81);
    cr_assert(ws_frame_take(&rest, &payload));
    cr_assert_eq(rest.len, 0);
    return payload;
}

static void check_said(const struct text *text, const char *expected)
{
    struct frame *frame = socketio_frame_new(text);
    struct notify_str said = payload_of(frame->data, frame->len);

    cr_expect(notify_str_eq(said, notify_str_z(expected)), "%.*s", (int)said.len, said.ptr);
    cr_expect_not(socketio_frame_is_open(frame));
    frame_unref(frame);
}

Test(socketio_frame, an_answer_is_an_event_of_its_type)
{
    struct text text = text_of(NOTIFY_STR("{\"type\":\"subscribed\",\"session_id\":\"s1\"}"));

    check_said(&text, "42[\"subscribed\",{\"type\":\"subscribed\",\"session_id\":\"s1\"}]");
}

Test(socketio_frame, an_answer_to_an_event_with_an_id_acknowledges_it)
{
    struct text text = text_of(NOTIFY_STR("{\"type\":\"pong\"}"));

    text.ack = NOTIFY_STR("007");
    text_add_member(&text, NOTIFY_STR(",\"n\":"), NOTIFY_STR("1"));
    check_said(&text, "43007[{\"type\":\"pong\",\"n\":1}]");
}

#define ERROR "\"error\":{\"code\":\"X\",\"message\":\"m\",\"details\":null}"

Test(socketio_frame, an_error_has_its_text_at_the_top_too)
{
    struct text text = text_of(NOTIFY_STR("{\"type\":\"error\"," ERROR "}"));

    check_said(&text, "42[\"error\",{\"code\":\"X\",\"message\":\"m\",\"details\":null,"
                      "\"type\":\"error\"," ERROR "}]");
    text.ack = NOTIFY_STR("0");
    text_add_member(&text, NOTIFY_STR(",\"request_id\":"), NOTIFY_STR("7"));
    check_said(&text, "430[{\"code\":\"X\",\"message\":\"m\",\"details\":null,"
                      "\"type\":\"error\"," ERROR ",\"request_id\":7}]");
}

Test(socketio_frame, an_error_of_another_shape_stays_as_it_is)
{
    static const char *const errors[] = {"{}", "{\"error\":\"text\"}", "{\"error\":{}}",
                                         "{\"error\":null,\"a\":1}"};

    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        struct text text = {.type = NOTIFY_STR_INIT("\"error\"")};
        char expected[64];

        text_add(&text, notify_str_z(errors[i]));
        (void)snprintf(expected, sizeof(expected), "42[\"error\",%s]", errors[i]);
        check_said(&text, expected);
    }
}

Test(socketio_frame, names_that_clients_keep_for_themselves_are_never_an_events)
{
    static const char *const kept[] = {
        "\"connect\"",     "\"connect_error\"",  "\"disconnect\"", "\"disconnecting\"",
        "\"newListener\"", "\"removeListener\"", "\"*\"",          "\"\\u0063onnect\""};

    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        struct text text = {.type = notify_str_z(kept[i])};

        text_add(&text, NOTIFY_STR("{\"a\":1}"));
        check_said(&text, "42[\"event\",{\"a\":1}]");
    }
}

Test(socketio_frame, what_has_no_name_is_an_event)
{
    static const char *const types[] = {"", "7", "null", "{}", "\""};

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        struct text text = {.type = notify_str_z(types[i])};

        text_add(&text, NOTIFY_STR("{}"));
        check_said(&text, "42[\"event\",{}]");
    }
}

/* What is made of a text for a reader who has come to offset. */
static void check_ended(const struct text *text, const char *offset, const char *expected)
{
    struct frame *frame = socketio_frame_new_open(text);
    size_t max = frame->len + strlen(offset) + SOCKETIO_FRAME_MORE;
    char *out = malloc(max);
    size_t len = socketio_frame_end(out, frame, notify_str_z(offset));
    struct notify_str said = payload_of(out, len);

    cr_assert_leq(len, max);
    cr_expect(notify_str_eq(said, notify_str_z(expected)), "%.*s", (int)said.len, said.ptr);
    free(out);
    frame_unref(frame);
}

Test(socketio_frame, an_open_event_is_ended_by_how_far_its_reader_has_come)
{
    struct text text = text_of(NOTIFY_STR("{\"type\":\"x\"}"));

    check_ended(&text, "AbC-_", "42[\"x\",{\"type\":\"x\"},\"AbC-_\"]");
    check_ended(&text, "", "42[\"x\",{\"type\":\"x\"}]");
}

Test(socketio_frame, an_acknowledgement_is_never_ended)
{
    struct text text = text_of(NOTIFY_STR("{\"type\":\"x\"}"));
    struct frame *frame;

    text.ack = NOTIFY_STR("3");
    check_ended(&text, "AbC", "433[{\"type\":\"x\"}]");
    frame = socketio_frame_new_open(&text);
    cr_assert_not(socketio_frame_is_open(frame));
    frame_unref(frame);
    text.ack.len = 0;
    frame = socketio_frame_new_open(&text);
    cr_assert(socketio_frame_is_open(frame));
    frame_unref(frame);
}

/* The header's length changes at these, with the offset and without. */
Test(socketio_frame, an_ended_event_has_the_header_of_the_whole)
{
    static const size_t lens[] = {100, 110, 113,   114,   115,   120,
                                  126, 200, 65500, 65520, 65535, 65600};
    static char json[65700], expected[66000];

    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        struct text text = {.type = NOTIFY_STR_INIT("\"x\"")};

        memset(json, 'a', lens[i]);
        json[0] = json[lens[i] - 1] = '"';
        text_add(&text, notify_str_of(json, lens[i]));
        (void)snprintf(expected, sizeof(expected), "42[\"x\",%.*s,\"0123\"]", (int)lens[i], json);
        check_ended(&text, "0123", expected);
        (void)snprintf(expected, sizeof(expected), "42[\"x\",%.*s]", (int)lens[i], json);
        check_ended(&text, "", expected);
    }
}
