/* Keys of users, topics and sessions. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "identity/key_names.h"

static const struct key_names names = {
    .patterns = {[KEY_INBOX] = "inbox:%s", [KEY_TOPIC] = "{t}:%s:log", [KEY_SESSION] = "%s"}};

Test(key_names, a_pattern_has_one_place_for_the_name)
{
    static const char *const good[] = {"%s", "inbox:%s", "%s:inbox", "a%sb", "s%s"};
    static const char *const bad[] = {"",     "inbox", "%",  "%d", "%%s",
                                      "%s%s", "%s%",   "%S", "a%", "% s"};

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        cr_assert_null(key_pattern_check(good[i]), "%s", good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_not_null(key_pattern_check(bad[i]), "%s", bad[i]);
}

Test(key_names, the_name_stands_in_its_place)
{
    struct key_buffer buffer;

    cr_assert(notify_str_eq(key_of(&names, KEY_INBOX, NOTIFY_STR("alice"), &buffer),
                            NOTIFY_STR("inbox:alice")));
    cr_assert(notify_str_eq(key_of(&names, KEY_TOPIC, NOTIFY_STR("a\0%s"), &buffer),
                            NOTIFY_STR("{t}:a\0%s:log")));
    cr_assert(
        notify_str_eq(key_of(&names, KEY_SESSION, NOTIFY_STR("x"), &buffer), NOTIFY_STR("x")));
}

Test(key_names, an_empty_name_has_no_key)
{
    struct key_buffer buffer;

    cr_assert_eq(key_of(&names, KEY_INBOX, NOTIFY_STR(""), &buffer).len, 0);
    cr_assert_eq(key_of(&names, KEY_INBOX, (struct notify_str){NULL, 0}, &buffer).len, 0);
}

Test(key_names, a_key_has_a_longest_length)
{
    static char name[NOTIFY_KEY_MAX + 1];
    struct key_buffer *buffer = malloc(sizeof(*buffer)); /* so that a sanitizer sees its end */

    memset(name, 'n', sizeof(name));
    cr_assert_eq(key_of(&names, KEY_INBOX, notify_str_of(name, NOTIFY_KEY_MAX - 6), buffer).len,
                 NOTIFY_KEY_MAX);
    cr_assert_eq(key_of(&names, KEY_INBOX, notify_str_of(name, NOTIFY_KEY_MAX - 5), buffer).len, 0);
    free(buffer);
}

Test(key_names, a_key_tells_its_name)
{
    struct notify_str name = {NULL, 0};

    cr_assert(key_is(&names, KEY_INBOX, NOTIFY_STR("inbox:alice"), &name));
    cr_assert(notify_str_eq(name, NOTIFY_STR("alice")));
    cr_assert(key_is(&names, KEY_TOPIC, NOTIFY_STR("{t}::log:log"), &name));
    cr_assert(notify_str_eq(name, NOTIFY_STR(":log")));
    cr_assert(key_is(&names, KEY_SESSION, NOTIFY_STR("anything"), &name));
    cr_assert(notify_str_eq(name, NOTIFY_STR("anything")));
}

Test(key_names, a_key_of_another_kind_tells_nothing)
{
    struct notify_str name = NOTIFY_STR("untouched");

    cr_assert_not(key_is(&names, KEY_INBOX, NOTIFY_STR("inbox:"), &name));
    cr_assert_not(key_is(&names, KEY_INBOX, NOTIFY_STR("inbox"), &name));
    cr_assert_not(key_is(&names, KEY_INBOX, NOTIFY_STR("Inbox:a"), &name));
    cr_assert_not(key_is(&names, KEY_INBOX, NOTIFY_STR(" inbox:a"), &name));
    cr_assert_not(key_is(&names, KEY_TOPIC, NOTIFY_STR("{t}:log"), &name));
    cr_assert_not(key_is(&names, KEY_TOPIC, NOTIFY_STR("{t}:a:lo"), &name));
    cr_assert_not(key_is(&names, KEY_SESSION, NOTIFY_STR(""), &name));
    cr_assert(notify_str_eq(name, NOTIFY_STR("untouched")));
}

Test(key_names, a_name_has_1_to_128_bytes_and_no_control_characters)
{
    static const char *const names_that_are[] = {"a",        " ",      "a b",
                                                 "\xc3\xa4", "a/b:c%", "\xf0\x9f\x98\x80"};
    static char text[KEY_NAME_MAX + 1];

    for (size_t i = 0; i < sizeof(names_that_are) / sizeof(names_that_are[0]); i++)
        cr_assert(key_name_is_valid(notify_str_z(names_that_are[i])), "%s", names_that_are[i]);
    cr_assert_not(key_name_is_valid(NOTIFY_STR("")));
    for (int c = 0; c < 0x80; c++) {
        char name[] = {'a', (char)c};
        cr_assert_eq(key_name_is_valid(notify_str_of(name, 2)), c >= ' ' && c != 0x7f, "%d", c);
    }
    memset(text, 'n', sizeof(text));
    cr_assert(key_name_is_valid(notify_str_of(text, KEY_NAME_MAX)));
    cr_assert_not(key_name_is_valid(notify_str_of(text, KEY_NAME_MAX + 1)));
}

static void check_meet(const char *a, const char *b, bool expected)
{
    cr_assert_eq(key_patterns_meet(a, b), expected, "%s, %s", a, b);
    cr_assert_eq(key_patterns_meet(b, a), expected, "%s, %s", b, a);
}

Test(key_names, patterns_meet_when_a_key_could_be_of_both)
{
    check_meet("inbox:%s", "topic:%s", false);
    check_meet("%s:inbox", "%s:topic", false);
    check_meet("a:%s:b", "a:%s:c", false);
    check_meet("a:%s:b", "b:%s:b", false);
    check_meet("a:%s", "a:%s", true);
    check_meet("a:%s", "a:x:%s", true);
    check_meet("%s:b", "%s:x:b", true);
    check_meet("a:%s", "%s:b", true);
    check_meet("%s", "a:%s:b", true);
}
