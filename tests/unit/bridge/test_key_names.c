/* Keys of users, topics and sessions. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "identity/key_names.h"

static const struct key_names names = {
    .patterns = {[KEY_INBOX] = "inbox:%s", [KEY_TOPIC] = "{t}:%s:log", [KEY_SESSION] = "%s"}};

Test(key_names, a_pattern_has_one_place_for_the_name)
{
    static const char *const good[] = {"%s",  "inbox:%s", "%s:inbox",      "a%sb",
                                       "s%s", "{%h64}%s", "i:{%h64}:%s:x", "a}b{%h64}{%s"};
    static const char *const bad[] = {"",
                                      "inbox",
                                      "%",
                                      "%d",
                                      "%%s",
                                      "%s%s",
                                      "%s%",
                                      "%S",
                                      "a%",
                                      "% s",
                                      "{%h64}",
                                      "%h64:%s",
                                      "{%h64%s}",
                                      "{x%h64}%s",
                                      "{a}{%h64}%s",
                                      "%s{%h64}",
                                      "{%h64}{%h64}%s",
                                      "{%h65}%s",
                                      "{%h64}%",
                                      "{%h64",
                                      "{%h64}%s%s",
                                      "{}{%h64}%s",
                                      "{%h}%s",
                                      "{%h64}%h64"};

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

/* The numbers are what zlib.crc32(name) % 64 is in Python. */
static const struct {
    struct notify_str name, key;
} parted[] = {{NOTIFY_STR_INIT("alice"), NOTIFY_STR_INIT("inbox:{07}:alice")},
              {NOTIFY_STR_INIT("bob"), NOTIFY_STR_INIT("inbox:{00}:bob")},
              {NOTIFY_STR_INIT("M\xc3\xbcnchen"), NOTIFY_STR_INIT("inbox:{41}:M\xc3\xbcnchen")},
              {NOTIFY_STR_INIT("%s"), NOTIFY_STR_INIT("inbox:{30}:%s")},
              {NOTIFY_STR_INIT("u4"), NOTIFY_STR_INIT("inbox:{57}:u4")}};
static const struct key_names parts = {
    .patterns = {[KEY_INBOX] = "inbox:{%h64}:%s", [KEY_TOPIC] = "{%h64}t%s:log"}};

Test(key_names, the_number_of_a_part_follows_from_the_name)
{
    struct key_buffer buffer;
    struct notify_str name;

    for (size_t i = 0; i < sizeof(parted) / sizeof(parted[0]); i++) {
        cr_assert(notify_str_eq(key_of(&parts, KEY_INBOX, parted[i].name, &buffer), parted[i].key),
                  "%s", parted[i].key.ptr);
        cr_assert(key_is(&parts, KEY_INBOX, parted[i].key, &name), "%s", parted[i].key.ptr);
        cr_assert(notify_str_eq(name, parted[i].name));
    }
    cr_assert(notify_str_eq(key_of(&parts, KEY_TOPIC, NOTIFY_STR("7"), &buffer),
                            NOTIFY_STR("{02}t7:log")));
}

Test(key_names, a_key_with_the_number_of_another_name_is_nobodys)
{
    static const char *const others[] = {
        "inbox:{08}:alice",  "inbox:{7}:alice", "inbox:{007}:alice", "inbox:{ 7}:alice",
        "inbox:{71}:alice",  "inbox::alice",    "inbox:{}:alice",    "inbox:alice",
        "inbox:{07}:",       "inbox:{07}alice", "inbox:{07}:alicf",  "inbox:{07",
        "inbox:{%h64}:alice"};
    struct notify_str name = NOTIFY_STR("untouched");

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        cr_assert_not(key_is(&parts, KEY_INBOX, notify_str_z(others[i]), &name), "%s", others[i]);
    cr_assert_not(key_is(&parts, KEY_TOPIC, NOTIFY_STR("{02}t7:lo"), &name));
    cr_assert_not(key_is(&parts, KEY_TOPIC, NOTIFY_STR("{02}t:log"), &name));
    cr_assert(notify_str_eq(name, NOTIFY_STR("untouched")));
}

Test(key_names, a_key_with_a_number_has_the_same_longest_length)
{
    static char name[NOTIFY_KEY_MAX];
    struct key_buffer *buffer = malloc(sizeof(*buffer)); /* so that a sanitizer sees its end */

    memset(name, 'n', sizeof(name));
    cr_assert_eq(key_of(&parts, KEY_INBOX, notify_str_of(name, NOTIFY_KEY_MAX - 11), buffer).len,
                 NOTIFY_KEY_MAX);
    cr_assert_eq(key_of(&parts, KEY_INBOX, notify_str_of(name, NOTIFY_KEY_MAX - 10), buffer).len,
                 0);
    free(buffer);
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
    check_meet("{%h64}:inbox:%s", "{%h64}:topic:%s", false);
    check_meet("inbox:{%h64}:%s", "topic:{%h64}:%s", false);
    check_meet("i:{%h64}:%s", "i:{x}:%s", false);
    check_meet("i:{%h64}:%s", "i:{%h64}:x%s", true);
    check_meet("i:{%h64}:%s", "i:{12}:%s", true);
    check_meet("i:{%h64}:%s", "i:%s", true);
    check_meet("{%h64}:%s:a", "{%h64}:%s:b", false);
}
