/* box_ring -- the large form of a box: entries in segments of up to BOX_SEGMENT_MAX bytes, oldest
 * first, which the ring at the end of the box's own allocation names. Internal to box_store. */
#ifndef BOX_RING_H
#define BOX_RING_H

#include "box/box_layout.h"

#define RING_FIRST 2 /* segments that a ring has room for at first; a power of two */

/* Bytes of a ring with room for cap segments. */
size_t ring_size(uint32_t cap);
void ring_init(struct ring *ring, uint32_t cap);
/* Frees what the segments own. */
void ring_release(struct ring *ring);

/* Makes a copy of the span the first segment of an empty ring. With room, it takes that many bytes
 * more, if a segment can, and grows as segments do. -ENOMEM: the ring is still empty. */
int ring_take_span(struct ring *ring, const struct span *span, size_t room);
/* Makes copy, which has room for as many segments, a copy of the ring. False: no memory; what it
 * has by then is to be released. */
bool ring_copy(struct ring *copy, const struct ring *ring);

struct span ring_span(const struct ring *ring, uint32_t index);
/* As the functions of box_store.h, for a large box. */
uint32_t ring_span_of(const struct ring *ring, struct notify_id id);
int ring_append(struct box **box, const struct entry *e, bool marked);
int ring_need_mark(struct ring *ring, const struct place *place);
void ring_remove(struct ring *ring, const struct place *place, uint32_t size);
/* e is new to the segment. */
void ring_note_expiry(struct ring *ring, uint32_t index, const struct entry *e);
void ring_visit(const struct ring *ring, store_visit_fn visit, void *ctx);

/* Gives up room for segments if there is much more than is needed; may move the box. */
void ring_shrink(struct box **box);

#endif
