/* box_ring -- see box_ring.h. */
#include "box/box_ring.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"

#define SEGMENT_SHARE 2  /* a segment has room for at most half as much as its box */
#define SEGMENT_SHRINK 8 /* with so many segments, half an empty one is not worth a copy */

/* ---- segments ---- */

static void free_segment(struct segment *segment)
{
    mem_free(segment->marks);
    mem_free(segment->bytes);
}

/* How many bytes to ask for, for a segment that has to hold need bytes of entries, in a box that
 * has room for present ones. Coarse steps: on each one all that is there is copied, and memory that
 * moves through one size class after the other leaves each of them full of holes. */
static size_t segment_size(uint64_t present, size_t need)
{
    static const size_t steps[] = {1024, 2048, 4096, 6144, BOX_SEGMENT_MAX};
    uint64_t wanted = need + present / SEGMENT_SHARE;
    size_t size = need;

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        if (steps[i] >= need && steps[i] <= wanted)
            size = steps[i];
    return size;
}

static bool init_segment(struct segment *segment, size_t size)
{
    *segment = (struct segment){.bytes = mem_try_alloc(size)};
    if (segment->bytes == NULL)
        return false;
    segment->cap = (uint32_t)mem_usable_size(segment->bytes, size);
    return true;
}

static void compact_segment(struct segment *segment)
{
    uint32_t len = segment->used - segment->head;

    memmove(segment->bytes, segment->bytes + segment->head, len);
    segment->head = 0;
    segment->used = len;
}

/* Gives a segment of the ring another size, not below its used bytes. */
static int resize_segment(struct ring *ring, struct segment *segment, size_t size)
{
    uint8_t *bytes = mem_try_realloc(segment->bytes, segment->used, size);

    if (bytes == NULL)
        return -ENOMEM;
    ring->bytes -= segment->cap;
    segment->bytes = bytes;
    segment->cap = (uint32_t)mem_usable_size(bytes, size);
    ring->bytes += segment->cap;
    return 0;
}

/* Marks for the segment's first count entries. */
static int need_marks(struct segment *segment, uint32_t count)
{
    size_t old_len = segment->mark_count * (size_t)MARK_LEN;
    size_t len = count * (size_t)MARK_LEN;
    uint8_t *marks;

    if (count <= segment->mark_count)
        return 0;
    marks = mem_try_realloc(segment->marks, old_len, len);
    if (marks == NULL)
        return -ENOMEM;
    memset(marks + old_len, 0, len - old_len);
    segment->marks = marks;
    segment->mark_count = (uint8_t)count;
    return 0;
}

static struct span segment_span(const struct segment *segment)
{
    return (struct span){
        .bytes = segment->bytes,
        .marks = segment->marks,
        .base_ms = segment->base_ms,
        .head = segment->head,
        .used = segment->used,
        .cap = segment->cap,
        .count = segment->count,
        .unread = segment->unread,
        .countable = segment->countable,
        .expired = segment->expired,
        .mark_count = segment->mark_count,
    };
}

/* Entries and marks of the span, whose count is at least 1, in size bytes. */
static int copy_span(struct segment *segment, const struct span *span, size_t size)
{
    if (!init_segment(segment, size))
        return -ENOMEM;
    segment->base_ms = span->base_ms;
    segment->used = span->used - span->head;
    segment->count = (uint8_t)span->count;
    memcpy(segment->bytes, span->bytes + span->head, segment->used);
    if (need_marks(segment, span->mark_count) != 0) {
        free_segment(segment);
        return -ENOMEM;
    }
    if (span->mark_count > 0)
        memcpy(segment->marks, span->marks, span->mark_count * (size_t)MARK_LEN);
    return 0;
}

/* ---- the ring ---- */

size_t ring_size(uint32_t cap)
{
    return sizeof(struct ring) + cap * sizeof(struct segment);
}

void ring_init(struct ring *ring, uint32_t cap)
{
    *ring = (struct ring){.cap = cap};
}

void ring_release(struct ring *ring)
{
    for (uint32_t i = 0; i < ring->count; i++)
        free_segment(ring_segment(ring, i));
}

int ring_take_span(struct ring *ring, const struct span *span, size_t room)
{
    size_t len = span->used - span->head;
    size_t size = len;

    if (span->count == 0)
        return 0;
    if (room > 0 && len + room <= BOX_SEGMENT_MAX)
        size = segment_size(len, len + room);
    if (copy_span(&ring->segments[0], span, size) != 0)
        return -ENOMEM;
    ring->count = 1;
    ring->bytes = ring->segments[0].cap;
    return 0;
}

/* All that is known of the whole, without its segments. */
static void copy_facts(struct ring *copy, const struct ring *ring, uint32_t cap)
{
    *copy = *ring;
    copy->head = copy->count = 0;
    copy->cap = cap;
}

bool ring_copy(struct ring *copy, const struct ring *ring)
{
    copy_facts(copy, ring, ring->cap);
    copy->bytes = 0;
    for (uint32_t i = 0; i < ring->count; i++) {
        const struct segment *segment = ring_segment(ring, i);
        struct segment *new_segment = &copy->segments[i];
        struct span span = segment_span(segment);

        if (copy_span(new_segment, &span, span.used - span.head) != 0)
            return false;
        new_segment->base_seq = segment->base_seq;
        new_segment->unread = segment->unread;
        new_segment->countable = segment->countable;
        new_segment->min_expire_ms = segment->min_expire_ms;
        new_segment->staying = segment->staying;
        new_segment->expired = segment->expired;
        copy->bytes += new_segment->cap;
        copy->count++;
    }
    return true;
}

struct span ring_span(const struct ring *ring, uint32_t index)
{
    return segment_span(ring_segment(ring, index));
}

static bool segment_is_after(const struct segment *segment, struct notify_id id)
{
    struct notify_id base = {segment->base_ms, segment->base_seq};

    return notify_id_cmp(base, id) > 0;
}

uint32_t ring_span_of(const struct ring *ring, struct notify_id id)
{
    uint32_t low = 0;
    uint32_t high = ring->count;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (segment_is_after(ring_segment(ring, middle), id))
            high = middle;
        else
            low = middle;
    }
    return low;
}

void ring_note_expiry(struct ring *ring, uint32_t index, const struct entry *e)
{
    struct segment *segment = ring_segment(ring, index);

    if (e->expire_ms == 0) {
        ring->staying++;
        segment->staying++;
    } else if (e->expire_ms > ring->counted_ms &&
               (segment->min_expire_ms == 0 || e->expire_ms < segment->min_expire_ms)) {
        segment->min_expire_ms = e->expire_ms;
    }
}

/* Another ring of cap segments, and with it another box. */
static int resize_ring(struct box **box_ptr, uint32_t cap)
{
    struct box *old = *box_ptr;
    const struct ring *old_ring = store_ring(old);
    size_t header = store_table_end(old);
    struct box *box = mem_try_alloc(header + ring_size(cap));
    struct ring *ring;

    if (box == NULL)
        return -ENOMEM;
    memcpy(box, old, header);
    ring = store_ring(box);
    copy_facts(ring, old_ring, cap);
    ring->count = old_ring->count;
    for (uint32_t i = 0; i < ring->count; i++)
        ring->segments[i] = *ring_segment(old_ring, i);
    mem_free(old);
    *box_ptr = box;
    return 0;
}

static int push_segment(struct box **box, size_t need)
{
    struct ring *ring = store_ring(*box);

    if (ring->count == ring->cap && resize_ring(box, ring->cap * 2) != 0)
        return -ENOMEM;
    ring = store_ring(*box);
    if (!init_segment(ring_segment(ring, ring->count), segment_size(ring->bytes, need)))
        return -ENOMEM;
    ring->bytes += ring_segment(ring, ring->count)->cap;
    ring->count++;
    return 0;
}

static void drop_segment(struct ring *ring, uint32_t index)
{
    struct segment *segment = ring_segment(ring, index);

    ring->bytes -= segment->cap;
    free_segment(segment);
    if (index == 0)
        ring->head = (ring->head + 1) & (ring->cap - 1);
    else
        for (uint32_t i = index; i + 1 < ring->count; i++)
            *ring_segment(ring, i) = *ring_segment(ring, i + 1);
    ring->count--;
}

static struct segment *last_segment(const struct ring *ring)
{
    return ring_segment(ring, ring->count - 1);
}

void ring_shrink(struct box **box)
{
    const struct ring *ring = store_ring(*box);

    if (ring->cap > RING_FIRST && ring->count < ring->cap / 4)
        (void)resize_ring(box, ring->cap / 2);
}

/* ---- entries in and out ---- */

/* Makes sure that the last segment takes need more bytes, which may mean a new one. */
static int make_room(struct box **box, size_t need)
{
    struct ring *ring = store_ring(*box);
    struct segment *segment;
    size_t len;

    if (ring->count == 0)
        return push_segment(box, need);
    segment = last_segment(ring);
    len = segment->used - segment->head;
    if (segment->count == BOX_SEGMENT_ENTRIES_MAX || len + need > BOX_SEGMENT_MAX)
        return push_segment(box, need);
    if (segment->used + need <= segment->cap && segment->used + need <= BOX_SEGMENT_MAX)
        return 0;
    compact_segment(segment);
    if (len + need <= segment->cap)
        return 0;
    return resize_segment(ring, segment, segment_size(ring->bytes, len + need));
}

/* The packed size of e at the end of the last segment, or in a new one. */
static size_t size_of(const struct ring *ring, const struct entry *e)
{
    return entry_packed_size(e, ring->count > 0 ? last_segment(ring)->base_ms : e->id.ms);
}

int ring_append(struct box **box, const struct entry *e, bool marked)
{
    struct segment *segment;
    struct ring *ring;
    uint8_t *end;

    if (make_room(box, size_of(store_ring(*box), e)) != 0)
        return -ENOMEM;
    ring = store_ring(*box);
    segment = last_segment(ring);
    if (marked && need_marks(segment, segment->count + 1u) != 0) {
        if (segment->count == 0)
            drop_segment(ring, ring->count - 1);
        return -ENOMEM;
    }
    if (segment->count == 0) {
        segment->base_ms = e->id.ms;
        segment->base_seq = e->id.seq;
    }
    end = entry_pack(segment->bytes + segment->used, e, segment->base_ms);
    segment->used = (uint32_t)(end - segment->bytes);
    segment->count++;
    ring_note_expiry(ring, ring->count - 1, e);
    return 0;
}

int ring_need_mark(struct ring *ring, const struct place *place)
{
    struct segment *segment = ring_segment(ring, place->span);

    return place->ordinal < segment->mark_count ? 0 : need_marks(segment, segment->count);
}

static void cut_mark(struct segment *segment, uint32_t ordinal)
{
    if (ordinal >= segment->mark_count)
        return;
    store_cut_mark(segment->marks, ordinal, segment->mark_count);
    if (--segment->mark_count == 0) {
        mem_free(segment->marks);
        segment->marks = NULL;
    }
}

static void shrink_segment(struct ring *ring, struct segment *segment)
{
    size_t len = segment->used - segment->head;

    if (ring->count >= SEGMENT_SHRINK || segment->cap <= STORE_SHRINK_FROM ||
        len >= segment->cap / 2)
        return;
    compact_segment(segment);
    (void)resize_segment(ring, segment, len);
}

void ring_remove(struct ring *ring, const struct place *place, uint32_t size)
{
    struct segment *segment = ring_segment(ring, place->span);

    if ((segment->bytes[place->offset] & ENTRY_EXPIRES) == 0) {
        ring->staying--;
        segment->staying--;
    }
    if (segment->count == 1) {
        drop_segment(ring, place->span);
        return;
    }
    cut_mark(segment, place->ordinal);
    if (place->ordinal == 0) {
        segment->head += size;
    } else {
        store_cut_entry(segment->bytes, place, size, segment->used);
        segment->used -= size;
    }
    segment->count--;
    shrink_segment(ring, segment);
}

void ring_visit(const struct ring *ring, store_visit_fn visit, void *ctx)
{
    for (uint32_t i = 0; i < ring->count; i++) {
        const struct segment *segment = ring_segment(ring, i);

        visit(ctx, segment->bytes, segment->cap);
        if (segment->marks != NULL)
            visit(ctx, segment->marks, segment->mark_count * (size_t)MARK_LEN);
    }
}
