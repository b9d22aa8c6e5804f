#include "base/pool.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

/* A block that nobody has. */
struct pool_free {
    struct pool_free *next;
};

/* Begins at a multiple of POOL_SLAB_BYTES: so a block says where its slab is. */
struct pool_slab {
    LIST_ENTRY(pool_slab) link; /* while it has room */
    struct pool_free *given;    /* those that were given back, */
    uint32_t fresh;             /* and where those begin that nobody has had: bytes */
    uint32_t used;              /* blocks that somebody has */
};

void pool_init(struct pool *pool, size_t bytes)
{
    assert(bytes > 0 && bytes <= POOL_BLOCK_MAX && bytes % POOL_BLOCK_MIN == 0);
    LIST_INIT(&pool->open);
    pool->block = (uint32_t)bytes;
    pool->slabs = 0;
}

static void *map(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return at == MAP_FAILED ? NULL : at;
}

static bool is_aligned(const void *at)
{
    return (uintptr_t)at % POOL_SLAB_BYTES == 0;
}

/* Where the system has not put it right by itself, as it does beside the one before. */
static void *map_aligned(void)
{
    char *at = map(2 * (size_t)POOL_SLAB_BYTES);
    size_t before = at == NULL ? 0 : POOL_SLAB_BYTES - (uintptr_t)at % POOL_SLAB_BYTES;

    if (at == NULL)
        return NULL;
    (void)munmap(at, before); /* what cannot be given back is only kept, here and below */
    (void)munmap(at + before + POOL_SLAB_BYTES, POOL_SLAB_BYTES - before);
    return at + before;
}

static struct pool_slab *slab_new(struct pool *pool)
{
    struct pool_slab *slab = map(POOL_SLAB_BYTES);

    if (slab != NULL && !is_aligned(slab)) {
        (void)munmap(slab, POOL_SLAB_BYTES);
        slab = map_aligned();
    }
    if (slab == NULL)
        return NULL;
    slab->fresh = sizeof(*slab); /* the rest is zero */
    LIST_INSERT_HEAD(&pool->open, slab, link);
    pool->slabs++;
    return slab;
}

static bool is_full(const struct pool *pool, const struct pool_slab *slab)
{
    return slab->given == NULL && slab->fresh + pool->block > POOL_SLAB_BYTES;
}

void *pool_take(struct pool *pool)
{
    struct pool_slab *slab = LIST_FIRST(&pool->open);
    struct pool_free *block;

    if (slab == NULL && (slab = slab_new(pool)) == NULL)
        return NULL;
    block = slab->given;
    if (block != NULL) {
        slab->given = block->next;
        memset(block, 0, pool->block);
    } else {
        block = (void *)((char *)slab + slab->fresh);
        slab->fresh += pool->block;
    }
    slab->used++;
    if (is_full(pool, slab))
        LIST_REMOVE(slab, link);
    return block;
}

/* One is kept, so that who comes and goes does not have pages mapped each time. */
static bool is_only_open(const struct pool *pool, const struct pool_slab *slab)
{
    return LIST_FIRST(&pool->open) == slab && LIST_NEXT(slab, link) == NULL;
}

void pool_give(struct pool *pool, void *ptr)
{
    struct pool_free *block = ptr;
    struct pool_slab *slab = (void *)((char *)ptr - (uintptr_t)ptr % POOL_SLAB_BYTES);

    if (is_full(pool, slab))
        LIST_INSERT_HEAD(&pool->open, slab, link);
    block->next = slab->given;
    slab->given = block;
    slab->used--;
    if (slab->used > 0 || is_only_open(pool, slab))
        return;
    LIST_REMOVE(slab, link);
    pool->slabs--;
    (void)munmap(slab, POOL_SLAB_BYTES);
}
