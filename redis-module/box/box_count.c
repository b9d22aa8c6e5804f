/* box_count -- what a box amounts to: counts (those that are kept, and what has expired since they
 * were right), the recount that checks them, and memory. Changes nothing but addresses. */
#include <errno.h>
#include <string.h>

#include "box/box.h"
#include "box/box_counters.h"
#include "box/box_extra.h"
#include "box/box_store.h"
#include "box/category_table.h"
#include "box/collapse.h"
#include "box/cursors.h"
#include "base/mem.h"

static const struct box_category *category_of(const struct box *box, const struct entry *e)
{
    return e->category_slot == 0 ? NULL : &store_categories(box)[e->category_slot - 1];
}

void box_advance(struct box *box, uint64_t now_ms)
{
    counters_advance(box, now_ms);
}

uint64_t box_stored(const struct box *box)
{
    return box->live;
}

/* The counters of the box, and what a clock of now_ms makes of them. */
static struct box_counts count_at(const struct box *box, uint64_t now_ms)
{
    struct box_counts counts = {box->live - store_expired(box), box->unread, box->unseen};
    struct walk walk;
    struct entry e;
    int step;

    walk_init(&walk, box);
    while ((step = walk_next_miscounted(&walk, now_ms, &e)) != 0) {
        counts.live += (uint64_t)(int64_t)step;
        if (store_is_muted(box, &e))
            continue;
        counts.unread += entry_is_unread(&e) ? (uint64_t)(int64_t)step : 0;
        counts.unseen += entry_is_unseen(&e) ? (uint64_t)(int64_t)step : 0;
    }
    return counts;
}

/* All that is stored. */
static struct box_counts count_stored(const struct box *box)
{
    struct box_counts counts = {box->live, box->unread, box->unseen};

    if (store_is_large(box)) {
        counts.unread += store_ring(box)->expired_unread;
        counts.unseen += store_ring(box)->expired_unseen;
    }
    return counts;
}

struct box_counts box_count(const struct box *box, uint64_t now_ms)
{
    if (now_ms == BOX_NEVER_EXPIRE)
        return count_stored(box);
    if (!store_is_counted_at(box, now_ms))
        return count_at(box, now_ms);
    return (struct box_counts){box->live - store_expired(box), box->unread, box->unseen};
}

uint64_t box_unread(const struct box *box, uint64_t now_ms)
{
    return store_is_counted_at(box, now_ms) ? box->unread : box_count(box, now_ms).unread;
}

static uint64_t count_unread_of(const struct box *box, const struct box_category *category,
                                uint64_t now_ms)
{
    uint64_t unread = category->unread;
    struct walk walk;
    struct entry e;
    int step;

    if (store_is_counted_at(box, now_ms))
        return unread;
    walk_init(&walk, box);
    while ((step = walk_next_miscounted(&walk, now_ms, &e)) != 0)
        if (category_of(box, &e) == category && entry_is_unread(&e))
            unread += (uint64_t)(int64_t)step;
    return unread;
}

uint64_t box_unread_of(const struct box *box, struct notify_str category, uint64_t now_ms)
{
    uint32_t slot = category_table_find(box, category);

    if (slot == 0 || store_categories(box)[slot - 1].muted)
        return 0;
    return count_unread_of(box, &store_categories(box)[slot - 1], now_ms);
}

size_t box_category_slots(const struct box *box)
{
    return box->category_slots;
}

/* What is kept of the first `slots` categories. */
static void take_counters(const struct box *box, struct box_category_count *counts, size_t slots)
{
    const struct box_category *table = store_categories(box);

    for (size_t i = 0; i < slots; i++)
        counts[i] = (struct box_category_count){category_table_name(box, (uint32_t)i + 1),
                                                table[i].muted, table[i].total, table[i].unread};
}

/* Makes of the unread ones what a clock of now_ms says. */
static void adjust_unread(const struct box *box, uint64_t now_ms, struct box_category_count *counts,
                          size_t slots)
{
    struct walk walk;
    struct entry e;
    int step;

    if (store_is_counted_at(box, now_ms))
        return;
    walk_init(&walk, box);
    while ((step = walk_next_miscounted(&walk, now_ms, &e)) != 0)
        if (e.category_slot > 0 && e.category_slot <= slots && entry_is_unread(&e))
            counts[e.category_slot - 1].unread += (uint64_t)(int64_t)step;
}

/* Takes what has expired out of the totals, which are of all that is stored. */
static void adjust_totals(const struct box *box, uint64_t now_ms, struct box_category_count *counts,
                          size_t slots)
{
    struct walk walk;
    struct entry e;

    for (uint32_t i = 0; i < store_span_count(box); i++) {
        if (now_ms == BOX_NEVER_EXPIRE || !store_span_has_expired(box, i, now_ms))
            continue;
        walk_init_span(&walk, box, i);
        while (walk.next_offset < walk.span.used && walk_next(&walk, &e))
            if (e.category_slot > 0 && e.category_slot <= slots && entry_is_expired(&e, now_ms))
                counts[e.category_slot - 1].total--;
    }
}

static size_t keep_counts(struct box_category_count *counts, size_t slots)
{
    size_t count = 0;

    for (size_t i = 0; i < slots; i++) {
        if (counts[i].muted)
            counts[i].unread = 0;
        if (counts[i].total > 0 || counts[i].unread > 0 || counts[i].muted)
            counts[count++] = counts[i];
    }
    return count;
}

size_t box_count_categories(const struct box *box, uint64_t now_ms,
                            struct box_category_count *counts, size_t capacity)
{
    size_t slots = box->category_slots < capacity ? box->category_slots : capacity;

    take_counters(box, counts, slots);
    adjust_unread(box, now_ms, counts, slots);
    adjust_totals(box, now_ms, counts, slots);
    return keep_counts(counts, slots);
}

size_t box_unread_categories(const struct box *box, uint64_t now_ms,
                             struct box_category_count *counts, size_t capacity)
{
    size_t slots = box->category_slots < capacity ? box->category_slots : capacity;
    size_t count = 0;

    take_counters(box, counts, slots);
    adjust_unread(box, now_ms, counts, slots);
    for (size_t i = 0; i < slots; i++) {
        counts[i].total = 0;
        if (counts[i].unread > 0 && !counts[i].muted)
            counts[count++] = counts[i];
    }
    return count;
}

static int max_level_of(const struct ring *ring)
{
    int level = LEVEL_COUNT - 1;

    while (level >= 0 && ring->unread_levels[level] == 0)
        level--;
    return level;
}

int box_max_unread_level(const struct box *box, uint64_t now_ms)
{
    int max = -1;
    struct walk walk;
    struct entry e;

    if (store_is_large(box) && store_is_counted_at(box, now_ms))
        return max_level_of(store_ring(box));
    walk_init(&walk, box);
    while (max < LEVEL_CRITICAL && walk_next(&walk, &e)) {
        if (entry_is_unread(&e) && !entry_is_expired(&e, now_ms) && !store_is_muted(box, &e) &&
            (int)entry_level(&e) > max)
            max = (int)entry_level(&e);
    }
    return max;
}

/* ---- checking ---- */

/* Order of ids, the earliest expiry, and the spans' own counts. */
static void audit_entries(const struct box *box, struct box_audit *audit)
{
    struct notify_id last = {0, 0};
    struct walk walk;
    struct entry e;

    audit->order_ok = true;
    walk_init(&walk, box);
    while (walk_next(&walk, &e)) {
        if (notify_id_cmp(e.id, last) <= 0)
            audit->order_ok = false;
        last = e.id;
        if (e.expire_ms != 0 && !store_is_out(box, &e) &&
            (audit->actual_min_expire_ms == 0 || e.expire_ms < audit->actual_min_expire_ms))
            audit->actual_min_expire_ms = e.expire_ms;
    }
    if (notify_id_cmp(last, store_last_id(box)) > 0 ||
        notify_id_cmp(store_trimmed_id(box), store_last_id(box)) > 0)
        audit->order_ok = false;
}

/* What is there, whatever the counters say. */
static struct box_counts recount(const struct box *box)
{
    struct box_counts counts = {0, 0, 0};
    struct walk walk;
    struct entry e;

    walk_init(&walk, box);
    while (walk_next(&walk, &e)) {
        counts.live++;
        if (store_is_muted(box, &e))
            continue;
        counts.unread += entry_is_unread(&e);
        counts.unseen += entry_is_unseen(&e);
    }
    return counts;
}

/* Whether what is said of entries that are out, and of levels, agrees with the entries. */
static bool ring_agrees(const struct box *box)
{
    struct ring actual = {.expired = 0};
    const struct ring *ring;
    struct walk walk;
    struct entry e;

    if (!store_is_large(box))
        return true;
    ring = store_ring(box);
    walk_init(&walk, box);
    while (walk_next(&walk, &e)) {
        bool is_muted = store_is_muted(box, &e);
        actual.staying += e.expire_ms == 0;
        if (store_is_out(box, &e)) {
            actual.expired++;
            actual.expired_unread += !is_muted && entry_is_unread(&e);
            actual.expired_unseen += !is_muted && entry_is_unseen(&e);
        } else if (!is_muted && entry_is_unread(&e)) {
            actual.unread_levels[entry_level(&e)]++;
        }
    }
    return actual.staying == ring->staying && actual.expired == ring->expired &&
           actual.expired_unread == ring->expired_unread &&
           actual.expired_unseen == ring->expired_unseen &&
           memcmp(actual.unread_levels, ring->unread_levels, sizeof(actual.unread_levels)) == 0;
}

/* Totals and unread by slot, as if nothing were muted; what is out is in the totals only. */
static void recount_categories(const struct box *box, struct box_category_count *counts)
{
    struct walk walk;
    struct entry e;

    memset(counts, 0, box->category_slots * sizeof(*counts));
    walk_init(&walk, box);
    while (walk_next(&walk, &e)) {
        if (e.category_slot == 0)
            continue;
        counts[e.category_slot - 1].total++;
        counts[e.category_slot - 1].unread += !store_is_out(box, &e) && entry_is_unread(&e);
    }
}

/* Whether what a large box says of a span's expiries agrees with its entries. */
static bool expiries_agree(const struct box *box, uint32_t index)
{
    uint64_t min_ms = store_span_min_expire(box, index);
    struct span span = store_span(box, index);
    uint32_t staying = 0;
    struct entry e;

    for (uint32_t offset = span.head; offset < span.used; offset += e.size) {
        entry_unpack(span.bytes + offset, span.base_ms, &e);
        staying += e.expire_ms == 0;
        if (e.expire_ms != 0 && !store_is_out(box, &e) && (min_ms == 0 || e.expire_ms < min_ms))
            return false;
    }
    return !store_is_large(box) || staying == ring_segment(store_ring(box), index)->staying;
}

/* Whether every span's own counts agree with its entries. */
static bool spans_agree(const struct box *box)
{
    bool agree = true;

    for (uint32_t i = 0; i < store_span_count(box); i++) {
        struct span span = store_span(box, i);
        uint32_t count = 0;
        uint32_t unread = 0;
        uint32_t countable = 0;
        uint32_t expired = 0;
        struct entry e;
        for (uint32_t offset = span.head; offset < span.used; offset += e.size) {
            entry_unpack(span.bytes + offset, span.base_ms, &e);
            count++;
            expired += store_is_out(box, &e);
            unread += !store_is_out(box, &e) && entry_is_unread(&e);
            countable += !store_is_out(box, &e) && entry_is_countable(&e);
            if ((e.flags & ENTRY_IS_SEEN) != 0 && count > span.mark_count)
                agree = false;
        }
        agree = agree && expiries_agree(box, i) && count == span.count && span.used <= span.cap &&
                span.mark_count <= count && expired == span.expired &&
                (!store_is_large(box) || (unread == span.unread && countable == span.countable));
    }
    return agree;
}

static int audit_categories(const struct box *box, struct box_audit *audit)
{
    const struct box_category *table = store_categories(box);
    size_t slots = box->category_slots;
    struct box_category_count *counts;

    audit->categories = slots;
    if (slots == 0)
        return 0;
    counts = mem_try_alloc(slots * sizeof(*counts));
    if (counts == NULL)
        return -ENOMEM;
    recount_categories(box, counts);
    for (size_t i = 0; i < slots; i++)
        if (counts[i].total != table[i].total || counts[i].unread != table[i].unread)
            audit->categories_wrong++;
    mem_free(counts);
    return 0;
}

int box_verify(const struct box *box, struct box_audit *ret_audit)
{
    struct box_audit audit = {
        .stored = count_stored(box),
        .actual = recount(box),
        .stored_min_expire_ms = box->min_expire_ms,
        .collapse_ok = collapse_is_sound(box),
        .key_end_ok = box_key_end_is_sound(box, box_key_end_ms(box)),
        .cursors_ok = cursors_are_sound(box_cursors(box)),
    };

    if (audit_categories(box, &audit) != 0)
        return -ENOMEM;
    audit_entries(box, &audit);
    audit.sound = audit.order_ok && audit.collapse_ok && audit.key_end_ok && audit.cursors_ok &&
                  audit.categories_wrong == 0 && spans_agree(box) && ring_agrees(box) &&
                  audit.stored.live == audit.actual.live &&
                  audit.stored.unread == audit.actual.unread &&
                  audit.stored.unseen == audit.actual.unseen &&
                  (audit.actual_min_expire_ms == 0 ||
                   (audit.stored_min_expire_ms != 0 &&
                    audit.stored_min_expire_ms <= audit.actual_min_expire_ms));
    *ret_audit = audit;
    return 0;
}

/* ---- memory ---- */

struct memory_sum {
    size_t bytes;
    size_t allocations;
};

static void add_memory(void *ctx, void *ptr, size_t bytes)
{
    struct memory_sum *sum = ctx;

    sum->bytes += mem_usable_size(ptr, bytes);
    sum->allocations++;
}

size_t box_bytes(const struct box *box)
{
    struct memory_sum sum = {0, 0};

    store_visit(box, add_memory, &sum);
    return sum.bytes;
}

static void add_allocation(void *ctx, void *ptr, size_t bytes)
{
    (void)ptr, (void)bytes;
    ++*(size_t *)ctx;
}

size_t box_allocations(const struct box *box)
{
    size_t count = 1 + (store_is_large(box) ? store_span_count(box) : 0);

    if (box_extra(box) != NULL)
        box_extra_visit(box_extra(box), add_allocation, &count);
    return count;
}

size_t box_segments(const struct box *box)
{
    return store_span_count(box);
}
