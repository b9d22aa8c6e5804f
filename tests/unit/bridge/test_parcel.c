/* parcel and state: byte strings as one, both ways, and what is none. */
#include <criterion/criterion.h>
#include <string.h>

#include "socketio/parcel.h"
#include "socketio/state.h"

Test(parcel, items_of_any_bytes_come_back_as_they_were)
{
    static const char bytes[] = "\x00\x1e:12:\xff";
    struct parcel parcel = {.bytes = NULL};
    struct notify_str rest, item;
    uint64_t number;

    parcel_add(&parcel, notify_str_of(bytes, sizeof(bytes)));
    parcel_add(&parcel, NOTIFY_STR(""));
    parcel_add_number(&parcel, UINT64_C(1795208400000));
    rest = parcel_text(&parcel);
    cr_assert(parcel_next(&rest, &item) &&
              notify_str_eq(item, notify_str_of(bytes, sizeof(bytes))));
    cr_assert(parcel_next(&rest, &item) && item.len == 0);
    cr_assert(parcel_next_number(&rest, &number) && number == UINT64_C(1795208400000));
    cr_assert_not(parcel_next(&rest, &item));
    parcel_release(&parcel);
}

Test(parcel, what_is_none_is_seen_and_nothing_behind_it_is_looked_at)
{
    static const char *const wrong[] = {"",
                                        ":",
                                        "1",
                                        "1:",
                                        "2:a",
                                        "a:b",
                                        "-1:a",
                                        " 1:a",
                                        "99999999999999999999:a",
                                        "18446744073709551615:a",
                                        "18446744073709551617:a",
                                        "00000000000000000000001:a"};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct notify_str rest = notify_str_z(wrong[i]), item;
        cr_assert_not(parcel_next(&rest, &item), "%s", wrong[i]);
    }
}

Test(parcel, a_number_is_digits_alone)
{
    static const char *const wrong[] = {"0:", "1:x", "2:1x", "2:-1", "2: 1"};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct notify_str rest = notify_str_z(wrong[i]);
        uint64_t number;
        cr_assert_not(parcel_next_number(&rest, &number), "%s", wrong[i]);
    }
}

Test(session_state, comes_back_as_it_was)
{
    const struct session_state state = {NOTIFY_STR("42[1]\x1e"
                                                   "42[2]"),
                                        NOTIFY_STR("41"), NOTIFY_STR("upper")};
    struct parcel parcel = {.bytes = NULL};
    struct session_state back;

    state_write(&state, &parcel);
    cr_assert(state_read(parcel_text(&parcel), &back));
    cr_assert(notify_str_eq(back.over, state.over) && notify_str_eq(back.input, state.input) &&
              notify_str_eq(back.upper, state.upper));
    parcel_release(&parcel);
}

Test(session_state, of_another_version_or_cut_or_with_more_behind_it_is_none)
{
    static const char good[] = "1:11:a1:b1:c";
    struct session_state back;

    cr_assert(state_read(notify_str_z(good), &back));
    for (size_t len = 0; len < sizeof(good) - 1; len++)
        cr_assert_not(state_read(notify_str_of(good, len), &back), "cut at %zu", len);
    cr_assert_not(state_read(NOTIFY_STR("1:21:a1:b1:c"), &back));
    cr_assert_not(state_read(NOTIFY_STR("1:11:a1:b1:c1:d"), &back));
}
