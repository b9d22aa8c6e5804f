/* box_prefetch -- asks for the memory of a box before it is needed.
 *
 * With many boxes each step of an append waits for main memory: the header, the place of the next
 * entry, the oldest entry if it is trimmed. A command has other work between (its arguments,
 * permissions) that these waits can pass behind. What it will not touch is not asked for: the way
 * to memory is narrow, too. */
#include "box/box_store.h"
#include "box/box.h"

#define LINE 64        /* bytes that come at once */
#define HEADER_LINES 4 /* the fixed part, fields, a few categories, and a ring of two segments */
#define ENTRY_LINES 4  /* of a usual entry that is about to be written */

static void prefetch_lines(const void *start, size_t lines)
{
    for (size_t i = 0; i < lines; i++)
        __builtin_prefetch((const uint8_t *)start + i * LINE, 1);
}

void box_prefetch_header(const struct box *box)
{
    prefetch_lines(box, HEADER_LINES);
}

void box_prefetch_append(const struct box *box, uint64_t maxlen)
{
    struct span span;

    if (store_span_count(box) == 0)
        return;
    span = store_span(box, store_span_count(box) - 1);
    prefetch_lines(span.bytes + span.used, ENTRY_LINES);
    if (box->live < maxlen)
        return;
    span = store_span(box, 0);
    __builtin_prefetch(span.bytes + span.head);
}
