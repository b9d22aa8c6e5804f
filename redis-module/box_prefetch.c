/* box_prefetch -- asks for the memory of a box before it is needed.
 *
 * With many boxes nearly every step of an append waits for main memory: the header, the ring, its
 * slots, the first and the last segment, each found through the one before. A command has other
 * work between (permissions, rendering) that these waits can pass behind. What it will not touch is
 * not asked for: the way to memory is narrow, too. */
#include "box_store.h"

#define LINE 64       /* bytes that come at once */
#define ENTRY_LINES 4 /* of a usual entry that is about to be written */

static void prefetch_room(const uint8_t *bytes)
{
    for (size_t i = 0; i < ENTRY_LINES; i++)
        __builtin_prefetch(bytes + i * LINE, 1);
}

static const struct segment *segment_at(const struct ring *ring, uint32_t index)
{
    return ring_slot(ring, index)->segment;
}

static void prefetch_ring(const struct ring *ring)
{
    __builtin_prefetch(ring);
    __builtin_prefetch((const uint8_t *)ring + LINE);
}

/* Where the last entry ends the segment says itself, but so does the box, which is here already. */
static void prefetch_segments(const struct ring *ring, uint16_t used, bool trims)
{
    const struct segment *last = segment_at(ring, ring->count - 1);

    __builtin_prefetch(last, 1);
    prefetch_room(last->bytes + used);
    if (trims)
        __builtin_prefetch(segment_at(ring, 0), 1);
}

static void prefetch_entries(const struct ring *ring)
{
    const struct segment *first = segment_at(ring, 0);

    __builtin_prefetch(first->bytes + first->head);
}

static void prefetch_large(const struct box *box, enum box_prefetch what, uint64_t maxlen)
{
    const struct ring *ring = box->as.ring;
    bool trims = box->live >= maxlen;

    if (what == BOX_PREFETCH_RING)
        prefetch_ring(ring);
    else if (ring->count > 0 && what == BOX_PREFETCH_SEGMENTS)
        prefetch_segments(ring, box->used, trims);
    else if (ring->count > 0 && trims)
        prefetch_entries(ring);
}

void box_prefetch(const struct box *box, enum box_prefetch what, uint64_t maxlen)
{
    if (box == NULL)
        return;
    if (what == BOX_PREFETCH_HEADER) {
        __builtin_prefetch(box, 1);
        __builtin_prefetch((const uint8_t *)box + sizeof(*box), 1);
    } else if (store_is_large(box)) {
        prefetch_large(box, what, maxlen);
    } else if (what == BOX_PREFETCH_RING) {
        prefetch_room((const uint8_t *)box + sizeof(*box) + box->used);
    }
}
