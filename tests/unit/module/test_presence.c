/* The messages about session sets, byte by byte. */
#include <criterion/criterion.h>

#include "base/json_text.h"
#include "message/presence.h"

static struct text_buf out;

static void release(void)
{
    text_buf_release(&out);
}

TestSuite(presence, .fini = release);

static const struct presence_set some_set = {
    .key = {"sessions:42", 11}, .rev = 17, .counts = {.sessions = 2, .connections = 5}};

static void expect(const char *wanted)
{
    cr_assert(json_text_is_minified(text_buf_str(&out)));
    cr_assert_eq(out.len, strlen(wanted));
    cr_assert_arr_eq(out.ptr, wanted, out.len);
}

Test(presence, who_came_is_told_with_the_counts_of_the_set)
{
    presence_render(&out, &some_set, PRESENCE_JOIN, NOTIFY_STR("s1"));
    expect("{\"type\":\"presence\",\"key\":\"sessions:42\",\"rev\":17,\"event\":\"join\","
           "\"session_id\":\"s1\",\"sessions\":2,\"connections\":5}");
}

Test(presence, who_went_is_told_with_the_counts_of_the_set)
{
    presence_render(&out, &some_set, PRESENCE_LEAVE, NOTIFY_STR("s1"));
    expect("{\"type\":\"presence\",\"key\":\"sessions:42\",\"rev\":17,\"event\":\"leave\","
           "\"session_id\":\"s1\",\"sessions\":2,\"connections\":5}");
}

Test(presence, a_kick_names_the_session)
{
    presence_render_kick(&out, &some_set, NOTIFY_STR("s1"));
    expect("{\"type\":\"kick\",\"key\":\"sessions:42\",\"rev\":17,\"session_id\":\"s1\"}");
}

Test(presence, texts_are_escaped)
{
    struct presence_set set = some_set;

    set.key = NOTIFY_STR("k\"\xff");
    presence_render_kick(&out, &set, NOTIFY_STR("\"\n\xc3\xa4"));
    expect("{\"type\":\"kick\",\"key\":\"k\\\"\xef\xbf\xbd\",\"rev\":17,"
           "\"session_id\":\"\\\"\\n\xc3\xa4\"}");
}

Test(presence, a_set_as_a_whole_is_gone_or_another_one)
{
    presence_render_gone(&out, some_set.key, 18);
    expect("{\"type\":\"gone\",\"key\":\"sessions:42\",\"rev\":18,\"sessions\":0,"
           "\"connections\":0}");
    text_buf_clear(&out);
    presence_render_appeared(&out, &some_set);
    expect("{\"type\":\"changed\",\"key\":\"sessions:42\",\"rev\":17,\"sessions\":2,"
           "\"connections\":5}");
}
