/* collapse -- which entry of a box carries which collapse token: at most one each. The tokens lie
 * in the bodies; here is only the index that finds them. Internal to the box*.c files. */
#ifndef COLLAPSE_H
#define COLLAPSE_H

#include <stdbool.h>

#include "box/box_types.h"
#include "base/id_table.h"

/* The token of a stored body, escaped as it stands there; {NULL, 0}: none. */
struct notify_str collapse_token(struct notify_str body);

/* The slot of the entry with that token; NULL: none. */
struct id_slot *collapse_find(const struct box *box, struct notify_str token);
/* Room for one more token: 0, -ENOMEM. May move the box. */
int collapse_reserve(struct box **box);
/* The entry with this id carries the token; there is room for it. */
void collapse_add(struct box *box, struct notify_str token, struct notify_id id);
/* The entry, which is still there, goes. */
void collapse_remove(struct box *box, struct notify_str token, struct notify_id id);
/* Whether the index agrees with the entries. O(entries). */
bool collapse_is_sound(const struct box *box);

#endif
