/* Messages, byte for byte as docs/protocol.md shows them. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <time.h>

#include "box/body.h"
#include "mem_testing.h"
#include "message/render.h"

static struct text_buf out;
static struct text_buf body_buf;
static struct body plain;
static struct box_entry entry;
static struct render_box box;
static const struct notify_id none = {0, 0};

static void setup(void)
{
    mem_testing_install(1);
    out = TEXT_BUF_INIT;
    body_buf = TEXT_BUF_INIT;
    plain = (struct body){0};
    entry = (struct box_entry){.id = {UINT64_C(1795208400123), 0}};
    box = (struct render_box){.key = NOTIFY_STR("inbox:42"), .rev = 17, .unread = 3};
}

static void teardown(void)
{
    text_buf_release(&out);
    text_buf_release(&body_buf);
    cr_assert_eq(mem_testing_live, 0);
}

TestSuite(render, .init = setup, .fini = teardown);

static void build(void)
{
    struct body_error error;

    cr_assert(body_build(&body_buf, &plain, &error));
    entry.body = text_buf_str(&body_buf);
}

static void expect(const char *text)
{
    cr_assert_not(out.failed);
    cr_assert(notify_str_eq(text_buf_str(&out), notify_str_z(text)), "%.*s\nexpected\n%s",
              (int)out.len, out.ptr, text);
}

static void expect_part(const char *text)
{
    cr_assert_not_null(memmem(out.ptr, out.len, text, strlen(text)), "%.*s\nlacks\n%s",
                       (int)out.len, out.ptr, text);
}

static void fill_example(void)
{
    entry.category = NOTIFY_STR("ci");
    entry.level = LEVEL_SUCCESS;
    plain.field[BODY_TITLE] = NOTIFY_STR("Build finished");
    plain.field[BODY_CONTENT] = NOTIFY_STR("main passed");
    plain.field[BODY_TYPE] = NOTIFY_STR("build");
    plain.field[BODY_ACTION] = NOTIFY_STR("{\"type\":\"open\",\"url\":\"/builds/7\"}");
    plain.field[BODY_ENTITY_TYPE] = NOTIFY_STR("build");
    plain.field[BODY_ENTITY_ID] = NOTIFY_STR("7");
    plain.field[BODY_DATA] = NOTIFY_STR("{\"duration_s\": 93}");
    build();
}

Test(render, the_message_of_the_protocol_page)
{
    fill_example();
    render_entry(&out, &box, &entry, (struct notify_id){UINT64_C(1795208399001), 0}, none);
    expect("{\"type\":\"notification\",\"key\":\"inbox:42\",\"id\":\"1795208400123-0\","
           "\"prev\":\"1795208399001-0\",\"rev\":17,\"unread\":3,\"category\":\"ci\","
           "\"level\":\"success\",\"timestamp\":\"2026-11-20T21:00:00.123Z\","
           "\"data\":{\"id\":\"1795208400123-0\",\"title\":\"Build finished\","
           "\"content\":\"main passed\",\"notification_type\":\"build\",\"category\":\"ci\","
           "\"level\":\"success\",\"action\":{\"type\":\"open\",\"url\":\"/builds/7\"},"
           "\"entity\":{\"type\":\"build\",\"id\":\"7\"},\"data\":{\"duration_s\":93},"
           "\"is_read\":false,\"created_at\":\"2026-11-20T21:00:00.123Z\",\"expires_at\":null}}");
}

Test(render, a_message_read_again_tells_when_it_was_read_and_when_it_expires)
{
    fill_example();
    entry.is_read = true;
    entry.read_ms = UINT64_C(1795208401000);
    entry.expire_ms = UINT64_C(1795208500000);
    render_entry(&out, &box, &entry, none, none);
    expect_part("\"prev\":\"0-0\"");
    expect_part("\"is_read\":true,\"read_at\":\"2026-11-20T21:00:01.000Z\",\"created_at\"");
    expect_part("\"expires_at\":\"2026-11-20T21:01:40.000Z\"}}");
}

Test(render, members_without_a_value_are_left_out_of_the_message_and_null_in_its_data)
{
    plain.field[BODY_TITLE] = NOTIFY_STR("t");
    build();
    render_entry(&out, &box, &entry, none, none);
    expect("{\"type\":\"notification\",\"key\":\"inbox:42\",\"id\":\"1795208400123-0\","
           "\"prev\":\"0-0\",\"rev\":17,\"unread\":3,\"level\":\"info\","
           "\"timestamp\":\"2026-11-20T21:00:00.123Z\","
           "\"data\":{\"id\":\"1795208400123-0\",\"title\":\"t\",\"content\":null,"
           "\"notification_type\":null,\"category\":null,\"level\":\"info\",\"action\":null,"
           "\"entity\":null,\"data\":null,\"is_read\":false,"
           "\"created_at\":\"2026-11-20T21:00:00.123Z\",\"expires_at\":null}}");
}

Test(render, replaces_and_exclude_stand_between_prev_and_rev)
{
    plain.field[BODY_TITLE] = NOTIFY_STR("t");
    plain.field[BODY_EXCLUDE] = NOTIFY_STR("s\"1");
    build();
    render_entry(&out, &box, &entry, (struct notify_id){5, 6}, (struct notify_id){3, 4});
    expect_part("\"prev\":\"5-6\",\"replaces\":\"3-4\",\"exclude\":\"s\\\"1\",\"rev\":17");
}

Test(render, the_data_of_an_event_is_exactly_its_json)
{
    entry.kind = ENTRY_EVENT;
    plain.field[BODY_EVENT] = NOTIFY_STR("progress");
    plain.field[BODY_DATA] = NOTIFY_STR("[ 50 ]");
    build();
    render_entry(&out, &box, &entry, none, none);
    expect("{\"type\":\"progress\",\"key\":\"inbox:42\",\"id\":\"1795208400123-0\","
           "\"prev\":\"0-0\",\"rev\":17,\"unread\":3,\"level\":\"info\","
           "\"timestamp\":\"2026-11-20T21:00:00.123Z\",\"data\":[50]}");
}

Test(render, an_event_without_data_has_an_empty_object_and_unstored_ones_no_id)
{
    entry.kind = ENTRY_EVENT;
    plain.field[BODY_EVENT] = NOTIFY_STR("progress");
    build();
    render_unstored(&out, &box, &entry, 0);
    expect("{\"type\":\"progress\",\"key\":\"inbox:42\",\"rev\":17,\"unread\":3,"
           "\"level\":\"info\",\"timestamp\":\"1970-01-01T00:00:00.000Z\",\"data\":{}}");
}

Test(render, a_key_is_escaped_whatever_its_bytes)
{
    box.key = NOTIFY_STR("a\"b\xff");
    render_change_upto(&out, &box, RENDER_READ, (struct notify_id){1, 2}, CATEGORY_NONE);
    expect("{\"type\":\"read\",\"key\":\"a\\\"b\xef\xbf\xbd\",\"rev\":17,\"unread\":3,"
           "\"upto\":\"1-2\"}");
}

struct change_row {
    enum render_change change;
    const char *name;
};

Test(render, state_changes_name_their_ids)
{
    static const struct change_row rows[] = {
        {RENDER_READ, "read"},
        {RENDER_UNREAD_AGAIN, "unread_again"},
        {RENDER_SEEN, "seen"},
        {RENDER_ARCHIVED, "archived"},
        {RENDER_UNARCHIVED, "unarchived"},
        {RENDER_DELETED, "deleted"},
    };
    static const struct notify_id ids[] = {{1, 2}, {3, 4}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char expected[256];
        snprintf(expected, sizeof(expected),
                 "{\"type\":\"%s\",\"key\":\"inbox:42\",\"rev\":17,\"unread\":3,"
                 "\"ids\":[\"1-2\",\"3-4\"]}",
                 rows[i].name);
        text_buf_clear(&out);
        cr_assert_eq(render_change_ids(&out, &box, rows[i].change, ids, 2), 2);
        expect(expected);
    }
}

Test(render, upto_may_name_a_category_and_a_trim_says_before)
{
    struct notify_str category = NOTIFY_STR("a\"b");

    render_change_upto(&out, &box, RENDER_READ, (struct notify_id){7, 0}, category);
    expect("{\"type\":\"read\",\"key\":\"inbox:42\",\"rev\":17,\"unread\":3,\"upto\":\"7-0\","
           "\"category\":\"a\\\"b\"}");
    text_buf_clear(&out);
    render_change_upto(&out, &box, RENDER_DELETED, (struct notify_id){7, 1}, CATEGORY_NONE);
    expect("{\"type\":\"deleted\",\"key\":\"inbox:42\",\"rev\":17,\"unread\":3,"
           "\"before\":\"7-1\"}");
}

Test(render, a_change_in_a_log_names_it_and_what_is_unread_there)
{
    static const struct notify_id id = {1, 2};

    box.log = NOTIFY_STR("topic:\"all\"");
    box.log_unread = 5;
    cr_assert_eq(render_change_ids(&out, &box, RENDER_READ, &id, 1), 1);
    expect("{\"type\":\"read\",\"key\":\"inbox:42\",\"rev\":17,\"unread\":3,"
           "\"log\":\"topic:\\\"all\\\"\",\"log_unread\":5,\"ids\":[\"1-2\"]}");
    text_buf_clear(&out);
    render_change_upto(&out, &box, RENDER_SEEN, id, CATEGORY_NONE);
    expect("{\"type\":\"seen\",\"key\":\"inbox:42\",\"rev\":17,\"unread\":3,"
           "\"log\":\"topic:\\\"all\\\"\",\"log_unread\":5,\"upto\":\"1-2\"}");
}

Test(render, following_a_log_says_where_it_starts)
{
    box.log = NOTIFY_STR("topic:all");
    render_follow(&out, &box, RENDER_FOLLOWED, (struct notify_id){1, 2});
    expect("{\"type\":\"followed\",\"key\":\"inbox:42\",\"rev\":17,\"unread\":3,"
           "\"log\":\"topic:all\",\"log_unread\":0,\"start\":\"1-2\"}");
    text_buf_clear(&out);
    render_follow(&out, &box, RENDER_UNFOLLOWED, (struct notify_id){1, 2});
    expect("{\"type\":\"unfollowed\",\"key\":\"inbox:42\",\"rev\":17,\"unread\":3,"
           "\"log\":\"topic:all\",\"log_unread\":0}");
}

Test(render, more_than_128_ids_go_into_several_messages)
{
    struct notify_id ids[300];
    size_t left = 300;
    size_t messages = 0;

    for (size_t i = 0; i < 300; i++)
        ids[i] = (struct notify_id){UINT64_C(1795208400123) + i, i};
    while (left > 0) {
        json_t *message;
        size_t taken;
        text_buf_clear(&out);
        taken = render_change_ids(&out, &box, RENDER_DELETED, ids + 300 - left, left);
        message = json_loadb(out.ptr, out.len, 0, NULL);
        cr_assert_not_null(message);
        cr_assert_eq(json_array_size(json_object_get(message, "ids")), taken);
        cr_assert_eq(json_integer_value(json_object_get(message, "rev")), 17);
        json_decref(message);
        left -= taken;
        messages++;
    }
    cr_assert_eq(messages, 3);
}

Test(render, times_are_those_of_the_c_library_over_8000_years)
{
    for (uint64_t ms = 0; ms <= NOTIFY_ID_MAX_MS; ms += UINT64_C(35999999999) / 7) {
        time_t seconds = (time_t)(ms / 1000);
        struct tm tm;
        char expected[64];
        char text[RENDER_TIME_LEN];
        size_t len;
        gmtime_r(&seconds, &tm);
        len = strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S", &tm);
        snprintf(expected + len, sizeof(expected) - len, ".%03uZ", (unsigned)(ms % 1000));
        render_time(text, ms);
        cr_assert(memcmp(text, expected, RENDER_TIME_LEN) == 0, "%.24s %s", text, expected);
    }
}

Test(render, times_beyond_the_year_9999_are_written_as_its_end)
{
    char text[RENDER_TIME_LEN];

    render_time(text, UINT64_MAX);
    cr_assert(memcmp(text, "9999-12-31T23:59:59.999Z", RENDER_TIME_LEN) == 0);
}

Test(render, without_memory_the_buffer_says_so)
{
    fill_example();
    mem_testing_fail_at(1);
    render_entry(&out, &box, &entry, none, none);
    cr_assert(out.failed);
    cr_assert_eq(out.len, 0);
}

Test(render, a_key_as_a_whole_is_gone_or_another_one)
{
    render_gone(&out, NOTIFY_STR("inbox:\"42"), 18);
    expect("{\"type\":\"gone\",\"key\":\"inbox:\\\"42\",\"rev\":18,\"unread\":0}");
    text_buf_clear(&out);
    render_appeared(&out, &box, entry.id);
    expect("{\"type\":\"changed\",\"key\":\"inbox:42\",\"rev\":17,\"unread\":3,"
           "\"last\":\"1795208400123-0\"}");
}

Test(render, what_happens_to_all_keys_names_the_database)
{
    render_flushed(&out, 7);
    expect("{\"type\":\"flushed\",\"key\":\"notify:control\",\"database\":7}");
}
