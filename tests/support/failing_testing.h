/* failing_testing -- an allocator that fails when it is told to, for tests that compile files of
 * ours into themselves once more, with malloc() and the others defined as these. Header only; each
 * test program is one translation unit. */
#ifndef FAILING_TESTING_H
#define FAILING_TESTING_H

#include <stdbool.h>
#include <stdlib.h>

static long fail_at; /* the request that fails; 0: none */

static inline bool fails(void)
{
    return fail_at > 0 && --fail_at == 0;
}

static inline void *failing_malloc(size_t bytes)
{
    return fails() ? NULL : malloc(bytes);
}

static inline void *failing_calloc(size_t count, size_t bytes)
{
    return fails() ? NULL : calloc(count, bytes);
}

static inline void *failing_realloc(void *ptr, size_t bytes)
{
    return fails() ? NULL : realloc(ptr, bytes);
}

#endif
