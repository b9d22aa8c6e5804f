/* jemalloc_shim -- preloaded into a redis-server together with AddressSanitizer.
 *
 * Redis 8 allocates partly through names that only jemalloc has, which the sanitizer does not
 * replace; what one of the two handed out would then be given back to the other. Here these names
 * lead to the C library's, which are the sanitizer's. See jemalloc(3) for what they do. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define FLAG_ALIGN_MASK 0x3f /* logarithm of the alignment */
#define FLAG_ZERO 0x40

#define EXPORT __attribute__((visibility("default")))

EXPORT void *mallocx(size_t size, int flags);
EXPORT void *rallocx(void *ptr, size_t size, int flags);
EXPORT void dallocx(void *ptr, int flags);
EXPORT void sdallocx(void *ptr, size_t size, int flags);

void *mallocx(size_t size, int flags)
{
    size_t align = (size_t)1 << (flags & FLAG_ALIGN_MASK);
    void *ptr = NULL;

    if (align <= sizeof(void *))
        ptr = malloc(size);
    else if (posix_memalign(&ptr, align, size) != 0)
        return NULL;
    if (ptr != NULL && (flags & FLAG_ZERO) != 0)
        memset(ptr, 0, size);
    return ptr;
}

void *rallocx(void *ptr, size_t size, int flags)
{
    (void)flags; /* Redis asks for no alignment and no zeros here */
    return realloc(ptr, size);
}

void dallocx(void *ptr, int flags)
{
    (void)flags;
    free(ptr);
}

void sdallocx(void *ptr, size_t size, int flags)
{
    (void)size;
    (void)flags;
    free(ptr);
}
