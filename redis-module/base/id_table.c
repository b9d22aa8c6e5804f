/* id_table -- see id_table.h. Linear probing; removing moves later slots of the same run back, so
 * that a search may end at the first free one. */
#include "base/id_table.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"

#define CAP_FIRST 4u

static uint64_t hash_seed = UINT64_C(14695981039346656037); /* FNV-1a's, until there is another */

void id_table_seed(uint64_t seed)
{
    hash_seed = seed;
}

/* FNV-1a from a secret start, folded at the end: its low bits alone are poor. */
uint32_t id_table_hash(struct notify_str text)
{
    uint64_t hash = hash_seed;

    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (unsigned char)text.ptr[i]) * UINT64_C(1099511628211);
    hash ^= hash >> 32;
    hash *= UINT64_C(0xd6e8feb86659fd93);
    return (uint32_t)(hash >> 32);
}

struct id_slot *id_table_find(const struct id_table *table, uint32_t hash, id_table_match_fn match,
                              const void *ctx)
{
    uint32_t mask = table->cap - 1;

    if (table->cap == 0)
        return NULL;
    for (uint32_t i = hash & mask; table->slots[i].tag != 0; i = (i + 1) & mask)
        if (table->slots[i].hash == hash && match(ctx, &table->slots[i]))
            return &table->slots[i];
    return NULL;
}

static void put(struct id_table *table, const struct id_slot *slot)
{
    uint32_t mask = table->cap - 1;
    uint32_t i = slot->hash & mask;

    while (table->slots[i].tag != 0)
        i = (i + 1) & mask;
    table->slots[i] = *slot;
}

static int resize(struct id_table *table, uint32_t cap)
{
    struct id_table larger = {.count = table->count, .cap = cap};

    larger.slots = mem_try_alloc(id_table_bytes(&larger));
    if (larger.slots == NULL)
        return -ENOMEM;
    memset(larger.slots, 0, id_table_bytes(&larger));
    for (uint32_t i = 0; i < table->cap; i++)
        if (table->slots[i].tag != 0)
            put(&larger, &table->slots[i]);
    mem_free(table->slots);
    *table = larger;
    return 0;
}

int id_table_reserve(struct id_table *table)
{
    if ((uint64_t)(table->count + 1) * 4 <= (uint64_t)table->cap * 3)
        return 0;
    return resize(table, table->cap == 0 ? CAP_FIRST : table->cap * 2);
}

void id_table_add(struct id_table *table, const struct id_slot *slot)
{
    put(table, slot);
    table->count++;
}

/* Whether a slot that belongs at home, and lies at i, may move to the free one: not if that lies
 * before its home in the run. */
static bool may_fill(uint32_t home, uint32_t i, uint32_t free, uint32_t mask)
{
    return ((i - home) & mask) >= ((i - free) & mask);
}

void id_table_remove(struct id_table *table, struct id_slot *slot)
{
    uint32_t mask = table->cap - 1;
    uint32_t free = (uint32_t)(slot - table->slots);

    for (uint32_t i = (free + 1) & mask; table->slots[i].tag != 0; i = (i + 1) & mask) {
        if (!may_fill(table->slots[i].hash & mask, i, free, mask))
            continue;
        table->slots[free] = table->slots[i];
        free = i;
    }
    table->slots[free].tag = 0;
    table->count--;
    if (table->cap > CAP_FIRST && table->count < table->cap / 8)
        (void)resize(table, table->cap / 2); /* without memory it stays large */
}

void id_table_release(struct id_table *table)
{
    mem_free(table->slots);
    *table = (struct id_table){NULL, 0, 0};
}

int id_table_copy(struct id_table *to, const struct id_table *from)
{
    *to = (struct id_table){NULL, 0, 0};
    if (from->cap == 0)
        return 0;
    to->slots = mem_try_alloc(id_table_bytes(from));
    if (to->slots == NULL)
        return -ENOMEM;
    memcpy(to->slots, from->slots, id_table_bytes(from));
    to->count = from->count;
    to->cap = from->cap;
    return 0;
}
