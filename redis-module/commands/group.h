/* group -- counting by what entries say of themselves: for each category, type, level or entity how
 * many there are. */
#ifndef GROUP_H
#define GROUP_H

#include <stddef.h>
#include <stdint.h>

#include "base/id_table.h"
#include "box/box.h"

enum group_by { GROUP_CATEGORY, GROUP_TYPE, GROUP_LEVEL, GROUP_ENTITY };

/* Texts as they are stored (escaped, but for categories), borrowed from the boxes. */
struct group {
    struct notify_str name; /* .len == 0: of those that have none */
    struct notify_str id;   /* of an entity */
    uint64_t count;
};

struct groups {
    enum group_by by;
    struct group *list; /* owned; in the order in which they were met */
    size_t count;
    size_t cap;
    struct id_table by_hash; /* tag: place in the list, from 1 */
};

void groups_init(struct groups *groups, enum group_by by);
void groups_release(struct groups *groups);

/* The boxes may not change as long as the groups are used. 0; -ENOMEM; -ENOSPC: it would be more
 * than LIMIT_GROUPS. */
int groups_add(struct groups *groups, const struct box_entry *entry);

#endif
