/* box_iter -- finding entries and walking over ranges of them, both ways, with filters. Changes
 * nothing. */
#include <string.h>

#include "box/body.h"
#include "box/box.h"
#include "box/box_store.h"
#include "box/category_table.h"
#include "box/collapse.h"
#include "base/json_text.h"

static void fill_entry(const struct box *box, const struct span *span, uint32_t ordinal,
                       const struct entry *e, struct box_entry *ret)
{
    *ret = (struct box_entry){
        .id = e->id,
        .kind = (e->flags & ENTRY_IS_EVENT) != 0 ? ENTRY_EVENT : ENTRY_NOTIFICATION,
        .level = (enum entry_level)(e->flags & ENTRY_LEVEL_MASK),
        .archived = (e->flags & ENTRY_IS_ARCHIVED) != 0,
        .is_read = (e->flags & ENTRY_IS_READ) != 0,
        .is_seen = (e->flags & ENTRY_IS_SEEN) != 0,
        .category_slot = (uint16_t)e->category_slot,
        .expire_ms = e->expire_ms,
        .body = notify_str_of((const char *)e->body, e->body_len),
    };
    if (e->category_slot > 0) {
        const struct box_category *category = &store_categories(box)[e->category_slot - 1];
        ret->category = category_table_name(box, e->category_slot);
        ret->is_muted = category->muted;
    }
    if (ret->is_seen) {
        const uint8_t *mark = span->marks + ordinal * (size_t)MARK_LEN;
        ret->seen_ms = time48_get(mark);
        ret->read_ms = time48_get(mark + TIME48_LEN);
    }
}

bool box_find(const struct box *box, struct notify_id id, uint64_t now_ms,
              struct box_entry *ret_entry)
{
    struct place place;
    struct entry e;
    struct span span;

    if (!store_seek(box, id, &place, &e) || notify_id_cmp(e.id, id) != 0 ||
        entry_is_expired(&e, now_ms))
        return false;
    span = store_span(box, place.span);
    fill_entry(box, &span, place.ordinal, &e, ret_entry);
    return true;
}

bool box_find_collapse(const struct box *box, struct notify_str token, uint64_t now_ms,
                       struct box_entry *ret_entry)
{
    struct text_buf escaped = TEXT_BUF_INIT;
    const struct id_slot *slot = NULL;

    if (json_text_escape(&escaped, token) && !escaped.failed)
        slot = collapse_find(box, text_buf_str(&escaped));
    text_buf_release(&escaped);
    return slot != NULL && box_find(box, slot->id, now_ms, ret_entry);
}

/* ---- filters ---- */

struct state_rule {
    uint8_t mask; /* these flags ... */
    uint8_t want; /* ... must be so */
};

static const struct state_rule state_rules[] = {
    [BOX_PRESENT] = {ENTRY_IS_ARCHIVED, 0},
    [BOX_NOTIFICATIONS] = {ENTRY_IS_EVENT | ENTRY_IS_ARCHIVED, 0},
    [BOX_UNREAD] = {ENTRY_IS_EVENT | ENTRY_IS_READ | ENTRY_IS_ARCHIVED, 0},
    [BOX_READ] = {ENTRY_IS_EVENT | ENTRY_IS_READ | ENTRY_IS_ARCHIVED, ENTRY_IS_READ},
    [BOX_UNSEEN] = {ENTRY_IS_EVENT | ENTRY_IS_SEEN | ENTRY_IS_ARCHIVED, 0},
    [BOX_ARCHIVED] = {ENTRY_IS_ARCHIVED, ENTRY_IS_ARCHIVED},
    [BOX_ALL] = {0, 0},
};

/* The slots of the categories that the filter names. False: it names some, and there is none. */
static bool find_slots(struct box_iter *iter)
{
    const struct box_filter *filter = &iter->range.filter;
    size_t count = filter->category_count;

    iter->slot_count = 0;
    if (count > BOX_FILTER_CATEGORIES_MAX)
        count = BOX_FILTER_CATEGORIES_MAX;
    for (size_t i = 0; i < count; i++) {
        uint32_t slot = category_table_find(iter->box, filter->categories[i]);
        if (slot != 0)
            iter->slots[iter->slot_count++] = (uint16_t)slot;
    }
    return count == 0 || iter->slot_count > 0;
}

static bool category_matches(const struct box_iter *iter, const struct entry *e)
{
    if (iter->range.filter.category_count == 0)
        return true;
    for (uint32_t i = 0; i < iter->slot_count; i++)
        if (iter->slots[i] == e->category_slot)
            return true;
    return false;
}

static bool text_matches(const struct entry *e, enum body_field field, struct notify_str missing,
                         struct notify_str wanted)
{
    struct notify_str body = notify_str_of((const char *)e->body, e->body_len);
    struct notify_str text;

    if (wanted.ptr == NULL)
        return true;
    text = body_find(body, field);
    if (text.ptr == NULL)
        return missing.ptr != NULL && notify_str_eq(missing, wanted);
    return json_text_equals(text, wanted);
}

static bool level_matches(const struct box_filter *filter, const struct entry *e)
{
    unsigned level = e->flags & ENTRY_LEVEL_MASK;

    return !filter->has_level || level == (unsigned)filter->level ||
           (filter->or_above && level > (unsigned)filter->level);
}

static bool entity_matches(const struct box_filter *filter, const struct entry *e)
{
    static const struct notify_str none = {"", 0};

    return filter->entity_type.ptr == NULL ||
           (text_matches(e, BODY_ENTITY_TYPE, none, filter->entity_type) &&
            text_matches(e, BODY_ENTITY_ID, none, filter->entity_id));
}

static bool entry_matches(const struct box_iter *iter, const struct entry *e)
{
    const struct box_filter *filter = &iter->range.filter;
    const struct state_rule *rule = &state_rules[filter->state];

    if ((e->flags & rule->mask) != rule->want)
        return false;
    return level_matches(filter, e) && category_matches(iter, e) && entity_matches(filter, e) &&
           text_matches(e, BODY_TYPE, notify_str_of(NULL, 0), filter->type) &&
           text_matches(e, BODY_EVENT, NOTIFY_STR(NOTIFY_EVENT_DEFAULT), filter->event);
}

/* ---- iteration ---- */

/* Notes where the entries of the present segment start, up to the greatest id of the range. */
static void note_offsets(struct box_iter *iter)
{
    struct span span = store_span(iter->box, iter->segment);
    struct entry e;

    iter->ordinal = 0;
    for (uint32_t offset = span.head; offset < span.used; offset += e.size) {
        entry_unpack(span.bytes + offset, span.base_ms, &e);
        if (notify_id_cmp(e.id, iter->range.to) > 0)
            return;
        iter->offsets[iter->ordinal++] = (uint16_t)offset;
    }
}

void box_iter_init(struct box_iter *iter, const struct box *box, const struct box_range *range)
{
    struct place place;
    struct entry e;

    iter->box = box;
    iter->range = *range;
    iter->segment = 0;
    iter->offset = 0;
    iter->ordinal = 0;
    iter->done = store_span_count(box) == 0 || notify_id_cmp(range->from, range->to) > 0 ||
                 !find_slots(iter);
    if (iter->done)
        return;
    if (range->reverse) {
        iter->segment = store_span_of(box, range->to);
        note_offsets(iter);
        return;
    }
    iter->done = !store_seek(box, range->from, &place, &e);
    if (iter->done)
        return;
    iter->segment = place.span;
    iter->offset = place.offset;
    iter->ordinal = place.ordinal;
}

/* Whether the present segment can hold nothing that the filter lets through. */
static bool can_skip(const struct box_iter *iter, const struct span *span)
{
    if (!store_is_large(iter->box))
        return false;
    if (span->expired > 0 && (iter->range.now_ms == BOX_NEVER_EXPIRE ||
                              iter->range.now_ms < store_counted_ms(iter->box)))
        return false;
    return span->expired == span->count ||
           (iter->range.filter.state == BOX_UNREAD && span->unread == 0);
}

/* The next entry in the segment or in those that follow, whatever the filter says. */
static bool step_forward(struct box_iter *iter, struct span *span, struct entry *e,
                         uint32_t *ret_ordinal)
{
    while (iter->offset >= span->used || can_skip(iter, span)) {
        if (iter->segment + 1 >= store_span_count(iter->box))
            return false;
        *span = store_span(iter->box, ++iter->segment);
        iter->offset = span->head;
        iter->ordinal = 0;
    }
    entry_unpack(span->bytes + iter->offset, span->base_ms, e);
    *ret_ordinal = iter->ordinal++;
    iter->offset += e->size;
    return notify_id_cmp(e->id, iter->range.to) <= 0;
}

static bool step_backward(struct box_iter *iter, struct span *span, struct entry *e,
                          uint32_t *ret_ordinal)
{
    while (iter->ordinal == 0) {
        if (iter->segment == 0)
            return false;
        *span = store_span(iter->box, --iter->segment);
        if (!can_skip(iter, span))
            note_offsets(iter);
    }
    *ret_ordinal = --iter->ordinal;
    entry_unpack(span->bytes + iter->offsets[iter->ordinal], span->base_ms, e);
    return notify_id_cmp(e->id, iter->range.from) >= 0;
}

bool box_iter_next(struct box_iter *iter, struct box_entry *ret_entry)
{
    struct span span;
    struct entry e;
    uint32_t ordinal;

    if (iter->done)
        return false;
    span = store_span(iter->box, iter->segment);
    while (iter->range.reverse ? step_backward(iter, &span, &e, &ordinal)
                               : step_forward(iter, &span, &e, &ordinal)) {
        if (entry_is_expired(&e, iter->range.now_ms) || !entry_matches(iter, &e))
            continue;
        fill_entry(iter->box, &span, ordinal, &e, ret_entry);
        return true;
    }
    iter->done = true;
    return false;
}

static struct notify_id first_of(const struct box *box, bool reverse, struct notify_id to,
                                 uint64_t now_ms)
{
    struct box_range range = {
        .to = to, .reverse = reverse, .now_ms = now_ms, .filter = BOX_FILTER_ALL};
    struct box_iter iter;
    struct box_entry entry;

    box_iter_init(&iter, box, &range);
    return box_iter_next(&iter, &entry) ? entry.id : (struct notify_id){0, 0};
}

struct notify_id box_id_before(const struct box *box, struct notify_id id, uint64_t now_ms)
{
    return first_of(box, true, notify_id_before(id), now_ms);
}

struct notify_id box_first_visible(const struct box *box, uint64_t now_ms)
{
    return first_of(box, false, store_last_id(box), now_ms);
}
