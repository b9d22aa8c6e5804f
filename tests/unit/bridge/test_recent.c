/* Recent events: what they cover, how much of them is kept, and what a read from Redis adds. */
#include <criterion/criterion.h>

#include "event_testing.h"
#include "channels/recent.h"

static struct recent recent;
static struct recent_budget budget = {.bytes_max = 1000000, .events_max = 100};
static struct batch batch; /* that was read */

static struct notify_id id(uint64_t ms)
{
    return (struct notify_id){ms, 0};
}

static void push_event(struct event *event, uint64_t before, bool awaited)
{
    cr_assert_not_null(event);
    recent_push(&recent, &budget, event, id(before), awaited);
    event_unref(event);
}

/* The entries first to last, one behind the other. */
static void push(uint64_t first, uint64_t last)
{
    for (uint64_t ms = first; ms <= last; ms++)
        push_event(entry_new(ms), ms - 1, false);
}

/* A read that begins behind from and brings the entries first to last. */
static struct recent_read read_of(uint64_t from, uint64_t first, uint64_t last)
{
    batch_clear(&batch);
    for (uint64_t ms = first; ms <= last; ms++) {
        struct event *event = entry_new(ms);
        cr_assert_eq(batch_push(&batch, event), 0);
        event_unref(event);
    }
    return (struct recent_read){
        .events = &batch, .from = id(from), .last = id(last), .sure = id(UINT64_MAX)};
}

static void extend(struct recent_read read, uint64_t end)
{
    recent_extend(&recent, &budget, &read, id(end));
}

/* Exactly the entries first to last, and counted so. */
static void check_holds(uint64_t first, uint64_t last)
{
    size_t payloads = 0;

    cr_assert_not_null(recent.events);
    cr_assert_eq(recent.events->len, last - first + 1, "%zu", recent.events->len);
    for (size_t i = 0; i < recent.events->len; i++) {
        cr_assert_eq(recent.events->events[i]->id.ms, first + i);
        payloads += recent.events->events[i]->len;
    }
    cr_assert_eq(budget.bytes, recent_cost(recent.events));
    cr_assert_geq(budget.bytes, 2 * payloads + recent.events->len * sizeof(struct event),
                  "each with its frame");
}

static void teardown(void)
{
    recent_forget(&recent, &budget);
    cr_assert_null(recent.events);
    cr_assert_eq(budget.bytes, 0, "what is kept is counted");
    batch_release(&batch);
}

TestSuite(recent, .fini = teardown);

Test(recent, empty_ones_cover_the_end_alone)
{
    cr_assert(recent_covers(&recent, id(5), id(5)));
    cr_assert_not(recent_covers(&recent, id(4), id(5)));
    cr_assert_not(recent_covers(&recent, id(6), id(5)));
}

Test(recent, they_cover_from_where_the_channel_ended_before_the_first)
{
    push(5, 7);
    cr_assert(recent_covers(&recent, id(4), id(7)));
    cr_assert(recent_covers(&recent, id(7), id(7)));
    cr_assert_not(recent_covers(&recent, id(3), id(7)));
    cr_assert_not(recent_covers(&recent, id(8), id(7)), "a position that the channel has not had");
}

Test(recent, past_the_limit_the_older_half_goes)
{
    budget.events_max = 10;
    push(1, 10);
    check_holds(1, 10);
    push(11, 11);
    check_holds(7, 11);
    cr_assert(recent_covers(&recent, id(6), id(11)));
    cr_assert_not(recent_covers(&recent, id(5), id(11)));
}

Test(recent, what_is_dropped_without_an_id_moves_no_position)
{
    budget.events_max = 3;
    push(1, 1);
    for (int i = 0; i < 3; i++)
        push_event(state_new(), 1, false);
    cr_assert_eq(recent.events->len, 1);
    cr_assert(recent_covers(&recent, id(1), id(1)));
    cr_assert_not(recent_covers(&recent, id(0), id(1)));
    push_event(state_new(), 1, false);
    push_event(state_new(), 1, false);
    push_event(state_new(), 1, false);
    cr_assert_eq(recent.from.ms, 1);
}

Test(recent, while_somebody_waits_more_are_kept)
{
    budget.events_max = 10;
    for (uint64_t ms = 1; ms <= 10 * RECENT_AWAITED_FACTOR; ms++)
        push_event(entry_new(ms), ms - 1, true);
    check_holds(1, 10 * RECENT_AWAITED_FACTOR);
    push(10 * RECENT_AWAITED_FACTOR + 1, 10 * RECENT_AWAITED_FACTOR + 1);
    check_holds(10 * RECENT_AWAITED_FACTOR - 3, 10 * RECENT_AWAITED_FACTOR + 1);
}

Test(recent, when_all_channels_together_hold_enough_nothing_is_kept)
{
    struct recent other = {0};
    struct event *event = entry_new(1);

    size_t cost;

    push(1, 1);
    cost = budget.bytes;
    budget.bytes_max = 2 * cost;
    recent_push(&other, &budget, event, id(0), false);
    push(2, 2);
    cr_assert_null(recent.events, "it would have a hole");
    cr_assert_not(recent_covers(&recent, id(1), id(2)));
    push(3, 3);
    cr_assert_eq(budget.bytes, 2 * cost);
    cr_assert_eq(recent.events->len, 1);
    recent_forget(&other, &budget);
    event_unref(event);
}

/* Each that comes back from another place is the first entry for somebody. */
static void tell_each(const struct batch *events)
{
    for (size_t i = 0; i < events->len; i++)
        cr_assert_not_null(event_with_epoch(events->events[i], 7));
}

Test(recent, what_was_made_of_events_for_some_alone_is_counted_as_they_are)
{
    size_t plain, telling;

    push(1, 20);
    plain = recent_taken(&budget);
    cr_assert_eq(plain, budget.bytes);
    tell_each(recent.events);
    telling = recent_taken(&budget) - plain;
    cr_assert(telling > plain / 2 && telling < 2 * plain, "%zu and %zu", telling, plain);
    for (size_t i = 0; i < recent.events->len; i++)
        cr_assert_not_null(event_discreet(recent.events->events[i]->telling));
    cr_assert_gt(recent_taken(&budget) - plain, telling + telling / 2);
    recent_forget(&recent, &budget);
    cr_assert_eq(recent_taken(&budget), 0);
}

Test(recent, with_what_was_made_for_some_alone_they_are_held_within_the_limit)
{
    push(1, 20);
    budget.bytes_max = 3 * budget.bytes / 2;
    recent_served(&recent, &budget);
    check_holds(1, 20);
    tell_each(recent.events);
    recent_served(&recent, &budget);
    cr_assert_null(recent.events);
    push(21, 40);
    tell_each(recent.events);
    push(41, 41);
    cr_assert_null(recent.events, "nor does it grow");
}

Test(recent, a_read_alone_is_not_kept_when_what_was_made_of_it_is_too_much)
{
    struct recent_read read = read_of(2, 3, 7);

    push(8, 10);
    budget.bytes_max = 3 * budget.bytes;
    tell_each(read.events);
    extend(read, 10);
    cr_assert_null(recent.events);
}

Test(recent, a_read_lengthens_them_backwards)
{
    push(8, 10);
    extend(read_of(2, 3, 9), 10);
    check_holds(3, 10);
    cr_assert(recent_covers(&recent, id(2), id(10)));
    cr_assert_not(recent_covers(&recent, id(1), id(10)));
}

/* Somebody else published 10, which Redis does not have; 9 came unheard. */
Test(recent, what_a_read_brings_of_what_they_hold_is_not_put_between)
{
    push(8, 8);
    push_event(entry_new(10), 8, false);
    extend(read_of(2, 3, 9), 10);
    cr_assert_eq(recent.events->len, 7);
    cr_assert_eq(recent.events->events[5]->id.ms, 8);
    cr_assert_eq(recent.events->events[6]->id.ms, 10);
}

Test(recent, a_read_does_not_lengthen_what_begins_where_nothing_is_sure)
{
    struct recent_read read = read_of(2, 3, 9);

    push(8, 10);
    read.sure = id(6);
    extend(read, 10);
    check_holds(8, 10);
    read.sure = id(7);
    extend(read, 10);
    check_holds(3, 10);
}

Test(recent, a_read_that_ends_where_they_begin_lengthens_them)
{
    push(8, 10);
    extend(read_of(2, 3, 7), 10);
    check_holds(3, 10);
}

Test(recent, a_read_that_does_not_reach_them_is_not_for_them)
{
    push(8, 10);
    extend(read_of(2, 3, 6), 10);
    check_holds(8, 10);
}

Test(recent, a_read_of_no_more_than_they_hold_changes_nothing)
{
    struct batch *before;

    push(8, 10);
    before = recent.events;
    extend(read_of(7, 8, 10), 10);
    cr_assert_eq(recent.events, before);
    extend(read_of(2, 3, 2), 10);
    cr_assert_eq(recent.events, before, "an empty one neither");
}

Test(recent, a_read_alone_must_reach_the_end)
{
    extend(read_of(2, 3, 6), 7);
    cr_assert_null(recent.events);
    extend(read_of(2, 3, 7), 7);
    check_holds(3, 7);
}

Test(recent, what_a_read_brings_from_behind_the_end_is_left_to_come_by_itself)
{
    extend(read_of(2, 3, 9), 7);
    check_holds(3, 7);
    push(8, 8);
    check_holds(3, 8);
}

Test(recent, they_begin_behind_what_is_gone)
{
    struct recent_read read = read_of(2, 5, 7);

    read.trimmed = id(4);
    extend(read, 7);
    cr_assert(recent_covers(&recent, id(4), id(7)));
    cr_assert_not(recent_covers(&recent, id(3), id(7)));
}

Test(recent, of_a_long_read_the_newest_are_kept)
{
    budget.events_max = 2;
    extend(read_of(0, 1, 20), 20);
    check_holds(20 - 2 * RECENT_AWAITED_FACTOR + 1, 20);
    cr_assert_not(recent_covers(&recent, id(20 - 2 * RECENT_AWAITED_FACTOR - 1), id(20)));
}

Test(recent, a_read_that_is_too_large_for_all_together_is_not_kept)
{
    struct recent_read read = read_of(0, 1, 20);

    budget.bytes_max = recent_cost(&batch) - 1;
    extend(read, 20);
    cr_assert_null(recent.events);
    cr_assert_eq(budget.bytes, 0);
    budget.bytes_max = recent_cost(&batch);
    extend(read, 20);
    check_holds(1, 20);
}
