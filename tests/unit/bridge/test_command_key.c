#include <criterion/criterion.h>

#include "redis/command_key.h"

#define KEY_OF(...)                                                                                \
    key_of((const char *const[]){__VA_ARGS__},                                                     \
           sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

/* "" for a command without one. */
static const char *key_of(const char *const *words, size_t argc)
{
    struct notify_str argv[8], key;

    for (size_t i = 0; i < argc; i++)
        argv[i] = notify_str_z(words[i]);
    return command_key(argc, argv, &key) ? key.ptr : "";
}

Test(command_key, is_the_second_word_of_most)
{
    cr_assert_str_eq(KEY_OF("NOTIFY.SEND", "inbox:42", "title"), "inbox:42");
    cr_assert_str_eq(KEY_OF("XADD", "stream", "*", "a", "b"), "stream");
    cr_assert_str_eq(KEY_OF("GETDEL", "k"), "k");
}

Test(command_key, stands_further_back_in_some)
{
    cr_assert_str_eq(KEY_OF("NOTIFY.SESSION", "OPEN", "set", "user"), "set");
    cr_assert_str_eq(KEY_OF("NOTIFY.SESSION", "RENEW", "LEASE", "1", "set", "c"), "set");
    cr_assert_str_eq(KEY_OF("EVALSHA", "sha", "1", "eio:{x}", "a"), "eio:{x}");
    cr_assert_str_eq(KEY_OF("evalsha", "sha", "1", "eio:{x}", "a"), "eio:{x}");
}

Test(command_key, is_not_in_all)
{
    cr_assert_str_eq(KEY_OF("PUBLISH", "channel", "text"), "");
    cr_assert_str_eq(KEY_OF("INFO", "notify"), "");
    cr_assert_str_eq(KEY_OF("NOTIFY.SESSION", "OPEN"), "", "nor in one that lacks words");
    cr_assert_str_eq(KEY_OF("NOTIFY.SEND"), "");
}

Test(command_key, tells_who_says_a_command_again_by_himself)
{
    cr_assert(command_is_split(NOTIFY_STR("NOTIFY.SINCE")));
    cr_assert_not(command_is_split(NOTIFY_STR("NOTIFY.SEND")));
    cr_assert_not(command_is_split(NOTIFY_STR("NOTIFY.SINCE2")));
}
