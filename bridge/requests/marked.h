/* marked -- what a request marks as seen or read, as far as it says so: how long that took is
 * counted once it is done (docs/metrics.md). */
#ifndef MARKED_H
#define MARKED_H

#include <stdint.h>

#include <jansson.h>

#include "notify_id.h"
#include "notify_str.h"

struct loop;
struct marked;

/* The one entry of that id, in text; or, if that is empty, those of an array of ids, which is
 * borrowed and may be NULL. The caller frees it by free(). NULL: none is named, or out of memory.
 */
struct marked *marked_new(struct notify_str id, const json_t *ids);
/* So many of them were not read before, and are now. If that is not all, which of them were is not
 * known. marked may be NULL, here and below. */
void marked_read(const struct marked *marked, int64_t changed, const struct loop *loop);
/* All up to the last of them are seen, of which so many were not. */
void marked_seen(const struct marked *marked, int64_t changed, const struct loop *loop);
/* The one of that id is read now, if changed is not 0. */
void marked_one_read(struct notify_str id, int64_t changed, const struct loop *loop);

#endif
