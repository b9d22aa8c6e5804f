/* category_records -- how the categories of one box lie at the end of its header: a record of eight
 * bytes for each, and behind these their names; internal to the box*.c files.
 *
 *     record ... | bytes of names | start of every 16th name but the first ... | length, name ... |
 *     room */
#ifndef CATEGORY_RECORDS_H
#define CATEGORY_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CATEGORY_SLOTS_BOUND 65535 /* slots have 16 bits; see limits.h */
#define CATEGORY_NAMES_GROUP 16    /* that one start serves: as many steps to the last of them */

struct box_category {
    uint64_t hash : 15; /* category_hash() of the name */
    uint64_t muted : 1;
    uint64_t total : 24;  /* of all that is stored */
    uint64_t unread : 24; /* of what is in the counters, as if it were not muted */
};

static inline bool category_is_in_use(const struct box_category *category)
{
    return category->total > 0 || category->muted;
}

/* Behind the records; a box without categories has none. */
struct category_names {
    uint32_t cap; /* bytes for names */
    uint32_t starts[];
};

static inline struct category_names *category_names_of(struct box_category *records, uint32_t slots)
{
    return (struct category_names *)(void *)(records + slots);
}

static inline uint32_t category_start_count(uint32_t slots)
{
    return slots == 0 ? 0 : (slots - 1) / CATEGORY_NAMES_GROUP;
}

/* Bytes of records, cap and starts. */
static inline size_t category_fixed_size(uint32_t slots)
{
    if (slots == 0)
        return 0;
    return slots * sizeof(struct box_category) + sizeof(struct category_names) +
           category_start_count(slots) * sizeof(uint32_t);
}

/* Bytes of records and names: a multiple of 8. */
static inline size_t category_records_size(struct box_category *records, uint32_t slots)
{
    return slots == 0 ? 0 : category_fixed_size(slots) + category_names_of(records, slots)->cap;
}

#endif
