/* pool: blocks are zeroed, apart from each other and nobody else's, and the system has back what
 * nobody has any more. */
#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

#include "base/pool.h"
#include "random_testing.h"

#define BLOCKS 5000

static void *blocks[BLOCKS];

static bool is_all(const uint8_t *bytes, size_t len, uint8_t value)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i] != value)
            return false;
    return true;
}

/* Its bytes say which one it is. */
static void take(struct pool *pool, size_t i)
{
    blocks[i] = pool_take(pool);
    cr_assert_not_null(blocks[i]);
    cr_assert_eq((uintptr_t)blocks[i] % sizeof(void *), 0);
    cr_assert(is_all(blocks[i], pool->block, 0), "it is not zeroed");
    memset(blocks[i], (int)(i % 255 + 1), pool->block);
}

static void give(struct pool *pool, size_t i)
{
    cr_assert(is_all(blocks[i], pool->block, (uint8_t)(i % 255 + 1)), "somebody else has it too");
    pool_give(pool, blocks[i]);
    blocks[i] = NULL;
}

static size_t slabs_for(size_t bytes)
{
    size_t each = (POOL_SLAB_BYTES - 64) / bytes;

    return (BLOCKS + each - 1) / each;
}

Test(pool, blocks_of_any_size_are_zeroed_and_apart_and_lie_close)
{
    static const size_t sizes[] = {8, 24, 56, 216, 1024, POOL_BLOCK_MAX};

    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        struct pool pool;

        pool_init(&pool, sizes[s]);
        for (size_t i = 0; i < BLOCKS; i++)
            take(&pool, i);
        cr_assert_leq(pool.slabs, slabs_for(sizes[s]) + 1);
        for (size_t i = 0; i < BLOCKS; i++)
            give(&pool, i);
    }
}

Test(pool, pages_go_back_when_the_last_block_on_them_does_but_for_the_last_ones)
{
    struct pool pool;
    uint32_t all;

    pool_init(&pool, 216);
    for (size_t i = 0; i < BLOCKS; i++)
        take(&pool, i);
    all = pool.slabs;
    for (size_t i = 0; i < BLOCKS; i += 2)
        give(&pool, i);
    cr_assert_eq(pool.slabs, all, "half of each is somebody's still");
    for (size_t i = 1; i < BLOCKS; i += 2)
        give(&pool, i);
    cr_assert_eq(pool.slabs, 1);
    take(&pool, 0);
    cr_assert_eq(pool.slabs, 1);
    give(&pool, 0);
}

Test(pool, what_was_given_back_is_had_again_before_there_are_more_pages)
{
    struct pool pool;
    uint32_t all;

    pool_init(&pool, 128);
    for (size_t i = 0; i < BLOCKS; i++)
        take(&pool, i);
    all = pool.slabs;
    for (int round = 0; round < 10; round++) {
        for (size_t i = 0; i < BLOCKS; i += 3)
            give(&pool, i);
        for (size_t i = 0; i < BLOCKS; i += 3)
            take(&pool, i);
    }
    cr_assert_eq(pool.slabs, all);
    for (size_t i = 0; i < BLOCKS; i++)
        give(&pool, i);
}

Test(pool, whatever_comes_and_goes_nobody_has_what_somebody_else_has, .timeout = 60)
{
    struct pool pool;

    random_begin(7);
    pool_init(&pool, 72);
    for (int i = 0; i < 200000; i++) {
        size_t at = below(BLOCKS);
        if (blocks[at] == NULL)
            take(&pool, at);
        else
            give(&pool, at);
    }
    for (size_t i = 0; i < BLOCKS; i++)
        if (blocks[i] != NULL)
            give(&pool, i);
    cr_assert_eq(pool.slabs, 1);
}
