/* category_choice -- see category_choice.h. */
#include "box/category_choice.h"

#include <string.h>

#include "box/box_store.h"

enum { FEW = 4 }; /* muted categories that are looked for one by one */

#define CAP_MAX (sizeof((struct muted_set *)0)->slots / sizeof(uint16_t))

/* ---- what is muted ---- */

static uint32_t count_muted(const struct box *box)
{
    const struct box_category *records = store_categories(box);
    uint32_t count = 0;

    for (uint32_t i = 0; i < box->category_slots; i++)
        count += records[i].muted;
    return count;
}

/* Puts the slots into a hash table, which is to be at most half full. */
static void fill(struct muted_set *set)
{
    const struct box_category *records = store_categories(set->box);

    memset(set->slots, 0, set->cap * sizeof(set->slots[0]));
    for (uint32_t i = 0; i < set->box->category_slots; i++) {
        uint32_t at = records[i].hash & (set->cap - 1);
        if (!records[i].muted)
            continue;
        while (set->slots[at] != 0)
            at = (at + 1) & (set->cap - 1);
        set->slots[at] = (uint16_t)(i + 1);
    }
}

void muted_set_init(struct muted_set *set, const struct box *box)
{
    uint32_t count = box == NULL ? 0 : count_muted(box);

    set->box = count == 0 ? NULL : box;
    set->cap = 0;
    if (count <= FEW || count > CAP_MAX / 2)
        return;
    set->cap = FEW * 2;
    while (set->cap < count * 2)
        set->cap *= 2;
    fill(set);
}

static bool is_muted(const struct muted_set *set, struct notify_str name, uint32_t hash)
{
    const struct box_category *records = store_categories(set->box);
    uint32_t slot;

    if (set->cap == 0) {
        slot = category_table_find_hashed(set->box, name, hash);
        return slot != 0 && records[slot - 1].muted;
    }
    for (uint32_t at = hash & (set->cap - 1); set->slots[at] != 0; at = (at + 1) & (set->cap - 1)) {
        slot = set->slots[at];
        if (records[slot - 1].hash == hash &&
            notify_str_eq(category_table_name(set->box, slot), name))
            return true;
    }
    return false;
}

bool muted_set_has(const struct muted_set *set, const struct box *log, uint32_t slot)
{
    return set->box != NULL && slot != 0 &&
           is_muted(set, category_table_name(log, slot), store_categories(log)[slot - 1].hash);
}

/* ---- what counts ---- */

static void set_bit(uint64_t *words, uint32_t slot, bool value)
{
    uint64_t bit = UINT64_C(1) << (slot % 64);

    words[slot / 64] = value ? words[slot / 64] | bit : words[slot / 64] & ~bit;
}

static void admit_only(struct category_wish *wish, const struct box *log)
{
    memset(wish->words, wish->only_count == 0 ? 0xff : 0,
           ((size_t)log->category_slots / 64 + 1) * sizeof(wish->words[0]));
    for (size_t i = 0; i < wish->only_count; i++) {
        uint32_t slot = category_table_find(log, wish->only[i]);
        if (slot != 0)
            set_bit(wish->words, slot, true);
    }
}

static void withdraw_muted(struct category_wish *wish, const struct box *log)
{
    const struct box_category *records = store_categories(log);
    struct category_choice choice = {wish->words};

    for (uint32_t slot = 1; slot <= log->category_slots; slot++)
        if (records[slot - 1].total > 0 && category_choice_admits(&choice, slot) &&
            is_muted(&wish->muted, category_table_name(log, slot), records[slot - 1].hash))
            set_bit(wish->words, slot, false);
}

/* Whether something that the log has is left out. */
static bool leaves_out(const struct category_wish *wish, const struct box *log)
{
    const struct box_category *records = store_categories(log);
    struct category_choice choice = {wish->words};

    if (wish->only_count > 0)
        return true;
    for (uint32_t slot = 1; slot <= log->category_slots; slot++)
        if (records[slot - 1].total > 0 && !category_choice_admits(&choice, slot))
            return true;
    return false;
}

struct category_choice category_wish_for(struct category_wish *wish, const struct box *log)
{
    if (wish->only_count == 0 && (wish->muted.box == NULL || log->category_slots == 0))
        return CATEGORY_CHOICE_ALL;
    admit_only(wish, log);
    if (wish->muted.box != NULL)
        withdraw_muted(wish, log);
    return (struct category_choice){leaves_out(wish, log) ? wish->words : NULL};
}
