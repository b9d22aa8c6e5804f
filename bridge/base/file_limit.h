/* file_limit -- how many files the process may have open. */
#ifndef FILE_LIMIT_H
#define FILE_LIMIT_H

#include <stddef.h>

/* Raises the limit as far as the system lets us. Returns how many of `wanted` can be had when some
 * are kept free for what is no client: so many of which the caller knows (listeners, links to
 * Redis), and a few besides. */
size_t file_limit_raise(size_t wanted, size_t besides);

#endif
