/* box_prefetch -- asks for the memory of a box before it is needed.
 *
 * With many boxes nearly every step of an append waits for main memory: the header, the ring, its
 * slots, the first and the last segment, each found through the one before. A command has other
 * work between (permissions, rendering) that these waits can pass behind. */
#include "box_store.h"

static void prefetch_small(const struct box *box)
{
    __builtin_prefetch((const uint8_t *)box + sizeof(*box));
    __builtin_prefetch((const uint8_t *)box + box->used);
}

static void prefetch_segments(const struct ring *ring)
{
    const struct segment *first = ring_slot(ring, 0)->segment;
    const struct segment *last = ring_slot(ring, ring->count - 1)->segment;

    __builtin_prefetch(first);
    __builtin_prefetch(last);
}

static void prefetch_entries(const struct ring *ring)
{
    const struct segment *first = ring_slot(ring, 0)->segment;
    const struct segment *last = ring_slot(ring, ring->count - 1)->segment;

    __builtin_prefetch(first->bytes + first->head);
    __builtin_prefetch(last->bytes + last->used);
}

void box_prefetch(const struct box *box, enum box_prefetch what)
{
    const struct ring *ring;

    if (box == NULL)
        return;
    if (!store_is_large(box)) {
        if (what == BOX_PREFETCH_RING)
            prefetch_small(box);
        return;
    }
    ring = box->as.ring;
    if (what == BOX_PREFETCH_RING)
        __builtin_prefetch(ring);
    else if (ring->count > 0 && what == BOX_PREFETCH_SEGMENTS)
        prefetch_segments(ring);
    else if (ring->count > 0)
        prefetch_entries(ring);
}
