/* Lack of memory while a channel hands on what it hears: what is to be said of the epoch stays to
 * be said, and nothing is taken over from a message that was not handed on. The files are compiled
 * into this program once more, with an allocator that fails when it is told to. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failing_testing.h"

#define calloc failing_calloc
#define realloc failing_realloc
#include "channels/batch.c"
#include "channels/channel.c"
#include "wire/event.c"
#undef calloc
#undef realloc

#include "loop_testing.h"

struct subscription {
    int unused;
};

struct notify_str subscription_channel(const struct subscription *sub)
{
    (void)sub;
    return NOTIFY_STR("k");
}

static int questions;

int catchup_ask(struct catchup *catchup, struct notify_str key, const struct notify_id *from,
                uint64_t rev, uint32_t epoch, void *owner)
{
    (void)catchup, (void)key, (void)from, (void)rev, (void)epoch, (void)owner;
    questions++;
    return 0;
}

static uint32_t told; /* by the last entry that came */

static void deliver(struct follow *follow, struct batch *batch, struct notify_id newest)
{
    follow->pos = newest;
    told = batch->events[batch->len - 1]->epoch;
}

static void ignore(const struct follow *follow)
{
    (void)follow;
}

static void on_live(struct follow *follow)
{
    (void)follow;
}

static const struct follow_handlers handlers = {
    .deliver = deliver, .look_ahead = ignore, .look_ahead_more = ignore, .on_live = on_live};
static struct channel_shared shared;
static struct channel *channel;
static struct follow follow;

/* Live at 1-0, with somebody who follows. */
static void setup(void)
{
    log_setup(LOG_ERROR, LOG_LOGFMT);
    fail_at = 0;
    shared = (struct channel_shared){.handlers = &handlers,
                                     .loop = LOOP_TESTING,
                                     .stash_bytes_max = 10000,
                                     .ahead_bytes_max = 10000};
    TAILQ_INIT(&shared.dirty);
    channel = channel_new(&shared);
    channel->state = CHANNEL_LIVE;
    channel->known = true;
    channel->last = (struct notify_id){1, 0};
    channel->rev = channel->sure_rev = 1;
    channel->epoch = 7;
    follow = (struct follow){.from_now = true};
    cr_assert_eq(channel_add(channel, &follow), 0);
    cr_assert_eq(follow.state, FOLLOW_LIVE);
}

static void teardown(void)
{
    channel_remove(channel, &follow);
    channel_free(channel);
}

TestSuite(channel_no_memory, .init = setup, .fini = teardown);

static struct event *entry_of(int ms, const char *says)
{
    char text[200];

    (void)snprintf(text, sizeof(text),
                   "{\"type\":\"t\",\"key\":\"k\",\"id\":\"%d-0\",\"prev\":\"%d-0\",%s\"rev\":%d,"
                   "\"data\":{}}",
                   ms, ms - 1, says, ms);
    return event_decode(notify_str_z(text));
}

static struct event *next_entry(const char *says)
{
    return entry_of(2, says);
}

Test(channel_no_memory, an_epoch_that_is_still_to_be_said_is_said_by_the_entry_that_comes_at_last)
{
    struct event *event = next_entry("");
    int failures = 0;

    channel->untold = true;
    for (fail_at = 1; !channel_accept(channel, event); fail_at = failures + 1) {
        failures++;
        cr_assert(channel->untold, "after failure %d", failures);
        cr_assert_eq(channel->last.ms, 1);
    }
    fail_at = 0;
    cr_assert_geq(failures, 2, "%d", failures);
    cr_assert_not(channel->untold);
    channel_flush(channel);
    cr_assert_eq(told, 7);
    event_unref(event);
}

/* The entry is read then, and what is read says none. */
Test(channel_no_memory, an_epoch_of_a_message_that_was_not_handed_on_is_none_of_the_channels)
{
    struct event *event = next_entry("\"epoch\":8,");

    fail_at = 1;
    take(channel, event);
    cr_assert_eq(fail_at, 0);
    cr_assert_eq(channel->last.ms, 1);
    cr_assert_eq(channel->epoch, 7);
    take(channel, event);
    cr_assert_eq(channel->epoch, 8);
    channel_flush(channel);
    cr_assert_eq(told, 8);
    event_unref(event);
}

/* It was served further than the channel has come. */
Test(channel_no_memory, who_stands_ahead_lacks_nothing_of_what_is_handed_on)
{
    follow.pos = (struct notify_id){2, 0};
    for (int ms = 2; ms <= 3; ms++) {
        struct event *event = entry_of(ms, "");
        take(channel, event);
        event_unref(event);
    }
    fail_at = 1;
    channel_flush(channel);
    cr_assert_eq(follow.pos.ms, 3);
}
