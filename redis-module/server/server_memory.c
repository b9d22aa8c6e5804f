/* server_memory -- see server_memory.h. */
#include "server/server_memory.h"

#include "base/mem.h"
#include "server/module_api.h"
#include "server/replay.h"

static void *try_alloc(size_t bytes)
{
    void *ptr = rm_TryAlloc(bytes);

    return ptr == NULL && replay_needs_memory() ? rm_Alloc(bytes) : ptr;
}

static void *try_realloc(void *old, size_t bytes)
{
    void *ptr = rm_TryRealloc(old, bytes);

    return ptr == NULL && replay_needs_memory() ? rm_Realloc(old, bytes) : ptr;
}

static void free_memory(void *ptr)
{
    rm_Free(ptr);
}

void server_memory_use(void)
{
    struct mem_hooks hooks = {
        .try_alloc = try_alloc,
        /* There is none before 7.4: allocate, copy, free. */
        .try_realloc = rm_TryRealloc == NULL ? NULL : try_realloc,
        .free = free_memory,
        .usable_size = rm_MallocUsableSize,
    };

    mem_set_hooks(&hooks);
}
