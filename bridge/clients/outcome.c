#include "clients/outcome.h"

#include "base/counters.h"
#include "channels/batch.h"
#include "clients/sender.h"

void outcome_begin(struct outcome *outcome, uint32_t turn)
{
    *outcome = (struct outcome){.turn = turn};
}

void outcome_queued(struct outcome *outcome, struct event *event)
{
    event->turn = outcome->turn;
    outcome->queued++;
}

/* Entries are read anew, and that the box is another one is found out then; nothing else is. */
static enum reach_part part_of_missed(const struct event *event)
{
    bool is_read = event->kind == EVENT_ENTRY || event->whole_box != WHOLE_BOX_STAYS;

    return is_read ? REACH_LATER : REACH_TOO_SLOW;
}

void outcome_missed(struct event *event)
{
    enum reach_part part = part_of_missed(event);

    event->reach.of[part]++;
    counter_add(COUNTER_EVENTS_LOST_VOLATILE, part == REACH_TOO_SLOW);
    counter_add(part == REACH_TOO_SLOW ? COUNTER_DROPPED_SLOW : COUNTER_DROPPED_BEHIND, 1);
}

/* The queue is one of first in, first out: what waits is what came last. */
static void note_left(struct outcome *outcome, const struct sender *sender)
{
    size_t waiting = sender->outbox.len;

    outcome->left = waiting < outcome->queued ? waiting : outcome->queued;
}

void outcome_drop(struct outcome *outcome, const struct sender *sender)
{
    note_left(outcome, sender);
    outcome->dropped = true;
}

void outcome_end(struct outcome *outcome, const struct batch *batch, const struct sender *sender)
{
    enum reach_part sent = sender->broken ? REACH_ENDED : REACH_DELIVERED;
    size_t gone;

    if (!outcome->dropped)
        note_left(outcome, sender);
    gone = outcome->queued - outcome->left;
    for (size_t i = 0; i < batch->len && outcome->queued > 0; i++) {
        struct event *event = batch->events[i];
        if (event->turn != outcome->turn)
            continue;
        if (gone > 0)
            event->reach.of[sent]++;
        else
            event->reach.of[outcome->dropped ? part_of_missed(event) : REACH_WAITING]++;
        gone -= gone > 0;
    }
}
