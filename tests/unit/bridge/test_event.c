/* Messages: what is one, what is read from it, and how it looks to clients. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "wire/event.h"
#include "wire/frame.h"

#define ENTRY                                                                                      \
    "{\"type\":\"notification\",\"key\":\"inbox:42\",\"id\":\"1795208400123-4\",\"prev\":"         \
    "\"1795208399001-0\",\"rev\":17,\"unread\":3,\"category\":\"c\\\"i\",\"data\":{\"id\":"        \
    "\"1795208400123-4\",\"title\":"                                                               \
    "\"Build \\\"x\\\" finished\",\"data\":{\"title\":\"not this\"}}}"

struct shape {
    const char *text;
    int kind; /* enum event_kind, or -1: no message */
};

#define HEAD "{\"type\":\"t\",\"key\":\"k\""

static const struct shape shapes[] = {
    {ENTRY, EVENT_ENTRY},
    {HEAD ",\"id\":\"5-1\",\"prev\":\"0-0\",\"data\":{}}", EVENT_ENTRY},
    {HEAD ",\"id\":\"5-1\",\"prev\":\"0-0\",\"data\":[1]}", EVENT_ENTRY},
    {HEAD ",\"id\":\"5\",\"prev\":\"4-1\",\"data\":null}", EVENT_ENTRY},
    {HEAD ",\"data\":{\"progress\":7}}", EVENT_VOLATILE},
    {HEAD ",\"rev\":1,\"data\":{}}", EVENT_VOLATILE},
    {HEAD ",\"rev\":9,\"unread\":0,\"ids\":[\"5-1\"]}", EVENT_STATE},
    {"{ \"type\" : \"t\" , \"key\" : \"k\" , \"rev\" : 1 } ", EVENT_STATE},
    /* Not a JSON object. */
    {"", -1},
    {" ", -1},
    {" " ENTRY, -1},
    {"hello", -1},
    {"\"hello\"", -1},
    {"17", -1},
    {"[" HEAD ",\"rev\":1}]", -1},
    {HEAD ",\"rev\":1", -1},
    {HEAD ",\"rev\":1}x", -1},
    {HEAD ",\"rev\":1}{}", -1},
    {HEAD ",\"rev\":01}", -1},
    {HEAD ",\"rev\":1,\"x\":\"\xff\"}", -1},
    {HEAD ",\"rev\":1,\"x\":\"a\nb\"}", -1},
    /* A JSON object, but none of ours. */
    {"{}", -1},
    {"{\"type\":\"t\",\"rev\":1}", -1},
    {"{\"key\":\"k\",\"rev\":1}", -1},
    {"{\"type\":1,\"key\":\"k\",\"rev\":1}", -1},
    {"{\"type\":\"t\",\"key\":null,\"rev\":1}", -1},
    {"{\"x\":{\"type\":\"t\",\"key\":\"k\",\"rev\":1}}", -1},
    {HEAD "}", -1},
    {HEAD ",\"id\":\"5-1\",\"data\":{}}", -1},
    {HEAD ",\"id\":\"5-1\",\"prev\":\"0-0\"}", -1},
    {HEAD ",\"id\":\"5-1\",\"prev\":\"x\",\"data\":{}}", -1},
    {HEAD ",\"id\":\"\",\"prev\":\"0-0\",\"data\":{}}", -1},
    {HEAD ",\"id\":5,\"prev\":\"0-0\",\"data\":{}}", -1},
    {HEAD ",\"id\":\"-1\",\"prev\":\"0-0\",\"data\":{}}", -1},
    {HEAD ",\"id\":\"5-\",\"prev\":\"0-0\",\"data\":{}}", -1},
    {HEAD ",\"id\":\"5-1-1\",\"prev\":\"0-0\",\"data\":{}}", -1},
    {HEAD ",\"id\":\"+5-1\",\"prev\":\"0-0\",\"data\":{}}", -1},
    {HEAD ",\"id\":\" 5-1\",\"prev\":\"0-0\",\"data\":{}}", -1},
    {HEAD ",\"id\":\"\\u0035-1\",\"prev\":\"0-0\",\"data\":{}}", -1},
    {HEAD ",\"id\":\"253402300800000-0\",\"prev\":\"0-0\",\"data\":{}}", -1},
    {HEAD ",\"id\":\"5-18446744073709551616\",\"prev\":\"0-0\",\"data\":{}}", -1},
};

Test(event, has_the_shape_of_a_message_or_is_none)
{
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        struct event *event = event_decode(notify_str_z(shapes[i].text));
        int kind = event == NULL ? -1 : (int)event->kind;
        cr_assert_eq(kind, shapes[i].kind, "%s: %d", shapes[i].text, kind);
        event_unref(event);
    }
}

Test(event, what_is_no_text_at_all_is_none)
{
    cr_assert_null(event_decode((struct notify_str){NULL, 0}));
}

Test(event, reads_what_routing_needs)
{
    struct event *event = event_decode(NOTIFY_STR(ENTRY));

    cr_assert_eq(event->id.ms, 1795208400123);
    cr_assert_eq(event->id.seq, 4);
    cr_assert_eq(event->prev.ms, 1795208399001);
    cr_assert(notify_str_eq(event->category, NOTIFY_STR("\"c\\\"i\"")));
    cr_assert_eq(event->data.ptr[0], '{');
    cr_assert_eq(event->data.len, strlen(strstr(ENTRY, ",\"data\":")) - 9);
    cr_assert(event->data.ptr > event->payload && event->data.ptr < event->payload + event->len);
    event_unref(event);
}

struct whole {
    const char *text;
    enum whole_box whole_box;
    uint64_t last_ms;
};

static const struct whole wholes[] = {
    {"{\"type\":\"gone\",\"key\":\"k\",\"rev\":9,\"unread\":0}", WHOLE_BOX_GONE, 0},
    {"{\"type\":\"changed\",\"key\":\"k\",\"rev\":9,\"unread\":0,\"last\":\"5-1\"}",
     WHOLE_BOX_CHANGED, 5},
    /* Ours, or somebody else's. */
    {"{\"type\":\"changed\",\"key\":\"k\",\"rev\":9,\"unread\":0}", WHOLE_BOX_STAYS, 0},
    {"{\"type\":\"changed\",\"key\":\"k\",\"rev\":9,\"unread\":0,\"last\":\"x\"}", WHOLE_BOX_STAYS,
     0},
    {"{\"type\":\"changed\",\"key\":\"k\",\"rev\":9,\"unread\":0,\"last\":5}", WHOLE_BOX_STAYS, 0},
    /* Events may have any name: they have data. */
    {"{\"type\":\"gone\",\"key\":\"k\",\"rev\":9,\"data\":{}}", WHOLE_BOX_STAYS, 0},
    {"{\"type\":\"gone\",\"key\":\"k\",\"id\":\"5-1\",\"prev\":\"0-0\",\"rev\":9,\"data\":{}}",
     WHOLE_BOX_STAYS, 0},
    {"{\"type\":\"read\",\"key\":\"k\",\"rev\":9,\"unread\":0,\"last\":\"5-1\"}", WHOLE_BOX_STAYS,
     0},
};

Test(event, tells_whether_the_box_as_a_whole_is_gone_or_another)
{
    for (size_t i = 0; i < sizeof(wholes) / sizeof(wholes[0]); i++) {
        struct event *event = event_decode(notify_str_z(wholes[i].text));
        cr_assert_not_null(event, "%s", wholes[i].text);
        cr_assert_eq(event->whole_box, wholes[i].whole_box, "%s", wholes[i].text);
        if (event->kind == EVENT_STATE)
            cr_assert_eq(event->prev.ms, wholes[i].last_ms, "%s", wholes[i].text);
        event_unref(event);
    }
}

Test(event, looks_stored_before_it_is_decoded_if_it_is_an_entry_as_the_module_writes_it)
{
    static const char *const others[] = {
        "", "{", "{\"type\":\"t", "{\"type\":\"t\",\"key\":\"k\",\"id\":", "[1]",
        "{\"type\":\"t\",\"key\":\"k\",\"data\":{\"id\":\"5-1\"}}",
        "{\"key\":\"k\",\"type\":\"t\",\"id\":\"5-1\"}",
        /* Here it is not worth the trouble: they are decoded. */
        "{\"type\":\"a\\\"\",\"key\":\"k\",\"id\":\"5-1\",\"prev\":\"0-0\",\"data\":{}}"};

    cr_assert(event_looks_stored(NOTIFY_STR(ENTRY)));
    for (size_t i = 0; i < sizeof(wholes) / sizeof(wholes[0]); i++)
        cr_assert_eq(event_looks_stored(notify_str_z(wholes[i].text)),
                     strstr(wholes[i].text, "\"id\"") != NULL, "%s", wholes[i].text);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        cr_assert_not(event_looks_stored(notify_str_z(others[i])), "%s", others[i]);
}

Test(event, keeps_a_copy_of_the_bytes)
{
    char text[] = ENTRY;
    struct event *event = event_decode(notify_str_z(text));

    memset(text, 'x', sizeof(text) - 1);
    cr_assert_eq(event->len, sizeof(ENTRY) - 1);
    cr_assert_arr_eq(event->payload, ENTRY, sizeof(ENTRY) - 1);
    event_unref(event);
}

Test(event, a_key_with_any_bytes_of_json_passes)
{
    struct event *event =
        event_decode(NOTIFY_STR("{\"type\":\"t\",\"key\":\"a\\u0000\\\"\xc3\xa9\",\"rev\":1}"));

    cr_assert_not_null(event);
    event_unref(event);
}

static struct notify_str payload_of(const struct frame *frame)
{
    size_t header = (unsigned char)frame->data[1] < 126 ? 2 : 4;

    return notify_str_of(frame->data + header, frame->len - header);
}

Test(event, the_canonical_frame_is_the_published_bytes)
{
    struct event *event = event_decode(NOTIFY_STR(ENTRY));
    struct frame *frame = event_frame(event, DIALECT_CANONICAL);

    cr_assert(notify_str_eq(payload_of(frame), NOTIFY_STR(ENTRY)));
    cr_assert_eq(event_frame(event, DIALECT_CANONICAL), frame, "made once");
    event_unref(event);
}

Test(event, the_topic_frame_has_the_title_as_message_before_all_else)
{
    struct event *event = event_decode(NOTIFY_STR(ENTRY));
    struct notify_str payload = payload_of(event_frame(event, DIALECT_TOPIC));
    struct notify_str start = NOTIFY_STR("{\"message\":\"Build \\\"x\\\" finished\",\"type\":");

    cr_assert(notify_str_eq(notify_str_of(payload.ptr, start.len), start));
    cr_assert(notify_str_eq(
        notify_str_of(payload.ptr + payload.len - sizeof(ENTRY) + 2, sizeof(ENTRY) - 2),
        notify_str_of(&ENTRY[1], sizeof(ENTRY) - 2)));
    event_unref(event);
}

Test(event, a_change_that_was_not_told_says_which_epoch_is_new)
{
    struct event *event = event_changed(NOTIFY_STR("box"), 16777215, 17, 3);

    cr_assert_not_null(strstr(event->payload, ",\"epoch\":16777215,\"rev\":17,"));
    cr_assert_eq(event->epoch, 16777215);
    event_unref(event);
}

static const char *const no_epochs[] = {"16777216", "-1", "\"7\"", "null", "{}", "0"};

Test(event, what_is_no_epoch_is_none)
{
    char text[128];

    for (size_t i = 0; i < sizeof(no_epochs) / sizeof(no_epochs[0]); i++) {
        (void)snprintf(text, sizeof(text), HEAD ",\"epoch\":%s,\"rev\":1}", no_epochs[i]);
        struct event *event = event_decode(notify_str_z(text));
        cr_assert_not_null(event, "%s", text);
        cr_assert_eq(event->epoch, 0, "%s", text);
        event_unref(event);
    }
}

Test(event, a_change_that_was_not_told_is_one_of_state)
{
    struct event *event = event_changed(NOTIFY_STR("in\"box"), 0, 17, 3);
    struct notify_str text =
        NOTIFY_STR("{\"type\":\"changed\",\"key\":\"in\\\"box\",\"rev\":17,\"unread\":3}");

    cr_assert_not_null(event);
    cr_assert_eq(event->kind, EVENT_STATE);
    cr_assert_eq(event->rev, 17);
    cr_assert(event_is_of(event, NOTIFY_STR("in\"box")));
    cr_assert(notify_str_eq(notify_str_of(event->payload, event->len), text));
    event_unref(event);
}

static const char *const silent[] = {
    HEAD ",\"id\":\"5-1\",\"prev\":\"0-0\",\"data\":{\"id\":\"5-1\",\"title\":null}}",
    HEAD ",\"id\":\"5-1\",\"prev\":\"0-0\",\"data\":{\"id\":\"5-1\",\"x\":1}}",
    HEAD ",\"id\":\"5-1\",\"prev\":\"0-0\",\"data\":\"title\"}",
    HEAD ",\"rev\":1,\"unread\":0}",
    HEAD ",\"data\":{}}",
    HEAD ",\"data\":[{\"x\":1}]}",
    HEAD ",\"data\":{ \"id\" : 7 , \"typ\\u0065\": 8 }}",
    HEAD ",\"level\":\"info\",\"data\":{\"level\":8}}",
};

/* An event, and how /ws says it. */
struct lifted {
    const char *text, *said;
};

static const struct lifted lifted[] = {
    {HEAD ",\"data\":{\"title\":\"of an event\"}}",
     "{\"title\":\"of an event\",\"type\":\"t\",\"key\":\"k\",\"data\":{\"title\":\"of an "
     "event\"}}"},
    {HEAD ",\"id\":\"5-1\",\"prev\":\"0-0\",\"data\":{\"id\":\"5-2\",\"title\":\"x\"},\"z\":0}",
     "{\"title\":\"x\",\"type\":\"t\",\"key\":\"k\",\"id\":\"5-1\",\"prev\":\"0-0\","
     "\"data\":{\"id\":\"5-2\",\"title\":\"x\"},\"z\":0}"},
    {HEAD ",\"data\":{\"message\":\"done\",\"data\":{\"run\":7}}}",
     "{\"message\":\"done\",\"type\":\"t\",\"key\":\"k\",\"data\":{\"run\":7}}"},
    {HEAD ",\"data\":{\"d\\u0061ta\":1}}", "{\"type\":\"t\",\"key\":\"k\",\"data\":1}"},
    {HEAD ",\"data\":{\"a\":0.10,\"a\":1e400,\"\":[ 1 ],\"timestamp\":1,\"prev\":2}}",
     "{\"a\":0.10,\"a\":1e400,\"\":[ 1 ],\"type\":\"t\",\"key\":\"k\","
     "\"data\":{\"a\":0.10,\"a\":1e400,\"\":[ 1 ],\"timestamp\":1,\"prev\":2}}"},
    {HEAD ",\"category\":\"c\",\"data\":{\"category\":7,\"level\":8}}",
     "{\"level\":8,\"type\":\"t\",\"key\":\"k\",\"category\":\"c\",\"data\":{\"category\":7,"
     "\"level\":8}}"},
};

Test(event, what_an_event_says_stands_at_the_top_too_unless_that_is_a_name_of_ours)
{
    for (size_t i = 0; i < sizeof(lifted) / sizeof(lifted[0]); i++) {
        struct event *event = event_decode(notify_str_z(lifted[i].text));
        struct notify_str said = payload_of(event_frame(event, DIALECT_TOPIC));
        cr_assert(notify_str_eq(said, notify_str_z(lifted[i].said)), "%.*s", (int)said.len,
                  said.ptr);
        event_unref(event);
    }
}

struct discretion {
    const char *text, *discreet;
};

Test(event, what_is_discreet_speaks_of_no_other_entries_and_is_the_same_else)
{
    static const struct discretion cases[] = {
        {HEAD ",\"id\":\"5-1\",\"prev\":\"4-0\",\"replaces\":\"3-0\",\"rev\":9,\"unread\":7,"
              "\"category\":\"c\",\"data\":{\"prev\":1,\"rev\":2}}",
         HEAD ",\"id\":\"5-1\",\"category\":\"c\",\"data\":{\"prev\":1,\"rev\":2}}"},
        {HEAD ",\"exclude\":\"s\",\"rev\":1,\"data\":{}}", HEAD ",\"exclude\":\"s\",\"data\":{}}"},
        {HEAD ",\"rev\":9,\"unread\":0,\"ids\":[\"5-1\"]}", HEAD ",\"ids\":[\"5-1\"]}"},
        {"{ \"type\" : \"t\" , \"key\" : \"k\" , \"rev\" : 1 } ", HEAD "}"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct event *event = event_decode(notify_str_z(cases[i].text));
        struct event *discreet = event_discreet(event);

        cr_assert_eq(event_discreet(event), discreet);
        cr_assert(notify_str_eq(notify_str_of(discreet->payload, discreet->len),
                                notify_str_z(cases[i].discreet)));
        cr_assert_eq(discreet->kind, event->kind);
        cr_assert_eq(notify_id_cmp(discreet->id, event->id), 0);
        cr_assert(notify_str_eq(discreet->category, event->category));
        cr_assert(notify_str_eq(discreet->data, event->data));
        cr_assert_eq(event_excludes(discreet, NOTIFY_STR("s")), event->exclude.len > 0);
        event_ref(discreet);
        event_unref(event);
        cr_assert(event_is_of(discreet, NOTIFY_STR("k")));
        event_unref(discreet);
    }
}

Test(event, an_entry_that_tells_an_epoch_is_the_same_else)
{
    struct event *event = event_decode(notify_str_z(
        HEAD ",\"id\":\"5-1\",\"prev\":\"4-0\",\"rev\":9,\"unread\":7,\"data\":{\"rev\":2}}"));
    struct event *telling = event_ref(event_with_epoch(event, 16777215));

    cr_assert(notify_str_eq(notify_str_of(telling->payload, telling->len),
                            notify_str_z(HEAD ",\"id\":\"5-1\",\"prev\":\"4-0\",\"epoch\":16777215,"
                                              "\"rev\":9,\"unread\":7,\"data\":{\"rev\":2}}")));
    cr_assert(telling->epoch == 16777215 && event->epoch == 0 && telling->rev == 9);
    cr_assert_eq(notify_id_cmp(telling->id, event->id), 0);
    cr_assert_eq(event_with_epoch(event, 16777215), telling);
    cr_assert_eq(event_with_epoch(telling, 3), telling);
    cr_assert_eq(event_with_epoch(event, 3)->epoch, 3);
    event_unref(event);
    cr_assert(event_is_of(telling, NOTIFY_STR("k")));
    event_unref(telling);
}

Test(event, a_change_can_be_told_without_its_epoch)
{
    struct event *event = event_decode(notify_str_z(
        HEAD ",\"epoch\":7,\"rev\":9,\"unread\":2,\"ids\":[\"5-1\"],\"data\":{\"epoch\":2}}"));
    struct event *plain = event_without_epoch(event);

    cr_assert(notify_str_eq(
        notify_str_of(plain->payload, plain->len),
        notify_str_z(HEAD ",\"rev\":9,\"unread\":2,\"ids\":[\"5-1\"],\"data\":{\"epoch\":2}}")));
    cr_assert(plain->epoch == 0 && event->epoch == 7 && plain->rev == 9);
    cr_assert_eq(event_without_epoch(event), plain);
    cr_assert_eq(event_without_epoch(plain), plain);
    event_unref(event);
}

/* Whoever may PUBLISH says what he likes. */
Test(event, an_epoch_is_told_once_whatever_the_message_has)
{
    enum { TIMES = 200 };
    char text[TIMES * 8 + 200], expected[sizeof(text) + 40];
    size_t len = (size_t)snprintf(text, sizeof(text), HEAD ",\"id\":\"5-1\",\"prev\":\"4-0\""),
           at = (size_t)snprintf(expected, sizeof(expected), "%s,\"epoch\":16777215", text);
    struct event *event, *telling;

    len += (size_t)snprintf(text + len, sizeof(text) - len, ",\"epoch\":\"none\"");
    for (int i = 0; i < TIMES; i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, ",\"rev\":9");
        at += (size_t)snprintf(expected + at, sizeof(expected) - at, ",\"rev\":9");
    }
    (void)snprintf(text + len, sizeof(text) - len, ",\"data\":{}}");
    (void)snprintf(expected + at, sizeof(expected) - at, ",\"data\":{}}");
    event = event_decode(notify_str_z(text));
    telling = event_with_epoch(event, 16777215);
    cr_assert(notify_str_eq(notify_str_of(telling->payload, telling->len), notify_str_z(expected)));
    event_unref(event);
}

Test(event, an_epoch_is_told_by_what_is_discreet_as_well)
{
    struct event *event = event_decode(notify_str_z(
        HEAD ",\"id\":\"5-1\",\"prev\":\"4-0\",\"exclude\":\"s\",\"rev\":9,\"data\":{}}"));
    struct notify_str expected =
        notify_str_z(HEAD ",\"id\":\"5-1\",\"exclude\":\"s\",\"epoch\":7,\"data\":{}}");
    struct event *both[] = {event_discreet(event_with_epoch(event, 7)),
                            event_with_epoch(event_discreet(event), 7)};

    for (size_t i = 0; i < sizeof(both) / sizeof(both[0]); i++)
        cr_assert(notify_str_eq(notify_str_of(both[i]->payload, both[i]->len), expected));
    event_unref(event);
}

Test(event, what_does_not_count_a_log_is_the_same_else)
{
    static const struct discretion cases[] = {
        {HEAD ",\"rev\":9,\"unread\":2,\"log\":\"topic:all\",\"log_unread\":7,\"ids\":[\"5-1\"]}",
         HEAD ",\"rev\":9,\"unread\":2,\"log\":\"topic:all\",\"ids\":[\"5-1\"]}"},
        {HEAD ",\"rev\":9,\"unread\":2,\"ids\":[\"5-1\"]}", NULL},
        {HEAD ",\"id\":\"5-1\",\"prev\":\"0-0\",\"rev\":9,\"data\":{\"log_unread\":7}}", NULL},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct event *event = event_decode(notify_str_z(cases[i].text));
        struct event *uncounted = event_uncounted(event);
        const char *expected = cases[i].discreet == NULL ? cases[i].text : cases[i].discreet;

        cr_assert_eq(uncounted == event, cases[i].discreet == NULL);
        cr_assert_eq(event_uncounted(event), uncounted);
        cr_assert_eq(event_uncounted(uncounted), uncounted);
        cr_assert(notify_str_eq(notify_str_of(uncounted->payload, uncounted->len),
                                notify_str_z(expected)));
        cr_assert_eq(uncounted->rev, event->rev);
        event_unref(event);
    }
}

Test(event, with_nothing_to_say_at_the_top_all_dialects_share_a_frame)
{
    for (size_t i = 0; i < sizeof(silent) / sizeof(silent[0]); i++) {
        struct event *event = event_decode(notify_str_z(silent[i]));
        cr_assert_eq(event_frame(event, DIALECT_TOPIC), event_frame(event, DIALECT_CANONICAL), "%s",
                     silent[i]);
        event_unref(event);
    }
}

Test(event, lives_as_long_as_somebody_refers_to_it)
{
    struct event *event = event_decode(NOTIFY_STR(ENTRY));

    cr_assert_eq(event_ref(event), event);
    cr_assert_null(event_unref(event));
    cr_assert_eq(event->id.seq, 4);
    cr_assert_null(event_unref(event));
    cr_assert_null(event_unref(NULL));
}

Test(event, speaks_of_its_key_however_json_writes_it)
{
    struct event *event = event_decode(
        NOTIFY_STR("{\"type\":\"read\",\"key\":\"in\\u0062ox:\\\"a\\\\\",\"rev\":1,\"unread\":0}"));

    cr_assert_not_null(event);
    cr_assert(event_is_of(event, NOTIFY_STR("inbox:\"a\\")));
    cr_assert_not(event_is_of(event, NOTIFY_STR("inbox:a")));
    cr_assert_not(event_is_of(event, NOTIFY_STR("in\\u0062ox:\\\"a\\\\")));
    event_unref(event);
}
