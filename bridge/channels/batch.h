/* batch -- events of one channel that go out together: one buffer and one write per client.
 *
 * Also serves as the plain list of events that a channel keeps (recent ones, stashed ones). */
#ifndef BATCH_H
#define BATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "wire/event.h"

struct batch {
    struct event **events; /* owned array of owned references */
    size_t len, cap;
    size_t bytes;                        /* sum of the payloads */
    struct frame *joined[DIALECT_COUNT]; /* owned; made on demand, forgotten on change */
};

/* Takes its own reference. 0 or -ENOMEM. */
int batch_push(struct batch *batch, struct event *event);
/* The same; the first event makes the batch, which is to be freed with batch_free(). */
int batch_append(struct batch **batch, struct event *event);
/* Drops the first n events. */
void batch_drop_first(struct batch *batch, size_t n);
void batch_clear(struct batch *batch); /* memory is kept for the next use */
void batch_release(struct batch *batch);
struct batch *batch_free(struct batch *batch); /* returns NULL */

/* All frames one behind the other. Borrowed from the batch. NULL: out of memory. */
struct frame *batch_frame(struct batch *batch, enum dialect dialect);

/* The id of the last entry, 0-0 for none. */
struct notify_id batch_last_id(const struct batch *batch);
/* Where the events begin that a receiver at pos lacks: behind the last entry with an id <= pos. */
size_t batch_after(const struct batch *batch, struct notify_id pos);

#endif
