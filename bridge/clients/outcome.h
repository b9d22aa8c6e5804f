/* outcome -- what becomes of a batch that goes by way of one client's queue, counted for each of
 * its events (wire/reach.h). Those that the client's connection takes at once, sender.c counts. */
#ifndef OUTCOME_H
#define OUTCOME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct batch;
struct event;
struct sender;

struct outcome {
    uint32_t turn; /* by which the events are known that were queued */
    size_t queued; /* so many, of which */
    size_t left;   /* the last ones wait still, */
    bool dropped;  /* or did until the queue was dropped */
};

/* Another one; turn: a number of its own, not 0. */
void outcome_begin(struct outcome *outcome, uint32_t turn);
void outcome_queued(struct outcome *outcome, struct event *event);
/* It has not been queued, as there was no room, and will not be. */
void outcome_missed(struct event *event);
/* How many of them wait still: before the queue is dropped. */
void outcome_drop(struct outcome *outcome, const struct sender *sender);
/* Counts. The queue has gone out as far as it could. */
void outcome_end(struct outcome *outcome, const struct batch *batch, const struct sender *sender);

#endif
