/* outbox -- what one client still has to be sent: a bounded queue of frames.
 *
 * Empty for nearly every client nearly all the time; then it owns no memory. Each frame may belong
 * to a source (the follow that it came through) and have an id there; answers belong to none.
 *
 * The outbox does not choose what to lose. When an event does not fit, its owner empties it of all
 * that can be read again from Redis (outbox_drop), and remembers from where. Answers to requests
 * cannot be read again: they always fit, since room was set aside for them before they were asked
 * for (sender.c pauses the input of a client that has asked for as much as it may). */
#ifndef OUTBOX_H
#define OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "notify_id.h"

struct frame;

/* In place of an id: it tells of the box as a whole. */
#define OUTBOX_WHOLE_BOX ((struct notify_id){UINT64_MAX, UINT64_MAX})

struct outbox_item {
    struct frame *frame; /* owned reference */
    void *source;        /* NULL for an answer */
    struct notify_id id; /* 0-0: cannot be read again; or OUTBOX_WHOLE_BOX */
    uint32_t epoch;      /* of the box, as id was put in; 0: not known */
    bool begins;         /* an answer to nothing but its owner's coming (sender_set_begins) */
    bool live;           /* an event as it happened, and not what was read anew */
};

struct outbox {
    struct outbox_item *items; /* owned ring of cap, a power of two; NULL while empty */
    uint32_t cap, head, len;
    uint32_t bytes; /* that the queue costs: its frames, and OUTBOX_ITEM_BYTES for each of them */
};

#define OUTBOX_ITEM_BYTES 64 /* its place in the ring, and what a frame has beside its bytes */

bool outbox_is_empty(const struct outbox *outbox);
/* Would an event of len bytes stay within max_bytes, of which `other` are taken up already? Into an
 * empty outbox anything fits: refused, it would be read from Redis again for ever. */
bool outbox_fits(const struct outbox *outbox, size_t len, size_t other, size_t max_bytes);
/* Takes a reference of its own to its frame. 0 or -ENOMEM: that, or it would be 4 GiB, which what
 * outbox-bytes may be does not come to. */
int outbox_push_item(struct outbox *outbox, const struct outbox_item *item);
/* Puts an answer before everything else. Takes its own reference. 0 or -ENOMEM. */
int outbox_push_first(struct outbox *outbox, struct frame *frame);
size_t
outbox_first_bytes(const struct outbox *outbox); /* of the oldest frame; it must not be empty */
/* Hands the oldest one over, with the reference to its frame; false when empty. */
bool outbox_pop_item(struct outbox *outbox, struct outbox_item *ret);
/* The same, of its frame alone. NULL when empty. */
struct frame *outbox_pop(struct outbox *outbox);

/* look(ctx, item) at each, oldest first. */
void outbox_each(const struct outbox *outbox,
                 void (*look)(void *ctx, const struct outbox_item *item), void *ctx);

/* Removes every item with a source for which match(ctx, item) is true, oldest first; what is left
 * keeps its order. */
void outbox_drop(struct outbox *outbox, bool (*match)(void *ctx, const struct outbox_item *item),
                 void *ctx);
/* Drops everything. A zeroed outbox is empty. */
void outbox_release(struct outbox *outbox);

#endif
