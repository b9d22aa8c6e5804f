/* box_store -- what is common to the two forms of a box: walking and searching, the way from one
 * form to the other, setting its fields. */
#include "box/box_store.h"

#include <errno.h>
#include <string.h>

#include "box/box_ring.h"
#include "box/box_small.h"
#include "box/extra.h"
#include "base/mem.h"

/* Bytes of the box's own allocation that mean something. */
static size_t used_size(const struct box *box)
{
    if (store_is_large(box))
        return store_table_end(box) + ring_size(store_ring(box)->cap);
    return small_header_size(box) + box->used;
}

uint32_t store_span_count(const struct box *box)
{
    return store_is_large(box) ? store_ring(box)->count : 1;
}

struct span store_span(const struct box *box, uint32_t index)
{
    return store_is_large(box) ? ring_span(store_ring(box), index) : small_span(box);
}

uint32_t store_span_of(const struct box *box, struct notify_id id)
{
    return store_is_large(box) ? ring_span_of(store_ring(box), id) : 0;
}

void store_count_in_span(struct box *box, uint32_t span, const struct entry *e, int direction)
{
    struct segment *segment;

    if (!store_is_large(box))
        return;
    segment = ring_segment(store_ring(box), span);
    if (entry_is_unread(e))
        segment->unread = (uint8_t)(segment->unread + direction);
    if (entry_is_countable(e))
        segment->countable = (uint8_t)(segment->countable + direction);
}

/* ---- when the entries of a span expire ---- */

uint64_t store_span_min_expire(const struct box *box, uint32_t span)
{
    return store_is_large(box) ? ring_segment(store_ring(box), span)->min_expire_ms
                               : box->min_expire_ms;
}

static uint32_t span_expired(const struct box *box, uint32_t span)
{
    return store_is_large(box) ? ring_segment(store_ring(box), span)->expired : 0;
}

bool store_span_has_expired(const struct box *box, uint32_t span, uint64_t now_ms)
{
    uint64_t min_ms = store_span_min_expire(box, span);

    return span_expired(box, span) > 0 || (min_ms != 0 && min_ms <= now_ms);
}

/* Counters that leave `expired` entries out, and none of whose others expires before min_ms. */
static bool is_counted_at(const struct box *box, uint32_t expired, uint64_t min_ms, uint64_t now_ms)
{
    if (min_ms != 0 && now_ms != BOX_NEVER_EXPIRE && min_ms <= now_ms)
        return false;
    return expired == 0 || (now_ms != BOX_NEVER_EXPIRE && now_ms >= store_counted_ms(box));
}

bool store_is_counted_at(const struct box *box, uint64_t now_ms)
{
    return is_counted_at(box, store_expired(box), box->min_expire_ms, now_ms);
}

bool store_span_is_counted_at(const struct box *box, uint32_t span, uint64_t now_ms)
{
    return is_counted_at(box, span_expired(box, span), store_span_min_expire(box, span), now_ms);
}

void store_set_span_min_expire(struct box *box, uint32_t span, uint64_t min_ms)
{
    if (store_is_large(box))
        ring_segment(store_ring(box), span)->min_expire_ms = min_ms;
    else
        box->min_expire_ms = min_ms;
}

void store_find_min_expire(struct box *box)
{
    uint64_t min_ms = 0;

    if (!store_is_large(box))
        return;
    for (uint32_t i = 0; i < store_span_count(box); i++) {
        uint64_t span_ms = store_span_min_expire(box, i);
        if (span_ms != 0 && (min_ms == 0 || span_ms < min_ms))
            min_ms = span_ms;
    }
    box->min_expire_ms = min_ms;
}

bool store_has_staying(const struct box *box)
{
    struct walk walk;
    struct entry e;

    if (store_is_large(box))
        return store_ring(box)->staying > 0;
    walk_init(&walk, box);
    while (walk_next(&walk, &e))
        if (e.expire_ms == 0)
            return true;
    return false;
}

/* ---- searching and walking ---- */

/* No span is empty, but that of an empty small box. */
void store_oldest(const struct box *box, struct place *ret_place, struct entry *ret_entry)
{
    struct span span = store_span(box, 0);

    *ret_place = (struct place){0, span.head, 0};
    entry_unpack(span.bytes + span.head, span.base_ms, ret_entry);
}

void walk_init_at(struct walk *walk, const struct box *box, const struct place *place)
{
    walk->box = box;
    walk->place = *place;
    walk->next_offset = place->offset;
    walk->next_ordinal = place->ordinal;
    if (place->span < store_span_count(box))
        walk->span = store_span(box, place->span);
    else
        walk->span = (struct span){0};
}

void walk_init_span(struct walk *walk, const struct box *box, uint32_t span)
{
    struct place start = {span, 0, 0};

    walk_init_at(walk, box, &start);
    walk->next_offset = walk->span.head;
}

void walk_init(struct walk *walk, const struct box *box)
{
    walk_init_span(walk, box, 0);
}

void walk_skip_span(struct walk *walk)
{
    walk->next_offset = walk->span.used;
    walk->next_ordinal = walk->span.count;
}

bool walk_next(struct walk *walk, struct entry *ret_entry)
{
    while (walk->next_offset >= walk->span.used) {
        if (walk->place.span + 1 >= store_span_count(walk->box))
            return false;
        walk->span = store_span(walk->box, ++walk->place.span);
        walk->next_offset = walk->span.head;
        walk->next_ordinal = 0;
    }
    entry_unpack(walk->span.bytes + walk->next_offset, walk->span.base_ms, ret_entry);
    walk->place.offset = walk->next_offset;
    walk->place.ordinal = walk->next_ordinal++;
    walk->next_offset += ret_entry->size;
    return true;
}

/* To a span that may have such an entry, and in it behind those seen already. */
static bool walk_to_miscounted_span(struct walk *walk, uint64_t now_ms)
{
    uint32_t span = walk->place.span;
    uint32_t count = store_span_count(walk->box);

    if (walk->next_offset < walk->span.used && !store_span_is_counted_at(walk->box, span, now_ms))
        return true;
    do
        span++;
    while (span < count && store_span_is_counted_at(walk->box, span, now_ms));
    walk_init_span(walk, walk->box, span);
    return span < count;
}

int walk_next_miscounted(struct walk *walk, uint64_t now_ms, struct entry *ret_entry)
{
    while (walk_to_miscounted_span(walk, now_ms)) {
        while (walk->next_offset < walk->span.used) {
            bool is_out;
            (void)walk_next(walk, ret_entry);
            is_out = store_is_out(walk->box, ret_entry);
            if (is_out != entry_is_expired(ret_entry, now_ms))
                return is_out ? 1 : -1;
        }
    }
    return 0;
}

bool store_seek(const struct box *box, struct notify_id id, struct place *ret_place,
                struct entry *ret_entry)
{
    struct walk walk;

    walk_init_span(&walk, box, store_span_of(box, id));
    while (walk_next(&walk, ret_entry)) {
        if (notify_id_cmp(ret_entry->id, id) < 0)
            continue;
        *ret_place = walk.place;
        return true;
    }
    return false;
}

/* ---- from one form to the other ---- */

/* What a large box knows and a small one does not; in that nothing is out. */
static void count_segments(struct box *box)
{
    struct ring *ring = store_ring(box);
    struct walk walk;
    struct entry e;

    walk_init(&walk, box);
    while (walk_next(&walk, &e)) {
        store_count_in_span(box, walk.place.span, &e, 1);
        ring_note_expiry(ring, walk.place.span, &e);
        ring->unread_levels[entry_level(&e)] += entry_is_unread(&e) && !store_is_muted(box, &e);
    }
}

/* room: bytes that will be appended at once. */
static int become_large(struct box **box_ptr, size_t room)
{
    struct box *old = *box_ptr;
    struct span span = small_span(old);
    size_t header = store_table_end(old);
    struct box *box = mem_try_alloc(header + ring_size(RING_FIRST));

    if (box == NULL)
        return -ENOMEM;
    memcpy(box, old, header);
    box->flags |= BOX_IS_LARGE;
    box->mark_count = 0;
    box->head = box->used = 0;
    box->base_ms = 0;
    box->cap = 0;
    ring_init(store_ring(box), RING_FIRST);
    if (ring_take_span(store_ring(box), &span, room) != 0) {
        mem_free(box);
        return -ENOMEM;
    }
    count_segments(box);
    mem_free(old);
    *box_ptr = box;
    return 0;
}

/* Bytes that a large box of at most one segment takes as a small one. */
static size_t size_as_small(const struct box *box)
{
    struct span span = {0};

    if (store_ring(box)->count > 0)
        span = store_span(box, 0);
    return store_table_end(box) + span.mark_count * (size_t)MARK_LEN + span.used - span.head;
}

static void become_small(struct box **box_ptr)
{
    struct box *old = *box_ptr;
    size_t header = store_table_end(old);
    struct span span = {0};
    struct box *box = mem_try_alloc(size_as_small(old));

    if (box == NULL)
        return;
    if (store_ring(old)->count > 0)
        span = store_span(old, 0);
    memcpy(box, old, header);
    box->flags &= (uint8_t)~BOX_IS_LARGE;
    box->mark_count = (uint8_t)span.mark_count;
    box->used = (uint16_t)(span.used - span.head);
    box->base_ms = span.base_ms;
    box->cap = box->used;
    if (span.mark_count > 0)
        memcpy(store_at(box, header), span.marks, span.mark_count * (size_t)MARK_LEN);
    if (box->used > 0)
        memcpy(store_at(box, small_header_size(box)), span.bytes + span.head, box->used);
    ring_release(store_ring(old));
    mem_free(old);
    *box_ptr = box;
}

void store_shrink(struct box **box)
{
    if (!store_is_large(*box))
        small_shrink(box);
    else if (store_ring(*box)->count <= 1 && store_expired(*box) == 0 &&
             size_as_small(*box) <= BOX_SMALL_MAX / 2)
        become_small(box);
    else
        ring_shrink(box);
}

/* ---- the header grows ---- */

int store_insert(struct box **box_ptr, size_t where, size_t delta)
{
    struct box *box = *box_ptr;
    size_t size;

    if (!store_is_large(box)) {
        int rc = small_insert(box_ptr, where, delta);
        if (rc == SMALL_TOO_BIG)
            rc = become_large(box_ptr, 0);
        if (rc != 0 || !store_is_large(*box_ptr))
            return rc;
        box = *box_ptr;
    }
    size = used_size(box);
    box = mem_try_realloc(box, size, size + delta);
    if (box == NULL)
        return -ENOMEM;
    memmove((uint8_t *)box + where + delta, (uint8_t *)box + where, size - where);
    memset((uint8_t *)box + where, 0, delta);
    *box_ptr = box;
    return 0;
}

/* 0, or -ENOMEM (only when the box has not got the field yet). */
static int set_field(struct box **box_ptr, enum box_field field, const void *value)
{
    size_t offset = box_field_offset(*box_ptr, field);

    if (((*box_ptr)->flags & box_fields[field].flag) == 0) {
        if (store_insert(box_ptr, offset, box_fields[field].len) != 0)
            return -ENOMEM;
        (*box_ptr)->flags |= box_fields[field].flag;
    }
    memcpy(store_at(*box_ptr, offset), value, box_fields[field].len);
    return 0;
}

int store_set_trimmed(struct box **box_ptr, struct notify_id id)
{
    return set_field(box_ptr, FIELD_TRIMMED, &id);
}

int store_set_key_end(struct box **box_ptr, uint64_t end_ms)
{
    if (end_ms == store_key_end(*box_ptr))
        return 0;
    return set_field(box_ptr, FIELD_KEY_END, &end_ms);
}

int store_set_past(struct box **box_ptr, uint32_t index, const struct past_epoch *past)
{
    return set_field(box_ptr, (enum box_field)(FIELD_PAST_0 + index), past);
}

int store_set_extra(struct box **box_ptr, struct box_extra *extra)
{
    return set_field(box_ptr, FIELD_EXTRA, &extra);
}

/* ---- entries in and out ---- */

int store_append(struct box **box, const struct entry *e, bool marked)
{
    if (!store_is_large(*box)) {
        int rc = small_append(box, e, marked);
        if (rc != SMALL_TOO_BIG)
            return rc;
        if (become_large(box, entry_packed_size(e, (*box)->base_ms)) != 0)
            return -ENOMEM;
    }
    return ring_append(box, e, marked);
}

int store_need_mark(struct box **box, struct notify_id id, struct place *place)
{
    struct entry e;

    if (!store_is_large(*box)) {
        int rc;
        if (place->ordinal < (*box)->mark_count)
            return 0;
        rc = small_add_marks(box, place->ordinal + 1);
        if (rc == SMALL_TOO_BIG)
            rc = become_large(box, 0);
        if (rc != 0)
            return rc;
        (void)store_seek(*box, id, place, &e);
    }
    return store_is_large(*box) ? ring_need_mark(store_ring(*box), place) : 0;
}

void store_remove(struct box *box, const struct place *place, uint32_t size)
{
    if (store_is_large(box))
        ring_remove(store_ring(box), place, size);
    else
        small_remove(box, *place, size);
}

/* ---- the whole ---- */

void store_free(struct box *box)
{
    if (box == NULL)
        return;
    if (store_is_large(box))
        ring_release(store_ring(box));
    box_extra_free(box_extra(box));
    mem_free(box);
}

/* What the copy of the box's own allocation still has in common with the original, it gets for
 * itself. */
static bool copy_rest(struct box **copy, const struct box *box)
{
    struct box_extra *extra = box_extra(box);

    if (store_is_large(box)) {
        if (!ring_copy(store_ring(*copy), store_ring(box)))
            return false;
    } else {
        (*copy)->cap = (*copy)->used;
    }
    if (extra == NULL)
        return true;
    extra = box_extra_copy(extra);
    (void)store_set_extra(copy, extra); /* it has the field: nothing moves */
    return extra != NULL;
}

struct box *store_copy(const struct box *box)
{
    struct box_extra *none = NULL;
    size_t size = used_size(box);
    struct box *copy = mem_try_alloc(size);

    if (copy == NULL)
        return NULL;
    memcpy(copy, box, size);
    if (box_extra(box) != NULL)
        (void)store_set_extra(&copy, none);
    if (copy_rest(&copy, box))
        return copy;
    store_free(copy);
    return NULL;
}

void store_visit(const struct box *box, store_visit_fn visit, void *ctx)
{
    size_t room = store_is_large(box) ? 0 : (size_t)(box->cap - box->used);

    if (box_extra(box) != NULL)
        box_extra_visit(box_extra(box), visit, ctx);
    visit(ctx, (void *)box, used_size(box) + room);
    if (store_is_large(box))
        ring_visit(store_ring(box), visit, ctx);
}
