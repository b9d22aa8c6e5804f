/* small -- memory of what there is once or several times for each connection, and stays as long as
 * that: by size, in pools (base/pool.h). What is needed for a moment, or is of no size that recurs,
 * is the heap's. */
#ifndef SMALL_H
#define SMALL_H

#include <stddef.h>

/* Zeroed. NULL: out of memory. Only for the one thread that there is. */
void *small_take(size_t bytes);
/* bytes: what it was taken with. NULL is fine. */
void small_give(void *block, size_t bytes);

#endif
