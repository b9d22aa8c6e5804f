/* What is said on a channel without a box, as clients get it. */
#include <criterion/criterion.h>

#include "wire/channel_message.h"
#include "wire/event.h"

#define HEAD "{\"type\":\"channel_message\",\"channel\":\"c\",\"data\":"

struct said {
    struct notify_str payload;
    const char *text;
};

#define SAID(payload, text)                                                                        \
    {                                                                                              \
        NOTIFY_STR_INIT(payload), HEAD text "}"                                                    \
    }

static const struct said said[] = {
    SAID("{\"bid\":1.0921}", "{\"bid\":1.0921}"),
    SAID(" \r\n[ 1 , { \"a b\" : \"c \\\" \\\\\" } ]\t", "[1,{\"a b\":\"c \\\" \\\\\"}]"),
    SAID("0.10", "0.10"),
    SAID("1e400", "1e400"),
    SAID("true", "true"),
    SAID("\"text\"", "\"text\""),
    SAID("null", "null"),
    SAID("hello", "\"hello\""),
    SAID("", "\"\""),
    SAID(" ", "\" \""),
    SAID("01", "\"01\""),
    SAID("{\"a\":1", "\"{\\\"a\\\":1\""),
    SAID("{} {}", "\"{} {}\""),
    SAID("a\r\nb\0c", "\"a\\r\\nb\\u0000c\""),
    SAID("\xc3\xa9\xf0\x9f\x98\x80", "\"\xc3\xa9\xf0\x9f\x98\x80\""),
    SAID("\xff", "\"/w==\",\"encoding\":\"base64\""),
    SAID("\xff\xfe", "\"//4=\",\"encoding\":\"base64\""),
    SAID("\x00\xff\x10", "\"AP8Q\",\"encoding\":\"base64\""),
    SAID("\xed\xa0\x80{}", "\"7aCAe30=\",\"encoding\":\"base64\""),
};

Test(channel_message, json_is_json_other_text_a_string_and_the_rest_base64)
{
    for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
        struct notify_str none = {NULL, 0};
        struct event *event = channel_message_event(NOTIFY_STR("c"), none, said[i].payload);
        cr_assert(
            notify_str_eq(notify_str_of(event->payload, event->len), notify_str_z(said[i].text)),
            "%.*s", (int)event->len, event->payload);
        cr_assert(event->plain);
        cr_assert_eq(event->kind, EVENT_VOLATILE);
        cr_assert_eq(event_frame(event, DIALECT_TOPIC), event_frame(event, DIALECT_CANONICAL));
        event_unref(event);
    }
}

Test(channel_message, names_the_pattern_that_it_came_by)
{
    const char *text =
        "{\"type\":\"channel_message\",\"channel\":\"a\\\"b\\u0001\",\"pattern\":\"a*\","
        "\"data\":7}";
    struct event *event =
        channel_message_event(NOTIFY_STR("a\"b\1"), NOTIFY_STR("a*"), NOTIFY_STR("7"));

    cr_assert(notify_str_eq(notify_str_of(event->payload, event->len), notify_str_z(text)), "%.*s",
              (int)event->len, event->payload);
    event_unref(event);
}

Test(channel_message, a_name_that_is_no_text_has_none)
{
    cr_assert_null(
        channel_message_event(NOTIFY_STR("\xff"), (struct notify_str){NULL, 0}, NOTIFY_STR("7")));
}
