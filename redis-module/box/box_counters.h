/* box_counters -- the only place that changes the counters of a box, and the time as of which they
 * count. Internal to the box*.c files. */
#ifndef BOX_COUNTERS_H
#define BOX_COUNTERS_H

#include "box/box_store.h"

/* Takes e, which lies in that span, into the counters (direction 1) or out of them (-1). */
void counters_add(struct box *box, uint32_t span, const struct entry *e, int direction);

/* The slots of the box's table of categories, from 0. */
struct slot_set {
    uint64_t words[BOX_CATEGORIES_MAX / 64];
};

static inline void slot_set_add(struct slot_set *set, uint32_t slot)
{
    set->words[slot / 64] |= UINT64_C(1) << (slot % 64);
}

static inline bool slot_set_has(const struct slot_set *set, uint32_t slot)
{
    return (set->words[slot / 64] >> (slot % 64) & 1) != 0;
}

/* Entries of these categories counted until now and do so no more (direction -1), or did not and do
 * (1). One walk. */
void counters_mute(struct box *box, const struct slot_set *slots, int direction);

#endif
