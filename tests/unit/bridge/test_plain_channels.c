/* Channels without a box: which may be followed, and which never. */
#include <criterion/criterion.h>

#include "identity/plain_channels.h"

static const struct key_names names = {
    {"inbox:%s", "topic:%s", "session:%s", "sessions:%s", "", "presence:%s"}};
static const char *const logs[] = {"news", NULL};
static const char *const some[] = {"prices:*", "clock", NULL};
static const char *const all[] = {"*", NULL};
static const char *const none[] = {NULL};

static bool have(const char *const *patterns, const char *name)
{
    const struct plain_channels channels = {.patterns = patterns, .logs = logs, .keys = &names};

    return plain_channels_have(&channels, notify_str_z(name));
}

Test(plain_channels, are_those_that_an_option_names)
{
    static const char *const good[] = {"prices:eur", "prices:", "clock", "prices:[1]"};
    static const char *const bad[] = {"price", "clocks", "", "a", "Prices:eur"};

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        cr_assert(have(some, good[i]), "%s", good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_not(have(some, bad[i]), "%s", bad[i]);
    cr_assert_not(have(none, "clock"));
    cr_assert_not(plain_channels_have(NULL, NOTIFY_STR("clock")));
}

Test(plain_channels, are_never_boxes_logs_or_sets_whatever_fits)
{
    static const char *const boxes[] = {"inbox:alice",    "topic:all", "session:s",
                                        "sessions:alice", "news",      "presence:t",
                                        "notify:control", "notify:x"};

    for (size_t i = 0; i < sizeof(boxes) / sizeof(boxes[0]); i++)
        cr_assert_not(have(all, boxes[i]), "%s", boxes[i]);
    cr_assert(have(all, "inbox:"), "no name");
    cr_assert(have(all, "newsletter"));
}

Test(plain_channels, are_no_keys_whose_number_is_that_of_another_name)
{
    static const struct key_names parted = {
        {"inbox:{%h64}:%s", "topic:{%h64}:%s:log", "session:%s", "sessions:%s", "", "presence:%s"}};
    static const char *const keys[] = {"inbox:{07}:alice", "inbox:{08}:alice", "inbox:{99}:alice",
                                       "topic:{11}:a:log"};
    static const char *const channels[] = {"inbox:{7}:alice", "inbox:alice",
                                           "inbox:{07}:", "topic:{11}:a"};
    const struct plain_channels plain = {.patterns = all, .logs = logs, .keys = &parted};

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        cr_assert_not(plain_channels_have(&plain, notify_str_z(keys[i])), "%s", keys[i]);
    for (size_t i = 0; i < sizeof(channels) / sizeof(channels[0]); i++)
        cr_assert(plain_channels_have(&plain, notify_str_z(channels[i])), "%s", channels[i]);
}

/* A pattern and whether it may be asked for where "prices:*" and "clock" may be. */
Test(plain_channels, a_pattern_may_be_asked_for_that_stands_for_nothing_else)
{
    static const char *const good[] = {"prices:*", "prices:e*r", "prices:**", "prices:*:*"};
    static const char *const bad[] = {"*",           "p*",         "prices*",  "prices:?*",
                                      "prices:[a]*", "prices:\\*", "*rices:*", "cloc*"};

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        cr_assert(plain_channel_is_pattern(notify_str_z(good[i])));
        cr_assert(have(some, good[i]), "%s", good[i]);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_not(have(some, bad[i]), "%s", bad[i]);
    cr_assert(have(all, "*"));
    cr_assert_not(plain_channel_is_pattern(NOTIFY_STR("prices:eur")));
}

Test(plain_channels, an_option_is_a_name_with_stars)
{
    static const char *const bad[] = {"a?", "a[b", "a]", "a\\b", "user:{user}"};

    cr_assert_null(plain_channel_check("prices:*"));
    cr_assert_null(plain_channel_check(""));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_not_null(plain_channel_check(bad[i]), "%s", bad[i]);
}
