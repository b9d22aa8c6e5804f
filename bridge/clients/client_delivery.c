/* What a client is sent of a batch: what of it is for it, in which words, now or from its queue. */
#include "base/counters.h"
#include "channels/batch.h"
#include "channels/channel.h"
#include "channels/follow.h"
#include "clients/client_private.h"
#include "clients/inbox_start.h"
#include "clients/outcome.h"
#include "identity/key_names.h"
#include "wire/close_code.h"
#include "wire/event.h"

static void note_had(struct follow *follow, const struct event *event)
{
    if (follow->picks)
        inquiries_had(&follow->client->inquiries, event);
    if (event->kind != EVENT_ENTRY)
        return;
    follow->pos = event->id;
    follow->count += follow->state == FOLLOW_WAITING;
}

/* Is the epoch known that it has not been told? Who polls has it with each entry. */
static bool lacks_epoch(const struct follow *follow)
{
    return follow->untold && !follow->client->polls && follow_box_epoch(follow) != 0;
}

/* What goes out in place of it. NULL: out of memory. */
static struct event *said_to(const struct follow *follow, struct event *event)
{
    return event->kind == EVENT_ENTRY && lacks_epoch(follow)
               ? event_with_epoch(event, follow_box_epoch(follow))
               : event;
}

static bool enqueue(struct client *client, struct follow *follow, struct event *event,
                    struct outcome *outcome)
{
    struct event *said = said_to(follow, event);

    if (said == NULL || !sender_enqueue(&client->sender, follow, said))
        return false;
    follow->untold = follow->untold && said->epoch == 0;
    outcome_queued(outcome, event);
    note_had(follow, event);
    return true;
}

/* Is it to be sent? Its session has had what excludes it; what an agent says in a session's log is
 * the answer to a inquiry, and nobody else's; and what it was sent of its inbox before it followed
 * that is not sent again. */
static bool is_for(const struct follow *follow, const struct event *event)
{
    const struct client *client = follow->client;

    if (follow->picks)
        return !follow->gap && inquiries_take(&client->inquiries, event);
    if (event_excludes(event, client_session(client)) ||
        (follow->session && event->request.len > 0))
        return false;
    return !follow->whole || client->inbox_start == NULL || event->kind != EVENT_ENTRY ||
           !inbox_start_has(client->inbox_start, event->id);
}

/* What is not for the client is passed over. False: it does not fit. */
static bool enqueue_if_for(struct client *client, struct follow *follow, struct event *event,
                           struct outcome *outcome)
{
    if (follow->picks)
        inquiries_hear_one(&client->inquiries, event);
    if (is_for(follow, event))
        return enqueue(client, follow, event, outcome);
    follow->untold |= event->epoch != 0 && !follow->picks;
    if (event->kind == EVENT_ENTRY)
        follow->pos = event->id;
    return true;
}

/* What is not delivered of the batch may have smaller ids than what was, where a box has begun
 * anew. */
static void keep_before_rest(struct follow *follow, const struct batch *batch, size_t i)
{
    for (; i < batch->len; i++) {
        if (!follow->picks && is_for(follow, batch->events[i]))
            outcome_missed(batch->events[i]);
        if (batch->events[i]->whole_box != WHOLE_BOX_STAYS)
            follow_lose(follow);
        if (batch->events[i]->kind == EVENT_ENTRY)
            follow_keep_before(follow, batch->events[i]->id);
    }
}

static void enqueue_all(struct client *client, struct follow *follow, const struct batch *batch,
                        struct outcome *outcome)
{
    for (size_t i = 0; i < batch->len; i++) {
        if (enqueue_if_for(client, follow, batch->events[i], outcome))
            continue;
        sender_drain(&client->sender);
        if (enqueue_if_for(client, follow, batch->events[i], outcome))
            continue;
        outcome_drop(outcome, &client->sender);
        client_fall_behind(client, follow);
        keep_before_rest(follow, batch, i);
        return;
    }
}

static bool is_whole_for(const struct batch *batch, const struct follow *follow)
{
    if (follow->picks || lacks_epoch(follow)) /* what is next depends on what was had */
        return false;
    if (!batch->excludes && (!follow->whole || follow->client->inbox_start == NULL))
        return true;
    for (size_t i = 0; i < batch->len; i++)
        if (!is_for(follow, batch->events[i]))
            return false;
    return true;
}

static void send_batch(struct follow *follow, struct batch *batch)
{
    struct client *client = follow->client;
    struct outcome outcome;

    if (is_whole_for(batch, follow) && sender_deliver(&client->sender, follow, batch)) {
        for (size_t i = 0; follow->state == FOLLOW_WAITING && i < batch->len; i++)
            note_had(follow, batch->events[i]);
        return;
    }
    outcome_begin(&outcome, ++client->shared->turns);
    enqueue_all(client, follow, batch, &outcome);
    sender_drain(&client->sender);
    outcome_end(&outcome, batch, &client->sender);
}

/* What of it the client may be sent. Most have no filter: then nothing of the client is looked at
 * here that is not in the cache. NULL, here and below: out of memory. */
static struct batch *permitted(const struct follow *follow, struct batch *batch)
{
    if (follow->filtered)
        return batch_for(batch, follow->client->filter);
    if (batch->counts_log && follow->whole && !identity_sees_all(follow->client->identity))
        return batch_uncounted(batch);
    return batch;
}

/* Who polls does so each time at another bridge, perhaps, and one of them may still be with a
 * server that is the primary no more. So each entry says its epoch, and nothing else says one: what
 * came last may have come from there. */
static struct batch *choose(const struct follow *follow, struct batch *batch)
{
    struct batch *chosen = permitted(follow, batch);

    return chosen != NULL && follow->client->polls ? batch_placed(chosen, follow_box_epoch(follow))
                                                   : chosen;
}

/* An agent answers where it was asked. */
static bool is_of_own_session(const struct follow *follow)
{
    const struct client *client = follow->client;
    struct notify_str name;

    return key_is(client->shared->keys, KEY_SESSION, follow_key(follow), &name) &&
           notify_str_eq(name, client_session(client));
}

void client_deliver(struct follow *follow, struct batch *batch, struct notify_id newest)
{
    struct batch *chosen = choose(follow, batch);

    if (chosen == NULL) {
        batch->reach.of[REACH_NO_MEMORY]++;
        sender_close(&follow->client->sender, CONN_CLOSE_INTERNAL, "out of memory");
        return;
    }
    if (batch->ends_box && follow->whole)
        follow->client->shared->on_box_ended(follow->client);
    if (follow->session && !follow->picks && batch->excludes && is_of_own_session(follow))
        inquiries_hear(&follow->client->inquiries, batch);
    if (chosen->len > 0)
        send_batch(follow, chosen);
    follow->untold |= chosen->epoch != batch->epoch; /* it was said by what the filter keeps back */
    if (follow->state != FOLLOW_BEHIND && !notify_id_is_zero(newest))
        follow->pos = newest; /* past what the filter keeps back, too */
}
