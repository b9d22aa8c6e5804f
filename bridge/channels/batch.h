/* batch -- events of one channel that go out together: one buffer and one write per client.
 *
 * A buffer is made once for all clients of a dialect and a filter.
 *
 * Also serves as the plain list of events that a channel keeps (recent ones, stashed ones). */
#ifndef BATCH_H
#define BATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "wire/event.h"

#define BATCH_CHOICES_MAX 32 /* filters for which is kept what they come to */

struct filter;

struct batch {
    struct event **events; /* owned array of owned references */
    size_t len, cap;
    size_t bytes;                        /* sum of the payloads */
    struct frame *joined[DIALECT_COUNT]; /* owned; made on demand, forgotten on change, */
    struct batch_choices *choices;       /* as are these; NULL until needed */
    struct batch *uncounted;             /* the same, */
    struct batch *placed;                /* and this, */
    uint32_t placed_epoch;               /* of which this is the epoch */
    struct reach reach; /* of those who were sent all of it at once: see batch_settle() */
    uint32_t epoch;     /* the last that one of its events says; 0: none does */
    bool excludes;      /* not all who follow get all of it */
    bool ends_box;      /* some of it tells that the box is another one, */
    bool counts_log;    /* or counts what is unread of a log */
};

/* Takes its own reference. 0 or -ENOMEM. */
int batch_push(struct batch *batch, struct event *event);
/* The same; the first event makes the batch, which is to be freed with batch_free(). */
int batch_append(struct batch **batch, struct event *event);
/* Drops the first n events. */
void batch_drop_first(struct batch *batch, size_t n);
void batch_clear(struct batch *batch); /* memory is kept for the next use */
/* What it takes in memory with its events, about, before anything is made of them. NULL: 0. */
size_t batch_cost(const struct batch *batch);
void batch_release(struct batch *batch);
struct batch *batch_free(struct batch *batch); /* returns NULL */

/* Those of its events that filter passes, discreet (wire/event.h), as a batch that is borrowed
 * until this one changes or is asked for another filter. NULL: out of memory. */
struct batch *batch_for(struct batch *batch, struct filter *filter);

/* All of it, for those who may not see all of the logs that it counts (event_uncounted()), as a
 * batch that is borrowed until this one changes. NULL: out of memory. */
struct batch *batch_uncounted(struct batch *batch);

/* All of it, where entries say this epoch (0: as they do) and nothing else says one, as a batch
 * that is borrowed until this one changes or is asked for another epoch. NULL: out of memory. */
struct batch *batch_placed(struct batch *batch, uint32_t epoch);

/* Counts for each of its events what holds for the batch as a whole, or for what was chosen of it.
 */
void batch_settle(struct batch *batch);

/* All frames one behind the other. Borrowed from the batch. NULL: out of memory. */
struct frame *batch_frame(struct batch *batch, enum dialect dialect);
/* The same for those who take compressed messages: those of its messages that are better so. */
struct frame *batch_deflated(struct batch *batch, enum dialect dialect);

/* The id of the last entry, 0-0 for none. */
struct notify_id batch_last_id(const struct batch *batch);
/* Where the events begin that a receiver at pos lacks: behind the last entry with an id <= pos. */
size_t batch_after(const struct batch *batch, struct notify_id pos);
/* Whether it holds the entry with this id. Those of a batch rise. */
bool batch_has(const struct batch *batch, struct notify_id id);

#endif
