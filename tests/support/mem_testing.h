/* mem_testing -- an allocator for tests of the module's core: counts what is allocated and can fail
 * at the n-th request. Header only; each test program is one translation unit. */
#ifndef MEM_TESTING_H
#define MEM_TESTING_H

#include <stdlib.h>

#include "base/mem.h"

static long mem_testing_live;           /* allocations that have not been freed */
static long mem_testing_fail_from;      /* the request, from now on, that fails first; 0: none */
static long mem_testing_fail_count = 1; /* how many fail from there on */

static inline int mem_testing_fails(void)
{
    if (mem_testing_fail_from == 0)
        return 0;
    if (mem_testing_fail_from > 1) {
        mem_testing_fail_from--;
        return 0;
    }
    if (--mem_testing_fail_count == 0) {
        mem_testing_fail_from = 0;
        mem_testing_fail_count = 1;
    }
    return 1;
}

static inline void *mem_testing_alloc(size_t bytes)
{
    void *ptr = mem_testing_fails() ? NULL : malloc(bytes);

    mem_testing_live += ptr != NULL;
    return ptr;
}

static inline void *mem_testing_realloc(void *ptr, size_t bytes)
{
    return mem_testing_fails() ? NULL : realloc(ptr, bytes);
}

static inline void mem_testing_free(void *ptr)
{
    mem_testing_live -= ptr != NULL;
    free(ptr);
}

/* Without realloc, the path through alloc, copy and free is taken. */
static inline void mem_testing_install(int with_realloc)
{
    struct mem_hooks hooks = {
        .try_alloc = mem_testing_alloc,
        .try_realloc = with_realloc ? mem_testing_realloc : NULL,
        .free = mem_testing_free,
    };

    mem_testing_live = 0;
    mem_testing_fail_from = 0;
    mem_testing_fail_count = 1;
    mem_set_hooks(&hooks);
}

static inline void mem_testing_fail_at(long request)
{
    mem_testing_fail_from = request;
    mem_testing_fail_count = 1;
}

#endif
