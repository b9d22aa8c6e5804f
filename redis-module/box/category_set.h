/* category_set -- a set of categories, and a choice among entries by category.
 *
 * A bit for every number that a process can give out: 4 KiB, for the stack of a command or for a
 * static variable. Adding and asking are O(1). */
#ifndef CATEGORY_SET_H
#define CATEGORY_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "box/category.h"

#define CATEGORY_SET_WORDS ((CATEGORY_LIMIT + 64) / 64)

struct category_set {
    uint64_t words[CATEGORY_SET_WORDS];
};

static inline void category_set_init(struct category_set *set)
{
    memset(set, 0, sizeof(*set));
}

/* CATEGORY_NONE and numbers that cannot be are left out. */
static inline void category_set_add(struct category_set *set, uint16_t category)
{
    if (category != CATEGORY_NONE && category <= CATEGORY_LIMIT)
        set->words[category / 64] |= UINT64_C(1) << (category % 64);
}

static inline bool category_set_has(const struct category_set *set, uint16_t category)
{
    return category <= CATEGORY_LIMIT &&
           (set->words[category / 64] >> (category % 64) & UINT64_C(1)) != 0;
}

/* What is chosen: entries whose category is in `only` and not in `without`. NULL: no such
 * condition. An entry without a category is in no set. */
struct category_choice {
    const struct category_set *only;    /* borrowed */
    const struct category_set *without; /* borrowed */
};

static inline bool category_choice_admits(const struct category_choice *choice, uint16_t category)
{
    if (choice->only != NULL && !category_set_has(choice->only, category))
        return false;
    return choice->without == NULL || !category_set_has(choice->without, category);
}

#endif
