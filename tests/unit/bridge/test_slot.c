#include <criterion/criterion.h>

#include "redis/slot.h"

/* What CLUSTER KEYSLOT says of them. */
Test(slot, is_what_redis_says)
{
    static const struct {
        const char *key;
        unsigned slot;
    } known[] = {{"foo", 12182},     {"inbox:42", 10188}, {"inbox:{42}", 8000},
                 {"a{}{42}", 14459}, {"a{{42}}b", 14265}, {"123456789", 12739},
                 {"{42}", 8000},     {"x{42}y{7}", 8000}, {"", 0}};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        cr_expect_eq(slot_of_key(notify_str_z(known[i].key)), known[i].slot, "%s", known[i].key);
}

Test(slot, braces_that_are_not_closed_or_hold_nothing_count_as_they_are)
{
    cr_assert_neq(slot_of_key(NOTIFY_STR("a{42")), slot_of_key(NOTIFY_STR("42")));
    cr_assert_neq(slot_of_key(NOTIFY_STR("a{}42")), slot_of_key(NOTIFY_STR("")));
    cr_assert_eq(slot_of_key(notify_str_of("{42}", 3)), slot_of_key(NOTIFY_STR("{42")));
}
