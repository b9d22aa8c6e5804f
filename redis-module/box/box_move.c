/* box_move -- lets the server move a box's allocations to where memory is less fragmented. The
 * contents stay what they are. */
#include "box/box_store.h"
#include "box/box.h"
#include "box/extra.h"

enum { SEGMENTS_PER_CHECK = 16 }; /* moved between two looks at the clock */

/* What there is once: the box itself and its extra. */
static void move_frame(struct box **box, const struct mover *mover)
{
    struct box_extra *extra;

    *box = mover_moved(mover, *box);
    extra = box_extra(*box);
    if (extra != NULL) {
        extra = mover_moved(mover, extra);
        (void)store_set_extra(box, extra); /* it has the field: nothing moves */
        box_extra_move(extra, mover);
    }
}

static void move_segment(struct segment *segment, const struct mover *mover)
{
    segment->bytes = mover_moved(mover, segment->bytes);
    segment->marks = mover_moved_if(mover, segment->marks);
}

/* The cursor is 0, or 1 + the number of the segment to go on with. Between two calls segments may
 * have come and gone: then one is moved twice or left for the next time, which does no harm. */
bool box_move(struct box **box, const struct mover *mover, unsigned long *cursor)
{
    if (*cursor == 0) {
        move_frame(box, mover);
        *cursor = 1;
    }
    if (!store_is_large(*box))
        return false;
    while (*cursor <= store_ring(*box)->count) {
        move_segment(ring_segment(store_ring(*box), (uint32_t)*cursor - 1), mover);
        if (++*cursor % SEGMENTS_PER_CHECK == 0 && mover->should_stop != NULL &&
            mover->should_stop(mover->ctx))
            return true;
    }
    return false;
}
