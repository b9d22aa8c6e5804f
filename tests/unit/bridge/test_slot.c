#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

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

#define TAGS 64

/* How many of the tags' slots are in each share of those that the primary has. */
static void count_tags(unsigned primary, unsigned primaries, unsigned shares, unsigned ret[4])
{
    char tag[3];

    memset(ret, 0, 4 * sizeof(ret[0]));
    for (unsigned n = 0; n < TAGS; n++) {
        unsigned slot;
        (void)snprintf(tag, sizeof(tag), "%02u", n);
        slot = slot_of_key(notify_str_z(tag));
        if (slot * primaries / SLOTS == primary)
            ret[slot_share(slot, shares)]++;
    }
}

Test(slot, the_64_tags_of_patterns_are_shared_out_evenly_whatever_the_number_of_primaries)
{
    unsigned counts[4], all;

    for (unsigned primaries = 1; primaries <= 8; primaries++)
        for (unsigned primary = 0; primary < primaries; primary++)
            for (unsigned shares = 1; shares <= 4; shares++) {
                count_tags(primary, primaries, shares, counts);
                all = counts[0] + counts[1] + counts[2] + counts[3];
                for (unsigned i = 0; i < shares; i++)
                    cr_expect_leq(counts[i], (all + shares - 1) / shares + 2,
                                  "share %u of %u at primary %u of %u has %u of %u", i, shares,
                                  primary, primaries, counts[i], all);
            }
}

Test(slot, all_slots_of_a_primary_are_shared_out_evenly)
{
    for (unsigned shares = 2; shares <= 4; shares++)
        for (unsigned first = 0; first < SLOTS; first += SLOTS / 16) {
            unsigned counts[4] = {0};
            for (unsigned slot = first; slot < first + SLOTS / 16; slot++)
                counts[slot_share(slot, shares)]++;
            for (unsigned i = 0; i < shares; i++)
                cr_expect(counts[i] * shares > SLOTS / 16 * 9 / 10 &&
                              counts[i] * shares < SLOTS / 16 * 11 / 10,
                          "%u of %u has %u", i, shares, counts[i]);
        }
}
