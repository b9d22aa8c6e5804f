/* socketio_packet: what a packet is, what is none, and its head written. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/socketio_packet.h"

static const char *said(struct notify_str text)
{
    static char out[4][256];
    static unsigned turn;
    char *to = out[turn++ % 4];

    (void)snprintf(to, sizeof(out[0]), "%.*s", (int)text.len, text.len == 0 ? "" : text.ptr);
    return to;
}

struct good {
    const char *text;
    enum socketio_type type;
    unsigned attachments;
    const char *nsp, *id, *json, *event, *args, *arg;
    size_t argc;
};

#define PLACE(n) "{\"_placeholder\":true,\"num\":" n "}"

static const struct good goods[] = {
    {"0", SOCKETIO_CONNECT, 0, "/", "", "", "", "", "", 0},
    {"0{\"token\":\"123\"}", SOCKETIO_CONNECT, 0, "/", "", "{\"token\":\"123\"}", "", "", "", 0},
    {"0{}", SOCKETIO_CONNECT, 0, "/", "", "{}", "", "", "", 0},
    {"0/admin,", SOCKETIO_CONNECT, 0, "/admin", "", "", "", "", "", 0},
    {"0/admin", SOCKETIO_CONNECT, 0, "/admin", "", "", "", "", "", 0},
    {"0/a-1?x=y,{\"t\":1}", SOCKETIO_CONNECT, 0, "/a-1?x=y", "", "{\"t\":1}", "", "", "", 0},
    {"0/\xc3\xbc,", SOCKETIO_CONNECT, 0, "/\xc3\xbc", "", "", "", "", "", 0},
    {"1", SOCKETIO_DISCONNECT, 0, "/", "", "", "", "", "", 0},
    {"1/admin,", SOCKETIO_DISCONNECT, 0, "/admin", "", "", "", "", "", 0},
    {"2[\"ping\"]", SOCKETIO_EVENT, 0, "/", "", "[\"ping\"]", "\"ping\"", "", "", 0},
    {"2[7]", SOCKETIO_EVENT, 0, "/", "", "[7]", "7", "", "", 0},
    {"2[\"\"]", SOCKETIO_EVENT, 0, "/", "", "[\"\"]", "\"\"", "", "", 0},
    {"20[\"a\",{\"x\":[1,2]}]", SOCKETIO_EVENT, 0, "/", "0", "[\"a\",{\"x\":[1,2]}]", "\"a\"",
     "{\"x\":[1,2]}", "{\"x\":[1,2]}", 1},
    {"2/admin,13[\"foo\", 1 ,\"2\",{\"3\":[true]} ]", SOCKETIO_EVENT, 0, "/admin", "13",
     "[\"foo\", 1 ,\"2\",{\"3\":[true]} ]", "\"foo\"", "1 ,\"2\",{\"3\":[true]}", "1", 3},
    {"3456[]", SOCKETIO_ACK, 0, "/", "456", "[]", "", "", "", 0},
    {"3/admin,13[\"bar\"]", SOCKETIO_ACK, 0, "/admin", "13", "[\"bar\"]", "", "\"bar\"", "\"bar\"",
     1},
    {"37", SOCKETIO_ACK, 0, "/", "7", "", "", "", "", 0},
    {"4{\"message\":\"x\"}", SOCKETIO_CONNECT_ERROR, 0, "/", "", "{\"message\":\"x\"}", "", "", "",
     0},
    {"4\"x\"", SOCKETIO_CONNECT_ERROR, 0, "/", "", "\"x\"", "", "", "", 0},
    {"52-[\"baz\"," PLACE("0") "," PLACE("1") "]", SOCKETIO_BINARY_EVENT, 2, "/", "",
     "[\"baz\"," PLACE("0") "," PLACE("1") "]", "\"baz\"", PLACE("0") "," PLACE("1"), PLACE("0"),
     2},
    {"510-/custom,789[\"m\"]", SOCKETIO_BINARY_EVENT, 10, "/custom", "789", "[\"m\"]", "\"m\"", "",
     "", 0},
    {"61-15[\"bar\"," PLACE("0") "]", SOCKETIO_BINARY_ACK, 1, "/", "15", "[\"bar\"," PLACE("0") "]",
     "", "\"bar\"," PLACE("0"), "\"bar\"", 2},
};

Test(socketio_packet, what_it_holds_is_shown_as_it_was_written)
{
    for (size_t i = 0; i < sizeof(goods) / sizeof(goods[0]); i++) {
        const struct good *good = &goods[i];
        struct socketio_packet packet;

        cr_assert(socketio_read(notify_str_z(good->text), &packet), "%s", good->text);
        cr_expect_eq(packet.type, good->type, "%s", good->text);
        cr_expect_eq(packet.attachments, good->attachments, "%s", good->text);
        cr_expect_str_eq(said(packet.nsp), good->nsp);
        cr_expect_str_eq(said(packet.id), good->id);
        cr_expect_str_eq(said(packet.json), good->json);
        cr_expect_str_eq(said(packet.event), good->event);
        cr_expect_str_eq(said(packet.args), good->args);
        cr_expect_str_eq(said(packet.arg), good->arg);
        cr_expect_eq(packet.argc, good->argc, "%s", good->text);
    }
}

static const char *const bad[] = {
    "",
    "abc",
    "7",
    "/",
    "-1",
    /* what a type may not have */
    "0[]",
    "0\"x\"",
    "0null",
    "0{",
    "0{\"a\":1}{",
    "1{}",
    "1[]",
    "1null",
    "4[]",
    "4null",
    /* events */
    "2",
    "2{}",
    "2[]",
    "2\"x\"",
    "2[{\"a\":1}]",
    "2[[\"x\"]]",
    "2[null]",
    "2[true]",
    "2[false]",
    "2abc[\"message\"]",
    "2 [\"x\"]",
    "2-1[\"x\"]",
    "21.5[\"x\"]",
    "2[\"x\"",
    "2[\"x\",]",
    "2[\"x\" 1]",
    "2[\"x\"],",
    "2[\"x\"]]",
    "2[\"x\",\x1e]",
    "2[\"a\x1e"
    "b\"]",
    "2[\"\xff\"]",
    "2[\"x\",NaN]",
    "2[\"connect\"]",
    "2[\"connect_error\",1]",
    "2[\"disconnect\"]",
    "2[\"disconnecting\"]",
    "2[\"newListener\"]",
    "2[\"removeListener\"]",
    "2[\"\\u0063onnect\"]",
    "3{}",
    "30{}",
    "30\"x\"",
    /* attachments */
    "5[\"x\"]",
    "5-[\"x\"]",
    "50-[\"x\"]",
    "51[\"x\"]",
    "511-[\"x\"]",
    "5999999999999999999-[\"x\"]",
    "501-[\"x\"]",
    "5+1-[\"x\"]",
    "51-",
    "51-{}",
    "51-[\"connect\"]",
    "61-",
    "6[\"x\"]",
    /* namespaces */
    "2/a\x1e"
    "b,[\"x\"]",
    "0/a\x01",
    "0/\x7f",
    "0/\xff,",
    "0/\xed\xa0\x80",
};

Test(socketio_packet, whatever_else_there_is_is_none)
{
    struct socketio_packet packet;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_expect_not(socketio_read(notify_str_z(bad[i]), &packet), "%s", bad[i]);
    cr_expect_not(socketio_read(NOTIFY_STR("2[\"a\0\"]"), &packet));
    cr_expect_not(socketio_read(NOTIFY_STR("0\0"), &packet));
    cr_expect_not(socketio_read(NOTIFY_STR("1\0"), &packet));
}

Test(socketio_packet, every_beginning_of_an_event_is_none)
{
    static const char text[] = "52-/admin,13[\"a\",{\"b\":[1]}]";
    struct socketio_packet packet;

    for (size_t len = 0; len < strlen(text); len++) {
        char *cut = malloc(len + 1); /* of that length, for the sanitizer */

        memcpy(cut, text, len);
        cr_expect_not(socketio_read(notify_str_of(cut, len), &packet), "%zu", len);
        free(cut);
    }
    cr_expect(socketio_read(notify_str_z(text), &packet));
}

static bool reads(const char *head, char fill, size_t count, const char *tail)
{
    static char text[512];
    struct socketio_packet packet;
    size_t len = strlen(head);

    memcpy(text, head, len);
    memset(text + len, fill, count);
    memcpy(text + len + count, tail, strlen(tail));
    return socketio_read(notify_str_of(text, len + count + strlen(tail)), &packet);
}

Test(socketio_packet, namespaces_and_ids_have_a_greatest_length)
{
    cr_expect(reads("0/", 'n', SOCKETIO_NSP_MAX - 1, ","));
    cr_expect_not(reads("0/", 'n', SOCKETIO_NSP_MAX, ","));
    cr_expect(reads("2", '9', SOCKETIO_ID_DIGITS, "[\"x\"]"));
    cr_expect_not(reads("2", '9', SOCKETIO_ID_DIGITS + 1, "[\"x\"]"));
}

Test(socketio_packet, an_event_is_known_by_its_name_however_that_is_written)
{
    struct socketio_packet packet;

    cr_assert(socketio_read(NOTIFY_STR("2[\"p\\u0069ng\"]"), &packet));
    cr_expect(socketio_is_event(&packet, "ping"));
    cr_expect_not(socketio_is_event(&packet, "pong"));
    cr_assert(socketio_read(NOTIFY_STR("2[7]"), &packet));
    cr_expect_not(socketio_is_event(&packet, "7"));
}

Test(socketio_packet, its_head_is_written_as_it_was_read)
{
    for (size_t i = 0; i < sizeof(goods) / sizeof(goods[0]); i++) {
        struct socketio_packet packet;
        char out[SOCKETIO_HEAD_MAX], whole[256];
        size_t len;

        cr_assert(socketio_read(notify_str_z(goods[i].text), &packet));
        len = socketio_write_head(out, &packet);
        (void)snprintf(whole, sizeof(whole), "%.*s%s", (int)len, out, goods[i].json);
        cr_expect_eq(whole[0], '4');
        /* "0/admin" may lack its comma; we always write it. */
        if (strcmp(goods[i].text, "0/admin") != 0)
            cr_expect_str_eq(whole + 1, goods[i].text);
    }
}

Test(socketio_packet, a_head_has_room_at_its_longest)
{
    char out[SOCKETIO_HEAD_MAX], nsp[SOCKETIO_NSP_MAX] = "", id[SOCKETIO_ID_DIGITS] = "";
    struct socketio_packet packet = {.type = SOCKETIO_BINARY_ACK,
                                     .attachments = SOCKETIO_ATTACHMENTS_MAX,
                                     .nsp = notify_str_of(nsp, sizeof(nsp)),
                                     .id = notify_str_of(id, sizeof(id))};

    memset(nsp, '/', sizeof(nsp));
    memset(id, '9', sizeof(id));
    cr_assert_eq(socketio_write_head(out, &packet), SOCKETIO_HEAD_MAX);
}
