/* box_move -- lets the server move a box's allocations to where memory is less fragmented. The
 * contents stay what they are. */
#include "box_store.h"

enum { SEGMENTS_PER_CHECK = 16 }; /* moved between two looks at the clock */

static void *moved(const struct box_mover *mover, void *ptr)
{
    void *new_ptr = mover->move(mover->ctx, ptr);

    return new_ptr != NULL ? new_ptr : ptr;
}

/* What there is once: header, extra, ring. */
static void move_frame(struct box **box, const struct box_mover *mover)
{
    struct box_extra *extra;

    *box = moved(mover, *box);
    extra = box_extra(*box);
    if (extra != NULL) {
        extra = moved(mover, extra);
        (void)store_set_extra(box, extra); /* it has the field: nothing moves */
        box_extra_move(extra, mover->move, mover->ctx);
    }
    if (store_is_large(*box))
        (*box)->as.ring = moved(mover, (*box)->as.ring);
}

static void move_segment(struct ring_slot *slot, const struct box_mover *mover)
{
    slot->segment = moved(mover, slot->segment);
    if (slot->segment->marks != NULL)
        slot->segment->marks = moved(mover, slot->segment->marks);
}

/* The cursor is 0, or 1 + the number of the segment to go on with. Between two calls segments may
 * have come and gone: then one is moved twice or left for the next time, which does no harm. */
bool box_move(struct box **box, const struct box_mover *mover, unsigned long *cursor)
{
    if (*cursor == 0) {
        move_frame(box, mover);
        *cursor = 1;
    }
    if (!store_is_large(*box))
        return false;
    while (*cursor <= (*box)->as.ring->count) {
        move_segment(ring_slot((*box)->as.ring, (uint32_t)*cursor - 1), mover);
        if (++*cursor % SEGMENTS_PER_CHECK == 0 && mover->should_stop != NULL &&
            mover->should_stop(mover->ctx))
            return true;
    }
    return false;
}
