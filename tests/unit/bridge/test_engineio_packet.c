/* engineio_packet: packets, payloads of several, binary ones, and what opens a session. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "wire/engineio_packet.h"

Test(engineio_packet, its_first_character_is_its_type)
{
    static const char types[] = "0123456b";

    for (size_t i = 0; i < strlen(types); i++) {
        char text[] = {types[i], 'x', 'y'};
        struct engineio_packet packet;

        cr_assert(engineio_read(notify_str_of(text, sizeof(text)), &packet));
        cr_assert_eq((char)packet.type, types[i]);
        cr_assert(notify_str_eq(packet.data, NOTIFY_STR("xy")));
    }
}

Test(engineio_packet, a_type_may_be_all_of_it)
{
    struct engineio_packet packet;

    cr_assert(engineio_read(NOTIFY_STR("3"), &packet));
    cr_assert_eq(packet.type, ENGINEIO_PONG);
    cr_assert_eq(packet.data.len, 0);
}

Test(engineio_packet, other_first_characters_and_empty_texts_are_none)
{
    struct engineio_packet packet;

    cr_assert_not(engineio_read((struct notify_str){NULL, 0}, &packet));
    for (int c = 0; c < 256; c++) {
        char text[] = {(char)c, '4'};

        if (c == 0 || strchr("0123456b", c) == NULL)
            cr_expect_not(engineio_read(notify_str_of(text, 2), &packet), "%d", c);
    }
}

/* The packets of a payload, each in brackets. */
static const char *taken_apart(struct notify_str payload)
{
    static char out[128];
    struct engineio_walk walk = engineio_walk(payload);
    struct notify_str text;
    size_t len = 0;

    out[0] = '\0';
    while (engineio_next(&walk, &text))
        len += (size_t)snprintf(out + len, sizeof(out) - len, "<%.*s>", (int)text.len, text.ptr);
    return out;
}

Test(engineio_packet, a_payload_is_taken_apart_at_its_separators)
{
    cr_expect_str_eq(taken_apart(NOTIFY_STR("4hello")), "<4hello>");
    cr_expect_str_eq(taken_apart(NOTIFY_STR("4a\x1e"
                                            "3\x1e"
                                            "bAQ==")),
                     "<4a><3><bAQ==>");
}

Test(engineio_packet, between_two_separators_is_an_empty_packet)
{
    cr_expect_str_eq(taken_apart((struct notify_str){NULL, 0}), "<>");
    cr_expect_str_eq(taken_apart(NOTIFY_STR("4a\x1e")), "<4a><>");
    cr_expect_str_eq(taken_apart(NOTIFY_STR("\x1e"
                                            "4a")),
                     "<><4a>");
    cr_expect_str_eq(taken_apart(NOTIFY_STR("4a\x1e\x1e"
                                            "4b")),
                     "<4a><><4b>");
}

Test(engineio_packet, bytes_go_as_base64_both_ways)
{
    static const uint8_t bytes[] = {1, 2, 3, 4};
    char text[ENGINEIO_BINARY_LEN(sizeof(bytes))];
    uint8_t back[ENGINEIO_BINARY_MAX(8)];
    struct engineio_packet packet;
    size_t len = engineio_write_binary(text, bytes, sizeof(bytes));

    cr_assert(notify_str_eq(notify_str_of(text, len), NOTIFY_STR("bAQIDBA==")));
    cr_assert(engineio_read(notify_str_of(text, len), &packet));
    cr_assert_eq(packet.type, ENGINEIO_BINARY);
    cr_assert_eq(engineio_read_binary(back, packet.data), 4);
    cr_assert_arr_eq(back, bytes, 4);
}

Test(engineio_packet, what_opens_a_session_has_five_members_and_no_other)
{
    char out[ENGINEIO_OPEN_MAX];
    struct engineio_open open = {NOTIFY_STR("FN7WWsYGtG0Jc4NfAAAA"), true, 25000, 20000, 1000000};
    size_t len = engineio_write_open(out, &open);

    cr_assert(notify_str_eq(
        notify_str_of(out, len),
        NOTIFY_STR("0{\"sid\":\"FN7WWsYGtG0Jc4NfAAAA\",\"upgrades\":[\"websocket\"],"
                   "\"pingInterval\":25000,\"pingTimeout\":20000,\"maxPayload\":1000000}")));
    cr_assert_eq(len, 118);
    open.upgrades = false;
    len = engineio_write_open(out, &open);
    cr_assert(notify_str_eq(
        notify_str_of(out, len),
        NOTIFY_STR("0{\"sid\":\"FN7WWsYGtG0Jc4NfAAAA\",\"upgrades\":[],"
                   "\"pingInterval\":25000,\"pingTimeout\":20000,\"maxPayload\":1000000}")));
}

Test(engineio_packet, what_opens_a_session_has_room_at_its_longest)
{
    char out[ENGINEIO_OPEN_MAX], sid[ENGINEIO_SID_MAX] = "";
    struct engineio_open open = {notify_str_of(sid, sizeof(sid)), true, UINT32_MAX, UINT32_MAX,
                                 SIZE_MAX};

    memset(sid, 'a', sizeof(sid));
    cr_assert_lt(engineio_write_open(out, &open), ENGINEIO_OPEN_MAX);
}
