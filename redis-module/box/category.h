/* category -- names of categories, interned once for the whole process: a box stores a small
 * number.
 *
 * A number belongs to its name as long as a box holds it, and until the end of the command that
 * asked for it: names that no box has any more make room for others when there are too many
 * (category_make_room). Numbers mean nothing outside this process: payloads carry the names. All of
 * this belongs to the thread that runs commands, but for category_release: a box may be freed in
 * another one. */
#ifndef CATEGORY_H
#define CATEGORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "notify_str.h"
#include "notify_wire.h"

#define CATEGORY_NONE 0 /* "no category"; real ones start at 1 */
#define CATEGORY_LIMIT                                                                             \
    32767 /* different names at a time; an inexhaustible source must not fill memory */

/* The number of name, which is made on first use. Name: 1 to NOTIFY_CATEGORY_MAX bytes of valid
 * UTF-8 without control characters. 0, -EINVAL (not such a name), -ENOSPC (limit), -ENOMEM. */
int category_intern(struct notify_str name, uint16_t *ret_category);

/* Forgets the names that no box holds, if the limit is near and it is worth looking. To be called
 * before the first category_intern of a command, while nobody but boxes keeps a number. */
void category_make_room(void);

/* A box holds the number as often as it was held more than released. CATEGORY_NONE is ignored. */
void category_hold(uint16_t category);
void category_release(uint16_t category); /* in any thread */

/* The number of name, or CATEGORY_NONE when no box has it: a filter that nothing can match. */
uint16_t category_find(struct notify_str name);

/* The name; {NULL, 0} for CATEGORY_NONE. Borrowed, valid as long as the number. category must be
 * one given out. */
struct notify_str category_name(uint16_t category);

/* The same escaped for the inside of a JSON string. */
struct notify_str category_json(uint16_t category);

/* The highest number given out. */
size_t category_count(void);

/* Forgets everything; for tests, when no box is left. */
void category_reset(void);

#endif
