/* box_prefetch -- asks for the memory of a box before it is needed.
 *
 * With many boxes each step of an append waits for main memory: the header, the place of the next
 * entry, the oldest entry if it is trimmed. A command has other work between (its arguments,
 * permissions) that these waits can pass behind. What it will not touch is not asked for: the way
 * to memory is narrow, too. */
#include "box/box_small.h"
#include "box/box_store.h"
#include "box/box.h"

#define LINE 64        /* bytes that come at once */
#define HEADER_LINES 6 /* the fixed part, fields, a few categories, and a ring of four segments */
#define ENTRY_LINES 4  /* of a usual entry that is about to be written */

/* GCC takes a function that only prefetches for one without effect, and leaves calls of it out. */
static inline void keep_calls(void)
{
    __asm__ volatile("");
}

static void prefetch_lines(const void *start, size_t lines)
{
    keep_calls();
    for (size_t i = 0; i < lines; i++)
        __builtin_prefetch((const uint8_t *)start + i * LINE, 1);
}

void box_prefetch_header(const struct box *box)
{
    prefetch_lines(box, HEADER_LINES);
}

static void prefetch_in_ring(const struct ring *ring, bool oldest)
{
    const struct segment *segment;

    if (ring->count == 0)
        return;
    segment = ring_segment(ring, ring->count - 1);
    prefetch_lines(segment->bytes + segment->used, ENTRY_LINES);
    segment = ring_segment(ring, 0);
    if (oldest)
        __builtin_prefetch(segment->bytes + segment->head);
}

void box_prefetch_append(const struct box *box, uint64_t maxlen)
{
    bool trims = box->live >= maxlen;
    struct span span;

    if (store_is_large(box)) {
        prefetch_in_ring(store_ring(box), trims);
        return;
    }
    span = small_span(box);
    prefetch_lines(span.bytes + span.used, ENTRY_LINES);
    if (trims)
        __builtin_prefetch(span.bytes + span.head);
}
