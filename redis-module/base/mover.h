/* mover -- how allocations are handed to somebody who may move them, for active defragmentation.
 *
 * What owns them goes through them from *cursor on (0: the beginning), until should_stop says so:
 * then it returns true, and *cursor says where to go on; it may change until then. */
#ifndef BASE_MOVER_H
#define BASE_MOVER_H

#include <stdbool.h>
#include <stddef.h>

struct mover {
    void *(*move)(void *ctx, void *ptr); /* NULL: it stays; else the new address */
    bool (*should_stop)(void *ctx);      /* asked now and then; NULL: never */
    void *ctx;
};

/* Where it lies from now on; the second accepts NULL, which stays so. */
static inline void *mover_moved(const struct mover *mover, void *ptr)
{
    void *new_ptr = mover->move(mover->ctx, ptr);

    return new_ptr != NULL ? new_ptr : ptr;
}

static inline void *mover_moved_if(const struct mover *mover, void *ptr)
{
    return ptr == NULL ? NULL : mover_moved(mover, ptr);
}

#endif
