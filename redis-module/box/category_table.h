/* category_table -- the categories of one box: looked up, and added to; internal to the box*.c
 * files. How they lie in its header is category_records.h's.
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

#include "box/category_records.h"
#include "notify_str.h"

struct box;

/* In one process only; the seed is that of id_table.h. */
uint32_t category_hash(struct notify_str name);

/* Borrowed, as long as the box does not change. slot 0: CATEGORY_NONE. O(1). */
struct notify_str category_table_name(const struct box *box, uint32_t slot);

/* 0: there is none. O(slots). */
uint32_t category_table_find(const struct box *box, struct notify_str name);
uint32_t category_table_find_hashed(const struct box *box, struct notify_str name, uint32_t hash);

/* Gives a valid name that is not there a record of its own, zeroed. May move the box. 0; -E2BIG:
 * LIMIT_CATEGORIES or CATEGORY_SLOTS_BOUND; -ENOMEM. */
int category_table_add(struct box **box, struct notify_str name, uint32_t *ret_slot);

/* Gives a box that has no categories these, which differ from each other, all muted. 0; -E2BIG;
 * -ENOMEM. O(bytes of the names). */
int category_table_fill(struct box **box, const struct notify_str *names, size_t count);

/* Whether category_table_add would refuse for want of records. */
bool category_table_is_full(const struct box *box);

#endif
