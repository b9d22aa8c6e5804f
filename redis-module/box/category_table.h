/* category_table -- the categories of one box, at the end of its header: a record of eight bytes
 * for each, and behind these their names; internal to the box*.c files.
 *
 *     record ... | bytes of names | start of every 16th name but the first ... | length, name ... |
 *     room
 *
 * A slot is the place of a record, from 1; 0 is "no category". Entries hold slots, which stay what
 * they are as long as the record is in use. A category is in use while it has entries or is muted;
 * the record of another is given to the next new name.
 *
 * Names are looked up by a part of a seeded hash that lies in the record: a look at all records,
 * and at one name or two. */
#ifndef CATEGORY_TABLE_H
#define CATEGORY_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "notify_str.h"

#define CATEGORY_SLOTS_BOUND 65535 /* slots have 16 bits; see limits.h */

struct box;

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

/* In one process only; the seed is that of id_table.h. */
uint32_t category_hash(struct notify_str name);

/* Bytes of records and names: a multiple of 8. */
size_t category_table_size(const struct box *box);

/* Borrowed, as long as the box does not change. slot 0: CATEGORY_NONE. O(1). */
struct notify_str category_table_name(const struct box *box, uint32_t slot);

/* 0: there is none. O(slots). */
uint32_t category_table_find(const struct box *box, struct notify_str name);
uint32_t category_table_find_hashed(const struct box *box, struct notify_str name, uint32_t hash);

/* Gives a valid name that is not there a record of its own, zeroed. May move the box. 0; -E2BIG:
 * LIMIT_CATEGORIES or CATEGORY_SLOTS_BOUND; -ENOMEM. */
int category_table_add(struct box **box, struct notify_str name, uint32_t *ret_slot);

/* Whether category_table_add would refuse for want of records. */
bool category_table_is_full(const struct box *box);

#endif
