/* The words of Socket.IO: what handlers of contracts A and C are given. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <string.h>

#include "wire/channel_message.h"
#include "wire/dialect.h"
#include "wire/event.h"
#include "wire/frame.h"
#include "wire/json_scan.h"
#include "wire/socketio_packet.h"
#include "wire/text.h"
#include "wire/vocabulary.h"
#include "wire/ws_frame.h"

static void name_sessions(void)
{
    dialect_name_sessions("session:%s");
}

TestSuite(dialect_socketio, .init = name_sessions);

static struct notify_str packet_of(const struct frame *frame)
{
    struct notify_str rest = notify_str_of(frame->data, frame->len), payload;

    cr_assert_not_null(frame);
    cr_assert(ws_frame_take(&rest, &payload));
    cr_assert_eq(rest.len, 0);
    return payload;
}

/* The name of the event, raw, and its object. */
static json_t *said_by(const struct frame *frame, struct notify_str *ret_name)
{
    struct notify_str text = packet_of(frame);
    struct socketio_packet packet;
    json_t *object;

    cr_assert_eq(text.ptr[0], '4');
    cr_assert(socketio_read(notify_str_of(text.ptr + 1, text.len - 1), &packet), "%.*s",
              (int)text.len, text.ptr);
    cr_assert_eq(packet.type, SOCKETIO_EVENT);
    cr_assert_eq(packet.argc, 1);
    object =
        json_loadb(packet.arg.ptr, packet.arg.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    cr_assert_not_null(object, "%.*s", (int)text.len, text.ptr);
    *ret_name = packet.event;
    return object;
}

static void check_event(const char *message, const char *name, const char *expected)
{
    struct event *event = event_decode(notify_str_z(message));
    json_t *said, *wanted = json_loads(expected, 0, NULL);
    struct notify_str named;
    char *printed;

    cr_assert_not_null(event, "%s", message);
    cr_assert_not_null(wanted, "%s", expected);
    said = said_by(event_frame(event, DIALECT_SOCKETIO), &named);
    printed = json_dumps(said, JSON_SORT_KEYS);
    cr_expect(notify_str_eq(named, notify_str_z(name)), "%.*s", (int)named.len, named.ptr);
    cr_expect(json_equal(said, wanted), "%s", printed);
    free(printed);
    json_decref(said);
    json_decref(wanted);
    event_unref(event);
}

#define AT "2026-11-28T13:00:00.123Z"
#define HEAD(type, key, more)                                                                      \
    "{\"type\":\"" type "\",\"key\":\"" key "\",\"id\":\"5-1\",\"prev\":\"4-0\",\"rev\":2,"        \
    "\"unread\":1" more ",\"timestamp\":\"" AT "\",\"data\":"
#define OURS(key) "\"id\":\"5-1\",\"key\":\"" key "\",\"unread\":1,\"timestamp\":\"" AT "\""

#define PROGRESS                                                                                   \
    "\"progress_percentage\":40,\"current_step\":5,\"step_name\":\"Applying quantization\","       \
    "\"elapsed_time\":\"1 day, 0:01:30\""

Test(dialect_socketio, an_event_of_a_session_is_its_data_with_the_session_and_the_time)
{
    check_event(HEAD("session_progress", "session:s1", "") "{" PROGRESS "}}",
                "\"session_progress\"",
                "{" PROGRESS ",\"session_id\":\"s1\"," OURS("session:s1") "}");
}

Test(dialect_socketio, of_two_members_of_one_name_ours_is_said)
{
    check_event(HEAD("x", "session:s1", "") "{\"id\":7,\"session_id\":\"s2\",\"k\\u0065y\":1,"
                                            "\"timestamp\":\"then\",\"unread\":[],\"a\":2}}",
                "\"x\"", "{\"a\":2,\"session_id\":\"s1\"," OURS("session:s1") "}");
}

Test(dialect_socketio, what_the_message_does_not_say_the_data_may)
{
    check_event("{\"type\":\"x\",\"key\":\"topic:a\",\"data\":{\"id\":7,\"session_id\":\"s2\","
                "\"timestamp\":\"then\",\"category\":1,\"level\":2}}",
                "\"x\"",
                "{\"id\":7,\"session_id\":\"s2\",\"timestamp\":\"then\",\"category\":1,"
                "\"level\":2,\"key\":\"topic:a\"}");
    check_event(
        HEAD("x", "topic:a", ",\"category\":\"c\",\"level\":\"info\"") "{\"category\":1,\"a\":1}}",
        "\"x\"", "{\"category\":1,\"a\":1,\"level\":\"info\"," OURS("topic:a") "}");
}

Test(dialect_socketio, a_session_is_named_by_its_key_as_that_is_written)
{
    check_event(HEAD("x", "session:a\\\"\\u00e9", "") "{}}", "\"x\"",
                "{\"session_id\":\"a\\\"\\u00e9\"," OURS("session:a\\\"\\u00e9") "}");
    check_event(HEAD("x", "session:", "") "{}}", "\"x\"", "{" OURS("session:") "}");
    check_event(HEAD("x", "sessions:a", "") "{}}", "\"x\"", "{" OURS("sessions:a") "}");
}

Test(dialect_socketio, data_that_is_no_object_is_a_member)
{
    check_event(HEAD("x", "topic:a", "") "[1,2]}", "\"x\"", "{\"data\":[1,2]," OURS("topic:a") "}");
    check_event(HEAD("x", "topic:a", "") "null}", "\"x\"", "{\"data\":null," OURS("topic:a") "}");
    check_event(HEAD("x", "topic:a", "") "{}}", "\"x\"", "{" OURS("topic:a") "}");
}

#define MADE(level, content, data)                                                                 \
    "\"title\":\"t\",\"content\":" content ",\"notification_type\":\"build\",\"category\":\"ci\"," \
    "\"level\":" level ",\"action\":null,\"entity\":null,\"data\":" data                           \
    ",\"is_read\":false,\"created_at\":\"" AT "\",\"expires_at\":null"

Test(dialect_socketio, a_notification_has_the_type_and_message_of_contract_A)
{
    check_event(
        HEAD(
            "notification", "inbox:u",
            ",\"category\":\"ci\",\"level\":\"success\"") "{\"id\":\"5-1\"," MADE("\"success\"",
                                                                                  "\"c\"",
                                                                                  "{\"n\":3}") "}}",
        "\"notification\"",
        "{" MADE("\"success\"", "\"c\"",
                 "{\"n\":3}") ",\"n\":3,\"type\":\"success\","
                              "\"message\":\"c\",\"session_id\":null," OURS("inbox:u") "}");
}

Test(dialect_socketio, a_critical_notification_is_an_error_and_one_without_a_level_informs)
{
    check_event(
        HEAD("notification", "session:s1", "") "{\"id\":\"5-1\"," MADE("\"critical\"", "null",
                                                                       "null") "}}",
        "\"notification\"",
        "{" MADE("\"critical\"", "null", "null") ",\"type\":\"error\",\"message\":\"\","
                                                 "\"session_id\":\"s1\"," OURS("session:s1") "}");
    check_event(
        HEAD("notification", "inbox:u", "") "{\"id\":\"5-1\"," MADE("null", "\"c\"", "null") "}}",
        "\"notification\"",
        "{" MADE("null", "\"c\"", "null") ",\"type\":\"info\",\"message\":\"c\","
                                          "\"session_id\":null," OURS("inbox:u") "}");
}

#define INNER                                                                                      \
    "{\"type\":\"mine\",\"title\":\"mine\",\"id\":1,\"session_id\":\"s9\",\"message\":\"mine\","   \
    "\"is_read\":true,\"extra\":[1]}"

Test(dialect_socketio, what_a_sender_gives_with_a_notification_takes_nobodys_place)
{
    check_event(HEAD("notification", "inbox:u", "") "{\"id\":\"5-1\"," MADE("\"info\"", "\"c\"",
                                                                            INNER) "}}",
                "\"notification\"",
                "{" MADE("\"info\"", "\"c\"",
                         INNER) ",\"type\":\"info\",\"message\":\"c\","
                                "\"session_id\":\"s9\",\"extra\":[1]," OURS("inbox:u") "}");
}

Test(dialect_socketio, an_alert_is_one_however_it_was_sent)
{
    check_event(HEAD("alert", "topic:all",
                     "") "{\"alert_id\":\"a1\",\"severity\":\"error\",\"title\":\"t\","
                         "\"message\":\"m\"}}",
                "\"alert\"",
                "{\"alert_id\":\"a1\",\"severity\":\"error\",\"title\":\"t\",\"message\":\"m\","
                "\"session_id\":null," OURS("topic:all") "}");
    check_event(
        HEAD("alert", "session:s1", ",\"level\":\"critical\"") "{\"id\":\"5-1\"," MADE(
            "\"critical\"", "\"c\"", "null") "}}",
        "\"alert\"",
        "{" MADE("\"critical\"", "\"c\"",
                 "null") ",\"alert_id\":\"5-1\","
                         "\"severity\":\"critical\",\"message\":\"c\",\"session_id\":\"s1\"," OURS(
                             "session:s1") "}");
}

Test(dialect_socketio, a_notification_that_is_an_event_is_as_it_was_given)
{
    check_event(
        HEAD("notification", "session:s1",
             "") "{\"type\":\"warning\",\"title\":\"t\",\"message\":\"m\"}}",
        "\"notification\"",
        "{\"type\":\"warning\",\"title\":\"t\",\"message\":\"m\",\"session_id\":\"s1\"," OURS(
            "session:s1") "}");
    check_event(
        HEAD("notification", "topic:all", ",\"level\":\"critical\"") "{\"title\":\"t\"}}",
        "\"notification\"",
        "{\"type\":\"error\",\"title\":\"t\",\"level\":\"critical\",\"session_id\":null," OURS(
            "topic:all") "}");
}

Test(dialect_socketio, who_is_to_forget_an_entry_or_to_keep_an_epoch_is_told)
{
    check_event("{\"type\":\"x\",\"key\":\"topic:a\",\"id\":\"5-1\",\"prev\":\"4-0\","
                "\"replaces\":\"3-0\",\"epoch\":9,\"rev\":2,\"unread\":0,\"muted\":true,"
                "\"data\":{\"replaces\":1,\"epoch\":2}}",
                "\"x\"",
                "{\"id\":\"5-1\",\"key\":\"topic:a\",\"replaces\":\"3-0\",\"epoch\":9,\"unread\":0,"
                "\"muted\":true}");
}

#define READ                                                                                       \
    "{\"type\":\"read\",\"key\":\"inbox:u\",\"rev\":3,\"unread\":0,\"ids\":[\"5-1\",\"6-2\"]}"

Test(dialect_socketio, a_change_of_state_is_said_as_it_was_published)
{
    struct event *event = event_decode(NOTIFY_STR(READ));

    cr_assert(notify_str_eq(packet_of(event_frame(event, DIALECT_SOCKETIO)),
                            NOTIFY_STR("42[\"read\"," READ "]")));
    event_unref(event);
}

Test(dialect_socketio, an_event_of_a_name_that_clients_keep_says_its_type)
{
    check_event(HEAD("disconnect", "topic:a", "") "{\"type\":1,\"a\":2}}", "\"event\"",
                "{\"type\":\"disconnect\",\"a\":2," OURS("topic:a") "}");
    check_event(HEAD("d\\u0069sconnect", "topic:a", "") "{}}", "\"event\"",
                "{\"type\":\"disconnect\"," OURS("topic:a") "}");
}

Test(dialect_socketio, the_first_event_is_connected)
{
    json_t *roles = json_pack("[s]", "editor"), *categories = json_pack("[s,s]", "ci", "system");
    const struct greeting greeting = {.client_id = NOTIFY_STR("c\"1"),
                                      .user_id = NOTIFY_STR("\xc3\xa9"),
                                      .roles = roles,
                                      .categories = categories,
                                      .timestamp = AT};
    struct frame *frame = dialect_greeting(DIALECT_SOCKETIO, &greeting);

    cr_assert(notify_str_eq(
        packet_of(frame),
        NOTIFY_STR("42[\"connected\",{\"client_id\":\"c\\\"1\",\"user_id\":\"\xc3\xa9\","
                   "\"roles\":[\"editor\"],\"categories\":[\"ci\",\"system\"],\"timestamp\":\"" AT
                   "\"}]")));
    json_decref(roles);
    json_decref(categories);
    frame_unref(frame);
}

#define ITEM "{\"id\":\"5-1\"," MADE("\"critical\"", "\"c\"", "{\"n\":3}") "}"

Test(dialect_socketio, an_item_of_a_list_is_said_as_the_notification_was)
{
    struct text text = {.len = 0};
    json_t *said,
        *wanted = json_loads(
            "{\"id\":\"5-1\"," MADE("\"critical\"", "\"c\"",
                                    "{\"n\":3}") ",\"n\":3,\"type\":\"error\",\"message\":\"c\","
                                                 "\"session_id\":\"s1\",\"key\":\"session:s1\","
                                                 "\"timestamp\":\"" AT "\"}",
            0, NULL);

    cr_assert(
        dialect_item(DIALECT_SOCKETIO, NOTIFY_STR("\"session:s1\""), NOTIFY_STR(ITEM), &text));
    said = json_loadb(text.parts[0].ptr, text.parts[0].len, JSON_REJECT_DUPLICATES, NULL);
    cr_assert(json_equal(said, wanted), "%.*s", (int)text.parts[0].len, text.parts[0].ptr);
    json_decref(said);
    json_decref(wanted);
    text_release(&text);
    text = (struct text){.len = 0};
    cr_assert_not(
        dialect_item(DIALECT_SOCKETIO, NOTIFY_STR("\"k\""), NOTIFY_STR("{\"type\":\"x\"}"), &text));
}

Test(dialect_socketio, with_recovery_the_same_is_said_and_left_open)
{
    struct event *event = event_decode(NOTIFY_STR(HEAD("x", "topic:a", "") "{\"a\":1}}"));
    struct frame *whole = event_frame(event, DIALECT_SOCKETIO),
                 *open = event_frame(event, DIALECT_SOCKETIO_MARKED);
    char out[512];
    struct notify_str rest, payload;

    cr_assert(dialect_is_open(DIALECT_SOCKETIO_MARKED, open));
    cr_assert_not(dialect_is_open(DIALECT_SOCKETIO, whole));
    rest = notify_str_of(out, dialect_end(DIALECT_SOCKETIO_MARKED, out, open, NOTIFY_STR("Ab")));
    cr_assert(ws_frame_take(&rest, &payload));
    cr_assert(
        notify_str_eq(notify_str_of(payload.ptr, open->len), notify_str_of(open->data, open->len)));
    cr_assert(notify_str_eq(notify_str_of(payload.ptr + open->len, payload.len - open->len),
                            NOTIFY_STR(",\"Ab\"]")));
    rest = notify_str_of(
        out, dialect_end(DIALECT_SOCKETIO_MARKED, out, open, (struct notify_str){NULL, 0}));
    cr_assert(notify_str_eq(rest, notify_str_of(whole->data, whole->len)));
    event_unref(event);
}

/* A separator of packets that stood raw in a message would be the end of its packet over polling,
 * and what stands behind it a packet of whoever published it. */
Test(dialect_socketio, nothing_that_is_published_becomes_a_packet_of_its_own)
{
    static const char *const hostile[] = {
        HEAD("x", "topic:a", "") "{\"a\":\"\x1e"
                                 "41\"}}",
        HEAD("x\x1e"
             "41",
             "topic:a", "") "{}}",
        HEAD("x",
             "topic:a\x1e"
             "41",
             "") "{}}",
        HEAD("x", "topic:a",
             ",\"c\x1e"
             "41\":1") "{}}",
        HEAD("x", "topic:a", "") "{\"a\":1}\x1e"
                                 "41}",
        HEAD("x", "topic:a", "") "{\"a\":1}}\x1e"
                                 "41",
        HEAD("x", "topic:a", "") "\x1e"
                                 "41}",
        HEAD("x", "topic:a", "") "{\"a\":\"\xff\"}}",
        HEAD("x", "topic:a", "") "{\"a\xc0\x80\":1}}",
    };

    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++)
        cr_expect_null(event_decode(notify_str_z(hostile[i])), "%s", hostile[i]);
    check_event(HEAD("x\\u001e41", "topic:\\u001e", "") "{\"a\":\"\\u001e41\"}}", "\"x\\u001e41\"",
                "{\"a\":\"\\u001e41\"," OURS("topic:\\u001e") "}");
    check_event(HEAD("x", "session:\\u001e41", "") "{}}", "\"x\"",
                "{\"session_id\":\"\\u001e41\"," OURS("session:\\u001e41") "}");
}

Test(dialect_socketio, nothing_on_a_plain_channel_becomes_a_packet_of_its_own)
{
    static const struct notify_str payloads[] = {
        NOTIFY_STR_INIT("\x1e"
                        "41"),
        NOTIFY_STR_INIT("{\"a\":1}\x1e"
                        "41"),
        NOTIFY_STR_INIT("\"\x1e\""),
        NOTIFY_STR_INIT("\xff\x1e\xfe"),
        NOTIFY_STR_INIT("[1,\x1e"
                        "2]"),
        NOTIFY_STR_INIT(""),
        NOTIFY_STR_INIT("{\"type\":\"connect\"}"),
        NOTIFY_STR_INIT("\0\x1e"),
    };

    for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
        struct event *event = channel_message_event(NOTIFY_STR("a\x1e"
                                                               "41"),
                                                    NOTIFY_STR("a*"), payloads[i]);
        const struct frame *frame = event_frame(event, DIALECT_SOCKETIO);
        struct notify_str name;

        cr_expect_null(memchr(frame->data, '\x1e', frame->len));
        json_decref(said_by(frame, &name));
        cr_expect(notify_str_eq(name, NOTIFY_STR("\"channel_message\"")));
        event_unref(event);
    }
}
