/* mem -- where the module's plain core gets its memory from: hooks that the module points at the
 * server's allocator before anything else runs, and tests at malloc or at an allocator that fails.
 *
 * Every request here may fail and says so by NULL: sizes depend on what clients and payloads hold,
 * so running out must never take the server down. Hooks are set once, before any allocation; free
 * may then be called from any thread. */
#ifndef MEM_H
#define MEM_H

#include <stddef.h>

struct mem_hooks {
    void *(*try_alloc)(size_t bytes);              /* NULL when there is no memory */
    void *(*try_realloc)(void *ptr, size_t bytes); /* may be NULL: then alloc, copy, free is used */
    void (*free)(void *ptr);                       /* accepts NULL; safe in any thread */
    size_t (*usable_size)(void *ptr); /* bytes that may be written; NULL: as asked for */
};

/* hooks is copied. Without a call, malloc's family is used. */
void mem_set_hooks(const struct mem_hooks *hooks);

/* NULL for no memory and for bytes == 0. The contents are undefined. */
void *mem_try_alloc(size_t bytes);

/* Grows or shrinks ptr (NULL: allocates), keeping the first min(old_bytes, bytes) bytes. old_bytes
 * is what the caller asked for last time or less. NULL on failure: ptr then stays valid and
 * unchanged. */
void *mem_try_realloc(void *ptr, size_t old_bytes, size_t bytes);

void mem_free(void *ptr);

/* Bytes that really belong to ptr (at least what was asked for); asked is the answer when the
 * allocator cannot tell. All of them may be used. */
size_t mem_usable_size(void *ptr, size_t asked);

#endif
