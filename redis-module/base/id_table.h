/* id_table -- a hash table that leads from a text to an id. It keeps the hash only: the text lies
 * with the owner, who says which of the slots with the same hash is meant.
 *
 * One allocation, open addressing, no tombstones. A zeroed struct is an empty table. Plain C. */
#ifndef ID_TABLE_H
#define ID_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "notify_id.h"
#include "notify_str.h"

struct id_slot {
    struct notify_id id;
    uint32_t hash;
    uint32_t tag; /* the owner's, never 0: that is a free slot */
};

struct id_table {
    struct id_slot *slots; /* owned; NULL while cap is 0 */
    uint32_t count;
    uint32_t cap; /* a power of two, at least a third more than count */
};

/* Mixed into every hash, so that nobody outside can tell which texts collide; to be set once,
 * before the first table. */
void id_table_seed(uint64_t seed);
uint32_t id_table_hash(struct notify_str text);

typedef bool (*id_table_match_fn)(const void *ctx, const struct id_slot *slot);
/* NULL: none. Borrowed until the next change. */
struct id_slot *id_table_find(const struct id_table *table, uint32_t hash, id_table_match_fn match,
                              const void *ctx);

/* Makes room for one more: 0, or -ENOMEM and nothing has changed. */
int id_table_reserve(struct id_table *table);
/* After id_table_reserve. */
void id_table_add(struct id_table *table, const struct id_slot *slot);
/* Room for one more remains. */
void id_table_remove(struct id_table *table, struct id_slot *slot);

void id_table_release(struct id_table *table);
/* *to is overwritten. 0, or -ENOMEM and it is empty. */
int id_table_copy(struct id_table *to, const struct id_table *from);

static inline size_t id_table_bytes(const struct id_table *table)
{
    return table->cap * sizeof(struct id_slot);
}

#endif
