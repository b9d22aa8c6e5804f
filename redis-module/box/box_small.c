/* box_small -- see box_small.h. The entries begin somewhere behind the header, with dead room
 * before them where some have been removed: what the header needs later is taken from there. */
#include "box/box_small.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"

size_t small_header_size(const struct box *box)
{
    return store_table_end(box) + box->mark_count * (size_t)MARK_LEN;
}

struct span small_span(const struct box *box)
{
    return (struct span){
        .bytes = store_at(box, small_header_size(box)),
        .marks = store_at(box, store_table_end(box)),
        .base_ms = box->base_ms,
        .head = box->head,
        .used = box->used,
        .cap = box->cap,
        .count = box->live,
        .mark_count = (uint32_t)box->mark_count,
    };
}

/* ---- room ---- */

/* How many bytes to ask for, for a small box of at least that size. The first entry gets what it
 * needs: many boxes never hold more. Then the steps get coarser: on each one all that is there is
 * copied. */
static size_t size_for(const struct box *box, size_t least)
{
    static const size_t steps[] = {512, 768, 1280, 2048, 3072, BOX_SMALL_MAX};
    size_t i = 0;

    if (box->live == 0)
        return least;
    while (steps[i] < least)
        i++;
    return steps[i];
}

/* Makes head at least front and leaves back bytes behind used. 0, SMALL_TOO_BIG, -ENOMEM. */
static int make_room(struct box **box_ptr, size_t front, size_t back)
{
    struct box *box = *box_ptr;
    size_t header = small_header_size(box);
    size_t len = (size_t)(box->used - box->head);
    size_t need = front + len + back;
    uint8_t *bytes;

    if (box->head >= front && (size_t)(box->cap - box->used) >= back)
        return 0;
    if (header + need > BOX_SMALL_MAX)
        return SMALL_TOO_BIG;
    if (box->cap < need) {
        size_t size = size_for(box, header + need);
        size_t usable;
        box = mem_try_realloc(box, header + box->cap, size);
        if (box == NULL)
            return -ENOMEM;
        *box_ptr = box;
        usable = mem_usable_size(box, size);
        box->cap = (uint16_t)((usable < BOX_SMALL_MAX ? usable : BOX_SMALL_MAX) - header);
    }
    bytes = store_at(box, header);
    memmove(bytes + front, bytes + box->head, len);
    box->head = (uint16_t)front;
    box->used = (uint16_t)(front + len);
    return 0;
}

/* The header takes delta bytes, which must be dead room in front of the entries. The entries stay
 * where they are; the caller then changes what small_header_size goes by. */
static void take_front(struct box *box, size_t where, size_t delta)
{
    uint8_t *place = store_at(box, where);

    memmove(place + delta, place, small_header_size(box) - where);
    memset(place, 0, delta);
    box->head = (uint16_t)(box->head - delta);
    box->used = (uint16_t)(box->used - delta);
    box->cap = (uint16_t)(box->cap - delta);
}

int small_insert(struct box **box, size_t where, size_t delta)
{
    int rc = make_room(box, delta, 0);

    if (rc == 0)
        take_front(*box, where, delta);
    return rc;
}

/* ---- entries in and out ---- */

int small_append(struct box **box_ptr, const struct entry *e, bool marked)
{
    struct box *box = *box_ptr;
    uint64_t base_ms = box->live > 0 ? box->base_ms : e->id.ms;
    size_t size = entry_packed_size(e, base_ms);
    size_t marks = marked ? (box->live + 1 - (size_t)box->mark_count) * MARK_LEN : 0;
    int rc;

    if (box->live >= BOX_SEGMENT_ENTRIES_MAX || size > BOX_SMALL_MAX)
        return SMALL_TOO_BIG;
    rc = make_room(box_ptr, marks, size);
    if (rc != 0)
        return rc;
    box = *box_ptr;
    if (marks > 0) {
        take_front(box, small_header_size(box), marks);
        box->mark_count = (uint8_t)(box->live + 1);
    }
    box->base_ms = base_ms;
    entry_pack((uint8_t *)store_at(box, small_header_size(box)) + box->used, e, base_ms);
    box->used = (uint16_t)(box->used + size);
    return 0;
}

int small_add_marks(struct box **box, uint32_t count)
{
    size_t missing = count - (size_t)(*box)->mark_count;
    int rc = small_insert(box, small_header_size(*box), missing * MARK_LEN);

    if (rc == 0)
        (*box)->mark_count = (uint8_t)count;
    return rc;
}

void small_remove(struct box *box, struct place place, uint32_t size)
{
    if (place.ordinal < box->mark_count) {
        store_cut_mark(store_at(box, store_table_end(box)), place.ordinal,
                       (uint32_t)box->mark_count);
        box->mark_count--;
        box->head += MARK_LEN;
        box->used += MARK_LEN;
        box->cap = (uint16_t)(box->cap + MARK_LEN);
        place.offset += MARK_LEN;
    }
    if (place.ordinal == 0) {
        box->head = (uint16_t)(box->head + size);
    } else {
        store_cut_entry(store_at(box, small_header_size(box)), &place, size, box->used);
        box->used = (uint16_t)(box->used - size);
    }
    if (box->head == box->used) {
        box->head = 0;
        box->used = 0;
    }
}

void small_shrink(struct box **box_ptr)
{
    struct box *box = *box_ptr;
    size_t header = small_header_size(box);
    size_t len = (size_t)(box->used - box->head);
    size_t size = header + box->cap;

    if (size < STORE_SHRINK_FROM || header + len > size / 2)
        return;
    memmove(store_at(box, header), (uint8_t *)store_at(box, header) + box->head, len);
    box->head = 0;
    box->used = (uint16_t)len;
    box = mem_try_realloc(box, header + len, header + len);
    if (box == NULL)
        return;
    box->cap = (uint16_t)len;
    *box_ptr = box;
}
