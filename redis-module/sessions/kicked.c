/* kicked -- see kicked.h. Buckets of a few slots each, found by a hash that also stands for the
 * name. */
#include "sessions/kicked.h"

#include <stddef.h>
#include <string.h>

#include "base/id_table.h"
#include "base/mem.h"

#define BUCKET_SLOTS 8
#define BUCKETS (KICKED_MAX / BUCKET_SLOTS)

struct slot {
    uint64_t name;
    uint64_t until_ms; /* 0: free */
};

static struct slot (*buckets)[BUCKET_SLOTS]; /* NULL until the first one */

static uint64_t hash_of(const struct kicked_name *name)
{
    uint64_t hash = id_table_hash(name->key) ^ (uint64_t)(unsigned)name->db;

    return hash << 32 | id_table_hash(name->connection);
}

static struct slot *bucket_of(uint64_t hash)
{
    return buckets[(hash ^ hash >> 32) % BUCKETS];
}

static bool make_table(void)
{
    size_t bytes = BUCKETS * sizeof(*buckets);

    if (buckets == NULL) {
        buckets = mem_try_alloc(bytes);
        if (buckets != NULL)
            memset(buckets, 0, bytes);
    }
    return buckets != NULL;
}

void kicked_note(const struct kicked_name *name, uint64_t until_ms)
{
    uint64_t hash = hash_of(name);
    struct slot *bucket, *slot;

    if (!make_table())
        return;
    bucket = slot = bucket_of(hash);
    for (size_t i = 1; i < BUCKET_SLOTS && slot->name != hash; i++)
        if (bucket[i].name == hash || bucket[i].until_ms < slot->until_ms)
            slot = &bucket[i];
    *slot = (struct slot){hash, until_ms};
}

bool kicked_has(const struct kicked_name *name, uint64_t now_ms)
{
    uint64_t hash = hash_of(name);
    const struct slot *bucket;

    if (buckets == NULL)
        return false;
    bucket = bucket_of(hash);
    for (size_t i = 0; i < BUCKET_SLOTS; i++)
        if (bucket[i].name == hash && bucket[i].until_ms > now_ms)
            return true;
    return false;
}

void kicked_release(void)
{
    mem_free(buckets);
    buckets = NULL;
}
