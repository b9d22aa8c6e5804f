/* hash_table -- objects found by a keyed hash of what names them: chains of nodes that lie in the
 * objects (best as their first member), in a table that grows with them. It owns the buckets alone,
 * and knows nothing of names: who looks for one walks the chain of its hash. */
#ifndef HASH_TABLE_H
#define HASH_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"

struct hash_node {
    struct hash_node *next; /* in the chain */
};

struct hash_table;

/* The hash of the object that node lies in. */
typedef uint64_t (*hash_table_fn)(const struct hash_table *table, const struct hash_node *node);

struct hash_table {
    struct hash_node **buckets; /* owned */
    size_t mask, count;         /* count: nodes */
    struct hash_key key;        /* for hash_bytes() */
    hash_table_fn hash_of;
};

/* 0, or -ENOMEM. A table that is all zero may be released. */
int hash_table_init(struct hash_table *table, hash_table_fn hash_of);
/* Of the buckets: whose nodes are in it sees to them before. */
void hash_table_release(struct hash_table *table);

void hash_table_add(struct hash_table *table, struct hash_node *node);
/* It must be there. */
void hash_table_remove(struct hash_table *table, struct hash_node *node);

/* Where those of that hash, and some others, begin; NULL: there are none. */
static inline struct hash_node *hash_table_chain(const struct hash_table *table, uint64_t hash)
{
    return table->buckets[hash & table->mask];
}

/* Each node of the table, in no order; the body may remove and free the one that it is given. */
#define HASH_TABLE_FOREACH(node, next_node, table)                                                 \
    for (size_t bucket_ = 0; bucket_ <= (table)->mask; bucket_++)                                  \
        for ((node) = (table)->buckets[bucket_];                                                   \
             (node) != NULL && ((next_node) = (node)->next, true); (node) = (next_node))

#endif
