/* Lists of events, and what is found in them. */
#include <criterion/criterion.h>

#include "channels/batch.h"
#include "event_testing.h"
#include "filter_testing.h"
#include "wire/frame.h"

static struct batch batch;

static void push(struct event *event)
{
    cr_assert_not_null(event);
    cr_assert_eq(batch_push(&batch, event), 0);
    event_unref(event);
}

static void teardown(void)
{
    batch_release(&batch);
    cr_assert_null(batch.events);
}

TestSuite(batch, .fini = teardown);

Test(batch, after_is_behind_the_last_entry_that_is_not_newer)
{
    push(state_new());
    push(entry_new(5));
    push(state_new());
    push(entry_new(8));
    push(state_new());
    cr_assert_eq(batch_after(&batch, (struct notify_id){4, 9}), 0);
    cr_assert_eq(batch_after(&batch, (struct notify_id){5, 0}), 2);
    cr_assert_eq(batch_after(&batch, (struct notify_id){7, 9}), 2);
    cr_assert_eq(batch_after(&batch, (struct notify_id){8, 0}), 4);
    cr_assert_eq(batch_after(&batch, (struct notify_id){99, 0}), 4);
}

Test(batch, has_the_entries_that_were_put_in_and_no_others)
{
    cr_assert_not(batch_has(&batch, (struct notify_id){5, 0}));
    push(state_new());
    push(entry_new(5));
    push(entry_new(8));
    push(state_new());
    for (uint64_t ms = 0; ms < 10; ms++)
        cr_assert_eq(batch_has(&batch, (struct notify_id){ms, 0}), ms == 5 || ms == 8);
}

Test(batch, nothing_is_after_anything_in_an_empty_one)
{
    cr_assert_eq(batch_after(&batch, (struct notify_id){0, 0}), 0);
    cr_assert(notify_id_is_zero(batch_last_id(&batch)));
}

Test(batch, the_last_id_is_that_of_the_last_entry)
{
    push(state_new());
    cr_assert(notify_id_is_zero(batch_last_id(&batch)));
    push(entry_new(5));
    push(entry_new(6));
    push(state_new());
    cr_assert_eq(batch_last_id(&batch).ms, 6);
}

Test(batch, dropping_keeps_the_rest_and_its_size)
{
    size_t bytes = 0;

    for (uint64_t ms = 1; ms <= 20; ms++)
        push(entry_new(ms));
    batch_drop_first(&batch, 13);
    cr_assert_eq(batch.len, 7);
    for (size_t i = 0; i < batch.len; i++) {
        cr_assert_eq(batch.events[i]->id.ms, 14 + i);
        bytes += batch.events[i]->len;
    }
    cr_assert_eq(batch.bytes, bytes);
    batch_drop_first(&batch, 0);
    cr_assert_eq(batch.len, 7);
    batch_clear(&batch);
    cr_assert_eq(batch.len, 0);
    cr_assert_eq(batch.bytes, 0);
}

Test(batch, the_first_event_makes_one_that_is_appended_to)
{
    struct batch *made = NULL;

    for (uint64_t ms = 1; ms <= 2; ms++) {
        struct event *event = entry_new(ms);
        cr_assert_eq(batch_append(&made, event), 0);
        event_unref(event);
    }
    cr_assert_eq(made->len, 2);
    cr_assert_eq(batch_last_id(made).ms, 2);
    cr_assert_null(batch_free(made));
    cr_assert_null(batch_free(NULL));
}

Test(batch, the_frame_of_one_event_is_the_events_own)
{
    struct event *event = entry_new(3);

    cr_assert_eq(batch_push(&batch, event), 0);
    for (int d = 0; d < DIALECT_COUNT; d++)
        cr_assert_eq(batch_frame(&batch, (enum dialect)d), event_frame(event, (enum dialect)d));
    event_unref(event);
}

Test(batch, the_frame_of_many_is_theirs_one_behind_the_other)
{
    for (int d = 0; d < DIALECT_COUNT; d++) {
        size_t at = 0;
        struct frame *frame;
        batch_clear(&batch);
        push(entry_new(3));
        push(state_new());
        push(entry_new(4));
        frame = batch_frame(&batch, (enum dialect)d);
        for (size_t i = 0; i < batch.len; i++) {
            struct frame *one = event_frame(batch.events[i], (enum dialect)d);
            cr_assert_leq(at + one->len, frame->len);
            cr_assert_arr_eq(frame->data + at, one->data, one->len);
            at += one->len;
        }
        cr_assert_eq(at, frame->len);
        cr_assert_eq(batch_frame(&batch, (enum dialect)d), frame, "made once");
    }
}

static void push_of_category(int ms, const char *says, const char *category)
{
    char text[200];

    (void)snprintf(text, sizeof(text),
                   "{\"type\":\"t\",\"key\":\"k\",\"id\":\"%d-0\",\"prev\":\"1-0\",%s\"rev\":2,"
                   "\"category\":\"%s\",\"data\":{}}",
                   ms, says, category);
    push(event_decode(notify_str_z(text)));
}

Test(batch, the_epoch_that_a_filter_holds_back_is_said_by_what_comes_next)
{
    static struct filter_testing only; /* the batch keeps it */
    const struct batch *chosen;

    only = filter_testing_of(NOTIFY_STR("yes"));
    push_of_category(2, "\"epoch\":7,", "no");
    push_of_category(3, "", "no");
    push(state_new());
    push_of_category(4, "", "yes");
    push_of_category(5, "", "yes");
    chosen = batch_for(&batch, &only.filter);
    cr_assert_eq(chosen->len, 3);
    cr_assert_eq(chosen->events[1]->epoch, 7);
    cr_assert_eq(chosen->events[2]->epoch, 0);
    cr_assert_eq(chosen->epoch, batch.epoch);
    push_of_category(6, "\"epoch\":8,", "no");
    chosen = batch_for(&batch, &only.filter);
    cr_assert_eq(batch.epoch, 8);
    cr_assert_eq(chosen->epoch, 7, "the last one is still to be said");
}

Test(batch, a_change_makes_the_joined_frame_anew)
{
    size_t before;

    push(entry_new(3));
    push(entry_new(4));
    before = batch_frame(&batch, DIALECT_CANONICAL)->len;
    push(entry_new(5));
    cr_assert_gt(batch_frame(&batch, DIALECT_CANONICAL)->len, before);
    batch_drop_first(&batch, 1);
    cr_assert_eq(batch_frame(&batch, DIALECT_CANONICAL)->len, before);
}

/* Filters. They outlive the batch, which is let go behind the test. */

static struct filter_testing a, none, filters[BATCH_CHOICES_MAX + 3];

static void push_text(const char *category)
{
    char text[200];

    (void)snprintf(
        text, sizeof(text),
        "{\"type\":\"t\",\"key\":\"k\",\"id\":\"%zu-0\",\"prev\":\"0-0\"%s%s,\"data\":{}}",
        batch.len + 1, category[0] == '\0' ? "" : ",\"category\":", category);
    push(event_decode(notify_str_z(text)));
}

Test(batch, a_filter_passes_what_is_of_its_categories_and_changes_of_state)
{
    static const char *const others[] = {"", "\"a\"", "7", "null", "\"\"", "\"\\ud800\""};
    struct batch *chosen;

    a = filter_testing_of(NOTIFY_STR("a\"b"));
    push_text("\"a\\\"b\"");
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        push_text(others[i]);
    push(state_new());
    push_text("\"\\u0061\\\"b\"");
    chosen = batch_for(&batch, &a.filter);
    cr_assert_eq(chosen->len, 3);
    cr_assert_eq(chosen->events[0], event_discreet(batch.events[0]));
    cr_assert_eq(chosen->events[1]->kind, EVENT_STATE);
    cr_assert_eq(chosen->events[2], event_discreet(batch.events[batch.len - 1]));
}

Test(batch, who_was_sent_all_of_a_choice_counts_for_each_event_of_it_also_when_it_has_been_given_up)
{
    struct reach reach;

    push_text("\"0\"");
    push_text("\"a\"");
    for (size_t i = 0; i < BATCH_CHOICES_MAX + 3; i++) {
        filters[i] = filter_testing_of(NOTIFY_STR("a"));
        batch_for(&batch, &filters[i].filter)->reach.of[REACH_DELIVERED] += 2;
    }
    batch.reach.of[REACH_DELIVERED] = 5;
    batch.events[0]->reach.of[REACH_WAITING] = 1;
    batch_settle(&batch);
    batch_settle(&batch); /* counts nothing twice */
    reach = event_reach(batch.events[0]);
    cr_assert_eq(reach.of[REACH_DELIVERED], 5);
    cr_assert_eq(reach.of[REACH_WAITING], 1);
    reach = event_reach(batch.events[1]);
    cr_assert_eq(reach.of[REACH_DELIVERED], 5 + 2 * (BATCH_CHOICES_MAX + 3));
}

Test(batch, what_has_no_category_is_asked_for_by_an_empty_name)
{
    none = filter_testing_of((struct notify_str){NULL, 0});
    push_text("");
    push_text("\"a\"");
    push_text("\"\"");
    cr_assert_eq(batch_for(&batch, &none.filter)->len, 1);
}

Test(batch, those_with_one_filter_share_its_frames)
{
    struct batch *chosen;
    unsigned asked;

    a = filter_testing_of(NOTIFY_STR("a"));
    push_text("\"a\"");
    push_text("\"b\"");
    push_text("\"a\"");
    chosen = batch_for(&batch, &a.filter);
    asked = a.asked;
    cr_assert_eq(batch_for(&batch, &a.filter), chosen);
    cr_assert_eq(a.asked, asked, "asked once for each event");
    for (int d = 0; d < DIALECT_COUNT; d++)
        cr_assert_eq(batch_frame(batch_for(&batch, &a.filter), (enum dialect)d),
                     batch_frame(chosen, (enum dialect)d));
}

Test(batch, filters_that_pass_the_same_share_the_frames_of_each_event)
{
    a = filter_testing_of(NOTIFY_STR("a"));
    none = filter_testing_of(NOTIFY_STR("a"));
    push_text("\"a\"");
    cr_assert_eq(batch_frame(batch_for(&batch, &a.filter), DIALECT_TOPIC),
                 batch_frame(batch_for(&batch, &none.filter), DIALECT_TOPIC));
}

Test(batch, without_counts_of_logs_it_is_the_same_but_for_those)
{
    struct batch *uncounted;

    push_text("\"a\"");
    cr_assert_eq(batch_uncounted(&batch), &batch, "it has none");
    push(event_decode(NOTIFY_STR("{\"type\":\"read\",\"key\":\"k\",\"rev\":1,\"unread\":0,"
                                 "\"log\":\"l\",\"log_unread\":3}")));
    uncounted = batch_uncounted(&batch);
    cr_assert_eq(uncounted->len, 2);
    cr_assert_eq(uncounted->events[0], batch.events[0]);
    cr_assert_eq(uncounted->events[1], event_uncounted(batch.events[1]));
    cr_assert_eq(batch_uncounted(&batch), uncounted);
    push_text("\"a\"");
    cr_assert_eq(batch_uncounted(&batch)->len, 3, "made anew after a change");
}

static struct event *read_new(void)
{
    return event_decode(
        NOTIFY_STR("{\"type\":\"read\",\"key\":\"k\",\"epoch\":6,\"rev\":1,\"unread\":0}"));
}

Test(batch, to_who_polls_entries_say_the_epoch_and_nothing_else_does)
{
    struct batch *placed;

    push(state_new());
    cr_assert_eq(batch_placed(&batch, 7), &batch, "there is nothing to say");
    push(entry_new(1));
    cr_assert_eq(batch_placed(&batch, 0), &batch, "none is known");
    push(read_new());
    placed = batch_placed(&batch, 7);
    cr_assert_eq(placed->len, 3);
    cr_assert_eq(placed->events[0], batch.events[0]);
    cr_assert_eq(placed->events[1]->epoch, 7);
    cr_assert_eq(placed->events[2]->epoch, 0);
    cr_assert_eq(batch_placed(&batch, 7), placed);
    cr_assert_eq(batch_placed(&batch, 8)->events[1]->epoch, 8);
    push(entry_new(2));
    cr_assert_eq(batch_placed(&batch, 8)->len, 4, "made anew after a change");
}

Test(batch, who_polls_is_counted_whatever_was_chosen_for_him)
{
    a = filter_testing_of(NOTIFY_STR("a"));
    push_text("\"a\"");
    batch_placed(&batch, 7)->reach.of[REACH_DELIVERED] += 1;
    batch_placed(&batch, 8)->reach.of[REACH_DELIVERED] += 2;
    batch_placed(batch_for(&batch, &a.filter), 8)->reach.of[REACH_DELIVERED] += 4;
    batch_settle(&batch);
    cr_assert_eq(event_reach(batch.events[0]).of[REACH_DELIVERED], 7);
}

Test(batch, of_what_no_filter_passes_nothing_is_left)
{
    a = filter_testing_of(NOTIFY_STR("a"));
    push_text("\"b\"");
    cr_assert_eq(batch_for(&batch, &a.filter)->len, 0);
    cr_assert_eq(batch.len, 1);
}

Test(batch, a_change_is_chosen_from_anew)
{
    a = filter_testing_of(NOTIFY_STR("a"));
    push_text("\"a\"");
    push_text("\"b\"");
    cr_assert_eq(batch_for(&batch, &a.filter)->len, 1);
    push_text("\"a\"");
    cr_assert_eq(batch_for(&batch, &a.filter)->len, 2);
    batch_drop_first(&batch, 1);
    cr_assert_eq(batch_for(&batch, &a.filter)->len, 1);
}

Test(batch, more_filters_than_are_kept_get_what_is_theirs_and_are_let_go)
{
    size_t n = sizeof(filters) / sizeof(filters[0]);

    push_text("\"a\"");
    push_text("\"b\"");
    for (size_t i = 0; i < n; i++)
        filters[i] = filter_testing_of(i % 2 == 0 ? NOTIFY_STR("a") : NOTIFY_STR("b"));
    for (size_t round = 0; round < 3; round++)
        for (size_t i = 0; i < n; i++) {
            struct batch *chosen = batch_for(&batch, &filters[i].filter);
            cr_assert_eq(chosen->len, 1);
            cr_assert_eq(chosen->events[0], event_discreet(batch.events[i % 2]));
        }
    batch_clear(&batch);
    for (size_t i = 0; i < n; i++)
        cr_assert_eq(filters[i].filter.refs, 1);
}

/* Compression. */

static void push_long(void)
{
    char text[1200];
    int len = snprintf(text, sizeof(text),
                       "{\"type\":\"t\",\"key\":\"k\",\"data\":{\"a\":\"%0*d\"}}", 1000, 7);

    push(event_decode(notify_str_of(text, (size_t)len)));
}

Test(batch, compressed_messages_stand_among_short_ones_and_are_made_once)
{
    const struct frame *joined, *middle;
    size_t len;

    push(entry_new(1));
    push_long();
    push(entry_new(2));
    joined = batch_deflated(&batch, DIALECT_CANONICAL);
    cr_assert_eq(batch_deflated(&batch, DIALECT_CANONICAL), joined);
    cr_assert_lt(joined->len, batch_frame(&batch, DIALECT_CANONICAL)->len);
    len = event_frame(batch.events[0], DIALECT_CANONICAL)->len;
    middle = frame_deflated(event_frame(batch.events[1], DIALECT_CANONICAL));
    cr_assert_eq(joined->len,
                 len + middle->len + event_frame(batch.events[2], DIALECT_CANONICAL)->len);
    cr_assert_eq((uint8_t)joined->data[0], 0x81);
    cr_assert_eq((uint8_t)joined->data[len], 0xC1);
    cr_assert_eq((uint8_t)joined->data[len + middle->len], 0x81);
    cr_assert_eq(memcmp(joined->data + len, middle->data, middle->len), 0);
    push(entry_new(3)); /* and anew when it has changed */
    cr_assert_gt(batch_deflated(&batch, DIALECT_CANONICAL)->len, len + middle->len + len);
}

Test(batch, a_single_message_is_shared_with_all_that_hold_it)
{
    push_long();
    cr_assert_eq(batch_deflated(&batch, DIALECT_CANONICAL),
                 frame_deflated(event_frame(batch.events[0], DIALECT_CANONICAL)));
}
