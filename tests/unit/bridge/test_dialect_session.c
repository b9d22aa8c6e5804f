/* The words of /api/v1/ws/{session_id}. */
#include <criterion/criterion.h>
#include <string.h>

#include "wire/close_code.h"
#include "wire/dialect.h"
#include "wire/entry_uuid.h"
#include "wire/event.h"
#include "wire/frame.h"
#include "wire/text.h"
#include "wire/vocabulary.h"

/* 5-1 of an inbox, and of topic:all. */
#define OWN "00000000-0005-4000-8000-000000000001"
#define OWN_NEXT "00000000-0006-4000-8000-000000000002"
static char logs[ENTRY_UUID_LEN + 1];

static void name_inboxes(void)
{
    const struct entry_uuid uuid = {{5, 1}, entry_uuid_tag(NOTIFY_STR("topic:all"))};

    dialect_name_inboxes("inbox:%s");
    cr_assert(entry_uuid_format(logs, &uuid));
}

TestSuite(dialect_session, .init = name_inboxes);

/* What a short or middling frame carries. */
static struct notify_str payload_of(const struct frame *frame)
{
    size_t header = (unsigned char)frame->data[1] < 126 ? 2 : 4;

    return notify_str_of(frame->data + header, frame->len - header);
}

struct said {
    const char *text, *said; /* NULL: as it was published */
};

#define ENTRY(key, members, data)                                                                  \
    "{\"type\":\"notification\",\"key\":\"" key "\",\"id\":\"5-1\",\"prev\":\"4-0\"" members       \
    ",\"rev\":2,\"unread\":1,\"data\":{" data "}}"

static const struct said texts[] = {
    {ENTRY("inbox:u", "",
           "\"id\":\"5-1\",\"title\":\"t\",\"content\":null,\"notification_type\":null,"
           "\"action\":null,\"data\":{\"id\":\"5-1\",\"content\":null}"),
     ENTRY("inbox:u", "",
           "\"id\":\"" OWN "\",\"title\":\"t\",\"content\":\"\","
           "\"notification_type\":\"notification\","
           "\"action\":null,\"data\":{\"id\":\"5-1\",\"content\":null}")},
    {ENTRY("inbox:u", ",\"replaces\":\"5-1\"",
           "\"id\":\"5-1\",\"content\":\"c\",\"notification_type\":\"x\""),
     ENTRY("inbox:u", ",\"replaces\":\"" OWN "\"",
           "\"id\":\"" OWN "\",\"content\":\"c\",\"notification_type\":\"x\"")},
    {"{\"type\":\"read\",\"key\":\"inbox:u\",\"rev\":3,\"unread\":0,\"ids\":[\"5-1\",\"6-2\"]}",
     "{\"type\":\"read\",\"key\":\"inbox:u\",\"rev\":3,\"unread\":0,\"ids\":[\"" OWN
     "\",\"" OWN_NEXT "\"]}"},
    {"{\"type\":\"read\",\"key\":\"inbox:u\",\"rev\":3,\"unread\":0,\"upto\":\"5-1\"}",
     "{\"type\":\"read\",\"key\":\"inbox:u\",\"rev\":3,\"unread\":0,\"upto\":\"" OWN "\"}"},
    {"{\"type\":\"deleted\",\"key\":\"inbox:u\",\"rev\":3,\"unread\":0,\"before\":\"5-1\"}",
     "{\"type\":\"deleted\",\"key\":\"inbox:u\",\"rev\":3,\"unread\":0,\"before\":\"" OWN "\"}"},
    {"{\"type\":\"error\",\"key\":\"session:s\",\"data\":{\"code\":\"X\",\"message\":\"m\"}}",
     "{\"type\":\"error\",\"error\":{\"code\":\"X\",\"message\":\"m\",\"details\":null}}"},
    /* Of what somebody else sent. */
    {"{\"type\":\"read\",\"key\":\"inbox:u\",\"rev\":3,\"unread\":0,\"ids\":[\"a\\\"5-1\",\"6-2\"]"
     "}",
     "{\"type\":\"read\",\"key\":\"inbox:u\",\"rev\":3,\"unread\":0,\"ids\":[\"a\\\"5-1\",\"6-2\"]"
     "}"},
    {"{\"type\":\"read\",\"key\":\"inbox:u\",\"rev\":3,\"unread\":0,\"ids\":[{\"5-1\":7},null]}",
     "{\"type\":\"read\",\"key\":\"inbox:u\",\"rev\":3,\"unread\":0,\"ids\":[{\"" OWN
     "\":7},null]}"},
    {"{\"type\":\"read\",\"key\":\"inbox:u\",\"rev\":3,\"unread\":0,\"ids\":\"5-1\"}",
     "{\"type\":\"read\",\"key\":\"inbox:u\",\"rev\":3,\"unread\":0,\"ids\":\"5-1\"}"},
    {"{\"type\":\"action_done\",\"key\":\"inbox:u\",\"data\":{\"notification_id\":\"5-1\","
     "\"id\":\"5-1\"}}",
     "{\"type\":\"action_done\",\"key\":\"inbox:u\",\"data\":{\"notification_id\":\"" OWN "\","
     "\"id\":\"5-1\"}}"},
    {"{\"type\":\"action_done\",\"key\":\"inbox:u\",\"rev\":3,\"unread\":0,\"ids\":[\"5-1\"]}",
     "{\"type\":\"action_done\",\"key\":\"inbox:u\",\"rev\":3,\"unread\":0,\"ids\":[\"" OWN "\"]}"},
    /* An event's data is its sender's. */
    {ENTRY("inbox:u", "", "\"id\":\"5-2\",\"content\":null"), NULL},
    {"{\"type\":\"typing\",\"key\":\"session:s\",\"data\":{\"id\":\"5-1\",\"content\":null}}",
     NULL},
    {"{\"type\":\"message\",\"key\":\"session:s\",\"data\":{\"id\":\"5-1\"}}", NULL},
    {"{\"type\":\"t\",\"key\":\"k\",\"id\":\"5-1\",\"prev\":\"0-0\",\"data\":[1]}", NULL},
};

Test(dialect_session, ids_are_uuids_and_texts_are_never_null)
{
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct event *event = event_decode(notify_str_z(texts[i].text));
        struct notify_str said = payload_of(event_frame(event, DIALECT_SESSION));
        const char *expected = texts[i].said == NULL ? texts[i].text : texts[i].said;
        cr_assert(notify_str_eq(said, notify_str_z(expected)), "%.*s", (int)said.len, said.ptr);
        if (texts[i].said == NULL)
            cr_assert_eq(event_frame(event, DIALECT_SESSION),
                         event_frame(event, DIALECT_CANONICAL));
        event_unref(event);
    }
}

static void check_has_log(const char *text)
{
    struct event *event = event_decode(notify_str_z(text));
    struct notify_str said = payload_of(event_frame(event, DIALECT_SESSION));

    cr_assert_not_null(memmem(said.ptr, said.len, logs, ENTRY_UUID_LEN), "%.*s", (int)said.len,
                       said.ptr);
    event_unref(event);
}

Test(dialect_session, an_id_says_of_which_box_the_entry_is)
{
    check_has_log(ENTRY("topic:all", "", "\"id\":\"5-1\""));
    check_has_log(ENTRY("topic:\\u0061ll", "", "\"id\":\"5-1\""));
    check_has_log("{\"type\":\"read\",\"key\":\"inbox:u\",\"rev\":3,\"unread\":0,"
                  "\"log\":\"topic:all\",\"ids\":[\"5-1\"]}");
    check_has_log("{\"type\":\"action_done\",\"key\":\"inbox:u\",\"data\":{"
                  "\"notification_id\":\"5-1\",\"log\":\"topic:all\"}}");
}

#define DATA "{\"id\":\"5-1\",\"title\":\"t\",\"content\":null,\"data\":{\"id\":\"5-1\"}}"

Test(dialect_session, an_item_of_a_list_is_said_as_the_notification_was)
{
    struct text text = {.len = 0};

    cr_assert(dialect_item(DIALECT_SESSION, NOTIFY_STR("\"inbox:u\""), NOTIFY_STR(DATA), &text));
    cr_assert(notify_str_eq(text.parts[0],
                            NOTIFY_STR("{\"id\":\"" OWN "\",\"title\":\"t\",\"content\":\"\","
                                       "\"data\":{\"id\":\"5-1\"}}")),
              "%.*s", (int)text.parts[0].len, text.parts[0].ptr);
    text_release(&text);
    text = (struct text){.len = 0};
    cr_assert(dialect_item(DIALECT_SESSION, NOTIFY_STR("\"topic:all\""), NOTIFY_STR(DATA), &text));
    cr_assert_not_null(memmem(text.parts[0].ptr, text.parts[0].len, logs, ENTRY_UUID_LEN));
    text_release(&text);
    for (int dialect = 0; dialect < DIALECT_COUNT; dialect++)
        cr_assert_eq(
            dialect_item((enum dialect)dialect, NOTIFY_STR("\"inbox:u\""), NOTIFY_STR("{}"), &text),
            dialect == DIALECT_SESSION);
    text_release(&text);
}

Test(dialect_session, an_id_that_somebody_chose_too_great_keeps_its_form)
{
    const char *text = "{\"type\":\"notification\",\"key\":\"inbox:u\",\"id\":"
                       "\"5-4611686018427387904\",\"prev\":\"0-0\",\"data\":{\"id\":"
                       "\"5-4611686018427387904\",\"content\":null}}";
    struct notify_str kept = NOTIFY_STR("\"id\":\"5-4611686018427387904\",\"content\":\"\"");
    struct event *event = event_decode(notify_str_z(text));
    struct notify_str said = payload_of(event_frame(event, DIALECT_SESSION));

    cr_assert_not_null(memmem(said.ptr, said.len, kept.ptr, kept.len));
    event_unref(event);
}

Test(dialect_session, greets_with_the_session)
{
    const struct greeting greeting = {.client_id = NOTIFY_STR("s\"1"),
                                      .user_id = NOTIFY_STR("u"),
                                      .timestamp = "2026-11-28T13:00:00.000Z"};
    struct frame *frame = dialect_greeting(DIALECT_SESSION, &greeting);

    cr_assert(notify_str_eq(
        payload_of(frame),
        NOTIFY_STR("{\"type\":\"connection_established\",\"data\":{\"session_id\":\"s\\\"1\","
                   "\"user_id\":\"u\",\"connected_at\":\"2026-11-28T13:00:00.000Z\"}}")));
    frame_unref(frame);
}

Test(dialect_session, who_may_not_be_there_breaks_a_policy)
{
    static const int policies[] = {CONN_CLOSE_UNAUTHORIZED, CONN_CLOSE_FORBIDDEN,
                                   CONN_CLOSE_TOO_MANY};

    for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
        cr_assert_eq(dialect_close_code(DIALECT_SESSION, policies[i]), CONN_CLOSE_POLICY);
        cr_assert_eq(dialect_close_code(DIALECT_TOPIC, policies[i]), policies[i]);
        cr_assert_eq(dialect_close_code(DIALECT_CANONICAL, policies[i]), policies[i]);
    }
    cr_assert_eq(dialect_close_code(DIALECT_SESSION, CONN_CLOSE_RESTART), CONN_CLOSE_RESTART);
}
