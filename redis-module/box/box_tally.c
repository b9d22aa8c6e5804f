/* box_tally -- see box_tally.h. */
#include "box/box_tally.h"

#include "box/box_store.h"
#include "box/cover_map.h"

/* One count, while it is made. */
struct tally {
    const struct box *box;
    struct notify_id from;
    struct notify_id to;
    const struct category_choice *choice;
    const struct cover_map *map; /* NULL: nothing is covered */
    uint64_t now_ms;
};

static bool counts(const struct tally *tally, const struct entry *e)
{
    return entry_is_countable(e) && !entry_is_expired(e, tally->now_ms) &&
           category_choice_admits(tally->choice, e->category_slot) &&
           (tally->map == NULL || !cover_map_has(tally->map, e->category_slot, e->id));
}

/* Entry by entry, of one span. */
static uint64_t count_span(const struct tally *tally, const struct span *span)
{
    uint64_t count = 0;
    struct entry e;

    for (uint32_t offset = span->head; offset < span->used; offset += e.size) {
        entry_unpack(span->bytes + offset, span->base_ms, &e);
        if (notify_id_cmp(e.id, tally->to) > 0)
            break;
        if (notify_id_cmp(e.id, tally->from) >= 0)
            count += counts(tally, &e);
    }
    return count;
}

static uint64_t count_all(const struct tally *tally)
{
    const struct box *box = tally->box;
    bool takes_all = tally->choice->admitted == NULL && tally->map == NULL;
    uint64_t count = 0;
    uint32_t first;
    uint32_t last;

    if (box->live == 0 || notify_id_cmp(tally->from, tally->to) > 0)
        return 0;
    first = store_span_of(box, tally->from);
    last = store_span_of(box, tally->to);
    for (uint32_t i = first; i <= last; i++) {
        struct span span = store_span(box, i);
        bool is_counted = store_is_large(box) && store_span_is_counted_at(box, i, tally->now_ms);
        if (is_counted && span.countable == 0)
            continue;
        if (is_counted && i > first && i < last && takes_all)
            count += span.countable;
        else
            count += count_span(tally, &span);
    }
    return count;
}

uint64_t box_tally(const struct box *box, struct notify_id from, struct notify_id to,
                   const struct category_choice *choice, uint64_t now_ms)
{
    struct tally tally = {box, from, to, choice, NULL, now_ms};

    return count_all(&tally);
}

uint64_t box_tally_open(const struct box *box, struct notify_id after, struct notify_id to,
                        const struct category_choice *choice, const struct cover_map *map,
                        uint64_t now_ms)
{
    struct tally tally = {box, notify_id_after(after), to, choice, NULL, now_ms};
    uint64_t count = 0;

    if (map != NULL && notify_id_cmp(map->max, after) > 0) {
        struct tally reached = tally;
        reached.map = map;
        reached.to = notify_id_cmp(map->max, to) < 0 ? map->max : to;
        count = count_all(&reached);
        tally.from = notify_id_after(map->max);
    }
    return count + count_all(&tally);
}

void box_probe_init(struct box_probe *probe, const struct box *box,
                    const struct category_choice *choice, uint64_t now_ms)
{
    *probe = (struct box_probe){.box = box, .choice = choice, .now_ms = now_ms, .span = UINT32_MAX};
}

bool box_probe_has(struct box_probe *probe, struct notify_id id)
{
    struct tally tally = {probe->box, id, id, probe->choice, NULL, probe->now_ms};
    uint32_t index = store_span_of(probe->box, id);
    struct span span;
    struct entry e;

    if (index >= store_span_count(probe->box))
        return false;
    span = store_span(probe->box, index);
    if (index != probe->span) {
        probe->span = index;
        probe->offset = span.head;
    }
    while (probe->offset < span.used) {
        int order;
        entry_unpack(span.bytes + probe->offset, span.base_ms, &e);
        order = notify_id_cmp(e.id, id);
        probe->slot = e.category_slot;
        if (order >= 0)
            return order == 0 && counts(&tally, &e);
        probe->offset += e.size;
    }
    return false;
}
