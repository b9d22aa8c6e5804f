#include "clients/askers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* It is there as long as it has something. */
struct asker {
    struct hash_node node; /* first */
    size_t count;
    size_t name_len;
    char name[];
};

static struct notify_str name_of(const struct asker *asker)
{
    return notify_str_of(asker->name, asker->name_len);
}

static uint64_t hash_of(const struct hash_table *table, const struct hash_node *node)
{
    return hash_bytes(&table->key, name_of((const struct asker *)node));
}

int askers_init(struct askers *askers)
{
    return hash_table_init(&askers->table, hash_of);
}

void askers_release(struct askers *askers)
{
    hash_table_release(&askers->table);
}

static struct asker *find(const struct askers *askers, struct notify_str name)
{
    struct hash_node *node = hash_table_chain(&askers->table, hash_bytes(&askers->table.key, name));

    while (node != NULL && !notify_str_eq(name_of((struct asker *)node), name))
        node = node->next;
    return (struct asker *)node;
}

static struct asker *add(struct askers *askers, struct notify_str name)
{
    struct asker *asker = calloc(1, sizeof(*asker) + name.len);

    if (asker == NULL)
        return NULL;
    asker->name_len = name.len;
    memcpy(asker->name, name.ptr, name.len);
    hash_table_add(&askers->table, &asker->node);
    return asker;
}

int asker_take(struct askers *askers, struct notify_str name, struct asker **ret)
{
    *ret = find(askers, name);
    if (*ret == NULL)
        *ret = add(askers, name);
    if (*ret == NULL)
        return -ENOMEM;
    if ((*ret)->count >= askers->max)
        return -EDQUOT;
    (*ret)->count++;
    return 0;
}

void asker_give(struct askers *askers, struct asker *asker)
{
    if (--asker->count > 0)
        return;
    hash_table_remove(&askers->table, &asker->node);
    free(asker);
}
