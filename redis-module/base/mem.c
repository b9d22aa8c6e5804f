/* mem -- the allocator hooks of the plain core. No policy: limits belong to those who ask. */
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static struct mem_hooks hooks = {
    .try_alloc = malloc,
    .try_realloc = realloc,
    .free = free,
    .usable_size = NULL,
};

void mem_set_hooks(const struct mem_hooks *new_hooks)
{
    hooks = *new_hooks;
}

void *mem_try_alloc(size_t bytes)
{
    return bytes == 0 ? NULL : hooks.try_alloc(bytes);
}

void *mem_try_realloc(void *ptr, size_t old_bytes, size_t bytes)
{
    void *moved;

    if (bytes == 0)
        return NULL;
    if (ptr == NULL)
        return hooks.try_alloc(bytes);
    if (hooks.try_realloc != NULL)
        return hooks.try_realloc(ptr, bytes);
    moved = hooks.try_alloc(bytes);
    if (moved == NULL)
        return NULL;
    memcpy(moved, ptr, old_bytes < bytes ? old_bytes : bytes);
    hooks.free(ptr);
    return moved;
}

void mem_free(void *ptr)
{
    if (ptr != NULL)
        hooks.free(ptr);
}

size_t mem_usable_size(void *ptr, size_t asked)
{
    return hooks.usable_size == NULL ? asked : hooks.usable_size(ptr);
}
