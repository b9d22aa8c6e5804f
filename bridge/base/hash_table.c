#include "base/hash_table.h"

#include <errno.h>
#include <stdlib.h>

#define FIRST_BUCKETS 64

int hash_table_init(struct hash_table *table, hash_table_fn hash_of)
{
    *table = (struct hash_table){.mask = FIRST_BUCKETS - 1, .hash_of = hash_of};
    table->buckets = calloc(FIRST_BUCKETS, sizeof(struct hash_node *));
    if (table->buckets == NULL)
        return -ENOMEM;
    table->key = hash_key_new();
    return 0;
}

void hash_table_release(struct hash_table *table)
{
    free(table->buckets);
    table->buckets = NULL;
}

static struct hash_node **bucket_of(const struct hash_table *table, const struct hash_node *node)
{
    return &table->buckets[table->hash_of(table, node) & table->mask];
}

static void link_in(struct hash_table *table, struct hash_node *node)
{
    struct hash_node **bucket = bucket_of(table, node);

    node->next = *bucket;
    *bucket = node;
}

/* Twice the buckets; for lack of memory the chains just grow longer. */
static void grow(struct hash_table *table)
{
    struct hash_node **old = table->buckets;
    size_t len = table->mask + 1;
    struct hash_node **buckets = calloc(2 * len, sizeof(struct hash_node *));

    if (buckets == NULL)
        return;
    table->buckets = buckets;
    table->mask = 2 * len - 1;
    for (size_t i = 0; i < len; i++)
        while (old[i] != NULL) {
            struct hash_node *node = old[i];
            old[i] = node->next;
            link_in(table, node);
        }
    free(old);
}

void hash_table_add(struct hash_table *table, struct hash_node *node)
{
    if (++table->count > table->mask)
        grow(table);
    link_in(table, node);
}

void hash_table_remove(struct hash_table *table, struct hash_node *node)
{
    struct hash_node **at = bucket_of(table, node);

    while (*at != node)
        at = &(*at)->next;
    *at = node->next;
    table->count--;
}
