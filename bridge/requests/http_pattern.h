/* http_pattern -- paths with names for some of their parts: "/api/v1/notifications/{id}/read". */
#ifndef HTTP_PATTERN_H
#define HTTP_PATTERN_H

#include <stdbool.h>

#include "notify_str.h"

typedef void (*http_part_fn)(void *ctx, struct notify_str name, struct notify_str value);

/* Does path fit, part by part? A named part stands for any that is not empty. fn (may be NULL) is
 * called for each of them, with slices of the two; it may have been called before that was found
 * out. */
bool http_pattern_fits(struct notify_str pattern, struct notify_str path, http_part_fn fn,
                       void *ctx);

#endif
