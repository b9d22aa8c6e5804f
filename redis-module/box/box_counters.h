/* box_counters -- the only place that changes the counters of a box, and the time as of which they
 * count. Internal to the box*.c files. */
#ifndef BOX_COUNTERS_H
#define BOX_COUNTERS_H

#include "box/box_store.h"

/* Takes e, which lies in that span, into the counters (direction 1) or out of them (-1). */
void counters_add(struct box *box, uint32_t span, const struct entry *e, int direction);

/* Slots of the box's table of categories, from 1. */
struct slot_set {
    uint32_t used; /* words; the others mean nothing */
    uint64_t words[CATEGORY_SLOTS_BOUND / 64 + 1];
};

static inline void slot_set_init(struct slot_set *set)
{
    set->used = 0;
}

static inline void slot_set_add(struct slot_set *set, uint32_t slot)
{
    while (set->used <= slot / 64)
        set->words[set->used++] = 0;
    set->words[slot / 64] |= UINT64_C(1) << (slot % 64);
}

static inline bool slot_set_has(const struct slot_set *set, uint32_t slot)
{
    return slot / 64 < set->used && (set->words[slot / 64] >> (slot % 64) & 1) != 0;
}

/* See box_advance. */
void counters_advance(struct box *box, uint64_t now_ms);

/* Entries of these categories counted until now and do so no more (direction -1), or did not and do
 * (1). One walk. */
void counters_mute(struct box *box, const struct slot_set *slots, int direction);

#endif
