/* box_counters -- see box_counters.h. */
#include "box/box_counters.h"

/* Unread and unseen, which muted categories are not part of: steps are unsigned, so that adding a
 * negative one wraps around to a subtraction. */
static void add_counted(struct box *box, const struct entry *e, uint32_t step)
{
    if (entry_is_unread(e)) {
        box->unread += step;
        if (store_is_large(box))
            store_ring(box)->unread_levels[entry_level(e)] += step;
    }
    if (entry_is_unseen(e))
        box->unseen += step;
}

/* The same of what is out. */
static void add_expired(struct ring *ring, const struct entry *e, uint32_t step)
{
    if (entry_is_unread(e))
        ring->expired_unread += step;
    if (entry_is_unseen(e))
        ring->expired_unseen += step;
}

static void count_in(struct box *box, uint32_t span, const struct entry *e, int direction)
{
    uint32_t step = (uint32_t)direction;

    store_count_in_span(box, span, e, direction);
    if (e->category_slot > 0 && entry_is_unread(e)) {
        struct box_category *category = &store_categories(box)[e->category_slot - 1];
        category->unread = (category->unread + step) & BOX_ENTRIES_MAX;
    }
    if (!store_is_muted(box, e))
        add_counted(box, e, step);
}

static void count_out(struct box *box, uint32_t span, const struct entry *e, int direction)
{
    struct ring *ring = store_ring(box);
    struct segment *segment = ring_segment(ring, span);
    uint32_t step = (uint32_t)direction;

    ring->expired += step;
    segment->expired = (segment->expired + step) & UINT8_MAX;
    if (!store_is_muted(box, e))
        add_expired(ring, e, step);
}

void counters_add(struct box *box, uint32_t span, const struct entry *e, int direction)
{
    uint32_t step = (uint32_t)direction;

    box->live += step;
    if (e->category_slot > 0) {
        struct box_category *category = &store_categories(box)[e->category_slot - 1];
        category->total = (category->total + step) & BOX_ENTRIES_MAX;
    }
    if (store_is_out(box, e))
        count_out(box, span, e, direction);
    else
        count_in(box, span, e, direction);
}

void counters_mute(struct box *box, const struct slot_set *slots, int direction)
{
    uint32_t step = (uint32_t)direction;
    struct walk walk;
    struct entry e;

    walk_init(&walk, box);
    while (walk_next(&walk, &e)) {
        if (!slot_set_has(slots, e.category_slot))
            continue;
        if (store_is_out(box, &e))
            add_expired(store_ring(box), &e, step);
        else
            add_counted(box, &e, step);
    }
}

/* ---- time ---- */

/* Moves what the counters and a clock of now_ms do not agree about, of one span, to where it
 * belongs, and learns when the rest expires. */
static void recount_span(struct box *box, uint32_t span, uint64_t now_ms)
{
    uint64_t min_ms = 0;
    struct walk walk;
    struct entry e;

    walk_init_span(&walk, box, span);
    while (walk.next_offset < walk.span.used && walk_next(&walk, &e)) {
        bool was_out = store_is_out(box, &e);
        bool is_out = entry_is_expired(&e, now_ms);
        if (!is_out && e.expire_ms != 0 && (min_ms == 0 || e.expire_ms < min_ms))
            min_ms = e.expire_ms;
        if (was_out == is_out)
            continue;
        (was_out ? count_out : count_in)(box, span, &e, -1);
        (is_out ? count_out : count_in)(box, span, &e, 1);
    }
    store_set_span_min_expire(box, span, min_ms);
}

void counters_advance(struct box *box, uint64_t now_ms)
{
    if (!store_is_large(box) || now_ms == BOX_NEVER_EXPIRE || store_is_counted_at(box, now_ms))
        return;
    for (uint32_t i = 0; i < store_span_count(box); i++)
        if (!store_span_is_counted_at(box, i, now_ms))
            recount_span(box, i, now_ms);
    store_ring(box)->counted_ms = now_ms;
    store_find_min_expire(box);
}
