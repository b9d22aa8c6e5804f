/* Lack of memory in what carries messages: frames, events, batches, outboxes, recent events. The
 * files are compiled into this program once more, with an allocator that fails when it is told to.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failing_testing.h"

#define malloc failing_malloc
#define calloc failing_calloc
#define realloc failing_realloc
#include "channels/batch.c"
#include "wire/event.c"
#include "clients/outbox.c"
#include "channels/recent.c"
#define append append_bytes /* a name of its own: all are one translation unit here */
#include "wire/frame.c"
#undef malloc
#undef calloc
#undef realloc

#include "event_testing.h"

Test(no_memory, an_event_that_cannot_be_held_is_none)
{
    fail_at = 1;
    cr_assert_null(entry_new(1));
    cr_assert_eq(fail_at, 0);
}

Test(no_memory, a_frame_that_cannot_be_made_is_tried_again)
{
    struct event *event = entry_new(1);

    for (int d = 0; d < DIALECT_COUNT; d++) {
        fail_at = 1;
        cr_assert_null(event_frame(event, (enum dialect)d));
        cr_assert_not_null(event_frame(event, (enum dialect)d));
    }
    event_unref(event);
}

Test(no_memory, a_batch_stays_as_it_was)
{
    struct batch batch = {0};
    struct event *event = entry_new(1);

    fail_at = 1;
    cr_assert_eq(batch_push(&batch, event), -ENOMEM);
    cr_assert_eq(batch.len, 0);
    cr_assert_eq(batch.bytes, 0);
    cr_assert_eq(event->refs, 1);
    for (int i = 0; i < 8; i++)
        cr_assert_eq(batch_push(&batch, event), 0);
    fail_at = 1;
    cr_assert_eq(batch_push(&batch, event), -ENOMEM);
    cr_assert_eq(batch.len, 8);
    cr_assert_eq(event->refs, 9);
    batch_release(&batch);
    cr_assert_eq(event->refs, 1);
    event_unref(event);
}

Test(no_memory, a_joined_frame_that_cannot_be_made_is_tried_again)
{
    struct batch batch = {0};
    int failures = 0;

    for (int i = 1; i <= 3; i++) {
        struct event *event = entry_new(i);
        cr_assert_eq(batch_push(&batch, event), 0);
        event_unref(event);
    }
    for (long n = 1; n < 100; n++) {
        fail_at = n;
        if (batch_frame(&batch, DIALECT_TOPIC) != NULL)
            break;
        failures++;
    }
    cr_assert_geq(failures, 3, "%d", failures);
    fail_at = 0;
    cr_assert_not_null(batch_frame(&batch, DIALECT_TOPIC));
    batch_release(&batch);
}

/* What is not complete must not pass for it: whoever comes back then asks Redis. */
Test(no_memory, recent_events_that_cannot_be_kept_are_all_forgotten)
{
    struct recent_budget budget = {.bytes_max = 100000, .events_max = 100};
    struct recent recent = {0};
    struct event *event = entry_new(1);

    for (long n = 1; n <= 2; n++) {
        fail_at = n;
        recent_push(&recent, &budget, event, (struct notify_id){0, 0}, false);
        cr_assert_null(recent.events);
        cr_assert_eq(budget.bytes, 0);
    }
    for (int i = 0; i < 8; i++)
        recent_push(&recent, &budget, event, (struct notify_id){0, 0}, false);
    fail_at = 1;
    recent_push(&recent, &budget, event, (struct notify_id){1, 0}, false);
    cr_assert_null(recent.events);
    cr_assert_eq(budget.bytes, 0);
    cr_assert_eq(event->refs, 1);
    event_unref(event);
}

Test(no_memory, recent_events_stay_as_they_were_when_a_read_cannot_be_added)
{
    struct recent_budget budget = {.bytes_max = 100000, .events_max = 100};
    struct recent recent = {0};
    struct batch batch = {0};
    struct event *event = entry_new(20);
    struct batch *before;
    int failures = 0;

    recent_push(&recent, &budget, event, (struct notify_id){19, 0}, false);
    event_unref(event);
    for (uint64_t ms = 1; ms <= 19; ms++) {
        event = entry_new(ms);
        cr_assert_eq(batch_push(&batch, event), 0);
        event_unref(event);
    }
    before = recent.events;
    for (fail_at = 1; fail_at < 100; fail_at = failures + 1) {
        const struct recent_read read = {.events = &batch, .last = {19, 0}, .sure = {19, 0}};
        recent_extend(&recent, &budget, &read, (struct notify_id){20, 0});
        if (recent.events != before)
            break;
        cr_assert_eq(recent.from.ms, 19);
        failures++;
    }
    cr_assert_geq(failures, 3, "%d", failures);
    cr_assert_eq(recent.events->len, 20);
    fail_at = 0;
    recent_forget(&recent, &budget);
    batch_release(&batch);
}

Test(no_memory, an_outbox_stays_as_it_was)
{
    struct outbox outbox = {0};
    struct notify_str part = NOTIFY_STR("{}");
    struct frame *frame = frame_new_ws(1, &part);
    const struct outbox_item item = {.frame = frame};

    fail_at = 1;
    cr_assert_eq(outbox_push_item(&outbox, &item), -ENOMEM);
    fail_at = 1;
    cr_assert_eq(outbox_push_first(&outbox, frame), -ENOMEM);
    cr_assert(outbox_is_empty(&outbox) && outbox.items == NULL && outbox.bytes == 0);
    for (int i = 0; i < FIRST_ITEMS; i++)
        cr_assert_eq(outbox_push_item(&outbox, &item), 0);
    fail_at = 1;
    cr_assert_eq(outbox_push_item(&outbox, &item), -ENOMEM);
    fail_at = 1;
    cr_assert_eq(outbox_push_first(&outbox, frame), -ENOMEM);
    cr_assert_eq(outbox.len, FIRST_ITEMS);
    cr_assert_eq(outbox.bytes, FIRST_ITEMS * (frame->len + OUTBOX_ITEM_BYTES));
    cr_assert_eq(frame->refs, FIRST_ITEMS + 1);
    outbox_release(&outbox);
    cr_assert_eq(frame->refs, 1);
    frame_unref(frame);
}
