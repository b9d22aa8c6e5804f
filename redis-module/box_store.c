/* box_store -- the two forms of a box, their growth, and how entries go in and out of them. */
#include "box_store.h"

#include <errno.h>
#include <string.h>

#include "mem.h"

#define RING_FIRST 4     /* slots; a power of two */
#define SEGMENT_SHARE 2  /* a segment has room for at most half as much as its box */
#define SEGMENT_SHRINK 8 /* with so many segments, half an empty one is not worth a copy */
#define SHRINK_FROM 256  /* bytes; smaller allocations are not worth shrinking */
#define SEGMENT_ROOM (BOX_SEGMENT_MAX - sizeof(struct segment))

enum small_room { SMALL_TOO_BIG = 1 }; /* beside 0 and -ENOMEM */

/* ---- where things are ---- */

enum field { FIELD_TRIMMED, FIELD_EXTRA, FIELD_KEY_END, FIELD_COUNT };

/* In the order in which they lie behind struct box. */
static const struct {
    uint8_t flag;
    uint8_t len;
} fields[FIELD_COUNT] = {
    [FIELD_TRIMMED] = {BOX_HAS_TRIMMED, sizeof(struct notify_id)},
    [FIELD_EXTRA] = {BOX_HAS_EXTRA, sizeof(struct box_extra *)},
    [FIELD_KEY_END] = {BOX_HAS_KEY_END, sizeof(uint64_t)},
};
#define HAS_FIELDS (BOX_HAS_TRIMMED | BOX_HAS_EXTRA | BOX_HAS_KEY_END)

/* Where the field is, or would be. FIELD_COUNT: what lies behind them all. */
static size_t field_offset(const struct box *box, enum field field)
{
    size_t offset = sizeof(*box);

    if ((box->flags & HAS_FIELDS) == 0)
        return offset;
    for (unsigned i = 0; i < (unsigned)field; i++)
        if ((box->flags & fields[i].flag) != 0)
            offset += fields[i].len;
    return offset;
}

static size_t table_offset(const struct box *box)
{
    return field_offset(box, FIELD_COUNT);
}

static size_t marks_offset(const struct box *box)
{
    return table_offset(box) + box->category_slots * sizeof(struct box_category);
}

/* Everything before the entries of a small box; all of a large one. */
static size_t header_size(const struct box *box)
{
    return marks_offset(box) + (store_is_large(box) ? 0 : box->mark_count * (size_t)MARK_LEN);
}

static void *at_offset(const struct box *box, size_t offset)
{
    return (uint8_t *)box + offset;
}

struct box_category *store_categories(const struct box *box)
{
    return at_offset(box, table_offset(box));
}

/* Copies the field out; false (and *out untouched) when the box does not have it. */
static bool get_field(const struct box *box, enum field field, void *out)
{
    if ((box->flags & fields[field].flag) == 0)
        return false;
    memcpy(out, at_offset(box, field_offset(box, field)), fields[field].len);
    return true;
}

struct notify_id store_trimmed_id(const struct box *box)
{
    struct notify_id id = {0, 0};

    (void)get_field(box, FIELD_TRIMMED, &id);
    return id;
}

uint64_t store_key_end(const struct box *box)
{
    uint64_t end_ms = 0;

    (void)get_field(box, FIELD_KEY_END, &end_ms);
    return end_ms;
}

struct box_extra *box_extra(const struct box *box)
{
    struct box_extra *extra = NULL;

    (void)get_field(box, FIELD_EXTRA, &extra);
    return extra;
}

uint32_t store_span_count(const struct box *box)
{
    return store_is_large(box) ? box->as.ring->count : 1;
}

static struct span segment_span(const struct ring_slot *slot)
{
    struct segment *segment = slot->segment;

    return (struct span){
        .bytes = segment->bytes,
        .marks = segment->marks,
        .base_ms = slot->base_ms,
        .head = segment->head,
        .used = segment->used,
        .cap = segment->cap,
        .count = segment->count,
        .unread = segment->unread,
        .countable = segment->countable,
        .mark_count = segment->mark_count,
    };
}

struct span store_span(const struct box *box, uint32_t index)
{
    if (store_is_large(box))
        return segment_span(ring_slot(box->as.ring, index));
    return (struct span){
        .bytes = at_offset(box, header_size(box)),
        .marks = at_offset(box, marks_offset(box)),
        .base_ms = box->as.small.base_ms,
        .head = box->head,
        .used = box->used,
        .cap = box->as.small.cap,
        .count = box->live,
        .mark_count = (uint32_t)box->mark_count,
    };
}

void store_count_in_span(struct box *box, uint32_t span, const struct entry *e, int direction)
{
    struct segment *segment;

    if (!store_is_large(box))
        return;
    segment = ring_slot(box->as.ring, span)->segment;
    if (entry_is_unread(e))
        segment->unread = (uint8_t)(segment->unread + direction);
    if (entry_is_countable(e))
        segment->countable = (uint8_t)(segment->countable + direction);
}

/* ---- when the entries of a span expire ---- */

uint64_t store_span_min_expire(const struct box *box, uint32_t span)
{
    return store_is_large(box) ? ring_slot(box->as.ring, span)->min_expire_ms : box->min_expire_ms;
}

bool store_span_has_expired(const struct box *box, uint32_t span, uint64_t now_ms)
{
    uint64_t min_ms = store_span_min_expire(box, span);

    return min_ms != 0 && min_ms <= now_ms;
}

void store_set_span_min_expire(struct box *box, uint32_t span, uint64_t min_ms)
{
    if (store_is_large(box))
        ring_slot(box->as.ring, span)->min_expire_ms = min_ms;
    else
        box->min_expire_ms = min_ms;
}

static void note_expiry(struct ring_slot *slot, const struct entry *e)
{
    if (e->expire_ms == 0)
        slot->staying++;
    else if (slot->min_expire_ms == 0 || e->expire_ms < slot->min_expire_ms)
        slot->min_expire_ms = e->expire_ms;
}

bool store_has_staying(const struct box *box)
{
    struct walk walk;
    struct entry e;

    if (store_is_large(box)) {
        for (uint32_t i = 0; i < box->as.ring->count; i++)
            if (ring_slot(box->as.ring, i)->staying > 0)
                return true;
        return false;
    }
    walk_init(&walk, box);
    while (walk_next(&walk, &e))
        if (e.expire_ms == 0)
            return true;
    return false;
}

/* ---- searching and walking ---- */

static bool slot_is_after(const struct ring_slot *slot, struct notify_id id)
{
    struct notify_id base = {slot->base_ms, slot->segment->base_seq};

    return slot->base_ms > id.ms || (slot->base_ms == id.ms && notify_id_cmp(base, id) > 0);
}

uint32_t store_span_of(const struct box *box, struct notify_id id)
{
    uint32_t low = 0;
    uint32_t high = store_span_count(box);

    if (!store_is_large(box))
        return 0;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (slot_is_after(ring_slot(box->as.ring, middle), id))
            high = middle;
        else
            low = middle;
    }
    return low;
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

void walk_init(struct walk *walk, const struct box *box)
{
    struct place start = {0, 0, 0};

    walk_init_at(walk, box, &start);
    walk->next_offset = walk->span.head;
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
static bool walk_to_expired_span(struct walk *walk, uint64_t now_ms)
{
    struct place place = {walk->place.span, 0, 0};
    uint32_t count = store_span_count(walk->box);

    if (walk->next_offset < walk->span.used &&
        store_span_has_expired(walk->box, place.span, now_ms))
        return true;
    do
        place.span++;
    while (place.span < count && !store_span_has_expired(walk->box, place.span, now_ms));
    walk_init_at(walk, walk->box, &place);
    walk->next_offset = walk->span.head;
    return place.span < count;
}

bool walk_next_expired(struct walk *walk, uint64_t now_ms, struct entry *ret_entry)
{
    while (walk_to_expired_span(walk, now_ms)) {
        while (walk->next_offset < walk->span.used) {
            (void)walk_next(walk, ret_entry);
            if (entry_is_expired(ret_entry, now_ms))
                return true;
        }
    }
    return false;
}

bool store_seek(const struct box *box, struct notify_id id, struct place *ret_place,
                struct entry *ret_entry)
{
    struct place start = {store_span_of(box, id), 0, 0};
    struct walk walk;

    walk_init_at(&walk, box, &start);
    walk.next_offset = walk.span.head;
    while (walk_next(&walk, ret_entry)) {
        if (notify_id_cmp(ret_entry->id, id) < 0)
            continue;
        *ret_place = walk.place;
        return true;
    }
    return false;
}

/* ---- large form: ring and segments ---- */

static void free_segment(struct segment *segment)
{
    if (segment == NULL)
        return;
    mem_free(segment->marks);
    mem_free(segment);
}

static void free_ring(struct ring *ring)
{
    if (ring == NULL)
        return;
    for (uint32_t i = 0; i < ring->count; i++)
        free_segment(ring_slot(ring, i)->segment);
    mem_free(ring);
}

static size_t ring_size(uint32_t cap)
{
    return sizeof(struct ring) + cap * sizeof(struct ring_slot);
}

static struct ring *new_ring(uint32_t cap)
{
    struct ring *ring = mem_try_alloc(ring_size(cap));

    if (ring == NULL)
        return NULL;
    ring->bytes = 0;
    ring->head = 0;
    ring->count = 0;
    ring->cap = cap;
    return ring;
}

/* How many bytes to ask for, for a segment that has to hold need bytes of entries, in a box that
 * has room for present ones. Coarse steps: on each one all that is there is copied, and memory that
 * moves through one size class after the other leaves each of them full of holes. */
static size_t segment_size(uint64_t present, size_t need)
{
    static const size_t steps[] = {1024, 2048, 4096, 6144, BOX_SEGMENT_MAX};
    size_t least = sizeof(struct segment) + need;
    uint64_t wanted = least + present / SEGMENT_SHARE;
    size_t size = least;

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        if (steps[i] >= least && steps[i] <= wanted)
            size = steps[i];
    return size;
}

static uint32_t segment_cap(struct segment *segment, size_t asked)
{
    return (uint32_t)(mem_usable_size(segment, asked) - sizeof(*segment));
}

static struct segment *new_segment(size_t size)
{
    struct segment *segment = mem_try_alloc(size);

    if (segment == NULL)
        return NULL;
    *segment = (struct segment){.cap = segment_cap(segment, size)};
    return segment;
}

static void compact_segment(struct segment *segment)
{
    uint32_t len = segment->used - segment->head;

    memmove(segment->bytes, segment->bytes + segment->head, len);
    segment->head = 0;
    segment->used = len;
}

/* Gives the slot's segment another size, not below its used bytes. */
static int resize_segment(struct ring *ring, struct ring_slot *slot, size_t size)
{
    struct segment *segment = slot->segment;
    uint32_t old_cap = segment->cap;

    segment = mem_try_realloc(segment, sizeof(*segment) + segment->used, size);
    if (segment == NULL)
        return -ENOMEM;
    segment->cap = segment_cap(segment, size);
    ring->bytes += segment->cap;
    ring->bytes -= old_cap;
    slot->segment = segment;
    return 0;
}

/* Another ring of cap slots, with the segments of the present one. */
static int resize_ring(struct box *box, uint32_t cap)
{
    struct ring *old = box->as.ring;
    struct ring *ring = new_ring(cap);

    if (ring == NULL)
        return -ENOMEM;
    ring->bytes = old->bytes;
    ring->count = old->count;
    for (uint32_t i = 0; i < old->count; i++)
        ring->slots[i] = *ring_slot(old, i);
    mem_free(old);
    box->as.ring = ring;
    return 0;
}

static int push_segment(struct box *box, size_t need)
{
    struct segment *segment;

    if (box->as.ring->count == box->as.ring->cap && resize_ring(box, box->as.ring->cap * 2) != 0)
        return -ENOMEM;
    segment = new_segment(segment_size(box->as.ring->bytes, need));
    if (segment == NULL)
        return -ENOMEM;
    box->as.ring->count++;
    *ring_slot(box->as.ring, box->as.ring->count - 1) = (struct ring_slot){.segment = segment};
    box->as.ring->bytes += segment->cap;
    return 0;
}

/* Takes an empty segment out of the ring. */
static void drop_segment(struct ring *ring, uint32_t index)
{
    struct segment *segment = ring_slot(ring, index)->segment;

    ring->bytes -= segment->cap;
    free_segment(segment);
    if (index == 0)
        ring->head = (ring->head + 1) & (ring->cap - 1);
    else
        for (uint32_t i = index; i + 1 < ring->count; i++)
            *ring_slot(ring, i) = *ring_slot(ring, i + 1);
    ring->count--;
}

static struct ring_slot *last_slot(const struct box *box)
{
    return ring_slot(box->as.ring, box->as.ring->count - 1);
}

/* Makes sure that the last segment takes need more bytes, which may mean a new one. */
static int large_room(struct box *box, size_t need)
{
    struct ring_slot *slot;
    struct segment *segment;
    size_t len;

    if (box->as.ring->count == 0)
        return push_segment(box, need);
    slot = last_slot(box);
    segment = slot->segment;
    len = segment->used - segment->head;
    if (segment->count == BOX_SEGMENT_ENTRIES_MAX || len + need > SEGMENT_ROOM)
        return push_segment(box, need);
    if (segment->used + need <= segment->cap && segment->used + need <= SEGMENT_ROOM)
        return 0;
    compact_segment(segment);
    if (len + need <= segment->cap)
        return 0;
    return resize_segment(box->as.ring, slot, segment_size(box->as.ring->bytes, len + need));
}

/* Marks for all of the segment's entries, up to count. */
static int large_need_marks(struct segment *segment, uint32_t count)
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

/* ---- small form ---- */

/* How many bytes to ask for, for a small box of at least that size. The first entry gets what it
 * needs: many boxes never hold more. Then the steps get coarser, for the same reason as above. */
static size_t small_size(const struct box *box, size_t least)
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
static int small_room(struct box **box_ptr, size_t front, size_t back)
{
    struct box *box = *box_ptr;
    size_t header = header_size(box);
    size_t len = (size_t)(box->used - box->head);
    size_t need = front + len + back;
    uint8_t *bytes;

    if (box->head >= front && (size_t)(box->as.small.cap - box->used) >= back)
        return 0;
    if (header + need > BOX_SMALL_MAX)
        return SMALL_TOO_BIG;
    if (box->as.small.cap < need) {
        size_t size = small_size(box, header + need);
        size_t usable;
        box = mem_try_realloc(box, header + box->as.small.cap, size);
        if (box == NULL)
            return -ENOMEM;
        *box_ptr = box;
        usable = mem_usable_size(box, size);
        box->as.small.cap = (uint16_t)((usable < BOX_SMALL_MAX ? usable : BOX_SMALL_MAX) - header);
    }
    bytes = at_offset(box, header);
    memmove(bytes + front, bytes + box->head, len);
    box->head = (uint16_t)front;
    box->used = (uint16_t)(front + len);
    return 0;
}

/* The header takes delta bytes, which must be dead room in front of the entries. The entries stay
 * where they are; the caller then changes what header_size goes by. */
static void small_take_front(struct box *box, size_t where, size_t delta)
{
    uint8_t *place = at_offset(box, where);

    memmove(place + delta, place, header_size(box) - where);
    memset(place, 0, delta);
    box->head = (uint16_t)(box->head - delta);
    box->used = (uint16_t)(box->used - delta);
    box->as.small.cap = (uint16_t)(box->as.small.cap - delta);
}

/* Copies the entries and marks of a small box into the first segment of ring. With room, it takes
 * that many bytes more, if a segment can, and grows as segments do. */
static int fill_first_segment(const struct box *box, struct ring *ring, size_t room)
{
    struct span span = store_span(box, 0);
    size_t len = span.used - span.head;
    struct segment *segment;

    if (span.count == 0)
        return 0;
    if (room == 0 || len + room > SEGMENT_ROOM)
        segment = new_segment(sizeof(*segment) + len);
    else
        segment = new_segment(segment_size(len, len + room));
    if (segment == NULL)
        return -ENOMEM;
    segment->used = span.used - span.head;
    segment->count = (uint8_t)span.count;
    memcpy(segment->bytes, span.bytes + span.head, segment->used);
    ring->slots[0] = (struct ring_slot){.base_ms = span.base_ms, .segment = segment};
    ring->count = 1;
    ring->bytes = segment->cap;
    if (large_need_marks(segment, span.mark_count) != 0)
        return -ENOMEM;
    if (span.mark_count > 0)
        memcpy(segment->marks, span.marks, span.mark_count * (size_t)MARK_LEN);
    return 0;
}

static void count_segments(struct box *box)
{
    struct walk walk;
    struct entry e;

    walk_init(&walk, box);
    while (walk_next(&walk, &e)) {
        store_count_in_span(box, walk.place.span, &e, 1);
        note_expiry(ring_slot(box->as.ring, walk.place.span), &e);
    }
}

/* room: bytes that will be appended at once. */
static int become_large(struct box **box_ptr, size_t room)
{
    struct box *old = *box_ptr;
    struct ring *ring = new_ring(RING_FIRST);
    struct box *box = NULL;

    if (ring == NULL || fill_first_segment(old, ring, room) != 0)
        goto fail;
    box = mem_try_alloc(marks_offset(old));
    if (box == NULL)
        goto fail;
    memcpy(box, old, marks_offset(old));
    box->flags |= BOX_IS_LARGE;
    box->mark_count = 0;
    box->head = 0;
    box->used = 0;
    box->as.ring = ring;
    count_segments(box);
    mem_free(old);
    *box_ptr = box;
    return 0;
fail:
    free_ring(ring);
    return -ENOMEM;
}

/* Bytes that a large box of at most one segment takes as a small one. */
static size_t size_as_small(const struct box *box)
{
    size_t size = marks_offset(box);

    if (box->as.ring->count > 0) {
        const struct segment *segment = ring_slot(box->as.ring, 0)->segment;
        size += segment->mark_count * (size_t)MARK_LEN + segment->used - segment->head;
    }
    return size;
}

static void become_small(struct box **box_ptr)
{
    struct box *old = *box_ptr;
    size_t size = size_as_small(old);
    struct span span = {0};
    struct box *box = mem_try_alloc(size);

    if (box == NULL)
        return;
    if (old->as.ring->count > 0)
        span = store_span(old, 0);
    memcpy(box, old, marks_offset(old));
    box->flags &= (uint8_t)~BOX_IS_LARGE;
    box->mark_count = (uint8_t)span.mark_count;
    box->head = 0;
    box->used = (uint16_t)(span.used - span.head);
    box->as.small.base_ms = span.base_ms;
    box->as.small.cap = box->used;
    if (span.mark_count > 0)
        memcpy(at_offset(box, marks_offset(box)), span.marks, span.mark_count * (size_t)MARK_LEN);
    if (box->used > 0)
        memcpy(at_offset(box, header_size(box)), span.bytes + span.head, box->used);
    free_ring(old->as.ring);
    mem_free(old);
    *box_ptr = box;
}

/* ---- the header grows ---- */

/* Puts delta zero bytes at offset where, before the marks, into the header. */
static int insert_header(struct box **box_ptr, size_t where, size_t delta)
{
    struct box *box = *box_ptr;
    size_t header;

    if (!store_is_large(box)) {
        int rc = small_room(box_ptr, delta, 0);
        if (rc == 0)
            small_take_front(*box_ptr, where, delta);
        if (rc == SMALL_TOO_BIG)
            rc = become_large(box_ptr, 0);
        if (rc != 0 || !store_is_large(*box_ptr))
            return rc;
        box = *box_ptr;
    }
    header = header_size(box);
    box = mem_try_realloc(box, header, header + delta);
    if (box == NULL)
        return -ENOMEM;
    memmove((uint8_t *)box + where + delta, (uint8_t *)box + where, header - where);
    memset((uint8_t *)box + where, 0, delta);
    *box_ptr = box;
    return 0;
}

/* 0, or -ENOMEM (only when the box has not got the field yet). */
static int set_field(struct box **box_ptr, enum field field, const void *value)
{
    size_t offset = field_offset(*box_ptr, field);

    if (((*box_ptr)->flags & fields[field].flag) == 0) {
        if (insert_header(box_ptr, offset, fields[field].len) != 0)
            return -ENOMEM;
        (*box_ptr)->flags |= fields[field].flag;
    }
    memcpy(at_offset(*box_ptr, offset), value, fields[field].len);
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

int store_set_extra(struct box **box_ptr, struct box_extra *extra)
{
    return set_field(box_ptr, FIELD_EXTRA, &extra);
}

struct box_extra *box_need_extra(struct box **box_ptr)
{
    struct box_extra *extra = box_extra(*box_ptr);

    if (extra != NULL)
        return extra;
    extra = box_extra_new();
    if (extra != NULL && store_set_extra(box_ptr, extra) != 0) {
        box_extra_free(extra);
        return NULL;
    }
    return extra;
}

int store_add_category(struct box **box_ptr)
{
    if (insert_header(box_ptr, marks_offset(*box_ptr), sizeof(struct box_category)) != 0)
        return -ENOMEM;
    (*box_ptr)->category_slots++;
    return 0;
}

/* ---- entries in and out ---- */

static int small_append(struct box **box_ptr, const struct entry *e, bool marked)
{
    struct box *box = *box_ptr;
    uint64_t base_ms = box->live > 0 ? box->as.small.base_ms : e->id.ms;
    size_t size = entry_packed_size(e, base_ms);
    size_t marks = marked ? (box->live + 1 - (size_t)box->mark_count) * MARK_LEN : 0;
    int rc;

    if (box->live >= BOX_SEGMENT_ENTRIES_MAX || size > BOX_SMALL_MAX)
        return SMALL_TOO_BIG;
    rc = small_room(box_ptr, marks, size);
    if (rc != 0)
        return rc;
    box = *box_ptr;
    if (marks > 0) {
        small_take_front(box, header_size(box), marks);
        box->mark_count = (uint8_t)(box->live + 1);
    }
    box->as.small.base_ms = base_ms;
    entry_pack((uint8_t *)at_offset(box, header_size(box)) + box->used, e, base_ms);
    box->used = (uint16_t)(box->used + size);
    return 0;
}

/* The packed size of e at the end of the last segment, or in a new one. */
static size_t large_entry_size(const struct box *box, const struct entry *e)
{
    return entry_packed_size(e, box->as.ring->count > 0 ? last_slot(box)->base_ms : e->id.ms);
}

static int large_append(struct box *box, const struct entry *e, bool marked)
{
    struct ring_slot *slot;
    struct segment *segment;

    if (large_room(box, large_entry_size(box, e)) != 0)
        return -ENOMEM;
    slot = last_slot(box);
    segment = slot->segment;
    if (marked && large_need_marks(segment, segment->count + 1u) != 0) {
        if (segment->count == 0)
            drop_segment(box->as.ring, box->as.ring->count - 1);
        return -ENOMEM;
    }
    if (segment->count == 0) {
        slot->base_ms = e->id.ms;
        segment->base_seq = e->id.seq;
    }
    entry_pack(segment->bytes + segment->used, e, slot->base_ms);
    segment->used += (uint32_t)entry_packed_size(e, slot->base_ms);
    segment->count++;
    note_expiry(slot, e);
    box->used = (uint16_t)segment->used;
    return 0;
}

int store_append(struct box **box_ptr, const struct entry *e, bool marked)
{
    if (!store_is_large(*box_ptr)) {
        int rc = small_append(box_ptr, e, marked);
        if (rc != SMALL_TOO_BIG)
            return rc;
        if (become_large(box_ptr, entry_packed_size(e, (*box_ptr)->as.small.base_ms)) != 0)
            return -ENOMEM;
    }
    return large_append(*box_ptr, e, marked);
}

int store_need_mark(struct box **box_ptr, struct notify_id id, struct place *place)
{
    struct box *box = *box_ptr;
    struct entry e;

    if (!store_is_large(box)) {
        uint32_t missing = place->ordinal + 1 - (uint32_t)box->mark_count;
        int rc;
        if (place->ordinal < box->mark_count)
            return 0;
        rc = small_room(box_ptr, missing * (size_t)MARK_LEN, 0);
        if (rc == 0) {
            small_take_front(*box_ptr, header_size(*box_ptr), missing * (size_t)MARK_LEN);
            (*box_ptr)->mark_count = (uint8_t)(place->ordinal + 1);
        }
        if (rc == SMALL_TOO_BIG)
            rc = become_large(box_ptr, 0);
        if (rc != 0)
            return rc;
        box = *box_ptr;
        (void)store_seek(box, id, place, &e);
    }
    if (store_is_large(box)) {
        struct segment *segment = ring_slot(box->as.ring, place->span)->segment;
        if (place->ordinal >= segment->mark_count)
            return large_need_marks(segment, segment->count);
    }
    return 0;
}

/* Closes the gap that the entry leaves between head and used. */
static void cut_entry(uint8_t *bytes, const struct place *place, uint32_t size, uint32_t used)
{
    memmove(bytes + place->offset, bytes + place->offset + size, used - place->offset - size);
}

static void cut_mark(uint8_t *marks, uint32_t ordinal, uint32_t mark_count)
{
    memmove(marks + ordinal * (size_t)MARK_LEN, marks + (ordinal + 1) * (size_t)MARK_LEN,
            (mark_count - ordinal - 1) * (size_t)MARK_LEN);
}

static void small_remove(struct box *box, struct place place, uint32_t size)
{
    if (place.ordinal < box->mark_count) {
        cut_mark(at_offset(box, marks_offset(box)), place.ordinal, (uint32_t)box->mark_count);
        box->mark_count--;
        box->head += MARK_LEN;
        box->used += MARK_LEN;
        box->as.small.cap = (uint16_t)(box->as.small.cap + MARK_LEN);
        place.offset += MARK_LEN;
    }
    if (place.ordinal == 0) {
        box->head = (uint16_t)(box->head + size);
    } else {
        cut_entry(at_offset(box, header_size(box)), &place, size, box->used);
        box->used = (uint16_t)(box->used - size);
    }
    if (box->head == box->used) {
        box->head = 0;
        box->used = 0;
    }
}

static void large_remove(struct box *box, const struct place *place, uint32_t size)
{
    struct ring *ring = box->as.ring;
    struct ring_slot *slot = ring_slot(ring, place->span);
    struct segment *segment = slot->segment;
    size_t len;

    if (segment->count == 1) {
        drop_segment(ring, place->span);
        return;
    }
    if ((segment->bytes[place->offset] & ENTRY_EXPIRES) == 0)
        slot->staying--;
    if (place->ordinal < segment->mark_count) {
        cut_mark(segment->marks, place->ordinal, segment->mark_count);
        segment->mark_count--;
        if (segment->mark_count == 0) {
            mem_free(segment->marks);
            segment->marks = NULL;
        }
    }
    if (place->ordinal == 0) {
        segment->head += size;
    } else {
        cut_entry(segment->bytes, place, size, segment->used);
        segment->used -= size;
    }
    segment->count--;
    len = sizeof(*segment) + segment->used - segment->head;
    if (ring->count < SEGMENT_SHRINK && segment->cap > SHRINK_FROM && len < segment->cap / 2) {
        compact_segment(segment);
        (void)resize_segment(ring, slot, len);
    }
}

void store_remove(struct box *box, const struct place *place, uint32_t size)
{
    if (store_is_large(box))
        large_remove(box, place, size);
    else
        small_remove(box, *place, size);
}

static void shrink_large(struct box **box_ptr)
{
    const struct ring *ring = (*box_ptr)->as.ring;

    if (ring->count <= 1 && size_as_small(*box_ptr) <= BOX_SMALL_MAX / 2)
        become_small(box_ptr);
    else if (ring->cap > RING_FIRST && ring->count < ring->cap / 4)
        (void)resize_ring(*box_ptr, ring->cap / 2);
}

static void shrink_small(struct box **box_ptr)
{
    struct box *box = *box_ptr;
    size_t header = header_size(box);
    size_t len = (size_t)(box->used - box->head);
    size_t size = header + box->as.small.cap;

    if (size < SHRINK_FROM || header + len > size / 2)
        return;
    memmove(at_offset(box, header), (uint8_t *)at_offset(box, header) + box->head, len);
    box->head = 0;
    box->used = (uint16_t)len;
    box = mem_try_realloc(box, header + len, header + len);
    if (box == NULL)
        return;
    box->as.small.cap = (uint16_t)len;
    *box_ptr = box;
}

void store_shrink(struct box **box_ptr)
{
    if (store_is_large(*box_ptr))
        shrink_large(box_ptr);
    else
        shrink_small(box_ptr);
}

/* ---- the whole ---- */

static void hold_categories(const struct box *box)
{
    for (uint32_t i = 0; i < box->category_slots; i++)
        category_hold((uint16_t)store_categories(box)[i].category);
}

static void release_categories(const struct box *box)
{
    for (uint32_t i = 0; i < box->category_slots; i++)
        category_release((uint16_t)store_categories(box)[i].category);
}

void store_free(struct box *box)
{
    if (box == NULL)
        return;
    release_categories(box);
    if (store_is_large(box))
        free_ring(box->as.ring);
    box_extra_free(box_extra(box));
    mem_free(box);
}

static struct segment *copy_segment(const struct segment *segment)
{
    size_t len = segment->used - segment->head;
    size_t size = sizeof(*segment) + len;
    struct segment *copy = mem_try_alloc(size);

    if (copy == NULL)
        return NULL;
    *copy = *segment;
    copy->head = 0;
    copy->used = (uint32_t)len;
    copy->cap = segment_cap(copy, size);
    copy->mark_count = 0;
    copy->marks = NULL;
    memcpy(copy->bytes, segment->bytes + segment->head, len);
    if (large_need_marks(copy, segment->mark_count) != 0) {
        mem_free(copy);
        return NULL;
    }
    if (segment->mark_count > 0)
        memcpy(copy->marks, segment->marks, segment->mark_count * (size_t)MARK_LEN);
    return copy;
}

static struct ring *copy_ring(const struct ring *ring)
{
    struct ring *copy = new_ring(ring->cap);

    if (copy == NULL)
        return NULL;
    for (uint32_t i = 0; i < ring->count; i++) {
        const struct ring_slot *slot = ring_slot(ring, i);
        struct segment *segment = copy_segment(slot->segment);
        if (segment == NULL) {
            free_ring(copy);
            return NULL;
        }
        copy->slots[i] = *slot;
        copy->slots[i].segment = segment;
        copy->bytes += segment->cap;
        copy->count++;
    }
    return copy;
}

struct box *store_copy(const struct box *box)
{
    size_t size = header_size(box) + (store_is_large(box) ? 0 : box->used);
    struct box_extra *extra = box_extra(box);
    struct box *copy = mem_try_alloc(size);

    if (copy == NULL)
        return NULL;
    memcpy(copy, box, size);
    hold_categories(copy);
    if (store_is_large(box))
        copy->as.ring = copy_ring(box->as.ring);
    else
        copy->as.small.cap = copy->used;
    if (extra != NULL) {
        extra = box_extra_copy(extra);
        (void)store_set_extra(&copy, extra); /* it has the field */
    }
    if ((store_is_large(box) && copy->as.ring == NULL) || (box_extra(box) != NULL && !extra)) {
        store_free(copy);
        return NULL;
    }
    return copy;
}

void store_visit(const struct box *box, store_visit_fn visit, void *ctx)
{
    const struct ring *ring = box->as.ring;

    if (box_extra(box) != NULL)
        box_extra_visit(box_extra(box), visit, ctx);
    if (!store_is_large(box)) {
        visit(ctx, (void *)box, header_size(box) + box->as.small.cap);
        return;
    }
    visit(ctx, (void *)box, header_size(box));
    visit(ctx, (void *)ring, ring_size(ring->cap));
    for (uint32_t i = 0; i < ring->count; i++) {
        struct segment *segment = ring_slot(ring, i)->segment;
        visit(ctx, segment, sizeof(*segment) + segment->cap);
        if (segment->marks != NULL)
            visit(ctx, segment->marks, segment->mark_count * (size_t)MARK_LEN);
    }
}
