#include "base/small.h"

#include <stdlib.h>

#include "base/pool.h"

#define SMALL_MAX 1024 /* larger ones are the heap's */

#if defined(__SANITIZE_ADDRESS__)
#define WATCHED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WATCHED 1
#endif
#endif

#ifdef WATCHED

/* Then each block is one of the heap's: only so it is seen when one is used that was given back, or
 * has been forgotten. */
static struct pool *pool_for(size_t bytes)
{
    (void)bytes;
    return NULL;
}

#else

/* NULL: it is the heap's. */
static struct pool *pool_for(size_t bytes)
{
    static struct pool pools[SMALL_MAX / POOL_BLOCK_MIN + 1];
    size_t words = (bytes + POOL_BLOCK_MIN - 1) / POOL_BLOCK_MIN;

    if (bytes == 0 || bytes > SMALL_MAX)
        return NULL;
    if (pools[words].block == 0)
        pool_init(&pools[words], words * POOL_BLOCK_MIN);
    return &pools[words];
}

#endif

void *small_take(size_t bytes)
{
    struct pool *pool = pool_for(bytes);

    return pool == NULL ? calloc(1, bytes) : pool_take(pool);
}

void small_give(void *block, size_t bytes)
{
    struct pool *pool = pool_for(bytes);

    if (block == NULL)
        return;
    if (pool == NULL)
        free(block);
    else
        pool_give(pool, block);
}
