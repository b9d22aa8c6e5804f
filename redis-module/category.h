/* category -- names of categories, interned once for the whole process: a box stores a small
 * number.
 *
 * Numbers are given out in the order of first use and never taken back, so that a box may be freed
 * in another thread; they mean nothing outside this process (payloads carry the names). Interning
 * and lookup belong to the thread that runs commands. */
#ifndef CATEGORY_H
#define CATEGORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "notify_str.h"
#include "notify_wire.h"

#define CATEGORY_NONE 0 /* "no category"; real ones start at 1 */
#define CATEGORY_LIMIT                                                                             \
    32767 /* different names in one process; an inexhaustible source must not fill memory */

/* The number of name, which is made on first use. Name: 1 to NOTIFY_CATEGORY_MAX bytes of valid
 * UTF-8 without control characters. 0, -EINVAL (not such a name), -ENOSPC (limit), -ENOMEM. */
int category_intern(struct notify_str name, uint16_t *ret_category);

/* The number of name, or CATEGORY_NONE when no box ever had it: a filter that nothing can match. */
uint16_t category_find(struct notify_str name);

/* The name; {NULL, 0} for CATEGORY_NONE. Borrowed, valid for ever. category must be one given out.
 */
struct notify_str category_name(uint16_t category);

/* The same escaped for the inside of a JSON string. */
struct notify_str category_json(uint16_t category);

/* How many there are; the highest number given out. */
size_t category_count(void);

/* Forgets everything; for unloading the module and for tests, when no box is left. */
void category_reset(void);

#endif
