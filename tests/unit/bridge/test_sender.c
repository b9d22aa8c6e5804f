/* sender: what is told of a connection that ends while something is on its way to it. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/counters.h"
#include "channels/batch.h"
#include "channels/channel.h"
#include "channels/follow.h"
#include "clients/sender.h"
#include "conn_testing.h"
#include "link_testing.h"
#include "loop_testing.h"
#include "wire/event.h"
#include "wire/text.h"

static struct conn conn;
static struct senders senders = {
    .loop = LOOP_TESTING, .outbox_bytes = 100000, .slow_timeout_ms = 20000};
static struct sender sender;
static struct channel channel;
static struct follow follow = {.channel = &channel};

static void begin(void)
{
    cr_assert_eq(senders_init(&senders), 0);
    sender = (struct sender){.conn = &conn, .shared = &senders, .state = SENDER_READY};
}

static void end(void)
{
    sender_on_closed(&sender);
    senders_release(&senders);
    conn_testing_release(&conn);
}

TestSuite(sender, .init = begin, .fini = end);

static const char entry[] =
    "{\"type\":\"t\",\"key\":\"k\",\"id\":\"7-0\",\"prev\":\"0-0\",\"data\":{}}";
static const char passing[] = "{\"type\":\"t\",\"key\":\"k\",\"data\":{}}";

static struct event *event_of(const char *text)
{
    struct event *event = event_decode(notify_str_z(text));

    cr_assert_not_null(event);
    return event;
}

static void enqueue(const char *text)
{
    struct event *event = event_of(text);

    cr_assert(sender_enqueue(&sender, &follow, event));
    event_unref(event);
}

static void answer(void)
{
    struct text text = {.len = 0};

    text_add(&text, NOTIFY_STR("{\"type\":\"pong\"}"));
    sender_send(&sender, &text);
}

/* Everything that waits goes out; at once: by a connection that has ended. */
static void drain(bool ended)
{
    conn.busy = false;
    conn.close_code = ended ? CONN_CLOSE_ABNORMAL : 0;
    sender_drain(&sender);
    cr_assert_eq(sender.outbox.len, 0);
    cr_assert_eq(sender.broken, ended);
}

static uint64_t delivered(void)
{
    return counter_values[COUNTER_EVENTS_DELIVERED];
}

Test(sender, only_entries_are_cut_off_whichever_way_they_went)
{
    static const struct {
        const char *text;
        bool cut;
    } cases[] = {{entry, true}, {passing, false}};

    for (size_t i = 0; i < 2; i++)
        for (int queued = 0; queued < 2; queued++) {
            struct batch batch = {0};
            struct event *event = event_of(cases[i].text);
            sender.cut = sender.broken = false;
            conn.busy = queued != 0;
            conn.close_code = CONN_CLOSE_ABNORMAL;
            cr_assert_eq(batch_push(&batch, event), 0);
            if (!sender_deliver(&sender, &follow, &batch))
                enqueue(cases[i].text);
            drain(true);
            cr_assert_eq(sender.cut, cases[i].cut, "%s, queued: %d", cases[i].text, queued);
            batch_release(&batch);
            event_unref(event);
        }
}

Test(sender, an_answer_that_is_cut_off_is_no_entry)
{
    conn.busy = true;
    answer();
    drain(true);
    cr_assert_not(sender.cut);
}

Test(sender, of_a_batch_it_is_counted_what_the_connection_has_taken)
{
    struct batch batch = {0};
    struct event *event = event_of(entry);

    cr_assert_eq(batch_push(&batch, event), 0);
    cr_assert(sender_deliver(&sender, &follow, &batch));
    cr_assert_eq(delivered(), 1);
    conn.close_code = CONN_CLOSE_ABNORMAL;
    cr_assert(sender_deliver(&sender, &follow, &batch));
    cr_assert_eq(delivered(), 1);
    cr_assert_eq(batch.reach.of[REACH_DELIVERED], 1);
    cr_assert_eq(batch.reach.of[REACH_ENDED], 1);
    batch_release(&batch);
    event_unref(event);
}

Test(sender, of_a_queue_events_are_counted_when_they_go_out_and_answers_are_not)
{
    conn.busy = true;
    enqueue(entry);
    answer();
    enqueue(passing);
    cr_assert_eq(delivered(), 0);
    drain(false);
    cr_assert_eq(delivered(), 2);
    conn.busy = true;
    enqueue(entry);
    drain(true);
    cr_assert_eq(delivered(), 2);
}

/* Compression. */

static const char long_entry[] = "{\"type\":\"t\",\"key\":\"k\",\"id\":\"8-0\",\"prev\":\"7-0\","
                                 "\"data\":{\"a\":\"aaaaaaaaaaaaaaaaaaaa"
                                 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                                 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                                 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                                 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                                 "\"}}";

static void deliver(const char *text)
{
    struct batch batch = {.len = 0};
    struct event *event = event_of(text);

    cr_assert_eq(batch_push(&batch, event), 0);
    cr_assert(sender_deliver(&sender, &follow, &batch));
    event_unref(event);
    batch_release(&batch);
}

Test(sender, whoever_takes_compressed_messages_gets_long_ones_so_by_every_way)
{
    for (int takes = 0; takes < 2; takes++) {
        uint8_t first = takes ? 0xC1 : 0x81;
        struct text text = {.len = 0};

        sender.deflates = takes;
        deliver(entry);
        cr_assert_eq((uint8_t)conn.out[0], 0x81);
        conn.len = 0;
        deliver(long_entry);
        cr_assert_eq((uint8_t)conn.out[0], first);
        conn.len = 0;
        conn.busy = true;
        enqueue(long_entry);
        cr_assert_eq(sender.outbox.bytes < sizeof(long_entry), takes, "it costs what it holds");
        drain(false);
        cr_assert_eq((uint8_t)conn.out[0], first);
        conn.len = 0;
        text_add(&text, notify_str_z(long_entry));
        sender_send(&sender, &text);
        cr_assert_eq((uint8_t)conn.out[0], first);
        conn.len = 0;
        sender.state = SENDER_OPENING;
        sender_begin(&sender, &text);
        cr_assert_eq((uint8_t)conn.out[0], first);
        conn.len = 0;
    }
}
