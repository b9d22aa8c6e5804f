/* box_layout -- how a box lies in memory; internal to the box*.c files.
 *
 * Small form (box_small), one allocation:
 *     struct box | [fields] | category table | marks | entries ... room
 * Large form (box_ring):
 *     struct box | [fields] | category table | ring  -> entries of a segment ... room, its marks
 * Fields are what only some boxes have: the trimmed id, a pointer to the extra, the key's end, past
 * epochs.
 *
 * Both are seen through `struct span`: a run of packed entries with their marks. A small box is
 * span 0. Marks are the times of seeing and reading, MARK_LEN bytes for each of the first
 * mark_count entries of a span, in their order; they are made when the first entry is marked, and
 * only up to that one.
 *
 * The ring lies in the box, and what is known about a segment in the ring: from the address of a
 * box it is one step to the place where its next entry goes, in either form. With many boxes each
 * step waits for main memory.
 *
 * Here is what is where; changing it is box_store.h's. */
#ifndef BOX_LAYOUT_H
#define BOX_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "box/box_types.h"
#include "box/category_records.h"
#include "box/entry.h"

struct box_extra; /* extra.h */

#define MARK_LEN (2 * TIME48_LEN) /* seen, read */
#define STORE_SHRINK_FROM 256     /* bytes; smaller allocations are not worth shrinking */

#define BOX_IS_LARGE 0x01u
#define BOX_HAS_TRIMMED 0x02u
#define BOX_HAS_EXTRA 0x04u
#define BOX_HAS_KEY_END 0x08u
#define BOX_HAS_PAST_0 0x10u /* of the past epochs, the oldest; the next two follow */
#define BOX_HAS_PAST_1 0x20u
#define BOX_HAS_PAST_2 0x40u

struct segment {
    uint64_t base_ms;  /* entries store their times as what they are beyond it */
    uint64_t base_seq; /* with base_ms the id of the first entry that was put here */
    uint8_t *bytes;    /* owned: the entries */
    uint8_t *marks;    /* owned; NULL while mark_count is 0 */
    uint64_t
        min_expire_ms : 48; /* none of those that are in the counters expires earlier; 0: none */
    uint64_t staying : 8;   /* its entries that never expire */
    uint64_t expired : 8;   /* its entries that are out of the counters (struct ring) */
    uint32_t head;          /* offset of the first entry: what was before it has been removed */
    uint32_t used;          /* offset behind the last entry */
    uint32_t cap;           /* of bytes */
    uint8_t count;
    uint8_t unread;    /* entries with entry_is_unread() that are in the counters, muted or not */
    uint8_t countable; /* entries with entry_is_countable(), likewise */
    uint8_t mark_count;
};

/* An entry that had expired at counted_ms is out: it is in no counter but box->live and those here,
 * so that nobody who asks later has to walk over it again. A small box is walked through, and has
 * nothing out. */
struct ring {
    uint64_t bytes;      /* sum of the segments' cap: how large the box is */
    uint64_t counted_ms; /* 0: nothing is out */
    uint32_t staying;    /* entries that never expire */
    uint32_t expired;    /* entries that are out */
    uint32_t expired_unread;
    uint32_t expired_unseen;
    uint32_t unread_levels[LEVEL_COUNT]; /* box->unread by level */
    uint32_t head;
    uint32_t count;
    uint32_t cap; /* a power of two */
    struct segment segments[];
};

/* 56 bytes. Fixed part of both forms. */
struct box {
    uint64_t last_seq;
    uint64_t rev;
    uint64_t last_ms : 48;
    uint64_t category_slots : 16;
    uint64_t min_expire_ms : 48; /* of what is in the counters; 0: nothing of it expires */
    uint64_t flags : 8;
    uint64_t mark_count : 8; /* small form */
    uint64_t live : 24;      /* entries that are stored, expired or not */
    uint64_t unread : 24;
    uint64_t head : 16; /* this, used, base_ms and cap: small form, as in struct segment; else 0 */
    uint64_t unseen : 24;
    uint64_t used : 16;
    uint64_t epoch : 24; /* under which it was last written; 0: not known */
    uint64_t base_ms : 48;
    uint64_t cap : 16;
};

/* An epoch that has ended, and the last id that was written under it. */
struct past_epoch {
    uint64_t end_ms : 48;
    uint64_t epoch_high : 16;
    uint64_t end_seq : 56; /* a greater one counts as that: positions beyond are a gap */
    uint64_t epoch_low : 8;
};

_Static_assert(sizeof(struct box) == 56, "every key pays for the header");
_Static_assert(NOTIFY_ID_MAX_MS < UINT64_C(1) << 48, "times are stored in 48 bits");
_Static_assert(CATEGORY_SLOTS_BOUND < 1 << 16, "slots are counted in 16 bits");
_Static_assert(BOX_ENTRIES_MAX < 1 << 24, "entries are counted in 24 bits");
_Static_assert(BOX_EPOCH_MAX < 1 << 24, "epochs have 24 bits");
_Static_assert(sizeof(struct past_epoch) == 16, "each restart costs a box that much");
_Static_assert(BOX_SMALL_MAX < 1 << 16, "offsets of the small form have 16 bits");
_Static_assert(BOX_SEGMENT_MAX < 1 << 16, "the iterator's offsets have 16 bits");

/* One run of entries: where it lies just now. Any call that may move something makes it stale. */
struct span {
    uint8_t *bytes;
    uint8_t *marks;
    uint64_t base_ms;
    uint32_t head;
    uint32_t used;
    uint32_t cap;
    uint32_t count;
    uint32_t unread; /* large form only: 0 for a small box; so are the next two */
    uint32_t countable;
    uint32_t expired;
    uint32_t mark_count;
};

/* Where an entry lies. */
struct place {
    uint32_t span;
    uint32_t offset;
    uint32_t ordinal; /* number in the span, from 0 */
};

static inline bool store_is_large(const struct box *box)
{
    return (box->flags & BOX_IS_LARGE) != 0;
}

static inline struct notify_id store_last_id(const struct box *box)
{
    return (struct notify_id){box->last_ms, box->last_seq};
}

static inline void *store_at(const struct box *box, size_t offset)
{
    return (uint8_t *)box + offset;
}

/* Bytes of the fields in a set of them, bit i being field i. */
extern const uint8_t box_field_sums[];

/* Behind the fields: where the table of categories begins, */
static inline size_t store_table_offset(const struct box *box)
{
    return sizeof(*box) + box_field_sums[(box->flags & ~BOX_IS_LARGE) / BOX_HAS_TRIMMED];
}

/* and where it ends: a multiple of 8. Behind it lie the marks of a small box, or the ring of a
 * large one. Here, since a SEND asks a dozen times. */
static inline size_t store_table_end(const struct box *box)
{
    size_t offset = store_table_offset(box);

    return offset + category_records_size(store_at(box, offset), (uint32_t)box->category_slots);
}

/* Of a large box. */
static inline struct ring *store_ring(const struct box *box)
{
    return store_at(box, store_table_end(box));
}

/* The segment with that number, the oldest being 0. */
static inline struct segment *ring_segment(const struct ring *ring, uint32_t index)
{
    return (struct segment *)&ring->segments[(ring->head + index) & (ring->cap - 1)];
}

static inline bool store_has_trimmed(const struct box *box)
{
    return (box->flags & BOX_HAS_TRIMMED) != 0;
}

struct box_category *store_categories(const struct box *box);
struct notify_id store_trimmed_id(const struct box *box);
uint64_t store_key_end(const struct box *box); /* 0: none; see box_key_end_ms */
uint32_t store_past_count(const struct box *box);
struct past_epoch store_past(const struct box *box, uint32_t index); /* 0: the oldest */

/* ---- fields ---- */

enum box_field {
    FIELD_TRIMMED,
    FIELD_EXTRA,
    FIELD_KEY_END,
    FIELD_PAST_0,
    FIELD_PAST_1,
    FIELD_PAST_2,
    FIELD_COUNT
};
_Static_assert(FIELD_COUNT - FIELD_PAST_0 == BOX_PAST_EPOCHS_MAX, "a field for each");

struct box_field_kind {
    uint8_t flag;
    uint8_t len;
};
extern const struct box_field_kind box_fields[FIELD_COUNT];

/* Where the field is, or would be. FIELD_COUNT: what lies behind them all. */
size_t box_field_offset(const struct box *box, enum box_field field);

/* ---- what is counted ---- */

/* The time as of which the box is counted. */
static inline uint64_t store_counted_ms(const struct box *box)
{
    return store_is_large(box) ? store_ring(box)->counted_ms : 0;
}

/* Whether the entry is out of the counters. */
static inline bool store_is_out(const struct box *box, const struct entry *e)
{
    return e->expire_ms != 0 && e->expire_ms <= store_counted_ms(box);
}

/* Entries that are out. */
static inline uint32_t store_expired(const struct box *box)
{
    return store_is_large(box) ? store_ring(box)->expired : 0;
}

static inline bool store_is_muted(const struct box *box, const struct entry *e)
{
    return e->category_slot > 0 && store_categories(box)[e->category_slot - 1].muted;
}

/* ---- bytes ---- */

/* Closes the gap that an entry, or its mark, leaves between the others. */
void store_cut_entry(uint8_t *bytes, const struct place *place, uint32_t size, uint32_t used);
void store_cut_mark(uint8_t *marks, uint32_t ordinal, uint32_t mark_count);

typedef void (*store_visit_fn)(void *ctx, void *ptr, size_t bytes);

#endif
