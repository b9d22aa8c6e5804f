/* pool -- blocks of one size, for very many objects that stay: side by side, with nothing before
 * each, on pages of their own, which go back to the system when the last block on them is given
 * back.
 *
 * On the heap what stays and what is needed for a moment lie among each other: what was needed
 * while ten thousand clients came in leaves holes then, which nothing fills and no page is free of.
 */
#ifndef POOL_H
#define POOL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#define POOL_SLAB_BYTES 65536 /* of which as many blocks as fit are cut */
#define POOL_BLOCK_MAX 4096
#define POOL_BLOCK_MIN sizeof(void *)

/* For blocks of so many bytes: a multiple of POOL_BLOCK_MIN, at most POOL_BLOCK_MAX. */
struct pool {
    LIST_HEAD(pool_slabs, pool_slab) open; /* those with room */
    uint32_t block;                        /* bytes of one */
    uint32_t slabs;                        /* that it has of the system */
};

void pool_init(struct pool *pool, size_t bytes);
/* Zeroed, and aligned as a pointer is. NULL: out of memory. */
void *pool_take(struct pool *pool);
void pool_give(struct pool *pool, void *block);

#endif
