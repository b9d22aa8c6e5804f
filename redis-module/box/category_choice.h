/* category_choice -- which categories of a log count for somebody who follows it: those that he has
 * asked for, but for those that he has muted. He knows them by name, a log has slots for them; so
 * a choice is made for one log at a time. */
#ifndef CATEGORY_CHOICE_H
#define CATEGORY_CHOICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "box/box_types.h"
#include "box/category_table.h"
#include "notify_str.h"

#define CATEGORY_CHOICE_WORDS ((CATEGORY_SLOTS_BOUND + 64) / 64)

/* Of one log, as long as it does not change. */
struct category_choice {
    const uint64_t *admitted; /* a bit for each slot, also for 0: no category. NULL: everything */
};
#define CATEGORY_CHOICE_ALL ((struct category_choice){NULL})

static inline bool category_choice_admits(const struct category_choice *choice, uint32_t slot)
{
    return choice->admitted == NULL || (choice->admitted[slot / 64] >> (slot % 64) & 1) != 0;
}

/* The categories that a box has muted, to be looked up by name. */
struct muted_set {
    const struct box *box; /* borrowed; NULL: nothing is muted */
    uint32_t cap;          /* of slots; 0: they are few, or very many, and looked for in the box */
    uint16_t slots[16384];
};

/* box: NULL: none. */
void muted_set_init(struct muted_set *set, const struct box *box);
/* The category with this slot in a log; 0: no category. */
bool muted_set_has(const struct muted_set *set, const struct box *log, uint32_t slot);

/* What of any log counts for a box. Some 40 KiB, made to be used again: for a static variable. */
struct category_wish {
    const struct notify_str *only; /* borrowed */
    size_t only_count;             /* 0: whatever category */
    struct muted_set muted;
    uint64_t words[CATEGORY_CHOICE_WORDS];
};

/* What of this log does. The choice lies in the wish, until it is made for another log.
 * O(categories of the log), or O(1) where nothing is left out. */
struct category_choice category_wish_for(struct category_wish *wish, const struct box *log);

#endif
