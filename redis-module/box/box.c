/* box -- adding, marking and removing entries, and the counters that follow. How entries lie in
 * memory is box_store's, reading is box_iter's, counting under expiry box_count's. */
#include "box/box.h"

#include <errno.h>
#include <string.h>

#include "box/box_counters.h"
#include "box/box_store.h"
#include "box/category_table.h"
#include "box/collapse.h"
#include "base/limits.h"
#include "base/mem.h"

/* ---- life ---- */

struct box *box_new(void)
{
    struct box *box = mem_try_alloc(sizeof(*box));

    if (box != NULL)
        memset(box, 0, sizeof(*box));
    return box;
}

void box_free(struct box *box)
{
    store_free(box);
}

struct box *box_copy(const struct box *box)
{
    return store_copy(box);
}

/* ---- facts ---- */

struct notify_id box_last_id(const struct box *box)
{
    return store_last_id(box);
}

uint64_t box_rev(const struct box *box)
{
    return box->rev;
}

struct notify_id box_trimmed_id(const struct box *box)
{
    return store_trimmed_id(box);
}

bool box_has_gap(const struct box *box, struct notify_id after)
{
    return notify_id_cmp(store_trimmed_id(box), after) > 0 ||
           notify_id_cmp(after, store_last_id(box)) > 0;
}

uint64_t box_raise_rev(struct box *box)
{
    if (box->rev < UINT64_MAX)
        box->rev++;
    return box->rev;
}

void box_raise_rev_to(struct box *box, uint64_t rev)
{
    if (rev > box->rev)
        box->rev = rev;
}

void box_raise_last_id(struct box *box, struct notify_id id)
{
    if (id.ms > NOTIFY_ID_MAX_MS || notify_id_cmp(id, store_last_id(box)) <= 0)
        return;
    box->last_ms = id.ms;
    box->last_seq = id.seq;
}

int box_raise_trimmed_id(struct box **box, struct notify_id id)
{
    if (id.ms > NOTIFY_ID_MAX_MS || notify_id_cmp(id, store_trimmed_id(*box)) <= 0)
        return 0;
    if (store_set_trimmed(box, id) != 0)
        return -ENOMEM;
    box_raise_last_id(*box, id);
    return 0;
}

/* ---- removing one ---- */

static void remove_entry(struct box *box, const struct place *place, const struct entry *e)
{
    struct notify_str token = collapse_token(notify_str_of((const char *)e->body, e->body_len));

    if (token.ptr != NULL)
        collapse_remove(box, token, e->id);
    counters_add(box, place->span, e, -1);
    store_remove(box, place, e->size);
    if (box->live == 0)
        box->min_expire_ms = 0;
}

/* ---- adding ---- */

int box_next_id(const struct box *box, uint64_t now_ms, struct notify_id *ret_id)
{
    struct notify_id last = store_last_id(box);

    if (now_ms > NOTIFY_ID_MAX_MS)
        now_ms = NOTIFY_ID_MAX_MS;
    if (now_ms > last.ms) {
        *ret_id = (struct notify_id){now_ms, 0};
        return 0;
    }
    if (last.seq < UINT64_MAX) {
        *ret_id = (struct notify_id){last.ms, last.seq + 1};
        return 0;
    }
    if (last.ms >= NOTIFY_ID_MAX_MS)
        return -EOVERFLOW;
    *ret_id = (struct notify_id){last.ms + 1, 0};
    return 0;
}

static int check_entry(const struct box *box, const struct box_entry *entry)
{
    if (entry->id.ms > NOTIFY_ID_MAX_MS || notify_id_cmp(entry->id, store_last_id(box)) <= 0)
        return -ERANGE;
    if (entry->body.len > BOX_BODY_BOUND || limits_forbid(entry->body.len, LIMIT_BODY))
        return -EMSGSIZE;
    if (box->live >= BOX_ENTRIES_MAX)
        return -ENOSPC;
    if ((unsigned)entry->level >= LEVEL_COUNT || (unsigned)entry->kind > ENTRY_EVENT)
        return -EINVAL;
    if (entry->expire_ms > NOTIFY_ID_MAX_MS || entry->read_ms > NOTIFY_ID_MAX_MS ||
        entry->seen_ms > NOTIFY_ID_MAX_MS)
        return -EINVAL;
    return 0;
}

int box_check_append(const struct box *box, const struct box_entry *entry)
{
    int rc = check_entry(box, entry);

    if (rc != 0 || entry->category.ptr == NULL || category_table_find(box, entry->category) != 0)
        return rc;
    if (!category_is_valid(entry->category))
        return -EINVAL;
    return category_table_is_full(box) ? -E2BIG : 0;
}

/* The slot of a category, which gets one if it has none; 0 of CATEGORY_NONE. */
static int need_category_slot(struct box **box, struct notify_str category, uint32_t *ret_slot)
{
    *ret_slot = 0;
    if (category.ptr == NULL)
        return 0;
    *ret_slot = category_table_find(*box, category);
    if (*ret_slot != 0)
        return 0;
    if (!category_is_valid(category))
        return -EINVAL;
    return category_table_add(box, category, ret_slot);
}

static uint8_t flags_of(const struct box_entry *entry)
{
    uint8_t flags = (uint8_t)entry->level;

    if (entry->kind == ENTRY_EVENT)
        flags |= ENTRY_IS_EVENT;
    else if (entry->is_read)
        flags |= ENTRY_IS_READ | ENTRY_IS_SEEN;
    else if (entry->is_seen)
        flags |= ENTRY_IS_SEEN;
    if (entry->archived)
        flags |= ENTRY_IS_ARCHIVED;
    if (entry->expire_ms != 0)
        flags |= ENTRY_EXPIRES;
    return flags;
}

static void set_mark(struct box *box, const struct place *place, uint64_t seen_ms, uint64_t read_ms)
{
    struct span span = store_span(box, place->span);
    uint8_t *mark = span.marks + place->ordinal * (size_t)MARK_LEN;

    time48_put(mark, seen_ms);
    time48_put(mark + TIME48_LEN, read_ms);
}

/* The last entry expires then, or never (0). */
static void note_expiry(struct box *box, uint64_t expire_ms)
{
    uint64_t end_ms = store_key_end(box);

    if (end_ms != 0) {
        if (end_ms < expire_ms)
            end_ms = expire_ms;
        if (end_ms < box->last_ms)
            end_ms = box->last_ms;
        /* There is room for it: nothing moves. */
        (void)store_set_key_end(&box, expire_ms == 0 ? 0 : end_ms);
    }
    if (expire_ms > store_counted_ms(box) &&
        (box->min_expire_ms == 0 || expire_ms < box->min_expire_ms))
        box->min_expire_ms = expire_ms;
}

/* The counters and times of the entry that now is the last one. */
static void enter_last(struct box *box, const struct box_entry *entry, const struct entry *e)
{
    uint32_t last_span = store_span_count(box) - 1;

    counters_add(box, last_span, e, 1);
    if ((e->flags & ENTRY_IS_SEEN) != 0) {
        struct span span = store_span(box, last_span);
        struct place place = {last_span, 0, span.count - 1};
        set_mark(box, &place, entry->is_seen ? entry->seen_ms : entry->read_ms,
                 entry->is_read ? entry->read_ms : 0);
    }
    box->last_ms = e->id.ms;
    box->last_seq = e->id.seq;
    note_expiry(box, e->expire_ms);
}

static int append(struct box **box, const struct box_entry *entry, bool *ret_muted)
{
    struct entry e = {
        .id = entry->id,
        .flags = flags_of(entry),
        .expire_ms = entry->expire_ms,
        .body = (const uint8_t *)entry->body.ptr,
        .body_len = (uint32_t)entry->body.len,
    };
    int rc = need_category_slot(box, entry->category, &e.category_slot);

    if (rc == 0)
        rc = store_append(box, &e, (e.flags & ENTRY_IS_SEEN) != 0);
    if (rc != 0)
        return rc;
    enter_last(*box, entry, &e);
    *ret_muted = e.category_slot != 0 && store_categories(*box)[e.category_slot - 1].muted;
    return 0;
}

/* Of an entry that has been checked. */
static int append_new(struct box **box, const struct box_entry *entry, struct notify_str token,
                      bool *ret_muted)
{
    int rc = token.ptr == NULL ? 0 : collapse_reserve(box);

    if (rc == 0)
        rc = append(box, entry, ret_muted);
    if (rc == 0 && token.ptr != NULL)
        collapse_add(*box, token, entry->id);
    return rc;
}

int box_append(struct box **box, const struct box_entry *entry)
{
    struct notify_str token = collapse_token(entry->body);
    int rc = check_entry(*box, entry);
    bool is_muted;

    if (rc == 0 && token.ptr != NULL && collapse_find(*box, token) != NULL)
        rc = -EEXIST;
    return rc != 0 ? rc : append_new(box, entry, token, &is_muted);
}

int box_append_collapsing(struct box **box, const struct box_entry *entry, uint64_t now_ms,
                          struct box_appended *ret_appended)
{
    struct notify_str token = collapse_token(entry->body);
    struct id_slot *slot = token.ptr == NULL ? NULL : collapse_find(*box, token);
    struct notify_id old;
    struct place place;
    struct entry e;
    int rc = check_entry(*box, entry);

    *ret_appended = (struct box_appended){{0, 0}, false};
    if (rc == 0 && slot == NULL)
        return append_new(box, entry, token, &ret_appended->is_muted);
    if (rc == 0)
        rc = append(box, entry, &ret_appended->is_muted);
    if (rc != 0)
        return rc;
    old = slot->id;
    slot->id = entry->id; /* so that removing the old one leaves the index alone */
    (void)store_seek(*box, old, &place, &e);
    if (!entry_is_expired(&e, now_ms))
        ret_appended->replaced = old;
    remove_entry(*box, &place, &e);
    store_shrink(box);
    return 0;
}

/* ---- marking ---- */

struct mark_rule {
    uint8_t set; /* flags after the mark */
    uint8_t clear;
    bool for_events; /* events have it too */
};

static const struct mark_rule mark_rules[] = {
    [BOX_MARK_READ] = {ENTRY_IS_READ | ENTRY_IS_SEEN, 0, false},
    [BOX_MARK_UNREAD] = {0, ENTRY_IS_READ, false},
    [BOX_MARK_SEEN] = {ENTRY_IS_SEEN, 0, false},
    [BOX_MARK_ARCHIVED] = {ENTRY_IS_ARCHIVED, 0, true},
    [BOX_MARK_UNARCHIVED] = {0, ENTRY_IS_ARCHIVED, true},
};

static uint8_t flags_after(const struct entry *e, enum box_mark mark)
{
    const struct mark_rule *rule = &mark_rules[mark];

    if ((e->flags & ENTRY_IS_EVENT) != 0 && !rule->for_events)
        return e->flags;
    return (uint8_t)((e->flags | rule->set) & ~rule->clear);
}

/* Whether the entry gets its first time, and so needs a mark to write it in. */
static bool needs_mark(const struct entry *e, uint8_t flags)
{
    return (flags & ~e->flags & ENTRY_IS_SEEN) != 0;
}

/* Gives the entry its new flags and times, in place. Its mark exists if it needs one. */
static void apply_flags(struct box *box, const struct place *place, struct entry *e, uint8_t flags,
                        uint64_t at_ms)
{
    struct span span = store_span(box, place->span);
    uint8_t changed = flags ^ e->flags;

    counters_add(box, place->span, e, -1);
    e->flags = flags;
    span.bytes[place->offset] = flags;
    if ((flags & ENTRY_IS_SEEN) != 0) {
        uint8_t *mark = span.marks + place->ordinal * (size_t)MARK_LEN;
        if ((changed & ENTRY_IS_SEEN) != 0)
            time48_put(mark, at_ms);
        if ((changed & ENTRY_IS_READ) != 0)
            time48_put(mark + TIME48_LEN, (flags & ENTRY_IS_READ) != 0 ? at_ms : 0);
    }
    counters_add(box, place->span, e, 1);
}

int box_mark(struct box **box, struct notify_id id, enum box_mark mark, uint64_t at_ms,
             uint64_t now_ms)
{
    struct place place;
    struct entry e;
    uint8_t flags;

    if (at_ms > NOTIFY_ID_MAX_MS)
        at_ms = NOTIFY_ID_MAX_MS;
    if (!store_seek(*box, id, &place, &e) || notify_id_cmp(e.id, id) != 0 ||
        entry_is_expired(&e, now_ms))
        return 0;
    flags = flags_after(&e, mark);
    if (flags == e.flags)
        return 0;
    if (needs_mark(&e, flags) && store_need_mark(box, id, &place) != 0)
        return -ENOMEM;
    apply_flags(*box, &place, &e, flags, at_ms);
    return 1;
}

/* What box_mark_upto is about. */
struct mark_request {
    struct notify_id upto;
    uint32_t category_slot; /* 0: whatever category */
    enum box_mark mark;
    uint64_t now_ms;
};

/* The flags that e gets by the request: its own when it is not meant. */
static uint8_t flags_requested(const struct entry *e, const struct mark_request *request)
{
    if (request->category_slot != 0 && e->category_slot != request->category_slot)
        return e->flags;
    return flags_after(e, request->mark);
}

/* Makes all marks that the request will write to, span by span, so that it can no longer fail. How
 * many visible entries will change, or -ENOMEM. */
static int64_t prepare_marks(struct box **box, const struct mark_request *request)
{
    int64_t visible = 0;

    for (uint32_t i = 0; i < store_span_count(*box); i++) {
        struct place last = {i, 0, 0};
        struct notify_id last_id = {0, 0};
        struct walk walk;
        struct entry e;
        walk_init_span(&walk, *box, i);
        while (walk_next(&walk, &e) && walk.place.span == i &&
               notify_id_cmp(e.id, request->upto) <= 0) {
            uint8_t flags = flags_requested(&e, request);
            visible += flags != e.flags && !entry_is_expired(&e, request->now_ms);
            if (!needs_mark(&e, flags))
                continue;
            last = walk.place;
            last_id = e.id;
        }
        if (!notify_id_is_zero(last_id) && store_need_mark(box, last_id, &last) != 0)
            return -ENOMEM;
    }
    return visible;
}

int64_t box_mark_upto(struct box **box, struct notify_id upto, struct notify_str category,
                      enum box_mark mark, uint64_t at_ms, uint64_t now_ms)
{
    struct mark_request request = {upto, category_table_find(*box, category), mark, now_ms};
    struct walk walk;
    struct entry e;
    int64_t changed;

    if (category.ptr != NULL && request.category_slot == 0)
        return 0;
    changed = prepare_marks(box, &request);
    if (changed <= 0)
        return changed;
    if (at_ms > NOTIFY_ID_MAX_MS)
        at_ms = NOTIFY_ID_MAX_MS;
    walk_init(&walk, *box);
    while (walk_next(&walk, &e) && notify_id_cmp(e.id, upto) <= 0) {
        uint8_t flags = flags_requested(&e, &request);
        if (flags != e.flags)
            apply_flags(*box, &walk.place, &e, flags, at_ms);
    }
    return changed;
}

/* ---- muting ---- */

bool box_is_muted(const struct box *box, struct notify_str category)
{
    uint32_t slot = category_table_find(box, category);

    return slot != 0 && store_categories(box)[slot - 1].muted;
}

/* The category becomes what it is to be, but for the counters. 1: it was not; 0, -EINVAL, -E2BIG,
 * -ENOMEM. */
static int set_muted(struct box **box, struct notify_str category, bool muted,
                     struct slot_set *changed)
{
    uint32_t slot;
    int rc = 0;

    if (muted)
        rc = need_category_slot(box, category, &slot);
    else
        slot = category_table_find(*box, category);
    if (rc != 0 || slot == 0 || store_categories(*box)[slot - 1].muted == muted)
        return rc;
    store_categories(*box)[slot - 1].muted = muted;
    slot_set_add(changed, slot);
    return 1;
}

static void undo_muted(struct box *box, const struct slot_set *changed)
{
    struct box_category *table = store_categories(box);

    for (uint32_t i = 0; i < box->category_slots; i++)
        if (slot_set_has(changed, i + 1))
            table[i].muted = !table[i].muted;
}

/* rc: how many changed, or the error of the last that was to. */
static int end_muting(struct box *box, const struct slot_set *changed, bool muted, int rc)
{
    if (rc < 0)
        undo_muted(box, changed);
    else if (rc > 0)
        counters_mute(box, changed, muted ? -1 : 1);
    return rc;
}

int box_mute(struct box **box, const struct notify_str *categories, size_t count, bool muted,
             bool *ret_changed)
{
    struct slot_set changed;
    int sum = 0;
    int rc = 0;

    slot_set_init(&changed);
    for (size_t i = 0; i < count && rc >= 0; i++) {
        rc = set_muted(box, categories[i], muted, &changed);
        ret_changed[i] = rc > 0;
        sum += rc;
    }
    return end_muting(*box, &changed, muted, rc < 0 ? rc : sum);
}

/* Of a box without categories: there is nothing to be counted. 0, or an error. */
static int fill_like(struct box **box, const struct box *other)
{
    const struct box_category *table = store_categories(other);
    struct notify_str *names = mem_try_alloc(other->category_slots * sizeof(*names));
    size_t count = 0;
    int rc;

    if (names == NULL)
        return other->category_slots == 0 ? 0 : -ENOMEM;
    for (uint32_t i = 0; i < other->category_slots; i++)
        if (table[i].muted)
            names[count++] = category_table_name(other, i + 1);
    rc = category_table_fill(box, names, count);
    mem_free(names);
    return rc < 0 ? rc : (int)count;
}

int box_mute_like(struct box **box, const struct box *other)
{
    const struct box_category *table = store_categories(other);
    struct slot_set changed;
    int sum = 0;
    int rc = 0;

    if ((*box)->category_slots == 0)
        return fill_like(box, other);
    slot_set_init(&changed);
    for (uint32_t i = 0; i < other->category_slots && rc >= 0; i++) {
        rc = table[i].muted ? set_muted(box, category_table_name(other, i + 1), true, &changed) : 0;
        sum += rc;
    }
    return end_muting(*box, &changed, true, rc < 0 ? rc : sum);
}

/* ---- removing ---- */

int box_delete(struct box **box, struct notify_id id, uint64_t now_ms)
{
    struct place place;
    struct entry e;

    if (!store_seek(*box, id, &place, &e) || notify_id_cmp(e.id, id) != 0 ||
        entry_is_expired(&e, now_ms))
        return 0;
    remove_entry(*box, &place, &e);
    store_shrink(box);
    return 1;
}

int box_expire(struct box **box, struct notify_id id, uint64_t now_ms)
{
    struct place place;
    struct entry e;

    if (!store_seek(*box, id, &place, &e) || notify_id_cmp(e.id, id) != 0 || e.expire_ms == 0)
        return 0;
    if (now_ms != BOX_NEVER_EXPIRE && !entry_is_expired(&e, now_ms))
        return 0;
    remove_entry(*box, &place, &e);
    store_shrink(box);
    return 1;
}

/* What a trim takes out: the oldest entries until no more than maxlen visible ones are left, and
 * those up to an id. */
struct trim {
    uint64_t visible; /* that are there */
    uint64_t maxlen;
    struct notify_id upto;
    uint64_t now_ms;
};

/* Whether the oldest entry has to go, and which it is. It is only looked at if it may have to: in a
 * box that is not full, that would be a wait for memory that nobody needs. */
static bool find_surplus(const struct box *box, const struct trim *trim, struct place *ret_place,
                         struct entry *ret_entry)
{
    if (box->live == 0 || (trim->visible <= trim->maxlen && notify_id_is_zero(trim->upto)))
        return false;
    store_oldest(box, ret_place, ret_entry);
    return trim->visible > trim->maxlen || notify_id_cmp(ret_entry->id, trim->upto) <= 0;
}

/* How many visible ones went. The last to go is visible: what has expired leaves no gap. */
static int64_t run_trim(struct box **box, struct trim *trim, struct notify_id *ret_before)
{
    struct notify_id last = {0, 0};
    struct place place;
    struct entry e;
    int64_t count = 0;

    if (!find_surplus(*box, trim, &place, &e))
        return 0;
    if (!store_has_trimmed(*box)) {
        if (store_set_trimmed(box, last) != 0)
            return -ENOMEM;
        (void)find_surplus(*box, trim, &place, &e); /* it has moved */
    }
    do {
        if (!entry_is_expired(&e, trim->now_ms)) {
            trim->visible--;
            count++;
        }
        remove_entry(*box, &place, &e);
        last = e.id;
    } while (find_surplus(*box, trim, &place, &e));
    (void)store_set_trimmed(box, last);
    store_shrink(box);
    if (ret_before != NULL)
        *ret_before = notify_id_after(last);
    return count;
}

int64_t box_trim_maxlen(struct box **box, uint64_t maxlen, uint64_t now_ms,
                        struct notify_id *ret_before)
{
    struct trim trim = {.maxlen = maxlen, .now_ms = now_ms};

    if ((*box)->live <= maxlen)
        return 0;
    trim.visible = box_count(*box, now_ms).live;
    return run_trim(box, &trim, ret_before);
}

int64_t box_trim_minid(struct box **box, struct notify_id minid, uint64_t now_ms,
                       struct notify_id *ret_before)
{
    struct trim trim = {.visible = (*box)->live, .maxlen = UINT64_MAX, .now_ms = now_ms};

    trim.upto = box_id_before(*box, minid, now_ms);
    return run_trim(box, &trim, ret_before);
}

/* To the entry with this number in the span. False: there are fewer. */
static bool walk_to_ordinal(struct walk *walk, const struct box *box, uint32_t span,
                            uint32_t ordinal, struct entry *ret_entry)
{
    walk_init_span(walk, box, span);
    do {
        if (walk->next_offset >= walk->span.used)
            return false;
        (void)walk_next(walk, ret_entry);
    } while (walk->place.ordinal < ordinal);
    return true;
}

/* What a sweep has taken out. */
struct sweep {
    uint64_t now_ms;
    struct notify_id *ids;
    size_t count;
    size_t capacity;
};

/* Takes what has expired out of a span, which goes when it becomes empty. False: there is more than
 * there is room for. */
static bool sweep_span(struct box *box, uint32_t span, struct sweep *sweep)
{
    uint32_t spans = store_span_count(box);
    uint32_t ordinal = 0;
    uint64_t min_ms = 0;
    struct walk walk;
    struct entry e;
    bool more = walk_to_ordinal(&walk, box, span, 0, &e);

    while (more) {
        if (entry_is_expired(&e, sweep->now_ms)) {
            if (sweep->count == sweep->capacity)
                return false;
            sweep->ids[sweep->count++] = e.id;
            remove_entry(box, &walk.place, &e);
            if (store_span_count(box) < spans)
                return true;
            more = walk_to_ordinal(&walk, box, span, ordinal, &e);
        } else {
            if (e.expire_ms != 0 && !store_is_out(box, &e) && (min_ms == 0 || e.expire_ms < min_ms))
                min_ms = e.expire_ms;
            ordinal++;
            more = walk.next_offset < walk.span.used && walk_next(&walk, &e);
        }
    }
    store_set_span_min_expire(box, span, min_ms);
    return true;
}

size_t box_sweep_expired(struct box **box, uint64_t now_ms, struct notify_id *ret_ids,
                         size_t capacity)
{
    struct sweep sweep = {now_ms, ret_ids, 0, capacity};
    bool done = true;

    if (!box_has_expired(*box, now_ms))
        return 0;
    for (uint32_t i = 0; done && i < store_span_count(*box);) {
        uint32_t spans = store_span_count(*box);
        if (store_span_has_expired(*box, i, now_ms))
            done = sweep_span(*box, i, &sweep);
        if (store_span_count(*box) == spans)
            i++;
    }
    if (done)
        store_find_min_expire(*box);
    if (sweep.count > 0)
        store_shrink(box);
    return sweep.count;
}
